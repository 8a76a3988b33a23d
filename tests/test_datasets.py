"""The data is what it says, and whatever is wrong with it is said: where, and what to do."""

import gzip
import hashlib
import http.server
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from helpers import datasets
from helpers.datasets import DataError


def test_importing_datasets_imports_no_tensorflow():
    code = (
        "import sys, helpers.datasets; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_bundled_fashion_mnist_is_balanced_and_labeled():
    data = datasets.fashion_mnist("quick")
    assert data.train_images.shape == (10_000, 28, 28) and data.train_images.dtype == np.uint8
    assert data.test_images.shape == (2_000, 28, 28) and data.test_labels.dtype == np.uint8
    assert (np.bincount(data.train_labels) == 1000).all()
    assert (np.bincount(data.test_labels) == 200).all()
    assert len(data.class_names) == 10 and data.class_names[9] == "Ankle boot"
    # Trousers leave the corners empty; a wrong order of labels would not.
    trousers = data.train_images[data.train_labels == 1]
    assert trousers[:, 14:, :4].mean() < 5 < trousers[:, 14:, 10:13].mean()


def test_training_and_test_images_of_fashion_mnist_are_shuffled():
    labels = datasets.fashion_mnist("quick").train_labels
    assert len(np.unique(labels[:100])) == 10


def test_the_profile_comes_from_the_session(monkeypatch):
    monkeypatch.setenv("BOOK_PROFILE", "quick")
    assert len(datasets.fashion_mnist().train_labels) == 10_000
    with pytest.raises(ValueError, match="'huge'; it must be 'quick' or 'full'"):
        datasets.fashion_mnist("huge")


# Bundled files


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """A copy of the module's place in the file system, whose assets a test may damage."""
    (tmp_path / "assets").mkdir()
    for name in datasets.ASSETS:
        source = datasets.asset_path(name)
        (tmp_path / "assets" / name).write_bytes(source.read_bytes())
    monkeypatch.setattr(datasets, "__file__", str(tmp_path / "datasets.py"))
    return tmp_path / "assets"


@pytest.mark.parametrize("name", datasets.ASSETS)
def test_every_bundled_file_is_there_and_whole(name):
    assert datasets.asset_path(name).stat().st_size == datasets.ASSETS[name][0]


@pytest.mark.parametrize("name", datasets.ASSETS)
def test_missing_truncated_and_altered_files_are_told_apart(assets, name):
    path = assets / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=rf"{name} is truncated.*install the package again"):
        datasets.asset_path(name)
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(DataError, match=rf"{name} is altered.*install the package again"):
        datasets.asset_path(name)
    path.unlink()
    with pytest.raises(DataError, match=rf"{name} is missing.*install the package again"):
        datasets.asset_path(name)


