"""Every lab runs when the reader has written the functions: all rightly, but for one.

nbval runs the labs whole, with empty stubs. Here each stub holds the book's own function, except
one that holds a usual mistake: the check must say so, and every cell that uses a reader's function
must run. ``make filled`` leaves out the cells that have nothing to do with them; with
``FILLED=whole``, as each week and before a release, all cells run and every claim must hold.
"""

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from parts import names, touched

from helpers import check

ROOT = Path(__file__).resolve().parents[2]
LABS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def fill(source, wrong=()):
    """The cell with each ``NAME = check.NAME(NAME)`` given a written function; the names filled."""
    filled, lines = [], source.splitlines()
    for name in [n for n in check.names() if f"{n} = check.{n}({n})" in lines]:
        mistakes = len(check.checks()[name].mistakes)
        assert mistakes, f"the check of {name} knows no usual mistake"
        tree = ast.parse("\n".join(lines))
        stub = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
        # Not the reference itself: a check takes that for the function which it handed out.
        value = f"lambda *a, **k: check.{name}.reference(*a, **k)"
        if name in wrong:
            value = f"list(check.{name}.mistakes.values())[0]"
        lines[stub.lineno - 1 : stub.end_lineno] = [f"{name} = {value}"]
        filled.append(name)
    return "\n".join(lines), filled


def names_in(notebook):
    return [n for c in notebook.cells if c.cell_type == "code" for n in fill(c.source)[1]]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_runs_when_filled_in_and_one_is_wrong(path, monkeypatch):
    notebook = nbformat.read(path, as_version=4)
    functions = names_in(notebook)
    assert len(functions) >= 3, f"{path.name}: {functions}"
    wrong = {functions[int(path.stem[:2]) % len(functions)]}
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        cell.source = fill(cell.source, wrong)[0]
    if os.environ.get("FILLED") != "whole":
        kept = touched([cell.source for cell in notebook.cells], functions)
        notebook.cells = [notebook.cells[k] for k in kept]
        monkeypatch.setenv("BOOK_CLAIMS", "collect")
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    for name in functions:
        mark = "✗" if name in wrong else "✓"
        assert f"\n{mark} {name}: " in f"\n{text}", f"{path.name}: {name} is not {mark}"


def test_a_stub_is_filled_in_whole():
    source = 'def relu(x):\n    """Text."""\n    y = ...\n    return y\n\n\nrelu = check.relu(relu)'
    filled = "relu = lambda *a, **k: check.relu.reference(*a, **k)"
    assert fill(source) == (f"{filled}\n\n\nrelu = check.relu(relu)", ["relu"])
    assert "mistakes" in fill(source, {"relu"})[0]
    assert fill("x = 1") == ("x = 1", [])


def test_a_cell_reads_and_sets_names():
    assert names("%pip list\nimport numpy as np\nfrom a import b\nx = np.ones(y)") == (
        {"get_ipython", "y"},
        {"np", "b", "x"},
    )
    assert names("def f(a):\n    return a + c\nx += 1")[1] >= {"f", "x"}


def test_what_the_functions_do_not_touch_is_left_out():
    cells = [
        "begin()",
        "a = 1",
        "slow = train()",
        "def f(x): ...",
        "b = a + 1",
        "f(b)",
        "show(slow)",
    ]
    assert touched(cells, ["f"]) == [0, 1, 3, 4, 5]
    assert touched([*cells, "f(slow)"], ["f"]) == [0, 1, 2, 3, 4, 5, 7]
    changed = ["begin()", "a = 1", "a = a + 1", "a = 0", "a += 1", "f(a)"]
    assert touched(changed, ["f"]) == [0, 3, 4, 5]


def test_names_of_functions_and_loops_stay_in_them():
    assert names("def f(a, k=one):\n    b = a + c\n    return b") == ({"one", "c"}, {"f"})
    assert names("[x + y for x in many]") == ({"y", "many"}, set())
    assert names("x = f(x)\nfor i in x:\n    print(i)") == ({"f", "x", "print"}, {"x", "i"})
    assert names("x = 1\nshow(x)") == ({"show"}, {"x"})
