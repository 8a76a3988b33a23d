"""Lab 7's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import math

import numpy as np

from helpers.check import transfer
from helpers.check.testing import verify


def test_standardize():
    def in_lines(train, test):
        mean = train.mean(axis=0)
        spread = train.std(axis=0) + 1e-3
        return (train - mean) / spread, (test - mean) / spread

    def by_column(train, test):
        out = np.empty(train.shape), np.empty(test.shape)
        for c in range(train.shape[1]):
            column = train[:, c]
            for part, scaled in zip((train, test), out, strict=True):
                scaled[:, c] = (part[:, c] - np.mean(column)) / (np.std(column) + 1e-3)
        return out

    def no_safety(train, test):
        with np.errstate(all="ignore"):
            return tuple((x - train.mean(axis=0)) / train.std(axis=0) for x in (train, test))

    def in_place(train, test):
        mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-3
        train -= mean
        train /= spread
        return train, (test - mean) / spread

    def sample(train, test):
        mean, spread = train.mean(axis=0), train.std(axis=0, ddof=1) + 1e-3
        return (train - mean) / spread, (test - mean) / spread

    verify("standardize", [in_lines, by_column], [no_safety, in_place, sample, lambda a, b: (b, a)])


def test_paired_interval():
    def plain(a, b, t):
        d = a - b
        mean = d.mean()
        half = t * d.std(ddof=1) / np.sqrt(len(d))
        return mean, mean - half, mean + half

    def by_hand(a, b, t):
        d = [p - q for p, q in zip(a, b, strict=True)]
        mean = sum(d) / len(d)
        s = math.sqrt(sum((x - mean) ** 2 for x in d) / (len(d) - 1))
        half = t * s / math.sqrt(len(d))
        return mean, mean - half, mean + half

    def halved(a, b, t):
        mean, low, high = plain(a, b, t)
        return mean, (mean + low) / 2, (mean + high) / 2

    wrong = [halved, lambda a, b, t: plain(a, b, t)[:2], lambda a, b, t: plain(a, b, t)[::-1]]
    verify("paired_interval", [plain, by_hand], wrong)


def test_learns():
    def by_parts(name, first):
        parts = name.split("_")
        if parts[0] == "blocks":
            return int(parts[1]) >= first
        return name in ("conv_head", "bn1", "head")

    def by_pattern(name, first):
        import re

        if found := re.match(r"blocks_(\d+)_", name):
            return int(found[1]) >= first
        return name != "conv_stem" and name != "bn0"

    wrong = [
        lambda name, first: True,
        lambda name, first: False,
        lambda name, first: name == "head",
        lambda name, first: not transfer.learns(name, first),
        transfer._starts,
        lambda name, first: name != "bn0" and transfer._stem(name, first),
    ]
    verify("learns", [by_parts, by_pattern], wrong)


def test_nearest_prototype():
    def with_product(features, labels, queries):
        means = np.stack([features[labels == k].mean(axis=0) for k in range(int(labels.max()) + 1)])
        return (2 * queries @ means.T - (means**2).sum(axis=1)).argmax(axis=1)

    def with_loops(features, labels, queries):
        answers = []
        for query in queries:
            lengths = []
            for k in sorted(set(labels.tolist())):
                mean = sum(features[labels == k]) / (labels == k).sum()
                lengths.append(float(np.sqrt(((query - mean) ** 2).sum())))
            answers.append(lengths.index(min(lengths)))
        return np.array(answers)

    def without_length(features, labels, queries):
        means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        return (2 * queries @ means.T - means.sum(axis=1)).argmax(axis=1)

    def one_class_missing(features, labels, queries):
        means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max())])
        return ((queries[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)

    def distances(features, labels, queries):
        means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        return ((queries[:, None] - means) ** 2).sum(axis=2).min(axis=1)

    def first_axis(features, labels, queries):
        means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        return ((queries[:, None] - means) ** 2).sum(axis=2).argmin(axis=0)

    wrong = [without_length, one_class_missing, distances, first_axis]
    verify("nearest_prototype", [with_product, with_loops], wrong)


def test_leaked():
    def with_pairs(train, test):
        return (test[:, None] == train).all(axis=(2, 3)).any(axis=1)

    def with_loops(train, test):
        found = np.zeros(len(test), bool)
        for i, image in enumerate(test):
            for other in train:
                if np.array_equal(image, other):
                    found[i] = True
        return found

    def flipped(train, test):
        return ~with_pairs(train, test)

    def none(train, test):
        return np.zeros(len(test), bool)

    def pixels(train, test):
        return np.isin(test, train).all(axis=(1, 2))

    verify("leaked", [with_pairs, with_loops], [flipped, none, pixels])
