"""Pictures of 32 pixels go all the way: training, run file, explorers, figures and scores."""

import numpy as np
import pytest
import torch

from minivae import (
    ELBO,
    Blobs,
    CapacityELBO,
    Chairs,
    ColouredSprites,
    Experiment,
    Run,
    Sprites,
    metrics,
    train,
)
from minivae.course import figures
from minivae.course.explorers import CompareExplorer, TrainingExplorer, TraversalExplorer
from minivae.course.explorers.pixels import rows_picture

SMALL = [Sprites(32), ColouredSprites(32), Blobs(3.5, 4.0, size=32), Chairs(32)]


@pytest.mark.parametrize("dataset", SMALL, ids=lambda dataset: type(dataset).__name__)
def test_small_pictures_go_all_the_way(dataset, tmp_path):
    run = train(Experiment("small", dataset, ELBO(), batch=8), steps=4, snapshots=[2], device="cpu", progress=False)
    run = Run.load(run.save(tmp_path / "run.h5"))
    model = run.model()
    images, _ = dataset.sample(16, torch.Generator().manual_seed(0))
    assert model.encoder.size == 32 and model(images)[0].shape == images.shape == (16, dataset.channels, 32, 32)
    for explorer in (TraversalExplorer(run), TrainingExplorer(run), CompareExplorer({"one": run, "other": run})):
        assert explorer.spec["shape"]["size"] == 32 and explorer.still().ndim == 2 + (dataset.channels == 3)
    pixels = rows_picture(model, images[0], [0], torch.zeros(10))[:64, 96:160]  # twice as large
    assert np.array_equal(pixels[1::2, 1::2].squeeze(), (images[0] * 255).round().byte().movedim(0, -1).squeeze())
    rows = figures.traversals(model, dataset, images, columns=4)
    assert len(rows.axes) >= 12 * 4  # originals, reconstructions and ten latents
    if isinstance(dataset, Blobs):
        places = torch.tensor([[9.0, 20.0], [25.0, 12.0]])
        blobs = dataset.render(places)
        assert metrics.count_blobs(blobs).tolist() == [1, 1]
        assert torch.allclose(metrics.centre_of_light(blobs), places, atol=0.5)  # the canvas cuts a little off
        positions, means = metrics.position_tuning(model, dataset, n=5)
        assert positions.aminmax() == (4, 28) and torch.equal(means, model.encode(dataset.render(positions))[0])
    else:
        codes, factors, nll, floor, _ = metrics.encode_dataset(model, dataset, points=20)
        assert codes.shape == (20, 10) and len(factors) == 20 and nll > floor


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 128])
def test_a_generator_draws_pictures_of_other_sizes(size):
    experiment = Experiment("small", Sprites(size), CapacityELBO(), latents=5, batch=4, model="generator")
    run = train(experiment, steps=2, device="cpu", progress=False)
    assert run.model().decode(torch.zeros(3, 5)).shape == (3, 1, size, size)


def test_a_small_step_costs_a_quarter():
    from torch.utils.flop_counter import FlopCounterMode

    work = {}
    for size in (32, 64):
        model = Experiment("x", Sprites(size), ELBO()).build()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(4, 1, size, size))
        work[size] = counter.get_total_flops()
    assert work[32] / work[64] == pytest.approx(0.3, abs=0.1)
