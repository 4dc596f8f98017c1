# %% [markdown]
# # Chapter 13 · Judge the paper by what came after
#
# The paper is of 2018. It explains disentangling by the price of a nat, and proposes to raise the capacity of the code slowly. Since then the KL has been split into parts. A theorem says that no objective on pictures alone can be enough. Orthogonal directions of the decoder have been proposed as what chooses the axes. And models have been trained on pairs of pictures. This chapter tries all four on models of this course, in small experiments.
#
# **By the end you will have shown that**
#
# 1. the KL is information plus two kinds of slack, and that β-TCVAE raises the price of one of them only;
# 2. a turned code has the same pictures and the same distribution of codes, so that how well it draws cannot choose the axes;
# 3. the decoder's local directions are nearly orthogonal on blobs (four seeds of five), and that this alone does not choose x and y;
# 4. at the same β, pairs of pictures that share factors raise MIG (five seeds), and that pairs are an assumption, too.
#
# **You need** information and slack ([chapter 2](02_awgn_channel.ipynb)), MIG ([chapter 6](06_controlled_capacity.ipynb)), the gap of a turned code ([chapter 7](07_why_these_axes.ipynb)).
# **Time:** 55 minutes to read, 28 for exercises, 4 of CPU.

# %% [markdown]
# ## A puzzle before we start
#
# - Two latents both hold the same message, one of eight, almost without noise. How many nats of the KL are information?
# - You turn a trained code by 45° and let the decoder turn it back. The pictures stay as they are. Can a loss that looks at pictures only notice?
# - A friend shows your model pairs of pictures, and in every pair one factor of five has changed. Nobody says which one. Will MIG rise?

# %%
my_guess_of_information = (
    None  # nats, of two latents that hold one message of eight
)
my_guess_of_mig = None  # MIG with pairs, over MIG without: 1 if they do not help

# %% [markdown]
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $q(z)$ | mean of the posteriors of all pictures | – |
# | $I(x; z)$ | information of the code about the picture | nats |
# | $\mathrm{TC}$ | total correlation: how much the latents depend on each other over all pictures | nats |
# | $R(\omega)$ | rotation by the angle ω | degrees |
# | $J$ | its columns say how the picture changes with each latent | brightness per unit of $z$ |
#
# The symbols of the whole course are in [NOTATION.md](NOTATION.md).

# %%
import json
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from minivae import gaussian, metrics
from minivae.course import figures
from minivae.course.cells import compare, table
from minivae.course.checks import check
from minivae.datasets import Arrays, Blobs, Sprites
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.objectives import BetaELBO
from minivae.total_correlation import TotalCorrelationELBO, kl_parts
from minivae.training import batches, loop
from minivae.vae import VAE

RUNS = "../data/runs"

# %% [markdown]
# ## 1. Split the KL
#
# [Chapter 2](02_awgn_channel.ipynb) splits the mean KL into information and slack. The slack is $\mathrm{KL}(q(z) \Vert p(z))$. With several latents it has two causes. The latents may depend on each other, or single latents may not be spread like the prior. Let $q(z_i)$ be the density of latent $i$ alone, over all pictures. To tell the two causes apart, multiply and divide by $\prod_i q(z_i)$ in the logarithm of $q(z) / p(z)$ (Chen et al. 2018):
#
# $$ \mathbb E\,\mathrm{KL} \;=\; \underbrace{I(x; z)}_{\text{information}} \;+\; \underbrace{\mathrm{KL}\Bigl(q(z) \,\Big\Vert\, \prod_i q(z_i)\Bigr)}_{\text{total correlation}} \;+\; \underbrace{\sum_i \mathrm{KL}\bigl(q(z_i) \Vert p(z_i)\bigr)}_{\text{dimension-wise}} . $$
#
# The total correlation is zero if the latents are independent over all pictures. The dimension-wise KL is zero if each latent is spread like the prior. Each part is the mean logarithm of a ratio of densities. All these densities are known, because $q(z)$ is the mean of the pictures' posteriors. So ten lines of code estimate the parts:


# %%
def parts_by_hand(z, mean, log_std):
    """z (n, latents) is of the first n of the posteriors (N, latents)."""
    each = Normal(mean, log_std.exp()).log_prob(z[:, None])  # n, N, latents
    own = each.sum(2).diagonal()  # log q(z | its picture)
    joint = each.sum(2).exp().mean(1).log()  # log q(z)
    product = each.exp().mean(1).log().sum(1)  # log of all q(z_i), summed
    prior = Normal(0, 1).log_prob(z).sum(1)
    return torch.stack([own - joint, joint - product, product - prior]).mean(1)


