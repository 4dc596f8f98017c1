"""Models in ONNX's own runtime and in plain PyTorch give what the library's give."""

import numpy as np
import pytest
import torch

from minivae import Blobs, Experiment, train
from minivae.__main__ import main
from minivae.engine.runs import Run
from minivae.objectives import ELBO


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "mine.h5"
    train(Experiment("mine", Blobs(size=32), ELBO(), latents=3), steps=2, progress=False, out=path)
    return path


@pytest.mark.slow  # the exporter takes ten seconds
def test_onnx_gives_what_the_model_gives(run, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", str(run), "--onnx", str(tmp_path / "a.onnx")]) == 0
    names = ["a-decoder.onnx", "a-encoder.onnx"]
    assert capsys.readouterr().out.splitlines()[-2:] == [f"wrote {tmp_path / name}" for name in names]
    decoder, encoder = (onnxruntime.InferenceSession(tmp_path / name) for name in names)
    model, images = Run.load(run).model(), Blobs(size=32).sample(5, torch.Generator().manual_seed(0))[0]
    with torch.no_grad():
        mean, log_std = model.encode(images)
        logits = model.decode(mean)
    given = encoder.run(["mean", "log_std"], {"images": images.numpy()})
    np.testing.assert_allclose(given[0], mean, atol=1e-5)
    np.testing.assert_allclose(given[1], log_std, atol=1e-5)
    np.testing.assert_allclose(decoder.run(["logits"], {"z": mean.numpy()})[0], logits, atol=1e-4)
    assert main(["export", str(run), "--onnx", str(tmp_path / "a.onnx")]) == 1
    assert "exists" in capsys.readouterr().err


def test_weights_load_into_plain_pytorch(run, tmp_path, capsys):
    assert main(["export", str(run), "--weights", str(tmp_path / "a.pt")]) == 0
    weights = torch.load(tmp_path / "a.pt", weights_only=True)
    layers = {name.removeprefix("decoder.net."): w for name, w in weights.items() if name.startswith("decoder.")}
    plain = torch.nn.Sequential(
        torch.nn.Linear(3, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(),
        torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Unflatten(1, (32, 4, 4)),
        torch.nn.ConvTranspose2d(32, 32, 4, 2, 1), torch.nn.ReLU(), torch.nn.ConvTranspose2d(32, 32, 4, 2, 1),
        torch.nn.ReLU(), torch.nn.ConvTranspose2d(32, 1, 4, 2, 1),
    )  # fmt: skip
    plain.load_state_dict(layers)
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(plain(z), Run.load(run).model().decode(z), atol=1e-6)
    assert main(["export", str(run)]) == 1
    assert "--onnx or --weights" in capsys.readouterr().err
