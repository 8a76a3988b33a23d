"""What a check is: the book's function, random cases, and the usual mistakes; and how it judges.

``Check.draw`` makes the cases from a seed, ``run.run`` calls a function on them, ``Check.judge``
compares the outcomes with the book's. The three are apart so that the middle one can run elsewhere,
where the expected values are not. ``Check.__call__`` is all three for a reader in a notebook.
"""

import ast
import hashlib
import inspect
import textwrap
import zlib
from dataclasses import dataclass, field

import numpy as np

from helpers import session
from helpers.check import compare, hints
from helpers.check.run import SECONDS, fresh, run
from helpers.words import plain


@dataclass(frozen=True)
class Case:
    """One call. ``label`` says in words what is special about it; arguments are never changed."""

    label: str
    args: tuple
    kwargs: dict


def case(label, *args, **kwargs):
    """A ``Case``: ``case("stride 2", x, 3, 2)`` calls ``fn(x, 3, 2)``.

    Arrays are float64 unless the function is about something else. Pass arguments by position, so
    that the reader may name them. ``run.Rng(seed)`` stands for a random generator.
    """
    return Case(label, args, kwargs)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    status   "right", "unwritten" or "wrong"
    sentence  what to tell the reader, after the function's name
    case     the ``Case`` that failed, or ``None``
    expected what the book's function gives there
    printed  what the reader's function printed in it, cut
    """

    status: str
    sentence: str
    case: object = None
    expected: object = None
    printed: str = ""


@dataclass(frozen=True)
class Check:
    """``check(fn)`` prints one line and returns ``fn`` if it is right, else the book's function.

    name       of the function that the reader writes
    reference  the book's function, in the plain form that the reader is asked for
    cases      a generator function: rng -> ``case(...)``s, the simplest first, all of them fast
    mistakes   {sentence: wrong function}; a sentence goes on after "it looks as if": "the stride
               is ignored"
    returns    what to call the parts when a tuple is returned, e.g. ("dx", "dw", "db")
    tolerance  the largest error, as a share of the largest expected value of the case
    fresh      whether a result that shares memory with an argument is wrong
    accept     instead of comparing with the reference: (case, value) -> ``None`` or what is wrong,
               for functions with more than one right answer
    """

    name: str
    reference: object
    cases: object
    mistakes: dict = field(default_factory=dict)
    returns: tuple = ()
    tolerance: float = compare.TOLERANCE
    fresh: bool = False
    accept: object = None

    def __call__(self, fn):
        earlier = STATE.get(self.name)
        if fn is self.reference and earlier and earlier.status != "right":
            # The line was run again after it had handed out the book's.
            print(f"· {self.name}: this is the book's; to check yours, run its cell again first")
            return fn
        verdict = self.verdict(fn)
        print(f"{MARKS[verdict.status]} {self.name}: {verdict.sentence}")
        if verdict.printed:
            print(textwrap.indent(f"In this case it printed:\n{verdict.printed}", "  "))
        STATE[self.name] = verdict
        return fn if verdict.status == "right" else self.reference

    def __repr__(self):
        return f"<the check of {self.name}>"

    def verdict(self, fn, seed=None, seconds=SECONDS):
        """Judge ``fn`` on the cases of a seed (default: the session's); a ``Verdict``."""
        if not callable(fn):
            found = compare.describe(fn)
            return Verdict("wrong", f"{found} came, a function expected; the book's goes on")
        stub = placeholder(fn)
        if stub == "empty":
            return Verdict("unwritten", "not written yet, so the lab goes on with the book's")
        cases = self.draw(seed)
        found = self.judge(cases, run(fn, cases, seconds))
        if found.status == "wrong" and (stub or "llipsis" in found.sentence):
            where = f"`...` still stands in {stub}" if stub else "a `...` came back"
            return Verdict(
                "unwritten", f"not written yet ({where}); the lab goes on with the book's"
            )
        return found

    def draw(self, seed=None):
        """The list of ``Case``s of a seed; the same seed gives the same cases."""
        seed = session.seed() if seed is None else seed
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed])
        return list(self.cases(rng))

    def wanted(self, cases):
        """What the book's function gives for each case (its outcomes' values)."""
        return [outcome.value for outcome in run(self.reference, cases, 60)]

    def judge(self, cases, outcomes):
        """The ``Verdict`` on a function's outcomes; it needs the outcomes, not the function."""
        wanted = self.wanted(cases)
        for number, (one, outcome, value) in enumerate(zip(cases, outcomes, wanted, strict=False)):
            if outcome.error == "missing":
                return Verdict("unwritten", "not written yet, so the lab goes on with the book's")
            if wrong := self._wrong(one, outcome, value):
                usual = hints.mistake(self, cases, outcomes, wanted)
                usual = f". It looks as if {usual}" if usual else ""
                sentence = f"case {number + 1} of {len(cases)}, {one.label}: {wrong}{usual}"
                return Verdict("wrong", sentence, one, value, outcome.printed)
        if len(outcomes) < len(cases):
            return Verdict("wrong", f"only {len(outcomes)} of {len(cases)} cases were answered")
        return Verdict("right", f"right in all {len(cases)} cases")

    def _wrong(self, case, outcome, expected):
        """What is wrong with one outcome, or ``None``."""
        if outcome.error:
            return outcome.message
        if self.accept:
            found = self.accept(case, outcome.value)
        else:
            found = compare.difference(outcome.value, expected, self.returns, self.tolerance)
        if found is None and outcome.changed is not None:
            which = outcome.changed
            which = f"its argument number {which + 1}" if isinstance(which, int) else which
            found = f"the result is right, but {which} was changed; work on a copy"
        if found is None and self.fresh and outcome.shared:
            found = "the result is (a view of) the input: when one changes, so does the other"
        return found


