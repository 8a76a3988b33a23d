"""Classes that arrive one after the other: training on the new only, with a memory, or anew.

The images come in four steps, first four classes, then two at a time, in an order that the seed
draws. After each step the network is judged on all classes seen so far, and is not told which step
an image belongs to (class-incremental learning).
"""

import csv

import numpy as np

from helpers.words import shown

STEPS = (4, 2, 2, 2)  # new classes in each
UNITS, RATE, BATCH, EPOCHS = 200, 1e-3, 50, 3
STRATEGIES = ("new only", "replay", "gdumb", "from scratch")
TABLE = "continual.csv"


def order_of(seed):
    """The classes of each step, four arrays."""
    classes = np.random.default_rng([13, seed]).permutation(10)
    return np.split(classes, np.cumsum(STEPS)[:-1])


def network(seed=0):
    """Two dense layers of 200 units: images (n, 28, 28) from 0 to 1 to logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((28, 28)), layers.Flatten()])
    for _ in range(2):
        model.add(layers.Dense(UNITS, activation="relu"))
    model.add(layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss, jit_compile=False)
    return model


def keep(memory, new, labels, size, rng):
    """Which images to remember when new ones arrive: GDumb's greedy, balanced sample.

    memory, new   indices remembered so far, and of the images that have just come
    labels        of all images;   size   images at most

    Every class gets the same number of places (one more for some, at random, if they do not divide
    evenly), and images leave at random. What has left is gone. Prabhu, Torr and Dokania, "GDumb",
    ECCV 2020.
    """
    if size < 1:
        raise ValueError(f"size={shown(size)}: a memory has room for an image at least")
    candidates = np.concatenate([memory, new])
    classes = np.unique(labels[candidates])
    places = np.full(len(classes), size // len(classes))
    places[rng.permutation(len(classes))[: size % len(classes)]] += 1
    chosen = [
        rng.permutation(candidates[labels[candidates] == one])[:room]
        for one, room in zip(classes, places, strict=True)
    ]
    return np.concatenate(chosen)


def learn(strategy, data, seed, size=500, epochs=EPOCHS, said=None):
    """Go through the four steps; accuracies ``(4,)`` on the test images of all classes so far.

    strategy   of ``STRATEGIES``; ``"from scratch"`` keeps every image and begins anew each time
    data       ``(images, labels, test images, test labels)``, images from 0 to 1
    size       of the memory in images, for ``"replay"`` and ``"gdumb"``
    said       a dictionary, which gets what the network answers to all test images after each step

    All take as many steps of training in each of the four: what differs is what they see.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={shown(strategy)}; there are {', '.join(STRATEGIES)}")
    x, y, test_x, test_y = data
    rng, model = np.random.default_rng([17, seed]), network(seed)
    start = [w.numpy() for w in model.weights]
    arrived, memory, scores, seen = np.empty(0, int), np.empty(0, int), [], []
    for step, classes in enumerate(order_of(seed)):
        new = rng.permutation(np.flatnonzero(np.isin(y, classes)))
        arrived, seen = np.concatenate([arrived, new]), [*seen, *classes]
        old, count = memory, epochs * len(new)
        if strategy in ("replay", "gdumb"):
            memory = keep(memory, new, y, size, rng)
        if strategy in ("gdumb", "from scratch"):
            model = _begin_again(model, start)
        source = {"new only": new, "replay": new, "gdumb": memory, "from scratch": arrived}[
            strategy
        ]
        shown_images = _passes(source, count, rng)
        if strategy == "replay" and len(old):  # every other image is an old one
            shown_images[1::2] = _passes(old, len(shown_images) // 2, rng)
        model.fit(x[shown_images], y[shown_images], BATCH, 1, verbose=0, shuffle=False)
        answers = model.predict(test_x, 500, verbose=0).argmax(axis=1)
        scores.append(float(np.mean((answers == test_y)[np.isin(test_y, seen)])))
        if said is not None:
            said[step] = answers
    return np.array(scores)


def _passes(source, count, rng):
    """``count`` indices: ``source`` again and again, each time in another order."""
    times = -(-count // len(source))
    return np.concatenate([rng.permutation(source) for _ in range(times)])[:count]


def _begin_again(model, start):
    model.set_weights(start)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))
    return model


def table():
    """``tools/measure_continual.py``'s runs: ``{(strategy, size): (seeds, 4) accuracies}``."""
    from helpers.datasets import asset_path

    rows = csv.DictReader(asset_path(TABLE).read_text("utf-8").splitlines())
    found = {}
    for row in rows:
        scores = [float(row[f"step{k}"]) for k in range(1, 5)]
        found.setdefault((row["strategy"], int(row["size"])), []).append(scores)
    return {key: np.array(scores) for key, scores in found.items()}
