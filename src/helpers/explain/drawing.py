"""Draw maps over a picture: orange speaks for the class, blue against it."""

import numpy as np


def draw(picture, maps, frame=None, columns=4, side=1.5):
    """A figure with the picture, and one panel for each of ``maps`` {title: (H, W)}.

    Every map has its own scale, the same to both sides of 0, up to the size that half a percent of
    its pixels exceed.

    frame   (row, column, height, width): a rectangle to draw in all panels
    side    width and height of a panel in inches
    """
    import matplotlib.pyplot as plt

    if not maps:
        raise ValueError("there are no maps to draw")
    panels = {"the picture": picture, **maps}
    rows = -(-len(panels) // columns)
    size = (columns * side, rows * (side + 0.3))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, values) in zip(axes.flat, panels.items(), strict=False):
        values = np.asarray(values)
        if title == "the picture":
            axis.imshow(values, interpolation="nearest")
        else:
            most = np.percentile(np.abs(values), 99.5) or np.abs(values).max() or 1
            axis.imshow(values, "PuOr_r", vmin=-most, vmax=most, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        if frame is not None:
            row, column, height, width = frame
            corner = column - 0.5, row - 0.5
            axis.add_patch(plt.Rectangle(corner, width, height, fill=False, ec="C2", lw=1.8))
    return figure
