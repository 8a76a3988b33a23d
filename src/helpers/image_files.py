"""Image files of all kinds as RGB. Importing this needs NumPy only."""

import os
import re
import warnings
from pathlib import Path

import numpy as np


def files_below(folder):
    """All files below a folder, in order, but for hidden ones; links are followed, once each."""
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:  # a link to a folder above would never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if n[0] != "." and n != "__MACOSX")
        found += [Path(place, name) for name in sorted(files) if not name.startswith(".")]
    return found


def read_image(file, largest):
    """An image's pixels, and in words for people what is lacking, or ``None``."""
    from PIL import Image, UnidentifiedImageError

    try:
        if file.stat().st_size == 0:
            return None, "an empty file"
        with warnings.catch_warnings(action="ignore"), Image.open(file) as picture:
            if deep := too_deep(picture):
                return None, deep
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            picture = as_rgb(picture)
            picture.thumbnail((largest, largest))
            return np.asarray(picture), f"pictures 2 to {frames} in it" if frames > 1 else None
    except UnidentifiedImageError:
        return None, "not an image, or of a kind that Pillow does not read"
    except FileNotFoundError:
        return None, "a broken link"
    except PermissionError:
        return None, "you may not read it"
    except Image.DecompressionBombError:
        return None, "too many pixels to be safe: make it smaller"
    except Exception as error:  # Pillow raises many kinds for damaged files
        return None, f"a damaged image: {re.sub(' *<.* at 0x.*>', '', str(error))}"


def too_deep(picture):
    """What to do with a picture of more than 8 bits, which "RGB" would make black and white."""
    if picture.mode[0] in "IF":
        return f"mode {picture.mode}: save it with 8 bits, gray or RGB"
    return None


def as_rgb(picture):
    """A picture of Pillow in mode RGB: upright, and white below what is transparent."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:  # below it any color may be stored
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("RGB")
