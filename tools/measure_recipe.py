"""Measure what lab 4's recipe is worth: `recipe.csv` in the assets.

    python tools/measure_recipe.py [FOLDER] [--runs NAME ...] [--seeds 0 1 2 3 4]

FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's package
dataset-fashion-mnist puts them). Every training is one row, written as it ends; a second call goes
on where the first stopped. The bundled table takes about half an hour on one core.

All networks learn from the first 9,000 of the 10,000 bundled training images; the other 1,000 are
for validation, where the recipe was chosen (the runs whose names begin with "tried", seed 0).
`validation` is the accuracy on these, `train` on the first 3,000 training images with dropout
switched off, `test` on all 10,000 test images and `test_bundled` on the 2,000 of them that travel
with the book. `seconds` is processor time of the training, as busy as the machine was.
"""

import argparse
import csv
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as session.begin does in the labs

import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

from helpers import alexnet, datasets, session, training

TARGET = Path(datasets.__file__).parent / "assets" / "recipe.csv"
# Lab 4's: passes, images a step, the highest rate and the share of the steps before it.
RECIPE = {
    "network": "AlexNet-28", "passes": 10, "batch": 128, "peak": 0.002, "warm_up": 0.2,
    "dropout": 0.5, "flip": 1,
}  # fmt: skip
PLAINER = {"passes": 8, "batch": 64, "peak": 0.001, "warm_up": 0}
RUNS = {
    "our recipe": {},
    "plainer recipe": PLAINER,
    "small network": {"network": "lab 3"},
}
COLUMNS = ["run", *RECIPE, "seed", "train", "validation", "test_bundled", "test", "seconds"]


def lab3():
    """The network of lab 3, 130,474 weights."""
    he = {"activation": "relu", "kernel_initializer": "he_normal"}
    same, pool = {**he, "padding": "same"}, {"pool_size": 3, "strides": 2, "padding": "same"}
    lrn, grouped = alexnet.LocalResponseNormalization, alexnet.GroupedConv2D
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        Conv2D(24, 5, strides=2, **same), lrn(), MaxPooling2D(**pool),
        grouped(48, 5, groups=2, **same), lrn(), MaxPooling2D(**pool),
        Conv2D(64, 3, **same),
        grouped(64, 3, groups=2, **same),
        grouped(64, 3, groups=2, **same), MaxPooling2D(**pool), Flatten(),
        Dense(128, **he), Dense(128, **he), Dense(10, kernel_initializer="he_normal"),
    ])  # fmt: skip


def schedule(peak, warm_up, steps):
    """A line up to ``peak`` in the share ``warm_up`` of the steps, then half a cosine to 0."""
    up = int(warm_up * steps)
    cosine = keras.optimizers.schedules.CosineDecay
    if not up:
        return cosine(peak, steps)
    return cosine(0.0, steps - up, warmup_target=peak, warmup_steps=up)


def measure(settings, seed, data, whole):
    """One training: what it has right, and its seconds."""
    keras.utils.set_random_seed(seed)
    small = settings["network"] == "lab 3"
    model = lab3() if small else alexnet.alexnet28(dropout=settings["dropout"])
    train = data.train_images[:9000], data.train_labels[:9000]
    validation = data.train_images[9000:], data.train_labels[9000:]
    steps = settings["passes"] * -(-9000 // settings["batch"])
    rate = schedule(settings["peak"], settings["warm_up"], steps)
    began = time.process_time()
    training.fit(
        model, keras.optimizers.Adam(rate), train, validation, epochs=settings["passes"],
        batch=settings["batch"], seed=seed, flip=bool(settings["flip"]), progress=False,
    )  # fmt: skip
    row = {"seconds": round(time.process_time() - began, 1)}
    for name, images, labels in (
        ("train", train[0][:3000], train[1][:3000]),
        ("validation", *validation),
        ("test_bundled", data.test_images, data.test_labels),
        ("test", whole["test_images"], whole["test_labels"]),
    ):
        row[name] = round(training.evaluate(model, images, labels)[1], 4)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    options = parser.parse_args()
    print(session.begin())
    data, whole = datasets.fashion_mnist("quick"), datasets.read_idx_folder(options.folder)
    rows = list(csv.DictReader(TARGET.open(encoding="utf-8"))) if TARGET.exists() else []
    done = {(row["run"], int(row["seed"])) for row in rows}
    for name in options.runs:
        for seed in options.seeds:
            if (name, seed) in done or (name.startswith("tried") and seed):
                continue
            settings = {**RECIPE, **RUNS[name]}
            row = {"run": name, **settings, "seed": seed, **measure(settings, seed, data, whole)}
            with TARGET.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)
            print(name, seed, {key: row[key] for key in COLUMNS[-5:]}, flush=True)


if __name__ == "__main__":
    main()
