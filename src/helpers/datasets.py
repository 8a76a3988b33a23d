"""The data of the labs, each file checked before it is used. Importing this needs NumPy only."""

import csv
import gzip
import hashlib
import importlib.util
import os
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import session

# Every bundled file: its size in bytes and its SHA-256. `assets/README.md` names the origins.
ASSETS = {
    "fashion_mnist_12000.npz": (
        5_294_731,
        "ca1329108afc3aa397ff3368dd478c06afb766221210d78ecde25c805a2d16e3",
    ),
    "ilsvrc_classes.csv": (
        200_528,
        "21fdf1a957ed66f3831333956e57e8c8a450c1cb43c88d4dce7da9c267bd8c16",
    ),
}
FASHION_CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt"]
FASHION_CLASSES += ["Sneaker", "Bag", "Ankle boot"]
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
KERAS_DATA = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
# File, MD5 of the compressed file as Fashion-MNIST's authors publish it, SHA-256 of its contents
# (Debian compressed the same contents again).
IDX_FILES = {
    "train_images": (
        "train-images-idx3-ubyte.gz",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train_labels": (
        "train-labels-idx1-ubyte.gz",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test_images": (
        "t10k-images-idx3-ubyte.gz",
        "bef4ecab320f06d8554ea6380940ec79",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test_labels": (
        "t10k-labels-idx1-ubyte.gz",
        "bb300cfdad3c16e7a12a480ee83cd310",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
PHOTOGRAPHS = {  # name: package, file in it, credit
    "cat": ("skimage", "data/chelsea.png", "Stéfan van der Walt (CC0), from scikit-image"),
    "espresso": ("skimage", "data/coffee.png", "Rachel Michetti (CC0), from scikit-image"),
    "rocket": ("skimage", "data/rocket.jpg", "SpaceX (public domain), from scikit-image"),
    "motorcycle": (
        "skimage",
        "data/motorcycle_left.png",
        "Scharstein et al. 2014, from scikit-image",
    ),
    "palace": (
        "sklearn",
        "datasets/images/china.jpg",
        "danielbuechele (CC BY 2.0), from scikit-learn",
    ),
    "flower": ("sklearn", "datasets/images/flower.jpg", "vultilion (CC BY 2.0), from scikit-learn"),
    "Grace Hopper": (
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "U.S. Navy (public domain), from Matplotlib",
    ),
    "astronaut": ("skimage", "data/astronaut.png", "NASA (public domain), from scikit-image"),
    "galaxies": (
        "skimage",
        "data/hubble_deep_field.jpg",
        "NASA (public domain), from scikit-image",
    ),
}


class DataError(RuntimeError):
    """Data is missing, damaged or out of reach. The message says which, where and what to do."""


class Images(NamedTuple):
    """Images (n, 28, 28) uint8 and labels (n,) uint8, for training and test; the classes' names."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: list


class Photograph(NamedTuple):
    """A photograph: its name, (height, width, 3) uint8 RGB, and whom to thank for it."""

    name: str
    image: np.ndarray
    credit: str


class ImageClass(NamedTuple):
    """A class of ILSVRC: index (0 to 999), wnid, name, synsets from entity.n.01 down to itself."""

    index: int
    wnid: str
    name: str
    path: tuple


class Result(NamedTuple):
    """An entry to ILSVRC classification; ``error`` is its top-5 error on the test set, percent."""

    year: int
    team: str
    rank: int
    error: float
    method: str
    extra_data: bool
    source: str


class ImageFolder(NamedTuple):
    """RGB uint8 images of any size, labels (n,) int64, the classes, and (path, why) left out."""

    images: list
    labels: np.ndarray
    class_names: list
    skipped: list


def sha256(path):
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path, size, digest, remedy):
    """Raise ``DataError`` if a file is missing, truncated or altered; ``remedy`` is what to do."""
    if not path.is_file():
        raise DataError(f"{path} is missing; to get it: {remedy}")
    if path.stat().st_size < size:
        have = f"{path.stat().st_size:,} of {size:,} bytes"
        raise DataError(f"{path} is truncated, {have}; to repair it: {remedy}")
    if sha256(path) != digest:
        raise DataError(f"{path} is altered, its SHA-256 is wrong; to repair it: {remedy}")


def asset_path(name):
    """The ``Path`` of a bundled file, after checking its size and SHA-256 against ``ASSETS``.

    Raises ``ValueError`` for a name that is not in the table, ``DataError`` for a file that is
    missing, truncated or altered.
    """
    if name not in ASSETS:
        raise ValueError(f"no bundled file is called {name!r}; there are: {', '.join(ASSETS)}")
    path = Path(__file__).parent / "assets" / name
    check_file(path, *ASSETS[name], "install the package again, or `git checkout` the file")
    return path


def download(url, target, digest):
    """Download ``url`` to the path ``target`` unless it is there; show progress; return ``target``.

    digest   the file's SHA-256 or MD5, in hexadecimal

    ``target`` appears only when it is complete and its checksum is right. Raises ``DataError`` if
    the network is out of reach, the transfer is cut off or the checksum is wrong.
    """
    target, algorithm = Path(target), "sha256" if len(digest) == 64 else "md5"
    if target.is_file():
        with target.open("rb") as file:
            if hashlib.file_digest(file, algorithm).hexdigest() == digest:
                return target
    import keras

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        try:
            options = {"cache_dir": folder, "cache_subdir": "", "file_hash": digest}
            os.replace(keras.utils.get_file(target.name, url, **options), target)
        except Exception as error:
            raise DataError(
                f"{url} could not be downloaded to {target}: {error} "
                "Check the network and try again; nothing was left behind."
            ) from error
    return target


def cache_folder():
    """Where downloads are kept: the environment variable ``BOOK_DATA``, or a folder in the home."""
    return Path(os.environ.get("BOOK_DATA") or Path.home() / ".cache" / "imagenet-moment")


def fashion_mnist(profile=None):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747) as ``Images``.

    profile   ``"quick"``: the bundled 10,000 + 2,000 images, balanced; ``"full"``: all
              60,000 + 10,000, from Debian's package dataset-fashion-mnist if it is there, else
              downloaded; ``None``: what ``session.profile()`` says

    Raises ``DataError`` if a file is damaged or out of reach.
    """
    if _profile(profile) == "quick":
        with np.load(asset_path("fashion_mnist_12000.npz")) as arrays:
            return Images(**arrays, class_names=FASHION_CLASSES)
    folder = DEBIAN_FASHION_MNIST
    if not folder.is_dir():
        folder = cache_folder() / "fashion-mnist"
        for name, md5, _ in IDX_FILES.values():
            download(KERAS_DATA + name, folder / name, md5)
    return Images(**read_idx_folder(folder), class_names=FASHION_CLASSES)


def mnist(profile=None):
    """MNIST's handwritten digits (LeCun and others, 1998) as ``Images``, downloaded (11 MB).

    ``profile`` and errors as for ``fashion_mnist``; "quick" is a fixed balanced choice.
    """
    path = download(KERAS_DATA + "mnist.npz", cache_folder() / "mnist.npz", MNIST_SHA256)
    with np.load(path) as arrays:
        parts = [arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    if _profile(profile) == "quick":
        rng = np.random.default_rng(0)
        train, test = balanced_indices(parts[1], 1000, rng), balanced_indices(parts[3], 200, rng)
        parts = [parts[0][train], parts[1][train], parts[2][test], parts[3][test]]
    return Images(*parts, class_names=[str(digit) for digit in range(10)])


def _profile(profile):
    profile = profile or session.profile()
    if profile not in ("quick", "full"):
        raise ValueError(f"profile is {profile!r}; it must be 'quick' or 'full'")
    return profile


def read_idx_folder(folder):
    """The four gzipped idx files of a folder as a dictionary of uint8 arrays, contents checked."""
    arrays = {}
    for key, (name, _, digest) in IDX_FILES.items():
        try:
            raw = gzip.decompress((Path(folder) / name).read_bytes())
        except (OSError, EOFError) as error:
            raise DataError(f"{Path(folder) / name} is missing or damaged: {error}") from error
        if hashlib.sha256(raw).hexdigest() != digest:
            raise DataError(f"{Path(folder) / name} does not hold Fashion-MNIST's {key}; remove it")
        shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
        arrays[key] = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
    return arrays


def balanced_indices(labels, per_class, rng):
    """Indices of ``per_class`` random examples of each class, in random order."""
    each = [rng.choice(np.flatnonzero(labels == c), per_class, False) for c in np.unique(labels)]
    return rng.permutation(np.concatenate(each))


def photographs(*names):
    """The photographs of these names as ``Photograph``, in this order; all of them without names.

    They come with scikit-image, scikit-learn and Matplotlib. Raises ``ValueError`` for a name that
    is not known, ``DataError`` if a package does not have its photograph.
    """
    from PIL import Image

    found = []
    for name in names or PHOTOGRAPHS:
        if name not in PHOTOGRAPHS:
            known = ", ".join(PHOTOGRAPHS)
            raise ValueError(f"no photograph is called {name!r}; there are: {known}")
        package, file, credit = PHOTOGRAPHS[name]
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin).parent / file if spec else Path(package) / file
        if not path.is_file():
            raise DataError(f"{path} is missing; install scikit-image, scikit-learn, matplotlib")
        found.append(Photograph(name, np.asarray(Image.open(path).convert("RGB")), credit))
    return found


def ilsvrc_classes():
    """The 1,000 classes of ILSVRC 2012 to 2017 as ``ImageClass``, by index.

    The paths follow WordNet 3.0; where a synset has several hypernyms, the one it lists first.
    """
    with asset_path("ilsvrc_classes.csv").open(encoding="utf-8", newline="") as file:
        return [
            ImageClass(int(row["index"]), row["wnid"], row["name"], tuple(row["path"].split("/")))
            for row in csv.DictReader(file)
        ]


def ilsvrc_results():
    """The entries to ILSVRC's classification task, 2010 to 2017, as ``Result``; best first."""
    with asset_path("ilsvrc_results.csv").open(encoding="utf-8", newline="") as file:
        return [
            Result(int(year), team, int(rank), float(error), method, extra == "yes", source)
            for year, team, rank, error, method, extra, source in list(csv.reader(file))[1:]
        ]


def image_folder(path, largest=512):
    """Your own images: a folder that has one folder of images for each class, as ``ImageFolder``.

    largest   images with a longer side than this, in pixels, are shrunk to it

    What is no readable image is left out, named in ``skipped`` and printed. Raises ``DataError``
    if the folder is missing, has fewer than two classes, or a class has no readable image.
    """
    from PIL import Image, ImageOps

    root = Path(path)
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give one that has a folder of images for each class")
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    if len(folders) < 2:
        raise DataError(f"{root} has {len(folders)} class folders; at least two are needed")
    images, labels = [], []
    skipped = [(entry, "it is in no class folder") for entry in entries if entry.is_file()]
    for label, folder in enumerate(folders):
        for file in sorted(f for f in folder.iterdir() if not f.name.startswith(".")):
            try:
                with warnings.catch_warnings(action="error"), Image.open(file) as picture:
                    picture = ImageOps.exif_transpose(picture).convert("RGB")
                    picture.thumbnail((largest, largest))
            except (
                OSError,
                ValueError,
                SyntaxError,
                Warning,
                Image.DecompressionBombError,
            ) as error:
                skipped.append((file, f"{error}"))
                continue
            images.append(np.asarray(picture))
            labels.append(label)
        if label not in labels:
            raise DataError(f"{folder} has no readable image; add some, or remove the folder")
    for file, why in skipped:
        print(f"left out {file}: {why}")
    return ImageFolder(images, np.array(labels), [folder.name for folder in folders], skipped)
