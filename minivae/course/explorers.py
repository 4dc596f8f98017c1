"""The explorers of the chapters, for Jupyter. Taught in chapters 1 to 7.

Each is a picture above its controls. The picture is a pure function of the controls' values, and is replaced in place
as they move. Where no kernel runs, the output shows the picture as it was when the cell was executed; the book has the
explorer as a sheet of pictures made beforehand, see `Explorer.still`.
"""

import base64
import contextlib
import functools
import html
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from minivae._arguments import check_count
from minivae.course import figures
from minivae.engine.curves import trained_curve
from minivae.engine.runs import Run
from minivae.generator import FactorGenerator
from minivae.ideal_decoder import SpriteChannels, amplitudes
from minivae.metrics.evaluate import ACTIVE, mean_kl, traversal
from minivae.rate_distortion import RateDistortion
from minivae.vae import VAE

ZOOM = 4  # screen pixels per image pixel
GAP = 8  # screen pixels between panels
LIMIT = 3.0  # traversals run over [−LIMIT, LIMIT], as in Figure 2
FRAMES = 21  # pictures of a control's range
SHEET = 2**20  # pixels: how far back WebP looks for what repeats
MEMORY = 256  # pictures that an explorer remembers
FEW = 64  # an explorer of no more pictures draws them all before it is shown
STILL = "application/vnd.minivae.explorer+html"  # kind of output that only the book looks for

State = dict[str, Any]  # value of every control by its name


@torch.no_grad()
def draw(model: VAE, z: Tensor, seed_image: Tensor) -> np.ndarray:
    """The seed image beside what the decoder draws from z, enlarged: (height, width) or (height, width, 3) uint8.

    Args:
        model: a VAE with one or three image channels.
        z: one code (latents,).
        seed_image: (channels, 64, 64) in [0, 1].
    """
    drawn = torch.sigmoid(model.decode(z[None]))[0]
    return _side_by_side(seed_image, drawn)


