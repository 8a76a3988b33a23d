"""AlexNet as published, its relative for 28×28 images, and the table of their layers.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural
Networks", NIPS 2012; the section numbers below are that paper's.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from helpers.networks import kernels_of, layers_of
from helpers.words import shown

# What `alexnet28(weights=...)` knows: name -> file among the package's assets.
WEIGHTS = {"fashion_mnist": "alexnet28_fashion_mnist.npz"}


@keras.saving.register_keras_serializable(package="helpers")
class LocalResponseNormalization(keras.layers.Layer):
    """Brightness normalization across neighbouring channels (section 3.3).

    ``b[c] = a[c] / (k + alpha * sum(a[j]**2 for |j - c| <= n // 2)) ** beta``; shape and dtype
    stay. ``alpha`` stands on the sum, as the paper prints it and TensorFlow has it. PyTorch and
    Caffe divide it by ``n``, and so did the authors' program (``layer.py``): their 1e-4 is 2e-5
    here. The default is the printed formula, which is what a reader of the paper would build.
    """

    def __init__(self, n=5, k=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        if n < 1 or n % 2 == 0:
            raise ValueError(f"n is {shown(n)}; a window centred on a channel has an odd width")
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta

    def call(self, inputs, training=False):
        x = tf.cast(inputs, tf.float32)  # the GPU has no half-precision kernel for this operation
        if training and self.beta == 0.75:
            y = _three_quarters(x, self.n // 2, self.k, self.alpha)
        else:
            y = tf.nn.local_response_normalization(x, self.n // 2, self.k, self.alpha, self.beta)
        return tf.cast(y, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"n": self.n, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **own}


def _three_quarters(x, reach, k, alpha):
    """The normalization with ``beta = 3/4`` and its gradient, in less of a CPU's time.

    The sum over neighbours is a product with a band matrix, ``s**-0.75`` two square roots, and the
    gradient, ``dx = dy s**-0.75 - 2 alpha beta x sum(dy y / s)``, takes what is there already.
    """
    channels = range(x.shape[-1])
    near = np.abs(np.subtract.outer(channels, channels)) <= reach
    band, plus = tf.constant(near, x.dtype), tf.fill([len(channels)], k)

    @tf.custom_gradient
    def normalize(x):
        shape, x = tf.shape(x), tf.reshape(x, (-1, len(channels)))
        s = tf.nn.bias_add(tf.matmul(x * x, alpha * band), plus)
        root = tf.math.rsqrt(s)
        factor = root * tf.sqrt(root)
        y = x * factor

        def gradient(dy):
            dy = tf.reshape(dy, (-1, len(channels)))
            near = tf.matmul(dy * y * root * root, 1.5 * alpha * band)
            return tf.reshape(dy * factor - x * near, shape)

        return tf.reshape(y, shape), gradient

    return normalize(x)


@keras.saving.register_keras_serializable(package="helpers")
class GroupedConv2D(keras.layers.Conv2D):
    """A convolution whose groups see only their share of the channels (section 3.2).

    The same variables and results as ``keras.layers.Conv2D(groups=...)``, computed as one
    convolution per group: on a CPU the gradient of the grouped operation takes TensorFlow 2.20
    about ten times as long.
    """

    def call(self, inputs):
        parts = zip(
            tf.split(inputs, self.groups, axis=-1),
            tf.split(tf.convert_to_tensor(self.kernel), self.groups, axis=-1),
            strict=True,
        )
        outputs = [
            tf.nn.convolution(
                x, w, self.strides, self.padding.upper(), dilations=self.dilation_rate
            )
            for x, w in parts
        ]
        y = tf.concat(outputs, axis=-1)
        return self.activation(tf.nn.bias_add(y, self.bias) if self.use_bias else y)


def alexnet(
    classes=1000, *, width=1.0, groups=2, activation="relu", lrn=True, overlap=True, dropout=0.5
):
    """AlexNet (section 3): 227×227×3 images to ``classes`` logits, 60,965,224 parameters.

    The paper writes 224, but its layers fit only 227. Images are float32 with the mean of the
    training set subtracted, on the scale 0 to 255. Weights start from N(0, 0.01²); biases from 1
    in conv2, conv4, conv5, fc6 and fc7, else from 0 (section 5). Keras multiplies by 2 while it
    trains with dropout; the paper multiplied by 0.5 in the test: the same in expectation.

    width     factor on every channel and unit count, for small trials
    groups    2 for the two GPUs of the paper, 1 for the network undivided
    activation, lrn, overlap, dropout   switch one ingredient: ``"tanh"``, ``False``,
              ``False`` (2×2 pooling, same output sizes), ``0``

    Raises ``ValueError`` for an option that makes no sense.
    """
    convolutions = [(96, 11, 4, "valid"), (256, 5, 1, "same"), (384, 3, 1, "same")]
    convolutions += [(384, 3, 1, "same"), (256, 3, 1, "same")]
    start = {"kernel_initializer": keras.initializers.RandomNormal(0.0, 0.01)}
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    options = (width, groups, activation, lrn, overlap, dropout)
    return _network("alexnet", (227, 227, 3), convolutions, 4096, classes, start, ones, options)


def alexnet28(
    classes=10, *, width=1.0, groups=2, activation="relu", lrn=True, overlap=True, dropout=0.5,
    weights=None,
):  # fmt: skip
    """The same eight layers with a quarter of the channels, for 28×28×1 images: 940,482 parameters.

    Images are float32 from 0 to 1. Weights start from He's normal distribution and biases from 0:
    with the paper's start this small network stays at chance. The other options are those of
    ``alexnet``. ``weights="fashion_mnist"`` loads those of ``tools/make_checkpoint.py``, 20 epochs.

    Raises ``ValueError`` for an option that makes no sense, for an unknown ``weights``, or for
    options that change the shapes of the weights to load.
    """
    convolutions = [(24, 6, 1, "valid"), (64, 5, 1, "same"), (96, 3, 1, "same")]
    convolutions += [(96, 3, 1, "same"), (64, 3, 1, "same")]
    start = {"kernel_initializer": "he_normal"}
    options = (width, groups, activation, lrn, overlap, dropout)
    model = _network("alexnet28", (28, 28, 1), convolutions, 768, classes, start, (), options)
    if weights is not None:
        _load(model, weights)
    return model


def _network(name, shape, convolutions, units, classes, start, ones, options):
    width, groups, activation, lrn, overlap, dropout = options
    if classes < 2 or width <= 0 or groups not in (1, 2) or not 0 <= dropout < 1:
        raise ValueError(
            f"classes={classes}, width={width}, groups={groups}, dropout={dropout}: needs at least "
            "two classes, a positive width, one or two groups, and dropout from 0 to below 1"
        )

    def scaled(count):
        return max(2, 2 * round(count * width / 2))  # even, so that two groups divide it

    def settings(layer):
        bias = "ones" if layer in ones else "zeros"
        return {"activation": activation, "bias_initializer": bias, "name": layer, **start}

    x = inputs = keras.Input(shape, name="images")
    for i, (channels, size, stride, padding) in enumerate(convolutions, start=1):
        divided = groups > 1 and i in (2, 4, 5)
        kind, extra = (GroupedConv2D, {"groups": groups}) if divided else (keras.layers.Conv2D, {})
        x = kind(scaled(channels), size, stride, padding, **extra, **settings(f"conv{i}"))(x)
        if lrn and i in (1, 2):
            # As the formula is printed; the bundled weights of alexnet28 were trained with it.
            x = LocalResponseNormalization(n=5, k=2.0, alpha=1e-4, beta=0.75, name=f"lrn{i}")(x)
        if i in (1, 2, 5):
            x = keras.layers.MaxPooling2D(3 if overlap else 2, 2, name=f"pool{i}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for i in (6, 7):
        x = keras.layers.Dense(scaled(units), **settings(f"fc{i}"))(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout{i}")(x)
    logits = keras.layers.Dense(classes, **{**settings("fc8"), "activation": None})(x)
    return keras.Model(inputs, logits, name=name)


def _load(model, weights):
    if weights not in WEIGHTS:
        raise ValueError(f"weights={shown(weights)}; use None or one of {sorted(WEIGHTS)}")
    from helpers import datasets

    with np.load(datasets.asset_path(WEIGHTS[weights])) as file:
        for variable in model.trainable_variables:
            stored = file[variable.path]
            if stored.shape != tuple(variable.shape):
                raise ValueError(
                    f"weights={weights!r} has shape {stored.shape} for {variable.path}, the "
                    f"network {tuple(variable.shape)}: leave classes, width and groups as they are"
                )
            variable.assign(stored)


class LayerRow(NamedTuple):
    """One layer: name, output shape, parameters, multiply-adds and bytes of output per image."""

    name: str
    output: tuple
    parameters: int
    multiply_adds: int
    activation_bytes: int


def layer_table(model):
    """A ``LayerRow`` for each layer of ``model`` but the input, in order, per image.

    Multiply-adds are those of convolutions and dense layers; the output is counted in float32. A
    network within the network is shown by its layers, ``backbone/conv1``. Where a layer has other
    tables of weights, whose work is not counted, a line says so. Raises ``ValueError`` if the
    network is not built, leaves the size of its images open, or is a class of its own.
    """
    rows = []
    for name, layer in layers_of(model).items():
        if getattr(layer, "layers", None):  # a network: its layers have rows of their own
            continue
        if not getattr(layer, "_inbound_nodes", None):  # a part of a layer: counted with that
            continue
        shape, kernels = tuple(layer.output.shape[1:]), kernels_of(layer).values()
        if None in shape:
            raise ValueError(f"{name!r} gives {shape}: build the network for images of one size")
        # Every weight of a kernel is used once at each output position, of a transposed one at each
        # input position.
        where = layer.input.shape[1:-1] if "Transpose" in type(layer).__name__ else shape[:-1]
        adds = sum(int(np.prod(kernel.shape)) for kernel in kernels) * int(np.prod(where))
        tables = [w.path for w in layer.trainable_weights if len(w.shape) > 1]
        if len(tables) > len(kernels):
            print(f"left out: the multiply-adds of {name}, a {type(layer).__name__}")
        size = 4 * int(np.prod(shape))
        rows.append(LayerRow(name, shape, layer.count_params(), adds, size))
    if (lacking := model.count_params() - sum(row.parameters for row in rows)) != 0:
        raise ValueError(
            f"the table would lack {lacking:,} parameters of {model.name!r}; give a network that "
            "is Sequential or functional, down to its parts"
        )
    return rows
