"""Two questions that chapter 8 asks of its generator, each answered by short trainings.

    python tools/study_generator.py starts silent 1000    C from 0.5 to 5 nats in 6,000 steps: another start, another γ
    python tools/study_generator.py clean told            the decoder told the factors without noise: can it draw them?

Each writes one small JSON under data/studies/generator, `clean` also what is drawn of eight sprites, as a PNG. They are
written anew every 500 steps, with the command that ends there, so a training can be stopped at any time.
"""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from minivae import experiments
from minivae.codes import symmetric_orientation
from minivae.datasets import Sprites
from minivae.engine.curves import trained_curve
from minivae.engine.fast import bias_apart, keep_buffers, pick_precision
from minivae.engine.runs import Run
from minivae.engine.trainer import versions
from minivae.objectives import CapacityELBO, LinearSchedule, bernoulli_nll
from minivae.training import training_step
from minivae.vae import Decoder, initialise

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "data" / "studies" / "generator"
STARTS = {"usual": 1.0, "silent": 0.01}  # what the first scales of the factors are multiplied by
CODES = ("told", "turning")
EVERY = 500  # steps averaged in a row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    starts = parts.add_parser("starts", help="the first 5 nats from another start, or with another γ")
    starts.add_argument("start", choices=STARTS)
    starts.add_argument("gamma", type=float)
    clean = parts.add_parser("clean", help="the decoder alone, told the factors without noise")
    clean.add_argument("code", choices=CODES)
    for part, steps in ((starts, 6_000), (clean, 30_000)):
        part.add_argument("--seed", type=int, default=0)
        part.add_argument("--steps", type=int, default=steps, help="a multiple of 500")
    arguments = parser.parse_args()
    keep_buffers()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if arguments.part == "starts":
        for run in train_from(arguments.start, arguments.gamma, arguments.seed, arguments.steps):
            command = f"starts {arguments.start} {arguments.gamma:g} --seed {run.seed} --steps {run.step}"
            curve = dataclasses.replace(trained_curve(run, EVERY), provenance=made(command))
            curve.save(RESULTS / f"{arguments.start}-{arguments.gamma:g}-seed{run.seed}.json", overwrite=True)
    else:
        path = RESULTS / f"clean-{arguments.code}-seed{arguments.seed}"
        for losses, drawn in train_clean(arguments.code, arguments.seed, arguments.steps):
            command = f"clean {arguments.code} --seed {arguments.seed} --steps {EVERY * len(losses)}"
            text = json.dumps({"every": EVERY, "reconstruction": losses, "made": made(command)}, indent=1) + "\n"
            path.with_suffix(".json").write_text(text, encoding="utf-8")
            strip = (255 * torch.cat(list(drawn), dim=1)).round().byte().numpy()
            Image.fromarray(strip).save(path.with_suffix(".png"), optimize=True)
    return 0


def made(command: str) -> dict[str, Any]:
    return {"command": f"python tools/study_generator.py {command}", "versions": versions()}


def train_from(start: str, gamma: float, seed: int, steps: int) -> Iterator[Run]:
    """The course's generator on a short ramp, its first scales multiplied; with the usual start what `train` does.

    Yields:
        The run as it stands, every 500 steps.
    """
    objective = CapacityELBO(gamma, LinearSchedule(0.5, 5.0, 0, 6_000))
    experiment = dataclasses.replace(experiments.get("generator"), objective=objective, steps=steps)
    model = experiment.build(torch.Generator().manual_seed(seed)).to(memory_format=torch.channels_last)
    with torch.no_grad():
        model.scale.mul_(STARTS[start])
    bias_apart(model)  # as `train` does: the same sums in the same order
    optimizer = torch.optim.Adam(model.parameters(), experiment.learning_rate, fused=True)
    generator = torch.Generator().manual_seed(seed)
    precision = pick_precision("auto", torch.device("cpu"))
    rows = []
    for step in range(1, steps + 1):
        images, classes = experiment.dataset.sample(experiment.batch, generator)
        noise = torch.randn(len(images), model.decoder.latents, generator=generator)
        images = images.contiguous(memory_format=torch.channels_last)
        rows.append(
            training_step(model, optimizer, objective, images, noise, step, source=classes, precision=precision)
        )
        if step % EVERY == 0:
            report(f"{start}, γ = {gamma:g}", rows)
            history = torch.stack(rows).numpy()
            columns = {"loss": history[:, 0], "reconstruction": history[:, 1], "kl": history[:, 2:]}
            yield Run(
                experiment, seed, step,
                weights={name: value.detach().clone() for name, value in model.state_dict().items()},
                history={"step": np.arange(1, step + 1), **columns},
            )  # fmt: skip


def train_clean(code: str, seed: int, steps: int) -> Iterator[tuple[list[float], Tensor]]:
    """The decoder of appendix A.1, told numbers without noise.

    "told": the five numbers that the recorded generator (γ = 1000) sends at its end. "turning": the same, but in place
    of the angle's number a sine and a cosine, of the angle times the number of times that the shape looks the same in
    a turn: no jump at the end of a turn, and one code for one picture.

    Yields:
        Every 500 steps: mean −log p(x|z) in nats of each 500 steps so far, and what the decoder draws of the eight
        sprites of Figure 5.10, (8, 64, 64).
    """
    data, recorded = Sprites(), Run.load(ROOT / "data" / "runs" / "generator-seed0.h5").model()
    angle = 2 * math.pi * symmetric_orientation()[:, 0].float()  # shape, orientation
    eight = data.sample_classes(8, torch.Generator().manual_seed(11))

    @torch.no_grad()
    def tell(classes: Tensor) -> Tensor:
        z, _ = recorded.encode(classes)
        if code == "told":
            return z
        turn = angle[classes[:, 1], classes[:, 3], None]
        return torch.cat([z[:, :2], turn.sin(), turn.cos(), z[:, 3:]], dim=1)

    generator = torch.Generator().manual_seed(seed)
    model = Decoder(1, tell(eight).shape[1])
    initialise(model, torch.Generator().manual_seed(seed))
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 5e-4, fused=True)
    precision = pick_precision("auto", torch.device("cpu"))
    rows = []
    for step in range(1, steps + 1):
        images, classes = data.sample(64, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(tell(classes))
        loss = bernoulli_nll(logits, images).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows.append(loss.detach()[None])
        if step % EVERY == 0:
            report(f"clean, {code}", rows)
            with torch.no_grad():
                drawn = torch.sigmoid(model(tell(eight)))[:, 0]
            means = torch.cat(rows).view(-1, EVERY).mean(1).tolist()
            yield [round(value, 2) for value in means], drawn


def report(title: str, rows: list[Tensor]) -> None:
    latest = torch.stack(rows[-EVERY:]).mean(0).tolist()
    numbers = " ".join(f"{value:.2f}" for value in latest)
    print(f"{title}, step {len(rows):,}: {numbers}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