def png(pixels: np.ndarray) -> bytes:
    """Encode grey (H, W) or colour (H, W, 3) uint8 pixels as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def values(control: widgets.Widget, n: int = FRAMES) -> list[Any]:
    """The values that a slider goes through from one end to the other: n of a range, all of a list of options.

    Whole numbers are as many as there are, if that is less than n.
    """
    if isinstance(control, widgets.SelectionSlider):
        return [value for _, value in control.options]
    if isinstance(control, widgets.IntSlider):
        n = min(n, control.max - control.min + 1)
        return np.linspace(control.min, control.max, n).round().astype(int).tolist()
    steps = np.linspace(control.min, control.max, n)
    return (control.base**steps if isinstance(control, widgets.FloatLogSlider) else steps).tolist()


class Explorer(widgets.VBox):
    """A title, a picture, its controls, a button that plays through a control's range, and one that resets.

    Args:
        title: a line above the picture.
        draw: picture of a state, (height, width) or (height, width, 3) uint8; a pure function. The panels stand beside
            one another in it, all of one width.
        controls: name → slider, from top to bottom.
        folded: names of controls that lie folded away.
        fold: the heading above these.
        about: what the picture shows, for those who cannot see it.

    Attributes:
        pictures: the image of every panel, as PNG.
        caption: what the picture says in numbers, if it does.
        controls: name → slider.
        reset: the button.
        play: the animation; it moves the control that was touched last.
        in_book: names of the controls that the book has: all that are not folded away.
        frames: pictures of a control's range in the book.
        panels: pictures side by side, which stand below one another where there is no room.
        zoom: screen pixels to a side of what is one colour; the book stores one of them.
    """

    frames = FRAMES
    panels = 1
    zoom = 1

    def __init__(
        self,
        title: str,
        draw: Callable[[State], np.ndarray],
        controls: dict[str, widgets.Widget],
        folded: Sequence[str] = (),
        fold: str = "",
        about: str = "",
    ) -> None:
        self.title, self.draw, self.controls, self.about = title, draw, controls, about or title
        self.in_book = [name for name in controls if name not in folded]
        self.start = self.state
        self.pictures = tuple(
            widgets.Image(format="png", layout=widgets.Layout(max_width="100%")) for _ in range(self.panels)
        )
        self.caption = widgets.HTML()
        self._rendered = functools.lru_cache(MEMORY)(self._render)
        self.reset = widgets.Button(description="reset", icon="undo", tooltip="back to where it began")
        self.reset.on_click(self._restart)
        self._touched, self._quiet = next(iter(controls)), False
        self.play = widgets.Play(max=2 * FRAMES - 3, interval=100, repeat=True, show_repeat=False)
        self.play.observe(self._advance, "value")
        self._playing = widgets.HTML(self._touched_label())
        for name, control in controls.items():
            control.style.description_width = "9em"
            control.layout = widgets.Layout(width="95%", max_width="34em")
            control.observe(functools.partial(self._moved, name), "value")
        shown = [controls[name] for name in self.in_book]
        if folded:
            hidden = widgets.VBox([controls[name] for name in folded])
            shown.append(widgets.Accordion([hidden], titles=(fold,), layout=widgets.Layout(max_width="34em")))
        buttons = widgets.HBox([self.play, self._playing, self.reset], layout=widgets.Layout(flex_flow="row wrap"))
        panels = widgets.Box(self.pictures, layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start"))
        super().__init__([widgets.HTML(f"<b>{html.escape(title)}</b>"), panels, self.caption, *shown, buttons])
        if all(isinstance(control, (widgets.IntSlider, widgets.SelectionSlider)) for control in controls.values()):
            ranges = [values(control) for control in controls.values()]
            if math.prod(map(len, ranges)) <= FEW:
                for state in itertools.product(*ranges):
                    self._at(dict(zip(controls, state, strict=True)))
        self._show()
        self.caption.layout.display = "" if self.caption.value else "none"

    @property
    def state(self) -> State:
        """The controls' values by their names."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, state: State) -> None:
        """Move several controls at once, and draw once."""
        self._quiet = True
        try:
            for name, value in state.items():
                self.controls[name].value = value
        finally:
            self._quiet = False
        self._show()

    def still(self) -> str:
        """The explorer as self-contained HTML for a page without a kernel: one sheet of pictures, each in it once.

        A control moves alone there: the others go back to where they began.
        """
        cells: dict[bytes, int] = {}  # picture → its place on the sheet
        moves = []
        for name in self.in_book:
            control, begin = self.controls[name], self.start[name]
            steps = values(control, self.frames)
            shown = [self._at(self._alone(name, value)) for value in steps]
            moves.append({
                "label": control.description,
                "values": [_readout(control, value) for value in steps],
                "cells": [[cells.setdefault(picture, len(cells)) for picture in pictures] for pictures, _ in shown],
                "captions": [caption for _, caption in shown],
                "start": steps.index(begin) if begin in steps else int(np.abs(np.array(steps) - begin).argmin()),
            })  # fmt: skip
        pictures = [_pixels(picture) for picture in cells]
        height, width = pictures[0].shape[:2]
        sheet, rows, columns = _sheet([pixels[:: self.zoom, :: self.zoom] for pixels in pictures])
        panel = _PANEL.format(
            about=html.escape(self.about), width=width, height=height, columns=columns,
            rendering="pixelated" if self.zoom > 1 else "auto",
        )  # fmt: skip
        return _STILL.format(
            title=html.escape(self.title), width=self.panels * width, panels=self.panels * panel,
            rows=rows, columns=columns,
            sheet=base64.b64encode(sheet).decode("ascii"),
            moves=json.dumps(moves, ensure_ascii=False).replace("</", "<\\/"),
        )  # fmt: skip

    def _restart(self, _: widgets.Button) -> None:
        self.play.playing = False
        self.set(self._home())

    def _home(self) -> State:
        """Where the reset leads."""
        return self.start

    def _alone(self, name: str, value: Any) -> State:
        """The state in which one control has moved from the start."""
        return self.start | {name: value}

    def _moved(self, name: str, change: dict[str, Any]) -> None:
        # the browser sends a slider's first value back as it counts its steps, a rounding error off: no touch
        old, new = change["old"], change["new"]
        if self._quiet or (isinstance(new, float) and math.isclose(old, new, rel_tol=0, abs_tol=1e-9)):
            return
        if name != self._touched:
            self.play.playing = False  # it would go on with this one
            self._touched = name
            self._playing.value = self._touched_label()
        self._show()

    def _advance(self, change: dict[str, Any]) -> None:
        steps = values(self.controls[self._touched])
        there_and_back = [*steps, *steps[-2:0:-1]]
        self.controls[self._touched].value = there_and_back[change["new"] % len(there_and_back)]

    def _touched_label(self) -> str:
        return f"plays {html.escape(self.controls[self._touched].description)}"

    def _at(self, state: State) -> tuple[tuple[bytes, ...], str]:
        """Every panel's picture, as PNG, and the caption of a state, made once and remembered."""
        return self._rendered(tuple(state.items()))

    def _render(self, items: tuple[tuple[str, Any], ...]) -> tuple[tuple[bytes, ...], str]:
        state = dict(items)
        with _one_thread():
            panels = np.split(self.draw(state), self.panels, axis=1)
            return tuple(png(panel) for panel in panels), self._caption(state)

    def _caption(self, state: State) -> str:
        """Of a state, whose picture was drawn last, as HTML."""
        return ""

    def _show(self) -> None:
        pictures, self.caption.value = self._at(self.state)
        for image, picture in zip(self.pictures, pictures, strict=True):
            image.value = picture

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        whole = np.concatenate([_pixels(image.value) for image in self.pictures], axis=1)
        bundle["image/png"] = base64.b64encode(png(whole)).decode("ascii")
        bundle[STILL] = self.still()
        return bundle


