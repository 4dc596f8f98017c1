"""Which reading of the recipe gives Figure 4a? Trainings of coloured sprites that differ in what the paper leaves open.

    python tools/study_figure4a.py list                     the planned trainings, most wanted first, and which are done
    python tools/study_figure4a.py run pale-base --seed 0   one training; goes on where it was interrupted
    python tools/study_figure4a.py queue --workers 2        what is missing, a process a core; start it again at will
    python tools/study_figure4a.py queue --gpu --out "$OUT"  many at a time on one card, in so many --seconds
    python tools/study_figure4a.py trees "$OUT"             what takes a minute each, and a card's queue leaves out: DCI
    python tools/study_figure4a.py table                    what came out, a line a variant

Each training writes one small JSON under data/studies/figure4a: its settings, how it was made, KL per latent and
excess over the training, and at the end how the latents stand to the factors. Screening is on sprites of 32 × 32
pixels, with one convolution less. They have a quarter of the pixels, so prices per nat are a quarter too: γ as given
is for 64 × 64, and divided by 4.
"""

import argparse
import dataclasses
import gc
import json
import math
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from minivae import gaussian, metrics
from minivae.datasets import Sprites
from minivae.engine.fast import OnDevice, bias_apart, graphed, ieee, keep_buffers, pick_precision
from minivae.engine.fast_muon import FastMuon
from minivae.engine.trainer import versions
from minivae.growing import open_latents, reset_dormant
from minivae.lagrangian import LagrangianELBO
from minivae.muon import Muon
from minivae.objectives import LinearSchedule, PolylineSchedule, bernoulli_nll
from minivae.total_correlation import kl_parts
from minivae.vae import VAE, initialise

RESULTS = Path("data/studies/figure4a")
SCRATCH = Path("runs/figure4a")  # states of unfinished trainings, and locks
EVERY = 250  # steps averaged in a row of the history
ON_CARD = 5  # steps of a CUDA graph, whose pictures are drawn at once: fewer kernels a step
ACTIVE = 0.1  # nats of mean KL above which a latent is active
FACTORS = ("shape", "scale", "orientation", "x", "y")


@dataclass(frozen=True)
class Variant:
    """One reading of the recipe, or one change of the course's own training.

    Args:
        name: of the result.
        size: side of the pictures, 32 or 64.
        objective: "capacity" (γ·|KL − C|), "multiplier" (β holds the KL at C), "annealed" (β falls to `least` while C
            would rise, on a logarithmic scale, whatever the KL does) or "elbo".
        reading: of Eq. 8: the penalty on the "batch" mean of the KL, or on that of every "picture", then averaged.
        colours: "pale" U(0.5, 1), "vivid" U(0, 1), "hue" (full saturation, a circle), "eight" ({¼, 1}³), "white".
        weights: "ours" (He, head a tenth), "he" (head not scaled), "truncated" (1/√fan-in, the authors' library's
            default), "glorot", "pytorch".
        batch, lr, eps, beta2: of Adam; lr also of Muon.
        gamma: for 64 × 64.
        start, end, ramp, rest: C in nats goes from start to end in `ramp` steps and stays for `rest`.
        reset: steps from one reset of dormant units to the next; 0: none.
        muon, cooldown: the optimizer, and the share of all steps in which its rate falls to a thirtieth.
        openings: (step, latents) open from then on; the capacity follows the corners.
        corners: (step, nats) of C when latents are opened; the course's own schedule, unless others are given.
        least: the lowest β when latents are opened, or where an annealed one ends.
        tc: nats of loss for a nat of total correlation of the batch's posteriors, on top of what the KL costs.
        loud: newly opened latents begin with a strong signal (`open_latents`); else as they are.
        taught: steps in which encoder and decoder are first trained on a code that holds the factors.
    """

    name: str
    size: int = 32
    objective: str = "capacity"
    reading: str = "batch"
    colours: str = "pale"
    weights: str = "ours"
    batch: int = 64
    lr: float = 5e-4
    eps: float = 1e-8
    beta2: float = 0.999
    gamma: float = 1000.0
    start: float = 0.0
    end: float = 25.0
    ramp: int = 20_000
    rest: int = 3_000
    reset: int = 0
    muon: bool = False
    cooldown: float = 0.0
    openings: tuple[tuple[int, int], ...] = ()
    corners: tuple[tuple[int, float], ...] = ((0, 0.0), (3_000, 3.2), (6_000, 8.0), (6_001, 25.0))
    least: float = 1.0
    tc: float = 0.0
    loud: bool = True
    taught: int = 0

    @property
    def steps(self) -> int:
        """All steps without the taught ones."""
        return self.ramp + self.rest

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        cooled = self.steps * (1 - self.cooldown)
        return self.lr * (1 - 29 / 30 * max(0.0, step - cooled) / max(1.0, self.steps - cooled))


def _bases() -> dict[str, Variant]:
    return {
        "pale": Variant("pale-base"),
        "vivid": Variant("vivid-base", colours="vivid"),
        "authors": Variant("authors-base", colours="vivid", weights="truncated", reading="picture"),
    }


