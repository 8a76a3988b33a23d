"""The table of the long sweeps of lab 7, which ``tools/measure_transfer.py`` measured."""

import csv
from collections import namedtuple

import numpy as np

from helpers import datasets
from helpers.words import plain

FILE = "transfer.csv"
KEY = ["what", "size", "layers", "pooling", "labels"]
RESULT = ["steps", "train", "validation", "test", "shifted"]

# setting: penalty or learning rate, as text; the others are arrays, one number a draw: accuracies
# on the labeled, the validation, the test and the shifted test images (nan where not measured).
Runs = namedtuple("Runs", ["setting", "draws", *RESULT])


def sweep(what, size, layers, pooling, labels):
    """All settings that were tried in one place of the table: ``{setting: Runs}``.

    what     ``"probe"``, ``"probe kept"``, ``"probe first"``, ``"all at once"`` or ``"scratch"``
    size     of the image in pixels: 28, 64, 128 or 224
    layers   what was cut at, or trained: ``11``, ``"all"``, ``"pixels"``, ``"6-11"``
    pooling  ``"average"``, ``"quadrants"`` or ``"none"``
    labels   labels of each class

    Raises ``KeyError`` if the table has no such place.
    """
    place = tuple(map(str, (what, size, layers, pooling, labels)))
    if place not in _places():
        raise KeyError(f"nothing was measured at {plain(', '.join(place))}")
    found = {}
    for row in _places()[place]:
        found.setdefault(row["setting"], []).append(row)
    return {setting: _runs(setting, rows) for setting, rows in found.items()}


def runs(what, size, layers, pooling, labels):
    """The ``Runs`` of the setting with the best validation accuracy.

    It is chosen by the mean over the draws on which every setting was tried.
    """
    tried = sweep(what, size, layers, pooling, labels)
    shared = set.intersection(*(set(one.draws) for one in tried.values()))

    def validation(one):
        return one.validation[np.isin(one.draws, list(shared))].mean()

    return max(tried.values(), key=validation)


def _runs(setting, rows):
    rows = sorted(rows, key=lambda row: int(row["draw"]))
    columns = [np.array([float(row[name] or "nan") for row in rows]) for name in RESULT]
    return Runs(setting, np.array([int(row["draw"]) for row in rows]), *columns)


_read = {}


def _places():
    """The table's rows by place, read once."""
    if not _read:
        with open(datasets.asset_path(FILE), newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                _read.setdefault(tuple(row[name] for name in KEY), []).append(row)
    return _read
