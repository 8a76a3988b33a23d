"""The script that measures lab 4 on all test images runs the lab up to the saved network."""

import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

from helpers import alexnet, claims, datasets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import measure_recipe as tool


def test_the_script_runs_the_lab_as_far_as_the_network_is_saved():
    notebook = nbformat.read(tool.LAB, as_version=4)
    cells = tool.up_to_the_saved_network(notebook)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert "training.fit(network, " in text and "network.save(" in text
    assert "data.test_images" not in text, "the test images have chosen nothing before"
    assert len(cells) < len(notebook.cells)


def test_it_measures_the_network_that_a_run_has_left(tmp_path):
    model = alexnet.alexnet28(weights="fashion_mnist", dropout=0.5)
    (tmp_path / "anything").mkdir()
    model.save(tmp_path / "anything" / tool.SAVED)
    data = datasets.fashion_mnist("quick")
    images, labels = data.train_images[9000:9200], data.train_labels[9000:9200]
    expected = (model(images[..., None] / 255).numpy().argmax(1) == labels).mean()
    keras.backend.clear_session()
    assert tool.measured(tmp_path, {"some": (images, labels)}) == {"some": expected}
    assert expected > 0.85


def test_lab_4_stays_an_alexnet():
    """Normalization, overlap, groups, dropout and dense layers are those of the book."""
    notebook = nbformat.read(tool.LAB, as_version=4)
    [source] = [c.source for c in notebook.cells if "network = keras.Sequential" in c.source]
    names = {"keras": keras}
    exec(source, names)
    ours, book = names["network"], alexnet.alexnet28(dropout=0.5)
    kinds = [(type(layer), layer.output.shape) for layer in ours.layers]
    assert kinds == [(type(layer), layer.output.shape) for layer in book.layers[1:]]
    assert ours.count_params() == book.count_params() == 940_482
    for a, b in zip(ours.layers, book.layers[1:], strict=True):
        plain = [{k: v for k, v in x.get_config().items() if k != "name"} for x in (a, b)]
        assert plain[0] == plain[1]


def test_the_table_has_five_seeds():
    rows = datasets.table_rows(tool.ASSET.name)
    assert [row["seed"] for row in rows] == list("01234")
    assert all(0.8 < float(row[name]) < 1 for row in rows for name in tool.SETS)


def test_the_lab_s_five_seeds_reach_what_the_table_says():
    """A recipe that was changed without measuring the table again would part the two."""
    said = "AlexNet-28: accuracy on the 2,000 bundled test images"
    lab = np.mean(claims.seeds()["04-training-alexnet"][said])
    table = np.mean([float(row["bundled"]) for row in datasets.table_rows(tool.ASSET.name)])
    assert abs(lab - table) < 0.01


@pytest.mark.parametrize("left", [False, True])
def test_a_run_that_a_lab_has_left_is_measured_and_not_made_again(tmp_path, monkeypatch, left):
    asked, shares = [], dict.fromkeys(tool.SETS, 0.75)
    monkeypatch.setattr(tool, "ASSET", tmp_path / "recipe.csv")
    monkeypatch.setattr(tool, "images", lambda folder: {})
    monkeypatch.setattr(tool, "train", lambda seed, folder: asked.append(seed))
    monkeypatch.setattr(tool, "measured", lambda folder, sets: asked.append(folder) or shares)
    options = ["--left", str(tmp_path)] * left
    monkeypatch.setattr(sys, "argv", ["measure_recipe", "anywhere", "--seeds", "0", "3", *options])
    tool.main()
    if left:
        assert asked == [tmp_path / "0", tmp_path / "3"]
    else:
        assert asked[::2] == [0, 3] and tmp_path not in map(Path, asked[1::2])
    lines = tool.ASSET.read_text().splitlines()
    assert lines == [f"seed,{','.join(tool.SETS)}", *(f"{k}" + ",0.7500" * 3 for k in (0, 3))]
    tool.main()
    assert len(asked) == (2 if left else 4), "what is in the table is not made again"
