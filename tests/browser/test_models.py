"""Explorers of trained models in an empty page: what JavaScript computes is what PyTorch computes."""

import base64

import numpy as np
import pytest
import torch
from bare import mount, pixels, settle, swipe
from PIL import Image

from minivae import VAE, Run
from minivae.course.explorers import CapacityExplorer, CompareExplorer, TrainingExplorer, TraversalExplorer
from minivae.course.explorers.models import weights
from minivae.course.explorers.pixels import enlarge
from minivae.engine.curves import load_curve
from minivae.ideal_decoder import SpriteChannels
from minivae.metrics import traversal

KINDS = {
    "grey": (1, 10, 64),
    "colour": (3, 10, 64),
    "many latents": (1, 32, 64),
    "small": (1, 10, 32),
    "large": (3, 4, 128),
}
GAP = {64: 4, 32: 2}  # pixels between two of a row


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert errors == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == []  # nothing leaves the page


@pytest.fixture(scope="module")
def blobs() -> TraversalExplorer:
    return TraversalExplorer(Run.load("data/runs/blobs-beta150-seed0.h5"))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def image_of(canvas: np.ndarray, channels: int) -> torch.Tensor:
    return torch.from_numpy(canvas.copy()).movedim(-1, 0)[:channels].float() / 255


def same(canvas: np.ndarray, image: torch.Tensor) -> bool:
    """Whether a canvas shows an image (channels, H, W) in [0, 1], to one of 255 steps."""
    wanted = enlarge(image, 1)
    wanted = np.repeat(wanted[..., None], 3, -1) if wanted.ndim == 2 else wanted
    return wanted.shape == canvas.shape and np.abs(wanted.astype(int) - canvas).max() <= 1


def becomes(page, canvas: int, image: torch.Tensor) -> bool:
    for _ in range(50):
        if same(pixels(page, canvas), image):
            return True
        page.wait_for_timeout(100)
    return False


