"""Checks of the functions that the reader of lab 03 writes: the layers, backward.

Letters are those of ``chapters/notation.md``: ``dz`` is the gradient of the loss with respect to z.
A backward pass takes the gradient of its layer's output first, then what the layer was given, and
returns the gradient of each thing that it was given. All float64. Convolution has its own room.
"""

import numpy as np

from helpers.check import forward
from helpers.check.engine import Check, case


def relu_backward(da, x):
    """dx of a = relu(x): da where x is positive, 0 elsewhere; arrays of any one shape."""
    return da * (x > 0)


def dense_backward(dz, x, w):
    """dx (N, C), dw (C, K), db (K,) of z = x w + b, from dz (N, K)."""
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


def max_pool_backward(da, x, size=3, stride=2):
    """dx (N, H, W, C): each da goes to the pixel that won its window; a pixel may win several."""
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(da.shape):
        window = x[n, i * stride : i * stride + size, j * stride : j * stride + size, c]
        r, t = np.unravel_index(window.argmax(), window.shape)
        dx[n, i * stride + r, j * stride + t, c] += da[n, i, j, c]
    return dx


def global_average_pool_backward(da, x):
    """dx (N, H, W, C) of the mean over each map, from da (N, C): all pixels share alike."""
    height, width = x.shape[1:3]
    return np.ones(x.shape) * da[:, None, None, :] / (height * width)


def lrn_backward(da, x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """dx of ``forward.lrn``: an activation changes its own output and its neighbors' divisors."""
    channel = np.arange(x.shape[-1])
    near = (abs(channel[:, None] - channel) <= depth_radius).astype(float)
    scale = bias + alpha * (x**2 @ near)
    others = (da * x * scale ** (-beta - 1)) @ near
    return da * scale**-beta - 2 * alpha * beta * x * others


def relu_backward_cases(rng):
    yield case("da = [1, 2, 3], x = [-1, 0, 2]", np.array([1.0, 2, 3]), np.array([-1.0, 0, 2]))
    yield case("x all negative", rng.normal(size=(2, 3)), -rng.uniform(1, 2, (2, 3)))
    for shape in ((3, 4), (2, 5, 4, 3)):
        yield case(f"shape {shape}", rng.normal(size=shape), rng.normal(size=shape))


def dense_backward_cases(rng):
    yield case("dz = [[1]], x = [[2, 3]]", np.ones((1, 1)), np.array([[2.0, 3]]), np.ones((2, 1)))
    for n, c, k in [(4, 3, 3), (1, 2, 3), (3, 3, 3), *rng.integers(2, 7, (3, 3))]:
        arrays = (rng.normal(size=size) for size in ((n, k), (n, c), (c, k)))
        yield case(f"x {n}×{c}, w {c}×{k}", *arrays)


def max_pool_backward_cases(rng):
    def draw(h, w, size, stride, n=2, c=2):
        x = rng.permutation(n * h * w * c).reshape(n, h, w, c) - 20.0  # no two pixels are equal
        return rng.normal(size=forward.max_pool(x, size, stride).shape), x, size, stride

    x = np.arange(16.0).reshape(1, 4, 4, 1)
    yield case("4×4, size 2, stride 2", np.arange(1.0, 5).reshape(1, 2, 2, 1), x, 2, 2)
    yield case("windows that overlap: size 3, stride 2", *draw(7, 7, 3, 2))
    yield case("windows that overlap: size 3, stride 1", *draw(5, 5, 3, 1))
    yield case("an image higher than wide", *draw(9, 5, 3, 2))
    yield case("an image wider than high", *draw(4, 7, 2, 2))
    yield case("a last row and column that no window reaches", *draw(8, 5, 3, 3, 1))
    yield case("stride larger than the window", *draw(8, 9, 2, 3, 1, 3))


def global_average_pool_backward_cases(rng):
    yield case("one image of 2×2", np.ones((1, 1)), np.arange(4.0).reshape(1, 2, 2, 1))
    for n, h, w, c in [(2, 3, 5, 4), *rng.integers(2, 6, (4, 4))]:
        arrays = rng.normal(size=(n, c)), rng.normal(size=(n, h, w, c))
        yield case(f"{n} images of {h}×{w}, {c} channels", *arrays)


def lrn_backward_cases(rng):
    def draw(c):
        return rng.normal(size=(2, 2, 3, c)), rng.normal(size=(2, 2, 3, c))

    yield case("one channel", np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 3.0), 2, 2.0, 0.5, 0.75)
    yield case("radius 0", *draw(4), 0, 1.0, 0.5, 0.75)
    yield case("fewer channels than the window", *draw(3), 2, 2.0, 0.3, 0.5)
    for radius in (1, 2, 3):
        bias, alpha, beta = rng.uniform((1, 0.2, 0.4), (3, 1, 1))
        yield case(f"8 channels, radius {radius}", *draw(8), radius, bias, alpha, beta)


