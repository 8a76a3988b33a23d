"""What an ingenious student would try (``tests/attacks``): nobody wins, nobody else loses."""

import os
import socket
import threading
from pathlib import Path

import pytest
from grading import notebooks, toy

from helpers.grade import intake, pipeline, points, runner, store

ATTACKS = sorted(Path(__file__).with_name("attacks").glob("*.py"))
STUDENT, NEIGHBOUR = "Eve Adams", "Ada Lovelace"
LIMITS = runner.Limits(seconds=2, import_seconds=10, idle=2)


@pytest.fixture(scope="module")
def listener():
    """A server on this machine that counts who calls."""
    calls, server = [], socket.create_server(("127.0.0.1", 0))

    def listen():
        while True:
            try:
                calls.append(server.accept()[1])
            except OSError:
                return

    threading.Thread(target=listen, daemon=True).start()
    yield server.getsockname()[1], calls
    server.close()


@pytest.fixture(scope="module")
def graded(tmp_path_factory, listener, sandboxed):
    """{key: record} of all the attacks, each a submission, and a neighbour's beside them."""
    downloads, out = tmp_path_factory.mktemp("downloads"), tmp_path_factory.mktemp("out")
    for path in ATTACKS:
        text, _ = notebooks.attack(path, STUDENT, listener[0])
        (downloads / f"{path.stem}.ipynb").write_text(text, "utf-8")
    (downloads / "neighbour.ipynb").write_text(notebooks.right(NEIGHBOUR), "utf-8")
    before = {path: path.read_bytes() for path in downloads.iterdir()}
    grading = points.Grading(toy.ASSIGNMENT, notebooks.SECRET, sandboxed, LIMITS)
    records = pipeline.grade(intake.collect(downloads), grading, store.Store(out), progress=False)
    assert before == {path: path.read_bytes() for path in downloads.iterdir()}
    assert {path.name for path in out.iterdir()} == {"done"}
    return {record["key"]: record for record in records}


def test_there_are_twenty_or_more():
    assert len(ATTACKS) >= 20


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
def test_attack(path, graded):
    record = graded[intake._slug(path.stem)]
    _, lost = notebooks.attack(path, STUDENT)
    was_lost = {q["name"] for q in record["questions"] if q["points"] < q["most"]}
    reasons = {q["name"]: q["reason"] for q in record["questions"]}
    if path.stem == "not_a_number":
        lost = [*lost, "my_number"]
    assert was_lost == set(lost), f"{reasons}\n{record['failed']}\n{record['notes']}"
    assert all(reasons[name] for name in lost)
    said = str(reasons) + str(record["failed"]) + str(record["notes"])
    assert "GAINED [" not in said and "the-class-secret" not in said


def test_the_neighbour_keeps_everything(graded):
    assert all(q["points"] == q["most"] for q in graded["neighbour"]["questions"])


def test_nothing_is_left_behind(graded, listener):
    places = ["/", "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), os.getcwd()]
    left = [p for place in places for p in Path(place).glob("attacked-by*")]
    assert not left
    for name in (".bashrc", ".profile"):
        file = Path.home() / name
        assert not file.is_file() or "attacked-by" not in file.read_text("utf-8", "replace")
    assert not listener[1], "somebody reached the network"
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"98765" not in process.read_bytes(), "a program of theirs is still running"
        except OSError:
            continue
