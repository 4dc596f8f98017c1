"""Run files: round trip, atomic writes, and one clear error for whatever else may lie there."""

import dataclasses
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from minivae import experiments
from minivae.engine import runs
from minivae.engine.runs import Run, RunFileError
from minivae.engine.settings import to_dict
from minivae.engine.trainer import train


@pytest.fixture(scope="module")
def run() -> Run:
    return train(experiments.get("blobs-beta150"), steps=12, seed=3, device="cpu", precision="fp32",
                 progress=False, snapshots=[4])  # fmt: skip


@pytest.fixture
def path(run, tmp_path):
    return run.save(tmp_path / "run.h5")


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(torch.as_tensor(a[k]), torch.as_tensor(b[k])) for k in a)


def test_round_trip(run, path):
    again = Run.load(path)
    assert (again.experiment, again.seed, again.step, again.provenance) == (run.experiment, 3, 12, run.provenance)
    assert same(again.weights, run.weights) and same(again.history, run.history)
    assert again.snapshots.keys() == {4} and same(again.snapshots[4], run.snapshots[4])
    assert torch.equal(again.checkpoint.generator, run.checkpoint.generator)
    assert again.checkpoint.optimizer.keys() == run.checkpoint.optimizer.keys()
    assert all(same(again.checkpoint.optimizer[k], run.checkpoint.optimizer[k]) for k in run.checkpoint.optimizer)


def test_file_holds_no_pickles(path):
    kinds = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: kinds.append(item.dtype) if isinstance(item, h5py.Dataset) else None)
        assert all(isinstance(value, np.bytes_ | np.integer) for value in file.attrs.values())
    assert kinds and not any(kind.hasobject for kind in kinds)


def test_models_are_those_of_the_step(run):
    z = torch.randn(2, 10)
    assert not torch.equal(run.model().decode(z), run.model(4).decode(z))
    assert torch.equal(run.model().decode(z), run.model(12).decode(z))
    kernel = run.model().encoder.net[2].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)  # as fast layers want it
    with pytest.raises(ValueError, match=r"no snapshot at step 5: there are \[4, 12\]"):
        run.model(5)


def test_mean_kl_averages_the_last_steps(run):
    assert np.allclose(run.mean_kl(last=5), run.history["kl"][-5:].mean(0))


def test_slim_run_averages_history_and_halves_weights(run, tmp_path):
    slim = Run.load(run.slim(every=4).save(tmp_path / "slim.h5"))
    assert slim.checkpoint is None and slim.history["step"].tolist() == [4, 8, 12]
    assert np.allclose(slim.history["kl"][1], run.history["kl"][4:8].mean(0))
    for name, value in slim.model().state_dict().items():
        assert torch.allclose(value, run.weights[name], rtol=2**-8 if value.dim() > 1 else 2**-11, atol=1e-7)
    assert (tmp_path / "slim.h5").stat().st_size < 4e6


