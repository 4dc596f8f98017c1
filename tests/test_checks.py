"""Right and wrong answers to every exercise: at least ten of each, as learners may hand them in."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from minivae.course import checks
from minivae.course.checks import check
from minivae.datasets import Blobs
from minivae.overlap import confusions

LOG2, SQRT_2PI = math.log(2), math.sqrt(2 * math.pi)
SENT = [np.linspace(*ends) for ends in ((1, 3, 3), (0.5, 1, 6), (0, 2 * math.pi, 40), (0, 1, 32), (0, 1, 32))]


def shares_of(of: Callable[[np.ndarray], float]) -> tuple[float, ...]:
    """A number of each factor of dSprites, as shares of their sum."""
    found = [float(of(f)) for f in SENT]
    return tuple(v / sum(found) for v in found)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def default_dtype(request):
    """Chapters 2 and 3 compute in float64, the others in float32."""
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


# Values: the right one, functions that hold it otherwise, and wrong ones with a part of what must be said of them

VALUES: dict[str, tuple[Any, dict[Any, str]]] = {
    "1.2": (0.5 * (LOG2 - 0.42), {
        0.5 * (2.16 - 1 - LOG2): "average must be over q",
        LOG2 - 0.42: "twice",
        0.25 * (LOG2 - 0.42): "half",
        0.5 * (LOG2 - 0.42) / LOG2: "bits",
        -0.5 * (LOG2 - 0.42): "sign",
        0.5 * LOG2: "logarithm alone",
        0.5 * (0.54 - 1) + LOG2: "the ½ applies",
        0.5 * (0.25 + 1.44 - 1 + math.log(4)): "prior",
        0.13: "close", 0.0: "", 1.0: "", 0.3: "", math.nan: "NaN", math.inf: "NaN",
    }),
    "2.3": (0.5 * math.log(19), {
        0.5 * math.log(5.5): "half as long", 0.5 * math.log(9): "the mean is", 0.5 * math.log(57): "the whole KL",
        0.5 * math.log(28): "high rate",
        0.5 * math.log2(19): "bits", math.log(19): "twice", 0.25 * math.log(19): "half", -0.5 * math.log(19): "sign",
        0.5 * math.log(3): "", 0.5 * math.log(1 + 2 * 27): "", 19: "", 1.4: "close",
        0.5 * math.log((1 + 2 * (1 + 0.75**2 / 48**-0.5)) / 3): "standard deviation",
    }),
    "3.1": (0.5 * math.erfc(0.75 / math.sqrt(2)), {
        0.5 * math.erfc(1.5 / math.sqrt(2)): "half-way", math.erfc(0.75 / math.sqrt(2)): "counted both",
        1 - 0.5 * math.erfc(0.75 / math.sqrt(2)): "right", 0.5 * math.erfc(0.3 / 0.16 / math.sqrt(2)): "σ²",
        50 * math.erfc(0.75 / math.sqrt(2)): "per cent", math.exp(-(1.5**2) / 8): "overlap", 0.5: "", 0: "",
        -0.5 * math.erfc(0.75 / math.sqrt(2)): "sign", 0.25 * math.erfc(0.75 / math.sqrt(2)): "half", 0.22: "close",
    }),
    "3.2": ([20, 16, 13, 10, 7, 7], {
        (7, 7, 10, 13, 16, 20): "after the first", (8,) * 6: "descend", (16,) * 6: "descend",
        (20, 16, 13, 10, 7): "shape",
        20: "shape", (10, 8, 6.5, 5, 3.5, 3.5): "half", (40, 32, 26, 20, 14, 14): "twice",
        (20, 16, 11, 10, 7, 7): "descend", (20, 16, 13, 10, 8, 6): "close", (19, 15, 12, 9, 6, 6): "leave a tear",
        (1, 2, 3, 4, 5, 6): "descend", (20, 16, 13, 10, 7, 7, 7): "shape", (math.nan,) * 6: "NaN", "20": "shape",
    }),
    "4.1": (150 / 64**2, {
        150 * 64**2: "smaller", 150 / 64: "two sides", 150: "", 64**2 / 150: "upside down", 1 / 64**2: "",
        75 / 64**2: "half",
        300 / 64**2: "twice", -150 / 64**2: "sign", 0: "", 0.036: "close", 4096: "",
    }),
    "4.2": (71.6, {
        75: "nearly", 37.5: "falls to a quarter", 150: "is not that of ours", 314: "other way round", 35.8: "half",
        143.2: "twice", -71.6: "sign", 124: "", 260: "", 0: "", 1 / 71.6: "upside down", 70.5: "close",
    }),
    "5.1": (0.5 * math.log(2.5), {
        0.5 * math.log(7): "1, 2, 3", LOG2 / 2: "sample of three", math.log(2.5): "twice", 0.25 * math.log(2.5): "half",
        0.5 * math.log(2.5) / LOG2: "bits", 0.5 * math.log(1.5): "the 1 of", 1.5: "logarithm",
        -0.5 * math.log(2.5): "sign",
        0: "", 2.5: "", 0.44: "close", 0.667: "",
    }),
    "6.1": ((LOG2 - 0.5) * 300, {
        LOG2 * 300: "whole loss", (LOG2 - 0.5) * 100: "three channels", LOG2 - 0.5: "one pixel", 150: "",
        (LOG2 - 0.5) * 300 / LOG2: "bits", (LOG2 - 0.5) * 3 * 4096: "only the sprite", -(LOG2 - 0.5) * 300: "sign",
        (LOG2 - 0.5) * 150: "half", (LOG2 - 0.5) * 600: "twice", 0: "", 56.5: "close",
    }),
    "9.3": ([37.5, 31.3, 53.2], {
        (49.1, 47.6, 66.1): "freed nats", (37.5, 31.3, 68.8): "", (-37.5, -31.3, -53.2): "sign", (31.3, 37.5, 53.2): "",
        (110, 104, 126): "", (37.5, 31.3): "shape", 53.2: "shape", (75, 62.7, 106.4): "twice", (0, 0, 0): "",
        (18.75, 15.65, 26.6): "half", (37.5, 31.3, 53.2, 0, 0): "shape",
    }),
    "7.1": (0.5 * math.log(196 / 96), {
        math.log((12**0.5 + 2**0.5) ** 2 / (4 * 24**0.5)): "readjusted", 0.5 * math.log(106 / 96): "squared",
        0.5 * math.log(100 / 96): "the 1", 0.5 * math.log(124 / 24): "the 4",
        0.5 * math.log(1 + 140**2 / 2304): "variances already", math.log(196 / 96): "twice",
        0.25 * math.log(196 / 96): "half", 0.5 * math.log2(196 / 96): "bits", -0.5 * math.log(196 / 96): "sign",
        196 / 96: "", 100 / 96: "", 0: "", 0.37: "close",
    }),
    "10.1": (math.log(100) / 0.004, {
        99 / 0.004: "not β", 500: "natural", 25_000: "not β", 1.151: "0.004",
        2 * math.log(100) / 0.004: "twice", math.log(100) / 0.008: "half", -math.log(100) / 0.004: "sign",
        0.004 / math.log(100): "upside down", math.log(100): "", 100: "", 0: "", 1100: "close",
    }),
    "11.1": (-600 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1)), {
        -4096 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1)): "white", -600 * math.log(0.9): "−log 0.9", 0: "not free",
        -300 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1)): "half",
        -600 * (0.9 * math.log2(0.9) + 0.1 * math.log2(0.1)): "bits", 600 * LOG2: "", 540: "", 60: "", 300 * LOG2: "",
        600 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1)): "sign", 0.325: "one pixel", 188: "close",
    }),
    "12.1": (24.576, {
        0.002 * 64**2: "three values", 0.002 / 12_288: "other way round", 0.002: "one number", 12_288: "not 1",
        0.002 * 64: "", 49.152: "twice", 12.288: "half", -24.576: "sign", 1 / 24.576: "upside down", 0: "", 6.1e6: "",
        25.5: "close",
    }),
    "12.3": ([2.4, 10, 2], {
        (1 / 2.4, 0.1, 0.5): "upside down", (-2.4, -10, -2): "sign", (4, 16, 64): "between two",
        (12, 20, 8): "given up", (2.8, 62 / 13, 70 / 9): "differences", (2.4, 10): "shape", 2.4: "shape",
        (2.4, 10, 2, 0): "shape",
        (1.5, 2.8, 62 / 13): "", (5, 2, 4): "", (2.4, 2, 10): "", (4.8, 20, 4): "twice", (2.5, 10.4, 2): "close",
    }),
    "13.1": (25 - math.log(737_280), {
        math.log(737_280): "the rest is slack", 25 - math.log2(737_280): "natural logarithm",
        (25 - math.log(737_280)) / 10: "ten latents", 2 * (25 - math.log(737_280)): "twice",
        (25 - math.log(737_280)) / 2: "half", math.log(737_280) - 25: "sign", 25: "", 0: "", 737_280: "", 12.1: "close",
    }),
    "8.1": (80_000, {
        80: "γ", 2e3 / 0.03: "difference", 40_000: "apart by 1", 40: "learning rate", 160_000: "twice", -80_000: "sign",
        4000: "", 2: "", 0: "", 1 / 80_000: "upside down", 78_000: "close", 8000: "",
    }),
    "8.2": (math.log(8), {
        0.5 * math.log(9): "fee of a high rate", math.log(9): "close: ", 0.5 * math.log(8): "information", 3: "bits",
        8: "t;",
        -math.log(8): "sign", 2 * math.log(8): "twice", 0: "", 7: "", 1.5: "", 2.0: "close", math.inf: "NaN",
    }),
    "8.3": (list(shares_of(np.var)), {
        shares_of(lambda f: (f**2).mean()): "with the means", shares_of(lambda f: f.var(ddof=1)): "sample",
        shares_of(np.std): "square of the numbers", tuple(np.var(f) for f in SENT): "add up to 1",
        (0.00217, 0.00949, 0.4336, 0.2774, 0.2774): "class numbers", (0.2,) * 5: "all a",
        shares_of(lambda f: np.ptp(f) ** 2 / 4): "largest", shares_of(lambda f: np.var(f) ** 2): "once",
        tuple(100 * s for s in shares_of(np.var)): "per cent", shares_of(np.var)[::-1]: "", 0.798: "shape",
        shares_of(np.var)[:4]: "shape", tuple(s / 2 for s in shares_of(np.var)): "half", (0, 0, 0, 0.5, 0.5): "",
        (math.nan,) * 5: "NaN",
    }),
}  # fmt: skip


def forms(value: Any) -> list[Any]:
    """The same numbers as learners hold them."""
    flat = np.array(value, dtype=float)
    tensor = torch.tensor(flat)
    some = [
        value, flat, flat.astype(np.float32), flat[None], tensor, tensor.float(), tensor[None], tensor[..., None],
        tensor.clone().requires_grad_() * 1, flat.tolist(), [flat.tolist()], (flat.tolist(),),
    ]  # fmt: skip
    if flat.ndim:
        return [*some, list(tensor), tuple(flat), tensor.int() if (tensor % 1 == 0).all() else tensor]
    two_digits = float(f"{value:.1e}")  # two significant digits
    return [
        *some,
        two_digits,
        np.float64(value),
        np.float32(value),
        torch.tensor([value]),
        Fraction(float(value)),
        str(value),
    ]


@pytest.mark.parametrize("exercise", VALUES)
def test_a_value_is_right_in_every_form(exercise):
    answers = forms(VALUES[exercise][0])
    assert len(answers) >= 10
    for answer in answers:
        assert check(exercise, answer).text == f"Exercise {exercise}: right.", repr(answer)


@pytest.mark.parametrize("exercise", VALUES)
def test_a_wrong_value_is_refused_and_its_slip_named(exercise):
    right, wrong = VALUES[exercise]
    assert len(wrong) >= 10
    for answer, said in wrong.items():
        for form in (answer, [answer], np.array(answer, dtype=float)):
            verdict = check(exercise, form)
            assert not verdict and said in verdict.text, (answer, verdict)
            assert not gives_away(verdict.text, right), verdict


def gives_away(text: str, right: Any) -> bool:
    """Whether a verdict says a right value that the exercise's own numbers do not explain."""
    if isinstance(right, list) or right in (1, 5):
        return False
    words = {word.strip(".,:;()") for word in text.split("not yet:")[1].split()}
    return bool(words & {f"{right:.{digits}g}" for digits in (2, 3, 4)} | words & {f"{right:.{n}f}" for n in (2, 3)})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (len, "one number is asked for, got a function"),
        (torch.ones(2), "one number is asked for, got shape (2,)"),
        ("four", "one number is asked for, got 'four'"),
        ([], "one number is asked for, got shape (0,)"),
        ({}, "one number is asked for, got {}"),
        (1j, "one number is asked for, got 1j"),
        (torch.tensor(1j), "one number is asked for, got tensor"),
        ([[1.0], [2.0, 3.0]], "one number is asked for, got [[1.0], [2.0, 3.0]]"),
        ([None], "one number is asked for, got [None]"),
        (object(), "one number is asked for, got <object"),
        (["x" * 100], "one number is asked for, got list"),
    ],
)
def test_what_is_no_number_is_told_so(answer, said):
    assert said in check("11.1", answer).text


