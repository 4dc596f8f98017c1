"""Checks of chapter 7, why these axes."""

import math
from typing import Any

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, NotYet, call, cases, numbers


def _misfit(covariance: Tensor) -> Tensor:
    precision = torch.linalg.inv(covariance)
    return 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))


def _fixed_price(variances: Tensor, level: float, degrees: float) -> Tensor:
    (a, b), t = variances / level, math.radians(degrees)
    return 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * t) ** 2 / (4 * a * b))


def _price(variances: Tensor, level: float, degrees: float) -> Tensor:
    """Extra loss/β of diag(g₁, g₂)·R(ω) with the best gains; p = 1 + g²/η are the precisions along the components."""
    a, t = variances.double() / level, math.radians(degrees)
    turn = torch.tensor([[math.cos(t), math.sin(t)], [math.sin(t), math.cos(t)]], dtype=torch.float64) ** 2
    p = a.clone()
    for _ in range(500):  # where the derivative of ½ Σ (a/p + log(turn·p)) vanishes
        p = (a / (turn.T @ (1 / (turn @ p)))).sqrt().clamp(min=1)
    return 0.5 * ((a / p).sum() + (turn @ p).log().sum() - 2 - a.log().sum())


def _axis_angle(answer: Any) -> None:
    u, v = torch.rand(2, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positions = torch.stack([u + 0.8 * v, v], dim=1) * 40  # x and y are correlated here
    angles = torch.tensor([0.0, 30.0, -60.0, 90.0, 150.0, -120.0, 200.0], dtype=torch.float64)
    means = [positions @ torch.stack([t.cos(), t.sin()]) + 5 for t in torch.deg2rad(angles)]
    got = torch.stack([numbers(call(answer, "positions, means", positions, m)) for m in means])

    def off(wanted: Tensor) -> Tensor:  # a line has no sign, and so neither has the verdict
        return ((got - wanted + 90) % 180 - 90).abs().max()

    covered = torch.stack([torch.corrcoef(torch.cat([positions.T, m[None]]))[2, :2] for m in means])
    for problem, wanted in (
        ("x and y are swapped", 90 - angles),
        ("the sign is wrong: is y counted downwards?", -angles),
        ("x and y are correlated here: fit both slopes at once", torch.rad2deg(torch.atan2(*covered.flip(1).T))),
    ):
        if off(angles) > 0.5 > off(wanted):
            raise NotYet(problem)
    if (got.abs() <= math.pi + 1e-6).all():
        raise NotYet("these are radians; degrees are asked for")
    if off(angles) > 0.5:
        raise NotYet("fit f = a·x + b·y + c by least squares; the direction is that of (a, b)")
    if not (got.abs() < 90.01).all():
        raise NotYet("a line has no sign: fold the angle into (−90, 90]")


CHECKS = {
    "7.1": Asks(0.5 * math.log(1 + 100 / 96), unit="nats",
        hint="the boxed formula of section 2, with t₁ = 12, t₂ = 2 and sin² 90° = 1", slips={
            "that is the price with the gains readjusted": math.log((14 + 2 * math.sqrt(24)) / (4 * math.sqrt(24))),
            "the difference has to be squared": 0.5 * math.log(1 + 10 / 96),
            "the 1 inside of the logarithm is missing": 0.5 * math.log(100 / 96),
            "the 4 in the denominator is missing": 0.5 * math.log(1 + 100 / 24),
            "these are variances already: do not square them": 0.5 * math.log(1 + 140**2 / (4 * 24**2))}),
    "7.2": Asks(_misfit, cases(([[0.5, 0.2], [0.2, 0.3]],), ([[1.0, -0.6, 0.1], [-0.6, 0.9, 0.2], [0.1, 0.2, 0.4]],)),
        unit="nats", hint="½ log of the product of Λ's diagonal over its determinant; Λ is the inverse",
        slips={
            "that treats the covariance as if it were the precision: invert it first": lambda c: _misfit(c.inverse()),
            "the best σ² is 1/Λᵢᵢ: that is the price of σ² as large as the variances":
                lambda c: 0.5 * ((c.inverse().diagonal() * c.diagonal()).sum() - len(c)
                                 - c.diagonal().log().sum() + c.logdet()),
            "the determinant is missing": lambda c: 0.5 * c.inverse().diagonal().log().sum(),
            "the determinant of the precision is one over that of the covariance":
                lambda c: 0.5 * (c.inverse().diagonal().log().sum() - c.logdet())}),
    "7.3": _axis_angle,
    "7.4": Asks(
        _price, cases(([8.0, 1.0], 0.5, 45.0), ([8.0, 4.0], 0.5, 15.0), ([3.0, 1.0], 0.2, 30.0)), "nats", within=0.01,
        hint="the least loss/β of diag(g)·R over both gains, less that of the unturned decoder: an optimiser finds g",
        slips={
            "these are the gains of the unturned decoder: let them readjust to the angle": _fixed_price,
            "let the gains readjust; and the angle is in degrees": lambda v, n, t: _fixed_price(v, n, math.degrees(t)),
            "take off the loss at angle 0": lambda v, n, t: _price(v, n, t) + 1 + 0.5 * (v / n).log().sum()}),
}  # fmt: skip
