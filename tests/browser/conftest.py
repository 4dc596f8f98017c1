"""One JupyterLab a session on a copy of the chapters, one page a notebook, run once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import CHROMIUM, NAMES, chromium, run_all, serve


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a JupyterLab."""
    with serve(tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the PATH")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def open_chapter(browser, address: str) -> Callable:
    """open_chapter("04_blob_position") → its page after Run All; opened and run once a session."""
    pages = {}

    def open_once(name: str):
        if name not in pages:
            pages[name] = run_all(browser, address, name)
        return pages[name]

    return open_once


@pytest.fixture
def screenshot() -> Callable:
    """screenshot(page, name): keep a picture if MINIVAE_SCREENSHOTS names a folder to look into."""

    def take(page, name: str) -> None:
        if folder := os.environ.get("MINIVAE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{folder}/{name}.png")

    return take
