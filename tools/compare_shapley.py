"""Our Shapley values beside those of the package shap: ``python tools/compare_shapley.py``.

Run it in an environment of its own (``pip install shap==0.51.0`` beside the book's packages). The
players are twelve tiles of a test image, the game is AlexNet-28's logit of the label, so that all
4,096 teams can be asked and the exact values are known. Then both packages sample, with as many
questions to the network. shap goes through every order forward and back.
"""

import time
from itertools import product
from math import comb

import numpy as np
import shap

from helpers import alexnet, datasets, explain, session

IMAGES, ROWS, COLUMNS = 10, 4, 3
PARTS = ROWS * COLUMNS
ORDERS = (2, 10, 50)  # of shap: each is forward and back, so ours are twice as many


def game(model, image, label):
    """The score of n images, and of n teams of tiles (n, PARTS) as 0 and 1; the tiles."""
    rows, columns = (np.arange(28) * n // 28 for n in (ROWS, COLUMNS))
    tiles = rows[:, None] * COLUMNS + columns

    def score(images):
        return model(np.asarray(images, np.float32), training=False).numpy()[:, label]

    def teams(keep):
        return score(explain.covered(image, tiles, np.asarray(keep) > 0.5))

    return score, teams, tiles


def exact(teams):
    """Shapley's sum over all teams of the others: (PARTS,)."""
    everyone = np.array(list(product((0, 1), repeat=PARTS)))
    value, size = teams(everyone).astype(float), everyone.sum(axis=1)
    place, found = 2 ** np.arange(PARTS)[::-1], np.zeros(PARTS)
    for part in range(PARTS):
        without = np.flatnonzero(everyone[:, part] == 0)
        weight = 1 / (PARTS * np.array([comb(PARTS - 1, s) for s in size[without]]))
        found[part] = weight @ (value[without + place[part]] - value[without])
    return found


def by_shap(explainer, **options):
    return explainer(np.ones((1, PARTS)), silent=True, **options).values[0]


def main():
    print(session.begin(), "shap", shap.__version__)
    model = alexnet.alexnet28(weights="fashion_mnist")
    bundle, nobody = datasets.fashion_mnist("quick"), np.zeros((1, PARTS))
    off, seconds, agree = {}, {}, []
    for k in range(IMAGES):
        image = bundle.test_images[k][..., None] / np.float32(255)
        score, teams, tiles = game(model, image, int(bundle.test_labels[k]))
        truth = exact(teams)
        agree.append(np.abs(by_shap(shap.explainers.Exact(teams, nobody)) - truth).max())
        for orders in ORDERS:
            begun = time.perf_counter()
            values = explain.shapley(score, image, tiles, session.rng(k), 2 * orders)
            ours = np.array([values[tiles == part].sum() for part in range(PARTS)])
            between = time.perf_counter()
            sampler = shap.explainers.Permutation(teams, nobody, seed=k)
            theirs = by_shap(sampler, max_evals=orders * (2 * PARTS + 1))
            ended = time.perf_counter()
            for name, found in (("ours", ours), ("shap", theirs)):
                error = np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2))
                off.setdefault((name, orders), []).append(error)
            seconds.setdefault(orders, []).append((between - begun) / (ended - between))
    print(f"exact values, shap's minus ours: at most {max(agree):.1e} logits, {IMAGES} images")
    for orders in ORDERS:
        ours, theirs = (np.median(off[name, orders]) for name in ("ours", "shap"))
        ratio = np.median(seconds[orders])
        print(f"{orders * 2 * PARTS:5} questions: off by {ours:.3f} (ours), {theirs:.3f} (shap, both")
        print(f"      ways) of the values' size, medians; our time over shap's {ratio:.2f}")


if __name__ == "__main__":
    main()
