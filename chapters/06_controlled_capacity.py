# %% [markdown]
# # Chapter 6 · Raise the capacity of a VAE, and measure what comes apart
#
# Burgess et al. (2018) end with a promise: raise the capacity C of a β-VAE slowly, and it gives "robust disentangling of all factors *and* high-quality reconstruction, without the trade-off". Their evidence is Figure 4: rows of pictures. There is no number in it.
#
# This chapter trains what they describe, on their coloured sprites and three seeds, and measures it. Then it asks three questions that a row of pictures cannot answer. How far is the result from what a model of this kind could reach? Why does it stop there? And: are the factors what the objective asks for at all?
#
# **By the end you will have shown that**
#
# 1. the published objective holds the KL at C, brings x and y, then scale, each into a latent of its own, and stops: 25 nats in three latents, with a reconstruction 190 nats above its floor, where a plain VAE is 56 above it;
# 2. what it lost on the way: while KL is dear most of the encoder's channels fall silent, and of colour there is nothing left in its last layer from which a fourth latent could grow;
# 3. a free encoder *should not* separate everything. With the same nats, "how large is the area" draws better pictures than "scale", and "wide or tall" better ones than "shape". This takes no network to show;
# 4. another optimizer and a schedule that opens latents a few at a time go on where γ = 1000 stops, at a fraction of the cost; and what that is worth, metric by metric.
#
# **You need** the KL as a channel's rate (chapter 2), β as a price (chapter 4), the best split and the Lagrange multiplier (chapter 5). A little PyTorch.
# **Time:** 60 minutes to read, under 3 minutes of CPU time.

# %% [markdown]
# ## A puzzle before we start
#
# Write down your guesses.
#
# - You may send one number about a sprite of known place: its scale (0.5 to 1), or its area in pixels. Which lets a friend draw it better?
# - You may send one more: its shape (square, ellipse, heart), or whether it is wider than tall. Which?
# - A code holds x in one latent and y in another, perfectly, and nothing else. There are five factors. What is its MIG, the "mutual information gap", a score from 0 to 1?

# %% [markdown]
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $C$ | capacity: what the KLs of all latents should add up to | nats |
# | $\gamma$ | price of missing $C$ by a nat | nats per nat |
# | $\beta$ | price of a nat of KL | nats per nat |
# | excess | reconstruction above its floor, that of the best possible drawing of grey and coloured pixels (chapter 1) | nats per picture |
# | $I(z_i; f)$ | mutual information of a latent's mean, cut into bins, and a factor | nats |
# | $H(f)$ | entropy of a factor | nats |
# | $G = U S V^\top$ | gradient of a layer's weights, and its singular value decomposition | – |
#
# Losses are **sums over pixels and latents and means over the batch, in nats**. The symbols of the whole course are in
# [NOTATION.md](NOTATION.md).

# %%
import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from minivae import experiments, figures, metrics
from minivae.bayes import SpriteChannels, distortion, sobol
from minivae.checks import check
from minivae.datasets import ColouredSprites, Sprites
from minivae.objectives import CapacityELBO, LagrangianELBO, LinearSchedule, bernoulli_floor
from minivae.optimal import RateDistortion
from minivae.optimizers import orthogonal
from minivae.runs import Run
from minivae.training import train
from minivae.widgets import CompareExplorer, TrainingExplorer, TraversalExplorer

RUNS, SCORES, LIMITS = Path("../data/runs"), Path("../data/metrics"), Path("../data/limits")

# %% [markdown]
# ## 1. The objective
#
# Equation 8 of the paper. Chapter 5 used it for a decoder that was told the factors; now the encoder is back, and has to find them:
#
# $$ \mathcal L = \mathbb E_{q(z|x)}\left[-\log p(x \mid z)\right] + \gamma \left| \mathrm{KL}\left(q(z \mid x) \,\Vert\, p(z)\right) - C \right| , \qquad \gamma = 1000,\quad C \text{ from 0 to 25 nats.} $$


# %%
def by_hand(reconstruction, kl, step, gamma=1000.0, last=100_000):
    """Loss from the batch's mean reconstruction, its mean KL per latent, and the step."""
    C = 25.0 * min(1.0, step / last)
    return reconstruction + gamma * abs(kl.sum() - C)


kl = torch.tensor([2.0, 1.5, 0.25])
for step in (0, 10_000, 60_000, 200_000):
    ours, theirs = by_hand(300.0, kl, step), CapacityELBO(1000.0, LinearSchedule(0.0, 25.0, 0, 100_000))
    assert torch.isclose(ours, theirs(torch.tensor(300.0), kl, step))
print("by hand and minivae.objectives.CapacityELBO agree")

