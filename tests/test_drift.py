"""``helpers.drift``: every detector keeps its level, and sees what is there to be seen."""

import numpy as np
import pytest
from scipy import stats

from helpers import drift


def outputs(n, rng, moved=0.0):
    z = rng.normal(0, 1, (n, 5))
    z[:, 0] += moved
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", drift.DETECTORS)
def test_it_keeps_its_level_and_has_power(name):
    test, rng = drift.DETECTORS[name], np.random.default_rng(0)
    clean = [test(outputs(200, rng), outputs(60, rng), rng) for _ in range(80)]
    moved = [test(outputs(200, rng), outputs(60, rng, 2.0), rng) for _ in range(10)]
    assert all(0 <= p <= 1 for p in clean)
    assert np.mean(np.array(clean) < 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 80)
    assert np.max(moved) < 0.05


def test_the_largest_gap_is_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 9, 50) / 8, rng.random(80)
    assert drift.largest_gap(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_the_p_value_is_scipys():
    rng = np.random.default_rng(5)
    for n, m in ((100, 10), (30, 300), (1000, 100)):
        a, b = rng.normal(size=n), rng.normal(0.3, 1, m)
        assert drift.ks(a, b) == pytest.approx(stats.ks_2samp(a, b, method="asymp").pvalue)


def test_bonferroni_asks_more_of_many_columns():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(100, 1)), rng.normal(0.5, 1, (100, 1))
    one = drift.ks(a, b)
    noise = [rng.normal(size=(100, 9)) for _ in range(2)]
    ten = drift.ks(np.hstack([a, noise[0]]), np.hstack([b, noise[1]]))
    assert ten >= one and drift.ks(a[:, 0], b[:, 0]) == one


def test_samples_that_do_not_fit_are_refused():
    for a, b in ((np.zeros((3, 2)), np.zeros((3, 4))), (np.zeros(0), np.zeros(3))):
        with pytest.raises(ValueError, match="no two samples"):
            drift.ks(a, b)
    with pytest.raises(ValueError, match="too small"):
        drift.two_sample_classifier(np.zeros((9, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize("name", drift.SHIFTS)
def test_a_shift_gives_images_like_those_it_was_given(name):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    before = images.copy()
    made = drift.SHIFTS[name](images, rng)
    assert made.shape == images.shape and made.dtype == np.uint8
    assert np.array_equal(images, before) and not np.array_equal(made, images)


def test_moved_and_season_do_what_they_say():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 5, 7] = 9
    assert drift.moved(image, 3)[0, 8, 7] == 9
    labels = np.repeat(np.arange(10), 50)
    chosen = drift.season(labels, 4, 0.5, 100, np.random.default_rng(0))
    assert len(chosen) == 100 and np.sum(labels[chosen] == 4) == 50
    with pytest.raises(ValueError, match="from 0 to 1"):
        drift.season(labels, 4, 2, 10, np.random.default_rng(0))


def test_the_table_is_whole():
    table = drift.table()
    assert set(table) == {"clean", *drift.SHIFTS, "more coats", "a new kind"}
    all_of_them = {(d, n) for d in drift.DETECTORS for n in drift.WINDOWS}
    for change in table.values():
        assert set(change.alarms) == all_of_them - {("mmd", 1000)}
    assert min(table["clean"].windows.values()) >= 200


@pytest.mark.parametrize("name", drift.DETECTORS)
@pytest.mark.parametrize(("place", "words"), [(0, "the reference has 1 of"), (1, "the window has")])
def test_nan_is_no_number_to_compare(name, place, words):
    samples = [np.random.default_rng(0).normal(size=(50, 3)) for _ in range(2)]
    samples[place][7, 1] = np.nan
    with pytest.raises(ValueError, match=words):
        drift.DETECTORS[name](*samples)


@pytest.mark.parametrize("change", [drift.darker, drift.noisy])
def test_images_from_0_to_1_would_become_black_and_are_refused(change):
    with pytest.raises(ValueError, match="images are float64; give uint8"):
        change(np.full((2, 28, 28), 0.5))
