"""Train a classifier: input pipeline, the paper's optimizer, and a loop that resumes.

Section numbers are those of Krizhevsky, Sutskever and Hinton, NIPS 2012. Every random choice
follows from (seed, epoch, step) alone, so a run that was killed goes on as if nothing had happened.
"""

import json
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from helpers.files import replace


class TrainingError(RuntimeError):
    """Training cannot go on. The message says why, where and what to do."""


@keras.saving.register_keras_serializable(package="helpers")
class PaperSGD(keras.optimizers.SGD):
    """Section 5: ``v = momentum * v - rate * (decay * w + gradient)``, then ``w = w + v``.

    Decay stands inside the velocity (Keras' ``weight_decay`` stands outside) and acts on the
    kernels. Biases do not decay: so it is in the authors' program (``layer.cu``); the paper does
    not say.
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, decay=5e-4, name="paper_sgd", **kwargs):
        super().__init__(learning_rate, momentum=momentum, name=name, **kwargs)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate):
        if len(variable.shape) > 1:
            gradient = gradient + tf.cast(self.decay, gradient.dtype) * variable
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}


def crop_and_flip(images, seed, crop=0, flip=False):
    """Shift each image (n, h, w, c) by up to ``crop`` pixels each way, zeros beyond the border, and
    mirror half of them left to right; two integers, ``seed``, decide all of it."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    if crop:
        images = tf.pad(images, [[0, 0], [crop, crop], [crop, crop], [0, 0]])
        start = tf.random.stateless_uniform((count, 2), seed, 0, 2 * crop + 1, tf.int32)
        images = tf.gather(images, start[:, :1] + tf.range(height), axis=1, batch_dims=1)
        images = tf.gather(images, start[:, 1:] + tf.range(width), axis=2, batch_dims=1)
    if flip:
        coins = tf.random.stateless_uniform((count, 1, 1, 1), seed + tf.constant([1, 0])) < 0.5
        images = tf.where(coins, images[:, :, ::-1], images)
    return images


