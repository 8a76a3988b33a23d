"""Measure the one-minute race and its side shows: `race.csv` in the assets.

    python tools/measure_race.py [FOLDER] [--parts race live degradation transformer whole]
                                 [--runs NAME ...] [--seeds 0 1 2 3 4] [--minutes 600]

FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's package
dataset-fashion-mnist puts them). Every training is one row, written as it ends; a second call goes
on where the first stopped, and no training begins after --minutes. Run it with one thread
(OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1), or `seconds`, the processor
time of the training with the building of its graph, means something else. One seed of all parts
takes about forty minutes of one core of 2026.

All networks but the last learn from the 10,000 bundled training images. `validation` is the
accuracy on 5,000 others of the 60,000, `test` on all 10,000 test images, `mirrored` the same with
the answers for an image and its mirror image averaged, `test_bundled` on the 2,000 that travel with
the book.
`train_loss` is the mean cross-entropy on the training images as they are, after training and in
inference mode; `losses` the means of each pass, in training mode, on what was shown.

    race          the ladder: each step changes one thing and keeps what came before
    live          its last step with three passes, which lab 6 runs, too
    degradation   plain networks of 8 and 20 layers and the same with shortcuts, at three rates
    transformer   a small vision transformer at three rates, as expensive as the race
    whole         the ladder's last network on all training images that are not for validation,
                  in 14 passes

The settings of the ladder come from a trial that was judged on test images. `validation`, on which
nothing was chosen, shows whether they hold elsewhere.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as session.begin does in the labs

import keras
import measuring
import numpy as np

from helpers import alexnet, blocks, datasets, race, session

TARGET = Path(datasets.__file__).parent / "assets" / "race.csv"
START = {
    "network": "AlexNet-28", "passes": 8, "optimizer": "adam", "rate": 0.001, "warm_up": 0.0,
    "dropout": 0.5, "decay": 0.0, "shift": 0, "mirror": "random", "smoothing": 0.0,
}  # fmt: skip
# Where the network changes, its dropout goes with its dense layers, and the number of passes is the
# one that costs as much; where the optimizer changes, its rate does, too.
LADDER = [
    ("AlexNet-28, a plain recipe", {}),
    ("the rate rises first", {"rate": 0.0015, "warm_up": 0.2}),
    ("batch normalization for LRN", {"network": "AlexNet-28, batch normalization"}),
    ("small kernels, no dense layers", {"network": "small_plain", "passes": 14, "dropout": 0.0}),
    ("wider, with a shortcut", {"network": "small_residual"}),
    ("Nesterov's momentum and decay", {"optimizer": "sgd", "rate": 0.05, "decay": 5e-4}),
    ("shifts by a pixel", {"shift": 1}),
    ("softened labels", {"smoothing": 0.1}),
    ("mirrors by turns", {"mirror": "alternating"}),
    ("half as long again", {"passes": 22}),
]
BARE = {"optimizer": "sgd", "decay": 5e-4, "warm_up": 0.2, "mirror": "none", "dropout": 0.0}
TOWERS = [(depth, kind) for depth in (8, 20) for kind in ("plain", "residual")]
KEY = ["part", "run", "seed"]
MEASURED = ["parameters", "train_loss", "validation", "test", "mirrored", "test_bundled", "seconds"]
RESULT = [*START, *MEASURED, "losses"]


def runs(parts):
    """The runs of one seed, ``(part, name, settings)``."""
    settings = dict(START)
    for name, change in LADDER:
        settings = {**settings, **change}
        if "race" in parts:
            yield "race", name, settings
    if "live" in parts:
        yield "live", "three passes", {**settings, "passes": 3}
    if "degradation" in parts:
        for rate in (0.1, 0.03, 0.3):
            for depth, kind in TOWERS:
                change = {"network": f"{kind} {depth}", "passes": 8, "rate": rate}
                yield "degradation", f"{kind} {depth}, rate {rate}", {**START, **BARE, **change}
    if "transformer" in parts:
        for rate in (0.001, 0.0003, 0.003):
            change = {"network": "transformer", "optimizer": "adam", "decay": 0.0, "rate": rate}
            yield "transformer", f"transformer, rate {rate}", {**settings, **change, "passes": 14}
    if "whole" in parts:
        yield "whole", "55,000 images", {**settings, "passes": 14}


def build(name, dropout):
    if name in ("small_plain", "small_residual"):
        return getattr(blocks, name)()
    if name == "transformer":
        return blocks.vision_transformer()
    if not name.startswith("AlexNet-28"):
        kind, depth = name.split()
        return blocks.tower(int(depth), shortcuts=kind == "residual")
    model = alexnet.alexnet28(dropout=dropout)
    if name == "AlexNet-28":
        return model

    def exchange(layer):
        if isinstance(layer, alexnet.LocalResponseNormalization):
            return keras.layers.BatchNormalization(momentum=0.9, name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=exchange)


class Data:
    def __init__(self, folder):
        whole = datasets.read_idx_folder(folder)
        bundled = datasets.fashion_mnist("quick")
        others = measuring.held_out_first(whole["train_images"])[:5000]
        self.train = bundled.train_images, bundled.train_labels
        rest = np.setdiff1d(np.arange(len(whole["train_images"])), others)
        self.whole = whole["train_images"][rest], whole["train_labels"][rest]
        self.sets = {
            "validation": (whole["train_images"][others], whole["train_labels"][others]),
            "test": (whole["test_images"], whole["test_labels"]),
            "test_bundled": (bundled.test_images, bundled.test_labels),
        }


def measure(settings, seed, train, sets):
    """One training on ``train``: a row's measured columns."""
    keras.utils.set_random_seed(seed)
    settings = dict(settings)
    model = build(settings.pop("network"), settings.pop("dropout"))
    began = time.process_time()
    losses = race.train(model, *train, seed=seed, **settings)
    row = {"seconds": round(time.process_time() - began, 1)}
    row["parameters"] = blocks.trained_parameters(model)
    row["losses"] = " ".join(f"{loss:.4f}" for loss in losses)
    answers = keras.ops.log_softmax(race.logits(model, train[0]))
    chosen = np.take_along_axis(np.asarray(answers), train[1][:, None].astype(int), 1)
    row["train_loss"] = round(float(-chosen.mean()), 5)
    for name, (images, labels) in sets.items():
        row[name] = round(float((race.logits(model, images).argmax(1) == labels).mean()), 4)
    images, labels = sets["test"]
    right = race.logits(model, images, mirrored=True).argmax(1) == labels
    row["mirrored"] = round(float(right.mean()), 4)
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parts = ["race", "live", "degradation", "transformer", "whole"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--runs", nargs="+", help="names of runs (default: all of the parts)")
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    session.begin(0)
    table, data = measuring.Table(options.target, KEY, RESULT), Data(options.folder)
    end = time.monotonic() + 60 * options.minutes
    for seed in options.seeds:
        for part, name, settings in runs(options.parts):
            if options.runs and name not in options.runs:
                continue
            if (part, name, seed) in table or time.monotonic() > end:
                continue
            train = data.whole if part == "whole" else data.train
            row = {**settings, **measure(settings, seed, train, data.sets)}
            table.add([part, name, seed, *(row[column] for column in RESULT)])
            print(seed, name, *(row[column] for column in MEASURED), flush=True)


if __name__ == "__main__":
    main()
