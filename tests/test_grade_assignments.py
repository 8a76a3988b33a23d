"""The grader on the book's own assignments: solved, blank, and solved for somebody else."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.check import assignments
from helpers.grade import __main__ as command
from helpers.grade.assignment import key_of

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools")]

import make_assignments as make  # noqa: E402

SECRET = "a-long-secret"


@pytest.mark.parametrize("one", assignments.IDS)
@pytest.mark.usefixtures("sandboxed")
def test_solved_blank_and_borrowed(one, tmp_path, capsys):
    source, key = make.load(ROOT / "assignments" / f"{one}.md"), key_of(SECRET)
    solved = nbformat.writes(make.student_copy(*source, key, solution=True))
    books = {
        "solved": solved,
        "blank": nbformat.writes(make.student_copy(*source, key)),
        # The same, handed in under another name: the variants are others, and so is the number.
        "borrowed": solved.replace(make.REFERENCE, "Eve Adams"),
    }
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for name, text in books.items():
        (downloads / f"{name}.ipynb").write_text(text, "utf-8")
    given = [str(downloads), "--assignment", one, "--output", str(tmp_path / "out")]
    assert command.main([*given, "--secret", SECRET, "--quiet"]) == 0
    records = {
        name: json.loads((tmp_path / "out" / "done" / f"{name}.json").read_text("utf-8"))
        for name in books
    }
    points = {name: sum(q["points"] for q in r["questions"]) for name, r in records.items()}
    reasons = {name: [q["reason"] for q in r["questions"]] for name, r in records.items()}
    assert points["solved"] == 40, (reasons["solved"], records["solved"]["failed"])
    assert not records["solved"]["failed"] and not records["solved"]["hand"]
    assert points["blank"] == 0 and reasons["blank"][:3] == ["not written yet"] * 3
    assert points["borrowed"] < 40
    words = "These are the reference student's words."
    assert records["solved"]["written"] == {w.name: words for w in assignments.load(one).written}
    assert words in (tmp_path / "out" / "written.csv").read_text("utf-8-sig")