def halved(model: torch.nn.Module) -> torch.nn.Module:
    """A model whose weights are what half precision keeps of them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_encoder_and_decoder_are_those_of_pytorch(page, blobs, kind):
    channels, latents, size = KINDS[kind]
    model = halved(VAE(channels, latents, size, torch.Generator().manual_seed(1)))
    with torch.no_grad():
        model.encoder.net[-1].weight.mul_(10)  # as after a training: codes that differ
        halved(model)
    codes = 1.5 * torch.randn(100 if size < 128 else 10, latents, generator=torch.Generator().manual_seed(2))
    images = torch.rand(5, channels, size, size, generator=torch.Generator().manual_seed(3))
    mount(page, blobs)
    sent = [base64.b64encode(weights(part)).decode() for part in (model.decoder, model.encoder)]
    drawn, posteriors = page.evaluate(
        """([decoder_, encoder_, shape, codes, images]) => {
            const decode = decoder(bytes(decoder_), shape), encode = encoder(bytes(encoder_), shape);
            return [codes.map((z) => Array.from(decode(z))), images.map((x) => encode(Float32Array.from(x)))];
        }""",
        [*sent, {"channels": channels, "latents": latents, "size": size}, codes.tolist(), images.flatten(1).tolist()],
    )
    with torch.no_grad():
        wanted, (means, log_stds) = torch.sigmoid(model.decode(codes)), model.encode(images)
    assert wanted.std(0).mean() > 0.1  # the codes draw different pictures
    assert torch.allclose(torch.tensor(drawn).view_as(wanted), wanted, atol=1e-3)
    assert torch.allclose(torch.tensor([p["mean"] for p in posteriors]), means, atol=1e-3)
    assert torch.allclose(torch.tensor([p["std"] for p in posteriors]), log_stds.exp(), rtol=1e-3)


def test_a_key_moves_a_latent_and_reset_brings_it_back(page, blobs, screenshot):
    mount(page, blobs)
    model, start = halved(blobs.model), blobs.spec["start"]
    assert same(pixels(page, 0), blobs.images[0])
    z = blobs.code(start)
    with torch.no_grad():
        assert becomes(page, 1, torch.sigmoid(model.decode(z[None]))[0])
    first, name = page.locator(".control input").first, f"z{blobs.order[0]}"
    first.focus()
    for _ in range(6):
        first.press("ArrowLeft")
    state = page.evaluate("() => traits.state")
    assert state == start | {name: pytest.approx(start[name] - 0.3)}
    with torch.no_grad():
        assert becomes(page, 1, torch.sigmoid(model.decode(blobs.code(state)[None]))[0])
    values = torch.linspace(-3, 3, 9)
    with torch.no_grad():  # below: the traversal of the latent that was touched
        row = torch.sigmoid(model.decode(traversal(blobs.code(state), blobs.order[0], values)))
    for i, image in enumerate(row):
        for _ in range(50):
            if same(pixels(page, 2)[:, i * 68 : i * 68 + 64], image):
                break
            page.wait_for_timeout(100)
        else:
            raise AssertionError(f"picture {i} of the traversal")
    screenshot(page, "models_traversal")
    page.get_by_role("button", name="reset").click()
    assert page.evaluate("() => traits.state") == start


def test_another_seed_image_brings_its_code_and_its_posterior(page, blobs):
    mount(page, blobs)
    slider = page.get_by_role("slider", name="seed image")
    slider.focus()
    slider.press("End")
    last = len(blobs.images) - 1
    assert page.evaluate("() => traits.state") == blobs.inferred(last) | {"image": last}
    settle(page)
    assert same(pixels(page, 0), blobs.images[last])
    page.get_by_role("button", name="reset").click()  # of the latents; the picture stays
    assert page.evaluate("() => traits.state") == blobs.inferred(last) | {"image": last}
    bands = [page.locator(".track i").nth(i).bounding_box()["width"] for i in range(2)]
    track = page.locator(".track").first.bounding_box()["width"] - 16  # the handle's middle stays half its width away
    with torch.no_grad():
        _, log_std = blobs.model.encode(blobs.images[last:])
    wanted = [2 * log_std.exp()[0, i].item() / 6 for i in blobs.order]
    assert [band / track for band in bands] == pytest.approx(wanted[:2], abs=0.01)


def test_python_moves_the_sliders(page, blobs):
    mount(page, blobs)
    state = blobs.spec["start"] | {f"z{blobs.order[1]}": -2.0}
    page.evaluate("state => { traits.state = state; tell(); }", state)
    settle(page)
    assert page.locator(".control input").nth(1).input_value() == "-2"
    with torch.no_grad():
        assert becomes(page, 1, torch.sigmoid(halved(blobs.model).decode(blobs.code(state)[None]))[0])


def test_two_latents_are_dragged_at_once(page, blobs):
    mount(page, blobs)
    field = page.get_by_title("drag two latents")
    place = field.bounding_box()
    page.mouse.move(place["x"] + 10, place["y"] + 10)
    page.mouse.down()
    page.mouse.move(place["x"] + 0.75 * place["width"], place["y"] + 0.25 * place["height"], steps=5)
    page.mouse.up()
    across, upwards = (f"z{i}" for i in blobs.order[:2])
    state = page.evaluate("() => traits.state")
    assert state[across] == pytest.approx(1.5, abs=0.06) and state[upwards] == pytest.approx(1.5, abs=0.06)
    assert set(state.items()) - {(across, state[across]), (upwards, state[upwards])} <= set(blobs.spec["start"].items())
    third = f"z{blobs.order[2]}"  # its slider is folded away, and may be touched all the same
    page.locator("details summary").click()
    page.get_by_role("slider", name=third).press("ArrowRight")
    page.get_by_text(f"in the plane: {upwards} across, {third} upwards").wait_for()


def test_a_picture_of_ones_own_is_encoded(page, blobs, screenshot):
    mount(page, blobs)
    page.get_by_role("button", name="draw your own").click()
    place = page.locator("canvas").first.bounding_box()
    page.mouse.move(place["x"] + 0.3 * place["width"], place["y"] + 0.6 * place["height"])
    page.mouse.down()
    page.mouse.move(place["x"] + 0.35 * place["width"], place["y"] + 0.6 * place["height"], steps=3)
    page.mouse.up()
    settle(page)
    drawn = image_of(pixels(page, 0), 1)
    assert drawn.max() == 1 and 0.005 < drawn.mean() < 0.1
    with torch.no_grad():
        mean, log_std = halved(blobs.model).encode(drawn[None])
    state = page.evaluate("() => traits.state")
    assert [state[f"z{i}"] for i in range(10)] == pytest.approx(mean[0].clamp(-3, 3).tolist(), abs=0.03)
    nats = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum().item()
    assert f"your picture, whose posterior is {nats:.1f} nats" in page.locator(".caption").inner_text()
    screenshot(page, "models_own")
    page.get_by_role("button", name="reset").click()
    settle(page)
    assert same(pixels(page, 0), blobs.images[0]) and page.evaluate("() => traits.state") == blobs.spec["start"]


def test_a_picture_may_be_opened_and_what_is_none_is_refused(page, blobs, tmp_path):
    mount(page, blobs)
    (tmp_path / "no.png").write_text("no picture")
    page.locator("input[type=file]").set_input_files(tmp_path / "no.png")
    page.wait_for_function("() => document.querySelector('input[type=file]').validationMessage")
    assert page.locator("input[type=file]").evaluate("e => e.validationMessage") == "that is no picture: open another"
    half = np.zeros((100, 200, 3), np.uint8)
    half[:, 100:] = 255  # of its middle square the right half is white
    Image.fromarray(half).save(tmp_path / "half.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "half.png")
    page.get_by_text("your picture").wait_for()
    assert page.locator("input[type=file]").evaluate("e => e.validationMessage") == ""
    canvas = pixels(page, 0)
    assert canvas[:, :31].max() == 0 and canvas[:, 33:].min() == 255
    Image.fromarray(np.zeros((64, 64, 4), np.uint8)).save(tmp_path / "clear.png")  # nothing of what was there shines
    page.locator("input[type=file]").set_input_files(tmp_path / "clear.png")
    page.wait_for_function("() => document.querySelector('canvas').getContext('2d').getImageData(50, 9, 1, 1)"
                           ".data[0] === 0")  # fmt: skip
    assert pixels(page, 0).max() == 0
    page.get_by_role("button", name="reset").click()
    settle(page)
    with page.expect_file_chooser() as chosen:  # the same once more, which a browser does not report by itself
        page.locator("input[type=file]").click()
    chosen.value.set_files(tmp_path / "clear.png")
    page.get_by_text("your picture").wait_for()


def test_a_large_photograph_is_averaged_and_grey(page, blobs, tmp_path):
    mount(page, blobs)
    photo = np.zeros((640, 640, 3), np.uint8)
    photo[::2] = [255, 0, 0]
    Image.fromarray(photo).save(tmp_path / "red.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "red.png")
    page.get_by_text("your picture").wait_for()
    assert np.abs(pixels(page, 0).astype(int) - round(0.2126 * 255 / 2)).max() <= 3  # every second line is black


def test_a_stroke_is_a_line_and_a_drop_beside_the_picture_keeps_the_page(page, blobs):
    mount(page, blobs)
    page.get_by_role("button", name="draw your own").click()
    place = page.locator("canvas").first.bounding_box()
    page.mouse.move(place["x"] + 0.2 * place["width"], place["y"] + 0.5 * place["height"])
    page.mouse.down()
    page.mouse.move(place["x"] + 0.8 * place["width"], place["y"] + 0.5 * place["height"])
    page.mouse.up()
    assert pixels(page, 0)[32, 14:50].min() == 255
    assert page.evaluate("""() => {
        const drop = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() });
        document.querySelector(".caption").dispatchEvent(drop);
        return drop.defaultPrevented;
    }""")


def test_a_finger_scrolls_over_pictures_until_one_draws(browser, blobs):
    context = browser.new_context(has_touch=True, viewport={"width": 420, "height": 900})
    page = context.new_page()
    mount(page, blobs)
    page.evaluate("() => { document.body.style.paddingBottom = '2000px'; }")

    def swiped(box, x: float, y: float) -> float:
        """How far the page goes with a finger from a place in a box."""
        page.evaluate("() => scrollTo(0, 20)")
        place = box.bounding_box()
        start = place["x"] + x * place["width"], place["y"] + y * place["height"]
        swipe(page, start, (start[0], start[1] - 60))
        return page.evaluate("() => scrollY") - 20

    canvas, plane = page.locator("canvas").first, page.locator(".panels svg")
    assert swiped(canvas, 0.5, 0.7) > 20 and swiped(plane, 0.1, 0.6) > 20
    assert page.evaluate("() => traits.state") == blobs.state
    assert swiped(plane.locator(".handle"), 0.5, 0.5) == 0
    assert page.evaluate("() => traits.state")[f"z{blobs.order[1]}"] > 1
    page.get_by_role("button", name="draw your own").click()
    assert swiped(canvas, 0.5, 0.7) == 0 and pixels(page, 0).max() == 255
    context.close()


def test_a_view_that_is_taken_away_neither_plays_nor_draws_on(page, blobs):
    mount(page, blobs)
    page.evaluate("""async () => {
        window.el = document.createElement("div");
        document.body.append(el);
        window.leave = await minivae.render({ model, el });
        window.gone = el.firstChild;
    }""")
    page.get_by_role("button", name="play").last.click()
    page.wait_for_function("() => said.length > 1")
    page.evaluate("() => leave()")
    said, drawn = page.evaluate("() => [said.length, gone.dataset.drawn]")
    page.evaluate("() => tell()")
    page.wait_for_timeout(400)
    assert page.evaluate("() => [said.length, gone.dataset.drawn]") == [said, drawn]


def test_letters_on_a_slider_are_not_commands_of_jupyterlab(page, blobs):
    mount(page, blobs)
    page.evaluate("() => { window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key)); }")
    slider = page.locator(".control input").first
    for key in ("x", "d", "0", "ArrowLeft", "Home", "Control+s", "Shift+Enter"):
        slider.press(key)
    assert set(page.evaluate("() => heard")) == {"Control", "s", "Shift", "Enter"}


def rows_are(page, panel: int, model: VAE, image: torch.Tensor, order: list[int], rows: int) -> None:
    """Panel's rows are the traversals of the latents in this order, from the code of an image."""
    first, side = panel * (rows + 1), image.shape[-1]
    with torch.no_grad():
        code = model.encode(image[None])[0]
        assert same(pixels(page, first)[:, :side], image)
        assert same(pixels(page, first)[:, side + GAP[side] :][:, :side], torch.sigmoid(model.decode(code))[0])
        for row, latent in enumerate(order[:rows]):
            drawn = torch.sigmoid(model.decode(traversal(code[0], latent, torch.linspace(-3, 3, 5))))
            wanted = torch.nn.functional.pad(drawn, (0, GAP[side]), value=0).movedim(0, 2).flatten(2)[..., : -GAP[side]]
            canvas = pixels(page, first + 1 + row)
            for i in range(5):
                part = slice(i * (side + GAP[side]), i * (side + GAP[side]) + side)
                assert same(canvas[:, part], wanted[..., part]), (panel, latent, i)


