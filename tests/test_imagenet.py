"""The command for the real ImageNet, on a small generated folder: one process, two, and kills."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from helpers.alexnet import alexnet
from helpers.imagenet import arguments, pixels, steps
from helpers.imagenet import data as imagenet_data
from helpers.imagenet import train as imagenet
from helpers.scaling.workers import free_ports

CLASSES = ["n01440764", "n02084071", "n04037443"]
FLAGS = ["--batch", "6", "--width", "0.05", "--dropout", "0", "--rate", "0.001"]
FLAGS += ["--save-every", "1"]


def picture(rng, label, mode="RGB", form="JPEG", size=None, noise=12):
    """The bytes of a photograph-like image whose color tells its class."""
    small = rng.integers(0, 120, (6, 7, 3))
    small[..., label] += 120
    image = Image.fromarray(small.astype(np.uint8))
    image = image.resize(size or tuple(rng.integers(230, 400, 2)), Image.Resampling.BICUBIC)
    grain = rng.normal(0, noise, np.shape(image))  # without it, max-pooling would meet ties
    image = Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.convert(mode).save(file, form)
    return file.getvalue()


def write_folder(root, seed=0, train=8, val=2):
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        for label, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{name}_{i}.JPEG").write_bytes(picture(rng, label))
    # What the real ImageNet has too: CMYK, grayscale, and a PNG that is called JPEG.
    odd = [("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "PNG")]
    for i, (mode, form) in enumerate(odd):
        path = root / "train" / CLASSES[i] / f"{CLASSES[i]}_0.JPEG"
        path.write_bytes(picture(rng, i, mode, form))
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("imagenet"))


def entries(root):
    return {split: imagenet_data.list_images(root, split) for split in ("train", "val")}


# What is on the disk


def test_odd_but_readable_images_are_counted_and_used(folder, tmp_path, capsys):
    data, classes = imagenet_data.scan(entries(folder), tmp_path)
    assert classes == 3
    assert [label for _, label in data["train"]] == [0] * 8 + [1] * 8 + [2] * 8
    printed = capsys.readouterr().out
    assert "train-0: 21 RGB JPEG, 1 CMYK JPEG, 1 L JPEG, 1 RGB PNG; 0 left out" in printed


def test_broken_images_are_named_and_left_out(tmp_path, capsys):
    root = write_folder(tmp_path / "data")
    good = (root / "train" / CLASSES[0] / f"{CLASSES[0]}_1.JPEG").read_bytes()
    broken = {
        "half.JPEG": good[: len(good) // 2],
        "tail.JPEG": good[:-2],
        "empty.JPEG": b"",
        "page.JPEG": b"<html>not found</html>",
    }
    for name, content in broken.items():
        (root / "train" / CLASSES[1] / name).write_bytes(content)
    (root / "val" / CLASSES[1] / ".DS_Store").write_bytes(b"hidden")
    data, _ = imagenet_data.scan(entries(root), tmp_path)
    printed = capsys.readouterr().out
    assert "4 left out" in printed and "val-0: 6 RGB JPEG; 0" in printed
    named = json.loads((tmp_path / "train-0.json").read_text())["bad"]
    assert "half.JPEG: jpeg::Uncompress failed. Invalid JPEG data" in " ".join(named)
    assert len(named) == 4 and all(any(name in line for line in named) for name in broken)
    assert len(data["train"]) == 24
    assert not any(Path(entry[0]).name in broken for entry, _ in data["train"])


def test_images_are_checked_once_until_one_changes(tmp_path, monkeypatch):
    root, seen = write_folder(tmp_path / "data"), []
    examine = imagenet_data.examine
    monkeypatch.setattr(imagenet_data, "examine", lambda e: (seen.append(e), examine(e))[1])
    first = imagenet_data.scan(entries(root), tmp_path)
    assert len(seen) == 30
    assert imagenet_data.scan(entries(root), tmp_path) == first and len(seen) == 30
    path = root / "val" / CLASSES[2] / f"{CLASSES[2]}_1.JPEG"
    path.write_bytes(path.read_bytes()[:-500])
    assert len(imagenet_data.scan(entries(root), tmp_path)[0]["val"]) == 5
    assert len(seen) == 36  # the validation set again, the training set not


def write_shards(root, source, cut=0):
    """``source`` as TFRecords, labels from 1 as in the usual script; the last is cut short."""
    for split, name in (("train", "train"), ("val", "validation")):
        images = imagenet_data.list_images(source, split)
        for shard in range(2):
            path = root / f"{name}-{shard:05d}-of-00002"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for file, label, *_ in images[shard::2]:
                    data = tf.train.BytesList(value=[Path(file).read_bytes()])
                    number = tf.train.Int64List(value=[CLASSES.index(label) + 1])
                    feature = {
                        "image/encoded": tf.train.Feature(bytes_list=data),
                        "image/class/label": tf.train.Feature(int64_list=number),
                    }
                    example = tf.train.Example(features=tf.train.Features(feature=feature))
                    writer.write(example.SerializeToString())
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])


def test_tfrecords_hold_the_same_images(folder, tmp_path):
    write_shards(tmp_path, folder)
    shards, classes = imagenet_data.scan(entries(tmp_path), tmp_path)
    files, _ = imagenet_data.scan(entries(folder), tmp_path / "..")
    assert classes == 3 and len(shards["train"]) == 24 and len(shards["val"]) == 6
    order = [*range(0, 24, 2), *range(1, 24, 2)]
    for row, other in enumerate(order):
        (a, label), (b, expected) = shards["train"][row], files["train"][other]
        assert imagenet_data.read(a)[0] == imagenet_data.read(b)[0] and label == expected


def test_a_truncated_shard_costs_one_image(folder, tmp_path, capsys):
    write_shards(tmp_path, folder, cut=30)
    data, _ = imagenet_data.scan(entries(tmp_path), tmp_path)
    assert len(data["val"]) == 5
    assert re.search(r"1 left out.*\n.*validation-00001-of-00002 at \d+", capsys.readouterr().out)


def spoil_nothing(root):
    return root / "absent"


def spoil_splits(root):
    shutil.rmtree(root / "val")
    return root


def spoil_folders(root):
    for path in (root / "val").iterdir():
        shutil.rmtree(path)
    return root


def spoil_empty(root):
    for path in (root / "train" / CLASSES[1]).iterdir():
        path.unlink()
    return root


def spoil_single(root):
    for split in ("train", "val"):
        for name in CLASSES[1:]:
            shutil.rmtree(root / split / name)
    return root


def spoil_names(root):
    (root / "val" / CLASSES[2]).rename(root / "val" / "dog")
    return root


def spoil_unreadable(root):
    for path in (root / "train" / CLASSES[0]).iterdir():
        path.write_bytes(b"gone")
    return root


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_nothing, r"--data .*absent is not a folder"),
        (spoil_splits, r"has no folder val or validation, and no such TFRecords"),
        (spoil_folders, r"val has no class folders: sort its 0 files"),
        (spoil_empty, r"1 empty class folders: .*train/n02084071 \(it is empty\); fill or remove"),
        (spoil_single, r"images of 1 classes, val of 1;.* at least two"),
        (spoil_names, r"only in train: n04037443; only in val: dog\. Both need the same"),
        (spoil_unreadable, r"images of 2 classes, val of 3; .*only in val: n01440764"),
    ],
)
def test_data_that_cannot_be_used_is_refused_at_the_start(tmp_path, capsys, spoil, message):
    root = spoil(write_folder(tmp_path / "data", train=2, val=1))
    assert imagenet.main(["--data", str(root), "--output", str(tmp_path / "out"), *FLAGS]) == 2
    assert re.search(r"error: .*" + message, capsys.readouterr().err)


# What the network sees


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (256, 256), (90, 40), (5000, 3)])
def test_short_side_becomes_256_and_the_middle_is_kept(size):
    width, height = size
    columns = np.linspace(0, 255, width)[None, :, None] * np.ones((height, 1, 3))
    file = io.BytesIO()
    Image.fromarray(columns.round().astype(np.uint8)).save(file, "PNG")
    image = pixels.decode(file.getvalue()).numpy()
    assert image.shape == (256, 256, 3) and image.dtype == np.float32
    side = min(size)
    start = (width - side) // 2
    wanted = 255 * (start + (np.arange(256) + 0.5) / 256 * side - 0.5) / (width - 1)
    inside = slice(256 // side + 1, -256 // side - 1)  # beyond, enlarging repeats the border
    if side > 3:
        np.testing.assert_allclose(image[128, inside, 0], wanted[inside], atol=1.5)
    assert np.ptp(image, axis=0).max() < 1e-3  # every row the same


def test_grayscale_cmyk_and_png_look_like_the_color_jpeg():
    def seen(mode, form):
        # No grain: formats keep the fine structure of color to a different degree.
        data = picture(np.random.default_rng(3), 1, mode, form, (300, 280), noise=0)
        return pixels.decode(data).numpy()

    for mode, form in (("CMYK", "JPEG"), ("RGB", "PNG"), ("RGBA", "PNG")):
        assert np.abs(seen(mode, form) - seen("RGB", "JPEG")).mean() < 3
    gray = seen("L", "JPEG")
    assert np.array_equal(gray[..., 0], gray[..., 2])
    assert np.abs(gray[..., 0] - seen("RGB", "JPEG") @ [0.299, 0.587, 0.114]).mean() < 1


def test_augmentation_is_a_crop_a_flip_and_one_color():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 50, (256, 256, 3)).astype(np.float32)
    basis = np.diag([30.0, 20.0, 10.0]).astype(np.float32)
    places, flips, colors = set(), 0, []
    for number in range(60):
        crop = pixels.augment(image, tf.constant([7, number]), basis).numpy()
        again = pixels.augment(image, tf.constant([7, number]), basis).numpy()
        assert np.array_equal(crop, again)
        # Differences of neighbors know nothing of a color that is added everywhere.
        found = []
        for view, flipped in ((crop, 0), (crop[:, ::-1], 1)):
            row = np.diff(view[:, :, 0], axis=0)[:1, :4]
            windows = np.diff(image[:, :, 0], axis=0)
            hits = np.abs(windows[:30, :30] - row[0, 0]) < 1e-3
            for top, left in np.argwhere(hits):
                part = image[top : top + 227, left : left + 227] - view
                if np.ptp(part, axis=(0, 1)).max() < 1e-3:
                    found.append((top, left, flipped))
                    colors.append(-part[0, 0])
        assert len(found) == 1
        places.add(found[0][:2])
        flips += found[0][2]
    assert len(places) > 50 and 15 < flips < 45
    assert max(max(place) for place in places) >= 27 and min(min(p) for p in places) <= 2
    np.testing.assert_allclose(np.std(colors, axis=0), [3.0, 2.0, 1.0], rtol=0.35)


def test_color_basis_and_jitter_follow_the_covariance_of_the_pixels():
    rng = np.random.default_rng(0)
    mix = np.array([[40, 5, 0], [38, -6, 2], [35, 1, -3.0]])
    images = [
        rng.normal(size=(30, 20, 3)) @ mix.T + 100,
        rng.normal(size=(50, 40, 3)) @ mix.T + 100,
    ]
    basis = pixels.color_basis(images)
    colors = np.concatenate([image.reshape(-1, 3) for image in images])
    assert np.allclose(basis @ basis.T, np.cov(colors.T), rtol=1e-4)
    assert np.allclose(basis.T @ basis, np.diag(np.diag(basis.T @ basis)), atol=1e-2)
    black = tf.zeros((20000, 2, 2, 3))
    added = pixels.color_jitter(black, basis, (1, 2)).numpy()
    assert (added == added[:, :1, :1]).all()
    assert np.allclose(np.cov(added[:, 0, 0].T), 0.01 * basis @ basis.T, rtol=0.1, atol=0.3)
    with pytest.raises(ValueError, match="three colors"):
        pixels.color_basis([np.zeros((4, 4, 1))])


def test_ten_crops_are_four_corners_the_center_and_their_mirror_images():
    image = np.random.default_rng(0).normal(size=(1, 256, 256, 3)).astype(np.float32)
    views = [view[0] for view in pixels.crops(image, True)]
    wanted = [(0, 0), (0, 29), (29, 0), (29, 29), (14, 14)]
    wanted = [image[0, t : t + 227, s : s + 227] for t, s in wanted]
    wanted += [view[:, ::-1] for view in wanted]
    assert len(views) == 10
    for view in wanted:
        assert sum(np.array_equal(view, other) for other in views) == 1
    (center,) = pixels.crops(image, False)
    assert np.array_equal(center[0], wanted[4])


# Flags and machines


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "--data"),
        ("--data d --batch 0", "--batch: 0 is not from 1"),
        ("--data d --epochs many", "--epochs: invalid whole number value: 'many'"),
        ("--data d --dropout 1", "--dropout: 1 is not from 0 to 0.99"),
        ("--data d --precision half", "invalid choice: 'half'"),
        ("--data d --gpu 3", "unrecognized arguments: --gpu 3"),
    ],
)
def test_bad_flags_are_refused(capsys, flags, message):
    with pytest.raises(SystemExit) as stop:
        arguments.arguments(flags.split())
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_help_names_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit):
        arguments.arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 128)" in text and "(default: 0.01)" in text and "goes on where" in text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_senseless_tf_config_is_refused(monkeypatch, capsys, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert imagenet.main(["--data", "."]) == 2
    assert re.search(r"error: TF_CONFIG is .*; its form is \{\"cluster\"", capsys.readouterr().err)


def test_a_batch_that_does_not_fit_is_refused(folder, tmp_path, monkeypatch, capsys):
    flags = ["--data", str(folder), "--output", str(tmp_path), "--width", "0.05"]
    assert imagenet.main([*flags, "--batch", "25"]) == 2
    assert "--batch 25, but only 24 training images" in capsys.readouterr().err

    class Four:
        num_replicas_in_sync = 4

    monkeypatch.setattr(steps, "start", lambda args, workers: Four())
    assert imagenet.main([*flags, "--batch", "6"]) == 2
    assert "--batch 6 is not divisible by the 4 devices" in capsys.readouterr().err


def test_the_rate_drops_when_the_error_stalls():
    assert imagenet.drops([], 2) == 0
    assert imagenet.drops([0.9, 0.8, 0.7, 0.6], 2) == 0
    assert imagenet.drops([0.9, 0.8, 0.8, 0.85], 2) == 1
    assert imagenet.drops([0.9, 0.8, 0.8, 0.85, 0.8], 2) == 1  # counting starts anew
    assert imagenet.drops([0.9, 0.8, 0.8, 0.85, 0.8, 0.8, 0.7, 0.7, 0.7], 2) == 3


# Training


def run_here(data, output, epochs, *more):
    flags = ["--data", str(data), "--output", str(output), "--epochs", str(epochs), *FLAGS, *more]
    return imagenet.main(flags)


def launch(data, output, epochs, *more, config=None, prelude=None):
    """The command in a process of its own, with its output in a file."""
    command = [sys.executable, "-m", "helpers.imagenet"]
    if prelude:
        command = [sys.executable, "-c", prelude]
    command += [
        "--data",
        str(data),
        "--output",
        str(output),
        "--epochs",
        str(epochs),
        *FLAGS,
        *more,
    ]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    if config:
        environment["TF_CONFIG"] = json.dumps(config)
    path = Path(output).with_suffix(f".{time.monotonic_ns()}.log")
    with open(path, "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    process.log = path.read_text
    return process


def wait_for_a_save(path, since, process):
    end = time.monotonic() + 60
    while not path.exists() or path.stat().st_mtime_ns <= since:
        assert process.poll() is None and time.monotonic() < end, process.log()
        time.sleep(0.01)


def state(output):
    """The weights by layer, everything, and the history that ``last.npz`` holds."""
    with np.load(Path(output) / "last.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "state"}
        rest = json.loads(str(file["state"]))
    paths = [variable.path for variable in alexnet(3, width=0.05, dropout=0).variables]
    return {path: arrays[f"v{i}"] for i, path in enumerate(paths)}, arrays, rest


@pytest.fixture(scope="module")
def warm(folder, tmp_path_factory):
    """A run after its first epoch, with kernels scaled so that every layer learns at once: a net
    as narrow as this one, started as in the paper, would hardly move in ten steps. Together they
    bring pixels of ±100 down to 1 in equal parts; with all of it in one layer, that one amplifies
    rounding errors tenfold a step."""
    output = tmp_path_factory.mktemp("runs") / "warm"
    assert run_here(folder, output, 1) == 0
    weights, arrays, rest = state(output)
    for i, (path, value) in enumerate(weights.items()):
        if value.ndim > 1:
            scale = np.sqrt(0.6 / np.prod(value.shape[:-1])) / 0.01
            arrays[f"v{i}"] = value * np.float32(scale / (3 if "fc8" in path else 1))
    np.savez(output / "last.npz", **arrays, state=json.dumps(rest))
    return output


@pytest.fixture(scope="module")
def whole(folder, warm):
    """Three more epochs from there, in one process and in one go."""
    output = shutil.copytree(warm, warm.with_name("whole"))
    assert run_here(folder, output, 4) == 0
    return output


def difference(a, b):
    return max(np.abs(x.astype(np.float64) - y).max() for x, y in zip(a, b, strict=True))


def test_training_moves_every_layer(warm, whole):
    """Else the comparisons below would compare nothing."""
    before, after = state(warm)[0], state(whole)[0]
    for path in before:
        if path.endswith("kernel"):
            assert difference([before[path]], [after[path]]) > 1e-3, path


def test_a_killed_run_goes_on_bit_for_bit(folder, warm, whole):
    output = shutil.copytree(warm, warm.with_name("killed"))
    process = launch(folder, output, 4)
    wait_for_a_save(output / "last.npz", (warm / "last.npz").stat().st_mtime_ns, process)
    process.kill()
    process.wait()
    assert 4 < state(output)[2]["step"] < 16
    assert run_here(folder, output, 4) == 0
    (_, arrays, rest), (_, wanted, history) = state(output), state(whole)
    assert rest == history
    for name in wanted:
        assert np.array_equal(arrays[name], wanted[name]), name


def test_two_devices_of_one_machine_reach_the_same_weights(folder, warm, whole):
    output = shutil.copytree(warm, warm.with_name("devices"))
    prelude = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from helpers.imagenet import train as imagenet
sys.exit(imagenet.main())
"""
    process = launch(folder, output, 4, prelude=prelude)
    assert process.wait(timeout=120) == 0, process.log()
    assert difference(state(output)[0].values(), state(whole)[0].values()) < 1e-5


