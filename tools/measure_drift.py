"""The table of lab 13's section on drift: ``python tools/measure_drift.py``.

Each detector of ``helpers.drift`` on windows of 10 to 1,000 images, clean and shifted. AlexNet-28
answers 6,000 images that it was not trained on (of the full Fashion-MNIST). For every window a
reference of 1,000 and the window itself are drawn anew and share no image, so a clean window
differs from its reference by chance alone. A shift acts on the window only. Columns of the table:
how many of the windows rang at ``LEVEL``; the accuracy on the shifted images; and what one would
guess it to be without labels. About four minutes on one core of 2026.
"""

import itertools
import sys
from pathlib import Path

import measuring
import numpy as np

from helpers import alexnet, calibration, datasets, drift, session

ASSET = Path(datasets.__file__).parent / "assets" / drift.TABLE
KEY = ("shift", "detector", "n")
RESULT = ("windows", "alarms", "accuracy", "confidence", "threshold")
LEVEL, REFERENCE, IMAGES = 0.02, 1000, 6_000
CLEAN = {"ks": 1000, "mmd": 300, "classifier": 300}  # windows of each size
SHIFTED = {"ks": 200, "mmd": 60, "classifier": 60}


def unseen():
    """Images outside of the bundle, in a fixed order, and their labels."""
    full = datasets.fashion_mnist("full")
    outside = measuring.outside_the_bundle(full.train_images)
    chosen = np.random.default_rng([13, 0]).permutation(outside)[:IMAGES]
    return full.train_images[chosen], full.train_labels[chosen].astype(int)


def digits(n, rng):
    """A kind of object that the network has no name for: handwritten digits, enlarged."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    small = load_digits().images[rng.permutation(1797)[:n]] * (255 / 16)
    return np.clip(zoom(small, (1, 3.5, 3.5), order=1), 0, 255).astype(np.uint8)


class World:
    """What AlexNet-28 answers to the images as they are and after each shift."""

    def __init__(self, rng):
        images, self.labels = unseen()
        model = alexnet.alexnet28(weights="fashion_mnist")

        def answer(batch):
            return model.predict(batch[..., None] / np.float32(255), 500, verbose=0)

        self.clean, held = answer(images), datasets.fashion_mnist("quick")
        held_out = answer(held.train_images[9000:]), held.train_labels[9000:].astype(int)
        self.temperature = calibration.best_temperature(*held_out)
        sure, right = calibration.answers(*held_out, self.temperature)
        self.limit = np.quantile(sure, 1 - right.mean())  # of the surest, as many as are right
        self.shifted = {name: answer(shift(images, rng)) for name, shift in drift.SHIFTS.items()}
        self.strange = answer(digits(1797, rng))

    def window(self, name, n, rng):
        """A reference, and the outputs of n other images after the shift."""
        order = rng.permutation(IMAGES)
        reference, rest = self.clean[order[:REFERENCE]], order[REFERENCE:]
        if name == "clean":
            return reference, self.clean[rest[:n]]
        if name == "more coats":
            return reference, self.clean[rest][drift.season(self.labels[rest], 4, 0.3, n, rng)]
        if name == "a new kind":
            few = n // 5
            strange = self.strange[rng.permutation(len(self.strange))[:few]]
            return reference, np.concatenate([self.clean[rest[: n - few]], strange])
        return reference, self.shifted[name][rest[:n]]

    def guesses(self, name):
        """True accuracy, mean confidence, share above the threshold, on many images."""
        logits, truth = self.shifted.get(name, self.clean), self.labels
        if name == "more coats":
            chosen = drift.season(self.labels, 4, 0.3, IMAGES, np.random.default_rng(0))
            logits, truth = self.clean[chosen], self.labels[chosen]
        if name == "a new kind":
            few = len(self.clean) // 4  # one in five, as in the windows
            logits = np.concatenate([self.clean, self.strange[:few]])
            truth = np.concatenate([self.labels, np.full(few, -1)])
        sure, right = calibration.answers(logits, truth, self.temperature)
        return right.mean(), sure.mean(), np.mean(sure > self.limit)


def alarms(world, name, detector, n, windows):
    """How many of the windows ring."""
    draws, rang = np.random.default_rng([13, 2, n]), 0
    for _ in range(windows):
        pair = [calibration.softmax(part) for part in world.window(name, n, draws)]
        rang += drift.DETECTORS[detector](*pair, draws) < LEVEL
    return rang


def main(names):
    session.begin()
    world, table = World(np.random.default_rng([13, 1])), measuring.Table(ASSET, KEY, RESULT)
    for name in names or ["clean", *drift.SHIFTS, "more coats", "a new kind"]:
        facts = [f"{value:.4f}" for value in world.guesses(name)]
        for detector, n in itertools.product(drift.DETECTORS, drift.WINDOWS):
            if (name, detector, n) in table or (detector == "mmd" and n > 300):
                continue  # the discrepancy takes n² of time and memory
            windows = (CLEAN if name == "clean" else SHIFTED)[detector]
            row = [name, detector, n, windows, alarms(world, name, detector, n, windows), *facts]
            table.add(row)
            print(*row, flush=True)
    print(ASSET.stat().st_size, datasets.file_hash(ASSET), ASSET.name)


if __name__ == "__main__":
    main(sys.argv[1:])
