"""The gradient check itself, and with it every backward pass in helpers.layers.

What the check must do: pass right gradients, fail wrong ones, tell kinks from bugs, and refuse
input on which its verdict would mean nothing.
"""

import numpy as np
import pytest

from helpers import layers
from helpers.gradcheck import check_gradient, relative_error


def cubic(x):
    return np.sum(x**3 - 2 * x)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


# The check itself


def test_passes_the_right_gradient_and_counts(rng):
    x = rng.uniform(0.5, 2, (3, 4))
    before = x.copy()
    result = check_gradient(cubic, x, 3 * x**2 - 2)
    assert result.error < 1e-8
    assert (result.checked, result.skipped) == (12, 0)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "wrong, error",
    [
        (lambda g: -g, 2.0),
        (lambda g: 2 * g, 0.5),
        (lambda g: 1.001 * g, 1e-3),
        (lambda g: np.zeros_like(g), 1.0),
    ],
    ids=["sign", "factor 2", "a thousandth off", "zero"],
)
def test_finds_a_wrong_gradient_and_says_how_wrong(rng, wrong, error):
    x = rng.uniform(1, 2, 5)
    assert check_gradient(cubic, x, wrong(3 * x**2 - 2)).error == pytest.approx(error, rel=2e-3)


def test_names_the_worst_entry(rng):
    x = rng.uniform(1, 2, (4, 5))
    gradient = 3 * x**2 - 2
    gradient[2, 3] *= -1
    result = check_gradient(cubic, x, gradient)
    assert result.index == (2, 3)
    assert result.analytic == gradient[2, 3]
    assert result.numeric == pytest.approx(-gradient[2, 3], rel=1e-8)


def test_a_gradient_that_is_not_a_number_does_not_pass(rng):
    x = rng.uniform(1, 2, 5)
    gradient = 3 * x**2 - 2
    gradient[1] = np.nan
    result = check_gradient(cubic, x, gradient)
    assert np.isnan(result.error) and result.index == (1,)


def test_an_entry_that_does_not_matter_is_right_with_gradient_zero(rng):
    x = rng.normal(size=3)
    assert check_gradient(lambda x: x[0] ** 2, x, np.array([2 * x[0], 0, 0])).error < 1e-9


def test_without_a_pattern_a_kink_looks_like_a_bug():
    x = np.array([1.0, 3e-6])
    result = check_gradient(lambda x: np.maximum(x, 0).sum(), x, np.ones(2))
    # The difference quotient over ±1e-5 is (1.3e-5 - 0) / 2e-5.
    assert result.index == (1,)
    assert result.numeric == pytest.approx(0.65)
    assert result.error == pytest.approx(0.35)


@pytest.mark.parametrize("near", [3e-6, -3e-6, 0.0], ids=["right", "left", "on it"])
def test_with_a_pattern_the_kink_is_skipped(near):
    x = np.array([1.0, near, -1.0])
    result = check_gradient(
        lambda x: (np.maximum(x, 0).sum(), [x > 0]), x, (x > 0).astype(np.float64)
    )
    assert result.error < 1e-9
    assert (result.checked, result.skipped) == (2, 1)


def test_skips_where_a_maximum_changes_hands():
    x = np.array([2.0, 2.0 + 4e-6, 1.0])
    gradient = np.array([0.0, 1.0, 0.0])
    result = check_gradient(lambda x: (x.max(), [x.argmax()]), x, gradient)
    assert (result.checked, result.skipped) == (1, 2)
    assert result.error < 1e-9


def test_a_bug_beside_a_kink_is_still_found():
    x = np.array([1.0, 3e-6])
    result = check_gradient(lambda x: (np.maximum(x, 0).sum(), [x > 0]), x, -np.ones(2))
    assert result.error == pytest.approx(2.0)


def test_samples_without_repetition():
    x = np.linspace(1, 2, 50)
    seen = []

    def f(y):
        seen.extend(np.flatnonzero(y != x))
        return cubic(y)

    result = check_gradient(f, x, 3 * x**2 - 2, samples=20, rng=np.random.default_rng(5))
    assert result.checked == 20
    assert len(set(seen)) == 20 and len(seen) == 40


def test_a_smaller_step_reaches_closer_to_the_kink():
    x, f = np.array([3e-6]), lambda x: (np.maximum(x, 0).sum(), [x > 0])
    with pytest.raises(ValueError, match=r"all 1 entries are within 1e-05 of a kink"):
        check_gradient(f, x, np.ones(1))
    assert check_gradient(f, x, np.ones(1), step=1e-6).error < 1e-8


