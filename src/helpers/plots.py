"""Figures that more than one lab draws."""


def gallery(images, titles, notes=None, *, columns=5, size=(1.2, 1.75), fontsize=10):
    """Draw ``images`` in rows of ``columns``, each below its title and above its note, if any.

    images   arrays (h, w) or (h, w, 3), each drawn on its own scale
    titles, notes   one text for each image
    size     width and height of an image with its texts, in inches

    Returns the figure. Raises ``ValueError`` unless there is one text for each image, and an image.
    """
    import matplotlib.pyplot as plt

    notes = [""] * len(images) if notes is None else notes
    if not len(images) or {len(titles), len(notes)} != {len(images)}:
        raise ValueError(
            f"{len(images)} images, {len(titles)} titles and {len(notes)} notes: "
            "give at least one image, and one text for each"
        )
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size[0], rows * size[1]), squeeze=False
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, image, title, note in zip(axes.flat, images, titles, notes, strict=False):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(title, fontsize=fontsize)
        axis.set_xlabel(note, fontsize=fontsize)
    return figure
