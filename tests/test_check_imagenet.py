"""The checks of lab 1: right functions accepted, wrong ones and mutants rejected."""

from math import comb

import numpy as np
from scipy import stats

from helpers.check.testing import verify


def distance_by_loop(a, b):
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    return (len(a) - shared) + (len(b) - shared)


def distance_by_sets(a, b):
    return len(set(a) ^ set(b))


def test_distance():
    verify(
        "distance",
        right=[distance_by_loop, distance_by_sets],
        wrong=[
            lambda a, b: len(set(a) & set(b)),
            lambda a, b: abs(len(a) - len(b)),
            lambda a, b: len(a) + len(b),
            lambda a, b: 2 if a != b else 0,
        ],
        # All paths begin at the same root, so counting may begin there; min is symmetric.
        equivalent=["line 2: one more than 0", "line 3: arguments exchanged in min"],
    )


def top_error_by_places(scores, labels, guesses):
    score_of_right = scores[np.arange(len(labels)), labels]
    place = 1 + np.sum(scores > score_of_right[:, None], axis=1)
    return np.mean(place > guesses)


def top_error_by_sorting(scores, labels, guesses):
    wrong = 0
    for row, label in zip(scores, labels, strict=True):
        wrong += label not in np.argsort(row)[::-1][:guesses]
    return wrong / len(labels)


def test_top_error():
    verify(
        "top_error",
        right=[top_error_by_places, top_error_by_sorting],
        wrong=[
            lambda s, y, g: np.mean(np.argmax(s, axis=0)[: len(y)] != y[: s.shape[1]]),
            lambda s, y, g: np.mean(np.argsort(s, axis=1)[np.arange(len(y)), y] >= g),
            lambda s, y, g: np.mean(~np.isin(y, np.argsort(-s, axis=1)[:, :g])),
            lambda s, y, g: (top_error_by_places(s, y, g),),
        ],
    )


def probability_below_by_loop(p, paths, synset):
    total = 0.0
    for k in range(len(p)):
        if synset in paths[k]:
            total += p[k]
    return total


def probability_below_by_mask(p, paths, synset):
    return p @ np.array([synset in path for path in paths])


def probability_below_by_sum(p, paths, synset):
    """The sum of nothing is the whole number 0, and as right as 0.0."""
    return sum(p[k] for k in range(len(p)) if synset in paths[k])


def test_probability_below():
    by_sum = probability_below_by_sum
    verify(
        "probability_below",
        right=[probability_below_by_loop, probability_below_by_mask, by_sum],
        wrong=[
            lambda p, paths, s: sum(p),
            lambda p, paths, s: float(any(s in path for path in paths)),
            lambda p, paths, s: np.prod([q for q, path in zip(p, paths, strict=True) if s in path]),
        ],
    )


def majority_by_sum(skill, votes):
    total = 0
    for j in range(votes + 1):
        if 2 * j > votes:
            total += comb(votes, j) * skill**j * (1 - skill) ** (votes - j)
    return total


def majority_by_scipy(skill, votes):
    return stats.binom.sf(votes // 2, votes, skill)


def test_majority():
    verify(
        "majority",
        right=[majority_by_sum, majority_by_scipy],
        wrong=[
            lambda p, n: p,
            lambda p, n: 1 - p**n,
            lambda p, n: comb(n, n // 2) * p ** (n // 2 + 1),
            lambda p, n: stats.norm.sf((n / 2 - n * p) / np.sqrt(n * p * (1 - p) + 1e-9)),
        ],
    )
