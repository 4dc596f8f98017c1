"""Sweeps: every training once, what is whole left alone, what was broken off gone on with."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from minivae.__main__ import main
from minivae.engine import sweep
from minivae.engine.runs import Run
from minivae.engine.trainer import TrainingError, train


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def command(folder: Path, *arguments: str) -> list[str]:
    return ["sweep", "blobs-beta150", "--device", "cpu", "--out", str(folder), *arguments]


@pytest.mark.slow
def test_sweep_trains_every_combination_once_and_writes_a_table(tmp_path, capsys):
    arguments = command(tmp_path, "--seeds", "0:2", "--set", "beta=1,150", "--steps", "2", "--workers", "2")
    assert main([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["seed"], row["beta"], row["step"]) for row in rows] == [(0, 1, 2), (1, 1, 2), (0, 150, 2), (1, 150, 2)]
    files = {path.name: path.read_bytes() for path in tmp_path.glob("*.h5")}
    assert set(files) == {f"blobs-beta150-beta{beta}-seed{seed}.h5" for beta in (1, 150) for seed in (0, 1)}
    run = Run.load(tmp_path / "blobs-beta150-beta1-seed1.h5")
    assert run.experiment.objective.beta == 1.0 and run.seed == 1 and "sweep blobs-beta150" in run.provenance["command"]
    alone = train(run.experiment, steps=2, seed=1, device="cpu", progress=False)
    assert np.allclose(run.history["loss"], alone.history["loss"], rtol=1e-3)
    with open(tmp_path / "sweep.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["reconstruction"]) for row in table] == [row["reconstruction"] for row in rows]

    assert main(arguments) == 0  # again: nothing is done anew
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.h5")} == files
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and said[0].split()[:4] == ["run", "seed", "beta", "step"]


def test_a_sweep_without_a_folder_makes_one_among_the_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where there are no runs yet
    assert main(["sweep", "blobs-vae", "--seeds", "0:2", "--steps", "1", "--table", "--json"]) == 0
    assert [row["step"] for row in json.loads(capsys.readouterr().out)] == [0, 0]
    assert [path.name for path in (tmp_path / "runs" / "blobs-vae-sweep").iterdir()] == ["sweep.csv"]


def test_sweep_goes_on_where_a_training_was_broken_off(tmp_path):
    (job,) = sweep.plan("blobs-vae", [3], {}, tmp_path, steps=6)
    train(job.experiment, steps=4, seed=3, device="cpu", precision="fp32", progress=False, out=job.out)
    sweep.train_job(job, "cpu", threads=None)
    run = Run.load(job.out)
    whole = train(job.experiment, steps=6, seed=3, device="cpu", precision="fp32", progress=False)
    assert run.step == 6 and np.allclose(run.history["loss"], whole.history["loss"], rtol=1e-5)
    (job,) = sweep.plan("blobs-vae", [3], {}, tmp_path, steps=7, reseed=True)  # as on another kind of device
    sweep.train_job(job, "cpu", threads=None)
    assert Run.load(job.out).provenance["reseeded"] == [6]


@pytest.mark.slow
def test_one_that_fails_does_not_keep_the_others(tmp_path, capsys):
    (tmp_path / "blobs-beta150-seed0.h5").write_text("no run")
    assert main(command(tmp_path, "--seeds", "0,1", "--steps", "1", "--workers", "1")) == 1
    told = capsys.readouterr()
    assert "error: blobs-beta150-seed0.h5" in told.err and "is no readable run" in told.err
    assert Run.load(tmp_path / "blobs-beta150-seed1.h5").step == 1
    assert (tmp_path / "blobs-beta150-seed0.h5").read_text() == "no run"


@pytest.mark.slow
def test_killed_sweep_is_restarted_by_the_same_command(tmp_path):
    arguments = [
        sys.executable,
        "-m",
        "minivae",
        *command(tmp_path, "--seeds", "0:3", "--steps", "1", "--workers", "1"),
    ]
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and not list(tmp_path.glob("*.h5")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.h5")}
    assert 1 <= len(done) <= 3
    subprocess.run(arguments, check=True, capture_output=True)
    assert len(list(tmp_path.glob("*.h5"))) == 3
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())
    assert all(Run.load(path).step == 1 for path in tmp_path.glob("*.h5"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_interrupted_sweep_saves_what_is_at_work_and_begins_nothing_more(tmp_path):
    arguments = command(tmp_path, "--seeds", "0:4", "--steps", "1000000", "--workers", "1")
    process = subprocess.Popen([sys.executable, "-m", "minivae", *arguments], stderr=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    while process.poll() is None and not (tmp_path / ".blobs-beta150-seed0.h5.lock").exists():
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted" in error
    assert [path.name for path in tmp_path.iterdir()] == ["blobs-beta150-seed0.h5"]
    assert Run.load(tmp_path / "blobs-beta150-seed0.h5").step > 0


@pytest.mark.slow
def test_cluster_trains_through_submitit(tmp_path):
    pytest.importorskip("submitit")
    jobs = sweep.plan("blobs-vae", [0], {}, tmp_path, steps=2)
    (sent,) = sweep.submit(jobs, "local", tmp_path / "cluster")
    assert Path(sent.result()) == jobs[0].out
    assert sweep.table(jobs)[0]["step"] == 2
    with pytest.raises(RuntimeError, match="no cluster 'moon' here"):
        sweep.submit(jobs, "moon", tmp_path / "cluster")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "gamma=1"], "blobs-beta150 has no setting 'gamma': known are batch, beta, "),
        (["--set", "beta"], "a setting must be like beta=1,4,16"),
        (["--set", "beta=high"], "beta must be of the kind of 150.0, got 'high'"),
        (["--set", "beta=-1"], "beta must be"),
        (["--set", "domain=moon"], "domain"),
        (["--seeds", "3:3"], "seeds must be like 0:10"),
        (["--seeds", "-1"], "seeds must be like 0:10"),
        (["--seeds", "1,1"], "once, got some twice"),
        (["--steps", "0"], "steps must be a whole number of at least 1"),
    ],
)
def test_bad_sweeps_are_told_before_anything_is_done(tmp_path, capsys, arguments, message):
    assert main(command(tmp_path / "sweep", *arguments)) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "sweep").exists()


def test_settings_reach_experiment_objective_and_data_set(tmp_path):
    settings = {"latents": [4], "beta": [2], "sigma": [5.0], "domain": ["disc"]}
    (job,) = sweep.plan("blobs-beta150", [0], settings, tmp_path)
    experiment = job.experiment
    assert (experiment.latents, experiment.objective.beta) == (4, 2.0)
    assert (experiment.dataset.sigma, experiment.dataset.domain) == (5.0, "disc")
    assert experiment.name == "blobs-beta150-latents4-beta2-sigma5.0-domaindisc" and job.steps == experiment.steps


def test_table_trains_nothing_and_a_cluster_gets_only_what_is_left(tmp_path, capsys, monkeypatch):
    arguments = command(tmp_path, "--seeds", "0,1", "--steps", "1")
    train(sweep.plan("blobs-beta150", [0], {}, tmp_path)[0].experiment, steps=1, progress=False,
          out=tmp_path / "blobs-beta150-seed0.h5")  # fmt: skip
    assert main([*arguments, "--table", "--json"]) == 0
    assert [row["step"] for row in json.loads(capsys.readouterr().out)] == [1, 0]
    assert len(list(tmp_path.glob("*.h5"))) == 1
    sent = []
    monkeypatch.setattr(sweep, "submit", lambda jobs, *_, **__: sent.extend(jobs) or jobs)
    assert main([*arguments, "--cluster", "local"]) == 0
    assert [job.seed for job in sent] == [1]


def test_table_tells_the_end_of_each_training(tmp_path):
    jobs = sweep.plan("blobs-beta150", [3], {"beta": [16.0]}, tmp_path, steps=2_000)
    run = train(jobs[0].experiment, steps=1, seed=3, device="cpu", progress=False)
    step = np.arange(1, 1001)
    kl = np.where(step[:, None] > 500, [2.0, 0.02, 0.009] + 7 * [0.001], 1.0)
    history = {"step": step, "loss": step * 0.0, "reconstruction": 2000.0 - step, "kl": kl}
    dataclasses.replace(run, step=1000, history=history, checkpoint=None).save(jobs[0].out)
    assert sweep.table(jobs) == [{
        "run": "blobs-beta150-beta16.0-seed3.h5", "seed": 3, "beta": 16.0, "step": 1000, "of": 2000,
        "reconstruction": 1249.5, "kl": 2.036, "active": 2,
    }]  # fmt: skip


@pytest.mark.parametrize("done", [2, 3])
def test_what_has_come_as_far_or_farther_is_left_alone(tmp_path, done):
    (job,) = sweep.plan("blobs-vae", [3], {}, tmp_path, steps=2)
    train(job.experiment, steps=done, seed=3, device="cpu", precision="fp32", progress=False, out=job.out)
    before = job.out.read_bytes()
    assert sweep.train_job(job, "cpu", threads=None) == job.out and job.out.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "seeds"), [("0:3", [0, 1, 2]), ("2:3", [2]), ("4,1,7", [4, 1, 7]), ("0", [0]), (" 1, 2", [1, 2])]
)
def test_seeds_are_those_that_the_text_says(text, seeds):
    assert sweep.parse_seeds(text) == seeds
    for bad in ("-1:3", "1,-1", "-1", "3:1", "1:2:3", "", ":", "a"):
        with pytest.raises(ValueError, match="seeds must be like"):
            sweep.parse_seeds(bad)


class Pool:
    """In the place of a pool of processes: does in this one what it is given, and notes what that was."""

    given: ClassVar[list] = []

    def __init__(self, *_, **__):
        self.given.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def shutdown(self, **_):
        pass

    def submit(self, work, jobs, place):
        self.given.append(([job.out.stem for job in jobs], place))
        done = Future()
        try:
            done.set_result(work(jobs, place))
        except RuntimeError as error:
            done.set_exception(error)
        return done


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(sweep, "ProcessPoolExecutor", Pool)
    return Pool


def test_on_cards_the_seeds_of_a_setting_are_one_job_and_cards_take_jobs_in_turn(tmp_path, monkeypatch, pool):
    monkeypatch.setattr(sweep, "train_seeds", lambda *_, **__: None)
    one, three = (sweep.plan("blobs-beta150", range(5), {"beta": betas}, tmp_path) for betas in ([4], [1, 2, 3]))
    every = [f"blobs-beta150-beta4-seed{seed}" for seed in range(5)]
    settings = [[f"blobs-beta150-beta{beta}-seed{seed}" for seed in range(5)] for beta in (1, 2, 3)]
    for jobs, cards, device, expected in (
        (one, 1, "auto", [(every, "cuda:0")]),
        (one, 2, "cuda", [(every[::2], "cuda:0"), (every[1::2], "cuda:1")]),  # one setting, and work for both
        (three, 2, "auto", list(zip(settings, ("cuda:0", "cuda:1", "cuda:0"), strict=True))),
        (one, 2, "cuda:1", [(every, "cuda:1")]),
        (one, 2, "cpu", [([name], "cpu") for name in every]),
        (one, 0, "auto", [([name], "auto") for name in every]),
    ):
        monkeypatch.setattr("torch.cuda.device_count", lambda cards=cards: cards)
        monkeypatch.setattr("torch.cuda.is_available", lambda cards=cards: cards > 0)
        assert sweep.run_here(jobs, 2, device) == {} and pool.given == expected


def test_on_a_card_what_was_broken_off_goes_on_alone_and_only_what_failed_is_told(tmp_path, monkeypatch, pool):
    jobs, begun, told = sweep.plan("blobs-vae", range(4), {}, tmp_path, steps=2), [], []
    start = train(jobs[1].experiment, steps=1, seed=1, device="cpu", precision="fp32", progress=False, out=jobs[1].out)

    def train_seeds(experiment, seeds, outs, **settings):
        begun.append((list(seeds), settings["resume"] and settings["resume"].step))
        for seed, out in zip(seeds, outs, strict=True):
            if seed != 2:
                dataclasses.replace(start, seed=seed, step=settings["steps"]).save(out, settings["overwrite"])
        if 2 in seeds:
            raise TrainingError("the loss became NaN", None)

    monkeypatch.setattr(sweep, "train_seeds", train_seeds)
    assert sweep.run_here(jobs, 1, "cuda:0", told.append) == {jobs[2].out: "one of its group: the loss became NaN"}
    assert begun == [([0, 2, 3], None), ([1], 1)]
    assert sorted(told) == [f"done: blobs-vae-seed{seed}.h5" for seed in (0, 1, 3)] + ["failed: blobs-vae-seed2.h5"]
