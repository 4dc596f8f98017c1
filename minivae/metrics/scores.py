"""Scores of disentanglement: MIG, SAP, DCI, FactorVAE, β-VAE and InfoMEC. Taught in chapters 6, 9 and 13."""

import math
import warnings

import numpy as np
import torch
from torch import Tensor

from minivae._arguments import check_all, check_count
from minivae.datasets.arrays import to_tensor

Array = Tensor | np.ndarray


def information(codes: Array, classes: Array, bins: int | None = 20) -> Tensor:
    """Mutual information of every factor with every latent, in nats: (factors, latents).

    Codes are posterior means (n, latents), each cut into bins of equal width, None: as many as the factor has classes.
    Classes, of the factors that made the pictures, are whole numbers or bools (n, factors). Both are PyTorch's or
    NumPy's. The plug-in estimate from counts is never negative, and too large by some bins · classes / 2n.

    Raises ValueError if the shapes do not fit, codes are not finite, classes are no whole numbers, a factor has one
    class only, or bins is no count. Source: chapter 6.
    """
    from sklearn.metrics import mutual_info_score

    codes, classes = _checked(codes, classes)
    if bins is not None:
        check_count("bins", bins)
    found = [[mutual_info_score(f, _cut(z, bins or int(f.max()) + 1)) for z in codes.T] for f in classes.T]
    return torch.tensor(found, dtype=torch.float64)


def mig(codes: Array, classes: Array, bins: int | None = 20, normalised: bool = True) -> float:
    """Mutual information gap: how much more the best latent knows of a factor than the second best, over its entropy.

    The mean over the factors, in [0, 1]. The usual twenty bins cannot tell 32 or 40 classes apart, so even a perfect
    code of dSprites stays below 1; with `bins` None each latent has as many bins as the factor has classes.

    Conventions differ, so state yours. Locatello et al. 2019 take posterior means, all factors and twenty bins. Chen et
    al. take samples of the posteriors, densities in place of bins, and all factors of dSprites but shape: give `codes`
    and columns of `classes` accordingly. Both divide by the entropy; `normalised` False leaves the mean gap in nats.
    Args, errors: as `information`; at least two latents. Source: Chen et al. 2018 (β-TCVAE) and their code; chapter 6.
    """
    codes, classes = _checked(codes, classes, latents=2)
    best, second = information(codes, classes, bins).topk(2, dim=1).values.T
    unit = torch.stack([_entropy(f.bincount()) for f in classes.T]) if normalised else 1
    return ((best - second) / unit).mean().item()


def sap(codes: Array, classes: Array) -> float:
    """Separated attribute predictability: by how much the best latent's linear classifier beats the second best's.

    The first half of the points trains and the second tests, so they must be in random order. A linear classifier of
    one number can hardly tell more than two or three of many classes, so even a perfect code scores low.
    Args, errors: as `mig`. Source: Kumar et al. 2018, with the classifier of Locatello et al. 2019; chapter 9.
    """
    from sklearn.svm import LinearSVC

    codes, classes = _checked(codes, classes, latents=2)
    z, half = codes.double().numpy(), len(codes) // 2
    if (classes[:half] == classes[:1]).all(0).any():
        raise ValueError("the first half of the points has one class only of a factor: shuffle the points first")
    classifier = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    accuracies = [
        [classifier.fit(column[:half], f[:half]).score(column[half:], f[half:]) for column in z.T[:, :, None]]
        for f in classes.T.numpy()
    ]
    return float(np.diff(np.sort(accuracies))[:, -1].mean())  # the best before the second best


