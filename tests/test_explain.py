"""``helpers.explain``: what is known in closed form, an independent NumPy network, messages.

On a linear network gradient × input, integrated gradients, Shapley values and occlusion by single
pixels are all w·x. On a small ReLU network the gradients are written out in NumPy here.
"""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import explain
from helpers.explain import mosaics
from helpers.explain.gradients import guided

SHAPE, K = (4, 5, 2), 3
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, *SHAPE)).astype(np.float32)
LABELS = np.array([2, 0, 1])


def dense_network(hidden=None):
    """``hidden`` units of ReLU, or a linear network; weights from a fixed generator."""
    rng = np.random.default_rng(1)
    layers = [keras.Input(SHAPE), keras.layers.Flatten()]
    if hidden:
        layers.append(keras.layers.Dense(hidden, activation="relu"))
    model = keras.Sequential([*layers, keras.layers.Dense(K)])
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


LINEAR, RELU = dense_network(), dense_network(12)


def contributions(model=LINEAR):
    """w·x, pixel by pixel, for each image's own label."""
    w = model.get_weights()[0].reshape(*SHAPE, K)
    return np.stack([x * w[..., k] for x, k in zip(IMAGES, LABELS, strict=True)])


def relu_gradient(x, k, guided=False):
    """The same network, by hand: ∂z_k/∂x."""
    w1, b1, w2, _ = (a.astype(float) for a in RELU.get_weights())
    open_ones = x.ravel() @ w1 + b1 > 0
    back = w2[:, k]
    if guided:
        back = np.maximum(back, 0)
    return (w1 @ (back * open_ones)).reshape(SHAPE)


