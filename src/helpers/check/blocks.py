"""Checks of the functions that the reader of lab 06 writes: the blocks after AlexNet, plainly.

``helpers.batch_norm`` and ``helpers.blocks`` have them in general. Arrays are float64, channels
last.
"""

import numpy as np

from helpers.check.engine import Check, case


def normalize(x, gamma, b, delta):
    """z = gamma u + b of (..., C), with u = (x − mean) / s of each channel; also u and s."""
    axes = tuple(range(x.ndim - 1))
    s = np.sqrt(x.var(axis=axes) + delta)
    u = (x - x.mean(axis=axes)) / s
    return gamma * u + b, u, s


def normalize_backward(dz, u, s, gamma):
    """dx, dgamma, db of ``normalize``."""
    axes = tuple(range(u.ndim - 1))
    du = gamma * dz
    dx = (du - du.mean(axis=axes) - u * (u * du).mean(axis=axes)) / s
    return dx, (u * dz).sum(axis=axes), dz.sum(axis=axes)


def fold(w, gamma, offset, mean, variance, delta):
    """Weights and biases of the one convolution that also does the normalization behind it."""
    factor = gamma / np.sqrt(variance + delta)
    return w * factor, offset - mean * factor


def residual_backward(da, x, w1, w2):
    """dx, dw1, dw2 for a = x + relu(x w1) w2."""
    hidden = np.maximum(x @ w1, 0)
    dhidden = (da @ w2.T) * (hidden > 0)
    return da + dhidden @ w1.T, x.T @ dhidden, hidden.T @ da


def normalize_cases(rng):
    x = np.array([[1.0, 10.0], [3.0, 30.0]])
    yield case("two images, two channels", x, np.ones(2), np.zeros(2), 0.5)
    yield case("scale and offset", x, np.array([2.0, -1.0]), np.array([0.5, 3.0]), 0.5)
    for shape in ((6, 3), (2, 3, 4, 5), (3, 4, 2, 3), (5, 2, 2, 1)):
        gamma, b = rng.normal(size=(2, shape[-1]))
        x = rng.normal(1, 2, shape)
        yield case(f"x of shape {shape}", x, gamma, b, float(rng.uniform(0.1, 1)))
    yield case("a channel that is always 7", np.full((4, 2), 7.0), np.ones(2), np.ones(2), 0.01)


def normalize_backward_cases(rng):
    for shape in ((2, 1), (6, 3), (2, 3, 4, 5), (3, 4, 2, 3), (4, 2, 2, 2)):
        gamma, b = rng.normal(size=(2, shape[-1]))
        _, u, s = normalize(rng.normal(1, 2, shape), gamma, b, 0.2)
        yield case(f"x of shape {shape}", rng.normal(1, 1, shape), u, s, gamma)


def fold_cases(rng):
    one = np.ones((1, 1, 1, 1))
    numbers = (np.array([value]) for value in (3.0, 0.5, 2.0, 0.75))
    yield case("one weight, variance 0.75, delta 0.25", one, *numbers, 0.25)
    for shape in ((3, 3, 2, 4), (1, 1, 4, 3), (5, 5, 1, 2), (3, 3, 3, 3)):
        gamma, offset, mean = rng.normal(size=(3, shape[3]))
        variance = rng.uniform(0.1, 4, shape[3])
        yield case(
            f"w of shape {shape}", rng.normal(size=shape), gamma, offset, mean, variance, 0.1
        )


def residual_backward_cases(rng):
    one = np.ones((1, 1))
    yield case("one number, weights 1", one, 2 * one, one, one)
    yield case("the rectifier is off", one, -2 * one, one, 3 * one)
    for n, c, k in ((3, 2, 4), (5, 4, 2), (4, 3, 3), (2, 5, 6)):
        da, x = rng.normal(size=(2, n, c))
        w1, w2 = rng.normal(size=(c, k)), rng.normal(size=(k, c))
        yield case(f"x {n}×{c}, {k} hidden units", da, x, w1, w2)


def _over_images_only(x, gamma, b, delta):
    s = np.sqrt(x.var(axis=0) + delta)
    u = (x - x.mean(axis=0)) / s
    return gamma * u + b, u, s


def _each_image(x, gamma, b, delta):
    s = np.sqrt(x.var(axis=-1, keepdims=True) + delta)
    u = (x - x.mean(axis=-1, keepdims=True)) / s
    return gamma * u + b, u, s


def _all_channels(x, gamma, b, delta):
    s = np.sqrt(x.var() + delta)
    u = (x - x.mean()) / s
    return gamma * u + b, u, s * np.ones(x.shape[-1])


