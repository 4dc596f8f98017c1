"""Rate-distortion curves in files, and those of trainings. Taught in chapter 5."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minivae._arguments import check_count
from minivae.engine.files import reading, write_atomically
from minivae.engine.runs import Run
from minivae.rate_distortion import RateDistortion

_FORMAT = "minivae rate-distortion 1"
_COLUMNS = ("capacities", "rates", "distortions", "errors", "prices")


def save_curve(curve: RateDistortion, path: str | Path, overwrite: bool = False) -> Path:
    """Write a curve as a JSON file, atomically; raises as `files.write_atomically`."""
    text = json.dumps({"format": _FORMAT, **to_dict(curve)}, indent=1, allow_nan=False) + "\n"
    return write_atomically(Path(path), text.encode(), overwrite)


def to_dict(curve: RateDistortion) -> dict[str, Any]:
    """A curve as plain JSON values; a price that is NaN is None."""
    values = {name: value.tolist() if isinstance(value, Tensor) else value for name, value in vars(curve).items()}
    values["prices"] = [None if math.isnan(price) else price for price in values["prices"]]
    values["made"] = values.pop("provenance")
    return values


def load_curve(path: str | Path) -> RateDistortion:
    """Read what `save_curve` wrote. Raises as `files.reading`."""
    path = Path(path)
    missing = f"make it with `{shlex.join(['python', '-m', 'minivae', 'limit', 'NAME', '--out', str(path)])}`"
    with reading(path, "is no rate-distortion curve of minivae, or damaged", missing):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            raise ValueError("another format")
        values["prices"] = [math.nan if price is None else price for price in values["prices"]]
        values |= {name: torch.tensor(values[name], dtype=torch.float64) for name in _COLUMNS}
        curve = RateDistortion(factors=tuple(values.pop("factors")), provenance=values.pop("made"), **values)
        n = len(curve.capacities)
        if any(values[name].shape != (n, len(curve.factors))[: 1 + (name == "rates")] for name in _COLUMNS):
            raise ValueError("columns of different lengths")
        texts = all(isinstance(factor, str) for factor in curve.factors) and isinstance(curve.provenance, dict)
        if not (texts and all(torch.isfinite(values[name]).all() for name in _COLUMNS[:-1])):
            raise ValueError("factors must be texts, made a description, and values finite")
        return curve


def trained_curve(run: Run, window: int = 500) -> RateDistortion:
    """What a run with a schedule of C paid and got on its way, averaged over windows of so many steps (Figure 3, top).

    `capacities` are the targets C, `rates` the KLs; `prices` are (loss − reconstruction)/KL, the β of a
    `LagrangianELBO` (of a `CapacityELBO` they mean nothing). Raises ValueError if the objective has no schedule, or the
    window is shorter than a row or longer than the history.
    """
    check_count("window", window)
    schedule = getattr(run.experiment.objective, "schedule", None)
    if schedule is None:
        raise ValueError(f"run {run.experiment.name} has no schedule of C: its objective is {run.experiment.objective}")
    steps = torch.from_numpy(run.history["step"])
    if not steps[0] <= window <= steps[-1]:
        raise ValueError(f"window must lie in [{steps[0]}, {steps[-1]}] steps, got {window}")
    rows = int((steps <= window).sum())
    n = len(steps) // rows
    columns = {name: torch.from_numpy(values)[: n * rows].double().unflatten(0, (n, rows))
               for name, values in run.history.items()}  # fmt: skip
    means = {name: values.mean(1) for name, values in columns.items()}
    spread = columns["reconstruction"].std(1) if rows > 1 else torch.zeros(n)
    return RateDistortion(
        factors=run.experiment.latent_names,
        capacities=torch.tensor([schedule(step) for step in means["step"].tolist()], dtype=torch.float64),
        rates=means["kl"],
        distortions=means["reconstruction"],
        errors=spread / math.sqrt(rows),
        prices=(means["loss"] - means["reconstruction"]) / means["kl"].sum(1),
        provenance=dict(run.provenance),
    )
