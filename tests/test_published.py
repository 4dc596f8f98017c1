"""3D Shapes and MPI3D in their published layouts, made small."""

import os
import zipfile

import h5py
import numpy as np
import pytest
import torch

from minivae import metrics
from minivae.__main__ import main
from minivae.engine import published
from minivae.engine.pictures import Pictures
from minivae.engine.published import import_lattice

SMALL = {
    "shapes3d": [{"floor_hue": 3, "shape": 2, "orientation": 5}],
    "mpi3d": [{"size": 2, "x": 3}, {"size": 3, "x": 3}],
}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(published, "LATTICES", SMALL)
    monkeypatch.setattr(published, "BLOCK", 4)


def pictures(n):
    """Picture i has red i, green 2 i, and blue its row."""
    images = np.zeros((n, 64, 64, 3), np.uint8)
    images[..., 0] = np.arange(n)[:, None, None]
    images[..., 1] = 2 * images[..., 0]
    images[..., 2] = np.arange(64)[:, None]
    return images


def write(kind, path, n):
    if kind == "mpi3d":
        np.savez_compressed(path, images=pictures(n), metadata=np.array({"a": "pickle"}, dtype=object))
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("images", data=pictures(n), chunks=(7, 64, 64, 3), compression="gzip")
            file["labels"] = np.zeros((n, 6))
    return path


@pytest.mark.parametrize(
    ("kind", "n", "sizes"), [("shapes3d", 30, (3, 2, 5)), ("mpi3d", 6, (2, 3)), ("mpi3d", 9, (3, 3))]
)
def test_every_picture_keeps_its_factors(kind, n, sizes, tmp_path):
    source = write(kind, tmp_path / ("a.npz" if kind == "mpi3d" else "a.h5"), n)
    assert import_lattice(kind, source, tmp_path / "out.h5", progress=False) == n
    data = Pictures.open(tmp_path / "out.h5")
    images, classes = data.pick(torch.arange(n))
    assert images.shape == (n, 3, 64, 64) and data.channels == 3
    assert torch.equal(images[:, 0, 0, 0] * 255, torch.arange(n).float())
    assert torch.equal(images[:, 1, 5, 7] * 255, 2.0 * torch.arange(n))
    assert torch.equal(images[3, 2, :, 9] * 255, torch.arange(64.0))
    flat = torch.zeros(n)
    for column, size in enumerate(sizes):
        flat = flat * size + classes[:, column]
    assert torch.equal(flat, torch.arange(n).float())  # the last factor varies fastest
    names, found = metrics.factor_classes(data, classes)
    assert names == data.factors and found.max(0).values.tolist() == [size - 1 for size in sizes]


def test_the_command_imports_them(tmp_path, capsys):
    source = write("shapes3d", tmp_path / "3dshapes.h5", 30)
    out = tmp_path / "out.h5"
    assert main(["data", "import", "shapes3d", str(source), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}: 30 pictures\n"
    assert main(["data", "import", "shapes3d", str(source), "--out", str(out)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["data", "import", "shapes3d", str(source), "--out", str(out), "--force", "--json"]) == 0


def damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("kind", ["shapes3d", "mpi3d"])
def test_what_is_not_as_published_is_refused_and_leaves_nothing(kind, tmp_path):
    name = "a.npz" if kind == "mpi3d" else "a.h5"
    with pytest.raises(FileNotFoundError, match=r"data/README\.md"):
        import_lattice(kind, tmp_path / name, tmp_path / "out.h5")
    with pytest.raises(ValueError, match=rf"no {kind} as published.*uint8 \(7, 64, 64, 3\)"):
        import_lattice(kind, write(kind, tmp_path / name, 7), tmp_path / "out.h5", progress=False)
    damaged(write(kind, tmp_path / name, 30 if kind == "shapes3d" else 9))
    with pytest.raises(ValueError, match=f"no {kind} as published"):
        import_lattice(kind, tmp_path / name, tmp_path / "out.h5", progress=False)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")) == [name]


def test_a_full_disk_is_not_the_sources_fault(tmp_path, monkeypatch):
    source = write("mpi3d", tmp_path / "a.npz", 6)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(published, "TemporaryFile", lambda dir: Full())
    with pytest.raises(OSError, match=r"could not write .*No space left"):
        import_lattice("mpi3d", source, tmp_path / "out.h5", progress=False)


def test_pickled_pictures_are_never_read(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([{"a": "pickle"}], dtype=object))
    with pytest.raises(ValueError, match="never read"):
        import_lattice("mpi3d", tmp_path / "a.npz", tmp_path / "out.h5", progress=False)


def test_another_version_of_npy_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("images.npy", "w") as stream:
        np.lib.format.write_array(stream, pictures(6), version=(2, 0))
    with pytest.raises(ValueError, match=r"array images is not in npy format 1\.0"):
        import_lattice("mpi3d", tmp_path / "a.npz", tmp_path / "out.h5")
    assert os.listdir(tmp_path) == ["a.npz"]
