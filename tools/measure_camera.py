"""The sweeps of lab 7 in which the camera changes: ``python tools/measure_camera.py [STAGE ...]``.

Stages, by default both: ``camera``, ``heads``. A small network has learned from 7,500 images; then
other images come, five labels of each class. Runs are added to the table as ``transfer_runs`` says;
the source network is kept in a cache (``BOOK_DATA``).
"""

import sys
from functools import cache, partial

import measuring
import numpy as np
from transfer_runs import CACHE, DRAWS, best, chosen_on_the_first, fit, run, scaled

from helpers import transfer
from helpers.selfsupervised import reading
from helpers.transfer import accuracy, begin_again

SOURCE = slice(1500, 9000)  # of the pool; before it are five draws of 25 a class, and a rest
CAMERA_STEPS = {5: (20, 200), 25: (20, 300)}  # between two looks at validation; at most
LADDER = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
CAMERA_PENALTIES = (0.001, 0.01, 0.1, 1.0)
CUTS = ("conv3", "dense")


@cache
def source():
    """The weights of the source network, trained on images as they were."""
    images = reading.split()
    file = CACHE / "source.npz"
    if not file.is_file():
        x = transfer.as_input(images.pool[SOURCE])
        net = transfer.source_network(x, images.labels[SOURCE], 0)
        np.savez(file, *net.get_weights())
    with np.load(file) as saved:
        return [saved[name] for name in saved.files]


@cache
def learner(first_only=False):
    return transfer.small_network(first_only)


@cache
def changed(change):
    split = reading.split()
    sets = {"pool": split.pool[: SOURCE.start], "validation": split.held, "test": split.test}
    x = {n: transfer.as_input(transfer.CHANGES[change](part)) for n, part in sets.items()}
    labels = split.labels[: SOURCE.start], split.held_labels, split.test_labels
    return x, dict(zip(sets, labels, strict=True))


@cache
def seen(change):
    """{layer: {set: features}}: pixels, and what the source network makes of changed images."""
    import keras

    net, (x, _) = learner(), changed(change)
    net.set_weights(source())
    layers = [keras.layers.Flatten()(net.get_layer(name).output) for name in CUTS]
    model = keras.Model(net.inputs, layers)
    made = {n: model.predict(part, batch_size=500, verbose=0) for n, part in x.items()}
    parts = {name: {n: m[i] for n, m in made.items()} for i, name in enumerate(CUTS)}
    parts["pixels"] = {n: part.reshape(len(part), -1) for n, part in x.items()}
    return parts


def as_it_is(change):
    net, (x, y) = learner(), changed(change)
    net.set_weights(source())
    return ["", *(accuracy(net, x[name], y[name]) for name in x), ""]


def frozen(change, layer, n, draw, penalty):
    parts, y, chosen = scaled(seen(change)[layer]), changed(change)[1], reading.draw(n, draw)
    model = fit(parts["pool"][chosen], y["pool"][chosen], penalty)
    sets = [(parts["pool"][chosen], y["pool"][chosen])]
    sets += [(parts[name], y[name]) for name in ("validation", "test")]
    return ["", *(float(model.score(*pair)) for pair in sets), ""]


def learn(arm, change, n, draw, rate):
    """One network trained on changed images.

    arm   "tuned" and "first layer" begin with the source network, its head, too; "probe first" with
          a probe as its head; "random head" with a random one; "scratch" with nothing
    """
    import keras

    net, chosen, (x, y) = learner(arm == "first layer"), reading.draw(n, draw), changed(change)
    # The source network began from seed 0, so a random head must not.
    keras.utils.set_random_seed(draw + 100 * (arm == "random head"))
    weights = keras.models.clone_model(net).get_weights()  # a random start
    if arm != "scratch":
        weights[:-2] = source()[:-2]
    if arm in ("tuned", "first layer"):
        weights = source()
    if arm == "probe first":
        place = ("probe", f"28 {change}", "dense", "none", n)
        penalty = float(best(*place, CAMERA_PENALTIES, [0]))
        found = seen(change)["dense"]
        labeled = found["pool"][chosen], y["pool"][chosen]
        weights[-2:] = transfer.head_of(*labeled, found["validation"], penalty)
    begin_again(net, weights, rate)
    labeled = x["pool"][chosen], y["pool"][chosen]
    batches = transfer.batches(*labeled, np.random.default_rng([1, draw]))
    look = lambda: accuracy(net, x["validation"][:500], y["validation"][:500])  # noqa: E731
    steps, kept = transfer.train(net, batches, look, *CAMERA_STEPS[n])
    net.set_weights(kept)
    pairs = [labeled, *((x[name], y[name]) for name in ("validation", "test"))]
    return [steps, *(accuracy(net, *pair) for pair in pairs), ""]


def rates(place, measure):
    """The rates tried on draw 0: more and more, until the best is not at the edge."""
    low, high = 2, 6  # 3e-4 to 1e-2
    while True:
        for rate in LADDER[low:high]:
            run((*place, 0, rate), partial(measure, 0, rate))
        at = LADDER.index(best(*place, LADDER[low:high], [0]))
        if low < at < high - 1 or at in (0, len(LADDER) - 1):
            return LADDER[low:high]
        low, high = min(low, at - 1), max(high, at + 2)


def camera(counts=(5,), changes=tuple(transfer.CHANGES), arms=("tuned", "scratch")):
    """Probes, tuning and training from nothing where the images have changed."""
    for n in counts:
        for change in changes:
            place = ("as it is", f"28 {change}", "all", "none", 0)
            for draw in DRAWS:
                run((*place, draw, "none"), partial(as_it_is, change))
            for layer in ("pixels", *CUTS):
                place = ("probe", f"28 {change}", layer, "none", n)
                args = (change, layer, n)
                chosen_on_the_first(place, CAMERA_PENALTIES, partial(frozen, *args))
            for arm in arms:
                place, args = (arm, f"28 {change}", "all", "none", n), (arm, change, n)
                tried = rates(place, partial(learn, *args))
                chosen_on_the_first(place, tried, partial(learn, *args))
            seen.cache_clear()


def heads():
    """The winning case with other heads, and with the first layer alone."""
    camera(changes=("dimmed",), arms=("first layer", "probe first", "random head"))


STAGES = {"camera": camera, "heads": heads}


if __name__ == "__main__":
    measuring.run_stages(STAGES, sys.argv[1:], CACHE)
