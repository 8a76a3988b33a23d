"""Setting the weights of least magnitude to zero, at once or while training goes on."""

import keras
import numpy as np

from helpers.compression.ties import per_layer, tie


def prune(model, sparsity):
    """Set the weights of least magnitude to zero, in place, and keep them there in training.

    sparsity   the share of each kernel to remove, 0 to 1; or ``{layer name: share}``, where
               layers that are not named stay as they are

    Prune before sharing: pruning a shared kernel ends the sharing. A file that Keras saves keeps
    what is pruned pruned, also in training after it was loaded. Raises ``ValueError``, before it
    changes anything, for a share out of range, an unknown layer, weights that are NaN or infinite,
    and a network without kernels or not built, as do the others below.
    """
    for _, kernel, share in per_layer(model, sparsity, 0, 1, "the sparsity"):
        order = np.argsort(np.abs(kernel.numpy()), axis=None, kind="stable")
        codes = np.ones(order.size, np.int32)
        codes[order[: round(share * order.size)]] = 0
        tie(model, kernel, codes.reshape(kernel.shape))


def cubic_sparsity(step, steps, final, initial=0.0):
    """Sparsity after ``step`` of ``steps``, fast at first, then slow (Zhu and Gupta 2017, (1))."""
    return final + (initial - final) * (1 - min(max(step / steps, 0), 1)) ** 3


class GradualPruning(keras.callbacks.Callback):
    """Prunes more and more while ``fit`` trains, by ``cubic_sparsity``.

    ``sparsity``: the final one, as in ``prune``; reached after ``steps`` batches, with a pruning
    every ``every`` batches. It starts from no sparsity: what was pruned before may grow again.
    Another ``fit`` of the same model goes on where the last one ended.
    """

    def __init__(self, sparsity, steps, every=20):
        super().__init__()
        if steps < 1 or every < 1:
            raise ValueError(f"steps={steps}, every={every}: give whole numbers from 1")
        self.sparsity, self.steps, self.every, self.step = sparsity, steps, every, 0
        self.goals = self.begun = None

    def set_model(self, model):
        super().set_model(model)  # Keras calls this before it traces the training step
        if self.begun is not model:
            goals = per_layer(model, self.sparsity, 0, 1, "the final sparsity")
            self.goals, self.begun, self.step = {name: goal for name, _, goal in goals}, model, 0
            prune(model, dict.fromkeys(self.goals, 0.0))

    def on_train_begin(self, logs=None):
        self.before = self.step - int(self.model.optimizer.iterations)

    def on_train_batch_end(self, batch, logs=None):
        last, self.step = self.step, self.before + int(self.model.optimizer.iterations)
        due = self.step // self.every > last // self.every or self.step >= self.steps
        if last < self.steps and due:  # a call may stand for many steps (steps_per_execution)
            goals = self.goals.items()
            prune(self.model, {k: cubic_sparsity(self.step, self.steps, s) for k, s in goals})

    def on_train_end(self, logs=None):
        if self.step < self.steps:
            print(f"pruned for {self.step} of {self.steps} steps: another fit with this goes on")
