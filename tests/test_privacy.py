"""Attacks, the accountant, DP-SGD: closed forms, another accountant's numbers, the bound kept."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tools import ROOT, tool

from helpers import datasets, privacy

# --- the accountant ----------------------------------------------------------------------------

# What another program gives: dp-accounting 0.6.0 (Google, Apache 2.0; not a dependency),
#   RdpAccountant(orders).compose(SelfComposedDpEvent(PoissonSampledDpEvent(share,
#   GaussianDpEvent(sigma)), steps)).get_epsilon(delta), with the same whole orders; neighbors
#   differ by one example added or removed. `tools/compare_accountants.py` writes the lines again.
OTHERS = """
0.01 1.1 1000 1e-05 1.72529082 1.51537
0.01 0.7 500 1e-05 4.38597016 3.59694
0.05 1.0 300 1e-05 6.51274229 5.79531
0.05 4.0 300 1e-05 0.90768441 0.826025
0.1 2.0 100 0.001 1.79979471 1.54386
0.1 0.6 20 1e-05 12.9363414 10.4977
0.256 6.0 200 1e-05 2.73901433 2.51766
0.5 10.0 1000 1e-07 9.66697152 9.0772
1.0 5.0 1 1e-05 0.794522033 0.725522
1.0 20.0 100 1e-06 2.42145135 2.25409
"""


@pytest.mark.parametrize("line", OTHERS.strip().splitlines())
def test_epsilon_is_the_other_programs(line):
    share, sigma, steps, delta, same_orders, tight = map(float, line.split())
    ours = privacy.epsilon_of(share, sigma, int(steps), delta)
    assert ours == pytest.approx(same_orders, rel=1e-6)
    assert tight <= ours * (1 + 1e-6)  # theirs by privacy loss distributions: nothing is promised
    assert ours <= 1.25 * tight  # that is not kept, and a quarter at most is given away


def test_without_sampling_it_is_the_gaussian_mechanism():
    for order, sigma in itertools.product((2, 3, 10, 200), (0.5, 1.0, 7.0)):
        assert privacy.subsampled_rdp(order, 1, sigma) == order / (2 * sigma**2)
        near = privacy.subsampled_rdp(order, 1 - 1e-12, sigma)
        assert near == pytest.approx(order / (2 * sigma**2), rel=1e-6)


def test_order_two_has_a_closed_form():
    """log(1 + γ² (e^(1/σ²) − 1)): Mironov, Talwar and Zhang, section 3.3, with order 2."""
    for share, sigma in itertools.product((0.001, 0.1, 0.7), (0.6, 1.0, 4.0)):
        expected = np.log1p(share**2 * np.expm1(1 / sigma**2))
        assert privacy.subsampled_rdp(2, share, sigma) == pytest.approx(expected, rel=1e-9)


def test_divergence_by_integration():
    """The definition itself, E_Q[(P/Q)^ω] of two densities on the line."""
    z = np.linspace(-60, 60, 2_000_001)
    for order, share, sigma in ((2, 0.3, 1.0), (5, 0.1, 1.5), (9, 0.5, 3.0)):
        q = np.exp(-(z**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
        ratio = 1 - share + share * np.exp((2 * z - 1) / (2 * sigma**2))  # the mixture over q
        moment = np.trapezoid(q * ratio**order, z)
        expected = np.log(moment) / (order - 1)
        assert privacy.subsampled_rdp(order, share, sigma) == pytest.approx(expected, rel=1e-7)


@settings(max_examples=25, deadline=None)
@given(
    share=st.floats(0.001, 0.9),
    sigma=st.floats(0.5, 20),
    steps=st.integers(1, 2000),
    delta=st.floats(1e-9, 1e-2),
)
def test_more_data_a_step_less_noise_more_steps_less_delta_cost_more(share, sigma, steps, delta):
    epsilon = privacy.epsilon_of(share, sigma, steps, delta)
    least = epsilon * (1 - 1e-9)
    assert privacy.epsilon_of(min(1, share * 1.1), sigma, steps, delta) >= least
    assert privacy.epsilon_of(share, sigma / 1.1, steps, delta) >= least
    assert privacy.epsilon_of(share, sigma, steps + 1, delta) >= least
    assert privacy.epsilon_of(share, sigma, steps, delta / 2) >= least


@settings(max_examples=10, deadline=None)
@given(epsilon=st.floats(0.2, 20), share=st.floats(0.002, 1), steps=st.integers(1, 1000))
def test_noise_keeps_to_epsilon_and_no_more(epsilon, share, steps):
    sigma = privacy.noise_for(epsilon, share, steps, 1e-5)
    assert privacy.epsilon_of(share, sigma, steps, 1e-5) <= epsilon
    assert privacy.epsilon_of(share, sigma / 1.001, steps, 1e-5) > epsilon


def test_no_step_gives_nothing_away():
    assert privacy.epsilon_of(0.1, 1.0, 0, 1e-5) == 0


# --- membership --------------------------------------------------------------------------------


def test_attack_on_losses_that_say_nothing_is_a_coin():
    rng = np.random.default_rng(0)
    attack = privacy.membership(rng.exponential(size=2000), rng.exponential(size=2000), rng)
    assert attack.low <= 0.5 <= attack.high
    assert attack.advantage == pytest.approx(2 * attack.accuracy - 1)
    assert attack.found < 0.03


def test_attack_on_losses_that_say_all():
    rng = np.random.default_rng(0)
    attack = privacy.membership(rng.random(50), 2 + rng.random(50), rng)
    assert attack.accuracy == 1 and attack.advantage == 1 and attack.found == 1


def test_the_threshold_is_not_judged_where_it_was_chosen():
    """Chosen and judged on the same twenty losses, noise would look like a leak."""
    found = [
        privacy.membership(*np.random.default_rng(k).random((2, 10)), np.random.default_rng(k))
        for k in range(300)
    ]
    assert abs(np.mean([a.accuracy for a in found]) - 0.5) < 0.02


def test_found_counts_members_below_one_other_in_a_hundred():
    outside = np.arange(1, 101.0)  # with the threshold just under 2, one other lies below it
    inside = np.array([1.5] * 30 + [50.0] * 70)
    attack = privacy.membership(inside, outside, np.random.default_rng(0))
    assert attack.found == pytest.approx(0.3)


def test_most_accuracy_is_reached_by_randomized_response_and_no_more():
    """A coin that tells the truth with probability e^ε / (1 + e^ε) is ε-private: the worst case."""
    for epsilon in (0.0, 0.1, 1.0, 8.0, 800.0):
        truth = 1 / (1 + np.exp(-epsilon))
        assert privacy.most_accuracy(epsilon) == pytest.approx(truth)
    assert privacy.most_accuracy(1, 1e-5) > privacy.most_accuracy(1)
    assert privacy.most_accuracy(0, 0.2) == pytest.approx(0.6)  # found ≤ alarms + 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: privacy.subsampled_rdp(1, 0.1, 1), "order=1"),
        (lambda: privacy.subsampled_rdp(2.5, 0.1, 1), "whole number"),
        (lambda: privacy.subsampled_rdp(2, 0, 1), "share=0"),
        (lambda: privacy.subsampled_rdp(2, 1.1, 1), "share=1.1"),
        (lambda: privacy.subsampled_rdp(2, 0.1, 0), "sigma=0"),
        (lambda: privacy.subsampled_rdp(2, 0.1, float("nan")), "sigma=nan"),
        (lambda: privacy.epsilon_of(0.1, 1, -1, 1e-5), "steps=-1"),
        (lambda: privacy.epsilon_of(0.1, 1, 1.5, 1e-5), "whole number"),
        (lambda: privacy.epsilon_of(0.1, 1, 10, 0), "delta=0"),
        (lambda: privacy.noise_for(0, 0.1, 10, 1e-5), "epsilon=0"),
        (lambda: privacy.noise_for(1e-9, 1, 10**6, 1e-5), "no noise"),
        (lambda: privacy.membership(np.ones(9), np.ones(9), None), "at least ten"),
        (lambda: privacy.membership(np.ones(20), np.ones(19), None), "as many"),
        (lambda: privacy.membership(np.full(20, np.nan), np.ones(20), None), "not a number"),
        (lambda: privacy.membership(np.ones(20), np.ones(20), None, 0), "false_alarms=0"),
        (lambda: privacy.most_accuracy(-1), "epsilon=-1"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- DP-SGD ------------------------------------------------------------------------------------


def network(seed=0):
    import keras

    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh"),
            keras.layers.Conv2D(2, 2, activation="relu", use_bias=False),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )


def data(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6, 6, 1)).astype(np.float32), rng.integers(0, 4, n).astype(np.int32)


def test_per_example_gradients_are_those_of_one_image_at_a_time():
    import tensorflow as tf

    model, (x, y) = network(), data(5)
    found = privacy.per_example_gradients(model, tf.constant(x), tf.constant(y))
    for n in range(5):
        with tf.GradientTape() as tape:
            logits = model(x[n : n + 1])
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y[n : n + 1], logits)
        for mine, one in zip(found, tape.gradient(loss, model.trainable_variables), strict=True):
            np.testing.assert_allclose(mine[n], one, rtol=1e-4, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(1e-6, 1e6), bound=st.floats(1e-3, 1e3), seed=st.integers(0, 10**6))
def test_no_example_adds_more_than_the_bound(scale, bound, seed):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(4, 2, 3)) * scale, rng.normal(size=(4, 5)) * scale]
    parts = [tf.constant(part.astype(np.float32)) for part in parts]
    whole = privacy.clipped_sum(parts, bound)
    for n in range(4):
        without = privacy.clipped_sum([part[np.arange(4) != n] for part in parts], bound)
        moved = [(a - b).numpy().ravel() for a, b in zip(whole, without, strict=True)]
        assert np.linalg.norm(np.concatenate(moved)) <= bound * (1 + 1e-3)


def test_without_clipping_noise_or_sampling_it_is_gradient_descent():
    import tensorflow as tf

    model, same, (x, y) = network(), network(), data(12)
    rng = np.random.default_rng(0)
    privacy.train(model, x, y, rng, sigma=0, bound=1e6, rate=0.3, share=1, steps=3, momentum=0)
    for _ in range(3):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, same(x))
            loss = tf.reduce_mean(losses)
        for v, g in zip(
            same.trainable_variables, tape.gradient(loss, same.trainable_variables), strict=True
        ):
            v.assign_sub(0.3 * g)
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_noise_has_the_deviation_that_was_asked_for():
    """With gradients clipped to next to nothing, one step is the noise alone."""
    model, (x, y) = network(), data(40)
    before = [w.copy() for w in model.get_weights()]
    options = {"sigma": 1e6, "bound": 1e-6, "rate": 1.0, "share": 0.5, "steps": 1}
    privacy.train(model, x, y, np.random.default_rng(3), **options)
    moved = [(a - b).ravel() for a, b in zip(model.get_weights(), before, strict=True)]
    moved = np.concatenate(moved) * 0.5 * 40  # 1e6 · 1e-6 on the sum of an expected 20
    assert moved.std() == pytest.approx(1, rel=0.25)
    assert abs(moved.mean()) < 0.4


def test_an_empty_sample_still_adds_noise():
    model, (x, y) = network(), data(2)
    before = model.get_weights()[0].copy()
    options = {"sigma": 1.0, "bound": 1.0, "rate": 0.1, "share": 1e-6, "steps": 2}
    privacy.train(model, x, y, np.random.default_rng(0), **options)
    assert np.abs(model.get_weights()[0] - before).max() > 0


def test_layers_whose_gradients_cannot_be_told_apart_are_refused():
    import keras

    for layer, words in (
        (keras.layers.BatchNormalization(), "mixes the examples"),
        (keras.layers.Conv2D(4, 2, groups=2), "groups"),
        (keras.layers.DepthwiseConv2D(2), "DepthwiseConv2D"),
    ):
        model = keras.Sequential([keras.Input((4, 4, 2)), layer, keras.layers.Flatten()])
        with pytest.raises(ValueError, match=words):
            privacy.refuse_mixing(model)


def test_a_frozen_layer_has_no_gradients_and_stays():
    model, (x, y) = network(), data(6)
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    options = {"sigma": 1.0, "bound": 1.0, "rate": 0.1, "share": 0.9, "steps": 2}
    privacy.train(model, x, y, np.random.default_rng(0), **options)
    for a, b in zip(before, model.layers[0].get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"share": 0}, "share=0"),
        ({"bound": 0}, "bound=0"),
        ({"sigma": -1}, "sigma=-1"),
        ({"rate": float("inf")}, "rate=inf"),
    ],
)
def test_bad_settings_of_training_are_refused(change, words):
    x, y = data(3)
    options = {"sigma": 1, "bound": 1, "rate": 0.1, "share": 0.5, "steps": 1} | change
    with pytest.raises(ValueError, match=words):
        privacy.train(network(), x, y, np.random.default_rng(0), **options)


def functional(kind):
    import keras

    inputs = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(inputs)
    dense = keras.layers.Dense(36)
    if kind == "twice":
        flat = dense(dense(flat))
    if kind == "branch":
        flat = dense(flat) * keras.layers.Dense(36)(flat)
    return keras.Model(inputs, keras.layers.Dense(4)(flat))


def once(model=None, x=None, y=None):
    images, labels = data(6)
    options = {"sigma": 0, "bound": 1.0, "rate": 0.1, "share": 1, "steps": 1}
    x = images if x is None else x
    labels = labels if y is None else y
    privacy.train(model or network(), x, labels, np.random.default_rng(0), **options)


def test_a_functional_network_in_a_row_trains():
    model = functional("row")
    before = model.get_weights()
    once(model)
    assert not np.array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize("kind", ["twice", "branch"])
def test_a_network_that_is_no_row_is_refused(kind):
    with pytest.raises(ValueError, match="do not stand in a row"):
        once(functional(kind))


def test_what_would_train_something_else_is_refused():
    import keras

    held, soft = network(), network()
    held.layers[0].kernel.regularizer = keras.regularizers.L2(1.0)
    soft.layers[-1].activation = keras.activations.softmax
    x, y = data(6)
    for case, words in (
        ({"model": held}, "adds a loss of its own"),
        ({"model": soft}, "ends in softmax"),
        ({"y": y + 0.5}, "give a whole number, the class"),
        ({"y": y + 9}, "labels run from"),
        ({"x": (9 * x).astype(np.uint8)}, "images are uint8; divide by 255"),
        ({"x": x * np.nan}, "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=words):
            once(**case)


# --- the full-size runs ---------------------------------------------------------------------------


def test_the_table_of_full_size_runs_is_of_the_script_as_it_stands(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    script = tool("measure_privacy")
    rows = datasets.table_rows("privacy.csv")
    assert list(rows[0]) == script.KEY + script.RESULT
    keys = [tuple(row[name] for name in script.KEY) for row in rows]
    assert len(set(keys)) == len(keys) and {key[0] for key in keys} <= set(script.STAGES)
    for row in rows:
        assert 0.1 < float(row["value"]) < 1, row
        if row["test"] and row["stage"] != "members":  # whose value is the attack's accuracy
            assert abs(float(row["test"]) - float(row["value"])) < 0.25, row
    # Lab 15 reads this stage in its order: seed by seed, look by look.
    looks = [key[1:] for key in keys if key[0] == "members"]
    wanted = itertools.product(range(5), ("dropout 0.0", "dropout 0.5"), range(10))
    assert looks == [(what, str(look), str(seed)) for seed, what, look in wanted]
    found = {k[1:]: float(r["value"]) for k, r in zip(keys, rows, strict=True) if k[0] == "private"}
    for what, bounds in script.TRIES.items():  # the held-out images have chosen rate and bound
        settings = []
        for bound, rates in bounds.items():
            tried = {rate: found[what, f"choose rate {rate}, bound {bound}", "0"] for rate in rates}
            settings.append(f"rate {max(tried, key=tried.get)}, bound {bound}")
        for epsilon in script.EPSILONS:
            names = [f"epsilon {epsilon}, {setting}" for setting in settings]
            best = max(names, key=lambda name, what=what: found[what, name, "0"])
            used = [k[1] for k in found if k[0] == what and k[1].startswith(names[0][:10])]
            assert set(used) == set(names), what
            assert used.count(best) == max(map(used.count, names)), what