class _FigureExplorer(Explorer):
    """An explorer whose picture is a Matplotlib figure of the state; the titles of its axes are the caption.

    To draw axes, with their ticks and labels, takes many times as long as to draw what is in them, and to write takes
    longer than to draw. So the axes are drawn once and kept while their limits stay, and the titles are left to HTML.

    Args:
        figure: figure of a state; given the last one, it changes it in place.
    """

    frames = 11  # figures take more room

    def __init__(
        self, title: str, figure: Callable[[State, Figure | None], Figure], *arguments: Any, **settings: Any
    ) -> None:
        self._figure: Figure | None = None
        self._kept: dict[tuple[float, ...], tuple[Any, list[Any]]] = {}  # by the limits of all axes
        self._make = figure
        super().__init__(title, self._drawn, *arguments, **settings)

    def _drawn(self, state: State) -> np.ndarray:
        figure = self._make(state, self._figure)
        if self._figure is None:
            plt.close(figure)
            figure.set_dpi(80)
            self._figure, self._canvas = figure, FigureCanvasAgg(figure)
        limits = tuple(limit for axis in figure.axes for limit in (*axis.get_xlim(), *axis.get_ylim()))
        if limits not in self._kept:
            self._kept[limits] = self._draw_axes()
        empty, legends = self._kept[limits]
        self._canvas.restore_region(empty)
        for axis in figure.axes:
            for mark in figures.marks(axis):
                axis.draw_artist(mark)
        for legend in legends:
            self._canvas.restore_region(legend)
        return _canvas_pixels(self._canvas)

    def _draw_axes(self) -> tuple[Any, list[Any]]:
        """The figure without data and titles, and its legends once more, to be laid over the data."""
        figure, canvas = self._figure, self._canvas
        hidden = [
            *(axis.title for axis in figure.axes),
            *(mark for axis in figure.axes for mark in figures.marks(axis)),
        ]
        for artist in hidden:
            artist.set_visible(False)
        canvas.draw()
        figure.set_layout_engine("none")  # what moved with every change would tremble
        for artist in hidden:
            artist.set_visible(True)
        legends = [legend for axis in figure.axes if (legend := axis.get_legend()) is not None]
        return (canvas.copy_from_bbox(figure.bbox),
                [canvas.copy_from_bbox(legend.get_window_extent()) for legend in legends])  # fmt: skip

    def _caption(self, state: State) -> str:
        titles = [axis.get_title().replace("\n", ", ") for axis in self._figure.axes]
        return html.escape("; ".join(title for title in titles if title))


