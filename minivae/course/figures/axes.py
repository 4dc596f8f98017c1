"""Figures of chapter 7: tilted posteriors, what a turned code costs, and settled codes as ellipses."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from minivae.course.figures.common import BLUE, GREY, ORANGE, grid, line_style


def tilted_fits(degrees: Sequence[float], variances: Tensor) -> Figure:
    """True posteriors of variances (2,) at some angles and their best diagonal fits, one σ wide, a panel an angle."""
    figure, axes = grid(1, len(degrees), (2.9 * len(degrees), 3.5), sharey=True)
    for axis, angle in zip(axes[0], degrees, strict=True):
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        share = torch.tensor([cosine**2, sine**2], dtype=variances.dtype)
        fit = 1 / torch.stack([share @ (1 / variances), share.flip(0) @ (1 / variances)])
        for of, turn, style in (
            (variances, angle, {"color": GREY, "alpha": 0.4, "label": "true posterior"}),
            (fit, 0.0, {"fill": False, "edgecolor": BLUE, "linewidth": 2, "label": "best diagonal fit"}),
            (torch.ones(2), 0.0, {"fill": False, "edgecolor": "black", "linestyle": ":", "label": "prior"}),
        ):
            axis.add_patch(Ellipse((0, 0), *(2 * of.sqrt()).tolist(), angle=turn, **style))
        price = 0.5 * (variances.log() - fit.log()).sum().abs().item()
        axis.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal", xlabel="$z_1$", xticks=[-1, 0, 1],
                 yticks=[-1, 0, 1])  # fmt: skip
        axis.set_title(f"turned by {angle:g}°: gap {price:.2f} nats", fontsize=10)
    axes[0, 0].set_ylabel("$z_2$")
    columns = 3 if len(degrees) > 1 else 2  # one panel is too narrow for a line of three
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=9)
    return figure


def turning_prices(degrees: Sequence[float], prices: dict[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """What a code turned by these angles costs: label → nats with the gains kept, solid, and readjusted, dashed."""
    figure, ((axis,),) = grid(1, 1, (6, 3.4))
    for i, (label, (kept, readjusted)) in enumerate(prices.items()):
        colour, marker = line_style(i)["color"], "osD^"[i % 4]
        axis.plot(degrees, kept, color=colour, marker=marker, markersize=4, label=f"{label}, gains kept")
        axis.plot(degrees, readjusted, "--", color=colour, marker=marker, markersize=4, fillstyle="none",
                  label=f"{label}, readjusted")  # fmt: skip
    axis.set(xlabel="angle of the code (degrees)", ylabel="extra loss / β (nats)", xticks=range(0, 91, 15))
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def settled_codes(panels: dict[str, tuple[Tensor, Tensor]]) -> Figure:
    """Posteriors as ellipses, one σ wide: title → means (n, 2) and lower triangles L of the covariances L Lᵀ."""
    figure, axes = grid(1, len(panels), (3 * len(panels), 3.5), sharey=True)
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    for axis, (title, (means, triangles)) in zip(axes[0], panels.items(), strict=True):
        for mean, triangle in zip(means.numpy(), triangles.numpy(), strict=True):
            axis.fill(*(mean[:, None] + triangle @ circle), color=BLUE, alpha=0.45, linewidth=0)
        axis.plot(*means.numpy().T, ".", color=ORANGE, markersize=3)
        axis.set(aspect="equal", xlim=(-2.9, 2.9), ylim=(-2.9, 2.9), xlabel="$z_1$")
        axis.set_title(title, fontsize=10)
    axes[0, 0].set_ylabel("$z_2$")
    return figure
