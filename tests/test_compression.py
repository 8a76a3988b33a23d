"""Pruning, sharing and the packed file: what they do, and what a damaged or hostile file does."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import time
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from constriction import stream
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import layers

from helpers import compression
from helpers.alexnet import GroupedConv2D, LocalResponseNormalization, alexnet28
from helpers.compression import PackedFileError, codes, layout, pack, unpack


def small_model(seed=0):
    """Every part of AlexNet-28 in little: 2,000 weights."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="normal"),
            LocalResponseNormalization(),
            layers.MaxPooling2D(3, 2, padding="same"),
            GroupedConv2D(8, 3, padding="same", groups=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(20, activation="relu"),
            layers.Dense(3, name="logits"),
        ],
        name="small",
    )


def compressed_model():
    model = small_model()
    compression.prune(model, 0.8)
    compression.share(model, 5)
    compression.round_for_storage(model)
    return model


@pytest.fixture(scope="module")
def packed():
    return pack(compressed_model())


def same_weights(one, other):
    pairs = zip(one.weights, other.weights, strict=True)
    return all(np.array_equal(a.numpy().view("u1"), b.numpy().view("u1")) for a, b in pairs)


def fit(model, callbacks=(), optimizer="sgd", epochs=2):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 8, 8, 1)).astype("float32"), rng.integers(0, 3, 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks))


# Pruning


def test_prune_removes_the_smallest_share_of_each_kernel():
    model = small_model()
    before = {name: kernel.numpy() for name, kernel in compression.kernels(model).items()}
    compression.prune(model, 0.75)
    for name, kernel in compression.kernels(model).items():
        after, size = kernel.numpy(), before[name].size
        assert (after == 0).sum() == round(0.75 * size)
        assert np.abs(before[name][after == 0]).max() <= np.abs(after[after != 0]).min()
        np.testing.assert_array_equal(after[after != 0], before[name][after != 0])


def test_prune_by_name_leaves_the_others():
    model = small_model()
    compression.prune(model, {"logits": 0.5})
    assert (model.get_layer("logits").kernel.numpy() == 0).sum() == 30
    others = [k for n, k in compression.kernels(model).items() if n != "logits"]
    assert all(k.numpy().all() and k.constraint is None for k in others)


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(0.1, momentum=0.9)])
def test_pruned_weights_stay_zero_while_the_rest_trains(optimizer):
    model = small_model()
    fit(model, optimizer="sgd", epochs=1)  # traced before there is anything to keep
    compression.prune(model, 0.6)
    pruned = {name: kernel.numpy() for name, kernel in compression.kernels(model).items()}
    fit(model, optimizer=optimizer)
    for name, kernel in compression.kernels(model).items():
        np.testing.assert_array_equal(kernel.numpy() == 0, pruned[name] == 0)
        assert not np.allclose(kernel.numpy(), pruned[name])


def test_pruning_after_a_fit_holds_in_the_next_fit_without_compiling_again():
    model = small_model()
    fit(model, epochs=1)
    compression.prune(model, 0.5)
    model.fit(np.ones((16, 8, 8, 1), "float32"), np.arange(16) % 3, verbose=0)
    assert (model.get_layer("logits").kernel.numpy() == 0).sum() == 30
    compression.prune(model, 0.9)  # the traced step sees the new mask
    model.fit(np.ones((16, 8, 8, 1), "float32"), np.arange(16) % 3, verbose=0)
    assert (model.get_layer("logits").kernel.numpy() == 0).sum() == 54


def separable_model():
    parts = [layers.SeparableConv2D(4, 3), layers.DepthwiseConv2D(3), layers.Flatten()]
    return keras.Sequential([keras.Input((8, 8, 1)), *parts, layers.Dense(3)])


