"""Agreement of models: known codes, and the published implementation's formula on random ones."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from minivae.metrics import udr

Z = torch.randn(800, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
ON = torch.ones(4)


def test_the_same_latents_in_another_order_sign_and_scale_agree():
    other = -torch.exp(Z[:, [2, 0, 3, 1]])
    assert torch.allclose(udr([Z, other], [ON, ON]), torch.tensor([0.93, 0.93], dtype=torch.float64), atol=0.07)


def test_turned_latents_agree_less_and_unrelated_ones_hardly():
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    same, turned = udr([Z, Z], [ON, ON])[0], udr([Z, Z @ turn], [ON, ON])[0]
    unrelated = udr([Z, torch.randn(800, 4, generator=torch.Generator().manual_seed(2))], [ON, ON])[0]
    assert same > turned + 0.2 > unrelated + 0.3 and unrelated < 0.1


def test_inactive_latents_do_not_count():
    noisy = torch.cat([Z[:, :2], torch.randn(800, 2, generator=torch.Generator().manual_seed(3)).double()], dim=1)
    kl = torch.tensor([2.0, 1.0, 0.005, 0.0])
    few = udr([Z[:, :2], Z[:, :2]], [ON[:2], ON[:2]])
    assert torch.allclose(udr([noisy, noisy], [kl, kl]), few)
    assert udr([noisy, noisy], [kl, torch.zeros(4)]).tolist() == [0, 0]


def test_a_model_has_the_median_of_its_pairs():
    unrelated = torch.randn(800, 4, generator=torch.Generator().manual_seed(2)).double()
    scores = udr([Z, Z, Z, unrelated], [ON] * 4)
    assert scores[0] > 0.85 and scores[3] < 0.1  # of three pairs the middle one
    assert udr([Z, unrelated, Z], [ON] * 3)[0] == pytest.approx(
        float(udr([Z, Z], [ON] * 2)[0] + scores[3]) / 2, abs=0.02
    )


def test_it_is_the_published_formula():
    """Duan et al.'s relative strength, written anew with scipy's correlations one by one."""
    other = (Z @ torch.randn(4, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)).tanh()
    r = np.abs([[spearmanr(Z[:, a], other[:, b])[0] for b in range(3)] for a in range(4)])
    rows = np.mean([max(row) ** 2 / sum(row) for row in r])
    columns = np.mean([max(column) ** 2 / sum(column) for column in r.T])
    assert udr([Z, other], [ON, torch.ones(3)])[1] == pytest.approx((rows + columns) / 2, abs=1e-9)


def test_what_does_not_fit_is_refused():
    for codes, kls in (([Z], [ON]), ([Z, Z[:5]], [ON, ON]), ([Z, Z], [ON, ON[:2]])):
        with pytest.raises(ValueError, match="two or more models"):
            udr(codes, kls)
