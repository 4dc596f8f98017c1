"""Does minivae work on this GPU, and how fast? `python -m minivae bench --gpu`, or this file by itself.

    python benchmarks/gpu.py                         all sections, in 8 minutes at most; writes benchmarks/gpu.json
    python benchmarks/gpu.py --only timing,seeds     some of them
    python benchmarks/gpu.py --device cpu --tiny     does the script run to its end?

A section is a process of its own with a time limit, so that a hang or a broken context costs one section and no more.
Each line begins with PASS, FAIL, SKIP or, before a number, two dots; the file holds all of it, also when the time ran
out on the way. A time per step is that of a long training minus that of a short one, so it holds everything that a
training does on its way, and nothing that it does once.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
from reference import ReferenceLoop  # noqa: E402

from minivae import experiments, training  # noqa: E402
from minivae.datasets import Chairs  # noqa: E402
from minivae.engine import trainer  # noqa: E402
from minivae.engine.fast_muon import FastMuon  # noqa: E402
from minivae.engine.runs import Run, initial_state  # noqa: E402
from minivae.experiment import Experiment  # noqa: E402
from minivae.muon import Muon  # noqa: E402
from minivae.objectives import LinearSchedule, PolylineSchedule  # noqa: E402

# seconds at most; the order is that of worth, and what does not fit into the whole is left out
SECTIONS = {
    "numbers": 60,
    "graphs": 100,
    "timing": 110,
    "long": 150,
    "seeds": 60,
    "card": 30,
    "memory": 40,
    "tests": 90,
}
BUDGET = 470.0  # seconds for all
GFLOP = 5.388  # floating-point operations of a step on 64 coloured pictures, in 10⁹, as bench.py counts them
FAMILIES = ("blobs-beta150", "generator-lagrangian", "coloured-capacity", "coloured-opened", "chairs", "chairs-opened")


class Bench:
    """What a section knows, and how it says what it found."""

    def __init__(self, device: str, tiny: bool, out: Path, seconds: float, section: str = "") -> None:
        self.device, self.tiny, self.out, self.section = device, tiny, out, section
        self.cuda, self.end, self.lines = device.startswith("cuda"), time.monotonic() + seconds, []

    def say(self, kind: str, name: str, value: Any = None, detail: str = "") -> None:
        line = {"section": self.section, "kind": kind, "name": name, "value": value, "detail": detail}
        self.lines.append(line)
        with open(self.out, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        number = f" = {value:,.4g}" if kind == ".." and value is not None else ""
        print(f"{kind:4}  {self.section}: {name}{number}{'  ' + detail if detail else ''}", flush=True)

    def check(self, name: str, ok: bool, detail: str = "") -> None:
        self.say("PASS" if ok else "FAIL", name, detail=detail)

    @contextlib.contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """What raises in here is a FAIL, and the section goes on."""
        try:
            yield
        except Exception as error:
            self.check(name, False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def left(self) -> float:
        return self.end - time.monotonic()

    def size(self, usual: int, tiny: int) -> int:
        return tiny if self.tiny else usual

    def family(self, name: str, steps: int, batch: int = 64) -> Experiment:
        """An experiment of the course whose schedule, openings and cooldown pass within so many steps."""
        e = experiments.get(name)
        changes: dict[str, Any] = {"steps": steps, "batch": self.size(batch, 4)}
        if getattr(e.objective, "openings", ()):
            a, b = steps // 4, steps // 2
            corners = PolylineSchedule(((0, 0.0), (a, 3.2), (b, 8.0), (b + 1, 25.0)))
            openings = ((0, 2), (a, 3), (b, e.latents))
            changes["objective"] = dataclasses.replace(e.objective, schedule=corners, openings=openings)
            changes["reset_dormant"] = max(1, steps // 8)
        elif hasattr(e.objective, "schedule"):
            schedule = LinearSchedule(0.5, 8.0, 0, steps)
            changes["objective"] = dataclasses.replace(e.objective, schedule=schedule)
        if isinstance(e.dataset, Chairs):
            changes["dataset"] = Chairs(number=self.size(2000, 20))
        return dataclasses.replace(e, **changes)

    def train(self, e: Experiment, graphs: bool = True, device: str | None = None, **settings: Any) -> Run:
        """`minivae.train`, with CUDA graphs or without."""
        usual = trainer._GRAPHABLE
        trainer._GRAPHABLE = usual if graphs else ()
        try:
            return trainer.train(e, device=device or self.device, progress=False, **{"precision": "fp32"} | settings)
        finally:
            trainer._GRAPHABLE = usual

    def seconds(self, do: Callable[[], Any]) -> float:
        began = time.perf_counter()
        do()
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def each(self, do: Callable[[int], Any], steps: int) -> float:
        """Milliseconds of one of `do`'s steps."""
        short, long = self.size(50, 5), self.size(50 + steps, 7)
        do(short)  # libraries load, and choose
        return 1e3 * (self.seconds(lambda: do(long)) - self.seconds(lambda: do(short))) / (long - short)