@pytest.mark.parametrize("make", [small_model, separable_model])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_pruned_and_shared_stays_so_when_saved_loaded_and_trained(tmp_path, make, shared):
    model = make()
    compression.prune(model, 0.8)
    if shared:
        compression.share(model, 3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    fit(again)
    kernels = list(compression.kernels(model).values())
    for old, new in zip(kernels, compression.kernels(again).values(), strict=True):
        old, new = old.numpy(), new.numpy()
        assert not np.array_equal(old, new)  # it was trained
        assert np.array_equal(old == 0, new == 0)
        assert not shared or len(np.unique(new[new != 0])) <= 3
    compression.prune(again, 0.9)  # and it can be pruned further
    fit(again)
    assert all((k.numpy() == 0).mean() > 0.85 for k in compression.kernels(again).values())


def test_cubic_sparsity_is_zhu_and_guptas():
    assert [compression.cubic_sparsity(s, 100, 0.8) for s in (0, 100, 150)] == [0, 0.8, 0.8]
    assert compression.cubic_sparsity(50, 100, 0.8) == pytest.approx(0.8 * (1 - 0.5**3))
    assert compression.cubic_sparsity(25, 100, 0.9, 0.5) == pytest.approx(0.9 - 0.4 * 0.75**3)


def test_gradual_pruning_follows_the_schedule_and_ends_at_the_goal():
    model, seen = small_model(), []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((model.get_layer("logits").kernel.numpy() == 0).mean())

    name = next(n for n in compression.kernels(model) if n.startswith("dense"))
    goal = {"logits": 0.9, name: 0.5}
    fit(model, [compression.GradualPruning(goal, steps=12, every=4), Watch()])
    expected = [compression.cubic_sparsity(s // 4 * 4, 12, 0.9) for s in range(1, 17)]
    np.testing.assert_allclose(seen, [round(e * 60) / 60 for e in expected])
    assert (compression.kernels(model)[name].numpy() == 0).mean() == pytest.approx(0.5, abs=1e-3)


# Sharing


def test_kmeans_starts_linearly_and_ends_at_a_fixed_point():
    values = np.random.default_rng(0).normal(size=(50, 40))
    centroids, codes = compression.kmeans(values, 8)
    start, _ = compression.kmeans(values, 8, iterations=0)
    np.testing.assert_allclose(start, np.linspace(values.min(), values.max(), 8))
    assert codes.shape == values.shape and set(np.unique(codes)) <= set(range(8))
    error = ((values - centroids[codes]) ** 2).sum()
    linear = ((values[..., None] - start) ** 2).min(-1).sum()
    assert error < 0.9 * linear


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5)), st.integers(1, 9))
@settings(deadline=None, max_examples=200)
def test_kmeans_gives_each_value_its_nearest_centroid_and_each_centroid_its_mean(values, clusters):
    centroids, codes = compression.kmeans(values, clusters, iterations=500)
    assert (np.diff(centroids) >= -1e-9).all()
    nearest = np.abs(values[:, None] - centroids).min(1)
    np.testing.assert_allclose(np.abs(values - centroids[codes]), nearest, atol=1e-9)
    for cluster in np.unique(codes):
        mean = values[codes == cluster].mean()
        np.testing.assert_allclose(centroids[cluster], mean, atol=1e-6)


def test_shared_weights_stay_shared_and_pruned_ones_zero_while_centroids_train():
    model = compressed_model()
    before = {name: kernel.numpy() for name, kernel in compression.kernels(model).items()}
    fit(model, optimizer="adam")
    for name, kernel in compression.kernels(model).items():
        after = kernel.numpy()
        assert 1 < len(np.unique(after[after != 0])) <= 5
        np.testing.assert_array_equal(after == 0, before[name] == 0)
        for value in np.unique(before[name]):  # who shared a value still does
            assert len(np.unique(after[before[name] == value])) == 1
        assert not np.array_equal(after, before[name])


def test_a_step_moves_a_centroid_by_its_summed_gradient_over_its_size():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, use_bias=False)])
    compression.prune(model, 0.25)
    compression.share(model, 3)
    (kernel,) = compression.kernels(model).values()
    x, y = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    y, codes, before = y[:, :4], kernel.constraint.codes.numpy(), kernel.numpy()
    with tf.GradientTape() as tape:
        loss = keras.losses.MeanSquaredError()(y, model(x))
    gradient = tape.gradient(loss, kernel.value).numpy()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(x, y)
    for cluster in np.unique(codes[codes > 0]):
        chosen = codes == cluster
        step = -0.1 * gradient[chosen].sum() / chosen.sum()
        np.testing.assert_allclose(kernel.numpy()[chosen], before[chosen] + step, rtol=1e-5)
    assert (kernel.numpy()[codes == 0] == 0).all()


