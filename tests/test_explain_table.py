"""Lab 10's table: it is whole, and says what one may read from it."""

import csv
import itertools

import numpy as np
import pytest

from helpers import datasets, session
from helpers.explain import methods, table

TRIVIAL = ["edges", "center", "random"]


def rows():
    with open(datasets.asset_path(table.FILE), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_seed_has_every_method_and_test_once():
    keys = [tuple(row[k] for k in ("where", "seed", "method", "test")) for row in rows()]
    assert len(set(keys)) == len(keys)
    tests = {key[3] for key in keys if key[0] == "mosaic"}
    assert {"pointing", "hits", "deletion", "insertion", "twin", "sampling"} <= tests
    seeds = map(str, table.seeds())
    for seed, name, test in itertools.product(seeds, table.methods(), tests):
        assert ("mosaic", seed, name, test) in keys
    assert len(table.methods()) == 12 and table.methods()[-3:] == TRIVIAL


def test_shares_and_correlations_are_in_their_range():
    for row in rows():
        value = float(row["mean"])
        if row["test"] in ("pointing", "hits", "deletion", "insertion"):
            assert 0 <= value <= 1, row
        if row["test"].startswith(("randomization", "twin", "sampling")):
            assert -1 <= value <= 1, row


def test_at_least_a_hundred_mosaics_a_seed():
    counts = [int(r["n"]) for r in rows() if r["where"] == "mosaic" and r["test"] == "pointing"]
    assert min(counts) >= 100


def test_what_draws_nothing_is_the_same_twice():
    for name in ("gradient", "integrated gradients", "Grad-CAM", "occlusion", "edges", "center"):
        assert np.allclose(table.values("mosaic", name, "sampling"), 1)
    assert abs(table.values("mosaic", "random", "sampling")).max() < 0.1


def test_maps_that_know_nothing_point_by_chance_and_do_not_notice_a_ruin():
    for name in TRIVIAL:
        assert np.all(abs(table.values("mosaic", name, "pointing") - 0.25) < 0.1)
    assert np.allclose(table.values("mosaic", "edges", "randomization"), 1)


def test_a_cell_is_the_mean_over_seeds_with_its_interval():
    mean, low, high = table.cell("mark", "gradient", "pointing")
    assert low < mean < high and mean == pytest.approx(
        table.values("mark", "gradient", "pointing").mean()
    )
    with pytest.raises(KeyError, match="mosaic, tea leaves, pointing"):
        table.values("mosaic", "tea leaves", "pointing")


def test_all_methods_in_one_form():
    import keras

    session.begin(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    images = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
    options = methods.Options(
        segments=lambda x: np.arange(64).reshape(8, 8) // 16, size=2, stride=2
    )
    maps = methods.all_maps(model, images, np.array([1, 3]), np.random.default_rng(0), options)
    assert list(maps) == table.methods()
    assert all(m.shape == (2, 8, 8) and np.isfinite(m).all() for m in maps.values())
