"""Figures of chapters 5 and 8: how the capacity is divided among the factors, and what it costs."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from minivae.course.figures.common import DASHES, GREY, PALETTE, grid, line_style
from minivae.rate_distortion import RateDistortion

TOP = 25.0  # nats: the end of every axis of capacities, as in the paper


def figure_3(trained: RateDistortion, best: RateDistortion | None = None) -> Figure:
    """The top of Figure 3, a column a factor: its KL against the capacity, and below against reconstruction accuracy.

    Black lines are what a training reached (`engine.curves.trained_curve`), broad pale ones the best split, if any.
    """
    names = trained.factors
    figure, axes = grid(2, len(names), (2 * len(names) + 0.5, 4.2), sharex="row", sharey=True)
    for i, (name, (above, below)) in enumerate(zip(names, axes.T, strict=True)):
        broad = {"color": PALETTE[i], "alpha": 0.4, "linewidth": 6, "label": "best split"}
        for curve, style in ((best, broad), (trained, {"color": "black", "linewidth": 1.2, "label": "trained"})):
            if curve is not None:
                rates = curve.rates[:, curve.factors.index(name)]
                above.plot(curve.capacities, rates, **style)
                below.plot(-curve.distortions, rates, **style)
        above.set(title=name, xlim=(0, TOP), xticks=(0, 10, 20))
        below.set(xlim=(-600, 0), xticks=(-500, -250, 0))
    axes[0, 0].set_ylim(0, None)  # of all: they share it
    axes[0, 2 % len(names)].set_xlabel("capacity C (nats)")
    axes[1, 2 % len(names)].set_xlabel("reconstruction accuracy, log p(x|z) (nats)")
    figure.supylabel("KL of the factor (nats)", fontsize=10)
    if best is not None:
        axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def codings(limits: dict[str, RateDistortion]) -> Figure:
    """The best split of several codings of the factors, a small panel a factor and a line a coding."""
    names = next(iter(limits.values())).factors
    figure, axes = grid(1, len(names), (2 * len(names) + 0.5, 2.6), sharex=True, sharey=True)
    for axis, name in zip(axes[0], names, strict=True):
        for i, (label, limit) in enumerate(limits.items()):
            axis.plot(limit.capacities, limit.rates[:, limit.factors.index(name)], label=label, **line_style(i))
        axis.set(title=name, xlim=(0, 18), xticks=(0, 5, 10, 15), ylim=(0, 5))
    axes[0, 0].set_ylabel("nats under the best split")
    figure.supxlabel("capacity C (nats)", fontsize=10)
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def ridge(changes: dict[str, dict[float, Sequence[float]]], shares: Sequence[float]) -> Figure:
    """What shares in nats that a factor is given do to the loss: title → capacity in nats → change at every share."""
    figure, axes = grid(1, len(changes), (4.75 * len(changes), 3.4), sharey=True)
    for axis, (title, lines) in zip(axes[0], changes.items(), strict=True):
        for i, (capacity, change) in enumerate(lines.items()):
            axis.plot(shares, change, label=f"C = {capacity:g}", **line_style(i))
        axis.axhline(0, color=GREY, linewidth=0.8)
        axis.set(title=title, xlabel="nats given to scale", ylim=(-30, 15))
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("change of the loss D (nats)")
    return figure


def drift(expected: Any, seen: Any, names: Sequence[str]) -> Figure:
    """How far each log σ moved beyond the mean of all: seen (moves, factors) against expected, and the line y = x."""
    figure, ((axis,),) = grid(1, 1, (4.8, 3.8))
    for i, name in enumerate(names):
        axis.scatter(expected[:, i], seen[:, i], label=name, color=PALETTE[i], marker="os^DX"[i % 5], s=24)
    ends = [min(expected.min(), seen.min()), max(expected.max(), seen.max())]
    axis.plot(ends, ends, color=GREY, linewidth=0.8)
    axis.set(xlabel="change of log σ less the mean over factors: expected", ylabel="seen in the run")
    axis.legend(fontsize=8)
    return figure


def shares(panels: dict[str, RateDistortion], limits: Sequence[RateDistortion]) -> Figure:
    """Nats against capacity, a row a run (title → `engine.curves.trained_curve`) and a small panel a factor, over those
    of each run's best split, in broad pale lines."""
    names = limits[0].factors
    size = 2 * len(names) + 0.5, 1.7 * len(panels) + 0.5
    figure, axes = grid(len(panels), len(names), size, sharex=True, sharey=True)
    for row, (title, curve), limit in zip(axes, panels.items(), limits, strict=True):
        for i, (axis, name) in enumerate(zip(row, names, strict=True)):
            best, trained = (of.rates[:, of.factors.index(name)] for of in (limit, curve))
            axis.plot(limit.capacities, best, color=PALETTE[i], alpha=0.4, linewidth=6, label="best split")
            axis.plot(curve.capacities, trained, color="black", linewidth=1.2, label="trained")
            axis.set(xlim=(0, TOP), xticks=(0, 10, 20))
        row[0].set_ylabel(f"{title}\nnats", fontsize=9)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name)
    axes[0, 0].set_ylim(0, None)  # of all: they share it
    figure.supxlabel("capacity C (nats)", fontsize=10)
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def splits(limits: dict[str, RateDistortion]) -> Figure:
    """The best split of every capacity, a panel a limit, and below it the price of a nat."""
    size = max(6.4, 4.9 * len(limits)), 5.2
    figure, axes = grid(2, len(limits), size, sharex=True, sharey="row", height_ratios=(3, 2))
    for (above, below), (title, limit) in zip(axes.T, limits.items(), strict=True):
        for i, name in enumerate(limit.factors):
            # x, dotted, lies on y, which is broader, so that both show where they are equal
            broad = {"linewidth": 4.0, "alpha": 0.5} if name == "y" else {}
            above.plot(limit.capacities, limit.rates[:, i], label=name, zorder=3 - 0.1 * i, **line_style(i), **broad)
        below.plot(limit.capacities, limit.prices, color="black")
        above.set(title=title, ylim=(0, None), xlim=(0, TOP))
        below.set(xlabel="capacity C (nats)", yscale="log", ylim=(1, 200))
        below.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes[0, 0].set_ylabel("rate per factor (nats)")
    axes[1, 0].set_ylabel("price of a nat\n(nats per nat)")
    axes[0, -1].legend(fontsize=8, loc="upper left")
    return figure


def frontier(curves: dict[str, RateDistortion], limits: dict[str, RateDistortion]) -> Figure:
    """Reconstruction against the total KL: label → `engine.curves.trained_curve` over the least that any decoder
    reaches, label → `rate_distortion`."""
    figure, ((axis,),) = grid(1, 1, (6.4, 3.8))
    for i, (label, limit) in enumerate(limits.items()):
        colour = (GREY, PALETTE[2], PALETTE[3])[i % 3]
        axis.plot(limit.capacities, limit.distortions, color=colour, linestyle=DASHES[i], linewidth=2.5, label=label)
    for i, (label, curve) in enumerate(curves.items()):
        axis.plot(curve.rates.sum(1), curve.distortions, label=label, **line_style(i))
    axis.set(xlabel="KL (nats)", ylabel="reconstruction, −log p(x|z) (nats)", xlim=(0, TOP), ylim=(0, 600))
    axis.legend(fontsize=8)
    return figure
