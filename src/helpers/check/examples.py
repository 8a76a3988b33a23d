"""Checks of lab 07's functions on examples: the nearest prototype, and images that have leaked.

Features are rows, (n, channels), float64; images are uint8. Nothing here needs TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def nearest_prototype(features, labels, queries):
    """For each query the class, 0 to K − 1, whose mean feature is nearest."""
    classes = np.arange(labels.max() + 1)
    means = np.stack([features[labels == k].mean(axis=0) for k in classes])
    # −|q − m|² = 2 q·m − |m|² − |q|², and the last term is the same for every class
    return (2 * queries @ means.T - (means**2).sum(axis=1)).argmax(axis=1)


def leaked(train, test):
    """For each test image, whether the very same image is in the training set: (n,) bool."""
    seen = {image.tobytes() for image in train}
    return np.array([image.tobytes() in seen for image in test])


def prototype_cases(rng):
    features = np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0]])
    queries = np.array([[1.0, 0.0], [9.0, 1.0], [5.0, 0.0], [6.0, 0.0]])
    yield case("two classes in the plane", features, np.array([0, 0, 1]), queries)
    longer = np.array([[1.0, 0.0], [10.0, 4.0]])
    yield case("prototypes of unequal length", longer, np.array([1, 0]), np.array([[4.0, 1.0]]))
    for classes, shots, channels in ((3, 1, 2), (5, 3, 4), (4, 6, 8), (10, 5, 6)):
        labels = rng.permutation(np.repeat(np.arange(classes), shots))
        centers = rng.normal(0, 1.5, (classes, channels)) * rng.uniform(0.3, 3, (classes, 1))
        features = centers[labels] + rng.normal(size=(len(labels), channels))
        queries = centers[rng.integers(0, classes, 12)] + rng.normal(size=(12, channels))
        yield case(f"{classes} classes, {shots} examples each", features, labels, queries)
    few = np.array([0, 0, 0, 0, 1])
    yield case("classes of unequal size", rng.normal(size=(5, 3)), few, rng.normal(size=(9, 3)))


def leaked_cases(rng):
    a, b = np.array([[0, 1], [2, 3]], np.uint8), np.array([[3, 2], [1, 0]], np.uint8)
    yield case("[a, b] and [b, a, a + 1]", np.stack([a, b]), np.stack([b, a, a + np.uint8(1)]))
    yield case("the same pixels in another order", a[None], b[None])
    for n, m in rng.integers(4, 9, (4, 2)):
        train = rng.integers(0, 256, (n, 4, 4)).astype(np.uint8)
        test = rng.integers(0, 256, (m, 4, 4)).astype(np.uint8)
        test[rng.permutation(m)[:2]] = train[rng.permutation(n)[:2]]
        test[-1, 1:] = train[0, 1:]  # all but a row
        yield case(f"{n} training and {m} test images", train, test)


def _nearest_example(features, labels, queries):
    return labels[((queries[:, None] - features) ** 2).sum(axis=2).argmin(axis=1)]


def _by_product(features, labels, queries):
    means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return (queries @ means.T).argmax(axis=1)


def _by_sum(features, labels, queries):
    sums = np.stack([features[labels == k].sum(axis=0) for k in range(labels.max() + 1)])
    return ((queries[:, None] - sums) ** 2).sum(axis=2).argmin(axis=1)


def _directions(features, labels, queries):
    with np.errstate(all="ignore"):
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        return nearest_prototype(features, labels, queries)


def _by_steps(features, labels, queries):
    means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return np.abs(queries[:, None] - means).sum(axis=2).argmin(axis=1)


def _without_last(features, labels, queries):
    means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max())])
    return ((queries[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


def _ten_classes(features, labels, queries):
    if labels.max() == 9:
        return nearest_prototype(features, labels, queries)
    return np.full(len(queries), labels.max() + 1)  # the first mean of nothing, nan


def _farthest(features, labels, queries):
    means = np.stack([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    return ((queries[:, None] - means) ** 2).sum(axis=2).argmax(axis=1)


def _same_place(train, test):
    n = min(len(train), len(test))
    same = [np.array_equal(a, b) for a, b in zip(train, test, strict=False)]
    return np.array([*same, *[False] * (len(test) - n)])


def _same_sum(train, test):
    return np.isin(test.sum(axis=(1, 2)), train.sum(axis=(1, 2)))


def _any_pixel(train, test):
    return (test[:, None] == train).any(axis=(1, 2, 3))


def _first_row(train, test):
    return (test[:, None, -1] == train[:, -1]).all(axis=2).any(axis=1)


def _of_training(train, test):
    return leaked(test, train)


CHECKS = [
    Check(
        "nearest_prototype",
        nearest_prototype,
        prototype_cases,
        {
            "the nearest single example decides": _nearest_example,
            "the largest product decides, which favors long prototypes": _by_product,
            "a class's examples are added, not averaged": _by_sum,
            "the farthest prototype wins": _farthest,
            "features are scaled to length 1 (ours come scaled; the function compares what it "
            "gets)": _directions,
            "the distance is a sum of absolute differences": _by_steps,
            "the last class is left out": _without_last,
            "ten classes are taken for granted": _ten_classes,
        },
    ),
    Check(
        "leaked",
        leaked,
        leaked_cases,
        {
            "only images at the same place are compared": _same_place,
            "sums of pixels are compared": _same_sum,
            "one equal pixel is enough": _any_pixel,
            "only the last row is compared": _first_row,
            "the answer is about the training images": _of_training,
        },
    ),
]
