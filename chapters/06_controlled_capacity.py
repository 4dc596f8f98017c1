# %% [markdown]
# # Chapter 6 · Raise the capacity of a VAE, and measure what comes apart
#
# Burgess et al. (2018) end with a claim: raise the capacity C of a β-VAE slowly, and there is "very robust disentangling of all the factors of variation in the dataset and high quality reconstructions", "without the previous trade-off in reconstruction accuracy". The evidence is their Figure 4: rows of pictures. There is no number in it.
#
# This chapter trains what they describe, on their coloured sprites and three seeds, and measures it. Then it asks three questions that a row of pictures cannot answer. How far is the result from what a model of this kind could reach? Why does it stop there? And: are the factors what the objective asks for at all?
#
# **By the end you will have shown that**
#
# 1. the published objective holds the KL at C, brings place and then size into three latents, and stops: 25 nats in three latents, with a reconstruction 191 to 194 nats above its floor, where a plain VAE is 56 above it (sampling errors: 1 nat and less);
# 2. what goes with it: most of the encoder's channels are dormant, and of colour nothing can be read from its last layer;
# 3. while nats are few, up to about ten, the published factors are *not* the best code: five moments of the picture draw better. This takes no network to show. Whether a training *keeps* what it learnt first is open;
# 4. another training goes on where γ = 1000 stops, and what that is worth, metric by metric. It differs in six things at once; which of them matters is open.
#
# **You need** the KL as a channel's rate ([chapter 2](02_awgn_channel.ipynb)), β as a price ([chapter 4](04_blob_position.ipynb)), the best split and the Lagrange multiplier ([chapter 5](05_capacity_generator.ipynb)). A little PyTorch.
# **Time:** 60 minutes to read, 3 minutes of CPU time, 5 with AVX2 alone.

# %% [markdown]
# ## A puzzle before we start
#
# Write down your guesses.
#
# - You have two nats for the size of a sprite: send its scale (0.5 to 1), or the square root of its area? Which lets a friend draw it better?
# - You have two more: send its shape (square, ellipse, heart), or whether it is wider than tall?
# - A code holds x in one latent and y in another, perfectly, and nothing else. There are five factors. What is its MIG, the "mutual information gap", a score from 0 to 1?

# %% [markdown]
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $C$ | capacity: what the KLs of all latents should add up to | nats |
# | $\gamma$ | price of missing $C$ by a nat | nats per nat |
# | $\beta$ | price of a nat of KL | nats per nat |
# | excess | reconstruction above its floor, that of the best possible drawing of grey and coloured pixels ([chapter 1](01_elbo.ipynb)) | nats per picture |
# | $I(z_i; f)$ | mutual information of a latent's mean, cut into bins, and a factor | nats |
# | $H(f)$ | entropy of a factor | nats |
# | active | said of a latent with a mean KL above 0.1 nats | – |
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
from tqdm.auto import tqdm

from minivae import experiments, metrics
from minivae.codes import moments
from minivae.course import figures
from minivae.course.checks import check
from minivae.course.explorers import (
    CompareExplorer,
    TrainingExplorer,
    TraversalExplorer,
)
from minivae.datasets import ColouredSprites, Sprites
from minivae.engine.curves import load_curve
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.ideal_decoder import SpriteChannels, distortion, sobol
from minivae.lagrangian import LagrangianELBO
from minivae.muon import orthogonal
from minivae.objectives import (
    CapacityELBO,
    LinearSchedule,
    bernoulli_floor,
    bernoulli_nll,
)

RUNS = Path("../data/runs")
SCORES = Path("../data/metrics")
LIMITS = Path("../data/limits")
ACTIVE = 0.1  # nats of mean KL above which we call a latent active

# %% [markdown]
# ## 1. The objective
#
# Equation 8 of the paper. [Chapter 5](05_capacity_generator.ipynb) used it for a decoder that was told the factors; now the encoder is back, and has to find them:
#
# $$ \mathcal L = \mathbb E_{q(z|x)}\left[-\log p(x \mid z)\right] + \gamma \left| \mathrm{KL}\left(q(z \mid x) \,\Vert\, p(z)\right) - C \right| , \qquad \gamma = 1000,\quad C \text{ from 0 to 25 nats.} $$


# %%
def by_hand(reconstruction, kl, step, gamma=1000.0, last=100_000):
    """Loss from the step and the batch's mean reconstruction and KL per latent."""
    C = 25.0 * min(1.0, step / last)
    return reconstruction + gamma * abs(kl.sum() - C)


kl = torch.tensor([2.0, 1.5, 0.25])
for step in (0, 10_000, 60_000, 200_000):
    ours = by_hand(300.0, kl, step)
    theirs = CapacityELBO(1000.0, LinearSchedule(0.0, 25.0, 0, 100_000))
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
print(
    f"a sprite covers {ink:.0f} pixels; "
    f"floor of the reconstruction: {floor:.0f} nats"
)
assert 255 < floor < 267

# %% [markdown]
# *Figure 6.1. Eight of the pictures: sprites of several sizes and angles, each in a pale colour of its own, on black.*

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
    "opened": [f"coloured-opened-seed{seed}" for seed in range(3)],
}
white_methods = {
    "plain VAE": ["sprites-vae-seed0"],
    "γ = 1000 (paper)": ["sprites-capacity-seed0"],
    "opened": ["sprites-opened-seed0"],
}
runs = {
    name: Run.load(RUNS / f"{name}.h5")
    for names in (*methods.values(), *white_methods.values())
    for name in names
}
# measured on 10,000 pictures, see section 7
scored = {name: json.loads((SCORES / f"{name}.json").read_text()) for name in runs}
published = [runs[name] for name in methods["γ = 1000 (paper)"]]
minutes = published[1].provenance["seconds"] / 60
print(published[1].provenance["command"], f"# {minutes:.0f} minutes", sep="  ")
figures.kl_history({f"γ = 1000, seed {run.seed}": run for run in published})
plt.show()


