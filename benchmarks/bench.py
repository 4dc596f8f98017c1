"""Speed and memory, side by side in one process: `python -m minivae bench`, or `--quick --json` for the ratios alone.

A round times each contender once: the loops and, for the limits, large matrix products. Medians over rounds are
reported, and ratios of medians. The arithmetic limit of a step is its floating-point operations, as PyTorch counts
them, over the rate of matrix products at the same precision. The reference loop runs with the C library's usual memory
setting, ours with the one that `minivae.train` asks for.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from reference import ReferenceLoop
from torch import Tensor
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from minivae.datasets import ColouredSprites, Sprites
from minivae.engine import fast
from minivae.engine.trainer import versions
from minivae.objectives import BetaELBO
from minivae.training import training_step
from minivae.vae import VAE

HERE = Path(__file__).parent
BATCH = 64
SIDE = 1024  # of the matrices whose product stands for what the machine can do
PRODUCT = 2 * SIDE**3  # its floating-point operations
WIDTH = 32  # channels of the model's layers
CONVOLUTION = 3 * 2 * BATCH * 16**2 * 4**2 * WIDTH**2  # operations of `convolution`: forward once, backward twice
USUAL = (32 * 2**20, 64 * 2**20)  # where glibc's own adjustment ends with buffers of this size; it begins far lower
ARRAY = 4096  # pictures in the reference loop's array


def measure(quick: bool = False, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Run the benchmarks; returns plain JSON values, times in milliseconds.

    Args:
        quick: the four ratios alone, on sprites, in under 50 seconds.
        progress: told what is being measured.
    """
    rounds, steps = (5, 4) if quick else (9, 10)
    best = fast.pick_precision("auto", torch.device("cpu"))
    kinds = ("fp32", "bf16")[: 1 + (best == "bf16")]  # without hardware bf16 is a way to wait
    result: dict[str, Any] = {"machine": machine(), "precision": best}
    for dataset in (Sprites(),) if quick else (Sprites(), ColouredSprites()):
        name = type(dataset).__name__
        progress(f"steps on {name}")
        times = interleave(contenders(dataset, kinds), rounds, steps)
        operations = step_operations(dataset.channels)
        rates = {kind: 1e3 * PRODUCT / times[f"product {kind}"] for kind in kinds}
        limits = {kind: 1e3 * operations / rate for kind, rate in rates.items()}
        result[name] = {
            "times": times,
            "operations": operations,
            "rates": rates,
            "limits": limits,
            "step_ratio": times["step reference"] / times[f"step {best}"],
            "end_to_end_ratio": times["all reference"] / times[f"all {best}"],
            **{f"{kind}_over_limit": times[f"step {kind}"] / limits[kind] for kind in kinds},
        }
    keys = ("step_ratio", "end_to_end_ratio", *(f"{kind}_over_limit" for kind in kinds))
    result |= {key: result["Sprites"][key] for key in keys}
    if not quick:
        progress("rendering, imports and memory")
        result["rendering"] = rendering()
        result["import"] = import_times()
        result["peak_memory_mb"] = peak_memory()
        progress("chapters")
        result["chapters"] = chapter_times()
    return result


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return {"processor": name, "threads": torch.get_num_threads(), **versions()}


