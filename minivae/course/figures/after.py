"""Figures of chapter 13: what the KL consists of."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from minivae.course.figures.common import BLUE, GREY, ORANGE, grid


def kl_stacks(parts: dict[str, Sequence[float]]) -> Figure:
    """A bar for each code, name → its information, total correlation and dimension-wise KL in nats, one on another."""
    figure, ((axis,),) = grid(1, 1, (7.2, 0.45 * len(parts) + 1.3))
    left = [0.0] * len(parts)
    styles = (("information", BLUE, ""), ("total correlation", ORANGE, "//"), ("dimension-wise KL", GREY, ".."))
    for i, (label, colour, hatch) in enumerate(styles):
        widths = [max(0.0, float(three[i])) for three in parts.values()]
        axis.barh(list(parts), widths, left=left, color=colour, hatch=hatch, edgecolor="white", label=label)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axis.invert_yaxis()
    axis.set_xlabel("nats")
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure
