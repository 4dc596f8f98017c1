"""Explorers of trained models without a browser: what they send to the page, the state, and the still picture."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image, ImageDraw

from minivae import experiments, gaussian
from minivae.course.explorers import (
    STILL,
    CapacityExplorer,
    CompareExplorer,
    TrainingExplorer,
    TraversalExplorer,
    choice,
    slider,
)
from minivae.course.explorers.models import weights
from minivae.course.explorers.pixels import GAP, draw, png, rows_picture, strip, titled
from minivae.course.figures import GREY
from minivae.datasets import Sprites
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.ideal_decoder import SpriteChannels, amplitudes
from minivae.metrics.evaluate import mean_kl, traversal
from minivae.rate_distortion import RateDistortion


@pytest.fixture(scope="module")
def run() -> Run:
    return train(experiments.get("blobs-vae"), steps=2, seed=0, device="cpu", precision="fp32", progress=False)


@pytest.fixture(scope="module")
def coloured() -> Run:
    return train(
        experiments.get("coloured-vae"), steps=2, seed=0, device="cpu", precision="fp32", progress=False, snapshots=[1]
    )


def lively(run: Run, seed: int = 0) -> Run:
    """The run with latents of 0 to several nats, whose order is the seed's; two are just above and below `ACTIVE`."""
    generator = torch.Generator().manual_seed(seed)
    model = run.experiment.build(generator)
    head = model.encoder.net[-1]
    with torch.no_grad():
        head.weight[:10] *= torch.randperm(10, generator=generator)[:, None] * 8.0
        head.weight[10:] *= 0
        head.weight[[3, 13, 8, 18]] = 0
        head.bias[[3, 8]] = torch.tensor([0.16, 0.12])  # ½·mean²: 0.013 and 0.007 nats
    return dataclasses.replace(run, weights=model.state_dict())


