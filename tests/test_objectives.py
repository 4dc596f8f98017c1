"""Losses against torch.distributions; reductions are sums over pixels and latents, means over the batch."""

import numpy as np
import pytest
import torch
from scipy import special
from torch.distributions import Bernoulli

from minivae.objectives import ELBO, BetaELBO, bernoulli_floor, bernoulli_nll, check_range


def test_nll_agrees_with_torch_distributions_and_sums_over_pixels():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 3, 8, 8, generator=generator)
    images = (torch.rand(4, 3, 8, 8, generator=generator) > 0.5).float()
    oracle = -Bernoulli(logits=logits).log_prob(images).sum((1, 2, 3))
    assert torch.allclose(bernoulli_nll(logits, images), oracle, rtol=1e-5)


def test_floor_is_the_least_nll_of_grey_targets():
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = torch.logit(images).requires_grad_()
    least = bernoulli_nll(logits, images)
    assert torch.allclose(least, bernoulli_floor(images))
    least.sum().backward()
    assert logits.grad.abs().max() < 1e-12
    assert (bernoulli_nll(logits + 0.1, images) > least).all()


def test_floor_of_black_and_white_is_zero():
    assert bernoulli_floor(torch.tensor([[[[0.0, 1.0]]]])).tolist() == [0]


def test_objectives_add_kl_with_its_price():
    reconstruction, kl = torch.tensor(100.0), torch.tensor([1.0, 2.0, 0.5])
    assert ELBO()(reconstruction, kl, step=1) == 103.5
    assert BetaELBO(150)(reconstruction, kl, step=1) == 100 + 150 * 3.5
    assert BetaELBO(1)(reconstruction, kl, step=1) == ELBO()(reconstruction, kl, step=1)


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf")])
def test_bad_beta_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a finite number ≥ 0"):
        BetaELBO(beta)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        bernoulli_nll(torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 8))


@pytest.mark.parametrize("value", [-0.1, 1.1, 255.0, float("nan")])
def test_images_outside_the_unit_interval_are_refused(value):
    images = torch.full((1, 1, 2, 2), 0.5)
    images[0, 0, 0, 0] = value
    for function in (check_range, bernoulli_floor):
        with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
            function(images)


def test_floor_is_the_entropy_of_scipy():
    images = torch.rand(5, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = images.numpy()
    oracle = (special.entr(x) + special.entr(1 - x)).sum((1, 2, 3))
    assert np.allclose(bernoulli_floor(images), oracle, rtol=1e-12)


def test_nll_of_grey_targets_is_the_cross_entropy_written_out():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 1, 4, 4, generator=generator, dtype=torch.float64)
    images = torch.rand(3, 1, 4, 4, generator=generator, dtype=torch.float64)
    x, p = images.numpy(), 1 / (1 + np.exp(-logits.numpy()))
    oracle = [-sum(a * np.log(b) + (1 - a) * np.log1p(-b) for a, b in zip(i.flat, j.flat, strict=True))
              for i, j in zip(x, p, strict=True)]  # fmt: skip
    assert np.allclose(bernoulli_nll(logits, images), oracle, rtol=1e-12)


def test_nll_is_finite_at_logits_that_saturate():
    images = torch.tensor([[[[0.0, 1.0]]]])
    nll = bernoulli_nll(torch.tensor([[[[1e4, -1e4]]]]), images)
    assert nll.tolist() == [2e4] and bernoulli_nll(torch.tensor([[[[-1e4, 1e4]]]]), images).tolist() == [0]


def test_objectives_have_the_gradient_of_their_price():
    reconstruction, kl = torch.tensor(1.0, requires_grad=True), torch.ones(4, requires_grad=True)
    BetaELBO(7.0)(reconstruction, kl, step=5).backward()
    assert reconstruction.grad == 1 and kl.grad.tolist() == [7.0] * 4
