"""Checks of chapter 4, blob position."""

import torch
from torch import Tensor

from minivae.course.checks.base import Asks


def _covariance(x: Tensor, f: Tensor) -> Tensor:
    return ((x - x.mean(0)) * (f - f.mean())[:, None]).mean(0)


def _gain(x: Tensor, f: Tensor) -> Tensor:
    return (_covariance(x, f) ** 2 / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var(correction=0)


def _signal() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 6, generator=generator, dtype=torch.float64) * torch.linspace(0.2, 0.9, 6)
    return x, 2 * x[:, 0] - 3 * x[:, 4] + 0.5 * torch.rand(500, generator=generator, dtype=torch.float64) + 1


CHECKS = {
    "4.1": Asks(
        150 / 64**2, hint="dividing the whole loss by a number changes nothing: by which number does the mean divide?",
        slips={
            "the mean makes the reconstruction smaller, so the price of a nat has to become smaller too": 150 * 64**2,
            "a picture has two sides": 150 / 64}),
    "4.2": Asks(71.6, within=0.01, hint="compute the collapse threshold of both sets of pictures", slips={
        "nearly: the Bernoulli variance p(1 − p) is not quite half as large when p is": 75.0,
        "the covariance falls to a quarter; but what do the Bernoulli variances below it do?": 37.5,
        "the pictures' covariance is not that of ours, so their β_c is not either": 150.0,
        "the other way round: darker pixels save fewer nats": 150**2 / 71.6}),
    "4.3": Asks(_gain, (_signal(),), within=0.01,
        hint="both sides of the contest of section 3 have the factor ½a²: divide one by the other", slips={
            "f is not centred: sending its mean costs nats and tells nothing": (
                lambda x, f: _gain(x, f) * f.var(correction=0) / f.square().mean()),
            "v is the Bernoulli variance p(1 − p), not the variance of the pixel": (
                lambda x, f: (_covariance(x, f) ** 2 / x.var(0)).sum() / f.var()),
            "divide by the mean square of f, not by its root": lambda x, f: _gain(x, f) * f.std(),
            "divide by the mean square of f": lambda x, f: _gain(x, f) * f.var(),
            "the covariance has to be squared": (
                lambda x, f: (_covariance(x, f) / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var())}),
}  # fmt: skip
