"""Pruning, weight sharing and entropy coding: one small file that decodes into a Keras model.

Han, Mao and Dally, "Deep Compression" (2016): remove most weights (section 2), let the rest share
a few values (section 3), code positions and values by how often they occur (section 4).
"""

import json
import math
import struct
import zlib
from inspect import signature

import keras
import numpy as np
import tensorflow as tf
from constriction import stream
from keras import layers

from helpers.alexnet import GroupedConv2D, LocalResponseNormalization


def kernels(model):
    """The kernels of the model, which pruning and sharing work on: ``{layer name: variable}``."""
    return {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}


class Tied(keras.constraints.Constraint):
    """Keeps a kernel pruned, and its weights shared, while the rest of it trains.

    ``codes`` has the kernel's shape: 0 where a weight is pruned, else the number of its cluster
    from 1 to ``clusters``; with ``clusters=0`` the weights are not shared. Keras applies it after
    every step. Each weight then becomes the mean of its cluster, which a step of gradient descent
    has moved by the cluster's summed gradient (Deep Compression, equation 3) over its size.
    """

    def __init__(self, codes, clusters=0):
        self.codes, self.clusters = tf.Variable(codes, dtype=tf.int32, trainable=False), clusters
        if clusters:  # the step looks at the kept weights only: few, once pruned
            kept = np.flatnonzero(codes)
            self.kept = tf.constant(kept[:, None])
            self.cluster_of = tf.constant(np.ravel(codes)[kept] - 1)

    def __call__(self, kernel):
        if not self.clusters:
            return tf.where(self.codes > 0, kernel, 0.0)
        kept = tf.gather_nd(tf.reshape(kernel, [-1]), self.kept)
        means = tf.math.unsorted_segment_mean(kept, self.cluster_of, self.clusters)
        shared = tf.gather(means, self.cluster_of)
        flat = tf.scatter_nd(self.kept, shared, [math.prod(kernel.shape)])
        return tf.reshape(flat, kernel.shape)


def _tie(model, kernel, codes, clusters=0):
    tied = kernel.constraint
    if isinstance(tied, Tied) and tied.clusters == clusters == 0:
        tied.codes.assign(codes)  # a training step that is already traced sees the new codes
    else:
        kernel.constraint = Tied(codes, clusters)
        model.train_function = None  # it was traced without the constraint
    kernel.assign(kernel.constraint(kernel))


def _per_layer(model, setting, least, most, what):
    """Triples of layer name, kernel and setting: one value for all, or a dict by layer name."""
    known = kernels(model)
    setting = setting if isinstance(setting, dict) else dict.fromkeys(known, setting)
    for name, value in setting.items():
        if name not in known:
            raise ValueError(f"no layer with a kernel is called {name!r}; use {', '.join(known)}")
        if not least <= value <= most:
            raise ValueError(f"{what} of {name!r} is {value}; give one from {least} to {most}")
    return [(name, known[name], value) for name, value in setting.items()]


def prune(model, sparsity):
    """Set the weights of least magnitude to zero, in place, and keep them there in training.

    sparsity   the share of each kernel to remove, 0 to 1; or ``{layer name: share}``, where
               layers that are not named stay as they are

    Prune before sharing: pruning a shared kernel ends the sharing. Raises ``ValueError`` for a
    share out of range or an unknown layer, as do the others below.
    """
    for _, kernel, share in _per_layer(model, sparsity, 0, 1, "the sparsity"):
        order = np.argsort(np.abs(kernel.numpy()), axis=None, kind="stable")
        codes = np.ones(order.size, np.int32)
        codes[order[: round(share * order.size)]] = 0
        _tie(model, kernel, codes.reshape(kernel.shape))


def cubic_sparsity(step, steps, final, initial=0.0):
    """Sparsity after ``step`` of ``steps``, fast at first, then slow (Zhu and Gupta 2017, (1))."""
    return final + (initial - final) * (1 - min(max(step / steps, 0), 1)) ** 3


class GradualPruning(keras.callbacks.Callback):
    """Prunes more and more while ``fit`` trains, by ``cubic_sparsity``.

    ``sparsity``: the final one, as in ``prune``; reached after ``steps`` batches, with a pruning
    every ``every`` batches. It starts from no sparsity: what was pruned before may grow again.
    """

    def __init__(self, sparsity, steps, every=20):
        super().__init__()
        if steps < 1 or every < 1:
            raise ValueError(f"steps={steps}, every={every}: give whole numbers from 1")
        self.sparsity, self.steps, self.every, self.step = sparsity, steps, every, 0

    def set_model(self, model):
        super().set_model(model)  # Keras calls this before it traces the training step
        prune(model, dict.fromkeys(self._goals(), 0.0))

    def _goals(self):
        goals = _per_layer(self.model, self.sparsity, 0, 1, "the final sparsity")
        return {name: final for name, _, final in goals}

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step <= self.steps and (self.step % self.every == 0 or self.step == self.steps):
            goals = self._goals().items()
            prune(self.model, {k: cubic_sparsity(self.step, self.steps, s) for k, s in goals})


def kmeans(values, clusters, iterations=50):
    """K-means of numbers by Lloyd's algorithm, from centroids spaced evenly over their range.

    That start keeps centroids for the few large weights (Deep Compression, section 3.2). Returns
    the centroids, (clusters,) float64, and each value's cluster from 0, in the shape of values.
    """
    ordered = np.sort(values, axis=None).astype(np.float64)
    total = np.r_[0, np.cumsum(ordered)]
    centroids = np.linspace(ordered[0], ordered[-1], clusters)
    for _ in range(iterations):
        inner = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        edges = np.r_[0, inner, ordered.size]
        means = np.diff(total[edges]) / np.maximum(np.diff(edges), 1)
        centroids, last = np.where(np.diff(edges) > 0, means, centroids), centroids
        if np.array_equal(centroids, last):
            break
    return centroids, np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)


def share(model, clusters):
    """Let the nonzero weights of a kernel share ``clusters`` values (1 to 256), also in training.

    ``clusters`` is one count for all kernels or ``{layer name: count}``.
    """
    for _, kernel, count in _per_layer(model, clusters, 1, 256, "the number of clusters"):
        values = kernel.numpy()
        codes = np.zeros(values.shape, np.int32)
        if values.any():
            codes[values != 0] = 1 + kmeans(values[values != 0], count)[1]
        _tie(model, kernel, codes, count)


def round_for_storage(model, bias_values=16):
    """Round, in place: shared weights to float16, and each layer's biases to a few values.

    ``bias_values`` is how many; a layer with less than four times as many biases keeps them all.
    """
    for weight in model.weights:
        values = weight.numpy()
        if weight.name == "bias" and values.size >= 4 * bias_values:
            centroids, codes = kmeans(values, bias_values)
            values = centroids[codes]
        if weight.name == "bias" or getattr(weight.constraint, "clusters", 0):
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise ValueError(f"{weight.path} has values over 65,504, too large for float16")
            weight.assign(values.astype(np.float16).astype(np.float32))


MAGIC, VERSION = b"AXPK", 1
_START = struct.Struct("<4sBIII")  # magic, version, checksum of the rest, header's length, digest
_SPAN = 128  # gaps of up to 127 are one symbol; symbol 128 skips 128 weights, and the gap goes on
_LAYERS = (layers.Activation, layers.Add, layers.AveragePooling2D, layers.BatchNormalization)
_LAYERS += (layers.Concatenate, layers.Conv2D, layers.Dense, layers.Dropout, layers.Flatten)
_LAYERS += (layers.GlobalAveragePooling2D, layers.InputLayer, layers.MaxPooling2D, layers.ReLU)
_LAYERS += (layers.Softmax, layers.ZeroPadding2D, GroupedConv2D, LocalResponseNormalization)
_LAYERS = {kind.__name__: kind for kind in _LAYERS}
# Settings of layers that a file may hold: no code, no objects, no weights but those of the file.
_OPEN = "name batch_shape units activation use_bias filters kernel_size strides padding axis rate"
_OPEN += " data_format dilation_rate groups pool_size momentum epsilon center scale keepdims"
_OPEN = set(f"{_OPEN} max_value negative_slope threshold n k alpha beta".split())
_ACTIVATIONS = ("linear", "relu", "relu6", "elu", "gelu", "silu", "sigmoid", "softmax", "tanh")
_ACTIVATIONS = {name: getattr(keras.activations, name) for name in _ACTIVATIONS}


class PackedFileError(ValueError):
    """The bytes are no packed model, or were truncated or altered. The message says how."""


