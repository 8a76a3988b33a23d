"""Checks of the functions that the reader of lab 00 writes: a linear classifier and its rival.

Letters are those of ``chapters/notation.md``. A picture is a row of C numbers, float64.
"""

import numpy as np

from helpers.check.engine import Check, case
from helpers.check.forward import softmax


def scores(x, w, b):
    """z (N, K): picture n times template k, number by number, summed, plus b[k]."""
    return x @ w + b


def cross_entropy(z, y):
    """The mean over the pictures of −log p[y], where p is the softmax of z (N, K)."""
    p = softmax(z)
    return -np.log(p[np.arange(len(y)), y]).mean()


def linear_gradient(x, p, y):
    """dw (C, K) and db (K,) of the mean cross-entropy of z = x w + b, with p = softmax(z)."""
    dz = p.copy()
    dz[np.arange(len(y)), y] -= 1
    dz /= len(y)
    return x.T @ dz, dz.sum(axis=0)


def descent_step(w, dw, rate):
    """The weights after one step of gradient descent."""
    return w - rate * dw


def accuracy_interval(right):
    """(share, low, high): the share of ``True`` in (n,), and 1.96 standard errors to each side."""
    share = right.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / len(right))
    return share, share - half, share + half


def nearest(x, pictures):
    """(N,) for each row of x the index of the row of ``pictures`` at the least distance."""
    distances = ((x[:, None] - pictures) ** 2).sum(axis=2)
    return distances.argmin(axis=1)


def scores_cases(rng):
    x = np.array([[1.0, 2.0]])
    yield case("a picture of 2 pixels, one class", x, np.array([[3.0], [1.0]]), np.array([0.5]))
    for n, c, k in [(2, 3, 3), (1, 4, 2), (3, 3, 3), *rng.integers(2, 7, (3, 3))]:
        arrays = (rng.normal(size=size) for size in ((n, c), (c, k), k))
        yield case(f"{n} pictures of {c} pixels, {k} classes", *arrays)


def cross_entropy_cases(rng):
    yield case("one picture, two equal scores", np.zeros((1, 2)), np.array([0]))
    yield case("one picture, ten equal scores", np.full((1, 10), 3.0), np.array([7]))
    for n, k in [(3, 3), (1, 4), (5, 2), *rng.integers(2, 7, (3, 2))]:
        yield case(f"{n} pictures, {k} classes", 2 * rng.normal(size=(n, k)), rng.integers(0, k, n))


def linear_gradient_cases(rng):
    x = np.array([[1.0, 2.0]])
    yield case("one picture, two classes", x, np.array([[0.25, 0.75]]), np.array([0]))
    for n, c, k in [(3, 3, 3), (1, 4, 2), (6, 2, 3), *rng.integers(2, 7, (3, 3))]:
        p, y = softmax(rng.normal(size=(n, k))), rng.integers(0, k, n)
        yield case(f"{n} pictures of {c} pixels, {k} classes", rng.normal(size=(n, c)), p, y)


def descent_step_cases(rng):
    yield case("w = [1], dw = [2], rate 0.1", np.array([1.0]), np.array([2.0]), 0.1)
    for shape in ((3,), (4, 2)):
        w, dw = rng.normal(size=(2, *shape))
        yield case(f"shape {shape}", w, dw, float(rng.uniform(0.01, 2)))


def accuracy_interval_cases(rng):
    yield case("3 of 4 right", np.array([True, True, False, True]))
    yield case("all right", np.ones(5, bool))
    yield case("none right", np.zeros(3, bool))
    for n in rng.integers(6, 300, 3):
        yield case(f"{n} pictures", rng.random(int(n)) < 0.7)


def nearest_cases(rng):
    pictures = np.array([[0.0, 0.0], [1.0, 1.0], [4.0, 0.0]])
    yield case("three pictures of 2 pixels", np.array([[0.9, 0.8], [3.0, 0.1]]), pictures)
    yield case(
        "pictures that know themselves", 5 + rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    )
    bright = np.concatenate([rng.normal(size=(4, 5)), 20 + rng.normal(size=(4, 5))])
    yield case("some pictures brighter than others", 8 * rng.normal(size=(6, 5)), bright)
    for n, m, c in rng.integers(3, 9, (4, 3)):
        x, pictures = (
            2 * rng.normal(size=(n, c)),
            rng.normal(size=(m, c)) * rng.uniform(0.2, 3, (m, 1)),
        )
        yield case(f"{n} pictures among {m}, {c} pixels", x, pictures)


