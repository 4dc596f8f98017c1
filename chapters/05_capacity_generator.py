# %% [markdown]
# # Chapter 5 · Tell a decoder the factors through noisy channels, and predict when each factor pays
#
# Figure 3 of Burgess et al. (2018), *Understanding disentangling in β-VAE*, is an experiment with the encoder left out. A decoder
# is *told* the five factors of dSprites (shape, scale, orientation, x, y), each through a noisy channel, and may choose how much noise each channel has. All
# channels together may carry C nats, and C rises slowly. Who gets the first nats, and who has to wait?
#
# The paper shows one training. This chapter also solves the problem: the best decoder for these channels is known exactly, so the best split
# of every C can be computed without any network. Then the training can be compared with what it should have done.
#
# **By the end you will have shown that**
#
# 1. the best split gives everything to x and y first, equally, then adds scale, then shape, then orientation, each at a capacity that you can predict;
# 2. at which capacity depends on a detail that the paper does not state: whether the factors keep their *mean*. A mean costs nats and tells nothing. With it, scale comes at 6.6 nats, "around 6" as the paper says; without it, at 2.8;
# 3. the published objective, γ = 1000 under Adam, does not find that split: its shares all grow from the start. You will see why in a line of arithmetic. With β as a Lagrange multiplier the training follows the best split, until the network itself falls short;
# 4. 25 nats do not fit into a set of pictures with an entropy of 13.5 nats. You will measure where the other 11.5 go.
#
# **You need** the KL as a channel's rate, its slack and water-filling (chapter 2), the confusions of an optimal decoder (chapter 3). A little PyTorch.
# **Time:** 60 minutes to read, under 3 minutes of CPU time.

# %% [markdown]
# ## A puzzle before we start
#
# Write down your guesses.
#
# - You may send 3 nats about a sprite, no more. Would you say a little about each of its five factors, or everything about where it is?
# - The scale of a sprite takes the values 0.5, 0.6, …, 1. Your friend sends "scale minus 0.75" instead. Does she save anything?
# - An angle is sent faintly: you learn only roughly whether it is small (near 0°) or large (near 360°). How much does that tell you about the picture of a square?

# %% [markdown]
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $f_i$; $m_i$, $v_i$ | factor $i$ of a picture; its mean and variance over the data | – |
# | $z_i = a_i f_i + \sigma_i \varepsilon_i$ | what the decoder is told of it, with noise $\varepsilon_i \sim \mathcal N(0, 1)$ | – |
# | $R_i$ | rate of factor $i$: the mean of $\mathrm{KL}(q(z_i \mid f_i) \,\Vert\, \mathcal N(0, 1))$ | nats |
# | $C$ | capacity: what all rates may add up to | nats |
# | $D$; $D(C)$ | reconstruction loss of the best decoder; the least of it at capacity $C$ | nats |
# | $G_i = -\partial D / \partial R_i$ | worth of a further nat for factor $i$ | nats per nat |
# | $g_i = \partial D / \partial \log \sigma_i$ | what more noise on factor $i$ costs | nats |
# | $\gamma$ | price of missing $C$ by a nat | nats per nat |
# | $b = \pm 1$, $\bar b$ | is the KL of this batch above or below $C$?; its mean over many steps | – |
# | $\alpha$ | Adam's learning rate | – |
#
# Losses are **sums over pixels and factors and means over the batch, in nats**. The symbols of the whole course are in
# [NOTATION.md](NOTATION.md).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from minivae import channel, figures, gaussian
from minivae.bayes import SpriteChannels, amplitudes, distortion, sobol
from minivae.checks import check
from minivae.datasets import Sprites
from minivae.models import FactorGenerator
from minivae.objectives import CapacityELBO, LagrangianELBO, LinearSchedule
from minivae.optimal import RateDistortion, rate_distortion, trained_curve
from minivae.runs import Run
from minivae.training import train
from minivae.widgets import CapacityExplorer

RUNS, LIMITS = "../data/runs", "../data/limits"

# %% [markdown]
# ## 1. The data and the model
#
# dSprites: three shapes, six scales, 40 orientations, 32 × 32 places, every combination once: 737,280 pictures.

# %%
data = Sprites()
some = data.sample_classes(8, torch.Generator().manual_seed(3))
names = SpriteChannels.factors
print(f"{len(data):,} pictures, entropy {np.log(len(data)):.2f} nats")
for name in names:
    f = data.values[name]
    print(f"{name:12} {len(f):2} values from {f.min():.2f} to {f.max():.2f}")
figures.image_row(data.render(some), [("square", "ellipse", "heart")[c] for c in some[:, 1].tolist()])
plt.show()

# %% [markdown]
# *Figure 5.1. Eight of the pictures.*
#
# The model is the decoder of chapter 4 behind five channels. Each factor is multiplied by a learned number $a_i$, and gets learned noise $\sigma_i$:


# %%
class ByHand(torch.nn.Module):
    """The whole generator but for its decoder."""

    def __init__(self, values, decoder):
        super().__init__()
        self.values = values  # factors, classes
        self.a = torch.nn.Parameter((0.2 / torch.stack([f.square().mean() for f in values])).sqrt())
        self.log_std = torch.nn.Parameter(torch.zeros(len(values)))
        self.decoder = decoder

    def forward(self, classes, generator):
        f = torch.stack([f[c] for f, c in zip(self.values, classes.T, strict=True)], 1)
        mean = self.a * f
        log_std = self.log_std.expand_as(mean)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        return self.decoder(z), mean, log_std


library = FactorGenerator(list(data.values.values()), generator=torch.Generator().manual_seed(0))
by_hand = ByHand([data.values[name].float() for name in names], library.decoder)
ours = by_hand(some[:, 1:], torch.Generator().manual_seed(1))
theirs = library(some, torch.Generator().manual_seed(1))
assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))
print("the model by hand and the library's give the same")

# %% [markdown]
# Its objective is the paper's: reconstruction + γ · |ΣR − C| with γ = 1000, where C climbs from 0.5 to 25 nats over 100,000 steps, and
# the sum is that of the batch. Train the first 300 steps live:

# %% tags=["nbval-ignore-output"]
from minivae import experiments

live = train(experiments.get("generator"), steps=300, seed=0)

# %%
assert live.history["reconstruction"][-20:].mean() < 0.8 * live.history["reconstruction"][0]
assert abs(live.history["kl"][-100:].sum(1).mean() - 0.55) < 0.15  # C is 0.57 by then
print("it learns, and it keeps to the capacity")

# %% [markdown]
# ## 2. What the published recipe does
#
# The recorded run is the whole 100,000 steps (about two hours on one core). Here are the nats of each factor, and the reconstruction.

# %%
runs = {
    name: Run.load(f"{RUNS}/generator{name}-seed0.h5")
    for name in ("", "-lagrangian", "-centred", "-lagrangian-centred")
}
print(runs[""].made["command"])
curves = {name: trained_curve(run) for name, run in runs.items()}
published = curves[""]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
for i, name in enumerate(names):
    left.plot(
        published.capacities,
        published.rates[:, i],
        color=figures.PALETTE[i],
        linestyle=figures.DASHES[i % 4],
        label=name,
        zorder=3 - 0.1 * i,
    )
left.set(xlabel="capacity C (nats)", ylabel="KL per factor (nats)")
left.legend(fontsize=8)
right.plot(published.capacities, published.distortions, color="black")
right.set(xlabel="capacity C (nats)", ylabel="reconstruction (nats)", ylim=(0, None))
plt.show()
off_target = (published.rates.sum(1) - published.capacities).abs()
print(f"largest distance of the KL from C: {off_target.max():.2f} nats")
assert off_target.max() < 0.2
for name in names:
    print(f"{name:12} has 0.1 nats or more from C = {published.onset(name):.1f} on")
assert all(published.onset(name) < 1 for name in names)

# %% [markdown]
# *Figure 5.2. The published recipe: γ = 1000, raw factors. Left: KL of each factor as C rises. Right: reconstruction.*
#
# **What you should see.** The KL is where it should be, but Figure 3 is not. In the paper x and y share everything up to 5 nats, scale joins at about 6, shape and orientation later. Here all five take part from the first nat on. Position gets more than its share, and no factor ever waits.
# Nor is it a good decoder: 60 nats are left at the end, when the channels could carry everything.
#
# So what *should* have happened? We need something to compare with.
#
# ## 3. The decoder that nothing beats
#
# A decoder sees z and names a brightness $p_j$ for every pixel. Its loss is $-x_j \log p_j - (1 - x_j) \log(1 - p_j)$. Averaged over all pictures that could have sent this z, $x_j$ becomes $\mathbb E[x_j \mid z]$, and the
# loss is least where $p_j$ equals it (chapter 1: a cross-entropy is least at the truth). So **the best decoder draws the mean of all pictures, weighted by how likely each is to have sent z**:
#
# $$ \hat x(z) = \mathbb E[x \mid z] = \sum_f p(f \mid z)\, x(f), \qquad p(f \mid z) \propto \prod_i \exp\left(-\frac{(z_i - a_i f_i)^2}{2 \sigma_i^2}\right) . $$
#
# No network can do better with these channels. The belief is a product over the factors, because the factors are independent and so is the noise:


# %%
def belief(z, values, a, std):
    """p(f | z) of one channel over the values of its factor: (n,) and (k,) → (n, k)."""
    return torch.softmax(-0.5 * ((z[:, None] - a * values) / std) ** 2, dim=1)


values = data.values["x"].float()
for std in (3.0, 0.3, 0.03):
    p = belief(torch.tensor([0.5]), values, 1.0, std)[0]
    print(f"σ = {std:4}: the decoder believes in {p.square().sum() ** -1:4.1f} of the 32 places")

# %% [markdown]
# The product makes it fast. The belief in shape, scale and orientation mixes 720 sprites into one blurred sprite, and the beliefs in x and y smear that
# over the canvas: two small matrix products (`minivae/bayes.py`, 40 lines). For that the sprites are put at whole pixels. Is this good enough? Compare with the sum over all 737,280 pictures, at four settings from faint to clear:

# %%
raw, centred = SpriteChannels("raw"), SpriteChannels("centred")


def nll(p, x):
    return F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), x, reduction="none").sum((1, 2)).mean().item()


points = sobol(centred, 16, seed=1)
noise = torch.special.ndtri(points[:, 5:])
print("rate of each factor   whole pixels   all pictures")
for rate in (0.5, 1.0, 2.0, 4.0):
    rates = torch.full((5,), rate)
    amplitude = amplitudes(rates, centred.excess)
    picture, mean = centred.exact(points[:, :5], noise, amplitude)
    quick, exact = distortion(centred, rates, points).mean().item(), nll(mean, picture)
    print(f"{rate:15.1f} {quick:17.1f} {exact:14.1f}")
    assert abs(quick - exact) < 0.02 * exact + 1

# %% [markdown]
# Good to a nat or one per cent. From here on $D$ is computed this way, with a few hundred pictures spread evenly over all cases.
#
# ## 4. The best split
#
# Scale every channel so that its nats go furthest (chapter 2). Then a split is five numbers $R_i \ge 0$ that add up to C, and $D$ is a smooth function of them. Where $D$ is least every factor that gets anything gets the same worth for its last nat:
# $G_i = \beta$, the price. That is water-filling once more.
#
# Descent alone does not find it, though. Look at how $D$ changes as nats are taken from x and y and given to scale:


# %%
@torch.no_grad()
def along(channels, capacity, shares, points):
    """D as scale gets each of the shares, and x and y the rest: minus D without scale."""
    splits = [torch.tensor([0.0, s, 0.0, (capacity - s) / 2, (capacity - s) / 2]) for s in shares]
    losses = torch.stack([distortion(channels, split, points).mean() for split in splits])
    return (losses - losses[0]).numpy()


points = sobol(raw, 512)
shares = np.arange(0, 2.81, 0.1)
tried = {"raw": (6.0, 6.6, 7.0, 7.5), "centred": (2.0, 2.5, 3.0, 5.0)}
ridge = {
    kind: {C: along({"raw": raw, "centred": centred}[kind], C, shares.clip(max=C), points) for C in capacities}
    for kind, capacities in tried.items()
}
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True, layout="constrained")
for axis, (kind, lines) in zip(axes, ridge.items(), strict=True):
    for i, (C, change) in enumerate(lines.items()):
        axis.plot(shares, change, color=figures.PALETTE[i], linestyle=figures.DASHES[i], label=f"C = {C}")
    axis.axhline(0, color=figures.GREY, linewidth=0.8)
    axis.set(title=f"{kind} factors", xlabel="nats given to scale", ylim=(-30, 15))
    axis.legend(fontsize=8, loc="lower left")
