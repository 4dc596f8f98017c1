"""Checks of chapter 8, the best split that trainings miss."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minivae.course.checks.base import Asks
from minivae.datasets import Sprites

_VALUES = [f for name, f in Sprites().values.items() if name != "colour"]


def _shares(of: Callable[[Tensor], float | Tensor], values: Sequence[Tensor] = _VALUES) -> Tensor:
    """A number of each factor's values, as shares of their sum."""
    found = torch.tensor([float(of(f)) for f in values])
    return found / found.sum()


def _variance(f: Tensor) -> Tensor:
    return f.var(correction=0)


CHECKS = {
    "8.1": Asks(80_000.0, hint="the boxed formula of section 1 differs between the two factors by one term", slips={
            "without γ it would be as quick as that: it is g/γ that tells the factors apart": 80.0,
            "the difference of the two counts, not one of them": 2 * 1000 / (0.0005 * 60),
            "that is the time to come apart by 1": 40_000.0,
            "the learning rate is missing": 40.0}),
    "8.2": Asks(math.log(8), unit="nats",
        hint="½·log(1 + SNR) must be half of ½·log(1 + 9·SNR): square until no root is left", slips={
            "that is the fee of a high rate; the fee itself depends on the rate": 0.5 * math.log(9),
            "close: there the fee of a high rate would be half, but it has not been reached": math.log(9),
            "that is the information; the rate is asked for": 0.5 * math.log(8),
            "that is t; the rate is its logarithm": 8.0}),
    "8.3": Asks(_shares(_variance), unit="probability",
        hint="the rate of a silent channel is ½·a²·E f², and all a grow alike", slips={
            "these are the shares with the means; without them E f² is the variance": _shares(lambda f: (f**2).mean()),
            "the variance is that over all values, not of a sample": _shares(torch.var),
            "the rate goes with the square of the numbers": _shares(lambda f: _variance(f).sqrt()),
            "the five shares must add up to 1": torch.stack([_variance(f) for f in _VALUES]),
            "these are class numbers; the published values are asked for": (
                _shares(_variance, [torch.arange(len(f)).double() for f in _VALUES])),
            "it is all a that grow alike, not all rates": _shares(lambda f: 1.0),
            "the mean of the squares counts, not the largest": _shares(lambda f: (f - f.mean()).max() ** 2),
            "the square stands in the rate already: take E f² once": _shares(lambda f: _variance(f) ** 2)}),
}  # fmt: skip
