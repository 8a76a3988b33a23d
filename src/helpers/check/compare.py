"""Compare what a function returned with what it should have: ``None``, or one sentence.

Values are what ``run.freeze`` made of results. Nothing broadcasts, nothing is called on what the
reader's code made but plain arrays and numbers.
"""

import numpy as np

from helpers.check.run import Opaque
from helpers.words import shown

TOLERANCE = 1e-9  # of the largest value expected, in float64


def difference(came, expected, names=(), tolerance=TOLERANCE):
    """The first difference between two values, in words, or ``None``.

    names   what to call the parts of a tuple, e.g. ``("dx", "dw", "db")``
    """
    if isinstance(expected, tuple):
        return _tuple_difference(came, expected, names, tolerance)
    if isinstance(expected, str):
        return None if type(came) is str and came == expected else _instead(came, repr(expected))
    if isinstance(expected, np.ndarray) and expected.ndim:
        return _array_difference(came, expected, tolerance)
    return _number_difference(came, expected, tolerance)


def same(came, expected, tolerance=TOLERANCE):
    """Whether two values agree, the dtype aside (for naming a mistake)."""
    if isinstance(expected, tuple | list):
        alike = isinstance(came, tuple | list) and len(came) == len(expected)
        return alike and all(same(a, b, tolerance) for a, b in zip(came, expected, strict=True))
    if not (_numeric(came) and _numeric(expected)):
        return type(came) is type(expected) and came == expected
    a, b = np.asarray(came), np.asarray(expected)
    return a.shape == b.shape and not _wrong(a, b, tolerance).any()


def describe(value):
    """A value in a few words: "float64 array of shape (2, 3)", "the int 3", "a list"."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"{_a(str(value.dtype))} {value.dtype} array of shape {value.shape}"
    if isinstance(value, Opaque):
        return f"{_a(value.name)} {value.name}"
    if value is None:
        return "None (is the `return` missing?)"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if _numeric(value):
        return f"the number {number(value)}"
    return shown(value, 60)


def number(value, other=None):
    """A number in four significant digits, or in as many as tell it from ``other``."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool | int):
        return str(value)
    for digits in (4, 7, 10, 13, 17):
        text = f"{value:.{digits}g}"
        if other is None or text != f"{float(np.real(other)):.{digits}g}":
            break
    return text


def _tuple_difference(came, expected, names, tolerance):
    names = names or tuple(f"part {i}" for i in range(len(expected)))
    if not isinstance(came, tuple | list) or len(came) != len(expected):
        return _instead(came, f"a tuple of {len(expected)}: ({', '.join(names)})")
    for name, one, other in zip(names, came, expected, strict=True):
        if found := difference(one, other, (), tolerance):
            return f"{name}: {found}"
    return None


def _array_difference(came, expected, tolerance):
    if not isinstance(came, np.ndarray) or came.shape != expected.shape:
        return _instead(came, describe(expected))
    if not _fits(came.dtype, expected.dtype):
        return f"dtype {came.dtype} came, {expected.dtype} expected{_why(came.dtype)}"
    wrong = _wrong(came, expected, tolerance)
    if not wrong.any():
        return None
    index = np.unravel_index(wrong.argmax(), wrong.shape)
    a, b = came[index], expected[index]
    place = ", ".join(map(str, map(int, index)))
    others = f" ({int(wrong.sum())} of {wrong.size} values differ)" if wrong.size > 1 else ""
    return f"at [{place}] came {number(a, b)}, expected {number(b, a)}{others}"


def _number_difference(came, expected, tolerance):
    if not _numeric(came) or np.shape(came):
        return _instead(came, f"the number {number(expected)}")
    a, b = np.asarray(came), np.asarray(expected)
    exact = a.dtype.kind in "iu" and a == b  # sum() of nothing is the int 0, and right
    if not (exact or _fits(a.dtype, b.dtype)):
        return f"{a.dtype} {number(a)} came, {b.dtype} {number(b)} expected{_why(a.dtype)}"
    if _wrong(a, b, tolerance).any():
        return f"came {number(a, b)}, expected {number(b, a)}"
    return None


def _numeric(value):
    return isinstance(value, bool | int | float | np.generic | np.ndarray)


def _fits(came, expected):
    """Whole numbers of any size will do; of real ones the format is kept."""
    if expected.kind in "iu":
        return came.kind in "iu"
    return came == expected


def _why(came):
    if came.kind in "iu":
        return " (was the result made of whole numbers?)"
    return " (keep the input's precision)" if came in (np.float32, np.float16) else ""


def _wrong(came, expected, tolerance):
    """Where two arrays of one shape differ; NaN equals NaN, infinity itself."""
    if came.dtype.kind == "c":
        return np.ones(came.shape, bool)
    a, b = came.astype(np.float64), expected.astype(np.float64)
    finite = np.abs(b[np.isfinite(b)])
    with np.errstate(invalid="ignore"):
        close = np.abs(a - b) <= tolerance * (finite.max() if finite.size else 0)
    return ~(close | (a == b) | (np.isnan(a) & np.isnan(b)))


def _instead(came, expected):
    return f"{describe(came)} came, {expected} expected"


def _a(noun):
    return "an" if noun[:1].lower() in "aeiou" else "a"
