"""Pictures from files: published archives or a folder of your own, made into one HDF5 file. Taught in chapter 12.

Files are read a block at a time, so that a million take hardly more memory than a thousand.
"""

import hashlib
import io
import itertools
import os
import re
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageOps
from tqdm.auto import tqdm

from minivae._arguments import check_positive
from minivae.engine.files import check_output, claim, reading, written
from minivae.engine.pictures import SIZE, Pictures, write_pictures

__all__ = ["Pictures", "Report", "import_pictures"]

BLOCK = 32  # files in memory at a time
LARGEST = 64 << 20  # bytes of a picture's file; a zip's own table can promise any number
WHITE_16 = 65_535
# of Pillow's formats those of pictures: no PostScript, which is a program, and no films
_PICTURES = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = tuple(sorted(end for end, kind in Image.registered_extensions().items() if kind in _PICTURES))
FORMATS = [kind for kind in _PICTURES if kind in Image.OPEN]  # which this Pillow was built with
# beside all that begins with a dot: folders and files in which no picture is meant
ASIDE = {"__macosx": "a Mac's notes on the files", "@eadir": "thumbnails", "thumbs.db": "thumbnails"}
ASIDE |= dict.fromkeys(("#recycle", "@recycle", "$recycle.bin", "recycler", "lost+found"), "trash")
# kind → channels, side of the central square that is kept (None: the largest), pattern of the files' names, an example
# of them, number of pictures in the published archive
LAYOUTS = {
    "chairs": (1, 400, r"(?is)(?:.*/)?([^/]+)/renders/image_\d{3}_p(\d{3})_t(\d{3})_r\d{3}\.png",
               "MODEL/renders/image_NNN_pPPP_tTTT_rRRR.png", 1393 * 62),
    "celeba": (3, 148, r"(?is)(?:.*/)?\d{6}\.(?:jpg|jpeg|png)", "000001.jpg and so on", 202_599),
    "folder": (3, None, rf"(?is).*(?:{'|'.join(map(re.escape, SUFFIXES))})", ", ".join(SUFFIXES), 0),
}  # fmt: skip
_Read = Callable[[], IO[bytes]] | str  # how to open a file, or why that cannot be


@dataclass
class Report:
    """What `import_pictures` did. Every file of the source is counted once, or lies in a folder that is:
    pictures + duplicates + unreadable + skipped + others."""

    out: Path  # the file that was written
    pictures: int = 0  # that it holds
    duplicates: list[tuple[str, str]] = field(default_factory=list)  # name, name of the one that is the same in bytes
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # no whole picture: name, reason
    skipped: list[tuple[str, str]] = field(default_factory=list)  # hidden, trash, links, devices, …: name, reason
    others: int = 0  # files that were none of the pictures looked for
    notes: list[str] = field(default_factory=list)  # e.g. that an archive is smaller than the published one


