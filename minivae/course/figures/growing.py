"""Figures of chapter 10: how far a step goes along each direction of a gradient; ideal codes."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minivae.codes import moments
from minivae.course.figures.common import grid, line_style
from minivae.datasets import Sprites
from minivae.engine.curves import load_curve
from minivae.metrics.scores import mig


def steps_along(steps: dict[str, Tensor], neighbours: int = 4) -> Figure:
    """How far steps go along a gradient's directions, strongest first, in units of the longest: label → lengths (n,).

    A mark is the mean of so many neighbours.
    """
    figure, ((axis,),) = grid(1, 1, (5.6, 3.2))
    for i, (label, lengths) in enumerate(steps.items()):
        means = lengths.reshape(-1, neighbours).mean(1)
        place = (np.arange(len(means)) + 0.5) * neighbours
        axis.plot(place, means / means.max(), marker="osD^"[i % 4], markersize=4, label=label, **line_style(i))
    axis.set(xlabel="direction of the gradient, strongest first", yscale="log", ylim=(5e-3, 2))
    axis.set_ylabel("step along it (longest = 1)")
    axis.legend(fontsize=8, loc="lower left")
    return figure


def ideal_lines(folder: str | Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Ideal codes of white sprites, without a network, for `tradeoff`: label → least reconstruction and MIG at each C.

    A code is the centred factors, or the moments of chapter 9, of which those are sent, as means without noise,
    that have more than 0.02 nats in the best split. The folder holds the recorded limits.
    """
    classes = Sprites().sample_classes(10_000, torch.Generator().manual_seed(1))[:, 1:]
    shown, kind = moments(), tuple(classes[:, :3].T)
    centroid = classes[:, 3:] * 32 / 31 + shown["centroid"][kind]
    of_moments = [shown[name][kind] for name in ("wide", "root area", "slant")]
    codes = {"factors": ("centred", classes.double()),
             "moments": ("moments", torch.stack([*of_moments, *centroid.T], 1))}  # fmt: skip
    lines = {}
    for label, (name, code) in codes.items():
        limit = load_curve(Path(folder) / f"sprites-{name}-seed0.json")
        sent = [tuple((rates > 0.02).tolist()) for rates in limit.rates]
        scores = {which: mig((code * torch.tensor(which)).float(), classes) for which in set(sent)}
        lines[f"ideal {label}"] = limit.distortions, torch.tensor([scores[which] for which in sent])
    return lines
