"""Checks of the functions that the reader of lab 01 writes."""

from math import comb

import numpy as np

from helpers.check.engine import Check, case


def distance(a, b):
    """Steps from one class to another in the tree; ``a`` and ``b`` are their paths."""
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    return len(a) + len(b) - 2 * shared


def _path(text):
    return tuple(text.split(" > "))


def _fork(rng):
    """Two random paths, with from one synset in common to all of the shorter one."""
    shared, down, other = (int(n) for n in rng.integers((1, 0, 0), (9, 6, 6)))
    trunk = tuple(f"s{n}" for n in range(shared))
    ends = [tuple(f"{side}{n}" for n in range(m)) for side, m in (("a", down), ("b", other))]
    return trunk + ends[0], trunk + ends[1]


def distance_cases(rng):
    cat = "entity > animal > cat"
    yield case("two siblings", _path(f"{cat} > tabby"), _path(f"{cat} > tiger_cat"))
    yield case("a class and itself", _path(f"{cat} > tabby"), _path(f"{cat} > tabby"))
    yield case("paths of different lengths", _path(f"{cat} > tabby"), _path("entity > bubble"))
    yield case("the shorter path first", _path("entity > bubble"), _path(f"{cat} > tabby"))
    yield case("one above the other", _path(cat), _path(f"{cat} > tabby"))
    for _ in range(6):
        a, b = _fork(rng)
        yield case(f"paths of {len(a)} and {len(b)} synsets", a, b)


def _shared(a, b):
    return sum(x == y for x, y in zip(a, b, strict=False))


DISTANCE = {
    "the shared synsets are taken off one path only": lambda a, b: len(a) + len(b) - _shared(a, b),
    "only the way up from the first class is counted": lambda a, b: len(a) - _shared(a, b),
    "only the way down to the second class is counted": lambda a, b: len(b) - _shared(a, b),
    "the two ways are taken to be equally long": lambda a, b: 2 * (len(a) - _shared(a, b)),
    "the synsets on the way are counted, not the steps": lambda a, b: (
        len(a) + len(b) - 2 * _shared(a, b) + 1
    ),
    "the nearest common ancestor is not among the shared synsets": lambda a, b: (
        len(a) + len(b) - 2 * (_shared(a, b) - 1)
    ),
    "the longer way is taken for the whole": lambda a, b: max(len(a), len(b)) - _shared(a, b),
    "this is the number of shared synsets": _shared,
}


def top_error(scores, labels, guesses):
    """Share of the images whose label is not among the ``guesses`` classes that score highest."""
    score_of_right = scores[np.arange(len(labels)), labels]
    higher = np.sum(scores > score_of_right[:, None], axis=1)
    return np.mean(higher >= guesses)


def top_error_cases(rng):
    scores = np.array([[9.0, 1, 2, 0], [2, 7, 8, 1], [5, 6, 1, 2]])
    yield case("3 images, 4 classes, 1 guess", scores, np.array([0, 1, 2]), 1)
    yield case("3 images, 4 classes, 2 guesses", scores, np.array([0, 1, 2]), 2)
    yield case("one image", -scores[:1], np.array([2]), 1)
    yield case("scores below zero", -scores, np.array([0, 1, 2]), 2)
    yield case("as many guesses as classes", scores, np.array([3, 3, 3]), 4)
    yield case("an error of one", -scores, np.array([0, 2, 1]), 1)
    for n, classes in ((40, 6), (30, 12), (25, 25), (60, 10)):
        guesses = int(rng.integers(1, 6))
        scores, labels = rng.normal(size=(n, classes)), rng.integers(0, classes, n)
        label = f"{n} images, {classes} classes, {guesses} guess{'es' * (guesses > 1)}"
        yield case(label, scores, labels, guesses)


def _among(scores, labels, guesses):
    """Whether each label is among the ``guesses`` highest scores."""
    best = np.argsort(-scores, axis=1)[:, :guesses]
    return (best == np.asarray(labels)[:, None]).any(axis=1)


TOP_ERROR = {
    "this is the accuracy, not the error": lambda s, y, g: np.mean(_among(s, y, g)),
    "this is the number of wrong images, not their share": lambda s, y, g: np.sum(~_among(s, y, g)),
    "the lowest scores are taken": lambda s, y, g: np.mean(~_among(-s, y, g)),
    "only the first guess counts": lambda s, y, g: np.mean(~_among(s, y, 1)),
    "one guess too many is allowed": lambda s, y, g: np.mean(~_among(s, y, g + 1)),
    "one guess too few is allowed": lambda s, y, g: np.mean(~_among(s, y, g - 1)),
    "this is in percent": lambda s, y, g: 100 * np.mean(~_among(s, y, g)),
    "the first classes are named, not the best": lambda s, y, g: np.mean(np.asarray(y) >= g),
}


