"""Import of picture archives: small ones in the exact published layout, with the oddities of the real ones."""

import gc
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from minivae.__main__ import main
from minivae.course.explorers import TraversalExplorer
from minivae.engine import catalogue, imports
from minivae.engine.imports import Pictures, import_pictures
from minivae.engine.runs import Run
from minivae.engine.trainer import train


def picture(seed: int, width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Soft random colours, so that a JPEG is near what it was made of."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def content(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def chairs_files() -> dict[str, bytes]:
    """Two models of rendered_chairs: 31 views at 20°, 31 at 30°, index 031 missing, azimuths cut to whole degrees."""
    files = {"rendered_chairs/all_chair_names.mat": b"MATLAB 5.0 MAT-file"}
    for m, model in enumerate(("1028b32dc1873c2afe26a3ac360dbd4", "aab9e2d5e1fd5ba9d5a9c1f1d1a1b1c1")):
        for view in range(62):
            index, elevation = (view, 20) if view < 31 else (view + 1, 30)
            azimuth = int(view % 31 * 360 / 31)
            name = f"rendered_chairs/{model}/renders/image_{index:03d}_p{elevation:03d}_t{azimuth:03d}_r096.png"
            image = Image.new("RGB", (600, 600), "white")
            image.paste((10 * m, 4 * view, 100), (200, 150 + view, 400, 450))
            files[name] = content(image)
    return files


def celeba_files(n: int = 12) -> dict[str, bytes]:
    return {f"img_align_celeba/{i:06d}.jpg": content(picture(i, 178, 218), "JPEG", quality=95) for i in range(1, n + 1)}


def quiet(kind: str, source: Path, out: Path, **settings) -> imports.Report:
    return import_pictures(kind, source, out, progress=False, **settings)


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip"])
def test_chairs(tmp_path, form):
    files, out = chairs_files(), tmp_path / "chairs.h5"
    if form == "folder":
        source = folder(tmp_path, files) / "rendered_chairs"
    elif form == "zip":
        source = zipped(tmp_path / "chairs.zip", files)
    else:
        source = tarred(tmp_path / f"rendered_chairs.{form}", files, "w:gz" if form == "tar.gz" else "w")
    report = quiet("chairs", source, out)
    assert (report.pictures, report.others, report.duplicates, report.unreadable) == (124, 1, [], [])
    assert any("published set has 86,366 pictures, this source 124" in note for note in report.notes)
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name or "tmp" in path.name) == []

    data = Pictures.open(out)
    assert (len(data), data.channels, data.factors) == (124, 1, ("model", "azimuth", "elevation"))
    everything = torch.arange(124)
    images, known = data.pick(everything)
    assert images.shape == (124, 1, 64, 64) and images.dtype == torch.float32
    assert known[:, 0].tolist() == [0.0] * 62 + [1.0] * 62
    views = torch.arange(62) % 31 * 360 / 31
    assert torch.allclose(known[:62, 1], views, atol=1e-4) and known[:62, 2].tolist() == [20.0] * 31 + [30.0] * 31
    # the central 400 of 600 in grey, made smaller by the mean of what it covers; Pillow's own, on the picture as it is
    original = Image.open(io.BytesIO(files[data.names[40]])).crop((100, 100, 500, 500)).convert("L")
    assert np.array_equal((images[40, 0] * 255).round().numpy(), original.resize((64, 64), Image.Resampling.BILINEAR))
    assert images[:, :, 0, 0].min() == 1  # white


