"""Checks of chapter 12, your own pictures."""

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, randn

_N = 3 * 64 * 64  # values of a colour picture
_EXCESS, _KL = (torch.tensor(v, dtype=torch.float64) for v in ((30, 42, 62, 70), (20, 15, 13, 9)))


def _correlations(first: Tensor, second: Tensor) -> Tensor:
    """(latents of first, latents of second)."""
    a, b = ((codes - codes.mean(0)) / codes.std(0, correction=0) for codes in (first, second))
    return a.T @ b / len(a)


def _found_again(first: Tensor, second: Tensor) -> Tensor:
    return _correlations(first, second).abs().amax(1)


CHECKS = {
    "12.1": Asks(
        0.002 * _N, hint="multiply the whole loss by the number of values, which changes no minimum", slips={
            "a colour picture has three values a pixel": 0.002 * 64**2,
            "the other way round: a mean makes the reconstruction small, and so β large": 0.002 / _N,
            "β is in one number with the other loss only": 0.002,
            "that is the number of values; the friend's β is not 1": _N}),
    "12.2": Asks(_found_again, ((randn(12, 3), randn(24, 3)[12:] + randn(12, 3) * torch.tensor([-2.0, 0.5, 0.1])),),
        hint="a correlation for every pair of latents; absolute values; then the largest of each row", slips={
            "a latent may come back with its sign turned: take absolute values":
                lambda a, b: _correlations(a, b).amax(1),
            "one number for each latent of the first, not of the second": lambda a, b: _found_again(b, a),
            "that is its square, R²": lambda a, b: _found_again(a, b).square(),
            "covariances depend on a latent's scale: divide by the standard deviations":
                lambda a, b: ((a - a.mean(0)).T @ (b - b.mean(0)) / len(a)).abs().amax(1),
            "the largest is asked for, not the mean": lambda a, b: _correlations(a, b).abs().mean(1),
            "that is the first latent with the number of the second, not with the best": lambda a, b:
                _correlations(a, b).abs()[:, 0]}),
    "12.3": Asks(
        (_EXCESS[1:] - _EXCESS[:-1]) / (_KL[:-1] - _KL[1:]), within=0.02,
        hint="excess gained over KL given up, from each training to the next", slips={
            "take differences between neighbours, of both": _EXCESS[1:] / _KL[1:],
            "those are the β; what a nat was worth lies between two of them": torch.tensor([4.0, 16, 64]),
            "divide by the nats that were given up": _EXCESS[1:] - _EXCESS[:-1]}),
}  # fmt: skip