# Functions: right ones written in several ways, and wrong ones with a part of what must be said of them

HB = lambda p: -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))  # noqa: E731


def kl(mean, std):
    return 0.5 * (mean**2 + std**2 - 1) - torch.log(std)


def onset(v, k):
    return 0.5 * torch.log(v[:k] / v[k]).sum()


def gain(x, f):
    p, f = x.mean(0), f - f.mean()
    return (((x - p) * f[:, None]).mean(0) ** 2 / (p * (1 - p))).sum() / f.square().mean()


def gain_numpy(x, f):
    x, f = np.asarray(x), np.asarray(f)
    covariance = np.cov(x.T, f)[-1, :-1]
    return np.sum(covariance**2 / (x.mean(0) * (1 - x.mean(0)))) / np.var(f, ddof=1)


def slopes(positions, means):
    return torch.linalg.lstsq(positions - positions.mean(0), (means - means.mean())[:, None]).solution[:, 0]


def angle(positions, means):
    a, b = slopes(positions, means)
    return 90 - torch.remainder(90 - torch.rad2deg(torch.atan2(b, a)), 180)


def correlated(covariance):
    return 0.5 * torch.log(covariance.diagonal().prod() / torch.det(covariance))


def turned_columns(directions, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.stack([c * directions[:, 0] + s * directions[:, 1], c * directions[:, 1] - s * directions[:, 0]], 1)


def cosine_turned(directions, degrees):
    return torch.cosine_similarity(*turned_columns(directions, degrees).T, dim=0)


def picture(z, codes, std, pictures):
    return torch.softmax(-0.5 * ((z - codes) / std) ** 2, 0) @ pictures


def picture_by_hand(z, codes, std, pictures):
    weights = [math.exp(-((z - c) ** 2) / (2 * std**2)) for c in codes]
    return [
        sum(w * p[j] for w, p in zip(weights, pictures, strict=True)) / sum(weights) for j in range(pictures.shape[1])
    ]


def mig(i, h):
    best, second = i.topk(2, dim=1).values.T
    return ((best - second) / h).mean()


def mig_sorted(i, h):
    ordered = np.sort(np.asarray(i), axis=1)
    return np.mean((ordered[:, -1] - ordered[:, -2]) / np.asarray(h))


def push(kl, C, gamma):
    return gamma * torch.stack([torch.sign(kl.mean() - C), torch.sign(kl - C).mean()])


def push_numpy(kl, C, gamma):
    kl = np.asarray(kl)
    return float(gamma) * np.sign(kl.mean() - float(C)), float(gamma) * np.mean(np.sign(kl - float(C)))


def push_by_gradient(kl, C, gamma):
    shift = torch.zeros((), dtype=kl.dtype, requires_grad=True)
    both = gamma * ((kl + shift).mean() - C).abs(), gamma * (kl + shift - C).abs().mean()
    return [torch.autograd.grad(penalty, shift)[0].item() for penalty in both]


def push_by_difference(kl, C, gamma, by=1e-3):
    def both(kl):
        return np.array([gamma * abs(kl.mean() - C), gamma * np.abs(kl - C).mean()])

    kl, C, gamma = np.asarray(kl, float), float(C), float(gamma)
    return (both(kl + by) - both(kl - by)) / (2 * by)


def push_by_counting(kl, C, gamma):
    above = sum(bool(k > C) for k in kl)
    return gamma * (1 if kl.mean() > C else -1), gamma * (2 * above - len(kl)) / len(kl)


def wide(p):
    down, right = (v.double() for v in (p > 0.5).nonzero(as_tuple=True))
    a, b = right.var(correction=0), down.var(correction=0)
    return (a - b) / (a + b)


def wide_numpy(p):
    down, right = np.nonzero(np.asarray(p))
    return (right.var() - down.var()) / (right.var() + down.var())


def wide_by_sums(p):
    def variance(light):
        at = torch.arange(len(light), dtype=light.dtype)
        mean = (light * at).sum() / light.sum()
        return (light * (at - mean).square()).sum() / light.sum()

    a, b = variance(p.sum(0)), variance(p.sum(1))
    return (a - b) / (a + b)


def saved(images, classes):
    known = sum(HB(images[classes == c].mean(0)).sum() * (classes == c).sum() for c in classes.unique())
    return HB(images.mean(0)).sum() - known / len(images)


def saved_numpy(images, classes):
    images, classes = np.asarray(images, dtype=float), np.asarray(classes)

    def entropy(p):
        return -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()

    return entropy(images.mean(0)) - np.mean([entropy(images[classes == c].mean(0)) for c in classes])


def found_again(first, second):
    first, second = ((z - z.mean(0)) / z.std(0) for z in (first, second))
    return (first.T @ second / (len(first) - 1)).abs().max(1).values


def found_again_numpy(first, second):
    both = np.corrcoef(np.asarray(first, dtype=float), np.asarray(second, dtype=float), rowvar=False)
    return np.abs(both[: first.shape[1], first.shape[1] :]).max(1)


def enter(s1, v, top, elevation):
    return max(s1, (v - top * math.cos(elevation)) / math.sin(elevation))


def enter_tensors(s1, v, top, elevation):
    return torch.maximum(s1, (v - top * torch.cos(elevation)) / torch.sin(elevation))


def quieter(h, noise, std, times=lambda before, after: before / after, baseline=None):
    b = (h * noise**2).mean() / (noise**2).mean() if baseline is None else baseline(h)
    gradients = (h - b) * noise / std
    return gradients, times((h * noise / std).var(), gradients.var())


def quieter_split(h, noise, std):
    """Half of the samples give the other half's baseline."""
    b = (h * noise**2).unflatten(0, (2, -1)).mean(1) / (noise**2).unflatten(0, (2, -1)).mean(1)
    gradients = (h.unflatten(0, (2, -1)) - b.flip(0)[:, None]).flatten() * noise / std
    return gradients, (h * noise / std).var() / gradients.var()


def quieter_numpy(h, noise, std):
    h, noise, std = (np.asarray(v, dtype=float) for v in (h, noise, std))
    gradients = (h - np.average(h, weights=noise**2)) * noise / std
    return [gradients, np.var(h * noise / std) / np.var(gradients)]


def quieter_searched(h, noise, std):
    candidates = h.mean() + torch.linspace(-20, 20, 401)
    b = min(candidates, key=lambda b: ((h - b) * noise).var().item())
    return (h - b) * noise / std, (h * noise).var().item() / ((h - b) * noise).var().item()


FUNCTIONS: dict[str, tuple[list[Callable], dict[Callable, str]]] = {
    "1.1": ([
        lambda mean, log_std, noise: mean + log_std.exp() * noise,
        lambda mean, log_std, noise: noise.mul_(log_std.exp_()).add_(mean),
        lambda mean, log_std, noise: torch.addcmul(mean, torch.exp(log_std), noise),
        lambda mean, log_std, noise: (mean + log_std.exp() * noise).tolist(),
        lambda mean, log_std, noise: mean.float() + log_std.float().exp() * noise.float(),
        lambda mean, log_std, noise: np.asarray(mean) + np.exp(np.asarray(log_std)) * np.asarray(noise),
        lambda mean, log_std, noise: mean + math.e**log_std * noise,
        lambda mean, log_std, noise: torch.normal(mean, 0.0) + (2 * log_std).exp().sqrt() * noise,
    ], {
        lambda m, s, e: m + s * e: "exponentiate", lambda m, s, e: m + (0.5 * s).exp() * e: "no ½",
        lambda m, s, e: m + (2 * s).exp() * e: "not σ²", lambda m, s, e: m - s.exp() * e: "added",
        lambda m, s, e: m: "",
        lambda m, s, e: m + s.exp() + e: "multiplies", lambda m, s, e: m + e: "", lambda m, s, e: s.exp() * e: "",
        lambda m, s, e: m + s.exp(): "", lambda m, s, e: m * s.exp() * e: "",
        lambda m, s, e: m + (s.exp() * e).sum(): "",
        lambda m, s, e: (m + s.exp() * e).mean(): "shape ()", lambda m, s, e: m + s.exp() * torch.randn(5, 2): "",
    }),
    "1.3": ([
        quieter, quieter_split, quieter_numpy, quieter_searched,
        lambda h, e, s: quieter(h.float(), e.float(), s.float()),
        lambda h, e, s: quieter(h.double(), e.double(), s.double()),
        lambda h, e, s: tuple(v.tolist() for v in quieter(h, e, s)),
        lambda h, e, s: [v.numpy() for v in quieter(h, e, s)],
        lambda h, e, s: quieter(h.sub_(1.0), e.mul_(1.0), s),
        lambda h, e, s: quieter(h, e, s, lambda before, after: round((before / after).item())),
    ], {
        lambda h, e, s: (h * e / s, 1.0): "without a baseline",
        lambda h, e, s: quieter(h, e, s, baseline=torch.mean): "mean of h",
        lambda h, e, s: quieter(h, e, s, baseline=torch.median): "less variance",
        lambda h, e, s: quieter(h, e, s, lambda a, b: b / a): "upside down",
        lambda h, e, s: quieter(h, e, s, lambda a, b: (a / b).sqrt()): "roots",
        lambda h, e, s: quieter(h, e, s, lambda a, b: a - b): "over that with it",
        lambda h, e, s: (0 * h, 1.0): "mean has changed", lambda h, e, s: quieter(h, e, s)[0]: "two things",
        lambda h, e, s: quieter(h, e, s)[1]: "two things", lambda h, e, s: quieter(h, e, s)[::-1]: "",
        lambda h, e, s: (h * e / s - (h * e / s).mean(), 1.0): "",
        lambda h, e, s: quieter(h, e, s * s): "mean has changed",
        lambda h, e, s: quieter(h, e, 1.0): "mean has changed",
        lambda h, e, s: (quieter(h, e, s)[0].mean(), 1.0): "shape ()",
    }),
    "2.1": ([
        kl,
        lambda mean, std: (mean.square() + std.square() - 1 - 2 * std.log()) / 2,
        lambda mean, std: -0.5 * (1 + torch.log(std**2) - mean**2 - std**2),
        lambda mean, std: torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 1.0)),
        lambda mean, std: [0.5 * (m**2 + s**2 - 1) - math.log(s) for m, s in zip(mean, std, strict=True)],
        lambda mean, std: 0.5 * (np.asarray(mean) ** 2 + np.asarray(std) ** 2 - 1) - np.log(np.asarray(std)),
        lambda mean, std: mean.pow_(2).add_(std**2).sub_(1).div_(2).sub_(std.log()),
        lambda mean, std: np.array([kl(m, s) for m, s in zip(mean, std, strict=True)]),
    ], {
        lambda m, s: 2 * kl(m, s): "twice", lambda m, s: 0.5 * kl(m, s): "half", lambda m, s: kl(m, s**2): "σ²",
        lambda m, s: kl(m, s.sqrt()): "σ² should", lambda m, s: kl(m, s.exp()): "not log σ",
        lambda m, s: -kl(m, s): "sign",
        lambda m, s: 0.5 * (m**2 + s**2 - 1) + s.log(): "logarithm", lambda m, s: kl(m, s).mean(): "shape",
        lambda m, s: kl(m, s) / LOG2: "bits", lambda m, s: kl(m, s) + 0.5: "−1",
        lambda m, s: kl(m, s) - s.log(): "doubled",
        lambda m, s: kl(m, s).sum(): "shape", lambda m, s: kl(s, m): "",
        lambda m, s: 0.5 * (m**2 + s**2 - 1 - s.log()): "½",
    }),
    "2.2": ([
        onset,
        lambda v, k: 0.5 * v[:k].log().sum() - k / 2 * v[k].log(),
        lambda v, k: sum(0.5 * math.log(v[i] / v[k]) for i in range(k)),
        lambda v, k: 0.5 * np.log(np.asarray(v)[:k] / np.asarray(v)[k]).sum(),
        lambda v, k: (0.5 * (v / v[k]).log()).clamp(min=0).sum(),
        lambda v, k: [onset(v, k)],
        lambda v, k: onset(v.float(), k).item(),
        lambda v, k: 0.5 * torch.log(torch.prod(v[:k] / v[k])),
    ], {
        lambda v, k: 2 * onset(v, k): "twice", lambda v, k: -onset(v, k): "sign", lambda v, k: onset(v, k) / 2: "half",
        lambda v, k: 0.5 * torch.log(v[0] / v[k]): "first alone", lambda v, k: onset(v, k) / k: "mean",
        lambda v, k: onset(v, k) / LOG2: "bits", lambda v, k: 0.5 * torch.log(v[:k] / v[k - 1]).sum(): "one before",
        lambda v, k: 0.5 * torch.log(v[:k]).sum(): "", lambda v, k: v[:k].sum() / v[k]: "", lambda v, k: 0.0: "",
        **{lambda v, k, n=n: onset(v, k) + (k == n): "" for n in (1, 2, 3, 4)},
        lambda v, k: 0.5 * torch.log(v[:k] / v[k]): "shape", lambda v, k: 0.5 * (v[:k] / v[k]).sum().log(): "",
        lambda v, k: v[k + 9]: "raised IndexError",
    }),
    "4.3": ([
        gain, gain_numpy,
        lambda x, f: gain(x, f + 7), lambda x, f: gain(x, 3 * f), lambda x, f: gain(x, -f),
        lambda x, f: gain(x.double(), f.double()).item(),
        lambda x, f: [gain(x.float(), f.float())],
        lambda x, f: gain(*(torch.cat([v, v]) for v in (x, f))),
        lambda x, f: gain(x.sub_(0.0), f.sub_(f.mean())),
    ], {
        lambda x, f: gain(x, f) / 2: "half", lambda x, f: gain(x, f) * 2: "twice", lambda x, f: -gain(x, f): "sign",
        lambda x, f: gain(x, f) * f.var() / f.square().mean(): "centred", lambda x, f: gain(x, f) * f.std(): "root",
        lambda x, f: gain(x, f) / 6: "mean", lambda x, f: gain(x, f) * f.var(): "mean square",
        lambda x, f: 1 / gain(x, f): "upside",
        lambda x, f: (((x - x.mean(0)) * (f - f.mean())[:, None]).mean(0) ** 2 / x.var(0)).sum() / f.var(): "Bernoulli",
        lambda x, f: gain(x, x.mean(1)): "", lambda x, f: 0.0: "",
        lambda x, f: gain(x, f) * torch.ones(6): "shape (6,)",
        lambda x, f: 1 / 0: "raised ZeroDivisionError: division by zero (line",
    }),
    "5.2": ([
        picture, picture_by_hand,
        lambda z, c, s, p: picture(z, c, s, p)[None],
        lambda z, c, s, p: picture(z, c, s, p)[:, None],
        lambda z, c, s, p: (p * torch.softmax(-((z - c) ** 2) / (2 * s**2), 0)[:, None]).sum(0),
        lambda z, c, s, p: torch.softmax(-0.5 * ((z[None, None] - c) / s) ** 2, 1) @ p,
        lambda z, c, s, p: torch.softmax(torch.distributions.Normal(c, s).log_prob(z), 0) @ p,
        lambda z, c, s, p: picture(z, c, s, p).tolist(),
        lambda z, c, s, p: np.exp(-0.5 * ((z - c) / s) ** 2) @ p / np.exp(-0.5 * ((z - c) / s) ** 2).sum(),
    ], {
        lambda z, c, s, p: p[(z - c).abs().argmin()]: "likeliest", lambda z, c, s, p: p.mean(0): "not used",
        lambda z, c, s, p: picture(z, c, s.sqrt(), p): "σ²", lambda z, c, s, p: picture(z, c, s / 2**0.5, p): "½",
        lambda z, c, s, p: torch.exp(-0.5 * ((z - c) / s) ** 2) @ p: "add up",
        lambda z, c, s, p: picture(z, c, s, p) / 2: "half",
        lambda z, c, s, p: torch.softmax(0.5 * ((z - c) / s) ** 2, 0) @ p: "exponent is wrong",
        lambda z, c, s, p: picture(z, c, s**2, p): "σ²",
        lambda z, c, s, p: picture(z, c, s, p).sum(): "shape ()", lambda z, c, s, p: picture(0 * z, c, s, p): "",
        lambda z, c, s, p: 2 * picture(z, c, s, p): "twice", lambda z, c, s, p: picture(z, c, s.exp(), p): "log σ",
        lambda z, c, s, p: torch.softmax(-0.5 * ((z - c) / s) ** 2, 0): "shape (3,)",
    }),
    "6.2": ([
        mig, mig_sorted,
        lambda i, h: ((i.sort(1).values[:, -1] - i.sort(1).values[:, -2]) / h).mean(),
        lambda i, h: sum((sorted(row)[-1] - sorted(row)[-2]) / e for row, e in zip(i, h, strict=True)) / 3,
        lambda i, h: [mig(i, h)], lambda i, h: mig(i.float(), h.float()), lambda i, h: mig(i.flip(1), h),
        lambda i, h: mig(i / h[:, None], torch.ones_like(h)),
        lambda i, h: mig(i.div_(h[:, None]), 1.0).item(),
    ], {
        lambda i, h: (i.amax(1) / h).mean(): "second", lambda i, h: mig(i, torch.ones(3)): "entropy",
        lambda i, h: 3 * mig(i, h): "sum", lambda i, h: mig(i, torch.ones(3)) * 3 / h.sum(): "ratios",
        lambda i, h: ((i.amax(1) - i.mean(1)) / h).mean(): "average",
        lambda i, h: ((i.amax(1) - i.amin(1)) / h).mean(): "worst",
        lambda i, h: mig(i.T, h[0]): "", lambda i, h: -mig(i, h): "sign", lambda i, h: mig(i, h) / 2: "half",
        lambda i, h: 1.0: "",
        lambda i, h: (i.topk(2).values.diff(dim=1)[:, 0].abs() / h): "shape (3,)",
        lambda i, h: mig(i, h) * h.mean(): "",
    }),
    "6.3": ([
        push, push_numpy, push_by_gradient, push_by_difference, push_by_counting,
        lambda k, C, g: push(k.flip(0), C, g), lambda k, C, g: push(k.float(), C, g)[None],
        lambda k, C, g: push(k.sub_(C), 0.0, g), lambda k, C, g: tuple(push(k, C, g)),
    ], {
        lambda k, C, g: g * torch.stack([(k.mean() - C).abs(), (k - C).abs().mean()]): "how much does it grow",
        lambda k, C, g: push(k, C, g).flip(0): "first the number per batch", lambda k, C, g: push(k, C, 1.0): "γ is",
        lambda k, C, g: push(k, C, g) * torch.tensor([1, len(k)]): "not the sum",
        lambda k, C, g: push(k, C, g).abs(): "fall too", lambda k, C, g: -push(k, C, g): "sign",
        lambda k, C, g: push(k, C, g) / 2: "half", lambda k, C, g: push(k, C, g)[0]: "shape ()",
        lambda k, C, g: g * torch.sign(k - C): "shape", lambda k, C, g: push(k, C, g)[[0, 0]]: "only the mean",
        lambda k, C, g: push(k, C, g)[[1, 1]]: "", lambda k, C: 0.0: "must take 3 arguments: kl, C, gamma",
        lambda k, C, g: 2 * push(k, C, g): "twice",
    }),
    "11.2": ([
        saved, saved_numpy,
        lambda x, c: HB(x.mean(0)).sum() - sum(HB(x[c == k].mean(0)).sum() for k in c) / len(x),
        lambda x, c: HB(x.mean(0)).sum() - torch.stack([HB(x[c == k].mean(0)) for k in c]).mean(0).sum(),
        lambda x, c: [saved(x, c)], lambda x, c: saved(x, c.float()), lambda x, c: saved(x.double(), c).item(),
        lambda x, c: saved(x.flip(0), c.flip(0)), lambda x, c: saved(x, c.mul_(2).sub_(1)),
    ], {
        lambda x, c: HB(x.mean(0)).sum() - sum(HB(x[c == k].mean(0)).sum() / 3 for k in range(3)): "weigh",
        lambda x, c: HB(x.mean(0)).sum() - HB(x).sum() / 6: "not the picture", lambda x, c: -saved(x, c): "sign",
        lambda x, c: saved(x, c) / LOG2: "bits", lambda x, c: saved(x, c) * 6: "per picture",
        lambda x, c: saved(x, c) / 16: "mean",
        lambda x, c: HB(x.mean(0)).sum(): "", lambda x, c: HB(x.mean(0)).sum() - saved(x, c): "left",
        lambda x, c: HB(x.mean(0)) - HB(x[c == 0].mean(0)): "shape", lambda x, c: saved(x, c) / 2: "half",
        lambda x, c: 0.0: "",
        lambda x, c: None: "returned None: is its `return` missing?",
        lambda x: 0.0: "must take 2 arguments: images, classes",
    }),
    "11.3": ([
        enter, enter_tensors,
        lambda s1, v, top, t: np.maximum(float(s1), (float(v) - float(top) * np.cos(float(t))) / np.sin(float(t))),
        lambda s1, v, top, t: [enter(s1, v, top, t)],
        lambda s1, v, top, t: torch.stack([s1, (v - top * t.cos()) / t.sin()]).max(),
        lambda s1, v, top, t: s1 if s1 > (v - top * t.cos()) / t.sin() else (v - top * t.cos()) / t.sin(),
        lambda s1, v, top, t: float(enter(s1, v, top, t)),
        lambda s1, v, top, t: enter(s1.float(), v.float(), top.float(), t),
        lambda *ray: np.float32(enter(*ray)),
    ], {
        lambda s1, v, top, t: min(s1, (v - top * math.cos(t)) / math.sin(t)): "later",
        lambda s1, v, top, t: max(s1, (v - top * math.sin(t)) / math.cos(t)): "swapped",
        lambda s1, v, top, t: max(s1, (v - top) / math.sin(t)): "foreshortened", lambda s1, *top: s1: "",
        lambda s1, v, top, t: max(s1, (v + top * math.cos(t)) / math.sin(t)): "sign",
        lambda s1, v, top, t: (v - top * math.cos(t)) / math.sin(t): "",
        lambda s1, v, top, t: -enter(s1, v, top, t): "sign",
        lambda s1, v, top, t: enter(s1, v, top, math.radians(t)): "radians already", lambda s1, v, top, t: 0.0: "",
        lambda s1, v, top, t: max(s1, v - top * math.cos(t)): "",
        lambda s1, v, top, t: 2 * enter(s1, v, top, t): "twice",
        lambda s1, v, top, t: s1 + (v - top * math.cos(t)) / math.sin(t): "",
    }),
    "12.2": ([
        found_again, found_again_numpy,
        lambda a, b: torch.cat([a, b], 1).T.corrcoef()[: a.shape[1], a.shape[1] :].abs().amax(1),
        lambda a, b: found_again(-a, b), lambda a, b: found_again(a + 3, 2 * b), lambda a, b: [found_again(a, b)],
        lambda a, b: found_again(a.flip(0), b.flip(0)), lambda a, b: found_again(a, b.flip(1)),
        lambda a, b: found_again(a.double(), b.double()).tolist(),
    ], {
        lambda a, b: found_again(b, a): "not of the second", lambda a, b: found_again(a, b) ** 2: "square",
        lambda a, b: torch.cat([a, b], 1).T.corrcoef()[:3, 3:].amax(1): "sign turned",
        lambda a, b: torch.cat([a, b], 1).T.corrcoef()[:3, 3:].abs().mean(1): "not the mean",
        lambda a, b: ((a - a.mean(0)).T @ (b - b.mean(0)) / len(a)).abs().amax(1): "standard deviations",
        lambda a, b: torch.cat([a, b], 1).T.corrcoef()[:3, 3:].abs(): "shape", lambda a, b: -found_again(a, b): "sign",
        lambda a, b: torch.cat([a, b], 1).T.corrcoef()[:3, 3:].abs()[:, 0]: "not with the best",
        lambda a, b: found_again(a, b).max(): "shape", lambda a, b: torch.zeros(3): "", lambda a, b: torch.ones(3): "",
        lambda a, b: None: "missing?", lambda a: a: "must take 2 arguments: first, second",
    }),
    "13.2": ([
        correlated, lambda s: correlated(s).item(), lambda s: [correlated(s)], lambda s: correlated(s.float()),
        lambda s: correlated(4 * s), lambda s: correlated(s.flip(0).flip(1)), lambda s: correlated(s.T),
        lambda s: -0.5 * torch.logdet(s / s.diagonal().sqrt().outer(s.diagonal().sqrt())),
        lambda s: 0.5 * np.log(np.prod(np.diag(s.numpy())) / np.linalg.det(s.numpy())),
        lambda s: correlated(s.mul_(2)),
    ], {
        lambda s: 2 * correlated(s): "counts half", lambda s: -0.5 * torch.logdet(s): "variances matter",
        lambda s: correlated(torch.linalg.inv(s)): "precision", lambda s: -correlated(s): "sign",
        lambda s: correlated(s) / 2: "half", lambda s: correlated(s) / LOG2: "", lambda s: s: "shape",
        lambda s: torch.logdet(s): "", lambda s: 0.0: "", lambda s, t: 0.0: "must take 1 arguments: covariance",
    }),
    "13.3": ([
        cosine_turned, lambda j, a: cosine_turned(j, a).item(), lambda j, a: [cosine_turned(j, a)],
        lambda j, a: cosine_turned(j.float(), a), lambda j, a: cosine_turned(3 * j, a),
        lambda j, a: cosine_turned(j.flip(0), a), lambda j, a: cosine_turned(-j, a),
        lambda j, a: cosine_turned(j, a + 360), lambda j, a: -cosine_turned(j, a + 90),
        lambda j, a: cosine_turned(j.mul_(2), a),
    ], {
        lambda j, a: cosine_turned(j, math.degrees(a)): "degrees", lambda j, a: cosine_turned(j, -a): "inverse",
        lambda j, a: cosine_turned(j, 0): "turned first",
        lambda j, a: torch.prod(turned_columns(j, a), 1).sum(): "lengths of both",
        lambda j, a: torch.prod(turned_columns(j, a), 1).sum() / j.norm(dim=0).prod(): "turned columns",
        lambda j, a: -cosine_turned(j, a): "sign", lambda j, a: 2 * cosine_turned(j, a): "twice",
        lambda j, a: cosine_turned(j, a) / 2: "half", lambda j, a: 0.0: "", lambda j, a: j: "shape",
        lambda j: 0.0: "must take 2 arguments: directions, degrees",
    }),
    "9.1": ([
        wide, wide_numpy, wide_by_sums,
        lambda p: wide(p).item(), lambda p: [wide(p)], lambda p: wide(p.float()), lambda p: wide(p.flip(0)),
        lambda p: -wide(p.T), lambda p: wide(p.mul_(0.9)),
    ], {
        lambda p: -wide(p): "wider than tall", lambda p: wide(p) / 2: "half", lambda p: 2 * wide(p): "twice",
        lambda p: (lambda d, r: (r.var() - d.var()) / r.var())(*p.nonzero().double().T): "",
        lambda p: (lambda d, r: (r.std() - d.std()) / (r.std() + d.std()))(*p.nonzero().double().T): "deviations",
        lambda p: (lambda d, r: ((r**2).mean() - (d**2).mean()) / ((r**2).mean() + (d**2).mean()))(
            *p.nonzero().double().T): "subtract the mean",
        lambda p: (lambda d, r: r.var(correction=0) - d.var(correction=0))(*p.nonzero().double().T): "by the sum",
        lambda p: (lambda d, r: r.var() / d.var())(*p.nonzero().double().T): "not the ratio",
        lambda p: (p.shape[1] - p.shape[0]) / sum(p.shape): "", lambda p: 0.0: "", lambda p: p.sum(0): "shape",
        lambda p, q: 0.0: "must take 1 arguments: picture",
    }),
}  # fmt: skip


