"""The course's experiments by name. Taught in chapters 4 to 11."""

import difflib

from minivae.datasets import Blobs, Chairs, ColouredSprites, Sprites
from minivae.experiment import Experiment
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import ELBO, BetaELBO, CapacityELBO, LinearSchedule, PolylineSchedule

# where β is a Lagrange multiplier it begins near the price of the first few nats
_FIGURE_3, _FIGURE_4 = LinearSchedule(0.5, 25.0, 0, 100_000), LinearSchedule(0.0, 25.0, 0, 100_000)
_CAPACITY_3, _LAGRANGE_3 = CapacityELBO(1000.0, _FIGURE_3), LagrangianELBO(_FIGURE_3, beta=50.0)
_CAPACITY_4, _LAGRANGE_4 = CapacityELBO(1000.0, _FIGURE_4), LagrangianELBO(_FIGURE_4, beta=50.0)
_CHAIRS = Chairs(number=86_366)  # as many pictures as the published set has, 62 of each of 1,393 models
# ends as a plain VAE, but x and y, and then scale, have the first latents to themselves
_OPENED = {
    "objective": LagrangianELBO(
        PolylineSchedule(((0, 0.0), (3_000, 3.2), (6_000, 8.0), (6_001, 25.0))), gain=0.004, beta=100.0, least=1.0,
        openings=((0, 2), (3_000, 3), (6_000, 10)),
    ),
    "optimizer": "muon", "learning_rate": 2e-3, "cooldown": 0.5, "reset_dormant": 500,
}  # fmt: skip

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in [
    Experiment("blobs-vae", Blobs(), ELBO(), about="Figure 2, left: a standard VAE on blob position"),
    Experiment("blobs-beta150", Blobs(), BetaELBO(150.0), about="Figure 2, right: β = 150 on blob position"),
    Experiment("blobs-beta150-long", Blobs(), BetaELBO(150.0), 30_000, about="chapter 7: a seed that turns late"),
    Experiment("blobs-diamond", Blobs(domain="diamond"), BetaELBO(100.0), about="chapter 7: the domain turned by 45°"),
    Experiment("blobs-disc", Blobs(domain="disc"), BetaELBO(100.0), about="chapter 7: a domain without corners"),
    # 16 px from it, the edge of the canvas cuts no blob of width 5: nothing but the pixels themselves favours x and y
    Experiment("blobs-inner-disc", Blobs(5.0, 16.0, "disc"), BetaELBO(55.0), 6_000,
               about="chapter 7: a domain without corners"),
    # the collapse threshold is β_c = 97 for σ = 4 and 203 for σ = 6: 30 % below and above it
    Experiment("blobs-s4-below", Blobs(4.0), BetaELBO(68.0), 2_000, about="chapter 4: σ = 4 below its threshold"),
    Experiment("blobs-s4-above", Blobs(4.0), BetaELBO(126.0), 2_000, about="chapter 4: σ = 4 above its threshold"),
    Experiment("blobs-s6-below", Blobs(6.0), BetaELBO(142.0), 2_000, about="chapter 4: σ = 6 below its threshold"),
    Experiment("blobs-s6-above", Blobs(6.0), BetaELBO(264.0), 2_000, about="chapter 4: σ = 6 above its threshold"),
    Experiment("generator", Sprites(), _CAPACITY_3, 100_000, 5, model="generator",
               about="Figure 3: a decoder told the factors, C from 0.5 to 25 nats"),
    Experiment("generator-centred", Sprites(), _CAPACITY_3, 100_000, 5, model="generator-centred",
               about="chapter 8: the same, told the factors without their mean"),
    Experiment("generator-lagrangian", Sprites(), _LAGRANGE_3, 100_000, 5, model="generator",
               about="chapter 8: Figure 3 with β as a Lagrange multiplier"),
    Experiment("generator-lagrangian-centred", Sprites(), _LAGRANGE_3, 100_000, 5, model="generator-centred",
               about="chapter 8: the same, told the factors without their mean"),
    Experiment("coloured-vae", ColouredSprites(), ELBO(), 100_000, about="chapter 6: a standard VAE"),
    Experiment("coloured-beta4", ColouredSprites(), BetaELBO(4.0), 100_000, about="chapter 6: β = 4"),
    Experiment("coloured-capacity", ColouredSprites(), _CAPACITY_4, 100_000,
               about="Figure 4a: capacity-controlled β-VAE on coloured sprites, C from 0 to 25 nats"),
    Experiment("coloured-lagrangian", ColouredSprites(), _LAGRANGE_4, 100_000,
               about="chapter 6: Figure 4a with β as a Lagrange multiplier"),
    Experiment("coloured-opened", ColouredSprites(), steps=100_000, **_OPENED,
               about="chapter 10: latents opened a few at a time, and Muon, C up to 25 nats"),
    Experiment("sprites-vae", Sprites(), ELBO(), 40_000, about="chapter 6: a standard VAE on white sprites"),
    Experiment("sprites-capacity", Sprites(), _CAPACITY_4, 100_000,
               about="chapter 6: capacity-controlled β-VAE on white sprites"),
    Experiment("sprites-opened", Sprites(), steps=40_000, **_OPENED,
               about="chapter 10: latents opened a few at a time, and Muon, on white sprites"),
    Experiment("chairs-vae", _CHAIRS, ELBO(), 40_000, about="chapter 11: a standard VAE on rendered chairs"),
    Experiment("chairs", _CHAIRS, _CAPACITY_4, 100_000,
               about="Figure 4b: capacity-controlled β-VAE on rendered chairs, C from 0 to 25 nats"),
    Experiment("chairs-32", _CHAIRS, _CAPACITY_4, 100_000, 32, about="chapter 11: the same with 32 latents"),
    Experiment("chairs-opened", _CHAIRS, steps=40_000, **_OPENED,
               about="chapter 11: latents opened a few at a time, and Muon, on rendered chairs"),
]}  # fmt: skip


def get(name: str, known: dict[str, Experiment] = EXPERIMENTS) -> Experiment:
    """The experiment of that name among those known, else ValueError with the nearest; see also `engine.catalogue`."""
    if name not in known:
        near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown experiment {name!r}: {hint}known are {', '.join(known)}")
    return known[name]
