"""Every chapter passes every gate. That the gates can fail is shown by test_canaries.py."""

import base64
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import build_book
import build_chapters
import gates
import jupytext
import nbformat
import numpy as np
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class
from PIL import Image

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "chapters"
NOTEBOOKS = sorted(CHAPTERS.rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]


def test_every_text_file_has_a_notebook_and_there_are_some():
    texts = {path.with_suffix("") for path in CHAPTERS.rglob("*.py") if ".ipynb_checkpoints" not in path.parts}
    assert texts == {path.with_suffix("") for path in NOTEBOOKS} != set()


@pytest.mark.parametrize("gate", gates.GATES, ids=lambda gate: gate.__name__)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.relative_to(CHAPTERS)))
def test_chapter_passes(notebook, gate):
    gate(notebook)


NO_PLACE_FOR_LINKS = re.compile(r"```.*?```|\$[^$]+\$|`[^`]*`|^#[^\n]*", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_another_chapter_is_named_with_a_link_to_it(path):
    files = {int(other.stem[:2]): other.name for other in CHAPTERS.glob("*.ipynb")}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            text = NO_PLACE_FOR_LINKS.sub("", cell.source)
            for number, file in re.findall(r"\[[Cc]hapter (\d+)\]\(([^)]*)\)", text):
                assert file == files[int(number)], (path.name, number, file)
            bare = re.findall(r"(?<!\[)\b[Cc]hapter (\d+)", text)
            assert not {int(number) for number in bare} & set(files) - {int(path.stem[:2])}, (path.name, text)


# Words of prose and lines of code that a reader meets; folds and cells tagged `checks` do not count. Ceilings only come
# down: to 2,600 and 230 in the six core chapters, to 3,200 and 300 in the deeper ones.
CORE, DEEPER = (2_600, 230), (3_200, 300)
CEILINGS = {
    "01_elbo": CORE,
    "02_awgn_channel": CORE,
    "03_posterior_overlap": CORE,
    "04_blob_position": CORE,
    "05_capacity_generator": CORE,
    "06_controlled_capacity": CORE,
    "07_why_these_axes": DEEPER,
    "08_missed_split": DEEPER,
    "09_factors_or_moments": DEEPER,
    "10_training_that_goes_on": DEEPER,
    "11_chairs": DEEPER,
    "12_your_own_pictures": DEEPER,
    "13_what_came_after": DEEPER,
}


def read(path: Path) -> tuple[int, int]:
    """Words of prose and lines of code of a chapter's text file; a formula counts as one word."""
    words = lines = 0
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"<details.*?</details>", "", cell.source, flags=re.DOTALL)
            words += len(re.findall(r"\w[\w'’.,-]*", re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "M", text, flags=re.DOTALL)))
        elif build_chapters.FOLDED not in cell.metadata.get("tags", []):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    return words, lines


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.py")), ids=lambda path: path.stem)
def test_a_chapter_keeps_to_its_budget_and_says_how_long_it_takes(path):
    (words, lines), (most_words, most_lines) = read(path), CEILINGS[path.stem]
    assert words <= most_words and lines <= most_lines, f"{words} words, {lines} lines of code"
    stated = int(re.search(r"\*\*Time:\*\* (\d+) minutes to read", path.read_text(encoding="utf-8")).group(1))
    if most_words <= 3_200:  # ninety words, or fifteen lines of code, a minute: as fresh readers took
        assert words / 90 + lines / 15 <= stated <= (45 if path.stem < "07" else 60)


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.py")), ids=lambda path: path.stem)
def test_the_minutes_of_the_exercises_add_up(path):
    text = path.read_text(encoding="utf-8")
    of_exercises = re.findall(r"^# \*\*\d+\.\d\*\* \(([^)]*)\)", text, re.MULTILINE)
    closed = [words for words in of_exercises if "open" not in words]
    assert len(closed) == len(of_exercises) - 1 >= 3
    minutes = sum(int(re.search(r"(\d+) min", words).group(1)) for words in closed)
    assert f"minutes to read, {minutes} for exercises, " in text


def test_prose_is_brought_over_and_changed_code_is_not(tmp_path):
    source = tmp_path / "a.py"
    shutil.copy(NOTEBOOKS[0].with_suffix(".py"), source)
    build_chapters.write(nbformat.read(NOTEBOOKS[0], as_version=4), tmp_path / "a.ipynb")
    before = json.loads((tmp_path / "a.ipynb").read_text())
    text = source.read_text()
    source.write_text(text.replace("# # Chapter", "# # A new title of chapter", 1))
    assert build_chapters.bring_text(source)
    after = json.loads((tmp_path / "a.ipynb").read_text())
    assert after["cells"][0]["source"][0].startswith("# A new title of chapter")
    assert [cell for cell in before["cells"] if cell["cell_type"] == "code"] == [
        cell for cell in after["cells"] if cell["cell_type"] == "code"
    ]
    source.write_text(text.replace("import torch\n", "import torch\n\nx = 1\n", 1))
    assert not build_chapters.bring_text(source)
    assert json.loads((tmp_path / "a.ipynb").read_text()) == after


