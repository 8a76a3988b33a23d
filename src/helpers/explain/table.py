"""The table of ``tools/measure_explanations.py``: methods against tests, over five seeds."""

import csv
from functools import cache

import numpy as np

from helpers import datasets, intervals
from helpers.words import plain

FILE = "explanations.csv"


@cache
def _rows():
    with open(datasets.asset_path(FILE), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values(where, method, test):
    """What the seeds measured, one number each (of photographs: one number a photograph).

    where   ``"mosaic"``, ``"mark"``, ``"photograph"``, ...
    Raises ``KeyError`` if the table has no such place.
    """
    found = [
        float(row["mean"])
        for row in _rows()
        if (row["where"], row["method"], row["test"]) == (where, method, test)
    ]
    if not found:
        raise KeyError(f"nothing was measured at {plain(f'{where}, {method}, {test}')}")
    return np.array(found)


def cell(where, method, test):
    """Mean over the seeds and its 95% interval: ``(mean, low, high)``."""
    return intervals.paired(values(where, method, test))


def methods(where="mosaic"):
    """The names of the methods, in the table's order."""
    return list(dict.fromkeys(row["method"] for row in _rows() if row["where"] == where))
