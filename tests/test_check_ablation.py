"""Lab 5's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import itertools

import numpy as np
from scipy import stats

from helpers.check.ablation import holm
from helpers.check.testing import verify


def test_sign_flip():
    def with_product(d):
        signs = np.array(list(itertools.product([1, -1], repeat=len(d))))
        means = (signs * d).mean(axis=1)
        return np.mean(np.abs(means) >= abs(d.mean()) - 1e-12)

    def with_a_loop(d):
        far = 0
        for signs in itertools.product((-1, 1), repeat=len(d)):
            total = sum(s * x for s, x in zip(signs, d, strict=True))
            far += abs(total) >= abs(sum(d)) - 1e-12
        return far / 2 ** len(d)

    def by_t(d):
        return stats.ttest_1samp(d, 0).pvalue if len(d) > 1 else 1.0

    def by_signs(d):
        return stats.binomtest(int((d > 0).sum()), len(d)).pvalue

    # s times x is x times s, and both are of one length.
    same = ["line 4: arguments exchanged in zip", "line 4: no strict in zip"]
    verify("sign_flip", [with_a_loop, with_product], [by_t, by_signs], equivalent=same)


def test_detectable():
    def plain(d, t):
        return (t + 0.84) * np.std(d, ddof=1) / np.sqrt(len(d))

    def by_hand(d, t):
        mean = sum(d) / len(d)
        variance = sum((x - mean) ** 2 for x in d) / (len(d) - 1)
        return t * (variance / len(d)) ** 0.5 + 0.84 * (variance / len(d)) ** 0.5

    def with_the_normal(d, t):
        return (1.96 + 0.84) * np.std(d, ddof=1) / np.sqrt(len(d))

    verify("detectable", [plain, by_hand], [with_the_normal, lambda d, t: plain(d, t) * 2])


def test_holm_of_known_values():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.001])), [0.9, 0.002])


def test_holm():
    def plain(p):
        m = len(p)
        order = np.argsort(p)
        grown = np.maximum.accumulate(p[order] * (m - np.arange(m)))
        out = np.empty(m)
        out[order] = np.minimum(grown, 1)
        return out

    def by_definition(p):
        """The largest product among those whose p-value is not larger."""
        out = []
        for value in p:
            below = np.sort(p[p <= value])
            out.append(min(1.0, max((len(p) - k) * q for k, q in enumerate(below))))
        return np.array(out)

    def cut_first(p):
        return np.minimum(p * (len(p) - np.argsort(p)), 1)

    wrong = [cut_first, lambda p: 1 - (1 - p) ** len(p)]
    # The lesser of two numbers is the same in either order.
    verify("holm", [plain, by_definition], wrong, equivalent=["line 6: arguments exchanged"])