def test_of_widgets_their_pictures_are_stored_and_nothing_that_needs_a_kernel():
    content = io.BytesIO()
    Image.new("RGB", (1, 1)).save(content, "PNG")
    drawn = {"image/png": build_chapters.packed(base64.b64encode(content.getvalue()).decode())}
    view = {build_chapters.WIDGET: {"model_id": "0"}, "text/plain": "Explorer"}
    outputs = [nbformat.v4.new_output("display_data", data) for data in (view, view | drawn, {"text/plain": "1"})]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("Explorer()", outputs=outputs)])
    for _ in range(2):  # a second time changes nothing
        build_chapters.canonicalise(notebook)
        assert [output.data for output in notebook.cells[0].outputs] == [
            {"text/plain": "Explorer"} | drawn, build_chapters.HINT, {"text/plain": "1"},
        ]  # fmt: skip


@pytest.mark.parametrize(("mode", "colours"), [("RGB", 3), ("RGB", 2_000), ("RGBA", 3)])
def test_a_picture_is_stored_in_fewer_bytes_and_the_same(mode, colours):
    pixels = np.random.default_rng(0).integers(0, 256, (colours, 4), np.uint8)
    pixels = pixels[np.arange(64 * 64) % colours].reshape(64, 64, 4)
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, "PNG", compress_level=1)
    png = base64.b64encode(content.getvalue()).decode()
    found = build_chapters.packed(png)
    assert len(found) <= len(png) and build_chapters.packed(found) == found
    again = Image.open(io.BytesIO(base64.b64decode(found))).convert(mode)
    assert (np.asarray(again) == np.asarray(Image.open(content).convert(mode))).all()


def lab(root: Path) -> LargeFileManager:
    """What opens and saves files for a JupyterLab started in this folder, without its log."""
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)()
    manager.root_dir, manager.log = str(root), logging.getLogger("contents manager")
    manager.log.setLevel(logging.CRITICAL + 1)
    return manager


@pytest.fixture
def checkout(tmp_path):
    """The chapters as git may leave them: every text an hour older than its notebook."""
    shutil.copytree(CHAPTERS, tmp_path / "chapters", ignore=shutil.ignore_patterns(".ipynb_checkpoints", "pictures"))
    for notebook in tmp_path.rglob("*.ipynb"):
        now = notebook.stat().st_mtime
        os.utime(notebook.with_suffix(".py"), (now - 3600, now - 3600))
    return tmp_path


@pytest.mark.parametrize("folder", [".", "chapters"])  # the repository's root, and where `make lab` starts
def test_every_notebook_opens_where_its_text_is_older(checkout, folder):
    root = checkout / folder
    for notebook in sorted(checkout.rglob("*.ipynb")):
        lab(root).get(str(notebook.relative_to(root)))  # refused if the two differ


@pytest.mark.parametrize("folder", [".", "chapters"])
def test_what_is_saved_in_lab_reaches_the_text(checkout, folder):
    root, notebook = checkout / folder, checkout / "chapters" / NOTEBOOKS[0].name
    path, text = str(notebook.relative_to(root)), notebook.with_suffix(".py").read_text(encoding="utf-8")
    model = lab(root).get(path)
    lab(root).save({"type": "notebook", "format": "json", "content": model["content"]}, path)
    assert notebook.with_suffix(".py").read_text(encoding="utf-8") == text
    model["content"].cells[0].source = "# A title from Lab"
    lab(root).save({"type": "notebook", "format": "json", "content": model["content"]}, path)
    assert notebook.with_suffix(".py").read_text(encoding="utf-8").startswith("# %% [markdown]\n# # A title from Lab\n")


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_lab_works_in_a_path_with_a_space(tmp_path):
    course = tmp_path / "a course"
    (course / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, course)
    python = course / ".venv" / "bin" / "python"  # says how it was called
    python.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    python.chmod(0o755)
    (course / ".venv" / ".installed").touch()
    command = ["make", "-s", "lab", f"PY={sys.executable}"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[:2] == ["-m", "jupyterlab"] and said[-1] == "chapters"


@pytest.mark.parametrize("path", sorted(Path("chapters").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_picture_has_a_caption_that_the_book_can_read(path, tmp_path):
    notebook = nbformat.read(path, 4)
    build_book.make_ready(notebook, path, tmp_path)  # raises if one has none
    drawn = [
        cell for cell in notebook.cells if any("image/png" in out.get("data", {}) for out in cell.get("outputs", []))
    ]
    assert drawn and all(len(cell.metadata["mystnb"]["image"]["alt"]) > 20 for cell in drawn)
