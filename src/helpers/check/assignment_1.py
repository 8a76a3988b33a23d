"""Assignment 1 (chapters 0 and 1): counting mistakes, for a student's variant.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
"""

import numpy as np

from helpers import datasets
from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.engine import case
from helpers.check.imagenet import distance

TIES = {
    "for": "of equal scores, the label's counts as the higher one",
    "against": "of equal scores, the label's counts as the lower one",
    "first": "of equal scores, the class with the smaller number comes first",
    "last": "of equal scores, the class with the larger number comes first",
    "lot": "the order of equal scores is drawn by lot, and each order counts with its probability",
}
WAY = {
    "both": "both ways count: up from the first class and down to the second",
    "up": "only the way up counts, from the first class to the nearest common ancestor",
    "down": "only the way down counts, from the nearest common ancestor to the second class",
    "longer": "the longer of the two ways counts (up from the first class, down to the second)",
}
FADE = {share: f"a step costs {share} times the step above it" for share in (0.5, 0.6, 0.75, 0.8)}
CHANCE = {
    "uniform": "by chance, every class is equally likely",
    "pooled": "by chance, both annotators draw from the labels of both together",
    "own": "by chance, each annotator draws from their own labels",
}
BLANK = {
    "skip": "an image that one of the two has left blank does not count at all",
    "differ": "an image that one of the two has left blank counts as a disagreement",
}


def tied_error(variant):
    """The right ``tied_error`` of a variant."""

    def right(scores, labels, k):
        own = scores[np.arange(len(labels)), labels][:, None]
        above, equal = (scores > own).sum(axis=1), scores == own
        number = np.arange(scores.shape[1])
        before = {"for": 0, "against": equal.sum(axis=1) - 1}
        before["first"] = (equal & (number < labels[:, None])).sum(axis=1)
        before["last"] = (equal & (number > labels[:, None])).sum(axis=1)
        if variant["ties"] == "lot":
            return float(np.mean(1 - np.clip((k - above) / equal.sum(axis=1), 0, 1)))
        return float(np.mean(above + before[variant["ties"]] >= k))

    return right


def mistake_cost(variant):
    """The right ``mistake_cost``: as many steps as the book's ``distance``, each with its cost."""

    def right(a, b):
        shared = shared_synsets(a, b)
        up, down = (_steps(variant["fade"], range(shared - 1, len(path) - 1)) for path in (a, b))
        return {"both": up + down, "up": up, "down": down, "longer": max(up, down)}[variant["way"]]

    return right


def _steps(fade, depths):
    return float(sum(fade**depth for depth in depths))


def agreement(variant):
    """The right ``agreement``: (share − chance) / (1 − chance)."""

    def right(first, second, classes):
        seen = (first >= 0) & (second >= 0)
        a, b = first[seen], second[seen]
        share = (a == b).sum() / (len(first) if variant["blank"] == "differ" else len(a))
        p, q = (np.bincount(y, minlength=classes) / len(a) for y in (a, b))
        pooled = (p + q) / 2
        chances = {"uniform": 1 / classes, "pooled": pooled @ pooled, "own": p @ q}
        chance = chances[variant["chance"]]
        return float((share - chance) / (1 - chance))

    return right


def tied_error_cases(rng, variant):
    scores = np.array([[3.0, 1, 2, 0], [1, 3, 3, 0], [2, 2, 2, 2]])
    yield case("3 images, 4 classes, no ties at the label", scores[:1], np.array([2]), 1)
    yield case(
        "the label is one of two that share the highest score", scores[1:2], np.array([1]), 1
    )
    yield case("the label is the second of two that share it", scores[1:2], np.array([2]), 1)
    yield case("all scores are equal, 2 guesses", np.repeat(scores[2:], 4, 0), np.arange(4), 2)
    yield case("as many guesses as classes", scores, np.array([3, 3, 3]), 4)
    yield case("scores below zero", -scores, np.array([1, 2, 0]), 2)
    for n, classes, k in [(40, 6, 1), (30, 12, 5), *rng.integers((20, 6, 2), (60, 15, 5), (4, 3))]:
        scores, labels = rng.integers(-4, 5, (n, classes)) / 2, rng.integers(0, classes, n)
        yield case(f"{n} images, {classes} classes, {k} guesses", scores, labels, int(k))


def mistake_cost_cases(rng, variant):
    cat = ("entity", "animal", "cat")
    yield case("two siblings", (*cat, "tabby"), (*cat, "lynx"))
    yield case("a class and itself", (*cat, "tabby"), (*cat, "tabby"))
    yield case("paths of different lengths", (*cat, "tabby"), ("entity", "cup"))
    yield case("the shorter path first", ("entity", "cup"), (*cat, "tabby"))
    yield case("the second class above the first", (*cat, "tabby"), cat)
    yield case("the second class below the first", cat, (*cat, "tabby"))
    yield case("equal names below different ones", ("e", "a", "x", "z"), ("e", "b", "x", "z"))
    for shared, up, down in rng.integers((1, 0, 0), (6, 6, 6), (6, 3)):
        trunk = tuple(f"s{i}" for i in range(shared))
        a, b = (trunk + tuple(f"{s}{i}" for i in range(m)) for s, m in (("a", up), ("b", down)))
        yield case(f"{shared} synsets in common, then {up} and {down}", a, b)


