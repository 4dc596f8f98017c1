"""The committed rate-distortion limits: what their names say, and what the code in the tree computes."""

import re
from pathlib import Path

import pytest
import torch

from minivae.engine.curves import load_curve, save_curve
from minivae.ideal_decoder import LIMITS, Channels, distortion, sobol

FILES = sorted((Path(__file__).parents[1] / "data" / "limits").glob("*.json"))


def test_there_are_recorded_limits():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_limit_is_what_its_name_says(path):
    name, seed = re.fullmatch(r"(.+)-seed(\d+)", path.stem).groups()
    limit = load_curve(path)
    assert limit.factors == LIMITS[name]().factors
    command = limit.provenance["command"]
    assert f"limit {name} " in command
    assert int((re.search(r"--seed (\d+)", command) or ["", "0"])[1]) == int(seed)  # 0 unless given
    assert torch.allclose(limit.rates.sum(1), limit.capacities, atol=1e-3)
    assert (limit.distortions.diff() < 3 * limit.errors[1:] + 0.01).all()  # more capacity never costs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_limit_is_written_again_as_it_was(path, tmp_path):
    assert save_curve(load_curve(path), tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_code_in_the_tree_finds_the_recorded_distortions(path):
    limit = load_curve(path)
    channels = LIMITS[path.stem.rsplit("-", 1)[0]]()
    for C in (3.0, 8.0, 14.0):
        i = (limit.capacities - C).abs().argmin().item()
        losses = torch.cat([distortion(channels, limit.rates[i], sobol(channels, 256, seed)) for seed in (77, 78)])
        error = (losses.std() / len(losses) ** 0.5).item()
        assert losses.mean().item() == pytest.approx(limit.distortions[i].item(), abs=4 * error)
        assert error < 0.1 * losses.mean() + 1


def improvable(channels: Channels, rates: torch.Tensor, points: torch.Tensor) -> bool:
    """Does a tenth of a nat moved from any factor to any other help, on the same pictures, beyond three errors?"""
    here = distortion(channels, rates, points)
    for giver in (rates > 0.1).nonzero().flatten():
        for taker in set(range(len(rates))) - {int(giver)}:
            moved = rates.clone()
            moved[giver] -= 0.1
            moved[taker] += 0.1
            worse = distortion(channels, moved, points) - here
            if worse.mean() < -3 * worse.std() / len(worse) ** 0.5:
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_split_beside_the_recorded_one_is_better(path):
    limit = load_curve(path)
    channels = LIMITS[path.stem.rsplit("-", 1)[0]]()
    points = sobol(channels, 512, seed=79)
    rates = limit.rates[int((limit.capacities == 8.0).nonzero())]
    assert not improvable(channels, rates, points)
    assert improvable(channels, torch.full_like(rates, 8.0 / len(rates)), points)  # equal shares are not the best
