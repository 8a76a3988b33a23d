"""The long sweeps of lab 7: ``python tools/measure_transfer.py [STAGE ...]``, by default all.

Stages, in order: ``cut``, ``more``, ``labels``, ``scratch``, ``tuning``, ``order``. Every run is
added to ``src/helpers/assets/transfer.csv`` as it ends, and a run that is there is not made again,
so the script may be stopped and started. Frozen features are kept in a cache (``BOOK_DATA``).

The images: of the 10,000 bundled training images 1,000 are for validation, where every setting is
chosen; the other 9,000 are the pool. Draw k of n labels a class takes the k-th n of each class in a
fixed order, so draws share no image. Five draws of 500 need more than the pool; it goes on with the
rest of the full set. The 2,000 bundled test images say how good the result is. About an hour on one
core of 2026. What ``measure_camera.py`` measures goes into the same table.
"""

import sys
from functools import cache

import measuring
import numpy as np
from PIL import Image
from transfer_runs import CACHE, DRAWS, best, fit, run, scaled

from helpers import datasets, transfer
from helpers.selfsupervised import reading
from helpers.transfer import accuracy, begin_again

CUT, TOP = 11, 16
PENALTIES = (0.01, 0.1, 1.0)
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
SCRATCH_RATES = (3e-4, 1e-3, 3e-3, 1e-2)
EVERY = {5: 10, 25: 20, 100: 50, 500: 100}  # steps between two looks at validation
MOST = {5: 150, 25: 300, 100: 600, 500: 1200}  # steps at most
MOST_SCRATCH = {5: 200, 25: 400, 100: 800, 500: 1200}
PATIENCE = 5  # looks without a better one


# The images


@cache
def images():
    """Training images and labels in the order of the draws, validation, test."""
    quick, full = datasets.fashion_mnist("quick"), datasets.fashion_mnist("full")
    rest = measuring.outside_the_bundle(full.train_images)
    rng = np.random.default_rng([0, 0])
    order = [rng.permutation(np.flatnonzero(quick.train_labels == c)) for c in range(10)]
    held_out = np.concatenate([o[: reading.VALIDATION] for o in order])
    pool_x, pool_y = [], []
    for c in range(10):
        more = [i for i in rest if full.train_labels[i] == c][:1600]
        x = np.concatenate(
            [quick.train_images[order[c][reading.VALIDATION :]], full.train_images[more]]
        )
        pool_x.append(x[:2500])
        pool_y.append(np.full(2500, c))
    # class by class within a position: the first 10 n images are n of each class
    pool_x, pool_y = (np.stack(p, 1).reshape(25000, *p[0].shape[1:]) for p in (pool_x, pool_y))
    held = quick.train_images[held_out], quick.train_labels[held_out].astype(int)
    return (pool_x, pool_y), held, (quick.test_images, quick.test_labels.astype(int))


def turned(batch):
    return np.stack(
        [np.array(Image.fromarray(i).rotate(20, Image.Resampling.BILINEAR)) for i in batch]
    )


def dimmed(batch):
    return (0.4 * batch).astype(np.uint8)


# What is frozen, computed once


@cache
def network(size):
    from helpers.efficientnet import block_outputs, efficientnet_lite0

    net = efficientnet_lite0(include_top=False, input_shape=(size, size, 3))
    return net, block_outputs(net)


