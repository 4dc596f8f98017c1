"""A gate must be able to fail: a good small chapter passes all of them, and every way of breaking it is caught."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gates
import pytest
from build_chapters import build

JUPYTEXT = Path(__file__).parents[1] / "chapters" / "jupytext.toml"
CHAPTER = """\
# %% [markdown]
# # A chapter

# %%
import ipywidgets

print(6 * 7)

# %%
seen = []
slider = ipywidgets.IntSlider()
slider.observe(lambda change: seen.append(1 / change["new"]), "value")

# %% [markdown]
# The next cell begins two lines below, and by itself jupytext would leave one.


# %% tags=["nbval-ignore-output"]
slider.value = 4
assert seen == [0.25]
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("canary")
    (folder / JUPYTEXT.name).write_text(JUPYTEXT.read_text())
    source = folder / "chapter.py"
    source.write_text(CHAPTER)
    build(source)
    return source.with_suffix(".ipynb")


def nbval(notebook: Path, *settings: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", *settings, notebook.name]
    return subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, timeout=120)


def broken(good: Path, folder: Path, change: Callable[[dict], None]) -> Path:
    (folder / JUPYTEXT.name).write_text(JUPYTEXT.read_text())
    (folder / "chapter.py").write_text(good.with_suffix(".py").read_text())
    notebook = json.loads(good.read_text())
    change(notebook)
    target = folder / "chapter.ipynb"
    target.write_text(json.dumps(notebook))
    return target


def code(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_good_chapter_passes_everything(good):
    for gate in gates.GATES:
        gate(good)
    result = nbval(good)
    assert result.returncode == 0 and "3 passed" in result.stdout, result.stdout


@pytest.mark.slow
def test_two_processes_do_not_share_a_chapter(good):
    """Its later cells need what the first have made."""
    ours = ("-c", str(JUPYTEXT.parents[1] / "pyproject.toml"), "--rootdir", str(good.parent), "-n", "2")
    result = nbval(good, *ours)
    assert result.returncode == 0 and "3 passed" in result.stdout, result.stdout
    assert nbval(good, *ours, "--dist", "load").returncode == 1


def test_building_twice_changes_nothing(good):
    before = good.read_bytes()
    build(good.with_suffix(".py"))
    assert good.read_bytes() == before


def test_a_chapter_that_raises_leaves_its_notebook_alone(good):
    before, source = good.read_bytes(), good.with_suffix(".py")
    text = source.read_text()
    try:
        source.write_text(text + "\n# %%\n1 / 0\n")
        with pytest.raises(Exception, match="ZeroDivisionError"):
            build(source)
        assert good.read_bytes() == before and not list(good.parent.glob("*.tmp"))
    finally:
        source.write_text(text)


def wrong_number(notebook: dict) -> None:
    code(notebook)[0]["outputs"][0]["text"] = ["43\n"]


def exception(notebook: dict) -> None:
    code(notebook)[2]["source"] = ["raise RuntimeError('a cell that fails')"]


def raising_callback(notebook: dict) -> None:
    code(notebook)[1]["source"] = [
        "seen = [0.25]\n",
        "slider = ipywidgets.IntSlider()\n",
        "slider.observe(lambda change: 1 / 0, 'value')",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "cell", "message"),
    [
        (wrong_number, 0, "mismatch 'stdout'"),
        (exception, 2, "a cell that fails"),
        (raising_callback, 2, "ZeroDivisionError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_nbval_catches(good, tmp_path, change, cell, message):
    result = nbval(broken(good, tmp_path, change))
    assert result.returncode == 1 and "1 failed, 2 passed" in result.stdout, result.stdout
    assert message in result.stdout and f"chapter.ipynb::Cell {cell}" in result.stdout


def drifted(notebook: dict) -> None:
    code(notebook)[0]["source"] = ["import ipywidgets\n", "\n", "print(7 * 6)"]


def other_blank_lines(notebook: dict) -> None:
    notebook["cells"][2]["metadata"]["lines_to_next_cell"] = 3


def cleared(notebook: dict) -> None:
    for cell in code(notebook):
        cell.update(outputs=[], execution_count=None)


def output_removed(notebook: dict) -> None:
    code(notebook)[0]["outputs"] = []


def out_of_order(notebook: dict) -> None:
    code(notebook)[0]["execution_count"] = 7


def warning(notebook: dict) -> None:
    code(notebook)[0]["outputs"].append({"output_type": "stream", "name": "stderr", "text": ["a warning"]})


def address(notebook: dict) -> None:
    code(notebook)[0]["outputs"][0]["text"] = ["<object at 0x7f0123456789>"]


def foreign_metadata(notebook: dict) -> None:
    notebook["metadata"]["language_info"]["version"] = "3.11.7"


def blind_explorer(notebook: dict) -> None:
    code(notebook)[2]["source"] = ["Explorer()"]
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "0"}}
    code(notebook)[2]["outputs"] = [{"output_type": "display_data", "data": view, "metadata": {}}]


def lost_explorer(notebook: dict) -> None:
    code(notebook)[2].update(source=["Explorer()"], outputs=[])


def wide_code(notebook: dict) -> None:
    code(notebook)[0]["source"] = ["print(6 * 7)\n", "# " + "x" * 83]


@pytest.mark.parametrize(
    ("change", "gate", "message"),
    [
        (drifted, gates.pair_is_in_sync, "has drifted from chapter.py"),
        (other_blank_lines, gates.pair_is_in_sync, "chapter.py is not what chapter.ipynb is written as"),
        (cleared, gates.outputs_are_stored_in_order, "was not executed in order"),
        (output_removed, gates.outputs_are_stored_in_order, "lost the outputs of a cell"),
        (out_of_order, gates.outputs_are_stored_in_order, "was not executed in order"),
        (warning, gates.outputs_are_clean, "shows a warning"),
        (address, gates.outputs_are_clean, "differs from machine to machine"),
        (foreign_metadata, gates.metadata_is_canonical, "has other metadata"),
        (blind_explorer, gates.widgets_show_a_picture, "explorer without a static picture"),
        (wide_code, gates.code_is_narrow, "more than 84 columns in '# xxx"),
        (lost_explorer, gates.widgets_show_a_picture, "explorer without a static picture"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_gate_catches(good, tmp_path, change, gate, message):
    notebook = broken(good, tmp_path, change)
    with pytest.raises(AssertionError, match=message):
        gate(notebook)
