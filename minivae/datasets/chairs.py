"""Chairs with known factors, drawn in three dimensions. Taught in chapter 11.

A chair is a handful of upright prisms, boxes and cylinders. The camera is far away and looks down on them, so all rays
of a column of pixels lie in one upright plane. Where they enter and leave a prism's footprint depends on the column
alone, where they meet its top and its bottom on the row alone. So a ray enters a prism at the later of two depths and
leaves it at the earlier of two, and the nearest prism is seen.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import check_all, check_count

LEGS = ("four legs", "sled", "star", "disc", "panels")
BACKS = ("solid", "slats", "ladder", "tub")

FAR = 4.0  # beyond every chair, in depths of a seat
BEHIND = (1 << 30) + 255  # farther than any packed depth, and white
REACH = 1.32  # from the picture's middle to its edge, in depths of a seat


@dataclass(frozen=True)
class Chairs:
    """Grey chairs on white in the style of the rendered 3D Chairs, from eight known factors.

    `sample` draws them uniformly and independently:

    - azimuth: degrees, one of 31 views a full turn; at 0 the chair faces the camera, at 90 its back is on the left
    - elevation: of the camera, 20 or 30 degrees
    - legs, back, arms: classes of `LEGS` and `BACKS`, and 0 or 1
    - size, height, width: of the whole chair 0.7 to 1, of the back 0.4 to 1, of the seat 0.7 to 1.3,
      the last two in depths of the seat

    The projection is parallel, the light comes from the upper left of the camera; a pixel is the mean of four rays,
    rounded to one of 256 greys. The canvas is `size` pixels wide and high; `sample` draws from a `number` of chairs,
    always the same, or from all (None); ValueError unless both are whole numbers ≥ 1. Source: Figure 4b of the paper;
    Aubry et al. 2014 for the style; chapter 11.
    """

    size: int = 64
    number: int | None = None

    channels: ClassVar[int] = 1
    factors: ClassVar[tuple[str, ...]] = ("azimuth", "elevation", "legs", "back", "size", "height", "width", "arms")
    categories: ClassVar[tuple[str, ...]] = ("legs", "back", "arms")
    ranges: ClassVar[tuple[tuple[float, float], ...]] = (
        (-math.inf, math.inf), (1, 89), (0, len(LEGS) - 1), (0, len(BACKS) - 1), (0.7, 1), (0.4, 1), (0.7, 1.3), (0, 1),
    )  # fmt: skip
    # where continuous factors are cut into classes: low, high, parts; the 31 views each in the middle of a part
    cuts: ClassVar[dict[str, tuple[float, float, int]]] = {
        "azimuth": (-180 / 31, 360 - 180 / 31, 31), "elevation": (15, 35, 2), "size": (0.7, 1.0, 10),
        "height": (0.4, 1.0, 10), "width": (0.7, 1.3, 10),
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_count("size", self.size)
        if self.number is not None:
            check_count("number", self.number)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, 1, size, size), 1 is white, and their factors (n, 8)."""
        check_count("n", n)
        device = getattr(generator, "device", torch.device("cpu"))
        if self.number is None:
            factors = self._spread(torch.rand(8, n, generator=generator, device=device))
        else:
            factors = self.chairs.to(device)[torch.randint(self.number, (n,), generator=generator, device=device)]
        return self._draw(factors), factors

    def _spread(self, uniform: Tensor) -> Tensor:
        """Factors (n, 8) from uniform numbers (8, n) in [0, 1)."""
        azimuth, elevation, legs, back, size, height, width, arms = uniform
        return torch.stack([
            (31 * azimuth).floor() * (360 / 31), 20 + 10 * (2 * elevation).floor(),
            (len(LEGS) * legs).floor(), (len(BACKS) * back).floor(),
            0.7 + 0.3 * size, 0.4 + 0.6 * height, 0.7 + 0.6 * width, (2 * arms).floor(),
        ], dim=1)  # fmt: skip

    @cached_property
    def chairs(self) -> Tensor:
        """Factors (number, 8) of a finite set's chairs."""
        return self._spread(torch.rand(8, self.number, generator=torch.Generator().manual_seed(0)))

    def render(self, factors: Tensor) -> Tensor:
        """Images (n, 1, size, size) of factors (n, 8), as in `sample`, but azimuth may be any and elevation 1 to 89;
        ValueError if the shape is another, a factor is outside its range, or a class is no whole number."""
        if factors.ndim != 2 or factors.shape[1] != 8:
            raise ValueError(f"factors must have shape (n, 8), one column a factor, got {tuple(factors.shape)}")
        for name, (low, high), column in zip(self.factors, self.ranges, factors.T, strict=True):
            check_all(name, column, column.isfinite() & (column >= low) & (column <= high), f"in [{low:g}, {high:g}]")
            if name in self.categories:
                check_all(name, column, column == column.round(), f"a class, a whole number from {low} to {high}")
        return self._draw(factors.float())

    def _draw(self, factors: Tensor) -> Tensor:
        # few at a time on a CPU, so that they stay in its cache; sorted by their number of prisms, because a block goes
        # through as many as its richest chair has
        parts = prisms(factors)
        order = _there(parts).sum(1).argsort(stable=True)
        block = 8 if factors.device.type == "cpu" else 1024
        images = torch.cat([self._draw_block(factors[some], parts[some]) for some in order.split(block)])
        return images[order.argsort()]

    def _draw_block(self, factors: Tensor, parts: Tensor) -> Tensor:
        side = 2 * self.size
        rays = REACH * ((torch.arange(side, device=factors.device) + 0.5) / self.size - 1)
        there = _there(parts)
        first = there.int().argsort(dim=1, descending=True, stable=True)[:, : there.sum(1).amax()]
        parts = parts.take_along_dim(first[..., None], dim=1)
        elevation = torch.deg2rad(factors[:, 1])
        sides, backs, tops, bottoms = _depths(parts, elevation, rays)
        nearest = torch.full((len(factors), side, side), BEHIND, dtype=torch.int32, device=rays.device)
        enter, leave = torch.empty_like(nearest), torch.empty_like(nearest)
        missed = torch.empty_like(nearest, dtype=torch.bool)
        for k in range(parts.shape[1]):  # in place: three times as fast as with new tensors
            torch.maximum(sides[:, k, None], tops[:, k, :, None], out=enter)
            torch.minimum(backs[:, k, None], bottoms[:, k, :, None], out=leave)
            torch.ge(enter, leave, out=missed)
            torch.minimum(nearest, enter.masked_fill_(missed, BEHIND), out=nearest)
        return F.avg_pool2d((nearest & 255)[:, None].float(), 2).round() / 255


