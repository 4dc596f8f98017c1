"""The explorer of chapter 5: how the capacity is divided among the factors, and what is drawn from it."""

import html
from collections.abc import Sequence

import numpy as np
import torch
from ipywidgets import FloatSlider, IntSlider
from torch import Tensor

from minivae._arguments import check_count
from minivae.course.explorers.base import Explorer, State
from minivae.course.explorers.pixels import ZOOM, side_by_side
from minivae.course.figures import BLUE, GREY
from minivae.engine.curves import trained_curve
from minivae.engine.runs import Run
from minivae.generator import FactorGenerator
from minivae.ideal_decoder import SpriteChannels, amplitudes
from minivae.rate_distortion import RateDistortion


def shares_table(factors: Sequence[str], best: Tensor, trained: Tensor) -> str:
    """Bars of the nats that each factor gets, as HTML, so that they fit any width and follow the page's theme.

    Args:
        factors: names.
        best: nats of each factor in the best split, (factors,).
        trained: the same of the training.
    """
    rows = ""
    for name, *nats in zip(factors, best.tolist(), trained.tolist(), strict=True):
        bars = "".join(
            f'<div style="background:{colour};width:{max(0.0, value):.2f}em;height:.45em;margin:1px 0"></div>'
            for value, colour in zip(nats, (GREY, BLUE), strict=True)
        )
        numbers = f'<td style="text-align:right">{nats[0]:.2f} | {nats[1]:.2f}</td>'
        rows += f"<tr><td>{html.escape(name)}</td>{numbers}<td>{bars}</td></tr>"
    return f'<table style="line-height:1.3"><caption>nats: best split (grey) | trained (blue)</caption>{rows}</table>'


class CapacityExplorer(Explorer):
    """Slide the capacity: the nats of each factor, what the best decoder draws from them, and what a trained one draws.

    Both decoders get the factors of the same picture with the same noise, each at its own split. What each factor gets
    in the training is read off the run's history; the picture is drawn by the snapshot of the nearest capacity.

    Args:
        run: a generator's run with a schedule of C and snapshots.
        limit: the best splits, see `rate_distortion`.
        channels: what the limit was computed for; of the run's factors, raw or centred as the run has them.
        pictures: number of pictures to choose from.
    """

    zoom = ZOOM

    def __init__(self, run: Run, limit: RateDistortion, channels: SpriteChannels, pictures: int = 8) -> None:
        check_count("pictures", pictures)
        schedule = getattr(run.experiment.objective, "schedule", None)
        if run.experiment.model == "vae" or schedule is None:
            raise ValueError(f"the run must be that of a generator with a schedule of C, got {run.experiment.name!r}")
        names = run.experiment.latent_names, tuple(limit.factors), channels.factors
        if len(set(names)) != 1:
            factors = "; ".join(", ".join(of) for of in names)
            raise ValueError(f"run, limit and channels must have the same factors, got {factors}")
        raw = run.experiment.model == "generator", bool(channels.offset.any())
        if raw[0] != raw[1]:
            given = "raw run, centred channels" if raw[0] else "centred run, raw channels"
            raise ValueError(f"run and channels must both send the factors raw or both centred, got {given}")
        self.limit, self.channels = limit, channels
        self.trained = trained_curve(run, window=max(int(run.history["step"][0]), run.step // 200))
        generator = torch.Generator().manual_seed(3)
        dataset = run.experiment.dataset
        self.classes = dataset.sample_classes(pictures, generator)
        self.originals = dataset.render(self.classes)
        self.noise = torch.randn(pictures, len(channels.factors), generator=generator)
        self.models = [(schedule(step), run.model(step)) for step in [*sorted(run.snapshots), run.step]]

        low, high = limit.capacities[0].item(), limit.capacities[-1].item()
        capacity = FloatSlider(
            min(high, max(low, 7.3)), min=low, max=high, step=0.1, description="C (nats)", readout_format=".1f"
        )
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, beside the best there is",
            lambda state: self.pixels(state["C"], state["image"]),
            {"C": capacity, "image": IntSlider(max=pictures - 1, description="picture")},
            about="Left: a sprite. Middle: what the best decoder draws from C nats about its factors. Right: what the "
            "trained one draws.",
        )

    @torch.no_grad()
    def pixels(self, capacity: float, index: int) -> np.ndarray:
        """Original, best decoder's and trained decoder's picture, enlarged: (height, width) uint8.

        Args:
            capacity: C in nats.
            index: of the original.
        """
        best, _ = self.limit.at(capacity)
        amplitude = amplitudes(best.float(), self.channels.offset)
        classes = self.classes[index : index + 1]
        _, signals = self.channels.draw(self.channels.points(classes))
        drawn = self.channels.decode(amplitude * signals + self.noise[index], amplitude)
        _, model = self._nearest(capacity)
        mean, log_std = model.encode(classes)
        trained = torch.sigmoid(model.decode(mean + log_std.exp() * self.noise[index]))[0]
        return side_by_side(self.originals[index], drawn, trained)

    def _nearest(self, capacity: float) -> tuple[float, FactorGenerator]:
        """The snapshot whose capacity is nearest, and that capacity."""
        return min(self.models, key=lambda snapshot: abs(snapshot[0] - capacity))

    def _caption(self, state: State) -> str:
        capacity, (low, high) = state["C"], self.trained.capacities[[0, -1]].tolist()
        best, trained = self.limit.at(capacity)[0], self.trained.at(min(max(capacity, low), high))[0]
        return (
            f"left: original; middle: best decoder, C = {capacity:.1f}; right: trained, nearest snapshot, "
            f"C = {self._nearest(capacity)[0]:.1f}{shares_table(self.channels.factors, best, trained)}"
        )
