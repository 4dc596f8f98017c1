"""Rendered chairs, against rays traced one by one in three dimensions."""

import math

import numpy as np
import pytest
import torch

from minivae.datasets import Chairs
from minivae.datasets.chairs import BACKS, LEGS, REACH, prisms

CHAIR = torch.tensor([[40.0, 30.0, 0, 0, 1.0, 0.8, 1.0, 0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def changed(**factors: float) -> torch.Tensor:
    chair = CHAIR.clone()
    for name, value in factors.items():
        chair[0, Chairs.factors.index(name)] = value
    return chair


def traced(factors: torch.Tensor, size: int = 64) -> np.ndarray:
    """One chair (8,) as a picture (size, size): a ray through each quarter of a pixel, in float64,
    against every prism in its own frame."""
    elevation = math.radians(factors[1].item())
    across, up = np.array([1.0, 0, 0]), np.array([0, math.sin(elevation), math.cos(elevation)])
    ahead = np.array([0, math.cos(elevation), -math.sin(elevation)])
    at = REACH * ((np.arange(2 * size) + 0.5) / size - 1)
    u, v = np.meshgrid(at, -at)
    start = u[..., None] * across + v[..., None] * up - 10 * ahead  # size, size, 3
    nearest, grey = np.full(u.shape, np.inf), np.ones(u.shape)
    for x, y, a, b, turn, low, high, cylinder, material in prisms(factors[None])[0].double().tolist():
        if high <= low:
            continue
        c, s = math.cos(turn), math.sin(turn)
        own = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])  # rows: the prism's axes
        o, d = (start - [x, y, (low + high) / 2]) @ own.T, own @ ahead
        half = np.array([a, b, (high - low) / 2])
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (-half - o) / d, (half - o) / d
        into, out = np.minimum(one, other), np.maximum(one, other)
        if cylinder:
            p, q = d[0] ** 2 + d[1] ** 2, o[..., 0] * d[0] + o[..., 1] * d[1]
            square = q**2 - p * (o[..., 0] ** 2 + o[..., 1] ** 2 - a**2)
            root = np.sqrt(np.where(square > 0, square, np.nan))  # NaN never hits
            into[..., 0], out[..., 0] = (-q - root) / p, (-q + root) / p
            into[..., 1], out[..., 1] = into[..., 0], out[..., 0]
        t, axis = into.max(-1), into.argmax(-1)
        hit = (t < out.min(-1)) & (t < nearest)
        normal = -np.sign(d)[axis][..., None] * own[axis]
        if cylinder:
            there = o + t[..., None] * d
            round_ = (there * [1, 1, 0]) / a @ own
            normal = np.where((axis < 2)[..., None], round_, normal)
        light = 0.25 + 0.62 * np.maximum(normal @ [-0.45, -0.6, 0.66], 0)
        nearest, grey = np.where(hit, t, nearest), np.where(hit, material * light, grey)
    return grey.reshape(size, 2, size, 2).mean((1, 3))


def test_pictures_are_those_of_rays_traced_one_by_one():
    images, factors = Chairs().sample(24, seeded(1))
    for image, chair in zip(images[:, 0].numpy(), factors, strict=True):
        off = np.abs(image - traced(chair))
        assert off.mean() < 1e-3 and (off > 0.01).mean() < 2e-3  # a ray that grazes an edge may go either way


@pytest.mark.parametrize(
    ("name", "value"),
    [("azimuth", 55), ("elevation", 20), ("legs", 1), ("legs", 2), ("legs", 3), ("legs", 4), ("back", 1), ("back", 2),
     ("back", 3), ("size", 0.8), ("height", 0.6), ("width", 1.2), ("arms", 1)],
)  # fmt: skip
def test_every_factor_changes_the_picture(name, value):
    data = Chairs()
    difference = (data.render(changed(**{name: value})) - data.render(CHAIR)).abs()
    assert difference.max() > 0.2 and (difference > 0.05).sum() > 20


def test_a_full_turn_is_none():
    data = Chairs()
    for azimuth in (0.0, 123.0):
        off = (data.render(changed(azimuth=azimuth)) - data.render(changed(azimuth=azimuth + 360))).abs()
        assert off.mean() < 1e-3  # rounding at edges


def test_what_is_nearer_hides_what_is_behind():
    data = Chairs()
    behind = {"azimuth": 180, "elevation": 5, "height": 1.0}
    assert torch.equal(data.render(changed(**behind, arms=1)), data.render(changed(**behind, arms=0)))
    in_front = behind | {"azimuth": 0}
    assert not torch.equal(data.render(changed(**in_front, arms=1)), data.render(changed(**in_front, arms=0)))


@pytest.mark.parametrize(("azimuth", "left"), [(90, True), (270, False)])
def test_azimuth_turns_the_way_that_the_docstring_says(azimuth, left):
    picture = Chairs().render(changed(azimuth=azimuth, height=1.0))[0, 0] < 0.99
    columns = picture[: picture.any(1).nonzero()[0].item() + 4].any(0).nonzero().float()  # the top: the back alone
    assert (columns.max() < 28) if left else (columns.min() > 35)


def test_mirrored_chair_is_the_chair_turned_the_other_way():
    # but for the light, which comes from the left: compare what is covered
    one, other = (Chairs().render(changed(azimuth=a, width=1.2)) < 1 for a in (30, -30))
    assert (one != other.flip(3)).float().mean() < 2e-3


def test_size_is_a_zoom_about_the_middle():
    big, small = (Chairs().render(changed(size=s))[0, 0] < 1 for s in (1.0, 0.75))
    assert abs(small.sum() / big.sum() - 0.75**2) < 0.02 * 0.75**2 + 0.05


def test_seen_from_above_the_seat_has_its_width():
    picture = Chairs().render(changed(azimuth=0, elevation=89, legs=3, height=0.4, width=1.1))[0, 0] < 0.99
    columns, rows = picture.any(0).sum().item(), picture.any(1).sum().item()
    pixel = 2 * REACH / 64
    assert abs(columns * pixel - 1.1) < 2 * pixel and abs(rows * pixel - 1.0) < 2 * pixel


def test_sample_is_uniform_within_its_ranges_and_stays_in_the_canvas():
    images, factors = Chairs().sample(4_000, seeded())
    assert images.shape == (4_000, 1, 64, 64) and images.min() > 0 and images.max() == 1
    assert factors.shape == (4_000, 8) and factors.dtype == torch.float32
    column = dict(zip(Chairs.factors, factors.T, strict=True))
    for name, count in (("azimuth", 31), ("elevation", 2), ("legs", len(LEGS)), ("back", len(BACKS)), ("arms", 2)):
        _, counts = column[name].unique(return_counts=True)
        assert len(counts) == count and counts.min() > 0.6 * 4_000 / count
    assert set(column["elevation"].tolist()) == {20.0, 30.0}
    for name, low, high in (("size", 0.7, 1.0), ("height", 0.4, 1.0), ("width", 0.7, 1.3)):
        assert low <= column[name].min() < low + 0.01 and high - 0.01 < column[name].max() <= high
        assert abs(column[name].mean() - (low + high) / 2) < 0.02
    assert abs(torch.corrcoef(factors.T) - torch.eye(8)).max() < 0.06
    rim = torch.cat([images[:, 0, [0, -1]], images[:, 0, :, [0, -1]].transpose(1, 2)], 1)
    assert (rim == 1).all()


def test_same_seed_same_chairs_whatever_the_batch():
    data = Chairs()
    (images, factors), (again, _) = data.sample(40, seeded(3)), data.sample(40, seeded(3))
    assert torch.equal(images, again) and not torch.equal(images, data.sample(40, seeded(4))[0])
    assert torch.equal(images, data.render(factors))
    one_by_one = torch.cat([data.render(chair[None]) for chair in factors])
    assert torch.equal(images, one_by_one)


def test_larger_canvas_shows_the_same_chair():
    small, large = Chairs().render(CHAIR), Chairs(128).render(CHAIR)
    assert large.shape == (1, 1, 128, 128)
    assert (torch.nn.functional.avg_pool2d(large, 2) - small).abs().mean() < 0.01


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (torch.zeros(8), r"must have shape \(n, 8\)"),
        (changed(size=1.1), r"size must be in \[0.7, 1\], got 1.1"),
        (changed(elevation=0), r"elevation must be in \[1, 89\]"),
        (changed(azimuth=math.nan), "azimuth must"),
        (changed(azimuth=math.inf), "azimuth must"),
        (changed(legs=0.5), "legs must be a class, a whole number from 0 to 4, got 0.5"),
        (changed(back=4), r"back must be in \[0, 3\]"),
    ],
)
def test_bad_factors_are_told(factors, message):
    with pytest.raises(ValueError, match=message):
        Chairs().render(factors)


