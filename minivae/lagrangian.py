"""β as a Lagrange multiplier that holds the KL at C. Taught in chapter 5."""

import itertools
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from minivae._arguments import check_count, check_positive, is_number
from minivae.objectives import LinearSchedule, PolylineSchedule, _check_schedule, check_corners

_MOST = math.exp(7)  # nats per nat; beyond, a KL that cannot reach C would carry β off to where it never comes back


@dataclass(frozen=True)
class LagrangianELBO:
    """Reconstruction + β·Σ KL with the β that makes Σ KL = C, found on the way by a controller of log β.

    At the optimum of this constraint β is the price of a nat, −d reconstruction/dC, and no more: unlike γ = 1000 it
    leaves the gradient that moves nats from one latent to another its weight (chapter 5). log β is the sum of an
    integral, which climbs while the KL is above C and falls below it, and of a part in proportion to what the KL is off
    just now: without that the two would chase each other round the target.

    Args:
        schedule: C over the training.
        gain: change of the integral per step and nat off the target, > 0; of the nats at most 1 counts.
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

    schedule: LinearSchedule | PolylineSchedule = field(default_factory=LinearSchedule)
    gain: float = 0.002
    damping: float = 2.0
    beta: float = 1.0
    least: float = math.exp(-3)
    openings: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_positive("gain", self.gain)
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
        log_beta.add_(self.gain * self._off(kl, step)).clamp_(math.log(self.least), math.log(_MOST))

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
