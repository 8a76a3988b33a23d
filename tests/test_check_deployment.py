"""Lab 13's checks: the right functions in two styles, wrong ones, and mutants."""

import itertools
import math

import numpy as np

from helpers import calibration, drift
from helpers.check.testing import verify


def error_with_histograms(confidence, right, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    sure = np.bincount(which, weights=confidence, minlength=bins)
    true = np.bincount(which, weights=right, minlength=bins)
    return np.abs(sure - true).sum() / len(right)


def error_by_edges(confidence, right, bins):
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.sum() > 0:
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += gap * inside.sum() / len(right)
    return total


def test_calibration_error():
    wrong = [
        lambda c, r, bins: 0.0,
        lambda c, r, bins: error_by_edges(c, r, bins + 1),
        lambda c, r, bins: error_by_edges(c, ~r, bins),
        lambda c, r, bins: error_by_edges(c, r, 10),
        lambda c, r, bins: -error_by_edges(c, r, bins),
        lambda c, r, bins: error_by_edges(1 - c, r, bins),
        lambda c, r, bins: error_by_edges(c, r, bins) * bins,
        lambda c, r, bins: np.abs(r.mean() - c).mean(),
    ]
    own = [error_with_histograms, error_by_edges, calibration.calibration_error]
    same = ["line 2: arguments exchanged in np.minimum("]  # which does not mind the order
    verify("calibration_error", own, wrong, equivalent=same)


def threshold_plain(scores, miss):
    n = len(scores)
    k = math.ceil((n + 1) * (1 - miss) - 1e-9)
    if k > n:
        return math.inf
    return sorted(scores)[k - 1]


def threshold_padded(scores, miss):
    padded = np.sort(np.append(scores, np.inf))
    return padded[math.ceil(len(padded) * (1 - miss) - 1e-9) - 1]


def test_conformal_threshold():
    wrong = [
        lambda s, miss: s.max(),
        lambda s, miss: np.inf,
        lambda s, miss: 1 - miss,
        lambda s, miss: np.sort(s)[int(len(s) * (1 - miss))],
        lambda s, miss: threshold_plain(s, miss / 2),
        lambda s, miss: threshold_plain(1 - s, miss),
        lambda s, miss: 1 - threshold_plain(s, miss),
        lambda s, miss: np.quantile(s, 1 - miss, method="higher"),
    ]
    own = [threshold_plain, threshold_padded, calibration.conformal_threshold]
    verify("conformal_threshold", own, wrong)


def gap_with_loops(a, b):
    largest = 0.0
    for point in [*a, *b]:
        share_a = sum(value <= point for value in a) / len(a)
        share_b = sum(value <= point for value in b) / len(b)
        largest = max(largest, abs(share_a - share_b))
    return largest


def gap_by_sorting(a, b):
    points = np.concatenate([a, b])
    below_a = np.searchsorted(np.sort(a), points, side="right") / len(a)
    below_b = np.searchsorted(np.sort(b), points, side="right") / len(b)
    return np.abs(below_a - below_b).max()


def test_largest_gap():
    wrong = [
        lambda a, b: 1 - gap_with_loops(a, b),
        lambda a, b: gap_with_loops(a, b) ** 2,
        lambda a, b: gap_with_loops(a - a.mean(), b - b.mean()),
        lambda a, b: np.abs(np.sort(a)[0] - np.sort(b)[0]),
        lambda a, b: gap_with_loops(a[: len(b)], b[: len(a)]) / 2,
        lambda a, b: 0.0,
        lambda a, b: float(np.median(a) - np.median(b)),
        lambda a, b: gap_with_loops(a, b) * len(a),
    ]
    # To begin below 0 changes nothing, and max does not mind the order.
    same = ["line 2: one less than 0.0", "line 6: arguments exchanged in max("]
    own = [gap_with_loops, gap_by_sorting, drift.largest_gap]
    verify("largest_gap", own, wrong, equivalent=same)
