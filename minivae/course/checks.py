"""Checks of the chapters' exercises: `check("4.1", answer)` says if an answer is right, and if not, what it may be.

An answer may come in any form that holds the right numbers: a number, a list, a NumPy array, a tensor of any type, or a
function that returns one of these. `_tensor` and `_call` are the only places that know about forms, `_OF_RESULTS` and
`_OF_ARGUMENTS` hold the slips that all exercises share. A verdict names the slip, never the value.
`tests/test_checks.py` has right and wrong answers to every exercise.
"""

import inspect
import math
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minivae.channel import mutual_information
from minivae.datasets import Blobs
from minivae.ideal_decoder import SpriteChannels, distortion, sobol
from minivae.objectives import bernoulli_floor
from minivae.overlap import bhattacharyya, confusions


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer; true if it is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


def check(exercise: str, answer: Any) -> Verdict:
    """The verdict on an answer to an exercise; None means not tried yet.

    Args:
        exercise: its number, e.g. "4.1".
        answer: what the exercise asks for: a number, several numbers, or a function. Functions are called with copies,
            as tensors of PyTorch's default type, and as NumPy arrays if they raise on tensors.

    Raises:
        ValueError: if there is no such exercise.
    """
    if exercise not in _CHECKS:
        raise ValueError(f"no exercise {exercise!r}: there are {', '.join(_CHECKS)}")
    if answer is None:
        return Verdict(False, f"Exercise {exercise}: not tried yet.")
    try:
        _CHECKS[exercise](answer)
    except _NotYet as problem:
        return Verdict(False, f"Exercise {exercise}: not yet: {problem}")
    return Verdict(True, f"Exercise {exercise}: right.")


class _NotYet(Exception):
    """What is wrong with an answer, in one line."""


# What a learner hands in
def _tensor(value: Any) -> Tensor:
    """Numbers in any form as a float64 tensor.

    Raises:
        TypeError, ValueError, RuntimeError: if they are no real numbers, or rows of different lengths.
    """
    if isinstance(value, list | tuple):
        return torch.stack([_tensor(v) for v in value]) if value else torch.zeros(0, dtype=torch.float64)
    if value is None:
        raise TypeError("None")  # NumPy would take it for NaN
    if value.is_complex() if isinstance(value, Tensor) else np.iscomplexobj(value):
        raise TypeError("complex numbers")
    if isinstance(value, Tensor):
        return value.detach().cpu().double()
    return torch.from_numpy(np.array(value, dtype=float))


def _numbers(value: Any, shape: tuple[int, ...] | None = ()) -> Tensor:
    """A value as float64 of a shape, or as a vector of any length if None; axes of length 1 do not matter."""
    want = "one number is asked for" if shape == () else f"numbers of shape {shape or '(n,)'} are asked for"
    try:
        got = _tensor(value)
    except (TypeError, ValueError, RuntimeError):
        shown = "a function: hand in what it returns" if callable(value) else repr(value)
        raise _NotYet(f"{want}, got {shown if len(shown) < 60 else type(value).__name__}") from None
    if shape is None:
        return got.flatten()
    if [n for n in got.shape if n != 1] != [n for n in shape if n != 1]:
        raise _NotYet(f"{want}, got shape {tuple(got.shape)}")
    return got.reshape(shape)


def _call(answer: Any, takes: str, *arguments: Any) -> Any:
    """What a learner's function returns; its arguments are copies, so that it may change them."""
    if not callable(answer):
        raise _NotYet(f"a function of {takes} is asked for (answer = your_function, not called), got {answer!r:.60}")
    try:
        inspect.signature(answer).bind(*arguments)
    except TypeError:
        raise _NotYet(f"your function must take {len(arguments)} arguments: {takes}") from None
    except ValueError:
        pass  # some built-in functions have no signature
    dtype, errors = torch.get_default_dtype(), []  # what tensors have that the learner makes
    arguments = tuple(torch.tensor(v, dtype=dtype) if isinstance(v, float) else v for v in arguments)
    arguments = tuple(v.to(dtype) if torch.is_tensor(v) and v.is_floating_point() else v for v in arguments)
    arrays = [(v.numpy().copy() if v.ndim else v.item()) if torch.is_tensor(v) else v for v in arguments]
    for form in ([v.clone() if torch.is_tensor(v) else v for v in arguments], arrays):
        try:
            result = answer(*form)
        except Exception as error:  # the learner's own code may fail in any way; that is an answer too
            errors.append(error)
            continue
        if result is None:
            raise _NotYet("your function returned None: is its `return` missing?")
        return result
    said = (str(errors[0]).splitlines() or [""])[0][:200]
    lines = [f for f in traceback.extract_tb(errors[0].__traceback__) if not f.filename.startswith(_NOT_THE_LEARNERS)]
    where = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    raise _NotYet(f"your answer raised {type(errors[0]).__name__}: {said}{where}")


