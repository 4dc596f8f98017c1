"""What cells of the chapters share: a table of results, a guess beside the measurement, a training to watch."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display

from minivae.course.figures.latents import kl_history
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.metrics.evaluate import ACTIVE


def table(rows: Sequence[dict[str, Any]], digits: int = 2) -> None:
    """Print rows in columns, which take their names and their order from the first row; floats have so many digits."""
    lines = [[f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    left, *right = zip(rows[0], *lines, strict=True)
    columns = [[f"{text:<{max(map(len, left))}}" for text in left]]
    columns += [[f"{text:>{max(map(len, column))}}" for text in column] for column in right]
    for line in zip(*columns, strict=True):
        print("   ".join(line).rstrip())


def compare(what: str, guess: Any, measured: float, unit: str = "", digits: int = 2) -> None:
    """Print what was measured and, beside it, what the learner had guessed; None: no guess yet."""
    unit = f" {unit}" if unit else ""
    said = "no guess yet" if guess is None else f"your guess was {guess}{unit}"
    print(f"{what}: {measured:.{digits}f}{unit} ({said})")


def watch(experiment: Experiment, *, steps: int, seed: int = 0, every: int = 100, active: float = ACTIVE) -> Run:
    """Train an experiment and draw the KL of its latents anew after every so many steps.

    Stopped by the notebook's stop button it raises KeyboardInterrupt, as `train` does. Arguments as `train` has them;
    active is the KL in nats at which a line is drawn, above which a latent is called active.
    """
    picture, run = None, None
    for step in (*range(every, steps, every), steps):
        run = train(experiment, steps=step, seed=seed, resume=run, progress=False)
        figure = kl_history({f"{experiment.name}, step {step}": run}, active)
        if picture is None:
            picture = display(figure, display_id=True)
        else:
            picture.update(figure)
        plt.close(figure)
    return run
