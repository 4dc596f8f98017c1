"""Sprites in colour: three further, continuous factors. Taught in chapter 6."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from minivae._arguments import check_all, check_count
from minivae.datasets.sprites import Sprites


@dataclass(frozen=True)
class ColouredSprites:
    """The sprites of `Sprites`, each drawn in a colour of its own on black.

    Red, green and blue are uniform on [0.5, 1] and drawn anew with every picture. The paper does not say how it
    coloured the sprites; this is the usual public form. Size: as of `Sprites`. Source: Figure 4a.
    """

    size: int = 64

    channels: ClassVar[int] = 3
    factors: ClassVar[tuple[str, ...]] = (*Sprites.factors, "red", "green", "blue")
    categories: ClassVar[tuple[str, ...]] = Sprites.categories
    cuts: ClassVar[dict[str, tuple[float, float, int]]] = dict.fromkeys(("red", "green", "blue"), (0.5, 1.0, 10))

    def __post_init__(self) -> None:
        check_count("size", self.size)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, 3, size, size) and factors (n, 9): the sprite's six classes, then red, green and blue."""
        sprites, classes = Sprites(self.size).sample(n, generator)
        colours = 0.5 + 0.5 * torch.rand(n, 3, generator=generator, device=sprites.device)
        return sprites * colours[:, :, None, None], torch.cat([classes.float(), colours], dim=1)

    def render(self, factors: Tensor) -> Tensor:
        """Images (n, 3, size, size) of factors (n, 9) as of `sample`, classes and colours in range, else ValueError."""
        if factors.ndim != 2 or factors.shape[1] != 9:
            raise ValueError(f"factors must have shape (n, 9), one column a factor, got {tuple(factors.shape)}")
        classes, colours = factors[:, :6], factors[:, 6:]
        check_all("the classes, the first six factors,", classes, classes == classes.round(), "whole numbers")
        check_all("colours", colours, (colours >= 0) & (colours <= 1), "in [0, 1]")
        return Sprites(self.size).render(classes.long()) * colours[:, :, None, None]
