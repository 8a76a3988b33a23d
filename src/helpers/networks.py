"""A look into a Keras network: all its layers, its kernels, and whether its weights are numbers.

Importing this needs NumPy only.
"""

import numpy as np

BENDS = ("Softmax", "ReLU", "LeakyReLU", "ELU", "PReLU")  # layers that leave no logits
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel")


def layers_of(model):
    """``{name: layer}`` of all layers in order, each once, but for those of input; a layer of a
    network within the network is called ``backbone/conv1``.

    Raises ``ValueError`` if a layer has no weights yet, since the network is not built.
    """
    import keras

    found, seen = {}, set()

    def visit(parent, prefix):
        inner = getattr(parent, "layers", None)
        for layer in getattr(parent, "_layers", []) if inner is None else inner:
            if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
                continue
            if inner is not None and not layer.built:
                raise ValueError(
                    f"layer {layer.name!r} of {parent.name!r} has no weights yet: give the network "
                    "a keras.Input, or call it once on a batch of images"
                )
            seen.add(id(layer))
            name = f"{prefix}{layer.name}"
            while name in found:
                name += "'"
            found[name] = layer
            visit(layer, f"{name}/")

    visit(model, "")
    return found


def kernels_of(layer):
    """``{attribute: variable}`` of the layer's own kernels: two for a separable convolution."""
    import keras

    found = {key: getattr(layer, key, None) for key in KERNELS}
    return {key: value for key, value in found.items() if isinstance(value, keras.Variable)}


def check_plain(model):
    """Raise ``ValueError`` for layers whose kernel is not the float32 array that it is meant to be.

    Keras's own quantization puts int8 there, with scales beside it, and LoRA a sum.
    """
    for name, layer in layers_of(model).items():
        mode = getattr(layer, "quantization_mode", None)
        if mode or getattr(layer, "lora_enabled", False):
            how = f"quantized to {mode}" if mode else "given LoRA weights"
            raise ValueError(
                f"layer {name!r} was {how} by Keras, so that its kernel is none to work on: take "
                "the network as it was before"
            )


def check_finite(name, values, advice="find out where they come from"):
    """Raise ``ValueError`` if one of ``values`` is no number: it would soon spoil all others."""
    values = np.asarray(values)
    wrong = values.size - np.count_nonzero(np.isfinite(values))
    if wrong:
        raise ValueError(
            f"{name} has {wrong:,} of {values.size:,} values that are NaN or infinite; {advice}"
        )


def check_finite_images(name, images):
    """The same for images (n, ...); names the first that is at fault."""
    with np.errstate(all="ignore"):
        quick = np.sum(images)  # not finite if a pixel is not, and where large numbers overflow
    if not np.isfinite(quick):
        for number, image in enumerate(images):
            check_finite(f"{name}[{number}]", image, "mend this image or leave it out")


def check_finite_weights(model):
    """The same for all weights of a model; names the layer."""
    for weight in model.weights:
        values = weight.numpy()
        if values.dtype.kind == "f":
            check_finite(weight.path, values, "train it again with a lower learning rate")


def check_fits(model, name, images, labels):
    """Raise ``ValueError`` if the network cannot take these images, or has not so many classes."""
    if len(getattr(model, "inputs", None) or []) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"{model.name!r} is not built, or has not one input and one output; give a functional "
            "network, or a Sequential one that begins with keras.Input((height, width, channels))"
        )
    wanted, classes = model.inputs[0].shape[1:], model.outputs[0].shape[-1]
    if len(wanted) == 2 and images.shape[3] == 1:  # Keras drops the one channel
        wanted = (*wanted, 1)
    if len(wanted) != 3 or any(
        a not in (None, b) for a, b in zip(wanted, images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"the {name} images are {images.shape[1:]} (height, width, channels), but the network "
            f"{model.name!r} takes {tuple(wanted)}; bring one of the two to the other"
        )
    if len(model.outputs[0].shape) != 2:
        raise ValueError(f"the network gives {model.outputs[0].shape}, not (images, classes)")
    if classes == 1:
        raise ValueError(
            f"{model.name!r} gives one number, which is always the largest: two classes need two"
        )
    if labels.max() >= classes:
        raise ValueError(
            f"a label is {labels.max()}, but the network has {classes} classes, from 0"
        )
    check_logits(model, images[:8] / np.float32(255 if images.dtype == np.uint8 else 1))


def check_logits(model, images):
    """Raise ``ValueError`` if the network, asked about a few images, gives no logits."""
    last = model
    while getattr(last, "layers", None):
        last = last.layers[-1]
    end = getattr(last, "activation", None) or (last if type(last).__name__ in BENDS else None)
    end = getattr(end, "__name__", type(end).__name__) if end else "linear"
    answers = np.float32(model(images, training=False))
    if answers.ndim == 2 and answers.min() >= 0 and np.allclose(answers.sum(1), 1, atol=1e-3):
        end = "softmax"  # wherever it comes from
    if end != "linear":
        raise ValueError(
            f"{model.name!r} ends in {end.lower()}, and the loss here takes logits: end it before"
        )


def check_precision(model):
    """Raise ``ValueError`` for a network of float16, in which small gradients become 0."""
    for name, layer in layers_of(model).items():
        if layer.compute_dtype == "float16":
            raise ValueError(
                f"layer {name!r} computes in float16, in which small gradients become 0: wrap the "
                "optimizer in keras.optimizers.LossScaleOptimizer where one can be given, or build "
                "the network in mixed_bfloat16 or float32"
            )


def checked_examples(model, images, labels):
    """Labels as (n,) int32 for a network that is trained on float images from 0 to 1, or so.

    Raises ``ValueError`` for other labels than one whole number for each image, a class that the
    network lacks, whole-numbered pixels, and pixels that are NaN or infinite.
    """
    labels, classes = np.asarray(labels), model.output_shape[-1]
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(images):
        raise ValueError(
            f"labels are {labels.dtype} {labels.shape} for {len(images)} images; "
            "give a whole number, the class, for each"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, and the network has {classes} "
            f"classes, from 0 to {classes - 1}"
        )
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise ValueError(f"images are {images.dtype}; divide by 255: the network takes 0 to 1")
    check_finite_images("images", images)
    return labels.astype(np.int32)
