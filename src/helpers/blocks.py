"""The building blocks of the networks after AlexNet, and small networks made of them.

A block is a function from one symbolic tensor of Keras, (height, width, channels), to another, so
a network of blocks is an ordinary functional model: it can be saved, copied and taken apart. Each
block names its paper. Convolutions have no bias where batch normalization follows, since it would
subtract it again. Other sizes than a block can have raise ``ValueError``.
"""

import math

import keras
from keras import layers

from helpers.words import shown


def conv_bn(x, channels, size=3, stride=1, *, activation="relu", norm=True):
    """Convolution, batch normalization, activation (Ioffe and Szegedy 2015, section 3.2).

    channels    filters; ``None``: depthwise, one filter of its own for each channel of ``x``
    activation  ``None`` for none, else a name that Keras knows
    norm        False: without normalization, and with a bias
    """
    _check(channels=x.shape[-1] if channels is None else channels, size=size, stride=stride)
    options = {"strides": stride, "padding": "same", "use_bias": not norm}
    if channels is None:
        x = layers.DepthwiseConv2D(size, depthwise_initializer="he_normal", **options)(x)
    else:
        x = layers.Conv2D(channels, size, kernel_initializer="he_normal", **options)(x)
    if norm:
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x) if activation else x


def residual(x, channels, stride=1, *, shortcut=True, norm=True):
    """Two 3×3 convolutions and a shortcut around them (He and others 2016, section 3 and figure 2).

    Where the shapes differ, a 1×1 convolution leads around them (option B of section 3.3).
    ``shortcut=False`` leaves a plain stack of two layers, the paper's control.
    """
    y = conv_bn(x, channels, 3, stride, norm=norm)
    y = conv_bn(y, channels, 3, activation=None, norm=norm)
    if shortcut:
        if stride != 1 or x.shape[-1] != channels:
            x = conv_bn(x, channels, 1, stride, activation=None, norm=norm)
        y = layers.Add()([x, y])
    return layers.Activation("relu")(y)


