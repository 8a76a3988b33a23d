"""From a Keras model to the bytes of a packed file."""

import json
import math
import struct
import zlib

import keras
from constriction import stream

from helpers.compression.codes import encode
from helpers.compression.layout import (
    ACTIVATIONS,
    LAYERS,
    MAGIC,
    VERSION,
    PackedFileError,
    digest_of,
    settings_of,
)
from helpers.compression.reading import unpack
from helpers.compression.ties import check_ties
from helpers.networks import check_finite_weights, check_plain
from helpers.words import shown


def pack(model):
    """The whole model, functional or sequential and in float32, as ``bytes``.

    Lossless: ``unpack`` returns bit-identical weights. Small if they were pruned, shared and
    rounded before. What only training needs (optimizer, regularizers, constraints) is left out.
    The file: 17 fixed bytes; the header (deflated JSON: layers, tables of frequencies); gaps and
    cluster numbers, coded by asymmetric numeral systems; codebooks and unshared weights (float16
    if exact, else float32). Raises ``ValueError`` for a model that ``unpack`` would refuse, such
    as one with a weight that is NaN or infinite.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(f"pack takes a built functional or sequential model, not {shown(model)}")
    check_finite_weights(model)
    check_plain(model)
    check_ties(model)
    header, coder, plain = _architecture(model), stream.stack.AnsCoder(), b""
    arrays = [weight.numpy() for weight in model.weights]
    header["arrays"] = []
    for array in reversed(arrays):  # the coder is a stack: the last in is the first out
        row, values = encode(array, coder)
        header["arrays"].insert(0, row)
        plain = values + plain
    codes = coder.get_compressed().astype("<u4").tobytes()
    header["codes"] = len(codes)
    text = zlib.compress(json.dumps(header, separators=(",", ":")).encode(), 9)
    rest = struct.pack("<II", len(text), digest_of(arrays)) + text + codes + plain
    data = struct.pack("<4sBI", MAGIC, VERSION, zlib.crc32(rest)) + rest
    try:
        unpack(data, max_weights=math.inf)
    except PackedFileError as error:
        raise ValueError(f"cannot pack {model.name!r}: {error}") from error
    return data


def _calls(model):
    """The one call (a Keras node) of each layer in this model; others may use the layer too."""
    calls, pending = {}, list(model.outputs)
    while pending:
        layer, number, _ = pending.pop()._keras_history
        call = layer._inbound_nodes[number]
        if calls.setdefault(layer, call) is not call:
            raise ValueError(f"cannot pack layer {layer.name!r}: it is used more than once")
        pending += call.input_tensors
    return calls


def _architecture(model):
    """Layers in order, as [class, settings unlike the default, numbers of those that feed it]."""
    calls, order = _calls(model), [tensor._keras_history.operation for tensor in model.inputs]
    order += [layer for layer in model.layers if layer not in order]
    place, rows = {layer: i for i, layer in enumerate(order)}, []

    def numbers(tensors):
        return [place.get(tensor._keras_history.operation) for tensor in tensors]

    for layer in order:
        kind, config = type(layer).__name__, layer.get_config()
        function = getattr(layer, "activation", keras.activations.linear)
        known = LAYERS.get(kind) is type(layer) and function in ACTIVATIONS.values()
        if not known or layer.compute_dtype != "float32":
            called = getattr(function, "__name__", type(function).__name__)
            what = f"{kind} with {called} in {layer.compute_dtype}"
            can = ", ".join([*LAYERS, *ACTIVATIONS])
            raise ValueError(f"cannot pack layer {layer.name!r}, a {what}; in float32, {can} can")
        own = {}
        for key, default in settings_of(kind).items():
            usual = "linear" if key == "activation" and default is None else default
            if key in config and config[key] != usual:
                own[key] = config[key]
        rows.append([kind, own, numbers(calls[layer].input_tensors)])
    ends = {"inputs": numbers(model.inputs), "outputs": numbers(model.outputs)}
    return {"name": model.name, "layers": rows, **ends}
