"""Assignment 2 (chapters 2 and 3): backward passes that the book does not hold.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
Images are (N, H, W, C), float64.
"""

import numpy as np

from helpers import datasets, layers
from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.engine import case

SIZE = 3  # of a pooling window

TIES = {
    "first": "of equal largest values, the first one gets the gradient (row by row)",
    "last": "of equal largest values, the last one gets the gradient (row by row)",
    "shared": "equal largest values share the gradient in equal parts",
}
BORDER = {
    "zeros": "the image has a border of zeros, one pixel wide, which can win a window and then "
    "keeps the gradient",
    "outside": "the image has a border one pixel wide that never wins, not even against negative "
    "values",
}
POOL_STRIDE = {1: "the windows' stride is 1", 2: "the windows' stride is 2"}
STRIDE = {1: "the stride is 1", 2: "the stride is 2"}
PAD = {pad: f"the padding is {pad} rows and columns of zeros on each side" for pad in (0, 1, 2)}
DILATION = {
    1: "the dilation is 1: a kernel's weights look at neighboring pixels",
    2: "the dilation is 2: a kernel's weights look at every other pixel",
}
STEP = {2: "the stamps lie 2 pixels apart", 3: "the stamps lie 3 pixels apart"}
CROP = {0: "nothing is cut off", 1: "a border of 1 pixel is cut off the output, on each side"}
AXES = {
    "CK": "the kernels are w[r, t, c, k], the input's channel c first",
    "KC": "the kernels are w[r, t, k, c], the output's channel k first",
}


def _bordered(x, border):
    value = 0.0 if border == "zeros" else -np.inf
    return np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=value)


def _winners(window, ties):
    """What share of the gradient each place of a window (size, size) gets."""
    winners = (window == window.max()).astype(float)
    if ties == "shared":
        return winners / winners.sum()
    places, only = np.flatnonzero(winners), np.zeros(window.size)
    only[places[0 if ties == "first" else -1]] = 1
    return only.reshape(window.shape)


def pool_gradient(variant):
    """The right ``pool_gradient`` of a variant."""

    def right(da, x):
        padded, stride = _bordered(x, variant["border"]), variant["stride"]
        dpadded = np.zeros(padded.shape)
        for n, i, j, c in np.ndindex(da.shape):
            rows = slice(i * stride, i * stride + SIZE)
            columns = slice(j * stride, j * stride + SIZE)
            share = _winners(padded[n, rows, columns, c], variant["ties"])
            dpadded[n, rows, columns, c] += da[n, i, j, c] * share
        return dpadded[:, 1:-1, 1:-1]

    return right


def depthwise(variant):
    """(z, cache) of the depthwise convolution of a variant: the book's, with a group a channel."""

    def forward(x, w):
        stride, pad, dilation = variant["stride"], variant["pad"], variant["dilation"]
        channels = x.shape[-1]
        w, b = w[:, :, None], np.zeros(channels)
        return layers.conv2d(x, w, b, stride, pad, groups=channels, dilation=dilation)

    return forward


def depthwise_gradient(variant):
    """The right ``depthwise_gradient``: (dx, dw)."""

    def right(dz, x, w):
        dx, dw, _ = layers.conv2d_backward(dz, depthwise(variant)(x, w)[1])
        return dx, dw[:, :, 0]

    return right


def transposed_gradient(variant):
    """The right ``transposed_gradient``: forward there is backward here, so the book's serve."""
    crop, step = variant["crop"], variant["step"]

    def right(da, x, w):
        kernels = w.swapaxes(2, 3) if variant["axes"] == "CK" else w  # (R, R, K, C)
        da = np.pad(da, [(0, 0), (crop, crop), (crop, crop), (0, 0)])
        dx, cache = layers.conv2d(da, kernels, np.zeros(x.shape[-1]), step)
        dkernels = layers.conv2d_backward(x, cache)[1]
        return dx, dkernels.swapaxes(2, 3) if variant["axes"] == "CK" else dkernels

    return right


