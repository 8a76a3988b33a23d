"""The runs of lab 8: ``python tools/measure_selfsupervision.py [STAGE ...]``, by default all.

Stages, in order: ``plain``, ``ours``, ``scratch``, ``methods``, ``views``, ``imagenet``,
``more``. What an encoder or a network reaches is added to
``src/helpers/assets/selfsupervision.csv`` as it ends, and what is there is not measured again, so
the script may be stopped and started. The weights of the encoders are kept in a cache
(``BOOK_DATA``).

The images are those of lab 7: of the 10,000 bundled training images 1,000 are for validation, where
every setting is chosen; nothing is trained on them. The other 9,000 are the pool, which encoders
see without labels. Draw k of n labels a class takes the k-th n of each class, so draws share no
image. ``test`` is the accuracy on the 2,000 bundled test images.

The strength of a probe is the best of four on validation in the mean over its draws, for each
encoder and each number of labels. ``seconds`` is processor time: of training an encoder or a
network, or of computing HOG for the pool.
"""

import sys
import time
from functools import cache
from pathlib import Path

import measuring
import numpy as np

from helpers import datasets, transfer
from helpers.selfsupervised import reading, table

ASSET = Path(__file__).resolve().parent.parent / "src" / "helpers" / "assets" / table.FILE
CACHE = datasets.CACHE / "selfsupervision"
BUDGETS, FEW = (1, 5, 10, 25, 100), (1, 10, 100)
SEEDS, VIEWS, STEPS = range(5), table.VIEWS, table.STEPS
EVERY, PATIENCE = 50, 8  # steps between two looks at validation; looks without a better one
MOST = {1: 600, 10: 600, 100: 2400}  # steps at most, by labels a class
RATES = (1e-3, 3e-3)


@cache
def images():
    return reading.split()


def draws(labels):
    return range(20 if labels == 10 else 5)


# One row a draw, written when all of an encoder's are there
TABLE = measuring.Table(ASSET, table.KEY, table.RESULT)


def missing(place, budgets):
    return [n for n in budgets if (*place, n, draws(n)[-1]) not in TABLE]


def add(place, parts, seconds, budgets):
    """Probe features of the pool, validation and test images: rows for each budget."""
    small, rows = images(), []
    x, held, test = reading.standardized(parts[0], *parts)
    for n in missing(place, budgets):
        strength = reading.best_strength(
            x, small.labels, held, small.held_labels, n, draws(n)[: 1 if n > 25 else 5]
        )
        for d in draws(n):
            chosen = reading.draw(n, d)
            fit = reading.probe(x[chosen], small.labels[chosen], strength)
            scores = [fit.score(held, small.held_labels), fit.score(test, small.test_labels)]
            numbers = [f"{score:.4f}" for score in scores]
            rows.append([*place, n, d, strength, *numbers, f"{seconds:.1f}"])
    TABLE.add(*rows)
    means = {n: np.mean([float(r[10]) for r in rows if r[6] == n]) for n in budgets}
    print(*place, f"{seconds:.0f} s", {n: f"{m:.4f}" for n, m in means.items()}, flush=True)


def sets():
    """The images that are read: of the pool as many as the draws have."""
    return images().pool[:5000], images().held, images().test


# What is not trained


def plain(budgets=BUDGETS):
    place = ("pixels", "", "", 0, 0, 0)
    if missing(place, budgets):
        add(place, [reading.pixels(part) for part in sets()], 0.0, budgets)
    for name in table.HOGS:
        place, chosen = (name, "", "", 0, 0, 0), budgets if name == table.HOG else (10,)
        if missing(place, chosen):
            parts, seconds = hogs(name)
            add(place, parts, seconds, chosen)
    for seed in SEEDS:
        read("random", "", 0, 0, seed, budgets if seed < 3 else FEW[:2])


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


def read(arm, views, steps, count, seed, budgets=(10,)):
    """All rows of an encoder: read by cells, with ten labels by averages and beside HOG as well."""
    at = (views, steps, count, seed)
    if not missing((arm, "cells", *at), budgets):
        return
    net, seconds = learned(arm, *at)
    ours = [reading.features(net, part) for part in sets()]
    add((arm, "average", *at), [reading.average(net, p) for p in sets()], seconds, (10,))
    if arm in ("simclr", "random") and views in (VIEWS, ""):
        pairs = zip(
            reading.standardized(ours[0], *ours),
            reading.standardized(hogs(table.HOG)[0][0], *hogs(table.HOG)[0]),
            strict=True,
        )
        both = [np.concatenate(pair, axis=1) for pair in pairs]
        add((arm, "cells and hog", *at), both, seconds, (10,))
    add((arm, "cells", *at), ours, seconds, budgets)  # the last: it says that all are there


