"""Bayes-optimal decoders against brute force: the belief written out, picture by picture."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from minivae import gaussian
from minivae.codes import moments, picture_moments, symmetric_orientation
from minivae.datasets import Blobs, Sprites
from minivae.ideal_decoder import BlobChannels, SpriteChannels, amplitudes, distortion, moment_channels, sobol


@pytest.fixture(scope="module", params=["raw", "centred"])
def sprites(request) -> SpriteChannels:
    return SpriteChannels(request.param)


def test_pictures_lie_within_half_a_pixel_of_the_published_place():
    channels = SpriteChannels()
    points = sobol(channels, 64)[:, :5]
    images, _ = channels.draw(points)
    classes = (points * torch.tensor(Sprites.sizes[1:])).long()
    published = Sprites().render(torch.cat([torch.zeros(64, 1).long(), classes], dim=1))[:, 0]
    pixels = torch.arange(64) + 0.5
    for axis in (1, 2):
        centres = [(p.sum(axis) * pixels).sum(1) / p.sum((1, 2)) for p in (images, published)]
        assert (centres[0] - centres[1]).abs().max() < 0.75  # point sampling itself moves a sprite's middle a little
    points[:8, 3:] = torch.tensor([0.0, 0.999]).repeat(4)[:, None]
    images, _ = channels.draw(points[:8])
    classes = (points[:8] * torch.tensor([3, 6, 40, 32, 32])).long()
    assert torch.equal(images, Sprites().render(torch.cat([torch.zeros(8, 1).long(), classes], dim=1))[:, 0])


def test_signals_have_mean_zero_and_variance_one(sprites):
    grids = [torch.arange(n) for n in (3, 6, 40)]
    points = (torch.cartesian_prod(*grids) + 0.5) / torch.tensor([3, 6, 40])
    _, signals = sprites.draw(torch.cat([points, points[:, :2] * 0], dim=1))
    assert torch.allclose(signals[:, :3].mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(signals[:, :3].var(0, correction=0), torch.ones(3), atol=1e-5)


def test_signals_are_the_published_values_in_order(sprites):
    points = sobol(sprites, 200)[:, :5]
    _, signals = sprites.draw(points)
    classes = (points * torch.tensor(Sprites.sizes[1:])).long()
    for i, name in enumerate(sprites.factors):
        f = Sprites().values[name]
        expected = (f - f.mean()) / f.std(correction=0)
        assert torch.allclose(signals[:, i], expected[classes[:, i]].float(), atol=1e-5)


@pytest.mark.slow
def test_decoder_is_the_mean_under_the_belief_written_out():
    """E[x|z] from the Gaussian likelihood of every picture, but for those a hundred nats less likely than the best."""
    channels = SpriteChannels()
    amplitude, z = torch.tensor([0.5, 1.0, 0.7, 20.0, 30.0]), torch.tensor([[0.3, -1.0, 0.5, 2.0, -11.0]])
    sizes = torch.tensor([3, 6, 40, 32, 32])
    axes = [torch.arange(n) for n in (3, 6, 40)]
    for i in (3, 4):
        _, signals = channels.draw(
            torch.cat([torch.zeros(32, 3), (torch.arange(32)[:, None] + 0.5) / 32 * torch.ones(2)], dim=1)
        )
        axes.append(((z[0, i] - amplitude[i] * signals[:, i]).abs() < 14).nonzero().flatten())
    classes = torch.cartesian_prod(*axes)
    total, evidence = torch.zeros(64, 64, dtype=torch.float64), 0.0
    for block in classes.split(8192):
        images, signals = channels.draw((block + 0.5) / sizes)
        likelihood = torch.exp(-0.5 * (z - amplitude * signals).double().square().sum(1))
        evidence += likelihood.sum()
        total += (likelihood[:, None, None] * images).sum(0)
    assert torch.allclose(channels.decode(z, amplitude)[0].double(), total / evidence, atol=2e-6)


def test_decoder_that_knows_nothing_draws_the_mean_picture(sprites):
    p = sprites.decode(torch.randn(1, 5, generator=torch.Generator().manual_seed(0)), torch.zeros(5))
    # the mean of the published set; sprites whose centre lies on a corner of pixels cover 0.4 % more of them
    assert p.mean().item() == pytest.approx(0.0424944235, rel=5e-3)


def test_decoder_that_knows_all_draws_the_picture(sprites):
    images, signals = sprites.draw(sobol(sprites, 50)[:, :5])
    amplitude = torch.full((5,), 1e3)
    assert torch.allclose(sprites.decode(amplitude * signals, amplitude), images, atol=1e-6)


def test_no_other_decoder_does_better():
    """A nudge of E[x|z] towards any picture costs nats, averaged over what is sent."""
    channels = SpriteChannels()
    points, rates = sobol(channels, 2048), torch.tensor([0.2, 0.5, 0.2, 1.0, 1.0])
    images, signals = channels.draw(points[:, :5])
    amplitude = amplitudes(rates)
    z = amplitude * signals + torch.special.ndtri(points[:, 5:])
    best = channels.decode(z, amplitude)

    def nats(p):
        p = p.clamp(1e-7, 1 - 1e-7)
        return -(images * p.log() + (1 - images) * (1 - p).log()).sum((1, 2)).mean()

    assert nats(best) == pytest.approx(distortion(channels, rates, points).mean().item(), rel=1e-5)
    for wrong in (channels.decode(z * 1.1, amplitude), channels.decode(z, amplitude * 1.1), 0.97 * best,
                  best.roll(1, 1), channels.decode(z, amplitude.clamp_max(0.8))):  # fmt: skip
        assert nats(wrong) > nats(best) + 0.05


def test_whole_lattice_gives_almost_the_same_distortion():
    channels, rates = SpriteChannels(), torch.tensor([2.0, 2.5, 3.5, 3.5, 3.5])
    points = sobol(channels, 32)
    truth, mean = [], []
    for some in points.split(4):  # few at a time share the little that each takes for possible
        a, b = channels.exact(some[:, :5], torch.special.ndtri(some[:, 5:]), amplitudes(rates))
        truth.append(a), mean.append(b)
    truth, mean = torch.cat(truth), torch.cat(mean)
    classes = (points[:, :5] * torch.tensor([3, 6, 40, 32, 32])).long()
    assert torch.equal(truth, Sprites().render(torch.cat([torch.zeros(32, 1).long(), classes], dim=1))[:, 0])
    exact = torch.nn.functional.binary_cross_entropy(mean.clamp(1e-7, 1 - 1e-7), truth, reduction="none").sum((1, 2))
    difference = exact - distortion(channels, rates, points)
    assert abs(difference.mean()) < 3 * difference.std() / 32**0.5
    assert difference.std() < 12  # one picture's noise, so that the line above bounds the mean to 6 nats
    assert 10 < exact.mean() < 60


@pytest.mark.parametrize("mean", ["raw", "centred"])
def test_amplitudes_have_the_least_kl_of_any_scaling(mean):
    """z = c·(a·f + ε): over all scales c the least mean KL is the rate asked for."""
    channels, rates = SpriteChannels(mean), torch.tensor([0.3, 1.0, 2.0, 3.0, 0.05])
    amplitude = amplitudes(rates, channels.offset)
    for i, name in enumerate(channels.factors):
        f = Sprites().values[name]
        f = (f - f.mean() * (mean == "centred")) / f.std(correction=0)

        def kl(log_c, a=amplitude[i], f=f):
            c = torch.tensor(np.exp(log_c))
            return gaussian.kl_per_latent(c * a * f, c.log().expand_as(f)).mean().item()

        assert optimize.minimize_scalar(kl).fun == pytest.approx(rates[i].item(), abs=1e-5)


def test_gradients_are_those_of_finite_differences():
    channels = SpriteChannels("raw")
    points = sobol(channels, 64)
    rates = torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5], requires_grad=True)
    (gradient,) = torch.autograd.grad(distortion(channels, rates, points).mean(), rates)
    with torch.no_grad():
        for i in range(5):
            h = 0.02 * torch.eye(5)[i]
            up, down = (distortion(channels, rates + s * h, points).double().mean() for s in (1, -1))
            assert gradient[i].item() == pytest.approx(((up - down) / 0.04).item(), rel=0.02, abs=0.02)


def test_codes_may_depend_on_the_sprite():
    code = torch.rand(3, 6, 40, generator=torch.Generator().manual_seed(0))
    channels = SpriteChannels(codes={"orientation": code})
    points = sobol(channels, 30)[:, :5]
    shape, scale, orientation = (points[:, :3] * torch.tensor([3, 6, 40])).long().unbind(1)
    expected = (code - code.mean()) / code.std(correction=0)
    assert torch.allclose(channels.draw(points)[1][:, 2], expected[shape, scale, orientation], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mean": "none"}, "mean must be one of centred, raw, got 'none'"),
        ({"codes": {"hue": torch.arange(3)}}, "a factor of codes must be one of shape, scale, .*, got 'hue'"),
        ({"codes": {"x": torch.ones(32)}}, "the code of x must be finite and not constant"),
        ({"codes": {"shape": torch.full((3, 1, 1), 0.0137)}}, "the code of shape must be finite and not constant"),
        ({"codes": {"scale": torch.full((1, 6, 1), float("nan"))}}, "the code of scale must be finite"),
    ],
)
def test_bad_channels_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SpriteChannels(**settings)


@pytest.mark.parametrize("codes", [{"shape": torch.arange(4).view(4, 1, 1)}, {"x": torch.arange(31)}])
def test_codes_of_another_shape_are_refused_by_name(codes):
    with pytest.raises(ValueError, match=f"the code of {next(iter(codes))} must broadcast to shape"):
        SpriteChannels(codes=codes)


def test_bad_rates_are_refused():
    channels = BlobChannels(Blobs())
    points = sobol(channels, 4)
    for rates, where in ((torch.zeros(3), points), (torch.zeros(2), points[:, :2]), (torch.zeros(1, 2), points)):
        with pytest.raises(ValueError, match=r"rates must have shape \(2,\) and points \(n, 4\)"):
            distortion(channels, rates, where)
    for bad in (-0.1, float("nan"), 6.1, float("inf")):
        with pytest.raises(ValueError, match=r"rates must be in \[0, 6\] nats"):
            distortion(channels, torch.tensor([1.0, bad]), points)


def test_blobs_are_decoded_as_by_quadrature_of_scipy():
    blobs = Blobs(sigma=5.0, margin=10.0)
    channels = BlobChannels(blobs)
    amplitude, z = torch.tensor([1.5, 0.4]), torch.tensor([[0.7, -1.2]])
    picture = channels.decode(z, amplitude)[0]
    for i, j in ((20, 40), (32, 32), (5, 60)):
        factors = []
        for pixel, a, seen in ((j, 1.5, 0.7), (i, 0.4, -1.2)):

            def belief(u, a=a, seen=seen):
                return stats.norm.pdf(seen - a * np.sqrt(12) * (u - 0.5))

            def bump(u, pixel=pixel):
                return np.exp(-0.5 * ((pixel + 0.5 - (10 + 44 * u)) / 5) ** 2)

            top, bottom = (integrate.quad(f, 0, 1, epsabs=1e-12)[0] for f in (lambda u: belief(u) * bump(u), belief))
            factors.append(top / bottom)
        assert picture[i, j].item() == pytest.approx(factors[0] * factors[1], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("rate", [3.0, 6.0])
def test_blobs_are_decoded_finely_enough_for_every_rate_that_is_allowed(rate):
    blobs, points = Blobs(), sobol(BlobChannels(Blobs()), 32)
    channels, rates = BlobChannels(blobs), torch.full((2,), rate)
    images, signals = channels.draw(points[:, :2])
    a = amplitudes(rates.double())
    z = a * signals.double() + torch.special.ndtri(points[:, 2:].double())
    u = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    bumps = torch.exp(-0.5 * ((torch.arange(64) + 0.5 - (8 + 48 * u[:, None])) / blobs.sigma) ** 2)
    belief = torch.softmax(-0.5 * (z[:, :, None] - a[:, None] * (u - 0.5) * 12**0.5) ** 2, dim=2)
    x, y = (belief @ bumps).unbind(1)
    p = (y[:, :, None] * x[:, None, :]).clamp(1e-7, 1 - 1e-7)
    expected = -(images * p.log() + (1 - images) * (1 - p).log()).sum((1, 2))
    assert torch.allclose(distortion(channels, rates, points).double(), expected, atol=2e-3)


def test_the_far_corner_of_the_unit_cube_is_the_last_picture():
    channels = SpriteChannels()
    images, signals = channels.draw(torch.ones(1, 5))
    assert torch.equal(images, channels.draw(torch.full((1, 5), 0.999))[0]) and signals.isfinite().all()


def test_rates_of_a_limit_can_be_sent_as_they_are():
    channels = SpriteChannels()
    points, rates = sobol(channels, 8), torch.tensor([0.0, 1.0, 0.0, 2.0, 2.0], dtype=torch.float64)
    assert torch.equal(distortion(channels, rates, points), distortion(channels, rates.float(), points))


def test_blobs_are_drawn_as_the_data_set_draws_them():
    blobs = Blobs()
    images, signals = BlobChannels(blobs).draw(torch.tensor([[0.25, 1.0]]))
    assert torch.equal(images, blobs.render(torch.tensor([[8 + 0.25 * 48, 56.0]]))[:, 0])
    assert signals[0].tolist() == pytest.approx([-0.25 * np.sqrt(12), 0.5 * np.sqrt(12)])


def test_blobs_on_another_domain_are_refused():
    with pytest.raises(ValueError, match="on the square domain only, got 'disc'"):
        BlobChannels(Blobs(domain="disc"))


def test_moments_of_bars_are_those_of_uniform_lines():
    """The variance of n pixels in a row is (n² − 1)/12; a diagonal slants as far as can be."""
    pictures = torch.zeros(3, 20, 30, dtype=torch.float64)
    pictures[0, 5:9, 10:22] = 0.5  # 4 down, 12 across
    pictures[1, 3:13, 7:8] = 1
    pictures[2] = torch.eye(20, 30)
    seen = picture_moments(pictures)
    across, down = (12**2 - 1) / 12, (4**2 - 1) / 12
    assert seen["area"].tolist() == [24, 10, 20]
    assert seen["centroid"][:2].tolist() == [[16, 7], [7.5, 8]]
    assert seen["wide"].tolist() == pytest.approx([(across - down) / (across + down), -1, 0], abs=1e-12)
    assert seen["slant"].tolist() == pytest.approx([0, 0, 1], abs=1e-12)


def test_moments_are_those_of_the_pixels():
    seen = moments()
    for shape, scale, orientation in ((0, 5, 0), (1, 3, 7), (2, 0, 33)):
        picture = Sprites().render(torch.tensor([[0, shape, scale, orientation, 0, 0]]))[0, 0].numpy()
        rows, columns = np.nonzero(picture)
        place = shape, scale, orientation
        assert seen["root area"][place].item() == pytest.approx(len(rows) ** 0.5)
        right, down = columns.mean() + 0.5 - 16, rows.mean() + 0.5 - 16
        assert np.allclose(seen["centroid"][place], [right, down])
        (uu, uv), (_, vv) = np.cov(columns, rows, bias=True)
        assert seen["wide"][place].item() == pytest.approx((uu - vv) / (uu + vv), abs=1e-9)
        assert seen["slant"][place].item() == pytest.approx(2 * uv / (uu + vv), abs=1e-9)
    assert seen["centroid"][:2].abs().max() < 0.3 < seen["centroid"][2].abs().max()  # a heart turns about no centroid
    assert seen["wide"][1, 5, 0] > 0.4  # at first the ellipse lies


def test_channels_of_the_centroid_put_it_in_its_place():
    channels = moment_channels()
    points = sobol(channels, 256)[:, :5]
    pictures, signals = channels.draw(points)
    rows = (pictures.sum(2) @ (torch.arange(64) + 0.5)) / pictures.sum((1, 2))
    columns = (pictures.sum(1) @ (torch.arange(64) + 0.5)) / pictures.sum((1, 2))
    for seen, sent in ((columns, signals[:, 3]), (rows, signals[:, 4])):
        slope = (sent * (seen - seen.mean())).mean() / sent.square().mean()
        # to the nearest pixel: half a pixel for the lattice, half for the centroid, with the roundings' own spread
        off = seen - seen.mean() - slope * (sent - sent.mean())
        assert off.abs().max() < 1.01 and off.std() < 0.45
    raw, _ = SpriteChannels("centred").draw(points)
    assert not torch.equal(raw, pictures) and torch.equal(raw.sum((1, 2)), pictures.sum((1, 2)))
    with pytest.raises(ValueError, match="to the nearest pixel only: use decode"):
        channels.exact(points[:2], torch.zeros(2, 5), torch.ones(5))


def test_sobol_points_do_not_depend_on_the_default_type():
    channels, rates = SpriteChannels("centred"), torch.full((5,), 2.0)
    points = sobol(channels, 16)
    torch.set_default_dtype(torch.float64)
    try:
        again = sobol(channels, 16)
        assert torch.equal(again, points) and again.dtype == points.dtype
        assert distortion(channels, rates, again).isfinite().all()
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_symmetric_orientation_is_the_share_of_the_turn_after_which_a_shape_looks_the_same():
    """Of 40 classes the first and the last are the same angle: 39 steps a full turn."""
    for row, times in zip(symmetric_orientation().flatten(1), (4, 2, 1), strict=True):
        wanted = [float(Fraction(times * k, 39) % 1) for k in range(40)]
        assert row.tolist() == pytest.approx(wanted, abs=1e-6)