def test_bad_sizes_are_told():
    with pytest.raises(ValueError, match="size must be a whole number of at least 1"):
        Chairs(0)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        Chairs().sample(0)


def test_a_finite_set_is_the_same_chairs_again_whether_drawn_or_remembered():
    data = Chairs(number=50)
    images, factors = data.sample(400, seeded(3))
    assert len(factors.unique(dim=0)) == 50  # 400 draws miss one of 50 once in 70
    assert torch.equal(images, data.render(factors))
    again, same = data.sample(400, seeded(3))  # by now all are remembered
    assert torch.equal(again, images) and torch.equal(same, factors)
    fresh, _ = Chairs(number=50).sample(400, seeded(3))
    assert torch.equal(fresh, images)
    images[:] = 0.5
    assert torch.equal(data.sample(400, seeded(3))[0], again)  # what was handed out is the caller's


@pytest.mark.parametrize("number", [0, -1, 2.5, "many"])
def test_a_set_has_at_least_one_chair(number):
    with pytest.raises(ValueError, match="number"):
        Chairs(number=number)


def test_azimuth_is_one_of_31_views_and_elevation_one_of_two():
    factors = Chairs().sample(2_000, seeded())[1]
    views = torch.arange(31) * 360 / 31
    assert torch.allclose(factors[:, 0].unique(), views, atol=1e-3)
    assert factors[:, 1].unique().tolist() == [20, 30]


