"""Measure what a student learns from labels and from a teacher: `distillation.csv` in the assets.

    python tools/measure_distillation.py [FOLDER] [--minutes 6] [--all]

FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's package
dataset-fashion-mnist puts them). Every run is one row, written as it ends; a second call goes on
where the first stopped. The bundled table takes about an hour on one core.

The student, its optimizer and its batches are those of lab 12. One epoch is 90 steps of 100 images,
whatever the number of images, so that runs of equal length have done equal work. What is compared
differs in the targets only:

    experiment    "seen": the 9,000 images that the teacher was trained on; "unseen": others;
                  "few": a teacher with 1,000 labels, and its 1,000 images or 8,000 others
    share         weight of the teacher's answers in the loss; 0 is labels alone, 1 answers alone
    view          "plain": images as they are; "shift": half of them mirrored, and shifted by up
                  to two pixels. Teacher and student see the same view.
    images        how many images the student sees
    labels        how many labels the teacher (and the student of labels) has seen

`validation` is measured on 5,000 images that nobody trains on, and all choices are made there;
`test` on the 10,000 test images, `test_bundled` on the 2,000 of them that travel with the book.
`agreement` is how often student and teacher give one answer to a test image, `teacher` the
teacher's accuracy on them.
"""

import argparse
import itertools
import time
from pathlib import Path

import keras
import measuring
import numpy as np
import tensorflow as tf

from helpers import alexnet, datasets, session, training

TARGET = Path(datasets.__file__).parent / "assets" / "distillation.csv"
CHOICE = ["experiment", "labels", "images", "view", "share", "temperature", "epochs", "seed"]
RESULT = ["validation", "test", "test_bundled", "agreement", "teacher"]
BATCH, STEPS, RATE = 100, 90, 5e-3
VARIANTS = {"plain": 1, "shift": 20}


def runs(everything=False):
    """The runs of the bundled table, or ``everything`` that one may want to ask."""
    seeds, both = range(5), (0, 1)
    # Answers of the bundled teacher for images that it has not seen, or for its own.
    for seed, share in itertools.product(seeds, both):
        for experiment, images in (("unseen", 9000), ("seen", 9000), ("unseen", 1000)):
            yield (experiment, 9000, images, "plain", share, 2 if share else 1, 20, seed)
    # Temperature: to be chosen on validation.
    for seed, temperature in itertools.product(seeds, (1, 4, 8)):
        yield ("seen", 9000, 9000, "plain", 1, temperature, 20, seed)
    # Twice as long, with augmentation.
    for seed, share in itertools.product(seeds, both):
        yield ("seen", 9000, 9000, "shift", share, 2 if share else 1, 40, seed)
    if not everything:
        return
    # What the table does not have: labels and answers together; a teacher with 1,000 labels that
    # answers for the same 1,000 images or for 8,000 others; long training.
    for seed in seeds:
        yield ("seen", 9000, 9000, "plain", 0.5, 2, 20, seed)
    for seed, (share, images) in itertools.product(seeds, [(0, 1000), (1, 1000), (1, 8000)]):
        yield ("few", 1000, images, "plain", share, 2 if share else 1, 20, seed)
    for share, temperature in itertools.product((1, 0.5), (1, 2, 4, 8)):
        yield ("seen", 9000, 9000, "shift", share, temperature, 160, 0)


def student():
    conv = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(16, **conv),
        keras.layers.Conv2D(32, **conv),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10),
    ])  # fmt: skip


