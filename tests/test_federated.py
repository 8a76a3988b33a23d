"""Federated averaging: what it equals in its limits, how the shares are made, what travels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import federated


def labels(n=400, classes=10, seed=0):
    return np.random.default_rng(seed).integers(0, classes, n)


def network(seed=0):
    import keras

    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(3)]
    )


def data(n=30):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 5)).astype(np.float32), rng.integers(0, 3, n).astype(np.int32)


# --- shares ------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), clients=st.integers(1, 12), n=st.integers(40, 300))
def test_every_image_belongs_to_one_client(seed, clients, n):
    y, rng = labels(n, 4, seed), np.random.default_rng(seed)
    for shares in (
        federated.alike(y, clients, rng),
        federated.dirichlet(y, clients, 1.0, rng, least=0),
        federated.by_label(y, clients, 4, rng),
    ):
        assert len(shares) == clients
        assert sorted(np.concatenate(shares)) == list(range(n))


@pytest.mark.parametrize("each", [1, 2, 3, 10])
def test_few_kinds_each_and_none_left_out(each):
    y = labels(1000)
    shares = federated.by_label(y, 10, each, np.random.default_rng(0))
    assert [len(np.unique(y[share])) for share in shares] == [each] * 10
    assert len(np.unique(np.concatenate(shares))) == 1000
    owners = [sum(k in y[share] for share in shares) for k in range(10)]
    assert owners == [each] * 10


def test_a_small_concentration_is_less_even():
    y = labels(4000)

    def spread(concentration):
        shares = federated.dirichlet(y, 10, concentration, np.random.default_rng(0))
        return np.std([np.bincount(y[s], minlength=10) for s in shares])

    assert spread(0.1) > 1.5 * spread(1.0) > 3 * spread(100.0)


def test_alike_is_alike():
    y = labels(4000)
    shares = federated.alike(y, 10, np.random.default_rng(0))
    assert {len(s) for s in shares} == {400}
    assert np.abs(np.stack([np.bincount(y[s], minlength=10) for s in shares]) - 40).max() < 30


# --- the average -------------------------------------------------------------------------------


def test_the_average_counts_images():
    found = federated.average([[np.array([1.0, 2.0])], [np.array([5.0, 6.0])]], [3, 1])
    np.testing.assert_allclose(found[0], [2.0, 3.0])


def test_one_client_is_plain_sgd():
    (x, y), model, same = data(), network(), network()
    fed = federated.Federation(
        model, x, y, [np.arange(30)], np.random.default_rng(5), rate=0.2, batch=10, epochs=2
    )
    fed.run()
    step, rng = federated.sgd_step(same, 0.2), np.random.default_rng(5)
    for _ in range(2):
        order = rng.permutation(30)
        for start in (0, 10, 20):
            step(x[order[start : start + 10]], y[order[start : start + 10]])
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_one_full_step_each_is_the_gradient_of_all():
    """Unequal shares, weighed by their sizes: the step that one machine with all images makes."""
    (x, y), model, same = data(), network(), network()
    shares = [np.arange(0, 4), np.arange(4, 11), np.arange(11, 30)]
    rng = np.random.default_rng(0)
    fed = federated.Federation(model, x, y, shares, rng, rate=0.5, batch=None)
    step = federated.sgd_step(same, 0.5)
    for _ in range(3):
        fed.run()
        step(x, y)
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_bytes_are_counted_both_ways():
    (x, y), model = data(), network()
    fed = federated.Federation(
        model, x, y, [np.arange(15), np.arange(15, 30)], np.random.default_rng(0), rate=0.1
    )
    fed.run()
    fed.run(clients=[1])
    numbers = 5 * 4 + 4 + 4 * 3 + 3
    assert fed.bytes_sent == (2 * 2 + 2 * 1) * 4 * numbers and fed.rounds == 2
    assert federated.bytes_of(model) == 4 * numbers
    assert federated.bytes_of(model, bits=3) == -(-3 * numbers // 8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: federated.alike(labels(5), 6, None), "clients=6"),
        (lambda: federated.alike(np.ones(5), 2, None), "whole numbers"),
        (lambda: federated.dirichlet(labels(), 3, 0, None), "concentration=0"),
        (
            lambda: federated.dirichlet(labels(20), 10, 0.01, np.random.default_rng(0), least=2),
            "1,000 draws",
        ),
        (lambda: federated.by_label(labels(), 10, 11, np.random.default_rng(0)), "from 1 to 10"),
        (lambda: federated.by_label(labels(), 3, 2, np.random.default_rng(0)), "to nobody"),
        (lambda: federated.average([], []), "one for each"),
        (lambda: federated.average([[np.ones(2)], [np.ones(3)]], [1, 1]), "differ"),
        (lambda: federated.average([[np.ones(2)]], [0]), "counts of images"),
        (
            lambda: federated.average([[np.ones(2)], [np.array([1, np.nan])]], [1, 1]),
            "what client 1 sent has 1 of 2 values that are NaN.*leave this client out",
        ),
        (lambda: federated.bytes_of(network(), 0), "bits=0"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("shares", "options", "words"),
    [
        ([np.arange(3), np.arange(2, 5)], {}, "two shares"),
        ([np.arange(3), np.array([], int)], {}, "no image"),
        ([np.arange(31)], {}, "outside"),
        ([np.arange(3)], {"rate": 0}, "rate=0"),
        ([np.arange(3)], {"epochs": 0}, "epochs=0"),
    ],
)
def test_a_federation_that_makes_no_sense_is_refused(shares, options, words):
    x, y = data()
    with pytest.raises(ValueError, match=words):
        federated.Federation(
            network(), x, y, shares, np.random.default_rng(0), **({"rate": 0.1} | options)
        )


def a_federation(x=None, y=None, model=None):
    images, targets = data()
    x, y = images if x is None else x(images), targets if y is None else y(targets)
    shares = [np.arange(15), np.arange(15, 30)]
    return federated.Federation(
        model or network(), x, y, shares, np.random.default_rng(0), rate=0.1
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": lambda y: y + 0.7}, r"labels are float64 \(30,\) .*give a whole number"),
        ({"y": lambda y: np.eye(3)[y]}, r"labels are float64 \(30, 3\)"),
        ({"y": lambda y: y[:, None]}, r"\(30, 1\) for 30 images"),
        ({"y": lambda y: y + 5}, "the network has 3 classes, from 0 to 2"),
        ({"y": lambda y: y - 1}, "labels run from -1"),
        ({"x": lambda x: (255 * x).astype(np.uint8)}, "images are uint8; divide by 255"),
        ({"x": lambda x: x * np.nan}, r"images\[0\] has"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        a_federation(**change)


def test_a_network_that_ends_in_softmax_is_refused():
    import keras

    model = network()
    model.layers[-1].activation = keras.activations.softmax
    with pytest.raises(ValueError, match="ends in softmax, and the loss here takes logits"):
        a_federation(model=model)


@pytest.mark.parametrize("clients", [[2], [-1], []])
def test_a_client_that_is_not_there_is_refused(clients):
    with pytest.raises(ValueError, match="a round needs clients, from 0 to 1"):
        a_federation().run(clients)


def test_the_penalty_of_a_regularizer_is_trained_on():
    import keras

    plain, held = network(), network()
    held.layers[0].kernel.regularizer = keras.regularizers.L2(1.0)
    for model in (plain, held):
        a_federation(model=model).run()
    norms = [np.linalg.norm(model.layers[0].kernel) for model in (held, plain)]
    assert norms[0] < norms[1]
