"""Classes that arrive one after the other: training on the new only, with a penalty, with a
memory, or anew.

The images come in four steps, first four classes, then two at a time, in an order that the seed
draws. After each step the network is judged on all classes seen so far, and is not told which step
an image belongs to (class-incremental learning).
"""

import numpy as np

from helpers import hidden_layer
from helpers.words import shown

STEPS = (4, 2, 2, 2)  # new classes in each
PIXELS, UNITS, RATE, BATCH, EPOCHS = 196, 100, np.float32(2e-3), 50, 5
STRATEGIES = ("new only", "elastic", "replay", "gdumb", "from scratch")
TABLE = "continual.csv"


def order_of(seed):
    """The classes of each step, four arrays."""
    classes = np.random.default_rng([13, seed]).permutation(10)
    return np.split(classes, np.cumsum(STEPS)[:-1])


class Network:
    """One hidden layer of 100 units and a softmax over ten classes, in NumPy, trained with Adam.

    Small enough to be trained a hundred times in a minute. Images are rows (n, 196) from 0 to 1.
    """

    def __init__(self, seed):
        self.weights = hidden_layer.start(np.random.default_rng([19, seed]), PIXELS, UNITS)
        self.means = [(np.zeros_like(w), np.zeros_like(w)) for w in self.weights]
        self.steps = 0

    def logits(self, x):
        return hidden_layer.logits(self.weights, x)

    def fit(self, x, y, springs=None):
        """One pass over the images as they come, in batches.

        springs   pairs of arrays for each array of weights: how strongly each weight is drawn to
                  where, the gradient of a penalty (``importance``)
        """
        for start in range(0, len(x), BATCH):
            self._step(x[start : start + BATCH], y[start : start + BATCH], springs)

    def importance(self, x, rng):
        """How much each weight matters for the answers to ``x``: arrays shaped as the weights.

        The diagonal of the Fisher information: the mean over the images of the squared gradient of
        the loss, with labels that are drawn from the network's own probabilities. The gradient of
        one image is an outer product, so its square is the product of the squares.
        """
        w1, b1, w2, b2 = self.weights
        hidden = np.maximum(x @ w1 + b1, 0)
        z = hidden @ w2 + b2
        dz = hidden_layer.errors(z, (z + rng.gumbel(size=z.shape)).argmax(axis=1))
        dh = (dz @ w2.T) * (hidden > 0)
        squares = [(np.float32(a) ** 2).T @ g**2 / len(x) for a, g in ((x, dh), (hidden, dz))]
        return squares[0], (dh**2).mean(axis=0), squares[1], (dz**2).mean(axis=0)

    def _step(self, x, y, springs=None):
        self.steps += 1
        rate = RATE * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        gradients = hidden_layer.gradients(self.weights, x, y)
        if springs:
            pulls = zip(gradients, self.weights, springs, strict=True)
            gradients = [g + strength * (w - home) for g, w, (strength, home) in pulls]
        for w, g, (m, v) in zip(self.weights, gradients, self.means, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= np.float32(rate) * m / (np.sqrt(v) + np.float32(1e-7))


def shrunk(images):
    """Images (n, 28, 28) from 0 to 255 as rows (n, 196) from 0 to 1: means of 2×2 pixels."""
    means = np.float32(images).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return means.reshape(-1, PIXELS) / np.float32(255)


def keep(memory, new, labels, size, rng):
    """Which images to remember when new ones arrive: GDumb's greedy, balanced sample.

    memory, new   indices remembered so far, and of the images that have just come
    labels        of all images;   size   images at most

    Every class gets the same number of places (one more for some, at random, if they do not divide
    evenly), and images leave at random. What has left is gone. Prabhu, Torr and Dokania, "GDumb",
    ECCV 2020.
    """
    if size < 1:
        raise ValueError(f"size={shown(size)}: a memory has room for an image at least")
    candidates = np.concatenate([memory, new])
    classes = np.unique(labels[candidates])
    places = np.full(len(classes), size // len(classes))
    places[rng.permutation(len(classes))[: size % len(classes)]] += 1
    chosen = [
        rng.permutation(candidates[labels[candidates] == one])[:room]
        for one, room in zip(classes, places, strict=True)
    ]
    return np.concatenate(chosen)


def learn(strategy, data, seed, size=500, epochs=EPOCHS, said=None):
    """Go through the four steps; accuracies ``(4,)`` on the test images of all classes so far.

    ``"elastic"`` is elastic weight consolidation (Kirkpatrick et al., PNAS 2017, equation 3): a
    weight is held where it was after the last step, by its importance in all steps so far.

    strategy   of ``STRATEGIES``; ``"from scratch"`` keeps every image and begins anew each time
    data       ``(images, labels, test images, test labels)``, images (n, 28, 28) uint8
    size       of the memory in images, for ``"replay"`` and ``"gdumb"``; for ``"elastic"`` the
               strength of the penalty, the paper's λ
    epochs     passes over the new images; those who begin anew see as many images as passes over
               all that have arrived would show them, since they have everything to learn
    said       a dictionary, which gets what the network answers to all test images after each step
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={shown(strategy)}; there are {', '.join(STRATEGIES)}")
    x, y, test_x, test_y = shrunk(data[0]), data[1], shrunk(data[2]), data[3]
    rng, model = np.random.default_rng([17, seed]), Network(seed)
    arrived, memory, scores, seen = np.empty(0, int), np.empty(0, int), [], []
    springs = None
    for step, classes in enumerate(order_of(seed)):
        new = np.flatnonzero(np.isin(y, classes))
        arrived, seen = np.concatenate([arrived, new]), [*seen, *classes]
        old, anew = memory, strategy in ("gdumb", "from scratch")
        if strategy in ("replay", "gdumb"):
            memory = keep(memory, new, y, size, rng)
        if anew:
            model = Network(seed)
        source = {"gdumb": memory, "from scratch": arrived}.get(strategy, new)
        order = _passes(source, epochs * len(arrived if anew else new), rng)
        if strategy == "replay" and len(old):  # every other image is an old one
            order[1::2] = _passes(old, len(order) // 2, rng)
        model.fit(x[order], y[order], springs)
        if strategy == "elastic":
            springs = _tightened(springs, model, x[new], size, rng)
        answers = model.logits(test_x).argmax(axis=1)
        scores.append(float(np.mean((answers == test_y)[np.isin(test_y, seen)])))
        if said is not None:
            said[step] = answers
    return np.array(scores)


def _tightened(springs, model, x, strength, rng):
    """The springs after a step: stiffer by what matters for its images, and fixed where we are."""
    stiff = [np.float32(strength) * f for f in model.importance(x, rng)]
    if springs:
        stiff = [new + old for new, (old, _) in zip(stiff, springs, strict=True)]
    return [(s, w.copy()) for s, w in zip(stiff, model.weights, strict=True)]


def _passes(source, count, rng):
    """``count`` indices: ``source`` again and again, each time in another order."""
    times = -(-count // len(source))
    return np.concatenate([rng.permutation(source) for _ in range(times)])[:count]


def table():
    """``tools/measure_continual.py``'s runs: ``{(strategy, size): (seeds, 4) accuracies}``."""
    from helpers.datasets import table_rows

    found = {}
    for row in table_rows(TABLE):
        scores = [float(row[f"step{k}"]) for k in range(1, 5)]
        found.setdefault((row["strategy"], int(row["size"])), []).append(scores)
    return {key: np.array(scores) for key, scores in found.items()}
