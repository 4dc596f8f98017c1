"""What is minimised, in nats: sums over pixels and latents, means over the batch. Taught in chapters 1, 4 and 5.

With any other reduction the paper's β, γ and C mean nothing. An objective gets the mean reconstruction term, the mean
KL of every latent and the step, and gives the loss. One that adapts itself has `initial_state()`, gets the state as a
further argument, and changes it in place in `update`.
"""

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import check_count, check_positive, is_number


def bernoulli_nll(logits: Tensor, images: Tensor) -> Tensor:
    """−log p(x|z) of each image under independent Bernoulli pixels, in nats: (B, …) → (B,).

    Grey targets in (0, 1) are allowed, as in the paper; the value then has the floor `bernoulli_floor`.

    Args:
        logits: (B, channels, H, W).
        images: the same shape, values in [0, 1]; not looked at here, where a look would make a GPU wait in every
            step: `check_range` does it.

    Raises:
        ValueError: if the shapes differ.

    Source: the first term of Eq. 5 with the decoder of appendix A.1.
    """
    if logits.shape != images.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and images {tuple(images.shape)} must have one shape")
    return F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)


def bernoulli_floor(images: Tensor) -> Tensor:
    """Σ H_b(x) of each image, in nats, (B, …) → (B,): what `bernoulli_nll` gives at a perfect reconstruction.

    Raises:
        ValueError: if a value lies outside [0, 1].

    Source: chapter 1.
    """
    check_range(images)
    return -(torch.xlogy(images, images) + torch.special.xlog1py(1 - images, -images)).flatten(1).sum(1)


def check_range(images: Tensor) -> None:
    """Raise ValueError unless every value of images lies in [0, 1], as a Bernoulli decoder needs."""
    if images.numel() == 0:
        raise ValueError(f"images must hold at least one value, got shape {tuple(images.shape)}")
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"images must lie in [0, 1] for a Bernoulli decoder, got values from {low:g} to {high:g}")


@dataclass(frozen=True)
class ELBO:
    """Negative evidence lower bound: reconstruction + Σ KL.

    Source: Eq. 3; Kingma and Welling 2014.
    """

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), the mean KL per latent (latents,) and the step."""
        return reconstruction + kl.sum()


@dataclass(frozen=True)
class BetaELBO:
    """Reconstruction + β·Σ KL.

    Args:
        beta: weight of the KL term, ≥ 0; 1 gives the ELBO.

    Raises:
        ValueError: if beta is negative or not finite.

    Source: Eq. 5; Higgins et al. 2017.
    """

    beta: float

    def __post_init__(self) -> None:
        if not is_number(self.beta) or self.beta < 0:
            raise ValueError(f"beta must be a finite number ≥ 0, got {self.beta!r}")

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), the mean KL per latent (latents,) and the step."""
        return reconstruction + self.beta * kl.sum()


@dataclass(frozen=True)
class LinearSchedule:
    """Capacity C in nats at a step: `start` up to step `first`, then a straight line to `end` at step `last`.

    Args:
        start, end: capacity in nats, ≥ 0.
        first, last: steps, 0 ≤ first < last.

    Raises:
        ValueError: if a capacity is negative or not finite, or the schedule ends before it starts.

    Source: appendix A.2.
    """

    start: float = 0.0
    end: float = 25.0
    first: int = 0
    last: int = 100_000

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise ValueError(f"{name} must be a finite capacity ≥ 0 in nats, got {value!r}")
        check_count("first", self.first, least=0)
        check_count("last", self.last)
        if self.last <= self.first:
            raise ValueError(f"the schedule ends at step {self.last}, before it starts at step {self.first}")

    def __call__(self, step: int | Tensor) -> float | Tensor:
        return self.start + (self.end - self.start) * _share(step, self.first, self.last)