_NOT_THE_LEARNERS = (str(Path(__file__).parent), *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib")))

# Which slip it is
_OF_RESULTS: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
    "": {
        "twice too much: is a ½ missing, or is something counted twice?": lambda r: 2 * r,
        "half of what it should be: is there a ½ too many?": lambda r: r / 2,
        "the sign is wrong": lambda r: -r,
        "upside down: one over what it should be": lambda r: 1 / r,
    },
    "nats": {
        "these are bits (log₂); nats are asked for (log)": lambda r: r / math.log(2),
        "nats were taken for bits: no factor log 2": lambda r: r * math.log(2),
    },
    "bits": {"these are nats (log); bits are asked for (log₂)": lambda r: r * math.log(2)},
    "probability": {"a number from 0 to 1 is asked for, not per cent": lambda r: 100 * r},
}
_OF_ARGUMENTS: dict[str, tuple[tuple[str, ...], Callable[[Tensor], Tensor]]] = {
    "σ² stands where σ should": (("std", "s1", "s2"), torch.square),
    "σ stands where σ² should": (("std", "s1", "s2"), torch.sqrt),
    "what is given is σ, not log σ": (("std", "s1", "s2"), torch.exp),
    "the angle is in degrees: convert it for sin and cos": (("degrees",), torch.rad2deg),
    "the angle is in radians already": (("elevation",), torch.deg2rad),
}


@dataclass(frozen=True)
class _Asks:
    """A check of a value, or of a function by its values.

    Args:
        right: the answer or, if there are cases or it has to be computed, a function that returns it.
        cases: arguments to try a function with; none if a value is asked for.
        unit: "nats", "bits", "probability" or "", for the shared slips.
        within: tolerance, as a share of the largest number of a case; two significant digits if None.
        hint: said where no slip is recognised.
        slips: what to say, and of which wrong value or function; these go before the shared ones.
    """

    right: Any
    cases: tuple[tuple[Any, ...], ...] = ()
    unit: str = ""
    within: float | None = None
    hint: str = ""
    slips: dict[str, Any] = field(default_factory=dict)

    def __call__(self, answer: Any) -> None:
        takes = ", ".join(inspect.signature(self.right).parameters) if self.cases else ""
        rights = self._values(self.right)
        results = [_call(answer, takes, *case) for case in self.cases] if self.cases else [answer]
        got = [_numbers(result, tuple(right.shape)) for result, right in zip(results, rights, strict=True)]
        share = self.within or (2e-3 if self.cases else None)
        units = [
            10.0 ** (torch.minimum(g.abs(), r.abs()).amax().log10().floor() - 1)
            for g, r in zip(got, rights, strict=True)
        ]
        if all(_close(g, r, share or 0.501 * u / r.abs().amax()) for g, r, u in zip(got, rights, units, strict=True)):
            return

        def is_(wanted: list[Tensor], within: float) -> bool:
            return all(g.shape == w.shape and _close(g, w, within) for g, w in zip(got, wanted, strict=True))

        for problem, wrong in (self.slips | self._of_arguments(takes.split(", "))).items():
            if is_(self._values(wrong), share or 0.02):
                raise _NotYet(problem)
        if not all(g.isfinite().all() for g in got):
            raise _NotYet("NaN or infinity came out: a log 0, or 0/0? (torch.xlogy knows that 0 · log 0 is 0)")
        for problem, slip in (_OF_RESULTS[""] | _OF_RESULTS[self.unit]).items():
            if is_([slip(r) for r in rights], share or 0.02):
                raise _NotYet(problem)
        times = [((g * r).sum() / r.square().sum()).item() for g, r in zip(got, rights, strict=True)]
        if self.cases and is_([t * r for t, r in zip(times, rights, strict=True)], share):
            if min(times) > 0.01 and all(abs(1 / t - round(1 / t)) < 0.01 for t in times):
                raise _NotYet("this is a mean; a sum is asked for")
            if min(times) > 0.9 and all(abs(t - round(t)) < 0.01 for t in times):
                raise _NotYet("this is a sum; a mean is asked for")
        if is_(rights, 0.06):
            digits = "three digits are" if self.cases else "two digits are"
            raise _NotYet(f"close, but {digits if self.cases or not self.within else 'each number is'} asked for")
        raise _NotYet(self.hint)

    def _values(self, of: Any) -> list[Tensor]:
        return [_tensor(of(*case) if callable(of) else of) for case in self.cases or ((),)]

    def _of_arguments(self, names: list[str]) -> dict[str, Any]:
        """The right function of arguments that a usual slip has changed."""

        def after(which: tuple[str, ...], change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
            def changed(*case: Any) -> list[Any]:
                return [change(torch.as_tensor(v)) if n in which else v for n, v in zip(names, case, strict=True)]

            return lambda *case: self.right(*changed(*case))

        return {problem: after(*slip) for problem, slip in _OF_ARGUMENTS.items() if set(slip[0]) & set(names)}


def _close(got: Tensor, wanted: Tensor, within: Tensor | float) -> bool:
    """Whether all numbers agree, to a share of the largest one."""
    tolerance = within * wanted.nan_to_num().abs().amax() + 1e-9
    return bool((((got - wanted).abs() <= tolerance) | (got == wanted) | (got.isnan() & wanted.isnan())).all())


# Chapter 1
def _quieter(answer: Any) -> None:
    """The best constant baseline: judged by what is left of the variance, so that any better way passes too."""
    std, noise = 0.6, torch.randn(50_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = 3 * noise - 4 * noise**2 - 500  # E[h ε]/σ is 3/σ exactly, and the mean of h is not the best baseline
    result = _call(answer, "h, noise, std", h, noise, std)
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise _NotYet("two things are to be returned: the gradients (n,), and how many times smaller their variance is")
    got, times = _numbers(result[0], noise.shape), _numbers(result[1])
    plain, by_mean, least = (
        ((h - b) * noise / std).var() for b in (0, h.mean(), (h * noise**2).mean() / noise.square().mean())
    )
    if (got.mean() - 3 / std).abs() > 5 * got.std() / math.sqrt(len(got)) + 1e-3:
        raise _NotYet("the gradients' mean has changed: subtract a number from h, before the noise multiplies it")
    if got.var() > 0.9 * plain:
        raise _NotYet("the variance is that without a baseline")
    if (got.var() / by_mean - 1).abs() < 0.01:
        raise _NotYet("the mean of h is a good baseline, not the best: write the variance as a parabola in b")
    if got.var() > 1.02 * least:
        raise _NotYet("less variance is possible: for which b is the mean of ((h − b)·ε)² least?")
    saved = plain / got.var()
    hint = "the gradients are right; the number is their variance without a baseline over that with it"
    _Asks(saved, within=0.03, hint=hint, slips={"variances are asked for, not their roots": saved.sqrt()})(times)


def _entropy(p: Tensor) -> Tensor:
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))


