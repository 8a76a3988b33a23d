"""Make the bundled Fashion-MNIST subset from the full data: 1,000 + 200 images of each class.

    python tools/make_fashion_mnist.py [FOLDER]

FOLDER holds the four idx files (default: where Debian's package dataset-fashion-mnist puts them).
The choice depends only on SEED, so the script always writes the same bytes.
"""

import sys
from pathlib import Path

import numpy as np

from helpers import datasets

SEED = 20121213  # any fixed number will do
TARGET = Path(datasets.__file__).parent / "assets" / "fashion_mnist_12000.npz"


def main(folder=datasets.DEBIAN_FASHION_MNIST):
    full = datasets.read_idx_folder(folder)
    rng = np.random.default_rng(SEED)
    train = datasets.balanced_indices(full["train_labels"], 1000, rng)
    test = datasets.balanced_indices(full["test_labels"], 200, rng)
    np.savez_compressed(
        TARGET,
        train_images=full["train_images"][train],
        train_labels=full["train_labels"][train],
        test_images=full["test_images"][test],
        test_labels=full["test_labels"][test],
    )
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, sha256 {datasets.file_hash(TARGET)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
