"""Sprites: against the published frames, against point sampling of the shapes, and the lattice's order."""

import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from minivae.datasets import Blobs, ColouredSprites, Sprites
from minivae.datasets.sprites import crossings, row_ends, shapes

FRAMES = Path(__file__).parent / "dsprites_frames.txt"
ON_PIXELS = 128_328_862  # of the published data set


@pytest.fixture(scope="module")
def sprites() -> Sprites:
    return Sprites()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_published_frames_are_met(sprites):
    rows = [line.split() for line in FRAMES.read_text().splitlines()[1:]]
    classes = torch.tensor([[0, *map(int, row[:5])] for row in rows])
    drawn = sprites.render(classes)[:, 0].bool().numpy()
    checksums = [f"{zlib.crc32(np.packbits(picture).tobytes()):08x}" for picture in drawn]
    exact = sum(ours == row[6] for ours, row in zip(checksums, rows, strict=True))
    assert len(rows) == 320 and exact >= 314
    assert all(abs(int(picture.sum()) - int(row[5])) <= 3 for picture, row in zip(drawn, rows, strict=True))


@pytest.mark.slow
def test_on_pixels_of_the_whole_set(sprites):
    # the number of pixel centres between two ends, for every row of every sprite at every x: no picture is drawn
    table = row_ends(64, torch.device("cpu")).double()
    total = 0
    for x in sprites.values["x"]:
        ends = table + 64 * (0.25 + 0.5 * x) - 0.5
        left, right = ends[..., 0::2], ends[..., 1::2]
        count = (right.ceil() - left.floor() - 1).where(left.isfinite(), torch.zeros(()).double())
        total += count.sum().item()
    assert total == pytest.approx(ON_PIXELS, rel=1e-4)
    some = sprites.classes(torch.randint(len(sprites), (20_000,), generator=generator()))
    mean = sprites.render(some).mean().item()
    assert mean == pytest.approx(ON_PIXELS / len(sprites) / 64**2, rel=0.01)


