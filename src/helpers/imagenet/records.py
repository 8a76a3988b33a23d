"""TFRecord files: where each record lies, whether it is whole, and the image and class in it.

A record is its length (8 bytes), the length's checksum (4), the data, the data's checksum (4). The
checksum is CRC-32C, masked as TensorFlow does. The keys are those of TensorFlow's own script,
``image/encoded`` and ``image/class/label``, or of TensorFlow Datasets, ``image`` and ``label``.
"""

import google_crc32c
import tensorflow as tf

from helpers.datasets import DataError

IMAGE_KEYS, LABEL_KEYS = ("image/encoded", "image"), ("image/class/label", "label")
COMPRESSED = {b"\x1f\x8b": "gzip", b"\x78\x9c": "zlib", b"\x78\x01": "zlib", b"\x78\xda": "zlib"}


def records(path):
    """The records of one file, in order: (offset, bytes, fault) each.

    A damaged length hides what follows it, so it ends the file with one record that has a fault.
    Raises ``DataError`` for an empty or compressed file, or one whose records hold no images.
    """
    size, found, offset = path.stat().st_size, [], 0
    with open(path, "rb") as file:
        while offset < size:
            file.seek(offset)
            head = file.read(12)
            if not offset and head[:2] in COMPRESSED and not _whole(head[:8], head[8:]):
                raise DataError(
                    f"{path} is compressed ({COMPRESSED[head[:2]]}), so its records cannot be "
                    "reached one by one: unpack it first"
                )
            length = int.from_bytes(head[:8], "little")
            if not _whole(head[:8], head[8:]):
                found.append((offset, 0, _lost(size - offset)))
                break
            if offset + length + 16 > size:
                found.append((offset, 0, f"cut off; {_lost(size - offset)}"))
                break
            found.append((offset + 12, length, None))
            offset += length + 16
    if not found:
        raise DataError(f"{path} is empty: get it again")
    if found[0][2] is None:
        _keys(path, *found[0][:2])
    return found


def _lost(size):
    return f"damaged length; the {size:,} bytes from here to the end of the file are lost"


def _whole(data, checksum):
    crc = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return masked == int.from_bytes(checksum, "little")


def _keys(path, offset, length):
    """Refuse a file whose first record has not the keys of an image, before any long scan."""
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length)
    try:
        feature = tf.train.Example.FromString(data).features.feature
    except Exception as error:  # protobuf's own kinds differ between its versions
        raise DataError(f"{path}: its first record is no tf.train.Example") from error
    if _key(feature, IMAGE_KEYS) is None or _key(feature, LABEL_KEYS) is None:
        raise DataError(
            f"{path}: its first record has {_kinds(feature) or 'nothing'}; an image "
            f"needs {' or '.join(IMAGE_KEYS)} (bytes), and {' or '.join(LABEL_KEYS)} (int64)"
        )
    try:
        parse(data)
    except DataError as error:  # no form of record that this command knows
        raise DataError(f"{path}: its first record {error}") from error


def _kinds(feature):
    """What a record has: each key with the type of its value."""
    kinds = {name: str(feature[name].WhichOneof("kind")) for name in sorted(feature)}
    return ", ".join(f"{name} ({kind.removesuffix('_list')})" for name, kind in kinds.items())


def parse(data, checksum=None):
    """The encoded image and the class, an ``int``, of one record.

    checksum   its 4 bytes, or ``None`` not to check it. Raises ``DataError`` for a record that is
               damaged or not whole.
    """
    if checksum is not None and not _whole(data, checksum):
        raise DataError("damaged: its checksum is wrong")
    try:
        feature = tf.train.Example.FromString(data).features.feature
    except Exception as error:
        raise DataError("damaged: no tf.train.Example") from error
    image, label = _key(feature, IMAGE_KEYS), _key(feature, LABEL_KEYS)
    if image is None or label is None:
        raise DataError(f"has no {IMAGE_KEYS[0]} or no {LABEL_KEYS[0]}")
    images, labels = feature[image].bytes_list.value, feature[label].int64_list.value
    if len(images) != 1 or len(labels) != 1:
        raise DataError(f"has {len(images)} images and {len(labels)} labels, not one of each")
    if labels[0] < 0:
        raise DataError(f"has the label {labels[0]}, as images do whose class is not told")
    return images[0], labels[0]


def _key(feature, names):
    """Which of the names the record has with a value, or ``None``."""
    for name in names:
        kind = "bytes_list" if names is IMAGE_KEYS else "int64_list"
        if name in feature and getattr(feature[name], kind).value:
            return name
    return None
