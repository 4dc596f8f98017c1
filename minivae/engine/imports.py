"""Pictures from files: published archives or a folder of your own, made into one HDF5 file, and the data set on it.

`import_pictures` reads a folder, zip or tar a block of pictures at a time, so that a million take hardly more memory
than a thousand, and keeps what it has done beside the output: after an interruption, even a kill, the same command goes
on where it was. Taught in chapter 7.
"""

import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any, ClassVar, NamedTuple

import h5py
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm.auto import tqdm

from minivae._arguments import check_count, check_positive
from minivae.engine.files import CHECKED, check_output, claim, open_hdf5, placed_atomically, reason

FORMAT, VERSION = "minivae pictures", 1
SIZE = 64
BLOCK = 256  # pictures from one note of progress to the next,
BLOCK_BYTES = 64 << 20  # or fewer, when their files come to this
LARGEST = 64 << 20  # bytes of a picture's file; a zip's own table can promise any number
# of Pillow's formats those of pictures: no PostScript, which is a program, and no films
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = tuple(sorted(end for end, kind in Image.registered_extensions().items() if kind in _FORMATS))
FORMATS = [kind for kind in _FORMATS if kind in Image.OPEN]  # which this Pillow was built with
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # of TIFF's tags
SIXTEEN = 65_535  # white of 16 bits
# beside all that begins with a dot: folders and files in which no picture is meant
ASIDE = {
    "__macosx": "a Mac's notes on the files", "@eadir": "thumbnails", "thumbs.db": "thumbnails", "#recycle": "trash",
    "@recycle": "trash", "$recycle.bin": "trash", "recycler": "trash", "lost+found": "trash",
}  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """Pictures of a file that `import_pictures` made, read from the disk as they are asked for.

    Args:
        path: of the HDF5 file; opened when the first picture is asked for. `Pictures.open(path)` opens it at once.
        channels: 1 grey, 3 RGB, as the file has them.
        content: a digest of the pictures, by which a run knows them again wherever the file lies; "" if not yet known.

    Attributes:
        factors: names of what is known of every picture, e.g. ("model", "azimuth", "elevation"); often none.
        names: of the files, in the order of the pictures.
    """

    path: str = field(compare=False)
    channels: int = 3
    content: str = ""

    size: ClassVar[int] = SIZE

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))  # a text, so that a run file can hold it

    @classmethod
    def open(cls, path: str | Path) -> "Pictures":
        """The pictures of a file, with as many channels as it has.

        Raises:
            FileNotFoundError: if there is no such file.
            OSError: if it cannot be read; the reason is the system's.
            ValueError: if it is damaged or no file of pictures.
        """
        return cls(os.path.abspath(path), _open(Path(path)).images.shape[1]).identified()

    def identified(self) -> "Pictures":
        """The same pictures, by a path that holds in every working folder, and known by their content.

        Raises:
            as `sample`.
        """
        return replace(self, path=os.path.abspath(self.path), content=self._file.content)

    @cached_property
    def _file(self) -> "_File":
        file = _open(Path(self.path))
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
        return self._file.columns

    @property
    def names(self) -> list[str]:
        return self._file.names

    def __len__(self) -> int:
        return len(self._file.images)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n pictures uniformly, with replacement, on the generator's device.

        Returns:
            images (n, channels, 64, 64) in [0, 1] and what is known of each, (n, factors).

        Raises:
            FileNotFoundError: if there is no such file.
            OSError: if it cannot be read; the reason is the system's.
            ValueError: if n < 1, or the file is damaged or holds other pictures than `content` says.
        """
        check_count("n", n)
        device = generator.device if generator is not None else torch.device("cpu")
        return self.pick(torch.randint(len(self), (n,), generator=generator, device=device))

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures at these places (n,), and what is known of them, on the index's device; as `sample`.

        Raises:
            ValueError: if an index is outside [0, len).
        """
        images, known = self._file.images, self._file.known
        if index.ndim != 1 or not ((index >= 0) & (index < len(images))).all():
            raise ValueError(f"index must be whole numbers (n,) in [0, {len(images)})")
        rows = index.cpu().numpy()
        return (torch.from_numpy(images[rows]).to(index.device).float() / 255,
                torch.from_numpy(known[rows]).to(index.device))  # fmt: skip


