"""What the KL to the prior consists of, and β-TCVAE, which prices one part of it. Taught in chapter 13."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from minivae import gaussian
from minivae._arguments import check_positive


def kl_parts(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Estimates of information, total correlation and dimension-wise KL, in nats: (3,); they add up to the KL.

    With q(z), the mean of the posteriors of all pictures, E KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ Π q(zᵢ)) +
    Σ KL(q(zᵢ) ‖ p(zᵢ)). The first part is chapter 2's information; the other two are its slack.
    Mean and log_std are of posteriors (N, latents) that stand for all pictures, z (n, latents) samples of the first
    n ≤ N of them, else ValueError. Of random pictures the information comes out too small, and is at most log N.
    Differentiable; memory grows as n·N. Source: Chen et al. 2018, Eq. 2.
    """
    if mean.ndim != 2 or z.ndim != 2 or z.shape[1] != mean.shape[1] or not 1 <= len(z) <= len(mean):
        raise ValueError(f"z must be samples of the first of {tuple(mean.shape)} posteriors, got {tuple(z.shape)}")
    each = gaussian.log_density(z[:, None], mean, log_std)  # z under each posterior: n, N, latents
    joint = torch.logsumexp(each.sum(2), dim=1) - math.log(len(mean))
    product = (torch.logsumexp(each, dim=1) - math.log(len(mean))).sum(1)
    prior = gaussian.log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    return torch.stack([(each.sum(2).diagonal() - joint).mean(), (joint - product).mean(), (product - prior).mean()])


@dataclass(frozen=True)
class TotalCorrelationELBO:
    """β-TCVAE: reconstruction + Σ KL + (β − 1)·TC, with the total correlation TC of the batch's posteriors.

    Only that the latents depend on each other costs more than in the ELBO. Their dependence is estimated within the
    batch; Chen et al.'s minibatch-weighted sampling differs from this by a constant, so that gradients are the same.
    Raises ValueError unless β is finite and ≥ 0; 1 gives the ELBO. Source: Chen et al. 2018, Eq. 4 with α = γ = 1.
    """

    beta: float

    needs: ClassVar[str] = "posterior"

    def __post_init__(self) -> None:
        check_positive("beta", self.beta, or_zero=True)

    def __call__(
        self, reconstruction: Tensor, kl: Tensor, step: int | Tensor, *, z: Tensor, mean: Tensor, log_std: Tensor
    ) -> Tensor:
        return reconstruction + kl.sum() + (self.beta - 1) * kl_parts(z, mean, log_std)[1]