# %%
def smooth(run, window=25):
    """Steps, KL per latent and reconstruction of a run, means of so many rows."""
    means = []
    for name in ("step", "kl", "reconstruction"):
        values = run.history[name]
        whole = values[: len(values) // window * window]
        means.append(whole.reshape(-1, window, *values.shape[1:]).mean(1))
    return means


for run in published:
    steps, kl, _ = smooth(run)
    C = np.array([run.experiment.objective.schedule(step) for step in steps])
    off = np.abs(kl.sum(1) - C).max()
    print(
        f"seed {run.seed}: "
        f"means of the KL over 500 steps are never more than {off:.2f} nats off C"
    )
    assert off < 1
    order = kl[-1].argsort()[::-1]  # three that end with nats, seven that do not
    begin = {i: (kl[:, i] > 0.5).argmax() for i in order[:3]}
    third = max(begin, key=begin.get)  # the last of the three
    # eight latents, until one has half a nat
    candidates = kl[: begin[third], [third, *order[3:]]]
    print(
        f"    before z{third} has 0.5 nats, the seven others had at most "
        f"{candidates[:, 1:].max(0).min():.2f} to {candidates[:, 1:].max():.2f}; "
        f"from C = 12 on at most {kl[C > 12][:, order[3:]].max():.2f}"
    )
    assert 0.02 < candidates[:, 1:].max(0).min()
    assert 0.05 < candidates[:, 1:].max() < 0.15
    assert kl[C > 12][:, order[3:]].max() < 0.03

# %% [markdown]
# *Figure 6.2. KL of each latent over the training, published objective, three seeds. The grey line is at 0.01 nats, the other chapters' threshold; ours is at 0.1.*
#
# **What you should see.** The KL keeps to C. Two latents become active. Then the other eight rise together, to some hundredths of a nat or a tenth. One of them wins, and the other seven fall to nothing and stay there. Three share whatever C brings.
#
# [Chapter 5](05_capacity_generator.ipynb)'s generator under γ = 1000 never let a factor go, and here seven latents become inactive. The start is not the whole reason: the generator's channels come even if they begin silent ([chapter 5](05_capacity_generator.ipynb), section 7). But there C begins at 0.5, and a channel's mean follows its factor from the first step. Here C begins at 0, the encoder has yet to find a factor, and γ presses every latent to σ = 1, where the KL is flat and a signal has to pay for itself from nothing. (An argument, not a measurement.)
#
# [Chapter 5](05_capacity_generator.ipynb)'s best split brings position first and then scale; are these the three? For every latent and every factor, ask how much of the factor's variance the latent explains (R², from the factor's mean in 20 bins of the latent, of equal numbers of pictures; orientation counts modulo the turn after which a shape looks the same):


# %% tags=["nbval-ignore-output"]
def encoded(name, points=3000):
    model, dataset = runs[name].model(), runs[name].experiment.dataset
    codes, made_from, nll, floor, kl = metrics.encode_dataset(
        model, dataset, points
    )
    table = metrics.alignment(codes, dataset, made_from)
    return table, kl, nll - floor, codes, made_from


found = {name: encoded(name) for name in tqdm(runs, desc="runs encoded")}


# %%
def draw_alignments(names):
    """R² of every factor in every latent, a panel a run."""
    tables = {title: found[name][0] for title, name in names.items()}
    kls = {title: found[name][1] for title, name in names.items()}
    figures.alignments(tables, kls)
    plt.show()


draw_alignments(
    {
        "plain VAE": "coloured-vae-seed0",
        "β = 4": "coloured-beta4-seed0",
        "γ = 1000": "coloured-capacity-seed0",
    }
)

# %%
onset = {}
for run in published:
    table, kl, *_ = found[f"coloured-capacity-seed{run.seed}"]
    active = (kl > ACTIVE).nonzero().flatten().tolist()
    steps, history, _ = smooth(run)
    # C in nats: 25 over 100,000 steps
    starts = {i: steps[(history[:, i] > 0.5).argmax()] / 4000 for i in active}
    scale = max(active, key=lambda i: table["scale"][i])
    place = [i for i in active if i != scale]
    onset[run.seed] = max(starts[i] for i in place), starts[scale]
    straight = min(max(table[axis][i].item() for i in place) for axis in ("x", "y"))
    # of two equal latents turned by φ each explains cos² φ
    turned_by = np.degrees(np.arccos(np.sqrt(straight)))
    score = scored[f"coloured-capacity-seed{run.seed}"]
    shares = kl[active].sort(descending=True).values
    nats = " + ".join(f"{share:.1f}" for share in shares)
    print(
        f"seed {run.seed}: {len(active)} active latents with {nats} nats; "
        f"place from C = {onset[run.seed][0]:.1f}, "
        f"scale from {onset[run.seed][1]:.1f}\n"
        f"    the worse of x and y has R² {straight:.2f} in its best latent, "
        f"as if turned by {turned_by:.0f}°\n"
        f"    excess {score['excess']:.0f} ± {score['excess_error']:.0f} nats"
    )
    assert len(active) == 3 and onset[run.seed][0] < 2 < 5 < onset[run.seed][1]
    assert 6.5 < kl[active].min() and kl[active].max() < 9.5
    assert min(table["x"][place].sum(), table["y"][place].sum()) > 0.9
    assert table["scale"][scale] > 0.7
    assert 188 < score["excess"] < 197 and 0.8 < score["excess_error"] < 1.2
    low, high = {0: (0, 10), 1: (35, 46), 2: (12, 28)}[run.seed]
    assert low <= turned_by <= high

# %% [markdown]
# *Figure 6.3. Which latent holds which factor (R²), latents by KL from left to right.*
#
# **What you should see.** The order of [chapter 5](05_capacity_generator.ipynb): the place, then size. On seed 0 x and y have a latent each; on seed 2 they are turned by about 20°, on seed 1 by nearly 45°, and are so still after 100,000 steps. What favours the axes is the diagonal posterior on a domain with straight sides ([chapter 4](04_blob_position.ipynb)), and the narrower the posterior, the less of the domain lies near an edge. Shape comes in only by way of size; orientation and colour: nothing. 25 nats go into three numbers, seven to nine into each.
#
# The error after ± is the sampling error of 10,000 pictures: their standard deviation over √10,000. It belongs to every excess in this chapter, and it is not the spread over seeds.
#
# The third latent of β = 4 has 3 nats and an empty column. What is in it? Place and brightness share three latents there, roughly the place as a direction and the brightness as a length, and R² by single latents cannot see that:

# %%
_, kl, _, codes, made_from = found["coloured-beta4-seed0"]
three = codes[:, kl.argsort(descending=True)[:3]]
brightness = made_from[:, -3:].sum(1, keepdim=True)
alone = metrics.explained(three, brightness).max().item()
length = metrics.explained(three.norm(dim=1, keepdim=True), brightness).item()
print(
    f"brightness: R² {alone:.2f} in the best of the three latents, "
    f"{length:.2f} in the length of all three"
)
assert alone < 0.2 < 0.35 < length

# %% [markdown]
# Figure 4 of the paper draws this as rows of pictures. Ours:

# %%
originals = data.sample(256, torch.Generator().manual_seed(5))[0]
model = runs["coloured-capacity-seed0"].model()
figures.latent_rows(model, originals, rows=5, title="γ = 1000, C up to 25 nats")
plt.show()
_, kl, _, codes, _ = found["coloured-capacity-seed0"]
reach = codes[:, kl > ACTIVE].abs().quantile(0.99)
print(f"99 % of the codes lie within ±{reach:.1f}")
assert reach < 1.5

# %% [markdown]
# *Figure 6.4. Originals, reconstructions, and traversals of the latents from −3 to 3, ordered by KL, published objective. The codes themselves stay far inside, so the outer pictures show what the decoder never learnt: nine nats are paid for a tiny σ, not for spread ([chapter 2](02_awgn_channel.ipynb)).* The paper's rows show y, x, scale, shape, rotation and three colours, one each. In ours the reconstructions are grey blobs of the right place and size.
#
# ## 3. Numbers for pictures
#
# R² says which latent knows what. A single number is widely used, **MIG**, the mutual information gap. For each of the $K$ factors $f_k$ take the two latents $i_1, i_2$ that tell most of it; the lead of the first, in units of the factor's entropy, is the gap; MIG is the mean over the factors:
#
# $$ \mathrm{MIG} = \frac1K \sum_{k} \frac{I(z_{i_1(k)}; f_k) - I(z_{i_2(k)}; f_k)}{H(f_k)} . $$
#
# To measure information, latents are cut into 20 bins of equal *width*, and a colour into ten classes.


# %%
def mig_by_hand(codes, classes, bins=20):
    """codes (n, latents), classes (n, factors) → MIG.

    Latents are cut into equal bins between their extremes.
    """
    gaps = []
    for f in classes.T:
        information = []
        for z in codes.T.contiguous():
            edges = torch.linspace(z.min(), z.max(), bins + 1)[1:-1]
            where = torch.bucketize(z, edges), f
            joint = torch.zeros(bins, int(f.max()) + 1)
            joint.index_put_(where, torch.tensor(1 / len(f)), accumulate=True)
            independent = joint.sum(1, keepdim=True) * joint.sum(0)
            ratio = joint / independent.clamp_min(1e-12)
            information.append(torch.xlogy(joint, ratio).sum())
        share = torch.bincount(f) / len(f)
        first, second = torch.stack(information).topk(2).values
        gaps.append((first - second) / -torch.xlogy(share, share).sum())
    return torch.stack(gaps).mean().item()


some, some_factors = found["coloured-beta4-seed0"][3:]
_, classes = metrics.factor_classes(data, some_factors)
mig = metrics.mig(some, classes)
assert abs(mig_by_hand(some, classes) - mig) < 1e-3
print(
    f"MIG of β = 4 on {len(some):,} pictures, "
    f"by hand and by minivae.metrics: {mig:.3f}"
)

# %% [markdown]
# Before a number is used it should be tried on codes whose score is known. Take white sprites, five factors, and let the "latents" be the factors themselves, or two of them turned by 45°, or all of them mixed:

# %%
lattice = white.sample_classes(10_000, torch.Generator().manual_seed(1))[:, 1:]
perfect = (lattice.double() - lattice.double().mean(0)) / lattice.double().std(0)
turned = perfect.clone()
turn = torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64) / 2**0.5
turned[:, 3:] = perfect[:, 3:] @ turn
square = torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).double()
mixed = perfect @ torch.linalg.qr(square)[0]
noise = torch.randn(10_000, 3, generator=torch.Generator().manual_seed(2))
place_only = torch.cat([perfect[:, 3:], noise], 1)
trial_codes = {
    "perfect": perfect,
    "x and y turned by 45°": turned,
    "all mixed": mixed,
    "x and y, and noise": place_only,
}
print(f"{'code':24} MIG   MIG, as many bins as classes")
scores = {}
for title, codes in trial_codes.items():
    scores[title] = [
        metrics.mig(codes.float(), lattice, bins) for bins in (20, None)
    ]
    print(f"{title:24} {scores[title][0]:.2f}  {scores[title][1]:.2f}")
