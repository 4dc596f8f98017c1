"""The course's experiments by name, as plain dataclasses. Taught in chapters 4 to 6."""

import dataclasses
import difflib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch

from minivae._arguments import check_count, check_positive, is_number
from minivae.datasets import Blobs, Chairs, ColouredSprites, Pictures, Sprites
from minivae.datasets.originals import DSprites
from minivae.models import VAE, FactorGenerator
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LagrangianELBO, LinearSchedule, PolylineSchedule

# what a stored experiment may be built from; the name in a file is the class's name
DATASETS = (Blobs, Sprites, ColouredSprites, DSprites, Chairs, Pictures)
OBJECTIVES = (ELBO, BetaELBO, CapacityELBO, LagrangianELBO)
SCHEDULES = (LinearSchedule, PolylineSchedule)
MODELS = ("vae", "generator", "generator-centred")
OPTIMIZERS = ("adam", "muon")
_COURSE = {kind.__name__: kind for kind in (*DATASETS, *OBJECTIVES, *SCHEDULES)}


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
        optimizer: "adam", or "muon" (`optimizers.Muon`).
        cooldown: share of `steps`, at the end, in which the learning rate falls to a thirtieth in a straight line;
            in [0, 1].
        revive: steps from one `models.revive` of silent units to the next, up to the cooldown; 0: none.

    Raises:
        ValueError: if name is no file name, dataset or objective lacks what it needs, steps, latents, batch or
            learning_rate is not positive, cooldown or revive is out of range, optimizer is unknown, or model is unknown
            or does not fit.
    """

    name: str
    dataset: Blobs | Sprites | ColouredSprites | DSprites | Chairs | Pictures
    objective: ELBO | BetaELBO | CapacityELBO | LagrangianELBO
    steps: int = 10_000
    latents: int = 10
    batch: int = 64
    learning_rate: float = 5e-4
    about: str = ""
    model: str = "vae"
    optimizer: str = "adam"
    cooldown: float = 0.0
    revive: int = 0

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
                f"dataset must be an object with channels and sample(n, generator), got {what}. {_AROUND_AN_ARRAY}"
            )
        if isinstance(self.objective, (type, *SCHEDULES)) or not callable(self.objective):
            raise ValueError(f"objective must be an object to call, such as ELBO(), got {self.objective!r}")
        if self.model not in MODELS:
            raise ValueError(f"unknown model {self.model!r}: known are {', '.join(MODELS)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}: known are {', '.join(OPTIMIZERS)}")
        if not is_number(self.cooldown) or not 0 <= self.cooldown <= 1:
            raise ValueError(f"cooldown must be a share of the steps in [0, 1], got {self.cooldown!r}")
        check_count("revive", self.revive, least=0)
        if self.revive and self.model != "vae":
            raise ValueError(f"revive is for a VAE, not for model {self.model!r}")
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

    def rate(self, step: int) -> float:
        """The learning rate at a step: constant, and in the cooldown, which ends at `steps`, down to a thirtieth."""
        share = min(1.0, max(0.0, (step - self.cooled) / max(1, self.steps - self.cooled)))
        return self.learning_rate * (1 - share * 29 / 30)

    @property
    def cooled(self) -> int:
        """The step at which the cooldown begins."""
        return self.steps - round(self.cooldown * self.steps)

    def build(self, generator: torch.Generator | None = None) -> VAE | FactorGenerator:
        """The model before its training, its random initial weights drawn from the generator."""
        if self.model == "vae":
            return VAE(self.dataset.channels, self.latents, generator)
        centred = self.model == "generator-centred"
        return FactorGenerator(list(self.dataset.values.values()), self.dataset.channels, centred, generator)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values; `from_dict` builds an equal experiment from them.

        Raises:
            ValueError: if data set or objective is no dataclass of plain values, which alone a file can hold.
        """
        own = (type(self.dataset), type(self.objective))
        reason = ""
        try:
            settings = {key: value for key, value in _describe(self).items() if key != "kind"}
            settings = json.loads(json.dumps(settings, default=_plain, allow_nan=False))
            if Experiment.from_dict(settings, own) == self:
                return settings
        except (TypeError, AttributeError, ValueError, RuntimeError) as error:
            reason = f" ({error})"
        raise ValueError(
            f"experiment {self.name!r} cannot be stored in a file{reason}: its data set ({own[0].__name__}) and "
            f"objective ({own[1].__name__}) must be dataclasses whose fields are numbers, texts, or tuples of these, "
            "or one of the course's schedules"
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
                outer = known[settings[part]["kind"]]
                within = {key: _build(value, known) for key, value in settings[part].items() if key != "kind"}
                settings[part] = outer(**within)
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"unknown {part} ({error}): known kinds are {', '.join(known)}; give your own class in `kinds`"
                ) from None
        try:
            return cls(**settings)
        except TypeError as error:
            raise ValueError(f"unknown experiment settings: {error}") from None