levels = torch.linspace(-1.5, 1.5, 8, dtype=torch.float64)
mean = torch.stack([levels, levels], 1).repeat(50, 1)  # twice the same message
log_std = torch.full_like(mean, math.log(0.05))
z = gaussian.sample(mean, log_std, torch.Generator().manual_seed(0))
information, total_correlation, dimensions = parts_by_hand(
    z, mean, log_std
).tolist()
compare("information", my_guess_of_information, information, "nats")
print(f"total correlation: {total_correlation:.2f} nats")
print(f"dimension-wise KL: {dimensions:.2f} nats")
assert torch.allclose(kl_parts(z, mean, log_std), parts_by_hand(z, mean, log_std))

# %% [markdown]
# The first puzzle is answered: $\log 8 = 2.08$ nats are information. As many again are total correlation, because the second latent tells nothing new. The rest is dimension-wise: each latent is eight thin spikes where the prior is a bell. `kl_parts` of the library gives the same numbers, and does not underflow when densities are small.
#
# *Disentangled* is not the same as *no total correlation*: section 2 has a code whose total correlation is zero and which mixes its factors. And the estimate of the information has a **ceiling**. If N posteriors stand for all pictures, it cannot be more than $\log N$, because z is then a message about one of N.
#
# ### Recorded runs
#
# Now four recorded runs, one seed each: `blobs-vae` and `blobs-beta150` of [chapter 4](04_blob_position.ipynb), `coloured-capacity` of [chapter 6](06_controlled_capacity.ipynb), which is the paper's recipe, and `coloured-opened` of [chapter 10](10_training_that_goes_on.ipynb). We take the posteriors of 2,000 pictures, and draw z from 200 of them (20 at a time, to save memory):


