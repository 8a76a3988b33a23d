"""Lab 9's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import numpy as np

from helpers.check.attacks import pgd_step as book_step
from helpers.check.testing import verify


def test_fgsm():
    def with_clip(x, gradient, epsilon):
        return np.clip(x + epsilon * np.sign(gradient), 0, 1)

    def with_where(x, gradient, epsilon):
        up, down = np.minimum(x + epsilon, 1), np.maximum(x - epsilon, 0)
        return np.where(gradient > 0, up, np.where(gradient < 0, down, x))

    def only_up(x, gradient, epsilon):
        return np.clip(x + epsilon * (gradient > 0), 0, 1)

    def in_place(x, gradient, epsilon):
        x += epsilon * np.sign(gradient)
        return np.clip(x, 0, 1)

    # "1 + 1" above and "0 - 1" below: only the far ends of the clip can move, and they are caught.
    verify("fgsm", [with_clip, with_where], [only_up, in_place, lambda x, g, e: x])


def test_project():
    def with_two_clips(moved, x, epsilon):
        near = np.clip(moved, x - epsilon, x + epsilon)
        return np.clip(near, 0, 1)

    def with_one_box(moved, x, epsilon):
        low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
        return np.minimum(np.maximum(moved, low), high)

    def one_sided(moved, x, epsilon):
        return np.clip(np.minimum(moved, x + epsilon), 0, 1)

    def by_halves(moved, x, epsilon):
        return np.clip((moved + np.clip(moved, x - epsilon, x + epsilon)) / 2, 0, 1)

    verify("project", [with_two_clips, with_one_box], [one_sided, by_halves])


def test_pgd_step():
    def in_lines(moved, x, gradient, epsilon, rate):
        moved = moved + rate * np.sign(gradient)
        moved = np.clip(moved, x - epsilon, x + epsilon)
        return np.clip(moved, 0, 1)

    def with_change(moved, x, gradient, epsilon, rate):
        change = np.clip(moved - x + rate * np.sign(gradient), -epsilon, epsilon)
        return np.minimum(np.maximum(x + change, 0), 1)

    def twice(moved, x, gradient, epsilon, rate):
        return book_step(book_step(moved, x, gradient, epsilon, rate), x, gradient, epsilon, rate)

    def in_place(moved, x, gradient, epsilon, rate):
        moved += rate * np.sign(gradient)
        return np.clip(np.clip(moved, x - epsilon, x + epsilon), 0, 1)

    verify("pgd_step", [in_lines, with_change], [twice, in_place])


def test_margin():
    def with_mask(logits, labels):
        own = np.eye(logits.shape[1], dtype=bool)[labels]
        others = np.where(own, -np.inf, logits)
        return others.max(axis=1) - logits[own]

    def with_loops(logits, labels):
        found = []
        for row, label in zip(logits, labels, strict=True):
            others = [z for k, z in enumerate(row) if k != label]
            found.append(max(others) - row[label])
        return np.array(found)

    def in_place(logits, labels):
        rows = np.arange(len(labels))
        own = logits[rows, labels].copy()
        logits[rows, labels] = -np.inf
        return logits.max(axis=1) - own

    def rounded(logits, labels):
        return np.sign(with_mask(logits, labels))

    verify(
        "margin", [with_mask, with_loops], [in_place, rounded, lambda z, y: with_mask(z, y[::-1])]
    )
