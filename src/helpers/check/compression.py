"""Checks of the functions that the reader of lab 11 writes: pruning, sharing, coding."""

import heapq

import numpy as np

from helpers.check.engine import Check, case


def magnitude_mask(w, sparsity):
    """True where a weight stays; of all weights the share ``sparsity``, the smallest, goes."""
    order = np.argsort(np.abs(w), axis=None, kind="stable")
    mask = np.ones(w.size, bool)
    mask[order[: round(sparsity * w.size)]] = False
    return mask.reshape(w.shape)


def magnitude_mask_cases(rng):
    yield case("four weights, half of them", np.array([0.1, -2.0, 3.0, -0.2]), 0.5)
    yield case("nothing is removed", np.array([[0.1, -2.0], [3.0, -0.2]]), 0.0)
    yield case("everything is removed", np.array([[0.1, -2.0], [3.0, -0.2]]), 1.0)
    yield case("large negative weights", np.array([-9.0, 1.0, 2.0, -8.0, 3.0]), 0.6)
    for shape in ((5, 7), (3, 3, 2, 4), (40,), (2, 9)):
        sparsity = round(float(rng.uniform(0.1, 0.95)), 2)
        yield case(f"shape {shape}, sparsity {sparsity}", rng.normal(size=shape), sparsity)


def _ranked(values, shape, removed):
    mask = np.ones(values.size, bool)
    mask[np.argsort(values, axis=None, kind="stable")[:removed]] = False
    return mask.reshape(shape)


def _count(w, sparsity):
    return round(sparsity * w.size)


def _each_row(w, sparsity):
    mask = np.ones(w.size, bool)
    mask[np.argsort(np.abs(w), kind="stable")[: _count(w, sparsity)]] = False
    return mask.reshape(w.shape)


MAGNITUDE_MASK = {
    "the largest weights are removed": lambda w, s: _ranked(-np.abs(w), w.shape, _count(w, s)),
    "the sign is not ignored, so that all large negative weights go": lambda w, s: _ranked(
        w, w.shape, _count(w, s)
    ),
    "it says which weights go, not which stay": lambda w, s: ~magnitude_mask(w, s),
    "the share that stays was removed": lambda w, s: magnitude_mask(w, 1 - s),
    "weights below the sparsity are removed, not a share of them": lambda w, s: np.abs(w) >= s,
    "the pruned weights came, not the mask": lambda w, s: w * magnitude_mask(w, s),
    "the first weights are removed, not the smallest": lambda w, s: (
        np.arange(w.size).reshape(w.shape) >= _count(w, s)
    ),
    "`axis=None` is missing, so that each row is sorted by itself": lambda w, s: _each_row(w, s),
    "one weight too many is removed": lambda w, s: _ranked(np.abs(w), w.shape, _count(w, s) + 1),
}


def lloyd_step(w, centroids):
    """One step of k-means: each weight to its nearest centroid, each centroid to their mean."""
    codes = np.abs(w[:, None] - centroids).argmin(axis=1)
    moved = centroids.copy()
    for number in range(len(centroids)):
        if (codes == number).any():
            moved[number] = w[codes == number].mean()
    return codes, moved


def lloyd_step_cases(rng):
    yield case("two centroids", np.array([0.0, 1.0, 9.0, 11.0]), np.array([0.0, 10.0]))
    yield case("one centroid", np.array([1.0, 2.0, 6.0]), np.array([0.0]))
    yield case("negative weights", np.array([-5.0, -4.0, 4.5, 5.0]), np.array([-3.0, 3.0]))
    yield case(
        "a centroid that no weight is nearest to", np.array([1.0, 2, 9]), np.array([0.0, 50, 9])
    )
    for count, number in ((12, 3), (50, 4), (80, 8), (5, 9)):
        w, centroids = rng.normal(size=count), np.sort(rng.uniform(-2, 2, number))
        yield case(f"{count} weights, {number} centroids", w, centroids)


