"""Make the README's pictures: python tools/build_pictures.py. Run it after the chapters were executed anew."""

import base64
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from minivae.course import figures
from minivae.engine.runs import Run
from minivae.metrics.evaluate import ACTIVE, mean_kl, traversal

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "chapters" / "pictures"
STORED = {
    "01_elbo": 1,
    "02_awgn_channel": 0,
    "03_posterior_overlap": 7,
    "05_capacity_generator": 4,
    "06_controlled_capacity": 5,
    "10_training_that_goes_on": 5,
    "11_chairs": 0,
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
    animate()


def animate() -> None:
    """The two latents with most nats of both blob models, moved there and back: the course in one picture."""
    side, gap, above, below, frames = 150, 10, 26, 22, 36  # pixels, and pictures
    panels, titles = [], []
    for name, title in (("blobs-vae-seed0", "β = 1: two of {} latents, aslant"),
                        ("blobs-beta150-seed0", "β = 150: two of {}, each along a side")):  # fmt: skip
        run = Run.load(ROOT / "data" / "runs" / f"{name}.h5")
        images, _ = run.experiment.dataset.sample(256, torch.Generator().manual_seed(7))
        model, middle = run.model(), run.experiment.dataset.render(torch.tensor([[32.0, 32.0]]))
        kl = mean_kl(model, images)
        titles.append(title.format(int((kl > ACTIVE).sum())))
        with torch.no_grad():
            code = model.encode(middle)[0][0]
            along = 2 * torch.sin(2 * torch.pi * torch.arange(frames) / frames)
            for latent in kl.argsort(descending=True)[:2].tolist():
                drawn = torch.sigmoid(model.decode(traversal(code, latent, along)))[:, 0]
                panels.append((f"z{latent}, {kl[latent]:.1f} nats", (drawn * 255).byte().numpy()))
    font = ImageFont.truetype(findfont("DejaVu Sans"), 13)
    width = 4 * side + 4 * gap
    pictures = []
    for frame in range(frames):
        canvas = Image.new("L", (width, above + side + below), 255)
        pen = ImageDraw.Draw(canvas)
        for half, title in enumerate(titles):
            pen.text((half * width // 2 + (half and gap), 2), title, 0, font)
        for i, (label, drawn) in enumerate(panels):
            left = i * (side + gap) + (i > 1) * gap
            canvas.paste(Image.fromarray(drawn[frame]).resize((side, side), Image.Resampling.BICUBIC), (left, above))
            pen.text((left, above + side + 3), label, 90, font)
        pictures.append(Image.fromarray(np.asarray(canvas) // 8 * 8))
    pictures[0].save(PICTURES / "traversal.gif", save_all=True, append_images=pictures[1:], duration=60, loop=0)


def stored_figures(chapter: str) -> list[bytes]:
    """The PNGs that a chapter's notebook stores, in their order."""
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    outputs = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return [base64.b64decode("".join(data["image/png"])) for data in outputs if "image/png" in data]


if __name__ == "__main__":
    main()
