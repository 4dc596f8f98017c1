"""Every figure of the chapters as a function that returns a matplotlib Figure.

Colours: blue and orange stay apart for colour-blind readers and in grey; blue–white–red is for signed values only.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from torch import Tensor

from minivae import gaussian
from minivae.channel import mutual_information
from minivae.datasets import Blobs
from minivae.engine.runs import Run
from minivae.metrics.evaluate import ACTIVE, mean_kl, traversal
from minivae.overlap import confusions, right_guesses
from minivae.rate_distortion import RateDistortion
from minivae.vae import VAE

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008
DASHES = ("-", "--", "-.", ":")


def image_row(images: Tensor, titles: Sequence[str] = (), height: float = 1.3) -> Figure:
    """A row of images (n, 1 or 3, H, W) in [0, 1], each with its title."""
    figure, axes = plt.subplots(1, len(images), figsize=(height * len(images), height + 0.3 * bool(titles)))
    for i, axis in enumerate(np.atleast_1d(axes)):
        _picture(axis, images[i])
        if titles:
            axis.set_title(titles[i], fontsize=9)
    figure.tight_layout()
    return figure


@torch.no_grad()
def traversals(
    model: VAE, dataset: Blobs, originals: Tensor, *, columns: int = 8, tuning: int = 33, title: str = ""
) -> Figure:
    """The layout of Figure 2: originals, reconstructions, then a traversal and the position tuning of every latent.

    Traversals start from the code of the first original and run over [−3, 3]; rows are ordered by mean KL, high to low.
    Heat maps show the posterior mean for every position of the blob: blue −3, white 0, red 3. Data without a grid of
    positions, which only `Blobs` have, get the same figure without heat maps, that of `latent_rows`.

    Args:
        model: a trained VAE.
        dataset: the data that it was trained on.
        originals: images (n ≥ columns, 1, 64, 64); the KLs are means over all of them, the first `columns` are shown.
        columns: pictures in a row.
        tuning: side of the grid of positions for the heat maps.
        title: of the whole figure.
    """
    if not hasattr(dataset, "grid"):
        latents = model.decoder.latents
        return latent_rows(model, originals, rows=latents, columns=columns, title=title)
    shown = originals[:columns]
    mean, _ = model.encode(originals)
    kl = mean_kl(model, originals)
    rows = [shown, torch.sigmoid(model.decode(mean[:columns]))]
    labels = ["originals", "reconstructions"]
    order = kl.argsort(descending=True).tolist()
    for latent in order:
        rows.append(torch.sigmoid(model.decode(traversal(mean[0], latent, torch.linspace(-3, 3, columns)))))
        labels.append(rf"$z_{{{latent}}}$   {kl[latent]:.2f} nats")

    positions = dataset.grid(tuning)
    means, _ = model.encode(dataset.render(positions))
    means[~dataset.contains(positions)] = torch.nan  # the model has never seen a blob there

    figure, axes = plt.subplots(
        len(rows), columns + 1, figsize=(0.8 * (columns + 1) + 2.4, 0.8 * len(rows) + 0.7), layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for r, (images, label) in enumerate(zip(rows, labels, strict=True)):
        for c in range(columns):
            _picture(axes[r, c], images[c])
        axes[r, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    for axis in axes[:2, -1]:
        axis.axis("off")
    for r, latent in enumerate(order, start=2):
        heat = axes[r, -1].imshow(means[:, latent].view(tuning, tuning).numpy(), cmap="RdBu_r", vmin=-3, vmax=3)
        axes[r, -1].set(xticks=[], yticks=[])
    bar = figure.colorbar(heat, ax=axes[2:, -1], shrink=0.5, ticks=[-3, 0, 3])
    bar.set_label("posterior mean of z by position of the blob", fontsize=8)
    for column, value in ((0, "−3"), (columns // 2, "traversed value of z"), (columns - 1, "3")):
        axes[-1, column].set_xlabel(value, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


@torch.no_grad()
def latent_rows(model: VAE, originals: Tensor, *, rows: int = 10, columns: int = 9, title: str = "") -> Figure:
    """The layout of Figure 4: originals, reconstructions, then a traversal of each latent, ordered by mean KL.

    Traversals start from the code of the first original and run over [−3, 3].

    Args:
        model: a trained VAE.
        originals: images (n ≥ columns, channels, 64, 64); the KLs are means over all, the first `columns` are shown.
        rows: latents to show.
        columns: pictures in a row.
        title: of the whole figure.
    """
    mean, _ = model.encode(originals)
    kl = mean_kl(model, originals)
    above = {"original": originals[:columns], "reconstruction": torch.sigmoid(model.decode(mean[:columns]))}
    below = {}
    for latent in kl.argsort(descending=True)[:rows].tolist():
        drawn = torch.sigmoid(model.decode(traversal(mean[0], latent, torch.linspace(-3, 3, columns))))
        below[rf"$z_{{{latent}}}$   {kl[latent]:.2f} nats"] = drawn
    figure = picture_rows([above, below])
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def alignments(tables: dict[str, dict[str, Tensor]], kls: dict[str, Tensor] | None = None) -> Figure:
    """Which latent holds which factor: R² as a heat map, a panel a model.

    Args:
        tables: title → factor → R² (latents,), see `metrics.alignment`.
        kls: title → mean KL (latents,) in nats: active latents are shown, the highest at the left. None for codes
            without a posterior.
    """
    figure, axes = plt.subplots(1, len(tables), figsize=(4.4 * len(tables) + 0.6, 3.6), layout="constrained")
    for axis, (title, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        values = torch.stack(list(table.values()))
        order, labels, under = range(values.shape[1]), [f"$z_{{{i}}}$" for i in range(values.shape[1])], "latent"
        if kls is not None:
            order = [i for i in kls[title].argsort(descending=True).tolist() if kls[title][i] > ACTIVE]
            labels = [f"$z_{{{i}}}$\n{kls[title][i]:.1f}" for i in order]
            under = "latent, and its KL in nats"
        values = values[:, list(order)]
        heat = axis.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (y, x), value in np.ndenumerate(values.numpy()):
            if value >= 0.05:
                axis.text(x, y, f"{value:.2f}"[1:] if value < 0.995 else "1", ha="center", va="center", fontsize=8,
                          color="white" if value > 0.6 else "black")  # fmt: skip
        axis.set_yticks(range(len(table)), list(table))
        axis.set_xticks(range(len(order)), labels, fontsize=8)
        axis.set(title=title, xlabel=under)
    figure.colorbar(heat, ax=np.atleast_1d(axes)[-1], label="R²")
    return figure


def kl_history(runs: dict[str, Run]) -> Figure:
    """KL per latent over training, one panel a run, with a logarithmic axis of nats."""
    figure, axes = plt.subplots(
        1, len(runs), figsize=(5.2 * len(runs), 3.6), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, (title, run) in zip(axes[0], runs.items(), strict=True):
        steps, kl = run.history["step"], run.history["kl"]
        window = max(1, len(steps) // 200)  # one batch's KL jitters: the eye wants its mean
        order = kl[-window:].mean(0).argsort()[::-1]
        for rank, latent in enumerate(order):
            axis.plot(
                _smooth(steps, window), _smooth(kl[:, latent], window), color=PALETTE[rank % len(PALETTE)],
                linestyle=DASHES[rank // len(PALETTE) % len(DASHES)], label=rf"$z_{{{latent}}}$",
            )  # fmt: skip
        axis.axhline(ACTIVE, color=GREY, linewidth=0.8)
        axis.annotate(
            "active above", (0.15, ACTIVE), xycoords=("axes fraction", "data"), fontsize=8, color=GREY, va="bottom"
        )
        axis.set(yscale="log", ylim=(1e-4, 10), xlabel="training step", title=title)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes[0, 0].set_ylabel("KL per latent (nats)")
    return figure


def collapse(
    widths: Sequence[float], thresholds: Sequence[float], trained: Sequence[tuple[float, float, float]]
) -> Figure:
    """Predicted collapse threshold against blob width, with trained runs marked active or collapsed.

    Args:
        widths: blob widths σ, in pixels.
        thresholds: β_c of each.
        trained: (σ, β, largest final KL of a latent in nats) of each training.
    """
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    axis.plot(widths, thresholds, color=GREY, marker=".", label=r"predicted threshold $\beta_c$")
    axis.fill_between(widths, thresholds, 1e3, color=GREY, alpha=0.12, linewidth=0)
    kinds = ((True, BLUE, "o", "trained: active"), (False, ORANGE, "X", "trained: collapsed"))
    for active, colour, marker, label in kinds:
        points = [(sigma, beta, kl) for sigma, beta, kl in trained if (kl > ACTIVE) == active]
        sigmas, betas = [point[0] for point in points], [point[1] for point in points]
        axis.scatter(sigmas, betas, color=colour, marker=marker, s=60, label=label, zorder=3)
        for sigma, beta, kl in points:
            axis.annotate(
                f"{kl:.2f} nats", (sigma, beta), (8, -3), textcoords="offset points", fontsize=8, color=colour
            )
    axis.axhline(150, color="black", linewidth=0.8, linestyle="--")
    axis.annotate("β = 150, the paper's", (max(widths), 150), fontsize=8, ha="right", va="bottom")
    ticks = [20, 50, 100, 200, 400]
    ends = (min(widths) - 0.15, max(widths) + 0.15)
    axis.set(yscale="log", ylim=(20, 450), xlabel="blob width σ (pixels)", ylabel="β", xlim=ends)
    axis.set_yticks(ticks, [str(tick) for tick in ticks])
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.annotate("collapsed", (min(widths) + 0.3, 300), color=GREY)
    axis.annotate("active", (max(widths) - 0.8, 60), color=GREY)
    axis.legend(fontsize=8, loc="lower right")
    return figure


def compass(angles: dict[str, Sequence[tuple[float, float]]], domains: dict[str, Blobs]) -> Figure:
    """The two active axes of every seed, drawn as lines across the outline of the domain.

    Args:
        angles: for each domain, per seed, the direction of its two axes in degrees (0 along x, 90 along y, downwards).
        domains: the data set of each domain.
    """
    figure, axes = plt.subplots(1, len(angles), figsize=(3.7 * len(angles), 3.2), layout="constrained")
    turn = np.linspace(0, 2 * np.pi, 181)
    outlines = {
        "square": (np.array([-1, 1, 1, -1, -1]), np.array([-1, -1, 1, 1, -1])),
        "diamond": (np.array([0, 1, 0, -1, 0]), np.array([-1, 0, 1, 0, -1])),
        "disc": (np.cos(turn), np.sin(turn)),
    }
    for axis, (name, seeds) in zip(np.atleast_1d(axes), angles.items(), strict=True):
        dataset = domains[name]
        x, y = outlines[dataset.domain]
        middle, half = dataset.size / 2, dataset.half_width
        axis.fill(middle + half * x, middle + half * y, color=GREY, alpha=0.15, linewidth=0)
        for seed, pair in enumerate(seeds):
            for angle in pair:
                dx, dy = np.cos(np.radians(angle)), np.sin(np.radians(angle))
                axis.plot(middle + np.array([-1, 1]) * 0.8 * half * dx, middle + np.array([-1, 1]) * 0.8 * half * dy,
                          color=PALETTE[seed % len(PALETTE)], linestyle=DASHES[seed % len(DASHES)])  # fmt: skip
            axis.plot([], [], color=PALETTE[seed % len(PALETTE)], linestyle=DASHES[seed % len(DASHES)], label=f"{seed}")
        axis.set(xlim=(0, dataset.size), ylim=(dataset.size, 0), aspect="equal", title=name, xlabel="x (pixels)")
        axis.legend(title="seed", fontsize=7, title_fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    np.atleast_1d(axes)[0].set_ylabel("y (pixels)")
    return figure


def vae_diagram(picture: Tensor) -> Figure:
    """A VAE as a drawing: picture, encoder, posterior, sample, decoder, reconstruction, and the loss's two terms.

    Args:
        picture: (H, W) in [0, 1], drawn at both ends.
    """
    figure, axis = plt.subplots(figsize=(8.4, 2.5), layout="constrained")
    axis.set(xlim=(0, 10.4), ylim=(0, 3), aspect="equal")
    axis.axis("off")
    for left, label in ((0.0, "picture x"), (9.0, r"drawn $\hat x$, $p(x\,|\,z)$")):
        axis.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, extent=(left, left + 1.4, 1.1, 2.5), aspect="auto")
        axis.text(left + 0.7, 2.65, label, ha="center", fontsize=9)
    for left, ends, label in ((2.0, (0.7, 0.3), "encoder"), (7.0, (0.3, 0.7), "decoder")):
        heights = [1.8 - ends[0], 1.8 + ends[0], 1.8 + ends[1], 1.8 - ends[1]]
        axis.fill([left, left, left + 1.4, left + 1.4], heights, color=BLUE, alpha=0.25)
        axis.text(left + 0.7, 1.8, label, ha="center", va="center", fontsize=10)
    for x, label in ((4.25, "μ, log σ"), (5.9, "z = μ + σε")):
        axis.text(x, 1.8, label, ha="center", va="center", fontsize=10)
    axis.text(4.25, 2.3, r"posterior $q(z\,|\,x)$", ha="center", fontsize=9)
    axis.text(5.9, 2.65, "noise ε", ha="center", fontsize=9)
    for start, end in ((1.45, 1.95), (3.45, 3.75), (4.8, 5.2), (6.6, 6.95), (8.45, 8.95)):
        axis.annotate("", (end, 1.8), (start, 1.8), arrowprops={"arrowstyle": "->"})
    axis.annotate("", (5.9, 2.0), (5.9, 2.6), arrowprops={"arrowstyle": "->"})
    axis.plot([0.7, 0.7, 9.7, 9.7], [1.0, 0.3, 0.3, 1.0], color=ORANGE)
    axis.text(7.4, 0.4, r"reconstruction $-\log p(x\,|\,z)$", ha="center", color=ORANGE, fontsize=9)
    axis.plot([4.25, 4.25], [0.95, 1.55], color=ORANGE)
    axis.text(4.25, 0.65, r"+ β · KL$(q(z\,|\,x)\,\Vert\,p(z))$", ha="center", color=ORANGE, fontsize=9)
    return figure


def elbo_gap(log_joint: Callable[[Tensor], Tensor], mean: float, std: float, figure: Figure | None = None) -> Figure:
    """A Gaussian q over the true posterior of a one-latent model, and log p(x) in three steps.

    From 0 down to E log p(x|z), further down to the ELBO by the KL to the standard-normal prior, up again by the gap.

    Args:
        log_joint: log p(x, z) at the observed x for points z (n,), in nats.
        mean: of q.
        std: of q, > 0.
        figure: one that this function made before, to be changed in place.
    """
    z = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    joint = log_joint(z)
    log_p = torch.trapezoid(joint.exp(), z).log().item()
    log_q = gaussian.log_density(z, torch.tensor(mean).double(), torch.tensor(std).double().log())
    elbo = torch.trapezoid(log_q.exp() * (joint - log_q), z).item()
    kl = gaussian.kl_per_latent(torch.tensor(mean), torch.tensor(std).log()).item()
    figure, (left, right) = _axes(figure, 1, 2, figsize=(8.4, 3.2))
    seen = slice(1200, 2801, 4)  # z from −4 to 4
    truth, ours = (joint - log_p).exp()[seen].numpy(), log_q.exp()[seen].numpy()
    _fill(left, "p(z | x)", z[seen].numpy(), truth[None], colours=[GREY], alpha=0.4)
    _line(left, "q(z | x)", z[seen].numpy(), ours, color=BLUE)
    depth = _round_up(max(-elbo, 4 - log_p))
    steps = {"E log p(x | z)": elbo + kl, "− KL(q ‖ p(z))": -kl, "gap": log_p - elbo}
    ends = np.array([-0.6, 2.6])
    tops = np.cumsum(list(steps.values()))
    bars = np.arange(3)[:, None] + [-0.4, 0.4]
    _fill(right, "steps", bars, tops[:, None], np.append(0, tops[:-1])[:, None], colours=[BLUE, PALETTE[2], ORANGE])
    for name, level, style in (("zero", 0.0, "-"), ("log p(x)", log_p, "--"), ("ELBO", elbo, ":")):
        _line(right, name, ends, np.full(2, level), color="black" if name != "ELBO" else GREY, linestyle=style,
              linewidth=0.8)  # fmt: skip
    right.set_ylim(-1.1 * depth, _round_up(max(0.12 * depth, 1.05 * log_p, 1.05 * tops[0])))
    title = (
        f"ELBO = {elbo + kl:.2f} − {kl:.2f} = {elbo:.2f} (dotted)\n"
        f"log p(x) = {log_p:.2f} (dashed), gap {log_p - elbo:.3f}"
    )
    right.set_title(title.replace("-", "−"), fontsize=9)
    if left.get_legend() is None:
        left.set(xlabel="z", ylabel="density", xlim=(-3.5, 3.5), ylim=(0, 2))
        left.legend(fontsize=8, loc="upper right")
        right.set(ylabel="nats", xlim=ends)
        right.set_xticks(range(3), list(steps), fontsize=8)
    return figure


def overlap(
    means: Tensor, stds: Tensor, star: float | None = None, names: Sequence[str] = (), figure: Figure | None = None
) -> Figure:
    """Posteriors of several pictures on one latent, and what an optimal decoder believes at every z.

    The likelihood cost is given for pictures that are all at the same distance D (in nats) from each other.

    Args:
        means: (n,) of the posteriors.
        stds: (n,), > 0.
        star: a sample to mark.
        names: of the pictures.
        figure: one that this function made before of as many pictures, to be changed in place.
    """
    means, stds = means.double(), stds.double()
    z = torch.linspace(-4, 4, 401, dtype=torch.float64)
    log_q = gaussian.log_density(z[:, None], means, stds.log())
    kl = gaussian.kl_per_latent(means, stds.log()).mean().item()
    wrong = 1 - right_guesses(means, stds)
    mixed = confusions(means, stds)
    cost = 0.5 * (mixed.sum() - mixed.trace()).item()
    names = names or [f"picture {i + 1}" for i in range(len(means))]
    figure, (top, bottom) = _axes(figure, 2, 1, figsize=(5.4, 4), sharex=True, height_ratios=(3, 2))
    for i, name in enumerate(names):
        _line(top, name, z.numpy(), log_q[:, i].exp().numpy(), color=PALETTE[i],
              linestyle=DASHES[i % len(DASHES)])  # fmt: skip
    prior = gaussian.log_density(z, z.new_zeros(()), z.new_zeros(())).exp()
    _line(top, "prior", z.numpy(), prior.numpy(), color=GREY, linewidth=0.8, linestyle=":")
    height = log_q.exp().max().item()
    top.set_ylim(0, _round_up(1.02 * max(height, prior.max().item())))
    top.set_title(f"mean KL {kl:.2f} nats, best guess wrong {wrong:.0%}, likelihood cost {cost:.2f} D", fontsize=10)
    stacked = torch.softmax(log_q, 1).cumsum(1).T.numpy()
    _fill(bottom, "beliefs", z.numpy(), stacked, np.pad(stacked, ((1, 0), (0, 0)))[:-1], colours=PALETTE, alpha=0.5)
    if star is not None:
        _line(top, "sample", [star], [0.04 * height], marker="*", markersize=14, color="black", clip_on=False,
              linestyle="none")  # fmt: skip
        _line(bottom, "sample", [star, star], [0, 1], color="black", linewidth=0.8)
    if top.get_legend() is None:
        top.set_ylabel("density q(z | x)")
        bottom.set(xlabel="z", ylabel="decoder's belief", ylim=(0, 1), xlim=(-4, 4))
        top.legend(fontsize=8, loc="upper right")
    return figure


def orders(costs: dict[str, Tensor]) -> Figure:
    """Histogram of the cost of every order in which the pictures can be placed on the latent, a panel a case."""
    figure, axes = plt.subplots(1, len(costs), figsize=(4.2 * len(costs), 3), layout="constrained")
    top = 1.05 * max(values.max().item() for values in costs.values())
    for axis, (title, values) in zip(np.atleast_1d(axes), costs.items(), strict=True):
        axis.hist(values.numpy(), bins=40, range=(0, top), color=BLUE)
        axis.axvline(values[0].item(), color=ORANGE, linestyle="--")
        axis.annotate(
            "neighbours side by side", (values[0].item(), 1.0), (0, 3), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=8, color=ORANGE, ha="left",
        )  # fmt: skip
        axis.set(xlabel="likelihood cost (nats)")
        axis.set_title(title, pad=16)
    np.atleast_1d(axes)[0].set_ylabel("number of orders")
    return figure


def codes(panels: dict[str, tuple[Tensor, Tensor]], cut: int) -> Figure:
    """Where each picture of a row lies on the latent: mean and ± σ, a panel a code.

    Args:
        panels: title → posterior means (n,) and standard deviations (n,), in the order of the data.
        cut: the first `cut` pictures are blue, the others orange.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels), 2.9), sharey=True, layout="constrained")
    for axis, (title, (means, stds)) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        number = np.arange(1, len(means) + 1)
        for piece, colour in ((slice(0, cut), BLUE), (slice(cut, None), ORANGE)):
            axis.errorbar(number[piece], means[piece].numpy(), stds[piece].numpy(), color=colour, marker="o",
                          markersize=4, linewidth=0.8)  # fmt: skip
        axis.set(title=title, xlabel="picture")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    np.atleast_1d(axes)[0].set_ylabel("z: mean ± σ")
    return figure