def contenders(dataset: Any, kinds: Collection[str] = ("fp32", "bf16")) -> dict[str, Callable[[], Any]]:
    """One step of each loop, on a batch that is there ("step") and with its data ("all"); a product of matrices, and a
    layer's convolution with its gradients. Of ours in these precisions."""
    generator = torch.Generator().manual_seed(0)
    blocks = [(255 * dataset.sample(512, generator)[0]).to(torch.uint8) for _ in range(ARRAY // 512)]
    array = torch.cat(blocks).numpy()
    reference = ReferenceLoop(array, BATCH)
    batch, _ = dataset.sample(BATCH, generator)
    loops: dict[str, Callable[[], Any]] = {
        "step reference": lambda: reference.step(batch),
        "all reference": reference.step,
    }
    for precision in kinds:
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(SIDE, SIDE, generator=generator).to(kind) for _ in range(2))
        loops[f"product {precision}"] = lambda a=a, b=b: a @ b
        loops[f"convolution {precision}"] = convolution(kind)
        model = VAE(dataset.channels, generator=generator).to(memory_format=torch.channels_last)
        fast.bias_apart(model)
        optimizer = torch.optim.Adam(model.parameters(), 5e-4, fused=True)

        def step(images: Tensor, model=model, optimizer=optimizer, precision=precision) -> None:
            noise = torch.randn(BATCH, model.decoder.latents, generator=generator)
            images = images.contiguous(memory_format=torch.channels_last)
            training_step(model, optimizer, BetaELBO(4.0), images, noise, 1, precision=precision)

        loops[f"step {precision}"] = lambda step=step: step(batch)
        loops[f"all {precision}"] = lambda step=step: step(dataset.sample(BATCH, generator)[0])
    return loops


def convolution(kind: torch.dtype) -> Callable[[], Tensor]:
    """The largest convolution of 32 to 32 channels, as the model's second layer does it, and its three gradients, of
    which the input's is returned; the transposed one of the decoder is the same arithmetic."""
    layer = torch.nn.Conv2d(WIDTH, WIDTH, 4, 2, 1).to(kind, memory_format=torch.channels_last)
    x = torch.randn(BATCH, WIDTH, 32, 32).to(kind).contiguous(memory_format=torch.channels_last).requires_grad_()
    up = torch.ones(BATCH, WIDTH, 16, 16, dtype=kind).contiguous(memory_format=torch.channels_last)

    def run() -> Tensor:
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(up)
        return x.grad

    return run


def own_buffers(loop: str) -> None:
    """Let the allocator keep buffers as the library does, or as PyTorch does if the loop is the reference."""
    fast.keep_buffers(*(USUAL if "reference" in loop else ()))


def interleave(loops: dict[str, Callable[[], Any]], rounds: int, steps: int) -> dict[str, float]:
    """Median time of one step of each loop in milliseconds; a round times so many steps of each, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, run in loops.items():
            own_buffers(name)
            timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
            times[name].append(1e3 * timer.timeit(steps).median)
    return {name: statistics.median(values) for name, values in times.items()}


def step_operations(channels: int) -> int:
    """Floating-point operations of one training step on a batch, 2 a multiplication and addition, in products only."""
    model = VAE(channels)
    optimizer = torch.optim.Adam(model.parameters())
    images, noise = torch.zeros(BATCH, channels, 64, 64), torch.zeros(BATCH, model.decoder.latents)
    with FlopCounterMode(display=False) as counter:
        training_step(model, optimizer, BetaELBO(4.0), images, noise, 1)
    return counter.get_total_flops()


def rendering() -> dict[str, float]:
    """Time to make a batch of 64 pictures, in milliseconds, and pictures a second."""
    generator = torch.Generator().manual_seed(0)
    loops = {type(d).__name__: (lambda d=d: d.sample(BATCH, generator)) for d in (Sprites(), ColouredSprites())}
    times = interleave(loops, 9, 50)
    return {**times, "pictures_per_second": 1e3 * BATCH / times["Sprites"]}


def import_times() -> dict[str, float]:
    """Seconds to import minivae in a fresh interpreter: the package alone, and with its training (and so PyTorch)."""
    code = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

    def seconds(what: str) -> float:
        runs = [subprocess.run([sys.executable, "-c", code.format(what)], capture_output=True, text=True, check=True)
                for _ in range(3)]  # fmt: skip
        return min(float(run.stdout) for run in runs)

    modules = {"package": "minivae", "with_torch": "minivae.engine.trainer", "torch_alone": "torch"}
    return {name: seconds(module) for name, module in modules.items()}


def peak_memory() -> dict[str, float] | None:
    """Peak megabytes of a training on all sprites, and how much more that is than with one batch that never changes.

    None where the system keeps no such account (all but Linux).
    """
    if not Path("/proc/self/status").exists():
        return None
    code = """
import torch
from dataclasses import dataclass
from minivae.engine.trainer import train
from minivae.datasets import Sprites
from minivae.experiment import Experiment
from minivae.objectives import ELBO

@dataclass(frozen=True)
class Fixed:
    channels = 1
    def sample(self, n, generator=None):
        return torch.ones(n, 1, 64, 64), None

train(Experiment("memory", {}(), ELBO()), steps=20, device="cpu", progress=False)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""
    peaks = {}
    for name in ("Sprites", "Fixed"):
        words = [sys.executable, "-c", code.format(name)]
        peaks[name] = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return {"training": peaks["Sprites"], "data": peaks["Sprites"] - peaks["Fixed"]}


def chapter_times() -> dict[str, float]:
    """Seconds to execute each chapter in a fresh kernel."""
    import jupytext
    from nbclient import NotebookClient

    times = {}
    folder = HERE.parent / "chapters"
    for path in sorted(folder.glob("[0-9]*.py")):
        client = NotebookClient(jupytext.read(path), timeout=600, resources={"metadata": {"path": str(folder)}})
        began = time.perf_counter()
        client.execute()
        times[path.stem] = time.perf_counter() - began
    return times


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    machine = result["machine"]
    lines = [f"{machine['processor']}, {machine['threads']} threads, PyTorch {machine['torch']}"]
    for name in ("Sprites", "ColouredSprites"):
        if name not in result:
            continue
        part = result[name]
        kinds = ("reference", *part["limits"])
        rows = {
            "": [f"{kind:>10}" for kind in kinds],
            "step": [f"{part['times'][f'step {kind}']:10.1f}" for kind in kinds],
            "step and data": [f"{part['times'][f'all {kind}']:10.1f}" for kind in kinds],
            "arithmetic limit": [f"{'':10}", *(f"{part['limits'][kind]:10.1f}" for kind in kinds[1:])],
        }
        lines += [
            "",
            f"{name}, batch {BATCH}, {part['operations'] / 1e9:.2f} Gflop a step; median times in ms; matrix products: "
            + ", ".join(f"{rate / 1e9:.0f} Gflop/s {kind}" for kind, rate in part["rates"].items()),
            *(f"{title:18}" + "".join(cells) for title, cells in rows.items()),
            f"reference over {result['precision']}: step {part['step_ratio']:.1f}, "
            f"end to end {part['end_to_end_ratio']:.1f}",
            "step over its limit: " + ", ".join(f"{kind} {part[f'{kind}_over_limit']:.1f}" for kind in kinds[1:]),
        ]
    if "rendering" in result:
        r, i, m = result["rendering"], result["import"], result["peak_memory_mb"]
        lines += [
            "",
            f"rendering 64 pictures: sprites {r['Sprites']:.2f} ms, coloured {r['ColouredSprites']:.2f} ms",
            f"import: package {1e3 * i['package']:.0f} ms, with training {i['with_torch']:.2f} s, "
            f"PyTorch alone {i['torch_alone']:.2f} s",
            f"peak memory: training on all sprites {m['training']:.0f} MB, of it for the data {m['data']:.0f} MB"
            if m
            else "peak memory: not measured on this system",
            "chapters: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result["chapters"].items()),
        ]
    return "\n".join(lines)


def picture(result: dict[str, Any], path: Path) -> None:
    """Times a step as bars, with the arithmetic limits."""
    names = [name for name in ("Sprites", "ColouredSprites") if name in result]
    figure, axes = plt.subplots(1, len(names), figsize=(4.5 * len(names), 3.2), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        times, limits = result[name]["times"], result[name]["limits"]
        kinds = ("reference", *limits)
        axis.bar(kinds, [times[f"all {kind}"] for kind in kinds], color="#56b4e9", label="with data")
        axis.bar(kinds, [times[f"step {kind}"] for kind in kinds], color="#0072b2", label="step")
        for i, kind in enumerate(kinds[1:], start=1):
            axis.hlines(limits[kind], i - 0.4, i + 0.4, color="#d55e00", label="arithmetic limit" if i == 1 else None)
        axis.set(title=name, ylabel="ms a step of 64")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8, ncols=3, loc="outside upper center")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def write(result: dict[str, Any], folder: Path = HERE) -> list[Path]:
    """Write the table, the picture and the JSON into a folder; returns their paths."""
    paths = [folder / f"result.{ending}" for ending in ("txt", "png", "json")]
    paths[0].write_text(table(result) + "\n", encoding="utf-8")
    picture(result, paths[1])
    paths[2].write_text(json.dumps(result, indent=2) + "\n")
    return paths
