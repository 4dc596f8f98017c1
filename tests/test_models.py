"""The networks are those of appendix A.1, and their initial weights keep the signal's scale."""

import itertools

import pytest
import torch
from torch import nn

from minivae import gaussian
from minivae.datasets import Sprites
from minivae.models import VAE, Decoder, Encoder, FactorGenerator, UpConv, initialise, revive, wake


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
        from minivae.models import initialise

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


@pytest.mark.parametrize("shape", [(10,), (2, 9), (2, 10, 1)])
def test_decoder_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"z must have shape \(batch, 10\)"):
        Decoder()(torch.zeros(shape))


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


@pytest.mark.parametrize("out_channels", [1, 3, 32])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_up_convolution_is_pytorchs(out_channels, precision):
    theirs = torch.nn.ConvTranspose2d(32, out_channels, 4, 2, 1)
    ours = UpConv(32, out_channels)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 32, 6, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(5, out_channels, 12, 16, generator=torch.Generator().manual_seed(1))
    results = []
    for layer in (theirs, ours):
        inputs = x.clone().contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            y = layer(inputs).float()
        (y * weight).sum().backward()
        results.append([y.detach(), inputs.grad, layer.weight.grad, layer.bias.grad])
    tolerance = 1e-5 if precision == "fp32" else 0.02
    for a, b in zip(*results, strict=True):
        assert (a - b).abs().max() <= tolerance * a.abs().max()


def test_gradients_of_the_up_convolution_to_few_channels():
    layer = UpConv(2, 3).double()
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight, bias: torch.func.functional_call(
        layer, {"weight": weight, "bias": bias}, (x,)), (x, layer.weight, layer.bias))  # fmt: skip


@pytest.fixture
def values() -> list[torch.Tensor]:
    return list(Sprites().values.values())


@pytest.mark.parametrize("centred", [False, True])
def test_generator_sends_each_factor_through_a_channel_of_its_own(values, centred):
    model = FactorGenerator(values, centred=centred, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.scale.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
        model.log_std.copy_(torch.tensor([0.0, -1.0, -2.0, -3.0, -4.0]))
    classes = Sprites().sample_classes(7, torch.Generator().manual_seed(1))
    mean, log_std = model.encode(classes)
    for latent, column in enumerate(range(1, 6)):  # colour has one class and no latent
        f = values[column] - (values[column].mean() if centred else 0)
        expected = (latent + 1) * f[classes[:, column]]
        assert torch.allclose(mean[:, latent], expected.float(), atol=1e-6)
        assert (log_std[:, latent] == -latent).all()


@pytest.mark.parametrize("centred", [False, True])
def test_generator_begins_with_a_tenth_of_a_nat_per_factor(values, centred):
    model = FactorGenerator(values, centred=centred)
    sprites = Sprites()
    every = sprites.classes(torch.arange(0, len(sprites), 7))  # 7 divides none of the sizes
    kl = gaussian.kl_per_latent(*model.encode(every)).mean(0)
    assert torch.allclose(kl, torch.full((5,), 0.1), rtol=2e-3)


def test_generator_draws_what_its_decoder_makes_of_the_sample(values):
    model = FactorGenerator(values, generator=torch.Generator().manual_seed(0))
    classes = Sprites().sample_classes(3, torch.Generator().manual_seed(1))
    logits, mean, log_std = model(classes, torch.Generator().manual_seed(2))
    z = gaussian.sample(mean, log_std, torch.Generator().manual_seed(2))
    assert torch.equal(logits, model.decode(z)) and logits.shape == (3, 1, 64, 64)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_generator_has_the_decoder_of_the_appendix(values):
    model, decoder = FactorGenerator(values), Decoder(1, 5)
    count = sum(p.numel() for p in decoder.parameters())
    assert sum(p.numel() for p in model.parameters()) == count + 10
    assert "values" not in model.state_dict()


@pytest.mark.parametrize(
    "source", [torch.zeros(2, 1, 64, 64), torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 6), torch.zeros(6).long()]
)
def test_generator_reads_classes_and_no_images(values, source):
    with pytest.raises(ValueError, match="reads no images but classes of factors"):
        FactorGenerator(values).encode(source)


def test_a_class_out_of_range_is_noticed(values):
    classes = torch.tensor([[0, 3, 0, 0, 0, 0]])  # of three shapes the fourth
    assert FactorGenerator(values).encode(classes)[0][0, 0].isnan()


@pytest.mark.parametrize("f", [torch.ones(3), torch.tensor([1.0, float("nan")])])
def test_factors_that_say_nothing_are_refused(f):
    with pytest.raises(ValueError, match="must be finite and differ"):
        FactorGenerator([f], centred=True)


def test_generator_needs_something_to_send():
    with pytest.raises(ValueError, match="at least one factor with two or more classes"):
        FactorGenerator([torch.ones(1)])


def test_woken_latents_speak_up_and_do_not_repeat_what_the_others_say():
    generator = torch.Generator().manual_seed(0)
    model = VAE(generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.encoder.net[-1].weight[:2].mul_(30)  # two living latents
    images, _ = Sprites().sample(512, generator)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wake(model, range(2, 5), images, generator)
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder.net.13.weight", "encoder.net.13.bias", "decoder.net.0.weight"}
    same = [0, 1, *range(5, 12), *range(15, 20)]
    assert torch.equal(before["encoder.net.13.weight"][same], after["encoder.net.13.weight"][same])
    assert torch.equal(before["decoder.net.0.weight"][:, [0, 1, *range(5, 10)]],
                       after["decoder.net.0.weight"][:, [0, 1, *range(5, 10)]])  # fmt: skip
    with torch.no_grad():
        mean, log_std = model.encode(images)
    assert mean[:, 2:5].mean(0).abs().max() < 1e-3 and (log_std[:, 2:5] == -1.5).all()
    assert mean[:, 2:5].std(0).tolist() == pytest.approx([2, 2, 2], rel=1e-3)
    assert (torch.corrcoef(mean[:, :5].T) - torch.eye(5))[:, 2:].abs().max() < 0.01


def test_revived_units_speak_again_and_change_nothing_yet():
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
    assert revive(model, images, generator) >= 3 * 11 + already
    with torch.no_grad():
        torch.testing.assert_close(model.encode(images), (mean, log_std), rtol=0, atol=1e-6)
        torch.testing.assert_close(model.decode(z), logits, rtol=0, atol=1e-5)
        for part, numbers in layers.items():
            for i in numbers:
                layer = getattr(model, part).net[i]
                weight = layer.weight.transpose(0, 1) if isinstance(layer, UpConv) else layer.weight
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


def test_reviving_a_healthy_model_leaves_it_as_it_is():
    model = VAE(generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for layer in model.modules():
            if hasattr(layer, "weight"):
                layer.weight.abs_().mul_(0.01)
                layer.bias.fill_(1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    assert revive(model, Sprites().sample(16, generator)[0], generator) == 0
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
