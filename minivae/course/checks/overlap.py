"""Checks of chapter 3, posterior overlap."""

import math
from typing import Any

import torch

from minivae.course.checks.base import Asks, NotYet, numbers
from minivae.datasets import Blobs
from minivae.overlap import confusions

_HEALING = [20.0, 16.0, 13.0, 10.0, 7.0, 7.0]  # least β of the tears after the first to the sixth picture of twelve


def _order(answer: Any) -> None:
    """Nine blobs on a 3 × 3 grid in one latent: the cheapest of all 9! orders, up to the grid's symmetries."""
    order = numbers(answer, (9,))
    if sorted(order.tolist()) != list(range(9)):
        raise NotYet("every picture from 0 to 8 has to stand once in the order")
    places = 26 + 6 * torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).flip(1)
    images = Blobs().render(places).flatten(1).double()
    distances = torch.cdist(images, images).square()
    line = confusions(torch.arange(9, dtype=torch.float64) - 4, torch.ones(9, dtype=torch.float64))

    def cost(order: list[int]) -> float:
        return (line * distances[order][:, order]).sum().item()

    above = cost(order.long().tolist()) / cost([0, 1, 2, 5, 4, 8, 7, 6, 3]) - 1  # found by trying all
    if above > 1e-4:
        how = "try all, or exchange pairs as long as that helps, from many starts"
        raise NotYet(f"another order is {above:.1%} cheaper: {how}")


CHECKS = {
    "3.1": Asks(0.5 * math.erfc(0.75 / math.sqrt(2)), unit="probability",
        hint="where is the border, and how many σ is it from a mean (section 2)?", slips={
            "the border is half-way between the means": 0.5 * math.erfc(1.5 / math.sqrt(2)),
            "only the tail on the other's side is a mistake: you counted both": math.erfc(0.75 / math.sqrt(2)),
            "that is how often the guess is right": 1 - 0.5 * math.erfc(0.75 / math.sqrt(2)),
            "σ² stands where σ should": 0.5 * math.erfc(0.3 / 0.16 / math.sqrt(2)),
            "that is the overlap ∫√(q₁q₂)": math.exp(-(1.5**2) / 8)}),
    "3.2": Asks(_HEALING, within=0.02,
        hint="descend from each of the six at every whole β, and take the one from which no tear is left",
        slips={
            "the first number is that of the tear after the first picture": _HEALING[::-1],
            "these are the greatest β that leave a tear; the least that leave none are asked for":
                [beta - 1 for beta in _HEALING]}),
    "3.3": _order,
}  # fmt: skip
