"""JupyterLab in a real browser: one server a session on a copy of the chapters, one page a chapter, run once."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
# a closed network makes Chromium's own background requests fail one after another
QUIET = ("--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
         "--disable-sync").split()  # fmt: skip
RUN_ALL_SECONDS = 600
CURRENT = "window.jupyterapp?.shell.currentWidget"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a JupyterLab on a copy of the repository: Lab marks a notebook as changed by opening it."""
    folder = tmp_path_factory.mktemp("lab")
    for part in ("chapters", "data"):
        shutil.copytree(ROOT / part, folder / "course" / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = folder / "config" / "labconfig"
    settings.mkdir(parents=True)
    overrides = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        # Lab takes cells that are out of sight out of the page; the tests want to find them
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    }
    (settings / "default_setting_overrides.json").write_text(json.dumps(overrides))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "run", "JUPYTERLAB_SETTINGS_DIR": "settings",
              "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder / 'course'}",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **{key: str(folder / value) for key, value in places.items()}},
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api/status", timeout=1).read()
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.25)
        else:
            pytest.fail(f"JupyterLab did not answer within a minute:\n{log.read_text()}")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator:
    if CHROMIUM is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_chapter(browser, lab: str) -> Callable:
    """open_chapter("04_blob_position") → its page after Run All; opened and run once a session."""
    pages = {}

    def open_once(name: str):
        if name not in pages:
            pages[name] = _run_all(browser, lab, name)
        return pages[name]

    return open_once


def _run_all(browser, lab: str, name: str):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(f"{lab}/doc/tree/chapters/{name}.ipynb?reset")
    page.wait_for_function(f"() => {CURRENT}?.context?.isReady")
    page.wait_for_function(f"() => {CURRENT}.sessionContext.session?.kernel?.status === 'idle'")
    assert page.locator(".jp-Dialog").count() == 0, page.locator(".jp-Dialog").first.inner_text()
    page.set_default_timeout(RUN_ALL_SECONDS * 1000)
    # the command's promise ends with the last cell; it does so also when a cell fails, so tests look at the outputs
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(f"() => {CURRENT}.sessionContext.session.kernel.status === 'idle'")
    page.set_default_timeout(60_000)
    return page


@pytest.fixture
def screenshot() -> Callable:
    """screenshot(page, name): keep a picture if MINIVAE_SCREENSHOTS names a folder to look into."""

    def take(page, name: str) -> None:
        if folder := os.environ.get("MINIVAE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{folder}/{name}.png")

    return take
