"""Agreement of trainings with each other, which needs no known factors. Taught in chapter 13."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from minivae.metrics.scores import Array, numbers


def udr(codes: Sequence[Array], kls: Sequence[Array], active: float = 0.01) -> Tensor:
    """Unsupervised disentanglement ranking of models trained alike from different seeds, each in [0, 1]: (models,).

    A model scores high if most other models have the same latents, up to their order and sign. The likeness of a latent
    of one model and a latent of another is Spearman's rank correlation of their codes, without its sign. A pair scores
    the mean over both models' active latents of r²/Σr, with the best likeness r and the sum over the other's latents; a
    model scores the median over its pairs. 0 if a model of a pair has no active latent.

    Codes are the posterior means (n, latents) of the same pictures by each of two models or more, kls the mean KL of
    each one's latents in nats (latents,), of which more than `active` counts; ValueError if they do not fit.
    Source: Duan et al. 2020, Eq. 1 and 2, with Spearman's correlation.
    """
    from scipy.stats import rankdata

    codes, kls = [numbers("codes", c) for c in codes], [numbers("kls", kl) for kl in kls]
    shapes = [(tuple(c.shape), tuple(kl.shape)) for c, kl in zip(codes, kls, strict=True)]
    if len(codes) < 2 or any(len(c) != 2 or kl != c[1:] or c[0] != shapes[0][0][0] for c, kl in shapes):
        raise ValueError(f"codes (n, latents) and kls (latents,) of two or more models are asked for, got {shapes}")
    ranks = [rankdata(c[:, kl > active], axis=0) for c, kl in zip(codes, kls, strict=True)]
    ranks = [(r - r.mean(0)) / np.maximum(r.std(0), 1e-12) for r in ranks]

    def agreement(one: np.ndarray, other: np.ndarray) -> float:
        if 0 in (one.shape[1], other.shape[1]):
            return 0.0
        likeness = np.abs(one.T @ other) / len(one)
        shares = [likeness.max(axis) ** 2 / np.maximum(likeness.sum(axis), 1e-12) for axis in (0, 1)]
        return float((shares[0].mean() + shares[1].mean()) / 2)

    pairs = [[agreement(one, other) for j, other in enumerate(ranks) if j != i] for i, one in enumerate(ranks)]
    return torch.tensor(np.median(pairs, axis=1))
