"""What is left of a network under several attacks, and the checklist for who made the defense."""

import numpy as np

from helpers import session
from helpers.attacks.gradient import check, gradient, margins, pgd
from helpers.attacks.square import square


def right(model, images, labels):
    """Which images the network names rightly, (n,) bool. A tie for the largest logit is right."""
    return margins(model, images, labels) <= 0


def worst_case(model, images, labels, epsilon, *, steps=20, restarts=2, queries=500, rng=None):
    """What each attack leaves right: ``{name: (n,) bool}``, "clean" first, "all" of them last.

    PGD with both losses and restarts, and the Square attack: the small sister of AutoAttack (Croce
    and Hein 2020). An image counts as held only if it is right under every one of them.
    """
    images, labels = check(model, images, labels, epsilon)
    rng = rng or session.rng(11)
    options = {"steps": steps, "restarts": restarts, "rng": rng}
    trials = {
        "clean": images,
        "PGD": pgd(model, images, labels, epsilon, **options),
        "PGD, margin": pgd(model, images, labels, epsilon, loss="margin", **options),
    }
    found = {name: right(model, x, labels) for name, x in trials.items()}
    held = np.logical_and.reduce(list(found.values()))
    left = np.flatnonzero(held)  # the others are lost already, and Square need not ask about them
    if len(left):
        x = square(model, images[left], labels[left], epsilon, queries=queries, rng=rng)
        held[left] = right(model, x, labels[left])
    return {**found, "all": held}


def checklist(
    model, images, labels, epsilon, claimed, others=(), *, steps=100, restarts=5, queries=500
):
    """The tests that a defense must stand: ``{test: (n,) bool}``, which images are still right.

    claimed   (n,) bool, what the maker's own attack left right
    others    networks that were trained apart, for attacks that are made on them and carried over

    After Carlini and others (2019) and Athalye and others (2018). Each is compared with
    ``claimed``: a defense is refuted if one leaves fewer right. "no limit" is another kind of test:
    with ε = 1 an attack that works deceives the network with every image.
    """
    images, labels = check(model, images, labels, epsilon)
    claimed = np.asarray(claimed)
    if claimed.shape != labels.shape or claimed.dtype != bool:
        raise ValueError(f"claimed is {claimed.dtype} {claimed.shape}: needs bool {labels.shape}")

    def under(moved):
        return right(model, moved, labels)

    def with_pgd(epsilon, **options):
        return under(pgd(model, images, labels, epsilon, rng=session.rng(12), **options))

    found = {
        "more steps": with_pgd(epsilon, steps=steps),
        "restarts": with_pgd(epsilon, steps=20, restarts=restarts),
        "margin loss": with_pgd(epsilon, steps=20, loss="margin"),
        "no gradient": under(square(model, images, labels, epsilon, queries=queries)),
        "from another": np.ones(len(labels), bool),
        "no limit": with_pgd(1.0, steps=steps, rate=0.1),
    }
    for other in others:
        found["from another"] &= under(pgd(other, images, labels, epsilon, rng=session.rng(13)))
    return found


def blind(model, images, labels):
    """Share of the images at which the gradient of the cross-entropy is 0 everywhere."""
    return float(np.mean(np.all(gradient(model, images, labels) == 0, axis=(1, 2, 3))))