# Chapters 7 and 10


def misfit(covariance):
    precision = torch.linalg.inv(covariance)
    return 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))


def misfit_by_search(covariance):
    """The KL from a diagonal Gaussian, made least by an optimiser."""
    precision = np.linalg.inv(np.asarray(covariance, dtype=float))

    def kl(log_variances):
        return 0.5 * ((precision.diagonal() * np.exp(log_variances)).sum() - len(precision) - log_variances.sum())

    return minimize(kl, np.zeros(len(precision)), tol=1e-10).fun - 0.5 * np.linalg.slogdet(precision)[1]


def misfit_by_variances(covariance):
    c = covariance
    return 0.5 * ((c.inverse().diagonal() * c.diagonal()).sum() - len(c) - c.diagonal().log().sum() + c.logdet())


def direction(positions, means):
    design = torch.cat([positions, torch.ones(len(positions), 1, dtype=positions.dtype)], 1)
    a, b = torch.linalg.lstsq(design, means[:, None]).solution[:2, 0]
    return 90 - torch.remainder(90 - torch.rad2deg(torch.atan2(b, a)), 180)


def direction_numpy(positions, means):
    centred = np.asarray(positions) - np.asarray(positions).mean(0)
    a, b = np.linalg.solve(centred.T @ centred, centred.T @ np.asarray(means))
    degrees = np.degrees(np.arctan2(b, a))
    return degrees - 180 if degrees > 90 else degrees + 180 if degrees <= -90 else degrees


