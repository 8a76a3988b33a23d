"""The assignments: right functions pass, wrong ones and mutants do not; sources agree."""

import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers import check
from helpers.check import testing
from helpers.check.run import run

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

import assignment_styles as styles  # noqa: E402
import make_assignments as make  # noqa: E402

assignments = importlib.import_module("helpers.check.assignments")
ALL = [(one, question) for one in assignments.IDS for question in assignments.load(one).questions]
NAMES = [question.name for _, question in ALL]
each_question = pytest.mark.parametrize(("one", "question"), ALL, ids=NAMES)
each_assignment = pytest.mark.parametrize("one", assignments.IDS)


def solutions(one):
    """{name: text} of the solutions in a source."""
    _, cells = make.load(ROOT / "assignments" / f"{one}.md")
    return {name: text for kind, name, _, text in cells if kind == "solution"}


def solution(one, question, variant, folder):
    """A source's solution for a variant, from a file, so that mutants can be made of it."""
    text = solutions(one)[question.name]
    path = folder / f"{question.name}_{abs(hash(str(variant)))}.py"
    path.write_text(f"import numpy as np\nVARIANTS = {{{question.name!r}: {variant!r}}}\n{text}\n")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, question.name)


class Judge:
    """A check with its cases drawn and answered once; it says whether a function is wrong."""

    def __init__(self, question, variant, seed=0):
        self.check = question.check(variant)
        self.cases = self.check.draw(seed)
        self.wanted = self.check.wanted(self.cases)

    def rejects(self, fn, seconds=20):
        outcomes = run(fn, self.cases, seconds)
        return len(outcomes) < len(self.cases) or any(
            self.check._wrong(*each) for each in zip(self.cases, outcomes, self.wanted, strict=True)
        )


@each_question
def test_right_functions_in_three_styles(one, question, tmp_path):
    """Every variant accepts the book's function, the source's and another style's."""
    for number, variant in enumerate(question.variants()):
        judge = Judge(question, variant, seed=number)
        for fn in (
            judge.check.reference,
            solution(one, question, variant, tmp_path),
            getattr(styles, question.name)(variant),
        ):
            verdict = "" if not judge.rejects(fn) else judge.check.verdict(fn, number).sentence
            assert not verdict, f"{question.name}, {variant}, {fn}: {verdict}"


class EqualToAll:
    """What a student might hand in to please any comparison."""

    __array_ufunc__ = None

    def __eq__(self, other):
        return True

    __hash__ = None

    def __abs__(self):
        return 0.0

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__


def _each_part(change):
    def changed(value):
        return tuple(map(change, value)) if isinstance(value, tuple) else change(value)

    return changed


def _one_entry(value):
    array = np.array(value, dtype=float)
    array.flat[-1] += 1
    return array if array.ndim else float(array)


# Ways to be wrong that every function has, made from the right one's result.
SLIPS = {
    "nothing returned": lambda value: None,
    "everything is 0": _each_part(lambda v: np.zeros_like(v) if np.ndim(v) else 0.0),
    "everything is 1": _each_part(lambda v: np.ones_like(v) if np.ndim(v) else 1.0),
    "not a number": _each_part(lambda v: np.full(np.shape(v), np.nan) if np.ndim(v) else np.nan),
    "a hundredth too large": _each_part(lambda v: 1.01 * np.asarray(v, float)),
    "the last entry is off by 1": _each_part(_one_entry),
    "1 too much": _each_part(lambda v: np.asarray(v, float) + 1),
    "the sign is turned and 1 added": _each_part(lambda v: 1 - np.asarray(v, float) * 2),
    "an axis too many": _each_part(lambda v: np.asarray(v)[None]),
    "a text": lambda value: str(value),
    "complex": _each_part(lambda v: np.asarray(v) + 0j),
    "an object equal to everything": lambda value: EqualToAll(),
    "a list of everything twice": lambda value: [value, value],
    "the shape, not the values": lambda value: np.shape(value),
}


