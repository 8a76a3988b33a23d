"""Lab 2's checks: right functions in several styles pass; wrong ones and mutants do not."""

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers import layers
from helpers.check import checks, convolution, forward
from helpers.check.testing import verify

# Every entry of the result is overwritten, so what it began with does not matter.
OVERWRITTEN = ["line 2: other function in np.zeros"]


def relu_by_mask(x):
    y = x.copy()
    y[y < 0] = 0
    return y


def relu_by_loop(x):
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            y[index] = x[index]
    return y


def test_relu():
    verify(
        "relu",
        [relu_by_loop, relu_by_mask, lambda x: np.maximum(x, 0), lambda x: x * (x > 0)],
        [
            lambda x: np.maximum(x, 0.01 * x),
            lambda x: np.maximum(x.astype(int), 0),
            lambda x: np.maximum(x, 1),
            lambda x: x[x > 0],
            lambda x: max(x.max(), 0),
            lambda x: np.log1p(np.exp(x)),
            lambda x: np.where(x > 1e-6, x, 0),
            lambda x: np.clip(x, 0, 1),
            lambda x: np.maximum(x, 0).ravel(),
        ],
    )


def dense_by_loops(x, w, b):
    z = np.zeros((len(x), len(b)))
    for n in range(len(x)):
        for k in range(len(b)):
            z[n, k] = b[k]
            for c in range(x.shape[1]):
                z[n, k] += x[n, c] * w[c, k]
    return z


def test_dense():
    verify(
        "dense",
        [dense_by_loops, lambda x, w, b: np.dot(x, w) + b, lambda x, w, b: (w.T @ x.T).T + b],
        [
            lambda x, w, b: x @ w + b.sum(),
            lambda x, w, b: x @ w + b[0],
            lambda x, w, b: (x + b.mean()) @ w,
            lambda x, w, b: x[:1] @ w + b,
            lambda x, w, b: np.maximum(x @ w + b, 0),
            lambda x, w, b: w @ x + b,
            lambda x, w, b: x @ w + b[:, None],
            lambda x, w, b: (x @ w + b).T,
        ],
        equivalent=OVERWRITTEN,
    )


def softmax_by_loop(z):
    p = np.zeros(z.shape)
    for n in range(len(z)):
        powers = np.exp(z[n] - z[n].max())
        p[n] = powers / powers.sum()
    return p


def softmax_by_logarithm(z):
    top = z.max(axis=1, keepdims=True)
    return np.exp(z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True)))


def test_softmax():
    verify(
        "softmax",
        [softmax_by_loop, softmax_by_logarithm],
        [
            lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
            lambda z: 1 / (1 + np.exp(-z)),
            lambda z: softmax_by_loop(-z),
            lambda z: softmax_by_loop(2 * z),
            lambda z: np.eye(z.shape[1])[z.argmax(axis=1)],
            lambda z: np.log(softmax_by_loop(z)),
            lambda z: softmax_by_loop(np.clip(z, -500, 500)),
            lambda z: np.round(softmax_by_loop(z), 6),
        ],
        # Subtracting each row's mean instead of its largest value is as safe here: rows are narrow.
        equivalent=["line 4: other function in z[n].max", *OVERWRITTEN],
    )


def max_pool_by_loops(x, size, stride):
    n, h, w, c = x.shape
    height, width = (h - size) // stride + 1, (w - size) // stride + 1
    y = np.zeros((n, height, width, c))
    for image in range(n):
        for i in range(height):
            for j in range(width):
                for k in range(c):
                    top, left = i * stride, j * stride
                    y[image, i, j, k] = x[image, top : top + size, left : left + size, k].max()
    return y


def max_pool_by_windows(x, size, stride):
    windows = sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return windows.max(axis=(-2, -1))


