"""Many trainings of one experiment: several seeds, several values of its settings, on this machine or a cluster.

Each has a run file in one folder. The same command goes on from what is there, and does nothing again that is whole.
"""

import csv
import dataclasses
import io
import itertools
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from minivae.engine import catalogue
from minivae.engine.files import write_atomically
from minivae.engine.runs import Run, RunFileError
from minivae.engine.trainer import train_seeds
from minivae.experiment import Experiment
from minivae.metrics.evaluate import ACTIVE

_FIXED = {"name", "about", "objective", "dataset", "content"}  # fields that are no settings


@dataclass(frozen=True)
class Job:
    """One training of a sweep."""

    experiment: Experiment  # its name says what was set
    seed: int
    out: Path  # its run file
    settings: dict[str, Any]  # what was set, name → value
    steps: int  # the step to reach
    command: str = ""  # of the sweep
    reseed: bool = False  # draw fresh random numbers where it goes on, see `minivae.train`


def plan(
    name: str, seeds: Sequence[int], settings: dict[str, list[Any]], folder: Path, steps: int | None = None,
    command: str = "", reseed: bool = False,
) -> list[Job]:  # fmt: skip
    """The trainings of an experiment, to its own last step if steps is None, with all combinations of seeds and values
    of settings: fields of the experiment, its objective or its data set. Raises ValueError if experiment or setting is
    unknown, a value does not fit, or two trainings would share a file."""
    jobs = []
    for values in itertools.product(*settings.values()):
        chosen, experiment = dict(zip(settings, values, strict=True)), catalogue.get(name)
        for key, value in chosen.items():
            experiment = _set(experiment, key, value)
            experiment = dataclasses.replace(experiment, name=f"{experiment.name}-{key}{value}")
        for seed in seeds:
            out = folder / f"{experiment.name}-seed{seed}.h5"
            jobs.append(Job(experiment, seed, out, chosen, steps or experiment.steps, command, reseed))
    if len({job.out for job in jobs}) < len(jobs):
        raise ValueError("a sweep may hold every combination of seed and settings once, got some twice")
    return jobs


def train_job(job: Job, device: str = "auto", threads: int | None = 1, others: Sequence[Job] = ()) -> Path:
    """Do what is left of a training, in so many threads (None: as they are), or all of it and at once with it `others`
    of the same settings; raises as `train_seeds`."""
    if threads is not None:
        torch.set_num_threads(threads)
    before = Run.load(job.out) if job.out.exists() and not others else None
    if before is None or before.step < job.steps:
        seeds, outs = zip(*((one.seed, one.out) for one in (job, *others)), strict=True)
        train_seeds(
            job.experiment, seeds, outs, steps=job.steps, device=device, progress=False, resume=before,
            reseed=job.reseed and before is not None, overwrite=before is not None, command=job.command or None,
        )  # fmt: skip
    return job.out


def run_here(
    jobs: Sequence[Job], workers: int, device: str = "auto", told: Callable[[str], Any] = lambda text: None
) -> dict[Path, str]:
    """Do the trainings in so many processes; returns what failed: run file → reason, which stops no other group. An
    interrupt does: those at work save what they have, and it is raised again. On a GPU the trainings of one setting are
    done at once, unless they go on from a save; several GPUs are given such groups in turn."""
    cards = torch.cuda.device_count() if device in ("auto", "cuda") and torch.cuda.is_available() else 0
    places = itertools.cycle([f"cuda:{i}" for i in range(cards)] or [device])
    failed, groups, fresh = {}, {}, multiprocessing.get_context("spawn")  # a fork inherits PyTorch's threads, and hangs
    divided = len({job.experiment.name for job in jobs}) < cards  # a setting, so that every card has work
    for i, job in enumerate(jobs):
        alone = job.out.exists() or not (cards or device.startswith("cuda"))
        groups.setdefault(job.out if alone else (job.experiment.name, divided and i % cards), []).append(job)
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        doing = {pool.submit(_work, group, next(places)): group for group in groups.values()}
        try:
            for done in as_completed(doing):
                error = done.exception()
                if isinstance(error, KeyboardInterrupt):  # the signal reached that process before this one
                    raise error
                for job, row in zip(doing[done], table(doing[done]), strict=True):
                    if error and row["step"] < row["of"]:
                        failed[job.out] = f"{'one of its group: ' if doing[done][1:] else ''}{error}"
                    told(f"{'failed' if job.out in failed else 'done'}: {job.out.name}")
        finally:
            pool.shutdown(cancel_futures=True)
    return failed


