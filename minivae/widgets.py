"""The explorers of the chapters, for Jupyter. Taught in chapters 1 to 6.

Each shows a picture made by a pure function and updates it in place; where no kernel runs, its mime bundle shows the
picture as it was when the cell was executed.
"""

import base64
import functools
import io
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from minivae import figures, gaussian
from minivae._arguments import check_count
from minivae.bayes import SpriteChannels, amplitudes
from minivae.metrics import ALIVE, mean_kl, traversal
from minivae.models import VAE, FactorGenerator
from minivae.optimal import RateDistortion
from minivae.runs import Run

ZOOM = 4  # screen pixels per image pixel
GAP = 8  # screen pixels between panels
LIMIT = 3.0  # traversals run over [−LIMIT, LIMIT], as in Figure 2


@torch.no_grad()
def draw(model: VAE, z: Tensor, seed_image: Tensor) -> np.ndarray:
    """The seed image beside what the decoder draws from z: grey levels (height, width) uint8, enlarged.

    Args:
        model: a VAE with one or three image channels.
        z: one code (latents,).
        seed_image: (channels, 64, 64) in [0, 1].
    """
    drawn = torch.sigmoid(model.decode(z[None]))[0]
    panels = [_enlarge(image) for image in (seed_image, drawn)]
    gap = np.full((panels[0].shape[0], GAP, *panels[0].shape[2:]), 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1]], axis=1)


def png(pixels: np.ndarray) -> bytes:
    """Encode grey (H, W) or colour (H, W, 3) uint8 pixels as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def figure_png(figure: Figure) -> bytes:
    """Draw a figure as PNG and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    plt.close(figure)
    return buffer.getvalue()


class _Explorer(widgets.VBox):
    """A picture above its controls; where no kernel runs, the mime bundle shows the picture as it was."""

    picture: widgets.Image

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle["image/png"] = base64.b64encode(self.picture.value).decode("ascii")
        return bundle


class _GaussianExplorer(_Explorer):
    """A figure of one location and one width, redrawn as either slider moves."""

    def __init__(self, draw_figure: Callable[[float, float], Figure], place: widgets.FloatSlider, std: float) -> None:
        self.draw_figure = draw_figure
        self.picture = _picture()
        self.place = place
        self.std = widgets.FloatLogSlider(std, min=-1.5, max=0.3, step=0.02, description="σ", readout_format=".2f")
        for slider in (self.place, self.std):
            slider.style.description_width = "9em"
            slider.layout = widgets.Layout(width="95%", max_width="34em")
            slider.observe(self._show, "value")
        super().__init__([self.picture, self.place, self.std])
        self._show()

    def _show(self, _: Any = None) -> None:
        self.picture.value = figure_png(self.draw_figure(self.place.value, self.std.value))


class ElboExplorer(_GaussianExplorer):
    """Move a Gaussian q over the true posterior of a one-latent model and watch ELBO and gap.

    Args:
        log_joint: log p(x, z) at the observed x for points z (n,), in nats.
    """

    def __init__(self, log_joint: Callable[[Tensor], Tensor]) -> None:
        place = widgets.FloatSlider(0.3, min=-2, max=3, step=0.05, description="mean of q")
        super().__init__(lambda mean, std: figures.elbo_gap(log_joint, mean, std), place, std=0.6)


class ChannelExplorer(_GaussianExplorer):
    """Spread the means and shrink the noise of eight messages on one latent: KL, information, slack and mistakes."""

    def __init__(self) -> None:
        place = widgets.FloatSlider(1.5, min=0, max=4, step=0.05, description="spread of the means")
        super().__init__(figures.messages, place, std=0.3)


