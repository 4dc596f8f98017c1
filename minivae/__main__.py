"""`python -m minivae list|train|sweep|show|measure|export|limit|data|bench|check`, all with --json."""

import argparse
import dataclasses
import importlib.util
import io
import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import minivae  # its modules only where needed: PyTorch takes seconds, and `--help` should not
from minivae._arguments import check_count

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

    def command(name: str, run: Callable, about: str, of: Any = commands, *, force: bool = False) -> Callable:
        sub = of.add_parser(name, help=about, description=about)
        sub.add_argument("--json", action="store_true", help="print JSON for scripts")
        if force:
            sub.add_argument("--force", action="store_true", help="replace the output file if it exists")
        sub.set_defaults(run=run)
        return sub.add_argument

    def experiment(add: Callable) -> None:
        add("name", metavar="NAME", help="an experiment, see list")
        add("--steps", type=int, help="step to reach (default: the experiment's full length)")
        add("--device", default="auto", help="auto, cpu, cuda, mps")
        add("--reseed", action="store_true", help="go on with fresh random numbers, as on another device")

    command("list", _list, "list the experiments")
    add = command("train", _train, "train an experiment and write its run file", force=True)
    experiment(add)
    add("--seed", type=int, default=0)
    add("--seeds", metavar="0:8", help="several at once, on a GPU hardly slower than one; writes runs/NAME-seedN.h5")
    add("--out", type=Path, help="run file to write (default: runs/NAME-seedN.h5)")
    add("--precision", default="auto", help="auto, fp32, bf16")
    add("--resume", type=Path, metavar="RUN", help="continue this run file")
    add("--data", type=Path, metavar="FILE", help="pictures to train on, a file that data import made")
    add("--snapshots", type=int, nargs="*", default=[], metavar="STEP", help="keep the weights at these")
    add("--slim", action="store_true", help="keep a small file: half precision, no checkpoint")
    add = command("sweep", _sweep, "train an experiment with several seeds and settings, and print a table")
    experiment(add)
    add("--seeds", default="0", metavar="0:10", help="0:10 for 0 to 9, or 1,4,7 (default: 0)")
    add("--set", dest="settings", action="append", default=[], metavar="beta=1,4,16",
        help="values of a setting, of experiment, objective or data set; may be repeated")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER", help="for run files and table (default: runs/NAME-sweep)")
    add("--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)")
    add("--table", action="store_true", help="train nothing, print how far the trainings are")
    add("--cluster", metavar="NAME", help="hand it to slurm, or to submitit's local executor")
    add("--resource", action="append", default=[], metavar="slurm_partition=gpu",
        help="of the cluster's jobs, as submitit calls it; may be repeated")  # fmt: skip
    command("show", _show, "show what a run file holds and how it was made")("path", type=Path, metavar="RUN")
    add = command("measure", _measure, "score a VAE of data with known factors: disentanglement, reconstruction, KL")
    add("path", type=Path, metavar="RUN", help="a run file; or, with --factors, codes: csv, npy or npz")
    add("--factors", type=Path, metavar="FILE", help="of the codes' pictures, whole numbers: csv, npy or npz")
    add("--data", type=Path, metavar="FILE", help="the run's pictures: npz of images, factors, names, or an import")
    add("--mig-without", nargs="+", default=[], metavar="FACTOR", help="left out of MIG; with --factors numbers from 0")
    add("--mig-samples", action="store_true", help="MIG of samples of the posteriors, not of their means")
    add("--mig-nats", action="store_true", help="MIG in nats, not over the factor's entropy")
    add = command("export", _export_run, "write a run's model for other programs", force=True)
    add("path", type=Path, metavar="RUN")
    add("--onnx", type=Path, metavar="FILE", help="NAME.onnx writes NAME-encoder.onnx and NAME-decoder.onnx")
    add("--weights", type=Path, metavar="FILE", help="name → tensor, for torch.load")
    add = command("limit", _limit, "find the least distortion at each capacity, without a network", force=True)
    add("name", metavar="NAME", help="sprites-raw, -classes, -centred, -symmetric[-centroid], -moments or blobs")
    add("--capacities", type=float, nargs="+", metavar="NATS", help="default: 0.5, 1, … 25, or what can be carried")
    add("--samples", type=int, default=1024, help="pictures for the search (default: 1024)")
    add("--seed", type=int, default=0)
    add("--out", type=Path, help="JSON file to write")
    add = command("bench", _bench, "measure speed and memory on this machine, beside a plain reference loop")
    add("--quick", action="store_true", help="the ratios alone, in under 50 seconds")
    add("--out", type=Path, metavar="FOLDER", help="write table, picture and JSON there")
    add("--gpu", action="store_true", help="check and measure training on a GPU instead, in under 8 minutes")
    add("--device", default="cuda", help="for --gpu: cuda (default), cuda:1, or cpu to try it")
    add("--tiny", action="store_true", help="for --gpu: sizes that say nothing, to try it")
    data = commands.add_parser("data", help="make a file of pictures, or write dSprites anew")
    data = data.add_subparsers(dest="action", required=True, metavar="import|export")
    add = command("import", _import, "make one HDF5 file of pictures, 64×64", data, force=True)
    add("kind", choices=["chairs", "celeba", "folder", "shapes3d", "mpi3d"], help="how they lie, see data/README.md")
    add("source", type=Path, metavar="PATH", help="folder, zip or tar; the published array of shapes3d, mpi3d")
    add("--out", type=Path, required=True, help="file to write")
    add("--channels", type=int, choices=[1, 3], help="1 grey, 3 RGB (default: chairs 1, others 3)")
    add("--white", type=float, metavar="VALUE", help="of white, in grey pictures of more than 8 bits")
    add = command("export", _export, "write a rendered data set in the layout of the published file", data)
    add("name", choices=["sprites"], help="sprites: dSprites as HDF5")
    add("--out", type=Path, required=True, help="file to write")
    command("check", _check, "check that this machine can run the course")

    args = parser.parse_args(argv)
    args.said = "python -m minivae " + shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        status = args.run(args)
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