# %% [markdown]
# The pictures are sprites in three colour channels, each uniform on [0.5, 1] and drawn anew every time: eight things to know of a picture.

# %%
data, white = ColouredSprites(), Sprites()
pictures, factors = data.sample(512, torch.Generator().manual_seed(0))
figures.image_row(pictures[:8])
plt.show()
ink = (pictures > 0).any(1).sum((1, 2)).double().mean().item()
floor = bernoulli_floor(pictures).mean().item()
print(f"a sprite covers {ink:.0f} pixels; floor of the reconstruction: {floor:.0f} nats")
assert 255 < floor < 267

# %% [markdown]
# *Figure 6.1. Eight of the pictures.*

# %% [markdown]
# ## 2. What the published recipe does
#
# 100,000 steps of it are an hour of one core. The recorded runs:

# %%
methods = {
    "plain VAE": ["coloured-vae-seed0"],
    "β = 4": ["coloured-beta4-seed0"],
    "γ = 1000 (paper)": [f"coloured-capacity-seed{seed}" for seed in range(3)],
    "multiplier": ["coloured-lagrangian-seed0"],
}
white_methods = {
    "opened": ["sprites-opened-seed0"],
}
runs = {name: Run.load(RUNS / f"{name}.h5") for names in (*methods.values(), *white_methods.values()) for name in names}
published = [runs[name] for name in methods["γ = 1000 (paper)"]]
print(published[1].made["command"], f"# {published[1].made['seconds'] / 60:.0f} minutes", sep="  ")
figures.kl_history({f"γ = 1000, seed {run.seed}": run for run in published})
plt.show()


# %%
def smooth(run, window=50):
    """Steps, KL per latent and reconstruction of a run's history, in means of so many rows."""
    rows = len(run.history["step"]) // window * window
    return [
        run.history[name][:rows].reshape(-1, window, *run.history[name].shape[1:]).mean(1)
        for name in ("step", "kl", "reconstruction")
    ]


for run in published:
    steps, kl, _ = smooth(run)
    C = np.array([run.experiment.objective.schedule(step) for step in steps])
    off = np.abs(kl.sum(1) - C).max()
    print(f"seed {run.seed}: the KL is never more than {off:.2f} nats off C")
    assert off < 1

# %% [markdown]
# *Figure 6.2. KL of each latent over the training, published objective, three seeds.*
#
# **What you should see.** The KL keeps to C. Two latents come alive together, a third after them, and then *no other*: they share whatever C brings. Chapter 5's best split brings position first and then scale; and that is who they are. For every latent and every factor, ask how much of the factor's variance the latent explains (R², from the latent's mean cut into 20 bins; orientation counts modulo the turn after which a shape looks the same):


# %%
def encoded(name, points=3000):
    run = runs[name]
    codes, made_from, nll, floor, kl = metrics.encode(run.model(), run.experiment.dataset, points)
    table = metrics.alignment(codes, run.experiment.dataset, made_from)
    return table, kl, nll - floor, codes, made_from


found = {name: encoded(name) for name in runs}
shown = {"plain VAE": "coloured-vae-seed0", "β = 4": "coloured-beta4-seed0", "γ = 1000": "coloured-capacity-seed0"}
figures.alignments(
    {title: found[name][0] for title, name in shown.items()}, {title: found[name][1] for title, name in shown.items()}
)
plt.show()

# %%
onset = {}
for run in published:
    table, kl, excess, *_ = found[f"coloured-capacity-seed{run.seed}"]
    alive = (kl > 0.1).nonzero().flatten().tolist()
    steps, history, _ = smooth(run)
    starts = {i: steps[(history[:, i] > 0.5).argmax()] / 4000 for i in alive}  # C in nats: 25 over 100,000 steps
    scale = max(alive, key=lambda i: table["scale"][i])
    place = [i for i in alive if i != scale]
    onset[run.seed] = max(starts[i] for i in place), starts[scale]
    straight = min(max(table[axis][i].item() for i in place) for axis in ("x", "y"))
    print(
        f"seed {run.seed}: {len(alive)} living latents with {kl[alive].sum():.1f} nats; place from C = {onset[run.seed][0]:.1f}, "
        f"scale from {onset[run.seed][1]:.1f}; x and y apart: R² {straight:.2f}; excess {excess:.0f} nats"
    )
    assert len(alive) == 3 and onset[run.seed][0] < 2 < 5 < onset[run.seed][1]
    assert min(table["x"][place].sum(), table["y"][place].sum()) > 0.9 and table["scale"][scale] > 0.7
    assert 180 < excess < 200

