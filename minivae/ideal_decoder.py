"""Factors sent through noisy channels, and their optimal decoder E[x | z], exactly. Taught in chapter 5."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import check_all, check_choice
from minivae.codes import at_class_0, class_numbers, moments, symmetric_orientation
from minivae.datasets import Blobs, Sprites


class SpriteChannels:
    """Sprites sent factor by factor, zᵢ = aᵢ·fᵢ + εᵢ with noise of variance 1, and their optimal decoder.

    For a Bernoulli decoder the best reconstruction is E[x | z]. The belief p(f | z) is a product over the factors, so
    E[x | z] is a weighted mean of the 720 sprites at one place, moved by two weighted shifts. For that the sprites are
    put at whole pixels, at most half a pixel from where they belong; `exact` weights all 737,280 pictures instead.

    Args:
        mean: "centred", or "raw" to send the factors as published, with their mean; else ValueError.
        codes: other values to send for a factor: for x and y a value of each class (32,), for the others one of each
            sprite (3, 6, 40) or what broadcasts to it, e.g. an orientation that depends on the shape; ValueError if the
            factor is unknown, or the code constant or not finite.
        centroid: send as x and y the place of the sprite's centroid, to the nearest pixel, instead of that of the point
            about which it turns; `exact` has no such pictures. Source: chapter 5.
    """

    factors = Sprites.factors[1:]  # colour never varies
    most = 40.0  # nats of a factor, beyond which float32 has no amplitude

    def __init__(self, mean: str = "centred", codes: dict[str, Tensor] | None = None, centroid: bool = False) -> None:
        check_choice("mean", mean, ("centred", "raw"))
        self._dataset = Sprites()
        shapes = {"shape": (3, 1, 1), "scale": (1, 6, 1), "orientation": (1, 1, 40)}
        values = {name: self._dataset.values[name].view(shapes.get(name, -1)) for name in self.factors}
        for name, code in (codes or {}).items():
            check_choice("a factor of codes", name, self.factors)
            values[name] = torch.as_tensor(code, dtype=torch.float64)
        offset, signals = [], []
        for name, f in values.items():
            want = (3, 6, 40) if name in shapes else (32,)
            try:
                f = f.expand(want).flatten()
            except RuntimeError:
                raise ValueError(f"the code of {name} must broadcast to shape {want}, got {tuple(f.shape)}") from None
            if not (torch.isfinite(f).all() and f.max() > f.min()):
                raise ValueError(f"the code of {name} must be finite and not constant")
            variance = f.var(correction=0)
            signals.append(((f - f.mean()) / variance.sqrt()).float())
            offset.append(f.mean().square() / variance * (mean == "raw"))
        self.offset = torch.stack(offset).float()  # μ²/v of every factor, (5,): the cost of its mean, see `amplitudes`
        # of mean 0 and variance 1: of each sprite's shape, scale and orientation (720, 3), of x and y (32, 1)
        self.signals = torch.stack(signals[:3], dim=1), signals[3][:, None], signals[4][:, None]

        # the sprites at class 0 of x and y, whose centre lies on a corner of pixels, cut to what they cover
        pictures, self._centroid = at_class_0(self._dataset), centroid
        if centroid:
            offsets = moments()["centroid"].flatten(0, 2).flip(1).round().long()
            pictures = torch.stack([p.roll((-o).tolist(), (0, 1)) for p, o in zip(pictures, offsets, strict=True)])
        covered = torch.cat([pictures.amax((0, 1)).nonzero(), pictures.amax((0, 2)).nonzero()])
        first, side = int(covered.min()), int(covered.max() - covered.min()) + 1
        self.templates = pictures[:, first : first + side, first : first + side]  # 720, side, side
        # one-hot, (32, 64, side): where a template's rows (or columns) go for each class of y (or x)
        place = torch.arange(side) + first + (torch.arange(32) * 32 / 31).round().long()[:, None]
        self.shift = F.one_hot(place, 64).transpose(1, 2).float()

    def draw(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 64, 64) at whole pixels and their signals (n, 5), from points in the unit cube (n, 5)."""
        sprite, x, y = self._classes(points)
        pictures = self.shift[y] @ self.templates[sprite] @ self.shift[x].transpose(1, 2)
        return pictures, torch.cat([self.signals[0][sprite], self.signals[1][x], self.signals[2][y]], dim=1)

    def decode(self, z: Tensor, amplitude: Tensor) -> Tensor:
        """E[x | z] (n, 64, 64) of z (n, 5), when the signals are sent with these amplitudes (5,)."""
        sprite, x, y = self._beliefs(z, amplitude)
        picture = torch.tensordot(sprite, self.templates, 1)  # n, side, side
        rows, columns = torch.tensordot(y, self.shift, 1), torch.tensordot(x, self.shift, 1)  # n, 64, side
        return rows @ picture @ columns.transpose(1, 2)

    def exact(self, points: Tensor, noise: Tensor, amplitude: Tensor) -> tuple[Tensor, Tensor]:
        """True pictures and E[x | z] at z = amplitude·signal + noise, each (n, 64, 64), over the whole lattice.

        Points in the unit cube and normal noise are (n, 5), the amplitude (5,). Classes with a belief of less than 1e-9
        are left out; a hundred points take up to half a minute. ValueError if the channels send the centroid.
        """
        if self._centroid:
            raise ValueError("channels of the centroid know their pictures to the nearest pixel only: use decode")
        _, signals = self.draw(points)
        beliefs = self._beliefs(amplitude * signals + noise, amplitude)
        likely = torch.cartesian_prod(*((belief > 1e-9).any(0).nonzero().flatten() for belief in beliefs))
        mean = torch.zeros(len(points), 64 * 64)
        for some in likely.split(23_040):
            weight = beliefs[0][:, some[:, 0]] * beliefs[1][:, some[:, 1]] * beliefs[2][:, some[:, 2]]
            mean += weight @ self._render(*some.unbind(1)).flatten(1)
        return self._render(*self._classes(points)), mean.view(-1, 64, 64)

    def points(self, classes: Tensor) -> Tensor:
        """Points in the unit cube (n, 5) that stand for classes (n, 6)."""
        return (classes[:, 1:] + 0.5) / torch.tensor(Sprites.sizes[1:])

    def _render(self, sprite: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return self._dataset.render(self._dataset.classes((sprite * 32 + x) * 32 + y))[:, 0]

    def _classes(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        sizes = torch.tensor(Sprites.sizes[1:])
        shape, scale, orientation, x, y = (points * sizes).long().minimum(sizes - 1).unbind(1)
        return (shape * 6 + scale) * 40 + orientation, x, y

    def _beliefs(self, z: Tensor, amplitude: Tensor) -> list[Tensor]:
        """p(sprite | z) (n, 720), p(x | z) and p(y | z) (n, 32)."""
        parts = zip(z.split((3, 1, 1), dim=1), self.signals, amplitude.split((3, 1, 1)), strict=True)
        return [torch.softmax(-0.5 * (seen[:, None] - f * a).square().sum(2), dim=1) for seen, f, a in parts]


def moment_channels() -> SpriteChannels:
    """Channels that send area, width against height, slant and centroid in place of the five factors."""
    seen = moments()
    codes = {"scale": seen["root area"], "shape": seen["wide"], "orientation": seen["slant"]}
    return SpriteChannels("centred", codes, centroid=True)


class BlobChannels:
    """Blobs whose x and y are sent as zᵢ = aᵢ·fᵢ + εᵢ with noise of variance 1, and their optimal decoder.

    A blob is a column times a row, and so is E[x | z]: each is a mean over the belief p(f | z), by quadrature.
    Raises ValueError unless the blobs' domain is the square, where x and y are independent. Source: chapters 4 and 5.
    """

    factors = ("x", "y")
    most = 6.0  # nats of a factor, beyond which the quadrature is too coarse
    offset = torch.zeros(2)  # positions are sent without their mean

    def __init__(self, blobs: Blobs) -> None:
        if blobs.domain != "square":
            raise ValueError(f"x and y are independent on the square domain only, got {blobs.domain!r}")
        self._blobs = blobs
        nodes = (torch.arange(1024) + 0.5) / 1024  # midpoints: belief and bump are smooth, cut off only at the rim
        self._signal = math.sqrt(12) * (nodes - 0.5)
        centres = torch.arange(blobs.size) + 0.5
        position = blobs.margin + 2 * blobs.half_width * nodes
        self._bumps = torch.exp(-0.5 * ((centres - position[:, None]) / blobs.sigma).square())  # 1024, size

    def draw(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, size, size) and signals (n, 2) of mean 0 and variance 1, from points in the unit square."""
        positions = self._blobs.margin + 2 * self._blobs.half_width * points
        return self._blobs.render(positions)[:, 0], math.sqrt(12) * (points - 0.5)

    def decode(self, z: Tensor, amplitude: Tensor) -> Tensor:
        """E[x | z] (n, size, size) of z (n, 2), when the signals are sent with these amplitudes (2,)."""
        sent = self._signal * amplitude[:, None]  # 2, 1024
        row, column = torch.softmax(-0.5 * (z[:, :, None] - sent).square(), dim=2).unbind(1)
        return (column @ self._bumps)[:, :, None] * (row @ self._bumps)[:, None, :]


Channels = SpriteChannels | BlobChannels


def amplitudes(rates: Tensor, offset: Tensor | float = 0.0) -> Tensor:
    """Signal amplitude √((e^2R − 1)/(1 + offset)) at noise 1 of channels of these rates R in nats, of any shape.

    Scaled so that its KL is least, the channel z = a·f + ε of a factor with mean μ and variance v has the KL
    ½ log(1 + a²(1 + μ²/v)), a in units of √v. So a mean that is sent, an offset μ²/v, costs nats. Source: chapter 5.
    """
    return (torch.expm1(2 * rates) / (1 + offset)).sqrt()


def distortion(channels: Channels, rates: Tensor, points: Tensor) -> Tensor:
    """−log p(x|z) in nats, (n,), of pictures that are sent through channels and drawn by the optimal decoder.

    Rates are the KL of each factor in nats, (factors,), from 0 to `channels.most`, differentiable above 0; points in
    the unit cube, (n, 2·factors), see `sobol`, stand for pictures and noise; else ValueError. Source: chapter 5.
    """
    factors = len(channels.factors)
    if rates.shape != (factors,) or points.shape[1:] != (2 * factors,):
        got = f"got {tuple(rates.shape)} and {tuple(points.shape)}"
        raise ValueError(f"rates must have shape ({factors},) and points (n, {2 * factors}), {got}")
    check_all("rates", rates, (rates >= 0) & (rates <= channels.most), f"in [0, {channels.most:g}] nats")
    pictures, noise = points.split(factors, dim=1)
    images, signals = channels.draw(pictures)
    amplitude = amplitudes(rates.to(points.dtype), channels.offset)
    p = channels.decode(amplitude * signals + torch.special.ndtri(noise), amplitude)
    return F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), images, reduction="none").sum((1, 2))


def sobol(channels: Channels, n: int, seed: int = 0) -> Tensor:
    """n points of a scrambled Sobol sequence for `distortion`: far less noise in the mean than from random ones."""
    engine = torch.quasirandom.SobolEngine(2 * len(channels.factors), scramble=True, seed=seed)
    return engine.draw(n, dtype=torch.float32).clamp(1e-6, 1 - 1e-6)  # as the templates, whatever the default type


# the curves of the course by name
LIMITS: dict[str, Callable[[], Channels]] = {
    "sprites-raw": lambda: SpriteChannels("raw"),
    "sprites-classes": lambda: SpriteChannels("raw", class_numbers()),
    "sprites-centred": lambda: SpriteChannels("centred"),
    "sprites-symmetric": lambda: SpriteChannels("centred", {"orientation": symmetric_orientation()}),
    "sprites-symmetric-centroid": lambda: SpriteChannels("centred", {"orientation": symmetric_orientation()}, True),
    "sprites-moments": moment_channels,
    "blobs": lambda: BlobChannels(Blobs()),
}
