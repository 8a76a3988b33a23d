"""The input pipeline, the paper's update rule, and a training loop that survives being killed."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import training

tf.config.experimental.enable_op_determinism()

SCHEDULE = "0.0, 55, warmup_target=0.05, warmup_steps=5"
# A problem that takes a second: is the bright square in the left or in the right half?
PROGRAM = """
import sys
import keras, numpy as np, tensorflow as tf
from helpers import training

keras.utils.set_random_seed(3)
tf.config.experimental.enable_op_determinism()
rng = np.random.default_rng(0)
images = rng.integers(0, 200, (96, 8, 8, 1)).astype("uint8")
labels = np.arange(96) % 2
for image, label in zip(images, labels):
    image[2:5, 4 * label : 4 * label + 3] += 50
model = keras.Sequential([
    keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten(),
    keras.layers.Dense(16, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(2),
])
rate = keras.optimizers.schedules.CosineDecay(0.0, 55, warmup_target=0.05, warmup_steps=5)
history = training.fit(
    model, training.PaperSGD(rate), (images[:64], labels[:64]), (images[64:], labels[64:]),
    epochs=6, batch=8, crop=1, seed=5, directory=sys.argv[1] if len(sys.argv) > 1 else None,
    save_every=3, progress=False, patience=4,
)
"""


def run_here(directory=None, program=PROGRAM):
    names = {}
    arguments, sys.argv = sys.argv, ["program", *([str(directory)] if directory else [])]
    try:
        exec(program, names)
    finally:
        sys.argv = arguments
    return names["model"].get_weights(), names["history"]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def uninterrupted():
    return run_here()


def scalars(directory):
    """(tag, step, value) of all TensorBoard events under a directory."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = []
    for path in sorted((directory / "logs").iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_the_directory_changes_no_bit_and_holds_the_best_and_last_and_the_logs(
    uninterrupted, tmp_path
):
    weights, history = run_here(tmp_path)
    assert same(weights, uninterrupted[0]) and history == uninterrupted[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.weights.h5", "last.npz", "logs"]
    logged = {(tag, step): value for tag, step, value in scalars(tmp_path)}
    for row in history:
        assert logged["val_accuracy", row["epoch"]] == pytest.approx(row["val_accuracy"])
    # A finished run is not trained again.
    before = (tmp_path / "last.npz").read_bytes()
    assert same(run_here(tmp_path)[0], weights)
    assert (tmp_path / "last.npz").read_bytes() == before


@pytest.mark.parametrize("stop_at", [2, 7, 8, 30])
def test_stopped_in_any_step_and_resumed_equals_uninterrupted(
    stop_at, uninterrupted, tmp_path, monkeypatch
):
    class Stop(BaseException):
        pass

    steps = [0]

    class Bar(training.tqdm):
        def update(self, n=1):
            steps[0] += 1
            if steps[0] == stop_at:
                raise Stop
            return super().update(n)

    with monkeypatch.context() as patch:
        patch.setattr(training, "tqdm", Bar)
        with pytest.raises(Stop):
            run_here(tmp_path)
    weights, history = run_here(tmp_path)
    assert same(weights, uninterrupted[0])
    assert history == uninterrupted[1]


def test_killed_with_signal_9_and_resumed_equals_uninterrupted(uninterrupted, tmp_path):
    # Slow the program down, so that the kill comes in the middle of an epoch.
    slow = PROGRAM.replace(
        "from helpers import training",
        "from helpers import training\n"
        "import time\n"
        "class Slow(training.tqdm):\n"
        "    def update(self, n=1):\n"
        "        time.sleep(0.1)\n"
        "training.tqdm = Slow",
    )
    command = [sys.executable, "-c", slow, str(tmp_path)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600  # TensorFlow starts slowly on a busy machine
    step = 0
    while step < 9 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
        if (tmp_path / "last.npz").exists():
            with np.load(tmp_path / "last.npz") as file:
                step = json.loads(str(file["state"]))["step"]
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 9 <= step < 48
    weights, history = run_here(tmp_path)
    assert same(weights, uninterrupted[0])
    assert history == uninterrupted[1]


def test_it_learns_and_returns_the_best_weights(uninterrupted):
    _, history = uninterrupted
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(row["val_accuracy"] for row in history) >= 0.8
    assert history[0]["learning_rate"] != history[-1]["learning_rate"]


def test_patience_ends_training_and_more_epochs_go_on(tmp_path):
    program = PROGRAM.replace(SCHEDULE, "1e-9, 60").replace("patience=4", "patience=2")
    _, history = run_here(tmp_path, program)
    assert len(history) == 3
    longer = program.replace("patience=2", "patience=None")
    assert run_here(tmp_path, longer)[1][:3] == history
    assert len(run_here(tmp_path, longer)[1]) == 6


def test_another_run_in_the_directory_is_refused_with_the_names_of_what_differs(tmp_path):
    run_here(tmp_path)
    with pytest.raises(
        training.TrainingError,
        match=r"other settings: batch \(8 then, 4 now\), seed \(5 then, 6 now\)\. To go on",
    ):
        run_here(tmp_path, PROGRAM.replace("batch=8", "batch=4").replace("seed=5", "seed=6"))
    with pytest.raises(training.TrainingError, match="other settings: optimizer"):
        run_here(tmp_path, PROGRAM.replace("0.05", "0.04"))
    with pytest.raises(training.TrainingError, match="other settings: data"):
        run_here(tmp_path, PROGRAM.replace("+= 50", "+= 40"))


def test_optimizers_that_keras_numbers_are_the_same_setting(tmp_path):
    for name in ("sgd", "sgd_1"):  # so Keras 3.15 calls them
        run_here(tmp_path, PROGRAM.replace("PaperSGD(rate)", f"PaperSGD(rate, name={name!r})"))


def test_without_tensorboard_a_run_with_logs_does_not_begin(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(training.TrainingError, match="pip install tensorboard"):
        run_here(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_damaged_checkpoint_is_named(tmp_path):
    run_here(tmp_path)
    whole = (tmp_path / "last.npz").read_bytes()
    (tmp_path / "last.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(training.TrainingError, match=r"last\.npz is damaged .*remove it"):
        run_here(tmp_path)


def test_a_loss_that_is_not_finite_stops_and_leaves_the_files(tmp_path):
    with pytest.raises(training.TrainingError, match=r"no longer finite at step .*lower it"):
        run_here(tmp_path, PROGRAM.replace(SCHEDULE, "1e30, 60"))
    assert not (tmp_path / "best.weights.h5").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"save_every": 0}, "save_every=0"),
        ({"patience": 0}, "patience=0"),
        ({"batch": 0}, "batch is 0"),
        ({"labels": np.full(20, 7)}, "a label is 7, but the network has 2 classes"),
        ({"labels": np.zeros(19, int)}, r"labels \(19,\)"),
        ({"labels": np.zeros(20)}, "needs integers"),
        ({"labels": np.full(20, -1)}, "from -1"),
        ({"images": np.zeros((20, 4))}, r"images \(20, 4\)"),
        ({"images": np.full((20, 4, 4), 255.0)}, "divide them by 255"),
    ],
)
def test_arguments_that_do_not_fit(changes, message):
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    good = (np.zeros((20, 4, 4)), np.arange(20) % 2)
    train = (changes.pop("images", good[0]), changes.pop("labels", good[1]))
    options = {"epochs": 1, "progress": False, **changes}
    with pytest.raises(ValueError, match=message):
        training.fit(model, training.PaperSGD(), train, good, **options)


def test_every_example_comes_once_an_epoch_in_an_order_that_follows_from_seed_and_epoch():
    images = np.zeros((50, 4, 4), np.uint8)
    labels = np.arange(50)

    def order(**options):
        batches = training.pipeline(images, labels, 8, **options)
        return [y.numpy().tolist() for _, y in batches]

    def flat(batches):
        return [label for batch in batches for label in batch]

    first = order(seed=1, epochs=2)
    assert [len(batch) for batch in first] == [8] * 6 + [2] + [8] * 6 + [2]
    epochs = [flat(first[:7]), flat(first[7:])]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1] != list(range(50))
    assert order(seed=1, epochs=2, skip=9) == first[9:]
    assert order(seed=2, epochs=2) != first
    assert order(seed=2**32 - 1)  # what session.seed() may be
    assert flat(order()) == list(range(50))


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_slices_give_the_batches_of_the_pipeline(kind):
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4)).astype(kind)
    images, labels = images if kind == "uint8" else images / 255, np.arange(50)[:, None]
    slices = training.in_order(*training.checked(images, labels, 8), 8)
    given = list(slices), training.pipeline(images, labels, 8)
    for (x, y), (pixels, targets) in zip(*given, strict=True):
        assert (x.dtype, y.dtype) == (pixels.dtype, targets.dtype)
        assert np.array_equal(x, pixels) and np.array_equal(y, targets)


