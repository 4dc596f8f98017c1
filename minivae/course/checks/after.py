"""Checks of chapter 13, what came after."""

import math

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, randn

_PICTURES = 737_280
_SEEN = torch.tensor([[2.0, 0.9, 0.0], [0.9, 1.0, 0.2], [0.0, 0.2, 0.5]], dtype=torch.float64)


def _total_correlation(covariance: Tensor) -> Tensor:
    return 0.5 * (covariance.diagonal().log().sum() - torch.logdet(covariance))


def _cosine(directions: Tensor, degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, second = (directions @ torch.tensor([[c, -s], [s, c]], dtype=directions.dtype)).T
    return first @ second / (first.norm() * second.norm())


CHECKS = {
    "13.1": Asks(
        25 - math.log(_PICTURES), hint="information cannot be more than the entropy of the pictures", slips={
            "that is the most that can be information; the rest is slack": math.log(_PICTURES),
            "nats, not bits: take the natural logarithm": 25 - math.log2(_PICTURES),
            "a bound on the sum of the slack needs no division by the ten latents": (25 - math.log(_PICTURES)) / 10}),
    "13.2": Asks(_total_correlation, ((_SEEN,), (_SEEN[:2, :2],)),
        hint="entropies of the single latents minus the entropy of all; the constants cancel", slips={
            "the logarithm of variances counts half": lambda s: 2 * _total_correlation(s),
            "variances matter too: the product of the marginals has the determinant Π of the diagonal":
                lambda s: -0.5 * torch.logdet(s),
            "that is the precision's gap; the diagonal of an inverse is not the inverse of the diagonal":
                lambda s: _total_correlation(torch.linalg.inv(s)),
            "the joint entropy is the smaller one: turn the sign": lambda s: -_total_correlation(s)}),
    "13.3": Asks(_cosine, ((randn(20, 2) * torch.tensor([1.0, 2.0]), 30.0), (randn(20, 2), 45.0)),
        hint="turn the columns, J R, and only then take the cosine", slips={
            "the angle is in degrees": lambda j, a: _cosine(j, math.degrees(a)),
            "R(ω) or its inverse? the new columns are J R, so that z = R z′": lambda j, a: _cosine(j, -a),
            "divide by the lengths of both": lambda j, a: _cosine(j, a) * _lengths(j, a),
            "lengths change with the turn: divide by those of the turned columns": lambda j, a:
                _cosine(j, a) * _lengths(j, a) / _lengths(j, 0.0),
            "the code is to be turned first": lambda j, a: _cosine(j, 0.0)}),
}  # fmt: skip


def _lengths(directions: Tensor, degrees: float) -> Tensor:
    """Product of the lengths of both turned columns."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (directions @ torch.tensor([[c, -s], [s, c]], dtype=directions.dtype)).norm(dim=0).prod()