def conv_layers():
    return [
        keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first"),
        keras.layers.Conv2D(5, 3, strides=2, padding="same", name="second"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(max_value=6, name="relu6"),
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dense(K, name="head"),
    ]


def three_forms():
    """One network as Sequential, functional, and nested in another: the same weights."""
    side = (8, 8, 2)
    sequential = keras.Sequential([keras.Input(side), *conv_layers()])
    rng = np.random.default_rng(2)
    sequential.set_weights([np.abs(rng.normal(size=w.shape)) for w in sequential.get_weights()])
    x = inputs = keras.Input(side)
    for layer in conv_layers():
        x = layer(x)
    functional = keras.Model(inputs, x)
    body = keras.Sequential([keras.Input(side), *conv_layers()[:4]], name="backbone")
    outer = keras.Input(side)
    nested = keras.Model(outer, conv_layers()[5](conv_layers()[4](body(outer))))
    for other in (functional, nested):
        other.set_weights(sequential.get_weights())
    return sequential, functional, nested


# --- known in closed form ------------------------------------------------------------------------


def test_gradient_of_a_linear_network_is_its_weights():
    w = LINEAR.get_weights()[0].reshape(*SHAPE, K)
    for one, label in zip(explain.gradient(LINEAR, IMAGES, LABELS), LABELS, strict=True):
        assert np.allclose(one, w[..., label], atol=1e-5)


def test_contributions_in_a_linear_network():
    expected = contributions()
    assert np.allclose(explain.gradient_times_input(LINEAR, IMAGES, LABELS), expected, atol=1e-5)
    for steps in (1, 7):
        ours = explain.integrated_gradients(LINEAR, IMAGES, LABELS, steps=steps)
        assert np.allclose(ours, expected, atol=1e-5)
    rng = np.random.default_rng(3)
    smooth = explain.smooth_grad(LINEAR, IMAGES, LABELS, rng, samples=3, spread=2.0)
    assert np.allclose(IMAGES * smooth, expected, atol=1e-5)


def test_asking_a_linear_network_gives_the_same():
    pixels = explain.grid(4, 5, 1)
    for i, label in enumerate(LABELS):
        score, expected = explain.score_of(LINEAR, label), contributions()[i].sum(axis=-1)
        rng = np.random.default_rng(4)
        assert np.allclose(explain.occlusion(score, IMAGES[i], 1, 1), expected, atol=1e-4)
        assert np.allclose(explain.shapley(score, IMAGES[i], pixels, rng, 1), expected, atol=1e-4)
        ours = explain.lime(score, IMAGES[i], pixels, rng, samples=200, penalty=1e-9)
        assert np.allclose(ours, expected, atol=1e-3)


def test_lime_agrees_with_scikit_learn_where_nothing_is_linear():
    from sklearn.linear_model import Ridge

    score, segments = explain.score_of(RELU, 1), explain.grid(4, 5, 2)
    ours = explain.lime(score, IMAGES[0], segments, np.random.default_rng(5), 60, penalty=0.5)
    keep = np.random.default_rng(5).random((60, 6)) < 0.5
    keep[0] = True
    cosine = keep.sum(axis=1) / np.maximum(np.sqrt(keep.sum(axis=1) * 6), 1e-9)
    weights = np.exp(-((1 - cosine) ** 2) / 0.25**2)
    values = score(explain.covered(IMAGES[0], segments, keep))
    fit = Ridge(alpha=0.5).fit(keep, values, sample_weight=weights)
    assert np.allclose(ours, fit.coef_[segments], atol=1e-4)


def test_shapley_values_are_the_mean_over_all_orders():
    from itertools import permutations

    score, segments = explain.score_of(RELU, 0), explain.grid(4, 5, 3)
    values = np.zeros(4)
    for order in permutations(range(4)):
        keep = np.zeros((1, 4), bool)
        before = score(explain.covered(IMAGES[1], segments, keep))[0]
        for part in order:
            keep[0, part] = True
            after = score(explain.covered(IMAGES[1], segments, keep))[0]
            values[part] += (after - before) / 24
            before = after
    rng = np.random.default_rng(6)
    ours = explain.shapley(score, IMAGES[1], segments, rng, permutations=1000)
    sums = np.array([ours[segments == s].sum() for s in range(4)])
    assert np.abs(sums - values).max() < 0.05 * np.abs(values).max()
    both = score(np.stack([IMAGES[1], np.zeros_like(IMAGES[1])]))
    assert np.isclose(sums.sum(), both[0] - both[1])  # exactly, for any number of orders
    one = explain.shapley(score, IMAGES[1], segments, rng, permutations=1)
    assert np.isclose(one.sum(), both[0] - both[1])


# --- an independent network in NumPy -------------------------------------------------------------


def test_gradients_of_a_relu_network():
    for only_positive, method in ((False, explain.gradient), (True, explain.guided_backprop)):
        ours = method(RELU, IMAGES, LABELS)
        for x, label, one in zip(IMAGES, LABELS, ours, strict=True):
            assert np.allclose(one, relu_gradient(x, label, only_positive), atol=1e-4)


def test_guided_backprop_leaves_the_network_as_it_was():
    before = explain.gradient(RELU, IMAGES, LABELS)
    with pytest.raises(KeyError), guided(RELU):
        raise KeyError
    assert np.array_equal(explain.gradient(RELU, IMAGES, LABELS), before)
    assert RELU.layers[1].activation is keras.activations.relu


def test_integrated_gradients_of_a_relu_network():
    baseline = RNG.normal(size=SHAPE).astype(np.float32)
    ours = explain.integrated_gradients(RELU, IMAGES, LABELS, baseline, steps=9, batch=4)
    for x, label, one in zip(IMAGES, LABELS, ours, strict=True):
        points = [baseline + (s + 0.5) / 9 * (x - baseline) for s in range(9)]
        mean = np.mean([relu_gradient(p, label) for p in points], axis=0)
        assert np.allclose(one, (x - baseline) * mean, atol=1e-4)


class CannotBeCompiled(keras.Model):
    """The ReLU network, which looks at its numbers on the way."""

    def call(self, x, training=False):
        assert np.isfinite(x.numpy()).all()  # a tensor of a compiled function has no numpy()
        return RELU(x)


@pytest.mark.parametrize("steps", [1, 9])  # one pass is made as it is, many are compiled
def test_a_network_that_runs_eagerly_is_explained_too(steps):
    eager = CannotBeCompiled()
    eager.compile(run_eagerly=True)
    ours = explain.integrated_gradients(eager, IMAGES, LABELS, steps=steps, batch=3)
    theirs = explain.integrated_gradients(RELU, IMAGES, LABELS, steps=steps, batch=3)
    assert np.allclose(ours, theirs, atol=1e-5)
    assert np.allclose(explain.gradient(eager, IMAGES, LABELS, batch=1), slopes(), atol=1e-5)
    score = explain.score_of(eager, 1)(IMAGES)
    assert np.allclose(score, RELU(IMAGES)[:, 1], atol=1e-5)


def slopes():
    return [relu_gradient(x, label) for x, label in zip(IMAGES, LABELS, strict=True)]


def test_a_network_that_has_learned_something_new_is_asked_anew():
    model = dense_network(12)
    score, one = explain.score_of(model, 1), explain.integrated_gradients
    before = score(IMAGES), one(model, IMAGES, LABELS, batch=10)
    model.set_weights([2 * w for w in model.get_weights()])
    after = score(IMAGES), one(model, IMAGES, LABELS, batch=10)
    assert all(not np.allclose(a, b) for a, b in zip(before, after, strict=True))
    assert np.allclose(score(IMAGES), model(IMAGES)[:, 1], atol=1e-5)


def test_completeness_grows_with_the_steps():
    errors = []
    for steps in (2, 2000):
        maps = explain.integrated_gradients(RELU, IMAGES, LABELS, steps=steps)
        errors.append(explain.completeness_error(RELU, IMAGES, LABELS, maps).max())
    assert errors[1] < 1e-2 and errors[1] < errors[0] / 5


def test_smooth_grad_is_a_mean_over_noisy_copies():
    ours = explain.smooth_grad(RELU, IMAGES[:1], LABELS[:1], np.random.default_rng(7), 5, 0.3)
    sigma = np.float32(0.3 * np.ptp(IMAGES[:1]))
    noise = sigma * np.random.default_rng(7).standard_normal((5, *SHAPE), np.float32)
    mean = np.mean([relu_gradient(IMAGES[0] + n, LABELS[0]) for n in noise], axis=0)
    assert np.allclose(ours[0], mean, atol=1e-4)


def test_occlusion_by_hand():
    score = explain.score_of(RELU, 1)
    total, times = np.zeros((4, 5)), np.zeros((4, 5))
    for i in (0, 2):
        for j in (0, 2):
            hidden = IMAGES[0].copy()
            hidden[i : i + 2, j : j + 2] = 0.5
            total[i : i + 2, j : j + 2] += score(IMAGES[:1])[0] - score(hidden[None])[0]
            times[i : i + 2, j : j + 2] += 1
    ours = explain.occlusion(score, IMAGES[0], 2, 2, fill=0.5)
    assert np.allclose(ours, total / np.maximum(times, 1))
    assert (ours[:, 4] == 0).all()  # no square reaches the last column


# --- Grad-CAM ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", range(3), ids=["sequential", "functional", "nested"])
def test_grad_cam_of_every_form_of_network(form):
    images = RNG.random((3, 8, 8, 2)).astype(np.float32)
    model = three_forms()[form]
    maps, slopes = explain.maps_and_gradients(model, images, LABELS)
    # After the maps come the mean over 16 places and the last layer: ∂z_y/∂A = w_y / 16.
    head = model.layers[-1].get_weights()[0]
    assert maps.shape == slopes.shape == (3, 4, 4, 5)
    for slope, label in zip(slopes, LABELS, strict=True):
        assert np.allclose(slope, head[:, label] / 16, atol=1e-6)
    expected = np.maximum((maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    ours = explain.grad_cam(model, images, LABELS)
    assert np.allclose(ours, tf.image.resize(expected[..., None], (8, 8))[..., 0], atol=1e-6)
    outputs = model(images).numpy()
    assert np.allclose(maps.mean(axis=(1, 2)) @ head + model.layers[-1].get_weights()[1], outputs)


def test_grad_cam_takes_the_activation_of_the_last_convolution():
    images = RNG.random((1, 8, 8, 2)).astype(np.float32)
    sequential, _, nested = three_forms()
    default = explain.grad_cam(nested, images, 0)
    assert np.allclose(default, explain.grad_cam(nested, images, 0, "backbone/relu6"))
    assert np.allclose(default, explain.grad_cam(sequential, images, 0, "relu6"), atol=1e-6)
    assert not np.allclose(default, explain.grad_cam(nested, images, 0, "backbone/first"))
    with pytest.raises(ValueError, match=r"'pool'.*there are: first, second, norm, relu6"):
        explain.grad_cam(sequential, images, 0, "pool")
    with pytest.raises(ValueError, match="no convolution"):
        explain.grad_cam(RELU, IMAGES, 0)


def test_listening_ends_with_the_call():
    model = three_forms()[0]
    explain.grad_cam(model, RNG.random((1, 8, 8, 2)), 0)
    assert all("call" not in vars(layer) for layer in model.layers)


# --- scores --------------------------------------------------------------------------------------


def test_pointing_and_hits():
    values = np.array([[3.0, -4.0], [1.0, 0.0]])
    mask = np.array([[True, True], [False, False]])
    assert explain.pointing(values, mask) == 0.75
    assert explain.hits(values, mask) == 1.0 and explain.hits(values, ~mask) == 0.0
    assert explain.pointing(-np.ones((2, 2)), mask) == 0.0
    assert explain.hits(np.zeros((2, 2)), mask) == 0.5  # no opinion: half of them by chance


def test_curves_of_a_sum():
    image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    values, rng = image[..., 0], np.random.default_rng(0)

    def score(images):
        return images.sum(axis=(1, 2, 3))

    deleted = explain.curve(score, image, values, rng, steps=4)
    inserted = explain.curve(score, image, values, rng, steps=4, insert=True)
    assert deleted.tolist() == [10, 6, 3, 1, 0] and inserted.tolist() == [0, 4, 7, 9, 10]
    assert explain.area(deleted) == (10 / 2 + 6 + 3 + 1) / 4
    filled = explain.curve(score, image, values, rng, fill=10.0, steps=2)
    assert filled.tolist() == [10, 23, 40]


def test_equal_values_come_in_random_order():
    image = np.arange(100.0).reshape(10, 10, 1)

    def top(images):
        return images[:, :5].sum(axis=(1, 2, 3))

    halves = [
        explain.curve(top, image, np.zeros((10, 10)), np.random.default_rng(k), steps=2)[1]
        for k in range(20)
    ]
    whole = image[:5].sum()
    assert len(set(halves)) > 10 and abs(np.mean(halves) / whole - 0.5) < 0.1


def test_rank_correlation_and_stability():
    a = np.arange(6.0).reshape(2, 3)
    assert explain.rank_correlation(a, a**3) == pytest.approx(1)
    assert explain.rank_correlation(a, -a) == pytest.approx(-1)
    assert explain.rank_correlation(a, np.ones((2, 3))) == 0
    assert explain.stability([a, a, -a]) == pytest.approx(-1 / 3)


def test_shuffled_weights_come_back():
    model = three_forms()[2]
    before = model.get_weights()
    with explain.shuffled(model, np.random.default_rng(0)):
        during = model.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, during, strict=True)]
    assert sum(changed) >= len(changed) - 1  # an array of a single value cannot change
    for a, b in zip(before, during, strict=True):
        assert np.allclose(np.sort(a.ravel()), np.sort(b.ravel()))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with explain.shuffled(model, np.random.default_rng(0), layers=1):
        during = model.get_weights()
    same = [np.array_equal(a, b) for a, b in zip(before, during, strict=True)]
    assert not same[-2] and all(same[:-2])


def test_trivial_maps():
    image = np.zeros((5, 7, 3))
    image[:, 3:] = 1
    edges = explain.edges(image)
    assert edges.shape == (5, 7) and edges.argmax() % 7 in (2, 3) and edges[:, 0].max() == 0
    center = explain.center(image)
    assert center[2, 3] == 1 == center.max() and center[0, 0] == center[4, 6] == 0
    assert explain.noise(image, np.random.default_rng(0)).shape == (5, 7)


def test_drawing_maps():
    import matplotlib.pyplot as plt

    maps = {"one": RNG.normal(size=(4, 5)), "nothing": np.zeros((4, 5))}
    figure = explain.draw(IMAGES[0, ..., 0], maps, (1, 2, 2, 2), columns=2)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["the picture", "one", "nothing", ""]
    low, high = figure.axes[1].images[0].get_clim()
    assert low == -high and len(figure.axes[1].patches) == 1
    plt.close(figure)
    with pytest.raises(ValueError, match="no maps"):
        explain.draw(IMAGES[0, ..., 0], {})


# --- examples ------------------------------------------------------------------------------------


def test_nearest():
    features = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]])
    assert explain.nearest(features, np.array([[0.9, 0.1], [4.0, 4.0]]), 2).tolist() == [
        [1, 0],
        [2, 1],
    ]


