"""A few values for all the weights of a kernel, found by k-means."""

import numpy as np

from helpers.compression.ties import check_ties, kernels, per_layer, tie
from helpers.networks import check_finite, check_finite_weights, check_plain


def kmeans(values, clusters, iterations=50):
    """K-means of numbers by Lloyd's algorithm, from centroids spaced evenly over their range.

    That start keeps centroids for the few large weights (Deep Compression, section 3.2). Returns
    the centroids, (clusters,) float64, and each value's cluster from 0, in the shape of values.
    Raises ``ValueError`` for no values, values that are NaN or infinite, or no cluster.
    """
    if clusters < 1 or np.size(values) == 0:
        raise ValueError(f"{clusters} clusters for {np.size(values)} values; give 1 or more")
    check_finite("the array of values", values)
    ordered = np.sort(values, axis=None).astype(np.float64)
    total = np.r_[0, np.cumsum(ordered)]
    centroids = np.linspace(ordered[0], ordered[-1], clusters)
    for _ in range(iterations):
        inner = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        edges = np.r_[0, inner, ordered.size]
        means = np.diff(total[edges]) / np.maximum(np.diff(edges), 1)
        centroids, last = np.where(np.diff(edges) > 0, means, centroids), centroids
        if np.array_equal(centroids, last):
            break
    return centroids, np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)


def share(model, clusters):
    """Let the nonzero weights of a kernel share ``clusters`` values (1 to 256), also in training.

    ``clusters`` is one count for all kernels or ``{layer name: count}``.
    """
    chosen = per_layer(model, clusters, 1, 256, "the number of clusters")
    check_ties(model)
    for _, kernel, count in chosen:
        values = kernel.numpy()
        codes = np.zeros(values.shape, np.int32)
        if values.any():
            codes[values != 0] = 1 + kmeans(values[values != 0], count)[1]
        tie(model, kernel, codes, count)


def round_for_storage(model, bias_values=16):
    """Round, in place: shared weights to float16, and each layer's biases to a few values.

    ``bias_values`` is how many; a layer with less than four times as many biases keeps them all.
    Raises ``ValueError``, before it changes anything, if the network is not built or a weight is
    NaN, infinite or too large.
    """
    check_plain(model)
    kernels(model)
    check_finite_weights(model)
    check_ties(model)
    rounded = []
    for weight in model.weights:
        values = weight.numpy()
        if weight.name == "bias" and values.size >= 4 * bias_values:
            centroids, codes = kmeans(values, bias_values)
            values = centroids[codes]
        if weight.name == "bias" or getattr(weight.constraint, "clusters", 0):
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise ValueError(f"{weight.path} has values over 65,504, too large for float16")
            rounded.append((weight, values.astype(np.float16).astype(np.float32)))
    for weight, values in rounded:
        weight.assign(values)
