"""The checks of lab 03: right functions in two styles accepted, wrong ones and mutants rejected."""

import numpy as np
import pytest

from helpers import check, layers
from helpers.check import backward
from helpers.check import backward_plain as plain
from helpers.check.testing import verify


def gradient_with_flat_indices(f, x, h=1e-5):
    units = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + h * e) - f(x - h * e)) / 2 / h for e in units]
    return np.array(slopes).reshape(x.shape)


def loss_with_one_hot(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    one_hot = np.eye(logits.shape[1])[labels]
    return -np.mean((one_hot * log_p).sum(axis=1)), (np.exp(log_p) - one_hot) / len(logits)


def relu_with_where(da, z):
    return np.where(z > 0, da, 0.0)


def relu_by_copy(da, z):
    dz = da.copy()
    dz[z <= 0] = 0
    return dz


def dense_with_dot(dz, x, w):
    return np.dot(dz, w.T), np.dot(x.T, dz), np.sum(dz, axis=0)


def dense_by_images(dz, x, w):
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])
    for n in range(len(x)):
        dx[n] = w @ dz[n]
        dw += x[n][:, None] * dz[n]
        db += dz[n]
    return dx, dw, db


def convolution_by_positions(dz, x, w, stride=1):
    dx, dw, size = np.zeros_like(x), np.zeros_like(w), len(w)
    for i in range(dz.shape[1]):
        for j in range(dz.shape[2]):
            window = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
            dx[window] += np.einsum("nk,rtck->nrtc", dz[:, i, j], w)
            dw += np.einsum("nrtc,nk->rtck", x[window], dz[:, i, j])
    return dx, dw


def convolution_of_layers(dz, x, w, stride=1):
    _, cache = layers.conv2d(x, w, np.zeros(w.shape[-1]), stride)
    return layers.conv2d_backward(dz, cache)[:2]


def pool_by_windows(da, x, size=3, stride=2):
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        row, column = i * stride, j * stride
        window = x[n, row : row + size, column : column + size, c]
        r, t = divmod(int(window.argmax()), size)
        dx[n, row + r, column + t, c] += da[n, i, j, c]
    return dx


def pool_of_layers(da, x, size=3, stride=2):
    return layers.max_pool_backward(da, layers.max_pool(x, size, stride)[1])


def step_in_two_lines(w, v, dw, rate, momentum=0.9, decay=0.0005):
    new = momentum * v - rate * (dw + decay * w)
    return w + new, new


CASES = {
    "numerical_gradient": (
        [plain.numerical_gradient, gradient_with_flat_indices],
        [
            lambda f, x, h: np.zeros(x.shape),
            lambda f, x, h: gradient_with_flat_indices(f, x, h).ravel(),
            lambda f, x, h: gradient_with_flat_indices(f, x, 1e-5),
            lambda f, x, h: f(x + h) - f(x - h),
        ],
    ),
    "softmax_cross_entropy": (
        [loss_with_one_hot, layers.softmax_cross_entropy],
        [
            lambda z, y: loss_with_one_hot(z, y)[1],
            lambda z, y: loss_with_one_hot(z, y)[::-1],
            lambda z, y: (2 * loss_with_one_hot(z, y)[0], loss_with_one_hot(z, y)[1]),
            lambda z, y: (loss_with_one_hot(z, y)[0], loss_with_one_hot(z, y)[1] + 0.01),
        ],
    ),
    "relu_backward": (
        [relu_by_copy, relu_with_where],
        [lambda da, z: da * (z < 0), lambda da, z: da * np.sign(z)],
    ),
    "dense_backward": (
        [dense_by_images, dense_with_dot],
        [
            lambda dz, x, w: (dz @ w.T, x.T @ dz),
            lambda dz, x, w: (dz @ w.T, dz.T @ x, dz.sum(0)),
            lambda dz, x, w: (dz @ w.T, x.T @ dz, dz.sum()),
        ],
    ),
    "conv2d_backward": (
        [plain.conv2d_backward, convolution_by_positions, convolution_of_layers],
        [
            lambda dz, x, w, s: plain.conv2d_backward(dz, x, w, s)[0],
            lambda dz, x, w, s: [2 * g for g in plain.conv2d_backward(dz, x, w, s)],
        ],
    ),
    "max_pool_backward": (
        [pool_by_windows, pool_of_layers],
        [
            lambda da, x, size, s: da,
            lambda da, x, size, s: pool_by_windows(da, -x, size, s),
            lambda da, x, size, s: pool_by_windows(da, abs(x), size, s),
        ],
    ),
    "momentum_step": (
        [plain.momentum_step, step_in_two_lines],
        [
            lambda w, v, dw, r, m, d: (w - r * dw, v),
            lambda w, v, dw, r, m, d: (w + v, v),
        ],
    ),
}


# Mutants that compute the same: every entry of the array is written over.
EQUIVALENT = {
    "numerical_gradient": ["line 3: other function in np.zeros_like"],
    "dense_backward": ["line 2: other function in np.zeros"],
}


@pytest.mark.parametrize("name", CASES)
def test_tells_right_from_wrong(name):
    right, wrong = CASES[name]
    verify(name, right, wrong, equivalent=EQUIVALENT.get(name, ()))


def test_every_check_of_the_room_is_tested():
    assert {one.name for one in backward.CHECKS} == set(CASES)


def test_a_function_that_changes_its_input_is_told_so():
    def in_place(w, v, dw, rate, momentum=0.9, decay=0.0005):
        v *= momentum
        v -= rate * (dw + decay * w)
        return w + v, v.copy()

    verdict = check.momentum_step.verdict(in_place)
    assert verdict.status == "wrong" and "was changed" in verdict.sentence


def test_the_book_s_functions_agree_with_the_judge():
    """The reference of each layer is right by central differences, not only by agreement."""
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(2, 5, 6, 2)), rng.normal(size=(3, 3, 2, 3))
    z, _ = layers.conv2d(x, w, np.zeros(3), 2)
    dz = rng.normal(size=z.shape)
    dx, dw = plain.conv2d_backward(dz, x, w, 2)

    def loss(x, w):
        return np.sum(layers.conv2d(x, w, np.zeros(3), 2)[0] * dz)

    for ours, f, at in ((dx, lambda x: loss(x, w), x), (dw, lambda w: loss(x, w), w)):
        judge = plain.numerical_gradient(f, at)
        np.testing.assert_allclose(ours, judge, atol=1e-7 * np.abs(judge).max(), rtol=0)