def prisms(factors: Tensor) -> Tensor:
    """The prisms of chairs (n, 8), turned by their azimuth: (n, prisms, 9), lengths in depths of a seat.

    The columns: x (right), y (away from the camera), half the extent along its own two axes, the turn of these axes
    (radians), lowest and highest z (up; the floor of a chair of size 1 is at −0.95), 1 for a cylinder (whose first half
    extent is its radius), and the grey of its material. A prism that a chair lacks has its lowest z above its highest.
    """
    azimuth, _, legs, back, size, height, width, arms = factors.unbind(1)
    w, one = width / 2, torch.ones_like(width)

    def prism(*box: Tensor | float, turn: float = 0.0, cylinder: float = 0.0, grey: float = 1.0) -> Tensor:
        x, y, a, b, low, high = box
        return torch.stack([one * value for value in (x, y, a, b, turn, low, high, cylinder, grey)], dim=1)

    def choose(kinds: list[list[Tensor]], which: Tensor) -> Tensor:
        slots = max(len(kind) for kind in kinds)
        none = prism(0, 0, 0, 0, 1, -1)
        table = torch.stack([torch.stack(kind + [none] * (slots - len(kind)), 1) for kind in kinds], 1)
        return table[torch.arange(len(which), device=which.device), which.long()]

    seat, leg = 0.97, partial(prism, grey=0.72)  # height above the floor; legs are darker
    sides = (w - 0.05, 0.05 - w)
    four = [leg(x, y, 0.05, 0.05, 0, 0.85) for x in sides for y in (-0.45, 0.45)]
    sled = [leg(x, 0, 0.04, 0.5, 0, 0.08) for x in sides] + [leg(x, -0.46, 0.04, 0.04, 0, 0.85) for x in sides]
    sled += [leg(0, 0.46, w, 0.04, 0, 0.08)]
    column = leg(0, 0, 0.07, 0.07, 0.05, 0.85, cylinder=1)
    spokes = [2 * math.pi * k / 5 for k in range(5)]
    star = [column, *(leg(-0.25 * math.sin(t), 0.25 * math.cos(t), 0.05, 0.25, 0, 0.1, turn=t) for t in spokes)]
    disc = [column, leg(0, 0, 0.42, 0.42, 0, 0.06, cylinder=1)]
    panels = [leg(x, 0, 0.04, 0.48, 0, 0.85) for x in sides]

    top = seat + height
    posts = [prism(x, 0.45, 0.05, 0.05, seat, top) for x in sides]
    slats = posts + [prism(x * w, 0.45, 0.045, 0.03, seat, top) for x in (-0.45, 0.0, 0.45)]
    slats += [prism(0, 0.45, w, 0.05, top - 0.14, top)]
    rungs = [seat + at * height for at in (0.36, 0.68, 1.0)]
    ladder = posts + [prism(0, 0.45, w, 0.04, rung - 0.07, rung) for rung in rungs]
    arc = [math.pi * (0.1 + 0.8 * (k + 0.5) / 8) for k in range(8)]
    tub = [prism(w * math.cos(t), 0.5 * math.sin(t), 0.1, 0.04, seat, top, turn=t + math.pi / 2) for t in arc]

    rests = [prism(x, -0.05, 0.05, 0.42, seat + 0.24, seat + 0.31) for x in sides]
    rests += [prism(x, -0.4, 0.05, 0.05, seat, seat + 0.24) for x in sides]
    parts = torch.cat([
        prism(0, 0, w, 0.5, 0.85, seat)[:, None],
        choose([four, sled, star, disc, panels], legs),
        choose([[prism(0, 0.45, w, 0.05, seat, top)], slats, ladder, tub], back),
        choose([[], rests], arms),
    ], dim=1)  # fmt: skip

    x, y, a, b, turn, low, high, cylinder, grey = parts.unbind(2)
    angle, size = torch.deg2rad(azimuth)[:, None], size[:, None]
    x, y = angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y
    x, y, a, b = (size * length for length in (x, y, a, b))
    low, high = size * (low - 0.95), size * (high - 0.95)
    return torch.stack([x, y, a, b, turn + angle, low, high, cylinder, grey], dim=2)