# %%
def parts(mean, log_std, count=200):
    """The three parts in nats: z of `count` pictures against all posteriors."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(mean), generator=generator)
    mean, log_std = mean[order], log_std[order]
    blocks = []
    for first in range(0, count, 20):
        m, s = mean.roll(-first, 0), log_std.roll(-first, 0)  # its 20 come first
        z = gaussian.sample(m[:20], s[:20], generator)
        blocks.append(kl_parts(z, m, s))
    return torch.stack(blocks).mean(0).tolist()


@torch.no_grad()
def posteriors(model, dataset, pictures=2000):
    generator = torch.Generator().manual_seed(0)
    blocks = []
    for _ in range(pictures // 500):
        images, _ = dataset.sample(500, generator)
        blocks.append(model.encode(images))
    return [torch.cat(column) for column in zip(*blocks, strict=True)]


recorded = {}
for name in ("blobs-vae", "blobs-beta150", "coloured-capacity", "coloured-opened"):
    run = Run.load(f"{RUNS}/{name}-seed0.h5")
    recorded[name] = parts(*posteriors(run.model(), run.experiment.dataset))
rows = []
for name, (information, total_correlation, dimensions) in recorded.items():
    kl = information + total_correlation + dimensions
    rows.append({
        "run": name, "KL": kl, "information": information,
        "TC": total_correlation, "dimension-wise": dimensions,
    })  # fmt: skip
table(rows, digits=1)
print(f"ceiling of the information: log 2000 = {math.log(2000):.1f}")

# %%
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
left = torch.zeros(len(recorded))
labels = ("information", "total correlation", "dimension-wise KL")
colours = (figures.BLUE, figures.ORANGE, figures.GREY)
for i in range(3):
    widths = torch.tensor([max(0.0, three[i]) for three in recorded.values()])
    style = {"color": colours[i], "hatch": ("", "//", "..")[i], "label": labels[i]}
    axis.barh(list(recorded), widths, left=left, edgecolor="white", **style)
    left = left + widths
axis.invert_yaxis()
axis.set_xlabel("nats")
axis.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# *Figure 13.1. What the KL of four recorded runs consists of, by 2,000 posteriors: information (blue), total correlation (orange, hatched), dimension-wise KL (grey, dotted).*
#
# **What you should see.** At β = 150 the blobs' KL is information, and next to nothing else. (An estimate of zero may come out a little below it.) The plain VAE has more information, and also some nats of total correlation: it holds two numbers in more than two active latents. For the coloured sprites the information stands at its ceiling. So there the table says less: the information is *at least* this, and the two parts of the slack together are *at most* the rest. The dimension-wise part can come out too large as well, where single latents hold many nats.
#
# <details><summary>How large is the dimension-wise part?</summary>
#
# In `coloured-capacity` three latents hold seven to nine nats each, so 2,000 posteriors hardly overlap even in a single latent. With 8,000 the 4.1 nats of the table fall to 2.2. How far can they fall? These latents have variances of 0.12 to 0.24, where the prior has 1. Of all densities with a given variance, a Gaussian has the smallest KL to the prior, $\frac12(\operatorname{Var} z_i - 1 - \log \operatorname{Var} z_i)$ if its mean is zero. The three add up to 1.3 nats, so the true value is no less. In `coloured-opened` each of ten active latents holds less than five nats, and this part is a fraction of a nat.
#
# </details>
#
# **What would falsify it.** If twice as many posteriors left the coloured information where it is, log 2000 would not be its ceiling. (The folded cell tries this on `coloured-opened`: with 4,000 the information rises to log 4000.)
#
# What is said above, checked:

# %% tags=["checks"]
exact = gaussian.kl_per_latent(mean, log_std).sum(1).mean()
assert abs(parts_by_hand(z, mean, log_std).sum() - exact) < 0.15
assert abs(rows[1]["information"] - rows[1]["KL"]) < 0.1
assert rows[0]["information"] > 6 and 2 < rows[0]["TC"] < 3.5
assert rows[0]["information"] < math.log(2000) - 0.5
for row in rows[2:]:
    assert abs(row["information"] - math.log(2000)) < 0.05 and row["KL"] > 24
assert abs(rows[2]["dimension-wise"] - 4.1) < 0.1
assert rows[3]["dimension-wise"] < 0.6
run = Run.load(f"{RUNS}/coloured-opened-seed0.h5")
more = parts(*posteriors(run.model(), run.experiment.dataset, 4000), count=100)
assert abs(more[0] - math.log(4000)) < 0.05
assert (torch.from_numpy(run.mean_kl()) > 0.01).sum() == 10
assert torch.from_numpy(run.mean_kl()).max() < 5
run = Run.load(f"{RUNS}/coloured-capacity-seed0.h5")
of_latents = torch.from_numpy(run.mean_kl())
assert (of_latents > 0.01).sum() == 3 and 7 < of_latents.sort().values[-3]
many = posteriors(run.model(), run.experiment.dataset, 8000)
assert abs(parts(*many)[2] - 2.2) < 0.15
variances = (many[0].var(0) + (2 * many[1]).exp().mean(0))[of_latents > 0.01]
assert 0.115 < variances.min() and variances.max() < 0.245
at_least = 0.5 * (variances - 1 - variances.log()).sum()  # less by their means
assert abs(at_least - 1.3) < 0.05
run = Run.load(f"{RUNS}/blobs-vae-seed0.h5")
assert (torch.from_numpy(run.mean_kl()) > 0.1).sum() > 2

# %% [markdown]
# ### β-TCVAE
#
# A β-VAE multiplies all three parts by β. So information costs more too, and the pictures suffer. If only the dependence between latents is the problem, only its price need rise. β-TCVAE (Chen et al. 2018) multiplies only the total correlation by β:
#
# $$ \text{loss} = \text{reconstruction} + I(x; z) + \beta\,\mathrm{TC} + \sum_i \mathrm{KL}(q(z_i) \Vert p(z_i)) . $$
#
# `TotalCorrelationELBO` estimates TC within each batch. We try it at β = 6, where it draws about as well as a β-VAE at β = 4, on sprites of 32 × 32 pixels. With 3 shapes, 6 scales, 10 orientations and 8 × 8 places there are so few that the parts can be computed against *all* pictures. Then the ceiling does no harm, because the true information is not above it either.

# %%
NAMES = ("shape", "scale", "orientation", "x", "y")
COUNTS = torch.tensor([3, 6, 10, 8, 8])
STEPS_APART = torch.tensor([3840, 640, 64, 8, 1])  # of neighbours in the list
places = torch.arange(8) * 4 + 2
lattice = torch.cartesian_prod(
    torch.zeros(1, dtype=torch.long), torch.arange(3), torch.arange(6),
    torch.arange(10) * 4, places, places,
)  # fmt: skip
images = Sprites(32).render(lattice)
classes = lattice[:, 1:]
small = Arrays(images, classes, NAMES)
print(f"{len(images):,} pictures, log of it {math.log(len(images)):.2f} nats")

# %% tags=["nbval-ignore-output"]
SEED = 0  # of the four trainings of this chapter
settings = {"steps": 1000, "learning_rate": 1e-3}
plain = train(
    Experiment("beta", small, BetaELBO(4), **settings), seed=SEED, progress=False
)
models = {"β-VAE, β = 4": plain.model()}

# %% tags=["nbval-ignore-output"]
objective = TotalCorrelationELBO(6)
factorised = train(
    Experiment("tc", small, objective, **settings), seed=SEED, progress=False
)
models["β-TCVAE, β = 6"] = factorised.model()

# %% tags=["nbval-ignore-output"]
stronger = train(
    Experiment("beta", small, BetaELBO(8), **settings), seed=SEED, progress=False
)
models["β-VAE, β = 8"] = stronger.model()


# %% tags=["nbval-ignore-output"]
@torch.no_grad()
def results(name, model):
    blocks = [model.encode(some) for some in images.split(1000)]
    mean, log_std = (torch.cat(column) for column in zip(*blocks, strict=True))
    _, _, loss, floor, kl = metrics.encode_dataset(model, small, 2000)
    information, total_correlation, _ = parts(mean, log_std)
    return {
        "model": name, "excess": loss - floor, "KL": kl.sum().item(),
        "information": information, "TC": total_correlation,
        "active": int((kl > metrics.ACTIVE).sum()),
        "MIG": metrics.mig(mean, classes),
    }  # fmt: skip


found = {name: results(name, model) for name, model in models.items()}
table(list(found.values()))

# %% [markdown]
# (Excess and KL are of 2,000 pictures, information and TC estimated from 200; MIG is of posterior means, 20 bins, all five factors.) This is one seed, and other processors give other digits. So here are four more seeds, recorded:

# %%
others = {}
for seed in (1, 2, 3, 4):
    # of these same cells, with SEED changed: python tools/study_pairs.py 1
    with open(f"../data/studies/pairs-seed{seed}.json") as file:
        others[seed] = {row["model"]: row for row in json.load(file)["rows"]}


def over_seeds(models):
    """A row a model: a score's values on the recorded seeds."""
    rows = []
    for name in models:
        row = {"seeds 1 to 4": name}
        for score, digits in (("excess", 0), ("TC", 1), ("MIG", 2)):
            values = [f"{of[name][score]:.{digits}f}" for of in others.values()]
            row[score] = ", ".join(values)
        rows.append(row)
    return rows


