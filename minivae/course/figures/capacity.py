"""Figures of chapter 5: how the capacity is divided among the factors, and what it costs."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from minivae.course.figures.common import DASHES, GREY, PALETTE, grid, line_style
from minivae.rate_distortion import RateDistortion

TOP = 25.0  # nats: the end of every axis of capacities, as in the paper


def factor_style(i: int) -> dict[str, Any]:
    """Colour and dashes of factor i; x, dotted, lies on y, which is broader, so that both show where they are equal."""
    broad = {"linewidth": 4.0, "alpha": 0.5} if i == 4 else {}
    return {**line_style(i), "zorder": 3 - 0.1 * i, **broad}


def figure_3(curves: dict[str, RateDistortion]) -> Figure:
    """The top of Figure 3, a row a curve: KL of each factor against capacity, and against reconstruction accuracy."""
    figure, axes = grid(len(curves), 2, (9.8, 2.9 * len(curves) + 0.5), sharex="col", sharey=True)
    for (left, right), (label, curve) in zip(axes, curves.items(), strict=True):
        for i, name in enumerate(curve.factors):
            left.plot(curve.capacities, curve.rates[:, i], label=name, **factor_style(i))
            right.plot(-curve.distortions, curve.rates[:, i], label=name, **factor_style(i))
        left.set(title=label, xlim=(0, TOP), ylabel="KL per factor (nats)")
    axes[-1, 0].set(xlabel="capacity C (nats)", ylim=(0, None))
    axes[-1, 1].set(xlabel="reconstruction accuracy, log p(x|z) (nats)", xlim=(-600, 0))
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def shares(panels: dict[str, RateDistortion], limits: Sequence[RateDistortion]) -> Figure:
    """Nats against capacity, a row a run and a small panel a factor, over those of the best split.

    Args:
        panels: title → what a training reached, see `engine.curves.trained_curve`.
        limits: the best split for each run: broad pale lines.
    """
    names = limits[0].factors
    size = 2 * len(names) + 0.5, 1.7 * len(panels) + 0.5
    figure, axes = grid(len(panels), len(names), size, sharex=True, sharey=True)
    for row, (title, curve), limit in zip(axes, panels.items(), limits, strict=True):
        for i, (axis, name) in enumerate(zip(row, names, strict=True)):
            best, trained = (of.rates[:, of.factors.index(name)] for of in (limit, curve))
            axis.plot(limit.capacities, best, color=PALETTE[i], alpha=0.4, linewidth=6, label="best split")
            axis.plot(curve.capacities, trained, color="black", linewidth=1.2, label="trained")
            axis.set(xlim=(0, TOP), xticks=range(0, int(TOP) + 1, 5))
        row[0].set_ylabel(f"{title}\nnats", fontsize=9)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name)
    axes[0, 0].set_ylim(0, None)  # of all: they share it
    figure.supxlabel("capacity C (nats)", fontsize=10)
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def splits(limits: dict[str, RateDistortion]) -> Figure:
    """The best split of every capacity, a panel a limit, and below it the price of a nat."""
    figure, axes = grid(2, len(limits), (4.9 * len(limits), 5.2), sharex=True, sharey="row", height_ratios=(3, 2))
    for (above, below), (title, limit) in zip(axes.T, limits.items(), strict=True):
        for i, name in enumerate(limit.factors):
            above.plot(limit.capacities, limit.rates[:, i], label=name, **factor_style(i))
        below.plot(limit.capacities, limit.prices, color="black")
        above.set(title=title, ylim=(0, None), xlim=(0, TOP))
        below.set(xlabel="capacity C (nats)", yscale="log", ylim=(1, 200))
        below.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes[0, 0].set_ylabel("rate per factor (nats)")
    axes[1, 0].set_ylabel("price of a nat\n(nats per nat)")
    axes[0, -1].legend(fontsize=8, loc="upper left")
    return figure


def frontier(curves: dict[str, RateDistortion], limits: dict[str, RateDistortion]) -> Figure:
    """Reconstruction against the total KL: trainings over the least that any decoder reaches.

    Args:
        curves: label → what a training reached, see `engine.curves.trained_curve`.
        limits: label → the limit, see `rate_distortion`.
    """
    figure, ((axis,),) = grid(1, 1, (6.4, 3.8))
    for i, (label, limit) in enumerate(limits.items()):
        colour = (GREY, PALETTE[2], PALETTE[3])[i % 3]
        axis.plot(limit.capacities, limit.distortions, color=colour, linestyle=DASHES[i], linewidth=2.5, label=label)
    for i, (label, curve) in enumerate(curves.items()):
        axis.plot(curve.rates.sum(1), curve.distortions, label=label, **line_style(i))
    axis.set(xlabel="KL (nats)", ylabel="reconstruction, −log p(x|z) (nats)", xlim=(0, TOP), ylim=(0, 600))
    axis.legend(fontsize=8)
    return figure