def direction_by_correlations(positions, means):
    x, y = (torch.corrcoef(torch.stack([positions[:, i], means]))[0, 1] for i in range(2))
    return 90 - torch.remainder(90 - torch.rad2deg(torch.atan2(y, x)), 180)


def loss_of_decoder(gains, variances, level, t):
    turn = np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
    W = np.diag(gains) @ turn
    of_x, precision = W @ W.T + level * np.eye(2), np.eye(2) + W.T @ W / level
    surprise = 0.5 * (np.linalg.slogdet(of_x)[1] + np.trace(np.linalg.solve(of_x, np.diag(variances))))
    return surprise + 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])


def least_price(variances, level, degrees):
    variances, level, t = np.array(variances, dtype=float), float(level), math.radians(degrees)
    start = np.sqrt(variances - level)
    best = min(minimize(loss_of_decoder, g, (variances, level, t)).fun for g in (start, start[::-1], start * 0.7))
    return best - loss_of_decoder(start, variances, level, 0.0)


def least_price_by_grid(variances, level, degrees):
    a, (c, s) = np.array(variances, float) / float(level), (f(math.radians(degrees)) ** 2 for f in (math.cos, math.sin))
    p, q = np.meshgrid(np.linspace(1, 20, 1500), np.linspace(1, 20, 1500))
    all_of_them = 0.5 * (a[0] / p + a[1] / q + np.log((p * c + q * s) * (p * s + q * c)))
    return all_of_them.min() - 1 - 0.5 * np.log(a).sum()


