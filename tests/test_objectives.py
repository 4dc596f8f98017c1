"""Losses against torch.distributions; reductions are sums over pixels and latents, means over the batch."""

import pytest
import torch
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
