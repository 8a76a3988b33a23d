"""Checks of the functions that the reader of lab 04 writes: what happens around the gradient."""

import math

import numpy as np

from helpers.check.engine import Check, case


def learning_rate(step, steps, peak, warmup):
    """Up a straight line to ``peak`` in ``warmup`` steps, then down half a cosine to 0."""
    if step < warmup:
        return peak * step / warmup
    done = (step - warmup) / (steps - warmup)
    return peak * (1 + math.cos(math.pi * done)) / 2


def early_stop(losses, patience):
    """After which pass training ends, and which pass was the best, both counted from 1."""
    best = 0
    for last in range(len(losses)):
        if losses[last] < losses[best]:
            best = last
        if last - best == patience:
            break
    return last + 1, best + 1


def top_k(scores, labels, k):
    """Share of the images whose label is among the ``k`` largest of their scores."""
    best = np.argsort(-scores, axis=1)[:, :k]
    return (best == labels[:, None]).any(axis=1).mean()


def rate_cases(rng):
    yield case("the first step, with warm-up", 0, 100, 0.5, 10)
    yield case("half-way up", 5, 100, 0.5, 10)
    yield case("at the peak", 10, 100, 0.5, 10)
    yield case("half-way down", 55, 100, 0.5, 10)
    yield case("one step before the end", 99, 100, 0.5, 10)
    yield case("no warm-up, first step", 0, 60, 0.002, 0)
    yield case("no warm-up, a third of the way", 20, 60, 0.002, 0)
    for _ in range(6):
        steps = int(rng.integers(50, 500))
        warmup, step = int(rng.integers(1, steps // 2)), int(rng.integers(0, steps))
        peak = float(rng.uniform(0.001, 2))
        yield case(f"step {step} of {steps}, warm-up {warmup}", step, steps, peak, warmup)


def stop_cases(rng):
    yield case("a loss that always falls", np.array([4.0, 3.0, 2.0, 1.0]), 2)
    yield case("a loss that only rises", np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 2)
    yield case("a rise, and a new best in time", np.array([3.0, 4.0, 5.0, 1.0, 2.0]), 3)
    yield case("a new best that comes too late", np.array([3.0, 4.0, 5.0, 1.0]), 2)
    yield case("two passes equally good", np.array([2.0, 1.0, 1.0, 3.0, 3.0]), 2)
    yield case("one pass", np.array([0.5]), 1)
    for _ in range(6):
        passes = int(rng.integers(4, 15))
        losses = np.round(np.linspace(1, 0.6, passes) + rng.normal(0, 0.2, passes), 1)
        yield case(f"{passes} passes", losses, int(rng.integers(1, 4)))


def top_k_cases(rng):
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])
    yield case("two images, k = 1", scores, np.array([1, 2]), 1)
    yield case("two images, k = 2", scores, np.array([1, 2]), 2)
    for _ in range(6):
        images, classes = int(rng.integers(3, 20)), int(rng.integers(4, 9))
        scores, labels = rng.normal(size=(images, classes)), rng.integers(0, classes, images)
        k = int(rng.integers(1, classes))
        yield case(f"{images} images, {classes} classes, k = {k}", scores, labels, k)


def _no_warmup(step, steps, peak, warmup):
    return learning_rate(step, steps, peak, 0)


def _late_start(step, steps, peak, warmup):
    if step < warmup:
        return peak * step / warmup
    return peak * (1 + math.cos(math.pi * step / steps)) / 2


def _line_down(step, steps, peak, warmup):
    if step < warmup:
        return peak * step / warmup
    return peak * (steps - step) / (steps - warmup)


def _not_halved(step, steps, peak, warmup):
    down = learning_rate(step, steps, peak, warmup)
    return down if step < warmup else 2 * down


def _quarter(step, steps, peak, warmup):
    if step < warmup:
        return peak * step / warmup
    return peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup))


def _constant(step, steps, peak, warmup):
    return peak * step / warmup if step < warmup else peak


def _first_pass_waits(losses, patience):
    best, waited = 0, 0
    for last in range(len(losses)):
        best, waited = (last, 0) if losses[last] < losses[best] else (best, waited + 1)
        if waited == patience:
            break
    return last + 1, best + 1


def _from_zero(losses, patience):
    last, best = early_stop(losses, patience)
    return last - 1, best - 1


def _first_rise(losses, patience):
    for last in range(1, len(losses)):
        if losses[last] > losses[last - 1]:
            return last + 1, last
    return len(losses), len(losses)


def _never_stops(losses, patience):
    return len(losses), int(np.argmin(losses)) + 1


def _highest(losses, patience):
    return early_stop(-losses, patience)


def _one_late(losses, patience):
    return early_stop(losses, patience + 1)


def _later_tie(losses, patience):
    best = 0
    for last in range(len(losses)):
        if losses[last] <= losses[best]:
            best = last
        if last - best == patience:
            break
    return last + 1, best + 1


def _smallest(scores, labels, k):
    return top_k(-scores, labels, k)


def _top_1(scores, labels, k):
    return top_k(scores, labels, 1)


def _count(scores, labels, k):
    return top_k(scores, labels, k) * len(labels)


def _error(scores, labels, k):
    return 1 - top_k(scores, labels, k)


def _kth_only(scores, labels, k):
    return (np.argsort(-scores, axis=1)[:, k - 1] == labels).mean()


CHECKS = [
    Check(
        "learning_rate", learning_rate, rate_cases,
        mistakes={
            "there is no warm-up": _no_warmup,
            "the cosine begins at step 0, not after the warm-up": _late_start,
            "it falls along a straight line, not a cosine": _line_down,
            "1 + cos runs from 2 to 0, and is not halved": _not_halved,
            "it is a quarter of a cosine, which still falls steeply at the end": _quarter,
            "it stays at the peak": _constant,
        },
    ),
    Check(
        "early_stop", early_stop, stop_cases, returns=("last", "best"),
        mistakes={
            "passes are counted from 0, not from 1": _from_zero,
            "the first pass counts as one without progress": _first_pass_waits,
            "it stops at the first rise, whatever the patience": _first_rise,
            "it never stops": _never_stops,
            "it looks for the highest loss": _highest,
            "it waits for one pass too many": _one_late,
            "an equal loss counts as a new best": _later_tie,
        },
    ),
    Check(
        "top_k", top_k, top_k_cases,
        mistakes={
            "the k smallest scores are taken": _smallest,
            "k is ignored, and only the largest score counts": _top_1,
            "it is a count, not a share": _count,
            "it is the share of errors": _error,
            "only the k-th largest score counts": _kth_only,
        },
    ),
]  # fmt: skip