axes[0].set_ylabel("D, minus D without scale (nats)")
plt.show()
assert ridge["raw"][6.6][1:8].min() > 0.1  # the first 0.7 nats only cost
assert ridge["raw"][7.0].min() < -4 and ridge["raw"][7.0][1:3].max() > -0.2  # far off there is a gain, nearby none
assert ridge["centred"][2.0][1] > 1 and ridge["centred"][3.0][1] < -1  # no ridge: the first tenth of a nat decides

# %% [markdown]
# *Figure 5.3. What it does to the loss when x and y give nats to scale. Left: the factors as published; right: with their mean taken off.*
#
# **What you should see.** Left, at C = 7: the first tenths of a nat change next to nothing, or cost; with one and a half nats there is a clear gain. Before the valley lies a **ridge**. Whoever goes downhill from "scale has nothing" stays there. Right: no ridge, the curve goes down at once or not at all.
# (The axis of the right panel is cut: beyond half a nat it is dear to rob x and y at C = 2.)
#
# So the search tries finite shares, for every set of factors, and only then goes downhill (`rate_distortion` in `minivae/optimal.py`). It is a good search and no proof. Here it is at three capacities, with fewer pictures than the recorded curves used:

# %%
quick = rate_distortion(raw, [6.0, 6.4, 7.0], samples=128)
for C, split, D in zip(quick.capacities, quick.rates, quick.distortions, strict=True):
    print(
        f"C = {C:.1f}: "
        + "  ".join(f"{name} {R:.2f}" for name, R in zip(names, split, strict=True))
        + f"   D = {D:.0f}"
    )
assert quick.rates[0, 1] == 0 and quick.rates[2, 1] > 1  # scale jumps from nothing to more than a nat
assert (quick.rates[0, 3:] - 3.0).abs().max() < 0.15  # before, x and y share equally

# %% [markdown]
# A share of exactly 0 here means: no share. The full curves took about ten minutes each (`python -m minivae limit sprites-raw`), and were computed with three sets of random pictures:

# %%
limits = {
    kind: [RateDistortion.load(f"{LIMITS}/sprites-{kind}-seed{seed}.json") for seed in range(3)]
    for kind in ("raw", "centred")
}
print(limits["raw"][0].made["command"])
figures.splits({"raw factors": limits["raw"][0], "centred factors": limits["centred"][0]})
plt.show()


# %%
def onsets(curves):
    """Capacity from which on a factor has 0.1 nats: mean and standard deviation over seeds; position: both x and y."""
    found = {name: np.array([curve.onset(name) for curve in curves]) for name in names}
    found["position"] = np.maximum(found.pop("x"), found.pop("y"))
    return {name: (found[name].mean(), found[name].std()) for name in ("position", "scale", "shape", "orientation")}


best = {kind: onsets(three) for kind, three in limits.items()}
for kind, found in best.items():
    print(f"{kind:8}" + "   ".join(f"{name} {mean:.1f} ± {std:.1f}" for name, (mean, std) in found.items()))
    means = [mean for mean, _ in found.values()]
    assert means == sorted(means)  # position, scale, shape, orientation
    assert max(std for _, std in found.values()) < 0.4
assert 6.3 < best["raw"]["scale"][0] < 7.0 and 2.5 < best["centred"]["scale"][0] < 3.0
alone = limits["raw"][0].capacities < 6
shared = limits["raw"][0].rates[alone & (limits["raw"][0].capacities >= 2)]
assert (shared[:, :3] == 0).all() and (shared[:, 3] - shared[:, 4]).abs().max() < 0.15

# %% [markdown]
# *Figure 5.4. Above: the best split of every capacity. Below: what a further nat is worth under the best split.*
#
# **What you should see.** The paper's Figure 3, with no network: position alone and in equal shares, then scale, then shape, then orientation. (Below 1.8 nats raw x and y do not even share: one of them gets all.) A factor that comes in late does so in a *jump*, with more than a nat at once (that is the ridge), and the others pay for it. The price of a nat *rises* there: a nat that must be split with a newcomer is worth more than the last nat that x and y had.
# So the price is not a water level that only falls, and $D(C)$ is not convex.
#
# One more thing about orientation. Centred or raw, it comes late. The third puzzle says why: how much does a *faint* angle tell? Chapter 4 had the worth of a whisper: $\sum_j \mathrm{Cov}(x_j, f)^2 / v_j$ per nat, for a signal of variance 1.

# %%
templates = raw.templates.reshape(3, 6, 40, -1).double()  # shape, scale, orientation, pixels
angle = data.values["orientation"].double()
signal = (angle - angle.mean()) / angle.std(correction=0)
p = templates.mean(2)
covariance = torch.einsum("stoj,o->stj", templates, signal) / 40
worth = torch.where(p * (1 - p) > 1e-9, covariance**2 / (p * (1 - p)).clamp_min(1e-9), 0.0).sum(2).mean(1)
for name, nats in zip(("square", "ellipse", "heart"), worth, strict=True):
    print(f"{name:8} a faint angle is worth {nats:4.1f} nats per nat, if place, scale and shape are known")
whisper = worth.mean().item()
print(f"on average {whisper:.1f}; sent with its mean, {whisper / (1 + raw.excess[2]):.1f}")
assert worth[0] < 0.2 * worth[2] and 7 < whisper < 12

# %% [markdown]
# A square looks the same after a quarter of a turn, so "small or large angle" tells little of it; of a heart it tells seven times as much. A faint angle helps with some of the pictures only, and one must know with which: so shape comes first. (That is the third puzzle. Section 10 asks what an angle could do that knows of symmetry.)
# And a faint angle is worth less than a clear one. So orientation has a ridge of its own, centred or raw: it comes with two nats or more at once, at a price of 17, while its first hundredth of a nat is not worth 10.
#
# ## 5. The mean
#
# Why does scale come at 2.8 nats in one case and at 6.6 in the other? The pictures are the same, and so is the decoder's belief. What differs is the fee. Chapter 2: a channel with the signal-to-noise ratio SNR costs
#
# $$ R = \tfrac12 \log\left(1 + \mathrm{SNR}\,\Big(1 + \frac{m^2}{v}\Big)\right) \qquad \text{instead of} \qquad R' = \tfrac12 \log(1 + \mathrm{SNR}), $$
#
# because the KL is taken to a prior of mean 0, and a factor with a mean pays to send it. Chapter 2 called it slack: nats that tell nothing. The fee $R - R'$ grows with the SNR, up to $\tfrac12 \log(1 + m^2/v)$; for a faint channel it is the rate *times* $1 - 1/(1 + m^2/v)$. Values as published:

# %%
print("factor        mean   variance   m²/v   first nats count   fee at a high rate")
fee = {}
for name in names:
    f = data.values[name].double()
    ratio = (f.mean() ** 2 / f.var(correction=0)).item()
    fee[name] = 0.5 * np.log1p(ratio)
    print(
        f"{name:12} {f.mean():5.2f} {f.var(correction=0):10.3f} {ratio:6.1f}      1/{1 + ratio:4.1f} {fee[name]:20.2f}"
    )
assert max(fee, key=fee.get) == "scale" and fee["scale"] > 1.4

# %% [markdown]
# Scale lives on [0.5, 1]: far from zero, and narrow. It pays the most. Of its first nat's fractions a twentieth arrives, and once it is loud it has paid 1.5 nats for nothing. That is the ridge of Figure 5.3. (The second puzzle: your friend saves up to 1.5 nats.)
#
# **Predict.** If this is all, then the raw problem is the centred one with another price list: the split $R$ of raw factors has exactly the loss of the centred split $R'$. Take the best raw splits, subtract the fees by the formula above, and evaluate the *centred* channels there:

# %%
fees = []
for C in (5.0, 7.5, 12.0, 16.0):
    split = limits["raw"][0].at(C)[0].float()
    ratio = torch.expm1(2 * split) / (1 + raw.excess)
    cheaper = 0.5 * torch.log1p(ratio)
    with torch.no_grad():
        as_raw = distortion(raw, split, points).mean()
        as_centred = distortion(centred, cheaper, points).mean()
    fees.append((split.sum() - cheaper.sum()).item())
    there = np.interp(-as_raw.item(), -limits["centred"][0].distortions, limits["centred"][0].capacities)
    print(
        f"C = {C:4}: D {as_raw:5.1f}; without fees {cheaper.sum():5.2f} nats, D {as_centred:5.1f}; the centred optimum needs {there:5.2f} nats for it"
    )
    assert abs(as_raw - as_centred) < 1e-2 * as_raw
    assert there < cheaper.sum() + 0.15  # having no fees to avoid, it splits otherwise, and never does worse
assert fees == sorted(fees) and fees[-1] > 4

# %% [markdown]
# At C = 16 more than four nats go to means. And the onset? A newcomer comes in where some finite share of it beats having none. For scale, from $D$ alone, with nothing else on but x and y:

# %%
fine = np.arange(0, 3.01, 0.15)
predicted = {}
for kind, channels, tries in (("raw", raw, np.arange(6.2, 7.21, 0.1)), ("centred", centred, np.arange(2.3, 3.21, 0.1))):
    predicted[kind] = []
    for seed in range(3):
        others = sobol(channels, 256, 100 + seed)
        gains = [along(channels, C, fine.clip(max=C), others).min() for C in tries]
        predicted[kind].append(next(C for C, gain in zip(tries, gains, strict=True) if gain < -1e-3))
    mean, std = np.mean(predicted[kind]), np.std(predicted[kind])
    print(
        f"{kind:8} scale pays from C = {mean:.1f} ± {std:.1f} (search over all splits: {best[kind]['scale'][0]:.1f} ± {best[kind]['scale'][1]:.1f})"
    )
    assert abs(mean - best[kind]["scale"][0]) < 0.35

# %% [markdown]
# **Measured.** The paper says that scale appears "around C = 6", and draws it at 7.3 nats. That is the raw number, 6.6, and far from the centred one, 2.8. So the paper's generator was most likely told the factors at their published values, mean and all. It does not say.
#
# ## 6. Trainings beside the limit
#
# Now look at the published training again, with the best split behind it. And beside it at another training of the same model: β is no constant, and there is no γ, but the KL is held at C by a **Lagrange multiplier**. The loss is reconstruction + β·ΣR, and β climbs while the KL is above C and falls while it is below:
#
# $$ \log \beta_{t+1} = \log \beta_t + \rho\,(\textstyle\sum R - C)_{\pm 1} $$
#
# with the bracket cut at ±1, and a damping on top (`LagrangianELBO`). At the optimum β is the price of Figure 5.4.

# %%
figures.shares(
    {
        "γ = 1000 (published)": curves[""],
        "multiplier": curves["-lagrangian"],
        "multiplier, centred": curves["-lagrangian-centred"],
    },
    [limits["raw"][0], limits["raw"][0], limits["centred"][0]],
)
plt.show()

# %% [markdown]
# *Figure 5.5. Nats of each factor over C: trainings (thin lines) over the best split (broad pale lines; where x and y are equal, the pale lines lie on each other).*

# %%
figures.frontier(
    {"γ = 1000, raw": curves[""], "multiplier, raw": curves["-lagrangian"], "γ = 1000, centred": curves["-centred"],
     "multiplier, centred": curves["-lagrangian-centred"]},
    {"limit, raw": limits["raw"][0], "limit, centred": limits["centred"][0]},
)  # fmt: skip
plt.show()

# %% [markdown]
# *Figure 5.6. Reconstruction against what was paid. No training can come below the broad line of its kind.*

# %%
of = {"": "raw", "-lagrangian": "raw", "-centred": "centred", "-lagrangian-centred": "centred"}
words = {
    "": "γ = 1000, raw",
    "-lagrangian": "multiplier, raw",
    "-centred": "γ = 1000, centred",
    "-lagrangian-centred": "multiplier, centred",
}
print("distance from the limit at the KL that was paid: of the loss, and of the share that is farthest off (nats)")
gap = {}
for name, curve in curves.items():
    limit, paid = limits[of[name]][0], curve.rates.sum(1)
    inside = (paid > 2) & (paid < limit.capacities[-1])
    split, D = limit.at(paid[inside])
    gap[name] = {
        "C": paid[inside],
        "loss": curve.distortions[inside] - D,
        "share": (curve.rates[inside] - split).abs().amax(1),
    }
    cells = []
    for low, high in ((2, 6.4), (6.4, 8), (8, 12), (12, 16)):
        window = (gap[name]["C"] >= low) & (gap[name]["C"] < high)
        cells.append(
            f"{low:g}–{high:g}: {gap[name]['loss'][window].mean():4.0f}, {gap[name]['share'][window].max():.2f}"
        )
    print(f"{words[name]:20}" + "   ".join(cells))


