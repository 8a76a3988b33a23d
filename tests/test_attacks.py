"""Attacks keep their bounds, agree with plain NumPy where there is a closed form, and refuse
what makes no sense; certificates hold where the truth is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers import attacks, datasets, session

SHAPE = (4, 5, 2)
PIXELS = int(np.prod(SHAPE))


def linear(weights, bias):
    """A network whose logits are ``pixels @ weights + bias``."""
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(len(bias))]
    )
    model.layers[-1].set_weights([np.float32(weights), np.float32(bias)])
    return model


@pytest.fixture(scope="module")
def case():
    """A linear network of three classes, gray images, labels."""
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(PIXELS, 3)), rng.normal(size=3)
    images = np.float32(rng.uniform(0.3, 0.7, (12, *SHAPE)))
    return linear(weights, bias), weights, bias, images, rng.integers(0, 3, 12)


def logits(weights, bias, images):
    return images.reshape(len(images), -1).astype(np.float64) @ weights + bias


def slope(weights, bias, images, labels, loss):
    """∂L/∂x of a linear network in plain NumPy."""
    z = logits(weights, bias, images)
    if loss == "cross-entropy":
        p = np.exp(z - z.max(axis=1, keepdims=True))
        direction = p / p.sum(axis=1, keepdims=True) - np.eye(3)[labels]
    else:
        other = np.where(np.eye(3, dtype=bool)[labels], -np.inf, z).argmax(axis=1)
        direction = np.eye(3)[other] - np.eye(3)[labels]
    return (direction @ weights.T).reshape(images.shape)


# --- against an independent implementation -------------------------------------------------------


@pytest.mark.parametrize("loss", attacks.LOSSES)
def test_gradient_is_that_of_plain_numpy(case, loss):
    model, weights, bias, images, labels = case
    ours = attacks.gradient(model, images, labels, loss=loss)
    np.testing.assert_allclose(ours, slope(weights, bias, images, labels, loss), atol=1e-5)


@pytest.mark.parametrize("loss", attacks.LOSSES)
@pytest.mark.parametrize("targeted", [False, True])
def test_fgsm_is_that_of_plain_numpy(case, loss, targeted):
    model, weights, bias, images, labels = case
    sign = -1 if targeted else 1
    theirs = images + 0.1 * sign * np.sign(slope(weights, bias, images, labels, loss))
    ours = attacks.fgsm(model, images, labels, 0.1, loss=loss, targeted=targeted)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("loss", attacks.LOSSES)
def test_pgd_is_that_of_plain_numpy(case, loss):
    model, weights, bias, images, labels = case
    moved, best = images.astype(np.float64), images.astype(np.float64)
    most = np.full(len(images), -np.inf)
    for step in range(7):
        z = logits(weights, bias, moved)
        own = z[np.arange(12), labels]
        score = np.where(np.eye(3, dtype=bool)[labels], -np.inf, z).max(axis=1) - own
        better = score > most + 1e-9
        best[better], most[better] = moved[better], score[better]
        if step < 6:
            moved = moved + 0.03 * np.sign(slope(weights, bias, moved, labels, loss))
            moved = np.clip(np.clip(moved, images - 0.1, images + 0.1), 0, 1)
    ours = attacks.pgd(
        model, images, labels, 0.1, steps=6, rate=0.03, random_start=False, loss=loss
    )
    np.testing.assert_allclose(ours, best, atol=1e-5)


def test_two_classes_the_margin_grows_by_epsilon_times_the_l1_norm():
    """The closed form: no attack can do better on a linear network, and FGSM and PGD do as well."""
    rng = np.random.default_rng(2)
    weights, bias = rng.normal(size=(PIXELS, 2)), rng.normal(size=2)
    model, labels = linear(weights, bias), np.array([0, 1, 1, 0])
    images = np.float32(rng.uniform(0.3, 0.7, (4, *SHAPE)))
    grows = 0.1 * np.abs(weights[:, 1] - weights[:, 0]).sum()
    before = attacks.margins(model, images, labels)
    for moved in (
        attacks.fgsm(model, images, labels, 0.1),
        attacks.pgd(model, images, labels, 0.1, rng=np.random.default_rng(0)),
    ):
        after = attacks.margins(model, moved, labels)
        np.testing.assert_allclose(after - before, grows, rtol=1e-4)
    searched = attacks.square(model, images, labels, 0.1, queries=300)
    found = attacks.margins(model, searched, labels)
    assert (found <= before + grows + 1e-4).all() and (found > before).all()


# --- bounds --------------------------------------------------------------------------------------

ATTACKS = {
    "fgsm": attacks.fgsm,
    "pgd": lambda *a, **k: attacks.pgd(*a, steps=3, restarts=2, **k),
    "square": lambda *a, **k: attacks.square(*a, queries=15, **k),
}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.floats(0, 1), name=st.sampled_from(list(ATTACKS)))
def test_no_attack_leaves_its_box_or_the_pixels(case, seed, epsilon, name):
    model, rng = case[0], np.random.default_rng(seed)
    images = np.float32(np.clip(rng.uniform(-0.5, 1.5, (3, *SHAPE)), 0, 1))
    labels, kept = rng.integers(0, 3, 3), images.copy()
    moved = ATTACKS[name](model, images, labels, epsilon)
    assert moved.shape == images.shape and moved.dtype == np.float32
    assert moved.min() >= 0 and moved.max() <= 1
    assert np.abs(moved.astype(np.float64) - images).max() <= epsilon + 1e-7  # float32's rounding
    np.testing.assert_array_equal(images, kept)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), epsilon=st.floats(0, 1))
def test_project_gives_the_nearest_point_of_the_box(seed, epsilon):
    rng = np.random.default_rng(seed)
    images = np.float32(rng.uniform(0, 1, (2, *SHAPE)))
    moved = images + rng.normal(0, 1, images.shape)
    found = attacks.project(moved, images, epsilon)
    assert np.abs(found - images).max() <= epsilon + 1e-6 and 0 <= found.min() <= found.max() <= 1
    np.testing.assert_allclose(attacks.project(found, images, epsilon), found, atol=1e-7)
    inside = attacks.project(np.float32(rng.uniform(0, 1, images.shape)), images, epsilon)
    assert (np.abs(moved - found) <= np.abs(moved - inside) + 1e-6).all()


def test_worse_with_more_restarts_steps_and_epsilon(case):
    model, _, _, images, labels = case
    seen = []
    for epsilon in (0.0, 0.02, 0.05, 0.1, 0.3):
        moved = attacks.pgd(model, images, labels, epsilon, steps=5, rng=np.random.default_rng(0))
        seen.append(attacks.margins(model, moved, labels))
    assert (np.diff(seen, axis=0) >= -1e-5).all()
    one, five = (
        attacks.margins(
            model,
            attacks.pgd(
                model, images, labels, 0.05, steps=1, restarts=k, rng=np.random.default_rng(0)
            ),
            labels,
        )
        for k in (1, 5)
    )
    assert (five >= one - 1e-5).all()


@pytest.mark.parametrize("name", ["pgd", "square"])
def test_every_image_is_deceived_as_epsilon_grows(name):
    data = datasets.fashion_mnist("quick")
    model = attacks.small_network()
    images = np.float32(data.train_images[:640, ..., None] / 255)
    attacks.train(model, images, data.train_labels[:640], epochs=2)
    some, labels = images[:40], data.train_labels[:40].astype(int)
    attack = {
        "pgd": lambda e: attacks.pgd(model, some, labels, e, steps=20),
        "square": lambda e: attacks.square(model, some, labels, e, queries=300),
    }[name]
    assert attacks.right(model, some, labels).mean() > 0.4
    assert not attacks.right(model, attack(0.9), labels).any()


def test_a_targeted_attack_reaches_its_target(case):
    model, weights, bias, images, labels = case
    goal = (labels + 1) % 3
    moved = attacks.pgd(model, images, goal, 0.3, targeted=True)
    assert (logits(weights, bias, moved).argmax(axis=1) == goal).all()


def test_the_same_seed_gives_the_same_attack(case):
    model, _, _, images, labels = case
    for attack in ATTACKS.values():
        np.testing.assert_array_equal(
            attack(model, images, labels, 0.1), attack(model, images, labels, 0.1)
        )


def test_batches_of_any_size_give_the_same(case):
    model, _, _, images, labels = case
    whole = attacks.pgd(model, images, labels, 0.1, random_start=False)
    parts = attacks.pgd(model, images, labels, 0.1, random_start=False, batch=5)
    np.testing.assert_allclose(whole, parts, atol=1e-6)


# --- judging -------------------------------------------------------------------------------------


def test_worst_case_is_what_every_attack_leaves(case):
    model, _, _, images, labels = case
    found = attacks.worst_case(model, images, labels, 0.05, queries=30)
    assert list(found) == ["clean", "PGD", "PGD, margin", "all"]
    assert (found["all"] <= found["PGD"] & found["PGD, margin"] & found["clean"]).all()


def test_the_checklist_finds_a_network_that_hides_its_gradient(case):
    model, _, _, images, labels = case
    labels = logits(*case[1:3], images).argmax(axis=1)  # so that all are right at first

    def rounded(x):
        return model(tf.round(x * 4) / 4)

    own = attacks.right(rounded, images, labels)
    claimed = own & attacks.right(rounded, attacks.pgd(rounded, images, labels, 0.2), labels)
    found = attacks.checklist(rounded, images, labels, 0.2, claimed, [model], steps=20, queries=200)
    assert attacks.blind(rounded, images, labels) == 1
    assert found["no gradient"].mean() < claimed.mean() - 0.2
    assert found["from another"].mean() < claimed.mean() - 0.2
    assert found["no limit"].mean() > 0.2, "with ε = 1 an attack that works deceives it always"
    honest = attacks.right(model, attacks.pgd(model, images, labels, 0.02), labels)
    found = attacks.checklist(model, images, labels, 0.02, honest, steps=20, queries=100)
    assert not found["no limit"].any() and attacks.blind(model, images, labels) == 0


# --- training ------------------------------------------------------------------------------------


def test_training_with_attacks_makes_a_network_harder_to_deceive():
    data = datasets.fashion_mnist("quick")
    images, labels = np.float32(data.train_images[..., None] / 255), data.train_labels.astype(int)
    held = {}
    for epsilon in (0.0, 0.1):
        keras.utils.set_random_seed(0)
        model = attacks.small_network()
        losses = attacks.train(model, images[:2000], labels[:2000], epsilon=epsilon, epochs=3)
        assert len(losses) == 3 and losses[-1] < losses[0]
        x, y = images[9000:9300], labels[9000:9300]
        held[epsilon] = attacks.right(model, attacks.pgd(model, x, y, 0.1), y).mean()
    assert held[0.1] > held[0.0] + 0.15


def test_training_follows_from_the_seed_and_the_average_is_one():
    data = datasets.fashion_mnist("quick")
    images, labels = np.float32(data.train_images[:256, ..., None] / 255), data.train_labels[:256]

    def weights(**options):
        keras.utils.set_random_seed(0)
        model = attacks.small_network()
        attacks.train(model, images, labels, epochs=1, epsilon=0.1, steps=1, **options)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    np.testing.assert_array_equal(weights(), weights())
    assert np.abs(weights(average=0.9) - weights()).max() > 1e-4
    assert np.isfinite(weights(trades=2.0)).all() and np.isfinite(weights(sigma=0.25)).all()


@pytest.mark.parametrize("name", ["plain", "robust"])
def test_the_bundled_networks(name):
    model = attacks.small_network(name)
    assert model.count_params() == 166_406
    data = datasets.fashion_mnist("quick")
    x, y = np.float32(data.test_images[:500, ..., None] / 255), data.test_labels[:500].astype(int)
    held = attacks.right(model, attacks.pgd(model, x, y, 0.1), y).mean()
    assert attacks.right(model, x, y).mean() > 0.75
    assert held > 0.5 if name == "robust" else held < 0.2


# --- certificates --------------------------------------------------------------------------------


def test_clopper_pearson_is_the_exact_interval():
    """Its definition: if the share were this bound, k or more would be seen with chance alpha."""
    for k, n, alpha in ((9, 10, 0.05), (990, 1000, 0.001), (1, 50, 0.01)):
        low = attacks.clopper_pearson(k, n, alpha)
        assert stats.binom.sf(k - 1, n, low) == pytest.approx(alpha, rel=1e-6)
    assert attacks.clopper_pearson(0, 10, 0.05) == 0
    assert attacks.clopper_pearson(100, 100, 0.001) == pytest.approx(0.001 ** (1 / 100))


def test_clopper_pearson_covers_as_it_says():
    rng = np.random.default_rng(0)
    seen = rng.binomial(60, 0.8, 4000)
    lows = {k: attacks.clopper_pearson(int(k), 60, 0.05) for k in np.unique(seen)}
    assert np.mean([lows[k] > 0.8 for k in seen]) <= 0.055


def test_the_certificate_of_a_linear_network_is_below_its_true_distance():
    """For two classes the smoothed network is the same half-space: the true radius is known."""
    rng = np.random.default_rng(3)
    weights, sigma = rng.normal(size=(PIXELS, 2)), 0.25
    model = linear(weights, [0.0, 0.0])
    images = np.float32(rng.uniform(0, 1, (8, *SHAPE)))
    difference = weights[:, 1] - weights[:, 0]
    distance = logits(weights, [0, 0], images) @ [-1, 1] / np.linalg.norm(difference)
    classes, radii = attacks.certify(model, images, sigma, n=2000)
    sure = classes >= 0
    assert sure.sum() >= 4
    assert (classes[sure] == (distance[sure] > 0)).all()
    assert (radii <= np.abs(distance) + 1e-9).all()
    assert (
        radii[np.abs(distance) < 0.5] > 0.6 * np.abs(distance[np.abs(distance) < 0.5]) - 0.05
    ).all()


def test_a_coin_abstains():
    def coin(x):
        even = tf.cast(tf.reduce_sum(x, axis=(1, 2, 3)) * 1e4 % 2 > 1, tf.float32)
        return tf.stack([even, 1 - even], axis=1)

    classes, radii = attacks.certify(coin, np.full((3, *SHAPE), 0.5), 0.25, n=200)
    assert (classes == -1).all() and (radii == 0).all()
    assert attacks.vote(coin, np.full(SHAPE, 0.5), 0.25, 70).sum() == 70


def test_radius():
    assert attacks.radius(0.5, 0.25) == 0 and attacks.radius(0.3, 0.25) == 0
    assert attacks.radius(stats.norm.cdf(2), 0.25) == pytest.approx(0.5)


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(12, 3)}, r"labels run from 3 to 3, and the network has 3 classes"),
        ({"labels": np.full(12, -1)}, "labels run from -1"),
        ({"labels": np.zeros(12)}, "labels are float64; needs integers"),
        ({"labels": np.zeros((12, 3), int)}, r"labels \(12, 3\).*a label for each"),
        ({"labels": np.zeros(11, int)}, r"labels \(11,\)"),
        ({"images": np.zeros((12, 4, 5), np.float32)}, r"images \(12, 4, 5\)"),
        ({"images": np.zeros((0, *SHAPE), np.float32), "labels": np.zeros(0, int)}, "at least one"),
        ({"images": np.zeros((12, *SHAPE), np.uint8)}, "images are uint8: divide by 255"),
        ({"images": np.full((12, *SHAPE), 1.5)}, "between 1.5 and 1.5.*Rescaling"),
        (
            {"images": np.full((12, *SHAPE), np.nan)},
            r"images\[0\] has 40 of 40 values that are NaN",
        ),
        ({"epsilon": 8}, "epsilon=8: it lies from 0 to 1.*8 / 255"),
        ({"epsilon": -0.1}, "epsilon=-0.1"),
        ({"epsilon": float("nan")}, "epsilon=nan"),
    ],
)
def test_what_makes_no_sense_is_refused(case, change, message):
    arguments = {"images": case[3], "labels": case[4], "epsilon": 0.1} | change
    for attack in ATTACKS.values():
        with pytest.raises(ValueError, match=message):
            attack(case[0], *arguments.values())


def test_options_that_make_no_sense_are_refused(case):
    model, _, _, images, labels = case
    with pytest.raises(ValueError, match="a step longer than epsilon"):
        attacks.pgd(model, images, labels, 0.03, rate=0.1)
    with pytest.raises(ValueError, match="steps=0"):
        attacks.pgd(model, images, labels, 0.1, steps=0)
    with pytest.raises(ValueError, match="loss='hinge'; there are 'cross-entropy', 'margin'"):
        attacks.pgd(model, images, labels, 0.1, loss="hinge")
    with pytest.raises(ValueError, match="queries=0"):
        attacks.square(model, images, labels, 0.1, queries=0)
    with pytest.raises(ValueError, match="claimed is"):
        attacks.checklist(model, images, labels, 0.1, np.ones(12))
    with pytest.raises(ValueError, match="weights='strong'"):
        attacks.small_network("strong")
    with pytest.raises(ValueError, match="epsilon=8"):
        attacks.train(model, images, labels, epsilon=8)
    with pytest.raises(ValueError, match="k=11, n=10"):
        attacks.clopper_pearson(11, 10, 0.05)
    with pytest.raises(ValueError, match="sigma=0"):
        attacks.vote(model, images[0], 0, 10)
    with pytest.raises(ValueError, match="the image is uint8: divide by 255"):
        attacks.certify(model, np.zeros((2, *SHAPE), np.uint8), 0.25)
    with pytest.raises(ValueError, match="the image has 40 of 40 values that are NaN"):
        attacks.vote(model, images[0] * np.nan, 0.25, 10)


def test_a_network_that_gives_probabilities_is_refused(case):
    model, _, _, images, labels = case

    def probabilities(x):
        return tf.nn.softmax(model(x))

    with pytest.raises(ValueError, match="gives probabilities; an attack needs logits"):
        attacks.fgsm(probabilities, images, labels, 0.1)
    with pytest.raises(ValueError, match=r"the network gives \(8,\)"):
        attacks.fgsm(lambda x: tf.reduce_sum(x, axis=(1, 2, 3)), images, labels, 0.1)


def test_the_seed_of_the_session_is_used(case, monkeypatch):
    model, _, _, images, labels = case
    first = attacks.pgd(model, images, labels, 0.1, steps=1)
    monkeypatch.setitem(session._state, "seed", 7)
    assert (attacks.pgd(model, images, labels, 0.1, steps=1) != first).any()


def network_of(**options):
    return keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, **options)]
    )


def test_networks_that_would_learn_something_else_are_refused(case):
    images, labels = case[3], case[4]
    with pytest.raises(ValueError, match="ends in softmax, and the loss here takes logits"):
        attacks.train(network_of(activation="softmax"), images, labels)
    with pytest.raises(ValueError, match="a label is 7, but the network has 3 classes"):
        attacks.train(network_of(), images, np.full(len(images), 7))
    one = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="one number, so there is no other class"):
        attacks.right(one, images, np.zeros(len(images), int))
    half = network_of(dtype="mixed_float16")
    for use in (attacks.train, attacks.gradient):
        with pytest.raises(ValueError, match="computes in float16, in which small gradients"):
            use(half, images, labels)


def test_the_penalty_of_a_regularizer_is_trained_on(case):
    norms = []
    for penalty in (None, keras.regularizers.L2(1.0)):
        keras.utils.set_random_seed(0)
        model = network_of(kernel_regularizer=penalty)
        attacks.train(model, case[3], case[4], epochs=3, batch=4, flip=False)
        norms.append(np.linalg.norm(model.get_weights()[0]))
    assert norms[1] < norms[0]
