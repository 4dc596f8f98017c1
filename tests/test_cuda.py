"""The GPU path on a pretended device (`pretended_cuda`): no waits, few kernels, and a graph that does what steps do."""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pretended_cuda import Card, pretended
from torch import Tensor, nn

from minivae import experiments, training
from minivae.datasets import Arrays, Blobs, Chairs, ColouredSprites, Sprites
from minivae.engine import fast, saving, sweep, trainer
from minivae.engine.dsprites import DSprites
from minivae.engine.fast_muon import FastMuon
from minivae.engine.pictures import Pictures, write_pictures
from minivae.engine.runs import Run
from minivae.experiment import Experiment
from minivae.lagrangian import LagrangianELBO
from minivae.muon import Muon
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, PolylineSchedule
from minivae.total_correlation import TotalCorrelationELBO
from minivae.vae import VAE

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import gpu

STEPS = 7


@pytest.fixture
def card(monkeypatch) -> Iterator[Card]:
    """The pretended device, active while the test runs."""
    with pretended(monkeypatch) as active:
        yield active


OPENED = LagrangianELBO(PolylineSchedule(((0, 0.5), (6, 8.0))), beta=20.0, openings=((0, 2), (6, 5)))
OBJECTIVES = {
    "elbo": ELBO(), "beta": BetaELBO(4.0), "capacity": CapacityELBO(), "lagrangian": LagrangianELBO(beta=50.0),
    "opened": OPENED, "tcvae": TotalCorrelationELBO(4.0),
}  # fmt: skip
CHANGES = {"cooldown": 0.5, "reset_dormant": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, object]:
    """A small data set of every kind."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("data")
    with open(folder / "pixels", "w+b") as pixels:
        pixels.write(rng.integers(0, 256, (20, 3, 64, 64), np.uint8).tobytes())
        write_pictures(folder / "own.h5", pixels, 3, np.arange(20, dtype=np.float32)[:, None], ["n"], ["x"] * 20, {})
    bits = torch.from_numpy(rng.integers(0, 256, (400, 512), np.uint8))
    dsprites = DSprites("none", content="known")
    dsprites.__dict__["bits"] = bits[torch.arange(len(dsprites)) % 400]
    return {
        "blobs": Blobs(), "sprites": Sprites(), "coloured": ColouredSprites(), "chairs": Chairs(number=30),
        "greys": Arrays(rng.integers(0, 256, (20, 64, 64), np.uint8)),
        "floats": Arrays(rng.random((20, 3, 64, 64), np.float32), np.arange(20)[:, None]),
        "pictures": Pictures.open(folder / "own.h5"), "dsprites": dsprites,
    }  # fmt: skip


def run(experiment: Experiment, **settings) -> Run:
    return trainer.train(
        experiment, device="cuda:0", precision="fp32", progress=False, **{"steps": STEPS, "seed": 1} | settings
    )


def counted(card: Card, monkeypatch, experiment: Experiment) -> tuple[Run, int]:
    """Train; returns the run and the kernels of the step that was recorded. Asserts that no step waits or is of
    float64, and that all but the first ones were replays of one graph."""
    graphs, kernels = [], []
    real, make = training.batches, torch.cuda.CUDAGraph

    def batches(*arguments, **settings):
        take = real(*arguments, **settings)

        def alone(step: int | Tensor) -> Tensor:
            card.forget()
            row = take(step)
            if len(kernels):  # the first step makes tables
                assert not card.waits and not card.doubles
            kernels.append(Counter(card.kernels))
            return row

        return alone

    monkeypatch.setattr(training, "batches", batches)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graphs.append(make()) or graphs[-1])
    trained = run(experiment)
    assert [graph.replays for graph in graphs] == [STEPS - 3] and len(kernels) == 4
    return trained, sum(kernels[-1].values())


MODELS = [("sprites", "generator"), ("sprites", "generator-centred"), ("dsprites", "generator")]
KINDS = [
    *((kind, "vae", "capacity", "adam", {}) for kind in (
        "blobs", "sprites", "coloured", "chairs", "greys", "floats", "pictures", "dsprites")),
    *((kind, "vae", "opened", "muon", CHANGES) for kind in ("coloured", "chairs", "greys", "dsprites")),
    *(("coloured", "vae", objective, optimizer, {}) for objective in OBJECTIVES if objective != "capacity"
      for optimizer in ("adam", "muon")),
    *((kind, model, objective, optimizer, {}) for kind, model in MODELS for objective in ("capacity", "lagrangian")
      for optimizer in ("adam", "muon")),
    ("coloured", "vae", "opened", "adam", CHANGES),
]  # fmt: skip
# kernels of a step at most, data and all; the densities of all pictures under all posteriors come on top
MOST, DENSITIES = {"adam": 190, "muon": 255}, 50


@pytest.mark.parametrize(
    ("kind", "model", "objective", "optimizer", "changes"),
    [*KINDS[:9], *(pytest.param(*kind, marks=pytest.mark.slow) for kind in KINDS[9:])],
)
def test_no_step_waits_and_a_graph_trains_bit_for_bit_as_single_steps(
    card, monkeypatch, data, kind, model, objective, optimizer, changes
):  # fmt: skip
    experiment = Experiment(
        "x", data[kind], OBJECTIVES[objective], STEPS, 10 if model == "vae" else 5, batch=4, model=model,
        optimizer=optimizer, learning_rate=1e-3, **changes,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        graphed, kernels = counted(card, patch, experiment)
    print(f"{kernels} kernels a step")
    assert kernels <= MOST[optimizer] + DENSITIES * (objective == "tcvae")
    monkeypatch.setattr(trainer, "_GRAPHABLE", ())
    assert_equal(graphed, run(experiment))


def assert_equal(one: Run, other: Run) -> None:
    assert all(np.array_equal(one.history[name], other.history[name]) for name in one.history)
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert torch.equal(one.checkpoint.generator, other.checkpoint.generator)


TABLE = {  # kernels a step; before: 181, 218, 970, 968 with four waits, 1,760 with four waits, 136 with three waits
    "coloured-capacity": 160, "coloured-lagrangian": 181, "coloured-opened": 250, "chairs": 145, "chairs-opened": 235,
    "generator": 115,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_kernels_of_the_courses_own_trainings(card, monkeypatch, name):
    experiment = dataclasses.replace(experiments.get(name), batch=4)
    if isinstance(experiment.dataset, Chairs):
        experiment = dataclasses.replace(experiment, dataset=Chairs(number=30))
    _, kernels = counted(card, monkeypatch, experiment)
    print(f"{name}: {kernels} kernels a step")
    assert 0.9 * TABLE[name] < kernels <= TABLE[name]


def test_the_device_training_goes_on_as_an_unbroken_one(card, tmp_path):
    experiment = Experiment("x", ColouredSprites(), OPENED, STEPS, batch=4, optimizer="muon", **CHANGES)
    whole = run(experiment)
    for half in (2, 5):  # before the graph is recorded, and after
        part = run(experiment, steps=half, out=tmp_path / f"{half}.h5")
        assert_equal(run(experiment, resume=part), whole)
        assert Run.load(tmp_path / f"{half}.h5").step == half


def test_a_look_waits_twice_and_a_save_fetches_the_last_good_state(card, monkeypatch, tmp_path):
    monkeypatch.setattr(saving, "LOOK_EVERY", 2)
    real, looks = saving.Keeper.__call__, []

    def keeper(self, step, row):
        card.forget()
        real(self, step, row)
        looks.append(sum(card.waits.values()))

    monkeypatch.setattr(saving.Keeper, "__call__", keeper)
    run(Experiment("x", Blobs(), ELBO(), STEPS, batch=4))
    assert looks == [0, 2] * 3 + [2]  # the last step is a look too


def test_several_seeds_at_once_are_each_as_alone(card, tmp_path):
    experiment = Experiment("x", ColouredSprites(), ELBO(), STEPS, batch=4)
    outs = [tmp_path / f"{seed}.h5" for seed in (3, 4)]
    runs = trainer.train_seeds(
        experiment, [3, 4], outs, device="cuda:0", precision="fp32", progress=False, steps=STEPS
    )  # fmt: skip
    for seed, out, together in zip((3, 4), outs, runs, strict=True):
        assert_equal(together, run(experiment, seed=seed))
        assert_equal(Run.load(out), together)


def test_a_sweep_s_seeds_of_a_setting_are_trained_at_once_on_a_card(card, monkeypatch, tmp_path):
    graphs, make = [], torch.cuda.CUDAGraph
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graphs.append(make()) or graphs[-1])
    jobs = [
        dataclasses.replace(job, experiment=dataclasses.replace(job.experiment, batch=4))
        for job in sweep.plan("blobs-vae", [3, 4, 5], {}, tmp_path, STEPS)
    ]
    sweep.train_job(jobs[0], "cuda:0", None, others=jobs[1:])
    assert len(graphs) == 3
    for job in jobs:
        alone = trainer.train(job.experiment, steps=STEPS, seed=job.seed, device="cuda:0", progress=False)
        assert_equal(Run.load(job.out), alone)


@pytest.mark.parametrize("kind", ["chairs", "greys", "floats", "pictures"])
def test_held_pictures_are_those_that_the_data_set_draws(card, data, kind):
    place = torch.device("cuda:0")
    there, known = fast.held(data[kind], place).sample(40, torch.Generator(place).manual_seed(1))
    images, factors = data[kind].sample(40, torch.Generator().manual_seed(1))
    assert torch.equal(there.cpu(), images) and torch.equal(known.cpu(), factors) and there.device == place


def test_every_objective_of_the_course_is_tried():
    assert {type(objective) for objective in OBJECTIVES.values()} == set(trainer.OBJECTIVES)


def test_what_does_not_fit_stays_where_it_is(card, monkeypatch, data):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (2**10, 2**10))
    for kind in ("chairs", "greys", "pictures", "blobs"):
        assert fast.held(data[kind], torch.device("cuda:0")) is data[kind]
    assert fast.held(Chairs(), torch.device("cuda:0")) == Chairs()  # of which there is no end


def test_the_pretended_device_sees_what_it_should(card):
    there = torch.zeros(3, 3, device="cuda:0")
    assert (there + 1).sum().item() == 9 and card.waits == {"_local_scalar_dense": 1}
    assert there.double().dtype == torch.float64 and card.doubles == {"_to_copy": 1}
    with pytest.raises(RuntimeError, match="same device: add"):
        there + torch.zeros(3)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        there += 1
        total = there.sum()
    assert there.sum().item() == 0  # recorded, not done
    graph.replay()
    graph.replay()
    assert there.sum().item() == 18 and total.item() == 18
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"), torch.cuda.graph(graph):
        there.sum().item()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 0.2)])
def test_fast_muon_is_muon_to_rounding(layout, dtype, close):
    generator, moved = torch.Generator().manual_seed(0), []
    models = [VAE(3, 10, 32, torch.Generator().manual_seed(0)).to(memory_format=layout) for _ in range(2)]
    optimizers = [
        kind(model.parameters(), 1e-3, dtype=dtype) for kind, model in zip((Muon, FastMuon), models, strict=True)
    ]
    for _ in range(3):
        for one, other in zip(*(model.parameters() for model in models), strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    start = VAE(3, 10, 32, torch.Generator().manual_seed(0)).parameters()
    for before, one, other in zip(start, *(model.parameters() for model in models), strict=True):
        moved.append(((other - one).norm() / (one - before).norm()).item())
    assert max(moved) < close
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    assert all(torch.equal(states[0][i]["momentum"], states[1][i]["momentum"]) for i in states[0])


def test_fast_muon_leaves_alone_what_has_no_gradient_and_a_gradient_of_zero():
    still, zero = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(4, 3))
    zero.grad = torch.zeros(4, 3)
    FastMuon([still, zero], 0.1).step()
    assert still.eq(1).all() and zero.eq(1).all()


@pytest.mark.parametrize(("there", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_auto_takes_bf16_on_a_card_that_multiplies_it(there, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: there and not including_emulation)
    assert fast.pick_precision("auto", torch.device("cuda")) == chosen


@pytest.mark.slow
@pytest.mark.parametrize("section", ["numbers", "graphs", "seeds"])
def test_the_gpu_script_passes_on_the_pretended_device(card, monkeypatch, tmp_path, section):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    b = gpu.Bench("cuda:0", True, tmp_path / "lines", 600.0, section)
    getattr(gpu, section)(b)
    assert b.lines and {line["kind"] for line in b.lines} <= {"PASS", ".."}
