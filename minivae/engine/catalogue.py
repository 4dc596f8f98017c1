"""The course's experiments, and those on published files, by name."""

from minivae import experiments
from minivae.engine.pictures import Pictures
from minivae.experiment import Experiment
from minivae.objectives import CapacityELBO, LinearSchedule

_FIGURE_4 = LinearSchedule(0.0, 25.0, 0, 100_000)
EXPERIMENTS = {**experiments.EXPERIMENTS, **{experiment.name: experiment for experiment in [
    Experiment(
        "chairs-published", Pictures("data/chairs.h5", channels=1), CapacityELBO(1000.0, _FIGURE_4), 100_000,
        about="Figure 4b on the published 3D Chairs, once imported to data/chairs.h5 (or --data FILE)",
    ),
    Experiment(
        "celeba", Pictures("data/celeba.h5"), CapacityELBO(1000.0, LinearSchedule(0.0, 50.0, 0, 100_000)), 100_000, 32,
        about="section A.2: CelebA, C from 0 to 50 nats, once imported to data/celeba.h5 (or --data FILE)",
    ),
]}}  # fmt: skip


def get(name: str) -> Experiment:
    """The experiment of that name. Raises ValueError if there is none; the message suggests the nearest name."""
    return experiments.get(name, EXPERIMENTS)
