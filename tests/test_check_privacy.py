"""Lab 15's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import math

import numpy as np
from scipy.special import comb, logsumexp

import helpers.privacy
from helpers import federated
from helpers.check import privacy
from helpers.check.testing import verify


def test_attack_accuracy():
    def in_lines(inside, outside, threshold):
        found = np.mean(inside <= threshold)
        left = np.mean(outside > threshold)
        return (found + left) / 2

    def with_loops(inside, outside, threshold):
        found = sum(loss <= threshold for loss in inside) / len(inside)
        alarms = sum(loss <= threshold for loss in outside) / len(outside)
        return 0.5 + (found - alarms) / 2

    def best(inside, outside, threshold):
        return max(in_lines(inside, outside, level) for level in [*inside, *outside])

    wrong = [best, lambda a, b, t: 0.5, lambda a, b, t: in_lines(b, a, t)]
    verify("attack_accuracy", [in_lines, with_loops], wrong)


def test_federated_average():
    def in_lines(weights, sizes):
        share = sizes / sizes.sum()
        return share @ weights

    def with_loops(weights, sizes):
        out = np.zeros(weights.shape[1])
        for row, size in zip(weights, sizes, strict=True):
            out += row * size
        return out / sizes.sum()

    def by_axis_one(weights, sizes):
        return (sizes[:, None] * weights).sum(axis=1) / sizes.sum()

    wrong = [by_axis_one, lambda w, s: in_lines(w, 1 / (s + 1)), lambda w, s: w]
    verify("federated_average", [in_lines, with_loops], wrong)


def test_clip_each():
    def in_lines(gradients, bound):
        length = np.sqrt((gradients**2).sum(axis=1))
        factor = np.minimum(1, bound / np.maximum(length, 1e-12))
        return gradients * factor[:, None]

    def with_loops(gradients, bound):
        out = gradients.copy()
        for row in out:
            length = np.linalg.norm(row)
            if length > bound:
                row *= bound / length
        return out

    def in_place(gradients, bound):
        for row in gradients:
            row /= max(1, np.linalg.norm(row) / bound)
        return gradients

    def no_safety(gradients, bound):
        with np.errstate(all="ignore"):
            length = np.sqrt((gradients**2).sum(axis=1, keepdims=True))
            return gradients / length * np.minimum(length, bound)

    wrong = [in_place, no_safety, lambda g, b: g / b]
    verify("clip_each", [with_loops, in_lines], wrong)


def test_rdp_of_step():
    def in_lines(order, share, sigma):
        total = 0.0
        for k in range(order + 1):
            chance = math.comb(order, k) * (1 - share) ** (order - k) * share**k
            total += chance * math.exp((k * k - k) / (2 * sigma**2))
        return math.log(total) / (order - 1)

    def with_logs(order, share, sigma):
        k = np.arange(order + 1)
        with np.errstate(divide="ignore"):
            chance = comb(order, k) * (1 - share) ** (order - k) * share**k
            return logsumexp(np.log(chance) + k * (k - 1) / (2 * sigma**2)) / (order - 1)

    wrong = [
        lambda order, share, sigma: order * share**2 / (2 * sigma**2),
        lambda order, share, sigma: share * order / (2 * sigma**2),
        lambda order, share, sigma: in_lines(order + 1, share, sigma),
    ]
    verify("rdp_of_step", [in_lines, with_logs], wrong)


def test_the_books_functions_are_those_of_the_helpers():
    """The plain forms that the reader writes, and the general ones that the lab goes on with."""
    rng = np.random.default_rng(0)
    for order, share, sigma in ((2, 0.1, 0.7), (9, 0.02, 1.3), (4, 1.0, 2.0)):
        plain = privacy.rdp_of_step(order, share, sigma)
        assert np.isclose(plain, helpers.privacy.subsampled_rdp(order, share, sigma), rtol=1e-9)
    weights, sizes = rng.normal(size=(4, 6)), np.array([3, 1, 8, 2])
    fast = federated.average([[row] for row in weights], sizes)[0]
    assert np.allclose(privacy.federated_average(weights, sizes), fast)