# %% [markdown]
# *Figure 6.3. Which latent holds which factor (R²), latents by KL from left to right.*
#
# **What you should see.** The order of chapter 5: the place, then scale. On one seed x and y have a latent each; on another they are turned by nearly 45°, as nothing but the ends of the range favours the axes (chapter 4), and once a code is turned and clear, no gradient brings it back. Shape, orientation and colour: nothing. 25 nats go into three numbers, eight or nine into each, where chapter 5 has four nats for a place known to half a pixel.
#
# Figure 4 of the paper draws this as rows of pictures. Ours:

# %%
originals = data.sample(256, torch.Generator().manual_seed(5))[0]
figures.latent_rows(runs["coloured-capacity-seed0"].model(), originals, rows=5, title="γ = 1000, C up to 25 nats")
plt.show()

# %% [markdown]
# *Figure 6.4. Originals, reconstructions, and traversals of the latents, ordered by KL, published objective.* The paper's rows show y, x, scale, shape, rotation and three colours, one each. In ours the reconstructions are white blobs of the right place and size.
#
# ## 3. Numbers for pictures
#
# R² says which latent knows what. A single number that is widely used: **MIG**, the mutual information gap. For every factor take the two latents that tell most of it; the lead of the first, in units of the factor's entropy, is the gap; MIG is the mean over the factors:
#
# $$ \mathrm{MIG} = \frac1K \sum_{k} \frac{I(z_{i_1}; f_k) - I(z_{i_2}; f_k)}{H(f_k)} . $$


# %%
def mig_by_hand(codes, classes, bins=20):
    """codes (n, latents), classes (n, factors) → MIG, with latents cut into equal bins between their extremes."""
    gaps = []
    for f in classes.T:
        told = []
        for z in codes.T.contiguous():
            edges = torch.linspace(z.min(), z.max(), bins + 1)[1:-1]
            joint = torch.zeros(bins, int(f.max()) + 1)
            joint.index_put_((torch.bucketize(z, edges), f), torch.tensor(1 / len(f)), accumulate=True)
            independent = joint.sum(1, keepdim=True) * joint.sum(0)
            told.append(torch.xlogy(joint, joint / independent.clamp_min(1e-12)).sum())
        share = torch.bincount(f) / len(f)
        first, second = torch.stack(told).topk(2).values
        gaps.append((first - second) / -torch.xlogy(share, share).sum())
    return torch.stack(gaps).mean().item()


some, some_factors = found["coloured-beta4-seed0"][3:]
names, classes = metrics.factor_classes(data, some_factors)
assert abs(mig_by_hand(some, classes) - metrics.mig(some, classes)) < 1e-3
print(f"MIG of β = 4 on {len(some):,} pictures, by hand and by minivae.metrics: {metrics.mig(some, classes):.3f}")

# %% [markdown]
# Before a number is used it should be tried on codes whose score is known. Take white sprites, five factors, and let the "latents" be the factors themselves, or two of them turned by 45°, or all of them mixed:

# %%
lattice = white.sample_classes(10_000, torch.Generator().manual_seed(1))[:, 1:]
perfect = (lattice.double() - lattice.double().mean(0)) / lattice.double().std(0)
turned = perfect.clone()
turned[:, 3:] = perfect[:, 3:] @ (torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64) / 2**0.5)
mixed = perfect @ torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).double())[0]
place_only = torch.cat([perfect[:, 3:], torch.randn(10_000, 3, generator=torch.Generator().manual_seed(2))], 1)
known = {"perfect": perfect, "x and y turned by 45°": turned, "all mixed": mixed, "x and y, and noise": place_only}
print(f"{'code':24} MIG   MIG, own bins")
scores = {}
for title, codes in known.items():
    scores[title] = metrics.mig(codes.float(), lattice), metrics.mig(codes.float(), lattice, None)
    print(f"{title:24} {scores[title][0]:.2f}  {scores[title][1]:.2f}")
assert 0.85 < scores["perfect"][0] < 0.92 and scores["perfect"][1] > 0.97
assert scores["all mixed"][0] < 0.1 and 0.3 < scores["x and y, and noise"][0] < 0.4

# %% [markdown]
# Twenty bins cannot tell 32 places and 40 angles apart, so a perfect code has 0.89. (The third puzzle: x and y alone make 0.34 of it with 20 bins, 0.40 at best.) Keep these in mind: on five factors a score of 0.3 is what x and y alone would have.
#
# DCI, the FactorVAE score, the β-VAE score and SAP are in `minivae.metrics`, with their definitions; section 7 has them all.
#
# ## 4. Why it stops at three
#
# Chapter 5 gave one reason: under Adam, γ = 1000 drowns the small differences in worth that would move nats from one latent to another, and a latent that has none gets none. There is a second, and only an encoder can have it. Look inside. A unit behind a ReLU that is 0 for every picture gets no gradient, and is 0 for good: it is **silent**. How many of the encoder's channels are, and what could a fourth latent learn from its last layer, by linear regression?


