"""Confusions of overlapping posteriors, against quadrature and at their limits."""

import numpy as np
import pytest
import torch

from minivae.overlap import confusions, right_guesses, total_variation


def test_confusions_of_two_pictures_agree_with_quadrature():
    means, stds = torch.tensor([-0.5, 0.8], dtype=torch.float64), torch.tensor([0.4, 0.9], dtype=torch.float64)
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    q = torch.exp(-0.5 * ((z[:, None] - means) / stds) ** 2) / (stds * np.sqrt(2 * np.pi))
    belief = q / q.sum(1, keepdim=True)
    oracle = torch.trapezoid(q.mean(1)[:, None, None] * belief[:, :, None] * belief[:, None, :], z, dim=0)
    assert torch.allclose(confusions(means, stds), oracle, atol=1e-8)


def test_confusions_at_the_limits():
    far = confusions(torch.tensor([-50.0, 0.0, 50.0]), torch.ones(3))
    assert torch.allclose(far, torch.eye(3) / 3, atol=1e-6)  # nobody is confused
    same = confusions(torch.zeros(4), torch.ones(4))
    assert torch.allclose(same, torch.full((4, 4), 1 / 16), atol=1e-6)  # everybody is


def test_right_guesses_of_one_and_of_two():
    one = torch.ones(1, dtype=torch.float64)
    assert right_guesses(3 * one, 0.5 * one) == pytest.approx(1, abs=1e-6)
    means, stds = torch.tensor([-0.5, 0.8], dtype=torch.float64), torch.tensor([0.4, 0.9], dtype=torch.float64)
    apart = total_variation(means[0], stds[0].log(), means[1], stds[1].log()).item()
    assert right_guesses(means, stds) == pytest.approx((1 + apart) / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("means", "stds", "message"),
    [
        (torch.zeros(2), torch.ones(3), r"one shape \(n,\)"),
        (torch.zeros(2, 2), torch.ones(2, 2), r"one shape \(n,\)"),
        (torch.zeros(2), torch.tensor([1.0, 0.0]), "stds must be finite and > 0, got 0"),
        (torch.tensor([0.0, np.nan]), torch.ones(2), "means must be finite"),
    ],
)
def test_bad_codes_are_refused(means, stds, message):
    with pytest.raises(ValueError, match=message):
        confusions(means, stds)