table(over_seeds(models))

# %% [markdown]
# **What you should see** (the four seeds). β-TCVAE draws about as well as the β-VAE with β = 4, and has less total correlation on each. So it does what its loss asks. Its MIG is higher on each too. But MIG differs as much between the seeds of a method, and on seed 0 the stored table has the reverse. The β-VAE with β = 8 says a third less (information, not in this table), and has little total correlation too. It draws worse, and its MIG goes from 0.03 to 0.35.
#
# So after so short a training *one seed cannot rank these three by MIG*, and a lower total correlation does not guarantee a higher one. Locatello et al. (2019) report something similar from a large study: methods "successfully enforce properties" that their losses encourage, and yet it seems that well-disentangled models cannot be identified without labels.
#
# Checked (of the live trainings what held on three kinds of processors):

# %% tags=["checks"]
MILD, PRICED, STRONG = models
for of in (found, *others.values()):
    mild, priced, strong = (of[name] for name in models)
    assert abs(mild["excess"] - priced["excess"]) < 6
    assert abs(mild["information"] - priced["information"]) < 0.8
    assert strong["TC"] < mild["TC"] and strong["KL"] < mild["KL"] - 1
    assert strong["excess"] > max(mild["excess"], priced["excess"]) + 3
    for result in of.values():
        assert result["information"] < math.log(len(images))
for of in others.values():
    assert of[PRICED]["TC"] < 0.6 * of[MILD]["TC"]
ahead = [of[PRICED]["MIG"] - of[MILD]["MIG"] for of in others.values()]
assert 0.005 < min(ahead) < 0.015
for name, least, most in (
    (MILD, 0.04, 0.25),
    (PRICED, 0.12, 0.34),
    (STRONG, 0.03, 0.35),
):
    migs = [round(of[name]["MIG"], 2) for of in others.values()]
    assert (min(migs), max(migs)) == (least, most)

# %% [markdown]
# ## 2. Turn a code, and the pictures do not notice
#
# Locatello et al. (2019) prove that, in general, unsupervised learning of disentangled representations is impossible "without inductive biases on both the models and the data". Let two independent normal numbers place a blob. That is a perfect code, and `draw` is its decoder. Turn the code by 45°, and take a second decoder, `draw_turned`, that turns it back before it draws.


# %%
def rotation(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s], [s, c]])


def draw(z):
    return Blobs(4.0, size=32).render(16 + 3 * z)


def draw_turned(z):
    return draw(z @ rotation(45).T)


codes = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
turned = codes @ rotation(45)
factors = (8 * torch.special.ndtr(codes)).long()  # eight classes of each
rows = []
for name, code in (("x and y", codes), ("turned", turned)):
    covariance = torch.cov(code.T)
    kl = 0.5 * (
        covariance.trace() - 2 - covariance.logdet() + code.mean(0).square().sum()
    )
    rows.append({
        "code": name, "KL(q(z) to the prior)": kl.item(),
        "MIG": metrics.mig(code, factors),
    })  # fmt: skip
table(rows, digits=3)
difference = (draw(codes) - draw_turned(turned)).abs().max()
print("every pixel the same to 1e-4:", difference.item() < 1e-4)

