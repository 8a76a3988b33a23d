"""No NaN passes a public door, and nothing is left out in silence: pruning and quantization."""

import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import layers

from helpers import compression, networks, quantization
from helpers.alexnet import alexnet28

NO_NUMBER = "that are NaN or infinite"


def small(*inner):
    return keras.Sequential([keras.Input((8, 8, 3)), *inner, layers.Flatten(), layers.Dense(2)])


def spoiled(value, layer=0, weight=0):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(100, name="wide"), layers.Dense(3)])
    weights = model.layers[layer].get_weights()
    weights[weight].flat[5] = value
    model.layers[layer].set_weights(weights)
    return model


def weights_of(model):
    return [weight.numpy().copy() for weight in model.weights]


# Values that are no numbers


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "door",
    [
        lambda model: compression.prune(model, 0.5),
        lambda model: compression.share(model, 8),
        compression.round_for_storage,
        compression.pack,
        lambda model: compression.GradualPruning(0.5, 10).set_model(model),
        lambda model: compression.inherit(alexnet28(width=0.5), model),
        quantization.convert,
        lambda model: quantization.convert(model, "dynamic"),
        lambda model: quantization.convert(model, "int8", np.zeros((2, 6), np.float32)),
    ],
)
def test_a_weight_that_is_no_number_is_refused_by_layer_and_nothing_changes(door, value):
    model = spoiled(value)
    before = weights_of(model)
    with pytest.raises(ValueError, match=rf"wide\S* (kernel )?has 1 of 600 values {NO_NUMBER}"):
        door(model)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_last_layer_at_fault_spares_the_first():
    model = spoiled(np.nan, layer=1)
    for door in (lambda: compression.prune(model, 0.5), lambda: compression.share(model, 4)):
        with pytest.raises(ValueError, match="has 1 of 300 values"):
            door()
        assert model.layers[0].kernel.numpy().all()  # nothing was pruned
        assert np.unique(model.layers[0].kernel.numpy()).size > 500


def test_biases_too_large_to_round_spare_those_before():
    model = spoiled(0.1, weight=1)
    model.layers[1].bias.assign([1e6, 0, 0])
    before = weights_of(model)
    with pytest.raises(ValueError, match="too large for float16"):
        compression.round_for_storage(model)
    np.testing.assert_array_equal(weights_of(model)[1], before[1])


def test_a_bias_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match=rf"wide/bias has 1 of 100 values {NO_NUMBER}"):
        compression.round_for_storage(spoiled(np.nan, weight=1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_kmeans_and_the_channels_refuse_what_is_no_number(value):
    with pytest.raises(ValueError, match=NO_NUMBER):
        compression.kmeans(np.array([0.0, value, 1.0]), 2)
    with pytest.raises(ValueError, match=NO_NUMBER):
        compression.strongest(np.array([[0.0, value]]), 2)


@pytest.mark.parametrize(("values", "clusters"), [(np.zeros(0), 2), (np.ones(3), 0)])
def test_kmeans_refuses_nothing_to_do(values, clusters):
    with pytest.raises(ValueError, match=f"{clusters} clusters for {values.size} values"):
        compression.kmeans(values, clusters)


def test_a_file_with_a_weight_that_is_no_number_is_refused(monkeypatch):
    from helpers.compression import writing

    monkeypatch.setattr(writing, "check_finite_weights", lambda model: None)
    with pytest.raises(ValueError, match="a weight of layer 'wide' is NaN or infinite"):
        compression.pack(spoiled(np.nan))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_quantization_names_the_image_and_the_files_weight(value, monkeypatch):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.GlobalMaxPooling2D()]
    )
    data, images = quantization.convert(model), np.zeros((9, 8, 8, 3), np.float32)
    images[7, 3, 3, 0] = value
    message = rf"\[7\] has 1 of 192 values {NO_NUMBER}; mend this image or leave it out"
    with pytest.raises(ValueError, match="calibration" + message):
        quantization.convert(data, "int8", images)
    with pytest.raises(ValueError, match="images" + message):
        quantization.run(data, images)
    with pytest.raises(ValueError, match=NO_NUMBER):
        quantization.race({"a": data}, images[7], 1)
    kernel = model.layers[0].kernel.numpy()
    kernel[0, 0, 0, 0] = value
    model.layers[0].kernel.assign(kernel)
    monkeypatch.setattr(quantization, "check_finite_weights", lambda model: None)
    data = quantization.convert(model)
    for mode in ("dynamic", "int8", "int4"):
        extra = (images[:3],) if mode == "int8" else ()
        with pytest.raises(ValueError, match=rf"conv\S* has 1 of 108 values {NO_NUMBER}"):
            quantization.convert(data, mode, *extra)


# Files and models that people have


def tail(inputs):
    return layers.Dense(4)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(inputs)))


def test_a_network_of_pixels_takes_pixels():
    inputs = keras.Input((12, 12, 3), dtype="uint8")
    model = keras.Model(inputs, tail(layers.Rescaling(1 / 255)(inputs)))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), np.uint8)
    data = quantization.convert(model)
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(quantization.run(data, pixels), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"type float32; expected uint8 \(n, 12, 12, 3\)"):
        quantization.run(data, pixels.astype(np.float32))


