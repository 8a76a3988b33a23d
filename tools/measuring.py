"""What the ``measure_*`` scripts share: a table that grows by a run, and stages to choose from.

A run is written as it ends and what is in the table is not measured again, so a script may be
stopped and started.
"""

import csv
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from helpers import datasets, session


def outside_the_bundle(images):
    """The places in all training images (n, 28, 28) of those that do not travel with the book."""
    known = {image.tobytes() for image in datasets.fashion_mnist("quick").train_images}
    return np.flatnonzero([image.tobytes() not in known for image in images])


def held_out_first(images):
    """The same places in the one order of all scripts: the first 5,000 choose, others may train."""
    return np.random.default_rng(0).permutation(outside_the_bundle(images))


class Table:
    """A CSV file of runs. ``key`` and ``result`` are its columns; ``rows`` {key: row}, all text."""

    def __init__(self, path, key, result):
        self.path, self.key, self.columns, self.rows = Path(path), list(key), [*key, *result], {}
        if self.path.is_file():
            with open(self.path, newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    self.rows[tuple(row[name] for name in key)] = row

    def __contains__(self, key):
        """Is there a run of this key? Its parts may be numbers."""
        return tuple(map(str, key)) in self.rows

    def add(self, *rows):
        """Write whole rows, key and result, at the end of the file, all of them in one go."""
        fresh = not self.path.is_file()
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([self.columns, *rows] if fresh else rows)
        for row in rows:
            text = dict(zip(self.columns, map(str, row), strict=True))
            self.rows[tuple(text[name] for name in self.key)] = text

    def once(self, key, measure, digits=4):
        """The row of ``key``; if there is none, ``measure()`` gives its results, which are written
        (floats with so many digits, ``None`` as nothing) and printed."""
        key = tuple(map(str, key))
        if key not in self.rows:
            values = ["" if value is None else value for value in measure()]
            row = [*key, *(f"{v:.{digits}f}" if isinstance(v, float) else v for v in values)]
            self.add(row)
            print(*row, flush=True)
        return self.rows[key]


def run_stages(stages, wanted, cache):
    """Run the ``wanted`` of ``stages`` {name: function}, by default all, and say how long each
    took. ``cache`` is the folder for what they keep."""
    if unknown := [s for s in wanted if s not in stages]:
        sys.exit(f"no stage {', '.join(unknown)}; there are {', '.join(stages)}")
    print(session.begin())
    warnings.filterwarnings("ignore")
    cache.mkdir(parents=True, exist_ok=True)
    for stage in wanted or stages:
        begun = time.time()
        stages[stage]()
        print(f"{stage}: {time.time() - begun:.0f} s", flush=True)
