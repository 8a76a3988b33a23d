"""The gradient check itself, and what it does where layers have kinks.

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


# Where the layers have kinks. That their gradients are right is tested in test_layers.py.


@pytest.mark.parametrize("size, stride", [(2, 2), (3, 2), (3, 1)])
def test_max_pool_agrees_where_no_winner_changes(rng, size, stride):
    x = rng.normal(size=(2, 7, 8, 3))
    y, cache = layers.max_pool(x, size, stride)
    dy = rng.normal(size=y.shape)

    def loss(x):
        y, (winner, *_) = layers.max_pool(x, size, stride)
        return np.sum(y * dy), [winner]

    result = check_gradient(loss, x, layers.max_pool_backward(dy, cache), floor=1e-3)
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


def test_relu_beside_its_kink_is_skipped(rng):
    x, dy = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    x[0, 0] = 2e-6
    gradient = layers.relu_backward(dy, layers.relu(x)[1])
    result = check_gradient(
        lambda x: (np.sum(layers.relu(x)[0] * dy), [x > 0]), x, gradient, floor=1e-3
    )
    assert result.error < 1e-7
    assert result.skipped == 1


@pytest.mark.parametrize("training", [True, False])
def test_dropout_with_one_mask(rng, training):
    x, dy = rng.normal(size=(4, 6)), rng.normal(size=(4, 6))

    def run(x):  # the same generator each time: a new mask would be another function
        return layers.dropout(x, 0.5, np.random.default_rng(1), training)

    gradient = layers.dropout_backward(dy, run(x)[1])
    assert check_gradient(lambda x: np.sum(run(x)[0] * dy), x, gradient, floor=1e-3).error < 1e-7


@pytest.mark.parametrize("rng", [1, np.random, "seed"])
def test_what_is_no_generator_and_an_empty_array_are_refused(rng):
    x = np.ones(9)
    with pytest.raises(ValueError, match=r"rng: got .*, expected a generator, np\.random\.default"):
        check_gradient(lambda z: (z**2).sum(), x, 2 * x, samples=3, rng=rng)
    with pytest.raises(ValueError, match="x: got an empty array"):
        check_gradient(lambda z: 0.0, np.zeros(0), np.zeros(0))
