"""`train(experiment, …) -> Run`: the loop of `minivae.training` with all that a long training needs hooked in."""

import contextlib
import dataclasses
import functools
import platform
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

import minivae
from minivae import growing, training
from minivae._arguments import check_count
from minivae.datasets import Blobs, ColouredSprites, Sprites
from minivae.engine import fast, parallel, saving
from minivae.engine.dsprites import DSprites
from minivae.engine.fast_muon import FastMuon
from minivae.engine.files import check_output, claim
from minivae.engine.runs import Run, initial_state
from minivae.engine.saving import TrainingError, TrainingInterrupted
from minivae.engine.settings import to_dict
from minivae.experiment import OBJECTIVES, SCHEDULES, Experiment
from minivae.muon import Muon
from minivae.objectives import check_range

_GRAPHABLE = (Blobs, Sprites, ColouredSprites, DSprites, fast.Held)  # on the device; a learner's own may need the host


def train(
    experiment: Experiment, *, steps: int | None = None, seed: int = 0, device: str = "auto", precision: str = "auto",
    progress: bool = True, resume: Run | None = None, reseed: bool = False, snapshots: Collection[int] = (),
    out: str | Path | None = None, overwrite: bool = False, command: str | None = None,
) -> Run:  # fmt: skip
    """Train the model of an experiment.

    An interrupt (Ctrl-C, the stop button of a notebook, SIGTERM) ends the training after the step in progress, a second
    one at once. Within a group of processes (`engine.parallel`) the batch is divided among them; all return the run,
    and the first one writes it.

    Args:
        steps: the step to reach, counted from the beginning also when resuming; experiment.steps if None.
        seed: of the initial weights, the data and the posterior samples.
        device: "auto" (cuda, else mps, else cpu) or a PyTorch device.
        precision: of the layers' arithmetic, all else is always fp32: "auto" (bf16 where the hardware has it and
            gains by it, else fp32), "fp32" (on CUDA too, not TF32) or "bf16".
        resume: continue this run. On one CPU the result equals an unbroken training bit for bit.
        reseed: draw fresh random numbers from the step of `resume` on, as on another kind of device one must.
        snapshots: steps at which to keep the weights.
        out, overwrite: write the run here when done, and on the way about once a minute; allow it to exist.
        command: the shell command to store as the run's origin.

    Raises:
        ValueError: on a setting out of range, a resume that does not fit, or settings that `out` cannot hold.
        TrainingInterrupted: if it was interrupted; the error's `run`, which is also in `out`, can be resumed.
        TrainingError: if the loss stops being finite, or `out` cannot be written at the end; `run` is what there is.
        OSError: if `out` exists, another process is writing it, or its folder cannot be written to.

    Source: appendix A.2 (Adam, learning rate 5e-4); chapters 4 and 6.
    """
    return train_seeds(
        experiment, [seed], [out], steps=steps, device=device, precision=precision, progress=progress, resume=resume,
        reseed=reseed, snapshots=snapshots, overwrite=overwrite, command=command,
    )[0]  # fmt: skip