def figure_pixels(figure: Figure, dpi: int = 80) -> np.ndarray:
    """What Matplotlib draws of a figure: (height, width, 3) uint8."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return _canvas_pixels(canvas)


def _canvas_pixels(canvas: FigureCanvasAgg) -> np.ndarray:
    return np.asarray(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB"))


class ElboExplorer(_FigureExplorer):
    """Move a Gaussian q over the true posterior of a one-latent model and watch ELBO and gap.

    Args:
        log_joint: log p(x, z) at the observed x for points z (n,), in nats.
    """

    panels = 2

    def __init__(self, log_joint: Callable[[Tensor], Tensor]) -> None:
        super().__init__(
            "A Gaussian q over the true posterior, and what it leaves of log p(x)",
            lambda state, last: figures.elbo_gap(log_joint, state["mean"], state["std"], last),
            {"mean": _float("mean of q", 0.3, -2, 3), "std": _log("σ of q", 0.6)},
            about="Left: the density of q over that of the true posterior. Right: bars from 0 down to the expected "
            "log-likelihood, further down by the KL to the prior, and up again by the gap to log p(x).",
        )


class ChannelExplorer(_FigureExplorer):
    """Spread the means and shrink the noise of eight messages on one latent: KL, information, slack and mistakes."""

    frames = 9
    panels = 2

    def __init__(self) -> None:
        super().__init__(
            "Eight messages through one latent",
            lambda state, last: figures.messages(state["spread"], state["std"], figure=last),
            {"spread": _float("spread of means", 1.5, 0, 4), "std": _log("σ of the noise", 0.3)},
            about="Left: the densities of eight messages on a latent, of their mixture and of the prior. Right: which "
            "message is read as which.",
        )


class OverlapExplorer(_FigureExplorer):
    """Drag the means and widths of three posteriors on one latent: densities, the decoder's belief, KL and mistakes."""

    def __init__(self) -> None:
        controls = {f"mean {i}": _float(f"mean {i}", i - 2.0, -3, 3) for i in (1, 2, 3)}
        controls |= {f"σ {i}": _log(f"σ {i}", 0.5, -1.3) for i in (1, 2, 3)}
        super().__init__(
            "Three pictures on one latent",
            lambda state, last: figures.overlap(
                *(torch.tensor([state[f"{of} {i}"] for i in (1, 2, 3)]) for of in ("mean", "σ")), figure=last
            ),
            controls,
            about="Above: the posteriors of three pictures on one latent. Below: how much an optimal decoder believes "
            "in each of them at every z.",
        )
        self.in_book = ["mean 1", "σ 1"]  # moved alone, each of the three tells the same


