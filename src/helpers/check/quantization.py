"""Checks of the functions that the reader of lab 12 writes: eight bits, and a teacher's answers.

Integers are signed bytes, −128 to 127. ``scale`` is the step of the grid, ``zero_point`` the
integer that stands for zero.
"""

import numpy as np

from helpers.check.engine import Check, case


def quantize(x, scale, zero_point):
    """The signed bytes nearest to ``x`` on the grid: int8, clipped to −128 and 127."""
    q = np.round(x / scale) + zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def affine_grid(low, high):
    """``(scale, zero_point)`` of 256 steps over low to high, a range widened to hold zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, -128 - round(low / scale)


def dense_int8(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    """A dense layer on signed bytes, sums in int32: its output as signed bytes (n, outputs)."""
    sums = (q_x.astype(np.int32) - zero_x) @ q_w.astype(np.int32) + q_b
    q_z = np.round(sums * multiplier) + zero_z
    return np.clip(q_z, -128, 127).astype(np.int8)


def distillation_loss(teacher_logits, logits, temperature):
    """T² times the cross-entropy of softened answers, teacher's and student's; mean over images."""
    softened = teacher_logits / temperature
    teacher = np.exp(softened - softened.max(axis=1, keepdims=True))
    teacher = teacher / teacher.sum(axis=1, keepdims=True)
    z = logits / temperature
    z = z - z.max(axis=1, keepdims=True)
    log_student = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(temperature**2) * (teacher * log_student).sum(axis=1).mean()


def _quantize_cases(rng):
    yield case("x = [0, 0.26, −0.26], scale 0.1, zero point 0", np.array([0, 0.26, -0.26]), 0.1, 0)
    yield case("the same x, zero point 5", np.array([0, 0.26, -0.26]), 0.1, 5)
    yield case("values beyond the grid", np.array([9.0, -9.0, 3.2]), 0.05, 0)
    yield case("values beyond one end only, zero point −128", np.array([0, 1.026, 7.0]), 0.02, -128)
    yield case("values beyond one end only, zero point 127", np.array([-7.0, -1.016]), 0.02, 127)
    for shape in ((6,), (3, 4), (2, 3, 3, 2)):
        scale, zero = rng.uniform(0.01, 0.1), int(rng.integers(-60, 61))
        yield case(f"shape {shape}, zero point {zero}", rng.normal(size=shape) * 6, scale, zero)


def _affine_grid_cases(rng):
    yield case("the range 0 to 6 of ReLU6", 0.0, 6.0)
    yield case("the range −1 to 2", -1.0, 2.0)
    yield case("the range −3 to 1", -3.0, 1.0)
    yield case("the range −6 to 0", -6.0, 0.0)
    yield case("the range 2 to 5, without zero", 2.0, 5.0)
    yield case("the range −5 to −2, without zero", -5.0, -2.0)
    for low, high in zip(-rng.uniform(0.1, 9, 4), rng.uniform(0.1, 9, 4), strict=True):
        yield case(f"the range {low:.2f} to {high:.2f}", float(low), float(high))


def _dense_int8_cases(rng):
    one = np.ones((1, 2), np.int8), np.ones((2, 1), np.int8)
    yield case("ones, no zero points", *one, np.array([0], np.int32), 0, 1.0, 0)
    yield case("zero point 3 of the input", *one, np.array([0], np.int32), 3, 1.0, 0)
    yield case("bias 50, multiplier 0.11", *one, np.array([50], np.int32), 0, 0.11, 0)
    big = np.full((1, 64), 127, np.int8), np.full((64, 2), 127, np.int8)
    yield case("large sums", *big, np.array([7, -7], np.int32), -128, 1e-5, -20)
    yield case("sums beyond the grid", *big, np.array([0, 0], np.int32), 0, 0.01, 0)
    low = np.full((1, 64), 127, np.int8), np.full((64, 2), -127, np.int8)
    yield case("sums beyond its lower end", *low, np.array([0, 0], np.int32), 0, 0.01, 0)
    label = "clipped only without the zero point −100 of the output"
    yield case(label, *one, np.array([198], np.int32), 0, 1.0, -100)
    for n, inputs, outputs in rng.integers(2, 7, (4, 3)):
        q_x = rng.integers(-128, 128, (n, inputs)).astype(np.int8)
        q_w = rng.integers(-127, 128, (inputs, outputs)).astype(np.int8)
        q_b = rng.integers(-900, 900, outputs).astype(np.int32)
        scales = rng.uniform(0.001, 0.004, outputs)  # one a channel
        zeros = (int(z) for z in rng.integers(-40, 41, 2))
        label = f"inputs {n}×{inputs}, weights {inputs}×{outputs}, a multiplier a channel"
        yield case(label, q_x, q_w, q_b, next(zeros), scales, next(zeros))


def _distillation_cases(rng):
    two = np.array([[2.0, 0.0]]), np.array([[0.0, 0.0]])
    yield case("one image, two classes, T = 1", *two, 1.0)
    yield case("the same, T = 2", *two, 2.0)
    yield case("student and teacher agree, T = 4", two[0], two[0], 4.0)
    for temperature in (1.0, 2.0, 5.0):
        n, classes = rng.integers(2, 6, 2)
        both = rng.normal(size=(2, n, classes)) * 3
        yield case(f"{n} images, {classes} classes, T = {temperature:.0f}", *both, temperature)
    large = np.array([[1e4, 0.0, 0.0], [0.0, 2e4, 0.0]])
    yield case("logits in the thousands", large, np.array([[0.0, 1e4, 0], [0, 1e4, 9e3]]), 2.0)


def _softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _soft_loss(teacher, logits, temperature):
    z = logits - logits.max(axis=1, keepdims=True)
    log = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(temperature**2) * (teacher * log).sum(axis=1).mean()


def _wrapped(q):
    return q.astype(np.int64).astype(np.int8)


def _in_bytes(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    q_z = np.round(((q_x @ q_w).astype(np.int32) + q_b) * multiplier) + zero_z
    return np.clip(q_z, -128, 127).astype(np.int8)


def _bytes_throughout(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    sums = (q_x - np.int8(zero_x)) @ q_w + q_b
    return _clipped(np.round(sums * multiplier) + zero_z)


def _in_16_bits(q_x, q_w, q_b, zero_x, multiplier, zero_z):
    sums = (q_x.astype(np.int16) - np.int16(zero_x)) @ q_w.astype(np.int16) + q_b
    return _clipped(np.round(sums * multiplier) + zero_z)


def _sums(q_x, q_w, q_b, zero_x):
    return (q_x.astype(np.int32) - zero_x) @ q_w.astype(np.int32) + q_b


def _log_of_softmax(v, z, t):
    with np.errstate(all="ignore"):
        return -(t**2) * (_softmax(v / t) * np.log(_softmax(z / t))).sum(axis=1).mean()


def _over_images(v, z, t):
    teacher, student = (_softmax(x.T / t).T for x in (v, z))
    with np.errstate(all="ignore"):
        return -(t**2) * (teacher * np.log(student)).sum(axis=1).mean()


def _divergence(v, z, t):
    teacher = _softmax(v / t)
    entropy = -(teacher * np.log(np.maximum(teacher, 1e-300))).sum(axis=1).mean()
    return _soft_loss(teacher, z / t, t) - t**2 * entropy


def _clipped(q):
    return np.clip(q, -128, 127).astype(np.int8)


CHECKS = [
    Check("quantize", quantize, _quantize_cases, {
        "nothing is clipped, so that large values wrap around": lambda x, s, z: _wrapped(
            np.round(x / s) + z
        ),
        "the zero point is left out": lambda x, s, z: _clipped(np.round(x / s)),
        "the zero point is subtracted, not added": lambda x, s, z: _clipped(np.round(x / s) - z),
        "the fraction is cut off, not rounded": lambda x, s, z: _clipped(np.trunc(x / s) + z),
        "the fraction is cut off at the end, not rounded": lambda x, s, z: _clipped(
            np.trunc(np.clip(x / s + z, -128, 127))
        ),
        "the fraction is rounded down, not to the nearest": lambda x, s, z: _clipped(
            np.floor(x / s) + z
        ),
        "the zero point is subtracted from x, before the division": lambda x, s, z: _clipped(
            np.round((x - z) / s)
        ),
        "the lowest code is -127, not -128": lambda x, s, z: np.maximum(quantize(x, s, z), -127),
        "the codes are clipped to 0 and 255": lambda x, s, z: _wrapped(
            np.clip(np.round(x / s) + z, 0, 255)
        ),
        "x is multiplied by the scale, not divided": lambda x, s, z: _clipped(np.round(x * s) + z),
        "the zero point is added after clipping": lambda x, s, z: _wrapped(
            np.clip(np.round(x / s), -128, 127) + z
        ),
    }),
    Check("affine_grid", affine_grid, _affine_grid_cases, {
        "the range is not widened to hold zero": lambda low, high: (
            (high - low) / 255, -128 - round(255 * low / (high - low))
        ),
        "the range is divided by 256, but 256 codes have 255 steps": lambda low, high: (
            (max(high, 0.0) - min(low, 0.0)) / 256,
            -128 - round(256 * min(low, 0.0) / (max(high, 0.0) - min(low, 0.0))),
        ),
        "the codes are taken from 0 to 255": lambda low, high: (
            affine_grid(low, high)[0], affine_grid(low, high)[1] + 128
        ),
        "the sign of the zero point's shift is wrong": lambda low, high: (
            affine_grid(low, high)[0], -256 - affine_grid(low, high)[1]
        ),
        "the zero point is a float (`round` makes an int of it, `np.round` does not)": (
            lambda low, high: (affine_grid(low, high)[0], float(affine_grid(low, high)[1]))
        ),
        "the zero point is not rounded": lambda low, high: (
            affine_grid(low, high)[0], -128 - min(low, 0.0) / affine_grid(low, high)[0]
        ),
        "the fraction of the zero point is cut off, not rounded": lambda low, high: (
            affine_grid(low, high)[0], int(-128 - min(low, 0.0) / affine_grid(low, high)[0])
        ),
        "scale and zero point are exchanged": lambda low, high: affine_grid(low, high)[::-1],
    }, returns=("scale", "zero_point")),
    Check("dense_int8", dense_int8, _dense_int8_cases, {
        "the zero point of the input is left out": lambda x, w, b, zx, m, zz: dense_int8(
            x, w, b, 0, m, zz
        ),
        "products and sums are bytes and overflow": _in_bytes,
        "differences, products and sums are bytes and overflow": _bytes_throughout,
        "sums are kept in 16 bits and overflow": _in_16_bits,
        "the zero point of the output is subtracted, not added": (
            lambda x, w, b, zx, m, zz: dense_int8(x, w, b, zx, m, -zz)
        ),
        "the zero point of the output is added after clipping": (
            lambda x, w, b, zx, m, zz: _wrapped(
                np.clip(np.round(_sums(x, w, b, zx) * m), -128, 127) + zz
            )
        ),
        "the fraction is cut off at the end, not rounded": lambda x, w, b, zx, m, zz: _clipped(
            np.trunc(np.clip(_sums(x, w, b, zx) * m + zz, -128, 127))
        ),
        "the zero point of the output is left out": lambda x, w, b, zx, m, zz: dense_int8(
            x, w, b, zx, m, 0
        ),
        "the bias is added after the multiplication": lambda x, w, b, zx, m, zz: _clipped(
            np.round(((x.astype(np.int32) - zx) @ w.astype(np.int32)) * m + b) + zz
        ),
        "nothing is clipped, so that large values wrap around": lambda x, w, b, zx, m, zz: _wrapped(
            np.round(((x.astype(np.int32) - zx) @ w.astype(np.int32) + b) * m) + zz
        ),
    }),
    Check("distillation_loss", distillation_loss, _distillation_cases, {
        "the factor T² is missing": lambda v, z, t: distillation_loss(v, z, t) / t**2,
        "the factor is T, not T²": lambda v, z, t: distillation_loss(v, z, t) / t,
        "the teacher's logits are not divided by T": lambda v, z, t: _soft_loss(
            _softmax(v), z / t, t
        ),
        "the student's logits are not divided by T": lambda v, z, t: _soft_loss(
            _softmax(v / t), z, t
        ),
        "teacher and student are exchanged": lambda v, z, t: distillation_loss(z, v, t),
        "this is the sum over the images, not the mean": lambda v, z, t: (
            len(z) * distillation_loss(v, z, t)
        ),
        "the logarithm meets a probability that has become 0 or nan: take it in one go, "
        "log p = z − log Σ exp(z), after subtracting the largest logit": _log_of_softmax,
        "the minus sign is missing": lambda v, z, t: -distillation_loss(v, z, t),
        "this is the mean over the classes, too": lambda v, z, t: (
            distillation_loss(v, z, t) / z.shape[1]
        ),
        "the softmax runs over the images, not over the classes": _over_images,
        "the logits are multiplied by T, not divided": lambda v, z, t: (
            t**4 * distillation_loss(v, z, 1 / t)
        ),
        "the teacher's entropy was subtracted (the Kullback-Leibler divergence, which has the same "
        "gradient, but is not the cross-entropy)": _divergence,
    }),
]  # fmt: skip
