"""The benchmarks: counts against PyTorch's own counter, loops that train, and what the command writes."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minivae.__main__ import main
from minivae.datasets import Sprites
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.objectives import ELBO, BetaELBO
from minivae.training import training_step
from minivae.vae import VAE

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import bench
import cpu
import gpu
from reference import PlainVAE, ReferenceLoop


@pytest.mark.parametrize(("channels", "billions"), [(1, 4.717), (3, 5.388)])
def test_operations_of_a_step_are_those_of_its_layers(channels, billions):
    # counted by hand: forward once, backward twice, but for the gradient of the pictures
    assert bench.step_operations(channels) == pytest.approx(1e9 * billions, rel=1e-3)


def test_reference_has_the_same_layers():
    theirs, ours = PlainVAE(3), VAE(3)
    assert [p.shape for p in theirs.parameters()] == [p.shape for p in ours.parameters()]


def test_reference_loop_trains_and_goes_round_its_array():
    images = (255 * Sprites().sample(12, torch.Generator().manual_seed(0))[0]).to(torch.uint8).numpy()
    loop = ReferenceLoop(images, batch=4)
    losses = [loop.step() for _ in range(12)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def reference_from(model: VAE, images: np.ndarray, beta: float) -> ReferenceLoop:
    """A reference loop that starts with the library's weights."""
    loop = ReferenceLoop(images, batch=16, beta=beta)
    weights = {name.replace(".net.", "."): value.clone() for name, value in model.state_dict().items()}
    for name in ("encoder.13.weight", "encoder.13.bias"):
        weights[name][10:] *= 2  # its second head is log σ², ours is log σ
    loop.model.load_state_dict(weights)
    return loop


@pytest.mark.parametrize("beta", [1.0, 400.0])
def test_fast_and_reference_path_give_the_same_first_loss(beta):
    images = Sprites().sample(16, torch.Generator().manual_seed(0))[0]
    model = VAE(generator=torch.Generator().manual_seed(0))
    loop = reference_from(model, (255 * images).to(torch.uint8).numpy(), beta)
    torch.manual_seed(5)
    theirs = loop.step(images)
    optimizer = torch.optim.Adam(model.parameters())
    noise = torch.randn(16, 10, generator=torch.Generator().manual_seed(5))
    ours = training_step(model, optimizer, BetaELBO(beta), images, noise, 1)[0].item()
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.slow
def test_loss_curves_of_both_paths_agree_within_the_spread_of_seeds():
    curves: dict[str, list[float]] = {"reference": [], "fp32": [], "bf16": []}
    for seed in range(3):
        pool = Sprites().sample(256, torch.Generator().manual_seed(seed))[0]
        model = VAE(generator=torch.Generator().manual_seed(seed))
        loop = reference_from(model, (255 * pool).to(torch.uint8).numpy(), beta=1.0)
        torch.manual_seed(seed)
        curves["reference"].append(np.mean([loop.step() for _ in range(40)][-15:]))
        for precision in ("fp32", "bf16"):
            experiment = Experiment("x", Sprites(), ELBO(), batch=16)
            run = train(experiment, steps=40, seed=seed, device="cpu", precision=precision, progress=False)
            curves[precision].append(run.history["loss"][-15:].mean())
    spread = np.std(curves["reference"], ddof=1)
    for precision in ("fp32", "bf16"):
        standard_error = spread * (2 / 3) ** 0.5
        assert abs(np.mean(curves[precision]) - np.mean(curves["reference"])) < 4 * standard_error, curves


def test_interleaving_gives_medians_in_milliseconds():
    calls = []

    def run(name, seconds):
        calls.append(name)
        time.sleep(seconds)

    loops = {"a": lambda: run("a", 0.02), "b": lambda: run("b", 0.5 if calls.count("b") > 8 else 0.1)}
    times = bench.interleave(loops, rounds=3, steps=2)
    assert 20 <= times["a"] < 90
    assert 100 <= times["b"] < 400  # the slow round is no median
    assert [name for name, _ in itertools.groupby(calls)] == ["a", "b"] * 3


@pytest.fixture
def short(monkeypatch):
    """The real measurement with as few repeats as possible."""
    monkeypatch.setattr(bench, "ARRAY", 512)
    monkeypatch.setattr(
        bench, "interleave", lambda loops, rounds, steps: {name: _once(run) for name, run in loops.items()}
    )
    monkeypatch.setattr(bench, "import_times", lambda: {"package": 0.01, "with_torch": 1.0, "torch_alone": 0.9})
    monkeypatch.setattr(bench, "peak_memory", lambda: {"training": 400.0, "data": 30.0})
    monkeypatch.setattr(bench, "chapter_times", lambda: {"01_elbo": 10.0})


def _once(run) -> float:
    began = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - began)