def before(name, C):
    window = gap[name]["C"] < C
    return gap[name]["loss"][window].max(), gap[name]["share"][window].max()


loss, share = before("-lagrangian", 6.4)
print(f"multiplier, raw, up to 6.4 nats: loss within {loss:.1f}, every share within {share:.2f} nats of the best split")
assert loss < 6 and share < 0.25
loss, share = before("-lagrangian-centred", 8)
print(f"multiplier, centred, up to 8 nats: loss within {loss:.1f}, every share within {share:.2f} nats")
assert loss < 12 and share < 0.4
loss, share = before("", 6.4)
print(f"γ = 1000, raw, up to 6.4 nats: loss off by up to {loss:.0f}, shares by up to {share:.2f} nats")
assert loss > 100 and share > 0.8
assert all((g["loss"] > -4).all() for g in gap.values())  # nobody beats the limit

# %% [markdown]
# **What you should see.** With the multiplier the training lies on the best split as long as position is all there is to send, and for centred factors with scale and shape too. With γ = 1000 it never does.
#
# **What would falsify it.** A thin line below the broad one of its kind in Figure 5.6: then the limit would be none.
#
# The onsets in one table:

# %%
table = {"best split": best["raw"], "best, centred": best["centred"]}
table |= {words[name]: onsets([curve]) for name, curve in curves.items()}
print("0.1 nats from C = ...     position   scale   shape   orientation")
print("paper (by eye)            start      6       by 15.4 by 23.8")
for who, found in table.items():
    print(f"{who:24}  " + "  ".join("start  " if mean < 1 else f"{mean:7.1f}" for mean, _ in found.values()))
raw_multiplier, centred_multiplier = table["multiplier, raw"], table["multiplier, centred"]
for found in (raw_multiplier, centred_multiplier):
    means = [mean for mean, _ in found.values()]
    assert means == sorted(means) and means[0] < 1  # position, scale, shape, orientation
assert raw_multiplier["scale"][0] > best["raw"]["scale"][0] + 1
assert raw_multiplier["orientation"][0] > best["raw"]["orientation"][0] + 4
assert abs(raw_multiplier["shape"][0] - 11.8) < 1

# %% [markdown]
# The order is the paper's, in each line but those of γ = 1000. The trained onsets are late, and later the later the factor. Two reasons, and they can be told apart.
#
# **The ridge.** Training goes downhill. For raw scale the best split jumps at 6.6, but the first tenth of a nat pays only once the ridge is gone, at about 7.3 (Figure 5.3). The training starts a little after that.
#
# **The network.** When is a first tenth of a nat worth something to the *trained* decoder? Its price β says what a nat of the others is worth to it. Beside it, what a nat is worth under the best split:


# %%
def at(curve, C, values):
    return np.interp(C, curve.capacities, values)


print("   C   multiplier's price   worth under the best split (raw factors)")
for C in (4.0, 8.0, 14.0, 15.4, 17.0):
    curve, limit = curves["-lagrangian"], limits["raw"][0]
    print(f"{C:5.1f} {at(curve, C, curve.prices):12.1f} {at(limit, C, limit.prices):22.1f}")
assert at(curve, 15.4, curve.prices) < 3 < 12 < at(limit, 15.4, limit.prices)

# %% [markdown]
# At 15.4 nats a further nat buys the training less than two nats of loss, while one that gave orientation its share would buy 16. The other four factors are drawn so finely by then that little is left to gain by them. Why does it not begin with the angle? A whisper of it, sent with its mean, is worth 2.5 nats per nat to the best decoder (section 4), so before the price has fallen to that no training that goes downhill can begin; and then *this* decoder first has to learn what the whisper means, from batches of 64 pictures in which it is all but drowned. That takes it until 19 nats. Chapter 6 meets the same wait with an encoder.
#
# Split or decoder: which costs how much? Put the *trained* splits into the best decoder. The loss above the limit falls into two parts:

# %%
print("   C   whose                 trained   best decoder,    limit   lost by     lost by")
print("                                       its split                the split   the decoder")
lost = {}
for C in (4.0, 8.0, 12.0, 15.4, 20.0, 24.5):
    for name in ("", "-lagrangian"):
        curve = curves[name]
        i = (curve.capacities - C).abs().argmin()
        with torch.no_grad():
            its = distortion(raw, curve.rates[i].float(), points).mean().item()
        least = limits["raw"][0].at(curve.rates[i].sum())[1].item()
        here = curve.distortions[i].item()
        lost[name, C] = its - least, here - its
        print(
            f"{C:5.1f}  {words[name]:20} {here:8.0f} {its:13.0f} {least:12.0f} {its - least:11.0f} {here - its:11.0f}"
        )
assert all(abs(lost["-lagrangian", C][1]) < 6 for C in (4.0, 8.0, 12.0))
assert lost["", 8.0][0] > 40 and lost["-lagrangian", 4.0][0] < 4
assert all(lost[name, 24.5][0] < 10 and lost[name, 24.5][1] > 40 for name in ("", "-lagrangian"))

