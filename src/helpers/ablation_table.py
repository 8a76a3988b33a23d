"""The table of ``tools/measure_ablations.py``, and what paired runs allow one to say.

One row a run. The rows of one seed share their training images, their order and the start of every
layer that they have in common, and all are measured on the same test images; so what is compared
are differences, seed by seed. NumPy and SciPy only.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from helpers import datasets, intervals
from helpers.words import shown

FILE = "ablations.csv"
KEY = ("part", "variant", "width", "images", "passes", "rate", "seed")
# Shares right; test1 and test2 are the first and second 5,000 test images. Then steps to an error.
RESULT = ("train", "choice", "bundled", "test1", "test2", "steps25", "steps15", "steps10")
BASE = "AlexNet-28"
WIDTH, IMAGES, PASSES = 0.5, 10_000, 24  # of a usual run; half of AlexNet-28's channels
SPEED_IMAGES = 5000  # of the runs that count steps to a training error
WORTH = 0.005  # an effect that one would care about: half a point of accuracy


def rows(part="train"):
    """The rows of one part, ``"train"`` or ``"speed"``, as dictionaries of text."""
    return [row for row in datasets.table_rows(FILE) if row["part"] == part]


def best_rate(rows, variant, images=IMAGES):
    """The rate with the best mean accuracy on the images for choices."""
    return _best(rows, ("train", variant, images), "choice", max)


def fastest_rate(rows, variant, images=SPEED_IMAGES):
    """The rate that needs the fewest steps to a training error of 10%, by the choosing seeds."""
    choosing = [row for row in rows if int(row["seed"]) >= 100]
    return _best(choosing, ("speed", variant, images), "steps10", min)


def _best(rows, place, column, which):
    found = {}
    for row in rows:
        if (row["part"], row["variant"], int(row["images"])) == place and row[column]:
            found.setdefault(float(row["rate"]), []).append(float(row[column]))
    if not found:
        raise ValueError(
            f"no rate was tried for {shown(place[1])}; run the stage that chooses first"
        )
    return which(found, key=lambda rate: np.mean(found[rate]))


def accuracies(variant=BASE, *, width=WIDTH, images=IMAGES, passes=PASSES, column="test"):
    """``{seed: share right}``, of all 10,000 test images or of another column of the table."""
    found = {}
    for row in rows():
        place = row["variant"], float(row["width"]), int(row["images"]), int(row["passes"])
        if place == (variant, width, images, passes) and row["test1"]:
            parts = ("test1", "test2") if column == "test" else (column,)
            found[int(row["seed"])] = float(np.mean([float(row[name]) for name in parts]))
    return found


def differences(variant, base=BASE, **where):
    """Variant minus base for every seed that has both, by seed: (n,) floats."""
    one, other = accuracies(variant, **where), accuracies(base, **where)
    return np.array([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])


def steps(variant, error=10, images=SPEED_IMAGES):
    """``{seed: steps}`` to a training error of 25, 15 or 10 percent, seeds that judge only."""
    of = [r for r in rows("speed") if (r["variant"], int(r["images"])) == (variant, images)]
    return {int(r["seed"]): int(r[f"steps{error}"]) for r in of if int(r["seed"]) < 100}


class Verdict(NamedTuple):
    """What n paired differences say; ``low`` to ``high`` at the level asked for."""

    n: int
    mean: float
    low: float
    high: float
    word: str


def verdict(differences, level=0.95, worth=WORTH):
    """``Verdict`` with one of the words ``"gains"``, ``"costs"``, ``"too small"``, ``"cannot
    tell"``, ``"too few runs"``.

    ``"gains"`` and ``"costs"``: the interval excludes 0. ``"too small"``: it lies within
    ``worth`` on both sides of 0, so an effect that one would care about is excluded.
    """
    d = np.asarray(differences, float)
    if d.size < 2:
        mean = float(d.mean()) if d.size else float("nan")
        return Verdict(d.size, mean, -np.inf, np.inf, "too few runs")
    mean, low, high = intervals.paired(d, level)
    word = "gains" if low > 0 else "costs" if high < 0 else "cannot tell"
    if word == "cannot tell" and -worth <= low and high <= worth:
        word = "too small"
    return Verdict(d.size, mean, low, high, word)


def p_value(differences):
    """How probable differences at least so far from 0 are, if 0 is the truth: Student's t."""
    d = np.asarray(differences, float)
    if d.size < 2:
        return float("nan")
    return float(stats.ttest_1samp(d, 0.0).pvalue)


def smallest_effect(deviation, n, power=0.8, level=0.95):
    """The true difference that n pairs would show with probability ``power``.

    deviation   standard deviation of the paired differences

    Found by the noncentral t distribution, so that it holds for few pairs too.
    """
    if n < 2 or not deviation > 0:
        raise ValueError(f"needs two pairs or more and a spread, not n={n}, {deviation}")
    limit, root = stats.t.ppf((1 + level) / 2, n - 1), np.sqrt(n)

    def seen(effect):
        shift = effect * root / deviation
        return stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)

    low, high = 0.0, (2 * limit + 4) * deviation / root  # the second is seen nearly always
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) > power else (middle, high)
    return high


def split_spread(**where):
    """(spread of single runs, spread that their halves share), standard deviations, pooled.

    The accuracies on two halves of the test set, over runs of one variant, vary together only as
    far as one run is *truly* better than another: their covariance estimates the variance of true
    accuracy. Jordan, ICLR 2024, arXiv:2304.01910. Pooled over all variants; the shared spread is 0
    where the covariance is negative. Raises ``ValueError`` if no variant has two runs.
    """
    total, shared, weight = 0.0, 0.0, 0
    for variant in dict.fromkeys(row["variant"] for row in rows()):
        one = accuracies(variant, column="test1", **where)
        two = accuracies(variant, column="test2", **where)
        if len(one) > 1:
            a, b = (np.array([part[seed] for seed in sorted(part)]) for part in (one, two))
            freedom = len(a) - 1
            total += freedom * ((a + b) / 2).var(ddof=1)
            shared += freedom * np.cov(a, b)[0, 1]
            weight += freedom
    if not weight:
        raise ValueError("no variant has two runs yet: go on with tools/measure_ablations.py")
    return float(np.sqrt(total / weight)), float(np.sqrt(max(shared / weight, 0.0)))
