"""Run labs as Colab does, each alone: ``make colab [LABS="01-imagenet ..."]``.

The environment has Colab's Python, TensorFlow, Keras and NumPy (``constraints.txt``) and not the
book's package. A lab's file is all there is in its folder, a stand-in for the module
``google.colab`` is loaded, and the set-up cell installs the package: a wheel of this checkout in
place of the address of the repository. Ends with an error if a cell fails or if the installation
changes or removes anything that was there.
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "git+https://github.com/"
STAND_IN = """
import pathlib, sys, types

def download(name):  # Colab hands the file to the browser
    if not pathlib.Path(name).is_file():
        raise FileNotFoundError(f"Cannot find file: {name}")

colab = types.ModuleType("google.colab")
colab.files = types.SimpleNamespace(download=download)
sys.modules["google.colab"] = colab
"""


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True, cwd=ROOT)


def installed():
    importlib.invalidate_caches()
    return {d.name.lower(): d.version for d in importlib.metadata.distributions()}


def with_wheel(source, wheel):
    """The set-up cell, with the wheel in place of the repository's address."""
    lines = source.splitlines()
    found = [i for i, line in enumerate(lines) if ADDRESS in line]
    if len(found) != 1:
        raise ValueError(f"the set-up cell names {ADDRESS} {len(found)} times, not once")
    lines[found[0]] = f"    %pip install -q {wheel}"
    return "\n".join(lines)


def run(path, wheel, folder):
    """Seconds from the first cell's start to the first result, and to the end."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = with_wheel(notebook.cells[1].source, wheel)
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text(STAND_IN)
    (folder / "content").mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "BOOK_"))}
    env["IPYTHONDIR"] = str(folder / "ipython")
    client = NotebookClient(notebook, timeout=1800)
    first = None
    with client.setup_kernel(cwd=str(folder / "content"), env=env):
        start = time.perf_counter()
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, number)
                if number > 1 and first is None and cell.outputs:
                    first = time.perf_counter() - start
        return first, time.perf_counter() - start


def main(names):
    known = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    with tempfile.TemporaryDirectory() as dist:
        pip("wheel", "--no-deps", "--wheel-dir", dist, ".")
        (wheel,) = Path(dist).glob("*.whl")
        for name in names or known:
            before = installed()
            try:
                with tempfile.TemporaryDirectory() as folder:
                    first, whole = run(known[name], wheel, Path(folder))
            finally:  # also after a cell that failed, or the next lab would find the package
                after = installed()
                if added := sorted(after.keys() - before.keys()):
                    pip("uninstall", "--yes", *added)
            changed = [k for k, version in before.items() if after.get(k) != version]
            print(f"{name}: first result after {first:.0f} s, all after {whole:.0f} s", flush=True)
            if changed or "imagenet-moment" not in added:
                sys.exit(f"{name}: the set-up cell added {added} and changed {changed}")


if __name__ == "__main__":
    main(sys.argv[1:])
