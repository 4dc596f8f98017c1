"""The four small trainings of chapter 13, by the chapter's own cells, with another seed than its own, 0.

python tools/study_pairs.py 1     → data/studies/pairs-seed1.json, in some minutes
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import matplotlib

from minivae.engine.trainer import versions

ROOT = Path(__file__).parents[1]
CHAPTER = ROOT / "chapters" / "13_what_came_after.py"


def rows(seed: int) -> list[dict[str, Any]]:
    """What the chapter finds of its four trainings with SEED set to this, numbers to three digits."""
    matplotlib.use("agg")
    names: dict[str, Any] = {"found": {}}
    before = Path.cwd()
    os.chdir(CHAPTER.parent)
    try:
        for cell in jupytext.read(CHAPTER).cells:
            if len(names["found"]) == 4:  # what comes after shows the results
                break
            shows = "checks" in cell.metadata.get("tags", []) or "over_seeds" in cell.source  # what is recorded
            if cell.cell_type == "code" and not shows:
                exec(cell.source.replace("SEED = 0 ", f"SEED = {seed} "), names)
    finally:
        os.chdir(before)
    assert names["SEED"] == seed
    return [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in names["found"].values()]


if __name__ == "__main__":
    seed = int(sys.argv[1])
    content = {"command": f"python tools/study_pairs.py {seed}", "versions": versions(), "rows": rows(seed)}
    out = ROOT / "data" / "studies" / f"pairs-seed{seed}.json"
    out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
