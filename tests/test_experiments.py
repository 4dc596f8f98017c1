"""Experiments by name, and their round trip through plain JSON values."""

import dataclasses
import json
import re

import pytest
import torch

from minivae import experiments
from minivae.datasets import Blobs
from minivae.experiments import EXPERIMENTS, Experiment
from minivae.objectives import ELBO
from minivae.optimal import collapse_threshold


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_round_trip_through_json(name):
    experiment = experiments.get(name)
    assert Experiment.from_dict(json.loads(json.dumps(experiment.to_dict()))) == experiment


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'blobs-beta150'"):
        experiments.get("blob-beta-150")
    with pytest.raises(ValueError, match="known are blobs-vae"):
        experiments.get("zzz")


@pytest.mark.parametrize("setting", ["steps", "latents", "batch", "learning_rate"])
def test_settings_must_be_positive(setting):
    with pytest.raises(ValueError, match=f"{setting} must be positive, got 0"):
        Experiment("x", Blobs(), ELBO(), **{setting: 0})


@pytest.mark.parametrize(
    "change", [{"dataset": {"kind": "Faces"}}, {"objective": {"kind": "ELBO", "gamma": 1}}, {"colour": "red"}]
)
def test_unknown_settings_are_refused(change):
    with pytest.raises(ValueError, match="unknown experiment settings"):
        Experiment.from_dict({**experiments.get("blobs-vae").to_dict(), **change})


def test_experiments_are_filed_under_their_own_file_safe_names():
    for name, experiment in EXPERIMENTS.items():
        assert experiment.name == name and experiment.about
        assert re.fullmatch(r"[a-z0-9-]+", name)  # it becomes a file name


def test_settings_are_the_papers_unless_told_otherwise():
    experiment = Experiment("x", Blobs(), ELBO())
    assert (experiment.latents, experiment.learning_rate) == (10, 5e-4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.steps = 1


def test_from_dict_leaves_its_argument_alone():
    settings = experiments.get("blobs-beta150").to_dict()
    before = json.dumps(settings)
    Experiment.from_dict(settings)
    assert json.dumps(settings) == before


@pytest.mark.parametrize("missing", ["name", "dataset", "objective"])
def test_missing_settings_are_told(missing):
    settings = experiments.get("blobs-vae").to_dict()
    del settings[missing]
    with pytest.raises(ValueError, match=f"unknown experiment settings .*{missing}"):
        Experiment.from_dict(settings)


@pytest.mark.parametrize("sigma", [4, 6])
def test_betas_lie_a_third_below_and_above_the_threshold_of_their_data(sigma):
    below, above = experiments.get(f"blobs-s{sigma}-below"), experiments.get(f"blobs-s{sigma}-above")
    assert below.dataset == above.dataset == Blobs(sigma)
    threshold = collapse_threshold(below.dataset.sample(800, torch.Generator().manual_seed(0))[0])
    assert below.objective.beta / threshold == pytest.approx(0.7, abs=0.08)
    assert above.objective.beta / threshold == pytest.approx(1.3, abs=0.12)
