"""The book in a real browser, from the disk and with no network: mathematics, sliders, search, links, dark theme."""

import re
import urllib.parse
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import build_book
import numpy as np
import pytest
from bare import canvas
from test_explorers import contrast
from test_lab import centre

CHAPTERS = sorted(path.stem for path in build_book.CHAPTERS.glob("*.ipynb"))


# of words, and of what is behind them
COLOURS = """element => {
    const colour = getComputedStyle(element).color;
    const ground = () => getComputedStyle(element).backgroundColor;
    while (ground() === 'rgba(0, 0, 0, 0)' && element.parentElement) element = element.parentElement;
    return [colour, ground()];
}"""


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book") / "site"
    assert build_book.build(folder) == 0
    return folder


@pytest.fixture
def page(browser) -> Iterator:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    away = [url for url in page.requests if not url.startswith(("file://", "data:", "blob:"))]
    assert away == [], "the book must load nothing from elsewhere"
    assert page.errors == []
    page.close()


class Parts(HTMLParser):
    """Links, anchors and pictures of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.pictures: list[dict[str, str | None]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        if tag == "img":
            self.pictures.append(found)
        if link := found.get("href") or (found.get("src") if tag in ("img", "script") else None):
            self.links.append(link)


def test_links_lead_somewhere(book):
    pages = {path: Parts(path) for path in book.rglob("*.html")}
    broken = []
    for path, parts in pages.items():
        for link in parts.links:
            if link.startswith(("data:", "mailto:", "https://", "http://")):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / urllib.parse.unquote(file.split("?")[0])).resolve() if file else path
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append((path.name, link))
    assert len(pages) > 2 * len(CHAPTERS) and broken == []


def test_every_picture_says_what_it_shows(book):
    for name in CHAPTERS:
        pictures = Parts(book / "chapters" / f"{name}.html").pictures
        assert len(pictures) >= 2
        for picture in pictures:
            assert len((picture.get("alt") or "").split()) > 4, (name, str(picture)[:200])


def test_chapters_are_linked(book):
    text = (book / "chapters" / "06_controlled_capacity.html").read_text(encoding="utf-8")
    assert re.search(r'<a [^>]*href="05_capacity_generator\.html"', text)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_mathematics_is_set(book, page, name, screenshot):
    page.goto((book / "chapters" / f"{name}.html").as_uri())
    page.wait_for_function("() => window.MathJax?.startup?.promise")
    page.evaluate("() => MathJax.startup.promise")
    assert page.locator("mjx-container svg").count() > 5
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = page.locator("article").inner_text()
    assert "$$" not in text and "\\mathrm" not in text
    screenshot(page, f"book_{name}")


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_slider_moves_its_drawing(book, page, name):
    page.goto((book / "chapters" / f"{name}.html").as_uri())
    explorers = page.locator(".minivae-explorer")
    still = page.get_by_text("its model is trained there")  # of a model that is not recorded there is a picture
    shown = len(
        re.findall(r"^\w*Explorer\(", (build_book.ROOT / "chapters" / f"{name}.py").read_text("utf-8"), re.MULTILINE)
    )
    assert explorers.count() + still.count() >= shown
    for i in range(explorers.count()):
        explorer = explorers.nth(i)
        explorer.scroll_into_view_if_needed()
        page.wait_for_function("e => e.dataset.drawn", arg=explorer.element_handle())
        assert explorer.locator("img").count() == 0  # the picture has given way
        box = explorer.locator(".panels").bounding_box()
        assert box["width"] > 200 and box["height"] > 100
        for slider in explorer.locator("input[type=range]").all():
            if slider.is_visible():
                before = explorer.get_attribute("data-drawn")
                slider.focus()
                slider.press("ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight")
                page.wait_for_function("([e, old]) => e.dataset.drawn !== old", arg=[explorer.element_handle(), before])
        assert explorer.locator(".wrong").count() == 0


@pytest.mark.parametrize("name", ["index", "chapters/04_blob_position"])
def test_slider_of_a_latent_moves_the_blob_along_one_side(book, page, name):
    page.goto((book / f"{name}.html").as_uri())
    explorer = page.locator(".minivae-explorer").last
    explorer.scroll_into_view_if_needed()
    slider, drawn = explorer.locator("input[type=range]").first, explorer.locator("canvas").nth(1)
    slider.focus()
    slider.press("Home")
    places = []
    for _ in range(13):
        places.append(centre(canvas(drawn).mean(-1)))
        for _ in range(10):
            slider.press("ArrowRight")
        page.wait_for_timeout(100)
    spread = sorted(np.ptp(places, axis=0))
    assert spread[1] > 15 and spread[0] < 0.3 * spread[1]


def test_pages_are_small(book):
    for name in CHAPTERS:
        assert (book / "chapters" / f"{name}.html").stat().st_size < 3e6


def test_search_finds_a_word(book, page):
    page.goto((book / "search.html").as_uri() + "?q=water-filling")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a[href*='02_awgn_channel']").count() >= 1


def test_reader_can_go_on_to_the_next_chapter(book, page):
    page.goto((book / "index.html").as_uri())
    page.locator("a.next-page").click()
    assert page.url.endswith("01_elbo.html")
    page.locator("a.next-page").click()
    assert page.url.endswith("02_awgn_channel.html")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_no_page_is_wider_than_its_window(book, browser, theme, width, screenshot):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    for name in ("../index", *CHAPTERS):
        page.goto((book / "chapters" / f"{name}.html").resolve().as_uri())
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 1, f"{name} can be scrolled sideways by {wide} pixels"
        dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", dark)[:3])) < 200) == (theme == "dark")
        explorers = page.locator(".minivae-explorer")
        for i in range(explorers.count()):
            explorers.nth(i).scroll_into_view_if_needed()
            explorers.nth(i).locator("label.control").first.wait_for()
            for words in explorers.nth(i).locator("b, label span, output, .caption, button").all():
                assert contrast(*words.evaluate(COLOURS)) > 4.5, (name, words.inner_text())
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 1, f"{name}'s explorers stick out by {wide} pixels"
        if explorers.count():
            explorers.first.scroll_into_view_if_needed()
        screenshot(page, f"book_{Path(name).name}_{theme}_{width}")
    page.close()
