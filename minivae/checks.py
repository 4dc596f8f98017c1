"""Checks of the chapters' exercises: `check("4.1", answer)` says whether an answer is right, and how it may be wrong.

Every check accepts the solution in `chapters/solutions` and refuses the wrong answers beside it; a test runs both.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_origin, get_type_hints

import torch

from minivae.bayes import SpriteChannels, distortion, sobol
from minivae.datasets import Blobs
from minivae.gaussian import bhattacharyya, kl_per_latent
from minivae.objectives import bernoulli_floor
from minivae.optimal import collapse_threshold


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

    Raises:
        ValueError: if there is no such exercise.
    """
    if exercise not in _CHECKS:
        raise ValueError(f"no exercise {exercise!r}: there are {', '.join(_CHECKS)}")
    if answer is None:
        return Verdict(False, f"Exercise {exercise}: not tried yet.")
    try:
        problem = _CHECKS[exercise](_of_the_kind(_CHECKS[exercise], answer))
    except _WrongKind as error:
        problem = str(error)
    except Exception as error:  # the learner's own code may fail in any way; that is an answer too
        problem = f"your answer raised {type(error).__name__}: {error}"
    return Verdict(problem is None, f"Exercise {exercise}: {'right.' if problem is None else 'not yet: ' + problem}")


class _WrongKind(Exception):
    """The answer is not the kind of thing that the exercise asks for."""


def _of_the_kind(asks: Callable[[Any], str | None], answer: Any) -> Any:
    """The answer as a check's annotation wants it: a function that returns something, or a number."""
    kind = get_type_hints(asks)["answer"]
    if get_origin(kind) is Callable:
        if not callable(answer):
            raise _WrongKind(f"a function is asked for (answer = your_function, not called), got {answer!r}")

        def returning(*arguments: Any) -> Any:
            result = answer(*arguments)
            if result is None:
                raise _WrongKind("your function returned None: is its `return` missing?")
            return result

        return returning
    if kind is float:
        try:
            return float(answer)
        except (TypeError, ValueError):
            raise _WrongKind(f"one number is asked for, got {answer!r}") from None
    return answer


def _gap_of_linear_model(answer: float) -> str | None:
    gap = 0.5 * (0.25 / 0.5 + 0.2**2 / 0.5 - 1 + math.log(2))
    if math.isclose(answer, gap, rel_tol=0.01):
        return None
    if math.isclose(answer, 0.5 * (0.5 / 0.25 + 0.2**2 / 0.25 - 1 - math.log(2)), rel_tol=0.01):
        return "this is KL(posterior ‖ q): the average must be over q"
    if math.isclose(answer, gap / math.log(2), rel_tol=0.01):
        return "these are bits"
    if math.isclose(answer, 2 * gap, rel_tol=0.01):
        return "the ½ is missing"
    return "the gap is KL(q ‖ p(z|x)), and p(z|x) = N(x/2, ½) here (½ is the variance)"


def _floor_of_grey(answer: Callable[[torch.Tensor], Any]) -> str | None:
    images = torch.tensor([[[0.0, 1.0], [0.5, 0.2]], [[1.0, 1.0], [0.0, 0.9]]], dtype=torch.float64)
    right = bernoulli_floor(images)
    got = torch.as_tensor(answer(images)).double()
    if got.shape != right.shape:
        return f"it must give one value an image, shape (2,), not {tuple(got.shape)}"
    if got.isnan().any():
        return "0 · log 0 gave NaN: its limit is 0 (torch.xlogy knows)"
    if torch.allclose(got, right):
        return None
    if torch.allclose(got, right / 4):
        return "it is the sum over pixels, not the mean"
    if torch.allclose(got, -right):
        return "the sign: an entropy is not negative"
    return f"it gives {got.tolist()}, expected {right.tolist()}"