def test_round_for_storage_leaves_few_biases_and_half_precision():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(100, bias_initializer="normal"), layers.Dense(10)]
    )
    before = model.layers[0].bias.numpy()
    compression.share(model, {model.layers[0].name: 7})
    compression.round_for_storage(model)
    kernel, bias = model.layers[0].get_weights()
    assert len(np.unique(bias)) <= 16 and np.abs(bias - before).max() < 0.02
    for array in (kernel, bias, model.layers[1].bias.numpy()):
        np.testing.assert_array_equal(array, array.astype(np.float16).astype(np.float32))
    other = model.layers[1].kernel.numpy()  # not shared, so not rounded
    assert (other != other.astype(np.float16).astype(np.float32)).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: compression.prune(m, 1.5), "sparsity of .* is 1.5; give one from 0 to 1"),
        (lambda m: compression.prune(m, {"fc9": 0.5}), "no layer with a kernel is called 'fc9'"),
        (lambda m: compression.share(m, 0), "number of clusters of .* is 0; give one from 1"),
        (lambda m: compression.share(m, 300), "number of clusters of .* is 300"),
    ],
)
def test_settings_that_make_no_sense(call, words):
    with pytest.raises(ValueError, match=words):
        call(small_model())


@pytest.mark.parametrize(
    ("compress", "words"),
    [
        (lambda m: compression.prune(m, 0.5), r"has \d+ weights that were pruned since"),
        (lambda m: compression.share(m, 4), r"has \d+ values since other weights were put there"),
    ],
)
def test_weights_that_were_put_back_are_noticed(compress, words):
    model = small_model()
    before = model.get_weights()
    compress(model)
    model.set_weights(before)  # as a callback that restores the best does
    calls = [compression.pack, compression.round_for_storage]
    for call in [*calls, lambda m: compression.share(m, 4)]:
        with pytest.raises(ValueError, match=words):
            call(model)
    compression.prune(model, 0.5)
    compression.share(model, 4)
    compression.round_for_storage(model)
    assert unpack(compression.pack(model))


@pytest.mark.parametrize("change", ["quantize", "lora"])
def test_kernels_that_keras_has_replaced_are_refused(change):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="d")])
    if change == "lora":
        model.layers[0].enable_lora(2)
    else:
        model.quantize("int8")
    for call in (
        compression.pack,
        lambda m: compression.prune(m, 0.5),
        lambda m: compression.share(m, 4),
        compression.round_for_storage,
    ):
        with pytest.raises(ValueError, match=r"layer 'd' was .* by Keras.*as it was before"):
            call(model)


# The packed file


def test_round_trip_is_bit_identical_and_small(packed):
    model = compressed_model()
    restored = unpack(packed)
    assert restored.name == "small"
    assert same_weights(model, restored)
    x = np.random.default_rng(1).normal(size=(16, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(model(x).numpy(), restored(x).numpy())
    assert len(packed) < 4 * model.count_params() / 4


def test_round_trip_in_a_clean_process(tmp_path):
    model = alexnet28()
    compression.prune(model, 0.9)
    compression.share(model, 16)
    compression.round_for_storage(model)
    x = np.random.default_rng(1).random((4, 28, 28, 1), "float32")
    (tmp_path / "model.packed").write_bytes(pack(model))
    np.save(tmp_path / "x.npy", x)
    program = (
        "import sys, numpy as np; from helpers.compression import unpack; import pathlib\n"
        "here = pathlib.Path(sys.argv[1]); model = unpack((here / 'model.packed').read_bytes())\n"
        "np.save(here / 'y.npy', model(np.load(here / 'x.npy')).numpy())"
    )
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", program, tmp_path], check=True, env=quiet)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model(x).numpy())


def test_a_restored_model_can_be_trained_saved_and_packed_again(packed, tmp_path):
    model = unpack(packed)
    assert pack(model) == packed
    fit(model)
    model.save(tmp_path / "again.keras")
    assert same_weights(model, keras.models.load_model(tmp_path / "again.keras"))


def functional_model():
    one, two = keras.Input((6, 6, 2), name="one"), keras.Input((6, 6, 2), name="two")
    x = layers.Conv2D(4, 3, padding="same", name="conv")(two)
    x = layers.BatchNormalization()(x)
    x = layers.Concatenate()([x, layers.Activation("tanh")(one)])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model([one, two], [layers.Dense(3)(x), layers.Softmax()(x)])


def test_branches_several_inputs_and_unshared_weights():
    model = functional_model()
    restored = unpack(pack(model))
    x = np.random.default_rng(2).normal(size=(2, 3, 6, 6, 2)).astype("float32")
    for a, b in zip(model(list(x)), restored(list(x)), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 20)),
        elements=st.one_of(st.just(0.0), st.floats(width=32), st.sampled_from([0.5, -0.0, 2.0])),
    )
)
@settings(deadline=None, max_examples=150)
def test_any_weights_survive(array):
    """Also NaN, infinities, -0.0, subnormal numbers, all zeros."""
    coder = stream.stack.AnsCoder()
    row, values = codes.encode(array, coder)
    row = json.loads(json.dumps(row))
    assert codes.size_of(*row) == (array.size, len(values))
    back = codes.decode(*row, values, coder)
    assert back.tobytes() == array.tobytes() and back.shape == array.shape
    assert coder.is_empty()


