"""Claims: a sentence, a bound and a measured value that are printed, checked and collected.

A lab states what it found with ``claim``, and with ``report`` what holds for one machine only. The
book reads the printed lines back from the stored outputs, so the wording of ``_facts`` and
``CLAIM_LINE`` belong together.
"""

import math
import re

# The value comes last, so that nbval's sanitizing expression touches nothing but the value.
CLAIM_LINE = re.compile(
    r"^(?P<mark>[✓≈]) (?P<sentence>.+) "
    r"\((?P<bound>(?:at most|at least|equals|from) [^;]+|on this machine); "
    r"measured (?P<value>\S+)(?: (?P<unit>[^)]+))?\)$",
    re.MULTILINE,
)


class ClaimError(AssertionError):
    """A claim does not hold. The message has the sentence, the bound and the measured value."""


def claim(sentence, value, *, at_most=None, at_least=None, equals=None, unit=""):
    """Print ``sentence`` with its bound and the measured ``value``, or raise ``ClaimError``.

    value     a number or bool (Python, NumPy or a 0-d tensor)
    at_most, at_least   bounds, inclusive; both together give an interval
    equals    exact equality, for counts and yes-or-no facts
    unit      printed after the value: ``"accuracy"``, ``"ms"``, ...

    Raises ``ClaimError`` when the bound does not hold or the value is not a number, ``ValueError``
    when no bound, or a senseless one, is given.
    """
    if equals is not None:
        if at_most is not None or at_least is not None:
            raise ValueError("give a claim either equals=, or at_most= and at_least=")
        bound, holds = f"equals {_text(equals)}", lambda v: v == equals
    elif at_most is not None and at_least is not None:
        if at_least > at_most:
            raise ValueError(f"at_least={at_least} is above at_most={at_most}: nothing fits")
        bound = f"from {_text(at_least)} to {_text(at_most)}"
        holds = lambda v: at_least <= v <= at_most  # noqa: E731
    elif at_most is not None:
        bound, holds = f"at most {_text(at_most)}", lambda v: v <= at_most
    elif at_least is not None:
        bound, holds = f"at least {_text(at_least)}", lambda v: v >= at_least
    else:
        raise ValueError("a claim needs a bound: at_most=, at_least= or equals=")
    number, facts = _facts(sentence, bound, value, unit)
    if not isinstance(number, bool | int | float) or math.isnan(number) or not holds(number):
        raise ClaimError(f"✗ {facts}")
    print(f"✓ {facts}")


def report(sentence, value, *, unit=""):
    """Print ``sentence`` with a measured ``value`` that has no bound, such as a time.

    How fast something is depends on the processor and on what else it is doing, so no bound is
    right everywhere: a time is reported, not claimed. ``value`` and ``unit`` are as in ``claim``.

    Raises ``ValueError`` when the value is not a number.
    """
    number, facts = _facts(sentence, "on this machine", value, unit)
    if not isinstance(number, int | float) or math.isnan(number):
        raise ValueError(f"a report needs a number: {facts}")
    print(f"≈ {facts}")


def _facts(sentence, bound, value, unit):
    """``value`` as a Python number where it is one, and what a line says after its mark."""
    if not sentence or "\n" in sentence or "|" in sentence:
        raise ValueError(f"a claim's sentence is one line without '|', not {sentence!r}")
    number = value.item() if hasattr(value, "item") else value
    if hasattr(number, "numpy"):
        number = number.numpy().item()
    facts = f"{sentence} ({bound}; measured {_text(number)}{' ' + unit if unit else ''})"
    if not CLAIM_LINE.fullmatch(f"✓ {facts}"):
        raise ValueError(f"the book could not read this back, simplify sentence or unit: {facts}")
    return number, facts


def _text(number):
    """Whole numbers in full with thousands separators, others to four significant digits."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return str(number)
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"
