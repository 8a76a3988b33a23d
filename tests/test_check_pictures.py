"""Lab 0's checks: right functions in several styles pass; wrong ones and mutants do not."""

import numpy as np

from helpers import layers
from helpers.check import pictures
from helpers.check.testing import verify

# Every entry of the result is overwritten, so what it began with does not matter.
OVERWRITTEN = ["line 2: other function in np.zeros"]


def test_scores():
    def by_loops(x, w, b):
        z = np.zeros((len(x), len(b)))
        for n in range(len(x)):
            for k in range(len(b)):
                z[n, k] = (x[n] * w[:, k]).sum() + b[k]
        return z

    verify(
        "scores",
        [by_loops, lambda x, w, b: np.dot(x, w) + b],
        [
            lambda x, w, b: x @ w + b[:, None],
            lambda x, w, b: x @ (w + b),
            lambda x, w, b: (x @ w + b).argmax(axis=1),
            lambda x, w, b: np.maximum(x @ w + b, 0),
            lambda x, w, b: x[0] @ w + b,
            lambda x, w, b: x @ w + b.mean(),
        ],
        equivalent=OVERWRITTEN,
    )


def test_cross_entropy():
    def by_loop(z, y):
        total = 0
        for n in range(len(y)):
            powers = np.exp(z[n])
            total = total - np.log(powers[y[n]] / powers.sum())
        return total / len(y)

    right = pictures.cross_entropy
    verify(
        "cross_entropy",
        [by_loop, lambda z, y: layers.softmax_cross_entropy(z, y)[0]],
        [
            lambda z, y: right(z, 0 * y),
            lambda z, y: np.exp(right(z, y)),
            lambda z, y: right(z, y) / z.shape[1],
            lambda z, y: (z.argmax(axis=1) != y).mean(),
        ],
    )


def test_linear_gradient():
    def by_loop(x, p, y):
        dw, db = np.zeros((x.shape[1], p.shape[1])), np.zeros(p.shape[1])
        for n in range(len(x)):
            for k in range(p.shape[1]):
                dz = p[n, k] - (y[n] == k)
                dw[:, k] += dz * x[n] / len(x)
                db[k] += dz / len(x)
        return dw, db

    def changes_p(x, p, y):
        p[np.arange(len(y)), y] -= 1
        return x.T @ p / len(y), p.mean(axis=0)

    right = pictures.linear_gradient
    verify(
        "linear_gradient",
        [by_loop, lambda x, p, y: (x.T @ (p - np.eye(p.shape[1])[y]) / len(y),
                                   (p - np.eye(p.shape[1])[y]).mean(axis=0))],
        [changes_p, lambda x, p, y: right(x, p, 0 * y), lambda x, p, y: right(x, p, y)[0]],
    )  # fmt: skip


def test_descent_step():
    def by_loop(w, dw, rate):
        new = w.copy()
        for index in np.ndindex(w.shape):
            new[index] -= rate * dw[index]
        return new

    def in_place(w, dw, rate):
        w -= rate * dw
        return w

    verify(
        "descent_step",
        [by_loop, lambda w, dw, rate: w + -rate * dw],
        [
            in_place,
            lambda w, dw, rate: w - rate * np.sign(dw),
            lambda w, dw, rate: w - rate * dw.mean(),
            lambda w, dw, rate: w - 0.1 * dw,
        ],
    )


def test_accuracy_interval():
    def by_counting(right):
        count, n = 0, len(right)
        for one in right:
            if one:
                count += 1
        share = count / n
        half = 1.96 * (share * (1 - share) / n) ** 0.5
        return share, share - half, share + half

    fn = pictures.accuracy_interval
    verify(
        "accuracy_interval",
        [by_counting, lambda right: tuple(np.array(fn(right)))],
        [
            lambda right: fn(right)[0],
            lambda right: fn(right)[1:],
            lambda right: fn(~right),
            lambda right: (fn(right)[0], fn(right)[2], fn(right)[1]),
            lambda right: (right.mean(), right.mean() - right.std(), right.mean() + right.std()),
        ],
    )


def test_nearest():
    def by_loops(x, pictures):
        found = []
        for row in x:
            best, least = 0, np.inf
            for m in range(len(pictures)):
                distance = ((row - pictures[m]) ** 2).sum()
                if distance < least:
                    best, least = m, distance
            found.append(best)
        return np.array(found)

    def by_product(x, pictures):
        return ((pictures**2).sum(axis=1) - 2 * x @ pictures.T).argmin(axis=1)

    verify(
        "nearest",
        [by_loops, by_product],
        [
            lambda x, pictures: abs(x[:, None] - pictures).sum(axis=2).argmin(axis=1) * 0,
            lambda x, pictures: by_loops(x, pictures).tolist(),
            lambda x, pictures: pictures[by_loops(x, pictures)],
            lambda x, pictures: ((x[:, None] - pictures) ** 2).sum(axis=1).argmin(axis=1),
            lambda x, pictures: np.arange(len(x)) % len(pictures),
        ],
        # Where the search begins does not matter, since any distance is less than infinity; the
        # mean is least where the sum is; and no two of the pictures here are equally near.
        equivalent=[
            "line 4: one more than 0",
            "line 4: one less than 0",
            "line 6: other function in",
            "line 7: other comparison in distance < least",
        ],
    )