@pytest.mark.parametrize("options", [{"shape": (None, None, 3)}, {"batch_shape": (1, 12, 12, 3)}])
def test_any_size_and_batches_of_one(options):
    inputs = keras.Input(**options)
    model = keras.Model(inputs, tail(inputs))
    images = np.random.default_rng(0).random((5, 12, 12, 3), np.float32)
    data = quantization.convert(model)
    expected = np.concatenate([model.predict(image[None], verbose=0) for image in images])
    np.testing.assert_allclose(quantization.run(data, images), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"expected float32 \(n, .*, 3\)"):
        quantization.run(data, images[..., :1])


def test_odd_sources_are_refused_in_one_sentence(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    half = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="d", dtype="mixed_float16")])
    for call, message in (
        (lambda: quantization.convert(Own()), "is no built Sequential or functional model"),
        (lambda: quantization.convert(half), "layer 'd' computes in float16; build the model"),
        (lambda: quantization.convert(tmp_path / "m", "int8"), r"is a path; .*read_bytes"),
        (lambda: quantization.run(str(tmp_path), np.zeros(1)), r"is a path; .*read_bytes"),
        (lambda: quantization.race({}, np.zeros(1), rounds=0), "rounds=0, calls=10: give whole"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# Nothing is left out in silence


def test_networks_within_networks_are_pruned_and_shared_too():
    base = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(8, 3, name="c")], name="base")
    model = small(base, layers.SeparableConv2D(9, 3, name="s"))
    known = compression.kernels(model)
    head = model.layers[-1].name
    assert list(known) == ["base/c", "s/depthwise_kernel", "s/pointwise_kernel", head]
    compression.prune(model, {"base/c": 0.5})
    assert (base.get_layer("c").kernel.numpy() == 0).mean() == 0.5
    compression.prune(model, 0.75)
    for kernel in known.values():
        assert (kernel.numpy() == 0).mean() == pytest.approx(0.75, abs=0.02)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.ones((8, 8, 8, 3), "float32"), np.arange(8) % 2, verbose=0)
    for kernel in known.values():
        assert (kernel.numpy() == 0).mean() == pytest.approx(0.75, abs=0.02)


def test_a_shared_layer_counts_once_and_one_name_stands_for_one_layer():
    conv = layers.Conv2D(3, 3, padding="same", name="c")
    inner = keras.Sequential([keras.Input((8, 8, 3)), conv], name="inner")
    model = small(inner, conv, inner)
    assert list(networks.layers_of(model))[:2] == ["inner", "inner/c"]
    assert sum(kernel is conv.kernel for kernel in compression.kernels(model).values()) == 1


def test_what_cannot_be_pruned_is_refused():
    unbuilt = keras.Sequential([layers.Dense(4, name="first"), layers.Dense(2)])
    bare = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()], name="bare")
    doors = [
        lambda model: compression.prune(model, 0.9),
        lambda model: compression.share(model, 4),
        compression.round_for_storage,
        lambda model: compression.GradualPruning(0.9, 5).set_model(model),
    ]
    for door in doors:
        with pytest.raises(ValueError, match=r"layer 'first' of .* has no weights yet"):
            door(unbuilt)
        with pytest.raises(ValueError, match="'bare' has no layer with a kernel"):
            door(bare)
    with pytest.raises(ValueError, match="the sparsity is given for no layer; name one of"):
        compression.prune(small(), {})


def test_tables_that_are_no_kernels_are_said_to_be_left_out(capsys):
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(9, 3, name="words")])
    model.add(layers.Flatten())
    model.add(layers.Dense(2))
    compression.prune(model, 0.5)
    assert re.fullmatch(r"left out: \S*words/\w+, which is no kernel\n", capsys.readouterr().out)
    compression.prune(small(), 0.5)
    assert capsys.readouterr().out == ""


def regression(**options):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(40), layers.Dense(3)])
    model.compile("sgd", "mse", **options)
    rng = np.random.default_rng(0)
    return model, rng.random((640, 6), np.float32), rng.random((640, 3), np.float32)


def test_a_second_fit_goes_on_with_pruning(capsys):
    model, x, y = regression()
    callback = compression.GradualPruning(0.8, 96, 4)

    def share():
        return (model.layers[0].kernel.numpy() == 0).mean()

    model.fit(x, y, 10, epochs=1, verbose=0, callbacks=[callback])
    expected = compression.cubic_sparsity(64, 96, 0.8)
    assert share() == pytest.approx(expected, abs=0.01)
    assert "pruned for 64 of 96 steps: another fit with this goes on" in capsys.readouterr().out
    model.evaluate(x, y, verbose=0, callbacks=[callback])
    assert share() == pytest.approx(expected, abs=0.01)
    model.compile("adam", "mse")  # its count of steps begins again
    for _ in range(2):
        model.fit(x, y, 10, epochs=1, verbose=0, callbacks=[callback])
        assert share() == pytest.approx(0.8, abs=0.01)
    assert capsys.readouterr().out == ""
    other, x, y = regression()
    other.fit(x, y, 10, epochs=1, verbose=0, callbacks=[callback])
    share_of_other = (other.layers[0].kernel.numpy() == 0).mean()
    assert share_of_other == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("at_once", [3, 64])
def test_many_steps_in_one_call_count_as_many(at_once):
    model, x, y = regression(steps_per_execution=at_once)
    model.fit(x, y, 10, epochs=1, verbose=0, callbacks=[compression.GradualPruning(0.8, 64, 5)])
    assert (model.layers[0].kernel.numpy() == 0).mean() == pytest.approx(0.8, abs=0.01)
