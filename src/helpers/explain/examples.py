"""Explanations by examples: the nearest training images, and images made to please the network."""

import numpy as np

from helpers.explain.asking import checked_labels
from helpers.words import shown


def nearest(features, queries, count=5):
    """Places of the ``count`` rows of ``features`` nearest to each query, nearest first.

    features (n, d), queries (m, d) -> (m, count) int. Distances are Euclidean.
    """
    features, queries = np.asarray(features, np.float64), np.asarray(queries, np.float64)
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise ValueError(
            f"features {features.shape} and queries {queries.shape} must be rows of equal length"
        )
    if not 1 <= count <= len(features):
        raise ValueError(f"count={shown(count)} of {len(features)} rows")
    far = (features**2).sum(axis=1) - 2 * queries @ features.T  # + |q|², the same for all rows
    return np.argsort(far, axis=1, kind="stable")[:, :count]


def visualize(model, labels, shape, rng, steps=100, rate=0.05, low=0.0, high=1.0, shift=2):
    """Images that raise the network's output for each label, from gray noise: (n, *shape) float32.

    Activation maximization, Erhan and others (2009); each step goes ``rate`` times the gradient
    scaled to a mean absolute value of 1, on a copy shifted by up to ``shift`` pixels (Olah and
    others, 2017, doi:10.23915/distill.00007), and is clipped to the range from ``low`` to ``high``.
    """
    import tensorflow as tf

    labels = checked_labels(model, labels, np.size(labels))
    middle, span = (low + high) / 2, high - low
    if not span > 0 or steps < 1:
        raise ValueError(f"low={shown(low)}, high={shown(high)}, steps={shown(steps)}: no room")
    x = middle + 0.05 * span * rng.standard_normal((len(labels), *shape), np.float32)
    wanted = tf.one_hot(labels, model.output_shape[-1])
    for _ in range(steps):
        move = rng.integers(-shift, shift + 1, 2)
        moved = tf.constant(np.roll(x, move, (1, 2)).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(moved)
            value = tf.reduce_sum(model(moved, training=False) * wanted)
        slope = np.roll(tape.gradient(value, moved).numpy(), -move, (1, 2))
        slope /= np.abs(slope).mean(axis=(1, 2, 3), keepdims=True) + 1e-12
        x = np.clip(x + rate * span * slope, low, high).astype(np.float32)
    return x
