"""A latent as a channel with additive white Gaussian noise (AWGN), and the best use of several. Taught in chapter 2."""

from dataclasses import dataclass

import torch
from torch import Tensor

from minivae._arguments import check_all, check_positive


def awgn_capacity(snr: Tensor | float) -> Tensor:
    """Capacity ½·log(1 + SNR) of an AWGN channel, in nats per use, at an SNR ≥ 0 of any shape, else ValueError. Source:
    Shannon 1948; section 4.2 of the paper."""
    snr = torch.as_tensor(snr)
    check_all("snr", snr, snr >= 0, "≥ 0")
    return 0.5 * torch.log1p(snr)


def mutual_information(means: Tensor, std: Tensor | float, probabilities: Tensor | None = None) -> Tensor:
    """I(x; z) in nats of the channel z = means[x] + std·ε with a discrete or sampled input x.

    Means (n,) are the channel's input for each message, or samples of a continuous one; std > 0 is its noise, one for
    all messages or (n,); probabilities (n,) of the messages add up to 1, uniform if None; ValueError if out of range.
    A scalar, at most log n, by quadrature to about 1e-10, differentiable in means and std; time and memory grow as n².
    Source: chapter 2.
    """
    if means.ndim != 1 or len(means) < 1:
        raise ValueError(f"means must have shape (n,) with n ≥ 1, got {tuple(means.shape)}")
    std = torch.as_tensor(std, dtype=means.dtype, device=means.device).expand_as(means)
    probabilities = torch.full_like(means, 1 / len(means)) if probabilities is None else probabilities.expand_as(means)
    check_all("means", means, torch.isfinite(means))
    check_all("std", std, (std > 0) & torch.isfinite(std), "a finite number > 0")
    if not ((probabilities >= 0).all() and abs(probabilities.sum().item() - 1) < 1e-5):
        raise ValueError(f"probabilities must be ≥ 0 and add up to 1, they add up to {probabilities.sum():g}")

    # the trapezoid rule converges exponentially for a smooth function that falls off on both sides
    noise = torch.linspace(-9, 9, 181, dtype=means.dtype, device=means.device)
    weight = torch.softmax(-0.5 * noise.square(), 0)
    z = means[:, None] + std[:, None] * noise  # n, 181: the outputs that message n can cause
    logs = -0.5 * ((z[:, :, None] - means) / std).square() - std.log() + probabilities.log()  # n, 181, n
    of_own = -0.5 * noise.square() - std.log()[:, None]
    return (probabilities[:, None] * weight * (of_own - torch.logsumexp(logs, dim=2))).sum()


@dataclass(frozen=True)
class WaterFilling:
    """The best split of a rate over n independent Gaussian components of variances λ."""

    level: float  # water level η, the distortion of every component that gets any rate
    rates: Tensor  # (n,), nats of each component: ½·log(λ/η) where λ > η, else 0
    distortions: Tensor  # (n,), mean squared error of each component: min(λ, η)


def reverse_water_filling(eigenvalues: Tensor, rate: float) -> WaterFilling:
    """Split a total rate, in nats, ≥ 0, over Gaussian components such that the total distortion is least.

    The eigenvalues (n,) are the components' variances λ > 0, in any order; ValueError if a value is out of range.
    Source: Cover and Thomas 2006, section 10.3.3; chapter 2.
    """
    _check_eigenvalues(eigenvalues)
    check_positive("rate", rate, or_zero=True)
    ordered = eigenvalues.double().sort(descending=True).values
    # with k components above the water the level has a closed form: take the k for which that is consistent
    k = torch.arange(1, len(ordered) + 1, dtype=torch.float64)
    levels = torch.exp((ordered.log().cumsum(0) - 2 * rate) / k)
    below = torch.cat([ordered[1:], ordered.new_zeros(1)])
    active = int(torch.nonzero(levels >= below - 1e-12 * ordered[0])[0])
    level = min(levels[active].item(), ordered[0].item())
    rates = (0.5 * (eigenvalues.double() / level).log()).clamp_min(0)
    distortions = eigenvalues.double().clamp_max(level)
    return WaterFilling(level, rates.to(eigenvalues.dtype), distortions.to(eigenvalues.dtype))


@dataclass(frozen=True)
class LinearBetaVAE:
    """The optimum of a linear β-VAE, component by component in the order of the eigenvalues λ given."""

    decoder_norms: Tensor  # (n,), length of the decoder's column: √(λ − η), 0 where inactive
    stds: Tensor  # (n,), posterior standard deviations: √(η/λ), 1 where inactive
    kl: Tensor  # (n,), nats: ½·log(λ/η), 0 where inactive


def linear_beta_vae(eigenvalues: Tensor, noise: float, beta: float) -> LinearBetaVAE:
    """Optimum of a β-VAE with a linear encoder, decoder N(Wz, noise·I) and a latent for each eigenvalue.

    A latent is inactive exactly where λ ≤ η = β·noise: reverse water-filling with the water level η. The eigenvalues
    (n,) are the variances λ of the data's principal components, noise is the decoder's variance s² per coordinate, and
    beta the price of a nat, all > 0 and finite, else ValueError. Source: chapter 2; Lucas et al. 2019 for β = 1.
    """
    _check_eigenvalues(eigenvalues)
    check_positive("noise", noise)
    check_positive("beta", beta)
    level = beta * noise
    return LinearBetaVAE(
        decoder_norms=(eigenvalues - level).clamp_min(0).sqrt(),
        stds=(level / eigenvalues).clamp_max(1).sqrt(),
        kl=(0.5 * (eigenvalues / level).log()).clamp_min(0),
    )


def _check_eigenvalues(eigenvalues: Tensor) -> None:
    if eigenvalues.ndim != 1 or len(eigenvalues) < 1:
        raise ValueError(f"eigenvalues must have shape (n,) with n ≥ 1, got {tuple(eigenvalues.shape)}")
    check_all("eigenvalues", eigenvalues, (eigenvalues > 0) & torch.isfinite(eigenvalues), "finite and > 0")
