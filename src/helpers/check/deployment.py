"""Checks of the functions that the reader of lab 13 writes: calibration, a promise kept, drift.

Confidences and scores are (n,) float64, answers (n,) bool.
"""

import numpy as np

from helpers.check.engine import Check, case


def calibration_error(confidence, right, bins):
    """|accuracy − mean confidence| of each bin of equal width, weighted by its share of images."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = which == b
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def conformal_threshold(scores, miss):
    """The k-th smallest score, k = ⌈(n + 1)(1 − miss)⌉; infinity if there is no such score."""
    k = int(np.ceil((len(scores) + 1) * (1 - miss) - 1e-9))
    return np.sort(scores)[k - 1] if k <= len(scores) else np.inf


def largest_gap(a, b):
    """The largest distance between the shares of ``a`` and of ``b`` at or below a value."""
    points = np.concatenate([a, b])
    below_a = (a[:, None] <= points).mean(axis=0)
    below_b = (b[:, None] <= points).mean(axis=0)
    return np.abs(below_a - below_b).max()


def calibration_error_cases(rng):
    yield case("one image, wrong and 80% sure", np.array([0.8]), np.array([False]), 10)
    sure = np.array([0.62, 0.68, 0.91, 0.99])
    yield case("four images in two bins", sure, np.array([True, False, True, True]), 5)
    yield case("errors of both signs", np.array([0.55, 0.95]), np.array([True, False]), 10)
    yield case("errors of both signs in one bin", sure[:2], np.array([True, True]), 10)
    yield case("an image that is 100% sure", np.array([1.0, 0.93]), np.array([False, True]), 10)
    yield case("a single bin", np.array([0.3, 0.9, 0.85]), np.array([True, False, True]), 1)
    for n, bins in zip(rng.integers(20, 60, 5), (3, 5, 10, 15, 7), strict=True):
        confidence = (rng.integers(0, bins, n) + rng.uniform(0.05, 0.95, n)) / bins
        yield case(f"{n} images, {bins} bins", confidence, rng.random(n) < 0.7, bins)


def conformal_threshold_cases(rng):
    yield case("9 scores, miss 0.1", np.arange(1.0, 10.0) / 10, 0.1)
    yield case("the same out of order", rng.permutation(np.arange(1.0, 10.0)) / 10, 0.1)
    yield case("8 scores, miss 0.1: too few", np.arange(1.0, 9.0) / 10, 0.1)
    yield case("2 scores, miss 0.5", np.array([0.7, 0.2]), 0.5)
    for n, miss in ((24, 0.1), (53, 0.2), (37, 0.05), (51, 0.33), (11, 0.02)):
        yield case(f"{n} scores, miss {miss}", rng.random(n), miss)


def largest_gap_cases(rng):
    yield case("a = [1, 2], b = [3, 4]", np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    yield case("b below a", np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0]))
    yield case("equal samples", np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    yield case("one value on both sides", np.array([1.0, 1.0]), np.array([1.0, 2.0, 2.0]))
    yield case("a within b", np.array([4.0, 5.0, 6.0]), np.arange(10.0))
    for n, m in rng.integers(4, 20, (4, 2)):
        yield case(f"{n} and {m} values", rng.normal(size=n), rng.normal(0.7, 1.5, m))
    for n, m in rng.integers(5, 20, (3, 2)):
        a, b = rng.integers(0, 5, n) / 4, rng.integers(0, 4, m) / 4
        yield case(f"{n} and {m} values, many of them equal", a, b)


def _by_bins(confidence, right, bins, one):
    """The sum over the bins of ``one(confidences, answers, all)``."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    groups = [which == b for b in range(bins)]
    return sum(one(confidence[g], right[g], len(right)) for g in groups if g.any())


def _without_one(confidence, right, bins):
    keep = (confidence * bins).astype(int) < bins
    if not keep.any():
        return 0.0
    return calibration_error(confidence[keep], right[keep], bins) * keep.mean()


