"""Size and accuracy of AlexNet-28, compressed in several ways, on the bundled Fashion-MNIST.

    python tools/bench_compression.py [--seeds N]

The recipe is lab 11's. Every choice in it was made on the validation images; the table shows the
test images' accuracy too. Sizes are those of whole files. Takes five minutes on one core.
"""

import argparse
import lzma
import os
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from helpers import alexnet, compression, datasets, session

CONVOLUTIONS = {"conv2": 0.4, "conv3": 0.4, "conv4": 0.4, "conv5": 0.4}
VALUES = {"conv1": 32} | dict.fromkeys(CONVOLUTIONS, 8)
DENSE = {"fc6": 0.98, "fc7": 0.98, "fc8": 0.7}
EPOCHS, BATCH = 8, 200
cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True)


def bundled():
    return alexnet.alexnet28(weights="fashion_mnist")


def hits(model, images, labels):
    return (model.predict(images, 500, verbose=0).argmax(1) == labels).mean()


def before_dense(model, images):
    part = keras.Model(model.inputs, model.get_layer("flatten").output)
    return part.predict(images, 500, verbose=0)


def dense_layers(model):
    old = [model.get_layer(name) for name in DENSE]
    new = [keras.layers.Dense(layer.units, layer.activation, name=layer.name) for layer in old]
    drops = keras.layers.Dropout(0.2), keras.layers.Dropout(0.2)
    head = keras.Sequential([keras.Input((256,)), new[0], drops[0], new[1], drops[1], new[2]])
    head.set_weights([weight for layer in old for weight in layer.get_weights()])
    return head


def train(model, x, answers, rate, epochs, batch=BATCH, callbacks=()):
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * len(x) // batch)
    model.compile(keras.optimizers.Adam(schedule), cross_entropy)
    model.fit(x, answers, batch_size=batch, epochs=epochs, verbose=0, callbacks=list(callbacks))


def put_back(model, head):
    for name in DENSE:
        model.get_layer(name).set_weights(head.get_layer(name).get_weights())


def compressed(images, answers, seed, share=True):
    """The network after pruning, and after sharing if wanted, with the dense layers retrained."""
    keras.utils.set_random_seed(seed)
    model = bundled()
    compression.prune(model, CONVOLUTIONS)
    if share:
        compression.share(model, VALUES)
    seen, head = before_dense(model, images), dense_layers(model)
    steps = int(0.6 * EPOCHS * len(seen) / BATCH)
    pruning = compression.GradualPruning(DENSE, steps)
    train(head, seen, answers, 1e-3, EPOCHS, callbacks=[pruning])
    if share:
        compression.share(head, 8)
        train(head, seen, answers, 3e-4, 1)
    put_back(model, head)
    if share:
        model.get_layer("dropout6").rate = model.get_layer("dropout7").rate = 0.0
        compression.share(model, dict.fromkeys(DENSE, 8))
        train(model, images, answers, 3e-4, 2, batch=100)
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
    seeds = range(parser.parse_args().seeds)
    session.begin(seed=0)
    data, unit = datasets.fashion_mnist("quick"), np.float32(255)
    images = data.train_images[..., None] / unit
    validation = images[9000:], data.train_labels[9000:]
    test = data.test_images[..., None] / unit, data.test_labels
    images = np.concatenate([images[:9000], images[:9000, :, ::-1]])
    dense = bundled()
    answers = 0.7 * keras.ops.softmax(dense.predict(images, 500, verbose=0)).numpy()
    answers += 0.3 * np.eye(10, dtype="float32")[np.tile(data.train_labels[:9000], 2)]
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
    results = []
    for seed in seeds:
        packed = compression.pack(compressed(images, answers, seed))
        name = f"pruned, shared, packed (seed {seed})"
        results.append(row(name, len(packed), compression.unpack(packed)))
    times, on_test = np.array(results).T
    spread = f"{on_test.min():.2%} to {on_test.max():.2%}"
    print(
        f"mean of {len(results)} seeds: {times.mean():.1f} times, test {on_test.mean():.2%} "
        f"({spread}), {100 * (on_test.mean() - base):+.2f} points against the dense network"
    )


if __name__ == "__main__":
    main()
