"""Randomized smoothing (Cohen, Rosenfeld and Kolter 2019): a certificate that holds with a stated
probability, for changes of Euclidean length up to a radius."""

import numpy as np
import tensorflow as tf
from scipy import stats

from helpers import session
from helpers.attacks.gradient import logits_of
from helpers.networks import check_finite

ABSTAIN = -1


def clopper_pearson(k, n, alpha):
    """Lower end of the exact one-sided interval of a share, of which k of n were seen.

    The share is at least this with confidence 1 − ``alpha``: the ``alpha`` quantile of
    Beta(k, n − k + 1); 0 if k = 0. Raises ``ValueError`` unless 0 ≤ k ≤ n, n ≥ 1 and 0 < alpha < 1.
    """
    if not (n >= 1 and 0 <= k <= n and 0 < alpha < 1):
        raise ValueError(f"k={k}, n={n}, alpha={alpha}: needs 0 ≤ k ≤ n, n ≥ 1, 0 < alpha < 1")
    return float(stats.beta.ppf(alpha, k, n - k + 1)) if k else 0.0


def radius(low, sigma):
    """σ Φ⁻¹(low), their theorem 1 with 1 − low for the second class; 0 if ``low`` ≤ ½."""
    return float(sigma * stats.norm.ppf(low)) if low > 0.5 else 0.0


def vote(model, image, sigma, n, rng=None, batch=1000):
    """How often the network says each class of ``image`` (h, w, c) under Gaussian noise: (K,) int.

    The noise has standard deviation ``sigma`` in units of a pixel, and is not clipped: the theorem
    is about noise that is Gaussian.
    """
    if np.asarray(image).dtype.kind != "f":
        raise ValueError(
            f"the image is {np.asarray(image).dtype}: divide by 255, as sigma's unit is"
        )
    image = np.asarray(image, np.float32)
    check_finite("the image", image, "mend this image or leave it out")
    if image.ndim != 3 or not sigma > 0 or n < 1:
        raise ValueError(
            f"image {image.shape}, sigma={sigma}, n={n}: needs (h, w, c), both above 0"
        )
    rng, counts = rng or session.rng(14), 0
    for start in range(0, n, batch):
        shape = (min(batch, n - start), *image.shape)
        noisy = image + np.float32(sigma) * rng.standard_normal(shape, np.float32)
        logits = _answers(model, tf.constant(noisy)).numpy()
        counts = counts + np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
    return counts


def certify(model, images, sigma, *, n0=100, n=1000, alpha=0.001, rng=None):
    """(classes (N,) int, radii (N,) float) of the smoothed network; class −1 where it abstains.

    Their ``Certify``: ``n0`` noisy copies choose the class, ``n`` fresh ones bound its share from
    below with confidence 1 − ``alpha``. If the bound is above ½, then with that confidence the
    smoothed network says this class for *every* image within the radius (Euclidean length, in
    units of a pixel); else it abstains. Choosing and judging on the same copies would break this.
    """
    rng = rng or session.rng(14)
    classes, radii = [], []
    for image in images:
        guess = int(vote(model, image, sigma, n0, rng).argmax())
        low = clopper_pearson(int(vote(model, image, sigma, n, rng)[guess]), n, alpha)
        classes.append(guess if low > 0.5 else ABSTAIN)
        radii.append(radius(low, sigma))
    return np.array(classes), np.array(radii)


@tf.function(autograph=False, reduce_retracing=True)
def _answers(model, x):
    return logits_of(model, x)
