"""The factor-conditioned generator sends each factor through a channel of its own."""

import pytest
import torch

from minivae import gaussian
from minivae.datasets import Sprites
from minivae.generator import FactorGenerator
from minivae.vae import Decoder


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


@pytest.mark.parametrize("f", [torch.ones(3), torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.inf])])
def test_factors_that_say_nothing_are_refused(f):
    with pytest.raises(ValueError, match="must be finite and differ"):
        FactorGenerator([f], centred=True)


def test_generator_needs_something_to_send():
    with pytest.raises(ValueError, match="at least one factor with two or more classes"):
        FactorGenerator([torch.ones(1)])


def test_factors_of_one_class_may_stand_anywhere():
    values = [torch.tensor([0.0, 1.0, 5.0]), torch.tensor([7.0]), torch.tensor([-1.0, 3.0]), torch.tensor([2.0])]
    model = FactorGenerator(values, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([[2, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0]])
    sent = torch.tensor([[5.0, 3.0], [0.0, 3.0], [1.0, -1.0]])
    assert model.decoder.latents == 2 and torch.allclose(model.encode(classes)[0], model.scale * sent)