assert 0.85 < scores["perfect"][0] < 0.92 and scores["perfect"][1] > 0.97
assert scores["all mixed"][0] < 0.1 and 0.3 < scores["x and y, and noise"][0] < 0.4

# %% [markdown]
# Twenty bins cannot tell 32 places and 40 angles apart, so a perfect code has 0.90. In the second column a latent is cut into as many bins as the factor has classes, and the perfect code has 0.99. (The third puzzle: x and y alone make 0.34 of it, 0.39 in the second column.) MIG asks for much: it counts classes told apart, where an R² near 1 asks only for a small variance.
#
# The other scores in section 7, of which `minivae.metrics` has the code:
#
# | score | what it asks | perfect code | noise |
# |---|---|---|---|
# | DCI-D | trees predict each factor from all latents: is each latent important for one factor? | 1 | 0 |
# | DCI-C | the same trees: is each factor predicted by one latent? | 1 | 0 |
# | FactorVAE | one factor is held fixed: is it always the same latent that varies least? | 1 | 1/K |
# | β-VAE | one factor is shared: can a linear classifier tell which, from all latents at once? | 1 | 1/K |
# | SAP | by how much does the best latent predict a factor better than the second best? | 0.2 | 0 |
#
# ## 4. Why it stops at three
#
# [Chapter 5](05_capacity_generator.ipynb) gave one reason: under Adam, γ = 1000 drowns the small differences in worth that would move nats from one latent to another. Section 2 has an argument why a latent that has none gets none. An encoder can lose something more. A unit behind a ReLU that is 0 for every picture gets no gradient, and nothing but a change in the layers below brings it back: it is **dormant** (Sokar et al. 2023). How many of the encoder's channels are, and what could a further latent learn from its last layer, by linear regression? (Wide or tall, and slanting: from the second moments of the sprite's pixels, section 5.)


# %%
@torch.no_grad()
def dormant(model, images):
    """Share of the units of each encoder's layer that are 0 for every image."""
    shares, h = [], images
    for layer in model.encoder.net:
        h = layer(h)
        if isinstance(layer, nn.ReLU):
            zero = (h == 0).transpose(0, 1).flatten(1).all(1)
            shares.append(zero.double().mean().item())
    return shares


@torch.no_grad()
def readable(model, images, targets):
    """R² of a linear regression from the encoder's last hidden layer.

    On pictures that it was not fitted to.
    """
    h = model.encoder.net[:-1](images).double()
    h, y = torch.cat([h, torch.ones(len(h), 1)], 1), targets - targets.mean(0)
    n = len(h) * 2 // 3
    moment = h[:n].T @ h[:n] + 0.01 * torch.eye(h.shape[1])
    fit = torch.linalg.solve(moment, h[:n].T @ y[:n])
    return 1 - (y[n:] - h[n:] @ fit).square().mean(0) / y[n:].var(0)


probe, probed = data.sample(3000, torch.Generator().manual_seed(1))
rgb, seen = probed[:, -3:].double(), moments()
kind = tuple(probed[:, 1:4].long().T)  # shape, scale, orientation
features = {
    "x": probed[:, 4].double(),
    "scale": probed[:, 2].double(),
    "wide": seen["wide"][kind],
    "slant": seen["slant"][kind],
    "brightness": rgb.sum(1),
    "red − green": rgb[:, 0] - rgb[:, 1],
}
targets = torch.stack(list(features.values()), dim=1)
untrained = experiments.get("coloured-vae").build(torch.Generator().manual_seed(0))
models = {"before training": untrained}
for title, names in methods.items():
    models |= {f"{title}, {runs[name].seed}": runs[name].model() for name in names}
print(f"{'':20}dormant, convolutions 1–4      readable: " + "  ".join(features))
channels, readable_R2 = {}, {}
for title, model in models.items():
    channels[title] = dormant(model, probe[:512])[:4]
    R2 = readable(model, probe, targets).clamp_min(0).tolist()
    readable_R2[title] = dict(zip(features, R2, strict=True))
    dead = "".join(f"{share:6.0%}" for share in channels[title])
    pairs = zip(features, R2, strict=True)
    read = "  ".join(f"{value:{max(len(name), 4)}.2f}" for name, value in pairs)
    print(f"{title:20}{dead}{'':16}{read}")
for seed in range(3):
    title = f"γ = 1000 (paper), {seed}"
    R2 = readable_R2[title]
    assert min(channels[title][1:]) > 0.5 and min(R2["x"], R2["scale"]) > 0.7
    assert max(R2["brightness"], R2["red − green"]) < 0.2
for title, R2 in readable_R2.items():
    begun = title in ("plain VAE, 0", "opened, 0", "opened, 1")
    assert R2["red − green"] > 0.1 if begun else R2["red − green"] < 0.05, title
assert max(channels["plain VAE, 0"]) < 0.2
assert readable_R2["β = 4, 0"]["brightness"] > 0.9
assert min(channels["multiplier, 0"][1:]) > 0.4
R2 = readable_R2["multiplier, 0"]
assert R2["wide"] > 0.8 and R2["brightness"] < 0.2
# the opened run with most dormant channels in convolution 4 reads colours best
opened_models = [f"opened, {seed}" for seed in range(3)]
last_dormant = [channels[title][3] for title in opened_models]
colour_seen = [readable_R2[title]["red − green"] for title in opened_models]
assert last_dormant[0] == max(last_dormant) > 0.8
assert colour_seen[0] == max(colour_seen)

# %% [markdown]
# **What you should see.** With γ = 1000 most channels of the second, third and fourth convolution are dormant; what is left suffices for place and size. Brightness, which even random weights tell (first line), is gone, and no difference of two colours can be read. β = 4 reads brightness as well as scale. A difference of colours is seen only by the plain VAE and two of the three opened runs of section 6, and faintly.
#
# Are dormant channels the cause? The table does not say so. The multiplier's channels are nearly as dormant, and yet it has opened latents for wide and slanting sprites. Among the opened runs seed 0 has the *most* dormant channels in the last convolution, 88 %, and reads colours best. The missing control is an intervention: the published training with dormant channels reset (`growing.reset_dormant`), and nothing else changed.
#
# A plain VAE keeps its channels and hardly sees colours either. They have a difficulty of their own. Take the pixels of the sprites as vectors (red, green, blue), and ask how strong each direction is:

# %%
pixels = pictures.permute(0, 2, 3, 1).reshape(-1, 3).double()
strength = torch.linalg.eigvalsh(pixels.T @ pixels / len(pixels))
ratio = strength[2] / strength[0]
print(
    "grey of a sprite : a difference of colours = "
    f"{ratio:.0f} : 1 in the encoder's input"
)
assert 70 < ratio < 95
r = torch.linspace(0.5, 1, 100_001, dtype=torch.float64)
H = -(torch.xlogy(r, r) + torch.xlogy(1 - r, 1 - r))
unknown = 0.75 * -np.log(0.75) - 0.25 * np.log(0.25) - H.mean().item()
print(
    f"not to know the colours costs {unknown * ink * 3:.1f} nats, "
    f"{unknown:.4f} a pixel and channel"
)
assert 31 < unknown * ink * 3 < 34

# %% [markdown]
# A sprite's grey is 81 times as strong as a difference of its colours, nine times in amplitude. Brightness *varies* no more than a difference does, but it comes with the grey: a filter that finds the sprite passes it on. A difference needs filters of its own, along a direction of faint gradients, and the two differences together are worth only two thirds of those 33 nats.
#
# There is a second difficulty. An encoder that cannot tell colours leaves the decoder nothing to draw them from, so its three outputs become equal. And a decoder with three equal outputs tells the encoder nothing about colours: exchange red, green and blue in the picture, and the gradient with respect to the code stays the same. Is it so here?


# %%
def gradient_of_code(model, images, code):
    """Gradient of the reconstruction with respect to the code (n, latents)."""
    code = code.clone().requires_grad_()
    nll = bernoulli_nll(model.decode(code), images).sum()
    return torch.autograd.grad(nll, code)[0]


