"""From the bytes of a JPEG or PNG to the array that the network was trained on.

There is one way, and the card describes it: decode, turn as the camera says, gray or RGB, fit the
shape, shrink with averaging, scale. It refuses what is no picture before much is spent on it.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG")
LARGEST = 25_000_000  # pixels: a picture of 6,000 × 4,000 and a little more
WIDEST = 20_000  # pixels of a side


class Refused(Exception):
    """What was sent is not answered: an HTTP status and a sentence for the sender."""

    def __init__(self, status, sentence, headers=None):
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


def encode(image, kind="PNG", **options):
    """The bytes of an image file of an array of uint8: (height, width), or with 3 channels."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(image, np.uint8)).save(file, kind, **options)
    return file.getvalue()


def decode(data, largest=LARGEST):
    """The picture in ``data`` (bytes), upright, with 8 bits, in mode L, LA, RGB or RGBA.

    Raises ``Refused`` (415 for another kind of file, 413 for too many pixels, else 400).
    """
    if not data:
        raise Refused(400, "The file is empty.")
    try:
        with warnings.catch_warnings(action="ignore"):
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = picture.size
            # Read from the header: nothing is decompressed yet, so a bomb is refused for free.
            if width * height > largest or max(width, height) > WIDEST:
                raise Refused(
                    413,
                    f"The picture has {width} × {height} pixels; at most {largest:,} are taken.",
                )
            picture.load()
            return _eight_bits(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise Refused(415, "This is no JPEG or PNG file.") from None
    except Image.DecompressionBombError:
        raise Refused(
            413, f"The picture has too many pixels; at most {largest:,} are taken."
        ) from None
    except Refused:
        raise
    except Exception:  # Pillow raises many kinds for damaged files
        raise Refused(400, "The picture is damaged or was cut off.") from None


def _eight_bits(picture):
    if picture.mode.startswith("I"):  # gray with 16 bits, of which the upper eight are kept
        values = np.asarray(picture, np.int64) >> 8
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def prepare(picture, card):
    """The network's input, (height, width, channels) float32, of a decoded picture."""
    if picture.has_transparency_data:  # below it any color may be stored
        below = Image.new("RGBA", picture.size, (card.background,) * 3 + (255,))
        picture = Image.alpha_composite(below, picture.convert("RGBA"))
    picture = picture.convert("L" if card.channels == 1 else "RGB")
    size, sampling = (card.width, card.height), Image.Resampling[card.resize.upper()]
    if picture.size != size:  # a picture of the right size stays as it is, bit for bit
        if card.fit == "crop":
            picture = ImageOps.fit(picture, size, sampling)
        else:
            picture = picture.resize(size, sampling)
    pixels = np.asarray(picture, np.float32).reshape(card.height, card.width, card.channels)
    return np.float32(card.low) + pixels * np.float32((card.high - card.low) / 255)


def array_of(data, card, largest=LARGEST):
    """``prepare(decode(data))``."""
    return prepare(decode(data, largest), card)
