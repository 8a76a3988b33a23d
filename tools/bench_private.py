"""Measure the clipped gradient of DP-SGD, each image's own by our way and by TensorFlow's.

Run by `make bench`. The network is the larger one of lab 15, with 44,426 parameters; each figure is
the median over rounds in which the rivals take turns.
"""

import numpy as np
import tensorflow as tf
from bench_training import median_rates
from measure_privacy import network

from helpers import privacy, session

IMAGES, BOUND = 256, 1.0


def rivals(model, images, labels):
    """Name and function of each way; all give one sum for each weight."""

    def of_one(pair):
        image, label = pair
        with tf.GradientTape() as tape:
            logits = model(image[None])[0]
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits)
        return tape.gradient(loss, model.trainable_variables)

    ways = {
        "per_example_gradients": lambda: privacy.clipped_sum(
            privacy.per_example_gradients(model, images, labels), BOUND
        ),
        "tf.vectorized_map": lambda: privacy.clipped_sum(
            tf.vectorized_map(of_one, (images, labels)), BOUND
        ),
    }
    return {name: tf.function(way, autograph=False) for name, way in ways.items()}


def main(rounds=9):
    session.begin(0)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((IMAGES, 28, 28, 1), np.float32))
    labels = tf.constant(rng.integers(0, 10, IMAGES).astype(np.int32))
    ways = rivals(network("tanh"), images, labels)
    first, *others = [way() for way in ways.values()]
    for other in others:  # the same sums, or there is nothing to compare
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    rates = median_rates(list(ways.values()), IMAGES, rounds)
    for name, rate in zip(ways, rates, strict=True):
        print(f"{name:24}{rate:8,.0f} images/s, {rates[0] / rate:4.1f} times as slow")


if __name__ == "__main__":
    main()
