"""Training: exact resume, interrupts, divergence, and what must not depend on what."""

import dataclasses
import os
import signal
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from minivae import experiments, training
from minivae.datasets import Blobs
from minivae.objectives import ELBO, BetaELBO
from minivae.runs import Run
from minivae.training import TrainingError, train

EXPERIMENT = dataclasses.replace(experiments.get("blobs-beta150"), batch=8)


def quick(experiment=EXPERIMENT, *, seed=1, precision="fp32", **arguments) -> Run:
    return train(experiment, seed=seed, device="cpu", precision=precision, progress=False, **arguments)


def assert_equal(a: Run, b: Run) -> None:
    assert a.step == b.step
    for name in a.weights:
        assert torch.equal(a.weights[name], b.weights[name]), name
    for name in a.history:
        assert np.array_equal(a.history[name], b.history[name]), name
    for name, state in a.checkpoint.optimizer.items():
        for key, value in state.items():
            assert torch.equal(value, b.checkpoint.optimizer[name][key]), (name, key)
    assert torch.equal(a.checkpoint.generator, b.checkpoint.generator)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resume_is_exact(tmp_path, precision):
    whole = quick(steps=200, precision=precision)
    half = quick(steps=100, precision=precision)
    half = Run.load(half.save(tmp_path / "half.h5"))
    assert_equal(quick(steps=200, precision=precision, resume=half), whole)


def test_resume_that_does_not_fit_is_refused():
    run = quick(steps=2)
    with pytest.raises(ValueError, match="more than the 2 already done, got 2"):
        quick(steps=2, resume=run)
    with pytest.raises(ValueError, match="has seed 1, not 2"):
        quick(seed=2, steps=4, resume=run)
    with pytest.raises(ValueError, match="another experiment: objective differ"):
        quick(dataclasses.replace(EXPERIMENT, objective=ELBO()), steps=4, resume=run)
    with pytest.raises(ValueError, match="was slimmed and has no checkpoint"):
        quick(steps=4, resume=run.slim())


def test_resume_keeps_the_precision_and_the_time():
    run = quick(steps=2, precision="bf16")
    again = quick(steps=4, precision="auto", resume=run)
    assert again.made["precision"] == "bf16" and again.made["seconds"] >= run.made["seconds"]


def test_seed_decides_everything_and_the_global_random_state_nothing():
    torch.manual_seed(1)
    a = quick(steps=3)
    torch.manual_seed(2)
    assert_equal(a, quick(steps=3))
    assert not np.array_equal(a.history["loss"], quick(seed=2, steps=3).history["loss"])


def test_history_holds_every_step_and_adds_up(monkeypatch):
    monkeypatch.setattr(training, "LOOK_EVERY", 7)
    history = quick(steps=20).history
    assert history["step"].tolist() == list(range(1, 21)) and history["kl"].shape == (20, 10)
    assert np.allclose(history["loss"], history["reconstruction"] + 150 * history["kl"].sum(1), rtol=1e-5)
    assert history["reconstruction"][-1] < 0.7 * history["reconstruction"][0]


def test_snapshots_are_the_weights_of_a_shorter_training():
    run, shorter = quick(steps=5, snapshots=[3]), quick(steps=3)
    assert all(torch.equal(run.snapshots[3][name], shorter.weights[name]) for name in shorter.weights)


def test_run_says_how_it_was_made():
    made = quick(steps=1).made
    assert made["command"] == "minivae.training.train('blobs-beta150', steps=1, seed=1)"
    assert made["device"] == "cpu" and made["precision"] == "fp32" and made["threads"] >= 1
    assert made["versions"]["torch"] == torch.__version__


def test_bf16_agrees_with_fp32_to_its_rounding():
    a, b = quick(steps=5, precision="fp32").history["loss"], quick(steps=5, precision="bf16").history["loss"]
    assert np.allclose(a, b, rtol=0.02) and not np.array_equal(a, b)


@dataclass(frozen=True)
class NaNAt:
    """An objective that breaks at one step."""

    at: int

    def __call__(self, reconstruction, kl, step):
        return reconstruction + kl.sum() * (float("nan") if step == self.at else 1.0)