def halves(length):
    """Two halves of an axis; of an odd one both have the middle."""
    return slice(0, (length + 1) // 2), slice(length // 2, length)


def pooled(maps):
    """Average and four quadrants of each map: lists of (n, channels) and (n, 4 channels)."""
    averages = [m.mean(axis=(1, 2)) for m in maps]
    quadrants = []
    for m in maps:
        cuts = halves(m.shape[1])
        parts = [m[:, a, b].mean(axis=(1, 2)) for a in cuts for b in cuts]
        quadrants.append(np.concatenate(parts, axis=1))
    return averages, quadrants


def features(size):
    """{set: {"average": 17 arrays, "quadrants": 17 arrays}} for pool, validation and test."""
    import keras

    from helpers.efficientnet import preprocess

    (pool, _), (held, _), (test, _) = images()
    net, maps = network(size)
    model = keras.Model(net.input, maps)
    sets = {"pool": pool if size == 64 else pool[:5000], "validation": held, "test": test}
    found = {}
    for name, batch in sets.items():
        file = CACHE / f"{name}-{size}.npz"
        if not file.is_file():
            chunks = []
            for i in range(0, len(batch), 50):
                out = model.predict_on_batch(preprocess(batch[i : i + 50, ..., None], size))
                averages, quadrants = pooled([np.asarray(m) for m in out])
                chunks.append([np.concatenate(averages, 1), np.concatenate(quadrants, 1)])
            arrays = [np.concatenate(c).astype(np.float16) for c in zip(*chunks, strict=True)]
            np.savez(file, average=arrays[0], quadrants=arrays[1])
            print(f"{file.name}: {arrays[1].shape}", flush=True)
        with np.load(file) as saved:
            found[name] = {key: saved[key] for key in saved.files}
    widths = [m.shape[-1] for m in maps]
    for kinds in found.values():
        for key, times in (("average", 1), ("quadrants", 4)):
            parts = np.split(kinds[key], np.cumsum(widths)[:-1] * times, axis=1)
            kinds[key] = [*parts, kinds[key]]  # the last: all depths together
    return found


@cache
def features_of(size):
    return features(size)


# Probes


def probe(parts, key, penalties=PENALTIES, draws=DRAWS):
    (_, y), (_, held), (_, truth) = images()
    labels = key[-1]
    for draw in draws:
        chosen = reading.draw(labels, draw)
        for penalty in penalties:

            def measure(chosen=chosen, penalty=penalty):
                model = fit(parts["pool"][chosen], y[chosen], penalty)
                sets = [(parts["pool"][chosen], y[chosen]), (parts["validation"], held)]
                sets.append((parts["test"], truth))
                return ["", *(float(model.score(*pair)) for pair in sets), ""]

            run((*key, draw, penalty), measure)


def cut():
    """Depth, pooling and resolution apart: ten labels a class at 17 depths and all together."""
    for size in (64, 224):
        for depth in [*range(17), 17]:
            for pooling in ("average", "quadrants"):
                if depth == 17 and pooling == "quadrants":
                    continue
                parts = {n: kinds[pooling][depth] for n, kinds in features_of(size).items()}
                name = "all" if depth == 17 else depth
                probe(scaled(parts), ("probe", size, name, pooling, 10))


def more():
    """Fifty draws of ten labels where depth, pooling and resolution are told apart."""
    for size in (64, 224):
        for depth in (CUT, TOP):
            for pooling in ("average", "quadrants"):
                parts = {n: kinds[pooling][depth] for n, kinds in features_of(size).items()}
                key = ("probe", size, depth, pooling, 10)
                chosen = best(*key, PENALTIES, DRAWS)
                probe(scaled(parts), key, [chosen], range(50))


def labels():
    """What labels buy: raw pixels, the middle and the top."""
    (pool, _), (held, _), (test, _) = images()
    sets = {"pool": pool, "validation": held, "test": test}
    parts = {n: x.reshape(len(x), -1) / np.float32(255) for n, x in sets.items()}
    for n in (5, 10, 25, 100, 500):
        probe(scaled(parts), ("probe", 28, "pixels", "none", n), (1e-4, 1e-3, 0.01, 0.1))
    for size, depth, pooling in [
        (64, CUT, "quadrants"),
        (224, CUT, "average"),
        (224, TOP, "average"),
        (224, CUT, "quadrants"),
        (64, TOP, "average"),
    ]:
        parts = scaled({n: kinds[pooling][depth] for n, kinds in features_of(size).items()})
        for n in (5, 25, 100, 500):
            if n < 500 or size == 64:
                penalties = (0.001, *PENALTIES) if size == 224 else PENALTIES
                probe(parts, ("probe", size, depth, pooling, n), penalties)


# Networks that are trained


def shift_and_flip(batch, rng):
    """Up to two pixels in each direction, and half of them mirrored."""
    padded = np.pad(batch, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-0.5)
    out = np.empty_like(batch)
    for i, (dy, dx) in enumerate(rng.integers(0, 5, (len(batch), 2))):
        window = padded[i, dy : dy + 28, dx : dx + 28]
        out[i] = window[:, ::-1] if rng.random() < 0.5 else window
    return out


@cache
def small_network():
    import keras
    from keras import layers

    net = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=True)
    return net


