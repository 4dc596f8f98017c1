"""Which latent holds which factor. Taught in chapters 6 and 11."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from minivae.datasets import Sprites
from minivae.metrics.scores import Array, numbers, relabelled


def explained(codes: Array, target: Array, groups: Array | None = None, bins: int = 20) -> Tensor:
    """R² (latents,): the share of a target's variance that each latent explains, by its mean in bins of the latent.

    Codes are posterior means (n, latents), the target (n, k) a number, a unit vector for an angle, or one column a
    class; bins hold equal numbers of points. R² is taken within each of the groups, if given, whole numbers (n,), and
    averaged. By chance it is some bins/n. ValueError if shapes do not fit or values are not finite. Source: chapter 6.
    """
    codes, target = numbers("codes", codes), numbers("target", target)
    if target.ndim != 2 or len(target) != len(codes) or (groups is not None and len(groups) != len(codes)):
        raise ValueError(f"codes {tuple(codes.shape)}, target {tuple(target.shape)} and groups must have one length")
    if groups is not None:
        members = F.one_hot(relabelled(groups)).bool().T
        return torch.stack([explained(codes[own], target[own], None, bins) for own in members]).mean(0)
    target = target.double() - target.double().mean(0)
    bin_of = codes.argsort(0).argsort(0) * bins // len(codes)  # n, latents
    found = []
    for own in bin_of.T:
        sums = torch.zeros(bins, target.shape[1], dtype=torch.float64).index_add_(0, own, target)
        found.append((sums.square().sum(1) / own.bincount(minlength=bins).clamp_min(1)).sum())
    return torch.stack(found) / target.square().sum()


def alignment(codes: Array, dataset: Any, factors: Array) -> dict[str, Tensor]:
    """Which latent holds which factor: R² of every factor with every latent, name → (latents,).

    Codes are posterior means (n, latents), and `dataset.sample` gives the factors (n, factors) of such pictures. The
    target is the factor itself; one column a class for a factor of `dataset.categories`, whose classes have no order;
    the unit vector for an angle. A sprite's orientation counts modulo the turn after which its shape looks the same:
    the unit vector is at 4 times the angle for a square, 2 for an ellipse and 1 for a heart, and R² is taken shape by
    shape. Source: chapters 6 and 11.
    """
    column = dict(zip(dataset.factors, numbers("factors", factors).T, strict=True))
    column.pop("colour", None)  # of one class in dSprites
    found = {}
    for name, f in column.items():
        groups, target, angle = None, f[:, None], None
        if name == "azimuth":
            angle = torch.deg2rad(f)
        elif name == "orientation" and "shape" in column:
            groups = column["shape"].long()
            angle = Sprites().values[name][f.long()] * torch.tensor(Sprites.symmetries)[groups]
        elif name in getattr(dataset, "categories", ()):
            target = F.one_hot(f.long()).double()
        target = target if angle is None else torch.stack([angle.cos(), angle.sin()], dim=1)
        found[name] = explained(codes, target, groups)
    return found


def factor_classes(dataset: Any, factors: Array) -> tuple[tuple[str, ...], Tensor]:
    """Names and classes, whole numbers (n, factors), of the factors that vary, from factors as of `dataset.sample`.

    Continuous ones are cut as `dataset.cuts` says, name → (low, high, parts of equal width). Raises ValueError if a
    factor is neither of whole numbers nor cut. Source: chapters 6 and 11.
    """
    factors, cuts = numbers("factors", factors), getattr(dataset, "cuts", {})
    found = {}
    for name, f in zip(dataset.factors, factors.T, strict=True):
        if name in cuts:
            low, high, parts = cuts[name]
            f = ((f - low) / (high - low) * parts).clamp(0, parts - 1).floor()
        elif not (f == f.round()).all():
            how = "let its sample() give whole numbers, or say how to cut it in its `cuts`, name → (low, high, parts)"
            raise ValueError(f"the scores need classes: factor {name!r} of {dataset!r} is not of whole numbers; {how}")
        found[name] = f.long()
    found.pop("colour", None)  # of one class in dSprites
    return tuple(found), torch.stack(list(found.values()), dim=1)
