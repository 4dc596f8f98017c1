"""Diagonal Gaussian posteriors q(z|x) = N(mean, exp(log_std)²), measured against the prior N(0, 1).

Taught in chapters 1 and 2, used in every chapter.
"""

import math

import torch
from torch import Tensor

from minivae._arguments import check_all


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

    Args:
        mean, log_std: posterior means and log σ, of one shape, which z has too.
        generator: source of randomness on the same device; PyTorch's global one if None.

    Raises ValueError if the shapes differ. Source: the reparametrisation of section 2 (Kingma and Welling 2014);
    chapter 1.
    """
    _check_same_shape(mean, log_std)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + torch.exp(log_std) * noise


def log_density(z: Tensor, mean: Tensor, log_std: Tensor, checked: bool = True) -> Tensor:
    """log N(z; mean, σ²) of every coordinate, in nats.

    Points, means and log σ have shapes that broadcast; if `checked`, which waits for a GPU, raises ValueError if they
    do not or a value is not finite. A diagonal Gaussian's log-density is the sum over the last axis. Source: chapter 1.
    """
    if checked:
        check_arguments(z=z, mean=mean, log_std=log_std)
    return -0.5 * ((z - mean) * torch.exp(-log_std)).square() - log_std - 0.5 * math.log(2 * math.pi)


def kl_between(mean_p: Tensor, log_std_p: Tensor, mean_q: Tensor, log_std_q: Tensor) -> Tensor:
    """KL(p ‖ q) of two Gaussians, coordinate by coordinate, in nats; with q = N(0, 1) it is `kl_per_latent`.

    Means and log σ of p and q have shapes that broadcast; raises ValueError if they do not or a value is not finite.
    Source: chapter 1.
    """
    check_arguments(mean_p=mean_p, log_std_p=log_std_p, mean_q=mean_q, log_std_q=log_std_q)
    return kl_per_latent(*torch.broadcast_tensors((mean_p - mean_q) * torch.exp(-log_std_q), log_std_p - log_std_q))


def check_arguments(**tensors: Tensor) -> None:
    """Raise ValueError unless the tensors broadcast and are finite; not in a training step, which it would slow."""
    try:
        torch.broadcast_shapes(*(tensor.shape for tensor in tensors.values()))
    except RuntimeError:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"these shapes do not broadcast: {shapes}") from None
    for name, tensor in tensors.items():
        check_all(name, tensor, torch.isfinite(tensor))


def _check_same_shape(mean: Tensor, log_std: Tensor) -> None:
    if mean.shape != log_std.shape:
        raise ValueError(f"mean and log_std must have one shape, got {tuple(mean.shape)} and {tuple(log_std.shape)}")
