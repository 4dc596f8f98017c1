"""Checks of chapter 10, a training that goes on."""

import math

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, randn


def _even(gradient: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


def _residual(features: Tensor, old: Tensor, guess: Tensor) -> Tensor:
    shared = old @ features.T.cov()
    return guess - torch.linalg.solve(shared @ old.T, shared @ guess) @ old


def _scaled(features: Tensor, weights: Tensor, std: float = 2.0) -> Tensor:
    return std * weights / (features @ weights).std()


def _opening(features: Tensor, old: Tensor, guess: Tensor) -> Tensor:
    return _scaled(features, _residual(features, old, guess))


def _orthogonal(features: Tensor, old: Tensor, guess: Tensor) -> Tensor:
    return _scaled(features, guess - torch.linalg.solve(old @ old.T, old @ guess) @ old)


_FEATURES = randn(300, 6) @ randn(6, 6).T + torch.arange(6.0).double()

CHECKS = {
    "10.1": Asks(math.log(100) / 0.004,
        hint="the error is clipped to 1 nat, so a step takes ρ off log β; how far is it from log 100 to log 1?", slips={
            "it is log β that falls by ρ a step, not β": 99 / 0.004,
            "log is the natural logarithm here": 2 / 0.004,
            "a thousand times too many or too few: ρ is 0.004": math.log(100) / 4}),
    "10.2": Asks(_even, ((randn(4, 6),), (randn(6, 4),)),
        hint="all singular values of the step must be 1, with the gradient's own directions", slips={
            "that is the gradient, only shorter: strong directions are still strong": lambda g: g / g.norm(),
            "that is the gradient, only shorter": lambda g: g / torch.linalg.matrix_norm(g, 2),
            "that evens out the entries, not the directions": torch.sign,
            "that is the gradient itself": lambda g: g}),
    "10.3": Asks(_opening, ((_FEATURES, randn(2, 6), randn(7, 6)[6]), (_FEATURES, randn(3, 6), randn(8, 6)[7])),
        within=0.01, hint="solve for the combination a with Cov(features @ (guess − a @ old), features @ old) = 0",
        slips={
            "that is orthogonal to the old weights; the new *means* are to be uncorrelated with the old": _orthogonal,
            "the guess's share in the old latents is still there": lambda f, o, g: _scaled(f, g),
            "scale it to a standard deviation of 2": _residual,
            "the standard deviation is to be 2, not 1": lambda f, o, g: _opening(f, o, g) / 2,
            "the standard deviation is to be 2, not the variance": lambda f, o, g: _opening(f, o, g) / 2**0.5,
            "a covariance is about the mean: centre the features": lambda f, o, g: _scaled(
                f, g - torch.linalg.solve(o @ f.T @ f @ o.T, o @ f.T @ f @ g) @ o)}),
}  # fmt: skip
