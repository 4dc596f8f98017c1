"""A decoder that is told the true factors through noisy channels: the generator of Figure 3. Taught in chapter 5."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from minivae.vae import VAE, Decoder, initialise


class FactorGenerator(nn.Module):
    """A decoder that is told the true factors, each through a noisy channel of its own: zᵢ = aᵢ·fᵢ + σᵢ·ε.

    There is no encoder: the scales aᵢ and the noise σᵢ are parameters, so the gradient of the reconstruction decides
    how the capacity is divided among the factors. A factor with a single class gets no latent. At first every factor
    has the same rate, a tenth of a nat.

    Values hold for each factor the fᵢ of every class, tensors (classes,), finite and different; if `centred`, the mean
    of each is subtracted, because sending it costs nats (chapter 5). Channels, size and generator: as of `VAE`. Raises
    ValueError if no factor has two classes, or the values of one do not differ or are not finite. Source: section 4.3
    of the paper and the text of Figure 3; the decoder is that of appendix A.1.
    """

    def __init__(
        self, values: Sequence[Tensor], channels: int = 1, centred: bool = False, size: int = 64,
        generator: torch.Generator | None = None,
    ) -> None:  # fmt: skip
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
        self.decoder = Decoder(channels, len(tables), size)
        initialise(self.decoder, generator)

    def encode(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log σ, each (B, latents), for classes that are whole numbers (B, factors), else ValueError."""
        if classes.ndim != 2 or classes.shape[1] != self.factors or classes.dtype != torch.long:
            got = f"{classes.dtype} {tuple(classes.shape)}"
            raise ValueError(f"a generator reads no images but classes of factors (batch, {self.factors}), got {got}")
        own = classes.index_select(1, self.columns)  # B, latents
        mean = self.scale * self.values.gather(1, own.T).T
        return mean, self.log_std.expand_as(mean)

    decode, forward = VAE.decode, VAE.forward  # of latents, and of classes in place of images
