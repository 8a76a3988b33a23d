"""What an encoder has learned: its features, rivals to them, a linear probe, a meter for collapse.

Importing this needs NumPy only.
"""

from collections import namedtuple

import numpy as np

from helpers import datasets

VALIDATION = 100  # of each class, where every choice is made
STRENGTHS = (0.003, 0.03, 0.3)  # scikit-learn's C of the probe

# Images (n, 28, 28) uint8 and labels (n,). The first 10 m images of the pool are m of each class.
Split = namedtuple("Split", "pool labels held held_labels test test_labels")


def split():
    """The bundled images: a pool of 9,000, 1,000 for validation, 2,000 for testing.

    It is the split of lab 7, the same for every seed.
    """
    fashion = datasets.fashion_mnist("quick")
    rng, y = np.random.default_rng([0, 0]), fashion.train_labels.astype(int)
    order = np.stack([rng.permutation(np.flatnonzero(y == c)) for c in range(10)], axis=1)
    held, pool = order[:VALIDATION].ravel(), order[VALIDATION:].ravel()
    test = fashion.test_images, fashion.test_labels.astype(int)
    return Split(fashion.train_images[pool], y[pool], fashion.train_images[held], y[held], *test)


def unlabeled(count=59000):
    """Images of the pool and, behind it, of the rest of the full training set: (count, 28, 28).

    None of them is for validation. More than 9,000 need the full data set.
    """
    small = split()
    if count <= len(small.pool):
        return small.pool[:count]
    known = {image.tobytes() for part in (small.pool, small.held) for image in part}
    full = datasets.fashion_mnist("full").train_images
    rest = [image for image in full if image.tobytes() not in known]
    return np.concatenate([small.pool, np.stack(rest)])[:count]


def draw(labels, number):
    """Where draw ``number`` of ``labels`` images a class stands in the pool; draws share none."""
    return np.arange(10 * labels * number, 10 * labels * (number + 1))


def features(net, images, cells=4, names=("conv2", "conv3"), scaled=True, batch=500):
    """What the encoder gives, for a probe: (n, numbers), float32.

    Means over ``cells``×``cells`` parts of the maps of the named layers. ``scaled``: the numbers of
    a part are divided by their length, as HOG does with its cells, and their roots are taken.
    """
    import keras

    from helpers.selfsupervised.learning import as_input

    maps = keras.Model(net.inputs, [net.get_layer(name).output for name in names])
    found = []
    for i in range(0, len(images), batch):
        made = maps(as_input(images[i : i + batch]))
        made = made if isinstance(made, list) else [made]
        parts = [pooled(np.asarray(m), cells) for m in made]
        parts = [scaled_cells(part) for part in parts] if scaled else parts
        found.append(np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1))
    return np.concatenate(found)


def average(net, images):
    """The usual reading: each filter of the last layer averaged over its map, (n, 64)."""
    return features(net, images, cells=1, names=("conv3",), scaled=False)


def scaled_cells(parts):
    """The root of each cell's numbers, none negative, over the cell's length: as (n, cells, c)."""
    return np.sqrt(parts / (np.linalg.norm(parts, axis=2, keepdims=True) + 1e-3))


def pooled(maps, cells=2):
    """Means of (n, h, w, c) over ``cells``×``cells`` parts, which share rows if they must:
    (n, cells², c)."""
    height = maps.shape[1]
    if not 1 <= cells <= height:
        raise ValueError(f"{cells} cells do not fit a map of {height} rows")
    ends = [(height * i // cells, -(-height * (i + 1) // cells)) for i in range(cells)]
    parts = [maps[:, a:b, c:d].mean(axis=(1, 2)) for a, b in ends for c, d in ends]
    return np.stack(parts, axis=1)


def pixels(images):
    """The images themselves, from 0 to 1: (n, 784)."""
    return images.reshape(len(images), -1) / np.float32(255)


def hog(images, cell=4, block=2):
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005), by scikit-image: (n, ·).

    Nine directions in each cell of ``cell`` pixels, scaled together in blocks of ``block`` cells.
    """
    from skimage import feature

    options = {"pixels_per_cell": (cell, cell), "cells_per_block": (block, block)}
    found = [feature.hog(image, orientations=9, **options) for image in images]
    return np.stack(found).astype(np.float32)


def standardized(reference, *parts):
    """Each part minus the mean of ``reference`` and divided by its deviation, column by column.

    No labels are used; a column that hardly varies stays small.
    """
    mean, deviation = reference.mean(axis=0), reference.std(axis=0)
    deviation = deviation + 1e-3 * deviation.mean() + 1e-9
    return [(part - mean) / deviation for part in parts]


def probe(x, y, strength):
    """Logistic regression on features (n, ·), by scikit-learn; ``strength`` is its C."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, tol=1e-3, max_iter=300).fit(x, y)


def best_strength(x, y, held, held_labels, labels, draws, strengths=STRENGTHS):
    """The strength that is best on validation in the mean over ``draws`` of ``labels`` a class."""

    def score(strength):
        fits = [probe(x[draw(labels, d)], y[draw(labels, d)], strength) for d in draws]
        return np.mean([fit.score(held, held_labels) for fit in fits])

    return max(strengths, key=score)


# The meter of collapse


def spread(z):
    """How far apart the directions of rows z (n, d) are: 1 if they have no common part, 0 if all
    are the same. Rows are brought to length 1; it is the root of their total variance."""
    z = np.asarray(z, np.float64)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return float(np.sqrt(z.var(axis=0).sum()))


def rank(z, centered=False):
    """Effective rank of rows z (n, d) (Roy and Vetterli, 2007; RankMe: Garrido et al., ICML 2023).

    exp of the entropy of the singular values as shares: d if all are alike, 1 if one is all there
    is. ``centered`` takes the mean row off first, which hides that all rows are nearly the same.
    """
    z = np.asarray(z, np.float64)
    z = z - z.mean(axis=0) if centered else z
    s = np.linalg.svd(z, compute_uv=False)
    p = s / max(s.sum(), 1e-300)
    return float(np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()))
