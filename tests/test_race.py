"""The recipe of the race: what is shown, the rate, that it learns and repeats, and bad input."""

import csv
import itertools

import keras
import numpy as np
import pytest
from test_tools import ROOT, tool

from helpers import datasets, race

PARTS = ["race", "live", "degradation", "transformer", "whole"]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 6, 5)).astype(np.uint8)


def small():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


def test_alternating_mirrors_show_each_image_both_ways():
    first, second, third = (race.augmented(IMAGES, k, 3, shift=0) for k in range(3))
    mirrored = IMAGES[:, :, ::-1]
    as_is = (first == IMAGES).all(axis=(1, 2))
    assert 5 < as_is.sum() < 35
    np.testing.assert_array_equal(first[~as_is], mirrored[~as_is])
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    np.testing.assert_array_equal(third, first)


def test_random_mirrors_differ_from_pass_to_pass():
    one, two = (race.augmented(IMAGES, k, 3, shift=0, mirror="random") for k in range(2))
    assert (one != two).any() and (one != two[:, :, ::-1]).any()


def test_a_shift_moves_by_at_most_so_much_and_pads_with_zeros():
    padded = np.pad(IMAGES, [(0, 0), (1, 1), (1, 1)])
    shown, found = race.augmented(IMAGES, 0, 5, shift=1, mirror="none"), set()
    for one, image in zip(shown, padded, strict=True):
        places = [(i, j) for i in range(3) for j in range(3)
                  if (one == image[i : i + 6, j : j + 5]).all()]  # fmt: skip
        assert len(places) == 1
        found.add(places[0])
    assert len(found) >= 7
    np.testing.assert_array_equal(race.augmented(IMAGES, 0, 5, 0, "none"), IMAGES)


def test_the_rate_rises_and_falls():
    rates = [float(race.schedule(0.4, 0.25, 80)(k)) for k in range(81)]
    assert rates[0] == 0 and max(rates) == pytest.approx(0.4) and rates.index(max(rates)) == 20
    assert rates[10] == pytest.approx(0.2) and rates[50] == pytest.approx(0.2)
    assert rates[80] == pytest.approx(0, abs=1e-6)
    assert float(race.schedule(0.4, 0, 80)(0)) == pytest.approx(0.4)


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam", "rate": 0.01}])
def test_it_learns_and_repeats(options):
    x = np.zeros((120, 6, 5), np.uint8)
    y = RNG.integers(0, 3, 120)
    for image, label in zip(x, y, strict=True):
        image[2 * label : 2 * label + 2] = 200
    runs = []
    for _ in range(2):
        model = small()
        runs.append(race.train(model, x, y, passes=15, batch=20, shift=0, smoothing=0, **options))
    assert runs[0] == runs[1] and runs[0][-1] < 0.5 * runs[0][0]
    assert (race.logits(model, x).argmax(1) == y).all()


def test_mirrored_answers_are_the_mean_of_both():
    model = small()
    both = race.logits(model, IMAGES) + race.logits(model, IMAGES[:, :, ::-1])
    np.testing.assert_allclose(race.logits(model, IMAGES, mirrored=True), both / 2, rtol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"passes": 0}, {"passes": 1.5}, {"batch": 0}, {"batch": 41}, {"mirror": "sometimes"},
        {"smoothing": 1}, {"optimizer": "lion"}, {"rate": 0}, {"warm_up": 1}, {"shift": -1},
        {"images": IMAGES / 255}, {"images": IMAGES[..., None]}, {"labels": np.zeros(39, int)},
    ],
)  # fmt: skip
def test_bad_options_are_named(change):
    given = {"images": IMAGES, "labels": np.zeros(40, int), "passes": 1, "batch": 8, **change}
    with pytest.raises(ValueError, match=r"give|needs|one of|more than"):
        race.train(small(), **given)


def test_a_rate_beyond_all_bounds_is_said_to_be_that():
    with pytest.raises(race.TrainingError, match="no longer finite in pass"):
        race.train(small(), IMAGES, np.arange(40) % 3, passes=9, batch=8, rate=1e38, warm_up=0)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))  # where the scripts find each other
    return tool("measure_race")


def test_each_step_of_the_ladder_changes_one_thing(script):
    runs = [settings for _, _, settings in script.runs(["race"])]
    together = [
        {"rate", "warm_up"},
        {"network"},
        {"network", "passes", "dropout"},
        {"network"},
        {"optimizer", "rate", "decay"},
        {"shift"},
        {"smoothing"},
        {"mirror"},
        {"passes"},
    ]
    changes = [{key for key in a if a[key] != b[key]} for a, b in itertools.pairwise(runs)]
    assert changes == together
    names = [name for _, name, _ in script.runs(PARTS)]
    assert len(set(names)) == len(names) == 10 + 1 + 12 + 3 + 1


def test_the_table_is_of_the_ladder_as_it_stands(script):
    path = datasets.asset_path("race.csv")
    every = script.runs(PARTS)
    known = {(part, name): settings for part, name, settings in every}
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert rows and list(rows[0]) == script.KEY + script.RESULT
    assert len({(row["part"], row["run"], row["seed"]) for row in rows}) == len(rows)
    for row in rows:
        settings = known[row["part"], row["run"]]
        assert {key: row[key] for key in settings} == {k: str(v) for k, v in settings.items()}
        assert 0.1 < float(row["test"]) < 1 and len(row["losses"].split()) == settings["passes"]


def test_a_table_is_read_by_part_and_sorted_by_seed(tmp_path, monkeypatch):
    path = tmp_path / "race.csv"
    monkeypatch.setattr(datasets, "asset_path", lambda name: tmp_path / name)
    # As it is without its memory, in which another test may have left the real table.
    monkeypatch.setattr(datasets, "table_rows", datasets.table_rows.__wrapped__)
    path.write_text(
        "part,run,seed,test,losses,mirror\nrace,a,1,0.9,2.0 1.5,none\n"
        "race,a,0,0.8,2.5 1.0,none\ndegradation,b,0,0.7,3.0 2.0,none\n"
    )
    found = race.table("race")
    assert list(found) == ["a"] and list(found["a"]["test"]) == [0.8, 0.9]
    assert found["a"]["losses"].shape == (2, 2) and found["a"]["mirror"][0] == "none"
    with pytest.raises(ValueError, match="no run of the table"):
        race.table("rocket")
