"""What all explorers are: a drawing made in the page, its controls, and what both need, sent there once."""

import base64
from importlib import resources
from numbers import Real
from typing import Any

import anywidget
import numpy as np
import traitlets

from minivae.course.explorers.pixels import png, titled

STILL = "application/vnd.minivae.explorer+json"  # kind of output that only the book looks for

State = dict[str, Any]  # value of every control by its name


def source(*names: str) -> str:
    """Text of files beside this one: the ES module, or the style, that a browser is given."""
    return "\n".join(resources.files(__package__).joinpath(name).read_text(encoding="utf-8") for name in names)


VIEWS = source("base.js", "plot.js", "models.js", "capacity.js", "charts.js")  # what notebooks and the book share


class Explorer(anywidget.AnyWidget):
    """Controls beside a drawing that follows them, in JupyterLab, VS Code and Colab, and without a kernel in the book.

    `state` reads the controls and sets them: `explorer.state = {"z3": 1.0}` moves one slider.

    Args:
        view: name of the function in the module that draws.
        title: a line above the drawing.
        about: what the drawing shows, for those who cannot see it.
        controls: from top to bottom, see `slider` and `choice`.
        buffers: name → numbers that the view needs, as bytes.
        spec: what else it needs, as JSON.
    """

    _esm = VIEWS + source("notebook.js")
    _css = source("base.css")

    key = traitlets.Unicode().tag(sync=True)  # under which a notebook keeps what it showed when it was saved
    state = traitlets.Dict().tag(sync=True)
    spec = traitlets.Dict().tag(sync=True)
    buffers = traitlets.Dict().tag(sync=True)

    def __init__(
        self, view: str, title: str, about: str, controls: list[dict], buffers: dict[str, bytes] | None = None,
        **spec: Any,
    ) -> None:  # fmt: skip
        start = {control["name"]: control.pop("start") for control in controls}
        spec |= {"view": view, "title": title, "about": about, "controls": controls, "start": start}
        super().__init__(spec=spec, buffers=buffers or {}, state=start)
        self.key = self.model_id

    @traitlets.validate("state")
    def _known(self, proposal: traitlets.Bunch) -> State:
        """What is not set stays, or follows as in the page; a name or value that no control has is refused."""
        controls = {control["name"]: control for control in self.spec["controls"]}
        wanted: State = {}
        for name, value in proposal["value"].items():
            if name not in controls:
                raise traitlets.TraitError(f"{name!r} is no control; there are {', '.join(controls)}")
            if options := controls[name].get("options"):
                values = [option for _, option in options]
                if value not in values:
                    raise traitlets.TraitError(f"{name} must be one of {', '.join(map(str, values))}, got {value!r}")
                wanted[name] = values[values.index(value)]
            else:
                low, high = (controls[name][end] for end in ("min", "max"))
                low, high = (10**low, 10**high) if controls[name].get("log") else (low, high)
                whole = controls[name]["digits"] == 0
                kind = "a whole number" if whole else "a number"
                if not isinstance(value, Real) or isinstance(value, bool) or (whole and value % 1):
                    raise traitlets.TraitError(f"{name} must be {kind}, got {value!r}")
                if not low - 1e-6 <= value <= high + 1e-6:
                    raise traitlets.TraitError(f"{name} must be from {low:g} to {high:g}, got {value!r}")
                wanted[name] = int(value) if whole else float(value)
        followed: State = {}
        for name, states in self.spec.get("follow", {}).items():  # another seed image brings its code
            if self.state and wanted.get(name, self.state[name]) != self.state[name]:
                followed |= states[wanted[name]]
        return {**self.spec["start"], **self.state, **followed, **wanted}

    def still(self) -> np.ndarray:
        """The drawing of the present state for readers without JavaScript: uint8 (height, width) or (…, 3)."""
        raise NotImplementedError

    def sources(self) -> dict[str, Any]:
        """Where the book finds the buffers; an explorer of trained models names their runs."""
        return {name: base64.b64encode(data).decode("ascii") for name, data in self.buffers.items()}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = type(self).__name__
        data["image/png"] = base64.b64encode(png(titled(self.spec["title"], self.still()))).decode("ascii")
        data[STILL] = {"spec": self.spec, "state": self.state, "sources": self.sources()}
        return data, metadata


def slider(name: str, label: str, start: float, low: float, high: float, step: float = 0.05, **more: Any) -> dict:
    """A control that goes through a range.

    Args:
        name: of the control.
        label: words beside it.
        start: value at first; the nearest that the slider has is taken.
        low: its least value.
        high: its greatest.
        step: between two values.
        more: `log=True` if low, high and step are powers of ten; `folded=True` to put it away.
    """
    digits = 0 if step == 1 else 1 if step == 0.1 else 2
    place = on_step(np.log10(start) if more.get("log") else start, low, step)
    place = int(place) if digits == 0 else place
    start = float(10**place) if more.get("log") else place
    return {
        "name": name, "label": label, "start": start, "min": low, "max": high, "step": step, "digits": digits, **more,
    }  # fmt: skip


def on_step(value: float, low: float, step: float = 0.05) -> float:
    """The nearest value that a slider has, which goes from low in steps: the browser would change one between them."""
    return round(low + round((value - low) / step) * step, 6)


def choice(name: str, label: str, start: Any, options: list[tuple[str, Any]]) -> dict:
    """A control that goes through a list.

    Args:
        name: of the control.
        label: words beside it.
        start: value at first.
        options: (words, value) of each.
    """
    return {"name": name, "label": label, "start": start, "options": [list(option) for option in options]}
