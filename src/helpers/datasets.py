"""The data of the labs, each file checked before it is used. Importing this needs NumPy only."""

import csv
import gzip
import hashlib
import importlib.util
import os
import tempfile
import unicodedata
from collections import namedtuple
from functools import cache
from pathlib import Path

import numpy as np

from helpers import session
from helpers.assets import FILES as ASSETS
from helpers.image_files import files_below, read_image
from helpers.words import shown

FASHION_CLASSES = "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot"
FASHION_CLASSES = [name.replace("_", " ") for name in FASHION_CLASSES.split()]
PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
KERAS_DATA = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
HOME = session.home() or Path(tempfile.gettempdir())
CACHE = Path(os.environ.get("BOOK_DATA") or HOME / ".cache" / "imagenet-moment")
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
IDX_FILES = {  # with the MD5 that the authors of Fashion-MNIST publish
    "train_images": ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "train_labels": ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    "test_images": ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
}
PHOTOGRAPHS = {  # name: package, file in it, credit
    "cat": ("skimage", "data/chelsea.png", "Stéfan van der Walt, CC0"),
    "espresso": ("skimage", "data/coffee.png", "Rachel Michetti, CC0"),
    "rocket": ("skimage", "data/rocket.jpg", "SpaceX, public domain"),
    "motorcycle": ("skimage", "data/motorcycle_left.png", "Middlebury stereo data, 2014"),
    "palace": ("sklearn", "datasets/images/china.jpg", "danielbuechele, CC BY 2.0"),
    "flower": ("sklearn", "datasets/images/flower.jpg", "vultilion, CC BY 2.0"),
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "U.S. Navy"),
    "astronaut": ("skimage", "data/astronaut.png", "NASA, public domain"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg", "NASA, public domain"),
}

# Images (n, 28, 28) uint8, labels (n,) uint8. A photograph's image is (height, width, 3) uint8 RGB.
Images = namedtuple("Images", "train_images train_labels test_images test_labels class_names")
Photograph = namedtuple("Photograph", "name image credit")
# A class's path: synsets from entity.n.01 to its own. A result's error: top-5, test set, percent.
ImageClass = namedtuple("ImageClass", "index wnid name path")
Result = namedtuple("Result", "year team rank error method extra_data source")
# A list of (height, width, 3) uint8 RGB, labels (n,) int64; skipped has (path, why) of each file.
ImageFolder = namedtuple("ImageFolder", "images labels class_names skipped")


class DataError(RuntimeError):
    """Data is missing, damaged or out of reach. The message says which, where and what to do."""


def file_hash(path, algorithm="sha256"):
    """The checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def check_file(path, size, digest, remedy):
    """Raise ``DataError`` if a file is missing, truncated or altered; ``remedy`` is what to do."""
    if not path.is_file():
        raise DataError(f"{path} is missing; to get it, {remedy}")
    if path.stat().st_size < size:
        raise DataError(f"{path} is truncated, less than {size:,} bytes; to repair it, {remedy}")
    if file_hash(path) != digest:
        raise DataError(f"{path} is altered: its SHA-256 is wrong; to repair it, {remedy}")


def asset_path(name):
    """The ``Path`` of a bundled file, after checking its size and SHA-256.

    Raises ``ValueError`` for a name that is not in the table, ``DataError`` for a file that is
    missing, truncated or altered.
    """
    if name not in ASSETS:
        raise ValueError(f"no bundled file is called {shown(name)}; there are: {', '.join(ASSETS)}")
    path = Path(__file__).parent / "assets" / name
    check_file(path, *ASSETS[name], "install the package again or `git checkout` the file")
    return path


def download(url, target, digest):
    """Download ``url`` to ``target`` unless it is there, with a progress bar; return the ``Path``.

    ``digest`` is its SHA-256 or MD5, in hexadecimal. ``target`` appears only when it is complete
    and right. Raises ``DataError`` if the network is out of reach, the transfer is cut off or the
    checksum is wrong.
    """
    target, algorithm = Path(target), "sha256" if len(digest) == 64 else "md5"
    if target.is_file() and file_hash(target, algorithm) == digest:
        return target
    import keras

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}; set BOOK_DATA to a folder") from error
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as part:
        try:
            options = {"cache_dir": part, "cache_subdir": "", "file_hash": digest}
            os.replace(keras.utils.get_file(target.name, url, **options), target)
        except Exception as error:
            advice = f"try again with a network, or put the file at {target}"
            raise DataError(f"{url} could not be downloaded: {error}; {advice}") from error
    return target


def fashion_mnist(profile=None):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747) as ``Images``.

    profile   ``"quick"``: the bundled 10,000 + 2,000 images, balanced; ``"full"``: all 70,000, from
              Debian's package or downloaded; ``None``: what ``session.profile()`` says

    Raises ``DataError`` if a file is damaged or out of reach.
    """
    if _profile(profile) == "quick":
        with np.load(asset_path("fashion_mnist_12000.npz")) as arrays:
            return Images(**arrays, class_names=FASHION_CLASSES)
    if not (folder := DEBIAN_FASHION_MNIST).is_dir():
        folder = CACHE / "fashion-mnist"
        for name, md5 in IDX_FILES.values():
            download(KERAS_DATA + name, folder / name, md5)
    return Images(**read_idx_folder(folder), class_names=FASHION_CLASSES)


