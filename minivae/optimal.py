"""Exact limits that need no training. Taught in chapters 3, 4 and 5."""

import dataclasses
import io
import itertools
import json
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minivae._arguments import check_count, is_number
from minivae.bayes import BlobChannels, Channels, SpriteChannels, distortion, moment_channels, sobol
from minivae.datasets import Blobs, Sprites
from minivae.objectives import check_range
from minivae.runs import Run, check_output, write_atomically

_FORMAT = "minivae rate-distortion 1"

LEAST = 0.02  # nats below which the search takes a factor to be off


def collapse_threshold(images: Tensor) -> float:
    """β_c: above it a Bernoulli β-VAE that encodes nothing is stable, below it the first latent comes alive.

    The dead model draws every pixel with its mean brightness p̄. Its Hessian for a faint code is a contest of the KL's
    β against the gain per unit of signal, the largest eigenvalue of the data's covariance in units of the Bernoulli
    variance: β_c = λ_max of Cov(x)ᵢⱼ / √(p̄ᵢ(1−p̄ᵢ) p̄ⱼ(1−p̄ⱼ)).

    Args:
        images: a sample (n, channels, H, W) with values in [0, 1], n ≥ 2; the estimate's error falls as 1/√n.

    Raises:
        ValueError: on fewer than two images or values outside [0, 1].

    Source: derived in chapter 4.
    """
    if images.ndim < 2 or len(images) < 2:
        raise ValueError(f"images must be a sample (n ≥ 2, channels, H, W), got shape {tuple(images.shape)}")
    check_range(images)
    x = images.flatten(1).double()
    p = x.mean(0)
    x = (x - p) / (p * (1 - p)).clamp_min(1e-12).sqrt()  # a pixel that never changes has x − p = 0: no contribution
    # the n × n Gram matrix has the same largest eigenvalue as the pixel covariance; use whichever is smaller
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    return torch.linalg.eigvalsh(gram / (len(x) - 1))[-1].item()


def confusions(means: Tensor, stds: Tensor) -> Tensor:
    """What an optimal decoder mixes up when n equally likely pictures share one latent.

    Picture i has the posterior N(meansᵢ, stdsᵢ²). Seeing z, the optimal decoder believes p(i|z) ∝ N(z; meansᵢ, stdsᵢ²)
    and draws the mean of the pictures under this belief. Its expected squared error is ½ Σᵢⱼ Mᵢⱼ Dᵢⱼ, where Dᵢⱼ is the
    squared distance of pictures i and j and M this function's value.

    Args:
        means: (n,).
        stds: (n,), > 0.

    Returns:
        M (n, n), Mᵢⱼ = ∫ q(z) p(i|z) p(j|z) dz, by quadrature; symmetric, adds up to 1; differentiable.

    Raises:
        ValueError: if the shapes are not (n,) or a value is not finite, or a width not positive.

    Source: chapter 3.
    """
    if means.ndim != 1 or means.shape != stds.shape:
        raise ValueError(f"means and stds must have one shape (n,), got {tuple(means.shape)} and {tuple(stds.shape)}")
    if not torch.isfinite(means).all():
        raise ValueError("means must be finite, got NaN or infinity")
    if not ((stds > 0) & torch.isfinite(stds)).all():
        raise ValueError(f"stds must be finite and > 0, got values from {stds.min():g} to {stds.max():g}")
    noise = torch.linspace(-8, 8, 161, dtype=means.dtype, device=means.device)
    weight = torch.softmax(-0.5 * noise.square(), 0)
    z = means[:, None] + stds[:, None] * noise  # n, 161: the outputs of each picture
    log_q = -0.5 * ((z[:, :, None] - means) / stds).square() - stds.log()  # n, 161, n
    belief = torch.softmax(log_q, dim=2)
    return torch.einsum("k,nki,nkj->ij", weight, belief, belief) / len(means)


