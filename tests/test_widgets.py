"""The explorer without a browser: the pure picture at its extremes, and the state behind the sliders."""

import base64
import dataclasses
import html
import io
import itertools
import json
import re

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from minivae import experiments, gaussian
from minivae.course import explorers as widgets
from minivae.course.explorers import CapacityExplorer, figure_pixels, png, shares_table
from minivae.course.figures import BLUE, GREY
from minivae.datasets import Sprites
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.ideal_decoder import SpriteChannels, amplitudes
from minivae.metrics.blobs import centre_of_light
from minivae.metrics.evaluate import mean_kl
from minivae.rate_distortion import RateDistortion


@pytest.fixture(scope="module")
def run() -> Run:
    return train(experiments.get("blobs-vae"), steps=2, seed=0, device="cpu", precision="fp32", progress=False)


@pytest.fixture
def explorer(run):
    return widgets.TraversalExplorer(run, seeds=3)


def drawn(explorer: widgets.Explorer) -> np.ndarray:
    """What is shown, panels side by side."""
    panels = [np.asarray(Image.open(io.BytesIO(picture.value))) for picture in explorer.pictures]
    return np.concatenate(panels, axis=1)


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0])
def test_picture_holds_seed_image_and_decoded_code(run, value):
    model, image = run.model(), run.experiment.dataset.render(torch.tensor([[20.0, 40.0]]))[0]
    z = torch.full((10,), value)
    pixels = widgets.draw(model, z, image)
    assert pixels.shape == (256, 2 * 256 + widgets.GAP) and pixels.dtype == np.uint8
    left, right = pixels[::4, :256:4], pixels[::4, 256 + widgets.GAP :: 4]
    assert np.abs(left / 255 - image[0].numpy()).max() <= 0.5 / 255 + 1e-6
    assert np.abs(right / 255 - torch.sigmoid(model.decode(z[None]))[0, 0].numpy()).max() <= 0.5 / 255 + 1e-6


def test_colour_images_stay_colour():
    from minivae.vae import VAE

    assert widgets.draw(VAE(channels=3).eval(), torch.zeros(10), torch.rand(3, 64, 64)).shape == (256, 520, 3)


def test_a_slider_moves_its_latent_only_and_changes_the_picture(explorer):
    before, z = drawn(explorer), explorer.code(explorer.state)
    latent = explorer.order[0]
    explorer.controls[f"z{latent}"].value = 2.5
    z[latent] = 2.5
    assert torch.equal(explorer.code(explorer.state), z)
    after = drawn(explorer)
    assert (after[:, :256] == before[:, :256]).all() and (after[:, 264:] != before[:, 264:]).any()
    assert np.array_equal(after, widgets.draw(explorer.model, z, explorer.images[0]))


def test_sliders_are_ordered_by_kl_and_name_it_in_nats(explorer):
    kl = [explorer.kl[latent].item() for latent in explorer.order]
    assert kl == sorted(kl, reverse=True)
    assert list(explorer.controls) == [*(f"z{latent}" for latent in explorer.order), "image"]
    first = f"z{explorer.order[0]}"
    assert explorer.controls[first].description == f"{first} ({kl[0]:.2f} nats)"


def test_reset_and_seed_choice_bring_back_the_inferred_code(explorer):
    def inferred(image: int) -> bool:
        return torch.allclose(explorer.code(explorer.state), explorer.means[image].clamp(-3, 3), atol=0.0251)

    explorer.controls[f"z{explorer.order[0]}"].value = -3
    assert not inferred(0)
    explorer.reset.click()
    assert inferred(0)
    explorer.controls["image"].value = 2
    assert inferred(2)
    place = centre_of_light(torch.from_numpy(drawn(explorer)[::4, :256:4].copy())[None, None].float())
    assert torch.allclose(place, centre_of_light(explorer.images[2:]), atol=0.1)
    explorer.controls[f"z{explorer.order[0]}"].value = -3
    explorer.reset.click()
    assert explorer.controls["image"].value == 2 and inferred(2)


def test_moving_several_controls_draws_once(explorer, monkeypatch):
    calls = []
    monkeypatch.setattr(explorer, "draw", lambda state: calls.append(state) or np.zeros((4, 4), np.uint8))
    explorer.controls["image"].value = 1
    assert len(calls) == 1 and calls[0]["image"] == 1


