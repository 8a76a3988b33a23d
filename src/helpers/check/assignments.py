"""The assignments' questions: functions whose details depend on the student.

A ``Question`` has choices (how ties are decided, which stride); a class's key and a student's name
pick one of each, the variant, ``{option: value}``. For a variant it is an ordinary ``Check``: the
right function is made from the book's, the cases are drawn at random, and the other choices are the
first mistakes to look for. In a student's notebook::

    mine = check.assignment("a1", STUDENT, key="0123456789ab")
    tied_error = check.tied_error(tied_error)
    check.number(shared_depth)

The key is public and says which variants a class's students have. The cases that are graded come
from the class's secret, which is never in a notebook (``helpers.grade.assignment``).
"""

import hashlib
import hmac
import textwrap
import unicodedata
from dataclasses import dataclass, field
from importlib import import_module

import numpy as np

from helpers.check import compare
from helpers.check.engine import MARKS, STATE, Check, Verdict
from helpers.words import plain, shown

IDS = ("a1", "a2", "a3", "a4", "a5", "a6")
POINTS = 10  # for each function, and for the number


@dataclass(frozen=True)
class Question:
    """One function that the student writes.

    name       of the function
    reference  variant -> the right function; a variant is ``{option: value}``
    cases      (rng, variant) -> ``case(...)``s
    choices    {option: {value: sentence}}, where the sentence tells the student what it means
    mistakes   {sentence: variant -> a wrong function}, the other choices aside; ``None`` where it
               is none
    """

    name: str
    reference: object
    cases: object
    choices: dict
    mistakes: dict = field(default_factory=dict)
    returns: tuple = ()
    tolerance: float = compare.TOLERANCE
    points: int = POINTS

    def variants(self):
        """Every variant there is, a list of ``{option: value}``."""
        found = [{}]
        for option, values in self.choices.items():
            found = [{**one, option: value} for one in found for value in values]
        return found

    def check(self, variant):
        """The ``Check`` for a variant; its mistakes begin with the other choices."""
        wrong = {}
        for option, values in self.choices.items():
            for value, sentence in values.items():
                if value != variant[option]:
                    wrong[sentence] = self.reference({**variant, option: value})
        made = {sentence: make(variant) for sentence, make in self.mistakes.items()}
        wrong |= {sentence: fn for sentence, fn in made.items() if fn}
        return Check(
            self.name,
            self.reference(variant),
            lambda rng: self.cases(rng, variant),
            wrong,
            self.returns,
            self.tolerance,
        )

    def says(self, variant):
        """The sentences that tell a student which variant is theirs."""
        return [values[variant[option]] for option, values in self.choices.items()]


@dataclass(frozen=True)
class Written:
    """A question that is answered in words and marked by hand."""

    name: str
    title: str
    points: int


@dataclass(frozen=True)
class Assignment:
    """Three functions, a number and what is written.

    number      the variable that holds the student's number at the end
    make_data   (rng, variants) -> ``{name: array, number, text, list or tuple}``
    answer      (data, variants) -> the number; it needs none of the student's functions
    """

    id: str
    title: str
    questions: list
    number: str
    make_data: object
    answer: object
    written: tuple = (Written("prediction", "The prediction", 20), Written("why", "Why", 40))
    number_points: int = POINTS
    number_tolerance: float = 1e-4  # of the number: what is rounded to five digits is right

    def variants(self, key, student):
        """``{question's name: variant}`` of a student; who types other spaces is the same."""
        rng = _rng(key, student, self.id, "variants")
        return {
            one.name: {option: _pick(rng, values) for option, values in one.choices.items()}
            for one in self.questions
        }

    def data(self, key, student):
        """What the student's number is computed from."""
        return self.make_data(_rng(key, student, self.id, "data"), self.variants(key, student))

    def expected(self, key, student):
        """The student's number."""
        return float(self.answer(self.data(key, student), self.variants(key, student)))


def load(name):
    """The ``Assignment`` of an id, "a1" to "a6"."""
    if name not in IDS:
        raise ValueError(f"there is no assignment {shown(name)}; there are {', '.join(IDS)}")
    return import_module(f"helpers.check.assignment_{name[1:]}").ASSIGNMENT


def name_of(student):
    """A name as it is hashed: other spaces, capitals or widths make the same student."""
    return " ".join(unicodedata.normalize("NFKC", student).casefold().split())


