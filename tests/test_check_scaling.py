"""Lab 14's checks: the right functions in two styles, wrong ones, and mutants."""

import numpy as np

from helpers.check.testing import verify
from helpers.scaling import laws


def gradient_with_loops(gradients, counts):
    total = np.zeros(gradients.shape[1])
    for gradient, count in zip(gradients, counts, strict=True):
        total += count * gradient
    return total / counts.sum()


def test_whole_gradient():
    wrong = [
        lambda g, c: np.median(g, axis=0),
        lambda g, c: -gradient_with_loops(g, c),
        lambda g, c: g[0],
        lambda g, c: gradient_with_loops(g, c[::-1]),
    ]
    styles = [gradient_with_loops, lambda g, c: np.average(g, axis=0, weights=c)]
    # A product does not mind its order, and the rows are as many as the counts.
    same = ["line 3: arguments exchanged in zip(", "line 3: no strict in zip("]
    verify("whole_gradient", styles, wrong, equivalent=same)


def ring_with_messages(vectors):
    """The same ring with the parts in lists and the index kept by the message."""
    workers, n = vectors.shape
    size = n // workers
    held = [[row[k * size : (k + 1) * size] for k in range(workers)] for row in vectors]
    sent = 0
    for lap in range(2 * workers - 2):
        messages = []
        for u in range(workers):
            part = (u - lap) % workers
            messages.append((u, part, held[u][part]))
        for u, part, numbers in messages:
            to = (u + 1) % workers
            held[to][part] = held[to][part] + numbers if lap < workers - 1 else numbers
        sent += size
    return np.array([np.concatenate(parts) for parts in held]), sent


def test_ring_all_reduce():
    def sums(vectors):
        return np.repeat(vectors.sum(axis=0)[None], len(vectors), axis=0)

    wrong = [
        lambda v: (sums(v), 0),
        lambda v: (sums(v), 2 * (len(v) - 1) * v.shape[1]),
        lambda v: (sums(v)[::-1] * 2, ring_with_messages(v)[1]),
        lambda v: (np.cumsum(v, axis=0), ring_with_messages(v)[1]),
    ]
    verify("ring_all_reduce", [ring_with_messages], wrong)


def law_by_hand(sizes, errors):
    x, y = np.log(sizes), np.log(errors)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return -slope, np.exp(y.mean() - slope * x.mean())


def law_of_the_book(sizes, errors):
    law = laws.fit(sizes, errors)
    return law.exponent, law.factor


def test_power_law():
    wrong = [
        lambda n, e: (law_by_hand(n, e)[0], e[0]),
        lambda n, e: (0.5, law_by_hand(n, e)[1]),
        lambda n, e: (law_by_hand(n, e)[0], np.exp(np.log(e).mean())),
    ]
    # Deviations add up to 0, so the mean of only one of the two need be taken off in a product.
    same = [f"line 3: other {what}" for what in (
        "operator in x - x.mean()", "operator in y - y.mean()",
        "function in x.mean", "function in y.mean",
    )]  # fmt: skip
    verify("power_law", [law_by_hand, law_of_the_book], wrong, equivalent=same)
