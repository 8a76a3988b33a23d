"""Checks of lab 10's functions: a score for maps, integrated gradients, Grad-CAM and occlusion.

Images and maps are float64. A network is a plain function here: ``score`` takes images
(n, H, W, C) and gives (n,) numbers, ``gradient`` takes them and gives arrays of their shape.
Nothing here needs TensorFlow.
"""

import numpy as np

from helpers.check.engine import Check, case


def pointing(values, mask):
    """The share of the positive part of a map (H, W) that lies in a mask (H, W), bool."""
    positive = np.maximum(values, 0)
    return positive[mask].sum() / positive.sum()


def integrated_gradients(gradient, image, baseline, steps):
    """(image − baseline) times the mean gradient at the midpoints of ``steps`` equal parts."""
    shares = (np.arange(steps) + 0.5) / steps
    between = baseline + shares[:, None, None, None] * (image - baseline)
    return (image - baseline) * gradient(between).mean(axis=0)


def grad_cam_map(maps, gradients):
    """Each map weighted by its mean gradient, added up, nothing negative: (h, w, K) -> (h, w)."""
    weights = gradients.mean(axis=(0, 1))
    return np.maximum((maps * weights).sum(axis=-1), 0)


def occlusion(score, image, size, stride, fill):
    """The mean fall of the score over the squares that cover a pixel; 0 where none does."""
    height, width = image.shape[:2]
    total, times = np.zeros((height, width)), np.zeros((height, width))
    before = score(image[None])[0]
    for i in range(0, height - size + 1, stride):
        for j in range(0, width - size + 1, stride):
            hidden = image.copy()
            hidden[i : i + size, j : j + size] = fill
            total[i : i + size, j : j + size] += before - score(hidden[None])[0]
            times[i : i + size, j : j + size] += 1
    return total / np.maximum(times, 1)


def pointing_cases(rng):
    mask = np.array([[True, False], [False, False]])
    yield case("[[3, 1], [0, 0]], upper left", np.array([[3.0, 1.0], [0.0, 0.0]]), mask)
    yield case("with negative values", np.array([[3.0, -9.0], [1.0, -2.0]]), mask)
    yield case("negative in the mask", np.array([[-3.0, 5.0], [1.0, 0.0]]), mask)
    for height, width in rng.integers(2, 8, (5, 2)):
        some = rng.random((height, width)) < 0.4
        values = rng.normal(size=(height, width))
        values[0, 0] = 1.5  # something positive
        yield case(f"a map of {height}×{width}", values, some)


class _Net:
    """A small network of tanh units, image -> number, with its gradient; ``linear`` without."""

    def __init__(self, rng, shape, linear=False):
        size, hidden = int(np.prod(shape)), 4
        self.w = rng.normal(size=(size, hidden)) / np.sqrt(size)
        self.v, self.linear = rng.normal(size=hidden) + 0.5, linear

    def score(self, images):
        z = images.reshape(len(images), -1) @ self.w
        return (z if self.linear else np.tanh(z)) @ self.v

    def gradient(self, images):
        z = images.reshape(len(images), -1) @ self.w
        slope = np.ones_like(z) if self.linear else 1 - np.tanh(z) ** 2
        return ((slope * self.v) @ self.w.T).reshape(images.shape)


def _square(images):
    """The gradient of the sum of squares."""
    return 2 * images


def gradients_cases(rng):
    one = np.array([[[1.0], [3.0]]])
    yield case("the score is the sum of squares", _square, one, np.zeros_like(one), 4)
    yield case("the same, with a baseline of 1", _square, one, np.ones_like(one), 1)
    for linear in (True, False, False, False):
        shape = (*rng.integers(2, 6, 2), rng.integers(1, 4))
        net, steps = _Net(rng, shape, linear), int(rng.integers(2, 9))
        kind = "a linear network" if linear else "a network"
        image, baseline = 3 * rng.normal(size=shape), rng.normal(size=shape)
        yield case(f"{kind}, {steps} steps", net.gradient, image, baseline, steps)


def cam_cases(rng):
    maps = np.array([[[1.0, 5.0]], [[2.0, 1.0]]])
    slopes = np.array([[[1.0, -0.5]], [[3.0, 0.5]]])
    yield case("two maps of 2×1, the second with mean slope 0", maps, slopes)
    yield case("a negative slope", np.array([[[1.0]]]), np.array([[[-1.0]]]))
    for height, width, count in rng.integers(2, 7, (5, 3)):
        shape = (height, width, count)
        maps = np.maximum(rng.normal(size=shape), 0)
        yield case(f"{count} maps of {height}×{width}", maps, rng.normal(size=shape))


def occlusion_cases(rng):
    ramp = np.arange(16.0).reshape(4, 4, 1)

    def total(images):
        return images.sum(axis=(1, 2, 3))

    yield case("the score is the sum; squares of 1, stride 1", total, ramp, 1, 1, 0.0)
    yield case("the sum; squares of 2, stride 2", total, ramp, 2, 2, 0.0)
    yield case("the sum; squares of 2 that overlap", total, ramp, 2, 1, 0.0)
    yield case("the sum; a fill of 3", total, ramp, 2, 2, 3.0)
    yield case("squares of 3 that leave a rim", total, ramp, 3, 2, 0.0)
    wide = np.arange(40.0).reshape(5, 8, 1)
    yield case("a wide image, squares of 3, stride 1", total, wide, 3, 1, 0.0)
    for _ in range(4):
        shape = (*rng.integers(5, 9, 2), rng.integers(1, 4))
        net, (size, stride) = _Net(rng, shape), rng.integers(1, 4, 2)
        image, fill = rng.normal(size=shape), float(rng.normal())
        label = f"an image of {shape[0]}×{shape[1]}, squares of {size}, stride {stride}"
        yield case(label, net.score, image, int(size), int(stride), fill)


