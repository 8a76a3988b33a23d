"""Lab 3's checks: right functions in several styles pass; wrong ones and mutants do not."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers import layers
from helpers.check import backward, convolution, forward, learning
from helpers.check.testing import verify
from helpers.gradcheck import check_gradient

# Every entry of the result is overwritten, so what it began with does not matter.
OVERWRITTEN = ["line 2: other function in np.zeros"]


def relu_backward_by_loop(da, x):
    dx = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            dx[index] = da[index]
    return dx


def test_relu_backward():
    verify(
        "relu_backward",
        [relu_backward_by_loop, lambda da, x: np.where(x > 0, da, 0.0)],
        [
            lambda da, x: np.where(x < 0, da, 0.0),
            lambda da, x: da * np.sign(x),
            lambda da, x: x * (da > 0),
            lambda da, x: -da * (x > 0),
            lambda da, x: np.where(x > 0, da, 0.01 * da),
        ],
    )


def dense_backward_by_loops(dz, x, w):
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])
    for n, k in np.ndindex(dz.shape):
        dx[n] += dz[n, k] * w[:, k]
        dw[:, k] += dz[n, k] * x[n]
        db[k] += dz[n, k]
    return dx, dw, db


def test_dense_backward():
    right = backward.dense_backward
    verify(
        "dense_backward",
        [dense_backward_by_loops, lambda dz, x, w: (dz.dot(w.T), np.dot(x.T, dz), np.sum(dz, 0))],
        [
            lambda dz, x, w: right(dz, x, w)[:2],
            lambda dz, x, w: right(dz, x, w)[::-1],
            lambda dz, x, w: right(-dz, x, w),
            lambda dz, x, w: (dz @ w.T, x.T @ dz, dz.sum()),
            lambda dz, x, w: (dz @ w.T, x.T @ dz, dz.sum(axis=1)),
            lambda dz, x, w: (dz @ w.T, x.T @ dz + w, dz.sum(axis=0)),
        ],
    )


def cross_entropy_by_loop(z, y):
    loss, dz = 0.0, np.zeros(z.shape)
    for n in range(len(z)):
        shifted = z[n] - z[n].max()
        total = np.exp(shifted).sum()
        loss += np.log(total) - shifted[y[n]]
        dz[n] = np.exp(shifted) / total
        dz[n, y[n]] -= 1
    return loss / len(z), dz / len(z)


def test_softmax_cross_entropy():
    right = learning.softmax_cross_entropy
    verify(
        "softmax_cross_entropy",
        [cross_entropy_by_loop, layers.softmax_cross_entropy],
        [
            lambda z, y: (right(z, y)[0], -right(z, y)[1]),
            lambda z, y: right(z, y)[0],
            lambda z, y: right(z, 0 * y),
            lambda z, y: (right(z, y)[0] / np.log(2), right(z, y)[1]),
        ],
    )


def max_pool_backward_by_mask(da, x, size, stride):
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(da.shape[1:3]):
        window = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
        largest = x[window].max(axis=(1, 2), keepdims=True)
        dx[window] += (x[window] == largest) * da[:, i : i + 1, j : j + 1]
    return dx


def max_pool_backward_by_loops(da, x, size, stride):
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(da.shape):
        top, left = i * stride, j * stride
        best = (top, left)
        for r in range(top, top + size):
            for t in range(left, left + size):
                if x[n, r, t, c] > x[n, best[0], best[1], c]:
                    best = (r, t)
        dx[n, best[0], best[1], c] += da[n, i, j, c]
    return dx


def test_max_pool_backward():
    right = max_pool_backward_by_mask
    verify(
        "max_pool_backward",
        [right, max_pool_backward_by_loops],
        [
            lambda da, x, k, s: right(da, x, k, s) * x,
            lambda da, x, k, s: (right(da, x, k, s) != 0) * 1.0,
            lambda da, x, k, s: right(da.swapaxes(1, 2), x.swapaxes(1, 2), k, s),
            lambda da, x, k, s: np.zeros(x.shape),
            lambda da, x, k, s: right(da, x, k, s).sum(axis=0),
        ],
    )


def test_global_average_pool_backward():
    def by_loops(da, x):
        dx = np.zeros(x.shape)
        pixels = x.shape[1] * x.shape[2]
        for n, c in np.ndindex(da.shape):
            dx[n, :, :, c] = da[n, c] / pixels
        return dx

    right = backward.global_average_pool_backward
    verify(
        "global_average_pool_backward",
        [by_loops, lambda da, x: np.broadcast_to(da[:, None, None] / x[0, ..., 0].size, x.shape)],
        [
            lambda da, x: right(da, x)[:, :1, :1],
            lambda da, x: right(da, x) / x.shape[3],
            lambda da, x: da,
            lambda da, x: right(da, x).sum(axis=0, keepdims=True) + 0 * x,
            lambda da, x: -right(da, x),
        ],
        equivalent=OVERWRITTEN,
    )


def lrn_backward_by_loops(da, x, depth_radius, bias, alpha, beta):
    dx, channels = np.zeros(x.shape), x.shape[-1]
    scale = np.zeros(x.shape)
    for c in range(channels):
        scale[..., c] = bias
        for m in range(channels):
            if abs(m - c) <= depth_radius:
                scale[..., c] += alpha * x[..., m] ** 2
    for c in range(channels):
        dx[..., c] += da[..., c] * scale[..., c] ** -beta
        for m in range(channels):
            if abs(m - c) <= depth_radius:
                slope = -2 * alpha * beta * x[..., c] * x[..., m] * scale[..., m] ** (-beta - 1)
                dx[..., c] += da[..., m] * slope
    return dx


def test_lrn_backward():
    right = backward.lrn_backward
    verify(
        "lrn_backward",
        [lrn_backward_by_loops, lambda da, x, *o: layers.lrn_backward(da, layers.lrn(x, *o)[1])],
        [
            lambda da, x, r, k, a, b: forward.lrn(da, r, k, a, b),
            lambda da, x, r, k, a, b: right(da, x, r, k, -a, b),
            lambda da, x, r, k, a, b: right(da, x, r, 2.0, a, b),
            lambda da, x, r, k, a, b: right(x, da, r, k, a, b),
            lambda da, x, r, k, a, b: right(da, x, 2, k, a, b),
        ],
    )


def conv_backward_by_windows(dz, x, w, stride, pad):
    rows, columns = w.shape[:2]
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i in range(dz.shape[1]):
        for j in range(dz.shape[2]):
            top, left = i * stride, j * stride
            for n in range(len(x)):
                for k in range(w.shape[3]):
                    dx[n, top : top + rows, left : left + columns] += dz[n, i, j, k] * w[..., k]
                    pixels = x[n, top : top + rows, left : left + columns]
                    dw[..., k] += dz[n, i, j, k] * pixels
    h, width = x.shape[1] - pad, x.shape[2] - pad
    return dx[:, pad:h, pad:width], dw, dz.sum(axis=(0, 1, 2))


def conv_backward_by_layers(dz, x, w, stride, pad):
    _, cache = layers.conv2d(x, w, np.zeros(w.shape[3]), stride, pad)
    return layers.conv2d_backward(dz, cache)


def test_conv2d_backward():
    right = convolution.conv2d_backward

    def shape_of_dz(dz, x, w, stride, pad):
        windows = sliding_window_view(x, dz.shape[1:3], axis=(1, 2))
        return (
            right(dz, x, w, stride, pad)[0],
            np.einsum("nrtcij,nijk->rtck", windows, dz),
            dz.sum(),
        )

    verify(
        "conv2d_backward",
        [conv_backward_by_windows, conv_backward_by_layers],
        [
            shape_of_dz,
            lambda dz, x, w, s, p: right(dz, x, w, s, p)[:2],
            lambda dz, x, w, s, p: (*right(dz, x, w, s, p)[:2], dz.sum()),
            lambda dz, x, w, s, p: (*right(dz, x, w, s, p)[:2], dz.sum((0, 1, 2), keepdims=True)),
            lambda dz, x, w, s, p: (
                right(dz, x, w, s, p)[0][..., ::-1],
                *right(dz, x, w, s, p)[1:],
            ),
            lambda dz, x, w, s, p: (0 * x, *right(dz, x, w, s, p)[1:]),
        ],
    )


def test_dropout():
    def by_loop(x, rate, rng):
        mask = np.zeros(x.shape)
        mask[rng.random(x.shape) > rate] = 1 / (1 - rate)
        return x * mask, mask

    def by_draws(x, rate, rng):
        mask = rng.binomial(1, 1 - rate, x.shape) / (1 - rate)
        return mask * x, mask

    verify(
        "dropout",
        [by_loop, by_draws],
        [
            lambda x, rate, rng: (x, np.ones(x.shape)),
            lambda x, rate, rng: (x, by_draws(x, rate, rng)[1]),
            lambda x, rate, rng: by_draws(x, rate, rng)[0],
            lambda x, rate, rng: by_draws(x, 0.5, rng),
            lambda x, rate, rng: by_draws(x, rate / 2, rng),
            lambda x, rate, rng: (x + by_draws(x, rate, rng)[1], by_draws(x, rate, rng)[1]),
        ],
    )


def test_dropout_backward():
    def by_loop(da, mask):
        dx = np.zeros(da.shape)
        for index in np.ndindex(da.shape):
            dx[index] = da[index] * mask[index]
        return dx

    verify(
        "dropout_backward",
        [by_loop, lambda da, mask: np.multiply(mask, da)],
        [
            lambda da, mask: da * mask**2,
            lambda da, mask: mask,
            lambda da, mask: da * mask / 2,
            lambda da, mask: da / np.maximum(mask, 1),
            lambda da, mask: da + mask,
        ],
        equivalent=OVERWRITTEN,
    )


def test_numerical_gradient():
    def in_place(f, x, h):
        gradient = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            before = x[index]
            x[index] = before + h
            above = f(x)
            x[index] = before - h
            gradient[index] = (above - f(x)) / (2 * h)
            x[index] = before
        return gradient

    def not_restored(f, x, h):
        gradient = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            x[index] += h
            above = f(x)
            x[index] -= 2 * h
            gradient[index] = (above - f(x)) / (2 * h)
        return gradient

    right = learning.numerical_gradient
    verify(
        "numerical_gradient",
        [in_place, lambda f, x, h: right(f, x.copy(), h)],
        [
            not_restored,
            lambda f, x, h: right(f, x, 10 * h),
            lambda f, x, h: right(f, x, h).ravel(),
            lambda f, x, h: right(f, x, h).sum(),
        ],
        equivalent=OVERWRITTEN,
    )


def test_momentum_step():
    def by_loop(w, v, dw, rate, momentum, decay):
        new_w, new_v = w.copy(), v.copy()
        for index in np.ndindex(w.shape):
            new_v[index] = momentum * v[index] - rate * (dw[index] + decay * w[index])
            new_w[index] = w[index] + new_v[index]
        return new_w, new_v

    right = learning.momentum_step

    def in_place(w, v, dw, rate, momentum, decay):
        v *= momentum
        v -= rate * (dw + decay * w)
        w += v
        return w, v

    verify("momentum_step", [by_loop, right], [in_place, lambda *a: right(*a)[0]])


def test_the_books_functions_are_gradients():
    """The references themselves, against central differences of the forward passes."""
    rng = np.random.default_rng(1)
    x, w, b = rng.normal(size=(2, 6, 5, 3)), rng.normal(size=(3, 2, 3, 4)), rng.normal(size=4)
    dz = rng.normal(size=convolution.conv2d(x, w, b, 2, 1).shape)
    dx, dw, _ = convolution.conv2d_backward(dz, x, w, 2, 1)
    conv = convolution.conv2d
    assert (
        check_gradient(lambda x: np.sum(conv(x, w, b, 2, 1) * dz), x, dx, floor=1e-3).error < 1e-6
    )
    assert (
        check_gradient(lambda w: np.sum(conv(x, w, b, 2, 1) * dz), w, dw, floor=1e-3).error < 1e-6
    )
    constants = 2, 1.5, 0.3, 0.75
    da = rng.normal(size=x.shape)
    dx = backward.lrn_backward(da, x, *constants)
    lrn = lambda x: np.sum(forward.lrn(x, *constants) * da)  # noqa: E731
    assert check_gradient(lrn, x, dx, floor=1e-3).error < 1e-6
    da = rng.normal(size=forward.max_pool(x, 3, 2).shape)
    dx = backward.max_pool_backward(da, x, 3, 2)
    pool = lambda x: np.sum(forward.max_pool(x, 3, 2) * da)  # noqa: E731
    assert check_gradient(pool, x, dx, floor=1e-3).error < 1e-6
    z, y = rng.normal(size=(4, 5)), np.array([0, 4, 2, 2])
    dz = learning.softmax_cross_entropy(z, y)[1]
    loss = lambda z: learning.softmax_cross_entropy(z, y)[0]  # noqa: E731
    assert check_gradient(loss, z, dz, floor=1e-3).error < 1e-6
