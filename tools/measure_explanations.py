"""Measure explanations against tests: `explanations.csv` in the assets.

    python tools/measure_explanations.py [--seeds 0 1 2 3 4] [--only mosaic mark photograph]

Every row is one seed (or one photograph), one method and one test: the mean over `n` images, and
their standard deviation. A second call goes on where the first stopped. The bundled table takes
about fifteen minutes on one core. Images are `fashion_mnist_12000.npz`: networks learn from its
10,000 training images, maps are made of its 2,000 test images.

    where       "mosaic": 120 mosaics of four test garments, a class that the network finds in it;
                "mark": 50 test images of other garments with the mark on them that the network
                calls coats, after training with the mark on 95% of the coats; "network": the
                networks themselves; "photograph": the nine photographs, EfficientNet-Lite0's first
                guess, "seed" is then the photograph's number; "off center": the same, cropped so
                that the middle is near a corner
    test        "pointing", "hits": in the right cell, or in the mark; "deletion", "insertion": area
                under the probability's curve; and over the first 25 mosaics: "randomization",
                "randomization, absolute": rank correlation with the map of the network with
                shuffled weights, with signs or of the sizes; the same with "garment" after it: over
                the pixels that are not black; "sampling": of two runs with other random numbers;
                "twin": with the map of the next seed's network; "milliseconds" a map, on one core,
                on a machine that had other work, too
"""

import argparse
import sys
import time
from pathlib import Path

import measuring
import numpy as np

from helpers import datasets, explain, session
from helpers.explain import methods, mosaics

TARGET = Path(datasets.__file__).parent / "assets" / "explanations.csv"
COUNT, FEW, STEPS = 120, 25, 10


class Table:
    def __init__(self, path):
        self.runs = measuring.Table(path, ["where", "seed", "method", "test"], ["mean", "sd", "n"])

    def add(self, where, seed, method, test, numbers):
        if (where, seed, method, test) in self.runs:
            return
        numbers = np.atleast_1d(np.asarray(numbers, float))
        spread = numbers.std(ddof=1) if len(numbers) > 1 else 0.0
        row = [where, seed, method, test, f"{numbers.mean():.5g}", f"{spread:.4g}", len(numbers)]
        self.runs.add(row)

    def has(self, where, seed):
        return any(key[:2] == (where, str(seed)) for key in self.runs.rows)


OPTIONS = methods.Options(
    segments=lambda image: explain.grid(28, 28, 4), samples=300, permutations=6
)
NETWORKS = {}


def timed(table, where, seed, model, images, labels, rng, given):
    """Milliseconds a map, of each method by itself, on ten images (the second run counts)."""
    few, own = images[:10], labels[:10]
    score = [explain.score_of(model, int(k)) for k in own]
    segments = given.segments(few[0])
    calls = {
        "gradient": lambda: explain.gradient(model, few, own),
        "SmoothGrad": lambda: explain.smooth_grad(model, few, own, rng),
        "gradient × input": lambda: explain.gradient_times_input(model, few, own),
        "integrated gradients": lambda: explain.integrated_gradients(model, few, own),
        "guided backprop": lambda: explain.guided_backprop(model, few, own),
        "Grad-CAM": lambda: explain.grad_cam(model, few, own),
        "occlusion": lambda: [
            explain.occlusion(s, x, given.size, given.stride)
            for s, x in zip(score, few, strict=True)
        ],
        "LIME": lambda: [
            explain.lime(s, x, segments, rng) for s, x in zip(score, few, strict=True)
        ],
        "Shapley": lambda: [
            explain.shapley(s, x, segments, rng) for s, x in zip(score, few, strict=True)
        ],
        "edges": lambda: [explain.edges(x) for x in few],
        "center": lambda: [explain.center(x) for x in few],
        "random": lambda: [explain.noise(x, rng) for x in few],
    }
    for name, call in calls.items():
        call()
        begun = time.perf_counter()
        call()
        table.add(where, seed, name, "milliseconds", 100 * (time.perf_counter() - begun))


def curves(table, where, seed, name, maps, images, scores, rng, fill=0.0):
    for test, insert in (("deletion", False), ("insertion", True)):
        areas = [
            explain.area(explain.curve(s, x, m, rng, np.float32(fill), STEPS, insert))
            for s, x, m in zip(scores, images, maps, strict=True)
        ]
        table.add(where, seed, name, test, areas)


def trained(seed, data):
    if seed not in NETWORKS:
        NETWORKS[seed] = mosaics.mosaic_network(data.train_images, data.train_labels, seed)
    return NETWORKS[seed]


