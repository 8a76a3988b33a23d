"""The usual mistake behind a wrong result, where one can tell."""

import numpy as np

from helpers.check.compare import same
from helpers.check.run import run


def mistake(check, cases, outcomes, wanted):
    """The sentence of the wrong function that gave just these outcomes, or a common slip, or ""."""
    if not (kept := outcomes[: len(cases)]):
        return ""
    for sentence, wrong in check.mistakes.items():
        theirs = run(wrong, cases[: len(kept)])
        if len(theirs) == len(kept) and all(
            a.error == b.error and (a.error or same(a.value, b.value))
            for a, b in zip(kept, theirs, strict=True)
        ):
            return sentence
    for outcome, value in zip(kept, wanted, strict=False):
        if not outcome.error and not same(outcome.value, value):
            return _slip(outcome.value, value)
    return ""


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
