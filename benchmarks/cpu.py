"""Training on a processor: precision × threads, beside the plain loop and the arithmetic limit; adds to cpu.json.

    python benchmarks/cpu.py
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 python benchmarks/cpu.py

The second line emulates a processor without AVX-512 on one that has it: PyTorch's own kernels, oneDNN's and MKL's use
AVX2 alone. Caches, clock and what an instruction costs remain those of the machine.

All loops of all data sets and numbers of threads take turns within one process, in many short rounds. A ratio is the
median over the rounds of the ratio within a round, so that what else the machine does meanwhile falls on both. One
thread is timed by its own processor time, which others do not lengthen, two by the clock on the wall.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import bench  # noqa: E402

from minivae.datasets import Blobs, ColouredSprites, Sprites  # noqa: E402
from minivae.engine import fast  # noqa: E402

DATA = {"white sprites": Sprites(), "coloured sprites": ColouredSprites(), "blobs": Blobs()}
FIRST = "white sprites"  # what is not of a data set is measured beside it
LIMITS = {"product": bench.PRODUCT, "convolution": bench.CONVOLUTION}  # their floating-point operations
CAPS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
# operations of PyTorch that begin so; the rest is data, loss, sampling, biases and Adam
PARTS = {
    "convolutions": ("aten::_convolution", "aten::convolution_backward", "aten::mkldnn_convolution", "aten::slow_conv"),
    "linear layers": ("aten::mm", "aten::addmm"),
    "ReLU": ("aten::clamp_min", "aten::threshold"),
}

Times = dict[str, list[float]]  # loop → milliseconds in each round


def measure(rounds: int, steps: int, threads: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """Milliseconds of a training step of 64 pictures with its data, and ratios, as plain JSON values. Of bf16, where it
    has no hardware and takes long, a fifth of the rounds."""
    auto = fast.pick_precision("auto", torch.device("cpu"))
    loops = {
        f"{name}, {loop}": run
        for name, dataset in DATA.items()
        for loop, run in bench.contenders(dataset).items()
        if loop.startswith("all") or (name == FIRST and loop.split()[0] in LIMITS and loop.split()[1] in ("fp32", auto))
    }
    times: dict[int, Times] = {count: {loop: [] for loop in loops} for count in threads}
    before, usual = os.getloadavg(), torch.get_num_threads()
    for i, count, (loop, run) in itertools.product(range(rounds), threads, loops.items()):
        torch.set_num_threads(count)
        left_out = "bf16" in loop and auto == "fp32" and i % 5
        times[count][loop].append(math.nan if left_out else timed(loop, run, steps, count))
    torch.set_num_threads(1)
    parts = {kind: where(loops[f"{FIRST}, all {kind}"]) for kind in dict.fromkeys(("fp32", auto))}
    torch.set_num_threads(usual)
    return {
        "machine": {k: v for k, v in bench.machine().items() if k != "threads"},
        "capability": torch.backends.cpu.get_cpu_capability(),
        "environment": {name: os.environ[name] for name in CAPS if name in os.environ},
        "made": f"python benchmarks/cpu.py, {rounds} rounds of {steps} steps, on {time.strftime('%Y-%m-%d')}",
        "auto": auto,
        "load": {"before": [round(x, 1) for x in before], "after": [round(x, 1) for x in os.getloadavg()]},
        "rows": [
            row(times[count], name, kind, count) for name in DATA for kind in ("fp32", "bf16") for count in threads
        ],
        "parts": parts,
    }


def timed(loop: str, run: Callable[[], Any], steps: int, threads: int) -> float:
    """Milliseconds of one of so many steps, after one that does not count."""
    bench.own_buffers(loop)
    clock = time.process_time if threads == 1 else time.perf_counter
    run()
    began = clock()
    for _ in range(steps):
        run()
    return 1e3 * (clock() - began) / steps


def row(times: Times, name: str, kind: str, threads: int) -> dict[str, Any]:
    """One line of the table. `limits`: the part of a step's time that its operations would take at the rate of large
    products of matrices, and at that of the model's largest convolution with its gradients."""
    ours, plain = times[f"{name}, all {kind}"], times[f"{name}, all reference"]
    operations = bench.step_operations(DATA[name].channels)
    limits = {
        limit: round(_ratio(times[f"{FIRST}, {limit} {kind}"], ours) * operations / own, 3)
        for limit, own in LIMITS.items()
        if f"{FIRST}, {limit} {kind}" in times
    }
    return {
        "data": name, "precision": kind, "threads": threads, "ms": round(_median(ours), 1),
        "plain ms": round(_median(plain), 1), "ratio": round(_ratio(plain, ours), 3), "limits": limits,
    }  # fmt: skip


def where(step: Callable[[], Any], steps: int = 20) -> dict[str, float]:
    """Which part of a step's time its operations take, by PyTorch's profiler."""
    step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(steps):
            step()
    events = seen.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    parts = {
        part: round(sum(e.self_cpu_time_total for e in events if e.key.startswith(begins)) / total, 3)
        for part, begins in PARTS.items()
    }
    return parts | {"the rest": round(1 - sum(parts.values()), 3)}


def _ratio(one: list[float], other: list[float]) -> float:
    return _median([a / b for a, b in zip(one, other, strict=True)])


def _median(values: list[float]) -> float:
    return statistics.median(value for value in values if not math.isnan(value))


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    lines = [
        f"{result['machine']['processor']}, {result['capability']} {result['environment'] or ''}".rstrip(),
        f"auto is {result['auto']}; {result['made']}; load {result['load']}",
        f"{'':18}      threads       ms  plain ms  ratio  limits: {', '.join(LIMITS)}",
    ]
    for r in result["rows"]:
        limits = "".join(f"{share:8.0%}" for share in r["limits"].values())
        times = f"{r['ms']:9.1f}{r['plain ms']:10.1f}{r['ratio']:7.2f}"
        lines.append(f"{r['data']:18}{r['precision']}{r['threads']:9}{times}{limits}")
    return "\n".join([*lines, *(f"{kind}: {parts}" for kind, parts in result["parts"].items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=3, help="of each loop in a round, after one that does not count")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "cpu.json")
    given = parser.parse_args()
    result = measure(given.rounds, given.steps)
    print(table(result))
    known = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    given.out.write_text(json.dumps(known | {result["capability"]: result}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
