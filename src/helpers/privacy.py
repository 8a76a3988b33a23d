"""What a trained network gives away, and training that bounds it: attacks, DP-SGD, an accountant.

Importing this needs NumPy and SciPy only. Two data sets are neighbors if one has one example more.
The noise comes from NumPy's generator, so that a run can be repeated: good for a lab, and not for
data that somebody has to protect (that needs a secret source of randomness, and care with the
rounding of floats; Mironov, CCS 2012).
"""

from collections import namedtuple

import numpy as np
from scipy.special import gammaln, logsumexp

from helpers import intervals
from helpers.networks import check_logits, check_precision, checked_examples
from helpers.per_example import check_row, clipped_sum, per_example_gradients, refuse_mixing
from helpers.words import shown

# accuracy of telling members from others at even odds, its 95% interval, advantage = 2 accuracy − 1
# and found: the share of members that a threshold finds which takes 1 other in 100 for one.
Attack = namedtuple("Attack", "accuracy low high advantage found")
ORDERS = (*range(2, 65), 80, 96, 128, 192, 256, 384, 512, 1024)


# --- membership --------------------------------------------------------------------------------


def best_threshold(inside, outside):
    """The loss up to which to say "member", with the highest balanced accuracy: half way between
    the last loss that should lie below it and the next one."""
    levels = np.sort(np.concatenate([inside, outside]))
    found = np.searchsorted(np.sort(inside), levels, side="right") / len(inside)
    alarms = np.searchsorted(np.sort(outside), levels, side="right") / len(outside)
    best = np.argmax(found - alarms)
    above = levels[levels > levels[best]]
    return float((levels[best] + above[0]) / 2 if len(above) else levels[best])


def membership(inside, outside, rng, false_alarms=0.01):
    """Attack a network by its losses: an image with a small loss was probably trained on.

    Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning", CSF 2018, with the
    threshold chosen on one half of the images, judged on the other, and the other way round.

    inside, outside   (n,) losses of images that were trained on and of as many that were not
    rng               a NumPy ``Generator`` that halves them
    false_alarms      at which share of ``outside`` to read off ``Attack.found``

    Returns an ``Attack``. Raises ``ValueError`` for fewer than ten, unequal numbers, or no numbers.
    """
    inside, outside = (np.asarray(part, np.float64) for part in (inside, outside))
    if inside.ndim != 1 or inside.shape != outside.shape or len(inside) < 10:
        raise ValueError(
            f"as many losses of both kinds, at least ten: not {inside.shape} and {outside.shape}"
        )
    if np.isnan(inside).any() or np.isnan(outside).any():
        raise ValueError("a loss is not a number")
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms={shown(false_alarms)}: a share between 0 and 1")
    halves = np.array_split(rng.permutation(len(inside)), 2)
    right = 0
    for chosen, judged in (halves, halves[::-1]):
        level = best_threshold(inside[chosen], outside[chosen])
        right += (inside[judged] <= level).sum() + (outside[judged] > level).sum()
    accuracy = right / (2 * len(inside))
    low, high = intervals.share(int(right), 2 * len(inside))
    strict = np.sort(outside)[int(false_alarms * len(outside))]  # as many others lie below it
    found = float((inside < strict).mean())
    return Attack(float(accuracy), low, high, float(2 * accuracy - 1), found)


def most_accuracy(epsilon, delta=0.0):
    """The highest balanced accuracy that any membership attack can have on an (ε, δ)-private run.

    From found ≤ e^ε · alarms + δ and its mirror image (Kairouz, Oh and Viswanath, ICML 2015):
    (e^ε + δ) / (e^ε + 1).
    """
    _positive("epsilon", epsilon, zero=True)
    power = np.exp(-float(epsilon))
    return float((1 + delta * power) / (1 + power))


# --- accounting --------------------------------------------------------------------------------


def subsampled_rdp(order, share, sigma):
    """Rényi divergence of one step of the Gaussian mechanism on a random sample of the data.

    Mironov, Talwar and Zhang, "Rényi Differential Privacy of the Sampled Gaussian Mechanism"
    (arXiv:1908.10530), section 3.3, whole orders: with order ω, share γ, noise multiplier σ,

        1 / (ω − 1) · log Σ_k binom(ω, k) (1 − γ)^(ω − k) γ^k exp((k² − k) / 2σ²).

    With γ = 1 this is ω / 2σ² (Mironov, "Rényi Differential Privacy", CSF 2017, corollary 3).
    """
    order = _order(order)
    _share(share)
    _positive("sigma", sigma)
    if share == 1:
        return order / (2 * sigma**2)
    k = np.arange(order + 1)
    binomial = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    weights = binomial + (order - k) * np.log1p(-share) + k * np.log(share)
    return max(0.0, float(logsumexp(weights + (k * k - k) / (2 * sigma**2)) / (order - 1)))


