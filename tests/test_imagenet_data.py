"""What people really have on their disks: nothing is passed over in silence, nothing half-read."""

import os
import re
import shutil
import struct
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_imagenet import CLASSES, FLAGS, picture, write_folder

from helpers.imagenet import data, find, records
from helpers.imagenet import train as imagenet


def look(root, out):
    """The good images of both splits, and how many entries were listed."""
    out.mkdir(exist_ok=True)
    entries = {split: data.list_images(root, split) for split in ("train", "val")}
    good, classes = data.scan(entries, out)
    assert classes == len({label for _, label in good["train"]})
    return {k: len(v) for k, v in good.items()}, {k: len(v) for k, v in entries.items()}


@pytest.fixture
def root(tmp_path):
    return write_folder(tmp_path / "data", train=3, val=1)


# Folders and archives


def test_subfolders_are_read_and_what_is_left_out_is_named(root, tmp_path, capsys):
    inner = root / "train" / CLASSES[0] / "images" / "more"
    inner.mkdir(parents=True)
    shutil.copy(next((root / "train" / CLASSES[1]).iterdir()), inner / "1.jpg")
    (root / "train" / "loose.jpg").write_bytes(b"x")
    (root / "train" / CLASSES[1] / "link.jpg").symlink_to("/nowhere.jpg")
    (root / "train" / CLASSES[1] / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "train" / CLASSES[1] / "empty.jpg").touch()
    assert look(root, tmp_path / "out") == ({"train": 10, "val": 3}, {"train": 14, "val": 3})
    said = capsys.readouterr().out
    assert "4 left out" in said
    for reason in (
        "link.jpg: a broken link",
        "loose.jpg: in no class folder",
        "Thumbs.db: not an image",
        "empty.jpg: an empty file",
    ):
        assert reason in said, said


def test_no_message_has_an_address_or_a_traceback(root, tmp_path, capsys):
    (root / "train" / CLASSES[1] / "page.jpg").write_bytes(b"<html>")
    look(root, tmp_path / "out")
    said = capsys.readouterr().out + (tmp_path / "out" / "train-0.json").read_text()
    assert "not an image" in said and not re.search(r"0x[0-9a-f]{6}|Traceback|<_io", said)


def test_a_class_of_broken_links_is_refused(root):
    for path in (root / "train" / CLASSES[2]).iterdir():
        path.unlink()
        path.symlink_to("/nowhere.jpg")
    with pytest.raises(data.DataError, match=r"1 empty class folders: \S+ \(a broken link\)"):
        data.list_images(root, "train")


def test_class_archives_are_read_where_they_lie(root, tmp_path):
    good = look(root, tmp_path / "folders")
    for folder in list((root / "train").iterdir()):
        with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.add(file, file.name)
        shutil.rmtree(folder)
    assert look(root, tmp_path / "archives") == good
    entry = data.list_images(root, "train")[0]
    assert entry.path.endswith(".tar") and data.read(entry)[0][:2] in (b"\xff\xd8", b"\x89P")


def test_an_archive_of_archives_or_a_damaged_one_is_refused(root, tmp_path):
    (root / "train" / "n0.tar").write_bytes(b"PK not a tar" * 100)
    with pytest.raises(data.DataError, match=r"n0\.tar \(not a whole, uncompressed \.tar\)"):
        data.list_images(root, "train")
    with tarfile.open(root / "train" / "n0.tar", "w") as archive:
        (tmp_path / "n1.tar").write_bytes(bytes(10240))
        archive.add(tmp_path / "n1.tar", "n1.tar")
    with pytest.raises(data.DataError, match="unpack it once"):
        data.list_images(root, "train")


def test_tiny_imagenets_table_gives_the_classes(root, tmp_path, capsys):
    images = root / "val" / "images"
    images.mkdir()
    rows = []
    for name in CLASSES:
        file = next((root / "val" / name).iterdir()).rename(images / f"{name}.JPEG")
        rows.append(f"{file.name}\t{name}\t0\t0\t9\t9\n")
        shutil.rmtree(root / "val" / name)
    (images / "extra.JPEG").write_bytes(b"x")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    assert look(root, tmp_path / "out")[0] == {"train": 9, "val": 3}
    assert "extra.JPEG: not in val_annotations.txt" in capsys.readouterr().out


