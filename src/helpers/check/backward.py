"""Checks of the functions that the reader of lab 03 writes: backward passes, plainly.

Every function takes the gradient of its output first; ``helpers.layers`` has them fast.
"""

import numpy as np

from helpers.check import backward_plain as plain
from helpers.check.backward_plain import MISTAKES
from helpers.check.engine import Check, case


def _squares(x):
    return float((x**2).sum())


def _cubes(x):
    return float((x**3).sum() - 2 * x.sum())


def numerical_gradient_cases(rng):
    yield case("the sum of squares at [3]", _squares, np.array([3.0]), 1e-5)
    yield case("the sum of squares of 4 numbers", _squares, rng.normal(size=4), 1e-5)
    yield case("a sum of cubes with the large step h = 0.1", _cubes, rng.normal(size=3), 0.1)
    for shape in ((2, 3), (3, 1, 2)):
        x, a = rng.normal(size=shape), rng.normal(size=shape)
        yield case(f"another weight for each entry, x of shape {shape}", _weighted(a), x, 1e-3)


def _weighted(a):
    return lambda x: float((a * x**3).sum() + x.prod())


def softmax_cross_entropy_cases(rng):
    yield case("logits [[2, 1, 0]], label 1", np.array([[2.0, 1.0, 0.0]]), np.array([1]))
    for n, k in [(4, 3), (2, 5), *rng.integers(2, 7, (3, 2))]:
        labels = rng.integers(k, size=n)
        yield case(f"{n} rows of {k} logits", rng.normal(size=(n, k)), labels)
    yield case("logits around 1,000", 1000 + rng.normal(size=(3, 4)), rng.integers(4, size=3))
    yield case("a label that gets the probability 0", np.array([[0.0, 2000.0]]), np.array([0]))


def relu_backward_cases(rng):
    yield case(
        "z = [-1, 0, 2], da = [5, 6, 7]", np.array([5.0, 6.0, 7.0]), np.array([-1.0, 0.0, 2.0])
    )
    for shape in ((4, 5), (2, 3, 4, 2), (1, 2, 3)):
        z = rng.normal(size=shape)
        z.flat[0] = 0
        yield case(f"arrays of shape {shape}", rng.normal(size=shape), z)


def dense_backward_cases(rng):
    one = np.array([[1.0, 2.0]])
    yield case(
        "one image, x = [[1, 2]], dz = [[3]]", np.array([[3.0]]), one, np.array([[4.0], [5.0]])
    )
    for n, c, k in [(3, 3, 3), (1, 4, 2), (5, 2, 3), *rng.integers(1, 6, (3, 3))]:
        sizes = (n, k), (n, c), (c, k)
        yield case(f"x {n}×{c}, w {c}×{k}", *(rng.normal(size=size) for size in sizes))


