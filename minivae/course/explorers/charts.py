"""Explorers of one-latent models and channels: chapters 1 to 3 and 7."""

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from minivae._arguments import check_positive
from minivae.channel import reverse_water_filling
from minivae.course import figures
from minivae.course.explorers.base import Explorer, State, choice, slider


class ChartExplorer(Explorer):
    """An explorer whose drawing without JavaScript is a figure of the state."""

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


class WaterLevelExplorer(ChartExplorer):
    """Drag the water level of independent Gaussian components, or the point on their rate–distortion curve.

    One of β, the capacity C (nats) and the squared error D is moved, and the other two follow; so they do in Python,
    where `explorer.state = {"C": 2.0}` sets one.

    Args:
        eigenvalues: variances λ > 0 of the components.
        noise: the decoder's variance s² > 0 per coordinate; the level is η = β s².
    """

    def __init__(
        self, eigenvalues: Sequence[float] = (8.0, 4.0, 4.0, 1.5, 0.6, 0.2), noise: float = 0.25
    ) -> None:  # fmt: skip
        self.eigenvalues = torch.tensor(sorted(eigenvalues, reverse=True), dtype=torch.float64)
        reverse_water_filling(self.eigenvalues, rate=0.0)  # says what is wrong with them, if anything is
        check_positive("noise", noise)
        self.noise = noise
        low, high = self.eigenvalues[-1].item() / (2 * noise), 1.25 * self.eigenvalues[0].item() / noise
        beta = slider("beta", "β", math.sqrt(low * high), math.log10(low), math.log10(high), 0.02, log=True)
        most, start = self.following("beta", low), self.following("beta", beta["start"])
        nats = slider("C", "capacity C", start["C"], 0, most["C"])
        error = slider("distortion", "squared error D", start["distortion"], most["distortion"],
                       self.eigenvalues.sum().item())  # fmt: skip
        super().__init__(
            "water",
            title="The water level η = βs² divides the capacity among the components",
            about="Left: the variance of each component as a bar, which is error below the water level and is sent "
            "above it. Right: the least reconstruction at every capacity, a point on it and its tangent.",
            controls=[control | {"start": start[control["name"]]} for control in (beta, nats, error)],
            eigenvalues=self.eigenvalues.tolist(), noise=noise,
        )  # fmt: skip

    def following(self, name: str, value: float) -> State:
        """The whole state if one control has a value."""
        if name == "beta":
            level = value * self.noise
        elif name == "C":
            level = reverse_water_filling(self.eigenvalues, rate=value).level
        else:  # the error at a level is a line between two variances
            levels = self.eigenvalues.flip(0)
            errors = torch.minimum(levels[:, None], levels).sum(1)
            level = float(np.interp(value, [0, *errors.tolist()], [0, *levels.tolist()]))
        rates = (0.5 * (self.eigenvalues / level).log()).clamp_min(0)
        error = self.eigenvalues.clamp_max(level)
        return {"beta": level / self.noise, "C": rates.sum().item(), "distortion": error.sum().item(), name: value}

    @traitlets.validate("state")
    def _known(self, proposal: traitlets.Bunch) -> State:
        state = super()._known(proposal)
        moved = next((name for name, value in state.items() if value != self.state.get(name, value)), "beta")
        wanted = self.following(moved, state[moved])
        consistent = all(abs(state[name] - value) < 1e-6 for name, value in wanted.items())
        return state if consistent else wanted

    def figure(self, state: State) -> Figure:
        return figures.water_level(self.eigenvalues, state["beta"], self.noise)


class TiltedEllipseExplorer(ChartExplorer):
    """Turn and stretch a true posterior, and see what its best axis-aligned fit costs.

    In nats, with the gains of the optimal linear decoder kept, and with gains that readjust to the angle.
    """

    def __init__(self) -> None:
        super().__init__(
            "ellipse",
            title="A diagonal posterior in turned axes, and its price",
            about="Left: a tilted true posterior, its best axis-aligned fit and the prior. Middle: the same after the "
            "gains have readjusted. Right: the price of both at every angle.",
            controls=[
                slider("angle", "angle (degrees)", 30, -90, 90, 1),
                slider("variance 1", "first variance", 0.08, 0.02, 1, 0.01),
                slider("variance 2", "second variance", 0.6, 0.02, 1, 0.01),
            ],
        )

    def figure(self, state: State) -> Figure:
        return figures.tilted_fits([state["angle"]], torch.tensor([state["variance 1"], state["variance 2"]]))


class TwelveCodesExplorer(ChartExplorer):
    """Drag the codes of twelve pictures on one latent into any order, choose β, and let gradient descent run.

    Pictures, cost and descent are those of chapter 3, section 4.
    """

    pictures = 12

    def __init__(self) -> None:
        places = torch.linspace(-1, 1, self.pictures, dtype=torch.float64)
        whole = np.linspace(-1.5, 1.5, self.pictures)
        torn = [self.code(np.roll(whole, cut), np.full(self.pictures, 0.1)) for cut in range(7)]
        cuts = [("none", 0), *((str(cut), cut) for cut in range(1, 7))]
        rows = [
            *(slider(f"mean {i}", f"mean {i}", 0, -4, 4, folded=True) for i in range(1, self.pictures + 1)),
            *(slider(f"σ {i}", f"σ {i}", 0.1, -3, 0.6, 0.02, log=True, folded=True)
              for i in range(1, self.pictures + 1)),
        ]  # fmt: skip
        super().__init__(
            "codes",
            title="Twelve pictures on one latent: tears heal, stay or fold",
            about="Left: mean and width of each picture's posterior, from the first to the last. Right: loss, "
            "likelihood cost and β times KL at every step of the descent.",
            controls=[
                choice("cut", "cut after picture", 6, cuts), slider("beta", "β", 2, 1, 64, 1),
                *(row | {"start": torn[6][row["name"]]} for row in rows),
            ],
            fold="means and widths, one by one", follow={"cut": torn}, steps=900,
            distances=((places[:, None] - places).square() / (2 * 0.1**2)).tolist(),
        )  # fmt: skip

    def code(self, means: np.ndarray, stds: np.ndarray) -> State:
        """The part of the state that says means and widths, (12,) each."""
        both = {"mean": means, "σ": stds}
        return {f"{name} {i + 1}": float(value) for name, values in both.items() for i, value in enumerate(values)}

    def figure(self, state: State) -> Figure:
        means, stds = (
            torch.tensor([state[f"{name} {i}"] for i in range(1, self.pictures + 1)]) for name in ("mean", "σ")
        )
        return figures.codes({f"β = {state['beta']:g}": (means, stds)}, cut=state["cut"])