def test_existing_file_is_kept(run, path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        run.save(path)
    assert path.read_bytes() == before
    run.save(path, overwrite=True)


def test_missing_folder(run, tmp_path):
    with pytest.raises(OSError, match="does not exist: create it first"):
        run.save(tmp_path / "nowhere" / "run.h5")


def test_unwritable_folder(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere, so the answer is staged
    with pytest.raises(PermissionError, match="is not writable"):
        run.save(tmp_path / "run.h5")


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_interrupted_write_leaves_the_old_file_and_nothing_else(run, path, monkeypatch, error, moment):
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, moment, fail)
    with pytest.raises(type(error)):
        run.save(path, overwrite=True)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk(path):
    code = f"""
import resource, signal
from pathlib import Path
from minivae import Run
run = Run.load({str(path)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    run.save(Path({str(path)!r}).with_name("second.h5"))
except OSError as error:
    print("told:", error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "told: could not write" in result.stdout and "nothing was left behind" in result.stdout
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*train one with"):
        Run.load(tmp_path / "none.h5")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_file(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RunFileError, match=r"run\.h5 is no readable run"):
        Run.load(path)


def test_flipped_bytes_load_or_are_told(path):
    good, rng = path.read_bytes(), np.random.default_rng(0)
    told = 0
    for _ in range(40):
        damaged = bytearray(good)
        for place in rng.integers(len(good), size=20):
            damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            Run.load(path)
        except RunFileError as error:
            assert "run.h5" in str(error)
            told += 1
    assert told > 20  # the checksums see most of it


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_foreign_file(path, content):
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"run\.h5"):
        Run.load(path)


def test_hdf5_of_something_else(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["imgs"] = np.zeros(3)
    with pytest.raises(RunFileError, match="not a minivae run"):
        Run.load(tmp_path / "other.h5")


def spoil(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__setitem__("version", 99), "format 99, this minivae reads format 1"),
        (lambda f: f.__delitem__("weights/decoder.net.0.weight"), "no readable run"),
        (lambda f: f.__delitem__("history/kl"), "no readable run"),
        (lambda f: f.attrs.__setitem__("experiment", "{"), "no readable run"),
        (lambda f: f.attrs.__setitem__("experiment", '{"dataset": {"kind": "Faces"}}'), "known kinds"),
        (lambda f: (f.__delitem__("weights/decoder.net.0.bias"),
                    f.__setitem__("weights/decoder.net.0.bias", np.zeros(3, np.float32))), "size mismatch"),
    ],
)  # fmt: skip
def test_spoiled_run(path, change, message):
    spoil(path, change)
    with pytest.raises(RunFileError, match=message):
        Run.load(path)


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_failure_while_composing_the_file_leaves_the_old_one(run, path, monkeypatch, error):
    before = path.read_bytes()

    def fail(file, _):
        file.attrs["format"] = "half a file"
        raise error

    monkeypatch.setattr(runs, "_write", fail)
    with pytest.raises(type(error)):
        run.save(path, overwrite=True)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_write_permission(run, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="is not writable"):
            run.save(tmp_path / "run.h5")
    finally:
        tmp_path.chmod(0o700)


def test_run_without_snapshots_and_checkpoint_round_trips(run, tmp_path):
    bare = dataclasses.replace(run, snapshots={}, checkpoint=None)
    again = Run.load(bare.save(tmp_path / "bare.h5"))
    assert again.snapshots == {} and again.checkpoint is None and same(again.weights, run.weights)
    assert [again.history[name].dtype for name in run.history] == [rows.dtype for rows in run.history.values()]


def test_model_is_frozen_and_does_not_share_memory_with_the_run(run):
    model = run.model()
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    before = run.weights["decoder.net.0.bias"].clone()
    model.decoder.net[0].bias.add_(1)
    assert torch.equal(run.weights["decoder.net.0.bias"], before)


def test_slimming_leaves_the_run_as_it_was(run):
    weights, rows = run.weights["decoder.net.0.weight"].clone(), len(run.history["step"])
    slim = run.slim(every=5)
    assert slim.history["step"].tolist() == [5, 10]  # a rest of two steps makes no row
    assert slim.weights["decoder.net.0.weight"].dtype == torch.float16
    assert torch.equal(run.weights["decoder.net.0.weight"], weights) and weights.dtype == torch.float32
    assert len(run.history["step"]) == rows and run.checkpoint is not None


def test_one_flipped_byte_loads_or_is_told(run, tmp_path):
    # the head of the file holds HDF5's own structures, where damage leads astray more often than in the data
    path = run.slim(every=4).save(tmp_path / "run.h5")
    good, rng, told = path.read_bytes(), np.random.default_rng(1), 0
    for place in [*rng.integers(3_000, size=40), *rng.integers(len(good), size=20)]:
        damaged = bytearray(good)
        damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            assert Run.load(path).experiment is not None
        except RunFileError as error:
            assert "run.h5" in str(error)
            told += 1
    assert told > 0


def test_text_file_under_a_runs_name(path):
    path.write_text("step,loss\n1,2.0\n" * 100)
    with pytest.raises(RunFileError, match="no readable run"):
        Run.load(path)


def test_any_byte_missing_at_the_end_is_noticed(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunFileError, match="no readable run"):
        Run.load(path)


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize(
    "change",
    [
        replace("checkpoint/optimizer/decoder.net.0.bias/exp_avg", np.zeros(3, np.float32)),
        lambda f: f.__delitem__("checkpoint/optimizer/decoder.net.0.bias"),
        lambda f: f.__delitem__("checkpoint/optimizer/decoder.net.0.bias/exp_avg_sq"),
        replace("checkpoint/generator", np.zeros(3)),
        replace("snapshots/4/decoder.net.0.bias", np.zeros(3, np.float32)),
        replace("history/kl", np.zeros(12)),
        replace("history/loss", np.zeros(11)),
        lambda f: f.attrs.__setitem__("made", "null"),
    ],
)
def test_parts_that_do_not_fit_are_told_on_loading(path, change):
    spoil(path, change)
    with pytest.raises(RunFileError, match="no readable run"):
        Run.load(path)


@pytest.mark.parametrize("state", [None, np.zeros(2, np.float32), np.float64(1.0)])
def test_a_controllers_state_must_fit(tmp_path, state):
    path = train(experiments.get("generator-lagrangian"), steps=1, device="cpu", precision="fp32",
                 progress=False).save(tmp_path / "run.h5")  # fmt: skip
    assert Run.load(path).checkpoint.objective.shape == ()
    remove = lambda file: file.__delitem__("checkpoint/objective")  # noqa: E731
    spoil(path, remove if state is None else replace("checkpoint/objective", state))
    with pytest.raises(RunFileError, match="the objective's state does not fit"):
        Run.load(path)


def test_a_generators_run_under_a_vaes_settings_is_told(tmp_path):
    path = train(experiments.get("generator"), steps=1, device="cpu", precision="fp32",
                 progress=False).slim().save(tmp_path / "run.h5")  # fmt: skip
    settings = to_dict(experiments.get("generator"))
    spoil(path, lambda file: file.attrs.__setitem__("experiment", json.dumps({**settings, "model": "vae"})))
    with pytest.raises(RunFileError, match="encoder"):
        Run.load(path)


def test_folder_as_output_is_refused(run, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        run.save(tmp_path, overwrite=True)


def test_slim_of_a_short_run_keeps_a_history(run):
    assert run.slim(every=100).history["step"].tolist() == [12]
    with pytest.raises(ValueError, match="every must be a whole number of at least 1"):
        run.slim(every=0)
    with pytest.raises(ValueError, match="last must be a whole number of at least 1"):
        run.mean_kl(last=0)


@pytest.mark.parametrize("steps, every", [(50, 10), (50_000, 10), (50_001, 20), (100_000, 20)])
def test_a_slim_run_has_a_row_every_ten_steps_or_every_twenty_of_a_long_one(run, steps, every):
    rows = {"step": np.arange(steps - 49, steps + 1), "loss": np.arange(50.0), "reconstruction": np.arange(50.0) ** 2}
    long = dataclasses.replace(run, step=steps, history=rows | {"kl": np.arange(500.0).reshape(50, 10)})
    slim = long.slim()
    assert slim.history["step"].tolist() == rows["step"][every - 1 :: every].tolist()
    assert slim.history["loss"][:2].tolist() == [(every - 1) / 2, every + (every - 1) / 2]
    assert slim.history["kl"][0].tolist() == pytest.approx((np.arange(10) + 5 * (every - 1)).tolist())


def test_mean_kl_is_of_the_last_500_steps(run):
    kl = np.zeros((1_200, 10))
    kl[-500:] = np.arange(10)
    kl[-499:-50] *= 3
    history = {"step": np.arange(1, 1_201), "loss": kl[:, 0], "reconstruction": kl[:, 0], "kl": kl}
    long = dataclasses.replace(run, step=1_200, history=history)
    assert long.mean_kl() == pytest.approx(np.arange(10) * (51 + 3 * 449) / 500)
    slim = long.slim(every=20)  # whose rows are means over twenty steps
    assert slim.mean_kl() == pytest.approx(long.mean_kl())
