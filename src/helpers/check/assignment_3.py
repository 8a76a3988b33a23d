"""Assignment 3 (chapters 4 to 6): a step, a schedule, a block with a shortcut.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
"""

import numpy as np

from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.backward_plain import dense_backward, momentum_step, relu_backward
from helpers.check.engine import case
from helpers.check.training import learning_rate

DECAY = 0.01

FORM = {
    "paper": "as in the paper: v ← μ v − η g, then w ← w + v",
    "outside": "as in PyTorch: v ← μ v + g, then w ← w − η v",
    "nesterov": "after Nesterov, as in Keras: v ← μ v − η g, then w ← w + μ v − η g",
}
SHRINK = {
    "coupled": "the decay is part of the gradient: g = dw + 0.01 w",
    "decoupled": "g = dw; the decay is apart: the old w, times 0.01 η, is taken off at the end",
}
MOMENTUM = {value: f"the momentum μ is {value}" for value in (0.7, 0.8, 0.9)}
SHAPE = {
    "cosine": "on the way down, f is half a cosine: (1 + cos π u) / 2",
    "line": "on the way down, f is a straight line: 1 − u",
    "square": "on the way down, f is a parabola: (1 − u)²",
}
WARM = {value: f"the way up takes the share {value} of the steps" for value in (0.05, 0.1, 0.2)}
FLOOR = {value: f"the floor is {value} times the peak" for value in (0.01, 0.05, 0.1)}
ORDER = {
    "post": "the ReLU comes after the sum: a = relu(x + s · relu(x w1) w2)",
    "pre": "the ReLUs come before the weights: a = x + s · relu(relu(x) w1) w2",
    "open": "there is one ReLU only: a = x + s · relu(x w1) w2",
}
SCALE = {value: f"the branch is multiplied by s = {value}" for value in (0.1, 0.5, 2.0)}


def velocity_step(variant):
    """The right ``velocity_step``: (w, v)."""
    momentum, decay = variant["momentum"], DECAY
    inside = decay if variant["shrink"] == "coupled" else 0.0

    def right(w, v, dw, rate):
        apart = 0 if inside else rate * decay * w
        if variant["form"] == "outside":  # the paper's velocity, divided by −η
            new, velocity = momentum_step(w, -rate * v, dw, rate, momentum, inside)
            return new - apart, velocity / -rate
        new, velocity = momentum_step(w, v, dw, rate, momentum, inside)
        if variant["form"] == "nesterov":
            new = w + momentum * velocity - rate * (dw + inside * w)
        return new - apart, velocity

    return right


def scheduled_rate(variant):
    """The right ``scheduled_rate``: the book's up the line; down with another curve and a floor."""

    def right(step, steps, peak):
        warmup, floor = variant["warm"] * steps, variant["floor"]
        if step < warmup:
            return learning_rate(step, steps, peak, warmup)
        u = (step - warmup) / (steps - warmup)
        cosine = learning_rate(step, steps, 1.0, warmup)
        f = {"cosine": cosine, "line": 1 - u, "square": (1 - u) ** 2}[variant["shape"]]
        return peak * (floor + (1 - floor) * f)

    return right


def residual_gradient(variant):
    """The right ``residual_gradient``: (dx, dw1, dw2)."""
    order, scale = variant["order"], variant["scale"]

    def right(da, x, w1, w2):
        inner = np.maximum(x, 0) if order == "pre" else x
        z = inner @ w1
        hidden = np.maximum(z, 0)
        dsum = relu_backward(da, x + scale * hidden @ w2) if order == "post" else da
        dhidden, dw2, _ = dense_backward(scale * dsum, hidden, w2)
        dinner, dw1, _ = dense_backward(relu_backward(dhidden, z), inner, w1)
        return dsum + (relu_backward(dinner, x) if order == "pre" else dinner), dw1, dw2

    return right


