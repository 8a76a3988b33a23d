"""Checks of what the reader of lab 02 writes about convolution.

Letters are those of ``chapters/notation.md``. Images are (N, H, W, C), float64. ``helpers.layers``
has it fast, with groups and dilation.
"""

import numpy as np

from helpers.check.engine import Check, case


def pad_images(x, pad):
    """``pad`` zeros around each image: (N, H, W, C) -> (N, H + 2 pad, W + 2 pad, C)."""
    return np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])


def output_size(size, kernel, stride=1, pad=0):
    """How many windows fit: ⌊(size + 2 pad − kernel) / stride⌋ + 1."""
    return (size + 2 * pad - kernel) // stride + 1


def conv2d(x, w, b, stride=1, pad=0):
    """z[n,i,j,k] = b[k] + Σ x[n, i·stride + r, j·stride + t, c] w[r,t,c,k] over r, t and c.

    x (N, H, W, C), which gets ``pad`` zeros on each side before;  w (R, R', C, K);  b (K,)
    """
    x = pad_images(x, pad)
    rows, columns = w.shape[:2]
    height = output_size(x.shape[1], rows, stride)
    width = output_size(x.shape[2], columns, stride)
    z = np.empty((len(x), height, width, w.shape[3]))
    for i, j in np.ndindex(height, width):
        window = x[:, i * stride : i * stride + rows, j * stride : j * stride + columns]
        z[:, i, j] = np.tensordot(window, w, 3) + b
    return z


def _images(rng, h, w, n=2, c=3):
    return rng.normal(size=(n, h, w, c))


def pad_images_cases(rng):
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


def _turned(x, w, b, stride, padding):
    return conv2d(x, w[::-1, ::-1], b, stride, padding)


CHECKS = [
    Check(
        "pad_images",
        pad_images,
        pad_images_cases,
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
