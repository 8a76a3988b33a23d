"""Maps that know nothing of any network. Whoever does no better than these explains nothing."""

import numpy as np
from scipy import ndimage

from helpers.explain.asking import one_image


def edges(image):
    """How fast brightness changes: the length of Sobel's gradient of the mean over channels."""
    gray = one_image(image).astype(np.float64).mean(axis=-1)
    return np.hypot(ndimage.sobel(gray, 0), ndimage.sobel(gray, 1))


def center(image):
    """1 in the middle, falling to 0 at the corners: one minus the distance as a share of theirs."""
    height, width = one_image(image).shape[:2]
    rows, columns = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    distance = np.hypot(rows[:, None], columns)
    return 1 - distance / distance.max() if distance.max() else np.ones((height, width))


def noise(image, rng):
    """A random number for each pixel."""
    return rng.random(one_image(image).shape[:2])
