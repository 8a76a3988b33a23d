"""Has the world changed? Detectors that compare a window of outputs with a reference, and shifts.

A detector takes two samples, (m, d) of the reference and (n, d) of the window, and gives a p-value:
how probable a difference like this is if nothing has changed. An alarm is a p-value below a level
that one has chosen; on clean windows it then rings with that probability. Rabanser, Günnemann and
Lipton, "Failing Loudly", NeurIPS 2019, arXiv:1810.11953, compared such tests.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage, stats

from helpers.networks import check_finite
from helpers.words import shown

WINDOWS = (10, 30, 100, 300, 1000)  # images
TABLE = "drift.csv"


def largest_gap(a, b):
    """The largest distance between the distribution functions of two samples (n,) and (m,)."""
    points = np.concatenate([a, b])
    below = (np.searchsorted(np.sort(s), points, "right") / len(s) for s in (a, b))
    return float(np.abs(np.subtract(*below)).max())


def ks(reference, window, rng=None):
    """Kolmogorov-Smirnov in each column; the least p-value, times the number of columns.

    This is the correction of Bonferroni: among ten columns a p-value of 0.05 is no surprise.
    """
    reference, window = _pair(reference, window)
    n, m, columns = len(reference), len(window), reference.shape[1]
    gap = max(largest_gap(a, b) for a, b in zip(reference.T, window.T, strict=True))
    return float(min(1.0, columns * stats.kstwo.sf(gap, round(n * m / (n + m)))))  # SciPy's asymp


def mmd(reference, window, rng=None, permutations=199):
    """Maximum mean discrepancy with a Gaussian kernel, against random exchanges of the two samples.

    As many of the reference as there are in the window are drawn. The kernel's width is the median
    distance. Gretton and others, J. Mach. Learn. Res. 13 (2012).
    """
    rng = np.random.default_rng(0) if rng is None else rng
    reference, window = _pair(reference, window)
    n = min(len(reference), len(window))
    both = np.concatenate(
        [part[rng.permutation(len(part))[:n]] for part in (reference, window)]
    ).astype(np.float32)
    squares = (both**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * both @ both.T, 0)
    width = np.median(distances[np.triu_indices(2 * n, 1)])
    kernel = np.exp(-distances / max(width, 1e-12))
    signs = np.ones((2 * n, permutations + 1), np.float32)
    signs[n:, 0] = -1
    for k in range(1, permutations + 1):
        signs[rng.permutation(2 * n)[:n], k] = -1
    found = np.einsum("ik,ik->k", signs, kernel @ signs)
    # Rounding must not decide between exchanges that are the same.
    return float(np.mean(found >= found[0] - 1e-6 * abs(found[0])))


def two_sample_classifier(reference, window, rng=None):
    """Can a classifier tell them apart? Half of both trains a logistic regression, half judges it.

    The p-value is binomial: of so many right answers if it were guessing. Lopez-Paz and Oquab,
    "Revisiting Classifier Two-Sample Tests", ICLR 2017, arXiv:1610.06545.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0) if rng is None else rng
    reference, window = _pair(reference, window)
    n = min(len(reference), len(window))
    if n < 4:
        raise ValueError(f"a window of {n} is too small to train and judge a classifier")
    parts = [part[rng.permutation(len(part))[:n]] for part in (reference, window)]
    spread = parts[0].std(axis=0) + 1e-9
    halves = [
        np.concatenate([p[s] for p in parts]) / spread for s in (slice(n // 2), slice(n // 2, n))
    ]
    labels = [np.repeat([0, 1], len(half) // 2) for half in halves]
    fitted = LogisticRegression(max_iter=200).fit(halves[0], labels[0])
    right = int(np.sum(fitted.predict(halves[1]) == labels[1]))
    return float(stats.binom.sf(right - 1, len(labels[1]), 0.5))


DETECTORS = {"ks": ks, "mmd": mmd, "classifier": two_sample_classifier}


def _pair(reference, window):
    reference, window = (np.asarray(part, np.float64) for part in (reference, window))
    if reference.ndim == 1 and window.ndim == 1:
        reference, window = reference[:, None], window[:, None]
    fits = reference.ndim == window.ndim == 2 and reference.shape[1:] == window.shape[1:]
    if not fits or not len(reference) or not len(window):
        raise ValueError(f"no two samples of the same columns: {reference.shape}, {window.shape}")
    for name, part in (("the reference", reference), ("the window", window)):
        check_finite(name, part, "find out why, which is an alarm of its own; compare the others")
    return reference, window


# What may happen to images, (n, 28, 28) uint8, of Fashion-MNIST's kind: gray on black.


def _gray_levels(images):
    if np.asarray(images).dtype != np.uint8:
        raise ValueError(f"images are {np.asarray(images).dtype}; give uint8, from 0 to 255")


def darker(images, factor=0.5):
    """A lamp fails: every pixel times ``factor``."""
    _gray_levels(images)
    return (images * factor).astype(np.uint8)


def noisy(images, deviation=25, rng=None):
    """A cheaper sensor: Gaussian noise of so many gray levels."""
    _gray_levels(images)
    rng = np.random.default_rng(0) if rng is None else rng
    noise = rng.normal(0, deviation, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def moved(images, pixels=3):
    """The camera was bumped: everything lies lower by so many pixels."""
    return np.pad(images, ((0, 0), (pixels, 0), (0, 0)))[:, : images.shape[1]]


def blurred(images, deviation=1.0):
    """Grease on the lens: a Gaussian blur of so many pixels."""
    return ndimage.gaussian_filter(images, (0, deviation, deviation))


def turned(images, degrees=15):
    """The camera hangs askew."""
    return ndimage.rotate(images, degrees, axes=(2, 1), reshape=False, order=1)


def season(labels, favorite, share, n, rng):
    """Which n images to show so that ``share`` of them are of class ``favorite``: label drift."""
    labels = np.asarray(labels)
    if not 0 <= share <= 1:
        raise ValueError(f"share={shown(share)}: give a number from 0 to 1")
    many = round(share * n)
    of_it, others = np.flatnonzero(labels == favorite), np.flatnonzero(labels != favorite)
    return np.concatenate([rng.choice(of_it, many), rng.choice(others, n - many)])


SHIFTS = {
    "darker": lambda images, rng: darker(images, 0.4),
    "noise": lambda images, rng: noisy(images, 40, rng),
    "blur": lambda images, rng: blurred(images, 1.2),
    "moved": lambda images, rng: moved(images, 3),
    "turned": lambda images, rng: turned(images, 20),
    "a little darker": lambda images, rng: darker(images, 0.85),
    "moved by a pixel": lambda images, rng: moved(images, 1),
}


@dataclass
class Change:
    """What ``tools/measure_drift.py`` found for one kind of change.

    alarms       {(detector, images in a window): share of windows that rang}
    windows      the same keys: how many windows there were
    accuracy     on the changed images
    confidence, threshold   accuracy as guessed from mean confidence, and from a threshold on it
    """

    accuracy: float
    confidence: float
    threshold: float
    alarms: dict = field(default_factory=dict)
    windows: dict = field(default_factory=dict)


def table():
    """The measured table, ``{name of the change: Change}``; "clean" is none."""
    from helpers.datasets import table_rows

    found = {}
    for row in table_rows(TABLE):
        facts = (float(row[key]) for key in ("accuracy", "confidence", "threshold"))
        change = found.setdefault(row["shift"], Change(*facts))
        key = row["detector"], int(row["n"])
        change.windows[key] = int(row["windows"])
        change.alarms[key] = int(row["alarms"]) / int(row["windows"])
    return found