def train_seeds(
    experiment: Experiment, seeds: Sequence[int], outs: Sequence[str | Path | None], *, steps: int | None = None,
    device: str = "auto", precision: str = "auto", progress: bool = True, resume: Run | None = None,
    reseed: bool = False, snapshots: Collection[int] = (), overwrite: bool = False, command: str | None = None,
) -> list[Run]:  # fmt: skip
    """`train` several seeds of an experiment at once, step by step in turn: on a GPU each has a graph and a stream of
    its own, and small steps of several take hardly longer than those of one. Only a single one can be resumed. A
    TrainingError of one does not stop the others; raised at the end is the first interrupt, else the first error. Any
    other error, as of full memory or a claimed file, ends all."""
    began = time.perf_counter()
    before = {} if resume is None else resume.provenance
    first = 1 if resume is None else resume.step + 1
    steps = experiment.steps if steps is None else steps
    seeds = [_checked(steps, seed, first, snapshots) for seed in seeds]
    outs = [None if out is None else Path(out) for out in outs]
    for out in filter(None, outs):
        check_output(out, overwrite)
        to_dict(experiment)  # what cannot be stored should be heard of before the training, not after it
    experiment = _identified(experiment)
    if resume is not None:
        _check_resume(resume, experiment, seeds[0])
    elif reseed:
        raise ValueError("reseed goes with resume: a training from the beginning has its random numbers from the seed")
    rows = parallel.rows(experiment.batch)
    if not parallel.alone() and getattr(experiment.objective, "needs", "") == "posterior":
        raise ValueError("an objective that asks for the posterior needs the whole batch: train it in one process")
    place = fast.pick_device(device)
    if precision == "auto" and not reseed:
        precision = before.get("precision", "auto")
    precision = fast.pick_precision(precision, place)
    fast.keep_buffers()
    dataset = fast.held(experiment.dataset, place)
    check_range(dataset.sample(experiment.batch, torch.Generator(place).manual_seed(seeds[0]))[0])
    reseeded = [*before.get("reseeded", []), *([resume.step] if reseed else [])]
    # a step can be a CUDA graph if its data are on the device, and what it does is the course's own
    schedule = getattr(experiment.objective, "schedule", None)
    ours = type(experiment.objective) in OBJECTIVES and (schedule is None or type(schedule) in SCHEDULES)
    graph = place.type == "cuda" and type(dataset) in _GRAPHABLE and ours and parallel.alone()

    def begin(seed: int, out: Path | None, bar: tqdm, interrupted: Callable[[], bool]) -> SimpleNamespace:
        """One training: what comes before a step, the step, what comes after it, and the run that there is."""
        generator = torch.Generator(place).manual_seed(seed)
        # weights come from a CPU generator so that every device starts from the same ones
        model = experiment.build(torch.Generator().manual_seed(seed))
        model = model.to(place, memory_format=fast.layout(place))
        if place.type == "cpu":
            fast.bias_apart(model)
        if experiment.optimizer == "muon":
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            kind = FastMuon if place.type == "cuda" else Muon
            optimizer = kind(model.parameters(), experiment.learning_rate, dtype=dtype)
        else:
            optimizer = torch.optim.Adam(model.parameters(), experiment.learning_rate, fused=True)
        state, objective, put = initial_state(experiment.objective), experiment.objective, []
        if resume is not None:
            state = saving.restore(resume, model, optimizer, generator, reseed)
        if state is not None:
            state = state.to(place, copy=True)  # training changes it in place, and the run to resume is the caller's
        parallel.share_gradients(optimizer)
        if place.type == "cuda" and experiment.cooldown:  # a graph reads the learning rate on the device
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(group["lr"], device=place)
        if graph and schedule is not None:
            there = fast.OnDevice(schedule, place)
            objective, put = dataclasses.replace(objective, schedule=there), [there.put]
        take = training.batches(
            model, dataset, optimizer, objective, generator, experiment.batch, told=experiment.model != "vae",
            rows=rows, layout=fast.layout(place), state=state, precision=precision, average=parallel.average,
        )  # fmt: skip
        if graph:
            take = fast.graphed(take, optimizer, generator, put)

        def describe(**reached: object) -> Run:
            made = {
                "command": command or f"minivae.train({experiment.name!r}, steps={steps}, seed={seed})",
                "device": str(place),
                "precision": precision,
                "threads": torch.get_num_threads(),
                "seconds": round(before.get("seconds", 0.0) + time.perf_counter() - began, 1),
                "versions": versions(),
            }
            return Run(experiment, seed, provenance=made | ({"reseeded": reseeded} if reseeded else {}), **reached)

        keep = saving.Keeper(
            model, steps, functools.partial(saving.checkpoint, model, optimizer, generator, state), describe, resume,
            wanted=set(snapshots), out=out, overwrite=overwrite, interrupted=interrupted, bar=bar,
        )  # fmt: skip
        change = functools.partial(_change, experiment, dataset, model, optimizer, generator)
        stream = torch.cuda.Stream(place) if place.type == "cuda" and len(seeds) > 1 else None
        parts = {"change": change, "take": take, "keep": keep, "run": lambda: keep.run}
        return SimpleNamespace(**{name: fast.on(stream, do) for name, do in parts.items()})

    if not parallel.writes():
        outs, progress = [None] * len(outs), False
    with contextlib.ExitStack() as stack:
        for out in filter(None, outs):
            stack.enter_context(claim(out))
        stack.enter_context(fast.ieee())
        interrupted = stack.enter_context(saving.deferred_interrupt())
        begun = []
        for i, (seed, out) in enumerate(zip(seeds, outs, strict=True)):
            name = experiment.name if len(seeds) == 1 else f"{experiment.name}, seed {seed}"
            settings = {"total": steps, "initial": first - 1, "disable": not progress, "unit": "step", "position": i}
            begun.append(begin(seed, out, stack.enter_context(tqdm(desc=name, **settings)), interrupted))
        _take_turns(begun, range(first, steps + 1))
    return [one.run() for one in begun]


