"""What the tests of the service share: AlexNet-28 with its card, and pictures as files."""

import dataclasses
import io

import numpy as np
from PIL import Image

from helpers import datasets
from helpers.serve import bundle

CARD = bundle.Card(
    "clothes", "1", datasets.FASHION_CLASSES, 28, 28, channels=1, background=0, resize="box",
    temperature=1.5, unsure_below=0.6, set_threshold=0.9,
    reference=[round(p, 4) for p in np.linspace(0.4, 1, 500)],
)  # fmt: skip


def clothes():
    """The bundled AlexNet-28 as a LiteRT file, without a card."""
    from helpers import alexnet, quantization

    return quantization.convert(alexnet.alexnet28(weights="fashion_mnist"))


def with_card(data, **changes):
    return bundle.attach(data, dataclasses.replace(CARD, **changes))


def picture(array, kind="PNG", **options):
    """The bytes of an image file of an array, or of a Pillow image."""
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, kind, **options)
    return file.getvalue()
