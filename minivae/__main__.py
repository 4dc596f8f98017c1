"""`python -m minivae list | train | sweep | show | measure | limit | data | bench | check`, all with --json."""

import argparse
import dataclasses
import importlib
import importlib.util
import io
import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minivae
from minivae._arguments import check_count

if TYPE_CHECKING:  # imported where needed: PyTorch takes seconds, and `--help` should not
    from minivae.engine.runs import Run
    from minivae.experiment import Experiment

DATA = Path(__file__).parents[1] / "data"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SHOWN = 10  # files that an import names one by one


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):  # under a code page without β print \u03b2, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="python -m minivae", description="The course on why β-VAE disentangles.")
    parser.add_argument("--version", action="version", version=minivae.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.add_argument("--json", action="store_true", help="print JSON for scripts")
        sub.set_defaults(run=run)
        return sub

    command("list", _list, "list the experiments")
    sub = command("train", _train, "train an experiment and write its run file")
    sub.add_argument("name", metavar="NAME", help="an experiment, see list")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--steps", type=int, help="step to reach (default: the experiment's full length)")
    sub.add_argument("--out", type=Path, help="run file to write (default: runs/NAME-seedN.h5)")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    sub.add_argument("--precision", default="auto", help="auto, fp32, bf16")
    sub.add_argument("--resume", type=Path, metavar="RUN", help="continue this run file")
    sub.add_argument("--reseed", action="store_true", help="resume with fresh random numbers, as on another device")
    sub.add_argument("--data", type=Path, metavar="FILE", help="pictures to train on, a file that data import made")
    sub.add_argument("--snapshots", type=int, nargs="*", default=[], metavar="STEP", help="keep the weights at these")
    sub.add_argument("--slim", action="store_true", help="keep a small file: half precision, no checkpoint")
    sub.add_argument("--force", action="store_true", help="replace the output file if it exists")
    sub = command("sweep", _sweep, "train an experiment with several seeds and settings, and print a table")
    sub.add_argument("name", metavar="NAME", help="an experiment, see list")
    sub.add_argument("--seeds", default="0", metavar="0:10", help="0:10 for 0 to 9, or 1,4,7 (default: 0)")
    sub.add_argument("--set", dest="settings", action="append", default=[], metavar="beta=1,4,16",
                     help="values of a setting, of experiment, objective or data set; may be repeated")  # fmt: skip
    sub.add_argument("--steps", type=int, help="step to reach (default: the experiment's full length)")
    sub.add_argument("--out", type=Path, metavar="FOLDER", help="for run files and table (default: runs/NAME-sweep)")
    sub.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    sub.add_argument("--reseed", action="store_true", help="go on with fresh random numbers, as on another device")
    sub.add_argument("--table", action="store_true", help="train nothing, print how far the trainings are")
    sub.add_argument("--cluster", metavar="NAME", help="hand it to slurm, or to submitit's local executor")
    sub.add_argument("--resource", action="append", default=[], metavar="slurm_partition=gpu",
                     help="of the cluster's jobs, as submitit calls it; may be repeated")  # fmt: skip
    sub = command("show", _show, "show what a run file holds and how it was made")
    sub.add_argument("path", type=Path, metavar="RUN")
    sub = command(
        "measure", _measure, "score a VAE of sprites or chairs: disentanglement, reconstruction, KL (some minutes)"
    )
    sub.add_argument("path", type=Path, metavar="RUN")
    sub = command("limit", _limit, "find the least distortion at each capacity, without a network")
    known = "sprites-raw, -classes, -centred, -symmetric, -symmetric-centroid, -moments or blobs"
    sub.add_argument("name", metavar="NAME", help=known)
    sub.add_argument(
        "--capacities", type=float, nargs="+", metavar="NATS", help="default: 0.5, 1, … 25, or what can be carried"
    )
    sub.add_argument("--samples", type=int, default=1024, help="pictures for the search (default: 1024)")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--out", type=Path, help="JSON file to write")
    sub.add_argument("--force", action="store_true", help="replace the output file if it exists")
    sub = command("bench", _bench, "measure speed and memory on this machine, beside a plain reference loop")
    sub.add_argument("--quick", action="store_true", help="the ratios alone, in under 50 seconds")
    sub.add_argument("--out", type=Path, metavar="FOLDER", help="write table, picture and JSON there")
    about = "make one file of a published archive or your own pictures, or write dSprites anew"
    data = commands.add_parser("data", help=about, description=about).add_subparsers(
        dest="action", required=True, metavar="import|export"
    )
    about = "make one HDF5 file of pictures, 64×64; goes on where it was interrupted"
    sub = data.add_parser("import", help=about, description=about)
    sub.add_argument("kind", choices=["chairs", "celeba", "folder"], help="how the pictures lie, see data/README.md")
    sub.add_argument("source", type=Path, metavar="PATH", help="folder, zip or tar")
    sub.add_argument("--out", type=Path, required=True, help="file to write")
    sub.add_argument("--channels", type=int, choices=[1, 3], help="1 grey, 3 RGB (default: chairs 1, others 3)")
    sub.add_argument("--white", type=float, metavar="VALUE", help="of white, in grey pictures of more than 8 bits")
    sub.add_argument("--force", action="store_true", help="replace the output file if it exists")
    sub.add_argument("--json", action="store_true", help="print JSON for scripts")
    sub.set_defaults(run=_import)
    about = "write a rendered data set in the layout of the published file"
    sub = data.add_parser("export", help=about, description=about)
    sub.add_argument("name", choices=["sprites"], help="sprites: dSprites as HDF5")
    sub.add_argument("--out", type=Path, required=True, help="file to write")
    sub.add_argument("--json", action="store_true", help="print JSON for scripts")
    sub.set_defaults(run=_export)
    command("check", _check, "check that this machine can run the course")

    arguments = parser.parse_args(argv)
    arguments.words = sys.argv[1:] if argv is None else argv
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _list(arguments: argparse.Namespace) -> int:
    from minivae.engine.catalogue import EXPERIMENTS
    from minivae.engine.settings import to_dict

    if arguments.json:
        _print_json({name: to_dict(experiment) for name, experiment in EXPERIMENTS.items()})
    else:
        width = max(map(len, EXPERIMENTS))
        for name, experiment in EXPERIMENTS.items():
            print(f"{name:{width}}  {experiment.steps:>7,} steps  {experiment.about}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from minivae.engine import catalogue, parallel
    from minivae.engine.imports import Pictures
    from minivae.engine.runs import Run

    experiment = catalogue.get(arguments.name)
    if arguments.data is not None:
        if not isinstance(experiment.dataset, Pictures):
            raise ValueError(f"{experiment.name} draws its own pictures: --data is for celeba and chairs-published")
        experiment = dataclasses.replace(experiment, dataset=Pictures.open(arguments.data))
    resume = None if arguments.resume is None else Run.load(arguments.resume, data=arguments.data)
    if resume is not None and isinstance(experiment.dataset, Pictures):
        experiment = dataclasses.replace(experiment, dataset=resume.experiment.dataset)
    out, new_folder = arguments.out, None
    if out is None:
        out = Path("runs") / f"{experiment.name}-seed{arguments.seed}.h5"
        if not out.parent.exists():
            new_folder = out.parent
            new_folder.mkdir(exist_ok=True)  # of several processes each tries
    try:
        with parallel.processes(arguments.device) as speaks:
            return _train_to(out, experiment, resume, arguments, speaks)
    finally:
        # a refused training leaves nothing behind
        if new_folder is not None and new_folder.exists() and not any(new_folder.iterdir()):
            new_folder.rmdir()


def _train_to(
    out: Path, experiment: "Experiment", resume: "Run | None", arguments: argparse.Namespace, speaks: bool
) -> int:
    from minivae.engine import trainer

    same = arguments.resume is not None and out.exists() and out.samefile(arguments.resume)
    try:
        run = trainer.train(
            experiment,
            steps=arguments.steps,
            seed=arguments.seed,
            device=arguments.device,
            precision=arguments.precision,
            progress=not arguments.json,
            resume=resume,
            reseed=arguments.reseed,
            snapshots=arguments.snapshots,
            out=out,
            overwrite=arguments.force or same,
            command="python -m minivae " + shlex.join(arguments.words),
        )
    except trainer.TrainingInterrupted as interrupted:
        run = interrupted.run
    goal = experiment.steps if arguments.steps is None else arguments.steps
    status = 0 if run.step == goal else 130
    if not speaks:
        return status
    if run.step < goal:
        print(f"interrupted at step {run.step}; go on with --resume {shlex.quote(str(out))}", file=sys.stderr)
    elif arguments.slim:
        run.slim().save(out, overwrite=True)
    if arguments.json:
        _print_json({"out": str(out), **_summary(run)})
    else:
        print(f"wrote {out}")
    return status


def _sweep(arguments: argparse.Namespace) -> int:
    from minivae.engine import sweep

    for name in ("steps", "workers"):
        if getattr(arguments, name) is not None:
            check_count(name, getattr(arguments, name))
    folder = arguments.out or Path("runs") / f"{arguments.name}-sweep"
    settings = dict(sweep.parse_setting(text) for text in arguments.settings)
    command = "python -m minivae " + shlex.join(arguments.words)
    seeds = sweep.parse_seeds(arguments.seeds)
    jobs = sweep.plan(arguments.name, seeds, settings, folder, arguments.steps, command, arguments.reseed)
    folder.mkdir(parents=True, exist_ok=True)
    failed: dict[Path, str] = {}
    if arguments.table:
        pass
    elif arguments.cluster is not None:
        resources = {key: values[0] for key, values in map(sweep.parse_setting, arguments.resource)}
        left = [job for job, row in zip(jobs, sweep.table(jobs), strict=True) if row["step"] < row["of"]]
        sent = sweep.submit(left, arguments.cluster, folder / "cluster", **resources) if left else []
        print(f"sent {len(sent)} trainings to {arguments.cluster}; --table prints how far they are, "
              f"{folder / 'cluster'} has what they say", file=sys.stderr)  # fmt: skip
    else:
        failed = sweep.run_here(jobs, arguments.workers, arguments.device, lambda text: print(text, file=sys.stderr))
    rows = sweep.table(jobs)
    sweep.write_table(rows, folder)
    if arguments.json:
        _print_json(rows)
    else:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        for row in cells:
            print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    for path, reason in failed.items():
        print(f"error: {path.name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _bench(arguments: argparse.Namespace) -> int:
    path = BENCHMARKS / "bench.py"
    if not path.is_file():
        raise RuntimeError(f"no {path}: the benchmarks come with a clone of the repository, not with the package")
    if arguments.out is not None and not (arguments.out.is_dir() and os.access(arguments.out, os.W_OK)):
        raise OSError(f"{arguments.out} is no folder that can be written to: create it first")
    if not arguments.quick and (missing := [m for m in ("jupytext", "nbclient") if not importlib.util.find_spec(m)]):
        raise RuntimeError(f"missing: {', '.join(missing)}; install with: pip install -e '.[course]', or use --quick")
    sys.path.insert(0, str(BENCHMARKS))
    bench = importlib.import_module("bench")
    result = bench.measure(arguments.quick, progress=lambda text: print(f"measuring {text} …", file=sys.stderr))
    if arguments.json:
        _print_json(result)
    else:
        print(bench.table(result))
    if arguments.out is not None:
        for path in bench.write(result, arguments.out):
            print(f"wrote {path}", file=sys.stderr)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from minivae.engine.imports import import_pictures

    report = import_pictures(
        arguments.kind, arguments.source, arguments.out, arguments.channels, arguments.force, not arguments.json,
        arguments.white,
    )  # fmt: skip
    if arguments.json:
        _print_json({**dataclasses.asdict(report), "out": str(report.out)})
        return 0
    resumed = f", {report.resumed:,} of them from an interrupted import" if report.resumed else ""
    print(f"wrote {report.out}: {report.pictures:,} pictures{resumed}")
    left_out = {"duplicate": report.duplicates, "unreadable": report.unreadable, "not looked into": report.skipped}
    for what, files in left_out.items():
        if files:
            print(f"left out, {what}: {len(files):,}")
            for name, why in files[:SHOWN]:
                print(f"  {name}: {'the same as ' if what == 'duplicate' else ''}{why}")
            if len(files) > SHOWN:
                print(f"  … and {len(files) - SHOWN:,} more (--json names all)")
    if report.others:
        print(f"passed over, no pictures of this kind: {report.others:,}")
    for note in report.notes:
        print(f"note: {note}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from minivae.engine import dsprites

    out = dsprites.export(arguments.out)
    if arguments.json:
        _print_json({"out": str(out)})
    else:
        print(f"wrote {out}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from minivae.engine.runs import Run

    summary = _summary(Run.load(arguments.path))
    if arguments.json:
        _print_json(summary)
        return 0
    kl = summary["kl"]
    made = summary["provenance"]
    print(f"{arguments.path}: {summary['experiment']['name']}, seed {summary['seed']}, step {summary['step']:,}")
    print(f"  reconstruction {summary['reconstruction']:.1f} nats, KL {sum(kl):.2f} nats")
    print(f"  KL per latent, high to low: {'  '.join(f'{value:.2f}' for value in sorted(kl, reverse=True))}")
    print(f"  snapshots: {summary['snapshots'] or 'none'}; resumable: {'yes' if summary['resumable'] else 'no'}")
    print(f"  made by: {made.get('command', 'not recorded')}")
    if "device" in made:
        with_what = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
        print(f"  on {made['device']}, {made['precision']}, {made['threads']} threads, in {made['seconds']:.0f} s")
        print(f"  with {with_what}")
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    from minivae import metrics
    from minivae.engine.runs import Run

    run = Run.load(arguments.path)
    if run.experiment.model != "vae":
        raise ValueError(f"{arguments.path} is a generator, which is told the factors: there is no code to measure")
    scores = metrics.measure(run.model(), run.experiment.dataset)
    if arguments.json:
        _print_json(scores)
        return 0
    print(f"{arguments.path}: {run.experiment.name}, seed {run.seed}, step {run.step:,}")
    for name, score in scores.items():
        print(f"  {name:20} {score:{'.1f' if name in ('reconstruction', 'excess', 'kl') else '.3g'}}")
    return 0


def _limit(arguments: argparse.Namespace) -> int:
    from minivae.engine import curves
    from minivae.engine.files import check_output
    from minivae.engine.trainer import versions
    from minivae.ideal_decoder import LIMITS
    from minivae.rate_distortion import rate_distortion

    if arguments.name not in LIMITS:
        raise ValueError(f"unknown limit {arguments.name!r}: known are {', '.join(LIMITS)}")
    if arguments.out is not None:
        check_output(arguments.out, arguments.force)  # to be heard of before the search, not after it
    channels = LIMITS[arguments.name]()
    most = min(25.0, channels.most * len(channels.factors))
    limit = rate_distortion(
        channels,
        arguments.capacities or [0.5 * i for i in range(1, round(2 * most) + 1)],
        samples=arguments.samples,
        seed=arguments.seed,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    made = {"command": "python -m minivae " + shlex.join(arguments.words), "versions": versions()}
    limit = dataclasses.replace(limit, provenance=made)
    if arguments.out is not None:
        curves.save_curve(limit, arguments.out, arguments.force)
    if arguments.json:
        _print_json(curves.to_dict(limit))
        return 0
    print("   C  distortion  price  " + "  ".join(f"{name:>11}" for name in limit.factors))
    for c, d, price, rates in zip(limit.capacities, limit.distortions, limit.prices, limit.rates, strict=True):
        print(f"{c:5.2f}  {d:9.1f}  {price:5.1f}  " + "  ".join(f"{rate:11.2f}" for rate in rates))
    if arguments.out is not None:
        print(f"wrote {arguments.out}")
    return 0


def _summary(run: "Run") -> dict[str, Any]:
    from minivae.engine.settings import to_dict

    recent = run.history["step"] > run.step - 500
    return {
        "experiment": to_dict(run.experiment),
        "seed": run.seed,
        "step": run.step,
        "reconstruction": float(run.history["reconstruction"][recent].mean()),
        "kl": [float(value) for value in run.mean_kl()],
        "snapshots": sorted(run.snapshots),
        "resumable": run.checkpoint is not None,
        "provenance": run.provenance,
    }


def _check(arguments: argparse.Namespace) -> int:
    results = []
    for name, probe in _PROBES.items():
        try:
            results.append({"check": name, "ok": True, "detail": probe()})
        except Exception as error:  # whatever is wrong with a machine is the answer asked for
            results.append({"check": name, "ok": False, "detail": str(error)})
    if arguments.json:
        _print_json(results)
    else:
        for result in results:
            print(f"{'OK  ' if result['ok'] else 'FAIL'} {result['check']:10} {result['detail']}")
    return 0 if all(result["ok"] for result in results) else 1


def _check_python() -> str:
    return platform.python_version()


def _check_packages() -> str:
    found, missing = [], []
    for name in ("torch", "numpy", "h5py", "matplotlib", "ipywidgets", "tqdm", "jupyterlab"):
        try:
            found.append(f"{name} {importlib.import_module(name).__version__}")
        except ImportError:
            missing.append(name)
    if missing:
        raise RuntimeError(f"missing: {', '.join(missing)}; install with: pip install -e '.[course]'")
    return ", ".join(found)


def _check_device() -> str:
    import torch

    from minivae.engine.fast import pick_device

    return f"{pick_device('auto')}, {torch.get_num_threads()} threads"


def _check_precision() -> str:
    from minivae.engine.fast import pick_device, pick_precision

    return pick_precision("auto", pick_device("auto"))


def _check_data() -> str:
    from minivae.engine.runs import Run

    runs = sorted((DATA / "runs").glob("*.h5"))
    if not runs:
        raise RuntimeError(f"no recorded runs in {DATA / 'runs'}: is this a whole clone of the repository?")
    for path in runs:
        Run.load(path)
    return f"{len(runs)} recorded runs in {DATA / 'runs'}, all readable"


def _check_widgets() -> str:
    import ipywidgets
    from jupyter_core.paths import jupyter_path

    folders = [Path(p) / "@jupyter-widgets" / "jupyterlab-manager" for p in jupyter_path("labextensions")]
    if not any(folder.is_dir() for folder in folders):
        raise RuntimeError("JupyterLab's widget extension is missing: pip install jupyterlab_widgets")
    return f"ipywidgets {ipywidgets.__version__} with JupyterLab's extension"


def _check_writing() -> str:
    if not os.access(Path.cwd(), os.W_OK):
        raise RuntimeError(f"{Path.cwd()} is not writable: training needs a folder for its run files")
    with tempfile.TemporaryFile() as file:
        file.write(b"\0" * 2**20)
    return f"{Path.cwd()} is writable"


_PROBES: dict[str, Callable[[], str]] = {
    "python": _check_python,
    "packages": _check_packages,
    "device": _check_device,
    "precision": _check_precision,
    "data": _check_data,
    "widgets": _check_widgets,
    "writing": _check_writing,
}


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


if __name__ == "__main__":
    sys.exit(main())
