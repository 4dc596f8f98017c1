"""Run chapters and store their outputs: python tools/build_chapters.py [--text] [NAME …], all if none is named.

The .py of a pair is the source. The notebook is built from it, executed and written in one canonical form, so that a
second run changes nothing. A chapter that raises leaves its old notebook as it was. With --text nothing is run: where
no code changed, the prose is brought over and the stored outputs stay.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.config import load_jupytext_config
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

CHAPTERS = Path(__file__).parents[1] / "chapters"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
HINT = {"text/markdown": "*Run the cell to drag.*"}  # below an explorer's picture
FOLDED = "checks"  # the tag of cells that tie prose to numbers: JupyterLab and the book fold their code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="chapters to run, e.g. 04_blob_position")
    parser.add_argument("--text", action="store_true", help="run nothing, bring over changed prose")
    arguments = parser.parse_args()
    names = arguments.names
    sources = [path for path in find_sources(CHAPTERS) if not names or path.stem in names]
    unknown = set(names) - {path.stem for path in sources}
    if unknown:
        print(f"no such chapter: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    for source in sources:
        if arguments.text:
            if not bring_text(source):
                print(f"{source.relative_to(CHAPTERS)}: its code changed, run it", file=sys.stderr)
                return 1
            continue
        print(f"running {source.relative_to(CHAPTERS)} …", flush=True)
        try:
            build(source)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"{source} failed; its notebook is left as it was\n{error}", file=sys.stderr)
            return 1
    return 0


def find_sources(folder: Path) -> list[Path]:
    """The text halves of all pairs: chapters first, then solutions."""
    return sorted(folder.glob("*.py")) + sorted(folder.glob("solutions/*.py"))


def build(source: Path) -> None:
    """Execute one text file and write the notebook beside it, atomically.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: if a cell raises, hangs or kills the kernel.
    """
    target = source.with_suffix(".ipynb")
    notebook = from_text(source)
    NotebookClient(
        notebook, timeout=600, kernel_name=KERNEL["name"], record_timing=False,
        store_widget_state=False, coalesce_streams=True, resources={"metadata": {"path": str(source.parent)}},
    ).execute()  # fmt: skip
    write(notebook, target)


def bring_text(source: Path) -> bool:
    """Take over the prose of a text file into its notebook; False, and nothing done, if the code is not the same."""
    target = source.with_suffix(".ipynb")
    new, old = from_text(source), nbformat.read(target, as_version=4)
    code, stored = ([cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (new, old))
    if [(cell.source, cell.metadata.get("tags")) for cell in code] != [
        (cell.source, cell.metadata.get("tags")) for cell in stored
    ]:
        return False
    for cell, before in zip(code, stored, strict=True):
        cell.outputs = before.outputs
    write(new, target)
    return True


def write(notebook: NotebookNode, target: Path) -> None:
    """Write a notebook in its canonical form, atomically."""
    canonicalise(notebook)
    beside = target.with_suffix(".ipynb.tmp")
    nbformat.write(notebook, beside)
    os.replace(beside, target)


def from_text(source: Path) -> NotebookNode:
    """The unexecuted notebook of a text file, with cell ids that survive edits elsewhere."""
    notebook = jupytext.read(source, config=load_jupytext_config(str(source)))
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def canonicalise(notebook: NotebookNode) -> None:
    """Take out of an executed notebook what differs from run to run: counters, models of widgets, colours."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    number = 0
    for cell in notebook.cells:
        # with the blank lines below a cell noted, jupytext writes the very text that the notebook was made from
        kept = {key: cell.metadata[key] for key in ("tags", "lines_to_next_cell") if key in cell.metadata}
        if FOLDED in kept.get("tags", []):
            kept["jupyter"] = {"source_hidden": True}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        outputs = []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if output.output_type == "error":
                output.traceback = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in output.traceback[-1:]]
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = packed(output.data["image/png"])
            # a widget's model ends with its kernel, and JupyterLab would show an error in the place of its picture
            if not output.get("data", {}).pop(WIDGET, None):
                outputs.append(output)
            elif "image/png" in output.data:  # a bar of progress has none
                outputs += [output, nbformat.v4.new_output("display_data", HINT)]
        cell.outputs = outputs


def packed(png: str) -> str:
    """The same picture, pixel by pixel, in fewer bytes where that can be done; PNG in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    if image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
        if image.getcolors(256):  # as many as a palette holds
            image = image.quantize(256, dither=Image.Dither.NONE)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    smaller = base64.b64encode(content.getvalue()).decode("ascii")
    return smaller if len(smaller) < len(png) else png


if __name__ == "__main__":
    sys.exit(main())
