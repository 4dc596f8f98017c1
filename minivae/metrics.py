"""How well a code fits the factors behind the data. Taught in chapters 4, 6 and 7."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from minivae import gaussian
from minivae._arguments import check_count
from minivae.datasets import Blobs, Chairs, ColouredSprites, Sprites
from minivae.datasets.originals import DSprites
from minivae.models import VAE
from minivae.objectives import bernoulli_floor, bernoulli_nll

Array = Tensor | np.ndarray
WITH_FACTORS = (Sprites, ColouredSprites, DSprites, Chairs)  # which the scores are about
ALIVE = 0.01  # nats of mean KL from which a latent counts as used


@torch.no_grad()
def mean_kl(model: VAE, images: Tensor) -> Tensor:
    """Mean KL of every latent over images (n, channels, 64, 64), in nats: (latents,)."""
    return gaussian.kl_per_latent(*model.encode(images)).mean(0)


@torch.no_grad()
def position_tuning(model: VAE, dataset: Blobs, n: int = 32) -> tuple[Tensor, Tensor]:
    """Posterior means of blobs on a grid of positions.

    Returns:
        positions (m, 2), the points of an n × n grid that lie in the data's domain, in pixels, and
        means (m, latents).

    Source: the heat maps of Figure 2.
    """
    positions = dataset.grid(n)
    positions = positions[dataset.contains(positions)]
    return positions, model.encode(dataset.render(positions))[0]


def correlations(model: VAE, dataset: Blobs, n: int = 32) -> Tensor:
    """Pearson correlation of every latent's posterior mean with x and y over the domain: (latents, 2).

    A latent whose mean never moves has correlation 0.
    """
    positions, means = position_tuning(model, dataset, n)
    a, b = means - means.mean(0), positions - positions.mean(0)
    norms = a.norm(dim=0)[:, None] * b.norm(dim=0)
    return torch.where(norms > 0, a.T @ b / norms.clamp_min(1e-30), 0.0)


def axis_angles(model: VAE, dataset: Blobs, n: int = 32) -> Tensor:
    """Direction in the picture along which each latent's mean rises fastest, in degrees in (−90, 90]: (latents,).

    0 is along x, 90 along y, from a least-squares plane through the tuning; a line has no sign, so 180° is 0°.
    """
    positions, means = position_tuning(model, dataset, n)
    centred = positions - positions.mean(0)
    slopes = torch.linalg.lstsq(centred, means - means.mean(0)).solution  # (2, latents)
    degrees = torch.rad2deg(torch.atan2(slopes[1], slopes[0]))
    return 90 - torch.remainder(90 - degrees, 180)


def traversal(z: Tensor, latent: int, values: Tensor) -> Tensor:
    """Copies of one code z (latents,) in which one latent takes each of the values (n,): (n, latents).

    Raises:
        ValueError: if z is not one code or has no such latent.

    Source: section 4.3 and Figure 2.
    """
    if z.ndim != 1 or not 0 <= latent < len(z):
        raise ValueError(f"z must be one code (latents,) that has latent {latent}, got shape {tuple(z.shape)}")
    codes = z.repeat(len(values), 1)
    codes[:, latent] = values
    return codes


@dataclass(frozen=True)
class Fragmentation:
    """How broken the drawn traversals are. For a code that moves one blob smoothly, jump is small and the others 0.

    Attributes:
        jump: the farthest that the drawn blob moves in one small step of any traversal, in pixels.
        broken: share of traversals with a step of more than `JUMP` pixels.
        ghosts: share of traversals with a frame that shows two blobs or a ghost (less than `GHOST` of the seed
            image's light).
    """

    jump: float
    broken: float
    ghosts: float


JUMP = 4.0  # pixels; an even walk across the domain at z ∈ [−3, 3] moves less than one pixel in a step of 0.1
GHOST = 0.6


@torch.no_grad()
def fragmentation(model: VAE, images: Tensor, step: float = 0.1) -> Fragmentation:
    """Traverse every living latent over [−3, 3] from each seed image and measure what is drawn.

    Args:
        model: a trained VAE.
        images: seed images (n, 1, 64, 64).
        step: distance of neighbouring frames, in units of z.

    Returns:
        The statistics over all images and all latents with at least `ALIVE` nats; zeros if no latent is alive.

    Source: section 4.3 describes the effect in words; the statistic is this course's (chapter 4).
    """
    means, _ = model.encode(images)
    values = torch.linspace(-3, 3, round(6 / step) + 1)
    jumps, ghosts = [], []
    for latent in torch.nonzero(mean_kl(model, images) > ALIVE).flatten().tolist():
        for z, light in zip(means, images.sum((1, 2, 3)), strict=True):
            frames = torch.sigmoid(model.decode(traversal(z, latent, values)))
            places = centre_of_light(frames)
            jumps.append((places[1:] - places[:-1]).norm(dim=1).max())
            ghosts.append(((count_blobs(frames) > 1) | (frames.sum((1, 2, 3)) < GHOST * light)).any())
    if not jumps:
        return Fragmentation(0.0, 0.0, 0.0)
    jump = torch.stack(jumps)
    return Fragmentation(
        jump.max().item(), (jump > JUMP).float().mean().item(), torch.stack(ghosts).float().mean().item()
    )


def centre_of_light(images: Tensor) -> Tensor:
    """Mean position of the light of each image (n, 1, H, W), columns x, y, in pixels: (n, 2)."""
    light = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    x = torch.arange(images.shape[-1], device=images.device) + 0.5
    y = torch.arange(images.shape[-2], device=images.device) + 0.5
    return torch.stack([(light.sum(1) * x).sum(1), (light.sum(2) * y).sum(1)], dim=1)


def count_blobs(images: Tensor, window: int = 9, share: float = 0.3) -> Tensor:
    """Number of separate bright spots in each image (n, 1, H, W): (n,).

    A spot is a pixel that is the brightest of the window around it and at least `share` as bright as the image's
    brightest. Images are averaged over 5 × 5 pixels first, so that a decoder's grain does not count.
    """
    smooth = F.avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)
    # two equal neighbours are one spot: tell them apart by a ramp far below anything visible, in units of the brightest
    # pixel, so that its steps are not lost to rounding in a dim picture nor in a bright one
    ramp = torch.arange(smooth[0].numel(), device=images.device).view_as(smooth[:1]) / smooth[0].numel()
    smooth = smooth + 1e-3 * ramp * smooth.amax((1, 2, 3), keepdim=True)
    peak = smooth == F.max_pool2d(smooth, window, stride=1, padding=window // 2)
    bright = smooth >= share * smooth.amax((1, 2, 3), keepdim=True)
    return (peak & bright).sum((1, 2, 3))


def information(codes: Array, classes: Array, bins: int | None = 20) -> Tensor:
    """Mutual information of every factor with every latent, in nats: (factors, latents).

    Args:
        codes: posterior means (n, latents), of PyTorch or NumPy.
        classes: of the factors that made the pictures, (n, factors), whole numbers of any kind: −1 and 1 are as good
            as 0 and 1, and so are True and False.
        bins: of equal width that each latent is cut into; None for as many as the factor has classes.

    Returns:
        The plug-in estimate from counts: never negative, and too large by some bins · classes / 2n.

    Raises:
        ValueError: if the shapes do not fit, codes are not finite, classes are no whole numbers, a factor has one class
            only, or bins is no count.

    Source: chapter 6.
    """
    codes, classes = _checked(codes, classes)
    if bins is not None:
        check_count("bins", bins)
    return torch.stack(
        [torch.stack([_information(_cut(z, bins or int(f.max()) + 1), f) for z in codes.T]) for f in classes.T]
    )


def mig(codes: Array, classes: Array, bins: int | None = 20) -> float:
    """Mutual information gap: how much more the best latent knows of a factor than the second best, over its entropy.

    The mean over the factors, in [0, 1]. Twenty bins, the custom, cannot tell 32 or 40 classes
    apart, so that even a perfect code of dSprites stays below 1; with `bins` None each latent has the factor's own.

    Args, errors: as `information`; at least two latents.

    Source: Chen et al. 2018 (β-TCVAE), with posterior means as Locatello et al. 2019; chapter 6.
    """
    codes, classes = _checked(codes, classes, latents=2)
    best, second = information(codes, classes, bins).topk(2, dim=1).values.T
    return ((best - second) / torch.stack([_entropy(f) for f in classes.T])).mean().item()


def sap(codes: Array, classes: Array) -> float:
    """Separated attribute predictability: by how much the best latent's linear classifier beats the second best's.

    The first half of the points trains, the second tests, so they must be in no order. A linear classifier of one
    number can hardly tell more than two or three of many classes, so even a perfect code scores low.

    Args, errors: as `mig`.

    Source: Kumar et al. 2018, with the classifier of Locatello et al. 2019; chapter 6.
    """
    from sklearn.svm import LinearSVC

    codes, classes = _checked(codes, classes, latents=2)
    z, half = codes.double().numpy(), len(codes) // 2
    if (classes[:half] == classes[:1]).all(0).any():
        raise ValueError("the first half of the points has one class only of a factor: shuffle the points first")
    gaps = []
    for f in classes.T.numpy():
        accuracies = []
        for column in z.T[:, :, None]:
            classifier = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
            accuracies.append(classifier.fit(column[:half], f[:half]).score(column[half:], f[half:]))
        *_, second, best = sorted(accuracies)
        gaps.append(best - second)
    return float(np.mean(gaps))


def dci(codes: Array, classes: Array, seed: int = 0) -> tuple[float, float]:
    """Disentanglement and completeness: does each latent serve one factor, and each factor need one latent?

    Gradient-boosted trees predict every factor from all latents; Rᵢⱼ is how much they rely on latent i for factor j.
    Disentanglement is 1 − the entropy of a latent's row of R, in units of its maximum and weighted with how much
    the latent is relied on; completeness the same for a factor's column, every factor with the same weight.

    The trees are what costs: about a minute for dSprites' 113 classes and 2,500 points on one core.

    Args, errors: as `mig`, and at least two factors; seed: of the trees.

    Source: Eastwood and Williams 2018, with the trees of Locatello et al. 2019; chapter 6.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    codes, classes = _checked(codes, classes, latents=2, factors=2)
    z = codes.double().numpy()
    importance = np.stack(
        [GradientBoostingClassifier(random_state=seed).fit(z, f).feature_importances_ for f in classes.T.numpy()],
        axis=1,
    )  # latents, factors
    weight = importance.sum(1) / importance.sum()
    return float((weight * _peakedness(importance)).sum()), float(_peakedness(importance.T).mean())


def factorvae_score(
    codes: Array, classes: Array, seed: int = 0, votes: int = 10_000, tests: int = 5_000, batch: int = 64
) -> float:
    """Can one tell which factor was held fixed from which latent varied least? Accuracy of a majority vote.

    For each vote a factor and a class of it are fixed, and `batch` of the points that share it are drawn; the latent of
    least variance, in units of its variance over all points, votes for the factor. Latents whose standard deviation
    is below 0.05 have no vote.

    Args, errors: as `information`; `votes` train and `tests` test.

    Returns:
        The share of the tests that the majority of the votes gets right; 0 if every latent is dead.

    Source: Kim and Mnih 2018, pruned as by Locatello et al. 2019; chapter 6.
    """
    codes, classes = _checked(codes, classes)
    alive = codes.std(0) >= 0.05
    if not alive.any():
        return 0.0
    generator = torch.Generator().manual_seed(seed)
    z = codes[:, alive] / codes[:, alive].std(0)
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

    Args, errors: as `factorvae_score`, and at least two factors; a vote is the mean |difference| of `batch` pairs that
    share a class.

    Returns:
        Accuracy on the tests; 1 over the number of factors is chance.

    Source: Higgins et al. 2017, with the sizes of Locatello et al. 2019; chapter 6.
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
    # of one scale and mean 0, or the solver crawls
    features = ((away - away.mean(0)) / away.std(0).clamp_min(1e-9)).double().numpy()
    classifier = LogisticRegression(max_iter=1_000).fit(features[:votes], fixed[:votes].numpy())
    return float(classifier.score(features[votes:], fixed[votes:].numpy()))


def explained(codes: Array, target: Array, groups: Array | None = None, bins: int = 20) -> Tensor:
    """R²: the share of a target's variance that each latent explains, by the target's mean in bins of the latent.

    Args:
        codes: posterior means (n, latents).
        target: (n, k), a number, a unit vector for an angle, or one column a class.
        groups: (n,) whole numbers of any kind; if given, R² is taken within each group and averaged over them.
        bins: of equal numbers of points.

    Returns:
        (latents,), from 0 (a little above by chance, some bins/n) to 1.

    Raises:
        ValueError: if shapes do not fit or values are not finite.

    Source: chapter 6.
    """
    codes, target = _numbers("codes", codes), _numbers("target", target)
    groups = None if groups is None else _relabelled(groups)
    if target.ndim != 2 or len(target) != len(codes) or (groups is not None and groups.shape != (len(codes),)):
        raise ValueError(
            f"codes {tuple(codes.shape)}, target {tuple(target.shape)} and groups must be of the same points"
        )
    if not (torch.isfinite(codes).all() and torch.isfinite(target).all()):
        raise ValueError("codes and target must be finite, got NaN or infinity")
    if groups is not None:
        members = [groups == group for group in range(int(groups.max()) + 1)]
        return torch.stack([explained(codes[own], target[own], None, bins) for own in members]).mean(0)
    target = target.double() - target.double().mean(0)
    bin_of = codes.argsort(0).argsort(0) * bins // len(codes)  # n, latents
    found = []
    for own in bin_of.T:
        sums = torch.zeros(bins, target.shape[1], dtype=torch.float64).index_add_(0, own, target)
        found.append((sums.square().sum(1) / own.bincount(minlength=bins).clamp_min(1)).sum())
    return torch.stack(found) / target.square().sum()


def alignment(
    codes: Tensor, dataset: Sprites | ColouredSprites | DSprites | Chairs, factors: Tensor
) -> dict[str, Tensor]:
    """Which latent holds which factor: R² of every axis with every latent, name → (latents,).

    A class has one column a class as its target, an angle its unit vector. The orientation of a sprite counts modulo
    the turn after which its shape looks the same: the unit vector is at four times the angle of a square, twice that of
    an ellipse and once that of a heart, shape by shape.

    Args:
        codes: posterior means (n, latents).
        dataset: the sprites or chairs.
        factors: of the pictures, as `dataset.sample` gives them.

    Source: chapters 6 and 7.
    """
    column = dict(zip(dataset.factors, factors.T, strict=True))
    targets: dict[str, tuple[Tensor, Tensor | None]] = {}
    for name, f in column.items():
        groups = None
        if name == "azimuth":
            target = _unit(torch.deg2rad(f))
        elif name == "orientation":
            groups = column["shape"].long()
            target = _unit(Sprites().values[name][f.long()] * torch.tensor(Sprites.symmetries)[groups])
        elif name in ("shape", "legs", "back"):
            target = F.one_hot(f.long()).double()
        else:
            target = f[:, None]
        if name != "colour":
            targets[name] = target, groups
    return {name: explained(codes, target, groups) for name, (target, groups) in targets.items()}


def factor_classes(
    dataset: Sprites | ColouredSprites | DSprites | Chairs, factors: Tensor, cuts: int = 10
) -> tuple[tuple[str, ...], Tensor]:
    """Names and classes, whole numbers (n, factors), of the factors that vary; a continuous one is cut into ten.

    Your own data set's factors must be classes already: only you know where to cut a continuous one.

    Raises:
        ValueError: if the factors of your own data set are no whole numbers.

    Source: chapters 6 and 7.
    """
    if not isinstance(dataset, WITH_FACTORS):
        if factors.is_floating_point():
            raise ValueError(
                f"the scores need classes: the factors of {dataset!r} are {factors.dtype}; let its sample() give whole "
                "numbers, a continuous factor cut into ten parts, say, as for sprites and chairs"
            )
        return tuple(dataset.factors), factors
    spans = {"red": (0.5, 1.0), "green": (0.5, 1.0), "blue": (0.5, 1.0), "azimuth": (0.0, 360.0)}
    if isinstance(dataset, Chairs):
        spans |= {name: dataset.ranges[dataset.factors.index(name)] for name in ("size", "height", "width")}
    names = [name for name in dataset.factors if name != "colour"]
    columns = []
    for name in names:
        f = factors[:, dataset.factors.index(name)]
        if name == "elevation":
            f = f > 25
        elif name in spans:
            low, high = spans[name]
            parts = 31 if name == "azimuth" else cuts
            # half a view on, as rounding must not push a view into its neighbour
            f = ((f - low) / (high - low) * parts + 0.5 * (name == "azimuth")).clamp(0, parts - 1)
        columns.append(f.long())
    return tuple(names), torch.stack(columns, dim=1)


def _unit(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], dim=1)


