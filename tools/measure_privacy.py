"""The full-size runs of lab 15: ``python tools/measure_privacy.py [STAGE ...]``, by default all.

Stages: ``members`` (membership against AlexNet-28), ``federated`` (ten clients, five ways of
sharing, all of Fashion-MNIST, 50 rounds of one epoch, then of 10 as in Flower's niid_bench),
``private`` (DP-SGD on all 60,000 images at ε = 1, 3, 8: a linear head on HOG and one on scattering
coefficients, and a network).
Each run is added to ``privacy.csv`` in the cache (``BOOK_DATA``) as it ends, and one that is there
is not made again, so the script may be stopped and started. ``--smoke`` makes one tiny run of each
stage, to see that all works, and writes to ``privacy-smoke.csv``. Meant for a GPU: hours on a CPU.

``private`` chooses on 5,000 of the training images that are held out, with seed 0: for each bound
the rate at ε = 3, then at each ε one of the two bounds. The test images say how good the result is.
This choice is not paid for in ε.
"""

import itertools
import sys
import time
from functools import cache

import measuring
import numpy as np

from helpers import datasets, federated, privacy, scattering
from helpers.selfsupervised import reading

SMOKE = "--smoke" in sys.argv
FILE = datasets.CACHE / ("privacy-smoke.csv" if SMOKE else "privacy.csv")
KEY, RESULT = ["stage", "what", "setting", "seed"], ["value", "low", "high", "test", "seconds"]
TABLE = measuring.Table(FILE, KEY, RESULT)
SEEDS = range(1 if SMOKE else 5)
DELTA, EPSILONS = 1e-5, (1, 3, 8)
# Rates that are tried with each bound: gradients that are cut to a tenth want ten times the rate.
LINEAR = {1.0: (2.0, 4.0, 8.0), 0.1: (20.0, 40.0, 80.0, 160.0, 320.0)}
NETWORK = {1.0: (0.25, 0.5, 1.0), 0.1: (2.5, 5.0, 10.0)}
TRIES = {"hog": LINEAR, "scattering": LINEAR, "network": NETWORK}


def run(key, measure, began=None):
    """Measure unless the table has it. ``measure`` returns (value, low, high, test)."""
    began = began or time.time()
    return TABLE.once(key, lambda: [*measure(), time.time() - began])


@cache
def data():
    """Images from 0 to 1, (n, 28, 28, 1), and labels, of training and test."""
    fashion = datasets.fashion_mnist("quick" if SMOKE else "full")
    train, test = fashion.train_images, fashion.test_images
    if SMOKE:
        train, test = train[:600], test[:200]
    x, t = (part[..., None] / np.float32(255) for part in (train, test))
    labels = fashion.train_labels[: len(x)], fashion.test_labels[: len(t)]
    return x, labels[0].astype(np.int32), t, labels[1].astype(np.int32)


def losses(model, images, labels):
    """Loss of each image, and the share of right answers."""
    import tensorflow as tf

    z = model.predict(images, batch_size=500, verbose=0)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z).numpy()
    return each, float((z.argmax(axis=1) == labels).mean())


