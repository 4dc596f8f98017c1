"""An array of a published npz or HDF5 file, a block at a time: as a whole it may not fit into memory."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from minivae.engine.files import open_hdf5

Check = Callable[[str, tuple[int, ...], np.dtype], None]  # of name, shape and type; raises ValueError


def blocks(path: Path, name: str, rows: int, check: Check) -> Iterator[np.ndarray]:
    """So many rows at a time of the array of a name, "a/b" in HDF5 and "a_b" in an npz.

    Raises ValueError if the file is neither, lacks the array or ends too early, or as `check` does; pickled parts are
    never read. To be called within `files.reading`.
    """
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