def _list(args: argparse.Namespace) -> int:
    from minivae.engine.catalogue import EXPERIMENTS
    from minivae.engine.settings import to_dict

    width = max(map(len, EXPERIMENTS))
    lines = [f"{name:{width}}  {e.steps:>7,} steps  {e.about}" for name, e in EXPERIMENTS.items()]
    return _tell(args, {name: to_dict(experiment) for name, experiment in EXPERIMENTS.items()}, lines)


def _train(args: argparse.Namespace) -> int:
    from minivae.engine import catalogue, parallel, sweep, trainer
    from minivae.engine.pictures import Pictures

    experiment = catalogue.get(args.name)
    if args.data is not None:
        if not isinstance(experiment.dataset, Pictures):
            raise ValueError(f"{experiment.name} draws its own pictures: --data is for celeba and chairs-published")
        experiment = dataclasses.replace(experiment, dataset=Pictures.open(args.data))
    if args.seeds is not None and (args.resume or args.out or args.reseed):
        raise ValueError("--seeds begins trainings, and names their files: it goes without --resume and --out")
    seeds = [args.seed] if args.seeds is None else sweep.parse_seeds(args.seeds)
    resume = None if args.resume is None else minivae.Run.load(args.resume, data=args.data)
    if resume is not None and isinstance(experiment.dataset, Pictures):
        experiment = dataclasses.replace(experiment, dataset=resume.experiment.dataset)
    outs = [args.out or Path("runs") / f"{experiment.name}-seed{seed}.h5" for seed in seeds]
    if args.out is None and not outs[0].parent.exists():
        outs[0].parent.mkdir(exist_ok=True)  # of several processes each tries
    same = args.resume is not None and outs[0].exists() and outs[0].samefile(args.resume)
    try:
        with parallel.processes(args.device) as speaks:
            runs = trainer.train_seeds(
                experiment, seeds, outs, steps=args.steps, device=args.device, precision=args.precision,
                progress=not args.json, resume=resume, reseed=args.reseed, snapshots=args.snapshots,
                overwrite=args.force or same, command=args.said,
            )  # fmt: skip
    except trainer.TrainingInterrupted as interrupted:
        runs, outs = [interrupted.run], outs[seeds.index(interrupted.run.seed) :]  # those before it failed
    finally:
        if args.out is None:
            with suppress(OSError):  # a refused training leaves no empty folder behind
                outs[0].parent.rmdir()
    done = all(run.step == (args.steps or experiment.steps) for run in runs)
    if speaks and not done:
        go_on = " or ".join(f"--resume {shlex.quote(str(out))}" for out in outs)
        print(f"interrupted at step {runs[0].step}; go on with {go_on}", file=sys.stderr)
    if speaks:
        for out, run in zip(outs, runs, strict=False):
            if done and args.slim:
                run.slim().save(out, overwrite=True)
        told = [{"out": str(out), **_summary(run)} for out, run in zip(outs, runs, strict=False)]
        _tell(args, told[0] if args.seeds is None else told, [f"wrote {out}" for out in outs])
    return 0 if done else 130