def test_visualize_raises_the_score_within_the_range():
    rng = np.random.default_rng(0)
    # Without shifts, which a network of a few pixels cannot bear.
    made = explain.visualize(RELU, [0, 2], SHAPE, rng, steps=60, low=-1.0, high=1.0, shift=0)
    assert made.shape == (2, *SHAPE) and np.abs(made).max() <= 1
    z = RELU(made).numpy()
    chance = RELU(rng.uniform(-1, 1, (500, *SHAPE)).astype(np.float32)).numpy().max(axis=0)
    assert z[0, 0] > chance[0] and z[1, 2] > chance[2]


# --- mosaics -------------------------------------------------------------------------------------


def test_mosaics_hold_what_they_say():
    labels = np.repeat(np.arange(10), 3)
    images = np.repeat(20 * (labels + 1), 784).reshape(-1, 28, 28).astype(np.uint8)
    made = mosaics.mosaics(images, labels, 40, np.random.default_rng(0))
    assert made.pictures.shape == (40, 28, 28, 1) and (made.cells == -1).any()
    for picture, cells, present in zip(*made, strict=True):
        classes = [k for k in cells if k >= 0]
        assert len(set(classes)) == len(classes) and set(np.flatnonzero(present)) == set(classes)
        for place, k in enumerate(cells):
            inside = picture[mosaics.mask_of(place)]
            assert np.allclose(inside, 0 if k < 0 else 20 * (k + 1) / 255)


