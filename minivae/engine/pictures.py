"""Pictures in one HDF5 file, as `engine.imports` makes it, and the data set that reads them. Taught in chapter 12."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, ClassVar

import h5py
import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_count
from minivae.engine.files import CHECKED, open_hdf5, placed_atomically, reading

FORMAT, VERSION = "minivae pictures", 1
SIZE = 64


@dataclass(frozen=True)
class Pictures:
    """Pictures of a file that `import_pictures` made, read from the disk as they are asked for.
    `Pictures.open(path)` opens it at once, and takes the channels from it."""

    path: str = field(compare=False)  # of the HDF5 file
    channels: int = 3  # 1 grey, 3 RGB, as the file has them
    content: str = ""  # a digest, by which a run knows the pictures again wherever the file lies; "" if not yet known

    size: ClassVar[int] = SIZE

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))  # a text, so that a run file can hold it

    @classmethod
    def open(cls, path: str | Path) -> "Pictures":
        """The pictures of a file, with as many channels as it has. Raises as `files.reading`."""
        return cls(path, _read(Path(path)).images.shape[1]).identified()

    def identified(self) -> "Pictures":
        """The same pictures, by a path that holds in every working folder, and known by their content; as `open`."""
        return replace(self, path=os.path.abspath(self.path), content=self._file.content)

    @cached_property
    def _file(self) -> SimpleNamespace:
        file = _read(Path(self.path))
        if (channels := file.images.shape[1]) != self.channels:
            raise ValueError(
                f"{self.path} has pictures of {channels} channels, expected {self.channels}: use Pictures.open, or "
                f"import them again with --channels {self.channels}"
            )
        if self.content not in ("", file.content):
            raise ValueError(
                f"{self.path} holds other pictures ({len(file.images):,}, digest {file.content}) than the run was "
                f"trained on (digest {self.content}): give the file of those, --data FILE or Run.load(…, data=FILE)"
            )
        return file

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of what is known of every picture, e.g. ("model", "azimuth", "elevation"); often none."""
        return self._file.columns

    @property
    def names(self) -> list[str]:
        """Names of the files."""
        return self._file.names

    @property
    def held(self) -> tuple[Tensor, Tensor]:
        """All pictures, uint8, and what is known of each, in memory."""
        return torch.from_numpy(np.array(self._file.images)), torch.from_numpy(self._file.known)

    def __len__(self) -> int:
        return len(self._file.images)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n pictures uniformly, with replacement, on the generator's device: (n, channels, 64, 64) in [0, 1], and
        what is known of each, (n, factors). Raises as `open`, and ValueError if n < 1, or of another `content`."""
        check_count("n", n)
        device = getattr(generator, "device", "cpu")
        return self.pick(torch.randint(len(self), (n,), generator=generator, device=device))

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures at these places (n,), and what is known of them, on the index's device; as `sample`. Raises
        ValueError if an index is outside [0, len)."""
        images, known = self._file.images, self._file.known
        if index.ndim != 1 or not ((index >= 0) & (index < len(images))).all():
            raise ValueError(f"index must be whole numbers (n,) in [0, {len(images)})")
        rows = index.cpu().numpy()
        pictures, known = torch.from_numpy(images[rows]), torch.from_numpy(known[rows])
        return pictures.to(index.device).float() / 255, known.to(index.device)


def _read(path: Path) -> SimpleNamespace:
    """What a file holds: images (n, channels, 64, 64) uint8, known (n, columns) float32, columns, names, content."""
    command = "python -m minivae data import"
    missing = f"make it with {command}, or say where it is now, --data FILE or Run.load(…, data=FILE)"
    with reading(path, f"is damaged or was not made by {command}, make it again", missing), open_hdf5(path) as file:
        if file.attrs.get("format") not in (FORMAT, FORMAT.encode()) or file.attrs["version"] != VERSION:
            raise ValueError(f"it is no file of {FORMAT}, version {VERSION}")
        images, known = file["images"], file["known"]
        shape, offset = images.shape, images.id.get_offset()
        columns, names = tuple(json.loads(known.attrs["columns"])), json.loads(bytes(file["names"][()]))
        if (
            images.dtype != np.uint8 or shape[1:] not in ((1, SIZE, SIZE), (3, SIZE, SIZE)) or not 0 < shape[0]
            or offset is None or offset + math.prod(shape) > path.stat().st_size or len(names) != shape[0]
            or known.dtype != np.float32 or known.shape != (shape[0], len(columns))
        ):  # fmt: skip
            raise ValueError(f"its {images.dtype} pictures {shape} do not fit {len(names)} names, {known.shape} known")
        pixels = np.memmap(path, np.uint8, "r", offset, shape)
        noted = bytes(file.attrs.get("content", b"")).decode()
        content = noted or hashlib.blake2b(pixels, digest_size=16).hexdigest()  # older files do not note it
        return SimpleNamespace(images=pixels, known=known[()], columns=columns, names=names, content=content)


def write_pictures(
    out: Path, pixels: IO[bytes], channels: int, known: np.ndarray, columns: Sequence[str], names: list[str],
    about: dict[str, Any], overwrite: bool = False,
) -> None:  # fmt: skip
    """Write a file of pictures, which lie in `pixels` one after another, (n, channels, 64, 64) uint8, of what is known
    of each, (n, columns) float32, of their names, and of how they were made. Raises as `files.write_atomically`."""
    pixels.seek(0)
    content = hashlib.blake2b(digest_size=16)
    while block := pixels.read(1 << 20):
        content.update(block)
    with placed_atomically(out, overwrite) as path:
        try:
            # without HDF5's own lock, which some file systems lack: nobody else writes here, see `files.claim`
            with h5py.File(path, "w", libver=CHECKED, locking=False) as file:
                file.attrs["format"], file.attrs["version"] = np.bytes_(FORMAT), VERSION
                file.attrs["content"] = np.bytes_(content.hexdigest())
                file.attrs["about"] = np.bytes_(json.dumps(about))
                file.create_dataset("known", data=known).attrs["columns"] = np.bytes_(json.dumps(columns))
                file.create_dataset("names", data=np.frombuffer(json.dumps(names).encode(), np.uint8))
                # HDF5 only makes room for the pictures, in one piece: of a full disk it tells by breaking down
                plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                images = file.create_dataset("images", (len(names), channels, SIZE, SIZE), "u1", dcpl=plan)
                offset = images.id.get_offset()
        except RuntimeError as error:  # HDF5's word for a full disk at the end
            raise OSError(error) from error
        pixels.seek(0)
        with open(path, "r+b") as place:
            place.seek(offset)
            shutil.copyfileobj(pixels, place)
