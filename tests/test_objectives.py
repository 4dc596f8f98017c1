"""Losses against torch.distributions; reductions are sums over pixels and latents, means over the batch."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch.distributions import Bernoulli

from minivae.collapse import collapse_threshold
from minivae.engine.runs import initial_state
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import (
    ELBO,
    BetaELBO,
    CapacityELBO,
    LinearSchedule,
    PolylineSchedule,
    bernoulli_floor,
    bernoulli_nll,
    check_range,
)


def test_nll_agrees_with_torch_distributions_and_sums_over_pixels():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 3, 8, 8, generator=generator)
    images = (torch.rand(4, 3, 8, 8, generator=generator) > 0.5).float()
    oracle = -Bernoulli(logits=logits).log_prob(images).sum((1, 2, 3))
    assert torch.allclose(bernoulli_nll(logits, images), oracle, rtol=1e-5)


def test_nll_wants_logits_and_images_of_one_shape():
    for one, other in (((2, 3, 8, 4), (2, 3, 4, 8)), ((2, 1, 8, 8), (2, 8, 8)), ((2, 3, 4, 4), (2, 1, 4, 4))):
        with pytest.raises(ValueError, match="must have one shape"):
            bernoulli_nll(torch.zeros(one), torch.zeros(other))


def test_floor_is_the_least_nll_of_grey_targets():
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = torch.logit(images).requires_grad_()
    least = bernoulli_nll(logits, images)
    assert torch.allclose(least, bernoulli_floor(images))
    least.sum().backward()
    assert logits.grad.abs().max() < 1e-12
    assert (bernoulli_nll(logits + 0.1, images) > least).all()


def test_floor_of_black_and_white_is_zero():
    assert bernoulli_floor(torch.tensor([[[[0.0, 1.0]]]])).tolist() == [0]


def test_objectives_add_kl_with_its_price():
    reconstruction, kl = torch.tensor(100.0), torch.tensor([1.0, 2.0, 0.5])
    assert ELBO()(reconstruction, kl, step=1) == 103.5
    assert BetaELBO(150)(reconstruction, kl, step=1) == 100 + 150 * 3.5
    assert BetaELBO(1)(reconstruction, kl, step=1) == ELBO()(reconstruction, kl, step=1)


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf")])
def test_bad_beta_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a finite number ≥ 0"):
        BetaELBO(beta)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        bernoulli_nll(torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 8))


@pytest.mark.parametrize("value", [-0.1, 1.1, 255.0, float("nan")])
def test_images_outside_the_unit_interval_are_refused(value):
    images = torch.full((1, 1, 2, 2), 0.5)
    images[0, 0, 0, 0] = value
    for function in (check_range, bernoulli_floor):
        with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
            function(images)


def test_floor_is_the_entropy_of_scipy():
    images = torch.rand(5, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = images.numpy()
    oracle = (special.entr(x) + special.entr(1 - x)).sum((1, 2, 3))
    assert np.allclose(bernoulli_floor(images), oracle, rtol=1e-12)


def test_nll_of_grey_targets_is_the_cross_entropy_written_out():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 1, 4, 4, generator=generator, dtype=torch.float64)
    images = torch.rand(3, 1, 4, 4, generator=generator, dtype=torch.float64)
    x, p = images.numpy(), 1 / (1 + np.exp(-logits.numpy()))
    oracle = [-sum(a * np.log(b) + (1 - a) * np.log1p(-b) for a, b in zip(i.flat, j.flat, strict=True))
              for i, j in zip(x, p, strict=True)]  # fmt: skip
    assert np.allclose(bernoulli_nll(logits, images), oracle, rtol=1e-12)


def test_nll_is_finite_at_logits_that_saturate():
    images = torch.tensor([[[[0.0, 1.0]]]])
    nll = bernoulli_nll(torch.tensor([[[[1e4, -1e4]]]]), images)
    assert nll.tolist() == [2e4] and bernoulli_nll(torch.tensor([[[[-1e4, 1e4]]]]), images).tolist() == [0]


def test_objectives_have_the_gradient_of_their_price():
    reconstruction, kl = torch.tensor(1.0, requires_grad=True), torch.ones(4, requires_grad=True)
    BetaELBO(7.0)(reconstruction, kl, step=5).backward()
    assert reconstruction.grad == 1 and kl.grad.tolist() == [7.0] * 4


def test_schedule_is_a_straight_line_between_two_plateaus():
    schedule = LinearSchedule(0.5, 25.0, 100, 300)
    steps = [0, 100, 150, 200, 300, 10_000]
    assert [schedule(step) for step in steps] == pytest.approx(np.interp(steps, [100, 300], [0.5, 25.0]))
    assert LinearSchedule(25.0, 5.0, 0, 10)(5) == 15.0  # downhill too


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": -0.1}, "start must be a finite number ≥ 0, got -0.1"),
        ({"end": -25.0}, "end must be a finite number ≥ 0"),
        ({"end": float("nan")}, "end must be a finite number ≥ 0"),
        ({"start": "0"}, "start must be a finite number ≥ 0"),
        ({"first": 500, "last": 400}, "the schedule ends at step 400, before it starts at step 500"),
        ({"first": 400, "last": 400}, "the schedule ends at step 400"),
        ({"first": -1}, "first must be a whole number of at least 0"),
        ({"last": 0}, "last must be a whole number of at least 1"),
        ({"last": 1e5}, "last must be a whole number"),
    ],
)
def test_bad_schedules_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LinearSchedule(**settings)


def test_capacity_is_the_distance_from_the_target_on_either_side():
    objective = CapacityELBO(1000.0, LinearSchedule(0.0, 10.0, 0, 10))
    reconstruction, kl = torch.tensor(100.0), torch.tensor([1.0, 3.0])
    assert [objective(reconstruction, kl, step).item() for step in (3, 4, 6)] == [1100.0, 100.0, 2100.0]
    assert CapacityELBO(0)(reconstruction, kl, 5) == reconstruction


def test_capacity_is_of_the_batch_and_not_of_each_picture():
    # Eq. 8 with a batch: |mean KL − C|, which pictures above and below C can meet together
    kl = torch.tensor([[1.0], [5.0]]).mean(0)
    assert CapacityELBO(1000.0, LinearSchedule(3.0, 4.0, 0, 1))(torch.tensor(7.0), kl, 0) == 7.0


@pytest.mark.parametrize("gamma", [-1, float("nan"), float("inf"), "1000", True])
def test_bad_gamma_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma must be a finite number ≥ 0"):
        CapacityELBO(gamma)


@pytest.mark.parametrize("kind", [CapacityELBO, LagrangianELBO])
@pytest.mark.parametrize("schedule", [25.0, None, LinearSchedule])
def test_a_schedule_must_be_one(kind, schedule):
    with pytest.raises(ValueError, match="schedule must give C at a step"):
        kind(schedule=schedule)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 0}, "gain must be a finite number > 0"),
        ({"beta": 0}, "beta must be a finite number > 0"),
        ({"damping": -1.0}, "damping must be a finite number ≥ 0"),
        ({"beta": 1e6}, r"beta must lie in \[0.0498, e⁷\]"),
    ],
)
def test_bad_lagrangians_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LagrangianELBO(**settings)


def test_only_the_lagrangian_has_a_state():
    assert initial_state(ELBO()) is None and initial_state(CapacityELBO()) is None
    assert initial_state(LagrangianELBO(beta=200.0)).exp().item() == pytest.approx(200, rel=1e-5)


def test_log_beta_moves_by_the_rate_per_nat_and_by_no_more():
    objective = LagrangianELBO(LinearSchedule(5.0, 6.0, 0, 1), gain=0.01, beta=1.0)
    state = objective.initial_state()
    for kl, expected in (([2.0, 3.5], 0.005), ([20.0, 20.0], 0.015), ([0.0, 0.0], 0.005), ([2.5, 2.5], 0.005)):
        objective.update(torch.tensor(kl), 0, state)
        assert state.item() == pytest.approx(expected, abs=1e-7)
    for kl, end in ((0.0, -3.0), (99.0, 7.0)):
        for _ in range(1200):
            objective.update(torch.tensor([kl]), 0, state)
        assert state.item() == end


def test_beta_is_pushed_in_proportion_to_what_the_kl_is_off():
    schedule, log_beta = LinearSchedule(3.0, 4.0, 0, 1), torch.tensor(2.0).log()
    for kl, damping, beta in (([1.0, 2.0], 2.0, 2.0), ([1.0, 2.25], 2.0, 2 * np.exp(0.5)), ([9.0, 9.0], 1.0, 2 * np.e)):
        objective = LagrangianELBO(schedule, damping=damping)
        got = objective(torch.tensor(100.0), torch.tensor(kl), 0, log_beta).item()
        assert got == pytest.approx(100 + beta * sum(kl), rel=1e-6)
    kl = torch.tensor([1.0, 2.5], requires_grad=True)  # it steers, and is not itself descended
    LagrangianELBO(schedule, damping=2.0)(torch.tensor(0.0), kl, 0, log_beta).backward()
    assert kl.grad.tolist() == pytest.approx([2 * np.e, 2 * np.e])


def test_the_lagrangian_finds_the_price_of_a_nat():
    """On D(R) = 100·exp(−2R) the multiplier at R = C is −dD/dR = 200·exp(−2C)."""
    objective = LagrangianELBO(LinearSchedule(1.0, 2.0, 0, 1), gain=0.01, beta=1.0)
    state, kl = objective.initial_state(), torch.tensor([0.1], requires_grad=True)
    for _ in range(4000):
        objective(100 * torch.exp(-2 * kl.sum()), kl, 1, state).backward()
        with torch.no_grad():
            kl -= 0.002 * kl.grad
            kl.grad = None
            objective.update(kl, 1, state)
    assert kl.item() == pytest.approx(2.0, abs=1e-3)
    assert state.exp().item() == pytest.approx(200 * np.exp(-4), rel=1e-3)


@pytest.mark.parametrize(
    "state", [0.5, torch.zeros((), dtype=torch.bfloat16), torch.zeros((), requires_grad=True), torch.zeros(1).long()]
)
def test_a_state_that_no_file_could_hold_is_refused(state):
    class Own:
        def initial_state(self):
            return state

        def update(self, kl, step, state):
            pass

    with pytest.raises(ValueError, match="an objective that adapts itself needs initial_state"):
        initial_state(Own())


def test_a_state_that_nobody_updates_is_refused():
    class Own:
        def initial_state(self):
            return torch.zeros(())

    with pytest.raises(ValueError, match="and update"):
        initial_state(Own())


def test_polyline_goes_from_corner_to_corner():
    schedule = PolylineSchedule(((10, 1.0), (20, 3.0), (40, 0.0)))
    steps = [0, 10, 15, 20, 30, 40, 99]
    expected = np.interp(steps, [10, 20, 40], [1.0, 3.0, 0.0])
    assert [schedule(step) for step in steps] == pytest.approx(expected)
    assert [schedule(torch.tensor(step)).item() for step in steps[1:]] == pytest.approx(expected[1:], abs=1e-6)
    assert PolylineSchedule(((0, 2.5),))(7) == 2.5


@pytest.mark.parametrize(
    "corners",
    [(), [(0, 1.0)], ((0, 1.0), (0, 2.0)), ((5, 1.0), (2, 2.0)), ((0, -1.0),), ((0, math.nan),), ((-1, 1.0),), (3,)],
)
def test_polyline_refuses_what_is_no_line(corners):
    with pytest.raises(ValueError, match="corners"):
        PolylineSchedule(corners)


OPENING = LagrangianELBO(PolylineSchedule(((0, 2.0),)), beta=2.0, damping=0.0, openings=((0, 1), (10, 3)))


def test_a_closed_latent_pays_the_highest_price_and_does_not_count_as_kl():
    kl, state = torch.tensor([1.0, 0.5, 0.25, 0.125]), torch.tensor(2.0).log()
    for step, open_latents in ((0, 1), (9, 1), (10, 3), (99, 3)):
        for at in (step, torch.tensor(step)):
            expected = 7 + 2 * kl[:open_latents].sum() + math.exp(7) * kl[open_latents:].sum()
            assert OPENING(torch.tensor(7.0), kl, at, state).item() == pytest.approx(expected.item(), rel=1e-6)
        after = state.clone()
        OPENING.update(kl, step, after)
        assert (after - state).item() == pytest.approx(0.002 * (kl[:open_latents].sum().item() - 2), abs=1e-6)
    assert [OPENING.opened(step) for step in (0, 9, 10, 11)] == [range(0), range(0), range(1, 3), range(0)]


def test_beta_keeps_to_its_least():
    objective = LagrangianELBO(PolylineSchedule(((0, 50.0),)), beta=1.0, least=0.5)
    state, kl = objective.initial_state(), torch.tensor([1.0])
    for _ in range(2_000):
        objective.update(kl, 0, state)
    assert state.exp().item() == pytest.approx(0.5)
    assert objective(torch.tensor(3.0), kl, 0, state).item() == pytest.approx(3.5)  # the damping does not go below it


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"openings": ((5, 2),)}, "begin at step 0"), ({"openings": ((0, 2), (9, 2))}, "more and more"),
     ({"openings": ((0, 0),)}, "latents of an opening"), ({"openings": ((9, 1), (0, 2))}, "must rise"),
     ({"least": 0.01}, "least must lie"), ({"least": 2.0, "beta": 1.0}, "beta must lie")],
)  # fmt: skip
def test_openings_and_least_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        LagrangianELBO(**settings)


@pytest.mark.parametrize("bad", [1 + 1e-6, 1.005, 1.5, -1e-9, -0.005, float("nan"), float("inf")])
def test_what_lies_just_outside_of_black_and_white_is_refused(bad):
    images = torch.full((2, 1, 4, 4), 0.5)
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 0.0, 1.0
    check_range(images)
    images[1, 0, 2, 3] = bad
    for refuses in (check_range, bernoulli_floor, collapse_threshold):
        with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
            refuses(images)


def test_what_is_not_said_is_the_papers():
    """Appendix A.2 and section 4.3: γ = 1000, C from 0 to 25 nats over 100,000 steps."""
    kl = torch.tensor([3.0, 5.0])
    assert CapacityELBO()(torch.tensor(40.0), kl, 50_000).item() == pytest.approx(40 + 1000 * (12.5 - 8))
    assert [LinearSchedule()(step) for step in (0, 25_000, 100_000, 200_000)] == [0, 6.25, 25, 25]
    held = LagrangianELBO()  # its own: from β = 1, e² more at a nat too many, and 0.002 more of log β a step
    log_beta = held.initial_state()
    assert held(torch.tensor(40.0), kl, 100_000, log_beta).item() == pytest.approx(40 + 8 * math.exp(-2))
    assert held(torch.tensor(40.0), kl, 0, log_beta).item() == pytest.approx(40 + 8 * math.exp(2), rel=1e-6)
    held.update(kl, 0, log_beta)
    assert log_beta.item() == pytest.approx(0.002)
    for _ in range(2_000):
        held.update(kl, 100_000, log_beta)
    assert log_beta.item() == pytest.approx(-3, abs=1e-5)  # and no lower
