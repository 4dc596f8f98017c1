"""Figures hold what they say: rows in the order of KL, the data behind the lines, labels with units."""

import dataclasses
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from minivae import channel, experiments, gaussian
from minivae.course import figures
from minivae.datasets import Blobs, ColouredSprites
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.metrics.evaluate import mean_kl
from minivae.overlap import right_guesses
from minivae.rate_distortion import RateDistortion
from minivae.vae import VAE


@pytest.fixture(scope="module")
def run() -> Run:
    return train(experiments.get("blobs-vae"), steps=3, seed=0, device="cpu", precision="fp32", progress=False)


@pytest.fixture(autouse=True)
def close():
    """Every figure of these tests has room for its axes, and nothing sticks out of it or covers another's words."""
    yield
    try:
        for figure in map(plt.figure, plt.get_fignums()):
            look_at(figure)
    finally:
        plt.close("all")


def look_at(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    assert width <= 13 and height <= 14, f"{width} × {height} inches"
    figure.canvas.draw()
    shown = [axis for axis in figure.axes if axis.axison and axis.get_label() != "<colorbar>"]
    for axis in shown:
        room = axis.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        assert min(room.width, room.height) > 0.25, f"axes of {room.width:.2f} × {room.height:.2f} inches"
    whole = figure.get_tightbbox()
    assert min(whole.x0, whole.y0, width - whole.x1, height - whole.y1) > -0.1, f"sticks out: {whole}"
    titles = [axis.title for axis in shown if axis.get_title()]
    boxes = [title.get_window_extent().shrunk(0.9, 0.9) for title in titles]
    for i, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:i]), f"the title {titles[i].get_text()!r} covers another"


def test_traversals_are_ordered_by_kl_and_show_what_the_decoder_draws(run):
    data, model = Blobs(), run.model()
    images, _ = data.sample(20, torch.Generator().manual_seed(0))
    figure = figures.traversals(model, data, images, columns=5, tuning=9)
    axes = np.array(figure.axes[: 12 * 6]).reshape(12, 6)
    kl = mean_kl(model, images)
    order = kl.argsort(descending=True)
    assert [axis.get_ylabel() for axis in axes[2:, 0]] == [rf"$z_{{{i}}}$   {kl[i]:.2f} nats" for i in order]
    assert np.array_equal(axes[0, 3].images[0].get_array(), images[3, 0])
    z = model.encode(images)[0][0].clone()
    z[order[1]] = 3.0
    drawn = torch.sigmoid(model.decode(z[None]))[0, 0]
    assert np.allclose(axes[3, 4].images[0].get_array(), drawn, atol=1e-5)
    heat = axes[2, -1].images[0]
    assert heat.get_clim() == (-3, 3)
    assert np.allclose(heat.cmap(0.5)[:3], 1, atol=0.05)  # 0 is white, −3 blue, 3 red
    assert heat.cmap(0.0)[2] > heat.cmap(0.0)[0] and heat.cmap(1.0)[0] > heat.cmap(1.0)[2]


def test_heat_maps_are_empty_outside_the_domain(run):
    data = Blobs(domain="diamond")
    images, _ = data.sample(8, torch.Generator().manual_seed(0))
    heat = figures.traversals(run.model(), data, images, tuning=9).axes[2 * 9 + 8].images[0].get_array()
    assert np.ma.getmaskarray(heat)[0, 0] and not np.ma.getmaskarray(heat)[4, 4]


def test_traversals_of_data_without_positions_have_every_latent_and_no_heat_map():
    model = VAE(3, 4, generator=torch.Generator().manual_seed(0))
    images, _ = ColouredSprites().sample(6, torch.Generator().manual_seed(0))
    figure = figures.traversals(model, ColouredSprites(), images, columns=5, title="mine")
    kl = mean_kl(model, images)
    rows = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
    assert rows[2:] == [rf"$z_{{{i}}}$   {kl[i]:.2f} nats" for i in kl.argsort(descending=True)]
    assert figure.get_suptitle() == "mine"
    assert not any(axis.images and axis.images[0].get_array().ndim == 2 for axis in figure.axes)


def test_kl_history_draws_every_latent_with_units(run):
    (axis,) = figures.kl_history({"a run": run}).axes
    lines = [line for line in axis.lines if line.get_label().startswith("$z_")]
    assert len(lines) == 10 and axis.get_ylabel() == "KL per latent (nats)" and axis.get_xlabel() == "training step"
    last = max(lines, key=lambda line: line.get_ydata()[-1])
    assert last.get_ydata()[-1] == pytest.approx(run.history["kl"][-1].max())


def test_kl_history_of_a_generator_names_its_factors(run):
    sprites = dataclasses.replace(experiments.get("generator"), steps=2)
    kl = np.array([[0.1, 0.2, 0.5, 0.3, 0.4]] * 3)
    history = {"step": np.arange(1, 4), "kl": kl, "loss": kl[:, 0], "reconstruction": kl[:, 0]}
    (axis,) = figures.kl_history({"g": dataclasses.replace(run, experiment=sprites, history=history)}).axes
    drawn = {line.get_label(): line.get_ydata()[-1] for line in axis.lines if not line.get_label().startswith("_")}
    assert drawn == pytest.approx({"shape": 0.1, "scale": 0.2, "orientation": 0.5, "x": 0.3, "y": 0.4})


def test_collapse_tells_alive_from_dead():
    axis = figures.collapse([3, 4, 5], [50, 100, 150], [(4, 70, 1.2), (4, 130, 0.0)]).axes[0]
    active, dead = axis.collections[1:3]
    assert active.get_offsets().tolist() == [[4, 70]] and dead.get_offsets().tolist() == [[4, 130]]


def test_compass_draws_each_axis_at_its_angle():
    axis = figures.compass({"square": [(0.0, 90.0)]}, {"square": Blobs()}).axes[0]
    (x0, x1), (y0, y1) = axis.lines[0].get_data()
    assert y0 == pytest.approx(y1) and x1 - x0 == pytest.approx(1.6 * 24)


def test_image_row_titles():
    figure = figures.image_row(torch.rand(3, 1, 64, 64), ["a", "b", "c"])
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c"]


def test_messages_title_adds_up_and_confusions_are_probabilities():
    figure = figures.messages(spread=1.5, std=0.3)
    kl, information, slack = (float(word) for word in figure.axes[0].get_title().split() if word[0].isdigit())
    assert kl == pytest.approx(information + slack, abs=0.011)
    read = figure.axes[1].collections[0].get_array().reshape(8, 8)
    assert np.allclose(read.sum(1), 1) and (np.diag(read) > 0.3).all()


def test_turn_ons_draw_rates_against_capacity():
    capacities, rates = torch.linspace(0, 1, 5), torch.rand(5, 2)
    trained = {0.5: torch.tensor([0.3, 0.2])}
    figure = figures.turn_ons(capacities, rates, torch.tensor([2.0, 1.0]), trained)
    assert np.allclose(figure.axes[0].lines[1].get_ydata(), rates[:, 1])
    assert np.allclose(figure.axes[0].collections[0].get_offsets(), [[0.5, 0.3], [0.5, 0.2]])


def test_elbo_gap_of_a_known_posterior():
    def log_joint(z):  # x = 1, p(x|z) = N(z, 1): the posterior is N(½, ½)
        return -0.5 * (1 - z) ** 2 - 0.5 * z**2 - np.log(2 * np.pi)

    log_p = -0.5 * np.log(4 * np.pi) - 0.25
    for mean, gap in ((0.5, 0.0), (1.5, 1.0)):
        axis = figures.elbo_gap(log_joint, mean=mean, std=0.5**0.5).axes[1]
        fit = -0.5 * np.log(2 * np.pi) - 0.5 * ((1 - mean) ** 2 + 0.5)  # E log N(1; z, 1)
        kl = 0.5 * (mean**2 + 0.5 - 1 - np.log(0.5))
        assert axis.get_title() == (
            f"ELBO = {fit:.2f} - {kl:.2f} = {log_p - gap:.2f} (dotted)\nlog p(x) = {log_p:.2f} (dashed), gap {gap:.3f}"
        ).replace("-", "−")
        assert [bar.get_height() for bar in axis.patches] == pytest.approx([fit, -kl, gap], abs=1e-4)
        last = axis.patches[2]
        assert last.get_y() + last.get_height() == pytest.approx(log_p, abs=1e-4)  # the stairs end at log p(x)


@pytest.mark.parametrize("mean", [0.5, 3.5])  # the highest is the fit, or where q is far off log p(x)
def test_the_stairs_of_the_elbo_lie_within_the_axis(mean):
    # log p(x) = 2, as where x is dense; the posterior is N(½, ½)
    axis = figures.elbo_gap(lambda z: 2 - (z - 0.5) ** 2 - 0.5 * np.log(np.pi), mean=mean, std=0.5**0.5).axes[1]
    low, high = axis.get_ylim()
    ends = [end for bar in axis.patches for end in (bar.get_y(), bar.get_y() + bar.get_height())]
    assert max(ends) >= 1.999 and low < min(0, *ends) and max(ends) < high < 2 * max(ends)


