"""Checks of chapter 4, blob position."""

import math
from typing import Any

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, NotYet, call, numbers


def _covariance(x: Tensor, f: Tensor) -> Tensor:
    return ((x - x.mean(0)) * (f - f.mean())[:, None]).mean(0)


def _gain(x: Tensor, f: Tensor) -> Tensor:
    return (_covariance(x, f) ** 2 / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var(correction=0)


def _signal() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 6, generator=generator, dtype=torch.float64) * torch.linspace(0.2, 0.9, 6)
    return x, 2 * x[:, 0] - 3 * x[:, 4] + 0.5 * torch.rand(500, generator=generator, dtype=torch.float64) + 1


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
    "4.1": Asks(
        150 / 64**2, hint="dividing the whole loss by a number changes nothing: by which number does the mean divide?",
        slips={
            "the mean makes the reconstruction smaller, so the price of a nat has to become smaller too": 150 * 64**2,
            "a picture has two sides": 150 / 64}),
    "4.2": Asks(37.5, hint="β acts relative to the collapse threshold: compute it for both data sets", slips={
            "a picture has two sides": 75.0,
            "the other way round: fewer pixels save fewer nats": 600.0,
            "each pixel tells as much as before, but their number has changed": 150.0,
            "losses are sums over pixels here, not means": 150 / 32**2}),
    "4.3": Asks(_gain, (_signal(),), within=0.01,
        hint="both sides of the contest of section 5 have the factor ½a²: divide one by the other", slips={
            "f is not centred: sending its mean costs nats and tells nothing": (
                lambda x, f: _gain(x, f) * f.var(correction=0) / f.square().mean()),
            "v is the Bernoulli variance p(1 − p), not the variance of the pixel": (
                lambda x, f: (_covariance(x, f) ** 2 / x.var(0)).sum() / f.var()),
            "divide by the mean square of f, not by its root": lambda x, f: _gain(x, f) * f.std(),
            "divide by the mean square of f": lambda x, f: _gain(x, f) * f.var(),
            "the covariance has to be squared": (
                lambda x, f: (_covariance(x, f) / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var())}),
    "4.4": _axis_angle,
}  # fmt: skip
