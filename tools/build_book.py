"""Build the book, a static site: python tools/build_book.py [FOLDER], book/ if none is given.

The pages are the committed notebooks with their stored outputs; nothing is executed. Sphinx does it, with MyST-NB for
notebooks and Furo's theme: of the field's tools these need no Node and load nothing from elsewhere, so that the book
works from a disk without a network. MathJax comes along in tools/book/static for the same reason.

On the way from notebook to page: explorers come alive, with weights taken from `data/runs`, and pictures get their
caption as alternative text.
"""

import argparse
import base64
import functools
import html
import json
import re
import shutil
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import nbformat
from build_chapters import FOLDED, HINT, canonicalise
from nbformat import NotebookNode
from sphinx.cmd.build import build_main

from minivae.course.explorers.base import STILL, VIEWS, Explorer
from minivae.course.explorers.models import weights
from minivae.engine.runs import Run

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "chapters"
STATIC = ROOT / "tools" / "book" / "static"
# "*Figure 4.1. What it shows.*", or "*Figures 4.2 and 4.3. …*" below two pictures
CAPTION = re.compile(r"^\*Figures? [\d.]+\d( and [\d.]+\d)?\.\s*(.+?)\*(?=\s|$)", re.MULTILINE | re.DOTALL)

PARTS = {"I · The paper": range(1, 7), "II · What the paper left open": range(7, 11), "III · Your data": range(11, 14)}

CONF = """
project = "Why β-VAE disentangles"
extensions = ["myst_nb"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["book.css", "explorers.css"]
html_js_files = [("explorers.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it fetches pages, which a browser forbids from the disk
mathjax_path = "mathjax-3.2.2-tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}
suppress_warnings = ["mystnb.unknown_mime_type"]
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "book")
    return build(parser.parse_args().folder)


def build(folder: Path) -> int:
    """Write the site into a folder, anew; returns Sphinx's exit status. Any warning is an error."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        write_source(source)
        site = Path(scratch) / "site"
        status = build_main(["-q", "-W", "--keep-going", "-d", f"{scratch}/doctrees", str(source), str(site)])
        if status == 0:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(site, folder, ignore=shutil.ignore_patterns(".buildinfo", "objects.inv"))
            print(f"wrote {folder}: open {folder / 'index.html'}")
    return status


def write_source(folder: Path) -> None:
    """What Sphinx reads: the notebooks made ready for it, the notation, an index and the settings."""
    shutil.copytree(STATIC, folder / "static")
    (folder / "static" / "weights").mkdir()
    scripts = VIEWS + (STATIC.parent / "explorers.js").read_text("utf-8")
    (folder / "static" / "explorers.js").write_text(scripts, encoding="utf-8")
    (folder / "static" / "explorers.css").write_text(str(Explorer._css), encoding="utf-8")
    (folder / "conf.py").write_text(CONF, encoding="utf-8")
    chapters = sorted(CHAPTERS.glob("*.ipynb"))
    for path in (*chapters, *sorted(CHAPTERS.glob("solutions/*.ipynb"))):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.read(path, as_version=4)
        make_ready(notebook, path, folder / "static" / "weights")
        nbformat.write(notebook, target)
    shutil.copy(CHAPTERS / "NOTATION.md", folder / "chapters")
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "README.md", folder / "data")
    shutil.copytree(CHAPTERS / "pictures", folder / "chapters" / "pictures")
    opening = live(CHAPTERS / "04_blob_position.ipynb", folder / "static" / "weights")
    (folder / "index.md").write_text(index(chapters, opening), encoding="utf-8")


