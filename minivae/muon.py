"""Muon: steps of one length in every direction of a weight matrix. Taught in chapter 6."""

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minivae._arguments import check_positive


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal: strong and faint directions of a weight matrix move by the same length.

    Adam evens out the steps of single weights. A factor that is faint in the pictures is a direction in all of them,
    and under Adam it is learnt only after the strong factors. Here the mean gradient G = U S Vᵀ of a layer is replaced
    by U Vᵀ, in which no direction is fainter than another. A convolution is the matrix of its output channels
    (transposed: input channels) by all the rest; a bias is a matrix of one column, whose U Vᵀ is G/|G|.

    Args:
        parameters: of the model.
        lr: root mean square of the change of a full-rank layer's weights in a step, in units of 0.2, > 0; on this scale
            it is comparable to Adam's.
        momentum: of the mean gradient, in [0, 1).
        dtype: of the matrix products; bfloat16 is enough where the hardware has it.

    Raises ValueError if lr is not positive or momentum is out of range. Source: Jordan et al. 2024, "Muon: an optimizer
    for hidden layers in neural networks"; the scale of Liu et al. 2025, "Muon is scalable for LLM training". PyTorch's
    own, `torch.optim.Muon`, takes no convolutions and no biases.
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
            moved = [p for p in group["params"] if p.grad is not None]
            for p in moved:
                if p not in self.state:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            weights, means = [_matrix(p, p) for p in moved], [_matrix(self.state[p]["momentum"], p) for p in moved]
            gradients = [_matrix(p.grad, p) for p in moved]
            torch._foreach_lerp_(means, gradients, 1 - group["momentum"])
            ahead = torch._foreach_lerp(gradients, means, group["momentum"])  # Nesterov's look one step ahead
            changes = _together(ahead, group["dtype"])
            torch._foreach_mul_(changes, [-0.2 * math.sqrt(max(matrix.shape)) for matrix in changes])
            torch._foreach_mul_(changes, group["lr"])
            torch._foreach_add_(weights, changes)


def _matrix(values: Tensor, p: Tensor) -> Tensor:
    """A parameter's values (or others of its shape) as a matrix, whose columns lie as in its memory: no copy."""
    return (values if p.is_contiguous() else values.movedim(1, -1)).reshape(len(p) if p.dim() > 1 else 1, -1)


def _together(matrices: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """`orthogonal` of each matrix. Those of one shape are taken at once, and all small ones, padded with zeros."""
    changes, alike = list(matrices), defaultdict(list)
    for i, matrix in enumerate(matrices):
        alike["small" if 1 < min(matrix.shape) <= 32 else tuple(sorted(matrix.shape))].append(i)
    for members in alike.values():
        wide = [matrices[i] if len(matrices[i]) <= matrices[i].shape[1] else matrices[i].T for i in members]
        most = max(map(len, wide)), max(w.shape[1] for w in wide)
        padded = [w if w.shape == most else F.pad(w, (0, most[1] - w.shape[1], 0, most[0] - len(w))) for w in wide]
        for i, w, change in zip(members, wide, orthogonal(torch.stack(padded), dtype), strict=True):
            change = change[: len(w), : w.shape[1]]
            changes[i] = (change if w.shape == matrices[i].shape else change.T).contiguous()
    return changes


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """U Vᵀ of matrices U S Vᵀ (…, m, n), approximately, with matrix products in dtype; the same shape and dtype.

    Singular values of more than 0.2 % of the matrix's norm become numbers between 0.68 and 1.15, smaller ones grow by a
    factor of up to 500. A matrix of one column or row is divided by its length.
    Source: Jordan et al. 2024: five steps of a Newton–Schulz iteration with a polynomial that is steep at 0.
    """
    unit = matrix / matrix.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    if min(unit.shape[-2:]) == 1:
        return unit
    x = unit.reshape(-1, *unit.shape[-2:]).to(dtype)
    for _ in range(5):  # x ← 3.4445 x − 4.7750 x xᵀ x + 2.0315 x xᵀ x xᵀ x
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.view(matrix.shape).to(matrix.dtype)