few = pictures[:64]
for title, model in list(models.items())[1:]:
    with torch.no_grad():
        code = model.encode(few)[0]
    ours = gradient_of_code(model, few, code)
    exchanged = gradient_of_code(model, few.roll(1, dims=1), code)
    change = ((ours - exchanged).norm() / ours.norm()).item()
    sees = readable_R2[title]["red − green"] > 0.1
    by = "more than 10 %" if sees else "less than 3 %"
    print(f"{title:20} colours exchanged: the gradient changes by {by}")
    assert change > 0.1 if sees else change < 0.03, title

# %% [markdown]
# It is. In the runs that see no colour the encoder gets no gradient about colours, and in the three others it does. This is how a saddle looks from the encoder's side. How long it takes to leave it, the table does not say.
#
# ## 5. What the objective asks for
#
# Suppose the training had no difficulty at all. Would the best code hold scale in one latent and shape in another? [Chapter 5](05_capacity_generator.ipynb) has the tool: the best decoder of a code that is sent through noisy channels, `E[x | z]`. There the codes were the factors. Now send what a picture *shows* of them: instead of scale the square root of the **area**; instead of shape whether the sprite is **wide** or tall, the difference of its pixels' variances to the right and down over their sum; and its **slant**, the same along the diagonals.

# %%
# shape, scale, orientation, pixels
sprites = SpriteChannels("centred").templates.double().view(3, 6, 40, -1)
side = int(sprites.shape[-1] ** 0.5)
pixel = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
# of each pixel: how far right, how far down
u, v = pixel.repeat(side), pixel.repeat_interleave(side)
area = sprites.sum(-1)


def central(a, b):
    """Second moment of a sprite's pixels about their centroid."""
    mean_a, mean_b = (sprites * a).sum(-1) / area, (sprites * b).sum(-1) / area
    return (sprites * a * b).sum(-1) / area - mean_a * mean_b


wide = (central(u, u) - central(v, v)) / (central(u, u) + central(v, v))
slant = 2 * central(u, v) / (central(u, u) + central(v, v))
centroid = torch.stack([(sprites * along).sum(-1) / area for along in (u, v)], -1)
ours = {
    "root area": area.sqrt(),
    "wide": wide,
    "slant": slant,
    "centroid": centroid,
}
for name, values in ours.items():
    assert torch.allclose(values, seen[name], atol=1e-9)


@torch.no_grad()
def loss(channels, rates):
    """Nats of the best decoder; rates of shape, scale, orientation, x and y."""
    points = sobol(channels, 1024)
    return distortion(channels, torch.tensor(rates), points).mean().item()


root = {"scale": area.sqrt()}
D = {}
print("7.5 nats, of them 2.9 for x and for y, 1.7 for size")
for title, code in {"scale": {}, "√area": root}.items():
    D[title] = loss(SpriteChannels("centred", code), [0.0, 1.7, 0.0, 2.9, 2.9])
    print(f"    {title:20} D = {D[title]:.0f}")
print("11.1 nats, of them 3.4 for x and for y, 2.3 for size, 2 for the fourth")
fourth = {
    "scale, shape": {},
    "scale, wide": {"shape": wide},
    "√area, shape": root,
    "√area, wide": {**root, "shape": wide},
}
for title, code in fourth.items():
    D[title] = loss(SpriteChannels("centred", code), [2.0, 2.3, 0.0, 3.4, 3.4])
    print(f"    {title:20} D = {D[title]:.0f}")
assert D["√area"] < D["scale"] - 10 and D["√area, wide"] < D["√area, shape"] - 10

# %% [markdown]
# **What you should see.** With the same nats, area is about fourteen nats better than scale (the first puzzle): an ellipse is smaller than a square of the same "scale", and who knows the area has half of the shape as well. Once the shape is sent too, area and scale draw equally well. But then "wide or tall" is better than shape, by fifteen nats beside area and by four beside scale (the second puzzle): of a square it says nothing, of an ellipse it says the angle, and the friend needs an angle more than a name.
#
# The splits were chosen by hand and give orientation nothing. So the second table compares one moment with one factor, not the best codes: exercise 6.3 splits 11.1 nats over the *factors* for less than 75.
#
# And x? A sprite's published place is the point about which it turns. A heart turned upside down has its **centroid**, the mean of its pixels, below that point, and it is the centroid that a picture shows. So let the channels for x and y send the centroid: every sprite is shifted, to the nearest pixel, until its centroid lies where its turning point was:

# %%
off = centroid.norm(dim=-1).square()
print(
    f"from turning point to centroid: {off.mean().sqrt():.1f} pixels, "
    f"of a heart {off[2].mean().sqrt():.1f}"
)
from_centroid = SpriteChannels("centred", root, centroid=True)
D["centroid"] = loss(from_centroid, [0.0, 1.7, 0.0, 2.9, 2.9])
print(
    f"√area at 7.5 nats, as above: D = {D['√area']:.0f}; "
    f"with the centroid in place of the turning point: {D['centroid']:.0f}"
)
assert D["centroid"] < D["√area"] - 5

# %% [markdown]
# What is each code worth at its *best* split, at every C? The factors, too, should have their best coding: the angle as a share of the turn after which the shape looks the same ([chapter 5](05_capacity_generator.ipynb)), and the centroid as the place. So there are four codes of five channels each, searched at the same capacities (`python -m minivae limit sprites-moments` and so on):

# %%
kinds = {
    "factors, as published": "centred",
    "factors, angle modulo symmetry": "symmetric",
    "the same, and centroid as place": "symmetric-centroid",
    "moments": "moments",
}
paths = {name: LIMITS / f"sprites-{name}-seed0.json" for name in kinds.values()}
limit = {name: load_curve(path) for name, path in paths.items()}
grid = [C for C in limit["moments"].capacities.tolist() if 4 <= C <= 18]
for curve in limit.values():  # nothing is interpolated
    assert set(grid) <= set(curve.capacities.tolist())
best = {name: curve.at(torch.tensor(grid))[1] for name, curve in limit.items()}
figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for i, (title, name) in enumerate(kinds.items()):
    style = {"color": figures.PALETTE[i], "linestyle": figures.DASHES[i]}
    axis.plot(grid, best[name], "osD^"[i], markersize=3.5, label=title, **style)
axis.set(xlabel="C (nats)", xlim=(4, 18), ylim=(0, 200))
axis.set_ylabel("least reconstruction (nats)")
axis.legend(fontsize=8)
plt.show()
print("    C" + "".join(f"{name:>20}" for name in kinds.values()))
for i, C in enumerate(grid):
    cells = "".join(f"{best[name][i]:20.0f}" for name in kinds.values())
    print(f"{C:5.1f}" + cells)


def crossing(curve):
    """C at which the moments lose their lead, on a line between capacities."""
    lead = best[curve] - best["moments"]
    i = int((lead > 0).nonzero()[-1])  # the last at which the moments are ahead
    share = (lead[i] / (lead[i] - lead[i + 1])).item()
    return grid[i] + share * (grid[i + 1] - grid[i])


for title, name in list(kinds.items())[:3]:
    C = crossing(name)
    print(f"{title:32} draw better than the moments from C = {C:.1f} on")
assert abs(crossing("centred") - 11.8) < 0.2
assert abs(crossing("symmetric") - 10.7) < 0.2
assert abs(crossing("symmetric-centroid") - 10.5) < 0.2
best_factors = torch.minimum(best["symmetric"], best["symmetric-centroid"])
lead = dict(zip(grid, (best_factors - best["moments"]).tolist(), strict=True))
print(
    "lead of the moments over the best of the factors:",
    ", ".join(f"{lead[C]:.0f} at {C:.0f}" for C in (6, 8, 10, 11, 12, 14)),
)
assert lead[8] > 10 and lead[10] > 1 and lead[11] < -1 and lead[14] < -20
for curve in limit.values():
    assert curve.errors[curve.capacities >= 4].max() < 0.6

# %% [markdown]
# *Figure 6.5. Reconstruction of the best decoder of four codes, each at its best split of C nats: the five factors (x, y, scale, shape, orientation) in three codings, and the five moments (centroid, area, width against height, slant). Sampling errors are below 0.6 nats.*
#
# **What you should see.** While nats are few the moments win, by more than ten nats of loss at C = 8. Against the best coding of the factors that we know they lose their lead at C = 10.5; against the published coding only at 11.8. Five moments do not say everything, and five factors do. At 11.1 nats, where the table above gave the moments 87 against 102, the factors are ahead when both are coded and split as well as we can. At the C = 25 of the paper they are the better code by far.
#
# So the objective asks for two things, one after the other, and a ramp of C goes through both. A guess: the latents that open early open for centroid and area, and keep them. What have the runs learnt?

