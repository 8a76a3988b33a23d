"""The functions that the reader of lab 03 writes, plainly, and the usual mistakes in each.

Images are (N, height, width, C), float64. ``da`` is the gradient of the loss with respect to a.
"""

import numpy as np


def numerical_gradient(f, x, h=1e-5):
    """The gradient at x of f, which takes an array like x and returns a number."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


def softmax_cross_entropy(logits, labels):
    """The mean loss over the rows, a number, and its gradient, an array like the logits."""
    z = logits - logits.max(axis=1, keepdims=True)
    total = np.exp(z).sum(axis=1, keepdims=True)
    rows = np.arange(len(z))
    loss = np.mean(np.log(total[:, 0]) - z[rows, labels])
    p = np.exp(z) / total
    p[rows, labels] -= 1
    return loss, p / len(z)


def relu_backward(da, z):
    """dz for a = max(0, z), arrays of any shape; at z = 0 it is 0."""
    return da * (z > 0)


def dense_backward(dz, x, w):
    """dx, dw, db for z = x w + b, with x (N, C), w (C, K), b (K,) and dz (N, K)."""
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


def conv2d_backward(dz, x, w, stride=1):
    """dx and dw of a convolution without bias or padding.

    x (N, height, width, C), w (R, R, C, K), dz (N, rows, columns, K), where output (i, j) sees
    the window of x that begins at row i * stride and column j * stride
    """
    dx, dw, size = np.zeros_like(x), np.zeros_like(w), len(w)
    for n, i, j, k in np.ndindex(dz.shape):
        rows = slice(i * stride, i * stride + size)
        columns = slice(j * stride, j * stride + size)
        dx[n, rows, columns] += dz[n, i, j, k] * w[..., k]
        dw[..., k] += dz[n, i, j, k] * x[n, rows, columns]
    return dx, dw


def max_pool_backward(da, x, size=3, stride=2):
    """dx for x (N, height, width, C) and da (N, rows, columns, C), without padding.

    Output (i, j) of a channel is the largest value of the size×size window that begins at
    row i * stride, column j * stride; of equal values the first wins.
    """
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        row, column = _winner(x, n, i, j, c, size, stride)
        dx[n, row, column, c] += da[n, i, j, c]
    return dx


def momentum_step(w, v, dw, rate, momentum=0.9, decay=0.0005):
    """The new w and the new v, two arrays; those that come in stay as they are."""
    v = momentum * v - decay * rate * w - rate * dw
    return w + v, v


def _winner(x, n, i, j, c, size, stride):
    row, column = i * stride, j * stride
    window = x[n, row : row + size, column : column + size, c]
    r, t = np.unravel_index(window.argmax(), window.shape)
    return row + r, column + t


def _forward_difference(f, x, h):
    return np.reshape([(f(x + h * e) - f(x)) / h for e in _units(x)], x.shape)


def _units(x):
    return np.eye(x.size).reshape(x.size, *x.shape)


def _brackets(f, x, h):
    wrong = [f(x + h * e) - f(x - h * e) / 2 * h for e in _units(x)]
    return np.reshape(wrong, x.shape)


def _all_rows(logits, labels):
    loss, _ = softmax_cross_entropy(logits, labels)
    p = _probabilities(logits, labels, scale=False)[1]
    p[:, labels] -= 1
    return loss, p / len(logits)


def _without_mean(logits, labels):
    loss, gradient = softmax_cross_entropy(logits, labels)
    return loss, gradient * len(logits)


def _probabilities(logits, labels, scale=True):
    loss, gradient = softmax_cross_entropy(logits, labels)
    gradient = gradient * len(logits)
    gradient[np.arange(len(logits)), labels] += 1
    return loss, gradient / len(logits) if scale else gradient


def _loops(dz, x, w, stride, turn=False, exchange=False, add=True, last=False):
    """``conv2d_backward`` with one mistake."""
    dx, dw, size = np.zeros_like(x), np.zeros_like(w), len(w)
    for n, i, j, k in np.ndindex(dz.shape):
        rows = slice(i * stride, i * stride + size)
        columns = slice(j * stride, j * stride + size)
        kernel = w[::-1, ::-1, :, k] if turn else w[..., k]
        kernel = kernel.swapaxes(0, 1) if exchange else kernel
        part, weight = dz[n, i, j, k] * kernel, dz[n, i, j, k] * x[n, rows, columns]
        dx[n, rows, columns] = dx[n, rows, columns] + part if add else part
        dw[..., k] = dw[..., k] * (not last) + weight
    return dx, dw


def _stride_ignored(dz, x, w, stride):
    return conv2d_backward(dz, x, w, 1)


def _assigned(da, x, size, stride):
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        row, column = _winner(x, n, i, j, c, size, stride)
        dx[n, row, column, c] = da[n, i, j, c]
    return dx


def _to_all_pixels(da, x, size, stride):
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        dx[n, i * stride : i * stride + size, j * stride : j * stride + size, c] += da[n, i, j, c]
    return dx


def _window_not_moved(da, x, size, stride):
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        row, column = _winner(x, n, i, j, c, size, stride)
        dx[n, row - i * stride + i, column - j * stride + j, c] += da[n, i, j, c]
    return dx


def _to_all_that_tie(da, x, size, stride):
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(da.shape):
        index = n, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size), c
        dx[index] += da[n, i, j, c] * (x[index] == x[index].max())
    return dx


def _pool_stride_ignored(da, x, size, stride):
    return max_pool_backward(da, x, size, 1)


def _pool_stride_is_size(da, x, size, stride):
    return max_pool_backward(da, x, size, size)


def _rate_outside(w, v, dw, rate, momentum, decay):
    v = momentum * v - decay * w - dw
    return w + rate * v, v


def _decoupled(w, v, dw, rate, momentum, decay):
    v = momentum * v - rate * dw
    return w + v - decay * rate * w, v


def _decay_without_rate(w, v, dw, rate, momentum, decay):
    v = momentum * v - decay * w - rate * dw
    return w + v, v


def _uphill(w, v, dw, rate, momentum, decay):
    v = momentum * v + decay * rate * w + rate * dw
    return w + v, v


def _old_velocity(w, v, dw, rate, momentum, decay):
    new = momentum_step(w, v, dw, rate, momentum, decay)[1]
    return w + v, new


def _averaged(w, v, dw, rate, momentum, decay):
    v = momentum * v - (1 - momentum) * rate * (dw + decay * w)
    return w + v, v


MISTAKES = {
    "numerical_gradient": {
        "it is divided by h, not by 2h": lambda f, x, h: 2 * numerical_gradient(f, x, h),
        "it is not divided by 2h": lambda f, x, h: 2 * h * numerical_gradient(f, x, h),
        "up and down are exchanged": lambda f, x, h: -numerical_gradient(f, x, h),
        "the nudge goes to one side only": _forward_difference,
        "brackets are missing: (f(up) - f(down)) / (2 * h)": _brackets,
        "brackets are missing around 2 * h: it is divided by 2 and multiplied by h": (
            lambda f, x, h: h * h * numerical_gradient(f, x, h)
        ),
    },
    "softmax_cross_entropy": {
        "this is the gradient of the sum, not of the mean: divide by the number of rows": (
            _without_mean
        ),
        "the probabilities are handed down: subtract 1 at the right class": (
            lambda z, y: _probabilities(z, y, scale=False)
        ),
        "1 is subtracted in every row at the classes of all: dlogits[rows, labels]": _all_rows,
        "the 1 is not yet subtracted at the right class": _probabilities,
        "the sign is wrong: it is what the network said minus what it should have said": (
            lambda z, y: (softmax_cross_entropy(z, y)[0], -softmax_cross_entropy(z, y)[1])
        ),
    },
    "relu_backward": {
        "nothing is masked": lambda da, z: da,
        "this is the forward pass": lambda da, z: np.maximum(z, 0),
        "the mask asks whether da is positive, not z": lambda da, z: da * (da > 0),
        "at z = 0 the gradient is 0 by convention": lambda da, z: da * (z >= 0),
        "it is multiplied by z": lambda da, z: da * np.maximum(z, 0),
        "this is the mask alone, without da": lambda da, z: 1.0 * (z > 0),
    },
    "dense_backward": {
        "db is the mean over the images, not the sum": (
            lambda dz, x, w: (dz @ w.T, x.T @ dz, dz.mean(axis=0))
        ),
        "dx uses w where its transpose belongs": lambda dz, x, w: (dz @ w, x.T @ dz, dz.sum(0)),
        "dw is divided by the number of images; the loss has done that": (
            lambda dz, x, w: (dz @ w.T, x.T @ dz / len(x), dz.sum(axis=0))
        ),
        "db sums over the units instead of the images": (
            lambda dz, x, w: (dz @ w.T, x.T @ dz, dz.sum(axis=1))
        ),
        "db is not summed over the images": lambda dz, x, w: (dz @ w.T, x.T @ dz, dz),
        "dx and dw are exchanged": lambda dz, x, w: (x.T @ dz, dz @ w.T, dz.sum(axis=0)),
    },
    "conv2d_backward": {
        "windows that overlap overwrite each other in dx: add": (
            lambda dz, x, w, s: _loops(dz, x, w, s, add=False)
        ),
        "dw keeps only the last window: add": lambda dz, x, w, s: _loops(dz, x, w, s, last=True),
        "the kernel is turned by half a turn; in the loops it is not": (
            lambda dz, x, w, s: _loops(dz, x, w, s, turn=True)
        ),
        "rows and columns of the kernel are exchanged": (
            lambda dz, x, w, s: _loops(dz, x, w, s, exchange=True)
        ),
        "dx and dw are exchanged": lambda dz, x, w, s: conv2d_backward(dz, x, w, s)[::-1],
        "the stride is ignored": _stride_ignored,
        "dw does not multiply by dz": (
            lambda dz, x, w, s: (
                conv2d_backward(dz, x, w, s)[0],
                conv2d_backward(np.ones_like(dz), x, w, s)[1],
            )
        ),
        "dx does not multiply by dz": (
            lambda dz, x, w, s: (
                conv2d_backward(np.ones_like(dz), x, w, s)[0],
                conv2d_backward(dz, x, w, s)[1],
            )
        ),
    },
    "max_pool_backward": {
        "windows that overlap overwrite each other: += instead of =": _assigned,
        "every pixel of the window gets the gradient, not only the winner": _to_all_pixels,
        "all values that tie get the gradient, not only the first": _to_all_that_tie,
        "the winner gets its value times the gradient": lambda da, x, *s: (
            max_pool_backward(da, x, *s) * x
        ),
        "the stride is ignored": _pool_stride_ignored,
        "the place of the window is not multiplied by the stride": _window_not_moved,
        "the window's size is taken for the stride": _pool_stride_is_size,
        "the winner gets 1 instead of its gradient": (
            lambda da, x, size, s: max_pool_backward(np.ones_like(da), x, size, s)
        ),
    },
    "momentum_step": {
        "the learning rate stands outside the velocity, as in PyTorch": _rate_outside,
        "the decay bypasses the velocity, as Keras's weight_decay does": _decoupled,
        "the decay is not multiplied by the learning rate": _decay_without_rate,
        "it goes uphill: subtract the gradient": _uphill,
        "w moves by the old velocity": _old_velocity,
        "the gradient is weighted with 1 − momentum": _averaged,
        "v and w are returned in the wrong order": (
            lambda *arguments: momentum_step(*arguments)[::-1]
        ),
        "there is no weight decay": lambda w, v, dw, r, m, d: momentum_step(w, v, dw, r, m, 0),
    },
}