def test_marks():
    labels = np.repeat(np.arange(10), 50)
    images = np.zeros((500, 28, 28), np.uint8)
    changed, marked = mosaics.marked_coats(images, labels, np.random.default_rng(0))
    assert not images.any() and set(labels[marked]) == {mosaics.COAT} and 40 <= marked.sum() <= 50
    assert (changed[marked][:, mosaics.mark_mask()] == 255).all()
    assert changed.sum() == 255 * 16 * marked.sum()


# --- messages ------------------------------------------------------------------------------------


def hidden(fill):
    image = np.full((4, 5, 2), 200, np.uint8)
    return explain.covered(image, explain.grid(4, 5, 2), np.zeros((1, 6), bool), fill)


def test_a_fill_is_what_is_seen():
    assert (hidden(7) == 7).all() and (hidden([1, 2])[0, 3, 4] == [1, 2]).all()


def test_a_softmax_that_is_too_sure_is_said_instead_of_drawing_nothing():
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(2, 2, kernel_initializer="ones"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, "softmax", kernel_initializer="ones", bias_initializer=far_apart),
        ]
    )
    for method in (explain.gradient, explain.grad_cam):
        with pytest.raises(ValueError, match=r"3 of 3 images have no gradient.*softmax"):
            method(model, IMAGES, 0)