def agreement_cases(rng, variant):
    yield case("4 images, 2 classes", np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)
    yield case("they agree on everything", np.array([0, 2, 1, 0]), np.array([0, 2, 1, 0]), 3)
    yield case("they agree on nothing", np.array([0, 0, 1]), np.array([1, 1, 0]), 2)
    yield case("a class that nobody names", np.array([0, 2, 2, 0]), np.array([0, 2, 0, 0]), 4)
    for n, classes in [(12, 3), *rng.integers((20, 2), (60, 8), (5, 2))]:
        first = rng.choice(classes, n, p=rng.dirichlet(np.ones(classes) * 3))
        second = np.where(rng.random(n) < 0.6, first, rng.integers(0, classes, n))
        for labels in (first, second):
            labels[rng.random(n) < 0.15] = -1
        first[:4], second[:4] = (0, 0, 1, -1), (0, 1, 1, 1)
        yield case(f"{n} images, {classes} classes, some left blank", first, second, int(classes))


def _flat_cost(variant):
    return mistake_cost({**variant, "fade": 1.0})


def _late_cost(variant):
    return lambda a, b: mistake_cost(variant)(a, b) * variant["fade"]


def _set_cost(variant):
    def wrong(a, b):
        shared = [x for x in a if x in b]
        a = (*shared, *(f"a {x}" for x in a if x not in b))
        return mistake_cost(variant)(a, (*shared, *(f"b {x}" for x in b if x not in shared)))

    return wrong


def _from_the_ancestor(variant):
    def wrong(a, b):
        shared = shared_synsets(a, b)
        up, down = (_steps(variant["fade"], range(len(path) - shared)) for path in (a, b))
        return {"both": up + down, "up": up, "down": down, "longer": max(up, down)}[variant["way"]]

    return wrong


def _no_chance(variant):
    def wrong(first, second, classes):
        seen = (first >= 0) & (second >= 0)
        n = len(first) if variant["blank"] == "differ" else seen.sum()
        return float(((first == second) & seen).sum() / n)

    return wrong


def _not_scaled(variant):
    def wrong(first, second, classes):
        share = _no_chance(variant)(first, second, classes)
        kappa = agreement(variant)(first, second, classes)
        # κ = (s − e) / (1 − e), so e = (s − κ) / (1 − κ)
        return share - (share - kappa) / (1 - kappa) if kappa != 1 else 0.0

    return wrong


QUESTIONS = [
    Question(
        "tied_error",
        tied_error,
        tied_error_cases,
        {"ties": TIES},
        {
            "this is the accuracy, not the error": changed(tied_error, lambda e, *a: 1 - e),
            "this is the number of wrong images, not their share": changed(
                tied_error, lambda e, s, y, k: e * len(y)
            ),
            "the lowest scores are taken": given(tied_error, lambda s, y, k: (-s, y, k)),
            "one guess too many is allowed": given(tied_error, lambda s, y, k: (s, y, k + 1)),
            "one guess too few is allowed": given(tied_error, lambda s, y, k: (s, y, k - 1)),
            "only the first guess counts": given(tied_error, lambda s, y, k: (s, y, 1)),
        },
    ),
    Question(
        "mistake_cost",
        mistake_cost,
        mistake_cost_cases,
        {"way": WAY, "fade": FADE},
        {
            "all steps cost 1": _flat_cost,
            "the steps below the root cost less than 1": _late_cost,
            "the step below the common ancestor costs 1, however deep it lies": _from_the_ancestor,
            "an equal name counts as common even below the place where the paths part": _set_cost,
        },
    ),
    Question(
        "agreement",
        agreement,
        agreement_cases,
        {"chance": CHANCE, "blank": BLANK},
        {
            "chance is not taken off": _no_chance,
            "chance is taken off, but not divided by 1 − chance": _not_scaled,
            "this is the disagreement": changed(agreement, lambda v, *a: 1 - v),
            "two blanks count as an agreement, and a blank as a class of its own": given(
                agreement, lambda a, b, k: (a + 1, b + 1, k + 1)
            ),
        },
    ),
]


def data(rng, variants):
    """A network's scores and two annotators' labels.

    Returns a dictionary: ``paths`` of 20 classes of ImageNet from the root down, ``scores``
    (200, 20) in steps of 1/2, ``labels`` (200,), and the annotators' ``first`` and ``second``.
    """
    table = datasets.ilsvrc_classes()
    paths = [table[int(i)].path for i in rng.choice(len(table), 20, False)]
    labels = rng.integers(0, 20, 200)
    near = np.array([[shared_synsets(p, q) for q in paths] for p in paths])
    scores = np.round(2 * (rng.normal(size=(200, 20)) + 0.15 * near[labels])) / 2
    first, second = (
        np.where(rng.random(200) < skill, labels, rng.integers(0, 20, 200))
        for skill in rng.uniform(0.7, 0.95, 2)
    )
    first[rng.random(200) < 0.1] = -1
    second[rng.random(200) < 0.1] = -1
    return {"paths": paths, "scores": scores, "labels": labels, "first": first, "second": second}


def shared_synsets(a, b):
    """How many synsets two paths have in common before they part."""
    return (len(a) + len(b) - distance(a, b)) // 2


def shared_depth(data, variants):
    """The mean number of synsets shared by label and best guess, over the images got wrong."""
    guesses, paths = data["scores"].argmax(axis=1), data["paths"]
    wrong = [(y, g) for y, g in zip(data["labels"], guesses, strict=True) if y != g]
    return np.mean([shared_synsets(paths[y], paths[g]) for y, g in wrong])


ASSIGNMENT = Assignment("a1", "Counting mistakes", QUESTIONS, "shared_depth", data, shared_depth)
