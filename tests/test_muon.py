"""Muon: against the singular value decomposition and PyTorch's own."""

import pytest
import torch
from torch import nn

from minivae.muon import Muon, orthogonal


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def gradient_of(p: nn.Parameter, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(p.shape, generator=generator)


@pytest.mark.parametrize("shape", [(256, 512), (512, 256), (64, 64), (20, 256)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_orthogonal_keeps_the_directions_and_evens_out_their_lengths(generator, shape, dtype):
    u, s, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    s = torch.logspace(-1.5, 0, len(s))  # the faintest gets 0.3 % of the norm or more
    rotated = u.T @ orthogonal(u @ torch.diag(s) @ v, dtype) @ v.T
    lengths = rotated.diagonal()
    assert lengths.min() > 0.6 and lengths.max() < 1.25
    assert (rotated - torch.diag(lengths)).abs().max() < (1e-4 if dtype == torch.float32 else 0.05)


def test_orthogonal_of_a_column_is_its_direction(generator):
    g = torch.randn(7, 1, generator=generator)
    torch.testing.assert_close(orthogonal(g), nn.functional.normalize(g, dim=0))
    assert torch.equal(orthogonal(torch.zeros(7, 1)), torch.zeros(7, 1))
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(256, 512), (64, 32)])
def test_muon_is_that_of_pytorch_on_a_matrix(generator, shape):
    p = nn.Parameter(torch.randn(shape, generator=generator))
    q = nn.Parameter(p.detach().clone())
    ours = Muon([p], 0.01)
    theirs = torch.optim.Muon([q], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        before, p.grad = p.detach().clone(), gradient_of(p, generator)
        q.grad = p.grad.clone()
        q.data.copy_(p.data)
        ours.step()
        theirs.step()
        moved, wanted = p - before, q - before
        # PyTorch's products are in bfloat16 whatever the weights are
        assert (moved - wanted).norm() < 0.03 * wanted.norm()


def test_muon_takes_a_convolution_as_a_matrix(generator):
    weight = torch.randn(8, 4, 3, 3, generator=generator)
    p = nn.Parameter(weight.clone(memory_format=torch.channels_last))
    q = nn.Parameter(weight.flatten(1))
    p.grad = gradient_of(p, generator)
    q.grad = p.grad.flatten(1)
    Muon([p], 0.01).step()
    Muon([q], 0.01).step()
    torch.testing.assert_close(p.detach().flatten(1), q.detach())


def test_muon_moves_a_bias_by_its_direction_and_leaves_what_has_no_gradient(generator):
    bias, still = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(3))
    bias.grad = gradient_of(bias, generator)
    Muon([bias, still], 0.01).step()
    torch.testing.assert_close(bias.detach(), -0.2 * 0.01 * 4 * bias.grad / bias.grad.norm())
    assert torch.equal(still, torch.zeros(3))


def test_faint_directions_do_not_wait(generator):
    """y = A x with singular values from 1 to 1/30: after 100 steps Muon is nearer in the faintest than Adam."""
    u = torch.linalg.qr(torch.randn(16, 16, generator=generator))[0]
    v = torch.linalg.qr(torch.randn(16, 16, generator=generator))[0]
    spread = torch.logspace(0, -1.5, 16)
    left = {}
    for kind in (Muon, torch.optim.Adam):
        p = nn.Parameter(torch.zeros(16, 16))
        optimizer = kind([p], lr=0.02)
        for _ in range(100):
            p.grad = u @ (spread[:, None] * (u.T @ p.detach() @ v - torch.eye(16)) * spread) @ v.T
            optimizer.step()
        left[kind] = (1 - (u.T @ p.detach() @ v)[-1, -1]).item()
    assert left[Muon] < 0.2 < 0.8 < left[torch.optim.Adam]


@pytest.mark.parametrize("change, message", [({"lr": 0.0}, "lr"), ({"lr": 0.1, "momentum": 1.0}, "momentum must lie")])
def test_settings_out_of_range(change, message):
    with pytest.raises(ValueError, match=message):
        Muon([nn.Parameter(torch.zeros(2, 2))], **change)
