"""Checks of chapter 1, the ELBO."""

import math
from typing import Any

import torch

from minivae.course.checks.base import Asks, NotYet, call, numbers, randn


def _quieter(answer: Any) -> None:
    """The best constant baseline: judged by what is left of the variance, so that any better way passes too."""
    std, noise = 0.6, torch.randn(50_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = 3 * noise - 4 * noise**2 - 500  # E[h ε]/σ is 3/σ exactly, and the mean of h is not the best baseline
    result = call(answer, "h, noise, std", h, noise, std)
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise NotYet("two things are to be returned: the gradients (n,), and how many times smaller their variance is")
    got, times = numbers(result[0], noise.shape), numbers(result[1])
    plain, by_mean, least = (
        ((h - b) * noise / std).var() for b in (0, h.mean(), (h * noise**2).mean() / noise.square().mean())
    )
    if (got.mean() - 3 / std).abs() > 5 * got.std() / math.sqrt(len(got)) + 1e-3:
        raise NotYet("the gradients' mean has changed: subtract a number from h, before the noise multiplies it")
    if got.var() > 0.9 * plain:
        raise NotYet("the variance is that without a baseline")
    if (got.var() / by_mean - 1).abs() < 0.01:
        raise NotYet("the mean of h is a good baseline, not the best: write the variance as a parabola in b")
    if got.var() > 1.02 * least:
        raise NotYet("less variance is possible: for which b is the mean of ((h − b)·ε)² least?")
    saved = plain / got.var()
    hint = "the gradients are right; the number is their variance without a baseline over that with it"
    Asks(saved, within=0.03, hint=hint, slips={"variances are asked for, not their roots": saved.sqrt()})(times)


CHECKS = {
    "1.1": Asks(lambda mean, log_std, noise: mean + log_std.exp() * noise, (tuple(randn(3, 5, 2)),),
        hint="section 2 moves the randomness out of the way: shift and scale the noise", slips={
            "log_std is log σ: exponentiate it": lambda m, s, e: m + s * e,
            "log_std is log σ, not log σ²: no ½": lambda m, s, e: m + (0.5 * s).exp() * e,
            "σ multiplies the noise, not σ²": lambda m, s, e: m + (2 * s).exp() * e,
            "σ multiplies the noise": lambda m, s, e: m + s.exp() + e,
            "the noise is to be added": lambda m, s, e: m - s.exp() * e}),
    "1.2": Asks(0.5 * (math.log(2) - 0.42), unit="nats",
        hint="the gap is a KL from q to the true posterior (section 1): which mean and variance has that at x = 2?",
        slips={
            "this is the KL of the posterior from q; the average must be over q": 0.5 * (2.16 - 1 - math.log(2)),
            "variances were squared once too often": 0.5 * (0.25 + 0.04 / 0.25 - 1 + math.log(4)),
            "this is the logarithm alone": 0.5 * math.log(2),
            "the ½ applies to the logarithm too": 0.5 * (0.54 - 1) + math.log(2),
            "this is the KL to the prior, not to the posterior": 0.5 * (0.25 + 1.44 - 1 + math.log(4))}),
    "1.3": _quieter,
}  # fmt: skip
