"""Measure the pipeline against training, and a training step against plain Keras layers and `fit`.

Run by `make bench`. Each figure is the median over rounds in
which the two rivals take turns, so that a busy machine slows both.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from helpers import alexnet, datasets, session, training

BATCH, STEP_IMAGES = 64, 16


def median_rates(rivals, images, rounds):
    """Images a second of each rival, a function that processes ``images``: median over rounds."""
    for run in rivals:
        run()  # compile
    seconds = [[] for _ in rivals]
    for _ in range(rounds):
        for run, times in zip(rivals, seconds, strict=True):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return [images / statistics.median(times) for times in seconds]


def pipeline_against_training(rounds):
    data = datasets.fashion_mnist("quick")
    train = data.train_images[:3_000], data.train_labels[:3_000]
    model, optimizer = alexnet.alexnet28(), keras.optimizers.Adam()
    options = {"batch": BATCH, "flip": True, "crop": 1}

    def load():
        for _ in training.pipeline(*train, seed=0, **options):
            pass

    def fit():
        training.fit(model, optimizer, train, train, epochs=1, progress=False, **options)

    pipeline, consumed = median_rates([load, fit], len(train[1]), rounds)
    print(f"pipeline alone: {pipeline:,.0f} images/s; training with it: {consumed:,.0f} images/s")
    print(f"the pipeline delivers {pipeline / consumed:.0f} times what training consumes")


def plain_alexnet():
    """The published network from Keras' and TensorFlow's own operations."""
    ours = alexnet.alexnet()

    def plain(layer):
        if isinstance(layer, alexnet.GroupedConv2D):
            return keras.layers.Conv2D.from_config(layer.get_config())
        if isinstance(layer, alexnet.LocalResponseNormalization):
            lrn = tf.nn.local_response_normalization
            return keras.layers.Lambda(lambda x: lrn(x, 2, 2.0, 1e-4, 0.75), name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    return ours, keras.models.clone_model(ours, clone_function=plain)


def step_against_fit(rounds):
    ours, plain = plain_alexnet()
    rng = np.random.default_rng(0)
    x = rng.normal(0, 50, (STEP_IMAGES, 227, 227, 3)).astype("float32")
    y = rng.integers(0, 1000, STEP_IMAGES).astype("int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = training.PaperSGD(0.01)
    plain.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    batches = tf.data.Dataset.from_tensors((x, y)).cache()

    @tf.function
    def update(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, ours(x, training=True))
        weights = ours.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    rivals = [lambda: float(update(x, y)), lambda: plain.fit(batches, epochs=1, verbose=0)]
    mine, theirs = median_rates(rivals, STEP_IMAGES, rounds)
    print(f"AlexNet, training step of {STEP_IMAGES}: {mine:.1f} images/s here, {theirs:.1f} with "
          f"plain Keras layers and fit: {mine / theirs:.1f} times")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(session.begin())
    pipeline_against_training(rounds)
    step_against_fit(rounds)
