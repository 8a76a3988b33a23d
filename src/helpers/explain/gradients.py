"""Maps from gradients. Each function: network, images (n, H, W, C), labels -> maps of that shape.

``z_y(x)`` is the network's output for the label. Baselines and noise are in units of the images.
"""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf

from helpers.explain.asking import batch_of, check_slopes, checked, filling
from helpers.networks import layers_of
from helpers.words import shown


def gradient(model, images, labels, batch=None):
    """∂z_y/∂x, which says what a very small change of each pixel would do.

    Simonyan, Vedaldi and Zisserman (2014, arXiv:1312.6034), section 3, who show its absolute
    value. ``batch`` images at a time, by default what memory allows.
    """
    images, labels = checked(model, images, labels)
    batch = batch_of(images, batch)
    parts = [slice(i, i + batch) for i in range(0, len(images), batch)]
    slope_of = _slope_of(model, images, len(parts))
    return np.concatenate([_gradient(slope_of, images[p], labels[p]) for p in parts])


def _slope(model, x, labels):
    """∂z_y/∂x and z, of tensors. Images do not mix, so the sum's slope is each image's own."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        z = model(x, training=False)
        own = tf.reduce_sum(z * tf.one_hot(labels, z.shape[1], dtype=z.dtype))
    slope = tape.gradient(own, x)
    return (tf.zeros_like(x) if slope is None else slope), z


def _slope_of(model, images, passes):
    """``_slope`` of the network as it is now; compiled if it has many passes to make.

    Compiled, EfficientNet takes a sixth of the time. What says ``run_eagerly`` runs eagerly.
    """
    slope_of = functools.partial(_slope, model)
    if passes <= 2 or getattr(model, "run_eagerly", False):
        return slope_of
    signature = [tf.TensorSpec((None, *images.shape[1:])), tf.TensorSpec((None,), tf.int64)]
    return tf.function(slope_of, input_signature=signature, autograph=False)


def _gradient(slope_of, images, labels):
    slope, z = slope_of(tf.constant(images), tf.constant(labels))
    slope = slope.numpy()
    check_slopes(np.asarray(z, np.float32), slope)
    return slope


def gradient_times_input(model, images, labels, baseline=0.0, batch=None):
    """(x − x′) ∂z_y/∂x. For a linear network the contribution of each pixel, exactly.

    Shrikumar and others (2016, arXiv:1605.01713); ``baseline`` x′ is a number or an image.
    """
    images, labels = checked(model, images, labels)
    return (images - filling(baseline, images)) * gradient(model, images, labels, batch)


def smooth_grad(model, images, labels, rng, samples=25, spread=0.15, batch=None):
    """The mean of ∂z_y/∂x over ``samples`` noisy copies: x plus normal noise.

    Smilkov and others (2017, arXiv:1706.03825), section 3.1; the noise has the standard deviation
    ``spread`` times the images' range, and comes from ``rng``.
    """
    images, labels = checked(model, images, labels)
    _positive(samples=samples)
    if not spread >= 0:
        raise ValueError(f"spread={shown(spread)}: a share of the images' range, 0 or more")
    sigma = np.float32(spread * np.ptp(images))

    def noisy(which, _):
        shape = (len(which), *images.shape[1:])
        return images[which] + sigma * rng.standard_normal(shape, np.float32)

    return _mean_gradient(model, images, noisy, labels, samples, batch_of(images, batch))


def integrated_gradients(model, images, labels, baseline=0.0, steps=50, batch=None):
    """(x − x′) times the mean of ∂z_y/∂x on the straight way from the baseline x′ to x.

    Sundararajan, Taly and Yan (2017, arXiv:1703.01365), equations 1 and 3, with the midpoints of
    ``steps`` equal parts. Completeness: a map's sum is z_y(x) − z_y(x′) as the steps grow; see
    ``completeness_error``. ``baseline`` is a number or an image.
    """
    images, labels = checked(model, images, labels)
    _positive(steps=steps)
    start = filling(baseline, images)

    def between(which, step):
        share = ((step + 0.5) / steps).astype(np.float32)[:, None, None, None]
        return start[which] + share * (images - start)[which]

    return (images - start) * _mean_gradient(
        model, images, between, labels, steps, batch_of(images, batch)
    )


def completeness_error(model, images, labels, maps, baseline=0.0):
    """|sum of a map − (z_y(x) − z_y(x′))| / |z_y(x) − z_y(x′)| for each image, (n,) float64."""
    images, labels = checked(model, images, labels)
    start = filling(baseline, images)
    rows = np.arange(len(images))
    change = [np.asarray(model(x, training=False), float)[rows, labels] for x in (images, start)]
    change = change[0] - change[1]
    sums = np.asarray(maps, np.float64).reshape(len(images), -1).sum(axis=1)
    return np.abs(sums - change) / np.abs(change)


def guided_backprop(model, images, labels, batch=None):
    """∂z_y/∂x, but each ReLU sends back only what is positive. It looks good; see the warning.

    Springenberg and others (2015, arXiv:1412.6806), section 3.4. Adebayo and others (2018,
    arXiv:1810.03292) found that its maps hardly change when the network's weights are random.
    Raises ``ValueError`` if the network has no ReLU.
    """
    with guided(model):
        return gradient(model, images, labels, batch)


@contextlib.contextmanager
def guided(model):
    """In the ``with`` block all ReLUs of ``model`` send back only positive gradients."""
    before = []
    try:
        for layer in layers_of(model).values():
            if isinstance(layer, keras.layers.ReLU):
                before.append((layer, "call", None))
                object.__setattr__(layer, "call", _guided(layer.max_value or np.inf))
            elif getattr(layer, "activation", None) is keras.activations.relu:
                before.append((layer, "activation", layer.activation))
                layer.activation = _guided(np.inf)
        if not before:
            raise ValueError(f"{model.name!r} has no ReLU, which guided backpropagation is about")
        yield
    finally:
        for layer, name, value in before:
            if value is None:
                object.__delattr__(layer, name)
            else:
                setattr(layer, name, value)


def _guided(most):
    @tf.custom_gradient
    def relu(x):
        def back(dy):
            return tf.where((x > 0) & (x < most) & (dy > 0), dy, tf.zeros_like(dy))

        return tf.minimum(tf.nn.relu(x), tf.cast(most, x.dtype)), back

    return relu


def _mean_gradient(model, images, images_at, labels, repeats, batch):
    """The mean of ∂z_y/∂x over ``repeats`` versions of each image: images_at(which, repeat)."""
    count = len(images)
    total, slope_of = None, _slope_of(model, images, -(-count * repeats // batch))
    for first in range(0, count * repeats, batch):
        which, repeat = np.divmod(np.arange(first, min(first + batch, count * repeats)), repeats)
        slopes = _gradient(slope_of, images_at(which, repeat), labels[which])
        if total is None:
            total = np.zeros((count, *slopes.shape[1:]), np.float64)
        np.add.at(total, which, slopes)
    return (total / repeats).astype(np.float32)


def _positive(**numbers):
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name}={shown(value)}: give a whole number from 1")
