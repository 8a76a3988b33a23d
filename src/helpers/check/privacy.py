"""Checks of the functions that the reader of lab 15 writes: attack, average, clip, account.

Everything is float64 and NumPy; nothing here needs TensorFlow.
"""

from math import comb

import numpy as np

from helpers.check.engine import Check, case


def attack_accuracy(inside, outside, threshold):
    """Balanced accuracy of "member, if the loss is at or below the threshold"."""
    return (np.mean(inside <= threshold) + np.mean(outside > threshold)) / 2


def federated_average(weights, sizes):
    """Mean of the rows of ``weights``, one a client, each counted as often as it has images."""
    sizes = np.asarray(sizes)
    return (sizes[:, None] * weights).sum(axis=0) / sizes.sum()


def clip_each(gradients, bound):
    """Each row as it is if no longer than ``bound``, else scaled down to that length."""
    length = np.sqrt((gradients**2).sum(axis=1, keepdims=True))
    return gradients / np.maximum(1, length / bound)


def rdp_of_step(order, share, sigma):
    """log(Σ_k binom(order, k) (1 − share)^(order − k) share^k e^((k² − k) / 2σ²)) / (order − 1)."""
    total = 0.0
    for k in range(order + 1):
        chance = comb(order, k) * (1 - share) ** (order - k) * share**k
        total += chance * np.exp((k * k - k) / (2 * sigma**2))
    return np.log(total) / (order - 1)


def attack_cases(rng):
    yield case(
        "two members, two others, threshold 1", np.array([0.5, 2]), np.array([3.0, 0.1]), 1.0
    )
    yield case("a loss at the threshold", np.array([1.0, 2.0, 0.5]), np.array([1.2, 4.0, 5.0]), 1.0)
    for n, m in ((5, 5), (3, 9), (12, 4)):
        inside, outside = rng.exponential(0.5, n), rng.exponential(1.5, m)
        level = float(np.quantile(np.concatenate([inside, outside]), rng.uniform(0.3, 0.7)))
        yield case(f"{n} members and {m} others", inside, outside, level)
    yield case("all losses below", np.array([0.1, 0.2]), np.array([0.3, 0.1, 0.2]), 9.0)


def average_cases(rng):
    yield case("[[1, 2], [3, 6]], sizes 1 and 3", np.array([[1.0, 2], [3, 6]]), np.array([1, 3]))
    yield case("sizes alike", rng.normal(size=(2, 2)), np.array([4, 4]))
    for clients, numbers in rng.integers(2, 7, (3, 2)):
        weights, sizes = rng.normal(size=(clients, numbers)), rng.integers(1, 100, clients)
        yield case(f"{clients} clients, {numbers} weights", weights, sizes)
    yield case("one client", rng.normal(size=(1, 3)), np.array([7]))
    yield case("a client without images", rng.normal(size=(3, 2)), np.array([5, 0, 2]))


def clip_cases(rng):
    yield case("rows [3, 4] and [0.3, 0.4], bound 1", np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0)
    yield case("bound 2", np.array([[3.0, 4.0], [0.6, 0.8]]), 2.0)
    for n, m in rng.integers(2, 7, (3, 2)):
        gradients = rng.normal(size=(n, m)) * rng.uniform(0.1, 5, (n, 1))
        yield case(f"{n} examples, {m} weights", gradients, float(rng.uniform(0.5, 3)))
    yield case("a row of zeros", np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]), 1.5)


def rdp_cases(rng):
    yield case("order 2, share 1, σ = 1", 2, 1.0, 1.0)
    yield case("order 2, share 0.5, σ = 1", 2, 0.5, 1.0)
    for order in (3, 5, 8, 12):
        share, sigma = float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.8, 2.5))
        yield case(f"order {order}, share {share:.3f}, σ = {sigma:.2f}", order, share, sigma)


def _above(inside, outside, threshold):
    return 1 - attack_accuracy(inside, outside, threshold)


def _strict(inside, outside, threshold):
    return (np.mean(inside < threshold) + np.mean(outside >= threshold)) / 2


def _pooled(inside, outside, threshold):
    right = np.sum(inside <= threshold) + np.sum(outside > threshold)
    return right / (len(inside) + len(outside))


def _sum(gradients, bound):
    return gradients / np.maximum(1, np.abs(gradients).sum(axis=1, keepdims=True) / bound)


def _together(gradients, bound):
    return gradients / max(1, np.sqrt((gradients**2).sum()) / bound)


def _always(gradients, bound):
    length = np.sqrt((gradients**2).sum(axis=1, keepdims=True))
    return gradients * bound / np.maximum(length, 1e-12)


