"""One submission of each kind of fault: graded right, none lost, a reason for each point lost."""

import csv

import pytest
from grading import faults, notebooks, toy

from helpers.grade import __main__ as command
from helpers.grade import intake, pipeline, points, runner, store

LIMITS = runner.Limits(seconds=2, import_seconds=10, idle=2)
NAMES = [
    "Ada Lovelace",
    "王小明",
    "José Ñáñez",
    "O'Brien, Pat",
    "Zoë von Ü",
    "李 雷",
    "Anna-Lena Groß",
]


@pytest.fixture(scope="module")
def graded(tmp_path_factory, sandboxed):
    """({kind: (record, lost)}, downloads, out) of a class with one student for each kind."""
    downloads, out = tmp_path_factory.mktemp("downloads"), tmp_path_factory.mktemp("out")
    expected = {}
    for number, kind in enumerate(faults.KINDS, 1001):
        student = f"{NAMES[number % len(NAMES)]} {number}"
        name, data, lost = faults.make(kind, student, number, late=number % 9 == 0)
        (downloads / name).write_bytes(data)
        expected[f"canvas-{number}"] = kind, lost
    grading = points.Grading(toy.ASSIGNMENT, notebooks.SECRET, sandboxed, LIMITS)
    records = pipeline.grade(intake.collect(downloads), grading, store.Store(out), progress=False)
    command.report(out, records, toy.ASSIGNMENT)
    found = {expected[r["key"]][0]: (r, expected[r["key"]][1]) for r in records}
    return found, downloads, out


def test_there_are_forty_or_more():
    assert len(faults.KINDS) >= 40


@pytest.mark.parametrize("kind", faults.KINDS)
def test_kind(kind, graded):
    record, lost = graded[0][kind]
    reasons = {q["name"]: q["reason"] for q in record["questions"]}
    was_lost = {q["name"] for q in record["questions"] if q["points"] < q["most"]}
    assert was_lost == lost, f"{reasons}\n{record['failed']}\n{record['notes']}\n{record['hand']}"
    assert all(reasons[name] for name in lost) and not any(reasons[n] for n in faults.ALL - lost)
    assert all(q["points"] in (0, q["most"]) for q in record["questions"])


def test_none_is_lost(graded):
    found, downloads, out = graded
    assert len(found) == len(faults.KINDS) == len(list(downloads.iterdir()))
    with open(out / "results.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found) and len({row["key"] for row in rows}) == len(found)
    assert (
        sum(row["late"] == "late" for row in rows) == sum(r["late"] for r, _ in found.values()) > 3
    )
    assert len(list((out / "feedback").glob("*.html"))) == len(found)
    with open(out / "canvas.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == len(found) + 2
