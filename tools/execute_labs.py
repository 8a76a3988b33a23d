"""Run labs again in place: ``python tools/execute_labs.py [STEM ...]`` (all of them by default).

Each lab is written only when it ran to its end, so an error leaves the stored outputs as they
were. As many labs run at once as there are pairs of cores.
"""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from tqdm import tqdm

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def execute(path):
    """Run one lab and replace its file."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()
    tidy(notebook)
    fresh = path.with_suffix(".new")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)


def tidy(notebook):
    """Drop what differs from run to run or machine to machine, and merge split streams."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat_minor = 5  # the first with ids of cells
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:03d}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _merged(cell.outputs)


def _merged(outputs):
    kept = []
    for output in outputs:
        output.get("metadata", {}).pop("needs_background", None)
        last = kept[-1] if kept else None
        if last and output.output_type == "stream" == last.output_type and last.name == output.name:
            last.text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":  # of a progress bar, keep what a terminal would show
            output.text = re.sub(r"[^\n]*\r(?=[^\n])", "", output.text)
    return kept


def chosen(stems):
    """The files of the named labs, or of all. Exits with the known names if one is not known."""
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    unknown = [stem for stem in stems if stem not in known]
    if unknown:
        sys.exit(f"no lab {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[stem] for stem in stems or known]


def main(stems):
    failed = []
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        jobs = {pool.submit(execute, path): path for path in chosen(stems)}
        for job in tqdm(as_completed(jobs), total=len(jobs), desc="labs", unit="lab"):
            try:
                job.result()
                tqdm.write(f"done    {jobs[job].stem}")
            except (CellExecutionError, DeadKernelError) as error:
                failed.append(jobs[job].stem)
                tqdm.write(f"FAILED  {jobs[job].stem}, left as it was\n{error}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
