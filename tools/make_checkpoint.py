"""Make src/helpers/assets/alexnet28_fashion_mnist.npz: AlexNet-28 trained on Fashion-MNIST.

A plainer recipe than lab 04's and twice its epochs: batches of 64, a rate that falls from 0.001,
dropout 0.5. The first 9,000 of the 10,000 bundled training images train, the last 1,000 choose the
epoch, the test images are not touched. Takes two minutes on two cores.

Run it as `python tools/make_checkpoint.py [FILE]`; it prints the line for `helpers.assets.FILES`.
Another machine adds the same numbers in another order: the accuracy comes out alike, not each bit.
"""

import sys
from pathlib import Path

import keras
import measuring
import numpy as np

from helpers import alexnet, datasets, session, training

EPOCHS, BATCH, RATE = 20, 64, 0.001
TRAINING_IMAGES = 9_000
ASSET = Path(datasets.__file__).parent / "assets" / alexnet.WEIGHTS["fashion_mnist"]


def main(target=ASSET):
    print(session.begin(seed=0))
    data = datasets.fashion_mnist("quick")
    pairs = data.train_images, data.train_labels
    train, validation = ([part[:TRAINING_IMAGES] for part in pairs],
                         [part[TRAINING_IMAGES:] for part in pairs])  # fmt: skip
    model = alexnet.alexnet28()
    steps = EPOCHS * -(-TRAINING_IMAGES // BATCH)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    training.fit(model, optimizer, train, validation, epochs=EPOCHS, batch=BATCH, flip=True)
    loss, accuracy = training.evaluate(model, *validation)
    target = Path(target)
    with target.open("wb") as file:
        np.savez_compressed(file, **{v.path: v.numpy() for v in model.trainable_variables})
    print(f"validation: cross-entropy {loss:.4f}, accuracy {accuracy:.3f}")
    print(target.stat().st_size, datasets.file_hash(target), target.name)
    whole = datasets.fashion_mnist("full")
    others = measuring.outside_the_bundle(whole.train_images)
    for name, images, labels in (
        (
            "the training images outside the bundle",
            whole.train_images[others],
            whole.train_labels[others],
        ),
        ("all test images", whole.test_images, whole.test_labels),
        ("the bundled test images", data.test_images, data.test_labels),
    ):
        print(f"{name}: {training.evaluate(model, images, labels)[1]:.3f} of {len(labels):,}")


if __name__ == "__main__":
    main(*sys.argv[1:])
