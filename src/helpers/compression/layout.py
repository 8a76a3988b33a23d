"""What writing and reading a packed file must agree on: its frame, its layers, their settings.

The file: 17 fixed bytes; the header (deflated JSON: layers, tables of frequencies); gaps and
cluster numbers, coded by asymmetric numeral systems; codebooks and unshared weights (float16 if
exact, else float32).
"""

import struct
import zlib
from inspect import signature

import keras
import numpy as np
from keras import layers

from helpers.alexnet import GroupedConv2D, LocalResponseNormalization

MAGIC, VERSION = b"AXPK", 1
START = struct.Struct("<4sBIII")  # magic, version, checksum of the rest, header's length, digest
SPAN = 128  # gaps of up to 127 are one symbol; symbol 128 skips 128 weights, and the gap goes on
LAYERS = (layers.Activation, layers.Add, layers.AveragePooling2D, layers.BatchNormalization)
LAYERS += (layers.Concatenate, layers.Conv2D, layers.Dense, layers.Dropout, layers.Flatten)
LAYERS += (layers.GlobalAveragePooling2D, layers.InputLayer, layers.MaxPooling2D, layers.ReLU)
LAYERS += (layers.Softmax, layers.ZeroPadding2D, GroupedConv2D, LocalResponseNormalization)
LAYERS = {kind.__name__: kind for kind in LAYERS}
# Settings of layers that a file may hold: no code, no objects, no weights but those of the file.
OPEN = "name batch_shape units activation use_bias filters kernel_size strides padding axis rate"
OPEN += " data_format dilation_rate groups pool_size momentum epsilon center scale keepdims"
OPEN = set(f"{OPEN} max_value negative_slope threshold n k alpha beta".split())
ACTIVATIONS = ("linear", "relu", "relu6", "elu", "gelu", "silu", "sigmoid", "softmax", "tanh")
ACTIVATIONS = {name: getattr(keras.activations, name) for name in ACTIVATIONS}


class PackedFileError(ValueError):
    """The bytes are no packed model, or were truncated or altered. The message says how."""


def require(condition, reason):
    if not condition:
        raise PackedFileError(f"not a valid packed model: {reason}")


def digest_of(arrays):
    digest = 0
    for array in arrays:
        digest = zlib.crc32(np.ascontiguousarray(array, "<f4"), digest)
    return digest


def settings_of(kind, open_to_files=True):
    """Settings of a layer class, with defaults, that a file may hold.

    With ``open_to_files=False``, its initializers, through which a file's arrays come in.
    """
    items = signature(LAYERS[kind].__init__).parameters.items()
    if open_to_files:
        return {"name": None} | {key: p.default for key, p in items if key in OPEN}
    return {key: p.default for key, p in items if key.endswith("_initializer")}
