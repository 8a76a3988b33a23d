"""helpers.layers against TensorFlow in float64, over shapes, strides, paddings, groups, dilations.

TensorFlow's gradients of grouped convolutions on a CPU depend on its version, so the reference
slices the channels, convolves each group by itself and concatenates.
"""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import layers, tensorflow_layers

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def relative_error(ours, theirs):
    """Largest difference, relative to the largest value; shapes and dtypes must agree."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if theirs.size == 0:
        return 0.0
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-300)


def against_tensorflow(ours, backward, theirs, inputs, rng):
    """Largest relative error of the output and of every gradient, for a random dy."""
    y, cache = ours(*inputs)
    tensors = [tf.constant(a) for a in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        expected = theirs(*tensors)
    dy = rng.standard_normal(expected.shape)
    gradients = backward(dy, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    references = tape.gradient(expected, tensors, tf.constant(dy))
    pairs = [(y, expected), *zip(gradients, references, strict=True)]
    return max(relative_error(a, b) for a, b in pairs)


@st.composite
def convolutions(draw):
    """Arguments of a convolution that makes sense."""
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 2, 3]))
    kh, kw = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    padding = draw(st.sampled_from(["valid", "same", 0, 1, 2, 5]))
    total = 2 * padding if isinstance(padding, int) else 0
    sides = [draw(st.integers(max(dilation * (k - 1) + 1 - total, 1), 13)) for k in (kh, kw)]
    n, depth, filters = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    x = (n, *sides, depth * groups)
    w = (kh, kw, depth, filters * groups)
    return x, w, stride, padding, groups, dilation


def dilate(w, dilation):
    """Zeros between the entries of the kernels: TensorFlow's CPU gradients know no dilation."""
    across = [tf.eye(k, dtype=w.dtype) for k in w.shape[:2]]
    across = [
        tf.reshape(tf.pad(e[:, None], [[0, 0], [0, dilation - 1], [0, 0]]), (-1, len(e)))
        for e in across
    ]
    across = [e[: len(e) - dilation + 1] for e in across]
    return tf.einsum("Rr,Tt,rtck->RTck", *across, w)


def tensorflow_conv2d(x, w, b, stride, padding, groups, dilation):
    w = dilate(w, dilation)
    if isinstance(padding, int):
        x = tf.pad(x, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
        padding = "valid"
    y = [
        tf.nn.conv2d(part, kernels, stride, padding.upper())
        for part, kernels in zip(tf.split(x, groups, 3), tf.split(w, groups, 3), strict=True)
    ]
    return tf.concat(y, 3) + b


@SETTINGS
@given(convolutions(), st.sampled_from([1, 1000, layers.COLUMN_BYTES]), st.integers(0, 2**32 - 1))
def test_conv2d_is_tensorflows(case, column_bytes, seed):
    x, w, *options = case
    rng = np.random.default_rng(seed)
    inputs = [rng.standard_normal(shape) for shape in (x, w, w[-1:])]
    with mock.patch.object(layers, "COLUMN_BYTES", column_bytes):  # one image at a time, or more
        error = against_tensorflow(
            lambda *a: layers.conv2d(*a, *options),
            layers.conv2d_backward,
            lambda *a: tensorflow_conv2d(*a, *options),
            inputs,
            rng,
        )
    assert error <= 1e-10


@SETTINGS
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["valid", "same", 0, 1, 2]),
    st.tuples(st.integers(1, 3), st.integers(4, 14), st.integers(4, 14), st.integers(1, 4)),
    st.integers(0, 2**32 - 1),
)
def test_max_pool_is_tensorflows(size, stride, padding, shape, seed):
    if isinstance(padding, int) and padding >= size:
        padding = 0

    def theirs(x):
        mode = "VALID"
        if isinstance(padding, int):
            pads = [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]
            x = tf.pad(x, pads, constant_values=-np.inf)
        else:
            mode = padding.upper()
        return tf.nn.max_pool2d(x, size, stride, mode)

    rng = np.random.default_rng(seed)
    error = against_tensorflow(
        lambda x: layers.max_pool(x, size, stride, padding),
        layers.max_pool_backward,
        theirs,
        [rng.standard_normal(shape)],
        rng,
    )
    assert error <= 1e-10


