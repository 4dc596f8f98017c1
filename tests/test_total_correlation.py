"""The parts of the KL against exact integrals, and the objective that prices one of them."""

import math

import pytest
import torch

from minivae import Blobs, Experiment, Run, TotalCorrelationELBO, gaussian, train
from minivae.channel import mutual_information
from minivae.total_correlation import kl_parts

# four pictures, all there are, in two latents that depend on each other
MEAN = torch.tensor([[-1.2, -1.0], [-0.9, -1.1], [1.0, 0.6], [1.3, 1.2]], dtype=torch.float64)
LOG_STD = torch.tensor([[-0.9, -0.5], [-1.2, -0.4], [-0.7, -0.8], [-1.0, -0.6]], dtype=torch.float64)


def exact_parts() -> torch.Tensor:
    """Information, total correlation and dimension-wise KL by sums on a fine grid of the plane."""
    line = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    u, v = torch.meshgrid(line, line, indexing="ij")
    z = torch.stack([u, v], dim=2)
    area = (line[1] - line[0]) ** 2
    given = gaussian.log_density(z[:, :, None], MEAN, LOG_STD)  # 1401, 1401, pictures, latents
    joint = given.sum(3).exp().mean(2)
    first, second = (gaussian.log_density(line[:, None], MEAN[:, i], LOG_STD[:, i]).exp().mean(1) for i in (0, 1))
    product = first[:, None] * second
    prior = torch.exp(-0.5 * (u**2 + v**2)) / (2 * math.pi)
    per_picture = given.sum(3).exp()
    information = (per_picture * (given.sum(3) - joint.log()[:, :, None])).sum((0, 1)).mean() * area
    return torch.stack([
        information, (joint * (joint / product).log()).sum() * area, (joint * (product / prior).log()).sum() * area
    ])  # fmt: skip


def samples(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Each picture n times, and a sample of each."""
    mean, log_std = MEAN.repeat(n, 1), LOG_STD.repeat(n, 1)
    return gaussian.sample(mean, log_std, torch.Generator().manual_seed(seed)), mean, log_std


def test_parts_are_the_exact_ones_and_add_up_to_the_kl():
    exact = exact_parts()
    kl = gaussian.kl_per_latent(MEAN, LOG_STD).sum(1).mean()
    assert exact.sum() == pytest.approx(kl.item(), abs=1e-6)
    parts = kl_parts(*samples(600))
    assert torch.allclose(parts, exact, atol=0.04) and exact[1] > 0.3


def test_with_one_latent_the_information_is_the_channels_and_nothing_depends_on_anything():
    z, mean, log_std = (t[:, :1] for t in samples(600))
    information, dependence, _ = kl_parts(z, mean, log_std)
    exact = mutual_information(MEAN[:, 0], LOG_STD[:, 0].exp())
    assert information == pytest.approx(exact.item(), abs=0.03) and dependence.abs() < 1e-12


def test_of_few_samples_all_posteriors_count():
    z, mean, log_std = samples(600)
    some = kl_parts(z[:1000], mean, log_std)
    assert torch.allclose(some, kl_parts(z, mean, log_std), atol=0.05)
    with pytest.raises(ValueError, match="samples of the first of"):
        kl_parts(z, mean[:10], log_std[:10])


def test_the_gradient_is_that_of_minibatch_weighted_sampling():
    """Chen et al.'s estimate divides by a constant more, for a data set of N pictures."""
    z, mean, log_std = samples(8)
    mean.requires_grad_()
    size = math.log(1_000 * len(mean))
    each = gaussian.log_density(z[:, None], mean, log_std)
    theirs = (torch.logsumexp(each.sum(2), 1) - size - (torch.logsumexp(each, 1) - size).sum(1)).mean()
    ours = kl_parts(z, mean, log_std)[1]
    assert theirs.item() != pytest.approx(ours.item(), abs=1)
    (a,), (b,) = torch.autograd.grad(ours, mean), torch.autograd.grad(theirs, mean)
    assert torch.allclose(a, b) and a.abs().max() > 1e-3


def test_beta_prices_the_total_correlation_alone():
    z, mean, log_std = samples(8)
    kl = gaussian.kl_per_latent(mean, log_std).mean(0)
    loss = {beta: TotalCorrelationELBO(beta)(torch.tensor(7.0), kl, 1, z=z, mean=mean, log_std=log_std)
            for beta in (1.0, 6.0)}  # fmt: skip
    assert loss[1.0] == 7 + kl.sum()
    assert loss[6.0] - loss[1.0] == pytest.approx(5 * kl_parts(z, mean, log_std)[1].item())
    with pytest.raises(ValueError, match="beta must be"):
        TotalCorrelationELBO(-1.0)


def test_it_trains_and_is_stored(tmp_path):
    experiment = Experiment("mine", Blobs(size=32), TotalCorrelationELBO(6.0), 3)
    run = train(experiment, seed=1, progress=False, out=tmp_path / "run.h5")
    assert Run.load(tmp_path / "run.h5").experiment == experiment
    kl = run.history["kl"].sum(1)
    assert (run.history["loss"] != run.history["reconstruction"] + kl).all()