# %% [markdown]
# **What you should see.** All 4,000 pictures stay the same. The codes are spread like the prior before and after (the KL is that of a Gaussian with their mean and covariance), and in both the latents are independent, so the total correlation is zero too. But MIG (of these codes, 20 bins, both factors) falls from 0.77 to 0.01. (It is not 1 for a perfect code, because the edges of 20 bins of equal width do not fall on the edges of our eight classes.) An objective that sees pictures, and of the codes only $q(z)$, cannot tell the two apart. This answers the second puzzle.
#
# So why did our blobs find x and y? A VAE's objective sees more: the posterior of every single picture. If that is diagonal, it matters how a code is turned. The price is the gap of [chapter 7](07_why_these_axes.ipynb). We compute it for the linear model there, with two components. Their variances are in units of the water level, and each is then the precision of its latent's posterior:


# %%
def price(first, second, family):
    """What turning a code by 45° costs, in nats, if its gains are kept."""
    turn, along = rotation(45), torch.diag(torch.tensor([first, second]))
    precision = turn.T @ along @ turn
    fit = precision if family == "full" else torch.diag(precision.diagonal())
    return abs(0.5 * (fit.logdet() - precision.logdet()).item())


rows = []
for pair in ((16.0, 2.0), (8.0, 8.0)):
    for family in ("diagonal", "full"):
        rows.append({
            "variances": f"{pair[0]:.0f} and {pair[1]:.0f}",
            "posterior": family, "45° costs": price(*pair, family),
        })  # fmt: skip
table(rows)

# %% [markdown]
# A full covariance can turn with the code, so turning costs nothing. A diagonal one cannot. So it prefers axes, but only if the data vary differently along different directions: with equal variances turning costs nothing. On blobs, whose variances are equal, it is the outline of the set of positions that differs. The table takes the recorded runs of [chapter 7](07_why_these_axes.ipynb). For each seed it shows how far the two axes are from x and y, on average, in degrees (45 is a diagonal):

# %%
axes_off = {}
kinds = {"square": ("beta150", 5), "diamond": ("diamond", 3)}
kinds |= {"inner disc": ("inner-disc", 5)}
for title, (name, seeds) in kinds.items():
    axes_off[title] = []
    for seed in range(seeds):
        run = Run.load(f"{RUNS}/blobs-{name}-seed{seed}.h5")
        active = torch.from_numpy(run.mean_kl()) > metrics.ACTIVE
        angles = metrics.axis_angles(run.model(), run.experiment.dataset)[active]
        off = ((angles + 45) % 90 - 45).abs().mean().item()
        axes_off[title].append(off)
said = {"square": "x and y", "diamond": "the diagonals", "inner disc": "nothing"}
rows = []
for title, degrees in axes_off.items():
    listed = ", ".join(f"{value:.0f}" for value in degrees)
    rows.append(
        {"positions": title, "loss prefers": said[title], "degrees": listed}
    )
table(rows)

# %% [markdown]
# **What you should see.** An inductive bias prefers one of several solutions that fit equally well. Both biases of the theorem, on the models and on the data, have names here. They are the diagonal posterior and the **domain**, the set of positions. If one is taken away, the loss no longer prefers any axes. What networks then do is another question. Four of the inner disc's five seeds still ended within 11° of x and y, and whether that is chance [chapter 7](07_why_these_axes.ipynb) leaves open. Zietlow et al. (2021) removed the second bias from the usual data sets. They changed every picture mildly, kept the factors, and report that the leading VAE-based methods failed.
#
# What is said above, checked:

# %% tags=["checks"]
assert difference < 1e-4
assert abs(metrics.mig(codes, factors) - 0.77) < 0.01
assert abs(metrics.mig(turned, factors) - 0.01) < 0.01
assert torch.cov(turned.T).sub(torch.eye(2)).abs().max() < 0.06
assert abs(price(16.0, 2.0, "diagonal") - 0.46) < 0.005
assert price(8.0, 8.0, "diagonal") < 1e-5
assert sum(value < 10 for value in axes_off["square"]) == 4
assert sum(value > 37 for value in axes_off["diamond"]) == 2
assert max(axes_off["inner disc"]) > 25

# %% [markdown]
# ## 3. Are the decoder's directions orthogonal?
#
# Rolínek et al. (2019) explain what a diagonal posterior does to a decoder. By their analysis, together with the noise on $z$, it forces "local orthogonality of the decoder": small steps of two latents change a picture in orthogonal directions. For linear VAEs Lucas et al. (2019) prove that the global maximum of the ELBO, if each picture has its best posterior, has the directions of the principal components. That is the linear model of [chapter 2](02_awgn_channel.ipynb): each latent takes one component, and components are orthogonal.
#
# Try it on blobs. Move one latent a little. The change of the picture, divided by the step, is a column of $J$. Take the cosine between the columns of any two active latents, without its sign, as a mean over 100 pictures. It is 0 if they are orthogonal. As a control, turn the columns by 45°.


