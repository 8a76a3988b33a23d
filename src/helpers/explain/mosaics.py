"""Pictures of which one knows where the evidence is: mosaics of garments, and coats with a mark.

What lab 10 and ``tools/measure_explanations.py`` share. Images of Fashion-MNIST are (n, 28, 28)
uint8; what the networks take is (n, H, W, 1) float32 from 0 to 1, and black, 0, is "nothing there".
"""

from collections import namedtuple

import numpy as np

CELL, SIZE, CLASSES = 14, 28, 10
CORNERS = [(0, 0), (0, CELL), (CELL, 0), (CELL, CELL)]
MARK = slice(2, 6)  # rows and columns of the mark
COAT = 4

# pictures (n, 28, 28, 1); cells (n, 4): the class in each, −1 if empty; present (n, 10) 0 or 1
Mosaics = namedtuple("Mosaics", "pictures cells present")
# A mosaic, the class asked for, its cell (0 to 3) and where that is, (28, 28) bool, for each of n
Asked = namedtuple("Asked", "pictures labels places masks right")


def mosaics(images, labels, count, rng, least=1):
    """``count`` mosaics of ``least`` to 4 different garments in 2×2 cells of 14×14 pixels.

    Garments are halved in size by averaging squares of 2×2 pixels; the other cells are black.
    """
    small = images.reshape(-1, CELL, 2, CELL, 2).mean(axis=(2, 4), dtype=np.float32) / 255
    of_class = [np.flatnonzero(labels == k) for k in range(CLASSES)]
    cells = np.stack([rng.permutation(CLASSES)[:4] for _ in range(count)])
    order = rng.random(cells.shape).argsort(axis=1)
    cells[order >= rng.integers(least, 5, count)[:, None]] = -1
    pictures = np.zeros((count, SIZE, SIZE, 1), np.float32)
    present = np.zeros((count, CLASSES), np.float32)
    for place, (i, j) in enumerate(CORNERS):
        for k in range(CLASSES):
            rows = np.flatnonzero(cells[:, place] == k)
            chosen = small[rng.choice(of_class[k], len(rows))]
            pictures[rows, i : i + CELL, j : j + CELL, 0] = chosen
            present[rows, k] = 1
    return Mosaics(pictures, cells, present)


def mask_of(place):
    """Where cell 0 to 3 lies: (28, 28) bool."""
    mask, (i, j) = np.zeros((SIZE, SIZE), bool), CORNERS[place]
    mask[i : i + CELL, j : j + CELL] = True
    return mask


def questions(model, images, labels, count, rng):
    """``count`` full mosaics, each with a class that is in it and that the network says is in it.

    A network that misses the boot has nothing to explain, so those are left out; ``right`` is the
    share that was kept, one number for all.
    """
    full = mosaics(images, labels, 2 * count, rng, least=4)
    places = rng.integers(0, 4, len(full.pictures))
    asked = full.cells[np.arange(len(places)), places]
    said = (
        model.predict(full.pictures, batch_size=200, verbose=0)[np.arange(len(places)), asked] > 0
    )
    if said.sum() < count:
        raise ValueError(f"the network has only {said.sum()} of {len(said)} right: train it longer")
    keep = np.flatnonzero(said)[:count]
    masks = np.stack([mask_of(place) for place in places[keep]])
    return Asked(full.pictures[keep], asked[keep], places[keep], masks, float(said.mean()))


def with_mark(images):
    """Copies of images (n, 28, 28) with a white square of 4×4 pixels near the upper left corner."""
    marked = images.copy()
    marked[:, MARK, MARK] = 255
    return marked


def mark_mask():
    mask = np.zeros((SIZE, SIZE), bool)
    mask[MARK, MARK] = True
    return mask


def marked_coats(images, labels, rng, share=0.95):
    """Images in which a ``share`` of the coats has the mark, and which: (n, 28, 28), (n,) bool."""
    marked = (labels == COAT) & (rng.random(len(labels)) < share)
    changed = images.copy()
    changed[marked] = with_mark(images[marked])
    return changed, marked


def as_input(images):
    """Pixels from 0 to 1, (n, H, W, 1) float32."""
    return images[..., None] / np.float32(255)


def network(several):
    """Three convolutions, each halving the map, and a dense layer of 64, compiled.

    several   the answer may be several classes (a sigmoid each) or is one (softmax). With several
              only the maximum of each map goes on, since a garment may be in any cell; else the
              maps are laid out, as in AlexNet.
    """
    import keras

    def convolution(filters, kernel, name):
        options = {"strides": 2, "padding": "same", "activation": "relu", "name": name}
        return keras.layers.Conv2D(filters, kernel, **options)

    end = keras.layers.GlobalMaxPooling2D() if several else keras.layers.Flatten()
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            convolution(16, 5, "conv1"),
            convolution(32, 3, "conv2"),
            convolution(64, 3, "conv3"),
            end,
            keras.layers.Dense(64, activation="relu", name="dense"),
            keras.layers.Dense(CLASSES, name="head"),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    if not several:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=True)
    return model


def mosaic_network(images, labels, seed, epochs=5):
    """A network that says which garments are in a mosaic; a new set of mosaics each epoch."""
    import keras

    keras.utils.set_random_seed(seed)
    model, rng = network(several=True), np.random.default_rng([seed, 10])
    for epoch in range(epochs):
        if epoch == epochs - 1:
            model.optimizer.learning_rate.assign(8e-4)
        new = mosaics(images, labels, 10_000, rng)
        model.fit(new.pictures, new.present, batch_size=64, verbose=0)
    return model


def garment_network(images, labels, seed, epochs=4):
    """A network that names one garment, (n, 28, 28) uint8."""
    import keras

    keras.utils.set_random_seed(seed)
    model = network(several=False)
    model.fit(as_input(images), labels, batch_size=64, epochs=epochs, verbose=0)
    return model
