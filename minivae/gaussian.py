"""Diagonal Gaussian posteriors q(z|x) = N(mean, exp(log_std)²), measured against the prior N(0, 1).

Taught in chapters 1 and 2, used in every chapter.
"""

import torch
from torch import Tensor


def kl_per_latent(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, σ²) ‖ N(0, 1)) of every latent, in nats.

    Args:
        mean: posterior means, any shape.
        log_std: log σ, the same shape.

    Returns:
        ½(mean² + σ² − 1) − log σ, the same shape; zero only where mean = 0 and σ = 1.

    Raises:
        ValueError: if the shapes differ.

    Source: the KL term of Eq. 5; appendix A.1 for the head (mean, log standard deviation).
    """
    _check_same_shape(mean, log_std)
    # expm1 keeps the digits that exp(2 log σ) − 1 loses near the prior, where log σ ≈ 0
    return 0.5 * (mean.square() + torch.expm1(2 * log_std)) - log_std


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z = mean + σ·ε with ε ~ N(0, 1), differentiable in mean and log_std.

    Args:
        mean: posterior means, any shape.
        log_std: log σ, the same shape.
        generator: source of randomness on the same device; PyTorch's global one if None.

    Returns:
        One sample per posterior, the same shape.

    Raises:
        ValueError: if the shapes differ.

    Source: the reparametrisation of section 2 (Kingma and Welling 2014); chapter 1.
    """
    _check_same_shape(mean, log_std)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + torch.exp(log_std) * noise


def _check_same_shape(mean: Tensor, log_std: Tensor) -> None:
    if mean.shape != log_std.shape:
        raise ValueError(
            f"mean and log_std must have one shape, got {tuple(mean.shape)} and {tuple(log_std.shape)}: "
            "pass the two halves of one encoder output"
        )