MARKS = {"right": "✓", "wrong": "✗", "unwritten": "·"}
STATE = {}  # what this notebook's functions got, by name, in the order of the checks


def score():
    """Print one line: how many of the functions checked in this notebook are right, and which."""
    done = [name for name, verdict in STATE.items() if verdict.status == "right"]
    each = "  ".join(f"{MARKS[verdict.status]} {name}" for name, verdict in STATE.items())
    print(f"{len(done)} of {len(STATE)} functions are right" + (f":  {each}" if each else ""))


def receipt(name):
    """Print a short line for the student's own record: whose it is, and what was right.

    Its mark changes with every letter, so a slip in copying shows; but whoever wants to can make
    one, so it proves nothing, and says so.
    """
    each = ", ".join(f"{one} {MARKS[verdict.status]}" for one, verdict in STATE.items())
    done = sum(verdict.status == "right" for verdict in STATE.values())
    text = f"{plain(str(name))}: {done} of {len(STATE)} right"
    text += f" ({each})" if each else ""
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    print(f"Receipt for {text}. Mark {mark}. It proves nothing; keep it with your notes.")


def failed(name=None):
    """The arguments of the case that failed last (or last for ``name``), to look at: a tuple."""
    verdicts = [STATE[name]] if name in STATE else list(STATE.values())
    cases = [verdict.case for verdict in verdicts if verdict.case]
    if not cases:
        print("No case has failed.")
        return None
    return (*map(fresh, cases[-1].args), *map(fresh, cases[-1].kwargs.values()))


def placeholder(fn):
    """ "empty" if only ``...`` stands in the body, "line 7" if it stands somewhere, "" if nowhere.

    The ``...`` of an index, as in ``x[..., 0]``, does not count.
    """
    if (function := _syntax(fn)) is None:
        return ""
    body = function.body[ast.get_docstring(function) is not None :]
    if not [s for s in body if not (isinstance(s, ast.Pass) or _is_dots(s))]:
        return "empty"
    for node in ast.walk(function):
        if _is_dots(node):
            return f"line {node.lineno}"
    return ""


def _is_dots(node):
    """A statement, or a value that is assigned, returned or handed on, that is ``...``."""
    if isinstance(node, ast.Call):
        return any(_is_ellipsis(a) for a in node.args)
    statements = ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return
    if not isinstance(node, statements) or node.value is None:
        return False
    parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return any(_is_ellipsis(part) for part in parts)


def _is_ellipsis(node):
    return isinstance(node, ast.Constant) and node.value is ...


def _syntax(fn):
    """The syntax tree of a function, with the line numbers of its file or cell, or ``None``."""
    try:
        lines, first = inspect.getsourcelines(fn)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    ast.increment_lineno(tree, first - 1)
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    return found[0] if found else None
