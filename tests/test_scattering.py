"""The scattering transform against convolutions written out, and what its authors promise of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import datasets, scattering


def wave(scale, angle, reach):
    """A Morlet wavelet in space, (2 reach + 1)²: a wave under a bell, less the bell's share."""
    width, frequency = 0.8 * 2**scale, 3 * np.pi / 4 / 2**scale
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = (rows * np.cos(angle) - columns * np.sin(angle)) * 0.5
    bell = np.exp(-(along**2 + across**2) / 2 / width**2) * 0.5 / (2 * np.pi * width**2)
    ripple = bell * np.exp(1j * frequency * along)
    return ripple - ripple.sum() / bell.sum() * bell


def convolved(image, kernel):
    """The convolution at every place at which the kernel fits."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel[::-1, ::-1]).sum(axis=(-2, -1))


@pytest.mark.parametrize(("scale", "k"), [(0, 0), (0, 3), (1, 1), (1, 6)])
def test_the_wavelets_are_those_of_the_paper(scale, k):
    """One map of the first order in space, with no Fourier transform, far from the border."""
    image = np.random.default_rng(0).random((64, 64))
    kernel = wave(scale, k * np.pi / 8, 12)
    rows, columns = np.mgrid[-12:13, -12:13]
    bell = np.exp(-(rows**2 + columns**2) / 2 / 1.6**2)
    by_hand = convolved(np.abs(convolved(image, kernel)), bell / bell.sum())
    found = scattering.scattering(image[None])[0, 1 + k if scale == 0 else 73 + k]
    places = range(24, 40, 4)  # the averages stand four pixels apart
    middle = [[by_hand[i - 24, j - 24] for j in places] for i in places]
    assert np.abs(found[6:10, 6:10] - middle).max() < 0.02 * np.abs(middle).max()


def test_shapes_orders_and_types():
    images = datasets.fashion_mnist().train_images[:3]
    found = scattering.scattering(images)
    assert found.shape == (3, 81, 7, 7) and found.dtype == np.float32
    assert scattering.scattering(images, batch=2).tobytes() == found.tobytes()
    assert scattering.scattering(images[:, :12, :12], angles=4).shape == (3, 25, 3, 3)
    assert scattering.scattering(images[:0]).shape == (0, 81, 7, 7)
    assert (found[:, 1:] > -1e-2 * found[:, 1:].max()).all(), "means of moduli are not negative"


def test_gray_wakes_no_wavelet():
    found = scattering.scattering(np.full((1, 28, 28), 0.7))
    assert np.abs(found[:, 0] - 0.7).max() < 1e-5
    assert np.abs(found[:, 1:]).max() < 1e-5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.sampled_from([16, 28, 32]))
def test_it_scales_with_the_image_and_never_enlarges_a_difference(seed, factor, side):
    a, b = np.random.default_rng(seed).random((2, 1, side, side))
    of_a, of_b = scattering.scattering(a), scattering.scattering(b)
    assert np.allclose(scattering.scattering(factor * a), factor * of_a, rtol=1e-4, atol=1e-5)
    # A coefficient stands for sixteen pixels.
    assert 4 * np.linalg.norm(of_a - of_b) < np.linalg.norm(a - b)


def test_turned_by_a_quarter_the_directions_change_places():
    images = datasets.fashion_mnist().train_images[:2] / 255
    before, after = (scattering.scattering(i) for i in (images, np.rot90(images, axes=(1, 2))))
    for first in (1, 73):
        turned = np.rot90(before[:, first : first + 8], axes=(2, 3))
        moved = np.roll(after[:, first : first + 8], 4, axis=1)
        assert np.abs(turned.mean((2, 3)) - moved.mean((2, 3))).max() < 0.02 * turned.max()


def test_groups_are_normalized_one_image_at_a_time():
    maps = np.random.default_rng(1).normal(3, 2, (4, 6, 5, 5))
    found = scattering.group_normalized(maps, 3)
    groups = found.reshape(4, 3, -1)
    assert found.shape == maps.shape and found.dtype == np.float32
    assert np.abs(groups.mean(2)).max() < 1e-5 and np.abs(groups.std(2) - 1).max() < 1e-4
    assert scattering.group_normalized(maps[2:3], 3).tobytes() == found[2:3].tobytes()
    assert not scattering.group_normalized(np.ones((1, 6, 5, 5)), 3).any()


def test_errors_say_what_is_needed():
    for images in (
        np.zeros((28, 28)),
        np.zeros((1, 28, 24)),
        np.zeros((1, 30, 30)),
        np.zeros((1, 4, 4)),
    ):
        with pytest.raises(ValueError, match="side a multiple of 4"):
            scattering.scattering(images)
    for options in ({"angles": 0}, {"batch": 0}):
        with pytest.raises(ValueError, match="at least 1 each"):
            scattering.scattering(np.zeros((1, 28, 28)), **options)
    for maps, groups in (
        (np.zeros((1, 81, 7, 7)), 10),
        (np.zeros((81, 7, 7)), 27),
        (np.zeros((1, 4, 2, 2)), 0),
    ):
        with pytest.raises(ValueError, match="a number of groups that divides c"):
            scattering.group_normalized(maps, groups)
