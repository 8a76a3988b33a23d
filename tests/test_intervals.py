"""Intervals cover the truth as often as they say, and agree with SciPy's."""

import numpy as np
import pytest
from scipy import stats

from helpers import intervals


def test_paired_is_the_t_interval():
    d = np.random.default_rng(0).normal(0.3, 1, 7)
    mean, low, high = intervals.paired(d)
    expected = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    np.testing.assert_allclose((mean, low, high), (d.mean(), expected.low, expected.high))


def test_wilson_is_scipys():
    for k, n in ((0, 10), (10, 10), (3, 7), (1730, 2000)):
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        np.testing.assert_allclose(intervals.share(k, n), (expected.low, expected.high), atol=1e-12)


@pytest.mark.parametrize("size", [5, 20])
def test_nineteen_of_twenty_paired_intervals_hold_the_truth(size):
    rng = np.random.default_rng(size)
    bounds = [intervals.paired(rng.normal(0.1, 2, size))[1:] for _ in range(4000)]
    assert abs(np.mean([low <= 0.1 <= high for low, high in bounds]) - 0.95) < 0.015


def test_the_same_images_make_the_interval_narrower():
    rng = np.random.default_rng(1)
    a = rng.random(2000) < 0.86
    b = a ^ (rng.random(2000) < 0.02)  # the same answers but for 2% of the images
    difference, low, high = intervals.paired_share(a, b)
    assert difference == pytest.approx(a.mean() - b.mean())
    alone = np.hypot(*(np.ptp(intervals.share(x.sum(), x.size)) for x in (a, b)))
    assert high - low < alone / 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: intervals.paired([0.1]), "two differences or more"),
        (lambda: intervals.paired([[0.1, 0.2]]), "two differences or more"),
        (lambda: intervals.paired([0.1, np.nan]), "not a number"),
        (lambda: intervals.paired([0.1, 0.2], level=95), "lies between 0 and 1"),
        (lambda: intervals.share(3, 2), "3 of 2"),
        (lambda: intervals.share(0, 0), "0 of 0"),
        (lambda: intervals.paired_share([1, 0], [1, 0, 1]), "the same images"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
