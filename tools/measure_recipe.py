"""Measure the network of lab 4 on all 10,000 test images of Fashion-MNIST, over seeds.

    python tools/measure_recipe.py [FOLDER] [--seeds 0 1 2 3 4]

The lab's cells up to the one that saves the network are run with each seed (`BOOK_SEED`), so what
is measured is the lab itself, and no copy of it. FOLDER holds the four idx files of Fashion-MNIST
(default: where Debian's package dataset-fashion-mnist puts them). The lab trains on 9,000 of the
10,000 bundled training images and chooses on the other 1,000; the test images have chosen nothing.
`bundled` is the accuracy on the 2,000 test images that travel with the book, which are harder than
all 10,000 by about a point. Takes about two minutes a seed on two cores.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers import datasets, session

LAB = Path(__file__).resolve().parent.parent / "notebooks" / "04-training-alexnet.ipynb"
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

    from helpers import training

    [path] = Path(folder).rglob(SAVED)
    model = keras.saving.load_model(path)
    return {name: training.evaluate(model, *pair)[1] for name, pair in sets.items()}


def main():
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("folder", nargs="?", default=datasets.DEBIAN_FASHION_MNIST, type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--trained", nargs="+", help="folders that runs of the lab have left")
    options = parser.parse_args()
    print(session.begin())
    import helpers.alexnet  # noqa: F401 (the layers of the saved network)

    data, whole = datasets.fashion_mnist("quick"), datasets.read_idx_folder(options.folder)
    sets = {
        "validation": (data.train_images[9000:], data.train_labels[9000:]),
        "bundled": (data.test_images, data.test_labels),
        "all test images": (whole["test_images"], whole["test_labels"]),
    }
    rows = []
    for seed in options.seeds if not options.trained else options.trained:
        with tempfile.TemporaryDirectory() as folder:
            if not options.trained:
                train(seed, folder)
            rows.append(measured(seed if options.trained else folder, sets))
        print(
            seed, *(f"{name} {share:.2%}" for name, share in rows[-1].items()), sep="  ", flush=True
        )
    for name in sets:
        print(f"mean of {len(rows)}: {name} {statistics.mean(row[name] for row in rows):.2%}")


if __name__ == "__main__":
    main()