def footprints(**factors) -> list[np.ndarray]:
    """Corners (x, y) of each prism of a chair of size 1 that faces the camera, lowest and highest z above the floor."""
    parts = prisms(changed(azimuth=0.0, size=1.0, **factors))[0]
    found = []
    for x, y, a, b, turn, low, high, *_ in parts[parts[:, 6] > parts[:, 5]].double().tolist():
        own = np.array([[-a, -b], [a, -b], [a, b], [-a, b]])
        c, s = math.cos(turn), math.sin(turn)
        found.append((own @ np.array([[c, s], [-s, c]]) + [x, y], low + 0.95, high + 0.95))
    return found


def test_legs_stand_on_the_floor_and_carry_the_seat():
    for legs in range(len(LEGS)):
        parts = footprints(legs=legs, arms=0, width=1.0)
        lower = [(corners, low, high) for corners, low, high in parts if low < 0.8]
        assert min(low for _, low, _ in lower) == pytest.approx(0, abs=1e-6)
        assert max(high for _, _, high in lower) == pytest.approx(0.85, abs=1e-6)  # the bottom of the seat
        reach = np.concatenate([corners for corners, _, _ in lower])
        assert np.abs(reach.mean(0)).max() < 0.25 and 0.4 < np.abs(reach).max() < 0.56
    spokes = [corners for corners, _, high in footprints(legs=LEGS.index("star"), arms=0) if high < 0.2]
    angles = sorted(math.degrees(math.atan2(*corners.mean(0)[::-1])) % 72 for corners in spokes)
    assert len(spokes) == 5 and angles == pytest.approx([18] * 5)
    for corners in spokes:  # long and thin, from the middle outwards
        along = corners @ corners.mean(0) / np.linalg.norm(corners.mean(0))
        assert (along.min(), along.max()) == pytest.approx((0, 0.5), abs=1e-6)


def test_backs_rise_at_the_back_and_arms_at_the_sides():
    for back in range(len(BACKS)):
        upper = [part for part in footprints(back=back, arms=0, height=0.6, width=1.0) if part[1] > 0.9]
        assert max(high for _, _, high in upper) == pytest.approx(0.97 + 0.6, abs=1e-6)
        assert all(corners[:, 1].mean() > 0.1 for corners, _, _ in upper)  # away from the camera, which it faces
        reach = np.concatenate([corners[:, 0] for corners, _, _ in upper])
        assert reach.max() == pytest.approx(-reach.min()) and 0.45 < reach.max() < 0.56
    plain, armed = (footprints(arms=arms, back=0, width=1.0) for arms in (0, 1))
    arms = armed[len(plain) :]
    assert len(arms) == 4 and {np.sign(c[:, 0].mean()) for c, _, _ in arms} == {-1, 1}
    assert all(0.4 < abs(c[:, 0].mean()) < 0.5 and c[:, 1].mean() < 0 and low > 0.96 for c, low, _ in arms)


def test_factors_are_drawn_where_the_generator_is(monkeypatch):
    class OnMeta(torch.Generator):
        device = torch.device("meta")  # stands for an accelerator: tensors there have a shape, but no values

    monkeypatch.setattr(Chairs, "_draw", lambda self, factors: prisms(factors))  # rendering needs values
    drawn, factors = Chairs().sample(3, OnMeta())
    assert drawn.device.type == factors.device.type == "meta" and drawn.shape[::2] == (3, 9)