# %%
head = "scale √area      x  centroid       y  centroid    wide slant"
print(f"{'R² in the best latent':28} {head}")
held, gains, nearer = {}, {}, {}
for name in runs:
    _, _, _, codes, made_from = found[name]
    kind = tuple(made_from[:, 1:4].long().T)
    x, y = made_from[:, 4:6].double().T * 32 / 31  # in pixels
    off_x, off_y = seen["centroid"][kind].T
    columns = [made_from[:, 2].double(), seen["root area"][kind]]
    columns += [x, x + off_x, y, y + off_y, seen["wide"][kind], seen["slant"][kind]]
    R2 = [
        metrics.explained(codes, values[:, None]).max().item() for values in columns
    ]
    _, area_R2, _, x_R2, _, y_R2, wide_R2, slant_R2 = R2
    held[name] = {"area": area_R2, "centroid x": x_R2, "centroid y": y_R2}
    held[name] |= {"wide": wide_R2, "slant": slant_R2}
    gains[name] = R2[1] - R2[0]
    for i in (2, 4):
        if R2[i] > 0.8:  # where a coordinate has a latent of its own
            nearer[name, i] = R2[i + 1] - R2[i]
    print(
        f"{name:27} {R2[0]:6.3f} {R2[1]:5.3f}  {R2[2]:5.3f}  {R2[3]:8.3f}   "
        f"{R2[4]:5.3f}  {R2[5]:8.3f}   {R2[6]:5.2f} {R2[7]:5.2f}"
    )
assert min(gains.values()) > 0.05 and min(nearer.values()) > 0 and len(nearer) >= 8
without_ramp = ("coloured-vae-seed0", "coloured-beta4-seed0", "sprites-vae-seed0")
for name in without_ramp:
    assert 0.09 < gains[name] < 0.13 and (name, 2) not in nearer
for name, R2 in held.items():
    if "capacity" in name:
        assert max(R2["wide"], R2["slant"]) < 0.03
    assert (min(R2.values()) > 0.7) == (name == "coloured-lagrangian-seed0")
for seed in range(3):
    R2 = held[f"coloured-opened-seed{seed}"]
    assert min(R2["centroid x"], R2["centroid y"]) > 0.95
    assert R2["wide"] > 0.5 and R2["slant"] > 0.3
assert 0.25 < held["sprites-opened-seed0"]["wide"] < 0.5
assert held["sprites-capacity-seed0"]["area"] < 0.6

# %% [markdown]
# **What you should see**, run by run:
#
# | runs | area rather than scale | centroid rather than published place | wide, slant |
# |---|---|---|---|
# | γ = 1000, coloured, three seeds | yes | yes where x and y are not turned (seeds 0 and 2; in seed 1 they are) | no, at most 0.02 |
# | γ = 1000, white, one seed | yes, but R² 0.50: there is no latent for size | yes | no |
# | multiplier, one seed | yes | yes | yes: 0.88 and 0.78 |
# | opened, three seeds, and white | yes | yes | in part: 0.34 to 0.83 and 0.38 to 0.66 |
# | β = 4 and the plain VAEs, no ramp | yes | cannot be told: place is mixed over several latents | β = 4: slant 0.57; plain: at most 0.35 |
#
# Only the multiplier's run holds all five moments, each with an R² above 0.7 in one latent. No run of γ = 1000 holds more than three. Area leads over scale in every run, **and so it does in the plain VAE, by 0.10, where there is no ramp**. So the lead of the area is no proof that a ramp fixes what is learnt first.
#
# Nor are these runs in the position of Figure 6.5: they have ten latents, not five, so a run may hold the area and tell the rest with other latents. Whether a training *keeps* moments when factors would be better is open. The decisive control starts from a code that holds the factors, at 25 nats: does the training stay there?
#
# How does such a code score? Give each of the five ideal moments a latent of its own:

# %%
where = tuple(lattice[:, :3].T)
centroids = lattice[:, 3:] * 32 / 31 + centroid[where]  # x and y in pixels
five = [area.sqrt()[where], wide[where], slant[where], *centroids.T]
moment_code = torch.stack(five, dim=1).float()
ideal, of_factors = metrics.mig(moment_code, lattice), scores["perfect"][0]
print(
    f"MIG of the five moments: {ideal:.2f}; of the five factors: {of_factors:.2f}"
)
made = torch.cat([torch.zeros(len(lattice), 1, dtype=torch.long), lattice], 1)
figures.alignments({"the moments": metrics.alignment(moment_code, white, made)})
plt.show()
assert 0.3 < ideal < of_factors / 2

# %% [markdown]
# *Figure 6.6. R² of every factor in a code of √area ($z_0$), width against height ($z_1$), slant ($z_2$) and centroid ($z_3$, $z_4$). A row need not add up to 1.*
#
# Less than half of the factors' score, without any noise; a posterior's noise takes off more. R² of x is still above 0.99: to tell 32 places apart is a finer business than to explain a variance. "Shape" and "orientation" come mixed, because pictures of them are.
#
# ## 6. A training that goes on
#
# The "opened" runs change six things at once:
#
# 1. **A multiplier** in place of γ ([chapter 5](05_capacity_generator.ipynb)): reconstruction + β · KL, where β climbs while the KL is above C and falls while it is below, but not below 1.
# 2. **Order.** Two latents are open at first, for the place; then a third, for size; then all. C reaches 8 nats in 6,000 steps. This order is put in by hand, from [chapter 5](05_capacity_generator.ipynb): that x, y and size come first is no discovery of this run. While a latent is closed it has no KL.
# 3. **A loud start.** When a latent opens, its mean is a random function of the encoder's last hidden layer, with a standard deviation of 2. A faint signal, so the idea, fades before the decoder has learnt to read it.
# 4. **Resets.** Dormant units get new weights every 500 steps, up to half of the training.
# 5. **Cooldown.** In the second half the learning rate falls to a thirtieth.
# 6. **Another optimizer**, Muon at 2·10⁻³, in place of Adam at 5·10⁻⁴.
#
# The runs to compare with have none of the six, or the first alone (the multiplier). So no difference can be put down to one of them. The missing controls are a plain VAE with Muon, cooldown and resets, and the opened run with one change at a time taken back. (`minivae/growing.py` has `open_latents` and `reset_dormant`; the schedule is part of the experiment.)

# %%
recipe = experiments.get("coloured-opened")
print(recipe.objective.openings, recipe.objective.schedule.corners, sep="\n")
print(recipe.optimizer, recipe.learning_rate, sep="\n")

# %% [markdown]
# At step 6,001 C jumps to 25. Where that is out of reach, β rests at 1 and the training goes on as a plain VAE with all latents open; where it is not, β stays above 1 and holds the KL at 25. Which of the two is it? β is (loss − reconstruction) / KL:

# %%
beta = {}
for name in (*methods["opened"], *white_methods["opened"]):
    history = runs[name].history
    row = []
    for percent in (20, 60, 100):  # of the training
        end = percent * runs[name].step // 100
        rows = (history["step"] > end - 1000) & (history["step"] <= end)
        kl = history["kl"][rows].sum(1).mean()
        row.append((history["loss"] - history["reconstruction"])[rows].mean() / kl)
    beta[name] = row
    print(
        f"{name:22} β = "
        + ", ".join(f"{value:.2f}" for value in row)
        + f" at 20, 60 and 100 % of the training; at last {kl:.1f} nats"
    )
for seed, end in ((0, 1.34), (1, 1.28)):
    assert abs(beta[f"coloured-opened-seed{seed}"][-1] - end) < 0.02
    assert min(beta[f"coloured-opened-seed{seed}"]) > 1.05
assert max(beta["coloured-opened-seed2"]) < 1.08
assert beta["coloured-opened-seed2"][-1] < 1.03
assert max(beta["sprites-opened-seed0"]) < 1.01

# %% [markdown]
# On coloured sprites seeds 0 and 1 would take more than 25 nats and are held there by a β that climbs to about 1.3. Seed 2 and the run on white sprites rest at 1: from step 6,001 on they are plain VAEs, but for their optimizer, resets and cooldown. What the ramp did, it did in the first 6,000 steps.
#
# Now the optimizer. Gradient descent moves along a direction in proportion to the gradient there, so that faint ones wait. Adam evens out single weights; a direction that is spread over thousands of them, such as "a difference of colours", it hardly evens out. *Muon* does. Write the mean gradient of a layer as $G = U S V^\top$, and step along $U V^\top$: the same directions, nearly equally long, those of noise too. (No decomposition is needed: a few matrix products do it.)

