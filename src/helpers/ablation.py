"""What the ingredients of 2012 are worth: AlexNet-28 with one thing changed, over paired seeds.

An ablation takes a whole apart: change one thing, keep all others, see what happens. The variants
here are data; ``tools/measure_ablations.py`` trains them, ``helpers.ablation_table`` reads what it
found, and lab 5 says what follows. Section numbers are those of Krizhevsky, Sutskever and Hinton,
NIPS 2012.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from helpers import alexnet, race, training
from helpers.ablation_table import BASE, IMAGES, PASSES, WIDTH  # noqa: F401
from helpers.words import shown

BATCH, WARM_UP = 64, 0.2  # images a step; share of the steps in which the rate climbs
RATES = (0.001, 0.002, 0.004, 0.008)  # the highest rate of a run, of which the best is taken
ONES = {"conv2", "conv4", "conv5", "fc6", "fc7"}  # whose biases start from 1 in the paper
# Name, channels, size, padding, groups; "pool" after a layer, "lrn" before it.
CONVOLUTIONS = (
    ("conv1", 24, 6, "valid", 1), ("conv2", 64, 5, "same", 2), ("conv3", 96, 3, "same", 1),
    ("conv4", 96, 3, "same", 2), ("conv5", 64, 3, "same", 2),
)  # fmt: skip


class Settings(NamedTuple):
    """All that a variant may change; the defaults are AlexNet-28 and the recipe of lab 4."""

    activation: str = "relu"
    lrn: str = "after"  # the ReLU, as the paper says; "before" it, or "none"
    alpha: float = 1e-4  # of the normalization, as printed
    pool: int = 3  # the window; the stride is 2, so 3 overlaps
    dropout: float = 0.5
    flip: bool = True
    shift: int = 0  # up to so many pixels, in each direction
    groups: int = 2
    halved: bool = False  # conv1 to conv4 with half of their kernels, conv5 with all (section 3.2)
    without: str = ""  # a layer that is left out
    start: str = "he"  # or "paper": N(0, 0.01²), biases of five layers 1 (section 5)
    decay: float = 0.0  # decoupled from Adam's step; kernels only


# With pixels from 0 to 1 the printed alpha is next to nothing: the layer halves all values alike.
# The paper's pixels went from 0 to 255, so its sums of squares were as many times larger.
STRONG = 1e-4 * 255**2
VARIANTS = {
    BASE: {},
    "tanh": {"activation": "tanh"},
    "no LRN": {"lrn": "none"},
    "strong LRN": {"alpha": STRONG},
    "strong, before ReLU": {"alpha": STRONG, "lrn": "before"},
    "no overlap": {"pool": 2},  # the maps stay as large: 11, 5 and 2 pixels
    "no dropout": {"dropout": 0.0},
    "no mirroring": {"flip": False},
    "with shifts": {"shift": 2},
    "one group": {"groups": 1},
    "half the kernels": {"groups": 1, "halved": True},
    "without conv4": {"without": "conv4"},
    "weight decay": {"decay": 0.5},
    "start of 2012": {"start": "paper"},
}
OWN_RATE = {"tanh", "start of 2012"}  # swept for themselves; the others take the base's


def settings(name):
    """The ``Settings`` of a variant. Raises ``ValueError`` for a name that is none."""
    if name not in VARIANTS:
        raise ValueError(f"{shown(name)} is no variant; there are {', '.join(VARIANTS)}")
    return Settings(**VARIANTS[name])


def network(name=BASE, seed=0, width=WIDTH, **changes):
    """The network of a variant: (n, 28, 28, 1) float32 from 0 to 1, to logits (n, 10).

    A layer's start depends on the seed and the layer's name alone: what two variants have in
    common starts alike. ``width`` scales all counts; ``changes`` are further ``Settings``.
    """
    s = settings(name)._replace(**changes)

    def count(n):
        return max(2, 2 * round(n * width / 2))

    def kernel(layer):
        number = int(layer[-1]) + 100 * seed
        if s.start == "paper":
            return keras.initializers.RandomNormal(0.0, 0.01, seed=number)
        return keras.initializers.HeNormal(seed=number)

    def options(layer):
        bias = "ones" if s.start == "paper" and layer in ONES else "zeros"
        return {"kernel_initializer": kernel(layer), "bias_initializer": bias, "name": layer}

    x = inputs = keras.Input((28, 28, 1), name="images")
    for layer, channels, size, padding, groups in CONVOLUTIONS:
        if layer != s.without:
            few = s.halved and layer != "conv5"
            divided = min(groups, s.groups)
            more = {"groups": divided} if divided > 1 else {}
            kind = alexnet.GroupedConv2D if more else keras.layers.Conv2D
            size_and_more = (count(channels // 2 if few else channels), size)
            x = kind(*size_and_more, padding=padding, **more, **options(layer))(x)
            x = _activated(x, layer, s)
        if layer in ("conv1", "conv2", "conv5"):
            x = keras.layers.MaxPooling2D(s.pool, 2, name=f"pool{layer[-1]}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for i in (6, 7):
        x = keras.layers.Dense(count(768), activation=s.activation, **options(f"fc{i}"))(x)
        if s.dropout:
            x = keras.layers.Dropout(s.dropout, seed=i + 100 * seed, name=f"dropout{i}")(x)
    return keras.Model(inputs, keras.layers.Dense(10, **options("fc8"))(x), name="ablation")


def _activated(x, layer, s):
    """The activation, and in the first two layers the normalization, in the order of ``s.lrn``."""
    steps = [keras.layers.Activation(s.activation, name=f"{s.activation}{layer[-1]}")]
    if s.lrn != "none" and layer in ("conv1", "conv2"):
        place = 1 if s.lrn == "after" else 0
        normal = alexnet.LocalResponseNormalization(alpha=s.alpha, name=f"lrn{layer[-1]}")
        steps.insert(place, normal)
    for step in steps:
        x = step(x)
    return x


def train(name, seed, images, labels, *, passes=PASSES, rate=0.001, width=WIDTH):
    """The network of a variant after ``passes`` over the images: Adam, climb and cosine to 0.

    ``images`` (n, 28, 28) uint8. Nothing is chosen on the way: the weights are the last.
    """
    s, model = settings(name), network(name, seed, width)
    falling = race.schedule(rate, WARM_UP, passes * -(-len(labels) // BATCH))
    optimizer = keras.optimizers.Adam(falling, weight_decay=s.decay or None)
    if s.decay:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    step = _compiled_step(model, optimizer)
    options = {"seed": seed, "epochs": passes, "flip": s.flip, "crop": s.shift}
    for x, y in training.pipeline(images, labels, BATCH, **options):
        step(x, y)
    return model


def steps_to(name, seed, images, labels, *, rate, errors=(0.25, 0.15, 0.1), every=10, most=1000):
    """Steps until the error on 1,000 training images is at or below each of ``errors``.

    As in section 3.1 nothing regularizes: no dropout, no mirroring, a constant rate. ``most + 1``
    stands for an error that was not reached.
    """
    model = network(name, seed, dropout=0.0)
    step = _compiled_step(model, keras.optimizers.Adam(rate))
    watched, truth = tf.constant(images[:1000, ..., None] / np.float32(255)), labels[:1000]
    answer, reached = tf.function(lambda x: tf.argmax(model(x), -1)), {}
    passes = -(-most // -(-len(labels) // BATCH))
    batches = training.pipeline(images, labels, BATCH, seed=seed, epochs=passes)
    for done, (x, y) in enumerate(batches.take(most), start=1):
        step(x, y)
        if done % every == 0:
            error = np.mean(answer(watched).numpy() != truth)
            reached.update({e: done for e in errors if error <= e and e not in reached})
        if len(reached) == len(errors):
            break
    return [reached.get(e, most + 1) for e in errors]


def _compiled_step(model, optimizer):
    weights = model.trainable_variables
    optimizer.build(weights)

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True))
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, weights), weights)

    return step


def right(model, images, labels):
    """Which of the images the network has right: (n,) bool."""
    pixels = images[..., None] / np.float32(255)
    return model.predict(pixels, batch_size=500, verbose=0).argmax(-1) == labels