@dataclass
class Report:
    """What `import_pictures` did.

    Attributes:
        out: the file that was written.
        pictures: how many it holds.
        resumed: how many of them were there from an interrupted import.
        duplicates: files left out because another is the same byte for byte: (name, name of the other).
        unreadable: files left out because they are no whole picture: (name, reason).
        skipped: what was not looked into: (name, reason). Hidden files and folders, thumbnails and trash, a folder with
            all that is in it as one; links that lead nowhere, to a folder or within an archive; devices and pipes;
            folders that may not be opened; a second entry of one name in an archive.
        others: number of files that were none of the pictures looked for.
        notes: what a reader should know, e.g. that an archive is smaller than the published one.

    Every entry of the source but the folders that are looked into is in one of these:
    pictures + duplicates + unreadable + skipped + others.
    """

    out: Path
    pictures: int = 0
    resumed: int = 0
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    others: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """How a published set of pictures is laid out.

    Args:
        channels: 1 grey, 3 RGB.
        crop: side of the central square that is kept, in pixels of the original; None for the largest square.
        pattern: of the files' names; others are passed over.
        known: names of what a file's name (or the partition's list) says of a picture.
        whole: pictures of the published archive; 0 if there is no such number.
    """

    channels: int
    crop: int | None
    pattern: str
    known: tuple[str, ...] = ()
    whole: int = 0


LAYOUTS = {
    "chairs": Layout(
        1, 400, r"(?:.*/)?([^/]+)/renders/image_\d{3}_p(\d{3})_t(\d{3})_r\d{3}\.png", ("model", "azimuth", "elevation"),
        1393 * 62,
    ),
    "celeba": Layout(3, 148, r"(?:.*/)?(\d{6})\.(?:jpg|jpeg|png)", ("partition",), 202_599),
    "folder": Layout(3, None, rf".*(?:{'|'.join(map(re.escape, SUFFIXES))})"),
}  # fmt: skip


