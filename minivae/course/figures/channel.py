"""Figures of chapter 2: rates at each capacity, and messages through one latent."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from minivae import gaussian
from minivae.channel import linear_beta_vae, mutual_information, reverse_water_filling
from minivae.course.figures.common import BLUE, GREY, ORANGE, PALETTE, grid, line_style, round_up


def turn_ons(capacities: Tensor, rates: Tensor, eigenvalues: Tensor, trained: dict[float, Tensor]) -> Figure:
    """Rates (n, components) against capacities (n,), in nats, of components of these eigenvalues; dots: trained models.

    Trained: total rate of a model → its rates, high to low.
    """
    figure, ((axis,),) = grid(1, 1, (6.4, 3.6))
    for i, value in enumerate(eigenvalues.tolist()):
        axis.plot(capacities.numpy(), rates[:, i].numpy(), label=f"λ = {value:g}", **line_style(i))
    for total, found in trained.items():
        axis.scatter([total] * len(found), found.tolist(), color="black", s=14, zorder=3)
    axis.scatter([], [], color="black", s=14, label="trained")
    axis.set(xlabel="capacity C (nats)", ylabel="rate of the component (nats)")
    axis.legend(fontsize=8)
    return figure


def tangents(capacities: Tensor, losses: Tensor, trained: dict[float, tuple[float, float]]) -> Figure:
    """The least reconstruction loss (n,) at each capacity (n,), and trained models on it, each with a line of slope −β.

    Trained: β of a model → its total rate and its reconstruction; all in nats.
    """
    figure, ((axis,),) = grid(1, 1, (6.4, 3.6))
    axis.plot(capacities.numpy(), losses.numpy(), color="black", label="least reconstruction at C")
    for i, (beta, (rate, loss)) in enumerate(trained.items(), start=1):  # 0 looks like the curve
        ends = [max(0.0, rate - 1.2), rate + 1.2]
        label = f"trained at β = {beta:g}: slope −{beta:g}"
        axis.plot(ends, [loss - beta * (end - rate) for end in ends], label=label, **line_style(i))
        axis.plot(rate, loss, "o", color=line_style(i)["color"])
    axis.set(xlabel="capacity C (nats)", ylabel="reconstruction D/2s² (nats)", ylim=(0, None))
    axis.legend(fontsize=8)
    return figure


def messages(spread: float, std: float, levels: int = 8) -> Figure:
    """Evenly spaced messages on one latent: their posteriors, the output's density against the prior, the confusions.

    As many means as levels run from −spread to spread; the noise is std > 0.
    """
    means = torch.linspace(-spread, spread, levels, dtype=torch.float64)
    log_std = torch.full_like(means, math.log(std))
    z = torch.linspace(-6, 6, 481, dtype=torch.float64)
    each = gaussian.log_density(z[:, None], means, log_std).exp() / levels
    output = each.sum(1).numpy()
    prior = gaussian.log_density(z, z.new_zeros(()), z.new_zeros(())).exp()
    kl = gaussian.kl_per_latent(means, log_std).mean().item()
    information = mutual_information(means, std).item()
    edges = torch.cat([z.new_tensor([-math.inf]), (means[1:] + means[:-1]) / 2, z.new_tensor([math.inf])])
    read = torch.special.ndtr((edges - means[:, None]) / std).diff(dim=1)  # probability that message i is read as j

    figure, ((left, right),) = grid(1, 2, (8.4, 3.8))
    for i, density in enumerate(each.T.numpy()):
        left.fill_between(z.numpy(), density, color=PALETTE[i % len(PALETTE)], alpha=0.35, linewidth=0)
    left.plot(z.numpy(), output, color="black", label="output, q(z)")
    left.plot(z.numpy(), prior.numpy(), color=GREY, linestyle="--", label="prior, p(z)")
    left.set(xlabel="z", ylabel="density", xlim=(-6, 6), ylim=(0, max(0.6, round_up(1.02 * output.max()))))
    left.legend(fontsize=8, loc="upper right")
    left.set_title(f"KL {kl:.2f} = information {information:.2f} + slack {kl - information:.2f} nats", fontsize=10)
    right.pcolormesh(range(levels), range(levels), read.numpy(), cmap="Blues", vmin=0, vmax=1)
    right.set_title(f"{1 - read.diagonal().mean().item():.0%} read wrong", fontsize=10)
    right.set(xlabel="read as", ylabel="message sent", xticks=range(levels), yticks=range(levels))
    right.set_ylim(levels - 0.5, -0.5)
    right.spines[:].set_visible(False)
    return figure


def water_level(eigenvalues: Tensor, beta: float, noise: float) -> Figure:
    """Variances (components,) as bars, cut by the level η = β·noise; the rate–distortion curve and its tangent."""
    level, total = beta * noise, linear_beta_vae(eigenvalues, noise, beta).kl.sum().item()
    figure, ((left, right),) = grid(1, 2, (8.4, 3.4))
    number, bottom = range(1, len(eigenvalues) + 1), eigenvalues.min().item() / 2
    left.bar(number, eigenvalues.numpy() - bottom, bottom=bottom, color=BLUE)
    left.bar(number, eigenvalues.clamp_max(level).numpy() - bottom, bottom=bottom, color="#bbbbbb")
    left.axhline(level, color=ORANGE)
    left.set(xlabel="component", ylabel="variance λ", yscale="log", ylim=(bottom, None), title=f"η = βs² = {level:.2f}")
    left.set_yticks(ticks := eigenvalues.unique().tolist(), [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    rates = torch.linspace(0, linear_beta_vae(eigenvalues, 1.0, bottom).kl.sum().item(), 161)
    errors = [reverse_water_filling(eigenvalues, rate=C).distortions.sum().item() for C in [*rates.tolist(), total]]
    curve = torch.tensor(errors) / (2 * noise)
    right.plot(rates.numpy(), curve[:-1].numpy(), color=BLUE)
    right.axline((total, curve[-1].item()), slope=-beta, color=ORANGE, linestyle="--")
    right.plot(total, curve[-1].item(), "o", color=ORANGE)
    right.set(xlabel="C (nats)", ylabel="reconstruction D/2s² (nats)", ylim=(0, None), title=f"slope −β = −{beta:.2f}")
    return figure
