"""Gaussian blobs at continuous positions on a black canvas: the data of Figure 2. Taught in chapter 4."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from minivae._arguments import check_all, check_choice, check_count, check_positive, is_number


@dataclass(frozen=True)
class Blobs:
    """A blob of brightness exp(−r²/2σ²) whose centre is uniform on a domain in the middle of the canvas.

    Args:
        sigma, size: the blob's width σ > 0 and the side of the canvas, in pixels.
        margin: distance that the centre keeps from the canvas edge, in pixels, 0 ≤ margin < size/2.
        domain: "square", |x|, |y| ≤ a around the middle, "diamond", |x| + |y| ≤ a, or "disc", x² + y² ≤ a², of the
            half-width a = size/2 − margin.

    Raises ValueError outside of these ranges. Source: section 4.3 and Figure 2, which give neither width nor margin.
    """

    sigma: float = 7.0
    margin: float = 8.0
    domain: str = "square"
    size: int = 64

    channels: ClassVar[int] = 1
    factors: ClassVar[tuple[str, ...]] = ("x", "y")

    def __post_init__(self) -> None:
        check_positive("sigma", self.sigma)
        check_count("size", self.size)
        if not is_number(self.margin) or not 0 <= self.margin < self.size / 2:
            raise ValueError(f"margin must lie in [0, size/2) = [0, {self.size / 2}), got {self.margin!r}")
        check_choice("domain", self.domain, ("square", "diamond", "disc"))

    @property
    def half_width(self) -> float:
        """Half-width a of the domain, in pixels."""
        return self.size / 2 - self.margin

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, 1, size, size) and their positions (n, 2), columns x, y, in pixels, uniform on the domain."""
        check_count("n", n)
        u, v = torch.rand(2, n, generator=generator, device=getattr(generator, "device", "cpu"))
        x, y = 2 * u - 1, 2 * v - 1
        if self.domain == "disc":  # the square root makes equal areas equally likely
            radius, angle = u.sqrt(), 2 * math.pi * v
            x, y = radius * angle.cos(), radius * angle.sin()
        elif self.domain == "diamond":  # turn the square by 45° and shrink it onto its own diamond
            x, y = (x - y) / 2, (x + y) / 2
        positions = self.size / 2 + self.half_width * torch.stack([x, y], dim=1)
        return self._draw(positions), positions

    def render(self, positions: Tensor) -> Tensor:
        """Images (n, 1, size, size) of a blob at each position (n, 2), x (rightwards) and y (downwards), in pixels, of
        which number j covers [j, j+1]; ValueError if the shape is another or a value is not finite."""
        if positions.ndim != 2 or positions.shape[1] != 2:
            raise ValueError(f"positions must have shape (n, 2) with columns x, y, got {tuple(positions.shape)}")
        check_all("positions", positions, torch.isfinite(positions))
        return self._draw(positions)

    def _draw(self, positions: Tensor) -> Tensor:
        centres = torch.arange(self.size, device=positions.device, dtype=positions.dtype) + 0.5
        # exp(−(dx² + dy²)/2σ²) is a product of a column and a row: 2·size exponentials instead of size²
        bumps = torch.exp(-0.5 * ((centres - positions[:, :, None]) / self.sigma).square())
        return (bumps[:, 1, :, None] * bumps[:, 0, None, :])[:, None]

    def grid(self, n: int = 32) -> Tensor:
        """Positions of an n × n grid, n ≥ 2, over the square around the domain: (n·n, 2), y slowest, in pixels."""
        check_count("n", n, least=2)
        line = torch.linspace(self.margin, self.size - self.margin, n)
        return torch.cartesian_prod(line, line).flip(1)

    def contains(self, positions: Tensor) -> Tensor:
        """Whether each position (n, 2) lies in the domain: (n,) bool."""
        offset = ((positions - self.size / 2) / self.half_width).abs()
        norms = {"square": offset.amax(1), "diamond": offset.sum(1), "disc": offset.norm(dim=1)}
        return norms[self.domain] <= 1 + 1e-6  # the rim belongs to the domain, whatever the rounding