def import_pictures(
    kind: str,
    source: str | Path,
    out: str | Path,
    channels: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    white: float | None = None,
) -> Report:
    """Make one HDF5 file of the pictures in a folder, zip or tar: cropped to a central square, 64×64, uint8.

    Every picture is turned as its camera noted, put on white where it is transparent, cropped, and made smaller by
    Pillow's antialiased bilinear filter. Files that are the same byte for byte are taken once; files that cannot be
    read are left out; both are named. What is done is kept in `OUT.part` and `OUT.part.log` until the file is whole.

    Eight bits or fewer a channel are read as they are (grey, palette, RGB, CMYK, YCbCr, LAB, with or without alpha),
    and of several frames or pages the first. Of more bits it must be known how bright white is. In a file of 16 bits
    it is 65,535, but many hold 12 bits and do not tell: if no picture of the import is brighter than half of white, you
    are asked. Floats and whole numbers of 32 bits say nothing, so they are left out unless you say it: `white`. So are
    values outside 0 to white. Names that are no UTF-8 get `\\udcXX` in place of each such byte.

    Args:
        kind: "chairs" (rendered_chairs, central 400 pixels, grey), "celeba" (img_align_celeba, central 148, RGB; with
            list_eval_partition.txt in the folder or beside the source each picture knows its partition), or "folder"
            (any pictures, largest central square, RGB).
        source: folder, zip or tar (also compressed).
        out: HDF5 file to write; `Pictures.open(out)` reads it.
        channels: 1 for grey, 3 for RGB, if not the kind's own.
        overwrite: replace `out` if it exists.
        progress: show a bar.
        white: value of white in grey pictures of more than 8 bits: 4095 for 12 bits in 16, 1 for floats from 0 to 1.

    Raises:
        ValueError: if the kind or channels are unknown, the archive is damaged, has names that climb out of it, or
            holds no picture of the kind, or if 16-bit pictures may be darker than they were.
        FileNotFoundError: if there is no such source.
        FileExistsError: if out exists and overwrite is False.
        OSError: if a file cannot be read or written, or another import is writing it; what was done by then is kept,
            and the same call goes on.

    Source: Figure 4b and appendix A.2 of the paper name the sets; the crops are the customary ones.
    """
    if kind not in LAYOUTS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(LAYOUTS)}")
    layout, source, out = LAYOUTS[kind], Path(source), Path(out)
    channels = layout.channels if channels is None else channels
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels!r}")
    if white is not None:
        check_positive("white", white)
    if not source.exists():
        raise FileNotFoundError(f"no file or folder {source}: data/README.md says where to get the pictures")
    check_output(out, overwrite)
    partition = _partition(source) if kind == "celeba" else None

    report = Report(out)
    pattern = re.compile(layout.pattern, re.IGNORECASE | re.DOTALL)
    settings = {"kind": kind, "channels": channels, "source": str(source.resolve()), "version": VERSION, "white": white}
    with (
        claim(out),
        _Progress(out, settings, channels * SIZE * SIZE) as done,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        report.resumed = done.pictures
        block: list[tuple[str, bytes | str]] = []

        def take() -> None:
            done.add(block, pool.map(lambda item: _picture(item[1], layout.crop, channels, white), block))
            block.clear()

        for name, read in tqdm(_entries(source), source.name, unit="file", disable=not progress, mininterval=0.5):
            if isinstance(read, str):
                report.skipped.append((name, read))
            elif not pattern.fullmatch(name):
                report.others += 1
            elif name not in done.seen:
                block.append((name, _bytes(read)))
                if len(block) == BLOCK or sum(len(content) for _, content in block) > BLOCK_BYTES:
                    take()
        take()
        report.pictures, report.duplicates, report.unreadable = done.pictures, done.duplicates, done.unreadable
        if not done.pictures:
            raise ValueError(f"no pictures of kind {kind} in {source}: {_looked_for(kind, report)}")
        if white is None and 0 < done.brightest <= SIXTEEN // 2:
            raise ValueError(
                f"the 16-bit pictures in {source} get no brighter than {done.brightest:,} of {SIXTEEN:,}, as pictures "
                f"of fewer bits would: say what white is, white={2 ** done.brightest.bit_length() - 1} (--white), or "
                f"white={SIXTEEN} if they are as dark as that"
            )
        if done.several:
            report.notes.append(f"{done.several:,} files hold several frames or pages: the first of each is taken")
        known, names = _known(kind, pattern, done.kept, partition)
        if kind == "celeba" and partition is None:
            report.notes.append("no list_eval_partition.txt in or beside the source: the partition is not known")
        if unlisted := int(np.isnan(known).any(1).sum()):
            report.notes.append(f"{unlisted:,} pictures are not in list_eval_partition.txt: their partition is NaN")
        if 0 < done.pictures + len(report.duplicates) < layout.whole:
            report.notes.append(f"the published set has {layout.whole:,} pictures, this source {done.pictures:,}")
        about = {**settings, "crop": layout.crop or "largest square", "resize": "Pillow, bilinear, antialiased",
                 "duplicates": len(report.duplicates), "unreadable": len(report.unreadable)}  # fmt: skip
        _finish(out, overwrite, done, channels, known, names, about)
    return report


class _RefusedError(ValueError):
    """A picture that cannot be read without a guess; the message says why and what to do."""


class _NoPicturesError(ValueError):
    """A file that is not what `import_pictures` makes; the message names it and says why."""


class _Progress:
    """What an import has done: the pictures one after another in `OUT.part`, a line on every file in `OUT.part.log`."""

    def __init__(self, out: Path, settings: dict[str, Any], size: int) -> None:
        self.pixels, self.log = (out.with_name(out.name + end) for end in (".part", ".part.log"))
        self.size = size
        self.seen: set[str] = set()
        self.kept: list[str] = []
        self.duplicates: list[tuple[str, str]] = []
        self.unreadable: list[tuple[str, str]] = []
        self.brightest = 0  # of the 16-bit pictures
        self.several = 0  # files of more than one picture
        self._digests: dict[bytes, int] = {}
        self._settings = json.dumps(settings)
        lines = self._whole_lines()
        anew = self.log.with_name(self.log.name + ".tmp")  # without what a cut-off tore
        anew.write_text("".join(line + "\n" for line in [self._settings, *lines]))
        os.replace(anew, self.log)
        self._pixels_file = open(self.pixels, "ab")
        self._pixels_file.truncate(self.pictures * size)
        self._log_file = open(self.log, "a")

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._pixels_file.close()
        self._log_file.close()
        if kind is None or issubclass(kind, ValueError) or not self.seen:  # done, in vain, or not begun
            self.pixels.unlink(missing_ok=True)
            self.log.unlink(missing_ok=True)

    @property
    def pictures(self) -> int:
        return len(self.kept)

    def _whole_lines(self) -> list[str]:
        """The lines of an interrupted import's log whose pictures are there; none if its settings were others."""
        if not (self.log.is_file() and self.pixels.is_file()):
            return []
        there = self.pixels.stat().st_size // self.size
        whole = []
        with open(self.log, encoding="utf-8", errors="replace") as file:
            if file.readline().rstrip("\n") != self._settings:
                return []
            for line in file:
                try:
                    note = json.loads(line) if line.endswith("\n") else None
                except ValueError:
                    note = None
                if not isinstance(note, dict) or ("digest" in note and self.pictures == there):
                    break
                self._take(note)
                whole.append(line.rstrip("\n"))
        return whole

    def _take(self, note: dict[str, Any]) -> None:
        name = note["name"]
        self.seen.add(name)
        if "digest" in note:
            self._digests[bytes.fromhex(note["digest"])] = len(self.kept)
            self.kept.append(name)
            self.brightest = max(self.brightest, note.get("brightest", 0))
            self.several += note.get("frames", 1) > 1
        elif "same" in note:
            self.duplicates.append((name, note["same"]))
        else:
            self.unreadable.append((name, note["why"]))

    def add(
        self, files: list[tuple[str, bytes | str]], pictures: Iterable[tuple[np.ndarray, dict[str, int]] | str]
    ) -> None:
        """Take a block of files and what became of them: a picture and what to tell of it, or why there is none."""
        notes = []
        for (name, content), picture in zip(files, pictures, strict=True):
            if isinstance(picture, str):
                note = {"name": name, "why": picture}
            else:
                pixels, told = picture
                digest = hashlib.blake2b(content, digest_size=16).digest()
                if digest in self._digests:
                    note = {"name": name, "same": self.kept[self._digests[digest]]}
                else:
                    note = {"name": name, "digest": digest.hex(), **told}
                    self._pixels_file.write(pixels.tobytes())
            self._take(note)
            notes.append(json.dumps(note) + "\n")
        # the pictures first: a line in the log means that its picture is there
        self._pixels_file.flush()
        os.fsync(self._pixels_file.fileno())
        self._log_file.writelines(notes)
        self._log_file.flush()


def _entries(source: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]] | str]]:
    """Names within the source, with / between folders, and how to read each or why it is skipped; the order is always
    the same. What lies aside comes once, whatever is in it."""
    names: set[str] = set()
    within = source.relative_to(source.parent) if source.is_dir() else PurePosixPath()
    for path, read in _everything(source):
        aside, reason = _aside(path)
        # a name that is no UTF-8 could be neither printed nor sent to a browser
        name = (within / aside).as_posix().encode("utf-8", "backslashreplace").decode()
        if reason is None and name in names:
            yield name, "a second entry of this name: the first is taken"
        elif name not in names:
            names.add(name)
            yield name, reason or read


