"""3D Shapes and MPI3D, published as one array of pictures, made into a file of pictures with known factors.

Both hold every combination of their factors once, the last factor varying fastest, as RGB of 64 × 64 pixels. What is
known of a picture is the class of each factor, as the scores want it. `data/README.md` says where to get the files.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from tqdm.auto import tqdm

from minivae.engine.blocks import blocks
from minivae.engine.files import check_output, claim, placed_atomically, reading, written
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
    def check(name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape not in [(math.prod(lattice.values()), SIZE, SIZE, 3) for lattice in LATTICES[kind]] or dtype != "u1":
            raise ValueError(f"its pictures are {dtype} {shape}")

    damaged, missing = f"is damaged or no {kind} as published, get it again", "data/README.md says where to get it"
    with reading(source, damaged, missing):
        yield from blocks(source, "images", BLOCK, check)
