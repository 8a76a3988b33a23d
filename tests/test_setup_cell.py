"""A lab's first code cell finds the book's helpers, or says in one line what is in their place."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "notebooks" / "01-imagenet.ipynb"
# The cell in a shell of its own, where %pip puts the package on the path, as installing does.
RUN = """
import sys, types
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
sys.path[:] = ["", *(p for p in sys.path if p)]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f)]
if {colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
def pip(line):
    print("pip", line)
    sys.path.append({source!r})
shell.register_magic_function(pip, "line", "pip")
found = shell.run_cell({cell!r})
print("good" if found.success else "bad")
"""


@pytest.fixture
def first_cell(tmp_path):
    def run(colab=False, installed=True, file=None):
        if file:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text("x = 1")
        source, cell = str(ROOT / "src"), nbformat.read(LAB, as_version=4).cells[1].source
        cell = cell.replace("session.begin()", "session.seed()")  # without TensorFlow, fast
        code = RUN.format(colab=colab, source=source, cell=cell)
        sites = [p for p in sys.path if p.endswith("-packages")]
        path = os.pathsep.join([*sites, source] if installed else sites)
        # -S: without the .pth files of an editable installation
        found = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        return found.stdout + found.stderr

    return run


@pytest.mark.parametrize("colab", [False, True])
def test_with_the_package_nothing_is_installed(first_cell, colab):
    said = first_cell(colab)
    assert said.endswith("good\n") and "\npip install" not in f"\n{said}"


@pytest.mark.parametrize("file", [None, "helpers/notes.txt"])
def test_in_colab_the_package_is_installed(first_cell, file):
    said = first_cell(colab=True, installed=False, file=file)
    assert said.endswith("good\n") and "pip install -q" in said


@pytest.mark.parametrize("colab", [False, True])
@pytest.mark.parametrize("file", ["helpers.py", "helpers/__init__.py"])
def test_another_helpers_is_named_with_its_path_and_what_to_do(first_cell, file, colab):
    said = first_cell(colab, file=file)
    last = said.splitlines()[-2]
    assert "ImportError: cannot import name 'session' from 'helpers' (" in last
    assert last.endswith(f"{file})") and "Rename any helpers of your own" in said
    assert "\npip install" not in f"\n{said}"


def test_elsewhere_without_the_package_the_line_says_how_to_get_it(first_cell):
    said = first_cell(installed=False)
    assert "No module named 'helpers'" in said and "install the book's" in said