def test_long_gaps():
    array = np.zeros((3, 1000), np.float32)
    array.ravel()[[0, 127, 255, 256, 384, 2999]] = 1
    coder = stream.stack.AnsCoder()
    row, values = codes.encode(array, coder)
    np.testing.assert_array_equal(codes.decode(*row, values, coder), array)


def test_codes_come_within_one_percent_of_the_entropy():
    model = alexnet28()
    compression.prune(model, 0.95)
    compression.share(model, 16)
    bound = coded = 0
    for kernel in compression.kernels(model).values():
        coder = stream.stack.AnsCoder()
        row, _ = codes.encode(kernel.numpy(), coder)
        coded += coder.num_bits()
        for counts in (np.array(row[2]), np.array(row[3])):
            counts = counts[counts > 0]
            bound -= (counts * np.log2(counts / counts.sum())).sum()
    assert bound <= coded <= 1.01 * bound


def test_layers_that_another_model_uses_too():
    model = small_model()
    logits = model.get_layer("logits")
    keras.Model(model.layers[-2].output, model.outputs)
    assert len(logits._inbound_nodes) > 1
    assert same_weights(model, unpack(pack(model)))


def shared_layer():
    x, dense = keras.Input((3,)), layers.Dense(3)
    return keras.Model(x, dense(dense(x)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: keras.Sequential([keras.Input((2,)), layers.Lambda(abs)]), "a Lambda with"),
        (
            lambda: keras.Sequential([keras.Input((2,)), layers.Dense(2, dtype="mixed_float16")]),
            "in float16",
        ),
        (
            lambda: keras.Sequential([keras.Input((2,)), layers.Dense(2, activation=abs)]),
            "Dense with abs",
        ),
        (shared_layer, "used more than once"),
    ],
)
def test_models_that_cannot_be_packed(model, words):
    with pytest.raises(ValueError, match=words):
        pack(model())


# Damaged and hostile files


def parts(data):
    length = struct.unpack_from("<I", data, 9)[0]
    return json.loads(zlib.decompress(data[17 : 17 + length])), data[17 + length :]


def assemble(header, rest, digest):
    text = header if isinstance(header, bytes) else zlib.compress(json.dumps(header).encode())
    return sealed(struct.pack("<II", len(text), digest) + text + rest)


def sealed(rest):
    """A file with a correct checksum over whatever follows."""
    return b"AXPK\x01" + struct.pack("<I", zlib.crc32(rest)) + rest


def refused(data, words="."):
    with pytest.raises(PackedFileError, match=words):
        unpack(data)


def test_every_truncation_is_refused(packed):
    for length in range(len(packed)):
        refused(packed[:length])
    refused(packed + b"\0", "checksum")


def test_plain_damage_is_named(packed):
    refused(b"", "too few")
    refused(b"PK\x03\x04" + packed[4:], "begins with")
    refused(packed[:4] + b"\x02" + packed[5:], "version 2")
    refused(packed[:40] + bytes([packed[40] ^ 1]) + packed[41:], "checksum")
    assert issubclass(PackedFileError, ValueError)