# Chapter 2
def _kl(mean: Tensor, std: Tensor) -> Tensor:
    return 0.5 * (mean**2 + std**2 - 1) - std.log()


def _mean_fee(snr: float, mean: float, variance: float) -> float:
    return 0.5 * math.log((1 + snr * (1 + mean**2 / variance)) / (1 + snr))


def _fixed_price(variances: Tensor, level: float, degrees: float) -> Tensor:
    (a, b), t = variances / level, math.radians(degrees)
    return 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * t) ** 2 / (4 * a * b))


def _price(variances: Tensor, level: float, degrees: float) -> Tensor:
    """Extra loss/β of diag(g₁, g₂)·R(θ) with the best gains; p = 1 + g²/η are the precisions along the components."""
    a, t = variances.double() / level, math.radians(degrees)
    turn = torch.tensor([[math.cos(t), math.sin(t)], [math.sin(t), math.cos(t)]], dtype=torch.float64) ** 2
    p = a.clone()
    for _ in range(500):  # where the derivative of ½ Σ (a/p + log(turn·p)) vanishes
        p = (a / (turn.T @ (1 / (turn @ p)))).sqrt().clamp(min=1)
    return 0.5 * ((a / p).sum() + (turn @ p).log().sum() - 2 - a.log().sum())


# Chapter 3
_HEALING = [20.0, 16.0, 13.0, 10.0, 7.0, 7.0]  # least β of the tears after the first to the sixth picture of twelve
_LEAVING = [beta - 1 for beta in _HEALING]
_BELIEFS = (([0.5, 0.3, 0.2], 4.0, 5.0, 5.0), ([0.1, 0.6, 0.3], 1.0, 9.0, 4.0))  # and the squared distances


def _belief_error(belief: Tensor, distances: Tensor) -> Tensor:
    return 0.5 * belief @ distances @ belief


def _overlap(m1: Tensor, s1: Tensor, m2: Tensor, s2: Tensor) -> Tensor:
    m1, s1, m2, s2 = (torch.as_tensor(v, dtype=torch.float64) for v in (m1, s1, m2, s2))
    return bhattacharyya(m1, s1.log(), m2, s2.log())