@dataclass(frozen=True)
class PolylineSchedule:
    """Capacity C in nats at a step: straight lines from corner to corner, constant before the first and after the last.

    Args:
        corners: (step, nats), steps rising and ≥ 0, nats finite and ≥ 0; at least one.

    Raises:
        ValueError: if there is no corner, steps do not rise, or a value is out of range.

    Source: chapter 6.
    """

    corners: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        check_corners("corners", self.corners)
        bad = [nats for _, nats in self.corners if not is_number(nats) or nats < 0]
        if bad:
            raise ValueError(f"capacities must be finite and ≥ 0 in nats, got {bad[0]!r}")

    def __call__(self, step: int | Tensor) -> float | Tensor:
        capacity = self.corners[0][1]
        for (a, low), (b, high) in itertools.pairwise(self.corners):
            capacity = capacity + (high - low) * _share(step, a, b)
        return capacity


def check_corners(name: str, corners: object) -> None:
    """Raise ValueError unless corners is a tuple of pairs whose first numbers are steps that rise."""
    if not isinstance(corners, tuple) or not corners or not all(isinstance(c, tuple) and len(c) == 2 for c in corners):
        raise ValueError(f"{name} must be a tuple of pairs, a step and a value, at least one; got {corners!r}")
    for step, _ in corners:
        check_count(f"a step of {name}", step, least=0)
    if any(b <= a for (a, _), (b, _) in itertools.pairwise(corners)):
        raise ValueError(f"the steps of {name} must rise, got {[step for step, _ in corners]}")


@dataclass(frozen=True)
class CapacityELBO:
    """Reconstruction + γ·|Σ KL − C|: the paper's controlled capacity.

    Args:
        gamma: γ, nats of loss per nat off the target, ≥ 0; 1000 in the paper.
        schedule: C over the training.

    Raises:
        ValueError: if gamma is negative or not finite, or schedule is no schedule.

    Source: Eq. 7 and 8 with the KL averaged over the batch, as there; chapter 5.
    """

    gamma: float = 1000.0
    schedule: LinearSchedule | PolylineSchedule = LinearSchedule()

    def __post_init__(self) -> None:
        if not is_number(self.gamma) or self.gamma < 0:
            raise ValueError(f"gamma must be a finite number ≥ 0, got {self.gamma!r}")
        _check_schedule(self.schedule)

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), the mean KL per latent (latents,) and the step."""
        return reconstruction + self.gamma * (kl.sum() - self.schedule(step)).abs()


@dataclass(frozen=True)
class LagrangianELBO:
    """Reconstruction + β·Σ KL with the β that makes Σ KL = C, found on the way by a controller of log β.

    At the optimum of this constraint β is the price of a nat, −d reconstruction/dC, and no more: unlike γ = 1000 it
    leaves the gradient that moves nats from one latent to another its weight (chapter 5). log β is the sum of an
    integral, which climbs while the KL is above C and falls below it, and of a part in proportion to what the KL is off
    just now: without that the two would chase each other round the target.

    Args:
        schedule: C over the training.
        rate: change of the integral per step and nat off the target, > 0; of the nats at most 1 counts.
        damping: log β added per nat off the target, ≥ 0; of the nats at most 1 counts.
        beta: the β to begin with, in [least, e⁷], the range that β is kept in.
        least: the lowest β, in [e⁻³, e⁷]; what happens to β when C is out of reach.
        openings: (step, latents): from that step on so many latents are open, in the order of their numbers; the first
            at step 0, later ones with more. A closed latent pays e⁷ nats per nat, and those that open are woken with
            new weights (`models.wake`). None: all are open.

    Raises:
        ValueError: if rate is not positive, damping is negative, beta or least is out of range, schedule is no
            schedule, or openings do not begin at step 0 or do not rise.

    Source: dual ascent, e.g. Boyd et al. 2011, section 2.1; a VAE's rate held by an integral and a proportional part:
    Shao et al. 2020 (ControlVAE); chapter 5.
    """

    schedule: LinearSchedule | PolylineSchedule = LinearSchedule()
    rate: float = 0.002
    damping: float = 2.0
    beta: float = 1.0
    least: float = math.exp(-3)
    openings: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_positive("rate", self.rate)
        if not is_number(self.damping) or self.damping < 0:
            raise ValueError(f"damping must be a finite number ≥ 0, got {self.damping!r}")
        for name, low in (("least", math.exp(-3)), ("beta", self.least)):
            check_positive(name, getattr(self, name))
            if not low * (1 - 1e-9) <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} must lie in [{low:.3g}, e⁷], about {_MOST:.0f}, got {getattr(self, name)!r}")
        _check_schedule(self.schedule)
        if self.openings:
            check_corners("openings", self.openings)
            for _, latents in self.openings:
                check_count("latents of an opening", latents)
            rising = all(b > a for (_, a), (_, b) in itertools.pairwise(self.openings))
            if self.openings[0][0] != 0 or not rising:
                raise ValueError(f"openings must begin at step 0 and open more and more latents, got {self.openings}")

    def initial_state(self) -> Tensor:
        """The integral to begin with, log β, a scalar."""
        return torch.tensor(math.log(self.beta))

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor, log_beta: Tensor) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), mean KL per latent (latents,), the step and the integral."""
        off = self._off(kl.detach(), step)
        beta = (log_beta + self.damping * off).exp().clamp_min(self.least)
        is_open = self._open(kl, step)
        closed = torch.where(is_open, 0.0, kl).sum()
        return reconstruction + beta * torch.where(is_open, kl, 0.0).sum() + _MOST * closed

    def update(self, kl: Tensor, step: int | Tensor, log_beta: Tensor) -> None:
        """Move the integral, in place, by what the KL per latent (latents,) of this step asks for."""
        log_beta.add_(self.rate * self._off(kl, step)).clamp_(math.log(self.least), math.log(_MOST))

    def opened(self, step: int) -> range:
        """The latents that open at this step, to be woken; none at step 0, where all are new."""
        for (_, before), (at, latents) in itertools.pairwise(self.openings):
            if at == step:
                return range(before, latents)
        return range(0)

    def _off(self, kl: Tensor, step: int | Tensor) -> Tensor:
        return (torch.where(self._open(kl, step), kl, 0.0).sum() - self.schedule(step)).clamp(-1, 1)

    def _open(self, kl: Tensor, step: int | Tensor) -> Tensor:
        """Which latents are open at a step, (latents,)."""
        latents = torch.arange(len(kl), device=kl.device)
        if not self.openings:
            return latents >= 0
        count = self.openings[0][1]
        for (_, before), (at, after) in itertools.pairwise(self.openings):
            count = count + (after - before) * (step >= at)
        return latents < count