def pool_gradient_cases(rng, variant):
    def draw(x):
        rows, columns = ((side + 2 - SIZE) // variant["stride"] + 1 for side in x.shape[1:3])
        return rng.normal(size=(len(x), rows, columns, x.shape[3])), x

    ordered = 1.0 + rng.permutation(9).reshape(1, 3, 3, 1)
    yield case("an image of 3×3 without ties", *draw(ordered))
    peak = np.ones((1, 5, 5, 1))
    peak[0, 2, 2] = 7
    yield case("one pixel above all others, which are equal", *draw(peak))
    yield case("all pixels equal 1", *draw(np.ones((1, 4, 4, 1))))
    yield case("all pixels are 0, as the border of zeros", *draw(np.zeros((1, 4, 4, 1))))
    yield case("negative values only", *draw(-1.0 - rng.integers(0, 3, (1, 4, 4, 2))))
    yield case("an image higher than wide", *draw(1.0 * rng.integers(0, 3, (1, 7, 4, 2))))
    for n, h, w, c in rng.integers((1, 4, 4, 1), (3, 8, 8, 4), (4, 4)):
        x = 1.0 * rng.integers(-2, 3, (n, h, w, c))
        yield case(f"{n} images of {h}×{w}, {c} channels, values −2 to 2", *draw(x))


def depthwise_gradient_cases(rng, variant):
    def draw(n, h, w, c, size):
        x, kernels = rng.normal(size=(n, h, w, c)), rng.normal(size=(size, size, c))
        return rng.normal(size=depthwise(variant)(x, kernels)[0].shape), x, kernels

    yield case("one image of 3×3, one channel, a kernel of 2×2", *draw(1, 3, 3, 1, 2))
    yield case("a kernel of 1×1", *draw(1, 4, 4, 1, 1))
    yield case("one image of 6×6, one channel", *draw(1, 6, 6, 1, 3))
    yield case("three channels", *draw(1, 6, 6, 3, 3))
    yield case("three images", *draw(3, 5, 5, 2, 2))
    yield case("an image higher than wide", *draw(1, 9, 6, 2, 3))
    for n, h, w, c in rng.integers((1, 6, 6, 1), (4, 10, 10, 5), (3, 4)):
        yield case(f"{n} images of {h}×{w}, {c} channels", *draw(n, h, w, c, 3))


def transposed_gradient_cases(rng, variant):
    def draw(n, h, w, c, k, size):
        order = (c, k) if variant["axes"] == "CK" else (k, c)
        x, kernels = rng.normal(size=(n, h, w, c)), rng.normal(size=(size, size, *order))
        sides = ((s - 1) * variant["step"] + size - 2 * variant["crop"] for s in (h, w))
        return rng.normal(size=(n, *sides, k)), x, kernels

    yield case("an image of 1×1, one channel in and out", *draw(1, 1, 1, 1, 1, 3))
    yield case("an image of 3×3, one channel in and out", *draw(1, 3, 3, 1, 1, 3))
    yield case("two channels in and out", *draw(1, 2, 2, 2, 2, 3))
    yield case("two images, two channels in, three out", *draw(2, 3, 3, 2, 3, 3))
    yield case("stamps that overlap", *draw(1, 3, 3, 2, 2, 5))
    yield case("an image higher than wide", *draw(1, 5, 3, 3, 2, 3))
    for n, h, w, c, k in rng.integers((1, 2, 2, 1, 1), (4, 5, 5, 4, 4), (3, 5)):
        yield case(f"{n} images of {h}×{w}, {c} channels in, {k} out", *draw(n, h, w, c, k, 4))


def _pool_by_windows(variant, share=None, add=True, move=True):
    """``pool_gradient`` with another share for a window, overwriting, or with windows unmoved."""

    def wrong(da, x):
        padded, stride = _bordered(x, variant["border"]), variant["stride"]
        dpadded = np.zeros(padded.shape)
        for n, i, j, c in np.ndindex(da.shape):
            top, left = (i * stride, j * stride) if move else (i, j)
            place = n, slice(top, top + SIZE), slice(left, left + SIZE), c
            window = padded[place]
            part = da[n, i, j, c] * (share or _winners)(window, variant["ties"])
            dpadded[place] = dpadded[place] + part if add else np.where(part, part, dpadded[place])
        return dpadded[:, 1:-1, 1:-1]

    return wrong


def _all_that_tie(window, ties):
    return 1.0 * (window == window.max())


def _everyone(window, ties):
    return np.full(window.shape, 1 / window.size)


def _smallest(window, ties):
    return _winners(-np.where(np.isinf(window), 0, window), ties)


def _depthwise_loops(variant, add=True, turn=False, first=False):
    """``depthwise_gradient`` by loops, with one mistake."""
    stride, pad, dilation = variant["stride"], variant["pad"], variant["dilation"]

    def wrong(dz, x, w):
        padded, dw = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)]), np.zeros(w.shape)
        dpadded, reach = np.zeros(padded.shape), dilation * (len(w) - 1) + 1
        kernels = w[::-1, ::-1] if turn else w
        for n, i, j in np.ndindex(dz.shape[:3]):
            top, left = i * stride, j * stride
            place = (n, slice(top, top + reach, dilation), slice(left, left + reach, dilation))
            part = dz[n, i, j] * kernels
            dpadded[place] = dpadded[place] + part if add else part
            if n == 0 or not first:
                dw += dz[n, i, j] * padded[place]
        h, w = x.shape[1:3]
        return dpadded[:, pad : pad + h, pad : pad + w], dw

    return wrong