def test_a_training_is_slid_through(page, screenshot):
    run = Run.load("data/runs/sprites-opened-seed0.h5")
    explorer = TrainingExplorer(run)
    mount(page, explorer)
    slider, steps = page.get_by_role("slider", name="training step"), [*sorted(run.snapshots), run.step]
    slider.focus()
    slider.press("ArrowLeft")
    assert page.evaluate("() => traits.state") == {"step": steps[-2], "image": 0}
    page.wait_for_timeout(2_500)
    model = halved(run.model(steps[-2]))
    rows_are(page, 0, model, explorer.images[0], explorer.spec["models"][str(run.step)]["order"], 10)
    words = page.locator(".panels").inner_text()
    for latent, nats in enumerate(explorer.kl[str(steps[-2])].tolist()):
        assert f"z{latent}\n{nats:.2f} nats" in words
    screenshot(page, "models_training")


def test_two_of_several_runs_stand_side_by_side(page, screenshot):
    runs = {name: Run.load(f"data/runs/coloured-{name}-seed0.h5") for name in ("beta4", "opened", "vae")}
    explorer = CompareExplorer(runs, rows=3)
    mount(page, explorer)
    right = page.get_by_role("slider", name="right")
    right.focus()
    right.press("End")
    page.get_by_role("slider", name="seed image").focus()
    page.get_by_role("slider", name="seed image").press("ArrowRight")
    assert page.evaluate("() => traits.state") == {"left": "beta4", "right": "vae", "image": 1}
    page.wait_for_timeout(2_000)
    for panel, name in enumerate(("beta4", "vae")):
        order = explorer.kl[name].argsort(descending=True).tolist()
        rows_are(page, panel, halved(runs[name].model()), explorer.images[1], order, 3)
    assert page.locator(".panels > div > div:first-child").all_inner_texts() == ["beta4", "vae"]
    screenshot(page, "models_compare")


