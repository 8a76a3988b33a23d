"""Lab 10's checks: the right functions accepted in two styles, wrong ones and mutants rejected."""

import numpy as np

from helpers import explain
from helpers.check import explanations
from helpers.check.testing import verify


def test_pointing():
    def in_lines(values, mask):
        positive = np.maximum(values, 0)
        return positive[mask].sum() / positive.sum()

    def with_loops(values, mask):
        inside = everything = 0.0
        for row, flags in zip(values.tolist(), mask.tolist(), strict=True):
            for value, flag in zip(row, flags, strict=True):
                if value > 0:
                    everything += value
                    inside += value if flag else 0
        return inside / everything

    wrong = [
        lambda values, mask: np.maximum(values, 0)[mask].sum(),
        lambda values, mask: 1 - in_lines(values, mask),
        lambda values, mask: mask.mean(),
        lambda values, mask: (values > 0)[mask].sum() / (values > 0).sum(),
        lambda values, mask: in_lines(values, mask) ** 2,
    ]
    same = ["line 2: arguments exchanged in np.maximum"]  # the greater of two has no order
    verify("pointing", [in_lines, with_loops], wrong, equivalent=same)


def test_integrated_gradients():
    def in_a_batch(gradient, image, baseline, steps):
        shares = (np.arange(steps) + 0.5) / steps
        between = baseline + shares[:, None, None, None] * (image - baseline)
        return (image - baseline) * gradient(between).mean(axis=0)

    def one_by_one(gradient, image, baseline, steps):
        total = np.zeros_like(image)
        for step in range(steps):
            share = (step + 0.5) / steps
            total += gradient((share * image + (1 - share) * baseline)[None])[0]
        return (image - baseline) * total / steps

    def trapezoid(gradient, image, baseline, steps):
        shares = np.linspace(0, 1, steps + 1)
        between = baseline + shares[:, None, None, None] * (image - baseline)
        g = gradient(between)
        return (image - baseline) * (g[1:] + g[:-1]).mean(axis=0) / 2

    def one_more(gradient, image, baseline, steps):
        return in_a_batch(gradient, image, baseline, steps + 1)

    wrong = [one_more, lambda g, x, b, s: -in_a_batch(g, x, b, s)]
    wrong.append(lambda g, x, b, s: np.abs(in_a_batch(g, x, b, s)))
    same = ["line 3: indices exchanged in shares"]  # None and None
    verify("integrated_gradients", [in_a_batch, one_by_one], wrong, equivalent=same)
    # The trapezoid rule is right for the square and in a linear network, so it falls later.
    found = explanations.CHECKS[1].verdict(trapezoid)
    assert found.status == "wrong"


def test_grad_cam_map():
    def in_lines(maps, gradients):
        weights = gradients.mean(axis=(0, 1))
        return np.maximum((maps * weights).sum(axis=-1), 0)

    def with_loops(maps, gradients):
        total = np.zeros(maps.shape[:2])
        for k in range(maps.shape[2]):
            total += maps[:, :, k] * np.mean(gradients[:, :, k])
        total[total < 0] = 0
        return total

    wrong = [
        lambda maps, gradients: in_lines(maps, np.abs(gradients)),
        lambda maps, gradients: in_lines(maps, gradients) * maps.shape[0] * maps.shape[1],
        lambda maps, gradients: in_lines(maps, gradients).T,
        lambda maps, gradients: np.abs((maps * gradients.mean(axis=(0, 1))).sum(axis=-1)),
    ]
    same = ["line 3: arguments exchanged in np.maximum"]
    verify("grad_cam_map", [in_lines, with_loops], wrong, equivalent=same)


def test_occlusion():
    def by_masks(score, image, size, stride, fill):
        return explain.occlusion(score, image, size, stride, fill)

    def changes_the_image(score, image, size, stride, fill):
        before, found = score(image[None])[0], np.zeros(image.shape[:2])
        for i in range(0, image.shape[0] - size + 1, stride):
            for j in range(0, image.shape[1] - size + 1, stride):
                image[i : i + size, j : j + size] = fill
                found[i : i + size, j : j + size] = before - score(image[None])[0]
        return found

    wrong = [
        changes_the_image,
        lambda score, image, size, stride, fill: by_masks(score, image, size, size, fill),
        lambda score, image, size, stride, fill: np.abs(by_masks(score, image, size, stride, fill)),
        lambda score, image, size, stride, fill: by_masks(score, image, 1, 1, fill),
    ]
    same = ["line 5: one less", "line 10: one less"]  # the last of a single score is the first
    same += ["line 12: arguments exchanged in np.maximum"]
    verify("occlusion", [explanations.occlusion, by_masks], wrong, equivalent=same)


def test_the_helpers_give_what_the_checks_ask_for():
    rng = np.random.default_rng(0)
    values, mask = rng.normal(size=(4, 5)), rng.random((4, 5)) < 0.5
    assert np.isclose(explain.pointing(values, mask), explanations.pointing(values, mask))
    maps, slopes = rng.random((3, 3, 4)), rng.normal(size=(3, 3, 4))
    ours = explain.grad_cam_of(maps[None], slopes[None])[0]
    assert np.allclose(ours, explanations.grad_cam_map(maps, slopes))
