"""From bytes, which may be anything, to a Keras model: nothing is executed, no size believed."""

import json
import zlib

import keras
import numpy as np
import tensorflow as tf
from constriction import stream

from helpers.compression.codes import decode, size_of
from helpers.compression.layout import (
    ACTIVATIONS,
    LAYERS,
    MAGIC,
    START,
    VERSION,
    PackedFileError,
    digest_of,
    require,
    settings_of,
)


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


def _read(data, max_weights):
    """Check the file from outside to inside. Returns its header and its weight arrays."""
    require(len(data) >= START.size, f"{len(data)} bytes are too few, it was truncated")
    magic, version, checksum, length, digest = START.unpack_from(data)
    require(magic == MAGIC, f"it begins with {magic!r} and not with {MAGIC!r}")
    require(version == VERSION, f"it has version {version}, this program reads {VERSION}")
    require(zlib.crc32(data[9:]) == checksum, "wrong checksum, it was truncated or altered")
    inflate = zlib.decompressobj()
    header = inflate.decompress(data[START.size :][:length], 2**18)
    require(inflate.eof, "its header is too long or incomplete")
    most = 2**24 + 100 * len(data)  # symbols an array; no sensible code is ever so short
    header, data, arrays = json.loads(header), data[START.size + length :], []
    codes = np.frombuffer(data[: header["codes"]], "<u4").astype(np.uint32)
    coder, data = stream.stack.AnsCoder(codes), data[header["codes"] :]
    for row in header["arrays"]:
        size, width = size_of(*row)
        require(size <= max_weights, f"it has {size:,} weights more than the limit leaves")
        require(sum(row[2]) <= most, f"it has more symbols than {most:,}, for its length")
        arrays.append(decode(*row, data, coder))
        max_weights, data = max_weights - size, data[width:]
    require(coder.is_empty() and not data, "it does not end where it should")
    require(digest_of(arrays) == digest, "its weights do not decode to what was packed")
    return header, arrays


class _Given(keras.initializers.Initializer):
    """Starts a weight as the next array of the file; checks the shape before making room."""

    def __init__(self, arrays, layer):
        self.arrays, self.layer = arrays, layer

    def __call__(self, shape, dtype=None):
        require(self.arrays, f"it has no weights for layer {self.layer!r}")
        array, where = self.arrays.pop(0), f"layer {self.layer!r} wants weights of shape"
        require(array.shape == tuple(shape), f"{where} {shape}, the file has {array.shape}")
        require(np.isfinite(array).all(), f"a weight of layer {self.layer!r} is NaN or infinite")
        return tf.convert_to_tensor(array)


def _build(header, arrays):
    """Make the layers in order, from plain settings, each fed by layers before it."""
    tensors = []

    def feeds(numbers):
        require(all(0 <= n < len(tensors) for n in numbers), "a layer is fed by a later one")
        return tensors[numbers[0]] if len(numbers) == 1 else [tensors[n] for n in numbers]

    require(len(header["layers"]) <= 1000, "it has more than 1,000 layers")
    for kind, settings, sources in header["layers"]:
        require(kind in LAYERS, f"it names {str(kind)[:50]!r}, which is no layer it may hold")
        wrong = [key for key in settings if key not in settings_of(kind)]
        require(not wrong, f"{kind} has the setting {str(wrong)[:50]}, which it may not have")
        activation = settings.get("activation") or "linear"
        require(activation in ACTIVATIONS, f"it names the activation {str(activation)[:50]!r}")
        starts = settings_of(kind, open_to_files=False)
        given = dict.fromkeys(starts, _Given(arrays, settings.get("name")))
        layer = LAYERS[kind](**settings, **given)
        tensors.append(layer.output if kind == "InputLayer" else layer(feeds(sources)))
        for key, usual in starts.items():  # so that Keras can save and clone the model
            setattr(layer, key, keras.initializers.get(usual))
    require(not arrays, f"{len(arrays)} of its arrays belong to no layer")
    ends = feeds(header["inputs"]), feeds(header["outputs"])
    return keras.Model(*ends, name=header["name"])