def _aside(path: PurePath) -> tuple[PurePath, str | None]:
    """The outermost folder on the path, or the file itself, in which no picture is meant, and why; else the path."""
    for i, part in enumerate(path.parts, 1):
        reason = "hidden" if part.startswith(".") else ASIDE.get(part.casefold())
        if reason is not None:
            return type(path)(*path.parts[:i]), reason
    return path, None


def _everything(source: Path) -> Iterator[tuple[PurePath, Callable[[], IO[bytes]] | str]]:
    """Path within the source of every file, and of all else but plain folders, and how to read it or why that cannot
    be. Folders that lie aside are not gone into."""
    if source.is_dir():
        os.listdir(source)  # if that is impossible there is nothing to be told but this
        closed: list[OSError] = []
        for folder, folders, files in os.walk(source, onerror=closed.append):
            place = Path(folder).relative_to(source)
            folders.sort()
            apart = [name for name in folders if _aside(Path(name))[1] or os.path.islink(os.path.join(folder, name))]
            folders[:] = [name for name in folders if name not in apart]
            for name in sorted([*files, *apart]):
                yield place / name, _reader(Path(folder, name))
        for error in closed:
            yield Path(error.filename).relative_to(source), f"cannot be opened: {error.strerror}"
    elif zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                for entry in archive.infolist():
                    _check_name(source, entry.filename)
                for entry in archive.infolist():
                    if not entry.is_dir():
                        link = entry.create_system == 3 and stat.S_ISLNK(entry.external_attr >> 16)  # 3 is Unix
                        yield _path(entry.filename), _LINK if link else lambda entry=entry: archive.open(entry)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f"{source} is a damaged zip ({error}): get it again") from error
    elif tarfile.is_tarfile(source):
        try:
            with tarfile.open(source) as archive:
                for entry in archive:
                    _check_name(source, entry.name)
                    if entry.isfile():
                        yield _path(entry.name), lambda entry=entry: archive.extractfile(entry)
                    elif not entry.isdir():
                        yield _path(entry.name), _LINK if entry.issym() or entry.islnk() else _NO_FILE
                    archive.members = []  # tarfile remembers every entry: forget, there may be a million
        except (tarfile.TarError, EOFError, OSError) as error:
            damaged = ValueError(f"{source} is a damaged tar ({error}): get it again")
            raise reason(error, source, damaged) from error
    else:
        raise ValueError(f"{source} is neither a folder nor a zip nor a tar: give one of these")