def opened(address: str) -> np.ndarray:
    """The pixels of a picture by its address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))))


def test_weights_are_those_of_every_layer_in_order(run):
    model = run.model()
    for part in (model.encoder, model.decoder):
        wanted = np.concatenate([p.detach().numpy().ravel() for p in part.parameters()])
        assert np.allclose(np.frombuffer(weights(part), "<f2"), wanted, rtol=1e-3, atol=1e-7)


def test_a_traversal_explorer_sends_its_model_and_its_seed_images(run):
    active = lively(run)
    explorer, model = TraversalExplorer(active, seeds=3), active.model()
    images, _ = active.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    assert explorer.buffers == {"decoder": weights(model.decoder), "encoder": weights(model.encoder)}
    assert explorer.sources()["encoder"].items() >= {"run": "blobs-vae-seed0", "step": None, "part": "encoder"}.items()
    assert explorer.spec["shape"] == {"channels": 1, "size": 64, "latents": 10}
    assert np.abs(opened(explorer.spec["seeds"]) / 255 - images[:3].reshape(192, 64).numpy()).max() <= 0.5 / 255 + 1e-6
    mean, log_std = model.encode(images[:3])
    assert torch.allclose(torch.tensor(explorer.spec["means"]), mean)
    assert torch.allclose(torch.tensor(explorer.spec["stds"]), log_std.exp())
    assert explorer.spec["title"] == f"{active.experiment.name}, seed {active.seed}, step {active.step}"


def test_sliders_are_ordered_by_kl_which_they_name_and_inactive_latents_are_folded(run):
    active = lively(run)
    explorer = TraversalExplorer(active, seeds=3)
    images, _ = active.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    kl = mean_kl(active.model(), images)
    assert torch.equal(explorer.kl, kl) and explorer.order == kl.argsort(descending=True).tolist()
    *latents, image = explorer.spec["controls"]
    assert [c["name"] for c in latents] == [f"z{i}" for i in explorer.order]
    assert [c["label"] for c in latents] == [f"z{i} ({kl[i]:.2f} nats)" for i in explorer.order]
    assert {c["name"] for c in latents if c["folded"]} == {f"z{i}" for i in range(10) if kl[i] <= 0.01}
    assert "z8" in {c["name"] for c in latents if c["folded"]} and not dict.fromkeys(["z3"]).keys() - {
        c["name"] for c in latents if not c["folded"]
    }
    assert explorer.spec["fold"].startswith(f"{(kl <= 0.01).sum()} latents")
    assert (image["name"], image["min"], image["max"], image["step"]) == ("image", 0, 2, 1)


def test_it_begins_with_the_code_of_its_image_and_another_image_brings_another(run):
    explorer = TraversalExplorer(lively(run), seeds=3)
    codes = explorer.means.clamp(-3, 3)
    assert (codes[2] - codes[0]).abs().max() > 0.5  # the images could not be taken for one another
    assert torch.allclose(explorer.code(explorer.state), codes[0], atol=0.0251) and explorer.state["image"] == 0
    for image, follows in enumerate(explorer.spec["follow"]["image"]):
        assert torch.allclose(explorer.code(follows), codes[image], atol=0.0251)
        steps = np.array(list(follows.values())) / 0.05
        assert np.allclose(steps, steps.round(), atol=1e-6)  # on a slider's step


def test_python_sets_one_control_or_several_and_what_there_is_not_is_refused(run):
    explorer = TraversalExplorer(run, seeds=3)
    code = explorer.inferred(2)
    explorer.state = {"image": np.int64(2)}  # whose code follows, as in the page
    assert explorer.state == code | {"image": 2}
    explorer.state = {"image": 0}
    explorer.state = {"z4": 1.5, "image": 2}
    assert explorer.state == code | {"z4": 1.5, "image": 2}
    explorer.state = {"z4": np.float32(1.5)}
    assert explorer.state == code | {"z4": 1.5, "image": 2} and type(explorer.state["z4"]) is float
    for wrong, why in (
        ({"z10": 0.0}, "'z10' is no control; there are z"),
        ({"z4": 3.5}, r"z4 must be from -3 to 3, got 3\.5"),
        ({"z4": float("nan")}, "z4 must be from -3 to 3, got nan"),
        ({"z4": "1"}, "z4 must be a number, got '1'"),
        ({"z4": None}, "z4 must be a number, got None"),
        ({"z4": True}, "z4 must be a number, got True"),
        ({"z4": torch.tensor(1.0)}, "z4 must be a number, got tensor"),
        ({"image": 3}, "image must be from 0 to 2, got 3"),
        ({"image": 0.5}, r"image must be a whole number, got 0\.5"),
    ):
        with pytest.raises(traitlets.TraitError, match=why):
            explorer.state = wrong
    assert explorer.state == code | {"z4": 1.5, "image": 2}


def test_the_bundle_shows_a_picture_where_no_javascript_runs_and_tells_the_book_what_to_mount(run):
    explorer = TraversalExplorer(run, seeds=3)
    explorer.state = {"z4": 1.5, "image": 2}
    data, _ = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data and data["text/plain"] == "TraversalExplorer"
    drawn = draw(explorer.model, explorer.code(explorer.state), explorer.images[2], explorer.order[0])
    assert np.array_equal(opened(data["image/png"]), titled(explorer.spec["title"], drawn))
    assert data[STILL] == {"spec": explorer.spec, "state": explorer.state, "sources": explorer.sources()}
    assert len(str(data[STILL])) < 60_000  # the weights stay out of the notebook


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0])
def test_picture_holds_seed_image_and_decoded_code(run, value):
    model, image = run.model(), run.experiment.dataset.render(torch.tensor([[20.0, 40.0]]))[0]
    z = torch.full((10,), value)
    pixels = draw(model, z, image, 3)
    assert pixels.shape == (256 + GAP + 64, 2 * 256 + GAP) and pixels.dtype == np.uint8
    left, right = pixels[:256:4, :256:4], pixels[:256:4, 256 + GAP :: 4]
    for i, one in enumerate(torch.sigmoid(model.decode(traversal(z, 3, torch.linspace(-3, 3, 5))))):
        part = pixels[256 + GAP :, i * (64 + GAP) : i * (64 + GAP) + 64]
        assert np.abs(part / 255 - one[0].detach().numpy()).max() <= 0.5 / 255 + 1e-6
    assert np.abs(left / 255 - image[0].numpy()).max() <= 0.5 / 255 + 1e-6
    assert np.abs(right / 255 - torch.sigmoid(model.decode(z[None]))[0, 0].numpy()).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("shape", [(50, 40), (50, 400, 3)])
def test_a_title_stands_above_the_pixels_whole(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = titled("Twelve pictures on one latent", pixels)
    assert np.array_equal(picture[28:, : shape[1]], pixels)
    assert picture.shape[1] > 230 and picture[:28, -2:].min() == 255 and picture[:28].min() < 50


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_is_read_back_as_it_was(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)


def test_a_strip_holds_pictures_one_below_the_other():
    images = torch.rand(3, 3, 4, 4)
    pixels = opened(strip(images))
    assert np.abs(pixels / 255 - images.movedim(1, -1).reshape(12, 4, 3).numpy()).max() <= 0.5 / 255 + 1e-6


def test_bad_arguments(run, coloured):
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1"):
        TraversalExplorer(run, seeds=0)
    with pytest.raises(ValueError, match="no snapshot at step 7"):
        TraversalExplorer(run, step=7)
    with pytest.raises(ValueError, match="has no snapshots: train it with --snapshots"):
        TrainingExplorer(run)
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1"):
        TrainingExplorer(coloured, seeds=0)
    for runs in ({"one": run}, {"one": run, "two": coloured}):
        with pytest.raises(ValueError, match="at least two, and of the same data set"):
            CompareExplorer(runs)
    with pytest.raises(ValueError, match="rows must be a whole number of at least 1"):
        CompareExplorer({"one": run, "two": run}, rows=0)
    generator = train(experiments.get("generator"), steps=1, device="cpu", precision="fp32", progress=False)
    with pytest.raises(ValueError, match="the run must be that of a VAE, got 'generator', which has no encoder"):
        TraversalExplorer(generator)


def test_a_snapshot_is_explored_as_it_was(coloured):
    explorer = TraversalExplorer(coloured, seeds=2, step=1)
    assert "step 1" in explorer.spec["title"] and explorer.sources()["decoder"]["step"] == 1
    assert explorer.buffers["decoder"] == weights(coloured.model(1).decoder) != weights(coloured.model().decoder)


def test_every_step_of_a_training_has_its_own_model_and_kl(coloured):
    explorer = TrainingExplorer(coloured, seeds=2)
    images, _ = coloured.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    order = mean_kl(coloured.model(), images).argsort(descending=True).tolist()
    assert explorer.spec["controls"][0]["options"] == [["1", 1], ["2", 2]] and explorer.state == {"step": 2, "image": 0}
    for step in (1, 2):
        model, described = coloured.model(step), explorer.spec["models"][str(step)]
        assert explorer.buffers[str(step)] == weights(model.decoder)
        assert torch.allclose(torch.tensor(described["kl"]), mean_kl(model, images))
        assert described["order"] == order  # of the end: latents keep their places
        assert torch.allclose(torch.tensor(described["means"]), model.encode(images[:2])[0])
    assert explorer.sources()["1"]["step"] == 1 and explorer.sources()["2"]["step"] is None
    explorer.state = {"step": 1, "image": 1}
    model = coloured.model(1)
    assert np.array_equal(explorer.still(), rows_picture(model, images[1], order, mean_kl(model, images)))


def test_runs_are_compared_by_their_own_latents_and_titles(run):
    runs = {"one": lively(run), "two": lively(run, seed=1), "three": lively(run, seed=2)}
    explorer = CompareExplorer(runs, rows=2, seeds=2)
    images, _ = run.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    orders = []
    for title, one in runs.items():
        kl, described = mean_kl(one.model(), images), explorer.spec["models"][title]
        assert described["title"] == title and explorer.buffers[title] == weights(one.model().decoder)
        assert described["order"] == kl.argsort(descending=True)[:2].tolist()
        orders.append(described["order"])
    assert orders[0] != orders[1]
    assert explorer.state == {"left": "one", "right": "two", "image": 0}
    with pytest.raises(traitlets.TraitError, match="left must be one of one, two, three, got 'four'"):
        explorer.state = {"left": "four"}
    explorer.state = {"left": "three", "image": 1}
    still = [
        titled(title, rows_picture(runs[title].model(), images[1], orders[i], mean_kl(runs[title].model(), images)))
        for i, title in ((2, "three"), (1, "two"))
    ]
    assert np.array_equal(explorer.still(), np.concatenate(still, axis=1))
    two = CompareExplorer({"one": runs["one"], "two": runs["two"]}, rows=1, seeds=1)
    assert two.spec["panels"] == [{"model": "one"}, {"model": "two"}] and list(two.state) == ["image"]


def test_rows_picture_holds_what_the_decoder_draws(coloured):
    def panel(row, column):
        return pixels[68 * row : 68 * row + 64, 96 + 68 * column : 96 + 68 * column + 64] / 255

    model, image = coloured.model(), torch.rand(3, 64, 64)
    pixels = rows_picture(model, image, [4, 7], torch.zeros(10))
    assert pixels.shape == (3 * 68, 96 + 5 * 68, 3)
    code = model.encode(image[None])[0]
    with torch.no_grad():
        redrawn = torch.sigmoid(model.decode(code))[0]
        row = torch.sigmoid(model.decode(traversal(code[0], 7, torch.linspace(-3, 3, 5))))
    wanted = {(0, 0): image, (0, 1): redrawn, (2, 0): row[0], (2, 1): row[1], (2, 4): row[4]}
    for (i, j), picture in wanted.items():
        assert np.abs(panel(i, j) - picture.movedim(0, -1).numpy()).max() <= 0.5 / 255 + 1e-5


def test_rows_are_labelled_with_their_own_latent_and_grey_where_inactive(run, monkeypatch):
    written = []

    class Pen(ImageDraw.ImageDraw):
        def text(self, xy, text, fill, font):
            written.append((xy, text, fill))

    monkeypatch.setattr("minivae.course.explorers.pixels.ImageDraw.Draw", Pen)
    kl = torch.tensor([0.0, 2.5, 0.0, 0.3, 0.0, 0.0, 0.0, 0.004, 0.0, 0.0])
    image = run.experiment.dataset.render(torch.tensor([[20.0, 40.0]]))[0]
    rows_picture(run.model(), image, [3, 7, 1], kl)
    texts = [(text, fill) for _, text, fill in sorted(written, key=lambda entry: entry[0][1])]
    assert texts == [
        ("seed and", "black"), ("redrawn", "black"), ("z3", "black"), ("0.30 nats", "black"),
        ("z7", "black"), ("0.00 nats", GREY), ("z1", "black"), ("2.50 nats", "black"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def capacity() -> CapacityExplorer:
    experiment = dataclasses.replace(experiments.get("generator"), batch=4)
    run = train(experiment, steps=4, device="cpu", precision="fp32", progress=False, snapshots=[2])
    rates = torch.tensor([[0.0, 0.0, 0.0, 0.5, 0.5], [1.0, 1.0, 2.0, 3.0, 3.0], [3.0, 4.0, 5.0, 6.0, 6.0]])
    column = torch.tensor([1.0, 10.0, 24.0], dtype=torch.float64)
    channels = SpriteChannels("raw")
    limit = RateDistortion(channels.factors, column, rates.double(), column, column, column)
    return CapacityExplorer(run, limit, channels, pictures=3)


def test_a_capacity_explorer_sends_splits_pictures_and_snapshots(capacity):
    spec, schedule = capacity.spec, experiments.get("generator").objective.schedule
    assert spec["factors"] == capacity.channels.factors
    for c, row in list(zip(spec["capacities"], spec["rates"], strict=True))[:: len(spec["capacities"]) // 5]:
        assert row == pytest.approx(capacity.limit.at(min(c, 24.0))[0].tolist(), abs=1e-5)
    assert spec["capacities"] == pytest.approx(np.arange(1, 24.05, 0.1).tolist())
    assert [model["C"] for model in spec["models"]] == [schedule(2), schedule(4)]
    early, late = (capacity.buffers[model["key"]] for model in spec["models"])
    assert early != late and [capacity.sources()[key]["step"] for key in ("2", "4")] == [2, None]
    side, channels = spec["side"], capacity.channels
    assert np.array_equal(opened(spec["templates"]).reshape(720, side, side), channels.templates.numpy())
    assert np.array_equal(np.frombuffer(capacity.buffers["signals"], "<f4")[-32:], channels.signals[2].flatten())
    for place, shift in zip(spec["places"], channels.shift, strict=True):
        assert torch.equal(shift[place : place + side], torch.eye(side)) and shift.sum() == side
    assert capacity.state == {"C": 7.3, "image": 0}
    with torch.no_grad():  # of a generator that has hardly begun
        run = capacity.parts["2"][0]
        kl = gaussian.kl_per_latent(*run.model(2).encode(Sprites().sample_classes(4096))).mean(0)
    assert torch.allclose(kl, torch.full((5,), 0.1), rtol=0.2)


@pytest.mark.parametrize("nats", [1.0, 10.0, 24.0])
def test_capacity_still_shows_original_best_and_trained(capacity, nats):
    capacity.state = {"C": nats, "image": 1}
    pixels = capacity.still()
    original, best = (pixels[:, i * 264 : i * 264 + 256][::4, ::4] / 255 for i in (0, 1))
    assert np.array_equal(original, capacity.images[1, 0].numpy())
    low, high = {1.0: (200, 999), 10.0: (60, 200), 24.0: (0, 60)}[nats]  # with nats enough it draws the sprite
    assert low < abs(best - original).sum() < high and pixels.shape == (256, 784)
    model = capacity.parts["4"][2]  # all that it trained is below 1 nat
    with torch.no_grad():
        mean, log_std = model.encode(capacity.classes[1:2])
        trained = torch.sigmoid(model.decode(mean + log_std.exp() * capacity.noise[1]))[0, 0]
    assert np.abs(pixels[:, 528:][::4, ::4] / 255 - trained.numpy()).max() < 0.003
    capacity.state = {"C": 7.3, "image": 0}


def test_the_best_decoder_gets_the_same_noise(capacity):
    channels, index, nats = capacity.channels, 1, 10.0
    rates = capacity.limit.at(nats)[0]
    # raw values have a mean, whose sending costs nats too: the library's amplitudes, against their rates
    amplitude = amplitudes(rates.float(), channels.offset)
    snr = amplitude.double() ** 2
    assert torch.allclose(0.5 * torch.log1p(snr * (1 + channels.offset)), rates, atol=1e-4)
    _, signals = channels.draw(channels.points(capacity.classes[index : index + 1]))
    with torch.no_grad():
        wanted = channels.decode(amplitude * signals + capacity.noise[index], amplitude)
        silent = channels.decode(amplitude * signals, amplitude)
    assert torch.allclose(capacity.best(nats)[index].flatten(), wanted.flatten(), atol=1e-6)
    assert (wanted - silent).abs().max() > 0.05  # so that a decoder without noise would be seen


def test_capacity_explorer_wants_a_generator(run, capacity):
    with pytest.raises(ValueError, match="the run must be that of a generator with a schedule of C, got 'blobs-"):
        CapacityExplorer(run, capacity.limit, capacity.channels)
    with pytest.raises(ValueError, match="pictures must be a whole number of at least 1"):
        CapacityExplorer(run, capacity.limit, capacity.channels, pictures=0)
    generator = train(experiments.get("generator"), steps=1, device="cpu", precision="fp32", progress=False)
    blobs = dataclasses.replace(capacity.limit, factors=("x", "y"))
    with pytest.raises(ValueError, match=r"must have the same factors, got shape, .*; x, y; shape, "):
        CapacityExplorer(generator, blobs, capacity.channels)
    with pytest.raises(ValueError, match="both send the factors raw or both centred, got raw run, centred channels"):
        CapacityExplorer(generator, capacity.limit, SpriteChannels("centred"))


def test_controls_begin_on_a_step():
    assert slider("a", "a", 0.33, -2, 3)["start"] == pytest.approx(0.35)
    assert slider("a", "a", 7.3, 1, 25, 0.1)["start"] == pytest.approx(7.3)
    assert slider("n", "n", 2, 0, 5, 1)["start"] == 2 and slider("n", "n", 2, 0, 5, 1)["digits"] == 0
    log = slider("s", "σ", 0.5, -1.5, 0.3, 0.02, log=True)
    assert (np.log10(log["start"]) + 1.5) / 0.02 == pytest.approx(50 * (np.log10(0.5) + 1.5), abs=0.5)
    assert ((np.log10(log["start"]) + 1.5) / 0.02) % 1 == pytest.approx(0, abs=1e-3)
    assert choice("c", "c", 2, [("two", 2)])["options"] == [["two", 2]]


def test_the_module_loads_nothing_from_elsewhere():
    for explorer in (TraversalExplorer, CapacityExplorer):
        assert not re.search(r"\bimport\b.*from|https?://|\bfetch\(", str(explorer._esm))
