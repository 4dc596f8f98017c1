"""The course's experiments by name, as plain dataclasses. Taught in chapter 4."""

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any

from minivae.datasets import Blobs
from minivae.objectives import ELBO, BetaELBO

# what a stored experiment may be built from; the name in a file is the class's name
_KINDS = {kind.__name__: kind for kind in (Blobs, ELBO, BetaELBO)}


@dataclass(frozen=True)
class Experiment:
    """Everything but the seed and the machine that a training depends on.

    Args:
        name: short name, used for file names.
        dataset: where images come from, e.g. `Blobs`.
        objective: what is minimised, e.g. `BetaELBO`.
        steps: training steps of the full-length run.
        latents: number of latents.
        batch: images a step (the paper does not say; 64 is what everybody uses).
        learning_rate: of Adam.
        about: one line for `python -m minivae list`.

    Raises:
        ValueError: if steps, latents, batch or learning_rate is not positive.
    """

    name: str
    dataset: Blobs
    objective: ELBO | BetaELBO
    steps: int = 10_000
    latents: int = 10
    batch: int = 64
    learning_rate: float = 5e-4
    about: str = ""

    def __post_init__(self) -> None:
        for field in ("steps", "latents", "batch", "learning_rate"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be positive, got {getattr(self, field)}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values; `from_dict` builds an equal experiment from them."""
        settings = dataclasses.asdict(self)
        for part in ("dataset", "objective"):
            settings[part] = {"kind": type(getattr(self, part)).__name__, **settings[part]}
        return settings

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> "Experiment":
        """Build the experiment that `to_dict` described.

        Raises:
            ValueError: on an unknown kind or setting, with what is known.
        """
        settings = dict(settings)
        try:
            for part in ("dataset", "objective"):
                arguments = dict(settings[part])
                settings[part] = _KINDS[arguments.pop("kind")](**arguments)
            return cls(**settings)
        except (KeyError, TypeError) as error:
            raise ValueError(f"unknown experiment settings ({error}); known kinds: {', '.join(_KINDS)}") from None


_ALL = [
    Experiment("blobs-vae", Blobs(), ELBO(), about="Figure 2, left: a standard VAE on blob position"),
    Experiment("blobs-beta150", Blobs(), BetaELBO(150.0), about="Figure 2, right: β = 150 on blob position"),
    Experiment(
        "blobs-diamond", Blobs(domain="diamond"), BetaELBO(100.0), 20_000, about="chapter 4: the domain turned by 45°"
    ),
    Experiment(
        "blobs-disc", Blobs(domain="disc"), BetaELBO(100.0), 20_000, about="chapter 4: a domain without corners"
    ),
    # the collapse threshold is β_c = 97 for σ = 4 and 203 for σ = 6: 30 % below and above it
    Experiment("blobs-s4-below", Blobs(4.0), BetaELBO(68.0), 2_000, about="chapter 4: σ = 4 below its threshold"),
    Experiment("blobs-s4-above", Blobs(4.0), BetaELBO(126.0), 2_000, about="chapter 4: σ = 4 above its threshold"),
    Experiment("blobs-s6-below", Blobs(6.0), BetaELBO(142.0), 2_000, about="chapter 4: σ = 6 below its threshold"),
    Experiment("blobs-s6-above", Blobs(6.0), BetaELBO(264.0), 2_000, about="chapter 4: σ = 6 above its threshold"),
]

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}


def get(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        ValueError: if there is none; the message suggests the nearest name.
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown experiment {name!r}: {hint}known are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
