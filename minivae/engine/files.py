"""Files that are read or written whole or not at all, and that one process writes at a time."""

import errno
import glob
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
from filelock import FileLock, Timeout

# an HDF5 file whose structure has checksums: damage to one that has none can make the library go round in circles
CHECKED = ("v110", "v110")
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # what flock says where there are none


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to read, through Python's own file: HDF5 would take a lock, which some file systems lack. Nobody
    needs it: what we write is renamed into its place when it is whole."""
    with open(path, "rb") as raw, h5py.File(raw, "r") as file:
        yield file


@contextmanager
def reading(path: Path, damaged: str, missing: str, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Make one error of whatever goes wrong while a file is read: FileNotFoundError, which says what to do if it is
    `missing`; OSError with the system's reason, if it gave one; else one of this kind, which says that it is `damaged`,
    and why."""
    if not path.exists():
        raise FileNotFoundError(f"no file {path}: {missing}")
    try:
        yield
    except Exception as error:  # readers raise whatever damage makes of them
        # a damaged file sends its reader to impossible places, which is EINVAL
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise kind(f"{path} {damaged} ({error})") from error


def check_output(path: Path, overwrite: bool) -> None:
    """Raise unless a file may be written at path: an existing file needs overwrite, the folder must be there."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, remove it, or ask for overwriting")
    if not path.parent.is_dir():
        what = "is a file: choose another" if path.parent.exists() else "does not exist: create it first"
        raise OSError(f"the folder {path.parent} {what}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} is not writable: choose another one")


@contextmanager
def claim(path: Path) -> Iterator[None]:
    """Take an exclusive lock on an output file while it is worked on; OSError if another process has it. What one that
    was killed left half-written goes. Without locks (some NFS and FUSE mounts) there is only a RuntimeWarning."""
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OSError(f"another process is writing {path} now: wait for it, or choose another file") from None
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
            raise
        Path(lock.lock_file).unlink(missing_ok=True)
        warnings.warn(
            f"the file system of {path} has no file locks ({error}): going on without one; let no other process write "
            "this file", RuntimeWarning, stacklevel=4,
        )  # fmt: skip
    try:
        if lock.is_locked:  # else what looks left behind may be another's, at work
            for torn in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
                torn.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):  # Windows removes it with the release
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def write_atomically(path: Path, content: bytes | memoryview, overwrite: bool) -> Path:
    """Write a file as `placed_atomically` does; returns its path."""
    with placed_atomically(path, overwrite) as beside, open(beside, "xb") as raw:
        raw.write(content)
    return path


@contextmanager
def placed_atomically(path: Path, overwrite: bool) -> Iterator[Path]:
    """The path of a file to write, beside its place, that is renamed into it in the end: whoever looks sees the old
    file, or the whole new one. Raises as `check_output`, and OSError if it cannot be written; leaves nothing behind."""
    check_output(path, overwrite)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with written(path):
            yield beside
            with open(beside, "r+b") as raw:
                os.fsync(raw.fileno())
            check_output(path, overwrite)
            os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Say of an error of the system which file could not be written, and what to do."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise OSError(
            f"could not write {path}: {error}. Free some space or choose another folder; nothing was left behind and "
            "an older file of that name is untouched"
        ) from error
