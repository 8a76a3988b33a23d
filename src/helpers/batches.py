"""Batches for training: shuffled and augmented as (seed, epoch, step) alone decide, and checked."""

import numbers

import numpy as np
import tensorflow as tf

from helpers.networks import check_finite_images
from helpers.words import shown


def crop_and_flip(images, seed, crop=0, flip=False):
    """Shift each image (n, h, w, c) by up to ``crop`` pixels each way, zeros beyond the border, and
    mirror half of them left to right; two integers, ``seed``, decide all of it."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    if crop:
        images = tf.pad(images, [[0, 0], [crop, crop], [crop, crop], [0, 0]])
        start = tf.random.stateless_uniform((count, 2), seed, 0, 2 * crop + 1, tf.int32)
        images = tf.gather(images, start[:, :1] + tf.range(height), axis=1, batch_dims=1)
        images = tf.gather(images, start[:, 1:] + tf.range(width), axis=2, batch_dims=1)
    if flip:
        coins = tf.random.stateless_uniform((count, 1, 1, 1), seed + tf.constant([1, 0])) < 0.5
        images = tf.where(coins, images[:, :, ::-1], images)
    return images


def pipeline(images, labels, batch=128, *, seed=None, epochs=1, skip=0, crop=0, flip=False):
    """A ``tf.data.Dataset`` of batches: (n, h, w, c) float32 in [0, 1] and (n,) int32 labels.

    images   (n, h, w) or (n, h, w, c), uint8, or float from 0 to 1
    labels   (n,) whole numbers
    seed     shuffle anew in each of ``epochs`` and augment; ``None``: in order, as they are
    skip     batches to leave out at the start, without computing them
    crop, flip   as in ``crop_and_flip``

    Raises ``ValueError`` for arrays or options that do not fit.
    """
    images, labels = checked(images, labels, batch)
    if seed is None and (crop or flip):
        raise ValueError("crop and flip are random: give a seed with them")
    seed = None if seed is None else seed % 2**30  # room for the sums below in 32 bits
    pixels, targets = tf.constant(images), tf.constant(labels, tf.int32)

    def order(epoch):
        index = tf.range(len(labels))
        if seed is not None:
            index = tf.random.experimental.stateless_shuffle(index, tf.stack([seed, epoch]))
        return tf.data.Dataset.from_tensor_slices(index).batch(batch)

    def load(step, index):
        x = _floats(tf.gather(pixels, index))
        if seed is not None:
            x = crop_and_flip(x, tf.stack([seed + 1000003, step]), crop, flip)
        return x, tf.gather(targets, index)

    batches = tf.data.Dataset.range(epochs, output_type=tf.int32).flat_map(order)
    steps = tf.data.Dataset.range(2**31 - 1, output_type=tf.int32)
    batches = tf.data.Dataset.zip(steps, batches).skip(skip)
    return batches.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def in_order(images, labels, batch=128):
    """Yield the batches of ``pipeline`` without a seed, from arrays as ``checked`` gives them.

    To start a ``tf.data.Dataset`` takes as long as a small network's answers for 1,000 images.
    """
    for start in range(0, len(labels), batch):
        part = slice(start, start + batch)
        yield _floats(tf.constant(images[part])), tf.constant(labels[part], tf.int32)


def _floats(pixels):
    return tf.cast(pixels, tf.float32) * (1 / 255 if pixels.dtype == tf.uint8 else 1.0)


def checked(images, labels, batch):
    """Images (n, h, w, c) and labels (n,) as arrays; ``ValueError`` says what is wrong."""
    labels = np.asarray(labels)
    try:
        images = np.asarray(images)
    except ValueError:  # NumPy: the elements are of different shapes
        raise ValueError(
            "the images are of different sizes; bring them to one, if they have colors with "
            "np.stack([keras.ops.image.resize(image, (64, 64)) for image in images]) / 255"
        ) from None
    images = images[..., None] if images.ndim == 3 else images
    labels = labels[:, 0] if labels.shape == (len(images), 1) else labels  # as CIFAR-10 has them
    if labels.ndim == 2 and len(labels) == len(images):
        raise ValueError(
            f"labels are {labels.shape}: give one number for each image; rows with a 1 for the "
            "class (one-hot) become numbers with labels.argmax(axis=-1)"
        )
    if images.ndim != 4 or labels.shape != (len(images),) or not len(images):
        raise ValueError(
            f"images {images.shape} and labels {labels.shape}: needs (n, h, w) or (n, h, w, c) "
            "images and as many labels, at least one"
        )
    if isinstance(batch, bool) or not isinstance(batch, numbers.Integral) or batch < 1:
        raise ValueError(f"batch is {shown(batch)}; it must be a whole number of at least 1")
    _check_labels(labels)
    _check_pixels(images)
    return images, labels


def _check_labels(labels):
    if labels.dtype.kind in "US":
        raise ValueError(
            f"labels are words such as {str(labels[0])!r}; give each class a number from 0: "
            "np.unique(labels, return_inverse=True) does"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        least = f" from {labels.min()}" if labels.dtype.kind in "iuf" else ""
        raise ValueError(f"labels are {labels.dtype}{least}; needs integers from 0")


def _check_pixels(images):
    if images.dtype.kind not in "uif":
        raise ValueError(f"images are {images.dtype}; needs uint8, or float from 0 to 1")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        check_finite_images("images", images)
        raise ValueError(
            "images that are not uint8 must lie between 0 and 1, not between "
            f"{images.min():g} and {images.max():g}: divide them by 255, or take (x + 1) / 2"
        )
    if images.dtype == np.uint8 and images.max() == 1:
        raise ValueError(
            "uint8 images go from 0 to 255, and these have 0 and 1 only, which is nearly black: "
            "multiply them by 255, or divide by 255 before they become uint8, not after"
        )


def pair(name, data):
    """The two parts of ``data``, if it is a pair of images and labels."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            f"{name} is a {type(data).__name__}; give a pair of arrays, (images, labels)"
        )
    return data
