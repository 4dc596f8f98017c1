"""The explorer of chapters 5 and 8: how the capacity is divided among the factors, and what is drawn from it."""

import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_count
from minivae.course.explorers.base import slider
from minivae.course.explorers.models import ModelExplorer
from minivae.course.explorers.pixels import side_by_side, strip
from minivae.engine.curves import trained_curve
from minivae.engine.runs import Run
from minivae.ideal_decoder import SpriteChannels, amplitudes
from minivae.rate_distortion import RateDistortion


class CapacityExplorer(ModelExplorer):
    """Slide the capacity: the nats of each factor, what the best decoder draws from them, and what a trained one draws.

    Both decoders get the factors of the same picture with the same noise, each at its own split. What each factor gets
    in the training is read off the run's history; the picture is drawn by the snapshot of the nearest capacity.

    Args:
        run: a generator's run with a schedule of C and snapshots.
        limit: the best splits, see `rate_distortion`.
        channels: what the limit was computed for; of the run's factors, raw or centred as the run has them.
        pictures: number of pictures to choose from.
    """

    def __init__(self, run: Run, limit: RateDistortion, channels: SpriteChannels, pictures: int = 8) -> None:
        check_count("pictures", pictures)
        schedule = getattr(run.experiment.objective, "schedule", None)
        if run.experiment.model == "vae" or schedule is None:
            raise ValueError(f"the run must be that of a generator with a schedule of C, got {run.experiment.name!r}")
        names = run.experiment.latent_names, tuple(limit.factors), channels.factors
        if len(set(names)) != 1:
            factors = "; ".join(", ".join(of) for of in names)
            raise ValueError(f"run, limit and channels must have the same factors, got {factors}")
        raw = run.experiment.model == "generator", bool(channels.offset.any())
        if raw[0] != raw[1]:
            given = "raw run, centred channels" if raw[0] else "centred run, raw channels"
            raise ValueError(f"run and channels must both send the factors raw or both centred, got {given}")
        generator, dataset = torch.Generator().manual_seed(3), run.experiment.dataset
        classes = dataset.sample_classes(pictures, generator)
        noise = torch.randn(pictures, len(channels.factors), generator=generator)
        low, high = limit.capacities[0].item(), limit.capacities[-1].item()
        capacities = torch.arange(round((high - low) / 0.1) + 1, dtype=torch.float64) * 0.1 + low
        curve = trained_curve(run, window=max(int(run.history["step"][0]), run.step // 200))
        first, last = curve.capacities[[0, -1]].tolist()
        models, parts = [], {}
        for step in [*sorted(run.snapshots), run.step]:
            snapshot = step if step in run.snapshots else None
            model = run.model(snapshot)
            with torch.no_grad():
                mean, log_std = model.encode(classes)
            stds = log_std[0].exp().tolist()
            models.append({"key": str(step), "C": schedule(step), "means": mean.tolist(), "stds": stds})
            parts[str(step)] = (run, snapshot, model, "decoder")
        self.classes, self.limit, self.channels, self.noise = classes, limit, channels, noise
        _, self.sent = channels.draw(channels.points(classes))
        super().__init__(
            "capacity", dataset.render(classes), parts,
            {"signals": np.concatenate([of.numpy().ravel() for of in channels.signals]).astype("<f4").tobytes()},
            title=f"{run.experiment.name}, seed {run.seed}, beside the best there is",
            about="Left: a sprite. Middle: what the best decoder draws from C nats about its factors. Right: what the "
            "trained one draws.",
            controls=[
                slider("C", "C (nats)", min(high, max(low, 7.3)), low, high, 0.1),
                slider("image", "picture", 0, 0, pictures - 1, 1),
            ],
            factors=channels.factors, capacities=_short(capacities), models=models, noise=noise.tolist(),
            rates=_short(limit.at(capacities.clamp(low, high))[0]),
            trained=_short(curve.at(capacities.clamp(first, last))[0]),
            offset=channels.offset.tolist(), sent=self.sent.tolist(), templates=strip(channels.templates[:, None]),
            side=channels.shift.shape[2], places=channels.shift[:, :, 0].argmax(1).tolist(),
        )  # fmt: skip

    @torch.no_grad()
    def best(self, capacity: float) -> Tensor:
        """What the best decoder draws of every picture at a capacity in nats, (pictures, 1, 64, 64) in [0, 1]."""
        rates, _ = self.limit.at(capacity)
        amplitude = amplitudes(rates.float(), self.channels.offset)
        return self.channels.decode(amplitude * self.sent + self.noise, amplitude)[:, None]

    def still(self) -> np.ndarray:
        C, image = self.state["C"], self.state["image"]
        model = min(self.spec["models"], key=lambda of: abs(of["C"] - C))
        z = torch.tensor(model["means"][image]) + torch.tensor(model["stds"]) * self.noise[image]
        with torch.no_grad():
            trained = torch.sigmoid(self.parts[model["key"]][2].decode(z[None]))[0]
        return side_by_side(self.images[image], self.best(C)[image], trained)


def _short(values: Tensor) -> list:
    """Numbers for JSON, to a hundred-thousandth."""
    return np.round(values.numpy(), 5).tolist()
