"""What ``tools/measure_selfsupervision.py`` measured: one row for each draw of labels."""

from collections import namedtuple

import numpy as np

from helpers import datasets
from helpers.words import plain

FILE = "selfsupervision.csv"
KEY = ["arm", "reading", "views", "steps", "images", "seed", "labels", "draw"]
RESULT = ["setting", "validation", "test", "seconds"]
VIEWS, STEPS, IMAGES = "crop flip brightness", 300, 9000  # of the arms that are compared
HOGS = {"hog 4x4": (7, 1), "hog 4x4 blocks": (7, 2), "hog 7x7": (4, 1), "hog 7x7 blocks": (4, 2)}
HOG = "hog 7x7 blocks"  # the best of them on validation

# validation, test: accuracies (seeds, draws); seconds: (seeds,) of a processor, the time on the
# first draw; setting: {(seed, draw): text}.
Runs = namedtuple("Runs", "seeds draws validation test seconds setting")


def runs(arm, labels=10, *, read=None, views=None, steps=None, images=None):
    """The ``Runs`` of an arm at ``labels`` a class.

    arm      "simclr", "vicreg", "barlow", "byol", "rotation", "masked", "random", "pixels", one of
             ``HOGS``, "scratch" or "imagenet"
    read     how an encoder was read: "cells" (the default), "average" or "cells and hog"
    views, steps, images   where more than one was measured; by default those that are compared

    Raises ``KeyError`` if the table has no such runs.
    """
    encoder = arm not in ("scratch", "pixels", "imagenet", *HOGS)
    learned = encoder and arm != "random"
    wanted = {"arm": arm, "labels": str(labels)}
    wanted["reading"] = (read or "cells") if encoder else ""
    wanted["views"] = (VIEWS if arm == "scratch" or learned else "") if views is None else views
    if arm == "masked":
        wanted["views"] = ""
    if learned:
        wanted |= {"steps": str(steps or STEPS), "images": str(images or IMAGES)}
    rows = datasets.table_rows(FILE)
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    if not found:
        raise KeyError(f"nothing was measured of {plain(arm)}, {labels} labels a class, {views}")
    seeds = sorted({int(row["seed"]) for row in found})
    draws = sorted({int(row["draw"]) for row in found})
    place = {(int(row["seed"]), int(row["draw"])): row for row in found}

    def column(name):
        return np.array([[float(place[s, d][name] or "nan") for d in draws] for s in seeds])

    seconds = column("seconds")[:, 0]
    settings = {where: row["setting"] for where, row in place.items()}
    return Runs(seeds, draws, column("validation"), column("test"), seconds, settings)
