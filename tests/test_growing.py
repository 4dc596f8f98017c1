"""Latents are opened and dormant units reset, and nothing else changes."""

import pytest
import torch
from torch import nn

from minivae.datasets import Sprites
from minivae.growing import open_latents, reset_dormant
from minivae.vae import VAE


def test_opened_latents_speak_up_and_do_not_repeat_what_the_others_say():
    generator = torch.Generator().manual_seed(0)
    model = VAE(generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.encoder.net[-1].weight[:2].mul_(30)  # two active latents
    images, _ = Sprites().sample(512, generator)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    open_latents(model, range(2, 5), images, generator)
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder.net.13.weight", "encoder.net.13.bias", "decoder.net.0.weight"}
    same = [0, 1, *range(5, 12), *range(15, 20)]
    assert torch.equal(before["encoder.net.13.weight"][same], after["encoder.net.13.weight"][same])
    assert torch.equal(before["decoder.net.0.weight"][:, [0, 1, *range(5, 10)]],
                       after["decoder.net.0.weight"][:, [0, 1, *range(5, 10)]])  # fmt: skip
    # as the others began, by He et al.: variance 2 over the ten latents
    assert after["decoder.net.0.weight"][:, 2:5].std() == pytest.approx((2 / 10) ** 0.5, rel=0.1)
    with torch.no_grad():
        mean, log_std = model.encode(images)
    assert mean[:, 2:5].mean(0).abs().max() < 1e-3 and (log_std[:, 2:5] == -1.5).all()
    assert mean[:, 2:5].std(0).tolist() == pytest.approx([2, 2, 2], rel=1e-3)
    assert (torch.corrcoef(mean[:, :5].T) - torch.eye(5))[:, 2:].abs().max() < 0.01


def test_dormant_units_that_were_reset_speak_again_and_change_nothing_yet():
    generator = torch.Generator().manual_seed(0)
    model = VAE(generator=torch.Generator().manual_seed(1)).to(memory_format=torch.channels_last)
    images, _ = Sprites().sample(256, generator)
    layers = {"encoder": (0, 2, 4, 6, 9, 11), "decoder": (0, 2, 7, 9, 11)}
    with torch.no_grad():
        for part, numbers in layers.items():
            for i in numbers:
                getattr(model, part).net[i].bias[3:6] = -1000.0
        mean, log_std = model.encode(images)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        logits = model.decode(z)
        already = silent(model, images, z) - 3 * 11
    assert reset_dormant(model, images, generator) >= 3 * 11 + already
    with torch.no_grad():
        torch.testing.assert_close(model.encode(images), (mean, log_std), rtol=0, atol=1e-6)
        torch.testing.assert_close(model.decode(z), logits, rtol=0, atol=1e-5)
        for part, numbers in layers.items():
            for i in numbers:
                layer = getattr(model, part).net[i]
                weight = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
                assert layer.bias[3:6].eq(0).all() and weight[3:6].any()
        assert silent(model, images, z) < 6  # a fresh unit may be silent by chance
    mean, log_std = model.encode(images)
    (model.decode(mean).square().sum() + log_std.sum()).backward()
    sent = model.encoder.net[9].weight.grad.view(256, 32, 16)[:, 3:6]
    assert sent.abs().sum() > 0  # what was silent gets a gradient


def silent(model: VAE, images: torch.Tensor, z: torch.Tensor) -> int:
    """Units of 0 for every image, the decoder's last linear layer aside."""
    count = 0
    for part, signal in ((model.encoder, images), (model.decoder, z)):
        for i, layer in enumerate(part.net):
            signal = layer(signal)
            if isinstance(layer, torch.nn.ReLU) and not (part is model.decoder and i == 5):
                count += int((signal == 0).transpose(0, 1).flatten(1).all(1).sum())
    return count


def test_a_reset_leaves_a_healthy_model_as_it_is():
    model = VAE(generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for layer in model.modules():
            if hasattr(layer, "weight"):
                layer.weight.abs_().mul_(0.01)
                layer.bias.fill_(1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    assert reset_dormant(model, Sprites().sample(16, generator)[0], generator) == 0
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
