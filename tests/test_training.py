"""Training: exact resume, interrupts, divergence, and what must not depend on what."""

import dataclasses
import itertools
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.utils._python_dispatch import TorchDispatchMode

from minivae import experiments, gaussian, growing, training
from minivae.datasets import Blobs, Sprites
from minivae.engine import fast, parallel, saving, trainer
from minivae.engine.runs import Run, initial_state
from minivae.engine.trainer import TrainingError, TrainingInterrupted, train
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LinearSchedule, PolylineSchedule
from minivae.vae import VAE

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
    if a.checkpoint.objective is not None or b.checkpoint.objective is not None:
        assert torch.equal(a.checkpoint.objective, b.checkpoint.objective)


@pytest.mark.slow
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
    began = time.perf_counter()
    run = quick(steps=2, precision="bf16")
    took = time.perf_counter() - began
    again = quick(steps=4, precision="auto", resume=run)
    assert again.provenance["precision"] == "bf16"
    assert run.provenance["seconds"] <= took + 0.1  # they are rounded to a tenth
    assert run.provenance["seconds"] <= again.provenance["seconds"] <= time.perf_counter() - began + 0.1


def test_seed_decides_everything_and_the_global_random_state_nothing():
    torch.manual_seed(1)
    a = quick(steps=3)
    torch.manual_seed(2)
    assert_equal(a, quick(steps=3))
    assert not np.array_equal(a.history["loss"], quick(seed=2, steps=3).history["loss"])


def test_history_holds_every_step_and_adds_up(monkeypatch):
    monkeypatch.setattr(saving, "LOOK_EVERY", 7)
    history = quick(steps=20).history
    assert history["step"].tolist() == list(range(1, 21)) and history["kl"].shape == (20, 10)
    assert np.allclose(history["loss"], history["reconstruction"] + 150 * history["kl"].sum(1), rtol=1e-5)
    assert history["reconstruction"][-1] < 0.7 * history["reconstruction"][0]


def test_snapshots_are_the_weights_of_a_shorter_training():
    run, shorter = quick(steps=5, snapshots=[3]), quick(steps=3)
    assert all(torch.equal(run.snapshots[3][name], shorter.weights[name]) for name in shorter.weights)


def test_run_says_how_it_was_made():
    made = quick(steps=1).provenance
    assert made["command"] == "minivae.train('blobs-beta150', steps=1, seed=1)"
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
    monkeypatch.setattr(saving, "LOOK_EVERY", 10)
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
    monkeypatch.setattr(saving, "LOOK_EVERY", 2)
    experiment = dataclasses.replace(EXPERIMENT, learning_rate=1e12)
    out = tmp_path / "run.h5"
    try:
        quick(experiment, steps=20, out=out)
        pytest.fail("a learning rate of 1e12 must diverge")
    except TrainingError as told:
        assert told.run is None or Run.load(out).step == told.run.step


@dataclass(frozen=True)
class InterruptAt:
    """An objective during which the user presses Ctrl-C, or the system asks the process to end."""

    at: int
    signal: int = signal.SIGINT

    def __call__(self, reconstruction, kl, step):
        if step == self.at:
            os.kill(os.getpid(), self.signal)
        return reconstruction + kl.sum()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_after_the_step_says_so_and_resumes_exactly(tmp_path, capsys, number):
    handler, out = signal.getsignal(number), tmp_path / "run.h5"
    experiment = dataclasses.replace(EXPERIMENT, objective=InterruptAt(13, number))
    with pytest.raises(KeyboardInterrupt, match=r"interrupted at step 13; the run so far is in .*run\.h5") as told:
        train(experiment, seed=1, device="cpu", precision="fp32", steps=30, out=out)
    bar = capsys.readouterr().err.splitlines()[-1]
    assert f"{experiment.name}, interrupted" in bar and "13/30" in bar
    run = told.value.run
    assert run.step == 13 and signal.getsignal(number) is handler
    assert_equal(Run.load(out, kinds=[InterruptAt]), run)
    plain = dataclasses.replace(EXPERIMENT, objective=ELBO())
    stopped = dataclasses.replace(run, experiment=plain)
    assert_equal(quick(plain, steps=30, resume=stopped), quick(plain, steps=30))


def test_an_interrupt_in_the_last_step_is_not_swallowed():
    with pytest.raises(TrainingInterrupted, match="in the error's `run`") as told:
        quick(dataclasses.replace(EXPERIMENT, objective=InterruptAt(3)), steps=3)
    assert told.value.run.step == 3


