"""Checks of chapter 11, chairs."""

import math
from typing import Any

import torch
from torch import Tensor

from minivae.course.checks.base import Asks, randn
from minivae.objectives import bernoulli_floor

_GREY = bernoulli_floor(torch.full((1, 1), 0.9, dtype=torch.float64)).item()


def _one_drawing(images: Tensor) -> Tensor:
    """The loss per picture when one drawing stands for all: its own entropy, in nats."""
    return bernoulli_floor(images.mean(0, keepdim=True))[0]


def _saved(images: Tensor, classes: Tensor) -> Tensor:
    known = sum(_one_drawing(images[classes == c]) * (classes == c).sum() for c in classes.unique())
    return _one_drawing(images) - known / len(images)


def _depth(v: Any, top: Any, elevation: Any) -> Any:
    return (v - top * math.cos(elevation)) / math.sin(elevation)


CHECKS = {
    "11.1": Asks(
        600 * _GREY, unit="nats", hint="the loss at x̂ = x is the entropy of the pixels; which pixels have one?",
        slips={
            "a white pixel has no entropy: only the chair counts": 64**2 * _GREY,
            "that is −log 0.9; the pixel may also come out 0, which costs −log 0.1": -600 * math.log(0.9),
            "an exact drawing of grey is not free": 0.0,
            "that is one pixel's": _GREY}),
    "11.2": Asks(_saved, ((randn(6, 1, 4, 4).sigmoid(), torch.tensor([0, 0, 0, 1, 2, 2])),), unit="nats",
        hint="the loss of a drawing is the entropy of what it draws: the mean of all against that of the class", slips={
            "weigh each class by how many pictures it has":
                lambda x, c: _one_drawing(x) - torch.stack([_one_drawing(x[c == k]) for k in c.unique()]).mean(),
            "draw the mean of the class, not the picture itself": lambda x, c: _saved(x, torch.arange(len(x))),
            "that is what is left; what is saved is asked for": lambda x, c: _one_drawing(x) - _saved(x, c),
            "that is of all pictures together; per picture is asked for": lambda x, c: _saved(x, c) * len(x)}),
    "11.3": Asks(lambda s1, v, top, elevation: max(s1, _depth(v, top, elevation)),
        ((-0.5, 0.3, 0.2, 0.35), (0.4, -0.2, 0.5, 0.52), (0.1, 0.6, 0.0, 1.2)),
        hint="solve v = z·cos θ + s·sin θ for s at the height of the top, and take the later of the two entries",
        slips={
            "the ray is inside when it has entered both: the later of the two": lambda s1, *top: min(s1, _depth(*top)),
            "sine and cosine are swapped": lambda s1, v, top, t: max(s1, (v - top * math.sin(t)) / math.cos(t)),
            "the height is foreshortened too": lambda s1, v, top, t: max(s1, (v - top) / math.sin(t)),
            "the top is above the middle: a sign": lambda s1, v, top, t: max(s1, _depth(v, -top, t))}),
}  # fmt: skip
