"""Checks of chapter 2, the channel."""

import math

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, cases


def _kl(mean: Tensor, std: Tensor) -> Tensor:
    return 0.5 * (mean**2 + std**2 - 1) - std.log()


def _mean_fee(snr: float, mean: float, variance: float) -> float:
    return 0.5 * math.log((1 + snr * (1 + mean**2 / variance)) / (1 + snr))


def _fixed_price(variances: Tensor, level: float, degrees: float) -> Tensor:
    (a, b), t = variances / level, math.radians(degrees)
    return 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * t) ** 2 / (4 * a * b))


def _price(variances: Tensor, level: float, degrees: float) -> Tensor:
    """Extra loss/β of diag(g₁, g₂)·R(θ) with the best gains; p = 1 + g²/η are the precisions along the components."""
    a, t = variances.double() / level, math.radians(degrees)
    turn = torch.tensor([[math.cos(t), math.sin(t)], [math.sin(t), math.cos(t)]], dtype=torch.float64) ** 2
    p = a.clone()
    for _ in range(500):  # where the derivative of ½ Σ (a/p + log(turn·p)) vanishes
        p = (a / (turn.T @ (1 / (turn @ p)))).sqrt().clamp(min=1)
    return 0.5 * ((a / p).sum() + (turn @ p).log().sum() - 2 - a.log().sum())


CHECKS = {
    "2.1": Asks(_kl, cases(([0.0, 1.5, -2.0, 0.3], [1.0, 0.2, 1.0, 3.0])), unit="nats",
        hint="section 1 has it in μ and σ; it is 0 at μ = 0, σ = 1 and nowhere else", slips={
            "the logarithm has the wrong sign": lambda m, s: _kl(m, s) + 2 * s.log(),
            "the −1 is missing: it is 0 at μ = 0, σ = 1": lambda m, s: _kl(m, s) + 0.5,
            "the logarithm has no ½ of its own": lambda m, s: _kl(m, s) + 0.5 * s.log(),
            "the logarithm is doubled": lambda m, s: _kl(m, s) - s.log()}),
    "2.2": Asks(1.0, unit="bits", hint="Shannon's formula (section 3), with a logarithm to base 2",
        slips={"the 1 of 1 + SNR is missing": 0.5 * math.log2(3)}),
    "2.3": Asks(lambda variances, k: 0.5 * (variances[:k] / variances[k]).log().sum(),
        cases(*(([9.0, 5.0, 5.0, 2.0, 0.7], k) for k in (2, 4, 3, 1))), unit="nats",
        hint="when the water level has come down to component k, what do the earlier ones carry (section 6)?", slips={
            "every earlier component carries something, not the first alone": lambda v, k: 0.5 * (v[0] / v[k]).log(),
            "compare with component k, not with the one before": lambda v, k: 0.5 * (v[:k] / v[k - 1]).log().sum()}),
    "2.4": Asks(_mean_fee(2, 0.75, 1 / 48), unit="nats",
        hint="section 3's formula, less the same with m = 0: which m and v has the interval?", slips={
            "the interval is half as long as [0, 1]: its variance is smaller": _mean_fee(2, 0.75, 1 / 12),
            "that is the whole KL, not what the mean adds": 0.5 * math.log(1 + 2 * 28),
            "the mean is that of [0.5, 1]": _mean_fee(2, 0.5, 1 / 48),
            "that is the fee of a high rate; at SNR 2 it is not reached": 0.5 * math.log(28),
            "the standard deviation stands where the variance should": _mean_fee(2, 0.75, 1 / math.sqrt(48))}),
    "2.5": Asks(
        _price, cases(([8.0, 1.0], 0.5, 45.0), ([8.0, 4.0], 0.5, 15.0), ([3.0, 1.0], 0.2, 30.0)), "nats", within=0.01,
        hint="the least loss/β of diag(g)·R over both gains, less that of the unturned decoder: an optimiser finds g",
        slips={
            "these are the gains of the unturned decoder: let them readjust to the angle": _fixed_price,
            "let the gains readjust; and the angle is in degrees": lambda v, n, t: _fixed_price(v, n, math.degrees(t)),
            "take off the loss at angle 0": lambda v, n, t: _price(v, n, t) + 1 + 0.5 * (v / n).log().sum()}),
}  # fmt: skip
