"""What lab 7 and its scripts in ``tools`` share: the table of the long sweeps, and a camera.

The camera changes what a small network sees: ``CHANGES`` has functions of uint8 images of shape
(n, 28, 28).
"""

from collections import namedtuple
from functools import cache

import numpy as np

from helpers import datasets
from helpers.words import plain

FILE = "transfer.csv"
KEY = ["what", "size", "layers", "pooling", "labels"]
RESULT = ["steps", "train", "validation", "test", "shifted"]

# setting: penalty or learning rate, as text; the others are arrays, one number a draw: accuracies
# on the labeled, the validation, the test and the shifted test images (nan where not measured).
Runs = namedtuple("Runs", ["setting", "draws", *RESULT])


def sweep(what, size, layers, pooling, labels):
    """All settings that were tried in one place of the table: ``{setting: Runs}``.

    what     ``"probe"``, ``"probe kept"``, ``"probe first"``, ``"all at once"`` or ``"scratch"``
    size     of the image in pixels: 28, 64, 128 or 224; a change follows it, ``"28 inverted"``
    layers   what was cut at, or trained: ``11``, ``"all"``, ``"pixels"``, ``"6-11"``, ``"conv1"``
    pooling  ``"average"``, ``"quadrants"`` or ``"none"``
    labels   labels of each class

    Raises ``KeyError`` if the table has no such place.
    """
    place = tuple(map(str, (what, size, layers, pooling, labels)))
    if place not in _places():
        raise KeyError(f"nothing was measured at {plain(', '.join(place))}")
    found = {}
    for row in _places()[place]:
        found.setdefault(row["setting"], []).append(row)
    return {setting: _runs(setting, rows) for setting, rows in found.items()}


def runs(what, size, layers, pooling, labels):
    """The ``Runs`` of the setting with the best validation accuracy.

    It is chosen by the mean over the draws on which every setting was tried.
    """
    tried = sweep(what, size, layers, pooling, labels)
    shared = set.intersection(*(set(one.draws) for one in tried.values()))

    def validation(one):
        return one.validation[np.isin(one.draws, list(shared))].mean()

    return max(tried.values(), key=validation)


def camera(arm, change, layer="all", labels=5):
    """The ``Runs`` of an ``arm`` on changed images: ``"tuned"``, ``"scratch"``, ``"probe"``, ..."""
    return runs(arm, f"28 {change}", layer, "none", labels)


def rivals(change):
    """What one could do instead of tuning: {name: Runs}; of two probes the better on validation."""
    cuts = [camera("probe", change, cut) for cut in ("conv3", "dense")]
    return {
        "as it is": camera("as it is", change, labels=0),
        "probe": max(cuts, key=lambda one: one.validation.mean()),
        "raw pixels": camera("probe", change, "pixels"),
        "from scratch": camera("scratch", change),
    }


def _runs(setting, rows):
    rows = sorted(rows, key=lambda row: int(row["draw"]))
    columns = [np.array([float(row[name] or "nan") for row in rows]) for name in RESULT]
    return Runs(setting, np.array([int(row["draw"]) for row in rows]), *columns)


@cache
def _places():
    """The table's rows by place."""
    found = {}
    for row in datasets.table_rows(FILE):
        found.setdefault(tuple(row[name] for name in KEY), []).append(row)
    return found


# The camera of section 6. "as it was" is the control: other images, of the same kind.


def _dimmed(images):
    return (0.25 * images).astype(np.uint8)


def _noisy(images):
    """Noise that follows from the images: the same for the same batch, another for another."""
    noise = np.random.default_rng(int(images.sum())).normal(0, 80, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def _blurred(images):
    """The mean of 5×5 pixels; beyond the edge it is black."""
    wide = np.pad(images.astype(np.float32), ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (5, 5), axis=(1, 2))
    return windows.mean(axis=(3, 4)).astype(np.uint8)


CHANGES = {
    "as it was": lambda images: images,
    "mirrored": lambda images: images[:, :, ::-1],
    "dimmed": _dimmed,
    "blurred": _blurred,
    "noisy": _noisy,
    "turned": lambda images: np.rot90(images, axes=(1, 2)),
    "upside down": lambda images: images[:, ::-1],
    "inverted": lambda images: 255 - images,
}


def small_network(first_only=False):
    """Three convolutions and a dense layer of 64, then a head of ten; with Adam, compiled.

    first_only   nothing but the first convolution learns
    """
    import keras

    def convolution(filters, size, name):
        options = {"strides": 2, "padding": "same", "activation": "relu", "name": name}
        return keras.layers.Conv2D(filters, size, **options)

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            convolution(8, 5, "conv1"),
            convolution(16, 3, "conv2"),
            convolution(32, 3, "conv3"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu", name="dense"),
            keras.layers.Dense(10, name="head"),
        ]
    )
    for layer in model.layers:
        layer.trainable = not first_only or layer.name == "conv1"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=True)
    return model


def source_network(x, y, seed):
    """``small_network`` after five passes over ``x``, images as ``as_input`` makes them."""
    import keras

    keras.utils.set_random_seed(seed)
    model = small_network()
    model.fit(x, y, batch_size=32, epochs=5, verbose=0)
    return model


def head_of(features, y, reference, penalty):
    """Weights and offset of the probe on ``features``, as a head that sees them unscaled.

    reference   features that say each one's mean and spread;   penalty   scikit-learn's C
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = reference.mean(axis=0), reference.std(axis=0) + 1e-3
    fit = LogisticRegression(C=penalty, tol=1e-3, max_iter=500).fit((features - mean) / spread, y)
    weights = (fit.coef_ / spread).T
    return weights, fit.intercept_ - mean @ weights


def as_input(images):
    """Pixels from −0.5 to 0.5, (n, 28, 28, 1) float32."""
    return images[..., None] / np.float32(255) - np.float32(0.5)


def begin_again(model, weights, rate):
    """Set the weights and the rate, and empty the optimizer's memory."""
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))
    model.optimizer.learning_rate.assign(rate)


def accuracy(model, x, y):
    """Share of right answers, a thousand images at a time."""
    parts = range(0, len(x), 1000)
    guesses = [model.predict_on_batch(x[i : i + 1000]).argmax(axis=1) for i in parts]
    return float(np.mean(np.concatenate(guesses) == y))


def batches(x, y, rng, size=32):
    """Batches without end, each drawn anew with ``rng``."""
    while True:
        chosen = rng.choice(len(x), size)
        yield x[chosen], y[chosen]


def train(model, batches, look, every, most, patience=5):
    """Train until validation has not improved for ``patience`` looks; step and weights of the best.

    batches   an iterator of ``(images, labels)``;   look   gives the accuracy on validation
    every     steps between two looks;   most   steps at most

    A network that is no longer finite ends the training.
    """
    best_score, best_step, kept, step = -1.0, 0, None, 0
    while step < min(most, best_step + patience * every):
        for _ in range(every):
            model.train_on_batch(*next(batches))
        step += every
        score = look()
        if not np.isfinite(score):
            break
        if score > best_score:
            best_score, best_step, kept = score, step, model.get_weights()
    return best_step, kept


def train_again(model, weights, rate, labeled, validation, rng, every=20, most=200):
    """Train from ``weights`` at ``rate``; the model is left with the weights of the best look.

    labeled, validation   pairs of images and labels. Returns the step of the best look.
    """
    begin_again(model, weights, rate)
    found = train(model, batches(*labeled, rng), lambda: accuracy(model, *validation), every, most)
    model.set_weights(found[1])
    return found[0]
