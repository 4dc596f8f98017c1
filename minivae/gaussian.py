"""Diagonal Gaussian posteriors N(mean, exp(log_std)²), and the prior N(0, 1). Taught in chapters 1 and 2."""

import math

import torch
from torch import Tensor


def kl_per_latent(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, σ²) ‖ N(0, 1)) = ½(mean² + σ² − 1) − log σ of every latent, in nats.

    Means, log σ and the KLs have one shape; raises ValueError if the shapes differ. Source: the KL term of Eq. 5;
    appendix A.1 for the head (mean, log standard deviation).
    """
    _check_same_shape(mean, log_std)
    # expm1 keeps the digits that exp(2 log σ) − 1 loses near the prior, where log σ ≈ 0
    return 0.5 * (mean.square() + torch.expm1(2 * log_std)) - log_std


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z = mean + σ·ε with ε ~ N(0, 1), differentiable in mean and log_std.

    Means, log σ and z have one shape, else ValueError; the generator is on their device, PyTorch's global one if None.
    Source: the reparametrisation of section 2 (Kingma and Welling 2014); chapter 1.
    """
    _check_same_shape(mean, log_std)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + torch.exp(log_std) * noise


def log_density(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log N(z; mean, σ²) of every coordinate in nats, of shapes that broadcast; add up over latents. Chapter 1."""
    return -0.5 * ((z - mean) * torch.exp(-log_std)).square() - log_std - 0.5 * math.log(2 * math.pi)


def kl_between(mean_p: Tensor, log_std_p: Tensor, mean_q: Tensor, log_std_q: Tensor) -> Tensor:
    """KL(p ‖ q) of Gaussians, in nats, coordinate by coordinate, of shapes that broadcast. Source: chapter 1."""
    return kl_per_latent(*torch.broadcast_tensors((mean_p - mean_q) * torch.exp(-log_std_q), log_std_p - log_std_q))


def _check_same_shape(mean: Tensor, log_std: Tensor) -> None:
    if mean.shape != log_std.shape:
        raise ValueError(f"mean and log_std must have one shape, got {tuple(mean.shape)} and {tuple(log_std.shape)}")
