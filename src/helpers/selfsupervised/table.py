"""What ``tools/measure_selfsupervision.py`` measured: one row for each draw of labels."""

import csv
from collections import namedtuple

import numpy as np

from helpers import datasets
from helpers.words import plain

FILE = "selfsupervision.csv"
KEY = ["arm", "views", "steps", "images", "seed", "labels", "draw"]
RESULT = ["setting", "validation", "test", "all", "seconds"]
VIEWS, STEPS, IMAGES = "crop flip brightness", 600, 9000  # of the arms that are compared
HOGS = {"hog 4x4": (7, 1), "hog 4x4 blocks": (7, 2), "hog 7x7": (4, 1), "hog 7x7 blocks": (4, 2)}
HOG = "hog 4x4"  # the best of them on validation

# validation, test, all: accuracies (seeds, draws); ``all`` on the 10,000 test images, nan where not
# measured; seconds: (seeds,) of a processor; setting: {(seed, draw): text}.
Runs = namedtuple("Runs", "seeds draws validation test all seconds setting")


def runs(arm, labels=10, *, views=None, steps=None, images=None):
    """The ``Runs`` of an arm at ``labels`` a class.

    arm      "simclr", "vicreg", "barlow", "byol", "rotation", "masked", "simclr and hog", "random",
             "pixels", "hog 4x4", "scratch" or "imagenet"
    views, steps, images   where more than one was measured; by default those that are compared

    Raises ``KeyError`` if the table has no such runs.
    """
    trained = arm not in ("random", "pixels", "imagenet", *HOGS)
    views = (VIEWS if trained and arm != "masked" else "") if views is None else views
    found = [row for row in _rows() if row["arm"] == arm and row["labels"] == str(labels)]
    found = [row for row in found if row["views"] == views]
    if arm not in ("scratch",) and trained:
        wanted = str(steps or STEPS), str(images or IMAGES)
        found = [row for row in found if (row["steps"], row["images"]) == wanted]
    if not found:
        raise KeyError(
            f"nothing was measured of {plain(arm)} with {labels} labels a class, {views}"
        )
    seeds = sorted({int(row["seed"]) for row in found})
    draws = sorted({int(row["draw"]) for row in found})
    place = {(int(row["seed"]), int(row["draw"])): row for row in found}

    def column(name):
        return np.array([[float(place[s, d][name] or "nan") for d in draws] for s in seeds])

    seconds = column("seconds")[:, 0]
    settings = {where: row["setting"] for where, row in place.items()}
    return Runs(seeds, draws, *map(column, RESULT[1:4]), seconds, settings)


_read = []


def _rows():
    """The table's rows, read once."""
    if not _read:
        with open(datasets.asset_path(FILE), newline="", encoding="utf-8") as file:
            _read.extend(csv.DictReader(file))
    return _read
