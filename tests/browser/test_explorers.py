"""Every explorer in JupyterLab in a real browser: what one does with keys and mouse, and what Python knows of it."""

import json

import lab
import numpy as np
import pytest
from bare import canvas


@pytest.fixture(scope="module")
def page(open_chapter):
    page = open_chapter("explorers")
    page.locator(".minivae-explorer[data-drawn]").nth(len(lab.EXPLORERS) - 1).wait_for()
    yield page
    assert page.errors == []  # of the console, whatever was done


def state(page, name: str) -> dict:
    """What Python holds."""
    return json.loads(lab.ask(page, f"import json; print(json.dumps({name}.state))"))


def becomes(page, name: str, wanted: dict) -> bool:
    """Whether page and kernel both hold a state within some seconds."""
    for _ in range(50):
        shown = json.loads(lab.explorer(page, name).get_attribute("data-drawn"))
        if shown == pytest.approx(wanted) and state(page, name) == pytest.approx(wanted):
            return True
        page.wait_for_timeout(100)
    return False


@pytest.mark.parametrize("name", lab.EXPLORERS)
def test_keys_move_a_slider_python_knows_and_reset_brings_it_back(page, screenshot, name):
    box, start = lab.explorer(page, name), state(page, name)
    box.scroll_into_view_if_needed()
    slider, readout = box.locator("input[type=range]").first, box.locator("output").first
    before, picture = readout.inner_text(), box.screenshot()
    key = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
    slider.focus()
    for _ in range(4):
        slider.press(key)
    moved = json.loads(box.get_attribute("data-drawn"))
    page.wait_for_timeout(300)
    assert readout.inner_text() != before and box.screenshot() != picture
    moved = json.loads(box.get_attribute("data-drawn"))
    changed, first = {key for key in start if moved[key] != start[key]}, next(iter(start))
    assert first in changed
    assert name in ("water", "codes") or changed == {first}  # in these two others follow, else none
    assert becomes(page, name, moved)
    screenshot(page, f"explorer_{name}")
    box.get_by_role("button", name="reset").click()
    if name == "codes":  # it keeps the cut, as others keep the seed image
        follow = lab.ask(page, f"print(json.dumps(codes.spec['follow']['cut'][{moved['cut']}]))")
        start = start | {"cut": moved["cut"]} | json.loads(follow)
    assert becomes(page, name, start)


@pytest.mark.slow
@pytest.mark.parametrize("name", lab.EXPLORERS)
def test_mouse_drags_a_slider_to_its_end(page, name):
    box = lab.explorer(page, name)
    slider = box.locator("input[type=range]").first
    slider.scroll_into_view_if_needed()
    place = slider.bounding_box()
    x, y = place["x"] + 0.3 * place["width"], place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] + 20, y, steps=10)
    page.mouse.up()
    assert float(slider.input_value()) == pytest.approx(float(slider.get_attribute("max")))
    box.get_by_role("button", name="reset").click()


def test_python_moves_a_slider_and_the_picture(page):
    box = lab.explorer(page, "traversal")
    start, before = state(page, "traversal"), canvas(box.locator("canvas").nth(1))
    name = next(iter(start))
    assert lab.ask(page, f"traversal.state = {{{name!r}: -2.0}}") == ""
    assert becomes(page, "traversal", start | {name: -2.0})
    after = canvas(box.locator("canvas").nth(1))
    page.wait_for_timeout(300)
    assert np.abs(after.astype(float) - before).max() > 50
    assert "z0 must be from -3 to 3, got 4" in lab.ask(page, "traversal.state = {'z0': 4}")
    box.get_by_role("button", name="reset").click()
    assert becomes(page, "traversal", start)


