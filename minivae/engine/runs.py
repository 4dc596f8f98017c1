"""A `Run`: what one training did, in an HDF5 file, which is all that chapters and widgets get. Taught in chapter 4."""

import dataclasses
import io
import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_count
from minivae.datasets import Arrays
from minivae.engine.files import CHECKED, open_hdf5, reading, write_atomically
from minivae.engine.settings import from_dict, to_dict
from minivae.experiment import Experiment
from minivae.generator import FactorGenerator
from minivae.vae import VAE

FORMAT, VERSION = "minivae run", 1
Weights = dict[str, Tensor]


class RunFileError(ValueError):
    """A file is no readable run; the message names the file and says what is wrong."""


@dataclass
class Checkpoint:
    """What an exact resume needs beside the weights."""

    optimizer: dict[str, Weights]  # its state, of each parameter
    generator: Tensor  # state of the random numbers
    objective: Tensor | None = None  # state of one that adapts itself


@dataclass
class Run:
    """One training, finished or not.

    `history` has the arrays "step" (n,), "loss" (n,), "reconstruction" (n,) and "kl" (n, latents), in nats; a row is
    one step, or in a slim run the mean over the steps since the row before.
    """

    experiment: Experiment  # its settings
    seed: int  # of the initial weights, the data and the posterior samples
    step: int  # optimizer steps done
    weights: Weights  # the model's parameters by name, on the CPU
    history: dict[str, np.ndarray]
    snapshots: dict[int, Weights] = field(default_factory=dict)  # weights at earlier steps
    checkpoint: Checkpoint | None = None  # what `train(resume=…)` needs; None in a slim run
    provenance: dict[str, Any] = field(default_factory=dict)  # command, device, precision, threads, seconds, versions

    def model(self, step: int | None = None) -> VAE | FactorGenerator:
        """The trained model in float32 on the CPU, ready for use; with `step`, as it was at that snapshot. Raises
        ValueError if there is no snapshot of that step; the message lists those there are."""
        weights = self.weights
        if step is not None and step != self.step:
            if step not in self.snapshots:
                raise ValueError(f"no snapshot at step {step}: there are {[*sorted(self.snapshots), self.step]}")
            weights = self.snapshots[step]
        model = self.experiment.build()
        model.load_state_dict({name: value.float() for name, value in weights.items()})
        return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # 1.7 times as fast on a CPU

    def mean_kl(self, last: int = 500) -> np.ndarray:
        """KL of every latent, averaged over the last steps, in nats: (latents,). Raises ValueError if last < 1."""
        return self.means(last)["kl"]

    def means(self, last: int = 500) -> dict[str, np.ndarray]:
        """Every column of the history, averaged over the last steps. Raises ValueError if last < 1."""
        check_count("last", last)
        recent = self.history["step"] > self.step - last
        return {name: rows[recent].mean(0) for name, rows in self.history.items()}

    def slim(self, every: int | None = None) -> "Run":
        """A copy small enough to keep for ever: no checkpoint, history averaged over `every` steps ≥ 1 (10, or 20 in a
        run of over 50,000; fewer in a shorter run), half-precision weights, of which matrices and kernels keep eight
        significant bits: the last are noise to a network, and do not compress."""
        every = (10 if self.step <= 50_000 else 20) if every is None else every
        check_count("every", every)
        every = min(every, n := len(self.history["step"]))

        def half(weights: Weights) -> Weights:
            return {name: (w.bfloat16() if w.dim() > 1 else w).half() for name, w in weights.items()}

        ends = list(range(every, n + 1, every))
        history = {name: np.stack([rows[end - every : end].mean(0) for end in ends])
                   for name, rows in self.history.items() if name != "step"}  # fmt: skip
        history["step"] = self.history["step"][[end - 1 for end in ends]]
        snapshots = {step: half(weights) for step, weights in self.snapshots.items()}
        weights = half(self.weights)
        return dataclasses.replace(self, weights=weights, snapshots=snapshots, history=history, checkpoint=None)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the run to an HDF5 file; raises as `files.write_atomically` and, of settings, `settings.to_dict`."""
        image = io.BytesIO()  # in memory first: HDF5 does not report a full disk in a way that one can catch
        with h5py.File(image, "w", libver=CHECKED) as file:
            _write(file, self)
        return write_atomically(Path(path), image.getbuffer(), overwrite)

    @classmethod
    def load(cls, path: str | Path, kinds: Collection[type] = (), data: str | Path | Arrays | None = None) -> "Run":
        """Read a run. `kinds` are your own classes of data sets and objectives: a file holds names and settings, never
        code. `data` are the run's pictures: where they are now, or the `Arrays` themselves, with or without factors.

        Raises as `files.reading`, RunFileError if it is no run, damaged, or of another format version, ValueError if
        the run was trained on other pictures than `data` holds, or needs none.
        """
        path = Path(path)
        missing = f"train one with `{shlex.join(['python', '-m', 'minivae', 'train', 'NAME', '--out', str(path)])}`"
        damaged = "is no readable run: it is truncated, damaged or foreign"
        with reading(path, damaged, missing, RunFileError), open_hdf5(path) as file:
            run = _read(file, kinds)
            _check(run)
        if data is None:
            return run
        dataset = run.experiment.dataset
        if isinstance(dataset, Arrays) and isinstance(data, Arrays):
            if (data.content, data.channels, data.size) != (dataset.content, dataset.channels, dataset.size):
                raise ValueError(f"{path} was trained on other pictures: {dataset!r}, got {data!r}")
            dataset = data
        elif hasattr(dataset, "identified") and not isinstance(data, Arrays):
            dataset = dataclasses.replace(dataset, path=data).identified()
        else:
            raise ValueError(f"{path} was trained on {dataset!r}: {type(data).__name__} cannot be its data")
        return dataclasses.replace(run, experiment=dataclasses.replace(run.experiment, dataset=dataset))


def initial_state(objective: object) -> Tensor | None:
    """The state with which an objective begins that adapts itself, else None. Raises ValueError if it is no float32 or
    float64 tensor without gradient, or the objective has no `update`."""
    if not hasattr(objective, "initial_state"):
        return None
    state = objective.initial_state()
    plain = isinstance(state, Tensor) and state.dtype in (torch.float32, torch.float64) and not state.requires_grad
    if not plain or not callable(getattr(objective, "update", None)):
        raise ValueError(
            "an objective that adapts itself needs initial_state(), a float32 or float64 tensor without gradient, and "
            f"update(kl, step, state), which changes it in place; got the state {state!r}"
        )
    return state


def _write(file: h5py.File, run: Run) -> None:
    # texts of fixed length lie under the checksum; others would lie elsewhere
    file.attrs["format"], file.attrs["version"] = np.bytes_(FORMAT), VERSION
    file.attrs["experiment"] = np.bytes_(json.dumps(to_dict(run.experiment)))
    file.attrs["made"] = np.bytes_(json.dumps(run.provenance))
    file.attrs["seed"], file.attrs["step"] = run.seed, run.step
    checkpoint = {} if run.checkpoint is None else {"checkpoint": vars(run.checkpoint)}
    _write_tree(file, {"history": run.history, "weights": run.weights, "snapshots": run.snapshots, **checkpoint})


def _write_tree(group: h5py.Group, tree: dict[Any, Any]) -> None:
    """Write arrays by name, those of a dictionary within as a group of their own; a None is left out."""
    for name, value in tree.items():
        if isinstance(value, dict):
            _write_tree(group.create_group(str(name)), value)
        elif value is not None:
            values = np.asarray(value)
            chunks = values.shape if values.size else True  # small ones take more room
            # the checksum tells a flipped bit from data; shuffling bytes halves what gzip leaves
            packed = {"fletcher32": True, "shuffle": True, "compression": "gzip", "chunks": chunks}
            group.create_dataset(name, data=values, **(packed if values.ndim else {}))


def _read_tree(group: h5py.Group) -> dict[str, Any]:
    """What `_write_tree` wrote, as tensors."""
    return {
        name: _read_tree(value) if isinstance(value, h5py.Group) else torch.from_numpy(np.asarray(value[()]))
        for name, value in group.items()
    }


def _read(file: h5py.File, kinds: Collection[type]) -> Run:
    if file.attrs.get("format") not in (FORMAT, FORMAT.encode()):
        raise ValueError("an HDF5 file, but not a minivae run")
    if (version := file.attrs.get("version")) != VERSION:
        raise ValueError(f"run format {version}, this minivae reads format {VERSION}: update it or train the run again")
    return Run(
        experiment=from_dict(json.loads(file.attrs["experiment"]), kinds),
        seed=int(file.attrs["seed"]),
        step=int(file.attrs["step"]),
        weights=_read_tree(file["weights"]),
        history={name: file["history"][name][()] for name in ("step", "loss", "reconstruction", "kl")},
        snapshots={int(step): weights for step, weights in _read_tree(file.get("snapshots", {})).items()},
        checkpoint=Checkpoint(**_read_tree(file["checkpoint"])) if "checkpoint" in file else None,
        provenance=json.loads(file.attrs["made"]),
    )


def _check(run: Run) -> None:
    """Raise ValueError or RuntimeError where the parts do not fit: better to hear of it now than in a widget."""
    model = run.model()
    for step in run.snapshots:
        run.model(step)
    n, latents = len(run.history["step"]), run.experiment.latents
    shapes = {"step": (n,), "loss": (n,), "reconstruction": (n,), "kl": (n, latents)}
    if {name: rows.shape for name, rows in run.history.items()} != shapes:
        raise ValueError(f"the history's shapes must be {shapes}")
    if not isinstance(run.provenance, dict):
        raise ValueError("it does not say how it was made")
    if run.checkpoint is None:
        return
    adam = run.experiment.optimizer == "adam"
    expected = {
        name: _kinds({"exp_avg": p, "exp_avg_sq": p, "step": torch.zeros(())} if adam else {"momentum": p})
        for name, p in model.named_parameters()
    }
    # the fused Adam trusts these shapes blindly: a wrong one would write beyond the buffer
    if {name: _kinds(state) for name, state in run.checkpoint.optimizer.items()} != expected:
        raise ValueError("the optimizer's state does not fit the model")
    if run.checkpoint.generator.dtype != torch.uint8 or run.checkpoint.generator.ndim != 1:
        raise ValueError("the random state is no byte string")
    if _kinds({"": run.checkpoint.objective}) != _kinds({"": initial_state(run.experiment.objective)}):
        raise ValueError("the objective's state does not fit the objective")


def _kinds(tensors: dict[str, Tensor | None]) -> dict[str, Any]:
    return {name: None if value is None else (value.shape, value.dtype) for name, value in tensors.items()}
