"""The published dSprites, with the interface of the rendered sprites. See data/README.md for the file."""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import torch
from torch import Tensor

from minivae.datasets.sprites import Sprites, lattice
from minivae.engine.files import check_output, reading, write_atomically
from minivae.engine.published import blocks

BLOCK = 23_040  # pictures at a time: a chunk of the published HDF5 file, 94 MB before packing


@dataclass(frozen=True)
class DSprites(Sprites):
    """The published dSprites, a bit a pixel in memory (378 MB): the same as `Sprites`, but for pictures as published.
    They are read when the first is asked for, and that raises as `dsprites(path)`, which reads at once."""

    path: str = field(compare=False)  # of the npz or HDF5 file
    content: str = ""  # a digest, by which a run knows the pictures again wherever the file lies; "" if not yet known

    size: ClassVar[int] = 64

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))  # a text, so that a run file can hold it

    @cached_property
    def bits(self) -> Tensor:
        """All pictures, eight pixels a byte: (737280, 512) uint8."""
        path, missing = Path(self.path), "data/README.md says where to get dSprites and where to put it"
        with reading(path, "is damaged or no dSprites file, get it again", missing):
            bits = _pack(blocks(path, "imgs", BLOCK, _check), blocks(path, "latents/classes", BLOCK, _check))
        if self.content not in ("", found := _digest(bits)):
            raise ValueError(
                f"{path} holds other pictures (digest {found}) than the run was trained on (digest {self.content}): "
                "give the file of those, Run.load(…, data=FILE)"
            )
        return torch.from_numpy(bits)

    def identified(self) -> "DSprites":
        """The same pictures, by a path that holds in every working folder, and known by their content."""
        found = replace(self, path=os.path.abspath(self.path), content=_digest(self.bits.numpy()))
        found.__dict__["bits"] = self.bits  # read once
        return found

    @cached_property
    def _placed(self) -> dict[torch.device, Tensor]:
        """The bits, by the device that they were asked for on: from then on it draws without waiting."""
        return {self.bits.device: self.bits}

    def _draw(self, classes: Tensor) -> Tensor:
        place = classes.device
        if place not in self._placed:
            self._placed[place] = self.bits.to(place)
        rows = self._placed[place].index_select(0, (classes * lattice(self.sizes, place)[1]).sum(1))
        shifts = torch.arange(7, -1, -1, device=place, dtype=torch.uint8)
        return ((rows[:, :, None] >> shifts) & 1).view(-1, 1, 64, 64).float()


def dsprites(path: str | Path) -> DSprites:
    """Read the published dSprites, `dsprites_ndarray_*.npz` or its HDF5 form. Raises as `files.reading`, ValueError if
    it is damaged, is no dSprites, or lacks an array."""
    dataset = DSprites(path)
    dataset.bits  # noqa: B018  read now, so that a bad file is heard of here
    return dataset


def export(path: str | Path) -> Path:
    """Write the rendered sprites in the published HDF5 layout: /imgs, /latents/classes and /latents/values. Raises as
    `files.write_atomically`; an existing file is never replaced."""
    path = Path(path)
    check_output(path, overwrite=False)
    sprites, content = Sprites(), io.BytesIO()
    classes = sprites.classes(torch.arange(len(sprites)))
    columns = [value[column] for value, column in zip(sprites.values.values(), classes.T, strict=True)]
    with h5py.File(content, "w") as file:
        file.create_dataset("latents/classes", data=classes.numpy(), compression="gzip")
        file.create_dataset("latents/values", data=torch.stack(columns, 1).double().numpy(), compression="gzip")
        images = file.create_dataset("imgs", (len(sprites), 64, 64), "u1", chunks=(1024, 64, 64), compression="gzip",
                                     compression_opts=1)  # fmt: skip
        for start in range(0, len(sprites), BLOCK):
            block = sprites.render(classes[start : start + BLOCK])[:, 0]
            images[start : start + BLOCK] = block.to(torch.uint8).numpy()
    return write_atomically(path, content.getbuffer(), overwrite=False)


def _check(name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    row, kind = ((64, 64), "uint") if name == "imgs" else ((6,), "int")
    wanted = (len(Sprites()), *row)
    if shape != wanted or dtype.kind != kind[0]:
        raise ValueError(f"{name} is {dtype} {shape}, expected {kind} {wanted}")


def _pack(pictures: Iterator[np.ndarray], classes: Iterator[np.ndarray]) -> np.ndarray:
    """Pixels as bits, of blocks whose classes are in the published order."""
    bits, start = np.empty((len(Sprites()), 512), np.uint8), 0
    for block, found in zip(pictures, classes, strict=True):
        end = start + len(block)
        if not np.array_equal(found, Sprites().classes(torch.arange(start, end)).numpy()):
            raise ValueError(f"the classes are not in the published order from picture {start} on")
        if block.max() > 1:
            raise ValueError(f"pixels must be 0 or 1, got {block.max()}")
        bits[start:end] = np.packbits(block.reshape(len(block), -1), axis=1)
        start = end
    return bits


def _digest(bits: np.ndarray) -> str:
    return hashlib.blake2b(bits, digest_size=16).hexdigest()