def dci(codes: Array, classes: Array, seed: int = 0) -> tuple[float, float]:
    """Disentanglement and completeness: does each latent serve one factor, and each factor need one latent?

    Gradient-boosted trees predict every factor from all latents; Rᵢⱼ is how much they rely on latent i for factor j.
    Disentanglement is 1 − the entropy of a latent's row of R, in units of its maximum and weighted with how much
    the latent is relied on; completeness the same for a factor's column, every factor with the same weight.

    Args, errors: as `mig`, and at least two factors; seed: of the trees, a minute's work on one core for dSprites' 113
    classes and 2,500 points. Source: Eastwood and Williams 2018, trees as in Locatello et al. 2019; chapter 9.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    codes, classes = _checked(codes, classes, latents=2, factors=2)
    z = codes.double().numpy()
    trees = [GradientBoostingClassifier(random_state=seed).fit(z, f) for f in classes.T.numpy()]
    importance = torch.from_numpy(np.stack([each.feature_importances_ for each in trees], axis=1))  # latents, factors
    weight = importance.sum(1) / importance.sum()
    return (weight * _peakedness(importance)).sum().item(), _peakedness(importance.T).mean().item()


def factorvae_score(
    codes: Array, classes: Array, seed: int = 0, votes: int = 10_000, tests: int = 5_000, batch: int = 64
) -> float:
    """Can one tell which factor was held fixed from which latent varied least? Accuracy of a majority vote.

    For each vote a factor and a class of it are fixed, and `batch` points that share it are drawn. The latent of least
    variance, in units of its variance over all points, votes for the factor; latents whose standard deviation is below
    0.05 have no vote. `votes` train and `tests` test: the score is the share of the tests that the majority gets right,
    0 if every latent is inactive.
    Args, errors: as `information`. Source: Kim and Mnih 2018, pruned as by Locatello et al. 2019; chapter 9.
    """
    codes, classes = _checked(codes, classes)
    z = codes[:, codes.std(0) >= 0.05]
    if not z.shape[1]:
        return 0.0
    z = z / z.std(0)
    generator = torch.Generator().manual_seed(seed)
    fixed = torch.randint(classes.shape[1], (votes + tests,), generator=generator)
    winners = torch.empty_like(fixed)
    for k, f in enumerate(classes.T):
        (mine,) = (fixed == k).nonzero(as_tuple=True)
        anchors = torch.randint(len(z), (len(mine), 1), generator=generator).expand(-1, batch)
        winners[mine] = z[_sharing(f, anchors, generator)].var(1).argmin(1)
    counts = torch.zeros(z.shape[1], classes.shape[1])
    counts.index_put_((winners[:votes], fixed[:votes]), torch.tensor(1.0), accumulate=True)
    return (counts.argmax(1)[winners[votes:]] == fixed[votes:]).double().mean().item()


def betavae_score(
    codes: Array, classes: Array, seed: int = 0, votes: int = 10_000, tests: int = 5_000, batch: int = 64
) -> float:
    """Can a linear classifier tell which factor two pictures share from how far apart their codes are?

    A vote is the mean |difference| of `batch` pairs of codes that share a class of one factor. The score is the
    classifier's accuracy on `tests` after training on `votes`; chance is 1 over the number of factors. Args, errors: as
    `information`; at least two factors. Source: Higgins et al. 2017, sizes of Locatello et al. 2019; chapter 9.
    """
    from sklearn.linear_model import LogisticRegression

    codes, classes = _checked(codes, classes, factors=2)
    generator = torch.Generator().manual_seed(seed)
    fixed = torch.randint(classes.shape[1], (votes + tests,), generator=generator)
    away = torch.empty(len(fixed), codes.shape[1], dtype=codes.dtype)
    for k, f in enumerate(classes.T):
        (mine,) = (fixed == k).nonzero(as_tuple=True)
        anchors = torch.randint(len(codes), (len(mine), batch), generator=generator)
        away[mine] = (codes[anchors] - codes[_sharing(f, anchors, generator)]).abs().mean(1)
    features = ((away - away.mean(0)) / away.std(0).clamp_min(1e-9)).double().numpy()  # else the solver is slow
    classifier = LogisticRegression(max_iter=1_000).fit(features[:votes], fixed[:votes].numpy())
    return float(classifier.score(features[votes:], fixed[votes:].numpy()))


def infomec(codes: Array, classes: Array, seed: int = 0) -> tuple[float, float, float]:
    """Modularity (a latent knows one factor only), explicitness (all factors can be read off linearly), compactness (a
    factor stands in one latent only), each at most 1.

    The first and the last come from the mutual information of factors and latents over the factors' entropy: of each
    latent (each factor) the largest share of its sum, scaled so that equal shares give 0. Latents that range over less
    than a twentieth of the widest do not count. Explicitness is the share of a factor's entropy that a multinomial
    logistic regression on all latents removes, classes weighted equally, in a hundred iterations at most; negative if
    it does worse than chance.
    Args, errors: as `mig`, and at least two factors; seed: of the estimator by 10 nearest neighbours.
    Source: Hsu et al. 2023, "Disentanglement via latent quantization", section 4, for continuous latents.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_selection import mutual_info_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    codes, classes = _checked(codes, classes, latents=2, factors=2)
    z = ((codes - codes.mean(0)) / codes.std(0, correction=0).clamp_min(1e-12)).double().numpy()
    ranges = codes.amax(0) - codes.amin(0)
    known, explicit = [], []
    for f in classes.T:
        about = mutual_info_classif(z, f, n_neighbors=10, random_state=seed)
        known.append(torch.from_numpy(about) / _entropy(f.bincount()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of many classes, see above
            reader = LogisticRegression(C=np.inf, class_weight="balanced").fit(z, f)
        explicit.append(1 - log_loss(f, reader.predict_proba(z)) / math.log(int(f.max()) + 1))
    table = torch.stack(known)[:, ranges > ranges.max() / 20]  # factors, latents that count
    modularity, compactness = (
        ((s.amax(0) / s.sum(0)).mean().item() - 1 / len(s)) / (1 - 1 / len(s)) if len(s) > 1 else 1.0
        for s in (table, table.T)
    )
    return modularity, float(np.mean(explicit)), compactness


def numbers(name: str, values: Array) -> Tensor:
    """PyTorch's or NumPy's finite real numbers as a tensor of floats on the CPU, where scikit-learn works."""
    values = to_tensor(values)
    if values.is_complex():
        raise ValueError(f"{name} must be real numbers, got {values.dtype}")
    check_all(name, values, torch.isfinite(values))
    return values if values.dtype in (torch.float32, torch.float64) else values.double()


def relabelled(labels: Array) -> Tensor:
    """Whole numbers of any kind and size, PyTorch's or NumPy's, as 0, 1, … in their order, which index and count."""
    labels = labels.numpy(force=True) if isinstance(labels, Tensor) else np.asarray(labels)
    if labels.dtype.kind not in "biu":
        raise ValueError(f"classes and groups must be whole numbers, got {labels.dtype}")
    return torch.from_numpy(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))


def _checked(codes: Array, classes: Array, latents: int = 1, factors: int = 1) -> tuple[Tensor, Tensor]:
    """Codes (n, latents) as they are and classes (n, factors) relabelled, or the error that says what is wrong."""
    shapes = tuple(np.shape(codes)), tuple(np.shape(classes))
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][0] != shapes[1][0] or shapes[0][0] < 1:
        raise ValueError(f"codes must be (n, latents) and classes (n, factors), got {shapes[0]} and {shapes[1]}")
    for name, least, (_, count) in (("codes", latents, shapes[0]), ("classes", factors, shapes[1])):
        if count < least:
            raise ValueError(f"{name} must have at least {least} columns for this score, got {count}")
    classes = torch.stack([relabelled(f) for f in classes.T], dim=1)
    if constant := (classes == 0).all(0).nonzero().flatten().tolist():
        raise ValueError(f"factors {constant} have one class only: leave them out")
    return numbers("codes", codes), classes


def _cut(z: Tensor, bins: int) -> Tensor:
    """Number of the bin of equal width between the least and the greatest value."""
    low, high = z.min(), z.max()
    return ((z - low) / (high - low).clamp_min(1e-12) * bins).long().clamp_max(bins - 1)


def _sharing(f: Tensor, anchors: Tensor, generator: torch.Generator) -> Tensor:
    """For each anchor the index of a random point of the same class of f."""
    counts, own = f.bincount(), f[anchors]
    starts = counts.cumsum(0) - counts
    place = (torch.rand(anchors.shape, generator=generator) * counts[own]).long()
    return f.argsort(stable=True)[starts[own] + place]


def _entropy(weights: Tensor) -> Tensor:
    """Entropy in nats of the distribution in proportion to the weights along the last axis."""
    return torch.special.entr(weights.double() / weights.sum(-1, keepdim=True)).sum(-1)


def _peakedness(weights: Tensor) -> Tensor:
    """1 − the entropy of each row over its maximum; 0 for a row of zeros, which 1e-15 makes uniform."""
    return 1 - _entropy(weights + 1e-15) / math.log(weights.shape[1])
