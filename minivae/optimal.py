"""Exact limits that need no training. Taught in chapters 3 and 4."""

import torch
from torch import Tensor

from minivae.objectives import check_range


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
