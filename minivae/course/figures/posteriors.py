"""Figures of chapter 3: overlapping posteriors, and pictures in order along a latent."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from minivae import gaussian
from minivae.course.figures.common import BLUE, DASHES, GREY, ORANGE, PALETTE, grid, line_style, round_up
from minivae.overlap import confusions, right_guesses


def overlap(means: Tensor, stds: Tensor, star: float | None = None, names: Sequence[str] = ()) -> Figure:
    """Posteriors of several pictures on one latent, means and stds (n,), and an optimal decoder's belief at every z.

    The likelihood cost is for pictures that are all at the same distance D in nats; a star marks a sample.
    """
    means, stds = means.double(), stds.double()
    z = torch.linspace(-4, 4, 401, dtype=torch.float64)
    log_q = gaussian.log_density(z[:, None], means, stds.log())
    prior = gaussian.log_density(z, z.new_zeros(()), z.new_zeros(())).exp()
    kl = gaussian.kl_per_latent(means, stds.log()).mean().item()
    wrong = 1 - right_guesses(means, stds)
    mixed = confusions(means, stds)
    cost = 0.5 * (mixed.sum() - mixed.trace()).item()

    figure, ((top,), (bottom,)) = grid(2, 1, (5.4, 4), sharex=True, height_ratios=(3, 2))
    for i, name in enumerate(names or [f"picture {i + 1}" for i in range(len(means))]):
        top.plot(z.numpy(), log_q[:, i].exp().numpy(), label=name, **line_style(i))
    top.plot(z.numpy(), prior.numpy(), color=GREY, linewidth=0.8, linestyle=":", label="prior")
    height = log_q.exp().max().item()
    top.set(ylabel="density q(z | x)", ylim=(0, round_up(1.02 * max(height, prior.max().item()))))
    top.set_title(f"mean KL {kl:.2f} nats, best guess wrong {wrong:.0%}, likelihood cost {cost:.2f} D", fontsize=10)
    bottom.stackplot(z.numpy(), torch.softmax(log_q, 1).T.numpy(), colors=PALETTE, alpha=0.5)
    bottom.set(xlabel="z", ylabel="decoder's belief", ylim=(0, 1), xlim=(-4, 4))
    if star is not None:
        top.plot([star], [0.04 * height], "*", markersize=14, color="black", clip_on=False, label="sample")
        bottom.plot([star, star], [0, 1], color="black", linewidth=0.8, label="sample")
    top.legend(fontsize=8, loc="upper right")
    return figure


def orders(costs: dict[str, Tensor]) -> Figure:
    """Histogram of the cost in nats of every order of pictures along the latent, a panel a case: title → (orders,).

    The first order is that in which neighbours are side by side.
    """
    figure, axes = grid(1, len(costs), (4.2 * len(costs), 3))
    top = 1.05 * max(values.max().item() for values in costs.values())
    for axis, (title, values) in zip(axes[0], costs.items(), strict=True):
        first = values[0].item()
        axis.hist(values.numpy(), bins=40, range=(0, top), color=BLUE)
        axis.axvline(first, color=ORANGE, linestyle="--")
        axis.annotate("neighbours side by side", (first, 1.0), (0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", fontsize=8, color=ORANGE)  # fmt: skip
        axis.set(xlabel="likelihood cost (nats)")
        axis.set_title(title, pad=16)
    axes[0, 0].set_ylabel("number of orders")
    return figure


def codes(panels: dict[str, tuple[Tensor, Tensor]], cut: int) -> Figure:
    """Where each picture of a row lies on the latent, a panel a code: title → posterior means (n,) and σ (n,).

    The first `cut` pictures are blue, the others orange.
    """
    figure, axes = grid(1, len(panels), (2.5 * len(panels), 2.9), sharey=True)
    for axis, (title, (means, stds)) in zip(axes[0], panels.items(), strict=True):
        number = np.arange(1, len(means) + 1)
        for part, colour in ((slice(0, cut), BLUE), (slice(cut, None), ORANGE)):
            axis.errorbar(number[part], means[part].numpy(), stds[part].numpy(), color=colour, marker="o",
                          markersize=4, linewidth=0.8)  # fmt: skip
        axis.set(title=title, xlabel="picture")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("z: mean ± σ")
    return figure


def exchange(kl: Tensor, cost: Tensor, free: dict[float, tuple[float, float]]) -> Figure:
    """Likelihood cost against KL of a family of codes, both (n,) in nats, and where free descents end.

    Free: price β → KL and cost at the end of a descent, where the tangent of slope −β is drawn.
    """
    figure, ((axis,),) = grid(1, 1, (5.2, 3.3))
    axis.plot(kl.numpy(), cost.numpy(), color=BLUE, label="symmetric family")
    for i, (beta, (x, y)) in enumerate(free.items()):
        run = 0.9 / np.hypot(1, 0.25 * beta)  # of about one length on the page
        axis.plot([x - run / 2, x + run / 2], [y + beta * run / 2, y - beta * run / 2], "--", color=GREY, linewidth=1,
                  zorder=3, label="" if i else "slope −β")  # fmt: skip
        axis.plot(x, y, "o", color=ORANGE, zorder=4, label="" if i else "free descent")
        axis.annotate(f"β = {beta:g}", (x, y), (9, 3), textcoords="offset points", fontsize=9)
    axis.set(xlabel="KL (nats)", ylabel="likelihood cost (nats)", ylim=(0, 1.05 * cost.max().item()), xlim=(0, None))
    axis.legend(fontsize=8)
    return figure


def wall(losses: dict[str, Tensor], every: int) -> Figure:
    """Losses along one path of descent, each minus its start: name → nats at every so many steps.

    The second may end before the first, where the pressure changes; a dotted line marks that step.
    """
    figure, ((axis,),) = grid(1, 1, (5.2, 3.2))
    for (name, values), colour, dashes in zip(losses.items(), (BLUE, ORANGE), DASHES, strict=False):
        steps = every * np.arange(len(values))
        axis.plot(steps, (values - values[0]).numpy(), color=colour, linestyle=dashes, label=name)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(steps[-1], color=GREY, linewidth=0.8, linestyle=":")
    axis.set(xlabel="step of descent", ylabel="loss minus its start (nats)")
    axis.legend(fontsize=8, loc="upper right")
    return figure
