"""Learning without labels: losses against closed forms and loops, views, the meter, messages."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.check.selfsupervised import effective_rank
from helpers.check.selfsupervised import nt_xent as plain_nt_xent
from helpers.selfsupervised import learning, losses, reading, table, views

RNG = np.random.default_rng(0)


def pair(count=6, width=4, dtype=np.float64):
    a = RNG.normal(size=(count, width)).astype(dtype)
    return tf.constant(a), tf.constant((a + RNG.normal(size=a.shape)).astype(dtype))


# Losses


def with_loops(a, b, temperature):
    z = [x / np.sqrt((x**2).sum()) for x in np.concatenate([a, b])]
    total = 0.0
    for i in range(len(z)):
        partner = (i + len(a)) % len(z)
        below = sum(np.exp(z[i] @ z[j] / temperature) for j in range(len(z)) if j != i)
        total -= np.log(np.exp(z[i] @ z[partner] / temperature) / below)
    return total / len(z)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
def test_nt_xent_is_that_of_the_loops_and_of_the_check(temperature):
    a, b = pair()
    expected = with_loops(a.numpy(), b.numpy(), temperature)
    assert losses.nt_xent(a, b, temperature).numpy() == pytest.approx(expected, rel=1e-12)
    assert plain_nt_xent(a.numpy(), b.numpy(), temperature) == pytest.approx(expected, rel=1e-12)


def test_nt_xent_of_a_collapse_is_the_logarithm_of_the_others():
    same = tf.ones((5, 3), tf.float64)
    assert losses.nt_xent(same, same).numpy() == pytest.approx(np.log(9))


def test_nt_xent_of_partners_apart_from_all_others():
    a = tf.eye(4, dtype=tf.float64)  # partners at cosine 1, six others at 0
    expected = np.log(np.exp(1 / 0.5) + 6) - 1 / 0.5
    assert losses.nt_xent(a, 7 * a, 0.5).numpy() == pytest.approx(expected)
    assert losses.nt_xent(a, a, 0.01).numpy() == pytest.approx(0, abs=1e-12)


def test_nt_xent_does_not_care_for_length_order_or_which_view_is_first():
    a, b = pair()
    loss = losses.nt_xent(a, b)
    order = tf.constant([3, 0, 5, 1, 4, 2])
    for other in ((3 * a, b), (b, a), (tf.gather(a, order), tf.gather(b, order))):
        assert losses.nt_xent(*other).numpy() == pytest.approx(loss.numpy())


def test_agreement_lies_between_0_and_4():
    a, _ = pair()
    assert losses.agreement(a, 3 * a).numpy() == pytest.approx(0, abs=1e-12)
    assert losses.agreement(a, -a).numpy() == pytest.approx(4)


def test_vicreg_has_the_terms_of_the_paper():
    a, b = (x.numpy() for x in pair())
    variance = covariance = 0.0
    for z in (a, b):
        cov = np.cov(z.T)
        variance += np.maximum(0, 1 - np.sqrt(np.diag(cov) + 1e-4)).mean()
        covariance += ((cov - np.diag(np.diag(cov))) ** 2).sum() / z.shape[1]
    parts = np.array([((a - b) ** 2).mean(), variance, covariance])
    for weights in ((25, 25, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert losses.vicreg(a, b, *map(float, weights)).numpy() == pytest.approx(parts @ weights)


def test_vicreg_without_its_variance_is_least_when_all_is_one_point():
    same = tf.ones((5, 3), tf.float64)
    assert losses.vicreg(same, same, variance=0.0).numpy() == 0
    assert losses.vicreg(same, same).numpy() == pytest.approx(2 * 25 * (1 - 0.01))


def test_barlow_twins_of_equal_uncorrelated_columns_is_0():
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float64)
    assert losses.barlow_twins(signs, signs * 3 + 2).numpy() == pytest.approx(0, abs=1e-8)
    double = signs[:, [0, 0]]  # two columns alike: 1 twice off the diagonal, over two columns
    assert losses.barlow_twins(double, double, 0.5).numpy() == pytest.approx(0.5, rel=1e-4)
    assert losses.barlow_twins(signs, -signs).numpy() == pytest.approx(4, rel=1e-4)


def test_every_loss_has_a_gradient():
    for loss in (losses.nt_xent, losses.agreement, losses.vicreg, losses.barlow_twins):
        a, b = (tf.Variable(x) for x in pair(dtype=np.float32))
        with tf.GradientTape() as tape:
            value = loss(a, b)
        gradient = tape.gradient(value, a)
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.parametrize("loss", [losses.nt_xent, losses.agreement, losses.vicreg])
def test_views_that_do_not_fit_are_named(loss):
    a, _ = pair()
    with pytest.raises(ValueError, match="one shape"):
        loss(a, a[:3])
    with pytest.raises(ValueError, match="two images or more"):
        loss(a[:1], a[:1])
    with pytest.raises(ValueError, match="temperature=0"):
        losses.nt_xent(a, a, 0)


# Views


def pictures(count=8):
    return tf.constant(RNG.uniform(0, 1, (count, 28, 28, 1)), tf.float32)


@pytest.mark.parametrize("name", views.CHANGES)
def test_a_view_is_an_image_that_its_seed_decides(name):
    x, change = pictures(), views.CHANGES[name]
    once, again, other = (change(x, seed).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    assert once.shape == x.shape and once.dtype == np.float32
    assert once.min() >= 0 and once.max() <= 1 + 1e-6
    assert (once == again).all() and (once != other).any()


def test_a_crop_of_all_is_the_image_and_of_a_ramp_a_ramp():
    x = pictures()
    assert np.allclose(views.crop(x, [0, 0], least=1.0), x, atol=1e-5)
    ramp = tf.tile(tf.linspace(0.0, 1.0, 28)[None, None, :, None], (5, 28, 1, 1))
    steps = np.diff(views.crop(ramp, [0, 1], least=0.5).numpy(), axis=2)
    assert np.allclose(steps, steps[:, :1, :1], atol=1e-5)
    assert (steps[:, 0, 0] >= 0.5 / 27 - 1e-6).all() and (steps[:, 0, 0] <= 1 / 27 + 1e-6).all()


def test_a_flip_is_the_image_or_its_mirror():
    x = pictures(64)
    out = views.flip(x, [0, 0]).numpy()
    same = (out == x.numpy()).all(axis=(1, 2, 3))
    assert (out[~same] == x.numpy()[~same, :, ::-1]).all() and 16 < same.sum() < 48


def test_brightness_has_one_factor_an_image():
    x = pictures() * 0.5
    ratio = views.brightness(x, [0, 0]).numpy() / x.numpy()
    assert np.allclose(ratio, ratio[:, :1, :1], rtol=1e-4)
    assert ratio.min() >= 0.4 - 1e-4 and ratio.max() <= 1.6 + 1e-4 and np.ptp(ratio) > 0.3


def test_tone_leaves_black_and_white():
    x = tf.constant([0.0, 0.3, 1.0])[None, None, :, None]
    out = views.tone(x, [0, 5]).numpy().ravel()
    assert np.allclose(out[[0, 2]], [0, 1], atol=1e-2) and out[1] != pytest.approx(0.3)


def test_blur_keeps_what_is_flat():
    out = views.blur(tf.fill((16, 9, 9, 1), 0.5), [0, 0]).numpy()
    assert np.allclose(out[:, 1:-1, 1:-1], 0.5)


def test_erase_takes_a_square():
    out = views.erase(tf.ones((20, 28, 28, 1)), [0, 0], side=10).numpy()
    assert ((out == 0).sum(axis=(1, 2, 3)) == 100).all()


def test_changes_are_made_in_order_and_unknown_ones_named():
    x = pictures()
    assert (views.view(())(x, [0, 0]).numpy() == x.numpy()).all()
    both = views.view(("flip", "brightness"))(x, [4, 2]).numpy()
    assert (both == views.view(("flip", "brightness"))(x, [4, 2]).numpy()).all()
    with pytest.raises(ValueError, match=r"no change is called 'turn'; there are crop, flip"):
        views.view(("turn",))


# Tasks


def test_turned_images_and_hidden_squares():
    x = pictures(2)
    images, answers = learning.turned(x)
    assert answers.numpy().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (images[4].numpy()[..., 0] == np.rot90(x[0].numpy()[..., 0], 2)).all()
    seen = learning.visible(tf.zeros((50, 28, 28, 1)), [0, 0]).numpy()
    squares = seen.reshape(50, 4, 7, 4, 7).mean(axis=(2, 4))
    assert set(np.unique(squares)) == {0, 1} and 0.4 < squares.mean() < 0.6


TASKS = {
    "joint": learning.joint(losses.nt_xent),
    "byol": learning.byol(),
    "byol without stop": learning.byol(stop=False),
    "rotation": learning.rotation(),
    "masked": learning.masked(),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_learned_the_same_way_twice(name):
    images = RNG.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    options = {"steps": 3, "seed": 1, "batch": 16}
    runs = [learning.pretrain(TASKS[name], images, **options) for _ in range(2)]
    assert runs[0].losses.shape == (3,) and np.isfinite(runs[0].losses).all()
    assert (runs[0].losses == runs[1].losses).all()
    weights = [run.encoder.get_weights()[0] for run in runs]
    assert (weights[0] == weights[1]).all()


def test_watching_sees_the_beginning_and_the_end():
    images = RNG.integers(0, 256, (32, 28, 28)).astype(np.uint8)
    found = learning.pretrain(
        TASKS["joint"], images, steps=4, seed=0, batch=16, watch=lambda net, parts: 1, every=2
    )
    assert [step for step, _ in found.watched] == [0, 2, 4]
    with pytest.raises(ValueError, match="fewer than a batch of 64"):
        learning.pretrain(TASKS["joint"], images, steps=4, seed=0, batch=64)


def test_batches_have_every_image_once_a_round():
    order = learning._order(50, 10, 10, 0)
    assert sorted(order[:5].ravel()) == sorted(order[5:].ravel()) == list(range(50))


def test_the_rival_learns_its_labels():
    import keras

    keras.utils.set_random_seed(0)
    images, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 2
    images[labels == 1, :14] = 255
    net = learning.classifier()

    def look():
        guesses = net.predict_on_batch(learning.as_input(images)).argmax(axis=1)
        return float((guesses == labels).mean())

    options = {"every": 5, "most": 100, "patience": 3}
    view = views.view(())
    step = learning.supervise(
        net, keras.optimizers.Adam(3e-3), images, labels, view, 0, look=look, **options
    )
    assert look() == 1 and 5 <= step <= 100


# Reading


def test_the_split_is_lab_7s_and_draws_share_no_image():
    split = reading.split()
    assert (split.pool.shape, split.held.shape) == ((9000, 28, 28), (1000, 28, 28))
    for labels in (1, 10, 100):
        parts = [reading.draw(labels, d) for d in range(5)]
        assert len(np.unique(np.concatenate(parts))) == 50 * labels
        for part in parts:
            assert np.bincount(split.labels[part]).tolist() == [labels] * 10
    assert np.bincount(split.held_labels).tolist() == [100] * 10
    assert (reading.unlabeled(50) == split.pool[:50]).all()


@pytest.mark.parametrize("size", [2, 4, 7, 14])
def test_cells_are_means_and_share_the_middle_of_an_odd_map(size):
    maps = RNG.normal(size=(3, size, size, 2))
    first = maps[:, : -(-size // 2), : -(-size // 2)].mean(axis=(1, 2))
    found = reading.pooled(maps, 2)
    assert found.shape == (3, 4, 2) and np.allclose(found[:, 0], first)
    assert np.allclose(reading.pooled(maps, 1)[:, 0], maps.mean(axis=(1, 2)))
    assert np.allclose(reading.pooled(maps, size).reshape(maps.shape), maps)
    with pytest.raises(ValueError, match="cells do not fit"):
        reading.pooled(maps, size + 1)


def test_features_are_means_of_what_the_encoder_gives():
    net, images = learning.encoder(), RNG.integers(0, 256, (7, 28, 28)).astype(np.uint8)
    maps = net.predict_on_batch(learning.as_input(images))
    plain = reading.features(net, images, 2, ("conv3",), scaled=False, batch=3)
    assert np.allclose(plain, reading.pooled(maps, 2).reshape(7, -1), atol=1e-6)
    assert np.allclose(reading.average(net, images), maps.mean(axis=(1, 2)), atol=1e-6)
    both = reading.features(net, images)
    assert both.shape == (7, 16 * (48 + 64))
    lengths = (both[:, : 16 * 48].reshape(7, 16, 48) ** 4).sum(axis=2)
    assert (np.abs(lengths - 1) < 0.1).all()  # of the squares of the roots


def test_scaled_cells_do_not_care_for_brightness():
    parts = RNG.uniform(0, 5, (3, 4, 6))
    assert np.allclose(reading.scaled_cells(parts), reading.scaled_cells(3 * parts), atol=1e-3)


def test_hog_of_a_flat_image_is_0_and_of_an_edge_has_one_direction():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, :, 14:] = 200
    flat, edge = reading.hog(images, 28, 1)
    assert not flat.any() and edge.argmax() in (0, 8) and edge.max() > 0.9


def test_standardizing_uses_the_reference():
    a, b = RNG.normal(3, 2, (50, 4)), RNG.normal(5, 1, (20, 4))
    first, second = reading.standardized(a, a, b)
    assert np.allclose(first.mean(axis=0), 0) and np.allclose(first.std(axis=0), 1, atol=0.01)
    assert np.allclose(second, (b - a.mean(axis=0)) / a.std(axis=0), rtol=0.02)
    dead = np.zeros((50, 1))
    assert np.isfinite(reading.standardized(np.hstack([a, dead]), np.hstack([a, dead]))[0]).all()


def test_the_meter():
    assert reading.spread(np.ones((10, 3))) == pytest.approx(0, abs=1e-7)
    assert reading.spread(np.concatenate([np.eye(4), -np.eye(4)])) == pytest.approx(1)
    assert reading.rank(np.ones((10, 3))) == pytest.approx(1)
    assert reading.rank(np.eye(5)) == pytest.approx(5)
    z = 10 + RNG.normal(size=(100, 6))
    assert reading.rank(z) < 3 < reading.rank(z, centered=True)
    assert reading.rank(z) == pytest.approx(effective_rank(z))


def test_the_best_strength_is_the_best_on_validation():
    x = RNG.normal(size=(1000, 5)).astype(np.float32)
    y = np.arange(1000) % 10
    x[np.arange(1000), y % 5] += 3
    found = reading.best_strength(x[:500], y[:500], x[500:], y[500:], 5, range(2), (1e-6, 1.0))
    assert found in (1e-6, 1.0)


# The table


def test_the_table_has_every_arm_of_the_lab():
    assert table.runs("simclr").test.shape[1] == 20
    for how in ("average", "cells", "cells and hog"):
        for arm in ("simclr", "random"):
            found = table.runs(arm, read=how)
            assert found.test.shape == (len(found.seeds), len(found.draws))
            assert (found.test > 0.4).all() and (found.test < 0.9).all()
    assert table.runs("scratch").draws == [0, 1, 2, 3, 4]
    assert np.isfinite(table.runs("imagenet", 1).validation).all()


def test_hog_has_the_best_of_four_settings_on_validation():
    best = max(table.HOGS, key=lambda name: table.runs(name).validation.mean())
    assert best == table.HOG


def test_what_the_table_lacks_is_named():
    with pytest.raises(KeyError, match="nothing was measured of simclr, 7"):
        table.runs("simclr", 7)
