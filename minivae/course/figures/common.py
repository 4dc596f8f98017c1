"""What the figures share: colours, grids of axes, images in axes.

Colours: blue and orange stay apart for colour-blind readers and in grey; blue–white–red is for signed values only.
"""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008
DASHES = ("-", "--", "-.", ":")


def line_style(i: int) -> dict[str, Any]:
    """Colour and dashes of line i, which tell it from its neighbours in grey too."""
    return {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i % len(DASHES)]}


def grid(rows: int, columns: int, size: tuple[float, float], **settings: Any) -> tuple[Figure, np.ndarray]:
    """A new figure of a size (width, height) in inches and its axes (rows, columns); settings are of `plt.subplots`."""
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **settings)


def show_images(axes: Sequence[Axes], images: Tensor, label: str = "") -> None:
    """Show images (n, 1 or 3, H, W) in [0, 1] in a row of n axes or less, with a label to its left."""
    for axis, image in zip(axes, images, strict=False):
        pixels = image[0] if len(image) == 1 else image.movedim(0, -1)
        axis.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)


def image_row(images: Tensor, titles: Sequence[str] = ()) -> Figure:
    """A row of images (n, 1 or 3, H, W) in [0, 1], each with its title; titles may be left out."""
    figure, axes = plt.subplots(1, len(images), figsize=(1.3 * len(images), 1.6 if titles else 1.3), squeeze=False)
    show_images(axes[0], images)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=9)
    figure.tight_layout()
    return figure


def picture_rows(groups: Sequence[dict[str, Tensor]]) -> Figure:
    """Groups of rows, label → images (n, 1 or 3, H, W) in [0, 1], with a gap between the groups.

    As many columns are shown as the shortest row has.
    """
    lines = [line for group in groups for line in [None, *group.items()]][1:]  # None: a gap
    columns = min(len(images) for group in groups for images in group.values())
    ratios = [1.0 if line else 0.25 for line in lines]
    figure, axes = grid(len(lines), columns, (0.8 * columns + 2.2, 0.8 * sum(ratios) + 0.1), height_ratios=ratios)
    close_up(figure)
    for row, line in zip(axes, lines, strict=True):
        if line:
            show_images(row, line[1], line[0])
        else:
            for axis in row:
                axis.axis("off")
    return figure


def close_up(figure: Figure) -> None:
    """Let the axes of a figure almost touch."""
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 6, 8, 10, 15 …: limits that the explorers have too."""
    scale = 10 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 3, 4, 6, 8, 10) if value <= step * scale * (1 + 1e-9))