def pipeline(images, labels, batch=128, *, seed=None, epochs=1, skip=0, crop=0, flip=False):
    """A ``tf.data.Dataset`` of batches: (n, h, w, c) float32 in [0, 1] and (n,) int32 labels.

    images   (n, h, w) or (n, h, w, c), uint8, or float from 0 to 1
    labels   (n,) whole numbers
    seed     shuffle anew in each of ``epochs`` and augment; ``None``: in order, as they are
    skip     batches to leave out at the start, without computing them
    crop, flip   as in ``crop_and_flip``

    Raises ``ValueError`` for arrays or options that do not fit.
    """
    images, labels = _checked(images, labels, batch)
    if seed is None and (crop or flip):
        raise ValueError("crop and flip are random: give a seed with them")
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0
    seed = None if seed is None else seed % 2**30  # room for the sums below in 32 bits
    pixels, targets = tf.constant(images), tf.constant(labels, tf.int32)

    def order(epoch):
        index = tf.range(len(labels))
        if seed is not None:
            index = tf.random.experimental.stateless_shuffle(index, tf.stack([seed, epoch]))
        return tf.data.Dataset.from_tensor_slices(index).batch(batch)

    def load(step, index):
        x = tf.cast(tf.gather(pixels, index), tf.float32) * scale
        if seed is not None:
            x = crop_and_flip(x, tf.stack([seed + 1000003, step]), crop, flip)
        return x, tf.gather(targets, index)

    batches = tf.data.Dataset.range(epochs, output_type=tf.int32).flat_map(order)
    steps = tf.data.Dataset.range(2**31 - 1, output_type=tf.int32)
    batches = tf.data.Dataset.zip(steps, batches).skip(skip)
    return batches.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _checked(images, labels, batch):
    images, labels = np.asarray(images), np.asarray(labels)
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or labels.shape != (len(images),) or not len(images):
        raise ValueError(
            f"images {images.shape} and labels {labels.shape}: needs (n, h, w) or (n, h, w, c) "
            "images and as many labels, at least one"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise ValueError(f"labels are {labels.dtype} from {labels.min()}; needs integers from 0")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError("images that are not uint8 must lie between 0 and 1: divide them by 255")
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be at least 1")
    return images, labels


class Run:
    """The state of a run, and the files ``last.npz`` and ``best.weights.h5`` that keep it.

    A loop of its own (``helpers.imagenet``) may keep ``extra`` variables beside the model's.
    """

    def __init__(self, model, optimizer, directory, settings, extra=()):
        self.model, self.optimizer = model, optimizer
        self.totals = tf.Variable(np.zeros(3))  # this epoch's summed loss, hits and examples
        # model.variables has the weights and the state of the dropout layers' generators.
        self.variables = [*model.variables, *optimizer.variables, self.totals, *extra]
        self.step, self.history, self.best = 0, [], model.get_weights()
        # Through JSON and back, so that stored and present settings compare equal.
        self.settings = json.loads(json.dumps(settings, default=str))
        self.directory = Path(directory) if directory else None
        if self.directory:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._resume(self.directory / "last.npz")

    def _resume(self, path):
        if not path.exists():
            return
        try:
            with np.load(path) as file:
                state = json.loads(str(file["state"]))
                arrays = [file[f"v{i}"] for i in range(len(file.files) - 1)]
        except Exception as error:
            raise TrainingError(f"{path} is damaged ({error}); remove it to start anew") from error
        old, new = state["settings"], self.settings
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if changed:
            differ = ", ".join(_change(name, old.get(name), new.get(name)) for name in changed)
            raise TrainingError(
                f"{path} is from a run with other settings: {differ}. To go on with it, use its "
                "settings again; to begin another run, choose another directory and keep this one"
            )
        self.step, self.history = state["step"], state["history"]
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.assign(array)

    def save(self):
        """Replace ``last.npz`` in one go: a kill at any moment leaves the old one or the new."""
        self.sums()
        if self.directory:
            arrays = {f"v{i}": v.numpy() for i, v in enumerate(self.variables)}
            state = {"step": self.step, "history": self.history, "settings": self.settings}
            arrays["state"] = np.array(json.dumps(state))
            replace(self.directory / "last.npz", lambda path: np.savez(path, **arrays))

    def sums(self):
        sums = self.totals.numpy().tolist()
        if not np.isfinite(sums).all():
            raise TrainingError(
                f"the loss is no longer finite at step {self.step}. The learning rate is "
                f"{self.optimizer.learning_rate.numpy():.3g}: lower it. Earlier files are kept."
            )
        return sums

    def end_epoch(self, val_loss, val_accuracy, **more):
        """Add a row to the history; keep the weights if validation accuracy is the best so far."""
        loss, hits, count = self.sums()
        self.history.append({
            "epoch": len(self.history) + 1, "loss": loss / count, "accuracy": hits / count,
            "val_loss": val_loss, "val_accuracy": val_accuracy,
            "learning_rate": float(self.optimizer.learning_rate.numpy()), **more,
        })  # fmt: skip
        if self.stalled() == 0:
            if self.directory:
                replace(self.directory / "best.weights.h5", self.model.save_weights)
            else:
                self.best = self.model.get_weights()
        if self.directory:
            with tf.summary.create_file_writer(str(self.directory / "logs")).as_default():
                for name, value in self.history[-1].items():
                    tf.summary.scalar(name, value, step=len(self.history))
        self.totals.assign(np.zeros(3))
        self.save()

    def restore_best(self):
        if self.directory:
            self.model.load_weights(self.directory / "best.weights.h5")
        else:
            self.model.set_weights(self.best)

    def stalled(self):
        """Epochs since the best validation accuracy."""
        accuracies = [row["val_accuracy"] for row in self.history]
        return len(accuracies) - 1 - int(np.argmax(accuracies)) if accuracies else 0


def _change(name, old, new):
    """How a setting differs, where its values are short enough to be read."""
    if max(len(str(old)), len(str(new))) > 30:
        return name
    return f"{name} ({old} then, {new} now)"


def fit(model, optimizer, train, validation, *, epochs, batch=128, seed=0, crop=0, flip=False,
        patience=None, directory=None, save_every=100, progress=True):  # fmt: skip
    """Train ``model`` (logits out) with cross-entropy; return the history, a list of one ``dict``
    per epoch, and leave in the model the weights with the best validation accuracy.

    train, validation   (images, labels) as for ``pipeline``, which explains the options up to
                        ``flip``
    patience    stop after that many epochs without a better validation accuracy
    directory   keep there ``best.weights.h5``, TensorBoard's ``logs`` and ``last.npz``, from which
                the same call goes on after a kill, bit for bit (on one machine, with deterministic
                operations as ``session.begin`` sets them); more ``epochs`` continue a finished run
    save_every  steps between checkpoints, beside the one at the end of each epoch

    Raises ``ValueError`` for arguments that do not fit, ``TrainingError`` if the loss stops being
    finite or the directory holds a damaged file or another run.
    """
    if epochs < 1 or save_every < 1 or (patience is not None and patience < 1):
        raise ValueError(f"epochs={epochs}, save_every={save_every}, patience={patience}: from 1")
    images, labels = _checked(*train, batch)
    held_out = pipeline(*validation, 500)
    classes = model.output_shape[-1]
    for part in (labels, validation[1]):
        if np.max(part) >= classes:
            raise ValueError(f"a label is {np.max(part)}, but the network has {classes} classes")
    optimizer.build(model.trainable_variables)
    arrays = [images, labels, *map(np.asarray, validation)]
    run = Run(model, optimizer, directory, {
        "data": [zlib.crc32(np.ascontiguousarray(array)) for array in arrays],
        "optimizer": {"class": type(optimizer).__name__, **_plain(optimizer.get_config())},
        "layers": [[type(one).__name__, _plain(one.get_config())] for one in model.layers],
        "batch": batch, "seed": seed, "crop": crop, "flip": flip,
        "shapes": [list(variable.shape) for variable in model.variables],
    })  # fmt: skip
    update, measure = _compiled_steps(model, optimizer, run.totals)
    steps = -(-len(labels) // batch)
    options = {"seed": seed, "epochs": epochs, "crop": crop, "flip": flip}
    batches = iter(pipeline(images, labels, batch, skip=run.step, **options))
    total = steps * epochs
    with tqdm(total=total, initial=run.step, file=sys.stdout, disable=not progress) as bar:
        while run.step < total and (patience is None or run.stalled() < patience):
            update(*next(batches))
            run.step += 1
            bar.update()
            if run.step % steps == 0:
                run.end_epoch(*_measured(measure, held_out))
                bar.set_postfix_str(f"validation accuracy {run.history[-1]['val_accuracy']:.3f}")
            elif run.step % save_every == 0:
                run.save()
    run.restore_best()
    return run.history


def _plain(config):
    """Of a Keras configuration, what decides the result: no names, which Keras numbers as it goes,
    and no nested objects."""
    kept = {name: value for name, value in config.items() if name != "name"}
    return {k: v for k, v in kept.items() if isinstance(v, int | float | str | list | tuple)}


def evaluate(model, images, labels):
    """Mean cross-entropy and accuracy of ``model`` on images and labels as for ``pipeline``."""
    return _measured(_compiled_steps(model)[1], pipeline(images, labels, 500))


def _measured(measure, batches):
    loss, hits, count = sum(measure(*each).numpy() for each in batches).tolist()
    return loss / count, hits / count


def _compiled_steps(model, optimizer=None, totals=None):
    def sums(labels, logits):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        hits = tf.argmax(logits, -1, tf.int32) == labels
        parts = [tf.reduce_sum(losses), tf.math.count_nonzero(hits), tf.size(hits)]
        return tf.reduce_mean(losses), tf.stack([tf.cast(part, tf.float64) for part in parts])

    @tf.function(reduce_retracing=True)
    def update(images, labels):
        with tf.GradientTape() as tape:
            loss, parts = sums(labels, model(images, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        totals.assign_add(parts)

    @tf.function(reduce_retracing=True)
    def measure(images, labels):
        return sums(labels, model(images, training=False))[1]

    return update, measure