def test_overlap_draws_the_decoders_belief_and_the_mistakes():
    means, stds = torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 1.0])
    top, bottom = figures.overlap(means, stds, star=0.3).axes
    assert "best guess wrong 16%" in top.get_title() and "cost 0.11 D" in top.get_title()
    border = bottom.collections[0].get_paths()[0].vertices  # the belief in the first picture is ½ half-way between
    assert border[np.abs(border[:, 0]) < 1e-9, 1].max() == pytest.approx(0.5)


def test_best_guess_among_many_far_posteriors_is_always_right():
    assert right_guesses(torch.tensor([-9.0, 0.0, 9.0]), torch.ones(3)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 3.0])
def test_best_guess_of_two_equally_wide_posteriors_is_right_as_often_as_the_normal_distribution_says(apart):
    means = torch.tensor([-apart / 2, apart / 2], dtype=torch.float64)
    expected = torch.special.ndtr(torch.tensor(apart / 2, dtype=torch.float64)).item()
    assert right_guesses(means, torch.ones_like(means)) == pytest.approx(expected, abs=1e-5)


def test_orders_mark_the_first():
    axis = figures.orders({"all": torch.tensor([0.5, 1.0, 1.5])}).axes[0]
    assert axis.lines[0].get_xdata()[0] == 0.5 and sum(patch.get_height() for patch in axis.patches) == 3


def test_exchange_has_a_dot_and_its_tangent_for_each_price():
    kl = torch.linspace(0, 1, 11)
    (axis,) = figures.exchange(kl, 2 - 2 * kl, {2.0: (0.5, 1.0), 4.0: (0.25, 1.5)}).axes
    family, *pairs = axis.lines
    assert family.get_xdata()[[0, -1]].tolist() == [0, 1] and family.get_ydata()[[0, -1]].tolist() == [2, 0]
    for beta, (x, y), tangent, dot in ((2, (0.5, 1.0), *pairs[:2]), (4, (0.25, 1.5), *pairs[2:])):
        assert dot.get_xdata() == [x] and dot.get_ydata() == [y]
        (x0, x1), (y0, y1) = tangent.get_data()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(-beta)
        assert (x0 + x1) / 2 == pytest.approx(x) and (y0 + y1) / 2 == pytest.approx(y)
    assert [text.get_text() for text in axis.texts] == ["β = 2", "β = 4"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [
        "symmetric family",
        "slope −β",
        "free descent",
    ]
    assert axis.get_xlabel() == "KL (nats)" and axis.get_ylabel() == "likelihood cost (nats)"


def test_a_wall_is_drawn_from_its_start_and_marks_where_the_pressure_changes():
    losses = {"weak": torch.tensor([5.0, 6.0, 4.0]), "strong": torch.tensor([9.0, 7.0])}
    (axis,) = figures.wall(losses, every=10).axes
    weak, strong, level, change = axis.lines
    assert weak.get_xdata().tolist() == [0, 10, 20] and weak.get_ydata().tolist() == [0, 1, -1]
    assert strong.get_xdata().tolist() == [0, 10] and strong.get_ydata().tolist() == [0, -2]
    assert set(level.get_ydata()) == {0} and set(change.get_xdata()) == {10}
    assert weak.get_linestyle() != strong.get_linestyle()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["weak", "strong"]
    assert axis.get_xlabel() == "step of descent" and axis.get_ylabel() == "loss minus its start (nats)"


def test_codes_show_each_picture_at_its_mean_with_its_width():
    means, stds = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.1, 0.4, 0.2])
    _, axis = figures.codes({"one": (means + 1, stds), "two": (means, stds)}, cut=1).axes
    first, second = axis.containers
    assert first.lines[0].get_xydata().tolist() == [[1, 0.5]] and first.lines[0].get_color() == figures.BLUE
    assert np.allclose(second.lines[0].get_xydata(), [[2, -1], [3, 2]])
    bars = second.lines[2][0].get_segments()
    assert np.allclose(bars[0], [[2, -1.4], [2, -0.6]]) and np.allclose(bars[1], [[3, 1.8], [3, 2.2]])
    assert axis.get_title() == "two"


def test_vae_diagram_reads_from_the_picture_to_the_drawing():
    picture = torch.tensor([[0.0, 1.0], [0.2, 0.7]])
    (axis,) = figures.vae_diagram(picture).axes
    assert [np.allclose(image.get_array(), picture) for image in axis.images] == [True, True]
    places = {text.get_text(): text.get_position()[0] for text in axis.texts}
    row = ["picture x", "encoder", "μ, log σ", "z = μ + σε", "decoder"]
    assert [places[label] for label in row] == sorted(places[label] for label in row)
    (kl,) = (place for label, place in places.items() if "KL" in label)
    assert kl == places["μ, log σ"]  # the KL belongs to the posterior


def curve(*, scale: float = 1.0) -> RateDistortion:
    c = torch.linspace(1, 10, 10, dtype=torch.float64)
    return RateDistortion(("a", "b"), c, torch.stack([c * scale, c * 0], dim=1), 100 - c, c * 0, c)


def test_shares_draw_each_factor_over_its_best():
    trained = dataclasses.replace(curve(scale=0.5), factors=("b", "a"), rates=curve(scale=0.5).rates.flip(1))
    figure = figures.shares({"run": trained, "itself": curve()}, [curve(), curve()])
    for axis, name, best, own in zip(figure.axes, "abab", (10, 0, 10, 0), (5, 0, 10, 0), strict=True):
        pale, line = axis.lines
        assert (pale.get_ydata()[-1], line.get_ydata()[-1]) == (best, own)  # by name, not by place
        assert name == figure.axes["ab".index(name)].get_title()
    assert figure.axes[0].get_ylabel().startswith("run") and figure.axes[2].get_ylabel().startswith("itself")


def test_figure_3_draws_each_factor_against_capacity_and_accuracy():
    above, other, below, last = figures.figure_3(curve(scale=0.5)).axes
    for axis, axis_below, name, end in ((above, below, "a", 5), (other, last, "b", 0)):
        assert axis.get_title() == name
        by_capacity, by_accuracy = axis.lines[0], axis_below.lines[0]
        assert by_capacity.get_ydata()[-1] == by_accuracy.get_ydata()[-1] == end
        assert by_capacity.get_xdata()[-1] == curve(scale=0.5).capacities[-1]
        assert by_accuracy.get_xdata()[-1] == -curve(scale=0.5).distortions[-1]


def test_splits_draw_rates_over_prices():
    rates, prices = figures.splits({"limit": curve()}).axes
    assert [line.get_ydata()[-1] for line in rates.lines] == [10, 0] and rates.get_title() == "limit"
    assert prices.lines[0].get_ydata()[-1] == 10 and prices.get_yscale() == "log"


def test_frontier_draws_distortion_against_what_was_paid():
    (axis,) = figures.frontier({"run": curve(scale=0.5)}, {"limit": curve()}).axes
    limit, run = axis.lines
    assert limit.get_xdata()[-1] == 10 and run.get_xdata()[-1] == 5 and run.get_ydata()[-1] == 90
    assert [text.get_text() for text in axis.get_legend().texts] == ["limit", "run"]


def test_tradeoff_marks_every_run_and_draws_the_lines():
    line = torch.tensor([0.0, 10.0]), torch.tensor([0.2, 0.9])
    left, right = figures.tradeoff(
        {"one": {"VAE": [(18.0, 0.1)], "β": [(50.0, 0.3), (60.0, 0.2)]}, "two": {"β": [(5.0, 0.4)]}},
        {"two": {"limit": line}},
    ).axes
    vae, beta = left.lines
    assert (vae.get_xdata()[0], vae.get_ydata()[0]) == (18.0, 0.1) and list(beta.get_xdata()) == [50.0, 60.0]
    limit, again = right.lines
    assert limit.get_label() == "limit" and list(limit.get_ydata()) == line[1].tolist()
    assert again.get_color() == beta.get_color() and again.get_marker() == beta.get_marker()  # a method looks the same


def test_picture_rows_are_labelled_and_groups_set_apart():
    one, two = torch.zeros(3, 1, 8, 8), torch.ones(4, 1, 8, 8)
    axes = figures.picture_rows([{"one": one}, {"two": two, "three": one}]).axes
    assert len(axes) == 12  # three rows and a gap, of three columns: as many as the shortest has
    assert [axis.get_ylabel() for axis in axes[::3]] == ["one", "", "two", "three"]
    assert [bool(axis.images) for axis in axes[::3]] == [True, False, True, True]


def test_latent_rows_are_ordered_by_kl_and_in_colour():
    model = VAE(channels=3, generator=torch.Generator().manual_seed(0))
    images, _ = ColouredSprites().sample(12, torch.Generator().manual_seed(0))
    axes = figures.latent_rows(model, images, rows=3, columns=4).axes
    assert len(axes) == 6 * 4  # two rows, a gap, three latents
    kl = mean_kl(model, images)
    order = kl.argsort(descending=True)[:3].tolist()
    assert [axis.get_ylabel() for axis in axes[12::4]] == [rf"$z_{{{i}}}$   {kl[i]:.2f} nats" for i in order]
    assert np.allclose(axes[0].images[0].get_array(), images[0].movedim(0, -1))


