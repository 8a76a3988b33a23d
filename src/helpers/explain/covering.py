"""Methods that only ask: cover parts of an image, and see what the score says.

``score`` is a function from images (n, H, W, C) to one number each (``explain.score_of``). Parts
are given by ``segments`` (H, W), whole numbers from 0: ``grid`` or ``superpixels``. ``fill`` is
what covers: a number, or an image. Results are maps (H, W).
"""

import numpy as np

from helpers.explain.asking import asked, filling, one_image
from helpers.words import shown


def occlusion(score, image, size=6, stride=2, fill=0.0):
    """How far the score falls when a square covers a pixel: the mean over all squares that do.

    Zeiler and Fergus (2014, arXiv:1311.2901), section 4.2. Squares of ``size`` × ``size`` begin at
    every ``stride``-th row and column, as long as they fit; a pixel that none covers gets 0.
    """
    image = one_image(image)
    height, width = image.shape[:2]
    if not 1 <= size <= min(height, width) or stride < 1:
        raise ValueError(
            f"size={shown(size)}, stride={shown(stride)}: the square must fit into "
            f"{height}×{width} pixels and move by 1 or more"
        )
    places = [
        (i, j)
        for i in range(0, height - size + 1, stride)
        for j in range(0, width - size + 1, stride)
    ]
    squares = np.zeros((len(places), height, width), bool)
    for square, (i, j) in zip(squares, places, strict=True):
        square[i : i + size, j : j + size] = True
    fall = asked(score, image[None])[0] - asked(score, _filled(image, squares, fill))
    times = squares.sum(axis=0)
    return np.tensordot(fall, squares, 1) / np.maximum(times, 1)


def grid(height, width, size):
    """Segments that are squares of ``size`` × ``size`` pixels: (height, width) int."""
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size={shown(size)} does not fit into {height}×{width} pixels")
    return np.arange(height)[:, None] // size * -(-width // size) + np.arange(width) // size


def superpixels(image, count=50):
    """About ``count`` segments of similar color, (H, W) int from 0: SLIC by scikit-image.

    Achanta and others, IEEE TPAMI 34 (2012). ``image`` is (H, W, 3) on any scale.
    """
    from skimage.segmentation import slic

    image = one_image(image)
    low, high = image.min(), image.max()
    unit = (image - low) / (high - low if high > low else 1)
    found = slic(unit, count, start_label=0, channel_axis=-1)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def lime(score, image, segments, rng, samples=500, fill=0.0, width=0.25, penalty=1.0):
    """Weights of a linear model of the score, fitted to images with random segments covered.

    Ribeiro, Singh and Guestrin (2016, arXiv:1602.04938), section 3.4. Each segment is kept with
    probability 1/2; a sample with the share k of its segments kept weighs exp(−(1 − √k)²/width²),
    the cosine distance to the whole image as in the authors' program; ridge regression with
    ``penalty``.
    """
    image, segments, parts = _parts(image, segments)
    keep = rng.random((samples, parts)) < 0.5
    keep[0] = True
    values = asked(score, covered(image, segments, keep, fill))
    distance = 1 - np.sqrt(keep.mean(axis=1))
    root = np.sqrt(np.exp(-((distance / width) ** 2)))[:, None]
    x = np.hstack([keep, np.ones((samples, 1))]) * root
    ridge = penalty * np.diag([*np.ones(parts), 0])  # the offset is not held back
    weights = np.linalg.lstsq(x.T @ x + ridge, x.T @ (values * root[:, 0]), rcond=None)[0]
    return weights[:parts][segments]


def shapley(score, image, segments, rng, permutations=10, fill=0.0):
    """Each segment's mean gain in the score as it is uncovered, over random orders.

    Shapley (1953); by sampling: Castro, Gómez and Tejada, Computers & Operations Research 36
    (2009); for predictions Štrumbelj and Kononenko (2014). The segments' values add up to
    score(image) − score(all covered) exactly, for any number of ``permutations``. Every pixel of
    a segment gets the segment's value divided by its pixels, so that the map has the same sum.
    """
    image, segments, parts = _parts(image, segments)
    if permutations < 1:
        raise ValueError(f"permutations={shown(permutations)}: give 1 or more")
    total = np.zeros(parts)
    for _ in range(permutations):
        order = rng.permutation(parts)
        keep = np.zeros((parts + 1, parts), bool)
        for step, part in enumerate(order):
            keep[step + 1 :, part] = True
        values = asked(score, covered(image, segments, keep, fill))
        total[order] += np.diff(values)
    return (total / permutations / np.bincount(segments.ravel()))[segments]


def covered(image, segments, keep, fill=0.0):
    """Images (n, H, W, C): in image i segment s shows if ``keep[i, s]``, else the fill."""
    image, segments, parts = _parts(image, segments)
    keep = np.asarray(keep)
    if keep.ndim != 2 or keep.shape[1] != parts:
        raise ValueError(f"keep has shape {keep.shape}; give (n, {parts}), a column a segment")
    return _filled(image, ~keep.astype(bool)[:, segments], fill)


def _filled(image, hidden, fill):
    return np.where(hidden[..., None], filling(fill, image), image)


def _parts(image, segments):
    image, segments = one_image(image), np.asarray(segments)
    if segments.shape != image.shape[:2] or segments.dtype.kind not in "iu":
        raise ValueError(
            f"segments are {segments.dtype} of shape {segments.shape}; give whole numbers of "
            f"shape {image.shape[:2]}"
        )
    used = np.unique(segments)
    if used[0] != 0 or used[-1] != len(used) - 1:
        raise ValueError("segments must be numbered 0, 1, 2, ... without a gap")
    return image, segments, len(used)