# Figures 3 and 4; where β is a multiplier it begins near the price of the first few nats
_FIGURE_3 = LinearSchedule(0.5, 25.0, 0, 100_000)
_FIGURE_4 = LinearSchedule(0.0, 25.0, 0, 100_000)
_CHAIRS = Chairs(number=86_366)  # as many pictures as the published set has, 62 of each of 1,393 models
# a plain VAE in the end, but x and y, and then scale, had the first latents to themselves
_OPENED = {
    "objective": LagrangianELBO(
        PolylineSchedule(((0, 0.0), (3_000, 3.2), (6_000, 8.0), (6_001, 25.0))), rate=0.004, beta=100.0, least=1.0,
        openings=((0, 2), (3_000, 3), (6_000, 10)),
    ),
    "optimizer": "muon", "learning_rate": 2e-3, "cooldown": 0.5, "revive": 500,
}  # fmt: skip

_ALL = [
    Experiment("blobs-vae", Blobs(), ELBO(), about="Figure 2, left: a standard VAE on blob position"),
    Experiment("blobs-beta150", Blobs(), BetaELBO(150.0), about="Figure 2, right: β = 150 on blob position"),
    Experiment("blobs-beta150-long", Blobs(), BetaELBO(150.0), 30_000, about="chapter 4: a seed that turns late"),
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
    Experiment(
        "generator", Sprites(), CapacityELBO(1000.0, _FIGURE_3), 100_000, 5,
        about="Figure 3: a decoder told the factors, C from 0.5 to 25 nats", model="generator",
    ),
    Experiment(
        "generator-centred", Sprites(), CapacityELBO(1000.0, _FIGURE_3), 100_000, 5,
        about="chapter 5: the same, told the factors without their mean", model="generator-centred",
    ),
    Experiment(
        "generator-lagrangian", Sprites(), LagrangianELBO(_FIGURE_3, beta=50.0), 100_000, 5,
        about="chapter 5: Figure 3 with β as a Lagrange multiplier", model="generator",
    ),
    Experiment(
        "generator-lagrangian-centred", Sprites(), LagrangianELBO(_FIGURE_3, beta=50.0), 100_000, 5,
        about="chapter 5: the same, told the factors without their mean", model="generator-centred",
    ),
    Experiment("coloured-vae", ColouredSprites(), ELBO(), 100_000, about="chapter 6: a standard VAE"),
    Experiment("coloured-beta4", ColouredSprites(), BetaELBO(4.0), 100_000, about="chapter 6: β = 4"),
    Experiment(
        "coloured-capacity", ColouredSprites(), CapacityELBO(1000.0, _FIGURE_4), 100_000,
        about="Figure 4a: capacity-controlled β-VAE on coloured sprites, C from 0 to 25 nats",
    ),
    Experiment(
        "coloured-lagrangian", ColouredSprites(), LagrangianELBO(_FIGURE_4, beta=50.0), 100_000,
        about="chapter 6: Figure 4a with β as a Lagrange multiplier",
    ),
    Experiment(
        "coloured-opened", ColouredSprites(), steps=100_000, **_OPENED,
        about="chapter 6: latents opened a few at a time, and Muon, C up to 25 nats",
    ),
    Experiment("sprites-vae", Sprites(), ELBO(), 40_000, about="chapter 6: a standard VAE on white sprites"),
    Experiment(
        "sprites-capacity", Sprites(), CapacityELBO(1000.0, _FIGURE_4), 100_000,
        about="chapter 6: capacity-controlled β-VAE on white sprites",
    ),
    Experiment(
        "sprites-opened", Sprites(), steps=40_000, **_OPENED,
        about="chapter 6: latents opened a few at a time, and Muon, on white sprites",
    ),
    Experiment("chairs-vae", _CHAIRS, ELBO(), 40_000, about="chapter 7: a standard VAE on rendered chairs"),
    Experiment(
        "chairs", _CHAIRS, CapacityELBO(1000.0, _FIGURE_4), 100_000,
        about="Figure 4b: capacity-controlled β-VAE on rendered chairs, C from 0 to 25 nats",
    ),
    Experiment(
        "chairs-32", _CHAIRS, CapacityELBO(1000.0, _FIGURE_4), 100_000, 32,
        about="chapter 7: the same with 32 latents",
    ),
    Experiment(
        "chairs-opened", _CHAIRS, steps=40_000, **_OPENED,
        about="chapter 7: latents opened a few at a time, and Muon, on rendered chairs",
    ),
    Experiment(
        "chairs-published", Pictures("data/chairs.h5", channels=1), CapacityELBO(1000.0, _FIGURE_4), 100_000,
        about="Figure 4b on the published 3D Chairs, once imported to data/chairs.h5 (or --data FILE)",
    ),
    Experiment(
        "celeba", Pictures("data/celeba.h5"), CapacityELBO(1000.0, LinearSchedule(0.0, 50.0, 0, 100_000)), 100_000, 32,
        about="section A.2: CelebA, C from 0 to 50 nats, once imported to data/celeba.h5 (or --data FILE)",
    ),
]  # fmt: skip

