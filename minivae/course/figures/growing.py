"""Figures of chapter 10: how far an optimizer's step goes along each direction of a gradient."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from minivae.course.figures.common import grid, line_style


def steps_along(steps: dict[str, Tensor], neighbours: int = 4) -> Figure:
    """How far steps go along the directions of a gradient, strongest first, each in units of its longest.

    Args:
        steps: label → length along each direction (n,).
        neighbours: directions of which a mark shows the mean.
    """
    figure, ((axis,),) = grid(1, 1, (5.6, 3.2))
    for i, (label, lengths) in enumerate(steps.items()):
        means = lengths.reshape(-1, neighbours).mean(1)
        place = (np.arange(len(means)) + 0.5) * neighbours
        axis.plot(
            place, (means / means.max()).numpy(), marker="osD^"[i % 4], markersize=4, label=label, **line_style(i)
        )
    axis.set(xlabel="direction of the gradient, strongest first", yscale="log", ylim=(5e-3, 2))
    axis.set_ylabel("step along it (longest = 1)")
    axis.legend(fontsize=8, loc="lower left")
    return figure