def _assigned(da, x, size, stride):
    """Max pooling's gradient with = where += belongs."""
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(da.shape):
        window = x[n, i * stride : i * stride + size, j * stride : j * stride + size, c]
        r, t = np.unravel_index(window.argmax(), window.shape)
        dx[n, i * stride + r, j * stride + t, c] = da[n, i, j, c]
    return dx


def _everywhere(da, x, size, stride):
    """Each da to all the pixels of its window."""
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(da.shape[1:3]):
        window = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
        dx[window] += da[:, i, j][:, None, None]
    return dx


def _own_divisor_only(da, x, radius, bias, alpha, beta):
    channel = np.arange(x.shape[-1])
    near = (abs(channel[:, None] - channel) <= radius).astype(float)
    scale = bias + alpha * (x**2 @ near)
    return da * scale**-beta - 2 * alpha * beta * x * da * x * scale ** (-beta - 1)


def _divisor_constant(da, x, radius, bias, alpha, beta):
    channel = np.arange(x.shape[-1])
    near = (abs(channel[:, None] - channel) <= radius).astype(float)
    return da * (bias + alpha * (x**2 @ near)) ** -beta


CHECKS = [
    Check(
        "relu_backward",
        relu_backward,
        relu_backward_cases,
        {
            "the gradient passes everywhere": lambda da, x: da,
            "it is the slope, 0 or 1, not times the gradient": lambda da, x: (x > 0) * 1.0,
            "it goes by the sign of the gradient, not of x": lambda da, x: np.maximum(da, 0),
            "the gradient passes at 0, too": lambda da, x: da * (x >= 0),
            "it is relu(x) again, times the gradient": lambda da, x: da * np.maximum(x, 0),
        },
    ),
    Check(
        "dense_backward",
        dense_backward,
        dense_backward_cases,
        {
            "db is the mean over the images, not the sum": lambda dz, x, w: (
                dz @ w.T,
                x.T @ dz,
                dz.mean(axis=0),
            ),
            "db is not summed over the images": lambda dz, x, w: (dz @ w.T, x.T @ dz, dz),
            "db keeps an axis of length 1": lambda dz, x, w: (
                dz @ w.T,
                x.T @ dz,
                dz.sum(axis=0, keepdims=True),
            ),
            "w is not transposed": lambda dz, x, w: (dz @ w, x.T @ dz, dz.sum(axis=0)),
            "dw is transposed": lambda dz, x, w: (dz @ w.T, dz.T @ x, dz.sum(axis=0)),
            "dw is the mean over the images, not the sum": lambda dz, x, w: (
                dz @ w.T,
                x.T @ dz / len(x),
                dz.sum(axis=0),
            ),
        },
        returns=("dx", "dw", "db"),
    ),
    Check(
        "max_pool_backward",
        max_pool_backward,
        max_pool_backward_cases,
        {
            "windows that overlap overwrite each other: += instead of =": _assigned,
            "all the pixels of a window get its gradient, not the winner alone": _everywhere,
            "the gradient is shared out as an average's": lambda da, x, size, stride: (
                _everywhere(da, x, size, stride) / size**2
            ),
            "the stride is taken for the window's size": lambda da, x, size, stride: (
                max_pool_backward(da, x, stride, stride)
            ),
            "the smallest pixel gets it": lambda da, x, size, stride: max_pool_backward(
                da, -x, size, stride
            ),
        },
    ),
    Check(
        "global_average_pool_backward",
        global_average_pool_backward,
        global_average_pool_backward_cases,
        {
            "the gradient is not divided by the number of pixels": lambda da, x: (
                np.ones(x.shape) * da[:, None, None, :]
            ),
            "it is multiplied by x": lambda da, x: global_average_pool_backward(da, x) * x,
            "it is divided by the height only": lambda da, x: (
                np.ones(x.shape) * da[:, None, None, :] / x.shape[1]
            ),
        },
    ),
    Check(
        "lrn_backward",
        lrn_backward,
        lrn_backward_cases,
        {
            "the divisor is taken for a constant": _divisor_constant,
            "only its own divisor changes, not its neighbors'": _own_divisor_only,
            "the 2 of the derivative of x² is missing": lambda da, x, r, k, a, b: (
                (lrn_backward(da, x, r, k, a, b) + _divisor_constant(da, x, r, k, a, b)) / 2
            ),
        },
    ),
]