def bottleneck(x, channels, stride=1, narrow=4):
    """1×1 down to a quarter, 3×3, 1×1 up again (He and others 2016, section 4.1 and figure 5)."""
    _check(narrow=narrow)
    y = conv_bn(x, max(1, channels // narrow), 1)
    y = conv_bn(y, max(1, channels // narrow), 3, stride)
    y = conv_bn(y, channels, 1, activation=None)
    if stride != 1 or x.shape[-1] != channels:
        x = conv_bn(x, channels, 1, stride, activation=None)
    return layers.Activation("relu")(layers.Add()([x, y]))


def inception(x, one, three, five, pooled):
    """Four paths side by side, joined by channel (Szegedy and others 2015, section 4, figure 2b).

    one      channels of the 1×1 path
    three    (narrow, wide) of the 3×3 path: a 1×1 convolution first narrows its input
    five     the same for 5×5
    pooled   channels of the 1×1 convolution after a 3×3 max pooling

    The paper has no normalization; with it this is the block of Ioffe and Szegedy's section 4.2.
    """
    pool = layers.MaxPooling2D(3, 1, padding="same")(x)
    paths = [conv_bn(x, one, 1), *(conv_bn(conv_bn(x, n, 1), w, k) for k, (n, w) in
                                   ((3, three), (5, five))), conv_bn(pool, pooled, 1)]  # fmt: skip
    return layers.Concatenate()(paths)


def separable(x, channels, stride=1, size=3):
    """A depthwise convolution, then a 1×1 (Howard and others 2017, section 3.1, figure 3)."""
    return conv_bn(conv_bn(x, None, size, stride), channels, 1)


def inverted_residual(x, channels, stride=1, expansion=6, size=3, activation="relu6"):
    """Widen, filter each map, narrow without activation (Sandler and others 2018, section 3).

    The shortcut joins the narrow ends, where the shapes agree. The block of EfficientNet-Lite0.
    """
    _check(expansion=expansion)
    y = conv_bn(x, expansion * x.shape[-1], 1, activation=activation) if expansion > 1 else x
    y = conv_bn(y, None, size, stride, activation=activation)
    y = conv_bn(y, channels, 1, activation=None)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == channels else y


def squeeze_excite(x, ratio=16):
    """Weigh each channel by what all channels average to (Hu and others 2018, section 3)."""
    _check(ratio=ratio)
    channels = x.shape[-1]
    w = layers.GlobalAveragePooling2D(keepdims=True)(x)
    w = layers.Dense(max(1, channels // ratio), activation="relu")(w)
    return layers.Multiply()([x, layers.Dense(channels, activation="sigmoid")(w)])


@keras.saving.register_keras_serializable(package="helpers")
class AddPositions(layers.Layer):
    """Add to each token a vector for its place (Dosovitskiy and others 2021, equation 1).

    The vectors are learned. Tokens are (n, places, width).
    """

    def build(self, input_shape):
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.positions = self.add_weight(
            shape=tuple(input_shape[1:]), initializer=start, name="positions"
        )

    def call(self, tokens):
        return tokens + self.positions

    def compute_output_shape(self, input_shape):
        return input_shape


def patches(x, size, width):
    """Cut images into squares and map each to ``width`` numbers, a token (the same, section 3.1).

    It is a convolution whose stride is its size. Returns (places, width), with its place added.
    """
    _check(size=size, width=width)
    height, across = x.shape[1:3]
    if height % size or across % size:
        raise ValueError(f"patches of {size}×{size} do not fill an image of {height}×{across}")
    x = layers.Conv2D(width, size, strides=size)(x)
    return AddPositions()(layers.Reshape((-1, width))(x))


def encoder(x, heads=4, expansion=2, dropout=0.0):
    """Attention, then two dense layers, each in a shortcut and with its input normalized (the
    same, equations 2 and 3); tokens (places, width) to tokens."""
    width = x.shape[-1]
    _check(heads=heads, expansion=expansion)
    if width % heads:
        raise ValueError(f"{heads} heads do not divide a width of {width}")
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.MultiHeadAttention(heads, width // heads, dropout=dropout)(y, y)
    x = layers.Add()([x, y])
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.Dense(expansion * width, activation="gelu")(y)
    y = layers.Dropout(dropout)(layers.Dense(width)(y))
    return layers.Add()([x, y])


# --- networks -----------------------------------------------------------------------------------


def pool(x):
    """AlexNet's overlapping pooling, 3×3 with stride 2, of maps of any size."""
    return layers.MaxPooling2D(3, 2, padding="same")(x)


def small_plain(classes=10, norm=True, shape=(28, 28, 1)):
    """Four 3×3 convolutions of 16, 32, 64 and 64 filters and a global maximum: 61,050 parameters
    that are trained (60,874 without normalization, where each convolution has a bias)."""
    x = inputs = keras.Input(shape)
    for channels in (16, 32, 64):
        x = pool(conv_bn(x, channels, norm=norm))
    return _head("small_plain", inputs, conv_bn(x, 64, norm=norm), classes, average=False)


def small_residual(classes=10, shortcut=True, average=False, shape=(28, 28, 1)):
    """The network of the one-minute race, 135,930 parameters that are trained.

    5×5 with 16 filters, 3×3 with 32 and 64, one more 3×3 with 64 in a shortcut, 3×3 with 128; each
    size of map ends with an overlapping pooling, the last with the global maximum (``average``:
    the mean).
    """
    x = inputs = keras.Input(shape)
    x = pool(conv_bn(x, 16, 5))
    x = pool(conv_bn(x, 32))
    x = conv_bn(x, 64)
    y = conv_bn(x, 64)
    x = pool(layers.Add()([x, y]) if shortcut else y)
    return _head("small_residual", inputs, conv_bn(x, 128), classes, average)


def tower(depth, shortcuts, classes=10, channels=16, norm=True, shape=(28, 28, 1)):
    """A network of ``depth`` layers with weights, 3×3 but for the last: 2 + 6 times a whole number.

    The networks for CIFAR-10 of He and others (2016, section 4.2) for 28 pixels, of which the
    first convolution keeps every other: three sizes of map, twice the filters whenever the size is
    halved. ``shortcuts=False`` is their plain network; the two differ in the additions (and, where
    the shapes change, in two 1×1 convolutions).
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth={depth}: give 8, 14, 20, ..., which is 2 + 6 per block")
    inputs = keras.Input(shape)
    x = conv_bn(inputs, channels, 3, 2, norm=norm)
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = residual(x, channels * 2**stage, stride, shortcut=shortcuts, norm=norm)
    return _head(f"tower{depth}", inputs, x, classes)


def vision_transformer(classes=10, size=4, width=48, depth=4, heads=4, shape=(28, 28, 1)):
    """A vision transformer in small: ``depth`` encoders on patches, then the mean of the tokens."""
    _check(depth=depth)
    x = inputs = keras.Input(shape)
    x = patches(x, size, width)
    for _ in range(depth):
        x = encoder(x, heads)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, layers.Dense(classes)(x), name="vision_transformer")


def _head(name, inputs, x, classes, average=True):
    """One number a map, and a dense layer (Lin and others 2014, section 3.2)."""
    _check(classes=classes)
    kind = layers.GlobalAveragePooling2D if average else layers.GlobalMaxPooling2D
    return keras.Model(inputs, layers.Dense(classes)(kind()(x)), name=name)


def trained_parameters(model):
    """How many numbers training changes; the running averages of a normalization are none."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _check(**counts):
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name}={shown(count)}: give a whole number from 1")