def _signed(values, mask):
    with np.errstate(all="ignore"):
        return values[mask].sum() / values.sum()


def _absolute(values, mask):
    return np.abs(values)[mask].sum() / np.abs(values).sum()


def _of_all(values, mask):
    return np.maximum(values, 0)[mask].sum() / np.abs(values).sum()


def _mean_inside(values, mask):
    positive = np.maximum(values, 0)
    return positive[mask].mean() / positive.mean() if mask.any() else 0.0


def _hit(values, mask):
    return float(mask.ravel()[values.argmax()])


def _left(gradient, image, baseline, steps):
    shares = np.arange(steps) / steps
    between = baseline + shares[:, None, None, None] * (image - baseline)
    return (image - baseline) * gradient(between).mean(axis=0)


def _right(gradient, image, baseline, steps):
    shares = (np.arange(steps) + 1) / steps
    between = baseline + shares[:, None, None, None] * (image - baseline)
    return (image - baseline) * gradient(between).mean(axis=0)


def _not_times(gradient, image, baseline, steps):
    return integrated_gradients(gradient, image, baseline, steps) / (image - baseline)


def _times_image(gradient, image, baseline, steps):
    return _not_times(gradient, image, baseline, steps) * image


def _from_black(gradient, image, baseline, steps):
    return integrated_gradients(gradient, image, np.zeros_like(image), steps)


def _only_end(gradient, image, baseline, steps):
    return (image - baseline) * gradient(image[None])[0]


def _summed(gradient, image, baseline, steps):
    return steps * integrated_gradients(gradient, image, baseline, steps)


def _no_relu(maps, gradients):
    return (maps * gradients.mean(axis=(0, 1))).sum(axis=-1)


def _place_by_place(maps, gradients):
    return np.maximum((maps * gradients).sum(axis=-1), 0)


def _early(maps, gradients):
    return (maps * np.maximum(gradients.mean(axis=(0, 1)), 0)).sum(axis=-1)


def _unweighted(maps, gradients):
    return np.maximum(maps.sum(axis=-1), 0)


def _mean_of_maps(maps, gradients):
    return np.maximum((maps * gradients.mean(axis=(0, 1))).mean(axis=-1), 0)


def _swapped(maps, gradients):
    return grad_cam_map(gradients, maps)


def _not_averaged(score, image, size, stride, fill):
    return _occluded(score, image, size, stride, fill, averaged=False)


def _last_only(score, image, size, stride, fill):
    return _occluded(score, image, size, stride, fill, last=True)


def _after(score, image, size, stride, fill):
    return _occluded(score, image, size, stride, fill, sign=-1)


def _black(score, image, size, stride, fill):
    return occlusion(score, image, size, stride, 0.0)


def _no_stride(score, image, size, stride, fill):
    return occlusion(score, image, size, 1, fill)


def _one_short(score, image, size, stride, fill):
    return _occluded(score, image, size, stride, fill, short=1)


def _occluded(score, image, size, stride, fill, averaged=True, last=False, sign=1, short=0):
    height, width = image.shape[:2]
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for i in range(0, height - size + 1 - short, stride):
        for j in range(0, width - size + 1 - short, stride):
            hidden, part = image.copy(), (slice(i, i + size), slice(j, j + size))
            hidden[part] = fill
            fall = sign * (score(image[None]) - score(hidden[None]))[0]
            total[part] = fall if last else total[part] + fall
            times[part] = 1 if last else times[part] + 1
    return total / np.maximum(times, 1) if averaged else total


CHECKS = [
    Check(
        "pointing",
        pointing,
        pointing_cases,
        {
            "negative values are added, too": _signed,
            "absolute values are taken": _absolute,
            "the share is of the absolute values": _of_all,
            "means are compared, not sums": _mean_inside,
            "only the largest value is looked at": _hit,
        },
    ),
    Check(
        "integrated_gradients",
        integrated_gradients,
        gradients_cases,
        {
            "the gradients are at the beginnings of the parts, not at their middles": _left,
            "the gradients are at the ends of the parts, not at their middles": _right,
            "the factor (image − baseline) is missing": _not_times,
            "the factor is the image, not (image − baseline)": _times_image,
            "the way begins at 0, not at the baseline": _from_black,
            "only the gradient at the image is taken": _only_end,
            "gradients are added up, not averaged": _summed,
        },
    ),
    Check(
        "grad_cam_map",
        grad_cam_map,
        cam_cases,
        {
            "what is negative stays": _no_relu,
            "each place keeps a gradient of its own, without the mean": _place_by_place,
            "negative weights become 0, not the negative sum": _early,
            "the maps are added up without weights": _unweighted,
            "the maps are averaged, not added up": _mean_of_maps,
            "maps and gradients are exchanged": _swapped,
        },
    ),
    Check(
        "occlusion",
        occlusion,
        occlusion_cases,
        {
            "falls are added up over the squares, not averaged": _not_averaged,
            "the last square that covers a pixel wins": _last_only,
            "the sign is that of the score's rise": _after,
            "the fill is always 0": _black,
            "the stride is always 1": _no_stride,
            "the last row and column of squares are left out": _one_short,
        },
    ),
]
