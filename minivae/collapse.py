"""When a β-VAE encodes nothing: the threshold β_c. Taught in chapter 4."""

import torch
from torch import Tensor

from minivae.objectives import check_range


def collapse_threshold(images: Tensor) -> float:
    """β_c: above it a Bernoulli β-VAE that encodes nothing is stable, below it the first latent becomes active.

    The collapsed model draws every pixel with its mean brightness p̄. A faint code costs β per nat and gains at most
    the largest eigenvalue of the data's covariance in units of the Bernoulli variance, so the two break even at
    β_c = λ_max of Cov(x)ᵢⱼ / √(p̄ᵢ(1−p̄ᵢ) p̄ⱼ(1−p̄ⱼ)). The images are a sample (n, channels, H, W) with n ≥ 2 and
    values in [0, 1], else ValueError; the estimate's error falls as 1/√n. Source: derived in chapter 4.
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