def price_of_old_gains(variances, level, degrees):
    a, b = variances / level
    return 0.5 * torch.log(1 + (a - b) ** 2 * torch.sin(2 * torch.deg2rad(degrees)) ** 2 / (4 * a * b))


def equal_steps(g):
    u, _, vt = torch.linalg.svd(g, full_matrices=False)
    return u @ vt


def equal_steps_by_root(g):
    if g.shape[0] > g.shape[1]:
        return equal_steps_by_root(g.T).T
    values, vectors = torch.linalg.eigh(g @ g.T)
    return vectors @ torch.diag(values.rsqrt()) @ vectors.T @ g


def opening(features, old, guess):
    covariance = features.T.cov()
    w = guess - torch.linalg.solve(old @ covariance @ old.T, old @ covariance @ guess) @ old
    return 2 * w / (w @ covariance @ w).sqrt()


def opening_by_regression(features, old, guess):
    """The share of the old means in the new one, by least squares."""
    means = features @ old.T
    centred = means - means.mean(0)
    new = features @ guess
    w = guess - torch.linalg.lstsq(centred, (new - new.mean())[:, None]).solution[:, 0] @ old
    return 2 * w / (features @ w).std()


def opening_numpy(features, old, guess):
    features, old, guess = (np.asarray(v, dtype=float) for v in (features, old, guess))
    S = np.cov(features.T)
    w = guess - np.linalg.solve(old @ S @ old.T, old @ S @ guess) @ old
    return 2 * w / np.std(features @ w)


