"""The table of lab 4's recipe on all 10,000 test images: ``python tools/measure_recipe.py``.

The lab's cells up to the one that saves the network are run with seeds 0 to 4 (``BOOK_SEED``), so
what is measured is the lab itself, and no copy of it. It trains on 9,000 of the 10,000 bundled
training images and chooses on the other 1,000 (``validation``); the test images have chosen
nothing. ``bundled`` is the share right of the 2,000 test images that travel with the book.

    python tools/measure_recipe.py [FOLDER] [--seeds 0 1 2 3 4] [--left RUNS]

FOLDER holds the four idx files of Fashion-MNIST (default: where Debian's package
dataset-fashion-mnist puts them). A lab that ran with ``BOOK_SEED=3`` and ``TMPDIR=RUNS/3`` has left
its network there; with ``--left RUNS`` it is measured and not trained again. Each run is added to
``src/helpers/assets/recipe.csv`` as it ends, and one that is there is not made again. About two
minutes a seed on one core of 2026. It prints the line for ``helpers.assets.FILES`` at the end.
"""

import argparse
import os
import tempfile
from pathlib import Path

import measuring
import nbformat
from nbclient import NotebookClient

from helpers import datasets, session

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "notebooks" / "04-training-alexnet.ipynb"
ASSET = ROOT / "src" / "helpers" / "assets" / "recipe.csv"
SETS = ("validation", "bundled", "test")
SAVED = "alexnet28.keras"


def up_to_the_saved_network(notebook):
    """The cells up to the first that writes ``SAVED``."""
    last = next(i for i, cell in enumerate(notebook.cells) if f"/{SAVED}" in cell.source)
    return notebook.cells[: last + 1]


def train(seed, folder):
    """Run the lab with this seed; what it saves lands below ``folder``."""
    notebook = nbformat.read(LAB, as_version=4)
    notebook.cells = up_to_the_saved_network(notebook)
    env = dict(os.environ, BOOK_SEED=str(seed), TMPDIR=str(folder))
    where = {"metadata": {"path": str(LAB.parent)}}
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources=where).execute(env=env)


def measured(folder, sets):
    """The share of each set of images that the network below ``folder`` has right."""
    import keras

    import helpers.alexnet  # noqa: F401 (the layers of the saved network)
    from helpers import training

    [path] = Path(folder).rglob(SAVED)
    model = keras.saving.load_model(path)
    return {name: training.evaluate(model, *pair)[1] for name, pair in sets.items()}


def images(folder):
    """What is measured: ``{name of the set: (images, labels)}``."""
    data, whole = datasets.fashion_mnist("quick"), datasets.read_idx_folder(folder)
    held_out = data.train_images[9000:], data.train_labels[9000:]
    test = whole["test_images"], whole["test_labels"]
    return {"validation": held_out, "bundled": (data.test_images, data.test_labels), "test": test}


def main():
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--left", type=Path, help="what runs of the lab have left, by seed")
    options = parser.parse_args()
    print(session.begin())
    table, sets = measuring.Table(ASSET, ("seed",), SETS), images(options.folder)
    for seed in options.seeds:
        if (seed,) in table:
            continue
        with tempfile.TemporaryDirectory() as folder:
            if options.left:
                folder = options.left / str(seed)
            else:
                train(seed, folder)
            shares = measured(folder, sets)
        table.add([seed, *(f"{shares[name]:.4f}" for name in SETS)])
        print(seed, *(f"{name} {shares[name]:.2%}" for name in SETS), sep="  ", flush=True)
    for name in SETS:
        shares = [float(row[name]) for row in table.rows.values()]
        print(f"{name}: {sum(shares) / len(shares):.2%}, mean of {len(shares)} runs")
    print(ASSET.stat().st_size, datasets.file_hash(ASSET), ASSET.name)


if __name__ == "__main__":
    main()