_CHANGES: dict[str, dict[str, Any]] = {
    "batchmean": {"reading": "batch"}, "perpicture": {"reading": "picture"},
    "pale": {"colours": "pale"}, "hue": {"colours": "hue"}, "eight": {"colours": "eight"},
    "ours": {"weights": "ours"}, "truncated": {"weights": "truncated"}, "glorot": {"weights": "glorot"},
    "pytorch": {"weights": "pytorch"}, "he": {"weights": "he"},
    "gamma10": {"gamma": 10.0}, "gamma30": {"gamma": 30.0}, "gamma100": {"gamma": 100.0}, "gamma300": {"gamma": 300.0},
    "reset": {"reset": 500}, "start0.5": {"start": 0.5}, "start5": {"start": 5.0},
    "eps1e-4": {"eps": 1e-4}, "eps1e-2": {"eps": 1e-2}, "beta2.9": {"beta2": 0.9}, "lr1e-4": {"lr": 1e-4},
    "batch16": {"batch": 16}, "batch256": {"batch": 256}, "rest9000": {"rest": 9_000}, "ramp100k": {"ramp": 100_000},
}  # fmt: skip
_SLOW = ("batch256", "rest9000", "ramp100k")

_OPENED = Variant(
    "opened", objective="multiplier", colours="vivid", muon=True, lr=2e-3, cooldown=0.5, reset=500,
    openings=((0, 2), (3_000, 3), (6_000, 10)),
)  # fmt: skip
_APART: dict[str, dict[str, Any]] = {
    "all": {}, "adam": {"muon": False, "lr": 5e-4}, "allopen": {"openings": ((0, 10),)}, "noreset": {"reset": 0},
    "nocooldown": {"cooldown": 0.0}, "quiet": {"loud": False}, "vae": {"objective": "elbo", "openings": ()},
    "vaeadam": {"objective": "elbo", "openings": (), "muon": False, "lr": 5e-4, "reset": 0, "cooldown": 0.0},
}  # fmt: skip
_STAGES: dict[str, Any] = {
    "openings": ((0, 2), (3_000, 3), (6_000, 6), (10_000, 10)),
    "corners": ((0, 0.0), (3_000, 3.2), (6_000, 8.0), (10_000, 14.0), (10_001, 25.0)),
}  # fmt: skip
# β down to a quarter, as 1 is at 64 × 64, and C out of its way; new latents begin as they are
_QUIET: dict[str, Any] = {
    "loud": False, "least": 0.25, "corners": ((0, 0.0), (3_000, 3.2), (6_000, 8.0), (6_001, 40.0)),
}  # fmt: skip
_RAMP: dict[str, Any] = _QUIET | {"openings": ((0, 10),), "corners": ((0, 0.0), (12_000, 40.0))}
# the ramp taken apart; `none` has C at its end from the beginning, so no ramp; `anneal` has neither multiplier nor C,
# and `anneal-fast` is at its least β as early as the ramp is
_RAMP_APART: dict[str, dict[str, Any]] = {
    "adam": {"muon": False, "lr": 5e-4}, "noreset": {"reset": 0}, "nocooldown": {"cooldown": 0.0},
    "none": {"corners": ((0, 40.0), (12_000, 40.0))},
    "gamma": {"objective": "capacity", "ramp": 12_000, "rest": 11_000}, "anneal": {"objective": "annealed"},
    "anneal-fast": {"objective": "annealed", "corners": ((0, 0.0), (6_000, 40.0))},
}  # fmt: skip
# towards one factor a latent: nats taken back, or dear to the end, so that what shares a latent separates; a price on
# what latents share; more openings, or none
_BETTER: dict[str, dict[str, Any]] = {
    "all": {}, "down": {"corners": (*_OPENED.corners, (13_000, 25.0), (18_000, 18.0))},
    "least2": {"least": 2.0}, "least4": {"least": 4.0}, "tc5": {"tc": 5.0}, "stages": _STAGES,
    "stages-least2": _STAGES | {"least": 2.0}, "stages-tc5": _STAGES | {"tc": 5.0},
    "vae-tc5": {"objective": "elbo", "openings": (), "tc": 5.0},
    "quiet": _QUIET, "quiet-tc1": _QUIET | {"tc": 1.0},
    "quiet-stages": _QUIET | _STAGES | {"corners": (*_STAGES["corners"][:-1], (10_001, 40.0))},
    "quiet-squeeze": _QUIET | {"corners": (*_QUIET["corners"], (13_000, 40.0), (18_000, 12.0))},
    "ramp": _RAMP,
}  # fmt: skip


def plan() -> list[tuple[Variant, int]]:
    """Every planned training, most wanted first."""
    bases = _bases()
    apart = [dataclasses.replace(_OPENED, name=f"opened-{name}", **own) for name, own in _APART.items()]
    keep = Variant("taught", objective="multiplier", colours="vivid", start=25.0, ramp=1, rest=20_000, taught=5_000)
    found = [(base, 0) for base in bases.values()] + [(variant, 0) for variant in (*apart, keep)]
    for colours in ("vivid", "pale", "white"):
        for name, own in _BETTER.items():
            if (colours, name) != ("vivid", "all"):  # is there: opened-all
                better = dataclasses.replace(_OPENED, name=f"better-{colours}-{name}", colours=colours, **own)
                found.append((better, 0))
    seen = {dataclasses.replace(base, name="") for base in bases.values()}  # a change may lead to another base
    quick = [change for change in _CHANGES if change not in _SLOW]
    for change in (*quick, *_SLOW):
        for base in ("vivid", "authors", "pale"):
            variant = dataclasses.replace(bases[base], name="", **_CHANGES[change])
            if variant not in seen:
                seen.add(variant)
                found.append((dataclasses.replace(variant, name=f"{base}-{change}"), 0))
    ramp = next(variant for variant, _ in found if variant.name == "better-vivid-ramp")
    parts = [dataclasses.replace(ramp, name=f"ramp-{name}", **own) for name, own in _RAMP_APART.items()]
    slow = {"corners": ((0, 0.0), (24_000, 40.0)), "ramp": 43_000}
    found += [(ramp, 1), (ramp, 2), (dataclasses.replace(ramp, name="ramp-slow", **slow), 0)]
    found += [(variant, seed) for seed in range(3) for variant in parts]
    found += [(variant, seed) for seed in (1, 2) for variant in (*apart, keep)]
    wide = {"size": 64, "ramp": 60_000, "rest": 0, "least": 1.0, "corners": ((0, 0.0), (30_000, 40.0))}
    for colours in ("vivid", "white", "pale"):
        best = dataclasses.replace(ramp, name=f"full-ramp-{colours}", colours=colours, **wide)
        found += [(best, seed) for seed in range(3)]
    found.append((dataclasses.replace(ramp, name="full-anneal-vivid", objective="annealed", **wide), 0))
    long = {"size": 64, "ramp": 100_000, "rest": 0}
    for name, own in {
        "perpicture": {"reading": "picture"},
        "vivid": {"colours": "vivid"},
        "vivid-perpicture": {"colours": "vivid", "reading": "picture"},
        "gamma100": {"gamma": 100.0},
        "authors": {"colours": "vivid", "reading": "picture", "weights": "truncated"},
    }.items():
        found.append((Variant(f"full-{name}", **long, **own), 0))
    return found


