"""What the interactive figures need from the labs: ``DATA[name]()`` gives values and files.

The values travel in the page as JSON; the files are what they were read from, so that the page is
made anew when one of them changes. Nothing here is typed: ``tools/make_figure_data.py`` measured
it, as labs 1 and 11 do, and the tests hold it to what they print; paired runs come from the table
of lab 5. What is missing is a ``LookupError``.
"""

import csv
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLE = HERE / "figure_data.json"
ABLATIONS = HERE.parent / "src" / "helpers" / "assets" / "ablations.csv"
# The book is built without NumPy, so this reads the table by itself; a test compares it with
# ``helpers.ablation_table``. As in lab 5, the strong normalization is compared with having it.
AGAINST = {"no strong LRN": ("no LRN", "strong LRN")}
PARTS = ("tanh", "no LRN", "no strong LRN", "no overlap", "no dropout", "no mirroring", "one group")
DATA = {}


def data_of(name):
    """Decorator: the function picks the data of the figure ``name`` from the table."""

    def register(pick):
        DATA[name] = lambda: (pick(json.loads(TABLE.read_text(encoding="utf-8"))), [TABLE])
        return pick

    return register


@data_of("top-five")
def guesses(table):
    return table["photographs"]


@data_of("codebook")
def histogram_and_files(table):
    weights = table["weights"]
    return {"conv3": weights["conv3"], "books": weights["books"], "files": table["codebook"]}


@data_of("pruning")
def weights_and_curve(table):
    return {"fc7": table["weights"]["fc7"], "rows": table["pruning"]}


def differences():
    """Points of accuracy on all test images, with the change minus without it, by seed."""
    right = {}
    with open(ABLATIONS, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            usual = (row["part"], row["width"], row["images"], row["passes"])
            if usual == ("train", "0.5", "10000", "24") and row["test1"]:
                share = (float(row["test1"]) + float(row["test2"])) / 2
                right.setdefault(row["variant"], {})[int(row["seed"])] = share
    rows = {}
    for part in PARTS:
        one, other = (right[name] for name in AGAINST.get(part, (part, "AlexNet-28")))
        both = sorted(one.keys() & other.keys())
        rows[part] = [round(100 * (one[seed] - other[seed]), 2) for seed in both]
    return {"first": "no overlap", "rows": rows}


DATA["pairs"] = lambda: (differences(), [ABLATIONS])
