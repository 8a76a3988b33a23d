"""The checks of lab 11: right functions accepted, wrong ones and mutants rejected."""

import numpy as np

from helpers.check.testing import verify


def mask_by_order(w, sparsity):
    order = np.argsort(np.abs(w), axis=None)
    mask = np.ones(w.size, bool)
    mask[order[: round(sparsity * w.size)]] = False
    return mask.reshape(w.shape)


def mask_by_threshold(w, sparsity):
    removed = round(sparsity * w.size)
    if removed == 0:
        return np.ones(w.shape, bool)
    return np.abs(w) > np.sort(np.abs(w), axis=None)[removed - 1]


def test_magnitude_mask():
    verify(
        "magnitude_mask",
        right=[mask_by_order, mask_by_threshold],
        wrong=[
            lambda w, s: np.ones(w.shape, bool),
            lambda w, s: mask_by_order(w, s).ravel(),
            lambda w, s: mask_by_order(w, s).astype(float) * 2,
            lambda w, s: np.random.default_rng(0).random(w.shape) >= s,
        ],
    )


def step_by_loop(w, centroids):
    codes = np.abs(w[:, None] - centroids).argmin(1)
    moved = centroids.copy()
    for number in range(len(centroids)):
        own = w[codes == number]
        if own.size > 0:
            moved[number] = own.mean()
    return codes, moved


def step_by_counting(w, centroids):
    codes = np.abs(np.subtract.outer(w, centroids)).argmin(1)
    sums = np.bincount(codes, w, len(centroids))
    counts = np.bincount(codes, minlength=len(centroids))
    return codes, np.where(counts > 0, sums / np.maximum(counts, 1), centroids)


def test_lloyd_step():
    verify(
        "lloyd_step",
        right=[step_by_loop, step_by_counting],
        wrong=[
            lambda w, c: step_by_loop(w, c)[::-1],
            lambda w, c: step_by_loop(w, c)[0],
            lambda w, c: step_by_loop(w, step_by_loop(w, c)[1]),
        ],
    )


def gradient_by_loop(dw, codes, values):
    total = np.zeros(values)
    for gradient, code in zip(dw.ravel(), codes.ravel(), strict=True):
        total[code] += gradient
    return total


def gradient_by_bincount(dw, codes, values):
    return np.bincount(codes.ravel(), dw.ravel(), values)


def test_codebook_gradient():
    verify(
        "codebook_gradient",
        right=[gradient_by_loop, gradient_by_bincount],
        wrong=[
            lambda dw, codes, n: np.full(n, dw.sum()),
            lambda dw, codes, n: np.bincount(codes.ravel(), dw.ravel(), n)[::-1],
            lambda dw, codes, n: np.bincount(codes.ravel() + 1, dw.ravel(), n + 1)[:n],
            lambda dw, codes, n: np.cumsum(np.bincount(codes.ravel(), dw.ravel(), n)),
        ],
        equivalent=["line 3: no strict"],  # both have one entry a weight
    )


def bits_by_sorting(counts):
    heap = [int(count) for count in counts if count > 0]
    total = 0
    while len(heap) > 1:
        heap.sort()
        pair = heap.pop(0) + heap.pop(0)
        total += pair
        heap.append(pair)
    return total


def bits_by_depth(counts):
    """With the depth of every symbol in the tree, as one draws it."""
    trees = [(int(c), [i]) for i, c in enumerate(counts) if c]
    depth = np.zeros(len(counts), int)
    while len(trees) > 1:
        trees.sort(key=lambda tree: tree[0])
        (a, left), (b, right), *trees = trees
        depth[left + right] += 1
        trees.append((a + b, left + right))
    return int((np.asarray(counts) * depth).sum())


def test_huffman_bits():
    verify(
        "huffman_bits",
        right=[bits_by_sorting, bits_by_depth],
        wrong=[
            lambda counts: max(counts),
            lambda counts: bits_by_sorting(np.minimum(counts, 3)),
            lambda counts: 8 * len(counts),
            lambda counts: bits_by_sorting(counts) or 1,  # a symbol alone needs no bits
        ],
    )
