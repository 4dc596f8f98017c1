"""Checks of chapter 2, the channel."""

import math

from torch import Tensor

from minivae.course.checks.base import Asks, cases


def _kl(mean: Tensor, std: Tensor) -> Tensor:
    return 0.5 * (mean**2 + std**2 - 1) - std.log()


def _mean_fee(snr: float, mean: float, variance: float) -> float:
    return 0.5 * math.log((1 + snr * (1 + mean**2 / variance)) / (1 + snr))


CHECKS = {
    "2.1": Asks(_kl, cases(([0.0, 1.5, -2.0, 0.3], [1.0, 0.2, 1.0, 3.0])), unit="nats",
        hint="section 1 has it in μ and σ; it is 0 at μ = 0, σ = 1 and nowhere else", slips={
            "the logarithm has the wrong sign": lambda m, s: _kl(m, s) + 2 * s.log(),
            "the −1 is missing: it is 0 at μ = 0, σ = 1": lambda m, s: _kl(m, s) + 0.5,
            "the logarithm has no ½ of its own": lambda m, s: _kl(m, s) + 0.5 * s.log(),
            "the logarithm is doubled": lambda m, s: _kl(m, s) - s.log()}),
    "2.2": Asks(lambda variances, k: 0.5 * (variances[:k] / variances[k]).log().sum(),
        cases(*(([9.0, 5.0, 5.0, 2.0, 0.7], k) for k in (2, 4, 3, 1))), unit="nats",
        hint="when the water level has come down to component k, what do the earlier ones carry (section 6)?", slips={
            "every earlier component carries something, not the first alone": lambda v, k: 0.5 * (v[0] / v[k]).log(),
            "compare with component k, not with the one before": lambda v, k: 0.5 * (v[:k] / v[k - 1]).log().sum()}),
    "2.3": Asks(_mean_fee(2, 0.75, 1 / 48), unit="nats",
        hint="section 3's formula, less the same with m = 0: which m and v has the interval?", slips={
            "the interval is half as long as [0, 1]: its variance is smaller": _mean_fee(2, 0.75, 1 / 12),
            "that is the whole KL, not what the mean adds": 0.5 * math.log(1 + 2 * 28),
            "the mean is that of [0.5, 1]": _mean_fee(2, 0.5, 1 / 48),
            "that is the fee of a high rate; at SNR 2 it is not reached": 0.5 * math.log(28),
            "the standard deviation stands where the variance should": _mean_fee(2, 0.75, 1 / math.sqrt(48))}),
}  # fmt: skip