def test_the_capacity_chooses_split_and_snapshot(page, screenshot):
    run = Run.load("data/runs/generator-lagrangian-seed0.h5")
    limit, channels = load_curve("data/limits/sprites-raw-seed0.json"), SpriteChannels("raw")
    explorer = CapacityExplorer(run, limit, channels, pictures=3)
    mount(page, explorer)
    slider = page.get_by_role("slider", name="C (nats)")
    for place, capacity in (("Home", limit.capacities[0].item()), ("End", 25.0)):
        slider.focus()
        slider.press(place)
        settle(page)
        assert page.evaluate("() => traits.state.C") == pytest.approx(capacity, abs=0.05)
        assert same(pixels(page, 0), explorer.images[0])
        assert becomes(page, 1, explorer.best(capacity)[0])
        cells = page.locator(".caption td:nth-child(2)").all_inner_texts()
        best = limit.at(min(capacity, limit.capacities[-1].item()))[0].tolist()
        assert [float(cell.split(" | ")[0]) for cell in cells] == pytest.approx(best, abs=0.02)
    explorer.state = {"C": 25.0}
    model = halved(run.model())
    with torch.no_grad():
        mean, log_std = model.encode(explorer.classes[:1])
        wanted = torch.sigmoid(model.decode(mean + log_std.exp() * explorer.noise[0]))[0]
    assert same(pixels(page, 2), wanted)
    screenshot(page, "models_capacity")


