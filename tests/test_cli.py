"""The command line: what it prints, what it writes, and how it fails."""

import dataclasses
import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivae import experiments, metrics, training
from minivae.__main__ import main
from minivae.datasets import Arrays
from minivae.engine import trainer
from minivae.engine.catalogue import EXPERIMENTS
from minivae.engine.curves import load_curve
from minivae.engine.fast import pick_device, pick_precision
from minivae.engine.runs import Run
from minivae.experiment import Experiment
from minivae.objectives import ELBO


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*arguments: str) -> int:
    return main(["train", "blobs-vae", "--precision", "fp32", "--device", "cpu", "--json", *arguments])


def test_list(capsys):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in EXPERIMENTS)
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["blobs-beta150"]["objective"] == {"kind": "BetaELBO", "beta": 150.0}


def test_train_then_show(folder, capsys):
    assert train("--steps", "3", "--seed", "5", "--snapshots", "2") == 0
    told = json.loads(capsys.readouterr().out)
    run = Run.load(told["out"])
    assert (run.seed, run.step, sorted(run.snapshots)) == (5, 3, [2])
    assert told["out"].endswith("blobs-vae-seed5.h5") and told["resumable"] is True
    assert main(["show", told["out"]]) == 0
    text = capsys.readouterr().out
    assert "blobs-vae, seed 5, step 3" in text and "made by: python -m minivae" in text and "nats" in text
    assert main(["show", told["out"], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["kl"] == pytest.approx(run.mean_kl().tolist())


def test_existing_output_is_refused_then_forced(folder, capsys):
    assert train("--steps", "1") == 0
    assert train("--steps", "1") == 1
    assert "exists: choose another name" in capsys.readouterr().err
    assert train("--steps", "2", "--force") == 0


def test_resume_goes_on_in_place(folder):
    assert train("--steps", "2", "--out", "a.h5") == 0
    assert train("--steps", "4", "--resume", "a.h5", "--out", "a.h5") == 0
    assert Run.load("a.h5").step == 4


def test_slim(folder):
    assert train("--steps", "20", "--slim", "--out", "a.h5") == 0
    assert Run.load("a.h5").checkpoint is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "blobs-beta15"], "did you mean 'blobs-beta150'"),
        (["train", "blobs-vae", "--device", "gpu"], "device 'gpu' cannot be used here"),
        (["train", "blobs-vae", "--precision", "fp8"], "unknown precision 'fp8'"),
        (["train", "blobs-vae", "--out", "none/a.h5"], "does not exist: create it first"),
        (["train", "blobs-vae", "--resume", "none.h5"], "no file none.h5"),
        (["train", "blobs-vae", "--steps", "0"], "steps must be a whole number of at least 1, got 0"),
        (["show", "none.h5"], "no file none.h5"),
    ],
)
def test_failures_are_one_line(folder, capsys, arguments, message):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list(folder.iterdir())  # no empty runs/ either


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train"], ["train", "blobs-vae", "--seed", "x"]])
def test_wrong_usage_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as told:
        main(arguments)
    assert told.value.code == 2


def test_check(capsys, monkeypatch):
    status = main(["check"])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("OK ", "FAIL ")) for line in lines)
    for name in ("python", "packages", "device", "precision", "data", "widgets"):
        assert any(line.split()[1] == name for line in lines)
    assert status == any(line.startswith("FAIL") for line in lines)
    assert all(line.startswith("OK ") for line in lines if line.split()[1] in ("python", "device", "precision", "data"))


