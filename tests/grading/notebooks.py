"""Make notebooks for the toy assignment: right ones, wrong ones, attacks."""

import json
import re

from grading.toy import ASSIGNMENT
from helpers.grade.assignment import key_of

SECRET = "the-class-secret"
KEY = key_of(SECRET)
QUESTIONS = [q.name for q in ASSIGNMENT.questions]
RIGHT = {
    "relu_backward": '''\
def relu_backward(da, z):
    """The gradient of ReLU; at zero as CHOICES says."""
    share = {"nothing": 0.0, "all": 1.0, "half": 0.5}[CHOICES["zero"]]
    return da * ((z > 0) + share * (z == 0))
''',
    "max_pool_backward": '''\
def max_pool_backward(da, x, size):
    """Each window's gradient goes to its maximum; ties as CHOICES says."""
    dx = np.zeros(x.shape)
    for p in range(da.shape[0]):
        for q in range(da.shape[1]):
            rows, columns = slice(p * size, (p + 1) * size), slice(q * size, (q + 1) * size)
            top = x[rows, columns] == x[rows, columns].max()
            if CHOICES["ties"] == "shared":
                dx[rows, columns] = top * da[p, q] / top.sum()
            else:
                flat = np.flatnonzero(top)[0 if CHOICES["ties"] == "first" else -1]
                dx[p * size + flat // size, q * size + flat % size] = da[p, q]
    return dx
''',
    "bias_gradient": '''\
def bias_gradient(dz):
    """Sum or mean over all but the last axis."""
    flat = dz.reshape(-1, dz.shape[3])
    return flat.sum(axis=0) if CHOICES["reduce"] == "sum" else flat.mean(axis=0)
''',
}
NUMBER = "my_number = float(mine.values[mine.values > 0].sum())\n"
ANSWER = "<!-- answer: ties -->\nTies decide who learns. 平手也要分。"


def choices(student):
    found = {}
    for variant in ASSIGNMENT.variants(KEY, student).values():
        found |= variant
    return found


def setup(student):
    return (
        "import numpy as np\n\n"
        "from helpers import check, session\n\n"
        f"STUDENT = {json.dumps(student, ensure_ascii=False)}\n"
        f'KEY = "{KEY}"\n'
        "session.begin()\n"
        'mine = check.assignment("toy", STUDENT, KEY)\n'
        f"CHOICES = {choices(student)!r}\n"
    )


def cells(student, **changed):
    """[(kind, source)] of a right notebook; ``relu_backward="..."`` replaces a part's source."""
    parts = [("setup", setup(student)), *RIGHT.items(), ("number", NUMBER)]
    found = [("markdown", "# A toy")]
    for name, source in parts:
        source = changed.get(name, source)
        if name in RIGHT:
            source += f"\n{name} = check.{name}({name})\n" if source else ""
        found += [("code", source)] if source else []
    return [*found, ("markdown", changed.get("answer", ANSWER)), ("code", "check.score()")]


def notebook(found, **top):
    """The notebook's JSON text. Sources are lists of lines, as Jupyter saves them."""
    made = []
    for kind, source in found:
        cell = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    whole = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | top
    return json.dumps(whole, ensure_ascii=False, indent=1)


def right(student, **changed):
    return notebook(cells(student, **changed))


def attack(path, student, port=9):
    """(notebook, names of the questions that must be lost) of a file of ``tests/attacks``."""
    text = path.read_text("utf-8").replace("PORT", str(port))
    head, *rest = re.split(r"^# %%", text, flags=re.M)
    lost = re.search(r"^lost:(.*)$", head, flags=re.M).group(1).split()
    without = [name for line in re.findall(r"^without:(.*)$", head, re.M) for name in line.split()]
    found = [("code", setup(student))]
    for cell in rest:
        title, _, source = cell.partition("\n")
        if title.strip() == "solutions":
            found += [("code", RIGHT[name]) for name in QUESTIONS if name not in without]
            found += [("code", NUMBER)]
        else:
            found.append(("code", source))
    found += [("markdown", ANSWER)]
    return notebook(found), lost
