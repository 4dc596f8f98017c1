"""Explorers of trained VAEs, chapters 4, 6 and 10 to 12: drag latents, go through a training, compare two runs."""

import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minivae._arguments import check_count
from minivae.course.explorers.base import Explorer, State, choice, on_step, slider
from minivae.course.explorers.pixels import LIMIT, draw, rows_picture, strip, titled
from minivae.engine.runs import Run
from minivae.metrics.evaluate import ACTIVE, mean_kl
from minivae.vae import VAE


def weights(part: nn.Module) -> bytes:
    """The weights of an encoder or decoder in the order of its layers, in half precision."""
    return b"".join(parameter.detach().cpu().numpy().astype("<f2").tobytes() for parameter in part.parameters())


class ModelExplorer(Explorer):
    """An explorer of VAEs on one data set, which are computed in the page.

    Args:
        view: name of the function in the module that draws.
        images: the seed images, (n, channels, size, size).
        parts: name of a buffer → run, step (None: the end), the model of both, and its part ("encoder" or "decoder").
        buffers: what else the view needs, as bytes.
        spec: the rest of the explorer.
    """

    def __init__(
        self, view: str, images: Tensor, parts: dict[str, tuple[Run, int | None, VAE, str]],
        buffers: dict[str, bytes] | None = None, **spec: Any,
    ) -> None:  # fmt: skip
        self.parts, self.images = parts, images
        sent = {name: weights(getattr(model, part)) for name, (_, _, model, part) in parts.items()}
        latents = next(iter(parts.values()))[2].decoder.latents
        shape = {"channels": images.shape[1], "size": images.shape[-1], "latents": latents}
        super().__init__(view, buffers=sent | (buffers or {}), seeds=strip(images), shape=shape, active=ACTIVE, **spec)

    def sources(self) -> dict[str, Any]:
        return super().sources() | {
            name: {"run": f"{run.experiment.name}-seed{run.seed}", "step": step, "part": part,
                   "crc": zlib.crc32(self.buffers[name])}
            for name, (run, step, _, part) in self.parts.items()
        }  # fmt: skip


def _images(run: Run, seeds: int) -> Tensor:
    """Images of a run's data set, at least 256 to estimate KLs with; the first `seeds` are to choose from."""
    check_count("seeds", seeds)
    if run.experiment.model != "vae":
        raise ValueError(f"the run must be that of a VAE, got {run.experiment.name!r}, which has no encoder")
    images, _ = run.experiment.dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
    return images


class TraversalExplorer(ModelExplorer):
    """Drag the latents of a trained VAE, one or two at a time, and watch what it draws.

    A slider per latent, ordered by mean KL, high to low; the inactive ones are folded away. On each lies the posterior
    of the seed image. Another seed image, one that the reader draws or drops, and the reset, bring the code that is
    inferred from it.

    Args:
        run: a trained run.
        seeds: number of seed images to choose from.
        step: show the model as it was at this snapshot.
    """

    def __init__(self, run: Run, seeds: int = 12, step: int | None = None) -> None:
        images = _images(run, seeds)
        self.model = run.model(step)
        with torch.no_grad():
            self.means, log_stds = self.model.encode(images[:seeds])
        self.kl = mean_kl(self.model, images)
        self.order = self.kl.argsort(descending=True).tolist()
        inactive = [i for i in self.order if self.kl[i] <= ACTIVE]
        controls = [
            slider(f"z{i}", f"z{i} ({self.kl[i]:.2f} nats)", self.inferred(0)[f"z{i}"], -LIMIT, LIMIT,
                   folded=i in inactive)
            for i in self.order
        ]  # fmt: skip
        super().__init__(
            "traversal", images[:seeds], {part: (run, step, self.model, part) for part in ("decoder", "encoder")},
            title=f"{run.experiment.name}, seed {run.seed}, step {step or run.step:,}",
            about="Left: a seed image. Right: what the decoder draws from the code of the sliders.",
            controls=[*controls, slider("image", "seed image", 0, 0, seeds - 1, 1)],
            fold=f"{len(inactive)} latents that carry nothing",
            order=self.order, means=self.means.tolist(), stds=log_stds.exp().tolist(),
            follow={"image": [self.inferred(i) for i in range(seeds)]},
        )  # fmt: skip

    def inferred(self, image: int) -> State:
        """The latents' part of the state that the encoder infers from a seed image, within ±3, to a slider's step."""
        means = self.means[image].clamp(-LIMIT, LIMIT).tolist()
        return {f"z{i}": on_step(mean, -LIMIT) for i, mean in enumerate(means)}

    def code(self, state: State) -> Tensor:
        """The code (latents,) of a state."""
        return torch.tensor([state[f"z{i}"] for i in range(len(self.order))])

    def still(self) -> np.ndarray:
        return draw(self.model, self.code(self.state), self.images[self.state["image"]], self.order[0])


