"""Lab 8's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import math

import numpy as np

from helpers.check.testing import verify


def test_brighten():
    def in_a_line(images, factors):
        return np.clip(images * factors[:, None, None], 0, 1)

    def with_a_loop(images, factors):
        out = np.empty_like(images)
        for n, factor in enumerate(factors):
            out[n] = np.where(images[n] * factor > 1, 1.0, images[n] * factor)
        return out

    def in_place(images, factors):
        images *= factors[:, None, None]
        return np.minimum(images, 1)

    wrong = [
        in_place,
        lambda x, f: np.minimum(x * f[None, :1, None], 1),
        lambda x, f: np.maximum(x * f[:, None, None], 1),
        lambda x, f: np.minimum(x * f[::-1, None, None], 1),
    ]
    # No image is below 0, and None with None exchanged is the same index.
    same = ["line 2: one less than 0", "line 2: indices exchanged"]
    verify("brighten", [in_a_line, with_a_loop], wrong, equivalent=same)


def test_nt_xent():
    def by_rows(a, b, temperature):
        z = np.concatenate([a, b])
        z = z / np.sqrt((z**2).sum(axis=1, keepdims=True))
        total = 0.0
        for i in range(len(z)):
            partner = (i + len(a)) % len(z)
            others = [j for j in range(len(z)) if j != i]
            logits = z[others] @ z[i] / temperature
            total = total + np.log(np.exp(logits).sum()) - z[partner] @ z[i] / temperature
        return total / len(z)

    def with_softmax(a, b, temperature):
        from scipy.special import log_softmax

        z = np.concatenate([a, b])
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        similar = np.where(np.eye(len(z), dtype=bool), -np.inf, z @ z.T / temperature)
        chosen = log_softmax(similar, axis=1)
        count = len(a)
        return -(np.diag(chosen, count).sum() + np.diag(chosen, -count).sum()) / len(z)

    def mean_inside(a, b, temperature):
        z = np.concatenate([a, b])
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        similar = z @ z.T / temperature
        np.fill_diagonal(similar, -np.inf)
        picked = similar[np.arange(len(z)), np.roll(np.arange(len(z)), len(a))]
        return (np.log(np.exp(similar).mean(axis=1)) - picked).mean()

    def agreement(a, b, temperature):
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return 2 - 2 * (a * b).sum(axis=1).mean()

    verify("nt_xent", [by_rows, with_softmax], [mean_inside, agreement])


def test_effective_rank():
    def plain(z):
        values = np.linalg.svd(z, compute_uv=False)
        shares = values / np.sum(values)
        shares = shares[shares > 1e-15]
        return np.exp(-np.sum(shares * np.log(shares)))

    def with_a_loop(z):
        values = np.linalg.svd(z)[1]
        total, entropy = sum(values), 0.0
        for value in values:
            if value > 0:
                entropy -= value / total * math.log(value / total)
        return math.exp(entropy)

    def of_the_covariance(z):
        values = np.linalg.eigvalsh(np.cov(z.T, ddof=0).reshape(z.shape[1], -1))
        shares = values[values > 1e-12] / values.sum()
        return np.exp(-(shares * np.log(shares)).sum())

    verify("effective_rank", [plain, with_a_loop], [of_the_covariance, lambda z: z.shape[1] * 1.0])