def inside(shape: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie in a shape at scale 1, by its definition and not by its corners."""
    if shape == 0:
        return np.maximum(abs(u), abs(v)) < 19.199 / 2
    if shape == 1:
        return (u / 12.775) ** 2 + (v / 7.22) ** 2 < 1
    t = np.arcsin(np.clip(abs(u) / 9.595, 0, 1) ** (1 / 3))

    def edge(t: np.ndarray) -> np.ndarray:
        return -1.4375 - 10.595 / 16 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))

    return (abs(u) < 9.595) & (v > edge(t)) & (v < edge(np.pi - t))


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_point_sampling_of_the_smooth_shapes_agrees(sprites, shape):
    classes = sprites.classes(torch.randint(len(sprites), (300,), generator=generator(shape)))
    classes[:, 1] = shape
    drawn = sprites.render(classes)[:, 0].bool().numpy()
    values = {
        name: value[column].numpy() for (name, value), column in zip(sprites.values.items(), classes.T, strict=True)
    }
    y, x = np.mgrid[0:64, 0:64] + 0.5
    wrong = 0
    for i, picture in enumerate(drawn):
        dx, dy = x - (16 + 32 * values["x"][i]), y - (16 + 32 * values["y"][i])
        c, s = np.cos(values["orientation"][i]), np.sin(values["orientation"][i])
        u, v = (dx * c - dy * s) / values["scale"][i], (dx * s + dy * c) / values["scale"][i]
        wrong += (inside(shape, u, v) != picture).sum()
    assert wrong <= (0 if shape == 0 else 300)  # polygons of 72 and 240 corners cut off less than a pixel each


def test_a_turn_by_a_quarter_and_the_full_turn(sprites):
    square = torch.tensor([[0, 0, 5, orientation, 16, 16] for orientation in (0, 39)])
    first, last = sprites.render(square)
    assert torch.equal(first, last)  # 0 and 2π
    assert sprites.values["orientation"][39].item() == pytest.approx(2 * np.pi)


def test_moving_by_classes_moves_by_pixels(sprites):
    heart = torch.tensor([[0, 2, 2, 7, 0, 0], [0, 2, 2, 7, 31, 0], [0, 2, 2, 7, 0, 31]])
    here, right, below = sprites.render(heart)[:, 0]
    assert torch.equal(here.roll(32, 1), right) and torch.equal(here.roll(32, 0), below)


def test_order_of_the_lattice_is_the_published_one(sprites):
    assert len(sprites) == 737_280
    index = torch.tensor([0, 1, 32, 32 * 32, 40 * 32 * 32, 6 * 40 * 32 * 32, 737_279])
    classes = sprites.classes(index)
    assert classes.tolist() == [
        [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0], [0, 2, 5, 39, 31, 31],
    ]  # fmt: skip
    assert torch.equal(sprites.index(classes), index)


def test_samples_are_reproducible_uniform_and_match_their_classes(sprites):
    images, classes = sprites.sample(4000, generator())
    again, _ = sprites.sample(4000, generator())
    assert torch.equal(images, again) and images.shape == (4000, 1, 64, 64)
    assert torch.equal(images, sprites.render(classes)) and set(images.unique().tolist()) == {0.0, 1.0}
    for size, column in zip(sprites.sizes, classes.T, strict=True):
        counts = column.bincount(minlength=size).double()
        assert len(counts) == size and ((counts - 4000 / size).abs() < 5 * (4000 / size) ** 0.5 + 1e-9).all()


def test_size_scales_the_picture():
    classes = torch.tensor([[0, 1, 5, 0, 16, 16]])
    small, large = Sprites(32).render(classes), Sprites(64).render(classes)
    assert small.shape == (1, 1, 32, 32)
    assert small.sum().item() == pytest.approx(large.sum().item() / 4, rel=0.1)


def test_a_polygon_with_a_dent_is_met_four_times():
    corners = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [2.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
    ends = crossings(corners, torch.tensor([0.5, 1.5, 3.0], dtype=torch.float64))
    inf = float("inf")
    assert ends.tolist() == [[0.0, 4.0, inf, inf], [0.0, 1.0, 3.0, 4.0], [inf] * 4]
    comb = torch.tensor([[0, 0], [1, 2], [2, 0], [3, 2], [4, 0], [5, 2], [6, 0], [6, 3], [0, 3]], dtype=torch.float64)
    with pytest.raises(ValueError, match="at most 4 times, got 8"):
        crossings(comb, torch.tensor([1.0], dtype=torch.float64))


def test_shapes_have_the_areas_of_their_definitions():
    def area(corners):
        (x, y), (x2, y2) = corners.T, corners.roll(-1, 0).T
        return 0.5 * abs((x * y2 - x2 * y).sum().item())

    square, ellipse, heart = shapes()
    assert area(square) == pytest.approx(19.199**2)
    assert area(ellipse) == pytest.approx(np.pi * 12.775 * 7.22, rel=2e-3)
    t = np.linspace(0, 2 * np.pi, 100_001)
    u = 9.595 * np.sin(t) ** 3
    v = 10.595 / 16 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    assert area(heart) == pytest.approx(abs(np.sum(v * np.gradient(u))), rel=1e-3)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (torch.zeros(2, 5).long(), r"shape \(n, 6\).* got \(2, 5\)"),
        (torch.zeros(6).long(), r"shape \(n, 6\)"),
        (torch.zeros(2, 6), "whole numbers, got torch.float32"),
        (torch.tensor([[0, 3, 0, 0, 0, 0]]), r"classes of shape must be in \[0, 3\), got 3"),
        (torch.tensor([[0, 0, 0, 0, 0, -1]]), r"classes of y must be in \[0, 32\), got -1"),
    ],
)
def test_bad_classes_are_refused(sprites, classes, message):
    with pytest.raises(ValueError, match=message):
        sprites.render(classes)


def test_bad_numbers_are_refused(sprites):
    with pytest.raises(ValueError, match=r"index must be whole numbers \(n,\) in \[0, 737280\)"):
        sprites.classes(torch.tensor([737_280]))
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        sprites.sample(0)
    with pytest.raises(ValueError, match="size must be a whole number"):
        Sprites(0)


def test_coloured_sprites_are_sprites_in_their_colour():
    data = ColouredSprites()
    images, factors = data.sample(500, generator())
    assert (
        images.shape == (500, 3, 64, 64) and factors.shape == (500, 9) and data.factors[6:] == ("red", "green", "blue")
    )
    assert torch.equal(images, data.render(factors))
    plain = Sprites().render(factors[:, :6].long())
    assert torch.equal(images, plain * factors[:, 6:, None, None])
    colours = factors[:, 6:]
    assert colours.min() >= 0.5 and colours.max() <= 1 and abs(colours.mean() - 0.75) < 0.02
    assert abs(torch.corrcoef(colours.T) - torch.eye(3)).max() < 0.2


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (torch.zeros(1, 6), r"shape \(n, 9\)"),
        (torch.full((1, 9), 0.5), "whole numbers, got 0.5"),
        (torch.full((1, 9), float("nan")), "whole numbers, got nan"),
        (torch.tensor([[0, 0, 0, 0, 0, 0, 1.5, 0, 0]]), r"colours must be in \[0, 1\]"),
        (torch.tensor([[0, 3, 0, 0, 0, 0, 1.0, 0, 0]]), "classes of shape"),
    ],
)
def test_bad_factors_of_coloured_sprites_are_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        ColouredSprites().render(factors)


def test_memory_of_the_whole_set_is_small_and_shared():
    table = row_ends(64, torch.device("cpu"))
    assert table.numel() * table.element_size() < 25e6
    assert row_ends(64, torch.device("cpu")) is table


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_draws_what_the_cpu_draws(sprites):
    classes = sprites.classes(torch.randint(len(sprites), (2000,), generator=generator()))
    assert torch.equal(sprites.render(classes.cuda()).cpu(), sprites.render(classes))


class OnMeta(torch.Generator):
    """Stands for one of an accelerator: tensors on PyTorch's meta device have a place and a shape, but no values."""

    device = torch.device("meta")


@pytest.mark.parametrize("dataset", [Sprites(), ColouredSprites(), Blobs()], ids=lambda dataset: type(dataset).__name__)
def test_pictures_are_drawn_where_the_generator_is(dataset):
    drawn = dataset.sample(3, OnMeta())
    assert {tensor.device.type for tensor in drawn} == {"meta"} and {len(tensor) for tensor in drawn} == {3}


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_small_whole_numbers_do_not_overflow(sprites, kind):
    last = torch.tensor([[0, 2, 5, 39, 31, 31]])
    assert sprites.index(last.to(kind)).tolist() == [737_279]
    assert torch.equal(sprites.render(last.to(kind)), sprites.render(last))
    assert sprites.classes(torch.tensor([5]).to(kind)).tolist() == [[0, 0, 0, 0, 0, 5]]


@pytest.mark.parametrize("bad", [-1, -737_280, 737_280])
def test_places_outside_the_lattice_are_refused_at_both_ends(bad):
    sprites = Sprites()
    assert sprites.classes(torch.tensor([0, 737_279])).tolist() == [[0] * 6, [0, 2, 5, 39, 31, 31]]
    for index in ([bad], [5, bad]):
        with pytest.raises(ValueError, match=r"index must be whole numbers \(n,\) in \[0, 737280\)"):
            sprites.classes(torch.tensor(index))


@pytest.mark.parametrize("column", range(6))
def test_classes_outside_their_range_are_refused_at_both_ends(column):
    sprites, sizes = Sprites(), torch.tensor([[1, 3, 6, 40, 32, 32]])

    def coloured(classes: torch.Tensor) -> torch.Tensor:
        return ColouredSprites().render(torch.cat([classes.float(), torch.full((2, 3), 0.5)], 1))

    assert sprites.index(sizes - 1).tolist() == [737_279]
    for bad in (-1, sizes[0, column].item()):
        classes = torch.zeros(2, 6, dtype=torch.long)
        classes[1, column] = bad
        for refuses in (sprites.index, sprites.render, coloured):
            with pytest.raises(ValueError, match=rf"classes of {Sprites.factors[column]} must be in"):
                refuses(classes)


def test_an_outline_looks_the_same_after_its_symmetrys_part_of_a_turn_and_no_sooner():
    for outline, times in zip(shapes(), Sprites.symmetries, strict=True):
        for parts, same in ((times, True), (2 * times, False)):
            angle = torch.tensor(2 * math.pi / parts, dtype=torch.float64)
            turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
            nearest = torch.cdist(outline @ turn, outline).amin(1)
            assert (nearest.max() < 1e-6) == same, (len(outline), parts)
