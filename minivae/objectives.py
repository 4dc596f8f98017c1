"""What is minimised, in nats: sums over pixels and latents, means over the batch. Taught in chapters 1, 4 and 5.

With any other reduction the paper's β, γ and C mean nothing. An objective is called with the reconstruction term (mean
−log p(x|z), a scalar), the mean KL of every latent (latents,) and the number of the step, and returns the loss. One
that adapts itself has `initial_state()`, gets the state as a further argument, and changes it in place in `update`.
"""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import check_count, check_positive


def bernoulli_nll(logits: Tensor, images: Tensor) -> Tensor:
    """−log p(x|z) of each image under independent Bernoulli pixels, in nats, (B, …) → (B,).

    Grey targets in (0, 1) are allowed, as in the paper; the value then has the floor `bernoulli_floor`. That images lie
    in [0, 1] is not checked here, because that would delay a GPU in every step. Raises ValueError if the shapes differ.
    Source: the first term of Eq. 5 with the decoder of appendix A.1.
    """
    if logits.shape != images.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and images {tuple(images.shape)} must have one shape")
    return F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)


def bernoulli_floor(images: Tensor) -> Tensor:
    """Σ H_b(x) of each image in nats, (B, …) → (B,): its least `bernoulli_nll`; ValueError outside [0, 1]."""
    check_range(images)
    return -(torch.xlogy(images, images) + torch.special.xlog1py(1 - images, -images)).flatten(1).sum(1)


def check_range(images: Tensor) -> None:
    """Raise ValueError unless every value of images lies in [0, 1], as a Bernoulli decoder needs."""
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"images must lie in [0, 1] for a Bernoulli decoder, got values from {low:g} to {high:g}")


@dataclass(frozen=True)
class ELBO:
    """Negative evidence lower bound: reconstruction + Σ KL. Source: Eq. 3; Kingma and Welling 2014."""

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        return reconstruction + kl.sum()


@dataclass(frozen=True)
class BetaELBO:
    """Reconstruction + β·Σ KL with a finite β ≥ 0, else ValueError; 1: the ELBO. Source: Eq. 5; Higgins et al. 2017."""

    beta: float

    def __post_init__(self) -> None:
        check_positive("beta", self.beta, or_zero=True)

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        return reconstruction + self.beta * kl.sum()


@dataclass(frozen=True)
class LinearSchedule:
    """Capacity C in nats at a step: `start` up to step `first`, then a straight line to `end` at step `last`.

    Raises ValueError unless the capacities, in nats, are finite and ≥ 0, and 0 ≤ first < last. Source: appendix A.2.
    """

    start: float = 0.0
    end: float = 25.0
    first: int = 0
    last: int = 100_000

    def __post_init__(self) -> None:
        check_positive("start", self.start, or_zero=True)
        check_positive("end", self.end, or_zero=True)
        check_count("first", self.first, least=0)
        check_count("last", self.last)
        if self.last <= self.first:
            raise ValueError(f"the schedule ends at step {self.last}, before it starts at step {self.first}")

    def __call__(self, step: int | Tensor) -> float | Tensor:
        return self.start + (self.end - self.start) * _share(step, self.first, self.last)


@dataclass(frozen=True)
class PolylineSchedule:
    """Capacity C in nats at a step: straight lines from corner to corner, constant before the first and after the last.

    A corner is (step, nats): at least one, rising steps ≥ 0, and finite nats ≥ 0, else ValueError. Source: chapter 10.
    """

    corners: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        check_corners("corners", self.corners)
        for _, nats in self.corners:
            check_positive("the capacity of corners", nats, or_zero=True)

    def __call__(self, step: int | Tensor) -> float | Tensor:
        capacity = self.corners[0][1]
        for (a, low), (b, high) in itertools.pairwise(self.corners):
            capacity = capacity + (high - low) * _share(step, a, b)
        return capacity


@dataclass(frozen=True)
class CapacityELBO:
    """Reconstruction + γ·|Σ KL − C|: the paper's controlled capacity.

    γ is finite and ≥ 0, in nats of loss per nat off the target, and the schedule gives C at a step, else ValueError.
    Source: Eq. 7 and 8 with the KL averaged over the batch, as there; chapter 5.
    """

    gamma: float = 1000.0
    schedule: LinearSchedule | PolylineSchedule = LinearSchedule()

    def __post_init__(self) -> None:
        check_positive("gamma", self.gamma, or_zero=True)
        check_schedule(self.schedule)

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        return reconstruction + self.gamma * (kl.sum() - self.schedule(step)).abs()


def check_corners(name: str, corners: object) -> None:
    """Raise ValueError unless corners is a tuple of pairs whose first numbers are steps that rise."""
    if not isinstance(corners, tuple) or not corners or not all(isinstance(c, tuple) and len(c) == 2 for c in corners):
        raise ValueError(f"{name} must be a tuple of pairs, a step and a value, at least one; got {corners!r}")
    for step, _ in corners:
        check_count(f"a step of {name}", step, least=0)
    if any(b <= a for (a, _), (b, _) in itertools.pairwise(corners)):
        raise ValueError(f"the steps of {name} must rise, got {[step for step, _ in corners]}")


def check_schedule(schedule: object) -> None:
    """Raise ValueError unless schedule is an object to call with a step."""
    if isinstance(schedule, type) or not callable(schedule):
        raise ValueError(f"schedule must give C at a step, such as LinearSchedule(0, 25), got {schedule!r}")


def _share(step: int | Tensor, first: int, last: int) -> float | Tensor:
    """How much of the way from the first step to the last is done, in [0, 1]."""
    share = (step - first) / (last - first)
    return share.clamp(0, 1) if isinstance(share, Tensor) else min(1.0, max(0.0, share))
