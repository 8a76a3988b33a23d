"""LiteRT files: what goes in comes out, in fewer bytes, and wrong input is refused by name."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from helpers import alexnet, quantization


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return alexnet.alexnet28(width=0.5)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((120, 28, 28, 1), np.float32)


@pytest.fixture(scope="module")
def files(model, images):
    extra = {"int8": images[:100]}
    return {
        mode: quantization.convert(model, mode, extra.get(mode)) for mode in quantization.RECIPES
    }


@pytest.mark.parametrize(
    ("mode", "error"),
    [("float32", 1e-5), ("float16", 2e-3), ("dynamic", 0.03), ("int8", 0.1), ("int4", 0.3)],
)
def test_every_mode_runs_close_to_keras(model, images, files, mode, error):
    expected = model.predict(images, verbose=0)
    outputs = quantization.run(files[mode], images, batch=50)
    assert outputs.dtype == np.float32
    assert outputs.shape == expected.shape
    assert np.linalg.norm(outputs - expected) < error * np.linalg.norm(expected)


def test_fewer_bits_fewer_bytes(files):
    sizes = {mode: len(data) for mode, data in files.items()}
    assert sizes["float16"] < 0.55 * sizes["float32"]
    assert sizes["dynamic"] < 0.3 * sizes["float32"]
    assert sizes["int8"] < 0.3 * sizes["float32"]
    assert sizes["int4"] < 0.2 * sizes["float32"]


def test_a_float_file_converts_as_its_model_does(files, images):
    assert quantization.convert(files["float32"], "int8", images[:100]) == files["int8"]


def test_the_batch_size_changes_nothing(images, files):
    one = quantization.run(files["int8"], images[:7], batch=1)
    assert np.array_equal(one, quantization.run(files["int8"], images[:7], batch=4))


def test_conversion_writes_nothing_to_the_terminal(model, images, capfd):
    quantization.convert(model, "int8", images[:5])
    assert capfd.readouterr() == ("", "")


def test_race_times_every_file_in_every_round(images, files):
    times = quantization.race({"a": files["float32"], "b": files["int8"]}, images[0], 4, calls=2)
    assert list(times) == ["a", "b"]
    assert all(t.shape == (4,) and (t > 0).all() for t in times.values())


def test_race_takes_turns_and_drops_the_first_round(images, monkeypatch):
    calls, clock = [], iter(range(1, 100))

    def lane(data, image, threads):
        return lambda: calls.append(data) or next(clock)

    monkeypatch.setattr(quantization, "_lane", lane)
    times = quantization.race({"a": "A", "b": "B"}, images[0], rounds=2, calls=3)
    assert "".join(calls) == "AAABBB" + "BBBAAA" + "AAABBB"
    assert times["a"].tolist() == [11e3, 14e3]  # the median second of three calls, in ms
    assert times["b"].tolist() == [8e3, 17e3]


def test_wrong_settings_are_refused(model, images):
    with pytest.raises(ValueError, match=r"mode='int2' from a model; use one of float32"):
        quantization.convert(model, "int2")
    with pytest.raises(ValueError, match=r"mode='float16' from a file"):
        quantization.convert(b"", "float16")
    with pytest.raises(ValueError, match=r"'int8': calibration= images go with"):
        quantization.convert(model, "int8")
    with pytest.raises(ValueError, match=r"'dynamic': calibration= images go with"):
        quantization.convert(model, "dynamic", images)
    with pytest.raises(ValueError, match=r"calibration has shape \(5, 28, 28\)"):
        quantization.convert(model, "int8", images[:5, ..., 0])


def test_wrong_images_are_refused(images, files):
    data = files["float32"]
    with pytest.raises(ValueError, match=r"images has shape \(2, 28, 28\).*expected float32"):
        quantization.run(data, images[:2, ..., 0])
    with pytest.raises(ValueError, match=r"type float64; expected float32 \(n, 28, 28, 1\)"):
        quantization.run(data, images[:2].astype(float))
    with pytest.raises(ValueError, match=r"n > 0"):
        quantization.run(data, images[:0])
    with pytest.raises(ValueError, match=r"image has shape \(1, 28, 28\)"):
        quantization.race({"a": data}, images[0, ..., 0])


def test_a_model_with_two_inputs_is_refused():
    inputs = [keras.Input((3,)), keras.Input((3,))]
    model = keras.Model(inputs, keras.layers.Add()(inputs), name="sum")
    with pytest.raises(ValueError, match="sum has 2 inputs and 1 outputs; give a model with one"):
        quantization.convert(model)


def test_without_the_quantizer_the_message_says_what_to_do(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "litert_quantizer", None)
    with pytest.raises(RuntimeError, match="install litert-quantizer, on Linux, macOS or in Colab"):
        quantization.convert(model, "dynamic")


@pytest.mark.parametrize("data", [b"", b"not a file", bytes(1000)])
def test_other_bytes_are_refused(images, data):
    with pytest.raises(ValueError, match=r"bytes are no LiteRT file"):
        quantization.run(data, images)


def small(*layers, batch=None):
    return keras.Sequential([keras.Input((12, 12, 1), batch), *layers], name="small")


def test_a_file_for_one_size_of_batch_takes_any_number_of_images(images):
    keras.utils.set_random_seed(0)
    some = images[:20, :12, :12]
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    eights, free = small(*layers, batch=8), small(*layers)
    found = quantization.run(quantization.convert(eights), some)
    np.testing.assert_allclose(found, free(some).numpy(), atol=1e-5)


def test_a_file_for_one_size_of_batch_is_not_raced_or_calibrated(images):
    some = images[:20, :12, :12]
    data = quantization.convert(small(keras.layers.Flatten(), keras.layers.Dense(3), batch=8))
    for call in (
        lambda: quantization.race({"a": data}, some[0]),
        lambda: quantization.convert(data, "int8", some),
    ):
        with pytest.raises(ValueError, match="converted for batches of 8; convert a model whose"):
            call()


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 2), (2, 1)])
def test_a_file_with_several_ends_is_refused(images, inputs, outputs):
    import tensorflow as tf

    ends = [keras.Input((12, 12, 1)) for _ in range(inputs)]
    flat = keras.layers.Flatten()(sum(ends[1:], ends[0]))
    model = keras.Model(ends, [keras.layers.Dense(2)(flat) for _ in range(outputs)])
    with quantization._quiet():
        data = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    some = images[:2, :12, :12]
    for call in (
        lambda: quantization.run(data, some),
        lambda: quantization.convert(data, "dynamic"),
        lambda: quantization.race({"a": data}, some[0]),
    ):
        with pytest.raises(ValueError, match=f"has {inputs} inputs and {outputs} outputs, in an"):
            call()


def test_a_file_that_does_not_answer_for_each_image_is_refused(images):
    inputs = keras.Input((12, 12, 1))
    model = keras.Model(inputs, keras.ops.mean(keras.layers.Flatten()(inputs), axis=0))
    with pytest.raises(ValueError, match=r"gives \(144,\) for 2 images"):
        quantization.run(quantization.convert(model), images[:2, :12, :12])


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([keras.layers.Reshape((12, 12)), keras.layers.LSTM(2, name="l")], "TensorListReserve in"),
        ([keras.layers.Resizing(9, 9, interpolation="bicubic")], "ResizeBicubic in .*resizing"),
    ],
)
def test_what_liteRT_lacks_is_said_in_one_sentence(layers, words):
    with pytest.raises(ValueError, match=f"small.*: LiteRT has no {words}.*put another layer") as e:
        quantization.convert(small(*layers))
    assert "\n" not in str(e.value) and len(str(e.value)) < 250


def test_the_advice_for_recurrent_layers_works(images):
    model = small(keras.layers.Reshape((12, 12)), keras.layers.LSTM(2, unroll=True))
    some = images[:3, :12, :12]
    found = quantization.run(quantization.convert(model), some)
    np.testing.assert_allclose(found, model(some).numpy(), atol=1e-5)


def test_a_model_that_keras_has_quantized_is_refused():
    model = small(keras.layers.Flatten(), keras.layers.Dense(3, name="d"))
    model.quantize("int8")
    with pytest.raises(ValueError, match="layer 'd' was quantized to int8 by Keras"):
        quantization.convert(model)
