"""The training loop: `train(experiment, …) -> Run`. Written out in full in chapter 4."""

import ctypes
import dataclasses
import platform
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

import minivae
from minivae import gaussian, parallel
from minivae._arguments import check_count
from minivae._files import check_output, claim
from minivae.datasets import Blobs, ColouredSprites, Sprites
from minivae.experiments import OBJECTIVES, SCHEDULES, Experiment
from minivae.models import VAE, FactorGenerator, revive, wake
from minivae.objectives import bernoulli_nll, check_range, initial_state
from minivae.optimizers import Muon
from minivae.runs import Checkpoint, Run, Weights

# Steps between looks at the numbers: a look makes the device wait, so it is not taken every step.
LOOK_EVERY = 100
# Steps between two questions whether to stop, of several processes: torchrun gives them 30 s from SIGTERM to the end.
ASK_EVERY = 10
SAVE_EVERY = 60  # seconds from one save on the way to the next

_WARM_UP = 3  # steps before a CUDA graph is recorded
# made on the device; a learner's own data and objectives may need the host
_GRAPHABLE = (Blobs, Sprites, ColouredSprites)


class TrainingError(RuntimeError):
    """The loss stopped being finite, or the result could not be written. `run` is the last good state, if any."""

    def __init__(self, message: str, run: Run | None) -> None:
        super().__init__(message)
        self.run = run

    def __reduce__(self) -> tuple[type, tuple[str, Run | None]]:
        return type(self), (str(self), self.run)  # so that it passes whole between processes


class TrainingInterrupted(KeyboardInterrupt):
    """The training was interrupted (Ctrl-C, the stop button of a notebook, SIGTERM). `run` is what it had done.

    As a KeyboardInterrupt it also ends what called `train`: a script, a loop, the cells below in a notebook.
    """

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run

    def __reduce__(self) -> tuple[type, tuple[str, Run]]:
        return type(self), (str(self), self.run)


