"""Arrays of published npz and HDF5 files, a block at a time, and 3D Shapes and MPI3D made into files of pictures."""

import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile

import h5py
import numpy as np
from tqdm.auto import tqdm

from minivae.engine.files import check_output, claim, open_hdf5, reading, written
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
    """Make one file of pictures of 3dshapes.h5 ("shapes3d") or an npz of MPI3D ("mpi3d"); returns their number.

    Their array `images` is RGB of 64×64 and holds every combination of the factors once, the last varying fastest.
    What is known of a picture is the class of each factor. Raises as `import_pictures`.
    Source: Kim and Mnih 2018 (3D Shapes); Gondal et al. 2019 (MPI3D).
    """

    def check(name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape not in [(math.prod(lattice.values()), SIZE, SIZE, 3) for lattice in LATTICES[kind]] or dtype != "u1":
            raise ValueError(f"its pictures are {dtype} {shape}")

    def read() -> Iterator[np.ndarray]:
        damaged, missing = f"is damaged or no {kind} as published, get it again", "data/README.md says where to get it"
        with reading(source, damaged, missing):
            yield from blocks(source, "images", BLOCK, check)

    check_output(out, overwrite)
    with claim(out), TemporaryFile(dir=out.parent) as pixels:
        for block in tqdm(read(), source.name, unit="block", disable=not progress, delay=0.5):
            with written(out):
                pixels.write(np.ascontiguousarray(block.transpose(0, 3, 1, 2)).tobytes())
        n = pixels.tell() // (3 * SIZE * SIZE)
        factors = next(lattice for lattice in LATTICES[kind] if math.prod(lattice.values()) == n)
        classes = np.stack(np.unravel_index(np.arange(n), tuple(factors.values())), axis=1).astype(np.float32)
        about = {"kind": kind, "channels": 3, "source": str(source.resolve())}
        write_pictures(out, pixels, 3, classes, list(factors), [str(i) for i in range(n)], about, overwrite)
    return n


Check = Callable[[str, tuple[int, ...], np.dtype], None]  # of name, shape and type; raises ValueError


def blocks(path: Path, name: str, rows: int, check: Check) -> Iterator[np.ndarray]:
    """So many rows at a time of an array that may not fit into memory, called "a/b" in HDF5 and "a_b" in an npz, whose
    pickled parts are never read. To be called within `files.reading`, and raises ValueError or EOFError."""
    open(path, "rb").close()  # an unreadable file says so itself
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from _of_npz(archive, name.replace("/", "_"), rows, check)
    elif h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            array = file.get(name)
            if not isinstance(array, h5py.Dataset):
                raise ValueError(f"it has no array {name}")
            check(name, array.shape, array.dtype)
            for start in range(0, len(array), rows):
                yield array[start : start + rows]
    else:
        raise ValueError("it is neither an npz nor an HDF5 file")


def _of_npz(archive: zipfile.ZipFile, name: str, rows: int, check: Check) -> Iterator[np.ndarray]:
    if f"{name}.npy" not in archive.namelist():
        raise ValueError(f"it has no array {name}")
    with archive.open(f"{name}.npy") as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"array {name} is not in npy format 1.0")
        shape, column_order, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.hasobject:
            raise ValueError(f"array {name} holds pickled objects, which are never read")
        check(name, shape, dtype)
        if column_order:
            raise ValueError(f"array {name} lies in column order, expected row order")
        for start in range(0, shape[0], rows):
            block = np.empty((min(rows, shape[0] - start), *shape[1:]), dtype)
            if stream.readinto(block) != block.nbytes:
                raise EOFError(f"{name} ends too early")
            yield block
