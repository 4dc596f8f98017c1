"""Readers of the published files: what they give, and what they say of files that are not what they should be."""

import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from minivae.__main__ import main
from minivae.datasets import Sprites
from minivae.engine import dsprites as originals
from minivae.engine.dsprites import DSprites, dsprites
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.objectives import ELBO


@pytest.fixture
def few(monkeypatch) -> Sprites:
    """The first shape at one scale and 8 × 8 places: the same layout, small."""
    monkeypatch.setattr(Sprites, "sizes", (1, 1, 1, 40, 8, 8))
    monkeypatch.setattr(originals, "BLOCK", 512)
    return Sprites()


def arrays(few: Sprites) -> dict[str, np.ndarray]:
    classes = few.classes(torch.arange(len(few)))
    return {"imgs": few.render(classes)[:, 0].to(torch.uint8).numpy(), "latents_classes": classes.numpy()}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_npz_gives_what_was_written(few, tmp_path):
    path = tmp_path / "d.npz"
    metadata = np.array({"author": "a pickle that must not be read"}, dtype=object)
    np.savez_compressed(path, metadata=metadata, **arrays(few))
    data = dsprites(path)
    images, classes = data.sample(200, generator())
    expected, same = few.sample(200, generator())
    assert torch.equal(images, expected) and torch.equal(classes, same)
    assert torch.equal(data.render(classes), expected) and data.bits.shape == (len(few), 512)


