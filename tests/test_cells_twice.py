"""A learner may run any cell of a chapter twice: no cell stumbles over what it did the first time."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import jupytext
import pytest
from PIL import Image

CHAPTERS = sorted((Path(__file__).parents[1] / "chapters").glob("*.py"))
(OWN,) = (path for path in CHAPTERS if path.stem == "12_your_own_pictures")

# cells that are run once here, by words of their code, and why: once more would take half a minute and longer
ONCE = {
    "04_blob_position": {"live = watch(": "a training of 1,500 steps"},
    "05_capacity_generator": {"live = watch(": "a training of 1,500 steps"},
    "06_controlled_capacity": {"live = watch(": "a training of 1,500 steps"},
    "12_your_own_pictures": {
        "low_beta = watch(": "a training of 600 steps",
        "run = watch(": "a training of 900 steps",
        "again = train(": "another",
    },
    "08_missed_split": {"control = train(": "a training of 1,200 steps", "live = watch(": "a training of 1,200 steps"},
    "10_training_that_goes_on": {
        "grown = watch(": "a training of 600 steps",
        "control = train(": "another, and what it encodes",
        "history = train(": "three of 300 steps",
    },
    "13_what_came_after": {
        "plain = train(": "a training of 1,000 steps",
        "factorised = train(": "another",
        "stronger = train(": "another",
        "weak = AdaGVAE(": "another",
    },
}


def run_twice(source: Path, once: dict[str, str]) -> None:
    """Run each code cell of a chapter, and again; those with words of `once` a single time.

    Raises:
        SystemExit: that names the first cell that raised, and when; or the words that are in no one cell.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    code = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    for words in once:
        if sum(words in cell for cell in code) != 1:
            sys.exit(f"{source.name}: {words!r} is in no one cell: bring ONCE up to date")
    os.chdir(source.parent)
    names = {"__name__": "__main__"}
    for cell in code:
        for time in ("first", "second")[: 1 if any(words in cell for words in once) else 2]:
            try:
                exec(compile(cell, "<cell>", "exec"), names)
            except Exception as error:
                traceback.print_exc()
                sys.exit(f"{source.name}: run a {time} time {cell[:60]!r} raises {type(error).__name__}: {error}")
            plt.close("all")


def press(source: Path, once: dict[str, str]) -> subprocess.CompletedProcess:
    command = [sys.executable, __file__, str(source), json.dumps(once)]
    return subprocess.run(command, capture_output=True, text=True, timeout=3600)


# the others search and encode for minutes: python tests/test_cells_twice.py chapters/NAME.py '{"words of a cell": ""}'
@pytest.mark.slow
@pytest.mark.parametrize("source", CHAPTERS[:3], ids=lambda path: path.stem)
def test_every_cell_may_be_run_twice(source):
    done = press(source, ONCE.get(source.stem, {}))
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_cell_that_cannot_be_run_twice_is_found(tmp_path):
    source = tmp_path / "chapter.py"
    source.write_text("# %%\nfrom pathlib import Path\n\n# %%\nPath('made').mkdir()\n")
    assert "run a second time \"Path('made').mkdir()\" raises FileExistsError" in press(source, {}).stderr
    (tmp_path / "made").rmdir()
    assert press(source, {"mkdir": "for the sake of this test"}).returncode == 0
    assert "bring ONCE up to date" in press(source, {"no such cell": ""}).stderr


def test_own_pictures_are_found_below_the_home_and_as_windows_writes_paths(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (80, 70), "red").save(tmp_path / "pictures" / "red.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    code = [cell.source for cell in jupytext.read(OWN).cells if cell.cell_type == "code"]
    (place,) = (i for i, cell in enumerate(code) if cell.startswith("own = None  # or "))
    names = {}
    exec(next(cell for cell in code if cell.startswith("import ")), names)
    shown = code[place].splitlines()[0].removeprefix("own = None  # or ").split(", or ")  # what the comment proposes
    for path in shown:
        exec("own = " + path, names)  # is Python as it stands, backslashes and all
    assert names["own"] == r"C:\Users\me\pictures.zip"
    exec(code[place].replace("None  # or " + ", or ".join(shown), shown[0]), names)
    exec(code[place + 1], names)
    assert names["report"].pictures == 1


if __name__ == "__main__":
    run_twice(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