# %% [markdown]
# Below 12 nats the decoder of A.1 is as good as the best there is; what γ = 1000 loses, it loses by the split. At the end it is the other way round: with 24.5 nats any split will do, and the networks draw some 55 nats worse than they could. A decoder that has learnt blurred pictures for most of its life has not yet learnt the sharp ones.
#
# ## 7. Why γ = 1000 drowns the split
#
# The loss is $D + \gamma\,|\sum R - C|$. The gradient of the second term is $\gamma\, b\, \partial R_i$, with $b = \pm 1$: the KL is above the target, or below. It flips its sign every few steps, and always has the same size. Take the noise of channel $i$. With $\partial R_i / \partial \log \sigma_i = \sigma_i^2 - 1$,
#
# $$ \frac{\partial \mathcal L}{\partial \log \sigma_i} = -\gamma\, b\, (1 - \sigma_i^2) + g_i, \qquad g_i = \frac{\partial D}{\partial \log \sigma_i} \ge 0 . $$
#
# Adam divides the mean gradient by its root mean square. The mean of $b$ is a small $\bar b$; the mean square of $b$ is 1. So with $g_i \ll \gamma$, a step with learning rate $\alpha$ is
#
# $$ \boxed{\;\Delta \log \sigma_i \approx \alpha \left( \bar b - \frac{g_i}{\gamma\,(1 - \sigma_i^2)} \right)\;} $$
#
# The first part is *the same for every factor*. All noises shrink together, at the pace that keeps ΣR at C. What tells factors apart is the second part, and it is divided by γ. With $g$ of 30 nats, a learning rate of 0.0005 and γ = 1000 that is 0.000015 a step, so 67,000 steps until two factors whose worth differs by 30 are one unit of log σ apart.
# The constraint has no opinion about who gets the nats, but it has taken over Adam's ruler.
#
# **On a model that we can solve.** The linear model of chapter 2, six components, C from 0 to 5 over 6,000 steps and 2,000 more to settle. The best split is water-filling.


# %%
eigenvalues = torch.tensor([8.0, 4.0, 4.0, 1.5, 0.6, 0.2])


def train_diagonal(objective, steps=8_000, learning_rate=2e-3, s2=0.25):
    """Linear VAE, a latent a component: exact error and rates; returns the rates and the squared error at the end."""
    v = torch.full((6,), 0.2, requires_grad=True)
    w = torch.full((6,), 0.2, requires_grad=True)
    log_std = torch.zeros(6, requires_grad=True)
    optimizer = torch.optim.Adam([v, w, log_std], lr=learning_rate)
    state = objective.initial_state() if hasattr(objective, "initial_state") else None
    for step in range(steps):
        error = (eigenvalues * (1 - w * v) ** 2 + w**2 * (2 * log_std).exp()).sum()
        kl = 0.5 * (v**2 * eigenvalues + (2 * log_std).exp() - 1) - log_std
        if state is None:
            loss = objective(error / (2 * s2), kl, step)
        else:
            loss = objective(error / (2 * s2), kl, step, state)
            objective.update(kl.detach(), step, state)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return kl.detach(), error.item()


ramp = LinearSchedule(0.0, 5.0, 0, 6_000)
theory = channel.reverse_water_filling(eigenvalues, rate=5.0)
print("                rates of the six components              squared error")
print("best            " + "  ".join(f"{R:.2f}" for R in theory.rates) + f" {theory.distortions.sum():15.2f}")
found = {}
for name, objective in (
    ("γ = 1000", CapacityELBO(1000.0, ramp)),
    ("γ = 40", CapacityELBO(40.0, ramp)),
    ("multiplier", LagrangianELBO(ramp, rate=0.02, beta=16.0)),
):
    rates, error = found[name] = train_diagonal(objective)
    print(f"{name:15} " + "  ".join(f"{R:.2f}" for R in rates) + f" {error:15.2f}")
    assert abs(rates.sum() - 5) < 0.15
assert found["γ = 1000"][1] > 1.3 * theory.distortions.sum() > found["multiplier"][1]
assert (
    (found["multiplier"][0] - theory.rates).abs().max() < 0.1 < 0.2 < (found["γ = 1000"][0] - theory.rates).abs().max()
)
assert found["multiplier"][1] < found["γ = 40"][1] < found["γ = 1000"][1]

# %% [markdown]
# Six numbers and no network, and γ = 1000 makes the same mistake: it gives to the faintest component, which should have nothing, and leaves the first one short. γ = 40, just above the worth of a nat, does better. (The multiplier's β follows ten times as fast here as in the library's default, because the whole ramp is that much shorter.)
#
# **On the generator.** The formula has no free parameter, so it can be held against the recorded run. Between two snapshots, every factor's log σ should lag behind the mean of all by $\alpha \cdot \text{steps} \cdot \Delta g / \gamma$, with $g_i$ measured on the trained decoder:


