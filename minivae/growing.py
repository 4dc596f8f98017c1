"""A training that goes on: latents opened in order, and dormant units reset. Taught in chapter 10."""

import itertools
import math

import torch
from torch import Tensor, nn

from minivae import gaussian
from minivae.vae import VAE, he_std


@torch.no_grad()
def open_latents(model: VAE, latents: range, images: Tensor, generator: torch.Generator) -> None:
    """Re-initialise newly opened latents, such as range(3, 10), and the decoder weights that read them, in place.

    The mean of each becomes a random linear function of the encoder's last features that is uncorrelated with the
    latents before it and has a standard deviation of 2, with little noise (σ = e^−1.5); its column in the decoder is
    drawn anew. With a weaker signal the KL term would close the latent again before the decoder had learnt to read it.
    Images (n, channels, size, size) are a few hundred; the generator is on the model's device. Source: chapter 10.
    """
    head, first, count = model.encoder.net[-1], model.decoder.net[0].weight, model.decoder.latents
    features = model.encoder.net[:-1](images).float()
    covariance = features.T.cov()
    for latent in latents:
        direction = torch.randn(len(covariance), generator=generator, device=covariance.device)
        others = head.weight[:latent]  # linear in the features too: their share in the new mean can be subtracted
        shared = others @ covariance
        direction -= torch.linalg.solve(shared @ others.T, shared @ direction) @ others
        direction *= 2 / (direction @ covariance @ direction).sqrt()
        head.weight[latent], head.bias[latent] = direction, -features.mean(0) @ direction
        head.weight[count + latent], head.bias[count + latent] = 0.0, -1.5
        first[:, latent] = torch.randn(len(first), generator=generator, device=first.device) * math.sqrt(2 / count)


@torch.no_grad()
def reset_dormant(model: VAE, images: Tensor, generator: torch.Generator) -> int:
    """Give dormant units (ReLU output 0 on every image) new weights, in place, and return how many there were.

    A dormant unit gets no gradient and so stays dormant. While β is large many of the encoder's convolution channels
    become dormant; whether that delays later factors has not been shown (chapter 10). A dormant unit gets weights of
    `vae.initialise`, and the weights that read it are set to 0, so that the model's output does not change. The
    decoder's last linear layer is left alone, because its units share the weights that read them.
    Images and generator: as of `open_latents`. Source: Sokar et al. 2023, "The dormant neuron phenomenon in deep
    reinforcement learning"; chapter 10.
    """
    z = gaussian.sample(*model.encode(images), generator)
    count = 0
    for net, signal in ((model.encoder.net, images), (model.decoder.net, z)):
        reader = dict(itertools.pairwise(layer for layer in net if hasattr(layer, "weight")))
        for layer in net:
            signal = layer(signal)
            after = reader.get(layer)
            if after is None or (isinstance(layer, nn.Linear) and isinstance(after, nn.ConvTranspose2d)):
                continue
            dormant = ~(signal > 0).transpose(0, 1).flatten(1).any(1)
            if not dormant.any():
                continue
            count += int(dormant.sum())
            fresh = torch.empty_like(layer.weight).normal_(0, he_std(layer), generator=generator)
            outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # the axis of a layer's outputs
            layer.weight.transpose(0, outputs)[dormant] = fresh.transpose(0, outputs)[dormant]
            layer.bias[dormant] = 0
            read = after.weight if isinstance(after, nn.ConvTranspose2d) else after.weight.transpose(0, 1)
            read.unflatten(0, (len(dormant), -1))[dormant] = 0  # a channel is several inputs once it is flattened
    return count
