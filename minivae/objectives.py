"""What is minimised, in nats: sums over pixels and latents, means over the batch. Taught in chapters 1 and 4.

With any other reduction the paper's β, γ and C mean nothing. An objective gets the mean reconstruction term, the mean
KL of every latent and the step, and gives the loss.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae._arguments import is_number


def bernoulli_nll(logits: Tensor, images: Tensor) -> Tensor:
    """−log p(x|z) of each image under independent Bernoulli pixels, in nats: (B, …) → (B,).

    Grey targets in (0, 1) are allowed, as in the paper; the value then has the floor `bernoulli_floor`.

    Args:
        logits: (B, channels, H, W).
        images: the same shape, values in [0, 1]; not looked at here, where a look would make a GPU wait in every
            step: `check_range` does it.

    Raises:
        ValueError: if the shapes differ.

    Source: the first term of Eq. 5 with the decoder of appendix A.1.
    """
    if logits.shape != images.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and images {tuple(images.shape)} must have one shape")
    return F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)


def bernoulli_floor(images: Tensor) -> Tensor:
    """Σ H_b(x) of each image, in nats, (B, …) → (B,): what `bernoulli_nll` gives at a perfect reconstruction.

    Raises:
        ValueError: if a value lies outside [0, 1].

    Source: chapter 1.
    """
    check_range(images)
    return -(torch.xlogy(images, images) + torch.special.xlog1py(1 - images, -images)).flatten(1).sum(1)


def check_range(images: Tensor) -> None:
    """Raise ValueError unless every value of images lies in [0, 1], as a Bernoulli decoder needs."""
    if images.numel() == 0:
        raise ValueError(f"images must hold at least one value, got shape {tuple(images.shape)}")
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ValueError(f"images must lie in [0, 1] for a Bernoulli decoder, got values from {low:g} to {high:g}")


@dataclass(frozen=True)
class ELBO:
    """Negative evidence lower bound: reconstruction + Σ KL.

    Source: Eq. 3; Kingma and Welling 2014.
    """

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), the mean KL per latent (latents,) and the step."""
        return reconstruction + kl.sum()


@dataclass(frozen=True)
class BetaELBO:
    """Reconstruction + β·Σ KL.

    Args:
        beta: weight of the KL term, ≥ 0; 1 gives the ELBO.

    Raises:
        ValueError: if beta is negative or not finite.

    Source: Eq. 5; Higgins et al. 2017.
    """

    beta: float

    def __post_init__(self) -> None:
        if not is_number(self.beta) or self.beta < 0:
            raise ValueError(f"beta must be a finite number ≥ 0, got {self.beta!r}")

    def __call__(self, reconstruction: Tensor, kl: Tensor, step: int) -> Tensor:
        """Loss in nats from the mean −log p(x|z) (scalar), the mean KL per latent (latents,) and the step."""
        return reconstruction + self.beta * kl.sum()