def turn_ons(
    capacities: Tensor, rates: Tensor, distortions: Tensor, eigenvalues: Tensor, trained: dict[float, Tensor]
) -> Figure:
    """Rate of each component and total squared error against capacity, with trained models as dots.

    Args:
        capacities: (n,) total rates in nats.
        rates: (n, components) nats.
        distortions: (n,) total squared errors.
        eigenvalues: (components,) variances, for the labels.
        trained: total rate of a trained model → its rates, high to low.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
    for i, value in enumerate(eigenvalues.tolist()):
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i % len(DASHES)]}
        left.plot(capacities.numpy(), rates[:, i].numpy(), label=f"λ = {value:g}", **style)
    for total, found in trained.items():
        left.scatter([total] * len(found), found.tolist(), color="black", s=14, zorder=3)
    left.scatter([], [], color="black", s=14, label="trained")
    left.set(xlabel="capacity C (nats)", ylabel="rate of the component (nats)")
    left.legend(fontsize=8)
    right.plot(capacities.numpy(), distortions.numpy(), color="black")
    right.set(xlabel="capacity C (nats)", ylabel="squared error that is left", ylim=(0, None))
    return figure


def figure_3(curves: dict[str, RateDistortion], top: float = 25.0) -> Figure:
    """The top of Figure 3, a row a curve: KL of each factor against capacity, and against reconstruction accuracy.

    Args:
        curves: label → what a training reached, see `optimal.trained_curve`, or a limit.
        top: end of the axis of capacities, in nats.
    """
    figure, axes = plt.subplots(len(curves), 2, figsize=(9.8, 2.9 * len(curves) + 0.5), sharex="col", sharey=True,
                                squeeze=False, layout="constrained")  # fmt: skip
    for (left, right), (label, curve) in zip(axes, curves.items(), strict=True):
        for i, name in enumerate(curve.factors):
            left.plot(curve.capacities, curve.rates[:, i], label=name, **_factor_style(i))
            right.plot(-curve.distortions, curve.rates[:, i], label=name, **_factor_style(i))
        left.set(title=label, xlim=(0, top), ylabel="KL per factor (nats)")
    axes[-1, 0].set(xlabel="capacity C (nats)", ylim=(0, None))
    axes[-1, 1].set(xlabel="reconstruction accuracy, log p(x|z) (nats)", xlim=(-600, 0))
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def shares(panels: dict[str, RateDistortion], limits: Sequence[RateDistortion], top: float = 25.0) -> Figure:
    """Nats against capacity, a row a run and a small panel a factor, over those of the best split.

    Args:
        panels: title → what a training reached, see `optimal.trained_curve`.
        limits: the best split for each run: broad pale lines.
        top: end of the axis of capacities, in nats.
    """
    names = limits[0].factors
    figure, axes = plt.subplots(len(panels), len(names), figsize=(2 * len(names) + 0.5, 1.7 * len(panels) + 0.5),
                                sharex=True, sharey=True, squeeze=False, layout="constrained")  # fmt: skip
    for row, (title, curve), limit in zip(axes, panels.items(), limits, strict=True):
        for i, (axis, name) in enumerate(zip(row, names, strict=True)):
            best = limit.rates[:, limit.factors.index(name)]
            axis.plot(limit.capacities, best, color=PALETTE[i], alpha=0.4, linewidth=6, label="best split")
            axis.plot(curve.capacities, curve.rates[:, curve.factors.index(name)], color="black", linewidth=1.2,
                      label="trained")  # fmt: skip
            axis.set(xlim=(0, top), xticks=range(0, int(top) + 1, 5))
        row[0].set_ylabel(f"{title}\nnats", fontsize=9)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name)
    axes[0, 0].set_ylim(0, None)  # of all: they share it
    figure.supxlabel("capacity C (nats)", fontsize=10)
    axes[0, 0].legend(fontsize=8, loc="upper left")
    return figure


def splits(limits: dict[str, RateDistortion], top: float = 25.0) -> Figure:
    """The best split of every capacity, a panel a limit, and below it the price of a nat.

    Args:
        limits: title → the limit, see `optimal.rate_distortion`.
        top: end of the axis of capacities, in nats.
    """
    figure, axes = plt.subplots(2, len(limits), figsize=(4.9 * len(limits), 5.2), sharex=True, sharey="row",
                                squeeze=False, layout="constrained", height_ratios=(3, 2))  # fmt: skip
    for (above, below), (title, limit) in zip(axes.T, limits.items(), strict=True):
        for i, name in enumerate(limit.factors):
            above.plot(limit.capacities, limit.rates[:, i], label=name, **_factor_style(i))
        below.plot(limit.capacities, limit.prices, color="black")
        above.set(title=title, ylim=(0, None), xlim=(0, top))
        below.set(xlabel="capacity C (nats)", yscale="log", ylim=(1, 200), yticks=[1, 10, 100])
        below.set_yticklabels(["1", "10", "100"])
    axes[0, 0].set_ylabel("rate per factor (nats)")
    axes[1, 0].set_ylabel("price of a nat\n(nats per nat)")
    axes[0, -1].legend(fontsize=8, loc="upper left")
    return figure


def frontier(curves: dict[str, RateDistortion], limits: dict[str, RateDistortion], top: float = 25.0) -> Figure:
    """Reconstruction against the total KL that was paid: trainings over the least that any decoder reaches.

    Args:
        curves: label → what a training reached, see `optimal.trained_curve`.
        limits: label → the limit, see `optimal.rate_distortion`.
        top: end of the axis of KL, in nats.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for i, (label, limit) in enumerate(limits.items()):
        colour = (GREY, PALETTE[2], PALETTE[3])[i % 3]
        axis.plot(limit.capacities, limit.distortions, color=colour, linestyle=DASHES[i], linewidth=2.5, label=label)
    for i, (label, curve) in enumerate(curves.items()):
        axis.plot(
            curve.rates.sum(1), curve.distortions, color=PALETTE[i], linestyle=DASHES[i % len(DASHES)], label=label
        )
    axis.set(xlabel="KL (nats)", ylabel="reconstruction, −log p(x|z) (nats)", xlim=(0, top), ylim=(0, 600))
    axis.legend(fontsize=8)
    return figure