def import_pictures(
    kind: str, source: str | Path, out: str | Path, channels: int | None = None, overwrite: bool = False,
    progress: bool = True, white: float | None = None,
) -> Report:  # fmt: skip
    """Make one HDF5 file of the pictures in a folder, zip or tar: cropped to a central square, 64×64, uint8.

    Every picture is turned as its camera noted, put on white where it is transparent, cropped, and made smaller by
    Pillow's antialiased bilinear filter; of several frames or pages it is the first.

    Args:
        kind: "chairs" (rendered_chairs, central 400 pixels, grey), "celeba" (img_align_celeba, central 148, RGB), or
            "folder" (any pictures, largest central square, RGB).
        source, out: folder, zip or tar (also compressed); HDF5 file to write, which `Pictures.open(out)` reads.
        channels: 1 for grey, 3 for RGB, if not the kind's own.
        white: value of white in grey pictures of more than 8 bits: 4095 for 12 bits in 16, 1 for floats from 0 to 1.
            Without it white is 65,535 in 16 bits, and pictures of floats or 32 bits, which do not say it, are left out.

    Raises ValueError if an argument is unknown, the archive is damaged or has names that climb out of it, there is no
    picture of the kind, or all 16-bit pictures are darker than half of white and may hold fewer; OSError of the files,
    also if another import is writing `out`. Nothing is left behind then.
    Source: Figure 4b and appendix A.2 of the paper name the sets; the crops are the customary ones.
    """
    if kind not in LAYOUTS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(LAYOUTS)}")
    usual, crop, pattern, example, published = LAYOUTS[kind]
    channels, source, out = usual if channels is None else channels, Path(source), Path(out)
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels!r}")
    if white is not None:
        check_positive("white", white)
    check_output(out, overwrite)

    report = Report(out)
    kept, brightest = {}, 0  # digest of a file → its name; highest value of 16 bits
    with claim(out), TemporaryFile(dir=out.parent) as pixels, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        files = _files(source, pattern, report, progress)
        while block := list(itertools.islice(files, BLOCK)):
            found = pool.map(lambda file: _picture(file[1], crop, channels, white), block)
            for (name, content), picture in zip(block, found, strict=True):
                if isinstance(picture, str):
                    report.unreadable.append((name, picture))
                elif (first := kept.setdefault(hashlib.sha256(content).digest(), name)) != name:
                    report.duplicates.append((name, first))
                else:
                    brightest = max(brightest, picture[1])
                    with written(out):
                        pixels.write(picture[0].tobytes())
        names = list(kept.values())
        if not names:
            bad = report.unreadable
            such = f", of which {len(bad)} could not be read, such as {bad[0][0]}: {bad[0][1]}" if bad else ""
            such = f"found {report.others + len(report.skipped) + len(bad)} other files{such}"
            raise ValueError(f"no pictures of kind {kind} in {source}: looked for {example}, {such}")
        if white is None and 0 < brightest <= WHITE_16 // 2:
            raise ValueError(
                f"the 16-bit pictures in {source} get no brighter than {brightest:,} of {WHITE_16:,}, as pictures of "
                f"fewer bits would: say what white is, white={2 ** brightest.bit_length() - 1} (--white), or "
                f"white={WHITE_16} if they are as dark as that"
            )
        report.pictures = len(names)
        if len(names) + len(report.duplicates) < published:
            report.notes.append(f"the published set has {published:,} pictures, this source {len(names):,}")
        about = {"kind": kind, "channels": channels, "source": str(source.resolve()), "white": white,
                 "crop": crop or "largest square", "resize": "Pillow, bilinear, antialiased"}  # fmt: skip
        known, columns = _known(pattern, names) if kind == "chairs" else (np.empty((len(names), 0), np.float32), ())
        write_pictures(out, pixels, channels, known, columns, names, about, overwrite)
    return report


def _files(source: Path, pattern: str, report: Report, progress: bool) -> Iterator[tuple[str, bytes | str]]:
    """Names of the files looked for, and their contents or why there is none; the others go into the report."""
    for name, read in tqdm(_entries(source), source.name, unit="file", disable=not progress, delay=0.5):
        if isinstance(read, str):
            report.skipped.append((name, read))
        elif not re.fullmatch(pattern, name):
            report.others += 1
        else:
            try:
                with read() as file:
                    content = file.read(LARGEST + 1)
            except Exception as error:  # an archive's readers raise whatever damage makes of them
                content = f"cannot be read: {error}"
            yield name, content if len(content) <= LARGEST else f"larger than {LARGEST >> 20} MB"


_NO_FILE = "no file but a link, a device or a pipe"


def _entries(source: Path) -> Iterator[tuple[str, _Read]]:
    """Names within the source, with / between folders, in an order that is always the same, and how to read each or why
    it is skipped. What lies aside comes once, whatever is in it."""
    names, here = set(), source.is_dir()
    with reading(source, "is no whole folder, zip or tar, get it again", "data/README.md says where to get pictures"):
        for name, read in _folder(source) if here else _archive(source):
            path = PurePath(name) if here else PurePosixPath(name.replace("\\", "/"))
            if not here and (".." in path.parts or path.is_absolute() or re.match("[A-Za-z]:", name)):
                raise ValueError(f"its entry {str(path)!r} climbs out of the archive: it is refused")
            whys = ["hidden" if part.startswith(".") else ASIDE.get(part.casefold()) for part in path.parts]
            depth = next((depth for depth, why in enumerate(whys, 1) if why), None)
            name = PurePath(source.name if here else "", *path.parts[:depth]).as_posix()
            name = name.encode("utf-8", "backslashreplace").decode()  # others can be neither printed nor sent
            if name not in names:
                names.add(name)
                yield name, read if depth is None else whys[depth - 1]
            elif depth is None:
                yield name, "a second entry of this name: the first is taken"


