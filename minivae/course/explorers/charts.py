"""Explorers of one-latent models and channels: ELBO and gap (chapter 1), channels (2), posterior overlap (3)."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from minivae.course import figures
from minivae.course.explorers.base import Explorer, State, module, slider


class ChartExplorer(Explorer):
    """An explorer whose drawing without JavaScript is a figure of the state."""

    _esm = module("base.js", "charts.js")

    def figure(self, state: State) -> Figure:
        """The drawing of a state in Matplotlib."""
        raise NotImplementedError

    def still(self) -> np.ndarray:
        figure = self.figure(self.state)
        plt.close(figure)  # else a notebook shows it a second time
        figure.set_dpi(80)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _width(name: str, label: str, start: float, low: float = -1.5) -> dict:
    """A logarithmic slider from 10^low to 2."""
    return slider(name, label, start, low, 0.3, 0.02, log=True)


class ElboExplorer(ChartExplorer):
    """Move a Gaussian q over the true posterior of a one-latent model and watch ELBO and gap.

    Args:
        log_joint: log p(x, z) at the observed x for points z (n,), in nats.
    """

    def __init__(self, log_joint: Callable[[Tensor], Tensor]) -> None:
        self.log_joint = log_joint
        joint = log_joint(torch.linspace(-10, 10, 4001, dtype=torch.float64))
        super().__init__(
            "elbo",
            title="A Gaussian q over the true posterior, and what it leaves of log p(x)",
            about="Left: the density of q over that of the true posterior. Right: bars from 0 down to the expected "
            "log-likelihood, further down by the KL to the prior, and up again by the gap to log p(x).",
            controls=[slider("mean", "mean of q", 0.3, -2, 3), _width("std", "σ of q", 0.6)],
            buffers={"joint": joint.detach().double().numpy().astype("<f8").tobytes()},
            ends=[-10, 10],
        )

    def figure(self, state: State) -> Figure:
        return figures.elbo_gap(self.log_joint, state["mean"], state["std"])


class ChannelExplorer(ChartExplorer):
    """Spread the means and shrink the noise of eight messages on one latent: KL, information, slack and mistakes."""

    def __init__(self) -> None:
        super().__init__(
            "channel",
            title="Eight messages through one latent",
            about="Left: the densities of eight messages on a latent, of their mixture and of the prior. Right: which "
            "message is read as which.",
            controls=[slider("spread", "spread of means", 1.5, 0, 4), _width("std", "σ of the noise", 0.3)],
        )

    def figure(self, state: State) -> Figure:
        return figures.messages(state["spread"], state["std"])


class OverlapExplorer(ChartExplorer):
    """Drag the means and widths of three posteriors on one latent: densities, the decoder's belief, KL and mistakes."""

    def __init__(self) -> None:
        super().__init__(
            "overlap",
            title="Three pictures on one latent",
            about="Above: the posteriors of three pictures on one latent. Below: how much an optimal decoder believes "
            "in each of them at every z.",
            controls=[
                *(slider(f"mean {i}", f"mean {i}", i - 2.0, -3, 3) for i in (1, 2, 3)),
                *(_width(f"σ {i}", f"σ {i}", 0.5, -1.3) for i in (1, 2, 3)),
            ],
        )

    def figure(self, state: State) -> Figure:
        means, stds = (torch.tensor([state[f"{name} {i}"] for i in (1, 2, 3)]) for name in ("mean", "σ"))
        return figures.overlap(means, stds)