def test_alignments_show_living_latents_by_kl():
    table = {"x": torch.tensor([0.1, 0.9, 0.5]), "y": torch.tensor([0.0, 0.2, 0.999])}
    axis = figures.alignments({"run": table}, {"run": torch.tensor([0.001, 1.0, 2.0])}).axes[0]
    assert np.allclose(axis.images[0].get_array(), [[0.5, 0.9], [0.999, 0.2]])
    assert [label.get_text().split("\n")[1] for label in axis.get_xticklabels()] == ["2.0", "1.0"]
    assert [text.get_text() for text in axis.texts] == [".50", ".90", "1", ".20"]
    axis = figures.alignments({"code": table}).axes[0]
    assert np.allclose(axis.images[0].get_array(), torch.stack(list(table.values())))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["$z_{0}$", "$z_{1}$", "$z_{2}$"]


def test_a_chapter_may_ask_more_of_an_active_latent(run):
    (axis,) = figures.kl_history({"run": run}, active=0.1).axes
    (line,) = [line for line in axis.lines if len(line.get_xdata()) == 2 and set(line.get_ydata()) == {0.1}]
    assert line.get_linewidth() < 1 and axis.texts[0].xy[1] == 0.1
    table = {"x": torch.tensor([0.1, 0.9, 0.5])}
    axis = figures.alignments({"run": table}, {"run": torch.tensor([0.05, 0.2, 2.0])}, active=0.1).axes[0]
    assert np.allclose(axis.images[0].get_array(), [[0.5, 0.9]])


# One asymmetric datum a panel, against an independent value: what is mirrored, transposed or mislabelled must show.


def test_heat_maps_have_x_to_the_right_and_y_downwards(run):
    data, model = Blobs(), run.model()
    images, _ = data.sample(12, torch.Generator().manual_seed(0))
    figure = figures.traversals(model, data, images, columns=4, tuning=9)
    latent = mean_kl(model, images).argsort(descending=True)[0]
    heat = figure.axes[2 * 5 + 4].images[0].get_array()
    x, y = data.grid(9)[:9, 0], data.grid(9)[::9, 1]
    assert len(x.unique()) == len(y.unique()) == 9
    for row, column in ((1, 7), (6, 2)):
        mean = model.encode(data.render(torch.stack([x[column], y[row]])[None]))[0][0, latent]
        assert heat[row, column] == pytest.approx(mean.item(), abs=1e-5)
        assert abs(heat[column, row] - mean) > 1e-3  # so that a transposed map would be seen


def test_messages_title_names_information_and_slack():
    means = torch.linspace(-1.5, 1.5, 8, dtype=torch.float64)
    kl = gaussian.kl_per_latent(means, torch.full_like(means, np.log(0.3))).mean().item()
    information = channel.mutual_information(means, 0.3).item()
    assert abs(2 * information - kl) > 0.1  # the two could not be swapped unseen
    title = figures.messages(spread=1.5, std=0.3).axes[0].get_title()
    assert title == f"KL {kl:.2f} = information {information:.2f} + slack {kl - information:.2f} nats"


def test_messages_are_read_as_their_neighbours():
    read = figures.messages(spread=1.0, std=0.5).axes[1].collections[0].get_array().reshape(8, 8)
    right = torch.special.ndtr(torch.tensor(1 / 7 / 0.5, dtype=torch.float64)).item()  # the first has one neighbour
    assert read[0, 0] == pytest.approx(right, abs=1e-6) and read[0, 1] > read[0, 2] > 0
    assert read[1, 0] > 1.5 * read[0, 1]  # sent in rows, read in columns: the outer message catches all beyond it


def test_alignments_name_their_rows():
    table = {"x": torch.tensor([0.1, 0.9]), "y": torch.tensor([0.3, 0.2])}
    axis = figures.alignments({"run": table}).axes[0]
    rows = [label.get_text() for label in axis.get_yticklabels()]
    assert rows == ["x", "y"] and axis.images[0].get_array()[rows.index("x"), 1] == pytest.approx(0.9)
    assert axis.yaxis_inverted() or axis.images[0].origin == "upper"
    assert axis.get_yticks().tolist() == [0, 1]
    at = {text.get_position(): text.get_text() for text in axis.texts}
    assert at[(1, 0)] == ".90" and at[(0, 1)] == ".30"


def test_beliefs_are_stacked():
    means, stds = torch.tensor([-1.0, 0.2, 1.5]), torch.tensor([0.5, 0.8, 0.4])
    _, bottom = figures.overlap(means, stds).axes
    z = 0.4
    density = torch.distributions.Normal(means, stds).log_prob(torch.tensor(z)).exp()
    belief = (density / density.sum()).numpy()
    second = bottom.collections[1].get_paths()[0].vertices
    edges = second[np.abs(second[:, 0] - z) < 1e-9, 1]
    assert edges.min() == pytest.approx(belief[0], abs=1e-5)
    assert edges.max() == pytest.approx(belief[0] + belief[1], abs=1e-5)


def test_kl_history_lists_the_latent_with_most_nats_first(run):
    kl = np.tile(np.linspace(0.1, 0.5, 10), (3, 1))
    made = dataclasses.replace(run, history=run.history | {"kl": kl[:, [3, 0, 9, 1, 2, 4, 5, 6, 7, 8]]})
    (axis,) = figures.kl_history({"a run": made}).axes
    labels = [text.get_text() for text in axis.get_legend().texts]
    assert labels[0] == "$z_{2}$" and labels[-1] == "$z_{1}$"
    lines = {line.get_label(): line.get_ydata()[-1] for line in axis.lines}
    assert lines["$z_{2}$"] == pytest.approx(0.5) and lines["$z_{0}$"] == pytest.approx(kl[0, 3])


def test_thresholds_stand_over_their_widths():
    line = figures.collapse([3, 5], [50, 150], [(4, 70, 1.2)]).axes[0].lines[0]
    assert list(line.get_xdata()) == [3, 5] and list(line.get_ydata()) == [50, 150]


def test_compass_turns_downwards():
    axis = figures.compass({"square": [(30.0, 120.0)]}, {"square": Blobs()}).axes[0]
    (x0, x1), (y0, y1) = axis.lines[0].get_data()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(np.tan(np.radians(30))) and axis.yaxis_inverted()


# What a reader reads: every label with the data, colour and place that it stands for.


def said(axis) -> tuple[str, str, str]:
    return axis.get_title(), axis.get_xlabel(), axis.get_ylabel()


def lines(axis) -> dict:
    return {line.get_label(): line for line in axis.lines}


def legend(axis) -> dict[str, str]:
    """Label → colour."""
    entries = zip(axis.get_legend().texts, axis.get_legend().legend_handles, strict=True)
    return {text.get_text(): getattr(handle, "get_color", lambda: None)() for text, handle in entries}


def shown(axis) -> np.ndarray:
    return np.asarray(axis.images[0].get_array())


def test_pictures_are_grey_from_black_to_white_each_in_its_place():
    images = 0.2 + 0.5 * torch.rand(3, 1, 8, 8)
    for axis, image in zip(figures.image_row(images).axes, images, strict=True):
        assert np.array_equal(shown(axis), image[0]) and axis.images[0].get_clim() == (0, 1)
        assert axis.images[0].cmap(0.0)[:3] == (0, 0, 0) and axis.images[0].cmap(1.0)[:3] == (1, 1, 1)
        assert axis.images[0].origin == "upper"
    colour = torch.rand(2, 3, 8, 8)
    assert np.array_equal(shown(figures.image_row(colour).axes[1]), colour[1].movedim(0, -1))
    rows = figures.picture_rows([{"a": images}, {"b": images.flip(0)}]).axes
    assert all(np.array_equal(shown(rows[i]), images[i, 0]) for i in range(3))
    assert all(np.array_equal(shown(rows[6 + i]), images[2 - i, 0]) for i in range(3))


def traversed(model, images, latent: int, value: float) -> np.ndarray:
    z = model.encode(images[:1])[0].clone()
    z[0, latent] = value
    return torch.sigmoid(model.decode(z))[0].detach().numpy()


def test_traversals_show_each_picture_redrawn_and_each_latent_from_minus_3_to_3(run):
    data, model = Blobs(), run.model()
    images, _ = data.sample(20, torch.Generator().manual_seed(0))
    figure = figures.traversals(model, data, images, columns=5, tuning=5, title="mine")
    axes = np.array(figure.axes[: 12 * 6]).reshape(12, 6)
    order = mean_kl(model, images).argsort(descending=True).tolist()
    assert [axis.get_ylabel() for axis in axes[:2, 0]] == ["originals", "reconstructions"]
    redrawn = torch.sigmoid(model.decode(model.encode(images)[0]))
    assert all(np.allclose(shown(axes[1, i]), redrawn[i, 0], atol=1e-5) for i in (0, 3))
    last = axes[2, :5]
    for value, axis in ((-3, last[0]), (-1.5, last[1]), (3, last[4])):
        assert np.allclose(shown(axis), traversed(model, images, order[0], value)[0], atol=1e-5)
    assert [axis.get_xlabel() for axis in axes[-1, :5]] == ["−3", "", "traversed value of z", "", "3"]
    middle = model.encode(data.render(torch.tensor([[32.0, 20.0]])))[0][0]  # of the fifth row of the grid, 8, 20, 32, …
    assert all(shown(axes[2 + r, -1])[1, 2] == pytest.approx(middle[i].item(), abs=1e-5) for r, i in enumerate(order))
    assert figure.axes[-1].get_ylabel() == "posterior mean of z by position of the blob"
    assert figure.get_suptitle() == "mine"