def _moved(w, centroids, codes, update=lambda own: own.mean(), empty=None):
    values = [
        update(w[codes == m]) if (codes == m).any() else centroids[m] if empty is None else empty
        for m in range(len(centroids))
    ]
    return codes, np.array(values)


def _nearest(w, centroids):
    return np.abs(w[:, None] - centroids).argmin(axis=1)


LLOYD_STEP = {
    "a centroid without weights becomes 0": lambda w, c: _moved(w, c, _nearest(w, c), empty=0.0),
    "a centroid without weights becomes nan": lambda w, c: _moved(
        w, c, _nearest(w, c), empty=np.nan
    ),
    "the centroids did not move": lambda w, c: (_nearest(w, c), c.copy()),
    "the median is taken, not the mean": lambda w, c: _moved(w, c, _nearest(w, c), np.median),
    "the sum is taken, not the mean": lambda w, c: _moved(w, c, _nearest(w, c), np.sum),
    "the sign of the distance is not ignored": lambda w, c: _moved(
        w, c, (w[:, None] - c).argmin(axis=1)
    ),
    "each weight goes to the farthest centroid": lambda w, c: _moved(
        w, c, np.abs(w[:, None] - c).argmax(axis=1)
    ),
    "the numbers are those after the centroids have moved": lambda w, c: (
        _nearest(w, lloyd_step(w, c)[1]),
        lloyd_step(w, c)[1],
    ),
    "the centroid itself came, not its number": lambda w, c: (
        c[_nearest(w, c)],
        lloyd_step(w, c)[1],
    ),
    "the two results are exchanged": lambda w, c: lloyd_step(w, c)[::-1],
    "the numbers begin at 1": lambda w, c: (_nearest(w, c) + 1, lloyd_step(w, c)[1]),
}


def codebook_gradient(dw, codes, values):
    """Gradient for each value of a codebook: the gradients of the weights that share it, summed."""
    return np.array([dw[codes == m].sum() for m in range(values)])


def codebook_gradient_cases(rng):
    yield case("3 weights, 2 values", np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]), 2)
    yield case("a value that no weight has", np.array([1.0, 2.0]), np.array([0, 2]), 4)
    yield case("a kernel of two axes", np.ones((2, 3)), np.array([[0, 1, 1], [1, 0, 1]]), 2)
    for shape, values in (((20,), 4), ((6, 5), 8), ((3, 3, 2, 4), 8)):
        codes = rng.integers(0, values, shape)
        yield case(f"shape {shape}, {values} values", rng.normal(size=shape), codes, values)


def _groups(dw, codes, values, update, empty=0.0):
    own = [dw[codes == m] for m in range(values)]
    return np.array([update(g) if g.size else empty for g in own])


CODEBOOK_GRADIENT = {
    "this is the mean, not the sum": lambda dw, codes, n: _groups(dw, codes, n, np.mean),
    "this is the mean, not the sum, and for a value without weights there is none": (
        lambda dw, codes, n: _groups(dw, codes, n, np.mean, empty=np.nan)
    ),
    "only one weight of each value counts": lambda dw, codes, n: _groups(
        dw, codes, n, lambda g: g[0]
    ),
    "only the last weight of each value counts": lambda dw, codes, n: _groups(
        dw, codes, n, lambda g: g[-1]
    ),
    "the gradients are added without their sign": lambda dw, codes, n: _groups(
        dw, codes, n, lambda g: np.abs(g).sum()
    ),
    "the weights of each value are counted": lambda dw, codes, n: _groups(
        dw, codes, n, lambda g: float(g.size)
    ),
    "the sign is turned": lambda dw, codes, n: -codebook_gradient(dw, codes, n),
    "each weight has a gradient of its own": lambda dw, codes, n: codebook_gradient(dw, codes, n)[
        codes
    ],
    "the numbers are taken to begin at 1": lambda dw, codes, n: codebook_gradient(dw, codes - 1, n),
    "values at the end that no weight has are missing (`minlength` of `np.bincount`)": (
        lambda dw, codes, n: np.bincount(codes.ravel(), dw.ravel())
    ),
    "the largest gradient is taken": lambda dw, codes, n: _groups(dw, codes, n, np.max),
}


