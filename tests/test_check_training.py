"""The checks of lab 04: right functions in several styles, wrong ones, and mutants."""

import math

import numpy as np

from helpers.check.testing import verify


def rate_with_if(step, steps, peak, warmup):
    if step < warmup:
        return step / warmup * peak
    angle = math.pi * (step - warmup) / (steps - warmup)
    return 0.5 * peak * (1 + math.cos(angle))


def rate_in_numpy(step, steps, peak, warmup):
    half = np.pi / 2 * (step - warmup) / (steps - warmup)
    return np.where(step < warmup, peak * step / max(warmup, 1), peak * np.cos(half) ** 2)


def test_learning_rate():
    r = rate_with_if
    verify(
        "learning_rate",
        right=[rate_with_if, rate_in_numpy],
        wrong=[
            lambda s, n, p, w: r(s + 1, n + 1, p, w),  # one step ahead
            lambda s, n, p, w: r(s, n + w, p, w),  # the cosine lasts as long as all steps
            lambda s, n, p, w: p - r(s, n, p, w),  # upside down
            lambda s, n, p, w: r(s, n, 1.0, w),  # without the peak
            lambda s, n, p, w: min(r(s, n, p, 0), p * s / max(w, 1)),  # the two curves crossed
        ],
    )


def stop_with_counter(losses, patience):
    best, waited = 0, 0
    for i in range(1, len(losses)):
        if losses[i] < losses[best]:
            best, waited = i, 0
        else:
            waited += 1
        if waited == patience:
            return i + 1, best + 1
    return len(losses), best + 1


def stop_with_argmin(losses, patience):
    for n in range(1, len(losses) + 1):
        best = int(np.argmin(losses[:n])) + 1
        if n - best >= patience:
            return n, best
    return len(losses), best


def test_early_stop():
    f = stop_with_counter
    verify(
        "early_stop",
        right=[stop_with_counter, stop_with_argmin],
        wrong=[
            lambda losses, patience: f(losses, patience)[::-1],
            lambda losses, patience: f(losses, patience - 1) if patience > 1 else (1, 1),
            lambda losses, patience: (f(losses, patience)[0], int(np.argmin(losses)) + 1),
            lambda losses, patience: (f(losses, patience)[1],) * 2,  # stops at the best, foreseeing
        ],
    )


def top_k_with_loop(scores, labels, k):
    hits = 0
    for i in range(len(labels)):
        above = (scores[i] > scores[i, labels[i]]).sum()
        if above < k:
            hits += 1
    return hits / len(labels)


def top_k_with_argsort(scores, labels, k):
    order = np.argsort(scores, axis=1)[:, -k:]
    return np.mean([label in row for row, label in zip(order, labels, strict=True)])


def test_top_k():
    f = top_k_with_loop
    verify(
        "top_k",
        right=[top_k_with_loop, top_k_with_argsort],
        wrong=[
            lambda scores, labels, k: f(scores, labels, k + 1),
            lambda scores, labels, k: f(scores, labels, k - 1),
            lambda scores, labels, k: 100 * f(scores, labels, k),  # percent
        ],
    )