# %%
@torch.no_grad()
def silent(model, images):
    """Share of the units of each layer of the encoder that are 0 for every image."""
    shares, h = [], images
    for layer in model.encoder.net:
        h = layer(h)
        if isinstance(layer, nn.ReLU):
            shares.append((h == 0).transpose(0, 1).flatten(1).all(1).double().mean().item())
    return shares


@torch.no_grad()
def readable(model, images, targets):
    """R² of a linear regression from the encoder's last hidden layer, on pictures that it was not fitted to."""
    h = model.encoder.net[:-1](images).double()
    h, y = torch.cat([h, torch.ones(len(h), 1)], 1), targets - targets.mean(0)
    n = len(h) * 2 // 3
    fit = torch.linalg.solve(h[:n].T @ h[:n] + 0.01 * torch.eye(h.shape[1]), h[:n].T @ y[:n])
    return 1 - (y[n:] - h[n:] @ fit).square().mean(0) / y[n:].var(0)


probe, probed = data.sample(3000, torch.Generator().manual_seed(1))
rgb = probed[:, -3:].double()
targets = torch.stack(
    [probed[:, 4].double(), probed[:, 5].double(), probed[:, 2].double(), rgb.sum(1), rgb[:, 0] - rgb[:, 1]], dim=1
)
models = {"before training": experiments.get("coloured-vae").build(torch.Generator().manual_seed(0))}
models |= {title: runs[name].model() for title, names in methods.items() for name in names[:1]}
print("                   silent, convolutions 1–4      linear   readable: x    y    scale  brightness  red − green")
inside = {}
for title, model in models.items():
    inside[title] = silent(model, probe[:512]), readable(model, probe, targets).tolist()
    quiet, told = inside[title]
    print(
        f"{title:18}" + "".join(f"{share:6.0%}" for share in quiet) + "        "
        + "".join(f"{max(R2, 0):6.2f}" for R2 in told)
    )  # fmt: skip
quiet, told = inside["γ = 1000 (paper)"]
assert min(quiet[1:4]) > 0.7 and max(told[3:]) < 0.15 < 0.8 < min(told[:3])
assert max(inside["plain VAE"][0][:4]) < 0.2 and inside["β = 4"][1][3] > 0.9

# %% [markdown]
# **What you should see.** With γ = 1000, nine of ten channels of the second, third and fourth convolution are silent: three of 32 are left. They suffice for place and size. Brightness, which even random weights tell (first line), is gone, and the difference of two colours with it. β = 4 reads brightness as well as it reads scale; but a *difference* of colours is to be seen only in a plain VAE, and there faintly.
#
# Silence is not the whole reason: a plain VAE keeps its channels and hardly sees colour either. Colours have a difficulty of their own. Take the pixels of the sprites as vectors (red, green, blue), and ask how strong each direction is:

# %%
pixels = pictures.permute(0, 2, 3, 1).reshape(-1, 3).double()
strength = torch.linalg.eigvalsh(pixels.T @ pixels / len(pixels))
print(f"brightness : a difference of colours = {strength[2] / strength[0]:.0f} : 1 in the encoder's input")
assert 70 < strength[2] / strength[0] < 95
r = torch.linspace(0.5, 1, 100_001, dtype=torch.float64)
H = -(torch.xlogy(r, r) + torch.xlogy(1 - r, 1 - r))
unknown = 0.75 * -np.log(0.75) - 0.25 * np.log(0.25) - H.mean().item()
print(f"not to know the colours costs {unknown * ink * 3:.1f} nats, {unknown:.4f} a pixel and channel")
assert 31 < unknown * ink * 3 < 34

# %% [markdown]
# In the input, differences of colours are nine times fainter than brightness (√80); in the loss they are worth two thirds of 32 nats. While an encoder cannot tell colours the decoder's three outputs grow equal, and while they are equal no gradient tells the encoder about colours: both sit still. This is a saddle, and to leave it takes long.
#
# ## 5. What the objective asks for
#
# Suppose the training had no difficulty at all. Would the best code hold scale in one latent and shape in another? Chapter 5 has the tool: the best decoder of a code that is sent through noisy channels, `E[x | z]`. There the codes were the factors. Now send something else. Instead of scale, say, the square root of the **area**; instead of shape, whether the sprite is **wide or tall**, the difference of the two moments of inertia over their sum.

# %%
sprites = SpriteChannels("centred").templates.double().view(3, 6, 40, -1)  # shape, scale, orientation, pixels
side = int(sprites.shape[-1] ** 0.5)
ramp = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
u, v = ramp.repeat(side), ramp.repeat_interleave(side)  # of each pixel: how far right, how far down
area = sprites.sum(-1)


