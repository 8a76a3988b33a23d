"""Grade the reference solutions with the real otter-grader and nbgrader: ``make`` need not do this.

    .venv/bin/python tools/try_exports.py FOLDER [a1 a2 ...]

makes two environments in FOLDER (once), builds the exports with a secret of its own, and asserts
that each tool gives every point that a machine gives, and none to the student's empty copy.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
OTTER, NBGRADER = "otter-grader==7.0.0", "nbgrader==0.9.6"
SECRET = "a secret to try with"
ALL = ("a1", "a2", "a3", "a4", "a5", "a6")


def run(*command, cwd=None, **variables):
    """Run a command quietly; show what it said if it fails."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "ignore", **variables}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def environment(folder, package):
    """A virtual environment with a grader and NumPy; the helpers come by PYTHONPATH."""
    place = folder / package.split("==")[0]
    if not (place / "ready").exists():
        run(sys.executable, "-m", "venv", "--clear", place)
        run(place / "bin" / "pip", "install", "-q", package, "ipykernel", "numpy>=2", "pillow")
        run(place / "bin" / "python", "-m", "ipykernel", "install", "--prefix", place)
        (place / "ready").write_text("")
    return place / "bin"


def with_otter(bin_, built, work, name):
    """(points of the solution, points of the empty copy, all points), by otter."""
    master = built / "otter" / name / f"{name}.ipynb"
    path = f"{bin_}:{os.environ['PATH']}"
    run(bin_ / "otter", "assign", master, work / name, PATH=path, JUPYTER_PATH="")
    archive = next((work / name / "autograder").glob("*autograder*.zip"))
    got = []
    for version in ("autograder", "student"):
        out = work / name / f"out-{version}"
        out.mkdir()
        notebook = work / name / version / f"{name}.ipynb"
        run(bin_ / "otter", "run", "-a", archive, "-o", out, notebook, PATH=path)
        tests = json.loads((out / "results.json").read_text())["tests"]
        scored = [t for t in tests if not t["name"].startswith("Public") and t.get("max_score")]
        got.append(sum(t.get("score") or 0 for t in scored))
    with zipfile.ZipFile(archive) as found:
        assert f"tests/{name}.py" not in found.namelist()
    return (*got, sum(t["max_score"] for t in scored))


def with_nbgrader(bin_, built, work, name):
    """(points of the solution, points of the empty copy, all points), by nbgrader."""
    shutil.copytree(built / "nbgrader", work, dirs_exist_ok=True)
    path = f"{bin_}:{os.environ['PATH']}"
    variables = {"PATH": path, "JUPYTER_PATH": "", "HOME": str(work)}
    run(bin_ / "nbgrader", "generate_assignment", name, "--force", cwd=work, **variables)
    for student, folder in (("solution", "source"), ("empty", "release")):
        target = work / "submitted" / student / name
        target.mkdir(parents=True)
        shutil.copy(work / folder / name / f"{name}.ipynb", target)
    run(bin_ / "nbgrader", "autograde", name, "--force", cwd=work, **variables)
    script = (
        "import json; from nbgrader.api import Gradebook\n"
        "g = Gradebook('sqlite:///gradebook.db')\n"
        f"found = [g.find_submission({name!r}, s).notebooks[0] for s in ('solution', 'empty')]\n"
        "print(json.dumps([[each.code_score, each.max_code_score] for each in found]))"
    )
    (full, most), (empty, _) = json.loads(
        run(bin_ / "python", "-c", script, cwd=work).splitlines()[-1]
    )
    return full, empty, most


def main():
    """Try each assignment with each tool."""
    folder, names = Path(sys.argv[1]).resolve(), sys.argv[2:] or ALL
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "built"
    run(sys.executable, ROOT / "tools/make_assignments.py", "--secret", SECRET, "--output", built)
    for package, grade in ((OTTER, with_otter), (NBGRADER, with_nbgrader)):
        bin_ = environment(folder, package)
        for name in names:
            work = folder / "work" / package.split("==")[0] / name
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            nbformat.read(built / "students" / f"{name}.ipynb", 4)
            full, empty, most = grade(bin_, built, work, name)
            print(
                f"{package}: {name}: the solution {full:g} of {most:g}, the empty copy {empty:g}",
                flush=True,
            )
            assert full == most > 0 and empty == 0


if __name__ == "__main__":
    main()
