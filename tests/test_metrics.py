"""Metrics on codes whose score is known: a hand-made encoder and decoder stand in for the trained ones."""

import math

import pytest
import torch

from minivae import metrics
from minivae.datasets import Blobs

DATA = Blobs(sigma=7, margin=8)


class KnownCode:
    """Latents 0 and 1 hold the position turned by an angle, latent 2 is dead; the decoder draws the blob again."""

    def __init__(self, degrees: float = 0.0, tear: float = 0.0, second_blob: bool = False) -> None:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        self.turn = torch.tensor([[c, s], [-s, c]])
        self.tear = tear
        self.second_blob = second_blob

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        index = images.flatten(1).argmax(1)
        offset = torch.stack([index % 64 - 31.5, index // 64 - 31.5], dim=1) / 14
        mean = torch.cat([offset @ self.turn.T, torch.zeros(len(images), 1)], dim=1)
        log_std = torch.tensor([-2.0, -2.0, 0.0]).expand_as(mean)
        return mean, log_std

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        offset = z[:, :2] @ self.turn
        offset[:, 0] += self.tear / 14 * (offset[:, 0] > 0.5)
        positions = (32 + 14 * offset).clamp(8, 56)
        drawn = DATA.render(positions)
        if self.second_blob:
            drawn = torch.maximum(drawn, DATA.render(64 - positions))
        return torch.logit(drawn, eps=1e-6)


def test_correlations_of_a_perfect_code_are_one_and_zero():
    assert torch.allclose(metrics.correlations(KnownCode(), DATA), torch.tensor([[1.0, 0], [0, 1], [0, 0]]), atol=0.01)


def test_correlations_of_a_code_turned_by_45_degrees_are_the_cosine():
    corr = metrics.correlations(KnownCode(45), DATA)[:2]
    assert torch.allclose(corr.abs(), torch.full((2, 2), math.sqrt(0.5)), atol=0.01)


@pytest.mark.parametrize("degrees", [-80.0, -30.0, 0.0, 20.0, 45.0, 90.0])
def test_axis_angles_find_the_angle_of_a_turned_code(degrees):
    angles = metrics.axis_angles(KnownCode(degrees), DATA)
    for found, true in zip(angles[:2].tolist(), (degrees, degrees + 90), strict=True):
        assert abs((found - true + 90) % 180 - 90) < 0.5
        assert -90 < found <= 90


def test_mean_kl_of_the_dead_latent_is_zero():
    kl = metrics.mean_kl(KnownCode(), DATA.sample(50, torch.Generator().manual_seed(0))[0])
    assert kl[2] == 0 and (kl[:2] > 1).all()


def test_a_smooth_code_is_not_fragmented():
    images, _ = DATA.sample(4, torch.Generator().manual_seed(0))
    found = metrics.fragmentation(KnownCode(), images)
    # 14 pixels a unit of z, 0.1 a step
    assert found.jump == pytest.approx(1.4, abs=0.1) and found.broken == 0 and found.ghosts == 0


def test_a_torn_code_jumps_by_the_tear():
    images, _ = DATA.sample(4, torch.Generator().manual_seed(0))
    found = metrics.fragmentation(KnownCode(tear=12), images)
    assert 12 < found.jump < 13.4 + 0.1  # the canvas cuts off some light on the far side of the tear
    assert found.broken == 0.5  # the traversals of x, not those of y


def test_a_second_blob_is_a_ghost():
    images = DATA.render(torch.tensor([[14.0, 14.0], [50.0, 14.0]]))
    assert metrics.fragmentation(KnownCode(second_blob=True), images).ghosts == 1


@pytest.mark.parametrize(("positions", "blobs"), [([[32, 32]], 1), ([[16, 16], [48, 48]], 2),
                                                  ([[12, 12], [52, 12], [32, 52]], 3)])  # fmt: skip
def test_count_blobs(positions, blobs):
    drawn = Blobs(sigma=4).render(torch.tensor(positions, dtype=torch.float32)).amax(0, keepdim=True)
    assert metrics.count_blobs(drawn) == blobs


def test_centre_of_light_is_the_position_of_a_blob_inside_the_canvas():
    positions = torch.tensor([[30.0, 25.5], [40.25, 33.0]])
    assert torch.allclose(metrics.centre_of_light(Blobs(sigma=4).render(positions)), positions, atol=1e-3)


def test_traversal_changes_one_latent_only():
    z = torch.tensor([0.5, -1.0, 2.0])
    codes = metrics.traversal(z, 1, torch.tensor([-3.0, 3.0]))
    assert torch.equal(codes, torch.tensor([[0.5, -3.0, 2.0], [0.5, 3.0, 2.0]]))


@pytest.mark.parametrize(("z", "latent"), [(torch.zeros(2, 3), 0), (torch.zeros(3), 3), (torch.zeros(3), -1)])
def test_traversal_refuses_what_is_no_code(z, latent):
    with pytest.raises(ValueError, match="one code"):
        metrics.traversal(z, latent, torch.zeros(2))