def _order(answer: Any) -> None:
    """Nine blobs on a 3 × 3 grid in one latent: the cheapest of all 9! orders, up to the grid's symmetries."""
    order = _numbers(answer, (9,))
    if sorted(order.tolist()) != list(range(9)):
        raise _NotYet("every picture from 0 to 8 has to stand once in the order")
    places = 26 + 6 * torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).flip(1)
    images = Blobs().render(places).flatten(1).double()
    distances = torch.cdist(images, images).square()
    line = confusions(torch.arange(9, dtype=torch.float64) - 4, torch.ones(9, dtype=torch.float64))

    def cost(order: list[int]) -> float:
        return (line * distances[order][:, order]).sum().item()

    above = cost(order.long().tolist()) / cost([0, 1, 2, 5, 4, 8, 7, 6, 3]) - 1  # found by trying all
    if above > 1e-4:
        raise _NotYet(
            f"another order is {above:.1%} cheaper: exchange pairs as section 3 does, from many random starts"
        )


# Chapter 4
def _covariance(x: Tensor, f: Tensor) -> Tensor:
    return ((x - x.mean(0)) * (f - f.mean())[:, None]).mean(0)


def _gain(x: Tensor, f: Tensor) -> Tensor:
    return (_covariance(x, f) ** 2 / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var(correction=0)


def _signal() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 6, generator=generator, dtype=torch.float64) * torch.linspace(0.2, 0.9, 6)
    return x, 2 * x[:, 0] - 3 * x[:, 4] + 0.5 * torch.rand(500, generator=generator, dtype=torch.float64) + 1