def _with_s(change):
    def wrong(x, gamma, b, delta):
        axes = tuple(range(x.ndim - 1))
        s = change(x, axes, delta)
        u = (x - x.mean(axis=axes)) / s
        return gamma * u + b, u, s

    return wrong


def _no_mean(x, gamma, b, delta):
    axes = tuple(range(x.ndim - 1))
    s = np.sqrt(x.var(axis=axes) + delta)
    return gamma * x / s + b, x / s, s


def _backward(center=True, project=True, scale=True, divide=True):
    def wrong(dz, u, s, gamma):
        axes = tuple(range(u.ndim - 1))
        du = gamma * dz if scale else dz
        dx = du - (du.mean(axis=axes) if center else 0)
        dx = dx - (u * (u * du).mean(axis=axes) if project else 0)
        dx = dx / s if divide else dx
        return dx, (u * dz).sum(axis=axes), dz.sum(axis=axes)

    return wrong


def _backward_means(dz, u, s, gamma):
    dx, dgamma, db = normalize_backward(dz, u, s, gamma)
    count = u.size / u.shape[-1]
    return dx, dgamma / count, db / count


def _sums_inside(dz, u, s, gamma):
    _, dgamma, db = normalize_backward(dz, u, s, gamma)
    return (gamma * dz - gamma * db - u * gamma * dgamma) / s, dgamma, db


def _no_path_around(da, x, w1, w2):
    dx, dw1, dw2 = residual_backward(da, x, w1, w2)
    return dx - da, dw1, dw2


def _only_around(da, x, w1, w2):
    _, dw1, dw2 = residual_backward(da, x, w1, w2)
    return da.copy(), dw1, dw2


def _no_mask(da, x, w1, w2):
    hidden = np.maximum(x @ w1, 0)
    dhidden = da @ w2.T
    return da + dhidden @ w1.T, x.T @ dhidden, hidden.T @ da


def _hidden_unrectified(da, x, w1, w2):
    dx, dw1, _ = residual_backward(da, x, w1, w2)
    return dx, dw1, (x @ w1).T @ da


CHECKS = [
    Check(
        "normalize",
        normalize,
        normalize_cases,
        {
            "the mean is taken over the images only, not over the places": _over_images_only,
            "each place is normalized over its channels (that is layer normalization)": _each_image,
            "all channels are normalized together": _all_channels,
            "delta is added to the deviation, not to the variance": _with_s(
                lambda x, axes, delta: x.std(axis=axes) + delta
            ),
            "delta is left out": _with_s(lambda x, axes, delta: x.std(axis=axes) + 1e-300),
            "it divides by the variance, not by its root": _with_s(
                lambda x, axes, delta: x.var(axis=axes) + delta
            ),
            "the mean is not subtracted": _no_mean,
        },
        returns=("z", "u", "s"),
    ),
    Check(
        "normalize_backward",
        normalize_backward,
        normalize_backward_cases,
        {
            "the mean and s are taken for constants": _backward(center=False, project=False),
            "s is taken for a constant": _backward(project=False),
            "the mean is taken for a constant": _backward(center=False),
            "gamma is left out of dx": _backward(scale=False),
            "dx is not divided by s": _backward(divide=False),
            "dgamma and db are means, not sums": _backward_means,
            "in dx there are sums where means belong": _sums_inside,
        },
        returns=("dx", "dgamma", "db"),
    ),
    Check(
        "fold",
        fold,
        fold_cases,
        {
            "the biases are not scaled": lambda w, g, o, m, v, d: (w * g / np.sqrt(v + d), o - m),
            "the mean is left out": lambda w, g, o, m, v, d: (w * g / np.sqrt(v + d), o.copy()),
            "it divides by the variance, not by its root": lambda w, g, o, m, v, d: (
                w * g / (v + d),
                o - m * g / (v + d),
            ),
            "gamma is left out": lambda w, g, o, m, v, d: fold(w, np.ones_like(g), o, m, v, d),
            "the mean is added": lambda w, g, o, m, v, d: fold(w, g, o, -m, v, d),
            "delta is left out": lambda w, g, o, m, v, d: fold(w, g, o, m, v, 0),
        },
        returns=("w", "b"),
    ),
    Check(
        "residual_backward",
        residual_backward,
        residual_backward_cases,
        {
            "the way around is missing in dx": _no_path_around,
            "dx has only the way around": _only_around,
            "the rectifier's mask is missing": _no_mask,
            "the hidden units are used before the rectifier": _hidden_unrectified,
        },
        returns=("dx", "dw1", "dw2"),
    ),
]
