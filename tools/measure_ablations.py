"""The table of lab 5: ``python tools/measure_ablations.py``.

Every variant of ``helpers.ablation`` is trained on the 10,000 bundled training images with the
same seeds, and answers all 10,000 test images of Fashion-MNIST. The order of the runs keeps the
table paired at any time: all variants of the first seed, then all of the next, and so on.

    python tools/measure_ablations.py [FOLDER] [--seeds 0 1 ...] [--to CSV] [--stages ...]

FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's package
dataset-fashion-mnist puts them). What a seed adds, in this order:

rates    once, with a seed of its own: the highest learning rate for the base, tanh and the start of
         2012, judged on 5,000 other training images; the test images choose nothing
grid     14 variants, 24 passes
speed    steps to a training error of 25, 15 and 10% of 5,000 images, ReLU and tanh, each at its
         fastest rate
passes   3, 12 and 48 passes for the base and three variants, first two seeds: how long is enough?
full     the grid on all 60,000 training images in four passes, so as many steps, once; only
         if named

A run is added to the file as it ends, one that is there is not made again. Without ``--to`` the
file is ``src/helpers/assets/ablations.csv``; the line for ``helpers.assets.FILES`` is printed.
About a minute a run on one core of 2026.
"""

import argparse
from pathlib import Path

import keras
import measuring
import numpy as np

from helpers import ablation, datasets, session
from helpers import ablation_table as found

ASSET = Path(datasets.__file__).parent / "assets" / found.FILE
CHOICE_SEED, PASSES, LONGER = 100, (3, 12, 48), ("no dropout", "no mirroring", "tanh")
SPEED_RATES = (0.0003, 0.001, 0.003)
FULL, FULL_PASSES = 60_000, 4  # as many steps as the grid has
STUCK, ENOUGH = "start of 2012", 3  # it stays at chance at every rate: three seeds say so


class Bench:
    """The images, the table, and what a run adds to it."""

    def __init__(self, folder, path, images=ablation.IMAGES):
        self.table = measuring.Table(path, found.KEY, found.RESULT)
        self.bundle, self.images = datasets.fashion_mnist("quick"), images
        self.few = min(images, found.SPEED_IMAGES)
        whole = datasets.read_idx_folder(folder)
        self.test = whole["test_images"], whole["test_labels"]
        self.full = whole["train_images"], whole["train_labels"]
        others = measuring.held_out_first(self.full[0])[:5000]
        self.choice = self.full[0][others], self.full[1][others]

    def training_set(self, n):
        if n > len(self.bundle.train_images):
            return self.full[0][:n], self.full[1][:n]
        return self.bundle.train_images[:n], self.bundle.train_labels[:n]

    def run(self, variant, seed, rate, passes=ablation.PASSES, images=None, width=ablation.WIDTH):
        """Train, measure, write; of seeds from 100 the test images stay unseen."""
        images = images or self.images
        key = ("train", variant, width, images, passes, rate, seed)
        if key in self.table:
            return
        keras.backend.clear_session()  # among dozens of old networks a step takes longer
        x, y = self.training_set(images)
        model = ablation.train(variant, seed, x, y, passes=passes, rate=rate, width=width)
        shares = dict.fromkeys(found.RESULT, "")
        sets = {"train": (x[:2000], y[:2000])}
        if seed == CHOICE_SEED:
            sets["choice"] = self.choice
        else:
            images, labels = self.test
            sets |= {
                "test1": (images[:5000], labels[:5000]),
                "test2": (images[5000:], labels[5000:]),
            }
            sets["bundled"] = self.bundle.test_images, self.bundle.test_labels
        for name, pair in sets.items():
            shares[name] = f"{np.mean(ablation.right(model, *pair)):.4f}"
        self.add(key, shares)

    def add(self, key, values):
        self.table.add([*key, *values.values()])
        print(*key, *(f"{k} {v}" for k, v in values.items() if v != ""), flush=True)

    def rate(self, variant):
        """The best rate of those tried; swept for the base, where a variant has none of its own."""
        name = variant if variant in ablation.OWN_RATE else ablation.BASE
        return found.best_rate(self.table.rows.values(), name, self.images)

    def race(self, activation, seed, rate):
        """Steps to a training error."""
        key = ("speed", activation, ablation.WIDTH, self.few, 0, rate, seed)
        if key not in self.table:
            x, y = self.training_set(self.few)
            steps = ablation.steps_to(activation, seed, x, y, rate=rate)
            values = dict.fromkeys(found.RESULT, "")
            values.update(zip(("steps25", "steps15", "steps10"), steps, strict=True))
            self.add(key, values)


# A stage is what one seed adds: the loop over the seeds is outermost.


def rates(bench, seed):
    for variant in (ablation.BASE, *sorted(ablation.OWN_RATE)):
        for rate in ablation.RATES:
            bench.run(variant, CHOICE_SEED, rate)


def grid(bench, seed):
    for variant in ablation.VARIANTS:
        if variant != STUCK or seed < ENOUGH:
            bench.run(variant, seed, bench.rate(variant))


def speed(bench, seed):
    for name in (ablation.BASE, "tanh"):
        for rate in SPEED_RATES:
            bench.race(name, CHOICE_SEED, rate)
        rows = bench.table.rows.values()
        bench.race(name, seed, found.fastest_rate(rows, name, bench.few))


def passes(bench, seed):
    if seed < 2:
        for count in PASSES:
            for variant in (ablation.BASE, *LONGER):
                bench.run(variant, seed, bench.rate(variant), count)


def full(bench, seed):
    if seed == 0:
        for variant in ablation.VARIANTS:
            bench.run(variant, seed, bench.rate(variant), FULL_PASSES, FULL)


STAGES = {"rates": rates, "grid": grid, "speed": speed, "passes": passes, "full": full}


def main():
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(10))
    parser.add_argument("--to", type=Path, default=ASSET)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES)[:-1])
    options = parser.parse_args()
    print(session.begin())
    bench = Bench(options.folder, options.to)
    for seed in options.seeds:
        for stage in options.stages:
            STAGES[stage](bench, seed)
    print(options.to.stat().st_size, datasets.file_hash(options.to), options.to.name)


if __name__ == "__main__":
    main()
