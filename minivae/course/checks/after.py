"""Checks of chapter 13, what came after."""

import math

import torch

from minivae.course.checks.base import Asks, randn

_MOST = math.log(737_280)
_SEEN = torch.tensor([[2.0, 0.9, 0.0], [0.9, 1.0, 0.2], [0.0, 0.2, 0.5]], dtype=torch.float64)


def _total_correlation(covariance: torch.Tensor) -> torch.Tensor:
    return 0.5 * (covariance.diagonal().log().sum() - torch.logdet(covariance))


def _products(directions: torch.Tensor, degrees: float) -> torch.Tensor:  # of the two turned columns
    turn = torch.matrix_exp(math.radians(degrees) * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=directions.dtype))
    return (directions @ turn).T @ (directions @ turn)


def _cosine(directions: torch.Tensor, degrees: float) -> torch.Tensor:
    products = _products(directions, degrees)
    return products[0, 1] / products.diagonal().prod().sqrt()


CHECKS = {
    "13.1": Asks(25 - _MOST, hint="information cannot be more than the entropy of the pictures", slips={
        "that is the most that can be information; the rest is slack": _MOST,
        "nats, not bits: take the natural logarithm": 25 - _MOST / math.log(2),
        "a bound on the sum of the slack needs no division by the ten latents": (25 - _MOST) / 10}),
    "13.2": Asks(_total_correlation, ((_SEEN,), (_SEEN[:2, :2],)),
        hint="entropies of the single latents minus the entropy of all; the constants cancel", slips={
            "the logarithm of variances counts half": lambda s: 2 * _total_correlation(s),
            "variances matter too: the single latents have entropies of their own": lambda s: -0.5 * torch.logdet(s),
            "that is of the precision, not of the covariance": lambda s: _total_correlation(torch.linalg.inv(s))}),
    "13.3": Asks(_cosine, ((randn(20, 2) * torch.tensor([1.0, 2.0]), 30.0), (randn(20, 2), 45.0)),
        hint="turn the columns, J R, and only then take the cosine", slips={
            "the angle is in degrees": lambda j, a: _cosine(j, math.degrees(a)),
            "R(ω) or its inverse? the new columns are J R, so that z = R z′": lambda j, a: _cosine(j, -a),
            "divide by the lengths of both": lambda j, a: _products(j, a)[0, 1],
            "divide by the lengths of the turned columns": lambda j, a: _products(j, a)[0, 1] / j.norm(dim=0).prod(),
            "the code is to be turned first": lambda j, a: _cosine(j, 0.0)}),
}  # fmt: skip
