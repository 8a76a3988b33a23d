"""FGSM (Goodfellow, Shlens and Szegedy 2015) and PGD (Madry and others 2018)."""

import keras
import numpy as np
import tensorflow as tf

from helpers import session
from helpers.networks import check_finite_images, check_precision
from helpers.words import shown


def cross_entropy(logits, labels):
    """−log p of the labeled class, (n,): nearly constant, with a gradient that vanishes, where a
    network is very sure."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def margin(logits, labels):
    """The largest other logit minus that of the label, (n,): positive if the answer is wrong.

    Carlini and Wagner (2017), their f6 with κ = ∞. Its gradient does not vanish when the network
    is sure.
    """
    own = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)
    others = tf.reduce_max(tf.where(own, tf.float32.min, logits), axis=1)
    return others - tf.reduce_max(tf.where(own, logits, tf.float32.min), axis=1)


LOSSES = {"cross-entropy": cross_entropy, "margin": margin}


def step_length(epsilon, steps):
    """2.5 ε / steps, at most ε: what PGD takes by default."""
    return min(epsilon, 2.5 * epsilon / steps)


def project(moved, images, epsilon):
    """``moved`` brought back: each pixel within ``epsilon`` of ``images`` and within [0, 1]."""
    low, high = _box(images, epsilon)
    return np.clip(moved, low, high)


def fgsm(model, images, labels, epsilon, *, loss="cross-entropy", targeted=False, batch=500):
    """One step of ``epsilon`` up the sign of the gradient: images (n, h, w, c) float32.

    x' = clip(x + ε sign ∇L(x, y), 0, 1), Goodfellow and others, section 4; arguments as in ``pgd``.
    Where the gradient of a pixel is exactly 0 it stays as it is.
    """
    checked = check(model, images, labels, epsilon, loss)
    return _in_batches(
        batch, checked, lambda x, y: _ascend(model, loss, targeted, x, y, epsilon, x, epsilon, 1)[0]
    )


def pgd(
    model, images, labels, epsilon, *, steps=20, rate=None, restarts=1, random_start=True,
    loss="cross-entropy", targeted=False, rng=None, batch=500,
):  # fmt: skip
    """Projected gradient ascent: images (n, h, w, c) float32, the worst that was met of each.

    x ← Π(x + rate · sign ∇L(x, y)), Madry and others, section 2.1; Π is ``project``. "Worst" is
    the largest margin over all steps and restarts, so an image once deceived stays deceived.

    images    (n, h, w, c) float from 0 to 1;   labels  (n,) integers, the right classes
    epsilon   largest change of a pixel, 0 to 1
    steps, rate   of them, and their length in units of a pixel: 2.5 ε / steps, at most ε
    restarts  how often to begin anew, each time from a random point of the box
    random_start  ``False``: begin at the image itself (then one restart is all that makes sense)
    loss      ``"cross-entropy"`` or ``"margin"``
    targeted  ``True``: ``labels`` are what the network *should* say, and the loss falls
    rng       a NumPy generator; ``None``: one that depends on the session's seed alone

    Raises ``ValueError`` for arguments that do not fit, and for a network that gives probabilities.
    """
    checked = check(model, images, labels, epsilon, loss)
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps={steps}, restarts={restarts}: there must be one or more of each")
    rate = step_length(epsilon, steps) if rate is None else rate
    if not 0 <= rate <= epsilon:
        raise ValueError(
            f"rate={rate} with epsilon={epsilon}: a step longer than epsilon jumps from edge to "
            "edge of the box; its length is in units of a pixel, like epsilon"
        )
    rng = rng or session.rng(9)

    def attack(x, y):
        best, most = x, np.full(len(x), -np.inf, np.float32)
        for _ in range(restarts):
            noise = rng.uniform(-epsilon, epsilon, x.shape) if random_start else 0
            start = project(np.float32(x + noise), x, epsilon)
            found, score = _ascend(model, loss, targeted, x, y, epsilon, start, rate, steps)
            better = score > most
            best = np.where(better[:, None, None, None], found, best)
            most = np.maximum(score, most)
        return best

    return _in_batches(batch, checked, attack)


def gradient(model, images, labels, *, loss="cross-entropy", batch=500):
    """∂L/∂x for each image, (n, h, w, c) float32, of the loss of that image alone."""
    checked = check(model, images, labels, 0.0, loss)
    one = tf.constant(False)
    return _in_batches(batch, checked, lambda x, y: _slope(model, loss, one, x, y)[0].numpy())


def margins(model, images, labels, *, batch=500):
    """The margin of each image, (n,) float32: positive if the network is wrong."""
    checked = check(model, images, labels, 0.0)
    return _in_batches(batch, checked, lambda x, y: _margin(model, x, y).numpy())


def logits_of(model, x):
    """Logits of a tensor of images, as at test time."""
    return model(x, training=False) if isinstance(model, keras.Model) else model(x)


@tf.function(autograph=False, reduce_retracing=True)
def _slope(model, loss, targeted, x, y):
    """The gradient that an attack goes up, and the margin of what it has deceived so far."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = logits_of(model, x)
        total = tf.reduce_sum(LOSSES[loss](logits, y))
    slope = tape.gradient(total, x)
    slope = tf.zeros_like(x) if slope is None else slope
    sign = tf.where(targeted, -1.0, 1.0)
    return sign * slope, sign * margin(logits, y)


