"""The data of the labs, each piece checked before it is used. Importing this needs NumPy only."""

import gzip
import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Every bundled file: its size in bytes and its SHA-256. `assets/README.md` names the origins.
ASSETS = {
    "fashion_mnist_12000.npz": (
        5_294_731,
        "ca1329108afc3aa397ff3368dd478c06afb766221210d78ecde25c805a2d16e3",
    ),
}
DEBIAN_FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
FASHION_CLASSES = (
    "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
)
# The four files of MNIST's format; the MD5 is that of the compressed file that Fashion-MNIST's
# authors publish, the SHA-256 that of its contents, which any recompressed copy shares.
_IDX_FILES = {
    "train_images": ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", ""),
    "train_labels": ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", ""),
    "test_images": ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", ""),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", ""),
}


class DataError(RuntimeError):
    """Data is missing, damaged or out of reach. The message says which, where and what to do."""


class Images(NamedTuple):
    """Training and test images (n, 28, 28) uint8, labels (n,) uint8, and the classes' names."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: list


def sha256(path):
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def asset_path(name):
    """The ``Path`` of a bundled file, after checking its size and SHA-256 against ``ASSETS``.

    Raises ``ValueError`` for a name that is not in the table, ``DataError`` for a file that is
    missing, truncated or altered.
    """
    if name not in ASSETS:
        raise ValueError(f"no bundled file is called {name!r}; there are: {', '.join(ASSETS)}")
    path = Path(__file__).parent / "assets" / name
    size, digest = ASSETS[name]
    again = "install the package again (pip install --force-reinstall --no-deps), or `git checkout`"
    if not path.is_file():
        raise DataError(f"{path} is missing; to get it back, {again} it")
    if path.stat().st_size < size:
        raise DataError(f"{path} is truncated: {path.stat().st_size:,} of {size:,} bytes; {again}")
    if sha256(path) != digest:
        raise DataError(f"{path} is altered: its SHA-256 is not {digest[:12]}…; {again} it")
    return path


def fashion_mnist(profile=None):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747) as ``Images``.

    profile   ``"quick"``: the bundled 10,000 + 2,000 images, balanced; ``"full"``: all
              60,000 + 10,000; ``None``: what ``session.profile()`` says

    Raises ``DataError`` if the bundled file or the download is damaged or out of reach.
    """
    if _profile(profile) == "quick":
        with np.load(asset_path("fashion_mnist_12000.npz")) as arrays:
            return Images(**arrays, class_names=FASHION_CLASSES)
    raise NotImplementedError


def read_idx_folder(folder):
    """The four gzipped idx files of a folder, as a dictionary of uint8 arrays."""
    arrays = {}
    for key, (name, _, _digest) in _IDX_FILES.items():
        raw = gzip.decompress((Path(folder) / name).read_bytes())
        shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
        arrays[key] = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
    return arrays


def balanced_indices(labels, per_class, rng):
    """Indices of ``per_class`` random examples of each class, in random order."""
    chosen = [
        rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in np.unique(labels)
    ]
    return rng.permutation(np.concatenate(chosen))


def _profile(profile):
    from helpers import session

    profile = profile or session.profile()
    if profile not in ("quick", "full"):
        raise ValueError(f"profile is {profile!r}; it must be 'quick' or 'full'")
    return profile
