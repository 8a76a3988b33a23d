"""A run that is broken off, a full disk, a second run; tables, marks and pages."""

import csv
import errno
import json

import pytest
from grading import notebooks as nb
from grading import toy

from helpers import files
from helpers.grade import __main__ as command
from helpers.grade import intake, pages, pipeline, points, runner, sandbox, similar, store, tables
from helpers.grade.runner import Found


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    for number, name in enumerate(["Ada", "Bob", "Cleo", "Dan"], 1):
        (folder / f"{name.lower()}_{number}_9{number}_a2.ipynb").write_text(nb.right(name), "utf-8")
    return folder


@pytest.fixture
def grading(monkeypatch):
    """A grading whose sandbox is not started: every function is unwritten. ``runs`` counts."""
    made = points.Grading(toy.ASSIGNMENT, nb.SECRET, sandbox.Sandbox(None))
    made.runs = []

    def run(job, box, limits):
        made.runs.append(job)
        return Found({name: "unwritten" for name in job.questions}, number=3.0)

    monkeypatch.setattr(runner, "run", run)
    return made


def grade(downloads, grading, out):
    return pipeline.grade(intake.collect(downloads), grading, store.Store(out), progress=False)


def contents(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_a_second_run_grades_only_what_is_new(downloads, grading, tmp_path):
    first = grade(downloads, grading, tmp_path / "out")
    assert len(grading.runs) == 4
    assert grade(downloads, grading, tmp_path / "out") == first and len(grading.runs) == 4
    (downloads / "bob_2_92_a2.ipynb").write_text(nb.right("Bob", number="my_number = 1\n"), "utf-8")
    (downloads / "eve_5_95_a2.ipynb").write_text(nb.right("Eve"), "utf-8")
    assert len(grade(downloads, grading, tmp_path / "out")) == 5 and len(grading.runs) == 6


@pytest.mark.parametrize("after", range(0, 12, 3))
def test_a_full_disk_loses_nothing_and_counts_nothing_twice(
    downloads, grading, tmp_path, monkeypatch, after
):
    whole, out, written = tmp_path / "whole", tmp_path / "out", []
    command.report(whole, grade(downloads, grading, whole), toy.ASSIGNMENT)

    def full(path, write, replace=files.replace):
        if len(written) >= after:
            path.with_name("partial-" + path.name).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        replace(path, write)

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", full)
        with pytest.raises(OSError):
            command.report(out, grade(downloads, grading, out), toy.ASSIGNMENT)
    before = len(grading.runs)
    command.report(out, grade(downloads, grading, out), toy.ASSIGNMENT)
    assert contents(out) == contents(whole)
    assert len(grading.runs) - before == 4 - min(4, after)


def test_a_damaged_record_is_made_again(downloads, grading, tmp_path):
    grade(downloads, grading, tmp_path)
    (tmp_path / "done" / "canvas-2.json").write_text('{"fingerprint": "cut o')
    grade(downloads, grading, tmp_path)
    assert len(grading.runs) == 5


def test_marks_by_hand_are_merged_and_never_lost(downloads, grading, tmp_path):
    records = grade(downloads, grading, tmp_path)
    command.report(tmp_path, records, toy.ASSIGNMENT)
    path = tmp_path / "written.csv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 and "平手也要分" in rows[0]["answer"] and not rows[0]["points"]
    rows[0] |= {"points": "4,5", "comment": "clear"}
    rows[1] |= {"points": "7"}
    rows[2] |= {"points": "good"}
    with open(path, "w", encoding="utf-8-sig", newline="") as file:  # as a German spreadsheet would
        table = csv.DictWriter(file, rows[0], delimiter=";")
        table.writeheader()
        table.writerows(rows)
    said = command.report(tmp_path, records, toy.ASSIGNMENT)
    assert "'good' is no number" in said and "7 of 5 points?" in said
    results = (tmp_path / "results.csv").read_text("utf-8-sig")
    assert next(csv.DictReader(results.splitlines()))["ties"] == "4.5"
    assert "clear" in (tmp_path / "feedback" / "canvas-1.html").read_text("utf-8")
    records[0]["written"]["ties"] = "another answer"
    command.report(tmp_path, records, toy.ASSIGNMENT)
    assert "changed after it was marked" in (tmp_path / "index.html").read_text("utf-8")
    assert tables.Marks(path).points(records[0], "ties") == (4.5, "clear")
    command.report(tmp_path, records[1:], toy.ASSIGNMENT)  # one is gone: the marks are not
    assert tables.Marks(path).points(records[0], "ties") == (4.5, "clear")


EVIL = "<script>alert(1)</script>\x1b[2J\u202e=cmd|' /C calc'!A0"


def test_nothing_of_a_students_is_run_by_page_or_spreadsheet(downloads, grading, tmp_path):
    records = grade(downloads, grading, tmp_path)
    for record in records:
        record.update(student=EVIL, name="=1+1", failed=[EVIL], hand=[EVIL])
        record["written"]["ties"] = "@SUM(A1)"
        for q in record["questions"]:
            q["reason"] = EVIL
    command.report(tmp_path, records, toy.ASSIGNMENT)
    for page in tmp_path.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<script" not in text and "\x1b" not in text and "\u202e" not in text
    for table in tmp_path.glob("*.csv"):
        with open(table, encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)
    assert tables.Marks(tmp_path / "written.csv").answers["canvas-1", "ties"] == "@SUM(A1)"


def test_canvas_and_moodle(downloads, grading, tmp_path):
    (downloads / "ada_1_91_a2.ipynb").rename(downloads / "Ada L_1_assignsubmission_file_a2.ipynb")
    command.report(tmp_path, grade(downloads, grading, tmp_path), toy.ASSIGNMENT)
    canvas = (tmp_path / "canvas.csv").read_text("utf-8").splitlines()
    assert canvas[0] == "Student,ID,SIS User ID,SIS Login ID,Section,toy A toy" and len(canvas) == 5
    assert canvas[1] == "    Points Possible,,,,,40"
    moodle = (tmp_path / "moodle.csv").read_text("utf-8").splitlines()
    assert moodle[1].startswith("Participant 1,Ada L,0,")


def test_alike_and_twins():
    plain = {"student": "", "expected": None, "value": None, "hand": [], "key": "", "code": {}}
    odd = "def f(x):\n    q = [v ** 3 - 7 * v for v in x if v != 11]\n"
    odd += "    return sum(q) / 13 + len(q) % 5\n"
    renamed = odd.replace("q", "result").replace("v", "k").replace("x", "given")
    other = "def f(x):\n    total = 0\n    for i in range(len(x)):\n"
    other += "        total += x[i] * i\n    return total\n"
    sources = [odd, renamed, *(other.replace("i]", f"i] + {n}{n}") for n in range(8))]
    records = [{**plain, "key": str(n), "code": {"f": text}} for n, text in enumerate(sources)]
    found = similar.pairs(records)
    assert next((a["key"], b["key"]) for _, a, b, _ in found) == ("0", "1")
    assert all({a["key"], b["key"]} == {"0", "1"} for _, a, b, _ in found)
    ada = {**plain, "key": "a", "student": "Ada", "expected": 1.5, "value": 1.5}
    eve = {**plain, "key": "e", "student": "Eve", "expected": 2.5, "value": 1.5}
    assert tables.twins([ada, eve]) == {"e": ["has the number of a"]}
    assert set(tables.twins([ada, {**eve, "student": "ADA ", "value": None}])) == {"a", "e"}


def test_the_commonest_mistakes_are_counted_without_their_numbers():
    one = pages._kind(
        "case 2 of 6, 2×3 windows: at [0, 4] came -2, expected 1 (9 of 24 values differ)"
    )
    other = pages._kind("case 5 of 6, other: at [1] came 3, expected 4 (1 of 2 values differ)")
    assert one == other == "other values"
    assert (
        pages._kind("case 1 of 3, x: came 1. It looks as if the sign is wrong")
        == "the sign is wrong"
    )


def test_without_a_sandbox_it_refuses(downloads, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "_candidates", list)
    arguments = [str(downloads), "--assignment", toy.__file__, "--output", str(tmp_path / "out")]
    assert command.main([*arguments, "--secret", "s"]) == 2
    said = capsys.readouterr().err
    assert "bubblewrap" in said and "--no-sandbox" in said and not (tmp_path / "out").exists()
    assert command.main(arguments) == 2 and "--secret" in capsys.readouterr().err


def test_the_output_must_not_be_in_the_downloads(downloads, capsys):
    arguments = [str(downloads), "--assignment", toy.__file__, "--output", str(downloads / "out")]
    assert command.main([*arguments, "--secret", "s"]) == 2
    assert "must not lie" in capsys.readouterr().err


@pytest.mark.usefixtures("sandboxed")
def test_the_whole_command_and_its_determinism(downloads, tmp_path, capsys):
    for out in ("one", "two"):
        arguments = [str(downloads), "--assignment", toy.__file__, "--output", str(tmp_path / out)]
        assert command.main([*arguments, "--secret", nb.SECRET, "--quiet"]) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    records = [json.loads(p.read_text("utf-8")) for p in (tmp_path / "one" / "done").glob("*.json")]
    assert (
        all(q["points"] == q["most"] for r in records for q in r["questions"]) and len(records) == 4
    )
    assert "4 submissions" in capsys.readouterr().out