# %%
generator = torch.Generator().manual_seed(0)
squares = torch.randn(2, 64, 64, generator=generator)
left, right = torch.linalg.qr(squares)[0]
strengths = torch.logspace(0, -2, 64)
G = left @ torch.diag(strengths) @ right.T
update = {"Muon": orthogonal(G), "Adam's first": G.sign(), "gradient": G}
figure, axis = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
for i, (title, change) in enumerate(update.items()):
    # means of four neighbours
    along = (left.T @ change @ right).diagonal().view(16, 4).mean(1)
    style = {"color": figures.PALETTE[i], "linestyle": figures.DASHES[i]}
    axis.plot(np.arange(16) * 4 + 2, along / along.max(), label=title, **style)
axis.set(xlabel="direction, strongest first", yscale="log", ylim=(5e-3, 2))
axis.set_ylabel("step along it\n(longest = 1)")
axis.legend(fontsize=8)
plt.show()
lengths = (left.T @ update["Muon"] @ right).diagonal()
assert lengths.min() > 0.55 * lengths.max()
nearest = left @ right.T
assert torch.dist(update["Muon"], nearest) < 0.25 * nearest.norm()
adam = (left.T @ update["Adam's first"] @ right).diagonal()
assert adam[-8:].mean() < 0.1 * adam[0]

# %% [markdown]
# *Figure 6.7. A gradient whose directions differ in strength by a factor of 100, and how far a step goes along each (mean of four neighbours): the gradient itself, Adam's first step (the sign of every entry) and Muon's. The directions are spread over all weights; one that is a single weight Adam would even out as well.*
#
# See it work, live: white sprites, ten latents, C from 0 to 6 nats in 500 steps, nearly fifty times as fast as in the paper.

# %% tags=["nbval-ignore-output"]
ramp = LinearSchedule(0.0, 6.0, 0, 500)
short = dataclasses.replace(experiments.get("sprites-capacity"), steps=500)
gamma = dataclasses.replace(short, objective=CapacityELBO(1000.0, ramp))
lagrangian = LagrangianELBO(ramp, gain=0.004, beta=100.0)
multiplier = dataclasses.replace(short, objective=lagrangian)
faster = dataclasses.replace(multiplier, learning_rate=2e-3)
muon = dataclasses.replace(faster, optimizer="muon")
tried = {
    "γ = 1000": gamma,
    "multiplier": multiplier,
    "multiplier, Adam at 2e-3": faster,
    "multiplier, Muon at 2e-3": muon,
}
live = {title: train(experiment) for title, experiment in tried.items()}

# %% tags=["nbval-ignore-output"]
loss_of, kl_of = (
    {title: run.history[key][-50:].mean(0).sum() for title, run in live.items()}
    for key in ("reconstruction", "kl")
)
for title in live:
    least = limit["moments"].at(kl_of[title])[1]
    print(
        f"{title:25} {kl_of[title]:.1f} nats: "
        f"reconstruction {loss_of[title]:.0f}; best moments {least:.0f}"
    )

# %%
with_muon = loss_of["multiplier, Muon at 2e-3"]
assert with_muon < loss_of["multiplier"] - 10
assert with_muon < loss_of["multiplier, Adam at 2e-3"] - 10
assert with_muon < loss_of["γ = 1000"] - 60
assert all(4.5 < kl < 6.8 for kl in kl_of.values())
print(
    "seed 0, about the same nats: Muon is ahead of Adam at either rate, "
    "and of γ = 1000 by far"
)

# %% [markdown]
# ## 7. All methods, all numbers
#
# The whole runs are recorded, and so are their scores, of 10,000 pictures (`python -m minivae measure data/runs/NAME.h5 --json`, two minutes each). Are they what they say? The 3,000 pictures of section 2 tell, within their larger sampling error:

# %%
for name, score in scored.items():
    _, kl, excess, codes, made_from = found[name]
    _, classes = metrics.factor_classes(runs[name].experiment.dataset, made_from)
    error = score["excess_error"] * (10_000 / len(codes)) ** 0.5
    assert abs(excess - score["excess"]) < 3.5 * error, name
    assert abs(kl.sum() - score["kl"]) < 0.2, name
    assert abs(metrics.mig(codes, classes) - score["mig"]) < 0.02, name
heads = {
    "mig": "MIG",
    "dci_disentanglement": "DCI-D",
    "dci_completeness": "DCI-C",
    "factorvae": "FactorVAE",
    "betavae": "β-VAE",
    "sap": "SAP",
}
tables = {"coloured sprites": methods, "white sprites": white_methods}
for title, table in tables.items():
    cells = "  ".join(heads.values())
    print(f"{title:29}active  KL    excess    {cells}  minutes")
    for method, names in table.items():
        for name in names:
            score = scored[name]
            widths = [(key, max(len(head), 3)) for key, head in heads.items()]
            cells = "  ".join(f"{score[key]:{width}.2f}" for key, width in widths)
            print(
                f"  {method:18} seed {runs[name].seed} "
                f"{(found[name][1] > ACTIVE).sum():8} {score['kl']:4.0f}  "
                f"{score['excess']:4.0f} ± {score['excess_error']:.1f}  {cells} "
                f"{runs[name].provenance['seconds'] / 60:8.0f}"
            )

# the sampling error of MIG, from pictures
# drawn again from those encoded (a bootstrap)
codes, made_from = found["sprites-opened-seed0"][3:]
_, classes = metrics.factor_classes(white, made_from)
again = torch.Generator().manual_seed(0)
resampled = torch.randint(len(codes), (20, len(codes)), generator=again)
migs = [metrics.mig(codes[rows], classes[rows]) for rows in resampled]
error = np.std(migs) * (len(codes) / 10_000) ** 0.5
without_shape = metrics.mig(codes, classes[:, 1:])
print(
    f"\nMIG of the opened run on white sprites: ± {error:.3f} at 10,000 pictures; "
    f"without shape {without_shape:.2f}"
)
assert error < 0.005 and 0.29 < without_shape < 0.34

# %% [markdown]
# (Minutes are of one core, which the opened runs on coloured sprites shared with other work: undisturbed, a step with Muon takes half as long again as one with Adam.)
#
# - Compare within a block only: MIG is a mean over eight factors above and five below, and x and y alone are worth 0.21 above and 0.34 below.
# - Sampling errors are a nat of excess and less, and some thousandths of MIG. The spread over three seeds is larger: 0.03 to 0.14 in MIG for γ = 1000. Of the other methods but "opened" there is one seed.
# - The scores disagree, as each asks another question: the opened run on white sprites has 0.97 by β-VAE and 0.25 by MIG, because a factor that is spread over several latents is still easy to *tell*.
# - The best drawing is not the best separated: β = 4 draws better than the multiplier, and has half its MIG.
#
# What do others report for white sprites?
#
# | white sprites | steps | reconstruction | KL | MIG | FactorVAE | DCI-D |
# |---|---|---|---|---|---|---|
# | here, plain VAE | 40,000 | 33 | 25 | 0.07 | 0.62 | 0.10 |
# | here, γ = 1000 | 100,000 | 131 | 25 | 0.13 | 0.42 | 0.11 |
# | here, opened | 40,000 | 19 | 23 | 0.25 | 0.85 | 0.25 |
# | plain VAE [1] | 345,600 | 18 | 25 | | | |
# | γ = 100, C up to 25 [1] | 345,600 | 81, four latents in use | 25 | | | |
# | β-TCVAE [1] | 345,600 | 42 | 14 | | | |
# | plain VAE [2] | | | | 0.08 | 0.69 | 0.08 |
# | CLG-VAE [2] | | | | 0.25 ± 0.06 | 0.86 | 0.20 |
#
# [1] Training logs of `YannDubs/disentangling-vae`, last of 30 epochs: the paper's networks, Adam at 10⁻³, one run each, means over training batches. [2] Zhu, Xu and Tao 2021, poster of *Commutative Lie Group VAE*.
#
# Read it with care. Every run of ours here is one seed. A plain VAE that is trained nine times as long draws as well as our opened run. γ = 100 in other hands stops as ours does, with few latents and a poor drawing. The scores of [2] are near ours, but conventions differ: DCI's trees and weights, and which factors MIG counts (without shape our opened run has 0.31, not 0.25).
#
# Now the question of the paper, "without the previous trade-off in reconstruction accuracy": MIG against reconstruction. The grey lines are of ideal codes, without a network: for each C the factors as published, or the moments, that have more than 0.02 nats in the best split, as means without noise, and the best decoder's reconstruction.


