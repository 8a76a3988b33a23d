"""The gradient of each example alone, which DP-SGD clips: for layers in a row.

Importing this needs NumPy only.
"""

import numpy as np


def per_example_gradients(model, images, labels):
    """The gradient of each example's own cross-entropy: one tensor (n, ...) for each weight.

    A weight's gradient is a sum over the examples of what enters the layer times the gradient of
    what leaves it. Here the sum is left out; a convolution is a dense layer on patches, so its sum
    over the places remains. ``make bench`` compares it with ``tf.vectorized_map`` over the gradient
    of one example; the Jacobian of the losses takes tens of times as long.

    model   ends in logits; its layers stand in a row, and those with weights to train are
            ``Dense`` and ``Conv2D``, as ``refuse_mixing`` checks; dropout does nothing here
    """
    import tensorflow as tf

    refuse_mixing(model)
    entering, leaving = [], []
    with tf.GradientTape() as tape:
        a = images
        for layer in _row(model):
            if layer.trainable_weights:
                entering.append((layer, a))
                leaving.append(_before_activation(layer, a))
                tape.watch(leaving[-1])
                a = layer.activation(leaving[-1])
            else:
                a = layer(a)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, a)
    found = []
    for (layer, a), dz in zip(entering, tape.gradient(losses, leaving), strict=True):
        rows = _patches(layer, a)  # (n, places, inputs)
        dz = tf.reshape(dz, (tf.shape(rows)[0], -1, layer.kernel.shape[-1]))
        found.append(tf.reshape(tf.matmul(rows, dz, transpose_a=True), (-1, *layer.kernel.shape)))
        if layer.use_bias:
            found.append(tf.reduce_sum(dz, axis=1))
    return found


def _before_activation(layer, a):
    import tensorflow as tf

    kernel = tf.convert_to_tensor(layer.kernel)
    if len(kernel.shape) == 2:
        z = tf.matmul(a, kernel)
    else:
        z = tf.nn.convolution(a, kernel, layer.strides, layer.padding.upper())
    return z + layer.bias if layer.use_bias else z


def _patches(layer, a):
    """What each output of a layer sees: (n, places, inputs); a dense layer has one place."""
    import tensorflow as tf

    if len(layer.kernel.shape) == 2:
        return a[:, None]
    padding, inputs = layer.padding.upper(), int(np.prod(layer.kernel.shape[:3]))
    if layer.kernel.shape[2] == 1:  # a convolution that copies: 15 times as fast on a CPU
        copy = tf.reshape(tf.eye(inputs), (*layer.kernel.shape[:3], inputs))
        rows = tf.nn.convolution(a, copy, layer.strides, padding)
    else:
        sizes, strides = [1, *layer.kernel_size, 1], [1, *layer.strides, 1]
        rows = tf.image.extract_patches(a, sizes, strides, [1, 1, 1, 1], padding)
    return tf.reshape(rows, (tf.shape(a)[0], -1, rows.shape[-1]))


def clipped_sum(gradients, bound):
    """The sum over the examples of gradients no longer than ``bound``, all weights together.

    gradients   one tensor (n, ...) for each weight. A row that is longer is scaled down to it.
    """
    import tensorflow as tf

    rows = [tf.reshape(g, (tf.shape(g)[0], -1)) for g in gradients]
    length = tf.sqrt(tf.add_n([tf.reduce_sum(row * row, axis=1) for row in rows]))
    factor = tf.minimum(1.0, bound / tf.maximum(length, 1e-12))
    return [tf.tensordot(factor, g, 1) for g in gradients]


def _row(model):
    """The layers, but for that of input, which Keras lists for functional networks."""
    return [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]


def check_row(model, images):
    """Raise ``ValueError`` unless the layers one after another are the network."""
    a = images
    try:
        for layer in _row(model):
            a = layer(a)
        same = np.allclose(a, model(images), rtol=1e-3, atol=1e-3)
    except (TypeError, ValueError):  # a layer that takes two things, or another size
        same = False
    if not same:
        raise ValueError(
            f"the layers of {model.name!r} do not stand in a row (it has branches, or uses a layer "
            "twice), so the gradients of its examples are not known here: give a Sequential network"
        )


def refuse_mixing(model):
    """Raise ``ValueError`` for a network whose examples' gradients cannot be told apart here.

    Batch normalization mixes the examples of a batch, so a clipped gradient would not bound what
    one of them can do.
    """
    for layer in model.layers:
        kind = type(layer).__name__
        if layer.losses or getattr(layer, "activity_regularizer", None):
            raise ValueError(
                f"{layer.name!r} adds a loss of its own, such as a regularizer's, which is no "
                "example's: leave it out"
            )
        if "BatchNormalization" in kind and layer.trainable:
            raise ValueError(
                f"{layer.name!r} mixes the examples of a batch, so no gradient belongs to one: "
                "use GroupNormalization, frozen, or none"
            )
        if not layer.trainable_weights:
            continue
        plain = kind == "Dense" or (
            kind == "Conv2D" and layer.groups == 1 and max(layer.dilation_rate) == 1
        )
        if not plain:
            raise ValueError(
                f"{layer.name!r} is a {kind}; gradients one by one are known here for Dense and "
                "for Conv2D without groups and dilation. Freeze it, or leave it out"
            )
