"""helpers.timing: the least of several rounds, in which the calls take turns."""

import time

import pytest

from helpers.timing import best_times


def test_the_calls_take_turns_and_warm_up():
    order = []
    best_times([lambda: order.append("a"), lambda: order.append("b")], rounds=3, pause=0)
    assert order == list("aabb") * 3


def test_the_least_time_counts():
    waits = iter([0, 0.05, 0, 0.01, 0, 0.03])  # of each pair the second is timed
    (least,) = best_times([lambda: time.sleep(next(waits))], rounds=3, pause=0)
    assert least == pytest.approx(0.01, abs=0.008)