def test_damage_stops_the_loaders(assets):
    (assets / "fashion_mnist_12000.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="truncated"):
        datasets.fashion_mnist("quick")


def test_unknown_file():
    with pytest.raises(ValueError, match=r"called 'mnist\.npz'; there are: .*fashion"):
        datasets.asset_path("mnist.npz")


def test_the_readme_of_the_assets_names_every_file_and_checksum():
    readme = (datasets.asset_path("ilsvrc_classes.csv").parent / "README.md").read_text("utf-8")
    for name, (_, digest) in datasets.ASSETS.items():
        assert f"`{name}`" in readme, f"assets/README.md does not describe {name}"
        assert f"{digest}  {name}" in readme, f"assets/README.md has another checksum of {name}"


# Downloads: a server on this machine, no network


class Handler(http.server.BaseHTTPRequestHandler):
    files = {}  # noqa: RUF012

    def do_GET(self):
        body, promised = self.files.get(self.path.lstrip("/"), (None, 0))
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.files = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", Handler.files
        running.shutdown()


CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_download_and_no_second_download(server, tmp_path):
    url, files = server
    files["data.bin"] = (CONTENT, len(CONTENT))
    target = tmp_path / "new" / "data.bin"
    assert datasets.download(url + "data.bin", target, SHA256) == target
    assert target.read_bytes() == CONTENT
    files.clear()
    assert datasets.download(url + "data.bin", target, SHA256) == target


def test_download_with_md5_and_from_a_file(tmp_path):
    (tmp_path / "here.bin").write_bytes(CONTENT)
    md5 = hashlib.md5(CONTENT).hexdigest()
    target = tmp_path / "there.bin"
    datasets.download((tmp_path / "here.bin").as_uri(), target, md5)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("case", ["cut off", "wrong", "404", "no server"])
def test_a_failed_download_leaves_nothing(server, tmp_path, case):
    url, files = server
    if case == "cut off":
        files["data.bin"] = (CONTENT[:50_000], len(CONTENT))
    elif case == "wrong":
        files["data.bin"] = (CONTENT[::-1], len(CONTENT))
    elif case == "no server":
        url = "http://127.0.0.1:9/"  # nothing listens on the discard port
    with pytest.raises(DataError, match=r"data\.bin could not be downloaded: .*put the file at"):
        datasets.download(url + "data.bin", tmp_path / "data.bin", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_downloaded_again_and_kept_until_then(server, tmp_path):
    url, files = server
    target = tmp_path / "data.bin"
    target.write_bytes(b"damaged")
    with pytest.raises(DataError):
        datasets.download(url + "data.bin", target, SHA256)
    assert target.read_bytes() == b"damaged" and len(list(tmp_path.iterdir())) == 1
    files["data.bin"] = (CONTENT, len(CONTENT))
    datasets.download(url + "data.bin", target, SHA256)
    assert target.read_bytes() == CONTENT


# All of Fashion-MNIST and MNIST


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def small_idx(monkeypatch):
    """Four small idx files; the table of checksums is theirs."""
    rng = np.random.default_rng(0)
    arrays, files, table = {}, {}, {}
    for key, (name, _) in datasets.IDX_FILES.items():
        shape = (7, 28, 28) if "images" in key else (7,)
        arrays[key] = rng.integers(0, 10, shape).astype(np.uint8)
        files[name] = idx(arrays[key])
        table[key] = (name, hashlib.md5(files[name]).hexdigest())
    monkeypatch.setattr(datasets, "IDX_FILES", table)
    return arrays, files


def test_full_fashion_mnist_from_debians_folder(small_idx, tmp_path, monkeypatch):
    arrays, files = small_idx
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path)
    monkeypatch.setattr(datasets, "download", None)
    data = datasets.fashion_mnist("full")
    assert all(np.array_equal(getattr(data, key), array) for key, array in arrays.items())
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(files["t10k-images-idx3-ubyte.gz"][:90])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is missing or damaged"):
        datasets.fashion_mnist("full")


def test_full_fashion_mnist_downloaded(small_idx, server, tmp_path, monkeypatch):
    arrays, files = small_idx
    url, served = server
    served.update({name: (content, len(content)) for name, content in files.items()})
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path / "not there")
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    monkeypatch.setattr(datasets, "KERAS_DATA", url)
    data = datasets.fashion_mnist("full")
    assert all(np.array_equal(getattr(data, key), array) for key, array in arrays.items())
    assert data.class_names == datasets.FASHION_CLASSES


@pytest.mark.skipif(not datasets.DEBIAN_FASHION_MNIST.is_dir(), reason="no dataset-fashion-mnist")
def test_the_bundled_images_are_of_the_full_set():
    full, some = datasets.fashion_mnist("full"), datasets.fashion_mnist("quick")
    assert full.train_images.shape == (60_000, 28, 28) and len(full.test_labels) == 10_000
    known = {
        (i.tobytes(), int(y)) for i, y in zip(full.train_images, full.train_labels, strict=True)
    }
    chosen = zip(some.train_images[:500], some.train_labels[:500], strict=True)
    assert all((image.tobytes(), int(label)) in known for image, label in chosen)