@pytest.mark.slow
def test_the_stop_button_ends_run_all_and_the_run_can_be_had():
    """In a real kernel: the cells below do not run, and what was done is in `sys.last_value`."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", extra_arguments=["--HistoryManager.enabled=False"])

    def said(cell: str, then=lambda: None) -> list[str]:
        seen = []

        def note(message):
            if message["msg_type"] in ("stream", "error"):
                seen.append(message["content"].get("text") or message["content"]["ename"])
                then()

        client.execute_interactive(cell, timeout=120, output_hook=note)
        return "".join(seen).split()

    try:
        said("import dataclasses, sys; from minivae import experiments, train")
        said("e = dataclasses.replace(experiments.get('blobs-vae'), batch=2)")
        said("plain = dict(device='cpu', progress=False)")
        said("below = 'not run'; train(e, steps=1, **plain)")

        def press():  # with the cell below in the queue, as Run All has it
            client.execute("below = 'run'")
            time.sleep(1)
            manager.interrupt_kernel()

        once = iter([press])
        long = "print('begun', flush=True); train(e, steps=10**6, **plain)"
        assert said(long, lambda: next(once, lambda: None)()) == ["begun", "TrainingInterrupted"]
        assert said("print(sys.last_value.run.step > 0, below)") == ["True", "not", "run"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_out_is_written_and_an_existing_file_is_refused_before_training(tmp_path):
    out = tmp_path / "run.h5"
    assert_equal(quick(steps=3, out=out), Run.load(out))
    with pytest.raises(FileExistsError):
        quick(steps=10**9, out=out)
    with pytest.raises(OSError, match="create it first"):
        quick(steps=10**9, out=tmp_path / "none" / "run.h5")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "", None])
def test_unknown_device(device):
    with pytest.raises(ValueError, match="device"):
        train(EXPERIMENT, steps=1, device=device, progress=False)


def test_a_card_that_this_pytorch_has_no_kernels_for_is_refused_with_the_reason(monkeypatch):
    """Such a card is found and takes memory; only a kernel that is awaited fails."""

    class Card(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            if "add" in operation._schema.name:
                raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")
            return operation(*args, **(kwargs or {}))

    real = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *size, device=None: real(*size))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("cuda", "auto"):
        assert fast.pick_device(name) == torch.device("cuda")
        with Card(), pytest.raises(ValueError, match=r"'cuda' cannot be used here \(CUDA error: no kernel image .*\):"):
            fast.pick_device(name)


def test_layers_lie_in_memory_as_the_device_likes_it():
    """Channels last, but not on MPS, where it is no faster and was reported to give wrong results."""
    assert fast.layout(torch.device("mps")) is torch.contiguous_format
    assert fast.layout(torch.device("cuda")) is fast.layout(torch.device("cpu")) is torch.channels_last


@pytest.mark.parametrize(("system", "libc"), [("linux", ""), ("linux", "musl"), ("darwin", ""), ("win32", "")])
def test_only_glibc_is_told_to_keep_buffers(monkeypatch, system, libc):
    """Others have no mallopt: to ask for it ends the training."""
    asked = []
    monkeypatch.setattr(fast.ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=lambda *told: asked.append(told)))
    monkeypatch.setattr(fast.platform, "libc_ver", lambda: (libc, ""))
    monkeypatch.setattr(fast.sys, "platform", system)
    fast.keep_buffers()
    assert not asked
    monkeypatch.setattr(fast.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(fast.sys, "platform", "linux")
    fast.keep_buffers(mmap=5, trim=7)
    assert asked == [(-3, 5), (-1, 7)]  # as malloc.h numbers M_MMAP_THRESHOLD and M_TRIM_THRESHOLD


def test_fp32_is_no_tf32_while_a_training_runs():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    with fast.ieee():
        assert (cudnn.conv.fp32_precision == "ieee") if hasattr(cudnn, "conv") else not cudnn.allow_tf32
    assert cudnn.allow_tf32 == before


def test_unknown_precision():
    with pytest.raises(ValueError, match="unknown precision 'fp8': choose auto, fp32 or bf16"):
        quick(steps=1, precision="fp8")


@pytest.mark.parametrize("steps", [0, -5, True, 1.0, "3"])
def test_steps_must_be_a_positive_whole_number(steps):
    with pytest.raises(ValueError, match=f"steps must be a whole number of at least 1, got {steps!r}"):
        quick(steps=steps)


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5, None])
def test_seeds_that_do_not_fit_are_refused(seed):
    with pytest.raises(ValueError, match="seed must be"):
        quick(steps=1, seed=seed)


@pytest.mark.parametrize("snapshots", [None, 3])
def test_snapshots_must_be_a_collection(snapshots):
    with pytest.raises(ValueError, match=r"snapshots must be a collection of steps .*, got"):
        quick(steps=3, snapshots=snapshots)


def test_settings_that_no_file_can_hold_are_refused_before_the_training(tmp_path):
    experiment = dataclasses.replace(EXPERIMENT, objective=lambda reconstruction, kl, step: reconstruction)
    with pytest.raises(ValueError, match="cannot be stored in a file"):
        quick(experiment, steps=10**9, out=tmp_path / "run.h5")
    assert quick(experiment, steps=1).step == 1  # without a file it is nobody's business


def test_own_objective_comes_back_from_the_file(tmp_path):
    run = quick(dataclasses.replace(EXPERIMENT, objective=NaNAt(9)), steps=2, out=tmp_path / "run.h5")
    with pytest.raises(ValueError, match=r"'NaNAt'.*give your own class in `kinds`"):
        Run.load(tmp_path / "run.h5")
    assert Run.load(tmp_path / "run.h5", kinds=[NaNAt]).experiment == run.experiment


def test_a_run_that_cannot_be_written_is_not_lost(monkeypatch, tmp_path):
    def full(path, overwrite=False):
        raise OSError(28, "No space left on device")

    clock = itertools.count(0.0, 61.0)
    monkeypatch.setattr(saving, "LOOK_EVERY", 2)
    monkeypatch.setattr(saving, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(Run, "save", lambda run, path, overwrite=False: full(path, overwrite))
    with pytest.warns(RuntimeWarning, match=r"step 2 was not saved: .*No space left"), pytest.raises(
        TrainingError, match=r"No space left .*the trained run is in the error's `run`"
    ) as told:  # fmt: skip
        quick(steps=4, out=tmp_path / "run.h5")
    assert told.value.run.step == 4


def test_a_run_from_another_kind_of_device_is_refused():
    run = quick(steps=1)
    checkpoint = dataclasses.replace(run.checkpoint, generator=torch.zeros(16, dtype=torch.uint8))  # as CUDA's is
    run = dataclasses.replace(run, checkpoint=checkpoint, provenance={**run.provenance, "device": "cuda"})
    with pytest.raises(ValueError, match=r"was made on cuda, whose random numbers cpu cannot continue: .* --reseed"):
        quick(steps=2, resume=run)
    on = quick(steps=2, resume=run, reseed=True)
    assert on.step == 2 and on.provenance["reseeded"] == [1] and "reseeded" not in quick(steps=2).provenance


def test_a_reseeded_training_draws_new_numbers_the_same_each_time(tmp_path):
    run = quick(steps=2)
    first, again = (quick(steps=4, resume=run, reseed=True) for _ in range(2))
    assert_equal(first, again)
    plain, fresh = quick(steps=4).history["loss"], first.history["loss"]
    assert np.array_equal(fresh[:2], plain[:2]) and not np.isclose(fresh[2:], plain[2:], rtol=1e-4).any()
    # and not those of the beginning: the loss of the third step is not that of the first
    later = quick(steps=6, resume=Run.load(first.save(tmp_path / "run.h5")), reseed=True)
    assert later.provenance["reseeded"] == [2, 4]
    assert quick(steps=5, resume=first).provenance["reseeded"] == [2]  # what was noted stays
    with pytest.raises(ValueError, match="reseed goes with resume"):
        quick(steps=2, reseed=True)


def test_a_run_goes_on_elsewhere_in_the_precision_of_that_place():
    run = quick(steps=1, precision="bf16")
    elsewhere = fast.pick_precision("auto", torch.device("cpu"))
    assert quick(steps=2, precision="auto", resume=run, reseed=True).provenance["precision"] == elsewhere


@dataclass(frozen=True)
class Bright(Blobs):
    """A data set with the wrong range."""

    def sample(self, n, generator=None):
        images, positions = super().sample(n, generator)
        return 255 * images, positions


def test_images_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\].*to 25"):
        quick(dataclasses.replace(EXPERIMENT, dataset=Bright()), steps=1)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="size must be one of 32, 64, 128, got 48"):
        quick(dataclasses.replace(EXPERIMENT, dataset=Blobs(sigma=5, margin=6, size=48)), steps=1)


def test_auto_picks_something_that_works():
    device = fast.pick_device("auto")
    assert fast.pick_precision("auto", device) in ("fp32", "bf16")
    run = train(EXPERIMENT, steps=1, progress=False)
    assert np.isfinite(run.history["loss"]).all()


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN")
@pytest.mark.parametrize(
    ("processor", "library", "chosen"), [(True, True, "bf16"), (True, False, "fp32"), (False, True, "fp32")]
)
def test_auto_takes_bf16_where_the_processor_has_it_and_onednn_uses_it(monkeypatch, processor, library, chosen):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: processor, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: library, raising=False)
    assert fast.pick_precision("auto", torch.device("cpu")) == chosen


def test_auto_takes_fp32_where_only_avx2_may_be_used():
    code = "import torch; from minivae.engine.fast import pick_precision as p; print(p('auto', torch.device('cpu')))"
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "fp32", done.stderr


@pytest.mark.parametrize("objective", [CapacityELBO(), LagrangianELBO(beta=50.0)])
def test_a_step_numbered_on_the_device_is_the_same_step(objective):
    rows = []
    for number in (60_000, torch.tensor(60_000.0)):
        model, state = VAE(generator=torch.Generator().manual_seed(0)), initial_state(objective)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        images, _ = Blobs().sample(4, torch.Generator().manual_seed(0))
        noise = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
        rows.append(training.training_step(model, optimizer, objective, images, noise, number, state=state))
        rows.append(next(model.parameters()).detach().clone())
    assert torch.allclose(rows[0], rows[2], rtol=1e-6) and torch.allclose(rows[1], rows[3], rtol=1e-5)
    assert rows[0].dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["blobs-beta150", "generator", "generator-lagrangian"])
def test_cuda_graphs_train_as_single_operations_do(monkeypatch, name):
    graphed = train(experiments.get(name), steps=40, device="cuda", precision="fp32", progress=False)
    monkeypatch.setattr(trainer, "_GRAPHABLE", ())
    eager = train(experiments.get(name), steps=40, device="cuda", precision="fp32", progress=False)
    assert np.allclose(graphed.history["loss"], eager.history["loss"], rtol=1e-3)


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


@pytest.mark.parametrize("split", [1, 17, 30])
def test_resume_is_exact_at_any_step(tmp_path, monkeypatch, split):
    # blocks of 20 steps: the break falls inside one of them, and the resumed blocks lie elsewhere
    monkeypatch.setattr(saving, "LOOK_EVERY", 20)
    whole = quick(steps=45)
    part = Run.load(quick(steps=split).save(tmp_path / "part.h5"))
    assert_equal(quick(steps=45, resume=part), whole)


def test_a_run_may_be_resumed_twice():
    run = quick(steps=2)
    assert_equal(quick(steps=4, resume=run), quick(steps=4, resume=run))  # Adam counts its steps in place


def test_resume_keeps_the_snapshots_and_leaves_the_run_alone():
    run = quick(steps=3, snapshots=[2])
    weights = {name: value.clone() for name, value in run.weights.items()}
    again = quick(steps=5, snapshots=[4], resume=run)
    assert sorted(again.snapshots) == [2, 4] and sorted(run.snapshots) == [2]
    assert run.step == 3 and len(run.history["step"]) == 3
    assert all(torch.equal(run.weights[name], weights[name]) for name in weights)


def test_loss_falls(monkeypatch):
    monkeypatch.setattr(saving, "LOOK_EVERY", 25)
    for name in ("blobs-vae", "blobs-beta150"):
        loss = quick(dataclasses.replace(experiments.get(name), batch=8), steps=60).history["loss"]
        assert loss[-10:].mean() < 0.6 * loss[0], name


def test_a_step_reports_sums_over_pixels_and_means_over_the_batch():
    images = Blobs().sample(4, torch.Generator().manual_seed(0))[0]
    model = VAE(generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, mean, log_std = model(images, torch.Generator().manual_seed(1))
    nll = torch.stack([-Bernoulli(logits=a, validate_args=False).log_prob(b).sum()
                       for a, b in zip(logits, images, strict=True)]).mean()  # fmt: skip
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).mean(0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    noise = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    row = training.training_step(model, optimizer, BetaELBO(3.0), images, noise, step=1)
    assert row.shape == (12,) and not row.requires_grad
    assert row[1].item() == pytest.approx(nll.item(), rel=1e-5)
    assert torch.allclose(row[2:], kl, rtol=1e-3, atol=1e-6)
    assert row[0].item() == pytest.approx(nll.item() + 3 * kl.sum().item(), rel=1e-5)


def test_first_step_of_adam_moves_each_weight_by_the_learning_rate():
    images = Blobs().sample(4, torch.Generator().manual_seed(0))[0]
    model = VAE(generator=torch.Generator().manual_seed(0))
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)
    training.training_step(model, optimizer, ELBO(), images, torch.zeros(4, 10), step=1)
    moved = torch.cat([(p.detach() - old).abs().flatten() for p, old in zip(model.parameters(), before, strict=True)])
    assert moved.max().item() == pytest.approx(5e-4, rel=1e-2)


def test_nan_leaves_the_last_good_state_in_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr(saving, "LOOK_EVERY", 5)
    real, out = training.training_step, tmp_path / "run.h5"

    def step_with_nan(*arguments, **settings):
        row = real(*arguments, **settings)
        return row * float("nan") if arguments[5] == 13 else row

    monkeypatch.setattr(training, "training_step", step_with_nan)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingError, match=r"at step 13: .*step 10 is kept .* and in .*run\.h5") as told:
        quick(steps=20, out=out)
    assert signal.getsignal(signal.SIGINT) is handler
    assert_equal(Run.load(out), told.value.run)
    monkeypatch.setattr(training, "training_step", real)
    assert_equal(quick(steps=20, resume=Run.load(out)), quick(steps=20))


def test_nan_after_a_resume_keeps_the_resumed_run():
    run = quick(steps=4)
    broken = dataclasses.replace(EXPERIMENT, objective=NaNAt(6))
    with pytest.raises(TrainingError, match=r"at step 6.*step 4 is kept") as told:
        quick(broken, steps=9, resume=dataclasses.replace(run, experiment=broken))
    assert told.value.run.step == 4


@dataclass(frozen=True)
class KinkAt:
    """An objective of finite value and infinite slope at one step."""

    at: int

    def __call__(self, reconstruction, kl, step):
        return reconstruction + torch.sqrt(kl.sum() * (0.0 if step == self.at else 1.0))


def test_a_weight_that_breaks_in_the_last_step_is_noticed():
    with pytest.raises(TrainingError, match="a weight became NaN or infinite at step 3"):
        quick(dataclasses.replace(EXPERIMENT, objective=KinkAt(3)), steps=3)


@dataclass(frozen=True)
class InterruptTwice:
    """An objective during which the user presses Ctrl-C, and once more."""

    def __call__(self, reconstruction, kl, step):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return reconstruction + kl.sum()


def test_second_interrupt_breaks_off_at_once(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):  # nothing was saved, and nothing says so
        quick(dataclasses.replace(EXPERIMENT, objective=InterruptTwice()), steps=5, out=tmp_path / "run.h5")
    assert signal.getsignal(signal.SIGINT) is handler and not list(tmp_path.iterdir())


def test_in_a_group_of_processes_torchruns_second_signal_breaks_nothing_off(monkeypatch):
    monkeypatch.setattr(parallel, "alone", lambda: False)
    with saving.deferred_interrupt() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()


def test_training_in_another_thread_works():
    # signals reach only the main thread, and there alone can a handler be set
    with ThreadPoolExecutor(1) as pool:
        assert_equal(pool.submit(quick, steps=2).result(), quick(steps=2))


def on_step(monkeypatch, at, deed):
    """Do something after one step, without touching the experiment: its file stays loadable."""
    real = training.training_step

    def step(*arguments, **settings):
        row = real(*arguments, **settings)
        if arguments[5] == at:
            deed()
        return row

    monkeypatch.setattr(training, "training_step", step)


def test_long_training_is_saved_on_the_way(monkeypatch, tmp_path):
    def power_cut():
        raise RuntimeError("power cut")

    out, clock = tmp_path / "run.h5", itertools.count(0.0, 61.0)  # a minute goes by between any two looks
    with monkeypatch.context() as patch:
        patch.setattr(saving, "LOOK_EVERY", 2)
        patch.setattr(saving, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        on_step(patch, 7, power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            quick(steps=10, out=out)
    saved = Run.load(out)
    assert saved.step == 6
    assert_equal(quick(steps=10, resume=saved), quick(steps=10))


def test_a_file_that_appears_during_the_training_is_kept(monkeypatch, tmp_path):
    out = tmp_path / "run.h5"
    on_step(monkeypatch, 2, lambda: out.write_text("somebody's work"))
    with pytest.raises(TrainingError, match="exists: choose another name"):
        quick(steps=3, out=out)
    assert out.read_text() == "somebody's work"


def test_snapshots_outside_the_training_are_refused():
    with pytest.raises(ValueError, match=r"snapshots must lie in 1 … 3.* got \[0, 4\]"):
        quick(steps=3, snapshots=[0, 2, 4])


def test_another_description_does_not_hinder_resuming():
    run = quick(steps=2)
    assert quick(dataclasses.replace(EXPERIMENT, about="reworded", steps=7), steps=3, resume=run).step == 3


def test_a_file_that_appears_is_kept_when_the_training_diverges_too(monkeypatch, tmp_path):
    out = tmp_path / "run.h5"
    monkeypatch.setattr(saving, "LOOK_EVERY", 5)
    on_step(monkeypatch, 2, lambda: out.write_text("somebody's work"))
    with pytest.warns(RuntimeWarning, match="was not saved"), pytest.raises(TrainingError, match="NaN") as told:
        quick(dataclasses.replace(EXPERIMENT, objective=NaNAt(13)), steps=20, out=out)
    assert out.read_text() == "somebody's work" and told.value.run.step == 10


def test_a_training_error_passes_between_processes():
    error = pickle.loads(pickle.dumps(TrainingError("lost", quick(steps=1))))
    assert str(error) == "lost" and error.run.step == 1


def test_whole_numbers_of_numpy_are_welcome():
    assert_equal(quick(steps=np.int64(2), seed=np.int64(1)), quick(steps=2))


LAGRANGIAN = LagrangianELBO(LinearSchedule(0.5, 2.0, 0, 40), gain=0.05, beta=20.0)


@pytest.mark.parametrize("name", ["generator", "generator-centred", "generator-lagrangian"])
def test_generators_train_and_resume_exactly(tmp_path, name):
    experiment = dataclasses.replace(experiments.get(name), batch=8)
    whole = quick(experiment, steps=9)
    part = Run.load(quick(experiment, steps=4).save(tmp_path / "part.h5"))
    again = quick(experiment, steps=9, resume=part)
    assert_equal(again, whole)
    assert (whole.checkpoint.objective is not None) == (name == "generator-lagrangian")


def test_controller_resumes_exactly_and_leaves_the_run_alone(tmp_path):
    experiment = dataclasses.replace(EXPERIMENT, objective=LAGRANGIAN)
    whole = quick(experiment, steps=30)
    part = Run.load(quick(experiment, steps=11).save(tmp_path / "part.h5"))
    before = part.checkpoint.objective.clone()
    assert_equal(quick(experiment, steps=30, resume=part), whole)
    assert torch.equal(part.checkpoint.objective, before) and not torch.equal(before, whole.checkpoint.objective)


def test_the_beta_of_each_step_can_be_read_from_the_history():
    experiment = dataclasses.replace(experiments.get("generator-lagrangian"), batch=8, objective=LAGRANGIAN)
    history = quick(experiment, steps=20).history
    beta = (history["loss"] - history["reconstruction"]) / history["kl"].sum(1)
    off = history["kl"].sum(1) - [LAGRANGIAN.schedule(step) for step in history["step"]]
    integral = np.log(20) + np.concatenate([[0], np.cumsum(LAGRANGIAN.gain * off.clip(-1, 1))[:-1]])
    assert np.allclose(np.log(beta), integral + LAGRANGIAN.damping * off.clip(-1, 1), atol=2e-3)


def test_generator_is_shown_the_factors_of_its_pictures(monkeypatch):
    experiment = dataclasses.replace(experiments.get("generator"), batch=4)
    real, seen = training.training_step, []

    def step(model, optimizer, objective, images, noise, step, source, **settings):
        seen.append((images, source))
        return real(model, optimizer, objective, images, noise, step, source=source, **settings)

    monkeypatch.setattr(training, "training_step", step)
    quick(experiment, steps=2)
    quick(dataclasses.replace(EXPERIMENT, batch=4), steps=1)
    assert all(torch.equal(experiment.dataset.render(source), images) for images, source in seen[:2])
    assert seen[2][1] is None  # a VAE is shown the pictures


def test_latents_are_woken_when_they_open_and_a_resumed_training_does_the_same(tmp_path):
    objective = LagrangianELBO(PolylineSchedule(((0, 1.0), (20, 9.0))), beta=20.0, openings=((0, 2), (6, 5)))
    experiment = dataclasses.replace(EXPERIMENT, objective=objective)
    whole = quick(experiment, steps=9)
    kl = whole.history["kl"]
    assert kl[:5, 2:].max() < 0.2 and kl[5:, 2:5].min() > 1 and kl[5:, 5:].max() < 0.2  # σ = e^−1.5 alone makes a nat
    for first in (4, 5, 6):
        part = Run.load(quick(experiment, steps=first).save(tmp_path / f"{first}.h5"))
        assert_equal(quick(experiment, steps=9, resume=part), whole)
    assert Run.load(whole.save(tmp_path / "whole.h5")).experiment == experiment


def test_openings_need_a_vae_with_as_many_latents():
    objective = LagrangianELBO(openings=((0, 2), (6, 11)))
    with pytest.raises(ValueError, match="openings are for a VAE"):
        dataclasses.replace(EXPERIMENT, objective=objective)
    with pytest.raises(ValueError, match="openings are for a VAE"):
        dataclasses.replace(experiments.get("generator"), objective=LagrangianELBO(openings=((0, 2),)))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resume_is_exact_with_muon_cooldown_and_revived_units(tmp_path, precision):
    experiment = dataclasses.replace(
        EXPERIMENT, steps=40, optimizer="muon", learning_rate=2e-3, cooldown=0.5, reset_dormant=7
    )
    whole = quick(experiment, precision=precision)
    half = quick(experiment, steps=25, precision=precision)
    half = Run.load(half.save(tmp_path / "half.h5"))
    assert_equal(quick(experiment, precision=precision, resume=half), whole)


def test_cooldown_lets_the_learning_rate_fall_to_a_thirtieth(monkeypatch):
    real, rates = training.training_step, []

    def noted(model, optimizer, *rest, **settings):
        rates.append(optimizer.param_groups[0]["lr"])
        return real(model, optimizer, *rest, **settings)

    monkeypatch.setattr(training, "training_step", noted)
    quick(dataclasses.replace(EXPERIMENT, steps=10, learning_rate=3e-3, cooldown=0.4), steps=12)
    assert rates[:6] == [3e-3] * 6 and rates[6:] == sorted(rates[6:], reverse=True)
    assert rates[7] == pytest.approx(3e-3 * (1 - 0.5 * 29 / 30)) and rates[9:] == pytest.approx([1e-4] * 3)


def test_revive_comes_every_so_many_steps_until_the_cooldown(monkeypatch):
    steps = []
    monkeypatch.setattr(growing, "reset_dormant", lambda *arguments: steps.append(1))
    quick(dataclasses.replace(EXPERIMENT, steps=20, cooldown=0.5, reset_dormant=3))
    assert len(steps) == 3  # at 3, 6 and 9


def test_a_state_of_the_other_optimizer_does_not_fit(tmp_path):
    run = quick(steps=2)
    muon = dataclasses.replace(run, experiment=dataclasses.replace(EXPERIMENT, optimizer="muon"))
    with pytest.raises(ValueError, match="the optimizer's state does not fit the model"):
        Run.load(muon.save(tmp_path / "run.h5"))


@dataclass(frozen=True)
class PerPicture:
    """The published penalty on the KL of every picture, then averaged: γ·mean |KL(x) − C|."""

    gamma: float
    capacity: float
    needs = "posterior"

    def __call__(self, reconstruction, kl, step, *, z, mean, log_std):
        of_each = gaussian.kl_per_latent(mean, log_std).sum(1)
        return reconstruction + self.gamma * (of_each - self.capacity).abs().mean() + 0 * z.sum()


def test_an_objective_may_ask_for_the_posterior(tmp_path):
    experiment = dataclasses.replace(EXPERIMENT, objective=PerPicture(3.0, 2.0))
    run = quick(experiment, steps=3)
    history, step = run.history, 0
    # before a KL gets to C its distance to C is the same for the mean and for each: γ·(C − KL)
    far = history["kl"][step].sum() < 1
    expected = history["reconstruction"][step] + 3 * (2 - history["kl"][step].sum())
    assert far and history["loss"][step] == pytest.approx(expected, rel=1e-6)
    assert Run.load(run.save(tmp_path / "run.h5"), kinds=[PerPicture]).experiment == experiment


def test_the_posterior_is_that_of_the_step():
    images = Blobs().sample(4, torch.Generator().manual_seed(0))[0]
    model = VAE(generator=torch.Generator().manual_seed(0))
    noise = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    expected = model.encode(images)
    seen = {}

    class Looks:
        needs = "posterior"

        def __call__(self, reconstruction, kl, step, **posterior):
            seen.update(posterior)
            return reconstruction + kl.sum()

    training.training_step(model, torch.optim.SGD(model.parameters(), 0.0), Looks(), images, noise, 1)
    assert torch.equal(seen["mean"], expected[0]) and torch.equal(seen["log_std"], expected[1])
    assert torch.equal(seen["z"], expected[0] + expected[1].exp() * noise)


def test_the_bias_added_apart_is_pytorchs():
    model = VAE(3, 4, 32, torch.Generator().manual_seed(0))
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    weight = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    found = []
    for _ in range(2):
        model.zero_grad()
        logits = model.decode(z)
        (logits * weight).sum().backward()
        found.append([logits.detach(), *(p.grad.clone() for p in model.decoder.parameters())])
        fast.bias_apart(model)
    for theirs, ours in zip(*found, strict=True):
        assert (theirs - ours).abs().max() <= 1e-5 * theirs.abs().max()


def test_an_interrupt_is_told_before_an_earlier_failure():
    failed, interrupted = TrainingError("the loss became NaN", None), TrainingInterrupted("interrupted", None)

    def one(error, at):
        def keep(step, row):
            if step == at:
                raise error

        return SimpleNamespace(keep=keep, change=lambda step: None, take=lambda step: torch.zeros(1))

    with pytest.raises(TrainingInterrupted):
        trainer._take_turns([one(failed, 1), one(interrupted, 3)], range(1, 5))
    with pytest.raises(TrainingError):
        trainer._take_turns([one(failed, 1), one(failed, 9)], range(1, 5))


def test_several_processes_refuse_an_objective_of_the_posterior(monkeypatch):
    monkeypatch.setattr(parallel, "alone", lambda: False)
    monkeypatch.setattr(parallel, "rows", lambda batch: slice(0, batch // 2))
    with pytest.raises(ValueError, match="needs the whole batch: train it in one process"):
        quick(dataclasses.replace(EXPERIMENT, objective=PerPicture(3.0, 2.0)), steps=1)


def test_the_bar_says_reconstruction_and_kl_of_the_last_look(monkeypatch, capsys):
    monkeypatch.setattr(saving, "LOOK_EVERY", 3)
    run = train(EXPERIMENT, steps=8, seed=1, device="cpu", precision="fp32", progress=True)
    bar = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    kl, nats = run.history["kl"][6:].sum(1).mean(), run.history["reconstruction"][6:].mean()  # of steps 7 and 8
    assert bar.startswith("blobs-beta150") and "8/8" in bar
    assert f"nats={nats:.1f}" in bar and f"kl={kl:.2f}" in bar
    on = train(EXPERIMENT, steps=10, seed=1, device="cpu", progress=True, resume=run)
    bar = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert "10/10" in bar and f"nats={on.history['reconstruction'][8:].mean():.1f}" in bar


def test_the_first_and_the_last_step_may_be_kept():
    run = quick(steps=2, snapshots=[1, 2])
    assert run.snapshots.keys() == {1, 2} and torch.equal(
        run.snapshots[2]["decoder.net.0.bias"], run.weights["decoder.net.0.bias"]
    )
    assert quick(steps=4, snapshots=[3, 4], resume=run).snapshots.keys() == {1, 2, 3, 4}
    for outside in ([0], [3], [1, 9]):
        with pytest.raises(ValueError, match="snapshots must lie in 1 … 2"):
            quick(steps=2, snapshots=outside)
    with pytest.raises(ValueError, match="snapshots must lie in 3 … 4"):
        quick(steps=4, snapshots=[2], resume=run)


def test_a_training_is_saved_once_a_minute(monkeypatch, tmp_path):
    clock, saves = itertools.count(0, 20), []  # at every look at it twenty seconds have passed
    monkeypatch.setattr(saving, "LOOK_EVERY", 1)
    monkeypatch.setattr(saving, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(Run, "save", lambda run, path, overwrite: saves.append(run.step))
    quick(steps=12, out=tmp_path / "run.h5")
    assert saves == [4, 8, 12]  # more than a minute after the one before, and at the end


@pytest.mark.parametrize(
    ("cuda", "mps", "first"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_cuda_then_mps_then_the_processor(monkeypatch, cuda, mps, first):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    asked = []
    monkeypatch.setattr(torch, "ones", lambda n, device: asked.append(device.type) or torch.zeros(n) + 1)
    assert fast.pick_device("auto").type == first and asked == [first]


def test_a_resume_that_differs_in_anything_that_decides_is_refused_either_way():
    run = quick(steps=1, seed=5)
    for seed in (4, 6, 0):
        with pytest.raises(ValueError, match=f"has seed 5, not {seed}"):
            quick(steps=2, seed=seed, resume=run)
    others = {
        "learning_rate": (1e-3, 1e-4), "batch": (4, 16), "latents": (5, 20), "optimizer": ("muon",), "cooldown": (0.5,),
        "objective": (BetaELBO(1.0), BetaELBO(200.0)), "dataset": (Blobs(6.0), Blobs(8.0)), "reset_dormant": (10,),
        "name": ("other",),
    }  # fmt: skip
    for name, values in others.items():
        for value in values:
            with pytest.raises(ValueError, match=f"of another experiment: {name} differ"):
                quick(dataclasses.replace(EXPERIMENT, **{name: value}), steps=2, seed=5, resume=run)
    same = dataclasses.replace(EXPERIMENT, about="other words", steps=77)
    assert quick(same, steps=2, seed=5, resume=run).step == 2


def test_a_process_is_told_the_factors_of_its_own_rows_only():
    data, seen = Sprites(32), []
    model = VAE(size=32, generator=torch.Generator().manual_seed(0))
    model.encode = lambda source: seen.append(source) or (torch.zeros(3, 10), torch.zeros(3, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    generator = torch.Generator().manual_seed(0)
    training.batches(model, data, optimizer, ELBO(), generator, 5, told=True, rows=slice(1, 4))(1)
    assert torch.equal(seen[0], data.sample(5, torch.Generator().manual_seed(0))[1][1:4])
