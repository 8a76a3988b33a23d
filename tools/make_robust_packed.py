"""Make src/helpers/assets/robust_fashion_mnist.axpk: the robust network, for the book's page.

Like `make_packed.py` for AlexNet-28: most of the dense layer's weights are removed, the rest learns
three epochs more on attacked images, 16 values a layer are shared, and the file is coded. Takes a
minute or two on one core. Run it as `python tools/make_robust_packed.py [FILE]`; it prints the line
for `datasets.ASSETS`.
"""

import sys
from pathlib import Path

import numpy as np

from helpers import attacks, compression, datasets, session

ASSET = Path(datasets.__file__).parent / "assets" / "robust_fashion_mnist.axpk"
EPSILON, SPARSITY, VALUES = 0.1, {"dense": 0.75, "conv2": 0.3}, 16


def judge(name, model, x, y):
    moved = attacks.pgd(model, x, y, EPSILON, steps=20, loss="margin")
    shares = (attacks.right(model, images, y).mean() for images in (x, moved))
    print(f"{name}: clean {next(shares):.3f}, under attack {next(shares):.3f}", flush=True)


def main(target=ASSET):
    print(session.begin(seed=0))
    data = datasets.fashion_mnist("quick")
    x, t = (np.float32(a[..., None] / 255) for a in (data.train_images, data.test_images[:1000]))
    y, truth = data.train_labels.astype(int), data.test_labels[:1000].astype(int)
    model = attacks.small_network("robust")
    judge("as it was", model, t, truth)
    compression.prune(model, SPARSITY)
    attacks.train(model, x[:9000], y[:9000], epsilon=EPSILON, epochs=3, peak=1e-3, crop=1)
    judge("pruned", model, t, truth)
    compression.share(model, VALUES)
    compression.round_for_storage(model)
    judge("shared", model, t, truth)
    packed = compression.pack(model)
    Path(target).write_bytes(packed)
    print(len(packed), datasets.file_hash(target), Path(target).name)


if __name__ == "__main__":
    main(*sys.argv[1:])
