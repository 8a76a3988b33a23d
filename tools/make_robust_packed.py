"""Make src/helpers/assets/robust_fashion_mnist.axpk: the robust network, for the book's page.

Three quarters of the dense layer's weights are removed, 64 values a layer are shared, and the file
is coded, as in lab 11; nothing is trained again. Takes some seconds. Run it as
`python tools/make_robust_packed.py [FILE]`; it prints what is lost, and the line for
`helpers.assets.FILES`.
"""

import sys
from pathlib import Path

import numpy as np

from helpers import attacks, compression, datasets, session

ASSET = Path(datasets.__file__).parent / "assets" / "robust_fashion_mnist.axpk"
EPSILON, SPARSITY, VALUES = 0.1, {"dense": 0.75}, 64


def judge(name, model, x, y):
    moved = attacks.pgd(model, x, y, EPSILON, steps=10, loss="margin")
    clean, held = (attacks.right(model, images, y).mean() for images in (x, moved))
    print(f"{name}, {len(x)} test images: clean {clean:.3f}, under attack {held:.3f}", flush=True)


def main(target=ASSET):
    print(session.begin(seed=0))
    data = datasets.fashion_mnist("quick")
    x, y = np.float32(data.test_images[:500, ..., None] / 255), data.test_labels[:500].astype(int)
    model = attacks.small_network("robust")
    judge("as it was", model, x, y)
    compression.prune(model, SPARSITY)
    compression.share(model, VALUES)
    compression.round_for_storage(model)
    judge("packed", model, x, y)
    packed = compression.pack(model)
    Path(target).write_bytes(packed)
    print(len(packed), datasets.file_hash(target), Path(target).name)


if __name__ == "__main__":
    main(*sys.argv[1:])
