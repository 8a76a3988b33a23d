"""Structured pruning: a narrower network that takes over the strongest channels of a wide one."""

import numpy as np

from helpers.compression.ties import kernels
from helpers.networks import check_finite, check_finite_weights


def strongest(kernel, count):
    """The ``count`` output channels with the largest sums of absolute weights, in order.

    As many are taken from each half of the channels, so that two groups stay two groups of a size.
    Raises ``ValueError`` if a weight is NaN or infinite.
    """
    check_finite("the kernel", kernel)
    size = np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1))).reshape(2, -1)
    best = np.sort(np.argsort(-size, axis=1, kind="stable")[:, : count // 2], axis=1)
    return (best + np.array([[0], [size.shape[1]]])).ravel()


def inherit(narrow, wide):
    """Copy into ``narrow``, in place, the channels of ``wide`` that have the largest weights.

    Both are AlexNet-28 (``alexnet.alexnet28``), of different ``width``. With a channel goes what
    reads it in the next layer; the ten outputs stay. Raises ``ValueError``, before it changes
    anything, if a weight of ``wide`` is NaN or infinite.
    """
    check_finite_weights(wide)
    stay = np.arange(1)  # the one channel of the image
    for name, kernel in kernels(narrow).items():
        layer, groups = wide.get_layer(name), getattr(wide.get_layer(name), "groups", 1)
        if name == "fc6":  # its inputs are the places of the last map, each with all channels
            channels = wide.get_layer("conv5").filters
            places = layer.kernel.shape[0] // channels
            stay = np.concatenate([channels * place + stay for place in range(places)])
        weights, bias = layer.get_weights()
        before, count = stay, kernel.shape[-1]
        stay = np.arange(count) if count == bias.size else strongest(weights, count)
        read = before.reshape(groups, -1) % weights.shape[-2]
        parts = zip(read, stay.reshape(groups, -1), strict=True)
        weights = np.concatenate([weights[..., i, :][..., o] for i, o in parts], axis=-1)
        narrow.get_layer(name).set_weights([weights, bias[stay]])