def tradeoff(
    panels: dict[str, dict[str, Sequence[tuple[float, float]]]], limits: dict[str, dict[str, tuple[Tensor, Tensor]]]
) -> Figure:
    """Disentangling against reconstruction: a panel a data set, a mark a run.

    Args:
        panels: title → method → (excess in nats, MIG) of each of its runs.
        limits: title → label → lines to compare with, (excess, MIG) of equal length; a panel may have none.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.9 * len(panels), 3.7), sharey=True, squeeze=False,
                                layout="constrained")  # fmt: skip
    methods = list(dict.fromkeys(method for points in panels.values() for method in points))
    for axis, (title, points) in zip(axes[0], panels.items(), strict=True):
        for i, (label, (excess, mig)) in enumerate(limits.get(title, {}).items()):
            axis.plot(excess, mig, color=GREY, linestyle=DASHES[i], linewidth=2, label=label)
        for method, marks in points.items():
            i = methods.index(method)
            axis.plot(*zip(*marks, strict=True), "osD^vP*"[i % 7], color=PALETTE[i % len(PALETTE)], markersize=8,
                      label=method)  # fmt: skip
        axis.set(xlabel="reconstruction above its floor (nats)", title=title, xlim=(0, None), ylim=(0, 1))
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("MIG")
    return figure


def picture_rows(groups: Sequence[dict[str, Tensor]]) -> Figure:
    """Groups of rows of images (n, 1 or 3, H, W) in [0, 1], each row with its label, a gap between the groups."""
    lines: list[tuple[str, Tensor] | None] = []
    for group in groups:
        lines += [*([None] if lines else []), *group.items()]
    columns = min(len(images) for group in groups for images in group.values())
    ratios = [0.25 if line is None else 1.0 for line in lines]
    figure, axes = plt.subplots(
        len(lines), columns, figsize=(0.8 * columns + 2.2, 0.8 * sum(ratios) + 0.1), squeeze=False,
        layout="constrained", height_ratios=ratios,
    )  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    for row, line in zip(axes, lines, strict=True):
        if line is None:
            for axis in row:
                axis.axis("off")
            continue
        for axis, image in zip(row, line[1], strict=False):
            _picture(axis, image)
        row[0].set_ylabel(line[0], rotation=0, ha="right", va="center", fontsize=9)
    return figure


def messages(spread: float, std: float, levels: int = 8, figure: Figure | None = None) -> Figure:
    """Evenly spaced messages on one latent: their posteriors, the output's density against the prior, who is mistaken.

    Args:
        spread: means run from −spread to spread.
        std: noise σ > 0.
        levels: number of messages.
        figure: one that this function made before of as many messages, to be changed in place.
    """
    means = torch.linspace(-spread, spread, levels, dtype=torch.float64)
    log_std = torch.full_like(means, math.log(std))
    z = torch.linspace(-6, 6, 481, dtype=torch.float64)
    each = gaussian.log_density(z[:, None], means, log_std).exp() / levels
    prior = gaussian.log_density(z, z.new_zeros(()), z.new_zeros(())).exp()
    kl = gaussian.kl_per_latent(means, log_std).mean().item()
    information = mutual_information(means, std).item()
    edges = torch.cat([z.new_tensor([-math.inf]), (means[1:] + means[:-1]) / 2, z.new_tensor([math.inf])])
    below = torch.special.ndtr((edges - means[:, None]) / std)
    read = below.diff(dim=1)  # probability that message i is read as j

    figure, (left, right) = _axes(figure, 1, 2, figsize=(8.4, 3.8))
    _fill(left, "messages", z.numpy(), each.T.numpy(), colours=PALETTE, alpha=0.35)
    _line(left, "output, q(z)", z.numpy(), each.sum(1).numpy(), color="black")
    _line(left, "prior, p(z)", z.numpy(), prior.numpy(), color=GREY, linestyle="--")
    left.set_ylim(0, max(0.6, _round_up(1.02 * float(each.sum(1).max()))))
    left.set_title(f"KL {kl:.2f} = information {information:.2f} + slack {kl - information:.2f} nats", fontsize=10)
    _cells(right, "read as", read.numpy())
    wrong = 1 - read.diagonal().mean().item()
    right.set_title(f"{wrong:.0%} read wrong", fontsize=10)
    if left.get_legend() is None:
        left.set(xlabel="z", ylabel="density", xlim=(-6, 6))
        left.legend(handles=list(left.lines), fontsize=8, loc="upper right")
        right.set(xlabel="read as", ylabel="message sent", xticks=range(levels), yticks=range(levels))
        right.set_ylim(levels - 0.5, -0.5)
        right.spines[:].set_visible(False)
    return figure


def marks(axis: Axes) -> list[Artist]:
    """What stands for data in axes, from the lowest to the highest: all but title, legend, ticks and frame."""
    found = [*axis.images, *axis.collections, *axis.patches, *axis.lines, *axis.texts]
    return sorted(found, key=lambda artist: artist.get_zorder())


def _axes(figure: Figure | None, rows: int, columns: int, **settings: Any) -> tuple[Figure, Sequence[Axes]]:
    """A new figure and its axes, or those of a figure that is there, whose marks `_line` and its like then change.

    To make axes or a mark takes several times as long as to change one. Columns of one width can be cut apart.
    """
    if figure is None:
        figure, _ = plt.subplots(rows, columns, layout="constrained", **settings)
        figure.get_layout_engine().set(wspace=0.06)  # labels of the right axes stay right of the middle
    return figure, figure.axes


def _named(axis: Axes, name: str) -> Any:
    """The mark of this name in axes, or None."""
    return next((child for child in axis.get_children() if child.get_label() == name), None)


def _line(axis: Axes, name: str, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
    """Draw the line of this name, or change its course."""
    if (line := _named(axis, name)) is None:
        axis.plot(x, y, label=name, **style)
    else:
        line.set_data(x, y)


def _fill(
    axis: Axes, name: str, x: np.ndarray, tops: np.ndarray, bases: np.ndarray | float = 0.0, *,
    colours: Sequence[str], **style: Any,
) -> None:  # fmt: skip
    """Fill n areas from bases up to tops, (n, points) or less, or change those of this name; limits stay as they are.

    They are one collection, which is changed at once.
    """
    x, tops, bases = np.broadcast_arrays(x, tops, bases)
    outlines = np.stack([np.hstack([x, x[:, ::-1]]), np.hstack([tops, bases[:, ::-1]])], axis=2)
    if (areas := _named(axis, name)) is None:
        axis.add_collection(
            PolyCollection(outlines, facecolors=colours, linewidths=0, label=name, **style), autolim=False
        )
    else:
        areas.set_verts(outlines)


def _cells(axis: Axes, name: str, values: np.ndarray) -> None:
    """Shares from 0 to 1 as a table (rows, columns) of blue cells, or change those of this name."""
    if (cells := _named(axis, name)) is None:
        rows, columns = (np.arange(n + 1) - 0.5 for n in values.shape)
        axis.pcolormesh(columns, rows, values, cmap="Blues", vmin=0, vmax=1, label=name)
    else:
        cells.set_array(values)


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 6, 8, 10, 15 …: limits that stay while a picture changes a little."""
    scale = 10 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 3, 4, 6, 8, 10) if value <= step * scale * (1 + 1e-9))


def _factor_style(i: int) -> dict[str, Any]:
    """Colour and dashes of factor i; x, dotted, lies on y, which is broader, so that both show where they are equal."""
    broad = {"linewidth": 4.0, "alpha": 0.5} if i == 4 else {}
    return {"color": PALETTE[i], "linestyle": DASHES[i % len(DASHES)], "zorder": 3 - 0.1 * i, **broad}


def _picture(axis: Axes, image: Tensor) -> None:
    """Show an image (1 or 3, H, W) in [0, 1]."""
    axis.imshow(image[0].numpy() if len(image) == 1 else image.movedim(0, -1).numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _smooth(values: np.ndarray, window: int) -> np.ndarray:
    usable = len(values) // window * window
    return values[:usable].reshape(-1, window).mean(1)