_interrupted = False  # this process was: it begins no further training


def _work(jobs: Sequence[Job], device: str) -> None:
    global _interrupted
    try:
        if not _interrupted:
            train_job(jobs[0], device, others=jobs[1:])
    except KeyboardInterrupt:
        _interrupted = True
    if _interrupted:
        raise KeyboardInterrupt  # without the run, which is in its file


def submit(jobs: Sequence[Job], cluster: str, log: Path, **resources: Any) -> list[Any]:
    """Hand the trainings to a cluster, "slurm" or, for a try, "local", through submitit; returns its jobs. `log` is a
    folder that all machines see; `resources` are for submitit's `AutoExecutor.update_parameters`, as slurm_partition.
    Raises RuntimeError if submitit is missing, or there is no such cluster here."""
    try:
        import submitit

        executor = submitit.AutoExecutor(folder=log, cluster=cluster)
    except ImportError:
        raise RuntimeError("a cluster needs submitit: pip install 'minivae[cluster]'") from None
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
        with suppress(OSError, RunFileError):
            run = Run.load(job.out)
            means = run.means()
            reconstruction, kl = round(float(means["reconstruction"]), 2), round(float(means["kl"].sum()), 3)
            active = int((means["kl"] > ACTIVE).sum())
            row |= {"step": run.step, "reconstruction": reconstruction, "kl": kl, "active": active}
        rows.append(row)
    return rows


def write_table(rows: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Write the rows as `sweep.csv` into the folder, atomically."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, dict.fromkeys(key for row in rows for key in row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_atomically(folder / "sweep.csv", text.getvalue().encode(), overwrite=True)


def parse_seeds(text: str) -> list[int]:
    """Seeds as "0:10" (0 to 9) or "1,4,7"; ValueError if the text is neither."""
    try:
        seeds = list(range(*map(int, text.split(":", 1)))) if ":" in text else [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise ValueError(f"seeds must be like 0:10 (0 to 9) or 1,4,7; got {text!r}")
    return seeds


def parse_setting(text: str) -> tuple[str, list[Any]]:
    """A setting and its values from "beta=1,4,16"; ValueError if the text has another form."""
    key, _, values = text.partition("=")
    if not (key and values):
        raise ValueError(f"a setting must be like beta=1,4,16; got {text!r}")
    found: list[Any] = values.split(",")
    for i, value in enumerate(found):
        with suppress(ValueError):
            found[i] = json.loads(value)
    return key, found


def _set(experiment: Experiment, key: str, value: Any) -> Experiment:
    """The experiment with one field changed, of its own, its objective's or its data set's."""
    parts = {"": experiment, "objective": experiment.objective, "dataset": experiment.dataset}
    for part, holder in parts.items():
        if key in {field.name for field in dataclasses.fields(holder)} - _FIXED:
            before = getattr(holder, key)
            value = float(value) if isinstance(before, float) and isinstance(value, int) else value
            if type(value) is not type(before):
                raise ValueError(f"{key} must be of the kind of {before!r}, got {value!r}")
            changed = dataclasses.replace(holder, **{key: value})
            return dataclasses.replace(experiment, **{part: changed}) if part else changed
    known = sorted({field.name for holder in parts.values() for field in dataclasses.fields(holder)} - _FIXED)
    raise ValueError(f"{experiment.name} has no setting {key!r}: known are {', '.join(known)}")
