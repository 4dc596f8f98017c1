"""Trained models for other programs: ONNX, and plain weights."""

import io
import warnings
from pathlib import Path

import torch

from minivae.engine.files import check_output, write_atomically
from minivae.engine.runs import Run


def export_onnx(run: Run, path: str | Path, overwrite: bool = False) -> list[Path]:
    """Write encoder and decoder of a VAE as NAME-encoder.onnx and NAME-decoder.onnx, for a path NAME.onnx.

    The encoder takes "images" (n, channels, size, size) in [0, 1] and gives "mean" and "log_std" (n, latents), the
    decoder takes "z" (n, latents) and gives "logits" (n, channels, size, size); n is free, all is float32. A generator
    has a decoder only. Raises RuntimeError if onnx and onnxscript are not installed, and as `files.write_atomically`.
    """
    try:
        import onnxscript  # noqa: F401  what PyTorch's exporter needs
    except ImportError:
        raise RuntimeError("ONNX needs two packages more: pip install 'minivae[onnx]'") from None
    path, model = Path(path), run.model()
    parts = {"decoder": (model.decoder, torch.zeros(2, model.decoder.latents), "z", ["logits"])}
    if run.experiment.model == "vae":
        size = model.encoder.size
        images = torch.zeros(2, run.experiment.dataset.channels, size, size)
        parts["encoder"] = (model.encoder, images, "images", ["mean", "log_std"])
    paths = {name: path.with_name(f"{path.stem}-{name}.onnx") for name in parts}
    for out in paths.values():
        check_output(out, overwrite)
    for name, (part, example, takes, gives) in parts.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own parts
            program = torch.onnx.export(
                part, (example,), dynamo=True, input_names=[takes], output_names=gives, verbose=False,
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )  # fmt: skip
        write_atomically(paths[name], program.model_proto.SerializeToString(), overwrite)
    return list(paths.values())


def export_weights(run: Run, path: str | Path, overwrite: bool = False) -> Path:
    """Write the model's parameters, name → float32 tensor, for `torch.load(path)`. Raises as `write_atomically`."""
    content = io.BytesIO()
    torch.save({name: value.float() for name, value in run.model().state_dict().items()}, content)
    return write_atomically(Path(path), content.getbuffer(), overwrite)
