"""Experiments by name, and their round trip through plain JSON values."""

import dataclasses
import json
import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from minivae import experiments
from minivae.collapse import collapse_threshold
from minivae.datasets import Arrays, Blobs, Sprites
from minivae.engine.settings import from_dict, to_dict
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.experiments import EXPERIMENTS
from minivae.lagrangian import LagrangianELBO
from minivae.muon import Muon
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LinearSchedule, PolylineSchedule


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_round_trip_through_json(name):
    experiment = experiments.get(name)
    assert from_dict(json.loads(json.dumps(to_dict(experiment)))) == experiment


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'blobs-beta150'"):
        experiments.get("Blob-Beta-150")
    with pytest.raises(ValueError, match="known are blobs-vae"):
        experiments.get("zzz")
    with pytest.raises(ValueError, match="unknown experiment None"):
        experiments.get(None)


@pytest.mark.parametrize("setting", ["steps", "latents", "batch", "learning_rate"])
def test_settings_must_be_positive(setting):
    for bad in (0, True, "5", None, float("nan")):
        with pytest.raises(ValueError, match=rf"{setting} must be .*, got {bad!r}"):
            Experiment("x", Blobs(), ELBO(), **{setting: bad})


@pytest.mark.parametrize("name", ["", "a/b", "a b", None, 3])
def test_names_must_do_as_file_names(name):
    with pytest.raises(ValueError, match="name must be letters, digits, dots, dashes and underscores"):
        Experiment(name, Blobs(), ELBO())


@pytest.mark.parametrize(
    "change", [{"dataset": {"kind": "Faces"}}, {"objective": {"kind": "ELBO", "gamma": 1}}, {"colour": "red"}]
)
def test_unknown_settings_are_refused(change):
    with pytest.raises(ValueError, match=f"unknown (experiment settings|{next(iter(change))})"):
        from_dict({**to_dict(experiments.get("blobs-vae")), **change})


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
    settings = to_dict(experiments.get("blobs-beta150"))
    before = json.dumps(settings)
    from_dict(settings)
    assert json.dumps(settings) == before


@pytest.mark.parametrize("missing", ["name", "dataset", "objective"])
def test_missing_settings_are_told(missing):
    settings = to_dict(experiments.get("blobs-vae"))
    del settings[missing]
    with pytest.raises(ValueError, match=f"unknown .*{missing}"):
        from_dict(settings)


@pytest.mark.parametrize("sigma", [4, 6])
def test_betas_lie_a_third_below_and_above_the_threshold_of_their_data(sigma):
    below, above = experiments.get(f"blobs-s{sigma}-below"), experiments.get(f"blobs-s{sigma}-above")
    assert below.dataset == above.dataset == Blobs(sigma)
    threshold = collapse_threshold(below.dataset.sample(800, torch.Generator().manual_seed(0))[0])
    assert below.objective.beta / threshold == pytest.approx(0.7, abs=0.08)
    assert above.objective.beta / threshold == pytest.approx(1.3, abs=0.12)


@dataclass(frozen=True)
class Stripes:
    """A learner's own data set, with a setting that JSON would turn into a list."""

    widths: tuple[int, ...] = (2, 4)
    channels: int = 1

    def sample(self, n, generator=None):
        return torch.zeros(n, 1, 64, 64), None


@pytest.mark.parametrize("images", [np.full((5, 3, 64, 64), 0.5, np.float32), torch.full((5, 3, 64, 64), 0.5)])
def test_an_array_is_refused_with_the_word_that_makes_it_a_data_set(images):
    with pytest.raises(ValueError, match=r"got an array \(5, 3, 64, 64\)") as told:
        Experiment("mine", images, ELBO())
    assert "make minivae.datasets.Arrays(images)" in str(told.value)
    run = train(Experiment("mine", Arrays(images), ELBO()), steps=2, device="cpu", precision="fp32", progress=False)
    assert run.step == 2 and run.model().encoder.channels == 3


def test_own_classes_come_back_when_they_are_given():
    own = Experiment("own", Stripes((3, 5)), ELBO())
    settings = json.loads(json.dumps(to_dict(own)))
    assert from_dict(settings, kinds=[Stripes]) == own
    with pytest.raises(
        ValueError,
        match=r"unknown dataset \('Stripes'\): known kinds are Blobs, .*; give your own class",
    ):
        from_dict(settings)


def test_a_data_set_is_no_objective():
    settings = to_dict(experiments.get("blobs-vae"))
    with pytest.raises(ValueError, match=r"unknown objective .'Blobs'.: known kinds are ELBO, BetaELBO"):
        from_dict({**settings, "objective": settings["dataset"]})


def test_numbers_of_numpy_and_pytorch_are_stored_as_plain_ones():
    experiment = Experiment(
        "x", Blobs(np.float64(3.0), torch.tensor(2.0).item()), BetaELBO(np.float32(0.1)), np.int64(5)
    )
    settings = to_dict(experiment)
    assert type(settings["steps"]) is int and type(settings["objective"]["beta"]) is float
    assert from_dict(settings) == experiment


@pytest.mark.parametrize("dataset", [Stripes([3, 5]), Stripes({3}), Stripes(np.array([1.0])), Stripes(float("inf"))])
def test_what_no_file_can_hold_is_refused(dataset):
    with pytest.raises(ValueError, match=r"'x' cannot be stored in a file.* must be dataclasses"):
        to_dict(Experiment("x", dataset, ELBO()))