def test_latent_rows_show_each_picture_redrawn_and_each_latent_from_minus_3_to_3():
    model = VAE(channels=3, generator=torch.Generator().manual_seed(0))
    images, _ = ColouredSprites().sample(12, torch.Generator().manual_seed(0))
    figure = figures.latent_rows(model, images, rows=2, columns=4, title="mine")
    axes = figure.axes
    assert [axes[0].get_ylabel(), axes[4].get_ylabel()] == ["original", "reconstruction"]
    redrawn = torch.sigmoid(model.decode(model.encode(images)[0])).detach().movedim(1, -1)
    assert all(np.allclose(shown(axes[4 + i]), redrawn[i], atol=1e-5) for i in (0, 3))
    order = mean_kl(model, images).argsort(descending=True).tolist()
    for value, axis in ((-3, axes[16]), (-1, axes[17]), (3, axes[19])):
        assert np.allclose(shown(axis), traversed(model, images, order[1], value).transpose(1, 2, 0), atol=1e-5)
    assert figure.get_suptitle() == "mine"


def test_alignments_are_dark_where_a_latent_knows_a_factor():
    table = {"x": torch.tensor([0.7, 0.3]), "y": torch.tensor([0.04, 0.5])}
    figure = figures.alignments({"one": table, "two": table}, {"one": torch.tensor([1.0, 2.0]), "two": torch.ones(2)})
    left, right, bar = figure.axes
    assert said(left)[:2] == ("one", "latent, and its KL in nats") and right.get_title() == "two"
    assert left.images[0].get_clim() == (0, 1) and left.images[0].cmap(0.0)[0] > 0.9 > 0.1 > left.images[0].cmap(1.0)[0]
    assert [label.get_text() for label in left.get_xticklabels()] == ["$z_{1}$\n2.0", "$z_{0}$\n1.0"]
    assert {text.get_text(): text.get_color() for text in left.texts} == {
        ".30": "black", ".70": "white", ".50": "black"
    }  # fmt: skip
    assert bar.get_ylabel() == "R²"
    assert figures.alignments({"code": table}).axes[0].get_xlabel() == "latent"


def test_kl_history_averages_over_windows_and_orders_by_the_end(run):
    step = np.arange(1, 601)
    kl = np.stack([step / 100.0, 0.02 + 0 * step, 7 - step / 100], 1)  # 6, 0.02 and 1 nats in the end
    one = dataclasses.replace(run, history={"step": step, "kl": kl})
    two = dataclasses.replace(run, history={"step": step, "kl": kl[:, ::-1]})
    axes = figures.kl_history({"one": one, "two": two}).axes
    assert said(axes[0]) == ("one", "training step", "KL per latent (nats)") and axes[1].get_title() == "two"
    assert list(legend(axes[0])) == ["$z_{0}$", "$z_{2}$", "$z_{1}$"]
    assert list(legend(axes[1])) == ["$z_{2}$", "$z_{0}$", "$z_{1}$"]
    rising = lines(axes[0])["$z_{0}$"]
    assert rising.get_xdata()[:2].tolist() == [2, 5]  # the middles of steps 1 to 3, 4 to 6
    assert rising.get_ydata()[:2].tolist() == pytest.approx([0.02, 0.05])
    looks = [(line.get_color(), line.get_linestyle()) for line in axes[0].lines[:3]]
    assert len(set(looks)) == 3 and looks[0] == (legend(axes[0])["$z_{0}$"], "-")
    assert axes[0].lines[3].get_ydata()[0] == 0.01  # `ACTIVE`
    above, place = axes[0].texts[0].get_text(), axes[0].texts[0].xy[1]
    assert (above, place) == ("active above", 0.01) and axes[0].get_yscale() == "log"


def test_collapse_says_which_run_is_alive_and_which_side_dead():
    figure = figures.collapse([3, 4, 5], [50, 100, 200], [(4, 70, 1.2), (4, 130, 0.003)])
    (axis,) = figure.axes
    assert said(axis) == ("", "width s of the blob (pixels)", "β") and axis.get_yscale() == "log"
    area, active, dead = axis.collections
    for points, label, colour, beta in (
        (active, "trained: active", figures.BLUE, 70), (dead, "trained: collapsed", figures.ORANGE, 130)
    ):  # fmt: skip
        assert points.get_label() == label and points.get_offsets()[0].tolist() == [4, beta]
        assert matplotlib.colors.to_hex(points.get_facecolor()[0]) == colour
    edge = area.get_paths()[0].vertices
    assert edge[edge[:, 0] == 5, 1].min() == 200 and edge[:, 1].max() > 450  # grey is what lies above the threshold
    assert axis.lines[0].get_label() == r"predicted threshold $\beta_c$" and axis.lines[1].get_ydata()[0] == 150
    notes = {text.get_text(): text.xy for text in axis.texts}
    assert notes["1.20 nats"] == (4, 70) and notes["0.00 nats"] == (4, 130) and notes["β = 150, the paper's"][1] == 150
    below, over = notes["active"], notes["collapsed"]
    assert below[1] < np.interp(below[0], [3, 4, 5], [50, 100, 200])
    assert over[1] > np.interp(over[0], [3, 4, 5], [50, 100, 200])
    assert [label.get_text() for label in axis.get_yticklabels()] == [f"{tick:g}" for tick in axis.get_yticks()]


def test_compass_outlines_each_domain_and_tells_the_seeds_apart():
    names = ("square", "diamond", "disc")
    angles = {name: [(0.0, 90.0), (60.0, 150.0)] for name in names}
    axes = figures.compass(angles, {name: Blobs(domain=name, margin=12) for name in names}).axes
    reach = {"square": 20 * 2**0.5, "diamond": 20 / 2**0.5, "disc": 20.0}  # from the middle along the diagonal
    for name, axis in zip(names, axes, strict=True):
        edge = axis.patches[0].get_xy() - 32
        along = edge @ np.array([1, 1]) / 2**0.5
        assert along.max() == pytest.approx(reach[name], rel=1e-3) and np.abs(edge).max() == pytest.approx(20)
        assert said(axis)[:2] == (name, "x (pixels)") and axis.get_xlim() == (0, 64) and axis.get_ylim() == (64, 0)
        drawn = [line for line in axis.lines if len(line.get_xdata())]
        turns = [np.degrees(np.arctan2(np.ptp(line.get_ydata()), np.ptp(line.get_xdata()))) for line in drawn]
        assert turns == pytest.approx([0, 90, 60, 30])  # two axes a seed; 150° and 30° span the same
        assert all(np.mean(line.get_data(), axis=1) == pytest.approx([32, 32]) for line in drawn)
        colours = [line.get_color() for line in drawn]
        assert colours[0] == colours[1] == legend(axis)["0"] != colours[2] == colours[3] == legend(axis)["1"]
        assert axis.get_legend().get_title().get_text() == "seed"
    assert axes[0].get_ylabel() == "y (pixels)"


def test_vae_diagram_narrows_to_the_code_and_widens_to_the_drawing():
    (axis,) = figures.vae_diagram(torch.tensor([[0.0, 1.0], [0.2, 0.7]])).axes
    assert all(image.get_clim() == (0, 1) and image.cmap(0.0)[:3] == (0, 0, 0) for image in axis.images)
    encoder, decoder = (patch.get_xy()[:4] for patch in axis.patches if len(patch.get_xy()) == 5)
    for corners, narrow in ((encoder, "right"), (decoder, "left")):
        left, right = (np.ptp(corners[corners[:, 0] == x, 1]) for x in (corners[:, 0].min(), corners[:, 0].max()))
        assert (left > right) == (narrow == "right")
    places = {text.get_text(): text.get_position() for text in axis.texts}
    assert [places[name][0] for name in ("encoder", "decoder")] == pytest.approx(
        [encoder[0, 0] + 0.7, decoder[0, 0] + 0.7]
    )
    assert places["noise ε"][0] == places["z = μ + σε"][0] and places["noise ε"][1] > places["z = μ + σε"][1]
    drawing, loss = (next(p for label, p in places.items() if word in label) for word in ("drawn", "reconstruction"))
    posterior = next(p for label, p in places.items() if label.startswith("posterior"))
    assert drawing[0] > places["decoder"][0] and posterior[0] == places["μ, log σ"][0]
    assert loss[0] > posterior[0]
    arrows = [(text.xyann, text.xy) for text in axis.texts if text.get_text() == ""]
    assert len(arrows) == 6 and all(end[0] > start[0] or end[1] < start[1] for start, end in arrows)


def test_elbo_gap_draws_both_densities_and_marks_both_levels():
    figure = figures.elbo_gap(lambda z: -0.5 * (1 - z) ** 2 - 0.5 * z**2 - np.log(2 * np.pi), mean=1.5, std=0.5)
    left, right = figure.axes
    assert said(left)[1:] == ("z", "density") and right.get_ylabel() == "nats"
    assert set(legend(left)) == {"p(z | x)", "q(z | x)"}
    outline = left.collections[0].get_paths()[0].vertices
    assert left.collections[0].get_label() == "p(z | x)"
    assert outline[np.abs(outline[:, 0] - 0.5) < 1e-9, 1].max() == pytest.approx(1 / np.sqrt(np.pi), abs=1e-6)
    x, y = lines(left)["q(z | x)"].get_data()
    assert x[np.argmax(y)] == pytest.approx(1.5, abs=0.02)
    assert max(y) == pytest.approx(1 / np.sqrt(2 * np.pi) / 0.5, rel=1e-3)
    log_p = -0.5 * np.log(4 * np.pi) - 0.25
    gap = gaussian.kl_between(*torch.tensor([1.5, np.log(0.5), 0.5, 0.5 * np.log(0.5)]).unbind()).item()
    for name, level, style in (("zero", 0, "-"), ("log p(x)", log_p, "--"), ("ELBO", log_p - gap, ":")):
        line = lines(right)[name]
        assert line.get_ydata() == pytest.approx([level] * 2, abs=1e-4) and line.get_linestyle() == style
    assert [label.get_text() for label in right.get_xticklabels()] == ["E log p(x | z)", "− KL(q ‖ p(z))", "gap"]
    assert list(right.get_xticks()) == [0, 1, 2] and right.get_ylim()[0] < log_p - gap < 0 < right.get_ylim()[1]
    for place, bar in enumerate(right.patches):
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(place)


