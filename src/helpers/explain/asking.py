"""What all methods ask of networks, images and labels, with errors that say what does not fit."""

import numpy as np

from helpers.networks import check_finite_images
from helpers.words import shown


def checked(model, images, labels):
    """``images`` as float32 (n, H, W, C) and ``labels`` as int (n,), or ``ValueError``.

    One label stands for all images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0 or images.dtype.kind not in "fiu":
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}; give numbers of shape "
            "(n, height, width, channels), a single image as image[None]"
        )
    wanted = getattr(model, "input_shape", None)
    known = isinstance(wanted, tuple) and len(wanted) == 4
    if known and any(w not in (None, s) for w, s in zip(wanted[1:], images.shape[1:], strict=True)):
        raise ValueError(
            f"images have shape {images.shape[1:]} each, the network takes {wanted[1:]}"
        )
    check_finite_images("images", images)
    return images.astype(np.float32), checked_labels(model, labels, len(images))


def checked_labels(model, labels, count):
    """``labels`` as (count,) int64: whole numbers that name an output of the network."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {shown(labels)}; give whole numbers, the classes to explain")
    if labels.shape not in ((), (count,)):
        raise ValueError(f"labels have shape {labels.shape}; give one, or one for each of {count}")
    outputs = getattr(model, "output_shape", None)
    if isinstance(outputs, tuple) and len(outputs) == 2 and outputs[1] is not None:
        wrong = labels[(labels < 0) | (labels >= outputs[1])]
        if wrong.size:
            raise ValueError(
                f"label {wrong.ravel()[0]} is none of the network's: they go from 0 to "
                f"{outputs[1] - 1}"
            )
    return np.broadcast_to(labels.astype(np.int64), (count,))


def batch_of(images, batch=None):
    """How many images to take at a time: ``batch``, or what a network has memory for.

    A network keeps all of its maps until the gradient is done: 100 MB a photograph.
    """
    return batch or int(np.clip(1_500_000 // max(1, images[0].size), 1, 100))


def score_of(model, label, activation=None, batch=None):
    """A function from images (n, H, W, C) to the network's output for ``label``, (n,) float64.

    activation   None for the output as it is, ``"softmax"`` or ``"sigmoid"`` for a probability
    """
    if activation not in (None, "softmax", "sigmoid"):
        raise ValueError(f"activation is {shown(activation)}; None, 'softmax' or 'sigmoid'")
    label = int(checked_labels(model, label, 1)[0])
    # Keras compiles this once for each network: a deep one answers in an eighth of the time.
    outputs = getattr(model, "predict_on_batch", lambda x: np.asarray(model(x, training=False)))

    def score(images):
        images = checked(model, images, label)[0]
        size = 2 * batch_of(images, batch)
        parts = [images[i : i + size] for i in range(0, len(images), size)]
        z = np.concatenate([outputs(p) for p in parts]).astype(float)
        if activation == "softmax":
            p = np.exp(z - z.max(axis=1, keepdims=True))
            return p[:, label] / p.sum(axis=1)
        z = z[:, label]
        return 1 / (1 + np.exp(-z)) if activation == "sigmoid" else z

    return score


def asked(score, images):
    """What ``score`` says of images, (n,) float64; ``ValueError`` if it is not one number each."""
    values = np.asarray(score(images), np.float64)
    if values.shape != (len(images),):
        raise ValueError(
            f"the score gave shape {values.shape} for {len(images)} images; it must give one "
            "number for each, such as explain.score_of(model, label) does"
        )
    return values


def one_image(image):
    """``image`` as an array (H, W, C), or ``ValueError``."""
    image = np.asarray(image)
    if image.ndim != 3:
        raise ValueError(f"the image has shape {image.shape}; give one, (height, width, channels)")
    return image


def filling(fill, image):
    """What covers an image, in its shape and type; ``ValueError`` if no pixel of it can be so."""
    given = np.asarray(fill, np.float64)
    try:
        spread = np.broadcast_to(given, image.shape)
    except ValueError:
        raise ValueError(f"the fill has shape {given.shape}, the image {image.shape}") from None
    whole = image.dtype.kind in "iu"
    if not np.isfinite(given).all() or (whole and (spread.astype(image.dtype) != spread).any()):
        raise ValueError(
            f"fill={shown(fill)} is no pixel of an image of {image.dtype}: give one, or the image "
            "as float"
        )
    return spread.astype(image.dtype)


def check_slopes(outputs, slopes):
    """Raise ``ValueError`` where a softmax that is too sure of an image leaves no gradient."""
    still = ~np.any(slopes, axis=tuple(range(1, slopes.ndim)))
    if still.any() and outputs.min() >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            f"{still.sum()} of {len(still)} images have no gradient, since the network ends in "
            "softmax and is too sure of them: explain it without this last step"
        )


def one_map(values):
    """``values`` as a float64 map (H, W), or ``ValueError``."""
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"a map is (height, width) and finite, not of shape {values.shape}; "
            "explain.over_channels adds up the channels"
        )
    return values


def over_channels(maps):
    """Maps of images, (..., H, W, C), with their channels added up: (..., H, W)."""
    return np.asarray(maps).sum(axis=-1)