def conv2d_backward_cases(rng):
    def draw(n, h, w, c, k, size, stride):
        outputs = [(side - size) // stride + 1 for side in (h, w)]
        x, kernels = rng.normal(size=(n, h, w, c)), rng.normal(size=(size, size, c, k))
        return rng.normal(size=(n, *outputs, k)), x, kernels, stride

    yield case("one output: an image and a kernel of 2×2", *draw(1, 2, 2, 1, 1, 2, 1))
    yield case("one image of 4×4, one kernel of 3×3", *draw(1, 4, 4, 1, 1, 3, 1))
    yield case("two images, three filters", *draw(2, 4, 4, 1, 3, 3, 1))
    yield case("three channels, two filters", *draw(1, 4, 4, 3, 2, 2, 1))
    yield case("an image higher than wide", *draw(1, 6, 4, 2, 2, 3, 1))
    yield case("stride 2", *draw(2, 7, 5, 2, 3, 3, 2))
    yield case("stride 2, and a last row that no window sees", *draw(1, 6, 7, 1, 2, 3, 2))
    h, w, size, stride = (int(a) for a in rng.integers((5, 5, 1, 1), (8, 8, 5, 4)))
    label = f"images of {h}×{w}, kernels of {size}×{size}, stride {stride}"
    yield case(label, *draw(2, h, w, 2, 2, size, stride))


def max_pool_backward_cases(rng):
    def draw(n, h, w, c, size, stride):
        outputs = [(side - size) // stride + 1 for side in (h, w)]
        return rng.normal(size=(n, *outputs, c)), rng.normal(size=(n, h, w, c)), size, stride

    yield case("one window of 2×2", *draw(1, 2, 2, 1, 2, 2))
    yield case("windows side by side: size 2, stride 2", *draw(1, 6, 6, 1, 2, 2))
    x = np.ones((1, 5, 5, 1))
    x[0, 2, 2, 0] = 7.0
    da = np.array([[1.0, 2.0], [-1.0, 3.0]])[None, :, :, None]
    yield case("one pixel wins four windows that overlap", da, x, 3, 2)
    yield case("several images and channels", *draw(2, 7, 7, 3, 3, 2))
    yield case(
        "negative values only", draw(1, 5, 5, 2, 3, 2)[0], -1 - rng.random((1, 5, 5, 2)), 3, 2
    )
    yield case("an image higher than wide", *draw(1, 9, 5, 2, 3, 2))
    yield case("a last row and column that no window sees", *draw(1, 6, 8, 2, 3, 2))
    yield case(
        "equal values: the first wins", draw(1, 5, 5, 1, 3, 2)[0], np.zeros((1, 5, 5, 1)), 3, 2
    )
    h, w, size, stride = (int(a) for a in rng.integers((5, 5, 2, 1), (9, 9, 5, 4)))
    yield case(f"images of {h}×{w}, size {size}, stride {stride}", *draw(2, h, w, 2, size, stride))


def momentum_step_cases(rng):
    one = np.ones(1)
    yield case("w = v = dw = 1, rate 0.1, no decay", one, one, one, 0.1, 0.9, 0.0)
    yield case("no momentum, no decay", *rng.normal(size=(3, 4)), 0.1, 0.0, 0.0)
    yield case("momentum 0.9, no decay", *rng.normal(size=(3, 4)), 0.1, 0.9, 0.0)
    yield case("decay only", rng.normal(size=4), np.zeros(4), np.zeros(4), 0.1, 0.9, 0.5)
    for shape in ((2, 3), (2, 2, 1, 3)):
        rate, momentum, decay = rng.uniform(0.1, 0.9, 3)
        label = f"arrays of shape {shape}, all three at work"
        yield case(label, *rng.normal(size=(3, *shape)), rate, momentum, decay)


CHECKS = [
    Check(
        "numerical_gradient",
        plain.numerical_gradient,
        numerical_gradient_cases,
        MISTAKES["numerical_gradient"],
        tolerance=1e-6,
    ),
    Check(
        "softmax_cross_entropy",
        plain.softmax_cross_entropy,
        softmax_cross_entropy_cases,
        MISTAKES["softmax_cross_entropy"],
        returns=("loss", "dlogits"),
    ),
    Check(
        "relu_backward",
        plain.relu_backward,
        relu_backward_cases,
        MISTAKES["relu_backward"],
        fresh=True,
    ),
    Check(
        "dense_backward",
        plain.dense_backward,
        dense_backward_cases,
        MISTAKES["dense_backward"],
        returns=("dx", "dw", "db"),
    ),
    Check(
        "conv2d_backward",
        plain.conv2d_backward,
        conv2d_backward_cases,
        MISTAKES["conv2d_backward"],
        returns=("dx", "dw"),
    ),
    Check(
        "max_pool_backward",
        plain.max_pool_backward,
        max_pool_backward_cases,
        MISTAKES["max_pool_backward"],
    ),
    Check(
        "momentum_step",
        plain.momentum_step,
        momentum_step_cases,
        MISTAKES["momentum_step"],
        returns=("w", "v"),
        fresh=True,
    ),
]