def test_check_reports_what_fails(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("minivae.__main__.DATA", tmp_path)
    assert main(["check", "--json"]) == 1
    (data,) = [result for result in json.loads(capsys.readouterr().out) if result["check"] == "data"]
    assert data["ok"] is False and "no recorded runs" in data["detail"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_leaves_a_loadable_run(folder):
    command = [sys.executable, "-m", "minivae", "train", "blobs-vae", "--device", "cpu", "--out", "a.h5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
    seen = ""
    while "blobs-vae" not in seen:  # the progress bar has appeared: training has begun
        seen += process.stderr.read(1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "go on with --resume a.h5" in error
    run = Run.load(folder / "a.h5")
    assert 0 < run.step < 10_000 and run.checkpoint is not None


def test_module_runs_as_a_program():
    result = subprocess.run(
        [sys.executable, "-m", "minivae", "list", "--json"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0 and json.loads(result.stdout).keys() == EXPERIMENTS.keys()


@pytest.mark.parametrize("coding", ["cp1252", "cp437", "ascii", "cp1253"])  # of which the last has a β
def test_output_goes_to_a_file_of_any_code_page(folder, monkeypatch, coding):
    def say(*words: str) -> tuple[int | None, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), coding, errors="strict") for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            try:
                status = main(list(words))
            except SystemExit as told:
                status = told.code
            for stream in streams:
                stream.flush()
        return status, "".join(stream.buffer.getvalue().decode(coding) for stream in streams)

    beta = "β" if coding == "cp1253" else "\\u03b2"
    for words in (["--help"], ["list"]):
        status, said = say(*words)
        assert status == 0 and beta in said
    for words in (["train"], ["sweep"], ["show"], ["measure"], ["limit"], ["data"], ["data", "import"], ["bench"]):
        assert say(*words, "--help")[0] == 0
    for words in (["train", "β-VAE"], ["show", "β.h5"], ["limit", "β"], ["sweep", "blobs-vae", "--set", "β=1"]):
        status, said = say(*words)
        assert status == 1 and said.startswith("error: ") and beta in said
    (folder / "in").mkdir()
    (folder / "in" / "β.png").write_bytes(b"x")
    Image.new("L", (64, 64)).save(folder / "in" / "a.png")
    status, said = say("data", "import", "folder", "in", "--out", "β.h5")
    assert status == 0 and f"wrote {beta}.h5: 1 pictures" in said and f"in/{beta}.png: Unidentified" in said


def test_program_writes_to_a_file_under_a_windows_code_page():
    result = subprocess.run([sys.executable, "-m", "minivae", "list"], capture_output=True, timeout=60,
                            env=os.environ | {"PYTHONIOENCODING": "cp1252"})  # fmt: skip
    assert result.returncode == 0 and b"\\u03b2 = 150" in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="names are bytes elsewhere")
def test_names_that_are_no_text_can_be_told(folder):
    result = subprocess.run(
        [sys.executable, "-m", "minivae", "show", b"caf\xe9.h5"], capture_output=True, timeout=60, cwd=folder
    )
    assert result.returncode == 1 and result.stderr.startswith(b"error: no file caf\\udce9.h5")


def test_unknown_experiment_of_a_program_shows_no_traceback():
    result = subprocess.run(
        [sys.executable, "-m", "minivae", "train", "blob-vae"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("error: unknown experiment 'blob-vae': did you mean 'blobs-vae'?")
    assert "Traceback" not in result.stderr


def step_that(monkeypatch, at, deed):
    """Let something happen in one step of the training, whatever the experiment."""
    real = training.training_step

    def step(*arguments, **settings):
        row = real(*arguments, **settings)
        return deed(row) if arguments[5] == at else row

    monkeypatch.setattr(training, "training_step", step)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_interrupted_training_resumes_to_the_unbroken_one(folder, capsys, monkeypatch):
    def press(row):
        os.kill(os.getpid(), signal.SIGINT)
        return row

    with monkeypatch.context() as patch:
        step_that(patch, 3, press)
        assert train("--steps", "6", "--slim", "--out", "a.h5") == 130
    told = capsys.readouterr()
    assert json.loads(told.out)["step"] == 3 and "interrupted at step 3; go on with --resume a.h5" in told.err
    # an interrupted run is never slimmed: it could not be resumed
    assert train("--steps", "6", "--resume", "a.h5", "--out", "a.h5") == 0
    assert train("--steps", "6", "--out", "b.h5") == 0
    a, b = Run.load("a.h5"), Run.load("b.h5")
    assert a.history["loss"].tolist() == b.history["loss"].tolist()


def test_divergence_is_one_line(folder, capsys, monkeypatch):
    step_that(monkeypatch, 2, lambda row: row * float("nan"))
    assert train("--steps", "4", "--out", "a.h5") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the loss became NaN or infinite at step 2") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "1"], "the run to resume has seed 0, not 1"),
        (["--steps", "2"], "more than the 2 already done"),
    ],
)
def test_resume_that_does_not_fit_leaves_the_file_alone(folder, capsys, arguments, message):
    assert train("--steps", "2", "--out", "a.h5") == 0
    before = (folder / "a.h5").read_bytes()
    capsys.readouterr()
    assert train("--steps", "4", *arguments, "--resume", "a.h5", "--out", "a.h5") == 1
    assert message in capsys.readouterr().err
    assert (folder / "a.h5").read_bytes() == before


def test_damaged_file_is_one_line(folder, capsys):
    (folder / "a.h5").write_text("no run")
    assert main(["show", "a.h5"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: a.h5 is no readable run") and error.count("\n") == 1


def test_a_file_in_the_place_of_the_folder_is_one_line(folder, capsys):
    (folder / "runs").write_text("my runs: 5 km, 10 km")
    assert train("--steps", "1") == 1
    assert "runs is a file" in capsys.readouterr().err and (folder / "runs").read_text().startswith("my runs")


def test_the_command_that_is_stored_is_the_one_given(folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest", "-q"])
    assert train("--steps", "1", "--out", "a.h5") == 0
    assert Run.load("a.h5").provenance["command"].startswith("python -m minivae train blobs-")


def test_limit_prints_and_writes_a_curve(folder, capsys):
    words = ["limit", "blobs", "--capacities", "0.5", "1", "--samples", "64"]
    assert main([*words, "--out", "a.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["C", "distortion", "price", "x", "y"] and lines[-1] == "wrote a.json"
    limit = load_curve("a.json")
    assert limit.capacities.tolist() == [0.5, 1.0]
    assert limit.provenance["command"].endswith("limit blobs --capacities 0.5 1 --samples 64 --out a.json")
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["distortions"] == limit.distortions.tolist()


def test_limit_of_another_seed_differs_a_little(folder, capsys):
    found = []
    for seed in ("0", "0", "1"):
        assert main(["limit", "blobs", "--capacities", "1", "--samples", "64", "--seed", seed, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["distortions"][0])
    assert found[0] == found[1] != found[2] == pytest.approx(found[0], rel=0.1)


def test_show_tells_the_end_of_the_training(folder, capsys):
    run = trainer.train(experiments.get("blobs-vae"), steps=2, device="cpu", precision="fp32", progress=False)
    step = np.arange(1, 1001)
    kl = np.repeat((step / 1000.0)[:, None], 10, 1) * np.arange(1, 11)
    history = {"step": step, "loss": step * 0.0, "reconstruction": 2000.0 - step, "kl": kl}
    dataclasses.replace(run, step=1000, history=history, checkpoint=None).save("a.h5")
    assert main(["show", "a.h5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reconstruction"] == pytest.approx(2000 - np.arange(501, 1001).mean())
    assert told["kl"] == pytest.approx((kl[500:].mean(0)).tolist())
    assert main(["show", "a.h5"]) == 0
    shown = capsys.readouterr().out
    assert "reconstruction 1249.5 nats" in shown and "high to low: 7.50  6.75  6.00" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chairs"], "unknown limit 'chairs': known are sprites-raw"),
        (["blobs", "--capacities", "-1"], "a capacity must be a finite number ≥ 0, got -1.0"),
        (["blobs", "--samples", "0"], "samples must be a whole number of at least 1"),
        (["blobs", "--out", "there.json"], "there.json exists"),
        (["blobs", "--out", "no/a.json"], "the folder no does not exist"),
    ],
)
def test_bad_limits_are_refused_before_the_search(folder, capsys, words, message):
    (folder / "there.json").write_text("kept")
    assert main(["limit", *words]) == 1
    assert message in capsys.readouterr().err
    assert (folder / "there.json").read_text() == "kept"


@pytest.mark.slow
def test_measure_scores_a_vae_of_sprites_and_refuses_others(folder, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "measure", functools.partial(metrics.measure, points=400))
    for name in ("sprites-vae", "generator", "blobs-vae"):
        assert main(["train", name, "--steps", "1", "--out", f"{name}.h5", "--json"]) == 0
    capsys.readouterr()
    assert main(["measure", "sprites-vae.h5", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {"mig", "factorvae", "excess", "active"} < set(scores) and 0 <= scores["mig"] < 0.2
    assert main(["measure", "generator.h5"]) == 1
    assert "generator" in capsys.readouterr().err
    assert main(["measure", "blobs-vae.h5"]) == 1
    assert "is not of whole numbers" in capsys.readouterr().err


def test_every_probe_finds_what_it_looks_for(capsys):
    assert main(["check", "--json"]) == 0
    found = {row["check"]: row["detail"] for row in json.loads(capsys.readouterr().out)}
    assert found["precision"] == pick_precision("auto", pick_device("auto"))
    assert found["device"].startswith(str(pick_device("auto")))


def test_help_waits_for_no_pytorch():
    code = """
import sys
from minivae.__main__ import main
try:
    main(["--help"])
except SystemExit:
    print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False"), done.stdout + done.stderr


def test_measure_takes_own_pictures_with_known_factors(folder, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "measure", functools.partial(metrics.measure, points=400))
    cells = np.array([(i, j) for i in range(4) for j in range(4)])
    images = np.zeros((16, 32, 32), np.uint8)
    for image, (i, j) in zip(images, cells, strict=True):
        image[8 * i : 8 * i + 8, 8 * j : 8 * j + 8] = 255
    for name, data in {"known": Arrays(images, cells, ("row", "column")), "plain": Arrays(images)}.items():
        run = trainer.train(Experiment(name, data, ELBO()), steps=1, device="cpu", progress=False)
        run.save(f"{name}.h5")
    np.savez("mine.npz", images=images, factors=cells, names=["row", "column"])
    np.savez("bare.npz", images=images)
    np.savez("other.npz", images=255 - images, factors=cells)
    np.savez("empty.npz", factors=cells)
    np.savez("pickled.npz", images=images, factors=np.array([{}], object))
    (folder / "text.npz").write_text("no pictures")
    told = []
    for name in ("known", "plain"):  # a VAE does not use the factors
        assert main(["measure", f"{name}.h5", "--data", "mine.npz", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1] and {"mig", "factorvae", "excess"} < set(told[0])
    assert told[0]["mig_convention"] == "20 bins, means, all factors, over entropy"
    assert main(["measure", "known.h5", "--data", "mine.npz", "--mig-samples", "--mig-without", "row"]) == 0
    assert "  mig_convention       20 bins, samples, all factors, not row, over entropy\n" in capsys.readouterr().out
    for arguments, message in (
        (["known.h5"], "was trained on pictures of your own: give them, --data FILE.npz"),
        (["plain.h5", "--data", "bare.npz"], "with known factors"),
        (["known.h5", "--data", "other.npz"], "was trained on other pictures"),
        (["known.h5", "--data", "empty.npz"], "empty.npz is no npz file of images, factors and names"),
        (["known.h5", "--data", "pickled.npz"], "pickled.npz is no npz file of images, factors and names"),
        (["known.h5", "--data", "text.npz"], "text.npz is no npz file of images, factors and names"),
        (["known.h5", "--data", "none.npz"], "no file none.npz: make it with numpy.savez"),
    ):
        assert main(["measure", *arguments]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_measure_takes_codes_without_any_model(folder, capsys):
    generator = np.random.default_rng(0)
    factors = generator.integers(0, 3, (400, 2))
    codes = factors + 0.1 * generator.normal(size=(400, 2))
    np.savetxt("codes.csv", codes, delimiter=",", header="z0,z1", comments="")
    np.savetxt("factors.csv", factors, delimiter=",", fmt="%d")
    np.save("codes.npy", codes)
    np.savez("both.npz", codes=codes, factors=factors)
    np.savetxt("halves.csv", factors + 0.5, delimiter=",")
    (folder / "words.csv").write_text("a,b\nc,d\n")
    told = []
    for path, known in (("codes.csv", "factors.csv"), ("codes.npy", "factors.csv"), ("both.npz", "both.npz")):
        assert main(["measure", path, "--factors", known, "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[1] == told[2] and told[0] == pytest.approx(told[1], abs=0.02)
    assert told[0]["mig"] > 0.9 and told[0]["modularity"] > 0.8 and told[0]["factorvae"] == 1
    assert main(["measure", "both.npz", "--factors", "both.npz", "--mig-without", "0", "--mig-nats", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["mig_convention"] == "20 bins, codes as given, all factors, not 0, in nats"
    assert second["mig"] == pytest.approx(metrics.mig(codes, factors[:, 1:]) * np.log(3), abs=0.01)  # three classes
    for wrong, message in ((["--mig-without", "shape"], "one of 0, 1, got 'shape'"), (["--mig-samples"], "posteriors")):
        assert main(["measure", "both.npz", "--factors", "both.npz", *wrong]) == 1
        assert message in capsys.readouterr().err
    for path, known, message in (
        ("codes.csv", "halves.csv", "factors must be whole numbers"),
        ("words.csv", "factors.csv", "words.csv is no table of numbers"),
        ("none.csv", "factors.csv", "no file none.csv"),
        ("codes.csv", "both.npz", None),
    ):
        assert main(["measure", path, "--factors", known]) == (1 if message else 0)
        error = capsys.readouterr().err
        assert (message or "") in error and error.count("\n") == (1 if message else 0)


def test_another_file_is_not_replaced_by_going_on(folder, capsys):
    assert train("--steps", "2", "--out", "a.h5") == 0 == train("--steps", "1", "--seed", "4", "--out", "b.h5")
    before = (folder / "b.h5").read_bytes()
    assert train("--steps", "3", "--resume", "a.h5", "--out", "b.h5") == 1
    assert "b.h5 exists" in capsys.readouterr().err and (folder / "b.h5").read_bytes() == before
    assert train("--steps", "3", "--resume", "a.h5", "--out", "b.h5", "--force") == 0
    assert (Run.load("a.h5").step, Run.load("b.h5").step) == (2, 3)


@pytest.mark.parametrize(("name", "last"), [("blobs", 12.0), ("sprites-centred", 25.0)])
def test_a_limit_has_a_capacity_every_half_nat_up_to_what_can_be_carried(folder, capsys, monkeypatch, name, last):
    asked = []

    def spy(channels, capacities, *, samples, seed, progress):
        asked.append((list(capacities), samples, seed))
        raise ValueError("that is all")

    monkeypatch.setattr("minivae.rate_distortion.rate_distortion", spy)
    assert main(["limit", name]) == 1
    assert asked == [([0.5 * i for i in range(1, 1 + round(2 * last))], 1024, 0)]


def test_one_probe_that_fails_is_a_failure(capsys, monkeypatch):
    for broken in ("python", "data", "writing", ""):

        def probe(name: str, broken: str = broken) -> str:
            if name == broken:
                raise OSError("no such thing")
            return "as it should be"

        monkeypatch.setattr("minivae.__main__._probe", probe)
        assert main(["check"]) == int(bool(broken))
        said = {line.split()[1]: line.split()[0] for line in capsys.readouterr().out.splitlines()}
        assert len(said) == 7 and all(word == ("FAIL" if name == broken else "OK") for name, word in said.items())


def test_list_tells_the_steps_of_each(capsys):
    assert main(["list"]) == 0
    for line, experiment in zip(capsys.readouterr().out.splitlines(), EXPERIMENTS.values(), strict=True):
        assert line.split() == [experiment.name, f"{experiment.steps:,}", "steps", *experiment.about.split()]


def test_show_tells_how_it_was_made(folder, capsys):
    run = trainer.train(experiments.get("blobs-vae"), steps=2, device="cpu", precision="fp32", progress=False)
    made = {
        "command": "a b",
        "device": "tpu",
        "precision": "bf16",
        "threads": 3,
        "seconds": 754.4,
        "versions": {"x": "1", "y": "2"},
    }
    dataclasses.replace(run, provenance=made).save("whole.h5")
    dataclasses.replace(run, provenance={}, checkpoint=None, snapshots={1: run.weights}).save("bare.h5")
    assert main(["show", "whole.h5"]) == 0
    *_, snapshots, command, where, versions = capsys.readouterr().out.splitlines()
    assert snapshots == "  snapshots: none; resumable: yes" and command == "  made by: a b"
    assert where == "  on tpu, bf16, 3 threads, in 754 s" and versions == "  with x 1, y 2"
    assert main(["show", "bare.h5"]) == 0
    *_, snapshots, command = capsys.readouterr().out.splitlines()
    assert snapshots == "  snapshots: [1]; resumable: no" and command == "  made by: not recorded"


def test_data_are_for_experiments_on_files(folder, capsys):
    (folder / "pictures.h5").write_bytes(b"")
    assert train("--steps", "1", "--data", "pictures.h5") == 1
    assert "blobs-vae draws its own pictures: --data is for celeba and chairs-published" in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_an_interrupted_training_exits_with_130_and_says_how_to_go_on(folder, capsys, monkeypatch):
    run = trainer.train(experiments.get("blobs-vae"), steps=2, device="cpu", precision="fp32", progress=False)

    def interrupted(*_, **settings):
        raise trainer.TrainingInterrupted("interrupted", run)

    monkeypatch.setattr(trainer, "train_seeds", interrupted)
    assert train("--steps", "9", "--out", "a.h5") == 130
    assert "interrupted at step 2; go on with --resume a.h5" in capsys.readouterr().err
    assert train("--steps", "2", "--out", "a.h5") == 0  # in the last step: nothing is left to do


def test_any_interrupted_command_exits_with_130(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("minivae.rate_distortion.rate_distortion", interrupted)
    assert main(["limit", "blobs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_several_seeds_at_once_are_each_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train", "blobs-vae", "--seeds", "0:2", "--steps", "2", "--device", "cpu", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(Path(row["out"]).name, row["seed"]) for row in told] == [(f"blobs-vae-seed{i}.h5", i) for i in (0, 1)]
    assert main(["train", "blobs-vae", "--seed", "1", "--steps", "2", "--device", "cpu", "--out", "one.h5"]) == 0
    assert np.array_equal(*(Run.load(path).history["loss"] for path in ("runs/blobs-vae-seed1.h5", "one.h5")))
    assert main([*words, "--out", "x.h5"]) == 1 and "--seeds begins trainings" in capsys.readouterr().err
    assert main(words) == 1 and "exists: choose another name" in capsys.readouterr().err
