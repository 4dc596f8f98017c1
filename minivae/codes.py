"""Codes for `SpriteChannels` to send in place of a sprite's published factors. Taught in chapters 5, 8 and 9."""

import math

import torch
from torch import Tensor

from minivae.datasets import Sprites


def moments() -> dict[str, Tensor]:
    """What a picture shows of each of the 720 sprites at one place, float64.

    Returns:
        "root area" (3, 6, 40), the square root of its pixels; "wide" and "slant" (3, 6, 40): with the second moments
        m of the pixels about their centroid, (m_uu − m_vv) / (m_uu + m_vv), positive if wider than tall, and
        2 m_uv / (m_uu + m_vv), positive if it slants down to the right; "centroid" (3, 6, 40, 2): how far right and
        down of the point about which the sprite turns, in pixels.

    Source: chapter 9.
    """
    pictures = at_class_0(Sprites()).double()
    along = torch.arange(64, dtype=torch.float64) + 0.5 - 16  # of class 0, a quarter of the canvas
    area = pictures.sum((1, 2))
    u, v = (pictures.sum(dim) @ along / area for dim in (1, 2))
    uu, vv = (pictures.sum(dim) @ along**2 / area for dim in (1, 2))
    uv = torch.einsum("nvu,v,u->n", pictures, along, along) / area
    spread = uu - u**2 + vv - v**2
    found = {
        "root area": area.sqrt(),
        "wide": (uu - u**2 - vv + v**2) / spread,
        "slant": 2 * (uv - u * v) / spread,
        "centroid": torch.stack([u, v], dim=1),
    }
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
