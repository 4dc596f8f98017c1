"""Arrows between the modules point one way, and the library stays small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minivae

ROOT = Path(minivae.__file__).parent
FILES = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path for path in ROOT.rglob("*.py")}


def imported(name: str) -> set[str]:
    """Modules of minivae that a module imports, at its top or within its functions."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minivae":
            base = node.module.removeprefix("minivae").removeprefix(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}".removeprefix(".")
                found.add(next((n for n in (whole, f"{whole}.__init__", base, f"{base}.__init__") if n in FILES), ""))
    return found - {""}


def part(name: str) -> str:
    """Where a module stands: textbook, engine, course or commands."""
    first = name.split(".")[0]
    return first if first in ("engine", "course") else "commands" if first == "__main__" else "textbook"


ALLOWED = {
    "textbook": {"textbook"},
    "engine": {"textbook", "engine"},
    "course": {"textbook", "engine", "course"},
    "commands": {"textbook", "engine", "course"},
}


@pytest.mark.parametrize("name", sorted(set(FILES) - {"__init__"}))
def test_arrows_point_from_the_machinery_to_the_ideas(name):
    wrong = {other for other in imported(name) if part(other) not in ALLOWED[part(name)]}
    assert not wrong, f"{name} is of the {part(name)} and imports {wrong}"


def test_there_is_no_circle():
    graph = {name: {other for other in imported(name) if other != "__init__"} for name in FILES}
    while leaves := {name for name, others in graph.items() if not others & set(graph) - {name}}:
        graph = {name: others for name, others in graph.items() if name not in leaves}
    assert not graph, f"a circle within {sorted(graph)}"


def test_public_names_are_there_and_importing_them_costs_nothing_before_they_are_used():
    assert set(dir(minivae)) == set(minivae.__all__)
    for name in minivae.__all__:
        assert getattr(minivae, name).__name__.removeprefix("minivae.") == name, name
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        minivae.no_such_name  # noqa: B018
    code = "import sys, minivae; dir(minivae); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


# lines of code, docstrings and comments; a file may have a fifth more
BUDGET = {
    "__init__": 40, "_arguments": 35,
    "gaussian": 45, "objectives": 150, "channel": 105, "overlap": 60, "vae": 120, "training": 80, "collapse": 30,
    "generator": 55, "codes": 50, "ideal_decoder": 200, "rate_distortion": 180, "lagrangian": 95,
    "total_correlation": 50,
    "growing": 65, "muon": 65,
    "experiment": 105, "experiments": 75,
    "metrics.__init__": 20, "metrics.scores": 210, "metrics.alignment": 80, "metrics.blobs": 95,
    "metrics.evaluate": 120, "metrics.udr": 45,
    "datasets.__init__": 15, "datasets.blobs": 85, "datasets.sprites": 155, "datasets.coloured": 45,
    "datasets.chairs": 220, "datasets.arrays": 110,
    "engine.__init__": 5, "engine.settings": 75, "engine.runs": 195, "engine.files": 100, "engine.saving": 180,
    "engine.trainer": 220, "engine.fast": 170, "engine.fast_muon": 70,
    "engine.parallel": 82, "engine.sweep": 172, "engine.imports": 234,
    "engine.pictures": 130, "engine.dsprites": 100, "engine.curves": 75, "engine.catalogue": 25,
    "engine.published": 80, "engine.export": 42, "__main__": 380,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for name in FILES if part(name) != "course"))
def test_a_module_keeps_to_its_budget(name):
    lines = len(FILES[name].read_text().splitlines())
    assert lines <= 1.2 * BUDGET[name], f"{name} has {lines} lines, its budget is {BUDGET[name]}"


def test_the_library_stays_small():
    lines = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert sum(n for name, n in lines.items() if part(name) == "textbook") <= 2_848
    assert sum(n for name, n in lines.items() if part(name) == "engine") <= 2_271
    assert max(n for name, n in lines.items() if part(name) == "course") <= 230
    assert sum(lines.values()) <= 8_294  # a ceiling that only comes down
    scripts = {path.name: len(path.read_text().splitlines()) for path in ROOT.rglob("*.js")}
    assert max(scripts.values()) <= 400 and sum(scripts.values()) <= 971
    assert sum(scripts[name] for name in ("base.js", "models.js", "notebook.js")) <= 386
    assert max(len(line) for path in ROOT.rglob("*.js") for line in path.read_text().splitlines()) <= 110
