"""ImageNet on disk, and the way from there to what AlexNet sees.

A data set is one folder with ``train`` and ``val`` (or ``validation``), each with one folder of
images per class; or with TFRecord shards (``train-00000-of-01024``, ``validation-...``) of
``tf.train.Example`` with ``image/encoded`` and ``image/class/label``. Section numbers are those of
Krizhevsky, Sutskever and Hinton, NIPS 2012.
"""

import hashlib
import io
import json
import os
import re
import sys
import warnings
from collections import Counter
from multiprocessing.pool import ThreadPool

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from helpers.datasets import DataError
from helpers.training import crop_and_flip, replace

SIDE, CROP = 256, 227  # section 2; the paper writes 224, but its layers fit only 227


def list_images(data, split):
    """All images of ``split`` before any is read: (path, class or None, offset, bytes) each."""
    names = {"train": ("train",), "val": ("val", "validation")}[split]
    if not data.is_dir():
        raise DataError(f"--data {data} is not a folder")
    folder = next((data / name for name in names if (data / name).is_dir()), data)
    shards = re.compile(
        r".*-\d+-of-\d+|.*\.tfrecords?" if folder != data else rf"{names[0]}.*-of-.*"
    )
    shards = [p for p in folder.iterdir() if shards.fullmatch(p.name)]
    if shards:
        return [record for path in sorted(shards) for record in _records(path)]
    if folder == data:
        raise DataError(f"{data} has no folder {' or '.join(names)}, and no such TFRecords")
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not classes:
        raise DataError(f"{folder} has no class folders: sort its images into one per class")
    images, empty = [], []
    for path in classes:
        files = sorted(f.path for f in os.scandir(path) if f.is_file() and f.name[0] != ".")
        images += [(file, path.name, 0, os.path.getsize(file)) for file in files]
        empty += [] if files else [path]
    if empty:
        raise DataError(f"{len(empty)} empty class folders: {_some(empty)}; fill or remove them")
    return images


def _records(path):
    """The records of one TFRecord file: length (8 bytes), checksum (4), data, checksum (4)."""
    offset, size = 0, path.stat().st_size
    with open(path, "rb") as file:
        while offset < size:
            file.seek(offset)
            length = int.from_bytes(file.read(8), "little")
            yield str(path), None, offset + 12, length
            offset += length + 16


def _some(names):
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


def read(path, label, offset, length):
    """The encoded image and its class; in a TFRecord, both are in the record."""
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    if label is None:
        feature = tf.train.Example.FromString(data).features.feature
        if not {"image/encoded", "image/class/label"} <= set(feature):
            raise DataError("the record has no image/encoded or no image/class/label")
        data = feature["image/encoded"].bytes_list.value[0]
        label = feature["image/class/label"].int64_list.value[0]
    return data, label


def _examine(entry):
    """[class, kind, None] of a good image, [None, None, reason] of one that cannot be read."""
    try:
        data, label = read(*entry)
        with Image.open(io.BytesIO(data)) as image:
            kind = f"{image.mode} {image.format}"
        tf.io.decode_image(data, channels=3, expand_animations=False)
        return [label, kind, None]
    except Exception as error:  # whatever is wrong with a file, it is left out and named
        reason = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", str(error).split("\n")[0])
        return [None, None, reason or type(error).__name__]


def scan(entries, output, rank=0):
    """Read and decode every image once, so that no epoch meets a bad one, and say what was found.

    entries   split -> what ``list_images`` returns
    output    folder that keeps the result (``train-0.json``, for worker 0) until an image changes

    Returns split -> [(entry, label from 0), ...] of the good images, and the number of classes.
    Raises ``DataError`` if the splits have not the same classes, at least two.
    """
    named = {split: [entry[1] for entry in rows] for split, rows in entries.items()}
    if None not in named["train"] + named["val"]:
        _classes(named)  # folders tell their classes before the long check of the images
    good = {
        split: _checked(rows, output / f"{split}-{rank}.json") for split, rows in entries.items()
    }
    names = _classes({split: [label for _, label in rows] for split, rows in good.items()})
    number = {name: i for i, name in enumerate(names)}
    return {k: [(entry, number[label]) for entry, label in good[k]] for k in good}, len(names)


def _checked(entries, cache):
    times = {path: os.stat(path).st_mtime_ns for path in {entry[0] for entry in entries}}
    stamp = hashlib.sha256(repr((entries, sorted(times.items()))).encode()).hexdigest()
    try:
        stored = json.loads(cache.read_text())
    except (OSError, ValueError):  # none yet, or damaged: look at the images again
        stored = {}
    if stored.get("stamp") != stamp:
        warnings.filterwarnings("ignore", module="PIL")
        with ThreadPool() as pool:
            found = pool.imap(_examine, entries, 32)
            found = list(tqdm(found, f"checking {cache.stem}", len(entries), file=sys.stdout))
        pairs = zip(entries, found, strict=True)
        bad = [f"{e[0]}{f' at {e[2]}' if e[2] else ''}: {f[2]}" for e, f in pairs if f[2]]
        stored = {"stamp": stamp, "bad": bad, "found": found}
        replace(cache, lambda path: path.write_text(json.dumps(stored)))
    kinds = Counter(kind for _, kind, _ in stored["found"] if kind).most_common()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
    print(f"{cache.stem}: {kinds or 'no image'}; {len(stored['bad']):,} unreadable and left out")
    if stored["bad"]:
        print(f"{_some(stored['bad'])}; all named in {cache}")
    return [(e, f[0]) for e, f in zip(entries, stored["found"], strict=True) if not f[2]]