def test_celeba(tmp_path):
    files = celeba_files()
    report = quiet("celeba", zipped(tmp_path / "img_align_celeba.zip", files), tmp_path / "out.h5")
    assert report.pictures == 12
    data = Pictures.open(tmp_path / "out.h5")
    assert data.channels == 3 and data.factors == ()
    images, _ = data.pick(torch.arange(12))
    original = Image.open(io.BytesIO(files[data.names[4]])).crop((15, 35, 163, 183))  # the central 148
    expected = np.asarray(original.resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.array_equal((images[4] * 255).round().numpy(), expected)


def test_a_folder_with_every_oddity(tmp_path):
    jpeg = content(picture(1, 90, 70), "JPEG")
    seen = np.zeros((80, 100, 4), np.uint8)
    seen[20:60, 30:70] = (200, 0, 0, 255)  # transparent elsewhere, where its colour is black
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    files = {
        "A.JPG": jpeg,
        "again.jpeg": jpeg,
        "alpha.png": content(Image.fromarray(seen)),
        "b/grey.png": content(picture(2, 64, 64, "L")),
        "b/sixteen.png": content(Image.fromarray(np.full((70, 70), 40_000, np.uint16))),
        "b/palette.PNG": content(picture(3, 80, 64, "P")),
        "b/cmyk.jpg": content(picture(4, 70, 70, "CMYK"), "JPEG"),
        "b/moving.gif": content(picture(5, 66, 66, "P"), "GIF"),
        "b/photo.jpg": content(picture(6, 640, 480), "JPEG", exif=turned),
        "b/torn.jpg": jpeg[: len(jpeg) // 2],
        "b/text.png": b"no picture at all",
        "b/empty.png": b"",
        "b/ünïcode\nname.png": content(picture(7, 64, 80)),
        "._A.JPG": b"what a Mac leaves behind",
        "notes.txt": b"hello",
        "Thumbs.db": b"x",
    }
    report = quiet("folder", folder(tmp_path / "mine", files), tmp_path / "out.h5")
    data = Pictures.open(tmp_path / "out.h5")
    at = {name.removeprefix("mine/"): place for place, name in enumerate(data.names)}
    assert sorted(at) == sorted(set(files) - {"again.jpeg", "b/torn.jpg", "b/text.png", "b/empty.png", "._A.JPG",
                                              "notes.txt", "Thumbs.db"})  # fmt: skip
    assert report.pictures == len(data) == 9 and report.others == 1
    assert report.skipped == [("mine/._A.JPG", "hidden"), ("mine/Thumbs.db", "thumbnails")]
    assert report.duplicates == [("mine/again.jpeg", "mine/A.JPG")]
    assert [name for name, _ in report.unreadable] == ["mine/b/empty.png", "mine/b/text.png", "mine/b/torn.jpg"]
    assert "truncated" in dict(report.unreadable)["mine/b/torn.jpg"]
    images, _ = data.pick(torch.arange(9))
    alpha = images[at["alpha.png"]]
    assert (alpha[:, 0, 0] == 1).all() and torch.allclose(alpha[:, 32, 32], torch.tensor([200 / 255, 0, 0]), atol=1e-6)
    assert torch.allclose(images[at["b/sixteen.png"]], torch.tensor(40_000 / 65_535), atol=0.003)
    grey = images[at["b/grey.png"]]
    assert np.array_equal((grey[0] * 255).round(), picture(2, 64, 64, "L")) and torch.equal(grey[0], grey[2])
    upright = picture(6, 640, 480).transpose(Image.Transpose.ROTATE_270).crop((0, 80, 480, 560)).resize((64, 64))
    assert np.abs(images[at["b/photo.jpg"]].numpy() * 255 - np.asarray(upright).transpose(2, 0, 1)).mean() < 4

    again = quiet("folder", tmp_path / "mine", tmp_path / "grey.h5", channels=1)
    assert again.pictures == 9 and Pictures.open(tmp_path / "grey.h5").channels == 1


HALVES = np.repeat([[51, 204]], 32, axis=1).repeat(64, axis=0)  # 0.2 at the left, 0.8 at the right


def tiff(values: np.ndarray, order: str = "<", photometric: int = 1, bits: int = 0) -> bytes:
    """A TIFF of one strip: of the array's own kind of numbers, or of `bits` packed ones."""
    height, width, *colours = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    if bits:
        each = "".join(f"{value:0{bits}b}" for value in values.flatten().tolist())
        data = int(each, 2).to_bytes(len(each) // 8, "big")
    tags = {256: width, 257: height, 258: bits or 8 * values.itemsize, 259: 1, 262: photometric, 273: 8,
            277: colours[0] if colours else 1, 278: height, 279: len(data), 339: kind}  # fmt: skip
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def png(values: np.ndarray, transparent: int | None = None) -> bytes:
    """A PNG of 16 bits, grey (h, w), grey with alpha (h, w, 2), RGB or RGBA."""
    height, width, *colours = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[colours[0] if colours else 1]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = {b"IHDR": struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)}
    if transparent is not None:
        parts[b"tRNS"] = struct.pack(">H", transparent)
    parts |= {b"IDAT": zlib.compress(rows), b"IEND": b""}
    chunks = (struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
              for name, data in parts.items())  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def imported(tmp_path: Path, files: dict[str, bytes], **settings) -> tuple[imports.Report, dict[str, np.ndarray]]:
    report = quiet("folder", folder(tmp_path / "in", files), tmp_path / "out.h5", overwrite=True, **settings)
    data = Pictures.open(tmp_path / "out.h5")
    images = 255 * data.pick(torch.arange(len(data)))[0].numpy()
    return report, {name.removeprefix("in/"): image for name, image in zip(data.names, images, strict=True)}


def shows_halves(image: np.ndarray, atol: float = 1.0) -> bool:
    inside = np.r_[0:31, 33:64]  # the edge between the halves may be soft
    return np.allclose(image[..., inside], HALVES[:, inside], atol=atol)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_pillow_is_read_right_or_refused_with_what_to_do(tmp_path, channels):
    grey = Image.fromarray(HALVES.astype(np.uint8))
    files = {}
    # no file has HSV, La or RGBa; the kinds of I;16 follow
    modes = ("1", "CMYK", "F", "I", "L", "LA", "LAB", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
    for mode in modes:
        for kind, suffix in (("PNG", "png"), ("TIFF", "tif"), ("JPEG2000", "jp2"), ("BMP", "bmp"), ("GIF", "gif")):
            try:
                files[f"{mode}.{suffix}"] = content(grey.convert("RGB").convert(mode), kind)
            except (OSError, ValueError, KeyError):
                pass  # this format cannot hold it
    assert {name.partition(".")[0] for name in files} == set(modes)
    # older Pillows get the colours of the one wrong, and write 16 bits for the other, to which 204 is black
    files = {name: data for name, data in files.items() if name not in ("YCbCr.jp2", "I.png")}
    files |= {"sixteen.png": png(257 * HALVES), "sixteen.tif": tiff((257 * HALVES).astype(np.uint16))}
    report, found = imported(tmp_path, files, channels=channels)
    told = {name.removeprefix("in/"): why for name, why in report.unreadable}
    unread = told.pop("YCbCr.tif", None)  # by older Pillows
    assert unread is None or "truncated" in unread
    assert {name.partition(".")[0] for name in told} == {"F", "I"}
    assert all("import again with white=1 (--white 1)" in why for why in told.values())
    assert all(shows_halves(image, 3.0) for name, image in found.items() if not name.startswith("1."))
    same = {name.removeprefix("in/") for name, _ in report.duplicates}
    assert set(found) | set(told) | same == set(files) - ({"YCbCr.tif"} if unread else set())
    # one bit is dithered to begin with: as often white as it was bright
    assert found["1.png"][..., :31].mean() == pytest.approx(51, abs=8)
    assert found["1.png"][..., 33:].mean() == pytest.approx(204, abs=8)


TWELVE = np.round(HALVES / 255 * 4_095).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiffs_of_many_bits_are_read_by_what_they_say(tmp_path, order):
    sixteen = (257 * HALVES).astype(np.uint16)
    files = {
        "sixteen.tif": tiff(sixteen, order),
        "white is 0.tif": tiff(65_535 - sixteen, order, photometric=0),
        "colour.tif": tiff(sixteen[..., None].repeat(3, 2), order, photometric=2),
        "twelve packed.tif": tiff(TWELVE, order, bits=12),
    }
    report, found = imported(tmp_path, files)
    refused = {name.removeprefix("in/"): why for name, why in report.unreadable}
    # some of these Pillow reads in one order of bytes only
    assert set(refused) <= ({"twelve packed.tif", "white is 0.tif"} if order == ">" else set())
    assert all("cannot identify" in why for why in refused.values())
    assert set(found) | set(refused) == set(files) and all(shows_halves(image) for image in found.values())


@pytest.mark.parametrize(
    ("kind", "white"),
    [("<f4", 1), (">f4", 255), ("<i4", 255), (">i4", 1_000_000), ("<u4", 65_535), ("<i2", 4_095), (">i2", 4_095)],
)
def test_numbers_that_do_not_say_what_white_is_are_read_when_told(tmp_path, kind, white):
    values = (HALVES / 255 * white).astype(kind)
    one = {"a.png": content(picture(0, 64, 64)), "b.tif": tiff(values, kind[0])}
    report, found = imported(tmp_path, one)
    ((name, why),) = report.unreadable
    assert name == "in/b.tif" and "how bright white is: import again with white=1 (--white 1)" in why
    assert list(found) == ["a.png"]
    report, found = imported(tmp_path, one, white=white)
    assert report.unreadable == [] and shows_halves(found["b.tif"])


def test_values_beyond_black_and_white_are_named(tmp_path):
    values = (HALVES / 255).astype(np.float32)
    wrong = {"a.tif": values, "b.tif": values.copy(), "c.tif": values - 0.3, "d.tif": 2 * values}
    wrong["b.tif"][3, 3] = np.nan
    report, found = imported(tmp_path, {name: tiff(image) for name, image in wrong.items()}, white=1)
    assert list(found) == ["a.tif"]
    assert [(name, why[:16]) for name, why in report.unreadable] == [
        ("in/b.tif", "values from nan "),
        ("in/c.tif", "values from -0.1"),
        ("in/d.tif", "values from 0.4 "),
    ]
    assert all("expected 0 (black) to 1 (white): say another white (--white)" in why for _, why in report.unreadable)
    with pytest.raises(ValueError, match="white must be a finite number > 0, got -1"):
        imported(tmp_path, {}, white=-1)


@pytest.mark.parametrize("form", ["tiff", "png", "colour"])
def test_twelve_bits_in_sixteen_are_asked_for_and_decided_by_the_whole_import(tmp_path, form):
    made = {"tiff": tiff, "png": png, "colour": lambda image: png(np.stack([image, image // 2, image], 2))}[form]
    few = {"a.png": made(TWELVE), "b.png": made(TWELVE[:, ::-1]), "c.jpg": content(picture(0, 64, 64), "JPEG")}
    few = {name.replace("png", "tif") if form == "tiff" else name: data for name, data in few.items()}
    most = int(TWELVE.max()) if form != "colour" else 257 * (int(TWELVE.max()) >> 8)  # of colours the upper 8 bits
    message = rf"get no brighter than {most:,} of 65,535, .* white=4095 \(--white\), or white=65535"
    with pytest.raises(ValueError, match=message):
        imported(tmp_path, few)
    assert sorted(os.listdir(tmp_path)) == ["in"]
    _, found = imported(tmp_path, few, white=65_535)  # as they are, if they are so dark
    assert len(found) == 3 and next(iter(found.values())).max() < 14
    report, found = imported(tmp_path, few, white=4_095)
    if form == "colour":
        why = "16 bits a colour, of which only the upper 8 are read: no white of 4095; make 8 bits of it first"
        assert [reason for _, reason in report.unreadable] == [why, why]
    else:
        assert report.unreadable == [] and shows_halves(next(iter(found.values())))
    # beside a bright one a dark one is dark
    _, found = imported(tmp_path, few | {"d.png": png(257 * HALVES)})
    assert len(found) == 4 and shows_halves(found["d.png"]) and next(iter(found.values())).max() < 14


def test_transparency_of_sixteen_bits_is_white_and_alpha_of_sixteen_too(tmp_path):
    wide = 257 * HALVES
    files = {
        "one value.png": png(wide, transparent=257 * 51),
        "grey alpha.png": png(np.stack([wide, 65_535 * (HALVES > 100)], 2)),
        "alpha.png": png(np.stack([wide, wide, wide, 65_535 * (HALVES > 100)], 2)),
    }
    report, found = imported(tmp_path, files)
    assert report.unreadable == []
    for image in found.values():
        assert np.allclose(image[..., :31], 255) and np.allclose(image[..., 33:], 204, atol=1)


def test_of_several_frames_the_first_is_taken(tmp_path):
    first, second = picture(0, 64, 64), picture(1, 64, 64)
    files = {
        "two.gif": content(first, "GIF", save_all=True, append_images=[second]),
        "two.tif": content(first, "TIFF", save_all=True, append_images=[second]),
        "one.tif": content(second, "TIFF"),
    }
    report, found = imported(tmp_path, files)
    assert np.array_equal(found["two.tif"].round(), np.asarray(first).transpose(2, 0, 1))
    assert (report.pictures, report.notes) == (3, [])


def test_a_suffix_is_believed_if_pillow_has_it_and_a_program_is_not_run(tmp_path):
    files = {f"{i}.{suffix}": content(picture(i, 64, 64), kind) for i, (suffix, kind) in enumerate(
        [("jfif", "JPEG"), ("JPE", "JPEG"), ("jp2", "JPEG2000"), ("ppm", "PPM"), ("dib", "DIB")])}  # fmt: skip
    files |= {"page.eps": content(picture(9, 64, 64), "EPS"), "program.png": content(picture(9, 64, 64), "EPS")}
    report, found = imported(tmp_path, files)
    assert len(found) == 5 and report.others == 1
    ((name, why),) = report.unreadable
    assert name == "in/program.png" and "cannot identify" in why


def messy(root: Path) -> Path:
    """A folder with all that is met in folders."""
    one, two = content(picture(1, 64, 64)), content(picture(2, 64, 64))
    aside = (".git/a.png", "b/.ipynb_checkpoints/c/a.png", "b/@eaDir/a.png", "__MACOSX/b/._a.png", ".thumbnails/a.png",
             "$RECYCLE.BIN/a.png", ".Trash-1000/a.png", "lost+found/a.png")  # fmt: skip
    folder(root, {name: picture_of(i) for i, name in enumerate(aside)})
    folder(root, {"a.png": one, "b/again.png": one, "b/two.png": two, "b/torn.png": two[:200], "b/notes.txt": b"hello",
                  "b/Thumbs.db": b"x", "b/.hidden.png": two, "b/deep/er/three.png": picture_of(20)})  # fmt: skip
    (root / "empty").mkdir()
    return root


def picture_of(seed: int) -> bytes:
    return content(picture(seed, 64, 64))


MESSY = {
    "pictures": {"a.png", "b/two.png", "b/deep/er/three.png"},
    "duplicates": {"b/again.png"},
    "unreadable": {"b/torn.png"},
    "skipped": {".git", "b/.ipynb_checkpoints", "b/@eaDir", "__MACOSX", ".thumbnails", "$RECYCLE.BIN", ".Trash-1000",
                "lost+found", "b/Thumbs.db", "b/.hidden.png"},
}  # fmt: skip


def ends_of(report: imports.Report, root: str) -> dict[str, set[str]]:
    """Which names ended where; that each ended in one place only is asserted."""
    kept = Pictures.open(report.out).names
    lists = {"pictures": kept} | {
        name: [name for name, _ in getattr(report, name)] for name in ("duplicates", "unreadable", "skipped")
    }
    every = [name for names in lists.values() for name in names]
    assert len(set(every)) == len(every) and len(kept) == report.pictures
    return {key: {name.removeprefix(root) for name in names} for key, names in lists.items()}


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
def test_every_entry_of_a_messy_source_ends_in_one_list(tmp_path, form):
    root, source = messy(tmp_path / "in"), tmp_path / f"in.{form}"
    if form == "folder":
        source = root
    elif form == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(root.rglob("*")):
                archive.write(path, path.relative_to(root).as_posix())
    else:
        with tarfile.open(source, "w:gz" if form == "tar.gz" else "w") as archive:
            archive.add(root, ".")  # as `tar -C in .` does
    report = quiet("folder", source, tmp_path / "out.h5")
    assert ends_of(report, "in/") == MESSY
    assert report.others == 1  # notes.txt


@pytest.mark.skipif(sys.platform == "win32", reason="makes links, pipes and names of bytes")
def test_links_pipes_and_odd_names_of_a_folder_are_told(tmp_path):
    root = messy(tmp_path / "in")
    folder(tmp_path / "elsewhere", {"x.png": picture_of(30)})
    links = {"to a file.png": "a.png", "to another.png": "../elsewhere/x.png", "round.png": "round.png",
             "broken.png": "nowhere.png", "to a folder": "../elsewhere", "up": ".."}  # fmt: skip
    for name, target in links.items():
        os.symlink(target, root / name)
    os.link(root / "a.png", root / "b" / "hard.png")
    os.mkfifo(root / "pipe.png")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.png")).write_bytes(picture_of(31))
    report = quiet("folder", root, tmp_path / "out.h5")
    ends = ends_of(report, "in/")
    assert ends["pictures"] == MESSY["pictures"] | {"to another.png", "caf\\udce9.png"}
    assert ends["duplicates"] == MESSY["duplicates"] | {"to a file.png", "b/hard.png"}
    assert ends["unreadable"] == MESSY["unreadable"]
    why = {name.removeprefix("in/"): why for name, why in report.skipped}
    assert ends["skipped"] == MESSY["skipped"] | {"round.png", "broken.png", "to a folder", "up", "pipe.png"}
    assert why["broken.png"] == why["round.png"] == "a link that leads to no file"
    assert why["up"] == why["to a folder"] == "a link to a folder: import that folder by itself"
    assert why["pipe.png"] == "no file but a link, a device or a pipe" and why[".git"] == "hidden"
    # counted another way: all that is in the folders that are no links and do not lie aside
    met = 0
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if (Path(place) / name).relative_to(root).as_posix() not in why]
        met += len(files)
    met += sum((root / name).is_dir() for name in why)
    lists = (report.duplicates, report.unreadable, report.skipped)
    assert report.pictures + sum(map(len, lists)) + report.others == met
    "".join(Pictures.open(tmp_path / "out.h5").names).encode("utf-8")  # what may be printed and sent to a browser


def test_links_devices_and_odd_names_of_a_tar_are_told(tmp_path):
    path = tarred(tmp_path / "a.tar", {"a.png": picture_of(1), "./b.png": picture_of(2), "caf\udce9.png": picture_of(3),
                                       "a.txt": b"x"})  # fmt: skip
    with tarfile.open(path, "a") as archive:
        for name, kind in (("soft.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("pipe.png", tarfile.FIFOTYPE),
                           ("device.png", tarfile.CHRTYPE), ("folder.png", tarfile.DIRTYPE)):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "a.png"
            archive.addfile(entry)
        again = tarfile.TarInfo("a.png")  # as `tar --append` does with a file that has changed
        again.size = len(picture_of(4))
        archive.addfile(again, io.BytesIO(picture_of(4)))
    report = quiet("folder", path, tmp_path / "out.h5")
    assert Pictures.open(tmp_path / "out.h5").names == ["a.png", "b.png", "caf\\udce9.png"]
    assert report.skipped == [
        *((f"{name}.png", "no file but a link, a device or a pipe") for name in ("soft", "hard", "pipe", "device")),
        ("a.png", "a second entry of this name: the first is taken"),
    ]
    assert (report.pictures, report.others, report.duplicates, report.unreadable) == (3, 1, [], [])


def test_links_and_repeated_names_of_a_zip_are_told(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.png": picture_of(1), "b\\c.png": picture_of(2)})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        link = zipfile.ZipInfo("soft.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "a.png")
        archive.writestr("a.png", picture_of(3))
    # bytes of a name that are no UTF-8, as old programs wrote them
    path.write_bytes(path.read_bytes().replace(b"b/c.png", b"b/\x82.png").replace(b"b\\c.png", b"b\\\x82.png"))
    report = quiet("folder", path, tmp_path / "out.h5")
    assert Pictures.open(tmp_path / "out.h5").names == ["a.png", "b/é.png"]  # as in code page 437, the zip's own
    assert [name for name, _ in report.skipped] == ["soft.png", "a.png"]
    assert (report.pictures, report.others) == (2, 0)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_may_not_be_opened_is_told(tmp_path):
    root = folder(tmp_path / "in", {"a.png": picture_of(1), "closed/b.png": picture_of(2)})
    (root / "closed").chmod(0)
    try:
        report = quiet("folder", root, tmp_path / "out.h5")
    finally:
        (root / "closed").chmod(0o755)
    assert report.skipped == [("in/closed", "cannot be opened: Permission denied")] and report.pictures == 1


def test_a_folder_that_is_hidden_itself_is_imported(tmp_path, monkeypatch):
    root = folder(tmp_path / ".cache" / ".mine", {"a.png": picture_of(1), ".b.png": picture_of(2)})
    report = quiet("folder", root, tmp_path / "out.h5")
    assert (report.pictures, report.skipped) == (1, [(".mine/.b.png", "hidden")])
    monkeypatch.chdir(root)
    report = quiet("folder", Path("."), tmp_path / "other.h5")
    assert (report.pictures, report.skipped) == (1, [(".b.png", "hidden")])


def test_too_small_for_the_crop_is_named(tmp_path):
    files = {
        "000001.png": content(Image.new("RGB", (178, 218), "white")),
        "000002.jpg": content(picture(0, 100, 100), "JPEG"),
    }
    report = quiet("celeba", folder(tmp_path / "in", files), tmp_path / "out.h5")
    assert report.unreadable == [("in/000002.jpg", "100×100 pixels, too small for a crop of 148")]
    assert (Pictures.open(tmp_path / "out.h5").pick(torch.tensor([0]))[0] == 1).all()


def test_picture_that_would_fill_the_memory_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)
    monkeypatch.setattr(imports, "LARGEST", 10_000)
    rng = np.random.default_rng(0)
    files = {
        "a.png": content(picture(1, 64, 64)),
        "bomb.png": content(Image.new("1", (100, 90))),
        "huge.png": content(Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))),
    }
    report = quiet("folder", folder(tmp_path / "in", files), tmp_path / "out.h5")
    (bomb, why), (huge, reason) = report.unreadable
    assert bomb == "in/bomb.png" and "exceeds limit" in why
    assert huge == "in/huge.png" and reason.startswith("larger than")


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png"]
)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_archive_that_climbs_out_is_refused(tmp_path, name, form):
    files = {"good.png": content(picture(0, 64, 64)), name: content(picture(1, 64, 64))}
    source = (zipped if form == "zip" else tarred)(tmp_path / "archive", files)
    with pytest.raises(ValueError, match="climbs out of the archive: it is refused"):
        quiet("folder", source, tmp_path / "out.h5")
    assert os.listdir(tmp_path) == ["archive"]


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        ("folder", {}, r"no pictures of kind folder .* looked for .*\.jfif, .*\.png"),
        (
            "folder",
            {"a.txt": b"x", "b.png": b"y"},
            "found 2 other files, of which 1 could not be read, such as in/b.png: U",
        ),
        ("chairs", {"a.png": b"x"}, "looked for MODEL/renders/image_NNN_pPPP_tTTT_rRRR.png"),
        ("celeba", {"a.jpg": b"x"}, "looked for 000001.jpg"),
    ],
)
def test_nothing_of_the_kind_is_told_and_leaves_nothing(tmp_path, kind, files, message):
    source = tmp_path / "in"
    source.mkdir()
    with pytest.raises(ValueError, match=message):
        quiet(kind, folder(source, files), tmp_path / "out.h5")
    assert os.listdir(tmp_path) == ["in"]


def test_bad_arguments_are_told(tmp_path):
    good = folder(tmp_path / "in", {"a.png": content(picture(0, 64, 64))})
    for call, kind, message in (
        (lambda: quiet("faces", good, tmp_path / "o.h5"), ValueError, "unknown kind 'faces': known are chairs, celeba"),
        (lambda: quiet("folder", good, tmp_path / "o.h5", channels=4), ValueError, "channels must be 1"),
        (
            lambda: quiet("folder", tmp_path / "none", tmp_path / "o.h5"),
            FileNotFoundError,
            r"no file .*none: data/README\.md says where",
        ),
        (
            lambda: quiet("folder", good / "a.png", tmp_path / "o.h5"),
            ValueError,
            "is no whole folder, zip or tar",
        ),
        (lambda: quiet("folder", good, tmp_path / "no" / "o.h5"), OSError, "does not exist: create it first"),
        (lambda: quiet("folder", good, good), IsADirectoryError, "is a folder"),
    ):
        with pytest.raises(kind, match=message):
            call()
    quiet("folder", good, tmp_path / "o.h5")
    with pytest.raises(FileExistsError, match="exists"):
        quiet("folder", good, tmp_path / "o.h5")
    assert quiet("folder", good, tmp_path / "o.h5", overwrite=True).pictures == 1


@pytest.mark.parametrize("cut", [0.3, 0.98])
def test_torn_archives_are_told(tmp_path, cut):
    # a zip without its end is none; a tar is read as far as it goes
    whole = zipped(tmp_path / "whole.zip", celeba_files(6)).read_bytes()
    (tmp_path / "torn.zip").write_bytes(whole[: int(cut * len(whole))])
    with pytest.raises(ValueError, match="is no whole folder, zip or tar"):
        quiet("celeba", tmp_path / "torn.zip", tmp_path / "out.h5")
    packed = tarred(tmp_path / "whole.tgz", celeba_files(6), "w:gz").read_bytes()
    (tmp_path / "torn.tgz").write_bytes(packed[: int(cut * len(packed))])
    with pytest.raises(ValueError, match="is no whole folder, zip or tar"):
        quiet("celeba", tmp_path / "torn.tgz", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_damaged_entry_of_a_zip_is_named(tmp_path):
    path = zipped(tmp_path / "a.zip", celeba_files(3))
    data = bytearray(path.read_bytes())
    place = data.find(b"img_align_celeba/000002.jpg") + 600
    data[place : place + 50] = bytes(50)
    path.write_bytes(data)
    report = quiet("celeba", path, tmp_path / "out.h5")
    assert report.pictures == 2
    assert [(name, "CRC" in why) for name, why in report.unreadable] == [("img_align_celeba/000002.jpg", True)]


def test_interrupted_import_leaves_nothing_and_starts_again(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "BLOCK", 4)
    source = zipped(tmp_path / "a.zip", celeba_files(11))
    original, calls = imports._picture, []

    def dying(*arguments):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(imports, "_picture", dying)
        quiet("celeba", source, tmp_path / "out.h5")
    assert os.listdir(tmp_path) == ["a.zip"]
    assert quiet("celeba", source, tmp_path / "out.h5").pictures == 11


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_killed_import_starts_again(tmp_path):
    image = content(picture(0, 178, 218), "JPEG", quality=95)
    source = folder(tmp_path / "img", {f"{i:06d}.jpg": image + i.to_bytes(4, "big") for i in range(1, 3_001)})
    out = tmp_path / "o.h5"
    command = [sys.executable, "-m", "minivae", "data", "import", "celeba", str(source), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    while process.poll() is None and not (tmp_path / ".o.h5.lock").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert done["pictures"] == 3_000 and sorted(os.listdir(tmp_path)) == ["img", "o.h5"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number(tmp_path):
    image = content(picture(0, 178, 218), "JPEG", quality=95)
    peaks = []
    for n in (400, 1_600):
        source = zipped(tmp_path / f"{n}.zip", {f"{i:06d}.jpg": image + i.to_bytes(4, "big") for i in range(n)})
        gc.freeze()  # Python collects cycles the more seldom the more other tests have left, and Pillow makes some
        tracemalloc.start()
        quiet("celeba", source, tmp_path / f"{n}.h5")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        gc.unfreeze()
    assert peaks[1] - peaks[0] < 1_200 * 4_000  # a picture of 64×64 in RGB has 12,288 bytes


@pytest.mark.skipif(sys.platform != "linux", reason="limits a file's size as Linux does")
@pytest.mark.parametrize("room", [2 * 3 * 64 * 64, 3 * 3 * 64 * 64 + 2_000])  # less than the pixels, or the file
def test_full_disk_is_told_and_nothing_is_left(tmp_path, room):
    import resource

    source = folder(tmp_path / "in", celeba_files(3))
    (tmp_path / "out.h5").write_bytes(b"an older file")
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(OSError, match=r"(?s)could not write .*out.h5.* nothing was left behind"):
            quiet("celeba", source, tmp_path / "out.h5", overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(os.listdir(tmp_path)) == ["in", "out.h5"]
    assert (tmp_path / "out.h5").read_bytes() == b"an older file"
    assert quiet("celeba", source, tmp_path / "out.h5", overwrite=True).pictures == 3


@pytest.fixture
def made(tmp_path):
    quiet("celeba", folder(tmp_path / "in", celeba_files(6)), tmp_path / "made.h5")
    return tmp_path / "made.h5"


def test_sample_is_seeded_and_uniform(made):
    data = Pictures.open(made)
    images, known = data.sample(600, torch.Generator().manual_seed(0))
    assert images.shape == (600, 3, 64, 64) and known.shape == (600, 0)
    assert torch.equal(images, data.sample(600, torch.Generator().manual_seed(0))[0])
    _, counts = images.flatten(1).sum(1).unique(return_counts=True)
    assert len(counts) == 6 and counts.min() > 60
    with pytest.raises(ValueError, match="n must be a whole number"):
        data.sample(0)
    with pytest.raises(ValueError, match=r"index must be whole numbers \(n,\) in \[0, 6\)"):
        data.pick(torch.tensor([6]))
    with pytest.raises(ValueError, match=r"index must be whole numbers \(n,\) in \[0, 6\)"):
        data.pick(torch.tensor([0, -1]))


def test_experiment_on_pictures_trains_and_is_stored(made, tmp_path, monkeypatch):
    out = tmp_path / "run.h5"
    assert main(["train", "celeba", "--data", str(made), "--steps", "3", "--out", str(out), "--json"]) == 0
    run = Run.load(out)
    assert run.experiment.dataset == Pictures.open(made) and run.experiment.latents == 32
    assert run.model().decode(torch.zeros(1, 32)).shape == (1, 3, 64, 64)


def test_a_run_knows_its_pictures_wherever_they_lie(made, tmp_path, monkeypatch, capsys):
    def go_on(*arguments: str) -> int:
        return main(["train", "celeba", "--device", "cpu", "--force", "--json", *arguments])

    monkeypatch.chdir(tmp_path)
    out = ["--out", "b.h5", "--steps", "2", "--resume", "a.h5"]
    assert go_on("--data", "made.h5", "--steps", "1", "--out", "a.h5") == 0
    assert go_on("--data", str(made), *out) == 0
    assert go_on(*out) == 0  # the run's own
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")
    run = Run.load("../a.h5")
    assert TraversalExplorer(run) is not None
    assert train(run.experiment, steps=2, resume=run, device="cpu", progress=False).step == 2

    monkeypatch.chdir(tmp_path)
    made.rename("elsewhere.h5")
    capsys.readouterr()
    assert main(["show", "a.h5"]) == 0 and Run.load("a.h5").mean_kl().shape == (32,)
    with pytest.raises(FileNotFoundError, match=r"no file .*made\.h5: .* say where it is now"):
        TraversalExplorer(Run.load("a.h5"))
    assert go_on(*out) == 1 and "say where it is now, --data FILE" in capsys.readouterr().err
    assert go_on("--data", "elsewhere.h5", *out) == 0
    assert TraversalExplorer(Run.load("a.h5", data="elsewhere.h5")) is not None
    assert Run.load("b.h5").experiment.dataset.path == str(tmp_path / "elsewhere.h5")

    # other pictures, as many and as large, at the very path
    quiet("celeba", folder(tmp_path / "other", dict(list(celeba_files(7).items())[1:])), made)
    assert len(Pictures.open(made)) == 6 and Pictures.open(made) != Pictures.open("elsewhere.h5")
    for refused in (out, ["--data", "made.h5", *out]):
        assert go_on(*refused) == 1
        assert "holds other pictures (6, digest " in capsys.readouterr().err
    with pytest.raises(ValueError, match="cannot be its data"):
        Run.load(Path(__file__).parents[1] / "data" / "runs" / "blobs-vae-seed0.h5", data="elsewhere.h5")


def test_files_of_before_the_digest_was_noted_have_the_same(made):
    before = Pictures.open(made)
    spoil(made, lambda file: file.attrs.__delitem__("content"))
    assert before == Pictures.open(made) and len(before.content) == 32


def test_presets_need_no_file_before_they_are_trained():
    for name in ("celeba", "chairs-published"):
        experiment = catalogue.get(name)
        assert experiment.build().decode(torch.zeros(1, experiment.latents)).shape[1] == experiment.dataset.channels
        with pytest.raises(FileNotFoundError, match=r"make it with python -m minivae data import"):
            train(experiment, steps=1, progress=False)


def test_wrong_number_of_channels_is_told(made):
    with pytest.raises(ValueError, match="has pictures of 3 channels, expected 1"):
        Pictures(str(made), 1).sample(1)


def spoil(path: Path, change) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.attrs.__setitem__("format", "minivae run"),
        lambda file: file.attrs.__setitem__("version", 99),
        lambda file: file.__delitem__("images"),
        lambda file: (file.__delitem__("images"), file.create_dataset("images", data=np.zeros((6, 3, 64, 64)))),
        lambda file: (file.__delitem__("images"), file.create_dataset("images", (10**9, 3, 64, 64), "u1")),
        lambda file: (file.__delitem__("images"),
                      file.create_dataset("images", data=np.zeros((6, 3, 64, 64), np.uint8), compression="gzip")),
        lambda file: (file.__delitem__("names"), file.create_dataset("names", data=np.frombuffer(b"[]", np.uint8))),
        lambda file: (file.__delitem__("names"), file.create_dataset("names", data=np.frombuffer(b"{", np.uint8))),
        lambda file: (file.__delitem__("known"), file.create_dataset("known", data=np.zeros((5, 0), np.float32))),
        lambda file: file["known"].attrs.__setitem__("columns", "5"),
    ],
)  # fmt: skip
def test_file_that_is_not_ours_is_told(made, change):
    spoil(made, change)
    with pytest.raises(ValueError, match=str(made)):
        Pictures.open(made)


def test_no_hdf5_and_no_file_are_told(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"damaged or was not made by .*signature not found"):
        Pictures.open(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match="no file"):
        Pictures.open(tmp_path / "b.h5")


def test_command_says_what_it_did(tmp_path, capsys):
    files = celeba_files(3) | {"img_align_celeba/000004.jpg": b"x", "img_align_celeba/readme": b"y"}
    files |= {f"img_align_celeba/{i:06d}.jpg": celeba_files(1).popitem()[1] for i in range(10, 25)}
    out = tmp_path / "out.h5"
    assert main(["data", "import", "celeba", str(zipped(tmp_path / "a.zip", files)), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"wrote {out}: 3 pictures\n" in said
    assert "left out, duplicate: 15\n" in said and "000010.jpg: the same as img_align_celeba/000001.jpg" in said
    assert "… and 5 more" in said
    assert "left out, unreadable: 1\n" in said and "passed over, no pictures of this kind: 1\n" in said
    assert "note: the published set has 202,599 pictures" in said
    assert main(["data", "import", "celeba", str(tmp_path / "a.zip"), "--out", str(out)]) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("brightest", [1, 16_384, 32_767, 32_768, 65_535])
def test_sixteen_bits_up_to_half_of_white_are_asked_for(tmp_path, brightest):
    files = {"a.png": png(np.full((64, 64), brightest)), "b.png": png(np.zeros((64, 64), int))}
    if brightest < 32_768:
        white = 2 ** int(brightest).bit_length() - 1  # of as many bits
        with pytest.raises(ValueError, match=rf"no brighter than {brightest:,} of 65,535.* white={white} \(--white\)"):
            imported(tmp_path, files)
    else:
        _, found = imported(tmp_path, files)
        assert (found["a.png"] == round(brightest / 257)).all() and (found["b.png"] == 0).all()


@pytest.mark.parametrize(("whole", "noted"), [(4, True), (3, False), (2, False)])
def test_a_set_is_whole_with_its_duplicates(tmp_path, monkeypatch, whole, noted):
    *layout, _ = imports.LAYOUTS["celeba"]
    monkeypatch.setitem(imports.LAYOUTS, "celeba", (*layout, whole))
    files = celeba_files(2)
    files["000003.jpg"] = next(iter(files.values()))
    report = quiet("celeba", folder(tmp_path / "in", files), tmp_path / "out.h5")
    assert (report.pictures, len(report.duplicates)) == (2, 1)
    said = [note for note in report.notes if "published set" in note]
    assert said == [f"the published set has {whole} pictures, this source 2"] * noted