FUNCTIONS |= {
    "7.2": ([
        misfit, misfit_by_search,
        lambda c: 0.5 * torch.log(torch.prod(c.inverse().diagonal()) * torch.linalg.det(c)),
        lambda c: 0.5 * (c.inverse().diagonal().log().sum() + c.logdet()),
        lambda c: [misfit(c)], lambda c: misfit(c.float()), lambda c: misfit(c).item(), lambda c: misfit(4 * c),
        lambda c: misfit(c.flip(0, 1)), lambda c: misfit(c.mul_(2)),
    ], {
        lambda c: misfit(c.inverse()): "invert", misfit_by_variances: "as large as",
        lambda c: 0.5 * c.inverse().diagonal().log().sum(): "determinant is missing",
        lambda c: 0.5 * (c.inverse().diagonal().log().sum() - c.logdet()): "one over that",
        lambda c: 2 * misfit(c): "twice", lambda c: misfit(c) / 2: "half", lambda c: -misfit(c): "sign",
        lambda c: misfit(c) / LOG2: "bits", lambda c: 0.0: "", lambda c: c.inverse().diagonal(): "shape",
        lambda c: misfit(c).exp(): "", lambda c: misfit(c + torch.eye(len(c))): "", lambda c: c.logdet(): "",
    }),
    "7.3": ([
        direction, direction_numpy,
        lambda p, m: direction(p * 2, m), lambda p, m: direction(p + 3, m * 5 - 1), lambda p, m: direction(p, -m),
        lambda p, m: [direction(p, m)],
        lambda p, m: math.degrees(math.atan(math.tan(math.radians(direction(p, m))))),
        lambda p, m: direction(p.double(), m.double()).item(), lambda p, m: np.array([direction(p, m)]),
        lambda p, m: direction(p.mul_(1.0), m.mul_(2.0)),
    ], {
        lambda p, m: direction(p, m) % 180: "fold", direction_by_correlations: "correlated",
        lambda p, m: direction(p.flip(1), m): "swapped", lambda p, m: torch.deg2rad(direction(p, m)): "radians",
        lambda p, m: -direction(p, m): "sign", lambda p, m: 0.0: "", lambda p, m: 90 - direction(p, m): "swapped",
        lambda p, m: direction(p, m) + 180: "fold", lambda p, m: direction(p, m) / 2: "",
        lambda p, m: torch.ones(2): "shape (2,)", lambda p, m: direction(p, m) + 90: "",
        lambda p, m: direction(p, m) - 180: "fold",
    }),
    "7.4": ([
        least_price, least_price_by_grid,
        lambda v, level, t: torch.tensor(least_price(v, level, t)),
        lambda v, level, t: [least_price(v, level, t)],
        lambda v, level, t: least_price(v, level, -t),
        lambda v, level, t: least_price(v, level, 90 - t),
        lambda v, level, t: least_price(v.flip(0), level, t),
        lambda v, level, t: np.array([least_price(v, level, t)]),
        lambda v, level, t: round(least_price(v, level, t), 4),
        lambda v, level, t: least_price(v * 3, level * 3, t),
    ], {
        price_of_old_gains: "readjust", lambda v, level, t: 2 * least_price(v, level, t): "twice",
        lambda v, level, t: 0.0: "", lambda v, level, t: least_price(v, level, torch.rad2deg(t)): "degrees",
        lambda v, level, t: -least_price(v, level, t): "sign",
        lambda v, level, t: least_price(v, level, t) / LOG2: "bits",
        lambda v, level, t: price_of_old_gains(v, level, torch.rad2deg(t)): "degrees",
        lambda v, level, t: least_price(v.sqrt(), 0.1, t): "",
        lambda v, level, t: least_price(v, level, t) / 2: "half",
        lambda v, level, t: least_price(v, level, 45.0): "",
        lambda v, level, t: least_price(v, level, t) + 1 + 0.5 * (v / level).log().sum(): "angle 0",
        lambda v, level, t: least_price(v, level, t) * level: "",
    }),
    "10.2": ([
        equal_steps, equal_steps_by_root,
        lambda g: equal_steps(g).tolist(), lambda g: equal_steps(3 * g), lambda g: equal_steps(g).numpy(),
        lambda g: equal_steps(g.T).T, lambda g: equal_steps(g.float()), lambda g: equal_steps(g.mul_(2)),
        lambda g: (lambda u, s, vt: u[:, : len(s)] @ vt[: len(s)])(*torch.linalg.svd(g)),
        lambda g: (lambda u, s, v: u @ v.T)(*torch.svd(g)),
    ], {
        lambda g: g / g.norm(): "shorter", torch.sign: "entries", lambda g: -equal_steps(g): "sign",
        lambda g: g: "itself", lambda g: g / torch.linalg.matrix_norm(g, 2): "shorter",
        lambda g: equal_steps(g).T: "shape", lambda g: 2 * equal_steps(g): "twice",
        lambda g: torch.linalg.svd(g, full_matrices=False)[0]: "", lambda g: g / g.norm(dim=1, keepdim=True): "",
        lambda g: equal_steps(g) / 2: "half", lambda g: torch.linalg.svdvals(g): "shape",
        lambda g: torch.zeros_like(g): "", lambda g: torch.linalg.svd(g)[0] @ torch.linalg.svd(g)[2]: "raised",
    }),
    "10.3": ([
        opening, opening_by_regression, opening_numpy,
        lambda f, o, g: opening(f + 5, o, g), lambda f, o, g: opening(f, 3 * o, g),
        lambda f, o, g: opening(f, o.flip(0), g), lambda f, o, g: opening(f, o, 2 * g),
        lambda f, o, g: opening(f, o, g).tolist(), lambda f, o, g: opening(f, o, g)[None],
        lambda f, o, g: opening(f.sub_(f.mean(0)), o, g), lambda f, o, g: opening(f, o, g + o[0]),
    ], {
        lambda f, o, g: 2 * g / (f @ g).std(): "still there",
        lambda f, o, g: opening(f, o, g) / 2: "not 1", lambda f, o, g: opening(f, o, g) / 2**0.5: "not the variance",
        lambda f, o, g: opening(torch.randn_like(f), o, g): "", lambda f, o, g: -opening(f, o, g): "sign",
        lambda f, o, g: 2 * opening(f, o, g): "twice", lambda f, o, g: f @ opening(f, o, g): "shape",
        lambda f, o, g: opening(torch.eye(6).to(f) * 3 - 1, o, g): "", lambda f, o, g: opening(f, o[:1], g): "",
        lambda f, o, g: g: "", lambda f, o, g: opening(f, o, torch.ones_like(g)): "",
        lambda f, o, g: torch.zeros_like(g): "", lambda f, o, g: None: "returned None",
    }),
}  # fmt: skip