def test_dead_latents_are_folded_away(run):
    dead = Run(**{**vars(run), "weights": {k: torch.zeros_like(v) for k, v in run.weights.items()}})
    explorer = widgets.TraversalExplorer(dead)
    (fold,) = [child for child in explorer.children if isinstance(child, ipywidgets.Accordion)]
    assert len(fold.children[0].children) == 10
    assert "10 latents" in fold.titles[0]
    assert [move["label"] for move in moves(explorer)] == ["seed image"]  # none of them in the book


def test_mime_bundle_shows_a_picture_where_no_kernel_runs(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]) == explorer.pictures[0].value
    assert bundle[widgets.STILL] == explorer.still()


def test_bad_arguments(run):
    with pytest.raises(ValueError, match="seeds must be a whole number of at least 1"):
        widgets.TraversalExplorer(run, seeds=0)
    with pytest.raises(ValueError, match="no snapshot at step 7"):
        widgets.TraversalExplorer(run, step=7)


def constant(name: str, explorer: widgets.Explorer) -> str:
    """Of the script in the explorer's page, as it stands there."""
    return re.search(rf"\b{name} = (.*?),? (?:rows|columns|inputs) = ", explorer.still())[1]


def moves(explorer: widgets.Explorer) -> list[dict]:
    return json.loads(constant("moves", explorer).replace("<\\/", "</"))