def test_max_pool():
    def padded(x, size, stride):
        y = max_pool_by_windows(x, size, stride)
        return np.pad(y, [(0, 0), (0, 1), (0, 1), (0, 0)])

    def rounded_up(x, size, stride):
        more = [(0, 0), (0, stride - 1), (0, stride - 1), (0, 0)]
        return max_pool_by_windows(np.pad(x, more, constant_values=-np.inf), size, stride)

    verify(
        "max_pool",
        [max_pool_by_loops, max_pool_by_windows, lambda *a: layers.max_pool(*a)[0]],
        [
            padded,
            rounded_up,
            lambda x, k, s: max_pool_by_windows(x.swapaxes(1, 2), k, s),
            lambda x, k, s: max_pool_by_windows(abs(x), k, s),
            lambda x, k, s: x[:, : x.shape[1] // s * s : s, : x.shape[2] // s * s : s],
            lambda x, k, s: -max_pool_by_windows(-x, k, s),
            lambda x, k, s: max_pool_by_windows(x, k, s)[0],
            lambda x, k, s: max_pool_by_windows(x, k, s).max(axis=0, keepdims=True),
            lambda x, k, s: max_pool_by_windows(x, 2, 2),
            lambda x, k, s: max_pool_by_windows(x, 3, 2),
        ],
    )


def test_global_average_pool():
    def by_loops(x):
        a = np.zeros((x.shape[0], x.shape[3]))
        for n in range(x.shape[0]):
            for c in range(x.shape[3]):
                a[n, c] = x[n, :, :, c].sum() / (x.shape[1] * x.shape[2])
        return a

    verify(
        "global_average_pool",
        [by_loops, lambda x: x.reshape(len(x), -1, x.shape[-1]).mean(axis=1)],
        [
            lambda x: x.mean(axis=(0, 1, 2)),
            lambda x: x.mean(axis=(1, 2), keepdims=True),
            lambda x: x.mean(axis=(2, 3)),
            lambda x: x.mean(axis=1),
            lambda x: np.median(x, axis=(1, 2)),
            lambda x: x.sum(axis=(1, 2)) / x.shape[1],
        ],
    )


def lrn_by_loops(x, depth_radius, bias, alpha, beta):
    y = np.zeros(x.shape)
    channels = x.shape[3]
    for c in range(channels):
        total = 0
        for m in range(channels):
            if abs(m - c) <= depth_radius:
                total = total + x[..., m] ** 2
        y[..., c] = x[..., c] / (bias + alpha * total) ** beta
    return y


def test_lrn():
    def by_layers(x, *constants):
        return layers.lrn(x, *constants)[0]

    verify(
        "lrn",
        [lrn_by_loops, by_layers],
        [
            lambda x, r, k, a, b: lrn_by_loops(x, r, k, a, b) * x,
            lambda x, r, k, a, b: lrn_by_loops(x, r, 2.0, a, b),
            lambda x, r, k, a, b: lrn_by_loops(x, r, k, 1e-4, b),
            lambda x, r, k, a, b: lrn_by_loops(x, r, k, a, -b),
            lambda x, r, k, a, b: x / (k + a * (x**2).sum(-1, keepdims=True)) ** b,
            lambda x, r, k, a, b: x / (k + a * x**2) ** b,
            lambda x, r, k, a, b: lrn_by_loops(x.swapaxes(1, 3), r, k, a, b).swapaxes(1, 3),
            lambda x, r, k, a, b: x / k**b,
            lambda x, r, k, a, b: lrn_by_loops(x, 2, k, a, b),
        ],
    )


def test_pad_images():
    def by_slices(x, pad):
        n, h, w, c = x.shape
        y = np.zeros((n, h + 2 * pad, w + 2 * pad, c))
        y[:, pad : pad + h, pad : pad + w] = x
        return y

    by_numpy = convolution.pad_images
    verify(
        "pad_images",
        [by_slices, lambda x, pad: np.pad(x, ((0, 0), (pad,) * 2, (pad,) * 2, (0, 0)))],
        [
            lambda x, p: by_numpy(x, 1),
            lambda x, p: by_numpy(x, 2 * p),
            lambda x, p: np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)), mode="edge"),
            lambda x, p: np.pad(x, ((0, 0), (p, p), (0, 0), (0, 0))),
            lambda x, p: np.pad(x, ((p, p), (p, p), (0, 0), (0, 0))),
            lambda x, p: x,
        ],
    )


def test_output_size():
    def by_counting(size, kernel, stride, pad):
        count, start = 0, 0
        while start + kernel <= size + 2 * pad:
            count += 1
            start += stride
        return count

    verify(
        "output_size",
        [by_counting, lambda n, k, s, p: int(np.floor((n + 2 * p - k) / s)) + 1],
        [
            lambda n, k, s, p: (n + 2 * p - k + 1) // s,
            lambda n, k, s, p: (n - k) // s + 1,
            lambda n, k, s, p: n // s,
            lambda n, k, s, p: round((n + 2 * p - k) / s) + 1,
            lambda n, k, s, p: (n + 2 * p - k) // s + 2,
        ],
    )


def conv_by_loops(x, w, b, stride, pad):
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    rows, columns, _, filters = w.shape
    height = (x.shape[1] - rows) // stride + 1
    width = (x.shape[2] - columns) // stride + 1
    z = np.zeros((len(x), height, width, filters))
    for n, i, j, k in np.ndindex(z.shape):
        z[n, i, j, k] = b[k]
        for r in range(rows):
            for t in range(columns):
                pixel = x[n, i * stride + r, j * stride + t]
                z[n, i, j, k] += (pixel * w[r, t, :, k]).sum()
    return z


def conv_by_matrix(x, w, b, stride, pad):
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    windows = sliding_window_view(x, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcrt,rtck->nijk", windows, w) + b


def test_conv2d():
    def square_only(x, w, b, s, p):
        z = conv_by_matrix(x, w, b, s, p)
        return z[:, : min(z.shape[1:3]), : min(z.shape[1:3])]

    verify(
        "conv2d",
        [conv_by_loops, conv_by_matrix, lambda *a: layers.conv2d(*a)[0]],
        [
            square_only,
            lambda x, w, b, s, p: conv_by_matrix(x, w, b, s, 1),
            lambda x, w, b, s, p: conv_by_matrix(x[:1], w, b, s, p),
            lambda x, w, b, s, p: conv_by_matrix(x, w[:, ::-1], b, s, p),
            lambda x, w, b, s, p: conv_by_matrix(x, w, b.sum(), s, p),
            lambda x, w, b, s, p: conv_by_matrix(x[..., ::-1], w, b, s, p),
            lambda x, w, b, s, p: np.maximum(conv_by_matrix(x, w, b, s, p), 0),
            lambda x, w, b, s, p: conv_by_matrix(x, w, b, s, p)[..., ::-1],
        ],
    )


def test_the_books_functions_agree_with_keras():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 9, 7, 3)).astype("f"), rng.normal(size=(3, 3, 3, 4)).astype("f")
    theirs = keras.ops.conv(x, w, 2, "valid")
    np.testing.assert_allclose(convolution.conv2d(x, w, np.zeros(4), 2), theirs, atol=1e-4)
    np.testing.assert_allclose(forward.max_pool(x, 3, 2), keras.ops.max_pool(x, 3, 2), atol=1e-6)
    np.testing.assert_allclose(forward.softmax(x[0, 0]), keras.ops.softmax(x[0, 0]), atol=1e-6)


def test_the_room_is_whole():
    names = {one.name for one in forward.CHECKS + convolution.CHECKS}
    assert {"relu", "max_pool", "dense", "lrn", "conv2d", "softmax", "output_size"} <= names
    assert names <= set(checks())
