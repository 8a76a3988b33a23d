"""Numerical gradients that know about kinks: central differences beside a backward pass."""

from typing import NamedTuple

import numpy as np

from helpers.words import shown


class GradientCheck(NamedTuple):
    """The largest relative error, where and what it is, and how many entries were looked at."""

    error: float
    checked: int
    skipped: int
    index: tuple
    analytic: float
    numeric: float


def relative_error(a, b, floor=1e-8):
    """|a - b| / max(|a|, |b|, floor), as in CS231n's notes; the floor avoids 0 / 0."""
    return np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), floor)


def check_gradient(f, x, gradient, *, step=1e-5, samples=None, rng=None, floor=1e-8):
    """Compare ``gradient``, meant to be df/dx at ``x``, with central differences of ``f``.

    f         takes an array like ``x``; returns a finite scalar, or (scalar, pattern). A pattern is
              a list of arrays that say on which side of its kink each unit is: a ReLU's mask, a
              pooling's argmax. An entry where it differs at x - step, x, x + step is skipped.
    x, gradient   float64 arrays of one shape; x is not modified
    samples   how many entries to check, drawn by ``rng`` without repetition; None: all

    Returns a ``GradientCheck``. Raises ``ValueError`` for another dtype (float32 rounds too much),
    another shape, a senseless step or number of samples, a value of f that is no finite scalar,
    and if every entry was skipped, for then nothing was checked.
    """
    for name, array in (("x", x), ("gradient", gradient)):
        if (got := getattr(array, "dtype", type(array).__name__)) != np.float64:
            raise ValueError(f"{name}: got {got}, expected a NumPy array of float64")
    if gradient.shape != x.shape:
        raise ValueError(f"gradient: got shape {gradient.shape}, expected {x.shape}, as x has")
    if x.size == 0:
        raise ValueError("x: got an empty array, expected at least one number to check")
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng: got {shown(rng)}, expected a generator, np.random.default_rng(1)")
    if not step > 0:
        raise ValueError(f"step: got {step}, expected a positive number, such as 1e-5")
    if np.any(x + step == x - step):
        raise ValueError(f"step: got {step}, too small beside the values of x")
    if samples is not None and not 1 <= samples <= x.size:
        raise ValueError(f"samples: got {samples}, expected 1 to {x.size}, the entries of x")
    rng, here, found = rng or np.random.default_rng(0), _evaluate(f, x.copy())[1], []
    chosen = rng.choice(x.size, samples, replace=False) if samples else range(x.size)
    for index in (tuple(map(int, np.unravel_index(k, x.shape))) for k in chosen):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        (above, side), (below, other) = _evaluate(f, up), _evaluate(f, down)
        if _same(side, here) and _same(other, here):
            a, n = float(gradient[index]), (above - below) / float(up[index] - down[index])
            found.append((float(relative_error(a, n, floor)), index, a, n))
    if not found:
        raise ValueError(f"all {len(chosen)} entries are within {step} of a kink; lower the step")
    error, *worst = max(found, key=lambda entry: (np.isnan(entry[0]), entry[0]))
    return GradientCheck(error, len(found), len(chosen) - len(found), *worst)


def _evaluate(f, x):
    value, pattern = result if isinstance(result := f(x), tuple) else (result, [])
    if np.ndim(value) != 0 or not np.isfinite(value):
        raise ValueError(
            f"f: returned {shown(value)}, expected a finite scalar, or (scalar, pattern)"
        )
    return float(value), pattern


def _same(pattern, other):
    return len(pattern) == len(other) and all(map(np.array_equal, pattern, other))