# ---------------------------------------------------------------------------------------------------------------- data


@dataclass
class Batch:
    """Sprites: images (n, 3, size, size), classes (n, 6), colours (n, 3), the hue in turns or None, and the floor of
    the reconstruction in nats, (n,). White ones have one channel, and one colour."""

    images: Tensor
    classes: Tensor
    colours: Tensor
    hue: Tensor | None
    floor: Tensor

    def split(self, n: int) -> Iterator["Batch"]:
        """Parts of n pictures each."""
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        each = [[None] * (len(self.floor) // n) if value is None else value.split(n) for value in values]
        return map(Batch, *each)


def draw(sprites: Sprites, colours: str, n: int, generator: torch.Generator) -> Batch:
    """n sprites in colours of the given kind."""
    white, classes = sprites.sample(n, generator)
    hue = None
    place = generator.device
    if colours == "eight":
        rgb = torch.where(torch.rand(n, 3, generator=generator, device=place) < 0.5, 0.25, 1.0)
    elif colours == "white":
        rgb = torch.ones(n, 1, device=place)
    elif colours == "hue":
        hue = torch.rand(n, generator=generator, device=place)
        turn, offset, sign = _hues(place)
        rgb = (offset + sign * (hue[:, None] * 6 - turn).abs()).clamp(0, 1)
    else:
        low = {"pale": 0.5, "vivid": 0.0}[colours]
        rgb = low + (1 - low) * torch.rand(n, 3, generator=generator, device=place)
    # only the pixels of the sprite are grey; `bernoulli_floor`, but that looks at them, and waits
    floor = -white.sum((1, 2, 3)) * (torch.xlogy(rgb, rgb) + torch.special.xlog1py(1 - rgb, -rgb)).sum(1)
    images = (white * rgb[:, :, None, None]).contiguous(memory_format=torch.channels_last)
    return Batch(images, classes, rgb, hue, floor)


@cache
def _hues(place: torch.device) -> Tensor:
    """Where on the circle of hues red, green and blue turn, how low they are there, and which way they go, (3, 3)."""
    return torch.tensor([[3.0, 2.0, 4.0], [-1.0, 2.0, 2.0], [1.0, -1.0, -1.0]], device=place)


@cache
def _turns(place: torch.device) -> Tensor:
    """The angle of each class of orientation times the symmetry of each shape, (3, 40), float64."""
    return (Sprites().values["orientation"] * torch.tensor(Sprites.symmetries)[:, None]).to(place)


def targets(batch: Batch) -> dict[str, tuple[Tensor, Tensor | None, Tensor]]:
    """Of every factor that varies: what R² is taken of (n, k), within which groups (n,), and its classes (n,)."""
    column = dict(zip(Sprites.factors, batch.classes.T, strict=True))
    shape = column["shape"]
    turns = _turns(shape.device)[shape, column["orientation"]]
    found = {
        name: (column[name][:, None].double(), None, column[name]) for name in ("scale", "x", "y")
    }  # fmt: skip
    found["shape"] = nn.functional.one_hot(shape).double(), None, shape
    found["orientation"] = torch.stack([turns.cos(), turns.sin()], 1), shape, column["orientation"]
    if batch.hue is not None:
        angle = 2 * math.pi * batch.hue.double()
        found["hue"] = torch.stack([angle.cos(), angle.sin()], 1), None, (batch.hue * 10).long()
    elif batch.colours.shape[1] == 3:
        for name, f in zip(("red", "green", "blue"), batch.colours.T, strict=True):
            low = f.min()
            cut = ((f - low) / (f.max() - low) * 10).long().clamp_max(9)
            found[name] = f[:, None].double(), None, cut
    return found


def moments(images: Tensor) -> dict[str, Tensor]:
    """Of white or coloured sprites (n, 3, H, W): √area, centroid x and y, width against height, slant; (n, 1) each."""
    ink = (images.amax(1) > 0).double()
    area = ink.sum((1, 2))
    place = torch.arange(ink.shape[-1], dtype=torch.float64) + 0.5
    x, y = (ink.sum(1) * place).sum(1) / area, (ink.sum(2) * place).sum(1) / area
    dx, dy = place[None] - x[:, None], place[None] - y[:, None]
    xx, yy = (ink.sum(1) * dx**2).sum(1) / area, (ink.sum(2) * dy**2).sum(1) / area
    xy = torch.einsum("nij,ni,nj->n", ink, dy, dx) / area
    found = {"root area": area.sqrt(), "centroid x": x, "centroid y": y,
             "width": (xx - yy) / (xx + yy), "slant": 2 * xy / (xx + yy)}  # fmt: skip
    return {name: value[:, None] for name, value in found.items()}


# --------------------------------------------------------------------------------------------------------------- model


class StudyVAE(VAE):
    """The paper's VAE, for 32 × 32 pixels with one strided convolution less on either side."""

    def __init__(self, variant: Variant, generator: torch.Generator) -> None:
        # not of the variant's size at once: the first results were drawn from a generator that had made one of 64
        super().__init__(1 if variant.colours == "white" else 3, 10, generator=generator)
        if variant.size == 32:
            self.encoder.net = nn.Sequential(*self.encoder.net[:2], *self.encoder.net[4:])
            self.decoder.net = nn.Sequential(*self.decoder.net[:9], *self.decoder.net[11:])
        _initialise(self, variant.weights, generator)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.encoder.net(images).float().chunk(2, dim=1)
        return mean, log_std


class Halves:
    """A model on a card that computes in bf16. Its weights lie in one piece of memory, so do their copies in bf16 and
    their gradients: autocast takes a kernel for each weight and each gradient, this takes three."""

    def __init__(self, model: StudyVAE) -> None:
        self.model, parameters = model, dict(model.named_parameters())
        # each begins where a multiple of 64 numbers lies before it: libraries choose slow kernels, or none, elsewhere
        self.spaces = [-p.numel() % 64 for p in parameters.values()]
        self.weights = self._joined([p.data for p in parameters.values()])
        self.copies, self.gradients = self.weights.bfloat16(), torch.zeros_like(self.weights)
        self.leaves, at = {}, 0
        for (name, p), space in zip(parameters.items(), self.spaces, strict=True):
            part = slice(at, at + p.numel())
            data, gradient, leaf = (_like(whole[part], p) for whole in (self.weights, self.gradients, self.copies))
            p.data, p.grad, self.leaves[name] = data, gradient, leaf.requires_grad_()
            at = part.stop + space

    def copy(self) -> None:
        """Before a step: the copies are the weights."""
        self.copies.copy_(self.weights)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self._run("encoder.net", images).chunk(2, dim=1)
        return mean, log_std

    def decode(self, z: Tensor) -> Tensor:
        return self._run("decoder.net", z)

    def backward(self, loss: Tensor) -> None:
        found = torch.autograd.grad(loss, tuple(self.leaves.values()))
        self.gradients.copy_(self._joined(found))

    def _joined(self, each: Sequence[Tensor]) -> Tensor:
        zeros = each[0].new_zeros(64)
        pairs = zip(each, self.spaces, strict=True)
        return torch.cat([part for values, space in pairs for part in (_as_in_memory(values).flatten(), zeros[:space])])

    def _run(self, part: str, x: Tensor) -> Tensor:
        net = self.model.get_submodule(part)
        leaves = {name.removeprefix(f"{part}."): leaf for name, leaf in self.leaves.items() if name.startswith(part)}
        return torch.func.functional_call(net, leaves, x.bfloat16()).float()


def _as_in_memory(values: Tensor) -> Tensor:
    """Kernels lie with their channels last."""
    return values.movedim(1, -1) if values.dim() == 4 else values


def _like(piece: Tensor, p: Tensor) -> Tensor:
    return piece.view(_as_in_memory(p).shape).movedim(-1, 1) if p.dim() == 4 else piece.view(p.shape)


@torch.no_grad()
def _initialise(model: StudyVAE, weights: str, generator: torch.Generator) -> None:
    initialise(model, generator)
    if weights == "ours":
        model.encoder.net[-1].weight.mul_(0.1)
    if weights in ("ours", "he"):
        return
    for layer in model.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            fan_in, fan_out = layer.weight[:, 0].numel(), layer.weight[0].numel()
        elif isinstance(layer, (nn.Linear, nn.Conv2d)):
            fan_in, fan_out = layer.weight[0].numel(), layer.weight[:, 0].numel()
        else:
            continue
        if weights == "truncated":  # Sonnet 1: cut off at two standard deviations, zero biases
            std = 1 / math.sqrt(fan_in)
            nn.init.trunc_normal_(layer.weight, 0, std, -2 * std, 2 * std, generator=generator)
        elif weights == "glorot":
            bound = math.sqrt(6 / (fan_in + fan_out))
            layer.weight.uniform_(-bound, bound, generator=generator)
        elif weights == "pytorch":  # whose fan-in of a transposed convolution is that of its outputs
            bound = 1 / math.sqrt(layer.weight[0].numel())
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        else:
            raise ValueError(f"unknown weights {weights!r}")


def _first_beta(variant: Variant) -> float:
    return 100.0 * (variant.size / 64) ** 2


def multiplier(variant: Variant) -> LagrangianELBO:
    """β that holds the KL at C. With openings the course's own schedule, whose steps are the openings'."""
    if variant.openings:
        openings, corners = variant.openings if len(variant.openings) > 1 else (), PolylineSchedule(variant.corners)
        return LagrangianELBO(corners, 0.004, beta=_first_beta(variant), least=variant.least, openings=openings)
    beta = 1.0 if variant.taught else 50.0 * (variant.size / 64) ** 2
    least = 1.0 if variant.taught else math.exp(-3)
    return LagrangianELBO(LinearSchedule(variant.start, variant.end, 0, variant.ramp), beta=beta, least=least)


# nats of each latent of the taught code, 25 in all; an angle, symmetric within its shape, takes two
_TAUGHT = (4.0, 4.0, 3.2, 2.2, 2.2, 2.2, 2.4, 2.4, 2.4, 0.0)


def taught_code(batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean (n, 10) and log standard deviation (10,) of a code that holds every factor in latents of its own: x, y,
    scale, shape, two for the angle, red, green, blue, and one that says nothing."""
    _, shape, scale, orientation, x, y = batch.classes.T
    turns = _turns(shape.device)[shape, orientation]
    log_std, spread = _taught_noise(shape.device)

    def even(f: Tensor, classes: int) -> Tensor:  # mean 0, variance 1
        return (f - (classes - 1) / 2) / math.sqrt((classes**2 - 1) / 12)

    colours = (batch.colours - 0.5) * math.sqrt(12)
    parts = [even(x, 32), even(y, 32), even(scale, 6), even(shape, 3),
             math.sqrt(2) * turns.cos(), math.sqrt(2) * turns.sin(), *colours.T]  # fmt: skip
    return torch.stack([*parts, torch.zeros_like(colours[:, 0])], 1).float() * spread, log_std


@cache
def _taught_noise(place: torch.device) -> tuple[Tensor, Tensor]:
    """Log standard deviation of the taught code, and the spread of its means, (10,) each: at KL = k a latent whose
    variance is 1 in all has σ = e^−k, so its mean is shrunk a little."""
    log_std = -torch.tensor(_TAUGHT)
    return log_std.to(place), (1 - (2 * log_std).exp()).sqrt().to(place)


# ------------------------------------------------------------------------------------------------------------ training


def train(variant: Variant, seed: int, **settings: Any) -> dict[str, Any]:
    """Train one variant; returns the result as plain values. Arguments are those of `training`."""
    steps = training(variant, seed, **settings)
    with ieee():
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return finish(*end.value)


def training(
    variant: Variant, seed: int, device: str = "cpu", keep: Path | None = None, progress: bool = True,
    save_every: float = 60,
) -> Iterator[None]:  # fmt: skip
    """A training that goes on at each `next`: by a step, or on a GPU by `ON_CARD` steps, which are one CUDA graph; what
    changes from step to step changes there from graph to graph. It ends with the arguments of `finish`.

    Args:
        variant: what to train.
        seed: of weights, data and samples.
        device: where.
        keep: file of the state on the way, from which a training on a processor goes on if it is there.
        progress: print a line every thousand steps.
        save_every: seconds from one save to the next.
    """
    keep_buffers()
    place = torch.device(device)
    on_card = place.type == "cuda"
    precision = pick_precision("auto", place)
    generator = torch.Generator(place).manual_seed(seed)
    model = StudyVAE(variant, torch.Generator().manual_seed(seed)).to(place, memory_format=torch.channels_last)
    if not on_card:
        bias_apart(model)
    halves = Halves(model) if on_card and precision == "bf16" else None
    sprites = Sprites(variant.size)
    if variant.muon:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        kind = FastMuon if on_card else Muon
        optimizer: torch.optim.Optimizer = kind(model.parameters(), variant.lr, dtype=dtype)
    else:
        optimizer = torch.optim.Adam(
            model.parameters(), variant.lr, betas=(0.9, variant.beta2), eps=variant.eps, fused=True
        )
    control = multiplier(variant) if variant.objective == "multiplier" else None
    log_beta = (torch.zeros(()) if control is None else control.initial_state()).to(place)
    ramp = LinearSchedule(variant.start, variant.end, 0, variant.ramp)
    if variant.objective == "annealed":  # by how much log β has fallen
        ramp = LinearSchedule(0.0, math.log(_first_beta(variant) / variant.least), 0, variant.corners[-1][0])
    first, seconds, rows, dormant, looks = -variant.taught, 0.0, [], [], {}
    if keep is not None and keep.exists():
        state = torch.load(keep, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        log_beta = state["log_beta"].to(place)
        first, seconds = state["step"], state["seconds"]
        rows, dormant, looks = list(state["rows"]), state["dormant"], state["looks"]
    began = saved = time.perf_counter()
    block = torch.zeros(EVERY, 2 + model.decoder.latents, device=place)  # excess, β, KL per latent

    def made() -> dict[str, Any]:
        return {
            "command": f"python tools/study_figure4a.py run {variant.name} --seed {seed} --device {device}",
            "device": torch.cuda.get_device_name(place) if on_card else device, "precision": precision,
            "threads": torch.get_num_threads(), "seconds": round(seconds + time.perf_counter() - began),
            "versions": versions(),
        }  # fmt: skip

    def change(step: int) -> None:
        for group in optimizer.param_groups if variant.cooldown else ():
            if on_card:
                group["lr"].fill_(variant.rate(step))
            else:
                group["lr"] = variant.rate(step)
        if variant.reset and step > 0 and step % variant.reset == 0 and step <= variant.steps * (1 - variant.cooldown):
            reset_dormant(model, draw(sprites, variant.colours, 512, generator).images, generator)
        if control is not None and variant.loud and (fresh := control.opened(step)):
            open_latents(model, fresh, draw(sprites, variant.colours, 512, generator).images, generator)

    objective, goal, put = control, ramp, []
    if on_card:  # as graphs want it: numbers that change lie on the device
        goal = OnDevice(ramp if control is None else control.schedule, place)
        objective = control if control is None else dataclasses.replace(control, schedule=goal)
        put = [goal.put]
        for group in optimizer.param_groups if variant.cooldown else ():
            group["lr"] = torch.tensor(variant.lr, device=place)

    def take(step: int | Tensor, batch: Batch, taught: bool) -> Tensor:
        return _step(
            variant, halves or model, optimizer, objective, log_beta, goal, batch, generator, precision, step, taught
        )

    def recorded(taught: bool) -> Callable[[int], Tensor]:
        def several(step: int | Tensor) -> Tensor:
            batches = draw(sprites, variant.colours, ON_CARD * variant.batch, generator).split(variant.batch)
            return torch.stack([take(step, batch, taught) for batch in batches])

        return graphed(several, optimizer, generator, put, warm_up=1)

    at_once = ON_CARD if on_card else 1
    graph = recorded(taught=first < 0) if on_card else None
    for done in range(first, variant.steps, at_once):
        if variant.taught and done == 0:  # what is learnt from here on begins with fresh momenta
            optimizer = torch.optim.Adam(model.parameters(), variant.lr, fused=True)
            graph = recorded(taught=False) if on_card else None
        here = done % EVERY
        if graph is not None:
            change(done)
            block[here : here + at_once] = graph(done)
        else:  # the first results were drawn in this order, and count their steps from 1
            batch = draw(sprites, variant.colours, variant.batch, generator)
            change(done + 1)
            block[here] = take(done + 1, batch, taught=done < 0)
        yield
        step = done + at_once
        if variant.taught and step in (0, 1_000, 2_000, 5_000, 10_000):
            looks[str(step)] = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
        if step % EVERY:
            continue
        means = block.mean(0).cpu()
        if not torch.isfinite(means).all():
            raise FloatingPointError(f"{variant.name}: not finite at step {step}")
        rows.append(torch.cat([torch.tensor([float(step)]), means]))
        if step % 1000 == 0:
            fixed = draw(sprites, variant.colours, 256, torch.Generator(place).manual_seed(9))
            dormant.append([step, *_dormant(model, fixed)])
            if progress:
                row = rows[-1]
                kl_text = " ".join(f"{v:.1f}" for v in row[3:].sort(descending=True).values.tolist())
                print(f"{variant.name} {seed} {step:6} {seconds + time.perf_counter() - began:5.0f} s  "
                      f"excess {row[1]:6.1f}  KL {row[3:].sum():5.2f}: {kl_text}", flush=True)  # fmt: skip
        if keep is not None and not on_card and time.perf_counter() - saved > save_every:
            state = {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(), "generator": generator.get_state(),
                "log_beta": log_beta, "step": step, "seconds": seconds + time.perf_counter() - began,
                "rows": torch.stack(rows), "dormant": dormant, "looks": looks,
            }  # fmt: skip
            torch.save(state, keep.with_suffix(".tmp"))
            os.replace(keep.with_suffix(".tmp"), keep)
            saved = time.perf_counter()
    weights = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}
    return variant, seed, weights, torch.stack(rows), dormant, looks, made()


def finish(
    variant: Variant, seed: int, weights: dict[str, Tensor], history: Tensor, dormant: list[list[int]],
    looks: dict[str, dict[str, Tensor]], made: dict[str, Any], codes: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The result of a training that came to its end, as plain values; looks are the weights at steps on the way. If
    `codes` is given, that file gets the codes, and the result no DCI."""
    model = StudyVAE(variant, torch.Generator().manual_seed(seed)).to(memory_format=torch.channels_last)
    bias_apart(model)
    history = history[3::4] if len(history) > 3 else history  # a row for every thousand steps is enough

    def seen(weights: dict[str, Tensor], trees: Path | bool) -> dict[str, Any]:
        model.load_state_dict(weights)
        return measure(model, variant, trees=trees)

    result = {
        "name": variant.name,
        "seed": seed,
        "settings": {k: v for k, v in dataclasses.asdict(variant).items() if k != "name"},
        "made": made,
        "end": seen(weights, codes or True),
        "history": {
            "step": history[:, 0].int().tolist(),
            "excess": _rounded(history[:, 1], 2),
            "beta": _rounded(history[:, 2], 3),
            "kl": [_rounded(row, 3) for row in history[:, 3:]],
            "dormant": dormant,  # step, then dormant units of each layer with a ReLU, encoder and decoder
        },
    }
    return result | ({"looks": {step: seen(at, False) for step, at in looks.items()}} if looks else {})


def _step(
    variant: Variant, model: StudyVAE | Halves, optimizer: torch.optim.Optimizer, control: LagrangianELBO | None,
    log_beta: Tensor, ramp: Callable[[Any], Any], batch: Batch, generator: torch.Generator, precision: str,
    step: int | Tensor, taught: bool,
) -> Tensor:  # fmt: skip
    """One step of gradient descent; returns excess, β and the KL of each latent, (12,). Nothing waits for a device."""
    images, halves = batch.images, isinstance(model, Halves)
    if halves:
        model.copy()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16" and not halves):
        mean, log_std = model.encode(images)
        code, noise = taught_code(batch) if taught else (mean, log_std)
        z = gaussian.sample(code, noise.expand_as(code), generator)
        logits = model.decode(z)
    reconstruction = bernoulli_nll(logits, images).mean()
    kls = gaussian.kl_per_latent(mean, log_std)  # batch, latents
    kl = kls.mean(0)
    gamma = variant.gamma * (variant.size / 64) ** 2
    beta = torch.ones_like(reconstruction)
    if taught:  # the encoder is shown its code, the decoder learns from it
        loss = reconstruction + 100 * ((mean - code).square().sum(1) + (log_std - noise).square().sum(1)).mean()
    elif control is not None:
        loss = control(reconstruction, kl, step, log_beta)
        beta = (loss - reconstruction) / kl.sum()
    elif variant.objective == "annealed":
        beta = _first_beta(variant) * torch.as_tensor(-ramp(step), device=images.device).exp()
        loss = reconstruction + beta * kl.sum()
    elif variant.objective == "elbo":
        loss = reconstruction + kl.sum()
    elif variant.reading == "picture":
        loss = reconstruction + gamma * (kls.sum(1) - ramp(step)).abs().mean()
    else:
        loss = reconstruction + gamma * (kl.sum() - ramp(step)).abs()
    if variant.tc:
        loss = loss + variant.tc * kl_parts(z, mean, log_std)[1]
    if halves:
        model.backward(loss)
    else:
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
    if control is not None and not taught:
        control.update(kl.detach(), step, log_beta)
    return torch.hstack([reconstruction - batch.floor.mean(), beta, kl]).detach()


@torch.no_grad()
def _dormant(model: StudyVAE, batch: Batch) -> list[int]:
    """How many units of every ReLU are 0 for all of the images."""
    counts = []
    for net, signal in ((model.encoder.net, batch.images), (model.decoder.net, model.encode(batch.images)[0])):
        for layer in net:
            signal = layer(signal)
            if isinstance(layer, nn.ReLU):
                counts.append(int((~(signal > 0).transpose(0, 1).flatten(1).any(1)).sum()))
    return counts


@torch.no_grad()
def measure(model: StudyVAE, variant: Variant, points: int = 10_000, trees: Path | bool = True) -> dict[str, Any]:
    """How the latents stand to the factors, from the posterior means of fresh pictures; DCI too if its trees are wanted
    now, or, in a file, what they need."""
    generator = torch.Generator().manual_seed(0)
    sprites, parts, means, excess, kl = Sprites(variant.size), [], [], [], []
    for _ in range(points // 500):
        batch = draw(sprites, variant.colours, 500, generator)
        mean, log_std = model.encode(batch.images)
        logits = model.decode(gaussian.sample(mean, log_std, generator))
        excess.append(bernoulli_nll(logits, batch.images) - batch.floor)
        kl.append(gaussian.kl_per_latent(mean, log_std))
        means.append(mean)
        parts.append((targets(batch), moments(batch.images)))
    codes, excesses, kls = torch.cat(means), torch.cat(excess), torch.cat(kl).mean(0)

    def joined(name: str, which: int) -> Tensor | None:
        values = [own[name][which] for own, _ in parts]
        return None if values[0] is None else torch.cat(values)

    names = sorted(parts[0][0], key=[*FACTORS, "red", "green", "blue", "hue"].index)
    r2 = {name: metrics.explained(codes, joined(name, 0), joined(name, 1)) for name in names}
    shown = {name: metrics.explained(codes, torch.cat([m[name] for _, m in parts])) for name in parts[0][1]}
    classes = torch.stack([joined(name, 2) for name in names], 1)
    table = metrics.information(codes, classes)
    few = slice(points // 5)  # trees cost
    if isinstance(trees, Path):
        torch.save((codes[few].clone(), classes[few].byte()), trees)
    dci = metrics.dci(codes[few], classes[few]) if trees is True else ()
    kl_recorded = _rounded(kls, 3)  # so that what is counted follows from what the file holds
    r2_recorded = {name: _rounded(row, 3) for name, row in r2.items()}
    return {
        "excess": round(excesses.mean().item(), 2),
        "excess_error": round(excesses.std().item() / math.sqrt(len(excesses)), 2),
        "kl": kl_recorded,
        "active": sum(v > ACTIVE for v in kl_recorded),
        "own": own_latents(r2_recorded, kl_recorded),
        "mig": round(metrics.mig(codes, classes), 4),
        "dci": [round(value, 4) for value in dci],
        "r2": r2_recorded,
        "r2_moments": {name: _rounded(row, 3) for name, row in shown.items()},
        "information": dict(zip(names, [_rounded(row, 3) for row in table], strict=True)),
    }


def own_latents(r2: dict[str, list[float]], kl: list[float]) -> list[str]:
    """The factors that are in a latent of their own, of the active latents: R² ≥ 0.6 there, at most 0.2 in any other,
    and no other factor has more than 0.2 there. An angle, which is a circle, may share two latents that hold nothing
    else. Inactive latents do not count: their means may follow a factor by a thousandth."""
    active = torch.tensor(kl) > ACTIVE
    rows = {name: torch.tensor(row)[active] for name, row in r2.items()}
    found = []
    for name, row in rows.items() if active.any() else ():
        size = 2 if name in ("orientation", "hue") and row.max() < 0.6 else 1
        best = row.topk(min(size, len(row))).indices
        elsewhere = row.index_fill(0, best, 0.0).max()
        others = torch.stack([other[best].max() for key, other in rows.items() if key != name])
        if row[best].sum() >= 0.6 and elsewhere <= 0.2 and others.max() <= 0.2:
            found.append(name)
    return found


def _rounded(values: Tensor, digits: int) -> list[float]:
    return [round(value, digits) for value in values.tolist()]


# --------------------------------------------------------------------------------------------------------------- queue


def path_of(variant: Variant, seed: int) -> Path:
    """Where the result of a training is."""
    return RESULTS / f"{variant.name}-seed{seed}.json"


def run(variant: Variant, seed: int, device: str = "cpu") -> bool:
    """Train, unless it is done or another process is at it; returns whether it was trained."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    place = path_of(variant, seed)
    try:
        with FileLock(SCRATCH / f"{place.stem}.lock", timeout=0):
            if place.exists():
                return False
            keep = SCRATCH / f"{place.stem}.pt"
            write(train(variant, seed, keep=keep, device=device), place)
            keep.unlink(missing_ok=True)
            return True
    except Timeout:
        return False


def write(result: dict[str, Any], place: Path) -> None:
    """Write a result, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, separators=(",", ":")).replace(',"', ',\n"')
    place.with_suffix(".tmp").write_text(text + "\n", encoding="utf-8")
    os.replace(place.with_suffix(".tmp"), place)


def work_on_card(only: str, device: str, out: Path, seconds: float, together: int = 16) -> None:
    """Train what is missing on one GPU, so many at a time, a graph and a stream each, the longest first, else in the
    order of the plan. Results are written to a folder as they come. Ends after so many seconds, or when all are done;
    towards the end only those go on that will be done. What is known of the trained models is found out by other
    processes meanwhile."""
    todo = [job for job in plan() if re.search(only, job[0].name) and not path_of(*job).exists()]
    todo = [job for job in todo if not (out / path_of(*job).name).exists()]
    todo.sort(key=lambda job: -round(job[0].steps / 20_000))
    cuda = device.startswith("cuda")
    streams = [torch.cuda.Stream() if cuda else None for _ in range(together)]
    going: list[SimpleNamespace] = []
    began, work, measured = time.monotonic(), 0.0, []
    out.mkdir(parents=True, exist_ok=True)
    gc.freeze()  # each recording collects garbage
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool,
        ieee(),
    ):
        while (todo or going) and (passed := time.monotonic() - began) < seconds:
            can_be_done = (seconds - passed) * work / passed if passed > 30 else math.inf
            while todo and streams and sum(one.left * one.cost for one in going) < can_be_done:
                variant, seed = todo.pop(0)
                going.append(SimpleNamespace(
                    steps=training(variant, seed, device=device), stream=streams.pop(),
                    left=variant.steps + variant.taught, turns=max(1, round(variant.steps / 20_000)),
                    cost=variant.size / 32 * (1.4 if variant.muon else 1.0),  # of a step, about
                ))  # fmt: skip
            for rank, one in enumerate(sorted(going, key=lambda one: one.left * one.cost)):
                can_be_done -= one.left * one.cost
                if can_be_done < 0 < rank:
                    break
                try:
                    with torch.cuda.stream(one.stream):
                        for _ in range(one.turns):
                            next(one.steps)
                    advance = one.turns * (ON_CARD if cuda else 1)
                    one.left -= advance
                    work += advance * one.cost
                    continue
                except StopIteration as ended:
                    measured.append(pool.submit(_finish, out, ended.value))
                except FloatingPointError as error:
                    print(error, flush=True)
                going.remove(one)
                streams.append(one.stream)
        left = len(going) + len(todo)
        print(f"{len(measured)} trained in {time.monotonic() - began:.0f} s, {left} are left", flush=True)
    for one in measured:
        one.result()  # raises what went wrong there


def _finish(out: Path, trained: tuple) -> None:
    torch.set_num_threads(1)
    place, weights = out / path_of(*trained[:2]).name, trained[2]
    if trained[0].size == 64:
        torch.save({name: value.half() for name, value in weights.items()}, place.with_suffix(".weights"))
    write(finish(*trained, codes=place.with_suffix(".pt")), place)


def add_trees(codes: Path) -> None:
    """Put the DCI into the result beside these codes, which are no longer needed then."""
    torch.set_num_threads(1)
    place = codes.with_suffix(".json")
    result = json.loads(place.read_text(encoding="utf-8"))
    means, classes = torch.load(codes, weights_only=True)
    result["end"]["dci"] = [round(value, 4) for value in metrics.dci(means, classes.long())]
    write(result, place)
    codes.unlink()


def work(only: str) -> None:
    """Train what is missing, in the order of the plan."""
    for variant, seed in plan():
        if re.search(only, variant.name) and not path_of(variant, seed).exists():
            run(variant, seed)


def results() -> list[dict[str, Any]]:
    """All results there are, in the order of the plan."""
    return [json.loads(path_of(v, s).read_text(encoding="utf-8")) for v, s in plan() if path_of(v, s).exists()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    one = commands.add_parser("run")
    one.add_argument("name", choices=[variant.name for variant, _ in plan()], metavar="name")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--device", default="cpu")
    queue = commands.add_parser("queue")
    queue.add_argument("--workers", type=int, default=os.cpu_count())
    queue.add_argument("--only", default="", help="only variants whose name this regular expression finds")
    queue.add_argument("--gpu", action="store_true", help="many at a time on one card")
    queue.add_argument("--device", default="cuda", help="for --gpu")
    queue.add_argument("--out", type=Path, default=RESULTS, help="for --gpu: folder for the results")
    queue.add_argument("--seconds", type=float, default=360, help="for --gpu: when to end")
    trees = commands.add_parser("trees")
    trees.add_argument("folder", type=Path)
    commands.add_parser("table")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.command == "list":
        for variant, seed in plan():
            print(f"{'done' if path_of(variant, seed).exists() else '-':5}{variant.name} {seed}")
    elif given.command == "run":
        run(next(variant for variant, _ in plan() if variant.name == given.name), given.seed, given.device)
    elif given.command == "trees":
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(add_trees, sorted(given.folder.glob("*.pt"))))
    elif given.command == "queue" and given.gpu:
        work_on_card(given.only, given.device, given.out, given.seconds)
    elif given.command == "queue" and given.workers == 1:
        work(given.only)
    elif given.command == "queue":
        again = [sys.executable, __file__, "queue", "--workers", "1", "--only", given.only]
        others = [subprocess.Popen(again) for _ in range(given.workers)]
        sys.exit(max(other.wait() for other in others))
    else:
        for r in results():
            end = r["end"]
            kl = " ".join(f"{v:.1f}" for v in sorted(end["kl"], reverse=True) if v > ACTIVE)
            print(f"{r['name']:24} {r['seed']}  excess {end['excess']:6.1f}  MIG {end['mig']:.2f}  "
                  f"active {end['active']:2}  own {','.join(end['own']) or '-':28} KL {kl}")  # fmt: skip


if __name__ == "__main__":
    main()
