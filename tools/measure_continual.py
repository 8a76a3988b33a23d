"""The table of lab 13's last section: ``python tools/measure_continual.py``.

Five seeds of each strategy of ``helpers.continual``, with each memory and each strength of a
penalty, on the 10,000 bundled training images; a seed draws the order of the classes, the weights
and what is remembered. Every run is added to ``src/helpers/assets/continual.csv`` as it ends, and
a run that is there is not made again.
About two minutes on one core of 2026. It prints the line for ``helpers.assets.FILES`` at the end.
"""

from pathlib import Path

import measuring

from helpers import continual, datasets

ASSET = Path(datasets.__file__).parent / "assets" / continual.TABLE
SIZES, STRENGTHS, SEEDS = (50, 200, 500, 2000), (1, 10, 100, 1000, 10_000), range(5)
KEY, STEPS = ("strategy", "size", "seed"), ("step1", "step2", "step3", "step4")


def main():
    table, data = measuring.Table(ASSET, KEY, STEPS), datasets.fashion_mnist("quick")
    parts = (data.train_images, data.train_labels.astype(int))
    parts += (data.test_images, data.test_labels.astype(int))
    runs = [(name, 0) for name in ("new only", "from scratch")]
    runs += [(name, size) for size in SIZES for name in ("replay", "gdumb")]
    runs += [("elastic", strength) for strength in STRENGTHS]
    for seed in SEEDS:
        for name, size in runs:
            key = (name, size, seed)
            if key in table:
                continue
            scores = continual.learn(name, parts, seed, size or 1)
            table.add([*key, *(f"{score:.4f}" for score in scores)])
            print(*key, *(f"{score:.3f}" for score in scores), flush=True)
    print(ASSET.stat().st_size, datasets.file_hash(ASSET), ASSET.name)


if __name__ == "__main__":
    main()
