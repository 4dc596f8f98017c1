"""JupyterLab on a copy of the course, in a real browser: for the browser tests."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
# a closed network makes Chromium's own background requests fail one after another
QUIET = ("--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
         "--disable-sync").split()  # fmt: skip
RUN_ALL_SECONDS = 600
CURRENT = "window.jupyterapp?.shell.currentWidget"

# every explorer once, from what is recorded: a notebook that runs in seconds
SETUP = """
import torch
from minivae import Run
from minivae.course.explorers import *
from minivae.engine.curves import load_curve
from minivae.ideal_decoder import SpriteChannels

def recorded(name):
    return Run.load(f"../data/runs/{name}.h5")

def log_joint(z):
    return -0.5 * ((0.9 - torch.tanh(z)) / 0.3) ** 2 - 0.5 * z**2
"""
EXPLORERS = {
    "elbo": "ElboExplorer(log_joint)",
    "channel": "ChannelExplorer()",
    "overlap": "OverlapExplorer()",
    "water": "WaterLevelExplorer()",
    "ellipse": "TiltedEllipseExplorer()",
    "codes": "TwelveCodesExplorer()",
    "traversal": 'TraversalExplorer(recorded("blobs-beta150-seed0"))',
    "training": 'TrainingExplorer(recorded("sprites-opened-seed0"))',
    "compare": """CompareExplorer({
    name: recorded(f"coloured-{name}-seed0") for name in ("beta4", "opened", "vae")
})""",
    "capacity": """CapacityExplorer(
    recorded("generator-lagrangian-seed0"), load_curve("../data/limits/sprites-raw-seed0.json"),
    SpriteChannels("raw"),
)""",
}


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Address of a JupyterLab on a copy of the chapters made in an empty folder.

    A copy, as Lab marks a notebook as changed by opening it. Beside the chapters lies `explorers.ipynb`, every explorer
    in a cell of its own.
    """
    for part in ("chapters", "data", "tools"):  # chapter 6 asks a tool what is planned
        shutil.copytree(ROOT / part, folder / "course" / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shown = [f"{name} = {source}\n{name}" for name, source in EXPLORERS.items()]
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *shown)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, folder / "course" / "chapters" / "explorers.ipynb")
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
    environment = {key: str(folder / value) for key, value in places.items()}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder / 'course'}",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=folder
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api/status", timeout=1).read()
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}") from None
                time.sleep(0.25)
        else:
            raise RuntimeError(f"JupyterLab did not answer within a minute:\n{log.read_text()}")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        yield browser
        browser.close()


def open_notebook(browser: Any, address: str, name: str) -> Any:
    """The page of a notebook in the folder of chapters with a kernel; its errors are listed in `page.errors`."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/doc/tree/chapters/{name}.ipynb?reset")
    page.wait_for_function(f"() => {CURRENT}?.context?.isReady")
    page.wait_for_function(f"() => {CURRENT}.sessionContext.session?.kernel?.status === 'idle'")
    assert page.locator(".jp-Dialog").count() == 0, page.locator(".jp-Dialog").first.inner_text()
    return page


def run_all(browser: Any, address: str, name: str) -> Any:
    """The page of a notebook in the folder of chapters, opened and run."""
    page = open_notebook(browser, address, name)
    page.set_default_timeout(RUN_ALL_SECONDS * 1000)
    # the command's promise ends with the last cell; it does so also when a cell fails, so tests look at the outputs
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(f"() => {CURRENT}.sessionContext.session.kernel.status === 'idle'")
    page.set_default_timeout(60_000)
    return page


def explorer(page: Any, name: str) -> Any:
    """The part of the page of `explorers.ipynb` that shows one of `EXPLORERS`."""
    return page.locator(".minivae-explorer").nth(list(EXPLORERS).index(name))


def ask(page: Any, code: str) -> str:
    """What the kernel of a notebook prints when it runs some code."""
    return page.evaluate(
        f"""async code => {{
            const future = {CURRENT}.sessionContext.session.kernel.requestExecute({{code}});
            let said = "";
            future.onIOPub = ({{content}}) => {{ said += content.text ?? content.evalue ?? ""; }};
            await future.done;
            return said;
        }}""",
        code,
    )