def _squared(gradients, bound):
    return gradients / np.maximum(1, (gradients**2).sum(axis=1, keepdims=True) / bound)


def _by_column(gradients, bound):
    length = np.sqrt((gradients**2).sum(axis=0, keepdims=True))
    return gradients / np.maximum(1, length / bound)


def _never_less(gradients, bound):
    length = np.sqrt((gradients**2).sum(axis=1, keepdims=True))
    return gradients / np.maximum(1, bound / np.maximum(length, 1e-12))


def _step(order, share, sigma, *, exponent=lambda k, s: (k * k - k) / (2 * s * s), first=0, last=1):
    total = 0.0
    for k in range(first, order + last):
        chance = comb(order, k) * (1 - share) ** (order - k) * share**k
        total += chance * np.exp(exponent(k, sigma))
    return np.log(total) / (order - 1)


def _share_exchanged(order, share, sigma):
    return rdp_of_step(order, 1 - share, sigma)


def _without_binomial(order, share, sigma):
    k = np.arange(order + 1)
    chance = (1 - share) ** (order - k) * share**k
    return np.log((chance * np.exp((k * k - k) / (2 * sigma**2))).sum()) / (order - 1)


def _not_sampled(order, share, sigma):
    return order / (2 * sigma**2)


CHECKS = [
    Check(
        "attack_accuracy",
        attack_accuracy,
        attack_cases,
        {
            "members are taken to have the large losses": _above,
            "a loss at the threshold is not called a member's": _strict,
            "members and others are thrown together, so the larger group counts more": _pooled,
            "only members count": lambda a, b, t: np.mean(a <= t),
            "only the others count": lambda a, b, t: np.mean(b > t),
            "the two shares are added, not averaged": lambda a, b, t: 2 * attack_accuracy(a, b, t),
            "the advantage is returned, found minus false alarms": lambda a, b, t: (
                np.mean(a <= t) - np.mean(b <= t)
            ),
            "others at or below the threshold are counted as right": lambda a, b, t: (
                (np.mean(a <= t) + np.mean(b <= t)) / 2
            ),
        },
    ),
    Check(
        "federated_average",
        federated_average,
        average_cases,
        {
            "each client counts alike, however many images it has": lambda w, s: w.mean(axis=0),
            "the sum of the sizes is not divided by": lambda w, s: (s[:, None] * w).sum(axis=0),
            "it is divided by the number of clients": lambda w, s: (s[:, None] * w).mean(axis=0),
            "one number comes out for all weights together": lambda w, s: (
                (s[:, None] * w).sum() / s.sum()
            ),
            "the sizes' squares weigh": lambda w, s: federated_average(w, s * s),
            "the largest client's weights are taken": lambda w, s: w[np.argmax(s)] + 0,
            "the first client's weights are taken": lambda w, s: w[0] + 0,
            "the roots of the sizes weigh": lambda w, s: federated_average(w, np.sqrt(s)),
        },
    ),
    Check(
        "clip_each",
        clip_each,
        clip_cases,
        {
            "all examples are scaled alike, by the length of all together": _together,
            "short gradients are stretched to the bound": _always,
            "the length is a sum of absolute values": _sum,
            "the square of the length stands where the length belongs": _squared,
            "the lengths are those of the columns": _by_column,
            "each number is cut off at the bound, which turns the gradient": lambda g, b: np.clip(
                g, -b, b
            ),
            "nothing is clipped": lambda g, b: g + 0,
            "the short ones are scaled, not the long ones": _never_less,
        },
    ),
    Check(
        "rdp_of_step",
        rdp_of_step,
        rdp_cases,
        {
            "the sampling is left out": _not_sampled,
            "share and 1 − share are exchanged": _share_exchanged,
            "the binomial coefficient is left out": _without_binomial,
            "the sum ends one term early": lambda o, q, s: _step(o, q, s, last=0),
            "the sum begins at k = 1": lambda o, q, s: _step(o, q, s, first=1),
            "the 2 in the exponent is left out": lambda o, q, s: _step(
                o, q, s, exponent=lambda k, s: (k * k - k) / s**2
            ),
            "σ stands where σ² belongs": lambda o, q, s: _step(
                o, q, s, exponent=lambda k, s: (k * k - k) / (2 * s)
            ),
            "k² stands where k² − k belongs": lambda o, q, s: _step(
                o, q, s, exponent=lambda k, s: k * k / (2 * s * s)
            ),
            "the division by order − 1 is left out": lambda o, q, s: rdp_of_step(o, q, s) * (o - 1),
            "it is divided by the order": lambda o, q, s: rdp_of_step(o, q, s) * (o - 1) / o,
        },
    ),
]
