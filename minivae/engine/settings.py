"""An experiment as plain JSON values, and back: what a run file says of how it was made."""

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from minivae.datasets import Arrays, Blobs, Chairs, ColouredSprites, Sprites
from minivae.engine.dsprites import DSprites
from minivae.engine.pictures import Pictures
from minivae.experiment import OBJECTIVES, SCHEDULES, Experiment

# what a stored experiment may be built from; the name in a file is the class's name
DATASETS = (Blobs, Sprites, ColouredSprites, DSprites, Chairs, Pictures, Arrays)
_COURSE = {kind.__name__: kind for kind in (*DATASETS, *OBJECTIVES, *SCHEDULES)}
# settings that had another name once: kind → old name → new name
_RENAMED = {"Experiment": {"revive": "reset_dormant"}, "LagrangianELBO": {"rate": "gain"}}


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """The settings as plain JSON values; `from_dict` builds an equal experiment from them. Raises ValueError if data
    set or objective is no dataclass of plain values, which alone a file can hold."""
    own = (type(experiment.dataset), type(experiment.objective))
    try:
        settings = json.loads(json.dumps(_fields(experiment), default=_plain, allow_nan=False))
        if from_dict(settings, own) != experiment:
            raise ValueError("it would come back as another")
    except (TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"experiment {experiment.name!r} cannot be stored in a file ({error}): its data set ({own[0].__name__}) "
            f"and objective ({own[1].__name__}) must be dataclasses whose fields are numbers, texts, or tuples of "
            "these, or one of the course's schedules"
        ) from None
    return settings


def from_dict(settings: dict[str, Any], kinds: Collection[type] = ()) -> Experiment:
    """Build the experiment that `to_dict` of this or an older version described; `kinds` are your own classes of data
    sets and objectives that may occur in it. Raises ValueError on an unknown kind or setting, with what is known."""
    settings = _renamed("Experiment", settings)
    for part, course in (("dataset", DATASETS), ("objective", OBJECTIVES)):
        known = {kind.__name__: kind for kind in (*course, *SCHEDULES, *kinds)}
        try:
            settings[part] = _build(settings[part], known)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"unknown {part} ({error}): known kinds are {', '.join(known)}; give your own class in `kinds`"
            ) from None
    try:
        return Experiment(**settings)
    except TypeError as error:
        raise ValueError(f"unknown experiment settings: {error}") from None


def _renamed(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    names = _RENAMED.get(kind, {})
    return {names.get(key, key): value for key, value in settings.items()}


def _fields(part: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def _plain(value: Any) -> Any:
    """What JSON can hold of a value that it does not know: of a dataclass its name and fields."""
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's or PyTorch's
        return value.item()
    kind = type(value)
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"a {kind.__name__} is no plain value")
    if _COURSE.get(kind.__name__, kind) is not kind:
        raise ValueError(f"{kind.__name__} is the name of one of the course's own classes: rename yours")
    return {"kind": kind.__name__, **_fields(value)}


def _build(value: Any, known: dict[str, type]) -> Any:
    if isinstance(value, dict) and "kind" in value:
        kind = known[value["kind"]]
        fields = {key: _build(v, known) for key, v in value.items() if key != "kind"}
        return getattr(kind, "described", kind)(**_renamed(kind.__name__, fields))
    # JSON knows no tuples, and a frozen dataclass holds no lists
    return tuple(_build(v, known) for v in value) if isinstance(value, list) else value
