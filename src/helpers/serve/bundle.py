"""One file for a network and all that must never be separated from it: the card.

The card is JSON in a ZIP archive that is appended to the LiteRT file, the way LiteRT's own metadata
travels. LiteRT reads the file as before, and ``unzip -p model.tflite card.json`` shows the card.
"""

import base64
import io
import json
import math
import zipfile
from dataclasses import asdict, dataclass, field, fields

from helpers.words import shown

NAME, LARGEST = "card.json", 2_000_000  # bytes of the card
FILTERS = ("nearest", "box", "bilinear", "bicubic", "lanczos")


class ModelError(ValueError):
    """A model's file cannot be served. The message says why and what to do."""


@dataclass(frozen=True)
class Card:
    """What a service must know about a network beside its weights.

    classes        names of the outputs, which are logits, in order
    height, width, channels   of the network's input; 1 channel is gray, 3 are RGB
    low, high      what a black and a white pixel become, e.g. 0 and 1
    resize, fit    Pillow's filter, which averages when it shrinks (but for "nearest"); "crop" cuts
                   the middle out of a picture of another shape, "stretch" distorts it
    background     gray value, 0 to 255, below transparent pixels
    temperature    by which logits are divided so that the probabilities are calibrated
    unsure_below   an answer whose probability is lower is called unsure
    set_threshold  conformal: the answer's set has every class of at least 1 − this; or ``None``
    reference      sorted probabilities of the answers on images of the kind it was made for
    check          ``{"image": base64 of a PNG, "logits": [...], "within": 0.01}``: what a service
                   must compute on its machine before it serves (``with_check`` makes it)
    """

    name: str
    version: str
    classes: list
    height: int
    width: int
    channels: int = 3
    low: float = 0.0
    high: float = 1.0
    resize: str = "bilinear"
    fit: str = "crop"
    background: int = 255
    temperature: float = 1.0
    unsure_below: float = 0.0
    set_threshold: float | None = None
    reference: list = field(default_factory=list)
    check: dict | None = None

    def __post_init__(self):
        def ask(holds, what):
            if not holds:
                raise ModelError(f"the card says {what}")

        def finite(value):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and math.isfinite(value)

        for name in ("name", "version"):
            ask(isinstance(getattr(self, name), str), f"{name} = {shown(getattr(self, name))}")
        names = isinstance(self.classes, list | tuple) and len(self.classes) >= 2
        ask(names and all(isinstance(c, str) for c in self.classes), "no list of two classes")
        for name in ("height", "width"):
            side = getattr(self, name)
            ask(isinstance(side, int) and 1 <= side <= 4096, f"{name} = {shown(side)}")
        ask(self.channels in (1, 3), f"channels = {shown(self.channels)}; 1 or 3 can be served")
        ask(self.resize in FILTERS, f"resize = {shown(self.resize)}, not {', '.join(FILTERS)}")
        ask(self.fit in ("crop", "stretch"), f"fit = {shown(self.fit)}, not crop or stretch")
        for name in ("low", "high", "background", "temperature", "unsure_below"):
            ask(finite(getattr(self, name)), f"{name} = {shown(getattr(self, name))}")
        ask(self.temperature > 0, f"temperature = {shown(self.temperature)}; it is positive")
        ask(self.set_threshold is None or finite(self.set_threshold), "no number as set_threshold")
        ask(all(finite(p) for p in self.reference), "a reference that is not all numbers")
        ask(list(self.reference) == sorted(self.reference), "a reference that is not sorted")


def attach(data, card):
    """The LiteRT file ``data`` with the card, as ``bytes``; a card that is there is replaced."""
    plain = split(data)[0] if has_card(data) else bytes(data)
    if plain[4:8] != b"TFL3":
        raise ModelError(f"these {len(plain)} bytes are no LiteRT file")
    buffer = io.BytesIO(plain)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(NAME, (1980, 1, 1, 0, 0, 0))  # the same bytes on every day
        archive.writestr(entry, json.dumps(asdict(card)), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def has_card(data):
    """Is a card appended to these bytes?"""
    try:
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
            return NAME in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def split(data):
    """``(the LiteRT file alone, its Card)``; raises ``ModelError`` without a good one."""
    data = bytes(data)
    if data[4:8] != b"TFL3":
        raise ModelError(f"these {len(data)} bytes are no LiteRT file")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(NAME)
            if entry.file_size > LARGEST:
                raise ModelError(f"the card has {entry.file_size:,} bytes")
            start = min(info.header_offset for info in archive.infolist())
            given = json.loads(archive.read(NAME))
    except (zipfile.BadZipFile, KeyError, OSError):
        raise ModelError(
            "the file has no card (or was cut off while it was copied): make it with "
            "helpers.serve.bundle.attach"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ModelError("the card is no JSON: make the file again") from None
    return data[:start], _card(given)


def _card(given):
    known = {f.name: f for f in fields(Card)}
    if not isinstance(given, dict):
        raise ModelError("the card is no table of names and values")
    if unknown := sorted(set(given) - set(known)):
        raise ModelError(f"the card has {shown(unknown[0])}, which this version does not know")
    needed = ("name", "version", "classes", "height", "width")
    if lacking := [name for name in needed if name not in given]:
        raise ModelError(f"the card lacks {', '.join(lacking)}")
    return Card(**given)


def with_check(card, png, logits, within=0.01):
    """The card with one picture and the logits that the network gave where it was made."""
    check = {"image": base64.b64encode(png).decode(), "within": float(within)}
    check["logits"] = [float(z) for z in logits]
    return Card(**{**asdict(card), "check": check})
