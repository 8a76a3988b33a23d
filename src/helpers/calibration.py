"""Is a network as sure as it should be? Calibration, refusal and conformal sets. NumPy and SciPy.

Logits and probabilities are (n, classes), labels (n,) whole numbers; the *confidence* of an answer
is the probability of its first choice.
"""

import numpy as np
from scipy.optimize import minimize_scalar

from helpers.networks import check_finite
from helpers.words import shown


def softmax(logits, temperature=1.0):
    """Probabilities (n, classes) float64 of the logits divided by a temperature."""
    if not temperature > 0:
        raise ValueError(f"temperature={shown(temperature)}: give a number above 0")
    z = np.asarray(logits, np.float64) / temperature
    z = np.exp(z - z.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)


def answers(logits, labels, temperature=1.0):
    """``(confidence, right)`` of each image: float64 and bool, both (n,)."""
    logits, labels = _checked(logits, labels)
    p = softmax(logits, temperature)
    return p.max(axis=1), p.argmax(axis=1) == labels


def cross_entropy(logits, labels, temperature=1.0):
    """Mean of −log p of the right class: what a temperature is chosen by."""
    logits, labels = _checked(logits, labels)
    return _cross_entropy(logits, labels, temperature)


def _cross_entropy(logits, labels, temperature):
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(axis=1, keepdims=True)
    log = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return float(-log[np.arange(len(log)), labels].mean())


def best_temperature(logits, labels):
    """The temperature of the least cross-entropy on images that the network was not trained on.

    It never changes an answer, only how sure the network says it is. Guo, Pleiss, Sun and
    Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599. Raises
    ``ValueError`` for logits and labels that do not fit together.
    """
    logits, labels = _checked(logits, labels)
    if logits.min() >= 0 and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise ValueError("these are probabilities; give logits, before the softmax")
    found = minimize_scalar(
        lambda log: _cross_entropy(logits, labels, np.exp(log)),
        bounds=(np.log(0.05), np.log(50)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def bins_of(confidence, right, bins=15):
    """``(mean confidence, accuracy, count)``, (bins,) each; bins are equally wide, NaN if empty."""
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    if confidence.shape != right.shape or confidence.ndim != 1 or not len(right):
        raise ValueError(f"confidences {confidence.shape} and answers {right.shape} differ")
    if not ((confidence >= 0) & (confidence <= 1 + 1e-9)).all():
        raise ValueError("a confidence is a probability, from 0 to 1, and one here is not")
    if not (isinstance(bins, int | np.integer) and bins >= 1):
        raise ValueError(f"bins={shown(bins)}: give a whole number from 1")
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    sums = [np.bincount(which, weights=values, minlength=bins) for values in (confidence, right)]
    with np.errstate(invalid="ignore"):
        return *(total / count for total in sums), count


def calibration_error(confidence, right, bins=15):
    """Expected calibration error: |accuracy − confidence| of each bin, weighted by its images."""
    sure, true, count = bins_of(confidence, right, bins)
    return float(np.nansum(count * np.abs(true - sure)) / count.sum())


def error_if_calibrated(confidence, bins=15, times=200, rng=None):
    """The calibration errors that chance alone would give, (times,).

    What a perfectly calibrated network with these confidences would score on so many images: each
    answer is right with just the probability that was said.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    confidence = np.asarray(confidence, np.float64)
    draws = rng.random((times, len(confidence))) < confidence
    return np.array([calibration_error(confidence, right, bins) for right in draws])


def by_coverage(confidence, right):
    """``(coverage, accuracy)``, each (n,): of the k answers that are surest, for k = 1 … n."""
    order = np.argsort(-np.asarray(confidence), kind="stable")
    k = np.arange(1, len(order) + 1)
    return k / len(order), np.cumsum(np.asarray(right)[order]) / k


def conformal_threshold(scores, miss):
    """The threshold that a new image's score stays below with probability 1 − ``miss``, at least.

    scores   (n,) one of each held-out image; here 1 − the probability of its right class
    miss     share of images whose set may lack the right class, e.g. 0.1

    It is the k-th smallest score with k = ⌈(n + 1)(1 − miss)⌉; infinity if k > n. The promise holds
    if the new image comes from where these came from. Vovk, Gammerman and Shafer, "Algorithmic
    Learning in a Random World", 2005.
    """
    if not 0 < miss < 1:
        raise ValueError(f"miss={shown(miss)}: give a share between 0 and 1, such as 0.1")
    scores = np.sort(np.asarray(scores, np.float64))
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are NaN; mend them")
    k = int(np.ceil((len(scores) + 1) * (1 - miss) - 1e-9))
    return float(scores[k - 1]) if k <= len(scores) else np.inf


def conformal_sets(probabilities, threshold):
    """(n, classes) bool: the classes whose score, 1 − probability, is at most the threshold."""
    return 1 - np.asarray(probabilities) <= threshold


def set_coverage(sets, labels):
    """``(share of sets that have the right class, classes in a set on average)``."""
    sets, labels = _checked(sets, labels)
    return float(sets[np.arange(len(sets)), labels].mean()), float(sets.sum(axis=1).mean())


def _checked(rows, labels):
    """Rows (n, classes) and labels (n,) as arrays; ``ValueError`` if they do not fit together."""
    rows, labels = np.asarray(rows), np.asarray(labels)
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(labels):
        raise ValueError(
            f"logits {rows.shape} and labels {labels.shape} are not of n images: give "
            "(n, classes) and (n,)"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= rows.shape[1]:
        raise ValueError(
            f"labels are {labels.dtype} from {labels.min()} to {labels.max()}; give whole numbers "
            f"from 0 to {rows.shape[1] - 1}, the classes"
        )
    check_finite("the array of logits", rows, "mend or leave out these images")
    return rows, labels
