"""Checks of the functions that the reader of lab 08 writes: a change, a loss, a meter.

Arrays are float64. Nothing here needs TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def brighten(images, factors):
    """Each image (n, h, w) from 0 to 1 times its own factor (n,); what exceeds 1 becomes 1."""
    return np.minimum(images * factors[:, None, None], 1)


def nt_xent(a, b, temperature):
    """Mean over the 2N rows of the cross-entropy with which a row picks its partner."""
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similar = z @ z.T / temperature
    np.fill_diagonal(similar, -np.inf)
    partner = np.roll(np.arange(len(z)), len(a))
    picked = similar[np.arange(len(z)), partner]
    return (np.log(np.exp(similar).sum(axis=1)) - picked).mean()


def effective_rank(z):
    """exp of the entropy of the singular values of z (n, d), as shares of their sum."""
    values = np.linalg.svd(z, compute_uv=False)
    shares = values[values > 0] / values.sum()
    return np.exp(-(shares * np.log(shares)).sum())


def brighten_cases(rng):
    yield case("one pixel, 0.4 times 2", np.full((1, 1, 1), 0.4), np.array([2.0]))
    yield case("one pixel that grows above 1", np.full((1, 1, 1), 0.8), np.array([1.5]))
    for n, h, w in [(3, 2, 4), (4, 4, 4), (2, 5, 3), (5, 3, 5)]:
        images = rng.uniform(0, 1, (n, h, w))
        yield case(f"{n} images of {h}×{w}", images, rng.uniform(0.4, 1.6, n))
    yield case("factors below 1", rng.uniform(0, 1, (3, 3, 3)), rng.uniform(0.1, 0.9, 3))
    yield case("a factor of 0", rng.uniform(0, 1, (2, 2, 3)), np.array([0.0, 1.3]))


def nt_xent_cases(rng):
    square = np.eye(2), np.eye(2)
    yield case("two images, views that agree, temperature 1", *square, 1.0)
    yield case("views that agree, but for their lengths", 3 * np.eye(2), 0.5 * np.eye(2), 1.0)
    yield case("two images, temperature 0.5", *rng.normal(size=(2, 2, 3)), 0.5)
    for n, d, temperature in [(3, 4, 0.2), (5, 2, 0.1), (2, 6, 0.7), (6, 6, 2.0)]:
        a = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, (n, 1))
        b = a + rng.normal(size=(n, d))
        yield case(f"{n} images, {d} numbers, temperature {temperature}", a, b, temperature)
    same = np.ones((4, 3))
    yield case("collapsed: all rows the same", same, 2 * same, 0.2)


def rank_cases(rng):
    yield case("two rows at right angles", np.eye(2))
    yield case("singular values 3 and 1", np.diag([3.0, 1.0]))
    yield case("one column of zeros", np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    for n, d in [(6, 3), (4, 4), (3, 5), (20, 4)]:
        yield case(f"{n} rows of {d}", rng.normal(size=(n, d)))
    yield case("far from 0: a large mean", 5 + rng.normal(size=(8, 3)))
    yield case("all rows the same", np.ones((5, 1)) * rng.normal(size=3))
    yield case("numbers of very different size", rng.normal(size=(7, 3)) * [1, 10, 100])


def _loss(a, b, temperature, *, length=True, diagonal=False, views=(0, 1), total=np.mean):
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True) if length else z
    similar = z @ z.T / temperature
    if not diagonal:
        np.fill_diagonal(similar, -np.inf)
    count = len(a)
    rows = np.concatenate([np.arange(count) + count * view for view in views])
    picked = similar[rows, (rows + count) % len(z)]
    return total(np.log(np.exp(similar[rows]).sum(axis=1)) - picked)


def _across(a, b, temperature):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    similar = a @ b.T / temperature
    return (np.log(np.exp(similar).sum(axis=1)) - np.diag(similar)).mean()


def _without_partner(a, b, temperature):
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similar = z @ z.T / temperature
    rows, partner = np.arange(len(z)), np.roll(np.arange(len(z)), len(a))
    picked = similar[rows, partner].copy()
    similar[rows, rows] = similar[rows, partner] = -np.inf
    with np.errstate(divide="ignore"):
        return (np.log(np.exp(similar).sum(axis=1)) - picked).mean()


def _neighbor(a, b, temperature):
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similar = z @ z.T / temperature
    np.fill_diagonal(similar, -np.inf)
    rows = np.arange(len(z))
    return (np.log(np.exp(similar).sum(axis=1)) - similar[rows, rows ^ 1]).mean()


def _squared_length(a, b, temperature):
    a, b = (x / (x**2).sum(axis=1, keepdims=True) for x in (a, b))
    return _loss(a, b, temperature, length=False)


def _column_length(a, b, temperature):
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=0, keepdims=True)
    return _loss(*np.split(z, 2), temperature, length=False)


def _entropy(z, power=1):
    values = np.linalg.svd(z, compute_uv=False) ** power
    shares = values[values > 0] / values.sum()
    return -(shares * np.log(shares)).sum()


def _naive_entropy(z):
    values = np.linalg.svd(z, compute_uv=False)
    shares = values / values.sum()
    with np.errstate(all="ignore"):
        return np.exp(-(shares * np.log(shares)).sum())


def _participation(z):
    values = np.linalg.svd(z, compute_uv=False)
    return values.sum() ** 2 / (values**2).sum()


def _by_largest(z):
    values = np.linalg.svd(z, compute_uv=False)
    shares = values[values > 0] / values.max()
    return np.exp(-(shares * np.log(shares)).sum())


def _spread_of(images, factors):
    return np.minimum(images * factors.mean(), 1)


CHECKS = [
    Check(
        "brighten",
        brighten,
        brighten_cases,
        {
            "nothing is cut off at 1": lambda x, f: x * f[:, None, None],
            "all images get the same factor": _spread_of,
            "all images get the first factor": lambda x, f: np.minimum(x * f[0], 1),
            "the factor is added": lambda x, f: np.minimum(x + f[:, None, None], 1),
            "it is divided by the factor": lambda x, f: np.minimum(
                x / np.maximum(f[:, None, None], 1e-300), 1
            ),
            "factors above 1 are taken as 1": lambda x, f: x * np.minimum(f, 1)[:, None, None],
            "the image is brought to a maximum of 1": lambda x, f: (
                x * f[:, None, None] / np.maximum((x * f[:, None, None]).max(), 1)
            ),
        },
    ),
    Check(
        "nt_xent",
        nt_xent,
        nt_xent_cases,
        {
            "the rows are not brought to length 1": lambda a, b, t: _loss(a, b, t, length=False),
            "a row is compared with itself, too": lambda a, b, t: _loss(a, b, t, diagonal=True),
            "it is multiplied by the temperature": lambda a, b, t: nt_xent(a, b, 1 / t),
            "the temperature is left out": lambda a, b, t: nt_xent(a, b, 1.0),
            "only the rows of the first view pick": lambda a, b, t: _loss(a, b, t, views=(0,)),
            "only the rows of the second view pick": lambda a, b, t: _loss(a, b, t, views=(1,)),
            "the sum stands where the mean belongs": lambda a, b, t: _loss(a, b, t, total=np.sum),
            "a row is compared with the other view only": _across,
            "the partner is left out of the sum below": _without_partner,
            "the partner is the next row, not the same image in the other view": _neighbor,
            "the rows are divided by the square of their length": _squared_length,
            "the columns, not the rows, are brought to length 1": _column_length,
            "the sign is the other one": lambda a, b, t: -nt_xent(a, b, t),
        },
    ),
    Check(
        "effective_rank",
        effective_rank,
        rank_cases,
        {
            "the mean row is taken off first": lambda z: effective_rank(z - z.mean(axis=0)),
            "the exponential is left out": _entropy,
            "the squares of the singular values are taken": lambda z: np.exp(_entropy(z, 2)),
            "0 times log 0 is left as it comes, not a number": _naive_entropy,
            "singular values above 0 are counted": lambda z: np.linalg.matrix_rank(z) * 1.0,
            "shares are of the largest, not of the sum": _by_largest,
            "it is the sum of the shares squared, not their entropy": _participation,
            "the logarithm is that to base 2": lambda z: np.exp(_entropy(z) / np.log(2)),
            "the minus is left out": lambda z: np.exp(-_entropy(z)),
            "each row is brought to length 1": lambda z: effective_rank(
                z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-300)
            ),
        },
    ),
]