def test_twenty_thousand_mutated_and_random_files(packed):
    rng, began = np.random.default_rng(0), time.monotonic()
    for i in range(20_000):
        data = bytearray(packed)
        if i % 4 == 0:  # change one to eight bytes
            for at in rng.integers(0, len(data), rng.integers(1, 9)):
                data[at] ^= int(rng.integers(1, 256))
        elif i % 4 == 1:  # cut out, repeat or move a piece
            a, b = sorted(rng.integers(0, len(data), 2))
            data[a:b] = [b"", data[a:b] * 2, data[a:b][::-1] + b"\0"][i // 4 % 3]
        elif i % 4 == 2:
            data = rng.bytes(rng.integers(0, 400))
        else:  # the right beginning, then noise
            data = b"AXPK\x01" + rng.bytes(rng.integers(0, 400))
        if bytes(data) == packed:
            continue
        refused(bytes(data))
        if i % 8 == 0:  # the same damage behind a right checksum reaches the parser
            with contextlib.suppress(PackedFileError):
                assert isinstance(unpack(sealed(bytes(data[9:]))), keras.Model)
    assert time.monotonic() - began < 60


def test_mutations_behind_a_correct_checksum(packed):
    """Only the documented error, or a model; the model is one that pack can write."""
    rng, header = np.random.default_rng(1), json.loads(json.dumps(parts(packed)[0]))
    digest = struct.unpack_from("<I", packed, 13)[0]
    values = [-1, 0, 1, 2, 3, 1.5, 2**31, 10**30, True, None, "", "relu", "Dense", [], [9] * 9, {}]
    values += ["Lambda", {"class_name": "Lambda"}, [[]], 10**400]
    for i in range(1_000):
        if i % 2:
            data = bytearray(packed[9:])
            for at in rng.integers(0, len(data), rng.integers(1, 4)):
                data[at] ^= int(rng.integers(1, 256))
            data = sealed(bytes(data))
        else:
            changed = json.loads(json.dumps(header))
            spot = changed
            while True:  # walk down to a random place in the header
                keys = list(spot) if isinstance(spot, dict) else range(len(spot))
                key = keys[rng.integers(len(keys))]
                if isinstance(spot[key], dict | list) and spot[key] and rng.random() < 0.85:
                    spot = spot[key]
                else:
                    break
            if rng.random() < 0.3:
                del spot[key]
            else:
                spot[key] = values[rng.integers(len(values))]
            data = assemble(changed, parts(packed)[1], digest)
        try:
            assert isinstance(unpack(data), keras.Model)
        except PackedFileError as error:
            assert str(error)


def hostile(packed, change, digest=None):
    header, rest = parts(packed)
    change(header)
    digest = struct.unpack_from("<I", packed, 13)[0] if digest is None else digest
    return assemble(header, rest, digest)


def test_layers_that_hold_code_are_refused(packed):
    def use(kind, settings):
        return lambda header: header["layers"].__setitem__(2, [kind, settings, [1]])

    refused(hostile(packed, use("Lambda", {"function": "x"})), "'Lambda', which is no layer")
    refused(hostile(packed, use(["x"], {})))
    evil = {"class_name": "Lambda", "config": {}}
    refused(hostile(packed, use("Dense", {"units": 3, "kernel_initializer": evil})), "setting")
    refused(hostile(packed, use("Dense", {"units": 3, "dtype": evil})), "setting")
    refused(hostile(packed, use("Activation", {"activation": evil})))
    refused(
        hostile(packed, use("Activation", {"activation": "helpers>x"})), "activation .helpers>x"
    )


@pytest.mark.parametrize("kind", layout.LAYERS)
def test_no_setting_makes_room(packed, kind):
    """Every setting a file may hold, with values that are large, odd or of another type."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for key in {*layout.settings_of(kind), "lora_rank", "depth", "quantization_mode"}:
        for value in (2**30, [2**30, 2**30], -1, True, "x", {}):

            def change(header, key=key, value=value):
                header["layers"].insert(1, [kind, {"name": "new", key: value}, [0]])

            try:
                model = unpack(hostile(packed, change), max_weights=10**4)
            except PackedFileError:
                continue
            assert model.count_params() <= 10**4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_declared_sizes_make_no_room(packed):
    """Each would need gigabytes or more if it were believed."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def shape(value):
        return lambda header: header["arrays"][0].__setitem__(0, value)

    def units(value):
        return lambda header: header["layers"][-1][1].__setitem__("units", value)

    began = time.process_time()
    refused(hostile(packed, shape([2**30, 2**30])), "more than the limit")
    refused(hostile(packed, shape([2**30] * 9)), "counts")
    refused(hostile(packed, shape([2**26])), "more than the limit")
    refused(hostile(packed, units(2**30)), "wants weights of shape")
    refused(hostile(packed, units(10**25)))
    refused(hostile(packed, lambda h: h["arrays"][0].__setitem__(2, [2**31 - 1])), "more weights")
    spread = [2**26 - 10_000]
    refused(
        hostile(packed, lambda h: h["arrays"].insert(0, [spread, 2, spread, spread])), "symbols"
    )
    bomb = zlib.compress(b"[" * 2**28, 9)
    refused(assemble(bomb, b"", 0), "too long")
    refused(assemble(zlib.compress(b"[" * 200_000), b"", 0), "RecursionError")
    refused(assemble(zlib.compress(b"9" * 200_000), b"", 0))
    with pytest.raises(PackedFileError, match="more than the limit"):
        unpack(packed, max_weights=100)
    assert time.process_time() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kB


def test_cycles_and_missing_inputs_end(packed):
    for sources in ([5], [-1], [99], [2], "1", None, [None], [0.5]):
        refused(hostile(packed, lambda h, s=sources: h["layers"][2].__setitem__(2, s)))
    refused(hostile(packed, lambda h: h.__setitem__("outputs", [])))
    refused(hostile(packed, lambda h: h.pop("inputs")))
    refused(hostile(packed, lambda h: h["layers"].pop()), "belong to no layer")
    refused(hostile(packed, lambda h: h.__setitem__("layers", h["layers"] * 200)), "1,000 layers")


def test_a_wrong_codebook_order_is_found_by_the_digest(packed):
    refused(hostile(packed, lambda h: None, digest=1), "do not decode")


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=500)
def test_arbitrary_bytes_behind_a_correct_checksum(rest):
    refused(sealed(rest))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "layers", "arrays", "codes", "inputs", "outputs"]), inner
            )
        ),
        max_leaves=12,
    )
)
@settings(deadline=None, max_examples=500)
def test_arbitrary_headers(header):
    refused(assemble(header, b"", 0))


