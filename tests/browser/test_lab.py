"""Every chapter in a real JupyterLab: opens, runs, and its explorer moves the blob."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHAPTERS = sorted(path.stem for path in (Path(__file__).parents[2] / "chapters").glob("*.ipynb"))
CELLS = "window.jupyterapp.shell.currentWidget.content.model.cells"


def test_there_are_chapters():
    assert CHAPTERS


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_without_error(open_chapter, screenshot, name):
    page = open_chapter(name)
    screenshot(page, name)
    outputs = page.evaluate(
        f"""() => Array.from({CELLS}).filter(cell => cell.type === 'code').map(cell => ({{
            count: cell.executionCount,
            bad: cell.outputs.toJSON().filter(o => o.output_type === 'error' || o.name === 'stderr'),
        }}))"""
    )
    assert [cell["count"] for cell in outputs] == list(range(1, len(outputs) + 1)), "not every cell was run"
    assert [cell["bad"] for cell in outputs if cell["bad"]] == []
    assert page.locator(".jp-Dialog").count() == 0
    assert page.errors == []


def centre(png: bytes, half: str) -> tuple[float, float]:
    """Centre of light of the seed image (left) or the drawn picture (right) in a screenshot of the explorer."""
    grey = np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)
    middle = grey.shape[1] // 2
    panel = grey[:, : middle - 8] if half == "left" else grey[:, middle + 8 :]
    panel = np.where(panel > 60, panel, 0)  # the brightest part: faint light far off would pull the centre
    y, x = np.indices(panel.shape)
    return (panel * x).sum() / panel.sum(), (panel * y).sum() / panel.sum()


def test_living_latents_of_beta150_move_the_blob_along_one_side_each(open_chapter, screenshot):
    page = open_chapter("04_blob_position")
    explorer = page.locator(".jp-OutputArea-output:has(.widget-image)").last
    explorer.scroll_into_view_if_needed()
    picture = explorer.locator("img.widget-image")
    box = picture.bounding_box()
    assert abs(box["width"] - 520) < 2 and abs(box["height"] - 256) < 2, "the picture is stretched"
    handles = explorer.locator(".widget-slider .noUi-handle")  # seed image, then latents by KL; the dead are folded
    moved = []
    for i in (1, 2):
        before, source = picture.screenshot(), picture.get_attribute("src")
        readout = explorer.locator(".widget-readout").nth(i)
        old = float(readout.inner_text().replace("−", "-"))
        key, sign = ("ArrowLeft", -1) if old > 0 else ("ArrowRight", 1)
        handles.nth(i).focus()
        for _ in range(20):
            handles.nth(i).press(key)
        page.wait_for_function("([element, old]) => element.src !== old", arg=[picture.element_handle(), source])
        page.wait_for_timeout(500)
        after = picture.screenshot()
        new = float(readout.inner_text().replace("−", "-"))
        assert new - old == pytest.approx(sign * 20 * 0.05, abs=0.06)
        assert centre(before, "left") == pytest.approx(centre(after, "left"), abs=0.5)  # the seed image stays
        moved.append(np.abs(np.subtract(centre(after, "right"), centre(before, "right"))))
    screenshot(page, "04_explorer")
    # one latent is x and the other y; which is which depends on the seed
    x, y = sorted(moved, key=lambda move: move[1])
    assert x[0] > 20 and x[1] < 0.3 * x[0]
    assert y[1] > 20 and y[0] < 0.3 * y[1]
