"""Every chapter in a real JupyterLab: opens, runs, and its explorer moves the blob."""

from pathlib import Path

import numpy as np
import pytest
from bare import canvas

CHAPTERS = {path.stem for path in (Path(__file__).parents[2] / "chapters").glob("*.ipynb")}
CELLS = "window.jupyterapp.shell.currentWidget.content.model.cells"


def centre(panel: np.ndarray) -> np.ndarray:
    """Centre x, y of the brightest part: faint light far off would pull the centre of everything."""
    panel = np.where(panel > 0.4 * panel.max(), panel, 0)
    y, x = np.indices(panel.shape)
    return np.array([(panel * x).sum(), (panel * y).sum()]) / panel.sum()


def number(readout) -> float:
    return float(readout.inner_text().replace("−", "-"))


def press(page, explorer, key: str, times: int) -> None:
    """Move the explorer's first slider by so many keys, and wait until all is drawn."""
    explorer.scroll_into_view_if_needed()
    explorer.locator("canvas").first.wait_for()
    slider = explorer.locator("input[type=range]").first
    slider.focus()
    for _ in range(times):
        slider.press(key)
    page.wait_for_timeout(2_500)


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
    name = "11_chairs"


class TestYourOwnPictures(Chapter):
    name = "12_your_own_pictures"


class TestWhatCameAfter(Chapter):
    name = "13_what_came_after"


class TestTrainingThatGoesOn(Chapter):
    name = "10_training_that_goes_on"

    def test_training_slider_goes_back_to_where_fewer_latents_live(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".minivae-explorer").first
        explorer.scroll_into_view_if_needed()
        page.wait_for_timeout(2_500)

        def moving() -> int:
            """Latents whose first and last picture differ."""
            rows = [canvas(row).astype(float) for row in explorer.locator("canvas").all()[1:]]
            return sum(np.abs(row[:, :64] - row[:, -64:]).mean() > 5 for row in rows)

        after = moving()
        press(page, explorer, "ArrowLeft", 8)
        screenshot(page, "10_explorer")
        assert moving() < after


class TestMissedSplit(Chapter):
    name = "08_missed_split"


class TestWhyTheseAxes(Chapter):
    name = "07_why_these_axes"


class TestControlledCapacity(Chapter):
    name = "06_controlled_capacity"


class TestFactorsOrMoments(Chapter):
    name = "09_factors_or_moments"


class TestCapacityGenerator(Chapter):
    name = "05_capacity_generator"

    def test_capacity_slider_shows_more_at_more_nats(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".minivae-explorer").last
        readout = explorer.locator("output").first
        explorer.locator("canvas").first.wait_for()
        start = number(readout)
        before = [canvas(place).astype(float) for place in explorer.locator("canvas").all()]
        press(page, explorer, "ArrowRight", 20)
        screenshot(page, "05_explorer")
        after = [canvas(place).astype(float) for place in explorer.locator("canvas").all()]
        assert number(readout) == pytest.approx(start + 2.0, abs=0.11)
        assert np.array_equal(before[0], after[0])
        error = [np.abs(best - original).mean() for original, best, _ in (before, after)]
        assert error[1] < error[0]  # two nats more, a better picture


class TestBlobPosition(Chapter):
    name = "04_blob_position"

    def test_active_latents_of_beta150_move_the_blob_along_one_side_each(self, open_chapter, screenshot):
        page = open_chapter(self.name)
        explorer = page.locator(".minivae-explorer").last
        explorer.scroll_into_view_if_needed()
        drawn = explorer.locator("canvas").nth(1)
        box = drawn.bounding_box()
        assert box["width"] == pytest.approx(box["height"], abs=2), "the picture is stretched"
        moved = []
        for i in (0, 1):  # latents by KL; the inactive ones are folded
            before, readout = canvas(drawn).mean(-1), explorer.locator("output").nth(i)
            old = number(readout)
            key, sign = ("ArrowLeft", -1) if old > 0 else ("ArrowRight", 1)
            slider = explorer.locator("input[type=range]").nth(i)
            slider.focus()
            for _ in range(20):
                slider.press(key)
            page.wait_for_timeout(500)
            assert number(readout) - old == pytest.approx(sign * 20 * 0.05, abs=0.06)
            moved.append(np.abs(centre(canvas(drawn).mean(-1)) - centre(before)))
        screenshot(page, "04_explorer")
        # one latent is x and the other y; which is which depends on the seed
        x, y = sorted(moved, key=lambda move: move[1])
        assert x[0] > 5 and x[1] < 0.3 * x[0]
        assert y[1] > 5 and y[0] < 0.3 * y[1]


class TestPosteriorOverlap(Chapter):
    name = "03_posterior_overlap"


class TestChannel(Chapter):
    name = "02_awgn_channel"


class TestElbo(Chapter):
    name = "01_elbo"


def test_every_chapter_is_tested():
    assert {chapter.name for chapter in Chapter.__subclasses__()} == CHAPTERS
