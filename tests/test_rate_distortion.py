"""The search for the best split: against brute force, and where descent alone would be stuck."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from minivae import experiments
from minivae.collapse import collapse_threshold
from minivae.datasets import Blobs
from minivae.engine.curves import load_curve, save_curve, trained_curve
from minivae.engine.runs import Run
from minivae.ideal_decoder import BlobChannels, SpriteChannels, distortion, sobol
from minivae.objectives import CapacityELBO
from minivae.rate_distortion import RateDistortion, _descend, _trials, rate_distortion


@pytest.fixture(scope="module")
def blobs() -> RateDistortion:
    return rate_distortion(BlobChannels(Blobs()), [0.5, 1.0, 1.5, 2.0, 3.0], samples=256)


def test_distortions_and_their_errors_are_of_eight_fresh_draws(blobs):
    for split, found, error in zip(blobs.rates, blobs.distortions, blobs.errors, strict=True):
        draws = (sobol(BlobChannels(Blobs()), 256, i) for i in range(1, 9))
        means = [distortion(BlobChannels(Blobs()), split, points).mean().item() for points in draws]
        assert found.item() == pytest.approx(np.mean(means), rel=1e-5)
        assert error.item() == pytest.approx(np.std(means, ddof=1) / 8**0.5, rel=1e-3)


def test_blobs_share_every_capacity_equally(blobs):
    assert torch.allclose(blobs.rates[:, 0], blobs.rates[:, 1], atol=0.02)
    assert torch.allclose(blobs.rates.sum(1), blobs.capacities)


@pytest.mark.slow
def test_price_is_the_slope_of_the_curve():
    limit = rate_distortion(BlobChannels(Blobs()), [0.98, 1.0, 1.02], samples=1024)
    slope = (limit.distortions[0] - limit.distortions[2]) / 0.04
    assert limit.prices[1].item() == pytest.approx(slope.item(), rel=0.03)


@pytest.mark.slow
def test_first_price_is_below_the_collapse_threshold_and_the_distortion_that_of_the_mean():
    """With nothing sent, the best drawing is the mean picture: the entropy of its pixels."""
    limit = rate_distortion(BlobChannels(Blobs()), [0.0, 0.1], samples=1024)
    p = Blobs().render(Blobs().grid(96))[:, 0].double().mean(0)
    entropy = -(torch.xlogy(p, p) + torch.special.xlog1py(1 - p, -p)).sum()
    assert limit.distortions[0].item() == pytest.approx(entropy.item(), rel=0.01)
    assert math.isnan(limit.prices[0]) and limit.rates[0].tolist() == [0, 0]
    threshold = collapse_threshold(Blobs().render(Blobs().grid(40)))
    assert 0.8 * threshold < limit.prices[1] < threshold


@pytest.mark.slow
def test_split_is_the_best_of_a_grid():
    channels = SpriteChannels("raw")
    points = sobol(channels, 256)
    limit = rate_distortion(channels, [7.0], samples=256)
    with torch.no_grad():
        found = distortion(channels, limit.rates[0].float(), points).mean()
        for scale in torch.arange(0, 3.01, 0.25):
            for shape in (0.0, 1.0):
                for orientation in (0.0, 1.0):
                    rest = (7 - scale - shape - orientation) / 2
                    if rest > 0:
                        rates = torch.tensor([shape, scale, orientation, rest, rest])
                        assert found <= distortion(channels, rates, points).mean() + 0.05
    assert limit.rates[0, 1] > 1.2  # scale has come in by a jump


@pytest.mark.slow
def test_search_crosses_the_barrier_that_stops_descent():
    """A little of scale does harm before much of it does good, so nothing that walks downhill gets there from zero."""
    channels = SpriteChannels("raw")
    points = sobol(channels, 512)

    def best(scale: float) -> float:
        rates = torch.tensor([0.0, scale, 0.0, (6.8 - scale) / 2, (6.8 - scale) / 2])
        with torch.no_grad():
            return distortion(channels, rates, points).mean().item()

    assert best(0.4) > best(0.0) + 0.3 and best(1.6) < best(0.0) - 1
    limit = rate_distortion(channels, [5.0, 6.8], samples=512)
    assert limit.rates[0, :3].tolist() == [0, 0, 0] and limit.rates[1, 1] > 1


@pytest.mark.parametrize("capacity", [0.5, 2.0, 6.0])
def test_every_trial_of_the_search_sends_the_whole_capacity(capacity):
    before = torch.tensor([0.0, 0.1, 0.4, 1.2], dtype=torch.float64)
    trials = [rates for group in _trials(capacity, before, most=5.0) for rates in group]
    assert torch.stack(trials).sum(1).tolist() == pytest.approx([capacity] * len(trials))
    assert len({tuple((rates > 0).tolist()) for rates in trials}) >= 11  # of 15 sets; one factor alone cannot carry 6


@pytest.mark.slow
def test_no_split_scaled_down_from_above_does_better():
    """Where shape and orientation set in, all four shares leap at once; a trace of them must not bar the way."""
    channels = SpriteChannels()
    points = sobol(channels, 256)
    limit = rate_distortion(channels, [8.0, 9.0, 10.0], samples=256)
    assert limit.rates[0, 2] < 0.1 and limit.rates[2, 2] > 1
    for i, capacity in enumerate(limit.capacities.tolist()):
        with torch.no_grad():
            found = distortion(channels, limit.rates[i], points).mean().item()
        for above in limit.rates[i + 1 :]:
            assert found < _descend(channels, above, capacity, points).distortion + 0.05


def limit_of(rates: list[list[float]]) -> RateDistortion:
    n = len(rates)
    column = torch.arange(1.0, n + 1, dtype=torch.float64)
    return RateDistortion(("a", "b"), column, torch.tensor(rates, dtype=torch.float64), column, column, column)


def test_onset_is_where_a_factor_stays_above_the_least():
    limit = limit_of([[1.0, 0.0], [1.9, 0.2], [3.0, 0.0], [3.8, 0.2]])
    assert limit.onset("a") == 1.0
    assert limit.onset("b") == pytest.approx(3.5)
    assert limit.onset("b", least=0.3) == math.inf
    with pytest.raises(ValueError, match="no factor 'c': there are a, b"):
        limit.onset("c")


def test_round_trip(blobs, tmp_path):
    made = dataclasses.replace(blobs, provenance={"command": "x"})
    again = load_curve(save_curve(made, tmp_path / "limit.json"))
    for name, value in vars(made).items():
        other = getattr(again, name)
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other
    with pytest.raises(FileExistsError, match="exists"):
        save_curve(blobs, tmp_path / "limit.json")


def test_a_price_that_is_none_is_kept_as_such(tmp_path):
    limit = rate_distortion(BlobChannels(Blobs()), torch.tensor([0.0, 0.03]), samples=64)
    again = load_curve(save_curve(limit, tmp_path / "limit.json"))
    assert "NaN" not in (tmp_path / "limit.json").read_text(encoding="utf-8")
    assert again.prices.isnan().tolist() == [True, False] and again.rates.sum(1).tolist() == pytest.approx([0, 0.03])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda columns: columns.pop("format"),
        lambda columns: columns.update(format="other"),
        lambda columns: columns.pop("rates"),
        lambda columns: columns.update(rates=[[1.0, 2.0]]),
        lambda columns: columns.update(errors=["a"] * 5),
        lambda columns: columns.update(more=1),
        lambda columns: columns.update(made=[1]),
        lambda columns: columns.update(factors=[1, 2]),
        lambda columns: columns.update(capacities=[10**400] * 5),
        lambda columns: columns.update(distortions=[None] * 5),
    ],
)
def test_spoiled_files_are_told(blobs, tmp_path, spoil):
    path = save_curve(blobs, tmp_path / "limit.json")
    columns = json.loads(path.read_text(encoding="utf-8"))
    spoil(columns)
    path.write_text(json.dumps(columns), encoding="utf-8")
    with pytest.raises(ValueError, match="is no rate-distortion curve of minivae, or damaged"):
        load_curve(path)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "\x00"])
def test_foreign_files_are_told(tmp_path, content):
    path = tmp_path / "limit.json"
    with pytest.raises(FileNotFoundError, match="make it with"):
        load_curve(path)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="or damaged"):
        load_curve(path)


@pytest.mark.parametrize(
    ("capacities", "message"),
    [
        ([-1.0], "a capacity must be a finite number ≥ 0, got -1.0"),
        ([1.0, float("nan")], "must be a finite number"),
        ([], r"at least one, got \[\]"),
        (["5"], "must be a finite number"),
        ([2.0, 1.0], r"capacities must rise and be at least one, got \[2.0, 1.0\]"),
        ([1.0, 1.0], "capacities must rise"),
        ([1.0, 12.5], "carry at most 12 nats, got a capacity of 12.5"),
    ],
)
def test_bad_capacities_are_refused(capacities, message):
    with pytest.raises(ValueError, match=message):
        rate_distortion(BlobChannels(Blobs()), capacities)


def test_interpolation_between_capacities(blobs):
    rates, distortion = blobs.at(1.25)
    assert torch.allclose(rates, (blobs.rates[1] + blobs.rates[2]) / 2)
    assert distortion == pytest.approx(((blobs.distortions[1] + blobs.distortions[2]) / 2).item())
    rates, distortions = blobs.at(torch.tensor([0.5, 3.0]))
    assert torch.equal(rates, blobs.rates[[0, 4]]) and torch.equal(distortions, blobs.distortions[[0, 4]])
    for bad in (0.4, 3.1, -1.0):
        with pytest.raises(ValueError, match=r"the curve holds for rates from 0\.5 to 3 nats"):
            blobs.at(bad)


def test_interpolation_needs_two_capacities_that_rise(blobs):
    for n in (1, 0):
        columns = {k: v[:n] for k, v in vars(blobs).items() if isinstance(v, torch.Tensor)}
        with pytest.raises(ValueError, match="at least two capacities that rise"):
            dataclasses.replace(blobs, **columns).at(0.5)
    with pytest.raises(ValueError, match="at least two capacities that rise"):
        dataclasses.replace(blobs, capacities=blobs.capacities.flip(0)).at(1.0)


def history(n: int, latents: int, first: int = 1, every: int = 1) -> dict[str, np.ndarray]:
    step = np.arange(first, first + n * every, every)
    kl = np.outer(step, np.arange(1, latents + 1)) / 1000
    return {"step": step, "loss": 300.0 - step + 2 * kl.sum(1), "reconstruction": 300.0 - step, "kl": kl}


def test_trained_curve_averages_a_runs_history_over_windows():
    run = Run(experiments.get("generator"), 0, 40, {}, history(40, 5))
    curve = trained_curve(run, window=10)
    assert curve.factors == ("shape", "scale", "orientation", "x", "y")
    middle = torch.tensor([5.5, 15.5, 25.5, 35.5], dtype=torch.float64)  # steps
    assert torch.allclose(curve.capacities, 0.5 + 24.5 * middle / 100_000)
    assert torch.allclose(curve.rates[:, 2], 3 * middle / 1000)
    assert torch.allclose(curve.distortions, 300 - middle)
    assert torch.allclose(curve.prices, torch.full((4,), 2.0, dtype=torch.float64))
    spread = np.std(np.arange(10), ddof=1)  # the reconstruction falls by a nat a step
    assert torch.allclose(curve.errors, torch.full((4,), spread / 10**0.5, dtype=torch.float64))
    slim = Run(experiments.get("generator"), 0, 40, {}, history(4, 5, first=10, every=10))
    assert len(trained_curve(slim, window=20).capacities) == 2


def test_latents_of_a_vae_have_numbers():
    experiment = dataclasses.replace(experiments.get("blobs-vae"), objective=CapacityELBO(), latents=3)
    assert trained_curve(Run(experiment, 0, 9, {}, history(9, 3)), window=9).factors == ("z0", "z1", "z2")


def test_bad_curves_are_refused():
    with pytest.raises(ValueError, match=r"run blobs-vae has no schedule of C: its objective is ELBO\(\)"):
        trained_curve(Run(experiments.get("blobs-vae"), 0, 40, {}, history(40, 10)))
    slim = Run(experiments.get("generator"), 0, 40, {}, history(4, 5, first=10, every=10))
    for window in (5, 41):
        with pytest.raises(ValueError, match=r"window must lie in \[10, 40\] steps"):
            trained_curve(slim, window=window)


def test_no_two_seeds_nor_search_and_measure_share_a_picture(monkeypatch):
    drawn = []

    def spy(channels, n, seed):
        drawn.append(sobol(channels, n, seed))
        return drawn[-1]

    monkeypatch.setattr("minivae.rate_distortion.sobol", spy)
    for seed in range(3):
        rate_distortion(BlobChannels(Blobs()), [0.0], samples=16, seed=seed)
    points = torch.cat(drawn)  # for the search, and eight times as many to measure with
    assert len(points) == 3 * 9 * 16 == len(points.unique(dim=0))


@pytest.mark.parametrize("column", ["capacities", "rates", "distortions", "errors"])
def test_every_column_must_be_finite_and_of_the_same_length(blobs, tmp_path, column):
    path = save_curve(blobs, tmp_path / "limit.json")
    for spoil in (
        lambda values: [*values[:-1], [math.inf] * 2 if column == "rates" else math.inf],
        lambda values: [[math.nan, 1.0] if column == "rates" else math.nan, *values[1:]],
        lambda values: values[:-1],
    ):
        columns = json.loads(path.read_text(encoding="utf-8"))
        spoiled = columns | {column: spoil(columns[column])}
        (tmp_path / "spoiled.json").write_text(json.dumps(spoiled), encoding="utf-8")
        with pytest.raises(ValueError, match="is no rate-distortion curve of minivae, or damaged"):
            load_curve(tmp_path / "spoiled.json")
