"""Lab 7's table: what is chosen on validation, and that it is whole and says what it should."""

import csv

import numpy as np
import pytest

from helpers import datasets, transfer


def rows():
    with open(datasets.asset_path(transfer.FILE), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_run_is_there_once():
    keys = [tuple(row[k] for k in [*transfer.KEY, "draw", "setting"]) for row in rows()]
    assert len(set(keys)) == len(keys)


def test_accuracies_are_shares():
    for row in rows():
        for name in ("train", "validation", "test"):
            assert 0 <= float(row[name]) <= 1, row


def test_a_setting_is_chosen_on_validation_not_on_the_test_set():
    for place in {tuple(row[k] for k in transfer.KEY) for row in rows()}:
        tried = transfer.sweep(*place)
        shared = set.intersection(*(set(one.draws) for one in tried.values()))
        chosen = transfer.runs(*place)
        keep = np.isin(chosen.draws, list(shared))
        for other in tried.values():
            also = np.isin(other.draws, list(shared))
            assert chosen.validation[keep].mean() >= other.validation[also].mean()
        assert list(chosen.draws[:5]) == list(range(5)), (place, chosen.draws)


def test_a_place_that_was_not_measured_is_named():
    with pytest.raises(KeyError, match="probe, 64, 99"):
        transfer.runs("probe", 64, 99, "average", 10)


def test_a_changed_camera_keeps_number_size_and_type():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    for name, change in transfer.CHANGES.items():
        new = change(images)
        assert (new.shape, new.dtype) == (images.shape, np.uint8), name
        assert np.array_equal(new, images) == (name == "as it was"), name
        assert np.array_equal(new, change(images)), f"{name} differs when it is asked again"
    assert np.array_equal(transfer.CHANGES["inverted"](images) + images, np.full_like(images, 255))
    flat = np.full((1, 28, 28), 100, np.uint8)
    assert (transfer.CHANGES["blurred"](flat)[0, 2:-2, 2:-2] == 100).all()
    assert transfer.CHANGES["dimmed"](flat)[0, 0, 0] == 25


def test_two_sets_of_images_do_not_share_their_noise():
    images = np.full((2, 28, 28), 128, np.uint8)
    first = transfer.CHANGES["noisy"](images).astype(int) - 128
    other = transfer.CHANGES["noisy"](images + np.uint8(1)).astype(int) - 129
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(first[0].ravel(), first[1].ravel())[0, 1]) < 0.15


def test_a_probe_as_a_head_answers_as_the_probe():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(0, 4, (60, 5)) + y[:, None] * [1, 0, 2, 0, -3] + 7
    weights, offset = transfer.head_of(x, y, x, 0.1)
    scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)
    probe = LogisticRegression(C=0.1, tol=1e-3, max_iter=500).fit(scaled, y)
    assert np.allclose(x @ weights + offset, probe.decision_function(scaled), atol=1e-9)


class Steps:
    """Stands for a model: its weights are the number of its steps."""

    count = 0

    def train_on_batch(self, x, y):
        self.count += 1

    def get_weights(self):
        return self.count


@pytest.mark.parametrize(
    ("scores", "step", "looks"),
    [
        ([0.1, 0.5, 0.4, 0.3, 0.2, 0.6], 4, 5),  # three looks without a better one
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], 10, 5),  # until there are no more steps
        ([0.5, 0.5, 0.5, 0.5, 0.5], 2, 4),  # of equals the first
    ],
)
def test_training_stops_and_keeps_the_best_look(scores, step, looks):
    model, left = Steps(), iter(scores)
    batches = transfer.batches(np.arange(4), np.arange(4), np.random.default_rng(0), 2)
    found = transfer.train(model, batches, lambda: next(left), every=2, most=10, patience=3)
    assert found == (step, step)
    assert model.count == 2 * looks


def test_batches_are_drawn_from_the_labeled_images():
    x, y = np.arange(8), np.arange(8) + 100
    found = transfer.batches(x, y, np.random.default_rng(0), 5)
    for _ in range(3):
        some, labels = next(found)
        assert len(some) == 5 and np.array_equal(some + 100, labels)
