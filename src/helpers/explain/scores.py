"""Scores of maps. A map is (H, W); ``mask`` (H, W) bool says where the evidence is known to be."""

import contextlib

import numpy as np
from scipy import stats

from helpers.explain.asking import asked, filling, one_image, one_map
from helpers.networks import layers_of
from helpers.words import shown


def pointing(values, mask):
    """The share of a map's positive part that lies in the mask; 0 if nothing is positive.

    Böhle, Fritz and Schiele (2021, arXiv:2104.00032), the grid pointing game. By chance it is the
    mask's share of the picture.
    """
    values, mask = _masked(values, mask)
    positive = np.maximum(values, 0)
    return float(positive[mask].sum() / positive.sum()) if positive.any() else 0.0


def hits(values, mask):
    """Whether the largest value of the map lies in the mask: the pointing game.

    Zhang and others (2016, arXiv:1608.00507). Of equal largest values the share in the mask.
    """
    values, mask = _masked(values, mask)
    return float(mask[values == values.max()].mean())


def curve(score, image, values, rng, fill=0.0, steps=20, insert=False):
    """The score as the pixels with the largest values of a map are covered, or uncovered, first.

    Petsiuk, Das and Saenko (2018, arXiv:1806.07421): deletion, or insertion with ``insert``. Gives
    ``steps`` + 1 numbers, after equal shares of the pixels. Pixels of equal value come in random
    order, from ``rng``: in their own order they would go from top to bottom, and a map of zeros
    would have an opinion.
    """
    image, values = one_image(image), one_map(values)
    if values.shape != image.shape[:2] or not 1 <= steps <= values.size:
        raise ValueError(
            f"a map of shape {values.shape}, an image {image.shape}, steps={shown(steps)}: the map "
            "must have the image's height and width, and a step one pixel or more"
        )
    order = np.lexsort((rng.random(values.size), -values.ravel()))
    rank = np.empty(values.size, int)
    rank[order] = np.arange(values.size)
    counts = np.round(np.linspace(0, values.size, steps + 1))
    first = rank.reshape(values.shape) < counts[:, None, None]
    shown_ones = first if insert else ~first
    return asked(score, np.where(shown_ones[..., None], image, filling(fill, image)))


def area(values):
    """The area under a curve over equal steps from 0 to 1 (trapezoids)."""
    values = np.asarray(values, np.float64)
    return float((values[1:] + values[:-1]).mean() / 2)


def rank_correlation(a, b):
    """Spearman's rank correlation of two maps; 0 if one of them is constant."""
    a, b = one_map(a), one_map(b)
    if a.shape != b.shape:
        raise ValueError(f"maps of shapes {a.shape} and {b.shape} cannot be compared")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a.ravel(), b.ravel()).statistic)


def stability(maps):
    """The mean rank correlation of all pairs of maps that should be alike, (n, H, W) with n ≥ 2."""
    pairs = [(a, b) for i, a in enumerate(maps) for b in maps[:i]]
    if not pairs:
        raise ValueError("give two maps or more")
    return float(np.mean([rank_correlation(a, b) for a, b in pairs]))


@contextlib.contextmanager
def shuffled(model, rng, layers=None):
    """In the ``with`` block the weights of ``model`` are shuffled within each array.

    Size and spread of the weights stay, what was learned goes: the randomization test of Adebayo
    and others (2018, arXiv:1810.03292), who draw new weights. ``layers`` counts from the output:
    with 1 only the last layer that has weights is shuffled; all by default.
    """
    weighted = [layer for layer in layers_of(model).values() if layer.weights and not _outer(layer)]
    if layers is not None and not 1 <= layers <= len(weighted):
        raise ValueError(f"layers={shown(layers)}: the network has {len(weighted)} with weights")
    chosen = weighted if layers is None else weighted[-layers:]
    before = [(layer, layer.get_weights()) for layer in chosen]
    try:
        for layer, arrays in before:
            layer.set_weights([rng.permutation(a.ravel()).reshape(a.shape) for a in arrays])
        yield model
    finally:
        for layer, arrays in before:
            layer.set_weights(arrays)


def _outer(layer):
    return bool(getattr(layer, "layers", None))


def _masked(values, mask):
    values, mask = one_map(values), np.asarray(mask)
    if mask.shape != values.shape or mask.dtype != bool:
        raise ValueError(
            f"the mask is {mask.dtype} of shape {mask.shape}; give bool {values.shape}"
        )
    return values, mask