def test_mnist_downloaded(server, tmp_path, monkeypatch):
    url, served = server
    labels, few = np.repeat(np.arange(10), 1100), np.repeat(np.arange(10), 220)
    images = np.zeros((11_000, 28, 28), np.uint8) + labels.astype(np.uint8)[:, None, None]
    path = tmp_path / "made.npz"
    parts = {"x_train": images, "y_train": labels, "x_test": images[::5], "y_test": few}
    np.savez_compressed(path, **parts)
    served["mnist.npz"] = (path.read_bytes(), path.stat().st_size)
    monkeypatch.setattr(datasets, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets, "KERAS_DATA", url)
    monkeypatch.setattr(datasets, "MNIST_SHA256", datasets.file_hash(path))
    data = datasets.mnist("quick")
    assert (np.bincount(data.train_labels) == 1000).all() and len(data.test_labels) == 2000
    assert np.array_equal(data.train_images[:, 0, 0], data.train_labels)
    assert data.class_names[3] == "3" and len(datasets.mnist("full").train_labels) == 11_000


def test_mnist_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    monkeypatch.setattr(datasets, "KERAS_DATA", "http://127.0.0.1:9/")
    with pytest.raises(
        DataError, match=r"mnist\.npz could not be downloaded: .*try again with a network"
    ):
        datasets.mnist()


def test_a_wrong_profile_is_refused_before_anything_is_downloaded(server, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    for load in (datasets.mnist, datasets.fashion_mnist):
        with pytest.raises(ValueError, match="profile is 'huge'; it must be"):
            load("huge")
    assert list(tmp_path.iterdir()) == []


def test_a_class_with_too_few_examples_is_named():
    with pytest.raises(ValueError, match="class 7 has fewer than 2 examples"):
        datasets.balanced_indices(np.array([3, 3, 7]), 2, np.random.default_rng(0))


# Photographs, classes, results


def test_photographs_are_rgb_and_credited():
    found = datasets.photographs()
    assert [p.name for p in found] == list(datasets.PHOTOGRAPHS)
    for photograph in found:
        assert photograph.image.dtype == np.uint8 and photograph.image.shape[2] == 3
        assert min(photograph.image.shape[:2]) >= 256 and photograph.credit
    assert [p.name for p in datasets.photographs("rocket", "cat")] == ["rocket", "cat"]


def test_unknown_and_missing_photographs(monkeypatch):
    with pytest.raises(ValueError, match="no photograph is called 'dog'; known: cat, espresso"):
        datasets.photographs("dog")
    monkeypatch.setitem(datasets.PHOTOGRAPHS, "lost", ("skimage", "data/lost.png", "nobody"))
    with pytest.raises(DataError, match=r"lost\.png is missing; install scikit-image"):
        datasets.photographs("lost")
    monkeypatch.setitem(datasets.PHOTOGRAPHS, "far", ("no_such_package", "far.png", "nobody"))
    with pytest.raises(DataError, match=r"no_such_package/far\.png is missing; install"):
        datasets.photographs("far")


def test_classes_are_a_tree():
    classes = datasets.ilsvrc_classes()
    assert [c.index for c in classes] == list(range(1000))
    assert [c.wnid for c in classes] == sorted({c.wnid for c in classes})
    assert len({c.name.lower() for c in classes}) == 1000
    parent = {}
    for c in classes:
        assert c.path[0] == "entity.n.01" and len(c.path) >= 5
        for above, below in zip(c.path, c.path[1:], strict=False):
            assert parent.setdefault(below, above) == above, f"{below} has two parents"
    # Three that anyone can look up: a tench is 0, a tabby 281, toilet tissue 999.
    assert (classes[0].name, classes[281].name) == ("tench", "tabby")
    assert classes[281].wnid == "n02123045" and classes[999].wnid == "n15075141"
    assert "feline.n.01" in classes[281].path


def test_results_agree_with_the_papers():
    results = datasets.ilsvrc_results()
    best = {}
    for r in results:
        assert r.source == f"https://image-net.org/challenges/LSVRC/{r.year}/results"
        assert r.team and r.method and 1 <= r.rank <= 6 and 2 < r.error < 35
        best.setdefault(r.year, r.error)
    errors = [min(r.error for r in results if r.year == y) for y in range(2010, 2018)]
    assert errors == sorted(errors, reverse=True) and list(best.values()) == errors
    krizhevsky = [(r.error, r.extra_data) for r in results if r.team == "SuperVision"]
    assert krizhevsky == [(15.315, True), (16.422, False)]
