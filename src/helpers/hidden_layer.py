"""The book's cheapest network, in NumPy: one hidden layer of ReLUs, a softmax over ten classes.

Weights are four arrays, ``[w1, b1, w2, b2]``; images are rows (n, pixels). Trained by
``helpers.continual`` with Adam and by ``helpers.scaling.small`` with momentum.
"""

import numpy as np


def start(rng, pixels, units):
    """The weights before training, float32: He's for the kernels, zeros for the biases."""
    sizes = ((pixels, units), (units, 10))
    arrays = [(rng.normal(0, np.sqrt(2 / m), (m, n)), np.zeros(n)) for m, n in sizes]
    return [np.float32(a) for pair in arrays for a in pair]


def logits(weights, x):
    """(n, 10) for images (n, pixels)."""
    w1, b1, w2, b2 = weights
    return np.maximum(x @ w1 + b1, 0) @ w2 + b2


def errors(z, y):
    """Softmax of the logits minus the labels as one-hot rows: each image's gradient at z."""
    dz = np.exp(z - z.max(axis=1, keepdims=True))
    dz /= dz.sum(axis=1, keepdims=True)
    dz[np.arange(len(y)), y] -= 1
    return dz


def gradients(weights, x, y):
    """Gradient of the mean cross-entropy by each of the four arrays."""
    w1, b1, w2, b2 = weights
    hidden = np.maximum(x @ w1 + b1, 0)
    dz = errors(hidden @ w2 + b2, y) / len(y)
    dh = (dz @ w2.T) * (hidden > 0)
    return [x.T @ dh, dh.sum(axis=0), hidden.T @ dz, dz.sum(axis=0)]