def test_relative_error_is_that_of_cs231n():
    np.testing.assert_allclose(
        relative_error(np.array([1.0, -1.0, 0.0, 1e-9]), np.array([1.1, 1.0, 0.0, 0.0])),
        [0.1 / 1.1, 2.0, 0.0, 0.1],
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.ones(3, np.float32)}, r"x: got float32, expected a NumPy array of float64"),
        ({"x": [1.0, 1.0, 1.0]}, r"x: got list, expected"),
        ({"gradient": np.ones(3, np.float32)}, r"gradient: got float32"),
        ({"gradient": np.ones((3, 1))}, r"gradient: got shape \(3, 1\), expected \(3,\)"),
        ({"step": 0.0}, r"step: got 0.0, expected a positive number"),
        ({"step": 1e-17}, r"step: got 1e-17, too small beside the values of x"),
        ({"samples": 0}, r"samples: got 0, expected 1 to 3"),
        ({"samples": 4}, r"samples: got 4, expected 1 to 3"),
        ({"f": lambda x: x}, r"f: returned array\(.*expected a finite scalar"),
        ({"f": lambda x: np.inf}, r"f: returned inf, expected a finite scalar"),
    ],
)
def test_refuses_what_makes_no_sense(change, message):
    arguments = {"f": cubic, "x": np.ones(3), "gradient": np.ones(3)} | change
    with pytest.raises(ValueError, match=message):
        check_gradient(**arguments)


# Every layer, with respect to its input and each of its parameters. The loss is the sum of the
# output times fixed random numbers, so that dy is those numbers.

CONVOLUTIONS = {
    "plain": {},
    "stride": {"stride": 2},
    "stride that leaves pixels unread": {"stride": 3},
    "same": {"padding": "same"},
    "same with stride": {"padding": "same", "stride": 2},
    "padding": {"padding": 2},
    "dilation": {"dilation": 2},
    "groups": {"groups": 2},
    "all at once": {"stride": 2, "padding": 1, "groups": 2, "dilation": 2},
}


def check_layer(forward, backward, arrays, rng, pattern=lambda cache: [], step=1e-5):
    """Check d(sum of y * dy) for each array; return the checks."""
    y, cache = forward(*arrays)
    dy = rng.normal(size=y.shape)
    gradients = backward(dy, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    assert len(gradients) == len(arrays)
    results = []
    for k, gradient in enumerate(gradients):

        def loss(array, k=k):
            y, cache = forward(*arrays[:k], array, *arrays[k + 1 :])
            return np.sum(y * dy), pattern(cache)

        results.append(check_gradient(loss, arrays[k], gradient, step=step, floor=1e-3))
    return results


@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_conv2d(rng, options):
    groups = options.get("groups", 1)
    arrays = [
        rng.normal(size=(2, 7, 6, 4)),
        rng.normal(size=(3, 2, 4 // groups, 6)),
        rng.normal(size=6),
    ]
    results = check_layer(
        lambda x, w, b: layers.conv2d(x, w, b, **options),
        layers.conv2d_backward,
        arrays,
        rng,
        step=1e-2,  # The loss is linear in each array: a large step only lowers the rounding.
    )
    assert max(result.error for result in results) < 1e-8


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, stride", [(2, 2), (3, 2), (3, 1)])
def test_max_pool(rng, size, stride, padding):
    arrays = [rng.normal(size=(2, 7, 8, 3))]
    (result,) = check_layer(
        lambda x: layers.max_pool(x, size, stride, padding),
        layers.max_pool_backward,
        arrays,
        rng,
        pattern=lambda cache: [cache[0]],
    )
    assert result.error < 1e-7
    assert result.skipped <= 2


def test_max_pool_where_two_values_tie_is_skipped():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    x[0, 0, 0, 0] = 8.0
    y, cache = layers.max_pool(x)
    result = check_gradient(
        lambda x: (layers.max_pool(x)[0].sum(), [layers.max_pool(x)[1][0]]),
        x,
        layers.max_pool_backward(np.ones_like(y), cache),
    )
    assert (result.checked, result.skipped) == (7, 2)
    assert result.error < 1e-9


@pytest.mark.parametrize("alpha", [1e-4, 0.5], ids=["as in the paper", "strong"])
@pytest.mark.parametrize("channels, radius", [(8, 2), (3, 2), (5, 0)])
def test_lrn(rng, channels, radius, alpha):
    arrays = [rng.normal(size=(2, 3, 2, channels))]
    (result,) = check_layer(
        lambda x: layers.lrn(x, radius, alpha=alpha), layers.lrn_backward, arrays, rng
    )
    assert result.error < 1e-6


def test_relu(rng):
    arrays = [rng.normal(size=(4, 5))]
    arrays[0][0, 0] = 2e-6
    (result,) = check_layer(
        layers.relu, layers.relu_backward, arrays, rng, pattern=lambda cache: [cache]
    )
    assert result.error < 1e-7
    assert result.skipped == 1


def test_dense(rng):
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=5)]
    results = check_layer(layers.dense, layers.dense_backward, arrays, rng, step=1e-2)
    assert max(result.error for result in results) < 1e-8


@pytest.mark.parametrize("training", [True, False])
def test_dropout(rng, training):
    (result,) = check_layer(
        # The same generator each time: a new mask would be another function.
        lambda x: layers.dropout(x, 0.5, np.random.default_rng(1), training),
        layers.dropout_backward,
        [rng.normal(size=(4, 6))],
        rng,
    )
    assert result.error < 1e-7


def test_softmax_cross_entropy(rng):
    logits, labels = rng.normal(size=(4, 6)), np.array([0, 5, 2, 2])
    _, gradient = layers.softmax_cross_entropy(logits, labels)
    result = check_gradient(
        lambda z: layers.softmax_cross_entropy(z, labels)[0], logits, gradient, floor=1e-3
    )
    assert result.error < 1e-7
