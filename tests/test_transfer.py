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
