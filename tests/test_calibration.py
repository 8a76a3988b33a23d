"""``helpers.calibration``: definitions against hand-made cases, and promises against simulation."""

import numpy as np
import pytest

from helpers import calibration

RNG = np.random.default_rng(0)


def simulated(n, temperature, rng):
    """Logits whose probabilities at ``temperature`` are the truth, and labels drawn from them."""
    logits = rng.normal(0, 3, (n, 10))
    p = calibration.softmax(logits, temperature)
    labels = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits, labels


def test_softmax_is_safe_and_sums_to_one():
    p = calibration.softmax(np.array([[1000.0, 0.0], [0.0, 0.0]]))
    assert np.allclose(p, [[1, 0], [0.5, 0.5]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature):
    logits, labels = simulated(20_000, temperature, np.random.default_rng(1))
    assert calibration.best_temperature(logits, labels) == pytest.approx(temperature, rel=0.04)


def test_the_temperature_changes_no_answer_and_lowers_the_error():
    logits, labels = simulated(5_000, 2.0, np.random.default_rng(2))
    before = calibration.answers(logits, labels)
    after = calibration.answers(logits, labels, calibration.best_temperature(logits, labels))
    assert np.array_equal(before[1], after[1])
    assert calibration.calibration_error(*after) < calibration.calibration_error(*before) / 4


def test_error_by_hand():
    sure, right = np.array([0.62, 0.68, 0.91, 1.0]), np.array([True, False, True, True])
    expected = (2 * abs(0.65 - 0.5) + 2 * abs(0.955 - 1)) / 4
    assert calibration.calibration_error(sure, right, 5) == pytest.approx(expected)
    x, y, count = calibration.bins_of(sure, right, 5)
    assert list(count) == [0, 0, 0, 2, 2] and np.isnan(x[:3]).all() and y[4] == 1
    with pytest.raises(ValueError, match="bins=0"):
        calibration.calibration_error(sure, right, 0)
    with pytest.raises(ValueError, match="differ"):
        calibration.calibration_error(sure, right[:2])


def test_chance_alone_grows_with_bins_and_falls_with_images():
    sure = RNG.uniform(0.5, 1, 2000)
    by_bins = [calibration.error_if_calibrated(sure, bins, 50).mean() for bins in (5, 15, 100)]
    assert 0 < by_bins[0] < by_bins[1] < by_bins[2]
    assert calibration.error_if_calibrated(sure[:200], 15, 50).mean() > 2 * by_bins[1]


def test_coverage_and_accuracy():
    coverage, accuracy = calibration.by_coverage(
        np.array([0.5, 0.9, 0.7, 0.6]), np.array([False, True, True, False])
    )
    assert list(coverage) == [0.25, 0.5, 0.75, 1] and np.allclose(accuracy, [1, 1, 2 / 3, 0.5])


@pytest.mark.parametrize("miss", [0.1, 0.3])
def test_conformal_sets_keep_their_promise_and_are_not_wasteful(miss):
    rng, covered = np.random.default_rng(3), []
    for _ in range(300):
        logits, labels = simulated(150, 1.0, rng)
        p = calibration.softmax(logits, 3.0)  # badly calibrated, and yet
        scores = 1 - p[np.arange(100), labels[:100]]
        sets = calibration.conformal_sets(p[100:], calibration.conformal_threshold(scores, miss))
        covered.append(calibration.set_coverage(sets, labels[100:])[0])
    assert 1 - miss - 0.008 < np.mean(covered) < 1 - miss + 0.02


def test_too_few_scores_are_told_by_infinity():
    assert calibration.conformal_threshold([0.1] * 8, 0.1) == np.inf
    assert calibration.conformal_threshold([0.3, 0.2, 0.1] * 3, 0.1) == 0.3
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration.conformal_threshold([0.1], 1)


LOGITS, RIGHT = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 4


@pytest.mark.parametrize(
    "use", [calibration.answers, calibration.cross_entropy, calibration.best_temperature]
)
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (RIGHT[:, None], r"labels \(40, 1\) are not of n images: give \(n, classes\) and \(n,\)"),
        (np.eye(4, dtype=int)[RIGHT], r"labels \(40, 4\)"),
        (RIGHT[:1], r"labels \(1,\)"),
        (RIGHT - 1, "from -1 to 2; give whole numbers from 0 to 3"),
        (RIGHT + 6, "from 6 to 9"),
        (RIGHT + 0.5, "labels are float64"),
    ],
)
def test_labels_that_do_not_fit_are_refused_and_not_spread(use, labels, words):
    with pytest.raises(ValueError, match=words):
        use(LOGITS, labels)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibration.answers(LOGITS * np.nan, RIGHT), "logits has 160 of 160"),
        (lambda: calibration.best_temperature(LOGITS / 0.0, RIGHT), "NaN or infinite"),
        (
            lambda: calibration.best_temperature(calibration.softmax(LOGITS), RIGHT),
            "these are probabilities; give logits",
        ),
        (lambda: calibration.softmax(LOGITS, 0), "temperature=0: give a number above 0"),
        (lambda: calibration.calibration_error(np.full(3, 93), np.ones(3)), "from 0 to 1, and one"),
        (lambda: calibration.calibration_error([np.nan], [1]), "from 0 to 1, and one"),
        (lambda: calibration.conformal_threshold([0.1, np.nan], 0.1), "1 of 2 scores are NaN"),
        (
            lambda: calibration.set_coverage(np.ones((40, 4), bool), RIGHT[:, None]),
            "not of n images",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_would_mislead_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