def _middle(confidence, right, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    middles = (which + 0.5) / bins
    return sum(abs((right[which == b] - middles[which == b]).sum()) for b in set(which)) / len(
        right
    )


def _equal_counts(confidence, right, bins):
    order = np.argsort(confidence)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return sum(abs(right[p].mean() - confidence[p].mean()) * len(p) for p in parts) / len(right)


def _at(scores, k):
    k = int(k)
    return np.sort(scores)[min(max(k, 1), len(scores)) - 1]


def _gap(a, b, points=None, signed=False):
    points = np.concatenate([a, b]) if points is None else points
    d = (a[:, None] <= points).mean(0) - (b[:, None] <= points).mean(0)
    return d.max() if signed else np.abs(d).max()


def _one_strictly(a, b):
    points = np.concatenate([a, b])
    return np.abs((a[:, None] < points).mean(0) - (b[:, None] <= points).mean(0)).max()


def _mean_gap(a, b):
    points = np.concatenate([a, b])
    d = (a[:, None] <= points).mean(0) - (b[:, None] <= points).mean(0)
    return np.abs(d).mean()


def _quantiles(a, b):
    q = np.linspace(0, 1, 101)
    return np.abs(np.quantile(a, q) - np.quantile(b, q)).max()


CHECKS = [
    Check("calibration_error", calibration_error, calibration_error_cases, {
        "the bins are not weighted by their images": lambda c, r, bins: _by_bins(
            c, r, bins, lambda c, r, n: abs(r.mean() - c.mean())
        ),
        "the gaps of the bins cancel, as if all images were in one": lambda c, r, bins: abs(
            r.mean() - c.mean()
        ),
        "an image with confidence 1 falls out of the last bin": _without_one,
        "the middle of a bin stands where its mean confidence belongs": _middle,
        "the gaps have lost their sign before the mean: each image alone, not each bin": (
            lambda c, r, bins: np.abs(r - c).mean()
        ),
        "the gaps are squared": lambda c, r, bins: _by_bins(
            c, r, bins, lambda c, r, n: (r.mean() - c.mean()) ** 2 * len(r) / n
        ),
        "this is the largest gap, not the mean one": lambda c, r, bins: max(
            abs(r[g].mean() - c[g].mean())
            for b in range(bins)
            if (g := np.minimum((c * bins).astype(int), bins - 1) == b).any()
        ),
        "the bins have equally many images, not equal widths": _equal_counts,
        "it is divided by the number of bins": lambda c, r, bins: (
            calibration_error(c, r, bins) / bins
        ),
        "the images of each bin are counted, but not divided by all": lambda c, r, bins: (
            calibration_error(c, r, bins) * len(r)
        ),
    }),
    Check("conformal_threshold", conformal_threshold, conformal_threshold_cases, {
        "n stands where n + 1 belongs": lambda s, miss: _at(s, np.ceil(len(s) * (1 - miss) - 1e-9)),
        "it is rounded down, not up": lambda s, miss: _at(s, (len(s) + 1) * (1 - miss) + 1e-9),
        "the scores are not sorted": lambda s, miss: (
            s[k - 1]
            if (k := int(np.ceil((len(s) + 1) * (1 - miss) - 1e-9))) <= len(s)
            else np.inf
        ),
        "miss and 1 − miss are exchanged": lambda s, miss: conformal_threshold(s, 1 - miss),
        "the largest score stands in for infinity when there are too few": lambda s, miss: _at(
            s, np.ceil((len(s) + 1) * (1 - miss) - 1e-9)
        ),
        "the index is one too high: Python counts from 0": lambda s, miss: (
            np.append(np.sort(s), np.inf)[
                min(int(np.ceil((len(s) + 1) * (1 - miss) - 1e-9)), len(s))
            ]
        ),
        "the scores are sorted from the largest down": lambda s, miss: (
            np.sort(s)[::-1][k - 1]
            if (k := int(np.ceil((len(s) + 1) * (1 - miss) - 1e-9))) <= len(s)
            else np.inf
        ),
        "NumPy's quantile, which interpolates and forgets the + 1, is taken": lambda s, miss: (
            np.quantile(s, 1 - miss)
        ),
        "k itself is given, not the score": lambda s, miss: float(
            np.ceil((len(s) + 1) * (1 - miss) - 1e-9)
        ),
    }),
    Check("largest_gap", largest_gap, largest_gap_cases, {
        "values equal to the point are counted for b only": _one_strictly,
        "only the points of a are tried": lambda a, b: _gap(a, b, points=a),
        "only the points of b are tried": lambda a, b: _gap(a, b, points=b),
        "the sign is kept: b may lie below a, too": lambda a, b: _gap(a, b, signed=True),
        "the sign is kept, and a may lie below b": lambda a, b: _gap(b, a, signed=True),
        "this is the mean of the gaps, not the largest": _mean_gap,
        "the values are compared, not the shares at or below them": _quantiles,
        "counts are subtracted, not shares": lambda a, b: np.abs(
            (a[:, None] <= np.concatenate([a, b])).sum(0)
            - (b[:, None] <= np.concatenate([a, b])).sum(0)
        ).max(),
        "the difference of the two means is taken": lambda a, b: abs(a.mean() - b.mean()),
    }),
]  # fmt: skip