def test_a_run_knows_its_sprites_wherever_the_file_lies(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    originals.export("d.h5")
    np.savez_compressed("d.npz", **arrays(few))
    experiment = Experiment("mine", DSprites("d.h5"), ELBO(), batch=2)
    run = train(experiment, steps=1, device="cpu", progress=False, out="a.h5")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run.experiment.dataset.path == str(tmp_path / "d.h5")
    assert run.experiment.dataset == dsprites("../d.h5").identified()
    (tmp_path / "d.h5").unlink()
    run = Run.load("../a.h5", data="../d.npz")  # the same pictures in the other form
    assert train(run.experiment, steps=2, resume=run, device="cpu", progress=False).step == 2
    others = arrays(few)
    others["imgs"][3, 0, 0] = 1
    np.savez("others.npz", **others)
    with pytest.raises(ValueError, match=r"others\.npz holds other pictures"):
        Run.load("../a.h5", data="others.npz")


def test_export_can_be_read_by_the_reader_and_by_plain_h5py(few, tmp_path, capsys):
    path = tmp_path / "d.h5"
    assert main(["data", "export", "sprites", "--out", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    with h5py.File(path) as file:
        assert file["imgs"].dtype == np.uint8 and file["imgs"].shape == (len(few), 64, 64)
        assert file["latents/classes"].dtype == np.int64 and file["latents/values"].dtype == np.float64
        row = 1607
        classes = few.classes(torch.tensor([row]))
        assert np.array_equal(file["imgs"][row], few.render(classes)[0, 0].numpy())
        assert file["latents/classes"][row].tolist() == classes[0].tolist()
        values = [value[i].item() for value, i in zip(few.values.values(), classes[0], strict=True)]
        assert file["latents/values"][row].tolist() == values
    assert torch.equal(dsprites(path).sample(50, generator())[0], few.sample(50, generator())[0])


def test_export_refuses_to_overwrite_and_leaves_nothing_behind(few, tmp_path, capsys, monkeypatch):
    path = tmp_path / "d.h5"
    path.write_text("mine")
    assert main(["data", "export", "sprites", "--out", str(path)]) == 1
    assert "exists" in capsys.readouterr().err and path.read_text() == "mine"
    path.unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Sprites, "render", full)
    assert main(["data", "export", "sprites", "--out", str(path)]) == 1
    assert "No space left" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_path_is_stored_and_read_only_when_needed(tmp_path):
    data = DSprites(str(tmp_path / "none.npz"))
    assert data.channels == 1 and len(data) == 737_280
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz: data/README\.md says where"):
        data.sample(1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_export_on_a_full_disk_is_one_error(tmp_path):
    code = """
import resource, signal, sys, torch
from minivae.engine import dsprites as originals
class Few(originals.Sprites):
    sizes = (1, 1, 1, 40, 8, 8)
originals.Sprites, originals.BLOCK = Few, 512
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    originals.export(sys.argv[1])
except OSError as error:
    print(error)
"""
    words = [sys.executable, "-c", code, str(tmp_path / "d.h5")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and "Free some space" in done.stdout and not list(tmp_path.iterdir())


def broken(change):
    """An npz of which one thing was changed."""

    def make(few: Sprites, path: Path) -> None:
        content = arrays(few)
        change(content)
        np.savez(path, **content)

    return make


def truncated(few: Sprites, path: Path) -> None:
    np.savez(path, **arrays(few))
    path.write_bytes(path.read_bytes()[:-1000])


def flipped(few: Sprites, path: Path) -> None:
    np.savez_compressed(path, **arrays(few))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def rezipped(change):
    """An npz whose members were changed as bytes, in a zip archive that is itself whole."""

    def make(few: Sprites, path: Path) -> None:
        np.savez(path, **arrays(few))
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, change(name, data))

    return make


def hdf5_without_classes(few: Sprites, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["imgs"] = arrays(few)["imgs"]


def hdf5_group_for_array(few: Sprites, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("imgs")
        file["latents/classes"] = arrays(few)["latents_classes"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken(lambda a: a.pop("imgs")), "has no array imgs"),
        (broken(lambda a: a.pop("latents_classes")), "has no array latents_classes"),
        (
            broken(lambda a: a.update(imgs=a["imgs"][:-1])),
            r"imgs is uint8 \(2559, 64, 64\), expected uint \(2560, 64, 64\)",
        ),
        (broken(lambda a: a.update(imgs=a["imgs"][:, :32])), r"imgs is uint8 \(2560, 32, 64\)"),
        (broken(lambda a: a.update(imgs=a["imgs"].astype(np.float32))), "imgs is float32"),
        (broken(lambda a: a.update(imgs=a["imgs"] * 255)), "pixels must be 0 or 1, got 255"),
        (broken(lambda a: a.update(imgs=np.array([None]))), "holds pickled objects, which are never read"),
        (broken(lambda a: a.update(imgs=np.asfortranarray(a["imgs"]))), "column order"),
        (broken(lambda a: a["latents_classes"].__setitem__(1500, 0)), "not in the published order"),
        (truncated, "damaged|neither"),
        (flipped, "damaged"),
        (rezipped(lambda name, data: data[:-100] if name == "imgs.npy" else data), "damaged.*ends too early"),
        (rezipped(lambda name, data: data.replace(b"'|u1'", b"'zzz'")), "damaged"),
        (hdf5_without_classes, "has no array latents/classes"),
        (hdf5_group_for_array, "has no array imgs"),
        (lambda few, path: path.write_text("not found"), "neither an npz nor an HDF5 file"),
        (lambda few, path: path.write_bytes(b""), "neither an npz nor an HDF5 file"),
    ],
)
def test_bad_files_give_one_clear_error(few, tmp_path, make, message):
    path = tmp_path / "d.npz"
    make(few, path)
    with pytest.raises(ValueError, match=message) as told:
        dsprites(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("value", [2, 3, 128, 255])
def test_any_other_pixel_than_0_and_1_is_told(value):
    blocks = [np.zeros((4, 64, 64), np.uint8), np.ones((4, 64, 64), np.uint8)]
    classes = Sprites().classes(torch.arange(8)).numpy().reshape(2, 4, 6)
    blocks[1][2, 5, 9] = value
    with pytest.raises(ValueError, match=f"pixels must be 0 or 1, got {value}"):
        originals._pack(iter(blocks), iter(classes))
    blocks[1][2, 5, 9] = 0
    bits = np.unpackbits(originals._pack(iter(blocks), iter(classes))[:8], axis=1)
    assert np.array_equal(bits, np.concatenate(blocks).reshape(8, -1))