def on_sheet(explorer: widgets.Explorer) -> np.ndarray:
    """The pictures of the sheet, grey (n, height, width), by the numbers of their cells."""
    data = base64.b64decode(re.search('data:image/webp;base64,([^"]*)', explorer.still())[1])
    sheet = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    rows, columns = (int(constant(name, explorer)) for name in ("rows", "columns"))
    cells = sheet.reshape(rows, len(sheet) // rows, columns, -1).swapaxes(1, 2)
    return cells.reshape(rows * columns, *cells.shape[2:])


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_is_read_back_as_it_was(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.format == "PNG" and np.array_equal(np.asarray(image), pixels)


def test_play_goes_there_and_back_along_the_control_touched_last(explorer):
    latent = f"z{explorer.order[1]}"
    explorer.controls[latent].value = 1.0
    seen = []
    for tick in range(1, 2 * widgets.FRAMES - 1):
        explorer.play.value = tick % (2 * widgets.FRAMES - 2)
        seen.append(explorer.controls[latent].value)
    assert min(seen) == -3 and max(seen) == 3 and len(set(np.round(seen, 3))) == widgets.FRAMES
    steps = np.diff(seen)
    assert (steps[:19] > 0).all() and (steps[20:] < 0).all()
    # the others stay
    first = explorer.order[0]
    assert explorer.code(explorer.state)[first] == pytest.approx(explorer.means[0][first].item(), abs=0.0251)


def test_reset_and_another_slider_stop_the_play(explorer):
    first, second = list(explorer.controls)[:2]
    for stop in (explorer.reset.click, lambda: setattr(explorer.controls[second], "value", 1.0)):
        explorer.controls[first].value = 0.5
        explorer.play.playing = True
        explorer.play.value += 1
        assert explorer.play.playing and explorer._touched == first  # its own moves do not stop it
        stop()
        assert not explorer.play.playing


def test_a_play_through_a_few_classes_goes_round(coloured):
    explorer = widgets.CompareExplorer({"one": coloured, "two": coloured}, rows=2, seeds=2)
    seen = []
    for tick in range(1, 5):
        explorer.play.value = tick
        seen.append(explorer.controls["image"].value)
    assert seen == [1, 0, 1, 0]


def test_still_holds_the_picture_of_every_value(explorer):
    explorer.in_book = list(explorer.controls)  # after two steps of training all latents are dead
    found, pictures = moves(explorer), on_sheet(explorer).astype(float)
    assert len(found) == len(explorer.controls)
    name = f"z{explorer.order[0]}"
    assert found[0]["label"] == explorer.controls[name].description
    assert found[0]["values"] == [f"{value:.2f}" for value in np.arange(-3, 3.1, 0.5)]
    nearest = min(found[0]["values"], key=lambda value: abs(float(value) - explorer.start[name]))
    assert found[0]["values"][found[0]["start"]] == nearest
    for i in (0, 6, 12):
        exact = explorer.draw(explorer.start | {name: float(found[0]["values"][i])})
        assert np.array_equal(exact, exact[::4, ::4].repeat(4, 0).repeat(4, 1))  # so the sheet loses nothing
        (cell,) = found[0]["cells"][i]
        assert np.abs(pictures[cell] - exact[::4, ::4]).mean() < 4  # of 255: sheets have 64 colours
    image = found[-1]
    assert image["label"] == "seed image" and image["values"] == ["0", "1", "2"]
    explorer.controls["image"].value = 2  # another image with its own code, as when one drags
    assert np.abs(pictures[image["cells"][2][0]] - drawn(explorer)[::4, ::4]).mean() < 4
    page = explorer.still()
    assert f'alt="{explorer.about}"' in page and "http" not in page


def test_a_picture_is_once_on_the_sheet():
    explorer = widgets.OverlapExplorer()
    mean, width = moves(explorer)
    assert (mean["label"], width["label"]) == ("mean 1", "σ 1") and len(mean["cells"]) == len(width["cells"]) == 11
    cells = {cell for move in (mean, width) for (cell,) in move["cells"]}
    different = {explorer._at(explorer._alone(name, value))[0] for name in explorer.in_book
                 for value in widgets.values(explorer.controls[name], 11)}  # fmt: skip
    assert cells == set(range(len(different)))
    columns = int(constant("columns", explorer))
    assert 0 <= len(on_sheet(explorer)) - len(different) < columns  # no row but the last has empty places


def bent(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * ((0.9 - torch.tanh(z)) / 0.3) ** 2 - 0.5 * z**2


FIGURES = {
    "channel": (widgets.ChannelExplorer, lambda state: widgets.figures.messages(state["spread"], state["std"])),
    "elbo": (
        lambda: widgets.ElboExplorer(bent), lambda state: widgets.figures.elbo_gap(bent, state["mean"], state["std"]),
    ),
    "overlap": (
        widgets.OverlapExplorer,
        lambda state: widgets.figures.overlap(*torch.tensor(list(state.values())).view(2, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_explorer_draws_the_figure_of_its_sliders(name):
    make, draw_figure = FIGURES[name]
    explorer = make()
    place, width = next(iter(explorer.controls.values())), list(explorer.controls.values())[-1]
    first = drawn(explorer)
    for at in (0.0, 0.7, 1.0):
        place.value = place.min + at * (place.max - place.min)
        width.value = 10 ** (width.min + at * (width.max - width.min))
        figure = draw_figure(explorer.state)
        titles = [axis.get_title().replace("\n", ", ") for axis in figure.axes if axis.get_title()]
        assert html.unescape(explorer.caption.value) == "; ".join(titles) and titles
        for axis in figure.axes:
            axis.set_title("")
        expected, got = figure_pixels(figure), drawn(explorer)
        # the axes stay where they were at first, so that they do not tremble: the same but for their place
        middle = got.shape[1] // 2
        assert explorer.panels == 1 or (got[:, middle - 2 : middle + 2] == 255).all()  # panels are cut apart there
        assert got.shape == expected.shape and np.abs(got.mean((0, 1)) - expected.mean((0, 1))).max() < 2
        assert abs((got == 255).mean() - (expected == 255).mean()) < 0.02
    explorer.reset.click()
    assert np.array_equal(drawn(explorer), first)


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_does_not_depend_on_those_before_it(name):
    moved, fresh = FIGURES[name][0](), FIGURES[name][0]()
    for control in moved.controls.values():
        for value in widgets.values(control, 5):
            control.value = value
    assert np.array_equal(moved.draw(moved.state), fresh.draw(moved.state))
    moved.reset.click()
    assert np.array_equal(moved.draw(moved.state), fresh.draw(fresh.state))


def test_a_picture_is_drawn_once(explorer, monkeypatch):
    calls = []
    monkeypatch.setattr(explorer, "draw", lambda state: calls.append(state) or np.zeros((4, 4), np.uint8))
    for image in (1, 2, 1, 2):
        explorer.controls["image"].value = image
    assert [state["image"] for state in calls] == [1, 2]


def test_overlap_explorer_draws_the_posteriors_of_its_sliders(monkeypatch):
    explorer = widgets.OverlapExplorer()
    seen = []
    original = widgets.figures.overlap
    monkeypatch.setattr(
        widgets.figures, "overlap", lambda *arguments, **last: seen.append(arguments) or original(*arguments, **last)
    )
    explorer.controls["mean 3"].value, explorer.controls["σ 1"].value = 3.0, 2.0
    assert len(seen) == 2
    means, stds = seen[-1]
    assert means.tolist() == [-1, 0, 3] and torch.allclose(stds, torch.tensor([2.0, 0.5, 0.5]), rtol=0.03)


def test_axes_do_not_tremble():
    explorer = widgets.ChannelExplorer()
    explorer.controls["std"].value = 0.05
    one = drawn(explorer)
    explorer.controls["std"].value = 0.06
    other = drawn(explorer)
    dark = [np.argwhere((picture < 60).all(2).sum(0) > 0.6 * picture.shape[0]).ravel() for picture in (one, other)]
    assert len(dark[0]) >= 2 and np.array_equal(*dark)  # the upright sides of the axes


@pytest.fixture(scope="module")
def capacity() -> CapacityExplorer:
    experiment = dataclasses.replace(experiments.get("generator"), batch=4)
    run = train(experiment, steps=4, device="cpu", precision="fp32", progress=False, snapshots=[2])
    n, rates = 3, torch.tensor([[0.0, 0.0, 0.0, 0.5, 0.5], [1.0, 1.0, 2.0, 3.0, 3.0], [3.0, 4.0, 5.0, 6.0, 6.0]])
    column = torch.tensor([1.0, 10.0, 24.0], dtype=torch.float64)
    channels = SpriteChannels("raw")
    limit = RateDistortion(channels.factors, column, rates.double(), column, column, column)
    return CapacityExplorer(run, limit, channels, pictures=n)


@pytest.mark.parametrize("nats", [1.0, 10.0, 24.0])
def test_capacity_picture_shows_original_best_and_trained(capacity, nats):
    pixels = capacity.pixels(nats, 1)
    original, best = (pixels[:, i * 264 : i * 264 + 256][::4, ::4] / 255 for i in (0, 1))
    assert np.array_equal(original, capacity.originals[1, 0].numpy())
    low, high = {1.0: (200, 999), 10.0: (60, 200), 24.0: (0, 60)}[nats]  # with nats enough it draws the sprite
    assert low < abs(best - original).sum() < high and len(capacity.models) == 2 and pixels.shape == (256, 784)
    model = capacity.models[-1][1]  # all that it trained is below 1 nat
    with torch.no_grad():
        mean, log_std = model.encode(capacity.classes[1:2])
        trained = torch.sigmoid(model.decode(mean + log_std.exp() * capacity.noise[1]))[0, 0]
    assert np.abs(pixels[:, 528:][::4, ::4] / 255 - trained.numpy()).max() < 0.003
    with torch.no_grad():
        kl = gaussian.kl_per_latent(*capacity.models[0][1].encode(Sprites().sample_classes(4096))).mean(0)
    assert torch.allclose(kl, torch.full((5,), 0.1), rtol=0.2)  # of a generator that has hardly begun


def test_capacity_caption_gives_the_nats_of_best_split_and_training(capacity):
    text = capacity._caption({"C": 2.0, "image": 0})  # beyond the end of this short training, which gives its last
    both = capacity.limit.at(2.0)[0], capacity.trained.rates[-1]
    for name, best, reached in zip(capacity.channels.factors, *(nats.tolist() for nats in both), strict=True):
        assert f"<td>{name}</td>" in text and f"{best:.2f} | {reached:.2f}" in text
    assert f"C = {capacity.models[-1][0]:.1f}" in text  # of the nearest snapshot


def test_capacity_sliders_move_the_picture(capacity):
    before = capacity.pictures[0].value
    capacity.controls["C"].value = 20.0
    later = capacity.pictures[0].value
    assert later != before and later == png(capacity.pixels(20.0, 0))
    capacity.controls["image"].value = 2
    assert capacity.pictures[0].value == png(capacity.pixels(20.0, 2)) != later
    assert capacity._repr_mimebundle_()["image/png"] == base64.b64encode(capacity.pictures[0].value).decode("ascii")


def test_bars_are_as_long_as_the_nats_say():
    table = shares_table(["one", "<two>"], torch.tensor([0.0, 3.0]), torch.tensor([1.5, -0.1]))
    bars = re.findall(r"background:(#\w+);width:([\d.]+)em", table)
    assert bars == [(GREY, "0.00"), (BLUE, "1.50"), (GREY, "3.00"), (BLUE, "0.00")]
    assert "0.00 | 1.50" in table and "&lt;two&gt;" in table


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


@pytest.fixture(scope="module")
def coloured() -> Run:
    return train(
        experiments.get("coloured-vae"), steps=2, seed=0, device="cpu", precision="fp32", progress=False, snapshots=[1]
    )


def test_rows_picture_holds_what_the_decoder_draws(coloured):
    def panel(row, column):
        return pixels[68 * row : 68 * row + 64, 96 + 68 * column : 96 + 68 * column + 64] / 255

    model, image = coloured.model(), torch.rand(3, 64, 64)
    pixels = widgets.rows_picture(model, image, [4, 7], torch.zeros(10))
    assert pixels.shape == (3 * 68, 96 + 5 * 68, 3)
    z = model.encode(image[None])[0].repeat(2, 1)
    z[1, 7] = 3.0
    redrawn, last = torch.sigmoid(model.decode(z)).detach().movedim(1, -1).numpy()
    for (row, column), wanted in {(0, 0): image.movedim(0, -1).numpy(), (0, 1): redrawn, (2, 4): last}.items():
        assert np.abs(panel(row, column) - wanted).max() <= 0.5 / 255 + 1e-5


def test_training_slider_goes_from_snapshot_to_snapshot(coloured, run):
    explorer = widgets.TrainingExplorer(coloured, seeds=2)
    assert widgets.values(explorer.controls["step"]) == [1, 2]
    after = explorer.pictures[0].value
    explorer.controls["step"].value = 1
    assert explorer.pictures[0].value != after
    explorer.controls["step"].value = 2
    assert explorer.pictures[0].value == after
    assert explorer._rendered.cache_info().misses == 2 * 2  # every picture there is was drawn before it was shown
    for step, image in itertools.product((1, 2), (0, 1)):
        explorer.set({"step": step, "image": image})
    assert explorer._rendered.cache_info().misses == 2 * 2
    with pytest.raises(ValueError, match="no snapshots"):
        widgets.TrainingExplorer(run)
    with pytest.raises(ValueError, match="seeds"):
        widgets.TrainingExplorer(coloured, seeds=0)


def test_runs_side_by_side_start_from_the_same_picture(coloured, run):
    explorer = widgets.CompareExplorer({"one": coloured, "two": coloured}, rows=3, seeds=2)
    left, right = (np.asarray(Image.open(io.BytesIO(picture.value))) for picture in explorer.pictures)
    assert left.shape == (24 + (1 + 3) * 68, 96 + 5 * 68, 3) and np.array_equal(left[24:], right[24:])
    assert not np.array_equal(left[:24], right[:24])  # each has its title
    assert list(explorer.controls) == ["image"]
    before = explorer.pictures[0].value
    explorer.controls["image"].value = 1
    assert explorer.pictures[0].value != before
    for runs in ({}, {"one": coloured}, {"one": coloured, "another": run}):
        with pytest.raises(ValueError, match="at least two, and of the same data set"):
            widgets.CompareExplorer(runs)


def test_any_two_of_several_runs_can_be_put_side_by_side(coloured):
    explorer = widgets.CompareExplorer(dict.fromkeys(("one", "two", "three"), coloured), rows=30, seeds=2)
    one, two = (picture.value for picture in explorer.pictures)
    assert len(np.asarray(Image.open(io.BytesIO(one)))) == 24 + (1 + 10) * 68  # there are no more latents
    explorer.controls["left"].value = "three"  # as when it is dragged
    explorer.controls["right"].value = "one"
    three, again = (picture.value for picture in explorer.pictures)
    assert again == one and three not in (one, two)  # they differ in their titles
    still = base64.b64decode(explorer._repr_mimebundle_()["image/png"])
    assert np.array_equal(widgets._pixels(still), drawn(explorer))
    image, left, right = moves(explorer)
    assert left["values"] == right["values"] == ["one", "two", "three"]
    assert left["cells"] == [[0, 1], [1, 1], [left["cells"][2][0], 1]] and right["cells"][0] == [0, 0]
    assert len(on_sheet(explorer)) >= 3 + 2 and image["cells"][0] == [0, 1]


def test_rounding_error_from_the_browser_is_no_touch(run):
    explorer = widgets.TraversalExplorer(run)
    first, last = (f"z{i}" for i in (explorer.order[0], explorer.order[-1]))
    assert explorer._playing.value == f"plays {explorer.controls[first].description}"
    explorer.controls[last].value += 1e-12
    assert explorer._playing.value == f"plays {explorer.controls[first].description}"
    explorer.controls[last].value += 0.05
    assert explorer._playing.value == f"plays {explorer.controls[last].description}"


def test_every_step_of_a_training_has_its_own_model_and_kl(coloured, monkeypatch):
    seen = {}
    original = widgets.rows_picture

    def spy(model, image, latents, kl, title=""):
        seen.setdefault(len(seen), (model, kl, latents))
        return original(model, image, latents, kl, title)

    monkeypatch.setattr(widgets, "rows_picture", spy)
    explorer = widgets.TrainingExplorer(coloured, seeds=1)
    images, _ = coloured.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    kls = {step: mean_kl(coloured.model(step), images) for step in (1, 2)}
    assert not torch.allclose(kls[1], kls[2], rtol=1e-3)
    for (model, kl, latents), step in zip(seen.values(), (1, 2), strict=True):
        assert torch.allclose(kl, kls[step]) and torch.allclose(mean_kl(model, images), kls[step])
        assert latents == kls[2].argsort(descending=True).tolist()
    assert explorer.state["step"] == 2


def test_the_best_decoder_hears_the_same_noise(capacity):
    channels, index, nats = capacity.channels, 1, 10.0
    rates = capacity.limit.at(nats)[0]
    amplitude = torch.where(rates > 0, ((2 * rates).exp() - 1).sqrt(), 0.0)
    # raw values have a mean, whose sending costs nats too: the library's amplitudes, against their rates
    amplitude = amplitudes(rates.float(), channels.offset)
    snr = amplitude.double() ** 2
    assert torch.allclose(0.5 * torch.log1p(snr * (1 + channels.offset)), rates, atol=1e-4)
    _, signals = channels.draw(channels.points(capacity.classes[index : index + 1]))
    heard = amplitude * signals + capacity.noise[index]
    with torch.no_grad():
        wanted = channels.decode(heard, amplitude)
        silent = channels.decode(amplitude * signals, amplitude)
    shown = capacity.pixels(nats, index)[:, 264 : 264 + 256][::4, ::4] / 255
    assert np.abs(shown - wanted.reshape(64, 64).numpy()).max() < 0.003
    assert (wanted - silent).abs().max() > 0.05  # so that a decoder without noise would be seen


# Runs that tell pictures and latents apart, which two steps of training do not.


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


def test_traversal_explorer_folds_the_dead_away_and_begins_with_the_code_of_its_image(run):
    active = lively(run)
    explorer = widgets.TraversalExplorer(active, seeds=3)
    images, _ = active.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    model = active.model()
    kl = mean_kl(model, images)
    assert torch.equal(explorer.kl, kl) and explorer.order == kl.argsort(descending=True).tolist()
    assert explorer.in_book == [f"z{i}" for i in explorer.order if kl[i] > 0.01] + ["image"]
    assert "z3" in explorer.in_book and "z8" not in explorer.in_book
    (fold,) = [child for child in explorer.children if isinstance(child, ipywidgets.Accordion)]
    assert fold.titles[0].startswith(f"{12 - len(explorer.in_book) - 1} latents")
    assert explorer.title == f"{active.experiment.name}, seed {active.seed}, step {active.step}"
    assert explorer.caption.value == "left: seed image 0; right: decoded from the sliders' code"
    codes = model.encode(images[:3])[0].clamp(-3, 3)
    assert (codes[2] - codes[0]).abs().max() > 0.5  # the images could not be taken for one another
    (image,) = [move for move in moves(explorer) if move["label"] == "seed image"]
    for i in (0, 2):  # as the book has it and as it is dragged
        explorer.controls["image"].value = i
        assert torch.allclose(explorer.code(explorer.state), codes[i], atol=0.0251)
        expected = widgets.draw(model, explorer.code(explorer.state), images[i])
        assert np.array_equal(drawn(explorer), expected)
        assert explorer._at(explorer._alone("image", i))[0][0] == explorer.pictures[0].value
        assert image["captions"][i].startswith(f"left: seed image {i}; right: decoded")


def test_a_snapshot_is_explored_as_it_was(coloured):
    explorer = widgets.TraversalExplorer(coloured, seeds=2, step=1)
    assert "step 1" in explorer.title
    for name, value in coloured.model(1).state_dict().items():
        assert torch.equal(explorer.model.state_dict()[name], value)


def test_values_and_captions_of_the_book_are_those_of_the_slider():
    explorer = widgets.ChannelExplorer()
    spread, std = moves(explorer)
    assert (
        spread["values"] == [f"{v:.2f}" for v in np.linspace(0, 4, 9)] and spread["values"][spread["start"]] == "1.50"
    )
    assert float(std["values"][std["start"]]) == pytest.approx(0.3, rel=0.35)
    logs = np.diff(np.log10([float(v) for v in std["values"]][3:]))
    assert logs == pytest.approx([1.8 / 8] * len(logs), abs=0.02)  # from 10^−1.5 to 10^0.3
    for i in (0, 5):
        title = widgets.figures.messages(float(spread["values"][i]), explorer.start["std"]).axes[0].get_title()
        assert html.escape(title) in spread["captions"][i]


@pytest.mark.parametrize(
    ("make", "sliders"),
    [
        (lambda: widgets.ElboExplorer(bent), {"mean": ("mean of q", 0.3), "std": ("σ of q", 0.6)}),
        (widgets.ChannelExplorer, {"spread": ("spread of means", 1.5), "std": ("σ of the noise", 0.3)}),
        (
            widgets.OverlapExplorer,
            {f"mean {i}": (f"mean {i}", i - 2) for i in (1, 2, 3)} | {f"σ {i}": (f"σ {i}", 0.5) for i in (1, 2, 3)},
        ),
    ],
)
def test_sliders_are_called_what_they_move_and_begin_on_a_step(make, sliders):
    controls = make().controls
    assert {name: control.description for name, control in controls.items()} == {n: s[0] for n, s in sliders.items()}
    for name, (_, start) in sliders.items():
        control = controls[name]
        assert control.value == pytest.approx(start, rel=0.025)
        at = np.log10(control.value) if isinstance(control, ipywidgets.FloatLogSlider) else control.value
        steps = (at - control.min) / control.step
        assert steps == pytest.approx(round(steps), abs=1e-3)


def test_rows_are_labelled_with_their_own_latent_and_grey_where_dead(run, monkeypatch):
    written = []

    class Pen(ImageDraw.ImageDraw):
        def text(self, xy, text, fill, font):
            written.append((xy, text, fill))

    monkeypatch.setattr(widgets.ImageDraw, "Draw", Pen)
    kl = torch.tensor([0.0, 2.5, 0.0, 0.3, 0.0, 0.0, 0.0, 0.004, 0.0, 0.0])
    image = run.experiment.dataset.render(torch.tensor([[20.0, 40.0]]))[0]
    widgets.rows_picture(run.model(), image, [3, 7, 1], kl, "mine")
    texts = [(text, fill) for _, text, fill in sorted(written, key=lambda entry: entry[0][1])]
    assert texts == [
        ("mine", "black"), ("seed and", "black"), ("redrawn", "black"), ("z3", "black"), ("0.30 nats", "black"),
        ("z7", "black"), ("0.00 nats", GREY), ("z1", "black"), ("2.50 nats", "black"),
    ]  # fmt: skip


def test_rows_begin_at_minus_3_from_the_code_of_the_seed_image(run):
    active = lively(run)
    model, image = active.model(), active.experiment.dataset.render(torch.tensor([[20.0, 40.0]]))[0]
    pixels = widgets.rows_picture(model, image, [4, 7], torch.zeros(10))
    z = model.encode(image[None])[0]
    assert z.abs().max() > 0.5
    for column, value in ((0, -3.0), (1, -1.5), (4, 3.0)):
        z[0, 7] = value
        wanted = torch.sigmoid(model.decode(z))[0, 0].numpy()
        got = pixels[136 : 136 + 64, 96 + 68 * column : 96 + 68 * column + 64] / 255
        assert np.abs(got - wanted).max() <= 0.5 / 255 + 1e-5


def test_runs_are_compared_by_their_own_latents_and_titles(run, monkeypatch):
    runs = {"one": lively(run), "two": lively(run, seed=1)}
    seen, original = [], widgets.rows_picture
    monkeypatch.setattr(widgets, "rows_picture", lambda *given: seen.append(given) or original(*given))
    explorer = widgets.CompareExplorer(runs, rows=2, seeds=2)
    images, _ = run.experiment.dataset.sample(256, torch.Generator().manual_seed(0))
    for n, (title, one) in enumerate(runs.items()):
        kl = mean_kl(one.model(), images)
        for i in (0, 1):
            _, image, latents, given, name = seen[2 * n + i]
            assert name == title and torch.allclose(given, kl) and torch.equal(image, images[i])
            assert latents == kl.argsort(descending=True)[:2].tolist()
        explorer.controls["image"].value = 1
        assert np.array_equal(widgets._pixels(explorer.pictures[n].value), original(*seen[2 * n + 1]))
    assert seen[0][2] != seen[2][2]


def test_the_trained_decoder_is_that_of_the_nearest_capacity(capacity, monkeypatch):
    monkeypatch.setattr(capacity, "models", [(2.0, "early"), (6.0, "middle"), (9.0, "late")])
    assert [capacity._nearest(c)[1] for c in (0.0, 3.9, 4.1, 7.4, 7.6, 30.0)] == [
        "early", "early", "middle", "middle", "late", "late",
    ]  # fmt: skip
    text = capacity._caption({"C": 5.0, "image": 0})
    assert text.startswith(
        "left: original; middle: best decoder, C = 5.0; right: trained, nearest snapshot, C = 6.0<table"
    )
    assert "best split (grey) | trained (blue)" in text


def test_the_snapshots_of_a_generator_go_with_their_capacities(capacity):
    run, schedule = capacity.models, experiments.get("generator").objective.schedule
    assert [c for c, _ in run] == [schedule(2), schedule(4)]
    weights = [model.scale.detach() for _, model in run]
    assert not torch.equal(*weights)
    assert capacity.start["C"] == pytest.approx(7.3) and capacity.controls["C"].max == 24


@pytest.mark.parametrize(
    ("slider", "n", "expected"),
    [
        (ipywidgets.IntSlider(0, 0, 10), 4, [0, 3, 7, 10]),
        (ipywidgets.IntSlider(2, 2, 7), 21, [2, 3, 4, 5, 6, 7]),
        (ipywidgets.IntSlider(0, 0, 0), 21, [0]),
        (ipywidgets.IntSlider(0, 0, 29), 5, [0, 7, 14, 22, 29]),
        (ipywidgets.FloatSlider(0, min=-3, max=3), 5, [-3, -1.5, 0, 1.5, 3]),
        (ipywidgets.FloatLogSlider(1, base=10, min=-1, max=1), 3, [0.1, 1, 10]),
        (ipywidgets.SelectionSlider(options=[("a", 5), ("b", 2), ("c", 9)]), 2, [5, 2, 9]),
    ],
)
def test_values_go_evenly_from_one_end_to_the_other(slider, n, expected):
    got = widgets.values(slider, n)
    assert got == pytest.approx(expected)
    assert got == sorted(got) or isinstance(slider, ipywidgets.SelectionSlider)
    assert (got[0], got[-1]) == pytest.approx((expected[0], expected[-1])) and len(set(got)) == len(got)


@pytest.mark.parametrize(
    ("make", "under"),
    [
        (lambda: widgets.ChannelExplorer(), {"spread": 4.0, "std": 0.1}),
        (lambda: widgets.ElboExplorer(lambda z: -0.5 * z**2 - 1), {"mean": 2.5, "std": 0.2}),
        (lambda: widgets.OverlapExplorer(), {"mean 3": 3.0, "σ 3": 0.1}),
    ],
)
def test_the_legend_lies_over_the_data(make, under):
    explorer = make()
    box = explorer._figure.axes[0].get_legend().get_window_extent()
    before = drawn(explorer)
    rows = slice(len(before) - int(box.y1) + 3, len(before) - int(box.y0) - 3)
    columns = slice(int(box.x0) + 3, int(box.x1) - 3)
    explorer.set(under)
    after = drawn(explorer)
    assert np.array_equal(before[rows, columns], after[rows, columns])
    assert before[rows, columns].min() < 100  # there is something to be read
    beside = after[rows.stop + 5 : rows.stop + 25, columns]
    assert not np.array_equal(beside, before[rows.stop + 5 : rows.stop + 25, columns])  # and data below it


def test_pixels_of_pictures_stay_sharp_and_figures_are_smoothed(explorer):
    page = explorer.still()
    assert page.count("image-rendering:pixelated") == 1 and "image-rendering:auto" not in page
    height, width = np.asarray(Image.open(io.BytesIO(explorer.pictures[0].value))).shape
    assert f"max-width:{width}px" in page and f"aspect-ratio:{width}/{height}" in page
    figure = widgets.ChannelExplorer()
    page = figure.still()
    assert page.count("image-rendering:auto") == figure.panels == 2 and "image-rendering:pixelated" not in page
    height, width = np.asarray(Image.open(io.BytesIO(figure.pictures[0].value))).shape[:2]
    assert page.count(f"aspect-ratio:{width}/{height}") == 2 and f"max-width:{2 * width}px" in page
