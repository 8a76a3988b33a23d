"""Checks of what the readers of labs 03 and 04 write besides layers: the loss, dropout, a step.

Letters are those of ``chapters/notation.md``: ``dz`` is the gradient of the loss with respect to z.
All float64.
"""

import numpy as np

from helpers.check import forward
from helpers.check.compare import difference
from helpers.check.engine import Check, case
from helpers.check.run import Rng


def softmax_cross_entropy(z, y):
    """Loss, the mean of −log softmax(z)[y] over the rows of z (N, K), and dz (N, K)."""
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    rows = np.arange(len(z))
    loss = np.mean(np.log(np.exp(z).sum(axis=1)) - z[rows, y])
    p[rows, y] -= 1
    return loss, p / len(z)


def dropout(x, rate, rng):
    """(a, mask) while training: mask is 0 with probability ``rate``, else 1 / (1 − rate)."""
    mask = (rng.random(x.shape) >= rate) / (1 - rate)
    return x * mask, mask


def dropout_backward(da, mask):
    """dx of a = x · mask."""
    return da * mask


def numerical_gradient(f, x, h=1e-5):
    """df/dx by central differences, entry by entry; f takes an array and returns a number."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


def momentum_step(w, v, dw, rate, momentum, decay):
    """The paper's rule: v ← momentum v − decay rate w − rate dw, then w ← w + v. Return (w, v)."""
    v = momentum * v - decay * rate * w - rate * dw
    return w + v, v


def softmax_cross_entropy_cases(rng):
    yield case("z = [[0, 0]], y = [0]", np.zeros((1, 2)), np.array([0]))
    for n, k in [(1, 4), (3, 3), (6, 2), *rng.integers(2, 7, (3, 2))]:
        z, y = 2 * rng.normal(size=(n, k)), rng.integers(0, k, n)
        yield case(f"{n} rows, {k} classes", z, y)
    yield case("logits around 1,000", 1000 + rng.normal(size=(3, 4)), np.array([3, 0, 0]))
    rows = np.array([[0.0], [-1000.0]]) + rng.normal(size=(2, 3))
    yield case("one row around 0, one around −1,000", rows, np.array([2, 1]))
    yield case("a class whose probability is 0", np.array([[0.0, 900.0]]), np.array([0]))


def dropout_cases(rng):
    for rate, shape in ((0.5, (200, 30)), (0.2, (50, 8, 8, 3)), (0.8, (3000,))):
        yield case(f"rate {rate}", rng.uniform(1, 2, shape), rate, Rng(int(rng.integers(2**31))))
    yield case("rate 0", rng.normal(size=(4, 3)), 0.0, Rng(1))


def dropout_accept(case, value):
    """What is wrong with (a, mask), or ``None``: the draw is free, its share and its scale not."""
    x, rate, _ = case.args
    if wrong := difference(value, (x, x), ("a", "mask"), np.inf):
        return wrong
    a, mask = value
    kept = mask[mask != 0]
    share, allowed = 1 - kept.size / mask.size, 5 * np.sqrt(rate * (1 - rate) / mask.size)
    if abs(share - rate) > allowed:
        return f"{share:.1%} of the values are dropped, {rate:.0%} expected"
    if kept.size and difference(kept, np.full(kept.shape, 1 / (1 - rate))):
        return f"the mask keeps values times {kept[0]:.4g}, 1 / (1 − {rate}) expected"
    return difference((a, mask), (x * mask, mask), ("a, compared with x · mask", "mask"))


def dropout_backward_cases(rng):
    for shape in ((4,), (3, 5), (2, 3, 3, 2)):
        mask = 2.0 * (rng.random(shape) < 0.5)
        yield case(f"shape {shape}, rate 0.5", rng.normal(size=shape), mask)


def numerical_gradient_cases(rng):
    yield case("f(x) = x², x = [3]", _sum_of_squares, np.array([3.0]), 1e-3)
    yield case("f = sum of squares, 3×2", _sum_of_squares, rng.normal(size=(3, 2)), 1e-3)
    yield case("f = sum of sines, 2×2×2", _sum_of_sines, rng.normal(size=(2, 2, 2)), 1e-3)
    yield case("f = e^(sum), h = 0.01", _exp_of_sum, rng.normal(size=4), 1e-2)