def test_a_smaller_last_batch_is_not_compiled_anew():
    traced = []

    class Noting(keras.layers.Layer):
        def call(self, inputs, training=False):
            if not tf.executing_eagerly():
                traced.append(training)
            return inputs

    layers = [keras.layers.Flatten(), Noting(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((5, 5, 1)), *layers])
    images, labels = np.zeros((10, 5, 5)), np.arange(10) % 2
    traced.clear()
    part = images[:3], labels[:3]
    options = {"epochs": 2, "batch": 4, "progress": False}
    training.fit(model, training.PaperSGD(), (images, labels), part, **options)
    assert sorted(traced) == [False, True]


def test_augmentation_is_the_same_after_skip_and_differs_between_epochs():
    images = np.random.default_rng(0).integers(0, 255, (12, 9, 9, 3)).astype("uint8")
    options = {"seed": 4, "epochs": 2, "crop": 2, "flip": True}
    whole = [x.numpy() for x, _ in training.pipeline(images, np.arange(12), 12, **options)]
    later = [x.numpy() for x, _ in training.pipeline(images, np.arange(12), 12, skip=1, **options)]
    assert np.array_equal(whole[1], later[0])
    assert not np.array_equal(np.sort(whole[0], 0), np.sort(whole[1], 0))


def test_random_options_without_a_seed_are_refused():
    with pytest.raises(ValueError, match="give a seed"):
        training.pipeline(np.zeros((4, 5, 5)), np.arange(4), flip=True)


