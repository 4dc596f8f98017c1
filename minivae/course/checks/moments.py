"""Checks of chapter 9, factors or moments."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, NotYet, numbers, randn
from minivae.ideal_decoder import SpriteChannels, distortion, sobol


def _variances(picture: Tensor, centred: bool = True) -> Tensor:
    """Variance of a white picture's pixels to the right and down, (2,); about the corner if not centred."""
    rows, columns = (picture > 0.5).nonzero().double().T
    return torch.stack([v.square().mean() - centred * v.mean().square() for v in (columns, rows)])


def _contrast(right: Tensor, down: Tensor) -> Tensor:
    return (right - down) / (right + down)


def _wide(picture: Tensor) -> Tensor:
    return _contrast(*_variances(picture))


_PICTURES = [((randn(*shape) > 0.8).double(),) for shape in ((6, 8), (9, 7), (5, 5))]  # a few white pixels each


def _split(answer: Any) -> None:
    rates = numbers(answer, (5,))
    if not (rates >= 0).all() or abs(rates.sum() - 11.1) > 0.02:
        raise NotYet(f"rates must not be negative and must add up to 11.1 nats; these add up to {rates.sum():.2f}")
    if (got := _distortion(rates)) >= 75:
        no_angle = "the angle has none: of three nats for it half go into what the picture shows"
        raise NotYet(f"D = {got:.0f} nats, less than 75 is possible: {no_angle if rates[2] < 1 else 'go on'}")


_sprites = cache(SpriteChannels)


@torch.no_grad()
def _distortion(rates: Tensor) -> float:
    return distortion(_sprites(), rates.float(), sobol(_sprites(), 512)).mean().item()


@cache
def _ablated(give: bool) -> Tensor:
    """What D rises by without shape, without orientation, without both, when the others get their nats or not."""
    split = torch.tensor([1.3, 1.4, 2.6, 2.9, 2.9])
    left = [split.index_fill(0, torch.tensor(out), 0.0) for out in ([0], [2], [0, 2])]
    return torch.tensor([_distortion(r * (11.1 / r.sum() if give else 1)) for r in left]) - _distortion(split)


CHECKS = {
    "9.1": Asks(_wide, _PICTURES,
        hint="variances of the columns and of the rows of the white pixels, each about their mean", slips={
            "positive for a sprite that is wider than tall": lambda p: -_wide(p),
            "about the centroid: subtract the mean first": lambda p: _contrast(*_variances(p, centred=False)),
            "variances, not standard deviations": lambda p: _contrast(*_variances(p).sqrt()),
            "divide by the sum of the two": lambda p: _variances(p)[0] - _variances(p)[1],
            "the difference over the sum, not the ratio": lambda p: _variances(p)[0] / _variances(p)[1]}),
    "9.2": _split,
    "9.3": Asks(lambda: _ablated(give=True), within=0.03,
        hint="set the rate to 0, scale the others up to 11.1 nats, and take D less D of the whole split",
        slips={"the freed nats go to the others: scale them up to 11.1 again": lambda: _ablated(give=False)}),
}  # fmt: skip
