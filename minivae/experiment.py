"""What a training depends on, as one plain dataclass. Taught in chapter 4."""

import re
from dataclasses import dataclass
from typing import Any

import torch

from minivae._arguments import check_choice, check_count, check_positive, is_number
from minivae.generator import FactorGenerator
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LinearSchedule, PolylineSchedule
from minivae.total_correlation import TotalCorrelationELBO
from minivae.vae import VAE

OBJECTIVES = (ELBO, BetaELBO, CapacityELBO, LagrangianELBO, TotalCorrelationELBO)
SCHEDULES = (LinearSchedule, PolylineSchedule)
MODELS = ("vae", "generator", "generator-centred")
OPTIMIZERS = ("adam", "muon")


@dataclass(frozen=True)
class Experiment:
    """Everything but the seed and the machine that a training depends on.

    Args:
        name: of letters, digits, dots, dashes and underscores, used for file names.
        dataset: where images come from, e.g. `Blobs()`; your own class needs `channels` and `sample(n, generator)`.
        objective: what is minimised, e.g. `BetaELBO(4.0)`; your own class needs its `__call__`.
        steps, latents, batch, learning_rate: steps of the whole training, latents, images a step, the optimizer's rate.
        about: one line for `python -m minivae list`.
        model: "vae", or the factor-conditioned "generator", told the factors at their published values, or
            "generator-centred", told them without their mean. It has a latent for each factor of two or more classes.
        optimizer: "adam", or "muon" (`muon.Muon`).
        cooldown: share of `steps`, at the end, in which the learning rate falls linearly to a thirtieth; in [0, 1].
        reset_dormant: steps from one `growing.reset_dormant` to the next, up to the cooldown; 0: none.

    Raises ValueError if a setting is out of range or unknown, lacks what it needs, or does not fit the others.
    """

    name: str
    dataset: Any
    objective: Any
    steps: int = 10_000
    latents: int = 10
    batch: int = 64
    learning_rate: float = 5e-4
    about: str = ""
    model: str = "vae"
    optimizer: str = "adam"
    cooldown: float = 0.0
    reset_dormant: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"name must be letters, digits, dots, dashes and underscores, got {self.name!r}")
        for field in ("steps", "latents", "batch"):
            check_count(field, getattr(self, field))
        check_positive("learning_rate", self.learning_rate)
        if isinstance(self.dataset, type) or not all(hasattr(self.dataset, part) for part in ("channels", "sample")):
            what = f"an array {tuple(self.dataset.shape)}" if hasattr(self.dataset, "shape") else repr(self.dataset)
            raise ValueError(
                f"dataset must be an object with channels and sample(n, generator), got {what}: of an array of "
                "pictures make minivae.datasets.Arrays(images), of files python -m minivae data import makes one"
            )
        if isinstance(self.objective, (type, *SCHEDULES)) or not callable(self.objective):
            raise ValueError(f"objective must be an object to call, such as ELBO(), got {self.objective!r}")
        check_choice("model", self.model, MODELS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if not is_number(self.cooldown) or not 0 <= self.cooldown <= 1:
            raise ValueError(f"cooldown must be a share of the steps in [0, 1], got {self.cooldown!r}")
        check_count("reset_dormant", self.reset_dormant, least=0)
        openings = getattr(self.objective, "openings", ())
        if openings and (self.model != "vae" or openings[-1][1] > self.latents):
            raise ValueError(f"openings are for a VAE of at least as many latents, got {openings} and {self.latents}")
        if self.model != "vae":
            if self.reset_dormant:
                raise ValueError(f"reset_dormant is for a VAE, not for model {self.model!r}")
            if not isinstance(getattr(self.dataset, "values", None), dict):
                raise ValueError(f"a generator needs the `values` of the factors, which {self.dataset} lacks")
            if self.latents != len(names := self.latent_names):
                raise ValueError(f"this generator has latents={len(names)}, {', '.join(names)}; got {self.latents}")

    @property
    def latent_names(self) -> tuple[str, ...]:
        """What the latents are called: z0, z1, … of a VAE, the factors of two or more classes of a generator."""
        if self.model == "vae":
            return tuple(f"z{i}" for i in range(self.latents))
        return tuple(name for name, f in self.dataset.values.items() if len(f) > 1)

    @property
    def cooled(self) -> int:
        """The step at which the cooldown begins."""
        return self.steps - round(self.cooldown * self.steps)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate at a step: constant up to the cooldown, in it down to a thirtieth."""
        share = min(1.0, max(0.0, (step - self.cooled) / max(1, self.steps - self.cooled)))
        return self.learning_rate * (1 - share * 29 / 30)

    def build(self, generator: torch.Generator | None = None) -> VAE | FactorGenerator:
        """The model before its training, its random initial weights drawn from the generator."""
        channels, size = self.dataset.channels, getattr(self.dataset, "size", 64)
        if self.model == "vae":
            return VAE(channels, self.latents, size, generator)
        values = list(self.dataset.values.values())
        return FactorGenerator(values, channels, self.model == "generator-centred", size, generator)