def test_overlap_names_each_posterior_and_marks_the_sample():
    means, stds = torch.tensor([-2.0, 0.5, 1.5]), torch.tensor([0.3, 0.8, 0.5])
    figure = figures.overlap(means, stds, star=0.7, names=["a", "b", "c"])
    top, bottom = figure.axes
    assert top.get_ylabel() == "density q(z | x)" and said(bottom) == ("", "z", "decoder's belief")
    for i, name in enumerate("abc"):
        x, y = lines(top)[name].get_data()
        assert x[np.argmax(y)] == pytest.approx(means[i].item(), abs=0.02)
        assert max(y) == pytest.approx(1 / np.sqrt(2 * np.pi) / stds[i].item(), rel=1e-2)
        colour = matplotlib.colors.to_rgb(legend(top)[name])
        assert (
            colour
            == tuple(bottom.collections[i].get_facecolor()[0][:3])
            == matplotlib.colors.to_rgb(lines(top)[name].get_color())
        )
    assert max(lines(top)["prior"].get_ydata()) == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-4)
    assert [*lines(top)["sample"].get_xdata(), *lines(bottom)["sample"].get_xdata()] == [0.7, 0.7, 0.7]
    kl = (0.5 * (means**2 + stds**2 - 1) - stds.log()).mean()
    z = torch.linspace(-10, 10, 20_001)[:, None]
    q = torch.distributions.Normal(means, stds).log_prob(z).exp()
    wrong = 1 - torch.trapezoid(q.amax(1), z[:, 0]) / 3
    belief = q / q.sum(1, keepdim=True)
    mixed = torch.trapezoid((belief[:, :, None] * belief[:, None]).mul(q.mean(1)[:, None, None]), z[:, 0], dim=0)
    cost = 0.5 * (mixed.sum() - mixed.trace())
    assert top.get_title() == f"mean KL {kl:.2f} nats, best guess wrong {wrong:.0%}, likelihood cost {cost:.2f} D"
    assert list(legend(figures.overlap(means, stds).axes[0]))[:3] == ["picture 1", "picture 2", "picture 3"]


def test_orders_have_a_panel_a_case_with_its_own_first():
    costs = {"one": torch.tensor([0.9, 0.5, 1.5]), "two": torch.tensor([2.0, 1.0])}
    for (name, values), axis in zip(costs.items(), figures.orders(costs).axes, strict=True):
        assert said(axis)[:2] == (name, "likelihood cost (nats)")
        assert axis.lines[0].get_xdata()[0] == values[0] == pytest.approx(axis.texts[0].xy[0])
        assert axis.texts[0].get_text() == "neighbours side by side"
        full = [(p.get_x(), p.get_x() + p.get_width(), p.get_height()) for p in axis.patches if p.get_height()]
        assert len(full) == len(values) and all(any(a <= v <= b for a, b, _ in full) for v in values.tolist())
    assert figures.orders(costs).axes[0].get_ylabel() == "number of orders"


def test_codes_are_blue_before_the_cut_and_orange_after_it():
    (axis,) = figures.codes({"one": (torch.tensor([0.5, -1.0]), torch.tensor([0.1, 0.4]))}, cut=1).axes
    assert [part.lines[0].get_color() for part in axis.containers] == [figures.BLUE, figures.ORANGE]
    assert said(axis) == ("one", "picture", "z: mean ± σ")


def test_turn_ons_name_each_component():
    capacities, rates = torch.linspace(0, 1, 5), torch.rand(5, 2)
    trained = {0.5: torch.tensor([0.3, 0.2]), 0.9: torch.tensor([0.6, 0.25])}  # asked for 0.9, it spends 0.85
    (axis,) = figures.turn_ons(capacities, rates, torch.tensor([2.0, 0.5]), trained).axes
    for i, label in enumerate(("λ = 2", "λ = 0.5")):
        assert np.allclose(lines(axis)[label].get_data(), [capacities, rates[:, i]])
    assert np.allclose(axis.collections[1].get_offsets(), [[0.9, 0.6], [0.9, 0.25]])
    assert said(axis) == ("", "capacity C (nats)", "rate of the component (nats)")
    assert "trained" in legend(axis)


def test_tangents_go_through_their_models_with_slope_minus_beta():
    capacities, losses = torch.linspace(0, 4, 5), torch.tensor([9.0, 5.0, 3.0, 2.0, 1.5])
    (axis,) = figures.tangents(capacities, losses, {4.0: (0.5, 7.0), 0.5: (3.0, 2.5)}).axes
    assert np.allclose(lines(axis)["least reconstruction at C"].get_data(), [capacities, losses])
    for beta, (rate, loss), ends in ((4, (0.5, 7.0), (0.0, 1.7)), (0.5, (3.0, 2.5), (1.8, 4.2))):
        line = lines(axis)[f"trained at β = {beta}: slope −{beta}"]
        assert line.get_xdata() == pytest.approx(ends)
        assert line.get_ydata() == pytest.approx([loss - beta * (end - rate) for end in ends])
    _, first, dot, second, other = axis.lines
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0.5, 7.0)
    assert (other.get_xdata()[0], other.get_ydata()[0]) == (3.0, 2.5)
    assert dot.get_color() == first.get_color() != second.get_color() == other.get_color()
    assert said(axis) == ("", "capacity C (nats)", "reconstruction D/2s² (nats)") and axis.get_ylim()[0] == 0
    assert len(legend(axis)) == 3


def test_strips_stand_over_their_centres_and_beside_their_latent():
    strips, centres = torch.rand(4, 16), torch.tensor([2.0, 5.0, 11.0, 14.0])
    mean, std = torch.tensor([-1.0, 0.0, 0.5, 2.0]), torch.tensor([0.3, 0.1, 0.2, 0.4])
    left, middle, right = figures.strip_codes(strips, 1 - strips, centres, mean, std).axes
    for axis, title, shown in ((left, "strips", strips), (middle, "reconstructions", 1 - strips)):
        (image,) = axis.images
        assert np.allclose(image.get_array(), shown.T) and image.get_clim() == (0, 1) and image.cmap(0.0)[0] == 0
        assert tuple(image.get_extent()) == (2, 14, 16, 0) and image.origin == "upper"  # pixel 0 on top
        assert said(axis)[:2] == (title, "true centre (pixels)")
    assert said(left)[2] == "place in the strip (pixels)"
    assert np.allclose(right.lines[0].get_data(), [centres, mean])
    band = right.collections[0].get_paths()[0].vertices
    assert band[np.isclose(band[:, 0], 14), 1].min() == pytest.approx(1.6)
    assert band[np.isclose(band[:, 0], 14), 1].max() == pytest.approx(2.4)
    assert said(right) == ("latent", "true centre (pixels)", "z: mean ± σ")


def five(*, scale: float = 1.0, shift: float = 0.0) -> RateDistortion:
    """Five factors with rates, capacities, distortions and prices of their own."""
    c = torch.linspace(1, 10, 10, dtype=torch.float64) + shift
    rates = scale * c[:, None] * torch.tensor([0.1, 0.2, 0.15, 0.35, 0.2], dtype=torch.float64)
    return RateDistortion(("shape", "scale", "orientation", "x", "y"), c, rates, 100 - 3 * c, c * 0, 50 / c)


def looks(line) -> tuple:
    return line.get_color(), line.get_linestyle(), line.get_linewidth()


def test_figure_3_says_what_its_axes_are():
    trained, best = five(), five(scale=0.5, shift=1)
    best = dataclasses.replace(best, factors=best.factors[::-1], rates=best.rates.flip(1))  # found by name
    figure = figures.figure_3(trained, best)
    axes = np.array(figure.axes).reshape(2, 5)
    assert [axis.get_title() for axis in axes[0]] == list(trained.factors)
    assert figure.get_supylabel() == "KL of the factor (nats)"
    assert [row[2].get_xlabel() for row in axes] == ["capacity C (nats)", "reconstruction accuracy, log p(x|z) (nats)"]
    for i, (above, below) in enumerate(axes.T):
        for label, rates, of in (("trained", trained.rates[:, i], trained), ("best split", best.rates[:, 4 - i], best)):
            assert np.allclose(lines(above)[label].get_data(), [of.capacities, rates])
            assert np.allclose(lines(below)[label].get_data(), [-of.distortions, rates])
            assert looks(lines(above)[label]) == looks(lines(below)[label])
    assert len({looks(lines(axis)["best split"]) for axis in axes[0]}) == 5
    assert legend(axes[0, 0])["trained"] == "black" and figures.figure_3(trained).axes[0].get_legend() is None