def _sweep(args: argparse.Namespace) -> int:
    from minivae.engine import sweep

    if args.steps is not None:
        check_count("steps", args.steps)
    folder = args.out or Path("runs") / f"{args.name}-sweep"
    settings, seeds = dict(map(sweep.parse_setting, args.settings)), sweep.parse_seeds(args.seeds)
    jobs = sweep.plan(args.name, seeds, settings, folder, args.steps, args.said, args.reseed)
    folder.mkdir(parents=True, exist_ok=True)
    failed: dict[Path, str] = {}
    if args.cluster is not None and not args.table:
        resources = {key: values[0] for key, values in map(sweep.parse_setting, args.resource)}
        left = [job for job, row in zip(jobs, sweep.table(jobs), strict=True) if row["step"] < row["of"]]
        sent = sweep.submit(left, args.cluster, folder / "cluster", **resources) if left else []
        print(f"sent {len(sent)} trainings to {args.cluster}; --table prints how far they are, "
              f"{folder / 'cluster'} has what they say", file=sys.stderr)  # fmt: skip
    elif not args.table:
        failed = sweep.run_here(jobs, args.workers, args.device, lambda text: print(text, file=sys.stderr))
    rows = sweep.table(jobs)
    sweep.write_table(rows, folder)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _tell(args, rows, _table([columns, *([row.get(column, "") for column in columns] for row in rows)]))
    for path, reason in failed.items():
        print(f"error: {path.name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _bench(args: argparse.Namespace) -> int:
    path = BENCHMARKS / "bench.py"
    if not path.is_file():
        raise RuntimeError(f"no {path}: the benchmarks come with a clone of the repository, not with the package")
    if args.out is not None and not (args.out.is_dir() and os.access(args.out, os.W_OK)):
        raise OSError(f"{args.out} is no folder that can be written to: create it first")
    missing = [m for m in ("jupytext", "nbclient") if not importlib.util.find_spec(m)]
    if missing and not (args.quick or args.gpu):
        raise RuntimeError(f"missing: {', '.join(missing)}; install with: pip install -e '.[course]', or use --quick")
    sys.path.insert(0, str(BENCHMARKS))
    if args.gpu:
        gpu = importlib.import_module("gpu")
        result = gpu.measure(args.device, args.tiny, out=None if args.out is None else args.out / "gpu.json")
        _tell(args, result, [gpu.table(result)])
        return 1 if result["failed"] else 0
    bench = importlib.import_module("bench")
    result = bench.measure(args.quick, progress=lambda text: print(f"measuring {text} …", file=sys.stderr))
    _tell(args, result, [bench.table(result)])
    if args.out is not None:
        for path in bench.write(result, args.out):
            print(f"wrote {path}", file=sys.stderr)
    return 0


def _import(args: argparse.Namespace) -> int:
    from minivae.engine.imports import import_pictures
    from minivae.engine.published import LATTICES, import_lattice

    if args.kind in LATTICES:
        pictures = import_lattice(args.kind, args.source, args.out, args.force, not args.json)
        return _tell(args, {"out": str(args.out), "pictures": pictures}, [f"wrote {args.out}: {pictures:,} pictures"])
    report = import_pictures(args.kind, args.source, args.out, args.channels, args.force, not args.json, args.white)
    lines = [f"wrote {report.out}: {report.pictures:,} pictures"]
    same = [(name, f"the same as {other}") for name, other in report.duplicates]
    for what, files in ("duplicate", same), ("unreadable", report.unreadable), ("not looked into", report.skipped):
        lines += [f"left out, {what}: {len(files):,}"] if files else []
        lines += [f"  {name}: {why}" for name, why in files[:SHOWN]]
        lines += [f"  … and {len(files) - SHOWN:,} more (--json names all)"] if len(files) > SHOWN else []
    lines += [f"passed over, no pictures of this kind: {report.others:,}"] if report.others else []
    lines += [f"note: {note}" for note in report.notes]
    return _tell(args, {**dataclasses.asdict(report), "out": str(report.out)}, lines)


def _export(args: argparse.Namespace) -> int:
    from minivae.engine import dsprites

    out = dsprites.export(args.out)
    return _tell(args, {"out": str(out)}, [f"wrote {out}"])


def _export_run(args: argparse.Namespace) -> int:
    from minivae.engine import export

    if args.onnx is None and args.weights is None:
        raise ValueError("nothing to write: name a file with --onnx or --weights")
    run = minivae.Run.load(args.path)
    written = [] if args.onnx is None else export.export_onnx(run, args.onnx, args.force)
    written += [] if args.weights is None else [export.export_weights(run, args.weights, args.force)]
    return _tell(args, {"out": [str(path) for path in written]}, [f"wrote {path}" for path in written])


def _show(args: argparse.Namespace) -> int:
    summary = _summary(minivae.Run.load(args.path))
    kl, made = summary["kl"], summary["provenance"]
    lines = [
        f"{args.path}: {summary['experiment']['name']}, seed {summary['seed']}, step {summary['step']:,}",
        f"  reconstruction {summary['reconstruction']:.1f} nats, KL {sum(kl):.2f} nats",
        f"  KL per latent, high to low: {'  '.join(f'{value:.2f}' for value in sorted(kl, reverse=True))}",
        f"  snapshots: {summary['snapshots'] or 'none'}; resumable: {'yes' if summary['resumable'] else 'no'}",
        f"  made by: {made.get('command', 'not recorded')}",
    ]
    if "device" in made:
        lines += [
            f"  on {made['device']}, {made['precision']}, {made['threads']} threads, in {made['seconds']:.0f} s",
            f"  with {', '.join(f'{name} {version}' for name, version in made['versions'].items())}",
        ]
    return _tell(args, summary, lines)


def _measure(args: argparse.Namespace) -> int:
    from minivae import metrics
    from minivae.datasets import Arrays
    from minivae.engine.runs import Run

    convention = {"without": args.mig_without, "normalised": not args.mig_nats}
    if args.factors is not None:
        if args.mig_samples:
            raise ValueError("--mig-samples takes the posteriors of a run; in place of codes give their samples")
        classes, title = _columns(args.factors, "factors").astype(int), str(args.path)
        scores = metrics.score(_columns(args.path, "codes"), classes, **convention)
    else:
        run, data = Run.load(args.path), args.data
        if run.experiment.model != "vae":
            raise ValueError(f"{args.path} is a generator, which is told the factors: there is no code to measure")
        own = isinstance(run.experiment.dataset, Arrays)
        if own and data is None:
            raise ValueError(f"{args.path} was trained on pictures of your own: give them, --data FILE.npz")
        if data is not None:
            run = Run.load(args.path, data=_arrays(data) if own else data)
        scores = metrics.measure(run.model(), run.experiment.dataset, sampled=args.mig_samples, **convention)
        title = f"{args.path}: {run.experiment.name}, seed {run.seed}, step {run.step:,}"
    codes = "samples" if args.mig_samples else "means" if args.factors is None else "codes as given"
    factors = ", not ".join(["all factors", *args.mig_without])
    told = f"20 bins, {codes}, {factors}, {'in nats' if args.mig_nats else 'over entropy'}"
    nats = ("reconstruction", "excess", "kl")
    lines = [f"  {name:20} {score:{'.1f' if name in nats else '.3g'}}" for name, score in scores.items()]
    return _tell(args, {**scores, "mig_convention": told}, [title, *lines, f"  {'mig_convention':20} {told}"])


def _columns(path: Path, name: str) -> Any:
    """A table of numbers from a csv, whose first line may be of names, from npy, or the npz's array of a name."""
    import numpy as np

    from minivae.engine.files import reading

    with reading(path, f"is no table of numbers (csv, npy, or npz with an array {name})", f"give the {name}"):
        if path.suffix == ".csv":
            read = partial(np.loadtxt, path, delimiter=",", ndmin=2, encoding="utf-8-sig")
            try:
                table = read()
            except ValueError:  # names of the columns
                table = read(skiprows=1)
        elif path.suffix == ".npz":
            with np.load(path) as file:
                table = file[name]
        else:
            table = np.load(path)
    if name == "factors" and not np.array_equal(table, np.round(table)):
        raise ValueError(f"{path}: the scores need classes: factors must be whole numbers")
    return table


def _arrays(path: Path) -> Any:
    """The pictures and factors of an npz file; pickled ones are never read."""
    import numpy as np

    from minivae.datasets import Arrays
    from minivae.engine.files import reading

    missing = "make it with numpy.savez(FILE, images=…, factors=…, names=…)"
    with reading(path, "is no npz file of images, factors and names", missing), np.load(path) as file:
        names = [str(name) for name in file["names"]] if "names" in file else []
        images, factors = file["images"], file["factors"] if "factors" in file else None
    return Arrays(images, factors, names)


def _limit(args: argparse.Namespace) -> int:
    from minivae.engine import curves
    from minivae.engine.files import check_output
    from minivae.engine.trainer import versions
    from minivae.ideal_decoder import LIMITS
    from minivae.rate_distortion import rate_distortion

    if args.name not in LIMITS:
        raise ValueError(f"unknown limit {args.name!r}: known are {', '.join(LIMITS)}")
    if args.out is not None:
        check_output(args.out, args.force)  # to be heard of before the search, not after it
    channels = LIMITS[args.name]()
    most = min(25.0, channels.most * len(channels.factors))
    limit = rate_distortion(
        channels, args.capacities or [0.5 * i for i in range(1, round(2 * most) + 1)], samples=args.samples,
        seed=args.seed, progress=lambda text: print(text, file=sys.stderr, flush=True),
    )  # fmt: skip
    limit = dataclasses.replace(limit, provenance={"command": args.said, "versions": versions()})
    if args.out is not None:
        curves.save_curve(limit, args.out, args.force)
    rows = [["C", "distortion", "price", *limit.factors]]
    for c, d, price, rates in zip(limit.capacities, limit.distortions, limit.prices, limit.rates, strict=True):
        rows.append([f"{c:.2f}", f"{d:.1f}", f"{price:.1f}", *(f"{rate:.2f}" for rate in rates)])
    return _tell(args, curves.to_dict(limit), _table(rows) + ([f"wrote {args.out}"] if args.out is not None else []))


def _summary(run: Any) -> dict[str, Any]:
    from minivae.engine.settings import to_dict

    means = run.means()
    return {
        "experiment": to_dict(run.experiment),
        "seed": run.seed,
        "step": run.step,
        "reconstruction": float(means["reconstruction"]),
        "kl": means["kl"].tolist(),
        "snapshots": sorted(run.snapshots),
        "resumable": run.checkpoint is not None,
        "provenance": run.provenance,
    }


def _check(args: argparse.Namespace) -> int:
    results = []
    for name in ("python", "packages", "device", "precision", "data", "widgets", "writing"):
        try:
            results.append({"check": name, "ok": True, "detail": _probe(name)})
        except Exception as error:  # whatever is wrong with a machine is the answer asked for
            results.append({"check": name, "ok": False, "detail": str(error)})
    _tell(args, results, [f"{'OK  ' if r['ok'] else 'FAIL'} {r['check']:10} {r['detail']}" for r in results])
    return 0 if all(result["ok"] for result in results) else 1


def _probe(name: str) -> str:
    """What this machine has of what the course needs, or an error that says what it lacks."""
    if name == "python":
        return platform.python_version()
    if name == "packages":
        wanted = ("torch", "numpy", "h5py", "matplotlib", "ipywidgets", "anywidget", "tqdm", "jupyterlab")
        if missing := [package for package in wanted if importlib.util.find_spec(package) is None]:
            raise RuntimeError(f"missing: {', '.join(missing)}; install with: pip install -e '.[course]'")
        return ", ".join(f"{package} {importlib.import_module(package).__version__}" for package in wanted)
    if name in ("device", "precision"):
        import torch

        from minivae.engine import fast

        on = fast.pick_device("auto")
        return fast.pick_precision("auto", on) if name == "precision" else f"{on}, {torch.get_num_threads()} threads"
    if name == "data":
        runs = [minivae.Run.load(path) for path in sorted((DATA / "runs").glob("*.h5"))]
        if not runs:
            raise RuntimeError(f"no recorded runs in {DATA / 'runs'}: is this a whole clone of the repository?")
        return f"{len(runs)} recorded runs in {DATA / 'runs'}, all readable"
    if name == "widgets":
        import ipywidgets
        from jupyter_core.paths import jupyter_path

        places = [Path(path, "@jupyter-widgets", "jupyterlab-manager") for path in jupyter_path("labextensions")]
        if not any(place.is_dir() for place in places):
            raise RuntimeError("JupyterLab's widget extension is missing: pip install jupyterlab_widgets")
        return f"ipywidgets {ipywidgets.__version__} with JupyterLab's extension"
    with tempfile.TemporaryFile(dir=Path.cwd()) as file:  # training needs a folder for its run files
        file.write(b"\0" * 2**20)
    return f"{Path.cwd()} is writable"


def _tell(args: argparse.Namespace, value: Any, lines: list[str]) -> int:
    print(json.dumps(value, indent=2) if args.json else "\n".join(lines))
    return 0


def _table(rows: list[list[Any]]) -> list[str]:
    """Rows in columns, to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell!s:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]


if __name__ == "__main__":
    sys.exit(main())
