"""The checks of lab 06: right functions in several styles, wrong ones, and mutants."""

import numpy as np

from helpers.check import architecture, blocks
from helpers.check.testing import verify


def normalize_reshaped(x, gamma, b, delta):
    flat = x.reshape(-1, x.shape[-1])
    s = (((flat - flat.mean(axis=0)) ** 2).mean(axis=0) + delta) ** 0.5
    u = ((flat - flat.mean(axis=0)) / s).reshape(x.shape)
    return u * gamma + b, u, s


def normalize_with_loop(x, gamma, b, delta):
    z, u, s = np.empty_like(x), np.empty_like(x), np.empty(x.shape[-1])
    for c in range(x.shape[-1]):
        s[c] = np.sqrt(np.var(x[..., c]) + delta)
        u[..., c] = (x[..., c] - np.mean(x[..., c])) / s[c]
        z[..., c] = gamma[c] * u[..., c] + b[c]
    return z, u, s


def test_normalize():
    f = normalize_reshaped
    verify(
        "normalize",
        right=[normalize_reshaped, normalize_with_loop],
        wrong=[
            lambda x, g, b, d: f(x, b, g, d),  # scale and offset exchanged
            lambda x, g, b, d: (f(x, g, b, d)[1], *f(x, g, b, d)[1:]),  # no scale, no offset
            lambda x, g, b, d: f(x, g, -b, d),
            lambda x, g, b, d: (*f(x, g, b, d)[:2], f(x, g, b, d)[2] ** 2),  # the variance
        ],
    )


def backward_reshaped(dz, u, s, gamma):
    u2, dz2 = u.reshape(-1, u.shape[-1]), dz.reshape(-1, u.shape[-1])
    dgamma, db = (u2 * dz2).sum(axis=0), dz2.sum(axis=0)
    dx = gamma / s * (dz2 - db / len(u2) - u2 * dgamma / len(u2))
    return dx.reshape(u.shape), dgamma, db


def backward_by_chain(dz, u, s, gamma):
    axes, count = tuple(range(u.ndim - 1)), u.size // u.shape[-1]
    du = dz * gamma
    dvariance = (du * u * s).sum(axis=axes) * -0.5 / s**3
    dmean = -(du / s).sum(axis=axes)
    dx = du / s + dvariance * 2 * u * s / count + dmean / count
    return dx, (dz * u).sum(axis=axes), dz.sum(axis=axes)


def test_normalize_backward():
    f = backward_reshaped
    verify(
        "normalize_backward",
        right=[backward_reshaped, backward_by_chain],
        wrong=[
            lambda dz, u, s, g: (f(dz, u, s, g)[0], *f(dz, u, s, g)[:0:-1]),  # exchanged
            lambda dz, u, s, g: f(dz, u, s**2, g),
            lambda dz, u, s, g: f(dz, -u, s, g),
        ],
        # NumPy takes any negative length for the one that is to be found
        equivalent=("line 2: one more than 1",),
    )


def fold_with_loop(w, gamma, offset, mean, variance, delta):
    new, b = np.empty_like(w), np.empty(w.shape[3])
    for k in range(w.shape[3]):
        factor = gamma[k] / (variance[k] + delta) ** 0.5
        new[..., k] = w[..., k] * factor
        b[k] = offset[k] - mean[k] * factor
    return new, b


def fold_in_two(w, gamma, offset, mean, variance, delta):
    s = np.sqrt(variance + delta)
    return w / s * gamma, -mean / s * gamma + offset


def test_fold():
    f = fold_with_loop
    verify(
        "fold",
        right=[fold_with_loop, fold_in_two],
        wrong=[
            lambda w, g, o, m, v, d: (w.copy(), f(w, g, o, m, v, d)[1]),
            lambda w, g, o, m, v, d: f(w, o, g, m, v, d),
            lambda w, g, o, m, v, d: (f(w, g, o, m, v, d)[0], -f(w, g, o, m, v, d)[1]),
        ],
    )


def residual_by_parts(da, x, w1, w2):
    z = x @ w1
    dw2 = np.maximum(z, 0).T @ da
    dz = da @ w2.T * (z > 0)
    dw1 = x.T @ dz
    return dz @ w1.T + da, dw1, dw2


def residual_with_where(da, x, w1, w2):
    z = x @ w1
    dz = np.where(z > 0, da @ w2.T, 0.0)
    return da + dz @ w1.T, x.T @ dz, np.where(z > 0, z, 0.0).T @ da


def test_residual_backward():
    f = residual_by_parts
    verify(
        "residual_backward",
        right=[residual_by_parts, residual_with_where],
        wrong=[
            lambda da, x, w1, w2: (x + f(da, x, w1, w2)[0], *f(da, x, w1, w2)[1:]),
            lambda da, x, w1, w2: (2 * da, *f(da, x, w1, w2)[1:]),
            lambda da, x, w1, w2: (f(da, x, w1, w2)[0], *f(da, x, w1, w2)[:0:-1]),
            lambda da, x, w1, w2: (f(da, x, w1, w2)[0] / 2, *f(da, x, w1, w2)[1:]),
        ],
    )


def cost_plain(size, channels, filters, height):
    return (
        height**2 * size**2 * channels * filters,
        height**2 * channels * (size**2 + filters),
    )


def cost_with_loop(size, channels, filters, height):
    whole = separable = 0
    for _ in range(height * height):
        whole += size * size * channels * filters
        separable += size * size * channels
        separable += channels * filters
    return whole, separable


def test_separable_cost():
    f = cost_plain
    verify(
        "separable_cost",
        right=[cost_plain, cost_with_loop],
        wrong=[
            lambda r, c, k, h: f(r, c, k, h)[::-1],
            lambda r, c, k, h: tuple(2 * n for n in f(r, c, k, h)),  # multiplications and additions
            lambda r, c, k, h: f(r, k, c, h),
            lambda r, c, k, h: (f(r, c, k, h)[0], h * c * (r * r + k)),
        ],
    )


def attention_plain(q, k, v):
    scores = (q @ k.T) * q.shape[1] ** -0.5
    scores = scores - scores.max(axis=1)[:, None]
    weights = np.exp(scores)
    return (weights @ v) / weights.sum(axis=1)[:, None]


def attention_with_loop(q, k, v):
    out = []
    for row in q:
        scores = np.array([row @ other for other in k]) / np.sqrt(len(row))
        weights = np.exp(scores - max(scores))
        out.append(weights @ v / sum(weights))
    return np.array(out)


def test_attention():
    f = attention_plain
    verify(
        "attention",
        right=[attention_plain, attention_with_loop],
        wrong=[
            lambda q, k, v: np.repeat(v.mean(axis=0)[None], len(q), axis=0),
            lambda q, k, v: f(k[: len(q)], q, v) if len(k) == len(q) else f(q, k, v) + 1,
            lambda q, k, v: f(q, k, -v),
            lambda q, k, v: v[(q @ k.T).argmax(axis=1)],  # the best one alone
        ],
    )


def test_the_room_has_what_the_lab_asks_for():
    assert [check.name for check in blocks.CHECKS + architecture.CHECKS] == [
        "normalize", "normalize_backward", "fold", "residual_backward", "separable_cost",
        "attention",
    ]  # fmt: skip
