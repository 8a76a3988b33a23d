"""The table of lab 14: ``python tools/measure_scaling.py [STAGE ...]``.

Stages, each resumable; every run is added to ``src/helpers/assets/scaling.csv`` as it ends:

speed    seconds a step of 1, 2 and 4 workers on this machine, one thread each, for two networks;
         wants a quiet machine (x: workers, y: cores, value: median seconds of a step)
images   error against images, 500 to 10,000, five seeds, and 60,000 (x: images, y: width)
width    error against width, 4 to 1,024, five seeds (x: images, y: width)
batch    error against batch and rate, five seeds (x: batch, y: rate)

All but ``speed`` train ``helpers.scaling.small`` on the full Fashion-MNIST and count errors on its
10,000 test images. About ten minutes on one quiet core of 2026, reckoned from its parts. It prints
the line for ``helpers.assets.FILES`` at the end.
"""

import os
import sys
from pathlib import Path

import measuring
import numpy as np

from helpers import continual, datasets
from helpers.scaling import TABLE, small, workers

ASSET = Path(datasets.__file__).parent / "assets" / TABLE
SEEDS, WIDTH = range(5), 100
SIZES = (500, 700, 1000, 1400, 2000, 2800, 4000, 5600, 10_000, 20_000, 60_000)
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 1024)
BASE, RATE = 64, 0.05  # of the linear rule: rate = RATE · batch / BASE; 0.1 is no better there
BATCHES = (64, 256, 1024, 4096)
STEPS, ROUNDS = 40, 3  # of ``speed``
TABLE_OF_RUNS = measuring.Table(ASSET, ("stage", "what", "x", "y", "seed"), ("value",))


def data():
    full = datasets.fashion_mnist("full")
    parts = (continual.shrunk(full.train_images), full.train_labels.astype(int))
    return *parts, continual.shrunk(full.test_images), full.test_labels.astype(int)


def add(stage, what, x, y, seed, measure):
    """Measure once and write it down, unless it is in the table."""
    TABLE_OF_RUNS.once((stage, what, x, y, seed), lambda: [float(measure())], digits=5)


def trained(parts, count, seed, **more):
    """Error on the test images after training on ``count`` images that the seed draws."""
    x, y, test, truth = parts
    rows = np.random.default_rng([16, seed]).permutation(len(x))[:count]
    return small.error(small.train(x[rows], y[rows], seed=seed, **more), test, truth)


def speed():
    cores = len(os.sched_getaffinity(0))
    for again in range(ROUNDS):  # in turns, so that a slow minute meets all of them
        for name in workers.NETWORKS:
            for count in (1, 2, 4):

                def median(name=name, count=count):
                    return float(np.median(workers.run(count, name, STEPS)[1][5:]))

                add("speed", name, count, cores, again, median)


def images():
    parts = data()
    for seed in SEEDS:
        for count in SIZES:
            add("images", "error", count, WIDTH, seed, lambda n=count, s=seed: trained(parts, n, s))


def width():
    parts = data()
    for seed in SEEDS:
        for units in WIDTHS:

            def run(units=units, seed=seed):
                return trained(parts, 10_000, seed, width=units)

            add("width", "error", 10_000, units, seed, run)


def batch():
    parts = data()
    for seed in SEEDS:
        for size in BATCHES:
            for what, rate, warm in (
                ("same rate", RATE, 0.05),
                ("linear, no warm-up", RATE * size / BASE, 0.0),
                ("linear", RATE * size / BASE, 0.05),
                ("square root", RATE * (size / BASE) ** 0.5, 0.05),
            ):

                def run(size=size, rate=rate, warm=warm, seed=seed):
                    return trained(parts, 10_000, seed, batch=size, rate=rate, warm=warm)

                add("batch", what, size, round(rate, 4), seed, run)


def main():
    stages = {"images": images, "width": width, "batch": batch, "speed": speed}
    measuring.run_stages(stages, sys.argv[1:], ASSET.parent)
    print(ASSET.stat().st_size, datasets.file_hash(ASSET), ASSET.name)


if __name__ == "__main__":
    main()
