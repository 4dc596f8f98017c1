"""Blobs against the formula pixel by pixel, and positions against the moments of their domain."""

import math

import numpy as np
import pytest
import torch

from minivae.datasets import Blobs


def test_render_is_the_formula_at_pixel_centres():
    blobs = Blobs(sigma=3, margin=2, size=16)
    (image,) = blobs.render(torch.tensor([[5.25, 9.5]], dtype=torch.float64))[0]
    for row in range(16):
        for column in range(16):
            r2 = (column + 0.5 - 5.25) ** 2 + (row + 0.5 - 9.5) ** 2
            assert image[row, column].item() == pytest.approx(math.exp(-r2 / 18), abs=1e-12)


# variance of a coordinate of the uniform distribution on the domain, in units of its half-width squared
@pytest.mark.parametrize(("domain", "variance"), [("square", 1 / 3), ("diamond", 1 / 6), ("disc", 1 / 4)])
def test_positions_are_uniform_on_the_domain(domain, variance):
    blobs, n = Blobs(domain=domain, size=64, margin=8), 20_000
    images, positions = Blobs(domain=domain, margin=8).sample(10, torch.Generator().manual_seed(0))
    assert torch.allclose(images, blobs.render(positions))
    u = torch.cat([blobs.sample(2_000, torch.Generator().manual_seed(i))[1] for i in range(n // 2_000)])
    assert blobs.contains(u).all()
    offset = (u - 32) / 24
    error = 4 * math.sqrt(variance / n)
    assert offset.mean(0).abs().max() < error
    assert (offset.square().mean(0) - variance).abs().max() < 4 / math.sqrt(n)
    assert abs((offset[:, 0] * offset[:, 1]).mean()) < 4 * variance / math.sqrt(n)
    # the inner half of the domain holds a quarter of its area
    inner = Blobs(domain=domain, margin=20).contains(u).float().mean().item()
    assert inner == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / n))


def test_same_seed_same_images_and_another_seed_others():
    a, b, c = (Blobs().sample(5, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == (5, 1, 64, 64) and a.dtype == torch.float32 and 0 <= a.min() and a.max() <= 1


def test_sampling_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    Blobs().sample(5, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())


def test_grid_spans_the_domain_with_y_slowest():
    grid = Blobs(margin=8).grid(3)
    assert grid.tolist() == [[x, y] for y in (8, 32, 56) for x in (8, 32, 56)]
    assert np.array_equal(Blobs(margin=8, domain="diamond").contains(grid), [0, 1, 0, 1, 1, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": 0}, "sigma must be a finite number > 0"),
        ({"sigma": -1.0}, "sigma must be a finite number > 0"),
        ({"sigma": float("nan")}, "sigma must be a finite number > 0"),
        ({"margin": 32}, r"margin must lie in \[0, size/2\)"),
        ({"margin": -1}, "margin must lie"),
        ({"domain": "circle"}, "domain must be one of square, diamond, disc, got 'circle'"),
        ({"size": 0}, "size must be a whole number"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Blobs(**settings)


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        Blobs().sample(0)
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        Blobs().render(torch.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        Blobs().render(torch.tensor([[float("nan"), 1.0]]))
    with pytest.raises(ValueError, match="n must be a whole number of at least 2"):
        Blobs().grid(1)


def test_render_of_the_course_blob_is_the_formula_in_single_precision():
    blobs = Blobs()
    positions = torch.tensor([[8.0, 56.0], [31.3, 12.8]])
    for image, (x, y) in zip(blobs.render(positions)[:, 0].tolist(), positions.tolist(), strict=True):
        loops = [[math.exp(-((j + 0.5 - x) ** 2 + (i + 0.5 - y) ** 2) / (2 * 7**2)) for j in range(64)]
                 for i in range(64)]  # fmt: skip
        assert np.allclose(image, loops, rtol=1e-4, atol=1e-7)


# E[u²] and E[u⁴] of a coordinate, in units of the half-width: ∫ over the line, the triangle and the half-circle
@pytest.mark.parametrize(
    ("domain", "second", "fourth"), [("square", 1 / 3, 1 / 5), ("diamond", 1 / 6, 1 / 15), ("disc", 1 / 4, 1 / 8)]
)
def test_variance_of_positions_lies_within_its_monte_carlo_error(domain, second, fourth):
    # tiny images: only the positions matter here
    n, blobs = 40_000, Blobs(domain=domain, size=4, margin=1, sigma=1)
    u = (blobs.sample(n, torch.Generator().manual_seed(11))[1].double() - 2) / 1
    error = math.sqrt((fourth - second**2) / n)
    assert (u.square().mean(0) - second).abs().max() < 4 * error
    assert (u.pow(4).mean(0) - fourth).abs().max() < 4 / math.sqrt(n)


def test_contains_refuses_what_lies_outside():
    corner, side = torch.tensor([[8.0, 8.0]]), torch.tensor([[8.0, 32.0]])
    held = {domain: [Blobs(domain=domain).contains(p).item() for p in (corner, side, side - 0.1)] for domain in
            ("square", "diamond", "disc")}  # fmt: skip
    assert held == {"square": [1, 1, 0], "diamond": [0, 1, 0], "disc": [0, 1, 0]}


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))],
)
def test_images_are_made_on_the_device_of_the_generator(device):
    images, positions = Blobs().sample(3, torch.Generator(device).manual_seed(0))
    assert images.device.type == positions.device.type == device