@torch.no_grad()
def measure(
    model: VAE, dataset: Sprites | ColouredSprites | DSprites | Chairs, points: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """Every metric of a VAE of sprites or chairs, from posterior means of `points` pictures; deterministic.

    Your own data set will do as well, if its `sample(n, generator)` gives pictures and the classes of their factors,
    whole numbers (n, factors), and its `factors` their names.

    Returns:
        mig (of 20 bins), mig_own_bins, dci_disentanglement, dci_completeness (of a quarter of the points: trees cost),
        factorvae, betavae, sap (of half of them); reconstruction and excess (what it is above `bernoulli_floor`), in
        nats per picture, and excess_error, the standard error of the excess with so many pictures; kl, the sum over
        latents in nats; active, the number of latents above `ALIVE`.

    Raises:
        ValueError: if the model is no VAE, the factors of the data set are not known or no classes, or points are fewer
            than 400.

    Source: chapter 6.
    """
    if not isinstance(model, VAE) or not getattr(dataset, "factors", ()):
        raise ValueError(
            "metrics compare a VAE's latents with the factors of sprites or chairs, got "
            f"{type(model).__name__} of {dataset!r}"
        )
    check_count("points", points, least=400)
    factor_classes(dataset, dataset.sample(1, torch.Generator())[1])  # to be refused before the work, not after it
    codes, factors, nll, floor, kl = _encode_each(model, dataset, points, seed)
    _, classes = factor_classes(dataset, factors)
    disentanglement, completeness = dci(codes[: points // 4], classes[: points // 4], seed)
    return {
        "mig": mig(codes, classes),
        "mig_own_bins": mig(codes, classes, None),
        "dci_disentanglement": disentanglement,
        "dci_completeness": completeness,
        "factorvae": factorvae_score(codes, classes, seed),
        "betavae": betavae_score(codes, classes, seed),
        "sap": sap(codes[: points // 2], classes[: points // 2]),
        "reconstruction": nll.mean().item(),
        "excess": (nll - floor).mean().item(),
        "excess_error": (nll - floor).std().item() / points**0.5,
        "kl": kl.sum(1).mean().item(),
        "active": int((kl.mean(0) > ALIVE).sum()),
    }


def encode(
    model: VAE, dataset: Sprites | ColouredSprites | DSprites | Chairs, points: int = 10_000, seed: int = 0
) -> tuple[Tensor, Tensor, float, float, Tensor]:
    """Posterior means (points, latents) and factors of so many pictures; of the same pictures the mean −log p(x|z),
    its floor, both in nats, and the mean KL of every latent (latents,)."""
    check_count("points", points)
    codes, factors, nll, floor, kl = _encode_each(model, dataset, points, seed)
    return codes, factors, nll.mean().item(), floor.mean().item(), kl.mean(0)


@torch.no_grad()
def _encode_each(
    model: VAE, dataset: Sprites | ColouredSprites | DSprites | Chairs, points: int, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """As `encode`, with −log p(x|z) and its floor (points,) and the KLs (points, latents) of each picture."""
    generator = torch.Generator().manual_seed(seed)
    blocks = []
    for first in range(0, points, 500):
        images, factors = dataset.sample(min(500, points - first), generator)
        mean, log_std = model.encode(images)
        logits = model.decode(gaussian.sample(mean, log_std, generator))
        nll, floor = bernoulli_nll(logits, images), bernoulli_floor(images)
        blocks.append((mean, factors, nll.double(), floor.double(), gaussian.kl_per_latent(mean, log_std)))
    codes, factors, nll, floor, kl = (torch.cat(column) for column in zip(*blocks, strict=True))
    return codes, factors, nll, floor, kl


def _numbers(name: str, values: Array) -> Tensor:
    """PyTorch's or NumPy's numbers as a tensor of floats on the CPU, where scikit-learn works."""
    if isinstance(values, np.ndarray):  # PyTorch reads no foreign order of bytes and no negative stride
        values = np.array(values, values.dtype.newbyteorder("="), order="C")
    values = torch.as_tensor(values).detach().cpu()
    if values.is_complex():
        raise ValueError(f"{name} must be real numbers, got {values.dtype}")
    return values if values.dtype in (torch.float32, torch.float64) else values.double()


def _relabelled(labels: Array) -> Tensor:
    """Whole numbers of any kind and size, PyTorch's or NumPy's, as 0, 1, … in their order, which alone can be counted
    with: each score adds, indexes or joins them."""
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
    codes = _numbers("codes", codes)
    classes = torch.stack([_relabelled(f) for f in classes.T], dim=1)
    if not torch.isfinite(codes).all():
        raise ValueError("codes must be finite, got NaN or infinity")
    constant = (classes == 0).all(0).nonzero().flatten().tolist()
    if constant:
        raise ValueError(f"factors {constant} have one class only: leave them out")
    return codes, classes


def _cut(z: Tensor, bins: int) -> Tensor:
    """Number of the bin of equal width between the least and the greatest value."""
    low, high = z.min(), z.max()
    return ((z - low) / (high - low).clamp_min(1e-12) * bins).long().clamp_max(bins - 1)


def _entropy(f: Tensor) -> Tensor:
    p = f.unique(return_counts=True)[1].double() / len(f)
    return -(p * p.log()).sum()


def _information(a: Tensor, b: Tensor) -> Tensor:
    return (_entropy(a) + _entropy(b) - _entropy(a * (b.max() + 1) + b)).clamp_min(0)


def _sharing(f: Tensor, anchors: Tensor, generator: torch.Generator) -> Tensor:
    """For each anchor the index of a random point of the same class of f."""
    counts = f.bincount()
    starts = counts.cumsum(0) - counts
    own = f[anchors]
    place = (torch.rand(anchors.shape, generator=generator) * counts[own]).long()
    return f.argsort(stable=True)[starts[own] + place]


def _peakedness(weights: np.ndarray) -> np.ndarray:
    """1 − the entropy of each row over its maximum; 0 for a row of nothing."""
    share = weights / weights.sum(1, keepdims=True).clip(1e-12)
    entropy = -(share * np.log(share.clip(1e-12))).sum(1) / np.log(weights.shape[1])
    return np.where(weights.sum(1) > 0, 1 - entropy, 0.0)