def make_ready(notebook: NotebookNode, path: Path, folder: Path) -> None:
    """Change a notebook into what its page should show, and write the weights that it needs into a folder.

    Raises:
        ValueError: if a picture has no caption to say what it shows.
    """
    canonicalise(notebook)
    captions: list[str] = []  # of the pictures above, the lowest first
    for cell in reversed(notebook.cells):  # a caption stands below its figure
        if cell.cell_type == "markdown":
            for other, text in reversed(CAPTION.findall(cell.source)):
                captions = [plain(text)] * (1 + bool(other))
            continue
        if FOLDED in cell.metadata.get("tags", []):
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-input"]
        cell.outputs = [output for output in cell.outputs if output.get("data") != HINT]
        drawn = False
        for output in cell.outputs:
            data = output.get("data", {})
            if STILL in data:
                output.data = nbformat.from_dict({"text/html": alive(data[STILL], data["image/png"], folder)})
            elif "image/png" in data:
                if not captions:
                    raise ValueError(f"{path.name}: a picture has no caption below it: {cell.source.splitlines()[-2:]}")
                cell.metadata["mystnb"] = {"image": {"alt": captions[0]}}
                drawn = True
        captions = captions[drawn:]


def alive(explorer: dict[str, Any], still: str, folder: Path) -> str:
    """HTML of an explorer; just its still where a run was trained in the chapter and is not recorded.

    Args:
        explorer: what it stores in the notebook.
        still: its picture, PNG in base64.
        folder: for weights.

    Raises:
        ValueError: if a recorded run has other weights than the chapter had.
    """
    picture = f'<img alt="{html.escape(explorer["spec"]["about"])}" src="data:image/png;base64,{still}">'
    for source in explorer["sources"].values():
        if isinstance(source, dict):
            run = ROOT / "data" / "runs" / f"{source['run']}.h5"
            if not run.exists():
                return f"<p>{picture}</p><p>Run the chapter to drag this: its model is trained there.</p>"
            data = weights(getattr(recorded(run).model(source["step"]), source["part"]))
            if zlib.crc32(data) != source["crc"]:
                raise ValueError(f"{run.name} is not what the chapter saw: execute the chapter anew")
            source["file"] = f"{source['run']}-{source['step'] or 'end'}-{source['part']}"
            text = base64.b64encode(data).decode("ascii")
            (folder / f"{source['file']}.js").write_text(f'minivaeWeights["{source["file"]}"] = "{text}";\n')
    described = json.dumps(explorer, ensure_ascii=False).replace("</", "<\\/")
    return f'<div class="minivae-explorer"><script type="application/json">{described}</script>{picture}</div>'


def live(path: Path, folder: Path) -> str:
    """HTML of the last explorer of a notebook, to stand on another page."""
    cells = nbformat.read(path, as_version=4).cells
    bundles = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    last = [data for data in bundles if STILL in data][-1]
    return alive(last[STILL], last["image/png"], folder)


@functools.cache
def recorded(path: Path) -> Run:
    """A run, read once."""
    return Run.load(path)


def plain(text: str) -> str:
    """A caption without markup."""
    return re.sub(r"\s+", " ", re.sub(r"[*`$\\]|\[([^\]]*)\]\([^)]*\)", r"\1", text)).strip()


def index(chapters: list[Path], opening_explorer: str) -> str:
    """The first page: the README's opening, an explorer, the README's tables, and the contents."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    opening = readme.split("\n\n", 2)[1]
    table = readme[readme.index("## Chapters") : readme.index("## The library")].strip()
    parts = "\n\n".join(
        toctree(part, [f"chapters/{path.stem}" for path in chapters if int(path.stem[:2]) in numbers])
        for part, numbers in PARTS.items()
    )
    answers = [f"chapters/solutions/{path.stem}" for path in sorted(CHAPTERS.glob("solutions/*.ipynb"))]
    return f"""# Why β-VAE disentangles

{opening}

Drag a latent of a β-VAE with β = 150. Two of its ten do something: one moves the blob up and down, one left and right.

```{{raw}} html
{opening_explorer}
```

All explorers in this book are alive: the models are computed in the page. To run the code, clone the course's
repository and type `make lab`.

{table}

{parts}

{toctree("To look up", ["chapters/NOTATION", "data/README", *answers])}
"""


def toctree(caption: str, pages: list[str]) -> str:
    """A heading of the sidebar and its pages."""
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])


if __name__ == "__main__":
    sys.exit(main())
