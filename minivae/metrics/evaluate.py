"""What a trained VAE encodes, and all of its scores. Taught in chapters 4 and 6."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from minivae import gaussian
from minivae._arguments import check_choice, check_count
from minivae.metrics.alignment import factor_classes
from minivae.metrics.scores import Array, betavae_score, dci, factorvae_score, infomec, mig, sap
from minivae.objectives import bernoulli_floor, bernoulli_nll
from minivae.vae import VAE

ACTIVE = 0.01  # nats of mean KL from which a latent counts as used


@torch.no_grad()
def mean_kl(model: VAE, images: Tensor) -> Tensor:
    """Mean KL of every latent over images (n, channels, size, size), in nats: (latents,)."""
    return gaussian.kl_per_latent(*model.encode(images)).mean(0)


def traversal(z: Tensor, latent: int, values: Tensor) -> Tensor:
    """Copies of one code z (latents,) in which the latent of that number takes each of the values (n,): (n, latents);
    ValueError if z is not one code or has no such latent. Source: section 4.3 and Figure 2."""
    if z.ndim != 1 or not 0 <= latent < len(z):
        raise ValueError(f"z must be one code (latents,) that has latent {latent}, got shape {tuple(z.shape)}")
    codes = z.repeat(len(values), 1)
    codes[:, latent] = values
    return codes


def score(
    codes: Array, classes: Array, seed: int = 0, *, names: Sequence[str] = (),
    without: Sequence[str] = (), sampled: Array | None = None, normalised: bool = True,
) -> dict[str, float]:  # fmt: skip
    """Every score of a code, wherever it is from; deterministic given the seed.

    Codes and classes are as of `information`, the points in random order; names of the factors are "0", "1", … if none
    are given. MIG's convention: `without` are factors that it leaves out, `sampled` samples (n, latents) that it takes
    in place of the means; `normalised`: over the factor's entropy, else in nats.

    Returns mig (of 20 bins), mig_own_bins, dci_disentanglement and dci_completeness (of the first quarter of the
    points, because trees are slow), factorvae, betavae, sap (of the first half), and InfoMEC's modularity, explicitness
    and compactness (of the first quarter). Raises ValueError as the scores in `metrics.scores` do. Source: chapter 9.
    """
    names = names or [str(column) for column in range(classes.shape[-1])]
    if len(names) != classes.shape[-1]:
        raise ValueError(f"names must be {classes.shape[-1]}, one a factor, got {names}")
    for name in without:
        check_choice("without", name, names)
    half, quarter = ((codes[: len(codes) // k], classes[: len(codes) // k]) for k in (2, 4))
    gaps_of = codes if sampled is None else sampled, classes[..., [name not in without for name in names]]
    return {
        "mig": mig(*gaps_of, 20, normalised),
        "mig_own_bins": mig(*gaps_of, None, normalised),
        **dict(zip(("dci_disentanglement", "dci_completeness"), dci(*quarter, seed), strict=True)),
        "factorvae": factorvae_score(codes, classes, seed),
        "betavae": betavae_score(codes, classes, seed),
        "sap": sap(*half),
        **dict(zip(("modularity", "explicitness", "compactness"), infomec(*quarter, seed), strict=True)),
    }


@torch.no_grad()
def measure(
    model: VAE, dataset: Any, points: int = 10_000, seed: int = 0, *,
    without: Sequence[str] = (), sampled: bool = False, normalised: bool = True,
) -> dict[str, float]:  # fmt: skip
    """Every metric of a VAE, from posterior means of `points` pictures; deterministic.

    The data's `factors` must be known, as of sprites, chairs or `Arrays` with factors. At least 400 points; the seed is
    of pictures, noise and scores; `without`, `sampled` and `normalised` are MIG's convention, see `score`.

    Returns those of `score`; reconstruction and excess (reconstruction minus `bernoulli_floor`), in nats per picture,
    and excess_error, its standard error; kl, the sum over latents in nats; active, the latents above `ACTIVE`.
    Raises ValueError if the model is no VAE or the factors are not known, or as `factor_classes`. Source: chapter 6.
    """
    if not isinstance(model, VAE) or not getattr(dataset, "factors", ()):
        got = f"{type(model).__name__} of {dataset!r}"
        raise ValueError(f"metrics compare a VAE with known factors, as Arrays(images, factors) has, got {got}")
    check_count("points", points, least=400)
    names, _ = factor_classes(dataset, dataset.sample(1, torch.Generator())[1])  # raises before the work, not after it
    for name in without:
        check_choice("without", name, names)
    codes, factors, nll, floor, kl, z = _encode_each(model, dataset, points, seed)
    _, classes = factor_classes(dataset, factors)
    convention = {"without": without, "sampled": z if sampled else None, "normalised": normalised}
    return {
        **score(codes, classes, seed, names=names, **convention),
        "reconstruction": nll.mean().item(),
        "excess": (nll - floor).mean().item(),
        "excess_error": (nll - floor).std().item() / points**0.5,
        "kl": kl.sum(1).mean().item(),
        "active": int((kl.mean(0) > ACTIVE).sum()),
    }


def encode_dataset(
    model: VAE, dataset: Any, points: int = 10_000, seed: int = 0
) -> tuple[Tensor, Tensor, float, float, Tensor]:
    """Encode and reconstruct `points` pictures of a data set; the seed is of the pictures and the noise.

    Returns posterior means (points, latents), factors (points, factors), the mean −log p(x|z) and its mean floor in
    nats, and the mean KL of every latent (latents,).
    """
    check_count("points", points)
    codes, factors, nll, floor, kl, _ = _encode_each(model, dataset, points, seed)
    return codes, factors, nll.mean().item(), floor.mean().item(), kl.mean(0)


@torch.no_grad()
def _encode_each(model: VAE, dataset: Any, points: int, seed: int) -> tuple[Tensor, ...]:
    """As `encode_dataset`, with −log p(x|z) and its floor (points,), KLs and z (points, latents) of each picture."""
    generator = torch.Generator().manual_seed(seed)
    blocks = []
    for first in range(0, points, 500):
        images, factors = dataset.sample(min(500, points - first), generator)
        mean, log_std = model.encode(images)
        z = gaussian.sample(mean, log_std, generator)
        nll, floor = bernoulli_nll(model.decode(z), images).double(), bernoulli_floor(images).double()
        blocks.append((mean, factors, nll, floor, gaussian.kl_per_latent(mean, log_std), z))
    return tuple(torch.cat(column) for column in zip(*blocks, strict=True))