def mosaic(table, seed, data):
    model, twin = (trained(s, data) for s in (seed, (seed + 1) % 5))
    rng, given = np.random.default_rng([seed, 20]), OPTIONS
    asked = mosaics.questions(model, data.test_images, data.test_labels, COUNT, rng)
    x, labels = asked.pictures, asked.labels
    of_network(table, seed, model, asked)
    maps = methods.all_maps(model, x, labels, rng, given)
    few = x[:FEW], labels[:FEW], rng, given
    again, other = methods.all_maps(model, *few), methods.all_maps(twin, *few)
    with explain.shuffled(model, np.random.default_rng([seed, 21])):
        lost = methods.all_maps(model, *few)
    scores = [explain.score_of(model, int(k), "sigmoid") for k in labels]
    half = COUNT // 2
    for name, own in maps.items():
        for test, measure in (("pointing", explain.pointing), ("hits", explain.hits)):
            found = [measure(m, k) for m, k in zip(own, asked.masks, strict=True)]
            table.add("mosaic", seed, name, test, found)
        curves(table, "mosaic", seed, name, own[:half], x[:half], scores[:half], rng)
        for test, others in (("sampling", again[name]), ("twin", other[name])):
            pairs = zip(own[:FEW], others, strict=True)
            table.add("mosaic", seed, name, test, [explain.rank_correlation(*p) for p in pairs])
        randomization(table, seed, name, own, lost[name], x[..., 0] > 0)
    timed(table, "mosaic", seed, model, x, labels, rng, given)


def of_network(table, seed, model, asked):
    """What the network itself finds, in whole mosaics, in the asked cell and without it."""
    x, rows = asked.pictures, np.arange(COUNT)
    table.add("network", seed, "mosaic", "classes found", asked.right)
    only, without = (
        np.where(asked.masks[..., None] == keep, x, 0).astype(np.float32) for keep in (True, False)
    )
    for test, images in (("all", x), ("only its cell", only), ("without its cell", without)):
        logits = model.predict(images, verbose=0)[rows, asked.labels]
        table.add("network", seed, "mosaic", f"logit, {test}", logits)


def randomization(table, seed, name, own, lost, ground):
    """How much the maps of a ruined network are like those of the trained one."""
    for kind, change in (("", lambda m: m), (", absolute", np.abs)):
        pairs = [(change(a), change(b)) for a, b in zip(own[:FEW], lost, strict=True)]
        every = [explain.rank_correlation(a, b) for a, b in pairs]
        table.add("mosaic", seed, name, f"randomization{kind}", every)
        inside = [
            explain.rank_correlation(a[g][None], b[g][None])
            for (a, b), g in zip(pairs, ground[:FEW], strict=True)
        ]
        table.add("mosaic", seed, name, f"randomization{kind}, garment", inside)


def mark(table, seed, data):
    rng = np.random.default_rng([seed, 30])
    train, _ = mosaics.marked_coats(data.train_images, data.train_labels, rng)
    model = mosaics.garment_network(train, data.train_labels, seed)
    coats = data.test_images[data.test_labels == mosaics.COAT]
    others = data.test_images[data.test_labels != mosaics.COAT]

    def said(images):
        return model.predict(mosaics.as_input(images), verbose=0).argmax(axis=1)

    for test, images in (("unmarked coats", coats), ("marked coats", mosaics.with_mark(coats))):
        table.add("network", seed, "mark", f"recall, {test}", said(images) == mosaics.COAT)
    fooled = mosaics.with_mark(others)
    fooled = fooled[said(fooled) == mosaics.COAT]
    table.add(
        "network", seed, "mark", "others with the mark called coat", len(fooled) / len(others)
    )
    fooled = fooled[rng.permutation(len(fooled))[:50]]
    x, given, mask = mosaics.as_input(fooled), OPTIONS, mosaics.mark_mask()
    labels = np.full(len(x), mosaics.COAT)
    for name, own in methods.all_maps(model, x, labels, rng, given).items():
        for test, measure in (("pointing", explain.pointing), ("hits", explain.hits)):
            table.add("mark", seed, name, test, [measure(m, mask) for m in own])


def photograph(table, number, one, model):
    from helpers.efficientnet import preprocess

    rng = np.random.default_rng([number, 40])
    height, width = one.image.shape[:2]
    crops = {"photograph": one.image, "off center": one.image[height // 3 :, width // 3 :]}
    for where, image in crops.items():
        if table.has(where, number):
            continue
        x = preprocess(image)
        label = model(x, training=False).numpy().argmax(axis=1)
        black = -127 / 128
        given = methods.Options(
            black=black,
            size=48,
            stride=24,
            samples=150,
            permutations=2,
            segments=lambda picture: explain.superpixels(picture, 40),
        )
        maps = methods.all_maps(model, x, label, rng, given)
        for name, own in maps.items():
            scores = [explain.score_of(model, int(label[0]), "softmax")]
            curves(table, where, number, name, own, x, scores, rng, black)
        for steps in (50, 200) if where == "photograph" else ():
            ours = explain.integrated_gradients(model, x, label, black, steps)
            error = explain.completeness_error(model, x, label, ours, black)
            table.add(where, number, "integrated gradients", f"completeness, {steps} steps", error)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--only", nargs="+", default=["mosaic", "mark", "photograph"])
    parser.add_argument("--target", type=Path, default=TARGET)
    given = parser.parse_args()
    session.begin(0)
    table, data = Table(given.target), datasets.fashion_mnist("quick")
    for kind, run in (("mosaic", mosaic), ("mark", mark)):
        for seed in given.seeds if kind in given.only else ():
            if not table.has(kind, seed):
                begun = time.perf_counter()
                run(table, seed, data)
                print(f"{kind} {seed}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    if "photograph" in given.only:
        from helpers.efficientnet import efficientnet_lite0

        model = efficientnet_lite0()
        for number, one in enumerate(datasets.photographs()):
            begun = time.perf_counter()
            photograph(table, number, one, model)
            print(f"{one.name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
