"""The networks are those of appendix A.1, and their initial weights keep the signal's scale."""

import itertools

import pytest
import torch
from torch import nn

from minivae.vae import VAE, Decoder, Encoder, initialise


def test_parameter_counts():
    assert sum(p.numel() for p in VAE().parameters()) == 502_005
    # a colour channel adds 32 · 16 weights to the first layer, and 32 · 16 weights and a bias to the last
    assert sum(p.numel() for p in VAE(channels=3).parameters()) == 502_005 + 2 * (512 + 513)


def test_layers_are_those_of_the_appendix():
    vae = VAE()
    convolutions = [m for m in vae.encoder.modules() if isinstance(m, nn.Conv2d)]
    transposed = [m for m in vae.decoder.modules() if isinstance(m, nn.ConvTranspose2d)]
    for layers in (convolutions, transposed):
        assert [(m.kernel_size, m.stride) for m in layers] == [((4, 4), (2, 2))] * 4
    assert [m.out_channels for m in convolutions] == [32] * 4
    assert [m.in_channels for m in transposed] == [32] * 4
    sizes = [(m.in_features, m.out_features) for m in vae.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(512, 256), (256, 256), (256, 20), (10, 256), (256, 256), (256, 512)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("latents", [1, 10, 32])
def test_shapes(channels, latents):
    logits, mean, log_std = VAE(channels, latents)(torch.rand(2, channels, 64, 64))
    assert logits.shape == (2, channels, 64, 64) and mean.shape == log_std.shape == (2, latents)
    assert logits.dtype == mean.dtype == torch.float32


def test_forward_is_encode_sample_decode():
    vae, images = VAE(generator=torch.Generator().manual_seed(0)), torch.rand(3, 1, 64, 64)
    logits, mean, log_std = vae(images, torch.Generator().manual_seed(1))
    noise = torch.randn(3, 10, generator=torch.Generator().manual_seed(1))
    assert torch.equal(mean, vae.encode(images)[0])
    assert torch.allclose(logits, vae.decode(mean + log_std.exp() * noise))


def test_initial_weights_are_he_normal():
    vae = VAE(generator=torch.Generator().manual_seed(0))
    for name, fan_in in (
        ("encoder.net.2", 32 * 16),
        ("encoder.net.9", 512),
        ("decoder.net.2", 256),
        ("decoder.net.9", 32 * 4),
    ):
        layer = vae.get_submodule(name)
        assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05), name
        assert (layer.bias == 0).all()


def test_signal_keeps_its_scale_through_the_decoder():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(100, 10, generator=generator)
    with torch.no_grad():
        he = Decoder()
        from minivae.vae import initialise

        initialise(he, generator)
        spread = he(z).std().item()
        default = Decoder()(z).std(0).mean().item()
    assert 0.3 < spread < 5
    assert default < spread / 30


def test_same_generator_same_weights():
    a, b = (VAE(generator=torch.Generator().manual_seed(3)).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 3, 64, 64), (1, 64, 64), (2, 64, 64, 1)])
def test_encoder_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"images must have shape \(batch, 1, 64, 64\)"):
        Encoder()(torch.zeros(shape))


def test_torch_func_sees_through_the_decoder():
    model = VAE(generator=torch.Generator().manual_seed(0))
    z = torch.randn(3, 10, generator=torch.Generator().manual_seed(1))

    def corner(z):
        return model.decoder.net(z[None])[0, 0, 30:33, 30:33]

    assert torch.allclose(torch.func.vmap(corner)(z), torch.stack([corner(code) for code in z]), atol=1e-5)
    expected = torch.autograd.functional.jacobian(corner, z[0])
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        assert torch.allclose(transform(corner)(z[0]), expected, atol=1e-5)
    assert torch.allclose(torch.func.jvp(corner, (z[0],), (z[1],))[1], expected @ z[1], atol=1e-5)
    weights = dict(model.named_parameters())
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(2))

    def loss(weights):
        return torch.func.functional_call(model, weights, (image, torch.Generator().manual_seed(3)))[0].sum()

    own = torch.autograd.grad(loss(weights), [*weights.values()])
    for found, expected in zip(torch.func.grad(loss)(weights).values(), own, strict=True):
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.abs().max())


@pytest.mark.parametrize("sizes", [(0, 10), (1, 0)])
def test_empty_networks_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        VAE(*sizes)


def test_every_layer_starts_he_normal():
    vae = VAE(generator=torch.Generator().manual_seed(4))
    last = vae.encoder.net[-1]
    layers = [m for m in vae.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 14
    for layer in layers:
        # what one output value sums over, counted from the shapes: a transposed kernel of 4 × 4 at stride 2 has 2 × 2
        weights = layer.weight[0].numel()
        if isinstance(layer, nn.ConvTranspose2d):
            weights = layer.in_channels * 4
        scale = 0.1 if layer is last else 1.0
        z = layer.weight.detach() / (scale * (2 / weights) ** 0.5)
        n = z.numel()
        assert abs(z.mean().item()) < 4 / n**0.5, layer
        assert abs(z.square().mean().item() - 1) < 4 * (2 / n) ** 0.5, layer  # Var of z² is 2
        assert abs((z.abs() < 1).float().mean().item() - 0.6827) < 4 * (0.22 / n) ** 0.5, layer  # normal, not uniform
        assert (layer.bias == 0).all()


def spreads(decoder: nn.Module, z: torch.Tensor) -> list[float]:
    """How far each layer's output varies with z: the root of the variance over the batch, averaged over units."""
    found = []
    for layer in decoder.net:
        z = layer(z)
        if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
            # a copy: the ReLU that follows works in place
            found.append(z.detach().clone().flatten(1).var(0).mean().sqrt().item())
    return found


def test_he_keeps_the_scale_layer_by_layer_and_the_default_does_not():

    z = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)  # PyTorch's default takes no generator
        decoder = Decoder()
        default = spreads(decoder, z)
        initialise(decoder, torch.Generator().manual_seed(0))
        he = spreads(decoder, z)
    assert len(he) == len(default) == 7
    assert all(0.4 < after / before < 1.5 for before, after in itertools.pairwise(he)), he
    # not the last layer: PyTorch counts the fan-in of a transposed layer by its output channels, and there it has one
    assert all(after / before < 0.45 for before, after in itertools.pairwise(default[:-1])), default
    assert default[-1] < 1e-2 * he[-1]


def test_initial_posteriors_lie_near_the_prior():
    images = torch.rand(20, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, log_std = VAE(generator=torch.Generator().manual_seed(0)).encode(images)
    assert mean.abs().max() < 0.5 and log_std.abs().max() < 0.5


@pytest.mark.parametrize(("size", "convolutions"), [(32, 3), (64, 4), (128, 5)])
def test_other_sizes_have_a_convolution_less_or_more(size, convolutions):
    vae = VAE(3, 4, size, torch.Generator().manual_seed(0))
    assert sum(isinstance(layer, nn.Conv2d) for layer in vae.encoder.net) == convolutions
    assert sum(isinstance(layer, nn.ConvTranspose2d) for layer in vae.decoder.net) == convolutions
    logits, mean, log_std = vae(torch.rand(2, 3, size, size))
    assert logits.shape == (2, 3, size, size) and mean.shape == log_std.shape == (2, 4)


@pytest.mark.parametrize("size", [16, 48, 63, None])
def test_sizes_without_a_network_are_refused(size):
    with pytest.raises(ValueError, match="size must be one of 32, 64, 128"):
        VAE(size=size)
