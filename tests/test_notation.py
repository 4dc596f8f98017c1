"""NOTATION.md has every symbol of the chapters' formulas, and for a chapter none twice."""

import re
from collections import Counter
from pathlib import Path

import jupytext
import pytest

CHAPTERS = Path(__file__).parents[1] / "chapters"
GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"
).split()
WORDS = re.compile(r"\\(text|mathrm|operatorname|begin|end)\*?\s*\{[^{}]*\}")
SYMBOL = re.compile(r"\\(mathcal|mathbb)\s*\{?\s*(\w)\s*\}?|\\([A-Za-z]+)|([A-Za-z])")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


def symbols(text: str) -> set[str]:
    """Letters of the formulas in a text, Greek ones by name; words within formulas and code do not count."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    found = set()
    for display, inline in FORMULA.findall(text):
        for face, letter, command, plain in SYMBOL.findall(WORDS.sub(" ", display or inline)):
            if face:
                found.add(f"\\{face} {letter}")
            elif command in GREEK:
                found.add(f"\\{command}")
            elif plain:
                found.add(plain)
    return found


def rows() -> list[tuple[str, set[int]]]:
    """What stands in the table's first column, and the chapters that use it so, all if it says so."""
    found = []
    for line in (CHAPTERS / "NOTATION.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|") or cells[0] in ("symbol", "---|---|---|---|---"):
            continue
        assert len(cells) == 5, f"a row has {len(cells)} cells: {line}"
        parts = [] if cells[4] == "all" else [part.split("–") for part in cells[4].split(", ")]
        chapters = {n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)}
        found.append((cells[0], chapters or set(range(1, 14))))
    return found


@pytest.mark.parametrize("path", sorted(CHAPTERS.glob("*.py")), ids=lambda path: path.stem)
def test_every_symbol_of_a_chapter_is_listed_for_it_and_none_twice(path):
    number = int(path.stem[:2])
    here = [symbol for symbol, chapters in rows() if number in chapters]
    text = "\n\n".join(cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown")
    missing = symbols(text) - symbols(" ".join(here))
    assert not missing, f"NOTATION.md does not say what these are in chapter {number}: {sorted(missing)}"
    listed = Counter(part for symbol in here for part in re.findall(r"\$[^$]+\$", symbol))
    assert not (twice := [symbol for symbol, times in listed.items() if times > 1]), f"twice for {number}: {twice}"


def test_symbols_are_found():
    text = r"$$\mathcal L = \mathbb E_q[\log p(x \mid z)] - \beta\,\mathrm{KL}$$ and `$y$` with $\bar b_{\text{of } t}$"
    assert symbols(text) == {"\\mathcal L", "\\mathbb E", "q", "p", "x", "z", "\\beta", "b", "t"}