def test_nan_stops_the_training_and_keeps_the_last_good_state(monkeypatch):
    monkeypatch.setattr(training, "LOOK_EVERY", 10)
    experiment = dataclasses.replace(EXPERIMENT, objective=NaNAt(27))
    with pytest.raises(TrainingError, match=r"became NaN or infinite at step 27.*step 20 is kept") as told:
        quick(experiment, steps=50)
    assert told.value.run.step == 20
    good = quick(dataclasses.replace(EXPERIMENT, objective=ELBO()), steps=20)
    assert all(torch.equal(told.value.run.weights[name], good.weights[name]) for name in good.weights)


def test_nan_in_the_first_look_has_nothing_to_keep():
    with pytest.raises(TrainingError, match=r"at step 2.*no earlier state") as told:
        quick(dataclasses.replace(EXPERIMENT, objective=NaNAt(2)), steps=5)
    assert told.value.run is None


def test_diverged_training_keeps_its_file_loadable(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "LOOK_EVERY", 2)
    experiment = dataclasses.replace(EXPERIMENT, learning_rate=1e12)
    out = tmp_path / "run.h5"
    try:
        quick(experiment, steps=20, out=out)
        pytest.fail("a learning rate of 1e12 must diverge")
    except TrainingError as told:
        assert told.run is None or Run.load(out).step == told.run.step


@dataclass(frozen=True)
class InterruptAt:
    """An objective during which the user presses Ctrl-C."""

    at: int

    def __call__(self, reconstruction, kl, step):
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return reconstruction + kl.sum()


def test_interrupt_ends_after_the_step_and_resumes_exactly(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    experiment = dataclasses.replace(EXPERIMENT, objective=InterruptAt(13))
    run = quick(experiment, steps=30, out=tmp_path / "run.h5")
    assert run.step == 13 and signal.getsignal(signal.SIGINT) is handler
    plain = dataclasses.replace(EXPERIMENT, objective=ELBO())
    stopped = dataclasses.replace(run, experiment=plain)
    assert_equal(quick(plain, steps=30, resume=stopped), quick(plain, steps=30))


def test_out_is_written_and_an_existing_file_is_refused_before_training(tmp_path):
    out = tmp_path / "run.h5"
    assert_equal(quick(steps=3, out=out), Run.load(out))
    with pytest.raises(FileExistsError):
        quick(steps=10**9, out=out)
    with pytest.raises(OSError, match="create it first"):
        quick(steps=10**9, out=tmp_path / "none" / "run.h5")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_unknown_device(device):
    with pytest.raises(ValueError, match="device"):
        train(EXPERIMENT, steps=1, device=device, progress=False)


def test_unknown_precision():
    with pytest.raises(ValueError, match="unknown precision 'fp8': choose auto, fp32 or bf16"):
        quick(steps=1, precision="fp8")


@pytest.mark.parametrize("steps", [0, -5])
def test_steps_must_be_positive(steps):
    with pytest.raises(ValueError, match="more than the 0 already done"):
        quick(steps=steps)


@dataclass(frozen=True)
class Bright(Blobs):
    """A data set with the wrong range."""

    def render(self, positions):
        return 255 * super().render(positions)


def test_images_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\].*to 25"):
        quick(dataclasses.replace(EXPERIMENT, dataset=Bright()), steps=1)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"got \(8, 1, 32, 32\)"):
        quick(dataclasses.replace(EXPERIMENT, dataset=Blobs(sigma=3, margin=4, size=32)), steps=1)


def test_auto_picks_something_that_works():
    device = training.pick_device("auto")
    assert training.pick_precision("auto", device) in ("fp32", "bf16")
    run = train(EXPERIMENT, steps=1, progress=False)
    assert np.isfinite(run.history["loss"]).all()


def test_beta_changes_the_loss_only_by_its_price():
    one = quick(dataclasses.replace(EXPERIMENT, objective=BetaELBO(1.0)), steps=3)
    elbo = quick(dataclasses.replace(EXPERIMENT, objective=ELBO()), steps=3)
    assert np.array_equal(one.history["loss"], elbo.history["loss"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_as_the_cpu_does():
    run = train(EXPERIMENT, steps=60, device="cuda", precision="fp32", progress=False)
    reference = quick(steps=60)  # other random numbers: the same course, not the same digits
    assert run.history["reconstruction"][-10:].mean() == pytest.approx(
        reference.history["reconstruction"][-10:].mean(), rel=0.2
    )
