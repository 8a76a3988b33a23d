"""Make src/helpers/assets/alexnet28_fashion_mnist.axpk: AlexNet-28, pruned, shared and coded.

The recipe of lab 11 with four versions of each image instead of two, from the bundled checkpoint,
through ``bench_compression``. Takes a minute or three on two cores. Run it as
`python tools/make_packed.py [FILE]`; it prints the line for `helpers.assets.FILES`. Another machine
adds the same numbers in another order: size and accuracy come out alike, not each bit.
"""

import sys
from pathlib import Path

import bench_compression as bench
import numpy as np

from helpers import compression, datasets, session

ASSET = Path(datasets.__file__).parent / "assets" / "alexnet28_fashion_mnist.axpk"


def main(target=ASSET):
    print(session.begin(seed=0))
    data = datasets.fashion_mnist("quick")
    images = bench.versions(data.train_images[:9000, ..., None] / np.float32(255))
    answers = bench.soft_answers(bench.bundled(), images, data.train_labels[:9000])
    packed = compression.pack(bench.compressed(images, answers, seed=0))
    Path(target).write_bytes(packed)
    print(len(packed), datasets.file_hash(target), Path(target).name)


if __name__ == "__main__":
    main(*sys.argv[1:])
