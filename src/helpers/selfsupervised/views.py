"""Random changes of images that should not change what they show; ``seed`` decides all of them.

Images are (n, h, w, 1) float32 from 0 to 1. A seed is two integers, a tensor or a pair; the same
seed gives the same changes. Every image of a batch gets a change of its own.
"""

import tensorflow as tf

from helpers.words import shown


def crop(images, seed, least=0.6):
    """A random window, enlarged to the full size: its height and width are each drawn between
    ``least`` and all of the image's (so its proportions change by up to 1/``least``, too)."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    sides = tf.random.stateless_uniform((count, 2), seed, least, 1.0)
    corners = tf.random.stateless_uniform((count, 2), _next(seed)) * (1 - sides)
    boxes = tf.concat([corners, corners + sides], axis=1)
    return tf.image.crop_and_resize(images, boxes, tf.range(count), (height, width))


def flip(images, seed):
    """Half of the images mirrored, left to right."""
    coins = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(coins, images[:, :, ::-1], images)


def brightness(images, seed, most=0.6):
    """Each image times a factor between 1 − ``most`` and 1 + ``most``; what exceeds 1 becomes 1."""
    count = tf.shape(images)[0]
    factors = tf.random.stateless_uniform((count, 1, 1, 1), seed, 1 - most, 1 + most)
    return tf.minimum(images * factors, 1.0)


def tone(images, seed, most=0.7):
    """Each image to a power between exp(−``most``) and exp(``most``): light and dark stay, the
    grays between them move."""
    count = tf.shape(images)[0]
    powers = tf.exp(tf.random.stateless_uniform((count, 1, 1, 1), seed, -most, most))
    return tf.pow(tf.maximum(images, 1e-6), powers)


def blur(images, seed):
    """Half of the images with each pixel the weighted mean of 3×3, weights 1 2 1 each way."""
    row = tf.constant([1.0, 2.0, 1.0]) / 4
    kernel = (row[:, None] * row)[:, :, None, None]
    coins = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(coins, tf.nn.conv2d(images, kernel, 1, "SAME"), images)


def erase(images, seed, side=10):
    """A square of ``side`` pixels, somewhere in each image, is 0."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    top = tf.random.stateless_uniform((count, 1, 1, 1), seed, 0, height - side + 1, tf.int32)
    left = tf.random.stateless_uniform((count, 1, 1, 1), _next(seed), 0, width - side + 1, tf.int32)
    rows, columns = tf.range(height)[:, None, None], tf.range(width)[:, None]
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return tf.where(inside, 0.0, images)


CHANGES = {f.__name__: f for f in (crop, flip, brightness, tone, blur, erase)}
CHOSEN = ("crop", "flip", "brightness")  # what lab 8 trains with


def view(names=CHOSEN):
    """A function ``(images, seed) -> images`` that makes the named changes, in that order.

    Raises ``ValueError`` for a name that is not one of ``CHANGES``.
    """
    if unknown := [name for name in names if name not in CHANGES]:
        raise ValueError(f"no change is called {shown(unknown[0])}; there are {', '.join(CHANGES)}")

    def make(images, seed):
        for number, name in enumerate(names):
            images = CHANGES[name](images, _next(seed, 2 * number))
        return images

    return make


def _next(seed, by=1):
    """Another seed, for another choice on the same images."""
    return tf.convert_to_tensor(seed, tf.int32) + tf.constant([by * 1009, 0])
