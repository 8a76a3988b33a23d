"""Size and accuracy of AlexNet-28, compressed in several ways, on the bundled Fashion-MNIST.

    python tools/bench_compression.py [--seeds N] [--whole-test-set]

The recipe is lab 11's, with four versions of each image instead of two. It was chosen on the
validation images and on 20,000 training images that are not in the bundle; the table shows the test
images' accuracy too. Sizes are those of whole files. Takes ten minutes on two cores.
"""

import argparse
import lzma
import os
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from helpers import alexnet, compression, datasets, intervals, session, training
from helpers.claims import claim

SPARSITY = {"conv2": 0.4, "conv3": 0.4, "conv4": 0.4, "conv5": 0.4}
SPARSITY |= {"fc6": 0.98, "fc7": 0.98, "fc8": 0.7}
BATCH, DROPOUT = 100, 0.2
cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)


def bundled(dropout=0.5):
    return alexnet.alexnet28(weights="fashion_mnist", dropout=dropout)


def hits(model, images, labels):
    return (model.predict(images, 500, verbose=0).argmax(1) == labels).mean()


def versions(images):
    """Each image as it is, mirrored, and twice moved by up to two pixels."""
    seeds = session.rng(1).integers(1000, size=(2, 2))
    one, two = (training.crop_and_flip(images, seed, crop=2).numpy() for seed in seeds)
    return np.concatenate([images, images[:, :, ::-1], one, two[:, :, ::-1]])


def soft_answers(dense, images, labels):
    """Half the dense network's answer and half the label, for each of the four versions."""
    answers = 0.5 * keras.ops.softmax(dense.predict(images, 500, verbose=0)).numpy()
    return answers + 0.5 * np.eye(10, dtype="float32")[np.tile(labels, 4)]


def after_first(model, images):
    """What follows the first convolution, as a model, and what it gets to see of the images."""
    first = model.get_layer("pool1").output
    seen = keras.Model(model.inputs, first).predict(images, 500, verbose=0)
    return keras.Model(first, model.output), seen


def train(model, x, answers, rate, epochs, callbacks=()):
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * len(x) // BATCH)
    model.compile(keras.optimizers.Adam(schedule), cross_entropy)
    model.fit(x, answers, BATCH, epochs, verbose=0, callbacks=list(callbacks))


def trained_further(images, answers, seed):
    """The dense network after the same training: the control."""
    keras.utils.set_random_seed(seed)
    model = bundled(DROPOUT)
    rest, seen = after_first(model, images)
    train(rest, seen, answers, 2e-3, 3)
    train(rest, seen, answers, 3e-4, 1)
    return model


def compressed(images, answers, seed, share=True):
    """The network after pruning while it trains, and after sharing if wanted."""
    keras.utils.set_random_seed(seed)
    model = bundled(DROPOUT)
    if share:
        compression.share(model, {"conv1": 64})
    rest, seen = after_first(model, images)
    pruning = compression.GradualPruning(SPARSITY, int(0.6 * 3 * len(seen) / BATCH))
    train(rest, seen, answers, 2e-3, 3, [pruning])
    if share:
        compression.share(rest, 8)
        train(rest, seen, answers, 3e-4, 1)
        compression.round_for_storage(model)
    return model


def eight_bits(model):
    """Each kernel rounded to 255 evenly spaced values; biases stay."""
    for kernel in compression.kernels(model).values():
        scale = np.abs(kernel.numpy()).max() / 127
        kernel.assign(np.round(kernel.numpy() / scale) * scale)
    return model


class Bench:
    """Images, the dense network, and a line of the table for each network."""

    def __init__(self, whole_test_set):
        data, unit = datasets.fashion_mnist("quick"), np.float32(255)
        images = data.train_images[..., None] / unit
        self.validation = images[9000:], data.train_labels[9000:]
        whole = datasets.fashion_mnist("full") if whole_test_set else data
        self.test = whole.test_images[..., None] / unit, whole.test_labels
        self.images, self.dense = versions(images[:9000]), bundled()
        self.answers = soft_answers(self.dense, self.images, data.train_labels[:9000])
        self.plain = b"".join(weight.numpy().tobytes() for weight in self.dense.weights)
        self.base = hits(self.dense, *self.test)

    def row(self, name, size, model):
        """Print it; how many times smaller it is, and its accuracy on the test images."""
        on_test = hits(model, *self.test)
        print(f"{name:34s} {size:9,d} {len(self.plain) / size:7.1f} "
              f"{hits(model, *self.validation):11.1%} "
              f"{on_test:8.2%} {100 * (on_test - self.base):+7.2f}", flush=True)  # fmt: skip
        return len(self.plain) / size, on_test

    def one_by_one(self):
        """What each step does alone."""
        plain, dense = self.plain, self.dense
        print(f"{'':34s}     bytes   times  validation     test  points")
        self.row("float32", len(plain), dense)
        self.row("gzip -9 of float32", len(zlib.compress(plain, 9)), dense)
        self.row("xz of float32", len(lzma.compress(plain)), dense)
        rounded = eight_bits(bundled())
        kernels = sum(kernel.numpy().size for kernel in compression.kernels(rounded).values())
        size = kernels + 4 * (dense.count_params() - kernels + 8)
        self.row("int8 only, a byte a weight", size, rounded)
        self.row("int8 only, packed", len(compression.pack(rounded)), rounded)
        model = compressed(self.images, self.answers, 0, share=False)
        self.row("pruning only, packed", len(compression.pack(model)), model)

    def together(self, seeds):
        """The control and the file for each seed: (times smaller, test accuracy), and theirs."""
        control, results = [], []
        for seed in seeds:
            model = trained_further(self.images, self.answers, seed)
            name = f"dense, trained further (seed {seed})"
            control.append(self.row(name, len(self.plain), model)[1])
        for seed in seeds:
            packed = compression.pack(compressed(self.images, self.answers, seed))
            name = f"pruned, shared, packed (seed {seed})"
            results.append(self.row(name, len(packed), compression.unpack(packed)))
        return np.array(results).T, np.array(control)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--whole-test-set", action="store_true", help="all 10,000 test images")
    options = parser.parse_args()
    session.begin(seed=0)
    bench = Bench(options.whole_test_set)
    bench.one_by_one()
    (times, on_test), control = bench.together(range(options.seeds))
    print(f"{len(times)} seeds, test accuracy from {on_test.min():.2%} to {on_test.max():.2%}")
    claim("times smaller, mean over the seeds", times.mean(), at_least=40)
    for rival, theirs in (("as it was", bench.base), ("trained further", control)):
        mean, low, high = (100 * x for x in intervals.paired(on_test - theirs))
        print(f"file minus dense {rival}: {mean:+.2f} points, 95%: {low:+.2f} to {high:+.2f}")
    behind = on_test.mean() - np.mean(control)
    claim(
        "test accuracy against the dense one, mean", on_test.mean() - bench.base, at_least=-0.0025
    )
    claim("against the dense network trained further", behind, at_least=-0.01)


if __name__ == "__main__":
    main()
