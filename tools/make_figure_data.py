"""What interactive figures show of real networks: ``python tools/make_figure_data.py [STAGE ...]``.

Stages: ``photographs``, ``weights``, ``codebook``, ``pruning``; by default all, about 5 minutes on
one core of 2026. Each writes its part of ``_ext/figure_data.json``; ``photographs`` also writes the
two small pictures in ``_static/figures/``. The tests hold the tables to what labs 1 and 11 print.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from helpers import alexnet, compression, datasets, efficientnet

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "_ext" / "figure_data.json"
PICTURES = ROOT / "_static" / "figures"
NAMES = ["cat", "espresso", "motorcycle", "palace", "galaxies", "astronaut", "Grace Hopper"]
NAMES.append("rocket")
SEEDS = range(3)
SPARSITIES = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98]
VALUES = [2**bits for bits in range(1, 9)]
BINS = 320  # of the histogram


def photographs():
    """Lab 1's photographs, as small as the page needs them, and EfficientNet-Lite0's guesses."""
    images = [p.image for p in datasets.photographs(*NAMES)]
    logits = efficientnet.efficientnet_lite0().predict(efficientnet.preprocess(images), verbose=0)
    sheet = Image.new("RGB", (4 * 160, 2 * 160))
    for k, image in enumerate(images):
        seen = efficientnet.preprocess(image, 160)[0]
        sheet.paste(Image.fromarray(as_bytes(seen)), (k % 4 * 160, k // 4 * 160))
    sheet.save(PICTURES / "photographs.webp", quality=45, method=6)
    cat = as_bytes(efficientnet.preprocess(images[0], 227)[0])
    Image.fromarray(cat).save(PICTURES / "cat.webp", quality=35, method=6)
    guesses = efficientnet.decode_predictions(logits)
    return {
        name: [[guess.name, round(float(guess.probability), 4)] for guess in five]
        for name, five in zip(NAMES, guesses, strict=True)
    }


def as_bytes(seen):
    return np.clip(np.round((seen + 1) * 127.5), 0, 255).astype(np.uint8)


def weights():
    """Histogram and codebooks of conv3, and where some of fc7's weights stand in the layer."""
    model = alexnet.alexnet28(weights="fashion_mnist")
    w = model.get_layer("conv3").kernel.numpy().astype(float).ravel()
    counts, edges = np.histogram(w, BINS)
    fc7 = np.abs(model.get_layer("fc7").kernel.numpy())
    rank = np.searchsorted(np.sort(fc7, axis=None), fc7) / fc7.size  # share of smaller weights
    rng = np.random.default_rng(0)
    rows, columns = (np.sort(rng.choice(768, n, replace=False)) for n in (18, 18))
    block = rank[np.ix_(rows, columns)]
    books = {}
    for values in VALUES:
        centroids, codes = compression.kmeans(w, values)
        off = np.sqrt(np.mean((w - centroids[codes]) ** 2))
        books[values] = {"values": np.round(centroids, 4).tolist(), "off": float(f"{off:.2g}")}
    return {
        "books": books,
        "conv3": {"low": edges[0], "high": edges[-1], "counts": counts.tolist()},
        "fc7": np.round(block, 3).tolist(),
    }


def network():
    """Images, labels and the bundled network, as lab 11 has them."""
    data = datasets.fashion_mnist("quick")
    pixels, labels = data.train_images[..., None] / np.float32(255), data.train_labels
    return pixels, labels, alexnet.alexnet28(weights="fashion_mnist")


def right(model, images, answers):
    return float((model.predict(images, 500, verbose=0).argmax(1) == answers).mean())


def codebook():
    """For each number of values a layer: bytes of the packed file, validation accuracy."""
    pixels, labels, dense = network()
    names = [name for name in compression.kernels(dense) if name != "conv1"]
    rows = [["float32", 4 * dense.count_params(), right(dense, pixels[9000:], labels[9000:])]]
    for values in VALUES:
        copy = alexnet.alexnet28(weights="fashion_mnist")
        compression.share(copy, {"conv1": 64} | dict.fromkeys(names, values))  # as in lab 11's file
        compression.round_for_storage(copy)
        accuracy = right(copy, pixels[9000:], labels[9000:])
        rows.append([values, len(compression.pack(copy)), accuracy])
        print(rows[-1], flush=True)
    return rows


def pruning():
    """Lab 11's second section with more sparsities and three seeds, and the packed file's bytes."""
    pixels, labels, dense = network()
    before = keras.Model(dense.inputs, dense.get_layer("flatten").output)
    seen, seen_val = (before.predict(x, 500, verbose=0) for x in (pixels[:9000], pixels[9000:]))
    answers = 0.5 * keras.ops.softmax(dense.predict(pixels[:9000], 500, verbose=0)).numpy()
    answers += 0.5 * np.eye(10, dtype="float32")[labels[:9000]]
    rows = []
    for sparsity in SPARSITIES:
        cut = {"fc6": sparsity, "fc7": sparsity, "fc8": 0.7 * sparsity}
        whole = alexnet.alexnet28(weights="fashion_mnist")
        compression.prune(whole, cut)
        deleted, retrained = 0.0, []
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            head = dense_layers(dense)
            compression.prune(head, cut)
            deleted = right(head, seen_val, labels[9000:])
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            head.compile(keras.optimizers.Adam(1e-3), loss)
            head.fit(seen, answers, batch_size=250, epochs=2, verbose=0)
            retrained.append(right(head, seen_val, labels[9000:]))
        rows.append([sparsity, len(compression.pack(whole)), deleted, retrained])
        print(rows[-1], flush=True)
    return rows


def dense_layers(dense):
    layers = [("fc6", 768, "relu"), ("fc7", 768, "relu"), ("fc8", 10, None)]
    head = keras.Sequential(
        [keras.Input((256,)), *(keras.layers.Dense(n, a, name=name) for name, n, a in layers)]
    )
    head.set_weights([w for name, *_ in layers for w in dense.get_layer(name).get_weights()])
    return head


STAGES = {f.__name__: f for f in (photographs, weights, codebook, pruning)}

if __name__ == "__main__":
    for stage in sys.argv[1:] or STAGES:
        table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
        table[stage] = STAGES[stage]()
        lines = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(table.items()))
        TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