def spread(along):
    centre = (sprites * along).sum(-1) / area
    return (sprites * along**2).sum(-1) / area - centre**2


wide = (spread(u) - spread(v)) / (spread(u) + spread(v))
codes = {
    "scale": {},
    "√area": {"scale": area.sqrt()},
    "√area, shape": {"scale": area.sqrt()},
    "√area, wide or tall": {"scale": area.sqrt(), "shape": wide},
    "scale, shape": {},
    "scale, wide or tall": {"shape": wide},
}


@torch.no_grad()
def loss(code, rates):
    """Reconstruction of the best decoder, in nats, of channels with these rates (shape, scale, orientation, x, y)."""
    channels = SpriteChannels("centred", code)
    return distortion(channels, torch.tensor(rates), sobol(channels, 1024)).mean().item()


D = {}
for C, rates in ((7.5, [0.0, 1.7, 0.0, 2.9, 2.9]), (11.1, [2.0, 2.3, 0.0, 3.4, 3.4])):
    print(f"{C} nats, of them {rates[3]} for x and for y, {rates[1]} for size, {rates[0]} for the fourth")
    for title, code in codes.items():
        if ("," in title) == (rates[0] > 0):
            D[title] = loss(code, rates)
            print(f"    {title:20} D = {D[title]:.0f}")
assert D["√area"] < D["scale"] - 10
assert D["scale, wide or tall"] < D["scale, shape"] - 3 and D["√area, wide or tall"] < D["√area, shape"] - 10

# %% [markdown]
# **What you should see.** With the same nats, area is fifteen nats better than scale (the first puzzle): an ellipse is smaller than a square of the same "scale", and who knows the area has half of the shape as well. Then "wide or tall" beats shape, by fifteen nats when the area is known (the second): of a square it says nothing, of an ellipse it says the angle, and the friend needs an angle more than a name.
#
# And x? A sprite's published place is the point about which it turns. A heart turned upside down has its **centroid**, the mean of its pixels, below that point, and it is the centroid that a picture shows. To send it is to send the place of a sprite that is drawn with its centroid where the turning point was; to the nearest pixel:

# %%
centre = torch.stack([(sprites * along).sum(-1) / area for along in (v, u)], -1)  # (3, 6, 40, down and right)
rates = [0.0, 1.7, 0.0, 2.9, 2.9]
by_centroid = SpriteChannels("centred", {"scale": area.sqrt()})
by_centroid.templates = torch.stack(
    [
        picture.roll((-offset).round().long().tolist(), dims=(0, 1))
        for picture, offset in zip(by_centroid.templates, centre.view(-1, 2), strict=True)
    ]
)
print(f"from centroid to turning point: {centre.view(-1, 2).std(0, correction=0).norm():.1f} pixels")
for title, channels in (
    ("turning point", SpriteChannels("centred", {"scale": area.sqrt()})),
    ("centroid", by_centroid),
):
    with torch.no_grad():
        D[title] = distortion(channels, torch.tensor(rates), sobol(channels, 1024)).mean().item()
    print(f"{title:14} D = {D[title]:.0f}")
assert abs(D["turning point"] - D["√area"]) < 0.1 and D["centroid"] < D["turning point"] - 5

# %% [markdown]
# Eight nats more for a shift of less than a pixel, at no cost. So an encoder that is free to choose *ought to* choose codes that mix shape and angle into place, shape into size, and shape with orientation. No training can be blamed for that: it is what the objective asks for. How well would those ideal codes score? Give the two coordinates of the centroid, √area, wide-or-tall and its sister, turned by 45°, a latent each:

# %%
slant = 2 * (
    (sprites * u * v).sum(-1) / area - (sprites * u).sum(-1) * (sprites * v).sum(-1) / area**2
) / (spread(u) + spread(v))  # fmt: skip
where = tuple(lattice[:, :3].T)
place = lattice[:, 3:] * 32 / 31 + centre[where].flip(-1)  # x and y in pixels
pays = torch.stack([area.sqrt()[where], wide[where], slant[where], *place.T], dim=1).float()
pivots = torch.cat([pays[:, :3], perfect[:, 3:].float()], dim=1)
ideal = metrics.mig(pays, lattice)
print(f"MIG of that code: {ideal:.2f}; with turning points for centroids: {metrics.mig(pivots, lattice):.2f}")
made = torch.cat([torch.zeros(len(lattice), 1, dtype=torch.long), lattice], 1)
figures.alignments({"what pays": metrics.alignment(pays, white, made)})
plt.show()
assert 0.3 < ideal < metrics.mig(pivots, lattice) - 0.03 < scores["perfect"][0] - 0.2