def wrapped(function: Callable) -> list[Callable]:
    """The same function, returning its numbers in other forms."""
    if function is quieter:
        return []
    return [
        lambda *a: torch.as_tensor(function(*a)).requires_grad_(),
        lambda *a: torch.as_tensor(function(*a)).tolist(),
    ]


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_function_is_right_in_every_form(exercise):
    functions = [*FUNCTIONS[exercise][0], *wrapped(FUNCTIONS[exercise][0][0])]
    assert len(functions) >= 10
    for number, function in enumerate(functions):
        assert check(exercise, function).text == f"Exercise {exercise}: right.", number


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_wrong_function_is_refused_and_its_slip_named(exercise):
    wrong = FUNCTIONS[exercise][1]
    assert len(wrong) >= 10
    for number, (function, said) in enumerate(wrong.items()):
        verdict = check(exercise, function)
        assert not verdict and said in verdict.text, (number, verdict)


@pytest.mark.parametrize("exercise", FUNCTIONS)
def test_a_function_in_place_of_its_value_is_asked_for(exercise):
    assert "a function of " in check(exercise, 3.0).text and "not called" in check(exercise, 3.0).text


# Answers that are judged by what they bring about: any that does will pass

SPIRAL, SNAKE, BEST = [0, 1, 2, 5, 8, 7, 6, 3, 4], [0, 1, 2, 5, 4, 3, 6, 7, 8], [0, 1, 2, 5, 4, 8, 7, 6, 3]
CROWDED = [0.0, *np.linspace(0.94, 1, 7)]
SPLIT = torch.tensor([1.3, 1.4, 2.6, 2.9, 2.9])


