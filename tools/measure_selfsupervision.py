"""The runs of lab 8: ``python tools/measure_selfsupervision.py [STAGE ...]``, by default all.

Stages, in order: ``plain``, ``methods``, ``scratch``, ``views``, ``more``, ``imagenet``. What an
encoder or a network reaches is added to ``src/helpers/assets/selfsupervision.csv`` as it ends, and
what is there is not measured again, so the script may be stopped and started. The weights of the
encoders are kept in a cache (``BOOK_DATA``).

The images are those of lab 7: of the 10,000 bundled training images 1,000 are for validation, where
every setting is chosen; nothing is trained on them. The other 9,000 are the pool, which encoders
see without labels. Draw k of n labels a class takes the k-th n of each class, so draws share no
image. ``test`` is the accuracy on the 2,000 bundled test images, ``all`` on all 10,000.

The strength of a probe is the best of four on validation in the mean over its draws, for each
encoder and each number of labels. ``seconds`` is processor time: of training an encoder or a
network, or of computing HOG for the pool.
"""

import csv
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from helpers import datasets, session, transfer
from helpers.selfsupervised import reading, table

ASSET = Path(__file__).resolve().parent.parent / "src" / "helpers" / "assets" / table.FILE
CACHE = datasets.CACHE / "selfsupervision"
BUDGETS = (1, 5, 10, 25, 100)
STEPS, SEEDS = 600, range(5)
VIEWS = "crop flip brightness"
EVERY, MOST, PATIENCE = 50, 800, 5  # steps between two looks at validation; at most; looks
RATES = (1e-3, 3e-3)


@cache
def images():
    return reading.split(), datasets.fashion_mnist("full")


def draws(labels):
    return range(20 if labels == 10 else 5)


# One row a draw, written when all of an encoder's are there


@cache
def done():
    if not ASSET.is_file():
        return set()
    with open(ASSET, newline="", encoding="utf-8") as file:
        return {tuple(row[name] for name in table.KEY) for row in csv.DictReader(file)}