# %% [markdown]
# *Figure 6.5. R² of every factor in a code of area ($z_0$), wide-or-tall ($z_1$), slant ($z_2$) and the centroid ($z_3$, $z_4$).*
#
# R² of x is still above 0.99: to tell 32 places apart is a finer business than to explain a variance. (The latents here are ideal numbers, without noise; that of a posterior lowers the score further.) Place and size come nearly apart; "shape" and "orientation" come mixed, because pictures of them are.
#
# **What would falsify it.** A code that holds scale and shape in latents of their own and beats these at the same nats. Exercise 6.3 lets you look for one.
#
# ## 6. A training that goes on
#
# Three changes, each against one of the obstacles.
#
# **A multiplier** in place of γ (chapter 5): reconstruction + β · KL, where β climbs while the KL is above C and falls while it is below.
#
# **Order.** Two latents are open at first, for the place; then a third, for size; then all. While a latent is closed it has no KL. When it opens it begins *loud*: its mean is a random function of what the encoder's last layer sees, with a standard deviation of 2. A faint signal is not worth its price while the decoder cannot read it, and fades before it has been learnt. The units that have fallen silent get new weights every 500 steps. All these are a few lines in `minivae/models.py` (`wake`, `revive`), and the schedule is part of the experiment:

# %%
recipe = experiments.get("coloured-opened")
print(recipe.objective.openings, recipe.objective.schedule.corners, recipe.optimizer, recipe.learning_rate, sep="\n")

# %% [markdown]
# **Another optimizer.** Chapter 2 solved the linear model: a direction of the data is learnt at a speed in proportion to its strength. Faint ones wait. Adam does not change that: it evens out single weights, and "a difference of colours" or "wide or tall" is no single weight but a direction in thousands of them. *Muon* evens out directions. Write the mean gradient of a layer as $G = U S V^\top$, and step along $U V^\top$: the same directions, all equally long. (No decomposition is needed: a few matrix products do it.)

# %%
generator = torch.Generator().manual_seed(0)
left, right = (torch.linalg.qr(torch.randn(64, 64, generator=generator))[0] for _ in range(2))
strengths = torch.logspace(0, -2, 64)
G = left @ torch.diag(strengths) @ right.T
step = {"Muon": orthogonal(G), "Adam's first": G.sign(), "gradient": G}
figure, axis = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
for i, (title, change) in enumerate(step.items()):
    along = (left.T @ change @ right).diagonal().view(16, 4).mean(1)  # of four neighbours
    axis.plot(
        np.arange(16) * 4 + 2, along / along.max(), color=figures.PALETTE[i], linestyle=figures.DASHES[i], label=title
    )
axis.set(xlabel="direction, strongest first", ylabel="step along it\n(longest = 1)", yscale="log", ylim=(5e-3, 2))
axis.legend(fontsize=8)
plt.show()
lengths = (left.T @ step["Muon"] @ right).diagonal()
assert lengths.min() > 0.55 * lengths.max()
assert torch.dist(step["Muon"], left @ right.T) < 0.25 * torch.dist(torch.zeros(64, 64), left @ right.T)
adam = (left.T @ step["Adam's first"] @ right).diagonal()
assert adam[-8:].mean() < 0.1 * adam[0]

# %% [markdown]
# *Figure 6.6. A gradient whose directions differ in strength by a factor of 100, and how far a step goes along each (mean of four neighbours): the gradient itself, Adam's first step (the sign of every entry) and Muon's.*
#
# See it work, live: white sprites, ten latents, C from 0 to 6 nats in 800 steps.

# %% tags=["nbval-ignore-output"]
ramp = LinearSchedule(0.0, 6.0, 0, 800)
paper = dataclasses.replace(experiments.get("sprites-capacity"), objective=CapacityELBO(1000.0, ramp), steps=800)
multiplier = dataclasses.replace(paper, objective=LagrangianELBO(ramp, rate=0.004, beta=100.0))
muon = dataclasses.replace(multiplier, optimizer="muon", learning_rate=2e-3)
live = {
    title: train(experiment)
    for title, experiment in (("γ = 1000", paper), ("multiplier", multiplier), ("multiplier, Muon", muon))
}

# %% tags=["nbval-ignore-output"]
last = {title: {key: run.history[key][-50:].mean(0) for key in ("kl", "reconstruction")} for title, run in live.items()}
limit = RateDistortion.load(LIMITS / "sprites-centred-seed0.json")
for title, at in last.items():
    best = limit.at(at["kl"].sum())[1]
    print(f"{title:18} {at['kl'].sum():.1f} nats: reconstruction {at['reconstruction']:.0f}, limit {best:.0f}")