def scratch():
    """A network from nothing; its rate, and whether its images vary, chosen on validation."""
    import keras

    (pool, y), (held, held_y), (test, truth) = images()
    half = np.float32(0.5)
    pool, held, test = (x[..., None] / np.float32(255) - half for x in (pool, held, test))
    net = small_network()

    def measure(n, draw, setting):
        rate, varied = setting.split()
        keras.utils.set_random_seed(draw)
        begin_again(net, keras.models.clone_model(net).get_weights(), float(rate))
        chosen, rng = reading.draw(n, draw), np.random.default_rng([1, draw])
        batches = transfer.batches(pool[chosen], y[chosen], rng)
        if varied == "varied":
            batches = ((shift_and_flip(batch, rng), wanted) for batch, wanted in batches)
        look = lambda: accuracy(net, held, held_y)  # noqa: E731
        steps, kept = transfer.train(net, batches, look, EVERY[n], MOST_SCRATCH[n], PATIENCE)
        net.set_weights(kept)
        sets = [(pool[chosen], y[chosen]), (held, held_y), (test, truth)]
        return [steps, *(accuracy(net, *pair) for pair in sets), ""]

    for n in EVERY:
        key = ("scratch", 28, "all", "none", n)
        settings = [f"{rate} {how}" for how in ("varied", "plain") for rate in SCRATCH_RATES]
        for setting in settings:
            run((*key, 0, setting), lambda n=n, s=setting: measure(n, 0, s))
        chosen = best(*key, settings, [0])
        for draw in DRAWS:
            run((*key, draw, chosen), lambda n=n, d=draw, s=chosen: measure(n, d, s))