def initial_state(objective: object) -> Tensor | None:
    """The state with which an objective begins that adapts itself; None for one that does not.

    Raises:
        ValueError: if the state is no float32 or float64 tensor without gradient, or the objective has no `update`.
    """
    begin = getattr(objective, "initial_state", None)
    if begin is None:
        return None
    state = begin()
    plain = isinstance(state, Tensor) and state.dtype in (torch.float32, torch.float64) and not state.requires_grad
    if not plain or not callable(getattr(objective, "update", None)):
        raise ValueError(
            "an objective that adapts itself needs initial_state(), a float32 or float64 tensor without gradient, and "
            f"update(kl, step, state), which changes it in place; got the state {state!r}"
        )
    return state


_MOST = math.exp(7)  # nats per nat; beyond, a KL that cannot reach C would carry β off to where it never comes back


def _share(step: int | Tensor, first: int, last: int) -> float | Tensor:
    """How much of the way from the first step to the last is done, in [0, 1]."""
    share = (step - first) / (last - first)
    return share.clamp(0, 1) if isinstance(share, Tensor) else min(1.0, max(0.0, share))


def _check_schedule(schedule: LinearSchedule) -> None:
    if isinstance(schedule, type) or not callable(schedule):
        raise ValueError(f"schedule must give C at a step, such as LinearSchedule(0, 25), got {schedule!r}")