def probability_below(p, paths, synset):
    """What a network gives to a synset: to all the classes below it, together."""
    return float(sum(each for each, path in zip(p, paths, strict=True) if synset in path))


PATHS = (
    "entity > animal > cat > tabby",
    "entity > animal > cat > lynx",
    "entity > animal > dog > pug",
    "entity > thing > cup",
    "entity > thing > catapult",
)


def probability_below_cases(rng):
    paths = [_path(path) for path in PATHS]
    p = np.array([0.1, 0.2, 0.3, 0.25, 0.15])
    yield case("two of five classes", p, paths, "cat")
    yield case("a synset in the middle", p, paths, "animal")
    yield case("the root", p, paths, "entity")
    yield case("a class itself", p, paths, "cup")
    yield case("a class itself", p, paths, "catapult")
    yield case("a synset with nothing below", p, paths, "bird")
    for _ in range(4):
        count = int(rng.integers(5, 20))
        many = [paths[int(i)] for i in rng.integers(0, 5, count)]
        p = rng.dirichlet(np.ones(count))
        yield case(f"{count} classes", p, many, str(rng.choice(["animal", "thing", "cat"])))


def _chosen(p, paths, synset):
    return [each for each, path in zip(p, paths, strict=True) if synset in path]


PROBABILITY_BELOW = {
    "only the largest is taken": lambda p, paths, s: max(_chosen(p, paths, s), default=0),
    "this is the mean, not the sum": lambda p, paths, s: np.mean(_chosen(p, paths, s) or [0]),
    "the classes are counted, not their probabilities added": lambda p, paths, s: len(
        _chosen(p, paths, s)
    ),
    "only the class of that very name is taken": lambda p, paths, s: sum(
        each for each, path in zip(p, paths, strict=True) if path[-1] == s
    ),
    "only the children are taken": lambda p, paths, s: sum(
        each for each, path in zip(p, paths, strict=True) if s in path[-2:-1]
    ),
    "the class itself is left out": lambda p, paths, s: sum(
        each for each, path in zip(p, paths, strict=True) if s in path[:-1]
    ),
    "a part of a name is enough": lambda p, paths, s: sum(
        each for each, path in zip(p, paths, strict=True) if s in " ".join(path)
    ),
    "this is the probability of all other classes": lambda p, paths, s: (
        sum(p) - sum(_chosen(p, paths, s))
    ),
}


def majority(skill, votes):
    """Probability that more than half of the votes are right, each with probability ``skill``."""
    total = 0.0
    for j in range(votes // 2 + 1, votes + 1):
        total += comb(votes, j) * skill**j * (1 - skill) ** (votes - j)
    return total


def majority_cases(rng):
    yield case("3 votes of skill 0.8", 0.8, 3)
    yield case("one vote", 0.8, 1)
    yield case("2 votes: one of two is not more than half", 0.8, 2)
    yield case("4 votes", 0.7, 4)
    yield case("a coin and 5 votes", 0.5, 5)
    yield case("skill 1", 1.0, 7)
    yield case("skill 0", 0.0, 7)
    for _ in range(4):
        votes = int(rng.integers(5, 60))
        skill = round(float(rng.uniform(0.3, 0.95)), 2)
        yield case(f"{votes} votes of skill {skill}", skill, votes)


def _tail(skill, votes, first, last=None, ways=comb):
    js = range(first, votes + 1 if last is None else last)
    return sum(ways(votes, j) * skill**j * (1 - skill) ** (votes - j) for j in js)


MAJORITY = {
    "half of the votes is taken to be enough": lambda p, n: _tail(p, n, (n + 1) // 2),
    "the sum begins at votes // 2, one vote too early": lambda p, n: _tail(p, n, n // 2),
    "the ways to choose the votes are not counted": lambda p, n: _tail(
        p, n, n // 2 + 1, ways=lambda n, j: 1
    ),
    "this is the probability that the majority is wrong": lambda p, n: _tail(p, n, 0, n // 2 + 1),
    "the case in which all votes are right is left out": lambda p, n: _tail(p, n, n // 2 + 1, n),
    "all votes must be right": lambda p, n: p**n,
    "one right vote is enough": lambda p, n: 1 - (1 - p) ** n,
    "one vote more than the least majority is asked for": lambda p, n: _tail(p, n, n // 2 + 2),
    "this is the probability of the least majority only": lambda p, n: _tail(
        p, n, n // 2 + 1, n // 2 + 2
    ),
}


CHECKS = [
    Check("distance", distance, distance_cases, DISTANCE),
    Check("top_error", top_error, top_error_cases, TOP_ERROR),
    Check("probability_below", probability_below, probability_below_cases, PROBABILITY_BELOW),
    Check("majority", majority, majority_cases, MAJORITY),
]