@each_question
def test_twenty_wrong_functions_are_rejected(one, question):
    """The other variants, the usual mistakes, and slips that every function has."""
    variants = question.variants()
    for variant in (variants[0], variants[len(variants) // 2], variants[-1]):
        judge = Judge(question, variant)
        wrong = dict(judge.check.mistakes)
        for name, slip in SLIPS.items():
            wrong[name] = lambda *a, slip=slip, right=judge.check.reference: slip(right(*a))
        first = judge.check.reference(*judge.cases[0].args)
        wrong["the first case's answer for all"] = lambda *a, first=first: first
        wrong["an exception"] = lambda *a: 1 / 0
        assert len(wrong) >= 20, f"{question.name}: {len(wrong)} wrong functions"
        accepted = [name for name, fn in wrong.items() if not judge.rejects(fn)]
        assert not accepted, f"{question.name}, {variant}: accepted: {accepted}"


@each_question
def test_mistakes_are_named(one, question):
    """The student is told which other variant, or which usual mistake, theirs looks like."""
    named = question.check(question.variants()[-1])
    told = {s: named.verdict(fn, 0, 5).sentence for s, fn in named.mistakes.items()}
    right = [s for s, sentence in told.items() if sentence.endswith(f"It looks as if {s}")]
    assert len(right) >= 0.75 * len(told), {s: t for s, t in told.items() if s not in right}


# Mutants that compute the same: what is symmetric, or overwritten, or always so.
SYMMETRIC = [f"arguments exchanged in {f}(" for f in ("min", "max", "np.minimum", "np.maximum")]
SYMMETRIC += ["arguments exchanged in w.swapaxes", "arguments exchanged in dkernels.swapaxes"]
SAME = {
    "mistake_cost": ["line 2: one more than 0"],  # the root is always shared
    "transposed_gradient": ["line 4: other function in np.zeros"],  # dx is overwritten
    "attack_step": ["line 2: other function in np.zeros"],  # so is this
    "onto_ball": ["line 12: one less than 1e-300"],  # against a division that nobody looks at
    "structured_mask": [
        "line 6: one more than 4",  # a fifth size that no index asks for
        "line 7: one more than 1",  # twice the sign sorts alike
        "line 7: one less than 1",  # and 0 leaves the order, which is the first one's
    ],
}


@each_question
def test_mutants_are_caught(one, question, tmp_path):
    """95% of the source's solution with one thing changed is rejected by the variants' checks.

    A solution holds every variant's branch, so a mutant counts as caught if a variant catches it.
    """
    variants = question.variants()
    judges = [Judge(question, variant) for variant in variants]
    made = [list(testing.mutants(solution(one, question, v, tmp_path))) for v in variants]
    alive = []
    for versions in zip(*made, strict=True):
        text = versions[0][0]
        caught = (j.rejects(fn, 5) for j, (_, fn) in zip(judges, versions, strict=True))
        if not any(caught):
            alive.append(text)
    unknown = [
        t for t in alive if not any(same in t for same in SYMMETRIC + SAME.get(question.name, []))
    ]
    total = len(made[0]) - (len(alive) - len(unknown))
    assert len(unknown) <= 0.05 * total, f"{question.name}: {len(unknown)} of {total}: {unknown}"


@each_assignment
@pytest.mark.parametrize("student", ["Ada Lovelace", "王小明"])
def test_the_solution_gets_every_point(one, student, tmp_path, capsys):
    """Functions and number, as in a notebook."""
    mine = check.assignment(one, student, "some-key")
    scope = {"np": np, "mine": mine, "VARIANTS": mine.variants}
    for name, text in solutions(one).items():
        exec(compile(text, name, "exec"), scope)
        if name == mine.assignment.number:
            check.number(scope[name])
        else:
            assert getattr(check, name)(scope[name]) is scope[name]
    capsys.readouterr()
    check.score()
    said = capsys.readouterr().out
    assert "40 of 40 points so far" in said, said
    number = scope[mine.assignment.number]
    assert assignments.number_complaint(number * 1.01) != ""
    assert assignments.number_complaint(str(number)) != ""
    assert assignments.number_complaint(...) == "not computed yet"


@each_assignment
def test_form(one):
    """Three functions, a number, two written answers, 100 points, at most 40 of them for code."""
    found = assignments.load(one)
    about, cells = make.load(ROOT / "assignments" / f"{one}.md")
    make.check_source(about, cells)
    assert about["id"] == one and about["title"] == found.title
    code = sum(q.points for q in found.questions) + found.number_points
    assert len(found.questions) == 3 and code == 40
    assert code + sum(each.points for each in found.written) == 100
    assert all(len(q.variants()) >= 5 for q in found.questions)
    told = " ".join(text for kind, *_, text in cells if kind == "instructor")
    for part in ("### Aims", "### Rubric", "### Five minutes", "### What machines", "### Time"):
        assert part in told, f"{one}: {part} is missing"


def test_names_are_free():
    """No assignment's function is called like a lab's, or like another's."""
    assert len(set(NAMES)) == len(NAMES) == 18
    assert not set(NAMES) & set(check.names())


def test_before_an_assignment_is_open(monkeypatch):
    monkeypatch.setattr(assignments, "CURRENT", [])
    with pytest.raises(AttributeError, match="not open here"):
        check.tied_error  # noqa: B018
    with pytest.raises(AttributeError, match="there is no check of 'no_such'"):
        check.no_such  # noqa: B018


@each_assignment
def test_variants_go_with_name_and_key(one):
    found = assignments.load(one)
    ada = found.variants("key", "Ada Lovelace")
    assert ada == found.variants("key", "  ada  LOVELACE ")
    many = [str(found.variants("key", f"student {i}")) for i in range(300)]
    assert len(set(many)) > 100, "neighbors have the same variant too often"
    for question in found.questions:
        seen = {str(found.variants("key", f"student {i}")[question.name]) for i in range(300)}
        assert len(seen) == len(question.variants()), "a variant that nobody gets"
    assert [found.variants(k, "Ada") for k in "abcdef"].count(found.variants("a", "Ada")) < 6
    data = found.data("key", "Ada Lovelace")
    again = found.data("key", "Ada Lovelace")
    for name, value in data.items():
        np.testing.assert_equal(value, again[name])
    numbers = {found.expected("key", f"student {i}") for i in range(5)}
    assert len(numbers) > 3


@each_assignment
def test_the_open_copy_is_the_source(one):
    """``make assignments`` was run after the last change."""
    path = ROOT / "assignments" / f"{one}.ipynb"
    about, cells = make.load(path.with_suffix(".md"))
    made = nbformat.writes(make.student_copy(about, cells, make.OPEN_KEY)) + "\n"
    assert path.read_text("utf-8") == made, "run: make assignments"


def test_a_class_is_built(tmp_path, monkeypatch, capsys):
    """What the students get holds no solution, and nothing holds the secret."""
    secret = "a secret of eight characters or more"
    monkeypatch.setattr(
        sys, "argv", ["make_assignments", "--secret", secret, "--output", str(tmp_path)]
    )
    make.main()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len([p for p in files if p.parent.name == "students"]) == 6
    for path in files:
        assert secret not in path.read_text("utf-8"), path
    for path in (tmp_path / "students").iterdir():
        notebook = nbformat.read(path, 4)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        text = "\n".join(cell.source for cell in notebook.cells)
        assert make.key_of(secret) in code and "VARIANTS" not in text and "Rubric" not in text
        assert re.search(r'^STUDENT = "\.\.\."', code, re.M)
        answers = re.findall(r"<!-- answer: (\w+) -->", text)
        assert answers == [each.name for each in assignments.load(path.stem).written]
        stubs = re.findall(r"^def (\w+)\(.*\n    \"\"\"(?:.|\n)*?\"\"\"\n    \.\.\.$", code, re.M)
        assert stubs == [q.name for q in assignments.load(path.stem).questions]
        for name in stubs:
            assert f"{name} = check.{name}({name})" in code
    monkeypatch.setattr(sys, "argv", ["make_assignments", "--secret", "short"])
    with pytest.raises(SystemExit, match="too short"):
        make.main()
