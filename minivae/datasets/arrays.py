"""Your own pictures in an array, NumPy's or PyTorch's. Taught in chapter 12."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import check_count


@dataclass(frozen=True, init=False)
class Arrays:
    """Pictures of an array, drawn uniformly with replacement. `repr` says how the array was read.

    A run keeps digest and settings, not the pictures: give them again to look at it, `Run.load(…, data=arrays)`.

    Args:
        images: (n, H, W), (n, 1 or 3, H, W) or (n, H, W, 1 or 3): bool, uint8 (255 is white) or floats in [0, 1].
        factors: what is known of each picture, (n, factors), if anything; the scores want whole numbers.
        names: of the factors; factor0, factor1, … if none are given.
        pad_to, scale_to: side in pixels to which pictures are padded with black all around, then scaled, antialiased.

    Raises ValueError if shape, kind or values of an array do not fit, or pictures are not square once padded.
    """

    channels: int
    size: int
    factors: tuple[str, ...]
    content: str  # digest of the pictures

    held: ClassVar[tuple[Tensor, ...]] = ()  # pictures and factors; none where only a run file describes them
    _said: ClassVar[str] = "the pictures are not at hand"

    def __init__(
        self, images: Any, factors: Any = None, names: Sequence[str] = (), *, scale_to: int | None = None,
        pad_to: int | None = None,
    ) -> None:  # fmt: skip
        pictures, said = _read(to_tensor(images))
        if pad_to is not None:
            check_count("pad_to", pad_to, least=max(pictures.shape[2:]))
            right, below = (pad_to - side for side in (pictures.shape[3], pictures.shape[2]))
            pictures = F.pad(pictures, (right // 2, right - right // 2, below // 2, below - below // 2))
            said += f", padded to {pad_to} × {pad_to}"
        n, channels, height, width = pictures.shape
        if height != width:
            raise ValueError(f"pictures must be square, got {height} × {width} pixels: crop them, or give pad_to")
        if scale_to is not None and scale_to != width:
            check_count("scale_to", scale_to)
            new = {"size": (scale_to, scale_to), "mode": "bilinear", "antialias": True}
            pictures = torch.cat([F.interpolate(_floats(block), **new) for block in pictures.split(1024)]).clamp(0, 1)
            said += f", scaled to {scale_to} × {scale_to}"
        known = torch.zeros(n, 0) if factors is None else to_tensor(factors)
        if known.ndim != 2 or len(known) != n:
            raise ValueError(f"factors must be (n, factors) of the same {n:,} pictures, got {tuple(known.shape)}")
        names = tuple(names) or tuple(f"factor{i}" for i in range(known.shape[1]))
        if len(names) != known.shape[1] or len(set(names)) != len(names):
            raise ValueError(f"names must be {known.shape[1]} different ones, one a factor, got {names}")
        content = hashlib.blake2b(pictures.numpy(), digest_size=16).hexdigest()
        self.__dict__.update(vars(self.described(channels, pictures.shape[2], names, content)))
        self.__dict__.update(held=(pictures, known), _said=said)

    @classmethod
    def described(cls, channels: int, size: int, factors: Sequence[str], content: str) -> "Arrays":
        """What a run file says of pictures, without them."""
        arrays = cls.__new__(cls)
        arrays.__dict__.update(channels=channels, size=size, factors=tuple(factors), content=content)
        return arrays

    def __repr__(self) -> str:
        return f"Arrays({self._said}; digest {self.content})"

    def __len__(self) -> int:
        if not self.held:
            raise ValueError(f"the pictures with digest {self.content} are not at hand: Run.load(…, data=Arrays(…))")
        return len(self.held[0])

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images (n, channels, size, size) and factors (n, factors); ValueError if only a run file describes them."""
        check_count("n", n)
        device = getattr(generator, "device", "cpu")
        index = torch.randint(len(self), (n,), generator=generator, device=device).cpu()
        pictures, known = self.held
        return _floats(pictures[index]).to(device), known[index].to(device)


def to_tensor(values: Any) -> Tensor:
    """PyTorch's or NumPy's values as a tensor on the CPU, without a gradient."""
    if isinstance(values, np.ndarray):  # PyTorch reads no foreign order of bytes and no negative stride
        values = np.array(values, values.dtype.newbyteorder("="), order="C")
    return torch.as_tensor(values).detach().cpu()


def _read(array: Tensor) -> tuple[Tensor, str]:
    """Pictures (n, channels, H, W), uint8 or float32, and what was done to get them."""
    shape = tuple(array.shape)
    of_channels = [axis for axis in (1, 3) if len(shape) == 4 and shape[axis] in (1, 3)]
    if len(shape) == 3:
        array, order = array[:, None], "(n, H, W)"
    elif of_channels == [1]:
        order = "(n, channels, H, W)"
    elif of_channels == [3]:
        array, order = array.movedim(3, 1), "(n, H, W, channels)"
    else:
        raise ValueError(f"images must be (n, H, W), (n, 1 or 3, H, W) or (n, H, W, 1 or 3), got {shape}")
    if not array.numel():
        raise ValueError(f"images must hold at least one picture, got {shape}")
    if array.dtype not in (torch.bool, torch.uint8) and not array.is_floating_point():
        raise ValueError(f"images must be bool, uint8 or floats, got {array.dtype}")
    low, high, greys = array.min().item(), array.max().item(), array.dtype == torch.uint8
    if greys and high <= 1:
        raise ValueError("images are uint8 of 0 and 1: give them as bool, or times 255, so that 1 is white")
    if not greys and not (low >= 0 and high <= 1):  # written so that NaN fails too
        cure = "take their normalisation back" if low < 0 else "divide by what white is"
        raise ValueError(f"images of floats must lie in [0, 1], got {low:g} to {high:g}: {cure}")
    n, channels, height, width = array.shape
    said = f"{n:,} {'grey' if channels == 1 else 'RGB'} pictures of {height} × {width} pixels, read as {order}"
    return (array.contiguous(), f"{said}, 255 is white") if greys else (array.float().contiguous(), said)


def _floats(pictures: Tensor) -> Tensor:
    return pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures
