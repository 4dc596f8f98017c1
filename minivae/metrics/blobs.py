"""How a code of blobs depends on position, and how discontinuous its traversals are. Taught in chapters 4 and 7."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae.datasets import Blobs
from minivae.metrics.evaluate import ACTIVE, mean_kl, traversal
from minivae.vae import VAE

JUMP = 4.0  # pixels; an even walk across the domain at z ∈ [−3, 3] moves less than one pixel in a step of 0.1
GHOST = 0.6


@torch.no_grad()
def position_tuning(model: VAE, dataset: Blobs, n: int = 32) -> tuple[Tensor, Tensor]:
    """Positions (m, 2) of an n × n grid in the domain, in pixels, and posterior means (m, latents) there: Figure 2."""
    positions = dataset.grid(n)
    positions = positions[dataset.contains(positions)]
    return positions, model.encode(dataset.render(positions))[0]


def correlations(model: VAE, dataset: Blobs, n: int = 32) -> Tensor:
    """Pearson correlation of every latent's `position_tuning` with x and y: (latents, 2); 0 if its mean never moves."""
    positions, means = position_tuning(model, dataset, n)
    return torch.corrcoef(torch.cat([positions, means], dim=1).T)[2:, :2].nan_to_num(0.0)


def axis_angles(model: VAE, dataset: Blobs, n: int = 32) -> Tensor:
    """Direction in the picture along which each latent's mean rises fastest, in degrees in (−90, 90]: (latents,).

    0 is along x, 90 along y, by a least-squares plane through the `position_tuning`; a line has no sign, so 180° is 0°.
    """
    positions, means = position_tuning(model, dataset, n)
    centred = positions - positions.mean(0)
    slopes = torch.linalg.lstsq(centred, means - means.mean(0)).solution  # (2, latents)
    degrees = torch.rad2deg(torch.atan2(slopes[1], slopes[0]))
    return 90 - torch.remainder(90 - degrees, 180)


@dataclass(frozen=True)
class Fragmentation:
    """How discontinuous the drawn traversals are; a code that moves one blob smoothly has a small jump and zeros."""

    jump: float  # the farthest that the drawn blob moves in one small step of any traversal, in pixels
    broken: float  # share of traversals with a step of more than `JUMP` pixels
    ghosts: float  # share of traversals with a frame of two blobs, or of less than `GHOST` of the seed image's light


@torch.no_grad()
def fragmentation(model: VAE, images: Tensor, step: float = 0.1) -> Fragmentation:
    """Traverse every active latent over [−3, 3] from each seed image (n, 1, H, W) and measure what is drawn.

    Neighbouring frames are a step apart, in units of z. The statistics are over all images and all latents above
    `ACTIVE` nats; zeros if there are none. Source: section 4.3 has the effect in words; the statistic is chapter 4's.
    """
    means, _ = model.encode(images)
    values = torch.linspace(-3, 3, round(6 / step) + 1)
    jumps, ghosts = [], []
    for latent in torch.nonzero(mean_kl(model, images) > ACTIVE).flatten().tolist():
        for z, light in zip(means, images.sum((1, 2, 3)), strict=True):
            frames = torch.sigmoid(model.decode(traversal(z, latent, values)))
            places = centre_of_light(frames)
            jumps.append((places[1:] - places[:-1]).norm(dim=1).max())
            ghosts.append(((count_blobs(frames) > 1) | (frames.sum((1, 2, 3)) < GHOST * light)).any())
    jump, ghost = (torch.stack(found or [torch.zeros(())]).float() for found in (jumps, ghosts))
    return Fragmentation(jump.max().item(), (jump > JUMP).float().mean().item(), ghost.mean().item())


def centre_of_light(images: Tensor) -> Tensor:
    """Mean position of the light of each image (n, 1, H, W), columns x, y, in pixels: (n, 2)."""
    light = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    y, x = (torch.arange(side, device=images.device) + 0.5 for side in images.shape[-2:])
    return torch.stack([(light.sum(1) * x).sum(1), (light.sum(2) * y).sum(1)], dim=1)


def count_blobs(images: Tensor) -> Tensor:
    """Number of separate bright spots in each image (n, 1, H, W): (n,).

    A spot is a pixel that is the brightest of the 9 × 9 around it and at least 0.3 times as bright as the image's
    brightest. Images are averaged over 5 × 5 pixels first, so that a decoder's grain does not count.
    """
    smooth = F.avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)
    # two equal neighbours are one spot: an invisible ramp tells them apart, in units of the brightest pixel so that its
    # steps are lost to rounding neither in a dim picture nor in a bright one
    ramp = torch.arange(smooth[0].numel(), device=images.device).view_as(smooth[:1]) / smooth[0].numel()
    smooth = smooth + 1e-3 * ramp * smooth.amax((1, 2, 3), keepdim=True)
    peak = smooth == F.max_pool2d(smooth, 9, stride=1, padding=4)
    bright = smooth >= 0.3 * smooth.amax((1, 2, 3), keepdim=True)
    return (peak & bright).sum((1, 2, 3))
