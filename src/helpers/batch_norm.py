"""Batch normalization in NumPy, forward and backward (Ioffe and Szegedy, ICML 2015, algorithm 1).

With ⟨·⟩ for the mean over a channel, that is over all images and places,

    u = (x − ⟨x⟩) / s,   s = √(⟨(x − ⟨x⟩)²⟩ + delta),   z = gamma u + b.

Channels come last: ``x`` is (n, c) or (n, h, w, c), float32 or float64, which is kept; ``gamma``
and ``b``, the paper's γ and β, are (c,). ``delta`` is what Keras calls ``epsilon``. A forward pass
returns its output and a cache, as in ``helpers.layers``. Chapter 6 derives the backward pass.
"""

import numpy as np


def batch_norm(x, gamma, b, delta=1e-3):
    """Training mode: by the mean and variance of this batch. Returns z and the cache.

    The cache begins with the mean and the variance, each (c,), for running averages.
    """
    _check(x, delta, gamma=gamma, b=b)
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    s = np.sqrt(variance + x.dtype.type(delta))
    u = (x - mean) / s
    return gamma * u + b, (mean, variance, u, s, gamma)


def batch_norm_backward(dz, cache):
    """Return (dx, dgamma, db). The mean and the variance depend on x, so they hand gradients on."""
    _, _, u, s, gamma = cache
    if getattr(dz, "shape", None) != u.shape:
        raise ValueError(f"dz: got shape {np.shape(dz)}, expected {u.shape}, as x has")
    axes = tuple(range(u.ndim - 1))
    du = gamma * dz
    dx = (du - du.mean(axes) - u * (u * du).mean(axes)) / s
    return dx, (u * dz).sum(axes), dz.sum(axes)


def batch_norm_inference(x, gamma, b, mean, variance, delta=1e-3):
    """Inference mode: by a stored mean and variance, the same for whatever stands in the batch."""
    _check(x, delta, gamma=gamma, b=b, mean=mean, variance=variance)
    if (np.asarray(variance) < 0).any():
        raise ValueError("variance: got a negative number; give variances, not logarithms")
    return gamma * (x - mean) / np.sqrt(variance + x.dtype.type(delta)) + b


class RunningAverages:
    """Mean and variance of the batches seen, for inference: ``old ← keep old + (1 − keep) new``.

    ``keep`` is what Keras calls the layer's ``momentum``. They start from 0 and 1, as in Keras, so
    that after few batches they still remember this start: the share ``keep ** batches`` of it.
    """

    def __init__(self, channels, keep=0.99):
        if not 0 <= keep < 1:
            raise ValueError(f"keep={keep}: give a share from 0 to below 1, such as 0.99")
        self.mean, self.variance, self.keep = np.zeros(channels), np.ones(channels), keep

    def update(self, mean, variance):
        """Take in the mean and the variance of a batch, (channels,) each."""
        for name, value in (("mean", mean), ("variance", variance)):
            if np.shape(value) != self.mean.shape:
                raise ValueError(f"{name}: got shape {np.shape(value)}, expected {self.mean.shape}")
        self.mean = self.keep * self.mean + (1 - self.keep) * mean
        self.variance = self.keep * self.variance + (1 - self.keep) * variance


def fold(w, b, gamma, offset, mean, variance, delta=1e-3):
    """Weights and biases of the one layer that also does the normalization behind it.

    w         (..., k), the output channels last;  b  (k,)
    gamma, offset, mean, variance   of the normalization in inference mode, (k,) each

    The layer is a convolution or a dense one. Returns w and b.
    """
    _check(w, delta, b=b, gamma=gamma, offset=offset, mean=mean, variance=variance)
    factor = gamma / np.sqrt(variance + w.dtype.type(delta))
    return w * factor, offset + (b - mean) * factor


def _check(x, delta, **vectors):
    floats = isinstance(x, np.ndarray) and x.dtype in ("float32", "float64")
    if not floats or x.ndim < 2 or 0 in x.shape:
        found = f"{getattr(x, 'dtype', type(x).__name__)} of shape {np.shape(x)}"
        raise ValueError(f"x: got {found}, expected float32 or float64 (n, c) or (n, h, w, c)")
    if not delta > 0:
        raise ValueError(f"delta={delta}: give a small positive number, such as 0.001")
    for name, vector in vectors.items():
        if np.shape(vector) != x.shape[-1:]:
            raise ValueError(f"{name}: got shape {np.shape(vector)}, expected {x.shape[-1:]}")
