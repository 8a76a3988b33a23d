"""Make src/helpers/assets/robust_fashion_mnist.npz: the small network, plain and robust.

Both learn from the first 9,000 of the 10,000 bundled training images; of the robust one, trained
by PGD at ε = 0.1 (Madry and others 2018), the weights of the epoch are kept that was best on the
other 1,000 under PGD with both losses (Rice and others 2020). The test images are not touched
before the end. Weights are stored as float16, and judged as stored. Takes five minutes on one core.

Run it as `python tools/make_robust.py [FILE]`; it prints the line for `datasets.ASSETS`.
Another machine adds the same numbers in another order: the accuracy comes out alike, not each bit.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from helpers import attacks, datasets, intervals, session
from helpers.attacks.training import FILE

EPSILON, EPOCHS, TRAINING_IMAGES = 0.1, 40, 9_000
OPTIONS = {"batch": 64, "average": 0.995, "peak": 2e-3, "flip": True}
PLAIN_EPOCHS = 12
ASSET = Path(datasets.__file__).parent / "assets" / FILE


def images_of(part):
    return np.float32(part[..., None] / 255)


def held(model, x, y):
    """Which images are right under PGD with either loss, (n,) bool."""
    left = attacks.right(model, attacks.pgd(model, x, y, EPSILON), y)
    return left & attacks.right(model, attacks.pgd(model, x, y, EPSILON, loss="margin"), y)


def make(epsilon, epochs, train, validation):
    """A trained network, and of each epoch (robust on training images, on validation, clean)."""
    keras.utils.set_random_seed(session.seed())
    model, history, best = attacks.small_network(), [], (-1, None)
    some = [part[:1000] for part in train]

    def after(epoch):
        nonlocal best
        right = attacks.right(model, *validation).mean()
        row = (held(model, *some).mean(), held(model, *validation).mean(), right)
        history.append(row)
        print(f"epoch {epoch}: " + ", ".join(f"{share:.3f}" for share in row), flush=True)
        score = row[1] if epsilon else right
        if score > best[0]:
            best = score, model.get_weights()

    attacks.train(model, *train, epsilon=epsilon, epochs=epochs, after=after, **OPTIONS)
    model.set_weights(best[1])
    return model, np.float32(history)


def main(target=ASSET):
    print(session.begin(seed=0))
    data = datasets.fashion_mnist("quick")
    x, y = images_of(data.train_images), data.train_labels.astype(int)
    train, validation = (x[:TRAINING_IMAGES], y[:TRAINING_IMAGES]), (
        x[TRAINING_IMAGES:], y[TRAINING_IMAGES:])  # fmt: skip
    arrays, models = {}, {}
    for name, epsilon, epochs in (("plain", 0.0, PLAIN_EPOCHS), ("robust", EPSILON, EPOCHS)):
        models[name], history = make(epsilon, epochs, train, validation)
        stored = [np.float16(w) for w in models[name].get_weights()]
        models[name].set_weights([w.astype(np.float32) for w in stored])
        for variable, w in zip(models[name].trainable_variables, stored, strict=True):
            arrays[f"{name}/{variable.path.removeprefix('small_network/')}"] = w
        arrays[f"{name}/history"] = history
    target = Path(target)
    with target.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(target.stat().st_size, datasets.file_hash(target), target.name)
    t, truth = images_of(data.test_images), data.test_labels.astype(int)
    for name, model in models.items():
        found = attacks.worst_case(model, t, truth, EPSILON, restarts=3, queries=1000)
        for attack, right in found.items():
            low, high = intervals.share(right.sum(), len(right))
            print(
                f"{name}, {attack}: {right.mean():.4f} of {len(right):,} ({low:.3f} to {high:.3f})"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
