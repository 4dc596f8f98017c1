"""The 737,280 pictures of dSprites, drawn from their geometry instead of read from a file. Taught in chapter 5.

Every shape is a polygon, so a row of pixels meets it in one interval or two. Only the ends of these intervals are kept,
24 MB for the whole data set, and a pixel is drawn by comparing it with them.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

from minivae._arguments import check_all, check_count


@dataclass(frozen=True)
class Sprites:
    """The lattice of dSprites: white sprites on black, 3 shapes × 6 scales × 40 orientations × 32 × 32 positions.

    Pictures are drawn by point sampling at pixel centres. Of the 320 published frames that the shapes were fitted to
    314 are met exactly, the others to within 3 pixels. Of 100 others 93 are met exactly, six to within one pixel, and
    a square to within seven. The geometry grows with the canvas's side `size`, in pixels, a whole number ≥ 1, else
    ValueError. Source: section 4.3 of the paper; Matthey et al. 2017 (the data set).
    """

    size: int = 64

    channels: ClassVar[int] = 1
    factors: ClassVar[tuple[str, ...]] = ("colour", "shape", "scale", "orientation", "x", "y")
    sizes: ClassVar[tuple[int, ...]] = (1, 3, 6, 40, 32, 32)
    categories: ClassVar[tuple[str, ...]] = ("shape",)
    symmetries: ClassVar[tuple[int, ...]] = (4, 2, 1)  # how often each shape looks the same within a full turn

    def __post_init__(self) -> None:
        check_count("size", self.size)

    def __len__(self) -> int:
        """Number of pictures, 737,280."""
        return math.prod(self.sizes)

    @property
    def values(self) -> dict[str, Tensor]:
        """The published value of every class of each factor, float64; orientation 0 and 39 are the same picture."""
        ends = (1, 1), (1, 3), (0.5, 1), (0, 2 * math.pi), (0, 1), (0, 1)
        each = zip(self.factors, ends, self.sizes, strict=True)
        return {name: torch.linspace(*end, size, dtype=torch.float64) for name, end, size in each}

    def classes(self, index: Tensor) -> Tensor:
        """Classes (n, 6) by the place (n,) in the published order, y fastest, whole and in range, else ValueError."""
        index = _whole("index", index)
        check_all("index", index, (index >= 0) & (index < len(self)), f"whole numbers (n,) in [0, {len(self)})")
        return self._unravel(index)

    def index(self, classes: Tensor) -> Tensor:
        """Place (n,) in the published order of classes (n, 6), whole numbers in their ranges, else ValueError."""
        if classes.ndim != 2 or classes.shape[1] != 6:
            raise ValueError(f"classes must have shape (n, 6), one column a factor, got {tuple(classes.shape)}")
        index = 0
        for name, size, column in zip(self.factors, self.sizes, _whole("classes", classes).T, strict=True):
            check_all(f"classes of {name}", column, (column >= 0) & (column < size), f"in [0, {size})")
            index = index * size + column
        return index

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, 1, size, size), of values 0 and 1, and their classes (n, 6), uniform on the lattice."""
        classes = self.sample_classes(n, generator)
        return self._draw(classes), classes

    def sample_classes(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The classes (n, 6) that `sample` draws, without the images."""
        check_count("n", n)
        device = getattr(generator, "device", "cpu")
        return self._unravel(torch.randint(len(self), (n,), generator=generator, device=device))

    def render(self, classes: Tensor) -> Tensor:
        """Images (n, 1, size, size) of classes (n, 6); raises as `index` does."""
        self.index(classes)  # raises
        return self._draw(classes.long())

    def _unravel(self, index: Tensor) -> Tensor:
        # torch.unravel_index would send the sizes to the device at every call, and wait
        sizes, strides = lattice(self.sizes, index.device)
        return index[:, None] // strides % sizes

    def _draw(self, classes: Tensor) -> Tensor:
        _, shape, scale, orientation, x, y = classes.unbind(1)
        edges = row_ends(self.size, classes.device)[shape, scale, orientation, y]  # n, size, 4
        across = columns(self.size, classes.device)[x][:, None]  # n, 1, size
        left, right, left2, right2 = edges[:, :, None].unbind(3)
        inside = (across > left) & (across < right) | (across > left2) & (across < right2)
        return inside[:, None].float()


@cache
def columns(size: int, device: torch.device) -> Tensor:
    """Where the centre of each column of pixels lies for each class of x, from the sprite's centre: (32, size)."""
    return (torch.arange(size) + 0.5 - size * (0.25 + 0.5 / 31 * torch.arange(32.0)[:, None])).to(device)


@cache
def lattice(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Of each factor the number of its classes, and how far apart two neighbours lie in the published order, (2, n)."""
    return torch.tensor([sizes, [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]], device=device)


@cache
def row_ends(size: int, device: torch.device) -> Tensor:
    """Where each row of pixels enters and leaves each sprite: (3, 6, 40, 32, size, 4), in pixels from its centre."""
    if device.type != "cpu":
        return row_ends(size, torch.device("cpu")).to(device)
    values = Sprites().values
    rows = torch.arange(size, dtype=torch.float64) + 0.5
    lines = (rows - size * (0.25 + 0.5 * values["y"][:, None])).flatten()
    table = torch.empty(3, 6, 40, len(lines), 4)
    for i, outline in enumerate(shapes()):
        for j, scale in enumerate(values["scale"]):
            for k, angle in enumerate(values["orientation"]):
                c, s = scale * angle.cos(), scale * angle.sin()
                turned = outline @ torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
                table[i, j, k] = crossings(turned * (size / 64), lines)
    return table.view(3, 6, 40, 32, size, 4)


def shapes() -> list[Tensor]:
    """The outlines at scale 1 and orientation 0: corners (n, 2), columns u (right) and v (down) from the centre of
    rotation, in pixels of 64. The numbers of square, ellipse and heart were fitted to 320 published frames."""
    square = 19.199 / 2 * torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
    t = 2 * math.pi * torch.arange(72, dtype=torch.float64) / 72
    ellipse = torch.stack([12.775 * t.sin(), 7.22 * t.cos()], dim=1)
    t = 2 * math.pi * torch.arange(240, dtype=torch.float64) / 240
    curve = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    heart = torch.stack([9.595 * t.sin() ** 3, -1.4375 - 10.595 / 16 * curve], dim=1)
    return [square, ellipse, heart]


def crossings(corners: Tensor, lines: Tensor) -> Tensor:
    """The x where horizontal lines of given y (lines,) enter and leave a polygon with corners (n, 2), columns x, y:
    (lines, 4), rising, +inf where they do not; ValueError if a line meets it more than four times."""
    ends = corners.roll(-1, 0)
    # half-open: a line through a corner counts one of the two edges that meet there
    line, edge = ((corners[:, 1] <= lines[:, None]) != (ends[:, 1] <= lines[:, None])).nonzero(as_tuple=True)
    start, run = corners[edge], (ends - corners)[edge]
    x = start[:, 0] + (lines[line] - start[:, 1]) * run[:, 0] / run[:, 1]
    order = x.argsort()
    order = order[line[order].argsort(stable=True)]  # by line, and by x within a line
    counts = line.bincount(minlength=len(lines))
    if counts.max() > 4:
        raise ValueError(f"a line may meet the outline at most 4 times, got {int(counts.max())}")
    rank = torch.arange(len(x)) - (counts.cumsum(0) - counts)[line]  # `line` comes sorted from nonzero
    found = torch.full((len(lines), 4), math.inf, dtype=corners.dtype)
    found[line, rank] = x[order]
    return found


def _whole(name: str, values: Tensor) -> Tensor:
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ValueError(f"{name} must be whole numbers, got {values.dtype}")
    return values.long()
