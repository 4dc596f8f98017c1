"""The collapse threshold against numpy, and against the sign of the loss of a faint code, exactly integrated."""

import numpy as np
import pytest
import torch

from minivae.collapse import collapse_threshold
from minivae.datasets import Blobs
from minivae.objectives import bernoulli_nll


@pytest.mark.parametrize("n", [20, 500], ids=["fewer images than pixels", "more images than pixels"])
def test_threshold_is_the_top_eigenvalue_of_the_scaled_covariance(n):
    images = torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    x = images.flatten(1).double().numpy()
    p = x.mean(0)
    scale = np.sqrt(p * (1 - p))
    oracle = np.linalg.eigvalsh(np.cov(x.T) / np.outer(scale, scale))[-1]
    assert collapse_threshold(images) == pytest.approx(oracle, rel=1e-9)


def test_a_pixel_that_never_changes_does_not_matter():
    images = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    assert collapse_threshold(padded) == pytest.approx(collapse_threshold(images), rel=1e-9)


@pytest.mark.parametrize(("factor", "pays"), [(0.9, True), (1.1, False)])
def test_a_faint_code_pays_below_the_threshold_and_not_above(factor, pays):
    images = Blobs(sigma=3, margin=4, size=16).sample(400, torch.Generator().manual_seed(0))[0].double()
    x = images.flatten(1)
    p = x.mean(0)
    scale = (p * (1 - p)).sqrt()
    y = (x - p) / scale
    values, vectors = torch.linalg.eigh(y.T @ y / (len(x) - 1))
    f, w, a = y @ vectors[:, -1], vectors[:, -1] / scale * values[-1], 0.01
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    noisy = sum(
        weight / weights.sum() * bernoulli_nll(torch.logit(p) + a * w * (a * f + node)[:, None], x)
        for node, weight in zip(nodes, weights, strict=True)
    )
    gain = (bernoulli_nll(torch.logit(p).expand_as(x), x) - noisy).mean()
    cost = factor * collapse_threshold(images) * 0.5 * a**2 * f.square().mean()
    assert bool(gain > cost) is pays


def test_bad_samples_are_refused():
    with pytest.raises(ValueError, match="n ≥ 2"):
        collapse_threshold(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        collapse_threshold(torch.full((3, 1, 4, 4), 2.0))


def faint_code(direction_of):
    """A sample of small blobs, its collapsed model and a 1-latent code along a direction of the scaled pixels."""
    images = Blobs(sigma=3, margin=4, size=12).sample(300, torch.Generator().manual_seed(1))[0].double()
    x = images.flatten(1)
    p = x.mean(0)
    scale = (p * (1 - p)).sqrt()
    y = (x - p) / scale
    return images, x, p, scale, y, direction_of(y)


def break_even(x, p, scale, y, u, amplitude=1e-2):
    """β at which a code z = a·f + ε with logits logit p̄ + a·w·z neither gains nor costs, to second order in a."""
    f = y @ u
    w = (y * f[:, None]).mean(0) / scale  # the best linear decoder of f: zero of the quadratic form's w-gradient
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)

    def loss(a):
        z = a * f + torch.from_numpy(nodes)[:, None]
        logits = torch.logit(p) + a * z[..., None] * w
        nll = torch.stack([bernoulli_nll(layer, x) for layer in logits]).mean(1)
        return (nll * torch.from_numpy(weights / weights.sum())).sum()

    # second difference over its step: the gain is even in a, as a enters encoder and decoder alike
    gain = 2 * (loss(torch.tensor(0.0)) - loss(amplitude)) / amplitude**2
    return (gain / f.square().mean()).item()  # the KL ½a²f² has second derivative f²


def test_second_derivative_of_the_loss_changes_sign_at_the_threshold():
    images, *sample, u = faint_code(lambda y: torch.linalg.eigh(y.T @ y)[1][:, -1])
    # the loss is of these images alone, the threshold estimates their population's covariance: n against n − 1
    n = len(images)
    assert break_even(*sample, u) == pytest.approx(collapse_threshold(images) * (n - 1) / n, rel=2e-3)


def test_no_other_direction_pays_above_the_threshold():
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        images, *sample, u = faint_code(
            lambda y, g=generator: torch.nn.functional.normalize(torch.randn(y.shape[1], generator=g).double(), dim=0)
        )
        assert 0 < break_even(*sample, u) < collapse_threshold(images)


def test_threshold_of_pixels_that_are_one_coin_is_their_number():
    # black or white together: the scaled covariance is a matrix of ones, up to n/(n − 1)
    coin = (torch.arange(100) % 2).double()[:, None, None, None].expand(100, 1, 3, 4)
    assert collapse_threshold(coin) == pytest.approx(12 * 100 / 99, rel=1e-9)


def test_images_that_never_change_have_nothing_to_encode():
    assert collapse_threshold(torch.full((4, 1, 3, 3), 0.3)) == pytest.approx(0, abs=1e-9)
