"""AlexNet-28's accuracy in the smallest file: ``student.csv`` and ``student_fashion_mnist.axpk``.

    python tools/measure_packed_student.py [FOLDER] [--file FILE]

The student of lab 12 is taught by the labels of the teacher's own 9,000 images and by the bundled
teacher's answers, half and half, on images that are mirrored and shifted; then it is pruned, shared
and coded as in lab 11. FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's
package dataset-fashion-mnist puts them).

choice   one seed, several sparsities and numbers of values; judged on 5,000 training images that no
         network was trained on. The smallest file there that loses nothing to the teacher is taken
test     five seeds with that choice, on all 10,000 test images: before and after, and the teacher

A run is added to the table as it ends, one that is there is not made again. FILE gets the packed
student of seed 0; the line for ``helpers.assets.FILES`` is printed. A minute or two a run.
"""

import argparse
from functools import cached_property
from pathlib import Path

import keras
import measuring
import numpy as np
from measure_distillation import Measurement, logits_of, student

from helpers import compression, datasets, session, training
from helpers.files import replace

ASSETS = Path(datasets.__file__).parent / "assets"
KEY = ["part", "sparsity", "values", "seed"]
RESULT = ["bytes", "accuracy", "dense", "teacher", "lost_to", "won_from"]
SPARSITIES, VALUES = (0.8, 0.88, 0.92, 0.95), (12, 8, 6)  # of the large kernels
EPOCHS = {"dense": 40, "pruned": 20, "shared": 5}
RATES = {"dense": 5e-3, "pruned": 2e-3, "shared": 5e-4}
COPIES, BATCH, COUNT = 16, 100, 9_000
cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)


class Bench:
    """Images, answers and what was made of them."""

    def __init__(self, folder):
        self.work, self.dense, self.parts = Measurement(folder), {}, {}
        self.teacher = self.work.teacher(COUNT, 0)

    @cached_property
    def views(self):
        """Each image as it is and in 15 versions, mirrored or not and shifted."""
        images = np.float32(self.work.images[:COUNT, ..., None] / 255)
        seeds = session.rng(1).integers(1000, size=(COPIES - 1, 2))
        moved = [training.crop_and_flip(images, seed, crop=2).numpy() for seed in seeds]
        return np.concatenate([images, *moved])

    @cached_property
    def targets(self):
        """For each view half the label and half the teacher's answer; takes minutes."""
        answers = logits_of(self.teacher, np.uint8(np.round(255 * self.views[..., 0])))
        labels = np.eye(10, dtype=np.float32)[np.tile(self.work.labels[:COUNT], COPIES)]
        return (keras.ops.softmax(answers).numpy() + labels) / 2

    def judged_on(self, part):
        """Images and labels, and which of them the teacher has right."""
        if part not in self.parts:
            full, chosen = self.work.full, self.work.held_out
            images, labels = full["test_images"], full["test_labels"]
            if part == "choice":
                images, labels = full["train_images"][chosen], full["train_labels"][chosen]
            right = logits_of(self.teacher, images).argmax(1) == labels
            self.parts[part] = np.float32(images[..., None] / 255), labels, right
        return self.parts[part]

    def fit(self, model, stage, seed, callbacks=()):
        """Train for a stage; each image once an epoch, in one of its views."""
        epochs, rng = EPOCHS[stage], np.random.default_rng([seed, EPOCHS[stage]])
        one = np.arange(COUNT)
        rows = [
            rng.permutation(rng.integers(COPIES, size=COUNT) * COUNT + one) for _ in range(epochs)
        ]
        rows = np.concatenate(rows)
        schedule = keras.optimizers.schedules.CosineDecay(RATES[stage], len(rows) // BATCH)
        model.compile(keras.optimizers.Adam(schedule), cross_entropy, steps_per_execution=10)
        x, y = self.views[rows], self.targets[rows]
        model.fit(x, y, BATCH, 1, shuffle=False, verbose=0, callbacks=list(callbacks))

    def taught(self, seed):
        """The student before compression, a copy."""
        if seed not in self.dense:
            keras.utils.set_random_seed(seed)
            model = student()
            self.fit(model, "dense", seed)
            self.dense[seed] = model.get_weights()
        model = student()
        model.set_weights(self.dense[seed])
        return model

    def packed(self, sparsity, values, seed):
        """The file, bytes."""
        model = self.taught(seed)
        conv1, conv2, hidden, last = (layer.name for layer in model.layers if layer.weights)
        shares = {conv2: sparsity / 2, hidden: sparsity, last: sparsity / 2}
        steps = int(0.6 * EPOCHS["pruned"] * COUNT / BATCH)
        self.fit(model, "pruned", seed, [compression.GradualPruning(shares, steps)])
        compression.share(model, {conv1: 32, conv2: values, hidden: values, last: values})
        self.fit(model, "shared", seed)
        compression.round_for_storage(model)
        return compression.pack(model)

    def measure(self, table, part, sparsity, values, seed, target):
        """Add the run to the table; before it, the file of the first student of the test."""
        if (part, sparsity, values, seed) in table:
            return
        file = self.packed(sparsity, values, seed)
        if part == "test" and seed == 0:
            replace(target, lambda path: path.write_bytes(file))
        x, labels, teacher = self.judged_on(part)
        right = compression.unpack(file).predict(x, 500, verbose=0).argmax(1) == labels
        dense = self.taught(seed).predict(x, 500, verbose=0).argmax(1) == labels
        counts = np.sum(teacher & ~right), np.sum(right & ~teacher)
        shares = [f"{v.mean():.4f}" for v in (right, dense, teacher)]
        row = [part, sparsity, values, seed, len(file), *shares, *map(int, counts)]
        table.add(row)
        print(*row, flush=True)


def choice(table):
    """Sparsity and number of values of the smallest file that loses nothing to the teacher."""
    rows = [r for r in table.rows.values() if r["part"] == "choice"]
    good = [r for r in rows if float(r["accuracy"]) >= float(r["teacher"])]
    best = min(good, key=lambda row: int(row["bytes"]))
    return float(best["sparsity"]), int(best["values"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--file", type=Path, default=ASSETS / "student_fashion_mnist.axpk")
    parser.add_argument("--to", type=Path, default=ASSETS / "student.csv")
    options = parser.parse_args()
    print(session.begin(seed=0))
    table, bench = measuring.Table(options.to, KEY, RESULT), Bench(options.folder)
    for sparsity in SPARSITIES:
        for values in VALUES:
            bench.measure(table, "choice", sparsity, values, 0, options.file)
    for seed in range(5):
        bench.measure(table, "test", *choice(table), seed, options.file)
    for path in (options.to, options.file):
        print(path.stat().st_size, datasets.file_hash(path), path.name)


if __name__ == "__main__":
    main()
