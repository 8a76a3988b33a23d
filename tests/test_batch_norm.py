"""Batch normalization in NumPy: against Keras in float64, numerical gradients, and bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import batch_norm as bn
from helpers import layers
from helpers.gradcheck import check_gradient

SHAPES = st.one_of(
    st.tuples(st.integers(2, 6), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 4), st.integers(1, 5)),
)


def draw(shape, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(), rng.uniform(0.5, 3), shape)
    return x, *rng.normal(size=(2, shape[-1])), rng.normal(size=shape)


def keras_layer(x, gamma, b, delta, keep=0.9):
    layer = keras.layers.BatchNormalization(epsilon=delta, momentum=keep, dtype="float64")
    layer.build(x.shape)
    layer.gamma.assign(gamma), layer.beta.assign(b)
    return layer


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), st.sampled_from([1e-5, 1e-3, 0.1]))
def test_training_mode_is_that_of_keras(shape, seed, delta):
    x, gamma, b, dz = draw(shape, seed)
    z, cache = bn.batch_norm(x, gamma, b, delta)
    layer, inputs = keras_layer(x, gamma, b, delta), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        theirs = layer(inputs, training=True)
        loss = tf.reduce_sum(theirs * dz)
    gradients = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
    np.testing.assert_allclose(z, theirs, rtol=1e-9, atol=1e-10)
    for ours, other in zip(bn.batch_norm_backward(dz, cache), gradients, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-7, atol=1e-8)
    running = bn.RunningAverages(shape[-1], keep=0.9)
    running.update(*cache[:2])
    np.testing.assert_allclose(running.mean, layer.moving_mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(running.variance, layer.moving_variance, rtol=1e-9, atol=1e-12)
    ours = bn.batch_norm_inference(x, gamma, b, running.mean, running.variance, delta)
    np.testing.assert_allclose(ours, layer(inputs, training=False), rtol=1e-9, atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_central_differences(shape, seed):
    x, gamma, b, dz = draw(shape, seed)
    found = bn.batch_norm_backward(dz, bn.batch_norm(x, gamma, b, 0.1)[1])
    for i, gradient in enumerate(found):
        arguments = [x, gamma, b]

        def loss(value, i=i, arguments=arguments):
            changed = [*arguments[:i], value, *arguments[i + 1 :]]
            return float((bn.batch_norm(*changed, 0.1)[0] * dz).sum())

        assert check_gradient(loss, arguments[i], gradient, floor=1e-3).error < 1e-5


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_what_normalization_promises(shape, seed):
    x, _, _, dz = draw(shape, seed)
    axes, ones = tuple(range(len(shape) - 1)), np.ones(shape[-1])
    z, cache = bn.batch_norm(x, ones, 0 * ones, 1e-12)
    moved, _ = bn.batch_norm(3 * x - 7, ones, 0 * ones, 1e-12)
    if (x.std(axes) > 1e-3).all():
        np.testing.assert_allclose(z.mean(axes), 0, atol=1e-9)
        np.testing.assert_allclose(z.std(axes), 1, rtol=1e-5)
        np.testing.assert_allclose(moved, z, rtol=1e-5, atol=1e-7)
        dx, *_ = bn.batch_norm_backward(dz, cache)  # nothing is gained by a shift or a stretch
        size = np.abs(dz / cache[3]).max() * x.size  # of two images the whole gradient is 0
        along = (dx * (x - x.mean(axes))).sum(axes)
        np.testing.assert_allclose(dx.sum(axes), 0, atol=1e-12 * size)
        np.testing.assert_allclose(along, 0, atol=1e-6 * size)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_folded_convolution_does_both(channels, filters, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(2, 5, 5, channels)), rng.normal(size=(3, 3, channels, filters))
    b, gamma, offset, mean = rng.normal(size=(4, filters))
    variance = rng.uniform(0.1, 3, filters)
    two = bn.batch_norm_inference(layers.conv2d(x, w, b)[0], gamma, offset, mean, variance)
    one, _ = layers.conv2d(x, *bn.fold(w, b, gamma, offset, mean, variance))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


def test_float32_stays_float32():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    ones = np.ones(3, np.float32)
    z, cache = bn.batch_norm(x, ones, ones)
    assert z.dtype == np.float32 and bn.batch_norm_backward(z, cache)[0].dtype == np.float32
    assert bn.batch_norm_inference(x, ones, ones, ones, ones).dtype == np.float32


def test_running_averages_forget_their_start():
    running = bn.RunningAverages(2, keep=0.5)
    for _ in range(60):
        running.update(np.array([3.0, -1.0]), np.array([4.0, 0.25]))
    np.testing.assert_allclose(running.mean, [3, -1])
    np.testing.assert_allclose(running.variance, [4, 0.25])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: bn.batch_norm(np.ones(3), np.ones(3), np.ones(3)), "x: got float64 of shape"),
        (lambda: bn.batch_norm(np.ones((2, 3), int), np.ones(3), np.ones(3)), "x: got int64"),
        (lambda: bn.batch_norm([[1.0]], np.ones(1), np.ones(1)), "x: got list"),
        (lambda: bn.batch_norm(np.ones((0, 3)), np.ones(3), np.ones(3)), "x: got"),
        (lambda: bn.batch_norm(np.ones((2, 3)), np.ones(2), np.ones(3)), "gamma: got shape"),
        (lambda: bn.batch_norm(np.ones((2, 3)), np.ones(3), np.ones(3), 0), "delta=0"),
        (lambda: bn.fold(np.ones((1, 1, 2, 3)), *[np.ones(2)] * 5), "b: got shape"),
        (lambda: bn.batch_norm_inference(*[np.ones((2, 1))], *[np.ones(1)] * 3, -np.ones(1)),
         "variance: got a negative"),
        (lambda: bn.batch_norm_backward(
            np.ones((3, 1)), bn.batch_norm(np.ones((2, 1)), np.ones(1), np.ones(1))[1]), "dz: got"),
        (lambda: bn.RunningAverages(2, keep=1), "keep=1"),
        (lambda: bn.RunningAverages(2).update(np.ones(3), np.ones(2)), "mean: got shape"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
