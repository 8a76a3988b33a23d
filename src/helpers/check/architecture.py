"""Checks of lab 06's shorter functions: what a separable convolution costs, and attention."""

import numpy as np

from helpers.check.engine import Check, case


def separable_cost(size, channels, filters, height):
    """Multiply-adds of an ordinary and of a depthwise separable convolution, stride 1."""
    places = height * height
    whole = places * size * size * channels * filters
    return whole, places * size * size * channels + places * channels * filters


def attention(query, key, value):
    """For each row of query a mean of the rows of value, by softmax(query keyᵀ / √width)."""
    scores = query @ key.T / np.sqrt(query.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ value


def separable_cost_cases(rng):
    yield case("3×3, 2 channels to 4, one place", 3, 2, 4, 1)
    yield case("3×3, 64 channels to 128, 14×14", 3, 64, 128, 14)
    for _ in range(6):
        size, height = int(rng.choice([1, 3, 5, 7])), int(rng.integers(2, 20))
        channels, filters = (int(n) for n in rng.integers(2, 60, 2))
        label = f"{size}×{size}, {channels} channels to {filters}, {height}×{height}"
        yield case(label, size, channels, filters, height)


def attention_cases(rng):
    eye = np.eye(2)
    yield case("two tokens, q = k = v = identity", eye, eye, eye)
    for n, m, d, e in ((3, 3, 2, 2), (4, 4, 5, 5), (2, 5, 3, 4), (6, 2, 4, 1)):
        q, k, v = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.normal(size=(m, e))
        yield case(f"{n} queries, {m} keys of width {d}, values of {e}", q, k, v)
    q = 60 * rng.normal(size=(3, 4))
    yield case("large scores, in the thousands", q, 30 * q, rng.normal(size=(3, 2)))


def _cost(whole_factor=True, depthwise=True, pointwise=True, places=True):
    def wrong(size, channels, filters, height):
        whole, _ = separable_cost(size, channels, filters, height)
        deep = size * size * channels * depthwise + channels * filters * pointwise
        area = height * height if places else 1
        return (whole if places else whole // height**2), area * deep

    return wrong


def _pointwise_large(size, channels, filters, height):
    whole, _ = separable_cost(size, channels, filters, height)
    return whole, height**2 * (size**2 * channels + size**2 * channels * filters)


def _depthwise_all(size, channels, filters, height):
    whole, _ = separable_cost(size, channels, filters, height)
    return whole, height**2 * (size**2 * filters + channels * filters)


def _attention(scale=True, axis=1, largest=True, power=0.5):
    def wrong(q, k, v):
        scores = q @ k.T / (q.shape[1] ** power if scale else 1)
        shift = scores.max(axis=axis, keepdims=True) if largest else 0
        with np.errstate(all="ignore"):
            weights = np.exp(scores - shift)
            return weights / weights.sum(axis=axis, keepdims=True) @ v

    return wrong


CHECKS = [
    Check(
        "separable_cost",
        separable_cost,
        separable_cost_cases,
        {
            "the depthwise part is left out": _cost(depthwise=False),
            "the 1×1 part is left out": _cost(pointwise=False),
            "the places are left out": _cost(places=False),
            "the 1×1 convolution is counted as a large one": _pointwise_large,
            "there is a depthwise filter for each output": _depthwise_all,
        },
        returns=("ordinary", "separable"),
    ),
    Check(
        "attention",
        attention,
        attention_cases,
        {
            "the scores are not divided by the root of the width": _attention(scale=False),
            "the scores are divided by the width, not by its root": _attention(power=1),
            "the softmax runs over the queries": _attention(axis=0),
            "the largest score is not subtracted first, and the exponential overflows": _attention(
                largest=False
            ),
        },
    ),
]
