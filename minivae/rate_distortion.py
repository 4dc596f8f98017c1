"""The least distortion at each capacity, and the split over the factors that reaches it. Taught in chapter 5."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_count, check_positive
from minivae.ideal_decoder import Channels, distortion, sobol

LEAST = 0.02  # nats; below, a factor counts as not sent


@dataclass(frozen=True)
class RateDistortion:
    """The least distortion at each capacity, and the split of the capacity over the factors that reaches it."""

    factors: tuple[str, ...]
    capacities: Tensor  # nats in all, (n,), rising
    rates: Tensor  # nats of each factor, (n, factors)
    distortions: Tensor  # mean −log p(x|z) in nats, (n,)
    errors: Tensor  # standard errors of the distortions, in nats, (n,)
    prices: Tensor  # effective β, −d distortion/d capacity, (n,); NaN where nothing is sent
    provenance: dict[str, Any] = field(default_factory=dict)  # how it was made

    def at(self, rate: float | Tensor) -> tuple[Tensor, Tensor]:
        """Rates (…, factors) and distortion (…) at a total rate in nats, interpolated between the capacities;
        ValueError if the rate lies outside of them, or they are fewer than two or do not rise."""
        if len(self.capacities) < 2 or not (self.capacities.diff() > 0).all():
            raise ValueError("interpolation needs at least two capacities that rise")
        rate = torch.as_tensor(rate, dtype=torch.float64)
        low, high = self.capacities[0].item(), self.capacities[-1].item()
        if not ((rate >= low - 1e-9) & (rate <= high + 1e-9)).all():
            raise ValueError(f"the curve holds for rates from {low:g} to {high:g} nats, got {rate.tolist()}")
        columns = (np.interp(rate, self.capacities, column) for column in (*self.rates.T, self.distortions))
        *rates, distortion = map(torch.as_tensor, columns)
        return torch.stack(rates, dim=-1), distortion

    def onset(self, factor: str, least: float = 0.1) -> float:
        """Capacity from which on a factor has at least `least` nats, interpolated; infinite if it never has."""
        if factor not in self.factors:
            raise ValueError(f"no factor {factor!r}: there are {', '.join(self.factors)}")
        rates = self.rates[:, self.factors.index(factor)]
        below = (rates < least).nonzero()
        first = int(below[-1]) + 1 if len(below) else 0
        around = slice(max(0, first - 1), first + 1)  # the last alone if it is below: nothing to its right
        return float(np.interp(least, rates[around], self.capacities[around], right=math.inf))


def rate_distortion(
    channels: Channels, capacities: Sequence[float], *, samples: int = 1024, seed: int = 0,
    progress: Callable[[str], Any] = lambda text: None,
) -> RateDistortion:  # fmt: skip
    """Find for each capacity the split over the factors with the least distortion of the optimal decoder.

    Descent alone gets stuck where a factor has no share, because a little of it may not help, and shape and orientation
    help only together. So every set of factors is tried, with finite shares for those that had none. The best four are
    improved by sequential quadratic programming, on the same pictures and noise. A second pass, downwards, starts at
    each capacity from the split above it. No split is proven the best, and at distortion 0 any is as good.

    Args:
        channels: what is sent.
        capacities: total rates in nats, rising, from 0 to as many as the factors can carry; below 0.02 nothing is sent.
        samples, seed: pictures and noise for the search; eight times as many others measure the distortion.
        progress: called with a line of text after each capacity.

    Raises ValueError if a capacity is out of range or they do not rise. Source: chapter 5.
    """
    check_count("samples", samples)
    check_count("seed", seed, least=0)
    capacities = capacities.tolist() if isinstance(capacities, Tensor) else list(capacities)
    for capacity in capacities:
        check_positive("a capacity", capacity, or_zero=True)
    if not capacities or any(b <= a for a, b in itertools.pairwise(capacities)):
        raise ValueError(f"capacities must rise and be at least one, got {capacities}")
    most = channels.most * len(channels.factors)
    if capacities[-1] > most:
        raise ValueError(f"these channels carry at most {most:g} nats, got a capacity of {capacities[-1]:g}")
    points, *fresh = (sobol(channels, samples, 9 * seed + i) for i in range(9))  # no two seeds share a picture

    splits = [_Split(math.inf, torch.zeros(len(channels.factors), dtype=torch.float64))]
    for capacity in capacities:
        splits.append(_best_split(channels, capacity, splits[-1].rates, points))
        progress(f"C = {capacity:g}, up: {_said(channels, splits[-1])}")
    for i in reversed(range(1, len(capacities))):
        above = splits[i + 1].rates
        if capacities[i - 1] < LEAST or not (above > 0).any():
            continue
        start = above * capacities[i - 1] / capacities[i]
        splits[i] = min(splits[i], _descend(channels, start * (start >= LEAST), capacities[i - 1], points))
        progress(f"C = {capacities[i - 1]:g}, down: {_said(channels, splits[i])}")

    rates = torch.stack([split.rates for split in splits[1:]])
    with torch.no_grad():
        means = torch.stack([torch.stack([distortion(channels, r, p).mean() for p in fresh]) for r in rates]).double()
    return RateDistortion(
        factors=channels.factors,
        capacities=torch.tensor(capacities, dtype=torch.float64),
        rates=rates,
        distortions=means.mean(1),
        errors=means.std(1) / math.sqrt(len(fresh)),
        prices=torch.tensor([split.price for split in splits[1:]], dtype=torch.float64),
    )


@dataclass(frozen=True, order=True)
class _Split:
    """A split on the search's own pictures: its distortion, the rates (factors,), and the price of a nat there."""

    distortion: float
    rates: Tensor = field(compare=False)
    price: float = field(compare=False, default=math.nan)