def _folder(source: Path) -> Iterator[tuple[str, _Read]]:
    os.listdir(source)  # if that is impossible there is nothing to be told but this
    closed: list[OSError] = []
    for folder, folders, files in os.walk(source, onerror=closed.append):
        folders.sort()
        for path in (Path(folder, name) for name in sorted([*files, *folders])):
            name = os.path.relpath(path, source)
            if path.is_file():
                yield name, partial(open, path, "rb")
            elif path.is_symlink():
                to_folder = "a link to a folder: import that folder by itself"
                yield name, to_folder if path.is_dir() else "a link that leads to no file"
            elif not path.is_dir():
                yield name, _NO_FILE
    for error in closed:
        yield os.path.relpath(error.filename, source), f"cannot be opened: {error.strerror}"


def _archive(source: Path) -> Iterator[tuple[str, _Read]]:
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                link = stat.S_ISLNK(entry.external_attr >> 16)
                if not entry.is_dir():
                    yield entry.filename, _NO_FILE if link else partial(archive.open, entry)
    elif tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            for entry in archive:
                if not entry.isdir():
                    yield entry.name, partial(archive.extractfile, entry) if entry.isfile() else _NO_FILE
                archive.members = []  # tarfile remembers every entry: forget, there may be a million
    else:
        raise ValueError("it is none of these")


def _picture(
    content: bytes | str, crop: int | None, channels: int, white: float | None
) -> tuple[np.ndarray, int] | str:
    """A file's picture as (channels, 64, 64) uint8, and its greatest value if that may tell how bright white is (else
    0); or why there is no picture."""
    if isinstance(content, str):
        return content
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            brightest = 0
            if crop is None:
                image.draft(None, (4 * SIZE, 4 * SIZE))  # a large JPEG at a fraction of its size
            sixteen, grey = ";16" in str(image.tile), image.mode.startswith(("I", "F"))  # unknown once it is read
            ImageOps.exif_transpose(image, in_place=True)
            if grey:
                image, brightest = _grey(image, white)
            elif sixteen:
                if white not in (None, WHITE_16):
                    only = "16 bits a colour, of which only the upper 8 are read"
                    raise ValueError(f"{only}: no white of {white:g}; make 8 bits of it first")
                colours = zip(image.getbands(), image.getextrema(), strict=True)
                brightest = 257 * max(high for band, (_, high) in colours if band != "A")
            if image.has_transparency_data:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
            image = image.convert("RGB")
            if channels == 1:
                image = image.convert("L")  # not at once: LAB cannot
        side = min(image.size) if crop is None else crop
        if side > min(image.size):
            raise ValueError(f"{image.width}×{image.height} pixels, too small for a crop of {side}")
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(SIZE, SIZE, channels).transpose(2, 0, 1), brightest
    except Exception as error:  # Pillow's readers raise whatever a torn file makes of them
        return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


def _grey(image: Image.Image, white: float | None) -> tuple[Image.Image, int]:
    """A picture of one channel of more than 8 bits as one of 8, and its greatest value, 0 if white is known."""
    tags = image.tag_v2 if image.format == "TIFF" else {}
    says = image.mode.startswith("I;16") or (image.mode == "I" and not tags)  # Pillow's I of a PGM, or an older one's
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0] if says else 0
    top = 2**bits - 1 if white is None else white
    if not top:
        again = "import again with white=1 (--white 1) for values from 0 to 1, with 255, 4095 or whatever it is"
        raise ValueError(f"floats and whole numbers of 32 bits do not say how bright white is: {again}")
    values = np.asarray(image, np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= top):  # NaN neither
        expected = f"expected 0 (black) to {top:g} (white): say another white (--white)"
        raise ValueError(f"values from {low:g} to {high:g}, {expected}")
    grey = (values * (255 / top)).round().astype(np.uint8)
    if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:  # white is 0, which Pillow minds in 8 bits alone
        grey = 255 - grey
    if (transparent := image.info.get("transparency")) is not None:
        grey[values == transparent] = 255
    return Image.fromarray(grey), int(high) if white is None and bits == 16 else 0


def _known(pattern: str, names: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """What the names of chairs say of them, (n, 3) float32, and what the columns are called."""
    matches = [re.fullmatch(pattern, name) for name in names]
    places = {model: place for place, model in enumerate(dict.fromkeys(match[1] for match in matches))}
    # the names hold whole degrees, cut off: 011 for 360/31
    rows = [(places[m[1]], round((int(m[3]) + 0.5) * 31 / 360) * 360 / 31, int(m[2])) for m in matches]
    return np.array(rows, np.float32), ("model", "azimuth", "elevation")
