"""Assignment 5 (chapters 9 and 10): a step of an attack, its bound, and where a network looks.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
"""

import numpy as np

from helpers import datasets
from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.engine import case
from helpers.check.forward import softmax

STEP = {
    "sign": "every pixel moves by epsilon (the sign of the gradient)",
    "length": "every image moves by the length epsilon (the root of the sum of the squares), "
    "straight along its gradient",
}
AIM = {
    "away": "dx is the gradient of the loss of the right class, which is to rise",
    "toward": "dx is the gradient of the loss of a class that the network is to say, so it is to "
    "fall",
}
BOX = {"unit": "pixels go from 0 to 1", "centered": "pixels go from −1 to 1"}
BALL = {
    "inf": "no pixel may differ by more than epsilon",
    "two": "no image may differ by more than the length epsilon (root of the sum of the squares)",
    "pixel": "no pixel may differ by more than the length epsilon over its channels (the root of "
    "the sum of the squares)",
}
UNIT = {
    "whole": "epsilon is in the pixels' own unit",
    "255": "epsilon is given in 255ths: divide it by 255 first",
}
FILL = {
    "gray": "the patch is filled with 0.5",
    "mean": "the patch is filled with the mean of the image",
    "black": "the patch is filled with 0",
}
STRIDE = {1: "the patch moves by 1 pixel", 2: "the patch moves by 2 pixels",
          3: "the patch moves by 3 pixels"}  # fmt: skip
DROP = {
    "probability": "the map shows by how much the probability of class y falls",
    "logit": "the map shows by how much the logit of class y falls",
}
LIMITS = {"unit": (0.0, 1.0), "centered": (-1.0, 1.0)}


def _length(d, axes=(1, 2, 3)):
    return np.sqrt((d**2).sum(axis=axes, keepdims=True))


def attack_step(variant):
    """The right ``attack_step`` of a variant."""

    def right(x, dx, epsilon):
        direction = np.sign(dx)
        if variant["step"] == "length":
            direction = dx / np.where(_length(dx) == 0, 1, _length(dx))
        moved = x + epsilon * direction * (1 if variant["aim"] == "away" else -1)
        return np.clip(moved, *LIMITS[variant["box"]])

    return right


def onto_ball(variant):
    """The right ``onto_ball`` of a variant."""

    def right(x, x0, epsilon):
        epsilon = epsilon / 255 if variant["unit"] == "255" else epsilon
        d = x - x0
        if variant["ball"] == "inf":
            d = np.clip(d, -epsilon, epsilon)
        else:
            length = _length(d, (1, 2, 3) if variant["ball"] == "two" else 3)
            d = d * np.minimum(1, epsilon / np.where(length == 0, 1, length))
        return np.clip(x0 + d, *LIMITS[variant["box"]])

    return right


