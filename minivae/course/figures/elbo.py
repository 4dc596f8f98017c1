"""Figures of chapter 1: a VAE as a drawing, the ELBO in three steps, and what a VAE of strips has learned."""

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor

from minivae import gaussian
from minivae.course.figures.common import BLUE, GREY, ORANGE, PALETTE, grid, round_up


def vae_diagram(picture: Tensor) -> Figure:
    """A VAE as a drawing, from a picture (H, W) in [0, 1] to its reconstruction, and the loss's two terms."""
    figure, ((axis,),) = grid(1, 1, (8.4, 2.5))
    axis.set(xlim=(0, 10.4), ylim=(0, 3), aspect="equal")
    axis.axis("off")
    for left, label in ((0.0, "picture x"), (9.0, r"drawn $\hat x$, $p(x\,|\,z)$")):
        axis.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, extent=(left, left + 1.4, 1.1, 2.5), aspect="auto")
        axis.text(left + 0.7, 2.65, label, ha="center", fontsize=9)
    for left, wide, narrow, label in ((2.0, 0.7, 0.3, "encoder"), (7.0, 0.3, 0.7, "decoder")):
        heights = [1.8 - wide, 1.8 + wide, 1.8 + narrow, 1.8 - narrow]
        axis.fill([left, left, left + 1.4, left + 1.4], heights, color=BLUE, alpha=0.25)
        axis.text(left + 0.7, 1.8, label, ha="center", va="center", fontsize=10)
    for x, label in ((4.25, "μ, log σ"), (5.9, "z = μ + σε")):
        axis.text(x, 1.8, label, ha="center", va="center", fontsize=10)
    axis.text(4.25, 2.3, r"posterior $q(z\,|\,x)$", ha="center", fontsize=9)
    axis.text(5.9, 2.65, "noise ε", ha="center", fontsize=9)
    axis.text(5.9, 1.35, "latent", ha="center", fontsize=9)
    for start, end in ((1.45, 1.95), (3.45, 3.75), (4.8, 5.2), (6.6, 6.95), (8.45, 8.95)):
        axis.annotate("", (end, 1.8), (start, 1.8), arrowprops={"arrowstyle": "->"})
    axis.annotate("", (5.9, 2.0), (5.9, 2.6), arrowprops={"arrowstyle": "->"})
    axis.plot([0.7, 0.7, 9.7, 9.7], [1.0, 0.3, 0.3, 1.0], color=ORANGE)
    axis.text(7.4, 0.4, r"reconstruction $-\log p(x\,|\,z)$", ha="center", color=ORANGE, fontsize=9)
    axis.plot([4.25, 4.25], [0.95, 1.55], color=ORANGE)
    axis.text(4.25, 0.65, r"+ β · KL$(q(z\,|\,x)\,\Vert\,p(z))$", ha="center", color=ORANGE, fontsize=9)
    return figure


def elbo_gap(log_joint: Callable[[Tensor], Tensor], mean: float, std: float) -> Figure:
    """A Gaussian q over the true posterior of a one-latent model, and log p(x) in three steps.

    From 0 down to E log p(x|z), further down to the ELBO by the KL to the standard-normal prior, up again by the gap.
    `log_joint` gives log p(x, z) in nats at the observed x for points z (n,); mean and std > 0 are of q.
    """
    z = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    joint = log_joint(z)
    log_p = torch.trapezoid(joint.exp(), z).log().item()
    log_q = gaussian.log_density(z, torch.tensor(mean).double(), torch.tensor(std).double().log())
    elbo = torch.trapezoid(log_q.exp() * (joint - log_q), z).item()
    kl = gaussian.kl_per_latent(torch.tensor(mean), torch.tensor(std).log()).item()

    figure, ((left, right),) = grid(1, 2, (8.4, 3.2))
    shown = slice(1200, 2801, 4)  # z from −4 to 4
    posterior, q = (joint - log_p).exp()[shown].numpy(), log_q.exp()[shown].numpy()
    left.fill_between(z[shown].numpy(), posterior, color=GREY, alpha=0.4, linewidth=0, label="p(z | x)")
    left.plot(z[shown].numpy(), q, color=BLUE, label="q(z | x)")
    left.set(xlabel="z", ylabel="density", xlim=(-3.5, 3.5), ylim=(0, 2))
    left.legend(fontsize=8, loc="upper right")

    steps = {"E log p(x | z)": elbo + kl, "− KL(q ‖ p(z))": -kl, "gap": log_p - elbo}
    heights = list(steps.values())
    right.bar(list(steps), heights, bottom=[0, elbo + kl, elbo], color=[BLUE, PALETTE[2], ORANGE])
    levels = ("zero", 0.0, "black", "-"), ("log p(x)", log_p, "black", "--"), ("ELBO", elbo, GREY, ":")
    for name, level, colour, dashes in levels:
        right.axhline(level, color=colour, linestyle=dashes, linewidth=0.8, label=name)
    depth = round_up(max(1, -elbo, 4 - log_p))
    right.set_ylim(-1.1 * depth, round_up(max(0.12 * depth, 1.05 * log_p, 1.05 * (elbo + kl))))
    title = (
        f"ELBO = {elbo + kl:.2f} − {kl:.2f} = {elbo:.2f} (dotted)\n"
        f"log p(x) = {log_p:.2f} (dashed), gap {log_p - elbo:.3f}"
    )
    right.set_title(title.replace("-", "−"), fontsize=9)
    right.set(ylabel="nats", xlim=(-0.6, 2.6))
    right.tick_params(axis="x", labelsize=8)
    return figure


def strip_codes(strips: Tensor, drawn: Tensor, centres: Tensor, mean: Tensor, std: Tensor) -> Figure:
    """Strips of pixels as columns, their reconstructions, and the posterior of the latent against the true centre.

    Strips and what is drawn of them are (n, pixels) in [0, 1], in the order of their centres (n,), which are in pixels;
    mean and std are of the posteriors, (n,).
    """
    figure, (axes,) = grid(1, 3, (9.0, 2.9))
    ends = (centres[0].item(), centres[-1].item(), strips.shape[1], 0)
    for axis, title, images in ((axes[0], "strips", strips), (axes[1], "reconstructions", drawn)):
        axis.imshow(images.T.numpy(), cmap="gray", vmin=0, vmax=1, aspect="auto", extent=ends)
        axis.set(title=title, xlabel="true centre (pixels)", yticks=[0, 4, 8, 12, 16])
    axes[0].set_ylabel("place in the strip (pixels)")
    edges = (mean - std).numpy(), (mean + std).numpy()
    axes[2].fill_between(centres.numpy(), *edges, color=BLUE, alpha=0.3, linewidth=0)
    axes[2].plot(centres.numpy(), mean.numpy(), color=BLUE)
    axes[2].set(title="latent", xlabel="true centre (pixels)", ylabel="z: mean ± σ")
    for axis in axes:
        axis.set_xticks([2, 5, 8, 11, 14])
    return figure
