"""Muon: steps of one length in every direction of a weight matrix. Taught in chapter 10."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from minivae._arguments import check_positive


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal: strong and faint directions of a weight matrix move by the same length.

    Adam evens out the steps of single weights. A factor that is faint in the pictures is a direction in all of them,
    and under Adam it is learnt only after the strong factors. Here the mean gradient G = U S Vᵀ of a layer is replaced
    by U Vᵀ, in which no direction is fainter than another. A convolution is the matrix of its output channels
    (transposed: input channels) by all the rest; a bias is a matrix of one column, whose U Vᵀ is G/|G|.

    The root mean square of the change of a full-rank layer's weights in a step is 0.2·lr, which makes lr > 0 comparable
    to Adam's; the momentum of the mean gradient is in [0, 1); else ValueError. Matrix products are in dtype, for which
    bfloat16 is enough where the hardware has it.
    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the scale of Liu et al. 2025,
    "Muon is scalable for LLM training". PyTorch's own, `torch.optim.Muon`, takes no convolutions and no biases.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, dtype: torch.dtype = torch.float32
    ) -> None:
        check_positive("lr", lr)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {momentum!r}")
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "dtype": dtype})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move every parameter that has a gradient; there is no closure."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                mean = self.state[p]["momentum"]
                mean.lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(mean, group["momentum"])  # Nesterov's look one step ahead
                change = orthogonal(ahead.reshape(len(p), -1), group["dtype"])
                p.add_(change.view(p.shape), alpha=-0.2 * group["lr"] * math.sqrt(max(change.shape)))


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """U Vᵀ of a matrix U S Vᵀ (m, n), approximately, with matrix products in dtype; the same shape and dtype.

    Singular values of more than 0.2 % of the matrix's norm become numbers between 0.68 and 1.15, smaller ones grow by a
    factor of up to 500. A matrix of one column is divided by its length.
    Source: Jordan et al. 2024: five steps of a Newton–Schulz iteration with a polynomial that is steep at 0.
    """
    x = matrix / matrix.norm().clamp_min(1e-30)
    if matrix.shape[1] == 1:
        return x
    wide = len(x) <= x.shape[1]
    x = (x if wide else x.T).to(dtype)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype).contiguous()