def mnist(profile=None):
    """MNIST (LeCun and others, 1998), downloaded (11 MB); otherwise as ``fashion_mnist``."""
    quick = _profile(profile) == "quick"
    path = download(KERAS_DATA + "mnist.npz", CACHE / "mnist.npz", MNIST_SHA256)
    with np.load(path) as arrays:
        parts = [arrays[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    if quick:
        rng = np.random.default_rng(0)
        train, test = balanced_indices(parts[1], 1000, rng), balanced_indices(parts[3], 200, rng)
        parts = [parts[0][train], parts[1][train], parts[2][test], parts[3][test]]
    return Images(*parts, class_names=[str(digit) for digit in range(10)])


def _profile(profile):
    profile = profile or session.profile()
    if profile not in ("quick", "full"):
        raise ValueError(f"profile is {shown(profile)}; it must be 'quick' or 'full'")
    return profile


def read_idx_folder(folder):
    """The four gzipped idx files of a folder as a dictionary of uint8 arrays."""
    arrays = {}
    for key, (name, _) in IDX_FILES.items():
        path = Path(folder) / name
        try:  # gzip carries a checksum of its own
            raw = gzip.decompress(path.read_bytes())
            shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
            arrays[key] = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
        except (OSError, EOFError, ValueError, IndexError, gzip.zlib.error) as error:
            raise DataError(f"{path} is missing or damaged ({error}); install it again") from error
    return arrays


def balanced_indices(labels, per_class, rng):
    """Indices (classes · per_class,) of random examples of each class, in random order.

    Raises ``ValueError`` if a class of ``labels`` (n,) has fewer than ``per_class``.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < per_class:
        raise ValueError(f"class {classes[counts.argmin()]} has fewer than {per_class} examples")
    each = [rng.choice(np.flatnonzero(labels == c), per_class, False) for c in classes]
    return rng.permutation(np.concatenate(each))


def photographs(*names):
    """The photographs of these names as ``Photograph``, from other packages; no names: all nine.

    Raises ``ValueError`` for a name that is not known, ``DataError`` if its package lacks it.
    """
    from PIL import Image

    found = []
    for name in names or PHOTOGRAPHS:
        if name not in PHOTOGRAPHS:
            raise ValueError(
                f"no photograph is called {shown(name)}; known: {', '.join(PHOTOGRAPHS)}"
            )
        package, file, credit = PHOTOGRAPHS[name]
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin).parent / file if spec else Path(package, file)
        if not path.is_file():
            raise DataError(f"{path} is missing; install scikit-image, scikit-learn, matplotlib")
        found.append(Photograph(name, np.asarray(Image.open(path).convert("RGB")), credit))
    return found


@cache
def table_rows(name):
    """The rows of a bundled table with a header, such as ``"drift.csv"``: dictionaries of text."""
    return list(csv.DictReader(asset_path(name).read_text("utf-8").splitlines()))


def ilsvrc_classes():
    """The 1,000 classes of ILSVRC as ``ImageClass``, by index, with paths along first hypernyms."""
    rows = csv.reader(asset_path("ilsvrc_classes.csv").read_text("utf-8").splitlines()[1:])
    return [ImageClass(int(i), wnid, name, tuple(path.split("/"))) for i, wnid, name, path in rows]


def ilsvrc_results():
    """Entries to ILSVRC's classification task, 2010 to 2017, as ``Result``, by year and rank."""
    rows = csv.reader(asset_path("ilsvrc_results.csv").read_text("utf-8").splitlines()[1:])
    return [Result(int(y), t, int(r), float(e), m, x == "yes", s) for y, t, r, e, m, x, s in rows]


def image_folder(path, largest=512):
    """Your own images: a folder that has one folder of images for each class, as ``ImageFolder``.

    Images may lie at any depth below their class's folder. Longer sides than ``largest`` pixels are
    shrunk to it, and white is put below transparent pixels. What is no readable image is left out
    and named in ``skipped``. Raises ``DataError`` for fewer than two classes or an empty one.
    """
    if isinstance(largest, bool) or not isinstance(largest, int | np.integer) or largest < 1:
        raise ValueError(f"largest={shown(largest)}: give a whole number of pixels from 1")
    path = Path(path).expanduser()
    if not path.is_dir():
        raise DataError(f"{path} is no folder; give the folder that has your class folders")
    entries = sorted(e for e in path.iterdir() if e.name[0] != "." and e.name != "__MACOSX")
    folders = [entry for entry in entries if entry.is_dir()]
    if folders and all(folder.name.lower() in PARTS for folder in folders):
        raise DataError(f"{path} has the parts of a data set, not classes: give {folders[0]}")
    if len(folders) < 2:
        raise DataError(f"{path} has {len(folders)} class folders; it needs one for each class")
    names = [unicodedata.normalize("NFC", folder.name) for folder in folders]
    bare = [name.strip() for name in names]
    if twice := [str(f) for f, name in zip(folders, bare, strict=True) if bare.count(name) > 1]:
        raise DataError(f"{' and '.join(twice)} are one class, written in two ways: join them")
    skipped = [(entry, "in no class folder") for entry in entries if not entry.is_dir()]
    images, labels = [], []
    for label, folder in enumerate(folders):
        for file in files_below(folder):
            image, why = read_image(file, largest)
            if why:
                skipped.append((file, why))
            if image is not None:
                images.append(image)
                labels.append(label)
        if labels[-1:] != [label]:
            why = next((why for file, why in skipped if folder in file.parents), "it is empty")
            raise DataError(f"{folder} has no readable image ({why}); add some or remove it")
    print(*(f"left out: {file} ({why})\n" for file, why in skipped), sep="", end="")
    return ImageFolder(images, np.array(labels), names, skipped)
