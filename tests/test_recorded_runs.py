"""The committed runs: complete, and made by code that trains as the code in the tree does."""

from pathlib import Path

import numpy as np
import pytest

from minivae import experiments
from minivae.runs import Run
from minivae.training import train

RUNS = sorted((Path(__file__).parents[1] / "data" / "runs").glob("*.h5"))


def test_there_are_recorded_runs():
    assert RUNS


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_recorded_run_is_what_its_name_says(path):
    run = Run.load(path)
    assert path.stem == f"{run.experiment.name}-seed{run.seed}"
    assert run.experiment == experiments.get(run.experiment.name), "the experiment changed since the run was made"
    assert run.step == run.experiment.steps == run.history["step"][-1]
    assert f"train {run.experiment.name} --seed {run.seed}" in run.made["command"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_code_in_the_tree_repeats_the_first_steps_of_the_run(path):
    run = Run.load(path)
    rows = run.history["step"] <= 20
    again = train(
        run.experiment, steps=20, seed=run.seed, device="cpu", precision=run.made["precision"], progress=False
    ).slim()
    # processors round differently and training amplifies it; another seed is off by tens of per cent
    assert np.allclose(again.history["reconstruction"], run.history["reconstruction"][rows], rtol=0.01)
    assert np.allclose(again.history["kl"].sum(1), run.history["kl"][rows].sum(1), rtol=0.1)
