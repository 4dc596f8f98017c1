"""What the course quotes from the paper is in the paper, and so is what its tables say of the paper."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUOTES = Path(__file__).with_name("paper_quotes.txt")
PAPER = ROOT.parent / "shared" / "paper.txt"  # the whole text, where it is at hand
PAGES = [
    path
    for path in [*sorted((ROOT / "chapters").rglob("*.ipynb")), ROOT / "chapters" / "NOTATION.md", ROOT / "README.md"]
    if ".ipynb_checkpoints" not in path.parts
]

QUOTATION = re.compile(r'“([^”]+)”|"([^"]+)"')
SOURCE = re.compile(r"\bpapers?\b|\bBurgess\b|\bauthors?\b|\bcaptions?\b|\bappendix\b|\bsection 4\.\d", re.IGNORECASE)
LONG = 6  # words: whoever puts so many in quotation marks quotes somebody
OTHERS = {  # in quotation marks, counted by the rule, and not from the paper: where each is from
    "the paper": "our name for it, which chapter 1 brings in",
    "without inductive biases on both the models and the data": "Locatello et al. 2019, abstract (chapter 13)",
}

# what README's columns "paper" say, and the words of the paper that say it
UNSAID = ("not stated", "not discussed", "by eye")
SAID = {
    "latents in use at β = 150": ("2", "whereas β-VAE represents them in two"),
    "latents in use at β = 1": ("4", "these two factors across four latent dimensions"),
    "what aligns x and y": (
        "the diagonal posterior, for factors of different contribution",
        "the diagonal covariance of the posterior distribution restricts the model",
    ),
    "axes of trained networks": ("x and y, by eye", "the early capacity is allocated to positional latents"),
    "position": ("start", "positional latents only (x and y), followed by a scale latent"),
    "scale": ("around 6", "starting around C = 6 nats, the KL for the scale factor begins to climb"),
    "shape": ("by 15.4", "then shape identity (15.4 nats)"),
    "orientation": ("by 23.8", "finally rotation (23.8 nats)"),
    "latents above 0.1 nats": (
        '8; the last two have "an effectively zero KL"',
        "X position, scale, shape, rotation, then a set of three colour axes (the last two latent dimensions",
    ),
    "reconstruction above its floor, nats (± 1 at most)": ('"high quality"', "and high quality reconstructions"),
    "KL, nats": ("25", "For dSprites, C was linearly increased from 0 to 25 nats"),
}


def sentences() -> list[str]:
    lines = [line for line in QUOTES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [line.split(" | ", 1)[1] for line in lines]


def in_paper(phrase: str) -> bool:
    """Word for word in one sentence, but for the case of its first letter, a stop at its end, and what … leaves out."""
    parts = [
        re.escape(part) for part in re.split(r"\s*(?:\[…\]|…)\s*", " ".join(phrase.split()).rstrip(".,;:")) if part
    ]
    first = parts[0]
    if first[0].isalpha():
        parts[0] = f"[{first[0].lower()}{first[0].upper()}]{first[1:]}"
    pattern = re.compile(r"(?<!\w)" + r"(?!\w).*(?<!\w)".join(parts) + r"(?!\w)")
    return any(pattern.search(sentence) for sentence in sentences())


def texts(page: Path) -> Iterator[str]:
    """Prose of a page, and what its cells print."""
    if page.suffix == ".md":
        yield page.read_text(encoding="utf-8")
        return
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            yield "".join(cell["source"])
        for output in cell.get("outputs", []):
            yield "\n\n".join("".join(output.get("text", [])).splitlines())


def quotations(text: str) -> Iterator[str]:
    """Phrases in quotation marks that are given as the paper's, or look so.

    Those in a sentence that names the paper, its authors or its parts, or follows such a one; in a column of a table
    whose head names it; and all of `LONG` words or more. Code and formulas do not count.
    """
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`|\$[^$]*\$", " ", text)
    head: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[|#>-]|\d+\.)\s*)", text):
        cells = block.strip().strip("|").split("|") if block.lstrip().startswith("|") else []
        if not cells:
            head = []
        elif not head:
            head = cells
        for cell, name in zip(cells, head, strict=False):
            if SOURCE.search(name):
                yield from (a or b for a, b in QUOTATION.findall(cell))
        if cells:
            continue
        found = [a or b for a, b in QUOTATION.findall(block)]
        masked = QUOTATION.sub("\0", " ".join(block.split()))  # a stop within a quotation ends no sentence
        before, place = "", 0
        for sentence in re.split(r"(?<!\bFig\.)(?<!\bEq\.)(?<!\bSec\.)(?<!\bal\.)(?<=[.!?])[)*]*\s+", masked):
            for phrase in found[place : place + sentence.count("\0")]:
                if SOURCE.search(before + " " + sentence) or len(phrase.split()) >= LONG:
                    yield phrase
            place += sentence.count("\0")
            before = sentence


def misquoted(text: str) -> list[str]:
    return [phrase for phrase in quotations(text) if phrase not in OTHERS and not in_paper(phrase)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_quotations_are_the_papers(page):
    wrong = [phrase for text in texts(page) for phrase in misquoted(text)]
    assert not wrong, (
        f"{page.name} quotes {wrong}: not in tests/paper_quotes.txt. Quote word for word, add the sentence there, or, "
        "if the words are another's, name their source in OTHERS"
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('The paper has "reasonable looking chairs in all cases".', []),
        ('The paper has "good looking chairs in all cases".', ["good looking chairs in all cases"]),
        ("The paper has “good looking chairs”.", ["good looking chairs"]),
        ('"It is unclear exactly what the disentangled axes should correspond to," the authors write.', []),
        ('By section 4.3 x and y share C "always equally".', ["always equally"]),
        ('So says the paper of C. It "starts at 6."', ["starts at 6."]),
        ('In the paper "the early capacity is allocated … then shape and orientation latents".', []),
        ('In the paper "then shape … the early capacity".', ["then shape … the early capacity"]),
        ('In the paper "dimension" ends in "men".', ["men"]),
        ('"Nobody knows what the axes stand for": so we measure.', ["Nobody knows what the axes stand for"]),
        ('We call it a "ridge". Nothing else has a name, and `the "paper"` is code.', []),
        ('| | paper | here |\n|---|---|---|\n| a | "of high quality" | "no" |\n| b | "so so" | – |', ["so so"]),
    ],
)  # fmt: skip
def test_misquotations_are_found(text, wrong):
    assert misquoted(text) == wrong


def test_the_sentences_are_the_papers():
    if not PAPER.exists():
        pytest.skip("the paper's text is not at hand")

    def squeezed(text: str) -> str:
        return re.sub(r"[\s\u00ad-]+", "", text)  # lines of the paper break at spaces and hyphens

    whole = squeezed(PAPER.read_text(encoding="utf-8"))
    assert [sentence for sentence in sentences() if squeezed(sentence) not in whole] == []


def test_readme_says_of_the_paper_what_it_says():
    head, checked = [], 0
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if head and "paper" in head and cells and not set(line) <= set("|-"):
            said = cells[head.index("paper")]
            checked += 1
            if said in UNSAID or (said[0] == said[-1] == '"' and in_paper(said[1:-1])):
                continue
            value, words = SAID.get(cells[0], (None, ""))
            assert said == value, f"{cells[0]}: README has {said!r} as the paper's, SAID {value!r}"
            assert in_paper(words), f"{cells[0]}: {words!r} is not in tests/paper_quotes.txt"
        head = [] if not cells else head or cells
    assert checked >= 12
