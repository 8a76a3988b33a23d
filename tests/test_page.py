"""``helpers.page`` refuses, before it writes anything, what its page could not run."""

import subprocess
import sys

import numpy as np
import pytest

from helpers import datasets, page


@pytest.fixture(scope="module")
def packed():
    return datasets.asset_path("alexnet28_fashion_mnist.axpk").read_bytes()


def header(*rows):
    rows = [["InputLayer", {"batch_shape": [None, 28, 28, 1]}, []], *rows]
    return {"layers": rows, "inputs": [0], "outputs": [len(rows) - 1]}


def test_the_bundled_network_runs(packed):
    shape, classes = page.check(page.header_of(packed))
    assert (shape, classes) == ([28, 28, 1], 10)


def test_what_the_page_knows_is_what_its_engine_knows():
    engine = page.read("engine.js")
    for kind in page.LAYERS:
        assert f"    {kind}: " in engine, kind
    layers = page.read("layers.js")
    for activation in set(page.ACTIVATIONS) - {"linear", "softmax"}:
        assert f"    {activation}: [" in layers, activation


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (
            [["AveragePooling2D", {"name": "mean"}, [0]]],
            "layer mean: the page cannot run Average",
        ),
        ([["Dense", {"name": "d", "activation": "gelu"}, [0]]], "layer d: .* activation gelu"),
        ([["Flatten", {}, [0]], ["Dense", {"units": 2}, [0]]], "branches"),
    ],
)
def test_other_networks_are_refused_by_name(rows, named):
    with pytest.raises(page.PageError, match=named):
        page.check(header(*rows))


def test_images_of_other_kinds_are_refused():
    rows = [["InputLayer", {"batch_shape": [None, None, None, 3]}, []]]
    with pytest.raises(page.PageError, match="images of one size"):
        page.check({"layers": rows, "inputs": [0], "outputs": [0]})


def test_files_names_and_samples_are_checked(packed):
    names = datasets.FASHION_CLASSES
    with pytest.raises(page.PageError, match="no packed model"):
        page.page(b"hello", names)
    with pytest.raises(page.PageError, match="truncated or altered"):
        page.page(packed[:-1], names)
    with pytest.raises(page.PageError, match="10 classes, and 9 names"):
        page.page(packed, names[:9])
    with pytest.raises(page.PageError, match="a sample is not"):
        page.page(packed, names, [(np.zeros((28, 28)), 0)])  # float64, not bytes
    text = page.page(packed, names, [(np.zeros((28, 28), np.uint8), 0)])
    assert "{config}" not in text and len(text) < 200_000


def test_the_command_says_why_there_is_no_page(tmp_path):
    model, output = tmp_path / "my.axpk", tmp_path / "my.html"
    model.write_bytes(b"hello")
    command = [sys.executable, "-m", "helpers.page", model, "--output", output]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 1
    assert "no page was made" in told.stderr and "Traceback" not in told.stderr
    assert not output.exists()


def test_it_imports_no_tensorflow():
    code = (
        "import sys, helpers.page; assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
