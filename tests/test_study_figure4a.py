"""The study of Figure 4a: what its variants are, and how its results are read."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import study_figure4a as study
import torch
from pretended_cuda import pretended
from study_figure4a import Variant

from minivae.datasets import Sprites
from minivae.objectives import bernoulli_floor


def test_every_training_has_a_name_of_its_own_and_differs_from_the_others():
    found = study.plan()
    assert len({(variant.name, seed) for variant, seed in found}) == len(found)
    settings = [dataclasses.replace(variant, name="") for variant, seed in found if seed == 0]
    assert len(set(settings)) == len(settings)


@pytest.mark.parametrize("colours", ["pale", "vivid", "hue", "eight", "white"])
def test_floor_is_that_of_the_pictures(colours):
    batch = study.draw(Sprites(32), colours, 16, torch.Generator().manual_seed(0))
    assert torch.allclose(batch.floor, bernoulli_floor(batch.images), rtol=1e-4, atol=1e-3)
    inside = batch.images.amax(1) > 0
    assert (batch.images.movedim(1, -1)[inside] <= 1).all() and inside.any()
    if colours == "hue":  # full saturation: one primary is there in full, one is missing
        assert torch.allclose(batch.colours.amax(1), torch.ones(16)) and (batch.colours.amin(1) == 0).all()


def test_small_model_draws_small_pictures_and_weights_have_their_spread():
    variant = Variant("test", weights="truncated")
    model = study.StudyVAE(variant, torch.Generator().manual_seed(0))
    mean, log_std = model.encode(torch.rand(5, 3, 32, 32))
    assert mean.shape == log_std.shape == (5, 10) and model.decode(mean).shape == (5, 3, 32, 32)
    weight = model.decoder.net[2].weight  # 256 inputs; cut off at two deviations, a normal keeps 0.88 of its spread
    assert weight.abs().max() <= 2 / 16 and weight.std().item() == pytest.approx(0.88 / 16, rel=0.02)


def test_taught_code_has_variance_one_and_25_nats():
    batch = study.draw(Sprites(32), "vivid", 20_000, torch.Generator().manual_seed(0))
    mean, log_std = study.taught_code(batch)
    assert torch.allclose((mean.var(0) + (2 * log_std).exp())[:9], torch.ones(9), atol=0.03)
    kl = 0.5 * (mean.square().mean(0) + (2 * log_std).exp() - 1) - log_std
    assert kl.sum().item() == pytest.approx(25, abs=0.1)
    correlations = torch.corrcoef(mean[:, :9].T) - torch.eye(9)
    assert correlations.abs().max() < 0.04  # each says something else


def own(*inactive: int, **r2: list[float]) -> list[str]:
    """Factors in latents of their own; latents have half a nat each but for the inactive ones."""
    latents = len(next(iter(r2.values())))
    return study.own_latents(r2, [0.01 if i in inactive else 0.5 for i in range(latents)])


def test_a_latent_of_its_own():
    assert own(x=[0.9, 0.1, 0.0], scale=[0.1, 0.7, 0.0]) == ["x", "scale"]
    assert own(x=[0.9, 0.3, 0.0], scale=[0.0, 0.0, 0.7]) == ["scale"]  # x is in two
    assert own(x=[0.9, 0.0], scale=[0.9, 0.0]) == []  # two in one
    circle = {"orientation": [0.4, 0.4, 0.0, 0.0], "x": [0.0, 0.0, 0.9, 0.0]}
    assert own(**circle) == ["orientation", "x"]
    assert own(**circle | {"x": [0.3, 0.0, 0.9, 0.0]}) == []  # in one of the circle's, too


def test_an_inactive_latent_neither_holds_a_factor_nor_shares_one():
    assert own(0, x=[0.9, 0.0], scale=[0.0, 0.9]) == ["scale"]
    assert own(1, x=[0.9, 0.9], scale=[0.0, 0.0]) == ["x"]
    assert own(1, orientation=[0.4, 0.4], x=[0.0, 0.0]) == []  # half a circle
    assert own(0, 1, x=[0.9, 0.0], scale=[0.0, 0.9]) == []


def test_what_a_recorded_result_counts_follows_from_its_tables():
    found = sorted((Path(__file__).parents[1] / study.RESULTS).glob("*.json"))
    assert found
    for path in found:
        result = json.loads(path.read_text(encoding="utf-8"))
        for end in (result["end"], *result.get("looks", {}).values()):
            assert end["active"] == sum(kl > study.ACTIVE for kl in end["kl"]), path.name
            assert end["own"] == study.own_latents(end["r2"], end["kl"]), path.name


@pytest.mark.slow
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(study.metrics, "dci", lambda codes, classes: (0.0, 0.0))  # trees take a minute
    variant = Variant("test", ramp=500, rest=0, batch=8, objective="multiplier", reset=200)
    whole = study.train(variant, 0, progress=False)
    replace = os.replace

    class Killed(Exception):
        pass

    def once_saved(*paths):
        replace(*paths)
        raise Killed

    monkeypatch.setattr(os, "replace", once_saved)
    with pytest.raises(Killed):
        study.train(variant, 0, keep=tmp_path / "state.pt", progress=False, save_every=0)
    monkeypatch.setattr(os, "replace", replace)
    again = study.train(variant, 0, keep=tmp_path / "state.pt", progress=False)
    assert again["end"] == whole["end"] and again["history"] == whole["history"]


def test_an_annealed_beta_falls_by_equal_factors_to_the_lowest_and_stays(monkeypatch):
    monkeypatch.setattr(study, "EVERY", 1)
    variant = Variant(
        "test", ramp=15, rest=0, batch=2, objective="annealed", least=0.25, corners=((0, 0.0), (10, 40.0))
    )
    steps = study.training(variant, 0, progress=False)
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
    beta = end.value.value[3][:, 2]
    assert beta[9:].tolist() == pytest.approx([0.25] * 6) and beta[4].item() == pytest.approx((25 * 0.25) ** 0.5)


@pytest.mark.slow
def test_the_queue_of_a_card_trains_several_at_once_each_as_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(study.metrics, "dci", lambda codes, classes: (0.0, 0.0))
    weight = lambda model, variant, trees: {"weight": model.decoder.net[0].weight.sum().item()}  # noqa: E731
    monkeypatch.setattr(study, "measure", weight)
    jobs = [(Variant(f"v{i}", size=size, ramp=250, rest=0, batch=2), 0) for i, size in enumerate((32, 32, 64))]
    monkeypatch.setattr(study, "plan", lambda: jobs)
    order = []

    class Pool(ThreadPoolExecutor):  # a process would not know of what was set here
        def __init__(self, *_, **__):
            super().__init__(1)

    real = study.training
    monkeypatch.setattr(study, "training", lambda *job, **named: order.append(job[0].name) or real(*job, **named))
    monkeypatch.setattr(study, "ProcessPoolExecutor", Pool)
    study.work_on_card("", "cpu", tmp_path, 600, together=2)
    assert order == ["v0", "v1", "v2"]
    for variant, seed in jobs[:2]:
        found = json.loads((tmp_path / study.path_of(variant, seed).name).read_text())
        alone = study.train(variant, seed, progress=False)
        assert found["end"] == alone["end"] and found["history"] == alone["history"]
    study.work_on_card("", "cpu", tmp_path, 600)
    assert len(order) == 5  # those of the loop above; nothing is trained again


CARD = {
    "batch": Variant("batch", reset=10), "picture": Variant("picture", colours="hue", reading="picture", size=64),
    "white": Variant("white", colours="white", objective="elbo", tc=5.0),
    "opened": Variant("opened", colours="eight", objective="multiplier", muon=True, cooldown=0.5, reset=10,
                      openings=((0, 2), (10, 5)), corners=((0, 0.0), (10, 5.0))),
    "taught": Variant("taught", objective="multiplier", taught=10, start=25.0, ramp=1),
    "annealed": Variant("annealed", objective="annealed", corners=((0, 0.0), (15, 40.0)), least=0.25),
}  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", CARD)
def test_on_a_card_a_graph_does_what_its_steps_do_and_nothing_waits(kind, precision, monkeypatch):
    variant = dataclasses.replace(CARD[kind], batch=4, ramp=20, rest=0)
    monkeypatch.setattr(study, "EVERY", 20)
    found = []
    for graphs in (True, False):
        with pretended(monkeypatch) as card:
            monkeypatch.setattr(study, "pick_precision", lambda *_: precision)
            monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "pretended")
            if not graphs:
                monkeypatch.setattr(study, "graphed", _single)
            steps = study.training(variant, 0, device="cuda:0", progress=False)
            for at in range((variant.taught + variant.ramp) // study.ON_CARD):
                next(steps)
                # latents that open are solved for, dormant units counted, weights on the way fetched: that waits
                waits = at * study.ON_CARD in (0, variant.reset, variant.taught)
                assert waits or not card.waits, card.waits
                card.forget()
            with pytest.raises(StopIteration) as end:
                next(steps)
            found.append(end.value.value)
    assert torch.equal(found[0][3], found[1][3]) and found[0][3].isfinite().all()
    for name, values in found[0][2].items():
        assert torch.equal(values, found[1][2][name]), name


def _single(take, optimizer, generator, put=(), warm_up=3):
    """What `graphed` does without a graph."""
    at = torch.zeros((), device=generator.device)

    def step(number):
        for bring in (at.fill_, *put):
            bring(number)
        return take(at)

    return step


def test_trees_of_a_cards_results_are_added_later(tmp_path, monkeypatch):
    seen = lambda codes, classes: (codes.double().sum().item(), classes.double().std().item())  # noqa: E731
    monkeypatch.setattr(study.metrics, "dci", seen)  # trees take 20 seconds
    variant = Variant("test", size=32)
    model = study.StudyVAE(variant, torch.Generator().manual_seed(0))
    whole = study.measure(model, variant, points=500)
    end = study.measure(model, variant, points=500, trees=tmp_path / "test.pt")
    assert end["dci"] == [] and whole["dci"]
    study.write({"end": end}, tmp_path / "test.json")
    study.add_trees(tmp_path / "test.pt")
    assert json.loads((tmp_path / "test.json").read_text())["end"] == json.loads(json.dumps(whole))
    assert not list(tmp_path.glob("*.pt"))


def test_a_model_in_halves_is_the_model_and_learns_as_with_autocast():
    found = []
    for halved in (False, True):
        variant = Variant("test", batch=4)
        model = study.StudyVAE(variant, torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        halves = study.Halves(model) if halved else model
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(p.is_contiguous(memory_format=torch.channels_last) for p in model.parameters() if p.dim() == 4)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        generator = torch.Generator().manual_seed(1)
        for step in range(3):
            batch = study.draw(Sprites(32), "vivid", 4, generator)
            row = study._step(
                variant, halves, optimizer, None, torch.zeros(()), torch.ones_like, batch, generator, "bf16",
                torch.tensor(step), False,
            )  # fmt: skip
        found.append((row, torch.cat([p.detach().flatten() for p in model.parameters()])))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
