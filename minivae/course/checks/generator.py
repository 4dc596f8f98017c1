"""Checks of chapter 5, the capacity generator."""

import math
from typing import Any

import torch
from torch import Tensor

from minivae.channel import mutual_information
from minivae.course.checks.base import Asks, NotYet, cases, numbers


def _picture(z: Tensor, codes: Tensor, std: Tensor, pictures: Tensor) -> Tensor:
    return torch.softmax(-0.5 * ((z - codes) / std) ** 2, 0) @ pictures


def _dear_mean(answer: Any) -> None:
    """A factor on all of [0, 1] whose mean costs more than it tells; judged by both, so that any will do."""
    f = numbers(answer, None)
    many, different = len(f), len(f.unique())
    if not 8 <= many <= 200 or different < 8:
        raise NotYet(f"8 to 200 values, at least 8 of them different, are asked for; got {many}, {different} different")
    if not f.isfinite().all() or abs(f.min()) > 1e-6 or abs(f.max() - 1) > 1e-6:
        raise NotYet("the smallest value has to be 0 and the largest 1")
    variance = f.var(correction=0)
    snr = math.expm1(2 * 3) / (1 + f.mean() ** 2 / variance)
    fee, told = 3 - 0.5 * torch.log1p(snr), mutual_information((f - f.mean()) * (snr / variance).sqrt(), 1.0)
    if fee <= told:
        raise NotYet(f"of 3 nats its mean costs {fee:.2f}, and it tells {told:.2f}: raise m²/v; 0 and 1 may be rare")


CHECKS = {
    "5.1": Asks(0.5 * math.log(2.5), unit="nats",
        hint="the fee at a high rate is what the mean adds to the rate (section 6): which m²/v have 0, 1, 2?", slips={
            "that is the fee of 1, 2, 3": 0.5 * math.log(7),
            "v is the variance over the three values, not that of a sample of three": 0.5 * math.log(2),
            "the 1 of 1 + m²/v is missing": 0.5 * math.log(1.5),
            "that is m²/v; the fee is a logarithm": 1.5}),
    "5.2": Asks(_picture,
        cases(*((z, [-1.0, 0.0, 2.0], s, [[0.0, 1.0], [0.5, 0.2], [1.0, 0.6]]) for z, s in ((0.3, 0.7), (-2.0, 2.0)))),
        hint="the mean of the pictures under the belief (section 3)", slips={
            "this is the likeliest picture; the mean of all has the lower loss": (
                lambda z, codes, std, pictures: pictures[(z - codes).abs().argmin()]),
            "z is not used: weight the pictures by how likely each is to have sent it": lambda z, c, s, p: p.mean(0),
            "the exponent of a Gaussian has a ½": lambda z, c, s, p: _picture(z, c, s / math.sqrt(2), p),
            "divide by σ², not by σ": lambda z, c, s, p: _picture(z, c, math.sqrt(s), p),
            "the weights must add up to 1": lambda z, c, s, p: torch.exp(-0.5 * ((z - c) / s) ** 2) @ p,
            "the sign of the exponent is wrong": lambda z, c, s, p: torch.softmax(0.5 * ((z - c) / s) ** 2, 0) @ p}),
    "5.3": _dear_mean,
}  # fmt: skip
