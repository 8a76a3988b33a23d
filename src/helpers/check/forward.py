"""Checks of the functions that the reader of lab 02 writes: the layers, forward, in plain NumPy.

Letters are those of ``chapters/notation.md``. Images are (N, H, W, C), float64. Every function
returns its output only; ``helpers.layers`` has them fast, and with what the way back needs.
Convolution has a room of its own.
"""

import numpy as np

from helpers.check.engine import Check, case


def relu(x):
    """max(0, x), for an array of any shape."""
    return np.where(x > 0, x, 0.0)


def dense(x, w, b):
    """x w + b, for x (N, C), w (C, K), b (K,)."""
    return x @ w + b


def softmax(z):
    """Probabilities (N, K): in each row e^z over the row's sum, safe for large logits z."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def max_pool(x, size=3, stride=2):
    """Largest value of each size×size window, a window every ``stride`` pixels, no padding."""
    n, h, w, c = x.shape
    a = np.empty((n, (h - size) // stride + 1, (w - size) // stride + 1, c))
    for i, j in np.ndindex(a.shape[1:3]):
        rows = slice(i * stride, i * stride + size)
        columns = slice(j * stride, j * stride + size)
        a[:, i, j] = x[:, rows, columns].max(axis=(1, 2))
    return a


def global_average_pool(x):
    """The mean of each channel's map: (N, H, W, C) -> (N, C)."""
    return x.mean(axis=(1, 2))


def lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """x / (bias + alpha Σ x²)^beta, the sum over up to 2 depth_radius + 1 channels around."""
    a = np.empty(x.shape)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - depth_radius) : c + depth_radius + 1]
        a[..., c] = x[..., c] / (bias + alpha * (near**2).sum(axis=-1)) ** beta
    return a


def relu_cases(rng):
    yield case("x = [-1, 0, 2]", np.array([-1.0, 0.0, 2.0]))
    yield case("negative values only", -rng.uniform(1, 2, (2, 3)))
    yield case("very small values", 1e-9 * rng.normal(size=7))
    for shape in ((3, 4), (2, 5, 4, 3), (1, 2, 3)):
        yield case(f"x of shape {shape}", rng.normal(size=shape))


def dense_cases(rng):
    yield case(
        "x = [[1, 2]], w = 1, b = [3]", np.array([[1.0, 2.0]]), np.ones((2, 1)), np.full(1, 3.0)
    )
    for n, inputs, outputs in [(1, 3, 2), (4, 3, 3), *rng.integers(2, 7, (4, 3))]:
        sizes = (n, inputs), (inputs, outputs), outputs
        label = f"x {n}×{inputs}, w {inputs}×{outputs}"
        yield case(label, *(rng.normal(size=size) for size in sizes))


def softmax_cases(rng):
    yield case("scores [[0, 0]]", np.zeros((1, 2)))
    yield case("one row", rng.normal(size=(1, 4)))
    for n, k in [(3, 3), *rng.integers(2, 7, (3, 2))]:
        yield case(f"{n} rows of {k} scores", 2 * rng.normal(size=(n, k)))
    yield case("scores around 1,000", 1000 + rng.normal(size=(3, 5)))
    yield case("scores around −1,000", -1000 + rng.normal(size=(3, 5)))
    rows = np.array([[0.0], [1000.0]]) + rng.normal(size=(2, 4))
    yield case("one row around 0, one around 1,000", rows)


def _images(rng, h, w, n=2, c=3):
    return rng.normal(size=(n, h, w, c))


def max_pool_cases(rng):
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    yield case("one image of 4×4, size 2, stride 2", x, 2, 2)
    yield case("windows that overlap: size 3, stride 2", _images(rng, 7, 7), 3, 2)
    yield case("negative values only", -1 - _images(rng, 5, 5) ** 2, 3, 2)
    yield case("an image higher than wide", _images(rng, 9, 5), 3, 2)
    yield case("an image wider than high, stride 1", _images(rng, 4, 6), 2, 1)
    yield case("a last row and column that no window reaches", _images(rng, 8, 6, c=1), 3, 3)
    yield case("stride larger than the window", _images(rng, 9, 8), 2, 3)
    for h, w in rng.integers(5, 9, (2, 2)):
        size, stride = rng.integers(1, 5), rng.integers(1, 4)
        label = f"images of {h}×{w}, size {size}, stride {stride}"
        yield case(label, _images(rng, h, w, *rng.integers(1, 4, 2)), int(size), int(stride))


def global_average_pool_cases(rng):
    yield case("one image of 2×2, one channel", np.arange(4.0).reshape(1, 2, 2, 1))
    for n, h, w, c in [(2, 3, 5, 4), *rng.integers(1, 6, (4, 4))]:
        yield case(f"{n} images of {h}×{w}, {c} channels", _images(rng, h, w, n, c))


