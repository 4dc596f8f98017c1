"""Codes for `SpriteChannels` to send in place of a sprite's published factors. Taught in chapters 5, 8 and 9."""

import math

import torch
from torch import Tensor

from minivae.datasets import Sprites


def picture_moments(pictures: Tensor) -> dict[str, Tensor]:
    """What grey pictures (n, H, W) show of one thing on black.

    "area" (n,) is the sum of its pixels; "centroid" (n, 2) is to the right and down from the corner, in pixels. Of the
    second moments m about it are made "wide" (n,), (m_uu − m_vv) / (m_uu + m_vv), positive if wider than tall, and
    "slant" (n,), 2 m_uv / (m_uu + m_vv), positive if it slants down to the right. Source: chapter 9.
    """
    along, down = (torch.arange(side, dtype=pictures.dtype) + 0.5 for side in (pictures.shape[2], pictures.shape[1]))
    area = pictures.sum((1, 2))
    u, v = pictures.sum(1) @ along / area, pictures.sum(2) @ down / area
    uu = pictures.sum(1) @ along**2 / area - u**2
    vv = pictures.sum(2) @ down**2 / area - v**2
    uv = torch.einsum("nvu,v,u->n", pictures, down, along) / area - u * v
    spread = uu + vv
    return {"area": area, "wide": (uu - vv) / spread, "slant": 2 * uv / spread, "centroid": torch.stack([u, v], dim=1)}


def moments() -> dict[str, Tensor]:
    """The `picture_moments` of each of the 720 sprites, float64: "root area", the square root of the area, "wide" and
    "slant" (3, 6, 40), and "centroid" (3, 6, 40, 2), from the point about which the sprite turns. Source: chapter 9."""
    found = picture_moments(at_class_0(Sprites()).double())
    found = {"root area": found.pop("area").sqrt(), **found, "centroid": found["centroid"] - 16}  # of class 0
    return {name: value.view(3, 6, 40, *value.shape[1:]) for name, value in found.items()}


def at_class_0(sprites: Sprites) -> Tensor:
    """The 720 sprites at class 0 of x and y, (720, 64, 64)."""
    return sprites.render(sprites.classes(torch.arange(0, len(sprites), 32 * 32)))[:, 0]


def symmetric_orientation() -> Tensor:
    """The angle as a share of the turn after which a shape looks the same, in [0, 1). Source: chapter 8."""
    turns = Sprites().values["orientation"] / (2 * math.pi)
    return (turns * torch.tensor(Sprites.symmetries)[:, None, None] + 1e-9) % 1


def class_numbers() -> dict[str, Tensor]:
    """The classes of dSprites as numbers from 0 on, as its `latents_classes` has them. Source: chapter 5."""
    shape, scale, orientation, x, y = (torch.arange(size, dtype=torch.float64) for size in Sprites.sizes[1:])
    return {"shape": shape[:, None, None], "scale": scale[:, None], "orientation": orientation, "x": x, "y": y}