@tf.function(autograph=False, reduce_retracing=True)
def _margin(model, x, y):
    return margin(logits_of(model, x), y)


def _ascend(model, loss, targeted, x, y, epsilon, start, rate, steps):
    """``steps`` from ``start``: the point with the largest margin after the first step, and it."""
    low, high = _box(x, epsilon)
    moved, best, most = start, start, np.full(len(x), -np.inf, np.float32)
    sign = -1 if targeted else 1
    flag, y = tf.constant(targeted), tf.constant(y)
    for step in range(steps + 1):
        if step == steps:
            score = sign * _margin(model, tf.constant(moved), y).numpy()
        else:
            slope, score = (t.numpy() for t in _slope(model, loss, flag, tf.constant(moved), y))
        if step > 0 or steps > 1:  # of one step its end, which is FGSM; of several the best
            better = score > most
            best = np.where(better[:, None, None, None], moved, best)
            most = np.maximum(score, most)
        if step < steps:
            moved = np.clip(moved + np.float32(rate) * np.sign(slope), low, high)
    return best, most


def _box(images, epsilon):
    images, epsilon = np.asarray(images, np.float32), np.float32(epsilon)
    return np.maximum(images - epsilon, 0), np.minimum(images + epsilon, 1)


def _in_batches(batch, checked, function):
    images, labels = checked
    parts = [slice(i, i + batch) for i in range(0, len(images), batch)]
    return np.concatenate([function(images[part], labels[part]) for part in parts])


def check(model, images, labels, epsilon, loss="cross-entropy"):
    """Images as float32 and labels as int32; ``ValueError`` says what is wrong with what."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or not len(images) or labels.shape != (len(images),):
        raise ValueError(
            f"images {images.shape} and labels {labels.shape}: needs (n, h, w, c) images, at least "
            "one, and a label for each"
        )
    if images.dtype.kind != "f":
        raise ValueError(f"images are {images.dtype}: divide by 255, an attack needs 0 to 1")
    check_finite_images("images", images)
    if images.min() < 0 or images.max() > 1:
        raise ValueError(
            f"images lie between {images.min():g} and {images.max():g}, not 0 and 1: let the "
            "network's first layer bring them to its own scale (keras.layers.Rescaling)"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype}; needs integers, the right classes")
    if isinstance(epsilon, bool) or not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon={epsilon}: it lies from 0 to 1, as pixels do, such as 8 / 255")
    if loss not in LOSSES:
        raise ValueError(f"loss={shown(loss)}; there are {', '.join(map(repr, LOSSES))}")
    if isinstance(model, keras.Model):
        check_precision(model)
    images = images.astype(np.float32)
    logits = np.asarray(logits_of(model, tf.constant(images[:8])))
    if logits.ndim != 2 or len(logits) != len(images[:8]):
        raise ValueError(f"the network gives {logits.shape}, not (n, classes) logits")
    if logits.shape[1] < 2:
        raise ValueError("the network gives one number, so there is no other class: it needs two")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, and the network has "
            f"{logits.shape[1]} classes, from 0 to {logits.shape[1] - 1}"
        )
    if logits.min() >= 0 and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "the network gives probabilities; an attack needs logits, before the softmax, whose "
            "gradient does not vanish"
        )
    return images, labels.astype(np.int32)
