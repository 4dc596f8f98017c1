"""3D Shapes and MPI3D, published as one array of pictures, made into a file of pictures with known factors.

Both hold every combination of their factors once, the last factor varying fastest, as RGB of 64 × 64 pixels. What is
known of a picture is the class of each factor, as the scores want it. `data/README.md` says where to get the files.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from tqdm.auto import tqdm

from minivae.engine.files import check_output, claim, open_hdf5, placed_atomically, reading, written
from minivae.engine.pictures import SIZE, write_pictures

BLOCK = 1_000  # pictures at a time, 12 MB
# kind → factor → classes; MPI3D was published with 4 colours and shapes and again with 6
LATTICES: dict[str, list[dict[str, int]]] = {
    "shapes3d": [{"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15}],
    "mpi3d": [
        {"object_color": n, "object_shape": n, "object_size": 2, "camera_height": 3, "background_color": 3,
         "horizontal_axis": 40, "vertical_axis": 40} for n in (4, 6)
    ],
}  # fmt: skip


def import_lattice(kind: str, source: Path, out: Path, overwrite: bool = False, progress: bool = True) -> int:
    """Make one file of pictures of a published array, `Pictures.open(out)` reads it; returns how many they are.

    Args:
        kind: "shapes3d" (3dshapes.h5) or "mpi3d" (an npz).
        source: the HDF5 or npz file, whose array `images` is read a block at a time.
        out: HDF5 file to write, 12,288 bytes a picture.
        overwrite: replace `out` if it exists.
        progress: show a bar.

    Raises:
        ValueError: if the file is damaged or its array is not of the kind.
        FileNotFoundError, FileExistsError: if there is no source, or if out exists and overwrite is False.
        OSError: if a file cannot be read or written, or another import is writing it; nothing is left behind.

    Source: Kim and Mnih 2018 (3D Shapes); Gondal et al. 2019 (MPI3D).
    """
    check_output(out, overwrite)
    with claim(out), TemporaryFile(dir=out.parent) as pixels:
        for block in tqdm(_blocks(kind, source), source.name, unit="block", disable=not progress, delay=0.5):
            with written(out):
                pixels.write(np.ascontiguousarray(block.transpose(0, 3, 1, 2)).tobytes())
        n = pixels.tell() // (3 * SIZE * SIZE)
        factors = next(lattice for lattice in LATTICES[kind] if math.prod(lattice.values()) == n)
        sizes = list(factors.values())
        known = np.stack(np.unravel_index(np.arange(n), sizes), axis=1).astype(np.float32)
        about = {"kind": kind, "channels": 3, "source": str(source.resolve())}
        names = [str(number) for number in range(n)]
        with placed_atomically(out, overwrite) as beside:
            write_pictures(beside, pixels, 3, known, list(factors), names, about)
    return n


def _blocks(kind: str, source: Path) -> Iterator[np.ndarray]:
    """The array of pictures a block at a time, because all may not fit into memory."""
    damaged, missing = f"is damaged or no {kind} as published, get it again", "data/README.md says where to get it"
    with reading(source, damaged, missing):
        open(source, "rb").close()  # an unreadable file says so itself
        with _npz(source) if zipfile.is_zipfile(source) else open_hdf5(source) as file:
            images = file["images"]
            wanted = [(math.prod(lattice.values()), SIZE, SIZE, 3) for lattice in LATTICES[kind]]
            if images.shape not in wanted or images.dtype != np.uint8:
                raise ValueError(f"its pictures are {images.dtype} {images.shape}")
            for start in range(0, len(images), BLOCK):
                yield images[start : start + BLOCK]


@contextmanager
def _npz(path: Path) -> Iterator[dict[str, Any]]:
    """The array `images` of an npz, to be cut into slices one after another, as a dataset of HDF5 is."""
    with zipfile.ZipFile(path) as archive, archive.open("images.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, column_order, dtype = read(stream)
        if column_order or dtype.hasobject:
            raise ValueError("its pictures lie in column order, or are pickled objects, which are never read")
        yield {"images": _Stream(stream, shape, dtype)}


@dataclass
class _Stream:
    stream: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        block = np.empty((min(rows.stop, len(self)) - rows.start, *self.shape[1:]), self.dtype)
        if self.stream.readinto(block) != block.nbytes:
            raise EOFError("its pictures end too early")
        return block
