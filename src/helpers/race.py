"""The recipe of the one-minute race (lab 06): a short training in which every image counts.

What chapter 6 calls the recipe since ResNet: Nesterov's momentum, a rate that rises and falls,
weight decay, shifts, mirrors, softened labels. Images are uint8, (n, h, w). Every random choice
follows from ``seed``.
"""

import numbers

import keras
import numpy as np
import tensorflow as tf

from helpers.training import PaperSGD, TrainingError
from helpers.words import shown

TABLE = "race.csv"
MIRRORS = ("none", "random", "alternating")


def train(
    model, images, labels, *, passes, seed=0, batch=64, optimizer="sgd", rate=0.05, warm_up=0.2,
    decay=5e-4, shift=1, mirror="alternating", smoothing=0.1,
):  # fmt: skip
    """Train ``model`` (logits out); return the mean loss of each pass, a list.

    optimizer   "sgd": Nesterov's momentum of 0.9 and ``decay``; "adam": no decay
    rate, warm_up   the highest rate, and the share of the steps that lead up to it; then half a
                cosine down to 0
    shift       at most so many pixels each way, zeros beyond the border
    mirror      "none"; "random": half of the images; "alternating": each image every other pass
    smoothing   share of a label that is spread evenly over all classes

    A pass leaves out the images that do not fill its last batch. Raises ``ValueError`` for
    arguments that do not fit, ``TrainingError`` if the loss is no longer finite.
    """
    images, labels = _checked(images, labels, passes, batch, shift, mirror, smoothing)
    classes, steps = model.output_shape[-1], len(images) // batch
    rates = schedule(rate, warm_up, passes * steps)
    if optimizer not in ("sgd", "adam"):
        raise ValueError(f"optimizer={shown(optimizer)}: give 'sgd' or 'adam'")
    momentum = {"momentum": 0.9, "nesterov": True, "decay": decay}
    rule = keras.optimizers.Adam(rates) if optimizer == "adam" else PaperSGD(rates, **momentum)
    rule.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x, y):
        targets = (1 - smoothing) * tf.one_hot(y, classes) + smoothing / classes
        with tf.GradientTape() as tape:
            logits = model(tf.cast(x, tf.float32)[..., None] / 255, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        weights = model.trainable_variables
        rule.apply(tape.gradient(loss, weights), weights)
        return loss

    history = []
    for number in range(passes):
        x = augmented(images, number, seed, shift, mirror)
        order = np.random.default_rng([seed, number, 1]).permutation(len(x))[: steps * batch]
        losses = [step(x[part], labels[part]) for part in np.split(order, steps)]
        history.append(float(np.mean(losses)))
        if not np.isfinite(history[-1]):
            raise TrainingError(f"the loss is no longer finite in pass {number + 1}; lower {rate=}")
    return history


def schedule(peak, warm_up, steps):
    """A line up to ``peak`` in the share ``warm_up`` of the steps, then half a cosine to 0."""
    if not (peak > 0 and 0 <= warm_up < 1 and steps >= 1):
        raise ValueError(f"{peak=}, {warm_up=}, {steps=}: needs a rate, a share and a step")
    up, cosine = int(warm_up * steps), keras.optimizers.schedules.CosineDecay
    if not up:
        return cosine(peak, steps)
    return cosine(0.0, steps - up, warmup_target=peak, warmup_steps=up)


def augmented(images, number, seed, shift=1, mirror="alternating"):
    """The images (n, h, w) as pass ``number`` shows them: shifted and mirrored copies."""
    rng, x = np.random.default_rng([seed, number, 0]), images
    n, height, width = images.shape
    if shift:
        padded = np.pad(images, [(0, 0), (shift, shift), (shift, shift)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
        x = windows[np.arange(n), *rng.integers(0, 2 * shift + 1, (2, n))]
    if mirror != "none":
        # By turns an image is shown as it is and mirrored, half of them beginning with either.
        first = np.random.default_rng([seed, 2]) if mirror == "alternating" else rng
        turned = (first.random(n) < 0.5) ^ (mirror == "alternating" and number % 2 == 1)
        x = np.where(turned[:, None, None], x[:, :, ::-1], x)
    return x


def logits(model, images, mirrored=False):
    """Logits of images (n, h, w), uint8; ``mirrored``: the mean with those of the mirror images."""
    views = [images, images[:, :, ::-1]] if mirrored else [images]
    total = 0
    for view in views:
        x = view[..., None].astype(np.float32) / 255
        parts = [model(x[i : i + 500], training=False) for i in range(0, len(x), 500)]
        total = total + np.concatenate([np.asarray(part) for part in parts])
    return total / len(views)


def table(part):
    """The runs of one part of ``race.csv``: ``{run: {column: array over the seeds}}``.

    ``part`` is one of those in ``tools/measure_race.py``. Numbers are float64, ``losses`` (seeds,
    passes). Raises ``ValueError`` for a part of which there is no run.
    """
    from helpers.datasets import table_rows

    rows, found = [row for row in table_rows(TABLE) if row["part"] == part], {}
    if not rows:
        raise ValueError(f"part={shown(part)}: no run of the table is of it")
    for row in sorted(rows, key=lambda row: int(row["seed"])):
        for column, text in row.items():
            found.setdefault(row["run"], {}).setdefault(column, []).append(_value(text))
    return {run: {k: np.array(v) for k, v in columns.items()} for run, columns in found.items()}


def _value(text):
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        return text
    return values[0] if len(values) == 1 else values


def _checked(images, labels, passes, batch, shift, mirror, smoothing):
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, labels {labels.shape}: needs "
            "uint8 images (n, height, width) and as many labels"
        )
    counts = {"passes": (passes, 1), "batch": (batch, 1), "shift": (shift, 0)}
    for name, (count, least) in counts.items():
        if not isinstance(count, numbers.Integral) or count < least:
            raise ValueError(f"{name}={shown(count)}: give a whole number from {least}")
    if batch > len(images):
        raise ValueError(f"batch={batch} is more than the {len(images)} images")
    if mirror not in MIRRORS or not 0 <= smoothing < 1:
        raise ValueError(f"{mirror=}, {smoothing=}: one of {MIRRORS}, and a share from 0 to 1")
    return images, labels.astype(np.int32)
