"""Figures hold what they say: rows in the order of KL, the data behind the lines, labels with units."""

import dataclasses

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from minivae import channel, experiments, figures, gaussian
from minivae.datasets import Blobs, ColouredSprites
from minivae.metrics import mean_kl
from minivae.models import VAE
from minivae.optimal import RateDistortion
from minivae.runs import Run
from minivae.training import train


@pytest.fixture(scope="module")
def run() -> Run:
    return train(experiments.get("blobs-vae"), steps=3, seed=0, device="cpu", precision="fp32", progress=False)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


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
    model = VAE(3, 4, torch.Generator().manual_seed(0))
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


def test_collapse_tells_alive_from_dead():
    axis = figures.collapse([3, 4, 5], [50, 100, 150], [(4, 70, 1.2), (4, 130, 0.0)]).axes[0]
    alive, dead = axis.collections[1:3]
    assert alive.get_offsets().tolist() == [[4, 70]] and dead.get_offsets().tolist() == [[4, 130]]


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
    figure = figures.turn_ons(capacities, rates, torch.ones(5), torch.tensor([2.0, 1.0]), trained)
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
        (bars,) = axis.collections
        heights = [outline.vertices[0, 1] - outline.vertices[2, 1] for outline in bars.get_paths()]
        assert heights == pytest.approx([fit, -kl, gap], abs=1e-4)
        assert bars.get_paths()[2].vertices[0, 1] == pytest.approx(log_p, abs=1e-4)  # the stairs end at log p(x)


def test_overlap_draws_the_decoders_belief_and_the_mistakes():
    means, stds = torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 1.0])
    top, bottom = figures.overlap(means, stds, star=0.3).axes
    assert "best guess wrong 16%" in top.get_title() and "cost 0.11 D" in top.get_title()
    border = bottom.collections[0].get_paths()[0].vertices  # the belief in the first picture is ½ half-way between
    assert border[np.abs(border[:, 0]) < 1e-9, 1].max() == pytest.approx(0.5)


def test_best_guess_among_many_far_posteriors_is_always_right():
    assert figures.right_guesses(torch.tensor([-9.0, 0.0, 9.0]), torch.ones(3)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 3.0])
def test_best_guess_of_two_equally_wide_posteriors_is_right_as_often_as_the_normal_distribution_says(apart):
    means = torch.tensor([-apart / 2, apart / 2], dtype=torch.float64)
    expected = torch.special.ndtr(torch.tensor(apart / 2, dtype=torch.float64)).item()
    assert figures.right_guesses(means, torch.ones_like(means)) == pytest.approx(expected, abs=1e-5)


def test_orders_mark_the_first():
    axis = figures.orders({"all": torch.tensor([0.5, 1.0, 1.5])}).axes[0]
    assert axis.lines[0].get_xdata()[0] == 0.5 and sum(patch.get_height() for patch in axis.patches) == 3


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
    left, right, *_ = figures.figure_3({"run": curve(scale=0.5), "other": curve()}).axes
    lines = {line.get_label(): line for line in left.lines}, {line.get_label(): line for line in right.lines}
    for by_capacity, by_accuracy, end in ((lines[0]["a"], lines[1]["a"], 5), (lines[0]["b"], lines[1]["b"], 0)):
        assert by_capacity.get_ydata()[-1] == by_accuracy.get_ydata()[-1] == end
        assert by_capacity.get_xdata()[-1] == curve(scale=0.5).capacities[-1]
        assert by_accuracy.get_xdata()[-1] == -curve(scale=0.5).distortions[-1]
    assert left.get_title() == "run"


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
    second = bottom.collections[0].get_paths()[1].vertices
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
