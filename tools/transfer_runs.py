"""What the sweeps of lab 7 share: their table, the choice of a setting, a probe, and batches.

Every run is added to ``src/helpers/assets/transfer.csv`` as it ends, and a run that is there is not
made again. Of the 10,000 bundled training images 1,000 are for validation, where every setting is
chosen; draw k of n labels a class takes the k-th n of each class of the others in a fixed order, so
draws share no image.
"""

from functools import partial
from pathlib import Path

import measuring
import numpy as np

from helpers import datasets

ASSET = Path(__file__).resolve().parent.parent / "src" / "helpers" / "assets" / "transfer.csv"
CACHE = datasets.CACHE / "transfer"
KEY = ["what", "size", "layers", "pooling", "labels", "draw", "setting"]
RESULT = ["steps", "train", "validation", "test", "shifted"]
VALIDATION, DRAWS = 100, range(5)  # images of a class; draws
TABLE = measuring.Table(ASSET, KEY, RESULT)


def rows(labels, draw):
    """Where draw number ``draw`` stands in the pool."""
    return np.arange(10 * labels * draw, 10 * labels * (draw + 1))


def run(key, measure):
    """Measure unless the table has it; the key is text, as the table has it."""
    key = tuple(str(k) for k in key)
    if key not in TABLE:
        row = [*key, *(f"{r:.4f}" if isinstance(r, float) else r for r in measure())]
        TABLE.add(row)
        print(*row, flush=True)
    return TABLE.rows[key]


def best(what, size, layers, pooling, labels, settings, draws):
    """The setting with the best mean accuracy on validation over ``draws``."""
    table = TABLE.rows

    def score(setting):
        keys = [(what, size, layers, pooling, labels, d, setting) for d in draws]
        return np.mean([float(table[tuple(map(str, k))]["validation"]) for k in keys])

    return max(settings, key=score)


def chosen_on_the_first(place, settings, measure):
    """All settings on draw 0, then all draws with the one that is best on its validation images."""
    for setting in settings:
        run((*place, 0, setting), partial(measure, 0, setting))
    setting = best(*place, settings, [0])
    for draw in DRAWS:
        run((*place, draw, setting), partial(measure, draw, setting))


def scaled(parts):
    """Each feature to mean 0 and variance 1 over the validation images, without their labels."""
    reference = parts["validation"].astype(np.float32)
    mean, spread = reference.mean(axis=0), reference.std(axis=0) + 1e-3
    return {name: (part.astype(np.float32) - mean) / spread for name, part in parts.items()}


def fit(x, y, penalty):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, tol=1e-3, max_iter=500).fit(x, y)


def batches_of(x, y, seed, change=lambda batch, rng: batch):
    rng = np.random.default_rng([1, seed])
    while True:
        chosen = rng.choice(len(x), 32)
        yield change(x[chosen], rng), y[chosen]
