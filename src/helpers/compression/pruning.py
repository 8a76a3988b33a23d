"""Setting the weights of least magnitude to zero, at once or while training goes on."""

import keras
import numpy as np

from helpers.compression.ties import per_layer, tie


def prune(model, sparsity):
    """Set the weights of least magnitude to zero, in place, and keep them there in training.

    sparsity   the share of each kernel to remove, 0 to 1; or ``{layer name: share}``, where
               layers that are not named stay as they are

    Prune before sharing: pruning a shared kernel ends the sharing. Raises ``ValueError`` for a
    share out of range or an unknown layer, as do the others below.
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
    """

    def __init__(self, sparsity, steps, every=20):
        super().__init__()
        if steps < 1 or every < 1:
            raise ValueError(f"steps={steps}, every={every}: give whole numbers from 1")
        self.sparsity, self.steps, self.every, self.step = sparsity, steps, every, 0

    def set_model(self, model):
        super().set_model(model)  # Keras calls this before it traces the training step
        prune(model, dict.fromkeys(self._goals(), 0.0))

    def _goals(self):
        goals = per_layer(self.model, self.sparsity, 0, 1, "the final sparsity")
        return {name: final for name, _, final in goals}

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step <= self.steps and (self.step % self.every == 0 or self.step == self.steps):
            goals = self._goals().items()
            prune(self.model, {k: cubic_sparsity(self.step, self.steps, s) for k, s in goals})
