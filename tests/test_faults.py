"""What can go wrong at any moment, and what is left of the work then: kills, locks, full disks, damaged files."""

import builtins
import dataclasses
import errno
import fcntl
import io
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from minivae import experiments
from minivae.engine import saving
from minivae.engine.curves import load_curve, save_curve
from minivae.engine.files import claim
from minivae.engine.imports import Pictures, import_pictures
from minivae.engine.runs import Run, RunFileError
from minivae.engine.trainer import TrainingError, train
from minivae.rate_distortion import RateDistortion

SMALL = dataclasses.replace(experiments.get("blobs-vae"), batch=2)
linux = pytest.mark.skipif(sys.platform != "linux", reason="forks and kills as Linux does")


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def go_on(out: Path, steps: int) -> None:
    before = Run.load(out) if out.exists() else None
    train(SMALL, steps=steps, device="cpu", precision="fp32", progress=False, out=out, resume=before,
          overwrite=before is not None)  # fmt: skip


@pytest.mark.slow
@linux
def test_training_killed_at_20_random_moments_ends_as_if_nothing_had_been(tmp_path, monkeypatch, one_thread):
    monkeypatch.setattr(saving, "LOOK_EVERY", 3)
    monkeypatch.setattr(saving, "SAVE_EVERY", 0)
    out, rng, seen, kills, done = tmp_path / "run.h5", random.Random(0), [], 0, False
    idle = 0  # kills since the last progress: on a busy machine little is done in half a second
    go_on(tmp_path / "warm.h5", 2)  # what a first training loads, no child has to
    while not done:
        child = os.fork()
        if child == 0:  # pragma: no cover
            try:
                go_on(out, 150)
            finally:
                os._exit(0 if Run.load(out).step == 150 else 1)
        if kills < 20:
            time.sleep(rng.uniform(0.02, 0.5) * 1.5 ** min(idle, 8))
            os.kill(child, signal.SIGKILL)
            kills += 1
        _, status = os.waitpid(child, 0)
        done = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if out.exists():
            seen.append(Run.load(out).step)  # never torn
        idle = 0 if len(set(seen[-2:])) == 2 else idle + 1
    assert kills == 20 and seen == sorted(seen) and len(set(seen)) > 3, seen
    unbroken = train(SMALL, steps=150, device="cpu", precision="fp32", progress=False)
    run = Run.load(out)
    assert np.array_equal(run.history["loss"], unbroken.history["loss"])
    assert all(torch.equal(run.weights[name], value) for name, value in unbroken.weights.items())
    assert sorted(os.listdir(tmp_path)) == ["run.h5", "warm.h5"]  # and nothing half-written


@pytest.mark.slow
@linux
def test_sigterm_saves_and_leaves(tmp_path, one_thread):
    out = tmp_path / "run.h5"
    go_on(tmp_path / "warm.h5", 1)
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            go_on(out, 100_000)
        except KeyboardInterrupt:
            os._exit(0)
        os._exit(1)
    time.sleep(1.5)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
    step = Run.load(out).step
    assert 0 < step < 100_000
    go_on(out, step + 2)
    unbroken = train(SMALL, steps=step + 2, device="cpu", precision="fp32", progress=False)
    assert np.array_equal(Run.load(out).history["loss"], unbroken.history["loss"])