# %%
nats = {title: at["reconstruction"] for title, at in last.items()}
assert nats["multiplier, Muon"] < nats["multiplier"] - 20 and nats["multiplier, Muon"] < nats["γ = 1000"] - 60
assert all(4.5 < at["kl"].sum() < 6.5 for at in last.values())
print("with the same nats Muon is ahead of the multiplier, and that of γ = 1000")

# %% [markdown]
# ## 7. All methods, all numbers
#
# The whole runs are recorded, and so are their scores (`python -m minivae measure data/runs/NAME.h5 --json`, two minutes each). One is computed anew here, in part, to show that they are what they say:

# %%
scored = {name: json.loads((SCORES / f"{name}.json").read_text()) for name in runs}
again = metrics.encode(runs["coloured-beta4-seed0"].model(), data, 10_000)
assert (
    abs(metrics.mig(again[0], metrics.factor_classes(data, again[1])[1]) - scored["coloured-beta4-seed0"]["mig"]) < 0.01
)
assert abs(again[2] - scored["coloured-beta4-seed0"]["reconstruction"]) < 1
columns = {"active": "alive", "kl": "KL", "excess": "excess", "mig": "MIG", "dci_disentanglement": "DCI-D",
           "dci_completeness": "DCI-C", "factorvae": "FactorVAE", "betavae": "β-VAE", "sap": "SAP"}  # fmt: skip
for title, table in (("coloured sprites", methods), ("white sprites", white_methods)):
    print(f"{title:30}" + "  ".join(columns.values()) + "  minutes")
    for method, names in table.items():
        for name in names:
            cells = [
                f"{scored[name][key]:{max(len(head), 3)}.{0 if key in ('active', 'excess', 'kl') else 2}f}"
                for key, head in columns.items()
            ]
            minutes = runs[name].made["seconds"] / 60
            print(f"  {method:18} seed {runs[name].seed}    " + "  ".join(cells) + f"  {minutes:7.0f}")

# %% [markdown]
# And the question of the paper, "without the trade-off": MIG against reconstruction. The grey lines are exact. One is the best decoder of true factors, told more and more of them as C grows (chapter 5); the other is the MIG of the code of section 5, that pays better.

# %%
told = [(D, metrics.mig(perfect.float() * (rates > 0.02), lattice)) for D, rates in
        zip(limit.distortions.tolist(), limit.rates, strict=True)]  # fmt: skip
marks = {
    title: {
        method: [(scored[name]["excess"], scored[name]["mig"]) for name in names] for method, names in table.items()
    }
    for title, table in (("coloured sprites", methods), ("white sprites", white_methods))
}
figures.tradeoff(
    marks,
    {"white sprites": {"told the factors": tuple(torch.tensor(told).T), "what pays": (torch.tensor([0.0, 100.0]),
                                                                                    torch.tensor([ideal, ideal]))}},
)  # fmt: skip
plt.show()

# %% [markdown]
# *Figure 6.7. Disentangling (MIG) against reconstruction above its floor, one mark a run. To the left and up is better.*
#
# ## 8. What is true of the claim

# %%
paper = [scored[name] for name in methods["γ = 1000 (paper)"]]
beta4, vae = scored["coloured-beta4-seed0"], scored["coloured-vae-seed0"]
opened = scored["sprites-opened-seed0"]
print(f"γ = 1000: excess {min(p['excess'] for p in paper):.0f} to {max(p['excess'] for p in paper):.0f} nats, "
      f"MIG {min(p['mig'] for p in paper):.2f} to {max(p['mig'] for p in paper):.2f}")  # fmt: skip
print(
    f"β = 4:    excess {beta4['excess']:.0f} nats, MIG {beta4['mig']:.2f}, {beta4['kl']:.1f} nats of KL instead of 25"
)
assert all(p["excess"] > beta4["excess"] + 80 for p in paper)
assert beta4["kl"] < 20 and vae["excess"] < beta4["excess"] < 100
print(f"opened, white sprites: excess {opened['excess']:.0f} nats, MIG {opened['mig']:.2f}; what pays: {ideal:.2f}")
assert opened["excess"] < 25 and 0.2 < opened["mig"] < ideal < 0.45

# %% [markdown]
# **True:** capacity brings factors one after another, in the order that chapter 5 computes, and what comes first comes apart best. The objective holds the KL where one wants it.
#
# **Not true, as published and as far as we could follow it:** "all factors". Three of eight, on three seeds of three; 25 nats of KL and a reconstruction that a fixed β = 4 beats by a hundred nats with 18. γ is not what separates the factors; it is what stops the others.
#
# **Not true of any training of this objective:** that *all factors* is what it asks for. Size comes as area, and shape and angle come mixed, because that draws better pictures (section 5).
#
# **Open:** colour. It is worth 32 nats, no method here has found it whole, and the plain VAE only begins to after 90,000 steps. The eight factors each in a latent of its own have not been reached here by anybody.