# %%
def ideal_line(limit, codes):
    """Excess and MIG of a code of which the best split sends more and more."""
    sent = [codes.float() * (rates > 0.02) for rates in limit.rates]
    return limit.distortions, torch.tensor([metrics.mig(z, lattice) for z in sent])


in_order = moment_code[:, [1, 0, 2, 3, 4]]  # as the channels send them
marks = {
    title: {
        method: [(scored[name]["excess"], scored[name]["mig"]) for name in names]
        for method, names in table.items()
    }
    for title, table in tables.items()
}
ideals = {
    "ideal factors": ideal_line(limit["centred"], perfect),
    "ideal moments": ideal_line(limit["moments"], in_order),
}
figures.tradeoff(marks, {"white sprites": ideals})
plt.show()

# %% [markdown]
# *Figure 6.8. Disentangling (MIG) against reconstruction above its floor, one mark a run. To the left and up is better. The panels have different numbers of factors and different axes.*
#
# ## 8. What is true of the claim

# %%
gamma_scores = [scored[name] for name in methods["γ = 1000 (paper)"]]
beta4, vae = scored["coloured-beta4-seed0"], scored["coloured-vae-seed0"]
opened = [scored[name] for name in methods["opened"]]
white_opened = scored["sprites-opened-seed0"]
white_gamma = scored["sprites-capacity-seed0"]
white_vae = scored["sprites-vae-seed0"]
lines = {f"γ = 1000, seed {seed}": score for seed, score in enumerate(gamma_scores)}
lines["β = 4"] = beta4
lines |= {f"opened, seed {seed}": score for seed, score in enumerate(opened)}
lines |= {"plain VAE": vae, "white: γ = 1000": white_gamma}
lines |= {"white: opened": white_opened, "white: plain VAE": white_vae}
for title, score in lines.items():
    print(
        f"{title:18} excess {score['excess']:5.1f} ± {score['excess_error']:.1f} "
        f"nats, MIG {score['mig']:.2f}, {score['kl']:.1f} nats of KL"
    )
print(f"white: ideal moments: MIG {ideal:.2f}")
assert all(score["excess"] > beta4["excess"] + 80 for score in gamma_scores)
assert beta4["kl"] < 20 and vae["excess"] < beta4["excess"] < 100
# how far an opened run is ahead of the plain VAE, in standard
# errors of two independent samples; the pictures are the
# same, so that the difference is known better than that
errors = [np.hypot(vae["excess_error"], score["excess_error"]) for score in opened]
leads = [vae["excess"] - score["excess"] for score in opened]
ahead = [nats / error for nats, error in zip(leads, errors, strict=True)]
cells = ", ".join(f"{value:.1f}" for value in ahead)
print("opened before plain VAE, in standard errors: " + cells)
assert ahead[0] > 10 and ahead[1] > 5 and ahead[2] < -4
assert [score["mig"] > 3 * vae["mig"] for score in opened] == [True, True, False]
assert opened[2]["mig"] > 2.5 * vae["mig"]
assert white_gamma["excess"] > 5 * white_opened["excess"]
assert white_gamma["mig"] < 0.6 * white_opened["mig"]
assert (found["sprites-capacity-seed0"][1] > ACTIVE).sum() == 2
assert white_opened["excess"] < 25 and 0.2 < white_opened["mig"] < ideal < 0.45
assert white_opened["mig"] > 3 * white_vae["mig"]
both = {"coloured": "coloured-opened-seed0", "white": "sprites-opened-seed0"}
draw_alignments({f"opened, {kind} sprites": name for kind, name in both.items()})

# %% [markdown]
# *Figure 6.9. Which latent holds which factor (R²) in the opened runs: y, x and size in one each, shape and orientation spread over six or seven, and of the colours a little.*
#
# **True:** place comes before size, as [chapter 5](05_capacity_generator.ipynb) computes, and the objective holds the KL where one wants it.
#
# **Not found, with what is published and our choices for the rest (section 10):** "robust disentangling of all the factors of variation". Three latents on three seeds of three, and two on white sprites (one seed), where the opened run draws more than five times closer and has nearly twice the MIG; 25 nats of KL and a reconstruction that a fixed β = 4 beats by about 110 nats with 18. The multiplier, which differs from γ = 1000 in the objective alone, opened ten latents on the same ramp (one seed). So with these choices it is the objective that stops the others.
#
# **Half true of the objective:** at 25 nats the factors would be the best code we know. While C is below about ten the moments are better (section 5). Whether the training ends where it began, we do not know.
#
# **True of a training that goes on:** of three opened runs two draw better than the plain VAE of as many steps, with more than three times its MIG; the third, which had not begun with the colours, a little worse, with two and a half times its MIG. The differences, six nats at most, are beyond the sampling error; of the plain VAE there is one seed. Which of its six changes does this is open (section 6). None has each factor in its own latent.
#
# **Open:** colour. It is worth 33 nats. The plain VAE and two of the three opened runs have begun to tell two colours apart after 100,000 steps, the others not at all (section 4). Open, too, is what other choices would do for all that the paper leaves unsaid (section 10).

# %% [markdown]
# ## 9. Drag the latents
#
# Tasks: (1) In the training, which latents are active at step 3,000 and which at 12,000? (2) Put two methods side by side and move the seed image: which keeps the sprite's place when it redraws it, and which its colour? (3) With β = 4, find the latent that stretches the sprite. Does it change the shape or the angle?
#
# <details><summary>What you should have found</summary>
#
# (1) At 3,000 three: y and x, and z2, which opened at this very step with a random message. That is why it has the most nats, and why little is drawn from them. At 12,000 all ten, and z2 tells the size; at the end z7 is inactive again. (2) All keep the place. β = 4, γ = 1000 and the multiplier draw grey sprites; the plain VAE and the opened run keep nearly a third of the colour, as the numbers below say. (3) z5, and both: from a standing ellipse to a lying one it passes through what is as wide as high. It is width against height.
#
# </details>

# %% tags=["nbval-ignore-output"]
TrainingExplorer(runs["sprites-opened-seed0"])

# %% tags=["nbval-ignore-output"]
CompareExplorer({title: runs[names[0]] for title, names in methods.items()})

# %% tags=["nbval-ignore-output"]
TraversalExplorer(runs["coloured-beta4-seed0"])

# %%
# the numbers of the first answer
trained = runs["sprites-opened-seed0"]
images = trained.experiment.dataset.sample(256, torch.Generator().manual_seed(0))[0]
size = images.sum((1, 2, 3))[:, None]
tells = torch.cat([metrics.centre_of_light(images), size], 1)
mean_kl, active_at, R2_at, effect = {}, {}, {}, {}
for step in (3_000, 12_000, trained.step):
    model = trained.model(step if step < trained.step else None)
    mean_kl[step] = metrics.mean_kl(model, images)
    active_at[step] = (mean_kl[step] > ACTIVE).nonzero().ravel().tolist()
    with torch.no_grad():
        codes = model.encode(images)[0]
        swapped = codes.repeat(3, 1, 1)
        for latent in range(3):
            # that of another picture
            swapped[latent, :, latent] = codes[:, latent].roll(1)
        pairs = torch.cat([swapped.flatten(0, 1), codes.repeat(3, 1)])
        drawn, as_it_is = torch.sigmoid(model.decode(pairs)).chunk(2)
    effect[step] = (drawn - as_it_is).square().flatten(1).sum(1).view(3, -1).mean(1)
    R2 = [metrics.explained(codes, values[:, None])[:3] for values in tells.T]
    R2_at[step] = torch.stack(R2)
    print(f"step {step:6,}: active {active_at[step]}")
    for name, row in zip(("x", "y", "size"), R2_at[step], strict=True):
        cells = ", ".join(f"{value:.2f}" for value in row)
        print(f"    R² of {name:4} in z0, z1, z2: " + cells)
    print(
        "    with another picture's, squared change of the drawing: "
        + ", ".join(f"{value:.0f}" for value in effect[step])
    )
assert [len(active_at[step]) for step in active_at] == [3, 10, 9]
assert 7 not in active_at[trained.step]
assert trained.experiment.objective.opened(3_000) == range(2, 3)
assert mean_kl[3_000].argmax() == 2
assert effect[3_000][2] < 0.1 * effect[3_000][:2].min()
assert effect[12_000][2] > 5 * effect[3_000][2]
assert R2_at[3_000][0, 1] > 0.95 and R2_at[3_000][1, 0] > 0.95
assert R2_at[3_000][2, 2] < 0.3 < 0.7 < R2_at[12_000][2, 2]

