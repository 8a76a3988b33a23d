"""Assignment 4 (chapters 7 and 8): a split without a leak, frozen layers, a contrastive loss.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
"""

import numpy as np

from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.backward_plain import dense_backward, softmax_cross_entropy
from helpers.check.engine import case

ORDER = {
    "largest": "the largest groups come first, of equal ones that with the smaller number",
    "smallest": "the smallest groups come first, of equal ones that with the smaller number",
    "seen": "the groups come in the order in which they first appear",
    "number": "the groups come in the order of their numbers",
}
STOP = {
    "reach": "groups are taken until the test set has at least the share of the images",
    "stay": "groups are taken while the test set stays at or below the share of the images; the "
    "first one that would exceed it ends it",
}
FROZEN = {
    "first": "the first layer is frozen: dw1 is all zeros",
    "middle": "the middle layer is frozen: dw2 is all zeros",
    "last": "the last layer is frozen: dw3 is all zeros",
}
LEAK = {
    0.0: "the activation is ReLU, and its slope at 0 is 0",
    0.1: "the activation is a leaky ReLU: below 0 and at 0, its slope is 0.1",
    0.3: "the activation is a leaky ReLU: below 0 and at 0, its slope is 0.3",
}
TEMPERATURE = {value: f"the temperature is {value}" for value in (0.1, 0.2, 0.5)}
WAY = {
    "one": "each u looks for its v among all v",
    "both": "each u looks for its v among all v, and each v for its u among all u; the loss is the "
    "mean of both",
    "all": "each of the 2N looks for its partner among the 2N − 1 others, u and v together; the "
    "loss is the mean over the 2N",
}


def split_groups(variant):
    """The right ``split_groups`` of a variant."""

    def right(groups, share):
        numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
        key = {"largest": -sizes, "smallest": sizes, "seen": first, "number": numbers}
        test = np.zeros(len(groups), bool)
        for g in np.argsort(key[variant["order"]], kind="stable"):
            if variant["stop"] == "reach" and test.sum() >= share * len(groups):
                break
            if variant["stop"] == "stay" and test.sum() + sizes[g] > share * len(groups):
                break
            test |= groups == numbers[g]
        return test

    return right


def frozen_gradients(variant):
    """The right ``frozen_gradients``: (dw1, dw2, dw3)."""
    leak, frozen = variant["leak"], ("first", "middle", "last").index(variant["frozen"])

    def right(dz, x, w1, w2, w3):
        z1 = x @ w1
        a1 = np.where(z1 > 0, z1, leak * z1)
        z2 = a1 @ w2
        a2 = np.where(z2 > 0, z2, leak * z2)
        da2, dw3, _ = dense_backward(dz, a2, w3)
        da1, dw2, _ = dense_backward(da2 * np.where(z2 > 0, 1, leak), a1, w2)
        _, dw1, _ = dense_backward(da1 * np.where(z1 > 0, 1, leak), x, w1)
        gradients = [dw1, dw2, dw3]
        gradients[frozen] = np.zeros_like(gradients[frozen])
        return tuple(gradients)

    return right


def contrastive_loss(variant):
    """The right ``contrastive_loss``: the book's cross-entropy, the partner as the right class."""

    def right(u, v):
        u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
        s, own = u @ v.T / variant["temperature"], np.arange(len(u))
        if variant["way"] == "one":
            return softmax_cross_entropy(s, own)[0]
        if variant["way"] == "both":
            return (softmax_cross_entropy(s, own)[0] + softmax_cross_entropy(s.T, own)[0]) / 2
        both = np.concatenate([u, v])
        s = both @ both.T / variant["temperature"]
        np.fill_diagonal(s, -np.inf)
        return softmax_cross_entropy(s, np.roll(np.arange(len(both)), len(u)))[0]

    return right


def split_groups_cases(rng, variant):
    yield case("3 groups, a third", np.array([2, 2, 1, 1, 0, 0]), 1 / 3)
    yield case("groups of unequal size", np.array([1, 0, 1, 2, 1, 0]), 0.5)
    yield case("numbers that are not 0, 1, 2", np.array([70, 5, 70, 9, 5, 70, 12]), 0.4)
    yield case("a share that no whole groups reach exactly", np.array([3, 3, 3, 1, 1, 2]), 0.4)
    yield case("nothing goes to the test set", np.array([4, 4, 1]), 0.0)
    for n, many in rng.integers((12, 4), (50, 12), (6, 2)):
        groups = rng.choice(100, many, False)[rng.integers(0, many, n) * rng.integers(0, 2, n)]
        share = round(float(rng.uniform(0.15, 0.85)), 2)
        yield case(f"{n} images of up to {many} groups, share {share}", groups, share)


def frozen_gradients_cases(rng, variant):
    one = np.ones((1, 1))
    yield case("one image, one number, all ones", one, one, one, one, one)
    yield case("a first layer that turns the sign", one, one, -one, one, one)
    yield case("an input of 0", one, 0 * one, one, one, one)
    sizes = [(1, 2, 3, 4, 2), (4, 3, 3, 3, 3), *rng.integers(2, 6, (4, 5))]
    for n, c, k1, k2, k3 in sizes:
        shapes = (n, k3), (n, c), (c, k1), (k1, k2), (k2, k3)
        label = f"{n} images, widths {c}, {k1}, {k2}, {k3}"
        yield case(label, *(rng.normal(size=shape) for shape in shapes))


