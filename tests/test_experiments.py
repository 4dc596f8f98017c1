"""Experiments by name, and their round trip through plain JSON values."""

import json

import pytest

from minivae import experiments
from minivae.datasets import Blobs
from minivae.experiments import EXPERIMENTS, Experiment
from minivae.objectives import ELBO


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
