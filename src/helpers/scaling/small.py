"""A network of one hidden layer in NumPy, trained by SGD with momentum: a second a run.

Images are rows (n, 196) from 0 to 1, as ``continual.shrunk`` makes them.
"""

import numpy as np

from helpers import hidden_layer
from helpers.hidden_layer import gradients

MOMENTUM = np.float32(0.9)


def rate_at(step, steps, peak, warm):
    """The rate of a step: from peak / warm up to ``peak`` in ``warm`` steps, then straight to 0."""
    rising = (step + 1) / warm if step < warm else 1.0
    falling = (steps - step) / (steps - warm) if step >= warm else 1.0
    return peak * min(rising, falling)


def start(width, seed, pixels=196):
    """The weights before training: four float32 arrays that follow from the seed."""
    return hidden_layer.start(np.random.default_rng([14, seed]), pixels, width)


def seen_of(count):
    """How many images a run with ``count`` different ones looks at: 40 passes, or 80,000."""
    return max(80_000, 40 * count)


def train(x, y, *, width=100, seed=0, batch=64, rate=0.1, seen=None, warm=0.05):
    """Train on ``seen`` images (``seen_of``), pass after pass over ``x``; returns the weights.

    rate   the highest; it rises to it over ``warm``, a share of the steps, and falls to 0
    """
    rng, weights = np.random.default_rng([15, seed]), start(width, seed, x.shape[1])
    steps = max(1, (seen or seen_of(len(x))) // batch)
    passes = -(-steps * batch // len(x))
    order = np.concatenate([rng.permutation(len(x)) for _ in range(passes)])
    velocity = [np.zeros_like(w) for w in weights]
    with np.errstate(all="ignore"):  # a rate that is too high may end in NaN, which is a result
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            now = np.float32(rate_at(step, steps, rate, max(1, round(warm * steps))))
            for w, v, g in zip(
                weights, velocity, gradients(weights, x[rows], y[rows]), strict=True
            ):
                v *= MOMENTUM
                v -= now * g
                w += v
    return weights


def error(weights, x, y):
    """Share of the images that get a wrong answer; 0.9, chance, for weights that are no numbers."""
    if not all(np.isfinite(w).all() for w in weights):
        return 0.9
    answers = hidden_layer.logits(weights, x).argmax(axis=1)
    return float(np.mean(answers != y))
