"""What the chapters' cells print, and the training that they watch."""

import matplotlib.pyplot as plt
import torch

from minivae import Blobs, Experiment, train
from minivae.course import cells
from minivae.course.cells import compare, table, watch
from minivae.objectives import BetaELBO


def test_a_table_has_its_columns_under_their_names(capsys):
    table([{"β": 1, "KL": 17.304, "data": "blobs"}, {"β": 150, "KL": 1.5, "data": "a"}], digits=1)
    assert capsys.readouterr().out == "β       KL    data\n1     17.3   blobs\n150    1.5       a\n"


def test_a_guess_stands_beside_what_was_measured(capsys):
    compare("KL at β = 150", 3, 1.537, "nats")
    compare("active latents", None, 2, digits=0)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["KL at β = 150: 1.54 nats (your guess was 3 nats)", "active latents: 2 (no guess yet)"]


def test_a_watched_training_is_the_training_and_is_drawn_anew(monkeypatch):
    titles = []  # of the figures shown, and whether each took the place of another

    class Picture:
        def update(self, figure):
            titles.append((figure.axes[0].get_title(), True))

    def display(figure, display_id):
        titles.append((figure.axes[0].get_title(), False))
        return Picture()

    monkeypatch.setattr(cells, "display", display)
    before = plt.get_fignums()
    experiment = Experiment("mine", Blobs(size=32), BetaELBO(4.0), 5)
    plain = train(experiment, seed=1, progress=False)
    run = watch(experiment, steps=5, seed=1, every=2)
    assert run.step == 5 and (run.history["kl"] == plain.history["kl"]).all()
    assert all(torch.equal(plain.weights[name], run.weights[name]) for name in plain.weights)
    assert titles == [("mine, step 2", False), ("mine, step 4", True), ("mine, step 5", True)]
    assert plt.get_fignums() == before  # none is left open