def contrastive_loss_cases(rng, variant):
    yield case("two pairs at right angles", np.eye(2), np.eye(2))
    yield case("two pairs that are exchanged", np.eye(2), np.eye(2)[::-1])
    yield case("rows of length 3, not 1", 3 * np.eye(3), 3 * np.eye(3)[[0, 2, 1]])
    for n, c in [(3, 3), (5, 2), *rng.integers(2, 9, (4, 2))]:
        u = rng.normal(size=(n, c)) * rng.uniform(0.5, 4, (n, 1))
        yield case(f"{n} pairs of {c} numbers", u, u + rng.normal(size=(n, c)))


def _by_image(variant):
    """A split that takes images, not groups."""

    def wrong(groups, share):
        test = np.zeros(len(groups), bool)
        test[: int(np.ceil(share * len(groups)))] = True
        return test

    return wrong


def _count_groups(variant):
    """The share is of the groups, not of the images."""

    def wrong(groups, share):
        numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
        key = {"largest": -sizes, "smallest": sizes, "seen": first, "number": numbers}
        order = np.argsort(key[variant["order"]], kind="stable")
        end = np.ceil if variant["stop"] == "reach" else np.floor
        return np.isin(groups, numbers[order[: int(end(share * len(numbers)))]])

    return wrong


def _loss(variant, scale=True, diagonal=False, total=False):
    """``contrastive_loss`` without the scaling, with itself among the others, or summed."""

    def wrong(u, v):
        if scale:
            u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
        if variant["way"] == "all":
            u, v = np.concatenate([u, v]), np.concatenate([v, u])
        s = u @ (u if variant["way"] == "all" else v).T / variant["temperature"]
        if variant["way"] == "all" and not diagonal:
            np.fill_diagonal(s, -np.inf)
        half = len(u) // 2 if variant["way"] == "all" else 0
        own = np.roll(np.arange(len(u)), half)
        losses = [softmax_cross_entropy(s, own)[0]]
        if variant["way"] == "both":
            losses.append(softmax_cross_entropy(s.T, own)[0])
        return float(np.mean(losses)) * (len(u) if total else 1)

    return wrong


def _stopped(variant):
    """Nothing flows through the frozen layer."""

    def wrong(dz, x, w1, w2, w3):
        gradients = list(frozen_gradients(variant)(dz, x, w1, w2, w3))
        for i in range(("first", "middle", "last").index(variant["frozen"])):
            gradients[i] = np.zeros_like(gradients[i])
        return tuple(gradients)

    return wrong if variant["frozen"] != "first" else None


def _all_learn(variant):
    def wrong(*a):
        one = frozen_gradients({**variant, "frozen": "first"})(*a)
        return frozen_gradients({**variant, "frozen": "last"})(*a)[0], *one[1:]

    return wrong


QUESTIONS = [
    Question(
        "split_groups",
        split_groups,
        split_groups_cases,
        {"order": ORDER, "stop": STOP},
        {
            "images are taken, not whole groups": _by_image,
            "it is True for training, not for testing": changed(split_groups, lambda r, *a: ~r),
            "the share is of the groups, not of the images": _count_groups,
            "the numbers of the chosen groups came": changed(
                split_groups, lambda r, g, s: np.unique(g[r])
            ),
            "the places of the test images came, not True and False": changed(
                split_groups, lambda r, *a: np.flatnonzero(r)
            ),
            "the share of the training images is taken": given(
                split_groups, lambda g, s: (g, 1 - s)
            ),
        },
    ),
    Question(
        "frozen_gradients",
        frozen_gradients,
        frozen_gradients_cases,
        {"frozen": FROZEN, "leak": LEAK},
        {
            "nothing flows through the frozen layer to those below": _stopped,
            "no layer is frozen": _all_learn,
            "the gradients are divided by the number of images": changed(
                frozen_gradients, lambda r, dz, *a: tuple(d / len(dz) for d in r)
            ),
            "the order is dw3, dw2, dw1": changed(frozen_gradients, lambda r, *a: r[::-1]),
            "the sign is wrong": changed(frozen_gradients, lambda r, *a: tuple(-d for d in r)),
        },
        returns=("dw1", "dw2", "dw3"),
    ),
    Question(
        "contrastive_loss",
        contrastive_loss,
        contrastive_loss_cases,
        {"temperature": TEMPERATURE, "way": WAY},
        {
            "the rows are not scaled to length 1": lambda v: _loss(v, scale=False),
            "it is the sum over the pairs, not the mean": lambda v: _loss(v, total=True),
            "each one is among its own others": lambda v: (
                _loss(v, diagonal=True) if v["way"] == "all" else None
            ),
            "the minus is missing": changed(contrastive_loss, lambda r, *a: -r),
            "the partners are not those of the same row": given(
                contrastive_loss, lambda u, v: (u, np.roll(v, 1, axis=0))
            ),
            "it multiplies by the temperature": lambda v: contrastive_loss(
                {**v, "temperature": 1 / v["temperature"]}
            ),
        },
        tolerance=1e-8,
    ),
]


def data(rng, variants):
    """Who took which photograph, a split that nobody thought about, and pairs of features.

    Returns ``groups`` (300,), the photographer of each image; ``test`` (300,), a split by image;
    ``u`` and ``v`` (12, 6), features of two crops of 12 images.
    """
    weights = rng.dirichlet(np.full(60, 0.5))
    groups = rng.choice(rng.choice(900, 60, False) + 100, 300, p=weights)
    u = rng.normal(size=(12, 6))
    return {"groups": groups, "test": rng.random(300) < 0.25, "u": u,
            "v": u + 0.6 * rng.normal(size=u.shape)}  # fmt: skip


def leaked_share(data, variants):
    """The share of the test images whose photographer has images in the training set, too."""
    groups, test = data["groups"], data["test"]
    return np.isin(groups[test], groups[~test]).mean()


ASSIGNMENT = Assignment(
    "a4", "Borrowed features, honestly tested", QUESTIONS, "leaked_share", data, leaked_share
)