def pack(model):
    """The whole model, functional or sequential and in float32, as ``bytes``.

    Lossless: ``unpack`` returns bit-identical weights. Small if they were pruned, shared and
    rounded before. What only training needs (optimizer, regularizers, constraints) is left out.
    The file: 17 fixed bytes; the header (deflated JSON: layers, tables of frequencies); gaps and
    cluster numbers, coded by asymmetric numeral systems; codebooks and unshared weights (float16
    if exact, else float32). Raises ``ValueError`` for a model that ``unpack`` would refuse.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(f"pack takes a built functional or sequential model, not {model!r}")
    header, coder, plain = _architecture(model), stream.stack.AnsCoder(), b""
    arrays = [weight.numpy() for weight in model.weights]
    header["arrays"] = []
    for array in reversed(arrays):  # the coder is a stack: the last in is the first out
        row, values = _encode(array, coder)
        header["arrays"].insert(0, row)
        plain = values + plain
    codes = coder.get_compressed().astype("<u4").tobytes()
    header["codes"] = len(codes)
    text = zlib.compress(json.dumps(header, separators=(",", ":")).encode(), 9)
    rest = struct.pack("<II", len(text), _digest(arrays)) + text + codes + plain
    data = struct.pack("<4sBI", MAGIC, VERSION, zlib.crc32(rest)) + rest
    try:
        unpack(data, max_weights=math.inf)
    except PackedFileError as error:
        raise ValueError(f"cannot pack {model.name!r}: {error}") from error
    return data


def _digest(arrays):
    digest = 0
    for array in arrays:
        digest = zlib.crc32(np.ascontiguousarray(array, "<f4"), digest)
    return digest


def _model(counts):
    """The coder's model of these frequencies. Two symbols more, since it wants at least two."""
    return stream.model.Categorical(np.r_[counts, 0.5, 0.5], perfect=False)


