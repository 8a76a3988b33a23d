"""What holds a kernel pruned and shared while the network trains."""

import base64
import math
import zlib

import keras
import numpy as np
import tensorflow as tf

from helpers.networks import check_finite, check_plain, kernels_of, layers_of


def kernels(model):
    """The kernels of the model, which pruning and sharing work on: ``{layer name: variable}``.

    Those of a network within the network are called ``backbone/conv1``; the two of a separable
    convolution ``conv/depthwise_kernel`` and ``conv/pointwise_kernel``. Raises ``ValueError`` if
    there is none, or the network is not built.
    """
    found = {}
    for name, layer in layers_of(model).items():
        for key, kernel in kernels_of(layer).items():
            found[name if key == "kernel" else f"{name}/{key}"] = kernel
    if not found:
        raise ValueError(f"{model.name!r} has no layer with a kernel; there is nothing to do")
    return found


@keras.saving.register_keras_serializable(package="helpers")
class Tied(keras.constraints.Constraint):
    """Keeps a kernel pruned, and its weights shared, while the rest of it trains.

    ``codes`` has the kernel's shape: 0 where a weight is pruned, else the number of its cluster
    from 1 to ``clusters``; with ``clusters=0`` the weights are not shared. Keras applies it after
    every step. Each weight then becomes the mean of its cluster, which a step of gradient descent
    has moved by the cluster's summed gradient (Deep Compression, equation 3) over its size. A file
    that Keras saves holds it, so that the network stays pruned when it is loaded and trained.
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

    def get_config(self):
        codes = self.codes.numpy()
        data = zlib.compress(codes.astype("<u2").tobytes())
        text = base64.b64encode(data).decode()
        return {"codes": text, "shape": list(codes.shape), "clusters": self.clusters}

    @classmethod
    def from_config(cls, config):
        data = zlib.decompress(base64.b64decode(config["codes"]))
        codes = np.frombuffer(data, "<u2").reshape(config["shape"])
        return cls(codes.astype(np.int32), config["clusters"])


def tie(model, kernel, codes, clusters=0):
    """Hold ``kernel`` to ``codes`` from now on, as ``Tied`` describes, and in the model's files."""
    tied = kernel.constraint
    if isinstance(tied, Tied) and tied.clusters == clusters == 0:
        tied.codes.assign(codes)  # a training step that is already traced sees the new codes
    else:
        kernel.constraint = Tied(codes, clusters)
        _put_into_the_settings(model, kernel)
        model.train_function = None  # it was traced without the constraint
    kernel.assign(kernel.constraint(kernel))


def _put_into_the_settings(model, kernel):
    """Name the kernel's constraint as its layer's, as if the layer had been made with it."""
    for layer in layers_of(model).values():
        for key, own in kernels_of(layer).items():
            prefix = key.removesuffix("kernel").removesuffix("_") or "kernel"
            if own is kernel and isinstance(layer, keras.layers.DepthwiseConv2D):
                prefix = "depthwise"  # the setting's name; the variable is called kernel
            if own is kernel:
                setattr(layer, f"{prefix}_constraint", kernel.constraint)


def per_layer(model, setting, least, most, what):
    """Triples of layer name, kernel and setting: one value for all, or a dict by layer name.

    Checks all before anything is changed. One value for all leaves out tables that are no kernels,
    such as embeddings, and says so.
    """
    check_plain(model)
    known = kernels(model)
    if not isinstance(setting, dict):
        setting, ids = dict.fromkeys(known, setting), {id(kernel) for kernel in known.values()}
        tables = [w for w in model.trainable_weights if len(w.shape) > 1 and id(w) not in ids]
        for weight in tables:
            print(f"left out: {weight.path}, which is no kernel")
    if not setting:
        raise ValueError(f"{what} is given for no layer; name one of {', '.join(known)}")
    for name, value in setting.items():
        if name not in known:
            raise ValueError(f"no layer with a kernel is called {name!r}; use {', '.join(known)}")
        if not least <= value <= most:
            raise ValueError(f"{what} of {name!r} is {value}; give one from {least} to {most}")
        check_finite(f"{name}'s kernel", known[name].numpy(), "go back to an earlier copy")
    return [(name, known[name], value) for name, value in setting.items()]


def check_ties(model):
    """Raise ``ValueError`` for a kernel that is not as pruned or shared as it was made.

    Other weights were put there since: by a callback that restores the best, or from a file.
    """
    for layer in layers_of(model).values():
        for kernel in kernels_of(layer).values():
            tied = kernel.constraint
            if not isinstance(tied, Tied):
                continue
            values, codes = kernel.numpy(), tied.codes.numpy()
            back = np.count_nonzero(values[codes == 0])
            several = len(np.unique(values[codes > 0])) if tied.clusters else 0
            if back or several > tied.clusters:
                what = f"{back:,} weights that were pruned" if back else f"{several:,} values"
                raise ValueError(
                    f"{kernel.path} has {what} since other weights were put there (restored or "
                    "loaded after pruning or sharing): prune and share them, too"
                )
