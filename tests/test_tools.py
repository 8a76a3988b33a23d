"""What the Makefile's own small programs say, and the table that the long measurements fill."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
REPORT = """<testsuites><testsuite name="pytest" errors="0" failures="{failures}" skipped="1"
tests="3" time="75.4">{cases}</testsuite></testsuites>"""
CASES = """<testcase classname="tests.test_a" name="test_1" time="1"/>
<testcase classname="tests.test_a" name="test_2" time="1">
<skipped type="pytest.skip" message="needs a GPU">test_a.py:3: needs a GPU</skipped></testcase>"""
FAILED = (
    '<testcase classname="a" name="test_3" time="1"><failure message="x">y</failure></testcase>'
)
CELLS = "".join(
    f'<testcase classname="notebooks.{lab}.ipynb" name="Cell {cell}" time="1"/>'
    for lab in ("00", "01")
    for cell in range(3)
)


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_summary_says_what_ran_what_was_skipped_and_why(tmp_path, monkeypatch, capsys):
    summary = tool("summary")
    monkeypatch.setattr(summary, "REPORTS", tmp_path)
    (tmp_path / "tests.xml").write_text(REPORT.format(failures=0, cases=CASES))
    (tmp_path / "labs.xml").write_text(REPORT.format(failures=0, cases=CELLS))
    (tmp_path / "filled.xml").write_text(REPORT.format(failures=1, cases=CASES + FAILED))
    summary.main(["lint", "tests", "labs", "filled"])
    lint, tests, labs, filled, total = capsys.readouterr().out.splitlines()
    assert lint.split()[0] == "lint"
    assert "1 passed, 1 skipped (1 of them: needs a GPU), 1 min 15 s" in tests
    assert "6 cells of 2 labs held, 0 skipped, 1 min 15 s" in labs
    assert "1 passed, 1 FAILED, 1 skipped" in filled
    assert total.split(maxsplit=1) == ["all", "3 min 46 s"]


def test_a_step_without_a_report_did_not_run(tmp_path, monkeypatch, capsys):
    summary = tool("summary")
    monkeypatch.setattr(summary, "REPORTS", tmp_path)
    summary.main(["labs"])
    assert capsys.readouterr().out.splitlines()[0].split(maxsplit=1) == ["labs", "not run"]


def test_floors_become_pins():
    text = """[project]
dependencies = ["numpy>=2.0", "a_b-c>=1.4,<2; sys_platform != 'win32'"]
[project.optional-dependencies]
test = ["pytest>=8"]"""
    pins = ["numpy==2.0", "a_b-c==1.4; sys_platform != 'win32'", "pytest==8"]
    assert tool("floors").floors(text) == pins


def test_a_dependency_without_a_floor_is_refused():
    with pytest.raises(ValueError, match="'numpy' has no lower bound"):
        tool("floors").floors('project = {dependencies = ["numpy"]}', extras=())


def test_every_dependency_of_the_package_has_a_floor():
    floors = tool("floors")
    assert len(floors.floors(floors.PYPROJECT.read_text("utf-8"))) > 15


@pytest.mark.parametrize("lab", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_stand_in_for_colab_finds_the_address_in_the_set_up_cell(lab):
    nbformat = pytest.importorskip("nbformat")
    source = nbformat.read(lab, as_version=4).cells[1].source
    changed = tool("colab").with_wheel(source, "/x/book.whl")
    assert "%pip install -q /x/book.whl" in changed and "github" not in changed
    assert len(changed.splitlines()) == len(source.splitlines())


def test_a_table_of_runs_grows_and_is_found_again(tmp_path):
    measuring = tool("measuring")
    file = tmp_path / "runs.csv"
    table = measuring.Table(file, ["name", "seed"], ["accuracy"])
    table.add(["a, b", 0, "0.5"], ["c", 1, ""])
    assert file.read_text() == 'name,seed,accuracy\n"a, b",0,0.5\nc,1,\n'
    again = measuring.Table(file, ["name", "seed"], ["accuracy"])
    again.add(["c", 2, 1])
    assert ("a, b", 0) in again and ("c", "2") in again and ("c", 3) not in again
    assert again.rows == measuring.Table(file, ["name", "seed"], ["accuracy"]).rows


def test_a_run_is_measured_once_and_written_with_its_digits(tmp_path, capsys):
    table, asked = tool("measuring").Table(tmp_path / "runs.csv", ["name"], ["a", "b", "c"]), []

    def measure():
        asked.append(1)
        return 0.123456, None, 7

    for _ in range(2):
        row = table.once(("x",), measure, digits=2)
    assert row == {"name": "x", "a": "0.12", "b": "", "c": "7"} and len(asked) == 1
    assert (tmp_path / "runs.csv").read_text() == "name,a,b,c\nx,0.12,,7\n"
    assert capsys.readouterr().out == "x 0.12  7\n"


def test_what_is_outside_of_the_bundle():
    measuring = tool("measuring")
    bundled = measuring.datasets.fashion_mnist("quick").train_images[:3]
    others = 255 - bundled
    images = np.concatenate([others[:1], bundled, others[1:]])
    assert measuring.outside_the_bundle(images).tolist() == [0, 4, 5]


def test_an_unknown_stage_is_refused(tmp_path):
    measuring = tool("measuring")
    with pytest.raises(SystemExit, match="no stage two; there are one"):
        measuring.run_stages({"one": print}, ["two"], tmp_path)