def epsilon_of(share, sigma, steps, delta, orders=ORDERS):
    """The ε at δ of ``steps`` steps on random shares of the data: the least over the orders.

    Divergences of steps add up (Mironov 2017, proposition 1). Each order gives an ε by Canonne,
    Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020), proposition 12:
    rdp + log((ω − 1) / ω) − (log δ + log ω) / (ω − 1).
    """
    _delta(delta)
    if steps != int(steps) or steps < 0:
        raise ValueError(f"steps={shown(steps)}: a whole number, 0 or more")
    if steps == 0:
        return 0.0
    epsilons = [
        steps * subsampled_rdp(w, share, sigma) + np.log1p(-1 / w) - np.log(delta * w) / (w - 1)
        for w in orders
    ]
    return max(0.0, float(min(epsilons)))


def noise_for(epsilon, share, steps, delta, orders=ORDERS):
    """The least noise multiplier σ that keeps to ``epsilon``, by bisection, to a part in 10,000.

    Never below it: ``epsilon_of(share, noise_for(...), steps, delta) <= epsilon``. Raises
    ``ValueError`` if no σ up to a million is enough.
    """
    _positive("epsilon", epsilon)
    low, high = 0.01, 1.0
    while epsilon_of(share, high, steps, delta, orders) > epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            raise ValueError(f"no noise gives epsilon={epsilon} at delta={delta}: ask for more")
    while high / low > 1.0001:
        middle = (low * high) ** 0.5
        enough = epsilon_of(share, middle, steps, delta, orders) <= epsilon
        low, high = (low, middle) if enough else (middle, high)
    return high


# --- DP-SGD ------------------------------------------------------------------------------------


def train(model, images, labels, rng, *, sigma, bound, rate, share, steps, momentum=0.9):
    """DP-SGD: clip each example's gradient, sum, add noise, step. Changes ``model`` in place.

    Abadi and others, "Deep Learning with Differential Privacy", CCS 2016, algorithm 1. Each step
    takes every image with probability ``share``, alone and by chance, as the accountant assumes
    (shuffled batches are another mechanism); noise of deviation σ · bound is added to the sum,
    which is divided by the expected number of images. Momentum costs no privacy.

    images (n, ...) float32, labels (n,) whole numbers;  rng  a NumPy ``Generator``
    sigma  noise multiplier, 0 for clipping alone (then nothing is promised)
    bound  longest gradient of an example;   rate, momentum   of the step
    """
    import tensorflow as tf

    _share(share)
    for name, value, zero in (("sigma", sigma, True), ("bound", bound, False), ("rate", rate, 0)):
        _positive(name, value, zero=zero)
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{len(images)} images and {len(labels)} labels")
    refuse_mixing(model)
    check_precision(model)
    labels, variables = checked_examples(model, images, labels), model.trainable_variables
    check_logits(model, images[:8])
    check_row(model, images[:2])
    shape = [tf.TensorSpec((None, *images.shape[1:]), tf.float32), tf.TensorSpec((None,), tf.int32)]

    @tf.function(input_signature=shape)
    def gradients(x, y):
        return clipped_sum(per_example_gradients(model, x, y), bound)

    velocity = [np.zeros(v.shape, np.float32) for v in variables]
    for _ in range(steps):
        chosen = np.flatnonzero(rng.random(len(images)) < share)
        sums = [np.zeros_like(v) for v in velocity]  # what an empty sample adds
        if len(chosen):
            sums = [total.numpy() for total in gradients(images[chosen], labels[chosen])]
        for v, total, variable in zip(velocity, sums, variables, strict=True):
            noise = sigma * bound * rng.standard_normal(v.shape, np.float32)
            v[...] = momentum * v + (total + noise) / (share * len(images))
            variable.assign_sub(np.float32(rate) * v)


def _positive(name, value, zero=False):
    if not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name}={shown(value)}: a number {'from 0' if zero else 'above 0'}")


def _share(share):
    if not 0 < share <= 1:
        raise ValueError(f"share={shown(share)}: the share of the data in a step, above 0 up to 1")


def _delta(delta):
    if not 0 < delta < 1:
        raise ValueError(f"delta={shown(delta)}: a probability between 0 and 1, such as 1e-5")


def _order(order):
    if order != int(order) or order < 2:
        raise ValueError(f"order={shown(order)}: a whole number, 2 or more")
    return int(order)
