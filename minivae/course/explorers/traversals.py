"""Explorers of trained VAEs, chapters 4, 6 and 7: drag latents, go through a training, compare two runs."""

from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_count
from minivae.course.explorers.base import Explorer, State, float_slider, on_step
from minivae.course.explorers.pixels import LIMIT, ZOOM, draw, rows_picture
from minivae.engine.runs import Run
from minivae.metrics.evaluate import ACTIVE, mean_kl


def _images(run: Run, seeds: int) -> Tensor:
    """Images of a run's data set, at least 256 to estimate KLs with; the first `seeds` are to choose from."""
    check_count("seeds", seeds)
    images, _ = run.experiment.dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
    return images


class TraversalExplorer(Explorer):
    """Drag the latents of a trained VAE and watch what it draws.

    A slider per latent, ordered by mean KL, high to low; the inactive ones are folded away. On the left of the picture
    is the seed image, on the right what the decoder draws from the code that the sliders show. Another seed image, and
    the reset, bring the code that is inferred from it.

    Args:
        run: a trained run.
        seeds: number of seed images to choose from.
        step: show the model as it was at this snapshot.
    """

    frames = 13  # steps of 0.5
    zoom = ZOOM

    def __init__(self, run: Run, seeds: int = 12, step: int | None = None) -> None:
        images = _images(run, seeds)
        self.model, self.images = run.model(step), images[:seeds]
        self.means, _ = self.model.encode(self.images)
        self.kl = mean_kl(self.model, images)
        self.order = self.kl.argsort(descending=True).tolist()
        start = self.inferred(0)
        controls = {
            f"z{i}": float_slider(f"z{i} ({self.kl[i]:.2f} nats)", start[f"z{i}"], -LIMIT, LIMIT) for i in self.order
        }
        inactive = [f"z{i}" for i in self.order if self.kl[i] <= ACTIVE]
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, step {step or run.step:,}",
            lambda state: draw(self.model, self.code(state), self.images[state["image"]]),
            {**controls, "image": widgets.IntSlider(max=seeds - 1, description="seed image")},
            about="Left: an image that the model has seen. Right: what the decoder draws from the code of the sliders.",
            folded=inactive,
            fold=f"{len(inactive)} latents that carry nothing",
        )
        self.reset.tooltip = "back to the code inferred from the seed image"

    def inferred(self, image: int) -> State:
        """The latents' part of the state that the encoder infers from a seed image, within ±3, to a slider's step."""
        return {f"z{i}": on_step(value) for i, value in enumerate(self.means[image].clamp(-LIMIT, LIMIT).tolist())}

    def code(self, state: State) -> Tensor:
        """The code (latents,) of a state."""
        return torch.tensor([state[f"z{i}"] for i in range(len(self.order))])

    def _caption(self, state: State) -> str:
        return f"left: seed image {state['image']}; right: decoded from the sliders' code"

    def _alone(self, name: str, value: Any) -> State:
        return super()._alone(name, value) | (self.inferred(value) if name == "image" else {})

    def _home(self) -> State:
        return self.inferred(self.controls["image"].value)

    def _moved(self, name: str, change: dict[str, Any]) -> None:
        if name == "image" and not self._quiet:
            self.set(self.inferred(change["new"]))
        else:
            super()._moved(name, change)


class TrainingExplorer(Explorer):
    """Slide through a training: traversals of all latents at each snapshot, and how they become active one by one.

    The latents keep their places, by the KL that each has at the end, high to low.

    Args:
        run: a run with snapshots.
        seeds: number of seed images to choose from.
    """

    def __init__(self, run: Run, seeds: int = 6) -> None:
        if not run.snapshots:
            raise ValueError(f"run {run.experiment.name} has no snapshots: train it with --snapshots STEP STEP …")
        images = _images(run, seeds)
        models = {step: run.model(step) for step in [*sorted(run.snapshots), run.step]}
        kl = {step: mean_kl(model, images) for step, model in models.items()}
        order = kl[run.step].argsort(descending=True).tolist()
        steps = [(f"{step:,}", step) for step in models]
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, through its training",
            lambda state: rows_picture(models[state["step"]], images[state["image"]], order, kl[state["step"]]),
            {
                "step": widgets.SelectionSlider(options=steps, value=run.step, description="training step"),
                "image": widgets.IntSlider(max=seeds - 1, description="seed image"),
            },
            about="A seed image and how it is redrawn at a step of the training; below, a traversal of every latent, "
            "one row a latent, with its KL in nats.",
        )


class CompareExplorer(Explorer):
    """Two runs on the same data, side by side: the traversals of each run's latents from the same seed image.

    Of more than two, sliders choose which one is on the left and which one on the right.

    Args:
        runs: title → run; all of one data set.
        rows: latents to show of each, by KL, high to low.
        seeds: number of seed images to choose from.
    """

    frames = 3
    panels = 2

    def __init__(self, runs: dict[str, Run], rows: int = 8, seeds: int = 6) -> None:
        check_count("rows", rows)
        if len(runs) < 2 or len({run.experiment.dataset for run in runs.values()}) != 1:
            raise ValueError("runs to compare must be at least two, and of the same data set")
        left, right, *more = runs
        images = _images(runs[left], seeds)
        models = {title: run.model() for title, run in runs.items()}
        rows = min(rows, *(model.decoder.latents for model in models.values()))
        panels = {}
        for title, model in models.items():
            kl = mean_kl(model, images)
            latents = kl.argsort(descending=True)[:rows].tolist()
            for i in range(seeds):
                panels[title, i] = rows_picture(model, images[i], latents, kl, title)

        def pixels(state: State) -> np.ndarray:
            state = {"left": left, "right": right} | state
            return np.concatenate([panels[state[side], state["image"]] for side in ("left", "right")], axis=1)

        controls = {"image": widgets.IntSlider(max=seeds - 1, description="seed image")}
        if more:
            titles = [(title, title) for title in runs]
            for side, title in (("left", left), ("right", right)):
                controls[side] = widgets.SelectionSlider(options=titles, value=title, description=side)
        super().__init__(
            "The same seed image through two runs", pixels, controls,
            about=f"Of two of the runs {', '.join(runs)}, side by side: a seed image and how it is redrawn; below, "
            "traversals of the latents, one row a latent, with its KL in nats.",
        )  # fmt: skip