def test_accents_are_the_same_however_they_are_written(root, tmp_path):
    for split, form in (("train", "NFC"), ("val", "NFD")):
        name = unicodedata.normalize(form, "épagneul")
        (root / split / CLASSES[0]).rename(root / split / name)
    assert look(root, tmp_path / "out")[0] == {"train": 9, "val": 3}


def test_names_that_are_no_utf8_can_be_checked(root, tmp_path):
    old = next((root / "train" / CLASSES[0]).iterdir())
    os.rename(old, os.fsencode(old.parent) + b"/caf\xe9.jpg")
    assert look(root, tmp_path / "out")[0] == {"train": 9, "val": 3}
    assert look(root, tmp_path / "out")[0] == {"train": 9, "val": 3}, (
        "the second look, from the list"
    )


def test_a_link_to_a_folder_above_counts_no_image_twice(root, tmp_path):
    (root / "train" / CLASSES[0] / "again").symlink_to(root / "train" / CLASSES[0])
    assert look(root, tmp_path / "out")[0] == {"train": 9, "val": 3}


def test_a_class_in_a_folder_and_in_an_archive_is_refused(root):
    with tarfile.open(root / "train" / f"{CLASSES[0]}.tar", "w") as archive:
        archive.add(next((root / "train" / CLASSES[0]).iterdir()), "1.jpg")
    with pytest.raises(data.DataError, match=rf"class {CLASSES[0]} is there twice, .*: keep one"):
        data.list_images(root, "train")


def test_val_and_validation_together_are_refused(root):
    shutil.copytree(root / "val", root / "validation")
    with pytest.raises(data.DataError, match="has both val and validation: keep one"):
        data.list_images(root, "val")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a.JPEG\tdog\nb.JPEG dog\n", r"val_annotations\.txt, line 2: needs a file's name, a tab"),
        ("a.JPEG\tdog\na.JPEG\tcat\n", r"names a\.JPEG more than once"),
    ],
)
def test_a_table_of_another_form_is_refused(root, table, message):
    (root / "val" / "val_annotations.txt").write_text(table)
    with pytest.raises(data.DataError, match=message):
        data.list_images(root, "val")


def test_images_that_the_camera_turned_are_counted(root, tmp_path, capsys):
    exif = Image.Exif()
    exif[data.ORIENTATION] = 6
    Image.new("RGB", (60, 50)).save(root / "train" / CLASSES[0] / "phone.jpg", exif=exif)
    look(root, tmp_path / "out")
    assert "1 RGB JPEG turned by EXIF (used as stored)" in capsys.readouterr().out


# TFRecords


