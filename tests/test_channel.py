"""Rates against Gaussian closed forms, scipy's optimiser and Monte Carlo."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from minivae import channel


def test_capacity():
    assert channel.awgn_capacity(3.0).item() == pytest.approx(math.log(2))
    assert channel.awgn_capacity(torch.tensor(1e-12, dtype=torch.float64)).item() == pytest.approx(5e-13)


def test_information_of_a_gaussian_input_is_the_capacity():
    quantiles = (torch.arange(300, dtype=torch.float64) + 0.5) / 300
    means = 1.7 * torch.special.ndtri(quantiles)  # 300 equally likely points of a normal distribution
    capacity = channel.awgn_capacity(means.var(unbiased=False) / 0.8**2)
    information = channel.mutual_information(means, 0.8)
    assert information.item() == pytest.approx(capacity.item(), abs=2e-3) and information <= capacity


def test_information_limits():
    means = torch.tensor([-50.0, 0.0, 50.0], dtype=torch.float64)
    assert channel.mutual_information(means, 1.0).item() == pytest.approx(math.log(3), abs=1e-9)
    assert channel.mutual_information(means, 1e6).item() == pytest.approx(0, abs=1e-8)
    probabilities = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    assert channel.mutual_information(means, 1.0, probabilities).item() == pytest.approx(1.5 * math.log(2), abs=1e-9)


def test_information_agrees_with_monte_carlo():
    rng = np.random.default_rng(0)
    means, std, p = np.array([-1.0, 0.3, 2.0]), np.array([0.5, 1.0, 0.7]), np.array([0.2, 0.5, 0.3])
    x = rng.choice(3, size=400_000, p=p)
    z = means[x] + std[x] * rng.normal(size=len(x))
    density = np.exp(-0.5 * ((z[:, None] - means) / std) ** 2) / std
    sample = np.log(density[np.arange(len(x)), x] / (density @ p))
    exact = channel.mutual_information(*(torch.from_numpy(v) for v in (means, std, p)))
    assert abs(exact.item() - sample.mean()) < 4 * sample.std() / math.sqrt(len(x))


def test_information_is_differentiable():
    means = torch.tensor([-1.0, 0.2, 1.5], dtype=torch.float64, requires_grad=True)
    std = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(channel.mutual_information, (means, std))


EIGENVALUES = torch.tensor([8.0, 4.0, 4.0, 1.5, 0.2], dtype=torch.float64)


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0, 3.0, 10.0])
def test_water_filling_reaches_its_rate_at_one_level(rate):
    found = channel.reverse_water_filling(EIGENVALUES, rate=rate)
    assert found.rates.sum().item() == pytest.approx(rate, abs=1e-9)
    assert torch.allclose(found.distortions, EIGENVALUES * torch.exp(-2 * found.rates))
    assert torch.allclose(found.distortions, EIGENVALUES.clamp_max(found.level))


def test_water_filling_beats_any_other_split():
    rate = 2.0
    found = channel.reverse_water_filling(EIGENVALUES, rate=rate)
    values = EIGENVALUES.numpy()
    oracle = optimize.minimize(
        lambda r: (values * np.exp(-2 * r)).sum(), np.full(5, rate / 5), bounds=[(0, None)] * 5,
        constraints={"type": "eq", "fun": lambda r: r.sum() - rate}, options={"ftol": 1e-12},
    )  # fmt: skip
    assert np.allclose(oracle.x, found.rates, atol=1e-3)
    assert found.distortions.sum().item() == pytest.approx(oracle.fun, abs=1e-6)


def test_linear_beta_vae_minimises_its_loss():
    noise, beta = 0.25, 4.0
    best = channel.linear_beta_vae(EIGENVALUES, noise, beta)
    assert torch.allclose(best.kl, channel.reverse_water_filling(EIGENVALUES, rate=best.kl.sum().item()).rates)
    for i, value in enumerate(EIGENVALUES.tolist()):

        def loss(parameters, value=value):  # of one component: encoder gain, decoder gain, log σ
            v, w, log_std = parameters
            error = value * (1 - w * v) ** 2 + w**2 * math.exp(2 * log_std)
            return error / (2 * noise) + beta * (0.5 * (v**2 * value + math.exp(2 * log_std) - 1) - log_std)

        oracle = optimize.minimize(
            loss, [0.5, 0.5, -0.1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
        )
        v, w, log_std = oracle.x
        assert abs(w) == pytest.approx(best.decoder_norms[i].item(), abs=1e-3)
        assert math.exp(log_std) == pytest.approx(best.stds[i].item(), abs=1e-3)
        kl = 0.5 * (v**2 * value + math.exp(2 * log_std) - 1) - log_std
        assert kl == pytest.approx(best.kl[i].item(), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channel.awgn_capacity(-1.0), "snr must be ≥ 0, got -1"),
        (lambda: channel.awgn_capacity(float("nan")), "snr must be ≥ 0, got nan"),
        (lambda: channel.mutual_information(torch.zeros(2), 0.0), "std must be a finite number > 0, got 0"),
        (lambda: channel.mutual_information(torch.zeros(2, 2), 1.0), r"means must have shape \(n,\)"),
        (lambda: channel.mutual_information(torch.tensor([math.inf]), 1.0), "means must be finite"),
        (lambda: channel.mutual_information(torch.zeros(2), 1.0, torch.ones(2)), "they add up to 2"),
        (lambda: channel.mutual_information(torch.zeros(2), 1.0, torch.ones(1)), "they add up to 2"),
        (lambda: channel.reverse_water_filling(torch.ones(2), rate=-0.1), "rate must be .* got -0.1"),
        (lambda: channel.reverse_water_filling(torch.tensor([1.0, 0.0]), rate=1), "finite and > 0, got 0"),
        (lambda: channel.linear_beta_vae(torch.ones(2), 0.0, 1.0), "noise must be a finite number > 0, got 0"),
        (lambda: channel.linear_beta_vae(torch.ones(2), 1.0, -2.0), "beta must be a finite number > 0, got -2"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("wrong", [{"std": torch.ones(3)}, {"std": 1.0, "probabilities": torch.ones(3) / 3}])
def test_information_refuses_shapes_that_do_not_fit(wrong):
    with pytest.raises(RuntimeError, match="must match the existing size"):
        channel.mutual_information(torch.zeros(2), **wrong)


def test_probabilities_that_are_none_are_refused():
    means = torch.tensor([0.0, 1.0, 2.0])
    for bad in ([0.3, 0.3, 0.3], [0.4, 0.4, 0.4], [0.6, 0.6, -0.2], [0.0, 0.0, 0.0], [math.nan, 0.5, 0.5]):
        with pytest.raises(ValueError, match="probabilities must be ≥ 0 and add up to 1"):
            channel.mutual_information(means, 1.0, torch.tensor(bad))
    sure = channel.mutual_information(means, 1.0, torch.tensor([1.0, 0.0, 0.0]))
    assert sure.item() == pytest.approx(0, abs=1e-6)


def test_rates_out_of_reach_are_refused_and_none_is_not():
    values = torch.tensor([4.0, 1.0], dtype=torch.float64)
    for bad in (-0.001, math.inf, math.nan):
        with pytest.raises(ValueError, match="rate must be a finite number ≥ 0"):
            channel.reverse_water_filling(values, rate=bad)
    nothing = channel.reverse_water_filling(values, rate=0)
    assert nothing.rates.tolist() == [0, 0] and nothing.distortions.tolist() == [4, 1] and nothing.level == 4
