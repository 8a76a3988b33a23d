"""Claims: a sentence, a bound and a measured value that are printed, checked and collected.

A lab states what it found with ``claim``, and with ``report`` what holds for one machine only. The
book reads the printed lines back from the stored outputs, so the wording of ``_facts`` and
``CLAIM_LINE`` belong together. ``make seeds`` runs the labs with seeds 0 to 4 and stores what each
claim measured; from then on its line prints that range, too.
"""

import json
import math
import os
import re
from functools import cache
from importlib.resources import files

from helpers.words import shown

# The value comes last, so that nbval's sanitizing expression touches nothing but the value.
CLAIM_LINE = re.compile(
    r"^(?P<mark>[✓✗≈]) (?P<sentence>.+) "
    r"\((?P<bound>(?:at most|at least|equals|from|within) [^;]+|on this machine)"
    r"(?:; five seeds (?P<least>\S+) to (?P<greatest>[^\s;]+))?; "
    r"measured (?P<value>\S+)(?: (?P<unit>[^)]+))?\)$",
    re.MULTILINE,
)
# Agreement up to rounding: the largest difference, as a share of the largest value, that the number
# format explains on any machine. Central differences in float64 lose more than half of the digits.
ROUNDING = {"float64": 1e-12, "float32": 1e-5, "central differences": 1e-7}
SEEDS = "seeds.json"


class ClaimError(AssertionError):
    """A claim does not hold. The message has the sentence, the bound and the measured value."""


def claim(
    sentence,
    value,
    *,
    at_most=None,
    at_least=None,
    margin=None,
    rounding=None,
    equals=None,
    unit="",
):
    """Print ``sentence`` with its bound and the measured ``value``, or raise ``ClaimError``.

    value     a number or bool (Python, NumPy or a 0-d tensor)
    at_most, at_least   an effect: bounds, inclusive; both together give a range on one side of 0
    margin    an equivalence: the value lies in ±margin, and a difference of ``margin`` would matter
    rounding  agreement of two computations: ``"float64"``, ``"float32"`` or ``"central
              differences"``; ``value`` is the largest difference over the largest value
    equals    exact equality, for counts and yes-or-no facts that could have come out otherwise
    unit      printed after the value: ``"accuracy"``, ``"ms"``, ...

    Raises ``ClaimError`` when the bound does not hold or the value is not a number, ``ValueError``
    when no bound, or a senseless one, is given. While ``make seeds`` collects values
    (``BOOK_CLAIMS=collect``) a claim that fails is printed with ✗ instead, and the lab goes on.
    """
    bound, holds = _bound(at_most, at_least, margin, rounding, equals)
    number, facts = _facts(sentence, bound, value, unit)
    if not isinstance(number, bool | int | float) or math.isnan(number) or not holds(number):
        if os.environ.get("BOOK_CLAIMS") != "collect":
            raise ClaimError(f"✗ {facts}")
        print(f"✗ {facts}")
    else:
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


@cache
def seeds():
    """What every claim measured with seeds 0 to 4: ``{lab's stem: {sentence: five numbers}}``."""
    file = files("helpers.assets") / SEEDS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def spread(sentence):
    """Least and greatest of the five seeds as printed, e.g. ``("0.03", "0.05")``, or ``None``."""
    for claims in seeds().values():
        if sentence in claims:
            return _text(min(claims[sentence])), _text(max(claims[sentence]))
    return None


def kind(bound):
    """What a printed bound says a claim is: exact, rounding, equivalence, effect or report."""
    if bound == "on this machine":
        return "report"
    if bound.startswith("equals"):
        return "exact"
    if bound.startswith("within ±"):
        return "equivalence"
    return "rounding" if bound.startswith("within") else "effect"


def _bound(at_most, at_least, margin, rounding, equals):
    """The bound as it is printed, and a function that says whether a number lies in it."""
    given = [x is not None for x in (margin, rounding, equals)]
    given.append(at_most is not None or at_least is not None)
    if sum(given) != 1:
        raise ValueError(
            "a claim needs one kind of bound: at_most= or at_least= (or both), margin=, rounding= "
            "or equals="
        )
    if equals is not None:
        return f"equals {_text(equals)}", lambda v: v == equals
    if margin is not None:
        if not margin > 0:
            raise ValueError(f"margin={margin}: a margin is the least difference that would matter")
        return f"within ±{_text(margin)}, the margin that matters", lambda v: abs(v) <= margin
    if rounding is not None:
        if rounding not in ROUNDING:
            raise ValueError(
                f"rounding={shown(rounding)}; there are {', '.join(map(repr, ROUNDING))}"
            )
        most = ROUNDING[rounding]
        return f"within the rounding of {rounding}, {_text(most)}", lambda v: 0 <= v <= most
    return _effect(at_most, at_least)


def _effect(at_most, at_least):
    if at_least is None:
        return f"at most {_text(at_most)}", lambda v: v <= at_most
    if at_most is None:
        return f"at least {_text(at_least)}", lambda v: v >= at_least
    if at_least > at_most:
        raise ValueError(f"at_least={at_least} is above at_most={at_most}: nothing fits")
    if at_least <= 0 <= at_most:
        raise ValueError(
            f"from {at_least} to {at_most} lets through an effect and its opposite: say with "
            "margin= what difference would matter, or bound one side"
        )
    return f"from {_text(at_least)} to {_text(at_most)}", lambda v: at_least <= v <= at_most


def _facts(sentence, bound, value, unit):
    """``value`` as a Python number where it is one, and what a line says after its mark."""
    if not sentence or "\n" in sentence or "|" in sentence:
        raise ValueError(f"a claim's sentence is one line without '|', not {shown(sentence)}")
    number = value.item() if hasattr(value, "item") else value
    if hasattr(number, "numpy"):
        number = number.numpy().item()
    ends = spread(sentence)
    five = f"; five seeds {ends[0]} to {ends[1]}" if ends else ""
    facts = f"{sentence} ({bound}{five}; measured {_text(number)}{' ' + unit if unit else ''})"
    if not CLAIM_LINE.fullmatch(f"✓ {facts}"):
        raise ValueError(f"the book could not read this back, simplify sentence or unit: {facts}")
    return number, facts


def _text(number):
    """Whole numbers in full with thousands separators, others to four significant digits."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return str(number)
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"