def mirrored(order: list[int]) -> list[int]:
    return [3 * (i // 3) + 2 - i % 3 for i in order]


def turned(order: list[int]) -> list[int]:
    return [3 * (i % 3) + i // 3 for i in order]


JUDGED: dict[str, tuple[list[Any], list[tuple[Any, str]]]] = {
    "3.3": (
        [BEST, BEST[::-1], mirrored(BEST), turned(BEST), turned(mirrored(BEST)),
        np.array(BEST), torch.tensor(BEST), tuple(BEST),
         torch.tensor(BEST).float(), [BEST], mirrored(turned(BEST))[::-1]],
        [(range(9), "cheaper"), (SNAKE, "cheaper"), (SPIRAL, "cheaper"), (BEST[:8], "shape (8,)"),
        ([0, *BEST[1:8], 0], "once"),
         ([i + 1 for i in BEST], "once"), ([5, 2, 1, 0, 3, 4, 6, 7, 8], "cheaper"), (turned(SNAKE), "cheaper"),
         ([0, 1, 2, 4, 5, 8, 7, 6, 3], "0.2% cheaper"),
         ("spiral", "asked for"),
         ([0.5 + i for i in BEST], "once"), (3, "shape ()"), ([math.nan] * 9, "once"), (lambda: BEST, "a function")],
    ),
    "5.3": (
        [CROWDED, np.array(CROWDED), torch.tensor(CROWDED),
        [0, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1], tuple(CROWDED), [CROWDED],
         1 - np.linspace(0, 1, 40) ** 8, np.r_[0, np.linspace(0.99, 1, 100)], sorted(CROWDED, reverse=True),
         torch.tensor(CROWDED).float(), np.r_[0, 0.5, np.linspace(0.97, 1, 30)], np.r_[0, np.linspace(0.97, 1, 199)]],
        [(np.linspace(0, 1, 8), "raise m²/v"), (np.linspace(0, 1, 100), "raise m²/v"),
        (np.linspace(0.5, 1, 8), "smallest"),
         (1 - np.array(CROWDED), "raise m²/v"), ([0, 1, 1, 1, 1, 1, 1, 1], "different"), ([0, 0.9, 1], "got 3"),
         (0.5 * np.array(CROWDED), "largest 1"), (1.01 * np.array(CROWDED), "largest 1"),
         (np.array(CROWDED) - 0.01 * (np.array(CROWDED) == 0), "smallest"), ([*CROWDED[:6], 1], "got 7"),
         ([*CROWDED[:6], 1, 1], "7 different"), (np.r_[0, np.linspace(0.97, 1, 200)], "got 201"),
         (np.linspace(0, 1, 500), "got 500"), (np.linspace(-1, 1, 9), "smallest"), (0.5, "got 1"),
         (np.sqrt(np.linspace(0, 1, 8)), "raise"),
         ("scale", "asked for"), ([math.nan] * 9, "smallest"), ([], "got 0")],
    ),
    "9.2": (
        [SPLIT, SPLIT.tolist(), SPLIT.numpy(), SPLIT.double(), SPLIT[None], tuple(SPLIT.tolist()),
        [1.1, 1.9, 2.7, 2.7, 2.7],
         [1.27, 1.45, 2.58, 2.9, 2.9], SPLIT.clone().requires_grad_(), [1.3, 1.5, 2.5, 2.9, 2.9]],
        [([2.22] * 5, "go on"), ([2.0, 2.3, 0, 3.4, 3.4], "angle"), (SPLIT * 1.2, "add up"), (SPLIT[:4], "shape"),
        (11.1, "shape"),
         ([14.1, 0, 0, -1.5, -1.5], "negative"), ([0, 0, 0, 5.55, 5.55], "angle"), ([2.7, 2.7, 2.7, 1.5, 1.5], "go on"),
         ([1, 1, 1, 1, 1], "add up"), (SPLIT * 1.005, "11.16"), (SPLIT * 0.99, "10.99"),
         ([1.67, 1.73, 2.44, 2.63, 2.63], "D = 76"),
         ([math.nan] * 5, "negative"), (len, "a function"), ([11.1, 0, 0, 0, 0], "angle")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("exercise", JUDGED)
def test_an_answer_that_does_it_is_right(exercise):
    right = JUDGED[exercise][0]
    assert len(right) >= 10
    for answer in right:
        assert check(exercise, answer).text == f"Exercise {exercise}: right.", answer


@pytest.mark.parametrize("exercise", JUDGED)
def test_an_answer_that_does_not_is_refused(exercise):
    wrong = JUDGED[exercise][1]
    assert len(wrong) >= 10
    for answer, said in wrong:
        verdict = check(exercise, answer)
        assert not verdict and said in verdict.text, (answer, verdict)


@pytest.mark.parametrize("more, right", [(0.01, True), (0.035, False), (0.15, False)])
def test_a_baseline_may_leave_two_per_cent_of_variance_more_than_the_best(more, right):
    def answer(h, noise, std):
        best = (h * noise**2).mean() / (noise**2).mean()
        least = ((h - best) * noise).var()
        return quieter(h, noise, std, baseline=lambda h: best - (more * least / (noise**2).mean()).sqrt())

    verdict = check("1.3", answer)
    assert bool(verdict) == right and (right or "less variance" in verdict.text), verdict


def test_every_exercise_is_in_one_table():
    assert sorted([*VALUES, *FUNCTIONS, *JUDGED]) == sorted(checks._CHECKS)


# The frame


def test_an_exercise_not_tried_yet_is_neither_right_nor_an_error():
    verdict = check("4.1", None)
    assert not verdict and repr(verdict) == "Exercise 4.1: not tried yet."


def test_unknown_exercise():
    with pytest.raises(ValueError, match="no exercise"):
        check("9.9", 1)


def test_the_learners_own_line_is_shown_wherever_the_error_was_raised():
    def wrong_shapes(x, f):
        return x @ f[:2]  # raised inside of PyTorch

    said = check("4.3", wrong_shapes).text
    assert "RuntimeError" in said and "return x @ f[:2]" in said

    def inside_of_a_library(x, f):
        return np.linalg.inv(np.zeros((2, 2)))

    assert "LinAlgError" in (said := check("4.3", inside_of_a_library).text) and "return np.linalg.inv(" in said


def test_random_numbers_of_the_checks_are_the_same_each_time():
    expected = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for _ in range(2):
        assert torch.equal(checks.base.randn(2, 3), expected)


def test_every_named_slip_is_recognised_as_itself():
    for exercise, asks in checks._CHECKS.items():
        for problem, wrong in getattr(asks, "slips", {}).items():
            answer = wrong() if callable(wrong) and not asks.cases else wrong
            assert problem in check(exercise, answer).text


@pytest.mark.parametrize(
    ("unit", "wrong", "said"),
    [("nats", 3 / LOG2, "these are bits"), ("nats", 3 * LOG2, "nats were taken for bits"),
     ("bits", 3 * LOG2, "these are nats"), ("probability", 300, "not per cent"),
     ("", 6, "twice too much"), ("", 1.5, "half of what"), ("", -3, "the sign"), ("", 1 / 3, "upside down")],
)  # fmt: skip
def test_the_slips_of_every_unit_are_recognised(unit, wrong, said):
    with pytest.raises(checks.base.NotYet, match=said):
        checks.base.Asks(3.0, unit=unit, hint="think")(wrong)


def test_the_fee_of_5_3_is_weighed_against_what_the_channel_tells():
    """At 3 nats with the mean sent, at the best scale; the mutual information by an integral over the output."""
    for rare, passes in ((0.3, False), (0.5, False), (0.53, True), (0.9, True)):
        f = np.r_[0, np.linspace(rare, 1, 40)]
        mean, variance = f.mean(), f.var()
        snr = (math.exp(6) - 1) / (1 + mean**2 / variance)
        z = np.linspace(-40, 40, 80_001)
        density = np.exp(-0.5 * (z[:, None] - (f - mean) * math.sqrt(snr / variance)) ** 2).mean(1) / SQRT_2PI
        told = -np.trapezoid(np.where(density > 0, density * np.log(np.maximum(density, 1e-300)), 0), z)
        told -= 0.5 * math.log(2 * math.pi * math.e)
        fee = 3 - 0.5 * math.log1p(snr)
        assert (fee > told) == passes, (rare, fee, told)
        assert bool(check("5.3", f)) == passes, (rare, fee, told)


# Oracles of the checks


@pytest.mark.slow
def test_nine_blobs_have_no_cheaper_order():
    places = torch.tensor([[26.0 + 6 * (i % 3), 26.0 + 6 * (i // 3)] for i in range(9)])
    images = Blobs(7).render(places).flatten(1).double()
    distances = torch.cdist(images, images).square()
    line = confusions(torch.arange(9.0).double() - 4, torch.ones(9).double())
    orders = torch.tensor(list(itertools.permutations(range(9))))
    costs = torch.cat([(line * distances[o[:, :, None], o[:, None, :]]).sum((1, 2)) for o in orders.split(20_000)])
    assert orders[costs < costs.min() * (1 + 1e-9)].tolist().count(BEST) == 1
    next_best = costs[costs > costs.min() * (1 + 1e-9)].min()
    assert next_best > costs.min() * (1 + 1e-3)  # the check's tolerance is a tenth of this


def test_the_price_of_a_turned_code_is_what_an_optimiser_finds():
    for variances, level, degrees in (([8.0, 1.0], 0.5, 45.0), ([8.0, 4.0], 0.5, 15.0), ([3.0, 1.0], 0.2, 30.0)):
        theirs = checks.axes._price(torch.tensor(variances), level, degrees).item()
        assert theirs == pytest.approx(least_price(variances, level, degrees), rel=1e-4)
    assert checks.axes._price(torch.tensor([4.0, 4.0]), 0.5, 30.0).item() == pytest.approx(0, abs=1e-9)


def test_what_the_opening_of_the_checks_promises():
    for features, old, guess in checks._CHECKS["10.3"].cases:
        means = features @ torch.cat([old, checks.growing._opening(features, old, guess)[None]]).T
        assert means[:, -1].std().item() == pytest.approx(2)
        assert torch.corrcoef(means.T)[-1, :-1].abs().max() < 1e-9