def test_quick_json_has_the_ratios(short, capsys):
    assert main(["bench", "--quick", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    times, best = result["Sprites"]["times"], result["precision"]
    assert result["step_ratio"] == pytest.approx(times["step reference"] / times[f"step {best}"])
    assert result["end_to_end_ratio"] == pytest.approx(times["all reference"] / times[f"all {best}"])
    kinds = ["fp32", *(["bf16"] if best == "bf16" else [])]
    assert [key for key in result if key.endswith("_over_limit")] == [f"{kind}_over_limit" for kind in kinds]
    for kind in kinds:
        seconds = bench.step_operations(1) / (bench.PRODUCT / (1e-3 * times[f"product {kind}"]))
        assert result[f"{kind}_over_limit"] == pytest.approx(1e-3 * times[f"step {kind}"] / seconds)


def test_where_bf16_has_no_hardware_it_is_not_waited_for(short, monkeypatch, tmp_path):
    monkeypatch.setattr(bench.fast, "pick_precision", lambda *_: "fp32")
    result = bench.measure()
    assert not any("bf16" in name for name in result["Sprites"]["times"]) and "bf16_over_limit" not in result
    assert "bf16" not in bench.table(result)
    bench.write(result, tmp_path)


def test_every_contender_trains(monkeypatch):
    monkeypatch.setattr(bench, "ARRAY", 512)
    moved = []
    real = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *a: (moved.append(self), real(self, *a))[1])
    for name, run in bench.contenders(Sprites()).items():
        moved.clear()
        run()
        assert len(moved) == (0 if name.startswith(("product", "convolution")) else 1), name


def test_operations_of_the_convolution_are_those_that_pytorch_counts():
    run = bench.convolution(torch.float32)
    with FlopCounterMode(display=False) as counter:
        assert run().abs().sum() > 0
    assert counter.get_total_flops() == bench.CONVOLUTION


def test_ratios_are_medians_of_ratios_within_a_round_and_shares_those_of_a_step(short, monkeypatch):
    def timed(loop, run, steps, threads):
        assert threads == torch.get_num_threads() == 1
        rounds[loop] = rounds.get(loop, 0) + 1
        return (1.0, 5.0, 2.0)[rounds[loop] - 1] * given[loop.removeprefix("white sprites, ")]

    rounds = {}
    given = {"all reference": 60.0, "all fp32": 40.0, "all bf16": 120.0, "product fp32": 8.0, "convolution fp32": 16.0}
    monkeypatch.setattr(cpu, "timed", timed)
    monkeypatch.setattr(cpu, "DATA", {"white sprites": Sprites()})
    monkeypatch.setattr(cpu.fast, "pick_precision", lambda *_: "fp32")
    result = cpu.measure(3, 1, threads=(1,))
    fp32, bf16 = result["rows"]
    assert rounds == {f"white sprites, {loop}": 1 if "bf16" in loop else 3 for loop in given}
    assert (fp32["ms"], fp32["plain ms"]) == (80.0, 120.0)  # the middle round
    assert (fp32["ratio"], bf16["ratio"], bf16["ms"], bf16["limits"]) == (1.5, 0.5, 120.0, {})
    for limit, seconds in (("product", 8), ("convolution", 16)):
        part = seconds / 40 * bench.step_operations(1) / cpu.LIMITS[limit]
        assert fp32["limits"][limit] == pytest.approx(part, abs=1e-3)
    assert sum(result["parts"]["fp32"].values()) == pytest.approx(1) and result["parts"]["fp32"]["convolutions"] > 0.2
    assert "white sprites     fp32        1     80.0" in cpu.table(result)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' account of memory")
def test_memory_of_the_data_does_not_depend_on_who_asks():
    ballast = np.ones(40_000_000)  # 320 MB in this process must not show in the others
    peaks = bench.peak_memory()
    assert 5 < peaks["data"] < 50 and 200 < peaks["training"] < 800 and ballast.any()


@pytest.mark.slow
def test_table_picture_and_json_are_written(short, capsys, tmp_path):
    assert main(["bench", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "result.txt").read_text().strip() in printed and "ColouredSprites" in printed
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "result.json").read_text())["chapters"] == {"01_elbo": 10.0}


def test_missing_folder_is_told_before_measuring(capsys, tmp_path):
    assert main(["bench", "--out", str(tmp_path / "none")]) == 1
    assert "create it first" in capsys.readouterr().err


def test_package_alone_imports_without_pytorch():
    code = "import sys, minivae; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_benchmarks_are_the_clones_whatever_else_is_called_so(tmp_path, monkeypatch, capsys):
    for whose in ("ours", "theirs"):
        (tmp_path / whose).mkdir()
        (tmp_path / whose / "bench.py").write_text(f"measure = lambda *_, **__: {{'whose': {whose!r}}}\ntable = str\n")
    monkeypatch.setattr("minivae.__main__.BENCHMARKS", tmp_path / "ours")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "theirs"), *sys.path])  # as the folder that one works in
    monkeypatch.delitem(sys.modules, "bench")
    assert main(["bench", "--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"whose": "ours"}


@pytest.mark.slow
def test_the_gpu_script_runs_to_its_end_on_a_processor(tmp_path, capfd):  # a process of its own writes too
    assert main(["bench", "--gpu", "--tiny", "--device", "cpu", "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["failed"] == 0 and {line["section"] for line in result["lines"]} == set(gpu.SECTIONS)
    assert json.loads((tmp_path / "gpu.json").read_text()) == result


def test_a_section_that_breaks_is_a_failure_and_no_more(tmp_path, capsys):
    b = gpu.Bench("cpu", True, tmp_path / "lines", 10.0, "card")
    with b.trying("the section"):
        raise RuntimeError("CUDA error:\nan illegal access")
    assert [line["kind"] for line in b.lines] == ["FAIL"]
    assert "FAIL  card: the section  RuntimeError: CUDA error: an illegal access" in capsys.readouterr().out
    assert "1 failed" in gpu.table({"lines": b.lines, "passed": 0, "failed": 1})