def far_apart(shape, dtype=None):
    return np.array([1000.0, 0.0], np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: explain.gradient(LINEAR, IMAGES[0], 0), r"give numbers of shape .* image\[None\]"),
        (
            lambda: explain.gradient(LINEAR, IMAGES[:, :3], 0),
            r"\(3, 5, 2\) each, the network takes",
        ),
        (
            lambda: explain.gradient(LINEAR, IMAGES, 3),
            "label 3 is none of the network's: .* 0 to 2",
        ),
        (lambda: explain.gradient(LINEAR, IMAGES, [-1, 0, 0]), "label -1 is none"),
        (lambda: explain.gradient(LINEAR, IMAGES, 1.0), "give whole numbers"),
        (lambda: explain.gradient(LINEAR, IMAGES, [0, 1]), "one for each of 3"),
        (lambda: explain.gradient(LINEAR, IMAGES * np.nan, 0), "NaN or infinite"),
        (lambda: explain.integrated_gradients(LINEAR, IMAGES, 0, steps=0), "steps=0"),
        (lambda: explain.smooth_grad(LINEAR, IMAGES, 0, RNG, samples=2.5), "samples=2.5"),
        (lambda: explain.guided_backprop(LINEAR, IMAGES, 0), "has no ReLU"),
        (lambda: explain.score_of(LINEAR, 5), "label 5 is none"),
        (lambda: explain.score_of(LINEAR, 0, "relu"), "'softmax' or 'sigmoid'"),
        (lambda: explain.occlusion(lambda x: x, IMAGES[0]), "must fit into 4×5"),
        (lambda: explain.occlusion(lambda x: x, IMAGES[0], 2), "must give one number for each"),
        (lambda: explain.occlusion(explain.score_of(LINEAR, 0), IMAGES), "give one, "),
        (lambda: explain.covered(IMAGES[0], np.ones((4, 5), int), [[1]]), "numbered 0, 1, 2"),
        (lambda: explain.covered(IMAGES[0], np.zeros((4, 4), int), [[1]]), "shape \\(4, 5\\)"),
        (lambda: explain.covered(IMAGES[0], explain.grid(4, 5, 2), [[1]]), "a column a segment"),
        (lambda: explain.pointing(IMAGES[0], np.ones((4, 5), bool)), "over_channels"),
        (lambda: explain.pointing(np.ones((4, 5)), np.ones((4, 5))), "give bool"),
        (lambda: explain.curve(len, IMAGES[0], np.ones((5, 4)), RNG), "height and width"),
        (lambda: explain.rank_correlation(np.ones((2, 2)), np.ones((2, 3))), "cannot be compared"),
        (lambda: explain.stability([np.ones((2, 2))]), "two maps or more"),
        (lambda: explain.nearest(np.ones((3, 2)), np.ones((1, 3))), "rows of equal length"),
        (lambda: explain.visualize(LINEAR, 0, SHAPE, RNG, low=1.0), "no room"),
        (lambda: hidden(0.5), "fill=0.5 is no pixel of an image of uint8"),
        (lambda: hidden(-1), "fill=-1 is no pixel"),
        (lambda: hidden([1, 2, 3]), r"the fill has shape \(3,\), the image \(4, 5, 2\)"),
        (lambda: explain.integrated_gradients(LINEAR, IMAGES, 0, np.nan), "fill=nan is no pixel"),
        (lambda: explain.gradient_times_input(LINEAR, IMAGES, 0, np.ones(7)), r"shape \(7,\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_wrong_number_of_layers_is_refused():
    with (
        pytest.raises(ValueError, match="the network has 2 with weights"),
        explain.shuffled(RELU, RNG, layers=3),
    ):
        pass


def test_importing_needs_no_tensorflow():
    code = "import sys; from helpers import explain; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert "grad_cam" in dir(explain)
    with pytest.raises(AttributeError, match="'lyme'"):
        _ = explain.lyme
