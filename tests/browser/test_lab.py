"""Every chapter in a real JupyterLab: opens, runs, and its explorer moves the blob."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHAPTERS = {path.stem for path in (Path(__file__).parents[2] / "chapters").glob("*.ipynb")}
CELLS = "window.jupyterapp.shell.currentWidget.content.model.cells"


def pixels(picture) -> np.ndarray:
    """What the browser decoded, in grey: the picture itself, wherever it is scrolled to."""
    data = picture.evaluate(
        """async image => {
            let whole = false;
            for (let i = 0; i < 250 && !whole; i++)  // another picture may come while one is decoded
                whole = await image.decode().then(() => true, () => new Promise(r => setTimeout(r, 20)));
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext('2d').drawImage(image, 0, 0);
            return canvas.toDataURL('image/png').split(',')[1];
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"), dtype=float)


def centre(panel: np.ndarray) -> np.ndarray:
    """Centre x, y of the brightest part: faint light far off would pull the centre of everything."""
    panel = np.where(panel > 0.4 * panel.max(), panel, 0)
    y, x = np.indices(panel.shape)
    return np.array([(panel * x).sum(), (panel * y).sum()]) / panel.sum()


def press(page, explorer, key: str, times: int) -> tuple[np.ndarray, np.ndarray]:
    """The explorer's picture before its first slider was moved by so many keys, and after."""
    explorer.scroll_into_view_if_needed()
    picture, handle = explorer.locator("img.widget-image"), explorer.locator(".widget-slider .noUi-handle").first
    before, source = pixels(picture), picture.get_attribute("src")
    handle.focus()
    for _ in range(times):
        handle.press(key)
    page.wait_for_function("([element, old]) => element.src !== old", arg=[picture.element_handle(), source])
    page.wait_for_timeout(1_000)
    return before, pixels(picture)


@pytest.mark.slow
class Chapter:
    """A chapter's tests are one class, so that one worker runs them all, on one page; the longest chapters first."""

    name: str

    def test_runs_without_error(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        screenshot(page, self.name)
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


class TestChairs(Chapter):
    name = "07_chairs_and_your_own_data"


class TestControlledCapacity(Chapter):
    name = "06_controlled_capacity"

    def test_training_slider_goes_back_to_where_fewer_latents_live(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".jp-OutputArea-output:has(.widget-image)").first
        after, before = press(page, explorer, "ArrowLeft", 8)
        screenshot(page, "06_explorer")
        assert before.shape == after.shape

        def moving(rows: np.ndarray) -> int:
            """Rows whose first and last picture differ."""
            return sum(
                np.abs(rows[top : top + 64, 96:160] - rows[top : top + 64, -68:-4]).mean() > 5
                for top in range(68, rows.shape[0] - 63, 68)  # the first row holds the seed image
            )

        assert moving(before) < moving(after)


class TestCapacityGenerator(Chapter):
    name = "05_capacity_generator"

    def test_capacity_slider_redraws_within_a_blink_and_shows_more_at_more_nats(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".jp-OutputArea-output:has(.widget-image)").last
        readout = explorer.locator(".widget-readout").first
        start = float(readout.inner_text())
        before, after = press(page, explorer, "ArrowRight", 20)
        screenshot(page, "05_explorer")
        assert float(readout.inner_text()) == pytest.approx(start + 2.0, abs=0.11)
        assert before.shape == after.shape
        original, best = slice(0, 256), slice(264, 520)
        assert np.array_equal(before[:256, original], after[:256, original])
        error = [np.abs(p[:256, best] - p[:256, original]).mean() for p in (before, after)]
        assert error[1] < error[0]  # two nats more, a better picture


class TestBlobPosition(Chapter):
    name = "04_blob_position"

    def test_living_latents_of_beta150_move_the_blob_along_one_side_each(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".jp-OutputArea-output:has(.widget-image)").last
        explorer.scroll_into_view_if_needed()
        picture = explorer.locator("img.widget-image")
        box = picture.bounding_box()
        assert abs(box["width"] - 520) < 2 and abs(box["height"] - 256) < 2, "the picture is stretched"
        handles = explorer.locator(".widget-slider .noUi-handle")  # latents by KL; the dead are folded
        moved = []
        for i in (0, 1):
            before, source = pixels(picture), picture.get_attribute("src")
            readout = explorer.locator(".widget-readout").nth(i)
            old = float(readout.inner_text().replace("−", "-"))
            key, sign = ("ArrowLeft", -1) if old > 0 else ("ArrowRight", 1)
            handles.nth(i).focus()
            for _ in range(20):
                handles.nth(i).press(key)
            page.wait_for_function("([element, old]) => element.src !== old", arg=[picture.element_handle(), source])
            page.wait_for_timeout(500)
            after = pixels(picture)
            new = float(readout.inner_text().replace("−", "-"))
            assert new - old == pytest.approx(sign * 20 * 0.05, abs=0.06)
            assert np.array_equal(before[:, :256], after[:, :256])  # the seed image stays
            moved.append(np.abs(centre(after[:, 264:]) - centre(before[:, 264:])))
        screenshot(page, "04_explorer")
        # one latent is x and the other y; which is which depends on the seed
        x, y = sorted(moved, key=lambda move: move[1])
        assert x[0] > 20 and x[1] < 0.3 * x[0]
        assert y[1] > 20 and y[0] < 0.3 * y[1]


class TestPosteriorOverlap(Chapter):
    name = "03_posterior_overlap"


class TestChannel(Chapter):
    name = "02_awgn_channel"


class TestElbo(Chapter):
    name = "01_elbo"


def test_every_chapter_is_tested():
    assert {chapter.name for chapter in Chapter.__subclasses__()} == CHAPTERS
