"""The paper's VAE, appendix A.1, and its initialisation: images in, posterior and logits out. Taught in chapter 4."""

import math

import torch
from torch import Tensor, nn

from minivae import gaussian
from minivae._arguments import check_choice, check_count

HALVINGS = {32: 3, 64: 4, 128: 5}  # strided convolutions from the side of the images down to 4 × 4


class Encoder(nn.Module):
    """Images (B, channels, size, size) → posterior mean and log σ, each (B, latents). Source: appendix A.1, size 64."""

    def __init__(self, channels: int = 1, latents: int = 10, size: int = 64) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        convolutions = []
        for i in range(HALVINGS[size]):  # size / 2, …, 8, 4
            convolutions += [nn.Conv2d(channels if i == 0 else 32, 32, 4, 2, 1), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(
            *convolutions,  # B, 32, 4, 4
            nn.Flatten(),  # B, 512
            nn.Linear(512, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 2 * latents),  # B, 2·latents
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Raises ValueError unless images have shape (B, channels, size, size)."""
        if images.ndim != 4 or images.shape[1:] != (self.channels, self.size, self.size):
            expected = f"(batch, {self.channels}, {self.size}, {self.size})"
            raise ValueError(f"images must have shape {expected}, got {tuple(images.shape)}")
        # nats are sums of many small terms: leave reduced precision before the first of them
        mean, log_std = self.net(images).float().chunk(2, dim=1)
        return mean, log_std


class Decoder(nn.Module):
    """Latents (B, latents) → Bernoulli logits (B, channels, size, size); the encoder mirrored. Source: appendix A.1."""

    def __init__(self, channels: int = 1, latents: int = 10, size: int = 64) -> None:
        super().__init__()
        self.latents = latents
        convolutions = []
        for _ in range(HALVINGS[size] - 1):  # 8, 16, …, size / 2
            convolutions += [nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(
            nn.Linear(latents, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 256), nn.ReLU(inplace=True),  # B, 256
            nn.Linear(256, 512), nn.ReLU(inplace=True),  # B, 512
            nn.Unflatten(1, (32, 4, 4)),  # B, 32, 4, 4
            *convolutions,  # B, 32, size / 2, size / 2
            nn.ConvTranspose2d(32, channels, 4, 2, 1),  # B, channels, size, size
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).float()


class VAE(nn.Module):
    """Encoder and decoder of appendix A.1: 502,005 parameters at one channel and ten latents.

    Channels are 1 (grey) or 3 (colour), latents ten in the paper (32 for CelebA), both ≥ 1. The side of the images in
    pixels, `size`, is 64 as in the paper, 32 or 128 with a convolution less or more; ValueError at another. Initial
    weights are drawn from the generator, PyTorch's global one if None. Source: appendix A.1.
    """

    def __init__(
        self, channels: int = 1, latents: int = 10, size: int = 64, generator: torch.Generator | None = None
    ) -> None:
        check_count("channels", channels)
        check_count("latents", latents)
        check_choice("size", size, HALVINGS)
        super().__init__()
        self.encoder = Encoder(channels, latents, size)
        self.decoder = Decoder(channels, latents, size)
        initialise(self, generator)
        with torch.no_grad():  # every posterior starts near the prior, so the KL starts small
            self.encoder.net[-1].weight.mul_(0.1)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log σ, each (B, latents), of images (B, channels, size, size)."""
        return self.encoder(images)

    def decode(self, z: Tensor) -> Tensor:
        """Bernoulli logits (B, channels, size, size) of latents (B, latents)."""
        return self.decoder(z)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, sample once, decode: logits (B, channels, size, size), mean and log_std (B, latents)."""
        mean, log_std = self.encode(images)
        return self.decode(gaussian.sample(mean, log_std, generator)), mean, log_std


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """He-normal weights and zero biases for a model's layers, in place, from a generator (None: PyTorch's global one).

    Each weight has variance 2/fan-in, so that a ReLU network keeps the scale of its signal from layer to layer.
    PyTorch's default, uniform with variance 1/(3·fan-in), shrinks it by √6 a linear layer and by more in transposed
    convolutions, so that hardly a trace of z is left after the decoder's seven layers. Source: He et al. 2015, Eq. 10.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, he_std(layer), generator=generator)
            nn.init.zeros_(layer.bias)


def he_std(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Standard deviation of a layer's initial weights, √(2/fan-in)."""
    fan_in = layer.weight[0].numel()
    if isinstance(layer, nn.ConvTranspose2d):  # of its weights (in, out, …) an output pixel sees 1/stride²
        fan_in = layer.weight[:, 0].numel() // math.prod(layer.stride)
    return math.sqrt(2 / fan_in)
