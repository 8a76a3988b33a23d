"""Train a classifier: input pipeline, the paper's optimizer, and a loop that resumes.

Section numbers are those of Krizhevsky, Sutskever and Hinton, NIPS 2012. Every random choice
follows from (seed, epoch, step) alone, so a run that was killed goes on as if nothing had happened.
"""

import importlib.util
import json
import numbers
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from helpers.batches import checked, crop_and_flip, in_order, pair, pipeline
from helpers.files import replace
from helpers.networks import check_fits, check_precision
from helpers.words import shown

__all__ = ["PaperSGD", "Run", "TrainingError", "crop_and_flip", "evaluate", "fit", "pipeline"]


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
        self.directory = Path(directory).expanduser() if directory else None
        if self.directory:
            if importlib.util.find_spec("tensorboard") is None:  # before an epoch, not after it
                raise TrainingError(
                    "the logs need the package tensorboard: pip install tensorboard"
                )
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
        if self.history:
            self._load_best(path)
        for variable, array in zip(self.variables, arrays, strict=True):
            variable.assign(array)

    def _load_best(self, path):
        """Find out now, not after the last epoch, whether the best weights are there."""
        best = path.with_name("best.weights.h5")
        try:
            self.model.load_weights(best)
        except Exception as error:
            wrong = "damaged or another network's" if best.exists() else "missing"
            raise TrainingError(
                f"{best} is {wrong}, and {path} goes on from it: put it back, or remove both to "
                "start anew"
            ) from error

    def save(self):
        """Replace ``last.npz`` in one go: a kill at any moment leaves the old one or the new."""
        self.sums()
        if self.directory:
            arrays = {f"v{i}": _storable(v) for i, v in enumerate(self.variables)}
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


def _storable(variable):
    """A variable's array; NumPy's files have no bfloat16, so it becomes float32."""
    array = variable.numpy()
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _change(name, old, new):
    """How a setting differs, where its values are short enough to be read."""
    if max(len(str(old)), len(str(new))) > 30:
        return name
    return f"{name} ({old} then, {new} now)"


def fit(model, optimizer, train, validation, *, epochs, batch=128, seed=0, crop=0, flip=False,
        patience=None, directory=None, save_every=100, progress=True):  # fmt: skip
    """Train ``model`` (logits out) with cross-entropy; return the history, a list of one ``dict``
    per epoch, and leave in the model the weights with the best validation accuracy.

    What its regularizers and ``add_loss`` add is trained on, too; the history's losses are without.

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
    for name, value in {"epochs": epochs, "save_every": save_every, "patience": patience}.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1
        if not whole and not (name == "patience" and value is None):
            raise ValueError(f"{name}={shown(value)}: give a whole number from 1")
    images, labels = checked(*pair("train", train), batch)
    held_out = checked(*pair("validation", validation), 500)
    for name, part in (("train", (images, labels)), ("validation", held_out)):
        check_fits(model, name, *part)
    _check_optimizer(model, optimizer)
    optimizer.build(model.trainable_variables)
    arrays = [images, labels, *map(np.asarray, validation)]
    run = Run(model, optimizer, directory, {
        "data": [zlib.crc32(np.ascontiguousarray(array)) for array in arrays],
        "optimizer": {"class": type(optimizer).__name__, **_plain(optimizer.get_config())},
        "layers": [[type(one).__name__, _plain(one.get_config())] for one in model.layers],
        "batch": batch, "seed": seed, "crop": crop, "flip": flip,
        "shapes": [list(variable.shape) for variable in model.variables],
    })  # fmt: skip
    update, measure = _compiled_steps(model, images.shape[1:], optimizer, run.totals)
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
                run.end_epoch(*_measured(measure, *held_out))
                bar.set_postfix_str(f"validation accuracy {run.history[-1]['val_accuracy']:.3f}")
            elif run.step % save_every == 0:
                run.save()
    run.restore_best()
    return run.history


def _check_optimizer(model, optimizer):
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ValueError(f"optimizer is {shown(optimizer)}; give an object, such as PaperSGD(0.01)")
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if inner.use_ema and not inner.ema_overwrite_frequency:
        raise ValueError(
            "the optimizer has use_ema, whose averages nothing here would put into the network: "
            "leave it out, or give ema_overwrite_frequency, too"
        )
    if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        check_precision(model)
    if not model.trainable_variables:
        raise ValueError(f"{model.name!r} has nothing to train: every layer is frozen")
    known = getattr(inner, "_trainable_variables", []) if inner.built else []
    if known and list(map(id, known)) != list(map(id, model.trainable_variables)):
        raise ValueError(
            "the optimizer has trained other weights (of another network, or before layers were "
            "frozen or freed): give a new one"
        )


def _plain(config):
    """A Keras configuration without the names, which Keras numbers as it goes; a long text, such
    as the pattern of a pruned kernel, as its checksum."""
    if isinstance(config, str) and len(config) > 200:
        return zlib.crc32(config.encode())
    if isinstance(config, dict):
        return {key: _plain(value) for key, value in config.items() if key != "name"}
    if isinstance(config, list | tuple):
        return [_plain(value) for value in config]
    return config


def evaluate(model, images, labels):
    """Mean cross-entropy and accuracy of ``model`` on images and labels as for ``pipeline``."""
    images, labels = checked(images, labels, 500)
    check_fits(model, "test", images, labels)
    return _measured(_compiled_steps(model, images.shape[1:])[1], images, labels)


def _measured(measure, images, labels):
    batches = in_order(images, labels, 500)
    loss, hits, count = sum(measure(*each).numpy() for each in batches).tolist()
    return loss / count, hits / count


def _compiled_steps(model, shape, optimizer=None, totals=None):
    # Traced once for batches of any size; else the last, smaller batch of an epoch traces again.
    batch = [tf.TensorSpec([None, *shape]), tf.TensorSpec([None], tf.int32)]

    def sums(labels, logits):
        logits = tf.cast(logits, tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        hits = tf.argmax(logits, -1, tf.int32) == labels
        parts = [tf.reduce_sum(losses), tf.math.count_nonzero(hits), tf.size(hits)]
        return tf.reduce_mean(losses), tf.stack([tf.cast(part, tf.float64) for part in parts])

    @tf.function(input_signature=batch)
    def update(images, labels):
        with tf.GradientTape() as tape:
            loss, parts = sums(labels, model(images, training=True))
            added = [tf.reduce_sum(tf.cast(each, tf.float32)) for each in model.losses]
            loss = optimizer.scale_loss(sum(added, loss))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        totals.assign_add(parts)

    @tf.function(input_signature=batch)
    def measure(images, labels):
        return sums(labels, model(images, training=False))[1]

    return update, measure