@cache
def hogs(name):
    """HOG of the three sets, and the processor seconds for the pool of 9,000."""
    begun = time.process_time()
    count = 5000 if name == table.HOG else 2000  # of the others, which are only compared, less
    parts = [reading.hog(sets()[0][:count], *table.HOGS[name])]
    seconds = (time.process_time() - begun) * 9000 / count
    return parts + [reading.hog(part, *table.HOGS[name]) for part in sets()[1:]], seconds


def ours(seeds=SEEDS):
    for seed in seeds:
        read("simclr", VIEWS, STEPS, 9000, seed, BUDGETS if seed == 0 else FEW[:2])


def methods(seeds=SEEDS, arms=("vicreg", "rotation", "byol", "masked", "barlow")):
    for seed in seeds:
        for arm in arms:
            read(arm, "" if arm == "masked" else VIEWS, STEPS, 9000, seed)


def views(seeds=range(3)):
    """One change left out, or one added."""
    names = VIEWS.split()
    fewer = [" ".join(n for n in names if n != left) for left in names]
    more = [f"{VIEWS} {added}" for added in ("blur", "erase")]
    for seed in seeds:
        for chosen in [*fewer, *more]:
            read("simclr", chosen, STEPS, 9000, seed)


def more():
    """Four times the steps, on the same images and on all."""
    for seed in range(2):
        for count in (9000, 59000):
            read("simclr", VIEWS, 4 * STEPS, count, seed)


# Rivals that are trained with labels


def scratch(budgets=FEW, changed=(VIEWS, "")):
    """The same network from nothing, images as they are and varied; its length and its rate by
    validation (the rate on the first draw of ten labels)."""
    from helpers.selfsupervised import learning
    from helpers.selfsupervised.views import view

    small = images()
    held, test = learning.as_input(small.held), learning.as_input(small.test)

    def fit(names, rate, n, d):
        import keras

        keras.utils.set_random_seed(d)
        net = learning.classifier()
        optimizer = keras.optimizers.Adam(rate)
        chosen = reading.draw(n, d)
        found = learning.supervise(
            net, optimizer, small.pool[chosen], small.labels[chosen], view(names.split()), d,
            look=lambda: right(net, held, small.held_labels),
            every=EVERY, most=MOST[n], patience=PATIENCE,
        )  # fmt: skip
        return found, [right(net, held, small.held_labels), right(net, test, small.test_labels)]

    for names in changed:
        tried = {r: fit(names, r, 10, 0)[1][0] if len(RATES) > 1 else 1.0 for r in RATES}
        rate = max(tried, key=tried.get)
        for n in budgets:
            for d in range(5):
                place = ("scratch", "", names, MOST[n], 0, 0, n, d)
                if place in TABLE:
                    continue
                begun = time.process_time()
                best, scores = fit(names, rate, n, d)
                seconds = time.process_time() - begun
                numbers = [f"{score:.4f}" for score in scores]
                row = [*place, f"{rate} {best}", *numbers, f"{seconds:.1f}"]
                TABLE.add(row)
                print(*row, flush=True)


def right(net, x, y):
    return float(np.mean(net.predict(x, batch_size=1000, verbose=0).argmax(axis=1) == y))


def imagenet():
    """One label a class on features of lab 7 (block 11 in quadrants at 64 pixels); the others are
    in ``transfer.csv`` and are copied from there, so that one table has all."""
    from helpers.efficientnet import block_outputs, efficientnet_lite0, preprocess

    place = ("imagenet", "", "", 0, 0, 0)
    for n in (5, 10, 25, 100):
        found = transfer.runs("probe", 64, 11, "quadrants", n)
        for d in range(5):
            if (*place, n, d) not in TABLE:
                scores = [f"{found.validation[d]:.4f}", f"{found.test[d]:.4f}"]
                TABLE.add([*place, n, d, found.setting, *scores, ""])
    if missing(place, (1,)):
        import keras

        small = images()
        net = efficientnet_lite0(include_top=False, input_shape=(64, 64, 3))
        model = keras.Model(net.input, block_outputs(net)[11])
        parts, begun = [], time.process_time()
        for part in (small.pool[:500], small.held, small.test):
            made = model.predict(preprocess(part[..., None], 64), batch_size=100, verbose=0)
            parts.append(made.reshape(len(made), -1))
        add(place, parts, time.process_time() - begun, (1,))


STAGES = {f.__name__: f for f in (plain, ours, scratch, methods, views, imagenet, more)}


if __name__ == "__main__":
    measuring.run_stages(STAGES, sys.argv[1:], CACHE)