@dataclass(frozen=True)
class RateDistortion:
    """The least distortion at each capacity, and the split of the capacity that reaches it.

    Attributes:
        factors: their names.
        capacities: nats in all, (n,), rising.
        rates: nats of each factor, (n, factors).
        distortions: mean −log p(x|z) in nats, (n,).
        errors: standard errors of the distortions, (n,).
        prices: effective β, −d distortion/d capacity, (n,); NaN where nothing is sent.
        made: how it was made.
    """

    factors: tuple[str, ...]
    capacities: Tensor
    rates: Tensor
    distortions: Tensor
    errors: Tensor
    prices: Tensor
    made: dict[str, Any] = dataclasses.field(default_factory=dict)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write a JSON file, atomically.

        Raises:
            FileExistsError: if the file exists and overwrite is False.
            OSError: if it cannot be written; nothing is left behind.
        """
        check_output(Path(path), overwrite)
        text = json.dumps({"format": _FORMAT, **self.to_dict()}, indent=1, allow_nan=False) + "\n"
        write_atomically(Path(path), io.BytesIO(text.encode()), overwrite)
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """The attributes as plain JSON values; a price that is NaN is None."""
        columns = {name: value.tolist() if isinstance(value, Tensor) else value for name, value in vars(self).items()}
        columns["prices"] = [None if math.isnan(price) else price for price in columns["prices"]]
        return columns

    @classmethod
    def load(cls, path: str | Path) -> "RateDistortion":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is something else or damaged.
        """
        path = Path(path)
        if not path.is_file():
            again = shlex.join(["python", "-m", "minivae", "limit", "NAME", "--out", str(path)])
            raise FileNotFoundError(f"no file {path}: make it with `{again}`")
        try:
            columns = json.loads(path.read_text(encoding="utf-8"))
            if columns.pop("format") != _FORMAT:
                raise ValueError("another format")
            names = ("capacities", "rates", "distortions", "errors", "prices")
            columns["prices"] = [math.nan if price is None else price for price in columns["prices"]]
            tensors = {name: torch.tensor(columns.pop(name), dtype=torch.float64) for name in names}
            limit = cls(factors=tuple(columns.pop("factors")), **tensors, **columns)
            n = len(limit.capacities)
            if any(getattr(limit, name).shape != (n, len(limit.factors))[: 1 + (name == "rates")] for name in names):
                raise ValueError("columns of different lengths")
            if not all(isinstance(factor, str) for factor in limit.factors) or not isinstance(limit.made, dict):
                raise ValueError("factors must be texts and made a description")
            if not all(torch.isfinite(tensors[name]).all() for name in names[:-1]):
                raise ValueError("values that are not finite")
            return limit
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            raise ValueError(f"{path} is no rate-distortion curve of minivae, or damaged ({error})") from error

    def at(self, rate: float | Tensor) -> tuple[Tensor, Tensor]:
        """Rates (…, factors) and distortion (…) at a total rate in nats, interpolated between the capacities.

        Raises:
            ValueError: if the rate lies outside of the capacities, or they are fewer than two or do not rise.
        """
        if len(self.capacities) < 2 or not (self.capacities.diff() > 0).all():
            raise ValueError("interpolation needs at least two capacities that rise")
        rate = torch.as_tensor(rate, dtype=torch.float64)
        low, high = self.capacities[0].item(), self.capacities[-1].item()
        if not ((rate >= low - 1e-9) & (rate <= high + 1e-9)).all():
            raise ValueError(f"the curve holds for rates from {low:g} to {high:g} nats, got {rate.tolist()}")
        right = torch.searchsorted(self.capacities, rate.contiguous()).clamp(1, len(self.capacities) - 1)
        a, b = self.capacities[right - 1], self.capacities[right]
        share = (rate - a) / (b - a)
        rates = self.rates[right - 1].lerp(self.rates[right], share[..., None])
        return rates, self.distortions[right - 1].lerp(self.distortions[right], share)

    def onset(self, factor: str, least: float = 0.1) -> float:
        """Capacity from which on a factor has at least so many nats, interpolated; infinite if it never has.

        Raises:
            ValueError: if there is no such factor.
        """
        if factor not in self.factors:
            raise ValueError(f"no factor {factor!r}: there are {', '.join(self.factors)}")
        rates = self.rates[:, self.factors.index(factor)]
        below = (rates < least).nonzero()
        last = int(below[-1]) if len(below) else -1
        if last == len(rates) - 1:
            return math.inf
        if last == -1:
            return self.capacities[0].item()
        share = (least - rates[last]) / (rates[last + 1] - rates[last])
        return (self.capacities[last] + share * (self.capacities[last + 1] - self.capacities[last])).item()


