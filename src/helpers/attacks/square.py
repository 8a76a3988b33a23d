"""The Square attack (Andriushchenko and others 2020): random search, no gradient at all."""

import numpy as np
import tensorflow as tf

from helpers import session
from helpers.attacks.gradient import _box, _in_batches, _margin, check

HALVINGS = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10_000


def square(model, images, labels, epsilon, *, queries=500, first=0.8, rng=None, batch=500):
    """Images (n, h, w, c) float32, the worst met in ``queries`` answers of the network for each.

    Their algorithm 1 with the steps of algorithm 2 (L∞): begin with vertical stripes of ±ε; then
    put one square of ±ε, the same in all of its pixels, into a random place, and keep it if the
    margin grows. ``first`` is the share of the image that the first squares cover; it is halved at
    the paper's moments, scaled to ``queries``. Nothing is asked of the network but its logits, so
    a gradient that is hidden or misleads does not help against it. Other arguments as in ``pgd``.
    """
    checked = check(model, images, labels, epsilon)
    if queries < 1 or not 0 < first <= 1:
        raise ValueError(f"queries={queries}, first={first}: needs one query, a share in (0, 1]")
    rng = rng or session.rng(10)
    return _in_batches(
        batch, checked, lambda x, y: _search(model, x, y, epsilon, queries, first, rng)
    )


def _search(model, images, labels, epsilon, queries, first, rng):
    low, high = _box(images, epsilon)
    n, height, width, channels = images.shape
    stripes = rng.choice(np.float32([-epsilon, epsilon]), (n, 1, width, channels))
    best = np.clip(images + stripes, low, high)
    most = _margin(model, tf.constant(best), tf.constant(labels)).numpy()
    for query in range(1, queries):
        still = np.flatnonzero(most <= 0)  # an image that is deceived needs no more questions
        if not len(still):
            break
        share = first / 2 ** np.sum(query > HALVINGS * queries)
        side = int(np.clip(round(np.sqrt(share * height * width)), 1, min(height, width)))
        rows, columns = (_windows(rng, len(still), size, side) for size in (height, width))
        inside = (rows[:, :, None] & columns[:, None, :])[..., None]
        step = rng.choice(np.float32([-epsilon, epsilon]), (len(still), 1, 1, channels))
        tried = np.where(inside, images[still] + step, best[still])
        tried = np.clip(tried, low[still], high[still])
        score = _margin(model, tf.constant(tried), tf.constant(labels[still])).numpy()
        better = score > most[still]
        best[still[better]], most[still[better]] = tried[better], score[better]
    return best


def _windows(rng, n, size, side):
    """(n, size) bool: ``side`` neighbors in a random place, another for each image."""
    start = rng.integers(0, size - side + 1, (n, 1))
    return (np.arange(size) >= start) & (np.arange(size) < start + side)
