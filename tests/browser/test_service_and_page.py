"""The last hop of lab 13: one picture, one network; the service and the page give its logits."""

import io
import json
import urllib.request

import numpy as np
from PIL import Image
from test_engine import Page

from helpers import alexnet, compression, datasets, quantization
from helpers.serve import bundle, local

COUNT = 8


def over_http(address, image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    headers = {"Content-Type": "image/png"}
    request = urllib.request.Request(address + "/predict?logits=1", file.getvalue(), headers)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["answers"][0]["logits"]


def test_keras_the_service_and_the_page_give_the_same_logits(browser, tmp_path):
    images = datasets.fashion_mnist("quick").test_images[:COUNT]
    pixels = images[..., None] / np.float32(255)
    network = alexnet.alexnet28(weights="fashion_mnist")
    keras_says = network.predict(pixels, verbose=0)
    card = bundle.Card("clothes", "1", datasets.FASHION_CLASSES, 28, 28, channels=1)
    path = tmp_path / "clothes.tflite"
    path.write_bytes(bundle.attach(quantization.convert(network), card))
    with local.running(path) as address:
        service_says = np.array([over_http(address, image) for image in images])
    tab = browser.new_page()
    page = Page(tab)
    page.load(compression.pack(network))  # lossless, so the very same weights
    page_says = page.each("forward", pixels)
    tab.close()
    for name, found in (("service", service_says), ("page", page_says)):
        gap = np.abs(found - keras_says).max() / np.abs(keras_says).max()
        assert gap < 1e-5, f"{name}: off by {gap:.2g}"