# %%
@torch.no_grad()
def directions(model, mean, latents, step=0.01):
    """J of each picture: (pictures, pixels, latents)."""
    columns = []
    for i in latents:
        move = step * F.one_hot(i, mean.shape[1])
        ahead, behind = model.decode(mean + move), model.decode(mean - move)
        change = (ahead.sigmoid() - behind.sigmoid()) / (2 * step)
        columns.append(change.flatten(1))
    return torch.stack(columns, 2)


def cosine(J):
    """Mean |cosine| over pictures and pairs of latents."""
    J = F.normalize(J, dim=1)
    pairs = torch.triu_indices(J.shape[2], J.shape[2], 1)
    return (J.mT @ J)[:, pairs[0], pairs[1]].abs().mean().item()


def lengths(J):
    """How many times as long the longer of two columns is; median over pictures."""
    norms = J.norm(dim=1)
    return (norms.amax(1) / norms.amin(1)).median().item()


rows = []
for name, seeds in (("blobs-beta150", 5), ("blobs-vae", 1)):
    for seed in range(seeds):
        run = Run.load(f"{RUNS}/{name}-seed{seed}.h5")
        x, _ = run.experiment.dataset.sample(100, torch.Generator().manual_seed(0))
        at, log_std_at = run.model().encode(x)
        kl = gaussian.kl_per_latent(at, log_std_at).mean(0)
        active = (kl > metrics.ACTIVE).nonzero().flatten()
        J = directions(run.model(), at, active)
        both = len(active) == 2
        rows.append({
            "run": f"{name}, seed {seed}", "active": len(active),
            "|cosine|": cosine(J),
            "turned by 45°": cosine(J @ rotation(45)) if both else "–",
            "longer / shorter": lengths(J) if both else "–",
        })  # fmt: skip
table(rows)

# %% [markdown]
# **What you should see.** At β = 150 four seeds of five have directions that are nearly orthogonal, and less so if they are turned. The fifth, seed 1, lay on the diagonals at step 2,000 and is still 36° from x and y after 10,000 steps ([chapter 7](07_why_these_axes.ipynb)). Turning it by 45° brings it within 9° of x and y, but its directions become hardly more orthogonal. How can that be? Let $J_1$ and $J_2$ be orthogonal. Turned by 45° they are, up to a factor, their sum and their difference, and
#
# $$ (J_1 + J_2)^\top (J_1 - J_2) = J_1^\top J_1 - J_2^\top J_2 . $$
#
# So orthogonal columns of the same length stay orthogonal when they are turned. If their lengths differ, the turned columns are still equally long, so their cosine is $(J_1^\top J_1 - J_2^\top J_2) / (J_1^\top J_1 + J_2^\top J_2)$. For seed 1, with a ratio of lengths of 1.16, that is 0.15, for the others 0.29 to 0.40. The table has up to 0.11 more, because the columns are not quite orthogonal and the ratio is a median. Orthogonality chooses axes only where the columns differ in length, as components differ in variance. The directions of the plain VAE's eight active latents (one seed; on these pictures) are not orthogonal. Pictures that vary in two ways leave little room for eight orthogonal directions.
#
# What is said above, checked:

# %% tags=["checks"]
for seed in (0, 2, 3, 4):
    assert rows[seed]["|cosine|"] < 0.2 < rows[seed]["turned by 45°"] - 0.1
assert abs(rows[1]["|cosine|"] - rows[1]["turned by 45°"]) < 0.1
for seed in range(5):
    r = rows[seed]["longer / shorter"]
    assert abs(r - 1.16) < 0.03 if seed == 1 else 1.32 < r < 1.56
    more = rows[seed]["turned by 45°"] - (r**2 - 1) / (r**2 + 1)
    assert 0 < more < 0.12
assert rows[5]["active"] == 8 and rows[5]["|cosine|"] > 0.35

# %% [markdown]
# ## 4. Pairs of pictures, and what they assume
#
# If pictures alone do not suffice, what little more might? Locatello et al. (2020) take *pairs* of pictures that share at least one factor. They show in theory, under assumptions that they state, that it is enough to know how many factors have changed, and not which. Their algorithm is not told even that.
#
# Their Ada-GVAE is a β-VAE with one more step. Encode both pictures. In the latents where the two posteriors are closest, give both the same posterior: the mean of the two means, and the mean of the two variances. Which latents are closest is decided as in the published code (disentanglement_lib). For each pair and each latent take the KL of the first posterior to the second. Halfway between the smallest and the largest of these KLs lies a threshold. Latents below it are shared.


# %%
def share(mean, log_std):
    """The first half of a batch are the pairs' first pictures, then the second."""
    (m1, m2), (s1, s2) = mean.chunk(2), log_std.chunk(2)
    with torch.no_grad():
        apart = gaussian.kl_between(m1, s1, m2, s2)
        low, high = apart.amin(1, keepdim=True), apart.amax(1, keepdim=True)
        same = apart < (low + high) / 2
    m = (m1 + m2) / 2
    s = 0.5 * torch.log(((2 * s1).exp() + (2 * s2).exp()) / 2)
    means = [torch.where(same, m, own) for own in (m1, m2)]
    log_stds = [torch.where(same, s, own) for own in (s1, s2)]
    return torch.cat(means), torch.cat(log_stds)