def velocity_step_cases(rng, variant):
    one, none = np.ones(1), np.zeros(1)
    yield case("a gradient of 1, at rest, w = 0", none, none, one, 0.1)
    yield case("a velocity of 1, no gradient, w = 0", none, one, none, 0.1)
    yield case("decay alone: w = 1", one, none, none, 0.5)
    for shape in ((3,), (4, 2), (3, 3, 2, 4)):
        label = f"weights of shape {shape}"
        yield case(label, *rng.normal(size=(3, *shape)), float(rng.uniform(0.2, 0.8)))


def scheduled_rate_cases(rng, variant):
    warm = variant["warm"]
    yield case("the first step", 0, 1000, 0.5)
    yield case("half-way up", int(500 * warm), 1000, 0.5)
    yield case("at the peak", int(1000 * warm), 1000, 0.5)
    yield case("half-way down", int(500 + 500 * warm), 1000, 0.5)
    yield case("one step before the end", 999, 1000, 0.5)
    for steps, share, peak in rng.uniform((60, 0, 0.01), (900, 1, 2), (8, 3)):
        step, steps = int(share * int(steps)), int(steps)
        yield case(f"step {step} of {steps}", step, steps, float(peak))


def residual_gradient_cases(rng, variant):
    one = np.ones((1, 1))
    yield case("one image, one number, all ones", one, one, one, one)
    yield case("a negative input", one, -one, one, one)
    yield case("a branch that turns the sum negative", one, one, one, -20 * one)
    for n, c, k in [(3, 3, 3), (1, 4, 2), *rng.integers(2, 7, (4, 3))]:
        sizes = (n, c), (n, c), (c, k), (k, c)
        arrays = (rng.normal(size=size) for size in sizes)
        yield case(f"{n} images of {c} numbers, {k} hidden", *arrays)


def _step(variant, **other):
    """``velocity_step`` with other constants."""

    def wrong(w, v, dw, rate):
        rate_in_decay = 1 if other.get("no_rate") else rate
        g = dw * (-1 if other.get("uphill") else 1)
        new, velocity = velocity_step(variant)(0 * w, v, g, rate)
        return w + new - rate_in_decay * DECAY * w * other.get("times", 1), velocity

    return wrong


def _late(variant):
    """The decline begins at step 0."""

    def wrong(step, steps, peak):
        if step < variant["warm"] * steps:
            return scheduled_rate(variant)(step, steps, peak)
        return scheduled_rate({**variant, "warm": 1e-12})(step, steps, peak)

    return wrong


def _no_warm_up(variant):
    return lambda step, steps, peak: scheduled_rate({**variant, "warm": 1e-12})(step, steps, peak)


def _cut_at_floor(variant):
    """The curve runs to 0 and is cut off at the floor."""

    def wrong(step, steps, peak):
        if step < variant["warm"] * steps:
            return scheduled_rate(variant)(step, steps, peak)
        return max(scheduled_rate({**variant, "floor": 0})(step, steps, peak),
                   variant["floor"] * peak)  # fmt: skip

    return wrong


