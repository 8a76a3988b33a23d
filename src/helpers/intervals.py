"""How sure a measured difference or share is: 95% intervals for paired differences and for shares.

Two networks that are compared on the same seeds, draws or images share their luck. The interval
that counts is that of the differences, not those of the two networks taken alone.
"""

import numpy as np
from scipy import stats


def paired(differences, level=0.95):
    """Mean of paired differences and its interval by Student's t.

    differences   (n,) numbers, n ≥ 2: one a seed or draw, both sides measured on the same one

    Returns ``(mean, low, high)``, three floats. Raises ``ValueError`` for fewer than two
    differences or values that are no numbers.
    """
    d = np.asarray(differences, np.float64)
    if d.ndim != 1 or d.size < 2:
        raise ValueError(f"an interval needs two differences or more in a row, not shape {d.shape}")
    if not np.isfinite(d).all():
        raise ValueError("an interval needs finite differences; one of them is not a number")
    half = _t(level, d.size - 1) * d.std(ddof=1) / np.sqrt(d.size)
    return float(d.mean()), float(d.mean() - half), float(d.mean() + half)


def share(k, n, level=0.95):
    """Wilson's interval for a share, ``k`` of ``n`` independent cases: ``(low, high)``.

    Wilson, J. Amer. Statist. Assoc. 22 (1927), 209-212. Raises ``ValueError`` unless
    0 ≤ k ≤ n and n ≥ 1.
    """
    if not (n >= 1 and 0 <= k <= n):
        raise ValueError(f"a share is k of n with 0 ≤ k ≤ n and n ≥ 1, not {k} of {n}")
    z = float(stats.norm.ppf((1 + _checked(level)) / 2))
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def paired_share(right_a, right_b, level=0.95):
    """Difference of two accuracies on the same images, a − b, and its interval.

    right_a, right_b   (n,) bool: which of the n ≥ 2 images each network has right

    Only images on which the two disagree tell them apart, so the interval is narrower than that of
    two accuracies taken alone. Returns ``(difference, low, high)``; raises ``ValueError`` for
    shapes that differ.
    """
    a, b = np.asarray(right_a, np.float64), np.asarray(right_b, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"the same images for both networks: {a.shape} and {b.shape} differ")
    return paired(a - b, level)


def _t(level, freedom):
    return float(stats.t.ppf((1 + _checked(level)) / 2, freedom))


def _checked(level):
    if not 0 < level < 1:
        raise ValueError(f"level={level}: a level lies between 0 and 1, such as 0.95")
    return level
