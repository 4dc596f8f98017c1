"""The paper's networks, appendix A.1, and the initialisation that makes them train. Taught in chapters 4 and 5.

A model knows nothing of data sets and objectives: images (or factors) in, posterior and logits out.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
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
            UpConv(32, 32), nn.ReLU(inplace=True),  # B, 32, 8, 8
            UpConv(32, 32), nn.ReLU(inplace=True),  # B, 32, 16, 16
            UpConv(32, 32), nn.ReLU(inplace=True),  # B, 32, 32, 32
            UpConv(32, channels),  # B, channels, 64, 64
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


class FactorGenerator(nn.Module):
    """A decoder that is told the true factors, each through a noisy channel of its own: zᵢ = aᵢ·fᵢ + σᵢ·ε.

    The scales aᵢ and the noise σᵢ are learned, so that the decoder can say with its gradient which factors are worth
    how many nats. There is no encoder. A factor with a single class gets no latent. In the beginning every factor has
    the same rate, a tenth of a nat.

    Args:
        values: for each factor the value fᵢ of every class, tensors (classes,).
        channels: image channels.
        centred: subtract the mean from the values of each factor; sending it costs nats (chapter 5).
        generator: source of the random initial weights; PyTorch's global one if None.

    Raises:
        ValueError: if values holds no factor of two or more classes, or one whose values are not finite or do not
            differ, or channels is less than 1.

    Source: section 4.3 of the paper and the text of Figure 3; the decoder is that of appendix A.1.
    """

    values: Tensor
    columns: Tensor

    def __init__(
        self,
        values: Sequence[Tensor],
        channels: int = 1,
        centred: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        columns = [i for i, f in enumerate(values) if len(f) > 1]
        if not columns:
            raise ValueError("values must hold at least one factor with two or more classes")
        self.factors = len(values)
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        tables = [values[i].double() - values[i].double().mean() * centred for i in columns]
        if not all(torch.isfinite(f).all() and f.max() > f.min() for f in tables):
            raise ValueError("the values of a factor must be finite and differ from class to class")
        # latents, most classes; NaN beyond a factor's last class, so that a class out of range is noticed
        table = nn.utils.rnn.pad_sequence([f.float() for f in tables], batch_first=True, padding_value=math.nan)
        self.register_buffer("values", table, persistent=False)
        self.scale = nn.Parameter(torch.stack([(0.2 / f.square().mean()).sqrt().float() for f in tables]))
        self.log_std = nn.Parameter(torch.zeros(len(tables)))
        self.decoder = Decoder(channels, len(tables))
        initialise(self.decoder, generator)

    def encode(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation, each (B, latents), of the channels' outputs for classes (B, factors).

        Raises:
            ValueError: unless classes are whole numbers (B, factors); images have no place here.
        """
        if classes.ndim != 2 or classes.shape[1] != self.factors or classes.dtype != torch.long:
            raise ValueError(
                "a factor-conditioned generator reads no images but classes of factors, whole numbers (batch, "
                f"{self.factors}): got {classes.dtype} {tuple(classes.shape)}; to encode images train a VAE"
            )
        own = classes.index_select(1, self.columns)  # B, latents
        mean = self.scale * self.values.gather(1, own.T).T
        return mean, self.log_std.expand_as(mean)

    def decode(self, z: Tensor) -> Tensor:
        """Bernoulli logits (B, channels, 64, 64) of latents (B, latents)."""
        return self.decoder(z)

    def forward(self, classes: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Send classes (B, factors) once and decode: logits (B, channels, 64, 64), mean and log_std (B, latents)."""
        mean, log_std = self.encode(classes)
        return self.decode(gaussian.sample(mean, log_std, generator)), mean, log_std


@torch.no_grad()
def wake(model: VAE, latents: range, images: Tensor, generator: torch.Generator) -> None:
    """Give latents that were closed something to say, and the decoder ears for it, in place.

    Each gets as its mean a random linear function of the encoder's last features that has no correlation with the
    latents before it and a standard deviation of 2, with little noise (σ = e^−1.5), and a new column in the decoder.
    A faint signal would not do: while the decoder cannot read it, it is not worth its price and fades before it has
    been learnt (chapter 6).

    Args:
        model: in training.
        latents: which, e.g. range(3, 10); those before them live.
        images: a few hundred of the data (n, channels, 64, 64).
        generator: on the model's device.

    Source: chapter 6.
    """
    head, first, count = model.encoder.net[-1], model.decoder.net[0].weight, model.decoder.latents
    features = model.encoder.net[:-1](images).float()
    covariance = features.T.cov()
    for latent in latents:
        direction = torch.randn(len(covariance), generator=generator, device=covariance.device)
        others = head.weight[:latent]  # as linear in the features as the new mean: what it shares can be taken out
        shared = others @ covariance
        direction -= torch.linalg.solve(shared @ others.T, shared @ direction) @ others
        direction *= 2 / (direction @ covariance @ direction).sqrt()
        head.weight[latent], head.bias[latent] = direction, -features.mean(0) @ direction
        head.weight[count + latent], head.bias[count + latent] = 0.0, -1.5
        first[:, latent] = torch.randn(len(first), generator=generator, device=first.device) * math.sqrt(2 / count)


@torch.no_grad()
def revive(model: VAE, images: Tensor, generator: torch.Generator) -> int:
    """Give units that are silent for every image new weights, in place; what the model computes does not change.

    A ReLU that is 0 for all images gets no gradient and stays so. While KL is dear many of the encoder's convolution
    channels fall silent; whether that costs the sight of later factors has not been shown (chapter 6). A silent unit
    gets the weights of `initialise`; what it sends on begins at 0 and is learnt. The decoder's last linear layer is
    left alone: its units share the weights that they send through.

    Args:
        model: in training.
        images: a few hundred of the data (n, channels, 64, 64).
        generator: on the model's device.

    Returns:
        How many units were silent.

    Source: Sokar et al. 2023, "The dormant neuron phenomenon in deep reinforcement learning"; chapter 6.
    """
    z = gaussian.sample(*model.encode(images), generator)
    count = 0
    for net, signal in ((model.encoder.net, images), (model.decoder.net, z)):
        layers = [layer for layer in net if hasattr(layer, "weight")]
        follower = dict(itertools.pairwise(layers))
        for layer in net:
            signal = layer(signal)
            after = follower.get(layer)
            if after is None or (isinstance(layer, nn.Linear) and isinstance(after, UpConv)):
                continue
            silent = ~(signal > 0).transpose(0, 1).flatten(1).any(1)
            if not silent.any():
                continue
            count += int(silent.sum())
            fresh = torch.empty_like(layer.weight).normal_(0, _he(layer), generator=generator)
            units = (
                1 if isinstance(layer, UpConv) else 0
            )  # the axis of a layer's outputs; the other one is of its inputs
            layer.weight.transpose(0, units)[silent] = fresh.transpose(0, units)[silent]
            layer.bias[silent] = 0
            sent = after.weight if isinstance(after, UpConv) else after.weight.transpose(0, 1)
            sent.unflatten(0, (len(silent), -1))[silent] = 0  # a channel is several inputs once it is flattened
    return count


class UpConv(nn.ConvTranspose2d):
    """PyTorch's transposed convolution with kernel 4, stride 2 and padding 1, by a shorter way on a CPU.

    PyTorch's library for CPUs takes longer over the gradient of the bias than over those of weights and input together,
    so the bias is added on its own. And it is made for many output channels: to one or three, as in the last layer of
    the decoder, a matrix product and a few shifted additions lead several times as fast.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        # torch.func cannot look into a gradient written by hand
        if x.device.type == "cpu" and self.out_channels <= 3 and not torch._C._are_functorch_transforms_active():
            y = _ToFewChannels.apply(x, self.weight)
        else:
            y = F.conv_transpose2d(x, self.weight, stride=2, padding=1)
        return y.add_(self.bias.to(y.dtype)[:, None, None])


class _ToFewChannels(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16)
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        (n, channels, height, width), out_channels = x.shape, weight.shape[1]
        # what each input pixel adds to each place of its 4 × 4 patch of the output
        pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
        patches = weight.permute(1, 2, 3, 0).reshape(-1, channels) @ pixels.t()
        wide = torch.promote_types(patches.dtype, torch.float32)  # sums of four terms each, not in bf16
        patches = patches.view(out_channels, 4, 4, n, height, width).to(wide)
        y = torch.empty(n, out_channels, 2 * height, 2 * width, dtype=wide)
        # an even row of the output is row 1 of the patch at its place and row 3 of the one before; an odd row is row 2,
        # and row 0 of the one after; and so with columns
        for odd, (here, beyond) in enumerate(((1, 3), (2, 0))):
            rows = _add_shifted(patches[:, here], patches[:, beyond], dim=-2, back=bool(odd))
            for odd_too, (here_too, beyond_too) in enumerate(((1, 3), (2, 0))):
                cells = _add_shifted(rows[:, here_too], rows[:, beyond_too], dim=-1, back=bool(odd_too))
                y[..., odd::2, odd_too::2] = cells.transpose(0, 1)
        return y

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        x_gradient, weight_gradient, _ = torch.ops.aten.convolution_backward(
            gradient.to(x.dtype), x, weight, None, [2, 2], [1, 1], [1, 1], True, [0, 0], 1,
            [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False],
        )  # fmt: skip
        return x_gradient, weight_gradient


def _add_shifted(here: Tensor, beyond: Tensor, dim: int, back: bool) -> Tensor:
    """Add `beyond`, moved by one place along dim (back or forth), to `here`, in place."""
    size = here.shape[dim] - 1
    here.narrow(dim, 0 if back else 1, size).add_(beyond.narrow(dim, 1 if back else 0, size))
    return here


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """He-normal weights and zero biases, in place.

    Each weight has variance 2/fan-in, so that a ReLU network keeps the scale of its signal from layer to layer
    (He et al. 2015, Eq. 10). PyTorch's default, uniform with variance 1/(3·fan-in), shrinks it by √6 a linear layer
    and by more in transposed convolutions: after the decoder's seven layers hardly a trace of z is left, and the blobs'
    model begins to encode later (chapter 4).
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, _he(layer), generator=generator)
            nn.init.zeros_(layer.bias)


def _he(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Standard deviation of a layer's initial weights, √(2/fan-in)."""
    if isinstance(layer, nn.Linear):
        fan_in = layer.in_features
    else:
        fan_in = layer.in_channels * math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):  # an output pixel sees 1/stride² of the kernel
        fan_in //= math.prod(layer.stride)
    return math.sqrt(2 / fan_in)


def _check_sizes(channels: int, latents: int) -> None:
    check_count("channels", channels)
    check_count("latents", latents)
