"""The explorers that compute their drawings from formulas, without a browser: controls, state, stills."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg

from minivae.course import explorers, figures


def bent(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * ((0.9 - torch.tanh(z)) / 0.3) ** 2 - 0.5 * z**2


MAKE = {
    "elbo": lambda: explorers.ElboExplorer(bent),
    "channel": explorers.ChannelExplorer,
    "overlap": explorers.OverlapExplorer,
    "water": explorers.WaterLevelExplorer,
    "ellipse": explorers.TiltedEllipseExplorer,
    "codes": explorers.TwelveCodesExplorer,
}


@pytest.mark.parametrize(
    ("name", "sliders"),
    [
        ("elbo", {"mean": ("mean of q", 0.3), "std": ("σ of q", 0.6)}),
        ("channel", {"spread": ("spread of means", 1.5), "std": ("σ of the noise", 0.3)}),
        (
            "overlap",
            {f"mean {i}": (f"mean {i}", i - 2) for i in (1, 2, 3)} | {f"σ {i}": (f"σ {i}", 0.5) for i in (1, 2, 3)},
        ),
    ],
)
def test_sliders_are_called_what_they_move_and_begin_on_a_step(name, sliders):
    explorer = MAKE[name]()
    controls = {control["name"]: control for control in explorer.spec["controls"]}
    assert {name: control["label"] for name, control in controls.items()} == {n: s[0] for n, s in sliders.items()}
    for name, (_, start) in sliders.items():
        control, value = controls[name], explorer.state[name]
        assert value == pytest.approx(start, rel=0.025)
        steps = ((np.log10(value) if control.get("log") else value) - control["min"]) / control["step"]
        assert steps == pytest.approx(round(steps), abs=1e-3)


FIGURES = {
    "elbo": (
        {"mean": 1.0, "std": 0.2}, lambda state: figures.elbo_gap(bent, state["mean"], state["std"]),
    ),
    "channel": ({"spread": 3.0}, lambda state: figures.messages(state["spread"], state["std"])),
    "overlap": (
        {"mean 3": 3.0, "σ 1": 1.9},
        lambda state: figures.overlap(*torch.tensor(list(state.values())).view(2, 3)),
    ),
    "water": ({"beta": 20.0}, lambda state: figures.water_level(
        torch.tensor([8.0, 4.0, 4.0, 1.5, 0.6, 0.2], dtype=torch.float64), state["beta"], 0.25)),
    "ellipse": ({"angle": -45}, lambda state: figures.tilted_fits(
        [state["angle"]], torch.tensor([state["variance 1"], state["variance 2"]]))),
    "codes": ({"mean 3": -2.0}, lambda state: figures.codes(
        {"β = 2": (torch.tensor([state[f"mean {i + 1}"] for i in range(12)]),
                   torch.tensor([state[f"σ {i + 1}"] for i in range(12)]))}, cut=6)),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_the_still_is_the_figure_of_the_state(name):
    explorer, (changes, draw) = MAKE[name](), FIGURES[name]
    first = explorer.still()
    explorer.state = changes
    figure = draw(explorer.state)
    figure.set_dpi(80)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert np.array_equal(explorer.still(), np.asarray(canvas.buffer_rgba())[..., :3])
    assert not np.array_equal(explorer.still(), first)
    plt.close("all")
    explorer.still()
    assert plt.get_fignums() == []  # a notebook shows no second figure


@pytest.mark.parametrize("name", MAKE)
def test_what_is_sent_to_the_page_is_json_and_small(name):
    explorer = MAKE[name]()
    json.dumps(explorer.spec)
    assert sum(map(len, explorer.buffers.values())) < 40_000 and "http" not in explorer._esm
    assert f"views.{explorer.spec['view']} =" in explorer._esm


def test_of_beta_capacity_and_error_one_is_set_and_the_others_follow():
    explorer = explorers.WaterLevelExplorer()
    explorer.state = {"C": 0.0}
    assert explorer.state == pytest.approx({"beta": 32.0, "C": 0.0, "distortion": 18.3})
    explorer.state = {"beta": 4.0}
    four = {"beta": 4.0, "C": 0.5 * np.log(8 * 4 * 4 * 1.5), "distortion": 4 + 0.6 + 0.2}
    assert explorer.state == pytest.approx(four)
    explorer.state = {"C": 5.0}
    explorer.state = {"distortion": 4.8}
    assert explorer.state == pytest.approx(four)
    # what the page has worked out is kept as it is: an answer that differs by rounding would move the slider in hand
    rounded = explorer.following("beta", 7.0)
    rounded["distortion"] += 1e-9
    explorer.state = rounded
    assert explorer.state == rounded
    explorer.state = {"beta": 40.0, "C": 3.0}  # which cannot both be: the first counts
    assert explorer.state == pytest.approx({"beta": 40.0, "C": 0.0, "distortion": 18.3})
    with pytest.raises(traitlets.TraitError, match=r"distortion must be from 0.6 to 18.3, got 19"):
        explorer.state = {"distortion": 19.0}
    for wrong in ((1.0, -1.0), ()):
        with pytest.raises(ValueError, match="eigenvalues must"):
            explorers.WaterLevelExplorer(wrong)
    with pytest.raises(ValueError, match="noise must be"):
        explorers.WaterLevelExplorer(noise=0.0)
    assert explorers.WaterLevelExplorer((1.0, 3.0)).spec["eigenvalues"] == [3.0, 1.0]


def test_a_torn_code_is_that_of_chapter_3():
    explorer = explorers.TwelveCodesExplorer()
    whole = torch.linspace(-1.5, 1.5, 12).double()
    for cut, state in enumerate(explorer.spec["follow"]["cut"]):
        torn = torch.cat([whole[12 - cut :], whole[: 12 - cut]])
        assert [state[f"mean {i + 1}"] for i in range(12)] == pytest.approx(torn.tolist())
        assert {state[f"σ {i + 1}"] for i in range(12)} == {0.1}
    assert explorer.state == explorer.spec["follow"]["cut"][6] | {"cut": 6, "beta": 2}


MEANS, WIDTHS = ([f"{name} {i}" for i in range(1, 13)] for name in ("mean", "σ"))


def test_means_and_widths_of_twelve_codes_are_put_away():
    controls = explorers.TwelveCodesExplorer().spec["controls"]
    assert [control["name"] for control in controls if control.get("folded")] == [*MEANS, *WIDTHS]


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("elbo", {"mean": (-2, 3), "std": (0.032, 2)}),
        ("channel", {"spread": (0, 4), "std": (0.032, 2)}),
        ("overlap", {f"mean {i}": (-3, 3) for i in (1, 2, 3)} | {f"σ {i}": (0.05, 2) for i in (1, 2, 3)}),
        ("ellipse", {"angle": (-90, 90), "variance 1": (0.02, 1), "variance 2": (0.02, 1)}),
        ("codes", {"beta": (1, 64), **dict.fromkeys(MEANS, (-4, 4)), **dict.fromkeys(WIDTHS, (0.001, 4))}),
    ],
)
def test_sliders_go_so_far(name, ends):
    for control in MAKE[name]().spec["controls"]:
        if "options" not in control:
            low, high = (10 ** control[end] if control.get("log") else control[end] for end in ("min", "max"))
            assert (low, high) == pytest.approx(ends[control["name"]], rel=0.02)