def _there(parts: Tensor) -> Tensor:
    """Which prisms a chair has, (n, prisms)."""
    return parts[..., 6] > parts[..., 5]


def _depths(parts: Tensor, elevation: Tensor, rays: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Depth at which rays meet prisms, packed: of each column entry and exit of the footprint, of each row of the top
    and the bottom; (n, prisms, rays) each, int32, a grey value in the eight lowest bits of the entries."""
    x, y, a, b, turn, low, high, cylinder, grey = parts[..., None].unbind(2)
    down, slope = elevation.cos()[:, None, None], elevation.sin()[:, None, None]

    # the upright plane of a column is a line u = const in the floor, along y; the two slabs of a box, and a circle
    u = rays - x
    c, s = (torch.where(v.abs() < 1e-6, 1e-6, v) for v in (turn.cos(), turn.sin()))
    near1, far1 = torch.stack([(-a - c * u) / s, (a - c * u) / s]).aminmax(dim=0)
    near2, far2 = torch.stack([(-b + s * u) / c, (b + s * u) / c]).aminmax(dim=0)
    chord = (a.square() - u.square()).clamp_min(0).sqrt()
    hit = u.abs() < a
    first = torch.where(near1 > near2, _light(-c * s.sign(), -s.abs(), 0 * s), _light(s * c.sign(), -c.abs(), 0 * c))
    around = _light(u / a, -chord / a, torch.zeros_like(u))
    is_round = cylinder > 0
    enter = torch.where(is_round, torch.where(hit, -chord, FAR), torch.maximum(near1, near2)) + y
    leave = torch.where(is_round, torch.where(hit, chord, -FAR), torch.minimum(far1, far2)) + y
    side = torch.where(is_round, around, first)

    up = -rays
    top, bottom = (up - high * down) / slope, (up - low * down) / slope
    lid = _light(0 * top, 0 * top, 0 * top + 1)
    return _pack(enter, side * grey), _pack(leave), _pack(top, lid * grey), _pack(bottom)


def _light(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Brightness of a face with this normal: some light from everywhere, the rest from the upper left."""
    return 0.25 + 0.62 * (-0.45 * x - 0.6 * y + 0.66 * z).clamp_min(0)


def _pack(depth: Tensor, grey: Tensor | float = 0.0) -> Tensor:
    levels = ((depth.clamp(-FAR, FAR) + FAR) * (1 << 18)).int()
    return (levels << 8) + (255 * torch.as_tensor(grey)).round().int()
