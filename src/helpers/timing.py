"""How long calls take, on a machine whose speed drifts while it is measured."""

import time

import numpy as np


def best_times(calls, rounds=5, pause=0.03):
    """Least time of each call in seconds.

    calls    functions without arguments
    rounds   in each of which every call has its turn, once to warm up and once on the clock
    pause    seconds before each turn, in which waiting threads of another library go to sleep

    Calls that are timed one after the other are not compared fairly: a shared or a warm machine
    may run at half its speed a minute later. Taking turns, all of them meet its fast moments.
    """
    least = np.full(len(calls), np.inf)
    for _ in range(rounds):
        for k, call in enumerate(calls):
            time.sleep(pause)
            call()
            start = time.perf_counter()
            call()
            least[k] = min(least[k], time.perf_counter() - start)
    return least
