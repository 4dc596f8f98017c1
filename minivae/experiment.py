"""What a training depends on, as one plain dataclass. Taught in chapter 4."""

import re
from dataclasses import dataclass
from typing import Any

import torch

from minivae._arguments import check_count, check_positive, is_number
from minivae.generator import FactorGenerator
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LinearSchedule, PolylineSchedule
from minivae.vae import VAE

OBJECTIVES = (ELBO, BetaELBO, CapacityELBO, LagrangianELBO)
SCHEDULES = (LinearSchedule, PolylineSchedule)
MODELS = ("vae", "generator", "generator-centred")
OPTIMIZERS = ("adam", "muon")


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
        learning_rate: of the optimizer.
        about: one line for `python -m minivae list`.
        model: "vae", or the factor-conditioned "generator", told the factors at their published values, or
            "generator-centred", told them with their mean taken off. A generator has a latent for each factor of two
            or more classes.
        optimizer: "adam", or "muon" (`muon.Muon`).
        cooldown: share of `steps`, at the end, in which the learning rate falls to a thirtieth in a straight line;
            in [0, 1].
        reset_dormant: steps from one `growing.reset_dormant` to the next, up to the cooldown; 0: none.

    Raises:
        ValueError: if name is no file name, dataset or objective lacks what it needs, steps, latents, batch or
            learning_rate is not positive, cooldown or reset_dormant is out of range, optimizer is unknown, or model is
            unknown or does not fit.
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
        has_parts = hasattr(self.dataset, "sample") and hasattr(self.dataset, "channels")
        if isinstance(self.dataset, type) or not has_parts:
            what = f"an array {tuple(self.dataset.shape)}" if hasattr(self.dataset, "shape") else repr(self.dataset)
            raise ValueError(
                f"dataset must be an object with channels and sample(n, generator), got {what}: of an array of "
                "pictures make minivae.datasets.Arrays(images), of files python -m minivae data import makes one"
            )
        if isinstance(self.objective, (type, *SCHEDULES)) or not callable(self.objective):
            raise ValueError(f"objective must be an object to call, such as ELBO(), got {self.objective!r}")
        if self.model not in MODELS:
            raise ValueError(f"unknown model {self.model!r}: known are {', '.join(MODELS)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}: known are {', '.join(OPTIMIZERS)}")
        if not is_number(self.cooldown) or not 0 <= self.cooldown <= 1:
            raise ValueError(f"cooldown must be a share of the steps in [0, 1], got {self.cooldown!r}")
        check_count("reset_dormant", self.reset_dormant, least=0)
        if self.reset_dormant and self.model != "vae":
            raise ValueError(f"reset_dormant is for a VAE, not for model {self.model!r}")
        openings = getattr(self.objective, "openings", ())
        if openings and (self.model != "vae" or openings[-1][1] > self.latents):
            raise ValueError(f"openings are for a VAE of at least as many latents, got {openings} and {self.latents}")
        if self.model != "vae":
            if not isinstance(getattr(self.dataset, "values", None), dict):
                raise ValueError(f"a generator needs the `values` of the factors, which {self.dataset} lacks")
            names = self.latent_names
            if self.latents != len(names):
                raise ValueError(f"this generator has latents={len(names)}, {', '.join(names)}; got {self.latents}")

    @property
    def latent_names(self) -> tuple[str, ...]:
        """What the latents are called: z0, z1, … of a VAE, the factors of two or more classes of a generator."""
        if self.model == "vae":
            return tuple(f"z{i}" for i in range(self.latents))
        return tuple(name for name, f in self.dataset.values.items() if len(f) > 1)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate at a step: constant, and in the cooldown, which ends at `steps`, down to a thirtieth."""
        share = min(1.0, max(0.0, (step - self.cooled) / max(1, self.steps - self.cooled)))
        return self.learning_rate * (1 - share * 29 / 30)

    @property
    def cooled(self) -> int:
        """The step at which the cooldown begins."""
        return self.steps - round(self.cooldown * self.steps)

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return getattr(self.dataset, "size", 64)

    def build(self, generator: torch.Generator | None = None) -> VAE | FactorGenerator:
        """The model before its training, its random initial weights drawn from the generator."""
        if self.model == "vae":
            return VAE(self.dataset.channels, self.latents, self.size, generator)
        centred = self.model == "generator-centred"
        values = list(self.dataset.values.values())
        return FactorGenerator(values, self.dataset.channels, centred, self.size, generator)
