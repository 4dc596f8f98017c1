"""KL and sampling against torch.distributions, quadrature and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from torch.distributions import Normal, kl_divergence

from minivae import gaussian, overlap


def test_kl_agrees_with_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    mean = 3 * torch.randn(50, 10, generator=generator, dtype=torch.float64)
    log_std = torch.randn(50, 10, generator=generator, dtype=torch.float64)
    oracle = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    assert torch.allclose(gaussian.kl_per_latent(mean, log_std), oracle, rtol=1e-12)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 0.2), (-2.0, 3.0)])
def test_kl_agrees_with_quadrature(mean, std):
    def integrand(z):
        log_q = -0.5 * ((z - mean) / std) ** 2 - math.log(std)
        return math.exp(log_q) / math.sqrt(2 * math.pi) * (log_q + 0.5 * z**2)

    oracle, _ = integrate.quad(integrand, mean - 12 * std, mean + 12 * std)
    kl = gaussian.kl_per_latent(*torch.tensor([[mean], [math.log(std)]], dtype=torch.float64))
    assert kl.item() == pytest.approx(oracle, abs=1e-9)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert gaussian.kl_per_latent(torch.zeros(3), torch.zeros(3)).tolist() == [0, 0, 0]
    shifts = torch.tensor([1e-3, -1e-3, 0.5, -0.5])
    assert (gaussian.kl_per_latent(torch.zeros(4), shifts) > 0).all()
    assert (gaussian.kl_per_latent(shifts, torch.zeros(4)) > 0).all()


def test_kl_keeps_its_digits_near_the_prior_in_single_precision():
    log_std = torch.tensor([1e-3])
    oracle = gaussian.kl_per_latent(torch.zeros(1).double(), log_std.double()).item()
    assert gaussian.kl_per_latent(torch.zeros(1), log_std).item() == pytest.approx(oracle, rel=1e-3)


@pytest.mark.parametrize(
    ("mean", "log_std", "expected"), [(0, -20, 19.5), (1e3, 0, 5e5), (0, 10, math.exp(20) / 2 - 10.5)]
)
def test_kl_at_extremes(mean, log_std, expected):
    kl = gaussian.kl_per_latent(torch.tensor([float(mean)]), torch.tensor([float(log_std)]))
    assert kl.item() == pytest.approx(expected, rel=1e-5)


def test_sample_has_the_mean_and_spread_of_the_posterior():
    mean, log_std = torch.full((200_000,), 1.5), torch.full((200_000,), math.log(0.3))
    z = gaussian.sample(mean, log_std, torch.Generator().manual_seed(0))
    error = 0.3 / math.sqrt(len(z))
    assert abs(z.mean().item() - 1.5) < 4 * error and abs(z.std().item() - 0.3) < 4 * error


def test_sample_is_the_reparametrisation_of_the_seeds_noise():
    mean, log_std = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    z = gaussian.sample(mean, log_std, torch.Generator().manual_seed(5))
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(z, mean + log_std.exp() * noise)
    z.sum().backward()
    assert torch.equal(mean.grad, torch.ones(4, 3))
    assert torch.allclose(log_std.grad, log_std.exp() * noise)


@pytest.mark.parametrize("function", [gaussian.kl_per_latent, gaussian.sample])
def test_shapes_of_as_many_numbers_are_refused_too(function):
    for one, other in (((2, 3), (3, 2)), ((6,), (2, 3)), ((1,), ()), ((1, 4), (4, 1))):
        with pytest.raises(ValueError, match="must have one shape"):
            function(torch.zeros(one), torch.zeros(other))


@pytest.mark.parametrize("function", [gaussian.kl_per_latent, gaussian.sample])
def test_shapes_that_differ_are_refused(function):
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\) and \(3,\)"):
        function(torch.zeros(2, 3), torch.zeros(3))


def test_kl_matches_its_formula_in_numpy():
    mean, log_std = np.random.default_rng(0).normal(size=(2, 7))
    formula = 0.5 * (mean**2 + np.exp(2 * log_std) - 1) - log_std
    assert np.allclose(gaussian.kl_per_latent(torch.from_numpy(mean), torch.from_numpy(log_std)), formula)


def two_gaussians(n=40):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, n, generator=generator, dtype=torch.float64).unbind()


def test_log_density_agrees_with_torch_distributions():
    z, mean, log_std, _ = two_gaussians()
    assert torch.allclose(gaussian.log_density(z, mean, log_std), Normal(mean, log_std.exp()).log_prob(z))


def test_kl_between_agrees_with_torch_distributions():
    mean_p, log_p, mean_q, log_q = two_gaussians()
    oracle = kl_divergence(Normal(mean_p, log_p.exp()), Normal(mean_q, log_q.exp()))
    assert torch.allclose(gaussian.kl_between(mean_p, log_p, mean_q, log_q), oracle)


@pytest.mark.parametrize("name", ["bhattacharyya", "total_variation"])
def test_overlaps_agree_with_quadrature(name):
    for mean_p, log_p, mean_q, log_q in zip(*(v.tolist() for v in two_gaussians(8)), strict=True):
        p, q = Normal(mean_p, math.exp(log_p)), Normal(mean_q, math.exp(log_q))
        z = torch.linspace(-60, 60, 1_200_001, dtype=torch.float64)
        a, b = p.log_prob(z).exp(), q.log_prob(z).exp()
        values = (a * b).sqrt() if name == "bhattacharyya" else 0.5 * (a - b).abs()
        arguments = (torch.tensor(v, dtype=torch.float64) for v in (mean_p, log_p, mean_q, log_q))
        found = getattr(overlap, name)(*arguments).item()
        assert found == pytest.approx(torch.trapezoid(values, z).item(), abs=1e-7)


def test_total_variation_at_special_points():
    zero, one = torch.zeros(1), torch.ones(1)
    assert overlap.total_variation(zero, zero, zero, zero).item() == 0
    # equal widths: 2Φ(d/2) − 1
    assert overlap.total_variation(one, zero, zero, zero).item() == pytest.approx(
        math.erf(0.5 / math.sqrt(2)), rel=1e-6
    )
    # nearly equal widths must not lose digits
    close = overlap.total_variation(one.double(), 1e-12 * one.double(), zero.double(), zero.double()).item()
    assert close == pytest.approx(math.erf(0.5 / math.sqrt(2)), rel=1e-9)
    assert overlap.total_variation(1e3 * one, zero, zero, zero).item() == pytest.approx(1)
    assert overlap.total_variation(zero, -20 * one, zero, zero).item() == pytest.approx(1, abs=1e-6)


def test_overlap_at_extremes_is_finite():
    far = overlap.bhattacharyya(torch.tensor(1e4), torch.tensor(-20.0), torch.tensor(0.0), torch.tensor(20.0))
    assert torch.isfinite(far) and 0 <= far <= 1


OF_TWO = [gaussian.kl_between, overlap.bhattacharyya, overlap.total_variation]


@pytest.mark.parametrize("function", OF_TWO)
def test_shapes_broadcast_or_are_refused_by_pytorch(function):
    mean, log_std = torch.tensor([[0.5], [-1.0]]), torch.tensor([0.1, 0.2, -0.3])
    zero, whole = torch.zeros(()), function(*torch.broadcast_tensors(mean, log_std), *torch.zeros(2, 2, 3))
    assert whole.shape == (2, 3) and torch.equal(function(mean, log_std, zero, zero), whole)
    with pytest.raises(RuntimeError, match="must match the size"):
        function(torch.zeros(2), torch.zeros(3), torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("function", [gaussian.log_density, *OF_TWO])
def test_what_is_not_a_number_stays_visible(function):
    count = 3 if function is gaussian.log_density else 4
    for i in range(count):
        arguments = [torch.tensor([0.5, 0.1 * j, -0.2]) for j in range(count)]
        arguments[i][1] = math.nan
        assert function(*arguments).isnan().tolist() == [False, True, False]


def test_kl_in_single_precision_agrees_with_torch_distributions():
    mean, log_std = torch.randn(2, 200, generator=torch.Generator().manual_seed(2)).unbind()
    oracle = kl_divergence(Normal(mean.double(), log_std.double().exp()), Normal(0.0, 1.0))
    kl = gaussian.kl_per_latent(mean, log_std)
    assert kl.dtype == torch.float32
    assert torch.allclose(kl.double(), oracle, rtol=1e-4, atol=1e-6)


def test_gradient_of_kl_is_exact_and_vanishes_at_the_prior():
    mean, log_std = torch.randn(2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64).unbind()
    assert torch.autograd.gradcheck(gaussian.kl_per_latent, (mean.requires_grad_(), log_std.requires_grad_()))
    prior = torch.zeros(2, 4, requires_grad=True)
    gaussian.kl_per_latent(*prior.unbind()).sum().backward()
    assert (prior.grad == 0).all()


def test_sample_repeats_with_its_seed_and_not_with_another():
    mean, log_std = torch.zeros(20), torch.zeros(20)
    a, b, c = (gaussian.sample(mean, log_std, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    # without a generator it is PyTorch's global one that decides
    torch.manual_seed(1)
    assert torch.equal(gaussian.sample(mean, log_std), a)


def test_sample_with_vanishing_spread_is_the_mean():
    mean = torch.linspace(-1e3, 1e3, 9)
    z = gaussian.sample(mean, torch.full((9,), -20.0), torch.Generator().manual_seed(0))
    assert torch.allclose(z, mean, rtol=0, atol=1e-7)


def test_kl_keeps_two_digits_all_the_way_to_the_prior():
    # many values: at a single one exp(2 log σ) − 1 may be right by luck
    for log_std in (torch.logspace(-4, -1, 50), -torch.logspace(-4, -1, 50)):
        oracle = kl_divergence(Normal(torch.zeros(50).double(), log_std.double().exp()), Normal(0.0, 1.0))
        relative = gaussian.kl_per_latent(torch.zeros(50), log_std).double() / oracle - 1
        assert relative.abs().max() < 0.01


def test_confusions_want_means_and_widths_of_one_shape():
    for one, other in (((3,), (3, 1)), ((1, 3), (1, 3)), ((1,), ()), ((3,), (2,)), ((3,), (1,))):
        with pytest.raises(ValueError, match="must have one shape"):
            overlap.confusions(torch.zeros(one), torch.ones(other))


def test_noise_is_drawn_where_the_means_are():
    class OnMeta(torch.Generator):
        device = torch.device("meta")  # stands for an accelerator: tensors there have a shape, but no values

    mean, log_std = torch.zeros(2, 4, 3, device="meta")
    z = gaussian.sample(mean, log_std, OnMeta())
    assert (z.device.type, z.shape) == ("meta", (4, 3))