QUESTIONS = [
    Question(
        "pool_gradient",
        pool_gradient,
        pool_gradient_cases,
        {"ties": TIES, "border": BORDER, "stride": POOL_STRIDE},
        {
            "windows that overlap overwrite each other: += instead of =": lambda v: (
                _pool_by_windows(v, add=False)
            ),
            "each of the equal largest values gets the whole gradient": lambda v: _pool_by_windows(
                v, _all_that_tie
            ),
            "all pixels of a window share, the winners or not": lambda v: _pool_by_windows(
                v, _everyone
            ),
            "the smallest value gets the gradient": lambda v: _pool_by_windows(v, _smallest),
            "the winner gets its value times the gradient": changed(
                pool_gradient, lambda dx, da, x: dx * x
            ),
        },
    ),
    Question(
        "depthwise_gradient",
        depthwise_gradient,
        depthwise_gradient_cases,
        {"stride": STRIDE, "pad": PAD, "dilation": DILATION},
        {
            "windows that overlap overwrite each other in dx: +=": lambda v: _depthwise_loops(
                v, add=False
            ),
            "the kernel is turned by half a turn": lambda v: _depthwise_loops(v, turn=True),
            "dw is of the first image only": lambda v: _depthwise_loops(v, first=True),
            "dx and dw are exchanged": changed(depthwise_gradient, lambda r, *a: r[::-1]),
            "dw is divided by the number of images; the loss has done that": changed(
                depthwise_gradient, lambda r, dz, x, w: (r[0], r[1] / len(x))
            ),
        },
        returns=("dx", "dw"),
    ),
    Question(
        "transposed_gradient",
        transposed_gradient,
        transposed_gradient_cases,
        {"step": STEP, "crop": CROP, "axes": AXES},
        {
            "dx and dw are exchanged": changed(transposed_gradient, lambda r, *a: r[::-1]),
            "the kernel is turned by half a turn": given(
                transposed_gradient, lambda da, x, w: (da, x, w[::-1, ::-1])
            ),
            "rows and columns of the kernel are exchanged": given(
                transposed_gradient, lambda da, x, w: (da, x, w.swapaxes(0, 1))
            ),
            "dw is divided by the number of images; the loss has done that": changed(
                transposed_gradient, lambda r, da, x, w: (r[0], r[1] / len(x))
            ),
        },
        returns=("dx", "dw"),
    ),
]


def data(rng, variants):
    """A garment of the student's, kernels, a gradient from above, and a weight to nudge.

    Returns ``x`` (1, 14, 14, 2), a garment and the same upside down; ``w`` (3, 3, 2), the kernels
    of a depthwise convolution; ``da``, the gradient of the loss with respect to the pooled map;
    and ``place``, the index of a weight, (r, t, c).
    """
    images = datasets.fashion_mnist("quick").train_images
    image = images[int(rng.integers(len(images)))].astype(float)[::2, ::2] / 255
    x, w = np.stack([image, image[::-1]], axis=-1)[None], rng.normal(size=(3, 3, 2))
    x = x + rng.uniform(0, 0.01, x.shape)  # so that no two pixels are equal
    z = depthwise(variants["depthwise_gradient"])(x, w)[0]
    stride = variants["pool_gradient"]["stride"]
    sides = [(side + 2 - SIZE) // stride + 1 for side in z.shape[1:3]]
    place = tuple(int(i) for i in rng.integers(0, (3, 3, 2)))
    return {"x": x, "w": w, "da": rng.normal(size=(1, *sides, 2)), "place": place}


def slope(data, variants):
    """The derivative of Σ da · pool(depthwise(x, w)) with respect to w at ``place``."""
    z = depthwise(variants["depthwise_gradient"])(data["x"], data["w"])[0]
    dz = pool_gradient(variants["pool_gradient"])(data["da"], z)
    return depthwise_gradient(variants["depthwise_gradient"])(dz, data["x"], data["w"])[1][
        data["place"]
    ]


ASSIGNMENT = Assignment(
    "a2", "Gradients that the book does not hold", QUESTIONS, "slope", data, slope
)