# %%
# the numbers of the second
images = data.sample(256, torch.Generator().manual_seed(0))[0]
# 1 where the sprite is: it is never darker
sprite = (images.amax(1, keepdim=True) > 0.3).float()


@torch.no_grad()
def tint(images):
    """Mean colour of each sprite, less its grey (n, 3)."""
    colour = (images * sprite).sum((2, 3)) / sprite.sum((2, 3))
    return colour - colour.mean(1, keepdim=True)


true, kept, moved = tint(images), {}, {}
for title, names in methods.items():
    model = runs[names[0]].model()
    with torch.no_grad():
        redrawn = torch.sigmoid(model.decode(model.encode(images)[0]))
    kept[title] = ((tint(redrawn) * true).sum() / true.square().sum()).item()
    greys = [colours.mean(1, keepdim=True) for colours in (redrawn, images)]
    here, there = (metrics.centre_of_light(grey) for grey in greys)
    moved[title] = (here - there).norm(dim=1).median().item()
cells = ", ".join(f"{title} {share:.2f}" for title, share in kept.items())
print("share of a sprite's tint that is redrawn: " + cells)
cells = ", ".join(f"{title} {distance:.1f}" for title, distance in moved.items())
print("distance from the sprite to the redrawn one, pixels: " + cells)
for title, share in kept.items():
    coloured = title in ("plain VAE", "opened")
    assert 0.28 < share < 0.33 if coloured else abs(share) < 0.02
assert max(moved.values()) < 0.5

# %%
# the numbers of the third: standard deviations
# of the light along y and x, from z = −3 to 3
model = runs["coloured-beta4-seed0"].model()
with torch.no_grad():
    code = model.encode(images[:1])[0][0]
    line = metrics.traversal(code, 5, torch.linspace(-3, 3, 5))
    drawn = torch.sigmoid(model.decode(line)).mean(1)
drawn = torch.where(drawn > 0.5 * drawn.amax((1, 2), keepdim=True), drawn, 0.0)
pixel = torch.arange(64.0)
widths = []
for share in (drawn.sum(2), drawn.sum(1)):
    share = share / share.sum(1, keepdim=True)
    mean = (share * pixel).sum(1, keepdim=True)
    widths.append((share * (pixel - mean).square()).sum(1).sqrt())
ratio = widths[0] / widths[1]
print("height by width along z5: " + ", ".join(f"{value:.2f}" for value in ratio))
assert (ratio.diff() < 0).all()
assert ratio[0] > 1.4 and 0.9 < ratio[2] < 1.15 and ratio[-1] < 0.85

# %% [markdown]
# ## 10. The paper and this chapter, side by side


# %%
def span(key, digits=0):
    values = [score[key] for score in gamma_scores]
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


kls = [found[name][1] for name in methods["γ = 1000 (paper)"]]
counts = ", ".join(str(int((kl > ACTIVE).sum())) for kl in kls)
largest_error = max(score["excess_error"] for score in gamma_scores)
print("Figure 4a                        paper             here, three seeds")
print(f"{'latents above 0.1 nats':32} {'eight drawn':17} {counts}")
here = "size on three seeds, x and y on one"
print(f"{'factors in a latent of their own':32} {'eight, by eye':17} {here}")
print(f"{'KL at the end':32} {'25 nats':17} {span('kl')} nats")
print(
    f"{'reconstruction above its floor':32} {'high quality':17} "
    f"{span('excess')} (± {largest_error:.0f}) nats; plain VAE {vae['excess']:.0f}"
)
print(f"{'MIG':32} {'not stated':17} {span('mig', 2)}; β = 4: {beta4['mig']:.2f}")

# %% [markdown]
# What is not written in the paper, and what we chose:
#
# | not stated | here |
# |---|---|
# | batch | 64, as most re-implementations have it |
# | Adam's other settings | β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸, the defaults |
# | how the weights begin | He's normal weights, biases 0, and the head of the encoder a tenth of that: our choice, for Figure 2 ([chapter 4](04_blob_position.ipynb)); customary is neither |
# | how the colours are drawn | each channel uniform on [0.5, 1], as in disentanglement_lib |
# | whether Equation 8's \|KL − C\| is of each picture or of the batch's mean | of the batch's mean |
# | pictures | dSprites drawn from its geometry; all of them, none kept for testing |
# | seeds | three |
#
# Each may matter, and so may γ; none was varied in this chapter.
#
# ## 11. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/06_controlled_capacity](solutions/06_controlled_capacity.ipynb).
#
# **6.1** (easy, 5 min) Colours uniform on [0, 1] instead of [0.5, 1], a sprite of 100 pixels, three channels, all else known: how many nats a picture does one pay who does not know the colours, beyond one who does? *Hint: $\int_0^1 H(r)\,dr = \tfrac12$ nat for the entropy $H(r) = -r \log r - (1 - r) \log(1 - r)$ of a pixel.*

# %%
answer = None
check("6.1", answer)

# %% [markdown]
# **6.2** (easy, 10 min) Write `gap(information, entropy)`: MIG from a table of mutual information (factors, latents) and the factors' entropies (factors,). *Hint: `torch.topk`.*

# %%
answer = None  # def answer(information, entropy): ...
check("6.2", answer)

# %% [markdown]
# **6.3** (medium, 20 min) At 11.1 nats "√area, wide" had 87 at a split chosen by hand, and "scale, shape" 102. Is that fair? Find a split of 11.1 nats over the five *factors*, five rates in the order shape, scale, orientation, x, y, with less than 75. *Hint: `distortion` has gradients, and `C * torch.softmax(a, 0)` adds up to C.*

# %%
answer = None
check("6.3", answer)

# %% [markdown]
# **6.4** (medium, 10 min) Write `even(gradient)`: the step $U V^\top$ of a gradient $U S V^\top$, for a matrix of any shape. *Hint: `torch.linalg.svd`, and mind what it calls V.*

# %%
answer = None  # def answer(gradient): ...
check("6.4", answer)

# %% [markdown]
# **6.5** (open, an hour of computing) Train `sprites-opened` with the third latent open from the beginning, `openings=((0, 3), (6_000, 10))`. Does size still have a latent of its own? Compare with Figure 6.9. No check here: this is an experiment.

# %% [markdown]
# **6.6** (medium, 20 min) An ablation. Take the split 1.3, 1.4, 2.6, 2.9, 2.9 (shape, scale, orientation, x, y; 11.1 nats). By how many nats does D rise if shape gets nothing, if orientation gets nothing, and if neither gets anything? Each time the remaining factors get the freed nats in proportion to what they have. Hand in the three rises, to within a nat. Is the third the sum of the other two? *Hint: `distortion(channels, rates, sobol(channels, 512)).mean()` with `SpriteChannels("centred")`.*

# %%
answer = None
check("6.6", answer)

# %% [markdown]
# ## Summary
#
# - The published objective, with our choices for what is not stated, finds place and size on coloured sprites and then pours nats into them, on three seeds of three.
# - Most channels of the encoder's second to fourth convolution are dormant, and no difference of colours can be read from its last layer. That the one is the cause of the other has not been shown.
# - While nats are few, up to about ten and a half, the best code that we know is not made of the factors: centroid for place, area for scale, width and slant for shape and angle. That is arithmetic, without a network. Every run holds area better than scale, with or without a ramp; only the multiplier's holds all five moments. Whether trainings keep moments when factors would be better is open.
# - A training with six changes (a multiplier, latents opened in order, Muon and others) goes on: drawings about as good as a plain VAE's or better, and several times its MIG, on coloured sprites and on white ones. Which change does it is open.
# - MIG asks for much: ideal x and y make 0.34 on five factors, the ideal moments 0.39. Sampling error belongs to every number, and the spread over seeds is larger.
#
# **Readings.** Burgess et al. 2018, sections 5 and A.2 and Figure 4. Chen et al. 2018 (MIG); Eastwood and Williams 2018 (DCI); Kim and Mnih 2018 (FactorVAE); Locatello et al. 2019, *Challenging common assumptions*. Zhu, Xu and Tao 2021 (CLG-VAE). Sokar et al. 2023, on dormant units. Jordan et al. 2024, *Muon*. Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*.
