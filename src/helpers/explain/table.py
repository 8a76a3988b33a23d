"""The table of ``tools/measure_explanations.py``: methods against tests, over seeds."""

import numpy as np
from scipy import stats

from helpers import datasets, intervals
from helpers.words import plain

FILE = "explanations.csv"


def seeds(where="mosaic"):
    """The seeds that the table has: more can be measured, the script goes on where it stopped."""
    return sorted({int(row["seed"]) for row in datasets.table_rows(FILE) if row["where"] == where})


def values(where, method, test):
    """What the seeds measured, one number each (of photographs: one number a photograph).

    where   ``"mosaic"``, ``"mark"``, ``"photograph"``, ...
    Raises ``KeyError`` if the table has no such place.
    """
    return np.array([float(row["mean"]) for row in _at(where, method, test)])


def _at(where, method, test):
    place = where, method, test
    found = [
        row
        for row in datasets.table_rows(FILE)
        if (row["where"], row["method"], row["test"]) == place
    ]
    if not found:
        raise KeyError(f"nothing was measured at {plain(', '.join(place))}")
    return found


def cell(where, method, test):
    """Mean and its 95% interval, ``(mean, low, high)``: over the seeds, if there are several, else
    over the images of the only one."""
    rows = _at(where, method, test)
    if len(rows) > 1:
        return intervals.paired(values(where, method, test))
    mean, sd, n = (float(rows[0][name]) for name in ("mean", "sd", "n"))
    half = stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)
    return mean, mean - half, mean + half


def methods(where="mosaic"):
    """The names of the methods, in the table's order."""
    return list(
        dict.fromkeys(row["method"] for row in datasets.table_rows(FILE) if row["where"] == where)
    )