def _said(channels: Channels, split: _Split) -> str:
    shares = zip(channels.factors, split.rates.tolist(), strict=True)
    return ", ".join(f"{name} {rate:.2f}" for name, rate in shares) + f"; distortion {split.distortion:.1f}"


def _best_split(channels: Channels, capacity: float, before: Tensor, points: Tensor) -> _Split:
    """The best split found; `before` is that of a smaller capacity."""
    if capacity < LEAST:
        return _Split(distortion(channels, 0 * before, points).mean().item(), 0 * before)
    with torch.no_grad():
        best = [
            min(_Split(distortion(channels, rates, points).mean().item(), rates) for rates in group)
            for group in _trials(capacity, before.clamp_max(channels.most), channels.most)
        ]
    return min(_descend(channels, split.rates, capacity, points) for split in sorted(best)[:4])


def _trials(capacity: float, before: Tensor, most: float) -> list[list[Tensor]]:
    """Initial splits for every set of factors: equal shares, and the split before with finite new shares."""
    n, trials = len(before), []
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            on = torch.zeros(n, dtype=torch.float64).index_fill(0, torch.tensor(chosen), 1.0)
            # a factor that had only a trace is new too: it may be on the wrong side of a ridge
            old, new = on * (before >= 0.3), on * (before < 0.3)
            group = [on * capacity / size]
            if old.any():
                for share in (0.5, 1.0, 2.0, 3.0) if new.any() else (0.0,):
                    left = capacity - share * new.sum() - (old * before).sum()
                    group.append(share * new + old * (before + left / old.sum()))
            trials.append([s for s in group if (s[on > 0] >= LEAST).all() and (s <= most).all()])
    return [group for group in trials if group]


def _descend(channels: Channels, start: Tensor, capacity: float, points: Tensor) -> _Split:
    """Improve a split of the capacity among the factors that have a share."""
    from scipy.optimize import minimize  # a quarter of a second that only a search should take

    on = start > 0

    def cost(shares: Any) -> tuple[float, Any]:
        rates = torch.zeros_like(start).masked_scatter(on, torch.as_tensor(shares)).requires_grad_()
        loss = distortion(channels, rates, points).mean()
        (gradient,) = torch.autograd.grad(loss, rates)
        return loss.item(), gradient[on].numpy()

    shares = start[on] * capacity / start[on].sum()
    result = minimize(
        cost, shares.clamp(LEAST, channels.most).numpy(), jac=True, method="SLSQP",
        bounds=[(LEAST, min(capacity, channels.most))] * len(shares),
        constraints={"type": "eq", "fun": lambda x: x.sum() - capacity, "jac": lambda x: x * 0 + 1},
        options={"ftol": 1e-3, "maxiter": 40},
    )  # fmt: skip
    rates = torch.zeros_like(start).masked_scatter(on, torch.as_tensor(result.x))
    inside = result.x > 1.01 * LEAST
    if inside.any() and not inside.all():  # a factor at the least share gets none
        return _descend(channels, rates * (rates > 1.01 * LEAST), capacity, points)
    loss, gradient = cost(result.x)
    return _Split(loss, rates, -gradient.mean())