# ------------------------------------------------------------------------------------------------------------- sections


def numbers(b: Bench) -> None:
    """The same pictures and noise on processor and card: loss, gradient and what the optimizer makes of it."""
    for name in FAMILIES[: b.size(9, 3)]:
        with b.trying(name):
            e = b.family(name, 20)
            images, factors = e.dataset.sample(e.batch, torch.Generator().manual_seed(3))
            noise = torch.randn(e.batch, e.latents, generator=torch.Generator().manual_seed(4))
            found = {}
            for place, precision in (("cpu", "fp32"), (b.device, "fp32"), (b.device, "bf16")):
                if (place, precision) == ("cpu", "fp32") and found:
                    continue
                model = e.build(torch.Generator().manual_seed(0)).to(place, memory_format=torch.channels_last)
                state = initial_state(e.objective)
                kind = FastMuon if place != "cpu" else Muon
                optimizer = (
                    kind(model.parameters(), 1e-3) if e.optimizer == "muon"
                    else torch.optim.Adam(model.parameters(), 1e-3, fused=True)
                )  # fmt: skip
                with trainer.fast.ieee():
                    row = training.training_step(
                        model, optimizer, e.objective, images.to(place), noise.to(place), 2, precision=precision,
                        source=factors.to(place) if e.model != "vae" else None,
                        state=None if state is None else state.to(place),
                    )  # fmt: skip
                gradient = torch.cat([p.grad.flatten() for p in model.parameters()]).cpu().double()
                found[place, precision] = row.cpu().double(), gradient
            loss, gradient = found["cpu", "fp32"]
            for (place, precision), (row, other) in found.items():
                close = 1e-5 if precision == "fp32" else 0.05
                off = ((other - gradient).norm() / gradient.norm()).item()
                apart = ((row[0] - loss[0]) / loss[0]).abs().item()
                detail = f"loss off by {apart:.1e}, gradient by {off:.1e}"
                b.check(f"{name}, {place} {precision}", apart < close and off < 20 * close, detail)


