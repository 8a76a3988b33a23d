"""Grad-CAM, for any Keras network that runs eagerly: functional, nested, Sequential, a class.

Instead of building a second network out of the first one's tensors, which fails for a Sequential
one or for a network within the network (keras-io issue 1903), it listens at the layer while the
network runs.
"""

import contextlib
import functools

import numpy as np
import tensorflow as tf

from helpers.explain.asking import batch_of, check_slopes, checked
from helpers.networks import layers_of
from helpers.words import shown


def grad_cam(model, images, labels, layer=None, batch=None):
    """Where the last maps raise z_y: maps (n, H, W) ≥ 0, enlarged to the images' size.

    Selvaraju and others (2017, arXiv:1610.02391), equations 1 and 2: each map A_k is weighted by
    the mean of ∂z_y/∂A_k over its places, added up, and what is negative becomes 0. The enlargement
    is bilinear.

    layer   its name, ``"conv5"`` or ``"backbone/conv5"``; by default the last that has maps of the
            size that the last convolution gives
    """
    size = np.asarray(images).shape[1:3]
    small = grad_cam_of(*maps_and_gradients(model, images, labels, layer, batch))
    return tf.image.resize(small[..., None], size).numpy()[..., 0]


def grad_cam_of(maps, gradients):
    """(n, h, w, K) maps and ∂z_y/∂maps -> (n, h, w), not enlarged."""
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * maps).sum(axis=-1), 0)


def maps_and_gradients(model, images, labels, layer=None, batch=None):
    """What leaves the layer, and ∂z_y by it: two arrays (n, h, w, K)."""
    images, labels = checked(model, images, labels)
    batch = batch_of(images, batch)
    name = _layer_name(model, images[:1], layer)
    target, found = {name: layers_of(model)[name]}, []
    for i in range(0, len(images), batch):
        x = tf.constant(images[i : i + batch])
        with tf.GradientTape() as tape, listening(target) as heard:
            tape.watch(x)
            z = model(x, training=False)
            own = tf.reduce_sum(z * tf.one_hot(labels[i : i + batch], z.shape[1], dtype=z.dtype))
        slopes = tape.gradient(own, heard[name])
        slopes = tf.zeros_like(heard[name]) if slopes is None else slopes
        check_slopes(z.numpy(), slopes.numpy())
        found.append((heard[name].numpy(), slopes.numpy()))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


@contextlib.contextmanager
def listening(layers):
    """In the ``with`` block, what each of ``layers`` {name: layer} gave last: {name: tensor}."""
    heard = {}

    def listener(name, call):
        @functools.wraps(call)
        def listened(*args, **kwargs):
            heard[name] = call(*args, **kwargs)
            return heard[name]

        return listened

    try:
        for name, layer in layers.items():
            object.__setattr__(layer, "call", listener(name, layer.call))
        yield heard
    finally:
        for layer in layers.values():
            if "call" in vars(layer):
                object.__delattr__(layer, "call")


def _layer_name(model, image, layer):
    layers = layers_of(model)
    with listening(layers) as heard:
        model(tf.constant(image), training=False)
    shapes = {name: tuple(y.shape[1:]) for name, y in heard.items() if hasattr(y, "shape")}
    maps = [name for name in layers if len(shapes.get(name, ())) == 3]
    if layer is not None:
        if layer not in maps:
            known = ", ".join(maps) or "none"
            raise ValueError(
                f"no layer {shown(layer)} with maps of (h, w, channels); there are: {known}"
            )
        return layer
    convolutions = [name for name in maps if "Conv" in type(layers[name]).__name__]
    if not convolutions:
        raise ValueError(f"{model.name!r} has no convolution; Grad-CAM needs maps")
    size = shapes[convolutions[-1]][:2]
    return [n for n in maps if shapes[n][:2] == size and not hasattr(layers[n], "layers")][-1]
