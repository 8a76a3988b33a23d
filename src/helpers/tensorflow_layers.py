"""The layers of ``helpers.layers`` in TensorFlow's own operations, for comparison.

Each takes the same arguments and returns its output alone; TensorFlow differentiates by itself.
"""

import numpy as np
import tensorflow as tf


def conv2d(x, w, b, stride=1, padding="valid", groups=1):
    parts = zip(tf.split(x, groups, 3), tf.split(tf.convert_to_tensor(w), groups, 3), strict=True)
    return tf.concat([tf.nn.conv2d(a, k, stride, padding.upper()) for a, k in parts], 3) + b


def max_pool(x, size=3, stride=2, padding="valid"):
    return tf.nn.max_pool2d(x, size, stride, padding.upper())


def lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """Its formula, with a band matrix for the sum over neighbors: TensorFlow's is float32 only."""
    channel = np.arange(x.shape[-1])
    near = (abs(channel[:, None] - channel) <= depth_radius).astype(x.dtype.as_numpy_dtype)
    return x / (bias + alpha * tf.tensordot(x**2, near, 1)) ** beta


def relu(x):
    return tf.nn.relu(x)


def dense(x, w, b):
    return x @ tf.convert_to_tensor(w) + b


def flatten(x):
    return tf.reshape(x, (x.shape[0], -1))


def loss(network, x, labels, weights):
    """Mean cross-entropy of a list of (name, forward function of helpers.layers, ..., options)."""
    x = tf.convert_to_tensor(x)
    for name, run, *_, options in network:
        x = globals()[run.__name__](x, *weights.get(name, ()), **options)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x))
