"""The paper's networks, appendix A.1, and the initialisation that makes them train. Taught in chapter 4.

A model knows nothing of data sets and objectives: images in, posterior and logits out.
"""

import math

import torch
from torch import Tensor, nn

from minivae import gaussian
from minivae._arguments import check_count

SIZE = 64  # side of the images, in pixels: four strides of 2 leave 4 × 4


class Encoder(nn.Module):
    """Images (B, channels, 64, 64) → posterior mean and log standard deviation, each (B, latents).

    Source: appendix A.1.
    """

    def __init__(self, channels: int = 1, latents: int = 10) -> None:
        super().__init__()
        _check_sizes(channels, latents)
        self.channels = channels
        self.net = nn.Sequential(
            nn.Conv2d(channels, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 32, 32
            nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 16, 16
            nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 8, 8
            nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 4, 4
            nn.Flatten(),  # B, 512
            nn.Linear(512, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 2 * latents),  # B, 2·latents
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Raises ValueError unless images have shape (B, channels, 64, 64)."""
        if images.ndim != 4 or images.shape[1:] != (self.channels, SIZE, SIZE):
            raise ValueError(
                f"images must have shape (batch, {self.channels}, {SIZE}, {SIZE}), got {tuple(images.shape)}"
            )
        # nats are sums of many small terms: leave reduced precision before the first of them
        mean, log_std = self.net(images).float().chunk(2, dim=1)
        return mean, log_std


class Decoder(nn.Module):
    """Latents (B, latents) → Bernoulli logits (B, channels, 64, 64): the transpose of the encoder.

    Source: appendix A.1.
    """

    def __init__(self, channels: int = 1, latents: int = 10) -> None:
        super().__init__()
        _check_sizes(channels, latents)
        self.latents = latents
        self.net = nn.Sequential(
            nn.Linear(latents, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 512), nn.ReLU(inplace=True),  # B, 512
            nn.Unflatten(1, (32, 4, 4)),  # B, 32, 4, 4
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 8, 8
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 16, 16
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True),  # B, 32, 32, 32
            nn.ConvTranspose2d(32, channels, 4, 2, 1),  # B, channels, 64, 64
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        """Raises ValueError unless z has shape (B, latents)."""
        if z.ndim != 2 or z.shape[1] != self.latents:
            raise ValueError(f"z must have shape (batch, {self.latents}), got {tuple(z.shape)}")
        return self.net(z).float()


class VAE(nn.Module):
    """Encoder and decoder of appendix A.1: 502,005 parameters at one channel and ten latents.

    Args:
        channels: image channels, 1 (grey) or 3 (colour).
        latents: number of latents, ten in the paper (32 for CelebA).
        generator: source of the random initial weights; PyTorch's global one if None.

    Raises:
        ValueError: if channels or latents is less than 1.
    """

    def __init__(self, channels: int = 1, latents: int = 10, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.encoder = Encoder(channels, latents)
        self.decoder = Decoder(channels, latents)
        initialise(self, generator)
        with torch.no_grad():  # every posterior starts near the prior, where the KL term does not yet shout
            self.encoder.net[-1].weight.mul_(0.1)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log standard deviation, each (B, latents), of images (B, channels, 64, 64)."""
        return self.encoder(images)

    def decode(self, z: Tensor) -> Tensor:
        """Bernoulli logits (B, channels, 64, 64) of latents (B, latents)."""
        return self.decoder(z)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, sample once, decode: logits (B, channels, 64, 64), mean and log_std (B, latents)."""
        mean, log_std = self.encode(images)
        return self.decode(gaussian.sample(mean, log_std, generator)), mean, log_std


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """He-normal weights and zero biases, in place.

    Each weight has variance 2/fan-in, so that a ReLU network keeps the scale of its signal from layer to layer
    (He et al. 2015, Eq. 10). PyTorch's default, uniform with variance 1/(3·fan-in), shrinks it by √6 a linear layer
    and by more in transposed convolutions: after the decoder's seven layers hardly a trace of z is left, and the blobs'
    model stays dead for thousands of steps (chapter 4).
    """
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            fan_in = layer.in_features
        elif isinstance(layer, nn.Conv2d):
            fan_in = layer.in_channels * math.prod(layer.kernel_size)
        elif isinstance(layer, nn.ConvTranspose2d):  # an output pixel sees 1/stride² of the kernel
            fan_in = layer.in_channels * math.prod(layer.kernel_size) // math.prod(layer.stride)
        else:
            continue
        nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / fan_in), generator=generator)
        nn.init.zeros_(layer.bias)


def _check_sizes(channels: int, latents: int) -> None:
    check_count("channels", channels)
    check_count("latents", latents)
