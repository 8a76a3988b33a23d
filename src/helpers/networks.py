"""A look into a Keras network: all its layers, its kernels, and whether its weights are numbers.

Importing this needs NumPy only.
"""

import numpy as np

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