_AROUND_AN_ARRAY = """\
Pictures in files: python -m minivae data import makes a file that Pictures.open reads. Around an array `images`, \
float32 (N, channels, 64, 64) in [0, 1], write

class Mine:
    channels = images.shape[1]
    def sample(self, n, generator=None):
        index = torch.randint(len(images), (n,), generator=generator, device=generator and generator.device)
        return torch.as_tensor(images)[index.cpu()].to(index.device), None

and give Mine() as the dataset."""

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}


def _plain(value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:  # a number of NumPy's or PyTorch's
        return value.item()
    raise TypeError(f"a {type(value).__name__} is no plain value")


def _describe(part: Any) -> Any:
    """A dataclass, and those within it, as the name of its class and its fields."""
    if not dataclasses.is_dataclass(part):
        return part
    kind = type(part)
    if _COURSE.get(kind.__name__, kind) is not kind:
        raise ValueError(f"{kind.__name__} is the name of one of the course's own classes: rename yours")
    fields = {field.name: _describe(getattr(part, field.name)) for field in dataclasses.fields(part)}
    return {"kind": kind.__name__, **fields}


def _build(value: Any, known: dict[str, type]) -> Any:
    if isinstance(value, dict) and "kind" in value:
        kind = (known | {kind.__name__: kind for kind in SCHEDULES})[value["kind"]]
        return kind(**{key: _build(v, known) for key, v in value.items() if key != "kind"})
    # JSON knows no tuples, and a frozen dataclass holds no lists
    return tuple(_build(v, known) for v in value) if isinstance(value, list) else value


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