def _axis_angle(answer: Any) -> None:
    u, v = torch.rand(2, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positions = torch.stack([u + 0.8 * v, v], dim=1) * 40  # x and y are correlated here
    angles = torch.tensor([0.0, 30.0, -60.0, 90.0, 150.0, -120.0, 200.0], dtype=torch.float64)
    means = [positions @ torch.stack([t.cos(), t.sin()]) + 5 for t in torch.deg2rad(angles)]
    got = torch.stack([_numbers(_call(answer, "positions, means", positions, m)) for m in means])

    def off(wanted: Tensor) -> Tensor:  # a line has no sign, and so neither has the verdict
        return ((got - wanted + 90) % 180 - 90).abs().max()

    covered = torch.stack([torch.corrcoef(torch.cat([positions.T, m[None]]))[2, :2] for m in means])
    for problem, wanted in (
        ("x and y are swapped", 90 - angles),
        ("the sign is wrong: is y counted downwards?", -angles),
        ("x and y are correlated here: fit both slopes at once", torch.rad2deg(torch.atan2(*covered.flip(1).T))),
    ):
        if off(angles) > 0.5 > off(wanted):
            raise _NotYet(problem)
    if (got.abs() <= math.pi + 1e-6).all():
        raise _NotYet("these are radians; degrees are asked for")
    if off(angles) > 0.5:
        raise _NotYet("fit f = a·x + b·y + c by least squares; the direction is that of (a, b)")
    if not (got.abs() < 90.01).all():
        raise _NotYet("a line has no sign: fold the angle into (−90, 90]")


# Chapter 5
def _picture(z: Tensor, codes: Tensor, std: Tensor, pictures: Tensor) -> Tensor:
    return torch.softmax(-0.5 * ((z - codes) / std) ** 2, 0) @ pictures


def _dear_mean(answer: Any) -> None:
    """A factor on all of [0, 1] whose mean costs more than it tells; judged by both, so that any will do."""
    f = _numbers(answer, None)
    if not 8 <= len(f) <= 200 or len(f.unique()) < 8:
        raise _NotYet(
            f"8 to 200 values, at least 8 of them different, are asked for; got {len(f)}, {len(f.unique())} different"
        )
    if not f.isfinite().all() or abs(f.min()) > 1e-6 or abs(f.max() - 1) > 1e-6:
        raise _NotYet("the smallest value has to be 0 and the largest 1")
    variance = f.var(correction=0)
    snr = math.expm1(2 * 3) / (1 + f.mean() ** 2 / variance)
    fee, told = 3 - 0.5 * torch.log1p(snr), mutual_information((f - f.mean()) * (snr / variance).sqrt(), 1.0)
    if fee <= told:
        raise _NotYet(f"of 3 nats its mean costs {fee:.2f}, and it tells {told:.2f}: raise m²/v; 0 and 1 may be rare")


# Chapter 6
def _gaps(information: Tensor, entropy: Tensor) -> Tensor:
    best, second = information.topk(2, dim=1).values.T
    return (best - second) / entropy


def _split(answer: Any) -> None:
    rates = _numbers(answer, (5,))
    if not (rates >= 0).all() or abs(rates.sum() - 11.1) > 0.02:
        raise _NotYet(f"rates must not be negative and must add up to 11.1 nats; these add up to {rates.sum():.2f}")
    if (got := _distortion(rates)) >= 75:
        hint = (
            "the angle has none: of three nats for it half go into what the picture shows" if rates[2] < 1 else "go on"
        )
        raise _NotYet(f"D = {got:.0f} nats, less than 75 is possible: {hint}")


@cache
def _sprites() -> tuple[SpriteChannels, Tensor]:
    channels = SpriteChannels("centred")
    return channels, sobol(channels, 512)


@torch.no_grad()
def _distortion(rates: Tensor) -> float:
    channels, points = _sprites()
    return distortion(channels, rates.float(), points).mean().item()


@cache
def _ablated(give: bool) -> Tensor:
    """What D rises by without shape, without orientation, without both, when the others get their nats or not."""
    split = torch.tensor([1.3, 1.4, 2.6, 2.9, 2.9])
    left = [split.index_fill(0, torch.tensor(out), 0.0) for out in ([0], [2], [0, 2])]
    return torch.tensor([_distortion(r * (11.1 / r.sum() if give else 1)) for r in left]) - _distortion(split)


def _even(gradient: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


# Chapter 7
def _saved(images: Tensor, classes: Tensor) -> Tensor:
    known = sum(_entropy(images[classes == c].mean(0)).sum() * (classes == c).sum() for c in classes.unique())
    return _entropy(images.mean(0)).sum() - known / len(images)


def _saved_evenly(images: Tensor, classes: Tensor) -> Tensor:
    known = torch.stack([_entropy(images[classes == c].mean(0)).sum() for c in classes.unique()])
    return _entropy(images.mean(0)).sum() - known.mean()


def _depth(v: Any, top: Any, elevation: Any) -> Any:
    return (v - top * math.cos(elevation)) / math.sin(elevation)


def _enter(s1: Any, v: Any, top: Any, elevation: Any) -> Any:
    return max(s1, _depth(v, top, elevation))


def _cases(*cases: Any) -> tuple[tuple[Any, ...], ...]:
    """Lists as float64 tensors; the rest as it is."""
    return tuple(tuple(torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for v in c) for c in cases)


def _randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


_GREY = float(_entropy(torch.tensor(0.9, dtype=torch.float64)))

_CHECKS: dict[str, Callable[[Any], None]] = {
    "1.1": _Asks(0.5 * (math.log(2) - 0.42), unit="nats",
        hint="the gap is a KL from q to the true posterior (section 1): which mean and variance has that at x = 2?",
        slips={
            "this is the KL of the posterior from q; the average must be over q": 0.5 * (2.16 - 1 - math.log(2)),
            "variances were squared once too often": 0.5 * (0.25 + 0.04 / 0.25 - 1 + math.log(4)),
            "this is the logarithm alone": 0.5 * math.log(2),
            "the ½ applies to the logarithm too": 0.5 * (0.54 - 1) + math.log(2),
            "this is the KL to the prior, not to the posterior": 0.5 * (0.25 + 1.44 - 1 + math.log(4))}),
    "1.2": _Asks(
        lambda images: bernoulli_floor(images), _cases(([[[0.0, 1.0], [0.5, 0.2]], [[1.0, 1.0], [0.0, 0.9]]],)),
        unit="nats",
        hint="the loss of a perfect reconstruction, at x̂ = x (section 4), summed over pixels",
        slips={"one term is missing: 1 − p counts as p does": lambda x: -torch.xlogy(x, x).flatten(1).sum(1)}),
    "1.3": _Asks(lambda mean, log_std, noise: mean + log_std.exp() * noise, (tuple(_randn(3, 5, 2)),),
        hint="section 2 moves the randomness out of the way: shift and scale the noise", slips={
            "log_std is log σ: exponentiate it": lambda m, s, e: m + s * e,
            "log_std is log σ, not log σ²: no ½": lambda m, s, e: m + (0.5 * s).exp() * e,
            "σ multiplies the noise, not σ²": lambda m, s, e: m + (2 * s).exp() * e,
            "σ multiplies the noise": lambda m, s, e: m + s.exp() + e,
            "the noise is to be added": lambda m, s, e: m - s.exp() * e}),
    "1.4": _Asks(5.0, hint="β·s² must be the same in both: which s² does the plain squared error have (section 4)?",
        slips={
            "the other way round: a smaller s² weighs the picture more, so β must grow with it": 0.2,
            "the other way round, and mind the 2 of 1/(2s²)": 0.1,
            "the log-likelihood has the weight 1/(2s²): mind the 2": 10.0,
            "both losses are sums over pixels: their number does not matter": 5 / 28**2}),
    "1.5": _quieter,
    "2.1": _Asks(_kl, _cases(([0.0, 1.5, -2.0, 0.3], [1.0, 0.2, 1.0, 3.0])), unit="nats",
        hint="section 1 has it in μ and σ; it is 0 at μ = 0, σ = 1 and nowhere else", slips={
            "the logarithm has the wrong sign": lambda m, s: _kl(m, s) + 2 * s.log(),
            "the −1 is missing: it is 0 at μ = 0, σ = 1": lambda m, s: _kl(m, s) + 0.5,
            "the logarithm has no ½ of its own": lambda m, s: _kl(m, s) + 0.5 * s.log(),
            "the logarithm is doubled": lambda m, s: _kl(m, s) - s.log()}),
    "2.2": _Asks(1.0, unit="bits", hint="Shannon's formula (section 3), with a logarithm to base 2",
        slips={"the 1 of 1 + SNR is missing": 0.5 * math.log2(3)}),
    "2.3": _Asks(lambda variances, k: 0.5 * (variances[:k] / variances[k]).log().sum(),
        _cases(*(([9.0, 5.0, 5.0, 2.0, 0.7], k) for k in (2, 4, 3, 1))), unit="nats",
        hint="when the water level has come down to component k, what do the earlier ones carry (section 6)?", slips={
            "every earlier component carries something, not the first alone": lambda v, k: 0.5 * (v[0] / v[k]).log(),
            "compare with component k, not with the one before": lambda v, k: 0.5 * (v[:k] / v[k - 1]).log().sum()}),
    "2.4": _Asks(_mean_fee(2, 0.75, 1 / 48), unit="nats",
        hint="section 3's formula, less the same with m = 0: which m and v has the interval?", slips={
            "the interval is half as long as [0, 1]: its variance is smaller": _mean_fee(2, 0.75, 1 / 12),
            "that is the whole KL, not what the mean adds": 0.5 * math.log(1 + 2 * 28),
            "the mean is that of [0.5, 1]": _mean_fee(2, 0.5, 1 / 48),
            "that is the fee of a high rate; at SNR 2 it is not reached": 0.5 * math.log(28),
            "the standard deviation stands where the variance should": _mean_fee(2, 0.75, 1 / math.sqrt(48))}),
    "2.5": _Asks(
        _price, _cases(([8.0, 1.0], 0.5, 45.0), ([8.0, 4.0], 0.5, 15.0), ([3.0, 1.0], 0.2, 30.0)), "nats", within=0.01,
        hint="the least loss/β of diag(g)·R over both gains, less that of the unturned decoder: an optimiser finds g",
        slips={
            "these are the gains of the unturned decoder: let them readjust to the angle": _fixed_price,
            "let the gains readjust; and the angle is in degrees": lambda v, n, t: _fixed_price(v, n, math.degrees(t)),
            "take off the loss at angle 0": lambda v, n, t: _price(v, n, t) + 1 + 0.5 * (v / n).log().sum()}),
    "3.1": _Asks(0.5 * math.erfc(0.75 / math.sqrt(2)), unit="probability",
        hint="where is the border, and how many σ is it from a mean (section 2)?", slips={
            "the border is half-way between the means": 0.5 * math.erfc(1.5 / math.sqrt(2)),
            "only the tail on the other's side is a mistake: you counted both": math.erfc(0.75 / math.sqrt(2)),
            "that is how often the guess is right": 1 - 0.5 * math.erfc(0.75 / math.sqrt(2)),
            "σ² stands where σ should": 0.5 * math.erfc(0.3 / 0.16 / math.sqrt(2)),
            "that is the overlap ∫√(q₁q₂)": math.exp(-(1.5**2) / 8)}),
    "3.2": _Asks(_overlap, ((0.0, 1.0, 0.0, 1.0), (0.0, 1.0, 1.0, 1.0), (-1.0, 0.5, 1.0, 2.0), (2.0, 0.7, 1.5, 0.4)),
        hint="integrate √(q₁q₂) over z, wide and fine enough", slips={
            "one root too many or too few": lambda *q: _overlap(*q) ** 2,
            "that is −log of the overlap": lambda *q: -_overlap(*q).log(),
            "the densities need their 1/(σ√(2π))": (
                lambda m1, s1, m2, s2: math.exp(-((m1 - m2) ** 2) / (4 * (s1**2 + s2**2))))}),
    "3.3": _Asks(_belief_error, _cases(*((b, [[0.0, x, y], [x, 0.0, w], [y, w, 0.0]]) for b, x, y, w in _BELIEFS)),
        hint="section 1 writes the variance of the belief as a sum over pairs", slips={
            "the distances are squared already": lambda b, d: _belief_error(b, d**2),
            "the distances stay squared": lambda b, d: _belief_error(b, d.sqrt()),
            "the belief weighs the pairs": lambda b, d: d.mean()}),
    "3.4": _Asks(_HEALING, within=0.02,
        hint="descend from each of the six at every whole β, and take the one from which no tear is left",
        slips={
            "the first number is that of the tear after the first picture": _HEALING[::-1],
            "these are the greatest β that leave a tear; the least that leave none are asked for": _LEAVING}),
    "3.5": _order,
    "4.1": _Asks(
        150 / 64**2, hint="dividing the whole loss by a number changes nothing: by which number does the mean divide?",
        slips={
            "the mean makes the reconstruction smaller, so the price of a nat has to become smaller too": 150 * 64**2,
            "a picture has two sides": 150 / 64}),
    "4.2": _Asks(37.5, hint="β acts relative to the collapse threshold: compute it for both data sets", slips={
            "a picture has two sides": 75.0,
            "the other way round: fewer pixels save fewer nats": 600.0,
            "each pixel tells as much as before, but their number has changed": 150.0,
            "losses are sums over pixels here, not means": 150 / 32**2}),
    "4.3": _Asks(_gain, (_signal(),), within=0.01,
        hint="both sides of the contest of section 5 have the factor ½a²: divide one by the other", slips={
            "f is not centred: sending its mean costs nats and tells nothing": (
                lambda x, f: _gain(x, f) * f.var(correction=0) / f.square().mean()),
            "v is the Bernoulli variance p(1 − p), not the variance of the pixel": (
                lambda x, f: (_covariance(x, f) ** 2 / x.var(0)).sum() / f.var()),
            "divide by the mean square of f, not by its root": lambda x, f: _gain(x, f) * f.std(),
            "divide by the mean square of f": lambda x, f: _gain(x, f) * f.var(),
            "the covariance has to be squared": (
                lambda x, f: (_covariance(x, f) / (x.mean(0) * (1 - x.mean(0)))).sum() / f.var())}),
    "4.4": _axis_angle,
    "5.1": _Asks(0.5 * math.log(2.5), unit="nats",
        hint="the fee at a high rate is what the mean adds to the rate (section 5): which m²/v have 0, 1, 2?", slips={
            "that is the fee of 1, 2, 3": 0.5 * math.log(7),
            "v is the variance over the three values, not that of a sample of three": 0.5 * math.log(2),
            "the 1 of 1 + m²/v is missing": 0.5 * math.log(1.5),
            "that is m²/v; the fee is a logarithm": 1.5}),
    "5.2": _Asks(_picture,
        _cases(*((z, [-1.0, 0.0, 2.0], s, [[0.0, 1.0], [0.5, 0.2], [1.0, 0.6]]) for z, s in ((0.3, 0.7), (-2.0, 2.0)))),
        hint="the mean of the pictures under the belief (section 3)", slips={
            "this is the likeliest picture; the mean of all has the lower loss": (
                lambda z, codes, std, pictures: pictures[(z - codes).abs().argmin()]),
            "z is not used: weight the pictures by how likely each is to have sent it": lambda z, c, s, p: p.mean(0),
            "the exponent of a Gaussian has a ½": lambda z, c, s, p: _picture(z, c, s / math.sqrt(2), p),
            "divide by σ², not by σ": lambda z, c, s, p: _picture(z, c, math.sqrt(s), p),
            "the weights must add up to 1": lambda z, c, s, p: torch.exp(-0.5 * ((z - c) / s) ** 2) @ p,
            "the sign of the exponent is wrong": lambda z, c, s, p: torch.softmax(0.5 * ((z - c) / s) ** 2, 0) @ p}),
    "5.3": _Asks(80_000.0, hint="the boxed formula of section 7 differs between the two factors by one term", slips={
            "without γ it would be as quick as that: it is g/γ that tells the factors apart": 80.0,
            "the difference of the two counts, not one of them": 2 * 1000 / (0.0005 * 60),
            "that is the time to come apart by 1": 40_000.0,
            "the learning rate is missing": 40.0}),
    "5.4": _Asks(math.log(8), unit="nats",
        hint="½·log(1 + SNR) must be half of ½·log(1 + 9·SNR): square until no root is left", slips={
            "that is the fee of a high rate; the fee itself depends on the rate": 0.5 * math.log(9),
            "close: there the fee of a high rate would be half, but it has not been reached": math.log(9),
            "that is the information; the rate is asked for": 0.5 * math.log(8),
            "that is t; the rate is its logarithm": 8.0}),
    "5.6": _dear_mean,
    "6.1": _Asks((math.log(2) - 0.5) * 300, unit="nats",
        hint="per pixel and channel: the entropy at the mean brightness, less the mean entropy", slips={
            "that is the whole loss; a model that knows the colours pays too": math.log(2) * 300,
            "there are three channels": (math.log(2) - 0.5) * 100,
            "that is one pixel's and one channel's": math.log(2) - 0.5,
            "only the sprite's pixels have colours": (math.log(2) - 0.5) * 3 * 64**2}),
    "6.2": _Asks(lambda information, entropy: _gaps(information, entropy).mean(),
        _cases(([[0.1, 1.2, 0.3, 0.05], [0.5, 0.4, 0.07, 0.1], [0.02, 0.04, 2.0, 0.2]], [1.5, 1.1, 3.0])),
        hint="of every factor: how much more the best latent tells than the next, as a share of its entropy", slips={
            "divide each gap by the entropy of its factor": lambda i, h: _gaps(i, h / h).mean(),
            "subtract what the second best latent tells": lambda i, h: (i.amax(1) / h).mean(),
            "the mean of the ratios, not the ratio of the sums": lambda i, h: _gaps(i, h / h).sum() / h.sum(),
            "the second best latent, not the average one": lambda i, h: ((i.amax(1) - i.mean(1)) / h).mean(),
            "the second best latent, not the worst": lambda i, h: ((i.amax(1) - i.amin(1)) / h).mean()}),
    "6.3": _split,
    "6.4": _Asks(_even, ((_randn(4, 6),), (_randn(6, 4),)),
        hint="all singular values of the step must be 1, with the gradient's own directions", slips={
            "that is the gradient, only shorter: strong directions are still strong": lambda g: g / g.norm(),
            "that is the gradient, only shorter": lambda g: g / torch.linalg.matrix_norm(g, 2),
            "that evens out the entries, not the directions": torch.sign,
            "that is the gradient itself": lambda g: g}),
    "6.6": _Asks(lambda: _ablated(give=True), within=0.03,
        hint="set the rate to 0, scale the others up to 11.1 nats, and take D less D of the whole split",
        slips={"the freed nats go to the others: scale them up to 11.1 again": lambda: _ablated(give=False)}),
    "7.1": _Asks(
        600 * _GREY, unit="nats", hint="the loss at x̂ = x is the entropy of the pixels; which pixels have one?",
        slips={
            "a white pixel has no entropy: only the chair counts": 64**2 * _GREY,
            "that is −log 0.9; the pixel may also come out 0, which costs −log 0.1": -600 * math.log(0.9),
            "an exact drawing of grey is not free": 0.0,
            "that is one pixel's": _GREY}),
    "7.2": _Asks(_saved, ((_randn(6, 1, 4, 4).sigmoid(), torch.tensor([0, 0, 0, 1, 2, 2])),), unit="nats",
        hint="the loss of a drawing is the entropy of what it draws: the mean of all against that of the class", slips={
            "weigh each class by how many pictures it has": _saved_evenly,
            "draw the mean of the class, not the picture itself": lambda x, c: _saved(x, torch.arange(len(x))),
            "that is what is left; what is saved is asked for": lambda x, c: _entropy(x.mean(0)).sum() - _saved(x, c),
            "that is of all pictures together; per picture is asked for": lambda x, c: _saved(x, c) * len(x)}),
    "7.3": _Asks(_enter, ((-0.5, 0.3, 0.2, 0.35), (0.4, -0.2, 0.5, 0.52), (0.1, 0.6, 0.0, 1.2)),
        hint="solve v = z·cos θ + s·sin θ for s at the height of the top, and take the later of the two entries",
        slips={
            "the ray is inside when it has entered both: the later of the two": lambda s1, *top: min(s1, _depth(*top)),
            "sine and cosine are swapped": lambda s1, v, top, t: max(s1, (v - top * math.sin(t)) / math.cos(t)),
            "the height is foreshortened too": lambda s1, v, top, t: max(s1, (v - top) / math.sin(t)),
            "the top is above the middle: a sign": lambda s1, v, top, t: max(s1, _depth(v, -top, t))}),
}  # fmt: skip