def occlusion_map(variant):
    """The right ``occlusion_map`` of a variant."""

    def right(x, w, b, y, size):
        def value(image):
            z = image.reshape(1, -1) @ w + b
            return (softmax(z) if variant["drop"] == "probability" else z)[0, y]

        fill = {"gray": 0.5, "mean": x.mean(), "black": 0.0}[variant["fill"]]
        stride = variant["stride"]
        drop = np.zeros([(side - size) // stride + 1 for side in x.shape])
        for i, j in np.ndindex(drop.shape):
            covered = x.copy()
            covered[i * stride : i * stride + size, j * stride : j * stride + size] = fill
            drop[i, j] = value(x) - value(covered)
        return drop

    return right


def _images(rng, variant, n, h, w, c):
    return rng.uniform(*LIMITS[variant["box"]], (n, h, w, c))


def attack_step_cases(rng, variant):
    middle = np.full((1, 2, 2, 1), 0.4)
    yield case("one image of 2×2", middle, np.array([3.0, -1, 2, 0]).reshape(middle.shape), 0.1)
    yield case("a gradient of 0", middle, 0 * middle, 0.1)
    yield case("pixels at the upper end", np.ones((1, 2, 2, 1)), middle, 0.3)
    yield case("pixels at the lower end of [0, 1]", np.zeros((1, 2, 2, 1)), -middle, 0.3)
    low = np.full((1, 2, 2, 1), -0.9 if variant["box"] == "centered" else 0.1)
    down = np.full((1, 2, 2, 1), 1.0 if variant["aim"] == "toward" else -1.0)
    yield case("and of the range that is yours", low, down, 0.6)
    for n, h, w, c in rng.integers((2, 2, 2, 1), (4, 5, 5, 4), (4, 4)):
        x = _images(rng, variant, n, h, w, c)
        dx = rng.normal(size=x.shape) * rng.uniform(0.01, 9, (n, 1, 1, 1))
        yield case(f"{n} images of {h}×{w}, {c} channels", x, dx, float(rng.uniform(0.05, 0.5)))


def project_cases(rng, variant):
    scale = 255 if variant["unit"] == "255" else 1
    start = np.full((1, 2, 2, 1), 0.5)
    yield case("inside: nothing happens", start + 0.01, start, 0.1 * scale)
    yield case("x and x0 are the same", start, start, 0.1 * scale)
    yield case("all pixels too bright", start + 0.3, start, 0.1 * scale)
    far = np.array([0.2, -0.3, 0.0, 0.02]).reshape(start.shape)
    yield case("two of four pixels too far", start + far, start, 0.1 * scale)
    edge = np.full((1, 2, 2, 1), 0.98)
    yield case("beyond the brightest pixel", edge + 0.2, edge, 0.3 * scale)
    yield case("below the darkest pixel", -1.2 + 0 * edge, -0.9 + 0 * edge
               if variant["box"] == "centered" else 0.05 + 0 * edge, 0.4 * scale)  # fmt: skip
    for n, h, w, c in rng.integers((2, 2, 2, 2), (4, 5, 5, 4), (4, 4)):
        x0 = _images(rng, variant, n, h, w, c)
        x = x0 + rng.normal(size=x0.shape) * rng.uniform(0.02, 0.3, (n, 1, 1, 1))
        label = f"{n} images of {h}×{w}, {c} channels"
        yield case(label, x, x0, float(rng.uniform(0.1, 0.4)) * scale)


def occlusion_map_cases(rng, variant):
    def draw(h, w, classes):
        return rng.uniform(size=(h, w)), rng.normal(size=(h * w, classes)), rng.normal(size=classes)

    ones = np.full((3, 3), 0.8), np.ones((9, 2)) * [1, 0], np.zeros(2)
    yield case("an image of one gray, a patch of 2×2", *ones, 0, 2)
    yield case("a patch as large as the image", *draw(4, 4, 3), 2, 4)
    yield case("a patch of one pixel", *draw(4, 4, 2), 1, 1)
    yield case("an image higher than wide", *draw(8, 5, 3), 0, 3)
    for h, w, classes, size in rng.integers((6, 6, 2, 2), (10, 10, 6, 5), (4, 4)):
        y, label = int(rng.integers(classes)), f"an image of {h}×{w}, a patch of {size}×{size}"
        yield case(label, *draw(h, w, classes), y, int(size))


def _one_length(variant):
    """One length for the whole batch, not one for each image."""

    def wrong(x, dx, epsilon):
        sign = 1 if variant["aim"] == "away" else -1
        length = np.sqrt((dx**2).sum())
        return np.clip(x + sign * epsilon * dx / (length or 1), *LIMITS[variant["box"]])

    return wrong if variant["step"] == "length" else None


def _unclipped(right):
    def make(variant):
        wide = {"unit": (-9, 9), "centered": (-9, 9)}

        def wrong(x, other, epsilon):
            saved = dict(LIMITS)
            LIMITS.update(wide)
            try:
                return right(variant)(x, other, epsilon)
            finally:
                LIMITS.update(saved)

        return wrong

    return make


def _onto_the_rim(variant):
    """Every image is put onto the ball's rim, also those inside."""

    def wrong(x, x0, epsilon):
        epsilon = epsilon / 255 if variant["unit"] == "255" else epsilon
        d = x - x0
        axes = {"two": (1, 2, 3), "pixel": 3}.get(variant["ball"])
        d = np.sign(d) if axes is None else d / np.where(_length(d, axes) == 0, 1, _length(d, axes))
        return np.clip(x0 + epsilon * d, *LIMITS[variant["box"]])

    return wrong


def _still_covered(variant):
    """The patches stay where they were put."""

    def wrong(x, w, b, y, size):
        def value(image):
            z = image.reshape(1, -1) @ w + b
            return (softmax(z) if variant["drop"] == "probability" else z)[0, y]

        covered, stride = x.copy(), variant["stride"]
        fill = {"gray": 0.5, "mean": x.mean(), "black": 0.0}[variant["fill"]]
        drop = np.zeros([(side - size) // stride + 1 for side in x.shape])
        for i, j in np.ndindex(drop.shape):
            covered[i * stride : i * stride + size, j * stride : j * stride + size] = fill
            drop[i, j] = value(x) - value(covered)
        return drop

    return wrong


QUESTIONS = [
    Question(
        "attack_step",
        attack_step,
        attack_step_cases,
        {"step": STEP, "aim": AIM, "box": BOX},
        {
            "pixels may leave their range": _unclipped(attack_step),
            "there is one length for the whole batch, not one an image": _one_length,
            "the change came, not the changed image": changed(attack_step, lambda r, x, *a: r - x),
            "the step is as large as the gradient": lambda v: (
                lambda x, dx, e: np.clip(
                    x + e * dx * (1 if v["aim"] == "away" else -1), *LIMITS[v["box"]]
                )
            ),
            "the step is epsilon squared": given(attack_step, lambda x, dx, e: (x, dx, e * e)),
        },
    ),
    Question(
        "onto_ball",
        onto_ball,
        project_cases,
        {"ball": BALL, "unit": UNIT, "box": BOX},
        {
            "pixels may leave their range": _unclipped(onto_ball),
            "x and x0 are exchanged": given(onto_ball, lambda x, x0, e: (x0, x, e)),
            "what is inside is moved onto the rim, too": _onto_the_rim,
            "the difference came, not the image": changed(onto_ball, lambda r, x, x0, e: r - x0),
            "nothing is bounded but the range": lambda v: (
                lambda x, x0, e: np.clip(x, *LIMITS[v["box"]])
            ),
            "the bound is twice as wide": given(onto_ball, lambda x, x0, e: (x, x0, 2 * e)),
        },
    ),
    Question(
        "occlusion_map",
        occlusion_map,
        occlusion_map_cases,
        {"fill": FILL, "stride": STRIDE, "drop": DROP},
        {
            "the sign is wrong: it is before minus after": changed(occlusion_map, lambda r, *a: -r),
            "earlier patches still cover the image": _still_covered,
            "rows and columns of the map are exchanged": changed(
                occlusion_map, lambda r, *a: r.T.copy()
            ),
            "the map is scaled to a largest value of 1": changed(
                occlusion_map, lambda r, *a: r / np.abs(r).max()
            ),
            "the bias is left out": lambda v: (
                given(occlusion_map, lambda x, w, b, y, s: (x, w, 0 * b, y, s))(v)
                if v["drop"] == "probability"
                else None  # in the difference of two logits it cancels
            ),
            "the largest class is taken, not class y": given(
                occlusion_map,
                lambda x, w, b, y, s: (x, w, b, int((x.reshape(-1) @ w + b).argmax()), s),
            ),
        },
    ),
]


def data(rng, variants):
    """A garment, 14×14, and a linear classifier of ten classes.

    Returns ``x`` (14, 14), pixels from 0 to 1; ``w`` (196, 10) and ``b`` (10,), a classifier made
    of the mean images of the classes; and ``y``, the class that it says.
    """
    images = datasets.fashion_mnist("quick")
    small, labels = images.test_images[:, ::2, ::2] / 255, images.test_labels
    means = np.stack([small[labels == k].mean(axis=0) for k in range(10)])
    w = (means - means.mean(axis=0)).reshape(10, -1).T
    b = -0.5 * (means.reshape(10, -1) ** 2).sum(axis=1) + 0.01 * rng.normal(size=10)
    x = small[int(rng.integers(len(small)))]
    return {"x": x, "w": w, "b": b, "y": int((x.reshape(-1) @ w + b).argmax())}


def least_epsilon(data, variants):
    """The least change of every pixel, without the pixels' range, that makes another class win."""
    x, w, b, y = data["x"].reshape(-1), data["w"], data["b"], data["y"]
    z = x @ w + b
    return min((z[y] - z[k]) / np.abs(w[:, y] - w[:, k]).sum() for k in range(10) if k != y)


ASSIGNMENT = Assignment(
    "a5", "An attack, its bound, and a map", QUESTIONS, "least_epsilon", data, least_epsilon
)
