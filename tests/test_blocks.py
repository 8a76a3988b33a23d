"""The blocks after AlexNet: against plain TensorFlow, their sizes, saving, and bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import blocks
from helpers.alexnet import layer_table
from helpers.check.architecture import attention

NETWORKS = {
    "small_plain": (blocks.small_plain, 61_050),
    "small_residual": (blocks.small_residual, 135_930),
    "plain 8": (lambda: blocks.tower(8, False), None),
    "residual 8": (lambda: blocks.tower(8, True), None),
    "transformer": (lambda: blocks.vision_transformer(width=16, depth=1, heads=2), None),
}
BLOCKS = {
    "residual": lambda x: blocks.residual(x, 6, 2),
    "bottleneck": lambda x: blocks.bottleneck(x, 8, 2),
    "inception": lambda x: blocks.inception(x, 2, (1, 3), (1, 2), 1),
    "separable": lambda x: blocks.separable(x, 5, 2),
    "inverted": lambda x: blocks.inverted_residual(x, 4, expansion=2),
    "squeeze": lambda x: blocks.squeeze_excite(blocks.conv_bn(x, 8), 4),
}


def with_random_statistics(model, seed=0):
    """Weights in which a normalization is not the identity, so that leaving it out would show."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.3 if "variance" in weight.path or "gamma" in weight.path else -0.5
        if "seed" not in weight.path:
            weight.assign(rng.uniform(low, 1.2, weight.shape).astype(np.float32))
    return model


def of_block(make, shape=(8, 8, 4)):
    inputs = keras.Input(shape)
    return with_random_statistics(keras.Model(inputs, make(inputs)))


def images(model, count=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype("f")


@pytest.mark.parametrize("name", [*NETWORKS, *BLOCKS])
def test_a_network_comes_back_from_its_file(name, tmp_path):
    model = with_random_statistics(NETWORKS[name][0]()) if name in NETWORKS else None
    model = model or of_block(BLOCKS[name])
    model.save(tmp_path / "model.keras")
    x, loaded = images(model), keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    assert np.isfinite(loaded.predict(x, verbose=0)).all()


@pytest.mark.parametrize("name", ["small_plain", "small_residual"])
def test_the_race_s_networks_have_the_sizes_that_the_book_prints(name):
    assert blocks.trained_parameters(NETWORKS[name][0]()) == NETWORKS[name][1]


def norm(x, layer):
    s = np.sqrt(layer.moving_variance + layer.epsilon)
    return (x - layer.moving_mean) / s * layer.gamma + layer.beta


def of_kind(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2]), st.integers(0, 99))
def test_a_residual_block_is_its_formula(channels, filters, stride, seed):
    inputs = keras.Input((6, 6, channels))
    model = with_random_statistics(keras.Model(inputs, blocks.residual(inputs, filters, stride)))
    x = images(model, 2, seed)
    kernels = {layer.kernel_size: [] for layer in of_kind(model, keras.layers.Conv2D)}
    follow = dict(zip(of_kind(model, keras.layers.Conv2D), norms_of(model), strict=True))
    for layer in follow:
        kernels[layer.kernel_size].append(layer)

    def run(x, layer, stride):
        y = tf.nn.conv2d(x, layer.kernel, stride, "SAME")
        return norm(y, follow[layer])

    first, second = kernels[3, 3]
    y = run(tf.nn.relu(run(x, first, stride)), second, 1)
    changed = stride != 1 or channels != filters
    assert len(kernels.get((1, 1), [])) == changed
    around = run(x, kernels[1, 1][0], stride) if changed else x
    np.testing.assert_allclose(model(x), tf.nn.relu(around + y), rtol=2e-4, atol=2e-4)


def norms_of(model):
    """For each convolution the normalization that takes its output."""
    found = []
    for layer in of_kind(model, keras.layers.Conv2D):
        (node,) = layer._outbound_nodes
        found.append(node.operation)
    assert all(isinstance(one, keras.layers.BatchNormalization) for one in found)
    return found


def test_without_its_shortcut_a_block_lacks_only_the_sum():
    inputs = keras.Input((6, 6, 4))
    plain = keras.Model(inputs, blocks.residual(inputs, 4, shortcut=False))
    whole = keras.Model(inputs, blocks.residual(inputs, 4))
    assert plain.count_params() == whole.count_params()
    assert len(of_kind(whole, keras.layers.Add)) - len(of_kind(plain, keras.layers.Add)) == 1
    assert [blocks.tower(d, False).count_params() for d in (8, 20)] == [
        layers_without_projections(blocks.tower(d, True)) for d in (8, 20)
    ]