def train(
    experiment: Experiment,
    *,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    progress: bool = True,
    resume: Run | None = None,
    reseed: bool = False,
    snapshots: Collection[int] = (),
    out: str | Path | None = None,
    overwrite: bool = False,
    command: str | None = None,
) -> Run:
    """Train the model of an experiment.

    An interrupt (Ctrl-C, the stop button of a notebook, SIGTERM) ends the training after the step in progress: the run
    as it stands is written to `out` and comes with the error; a second one breaks off at once. Within a group of
    processes (`minivae.parallel`) the batch is divided among them; all return the run, and the first one writes it.

    Args:
        experiment: what to train.
        steps: the step to reach, counted from the beginning also when resuming; experiment.steps if None.
        seed: of the initial weights, the data and the posterior samples.
        device: "auto" (cuda, else mps, else cpu) or a PyTorch device.
        precision: "auto" (bf16 where the hardware has it, else fp32), "fp32" or "bf16". bf16 concerns the layers'
            arithmetic only: weights, losses and the optimizer are always fp32. fp32 is fp32 in convolutions on CUDA
            too, not TF32.
        progress: show a progress bar.
        resume: continue this run. On one CPU the result equals an unbroken training bit for bit.
        reseed: draw fresh random numbers from the step of `resume` on, as on another kind of device one must; the run
            notes the step in `made["reseeded"]`.
        snapshots: steps at which to keep the weights.
        out: write the run here when done, and on the way about once a minute.
        overwrite: allow `out` to exist.
        command: the shell command to store as the run's origin.

    Returns:
        The run, with a checkpoint for resuming.

    Raises:
        ValueError: on a setting out of range, a resume that does not fit, or settings that `out` cannot hold.
        TrainingInterrupted: if it was interrupted; the error's `run` is ready to be resumed.
        TrainingError: if the loss stops being finite (the message says at which step), or if at the end `out` cannot
            be written; the error's `run` holds what there is.
        OSError: if `out` exists, another process is writing it, or its folder cannot be written to.

    Source: appendix A.2 (Adam, learning rate 5e-4); chapters 4 and 6.
    """
    steps = experiment.steps if steps is None else steps
    check_count("steps", steps)
    check_count("seed", seed, least=0)
    if seed >= 2**63:
        raise ValueError(f"seed must be less than 2⁶³, got {seed}")
    steps, seed = int(steps), int(seed)  # NumPy's whole numbers are welcome, PyTorch's generators want Python's
    first = 0 if resume is None else resume.step
    if steps <= first:
        raise ValueError(f"steps is the step to reach and must be more than the {first} already done, got {steps}")
    if not isinstance(snapshots, Collection):
        raise ValueError(f"snapshots must be a collection of steps such as [500, 2000], got {snapshots!r}")
    for step in snapshots:
        check_count("a snapshot's step", step, least=0)
    outside = [step for step in snapshots if not first < step <= steps]
    if outside:
        raise ValueError(f"snapshots must lie in {first + 1} … {steps}, the steps of this training, got {outside}")
    if out is not None:
        check_output(Path(out), overwrite)
        experiment.to_dict()  # what cannot be stored should be heard of before the training, not after it
    experiment = _identified(experiment)
    if resume is not None:
        _check_resume(resume, experiment, seed)
        if precision == "auto" and not reseed:
            precision = resume.made.get("precision", "auto")
    elif reseed:
        raise ValueError("reseed goes with resume: a training from the beginning has its random numbers from the seed")
    share = parallel.share(experiment.batch)
    writes = share.rank == 0
    place = pick_device(device)
    precision = pick_precision(precision, place)
    _keep_buffers()

    model, optimizer, generator, state = _start(experiment, seed, place, precision, resume, reseed)
    net = parallel.divide(model, share)
    rows = torch.zeros(min(LOOK_EVERY, steps), 2 + experiment.latents, device=place)
    began = time.perf_counter()
    earlier = resume.history if resume is not None else None
    seconds = resume.made.get("seconds", 0.0) if resume is not None else 0.0
    reseeded = [] if resume is None else [*resume.made.get("reseeded", []), *([first] if reseed else [])]
    kept: dict[int, Weights] = dict(resume.snapshots) if resume is not None else {}
    history: list[np.ndarray] = []
    good: Run | None = resume
    saved, written = began, False

    def take(step: int | Tensor) -> Tensor:
        images, factors = experiment.dataset.sample(experiment.batch, generator)
        images = images[share.rows]
        source = images if experiment.model == "vae" else factors[share.rows]  # who trains a VAE need know no factors
        return training_step(net, optimizer, experiment.objective, images, generator, step, precision, source, state)

    opened = getattr(experiment.objective, "opened", lambda step: range(0))
    schedule = getattr(experiment.objective, "schedule", None)
    ours = type(experiment.objective) in OBJECTIVES and (schedule is None or type(schedule) in SCHEDULES)
    adam = experiment.optimizer == "adam" and not experiment.cooldown  # what a graph holds cannot change on the way
    alone = share.world == 1
    if place.type == "cuda" and type(experiment.dataset) in _GRAPHABLE and ours and adam and alone:
        take = _graphed(take, optimizer, generator)

    def current(step: int) -> Run:
        return Run(
            experiment=experiment,
            seed=seed,
            step=step,
            weights=_to_cpu(model.state_dict()),
            history=_join(earlier, first, history),
            snapshots=dict(kept),
            checkpoint=_checkpoint(model, optimizer, generator, state),
            made={
                "command": command or f"minivae.training.train({experiment.name!r}, steps={steps}, seed={seed})",
                "device": str(place),
                "precision": precision,
                "threads": torch.get_num_threads(),
                "seconds": round(seconds + time.perf_counter() - began, 1),
                "versions": versions(),
                **({"reseeded": reseeded} if reseeded else {}),
            },
        )

    claimed = claim(Path(out)) if out is not None and writes else nullcontext()
    with claimed, _ieee(place), _deferred_interrupt(alone) as interrupted, tqdm(
        total=steps, initial=first, disable=not (progress and writes), desc=experiment.name, unit="step"
    ) as bar:  # fmt: skip
        for step in range(first + 1, steps + 1):
            row = (step - first - 1) % len(rows)
            changed = experiment.revive and step % experiment.revive == 0 and step <= experiment.cooled
            if changed:
                revive(model, experiment.dataset.sample(512, generator)[0], generator)
            if fresh := opened(step):
                wake(model, fresh, experiment.dataset.sample(512, generator)[0], generator)
            if changed or fresh:
                parallel.agree(model)
            for group in optimizer.param_groups if experiment.cooldown else ():
                group["lr"] = experiment.rate(step)
            rows[row] = take(step)
            if step in snapshots:
                kept[step] = _to_cpu(model.state_dict())
            look = row + 1 == len(rows)
            # several processes agree now and then: to ask one another at every step would cost as much as the step
            stop = step == steps or (
                interrupted() if alone else step % ASK_EVERY == 0 and parallel.any_process(interrupted(), place)
            )
            if not (look or stop):
                continue
            block = rows[: row + 1].cpu().numpy().copy()
            if broken := _broken(block, step, model):
                kept = _keep(good, out if writes else None, overwrite or written)
                raise TrainingError(f"{broken}: try a lower learning rate or precision='fp32'; {kept}", good)
            history.append(block)
            bar.update(len(block))
            bar.set_postfix(nats=f"{block[:, 1].mean():.1f}", kl=f"{block[:, 2:].sum(1).mean():.2f}")
            good = current(step)
            if out is not None and writes and (stop or time.perf_counter() - saved > SAVE_EVERY):
                written = _save(good, out, overwrite or written, final=stop) or written
                saved = time.perf_counter()
            if stop:
                if step < steps:
                    bar.set_description(f"{experiment.name}, interrupted")
                break
        if interrupted() or step < steps:
            kept_in = f"in {out}" if out is not None else "in the error's `run` (sys.last_value.run in a notebook)"
            raise TrainingInterrupted(f"interrupted at step {step}; the run so far is {kept_in}", good)
    return good


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    objective: Callable[..., Tensor],
    images: Tensor,
    generator: torch.Generator,
    step: int | Tensor,
    precision: str = "fp32",
    source: Tensor | None = None,
    state: Tensor | None = None,
) -> Tensor:
    """One step of gradient descent; returns loss, reconstruction and KL per latent, in nats: (2 + latents,).

    The model is shown `source`, the images if None, and draws the images. `state` is that of an objective that adapts
    itself; it is changed in place. Nothing here waits for the device.
    """
    images = images.contiguous(memory_format=_layout(images.device))
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits, mean, log_std = model(images if source is None else source, generator)
    reconstruction = parallel.mean(bernoulli_nll(logits, images).mean())
    kl = parallel.mean(gaussian.kl_per_latent(mean, log_std).mean(0))
    loss = objective(reconstruction, kl, step) if state is None else objective(reconstruction, kl, step, state)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if state is not None:
        objective.update(kl.detach(), step, state)
    return torch.cat([torch.stack([loss, reconstruction]), kl]).detach()


