"""How Gaussian posteriors overlap, and which pictures an optimal decoder then confuses. Taught in chapter 3."""

import torch
from torch import Tensor

from minivae._arguments import check_all
from minivae.gaussian import log_density


def bhattacharyya(mean_p: Tensor, log_std_p: Tensor, mean_q: Tensor, log_std_q: Tensor) -> Tensor:
    """Overlap ∫√(pq) of two Gaussians, coordinate by coordinate: 1 if equal, 0 if far apart; over independent
    coordinates the overlaps multiply. Shapes broadcast. Source: chapter 3."""
    # in units of the geometric mean of the two σ, so that neither over- nor underflows
    distance = (mean_p - mean_q) * torch.exp(-0.5 * (log_std_p + log_std_q))
    spread = torch.cosh(log_std_p - log_std_q)  # (σp² + σq²) / 2σpσq
    return torch.rsqrt(spread) * torch.exp(-0.125 * distance.square() / spread)


def total_variation(mean_p: Tensor, log_std_p: Tensor, mean_q: Tensor, log_std_q: Tensor) -> Tensor:
    """Total variation ½∫|p − q| of two Gaussians, coordinate by coordinate: 0 if equal, 1 if far apart.

    The best guess which of two equally likely Gaussians a sample came from is wrong with probability (1 − TV)/2.
    Shapes broadcast. Source: chapter 3.
    """
    # in q's own units: q = N(0, 1) and p = N(m, r²); log p − log q = −(a u² + b u + c)/2 vanishes where they cross
    m = ((mean_p - mean_q) * torch.exp(-log_std_q)).double()
    log_r = (log_std_p - log_std_q).double()
    inverse = torch.exp(-2 * log_r)
    a, b, c = inverse - 1, -2 * m * inverse, m.square() * inverse + 2 * log_r
    root = (b.square() - 4 * a * c).clamp_min(0).sqrt()
    q = -0.5 * (b + torch.where(b < 0, -root, root))  # the larger of the two in size: no cancellation
    crossings = torch.stack([q / a, c / q])  # the first goes to ±∞ as the widths become equal
    inside = torch.special.ndtr((crossings - m) / log_r.exp()) - torch.special.ndtr(crossings)
    same = (m == 0) & (log_r == 0)
    return torch.where(same, 0.0, (inside[0] - inside[1]).abs()).to(mean_p.dtype)


def confusions(means: Tensor, stds: Tensor) -> Tensor:
    """How often an optimal decoder confuses each pair of n equally likely pictures that share one latent.

    Picture i has the posterior N(meansᵢ, stdsᵢ²). Given z, the optimal decoder has the belief p(i|z) ∝ N(z; meansᵢ,
    stdsᵢ²) and draws the mean of the pictures under it. Its expected squared error is ½ Σᵢⱼ Mᵢⱼ Dᵢⱼ, where Dᵢⱼ is the
    squared distance of pictures i and j.
    Means and stds > 0 are (n,), finite, else ValueError. The value is M (n, n), Mᵢⱼ = ∫ q(z) p(i|z) p(j|z) dz, by
    quadrature; symmetric, adds up to 1; differentiable. Source: chapter 3.
    """
    if means.ndim != 1 or means.shape != stds.shape:
        raise ValueError(f"means and stds must have one shape (n,), got {tuple(means.shape)} and {tuple(stds.shape)}")
    check_all("means", means, torch.isfinite(means))
    check_all("stds", stds, (stds > 0) & torch.isfinite(stds), "finite and > 0")
    noise = torch.linspace(-8, 8, 161, dtype=means.dtype, device=means.device)
    weight = torch.softmax(-0.5 * noise.square(), 0)
    z = means[:, None] + stds[:, None] * noise  # n, 161: the outputs of each picture
    log_q = -0.5 * ((z[:, :, None] - means) / stds).square() - stds.log()  # n, 161, n
    belief = torch.softmax(log_q, dim=2)
    return torch.einsum("k,nki,nkj->ij", weight, belief, belief) / len(means)


def right_guesses(means: Tensor, stds: Tensor) -> float:
    """Probability that the likeliest of n pictures given z is the one sent, as in `confusions`. Source: chapter 3."""
    z = torch.linspace((means - 8 * stds).min().item(), (means + 8 * stds).max().item(), 2_001, dtype=means.dtype)
    best = log_density(z[:, None], means, stds.log()).exp().amax(1)
    return (torch.trapezoid(best, z) / len(means)).item()
