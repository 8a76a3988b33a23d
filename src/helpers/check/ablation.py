"""Checks of the functions that the reader of lab 05 writes: a test, an effect, a correction.

Arrays are float64. Nothing here needs TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def sign_flip(d):
    """The share of all ways to flip signs of d (E,) whose mean is as far from 0 as that of d."""
    n = len(d)
    flips = np.arange(2**n)[:, None] >> np.arange(n) & 1
    means = ((1 - 2 * flips) * d).mean(axis=1)
    return np.mean(np.abs(means) >= abs(d.mean()) - 1e-12)


def detectable(d, threshold):
    """The difference that as many pairs with the spread of d would show four times in five."""
    return (threshold + 0.84) * d.std(ddof=1) / np.sqrt(len(d))


def holm(p):
    """The p-values p, corrected by Holm for being many."""
    order = np.argsort(p)
    corrected = np.zeros(len(p))
    largest = 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[k]))
        corrected[k] = largest
    return corrected


def flip_cases(rng):
    yield case("one difference", np.array([2.0]))
    yield case("two, both above 0", np.array([1.0, 2.0]))
    yield case("two, one on each side", np.array([3.0, -1.0]))
    yield case("five, all above 0", np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    yield case("five, all below 0", -np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    for n in (4, 6, 8, 10):
        yield case(f"{n} differences", rng.normal(0.004, 0.006, n))
    yield case("many that are equal", np.array([1.0, 1.0, 1.0, -1.0, 1.0, 1.0]))
    yield case("a mean of exactly 0", np.array([1.0, -1.0, 2.0, -2.0]))


def detectable_cases(rng):
    yield case("two differences, t = 1", np.array([1.0, 3.0]), 1.0)
    for n, t in [(3, 4.303), (5, 2.776), (10, 2.262), (20, 2.093)]:
        yield case(f"{n} differences, t = {t}", rng.normal(0.003, 0.004, n), t)
    yield case("differences far from 0", 5 + rng.normal(0, 0.1, 4), 3.182)


def holm_cases(rng):
    yield case("one p-value", np.array([0.03]))
    yield case("two, in order", np.array([0.01, 0.04]))
    yield case("two, not in order", np.array([0.04, 0.01]))
    yield case("one that would fall below another", np.array([0.02, 0.021, 0.5]))
    yield case("large ones", np.array([0.6, 0.9, 0.4]))
    yield case("two that are equal", np.array([0.02, 0.3, 0.02]))
    for m in (4, 7, 12):
        yield case(f"{m} p-values", rng.uniform(0, 1, m) ** 3)


def _flipped(d, compare=np.greater_equal, two=True, count=np.mean, statistic=np.mean):
    n = len(d)
    flips = np.arange(2**n)[:, None] >> np.arange(n) & 1
    found = statistic((1 - 2 * flips) * d, axis=1)
    seen = statistic(d[None], axis=1)[0]
    slack = -1e-12 if compare is np.greater_equal else 1e-12
    if two:
        found, seen = np.abs(found), abs(seen)
    return count(compare(found, seen + slack))


def _signs_only(d):
    return _flipped(np.sign(d))


def _all_at_once(d):
    """Only two patterns: all as they are, or all flipped."""
    return 1.0


def _left_out(d):
    """A flipped difference is left out, not turned around."""
    n = len(d)
    kept = 1 - (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    return np.mean(np.abs((kept * d).mean(axis=1)) >= abs(d.mean()) - 1e-12)


def _stepwise(p, *, factor=None, monotone=True, capped=True, ordered=True):
    order = np.argsort(p)
    m, out, largest = len(p), np.zeros(len(p)), 0.0
    for rank, k in enumerate(order):
        value = (factor(m, rank) if factor else m - rank) * p[k]
        value = min(1.0, value) if capped else value
        largest = max(largest, value) if monotone else value
        out[k if ordered else rank] = largest
    return out


def _hochberg(p):
    """Step-up: the least of those above, not the largest of those below."""
    order = np.argsort(p)[::-1]
    out, least = np.zeros(len(p)), 1.0
    for rank, k in enumerate(order):
        least = min(least, (rank + 1) * p[k])
        out[k] = least
    return out


def _discovery(p):
    order = np.argsort(p)[::-1]
    m, out, least = len(p), np.zeros(len(p)), 1.0
    for rank, k in enumerate(order):
        least = min(least, m / (m - rank) * p[k])
        out[k] = least
    return out


CHECKS = [
    Check(
        "sign_flip",
        sign_flip,
        flip_cases,
        {
            "only one side is counted": lambda d: _flipped(d, two=False),
            "means as far as the one seen are not counted": lambda d: _flipped(d, np.greater),
            "they are counted, not their share": lambda d: _flipped(d, count=np.sum),
            "the medians are compared, not the means": lambda d: _flipped(d, statistic=np.median),
            "only the signs of the differences count, not their sizes": _signs_only,
            "all signs are flipped together": _all_at_once,
            "a difference is left out, not turned around": _left_out,
            "it is the share of those nearer to 0": lambda d: 1 - sign_flip(d),
            "one pattern is counted too many": lambda d: sign_flip(d) + 0.5 ** len(d),
        },
    ),
    Check(
        "detectable",
        detectable,
        detectable_cases,
        {
            "the 0.84 is left out: half of the time it would be missed": lambda d, t: detectable(
                d, t - 0.84
            ),
            "the spread is divided by n, not by n - 1": lambda d, t: (
                (t + 0.84) * d.std() / np.sqrt(len(d))
            ),
            "the root of n is left out": lambda d, t: (t + 0.84) * d.std(ddof=1),
            "it is divided by n, not by its root": lambda d, t: (t + 0.84) * d.std(ddof=1) / len(d),
            "t and 0.84 are multiplied": lambda d, t: t * 0.84 * d.std(ddof=1) / np.sqrt(len(d)),
            "0.84 is taken off": lambda d, t: detectable(d, t - 1.68),
            "the mean difference is added": lambda d, t: detectable(d, t) + d.mean(),
            "it is the mean difference that counts, not the spread": lambda d, t: (
                (t + 0.84) * abs(d.mean()) / np.sqrt(len(d))
            ),
        },
    ),
    Check(
        "holm",
        holm,
        holm_cases,
        {
            "all are multiplied by their number: that is Bonferroni's": lambda p: np.minimum(
                len(p) * p, 1
            ),
            "the largest gets the largest factor": lambda p: _stepwise(
                p, factor=lambda m, rank: rank + 1
            ),
            "a later one may fall below an earlier": lambda p: _stepwise(p, monotone=False),
            "values above 1 are left": lambda p: _stepwise(p, capped=False),
            "they come back in order of size, not in their places": lambda p: _stepwise(
                p, ordered=False
            ),
            "the factors begin with m - 1": lambda p: _stepwise(
                p, factor=lambda m, rank: m - rank - 1
            ),
            "it steps up from the largest: that is Hochberg's": _hochberg,
            "the factor is m over the rank: that is Benjamini and Hochberg's": _discovery,
            "nothing is corrected": lambda p: p.copy(),
        },
    ),
]
