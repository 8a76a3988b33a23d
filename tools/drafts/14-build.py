"""Make notebooks/14-scaling-out.ipynb from 14-lab.txt: cells after ``# %%``, tags and alt texts."""

import json
import re
import sys
from pathlib import Path

import nbformat as nf

HERE = Path(__file__).resolve().parent
cells = []
for block in re.split(r"^# %%", (HERE / "14-lab.txt").read_text("utf-8"), flags=re.M)[1:]:
    head, _, body = block.partition("\n")
    body = body.strip("\n")
    if "[markdown]" in head:
        cells.append(nf.v4.new_markdown_cell(re.sub(r"^# ?", "", body, flags=re.M)))
        continue
    cell = nf.v4.new_code_cell(body)
    if tags := re.search(r"tags=(\[.*?\])", head):
        cell.metadata["tags"] = json.loads(tags[1])
    if alt := re.search(r'alt="(.*?)"', head):
        cell.metadata["mystnb"] = {"image": {"alt": alt[1]}}
    if "cellView" in head:
        cell.metadata["cellView"] = "form"
    cells.append(cell)
notebook = nf.v4.new_notebook(cells=cells)
notebook.metadata = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
for i, cell in enumerate(cells):
    cell["id"] = f"cell-{i:03d}"
target = (
    Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "notebooks/14-scaling-out.ipynb"
)
nf.write(notebook, target)
code = [c for c in cells if c.cell_type == "code"]
print(
    len(cells),
    "cells,",
    sum(len(c.source.splitlines()) for c in code),
    "lines of code;",
    "longest:",
)
for c in sorted(code, key=lambda c: -len([x for x in c.source.splitlines() if x.strip()]))[:12]:
    n = len([x for x in c.source.splitlines() if x.strip()])
    wide = [x for x in c.source.splitlines() if len(x) > 100]
    print(n, c.metadata.get("tags", []), c.source.splitlines()[0][:60], "WIDE" if wide else "")