def huffman_bits(counts):
    """Bits of a list whose symbols occur so often, in Huffman's code: merge the two rarest."""
    heap, total = [int(count) for count in counts if count], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        pair = heapq.heappop(heap) + heapq.heappop(heap)
        total += pair
        heapq.heappush(heap, pair)
    return total


def huffman_bits_cases(rng):
    yield case("frequencies 5, 1, 1, 1", np.array([5, 1, 1, 1]))
    yield case("two symbols", np.array([3, 4]))
    yield case("four that occur alike", np.array([2, 2, 2, 2]))
    yield case("not in order", np.array([1, 20, 3, 8, 2]))
    yield case("one symbol occurs never", np.array([6, 0, 2, 1]))
    yield case("one symbol alone", np.array([0, 7]))
    yield case("powers of two", np.array([1, 2, 4, 8, 16]))
    for size in (3, 5, 9, 16):
        yield case(f"{size} symbols", rng.integers(1, 60, size))


def _lengths_fixed(counts):
    used = [count for count in counts if count]
    return int(sum(used)) * int(np.ceil(np.log2(len(used))))


def _merge(counts, rarest=True, keep=True, zeros=False):
    heap, total = [int(count) for count in counts if count or zeros], 0
    while len(heap) > 1:
        heap = sorted(heap, reverse=not rarest)
        pair = heap.pop(0) + heap.pop(0)
        total += pair
        heap += [pair] * keep
    return total


def _unsorted(counts):
    heap, total = [int(count) for count in counts if count], 0
    while len(heap) > 1:
        pair = heap.pop(0) + heap.pop(0)
        total += pair
        heap.append(pair)
    return total


def _entropy(counts):
    used = np.array([count for count in counts if count], float)
    return -(used * np.log2(used / used.sum())).sum()


HUFFMAN_BITS = {
    "every symbol gets equally many bits": _lengths_fixed,
    "the two most frequent are merged": lambda counts: _merge(counts, rarest=False),
    "the first two are merged, whether they are rare or not": _unsorted,
    "a merged pair is put back at the end, not in its place": lambda counts: _unsorted(
        np.sort(counts)
    ),
    "a symbol that never occurs is merged, too": lambda counts: _merge(counts, zeros=True),
    "a merged pair is not put back": lambda counts: _merge(counts, keep=False),
    "this is the entropy, which no code of whole bits reaches": _entropy,
    "the merges are counted, not the occurrences below them": lambda counts: (
        int(np.count_nonzero(counts)) - 1
    ),
    "this is the entropy, rounded up": lambda counts: int(np.ceil(_entropy(counts))),
    "each word is as long as its surprise, rounded up": lambda counts: sum(
        int(c) * int(np.ceil(np.log2(sum(counts) / c))) for c in counts if c
    ),
    "a symbol alone gets a bit (it needs none: there is nothing to tell apart)": lambda counts: (
        huffman_bits(counts) or int(sum(counts))
    ),
    "this is the number of symbols": lambda counts: int(sum(counts)),
    "the last merge is left out": lambda counts: huffman_bits(counts) - int(sum(counts)),
    "these are bits per symbol": lambda counts: huffman_bits(counts) / sum(counts),
}


CHECKS = [
    Check("magnitude_mask", magnitude_mask, magnitude_mask_cases, MAGNITUDE_MASK),
    Check("lloyd_step", lloyd_step, lloyd_step_cases, LLOYD_STEP, returns=("codes", "moved")),
    Check("codebook_gradient", codebook_gradient, codebook_gradient_cases, CODEBOOK_GRADIENT),
    Check("huffman_bits", huffman_bits, huffman_bits_cases, HUFFMAN_BITS),
]