def graphs(b: Bench) -> None:
    """Every family: with a graph, without one, again without, and gone on with after half."""
    steps = b.size(200, 8)
    for name in FAMILIES[: b.size(9, 3)]:
        if b.left() < 10:
            b.say("SKIP", name, detail="no time left")
            continue
        with b.trying(name):
            e = b.family(name, steps)
            graph, single, again = b.train(e), b.train(e, graphs=False), b.train(e, graphs=False)
            same = torch.equal(graph.checkpoint.generator, single.checkpoint.generator)
            b.check(f"{name}: as many random numbers", same)
            few = slice(0, 10)
            apart, floor = (
                np.abs(x.history["loss"][few] / single.history["loss"][few] - 1).max() for x in (graph, again)
            )
            detail = f"{apart:.1e} apart in the first steps, {floor:.1e} two trainings without"
            b.check(f"{name}: a graph trains as single operations", apart <= max(1e-5, 5 * floor), detail)
            half = b.train(e, resume=b.train(e, steps=steps // 2))
            last = slice(-max(1, steps // 5), None)
            means = [float(x.history["reconstruction"][last].mean()) for x in (graph, single, half)]
            wide = max(abs(x / means[1] - 1) for x in means)
            detail = "reconstruction " + ", ".join(f"{x:.2f}" for x in means)
            b.check(f"{name}: graph, single and resumed end alike", wide < 0.05, detail)


def timing(b: Bench) -> None:
    """A step at batch 64 and 1024: as it is, without a graph, and the plain eager loop; and where its time goes."""
    pictures = (255 * experiments.get("coloured-vae").dataset.sample(b.size(2048, 8))[0]).byte().numpy()
    for batch in (64, 1024):
        batch = b.size(batch, 4)
        with b.trying(f"the plain loop, batch {batch}"):
            loop = ReferenceLoop(pictures, batch, device=b.device)
            there = torch.from_numpy(pictures[:batch]).float().to(b.device) / 255
            plain = b.each(lambda n: [loop.step(there) for _ in range(n)], 200)  # noqa: B023
            b.say("..", f"plain eager loop, batch {batch}, ms a step", plain)
        for name in ("coloured-capacity", "coloured-opened", "chairs"):
            for precision in ("fp32", "bf16"):
                with b.trying(f"{name}, batch {batch}, {precision}"):
                    e = b.family(name, 10**6, batch)
                    e = dataclasses.replace(e, reset_dormant=0)
                    take = lambda n, e=e, p=precision: b.train(e, steps=n, precision=p)  # noqa: E731
                    each = b.each(take, 1000 if batch == 64 else 200)
                    b.say(
                        "..",
                        f"{name}, batch {batch}, {precision}, ms a step",
                        each,
                        f"{plain / each:.1f} × the plain loop's",
                    )
                    if b.cuda and not b.tiny:
                        count, busy = _kernels(lambda e=e, p=precision: b.train(e, steps=40, precision=p), 40)
                        where = "launches" if busy < 0.5 * each else "the card"
                        b.say("..", f"{name}, batch {batch}, {precision}, kernels a step", count,
                              f"{busy:.3f} ms in them: bound by {where}")  # fmt: skip
        with b.trying("without a graph"):
            e = b.family("coloured-capacity", 10**6, batch)
            slow = b.each(lambda n, e=e: b.train(e, graphs=False, steps=n), 200)
            b.say("..", f"coloured-capacity, batch {batch}, fp32, single operations, ms a step", slow)
    if b.cuda and not b.tiny:
        found = [
            x["value"] for x in b.lines if x["name"].startswith("coloured-capacity, batch 64,") and "ms a" in x["name"]
        ]
        plain = next(x["value"] for x in b.lines if x["name"].startswith("plain eager loop, batch 64"))
        b.check("coloured-capacity takes at most 0.4 ms a step", min(found) <= 0.4, f"{min(found):.3f}")
        b.check("at least four times as fast as the plain loop", plain >= 4 * min(found), f"{plain / min(found):.1f}")


def _kernels(do: Callable[[], Any], steps: int) -> tuple[float, float]:
    """Kernels a step, and milliseconds in them, by PyTorch's profiler; of what is done once a little is in it."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        do()
        torch.cuda.synchronize()
    events = [event for event in seen.events() if str(event.device_type).endswith("CUDA")]
    return len(events) / steps, sum(event.time_range.elapsed_us() for event in events) / 1e3 / steps


def seeds(b: Bench) -> None:
    """Several seeds at once on one card, a graph and a stream each."""
    e, alone = b.family("coloured-capacity", 10**6), None
    for count in (1, 2, 4, 8)[: b.size(4, 2)]:
        with b.trying(f"{count} seeds"):
            several = lambda n, count=count: trainer.train_seeds(  # noqa: E731
                e, range(count), [None] * count, device=b.device, progress=False, steps=n
            )  # fmt: skip
            each = b.each(several, 1000)
            alone = alone or each
            b.say("..", f"{count} seeds at once, ms a step of all", each, f"{each / alone:.2f} × the time of one")
    if b.cuda and not b.tiny:
        b.check("eight seeds in at most three times the time of one", each <= 3 * alone, f"{each / alone:.2f}")


def long(b: Bench) -> None:
    """Figure 4a's training, as much of its 100,000 steps as there is time for, beside the recorded runs."""
    e = experiments.get("coloured-capacity")
    e = dataclasses.replace(e, batch=b.size(64, 4))
    each = b.each(lambda n: b.train(e, steps=n, precision="auto"), 500) / 1e3
    steps = b.size(min(e.steps, int((b.left() - 15) / (1.3 * each)) // 1000 * 1000), 6)
    if steps < 1:
        b.say("SKIP", "long", detail=f"no time left: {e.steps * each:.0f} s for all steps")
        return
    path = b.out.with_name("coloured-capacity-gpu.h5")
    took = b.seconds(lambda: b.train(e, steps=steps, precision="auto", out=path, overwrite=True))
    run = Run.load(path)
    run.slim().save(path, overwrite=True)
    b.say("..", f"{steps:,} steps with everything, s", took, f"{1e3 * took / steps:.3f} ms a step")
    kl = run.mean_kl()
    nats = float(run.history["reconstruction"][run.history["step"] > run.step - 500].mean())
    aim = e.objective.schedule(run.step)
    b.check("the KL is at C", b.tiny or abs(kl.sum() - aim) < max(0.5, 0.03 * aim), f"{kl.sum():.2f} and {aim:.2f}")
    recorded = []
    for there in sorted((ROOT / "data" / "runs").glob("coloured-capacity-seed*.h5")):
        history = Run.load(there).history
        near = (history["step"] > run.step - 500) & (history["step"] <= run.step + 20)
        recorded += [float(history["reconstruction"][near].mean())] if near.any() else []
    if recorded:
        ok = b.tiny or 0.85 * min(recorded) < nats < 1.15 * max(recorded)
        b.check("reconstruction as recorded on a processor", ok, f"{nats:.1f}; {[round(x, 1) for x in recorded]}")


def card(b: Bench) -> None:
    """What the card can do: rates of copies and products, and what a launch costs."""
    b.say(
        "..", "PyTorch " + torch.__version__, detail=f"{os.cpu_count()} processors, {torch.get_num_threads()} threads"
    )
    if not b.cuda:
        b.say("SKIP", "the card", detail="no CUDA")
        return
    p = torch.cuda.get_device_properties(0)
    b.say("..", p.name, detail=f"{p.total_memory >> 20} MiB, cuDNN {torch.backends.cudnn.version()}")
    x = torch.empty(2**28, device=b.device)
    y = torch.empty_like(x)
    b.say("..", "copies, TB/s", 2 * x.nbytes * 20 / self_timed(b, lambda: y.copy_(x), 20) / 1e12)
    for kind, side in ((torch.float32, 4096), (torch.bfloat16, 8192)):
        m = torch.randn(side, side, device=b.device).to(kind)
        b.say("..", f"products in {kind}, Tflop/s", 2 * side**3 * 10 / self_timed(b, lambda m=m: m @ m, 10) / 1e12)
    one, graph = torch.zeros((), device=b.device), torch.cuda.CUDAGraph()
    b.say("..", "a launch, µs", 1e6 * self_timed(b, lambda: one.add_(1), 3000) / 3000)
    with torch.cuda.graph(graph):
        for _ in range(1000):
            one.add_(1)
    b.say("..", "a kernel in a graph, µs", 1e6 * self_timed(b, graph.replay, 20) / 20_000)


def self_timed(b: Bench, do: Callable[[], Any], count: int) -> float:
    """Seconds for so many of them, after one that does not count."""
    b.seconds(do)
    return b.seconds(lambda: [do() for _ in range(count)])


def memory(b: Bench) -> None:
    """How much a training takes, and whether it leaves anything behind."""
    if not b.cuda:
        b.say("SKIP", "memory", detail="no CUDA")
        return
    for name, batch in (("coloured-capacity", 64), ("coloured-capacity", 1024), ("chairs", 64)):
        with b.trying(f"{name}, batch {batch}"):
            left = []
            for _ in range(3):
                torch.cuda.reset_peak_memory_stats()
                b.train(b.family(name, 60, batch), precision="auto")
                torch.cuda.empty_cache()
                left.append(torch.cuda.memory_allocated() >> 20)
            b.say("..", f"{name}, batch {batch}, MiB at most", torch.cuda.max_memory_allocated() / 2**20)
            b.check(f"{name}, batch {batch}: nothing is left behind", left[-1] - left[0] < 8, f"{left} MiB after each")


def tests(b: Bench) -> None:
    """The tests that need a card, and those of processes, which a card changes."""
    chosen = {
        "on a card": ["tests/test_blobs.py", "tests/test_sprites.py", "tests/test_training.py", "-k", "cuda"],
        "of a step and of processes": [
            "tests/test_parallel.py",
            "tests/test_training.py",
            "-k",
            "parallel or waits or auto",
        ],
    }
    for name, words in list(chosen.items())[: b.size(2, 1)]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", *words]
        with b.trying(name):
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=b.left() - 3, env=_environment()
            )
            said = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
            b.check(f"tests {name}", done.returncode in (0, 5), " ".join(said)[:200])


# --------------------------------------------------------------------------------------------------------------- driver


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def measure(device: str = "cuda", tiny: bool = False, only: str = "", out: Path | None = None) -> dict[str, Any]:
    """Run the sections; returns plain JSON values: lines, and counts of what passed and failed."""
    end, lines = time.monotonic() + BUDGET, []
    for name, most in SECTIONS.items():
        if only and name not in only.split(","):
            continue
        seconds = min(most * (10 if tiny else 1), end - time.monotonic())
        ended = f"{seconds:.0f} s left" if seconds < 10 else ""
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "lines"
            words = ["--section", name, "--device", device, "--out", str(part), "--seconds", str(seconds)]
            if not ended:
                try:
                    # a program of the section's own may write to stdout: what is said here goes to stderr
                    command = [sys.executable, __file__, *words, *(["--tiny"] if tiny else [])]
                    done = subprocess.run(command, timeout=seconds + 10, env=_environment(), stdout=sys.stderr)
                    ended = f"status {done.returncode}" if done.returncode else ""
                except subprocess.TimeoutExpired:
                    ended = f"did not end within {seconds:.0f} s"
            if part.exists():
                lines += [json.loads(line) for line in part.read_text(encoding="utf-8").splitlines()]
            trained = part.with_name("coloured-capacity-gpu.h5")
            if trained.exists() and out is not None:
                out.with_name(trained.name).write_bytes(trained.read_bytes())
        if ended:
            lines.append({"section": name, "kind": "FAIL", "name": "ends", "value": None, "detail": ended})
        result = {
            "device": device, "tiny": tiny, "passed": sum(line["kind"] == "PASS" for line in lines),
            "failed": sum(line["kind"] == "FAIL" for line in lines), "lines": lines,
        }  # fmt: skip
        if out is not None:
            out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def table(result: dict[str, Any]) -> str:
    """The numbers and what failed, as text."""
    lines = []
    for line in result["lines"]:
        value = "" if line["value"] is None else f" = {line['value']:,.4g}"
        if line["kind"] != "PASS":
            lines.append(f"{line['kind']:4}  {line['section']}: {line['name']}{value}  {line['detail']}".rstrip())
    return "\n".join([*lines, f"{result['passed']} passed, {result['failed']} failed"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing, to try the script")
    parser.add_argument("--only", default="", help="sections, with commas")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "gpu.json")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.section:
        b = Bench(given.device, given.tiny, given.out, given.seconds, given.section)
        with b.trying("the section"):
            globals()[given.section](b)
        return 0
    result = measure(given.device, given.tiny, given.only, given.out)
    print(table(result))
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