class TraversalExplorer(Explorer):
    """Drag the latents of a trained VAE and watch what it draws.

    A slider per latent, ordered by mean KL, high to low; the inactive ones are folded away. On the left of the picture
    is the seed image, on the right what the decoder draws from the code that the sliders show. Another seed image, and
    the reset, bring the code that is inferred from it.

    Args:
        run: a trained run.
        seeds: number of seed images to choose from.
        step: show the model as it was at this snapshot.

    Raises:
        ValueError: if seeds < 1 or the run has no such snapshot.
    """

    frames = 13  # steps of 0.5
    zoom = ZOOM

    def __init__(self, run: Run, seeds: int = 12, step: int | None = None) -> None:
        check_count("seeds", seeds)
        self.model = run.model(step)
        images, _ = run.experiment.dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
        self.images = images[:seeds]
        self.means = self.model.encode(self.images)[0]
        self.kl = mean_kl(self.model, images)
        self.order = self.kl.argsort(descending=True).tolist()
        start = self.inferred(0)
        controls: dict[str, widgets.Widget] = {
            f"z{i}": _float(f"z{i} ({self.kl[i]:.2f} nats)", start[f"z{i}"], -LIMIT, LIMIT) for i in self.order
        }
        inactive = [f"z{i}" for i in self.order if self.kl[i] <= ACTIVE]
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, step {step or run.step:,}",
            lambda state: draw(self.model, self.code(state), self.images[state["image"]]),
            {**controls, "image": _int("seed image", 0, seeds - 1)},
            folded=inactive,
            fold=f"{len(inactive)} latents that carry nothing",
            about="Left: an image that the model has seen. Right: what the decoder draws from the code of the sliders.",
        )
        self.reset.tooltip = "back to the code inferred from the seed image"

    def inferred(self, image: int) -> State:
        """The latents' part of the state that the encoder infers from a seed image, within ±3, to a slider's step."""
        return {f"z{i}": _snap(value) for i, value in enumerate(self.means[image].clamp(-LIMIT, LIMIT).tolist())}

    def _caption(self, state: State) -> str:
        return f"left: seed image {state['image']}; right: decoded from the sliders' code"

    def _alone(self, name: str, value: Any) -> State:
        return super()._alone(name, value) | (self.inferred(value) if name == "image" else {})

    def code(self, state: State) -> Tensor:
        """The code (latents,) of a state."""
        return torch.tensor([state[f"z{i}"] for i in range(len(self.order))])

    def _home(self) -> State:
        return self.inferred(self.controls["image"].value)

    def _moved(self, name: str, change: dict[str, Any]) -> None:
        if name == "image" and not self._quiet:
            self.set(self.inferred(change["new"]))
        else:
            super()._moved(name, change)


