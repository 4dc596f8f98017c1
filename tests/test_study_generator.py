"""The study of chapter 8's generator: what is recorded is what the tool in the tree computes."""

import dataclasses
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from minivae.engine.curves import load_curve
from minivae.engine.trainer import train

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "data" / "studies" / "generator").glob("*.json"))
STARTS = [path for path in FILES if not path.stem.startswith("clean")]


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("study_generator", ROOT / "tools" / "study_generator.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_study_says_its_command(path):
    command = json.loads(path.read_text())["made"]["command"]
    name, seed = re.fullmatch(r"(.+)-seed(\d)", path.stem).groups()
    part = "" if name.startswith("clean") else "starts "
    assert command.startswith(f"python tools/study_generator.py {part}{name.replace('-', ' ')} --seed {seed} --steps ")


def test_starts_have_three_seeds_and_kept_to_the_capacity():
    assert [path.stem for path in STARTS] == [
        f"{start}-seed{seed}" for start in ("silent-1000", "usual-100") for seed in range(3)
    ]
    for path in STARTS:
        curve = load_curve(path)
        assert len(curve.capacities) >= 6 and (curve.rates.sum(1) - curve.capacities)[1:].abs().max() < 0.2


def test_usual_start_is_what_the_course_trains(study, monkeypatch):
    monkeypatch.setattr(study, "EVERY", 4)
    (*_, run) = study.train_from("usual", 1000.0, seed=1, steps=4)
    again = train(run.experiment, steps=4, seed=1, device="cpu", progress=False)
    for name in ("kl", "reconstruction", "loss"):
        assert np.array_equal(run.history[name], again.history[name])


def test_silent_start_is_silent_and_nothing_else(study, monkeypatch):
    monkeypatch.setattr(study, "EVERY", 1)
    usual, silent = (next(study.train_from(start, 1000.0, seed=1, steps=1)) for start in ("usual", "silent"))
    assert np.allclose(silent.history["kl"][0], 1e-4 * usual.history["kl"][0], rtol=0.01)
    assert dataclasses.replace(usual.experiment) == silent.experiment


def test_turning_tells_one_code_for_one_picture(study, monkeypatch):
    monkeypatch.setattr(study, "EVERY", 1)
    told = []
    monkeypatch.setattr(study.Decoder, "forward", lambda self, z: told.append(z.detach()) or self.net(z))
    ((losses, drawn),) = study.train_clean("turning", seed=0, steps=1)
    assert len(losses) == 1 and drawn.shape == (8, 64, 64)
    assert told[0].shape == (64, 6)
    assert torch.allclose(told[0][:, 2] ** 2 + told[0][:, 3] ** 2, torch.ones(64), atol=1e-5)