def _encode(array, coder):
    """Push one array on the coder. Returns its row of the header and the bytes of plain values.

    A nonzero weight has a gap (the zeros before it) and a value: its number in the codebook or,
    where that saves nothing, the value itself. The row: shape, bytes of a plain value, and how
    often each gap and each number of the codebook occurs.
    """
    bits = array.ravel().view(np.uint32)  # bit patterns, so that -0.0 and NaN survive too
    kept = np.flatnonzero(bits)
    gaps = np.diff(kept, prepend=-1) - 1
    symbols = np.full(kept.size + (gaps // _SPAN).sum(), _SPAN, np.int32)
    symbols[np.cumsum(gaps // _SPAN + 1) - 1] = gaps % _SPAN
    plain, codes, counts = np.unique(bits[kept], return_inverse=True, return_counts=True)
    if plain.size <= min(256, kept.size / 2):
        coder.encode_reverse(codes.astype(np.int32), _model(counts))
    else:
        plain, counts = bits[kept], counts[:0]
    coder.encode_reverse(symbols, _model(np.bincount(symbols)))
    with np.errstate(over="ignore", invalid="ignore"):
        half = plain.view(np.float32).astype("<f2")
    exact = half.astype(np.float32).tobytes() == plain.tobytes()
    values = half if exact else plain.astype("<u4")
    row = [array.shape, values.itemsize, np.bincount(symbols).tolist(), counts.tolist()]
    return row, values.tobytes()


def _settings(kind, open_to_files=True):
    """Settings of a layer class, with defaults, that a file may hold.

    With ``open_to_files=False``, its initializers, through which a file's arrays come in.
    """
    items = signature(_LAYERS[kind].__init__).parameters.items()
    if open_to_files:
        return {"name": None} | {key: p.default for key, p in items if key in _OPEN}
    return {key: p.default for key, p in items if key.endswith("_initializer")}


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
        known = _LAYERS.get(kind) is type(layer) and function in _ACTIVATIONS.values()
        if not known or layer.compute_dtype != "float32":
            what = f"{kind} with {function.__name__} in {layer.compute_dtype}"
            can = ", ".join([*_LAYERS, *_ACTIVATIONS])
            raise ValueError(f"cannot pack layer {layer.name!r}, a {what}; in float32, {can} can")
        own = {}
        for key, default in _settings(kind).items():
            usual = "linear" if key == "activation" and default is None else default
            if key in config and config[key] != usual:
                own[key] = config[key]
        rows.append([kind, own, numbers(calls[layer].input_tensors)])
    ends = {"inputs": numbers(model.inputs), "outputs": numbers(model.outputs)}
    return {"name": model.name, "layers": rows, **ends}


def unpack(data, max_weights=2**26):
    """The model, not compiled, that ``pack`` turned into ``data``, with bit-identical weights.

    Runs nothing that the file brings, and believes no size in it unchecked. ``max_weights`` is
    the most weights to make room for; the default has room for AlexNet's 61 million.

    Raises ``PackedFileError`` for anything but a whole, unaltered file of this version.
    """
    try:
        return _build(*_read(bytes(data), max_weights))
    except PackedFileError:
        raise
    except Exception as error:  # Keras refuses a layer's settings in many ways
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise PackedFileError(f"the contents of the packed model are wrong: {reason}") from error


def _require(condition, reason):
    if not condition:
        raise PackedFileError(f"not a valid packed model: {reason}")


def _read(data, max_weights):
    """Check the file from outside to inside. Returns its header and its weight arrays."""
    _require(len(data) >= _START.size, f"{len(data)} bytes are too few, it was truncated")
    magic, version, checksum, length, digest = _START.unpack_from(data)
    _require(magic == MAGIC, f"it begins with {magic!r} and not with {MAGIC!r}")
    _require(version == VERSION, f"it has version {version}, this program reads {VERSION}")
    _require(zlib.crc32(data[9:]) == checksum, "wrong checksum, it was truncated or altered")
    inflate = zlib.decompressobj()
    header = inflate.decompress(data[_START.size :][:length], 2**18)
    _require(inflate.eof, "its header is too long or incomplete")
    most = 2**24 + 100 * len(data)  # symbols an array; no sensible code is ever so short
    header, data, arrays = json.loads(header), data[_START.size + length :], []
    codes = np.frombuffer(data[: header["codes"]], "<u4").astype(np.uint32)
    coder, data = stream.stack.AnsCoder(codes), data[header["codes"] :]
    for row in header["arrays"]:
        size, width = _size(*row)
        _require(size <= max_weights, f"it has {size:,} weights more than the limit leaves")
        _require(sum(row[2]) <= most, f"it has more symbols than {most:,}, for its length")
        arrays.append(_decode(*row, data, coder))
        max_weights, data = max_weights - size, data[width:]
    _require(coder.is_empty() and not data, "it does not end where it should")
    _require(_digest(arrays) == digest, "its weights do not decode to what was packed")
    return header, arrays


def _size(shape, width, spread, counts):
    """Check a row of the header. Returns how many weights and how many bytes of values it has."""
    for table, most in ((shape, 8), (spread, _SPAN + 1), (counts, 256)):
        whole = all(type(value) is int and 0 <= value < 2**31 for value in table[:most])
        _require(whole and len(table) <= most, "a table holds something else than counts")
    size, kept = math.prod(shape), sum(spread[:_SPAN])
    _require(width in (2, 4) and sum(spread) <= size, "an array has more weights than its shape")
    _require(not counts or sum(counts) == kept, "a codebook is not that of its array")
    return size, width * (len(counts) or kept)


def _decode(shape, width, spread, counts, data, coder):
    """The float32 array that a row of the header describes, its symbols taken off the coder."""
    array = np.zeros(math.prod(shape), np.float32)
    symbols = coder.decode(_model(spread), sum(spread))
    ends = np.cumsum(np.where(symbols < _SPAN, symbols + 1, _SPAN), dtype=np.int64)
    kept = ends[symbols < _SPAN] - 1
    _require(kept.size == sum(spread[:_SPAN]), "its gaps do not decode")
    values = np.frombuffer(data, f"<f{width}", len(counts) or kept.size).astype(np.float32)
    array[kept] = values[coder.decode(_model(counts), kept.size)] if counts else values
    return array.reshape(shape)


class _Given(keras.initializers.Initializer):
    """Starts a weight as the next array of the file; checks the shape before making room."""

    def __init__(self, arrays, layer):
        self.arrays, self.layer = arrays, layer

    def __call__(self, shape, dtype=None):
        _require(self.arrays, f"it has no weights for layer {self.layer!r}")
        array, where = self.arrays.pop(0), f"layer {self.layer!r} wants weights of shape"
        _require(array.shape == tuple(shape), f"{where} {shape}, the file has {array.shape}")
        return tf.convert_to_tensor(array)


def _build(header, arrays):
    """Make the layers in order, from plain settings, each fed by layers before it."""
    tensors = []

    def feeds(numbers):
        _require(all(0 <= n < len(tensors) for n in numbers), "a layer is fed by a later one")
        return tensors[numbers[0]] if len(numbers) == 1 else [tensors[n] for n in numbers]

    _require(len(header["layers"]) <= 1000, "it has more than 1,000 layers")
    for kind, settings, sources in header["layers"]:
        _require(kind in _LAYERS, f"it names {str(kind)[:50]!r}, which is no layer it may hold")
        wrong = [key for key in settings if key not in _settings(kind)]
        _require(not wrong, f"{kind} has the setting {str(wrong)[:50]}, which it may not have")
        activation = settings.get("activation") or "linear"
        _require(activation in _ACTIVATIONS, f"it names the activation {str(activation)[:50]!r}")
        starts = _settings(kind, open_to_files=False)
        given = dict.fromkeys(starts, _Given(arrays, settings.get("name")))
        layer = _LAYERS[kind](**settings, **given)
        tensors.append(layer.output if kind == "InputLayer" else layer(feeds(sources)))
        for key, usual in starts.items():  # so that Keras can save and clone the model
            setattr(layer, key, keras.initializers.get(usual))
    _require(not arrays, f"{len(arrays)} of its arrays belong to no layer")
    ends = feeds(header["inputs"]), feeds(header["outputs"])
    return keras.Model(*ends, name=header["name"])
