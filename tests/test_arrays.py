"""Own pictures in arrays: read as they are meant, or refused with what to do."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from minivae import ELBO, Arrays, Experiment, Run, measure, train

KINDS = {"u": torch.uint8, "f": torch.float32, "b": torch.bool}
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 64, 64), dtype=np.uint8)
COLOUR = RNG.random((5, 3, 32, 32), dtype=np.float32)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array.tolist()).to(KINDS[array.dtype.kind])


def drawn(data: Arrays, n: int = 200) -> torch.Tensor:
    """The pictures of a data set in their order, found again among many draws by their first factor."""
    images, known = data.sample(n, torch.Generator().manual_seed(0))
    return torch.stack([images[(known[:, 0] == i).nonzero()[0, 0]] for i in range(len(data))])


@pytest.mark.parametrize(
    "make", [np.asarray, lambda array: torch.tensor(array.tolist()).to(KINDS[array.dtype.kind]), np.asfortranarray]
)
@pytest.mark.parametrize(
    ("images", "expected", "said"),
    [
        (GREY, GREY[:, None] / 255, r"5 grey pictures of 64 × 64 pixels, read as \(n, H, W\), 255 is white"),
        (GREY[:, None], GREY[:, None] / 255, r"read as \(n, channels, H, W\)"),
        (GREY[..., None], GREY[:, None] / 255, r"read as \(n, H, W, channels\)"),
        (COLOUR, COLOUR, r"5 RGB pictures of 32 × 32 pixels, read as \(n, channels, H, W\);"),
        (COLOUR.transpose(0, 2, 3, 1), COLOUR, r"5 RGB pictures .*\(n, H, W, channels\)"),
        (COLOUR.astype(np.float64), COLOUR, "RGB"),
        (GREY > 99, (GREY > 99)[:, None], "grey"),
        (GREY[:, ::-1], GREY[:, None, ::-1] / 255, "grey"),
        (COLOUR.astype(">f4"), COLOUR, "RGB"),
    ],
)
def test_every_form_of_the_same_pictures_gives_the_same_pictures(make, images, expected, said):
    data = Arrays(make(images), np.arange(4, -1, -1)[::-1][:, None], ["number"])  # of negative stride
    assert data.channels == expected.shape[1] and data.size == expected.shape[2] and data.factors == ("number",)
    assert np.allclose(drawn(data), expected, atol=1e-7)
    with pytest.raises(AssertionError, match=said):  # repr says what was done
        raise AssertionError(repr(data))


def test_pictures_are_padded_or_scaled_only_when_told_to():
    wide = np.full((3, 20, 30), 200, np.uint8)
    with pytest.raises(ValueError, match="must be square, got 20 × 30 pixels: crop them, or give pad_to"):
        Arrays(wide)
    padded = Arrays(wide, np.arange(3)[:, None], pad_to=32)
    picture = drawn(padded)[0, 0]
    assert picture.shape == (32, 32) and picture[6:26, 1:31].eq(200 / 255).all()
    assert picture.count_nonzero() == 20 * 30 and "padded to 32 × 32" in repr(padded)
    scaled = Arrays(GREY, np.arange(5)[:, None], scale_to=32)
    halves = torch.from_numpy(GREY).float().view(5, 32, 2, 32, 2).mean((2, 4)) / 255
    assert (drawn(scaled)[:, 0] - halves).square().mean() < 0.3 * halves.var() and "scaled to 32 × 32" in repr(scaled)
    with pytest.raises(ValueError, match="pad_to must be a whole number of at least 30, got 24"):
        Arrays(wide, pad_to=24)


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        (np.zeros((4, 64)), {}, r"images must be \(n, H, W\).* got \(4, 64\)"),
        (np.zeros((4, 3, 64, 3)), {}, r"got \(4, 3, 64, 3\)"),  # which are the channels?
        (np.zeros((4, 2, 64, 64)), {}, r"got \(4, 2, 64, 64\)"),
        (np.zeros((0, 64, 64)), {}, "at least one picture"),
        (np.full((2, 64, 64), 255.0), {}, r"must lie in \[0, 1\], got 255 to 255: divide by what white is"),
        (np.linspace(-1, 1, 64 * 64).reshape(1, 64, 64), {}, "got -1 to 1: take their normalisation back"),
        (np.full((2, 64, 64), np.nan), {}, r"must lie in \[0, 1\], got nan"),
        (np.ones((2, 64, 64), np.uint8), {}, "uint8 of 0 and 1: give them as bool"),
        (np.ones((2, 64, 64), np.int64), {}, "must be bool, uint8 or floats, got torch.int64"),
        (np.ones((2, 64, 64), complex), {}, "must be bool, uint8 or floats, got torch.complex128"),
        (GREY, {"factors": np.zeros((4, 1))}, r"factors must be \(n, factors\) of the same 5 pictures, got \(4, 1\)"),
        (GREY, {"factors": np.zeros(5)}, r"factors must be \(n, factors\)"),
        (GREY, {"factors": np.zeros((5, 2)), "names": ["a"]}, "names must be 2 different ones"),
        (GREY, {"factors": np.zeros((5, 2)), "names": ["a", "a"]}, "names must be 2 different ones"),
    ],
)
def test_what_does_not_fit_is_refused(images, settings, message):
    with pytest.raises(ValueError, match=message):
        Arrays(images, **settings)


def test_a_run_knows_its_pictures_by_their_digest(tmp_path):
    data = Arrays(GREY, np.arange(5)[:, None])
    run = train(Experiment("mine", data, ELBO()), steps=2, device="cpu", precision="fp32", progress=False)
    path = run.save(tmp_path / "run.h5")
    bare = Run.load(path)
    assert bare.experiment == run.experiment
    with pytest.raises(ValueError, match=r"are not at hand: Run.load\(…, data=Arrays\(…\)\)"):
        bare.experiment.dataset.sample(1)
    again = Run.load(path, data=Arrays(torch.from_numpy(GREY), np.arange(5)[:, None]))
    longer = {"steps": 4, "device": "cpu", "progress": False}
    resumed = train(again.experiment, resume=again, **longer)
    whole = train(run.experiment, precision="fp32", **longer)
    assert np.array_equal(resumed.history["loss"], whole.history["loss"])
    with pytest.raises(ValueError, match="was trained on other pictures"):
        Run.load(path, data=Arrays(255 - GREY, np.arange(5)[:, None]))


def test_scores_take_own_data_with_known_factors():
    cells = np.array([(i, j) for i in range(4) for j in range(4)])
    images = np.zeros((16, 32, 32), np.uint8)
    for image, (i, j) in zip(images, cells, strict=True):
        image[8 * i : 8 * i + 8, 8 * j : 8 * j + 8] = 255
    data = Arrays(images, cells, ("row", "column"))
    run = train(Experiment("mine", data, ELBO()), steps=2, device="cpu", progress=False)
    assert {"mig", "excess"} <= measure(run.model(), data, points=400).keys()
    with pytest.raises(ValueError, match=r"factor 'row' of .* is not of whole numbers"):
        measure(run.model(), Arrays(images, cells / 3, ("row", "column")), points=400)
    own = dataclasses.replace(run.experiment, dataset=Arrays(images))
    with pytest.raises(ValueError, match="with known factors"):
        measure(run.model(), own.dataset, points=400)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((3, 4), (2, 5), (1, 5)), ((4, 3), (1, 5), (2, 5)), ((7, 4), (0, 7), (1, 5)), ((5, 5), (1, 6), (1, 6))],
)
def test_padded_pictures_lie_in_the_middle_and_an_odd_pixel_below_or_to_the_right(shape, rows, columns):
    images = RNG.integers(1, 256, (2, *shape), dtype=np.uint8)
    padded = drawn(Arrays(images, np.arange(2)[:, None], pad_to=7))[:, 0].numpy() * 255
    expected = np.zeros((2, 7, 7))
    expected[:, slice(*rows), slice(*columns)] = images
    assert np.allclose(padded, expected, atol=1e-3)


@pytest.mark.parametrize(("before", "after"), [(64, 16), (60, 32), (48, 64)])
def test_pictures_are_scaled_as_pillow_scales_them(before, after):
    images = RNG.random((3, before, before), dtype=np.float32)  # grain, of which many pixels become one
    scaled = drawn(Arrays(images, np.arange(3)[:, None], scale_to=after))[:, 0]
    for own, image in zip(scaled, images, strict=True):
        theirs = np.asarray(Image.fromarray(image).resize((after, after), Image.Resampling.BILINEAR))
        assert np.allclose(own, theirs, atol=1e-3)
    assert (Arrays(GREY, np.arange(5)[:, None], pad_to=70, scale_to=64).size, Arrays(GREY, scale_to=64).size) == (
        64,
        64,
    )
