"""ImageNet on disk: every image that is there, and what is there and cannot be used.

A data set is one folder with ``train`` and ``val`` (or ``validation``). In each lie

* a folder of images per class, at any depth below it (``n01440764/``, ``n01440764/images/``), or
* a .tar archive of images per class, as ImageNet is delivered (``n01440764.tar``), or
* ``images`` and ``val_annotations.txt``, as in Tiny ImageNet's ``val``, or
* TFRecord shards, which may also stand beside each other in the data set's own folder
  (``train-00000-of-01024``, ``imagenet2012-validation.tfrecord-00000-of-00064``, ``*.tfrec``).

Nothing is passed over in silence: what is not used is counted and named, but for hidden files. A
part that a name promises (``-of-01024``) and that is not there ends the command.
"""

import os
import re
import tarfile
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from helpers.datasets import DataError
from helpers.imagenet import records

FOLDERS = {"train": ("train",), "val": ("val", "validation")}
SHARD = re.compile(r"(?P<set>.*)-(?P<part>\d+)-of-(?P<parts>\d+)|.*\.tf(rec|records?)")

PACKED = re.compile(r".*\.(gz|tgz|zip|xz|bz2|zst|7z|rar)", re.IGNORECASE)


class Entry(NamedTuple):
    """One image: its file, its class (``None``: in the record), where in the file it lies, how many
    bytes it has, and the fault for which it is left out, if any."""

    path: str
    label: str | None
    offset: int = 0
    bytes: int = 0
    fault: str | None = None


def list_images(data, split):
    """All that ``split`` ("train" or "val") holds, as ``Entry``s, before any image is read.

    data   ``Path`` of the folder that has both splits

    Raises ``DataError`` if nothing is there, or a part is missing that a name promises.
    """
    if not data.is_dir():
        raise DataError(f"--data {data} is not a folder")
    names = FOLDERS[split]
    folders = [data / name for name in names if (data / name).is_dir()]
    if len(folders) > 1:
        raise DataError(f"{data} has both {' and '.join(names)}: keep one of them")
    folder = folders[0] if folders else data
    shards = [p for p in _visible(folder) if SHARD.fullmatch(p.name)]
    if folder == data:
        shards = [p for p in shards if _names(p.name, names)]
    if shards:
        return _shards(folder, shards, alone=folder == data)
    if folder == data:
        raise DataError(f"{data} has no folder {' or '.join(names)}, and no such TFRecords")
    if (folder / "val_annotations.txt").is_file():
        return _annotated(folder)
    return _classes(folder)


def _visible(folder):
    """What a folder holds, sorted, without hidden files such as .DS_Store or ._train-00000."""
    return sorted(p for p in folder.iterdir() if p.name[0] != "." and p.name != "__MACOSX")


def _names(text, names):
    """Does a file's name have one of the words ``names`` in it?"""
    return bool(set(re.split(r"[^a-z]+", text.lower())) & set(names))


def _shards(folder, paths, alone):
    """The records of all shards of a split, after a look whether the set is complete."""
    sets = {}
    for path in paths:
        match = SHARD.fullmatch(path.name)
        if match["parts"]:
            sets.setdefault((match["set"], int(match["parts"])), set()).add(int(match["part"]))
    for (name, count), parts in sets.items():
        if others := sorted(n for other, n in sets if other == name and n != count):
            raise DataError(
                f"{folder} has {name} in {count} and in {others[0]} shards: keep one of the sets"
            )
        missing = [f"{name}-{i:05d}-of-{count:05d}" for i in range(count) if i not in parts]
        if missing:
            raise DataError(
                f"{folder}: {len(missing)} of {count} shards are missing: {some(missing)}; get them"
            )
    found = [Entry(str(path), None, *record) for path in paths for record in records.records(path)]
    others = [] if alone else [p for p in _visible(folder) if p not in set(paths)]
    return found + [Entry(str(p), None, fault="beside the shards, and no shard") for p in others]


def _classes(folder):
    """The images of a split that has a folder or an archive per class."""
    inside = _visible(folder)
    sources = [p for p in inside if p.is_dir() or p.suffix.lower() == ".tar"]
    if packed := [p.name for p in inside if PACKED.fullmatch(p.name)]:
        raise DataError(f"{folder} has packed files: {some(packed)}; unpack them")
    if not sources:
        raise DataError(
            f"{folder} has no class folders: sort its {len(inside):,} files into one per class"
        )
    found, empty, seen = [], [], {}
    for path in sources:
        name = unicodedata.normalize("NFC", path.name if path.is_dir() else path.stem)
        if name in seen:
            raise DataError(f"class {name} is there twice, {seen[name]} and {path}: keep one")
        seen[name] = path
        entries = _folder(path, name) if path.is_dir() else _archive(path, name)
        found += entries
        if not any(entry.fault is None for entry in entries):
            empty.append(f"{path} ({entries[0].fault if entries else 'it is empty'})")
    if empty:
        raise DataError(f"{len(empty)} empty class folders: {some(empty)}; fill or remove them")
    loose = [p for p in inside if p not in set(sources)]
    return found + [Entry(str(p), "", fault="in no class folder") for p in loose]


def _folder(folder, name):
    """The files of one class, at any depth; each folder once, whatever links lead to it."""
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if f[0] != ".")
        for file in sorted(f for f in files if f[0] != "."):
            found.append(_file(os.path.join(place, file), name))
    return found


def _file(path, name):
    try:
        return Entry(path, name, 0, os.stat(path).st_size)
    except OSError as error:
        broken = "a broken link" if os.path.islink(path) else error.strerror
        return Entry(path, name, fault=broken)


def _archive(path, name):
    """The images of one class in its .tar, each where it lies: nothing is unpacked."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = [m for m in archive if m.isfile() and os.path.basename(m.name)[0] != "."]
    except (tarfile.TarError, OSError, EOFError):
        return [Entry(str(path), name, fault="not a whole, uncompressed .tar")]
    if any(m.name.endswith(".tar") for m in members):
        raise DataError(f"{path} holds the classes' archives: unpack it once into {path.parent}")
    return [Entry(str(path), name, m.offset_data, m.size) for m in members]


def _annotated(folder):
    """Tiny ImageNet's validation images, whose classes stand in a table beside them."""
    table = folder / "val_annotations.txt"
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines() if line]
    if short := [number for number, row in enumerate(rows, 1) if len(row) < 2]:
        raise DataError(f"{table}, line {short[0]}: needs a file's name, a tab and its class")
    if twice := [name for name, n in Counter(row[0] for row in rows).items() if n > 1]:
        raise DataError(f"{table} names {some(twice)} more than once: keep one line for each")
    found = [_file(str(folder / "images" / row[0]), row[1]) for row in rows]
    named = {entry.path for entry in found}
    files = _visible(folder / "images") if (folder / "images").is_dir() else []
    extra = [str(p) for p in files if str(p) not in named]
    return found + [Entry(p, "", fault=f"not in {table.name}") for p in extra]


def some(names):
    """The first five of many names, for a message."""
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


def where(entry):
    """How a message calls an image: its file, and where in it, if it is one of many."""
    name = Path(entry.path).as_posix()
    return f"{name} at {entry.offset}" if entry.offset else name
