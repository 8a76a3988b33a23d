"""The small network of labs 9 and 10, and one loop for all the ways in which it learns."""

import keras
import numpy as np
import tensorflow as tf

from helpers import datasets, session
from helpers.attacks.gradient import cross_entropy, step_length
from helpers.batches import checked, pipeline
from helpers.networks import check_fits, check_precision
from helpers.words import shown

FILE = "robust_fashion_mnist.npz"
WEIGHTS = ("plain", "robust")


def small_network(weights=None):
    """Two convolutions and a dense layer for 28×28×1 images: 166,406 weights, (n, 10) logits.

    The network that Wong and Kolter (2018) certified. Images are float32 from 0 to 1.

    weights   ``None``: at random; ``"plain"`` or ``"robust"``: what ``tools/make_robust.py`` made,
              the second by adversarial training at ε = 0.1
    """
    options = {"strides": 2, "padding": "same", "activation": "relu"}
    model = keras.Sequential([
        keras.Input((28, 28, 1), name="images"),
        keras.layers.Conv2D(16, 4, name="conv1", **options),
        keras.layers.Conv2D(32, 4, name="conv2", **options),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(100, activation="relu", name="dense"),
        keras.layers.Dense(10, name="logits"),
    ], name=weights or "small_network")  # fmt: skip
    if weights is not None:
        if weights not in WEIGHTS:
            raise ValueError(f"weights={shown(weights)}; use None, 'plain' or 'robust'")
        with np.load(datasets.asset_path(FILE)) as file:
            for variable in model.trainable_variables:
                name = variable.path.removeprefix(f"{model.name}/")
                variable.assign(file[f"{weights}/{name}"].astype(np.float32))
    return model


def train(
    model, images, labels, *, epsilon=0.0, steps=3, rate=None, sigma=0.0, random_start=True,
    epochs=6, batch=64, peak=2e-3, flip=True, crop=0, average=0.0, trades=0.0, after=None,
):  # fmt: skip
    """Train with Adam along half a cosine, on images that are attacked anew at every step.

    images, labels   (n, h, w, c) float from 0 to 1 (or uint8), (n,) integers
    epsilon   bound of the attack (Madry and others 2018); 0: as they are
    steps, rate, random_start   of the attack, as in ``pgd``. One step of ``epsilon`` from the image
              itself is training with FGSM
    sigma     standard deviation of Gaussian noise that is added: what randomized smoothing needs
    flip, crop   each image by chance mirrored, and shifted by up to ``crop`` pixels
    average   of the weights over the steps, such as 0.99: the model is left with the average
    trades    0: the loss of the attacked images; else that of the clean ones plus ``trades`` times
              the divergence between the answers to both (Zhang and others 2019)
    after     called as ``after(epoch)`` when an epoch is over, with the averaged weights in place

    Every random choice follows from the session's seed. Returns the mean loss of each epoch.
    """
    if not 0 <= epsilon <= 1 or sigma < 0 or steps < 1 or epochs < 1 or not 0 <= average < 1:
        raise ValueError(
            f"epsilon={epsilon}, sigma={sigma}, steps={steps}, epochs={epochs}, average={average}: "
            "needs epsilon from 0 to 1, no negative noise, a step, an epoch, an average below 1"
        )
    check_fits(model, "training", *checked(images, labels, batch))
    check_precision(model)
    rate = step_length(epsilon, steps) if rate is None else rate
    count = -(-len(images) // batch)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(peak, count * epochs))
    optimizer.build(model.trainable_variables)
    step = _step(
        model, optimizer, epsilon, steps if epsilon else 0, rate, sigma, random_start, trades
    )
    mean, losses, total = model.get_weights() if average else None, [], 0.0
    seed = session.seed()
    stream = pipeline(images, labels, batch, seed=seed, epochs=epochs, flip=flip, crop=crop)
    for number, (x, y) in enumerate(stream, start=1):
        total += float(step(x, y, tf.constant([seed, number])))
        if average:
            keep = min(average, number / (number + 10))
            mean = [
                keep * a + (1 - keep) * b for a, b in zip(mean, model.get_weights(), strict=True)
            ]
        if number % count == 0:
            losses.append(total / count)
            total = 0.0
            if after or (average and number == count * epochs):
                now = model.get_weights()
                if average:
                    model.set_weights(mean)
                if after:
                    after(len(losses))
                if number < count * epochs:
                    model.set_weights(now)
    return losses


def _divergence(logits, y, clean):
    """Cross-entropy with the labels; or, of ``clean`` probabilities, the divergence from them."""
    if clean is None:
        return tf.reduce_mean(cross_entropy(logits, y))
    found = tf.nn.log_softmax(logits)
    return tf.reduce_mean(tf.reduce_sum(clean * (tf.math.log(clean + 1e-9) - found), axis=1))


def _attack(model, epsilon, steps, rate, random_start, trades):
    """A function (images, labels, two integers) -> images attacked, for a compiled step."""

    def attacked(x, y, seed):
        low, high = tf.maximum(x - epsilon, 0.0), tf.minimum(x + epsilon, 1.0)
        moved = x
        if random_start and steps:
            noise = tf.random.stateless_uniform(tf.shape(x), seed, -epsilon, epsilon)
            moved = tf.clip_by_value(x + noise, low, high)
        clean = tf.nn.softmax(model(x, training=False)) if trades else None
        for _ in range(steps):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(moved)
                value = _divergence(model(moved, training=False), y, clean)
            slope = tape.gradient(value, moved)
            moved = tf.clip_by_value(moved + rate * tf.sign(slope), low, high)
        return moved

    return attacked


def _step(model, optimizer, epsilon, steps, rate, sigma, random_start, trades):
    """A compiled function (images, labels, two integers) -> loss, which moves the weights."""
    attacked = _attack(model, epsilon, steps, rate, random_start, trades)

    @tf.function(autograph=False)
    def step(x, y, seed):
        if sigma:
            x = x + tf.random.stateless_normal(tf.shape(x), seed, 0.0, sigma)
        moved = tf.stop_gradient(attacked(x, y, seed))
        with tf.GradientTape() as tape:
            if trades:
                logits = model(x, training=True)
                loss = tf.reduce_mean(cross_entropy(logits, y))
                loss += trades * _divergence(model(moved, training=True), y, tf.nn.softmax(logits))
            else:
                loss = _divergence(model(moved, training=True), y, None)
            loss = sum(map(tf.reduce_sum, model.losses), loss)  # of regularizers
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    return step