def _take_turns(trainings: Sequence[SimpleNamespace], steps: range) -> None:
    """Take the steps of all; raises, at the end, what the first one raised that was interrupted, else that failed."""
    going, errors = list(trainings), []
    first = lambda: max(errors, key=lambda error: isinstance(error, TrainingInterrupted))  # noqa: E731

    def keep(step: int, rows: list[Tensor]) -> None:
        for one, row in zip(tuple(going), rows, strict=True):
            try:
                one.keep(step, row)
            except (TrainingError, TrainingInterrupted) as error:
                errors.append(error)
                going.remove(one)
        if not going:
            raise first()

    change = lambda step: [one.change(step) for one in going]  # noqa: E731
    training.loop(lambda step: [one.take(step) for one in going], steps, [change], [keep])
    if errors:
        raise first()


def versions() -> dict[str, str]:
    """Versions of what a run's numbers depend on."""
    others = {module.__name__: module.__version__ for module in (torch, np, h5py)}
    return {"minivae": minivae.__version__, "python": platform.python_version(), **others}


def _checked(steps: int, seed: int, first: int, snapshots: Collection[int]) -> int:
    """The seed as Python's own whole number, which PyTorch's generators want."""
    check_count("steps", steps)
    check_count("seed", seed, least=0)
    if seed >= 2**63:
        raise ValueError(f"seed must be less than 2⁶³, got {seed}")
    if steps < first:
        raise ValueError(f"steps is the step to reach and must be more than the {first - 1} already done, got {steps}")
    if not isinstance(snapshots, Collection):
        raise ValueError(f"snapshots must be a collection of steps such as [500, 2000], got {snapshots!r}")
    if outside := [step for step in snapshots if step not in range(first, steps + 1)]:
        raise ValueError(f"snapshots must lie in {first} … {steps}, the steps of this training, got {outside}")
    return int(seed)


def _change(
    experiment: Experiment, dataset: Any, model: nn.Module, optimizer: torch.optim.Optimizer,
    generator: torch.Generator, step: int,
) -> None:  # fmt: skip
    """What comes before a step: dormant units reset, latents opened, the learning rate of the cooldown."""
    resets = experiment.reset_dormant and step % experiment.reset_dormant == 0 and step <= experiment.cooled
    if resets:
        growing.reset_dormant(model, dataset.sample(512, generator)[0], generator)
    opened = getattr(experiment.objective, "opened", None)
    if fresh := opened and opened(step):
        growing.open_latents(model, fresh, dataset.sample(512, generator)[0], generator)
    if resets or fresh:
        parallel.agree(model)
    for group in optimizer.param_groups if experiment.cooldown else ():
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(experiment.learning_rate_at(step))
        else:
            group["lr"] = experiment.learning_rate_at(step)


def _identified(experiment: Experiment) -> Experiment:
    """The experiment, whose pictures, if they come from a file, are known by their content."""
    known = getattr(experiment.dataset, "content", None) != ""
    return experiment if known else dataclasses.replace(experiment, dataset=experiment.dataset.identified())


def _check_resume(run: Run, experiment: Experiment, seed: int) -> None:
    if run.checkpoint is None:
        raise ValueError("this run was slimmed and has no checkpoint: it cannot be resumed, train it again")
    theirs = _identified(run.experiment)
    decisive = [f.name for f in dataclasses.fields(experiment) if f.name not in ("about", "steps")]
    changed = [name for name in decisive if getattr(theirs, name) != getattr(experiment, name)]
    if changed:
        raise ValueError(f"the run to resume is of another experiment: {', '.join(changed)} differ")
    if run.seed != seed:
        raise ValueError(f"the run to resume has seed {run.seed}, not {seed}")