def test_codings_draw_a_line_a_coding_in_the_panel_of_its_factor():
    other = five(scale=0.5, shift=1)
    other = dataclasses.replace(other, factors=other.factors[::-1], rates=other.rates.flip(1))  # found by name
    figure = figures.codings({"values": five(), "numbers": other})
    assert [axis.get_title() for axis in figure.axes] == list(five().factors)
    assert figure.get_supxlabel() == "capacity C (nats)"
    assert figure.axes[0].get_ylabel() == "nats under the best split"
    for i, axis in enumerate(figure.axes):
        one, two = lines(axis)["values"], lines(axis)["numbers"]
        assert np.allclose(one.get_data(), [five().capacities, five().rates[:, i]])
        assert np.allclose(two.get_data(), [other.capacities, other.rates[:, 4 - i]])
        assert one.get_linestyle() != two.get_linestyle() and one.get_color() != two.get_color()
        assert axis.get_ylim() == (0, 5) and axis.get_xlim() == (0, 18)
    assert set(legend(figure.axes[0])) == {"values", "numbers"}


def test_a_ridge_has_a_line_a_capacity_over_the_shares():
    left, right = figures.ridge(
        {"raw": {6.0: [0.0, 1.0], 6.6: [0.0, -2.0]}, "less": {2.5: [0.0, 3.0]}}, [0.0, 0.5]
    ).axes
    assert said(left) == ("raw", "nats given to scale", "change of the loss D (nats)") and right.get_title() == "less"
    assert lines(left)["C = 6.6"].get_xydata().tolist() == [[0, 0], [0.5, -2]]
    assert lines(right)["C = 2.5"].get_xydata().tolist() == [[0, 0], [0.5, 3]] and "C = 6" in legend(left)
    assert len({looks(line) for line in (lines(left)["C = 6"], lines(left)["C = 6.6"])}) == 2
    assert left.get_ylim() == right.get_ylim() == (-30, 15)


def test_drift_marks_seen_over_expected_with_the_name_of_the_factor():
    expected, seen = torch.tensor([[0.1, -0.2], [0.3, 0.4]]), torch.tensor([[0.15, -0.1], [0.2, 0.5]])
    (axis,) = figures.drift(expected, seen, ("a", "b")).axes
    for i, name in enumerate("ab"):
        marks = axis.collections[i]
        assert marks.get_label() == name
        assert np.allclose(marks.get_offsets(), torch.stack([expected[:, i], seen[:, i]], dim=1))
    assert np.allclose(axis.lines[0].get_xydata(), [[-0.2, -0.2], [0.5, 0.5]])
    assert said(axis)[1:] == ("change of log σ less the mean over factors: expected", "seen in the run")
    assert set(legend(axis)) == {"a", "b"}


def test_shares_name_their_factors_rows_and_lines():
    runs, limits = {"one": five(scale=0.5), "two": five(scale=0.7)}, [five(shift=1), five(scale=0.9, shift=2)]
    figure = figures.shares(runs, limits)
    axes = np.array(figure.axes).reshape(2, 5)
    assert [axis.get_title() for axis in axes[0]] == list(five().factors)
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["one\nnats", "two\nnats"]
    assert figure.get_supxlabel() == "capacity C (nats)" and legend(axes[0, 0])["trained"] == "black"
    for row, run, limit in zip(axes, runs.values(), limits, strict=True):
        for i, axis in enumerate(row):
            best, trained = lines(axis)["best split"], lines(axis)["trained"]
            assert np.allclose(best.get_data(), [limit.capacities, limit.rates[:, i]])
            assert np.allclose(trained.get_data(), [run.capacities, run.rates[:, i]])
            assert (
                best.get_linewidth() > trained.get_linewidth() and best.get_color() == axes[0, i].lines[0].get_color()
            )
    assert len({axis.lines[0].get_color() for axis in axes[0]}) == 5 and axes[0, 0].get_ylim()[0] == 0


def test_splits_say_what_their_axes_are():
    limits = {"one": five(), "two": five(scale=0.5, shift=1)}
    axes = np.array(figures.splits(limits).axes).reshape(2, 2)
    assert [axis.get_title() for axis in axes[0]] == ["one", "two"]
    assert axes[0, 0].get_ylabel() == "rate per factor (nats)"
    assert said(axes[1, 0])[1:] == ("capacity C (nats)", "price of a nat\n(nats per nat)")
    for (above, below), limit in zip(axes.T, limits.values(), strict=True):
        for i, name in enumerate(limit.factors):
            assert np.allclose(lines(above)[name].get_data(), [limit.capacities, limit.rates[:, i]])
        assert np.allclose(below.lines[0].get_data(), [limit.capacities, limit.prices])
    assert legend(axes[0, 1]) == {name: lines(axes[0, 0])[name].get_color() for name in five().factors}
    assert [label.get_text() for label in axes[1, 0].get_yticklabels()] == ["1", "10", "100"]
    assert axes[1, 0].get_yticks().tolist() == [1, 10, 100] and axes[0, 0].get_xlim() == (0, 25)


def test_frontier_says_what_its_axes_are():
    run, limit = five(scale=0.5), five(shift=1)
    (axis,) = figures.frontier({"run": run, "other": five()}, {"limit": limit}).axes
    assert said(axis) == ("", "KL (nats)", "reconstruction, −log p(x|z) (nats)")
    assert np.allclose(lines(axis)["limit"].get_data(), [limit.capacities, limit.distortions])
    assert np.allclose(lines(axis)["run"].get_data(), [0.5 * run.capacities, run.distortions])
    assert legend(axis) == {name: line.get_color() for name, line in lines(axis).items()}
    assert len(set(legend(axis).values())) == 3 and axis.get_ylim() == (0, 600)


def test_tradeoff_says_what_its_axes_are():
    line = torch.tensor([0.0, 10.0]), torch.tensor([0.2, 0.9])
    panels = {"one": {"VAE": [(18.0, 0.1)]}, "two": {"β": [(5.0, 0.4)], "VAE": [(7.0, 0.3)]}}
    left, right = figures.tradeoff(panels, {"two": {"limit": line}}).axes
    assert said(left) == ("one", "reconstruction above its floor (nats)", "MIG") and right.get_title() == "two"
    assert np.allclose(lines(right)["limit"].get_data(), torch.stack(line)) and len(left.lines) == 1
    assert [lines(right)[name].get_xydata().tolist() for name in ("β", "VAE")] == [[[5, 0.4]], [[7, 0.3]]]
    assert lines(left)["VAE"].get_color() == lines(right)["VAE"].get_color() != lines(right)["β"].get_color()
    assert set(legend(right)) == {"limit", "β", "VAE"} and left.get_ylim() == (0, 1)
    assert left.get_shared_y_axes().joined(left, right)  # one scale, written once


def test_readings_put_each_training_at_its_excess_and_score():
    trainings = [(0.2, 0.1, 3), (0.99, 0.0, 0), (0.4, 0.15, 1), (0.98, 0.01, 0)]
    (axis,) = figures.readings(trainings, {"long": [(0.05, 0.3), (0.1, 0.25)]}, 0.9).axes
    assert said(axis)[1:] == ("excess, as a share of that of a constant picture", "MIG")
    own = {
        "no factors in latents of their own": [[0.99, 0.0], [0.98, 0.01]],
        "1 factor in latents of their own": [[0.4, 0.15]],
        "3 factors in latents of their own": [[0.2, 0.1]],
    }
    others = {"long": [[0.05, 0.3], [0.1, 0.25]], "each factor in its own, drawn exactly": [[0, 0.9]]}
    assert {name: line.get_xydata().tolist() for name, line in lines(axis).items()} == own | others
    assert set(legend(axis)) == set(own | others)
    assert len({(lines(axis)[name].get_color(), lines(axis)[name].get_marker()) for name in own}) == 3
    assert lines(axis)["long"].get_markerfacecolor() == "none" and axis.get_ylim() == (0, 1)


def test_an_ellipse_has_the_moments_of_its_sprite_and_lies_as_it_lies():
    image = torch.zeros(1, 1, 20, 30)
    for k in range(9):  # a bar that falls to the right, 3 pixels high
        image[0, 0, 4 + k : 7 + k, 8 + 2 * k : 10 + 2 * k] = 1
    (axis,) = figures.sprite_moments(image, torch.tensor([[3.0, 15.0]]), ["bar"]).axes
    (ellipse,), (cross, dot) = axis.patches, axis.lines
    down, right = image[0, 0].nonzero().double().T
    assert dot.get_xydata().tolist() == [[right.mean(), down.mean()]] and cross.get_xydata().tolist() == [[2.5, 14.5]]
    assert list(ellipse.get_center()) == [right.mean(), down.mean()] and axis.get_title() == "bar"
    spread = np.cov(right, down, bias=True)
    assert (ellipse.width / 4) ** 2 + (ellipse.height / 4) ** 2 == pytest.approx(np.trace(spread))
    assert (ellipse.width * ellipse.height / 16) ** 2 == pytest.approx(np.linalg.det(spread))
    slope = math.tan(math.radians(ellipse.angle))  # rows go down, so does an angle
    assert ellipse.width > 2 * ellipse.height and 0.4 < slope < 0.6