def test_a_layer_may_be_called_linear():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, name="linear")(inputs)
    model = keras.Model(inputs, keras.layers.Activation("linear")(hidden))
    restored = unpack(compression.pack(model))
    assert [layer.name for layer in restored.layers] == [layer.name for layer in model.layers]


def test_a_large_layer_of_one_value_is_packed():
    model = keras.Sequential([keras.Input((1200,)), keras.layers.Dense(1200, use_bias=False)])
    model.set_weights([np.ones((1200, 1200), np.float32)])
    assert np.all(unpack(compression.pack(model)).get_weights()[0] == 1)


@pytest.mark.parametrize("model", [None, keras.Sequential([keras.layers.Dense(2)])])
def test_what_is_no_built_model_is_not_packed(model):
    with pytest.raises(ValueError, match="pack takes a built functional or sequential model"):
        compression.pack(model)


def test_gradual_pruning_wants_steps():
    for wrong in ({"steps": 0}, {"steps": 5, "every": 0}):
        with pytest.raises(ValueError, match="give whole numbers from 1"):
            compression.GradualPruning(0.5, **wrong)


def test_biases_that_half_precision_cannot_hold_are_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.layers[0].bias.assign([1e5, 0])
    with pytest.raises(ValueError, match="over 65,504, too large for float16"):
        compression.round_for_storage(model)


def test_a_narrow_network_inherits_whole_channels_with_what_reads_them():
    wide, narrow = alexnet28(weights="fashion_mnist"), alexnet28(width=0.5)
    compression.inherit(narrow, wide)
    before, stay = np.arange(1), None
    for name, kernel in compression.kernels(narrow).items():
        weights, bias = wide.get_layer(name).get_weights()
        size = np.abs(weights).sum(axis=tuple(range(weights.ndim - 1)))
        half = size.size // 2
        if name == "fc8":
            stay = np.arange(10)
        else:  # the strongest of each half, counted by hand
            ranks = [np.sort(np.argsort(-part)[: half // 2]) for part in (size[:half], size[half:])]
            stay = np.concatenate([ranks[0], half + ranks[1]])
        if name == "fc6":
            before = np.concatenate([64 * place + before for place in range(4)])
        for new, old in list(enumerate(stay))[::7]:
            read = before
            if getattr(wide.get_layer(name), "groups", 1) == 2:
                read = before[: len(before) // 2] if old < half else before[len(before) // 2 :]
                read = read % weights.shape[-2]
            np.testing.assert_array_equal(kernel.numpy()[..., new], weights[..., read, old])
            assert narrow.get_layer(name).bias.numpy()[new] == bias[old]
        before = stay


def test_a_network_as_wide_inherits_everything():
    wide, same = alexnet28(weights="fashion_mnist"), alexnet28()
    compression.inherit(same, wide)
    for one, other in zip(wide.weights, same.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
