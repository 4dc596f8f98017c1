"""The README says what the recorded runs say, and shows the pictures that the chapters show."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from minivae import metrics
from minivae.collapse import collapse_threshold
from minivae.datasets import Blobs
from minivae.engine.curves import load_curve, trained_curve
from minivae.engine.runs import Run
from minivae.ideal_decoder import BlobChannels
from minivae.rate_distortion import RateDistortion, rate_distortion

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEEDS = range(5)


def load(name: str, seed: int) -> Run:
    return Run.load(ROOT / "data" / "runs" / f"{name}-seed{seed}.h5")


def active(run: Run, step: int) -> int:
    recent = (run.history["step"] > step - 500) & (run.history["step"] <= step)
    return int((run.history["kl"][recent].mean(0) > metrics.ACTIVE).sum())


def row(start: str) -> str:
    (found,) = [line for line in README.splitlines() if line.startswith(f"| {start} |")]
    return found.split("|")[3].strip()


def test_latents_in_use():
    strong = [active(load("blobs-beta150", seed), 10_000) for seed in SEEDS]
    assert row("latents in use at β = 150") == f"{strong[0]}, on {strong.count(2)} of {len(strong)} seeds"
    late, early = ([active(load("blobs-vae", seed), step) for seed in SEEDS] for step in (10_000, 6_000))
    said = f"{min(late)} to {max(late)} at 10,000 steps, by seed; {min(early)} to {max(early)} at 6,000"
    assert row("latents in use at β = 1") == said


def aligned(run: Run) -> bool:
    strong = torch.from_numpy(run.mean_kl()) > metrics.ACTIVE
    return bool((metrics.correlations(run.model(), run.experiment.dataset)[strong].abs().amax(1) >= 0.98).all())


@pytest.mark.slow
def test_alignment():
    good = [aligned(load("blobs-beta150", seed)) for seed in SEEDS]
    (late,) = (seed for seed in SEEDS if not good[seed])
    run = load("blobs-beta150-long", late)
    assert aligned(run)
    said = f"correlation of at least 0.98, on {sum(good)} of {len(good)} seeds; on the fifth after {run.step:,} steps"
    assert row("aligned with x and y") == said


@pytest.mark.slow
def test_domains():
    def off(name: str, seed: int) -> float:
        """Mean distance of the two axes from x and y, in degrees."""
        run = load(name, seed)
        angles = metrics.axis_angles(run.model(), run.experiment.dataset)[
            torch.from_numpy(run.mean_kl()) > metrics.ACTIVE
        ]
        return ((angles + 45) % 90 - 45).abs().mean().item()

    square = sorted(off("blobs-beta150", seed) for seed in SEEDS)
    diamond = sorted(off("blobs-diamond", seed) for seed in range(3))
    assert square[3] < 10 and diamond[1] > 37  # what the sentence is about
    said = (
        f"{square[0]:.0f} to {square[3]:.0f}° from x and y on 4 squares of 5, "
        f"{diamond[1]:.0f} and {diamond[2]:.0f}° on 2 diamonds of 3"
    )
    assert row("axes of trained networks") == said


def test_what_aligns_is_what_chapter_7_printed():
    notebook = json.loads((ROOT / "chapters" / "07_why_these_axes.ipynb").read_text(encoding="utf-8"))
    printed = "".join(
        "".join(output["text"]) for cell in notebook["cells"] for output in cell.get("outputs", []) if "text" in output
    )
    (found,) = re.findall(r"45° costs (\S+) nats, (\S+) with one σ or a full covariance", printed)
    price, same = found
    said = f"without a network 45° costs {price} nats more than 0°, and {same} with one σ or a full covariance"
    assert row("what aligns x and y").endswith(said)


@pytest.mark.slow
def test_kl_at_150():
    kl = torch.tensor([load("blobs-beta150", seed).mean_kl(1_000).sum() for seed in SEEDS]).mean().item()
    limit = rate_distortion(BlobChannels(Blobs()), [1.4, 1.5, 1.6, 1.7], samples=512)
    best = np.interp(-150, -limit.prices, limit.capacities)
    assert row("KL at β = 150") == (
        f"{kl:.2f} nats; {best:.2f} is the best for two linear channels, computed without a network"
    )


@pytest.mark.slow
def test_collapse_threshold():
    images, _ = Blobs().sample(4000, torch.Generator().manual_seed(0))
    said = row("why β = 150")
    assert float(said.split(":")[1].split()[0]) == pytest.approx(collapse_threshold(images), rel=0.02)


@pytest.mark.parametrize("name", ["position", "scale", "shape", "orientation"])
def test_onsets(name):
    def onset(*curves: RateDistortion) -> str:
        factors = ("x", "y") if name == "position" else (name,)
        capacity = np.mean([max(curve.onset(factor) for factor in factors) for curve in curves])
        return "start" if capacity < 1 else f"{capacity:.1f}"

    raw, centred, classes = (
        [load_curve(path) for path in sorted((ROOT / "data" / "limits").glob(f"sprites-{kind}-seed*.json"))]
        for kind in ("raw", "centred", "classes")
    )
    published, multiplier = (trained_curve(load(run, 0)) for run in ("generator", "generator-lagrangian"))
    (found,) = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
    assert [cell.strip() for cell in found.split("|")[3:8]] == [
        onset(*raw), onset(published), onset(multiplier), onset(*classes), onset(*centred)
    ]  # fmt: skip


def test_loss_at_the_paper_s_last_capacity():
    limit = load_curve(ROOT / "data" / "limits" / "sprites-raw-seed0.json")
    curves = [limit, *(trained_curve(load(run, 0)) for run in ("generator", "generator-lagrangian"))]
    (found,) = [line for line in README.splitlines() if line.startswith("| loss at 23.8 nats |")]
    said = [cell.strip() for cell in found.split("|")[3:6]]
    assert said == [f"{curve.at(23.8)[1]:.0f}" for curve in curves]


def test_figure_4():
    def scores(name: str) -> dict[str, float]:
        run, found = name.rsplit("-seed", 1), json.loads((ROOT / "data" / "metrics" / f"{name}.json").read_text())
        return found | {"strong": int((load(run[0], int(run[1])).mean_kl(1_000) > 0.1).sum())}

    def span(seeds: list[dict[str, float]], key: str, digits: int) -> str:
        low, high = (f"{pick(seed[key] for seed in seeds):.{digits}f}" for pick in (min, max))
        return low if low == high else f"{low} to {high}"

    published = [scores(f"coloured-capacity-seed{seed}") for seed in range(3)]
    opened = sorted(path.stem for path in (ROOT / "data" / "metrics").glob("coloured-opened-seed*.json"))
    others = [[scores(name) for name in names] for names in (["coloured-vae-seed0"], ["coloured-beta4-seed0"], opened)]
    strong = [seed["strong"] for seed in published]
    for start, key, digits, here in (
        ("latents above 0.1 nats", "strong", 0, f"{strong[0]}, {strong[1]} and {strong[2]} on three seeds"),
        ("reconstruction above its floor, nats (± 1 at most)", "excess", 0, span(published, "excess", 0)),
        ("KL, nats", "kl", 0, span(published, "kl", 0)),
        ("MIG", "mig", 2, span(published, "mig", 2)),
    ):
        (found,) = [line for line in README.splitlines() if line.startswith(f"| {start} |")]
        want = [here, *(span(other, key, digits) for other in others)]
        assert [cell.strip() for cell in found.split("|")[3:7]] == want
    errors = [score["excess_error"] for scores in (published, *others) for score in scores]
    assert f"{max(errors):.0f}" == "1"


def ended(name: str, seed: int = 0) -> dict:
    path = ROOT / "data" / "studies" / "figure4a" / f"{name}-seed{seed}.json"
    return json.loads(path.read_text(encoding="utf-8"))["end"]


def test_the_slow_ramp():
    seeds = [ended("full-ramp-vivid", seed) for seed in range(3)]
    for start, values, digits in (
        ("latents above 0.1 nats", [seed["active"] for seed in seeds], 0),
        ("reconstruction above its floor, nats (± 1 at most)", [seed["excess"] for seed in seeds], 0),
        ("KL, nats", [sum(seed["kl"]) for seed in seeds], 0),
        ("MIG", [seed["mig"] for seed in seeds], 2),
    ):
        (found,) = [line for line in README.splitlines() if line.startswith(f"| {start} |")]
        assert found.split("|")[7].strip() == f"{min(values):.{digits}f} to {max(values):.{digits}f}", start
    assert max(seed["excess_error"] for seed in seeds) < 1.5
    assert [len(seed["own"]) for seed in seeds] == [6, 6, 4]  # "six factors of eight … on two seeds of three"
    assert all({"shape", "orientation"}.isdisjoint(seed["own"]) for seed in seeds)
    names = ("ramp-anneal", "ramp-anneal-fast", "better-vivid-ramp")
    annealed, fast, ramp = ([ended(name, seed) for seed in range(3)] for name in names)
    assert {len(end["own"]) for end in annealed + fast} == {2, 3, 4}
    most, least = (pick(end["excess"] for end in ramp) for pick in (max, min))
    assert all(2.5 < end["excess"] - most and end["excess"] - least < 6 for end in annealed)
    assert all(0 < end["excess"] - most and end["excess"] - least < 2.5 for end in fast)
    white = ended("full-ramp-white")
    assert f"MIG {white['mig']:.2f} at\n{white['excess']:.0f} nats above the floor" in README


def test_where_the_factors_overtake_the_moments():
    """Of the best code of each kind, at the capacities that all were searched at."""
    symmetric, centroid, moments = (
        load_curve(ROOT / "data" / "limits" / f"sprites-{kind}-seed0.json")
        for kind in ("symmetric", "symmetric-centroid", "moments")
    )
    grid = torch.tensor([C for C in moments.capacities.tolist() if 4 <= C <= 18])
    assert {9.5, 10.0, 10.5, 11.0, 11.5} <= set(grid.tolist())
    lead = torch.minimum(symmetric.at(grid)[1], centroid.at(grid)[1]) - moments.at(grid)[1]
    (after,) = (lead[:-1] * lead[1:] <= 0).nonzero().flatten().tolist()  # they cross once
    crossing = grid[after] + (grid[after + 1] - grid[after]) * lead[after] / (lead[after] - lead[after + 1])
    assert f"Up to {crossing:.1f} nats five moments" in README


def test_figure_4b():
    names = ("chairs", "chairs-32", "chairs-vae", "chairs-opened")
    scores = [json.loads((ROOT / "data" / "metrics" / f"{name}-seed0.json").read_text()) for name in names]
    strong = [int((load(name, 0).mean_kl(1_000) > 0.1).sum()) for name in names]
    for start, digits, values in (
        ("chairs: latents above 0.1 nats", 0, strong),
        *(
            (f"chairs: {title}", digits, [score[key] for score in scores])
            for title, key, digits in (("reconstruction", "excess", 0), ("KL", "kl", 0), ("MIG", "mig", 2))
        ),
    ):
        (found,) = [line for line in README.splitlines() if line.startswith(f"| {start}")]
        assert [cell.strip() for cell in found.split("|")[3:7]] == [f"{value:.{digits}f}" for value in values]


@pytest.mark.parametrize("path", sorted((ROOT / "chapters").glob("*.py")), ids=lambda path: path.stem)
def test_a_chapter_takes_the_minutes_that_it_states(path):
    (found,) = [line for line in README.splitlines() if f"](chapters/{path.stem}.ipynb) |" in line]
    stated = re.search(r"\*\*Time:\*\* (\d+) minutes to read", path.read_text(encoding="utf-8")).group(1)
    assert found.split("|")[3].strip() == stated


def test_as_many_readings_were_tried_as_are_recorded():
    results = [json.loads(path.read_text()) for path in (ROOT / "data" / "studies" / "figure4a").glob("*.json")]
    settings = [result["settings"] for result in results if result["settings"]["objective"] == "capacity"]
    small, full = ([of for of in settings if of["size"] == size and not of["muon"]] for size in (32, 64))
    assert (
        len(full) == 4
        and f"tried so far ({len(small)} on small sprites and four at full size, one seed each;" in README
    )


@pytest.mark.parametrize(("title", "capability"), [("AVX2, emulated", "AVX2"), ("AVX-512 and AMX", "AVX512")])
def test_speed_on_a_processor(title, capability):
    result = json.loads((ROOT / "benchmarks" / "cpu.json").read_text(encoding="utf-8"))[capability]
    cells = {}
    for one in result["rows"]:
        assert one["precision"] != result["auto"] or one["ratio"] > 1, (
            "automatic precision is slower than the plain loop"
        )
        measured = f"{one['ms']:.0f} ms, {one['ratio']:.1f} ×" if one["threads"] == 1 else f"{one['ratio']:.1f} ×"
        cells.setdefault(one["data"], []).append(measured)
    for name, measured in cells.items():
        (found,) = [line for line in README.splitlines() if line.startswith(f"| {title}: {name} |")]
        assert [cell.strip() for cell in found.split("|")[2:6]] == measured
    kind = result["auto"]
    limits = next(one["limits"] for one in result["rows"] if (one["precision"], one["threads"]) == (kind, 1))
    parts = [result["parts"][kind][part] for part in ("convolutions", "ReLU", "linear layers", "the rest")]
    (found,) = [line for line in README.splitlines() if line.startswith(f"| {title}, {kind} |")]
    assert [cell.strip() for cell in found.split("|")[2:8]] == [f"{part:.0%}" for part in (*limits.values(), *parts)]
    lost = parts[1] + parts[3]  # "a quarter of the step is neither convolution nor linear layer", "half"
    assert abs(lost - (0.25 if kind == "fp32" else 0.5)) < 0.03
    assert all(15 <= result["load"][when][0] < 22.5 for when in ("before", "after"))
    if kind == "fp32":  # "twice what products would", "bf16 is slower than the plain loop"
        assert abs(limits["product"] - 0.5) < 0.03
        assert all(row["ratio"] < 1 for row in result["rows"] if row["precision"] == "bf16")


def test_speed_on_a_gpu():
    lines = json.loads((ROOT / "benchmarks" / "gpu.json").read_text(encoding="utf-8"))["lines"]
    found = {line["name"]: (line["value"], line["detail"]) for line in lines}
    names = {"coloured sprites, γ = 1000": "coloured-capacity", "coloured sprites, opened": "coloured-opened"}
    for title, name in {**names, "chairs": "chairs"}.items():
        cells = []
        for batch in (64, 1024):
            for precision in ("fp32", "bf16"):
                ms, times = found[f"{name}, batch {batch}, {precision}, ms a step"]
                cells.append(f"{ms:.2f} ms, {times.split()[0]} ×")
                kernels, busy = found[f"{name}, batch {batch}, {precision}, kernels a step"]
                assert 238 < kernels < 394 and float(busy.split()[0]) > 0.84 * ms  # "nearly all the time"
                assert batch > 64 or 3 < 1000 * float(busy.split()[0]) / kernels < 5.5  # "three to five microseconds"
        assert f"| {title} | {' | '.join(cells)} |" in README
    assert f"{found['coloured-capacity, batch 64, fp32, single operations, ms a step'][0]:.1f} ms" in README
    assert f"Eight seeds\nat once take {found['8 seeds at once, ms a step of all'][1].split()[0][:3]} times" in README
    for name, (_, detail) in found.items():
        if "cuda" in name and "loss off" in detail:  # "to 10⁻⁴ in fp32 and 1 % in bf16"
            loss, gradient = (float(part.split()[-1]) for part in detail.split(", "))
            assert max(loss, gradient) < (1e-4 if "fp32" in name else 1e-2), name


def test_pictures_are_those_of_the_chapters():
    tool = runpy.run_path(str(ROOT / "tools" / "build_pictures.py"))
    for chapter, number in tool["STORED"].items():
        picture = tool["PICTURES"] / f"{chapter}.png"
        assert picture.read_bytes() == tool["stored_figures"](chapter)[number], "run tools/build_pictures.py"
        assert f"(chapters/pictures/{chapter}.png)" in README
