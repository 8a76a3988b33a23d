"""Checks of the functions that the reader of lab 09 writes: one step, the box, many steps, a loss.

Images are (N, H, W, C) float64 from 0 to 1; gradients have the same shape. Nothing here needs
TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def fgsm(x, gradient, epsilon):
    """x plus ε times the sign of the gradient, clipped to pixels from 0 to 1."""
    return np.clip(x + epsilon * np.sign(gradient), 0, 1)


def project(moved, x, epsilon):
    """``moved``, each pixel brought to within ε of ``x`` and to between 0 and 1."""
    return np.clip(np.clip(moved, x - epsilon, x + epsilon), 0, 1)


def pgd_step(moved, x, gradient, epsilon, rate):
    """``moved`` plus rate times the sign of the gradient, projected."""
    return project(moved + rate * np.sign(gradient), x, epsilon)


def margin(logits, labels):
    """For each image the largest logit of another class minus the label's, (N,)."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    return others.max(axis=1) - logits[rows, labels]


def _row(*pixels):
    return np.array(pixels, float).reshape(1, 1, -1, 1)


def _images(rng, shape):
    """Gray, with pixels that are black and white exactly, as garments on a black ground have."""
    return np.clip(rng.uniform(-0.4, 1.4, shape), 0, 1)


def fgsm_cases(rng):
    yield case("three gray pixels, ε = 0.1", _row(0.5, 0.5, 0.5), _row(3.0, -0.2, 7.0), 0.1)
    yield case("a pixel with no gradient", _row(0.5, 0.5), _row(0.0, -1e-9), 0.2)
    yield case("black and white pixels", _row(0, 1, 0, 1), _row(-1, 1, 1, -1), 0.25)
    yield case("ε = 0", _row(0.3, 0.6), _row(1, -1), 0.0)
    for n, h, c in ((2, 4, 1), (3, 5, 3), (1, 6, 1), (4, 3, 2)):
        shape = (n, h, h + 1, c)
        gradient = rng.normal(0, 10.0 ** rng.integers(-6, 3), shape) * (rng.random(shape) < 0.8)
        epsilon = float(rng.uniform(0.02, 0.4))
        yield case(f"images {shape}, ε = {epsilon:.2f}", _images(rng, shape), gradient, epsilon)


def project_cases(rng):
    yield case("inside: nothing to do", _row(0.55, 0.45), _row(0.5, 0.5), 0.1)
    yield case("beyond the box", _row(0.75, 0.2), _row(0.5, 0.5), 0.1)
    yield case("below black, beyond white", _row(-0.05, 1.05), _row(0.0, 1.0), 0.1)
    yield case("within ε, but not from 0 to 1", _row(-0.04, 1.02), _row(0.05, 0.95), 0.1)
    yield case("one pixel beyond, another inside", _row(0.9, 0.52), _row(0.5, 0.5), 0.1)
    for n, h, c in ((2, 4, 1), (3, 5, 3), (1, 6, 1), (4, 3, 2)):
        shape, epsilon = (n, h, h + 1, c), float(rng.uniform(0.05, 0.3))
        x = _images(rng, shape)
        moved = x + rng.normal(0, 1.5 * epsilon, shape)
        yield case(f"images {shape}, ε = {epsilon:.2f}", moved, x, epsilon)


def step_cases(rng):
    x = _row(0.5, 0.5)
    yield case("a step within the box", _row(0.5, 0.5), x, _row(2.0, -0.1), 0.1, 0.03)
    yield case("a step from elsewhere", _row(0.54, 0.47), x, _row(2.0, -0.1), 0.1, 0.02)
    yield case("a step out of the box", _row(0.58, 0.44), x, _row(2.0, -0.1), 0.1, 0.07)
    yield case("a step back", _row(0.6, 0.4), x, _row(-1.0, 5.0), 0.1, 0.025)
    yield case("black and white pixels", _row(0.05, 0.95), _row(0, 1), _row(-1, 1), 0.1, 0.08)
    yield case("no gradient", _row(0.53, 0.42), x, _row(0, 0), 0.1, 0.05)
    for n, h, c in ((2, 4, 1), (3, 5, 3), (1, 6, 1), (4, 3, 2)):
        shape, epsilon = (n, h, h + 1, c), float(rng.uniform(0.05, 0.3))
        x = _images(rng, shape)
        moved = project(x + rng.uniform(-epsilon, epsilon, shape), x, epsilon)
        rate, gradient = float(epsilon * rng.uniform(0.2, 0.9)), rng.normal(0, 3, shape)
        yield case(f"images {shape}, rate {rate:.2f}", moved, x, gradient, epsilon, rate)


def margin_cases(rng):
    yield case("right by 3", np.array([[1.0, 4.0, 0.0]]), np.array([1]))
    yield case("wrong by 2", np.array([[6.0, 4.0, 0.0]]), np.array([1]))
    yield case("all logits below 0", np.array([[-9.0, -2.0, -5.0]]), np.array([1]))
    yield case("wrong, and the label is third", np.array([[-3.0, -2.0, -5.0]]), np.array([2]))
    yield case("a tie", np.array([[2.0, 2.0]]), np.array([0]))
    for n, k in ((3, 4), (5, 10), (8, 3), (2, 6)):
        logits = rng.normal(rng.uniform(-5, 5), 4, (n, k))
        yield case(f"{n} images, {k} classes", logits, rng.integers(0, k, n))