def _reparametrised(answer: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Any]) -> str | None:
    mean, log_std, noise = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = torch.as_tensor(answer(mean, log_std, noise))
    for formula, problem in (
        (mean + log_std.exp() * noise, None),
        (mean + log_std * noise, "the network gives log σ: exponentiate it"),
        (mean + (0.5 * log_std).exp() * noise, "log_std is log σ, not log σ²: no ½"),
        (mean + (2 * log_std).exp() * noise, "it is σ that multiplies the noise, not σ²"),
    ):
        if torch.allclose(got, formula):
            return problem
    return "z = μ + σ·ε"


def _beta_of_squared_error(answer: float) -> str | None:
    if math.isclose(answer, 5.0, rel_tol=0.01):
        return None
    if math.isclose(answer, 10.0, rel_tol=0.01):
        return "the squared error has the weight 1/(2s²): mind the 2"
    if math.isclose(answer, 0.2, rel_tol=0.01) or math.isclose(answer, 0.1, rel_tol=0.01):
        return "the other way round: a smaller s² weighs the picture more, so β must grow with it"
    return "β·s² must be the same in both; the plain squared error is a Gaussian decoder with s² = ½"


def _kl_of_std(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    mean = torch.tensor([0.0, 1.5, -2.0, 0.0], dtype=torch.float64)
    std = torch.tensor([1.0, 0.2, 1.0, 3.0], dtype=torch.float64)
    right = kl_per_latent(mean, std.log())
    got = torch.as_tensor(answer(mean, std))
    if got.shape == right.shape and torch.allclose(got.double(), right):
        return None
    if got.shape != right.shape:
        return f"it must give one value a latent, shape {tuple(right.shape)}, not {tuple(got.shape)}"
    if torch.allclose(got.double(), 2 * right):
        return "the ½ is missing"
    bad = int(torch.nonzero(~torch.isclose(got.double(), right))[0])
    return f"at μ = {mean[bad]:g}, σ = {std[bad]:g} it gives {got[bad]:.3f}, expected {right[bad]:.3f}"


def _capacity_in_bits(answer: float) -> str | None:
    if math.isclose(answer, 2.0, rel_tol=0.01):
        return None
    if math.isclose(answer, 2 * math.log(2), rel_tol=0.01):
        return "these are nats"
    if math.isclose(answer, 4.0, rel_tol=0.01):
        return "the ½ is missing"
    return "½·log₂(1 + SNR)"


def _onset(answer: Callable[[torch.Tensor, int], Any]) -> str | None:
    variances = torch.tensor([9.0, 5.0, 5.0, 2.0, 0.7], dtype=torch.float64)
    for k in (0, 1, 2, 4):
        right = 0.5 * (variances[:k] / variances[k]).log().sum().item()
        got = float(answer(variances, k))
        if not math.isclose(got, right, rel_tol=0.01, abs_tol=1e-6):
            return f"component {k} of {variances.tolist()} is said to turn on at {got:.3f} nats, not {right:.3f}"
    return None


def _cost_of_the_mean(answer: float) -> str | None:
    def waste(variance: float) -> float:
        return 0.5 * math.log((1 + 2 * (1 + 0.75**2 / variance)) / (1 + 2))

    if math.isclose(answer, waste(0.5**2 / 12), rel_tol=0.01):
        return None
    if math.isclose(answer, waste(1 / 12), rel_tol=0.01):
        return "the interval is half as long as [0, 1]: its variance is smaller"
    if math.isclose(answer, waste(0.5**2 / 12) / math.log(2), rel_tol=0.01):
        return "these are bits"
    return "compare ½·log(1 + SNR(1 + m²/v)) with ½·log(1 + SNR)"


def _probability_of_confusion(answer: float) -> str | None:
    wrong = 0.5 * math.erfc(0.75 / math.sqrt(2))
    if math.isclose(answer, wrong, rel_tol=0.02):
        return None
    if math.isclose(answer, 100 * wrong, rel_tol=0.02):
        return "a probability, please, not per cent"
    if math.isclose(answer, 0.5 * math.erfc(1.5 / math.sqrt(2)), rel_tol=0.02):
        return "the border is half-way between the means"
    if math.isclose(answer, 2 * wrong, rel_tol=0.02):
        return "only the tail on the other's side is a mistake: you counted both"
    return "Φ(−distance to the border / σ)"


def _overlap(answer: Callable[[float, float, float, float], Any]) -> str | None:
    for m1, s1, m2, s2 in ((0.0, 1.0, 0.0, 1.0), (0.0, 1.0, 1.0, 1.0), (-1.0, 0.5, 1.0, 2.0)):
        arguments = torch.tensor([m1, math.log(s1), m2, math.log(s2)], dtype=torch.float64)
        right = bhattacharyya(*arguments).item()
        got = float(answer(m1, s1, m2, s2))
        if not math.isclose(got, right, rel_tol=1e-3):
            return f"for N({m1:g}, {s1:g}²) and N({m2:g}, {s2:g}²) it gives {got:.4f}, expected {right:.4f}"
    return None


def _expected_error(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    belief = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    pictures = torch.tensor([[0.0, 1.0], [2.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    mean = belief @ pictures
    right = (belief * (pictures - mean).square().sum(1)).sum().item()
    got = float(answer(belief, torch.cdist(pictures, pictures).square()))
    if math.isclose(got, right, rel_tol=1e-6):
        return None
    if math.isclose(got, 2 * right, rel_tol=1e-6):
        return "the ½ is missing: every pair is counted twice"
    return f"it gives {got:.3f}, expected {right:.3f}"


def _beta_of_pixel_means(answer: float) -> str | None:
    if math.isclose(answer, 150 / 64**2, rel_tol=0.01):
        return None
    if math.isclose(answer, 150 * 64**2, rel_tol=0.01):
        return "the mean makes the reconstruction smaller, so the price of a nat has to become smaller too"
    return "dividing the whole loss by a number changes nothing: by which number does a mean divide?"


def _critical_width(answer: float) -> str | None:
    def threshold(width: float) -> float:
        return collapse_threshold(Blobs(width).sample(1000, torch.Generator().manual_seed(0))[0])

    low, high = 4.0, 6.0
    for _ in range(6):
        middle = (low + high) / 2
        low, high = (middle, high) if threshold(middle) < 150 else (low, middle)
    if abs(answer - (low + high) / 2) <= 0.2:
        return None
    return f"a blob of width {answer:g} has a threshold of {threshold(answer):.0f}, not 150"


def _faint_gain(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 6, generator=generator, dtype=torch.float64) * torch.linspace(0.2, 0.9, 6)
    f = 2 * x[:, 0] - 3 * x[:, 4] + 0.5 * torch.rand(500, generator=generator, dtype=torch.float64) + 1
    p, signal = x.mean(0), f - f.mean()
    covariance = ((x - p) * signal[:, None]).mean(0)
    right = ((covariance**2 / (p * (1 - p))).sum() / signal.square().mean()).item()
    got = float(answer(x, f))
    if math.isclose(got, right, rel_tol=0.01):
        return None
    if math.isclose(got, ((covariance**2 / (p * (1 - p))).sum() / f.square().mean()).item(), rel_tol=0.01):
        return "f is not centred: sending its mean costs nats and tells nothing"
    if math.isclose(got, ((covariance**2 / x.var(0)).sum() / signal.square().mean()).item(), rel_tol=0.01):
        return "v is the Bernoulli variance p(1 − p), not the variance of the pixel"
    if math.isclose(got, right / 2, rel_tol=0.01) or math.isclose(got, right * 2, rel_tol=0.01):
        return "a factor of 2 is off: both sides of the contest carry the same ½"
    return f"on our test pictures it gives {got:.4g}, expected {right:.4g}"


def _axis_angle(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    u, v = torch.rand(2, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positions = torch.stack([u + 0.8 * v, v], dim=1) * 40  # x and y are correlated here
    for degrees in (0.0, 30.0, -60.0, 90.0):
        radians = math.radians(degrees)
        means = positions @ torch.tensor([math.cos(radians), math.sin(radians)], dtype=torch.float64) + 5
        got = float(answer(positions, means))
        if not -90.001 < got < 90.001:
            return f"the angle must lie in (−90, 90], got {got:.1f}: a line has no sign"
        off = abs((got - degrees + 90) % 180 - 90)  # a line has no sign, and so neither has the verdict
        if off > 0.5:
            return f"for a latent that rises along {degrees:.0f}° it is {off:.1f}° off"
    return None


def _fee_of_shape(answer: float) -> str | None:
    if math.isclose(answer, 0.5 * math.log(1 + 1.5), rel_tol=0.01):
        return None
    if math.isclose(answer, 0.5 * math.log(1 + 6), rel_tol=0.01):
        return "that is the fee of 1, 2, 3"
    if math.isclose(answer, 0.5 * math.log(2), rel_tol=0.01):
        return "v is the variance over the three values, ⅔, not that of a sample of three"
    if math.isclose(answer, math.log(2.5), rel_tol=0.01):
        return "the ½ is missing"
    if math.isclose(answer, 0.5 * math.log(1.5), rel_tol=0.01):
        return "the fee is ½·log(1 + m²/v): the 1 is missing"
    return "½·log(1 + m²/v) with the mean and variance of 0, 1, 2"


def _best_picture(answer: Callable[..., Any]) -> str | None:
    codes = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)
    pictures = torch.tensor([[0.0, 1.0], [0.5, 0.2], [1.0, 0.6]], dtype=torch.float64)
    for z, std in ((0.3, 0.7), (-2.0, 2.0)):
        off = (z - codes).square() / std**2
        right = torch.softmax(-0.5 * off, 0) @ pictures
        got = torch.as_tensor(answer(torch.tensor(z, dtype=torch.float64), codes, std, pictures)).double()
        if got.shape != right.shape:
            return f"it must give one value a pixel, shape (2,), not {tuple(got.shape)}"
        if torch.allclose(got, right, atol=1e-6):
            continue
        for formula, problem in (
            (pictures[off.argmin()], "this is the likeliest picture; the mean of all has the lower loss"),
            (pictures.mean(0), "z is not used: weight the pictures by how likely each is to have sent it"),
            (torch.softmax(-off, 0) @ pictures, "the exponent of a Gaussian has a ½"),
            (torch.softmax(-0.5 * (z - codes).square() / std, 0) @ pictures, "divide by σ², not by σ"),
            (torch.exp(-0.5 * off) @ pictures, "the weights must add up to 1"),
        ):
            if torch.allclose(got, formula, atol=1e-6):
                return problem
        return f"at z = {z:g}, σ = {std:g} it gives {got.tolist()}, expected {right.tolist()}"
    return None


def _steps_apart(answer: float) -> str | None:
    if math.isclose(answer, 2 * 1000 / (0.0005 * 50), rel_tol=0.01):
        return None
    if math.isclose(answer, 2 / (0.0005 * 50), rel_tol=0.01):
        return "without γ it would be as quick as that: it is g/γ that tells the factors apart"
    if math.isclose(answer, 2 * 1000 / (0.0005 * 60), rel_tol=0.01):
        return "it is the difference of the two that counts"
    if math.isclose(answer, 1000 / (0.0005 * 50), rel_tol=0.01):
        return "that is the time to come apart by 1"
    if math.isclose(answer, 2 * 1000 / 50, rel_tol=0.01):
        return "the learning rate is missing"
    return "steps · 0.0005 · (g₁ − g₂)/γ = 2"


def _half_for_the_mean(answer: float) -> str | None:
    if math.isclose(answer, math.log(8), rel_tol=0.01):
        return None
    if math.isclose(answer, 0.5 * math.log(1 + 8), rel_tol=0.01):
        return "that is the fee of a high rate; the fee itself depends on the rate"
    if math.isclose(answer, math.log(1 + 8), rel_tol=0.01):
        return "close: that is where the fee of a high rate would be half, but it has not been reached there"
    if math.isclose(answer, 0.5 * math.log(8), rel_tol=0.01):
        return "that is the information; the rate is twice as much"
    if math.isclose(answer, math.log2(8), rel_tol=0.01):
        return "these are bits"
    return "½·log(1 + SNR) must be half of ½·log(1 + 9·SNR); square until no root is left"


def _price_of_unknown_colours(answer: float) -> str | None:
    right = (math.log(2) - 0.5) * 100 * 3
    if math.isclose(answer, right, rel_tol=0.01):
        return None
    if math.isclose(answer, math.log(2) * 300, rel_tol=0.01):
        return "that is the whole loss; who knows the colours pays as well, ½ nat a pixel and channel on average"
    if math.isclose(answer, right / 3, rel_tol=0.01):
        return "there are three channels"
    if math.isclose(answer, right / 100, rel_tol=0.01):
        return "that is one pixel's"
    if math.isclose(answer, right / math.log(2), rel_tol=0.01):
        return "these are bits"
    return "per pixel and channel: the entropy at the mean brightness, less the mean entropy"


def _gap_of_a_table(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    information = torch.tensor([[0.1, 1.2, 0.3, 0.0], [0.5, 0.4, 0.0, 0.1], [0.0, 0.0, 2.0, 0.2]], dtype=torch.float64)
    entropy = torch.tensor([1.5, 1.1, 3.0], dtype=torch.float64)
    best, second = information.topk(2, dim=1).values.T
    got = torch.as_tensor(answer(information, entropy)).double()
    if got.numel() != 1:
        return f"it must give one number, got shape {tuple(got.shape)}"
    for formula, problem in (
        (((best - second) / entropy).mean(), None),
        ((best - second).mean(), "divide each gap by the entropy of its factor"),
        ((best / entropy).mean(), "subtract what the second best latent tells"),
        ((best - second).sum() / entropy.sum(), "the mean of the ratios, not the ratio of the sums"),
        (((best - information.mean(1)) / entropy).mean(), "the second best latent, not the average one"),
        (((best - information.amin(1)) / entropy).mean(), "the second best latent, not the worst"),
    ):
        if math.isclose(got.item(), formula.item(), rel_tol=1e-4):
            return problem
    return f"it gives {got.item():.4f}, expected {((best - second) / entropy).mean().item():.4f}"


def _split_of_factors(answer: Any) -> str | None:
    rates = torch.as_tensor(answer, dtype=torch.float32).detach()
    if rates.shape != (5,):
        return f"five rates, of shape, scale, orientation, x and y; got shape {tuple(rates.shape)}"
    if not (rates >= 0).all() or abs(rates.sum().item() - 11.1) > 0.02:
        return f"rates must not be negative and must add up to 11.1 nats, got {rates.sum().item():.2f}"
    channels = SpriteChannels("centred")
    with torch.no_grad():
        got = distortion(channels, rates, sobol(channels, 512)).mean().item()
    if got < 75:
        return None
    hint = "the angle has none: of three nats for it half go into what the picture shows" if rates[2] < 1 else "go on"
    return f"D = {got:.0f} nats, less than 75 is possible: {hint}"


def _even_step(answer: Callable[[torch.Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((4, 6), (6, 4)):
        gradient = torch.randn(shape, generator=generator, dtype=torch.float64)
        u, s, vt = torch.linalg.svd(gradient, full_matrices=False)
        got = torch.as_tensor(answer(gradient)).double()
        if got.shape != gradient.shape:
            return f"of a gradient {shape} it must give a step {shape}, not {tuple(got.shape)}"
        if torch.allclose(got, u @ vt, atol=1e-5):
            continue
        for formula, problem in (
            (-u @ vt, "the sign: the step is subtracted later"),
            (gradient / gradient.norm(), "that is the gradient, only shorter: strong directions are still strong"),
            (gradient / s[0], "that is the gradient, only shorter: strong directions are still strong"),
            (gradient.sign(), "that evens out the entries, not the directions"),
            (gradient, "that is the gradient itself"),
        ):
            if torch.allclose(got, formula, atol=1e-5):
                return problem
        return "all singular values of the step must be 1, with the gradient's own directions"
    return None


def _floor_of_a_grey_chair(answer: float) -> str | None:
    grey = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    for value, problem in (
        (600 * grey, None),
        (4096 * grey, "a white pixel has no entropy: only the chair counts"),
        (600 * grey / math.log(2), "these are bits"),
        (-600 * math.log(0.8), "that is −log 0.8: half of the story, the pixel may also come out 0"),
        (0.0, "an exact drawing of grey is not free: the loss at x is the entropy of x"),
    ):
        if math.isclose(answer, value, rel_tol=0.01, abs_tol=1e-6):
            return problem
    return "the entropy of a Bernoulli at 0.8, 600 times"


def _saved_by_a_class(answer: Callable[[torch.Tensor, torch.Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    classes = torch.tensor([0, 0, 0, 1, 2, 2])  # not equally frequent
    images = torch.rand(6, 1, 4, 4, generator=generator, dtype=torch.float64)

    def entropy(p: torch.Tensor) -> torch.Tensor:
        return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum((-3, -2, -1))

    costs = torch.stack([entropy(images[classes == c].mean(0)) for c in range(3)])
    nothing, count = entropy(images.mean(0)), torch.tensor([3.0, 1.0, 2.0])
    got = torch.as_tensor(answer(images, classes)).double()
    if got.numel() != 1:
        return f"it must give one number, got shape {tuple(got.shape)}"
    right = (nothing - (costs * count).sum() / 6).item()
    for value, problem in (
        (right, None),
        ((nothing - costs.mean()).item(), "weigh each class by how many pictures it has"),
        ((nothing - entropy(images).mean()).item(), "that is who knows the whole picture; draw the mean of the class"),
        (-right, "saved is what nothing costs less what the class costs"),
    ):
        if math.isclose(got.item(), value, rel_tol=1e-4):
            return problem
    return f"it gives {got.item():.4f}, expected {right:.4f}"


def _entry_of_a_ray(answer: Callable[[float, float, float, float], float]) -> str | None:
    for s1, v, top, elevation in ((-0.5, 0.3, 0.2, 0.35), (0.4, -0.2, 0.5, 0.52), (0.1, 0.6, 0.0, 1.2)):
        got, above = float(answer(s1, v, top, elevation)), (v - top * math.cos(elevation)) / math.sin(elevation)
        if math.isclose(got, max(s1, above), rel_tol=1e-5, abs_tol=1e-9):
            continue
        if math.isclose(got, min(s1, above), rel_tol=1e-5, abs_tol=1e-9):
            return "the ray is inside when it has entered both: the later of the two"
        return "solve v = z·cos θ + s·sin θ for s at the height of the top, and take the later of the two entries"
    return None


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "1.1": _gap_of_linear_model,
    "1.2": _floor_of_grey,
    "1.3": _reparametrised,
    "1.4": _beta_of_squared_error,
    "2.1": _kl_of_std,
    "2.2": _capacity_in_bits,
    "2.3": _onset,
    "2.4": _cost_of_the_mean,
    "3.1": _probability_of_confusion,
    "3.2": _overlap,
    "3.3": _expected_error,
    "4.1": _beta_of_pixel_means,
    "4.2": _critical_width,
    "4.3": _faint_gain,
    "4.4": _axis_angle,
    "5.1": _fee_of_shape,
    "5.2": _best_picture,
    "5.3": _steps_apart,
    "5.4": _half_for_the_mean,
    "6.1": _price_of_unknown_colours,
    "6.2": _gap_of_a_table,
    "6.3": _split_of_factors,
    "6.4": _even_step,
    "7.1": _floor_of_a_grey_chair,
    "7.2": _saved_by_a_class,
    "7.3": _entry_of_a_ray,
}
