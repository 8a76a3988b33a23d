"""From an encoded image to what AlexNet sees: decoding, the mean image, augmentation, ten crops.

Section numbers are those of Krizhevsky, Sutskever and Hinton, NIPS 2012.
"""

import sys

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from helpers.imagenet.data import read
from helpers.training import crop_and_flip

SIDE, CROP = 256, 227  # section 2; the paper writes 224, but its layers fit only 227


def decode(data):
    """An encoded image as float32 (256, 256, 3) from 0 to 255 (section 2): the short side becomes
    256, of the long side the middle is kept. Cutting first spares resizing what is cut off."""
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top : top + side, left : left + side]
    smaller = lambda: tf.image.resize(image, (SIDE, SIDE), "area")  # noqa: E731
    larger = lambda: tf.image.resize(image, (SIDE, SIDE))  # noqa: E731
    return tf.ensure_shape(tf.cond(side > SIDE, smaller, larger), (SIDE, SIDE, 3))


def batches(split, rows, batch, prepare=lambda image, row: image):
    """A ``tf.data.Dataset`` of (images, labels, weights) for ``rows`` of ``split``, in order.

    split     list of (entry, label); row -1 is padding: image 0 with weight 0
    prepare   maps a decoded image and its row to what the network sees
    """

    def fetch(row):
        entry, label = split[max(row, 0)]
        return read(entry)[0], np.int64(label)

    def load(row, data, label):
        weight = tf.cast(row >= 0, tf.float32)
        return prepare(decode(data), row), tf.ensure_shape(label, ()), weight

    # Reading is a step of its own: deterministic mode runs Python functions one after another.
    dataset = tf.data.Dataset.from_tensor_slices(rows).map(
        lambda row: (row, *tf.numpy_function(fetch, [row], (tf.string, tf.int64))), tf.data.AUTOTUNE
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE).batch(batch, drop_remainder=True)
    return dataset.prefetch(tf.data.AUTOTUNE)


def statistics(split, rows):
    """The mean image (256, 256, 3) and the basis of ``color_jitter`` (3, 3) of these rows."""
    total, colors = np.zeros((SIDE, SIDE, 3)), []
    for images, *_ in tqdm(batches(split, np.sort(rows), 1), "mean, colors", file=sys.stdout):
        total += images[0].numpy()
        colors.append(images[0, ::8, ::8].numpy())
    return total / len(rows), color_basis(colors)


def color_basis(images):
    """Principal components of the colors of ``images``, for ``color_jitter`` (section 4.1).

    images   arrays (..., 3) of pixels, of any sizes

    Returns (3, 3) float32: its columns are the eigenvectors of the covariance of the pixels, each
    as long as the standard deviation along it, in the units of the pixels. (The paper writes the
    eigenvalue; its released code uses standard deviations, the only reading that fits the units.)
    """
    pixels = np.concatenate([np.reshape(image, (-1, image.shape[-1])) for image in images])
    if pixels.shape[1] != 3 or len(pixels) < 2:
        raise ValueError(f"needs the three colors of at least two pixels, got {pixels.shape}")
    variances, vectors = np.linalg.eigh(np.cov(pixels.T.astype(np.float64)))
    return (vectors * np.sqrt(np.maximum(variances, 0))).astype(np.float32)


def color_jitter(images, basis, seed, strength=0.1):
    """Add to each image (n, h, w, 3) one color: ``basis @ N(0, strength²)`` (section 4.1).

    seed   two integers; the same ones give the same colors
    """
    amounts = tf.random.stateless_normal((tf.shape(images)[0], 3), seed, stddev=strength)
    return images + tf.matmul(amounts, basis, transpose_b=True)[:, None, None, :]


def augment(image, key, basis):
    """A random 227×227 crop, mirrored or not, in other light (section 4.1).

    image   (256, 256, 3) float32, the mean subtracted;  key   two integers that decide all of it
    """
    top, left = tf.unstack(tf.random.stateless_uniform((2,), key, 0, SIDE - CROP + 1, tf.int32))
    image = image[None, top : top + CROP, left : left + CROP]
    image = crop_and_flip(image, key, flip=True)
    return tf.ensure_shape(
        color_jitter(image, basis, key + tf.constant([2, 0]))[0], (CROP, CROP, 3)
    )


def crops(images, ten):
    """The central crop, or the paper's ten: corners and center, and their mirror images."""
    corners = [(14, 14), *[(top, left) for top in (0, 29) for left in (0, 29)] * ten]
    views = [images[:, top : top + CROP, left : left + CROP] for top, left in corners]
    return [*views, *[view[:, :, ::-1] for view in views] * ten]
