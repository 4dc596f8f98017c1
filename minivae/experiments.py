"""The course's experiments by name, as plain dataclasses. Taught in chapter 4."""

import dataclasses
import difflib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from minivae._arguments import check_count, check_positive
from minivae.datasets import Blobs, ColouredSprites, Sprites
from minivae.datasets.originals import DSprites
from minivae.objectives import ELBO, BetaELBO

# what a stored experiment may be built from; the name in a file is the class's name
DATASETS = (Blobs, Sprites, ColouredSprites, DSprites)
OBJECTIVES = (ELBO, BetaELBO)
_COURSE = {kind.__name__: kind for kind in (*DATASETS, *OBJECTIVES)}


@dataclass(frozen=True)
class Experiment:
    """Everything but the seed and the machine that a training depends on.

    Args:
        name: short name of letters, digits, dots, dashes and underscores, used for file names.
        dataset: where images come from, e.g. `Blobs`; your own class needs `channels` and `sample(n, generator)`.
        objective: what is minimised, e.g. `BetaELBO`; your own class needs its `__call__`.
        steps: training steps of the full-length run.
        latents: number of latents.
        batch: images a step (the paper does not say; 64 is what everybody uses).
        learning_rate: of Adam.
        about: one line for `python -m minivae list`.

    Raises:
        ValueError: if name is no file name, dataset or objective lacks what it needs, or steps, latents, batch or
            learning_rate is not positive.
    """

    name: str
    dataset: Blobs | Sprites | ColouredSprites | DSprites
    objective: ELBO | BetaELBO
    steps: int = 10_000
    latents: int = 10
    batch: int = 64
    learning_rate: float = 5e-4
    about: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"name must be letters, digits, dots, dashes and underscores, got {self.name!r}")
        for field in ("steps", "latents", "batch"):
            check_count(field, getattr(self, field))
        check_positive("learning_rate", self.learning_rate)
        has_parts = hasattr(self.dataset, "sample") and hasattr(self.dataset, "channels")
        if isinstance(self.dataset, type) or not has_parts:
            raise ValueError(f"dataset must be an object with channels and sample(n, generator), got {self.dataset!r}")
        if isinstance(self.objective, type) or not callable(self.objective):
            raise ValueError(f"objective must be an object to call, such as ELBO(), got {self.objective!r}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values; `from_dict` builds an equal experiment from them.

        Raises:
            ValueError: if data set or objective is no dataclass of plain values, which alone a file can hold.
        """
        own = (type(self.dataset), type(self.objective))
        reason = ""
        try:
            settings = dataclasses.asdict(self)
            for part, kind in zip(("dataset", "objective"), own, strict=True):
                if _COURSE.get(kind.__name__, kind) is not kind:
                    raise ValueError(f"{kind.__name__} is the name of one of the course's own classes: rename yours")
                settings[part] = {"kind": kind.__name__, **settings[part]}
            settings = json.loads(json.dumps(settings, default=_plain, allow_nan=False))
            if Experiment.from_dict(settings, own) == self:
                return settings
        except (TypeError, AttributeError, ValueError, RuntimeError) as error:
            reason = f" ({error})"
        raise ValueError(
            f"experiment {self.name!r} cannot be stored in a file{reason}: its data set ({own[0].__name__}) and "
            f"objective ({own[1].__name__}) must be dataclasses whose fields are numbers, texts, or tuples of these"
        )

    @classmethod
    def from_dict(cls, settings: dict[str, Any], kinds: Collection[type] = ()) -> "Experiment":
        """Build the experiment that `to_dict` described.

        Args:
            settings: from `to_dict`.
            kinds: your own classes of data sets and objectives that may occur in it.

        Raises:
            ValueError: on an unknown kind or setting, with what is known.
        """
        settings = dict(settings)
        for part, course in (("dataset", DATASETS), ("objective", OBJECTIVES)):
            known = {kind.__name__: kind for kind in (*course, *kinds)}
            try:
                arguments = {key: _tuples(value) for key, value in settings[part].items()}
                settings[part] = known[arguments.pop("kind")](**arguments)
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"unknown {part} ({error}): known kinds are {', '.join(known)}; give your own class in `kinds`"
                ) from None
        try:
            return cls(**settings)
        except TypeError as error:
            raise ValueError(f"unknown experiment settings: {error}") from None


_ALL = [
    Experiment("blobs-vae", Blobs(), ELBO(), about="Figure 2, left: a standard VAE on blob position"),
    Experiment("blobs-beta150", Blobs(), BetaELBO(150.0), about="Figure 2, right: β = 150 on blob position"),
    Experiment("blobs-diamond", Blobs(domain="diamond"), BetaELBO(100.0), about="chapter 4: the domain turned by 45°"),
    Experiment("blobs-disc", Blobs(domain="disc"), BetaELBO(100.0), about="chapter 4: a domain without corners"),
    # 16 px from it, the edge of the canvas cuts no blob of width 5: nothing but the pixels themselves favours x and y
    Experiment(
        "blobs-inner-disc", Blobs(5.0, 16.0, "disc"), BetaELBO(55.0), 6_000, about="chapter 4: a domain without corners"
    ),
    # the collapse threshold is β_c = 97 for σ = 4 and 203 for σ = 6: 30 % below and above it
    Experiment("blobs-s4-below", Blobs(4.0), BetaELBO(68.0), 2_000, about="chapter 4: σ = 4 below its threshold"),
    Experiment("blobs-s4-above", Blobs(4.0), BetaELBO(126.0), 2_000, about="chapter 4: σ = 4 above its threshold"),
    Experiment("blobs-s6-below", Blobs(6.0), BetaELBO(142.0), 2_000, about="chapter 4: σ = 6 below its threshold"),
    Experiment("blobs-s6-above", Blobs(6.0), BetaELBO(264.0), 2_000, about="chapter 4: σ = 6 above its threshold"),
]

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}


def _plain(value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's or PyTorch's
        return value.item()
    raise TypeError(f"a {type(value).__name__} is no plain value")


def _tuples(value: Any) -> Any:
    # JSON knows no tuples, and a frozen dataclass holds no lists
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def get(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        ValueError: if there is none; the message suggests the nearest name.
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(str(name).lower(), EXPERIMENTS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown experiment {name!r}: {hint}known are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
