"""Every chapter passes every gate. That the gates can fail is shown by test_canaries.py."""

import json
import shutil
from pathlib import Path

import build_chapters
import gates
import pytest

CHAPTERS = Path(__file__).parents[1] / "chapters"
NOTEBOOKS = sorted(CHAPTERS.rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]


def test_every_text_file_has_a_notebook_and_there_are_some():
    texts = {path.with_suffix("") for path in CHAPTERS.rglob("*.py") if ".ipynb_checkpoints" not in path.parts}
    assert texts == {path.with_suffix("") for path in NOTEBOOKS} != set()


@pytest.mark.parametrize("gate", gates.GATES, ids=lambda gate: gate.__name__)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.relative_to(CHAPTERS)))
def test_chapter_passes(notebook, gate):
    gate(notebook)


def test_prose_is_brought_over_and_changed_code_is_not(tmp_path):
    source = tmp_path / "a.py"
    shutil.copy(NOTEBOOKS[0].with_suffix(".py"), source)
    shutil.copy(NOTEBOOKS[0], tmp_path / "a.ipynb")
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