def _classes(labels):
    train, val = set(labels["train"]), set(labels["val"])
    if train == val and len(train) > 1:
        return sorted(train)
    alone = [_some(sorted(a - b)) or "none" for a, b in ((train, val), (val, train))]
    raise DataError(
        f"train has readable images of {len(train)} classes, val of {len(val)}; only in train: "
        f"{alone[0]}; only in val: {alone[1]}. Both need the same classes, at least two"
    )


def decode(data):
    """An encoded image as float32 (256, 256, 3) from 0 to 255 (section 2): the short side becomes
    256, of the long side the middle is kept. Cutting first spares resizing what is cut off."""
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top : top + side, left : left + side]
    smaller = lambda: tf.image.resize(image, (SIDE, SIDE), "area")  # noqa: E731
    larger = lambda: tf.image.resize(image, (SIDE, SIDE))  # noqa: E731
    return tf.ensure_shape(tf.cond(side > SIDE, smaller, larger), (SIDE, SIDE, 3))


def batches(split, rows, batch, prepare=lambda image, row: image):
    """A ``tf.data.Dataset`` of (images, labels, weights) for ``rows`` of ``split``, in order.

    split     list of (entry, label); row -1 is padding: image 0 with weight 0
    prepare   maps a decoded image and its row to what the network sees
    """

    def fetch(row):
        entry, label = split[max(row, 0)]
        return read(*entry)[0], np.int64(label)

    def load(row, data, label):
        weight = tf.cast(row >= 0, tf.float32)
        return prepare(decode(data), row), tf.ensure_shape(label, ()), weight

    # Reading is a step of its own: deterministic mode runs Python functions one after another.
    dataset = tf.data.Dataset.from_tensor_slices(rows).map(
        lambda row: (row, *tf.numpy_function(fetch, [row], (tf.string, tf.int64))), tf.data.AUTOTUNE
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE).batch(batch, drop_remainder=True)
    return dataset.prefetch(tf.data.AUTOTUNE)


def statistics(split, rows):
    """The mean image (256, 256, 3) and the basis of ``color_jitter`` (3, 3) of these rows."""
    total, colors = np.zeros((SIDE, SIDE, 3)), []
    for images, *_ in tqdm(batches(split, np.sort(rows), 1), "mean, colors", file=sys.stdout):
        total += images[0].numpy()
        colors.append(images[0, ::8, ::8].numpy())
    return total / len(rows), color_basis(colors)


def color_basis(images):
    """Principal components of the colors of ``images``, for ``color_jitter`` (section 4.1).

    images   arrays (..., 3) of pixels, of any sizes

    Returns (3, 3) float32: its columns are the eigenvectors of the covariance of the pixels, each
    as long as the standard deviation along it, in the units of the pixels. (The paper writes the
    eigenvalue; its released code uses standard deviations, the only reading that fits the units.)
    """
    pixels = np.concatenate([np.reshape(image, (-1, image.shape[-1])) for image in images])
    if pixels.shape[1] != 3 or len(pixels) < 2:
        raise ValueError(f"needs the three colors of at least two pixels, got {pixels.shape}")
    variances, vectors = np.linalg.eigh(np.cov(pixels.T.astype(np.float64)))
    return (vectors * np.sqrt(np.maximum(variances, 0))).astype(np.float32)


def color_jitter(images, basis, seed, strength=0.1):
    """Add to each image (n, h, w, 3) one color: ``basis @ N(0, strength²)`` (section 4.1).

    seed   two integers; the same ones give the same colors
    """
    amounts = tf.random.stateless_normal((tf.shape(images)[0], 3), seed, stddev=strength)
    return images + tf.matmul(amounts, basis, transpose_b=True)[:, None, None, :]


def augment(image, key, basis):
    """A random 227×227 crop, mirrored or not, in other light (section 4.1).

    image   (256, 256, 3) float32, the mean subtracted;  key   two integers that decide all of it
    """
    top, left = tf.unstack(tf.random.stateless_uniform((2,), key, 0, SIDE - CROP + 1, tf.int32))
    image = image[None, top : top + CROP, left : left + CROP]
    image = crop_and_flip(image, key, flip=True)
    return tf.ensure_shape(
        color_jitter(image, basis, key + tf.constant([2, 0]))[0], (CROP, CROP, 3)
    )


def crops(images, ten):
    """The central crop, or the paper's ten: corners and center, and their mirror images."""
    corners = [(14, 14), *[(top, left) for top in (0, 29) for left in (0, 29)] * ten]
    views = [images[:, top : top + CROP, left : left + CROP] for top, left in corners]
    return [*views, *[view[:, :, ::-1] for view in views] * ten]
