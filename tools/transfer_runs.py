"""What the sweeps of lab 7 share: their table, the choice of a setting, and a probe.

Every run is added to ``src/helpers/assets/transfer.csv`` as it ends, and a run that is there is not
made again. The split is that of ``helpers.selfsupervised.reading``, and so are the draws.
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
DRAWS = range(5)
TABLE = measuring.Table(ASSET, KEY, RESULT)
run = TABLE.once  # (key, measure): the row, measured if the table has none


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
