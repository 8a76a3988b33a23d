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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--whole-test-set", action="store_true", help="all 10,000 test images")
    options = parser.parse_args()
    seeds = range(options.seeds)
    session.begin(seed=0)
    data, unit = datasets.fashion_mnist("quick"), np.float32(255)
    images = data.train_images[..., None] / unit
    validation = images[9000:], data.train_labels[9000:]
    whole = datasets.fashion_mnist("full") if options.whole_test_set else data
    test = whole.test_images[..., None] / unit, whole.test_labels
    images, dense = versions(images[:9000]), bundled()
    answers = soft_answers(dense, images, data.train_labels[:9000])
    plain = b"".join(weight.numpy().tobytes() for weight in dense.weights)
    base = hits(dense, *test)

    def row(name, size, model):
        on_test = hits(model, *test)
        print(f"{name:34s} {size:9,d} {len(plain) / size:7.1f} {hits(model, *validation):11.1%} "
              f"{on_test:8.2%} {100 * (on_test - base):+7.2f}", flush=True)  # fmt: skip
        return len(plain) / size, on_test

    print(f"{'':34s}     bytes   times  validation     test  points")
    row("float32", len(plain), dense)
    row("gzip -9 of float32", len(zlib.compress(plain, 9)), dense)
    row("xz of float32", len(lzma.compress(plain)), dense)
    rounded = eight_bits(bundled())
    kernels = sum(kernel.numpy().size for kernel in compression.kernels(rounded).values())
    row("int8 only, a byte a weight", kernels + 4 * (dense.count_params() - kernels + 8), rounded)
    row("int8 only, packed", len(compression.pack(rounded)), rounded)
    model = compressed(images, answers, 0, share=False)
    row("pruning only, packed", len(compression.pack(model)), model)
    control, results = [], []
    for seed in seeds:
        model = trained_further(images, answers, seed)
        control.append(row(f"dense, trained further (seed {seed})", len(plain), model)[1])
    for seed in seeds:
        packed = compression.pack(compressed(images, answers, seed))
        name = f"pruned, shared, packed (seed {seed})"
        results.append(row(name, len(packed), compression.unpack(packed)))
    times, on_test = np.array(results).T
    print(f"{len(results)} seeds, test accuracy from {on_test.min():.2%} to {on_test.max():.2%}")
    claim("times smaller, mean over the seeds", times.mean(), at_least=40)
    for rival, theirs in (("as it was", base), ("trained further", np.array(control))):
        mean, low, high = (100 * x for x in intervals.paired(on_test - theirs))
        print(f"file minus dense {rival}: {mean:+.2f} points, 95%: {low:+.2f} to {high:+.2f}")
    behind = on_test.mean() - np.mean(control)
    claim("test accuracy against the dense one, mean", on_test.mean() - base, at_least=-0.0025)
    claim("against the dense network trained further", behind, at_least=-0.01)


if __name__ == "__main__":
    main()
