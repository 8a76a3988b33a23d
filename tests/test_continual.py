"""``helpers.continual``: what is remembered, and that the four strategies see what they say."""

import numpy as np
import pytest

from helpers import continual


def test_the_steps_hold_each_class_once_in_an_order_of_the_seed():
    for seed in range(3):
        steps = continual.order_of(seed)
        assert [len(step) for step in steps] == [4, 2, 2, 2]
        assert sorted(np.concatenate(steps)) == list(range(10))
    assert not np.array_equal(continual.order_of(0)[0], continual.order_of(1)[0])


def test_the_memory_is_balanced_bounded_and_forgets_for_good():
    labels, rng = np.repeat(np.arange(6), 50), np.random.default_rng(0)
    first = continual.keep(np.empty(0, int), np.flatnonzero(labels < 4), labels, 42, rng)
    counts = np.bincount(labels[first], minlength=6)
    assert counts.sum() == 42 and set(counts[:4]) == {10, 11}
    second = continual.keep(first, np.flatnonzero(labels >= 4), labels, 42, rng)
    assert list(np.bincount(labels[second])) == [7] * 6
    old = second[labels[second] < 4]
    assert set(old) <= set(first), "nothing comes back"
    assert len(set(second)) == 42
    with pytest.raises(ValueError, match="size=0"):
        continual.keep(first, first, labels, 0, rng)


@pytest.fixture(scope="module")
def blobs():
    """Ten classes that a network learns in a moment: a bright square in ten places."""
    rng = np.random.default_rng(0)

    def make(n):
        labels = np.tile(np.arange(10), n)
        images = rng.normal(100, 25, (10 * n, 28, 28))
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 5)
            image[row * 14 : row * 14 + 5, column * 5 : column * 5 + 5] += 150
        return images.clip(0, 255).astype(np.uint8), labels

    return *make(30), *make(10)


def test_new_only_forgets_and_the_others_do_not(blobs):
    found = {s: continual.learn(s, blobs, 0, 40, epochs=30) for s in continual.STRATEGIES}
    assert found["new only"][3] < 0.5 and found["new only"][0] > 0.9
    assert found["elastic"][3] < 0.5
    for name in ("gdumb", "from scratch"):
        assert found[name][3] > 0.8, name
    assert found["replay"][3] > found["new only"][3] + 0.3  # so few images are few steps


def test_importance_is_the_mean_of_squared_gradients_of_single_images():
    """Against ``_step``, an image at a time, with the labels that were drawn."""
    network, x = continual.Network(0), np.random.default_rng(0).random((40, 196))
    found = network.importance(x, np.random.default_rng(1))
    drawn = network.logits(x) + np.random.default_rng(1).gumbel(size=(40, 10))
    squares = [np.zeros_like(w) for w in network.weights]
    for image, label in zip(x, drawn.argmax(axis=1), strict=True):
        one = continual.Network(0)
        one._step(image[None], np.array([label]))  # the first moments are a tenth of the gradient
        for total, (m, _) in zip(squares, one.means, strict=True):
            total += (10 * m) ** 2 / 40
    for ours, theirs in zip(found, squares, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-9)


def test_springs_hold_what_matters(blobs):
    """A strong spring on every weight and nothing is learned; a weak one changes nothing."""
    x, y = continual.shrunk(blobs[0]), blobs[1]

    def moved(strength):
        network = continual.Network(0)
        start = [w.copy() for w in network.weights]
        network.fit(x, y, [(np.full_like(w, strength), w.copy()) for w in network.weights])
        return sum(float(np.abs(w - s).sum()) for w, s in zip(network.weights, start, strict=True))

    assert moved(1e6) < moved(0.0) / 2
    assert moved(0.0) == pytest.approx(moved(1e-9), rel=1e-3)


def test_the_same_seed_gives_the_same_numbers_and_tells_what_was_said(blobs):
    said = {}
    one = continual.learn("replay", blobs, 1, 20, 2, said=said)
    assert np.array_equal(one, continual.learn("replay", blobs, 1, 20, 2))
    assert sorted(said) == [0, 1, 2, 3] and one[3] == np.mean(said[3] == blobs[3])


def test_an_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="'hope'; there are new only"):
        continual.learn("hope", None, 0)


def test_the_table_has_five_seeds_of_each():
    table = continual.table()
    assert {scores.shape for scores in table.values()} == {(5, 4)}
    assert {name for name, _ in table} == set(continual.STRATEGIES)


def test_the_gradients_are_those_of_central_differences():
    rng = np.random.default_rng(0)
    x, y = rng.random((7, 196)), rng.integers(0, 10, 7)
    network = continual.Network(0)
    network.weights = [w.astype(float) for w in network.weights]

    def loss():
        z = network.logits(x)
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(7), y]))

    before = [w.copy() for w in network.weights]
    network._step(x, y)  # the first moments are a tenth of the gradients now
    found = [10 * m for m, _ in network.means]
    for w, start in zip(network.weights, before, strict=True):
        w[...] = start
    for w, gradient in zip(network.weights, found, strict=True):
        for index in [tuple(i) for i in rng.integers(0, w.shape, (5, w.ndim))]:
            w[index] += 1e-5
            up = loss()
            w[index] -= 2e-5
            slope = (up - loss()) / 2e-5
            w[index] += 1e-5
            assert gradient[index] == pytest.approx(slope, rel=1e-3, abs=1e-6)