def trained_curve(run: Run, window: int = 500) -> RateDistortion:
    """What a run with a schedule of C paid and got on its way, averaged over windows of so many steps.

    `capacities` are the targets C, `rates` the KLs; `prices` are (loss − reconstruction)/KL, the β of a
    `LagrangianELBO` (of a `CapacityELBO` they mean nothing). Factors are called by name in a generator's run.

    Raises:
        ValueError: if the objective has no schedule, or the window is shorter than a row or longer than the history.

    Source: Figure 3, top; chapter 5.
    """
    check_count("window", window)
    schedule = getattr(run.experiment.objective, "schedule", None)
    if schedule is None:
        raise ValueError(f"run {run.experiment.name} has no schedule of C: its objective is {run.experiment.objective}")
    steps = torch.from_numpy(run.history["step"])
    if not steps[0] <= window <= steps[-1]:
        raise ValueError(f"window must lie in [{steps[0]}, {steps[-1]}] steps, got {window}")
    rows = int((steps <= window).sum())
    n = len(steps) // rows

    def mean(name: str) -> Tensor:
        return windows(torch.from_numpy(run.history[name])).mean(1)

    def windows(values: Tensor) -> Tensor:
        return values[: n * rows].double().unflatten(0, (n, rows))

    rates, distortions = mean("kl"), mean("reconstruction")
    spread = windows(torch.from_numpy(run.history["reconstruction"])).std(1) if rows > 1 else torch.zeros(n)
    return RateDistortion(
        factors=run.experiment.latent_names,
        capacities=torch.tensor([schedule(step) for step in windows(steps).mean(1).tolist()], dtype=torch.float64),
        rates=rates,
        distortions=distortions,
        errors=spread / math.sqrt(rows),
        prices=(mean("loss") - distortions) / rates.sum(1),
        made=dict(run.made),
    )


def rate_distortion(
    channels: Channels, capacities: Sequence[float], *, samples: int = 1024, seed: int = 0,
    progress: Callable[[str], Any] = lambda text: None,
) -> RateDistortion:  # fmt: skip
    """Split each capacity over the factors such that the best decoder does best.

    Descent alone gets stuck where a factor has no share: below a threshold a little of it helps nobody, and shape and
    orientation help only together. So every set of factors is tried, with finite shares for those that had none, before
    the best few trials are improved by sequential quadratic programming (gradients through the decoder, the same
    pictures and noise for all trials). A second pass, downwards, starts at each capacity from the split above it. The
    search is good, and no proof: where the distortion is 0 any split is as good.

    Args:
        channels: what is sent, `SpriteChannels` or `BlobChannels`.
        capacities: total rates in nats, rising, from 0 to as many as the factors can carry; below 0.02 nothing is sent.
        samples: pictures for the search; the distortion is measured with eight times as many others.
        seed: of pictures and noise.
        progress: called with a line of text after each capacity.

    Raises:
        ValueError: if a capacity is out of range or not finite, or they do not rise.

    Source: chapter 5.
    """
    check_count("samples", samples)
    check_count("seed", seed, least=0)
    if isinstance(capacities, Tensor):
        capacities = capacities.tolist()
    capacities = [float(c) if is_number(c) else c for c in capacities]
    bad = [c for c in capacities if not is_number(c) or c < 0]
    if bad or not capacities:
        raise ValueError(f"capacities must be finite numbers ≥ 0 in nats, at least one, got {bad or 'none'}")
    if any(b <= a for a, b in itertools.pairwise(capacities)):
        raise ValueError(f"capacities must rise, got {capacities}")
    most = channels.most * len(channels.factors)
    if capacities[-1] > most:
        raise ValueError(f"these channels carry at most {most:g} nats, got a capacity of {capacities[-1]:g}")
    points, *fresh = (sobol(channels, samples, 9 * seed + i) for i in range(9))  # no two seeds share a picture

    splits = [_Split(math.inf, torch.zeros(len(channels.factors), dtype=torch.float64), math.nan)]
    for capacity in capacities:
        splits.append(_best_split(channels, capacity, splits[-1].rates, points))
        progress(f"C = {capacity:g}, up: {_said(channels, splits[-1])}")
    for i in reversed(range(1, len(capacities))):
        above = splits[i + 1].rates
        if capacities[i - 1] < LEAST or not (above > 0).any():
            continue
        start = above * capacities[i - 1] / capacities[i]
        splits[i] = min(splits[i], _descend(channels, start * (start >= LEAST), capacities[i - 1], points))
        progress(f"C = {capacities[i - 1]:g}, down: {_said(channels, splits[i])}")

    rates = torch.stack([split.rates for split in splits[1:]])
    with torch.no_grad():
        means = torch.stack([torch.stack([distortion(channels, r, p).mean() for p in fresh]) for r in rates]).double()
    return RateDistortion(
        factors=channels.factors,
        capacities=torch.tensor(capacities, dtype=torch.float64),
        rates=rates,
        distortions=means.mean(1),
        errors=means.std(1) / math.sqrt(len(fresh)),
        prices=torch.tensor([split.price for split in splits[1:]], dtype=torch.float64),
    )


@dataclass(frozen=True)
class _Split:
    """A split on the search's own pictures: its distortion, the rates (factors,), and the price of a nat there."""

    distortion: float
    rates: Tensor
    price: float

    def __lt__(self, other: "_Split") -> bool:
        return self.distortion < other.distortion


