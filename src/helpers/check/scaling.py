"""Checks of the functions that the reader of lab 14 writes: one gradient from many, a ring, a law.

Gradients are (workers, numbers) float64, one row a worker.
"""

import numpy as np

from helpers.check.engine import Check, case


def whole_gradient(gradients, counts):
    """The mean gradient over all images, from each worker's mean over its ``counts`` images."""
    shares = counts / counts.sum()
    return shares @ gradients


def ring_all_reduce(vectors):
    """The sum of all rows, at every worker, and how many numbers each worker has sent for it."""
    workers, n = vectors.shape
    held = vectors.reshape(workers, workers, n // workers).copy()  # worker, part, number
    sent = 0
    for lap in range(workers - 1):  # worker u sends a part on; the next one adds it to its own
        for u in range(workers):
            part = (u - lap) % workers
            held[(u + 1) % workers, part] += held[u, part]
        sent += n // workers
    for lap in range(workers - 1):  # worker u has the whole sum of part u + 1
        for u in range(workers):
            part = (u + 1 - lap) % workers
            held[(u + 1) % workers, part] = held[u, part]
        sent += n // workers
    return held.reshape(workers, n), sent


def power_law(sizes, errors):
    """exponent and factor of error = factor · size ** −exponent: least squares of the logs."""
    slope, height = np.polyfit(np.log(sizes), np.log(errors), 1)
    return -slope, np.exp(height)


def whole_gradient_cases(rng):
    yield case("2 workers, 1 and 3 images", np.array([[4.0], [0.0]]), np.array([1, 3]))
    yield case("2 workers, 2 images each", np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([2, 2]))
    yield case("one worker", rng.normal(size=(1, 4)), np.array([5]))
    idle = np.array([[0.0, 0.0], [2.0, 1.0], [-1.0, 3.0]])
    yield case("a worker without images", idle, np.array([0, 3, 7]))
    for workers, n in zip((2, 3, 4, 5, 8), rng.integers(1, 6, 5), strict=True):
        counts = 1 + rng.permutation(workers + 3)[:workers]
        yield case(f"{workers} workers", rng.normal(size=(workers, n)), counts)


def ring_cases(rng):
    yield case("2 workers, 2 numbers", np.array([[1.0, 2.0], [10.0, 20.0]]))
    yield case("3 workers, 3 numbers", np.array([[1.0, 2, 3], [10, 20, 30], [100, 200, 300]]))
    yield case("one worker", rng.normal(size=(1, 3)))
    for workers, each in ((2, 3), (3, 2), (4, 1), (5, 2), (8, 3)):
        vectors = rng.normal(size=(workers, workers * each))
        yield case(f"{workers} workers, {workers * each} numbers", vectors)


def power_law_cases(rng):
    yield case("2 / √n", np.array([1.0, 4.0, 16.0]), np.array([2.0, 1.0, 0.5]))
    yield case("0.5 · n^−1", np.array([10.0, 20.0, 50.0]), np.array([0.05, 0.025, 0.01]))
    yield case("an error that rises", np.array([1.0, 10.0, 30.0]), np.array([0.1, 0.2, 0.3]))
    for runs in (4, 5, 6, 8, 9):
        sizes = np.sort(rng.uniform(100, 10_000, runs))
        noise = np.exp(rng.normal(0, 0.1, runs))
        errors = rng.uniform(1, 3) * sizes ** -rng.uniform(0.15, 0.6) * noise
        yield case(f"{runs} runs with scatter", sizes, errors)


def _sums(vectors):
    return np.repeat(vectors.sum(axis=0)[None], len(vectors), axis=0)


def _sent(vectors):
    return 2 * (len(vectors) - 1) * (vectors.shape[1] // len(vectors))


def _laps(vectors, again):
    """The ring with its second time around left out (0), or adding once more (1)."""
    workers, n = vectors.shape
    held, sent = vectors.reshape(workers, workers, n // workers).copy(), 0
    for lap in range((workers - 1) * (1 + again)):
        for u in range(workers):
            part = (u - lap) % workers
            held[(u + 1) % workers, part] += held[u, part]
        sent += n // workers
    return held.reshape(workers, n), sent


def _line(x, y):
    slope, height = np.polyfit(x, y, 1)
    return -slope, height


def _other_axis(sizes, errors):
    slope, height = np.polyfit(np.log(errors), np.log(sizes), 1)
    return -1 / slope, np.exp(-height / slope)


def _ends(sizes, errors):
    x, y = np.log(sizes), np.log(errors)
    exponent = -(y[-1] - y[0]) / (x[-1] - x[0])
    return exponent, np.exp(y[0] + exponent * x[0])


CHECKS = [
    Check("whole_gradient", whole_gradient, whole_gradient_cases, {
        "every worker counts the same, however few images it has": lambda g, c: g.mean(axis=0),
        "the gradients are added up, not averaged": lambda g, c: g.sum(axis=0),
        "the weighted sum is not divided by the number of images": lambda g, c: c @ g,
        "the weighted sum is divided by the number of workers": lambda g, c: c @ g / len(c),
        "each gradient is divided by its own count": lambda g, c: (
            g / np.maximum(c, 1)[:, None]
        ).sum(axis=0),
        "the counts are divided by the largest, not by their sum": lambda g, c: c @ g / c.max(),
        "the worker with the most images stands for all": lambda g, c: g[c.argmax()],
        "the counts are squared": lambda g, c: c**2 @ g / (c**2).sum(),
    }),
    Check("ring_all_reduce", ring_all_reduce, ring_cases, {
        "the sums are complete, but not handed on: a second time around is missing": (
            lambda v: _laps(v, 0)
        ),
        "the mean comes out, not the sum": lambda v: (_sums(v) / len(v), _sent(v)),
        "the second time around adds, where it should overwrite": lambda v: _laps(v, 1),
        "only one of the two times around is counted": lambda v: (_sums(v), _sent(v) // 2),
        "what all workers send is counted, not what each sends": lambda v: (
            _sums(v), _sent(v) * len(v),
        ),
        "every worker sends everything to every other, which is no ring": lambda v: (
            _sums(v), (len(v) - 1) * v.shape[1],
        ),
        "the messages are counted, not the numbers in them": lambda v: (
            _sums(v), 2 * (len(v) - 1),
        ),
        "one round too many is counted": lambda v: (_sums(v), 2 * v.shape[1]),
        "the workers keep their own numbers": lambda v: (v.copy(), _sent(v)),
    }, returns=("sums", "sent")),
    Check("power_law", power_law, power_law_cases, {
        "the exponent has the wrong sign": lambda n, e: (
            -power_law(n, e)[0], power_law(n, e)[1],
        ),
        "the factor is still a logarithm": lambda n, e: _line(np.log(n), np.log(e)),
        "exponent and factor are exchanged": lambda n, e: power_law(n, e)[::-1],
        "the sizes are not logarithms": lambda n, e: (
            _line(n, np.log(e))[0], np.exp(_line(n, np.log(e))[1]),
        ),
        "the errors are not logarithms": lambda n, e: _line(np.log(n), e),
        "nothing is a logarithm: this is a straight line": lambda n, e: _line(n, e),
        "logarithms to base 10 are undone with exp": lambda n, e: (
            power_law(n, e)[0], np.exp(_line(np.log10(n), np.log10(e))[1]),
        ),
        "the sizes are fitted against the errors": _other_axis,
        "only the first and the last run are used": _ends,
    }, returns=("exponent", "factor")),
]  # fmt: skip
