"""Figures of trained latents, chapters 4 to 12: traversals, KL over training, alignment with factors, trade-off."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minivae.course.figures.common import DASHES, GREY, PALETTE, close_up, grid, picture_rows, show_images
from minivae.datasets import Blobs
from minivae.engine.runs import Run
from minivae.metrics.evaluate import ACTIVE, mean_kl, traversal
from minivae.vae import VAE


@torch.no_grad()
def traversals(
    model: VAE, dataset: Blobs, originals: Tensor, *, columns: int = 8, tuning: int = 33, title: str = ""
) -> Figure:
    """The layout of Figure 2: originals, reconstructions, then a traversal and the position tuning of every latent.

    Heat maps show the posterior mean for a `tuning` × `tuning` grid of positions of the blob: blue −3, white 0, red 3.
    All else is as in `latent_rows`, which is what data without a grid of positions get; only `Blobs` have one.
    """
    if not hasattr(dataset, "grid"):
        return latent_rows(model, originals, rows=model.decoder.latents, columns=columns, title=title)
    redrawn, drawn = _decoded(model, originals, columns)
    rows = [("originals", originals), ("reconstructions", redrawn), *drawn.values()]
    positions = dataset.grid(tuning)
    means, _ = model.encode(dataset.render(positions))
    means[~dataset.contains(positions)] = torch.nan  # the model has never seen a blob there

    figure, axes = grid(len(rows), columns + 1, (0.8 * (columns + 1) + 2.4, 0.8 * len(rows) + 0.7))
    close_up(figure)
    for row, (label, images) in zip(axes, rows, strict=True):
        show_images(row[:-1], images, label)
    for axis in axes[:2, -1]:
        axis.axis("off")
    for axis, latent in zip(axes[2:, -1], drawn, strict=True):
        heat = axis.imshow(means[:, latent].view(tuning, tuning).numpy(), cmap="RdBu_r", vmin=-3, vmax=3)
        axis.set(xticks=[], yticks=[])
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
        originals: images (n ≥ columns, channels, H, W); KLs are means over all, the first `columns` are shown.
        rows, columns: latents to show, and pictures in a row.
        title: of the whole figure.
    """
    redrawn, drawn = _decoded(model, originals, columns, rows)
    figure = picture_rows([{"original": originals[:columns], "reconstruction": redrawn}, dict(drawn.values())])
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _decoded(
    model: VAE, originals: Tensor, columns: int, rows: int | None = None
) -> tuple[Tensor, dict[int, tuple[str, Tensor]]]:
    """Reconstructions of the first originals; latent → label and traversal, by mean KL from high to low."""
    mean, _ = model.encode(originals)
    kl = mean_kl(model, originals)
    drawn = {}
    for latent in kl.argsort(descending=True)[:rows].tolist():
        images = torch.sigmoid(model.decode(traversal(mean[0], latent, torch.linspace(-3, 3, columns))))
        drawn[latent] = rf"$z_{{{latent}}}$   {kl[latent]:.2f} nats", images
    return torch.sigmoid(model.decode(mean[:columns])), drawn


def kl_history(runs: dict[str, Run], active: float = ACTIVE) -> Figure:
    """KL per latent over training, one panel a run, with a logarithmic axis of nats and a line where active begins."""
    figure, axes = grid(1, len(runs), (5.2 * len(runs), 3.6), sharey=True)
    for axis, (title, run) in zip(axes[0], runs.items(), strict=True):
        steps, kl = run.history["step"], run.history["kl"]
        names = run.experiment.latent_names if run.experiment.model != "vae" else None  # a generator's factors
        window = max(1, len(steps) // 200)  # the KL of one batch jitters: show means over windows of steps
        usable = len(steps) // window * window
        step, mean = (v[:usable].reshape(-1, window, *v.shape[1:]).mean(1) for v in (steps, kl))
        for rank, latent in enumerate(kl[-window:].mean(0).argsort()[::-1]):
            dashes = DASHES[rank // len(PALETTE) % len(DASHES)]
            axis.plot(step, mean[:, latent], color=PALETTE[rank % len(PALETTE)], linestyle=dashes,
                      label=names[latent] if names else rf"$z_{{{latent}}}$")  # fmt: skip
        axis.axhline(active, color=GREY, linewidth=0.8)
        axis.annotate("active above", (0.15, active), (0, 3), xycoords=("axes fraction", "data"), fontsize=8,
                      textcoords="offset points", bbox={"facecolor": "white", "linewidth": 0, "alpha": 0.8, "pad": 1},
                      zorder=5)  # fmt: skip
        axis.set(yscale="log", ylim=(1e-4, 10), xlabel="training step", title=title)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes[0, 0].set_ylabel("KL per latent (nats)")
    return figure


def alignments(
    tables: dict[str, dict[str, Tensor]], kls: dict[str, Tensor] | None = None, active: float = ACTIVE
) -> Figure:
    """Which latent holds which factor: title → `metrics.alignment`, R² as a heat map, a panel a model.

    Of latents whose mean KL in nats is given, title → (latents,), those above `active` are shown, the highest at the
    left.
    """
    figure, axes = grid(1, len(tables), (4.4 * len(tables) + 0.6, 3.6))
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        values = torch.stack(list(table.values()))
        order, xlabel = list(range(values.shape[1])), "latent"
        labels = [f"$z_{{{i}}}$" for i in order]
        if kls is not None:
            kl, xlabel = kls[title], "latent, and its KL in nats"
            order = [i for i in kl.argsort(descending=True).tolist() if kl[i] > active]
            labels = [f"$z_{{{i}}}$\n{kl[i]:.1f}" for i in order]
        shown, small = values[:, order].numpy(), 8 if len(order) <= 12 else 6.5
        heat = axis.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (y, x), value in np.ndenumerate(shown):
            if value >= 0.05:
                number, colour = f"{value:.2f}"[1:] if value < 0.995 else "1", "white" if value > 0.6 else "black"
                axis.text(x, y, number, ha="center", va="center", fontsize=small, color=colour)
        axis.set_yticks(range(len(table)), list(table))
        axis.set_xticks(range(len(order)), labels, fontsize=8)
        axis.set(title=title, xlabel=xlabel)
    figure.colorbar(heat, ax=axes[0, -1], label="R²")
    return figure


def tradeoff(
    panels: dict[str, dict[str, Sequence[tuple[float, float]]]], limits: dict[str, dict[str, tuple[Tensor, Tensor]]]
) -> Figure:
    """Disentangling against reconstruction, a panel a data set: title → method → (excess in nats, MIG) of each run.

    Limits: title → label → lines to compare with, (excess, MIG) of equal length; a panel may have none.
    """
    figure, axes = grid(1, len(panels), (4.9 * len(panels), 3.7), sharey=True)
    methods = list(dict.fromkeys(method for points in panels.values() for method in points))
    for axis, (title, points) in zip(axes[0], panels.items(), strict=True):
        for i, (label, (excess, mig)) in enumerate(limits.get(title, {}).items()):
            axis.plot(excess, mig, color=GREY, linestyle=DASHES[i], linewidth=2, label=label)
        for method, runs in points.items():
            i, (excess, mig) = methods.index(method), zip(*runs, strict=True)
            axis.plot(excess, mig, "osD^vP*"[i % 7], color=PALETTE[i % len(PALETTE)], markersize=8, label=method)
        axis.set(xlabel="reconstruction above its floor (nats)", title=title, xlim=(0, None), ylim=(0, 1))
        axis.legend(fontsize=8)
    axes[0, 0].set_ylabel("MIG")
    return figure
