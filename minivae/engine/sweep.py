"""Many trainings of one experiment: several seeds, several values of its settings, on this machine or a cluster.

Every training has a run file of its own in one folder. What is whole there is not done again, and what was broken off
goes on from its last save, so a sweep is restarted by the same command.
"""

import csv
import dataclasses
import io
import itertools
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivae.engine import catalogue
from minivae.engine.files import write_atomically
from minivae.engine.runs import Run, RunFileError
from minivae.experiment import Experiment
from minivae.metrics.evaluate import ACTIVE

TABLE = "sweep.csv"
# fields that are no settings
_FIXED = {"name", "about", "objective", "dataset", "content"}


@dataclass(frozen=True)
class Job:
    """One training of a sweep.

    Args:
        experiment: what to train; its name says what was set.
        seed: of the training.
        out: its run file.
        settings: what was set, name → value.
        steps: the step to reach.
        command: the command of the sweep.
        reseed: draw fresh random numbers where it goes on, see `training.train`.
    """

    experiment: Experiment
    seed: int
    out: Path
    settings: dict[str, Any]
    steps: int
    command: str = ""
    reseed: bool = False


def plan(
    name: str, seeds: Sequence[int], settings: dict[str, list[Any]], folder: Path, steps: int | None = None,
    command: str = "", reseed: bool = False,
) -> list[Job]:  # fmt: skip
    """The trainings of all combinations of settings and seeds.

    Args:
        name: of an experiment.
        seeds: of the trainings.
        settings: values of each setting, a field of the experiment, of its objective or of its data set.
        folder: for the run files.
        steps: the step to reach; the experiment's own if None.
        command: the command to store as the runs' origin.
        reseed: draw fresh random numbers where a training goes on, as on another kind of device.

    Raises:
        ValueError: if experiment or setting is unknown, a value does not fit, or two trainings would share a file.
    """
    base = catalogue.get(name)
    jobs = []
    for values in itertools.product(*settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        experiment = base
        for key, value in chosen.items():
            experiment = _set(experiment, key, value)
        label = "".join(f"-{key}{value}" for key, value in chosen.items())
        try:
            experiment = dataclasses.replace(experiment, name=base.name + label)
        except ValueError as error:
            raise ValueError(f"{chosen} cannot be part of a file's name: {error}") from None
        for seed in seeds:
            out = folder / f"{experiment.name}-seed{seed}.h5"
            jobs.append(Job(experiment, seed, out, chosen, steps or experiment.steps, command, reseed))
    if len({job.out for job in jobs}) < len(jobs):
        raise ValueError("a sweep may hold every combination of seed and settings once, got some twice")
    return jobs


def train_job(job: Job, device: str = "auto", threads: int | None = 1) -> Path:
    """Do one training, or what is left of it, in this process.

    Args:
        job: which.
        device: see `training.train`.
        threads: of PyTorch; None leaves them as they are.

    Raises:
        what `training.train` raises; RunFileError if the file there is no run.
    """
    import torch

    from minivae.engine.trainer import train

    if threads is not None:
        torch.set_num_threads(threads)
    before = Run.load(job.out) if job.out.exists() else None
    if before is not None and before.step >= job.steps:
        return job.out
    train(
        job.experiment, steps=job.steps, seed=job.seed, device=device, progress=False, resume=before, out=job.out,
        reseed=job.reseed and before is not None, overwrite=before is not None, command=job.command or None,
    )  # fmt: skip
    return job.out


def run_here(
    jobs: Sequence[Job], workers: int, device: str = "auto", told: Callable[[str], Any] = lambda text: None
) -> dict[Path, str]:
    """Do the trainings in so many processes of this machine; returns what failed: run file → reason.

    One that fails does not keep the others from being done. An interrupt does: those at work save what they have.
    """
    failed = {}
    fresh = multiprocessing.get_context("spawn")  # a fork would inherit the threads of PyTorch, and hang
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        doing = {pool.submit(_work, job, device): job for job in jobs}
        try:
            for done in as_completed(doing):
                job = doing[done]
                error = done.exception()
                if isinstance(error, KeyboardInterrupt):  # the signal reached that process before this one
                    raise error
                if error:
                    failed[job.out] = str(error)
                told(f"{'failed' if error else 'done'}: {job.out.name}")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


_interrupted = False  # this process was: it begins no further training


def _work(job: Job, device: str) -> None:
    global _interrupted
    if _interrupted:
        raise KeyboardInterrupt("interrupted before it began")
    try:
        train_job(job, device)
    except KeyboardInterrupt as error:
        _interrupted = True
        raise KeyboardInterrupt(str(error)) from None  # without the run, which is in its file


def submit(jobs: Sequence[Job], cluster: str, log: Path, **resources: Any) -> list[Any]:
    """Hand the trainings to a cluster through submitit; returns its jobs, which know their state.

    Args:
        jobs: the trainings.
        cluster: "slurm", or submitit's "local" for a try on this machine.
        log: folder for submitit's own files; one that all machines see.
        resources: for `AutoExecutor.update_parameters`, e.g. slurm_partition="gpu", timeout_min=240.

    Raises:
        RuntimeError: if submitit is missing, or there is no such cluster here.
    """
    try:
        import submitit
    except ImportError:
        raise RuntimeError("a cluster needs submitit: pip install 'minivae[cluster]'") from None
    try:
        executor = submitit.AutoExecutor(folder=log, cluster=cluster)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(f"no cluster {cluster!r} here ({error}): choose slurm or local") from error
    executor.update_parameters(**{"timeout_min": 24 * 60, "name": "minivae", **resources})
    # of its own processor PyTorch may take all threads
    return executor.map_array(train_job, jobs, ["auto"] * len(jobs), [None] * len(jobs))


def table(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """A row for every training: seed, settings, steps done and to do, and of the last 500 steps the mean reconstruction
    and KL in nats and the number of latents above `ACTIVE`."""
    rows = []
    for job in jobs:
        row: dict[str, Any] = {"run": job.out.name, "seed": job.seed, **job.settings, "step": 0, "of": job.steps}
        try:
            run = Run.load(job.out)
        except (OSError, RunFileError):
            run = None
        if run is not None:
            recent = run.history["step"] > run.step - 500
            kl = run.mean_kl(500)
            row |= {
                "step": run.step,
                "reconstruction": round(float(run.history["reconstruction"][recent].mean()), 2),
                "kl": round(float(kl.sum()), 3),
                "active": int((kl > ACTIVE).sum()),
            }
        rows.append(row)
    return rows


def write_table(rows: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Write the rows as `sweep.csv` into the folder, atomically."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(folder / TABLE, io.BytesIO(text.getvalue().encode()), overwrite=True)
    return folder / TABLE


def parse_seeds(text: str) -> list[int]:
    """Seeds as "0:10" (0 to 9) or "1,4,7".

    Raises:
        ValueError: if the text is neither.
    """
    try:
        if ":" in text:
            first, last = (int(part) for part in text.split(":"))
            seeds = list(range(first, last))
        else:
            seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise ValueError(f"seeds must be like 0:10 (0 to 9) or 1,4,7; got {text!r}")
    return seeds


def parse_setting(text: str) -> tuple[str, list[Any]]:
    """A setting and its values from "beta=1,4,16".

    Raises:
        ValueError: if the text has another form.
    """
    key, equals, values = text.partition("=")
    if not (key and equals and values):
        raise ValueError(f"a setting must be like beta=1,4,16; got {text!r}")
    found = []
    for value in values.split(","):
        try:
            found.append(json.loads(value))
        except ValueError:
            found.append(value)
    return key, found


def _set(experiment: Experiment, key: str, value: Any) -> Experiment:
    """The experiment with one field changed, of its own, its objective's or its data set's."""
    parts = {"": experiment, "objective": experiment.objective, "dataset": experiment.dataset}
    for part, holder in parts.items():
        fields = {field.name for field in dataclasses.fields(holder)} - _FIXED
        if key in fields:
            before = getattr(holder, key)
            if isinstance(before, float) and isinstance(value, int):
                value = float(value)
            if type(value) is not type(before):
                raise ValueError(f"{key} must be of the kind of {before!r}, got {value!r}")
            changed = dataclasses.replace(holder, **{key: value})
            return changed if not part else dataclasses.replace(experiment, **{part: changed})
    known = sorted({f.name for holder in parts.values() for f in dataclasses.fields(holder)}
                   - _FIXED)  # fmt: skip
    raise ValueError(f"{experiment.name} has no setting {key!r}: known are {', '.join(known)}")