def _scaled_as_a_whole(moved, x, epsilon):
    change = moved - x
    most = max(np.abs(change).max(), 1e-12)
    return np.clip(x + change * min(1, epsilon / most), 0, 1)


def _round(moved, x, epsilon):
    change = moved - x
    length = max(np.sqrt((change**2).sum()), 1e-12)
    return np.clip(x + change * min(1, epsilon / length), 0, 1)


def _probabilities(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _own(logits, labels):
    return logits[np.arange(len(labels)), labels]


CHECKS = [
    Check(
        "fgsm",
        fgsm,
        fgsm_cases,
        {
            "the gradient itself is added, not its sign": lambda x, g, e: np.clip(x + e * g, 0, 1),
            "it goes down the gradient, so the loss falls": lambda x, g, e: fgsm(x, -g, e),
            "the result is not clipped to 0 and 1": lambda x, g, e: x + e * np.sign(g),
            "pixels without a gradient are changed, too": lambda x, g, e: np.clip(
                x + e * np.where(g >= 0, 1, -1), 0, 1
            ),
            "ε is left out": lambda x, g, e: fgsm(x, g, 1.0),
            "only the change is returned": lambda x, g, e: e * np.sign(g),
            "the gradient is divided by its largest value": lambda x, g, e: np.clip(
                x + e * g / max(np.abs(g).max(), 1e-300), 0, 1
            ),
            "the step is half as long": lambda x, g, e: fgsm(x, g, e / 2),
            "it is clipped at 255": lambda x, g, e: np.clip(x + e * np.sign(g), 0, 255),
        },
    ),
    Check(
        "project",
        project,
        project_cases,
        {
            "pixels are kept from 0 to 1 only": lambda m, x, e: np.clip(m, 0, 1),
            "pixels are kept within ε only": lambda m, x, e: np.clip(m, x - e, x + e),
            "they are clipped to −ε and ε, not to x − ε and x + ε": lambda m, x, e: np.clip(
                np.clip(m, -e, e), 0, 1
            ),
            "only the change is returned": lambda m, x, e: np.clip(m - x, -e, e),
            "all pixels are shrunk, because one lies outside": _scaled_as_a_whole,
            "the length of the whole change is bounded, not each pixel": _round,
            "the box is half as wide": lambda m, x, e: project(m, x, e / 2),
            "the box is twice as wide": lambda m, x, e: project(m, x, 2 * e),
            "x and the moved image are exchanged": lambda m, x, e: project(x, m, e),
            "x comes back": lambda m, x, e: x + 0,
            "what lies outside goes back to x, not to the edge": lambda m, x, e: np.where(
                np.abs(m - x) > e, x, np.clip(m, 0, 1)
            ),
        },
    ),
    Check(
        "pgd_step",
        pgd_step,
        step_cases,
        {
            "it starts from x, not from where it was": lambda m, x, g, e, r: pgd_step(
                x, x, g, e, r
            ),
            "it is not projected onto the box around x": lambda m, x, g, e, r: np.clip(
                m + r * np.sign(g), 0, 1
            ),
            "the gradient itself is added, not its sign": lambda m, x, g, e, r: project(
                m + r * g, x, e
            ),
            "the step is ε long, not rate": lambda m, x, g, e, r: pgd_step(m, x, g, e, e),
            "it goes down the gradient": lambda m, x, g, e, r: pgd_step(m, x, -g, e, r),
            "pixels may leave 0 to 1": lambda m, x, g, e, r: np.clip(
                m + r * np.sign(g), x - e, x + e
            ),
            "it is projected before the step, not after": lambda m, x, g, e, r: (
                project(m, x, e) + r * np.sign(g)
            ),
            "the box is as wide as the step": lambda m, x, g, e, r: pgd_step(m, x, g, r, r),
            "the step is rate times ε": lambda m, x, g, e, r: pgd_step(m, x, g, e, r * e),
        },
    ),
    Check(
        "margin",
        margin,
        margin_cases,
        {
            "the label's own logit is among the others": lambda z, y: z.max(axis=1) - _own(z, y),
            "the sign is wrong": lambda z, y: -margin(z, y),
            "it is the largest minus the second, whatever the label": lambda z, y: (
                np.sort(z, axis=1)[:, -1] - np.sort(z, axis=1)[:, -2]
            ),
            "the label's own logit counts as 0": lambda z, y: (
                np.where(np.eye(z.shape[1], dtype=bool)[y], 0, z).max(axis=1) - _own(z, y)
            ),
            "it is of probabilities, not of logits": lambda z, y: margin(_probabilities(z), y),
            "it is the smallest other logit": lambda z, y: -margin(-z, y),
            "it has no sign": lambda z, y: np.abs(margin(z, y)),
            "it is the mean over the images": lambda z, y: margin(z, y).mean(),
            "the label's logit is not taken off": lambda z, y: margin(z, y) + _own(z, y),
            "the label is taken to be the largest logit": lambda z, y: margin(z, z.argmax(axis=1)),
        },
    ),
]
