"""Draw the README's pictures from the recorded runs: python tools/build_pictures.py."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import torch

from minivae import figures
from minivae.runs import Run

ROOT = Path(__file__).parents[1]


def main() -> None:
    run = Run.load(ROOT / "data" / "runs" / "blobs-beta150-seed0.h5")
    data = run.experiment.dataset
    images, _ = data.sample(256, torch.Generator().manual_seed(7))
    figure = figures.traversals(run.model(), data, images, title="β = 150: x and y, each in a latent of its own")
    figure.savefig(ROOT / "chapters" / "figure2.png", dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    main()
