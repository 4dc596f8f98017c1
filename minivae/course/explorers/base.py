"""What all explorers are: a picture, its controls, a button that plays, one that resets, and a still for the book."""

import base64
import functools
import html
import itertools
import json
import math
from collections.abc import Callable, Sequence
from importlib import resources
from string import Template
from typing import Any

import ipywidgets as widgets
import numpy as np

from minivae.course.explorers.pixels import png, png_pixels, sheet

FRAMES = 21  # pictures of a control's range
MEMORY = 256  # pictures that an explorer remembers
FEW = 64  # an explorer of no more pictures draws them all before it is shown
STILL = "application/vnd.minivae.explorer+html"  # kind of output that only the book looks for

State = dict[str, Any]  # value of every control by its name


def values(control: widgets.Widget, n: int = FRAMES) -> list[Any]:
    """The values that a slider goes through from one end to the other.

    Args:
        control: a slider.
        n: values of a range; whole numbers are as many as there are, if that is less. Of a list of options, all.
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
        draw: pixels of a state, see `pixels`; a pure function. Panels stand beside one another in it, of one width.
        controls: name → slider, from top to bottom.
        about: what the picture shows, for those who cannot see it.
        folded: names of controls that lie folded away.
        fold: the heading above these.
    """

    frames = FRAMES  # pictures of a control's range in the book
    panels = 1  # pictures side by side, which stand below one another where there is no room
    zoom = 1  # screen pixels to a side of what is one colour; the book stores one of them

    def __init__(
        self, title: str, draw: Callable[[State], np.ndarray], controls: dict[str, widgets.Widget], about: str,
        folded: Sequence[str] = (), fold: str = "",
    ) -> None:  # fmt: skip
        self.title, self.draw, self.controls, self.about = title, draw, controls, about
        self.in_book = [name for name in controls if name not in folded]  # the controls that the book has
        self.start = self.state
        self.pictures = tuple(
            widgets.Image(format="png", layout=widgets.Layout(max_width="100%")) for _ in range(self.panels)
        )
        self.caption = widgets.HTML()  # what the picture says in numbers, if it does
        self._rendered = functools.lru_cache(MEMORY)(self._render)
        self.reset = widgets.Button(description="reset", icon="undo", tooltip="back to where it began")
        self.reset.on_click(self._restart)
        self._touched, self._quiet = next(iter(controls)), False
        # moves the control that was touched last, there and back
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
        for name, value in state.items():
            self.controls[name].value = value
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
        pictures = [png_pixels(picture) for picture in cells]
        height, width = pictures[0].shape[:2]
        whole, rows, columns = sheet([pixels[:: self.zoom, :: self.zoom] for pixels in pictures])
        page = Template(resources.files(__package__).joinpath("still.html").read_text(encoding="utf-8"))
        return page.substitute(
            title=html.escape(self.title), about=html.escape(self.about),
            width=self.panels * width, panel_width=width, panel_height=height, panels=self.panels,
            rendering="pixelated" if self.zoom > 1 else "auto",
            sheet=base64.b64encode(whole).decode("ascii"), rows=rows, columns=columns,
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
        panels = np.split(self.draw(dict(items)), self.panels, axis=1)
        return tuple(png(panel) for panel in panels), self._caption(dict(items))

    def _caption(self, state: State) -> str:
        """Of a state, whose picture was drawn last, as HTML."""
        return ""

    def _show(self) -> None:
        pictures, self.caption.value = self._at(self.state)
        for image, picture in zip(self.pictures, pictures, strict=True):
            image.value = picture

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        whole = np.concatenate([png_pixels(image.value) for image in self.pictures], axis=1)
        bundle["image/png"] = base64.b64encode(png(whole)).decode("ascii")
        bundle[STILL] = self.still()
        return bundle


def float_slider(label: str, value: float, low: float, high: float) -> widgets.FloatSlider:
    """A slider from low to high in steps of 0.05."""
    return widgets.FloatSlider(value, min=low, max=high, step=0.05, description=label, readout_format=".2f")


def width_slider(label: str, value: float, low: float = -1.5) -> widgets.FloatLogSlider:
    """A logarithmic slider from 10^low to 2."""
    value = 10 ** (low + on_step(math.log10(value) - low, 0.02))
    return widgets.FloatLogSlider(value, min=low, max=0.3, step=0.02, description=label, readout_format=".2f")


def on_step(value: float, step: float = 0.05) -> float:
    """The nearest multiple of a slider's step: a value between them the browser would change, as if it were touched."""
    return round(round(value / step) * step, 6)


def _readout(control: widgets.Widget, value: Any) -> str:
    """How a slider shows a value."""
    if isinstance(control, widgets.SelectionSlider):
        return next(label for label, other in control.options if other == value)
    return format(value, control.readout_format)
