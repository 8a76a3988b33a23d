"""What holds a kernel pruned and shared while the network trains."""

import math

import keras
import numpy as np
import tensorflow as tf


def kernels(model):
    """The kernels of the model, which pruning and sharing work on: ``{layer name: variable}``."""
    return {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}


class Tied(keras.constraints.Constraint):
    """Keeps a kernel pruned, and its weights shared, while the rest of it trains.

    ``codes`` has the kernel's shape: 0 where a weight is pruned, else the number of its cluster
    from 1 to ``clusters``; with ``clusters=0`` the weights are not shared. Keras applies it after
    every step. Each weight then becomes the mean of its cluster, which a step of gradient descent
    has moved by the cluster's summed gradient (Deep Compression, equation 3) over its size.
    """

    def __init__(self, codes, clusters=0):
        self.codes, self.clusters = tf.Variable(codes, dtype=tf.int32, trainable=False), clusters
        if clusters:  # the step looks at the kept weights only: few, once pruned
            kept = np.flatnonzero(codes)
            self.kept = tf.constant(kept[:, None])
            self.cluster_of = tf.constant(np.ravel(codes)[kept] - 1)

    def __call__(self, kernel):
        if not self.clusters:
            return tf.where(self.codes > 0, kernel, 0.0)
        kept = tf.gather_nd(tf.reshape(kernel, [-1]), self.kept)
        means = tf.math.unsorted_segment_mean(kept, self.cluster_of, self.clusters)
        shared = tf.gather(means, self.cluster_of)
        flat = tf.scatter_nd(self.kept, shared, [math.prod(kernel.shape)])
        return tf.reshape(flat, kernel.shape)


def tie(model, kernel, codes, clusters=0):
    tied = kernel.constraint
    if isinstance(tied, Tied) and tied.clusters == clusters == 0:
        tied.codes.assign(codes)  # a training step that is already traced sees the new codes
    else:
        kernel.constraint = Tied(codes, clusters)
        model.train_function = None  # it was traced without the constraint
    kernel.assign(kernel.constraint(kernel))


def per_layer(model, setting, least, most, what):
    """Triples of layer name, kernel and setting: one value for all, or a dict by layer name."""
    known = kernels(model)
    setting = setting if isinstance(setting, dict) else dict.fromkeys(known, setting)
    for name, value in setting.items():
        if name not in known:
            raise ValueError(f"no layer with a kernel is called {name!r}; use {', '.join(known)}")
        if not least <= value <= most:
            raise ValueError(f"{what} of {name!r} is {value}; give one from {least} to {most}")
    return [(name, known[name], value) for name, value in setting.items()]