def network(activation="relu"):
    """The network of Flower's niid_bench: two 5×5 convolutions of 6 and 16, dense 120 and 84."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, activation=activation),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation=activation),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation=activation),
            layers.Dense(84, activation=activation),
            layers.Dense(10),
        ]
    )


def members():
    """AlexNet-28 on 1,000 images: the attack after each look; with and without dropout."""
    import keras

    from helpers.alexnet import alexnet28

    x, y, t, t_y = data()
    count, looks, epochs = (100, 1, 1) if SMOKE else (1000, 10, 5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for seed in SEEDS:
        order = np.random.default_rng([7, seed]).permutation(len(x))
        inside, outside = order[:count], order[count : 2 * count]
        for dropout in (0.0, 0.5):
            keys = [("members", f"dropout {dropout}", e, seed) for e in range(looks)]
            if all(key in TABLE for key in keys):
                continue
            keras.utils.set_random_seed(seed)
            model = alexnet28(dropout=dropout)
            model.compile(keras.optimizers.Adam(1e-3), loss)
            for key in keys:
                began = time.time()
                model.fit(x[inside], y[inside], batch_size=50, epochs=epochs, verbose=0)
                parts = [losses(model, x[p], y[p])[0] for p in (inside, outside)]
                attack = privacy.membership(*parts, np.random.default_rng(seed))
                test = losses(model, t, t_y)[1]
                run(key, lambda a=attack, v=test: (a.accuracy, a.low, a.high, v), began)


def shares_of(y, how, rng):
    if how == "alike":
        return federated.alike(y, 10, rng)
    if how == "dirichlet 0.5":
        return federated.dirichlet(y, 10, 0.5, rng, least=10)
    return federated.by_label(y, 10, int(how[0]), rng)


def federation():
    """The best test accuracy over the rounds, as niid_bench counts it, and the last one."""
    import keras

    x, y, t, t_y = data()
    rounds = 1 if SMOKE else 50
    ways = "alike", "dirichlet 0.5", "3 labels", "2 labels", "1 label"
    for epochs, seed, how in itertools.product((1,) if SMOKE else (1, 10), SEEDS, ways):

        def measure(epochs=epochs, seed=seed, how=how):
            keras.utils.set_random_seed(seed)
            model, rng = network(), np.random.default_rng([8, seed])
            shares = shares_of(y, how, rng)
            options = {"rate": 0.05, "batch": 64, "epochs": epochs}
            group = federated.Federation(model, x, y, shares, rng, **options)
            scores = []
            for _ in range(rounds):
                group.run()
                scores.append(losses(model, t, t_y)[1])
            return max(scores), None, None, scores[-1]

        run(("federated", how, f"{rounds} rounds of {epochs}", seed), measure)


@cache
def fixed(what, part):
    """Features and a constant, each row with length 1, of the training or the test images."""
    images = data()[0 if part == "train" else 2][..., 0]
    if what == "hog":
        rows = reading.hog(images)
    else:
        rows = scattering.group_normalized(scattering.scattering(images)).reshape(len(images), -1)
    rows = np.pad(rows, [(0, 0), (0, 1)], constant_values=1.0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def private():
    import keras

    x, y, t, t_y = data()
    share, steps = (0.2, 2) if SMOKE else (2048 / 55000, 800)
    held = len(x) // 12

    def linear(width):
        head = keras.layers.Dense(10, kernel_initializer="zeros")
        return keras.Sequential([keras.Input((width,)), head])

    def measure(what, epsilon, rate, bound, seed, choose=False):
        inputs, tests = x, t
        if what != "network":
            inputs, tests = fixed(what, "train"), fixed(what, "test")
        keras.utils.set_random_seed(seed)
        model = network("tanh") if what == "network" else linear(inputs.shape[1])
        rng = np.random.default_rng([9, seed])
        sigma = privacy.noise_for(epsilon, share, steps, DELTA)
        options = {"sigma": sigma, "bound": bound, "rate": rate, "share": share, "steps": steps}
        privacy.train(model, inputs[held:], y[held:], rng, **options)
        validation = losses(model, inputs[:held], y[:held])[1]
        return validation, None, None, None if choose else losses(model, tests, t_y)[1]

    def tried(what, rate, bound):
        """The held-out accuracy at ε = 3."""
        key = ("private", what, f"choose rate {rate}, bound {bound}", 0)
        return float(run(key, lambda: measure(what, 3, rate, bound, 0, choose=True))["value"])

    def reached(what, epsilon, rate, bound, seed):
        """The held-out accuracy; the table gets that of the test images, too."""
        key = ("private", what, f"epsilon {epsilon}, rate {rate}, bound {bound}", seed)
        return float(run(key, lambda: measure(what, epsilon, rate, bound, seed))["value"])

    for what, bounds in TRIES.items():
        settings = []
        for bound, rates in bounds.items():
            rates = rates[:1] if SMOKE else rates
            settings.append((max(rates, key=lambda r, b=bound: tried(what, r, b)), bound))
        best = {e: max(settings, key=lambda s, e=e: reached(what, e, *s, 0)) for e in EPSILONS}
        for seed in SEEDS[1:]:
            for epsilon, setting in best.items():
                reached(what, epsilon, *setting, seed)


STAGES = {"members": members, "federated": federation, "private": private}


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--smoke"]
    measuring.run_stages(STAGES, names, datasets.CACHE)