def momentum_step_cases(rng):
    w, v, dw = np.array([1.0]), np.array([0.5]), np.array([2.0])
    yield case("one weight, no decay", w, v, dw, 0.1, 0.9, 0.0)
    yield case(
        "the first step: v = 0", rng.normal(size=3), np.zeros(3), rng.normal(size=3), 0.1, 0.9, 0.1
    )
    for shape in ((4,), (3, 2), (2, 2, 3)):
        rate, momentum, decay = rng.uniform((0.01, 0.5, 0.01), (1, 0.95, 0.5))
        label = f"shape {shape}, rate {rate:.2f}, momentum {momentum:.2f}, decay {decay:.2f}"
        yield case(label, *rng.normal(size=(3, *shape)), rate, momentum, decay)


def _sum_of_squares(x):
    return float((x**2).sum())


def _sum_of_sines(x):
    return float(np.sin(x).sum())


def _exp_of_sum(x):
    return float(np.exp(x.sum()))


def _of_sum(z, y):
    loss, dz = softmax_cross_entropy(z, y)
    return loss * len(z), dz * len(z)


def _gradient_of_sum(z, y):
    loss, dz = softmax_cross_entropy(z, y)
    return loss, dz * len(z)


def _without_one(z, y):
    loss, dz = softmax_cross_entropy(z, y)
    dz[np.arange(len(z)), y] += 1 / len(z)
    return loss, dz


def _overflowing(z, y):
    rows = np.arange(len(z))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(z)


def _log_of_zero(z, y):
    rows = np.arange(len(z))
    p = forward.softmax(z)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(z)


def _one_sided(f, x, h):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        up = x.copy()
        up[index] += h
        gradient[index] = (f(up) - f(x)) / h
    return gradient


def _all_at_once(f, x, h):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


CHECKS = [
    Check(
        "softmax_cross_entropy",
        softmax_cross_entropy,
        softmax_cross_entropy_cases,
        {
            "this is the gradient of the sum, not of the mean": _gradient_of_sum,
            "it is the sum over the rows, not the mean": _of_sum,
            "the 1 of the right class is not subtracted": _without_one,
            "e^z overflows: subtract the row's largest logit before": _overflowing,
            "the logarithm of 0 is taken: log Σ e^z − z[y] avoids it": _log_of_zero,
            "the sign is wrong": lambda z, y: tuple(-a for a in softmax_cross_entropy(z, y)),
        },
        returns=("loss", "dz"),
    ),
    Check(
        "dropout",
        dropout,
        dropout_cases,
        {
            "the values kept are not divided by 1 − rate": lambda x, rate, rng: (
                lambda mask: (x * mask, mask)
            )((rng.random(x.shape) >= rate) * 1.0),
            "rate is the share that is kept": lambda x, rate, rng: dropout(x, 1 - rate, rng),
            "the values kept are divided by rate": lambda x, rate, rng: (
                lambda mask: (x * mask, mask)
            )((rng.random(x.shape) >= rate) / rate),
        },
        returns=("a", "mask"),
        accept=dropout_accept,
    ),
    Check(
        "dropout_backward",
        dropout_backward,
        dropout_backward_cases,
        {
            "the mask is not used": lambda da, mask: da,
            "the scale of the mask is lost": lambda da, mask: da * (mask > 0),
            "dropped and kept are exchanged": lambda da, mask: da * (2.0 - mask),
        },
    ),
    Check(
        "numerical_gradient",
        numerical_gradient,
        numerical_gradient_cases,
        {
            "the difference is one-sided": _one_sided,
            "it is divided by h, not by 2h": lambda f, x, h: 2 * numerical_gradient(f, x, h),
            "all entries are moved at once": _all_at_once,
            "the sign is wrong": lambda f, x, h: -numerical_gradient(f, x, h),
        },
        tolerance=1e-8,
    ),
    Check(
        "momentum_step",
        momentum_step,
        momentum_step_cases,
        {
            "the gradient is added, not subtracted": lambda w, v, dw, *o: momentum_step(
                w, v, -dw, *o
            ),
            "the velocity is forgotten": lambda w, v, dw, *o: momentum_step(w, 0 * v, dw, *o),
            "the decay is left out": lambda w, v, dw, r, m, d: momentum_step(w, v, dw, r, m, 0),
            "the decay grows the weights": lambda w, v, dw, r, m, d: momentum_step(
                w, v, dw, r, m, -d
            ),
            "the decay is not multiplied by the rate": lambda w, v, dw, r, m, d: momentum_step(
                w, v, dw, r, m, d / r
            ),
            "w moves by the old velocity": lambda w, v, dw, *o: (
                w + v,
                momentum_step(w, v, dw, *o)[1],
            ),
            "w moves against the velocity": lambda w, v, dw, *o: (
                w - momentum_step(w, v, dw, *o)[1],
                momentum_step(w, v, dw, *o)[1],
            ),
        },
        returns=("w", "v"),
    ),
]