def layers_without_projections(model):
    kernels = [c for c in of_kind(model, keras.layers.Conv2D) if c.kernel_size == (1, 1)]
    return model.count_params() - sum(c.count_params() + 4 * c.filters for c in kernels)


def test_a_tower_has_the_depth_it_says():
    for depth in (8, 14, 20):
        model = blocks.tower(depth, False)
        weighted = of_kind(model, keras.layers.Conv2D) + of_kind(model, keras.layers.Dense)
        assert len(weighted) == depth


def test_a_separable_convolution_costs_what_the_chapter_says():
    inputs = keras.Input((10, 10, 12))
    rows = layer_table(keras.Model(inputs, blocks.separable(inputs, 20)))
    assert sum(row.multiply_adds for row in rows) == 100 * (9 * 12 + 12 * 20)


def test_inception_joins_its_four_paths():
    inputs = keras.Input((8, 8, 16))
    model = keras.Model(inputs, blocks.inception(inputs, 4, (2, 6), (2, 3), 5))
    assert model.output_shape == (None, 8, 8, 4 + 6 + 3 + 5)
    sizes = [c.kernel_size[0] for c in of_kind(model, keras.layers.Conv2D)]
    assert sorted(sizes) == [1, 1, 1, 1, 3, 5]


def test_an_inverted_residual_adds_only_where_shapes_agree():
    inputs = keras.Input((8, 8, 4))
    for channels, stride, sums in ((4, 1, 1), (4, 2, 0), (5, 1, 0)):
        model = keras.Model(inputs, blocks.inverted_residual(inputs, channels, stride))
        assert len(of_kind(model, keras.layers.Add)) == sums
        assert model.count_params() == 4 * 24 + 9 * 24 + 24 * channels + 4 * (24 + 24 + channels)


def test_squeeze_and_excitation_weighs_whole_maps():
    model = of_block(lambda x: blocks.squeeze_excite(x, 2))
    x = images(model)
    factors = model.predict(x, verbose=0) / x
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], x.shape), rtol=1e-4)
    assert (factors > 0).all() and (factors < 1).all()


def test_patches_are_cut_like_a_mosaic():
    inputs = keras.Input((8, 4, 1))
    model = keras.Model(inputs, blocks.patches(inputs, 4, 3))
    x = images(model, 1)
    kernel, bias = of_kind(model, keras.layers.Conv2D)[0].get_weights()
    (positions,) = model.layers[-1].get_weights()
    wanted = np.stack([x[0, :4].ravel(), x[0, 4:].ravel()]) @ kernel.reshape(16, 3) + bias
    np.testing.assert_allclose(model(x)[0], wanted + positions, rtol=1e-4, atol=1e-5)


def test_keras_attends_as_the_reader_s_function():
    rng = np.random.default_rng(3)
    layer = keras.layers.MultiHeadAttention(1, 5, dtype="float64")
    x = rng.normal(size=(1, 7, 5))
    layer.build(x.shape, x.shape)
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = zip(*[iter(layer.get_weights())] * 2, strict=True)
    q, k, v = (x[0] @ w[:, 0] + b[0] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    wanted = attention(q, k, v) @ wo[0] + bo
    np.testing.assert_allclose(layer(x, x)[0], wanted, rtol=1e-6, atol=1e-8)


def test_without_positions_a_transformer_does_not_see_the_order():
    inputs = keras.Input((6, 8))
    model = with_random_statistics(keras.Model(inputs, blocks.encoder(inputs, 2)))
    x = images(model, 1)
    mixed = np.random.default_rng(1).permutation(6)
    np.testing.assert_allclose(model(x).numpy()[:, mixed], model(x[:, mixed]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: blocks.conv_bn(x, 0),
        lambda x: blocks.conv_bn(x, 4, size=2.5),
        lambda x: blocks.conv_bn(x, True),
        lambda x: blocks.inverted_residual(x, 4, expansion=0),
        lambda x: blocks.squeeze_excite(x, 0),
        lambda x: blocks.patches(x, 3, 8),
        lambda x: blocks.bottleneck(x, 8, narrow=0),
        lambda x: blocks.encoder(keras.Input((4, 6)), heads=4),
        lambda x: blocks.tower(9, True),
        lambda x: blocks.tower(2, True),
        lambda x: blocks.small_plain(classes=0),
        lambda x: blocks.vision_transformer(depth=0),
    ],
)
def test_senseless_sizes_are_named(make):
    with pytest.raises(ValueError, match=r"give|divide|fill"):
        make(keras.Input((8, 8, 4)))