def lrn_cases(rng):
    yield case("one channel", np.full((1, 1, 1, 1), 3.0), 2, 2.0, 0.5, 0.75)
    yield case("fewer channels than the window", _images(rng, 2, 3, c=3), 2, 2.0, 0.3, 0.75)
    yield case("radius 0", _images(rng, 2, 2, c=4), 0, 1.0, 0.5, 0.75)
    yield case("AlexNet's constants", 50 * _images(rng, 2, 3, c=9), 2, 2.0, 1e-4, 0.75)
    for radius in (1, 2, 3):
        bias, alpha, beta = rng.uniform((1, 0.2, 0.4), (3, 1, 1))
        label = f"8 channels, radius {radius}"
        yield case(label, _images(rng, 3, 2, c=8), radius, bias, alpha, beta)


def _stride_one(x, size, stride):
    return max_pool(x, size, 1)


def _over_channels(x, size, stride):
    a = max_pool(x, size, stride)
    return np.repeat(a.max(axis=-1, keepdims=True), a.shape[-1], axis=-1)


def _average_pool(x, size, stride):
    h, w = ((n - size) // stride + 1 for n in x.shape[1:3])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride][:, :h, :w].mean(axis=(-1, -2))


def _one_sided(x, depth_radius, bias, alpha, beta):
    a = np.empty(x.shape)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - depth_radius) : c + 1]
        a[..., c] = x[..., c] / (bias + alpha * (near**2).sum(axis=-1)) ** beta
    return a


def _negative_start(x, depth_radius, bias, alpha, beta):
    y = np.empty(x.shape)
    for k in range(x.shape[-1]):
        near = x[..., k - depth_radius : k + depth_radius + 1]
        y[..., k] = x[..., k] / (bias + alpha * (near**2).sum(axis=-1)) ** beta
    return y


def _mean(x, depth_radius, bias, alpha, beta):
    return lrn(x, depth_radius, bias, alpha / (2 * depth_radius + 1), beta)


CHECKS = [
    Check(
        "relu",
        relu,
        relu_cases,
        {
            "it is the absolute value": np.abs,
            "it is the smaller of x and 0": lambda x: np.minimum(x, 0.0),
            "it is 1 where x is positive, not x": lambda x: (x > 0).astype(float),
            "nothing is done": lambda x: x,
        },
        fresh=True,
    ),
    Check(
        "dense",
        dense,
        dense_cases,
        {
            "the bias is left out": lambda x, w, b: x @ w,
            "the bias is subtracted": lambda x, w, b: x @ w - b,
            "w is transposed": lambda x, w, b: x @ w.T + b,
            "x and w have changed places": lambda x, w, b: w @ x + b,
        },
    ),
    Check(
        "softmax",
        softmax,
        softmax_cases,
        {
            "the sum runs over all rows, not over each": lambda s: np.exp(s) / np.exp(s).sum(),
            "the sum runs over the rows instead of the classes": lambda s: softmax(s.T).T,
            "e^score overflows: subtract the row's largest score before": lambda s: (
                np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
            ),
            "the largest score of all rows is subtracted, not that of each": lambda s: (
                np.exp(s - s.max()) / np.exp(s - s.max()).sum(axis=1, keepdims=True)
            ),
            "the sums stand in a row, not beside their rows: keepdims=True": lambda s: (
                np.exp(s) / np.exp(s).sum(axis=1)
            ),
            "scores are divided by their sum, without e": lambda s: (
                s / s.sum(axis=1, keepdims=True)
            ),
            "nothing is divided by the sum": np.exp,
        },
    ),
    Check(
        "max_pool",
        max_pool,
        max_pool_cases,
        {
            "the stride is ignored": _stride_one,
            "the stride is taken for the window's size": lambda x, k, s: max_pool(x, s, s),
            "the window's size is taken for the stride": lambda x, k, s: max_pool(x, k, k),
            "it is the average": _average_pool,
            "the maximum runs over the channels, too": _over_channels,
            "the maximum runs over images and channels, too": lambda x, k, s: _over_channels(
                np.repeat(x.max(axis=0, keepdims=True), len(x), axis=0), k, s
            ),
            "zeros win against negative values": lambda x, k, s: np.maximum(max_pool(x, k, s), 0),
        },
        fresh=True,
    ),
    Check(
        "global_average_pool",
        global_average_pool,
        global_average_pool_cases,
        {
            "it is the maximum": lambda x: x.max(axis=(1, 2)),
            "it is the sum, not the mean": lambda x: x.sum(axis=(1, 2)),
            "the mean runs over the channels, too": lambda x: x.mean(axis=(1, 2, 3)),
        },
    ),
    Check(
        "lrn",
        lrn,
        lrn_cases,
        {
            "the sum runs only over channels before": _one_sided,
            "a slice starts below 0, which in NumPy counts from the end": _negative_start,
            "alpha multiplies the mean, not the sum": _mean,
            "beta is left out": lambda x, r, k, a, b: lrn(x, r, k, a, 1.0),
            "the window is as wide as depth_radius": lambda x, r, k, a, b: lrn(x, r // 2, k, a, b),
            "values are not squared": lambda x, r, k, a, b: (
                x * (lrn(abs(x) ** 0.5, r, k, a, b) / abs(x) ** 0.5)
            ),
        },
    ),
]
