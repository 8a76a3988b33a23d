"""Checks of the functions that the reader of lab 07 writes: what to scale, what learns, intervals.

Features are rows, (n, channels), float64. Nothing here needs TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def standardize(train, test):
    """Both, minus the mean and divided by the spread of each column of ``train``; + 1e-3."""
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-3
    return (train - mean) / spread, (test - mean) / spread


def paired_interval(a, b, t):
    """Mean of a − b and its interval: mean ± t s / √n, where s has n − 1 below its sum."""
    d = a - b
    half = t * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half


def learns(name, first):
    """Whether a layer learns: all of block ``first`` and above, up to the head; the stem never."""
    if name.startswith("blocks_"):
        return int(name.split("_")[1]) >= first
    return name not in ("conv_stem", "bn0")


def standardize_cases(rng):
    train = np.array([[0.0, 10.0], [2.0, 30.0]])
    yield case("two rows and two columns", train, np.array([[1.0, 20.0]]))
    yield case("a column that never changes", np.array([[1.0, 5.0], [3.0, 5.0]]), train)
    for n, m, c in rng.integers(3, 8, (4, 3)):
        scale = rng.uniform(0.5, 20, c)
        train = rng.normal(3, 1, (n, c)) * scale
        yield case(f"{n} and {m} rows of {c} columns", train, rng.normal(5, 2, (m, c)) * scale)


def paired_cases(rng):
    yield case("a = [3, 5], b = [1, 1], t = 1", np.array([3.0, 5.0]), np.array([1.0, 1.0]), 1.0)
    yield case("b is the better one", np.array([0.2, 0.4, 0.3]), np.array([0.5, 0.6, 0.9]), 4.303)
    for n, t in ((5, 2.776), (5, 2.776), (10, 2.262), (3, 4.303)):
        luck = rng.normal(0.7, 0.1, n)  # which both share
        yield case(f"{n} draws", luck + rng.normal(0.02, 0.01, n), luck, t)


def learns_cases(rng):
    names = ["blocks_11_project_conv", "blocks_10_project_conv", "blocks_11_bn2", "head"]
    names += ["conv_stem", "bn0", "conv_head", "bn1", "blocks_9_depthwise_conv", "blocks_2_bn0"]
    names += ["blocks_15_depthwise_conv", "blocks_12_bn0", "blocks_1_expand_conv", "blocks_3_bn1"]
    for name in names:
        yield case(f"{name!r}, from block 11", name, 11)
    parts = ["expand_conv", "depthwise_conv", "project_conv", "bn0", "bn1", "bn2"]
    for block, first in [(6, 6), (10, 6), (5, 6), (1, 0), (0, 0), *rng.integers(0, 16, (6, 2))]:
        name = f"blocks_{block}_{rng.choice(parts)}"
        yield case(f"{name!r}, from block {first}", name, int(first))
    for first in (0, 6):
        for name in ("conv_stem", "bn0", "conv_head", "bn1", "head"):
            yield case(f"{name!r}, from block {first}", name, first)


def _own_scale(train, test):
    return standardize(train, train)[0], standardize(test, test)[0]


def _both(train, test):
    both = np.concatenate([train, test])
    return standardize(both, train)[1], standardize(both, test)[1]


def _one_scale(train, test):
    mean, spread = train.mean(), train.std() + 1e-3
    return (train - mean) / spread, (test - mean) / spread


def _by_variance(train, test):
    mean, spread = train.mean(axis=0), train.var(axis=0) + 1e-3
    return (train - mean) / spread, (test - mean) / spread


def _mean_only(train, test):
    return train - train.mean(axis=0), test - train.mean(axis=0)


def _by_row(train, test):
    return tuple(
        (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-3)
        for x in (train, test)
    )


def _by_axis_one(train, test):
    mean, spread = train.mean(axis=1), train.std(axis=1) + 1e-3
    return (train - mean) / spread, (test - mean) / spread


def _scaled(train, test, spread):
    with np.errstate(all="ignore"):
        return tuple((x - train.mean(axis=0)) / spread for x in (train, test))


def _unpaired(a, b, t):
    half = t * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))
    return a.mean() - b.mean(), a.mean() - b.mean() - half, a.mean() - b.mean() + half


def _interval(a, b, *, half):
    d = a - b
    return d.mean(), d.mean() - half, d.mean() + half


def _text_order(name, first):
    if name.startswith("blocks_"):
        return name >= f"blocks_{first}"
    return learns(name, first)


def _only(name, first):
    return learns(name, first) and name.startswith(("head", "conv_head", "bn1", f"blocks_{first}_"))


def _starts(name, first):
    return name.startswith(f"blocks_{first}") or name in ("head", "conv_head", "bn1")


def _without_batch_norm(name, first):
    return "bn" not in name and learns(name, first)


def _above(name, first):
    return learns(name, first + 1)


def _without_head(name, first):
    return name != "head" and learns(name, first)


def _blocks_and_head(name, first):
    return name == "head" or (name.startswith("blocks_") and learns(name, first))


def _only_blocks(name, first):
    return name.startswith("blocks_") and learns(name, first)


def _stem(name, first):
    return not name.startswith("blocks_") or learns(name, first)


CHECKS = [
    Check(
        "standardize",
        standardize,
        standardize_cases,
        {
            "the test images are scaled by their own mean and spread": _own_scale,
            "mean and spread are of training and test images together": _both,
            "there is one mean and one spread for all columns": _one_scale,
            "the variance stands where its root belongs": _by_variance,
            "only the mean is taken off": _mean_only,
            "the 1e-3 is not added to the spread": lambda a, b: _scaled(a, b, a.std(axis=0)),
            "the 1e-3 is added to the variance, not to its root": lambda a, b: _scaled(
                a, b, np.sqrt(a.var(axis=0) + 1e-3)
            ),
            "the 1e-3 is a lower bound, not added": lambda a, b: _scaled(
                a, b, np.maximum(a.std(axis=0), 1e-3)
            ),
            "n − 1 stands in the spread where n belongs": lambda a, b: _scaled(
                a, b, a.std(axis=0, ddof=1) + 1e-3
            ),
            "mean and spread are taken over axis 1, not over axis 0": _by_axis_one,
            "mean and spread are of each row": _by_row,
            "the test images are left as they are": lambda a, b: (standardize(a, a)[0], b + 0),
        },
        returns=("the scaled training features", "the scaled test features"),
    ),
    Check(
        "paired_interval",
        paired_interval,
        paired_cases,
        {
            "a and b are taken as unpaired": _unpaired,
            "the root of n is forgotten": lambda a, b, t: _interval(
                a, b, half=t * (a - b).std(ddof=1)
            ),
            "n stands in s where n − 1 belongs": lambda a, b, t: _interval(
                a, b, half=t * (a - b).std() / np.sqrt(len(a))
            ),
            "it is divided by n, not by its root": lambda a, b, t: _interval(
                a, b, half=t * (a - b).std(ddof=1) / len(a)
            ),
            "t is left out": lambda a, b, t: _interval(
                a, b, half=(a - b).std(ddof=1) / np.sqrt(len(a))
            ),
            "t is 1.96 whatever is given": lambda a, b, t: paired_interval(a, b, 1.96),
            "t is 2.776 whatever is given": lambda a, b, t: paired_interval(a, b, 2.776),
            "there are taken to be five draws, however many come": lambda a, b, t: _interval(
                a, b, half=t * (a - b).std(ddof=1) / np.sqrt(5)
            ),
            "s² stands where s belongs": lambda a, b, t: _interval(
                a, b, half=t * (a - b).var(ddof=1) / np.sqrt(len(a))
            ),
            "the differences have lost their signs": lambda a, b, t: paired_interval(
                np.abs(a - b), 0 * a, t
            ),
            "the order is low, mean, high": lambda a, b, t: tuple(sorted(paired_interval(a, b, t))),
            "b − a is taken": lambda a, b, t: paired_interval(b, a, t),
        },
        returns=("the mean", "the lower end", "the upper end"),
    ),
    Check(
        "learns",
        learns,
        learns_cases,
        {
            "the numbers of blocks are compared as texts": _text_order,
            "only the block itself learns, none above it": _only,
            "batch normalization is left out": _without_batch_norm,
            "the first block that should learn is left out": _above,
            "the head is frozen": _without_head,
            "the last convolution, between the blocks and the head, is frozen": _blocks_and_head,
            "the stem learns": _stem,
            "bn0 learns, which belongs to the stem": lambda name, first: (
                name == "bn0" or learns(name, first)
            ),
            "bn1 is frozen, which comes after the last convolution": lambda name, first: (
                name != "bn1" and learns(name, first)
            ),
            "what lies above the blocks is frozen": _only_blocks,
        },
    ),
]