class RowsExplorer(ModelExplorer):
    """Traversals of all latents, one row a latent, of one or two of several models.

    Args:
        images: of the runs' data set, at least 256.
        seeds: number of seed images to choose from.
        models: key → run, step and title.
        panels: side by side, each {"by": control that chooses the key} or {"model": key}.
        rows: latents to show of each.
        last: key of the model whose KLs order the rows, high to low; each model's own if None.
        controls: those that choose a model.
        spec: the rest of the explorer.
    """

    def __init__(
        self, images: Tensor, seeds: int, models: dict[str, tuple[Run, int | None, str]], panels: list[dict],
        rows: int, last: str | None = None, controls: tuple[dict, ...] = (), **spec: Any,
    ) -> None:  # fmt: skip
        self.models = {key: run.model(step) for key, (run, step, _) in models.items()}
        self.kl = {key: mean_kl(model, images) for key, model in self.models.items()}
        rows = min(rows, *(model.decoder.latents for model in self.models.values()))
        described = {}
        for key, (_, _, title) in models.items():
            order = self.kl[last or key].argsort(descending=True)[:rows].tolist()
            with torch.no_grad():
                means, _ = self.models[key].encode(images[:seeds])
            described[key] = {"title": title, "kl": self.kl[key].tolist(), "order": order, "means": means.tolist()}
        super().__init__(
            "rows", images[:seeds],
            {key: (run, step, self.models[key], "decoder") for key, (run, step, _) in models.items()},
            controls=[*controls, slider("image", "seed image", 0, 0, seeds - 1, 1)],
            models=described, panels=panels, rows=rows, **spec,
        )  # fmt: skip

    def still(self) -> np.ndarray:
        pictures = []
        for panel in self.spec["panels"]:
            key = str(self.state[panel["by"]]) if "by" in panel else panel["model"]
            described, image = self.spec["models"][key], self.images[self.state["image"]]
            drawn = rows_picture(self.models[key], image, described["order"], self.kl[key])
            pictures.append(titled(described["title"], drawn) if described["title"] else drawn)
        return np.concatenate(pictures, axis=1)


class TrainingExplorer(RowsExplorer):
    """Slide through a training: traversals of all latents at each snapshot, and how they become active one by one.

    The latents keep their places, by the KL that each has at the end, high to low.

    Args:
        run: a run with snapshots.
        seeds: number of seed images to choose from.
    """

    def __init__(self, run: Run, seeds: int = 6) -> None:
        if not run.snapshots:
            raise ValueError(f"run {run.experiment.name} has no snapshots: train it with --snapshots STEP STEP …")
        steps = {str(step): step for step in [*sorted(run.snapshots), run.step]}
        super().__init__(
            _images(run, seeds), seeds,
            {key: (run, step if step in run.snapshots else None, "") for key, step in steps.items()},
            panels=[{"by": "step"}], rows=1000, last=str(run.step),
            controls=(choice("step", "training step", run.step, [(f"{step:,}", step) for step in steps.values()]),),
            title=f"{run.experiment.name}, seed {run.seed}, through its training",
            about="A seed image and how it is redrawn at a step of the training; below, a traversal of every latent, "
            "one row a latent, with its KL in nats.",
        )  # fmt: skip


class CompareExplorer(RowsExplorer):
    """Two runs on the same data, side by side: the traversals of each run's latents from the same seed image.

    Of more than two, sliders choose which one is on the left and which one on the right.

    Args:
        runs: title → run; all of one data set.
        rows: latents to show of each, by KL, high to low.
        seeds: number of seed images to choose from.
    """

    def __init__(self, runs: dict[str, Run], rows: int = 8, seeds: int = 6) -> None:
        check_count("rows", rows)
        if len(runs) < 2 or len({run.experiment.dataset for run in runs.values()}) != 1:
            raise ValueError("runs to compare must be at least two, and of the same data set")
        left, right, *more = runs
        titles = [(title, title) for title in runs]
        super().__init__(
            _images(runs[left], seeds), seeds,
            {title: (run, None, title) for title, run in runs.items()},
            panels=[{"by": "left"}, {"by": "right"}] if more else [{"model": left}, {"model": right}], rows=rows,
            controls=(choice("left", "left", left, titles), choice("right", "right", right, titles)) if more else (),
            title="The same seed image through two runs",
            about=f"Of two of the runs {', '.join(runs)}, side by side: a seed image and how it is redrawn; below, "
            "traversals of the latents, one row a latent, with its KL in nats.",
        )  # fmt: skip