def example(image, label, image_key="image/encoded", label_key="image/class/label"):
    feature = {
        image_key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        label_key: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_shard(path, n=6, options=None, labels=None, **keys):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(n)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for i in range(n):
            label = labels[i] if labels else i % 2 + 1
            writer.write(example(picture(rng, i % 2, size=(60, 50)), label, **keys))
    return path


@pytest.fixture
def shards(tmp_path):
    root = tmp_path / "shards"
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        write_shard(root / name)
    return root


def damage(path, change):
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def starts(content):
    at = 0
    while at < len(content):
        yield at
        at += int.from_bytes(content[at : at + 8], "little") + 16


def test_a_damaged_length_is_named_with_what_it_costs(shards, tmp_path, capsys):
    def change(content):
        content[list(starts(content))[3] + 3] ^= 0x40

    damage(shards / "train-00000-of-00002", change)
    assert look(shards, tmp_path / "out")[0] == {"train": 9, "val": 6}
    said = capsys.readouterr().out
    assert re.search(r"train-00000-of-00002 at \d+: damaged length; the [\d,]+ bytes from", said)


@pytest.mark.parametrize("place", [b"image/class/label", b"JFIF"])
def test_one_wrong_byte_in_a_record_is_found_by_its_checksum(shards, tmp_path, capsys, place):
    def change(content):
        content[content.index(place) + len(place) + 6] ^= 3

    damage(shards / "train-00000-of-00002", change)
    assert look(shards, tmp_path / "out")[0] == {"train": 11, "val": 6}
    assert "damaged: its checksum is wrong" in capsys.readouterr().out


def test_zeros_after_the_records_are_one_fault_and_no_memory(shards, tmp_path):
    with open(shards / "train-00001-of-00002", "ab") as file:
        file.truncate(file.tell() + 30_000_000)
    assert look(shards, tmp_path / "out") == ({"train": 12, "val": 6}, {"train": 13, "val": 6})


def test_a_missing_or_empty_shard_is_refused(shards):
    (shards / "train-00001-of-00002").write_bytes(b"")
    with pytest.raises(data.DataError, match=r"train-00001-of-00002 is empty: get it again"):
        data.list_images(shards, "train")
    (shards / "train-00001-of-00002").unlink()
    with pytest.raises(data.DataError, match=r"1 of 2 shards are missing: train-00001-of-00002"):
        data.list_images(shards, "train")


def test_shards_of_two_conversions_are_refused(shards):
    write_shard(shards / "train-00000-of-00001")
    with pytest.raises(find.DataError, match=r"has train in \d and in \d shards: keep one"):
        data.list_images(shards, "train")


@pytest.mark.parametrize(("images", "labels"), [(2, 1), (1, 2)])
def test_a_record_of_many_images_or_classes_is_refused(tmp_path, images, labels):
    record = tf.train.Example.FromString(example(b"x", 1))
    record.features.feature["image/encoded"].bytes_list.value.extend([b"x"] * (images - 1))
    record.features.feature["image/class/label"].int64_list.value.extend([2] * (labels - 1))
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as writer:
        writer.write(record.SerializeToString())
    words = f"its first record has {images} images and {labels} labels, not one of each"
    with pytest.raises(find.DataError, match=words):
        data.list_images(tmp_path, "train")


@pytest.mark.parametrize("kind", ["GZIP", "ZLIB"])
def test_compressed_shards_are_refused_before_the_scan(tmp_path, kind):
    for name in ("train", "validation"):
        write_shard(tmp_path / f"{name}-00000-of-00001", options=kind)
    with pytest.raises(data.DataError, match=rf"is compressed \({kind.lower()}\).*unpack it first"):
        data.list_images(tmp_path, "train")


def test_other_keys_are_refused_with_the_keys_that_are_there(tmp_path):
    write_shard(tmp_path / "train-00000-of-00001", image_key="jpeg", label_key="class")
    with pytest.raises(data.DataError, match=r"has class \(int64\), jpeg \(bytes\); an"):
        data.list_images(tmp_path, "train")


def test_a_record_that_is_no_example_is_refused(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as file:
        file.write(b"\xff" * 40)
    with pytest.raises(data.DataError, match=r"its first record is no tf\.train\.Example"):
        data.list_images(tmp_path, "train")


def test_a_later_record_without_an_image_is_named(shards, tmp_path, capsys):
    with tf.io.TFRecordWriter(str(shards / "extra")) as file:
        file.write(tf.train.Example().SerializeToString())
    with open(shards / "train-00001-of-00002", "ab") as file:
        file.write((shards / "extra").read_bytes())
    assert look(shards, tmp_path / "out")[0] == {"train": 12, "val": 6}
    assert "has no image/encoded or no image/class/label" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("train", "val", "keys"),
    [
        (
            "imagenet2012-train.tfrecord-00000-of-00001",
            "imagenet2012-validation.tfrecord-00000-of-00001",
            {"image_key": "image", "label_key": "label"},
        ),
        ("train/shard0.tfrec", "val/shard0.tfrec", {}),
        ("train.tfrecords", "validation.tfrecords", {}),
    ],
)
def test_the_usual_names_and_keys_work(tmp_path, train, val, keys):
    for name in (train, val):
        path = write_shard(tmp_path / "data" / name, **keys)
        path.with_name("._" + path.name).write_bytes(b"\0\5\x16\7 Mac OS X" + bytes(400))
    assert look(tmp_path / "data", tmp_path / "out")[0] == {"train": 6, "val": 6}


def test_what_lies_beside_shards_is_named(tmp_path, capsys):
    for split in ("train", "val"):
        write_shard(tmp_path / "data" / split / "a.tfrecord")
    (tmp_path / "data" / "train" / "labels.txt").write_text("x")
    look(tmp_path / "data", tmp_path / "out")
    assert "labels.txt: beside the shards, and no shard" in capsys.readouterr().out


def test_checksums_are_tensorflows(tmp_path):
    path = write_shard(tmp_path / "a.tfrecord", n=1)
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    assert records.parse(content[12 : 12 + length], content[-4:])[1] == 1
    with pytest.raises(data.DataError, match="checksum"):
        records.parse(content[12 : 12 + length], b"1234")
    with pytest.raises(data.DataError, match=r"no tf\.train\.Example"):
        records.parse(b"\xff" * 20)


# What is refused before anything expensive


def command(root, out, *flags):
    return imagenet.main(["--data", str(root), "--output", str(out), *FLAGS, *flags])


def test_evaluating_nothing_is_refused_before_the_images_are_read(
    root, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(data, "list_images", lambda *_: pytest.fail("the images were listed"))
    assert command(root, tmp_path / "out", "--evaluate") == 2
    assert "there is no trained network in" in capsys.readouterr().err


def test_an_output_that_is_a_file_is_one_line(root, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert command(root, tmp_path / "out") == 2
    assert re.fullmatch(r"error: \S+out: File exists\n", capsys.readouterr().err)
    assert (tmp_path / "out").read_text() == "mine"


def test_two_processes_do_not_share_a_folder(root, tmp_path, capsys):
    lock = imagenet.claim_folder(tmp_path / "out", 0)
    assert command(root, tmp_path / "out") == 2
    assert f"is in use by process {os.getpid()}: wait" in capsys.readouterr().err
    lock.close()
    imagenet.claim_folder(tmp_path / "out", 0).close()


def test_debug_shows_the_traceback_and_nothing_else_does(tmp_path, capsys):
    assert command(tmp_path / "absent", tmp_path / "out") == 2
    assert "Traceback" not in capsys.readouterr().err
    assert command(tmp_path / "absent", tmp_path / "out", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "many", "code", "words"),
    [
        (OSError(28, "No space left on device", "/x/last.npz"), False, 2, "/x/last.npz: No space"),
        (PermissionError(13, "Permission denied", "/x"), False, 2, "/x: Permission denied"),
        (MemoryError("no"), False, 2, "lower --batch"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), False, 2, "lower --batch"),
        (tf.errors.InvalidArgumentError(None, None, "bad\nJPEG"), False, 2, "no longer (bad)"),
        (tf.errors.UnavailableError(None, None, "gone"), True, 75, "gone"),
        (KeyError("a bug"), False, 2, None),
    ],
)
def test_each_error_is_one_line_that_says_what_to_do(error, many, code, words):
    found, message = imagenet.explained(error, many)
    assert found == code
    assert message is None if words is None else words in message and "\n" not in message


def test_hidden_files_are_no_images(root):
    before = find.list_images(root, "train")
    (root / "train" / ".DS_Store").write_bytes(b"x")
    (root / "train" / "__MACOSX").mkdir()
    assert find.list_images(root, "train") == before
    assert Path(before[0].path).is_file()


@pytest.mark.parametrize(("label", "kind"), [(b"cat", "bytes"), (1.0, "float")])
def test_a_label_of_another_type_is_refused_with_its_type(tmp_path, label, kind):
    lists = {"bytes": tf.train.BytesList, "float": tf.train.FloatList}
    features = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"]))}
    features["label"] = tf.train.Feature(**{f"{kind}_list": lists[kind](value=[label])})
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as file:
        file.write(example.SerializeToString())
    with pytest.raises(data.DataError, match=rf"label \({kind}\); .* label \(int64\)"):
        data.list_images(tmp_path, "train")


@pytest.mark.parametrize("name", ["a.tfrecord.gz", "n01440764.zip", "n01440764.tar.gz", "a.TGZ"])
def test_packed_files_are_named_as_such(tmp_path, name):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / name).write_bytes(b"x")
    with pytest.raises(data.DataError, match=rf"has packed files: {name}; unpack them"):
        data.list_images(tmp_path, "train")


def test_an_image_whose_class_is_not_told_is_left_out_by_name(shards, tmp_path, capsys):
    write_shard(shards / "train-00000-of-00002", labels=[1, -1, 2, 1, -1, 2])
    assert look(shards, tmp_path / "out")[0]["train"] == 10
    assert "has the label -1, as images do whose class is not told" in capsys.readouterr().out
