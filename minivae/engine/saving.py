"""What a training keeps on its way: history, snapshots, saves, and how it stops and goes on."""

import signal
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from minivae.engine import parallel
from minivae.engine.runs import Checkpoint, Run, Weights

LOOK_EVERY = 100  # steps between looks at the numbers: reading them synchronises with a GPU
ASK_EVERY = 10  # steps between asking several processes whether to stop: torchrun gives them 30 s from SIGTERM
SAVE_EVERY = 60  # seconds from one save on the way to the next


class _WithRun(BaseException):
    """What ends a training, and the run that there is."""

    def __init__(self, message: str, run: Run | None) -> None:
        super().__init__(message)
        self.run = run

    def __reduce__(self) -> tuple[type, tuple[str, Run | None]]:
        return type(self), (str(self), self.run)  # so that it passes whole between processes


class TrainingError(_WithRun, RuntimeError):
    """The loss stopped being finite, or the result could not be written. `run` is the last good state, if any."""


class TrainingInterrupted(_WithRun, KeyboardInterrupt):
    """The training was interrupted (Ctrl-C, the stop button of a notebook, SIGTERM). `run` is what it had done. As a
    KeyboardInterrupt it also ends what called `train`: a script, a loop, the cells below in a notebook."""


@dataclass
class Keeper:
    """The hook after each step: notes what it reported and, at every look, checks, shows and saves."""

    model: nn.Module  # in training
    last: int  # step of the training
    checkpoint: Callable[[], Checkpoint]  # what goes on from the present step, where the training runs
    describe: Callable[..., Run]  # a run from step, weights, checkpoint, history and snapshots
    resumed: Run | None  # the run that is continued
    wanted: Collection[int]  # steps at which to keep the weights
    out: Path | None  # where this process saves, if it does
    overwrite: bool  # allow `out` to exist
    interrupted: Callable[[], bool]  # whether somebody wants the training to end
    bar: tqdm  # of progress

    def __post_init__(self) -> None:
        self.rows: list[Tensor] = []  # since the last look: loss, reconstruction, and the KL of each latent
        self.blocks: list[np.ndarray] = []  # before it
        self.snapshots = {} if self.resumed is None else dict(self.resumed.snapshots)
        self.good: tuple[int, Weights, Checkpoint] | None = None  # copies: to fetch them would wait for the device
        self.saved = time.perf_counter()

    def __call__(self, step: int, row: Tensor) -> None:
        """Raises TrainingError if the loss is no longer finite, TrainingInterrupted if it was interrupted."""
        self.rows.append(row.to(torch.float32, copy=True))  # a graph writes the next step's into the same place
        if step in self.wanted:
            self.snapshots[step] = to_cpu(self.model.state_dict())
        # several processes agree now and then: to ask one another at every step would cost as much as the step
        asks = parallel.alone() or step % ASK_EVERY == 0
        stop = step == self.last or (asks and parallel.any_process(self.interrupted(), row.device))
        if len(self.rows) < LOOK_EVERY and not stop:
            return
        block = torch.stack(self.rows).cpu().numpy()
        self.rows.clear()
        if broken := _broken(block, step, self.model):
            raise TrainingError(f"{broken}: try a lower learning rate or precision='fp32'; {self._kept()}", self.run)
        self.blocks.append(block)
        self.bar.update(len(block))
        self.bar.set_postfix(nats=f"{block[:, 1].mean():.1f}", kl=f"{block[:, 2:].sum(1).mean():.2f}")
        self.good = step, copies(self.model.state_dict()), self.checkpoint()
        if self.out is not None and (stop or time.perf_counter() - self.saved > SAVE_EVERY):
            self._save(final=stop)
            self.saved = time.perf_counter()
        if stop and (step < self.last or self.interrupted()):
            if step < self.last:
                name = getattr(self.bar, "desc", "").removesuffix(": ")
                self.bar.set_description(f"{name}, interrupted")
            where = "in the error's `run` (sys.last_value.run in a notebook)" if self.out is None else f"in {self.out}"
            raise TrainingInterrupted(f"interrupted at step {step}; the run so far is {where}", self.run)

    @property
    def run(self) -> Run | None:
        """The last good state, fetched; before there is one that of the run which is continued, if any."""
        if self.good is None:
            return self.resumed
        step, weights, state = self.good
        fetched = Checkpoint({name: to_cpu(part) for name, part in state.optimizer.items()}, state.generator,
                             None if state.objective is None else state.objective.cpu())  # fmt: skip
        rows = np.concatenate(self.blocks)
        steps = np.arange(step - len(rows), step) + 1
        history = {"step": steps, "loss": rows[:, 0], "reconstruction": rows[:, 1], "kl": rows[:, 2:]}
        if self.resumed is not None:
            history = {name: np.concatenate([self.resumed.history[name], new]) for name, new in history.items()}
        reached = {"step": step, "history": history, "snapshots": dict(self.snapshots), "checkpoint": fetched}
        return self.describe(weights=to_cpu(weights), **reached)

    def _kept(self) -> str:
        """Write the last good state, if there is one and a place for it; returns what to say of it."""
        if (run := self.run) is None:
            return "no earlier state was kept"
        said = f"the state at step {run.step} is kept in the error's `run`"
        return said + (f" and in {self.out}" if self.out is not None and self._save(final=False) else "")

    def _save(self, final: bool) -> bool:
        """Write the run; on the way a failure is only a warning, since the next minute may go better."""
        run = self.run
        try:
            run.save(self.out, self.overwrite)
        except OSError as error:
            if final:
                raise TrainingError(f"{error}; the trained run is in the error's `run`", run) from error
            warnings.warn(f"step {run.step} was not saved: {error}", RuntimeWarning, stacklevel=4)
            return False
        self.overwrite = True  # what is there now is this training's
        return True


