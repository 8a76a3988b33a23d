"""One look at every image before the first epoch, and an account of what was found and left out."""

import hashlib
import io
import json
import os
import re
import sys
import warnings
from collections import Counter
from multiprocessing.pool import ThreadPool

from tqdm import tqdm

from helpers.datasets import DataError
from helpers.files import replace
from helpers.imagenet import records
from helpers.imagenet.find import list_images, some, where

ORIENTATION = 274  # the EXIF tag that tells how the camera was held

__all__ = ["examine", "list_images", "read", "scan"]


def read(entry):
    """The encoded image and its class; in a TFRecord, both are in the record.

    Raises ``DataError`` for a record whose checksum is wrong, ``OSError`` for a file out of reach.
    """
    in_record = entry.label is None
    with open(entry.path, "rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.bytes + 4 * in_record)
    if in_record:
        return records.parse(data[:-4], data[-4:])
    return data, entry.label


def examine(entry):
    """[class, kind, None] of a good image, [None, None, reason] of one that cannot be read."""
    import tensorflow as tf
    from PIL import Image, UnidentifiedImageError

    if entry.fault:
        return [None, None, entry.fault]
    try:
        data, label = read(entry)
        with Image.open(io.BytesIO(data)) as image:
            kind = f"{image.mode} {image.format}"
            if image.format in ("JPEG", "MPO") and image.getexif().get(ORIENTATION, 1) > 1:
                kind += " turned by EXIF (used as stored)"
        tf.io.decode_image(data, channels=3, expand_animations=False)
        return [label, kind, None]
    except UnidentifiedImageError:
        return [None, None, "not an image" if data else "an empty file"]
    except OSError as error:
        return [None, None, error.strerror or str(error)]
    except Exception as error:  # whatever is wrong with a file, it is left out and named
        reason = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", str(error).split("\n")[0])
        return [None, None, reason or type(error).__name__]


def scan(entries, output, rank=0):
    """Read and decode every image once, so that no epoch meets a bad one, and say what was found.

    entries   split -> what ``list_images`` returns
    output    folder that keeps the result (``train-0.json``, for worker 0) until an image changes

    Returns split -> [(entry, label from 0), ...] of the good images, and the number of classes,
    whose names by label stand in ``classes.json`` there.
    Raises ``DataError`` if the splits have not the same classes, at least two.
    """
    named = {k: [e.label for e in rows if not e.fault] for k, rows in entries.items()}
    if None not in named["train"] + named["val"]:
        same_classes(named)  # folders tell their classes before the long check of the images
    good = {k: _checked(rows, output / f"{k}-{rank}.json") for k, rows in entries.items()}
    names = same_classes({split: [label for _, label in rows] for split, rows in good.items()})
    number = {name: i for i, name in enumerate(names)}
    if rank == 0:
        replace(output / "classes.json", lambda path: path.write_text(json.dumps(names)))
    return {k: [(entry, number[label]) for entry, label in good[k]] for k in good}, len(names)


def _checked(entries, cache):
    paths = {entry.path for entry in entries if not entry.fault}
    stamp = repr((entries, sorted((path, os.stat(path).st_mtime_ns) for path in paths)))
    stamp = hashlib.sha256(stamp.encode("utf-8", "surrogatepass")).hexdigest()
    stored = _stored(cache, stamp, len(entries))
    if not stored:
        warnings.filterwarnings("ignore", module="PIL")
        with ThreadPool() as pool:
            found = pool.imap(examine, entries, 32)
            found = list(tqdm(found, f"checking {cache.stem}", len(entries), file=sys.stdout))
        pairs = zip(entries, found, strict=True)
        bad = [f"{where(entry)}: {reason}" for entry, (_, _, reason) in pairs if reason]
        stored = {"stamp": stamp, "bad": bad, "found": found}
        replace(cache, lambda path: path.write_text(json.dumps(stored)))
    kinds = Counter(kind for _, kind, _ in stored["found"] if kind).most_common()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
    print(f"{cache.stem}: {kinds or 'no image'}; {len(stored['bad']):,} left out")
    if stored["bad"]:
        print(f"{some(stored['bad'])}; all named in {cache}")
    return [(e, f[0]) for e, f in zip(entries, stored["found"], strict=True) if not f[2]]


def _stored(cache, stamp, count):
    """What an earlier look at the same files found, or ``None``."""
    try:
        stored = json.loads(cache.read_text())
        same = stored["stamp"] == stamp and len(stored["found"]) == count
        return stored if same else None
    except (OSError, ValueError, TypeError, KeyError):  # none yet, or damaged: look again
        return None


def same_classes(labels):
    """The sorted classes of both splits; ``DataError`` if they differ or are fewer than two."""
    train, val = set(labels["train"]), set(labels["val"])
    if train == val and len(train) > 1:
        return sorted(train)
    alone = [some(sorted(a - b)) or "none" for a, b in ((train, val), (val, train))]
    raise DataError(
        f"train has readable images of {len(train)} classes, val of {len(val)}; only in train: "
        f"{alone[0]}; only in val: {alone[1]}. Both need the same classes, at least two"
    )
