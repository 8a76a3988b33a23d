"""Attacks on a classifier, the training that withstands them, and the tests that tell.

A network is a Keras model, or any function, from images (n, h, w, c) float32 in [0, 1] to logits
(n, K): the numbers before the softmax. An attack may change each pixel by ``epsilon`` at most, on
the same scale, and keeps it within [0, 1]. ``labels`` (n,) are the right classes: whoever gives
the predicted ones instead measures something else, and no program can notice.

A room per thing: ``gradient`` (FGSM, PGD), ``square`` (without a gradient), ``judging`` (several
attacks at once, and the checklist), ``training`` (the network, and how it learns), ``smoothing``
(certificates).
"""

from helpers.attacks.gradient import LOSSES, fgsm, gradient, margins, pgd, project
from helpers.attacks.judging import blind, checklist, right, worst_case
from helpers.attacks.smoothing import certify, clopper_pearson, radius, vote
from helpers.attacks.square import square
from helpers.attacks.training import small_network, train

__all__ = [
    "LOSSES", "blind", "certify", "checklist", "clopper_pearson", "fgsm", "gradient", "margins",
    "pgd", "project", "radius", "right", "small_network", "square", "train", "vote",
    "worst_case",
]  # fmt: skip