# %% [markdown]
# ## 9. Drag the latents
#
# Tasks: (1) In the training, which latent comes alive first, and what does its row move before it is clear? (2) Side by side, move the seed image: which method keeps the sprite's place when it redraws it, and which its colour?

# %% tags=["nbval-ignore-output"]
TrainingExplorer(runs["sprites-opened-seed0"])

# %% tags=["nbval-ignore-output"]
CompareExplorer({title: runs[names[0]] for title, names in methods.items()})

# %% tags=["nbval-ignore-output"]
TraversalExplorer(runs["coloured-beta4-seed0"])

# %% [markdown]
# ## 10. The paper and this chapter, side by side


# %%
def span(key, digits=0):
    values = [p[key] for p in paper]
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


living = [int((found[name][1] > 0.1).sum()) for name in methods["γ = 1000 (paper)"]]
print("Figure 4a                        paper             here, three seeds")
print(f"{'latents above 0.1 nats':32} {'eight drawn':17} {', '.join(str(n) for n in living)}")
print(f"{'factors in a latent of their own':32} {'eight, by eye':17} scale on three seeds, x and y on one")
print(f"{'KL at the end':32} {'25 nats':17} {span('kl')} nats")
print(f"{'reconstruction above its floor':32} {'high quality':17} {span('excess')} nats; plain VAE {vae['excess']:.0f}")
print(f"{'MIG':32} {'not stated':17} {span('mig', 2)}; β = 4: {beta4['mig']:.2f}")

# %% [markdown]
# What is not written in the paper: the batch, Adam's other settings, how the weights begin, how the colours are drawn, how many seeds were tried. We took the customary ones. Public re-implementations with other choices stall in the same way, with three or four latents and a reconstruction 60 to 80 nats above a plain VAE's.
#
# ## 11. Exercises
#
# Put your answer in place of `None` and run the cell. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/06_controlled_capacity](solutions/06_controlled_capacity.ipynb).
#
# **6.1** (easy, 5 min) Colours uniform on [0, 1] instead of [0.5, 1], a sprite of 100 pixels, three channels: how many nats more does one pay who does not know the colours? *Hint: $\int_0^1 H(r)\,dr = \tfrac12$ nat for the entropy $H$ of a pixel.*

# %%
answer = None
check("6.1", answer)

# %% [markdown]
# **6.2** (easy, 10 min) Write `gap(information, entropy)`: MIG from a table of mutual information (factors, latents) and the factors' entropies (factors,). *Hint: `torch.topk`.*

# %%
answer = None  # def answer(information, entropy): ...
check("6.2", answer)

# %% [markdown]
# **6.3** (medium, 15 min) Find a code for the size of a sprite that beats scale by more than 10 nats at the rates of section 5. A tensor (3, 6, 40), or what broadcasts to it, of shape, scale and orientation. *Hint: `SpriteChannels("centred").templates`.* Then try to beat √area.

# %%
answer = None
check("6.3", answer)

# %% [markdown]
# **6.4** (medium, 10 min) Write `even(gradient)`: the step $U V^\top$ of a gradient $U S V^\top$, for a matrix of any shape. *Hint: `torch.linalg.svd`, and mind what it calls V.*

# %%
answer = None  # def answer(gradient): ...
check("6.4", answer)

# %% [markdown]
# **6.5** (open, an hour of computing) Train `sprites-opened` with the third latent open from the beginning. Does scale still come apart from place? Compare the alignment. No check here: this is an experiment.

# %% [markdown]
# ## Summary
#
# - The published objective, nothing changed, finds x, y and scale on coloured sprites and then pours nats into them.
# - Inside, nine of ten channels of the encoder's convolutions have fallen silent; what it could tell of colour is gone.
# - The best code for a given number of nats is not made of the factors. Area is better than scale, wide-or-tall better than shape. That is arithmetic, without a network.
# - A multiplier, latents opened in order, and an optimizer that treats faint directions as it treats strong ones take white sprites in 40,000 steps to where others do not come in hundreds of thousands.
# - MIG of 0.3 with five factors is what x, y and half of scale make.
#
# **Readings.** Burgess et al. 2018, sections 5 and A.2 and Figure 4. Chen et al. 2018 (MIG); Eastwood and Williams 2018 (DCI); Kim and Mnih 2018 (FactorVAE); Locatello et al. 2019, *Challenging common assumptions*. Sokar et al. 2023, on silent units. Jordan et al. 2024, *Muon*. Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*.
