"""Checks of chapter 6, controlled capacity."""

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, NotYet, cases, numbers, randn
from minivae.ideal_decoder import SpriteChannels, distortion, sobol


def _gaps(information: Tensor, entropy: Tensor) -> Tensor:
    best, second = information.topk(2, dim=1).values.T
    return (best - second) / entropy


def _split(answer: Any) -> None:
    rates = numbers(answer, (5,))
    if not (rates >= 0).all() or abs(rates.sum() - 11.1) > 0.02:
        raise NotYet(f"rates must not be negative and must add up to 11.1 nats; these add up to {rates.sum():.2f}")
    if (got := _distortion(rates)) >= 75:
        hint = (
            "the angle has none: of three nats for it half go into what the picture shows" if rates[2] < 1 else "go on"
        )
        raise NotYet(f"D = {got:.0f} nats, less than 75 is possible: {hint}")


@cache
def _sprites() -> tuple[SpriteChannels, Tensor]:
    channels = SpriteChannels("centred")
    return channels, sobol(channels, 512)


@torch.no_grad()
def _distortion(rates: Tensor) -> float:
    channels, points = _sprites()
    return distortion(channels, rates.float(), points).mean().item()


@cache
def _ablated(give: bool) -> Tensor:
    """What D rises by without shape, without orientation, without both, when the others get their nats or not."""
    split = torch.tensor([1.3, 1.4, 2.6, 2.9, 2.9])
    left = [split.index_fill(0, torch.tensor(out), 0.0) for out in ([0], [2], [0, 2])]
    return torch.tensor([_distortion(r * (11.1 / r.sum() if give else 1)) for r in left]) - _distortion(split)


def _even(gradient: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


CHECKS = {
    "6.1": Asks((math.log(2) - 0.5) * 300, unit="nats",
        hint="per pixel and channel: the entropy at the mean brightness, less the mean entropy", slips={
            "that is the whole loss; a model that knows the colours pays too": math.log(2) * 300,
            "there are three channels": (math.log(2) - 0.5) * 100,
            "that is one pixel's and one channel's": math.log(2) - 0.5,
            "only the sprite's pixels have colours": (math.log(2) - 0.5) * 3 * 64**2}),
    "6.2": Asks(lambda information, entropy: _gaps(information, entropy).mean(),
        cases(([[0.1, 1.2, 0.3, 0.05], [0.5, 0.4, 0.07, 0.1], [0.02, 0.04, 2.0, 0.2]], [1.5, 1.1, 3.0])),
        hint="of every factor: how much more the best latent tells than the next, as a share of its entropy", slips={
            "divide each gap by the entropy of its factor": lambda i, h: _gaps(i, h / h).mean(),
            "subtract what the second best latent tells": lambda i, h: (i.amax(1) / h).mean(),
            "the mean of the ratios, not the ratio of the sums": lambda i, h: _gaps(i, h / h).sum() / h.sum(),
            "the second best latent, not the average one": lambda i, h: ((i.amax(1) - i.mean(1)) / h).mean(),
            "the second best latent, not the worst": lambda i, h: ((i.amax(1) - i.amin(1)) / h).mean()}),
    "6.3": _split,
    "6.4": Asks(_even, ((randn(4, 6),), (randn(6, 4),)),
        hint="all singular values of the step must be 1, with the gradient's own directions", slips={
            "that is the gradient, only shorter: strong directions are still strong": lambda g: g / g.norm(),
            "that is the gradient, only shorter": lambda g: g / torch.linalg.matrix_norm(g, 2),
            "that evens out the entries, not the directions": torch.sign,
            "that is the gradient itself": lambda g: g}),
    "6.6": Asks(lambda: _ablated(give=True), within=0.03,
        hint="set the rate to 0, scale the others up to 11.1 nats, and take D less D of the whole split",
        slips={"the freed nats go to the others: scale them up to 11.1 again": lambda: _ablated(give=False)}),
}  # fmt: skip
