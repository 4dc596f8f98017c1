"""Explorers whose picture is a figure: ELBO and gap (chapter 1), messages (2), overlapping posteriors (3)."""

import html
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from minivae.course import figures
from minivae.course.explorers.base import Explorer, State, float_slider, width_slider


class FigureExplorer(Explorer):
    """An explorer whose picture is a Matplotlib figure of the state; the titles of its axes are the caption.

    Drawing axes, with their ticks and labels, takes many times as long as drawing what is in them, and so do titles.
    So the axes are drawn once and kept while their limits stay, and the titles are left to HTML.

    Args:
        title: a line above the picture.
        figure: figure of a state; given the last one, it draws into that.
        settings: the other arguments of `Explorer`.
    """

    frames = 11  # figures take more room

    def __init__(self, title: str, figure: Callable[[State, Figure | None], Figure], **settings: Any) -> None:
        self._make, self._figure = figure, None
        self._kept: dict[tuple, tuple[Any, list[Any]]] = {}  # by the limits of all axes
        super().__init__(title, self._drawn, **settings)

    def _drawn(self, state: State) -> np.ndarray:
        figure = self._make(state, self._figure)
        if self._figure is None:
            plt.close(figure)
            figure.set_dpi(80)
            self._figure, self._canvas = figure, FigureCanvasAgg(figure)
        limits = tuple((axis.get_xlim(), axis.get_ylim()) for axis in figure.axes)
        if limits not in self._kept:
            self._kept[limits] = self._draw_axes()
        empty, legends = self._kept[limits]
        self._canvas.restore_region(empty)
        for axis in figure.axes:
            for mark in figures.marks(axis):
                axis.draw_artist(mark)
        for legend in legends:
            self._canvas.restore_region(legend)
        size = self._canvas.get_width_height()
        return np.asarray(Image.frombuffer("RGBA", size, self._canvas.buffer_rgba()).convert("RGB"))

    def _draw_axes(self) -> tuple[Any, list[Any]]:
        """The figure without data and titles, and its legends once more, to be laid over the data."""
        axes, copy = self._figure.axes, self._canvas.copy_from_bbox
        hidden = [artist for axis in axes for artist in (axis.title, *figures.marks(axis))]
        for artist in hidden:
            artist.set_visible(False)
        self._canvas.draw()
        self._figure.set_layout_engine("none")  # else the layout would jitter
        for artist in hidden:
            artist.set_visible(True)
        return copy(self._figure.bbox), [copy(axis.get_legend().get_window_extent()) for axis in axes
                                         if axis.get_legend() is not None]  # fmt: skip

    def _caption(self, state: State) -> str:
        titles = [axis.get_title().replace("\n", ", ") for axis in self._figure.axes]
        return html.escape("; ".join(title for title in titles if title))


class ElboExplorer(FigureExplorer):
    """Move a Gaussian q over the true posterior of a one-latent model and watch ELBO and gap.

    Args:
        log_joint: log p(x, z) at the observed x for points z (n,), in nats.
    """

    panels = 2

    def __init__(self, log_joint: Callable[[Tensor], Tensor]) -> None:
        super().__init__(
            "A Gaussian q over the true posterior, and what it leaves of log p(x)",
            lambda state, last: figures.elbo_gap(log_joint, state["mean"], state["std"], last),
            controls={"mean": float_slider("mean of q", 0.3, -2, 3), "std": width_slider("σ of q", 0.6)},
            about="Left: the density of q over that of the true posterior. Right: bars from 0 down to the expected "
            "log-likelihood, further down by the KL to the prior, and up again by the gap to log p(x).",
        )


class ChannelExplorer(FigureExplorer):
    """Spread the means and shrink the noise of eight messages on one latent: KL, information, slack and mistakes."""

    frames = 9
    panels = 2

    def __init__(self) -> None:
        super().__init__(
            "Eight messages through one latent",
            lambda state, last: figures.messages(state["spread"], state["std"], figure=last),
            controls={
                "spread": float_slider("spread of means", 1.5, 0, 4),
                "std": width_slider("σ of the noise", 0.3),
            },
            about="Left: the densities of eight messages on a latent, of their mixture and of the prior. Right: which "
            "message is read as which.",
        )


class OverlapExplorer(FigureExplorer):
    """Drag the means and widths of three posteriors on one latent: densities, the decoder's belief, KL and mistakes."""

    def __init__(self) -> None:
        means = {f"mean {i}": float_slider(f"mean {i}", i - 2.0, -3, 3) for i in (1, 2, 3)}
        stds = {f"σ {i}": width_slider(f"σ {i}", 0.5, -1.3) for i in (1, 2, 3)}

        def figure(state: State, last: Figure | None) -> Figure:
            mean, std = (torch.tensor([state[name] for name in names]) for names in (means, stds))
            return figures.overlap(mean, std, figure=last)

        super().__init__(
            "Three pictures on one latent", figure, controls=means | stds,
            about="Above: the posteriors of three pictures on one latent. Below: how much an optimal decoder believes "
            "in each of them at every z.",
        )  # fmt: skip
        self.in_book = ["mean 1", "σ 1"]  # moved alone, each of the three tells the same
