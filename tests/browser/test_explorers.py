"""Every explorer in JupyterLab in a real browser: what one does with keys and mouse, and what is seen of it.

What should be seen says the same explorer in this process, without a browser, with its controls set by hand.
"""

import functools
import io
import os

import ipywidgets
import lab
import numpy as np
import pytest
from PIL import Image
from test_lab import pixels


@pytest.fixture(scope="module")
def page(open_chapter):
    page = open_chapter("explorers")
    yield page
    assert page.errors == []  # of the console, whatever was done


@functools.cache
def here(name: str):
    """The explorer in this process."""
    before = os.getcwd()
    os.chdir(lab.ROOT / "chapters")
    try:
        space: dict = {}
        exec(lab.SETUP, space)
        return eval(lab.EXPLORERS[name], space)
    finally:
        os.chdir(before)


def expected(name: str, **moved) -> np.ndarray:
    """The picture, in grey, when the first control of an explorer that was not touched is moved."""
    explorer = here(name)
    first = next(iter(explorer.controls))
    return expected_at(name, explorer._alone(first, moved["first"]) if "first" in moved else explorer.start)


def expected_at(name: str, state: dict) -> np.ndarray:
    pictures, _ = here(name)._at(state)
    return np.concatenate([np.asarray(Image.open(io.BytesIO(p)).convert("L"), dtype=float) for p in pictures], axis=1)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


class Shown:
    """An explorer on the page."""

    def __init__(self, page, name: str) -> None:
        self.page, self.name = page, name
        self.box = lab.explorer(page, name)
        self.pictures = self.box.locator("img.widget-image")
        self.handle, self.track = self.box.locator(".noUi-handle").first, self.box.locator(".noUi-target").first
        self.box.scroll_into_view_if_needed()
        self.click("reset")
        page.wait_for_timeout(400)  # Lab may scroll to the cell that was clicked in, and a slider glides

    def click(self, button: str) -> None:
        self.box.get_by_role("button", name=button).click()

    @property
    def value(self) -> float:
        return number(self.box.locator(".widget-readout").first.inner_text())

    @property
    def pixels(self) -> np.ndarray:
        """Of all panels."""
        return np.concatenate([pixels(picture) for picture in self.pictures.all()], axis=1)

    def settles(self, picture: np.ndarray) -> bool:
        """Whether the picture becomes this one within some seconds."""
        for _ in range(60):
            now = self.pixels
            if now.shape == picture.shape and np.abs(now - picture).max() <= 1:  # colour becomes grey with rounding
                return True
            self.page.wait_for_timeout(100)
        return False

    def at(self, part: float) -> tuple[float, float]:
        """A place on the slider's track."""
        track = self.track.bounding_box()
        return track["x"] + part * track["width"], track["y"] + track["height"] / 2


@pytest.mark.parametrize("name", lab.EXPLORERS)
def test_keys_move_a_slider_and_reset_brings_it_back(page, screenshot, name):
    shown, control = Shown(page, name), next(iter(here(name).controls.values()))
    assert shown.settles(expected(name))
    key, times = ("ArrowLeft", 2) if isinstance(control, ipywidgets.SelectionSlider) else ("ArrowRight", 4)
    start = shown.value
    shown.handle.focus()
    for _ in range(times):
        shown.handle.press(key)
    if isinstance(control, ipywidgets.SelectionSlider):
        value = control.options[-1 - times][1]
        assert shown.value == value
    else:
        value = round(control.value + times * control.step, 6)
        assert shown.value == pytest.approx(start + times * control.step, abs=0.006)
    assert shown.settles(expected(name, first=value))
    screenshot(page, f"explorer_{name}")
    shown.click("reset")
    assert shown.settles(expected(name))


@pytest.mark.parametrize("name", lab.EXPLORERS)
def test_mouse_clicks_and_drags(page, name):
    shown, control = Shown(page, name), next(iter(here(name).controls.values()))
    page.mouse.click(*shown.at(0.6))
    page.wait_for_timeout(500)  # while a slider glides it lets no click through
    value, (_, place) = shown.value, shown.at(0.6)
    if not isinstance(control, ipywidgets.SelectionSlider):
        assert value == pytest.approx(control.min + 0.6 * (control.max - control.min), abs=2.5 * control.step)
    assert shown.settles(expected(name, first=int(value) if float(value).is_integer() else value))
    (left, place), (right, _) = shown.at(0.6), shown.at(1.0)
    page.mouse.move(*shown.at((value - control.min) / (control.max - control.min)) if hasattr(control, "min") else
                    shown.at([v for _, v in control.options].index(value) / (len(control.options) - 1)))  # fmt: skip
    page.mouse.down()
    for i in range(1, 41):
        page.mouse.move(left + (right + 20 - left) * i / 40, place)
    page.mouse.up()
    end = control.max if hasattr(control, "max") else control.options[-1][1]
    assert shown.value == pytest.approx(end)
    assert shown.settles(
        expected(name, first=end)
    )  # the last picture is that of the last place: none is left in a queue


