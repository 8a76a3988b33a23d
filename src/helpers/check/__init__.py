'''Your turn: tell the reader of a lab at once whether the function they wrote is right.

In a lab, a stub and one line::

    def relu(x):
        """x where it is positive, 0 elsewhere, for an array of any shape."""
        ...

    relu = check.relu(relu)

``check.NAME(fn)`` runs ``fn`` on random cases and prints ONE line: right; which case fails, at
which index, what came, what was expected, and where one can tell the usual mistake; or "not written
yet". It returns ``fn`` if it is right, else the book's function, so the lab always runs on.
``check.score()`` says what is done in this notebook; ``check.failed()`` hands out the arguments of
the case that failed last, to look at.

**To add a check** for your lab, put it into your room, ``helpers/check/<room>.py`` (copy the form
of ``forward.py``); its name must not be taken in another room::

    from helpers.check.engine import Check, case

    def dense(x, w, b):             # the book's function, in the form that the reader is asked for
        return x @ w + b

    def dense_cases(rng):           # the simplest first, then random sizes, then edges; all fast
        yield case("x = [[1, 2]], w = 1", np.array([[1.0, 2.0]]), np.ones((2, 1)), np.zeros(1))
        for n, k, m in rng.integers(1, 6, (5, 3)):
            arrays = (rng.normal(size=size) for size in ((n, k), (k, m), m))
            yield case(f"x {n}×{k}, w {k}×{m}", *arrays)

    CHECKS = [Check("dense", dense, dense_cases, {"b is left out": lambda x, w, b: x @ w})]

Arguments go by position. Results are arrays, numbers, texts, or tuples of these (``returns=`` names
the parts). Importing ``helpers.check`` imports no TensorFlow; a check of a function that needs it
imports it inside the function.

**To test it**, in ``tests/test_check_<room>.py``::

    from helpers.check.testing import verify

    def test_dense():
        verify("dense", right=[with_matmul, with_loops], wrong=[...eight or more...])

``verify`` also makes mutants of the first right function, and asks that 95% of them be caught.
'''

from importlib import import_module

from helpers.check import engine
from helpers.check.engine import Check, case, failed, receipt

__all__ = ["Check", "assignment", "case", "failed", "names", "number", "receipt", "score"]

ROOMS = [
    "pictures",  # lab 00
    "imagenet",  # lab 01
    "forward",  # lab 02
    "convolution",  # lab 02
    "backward",  # lab 03
    "training",  # lab 04
    "ablation",  # lab 05
    "blocks",  # lab 06
    "architecture",  # lab 06
    "transfer",  # lab 07
    "examples",  # lab 07
    "selfsupervised",  # lab 08
    "attacks",  # lab 09
    "explanations",  # lab 10
    "compression",  # lab 11
    "quantization",  # lab 12
    "deployment",  # lab 13
    "scaling",  # lab 14
    "privacy",  # lab 15
]


def checks():
    """All checks of all rooms, ``{name: Check}``."""
    found = {}
    for room in ROOMS:
        for one in import_module(f"helpers.check.{room}").CHECKS:
            if one.name in found or one.name in globals():
                raise ValueError(f"two checks are called {one.name!r}; one is in {room}.py")
            found[one.name] = one
    return found


def names():
    """The names of all checks, sorted."""
    return sorted(checks())


def score():
    """Print how many functions of this notebook are right; in an assignment, the points so far."""
    rooms = _assignments()
    rooms.score() if rooms.CURRENT else engine.score()


def assignment(name, student, key):
    """Open an assignment, "a1" to "a6": ``check.assignment("a1", STUDENT, KEY)``.

    Prints which variant of each function the student has, and returns the data for the number.
    """
    return _assignments().assignment(name, student, key)


def number(value):
    """Say whether an assignment's number is the student's, and hand it on."""
    return _assignments().number(value)


def _assignments():
    return import_module("helpers.check.assignments")  # `from ... import` would ask __getattr__


def __getattr__(name):
    if name.startswith("__") or name == "assignments" or name.startswith("assignment_"):
        raise AttributeError(name)
    found = checks()
    if name not in found:
        if name in _assignments().names():
            return _assignments().find(name)
        raise AttributeError(
            f"there is no check of {name!r}; there are: {', '.join(sorted(found))}"
        )
    return found[name]


def __dir__():
    return [*__all__, *checks()]