@torch.no_grad()
def rows_picture(model: VAE, seed_image: Tensor, latents: Sequence[int], kl: Tensor, title: str = "") -> np.ndarray:
    """A seed image and how it is redrawn; below, a traversal over [−3, 3] of each latent.

    Args:
        model: a VAE with one or three image channels.
        seed_image: (channels, 64, 64) in [0, 1]; the traversals start from its code.
        latents: whose traversals, one below the other, each with its KL at the left.
        kl: mean KL of every latent in nats, (latents,).
        title: a line above the pictures.

    Returns:
        Grey (height, width) or colour (height, width, 3), uint8, as the images are.
    """
    side = max(64, seed_image.shape[-1])
    columns, gap, left, above = 5, 4, 96, 24 * bool(title)  # the last three in pixels
    code = model.encode(seed_image[None])[0]
    codes = torch.cat(
        [code, *(traversal(code[0], latent, torch.linspace(-LIMIT, LIMIT, columns)) for latent in latents)]
    )
    redrawn, *drawn = torch.sigmoid(model.decode(codes))
    rows = [[seed_image, redrawn], *(drawn[i : i + columns] for i in range(0, len(drawn), columns))]
    labels = [("seed and", "redrawn", True), *((f"z{i}", f"{kl[i]:.2f} nats", kl[i] > ACTIVE) for i in latents)]
    colours = "L" if len(seed_image) == 1 else "RGB"
    canvas = Image.new(colours, (left + columns * (side + gap), above + len(rows) * (side + gap)), "white")
    pen, font = ImageDraw.Draw(canvas), _font(16)
    pen.text((left, 2), title, "black", font)
    for row, (images, (first, second, active)) in enumerate(zip(rows, labels, strict=True)):
        top = above + row * (side + gap)
        pen.text((8, top + 12), first, "black", font)
        pen.text((8, top + 32), second, "black" if active else figures.GREY, font)
        for column, image in enumerate(images):
            canvas.paste(Image.fromarray(_enlarge(image, side // image.shape[-1])), (left + column * (side + gap), top))
    return np.asarray(canvas)


class TrainingExplorer(Explorer):
    """Slide through a training: traversals of all latents at each snapshot, and how they become active one by one.

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
        steps = [*sorted(run.snapshots), run.step]
        models = {step: run.model(step) for step in steps}
        kl = {step: mean_kl(model, images) for step, model in models.items()}
        order = kl[run.step].argsort(descending=True).tolist()
        step = widgets.SelectionSlider(
            options=[(f"{step:,}", step) for step in steps], value=run.step, description="training step"
        )
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, through its training",
            lambda state: rows_picture(models[state["step"]], images[state["image"]], order, kl[state["step"]]),
            {"step": step, "image": _int("seed image", 0, seeds - 1)},
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

    Raises:
        ValueError: if there are less than two runs, their data sets differ, or rows or seeds are below 1.
    """

    frames = 3
    panels = 2

    def __init__(self, runs: dict[str, Run], rows: int = 8, seeds: int = 6) -> None:
        check_count("seeds", seeds)
        check_count("rows", rows)
        if len(runs) < 2 or len({run.experiment.dataset for run in runs.values()}) != 1:
            raise ValueError("runs to compare must be at least two, and of the same data set")
        titles = list(runs)
        first = dict(zip(("left", "right"), titles, strict=False))
        dataset = runs[titles[0]].experiment.dataset
        images, _ = dataset.sample(max(seeds, 256), torch.Generator().manual_seed(0))
        panels = {}
        models = {title: run.model() for title, run in runs.items()}
        rows = min(rows, *(model.decoder.latents for model in models.values()))
        for title, model in models.items():
            kl = mean_kl(model, images)
            latents = kl.argsort(descending=True)[:rows].tolist()
            for i in range(seeds):
                panels[title, i] = rows_picture(model, images[i], latents, kl, title)

        def side_by_side(state: State) -> np.ndarray:
            return np.concatenate([panels[state.get(side, first[side]), state["image"]] for side in first], axis=1)

        controls: dict[str, widgets.Widget] = {"image": _int("seed image", 0, seeds - 1)}
        if len(runs) > 2:
            controls |= {
                side: widgets.SelectionSlider(
                    options=list(zip(titles, titles, strict=True)), value=title, description=side
                )
                for side, title in first.items()
            }
        super().__init__(
            "The same seed image through two runs", side_by_side, controls,
            about=f"Of two of the runs {', '.join(runs)}, side by side: a seed image and how it is redrawn; below, "
            "traversals of the latents, one row a latent, with its KL in nats.",
        )  # fmt: skip


def shares_table(factors: Sequence[str], best: Tensor, trained: Tensor) -> str:
    """Bars of the nats that each factor gets, as HTML, so that they fit any width and follow the page's theme.

    Args:
        factors: names.
        best: nats of each factor in the best split, (factors,).
        trained: the same of the training.
    """

    def bars(nats: Sequence[float]) -> str:
        return "".join(
            f'<div style="background:{colour};width:{max(0.0, value):.2f}em;height:.45em;margin:1px 0"></div>'
            for value, colour in zip(nats, (figures.GREY, figures.BLUE), strict=True)
        )

    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td style="text-align:right">{nats[0]:.2f} | {nats[1]:.2f}</td>'
        f"<td>{bars(nats)}</td></tr>"
        for name, *nats in zip(factors, best.tolist(), trained.tolist(), strict=True)
    )
    return f'<table style="line-height:1.3"><caption>nats: best split (grey) | trained (blue)</caption>{rows}</table>'


class CapacityExplorer(Explorer):
    """Slide the capacity: who gets the nats, what the best decoder draws from them, and what a trained one draws.

    Both decoders hear the factors of the same picture through the same noise, each at its own split. What each factor
    gets in the training is read off the run's history; the picture is drawn by the snapshot of the nearest capacity.

    Args:
        run: a generator's run with snapshots.
        limit: the best splits, see `optimal.rate_distortion`.
        channels: what the limit was computed for.
        pictures: number of pictures to choose from.

    Raises:
        ValueError: if pictures < 1, the run is not that of a generator with a schedule of C, run, limit and channels
            are not about the same factors, or one of run and channels sends them centred and the other does not.
    """

    zoom = ZOOM

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
        raw = {"run": run.experiment.model == "generator", "channels": bool(channels.offset.any())}
        if raw["run"] != raw["channels"]:
            raise ValueError(
                "run and channels must both send the factors raw or both centred, got "
                + ", ".join(f"{'raw' if is_raw else 'centred'} {name}" for name, is_raw in raw.items())
            )
        self.limit, self.channels = limit, channels
        self.trained = trained_curve(run, window=max(int(run.history["step"][0]), run.step // 200))
        generator = torch.Generator().manual_seed(3)
        dataset = run.experiment.dataset
        self.classes = dataset.sample_classes(pictures, generator)
        self.originals = dataset.render(self.classes)
        self.noise = torch.randn(pictures, len(channels.factors), generator=generator)
        self.models = [(schedule(step), run.model(step)) for step in [*sorted(run.snapshots), run.step]]

        low, high = limit.capacities[0].item(), limit.capacities[-1].item()
        capacity = _float("C (nats)", min(high, max(low, 7.3)), low, high, 0.1)
        super().__init__(
            f"{run.experiment.name}, seed {run.seed}, beside the best there is",
            lambda state: self.pixels(state["C"], state["image"]),
            {"C": capacity, "image": _int("picture", 0, pictures - 1)},
            about="Left: a sprite. Middle: what the best decoder draws from C nats about its factors. Right: what the "
            "trained one draws.",
        )

    @torch.no_grad()
    def pixels(self, capacity: float, index: int) -> np.ndarray:
        """The picture at a capacity in nats for one of the originals: (height, width, 3) uint8."""
        best, _ = self.limit.at(capacity)
        amplitude = amplitudes(best.float(), self.channels.offset)
        classes = self.classes[index : index + 1]
        _, signals = self.channels.draw(self.channels.points(classes))
        drawn = self.channels.decode(amplitude * signals + self.noise[index], amplitude)
        _, model = self._nearest(capacity)
        mean, log_std = model.encode(classes)
        trained = torch.sigmoid(model.decode(mean + log_std.exp() * self.noise[index]))[0]
        return _side_by_side(self.originals[index], drawn, trained)

    def _nearest(self, capacity: float) -> tuple[float, FactorGenerator]:
        """The snapshot whose capacity is nearest, and that capacity."""
        return min(self.models, key=lambda snapshot: abs(snapshot[0] - capacity))

    def _caption(self, state: State) -> str:
        capacity, ends = state["C"], self.trained.capacities[[0, -1]].tolist()
        best, trained = self.limit.at(capacity)[0], self.trained.at(min(max(capacity, ends[0]), ends[1]))[0]
        return (
            f"left: original; middle: best decoder, C = {capacity:.1f}; right: trained, nearest snapshot, "
            f"C = {self._nearest(capacity)[0]:.1f}{shares_table(self.channels.factors, best, trained)}"
        )


def _float(label: str, value: float, low: float, high: float, step: float = 0.05) -> widgets.FloatSlider:
    digits = ".1f" if step == 0.1 else ".2f"
    return widgets.FloatSlider(value, min=low, max=high, step=step, description=label, readout_format=digits)


def _log(label: str, value: float, low: float = -1.5) -> widgets.FloatLogSlider:
    """A width from 10^low to 2."""
    value = 10 ** (low + _snap(np.log10(value) - low, 0.02))
    return widgets.FloatLogSlider(value, min=low, max=0.3, step=0.02, description=label, readout_format=".2f")


def _snap(value: float, step: float = 0.05) -> float:
    """The nearest multiple of a slider's step: a value between them the browser would change, as if it were touched."""
    return round(round(value / step) * step, 6)


def _int(label: str, low: int, high: int) -> widgets.IntSlider:
    return widgets.IntSlider(low, low, high, description=label)


def _readout(control: widgets.Widget, value: Any) -> str:
    if isinstance(control, widgets.SelectionSlider):
        return next(label for label, other in control.options if other == value)
    return format(value, getattr(control, "readout_format", "d"))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """One picture is too little for several threads: waking them takes longer than the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)))


def _sheet(pictures: Sequence[np.ndarray]) -> tuple[bytes, int, int]:
    """Pictures of one size in rows and columns, in 64 colours, as WebP; the number of rows; that of columns."""
    height, width = pictures[0].shape[:2]
    columns = min(math.ceil(math.sqrt(len(pictures))), max(1, SHEET // (height * width)))
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * width, rows * height))
    for i, pixels in enumerate(pictures):
        sheet.paste(Image.fromarray(pixels), (i % columns * width, i // columns * height))
    few = sheet.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).convert("RGB")
    buffer = io.BytesIO()
    few.save(buffer, format="WEBP", lossless=True, quality=80, method=2)  # quality above 75 looks back all the way
    return buffer.getvalue(), rows, columns


# a panel shrinks to 280 pixels before it goes below the other
_PANEL = """<div style="flex:1 1 280px;max-width:{width}px;overflow:hidden;aspect-ratio:{width}/{height}">
<img alt="{about}" style="display:block;width:{columns}00%;max-width:none;image-rendering:{rendering}"></div>
"""

# the sheet lies behind every panel's window; moving a control moves it so that the picture of its value is in view
_STILL = """<div class="minivae-explorer" style="max-width:{width}px">
<b>{title}</b>
<div style="display:flex;flex-wrap:wrap;align-items:flex-start">
{panels}</div>
<div></div>
<script>
(box => {{
  const moves = {moves}, rows = {rows}, columns = {columns}, inputs = [];
  const caption = box.querySelector(":scope > div + div"), images = box.querySelectorAll("img");
  images.forEach(image => {{ image.src = "data:image/webp;base64,{sheet}"; }});
  const show = (k, i) => {{
    caption.innerHTML = moves[k].captions[i];
    moves[k].cells[i].forEach((cell, panel) => {{
      const x = cell % columns / columns, y = Math.floor(cell / columns) / rows;
      images[panel].style.transform = `translate(${{-100 * x}}%, ${{-100 * y}}%)`;
    }});
  }};
  moves.forEach((move, k) => {{
    const label = document.createElement("label"), input = document.createElement("input");
    const out = document.createElement("output");
    Object.assign(input, {{type: "range", min: 0, max: move.values.length - 1, value: move.start}});
    label.style.cssText = "display:flex;gap:.5em;align-items:center";
    input.style.flex = "1";
    out.style.minWidth = "4em";
    const set = () => {{ out.textContent = move.values[input.value]; }};
    input.addEventListener("input", () => {{
      inputs.forEach(([other, reset], j) => {{ if (j !== k) {{ other.value = moves[j].start; reset(); }} }});
      set(); show(k, +input.value);
    }});
    label.append(move.label, input, out);
    box.append(label);
    inputs.push([input, set]);
    set();
  }});
  show(0, moves[0].start);
}})(document.currentScript.parentElement);
</script>
</div>
"""


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def _side_by_side(*images: Tensor) -> np.ndarray:
    """Images (channels, 64, 64) in [0, 1], enlarged, with a white gap after each but the last."""
    panels = [_enlarge(image) for image in images]
    gap = np.full((panels[0].shape[0], GAP, *panels[0].shape[2:]), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)


def _enlarge(image: Tensor, zoom: int = ZOOM) -> np.ndarray:
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