def checkpoint(
    model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, state: Tensor | None
) -> Checkpoint:
    """What `restore` needs to go on exactly, copied where it lies."""
    states = optimizer.state_dict()["state"]
    return Checkpoint(
        optimizer={name: copies(states[i]) for i, (name, _) in enumerate(model.named_parameters())},
        generator=generator.get_state(),
        objective=None if state is None else state.clone(),
    )


def restore(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator, reseed: bool
) -> Tensor | None:
    """Bring model, optimizer and generator to where a run stopped; returns the state of its objective. Raises
    ValueError if the generator is of another kind of device, unless it is to be reseeded."""
    model.load_state_dict(run.weights)
    state = optimizer.state_dict()
    for i, (name, p) in enumerate(model.named_parameters()):
        # copies, as the optimizer changes them in place; and the fused Adam walks through memory: its moments must lie
        # there in the order of their parameter
        state["state"][i] = {
            key: torch.empty_like(p).copy_(value) if value.shape == p.shape else value.clone()
            for key, value in run.checkpoint.optimizer[name].items()
        }
    optimizer.load_state_dict(state)
    if reseed:
        fresh = np.random.SeedSequence([run.seed, run.step]).generate_state(1, np.uint64)[0]
        generator.manual_seed(int(fresh >> 1))
    elif generator.get_state().shape == run.checkpoint.generator.shape:
        generator.set_state(run.checkpoint.generator)
    else:
        made = run.provenance.get("device", "another device")
        raise ValueError(
            f"the run to resume was made on {made}, whose random numbers {generator.device} cannot continue: go on "
            "there, or accept fresh ones with --reseed, in Python train(…, reseed=True)"
        )
    return run.checkpoint.objective


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt into a flag, so that a step is never broken off half-way; a second one breaks off, but
    not in a group of processes: at one Ctrl-C each gets two, from the terminal and from torchrun."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield lambda: False
        return
    seen: list[int] = []

    def note(signum: int, frame: Any) -> None:
        if seen and parallel.alone():
            raise KeyboardInterrupt
        seen.append(signum)

    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def copies(tensors: dict[str, Tensor]) -> Weights:
    """Copies on the same device, for which nothing waits."""
    return {name: value.detach().clone() for name, value in tensors.items()}


def to_cpu(tensors: dict[str, Any]) -> Weights:
    """Copies on the CPU, contiguous, so that a run does not depend on the layout that was fast."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _broken(block: np.ndarray, step: int, model: nn.Module) -> str:
    """What is no longer finite, and at which step; "" if all is well."""
    if not (good := np.isfinite(block).all(1)).all():
        return f"the loss became NaN or infinite at step {step - len(block) + 1 + good.argmin()}"
    good = torch.stack([p.isfinite().all() for p in model.parameters()])
    return "" if good.all() else f"a weight became NaN or infinite at step {step}"
