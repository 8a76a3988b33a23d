"""Checks of the functions that the reader of lab 02 writes: the layers, forward, in plain NumPy.

Images are (n, h, w, c), float64. Every function returns y only; ``helpers.layers`` has them fast.
"""

import numpy as np

from helpers.check.engine import Check, case


def relu(x):
    """max(0, x), for an array of any shape."""
    return np.where(x > 0, x, 0.0)


def dense(x, w, b):
    """x w + b, for x (n, inputs), w (inputs, outputs), b (outputs,)."""
    return x @ w + b


def softmax(scores):
    """Probabilities (n, classes), in each row e^score over the row's sum, safe for large scores."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def max_pool(x, size=3, stride=2):
    """Largest value of each size×size window, a window every ``stride`` pixels, no padding."""
    n, h, w, c = x.shape
    y = np.empty((n, (h - size) // stride + 1, (w - size) // stride + 1, c))
    for i, j in np.ndindex(y.shape[1:3]):
        rows = slice(i * stride, i * stride + size)
        columns = slice(j * stride, j * stride + size)
        y[:, i, j] = x[:, rows, columns].max(axis=(1, 2))
    return y


def global_average_pool(x):
    """The mean of each channel's map: (n, h, w, c) -> (n, c)."""
    return x.mean(axis=(1, 2))


def lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """x / (bias + alpha Σ x²)^beta, the sum over up to 2 depth_radius + 1 channels around."""
    y = np.empty(x.shape)
    for k in range(x.shape[-1]):
        near = x[..., max(0, k - depth_radius) : k + depth_radius + 1]
        y[..., k] = x[..., k] / (bias + alpha * (near**2).sum(axis=-1)) ** beta
    return y


def pad(x, padding):
    """``padding`` zeros around each image: (n, h, w, c) -> (n, h + 2 padding, w + 2 padding, c)."""
    return np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])


def output_size(size, kernel, stride=1, padding=0):
    """How many windows fit: ⌊(size + 2 padding − kernel) / stride⌋ + 1."""
    return (size + 2 * padding - kernel) // stride + 1


def conv2d(x, w, b, stride=1, padding=0):
    """y[n,p,q,k] = b[k] + Σ x[n, ps + r, qs + t, c] w[r,t,c,k]; x is padded with zeros before.

    x (n, h, w, c);  w (kh, kw, c, k);  b (k,)
    """
    x = pad(x, padding)
    kh, kw, _, k = w.shape
    height, width = output_size(x.shape[1], kh, stride), output_size(x.shape[2], kw, stride)
    y = np.empty((len(x), height, width, k))
    for p, q in np.ndindex(height, width):
        window = x[:, p * stride : p * stride + kh, q * stride : q * stride + kw]
        y[:, p, q] = np.tensordot(window, w, 3) + b
    return y


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


def pad_cases(rng):
    yield case("one image of 1×1, padding 1", np.ones((1, 1, 1, 1)), 1)
    yield case("padding 0", _images(rng, 3, 2), 0)
    for padding in (1, 2, 3):
        h, w, n, c = rng.integers(1, 6, 4)
        yield case(f"{n} images of {h}×{w}, padding {padding}", _images(rng, h, w, n, c), padding)


def output_size_cases(rng):
    yield case("AlexNet's first layer: size 227, kernel 11, stride 4", 227, 11, 4, 0)
    yield case("as large as the kernel", 5, 5, 1, 0)
    for kernel, stride, padding in rng.integers((1, 1, 0), (6, 5, 4), (12, 3)):
        size = int(kernel + rng.integers(0, 12))
        label = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}"
        yield case(label, size, int(kernel), int(stride), int(padding))


def conv2d_cases(rng):
    def draw(h, w, kh, kw, c=3, k=4, n=2):
        return _images(rng, h, w, n, c), rng.normal(size=(kh, kw, c, k)), rng.normal(size=k)

    x = np.arange(9.0).reshape(1, 3, 3, 1)
    yield case(
        "one image of 3×3, one kernel 2×2 of ones", x, np.ones((2, 2, 1, 1)), np.zeros(1), 1, 0
    )
    yield case("a bias, stride 1", *draw(5, 5, 3, 3), 1, 0)
    yield case("stride 2", *draw(7, 7, 3, 3), 2, 0)
    yield case("padding 1", *draw(5, 5, 3, 3), 1, 1)
    yield case("an image higher than wide, stride 2", *draw(9, 6, 3, 3, 2, 3), 2, 0)
    yield case("a kernel wider than high", *draw(6, 6, 2, 3), 1, 0)
    yield case("a kernel of 1×1", *draw(4, 4, 1, 1), 1, 0)
    yield case("a kernel as large as the image, padding 2", *draw(4, 5, 4, 5, 1, 2), 3, 2)
    h, w, kh, kw = (int(a) for a in (*rng.integers(6, 9, 2), *rng.integers(1, 5, 2)))
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    label = f"images of {h}×{w}, kernels of {kh}×{kw}, stride {stride}, padding {padding}"
    yield case(label, *draw(h, w, kh, kw), stride, padding)


def _stride_one(x, size, stride):
    return max_pool(x, size, 1)


def _over_channels(x, size, stride):
    y = max_pool(x, size, stride)
    return np.repeat(y.max(axis=-1, keepdims=True), y.shape[-1], axis=-1)


def _average_pool(x, size, stride):
    h, w = (output_size(n, size, stride) for n in x.shape[1:3])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride][:, :h, :w].mean(axis=(-1, -2))


def _turned(x, w, b, stride, padding):
    return conv2d(x, w[::-1, ::-1], b, stride, padding)


def _one_sided(x, depth_radius, bias, alpha, beta):
    y = np.empty(x.shape)
    for k in range(x.shape[-1]):
        near = x[..., max(0, k - depth_radius) : k + 1]
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
            "alpha multiplies the mean, not the sum": _mean,
            "beta is left out": lambda x, r, k, a, b: lrn(x, r, k, a, 1.0),
            "the window is as wide as depth_radius": lambda x, r, k, a, b: lrn(x, r // 2, k, a, b),
            "values are not squared": lambda x, r, k, a, b: (
                x * (lrn(abs(x) ** 0.5, r, k, a, b) / abs(x) ** 0.5)
            ),
        },
    ),
    Check(
        "pad",
        pad,
        pad_cases,
        {
            "the images and channels are padded, too": lambda x, p: np.pad(x, p),
            "only the end is padded": lambda x, p: np.pad(x, [(0, 0), (0, p), (0, p), (0, 0)]),
        },
    ),
    Check(
        "output_size",
        output_size,
        output_size_cases,
        {
            "the 1 is left out": lambda n, k, s, p: output_size(n, k, s, p) - 1,
            "padding is counted on one side only": lambda n, k, s, p: (n + p - k) // s + 1,
            "it is rounded up": lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
            "it is no whole number: use //": lambda n, k, s, p: (n + 2 * p - k) / s + 1,
        },
    ),
    Check(
        "conv2d",
        conv2d,
        conv2d_cases,
        {
            "the stride is ignored": lambda x, w, b, s, p: conv2d(x, w, b, 1, p),
            "the padding is ignored": lambda x, w, b, s, p: conv2d(x, w, b, s, 0),
            "the bias is left out": lambda x, w, b, s, p: conv2d(x, w, 0 * b, s, p),
            "the kernel is turned by half a turn": _turned,
            "height and width are exchanged": lambda x, w, b, s, p: conv2d(
                x.swapaxes(1, 2), w, b, s, p
            ).swapaxes(1, 2),
        },
    ),
]