def test_an_objective_without_settings_is_refused_by_a_file_only():
    experiment = Experiment("x", Blobs(), lambda reconstruction, kl, step: reconstruction)
    with pytest.raises(ValueError, match="cannot be stored"):
        to_dict(experiment)


def test_a_class_that_takes_a_name_of_the_courses_is_refused():
    own = dataclasses.make_dataclass("Blobs", [("sigma", float, 7.0), ("channels", int, 1)], frozen=True,
                                     namespace={"sample": lambda self, n, generator=None: None})  # fmt: skip
    with pytest.raises(ValueError, match="Blobs is the name of one of the course's own classes: rename yours"):
        to_dict(Experiment("x", own(), ELBO()))


@pytest.mark.parametrize(
    ("dataset", "objective", "message"),
    [
        (Blobs, ELBO(), "dataset must be an object with channels"),
        (ELBO(), Blobs(), "dataset must be an object with channels"),
        (Blobs(), ELBO, r"objective must be an object to call, such as ELBO\(\)"),
        (Blobs(), 3, "objective must be an object to call"),
        (Blobs(), LinearSchedule(), "objective must be an object to call"),
    ],
)
def test_classes_and_swapped_parts_are_refused(dataset, objective, message):
    with pytest.raises(ValueError, match=message):
        Experiment("x", dataset, objective)


def test_schedules_are_stored_within_their_objective():
    settings = to_dict(experiments.get("generator"))["objective"]
    assert settings["kind"] == "CapacityELBO" and settings["gamma"] == 1000
    assert settings["schedule"] == {"kind": "LinearSchedule", "start": 0.5, "end": 25.0, "first": 0, "last": 100_000}


def test_generators_are_as_in_the_paper():
    for name in ("generator", "generator-centred", "generator-lagrangian", "generator-lagrangian-centred"):
        experiment = experiments.get(name)
        assert (experiment.batch, experiment.steps, experiment.latents) == (64, 100_000, 5)
        assert [experiment.objective.schedule(step) for step in (0, experiment.steps)] == [0.5, 25.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "sgd"}, "optimizer must be one of adam, muon, got 'sgd'"),
        ({"cooldown": 1.5}, r"cooldown must be a share of the steps in \[0, 1\], got 1.5"),
        ({"cooldown": True}, "cooldown must be a share"),
        ({"reset_dormant": -1}, "reset_dormant must be"),
        ({"reset_dormant": 5, "model": "generator", "latents": 5}, "reset_dormant is for a VAE"),
        ({"model": "gan"}, "model must be one of vae, generator, generator-centred, got 'gan'"),
        ({"model": "generator"}, "latents=5, shape, scale, orientation, x, y; got 10"),
        ({"model": "generator", "dataset": Blobs()}, "needs the `values` of the factors"),
    ],
)
def test_models_must_fit(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Experiment("x", Sprites(), ELBO()), **change)


def test_a_schedule_in_a_file_is_no_objective():
    settings = to_dict(experiments.get("generator"))
    with pytest.raises(ValueError, match="objective must be an object to call"):
        from_dict({**settings, "objective": settings["objective"]["schedule"]})


def test_the_ends_of_a_range_belong_to_it():
    vae = Experiment("mine", Blobs(), ELBO(), steps=1, latents=1, batch=1)
    for whole in (0, 0.0, 1, 1.0):
        dataclasses.replace(vae, cooldown=whole)
    assert dataclasses.replace(vae, cooldown=1.0, steps=100).cooled == 0
    opened = LagrangianELBO(LinearSchedule(0.0, 0.0, 0, 1), openings=((0, 1), (1, 2)))
    dataclasses.replace(vae, objective=opened, latents=2)
    with pytest.raises(ValueError, match="of at least as many latents"):
        dataclasses.replace(vae, objective=opened, latents=1)
    for zero in (
        BetaELBO(0),
        BetaELBO(0.0),
        CapacityELBO(0.0),
        PolylineSchedule(((0, 0.0),)),
        LagrangianELBO(damping=0),
    ):
        assert zero == dataclasses.replace(zero)
    for least in (math.exp(-3), math.exp(7)):
        LagrangianELBO(least=least, beta=max(least, 1.0))
        LagrangianELBO(least=least, beta=math.exp(7))
    with pytest.raises(ValueError, match="ends at step 3, before it starts at step 3"):
        LinearSchedule(first=3, last=3)
    for bad in ({"least": 0.049}, {"least": 1.0, "beta": 0.99}, {"beta": 1097.0}, {"damping": -0.1}):
        with pytest.raises(ValueError, match="must"):
            LagrangianELBO(**bad)
    assert Blobs(margin=0).half_width == 32 and Blobs(margin=31.9).half_width == pytest.approx(0.1)
    Muon([torch.nn.Parameter(torch.zeros(2, 2))], lr=1.0, momentum=0)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), got 1"):
        Muon([torch.nn.Parameter(torch.zeros(2, 2))], lr=1.0, momentum=1.0)


def test_settings_of_before_they_were_renamed_are_read():
    objective = LagrangianELBO(gain=0.007, beta=3.0)
    now = Experiment("mine", Blobs(), objective, reset_dormant=50)
    settings = to_dict(now)
    settings["revive"] = settings.pop("reset_dormant")
    settings["objective"]["rate"] = settings["objective"].pop("gain")
    assert from_dict(json.loads(json.dumps(settings))) == now