# %%
def worth_of_less_noise(model, pictures=1024, seed=0):
    """g = ∂D/∂log σ of a generator's own decoder, and log σ, each (factors,)."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(5)
    for _ in range(pictures // 256):
        classes = data.sample_classes(256, generator)
        mean, _ = model.encode(classes)
        log_std = model.log_std.detach().clone().requires_grad_()
        logits = model.decode(mean.detach() + log_std.exp() * torch.randn(mean.shape, generator=generator))
        loss = F.binary_cross_entropy_with_logits(logits, data.render(classes), reduction="none").sum((1, 2, 3)).mean()
        total += torch.autograd.grad(loss, log_std)[0] * 256 / pictures
    return total, model.log_std.detach()


run = runs[""]
steps = sorted(run.snapshots)
g, log_std = (torch.stack(v) for v in zip(*(worth_of_less_noise(run.model(step)) for step in steps), strict=True))
pull = g / (1000 * (1 - (2 * log_std).exp()))
between = torch.tensor(steps).diff()[:, None]
expected = -run.experiment.learning_rate * between * (pull[1:] + pull[:-1]) / 2
moved = log_std.diff(dim=0)
expected, seen = expected - expected.mean(1, keepdim=True), moved - moved.mean(1, keepdim=True)
slope = ((expected * seen).sum() / expected.square().sum()).item()
correlation = torch.corrcoef(torch.stack([expected.flatten(), seen.flatten()]))[0, 1].item()
misfit = ((seen - expected).square().mean() / seen.square().mean()).sqrt().item()
print(f"seen against expected: slope {slope:.2f}, correlation {correlation:.2f}, misfit {misfit:.0%}")
print(
    "mean step of log σ of all factors, in units of α: "
    + ", ".join(f"{b:.3f}" for b in (moved.mean(1, keepdim=True) / between / run.experiment.learning_rate).flatten())
)

figure, axis = plt.subplots(figsize=(4.8, 3.8), layout="constrained")
for i, name in enumerate(names):
    axis.scatter(expected[:, i], seen[:, i], color=figures.PALETTE[i], marker="os^DX"[i], s=24, label=name)
ends = [min(expected.min(), seen.min()).item(), max(expected.max(), seen.max()).item()]
axis.plot(ends, ends, color=figures.GREY, linewidth=0.8)
axis.set(xlabel="expected lead of log σ over the mean factor's", ylabel="seen in the run")
axis.legend(fontsize=8)
plt.show()
assert 0.9 < slope < 1.15 and correlation > 0.95 and misfit < 0.2

# %% [markdown]
# *Figure 5.7. How far each factor's log σ moved between two snapshots, beyond the mean of all factors: seen against expected from the arithmetic of Adam. On the grey line they agree.*
#
# **What you should see.** All points lie on the line, though nothing was fitted. The split of the nats under γ = 1000 is not found, it is drifted into.
#
# ## 8. The rows of pictures
#
# Figure 3 shows samples at 3.1, 7.3, 15.4 and 23.8 nats. Here the same originals are sent through the same noise, drawn by the best decoder at the best split, and by the two trainings of raw factors:

# %%
eight = data.sample_classes(8, torch.Generator().manual_seed(11))
originals = data.render(eight)
noise = torch.randn(8, 5, generator=torch.Generator().manual_seed(12))
_, signals = raw.draw(raw.points(eight))


@torch.no_grad()
def drawn(run, step):
    model = run.model(step)
    mean, log_std = model.encode(eight)
    return torch.sigmoid(model.decode(mean + log_std.exp() * noise))


shown = [{"original": originals}]
for C, step in ((3.1, 10_612), (7.3, 27_755), (15.4, 60_816), (23.8, 95_102)):
    amplitude = amplitudes(limits["raw"][0].at(C)[0].float(), raw.excess)
    best_drawn = raw.decode(amplitude * signals + noise, amplitude)[:, None]
    rows = {
        "best decoder": best_drawn,
        "multiplier": drawn(runs["-lagrangian"], step),
        "γ = 1000": drawn(runs[""], step),
    }
    shown.append({f"C = {C}: {label}": row for label, row in rows.items()})
figures.picture_rows(shown)
plt.show()
losses = {
    name: {C: at(curves[name], C, curves[name].distortions) for C in (7.3, 15.4, 18.0, 20.0, 23.8)}
    for name in ("", "-lagrangian")
}
for C in (7.3, 15.4, 18.0, 20.0, 23.8):
    print(
        f"C = {C:4}: reconstruction {losses[''][C]:4.0f} (γ = 1000), {losses['-lagrangian'][C]:4.0f} (multiplier), {limits['raw'][0].at(C)[1]:4.0f} (limit)"
    )
assert losses["-lagrangian"][15.4] < losses[""][15.4] and losses[""][18.0] < losses["-lagrangian"][18.0]

# %% [markdown]
# *Figure 5.8. Originals, and what is drawn of them at the paper's four capacities, with the same noise in every row.*
#
# **What you should see.** At 3.1 nats a blur in the right place: position, as in the paper. The blurs of γ = 1000 are fainter and wider, because part of its nats went elsewhere. At 7.3 the best decoder draws the right size; the multiplier, whose scale has not begun, does not yet.
# At 15.4 the best decoder draws nearly everything. The trained ones draw round blobs of the right size (the ellipses of γ = 1000 lean a little): they are told the shape by then, but hardly the angle, and the mean of a shape over all angles is round. At 23.8 the trained decoders turn ellipses right and large hearts roughly, small squares and hearts are still lumps, and the best decoder draws all but a few pixels.
#
# The multiplier is ahead of γ = 1000 up to some 17 nats, behind from there until it has woken its angle, and ahead again at the end. γ = 1000, which never let any factor go, had a rough angle all along.
#
# So an honest word about "γ = 1000 is wrong": it wastes nats early, and never has to *wake* anything. What is never off need not be woken. Chapter 6 makes something of that.
#
# ## 9. Where 25 nats go
#
# The pictures' entropy is log 737,280 = 13.51 nats. A decoder cannot be told more. Where does the rest of C = 25 go? Chapter 2: rate = information + slack, per channel; the slack is $\mathrm{KL}(q(z_i) \Vert p)$, how unlike the prior the channel's output is.

# %%
classes = data.sample_classes(4096, torch.Generator().manual_seed(0))
total, told = {}, {}
for who in ("", "-lagrangian"):
    model = runs[who].model()
    rates = gaussian.kl_per_latent(*model.encode(classes)).mean(0)
    print(f"{words[who]:18} rate = information + slack    log of the number of values")
    information = []
    for i, name in enumerate(names):
        means = (model.scale[i] * model.values[i, : len(data.values[name])]).detach()
        information.append(channel.mutual_information(means, model.log_std[i].exp().detach()).item())
        slack = rates[i] - information[-1]
        print(f"  {name:16} {rates[i]:5.2f} {information[-1]:11.2f} {slack:9.2f} {np.log(len(means)):16.2f}")
    total[who], told[who] = rates.sum().item(), sum(information)
    print(f"  {'all':16} {total[who]:5.2f} {told[who]:11.2f} {total[who] - told[who]:9.2f} {np.log(len(data)):16.2f}")
    assert abs(total[who] - 25) < 0.3 and told[who] < np.log(len(data)) + 1e-3
    assert total[who] - told[who] > 11
assert told["-lagrangian"] > 13.4 > 13 > told[""]

# %% [markdown]
# With the multiplier all that there is to know goes through, 13.5 nats, and the other 11.5 are paid for needles: the output of the shape's channel has three sharp peaks, far from a bell, and their mean is not zero. γ = 1000 has even at 25 nats not told all: it spends five on the three shapes, which hold 1.1, and leaves the angle short. **A capacity of 25 nats says what may be paid.** What is told is another question.
#
# ## 10. A better code for the angle?
#
# With one channel a factor, and the code of each factor free: what would be best? For the angle we know that 0 to 2π is wasteful. A square repeats after a quarter turn. Send the angle *as a share of the turn after which the shape looks the same*:

# %%
symmetric = RateDistortion.load(f"{LIMITS}/sprites-symmetric-seed0.json")
print(symmetric.made["command"])
print("   C    D of the angle 0 … 2π    D of the angle modulo symmetry   (centred factors)")
saved = {}
for C in (5.0, 8.0, 10.0, 12.0, 14.0):
    usual, modulo = limits["centred"][0].at(C)[1].item(), symmetric.at(C)[1].item()
    saved[C] = usual - modulo
    print(f"{C:5.1f} {usual:16.1f} {modulo:26.1f}")
coarse = np.arange(0.5, 18.1, 0.5)  # the symmetric curve's capacities, for both
(usual,) = (limits["centred"][0].at(coarse)[0][:, 2] >= 0.1).nonzero()[:1].tolist()
(modulo,) = (symmetric.at(coarse)[0][:, 2] >= 0.1).nonzero()[:1].tolist()
print(f"orientation has 0.1 nats from C = {coarse[usual[0]]} on, modulo symmetry from {coarse[modulo[0]]} on")
assert coarse[modulo[0]] < coarse[usual[0]] and saved[10.0] > 5
assert abs(saved[5.0]) < 3

# %% [markdown]
# On the same grid of capacities the angle comes two nats earlier, and a decoder with 10 nats draws better. That is a code no fixed factor gives but an *encoder* can learn, since it sees the picture: two pictures that look the same get the same code by themselves. Chapter 6 has encoders.
#
# ## 11. Drag the capacity
#
# Tasks: (1) Find the capacity at which the best decoder begins to know the size. Does the trained one? (2) At 13 to 14 nats, which factor do the grey bars give up a nat of, and for whom?

# %% tags=["nbval-ignore-output"]
CapacityExplorer(runs["-lagrangian"], limits["raw"][0], raw)

# %%
for C in (6.4, 6.8, 13.0, 13.6):
    print(f"C = {C}: " + "  ".join(f"{name} {R:.2f}" for name, R in zip(names, limits["raw"][0].at(C)[0], strict=True)))

# %% [markdown]
# <details><summary>What you should have found</summary>
#
# (1) Between 6.4 and 6.8 nats scale jumps from nothing to well over a nat. The trained one follows only after 8.5. (2) Orientation jumps in, and shape, scale, x and y all pay for it.
# </details>
#
# ## 12. The paper and this chapter, side by side


# %%
def said(found, name):
    return "start" if found[name][0] < 1 else f"{found[name][0]:.1f}"


print("Figure 3                       paper       best split   γ = 1000     multiplier")
columns = (best["raw"], table["γ = 1000, raw"], table["multiplier, raw"])
for name, paper in (("position", "start"), ("scale", "about 6"), ("shape", "by 15.4"), ("orientation", "by 23.8")):
    print(f"{name + ' from C =':30} {paper:11} " + "".join(f"{said(found, name):13}" for found in columns))
print(
    f"{'reconstruction at 23.8 nats':30} {'not stated':11} {limits['raw'][0].at(23.8)[1]:<13.0f}{losses[''][23.8]:<13.0f}{losses['-lagrangian'][23.8]:.0f}"
)
print(
    f"{'factors sent with their mean':30} {'not stated':11} yes; without it scale would come at {best['centred']['scale'][0]:.1f}"
)
print(
    f"{'information in 25 nats':30} {'not stated':11} {told['']:.1f} (γ = 1000), {told['-lagrangian']:.1f} nats (multiplier)"
)

# %% [markdown]
# One thing stays open. The paper's own training had γ = 1000 and shows the order of onset; ours had γ = 1000 and does not. Where we followed what is written (learning rate, γ, schedule, decoder), the arithmetic of section 7 forbids it. What is not written is the batch size, where the noise and the scales began, and whether the shares of the figure are means over several trainings. A channel that begins with *no* rate would change the picture: what is off under γ = 1000 stays off until its worth is felt (exercise 5.5).
#
# ## 13. Exercises
#
# Put your answer in place of `None` and run the cell. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/05_capacity_generator](solutions/05_capacity_generator.ipynb).
#
# **5.1** (easy, 5 min) Somebody codes the three shapes as 0, 1, 2 instead of 1, 2, 3. How many nats of fee does shape then pay at a high rate? *Hint: $m^2/v$ of the numbers 0, 1, 2.*

# %%
answer = None
check("5.1", answer)

# %% [markdown]
# **5.2** (medium, 10 min) Write `best_picture(z, codes, std, pictures)`: the best decoder's picture for one output z of a channel that sent picture k as `codes[k]` with noise `std`. `codes` (k,), `pictures` (k, pixels), all pictures equally likely; the answer has shape (pixels,). *Hint: section 3.*

# %%
answer = None  # def answer(z, codes, std, pictures): ...
check("5.2", answer)

# %% [markdown]
# **5.3** (medium, 10 min) With γ = 1000 and Adam at a learning rate of 0.0005, one factor has $g = 40$ nats and another $g = 10$ (and σ² ≪ 1). After how many steps have their log σ come apart by 1? *Hint: the boxed formula of section 7.*

# %%
answer = None
check("5.3", answer)

# %% [markdown]
# **5.4** (hard, 20 min) Write `told(rate, m, v)`: of `rate` nats that a Gaussian factor of mean m and variance v costs at its best scale, how many are information? *Hint: find the SNR first.*

# %%
answer = None  # def answer(rate, m, v): ...
check("5.4", answer)

# %% [markdown]
# **5.5** (open, an hour of computing) Start the channels silent: build the generator with its `scale` at a hundredth of the usual, and train 30,000 steps of γ = 1000. Does position come alone now? Which factor wakes second? No check here: we have not run it.
#
# ## Summary
#
# - The best decoder for noisy channels draws the mean of all pictures under its belief. It gives a limit that no network can beat, and a split for every capacity.
# - The split has the paper's order: position, scale, shape, orientation. Latecomers come in jumps, behind ridges, because a faint signal of them tells too little.
# - Means cost. With them scale comes at 6.6 nats, without at 2.8; the paper's number is the one with them.
# - γ = 1000 under Adam moves all noises together and drowns the differences of worth; a Lagrange multiplier keeps them.
# - What the multiplier training cannot do is wake a factor whose whisper is worth little and not yet understood. That wait, not the split, is what is left to solve.
#
# **Readings.** Burgess et al. 2018, sections 4.4 and 5 and Figure 3. Cover and Thomas 2006, chapter 10. Alemi et al. 2018, *Fixing a broken ELBO*. Boyd et al. 2011, section 2.1, for dual ascent; Shao et al. 2020, *ControlVAE*. Kingma and Ba 2015, for Adam.
