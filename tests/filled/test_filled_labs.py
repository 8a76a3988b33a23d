"""Every lab runs whole when the reader has written the functions: all rightly, but for one.

nbval runs the labs with empty stubs. Here each stub holds the book's own function, except one that
holds a usual mistake: the check must say so, and the lab must go on to its end with all claims.
"""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_runs_whole_when_filled_in_and_one_is_wrong(path):
    notebook = nbformat.read(path, as_version=4)
    names = names_in(notebook)
    assert len(names) >= 3, f"{path.name}: {names}"
    wrong = {names[int(path.stem[:2]) % len(names)]}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = fill(cell.source, wrong)[0]
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    for name in names:
        mark = "✗" if name in wrong else "✓"
        assert f"\n{mark} {name}: " in f"\n{text}", f"{path.name}: {name} is not {mark}"


def test_a_stub_is_filled_in_whole():
    source = 'def relu(x):\n    """Text."""\n    y = ...\n    return y\n\n\nrelu = check.relu(relu)'
    filled = "relu = lambda *a, **k: check.relu.reference(*a, **k)"
    assert fill(source) == (f"{filled}\n\n\nrelu = check.relu(relu)", ["relu"])
    assert "mistakes" in fill(source, {"relu"})[0]
    assert fill("x = 1") == ("x = 1", [])
