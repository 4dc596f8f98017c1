"""The committed runs: complete, and made by code that trains as the code in the tree does."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from minivae import experiments, metrics
from minivae.engine.runs import Run
from minivae.engine.trainer import train

RUNS = sorted((Path(__file__).parents[1] / "data" / "runs").glob("*.h5"))


def test_there_are_recorded_runs():
    assert RUNS


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_recorded_run_is_what_its_name_says(path):
    run = Run.load(path)
    assert path.stem == f"{run.experiment.name}-seed{run.seed}"
    today = dataclasses.replace(experiments.get(run.experiment.name), about=run.experiment.about)  # chapters move
    assert run.experiment == today, "the experiment changed since the run was made"
    assert run.step == run.experiment.steps == run.history["step"][-1]
    assert f"train {run.experiment.name} --seed {run.seed}" in run.provenance["command"]


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_code_in_the_tree_repeats_the_first_steps_of_the_run(path):
    run = Run.load(path)
    rows = run.history["step"] <= 20
    # in the precision that this processor multiplies: bf16 emulated takes ten times as long, and rounds in other ways
    again = train(run.experiment, steps=20, seed=run.seed, device="cpu", precision="auto", progress=False)
    again = again.slim(int(run.history["step"][0]))
    # processors round differently and training amplifies it; another seed is off by tens of per cent
    assert np.allclose(again.history["reconstruction"], run.history["reconstruction"][rows], rtol=0.01)
    assert np.allclose(again.history["kl"].sum(1), run.history["kl"][rows].sum(1), rtol=0.1)


SCORES = sorted((Path(__file__).parents[1] / "data" / "metrics").glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("path", SCORES, ids=lambda path: path.stem)
def test_recorded_scores_are_those_of_the_run(path):
    run, scores = Run.load(path.parents[1] / "runs" / f"{path.stem}.h5"), json.loads(path.read_text())
    codes, factors, nll, floor, kl = metrics.encode_dataset(run.model(), run.experiment.dataset, 1_000)
    _, classes = metrics.factor_classes(run.experiment.dataset, factors)
    # of a tenth of the points: the mean over pictures is off by its standard error, a plug-in estimate by its bias too
    assert abs(nll - floor - scores["excess"]) < 0.06 * scores["excess"]
    assert abs(kl.sum().item() - scores["kl"]) < 0.02 * scores["kl"]
    assert abs(metrics.mig(codes, classes) - scores["mig"]) < 0.04


@pytest.mark.slow  # trees take a minute
@pytest.mark.parametrize("name", ["sprites-opened-seed0"])
def test_all_recorded_scores_of_one_run_are_measured_again(name):
    data = Path(__file__).parents[1] / "data"
    run, scores = Run.load(data / "runs" / f"{name}.h5"), json.loads((data / "metrics" / f"{name}.json").read_text())
    again = metrics.measure(run.model(), run.experiment.dataset)
    assert list(again) == list(scores)
    for key, value in again.items():  # the same points and seeds: what differs is how processors round
        assert value == pytest.approx(scores[key], abs=0.01 if scores[key] < 1 else 0.05), key
