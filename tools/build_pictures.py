"""Make the README's pictures: python tools/build_pictures.py. Run it after the chapters were executed anew."""

import base64
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import torch

from minivae import figures
from minivae.runs import Run

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "chapters" / "pictures"
STORED = {
    "01_elbo": 0,
    "02_awgn_channel": 2,
    "03_posterior_overlap": 5,
    "05_capacity_generator": 5,
    "06_controlled_capacity": 7,
    "07_chairs_and_your_own_data": 0,
}  # which of the chapter's own figures


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for chapter, number in STORED.items():
        (PICTURES / f"{chapter}.png").write_bytes(stored_figures(chapter)[number])
    run = Run.load(ROOT / "data" / "runs" / "blobs-beta150-seed0.h5")
    data = run.experiment.dataset
    images, _ = data.sample(256, torch.Generator().manual_seed(7))
    figure = figures.traversals(run.model(), data, images, title="β = 150: x and y, each in a latent of its own")
    figure.savefig(PICTURES / "04_blob_position.png", dpi=80, bbox_inches="tight")


def stored_figures(chapter: str) -> list[bytes]:
    """The PNGs that a chapter's notebook stores, in their order."""
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    outputs = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return [base64.b64decode("".join(data["image/png"])) for data in outputs if "image/png" in data]


if __name__ == "__main__":
    main()