def test_crops_are_shifts_and_flips_mirror():
    images = tf.reshape(tf.range(1.0, 26.0), (1, 5, 5, 1))
    many = tf.repeat(images, 400, axis=0)
    padded = np.pad(images.numpy()[0, :, :, 0], 2)
    shifts = {padded[i : i + 5, j : j + 5].tobytes() for i in range(5) for j in range(5)}
    seen = {x[:, :, 0].tobytes() for x in training.crop_and_flip(many, (1, 2), crop=2).numpy()}
    assert seen == shifts
    flipped = training.crop_and_flip(many, (1, 2), flip=True).numpy()
    mirrored = (flipped == many.numpy()[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (flipped == many.numpy()).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all() and 140 <= mirrored.sum() <= 260


def test_paper_sgd_is_the_papers_update():
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(4, 3)), np.zeros((4, 3))
    b, u = rng.normal(size=3), np.zeros(3)
    kernel, bias = keras.Variable(w, dtype="float64"), keras.Variable(b, dtype="float64")
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([3, 6], [0.1, 0.01, 0.001])
    optimizer = training.PaperSGD(rate, momentum=0.9, decay=0.05)
    for step in range(8):
        g, h = rng.normal(size=(4, 3)), rng.normal(size=3)
        optimizer.apply([tf.constant(g), tf.constant(h)], [kernel, bias])
        epsilon = float(rate(step))
        v = 0.9 * v - 0.05 * epsilon * w - epsilon * g
        w = w + v
        u = 0.9 * u - epsilon * h
        b = b + u
    assert np.allclose(kernel.numpy(), w, atol=1e-6) and np.allclose(bias.numpy(), b, atol=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.decay == 0.05 and float(again.momentum) == 0.9


def test_evaluate_gives_cross_entropy_and_accuracy():
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    images = np.random.default_rng(0).integers(0, 255, (1001, 2, 2)).astype("uint8")
    labels = np.arange(1001) % 3
    loss, accuracy = training.evaluate(model, images, labels)
    logits = model(images[..., None] / np.float32(255)).numpy().astype(float)
    logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert loss == pytest.approx(-logp[np.arange(1001), labels].mean(), rel=1e-5)
    assert accuracy == (logits.argmax(1) == labels).mean()


def little(*last, shape=(4, 4, 1)):
    last = last or (keras.layers.Flatten(), keras.layers.Dense(2))
    return keras.Sequential([keras.Input(shape), *last])


def two_outputs():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, [keras.layers.Flatten()(inputs)] * 2)


def frozen():
    model = little()
    model.trainable = False
    return model


def by_operation():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, keras.ops.softmax(keras.layers.Flatten()(inputs)))