def record(rows):
    fresh = not ASSET.is_file()
    with open(ASSET, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(table.KEY + table.RESULT)
        writer.writerows(rows)
    done.cache_clear()


def key(arm, views, steps, count, seed, labels, draw):
    return tuple(map(str, (arm, views, steps, count, seed, labels, draw)))


def missing(place, budgets):
    return [n for n in budgets if key(*place, n, draws(n)[-1]) not in done()]


def add(place, parts, seconds, budgets):
    """Probe features of the pool, validation, test and all test images: rows for each budget."""
    (small, full), rows = images(), []
    x, held, test, every = reading.standardized(parts[0], *parts)
    for n in missing(place, budgets):
        strength = reading.best_strength(
            x, small.labels, held, small.held_labels, n, draws(n)[: 2 if n > 25 else 5]
        )
        for d in draws(n):
            chosen = reading.draw(n, d)
            fit = reading.probe(x[chosen], small.labels[chosen], strength)
            scores = [fit.score(held, small.held_labels), fit.score(test, small.test_labels)]
            scores.append(fit.score(every, full.test_labels) if len(every) else None)
            rows.append([*key(*place, n, d), strength, *map(shown, scores), f"{seconds:.1f}"])
    record(rows)
    means = {n: np.mean([float(r[9]) for r in rows if r[5] == str(n)]) for n in budgets}
    print(*place, f"{seconds:.0f} s", {n: f"{m:.4f}" for n, m in means.items()}, flush=True)


def shown(score):
    return "" if score is None else f"{score:.4f}"


def sets():
    small, full = images()
    return small.pool, small.held, small.test, full.test_images


# What is not trained


def plain(budgets=BUDGETS):
    place = ("pixels", "", 0, 0, 0)
    if missing(place, budgets):
        add(place, [reading.pixels(part) for part in sets()], 0.0, budgets)
    for name, options in table.HOGS.items():
        chosen = budgets if name == table.HOG else (10,)
        if missing((name, "", 0, 0, 0), chosen):
            begun = time.process_time()
            pool = reading.hog(images()[0].pool, *options)
            seconds = time.process_time() - begun
            rest = [reading.hog(part, *options) for part in sets()[1:]]
            add((name, "", 0, 0, 0), [pool, *rest], seconds, chosen)
    for seed in SEEDS:
        place = ("random", "", 0, 0, seed)
        if missing(place, budgets):
            add(place, described(learned("random", "", 0, 0, seed)[0]), 0.0, budgets)


# Encoders


def task(arm, views):
    from helpers.selfsupervised import learning, losses
    from helpers.selfsupervised.views import view

    seen = view(views.split())
    joint = {"simclr": losses.nt_xent, "vicreg": losses.vicreg, "barlow": losses.barlow_twins}
    if arm in joint:
        return learning.joint(joint[arm], seen)
    return {"byol": learning.byol, "rotation": learning.rotation}[arm](seen)


def learned(arm, views, steps, count, seed):
    """An encoder and the processor seconds of its training, from the cache if it is there."""
    import keras

    from helpers.selfsupervised import learning

    if arm == "random":
        keras.utils.set_random_seed(seed)
        return learning.encoder(), 0.0
    file = CACHE / f"{arm}-{views.replace(' ', '_')}-{steps}-{count}-{seed}.npz"
    net = learning.encoder()
    if not file.is_file():
        made = learning.masked() if arm == "masked" else task(arm, views)
        begun = time.process_time()
        found = learning.pretrain(made, reading.unlabeled(count), steps=steps, seed=seed)
        seconds = time.process_time() - begun
        np.savez(file, *found.encoder.get_weights(), seconds=seconds)
    with np.load(file) as saved:
        net.set_weights([saved[name] for name in saved.files if name != "seconds"])
        return net, float(saved["seconds"])


def described(net):
    return [reading.features(net, part) for part in sets()]


def measure(arm, views=VIEWS, steps=STEPS, count=9000, seed=0, budgets=BUDGETS):
    place = (arm, views, steps, count, seed)
    if missing(place, budgets):
        net, seconds = learned(*place)
        add(place, described(net), seconds, budgets)
        if arm == "simclr" and views == VIEWS:  # is it more than HOG and more of it?
            both = [
                np.concatenate(reading.standardized(a, b) + reading.standardized(c, d), axis=1)
                for a, b, c, d in zip(*_pairs(net), strict=True)
            ]
            add(("simclr and hog", *place[1:]), both, seconds, (10,))


def _pairs(net):
    ours = described(net)
    theirs = [hog_of(name) for name in range(4)]
    return [ours[0]] * 4, ours, [theirs[0]] * 4, theirs


@cache
def hog_of(number):
    return reading.hog(sets()[number], *table.HOGS[table.HOG])


def methods():
    for seed in SEEDS:
        for arm in ("simclr", "vicreg", "rotation", "byol", "barlow"):
            measure(arm, seed=seed, budgets=BUDGETS if arm == "simclr" else (1, 10, 100))
        measure("masked", views="", seed=seed, budgets=(1, 10, 100))


def views():
    """One change left out, or one added, three seeds."""
    names = VIEWS.split()
    fewer = [" ".join(n for n in names if n != left) for left in names]
    more = [f"{VIEWS} {added}" for added in ("blur", "erase")]
    for seed in range(3):
        for chosen in [*fewer, *more]:
            measure("simclr", chosen, seed=seed, budgets=(10,))


def more():
    """Four times the steps, on the same images and on all."""
    for seed in range(2):
        for count in (9000, 59000):
            measure("simclr", steps=4 * STEPS, count=count, seed=seed, budgets=(1, 10, 100))


# Rivals that are trained with labels


def scratch():
    """The same network from nothing, images as they are and varied; its length and its rate by
    validation (the rate on the first draw of ten labels)."""
    from helpers.selfsupervised import learning
    from helpers.selfsupervised.views import view

    (small, full) = images()
    held, test, every = (learning.as_input(p) for p in (small.held, small.test, full.test_images))

    def fit(names, rate, n, d):
        import keras

        keras.utils.set_random_seed(d)
        net = learning.classifier()
        optimizer = keras.optimizers.Adam(rate)
        chosen = reading.draw(n, d)
        found = learning.supervise(
            net, optimizer, small.pool[chosen], small.labels[chosen], view(names.split()), d,
            look=lambda: right(net, held, small.held_labels),
            every=EVERY, most=MOST, patience=PATIENCE,
        )  # fmt: skip
        scores = [right(net, held, small.held_labels), right(net, test, small.test_labels)]
        return found, [*scores, right(net, every, full.test_labels)]

    for names in (VIEWS, ""):
        tried = {rate: fit(names, rate, 10, 0)[1][0] for rate in RATES}
        rate = max(tried, key=tried.get)
        print("scratch", repr(names), tried, flush=True)
        for n in BUDGETS:
            for d in range(10 if n == 10 else 5):
                place = ("scratch", names, MOST, 0, 0, n, d)
                if key(*place) in done():
                    continue
                begun = time.process_time()
                best, scores = fit(names, rate, n, d)
                seconds = time.process_time() - begun
                row = [*key(*place), f"{rate} {best}", *map(shown, scores), f"{seconds:.1f}"]
                record([row])
                print(*row, flush=True)


def right(net, x, y):
    return float(np.mean(net.predict(x, batch_size=1000, verbose=0).argmax(axis=1) == y))


def imagenet():
    """One label a class on features of lab 7 (block 11 in quadrants at 64 pixels); the others are
    in ``transfer.csv`` and are copied from there, so that one table has all."""
    from helpers.efficientnet import block_outputs, efficientnet_lite0, preprocess

    place = ("imagenet", "", 0, 0, 0)
    for n in (5, 10, 25, 100):
        found = transfer.runs("probe", 64, 11, "quadrants", n)
        for d in range(5):
            if key(*place, n, d) not in done():
                scores = [shown(found.validation[d]), shown(found.test[d]), ""]
                record([[*key(*place, n, d), found.setting, *scores, ""]])
    if missing(place, (1,)):
        import keras

        small, _ = images()
        net = efficientnet_lite0(include_top=False, input_shape=(64, 64, 3))
        model = keras.Model(net.input, block_outputs(net)[11])
        parts, begun = [], time.process_time()
        for part in (small.pool[:1000], small.held, small.test):
            made = model.predict(preprocess(part[..., None], 64), batch_size=100, verbose=0)
            parts.append(made.reshape(len(made), -1))
        add(place, [*parts, parts[2][:0]], time.process_time() - begun, (1,))


STAGES = {f.__name__: f for f in (plain, methods, scratch, views, more, imagenet)}


def main(stages):
    if unknown := [s for s in stages if s not in STAGES]:
        sys.exit(f"no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    print(session.begin())
    warnings.filterwarnings("ignore")
    CACHE.mkdir(parents=True, exist_ok=True)
    for stage in stages or STAGES:
        begun = time.time()
        STAGES[stage]()
        print(f"{stage}: {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