class Measurement:
    def __init__(self, folder):
        self.full = datasets.read_idx_folder(folder)
        bundled = datasets.fashion_mnist("quick")
        self.bundled = bundled
        order = measuring.held_out_first(self.full["train_images"])
        self.held_out, others = order[:5000], order[5000:50_000]
        self.images = np.concatenate([bundled.train_images[:9000],
                                      self.full["train_images"][others]])  # fmt: skip
        self.labels = np.concatenate([bundled.train_labels[:9000],
                                      self.full["train_labels"][others]])  # fmt: skip
        self.pools, self.teachers, self.said = {}, {}, {}

    def teacher(self, labels, seed):
        """The bundled network, or one trained in the same way on fewer labels."""
        if labels == 9000:
            return self.teachers.setdefault(9000, alexnet.alexnet28(weights="fashion_mnist"))
        if (labels, seed) not in self.teachers:
            keras.utils.set_random_seed(seed)
            model = alexnet.alexnet28()
            steps = 30 * -(-labels // 64)
            optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps))
            part = self.bundled.train_images[:labels], self.bundled.train_labels[:labels]
            rest = self.bundled.train_images[9000:], self.bundled.train_labels[9000:]
            training.fit(model, optimizer, part, rest, epochs=30, batch=64, seed=seed, flip=True,
                         progress=False)  # fmt: skip
            self.teachers = {key: t for key, t in self.teachers.items() if key == 9000}
            self.teachers[labels, seed] = model
        return self.teachers[labels, seed]

    def pool(self, experiment, count, view, labels, seed):
        """Views of the first ``count`` images (uint8), label probabilities and answers for them."""
        key = experiment, count, view, labels, seed if labels != 9000 else 0
        if key in self.pools:
            return self.pools[key]
        rng = np.random.default_rng([count, len(view)])
        first = {"seen": 0, "unseen": 9000, "few": 1000 if count == 8000 else 0}[experiment]
        images, one_hot = self.images[first:][:count], np.eye(10, dtype=np.float32)
        targets = one_hot[self.labels[first:][:count]]
        views, probabilities = [], []
        for _ in range(VARIANTS[view]):
            x = images
            if view != "plain":
                x = np.where(rng.random((count, 1, 1)) < 0.5, x[:, :, ::-1], x)
            if view == "shift":
                padded = np.pad(x, [(0, 0), (2, 2), (2, 2)])
                windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), (1, 2))
                x = windows[np.arange(count), *rng.integers(0, 5, (2, count))]
            views.append(x)
            probabilities.append(targets)
        views, probabilities = np.concatenate(views), np.concatenate(probabilities)
        answers = logits_of(self.teacher(labels, seed), views)
        if len(self.pools) > 3:
            self.pools.clear()
        self.pools[key] = views, probabilities, answers
        return self.pools[key]

    def measure(self, experiment, labels, images, view, share, temperature, epochs, seed):
        views, probabilities, answers = self.pool(experiment, images, view, labels, seed)
        keras.utils.set_random_seed(seed)
        model = student()
        rng = np.random.default_rng([seed, 1])
        order, needed = [], epochs * STEPS * BATCH
        while sum(map(len, order)) < needed:  # each image once an epoch, in one view of its own
            which = rng.integers(len(views) // images, size=images)
            order.append((which * images + np.arange(images))[rng.permutation(images)])
        order = np.concatenate(order)[:needed].reshape(-1, BATCH)
        train(model, views, probabilities, answers, order, share, temperature)
        return self.scores(model, self.teacher(labels, seed))

    def scores(self, model, teacher):
        """Accuracy on the three sets, how often both say the same, and the teacher's accuracy."""
        if id(teacher) not in self.said:
            self.said = {id(teacher): logits_of(teacher, self.full["test_images"]).argmax(1)}
        teacher_says, right = self.said[id(teacher)], []
        for images, answers in (
            (self.full["train_images"][self.held_out], self.full["train_labels"][self.held_out]),
            (self.bundled.test_images, self.bundled.test_labels),
            (self.full["test_images"], self.full["test_labels"]),
        ):
            says = model.predict(images[..., None] / np.float32(255), 500, verbose=0).argmax(1)
            right.append(np.mean(says == answers))
        validation, bundled, test = right
        agreement, teachers = np.mean(says == teacher_says), np.mean(teacher_says == answers)
        return [round(float(v), 5) for v in (validation, test, bundled, agreement, teachers)]


def logits_of(model, images):
    """The logits of uint8 ``images``; normalization as a product of matrices, which is faster."""

    @tf.function(jit_compile=True)
    def run(x):
        x = tf.cast(x[..., None], tf.float32) / 255
        for layer in model.layers:
            if isinstance(layer, alexnet.LocalResponseNormalization):
                x = layer(x, training=True)
            elif not isinstance(layer, keras.layers.InputLayer | keras.layers.Dropout):
                x = layer(x)
        return x

    parts = [run(tf.constant(images[i : i + 500])).numpy() for i in range(0, len(images), 500)]
    return np.concatenate(parts)


def train(model, views, probabilities, answers, order, share, temperature):
    schedule = keras.optimizers.schedules.CosineDecay(RATE, len(order))
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(model.trainable_variables)
    views, probabilities, answers = map(tf.constant, (views, probabilities, answers))
    crossed = tf.nn.softmax_cross_entropy_with_logits

    @tf.function(jit_compile=True)
    def step(x, p, v):
        with tf.GradientTape() as tape:
            z = model(tf.cast(x[..., None], tf.float32) / 255, training=True)
            soft = temperature**2 * crossed(tf.nn.softmax(v / temperature), z / temperature)
            loss = tf.reduce_mean(share * soft + (1 - share) * crossed(p, z))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)

    @tf.function
    def steps(rows):
        for row in rows:
            step(tf.gather(views, row), tf.gather(probabilities, row), tf.gather(answers, row))

    for start in range(0, len(order), STEPS):
        steps(tf.constant(order[start : start + STEPS]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--minutes", type=float, default=1e9, help="start no run after these")
    parser.add_argument("--all", action="store_true", help="more runs than the bundled table has")
    options = parser.parse_args()
    session.begin(0)
    table = measuring.Table(TARGET, CHOICE, RESULT)
    todo = [run for run in runs(options.all) if run not in table]
    start, work = time.perf_counter(), Measurement(options.folder) if todo else None
    for run in todo:
        if time.perf_counter() - start > 60 * options.minutes:
            print(f"{len(todo)} runs or fewer left")
            return
        began = time.perf_counter()
        row = [*run, *work.measure(*run)]
        table.add(row)
        print(*row, f"{time.perf_counter() - began:.0f} s", flush=True)
    print("all runs are done")


if __name__ == "__main__":
    main()