class OverlapExplorer(_Explorer):
    """Drag the means and widths of three posteriors on one latent: densities, the decoder's belief, KL and mistakes."""

    def __init__(self) -> None:
        self.picture = _picture()
        self.means = [
            widgets.FloatSlider(value, min=-3, max=3, step=0.05, description=f"mean {i}")
            for i, value in enumerate((-1.0, 0.0, 1.0), start=1)
        ]
        self.stds = [
            widgets.FloatLogSlider(0.5, min=-1.3, max=0.3, step=0.02, description=f"σ {i}", readout_format=".2f")
            for i in range(1, 4)
        ]
        for slider in (*self.means, *self.stds):
            slider.layout = widgets.Layout(width="95%", max_width="22em")
            slider.observe(self._show, "value")
        columns = widgets.HBox(
            [widgets.VBox(self.means), widgets.VBox(self.stds)], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([self.picture, columns])
        self._show()

    def _show(self, _: Any = None) -> None:
        means, stds = (torch.tensor([slider.value for slider in sliders]) for sliders in (self.means, self.stds))
        self.picture.value = figure_png(figures.overlap(means, stds))


class TraversalExplorer(_Explorer):
    """Drag the latents of a trained VAE and watch what it draws.

    A slider per latent, ordered by mean KL, high to low; the dead ones are folded away. On the left of the picture is
    the seed image, on the right what the decoder draws from the code that the sliders show. Moving a slider changes
    that latent only, all others keep their inferred values.

    Args:
        run: a trained run.
        seeds: number of seed images to choose from.
        step: show the model as it was at this snapshot.

    Raises:
        ValueError: if seeds < 1 or the run has no such snapshot.
    """

    def __init__(self, run: Run, seeds: int = 12, step: int | None = None) -> None:
        check_count("seeds", seeds)
        self.model = run.model(step)
        generator = torch.Generator().manual_seed(0)
        images, _ = run.experiment.dataset.sample(max(seeds, 256), generator)
        self.images = images[:seeds]
        self.means = self.model.encode(self.images)[0]
        self.kl = mean_kl(self.model, images)
        self.order = self.kl.argsort(descending=True).tolist()
        self.z = self.means[0].clone()
        self._quiet = False

        self.picture = widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start"))
        self.seed = widgets.IntSlider(
            0, 0, seeds - 1, description="seed image", continuous_update=True,
            **_wide(),
        )  # fmt: skip
        self.reset = widgets.Button(description="reset", tooltip="back to the code inferred from the seed image")
        self.sliders = {latent: self._slider(latent) for latent in self.order}
        alive = [self.sliders[latent] for latent in self.order if self.kl[latent] > ALIVE]
        dead = [self.sliders[latent] for latent in self.order if self.kl[latent] <= ALIVE]
        folded = widgets.Accordion([widgets.VBox(dead)], titles=(f"{len(dead)} latents that carry nothing",))
        title = widgets.HTML(
            f"<b>{run.experiment.name}</b>, seed {run.seed}, step {step or run.step:,}. "
            "Left: the seed image. Right: drawn from z."
        )
        controls = widgets.VBox([self.seed, *alive, *([folded] if dead else []), self.reset])
        super().__init__([title, self.picture, controls])

        self.seed.observe(self._choose_seed, "value")
        self.reset.on_click(self._choose_seed)
        for latent, slider in self.sliders.items():
            slider.observe(self._mover(latent), "value")
        self._choose_seed()

    def _slider(self, latent: int) -> widgets.FloatSlider:
        return widgets.FloatSlider(
            0.0, min=-LIMIT, max=LIMIT, step=0.05, readout_format=".2f",
            description=f"z{latent} ({self.kl[latent]:.2f} nats)", continuous_update=True,
            **_wide(),
        )  # fmt: skip

    def _choose_seed(self, _: Any = None) -> None:
        self.z = self.means[self.seed.value].clone()
        self._quiet = True  # the sliders follow the code here; their rounding must not change it
        for latent, slider in self.sliders.items():
            slider.value = self.z[latent].clamp(-LIMIT, LIMIT).item()
        self._quiet = False
        self._show()

    def _mover(self, latent: int) -> Callable[[dict[str, Any]], None]:
        def move(change: dict[str, Any]) -> None:
            if not self._quiet:
                self.z[latent] = change["new"]
                self._show()

        return move

    def _show(self) -> None:
        pixels = draw(self.model, self.z, self.images[self.seed.value])
        self.picture.value = png(pixels)
        self.picture.width, self.picture.height = str(pixels.shape[1]), str(pixels.shape[0])


@torch.no_grad()
def rows_picture(
    model: VAE, code: Tensor, latents: Sequence[int], kl: Tensor, columns: int = 9, title: str = ""
) -> np.ndarray:
    """A traversal of each of the latents over [−3, 3], with its KL at the left: (height, width, 3) uint8.

    Args:
        model: a VAE with one or three image channels.
        code: where the traversals start, (latents,).
        latents: whose traversals, one below the other.
        kl: mean KL of every latent in nats, (latents,).
        columns: pictures in a row.
        title: a line above the pictures.
    """
    side, gap, left, above = 64, 4, 120, 20 * bool(title)  # pixels
    canvas = Image.new("RGB", (left + columns * (side + gap), above + len(latents) * (side + gap)), "white")
    pen, font = ImageDraw.Draw(canvas), _font(13)
    pen.text((left, 0), title, "black", font)
    for row, latent in enumerate(latents):
        top = above + row * (side + gap)
        pen.text((0, top + 16), f"z{latent}", "black", font)
        pen.text((0, top + 34), f"{kl[latent]:.2f} nats", "black" if kl[latent] > ALIVE else figures.GREY, font)
        images = torch.sigmoid(model.decode(traversal(code, latent, torch.linspace(-LIMIT, LIMIT, columns))))
        for column, image in enumerate(images):
            canvas.paste(Image.fromarray(_enlarge(image, 1)), (left + column * (side + gap), top))
    return np.asarray(canvas)


class TrainingExplorer(_Explorer):
    """Slide through a training: traversals of all latents at each snapshot, and how they come alive one by one.

    The latents keep their places, by the KL that each has at the end, high to low.

    Args:
        run: a run with snapshots.
        seeds: number of seed images to choose from.

    Raises:
        ValueError: if the run has no snapshots, or seeds < 1.
    """

    def __init__(self, run: Run, seeds: int = 6) -> None:
        check_count("seeds", seeds)
        if not run.snapshots:
            raise ValueError(f"run {run.experiment.name} has no snapshots: train it with --snapshots STEP STEP …")
        images, _ = run.experiment.dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
        self.steps = [*sorted(run.snapshots), run.step]
        self.models = [run.model(step) for step in self.steps]
        self.codes = [model.encode(images[:seeds])[0] for model in self.models]
        self.kl = [mean_kl(model, images) for model in self.models]
        self.order = self.kl[-1].argsort(descending=True).tolist()
        self.picture = _picture()
        self.step = widgets.SelectionSlider(
            options=[(f"{step:,}", i) for i, step in enumerate(self.steps)], value=len(self.steps) - 1,
            description="training step", **_wide(),
        )  # fmt: skip
        self.seed = widgets.IntSlider(0, 0, seeds - 1, description="seed image", **_wide())
        for slider in (self.step, self.seed):
            slider.observe(self._show, "value")
        super().__init__([self.picture, self.step, self.seed])
        self._show()

    def _show(self, _: Any = None) -> None:
        i = self.step.value
        code = self.codes[i][self.seed.value]
        self.picture.value = png(rows_picture(self.models[i], code, self.order, self.kl[i]))


class CompareExplorer(_Explorer):
    """Two or more runs on the same data, side by side: the traversals of each run's latents from the same seed image.

    Args:
        runs: title → run; all of one data set.
        rows: latents to show of each, by KL, high to low.
        seeds: number of seed images to choose from.

    Raises:
        ValueError: if there is no run, their data sets differ, or rows or seeds are below 1.
    """

    def __init__(self, runs: dict[str, Run], rows: int = 8, seeds: int = 6) -> None:
        check_count("seeds", seeds)
        check_count("rows", rows)
        if len({run.experiment.dataset for run in runs.values()}) != 1:
            raise ValueError("runs to compare must be at least one, and of the same data set")
        dataset = next(iter(runs.values())).experiment.dataset
        images, _ = dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
        self.titles = list(runs)
        self.models = [run.model() for run in runs.values()]
        self.codes = [model.encode(images[:seeds])[0] for model in self.models]
        self.kl = [mean_kl(model, images) for model in self.models]
        self.rows = rows
        self.picture = _picture()
        self.seed = widgets.IntSlider(0, 0, seeds - 1, description="seed image", **_wide())
        self.seed.observe(self._show, "value")
        super().__init__([self.picture, self.seed])
        self._show()

    def _show(self, _: Any = None) -> None:
        panels = []
        for title, model, codes, kl in zip(self.titles, self.models, self.codes, self.kl, strict=True):
            latents = kl.argsort(descending=True)[: self.rows].tolist()
            panels.append(rows_picture(model, codes[self.seed.value], latents, kl, columns=7, title=title))
        self.picture.value = png(np.concatenate(panels, axis=1))


def shares_picture(
    panels: Sequence[Tensor], titles: Sequence[str], factors: Sequence[str], best: Tensor, trained: Tensor
) -> np.ndarray:
    """Pictures side by side over bars of the nats that each factor gets: (height, width, 3) uint8.

    Args:
        panels: images (1, 64, 64) in [0, 1].
        titles: one a panel.
        factors: names.
        best: nats of each factor in the best split, (factors,).
        trained: the same of the training.
    """
    side, line, left, nat = ZOOM * 64, 22, 110, 60  # pixels; `nat` is the length of a bar of one nat
    width, height = len(panels) * (side + GAP) - GAP, side + line * (len(factors) + 2)
    canvas = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(canvas), _font(14)
    for i, (image, title) in enumerate(zip(panels, titles, strict=True)):
        canvas.paste(Image.fromarray(_enlarge(image)), (i * (side + GAP), 0))
        pen.text((i * (side + GAP), side + 2), title, "black", font)
    for i, (name, *nats) in enumerate(zip(factors, best.tolist(), trained.tolist(), strict=True)):
        top = side + line * (i + 1) + 6
        pen.text((0, top), name, "black", font)
        for j, (value, colour) in enumerate(zip(nats, (figures.GREY, figures.BLUE), strict=True)):
            y = top + 2 + 8 * j
            pen.rectangle((left, y, left + max(0.0, value) * nat, y + 6), colour)
        pen.text((left + max(*nats, 0.0) * nat + 6, top), f"{nats[0]:.2f} | {nats[1]:.2f}", "black", font)
    pen.text((0, height - line + 2), "nats of each factor: best split (grey) | trained (blue)", figures.GREY, font)
    return np.asarray(canvas)


class CapacityExplorer(_Explorer):
    """Slide the capacity: who gets the nats, what the best decoder draws from them, and what a trained one draws.

    Both decoders hear the factors of the same picture through the same noise, each at its own split. The trained one is
    shown at the snapshot whose capacity is nearest.

    Args:
        run: a generator's run with snapshots.
        limit: the best splits, see `optimal.rate_distortion`.
        channels: what the limit was computed for.
        pictures: number of pictures to choose from.

    Raises:
        ValueError: if pictures < 1, the run is not that of a generator with a schedule of C, or run, limit and channels
            are not about the same factors.
    """

    def __init__(self, run: Run, limit: RateDistortion, channels: SpriteChannels, pictures: int = 8) -> None:
        check_count("pictures", pictures)
        schedule = getattr(run.experiment.objective, "schedule", None)
        if run.experiment.model == "vae" or schedule is None:
            raise ValueError(f"the run must be that of a generator with a schedule of C, got {run.experiment.name!r}")
        if not run.experiment.latent_names == tuple(limit.factors) == channels.factors:
            raise ValueError(
                f"run, limit and channels must have the same factors, got {', '.join(run.experiment.latent_names)}; "
                f"{', '.join(limit.factors)}; {', '.join(channels.factors)}"
            )
        self.limit, self.channels = limit, channels
        generator = torch.Generator().manual_seed(3)
        dataset = run.experiment.dataset
        self.classes = dataset.sample_classes(pictures, generator)
        self.originals = dataset.render(self.classes)
        self.noise = torch.randn(pictures, len(channels.factors), generator=generator)
        many = dataset.sample_classes(4096, generator)
        self.models: list[tuple[float, FactorGenerator, Tensor]] = []  # C, model, its rates
        for step in [*sorted(run.snapshots), run.step]:
            model = run.model(step)
            self.models.append((schedule(step), model, gaussian.kl_per_latent(*model.encode(many)).mean(0)))

        self.picture = _picture()
        low, high = limit.capacities[0].item(), limit.capacities[-1].item()
        self.capacity = widgets.FloatSlider(
            min(high, max(low, 7.3)),
            min=low,
            max=high,
            step=0.1,
            readout_format=".1f",
            description="C (nats)",
            **_wide(),
        )
        self.index = widgets.IntSlider(0, 0, pictures - 1, description="picture", **_wide())
        for slider in (self.capacity, self.index):
            slider.observe(self._show, "value")
        super().__init__([self.picture, self.capacity, self.index])
        self._show()

    @torch.no_grad()
    def pixels(self, capacity: float, index: int) -> np.ndarray:
        """The picture at a capacity in nats for one of the originals: (height, width, 3) uint8."""
        best, _ = self.limit.at(capacity)
        amplitude = amplitudes(best.float(), self.channels.excess)
        classes = self.classes[index : index + 1]
        _, signals = self.channels.draw(self.channels.points(classes))
        drawn = self.channels.decode(amplitude * signals + self.noise[index], amplitude)
        nearest, model, kl = min(self.models, key=lambda snapshot: abs(snapshot[0] - capacity))
        mean, log_std = model.encode(classes)
        trained = torch.sigmoid(model.decode(mean + log_std.exp() * self.noise[index]))[0]
        titles = ["original", f"best decoder, C = {capacity:.1f}", f"trained, C = {nearest:.1f}"]
        return shares_picture([self.originals[index], drawn, trained], titles, self.channels.factors, best, kl)

    def _show(self, _: Any = None) -> None:
        self.picture.value = png(self.pixels(self.capacity.value, self.index.value))


def _picture() -> widgets.Image:
    return widgets.Image(format="png", layout=widgets.Layout(align_self="flex-start", max_width="100%"))


def _wide() -> dict[str, Any]:
    """Settings of a slider as wide as its page allows, with room for its description."""
    return {"style": {"description_width": "9em"}, "layout": widgets.Layout(width="95%", max_width="34em")}


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def _enlarge(image: Tensor, zoom: int = ZOOM) -> np.ndarray:
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
