"""The usual mistake behind a wrong result, where one can tell."""

import numpy as np

from helpers.check.compare import same
from helpers.check.run import run


def mistake(check, cases, outcomes, wanted):
    """The sentence of the wrong function that gave just these outcomes, or a common slip, or "".

    If no wrong function explains all the cases, one will do that explains the first that failed,
    those before, and most of those that failed after it, for there may be a second mistake.
    """
    if not (kept := outcomes[: len(cases)]):
        return ""
    wrong = [bool(o.error) or not same(o.value, v) for o, v in zip(kept, wanted, strict=False)]
    alike = {s: _alike(kept, run(fn, cases[: len(kept)])) for s, fn in check.mistakes.items()}
    for sentence, agree in alike.items():
        if all(agree):
            return sentence
    first = wrong.index(True) if True in wrong else 0
    for sentence, agree in alike.items():
        failed = [a for a, w in zip(agree, wrong, strict=True) if w]
        if all(agree[: first + 1]) and 2 * sum(failed) > len(failed):
            return sentence
    for outcome, value in zip(kept, wanted, strict=False):
        if not outcome.error and not same(outcome.value, value):
            return _slip(outcome.value, value)
    return ""


def _alike(ours, theirs):
    """For each case whether two functions' outcomes are the same, an exception counting as one."""
    same_ones = [
        a.error == b.error and bool(a.error or same(a.value, b.value))
        for a, b in zip(ours, theirs, strict=False)
    ]
    return same_ones + [False] * (len(ours) - len(same_ones))


def _slip(came, expected):
    """What a transpose, a factor or a constant would explain."""
    if isinstance(expected, tuple) and isinstance(came, tuple | list):
        for one, other in zip(came, expected, strict=False):
            if not same(one, other):
                return _slip(one, other)
    if not all(isinstance(v, np.ndarray | float | np.floating) for v in (came, expected)):
        return ""
    if np.iscomplexobj(came):
        return ""
    a, b = np.asarray(came, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if a.ndim == 2 and a.shape == b.T.shape and same(a, b.T):
        return "rows and columns are exchanged"
    if a.shape != b.shape:
        return _shape_slip(a, b)
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or not b.any() or a.size < 2:
        return "it is not a number (nan)" if np.isnan(a).any() and not np.isnan(b).any() else ""
    factor = (a * b).sum() / (b * b).sum()
    if factor and not np.isclose(factor, 1) and same(a, factor * b):
        many = f"everything is {factor:.4g} times what it should be"
        return "the sign is wrong" if np.isclose(factor, -1) else many
    shift = (a - b).mean()
    if same(a, b + shift):
        return f"everything is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}"
    return ""


def _shape_slip(a, b):
    if a.size != b.size:
        return ""
    if same(a.ravel(), b.ravel()):
        return "the values are right, only their shape is not"
    return ""
