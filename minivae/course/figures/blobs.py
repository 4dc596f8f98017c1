"""Figures of chapters 4 and 7: when latents collapse, and the directions of the active ones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from minivae.course.figures.common import BLUE, GREY, ORANGE, grid, line_style
from minivae.datasets import Blobs
from minivae.metrics.evaluate import ACTIVE


def collapse(
    widths: Sequence[float], thresholds: Sequence[float], trained: Sequence[tuple[float, float, float]]
) -> Figure:
    """Predicted collapse thresholds β_c against blob widths s in pixels, with trainings marked active or collapsed.

    Of each training (s, β, largest final KL of a latent in nats).
    """
    figure, ((axis,),) = grid(1, 1, (6, 3.8))
    axis.plot(widths, thresholds, color=GREY, marker=".", label=r"predicted threshold $\beta_c$")
    axis.fill_between(widths, thresholds, 1e3, color=GREY, alpha=0.12, linewidth=0)
    active = [point for point in trained if point[2] > ACTIVE]
    collapsed = [point for point in trained if point[2] <= ACTIVE]
    for points, colour, marker, kind in ((active, BLUE, "o", "active"), (collapsed, ORANGE, "X", "collapsed")):
        x, y = [width for width, _, _ in points], [beta for _, beta, _ in points]
        axis.scatter(x, y, color=colour, marker=marker, s=60, label=f"trained: {kind}", zorder=3)
        for width, beta, kl in points:
            place, side = ((0, -16), "center") if kind == "active" else ((-8, -3), "right")
            axis.annotate(f"{kl:.2f} nats", (width, beta), place, textcoords="offset points", fontsize=8, ha=side,
                          color=colour)  # fmt: skip
    axis.axhline(150, color="black", linewidth=0.8, linestyle="--")
    axis.annotate("β = 150, the paper's", (max(widths), 150), fontsize=8, ha="right", va="bottom")
    axis.annotate("collapsed", (min(widths) + 0.3, 300), color=GREY)
    axis.annotate("active", (max(widths) - 0.8, 60), color=GREY)
    axis.set(xlabel="width s of the blob (pixels)", xlim=(min(widths) - 0.15, max(widths) + 0.15))
    axis.set(ylabel="β", yscale="log", ylim=(20, 450))
    axis.set_yticks([20, 50, 100, 200, 400], ["20", "50", "100", "200", "400"])
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.legend(fontsize=8, loc="lower right")
    return figure


def compass(angles: dict[str, Sequence[tuple[float, float]]], domains: dict[str, Blobs]) -> Figure:
    """The two active axes of every seed as lines across the outline of the domain: title → data set of that domain.

    Angles: title → for each seed the directions of its two axes in degrees, 0 along x, 90 along y, downwards.
    """
    figure, axes = grid(1, len(angles), (2.6 * len(angles) + 0.4, 4), sharey=True)
    turn = np.linspace(0, 2 * np.pi, 181)
    outlines = {
        "square": (np.array([-1, 1, 1, -1, -1]), np.array([-1, -1, 1, 1, -1])),
        "diamond": (np.array([0, 1, 0, -1, 0]), np.array([-1, 0, 1, 0, -1])),
        "disc": (np.cos(turn), np.sin(turn)),
    }
    for axis, (name, seeds) in zip(axes[0], angles.items(), strict=True):
        dataset = domains[name]
        x, y = outlines[dataset.domain]
        middle, half = dataset.size / 2, dataset.half_width
        axis.fill(middle + half * x, middle + half * y, color=GREY, alpha=0.15, linewidth=0)
        for seed, pair in enumerate(seeds):
            for angle in np.radians(pair):
                along = 0.8 * half * np.array([-1, 1])
                axis.plot(middle + along * np.cos(angle), middle + along * np.sin(angle), **line_style(seed))
            axis.plot([], [], label=f"{seed}", **line_style(seed))
        axis.set(xlim=(0, dataset.size), ylim=(dataset.size, 0), aspect="equal", title=name, xlabel="x (pixels)")
        axis.legend(title="seed", fontsize=7, title_fontsize=7, ncols=len(seeds), loc="upper center",
                    bbox_to_anchor=(0.5, -0.22), handlelength=1.6, columnspacing=0.8)  # fmt: skip
    axes[0, 0].set_ylabel("y (pixels)")
    return figure
