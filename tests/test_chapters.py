"""Every chapter passes every gate. That the gates can fail is shown by test_canaries.py."""

from pathlib import Path

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