def test_two_workers_one_killed_reach_the_same_weights(folder, warm, whole):
    output = shutil.copytree(warm, warm.with_name("workers"))
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    processes = [
        launch(folder, output, 4, "--wait", "1", config={
            "cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}
        })
        for rank in range(2)
    ]  # fmt: skip
    try:
        wait_for_a_save(output / "last.npz", (warm / "last.npz").stat().st_mtime_ns, processes[0])
        pid = processes[1].pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        codes = [process.wait(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    logs = [process.log() for process in processes]
    assert codes == [0, 0], logs
    assert "the worker lost another worker; start 2 goes on from the last checkpoint" in logs[0]
    assert "the worker was killed by signal 9; start 2 goes on" in logs[1]
    (weights, _, rest), (wanted, _, history) = state(output), state(whole)
    assert rest["step"] == history["step"]
    gap = difference(weights.values(), wanted.values())
    print(f"largest difference between one process and two: {gap:.2g}")
    assert gap < 1e-5


def test_a_worker_does_not_wait_for_ever(folder, tmp_path):
    ports = free_ports(2)
    config = {"cluster": {"worker": [f"localhost:{port}" for port in ports]}}
    config["task"] = {"type": "worker", "index": 1}
    process = launch(folder, tmp_path / "out", 1, "--wait", "0.02", config=config)
    assert process.wait(timeout=60) == 3
    assert f"'localhost:{ports[0]}', 'localhost:{ports[1]}'] answered in" in process.log()


def test_ten_crop_errors_are_those_of_the_stored_network(folder, whole, capsys):
    assert run_here(folder, whole, 4, "--evaluate") == 0
    printed = re.search(r"ten crops of 6 images: error (.*)%, top-5 0.00%", capsys.readouterr().out)
    model = keras.models.load_model(whole / "alexnet.keras")
    _, arrays, rest = state(whole)
    mean = arrays[f"v{len(arrays) - 2}"]
    images, labels = [], []
    for path in sorted((folder / "val").glob("*/*")):
        images.append(pixels.decode(path.read_bytes()).numpy() - mean)
        labels.append(CLASSES.index(path.parent.name))
    views = pixels.crops(np.array(images), True)
    votes = np.mean([keras.ops.softmax(model(view)).numpy() for view in views], axis=0)
    error = 100 * np.mean(votes.argmax(1) != labels)
    assert float(printed[1]) == pytest.approx(error, abs=0.01)
    center = keras.ops.softmax(model(pixels.crops(np.array(images), False)[0])).numpy()
    loss = -np.log(center[np.arange(6), labels]).mean()
    assert rest["history"][-1]["val_loss"] == pytest.approx(loss, rel=1e-4)


def test_other_flags_or_data_do_not_go_on_with_a_run(folder, warm, tmp_path, capsys):
    output = shutil.copytree(warm, tmp_path / "run")
    assert run_here(folder, output, 4, "--seed", "1", "--rate", "0.1") == 2
    said = capsys.readouterr().err
    assert "other settings: --rate (0.001 then, 0.1 now), --seed (0 then, 1 now). To go on" in said
    assert "remove" not in said, "never advise to throw days of training away"
    other = write_folder(tmp_path / "data", seed=5, val=3)
    assert run_here(other, output, 4) == 2
    said = capsys.readouterr().err
    assert "--data, images in val (6 then, 9 now), --data, names and sizes of images. To" in said
    assert run_here(folder, tmp_path / "new", 4, "--evaluate") == 2
    assert "--evaluate: there is no trained network in" in capsys.readouterr().err


def test_a_moved_data_set_is_the_same_data(folder, warm, tmp_path):
    output = shutil.copytree(warm, tmp_path / "run")
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert run_here(moved, output, 1, "--evaluate") == 0


def test_half_precision_takes_nearly_the_same_step(folder, warm, whole, tmp_path):
    output = shutil.copytree(warm, tmp_path / "half")
    try:
        assert run_here(folder, output, 2, "--precision", "mixed_float16") == 0
    finally:
        keras.config.set_dtype_policy("float32")
    halves, exact = state(output)[2]["history"], state(whole)[2]["history"]
    assert halves[1]["loss"] != exact[1]["loss"]
    assert halves[1]["loss"] == pytest.approx(exact[1]["loss"], rel=0.05)


def test_dropout_follows_from_seed_and_step():
    """So that a resumed run draws the same masks again."""
    model = keras.Sequential([keras.Input((227, 227, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Dense(2, kernel_initializer="ones"))
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(model.trainable_variables)
    strategy = tf.distribute.get_strategy()
    images, labels, weights = tf.random.stateless_normal((2, 227, 227, 3), (1, 2)), [0, 1], [1.0, 1]
    images = images * [[[[0.01, 0.02, 0.03]]]]

    def loss(seed, step):
        update, _ = steps.compiled_steps(strategy, model, optimizer, 2, seed)
        head = model.layers[-1].kernel
        head.assign(tf.random.stateless_normal(head.shape, (3, 4)))
        return float(update(tf.constant(step), images, tf.constant(labels), weights)[0])

    assert loss(0, 1) == loss(0, 1)
    assert len({loss(0, 1), loss(0, 2), loss(5, 1)}) == 3


# What earlier tests do not reach


def test_sums_count_top_1_and_top_5():
    logits = np.tile(np.arange(10.0), (3, 1))  # class 9 first, class 5 fifth, class 4 sixth
    probabilities = tf.nn.softmax(tf.constant(logits, tf.float32))
    labels, weights = tf.constant([9, 5, 4]), tf.constant([1.0, 1.0, 1.0])
    loss, top1, top5, count = steps.sums(probabilities, labels, weights).numpy()
    assert (top1, top5, count) == (1, 2, 3)
    assert loss == pytest.approx(-np.log(probabilities.numpy()[0, [9, 5, 4]]).sum(), rel=1e-6)
    ignored = steps.sums(probabilities, labels, tf.constant([0.0, 1.0, 0.0])).numpy()
    assert ignored[1:].tolist() == [0, 1, 1]


def test_a_damaged_list_of_checked_images_is_made_again(folder, tmp_path):
    first = imagenet_data.scan(entries(folder), tmp_path)
    (tmp_path / "train-0.json").write_text("{half")
    assert imagenet_data.scan(entries(folder), tmp_path) == first


def test_an_interruption_says_how_to_go_on(folder, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(imagenet, "Training", interrupted)
    assert imagenet.main(["--data", str(folder), "--output", str(tmp_path)]) == 130
    assert "stopped; the same command goes on" in capsys.readouterr().err
