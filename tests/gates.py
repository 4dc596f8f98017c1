"""What nbval does not check about a chapter. Each gate raises AssertionError that says what is wrong and what to do."""

import json
import re
from pathlib import Path

import jupytext
from build_chapters import FOLDED, from_text  # the gate and the builder must mean the same by a pair
from jupytext.config import load_jupytext_config

REBUILD = "run `make chapters ONLY=NAME`"
WIDTH = 84  # as in chapters/ruff.toml, whose formatter breaks neither strings nor comments


def pair_is_in_sync(notebook: Path) -> None:
    """The cells of the notebook are those of the text file, and the text is what jupytext writes of the notebook.

    Both ways: JupyterLab refuses to open a notebook that is newer than its text unless they are one.
    """
    text = notebook.with_suffix(".py")
    assert text.exists(), f"{notebook.name} has no paired {text.name}"
    stored = [
        (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", []), cell.get("id"))
        for cell in _cells(notebook)
    ]
    source = [(c.cell_type, c.source, c.metadata.get("tags", []), c.id) for c in from_text(text).cells]
    assert stored == source, f"{notebook.name} has drifted from {text.name}: {REBUILD}"
    config = load_jupytext_config(str(text))
    for half in (text, notebook):
        written = jupytext.writes(jupytext.read(half, config=config), fmt="py:percent", config=config)
        assert written == text.read_text(encoding="utf-8"), (
            f"{text.name} is not what {half.name} is written as: {REBUILD}"
        )


def outputs_are_stored_in_order(notebook: Path) -> None:
    """Every code cell was executed, in one go from the top: nbval compares nothing where no output is stored."""
    cells = [cell for cell in _cells(notebook) if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in cells]
    assert cells and counts == list(range(1, len(cells) + 1)), f"{notebook.name} was not executed in order: {REBUILD}"
    for cell in cells:
        source = "".join(cell["source"])
        shows = re.search(r"^(print|plt\.show)\(", source, re.MULTILINE)
        assert cell["outputs"] or not shows, f"{notebook.name} lost the outputs of a cell ({source[:60]!r}): {REBUILD}"


def outputs_are_clean(notebook: Path) -> None:
    """No warning, no unexpected error, no memory address, no path of a machine."""
    for cell in _cells(notebook):
        tags = cell["metadata"].get("tags", [])
        for output in cell.get("outputs", []):
            text = json.dumps({key: value for key, value in output.items() if key != "data"})
            text += json.dumps({k: v for k, v in output.get("data", {}).items() if k != "image/png"})
            assert output.get("name") != "stderr", f"{notebook.name} shows a warning: {text[:200]}"
            assert output["output_type"] != "error" or "raises-exception" in tags, f"{notebook.name} shows an error"
            found = re.search(r"0x[0-9a-f]{8,}|/(tmp|home|root|work|Users)/", text)
            assert not found, f"{notebook.name} shows {found.group()!r}, which differs from machine to machine"


def metadata_is_canonical(notebook: Path) -> None:
    """Nothing in the metadata that changes from machine to machine."""
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    assert metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }, f"{notebook.name} has other metadata: {REBUILD}"
    for cell in _cells(notebook):
        kept = {key: cell["metadata"][key] for key in ("tags", "lines_to_next_cell") if key in cell["metadata"]}
        folded = {"jupyter": {"source_hidden": True}} if FOLDED in kept.get("tags", []) else {}
        assert cell["metadata"] == kept | folded, f"{notebook.name} has other cell metadata: {REBUILD}"


def widgets_show_a_picture(notebook: Path) -> None:
    """Every cell that shows an explorer leaves a static picture for readers without a kernel."""
    for cell in _cells(notebook):
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or not re.search(r"^\w*Explorer\(", source, re.MULTILINE):
            continue
        pictures = [output for output in cell["outputs"] if "image/png" in output.get("data", {})]
        assert pictures, f"{notebook.name} has an explorer without a static picture: {REBUILD}"
        assert "nbval-ignore-output" in cell["metadata"].get("tags", []), f"tag {source!r} nbval-ignore-output"


def code_is_narrow(notebook: Path) -> None:
    """No line of code is wider than a cell shows without scrolling; prose wraps by itself, and has long lines."""
    for cell in _cells(notebook):
        lines = "".join(cell["source"]).splitlines() if cell["cell_type"] == "code" else []
        for line in lines:
            assert len(line) <= WIDTH, f"{notebook.name}: more than {WIDTH} columns in {line!r}: break it in two"


GATES = (
    pair_is_in_sync, outputs_are_stored_in_order, outputs_are_clean, metadata_is_canonical, widgets_show_a_picture,
    code_is_narrow,
)  # fmt: skip


def _cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]