def _graphed(
    take: Callable[[int | Tensor], Tensor], optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> Callable[[int], Tensor]:
    """The same training step as a CUDA graph: recorded once, and from then on one launch instead of hundreds.

    The first few steps are taken one operation at a time, so that every library has chosen and allocated what it needs
    before the recording. Data, noise and the number of the step are made on the device: nothing is fed in.
    """
    at = torch.zeros((), device=generator.device)
    aside = torch.cuda.Stream(generator.device)
    taken, graph, row = 0, torch.cuda.CUDAGraph(), at

    def replay(step: int) -> Tensor:
        nonlocal taken, row
        at.fill_(step)
        taken += 1
        if taken <= _WARM_UP:
            here = torch.cuda.current_stream(generator.device)
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                row = take(at)
            here.wait_stream(aside)
            return row
        if taken == _WARM_UP + 1:
            for group in optimizer.param_groups:
                group["capturable"] = True
            if hasattr(graph, "register_generator_state"):  # where it is gone PyTorch sees to it by itself
                graph.register_generator_state(generator)
            with torch.cuda.graph(graph, stream=aside):
                row = take(at)  # is recorded, not done
        graph.replay()
        return row

    return replay


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes cuda, then mps, then cpu.

    Raises:
        ValueError: on an unknown device, one that this machine lacks, or one that this PyTorch cannot compute on; the
            message gives PyTorch's reason.
    """
    if name == "auto":
        found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return pick_device(found)
    try:
        device = torch.device(name)
        # a card for which this PyTorch has no kernels lets itself be found, and fails at the first sum that is awaited
        (torch.ones(2, device=device) + 1).sum().tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here ({reason}): try auto, cpu, cuda or mps") from None
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """ "fp32" or "bf16"; "auto" takes bf16 where the device multiplies it in hardware.

    Raises:
        ValueError: on another name.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise ValueError(f"unknown precision {name!r}: choose auto, fp32 or bf16")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type != "cpu":
        return "fp32"
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # PyTorch has no public name for this question
    return "bf16" if probe is not None and probe() else "fp32"


def versions() -> dict[str, str]:
    """Versions of what a run's numbers depend on."""
    return {
        "minivae": minivae.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
    }


def _start(
    experiment: Experiment, seed: int, device: torch.device, precision: str, resume: Run | None, reseed: bool
) -> tuple[VAE | FactorGenerator, torch.optim.Optimizer, torch.Generator, Tensor | None]:
    generator = torch.Generator(device).manual_seed(seed)
    # weights come from a CPU generator so that every device starts from the same ones
    model = experiment.build(torch.Generator().manual_seed(seed))
    check_range(experiment.dataset.sample(experiment.batch, torch.Generator(device).manual_seed(seed))[0])
    model = model.to(device, memory_format=_layout(device))
    if experiment.optimizer == "muon":
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        optimizer = Muon(model.parameters(), experiment.learning_rate, dtype=dtype)
    else:
        optimizer = torch.optim.Adam(model.parameters(), experiment.learning_rate, fused=True)
    objective = initial_state(experiment.objective)
    if resume is not None:
        model.load_state_dict(resume.weights)
        state = optimizer.state_dict()
        state["state"] = {
            i: {key: _like(value, parameter) for key, value in resume.checkpoint.optimizer[name].items()}
            for i, (name, parameter) in enumerate(model.named_parameters())
        }
        optimizer.load_state_dict(state)
        if reseed:
            fresh = np.random.SeedSequence([seed, resume.step]).generate_state(1, np.uint64)[0]
            generator.manual_seed(int(fresh >> 1))
        elif generator.get_state().shape == resume.checkpoint.generator.shape:
            generator.set_state(resume.checkpoint.generator)
        else:
            made = resume.made.get("device", "another device")
            raise ValueError(
                f"the run to resume was made on {made}, whose random numbers {device} cannot continue: go on there, or "
                "accept fresh ones with --reseed, in Python train(…, reseed=True)"
            )
        objective = resume.checkpoint.objective
    # a copy: training changes it in place, and the run to resume is the caller's
    return model, optimizer, generator, None if objective is None else objective.to(device, copy=True)


def _layout(device: torch.device) -> torch.memory_format:
    # channels last is the fast one for cuDNN and oneDNN; on MPS it is not, and on macOS 15 it was reported to be wrong
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def _checkpoint(
    model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, state: Tensor | None
) -> Checkpoint:
    states = optimizer.state_dict()["state"]
    return Checkpoint(
        optimizer={name: _to_cpu(states[i]) for i, (name, _) in enumerate(model.named_parameters())},
        generator=generator.get_state(),
        objective=None if state is None else state.cpu().clone(),
    )


def _identified(experiment: Experiment) -> Experiment:
    """The experiment, whose pictures, if they come from a file, are known by their content."""
    if getattr(experiment.dataset, "content", None) != "":
        return experiment
    return dataclasses.replace(experiment, dataset=experiment.dataset.identified())


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


def _broken(block: np.ndarray, step: int, model: nn.Module) -> str | None:
    """What is no longer finite, and at which step; None if all is well."""
    bad = ~np.isfinite(block).all(1)
    if bad.any():
        return f"the loss became NaN or infinite at step {step - len(block) + 1 + int(bad.argmax())}"
    if not all(p.isfinite().all() for p in model.parameters()):
        return f"a weight became NaN or infinite at step {step}"
    return None


def _keep(good: Run | None, out: str | Path | None, overwrite: bool) -> str:
    """Write the last good state, if there is one and a place for it; returns what to say of it."""
    if good is None:
        return "no earlier state was kept"
    said = f"the state at step {good.step} is kept in the error's `run`"
    if out is not None and _save(good, out, overwrite, final=False):
        said += f" and in {out}"
    return said


def _save(run: Run, out: str | Path, overwrite: bool, final: bool) -> bool:
    """Write the run; on the way a failure is only a warning, since the next minute may go better."""
    try:
        run.save(out, overwrite)
    except OSError as error:
        if final:
            raise TrainingError(f"{error}; the trained run is in the error's `run`", run) from error
        warnings.warn(f"step {run.step} was not saved: {error}", RuntimeWarning, stacklevel=3)
        return False
    return True


def _join(before: dict[str, np.ndarray] | None, first: int, blocks: list[np.ndarray]) -> dict[str, np.ndarray]:
    rows = np.concatenate(blocks)
    new = {
        "step": np.arange(first + 1, first + 1 + len(rows)),
        "loss": rows[:, 0],
        "reconstruction": rows[:, 1],
        "kl": rows[:, 2:],
    }
    return new if before is None else {name: np.concatenate([before[name], new[name]]) for name in new}


def _to_cpu(tensors: dict[str, Any]) -> Weights:
    # contiguous, so that the run does not depend on the layout that was fast
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    # a copy, as the optimizer changes it in place; and the fused Adam walks through memory: its moments must lie there
    # in the order of their parameter
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value.clone()


def _keep_buffers(mmap: int = 2**30, trim: int = 2**31 - 1) -> None:
    """Tell glibc to keep freed buffers, which it would return to the kernel after each step: 25 % of the time.

    Args:
        mmap: size in bytes from which a buffer is mapped by itself, and returned when freed.
        trim: free bytes at the end of the heap that are kept.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, mmap)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, trim)  # M_TRIM_THRESHOLD


@contextmanager
def _ieee(device: torch.device) -> Iterator[None]:
    """Meanwhile CUDA's convolutions of fp32 are fp32, and not TF32, which keeps ten bits."""
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn  # newer versions have a switch for convolutions alone
    switch, name, off = (
        (cudnn.conv, "fp32_precision", "ieee") if hasattr(cudnn, "conv") else (cudnn, "allow_tf32", False)
    )
    before = getattr(switch, name)
    setattr(switch, name, off)
    try:
        yield
    finally:
        setattr(switch, name, before)


@contextmanager
def _deferred_interrupt(alone: bool = True) -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt into a flag, so that a step is never broken off half-way; a second one breaks off.

    Not so in a group of processes: at one Ctrl-C each gets two, from the terminal and from torchrun, which ends those
    that linger.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield lambda: False
        return
    seen = False

    def note(signum: int, frame: Any) -> None:
        nonlocal seen
        if seen and alone:
            raise KeyboardInterrupt
        seen = True

    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