def luminance(colour: str) -> float:
    """Of an "rgb(…)" colour, by WCAG 2."""
    parts = [float(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(colour: str, ground: str) -> float:
    """Of two "rgb(…)" colours, by WCAG 2, which asks for 4.5."""
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_words_stand_out_in_both_themes(page, screenshot, theme):
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_function(
        "dark => document.body.dataset.jpThemeLight === (dark ? 'false' : 'true')", arg="Dark" in theme
    )
    page.wait_for_timeout(500)
    ground = page.evaluate(
        """() => {
            const probe = document.createElement('p');
            probe.style.color = getComputedStyle(document.documentElement).getPropertyValue('--jp-layout-color0');
            document.body.append(probe);
            const value = getComputedStyle(probe).color;
            probe.remove();
            return value;
        }"""
    )
    for name in lab.EXPLORERS:
        box = lab.explorer(page, name)
        box.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        screenshot(page, f"explorer_{name}_{theme.split()[1].lower()}")
        for words in box.locator("b, label span, output, .caption, button, summary, svg text").all():
            if words.is_visible() and words.text_content().strip():
                colour = words.evaluate("e => getComputedStyle(e)[e instanceof SVGElement ? 'fill' : 'color']")
                assert contrast(colour, ground) > 4.5, (name, words.text_content(), colour, ground)


def test_on_a_narrow_screen_nothing_sticks_out(page, screenshot):
    page.set_viewport_size({"width": 420, "height": 900})
    try:
        page.wait_for_timeout(500)
        for name in lab.EXPLORERS:
            box = lab.explorer(page, name)
            box.scroll_into_view_if_needed()
            screenshot(page, f"explorer_{name}_narrow")
            for part in box.locator("canvas, svg, input, output, button, .caption").all():
                place = part.bounding_box() if part.is_visible() else None
                assert place is None or place["x"] + place["width"] <= 420, (name, place)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


KIND = "application/vnd.jupyter.widget-state+json"


def test_a_saved_notebook_shows_what_was_drawn_when_it_is_opened_anew(page, browser, address, screenshot):
    moved = lab.explorer(page, "water").locator("input[type=range]").first
    moved.focus()
    moved.press("Home")
    page.wait_for_timeout(500)
    drawn = [lab.explorer(page, name).locator(".caption").inner_text() for name in lab.EXPLORERS]
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    copied = page.evaluate(
        "async () => (await jupyterapp.serviceManager.contents.copy('chapters/explorers.ipynb', 'chapters')).name"
    )
    other = lab.open_notebook(browser, address, copied.removesuffix(".ipynb"))
    try:
        hints = other.get_by_text("Run the cell to drag.")
        hints.nth(len(lab.EXPLORERS) - 1).wait_for()
        assert other.get_by_text("Error displaying widget").count() == 0 and other.errors == []
        boxes = other.locator(".minivae-explorer").all()
        assert [box.locator(".caption").inner_text() for box in boxes] == drawn
        for name, box in zip(lab.EXPLORERS, boxes, strict=True):
            box.scroll_into_view_if_needed()
            assert box.locator("input, button").count() == 0  # there is nothing to move
            for part in box.locator("svg[viewBox^='0 0 '], .panels img").all():
                place = part.bounding_box()
                assert place["width"] > 40 and place["height"] > 40
            screenshot(other, f"reopened_{name}")
        saved = other.evaluate(f"kind => {lab.CURRENT}.context.model.getMetadata('widgets')[kind].state", KIND)
        assert len(saved) == len(lab.EXPLORERS) and max(len(json.dumps(of)) for of in saved.values()) < 400_000
        print({name: len(json.dumps(of)) for name, of in zip(lab.EXPLORERS, saved.values(), strict=True)})
        # what is run again is alive again, and what it showed before goes from the file
        other.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        other.locator(".minivae-explorer[data-drawn] button").nth(2 * len(lab.EXPLORERS) - 1).wait_for()
        other.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        again = other.evaluate(f"kind => {lab.CURRENT}.context.model.getMetadata('widgets')[kind].state", KIND)
        assert len(again) == len(saved) and not again.keys() & saved.keys()
        assert other.errors == []
    finally:
        other.close()
        lab.explorer(page, "water").get_by_role("button", name="reset").click()
