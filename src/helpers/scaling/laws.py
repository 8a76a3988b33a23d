"""A power law, fitted on small runs, and the interval in which one more run should fall."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Law:
    """error = ``factor`` · size ** −``exponent``, fitted to the logarithms of ``sizes``.

    scatter   standard deviation of the logarithms about the line
    """

    exponent: float
    factor: float
    scatter: float
    sizes: tuple

    def at(self, size):
        return self.factor * np.asarray(size, float) ** -self.exponent

    def interval(self, size, level=0.95):
        """Low and high end for one new run of ``size``, if the law goes on as it is.

        Student's prediction interval of a straight line; it knows the scatter of the runs and how
        far ``size`` lies outside of them, and nothing of a bend.
        """
        logs, n = np.log(self.sizes), len(self.sizes)
        away = (np.log(size) - logs.mean()) ** 2 / ((logs - logs.mean()) ** 2).sum()
        half = stats.t.ppf((1 + level) / 2, n - 2) * self.scatter * np.sqrt(1 + 1 / n + away)
        return float(self.at(size) * np.exp(-half)), float(self.at(size) * np.exp(half))


def fit(sizes, errors):
    """The ``Law`` of least squares in the logarithms; three runs or more, all of them positive."""
    sizes, errors = np.asarray(sizes, float), np.asarray(errors, float)
    if sizes.ndim != 1 or sizes.shape != errors.shape or len(sizes) < 3:
        raise ValueError(f"a law needs three runs or more: {sizes.shape} and {errors.shape}")
    if not (sizes.min() > 0 and errors.min() > 0):
        raise ValueError("logarithms need sizes and errors above 0")
    if len(set(sizes)) < 2:
        raise ValueError("a law needs runs of two sizes or more")
    x, y = np.log(sizes), np.log(errors)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    rest = y - y.mean() - slope * (x - x.mean())
    scatter = np.sqrt((rest**2).sum() / (len(x) - 2))
    factor = np.exp(y.mean() - slope * x.mean())
    return Law(float(-slope), float(factor), float(scatter), tuple(sizes))
