"""A gallery shows every image once, with its texts, and refuses texts that do not match."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from helpers import plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_every_image_has_its_place_and_its_texts():
    images = np.random.default_rng(0).random((7, 4, 6))
    figure = plots.gallery(images, list("abcdefg"), list("tuvwxyz"), columns=3)
    assert len(figure.axes) == 9
    for axis, image, title, note in zip(figure.axes, images, "abcdefg", "tuvwxyz", strict=False):
        assert np.array_equal(axis.images[0].get_array(), image)
        assert (axis.get_title(), axis.get_xlabel()) == (title, note)
    assert not any(axis.images for axis in figure.axes[7:])


@pytest.mark.parametrize(
    ("images", "titles", "notes"), [(0, 0, None), (2, 1, None), (2, 2, 3), (2, 3, 2)]
)
def test_texts_that_do_not_match_are_refused(images, titles, notes):
    with pytest.raises(ValueError, match="one text for each"):
        plots.gallery(np.zeros((images, 2, 2)), ["a"] * titles, notes and ["b"] * notes)
