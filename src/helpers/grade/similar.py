"""Which submissions' functions are alike more than chance and the task explain: a hint, no verdict.

A function becomes a row of tokens without comments, its own names replaced by one letter; what
counts are the runs of ``RUN`` tokens, and a run that few submissions have counts more than one that
many have. So the part that was given to all counts nothing.
"""

import math
import re
from collections import defaultdict

RUN = 6
FROM = 0.75  # the share of the rarer runs in common from which two are shown
MOST = 40
TOKEN = re.compile(r"\d+\.?\d*|\w+|[^\s\w]")
KEPT = set(
    re.findall(r"\w+", "def return if else elif for in while and or not None True False with np is")
)


def pairs(records):
    """[(share, record, record, [function names])], the most alike first."""
    runs = {}
    for record in records:
        for name, source in record["code"].items():
            found = fingerprints(source, name)
            if len(found) >= 8:
                runs.setdefault(name, []).append((record, found))
    alike = defaultdict(list)
    for name, rows in runs.items():
        weights = _weights([found for _, found in rows])
        sums = [sum(weights[run] for run in found) for _, found in rows]
        for i, j, common in _common([found for _, found in rows], weights):
            whole = max(sums[i], sums[j])
            if whole > 0 and common / whole >= FROM:
                alike[rows[i][0]["key"], rows[j][0]["key"]].append((common / whole, name))
    known = {record["key"]: record for record in records}
    found = [
        (sum(s for s, _ in shares), known[a], known[b], [name for _, name in shares])
        for (a, b), shares in alike.items()
    ]
    found.sort(key=lambda one: (-one[0], one[1]["key"], one[2]["key"]))
    return [(score / len(names), a, b, names) for score, a, b, names in found[:MOST]]


def fingerprints(source, name):
    """The runs of tokens of a function, comments and docstring aside."""
    source = re.sub(r'"""[^"]*"""|#[^\n]*', "", source)
    words = {}
    row = []
    for token in TOKEN.findall(source):
        if re.match(r"[^\W\d]", token) and token not in KEPT:
            token = "F" if token == name else words.setdefault(token, f"v{len(words)}")
        row.append(token)
    return {tuple(row[i : i + RUN]) for i in range(len(row) - RUN + 1)}


def _weights(found):
    """What a run counts: much if few have it, nothing if a third of the class has."""
    counts = defaultdict(int)
    for runs in found:
        for run in runs:
            counts[run] += 1
    # In a small class two of three are no crowd.
    crowd = max(3, len(found) / 3)
    return {
        run: max(0.0, math.log(crowd / count) if count > 1 else math.log(crowd))
        for run, count in counts.items()
    }


def _common(found, weights):
    """(i, j, weight in common) of the rows that share a run of any weight."""
    holders = defaultdict(list)
    for i, runs in enumerate(found):
        for run in runs:
            if weights[run] > 0:
                holders[run].append(i)
    sums = defaultdict(float)
    for run, rows in holders.items():
        for place, i in enumerate(rows):
            for j in rows[place + 1 :]:
                sums[i, j] += weights[run]
    return [(i, j, weight) for (i, j), weight in sums.items()]
