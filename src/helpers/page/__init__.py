"""A packed network (lab 11) in a web page that runs it: no server, no library, no network.

    python -m helpers.page my_model.axpk --output my.html --classes cat,dog

makes one HTML file in which the network looks at drawings and at the reader's own pictures. The
same scripts run the book's own network on its landing page (``asset_scripts``).

``packed.js`` decodes the file, ``layers.js`` has the layers, forward and backward, ``engine.js``
the network; ``drawing.js`` makes a picture of strokes, which ``pen.js`` takes; ``views.js`` looks
inside, ``figure.js`` and ``figure.css`` are the figure. Importing this needs the standard library.
"""

import base64
import gzip
import html
import json
import math
import re
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINE = ("packed.js", "layers.js", "engine.js")
FIGURE = ("drawing.js", "pen.js", "views.js", "figure.js")
CHECKED = struct.Struct("<4sBIII")  # as in ``helpers.compression.layout``
# What the page can run. Its engine refuses the rest, too; here it is said before a page is made.
LAYERS = {"Activation", "BatchNormalization", "Conv2D", "Dense", "Dropout", "Flatten"}
LAYERS |= {"GlobalAveragePooling2D", "GroupedConv2D", "InputLayer", "LocalResponseNormalization"}
LAYERS |= {"MaxPooling2D", "ReLU", "Softmax"}
ACTIVATIONS = ("linear", "relu", "relu6", "tanh", "sigmoid", "softmax")


class PageError(ValueError):
    """The network cannot run in a page. The message says which layer is in the way."""


def read(*names):
    return "\n".join((HERE / name).read_text("utf-8") for name in names)


def header_of(packed):
    """Name, layers and array sizes of a packed file, which must be a sound one."""
    packed = bytes(packed)
    if len(packed) < CHECKED.size or packed[:5] != b"AXPK\x01":
        raise PageError("this is no packed model: it begins with something else; see lab 11")
    _, _, checksum, length, _ = CHECKED.unpack_from(packed)
    if zlib.crc32(packed[9:]) != checksum:
        raise PageError("the packed model was truncated or altered: its checksum is wrong")
    return json.loads(zlib.decompress(packed[CHECKED.size :][:length]))


def check(header):
    """Raise ``PageError`` unless this is a chain of layers that the page can run.

    Returns the shape of its images and the number of its classes.
    """
    rows = header["layers"]
    ends = header["inputs"], header["outputs"]
    fed = [row[2] for row in rows]
    if fed != [[], *([i] for i in range(len(rows) - 1))] or ends != ([0], [len(rows) - 1]):
        raise PageError("the network has branches; the page runs chains of layers")
    units = None
    for kind, settings, _ in rows:
        name = settings.get("name", kind)
        if kind not in LAYERS:
            raise PageError(f"layer {name}: the page cannot run {kind}")
        activation = settings.get("activation") or "linear"
        if activation not in ACTIVATIONS:
            raise PageError(f"layer {name}: the page cannot run the activation {activation}")
        units = settings.get("units", settings.get("filters", units))
    shape = rows[0][1].get("batch_shape", [None])[1:]
    if len(shape) != 3 or shape[2] not in (1, 3) or not all(isinstance(n, int) for n in shape):
        raise PageError(f"the network takes {shape}, not images of one size in gray or RGB")
    return shape, units


def size_over_the_wire(*parts):
    """Bytes of the scripts as a web server sends them, compressed by gzip."""
    return sum(len(gzip.compress(part.encode(), 9, mtime=0)) for part in parts)


def data_script(packed):
    """The network as a script, since a page opened from a disk may load nothing else."""
    text = base64.b64encode(packed).decode()
    start = "window.ImageNetMoment = window.ImageNetMoment || {};"
    return f'{start}\nImageNetMoment.packed = "{text}";\n'


def settings(packed, class_names, samples=(), *, brightest=1.0, name="network", scripts=()):
    """What ``figure.js`` is told. samples: pairs of an image's bytes, 0 to 255, and its label."""
    header = header_of(packed)
    shape, units = check(header)
    if units != len(class_names):
        raise PageError(f"the network has {units} classes, and {len(class_names)} names were given")
    for pixels, label in samples:
        if len(bytes(pixels)) != math.prod(shape) or not 0 <= label < units:
            raise PageError(f"a sample is not {shape} bytes, or its label is not below {units}")
    return {
        "name": name,
        "classes": list(class_names),
        "shape": shape,
        "brightest": brightest,
        "samples": [
            {"pixels": base64.b64encode(bytes(pixels)).decode(), "label": int(label)}
            for pixels, label in samples
        ],
        "scripts": list(scripts),
        "kilobytes": round(size_over_the_wire(read(*ENGINE), data_script(packed)) / 1000),
    }


def page(packed, class_names, samples=(), *, brightest=1.0, title="My network", name="network"):
    """The text of one HTML file that runs the network ``packed`` (``compression.pack``).

    class_names  of its outputs, in order
    samples      images to choose from: pairs of uint8 array, in the network's shape, and label
    brightest    what the network takes a white pixel for: 1 or 255

    Raises ``PageError`` for layers that the page cannot run.
    """
    pairs = [(getattr(x, "tobytes", lambda x=x: bytes(x))(), int(label)) for x, label in samples]
    config = settings(packed, class_names, pairs, brightest=brightest, name=name)
    lead = (
        f"A convolutional network, {len(packed) / 1000:,.0f} kB, that runs in this page. Draw, or "
        "open a picture of yours: it stays on your machine. What the network was not trained on, "
        "such as a drawing, it cannot know; it names it anyway."
    )
    parts = {
        "title": html.escape(title),
        "lead": lead,
        "style": read("figure.css"),
        "scripts": read(*ENGINE, *FIGURE) + data_script(packed),
        # In a script no text may end the script.
        "config": json.dumps({**config, "images": True}).replace("<", "\\u003c"),
    }
    # All at once, so that a title which looks like a place to fill stays a title.
    places = re.compile("{(" + "|".join(parts) + ")}")
    return places.sub(lambda place: parts[place[1]], read("template.html"))


def asset_scripts(packed, rival=None):
    """The files that the book's own figure needs: ``{name: text}``. The first is loaded with the
    page, the others on the reader's first use; the packed ``rival``, on which the attack is tried,
    too, with the first attack."""
    scripts = {
        "network.js": read(*FIGURE),
        "network-engine.js": read(*ENGINE),
        "network-data.js": data_script(packed),
        "network.css": read("figure.css"),
    }
    return scripts if rival is None else scripts | {"network-rival.js": data_script(rival)}