def test_play_moves_the_picture_until_it_is_stopped(page):
    shown = Shown(page, "traversal")
    play, stop = shown.box.locator(".widget-play button").nth(0), shown.box.locator(".widget-play button").nth(1)
    play.click()
    page.wait_for_timeout(1_000)
    assert not np.array_equal(shown.pixels, expected("traversal"))
    stop.click()
    page.wait_for_timeout(500)
    before = shown.pixels
    page.wait_for_timeout(500)
    assert np.array_equal(shown.pixels, before)
    shown.click("reset")
    assert shown.settles(expected("traversal"))


def test_left_and_right_choose_two_of_several_runs(page):
    shown = Shown(page, "compare")
    left, right = (shown.box.locator(".noUi-handle").nth(i) for i in (1, 2))
    left.focus()
    left.press("End")
    wanted = {"image": 0, "left": "vae", "right": "opened"}
    assert shown.settles(expected_at("compare", wanted))
    right.focus()
    right.press("Home")
    wanted["right"] = "beta4"
    assert shown.settles(expected_at("compare", wanted))
    readouts = shown.box.locator(".widget-readout").all_inner_texts()
    assert readouts == ["0", "vae", "beta4"]
    shown.click("reset")
    assert shown.settles(expected("compare"))


def luminance(colour: str) -> float:
    """Of an "rgb(…)" colour, by WCAG 2."""
    parts = [float(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(colour: str, ground: str) -> float:
    """Of two "rgb(…)" colours, by WCAG 2, which asks for 4.5."""
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_words_stand_out_in_both_themes(page, screenshot, theme):
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_function(
        "dark => document.body.dataset.jpThemeLight === (dark ? 'false' : 'true')", arg="Dark" in theme
    )
    page.wait_for_timeout(500)
    ground = page.evaluate(
        "() => getComputedStyle(document.documentElement).getPropertyValue('--jp-layout-color0').trim()"
    )
    ground = page.evaluate(
        """colour => {
            const probe = document.createElement('p');
            probe.style.color = colour;
            document.body.append(probe);
            const value = getComputedStyle(probe).color;
            probe.remove();
            return value;
        }""",
        ground,
    )
    for name in lab.EXPLORERS:
        shown = Shown(page, name)
        screenshot(page, f"explorer_{name}_{theme.split()[1].lower()}")
        words = shown.box.locator(".widget-label, .widget-readout, .widget-html-content")
        for i in range(words.count()):
            if words.nth(i).is_visible() and words.nth(i).inner_text().strip():
                colour = words.nth(i).evaluate("element => getComputedStyle(element).color")
                assert contrast(colour, ground) > 4.5, (name, words.nth(i).inner_text(), colour, ground)


def test_on_a_narrow_screen_nothing_sticks_out(page, screenshot):
    page.set_viewport_size({"width": 420, "height": 900})
    try:
        page.wait_for_timeout(500)
        for name in lab.EXPLORERS:
            shown = Shown(page, name)
            screenshot(page, f"explorer_{name}_narrow")
            parts = shown.box.locator("img.widget-image, .noUi-target, .widget-readout, button, .widget-html-content")
            for i in range(parts.count()):
                place = parts.nth(i).bounding_box() if parts.nth(i).is_visible() else None
                assert place is None or place["x"] + place["width"] <= 420, (name, i, place)
            above = -np.inf
            for picture in shown.pictures.all():
                place = picture.bounding_box()
                natural = picture.evaluate("image => image.naturalWidth / image.naturalHeight")
                assert place["width"] / place["height"] == pytest.approx(natural, rel=0.02)  # smaller, not squeezed
                assert place["y"] >= above  # panels stand below one another
                above = place["y"] + place["height"]
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


TIME_TO_THE_PICTURE = """image => {
    window.milliseconds = null;
    let pressed;
    document.addEventListener('keydown', () => { pressed = performance.now(); }, {capture: true, once: true});
    new MutationObserver((_, observer) => {
        observer.disconnect();
        image.decode().catch(() => 0).then(() => { window.milliseconds = performance.now() - pressed; });
    }).observe(image, {attributes: true, attributeFilter: ['src']});
}"""


@pytest.mark.slow
def test_after_a_key_a_new_picture_comes(page):
    """How soon is printed, not asserted: it depends on the machine."""
    print(f"\n{'explorer':>9}  {'median':>6}  {'slowest':>7}  milliseconds from a key to the new picture")
    for name in lab.EXPLORERS:
        shown, control = Shown(page, name), next(iter(here(name).controls.values()))
        keys = ["ArrowRight"] * 12
        if not isinstance(control, ipywidgets.FloatSlider):  # of a few values: there and back, from the end it is at
            keys = ["ArrowLeft", "ArrowRight"] * 6 if name == "training" else ["ArrowRight", "ArrowLeft"] * 6
        shown.handle.focus()
        took = []
        for key in keys:
            page.evaluate(TIME_TO_THE_PICTURE, shown.pictures.last.element_handle())
            shown.handle.press(key)
            page.wait_for_function("() => window.milliseconds !== null", timeout=10_000)
            took.append(page.evaluate("() => window.milliseconds"))
            page.wait_for_timeout(300)  # while a slider glides
        print(f"{name:>9}  {np.median(took):6.0f}  {max(took):7.0f}")
        shown.click("reset")