def inference_mode():
    import keras

    class InferenceMode(keras.layers.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(x, training=False)

    return InferenceMode


@cache
def stored(first):
    """What enters block ``first`` at 64 pixels: pool, validation, test and both shifted sets."""
    import keras

    from helpers.efficientnet import preprocess

    (pool, _), (held, _), (test, _) = images()
    net, maps = network(64)
    model = keras.Model(net.input, maps[first - 1] if first else net.input)
    sets = {"pool": pool, "validation": held, "test": test}
    sets |= {"turned": turned(test), "dimmed": dimmed(test)}
    found = {}
    for name, batch in sets.items():
        file = CACHE / f"{name}-64-into-{first}.npy"
        if not file.is_file():
            chunks = [
                model.predict_on_batch(preprocess(batch[i : i + 100, ..., None], 64))
                for i in range(0, len(batch), 100)
            ]
            np.save(file, np.concatenate(chunks).astype(np.float16))
        found[name] = np.load(file)
    return found


@cache
def tunable(first, last, labels):
    """Blocks ``first`` to ``last`` with a head on what leaves them; the weights they begin with.

    The head of block 11 sees its four quadrants, that of the top (16) the averages.
    """
    import keras

    _, maps = network(64)
    part = keras.Model(maps[first - 1], maps[last])
    copy = keras.models.clone_model(part)
    copy.set_weights(part.get_weights())
    reference = features_of(64)["validation"][POOLING[last]][last].astype(np.float32)
    mean, spread = reference.mean(axis=0), reference.std(axis=0) + 1e-3
    pool = keras.layers.Flatten() if last == CUT else keras.layers.GlobalAveragePooling2D()
    start = keras.Input(part.input_shape[1:])
    x = pool(inference_mode()(copy)(start))
    x = keras.layers.Normalization(mean=mean, variance=spread**2)(x)
    penalty = keras.regularizers.L2(0.5 / (0.01 * 10 * labels))  # 1/(2Cn), C = 0.01
    model = keras.Model(start, keras.layers.Dense(10, kernel_regularizer=penalty, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0, momentum=0.9), loss, jit_compile=True)
    return model, model.get_weights()


def tune(first, last, n, draw, rate, random_head=False):
    """From the probe, or a random head, on: step, and accuracy on four sets of images.

    They are its labels, validation, test, and the test images shifted.
    """
    (_, y), (_, held), (_, truth) = images()
    model, weights = tunable(first, last, n)
    begin_again(model, weights, rate)
    chosen = reading.draw(n, draw)
    parts = features_of(64)
    x = scaled({name: parts[name][POOLING[last]][last] for name in ("pool", "validation")})
    head = fit(x["pool"][chosen], y[chosen], 0.01)
    start = [head.coef_.T, head.intercept_]
    if random_head:  # as Keras draws it
        limit = np.sqrt(6 / sum(start[0].shape))
        rng = np.random.default_rng([2, draw])
        start = [rng.uniform(-limit, limit, start[0].shape), np.zeros(10)]
    model.get_layer("head").set_weights(start)
    inputs = stored(first)
    x, steps = inputs["pool"][chosen].astype(np.float32), 0
    if rate:
        look = lambda: accuracy(model, inputs["validation"], held)  # noqa: E731
        batches = transfer.batches(x, y[chosen], np.random.default_rng([1, draw]))
        steps, kept = transfer.train(model, batches, look, EVERY[n], MOST[n], PATIENCE)
        model.set_weights(kept)
    scores = [accuracy(model, x, y[chosen]), accuracy(model, inputs["validation"], held)]
    scores.append(accuracy(model, inputs["test"], truth))
    shifted = np.mean([accuracy(model, inputs[name], truth) for name in ("turned", "dimmed")])
    return [steps, *scores, float(shifted)]


POOLING = {CUT: "quadrants", TOP: "average"}
ARMS = [(11, CUT, (5, 25, 100, 500)), (11, TOP, (5, 25, 100))]


def tuning():
    """The rate chosen on the first draw's validation images, all draws with it; the probe kept."""
    for first, last, counts in ARMS:
        for n in counts:
            kept = ("probe kept", 64, last, POOLING[last], n)
            for draw in DRAWS:
                run((*kept, draw, 0.0), lambda a=first, b=last, n=n, d=draw: tune(a, b, n, d, 0.0))
            place = ("probe first", 64, f"{first}-{last}", POOLING[last], n)
            for rate in RATES:
                run((*place, 0, rate), lambda a=first, b=last, n=n, r=rate: tune(a, b, n, 0, r))
            rate = best(*place, RATES, [0])
            for draw in DRAWS:
                key = (*place, draw, rate)
                run(key, lambda a=first, b=last, n=n, d=draw, r=rate: tune(a, b, n, d, r))


def order():
    """The same from a random head, where the block that is tuned is the last one."""
    for n in (5, 100):
        place = ("all at once", 64, f"{CUT}-{CUT}", POOLING[CUT], n)
        for rate in RATES:
            run((*place, 0, rate), lambda n=n, r=rate: tune(CUT, CUT, n, 0, r, True))
        rate = best(*place, RATES, [0])
        for draw in DRAWS:
            run((*place, draw, rate), lambda n=n, d=draw, r=rate: tune(CUT, CUT, n, d, r, True))


STAGES = {f.__name__: f for f in (cut, more, labels, scratch, tuning, order)}


if __name__ == "__main__":
    measuring.run_stages(STAGES, sys.argv[1:], CACHE)
