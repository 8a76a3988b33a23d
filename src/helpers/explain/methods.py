"""All methods in one form, for tables: network, images, labels, a generator -> maps (n, H, W).

``GRADIENTS`` look into the network, ``ASKING`` only ask it, ``TRIVIAL`` know nothing of it.
"""

from collections import namedtuple

import numpy as np

from helpers.explain import cam, covering, gradients, trivial
from helpers.explain.asking import over_channels, score_of

# What the methods need to know of an image: its black, and the sizes for those that cover parts.
Options = namedtuple(
    "Options",
    "black size stride segments samples permutations",
    defaults=[0.0, 4, 2, None, 500, 10],
)


def gradient_maps(model, images, labels, rng, options=None):
    """{name: maps (n, H, W)} of all methods that look into the network; channels are added up."""
    black = options.black if options else 0.0
    return {
        "gradient": over_channels(gradients.gradient(model, images, labels)),
        "SmoothGrad": over_channels(gradients.smooth_grad(model, images, labels, rng)),
        "gradient × input": over_channels(
            gradients.gradient_times_input(model, images, labels, black)
        ),
        "integrated gradients": over_channels(
            gradients.integrated_gradients(model, images, labels, black)
        ),
        "guided backprop": over_channels(gradients.guided_backprop(model, images, labels)),
        "Grad-CAM": cam.grad_cam(model, images, labels),
    }


def asking_maps(model, images, labels, rng, options, activation=None):
    """{name: maps (n, H, W)} of methods that only ask; ``options.segments(image)`` gives parts."""
    found = {"occlusion": [], "LIME": [], "Shapley": []}
    fill = np.float32(options.black)
    for image, label in zip(images, np.broadcast_to(labels, len(images)), strict=True):
        score, segments = score_of(model, int(label), activation), options.segments(image)
        found["occlusion"].append(
            covering.occlusion(score, image, options.size, options.stride, fill)
        )
        found["LIME"].append(covering.lime(score, image, segments, rng, options.samples, fill))
        found["Shapley"].append(
            covering.shapley(score, image, segments, rng, options.permutations, fill)
        )
    return {name: np.stack(maps) for name, maps in found.items()}


def trivial_maps(images, rng):
    """{name: maps (n, H, W)} that know nothing of any network."""
    return {
        "edges": np.stack([trivial.edges(image) for image in images]),
        "center": np.stack([trivial.center(image) for image in images]),
        "random": np.stack([trivial.noise(image, rng) for image in images]),
    }


def all_maps(model, images, labels, rng, options):
    """All of them, twelve."""
    return {
        **gradient_maps(model, images, labels, rng, options),
        **asking_maps(model, images, labels, rng, options),
        **trivial_maps(images, rng),
    }
