"""Checks of chapter 6, controlled capacity."""

import math

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, cases


def _gaps(information: Tensor, entropy: Tensor) -> Tensor:
    best, second = information.topk(2, dim=1).values.T
    return (best - second) / entropy


def _push(kl: Tensor, C: Tensor, gamma: Tensor) -> Tensor:
    """How the penalty grows with the KL of every picture, when it is per batch and when it is per picture."""
    return gamma * torch.stack([torch.sign(kl.mean() - C), torch.sign(kl - C).mean()])


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
    "6.3": Asks(_push,
        cases(([4.0, 6.0, 5.5, 9.0], 5.0, 1000.0), ([1.0, 5.5, 5.6, 5.7, 4.0], 5.0, 250.0),
              ([2.0, 3.0, 2.5], 7.0, 10.0)),
        hint="a picture above C pays γ more for each nat, one below γ less; per batch only the mean counts", slips={
            "that is the penalty; how much does it grow?":
                lambda kl, C, gamma: gamma * torch.stack([(kl.mean() - C).abs(), (kl - C).abs().mean()]),
            "first the number per batch, then the one per picture": lambda kl, C, gamma: _push(kl, C, gamma).flip(0),
            "γ is missing": lambda kl, C, gamma: _push(kl, C, gamma) / gamma,
            "per picture: the mean over the pictures, not the sum":
                lambda kl, C, gamma: _push(kl, C, gamma) * torch.tensor([1, len(kl)]),
            "each of the two has a sign: a penalty can fall too": lambda kl, C, gamma: _push(kl, C, gamma).abs()}),
}  # fmt: skip
