"""Losses of two views: tensors ``a`` and ``b``, (N, d), whose rows n are of the same image n.

Each is a scalar tensor, and has something that keeps the outputs for different images apart.
"""

import tensorflow as tf


def nt_xent(a, b, temperature=0.2):
    """SimCLR's loss (Chen et al., ICML 2020, arXiv:2002.05709, equation 1).

    Each of the 2N rows must pick its partner among the 2N − 1 others: cross-entropy of the cosine
    similarities over the ``temperature``. Raises ``ValueError`` for shapes that do not fit.
    """
    a, b = _checked(a, b)
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}: it divides, so it must be above 0")
    z = tf.math.l2_normalize(tf.concat([a, b], 0), axis=1)
    count = tf.shape(a)[0]
    logits = tf.matmul(z, z, transpose_b=True) / temperature
    logits = tf.linalg.set_diag(logits, tf.fill([2 * count], tf.constant(-1e9, z.dtype)))
    partner = tf.concat([tf.range(count, 2 * count), tf.range(count)], 0)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits))


def agreement(a, b):
    """2 − 2 cos, in the mean over the rows: what is left of SimCLR without other images, and BYOL's
    loss (Grill et al., NeurIPS 2020, arXiv:2006.07733, equation 2). 0 if the views agree."""
    a, b = _checked(a, b)
    a, b = tf.math.l2_normalize(a, axis=1), tf.math.l2_normalize(b, axis=1)
    return tf.reduce_mean(2 - 2 * tf.reduce_sum(a * b, axis=1))


def vicreg(a, b, invariance=25.0, variance=25.0, covariance=1.0):
    """VICReg (Bardes, Ponce and LeCun, ICLR 2022, arXiv:2105.04906, equations 1 to 6).

    Mean squared distance of the views; plus, of each view, a hinge that asks every column for a
    standard deviation of 1, and the squared covariances of different columns. Three weights.
    """
    a, b = _checked(a, b)
    loss = invariance * tf.reduce_mean(tf.math.squared_difference(a, b))
    for z in (a, b):
        z -= tf.reduce_mean(z, axis=0)
        count, width = tf.cast(tf.shape(z)[0], z.dtype), tf.cast(tf.shape(z)[1], z.dtype)
        cov = tf.matmul(z, z, transpose_a=True) / (count - 1)
        deviation = tf.sqrt(tf.linalg.diag_part(cov) + 1e-4)
        loss += variance * tf.reduce_mean(tf.nn.relu(1 - deviation))
        loss += covariance * tf.reduce_sum(_off_diagonal(cov) ** 2) / width
    return loss


def barlow_twins(a, b, weight=0.01):
    """Barlow Twins (Zbontar et al., ICML 2021, arXiv:2103.03230, equation 1).

    The correlations of the columns of one view with those of the other shall be the identity;
    ``weight`` is that of what lies off the diagonal. Divided by the columns, unlike the paper's.
    """
    a, b = _checked(a, b)
    a, b = _standardized(a), _standardized(b)
    count, width = tf.cast(tf.shape(a)[0], a.dtype), tf.cast(tf.shape(a)[1], a.dtype)
    c = tf.matmul(a, b, transpose_a=True) / count
    on = tf.reduce_sum((1 - tf.linalg.diag_part(c)) ** 2)
    return (on + weight * tf.reduce_sum(_off_diagonal(c) ** 2)) / width


def _standardized(z):
    mean, variance = tf.nn.moments(z, axes=0)
    return (z - mean) / tf.sqrt(variance + 1e-5)


def _off_diagonal(square):
    return tf.linalg.set_diag(square, tf.zeros_like(tf.linalg.diag_part(square)))


def _checked(a, b):
    a, b = tf.convert_to_tensor(a), tf.convert_to_tensor(b)
    if a.shape.rank != 2 or not a.shape.is_compatible_with(b.shape) or a.shape[0] == 1:
        raise ValueError(
            f"two views are two arrays of one shape, (images, numbers), with two images or more; "
            f"not {tuple(a.shape)} and {tuple(b.shape)}"
        )
    return a, b