def _both(change):
    """linear_gradient with (dw, db) changed."""
    return lambda x, p, y: change(*linear_gradient(x, p, y), x, p)


def _half(z, root=True, factor=1.96):
    """accuracy_interval with another half width."""
    share = z.mean()
    half = share * (1 - share) / len(z)
    half = factor * (np.sqrt(half) if root else half)
    return share, share - half, share + half


def _without_n(right):
    share = right.mean()
    half = 1.96 * np.sqrt(share * (1 - share))
    return share, share - half, share + half


CHECKS = [
    Check(
        "scores",
        scores,
        scores_cases,
        {
            "b is left out": lambda x, w, b: x @ w,
            "b is subtracted": lambda x, w, b: x @ w - b,
            "w is transposed": lambda x, w, b: x @ w.T + b,
        },
    ),
    Check(
        "cross_entropy",
        cross_entropy,
        cross_entropy_cases,
        {
            "it is the sum over the pictures, not the mean": lambda z, y: (
                cross_entropy(z, y) * len(y)
            ),
            "the minus is missing": lambda z, y: -cross_entropy(z, y),
            "the logarithm is to base 2": lambda z, y: cross_entropy(z, y) / np.log(2),
            "it is the mean of the probabilities, without the logarithm": lambda z, y: softmax(z)[
                np.arange(len(y)), y
            ].mean(),
            "it is the logarithm of the mean, not the mean of the logarithms": lambda z, y: (
                -np.log(softmax(z)[np.arange(len(y)), y].mean())
            ),
            "all classes count, not the right one alone": lambda z, y: -np.log(softmax(z)).mean(),
            "p[:, y] takes whole columns: p[np.arange(len(y)), y] takes one number a row": (
                lambda z, y: -np.log(softmax(z)[:, y]).mean()
            ),
            "it is not yet averaged": lambda z, y: -np.log(softmax(z)[np.arange(len(y)), y]),
        },
    ),
    Check(
        "linear_gradient",
        linear_gradient,
        linear_gradient_cases,
        {
            "this is the gradient of the sum, not of the mean": _both(
                lambda dw, db, x, p: (dw * len(x), db * len(x))
            ),
            "the 1 of the right class is not subtracted": _both(
                lambda dw, db, x, p: (x.T @ p / len(x), p.mean(axis=0))
            ),
            "the sign is wrong": _both(lambda dw, db, x, p: (-dw, -db)),
            "dw is transposed": _both(lambda dw, db, x, p: (dw.T, db)),
            "db is the mean where the sum belongs": _both(lambda dw, db, x, p: (dw, db / len(x))),
            "db keeps an axis of length 1": _both(lambda dw, db, x, p: (dw, db[None])),
        },
        returns=("dw", "db"),
    ),
    Check(
        "descent_step",
        descent_step,
        descent_step_cases,
        {
            "it goes up, not down": lambda w, dw, rate: w + rate * dw,
            "the rate is not used": lambda w, dw, rate: w - dw,
            "the old weights are forgotten": lambda w, dw, rate: -rate * dw,
            "it divides by the rate": lambda w, dw, rate: w - dw / rate,
        },
    ),
    Check(
        "accuracy_interval",
        accuracy_interval,
        accuracy_interval_cases,
        {
            "the square root is missing": lambda right: _half(right, root=False),
            "it is not divided by the number of pictures": _without_n,
            "it is one standard error wide, not 1.96": lambda right: _half(right, factor=1.0),
            "half of the width is missing": lambda right: _half(right, factor=0.98),
        },
        returns=("share", "low", "high"),
    ),
    Check(
        "nearest",
        nearest,
        nearest_cases,
        {
            "it is the farthest": lambda x, pictures: (
                ((x[:, None] - pictures) ** 2).sum(axis=2).argmax(axis=1)
            ),
            "the differences are not squared, so they cancel": lambda x, pictures: (
                (x[:, None] - pictures).sum(axis=2).argmin(axis=1)
            ),
            "it is the largest product, so the brightest picture wins": lambda x, pictures: (
                x @ pictures.T
            ).argmax(axis=1),
            "it is the distance, not the index": lambda x, pictures: (
                ((x[:, None] - pictures) ** 2).sum(axis=2).min(axis=1)
            ),
            "each of the pictures is given its nearest x": lambda x, pictures: nearest(pictures, x),
        },
    ),
]
