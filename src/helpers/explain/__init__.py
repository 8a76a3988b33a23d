"""Explanations of one answer of a network: maps over its image, and scores for the maps.

    maps = explain.integrated_gradients(model, images, labels)       # of the gradient family
    score = explain.score_of(model, label)                           # of those that only ask
    one = explain.occlusion(score, image)

The gradient family takes a Keras network, images (n, H, W, C) and a label for each, and gives maps
of the images' shape; ``over_channels`` adds their channels up. Grad-CAM gives (n, H, W). Methods
that only ask take a ``score``, any function from images to one number each, and a single image
(H, W, C), and give (H, W). Scores of maps take (H, W) maps. All values are what the network gives
out, so give it logits: a probability near 1 hardly moves, whatever one does to the image.

Importing this package imports no TensorFlow; its rooms do.
"""

from importlib import import_module

ROOMS = {
    "asking": ["over_channels", "score_of"],
    "gradients": [
        "completeness_error",
        "gradient",
        "gradient_times_input",
        "guided_backprop",
        "integrated_gradients",
        "smooth_grad",
    ],
    "cam": ["grad_cam", "grad_cam_of", "maps_and_gradients"],
    "covering": ["covered", "grid", "lime", "occlusion", "shapley", "superpixels"],
    "drawing": ["draw"],
    "examples": ["nearest", "visualize"],
    "scores": ["area", "curve", "hits", "pointing", "rank_correlation", "shuffled", "stability"],
    "trivial": ["center", "edges", "noise"],
}
WHERE = {name: room for room, names in ROOMS.items() for name in names}
__all__ = sorted(WHERE)


def __getattr__(name):
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{WHERE[name]}"), name)


def __dir__():
    return list(__all__)