def _rng(key, student, *words):
    text = "\n".join((name_of(student), *words)).encode()
    digest = hmac.new(key.encode(), text, hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _pick(rng, values):
    values = list(values)
    return values[int(rng.integers(len(values)))]


class Mine:
    """One student's assignment in a notebook: what ``check.assignment`` returns.

    data    what the number is computed from; each entry is an attribute, too: ``mine.scores``
    """

    def __init__(self, one, student, key):
        self.assignment, self.student = one, student
        self.variants, self.data = one.variants(key, student), one.data(key, student)
        self.expected = float(one.answer(self.data, self.variants))
        self.checks = {q.name: _Task(q, self.variants[q.name]) for q in one.questions}
        for name in (*self.checks, one.number):
            STATE.pop(name, None)

    def __getattr__(self, name):
        if not name.startswith("_") and name in self.__dict__.get("data", {}):
            return self.data[name]
        raise AttributeError(f"your data has no {name!r}; it has {', '.join(self.data)}")

    def __repr__(self):
        return f"<{self.assignment.id}, {self.assignment.title}, of {self.student}>"

    def tell(self):
        """Print the student's variants."""
        print(f"{self.assignment.title}, for {self.student}. Yours are these:")
        for question in self.assignment.questions:
            print(f"\n{question.name}")
            for sentence in question.says(self.variants[question.name]):
                print(textwrap.fill(sentence, 88, initial_indent="  - ", subsequent_indent="    "))


class _Task:
    """A check that says what is wrong, and hands the student's function on as it is."""

    def __init__(self, question, variant):
        self.question, self.check = question, question.check(variant)

    def __call__(self, fn):
        verdict = self.check.verdict(fn)
        sentence = verdict.sentence.split("; the lab goes on")[0].split(", so the lab")[0]
        sentence = sentence.replace("; the book's goes on", "")
        print(f"{MARKS[verdict.status]} {self.question.name}: {sentence}")
        if verdict.printed:
            print(textwrap.indent(f"In this case it printed:\n{verdict.printed}", "  "))
        STATE[self.question.name] = verdict
        return fn

    def __repr__(self):
        return f"<the check of {self.question.name}>"


CURRENT = []  # the ``Mine`` of this notebook, if there is one


def assignment(name, student, key):
    """Open an assignment: print the student's variants, and return their data as ``Mine``."""
    if not isinstance(student, str) or not name_of(student).strip(" ."):
        print("· write your name into STUDENT first, as it stands in the class's list")
        student = "..."
    CURRENT[:] = [Mine(load(name), student, key)]
    CURRENT[0].tell()
    return CURRENT[0]


def names():
    """``{name of a function: id of its assignment}`` of all assignments."""
    return {question.name: one for one in IDS for question in load(one).questions}


def find(name):
    """The check of a function of the assignment that is open, or an error that says what to do."""
    if CURRENT and name in CURRENT[0].checks:
        return CURRENT[0].checks[name]
    raise AttributeError(
        f"{plain(str(name))} belongs to an assignment that is not open here: run the notebook's "
        "cell with check.assignment(...) first"
    )


def number(value):
    """Say whether the student's number is right, and hand it on."""
    if not CURRENT:
        print("· open the assignment first: run the cell with check.assignment(...)")
        return value
    mine = CURRENT[0]
    STATE[mine.assignment.number] = verdict = _judge_number(mine, value)
    print(f"{MARKS[verdict.status]} {mine.assignment.number}: {verdict.sentence}")
    return value


def _judge_number(mine, value):
    if value is ...:
        return Verdict("unwritten", "not computed yet")
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        return Verdict("wrong", f"{compare.describe(value)} came, a number expected")
    if _close(value, mine.expected, mine.assignment.number_tolerance):
        return Verdict("right", f"{compare.number(value)} is right")
    return Verdict("wrong", f"{compare.number(value)} is not the number for {mine.student}")


def _close(value, expected, tolerance):
    return bool(abs(float(value) - expected) <= tolerance * abs(expected))


def complaint(name, fn, seed=None):
    """What is wrong with a function, a sentence, or "" if it is right.

    For otter-grader and nbgrader, whose tests are statements: ``assert not complaint(...)``.
    """
    verdict = find(name).check.verdict(fn, seed)
    return "" if verdict.status == "right" else f"{name}: {verdict.sentence}"


def number_complaint(value):
    """What is wrong with the number, a sentence, or ""."""
    verdict = _judge_number(CURRENT[0], value)
    return "" if verdict.status == "right" else verdict.sentence


def points():
    """``[(name, points, most, status)]`` of the assignment that is open, the number last."""
    one = CURRENT[0].assignment
    worth = {question.name: question.points for question in one.questions}
    worth[one.number] = one.number_points
    found = [
        (name, most, STATE[name].status if name in STATE else "unwritten")
        for name, most in worth.items()
    ]
    return [(name, most * (status == "right"), most, status) for name, most, status in found]


def score():
    """Print the points so far, one line for each function, and what is marked by hand."""
    found, mine = points(), CURRENT[0]
    for name, reached, most, status in found:
        print(f"{MARKS[status]} {name}: {reached} of {most} points")
    by_hand = sum(each.points for each in mine.assignment.written)
    total, most = sum(f[1] for f in found), sum(f[2] for f in found)
    print(f"{total} of {most} points so far; the {by_hand} for what you write are given by hand.")


def changed(reference, change):
    """A mistake: variant -> the right function with ``change(result, *arguments)`` made to it."""
    return lambda variant: lambda *a: change(reference(variant)(*a), *a)


def given(reference, change):
    """A mistake: variant -> the right function with its arguments changed by ``change``."""
    return lambda variant: lambda *a: reference(variant)(*change(*a))
