"""β as a Lagrange multiplier that holds the KL at C. Taught in chapter 8."""

import itertools
import math
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from minivae._arguments import check_count, check_positive
from minivae.objectives import LinearSchedule, PolylineSchedule, check_corners, check_schedule

_MOST = math.exp(7)  # nats per nat; β would grow without bound while the KL cannot be brought down to C


@dataclass(frozen=True)
class LagrangianELBO:
    """Reconstruction + β·Σ KL with the β that makes Σ KL = C, found during training by a controller of log β.

    At the optimum of this constraint β is the price of a nat, −d reconstruction/dC. Unlike γ = 1000 it does not drown
    the gradient that moves nats from one latent to another (chapter 8). log β is the sum of two parts: an integral,
    which rises while the KL is above C and falls while it is below, and a part in proportion to the present error
    Σ KL − C, without which KL and β would oscillate about the target. The error is clipped to ±1 nat.

    Args:
        schedule: C over the training.
        gain, damping: change of the integral per step and nat of error, > 0, and log β added per nat of error, ≥ 0.
        beta, least: the initial and the lowest β, e⁻³ ≤ least ≤ beta ≤ e⁷; it falls to least while C is out of reach.
        openings: (step, latents): from that step on so many latents are open, in the order of their numbers; the first
            at step 0, later ones with more. A closed latent pays e⁷ nats per nat; one that opens is re-initialised
            (`growing.open_latents`). Empty: all are open.

    Raises ValueError if a setting is out of range. Source: dual ascent, e.g. Boyd et al. 2011, section 2.1; a VAE's
    rate held by an integral and a proportional part: Shao et al. 2020 (ControlVAE); chapter 8.
    """

    schedule: LinearSchedule | PolylineSchedule = field(default_factory=LinearSchedule)
    gain: float = 0.002
    damping: float = 2.0
    beta: float = 1.0
    least: float = math.exp(-3)
    openings: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_positive("gain", self.gain)
        check_positive("damping", self.damping, or_zero=True)
        for name, low in (("least", math.exp(-3)), ("beta", self.least)):
            check_positive(name, getattr(self, name))
            if not low * (1 - 1e-9) <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} must lie in [{low:.3g}, e⁷], about {_MOST:.0f}, got {getattr(self, name)!r}")
        check_schedule(self.schedule)
        if self.openings:
            check_corners("openings", self.openings)
            for _, latents in self.openings:
                check_count("latents of an opening", latents)
            if self.openings[0][0] != 0 or any(b <= a for (_, a), (_, b) in itertools.pairwise(self.openings)):
                raise ValueError(f"openings must begin at step 0 and open more and more latents, got {self.openings}")

    def initial_state(self) -> Tensor:
        """The initial integral, log β, a scalar."""
        return torch.tensor(math.log(self.beta))

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int | Tensor, log_beta: Tensor) -> Tensor:
        """Loss in nats; the first three arguments are those of every objective, log_beta is the integral."""
        is_open = self._open(kl, step)
        rate, closed = (kl * is_open).sum(), (kl * ~is_open).sum()
        beta = (log_beta + self.damping * self._off(rate.detach(), step)).exp().clamp_min(self.least)
        return reconstruction + beta * rate + _MOST * closed

    def update(self, kl: Tensor, step: int | Tensor, log_beta: Tensor) -> None:
        """Move the integral, in place, by the gain times the error of this step's KLs (latents,)."""
        off = self._off((kl * self._open(kl, step)).sum(), step)
        log_beta.add_(self.gain * off).clamp_(math.log(self.least), math.log(_MOST))

    def opened(self, step: int) -> range:
        """The latents that open at this step, to be re-initialised; none at step 0, where all are new."""
        pairs = itertools.pairwise(self.openings)
        return next((range(before, latents) for (_, before), (at, latents) in pairs if at == step), range(0))

    def _off(self, rate: Tensor, step: int | Tensor) -> Tensor:
        """The error Σ KL − C of the open latents' rate, clipped to ±1 nat."""
        return (rate - self.schedule(step)).clamp(-1, 1)

    def _open(self, kl: Tensor, step: int | Tensor) -> Tensor:
        """Which latents are open at a step, (latents,)."""
        return step >= _first_steps(self.openings, len(kl), kl.device)


@cache
def _first_steps(openings: tuple[tuple[int, int], ...], latents: int, device: torch.device) -> Tensor:
    """The step at which each latent opens, (latents,): ∞ if it never does, 0 of all if there are no openings."""
    openings = openings or ((0, latents),)
    steps = [next((float(step) for step, count in openings if i < count), math.inf) for i in range(latents)]
    return torch.tensor(steps, device=device)