def _said(channels: Channels, split: _Split) -> str:
    shares = zip(channels.factors, split.rates.tolist(), strict=True)
    return ", ".join(f"{name} {rate:.2f}" for name, rate in shares) + f"; distortion {split.distortion:.1f}"


def _best_split(channels: Channels, capacity: float, before: Tensor, points: Tensor) -> _Split:
    """The best split found; `before` is that of a smaller capacity."""
    if capacity < LEAST:
        nothing = torch.zeros_like(before)
        return _Split(distortion(channels, nothing, points).mean().item(), nothing, math.nan)
    with torch.no_grad():
        best = [
            min(((distortion(channels, rates, points).mean().item(), i, rates) for i, rates in enumerate(trials)))
            for trials in _trials(capacity, before.clamp_max(channels.most), channels.most)
        ]
    starts = sorted(best, key=lambda trial: trial[0])[:4]
    return min(_descend(channels, rates, capacity, points) for _, _, rates in starts)


def _trials(capacity: float, before: Tensor, most: float) -> list[list[Tensor]]:
    """For every set of factors some splits to begin with: equal shares, and the split before with finite new shares."""
    n, trials = len(before), []
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            on = torch.zeros(n, dtype=torch.float64).index_fill(0, torch.tensor(chosen), 1.0)
            # what had but a trace is new too: it may be at the wrong side of a ridge
            old, new = on * (before >= 0.3), on * (before < 0.3)
            group = [on * capacity / size]
            if old.any():
                for share in (0.5, 1.0, 2.0, 3.0) if new.any() else (0.0,):
                    left = capacity - share * new.sum() - (old * before).sum()
                    group.append(share * new + old * (before + left / old.sum()))
            trials.append([s for s in group if (s[on > 0] >= LEAST).all() and (s <= most).all()])
    return [group for group in trials if group]


def _descend(channels: Channels, start: Tensor, capacity: float, points: Tensor) -> _Split:
    """Improve a split of the capacity among the factors that have a share."""
    from scipy.optimize import minimize  # a quarter of a second that only a search should take

    on = start > 0

    def cost(shares: Any) -> tuple[float, Any]:
        rates = torch.zeros_like(start)
        rates[on] = torch.as_tensor(shares)
        rates.requires_grad_()
        loss = distortion(channels, rates, points).mean()
        (gradient,) = torch.autograd.grad(loss, rates)
        return loss.item(), gradient[on].numpy()

    shares = start[on] * capacity / start[on].sum()
    result = minimize(
        cost, shares.clamp(LEAST, channels.most).numpy(), jac=True, method="SLSQP",
        bounds=[(LEAST, min(capacity, channels.most))] * len(shares),
        constraints={"type": "eq", "fun": lambda x: x.sum() - capacity, "jac": lambda x: x * 0 + 1},
        options={"ftol": 1e-3, "maxiter": 40},
    )  # fmt: skip
    rates = torch.zeros_like(start)
    rates[on] = torch.as_tensor(result.x)
    inside = result.x > 1.01 * LEAST
    if inside.any() and not inside.all():  # what wants no share gets none
        return _descend(channels, rates * (rates > 1.01 * LEAST), capacity, points)
    loss, gradient = cost(result.x)
    return _Split(loss, rates, -gradient.mean())


def symmetric_orientation() -> Tensor:
    """The angle as a share of the turn after which a shape looks the same, in [0, 1): a code for `SpriteChannels`.

    Source: chapter 5.
    """
    turns = Sprites().values["orientation"] / (2 * math.pi)
    return (turns * torch.tensor(Sprites.symmetries)[:, None, None] + 1e-9) % 1


def class_numbers() -> dict[str, Tensor]:
    """The classes of dSprites as numbers from 0 on, as its `latents_classes` has them: a code for `SpriteChannels`.

    Source: chapter 5.
    """
    shape, scale, orientation, x, y = (torch.arange(size, dtype=torch.float64) for size in Sprites.sizes[1:])
    return {"shape": shape[:, None, None], "scale": scale[:, None], "orientation": orientation, "x": x, "y": y}


# the curves of the course by name
LIMITS: dict[str, Callable[[], Channels]] = {
    "sprites-raw": lambda: SpriteChannels("raw"),
    "sprites-classes": lambda: SpriteChannels("raw", class_numbers()),
    "sprites-centred": lambda: SpriteChannels("centred"),
    "sprites-symmetric": lambda: SpriteChannels("centred", {"orientation": symmetric_orientation()}),
    "sprites-symmetric-centroid": lambda: SpriteChannels("centred", {"orientation": symmetric_orientation()}, True),
    "sprites-moments": moment_channels,
    "blobs": lambda: BlobChannels(Blobs()),
}