def test_least_losses_and_leads_keep_to_their_codes():
    losses = {"factors": torch.tensor([9.0, 4.0, 1.0]), "moments": torch.tensor([7.0, 5.0, 4.0])}
    leads = {"factors": losses["factors"] - losses["moments"]}
    left, right = figures.least_losses([4, 6, 8], losses, leads).axes
    assert said(left)[1:] == ("C (nats)", "least reconstruction (nats)") and left.get_ylim()[0] == 0
    assert {n: line.get_xydata().tolist() for n, line in lines(left).items()} == {
        "factors": [[4, 9], [6, 4], [8, 1]], "moments": [[4, 7], [6, 5], [8, 4]],
    }  # fmt: skip
    assert set(legend(left)) == {"factors", "moments"}
    (lead,) = [line for line in right.lines if line.get_label() == "factors"]
    assert lead.get_xydata().tolist() == [[4, 2], [6, -1], [8, -3]]
    assert lead.get_color() == lines(left)["factors"].get_color()
    above, below = right.texts
    assert (above.get_text(), below.get_text()) == ("moments draw better", "factors draw better")
    assert above.get_position()[1] > 0.5 > below.get_position()[1]


def test_held_draws_the_factor_hollow_and_the_moment_filled():
    rows = {"one": {"size": (0.2, 0.7), "form": (0.1, 0.4)}, "two": {"size": (0.9, 0.3), "form": (0.6, 0.5)}}
    size, form = figures.held(rows).axes
    assert [axis.get_title() for axis in (size, form)] == ["size", "form"]
    assert [label.get_text() for label in size.get_yticklabels()] == ["one", "two"]
    marks = [line for line in size.lines if line.get_marker() == "o"]
    assert [line.get_xydata().tolist()[0] for line in marks] == [[0.2, 0], [0.7, 0], [0.9, 1], [0.3, 1]]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [True, False] * 2
    assert size.get_ylim()[0] > size.get_ylim()[1]  # the first run on top


def test_messages_mix_into_the_output_and_are_read_wrong_so_often():
    left, right = figures.messages(spread=1.5, std=0.4, levels=4).axes
    assert said(left)[1:] == ("z", "density") and said(right)[1:] == ("read as", "message sent")
    means = torch.linspace(-1.5, 1.5, 4)
    output = torch.distributions.Normal(means, 0.4).log_prob(torch.tensor([[0.5], [2.0]])).exp().mean(1)
    x, y = lines(left)["output, q(z)"].get_data()
    assert np.interp([0.5, 2.0], x, y) == pytest.approx(output.tolist(), rel=1e-3)
    x, y = lines(left)["prior, p(z)"].get_data()
    assert np.interp([0.0, 1.0], x, y) == pytest.approx([0.3989, 0.2420], abs=1e-3)
    outline = left.collections[2].get_paths()[0].vertices
    assert outline[outline[:, 1].argmax()].tolist() == pytest.approx([0.5, 0.3989 / 0.4 / 4], abs=0.01)
    right_now = torch.special.erf(torch.tensor(0.5 / 0.4 / 2**0.5)).item()  # two in the middle, and two at the ends
    wrong = 1 - (0.5 * right_now + 0.5 * (1 + right_now) / 2)
    assert right.get_title() == f"{wrong:.0%} read wrong" and right.get_ylim()[0] > right.get_ylim()[1]
    assert list(legend(left)) == ["output, q(z)", "prior, p(z)"]
    cells = right.collections[0]
    assert cells.get_clim() == (0, 1) and cells.cmap(1.0)[0] < 0.1 < 0.9 < cells.cmap(0.0)[0]


def test_the_water_level_cuts_bars_and_touches_the_curve():
    eigenvalues = torch.tensor([8.0, 4.0, 0.2], dtype=torch.float64)
    left, right = figures.water_level(eigenvalues, beta=4.0, noise=0.25).axes
    tops = [bar.get_y() + bar.get_height() for bar in left.patches]
    assert tops == pytest.approx([8, 4, 0.2, 1, 1, 0.2])
    assert left.lines[0].get_ydata() == pytest.approx([1, 1]) and said(left)[0] == "η = βs² = 1.00"
    curve, tangent, point = right.lines
    (nats,), (left_over,) = point.get_data()
    assert nats == pytest.approx(0.5 * np.log(32)) and left_over == pytest.approx((1 + 1 + 0.2) / 0.5)
    assert np.interp(nats, *curve.get_data()) == pytest.approx(left_over, abs=0.02)
    assert tangent.get_slope() == -4.0 and tangent.get_xy1() == pytest.approx((nats, left_over))


def test_a_tilted_posterior_and_its_fit_have_their_widths_and_price():
    (axis,) = figures.tilted_fits([30.0], torch.tensor([0.08, 0.6])).axes
    true, fit, prior = axis.patches
    assert (true.width / 2) ** 2 == pytest.approx(0.08) and true.angle == 30 and (prior.width, prior.height) == (2, 2)
    precision = 0.75 / 0.08 + 0.25 / 0.6
    assert (fit.width / 2) ** 2 == pytest.approx(1 / precision) and fit.angle == 0
    other = 0.25 / 0.08 + 0.75 / 0.6
    assert axis.get_title() == f"turned by 30°: gap {0.5 * np.log(precision * other * 0.08 * 0.6):.2f} nats"
    figure = axis.figure
    figure.canvas.draw()
    for drawn in (*figure.legends, axis.title):  # a single panel is narrow
        box = drawn.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1 and 0 <= box.y0 < box.y1 <= figure.bbox.y1


# What a reader sees without colour, and between which ends.


def test_lines_of_one_frame_differ_in_more_than_colour(run):
    c = torch.linspace(0, 1, 5)
    domain = figures.compass({"square": [(0.0, 90.0), (30.0, 120.0), (60.0, 150.0)]}, {"square": Blobs()}).axes[0]
    cloud = {"a": [(5.0, 0.4)], "b": [(7.0, 0.3)], "c": [(8.0, 0.2)]}
    trade = figures.tradeoff({"one": cloud}, {"one": {"d": (c, c), "e": (c, 1 - c)}}).axes[0]
    frames = {
        "overlap": figures.overlap(torch.tensor([-1.0, 0.0, 1.0]), torch.ones(3)).axes[0].lines[:3],
        "turn_ons": figures.turn_ons(c, torch.rand(5, 3), torch.tensor([3.0, 2.0, 1.0]), {}).axes[0].lines,
        "tangents": [
            line
            for line in figures.tangents(c, c, {1.0: (0.5, 0.5), 2.0: (0.2, 0.2)}).axes[0].lines
            if len(line.get_xdata()) > 1
        ],
        "figure_3": figures.figure_3(five(), five()).axes[1].lines,
        "codings": figures.codings({"one": five(), "two": five(), "three": five()}).axes[1].lines,
        "splits": figures.splits({"one": five()}).axes[0].lines,
        "limits": figures.frontier({}, {"a": five(), "b": five(), "c": five()}).axes[0].lines,
        "runs": figures.frontier({"a": five(), "b": five(), "c": five()}, {}).axes[0].lines,
        "compass": [line for line in domain.lines if len(line.get_xdata())][::2],
        "methods": trade.lines[2:],
    }
    for name, drawn in frames.items():
        traits = [(line.get_linestyle(), line.get_linewidth(), line.get_marker()) for line in drawn]
        assert len(set(traits)) == len(traits) > 1, name
        assert len({line.get_color() for line in drawn}) == len(drawn), name
    assert trade.lines[0].get_linestyle() != trade.lines[1].get_linestyle()
    latents = figures.kl_history({"a run": run}).axes[0].lines[:10]  # more than there are colours
    assert len({looks(line) for line in latents}) == 10


def test_frames_have_the_ends_that_their_figures_give_them(run):
    panels = figures.figure_3(five(), five()).axes
    assert all(axis.get_xlim() == (0, 25) for axis in panels[:5]) and panels[0].get_ylim()[0] == 0
    assert all(axis.get_xlim() == (-600, 0) for axis in panels[5:])
    share = figures.shares({"one": five()}, [five()]).axes[0]
    assert share.get_xlim() == (0, 25) and share.get_xticks().tolist() == [0, 10, 20]
    above, below = figures.splits({"one": five()}).axes
    assert above.get_xlim() == (0, 25) and above.get_ylim()[0] == 0
    assert below.get_ylim() == (1, 200) and below.get_yscale() == "log"
    assert figures.frontier({"one": five()}, {}).axes[0].get_xlim() == (0, 25)
    assert figures.tradeoff({"one": {"a": [(5.0, 0.4)]}}, {}).axes[0].get_xlim()[0] == 0
    collapse = figures.collapse([3, 5], [50, 150], [(4, 70, 1.2)]).axes[0]
    assert collapse.get_ylim() == (20, 450) and collapse.get_xlim() == pytest.approx((2.85, 5.15))
    assert figures.kl_history({"a run": run}).axes[0].get_ylim() == (1e-4, 10)
    output, read = figures.messages(spread=1.5, std=0.4, levels=4).axes
    assert output.get_xlim() == (-6, 6) and read.get_xlim() == (-0.5, 3.5) and read.get_ylim() == (3.5, -0.5)
    belief = figures.overlap(torch.tensor([-1.0, 1.0]), torch.ones(2)).axes[1]
    assert belief.get_xlim() == (-4, 4) and belief.get_ylim() == (0, 1)
    densities, steps = figures.elbo_gap(lambda z: -0.5 * z**2 - 1, mean=0.5, std=0.5).axes
    assert densities.get_xlim() == (-3.5, 3.5) and densities.get_ylim() == (0, 2) and steps.get_xlim() == (-0.6, 2.6)


