"""Lab 12's checks: the right functions in two styles, wrong ones, and mutants."""

import math

import numpy as np

from helpers.check.testing import verify


def quantize_in_one(x, scale, zero_point):
    return np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)


def quantize_by_floor(x, scale, zero_point):
    q = np.floor(x / scale + 0.5).astype(int) + zero_point
    q = np.where(q > 127, 127, q)
    return np.where(q < -128, -128, q)


def quantize_per_value(x, scale, zero_point):
    q = np.zeros(x.shape, np.int8)
    for index, value in np.ndenumerate(x):
        q[index] = max(-128, min(127, round(value / scale) + zero_point))
    return q


def quantize_after_adding(x, scale, zero_point):
    return np.clip(np.round(x / scale + zero_point), -128, 127).astype(np.int8)


def test_quantize():
    wrong = [
        lambda x, s, z: np.clip(np.floor(x / s) + z, -128, 127).astype(np.int8),
        lambda x, s, z: np.clip(np.round(x / s) + z, -127, 127).astype(np.int8),
        lambda x, s, z: np.clip(np.round(x / s) + z, 0, 255).astype(np.uint8),
        lambda x, s, z: np.clip(np.round(x / s) + z, -128, 127),  # still reals
        lambda x, s, z: s * (np.clip(np.round(x / s) + z, -128, 127) - z),  # dequantized
        lambda x, s, z: np.clip(np.round(x / s + 1) + z, -128, 127).astype(np.int8),
        lambda x, s, z: None,
        lambda x, s, z: np.clip(np.abs(np.round(x / s)) + z, -128, 127).astype(np.int8),
    ]
    right = [quantize_in_one, quantize_by_floor, quantize_per_value, quantize_after_adding]
    verify("quantize", right, wrong)


def grid_plain(low, high):
    low = min(low, 0.0)
    high = max(high, 0.0)
    scale = (high - low) / 255
    zero_point = -128 - round(low / scale)
    return scale, zero_point


def grid_from_above(low, high):
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    scale = (high - low) / (2**8 - 1)
    return float(scale), int(127 - math.floor(high / scale + 0.5))


def test_affine_grid():
    wrong = [
        lambda low, high: (high / 127, 0),  # symmetric
        lambda low, high: (max(-low, high) / 127, 0),
        lambda low, high: (grid_plain(low, high)[1], grid_plain(low, high)[0]),
        lambda low, high: (grid_plain(low, high)[0], grid_plain(low, high)[1] - 1),
        lambda low, high: (grid_plain(low, high)[0], -128 - low / grid_plain(low, high)[0]),
        lambda low, high: (grid_plain(low, high)[0], -round(low / grid_plain(low, high)[0])),
        lambda low, high: grid_plain(low, high)[0],
        lambda low, high: (grid_plain(low, high)[0], -128),
    ]
    same = ["line 2: arguments exchanged", "line 3: arguments exchanged"]  # min and max commute
    verify("affine_grid", [grid_plain, grid_from_above], wrong, equivalent=same)


def dense_plain(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    sums = (q_x.astype(int) - zero_x) @ q_w.astype(int) + q_b
    q_z = np.round(sums * multiplier) + zero_z
    return np.clip(q_z, -128, 127).astype(np.int8)


def dense_multiplied_out(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    q_x, q_w = q_x.astype(np.int64), q_w.astype(np.int64)
    z = np.zeros((len(q_x), q_w.shape[1]), np.int8)
    for n, k in np.ndindex(z.shape):
        total = sum(int(q_x[n, c]) * int(q_w[c, k]) for c in range(len(q_w)))
        total += int(q_b[k]) - zero_x * int(q_w[:, k].sum())
        value = round(total * float(np.broadcast_to(multiplier, q_b.shape)[k])) + zero_z
        z[n, k] = min(127, max(-128, value))
    return z


def test_dense_int8():
    def wide(q_x, q_w):
        return q_x.astype(int) @ q_w.astype(int)

    wrong = [
        lambda x, w, b, zx, m, zz: np.zeros((len(x), w.shape[1]), np.int8),
        lambda x, w, b, zx, m, zz: dense_plain(x, w, 0 * b, zx, m, zz),
        lambda x, w, b, zx, m, zz: dense_plain(x, w, b, -zx, m, zz),
        lambda x, w, b, zx, m, zz: dense_plain(x, w, b, zx, m, -zz),
        lambda x, w, b, zx, m, zz: dense_plain(x, w, b, zx, np.mean(m), zz),
        lambda x, w, b, zx, m, zz: np.clip(wide(x, w) - zx + b, -128, 127).astype(np.int8),
        lambda x, w, b, zx, m, zz: (wide(x, w) - zx * w.sum(0, dtype=int) + b) * m + zz,
        lambda x, w, b, zx, m, zz: np.floor(
            np.clip(((x.astype(int) - zx) @ w.astype(int) + b) * m + zz, -128, 127)
        ).astype(np.int8),
    ]
    verify("dense_int8", [dense_plain, dense_multiplied_out], wrong)


def loss_plain(teacher_logits, logits, temperature):
    u = teacher_logits / temperature
    z = logits / temperature
    u = u - u.max(axis=1, keepdims=True)
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(u) / np.exp(u).sum(axis=1, keepdims=True)
    log = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(temperature**2) * np.mean((p * log).sum(axis=1))


def loss_with_a_loop(teacher_logits, logits, temperature):
    from scipy.special import log_softmax, softmax

    total = 0.0
    for v, z in zip(teacher_logits, logits, strict=True):
        p, q = softmax(v / temperature), log_softmax(z / temperature)
        total += sum(-a * b for a, b in zip(p, q, strict=True) if a)
    return float(temperature**2 * total / len(logits))


def test_distillation_loss():
    def unsafe(v, z, t):
        p, q = np.exp(v / t), np.exp(z / t)
        p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
        return -(t**2) * (p * np.log(q)).sum(1).mean()

    wrong = [
        unsafe,
        lambda v, z, t: -loss_plain(v, z, t),
        lambda v, z, t: loss_plain(v, z, 1),
        lambda v, z, t: loss_plain(v, z, 1 / t),
        lambda v, z, t: loss_plain(v.T, z.T, t),
        lambda v, z, t: loss_plain(v * t, z * t, t),
        lambda v, z, t: loss_plain(v, z, t) / z.shape[1],
        lambda v, z, t: ((v - z) ** 2).mean(),
    ]
    verify("distillation_loss", [loss_plain, loss_with_a_loop], wrong)
