"""What the grader asks of an assignment, and where it finds it.

**The contract.** An assignment (``helpers.check.assignments.Assignment`` or an object like it) has

id, title     "a2", "The backward pass"
questions     the functions that the student writes. Each has ``name``, ``points``,
              ``check(variant)``, an ``engine.Check``: the right function is composed from the
              book's, its cases are drawn from a seed; and ``variants()``, all there are
variants(key, student)  ``{question's name: variant}``, chosen by the class's key and the name
data(key, student)      what the notebook's number is computed from: a dictionary of arrays,
              numbers, texts, lists and tuples, or ``None``. In the sandbox
              ``check.assignment(...)`` hands it out as ``.data``, and each entry as an attribute
number        the name of the variable that must hold the student's number at the end, or ``""``
number_points, number_tolerance
expected(key, student)  that number, a float. Do not let it depend on the student's functions, or
              one mistake costs twice: in the sandbox ``check.NAME(fn)`` hands ``fn`` on as it is
written       the questions marked by hand, each with ``name``, ``title`` and ``points``

The notebook has a line ``STUDENT = "Ada Lovelace"`` and a Markdown cell that begins, for each
written question, with ``<!-- answer: NAME -->``. No metadata is needed, no order of cells, no tags.

The class's public key is ``key_of(secret)``. The cases that are graded come from ``case_seed``,
for which one needs the secret itself.
"""

import hashlib
import hmac
import importlib.util
from importlib import import_module
from pathlib import Path

# One rule for both sides: the notebook chooses the variant with it, the grader looks it up.
from helpers.check.assignments import name_of


def key_of(secret):
    """The class's public key, as it stands in the students' notebooks: it says which variants."""
    return hmac.new(secret.encode(), b"key", hashlib.sha256).hexdigest()[:12]


def case_seed(secret, student, assignment, question):
    """The seed of the cases that are graded: from the secret, so nobody can know them before."""
    text = "\n".join((name_of(student), assignment, question)).encode()
    return int.from_bytes(hmac.new(secret.encode(), text, hashlib.sha256).digest()[:8], "big")


def load(name):
    """The assignment of an id ("a2"), or of a Python file that has an ``ASSIGNMENT``."""
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise LookupError(f"there is no file {name}")
        spec = importlib.util.spec_from_file_location(f"assignment_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.ASSIGNMENT
    try:
        return import_module(f"helpers.check.assignment_{name.removeprefix('a')}").ASSIGNMENT
    except ModuleNotFoundError as error:
        raise LookupError(
            f"there is no assignment {name!r}: it is a1 to a6, or a .py file"
        ) from error