def test_play_moves_what_was_touched_until_it_is_stopped(page, blobs):
    mount(page, blobs)
    page.get_by_role("button", name="play").click()
    page.wait_for_timeout(600)
    name = f"z{blobs.order[0]}"
    assert page.evaluate("() => traits.state")[name] != blobs.spec["start"][name]
    page.get_by_role("button", name="stop").click()
    state = page.evaluate("() => traits.state")
    page.wait_for_timeout(300)
    assert page.evaluate("() => traits.state") == state
    page.get_by_role("button", name="play").click()
    page.locator(".control input").first.press("End")  # taken over by hand
    assert page.get_by_role("button", name="stop").count() == 0
    assert page.evaluate("() => traits.state")[name] == 3


def test_what_cannot_be_shown_says_why(page, blobs):
    mount(page, blobs, buffers={})
    assert "cannot be shown: the run has no weights" in page.locator(".wrong").inner_text()
    short = {name: base64.b64encode(data[:-2]).decode() for name, data in blobs.buffers.items()}
    mount(page, blobs, buffers=short)
    assert "the weights are 249952 numbers, but the model has 249953" in page.locator(".wrong").inner_text()
    assert page.locator("#explorer input, #explorer button").count() == 0  # there is nothing to move
    old = page.context.browser.new_page()
    old.add_init_script("delete globalThis.Float16Array")
    mount(old, blobs)
    assert "this browser is too old, it lacks Float16Array: update it" in old.locator(".wrong").inner_text()
    old.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_sticks_out(page, blobs, screenshot, width, dark):
    runs = {name: Run.load(f"data/runs/coloured-{name}-seed0.h5") for name in ("beta4", "opened", "vae")}
    page.set_viewport_size({"width": width, "height": 1000})
    try:
        for name, explorer in (("traversal", blobs), ("compare", CompareExplorer(runs, rows=2))):
            mount(page, explorer, dark=dark)
            page.wait_for_timeout(800)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            screenshot(page, f"models_{name}_{width}_{'dark' if dark else 'light'}")
    finally:
        page.set_viewport_size({"width": 1280, "height": 1000})


@pytest.mark.slow
def test_frames_while_a_slider_is_dragged(page, blobs):
    """How long they take is printed, not asserted: it depends on the machine."""
    run = Run.load("data/runs/sprites-opened-seed0.h5")
    coloured = {name: Run.load(f"data/runs/coloured-{name}-seed0.h5") for name in ("beta4", "opened", "vae")}
    print(f"\n{'explorer':>10} {'median':>7} {'95 %':>6} {'worst':>6}   milliseconds a frame")
    for name, explorer in (
        ("traversal", blobs),
        ("training", TrainingExplorer(run)),
        ("compare", CompareExplorer(coloured)),
    ):
        mount(page, explorer)
        slider = page.locator(".control input").first
        place = slider.bounding_box()
        page.mouse.move(place["x"] + 10, place["y"] + place["height"] / 2)
        page.mouse.down()
        page.evaluate("""() => {
            window.frames = [];
            const tick = (now) => { frames.push(now); window.ticking = requestAnimationFrame(tick); };
            tick(performance.now());
        }""")
        for i in range(60):
            page.mouse.move(place["x"] + 10 + (place["width"] - 20) * abs(30 - i) / 30, place["y"] + 8)
            page.wait_for_timeout(16)
        frames = np.diff(page.evaluate("() => { cancelAnimationFrame(ticking); return frames; }"))[2:]
        page.mouse.up()
        print(f"{name:>10} {np.median(frames):7.1f} {np.percentile(frames, 95):6.1f} {frames.max():6.1f}")