_LINK = "a link in an archive, which is not followed: the file itself is taken where it lies"
_NO_FILE = "no file but a device or a pipe"


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _reader(path: Path) -> Callable[[], IO[bytes]] | str:
    if os.path.isfile(path):
        return lambda: open(path, "rb")
    if not os.path.islink(path):
        return _NO_FILE
    return "a link to a folder: import that folder by itself" if os.path.isdir(path) else "a link that leads to no file"


def _check_name(source: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise ValueError(
            f"{source} has an entry {name!r} that climbs out of the archive: it is refused, get it elsewhere"
        )


def _bytes(read: Callable[[], IO[bytes]]) -> bytes | str:
    """The content of a file, or why there is none."""
    try:
        with read() as file:
            content = file.read(LARGEST + 1)
    except (OSError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        return f"cannot be read: {error}"
    return content if len(content) <= LARGEST else f"larger than {LARGEST >> 20} MB"


def _picture(
    content: bytes | str, crop: int | None, channels: int, white: float | None
) -> tuple[np.ndarray, dict[str, int]] | str:
    """A file's picture as (channels, 64, 64) uint8 and what is to be told of it, or why there is none."""
    if isinstance(content, str):
        return content
    told = {}
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if (frames := getattr(image, "n_frames", 1)) > 1:
                told["frames"] = frames
            if crop is None:
                image.draft(None, (4 * SIZE, 4 * SIZE))  # a large JPEG at a fraction of its size
            sixteen = ";16" in str(image.tile)  # known only before the pixels are read
            if image.mode.startswith(("I", "F")):
                image, brightest = _grey(image, white)
            else:
                image = ImageOps.exif_transpose(image)
                brightest = _brightest_of_colour(image, white) if sixteen else None
            if brightest is not None:
                told["brightest"] = brightest
            if image.has_transparency_data:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
            image = image.convert("RGB")
            if channels == 1:
                image = image.convert("L")  # not at once: LAB cannot
    except _RefusedError as error:
        return str(error)
    except Exception as error:  # Pillow's readers raise whatever a torn file makes of them
        return f"{type(error).__name__}: {error}"
    width, height = image.size
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        return f"{width}×{height} pixels, too small for a crop of {side}"
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(SIZE, SIZE, channels).transpose(2, 0, 1), told


def _grey(image: Image.Image, white: float | None) -> tuple[Image.Image, int | None]:
    """A picture of one channel of more than 8 bits as one of 8, and its greatest value if only its being of 16 bits
    says what white is."""
    tags = image.tag_v2 if image.format == "TIFF" else {}
    stated = None
    if image.mode.startswith("I;16"):
        stated = 2 ** tags.get(BITS_PER_SAMPLE, (16,))[0] - 1
    elif image.mode == "I" and not tags:  # Pillow's reading of 16 bits in a PNG, before version 11, and in a PGM
        stated = SIXTEEN
    top = stated if white is None else white
    if top is None:
        raise _RefusedError(
            "floats and whole numbers of 32 bits do not say how bright white is: import again with white=1 (--white 1) "
            "for values from 0 to 1, with 255, 4095 or whatever it is, or make 8 bits of them first"
        )
    transparent = image.info.get("transparency")
    values = np.asarray(ImageOps.exif_transpose(image), np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= top):  # NaN neither
        raise _RefusedError(
            f"values from {low:g} to {high:g}, expected 0 (black) to {top:g} (white): say another white (--white)"
        )
    grey = (values * (255 / top)).round().astype(np.uint8)
    if tags.get(PHOTOMETRIC) == 0:  # white is 0, which Pillow minds in 8 bits alone
        grey = 255 - grey
    if transparent is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey), int(high) if white is None and stated == SIXTEEN else None


def _brightest_of_colour(image: Image.Image, white: float | None) -> int:
    """Greatest value of a colour of 16 bits, of which Pillow reads the upper eight."""
    if white not in (None, SIXTEEN):
        raise _RefusedError(
            f"16 bits a colour, of which only the upper 8 are read: no white of {white:g}; make 8 bits of it first"
        )
    colours = zip(image.getbands(), image.getextrema(), strict=True)
    return 257 * max(high for band, (_, high) in colours if band != "A")


def _partition(source: Path) -> dict[str, int] | None:
    """CelebA's list of partitions, name → 0 training, 1 validation, 2 test; None where there is no list."""
    places = [source / "list_eval_partition.txt"] if source.is_dir() else []
    for path in [*places, source.parent / "list_eval_partition.txt"]:
        if path.is_file():
            lines = path.read_text(errors="replace").split("\n")
            rows = [line.split() for line in lines if line.strip()]
            if not rows or not all(len(row) == 2 and row[1] in ("0", "1", "2") for row in rows):
                raise ValueError(f"{path} must have lines such as '000001.jpg 0', partitions 0, 1 and 2: get it again")
            return {name.partition(".")[0]: int(number) for name, number in rows}
    return None


def _known(
    kind: str, pattern: re.Pattern, names: list[str], partition: dict[str, int] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """What is known of each picture, (n, factors) float32, and what the columns are called."""
    if kind == "chairs":
        rows, models = np.empty((len(names), 3), np.float32), {}
        for row, name in zip(rows, names, strict=True):
            model, elevation, azimuth = pattern.fullmatch(name).groups()
            # the names hold whole degrees, cut off: 011 for 360/31
            row[:] = models.setdefault(model, len(models)), round((int(azimuth) + 0.5) * 31 / 360) * 360 / 31, elevation
        return rows, LAYOUTS[kind].known
    if kind == "celeba" and partition is not None:
        found = [partition.get(pattern.fullmatch(name).group(1), math.nan) for name in names]
        return np.array(found, np.float32)[:, None], LAYOUTS[kind].known
    return np.empty((len(names), 0), np.float32), ()


def _looked_for(kind: str, report: Report) -> str:
    what = {
        "chairs": "looked for MODEL/renders/image_NNN_pPPP_tTTT_rRRR.png",
        "celeba": "looked for 000001.jpg and so on",
        "folder": f"looked for {', '.join(SUFFIXES)}",
    }[kind]
    bad = ""
    if report.unreadable:
        bad = f", of which {len(report.unreadable)} could not be read, such as {': '.join(report.unreadable[0])}"
    return f"{what}, found {report.others + len(report.unreadable) + len(report.skipped)} other files{bad}"


def _finish(
    out: Path, overwrite: bool, done: _Progress, channels: int, known: np.ndarray, columns: tuple[str, ...],
    about: dict[str, Any],
) -> None:  # fmt: skip
    """Write the HDF5 file, at once or not at all."""
    kept = f"what was read is kept in {done.pixels.name}, the same command goes on from there,"
    with placed_atomically(out, overwrite, kept) as beside:
        try:
            # without HDF5's own lock, which some file systems lack: nobody else writes here, see `claim`
            with h5py.File(beside, "w", libver=CHECKED, locking=False) as file:
                file.attrs["format"], file.attrs["version"] = np.bytes_(FORMAT), VERSION
                file.attrs["content"] = np.bytes_(_digest(np.memmap(done.pixels, np.uint8, "r")))
                file.attrs["about"] = np.bytes_(json.dumps(about))
                table = file.create_dataset("known", data=known)
                table.attrs["columns"] = np.bytes_(json.dumps(columns))
                file.create_dataset("names", data=np.frombuffer(json.dumps(done.kept).encode(), np.uint8))
                # in one piece and not packed, so that single pictures can be read where they lie; only the room for
                # them is made here, as HDF5 cannot be trusted to tell of a full disk
                plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                shape = h5py.h5s.create_simple((done.pictures, channels, SIZE, SIZE))
                offset = h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, shape, plan).get_offset()
        except RuntimeError as error:  # HDF5's word for a full disk at the end
            raise OSError(error) from error
        with open(beside, "r+b") as place, open(done.pixels, "rb") as pixels:
            place.seek(offset)
            shutil.copyfileobj(pixels, place)


class _File(NamedTuple):
    """A file of pictures: what is known of each, what the columns of that are called, the files' names, a digest."""

    images: np.ndarray
    known: np.ndarray
    columns: tuple[str, ...]
    names: list[str]
    content: str


def _open(path: Path) -> _File:
    if not path.is_file():
        raise FileNotFoundError(
            f"no file {path}: make it with python -m minivae data import (data/README.md), or say where it is now, "
            "--data FILE or Run.load(…, data=FILE)"
        )
    try:
        with open_hdf5(path) as file:
            return _read(path, file)
    except _NoPicturesError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        foreign = _NoPicturesError(
            f"{path} is damaged or was not made by python -m minivae data import ({error}): make it again"
        )
        raise reason(error, path, foreign) from error


def _read(path: Path, file: h5py.File) -> _File:
    if file.attrs.get("format") not in (FORMAT, FORMAT.encode()):
        raise _NoPicturesError(f"{path} holds no pictures: make a file with python -m minivae data import")
    if file.attrs["version"] != VERSION:
        raise _NoPicturesError(f"{path} has version {file.attrs['version']}, this minivae reads {VERSION}")
    images, known = file["images"], file["known"]
    shape, offset = images.shape, images.id.get_offset()
    whole = images.dtype == np.uint8 and len(shape) == 4 and shape[1] in (1, 3) and shape[2:] == (SIZE, SIZE)
    if not whole or shape[0] < 1 or offset is None or offset + math.prod(shape) > path.stat().st_size:
        raise _NoPicturesError(f"{path} is damaged: its pictures are {images.dtype} {shape}; make it again")
    columns = tuple(json.loads(known.attrs["columns"]))
    names = json.loads(bytes(file["names"][()]))
    if known.shape != (shape[0], len(columns)) or known.dtype != np.float32 or len(names) != shape[0]:
        raise _NoPicturesError(f"{path} is damaged: what it knows does not fit its {shape[0]} pictures; make it again")
    pixels = np.memmap(path, np.uint8, "r", offset, shape)
    content = file.attrs.get("content", b"")  # files of before it was noted
    return _File(pixels, known[()], columns, names, bytes(content).decode() or _digest(pixels))


def _digest(pixels: np.ndarray) -> str:
    return hashlib.blake2b(pixels, digest_size=16).hexdigest()