class AdaGVAE(VAE):
    def encode(self, images):
        mean, log_std = super().encode(images)
        return share(mean, log_std) if self.training else (mean, log_std)


class Pairs:
    """Pairs of sprites; one factor, chosen at random, is another in the second."""

    channels = 1

    def sample(self, n, generator=None):
        def whole(counts, *shape):
            return (torch.rand(*shape, generator=generator) * counts).long()

        first = whole(COUNTS, n // 2, 5)
        moved = (first + 1 + whole(COUNTS - 1, n // 2, 5)) % COUNTS
        chosen = F.one_hot(whole(5, n // 2), 5).bool()
        both = torch.cat([first, torch.where(chosen, moved, first)])
        return images[(both * STEPS_APART).sum(1)], both


pairs, _ = Pairs().sample(12, torch.Generator().manual_seed(1))
figures.picture_rows([{"first": pairs[:6], "second": pairs[6:]}])
plt.show()

# %% [markdown]
# *Figure 13.2. Six pairs. The upper and the lower picture differ in one factor: shape, y, y, y, scale, orientation. The model is not told in which.*
#
# `training.batches` and `loop` are the training loop of [chapter 4](04_blob_position.ipynb). β, steps, batch and learning rate are those of the first β-VAE above.

# %% tags=["nbval-ignore-output"]
generator = torch.Generator().manual_seed(SEED)
weak = AdaGVAE(1, 10, 32, generator)
optimizer = torch.optim.Adam(weak.parameters(), lr=1e-3)
loop(batches(weak, Pairs(), optimizer, BetaELBO(4), generator, 64), range(1000))
weak.eval()
found["Ada-GVAE, β = 4"] = results("Ada-GVAE, β = 4", weak)
table(list(found.values()))
gain = found["Ada-GVAE, β = 4"]["MIG"] / found["β-VAE, β = 4"]["MIG"]
compare("MIG with pairs, over MIG without", my_guess_of_mig, gain, digits=1)

# %%
table(over_seeds(found))

# %% [markdown]
# **What you should see.** With pairs MIG is 0.37 to 0.40 on the recorded seeds, on each more than any other training has. Without pairs it goes from 0.03 to 0.35. The pictures are up to 4.5 nats worse (unrounded) than with the same β, and the total correlation is lower. Why only 0.4? The live training with pairs tells nearly all of x and y, half of the scale, and after 1,000 steps hardly any of shape and orientation (the folded cell).
#
# Pairs are an assumption, too. At least one factor must be shared within a pair, and which ones are shared must vary over the pairs, so that each factor can be told from the others. Our pairs are an easy case: they share four factors of five. The theorem of section 2 does not speak against pairs, because they tell more than single pictures.
#
# What is said above, checked:

# %% tags=["checks"]
assert gain > 1
worse = []
for of in (found, *others.values()):
    row = of["Ada-GVAE, β = 4"]
    worse.append(row["excess"] - of[MILD]["excess"])
    assert row["TC"] < of[MILD]["TC"] and abs(worse[-1]) < 6
    assert 0.33 < row["MIG"] < 0.45
    assert (
        of is found or row["MIG"] > max(of[name]["MIG"] for name in models) + 0.01
    )
migs = [round(of["Ada-GVAE, β = 4"]["MIG"], 2) for of in others.values()]
assert (min(migs), max(migs)) == (0.37, 0.40)
assert 4.4 < max(worse[1:]) < 4.6
less = [
    1 - of[STRONG]["information"] / of[MILD]["information"]
    for of in others.values()
]
assert 0.24 < min(less) and max(less) < 0.36
with torch.no_grad():
    means = weak.encode(images[::3])[0]
told = metrics.information(means, classes[::3]).amax(1) / COUNTS.log()
each = (f"{name} {share:.2f}" for name, share in zip(NAMES, told, strict=True))
print("told by one latent:", ", ".join(each))
assert told[[0, 2]].max() < 0.25 and told[[3, 4]].min() > 0.85
assert 0.4 < told[1] < 0.6

# %% [markdown]
# ### Without pairs: quantised latents
#
# Another way is a stronger bias on the model. Hsu et al. (2023) quantise the latents: each takes only a few values, from a learnt list of its own, and an unusually high weight decay holds the weights small. The idea is that the encoder must then build codes from few values, and that the decoder can give each value one meaning. On standard data sets, without labels or pairs, they report a large gain in modularity (a latent tells of one factor only) and explicitness (a simple model can read the factors from the code). We have not tried it. By section 2 it, too, rests on a bias.
#
# ## 5. The paper's claims, then and now
#
# | claim of the paper | what this course measured | what the literature says now |
# |---|---|---|
# | β > 1 makes a code more disentangled, because each nat must pay | on blobs yes ([chapter 4](04_blob_position.ipynb)); on coloured sprites β = 4 has a low MIG ([chapter 6](06_controlled_capacity.ipynb)) | without a bias in model and data no unsupervised objective can do it in general (Locatello et al. 2019) |
# | latents align with factors because of the diagonal posterior | confirmed in a linear model and on blobs; the domain is needed too ([chapter 7](07_why_these_axes.ipynb)) | it favours local orthogonality of the decoder (Rolínek et al. 2019), and in linear models principal components (Lucas et al. 2019); success on standard data sets is traced to the structure of their variance (Zietlow et al. 2021) |
# | the KL limits the information | as a bound; part of it is slack ([chapter 2](02_awgn_channel.ipynb), section 1) | the slack splits in two, and one part can be priced alone (Chen et al. 2018) |
# | raising C slowly gives disentangling "without the previous trade-off in reconstruction accuracy" | not with its published settings; with others six factors of eight, two seeds of three ([chapter 6](06_controlled_capacity.ipynb), [chapter 10](10_training_that_goes_on.ipynb)) | among more than 12,000 models of six methods, this one included, well-disentangled ones seemingly could not be identified without labels (Locatello et al. 2019); Duan et al. (2020) propose a score for this that needs no labels |
# | no supervision is needed | true on blobs, on four seeds of five ([chapter 4](04_blob_position.ipynb)) | pairs that share factors sufficed on several data sets (Locatello et al. 2020), and a stronger bias is reported to help (Hsu et al. 2023) |
#
# ## 6. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/13_what_came_after](solutions/13_what_came_after.ipynb).
#
# **13.1** (easy, 3 min) White dSprites has 737,280 pictures. Suppose that a training on them ends at the paper's KL of 25 nats. How many nats of these, at least, are slack? (With random colours, as in the paper, there are more pictures, so more can be information.) *Hint: no code tells more about a picture than which one it is.*

# %%
answer = None
check("13.1", answer)

# %% [markdown]
# **13.2** (medium, 10 min) Write `total_correlation(covariance)`: the total correlation, in nats, of a Gaussian $q(z)$ with this covariance matrix (n, n). Compare the formula with the gap of [chapter 7](07_why_these_axes.ipynb): what is the same, what is not? *Hint: the KL of two Gaussians of the same mean, or a difference of entropies.*

# %%
answer = None  # def answer(covariance): ...
check("13.2", answer)

# %% [markdown]
# **13.3** (medium, 15 min) Write `cosine_turned(directions, degrees)`: given $J$ of one picture (pixels, 2), the cosine, with its sign, between the two columns of $J R(\omega)$. For which $J$ is it 0 at every angle? *Hint: section 3; `rotation` (mind its dtype) is in section 2.*

# %%
answer = None  # def answer(directions, degrees): ...
check("13.3", answer)

# %% [markdown]
# **13.4** (open, half an hour) Duan et al. (2020) rank models without labels. Their assumption is that the latents of a well-disentangled model come back with other seeds. They report that their score, UDR, ranks models about as well as scores that need labels. `metrics.udr(codes, kls)` computes it, from lists of the models' posterior means (n, latents) and KLs (`run.mean_kl()`). Guess which seeds will agree more, the three of `coloured-opened` or the three of `coloured-capacity`. Then compute both, on the same 2,000 pictures. Does the order agree with MIG ([chapter 6](06_controlled_capacity.ipynb), [chapter 10](10_training_that_goes_on.ipynb))? There is no check.

# %% [markdown]
# ## Summary
#
# - KL = information + total correlation + dimension-wise KL. An estimate from N posteriors shows no more than $\log N$ nats of information.
# - Turning a code can leave the pictures and $q(z)$ as they are. The axes are chosen by biases. Here these are the diagonal posterior and the domain.
# - A diagonal posterior favours orthogonal local directions (on blobs at β = 150, four seeds of five). That fixes the axes only where the directions differ in length.
# - Later methods that report better codes assume more, and say so: pairs that share factors, or quantised latents.
#
# **Readings.** Chen et al. 2018, *Isolating sources of disentanglement in VAEs*. Locatello et al. 2019, *Challenging common assumptions in the unsupervised learning of disentangled representations*. Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*. Lucas et al. 2019, *Don't blame the ELBO!* Zietlow et al. 2021, *Demystifying inductive biases for (beta-)VAE based architectures*. Locatello et al. 2020, *Weakly-supervised disentanglement without compromises*. Duan et al. 2020, *Unsupervised model selection for variational disentangled representation learning*. Hsu et al. 2023, *Disentanglement via latent quantization*.
