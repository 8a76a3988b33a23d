"""Intake: what Canvas, Moodle and shared folders give, and what people do to files."""

import contextlib
import io
import json
import os
import zipfile

import pytest
from grading import notebooks as nb

from helpers.grade import intake, notebook, points
from helpers.grade.inside import wire


def put(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def keys(folder):
    return [one.key for one in intake.collect(folder)]


def test_canvas(tmp_path):
    put(tmp_path, {"doejane_LATE_12_345_a2.ipynb": "{}", "doejane_LATE_12_346_why.pdf": "%PDF",
                   "wang小明_13_347_a2-1.ipynb": "{}"})  # fmt: skip
    jane, wang = intake.collect(tmp_path)
    assert (jane.key, jane.lms, jane.id, jane.late, len(jane.files)) == (
        "canvas-12",
        "canvas",
        "12",
        True,
        2,
    )
    assert (wang.key, wang.name, wang.late) == ("canvas-13", "wang小明", False)


def test_moodle_in_folders_and_without(tmp_path):
    put(tmp_path, {"Jane Doe_77_assignsubmission_file_/a2.ipynb": "{}",
                   "Jane Doe_77_assignsubmission_onlinetext_/onlinetext.html": "<p>",
                   "王 小明_78_assignsubmission_file_a2 (1).ipynb": "{}",
                   "Participant_79_assignsubmission_file_/x/a2.zip": b"no zip"})  # fmt: skip
    found = intake.collect(tmp_path)
    assert [(one.key, one.name) for one in found] == [
        ("moodle-77", "Jane Doe"), ("moodle-78", "王 小明"), ("moodle-79", "Participant"),
    ]  # fmt: skip
    assert len(found[0].files) == 2
    assert intake.notebooks(found[2])[2]  # the problem is said


def test_a_shared_folder_of_files_and_of_folders(tmp_path):
    names = ("jane", "joe", "group-1", "group-2")
    put(tmp_path / "a", {f"class/{name}.ipynb": "{}" for name in names} | {"class/.DS_Store": "x"})
    assert keys(tmp_path / "a") == ["group-1", "group-2", "jane", "joe"]
    put(tmp_path / "b", {"Jane Doe/a2.ipynb": "{}", "Joe/sub/a2.ipynb": "{}", "Joe/pic.png": "x",
                         "Joe/.ipynb_checkpoints/a2-checkpoint.ipynb": "{}"})  # fmt: skip
    assert [(one.key, len(one.files)) for one in intake.collect(tmp_path / "b")] == [
        ("jane-doe", 1),
        ("joe", 2),
    ]


def test_copies_are_one_student_or_many(tmp_path):
    own = {
        "a2.ipynb": nb.right("Ada"),
        "a2 (1).ipynb": nb.right("Ada"),
        "a2 (2).ipynb": nb.right("Bob"),
    }
    found = intake.collect(put(tmp_path, own))
    assert sorted(len(one.files) for one in found) == [1, 2]
    best = intake.notebooks(next(one for one in found if len(one.files) == 2))[0][0][0]
    assert best == "a2 (1).ipynb"  # the later copy


def test_a_class_in_a_zip_and_chinese_names_of_old_programs(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("王小明.ipynb", "{}")
        archive.writestr("李雷/a2.ipynb", "{}")
    (tmp_path / "class.zip").write_bytes(data.getvalue())
    assert keys(tmp_path / "class.zip") == ["李雷", "王小明"]
    # The same names in GBK, without the mark that says UTF-8.
    old = bytearray(data.getvalue())
    info = zipfile.ZipInfo("x")
    info.filename, info.flag_bits = "王小明.ipynb".encode("gbk").decode("cp437"), 0
    assert intake._decoded(info) == "王小明.ipynb" and old


def test_links_are_not_followed(tmp_path):
    secret = put(tmp_path / "elsewhere", {"a2.ipynb": nb.right("Ada")}) / "a2.ipynb"
    downloads = put(tmp_path / "downloads", {"joe.ipynb": "{}"})
    os.symlink(secret, downloads / "eve.ipynb")
    os.symlink(secret.parent, downloads / "mallory")
    eve = next(one for one in intake.collect(downloads) if one.key == "eve")
    files, _, problems = intake.notebooks(eve)
    assert not files and "link" in problems[0]
    assert "mallory" not in keys(downloads)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "CON", "a/b\\c", "=cmd|' /C calc'!A0", "\x1b[2J", "x" * 300]
)
def test_keys_are_safe_as_file_names(name):
    key = intake._slug(name)
    assert key and len(key) <= 60 and not set(key) & set('/\\.:*?"<>|=\x1b ')


def test_names_of_one_person():
    assert points.alike("Jane Doe", "doejane") and points.alike("José Ñáñez", "José  ñáñez")
    assert points.alike("王小明", "小明王") and points.alike("Jane M. Doe", "Jane Doe")
    assert not points.alike("Jane Doe", "Eve Adams")


def test_answers_are_found_without_metadata():
    book = notebook.Notebook(
        [], ["# Title", "<!-- answer: why -->\nBecause.", "And so.", "# Next", "no"]
    )
    assert book.answers(["why", "other"]) == {"why": "Because.\n\nAnd so."}


def test_student_line():
    line = notebook.Notebook(["STUDENT = 'x'", 'a = 1\nSTUDENT = "  Ada   Lovelace"  # me'], [])
    assert line.student() == "Ada Lovelace"
    assert notebook.Notebook(['STUDENT = """Ada"""'], []).student() == "Ada"
    assert notebook.Notebook(["STUDENT = ''"], []).student() == ""


def test_any_line_end_is_one():
    cell = {"cell_type": "code", "source": "a = 1\rSTUDENT = 'Ada'\r\nb = 2\n"}
    found = notebook.read("a.ipynb", json.dumps({"cells": [cell]}).encode())
    assert found.code == ["a = 1\nSTUDENT = 'Ada'\nb = 2\n"] and found.student() == "Ada"


def test_other_text_is_not_called_cut_off():
    with pytest.raises(notebook.Unreadable, match="no notebook: it is other text, not JSON"):
        notebook.read("a.ipynb", b"---\njupyter: {}\n---\n")


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_what_comes_from_the_sandbox_is_data_or_an_error(cut):
    import numpy as np

    from helpers.check import run

    value = (
        1,
        "é",
        [np.ones((2, 3)), np.float32(2)],
        {"a": (None, ..., True)},
        run.Opaque("x"),
        run.Rng(3),
    )
    data = wire.pack(value, run)
    assert repr(wire.unpack(data, run)) == repr(value)
    with pytest.raises(ValueError):
        wire.unpack(data[:cut], run)
    for letter in b"a", b"l", b"s", b"i":
        spoiled = data[:cut] + letter + data[cut + 1 :]
        with contextlib.suppress(ValueError):
            wire.unpack(spoiled, run)
