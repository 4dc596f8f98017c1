"""Figures of chapter 9: the moments of a picture, codes of factors and of moments, and which of the two a run holds."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from minivae.course.figures.common import BLUE, DASHES, GREY, ORANGE, PALETTE, grid, show_images


def sprite_moments(images: Tensor, turning_points: Tensor, titles: Sequence[str]) -> Figure:
    """Pictures (n, 1, H, W) of one white sprite each, its centroid, and an ellipse that has the same second moments.

    A sprite turns about its turning point (n, 2), to the right and down, in pixels from the corner.
    """
    figure, axes = grid(1, len(images), (1.9 * len(images), 2.4))
    show_images(axes[0], images)
    for axis, image, point, title in zip(axes[0], images[:, 0], turning_points, titles, strict=True):
        place = image.nonzero().double().flip(1)  # to the right, down
        centre = place.mean(0)
        values, vectors = torch.linalg.eigh((place - centre).T.cov(correction=0))
        angle = torch.rad2deg(torch.atan2(vectors[1, 1], vectors[0, 1])).item()
        long, short = (4 * values[1].sqrt()).item(), (4 * values[0].sqrt()).item()  # of a full ellipse with that spread
        axis.add_patch(Ellipse(centre.tolist(), long, short, angle=angle, fill=False, color=ORANGE, linewidth=1.5))
        axis.plot(*(point - 0.5), "+", color=BLUE, markersize=9, markeredgewidth=2)
        axis.plot(*centre, "o", color=ORANGE, markersize=4)
        axis.set_title(title, fontsize=9)
    return figure


def least_losses(capacities: Sequence[float], losses: dict[str, Sequence[float]], leads: dict[str, Tensor]) -> Figure:
    """Least loss of several codes at each capacity, and beside it by how much that of a code is above the moments'."""
    figure, axes = grid(1, 2, (10.2, 3.8))
    styles = {name: (PALETTE[i], "osD^"[i % 4], DASHES[i % 4]) for i, name in enumerate(losses)}
    for axis, lines in zip(axes[0], (losses, leads), strict=True):
        for name, values in lines.items():
            colour, mark, dash = styles[name]
            axis.plot(capacities, values, mark, linestyle=dash, color=colour, markersize=3.5, label=name)
        axis.set(xlabel="C (nats)", xlim=(min(capacities), max(capacities)))
    axes[0, 0].set(ylabel="least reconstruction (nats)", ylim=(0, None))
    axes[0, 0].legend(fontsize=8)
    axes[0, 1].axhline(0, color=GREY, linewidth=0.8)
    axes[0, 1].set_ylabel("loss more than the moments' (nats)")
    written = {"transform": axes[0, 1].transAxes, "va": "center", "fontsize": 9}
    axes[0, 1].text(0.97, 0.96, "moments draw better", ha="right", **written)
    axes[0, 1].text(0.03, 0.06, "factors draw better", ha="left", **written)
    return figure


def held(rows: dict[str, dict[str, tuple[float, float]]]) -> Figure:
    """R² of a factor (hollow) and of the moment that it can be mistaken for (filled), a panel a pair, a row a run."""
    pairs = list(next(iter(rows.values())))
    figure, axes = grid(1, len(pairs), (2.5 * len(pairs) + 1.6, 0.28 * len(rows) + 1.1), sharey=True)
    for axis, pair in zip(axes[0], pairs, strict=True):
        for y, found in enumerate(rows.values()):
            factor, moment = found[pair]
            axis.plot([factor, moment], [y, y], color=GREY, linewidth=1, zorder=1)
            axis.plot(factor, y, "o", color=BLUE, markerfacecolor="white", markersize=6)
            axis.plot(moment, y, "o", color=ORANGE, markersize=5)
        axis.set(title=pair, xlabel="R² in the best latent", xlim=(-0.05, 1.05), xticks=[0, 0.5, 1])
        axis.grid(axis="y", linewidth=0.3)
    axes[0, 0].set_yticks(range(len(rows)), list(rows))
    axes[0, 0].invert_yaxis()
    return figure