def test_max_pool_gives_a_tie_to_the_first():
    _, cache = layers.max_pool(np.zeros((1, 3, 3, 1)), size=3)
    dx = layers.max_pool_backward(np.ones((1, 1, 1, 1)), cache)
    assert dx.ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]


@SETTINGS
@given(
    st.integers(0, 4),
    st.floats(0.5, 3),
    st.floats(1e-4, 1),
    st.floats(0.25, 1.5),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_lrn_is_the_papers(radius, bias, alpha, beta, channels, seed):
    """tf.nn.local_response_normalization has no float64; its formula in TensorFlow has."""

    def theirs(x):
        channel = np.arange(channels)
        window = np.abs(channel[:, None] - channel) <= radius
        return x / (bias + alpha * tf.tensordot(x**2, window.astype(float), 1)) ** beta

    rng = np.random.default_rng(seed)
    error = against_tensorflow(
        lambda x: layers.lrn(x, radius, bias, alpha, beta),
        layers.lrn_backward,
        theirs,
        [10 * rng.standard_normal((2, 3, 2, channels))],
        rng,
    )
    assert error <= 1e-9


def test_lrn_is_tensorflows_operation_in_float32():
    x = (30 * np.random.default_rng(0).standard_normal((2, 5, 5, 96))).astype(np.float32)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = tf.nn.local_response_normalization(tensor, 2, 2.0, 1e-4, 0.75)
    dy = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    y, cache = layers.lrn(x)
    assert relative_error(y, expected) <= 1e-6
    dx = layers.lrn_backward(dy, cache)
    assert relative_error(dx, tape.gradient(expected, tensor, tf.constant(dy))) <= 1e-6


@SETTINGS
@given(st.lists(st.integers(1, 6), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_dense_and_relu_are_tensorflows(sizes, seed):
    n, inputs, outputs = sizes
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(s) for s in ((n, inputs), (inputs, outputs), (outputs,))]
    error = against_tensorflow(
        layers.dense, layers.dense_backward, lambda x, w, b: x @ w + b, arrays, rng
    )
    assert error <= 1e-10
    error = against_tensorflow(layers.relu, layers.relu_backward, tf.nn.relu, arrays[:1], rng)
    assert error <= 1e-10


def test_relu_has_no_gradient_at_zero():
    y, cache = layers.relu(np.array([-1.0, 0.0, 2.0]))
    assert y.tolist() == [0, 0, 2]
    assert layers.relu_backward(np.ones(3), cache).tolist() == [0, 0, 1]


@SETTINGS
@given(
    st.integers(1, 6), st.integers(1, 8), st.sampled_from([1, 30, 1000]), st.integers(0, 2**32 - 1)
)
def test_softmax_cross_entropy_is_tensorflows(n, classes, spread, seed):
    rng = np.random.default_rng(seed)
    logits = spread * rng.standard_normal((n, classes))
    labels = rng.integers(classes, size=n)
    loss, dlogits = layers.softmax_cross_entropy(logits, labels)
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tensor)
        expected = tf.reduce_mean(each)
    assert abs(loss - float(expected)) <= 1e-9 * max(abs(float(expected)), 1e-6)
    assert np.abs(dlogits - tape.gradient(expected, tensor)).max() <= 1e-9


def test_softmax_cross_entropy_of_huge_logits_is_finite():
    loss, dlogits = layers.softmax_cross_entropy(np.array([[1e300, -1e300]]), np.array([1]))
    assert loss == pytest.approx(2e300)
    assert dlogits.tolist() == [[1, -1]]


def test_dropout_keeps_the_expected_value_and_the_mask():
    x = np.ones((200, 500))
    y, cache = layers.dropout(x, 0.25, np.random.default_rng(0), training=True)
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert abs(np.mean(y == 0) - 0.25) < 0.01
    assert np.array_equal(layers.dropout_backward(x, cache), y)


def test_dropout_does_nothing_when_not_training():
    x = np.ones((2, 3))
    y, cache = layers.dropout(x, 0.5, np.random.default_rng(0), training=False)
    assert y is x
    assert np.array_equal(layers.dropout_backward(x, cache), x)


def test_flatten_and_back():
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    rows, cache = layers.flatten(x)
    assert rows.tolist() == [list(range(12)), list(range(12, 24))]
    assert np.array_equal(layers.flatten_backward(rows, cache), x)


def test_a_network_of_these_layers_is_tensorflows():
    """The list of lab 3, smaller: loss and all gradients, the image's included."""
    rng = np.random.default_rng(5)
    network = [
        ("conv", layers.conv2d, layers.conv2d_backward, {"padding": "same", "groups": 2}),
        ("", layers.relu, layers.relu_backward, {}),
        ("", layers.lrn, layers.lrn_backward, {"alpha": 0.1}),
        ("", layers.max_pool, layers.max_pool_backward, {"padding": "same"}),
        ("", layers.flatten, layers.flatten_backward, {}),
        ("dense", layers.dense, layers.dense_backward, {}),
    ]
    weights = {
        "conv": [rng.standard_normal((3, 3, 2, 6)), rng.standard_normal(6)],
        "dense": [rng.standard_normal((54, 5)), rng.standard_normal(5)],
    }
    x, labels = rng.standard_normal((4, 6, 5, 4)), np.array([0, 4, 2, 2])
    y, caches = x, []
    for name, run, _, options in network:
        y, cache = run(y, *weights.get(name, ()), **options)
        caches.append(cache)
    loss, d = layers.softmax_cross_entropy(y, labels)
    ours = []
    for (name, _, run_back, _), cache in zip(network[::-1], caches[::-1], strict=True):
        d = run_back(d, cache)
        if name:
            d, *gradients = d
            ours = [*gradients, *ours]
    tensors = [tf.constant(a) for a in (x, *weights["conv"], *weights["dense"])]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        twin = {"conv": tensors[1:3], "dense": tensors[3:]}
        expected = tensorflow_layers.loss(network, tensors[0], labels, twin)
    theirs = tape.gradient(expected, tensors)
    assert loss == pytest.approx(float(expected), rel=1e-12)
    assert max(relative_error(a, b) for a, b in zip([d, *ours], theirs, strict=True)) <= 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 7, 7, 4)).astype(dtype)
    w = rng.standard_normal((3, 3, 2, 4)).astype(dtype)
    b = np.ones(4, dtype)
    results = []
    y, cache = layers.conv2d(x, w, b, 2, "same", 2)
    results += [y, *layers.conv2d_backward(y, cache)]
    y, cache = layers.max_pool(x)
    results += [y, layers.max_pool_backward(y, cache)]
    y, cache = layers.lrn(x)
    results += [y, layers.lrn_backward(y, cache)]
    y, cache = layers.relu(x)
    results += [y, layers.relu_backward(y, cache)]
    y, cache = layers.dropout(x, 0.5, rng, True)
    results += [y, layers.dropout_backward(y, cache)]
    flat = x.reshape(2, -1)
    y, cache = layers.dense(flat, flat.T.copy(), np.ones(2, dtype))
    results += [y, *layers.dense_backward(y, cache)]
    results += layers.softmax_cross_entropy(y, np.array([0, 1]))
    assert {r.dtype for r in results} == {np.dtype(dtype)}


def test_inputs_are_not_changed():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 5, 5, 2)), rng.standard_normal((3, 3, 2, 4))
    before = x.copy(), w.copy()
    y, cache = layers.conv2d(x, w, np.ones(4))
    dy = y.copy()
    layers.conv2d_backward(dy, cache)
    layers.max_pool(x)
    layers.lrn(x)
    layers.relu(x)
    assert np.array_equal(x, before[0])
    assert np.array_equal(w, before[1])
    assert np.array_equal(dy, y)


X, W, B = np.zeros((1, 5, 5, 4)), np.zeros((3, 3, 4, 6)), np.zeros(6)
DY, CACHE = layers.conv2d(X, W, B)
LOGITS, LABELS = np.zeros((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: layers.conv2d(X[0], W, B),
            "x, for depth=4 of w, groups=1: got float64 of shape (5,",
        ),
        (lambda: layers.conv2d([1], W, B), "x, for depth=4 of w, groups=1: got list of shape (1,)"),
        (lambda: layers.conv2d(X.astype(int), W, B), "x, for depth=4 of w, groups=1: got int64 of"),
        (
            lambda: layers.conv2d(X, W.astype(int), B),
            "w: got int64 of shape (3, 3, 4, 6), expected",
        ),
        (lambda: layers.conv2d(X, W.astype("f"), B), "x, for depth=4 of w, groups=1: got float64"),
        (lambda: layers.conv2d(X, W[:, :, :3], B), "x, for depth=3 of w, groups=1: got float64 of"),
        (
            lambda: layers.conv2d(X, W, B, groups=4),
            "w: got 6 filters, expected a multiple of groups",
        ),
        (lambda: layers.conv2d(X, W, B, groups=2), "x, for depth=4 of w, groups=2: got float64 of"),
        (lambda: layers.conv2d(X, W, B[:5]), "b: got float64 of shape (5,), expected float64 of"),
        (
            lambda: layers.conv2d(X, W, B.astype("f")),
            "b: got float32 of shape (6,), expected float64",
        ),
        (lambda: layers.conv2d(X, W, B, stride=0), "stride: got 0, expected a whole number, 1 or"),
        (lambda: layers.conv2d(X, W, B, stride=1.5), "stride: got 1.5, expected a whole number"),
        (lambda: layers.conv2d(X, W, B, groups=0), "groups: got 0, expected a whole number"),
        (lambda: layers.conv2d(X, W, B, padding="full"), "padding: got 'full', expected"),
        (lambda: layers.conv2d(X, W, B, padding=-1), "padding: got -1, expected"),
        (lambda: layers.conv2d(X, W, B, dilation=3), "x: got 5 pixels padded to 5, expected at"),
        (
            lambda: layers.conv2d_backward(X, CACHE),
            "dz: got float64 of shape (1, 5, 5, 4), expected",
        ),
        (
            lambda: layers.conv2d_backward(DY.astype("f"), CACHE),
            "dz: got float32 of shape (1, 3, 3,",
        ),
        (lambda: layers.max_pool(X, size=6), "x: got 5 pixels padded to 5, expected at least 6"),
        (lambda: layers.max_pool(X, size=2, padding=2), "padding: got 2, expected less than"),
        (lambda: layers.max_pool(X, size=0), "size: got 0, expected a whole number"),
        (
            lambda: layers.max_pool_backward(X, layers.max_pool(X)[1]),
            "da: got float64 of shape (1,",
        ),
        (
            lambda: layers.lrn(X, depth_radius=-1),
            "depth_radius: got -1, expected a whole number, 0",
        ),
        (lambda: layers.lrn(X, bias=0.0), "bias, alpha: got 0.0, 0.0001, expected bias > 0"),
        (
            lambda: layers.lrn(X[0]),
            "x: got float64 of shape (5, 5, 4), expected float32 or float64",
        ),
        (lambda: layers.dense(X[0, 0], B, B), "w: got float64 of shape (6,), expected float32 or"),
        (lambda: layers.dense(X[0, 0], LOGITS, B), "x: got float64 of shape (5, 4), expected"),
        (lambda: layers.dense(LOGITS.T, LOGITS, B), "b: got float64 of shape (6,), expected"),
        (
            lambda: layers.relu_backward(B[:1], layers.relu(B)[1]),
            "da: got float64 of shape (1,), expected float32 or float64 of shape (6)",
        ),
        (lambda: layers.lrn_backward(X[..., :1], layers.lrn(X)[1]), "da: got float64 of shape"),
        (
            lambda: layers.dense_backward(LOGITS[:1], layers.dense(X[0, 0], X[0, 0].T, B[:5])[1]),
            "dz: got float64",
        ),
        (lambda: layers.dropout(X, 1.0, None, True), "rate: got 1.0, expected from 0 up to"),
        (lambda: layers.softmax_cross_entropy(LOGITS, LABELS + 1), "labels: got 1 to 3, expected"),
        (lambda: layers.softmax_cross_entropy(LOGITS, LABELS - 1), "labels: got -1 to 1, expected"),
        (lambda: layers.softmax_cross_entropy(LOGITS, LABELS / 1), "labels: got float64 of shape"),
        (
            lambda: layers.softmax_cross_entropy(LOGITS, LABELS[:1]),
            "labels: got int64 of shape (1,)",
        ),
        (
            lambda: layers.softmax_cross_entropy(LOGITS[:0], LABELS[:0]),
            "labels: got int64 of shape",
        ),
        (lambda: layers.softmax_cross_entropy(LABELS, LABELS), "logits: got int64 of shape (2,)"),
        (lambda: layers.softmax_cross_entropy(LOGITS + np.nan, LABELS), "logits: got 6 values not"),
        (lambda: layers.softmax_cross_entropy(LOGITS + np.inf, LABELS), "logits: got 6 values not"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("shape", "kernel", "options"),
    [
        ((1, 600, 800, 3), (7, 7, 3, 8), {}),  # all windows: 277 MB
        ((1, 2, 20_000, 3), (2, 300, 3, 4), {}),  # a single row of windows: 142 MB
        ((2, 300, 400, 4), (5, 5, 2, 8), {"groups": 2, "padding": "same", "stride": 2}),
    ],
)
def test_a_large_image_takes_the_memory_of_its_output_and_not_of_its_windows(
    shape, kernel, options
):
    x, w = np.ones(shape, np.float32), np.ones(kernel, np.float32)
    tracemalloc.start()
    try:
        y, cache = layers.conv2d(x, w, np.zeros(kernel[-1], np.float32), **options)
        forward = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        layers.conv2d_backward(y, cache)
        backward = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    allowed = 3 * layers.COLUMN_BYTES + 2 * (x.nbytes + y.nbytes)  # padded and joined copies
    assert forward < allowed and backward < allowed + 2 * x.nbytes


def test_a_window_larger_than_the_room_is_taken_alone():
    x, w = np.ones((1, 9, 9, 2)), np.ones((8, 8, 2, 3))
    with mock.patch.object(layers, "COLUMN_BYTES", 100):
        y, cache = layers.conv2d(x, w, np.zeros(3))
        assert (y == 128).all() and y.shape == (1, 2, 2, 3)
        assert layers.conv2d_backward(y, cache)[1].sum() == 128 * 128 * 4 * 3


def test_no_images_give_no_outputs():
    y, cache = layers.conv2d(np.ones((0, 5, 5, 2)), np.ones((3, 3, 2, 4)), np.zeros(4))
    assert y.shape == (0, 3, 3, 4)
    assert [g.shape for g in layers.conv2d_backward(y, cache)] == [(0, 5, 5, 2), (3, 3, 2, 4), (4,)]


def test_a_pool_over_300_by_300_finds_the_last_pixel():
    x = np.zeros((1, 300, 300, 1), np.float32)
    x[0, -1, -1] = 1
    y, cache = layers.max_pool(x, size=300, stride=1)
    assert y.item() == 1
    np.testing.assert_array_equal(layers.max_pool_backward(np.ones_like(y), cache), x)


@pytest.mark.parametrize("x", [np.ones(4, int), [1.0, 2.0], np.ones(4, bool)])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_refuses_whole_numbers_and_lists(x, training):
    with pytest.raises(ValueError, match=r"x: got .*, expected float32 or float64 of shape \(\*\)"):
        layers.dropout(x, 0.5, np.random.default_rng(0), training)