@linux
def test_second_training_into_one_file_is_refused_and_the_first_goes_on(tmp_path, one_thread):
    out = tmp_path / "run.h5"
    child = os.fork()
    if child == 0:  # pragma: no cover
        with claim(out):
            (tmp_path / "ready").touch()
            time.sleep(30)
        os._exit(0)
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    with pytest.raises(OSError, match=r"another process is writing .*run.h5 now: wait for it"):
        go_on(out, 2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    go_on(out, 2)  # a claim ends with its process
    assert Run.load(out).step == 2


def test_what_a_killed_process_left_half_written_goes(tmp_path):
    (tmp_path / ".run.h5.123.tmp").write_bytes(b"half")
    (tmp_path / ".other.h5.123.tmp").write_bytes(b"another's")
    with claim(tmp_path / "run.h5"):
        pass
    assert os.listdir(tmp_path) == [".other.h5.123.tmp"]


@linux
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_file_locks_everything_is_written_and_read_and_one_warning_says_so(
    tmp_path, monkeypatch, number, one_thread
):
    """As on NFS and FUSE mounts. HDF5's own lock, which Python cannot take away, is held by somebody instead."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    real, said = fcntl.flock, "has no file locks .* going on without one"
    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / "in").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "in" / "a.png")
    (tmp_path / ".run.h5.123.tmp").write_bytes(b"perhaps another's, at work")
    for write, name in (
        (lambda: go_on(tmp_path / "run.h5", 2), "run.h5"),
        (lambda: import_pictures("folder", tmp_path / "in", tmp_path / "p.h5", progress=False), "p.h5"),
    ):
        with pytest.warns(RuntimeWarning, match=said) as warned:
            write()
        assert len(warned) == 1
        with open(tmp_path / name) as held:
            real(held, fcntl.LOCK_EX)
            with pytest.raises(OSError, match="unable to lock file"):
                h5py.File(tmp_path / name, "r", locking=True)
            assert Run.load(tmp_path / name).step == 2 if name == "run.h5" else len(Pictures.open(tmp_path / name)) == 1
    assert sorted(os.listdir(tmp_path)) == [".run.h5.123.tmp", "in", "p.h5", "run.h5"]


def test_a_file_that_another_program_has_open_for_writing_is_read(good_files, tmp_path):
    for name, (read, _) in READERS.items():
        path = tmp_path / name
        path.write_bytes(good_files[name])
        if name.endswith(".h5"):
            with h5py.File(path, "a"):
                read(path)


def test_an_error_of_the_system_keeps_its_reason(good_files, tmp_path, monkeypatch):
    """A disk that fails, a server that is gone: the file may be as good as ever, and is not called damaged."""
    real = builtins.open

    class Failing(io.FileIO):
        def readinto(self, buffer):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def failing(path, mode="r", *rest, **options):
        ours = "b" in mode and str(path).endswith(".h5")
        return Failing(path) if ours else real(path, mode, *rest, **options)

    for name in ("run.h5", "pictures.h5"):
        (tmp_path / name).write_bytes(good_files[name])
        with monkeypatch.context() as patch:
            patch.setattr(builtins, "open", failing)
            with pytest.raises(OSError, match=rf"Input/output error: '.*{name}'"):
                READERS[name][0](tmp_path / name)
        READERS[name][0](tmp_path / name)


@linux
def test_full_disk_is_told_and_the_last_good_file_stays(tmp_path, one_thread):
    out = tmp_path / "run.h5"
    go_on(out, 2)
    good = out.read_bytes()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))
    try:
        with pytest.raises(TrainingError, match=r"could not write .*the trained run is in the error's `run`") as caught:
            go_on(out, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.run.step == 4 and out.read_bytes() == good and os.listdir(tmp_path) == ["run.h5"]


@pytest.fixture(scope="module")
def good_files(tmp_path_factory) -> dict[str, bytes]:
    """A file of each kind that is read: a run, pictures, a limit."""
    folder = tmp_path_factory.mktemp("good")
    generator = dataclasses.replace(experiments.get("generator"), batch=2)
    run = train(generator, steps=2, device="cpu", precision="fp32", progress=False).slim()
    run.save(folder / "run.h5")
    (folder / "in").mkdir()
    for i in range(3):
        Image.new("RGB", (64, 64), (i * 50, 0, 0)).save(folder / "in" / f"{i}.png")
    import_pictures("folder", folder / "in", folder / "pictures.h5", progress=False)
    one = torch.ones(1, dtype=torch.float64)
    save_curve(RateDistortion(("x",), one, one[None], one, one, one), folder / "limit.json")
    return {name: (folder / name).read_bytes() for name in ("run.h5", "pictures.h5", "limit.json")}


READERS = {
    "run.h5": (Run.load, RunFileError),
    "pictures.h5": (lambda path: Pictures.open(path).sample(2), ValueError),
    "limit.json": (load_curve, ValueError),
}


def mutations(size: int) -> st.SearchStrategy:
    """Bytes changed, a piece cut out or doubled, an end torn off; more in the head, where the structure is."""
    place = st.one_of(st.integers(0, min(size, 4_000) - 1), st.integers(0, size - 1))
    change = st.tuples(st.just("set"), place, st.binary(min_size=1, max_size=8))
    return st.lists(
        st.one_of(change, st.tuples(st.just("cut"), place, st.integers(1, 600)),
                  st.tuples(st.just("end"), place, st.just(0)),
                  st.tuples(st.just("twice"), place, st.integers(1, 600))),
        min_size=1, max_size=4,
    )  # fmt: skip


def mutated(data: bytes, changes: list[tuple]) -> bytes:
    made = bytearray(data)
    for kind, place, what in changes:
        place = min(place, len(made))
        if kind == "set":
            made[place : place + len(what)] = what
        elif kind == "cut":
            del made[place : place + what]
        elif kind == "end":
            del made[place:]
        else:
            made[place:place] = made[place : place + what]
    return bytes(made)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "examples"), [("run.h5", 2_000), ("pictures.h5", 2_000), ("limit.json", 1_000)])
def test_damaged_files_are_told_or_read_and_take_no_memory(name, examples, good_files, tmp_path):
    good, (read, told) = good_files[name], READERS[name]
    path = tmp_path / name
    outcome = {"read": 0, "told": 0}

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(mutations(len(good)))
    def check(changes):
        path.write_bytes(mutated(good, changes))
        try:
            read(path)
            outcome["read"] += 1
        except told:
            outcome["told"] += 1

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check()
    assert outcome["told"] > examples / 4, outcome
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB


@pytest.mark.parametrize("place", ["weights/decoder.net.0.weight", "history/kl", "history/step"])
def test_absurd_sizes_in_a_run_are_told_before_they_are_read(good_files, tmp_path, place):
    path = tmp_path / "run.h5"
    path.write_bytes(good_files["run.h5"])
    with h5py.File(path, "r+") as file:
        kind = file[place].dtype
        del file[place]
        file.create_dataset(place, (10**6, 10**6), kind, chunks=(1000, 1000), compression="gzip")
    with pytest.raises(RunFileError, match=r"run\.h5"):
        Run.load(path)


def test_the_files_are_good(good_files, tmp_path):
    for name, data in good_files.items():
        (tmp_path / name).write_bytes(data)
        READERS[name][0](tmp_path / name)
    assert json.load(io.BytesIO(good_files["limit.json"]))