@pytest.mark.parametrize("mean, std", [(0.3, 0.6), (-2.0, 0.05), (3.0, 0.1), (0.5, 1.9)])
def test_no_bar_or_curve_is_cut_off(mean, std):
    def within(axis, heights) -> bool:
        return axis.get_ylim()[0] <= np.min(heights) <= np.max(heights) <= axis.get_ylim()[1]

    def log_joint(z):
        return -0.5 * (1 - z) ** 2 - 0.5 * z**2 - np.log(2 * np.pi)

    right = figures.elbo_gap(log_joint, mean, std).axes[1]
    bars = np.concatenate([bar.get_bbox().intervaly for bar in right.patches])
    assert within(right, bars) and all(within(right, line.get_ydata()) for line in right.lines)
    assert np.ptp(bars) > 0.2 * np.ptp(right.get_ylim())  # and not lost in the frame
    two = figures.overlap(torch.tensor([0.0, mean]), torch.tensor([1.0, std]))
    for axis in (figures.messages(abs(mean), std).axes[0], two.axes[0]):
        assert all(within(axis, line.get_ydata()) for line in axis.lines)
        assert max(line.get_ydata().max() for line in axis.lines) > 0.3 * axis.get_ylim()[1]


def test_panels_beside_one_another_have_one_scale(run):
    costs = {"one": torch.tensor([0.9, 0.5, 1.5]), "two": torch.tensor([2.0, 1.0])}
    for axis in figures.orders(costs).axes:
        edges = [patch.get_x() for patch in axis.patches]
        assert np.allclose(edges, np.arange(40) * 1.05 * 2 / 40, atol=1e-6)
    little = dataclasses.replace(run, history=run.history | {"kl": 0.001 * run.history["kl"]})
    pairs = {
        "kl_history": figures.kl_history({"one": run, "two": little}).axes,
        "codes": figures.codes({of: (torch.tensor([0.5, m]), torch.ones(2)) for of, m in (("a", 9), ("b", 1))}, 1).axes,
        "figure_3": figures.figure_3(curve(scale=3), curve()).axes[::3],
        "codings": figures.codings({"one": curve(), "two": curve(scale=3)}).axes,
        "shares": figures.shares({"one": curve(), "two": curve(scale=3)}, [curve(), curve()]).axes[::2],
        "splits": figures.splits({"one": curve(), "two": curve(scale=3)}).axes[:2],
        "tradeoff": figures.tradeoff({of: {"a": [(5.0, m)]} for of, m in (("one", 0.1), ("two", 0.9))}, {}).axes,
    }
    for name, (one, two) in pairs.items():
        assert one.get_ylim() == two.get_ylim(), name


def test_each_training_stands_over_its_own_width_and_at_its_own_weight():
    trained = [(3.0, 40.0, 1.2), (4.5, 130.0, 0.0), (5.0, 90.0, 0.7), (3.5, 210.0, 0.001)]
    axis = figures.collapse([3, 4, 5], [50, 100, 200], trained).axes[0]
    assert axis.collections[1].get_offsets().tolist() == [[3, 40], [5, 90]]
    assert axis.collections[2].get_offsets().tolist() == [[4.5, 130], [3.5, 210]]
    notes = [(text.xy, text.get_text()) for text in axis.texts if text.get_text().endswith("nats")]
    assert notes == [((s, b), f"{kl:.2f} nats") for s, b, kl in (trained[0], trained[2], trained[1], trained[3])]


def test_every_picture_stands_upright(run):
    images = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    made = {
        "vae_diagram": figures.vae_diagram(images[0, 0]),
        "image_row": figures.image_row(images),
        "picture_rows": figures.picture_rows([{"a": images}]),
        "traversals": figures.traversals(run.model(), Blobs(), images, columns=2, tuning=5),
        "alignments": figures.alignments({"one": {"a": torch.rand(3), "b": torch.rand(3)}}),
    }
    for name, figure in made.items():
        drawn = [(axis, image) for axis in figure.axes for image in axis.images]
        assert drawn, name
        for axis, image in drawn:
            left, right, bottom, top = image.get_extent()
            (x0, y0), (x1, y1) = axis.transData.transform([(left, bottom), (right, top)])
            assert image.origin == "upper" and x0 < x1 and y0 < y1, name  # the first row at the top


def test_pictures_have_neither_frame_nor_ticks():
    for axis in figures.image_row(torch.rand(2, 1, 8, 8)).axes:
        assert not any(spine.get_visible() for spine in axis.spines.values())
        assert not [*axis.get_xticks(), *axis.get_yticks()]


def test_narrow_marks_lie_on_broad_ones():
    x, y = (lines(figures.splits({"one": five()}).axes[0])[name] for name in "xy")
    assert x.get_zorder() > y.get_zorder() and x.get_linewidth() < y.get_linewidth()
    for axis in (figures.shares({"one": five()}, [five()]).axes[0], *figures.figure_3(five(), five()).axes):
        order = sorted(axis.lines, key=lambda line: line.get_zorder())  # a later one lies above its equals
        trained, best = lines(axis)["trained"], lines(axis)["best split"]
        assert order.index(trained) > order.index(best) and trained.get_linewidth() < best.get_linewidth()
    c = torch.linspace(0, 1, 5)
    axis = figures.turn_ons(c, c[:, None], c[1:2], {0.5: c[:1]}).axes[0]
    assert all(dots.get_zorder() > axis.lines[0].get_zorder() for dots in axis.collections[:1])
    collapse = figures.collapse([3, 5], [50, 150], [(4, 70, 1.2)]).axes[0]
    area, *points = collapse.collections
    assert min(p.get_zorder() for p in points) > max(area.get_zorder(), *(line.get_zorder() for line in collapse.lines))


def test_a_density_above_1_has_its_elbo_too():
    def log_joint(z):  # log p(x) = 5
        return -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + 5

    right = figures.elbo_gap(log_joint, 0.0, 1.0).axes[1]
    assert "log p(x) = 5.00" in right.get_title() and right.get_ylim()[0] < 0 < 5 < right.get_ylim()[1]


def test_tilted_fits_lie_within_the_true_posterior():
    axes = figures.tilted_fits((0, 20), torch.tensor([0.08, 0.6])).axes
    for axis, degrees in zip(axes, (0, 20), strict=True):
        posterior, fit, prior = axis.patches
        assert (posterior.angle, fit.angle, prior.width) == (degrees, 0, 2)
        turn = np.array([[np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))],
                         [np.sin(np.radians(degrees)), np.cos(np.radians(degrees))]])  # fmt: skip
        precision = turn @ np.diag([1 / 0.08, 1 / 0.6]) @ turn.T
        assert [fit.width / 2, fit.height / 2] == pytest.approx(precision.diagonal() ** -0.5)
        gap = 0.5 * np.log(precision.diagonal().prod() * 0.08 * 0.6)
        assert axis.get_title() == f"turned by {degrees}°: gap {abs(gap):.2f} nats"


def test_turning_prices_tell_kept_gains_from_readjusted_ones():
    (axis,) = figures.turning_prices([0, 45], {"8 and 1": ([0, 0.4], [0, 0.2]), "8 and 4": ([0, 0.1], [0, 0.05])}).axes
    drawn = lines(axis)
    assert drawn["8 and 1, gains kept"].get_ydata()[1] == 0.4 and drawn["8 and 4, readjusted"].get_ydata()[1] == 0.05
    assert drawn["8 and 1, readjusted"].get_linestyle() == "--" != drawn["8 and 1, gains kept"].get_linestyle()
    assert drawn["8 and 4, readjusted"].get_color() == drawn["8 and 4, gains kept"].get_color() == figures.ORANGE


def test_settled_codes_are_ellipses_of_their_covariance():
    triangle = torch.tensor([[[0.5, 0.0], [0.3, 0.2]]])
    (axis,) = figures.settled_codes({"one": (torch.tensor([[1.0, -0.5]]), triangle)}).axes
    around = axis.patches[0].get_xy()[:-1] - [1.0, -0.5]
    assert np.allclose(((np.linalg.inv(triangle[0].numpy()) @ around.T) ** 2).sum(0), 1) and said(axis)[0] == "one"


def test_steps_along_are_means_in_units_of_the_longest():
    (axis,) = figures.steps_along({"a": torch.tensor([4.0, 2.0, 1.0, 0.5]), "b": torch.ones(4)}, neighbours=2).axes
    assert lines(axis)["a"].get_ydata() == pytest.approx([1, 0.25]) and list(lines(axis)["b"].get_ydata()) == [1, 1]
    assert axis.get_yscale() == "log" and axis.get_ylim() == (5e-3, 2)  # two such figures can be compared


def test_ideal_lines_end_with_all_five_moments():
    ideal = figures.ideal_lines(Path(__file__).parents[1] / "data" / "limits")
    (excess, mig), (_, of_factors) = ideal["ideal moments"], ideal["ideal factors"]
    assert (excess.diff() < 0).all() and mig[-1] == pytest.approx(0.395, abs=0.01) and of_factors[-1] > 0.88
