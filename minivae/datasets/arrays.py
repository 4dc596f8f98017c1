"""Your own pictures in an array, NumPy's or PyTorch's. Taught in chapter 7."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
        factors: known of each picture, (n, factors); the scores want whole numbers. None: nothing is known.
        names: of the factors; factor0, factor1, … if none are given.
        scale_to: side in pixels that square pictures are scaled to, antialiased; None: as they are.
        pad_to: side in pixels that pictures are brought to by black all around; None: as they are.

    Raises:
        ValueError: if shape, kind or values of an array do not fit, or pictures are not square in the end.
    """

    channels: int
    size: int
    factors: tuple[str, ...]
    content: str  # digest of the pictures

    def __init__(
        self, images: Any, factors: Any = None, names: Sequence[str] = (), *, scale_to: int | None = None,
        pad_to: int | None = None,
    ) -> None:  # fmt: skip
        pictures, said = _read(_tensor(images))
        if pad_to is not None:
            check_count("pad_to", pad_to, least=max(pictures.shape[2:]))
            right, below = (pad_to - side for side in (pictures.shape[3], pictures.shape[2]))
            pictures = F.pad(pictures, (right // 2, right - right // 2, below // 2, below - below // 2))
            said += f", padded to {pad_to} × {pad_to}"
        height, width = pictures.shape[2:]
        if height != width:
            raise ValueError(f"pictures must be square, got {height} × {width} pixels: crop them, or give pad_to")
        if scale_to is not None and scale_to != width:
            check_count("scale_to", scale_to)
            blocks = [_scaled(block, scale_to) for block in pictures.split(1024)]
            pictures, said = torch.cat(blocks), said + f", scaled to {scale_to} × {scale_to}"
        known = _known(factors, len(pictures))
        names = tuple(names) or tuple(f"factor{i}" for i in range(known.shape[1]))
        if len(names) != known.shape[1] or len(set(names)) != len(names):
            raise ValueError(f"names must be {known.shape[1]} different ones, one a factor, got {names}")
        content = hashlib.blake2b(pictures.numpy(), digest_size=16).hexdigest()
        self._set(pictures.shape[1], pictures.shape[2], names, content, pictures, known, said)

    def _set(self, *values: Any) -> None:
        names = ("channels", "size", "factors", "content", "_pictures", "_known", "_said")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def described(cls, channels: int, size: int, factors: tuple[str, ...], content: str) -> "Arrays":
        """What a run file says of pictures, without them."""
        arrays = cls.__new__(cls)
        arrays._set(channels, size, tuple(factors), content, None, None, "the pictures are not at hand")
        return arrays

    def __repr__(self) -> str:
        return f"Arrays({self._said}; digest {self.content})"

    def __len__(self) -> int:
        return len(self._held())

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n pictures, on the generator's device.

        Returns:
            images (n, channels, size, size) in [0, 1] and what is known of each, (n, factors).

        Raises:
            ValueError: if n < 1, or this is what a run file says of pictures that are not at hand.
        """
        check_count("n", n)
        pictures = self._held()
        device = generator.device if generator is not None else torch.device("cpu")
        index = torch.randint(len(pictures), (n,), generator=generator, device=device).cpu()
        return _light(pictures[index]).to(device), self._known[index].to(device)

    def _held(self) -> Tensor:
        if self._pictures is None:
            raise ValueError(f"the pictures with digest {self.content} are not at hand: Run.load(…, data=Arrays(…))")
        return self._pictures


def _tensor(values: Any) -> Tensor:
    if isinstance(values, np.ndarray):  # PyTorch reads no foreign order of bytes and no negative stride
        values = np.array(values, values.dtype.newbyteorder("="), order="C")
    return torch.as_tensor(values).detach().cpu()


def _read(array: Tensor) -> tuple[Tensor, str]:
    """Pictures (n, channels, H, W), uint8 or float32, and what was done to get them."""
    shape = tuple(array.shape)
    first, last = len(shape) == 4 and shape[1] in (1, 3), len(shape) == 4 and shape[3] in (1, 3)
    if len(shape) == 3:
        array, order = array[:, None], "(n, H, W)"
    elif first and not last:
        order = "(n, channels, H, W)"
    elif last and not first:
        array, order = array.permute(0, 3, 1, 2), "(n, H, W, channels)"
    else:
        raise ValueError(f"images must be (n, H, W), (n, 1 or 3, H, W) or (n, H, W, 1 or 3), got {shape}")
    if not array.numel():
        raise ValueError(f"images must hold at least one picture, got {shape}")
    low, high = array.min().item(), array.max().item()
    how = ""
    if array.dtype == torch.bool:
        array = array.float()
    elif array.dtype == torch.uint8:
        how = ", 255 is white"
        if high <= 1:
            raise ValueError("images are uint8 of 0 and 1: give them as bool, or times 255, so that 1 is white")
    elif not array.is_floating_point():
        raise ValueError(f"images must be bool, uint8 or floats, got {array.dtype}")
    elif not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"images of floats must lie in [0, 1], got {low:g} to {high:g}: divide by what white is")
    else:
        array = array.float()
    n, channels, height, width = array.shape
    kind = "grey" if channels == 1 else "RGB"
    return array.contiguous(), f"{n:,} {kind} pictures of {height} × {width} pixels, read as {order}{how}"


def _light(pictures: Tensor) -> Tensor:
    return pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures


def _scaled(pictures: Tensor, size: int) -> Tensor:
    return F.interpolate(_light(pictures), (size, size), mode="bilinear", antialias=True).clamp(0, 1)


def _known(factors: Any, n: int) -> Tensor:
    known = torch.zeros(n, 0) if factors is None else _tensor(factors)
    if known.ndim != 2 or len(known) != n:
        raise ValueError(f"factors must be (n, factors) of the same {n:,} pictures, got {tuple(known.shape)}")
    return known