def used():
    optimizer = training.PaperSGD()
    optimizer.build(little().trainable_variables)
    return optimizer


SOFTMAX = keras.layers.Dense(2, activation="softmax")
RELU, DROPOUT = keras.layers.Dense(2, activation="relu"), keras.layers.Dropout(0.5)
HALF = keras.layers.Dense(2, dtype="mixed_float16", name="half")
IMAGES, LABELS = np.zeros((20, 4, 4), np.float32), np.arange(20) % 2
SIZES = [np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": (SIZES, [0, 1])}, r"of different sizes; bring them to one.*np\.stack"),
        ({"validation": (SIZES, [0, 1])}, "of different sizes; bring them to one"),
        ({"train": (IMAGES * np.nan, LABELS)}, r"images\[0\] has 16 of 16 values that are NaN"),
        ({"train": (IMAGES - 1, LABELS)}, r"not between -1 and -1: .* take \(x \+ 1\) / 2"),
        ({"train": (IMAGES > 0, LABELS)}, "images are bool; needs uint8"),
        ({"train": (IMAGES, LABELS.astype(str))}, "labels are words such as '0'; give each class"),
        ({"train": (IMAGES, LABELS > 0)}, "labels are bool; needs integers"),
        ({"train": tf.data.Dataset.range(3)}, r"train is a _\w+; give a pair of arrays"),
        ({"validation": IMAGES}, "validation is a ndarray; give a pair of arrays"),
        (
            {"train": (np.zeros((20, 4, 4, 3)), LABELS)},
            r"train images are \(4, 4, 3\).* \(4, 4, 1\)",
        ),
        ({"validation": (np.zeros((20, 5, 4)), LABELS)}, r"validation images are \(5, 4, 1\)"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "is not built, or has not one"),
        ({"model": two_outputs()}, "has not one input and one output"),
        ({"model": little(keras.layers.Conv2D(2, 3))}, r"gives .*, not \(images, classes\)"),
        ({"model": little(keras.layers.Flatten(), SOFTMAX)}, "ends in softmax"),
        ({"model": little(keras.layers.Flatten(), keras.layers.Softmax())}, "ends in softmax"),
        ({"model": little(keras.layers.Flatten(), RELU)}, "ends in relu, and .* takes logits"),
        ({"model": little(keras.layers.Flatten(), keras.layers.LeakyReLU())}, "ends in leakyrelu"),
        ({"model": little(keras.layers.Flatten(), SOFTMAX, DROPOUT)}, "ends in softmax"),
        ({"model": little(keras.layers.Flatten(), keras.layers.Dense(1))}, "gives one number"),
        ({"model": by_operation()}, "ends in softmax"),
        ({"model": little(keras.layers.Flatten(), HALF)}, "'half' computes in float16.*LossScale"),
        ({"optimizer": keras.optimizers.SGD(use_ema=True)}, "use_ema, whose averages nothing"),
        ({"optimizer": used()}, "has trained other weights .*: give a new one"),
        ({"train": ((IMAGES + 1).astype(np.uint8), LABELS)}, "0 and 1 only, .* multiply them by"),
        ({"model": frozen()}, "nothing to train: every layer is frozen"),
        ({"train": (IMAGES, np.eye(2)[LABELS])}, r"labels\.argmax\(axis=-1\)"),
        ({"optimizer": "sgd"}, "optimizer is 'sgd'; give an object, such as PaperSGD"),
        ({"epochs": 1.5}, r"epochs=1\.5: give a whole number from 1"),
        ({"epochs": True}, "epochs=True: give a whole number from 1"),
        ({"patience": 0.5}, r"patience=0\.5: give a whole number"),
        ({"batch": 2.5}, r"batch is 2\.5; it must be a whole number"),
    ],
)
def test_a_common_mistake_is_said_in_one_sentence_before_anything_is_trained(changes, message):
    model = changes.get("model") or little()
    before = model.get_weights()
    call = {"train": (IMAGES, LABELS), "validation": (IMAGES, LABELS), "epochs": 1}
    call |= {"model": model, "optimizer": training.PaperSGD(), "progress": False, **changes}
    with pytest.raises(ValueError, match=message) as caught:
        training.fit(**call)
    assert "\n" not in str(caught.value) and " at 0x" not in str(caught.value)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_labels_in_a_column_are_labels():
    options = {"batch": 8, "epochs": 1, "seed": 0}
    column = training.pipeline(IMAGES, LABELS[:, None], **options)
    plain = training.pipeline(IMAGES, LABELS, **options)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(column, plain, strict=True))


def test_the_advice_for_images_of_different_sizes_works():
    one_size = np.stack([keras.ops.image.resize(image, (64, 64)) for image in SIZES]) / 255
    model = little(shape=(64, 64, 3))
    train = one_size, np.arange(2)
    assert (
        len(training.fit(model, training.PaperSGD(), train, train, epochs=1, progress=False)) == 1
    )


@pytest.mark.parametrize("shape", [(4, 4), (None, None, 1)])
def test_networks_of_gray_images_without_channel_or_of_any_size_train(shape):
    pool = keras.layers.GlobalMaxPooling2D() if len(shape) == 3 else keras.layers.Flatten()
    model = little(pool, keras.layers.Dense(2), shape=shape)
    data = IMAGES, LABELS
    assert len(training.fit(model, training.PaperSGD(), data, data, epochs=1, progress=False)) == 1


def trained(optimizer=None, directory=None, epochs=2, **options):
    """Weights after a short training of a layer with these options."""
    keras.utils.set_random_seed(1)
    model = little(keras.layers.Flatten(), keras.layers.Dense(2, **options))
    images = np.random.default_rng(0).random((20, 4, 4), np.float32)
    optimizer = optimizer or training.PaperSGD(0.1, decay=0)
    data = images, LABELS
    options = {"epochs": epochs, "progress": False, "directory": directory}
    training.fit(model, optimizer, data, data, **options)
    return np.float32(model.get_weights()[0])


@pytest.mark.parametrize(
    "penalty", [{"kernel_regularizer": "l2"}, {"activity_regularizer": keras.regularizers.L2(1.0)}]
)
def test_what_layers_add_to_the_loss_is_trained_on(penalty):
    assert not np.array_equal(trained(epochs=1, **penalty), trained(epochs=1))


def test_half_precision_with_a_scaled_loss_moves_as_far_as_single():
    def optimizer():
        return keras.optimizers.SGD(1.0)

    scaled = keras.optimizers.LossScaleOptimizer(optimizer())
    half, single = trained(scaled, epochs=1, dtype="mixed_float16"), trained(optimizer(), epochs=1)
    np.testing.assert_allclose(half, single, atol=2e-3)
    assert np.abs(half - trained(keras.optimizers.SGD(1e-9), epochs=1)).max() > 0.02


def test_a_network_of_bfloat16_goes_on_where_it_stopped(tmp_path):
    first = trained(directory=tmp_path, dtype="bfloat16")
    assert np.array_equal(trained(directory=tmp_path, dtype="bfloat16"), first)


@pytest.mark.parametrize(("cut", "words"), [(None, "missing"), (500, "damaged")])
def test_a_run_without_its_best_weights_does_not_go_on(tmp_path, cut, words):
    trained(directory=tmp_path)
    best = tmp_path / "best.weights.h5"
    kept = best.read_bytes()[:cut] if cut else None
    best.unlink()
    if kept:
        best.write_bytes(kept)
    with pytest.raises(training.TrainingError, match=rf"best\.weights\.h5 is {words}.*put it back"):
        trained(directory=tmp_path, epochs=3)


def test_a_directory_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    trained(directory="~/runs/one")
    assert (tmp_path / "runs" / "one" / "last.npz").exists() and not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    ("labels", "last", "words"),
    [(LABELS + 5, None, "a label is 6, but"), (LABELS, "softmax", "ends in softmax")],
)
def test_what_cannot_be_evaluated_is_said(labels, last, words):
    model = little(keras.layers.Flatten(), keras.layers.Dense(2, activation=last))
    with pytest.raises(ValueError, match=words):
        training.evaluate(model, IMAGES, labels)