QUESTIONS = [
    Question(
        "velocity_step",
        velocity_step,
        velocity_step_cases,
        {"form": FORM, "shrink": SHRINK, "momentum": MOMENTUM},
        {
            "the step goes up the gradient, not down": given(
                velocity_step, lambda w, v, dw, rate: (w, v, -dw, rate)
            ),
            "there is no weight decay": lambda v: _step(v, times=0),
            "the weights move by the old velocity": changed(
                velocity_step, lambda r, w, v, dw, rate: (w + v, r[1])
            ),
            "w and v are exchanged": changed(velocity_step, lambda r, *a: r[::-1]),
            "the velocity starts anew in each step": given(
                velocity_step, lambda w, v, dw, rate: (w, 0 * v, dw, rate)
            ),
        },
        returns=("w", "v"),
    ),
    Question(
        "scheduled_rate",
        scheduled_rate,
        scheduled_rate_cases,
        {"shape": SHAPE, "warm": WARM, "floor": FLOOR},
        {
            "there is no way up": _no_warm_up,
            "the way down begins at step 0, not at the peak": _late,
            "the curve is cut off at the floor instead of ending there": _cut_at_floor,
            "it stays at the peak": lambda v: (
                lambda step, steps, peak: peak * min(1.0, step / (v["warm"] * steps))
            ),
            "the floor is not a share of the peak": lambda v: (
                lambda step, steps, peak: scheduled_rate(v)(step, steps, peak)
                if step < v["warm"] * steps
                else v["floor"]
                + scheduled_rate({**v, "floor": 0})(step, steps, peak - v["floor"])
            ),
            "the way up begins at the floor, not at 0": lambda v: (
                lambda step, steps, peak: scheduled_rate(v)(step, steps, peak)
                if step >= v["warm"] * steps
                else peak * (v["floor"] + (1 - v["floor"]) * step / (v["warm"] * steps))
            ),
        },
    ),
    Question(
        "residual_gradient",
        residual_gradient,
        residual_gradient_cases,
        {"order": ORDER, "scale": SCALE},
        {
            "the shortcut is forgotten in dx": lambda v: (
                lambda da, x, w1, w2: (
                    residual_gradient(v)(da, x, w1, w2)[0]
                    - (residual_gradient(v)(da, x, 0 * w1, 0 * w2)[0] if v["order"] != "post"
                       else da * (x + v["scale"] * np.maximum(x @ w1, 0) @ w2 > 0)),
                    *residual_gradient(v)(da, x, w1, w2)[1:],
                )
            ),
            "the branch is forgotten in dx": lambda v: (
                lambda da, x, w1, w2: (
                    da * (x + v["scale"] * np.maximum(x @ w1, 0) @ w2 > 0)
                    if v["order"] == "post" else da,
                    *residual_gradient(v)(da, x, w1, w2)[1:],
                )
            ),
            "dw1 and dw2 are exchanged": changed(
                residual_gradient, lambda r, *a: (r[0], r[2], r[1])
            ),
            "the gradients of the weights are divided by the number of images": changed(
                residual_gradient, lambda r, da, *a: (r[0], r[1] / len(da), r[2] / len(da))
            ),
            "the scale is missing in dw2": changed(
                lambda v: lambda *a: (residual_gradient(v)(*a), v["scale"]),
                lambda r, *a: (*r[0][:2], r[0][2] / r[1]),
            ),
            "dw1 and dw2 are without the branch's ReLU": lambda v: (
                lambda da, x, w1, w2: (
                    residual_gradient(v)(da, x, w1, w2)[0],
                    (np.maximum(x, 0) if v["order"] == "pre" else x).T @ (v["scale"] * da @ w2.T),
                    residual_gradient(v)(da, x, w1, w2)[2],
                )
            ),
        },
        returns=("dx", "dw1", "dw2"),
    ),
]  # fmt: skip


def data(rng, variants):
    """A bowl: the loss ½ wᵀ H w of six weights, where they begin, and a block of width 6.

    Returns ``H`` (6, 6), ``w0`` (6,), ``x`` (4, 6), ``w1`` (6, 8), ``w2`` (8, 6) and ``da`` (4, 6).
    """
    axes, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    H = (axes * np.geomspace(0.05, rng.uniform(2, 6), 6)) @ axes.T
    arrays = {"x": (4, 6), "w1": (6, 8), "w2": (8, 6), "da": (4, 6)}
    return {"H": (H + H.T) / 2, "w0": rng.normal(size=6)} | {
        name: rng.normal(size=size) / (2 if name.startswith("w") else 1)
        for name, size in arrays.items()
    }


def largest_rate(data, variants):
    """The rate above which plain descent on ½ wᵀ H w diverges: 2 over H's largest eigenvalue."""
    return 2 / np.linalg.eigvalsh(data["H"]).max()


ASSIGNMENT = Assignment(
    "a3", "A step, a schedule, a shortcut", QUESTIONS, "largest_rate", data, largest_rate
)
