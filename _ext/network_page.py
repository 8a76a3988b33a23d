"""The network in the page: what ``{interactive} network`` needs, made at build time.

The scripts are ``helpers.page``'s. The network is the file that lab 11 makes, as base64 in a
script, since a page opened from a disk may load nothing else; so neither stands in the repository
twice. The script ``network`` comes with the page, engine and weights on the reader's first use, and
a robust network (lab 9) with the first attack.
"""

import io
import struct
import sys
import zipfile
from pathlib import Path

from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

import figure_data  # noqa: E402
import interactive  # noqa: E402

from helpers import page  # noqa: E402

ASSETS = ROOT / "src" / "helpers" / "assets"
PACKED, IMAGES = ASSETS / "alexnet28_fashion_mnist.axpk", ASSETS / "fashion_mnist_12000.npz"
RIVAL = ASSETS / "robust_fashion_mnist.axpk"
CLASSES = "T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot"
CLASSES = [name.replace("_", " ") for name in CLASSES.split()]
interactive.MADE.add("network")


def bytes_of(archive, name):
    """The bytes of an array of an .npz file, without NumPy, which the book is built without."""
    file = io.BytesIO(archive.read(f"{name}.npy"))
    magic = file.read(8)
    file.seek(struct.unpack("<H", file.read(2))[0] if magic[6] == 1 else 0, io.SEEK_CUR)
    return file.read()


def samples():
    """The first test image of each class, whether the network names it rightly or not."""
    with zipfile.ZipFile(IMAGES) as archive:
        images, labels = bytes_of(archive, "test_images"), bytes_of(archive, "test_labels")
    places = [labels.index(label) for label in range(10)]
    return [(images[784 * at : 784 * (at + 1)], label) for label, at in enumerate(places)]


def settings():
    scripts = ["network-engine.js", "network-data.js"]
    packed = PACKED.read_bytes()
    values = page.settings(packed, CLASSES, samples(), name="AlexNet", scripts=scripts)
    values["rival"] = {"scripts": ["network-rival.js"]}
    return values, [PACKED, RIVAL, IMAGES, *page.HERE.glob("*.*")]


figure_data.DATA["network"] = settings


def write_scripts(app):
    if app.builder.format != "html" or app.builder.name == "epub":
        return
    folder = Path(app.outdir, "_static", "figures")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in page.asset_scripts(PACKED.read_bytes(), RIVAL.read_bytes()).items():
        (folder / name).write_text(text, "utf-8")


def add_style(app, pagename, templatename, context, doctree):
    figures = doctree.findall(nodes.figure) if doctree else []
    if any("network" in figure.get("scripts", []) for figure in figures):
        app.add_css_file("figures/network.css")


def setup(app):
    app.connect("builder-inited", write_scripts)
    app.connect("html-page-context", add_style)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
