# %% [markdown]
# # Chapter 3 · Let posteriors overlap, and watch neighbours move together
#
# A **code** says which posterior each picture gets. The KL term makes posteriors overlap, and where they overlap the decoder confuses pictures. So, Burgess et al. (2018) argue in section 4.2, the cheapest code is one in which confused pictures look alike: neighbours in the data become neighbours on the latent.
#
# **By the end you will have shown that**
#
# 1. overlap costs likelihood and saves KL. At the best code for a β, a nat of KL is worth β nats of likelihood;
# 2. under overlap the order of the pictures on a latent matters. For seven blobs on a line the cheapest of all 5040 orders is the data's own. With no overlap, the control, every order costs the same;
# 3. a *torn* code, cut into two pieces that have changed places, is a local minimum at small β. A large enough β removes it. How large depends on the cut.
#
# **You need** [chapter 1](01_elbo.ipynb) and [chapter 2](02_awgn_channel.ipynb). **Time:** 43 minutes to read, 73 for exercises, 1 of CPU.
#
# ## A puzzle before we start
#
# - Two posteriors of width (standard deviation) σ lie two σ apart. How often does the best decoder mistake one for the other?
# - Seven pictures of a blob, from left to right, are to lie on one latent. Does it matter in which order?
# - An encoder has put the right half of the pictures on the left of the latent and the left half on the right, each half in good order. Will training repair it?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $q(z \mid x_i) = \mathcal N(\mu_i, \sigma_i^2)$ | posterior of picture $i$, one of $N$ equally likely | – |
# | $q(z)$ | mean of the $N$ posteriors | – |
# | $p(i \mid z)$ | an optimal decoder's belief about which picture was sent | – |
# | $D_{ij}$ | $\lVert x_i - x_j \rVert^2 / 2 s^2$, the cost of drawing $x_j$ instead of $x_i$ (Gaussian decoder of variance $s^2$) | nats |
# | $M_{ij}$ | how much $i$ and $j$ are confused, defined in section 1 | – |

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch

from minivae import channel, gaussian
from minivae.course import figures
from minivae.course.cells import compare, table
from minivae.course.checks import check
from minivae.course.explorers import OverlapExplorer, TwelveCodesExplorer
from minivae.datasets import Blobs
from minivae.overlap import (
    bhattacharyya,
    confusions,
    right_guesses,
    total_variation,
)

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. What a decoder draws when it is in doubt
#
# Take two pictures and their posteriors. The star is a sample of the second posterior, but it fell where the first is denser. The decoder below is *optimal*: it knows both posteriors.

# %%
means, stds, star = torch.tensor([-0.6, 0.6]), torch.tensor([0.6, 0.6]), -0.35
figures.overlap(means, stds, star, names=["x₁", "x₂"])
plt.show()

log_densities = gaussian.log_density(torch.tensor(star), means, stds.log())
belief_at_star = torch.softmax(log_densities, 0)
print(f"at the star the decoder believes in x₁ with {belief_at_star[0]:.0%}")

# %% [markdown]
# *Figure 3.1. Above: the posteriors of two pictures (blue, and orange dashed), the prior (grey dots), and a sample of the second (star). Below: how an optimal decoder divides its belief between the first (blue) and the second (orange) at every z; the black line is at the sample. (The title uses terms of sections 1 and 2.)*
#
# All pictures are equally likely, so by Bayes' rule the belief $p(i \mid z)$ is $q(z \mid x_i)$ divided by the sum over all pictures. What should the decoder draw? The drawing of least expected loss is the *mean* picture under its belief, the blend $\hat x(z) = \sum_i p(i \mid z)\, x_i$, for a Gaussian decoder and for a Bernoulli one.
#
# The blend's expected squared error is the variance of the pictures under the belief. A variance is half the mean squared distance of two independent draws:
#
# $$ \sum_i p(i \mid z) \lVert x_i - \hat x \rVert^2 = \tfrac12 \sum_{ij} p(i \mid z)\, p(j \mid z) \lVert x_i - x_j \rVert^2 . $$
#
# <details><summary>Why the mean picture is best, and why half the squared distance</summary>
#
# *Gaussian:* the expected squared error of a drawing $d$ is $\lVert \hat x - d \rVert^2$ plus the variance, so $d = \hat x$ is best. *Bernoulli:* the loss is linear in the picture, so the expected loss of $d$ is its loss on the mean picture $\hat x$. That is least at $d = \hat x$ ([chapter 1](01_elbo.ipynb), section 4).
#
# *Half:* let $x_i$ and $x_j$ be two independent draws. Then $\lVert x_i - x_j \rVert^2 = \lVert x_i - \hat x \rVert^2 + \lVert x_j - \hat x \rVert^2 - 2 (x_i - \hat x) \cdot (x_j - \hat x)$. On average the first two terms are the variance each, and the last is zero.
# </details>
#
# Divide by $2 s^2$ and average over z, with density $q(z)$. This is the likelihood cost of overlap, in nats lost against a decoder that is told the picture:
#
# $$ \boxed{\; \text{cost} = \tfrac12 \sum_{ij} M_{ij} D_{ij} \;} \qquad M_{ij} = \int q(z)\, p(i \mid z)\, p(j \mid z)\, dz . $$
#
# Only $M$ depends on the code, and only $D$ on the pictures.


# %%
def confusions_by_hand(means, stds):
    z = torch.linspace(-8, 8, 4001)
    log_q = gaussian.log_density(z[:, None], means, stds.log())  # (z, pictures)
    belief = torch.softmax(log_q, 1)
    weight = log_q.exp().mean(1) * (z[1] - z[0])  # q(z) dz
    return torch.einsum("z,zi,zj->ij", weight, belief, belief)


three_means = torch.tensor([-0.8, 0.1, 0.9])
three_stds = torch.tensor([0.5, 0.3, 0.7])
M = confusions(three_means, three_stds)
apart = (confusions_by_hand(three_means, three_stds) - M).abs().max()
print("by hand as in minivae.overlap:", bool(apart < 1e-6))

# %% [markdown]
# **By sampling.** Send three pictures of three pixels 200,000 times, draw the blend, and measure its squared error (the cost before it is divided by $2 s^2$):

# %%
pictures = torch.tensor([[0.0, 1.0, 3.0], [2.0, 1.0, 0.0], [1.0, -1.0, 1.0]])
generator = torch.Generator().manual_seed(0)
sent = torch.randint(3, (200_000,), generator=generator)
noise = torch.randn(200_000, generator=generator)
z = three_means[sent] + three_stds[sent] * noise
log_q = gaussian.log_density(z[:, None], three_means, three_stds.log())
drawn = torch.softmax(log_q, 1) @ pictures
errors = (drawn - pictures[sent]).square().sum(1)
formula = 0.5 * (M * torch.cdist(pictures, pictures).square()).sum()
print(f"squared error: {errors.mean():.2f} by sampling, {formula:.2f} by formula")

# %% [markdown]
# What is said above, checked:

# %% tags=["checks"]
assert belief_at_star[0] > 0.5 and apart < 1e-6
assert abs(errors.mean() - formula) < 4 * errors.std() / math.sqrt(len(errors))

# for either decoder the blend costs less than 1,000 other drawings
generator = torch.Generator().manual_seed(2)
grey = torch.rand(3, 4, generator=generator)  # three pictures of four pixels
weights = torch.tensor([0.5, 0.3, 0.2])[:, None]
blend = (weights * grey).sum(0)
others = (blend + 0.1 * torch.randn(1000, 4, generator=generator)).clamp(0.01, 0.99)


def expected_losses(drawing):
    """Expected squared error and Bernoulli loss of a drawing (4,)."""
    bernoulli = -(torch.xlogy(grey, drawing) + torch.xlogy(1 - grey, 1 - drawing))
    return (weights * (grey - drawing) ** 2).sum(), (weights * bernoulli).sum()


best = expected_losses(blend)
for other in others:
    assert all(a < b for a, b in zip(best, expected_losses(other), strict=True))

# %% [markdown]
# ## 2. The exchange rate of overlap
#
# Put two pictures at ±μ with width σ, so the SNR is $\mu^2/\sigma^2$. The best scale of [chapter 2](02_awgn_channel.ipynb), $\sigma^2 = 1/(1 + \mathrm{SNR})$, is here $\mu^2 + \sigma^2 = 1$. Keep to it and bring the two together. Guess for the first puzzle:

# %%
my_guess_wrong = (
    None  # at a distance of two σ, how many guesses in a hundred are wrong?
)

# %%
rows = []
for distance in (0.5, 1.0, 2.0, 4.0, 8.0):  # in units of σ
    std = torch.tensor(1 / math.sqrt(1 + (distance / 2) ** 2))
    mu, log_std = distance / 2 * std, std.log()
    pair = torch.stack([-mu, mu]), torch.stack([std, std])
    row = {"distance/σ": distance}
    row["overlap"] = bhattacharyya(-mu, log_std, mu, log_std).item()
    row["wrong"] = (1 - total_variation(-mu, log_std, mu, log_std)).item() / 2
    row["KL"] = gaussian.kl_per_latent(mu, log_std).item()
    row["information"] = float(channel.mutual_information(*pair))
    row["cost of D = 1"] = confusions(*pair)[0, 1].item()
    rows.append(row)
table(rows, digits=3)
compare("wrong guesses at two σ", my_guess_wrong, 100 * rows[2]["wrong"], "%", 0)

# %% [markdown]
# *Overlap* is $\int\sqrt{q_1 q_2}$: 1 if the posteriors are equal, 0 if they are far apart. The best guess takes the sign of z, so it is wrong with probability $\Phi(-\mu/\sigma)$, where Φ is the normal distribution function: 16 % at two σ. *Information* is what z tells of x. The last column is $M_{12}$, the cost if $D_{12} = 1$. As the posteriors come together, the KL falls and the cost rises. At 4 σ and more the KL exceeds log 2 = 0.69, the most two messages can tell.
#
# <details><summary>The two functions in the code</summary>
#
# `bhattacharyya` is the overlap $\int\sqrt{q_1 q_2}$, named after A. Bhattacharyya. `total_variation` is $\mathrm{TV} = \tfrac12 \int |q_1 - q_2|$. The best guess between any two densities takes the larger one at every z. It is wrong with probability $\tfrac12 \int \min(q_1, q_2) = (1 - \mathrm{TV})/2$.
# </details>
#
# Is any code outside this symmetric family cheaper? Let gradient descent choose both means and both widths. The loss is cost + β·KL, with the mean KL of the pictures:


# %%
def loss_terms(means, log_stds, distances):
    """Likelihood cost and mean KL of a code, in nats."""
    cost = 0.5 * (confusions(means, log_stds.exp()) * distances).sum()
    return cost, gaussian.kl_per_latent(means, log_stds).mean()


def descend(means, log_stds, distances, beta, steps=400, lr=0.02):
    """Adam on cost + β·KL over means and widths: their paths, (steps, n) each."""
    means = means.clone().requires_grad_()
    log_stds = log_stds.clone().requires_grad_()
    optimizer = torch.optim.Adam([means, log_stds], lr=lr)
    path = []
    for _ in range(steps):
        path.append((means.detach().clone(), log_stds.detach().clone()))
        cost, kl = loss_terms(means, log_stds, distances)
        optimizer.zero_grad()
        (cost + beta * kl).backward()
        optimizer.step()
    return torch.stack([m for m, _ in path]), torch.stack([s for _, s in path])


# %%
two = torch.tensor([[0.0, 20.0], [20.0, 0.0]])  # pictures 20 nats apart
family = []  # KL and cost at each distance
for distance in torch.linspace(0.1, 10, 400):
    std = 1 / (1 + (distance / 2) ** 2).sqrt()
    half = distance / 2 * std
    codes = torch.stack([-half, half]), torch.stack([std, std]).log()
    cost, kl = loss_terms(*codes, two)
    family.append((kl.item(), cost.item()))
family = torch.tensor(family)

lopsided = torch.tensor([-0.3, 0.5]), torch.tensor([-0.5, -1.0])  # a start
free = {}
for beta in (1.0, 3.0, 6.0):
    path = descend(*lopsided, two, beta, steps=800)
    cost, kl = loss_terms(path[0][-1], path[1][-1], two)
    free[beta] = kl.item(), cost.item()

figures.exchange(family[:, 0], family[:, 1], free)
plt.show()

# %% [markdown]
# *Figure 3.2. Likelihood cost against KL for two pictures 20 nats apart. Blue line: the symmetric family. Orange dots: where a free descent from a lopsided start ends, at three prices β. Dashed: the tangent of slope −β at each dot.*
#
# **What you should see.** All three descents (one start) end on the line, where its slope is −β. There a little more KL would save β times as much likelihood. What is said above, checked:

# %% tags=["checks"]
for row in rows:
    normal = torch.special.ndtr(torch.tensor(-row["distance/σ"] / 2))
    assert abs(row["wrong"] - normal) < 1e-9
    assert (row["KL"] > math.log(2)) == (row["distance/σ"] >= 4)
for column, rises in (("KL", True), ("cost of D = 1", False)):
    values = [row[column] for row in rows]
    assert values == sorted(values, reverse=not rises)
assert round(100 * rows[2]["wrong"]) == 16
for beta, (kl, cost) in free.items():
    losses = family[:, 1] + beta * family[:, 0]
    at = losses.argmin()
    assert abs(cost + beta * kl - losses[at]) < 0.01
    rise = family[at + 2] - family[at - 2]
    assert abs(rise[1] / rise[0] / -beta - 1) < 0.05

# %% [markdown]
# ## 3. Locality: who should lie next to whom
#
# Take seven pictures of a **blob**, the soft round spot of [chapter 4](04_blob_position.ipynb), each 3 pixels further to the right. Measure their distances $D_{ij}$ on the pixels, in units in which neighbours are 1 nat apart (this fixes the decoder's $s$). Put their means at even distances, with equal widths. Then every order of the pictures has the same KL. It also has the same $M$, because $M$ does not depend on which picture lies where. Only $D$ is shuffled. Try all 7! = 5040 orders:


# %%
def blob_distances(sigma, step):
    """Seven pictures of a blob that moves by `step` pixels; D, 1 for neighbours."""
    x = 32 + step * torch.arange(-3.0, 4)
    images = Blobs(sigma).render(torch.stack([x, torch.full_like(x, 32)], 1))
    squared = torch.cdist(images.flatten(1), images.flatten(1)).square()
    return images, squared / squared[0, 1]


def costs_of_orders(spacing, distances):
    """Cost of every order of n pictures on evenly spaced places, and the orders."""
    n = len(distances)
    M = confusions(spacing * (torch.arange(n) - (n - 1) / 2), torch.ones(n))
    orders = torch.tensor(list(itertools.permutations(range(n))))
    # D between the pictures at places i and j, for every order
    shuffled = distances[orders[:, :, None], orders[:, None, :]]
    return 0.5 * (M * shuffled).sum((1, 2)), orders


blobs, line = blob_distances(sigma=7, step=3)
figures.image_row(blobs, [f"{d:.1f} nats" for d in line[0].tolist()])
plt.show()

# %% [markdown]
# *Figure 3.3. The seven pictures, with their distance from the first in nats.*

# %%
my_guess_rank = (
    None  # from cheapest (1) to dearest (5040), where is the data's order?
)

# %%
overlapping, orders = costs_of_orders(1.0, line)
separate, _ = costs_of_orders(14.0, line)
rank = 1 + int(
    (overlapping < overlapping[0] - 1e-9).sum()
)  # the first is the data's
compare("rank of the data's own order", my_guess_rank, rank, digits=0)
figures.orders({"one σ apart": overlapping, "fourteen σ apart (control)": separate})
plt.show()

# %% [markdown]
# *Figure 3.4. How many orders have each cost (blue), and the cost of the data's own order, which has neighbours side by side (orange, dashed). Left: one σ apart. Right: no overlap.*
#
# **What you should see.** Under overlap the data's own order is the cheapest of all. (Its mirror image costs the same.) For these pictures this holds at all four spacings that we tried, from 0.1 to 3 σ. With no overlap every order costs nothing. That answers the second puzzle. It is the paper's locality argument with its condition: **with narrow posteriors nothing in the loss asks neighbours to be neighbours.**
#
# ### When another order is cheaper
#
# At a spacing of 0.3 σ all pictures are confused with each other, even the first with the last. Then large distances matter too, and they need not keep growing. Pictures of blobs that no longer touch are all equally far apart: their distance *saturates*. On a *ring* (seven points on a circle, like a shape that turns) the distance even falls again. The table has D of the first picture to the fourth and to the last, and the cheapest order at two spacings: the pictures, numbered from 0 to 6, from left to right on the latent. "Squares" are $D_{ij} = (i - j)^2$, "cut off" where greater than 3. The ring has radius 1 (D of neighbours: 0.75).

# %%
turn = 2 * math.pi * torch.arange(7.0) / 7
circle = torch.stack([turn.cos(), turn.sin()], 1)
squares = (torch.arange(7.0)[:, None] - torch.arange(7.0)).square()
cases = {
    "wide blob, small steps": line,
    "narrow blob, small steps": blob_distances(sigma=4, step=1.7)[1],
    "narrow blob, large steps": blob_distances(sigma=4, step=6)[1],
    "wide blob, large steps": blob_distances(sigma=7, step=8)[1],
    "squares, no blob": squares,
    "squares, cut off at 3": squares.clamp_max(3),
    "ring": torch.cdist(circle, circle).square(),
}
rows, cheapest = [], {}
for name, D in cases.items():
    row = {"pictures": name, "D to the 4th": D[0, 3].item(), "last": D[0, 6].item()}
    for spacing in (1.0, 0.3):
        costs, orders = costs_of_orders(spacing, D)
        best = orders[costs < costs.min() + 1e-9][0].tolist()  # the first of equals
        row[f"best at {spacing} σ"] = "".join(map(str, best))
        cheapest[name, spacing] = best, costs.min(), costs[0]
    rows.append(row)
table(rows, digits=1)

# %% [markdown]
# One σ apart the natural order 0123456 is the cheapest in all cases. At 0.3 σ another is cheaper where D saturates: the two outermost pictures at each end are swapped, for a narrow blob, a wide one and no blob at all. So saturation decides, not the width.
#
# <details><summary>Why are the ends swapped?</summary>
#
# Let the means be evenly spaced around 0, with σ = 1. If they lie close together, the belief is $p(i \mid z) \approx \tfrac1N (1 + \mu_i z)$, so $M_{ij} \approx \tfrac{1}{N^2}(1 + \mu_i \mu_j)$: pictures at the same end are confused most. Let all pictures be equally far apart, except that neighbours in the data are nearer. Then the cheapest order has the greatest sum of $\mu_i \mu_j$ over all pairs of neighbours in the data. In units of the squared spacing it is 16 for the natural order, and 18, the most, with swapped ends. The reason: picture 0 has one neighbour and picture 1 has two, so picture 1 gains more from the outermost place.
#
# If $D_{ij} = (i - j)^2$, the cost is a constant minus a multiple of $(\sum_i \mu_i\, i)^2$, because the $\mu_i$ add up to zero. So the natural order is best.
# </details>
#
# The ring cannot lie on a line without a cut. One σ apart the cheapest order cuts and unrolls it: the neighbours 6 and 0 go to the two ends, which are hardly ever confused. At 0.3 σ the cheapest order flattens the ring: 0, then 1 and 6, then 2 and 5, then 3 and 4. What is said above, checked:

# %% tags=["checks"]
natural = list(range(7))
assert rank == 1 and separate.max() < 1e-6
for spacing in (0.1, 0.3, 1.0, 3.0):
    costs, orders = costs_of_orders(spacing, line)
    best = orders[torch.isclose(costs, costs.min(), rtol=1e-9)].tolist()
    assert best == [natural, natural[::-1]]  # it and its mirror image, no other
for name, D in cases.items():
    _, least, own = cheapest[name, 1.0]
    assert torch.isclose(own, least)  # one σ apart: always natural
    if name != "ring":
        saturates = bool(D[0, 6] < 1.5 * D[0, 3])
        assert saturates == ("large" in name or "cut" in name)
        wanted = [1, 0, 2, 3, 4, 6, 5] if saturates else natural
        assert cheapest[name, 0.3][0] == wanted
for spacing, wanted in ((1.0, [1] * 6), (0.3, [1, 2, 3, 3, 2, 1])):
    around = itertools.pairwise(cheapest["ring", spacing][0])
    assert [min((b - a) % 7, (a - b) % 7) for a, b in around] == wanted
assert cheapest["ring", 0.3][1] < cheapest["ring", 0.3][2] - 1e-6
every_order = torch.tensor(list(itertools.permutations(range(-3, 4))))  # of places
sums = (every_order[:, 1:] * every_order[:, :-1]).sum(1)  # over data neighbours
swapped = torch.tensor([-2, -3, -1, 0, 1, 3, 2])
assert sums[0] == 16 and sums.max() == 18
assert (swapped[1:] * swapped[:-1]).sum() == 18

# on two latents: no search by exchanges finds an order of a 4 × 4 grid that is
# cheaper than the grid's own
side = torch.arange(4.0)
grid = torch.cartesian_prod(side, side)
on_grid = torch.cdist(grid, grid).square()
M1 = confusions(side - 1.5, torch.ones(4))
M = torch.kron(M1, M1)  # of two latents: the product


def exchange(order):
    """Swap pairs of pictures as long as a swap lowers the cost."""
    best = 0.5 * (M * on_grid[order][:, order]).sum()
    improved = True
    while improved:
        improved = False
        for i, j in itertools.combinations(range(16), 2):
            trial = order.clone()
            trial[[i, j]] = order[[j, i]]
            cost = 0.5 * (M * on_grid[trial][:, trial]).sum()
            if cost < best - 1e-12:
                order, best, improved = trial, cost, True
    return best


generator = torch.Generator().manual_seed(0)
starts = [torch.randperm(16, generator=generator) for _ in range(20)]
found = torch.stack([exchange(start) for start in starts])
tidy = 0.5 * (M * on_grid).sum()
assert abs(found.min() - tidy) < 1e-9  # nothing cheaper, and the grid was found

# %% [markdown]
# ## 4. A torn code, and what heals it
#
# Training cannot exchange two pictures in one step, because it moves codes little by little. Take twelve pictures, the numbers from −1 to 1 in even steps (with $s = 0.1$). Start with a **torn** code: cut the line after picture $k$ and put the first piece to the right of the second, each in good order, all widths 0.1. A **tear** is a pair of neighbours in the data whose means are not neighbours on the latent. Our starts have one. A code **heals** if no tear is left. Minimise cost + β·KL over all means and widths by gradient descent, under weak **pressure** (small β) and strong.

# %%
N = 12
places = torch.linspace(-1, 1, N)
distances = (places[:, None] - places).square() / (2 * 0.1**2)
whole = torch.linspace(-1.5, 1.5, N)
narrow = torch.full((N,), math.log(0.1))


def torn(k):
    return torch.cat([whole[N - k :], whole[: N - k]])


def tears(means):
    """Number of pairs of data neighbours that are not neighbours on the latent."""
    rank = means.argsort().argsort()
    return int((rank.diff().abs() > 1).sum())


# %%
my_guess_tears = None  # cut after the 3rd picture, β = 12: how many tears are left?

# %%
ends, rows = {}, []
for beta in (2.0, 8.0, 12.0, 14.0):
    row = {"β": f"{beta:.0f}"}
    for k in (6, 4, 3):
        path = descend(torn(k), narrow, distances, beta, steps=900)
        ends[beta, k] = path[0][-1], path[1][-1]
        row[f"tears, cut after {k}"] = tears(ends[beta, k][0])
    rows.append(row)
table(rows)
left = tears(ends[12.0, 3][0])
compare("tears, cut after 3, β = 12", my_guess_tears, left, digits=0)

# %% [markdown]
# The third puzzle is the cut after picture 6: it does not heal at β = 2, but it does at β = 8. The more unequal the pieces, the more pressure it takes. (Far more pressure makes the latent inactive.) But the number of tears does not fall steadily. Cut after the third picture, the code has one tear at β = 8 and at 10, **four at β = 12**, and none at 13, 14 or 20.

# %%
shown = {}
for beta in (2.0, 8.0, 12.0, 14.0):
    means, log_stds = ends[beta, 3]
    shown[f"β = {beta:.0f}"] = means, log_stds.exp()
figures.codes(shown, cut=3)
plt.show()

# %% [markdown]
# *Figure 3.5. The code cut after the third picture, after descent at four pressures: the mean of each posterior (dot) and ± σ (bar). Left on the latent is down here. Blue: the first three pictures. Orange: the other nine.*
#
# **What you should see.** In a healed code the means run in one direction, as at β = 14. In the torn code pictures 1 and 12, the ends of the data, lie side by side in the middle. To bring 3 and 4 there instead, *both* pieces have to turn round. At β = 8 the piece of three has turned and the piece of nine has not. At β = 12 the piece of nine is half-way. Its first picture, number 4, stays at the far left. The other eight are *nested*: they have nearly one mean, and widths that fall from 1.3 to 0.3 in the order of the data. The decoder tells them apart by their widths. At β = 14 the nest is gone.
#
# Are these torn codes, at β = 2, 8 and 12, local minima, or was the descent stopped too early? L-BFGS ([chapter 1](01_elbo.ipynb)) goes on from each of the three. It ends with the same tears, at slope zero and positive curvature in all directions: minima. What is said above, checked:


# %% tags=["checks"]
def settle(means, log_stds, beta):
    """Slope and least curvature of the loss where L-BFGS ends; the means there."""
    code = torch.cat([means, log_stds]).requires_grad_()

    def loss_of(code):
        cost, kl = loss_terms(code[:N], code[N:], distances)
        return cost + beta * kl

    optimizer = torch.optim.LBFGS(
        [code], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        loss = loss_of(code)
        loss.backward()
        return loss

    optimizer.step(closure)
    code = code.detach()
    slope = torch.autograd.functional.jacobian(loss_of, code).norm()
    hessian = torch.autograd.functional.hessian(loss_of, code)
    return slope, torch.linalg.eigvalsh(hessian)[0], code[:N]


assert tears(whole) == 0 and tears(torn(6)) == tears(torn(4)) == tears(torn(3)) == 1
expected = {6: [1, 0, 0, 0], 4: [1, 1, 0, 0], 3: [1, 1, 4, 0]}
for k, numbers in expected.items():
    assert [tears(ends[beta, k][0]) for beta in (2.0, 8.0, 12.0, 14.0)] == numbers
for beta, wanted in ((10.0, 1), (13.0, 0), (20.0, 0)):
    path = descend(torn(3), narrow, distances, beta, steps=900)
    assert tears(path[0][-1]) == wanted
for beta in (2.0, 8.0, 12.0, 14.0):  # beside a code that starts whole
    path = descend(whole, narrow, distances, beta, steps=900)
    cost, kl = loss_terms(path[0][-1], path[1][-1], distances)
    assert tears(path[0][-1]) == 0 and kl > 0.1  # it stays whole, and active
    for k in (6, 4, 3):
        own_cost, own_kl = loss_terms(*ends[beta, k], distances)
        extra = own_cost + beta * own_kl - cost - beta * kl
        assert extra > 0.05 if tears(ends[beta, k][0]) else abs(extra) < 0.02
path = descend(torn(6), narrow, distances, beta=64.0, steps=900)
assert loss_terms(path[0][-1], path[1][-1], distances)[1] < 0.01  # inactive

for beta, k in ((2.0, 6), (2.0, 4), (8.0, 4), (2.0, 3), (8.0, 3), (12.0, 3)):
    slope, least, means = settle(*ends[beta, k], beta)
    assert slope < 1e-4 and least > 0.1
    assert tears(means) == tears(ends[beta, k][0])
first, second = ends[8.0, 3][0].split([3, 9])
assert (first.diff() < 0).all() and second[0] < second[-1]  # turned; not turned
assert ends[12.0, 3][0].argmin() == 3  # the fourth picture is at the far left
means, widths = ends[12.0, 3][0][4:], ends[12.0, 3][1][4:].exp()  # the nest
assert means.max() - means.min() < 0.4 and (widths.diff() < 0).all()
assert 1.2 < widths[0] < 1.4 and 0.25 < widths[-1] < 0.35
assert (ends[14.0, 3][0].diff() < 0).all()

# %% [markdown]
# **Why do pieces turn?** The inner ends of a torn code lie side by side, so they are confused with each other, although they look least alike of all pictures. If that is the reason, pieces must not turn when all pictures of one piece are equally far from all of the other. The control:

# %%
equal = distances.clone()
equal[:6, 6:] = equal[6:, :6] = distances[:6, 6:].mean()
rows = []
for name, D in (("as they are", distances), ("all equal", equal)):
    path, _ = descend(torn(6), narrow, D, beta=8.0, steps=900)
    inside = torch.cat([path[-1][:6].diff(), path[-1][6:].diff()])
    turned, kept = bool((inside < 0).all()), bool((inside > 0).all())
    row = {"distances across the cut": name, "turned": turned, "kept": kept}
    rows.append(row)
    assert (path[:, :6] > 0).all() and (path[:, 6:] < 0).all()  # each on its side
table(rows)

# %% [markdown]
# So pieces turn in place, because that brings similar ends side by side. (We do not explain why unequal pieces need more pressure.)
#
# **How high is the barrier around the torn code at β = 2?** Take the code cut in the middle, minimised at β = 2. Follow the descent at β = 8 from there, then go on at β = 2, and record the β = 2 loss all along. The top of this path is an upper bound on the barrier.

# %%
up = descend(*ends[2.0, 6], distances, beta=8.0, steps=900)
down = descend(up[0][-1], up[1][-1], distances, beta=2.0, steps=500)
weak, strong = [], []
for path in (up, down):
    for means, log_stds in zip(path[0][::10], path[1][::10], strict=True):
        cost, kl = loss_terms(means, log_stds, distances)
        weak.append((cost + 2.0 * kl).item())
        strong.append((cost + 8.0 * kl).item())
weak, strong = torch.tensor(weak), torch.tensor(strong[:90])
figures.wall({"loss at β = 2": weak, "loss at β = 8": strong}, every=10)
plt.show()
print(f"barrier at most {weak.max() - weak[0]:.1f} nats")

# %% [markdown]
# *Figure 3.6. The loss along a path from the torn code to the whole one, 900 steps of descent at β = 8, then 500 at β = 2. Blue: the loss at β = 2, minus its start. Orange, dashed: the loss at β = 8, as long as β is 8. The dotted line marks the change.*
#
# **What you should see.** At β = 2 the path climbs about 3 nats and ends lower than it began. At β = 8 it only falls. So high pressure *first* and low pressure later mends this code, and it stays whole. Capacity that grows from zero ([chapter 6](06_controlled_capacity.ipynb)) is a schedule of this kind. [Chapter 4](04_blob_position.ipynb) shows whether the network of a VAE tears its code.
#
# **What would falsify it.** Any of these, and none occurs: the code cut in the middle heals at β = 2; more pressure tears a healed code while the latent is active; pieces turn although all pictures across the cut are equally far. What is said above, checked:

# %% tags=["checks"]
assert [(row["turned"], row["kept"]) for row in rows] == [
    (True, False),
    (False, True),
]
assert 2.5 < weak.max() - weak[0] < 3.5 and weak[-1] < weak[0] - 0.1
assert tears(down[0][-1]) == 0  # still whole at β = 2
assert (strong.diff() < 0.05).all()  # downhill (Adam may stumble a little)

# %% [markdown]
# ## 5. Drag the posteriors
#
# **Twelve pictures on one latent**, those of section 4. Cut the line, or drag the dots into any order; then press "descend".

# %% tags=["nbval-ignore-output"]
TwelveCodesExplorer()

# %% [markdown]
# (1) Cut after picture 6. Does the code heal at β = 2? At β = 8? (2) Cut after picture 3, and try β = 8, 12 and 14. (3) Drag the dots into an order with three tears or more. How much pressure does it take?
#
# <details><summary>What you should have found</summary>
#
# What section 4 says: (1) at β = 2 the tear stays, at β = 8 it heals. (2) One tear is left at β = 8, the nest at β = 12, none at β = 14. (3) That depends on your order.
# </details>
#
# **Three pictures on one latent**, all at one distance D.

# %% tags=["nbval-ignore-output"]
OverlapExplorer()

# %% [markdown]
# (1) Find the code of least KL with fewer than 10 % mistakes. (2) Give one of them a σ of 2: what does the decoder believe far out?
#
# <details><summary>What you should have found</summary>
#
# (1) What counts is the distance in units of σ: 2.9 σ between neighbours is enough. The KL is least if the three fill the prior: at means −1.1, 0, 1.1 and σ = 0.38 it is 0.94 nats (0.89 if the middle one is narrower than the outer two), below log 3 = 1.10, because one mistake in ten is allowed. (2) It believes in the wide one, on *both* sides, even beyond the others: far out the widest Gaussian is the densest.
# </details>
#
# What is said in the folds, checked:

# %% tags=["checks"]
one_width = torch.tensor([-1.1, 0.0, 1.1]), torch.tensor([0.38, 0.38, 0.38])
narrower = torch.tensor([-1.06, 0.0, 1.06]), torch.tensor([0.52, 0.24, 0.52])
for (means, stds), nats in ((one_width, 0.94), (narrower, 0.89)):
    kl = gaussian.kl_per_latent(means, stds.log()).mean()
    wrong = 1 - right_guesses(means, stds)
    assert wrong < 0.1 and abs(kl - nats) < 0.005 and kl < math.log(3)
for distance in (2.8, 2.9):  # between neighbours, in units of σ
    means = distance * torch.tensor([-1.0, 0.0, 1.0])
    wrong = 1 - right_guesses(means, torch.ones(3))
    assert (wrong < 0.1) == (distance == 2.9)
kls = {}
for reach in torch.arange(0.8, 1.41, 0.05).tolist():  # the best scale at 2.9 σ
    codes = torch.tensor([-reach, 0.0, reach]), torch.full((3,), reach / 2.9)
    kls[reach] = gaussian.kl_per_latent(codes[0], codes[1].log()).mean().item()
assert abs(min(kls, key=kls.get) - 1.1) < 0.06
# the wide one is believed in on both sides, left and right of all means
means, stds = torch.tensor([-1.06, 0.0, 1.06]), torch.tensor([2.0, 0.5, 0.5])
outside = torch.tensor([[-4.0], [4.0]])
far_out = torch.softmax(gaussian.log_density(outside, means, stds.log()), 1)
assert (far_out[:, 0] > 0.99).all()

# %% [markdown]
# ## 6. The paper and this chapter, side by side
#
# The paper's Figure 1 is a sketch without numbers: two overlapping posteriors, and a star, sampled from one where the other is higher. Figure 3.1 draws it with two Gaussians and adds the decoder's belief.
#
# | the paper says (section 4.2) | here |
# |---|---|
# | overlapping posteriors lower the KL and cost likelihood | cost = ½ Σ M D, and an exchange curve of slope −β |
# | a sample of one posterior may be likelier under another (the star) | Figure 3.1 |
# | the smallest cost has nearby points in data space close in latent space | true of the best of all 5040 orders for blobs on a line; where distances saturate, or on a ring, it depends on the overlap |
# | – | control: no overlap, no preference |
# | weak pressure leaves fragments (section 4.3) | a local minimum at β = 2, gone at 8, 12 or 13 (cut after 6, 4 or 3) |
#
# No network was trained here.
#
# ## 7. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough. Solutions are in [solutions/03_posterior_overlap](solutions/03_posterior_overlap.ipynb).
#
# **3.1** (warm-up, 3 min) Two posteriors of width σ = 0.4 at 0.1 and 0.7. How often is the best guess wrong (a probability)?

# %%
answer = None
check("3.1", answer)

# %% [markdown]
# **3.2** (to think, 40 min, some of it waiting) Tear the code of section 4 after the first, the second, …, the sixth picture (the later tears are mirror images). For each, find the least whole β at which `descend`, with 900 steps from the torn code, leaves no tear. Hand in the six numbers in this order. Which tears persist longest, and what do some of them turn into just below their least β? *Hint: up to β = 20 a tear that has healed at one β is healed at all greater ones, so bisect. Count the tears, since their number can rise before it falls to zero.*

# %%
answer = None
check("3.2", answer)

# %% [markdown]
# **3.3** (to think, 30 min) Nine pictures of a blob of width 7 on a 3 × 3 grid: picture i is centred at `x = 26 + 6 * (i % 3)`, `y = 26 + 6 * (i // 3)`. They have to lie on *one* latent, at even distances of one σ. Hand in an order, the nine numbers from 0 to 8, that costs less than all others (its mirror images cost the same). Rows, a snake and a spiral are all beaten. *Hint: section 3 has the cost of an order; 9! orders can be tried in portions.*

# %%
answer = None
check("3.3", answer)

# %% [markdown]
# **3.4** (open, 30 min) Pressure that falls. Start the code cut after the third picture at β = 20, lower β little by little to 2 within 900 steps, and see whether it ends whole. How fast may β fall? Does it work for an order with several tears? There is no check.
#
# ## Summary
#
# - An optimal decoder blends; overlap costs ½ Σ M D, so it is cheap exactly where confused pictures look alike.
# - Locality needs overlap.
# - Tears are local minima under weak pressure. Enough pressure removes them: the pieces turn until similar ends lie side by side. In between, a half-turned code can be a minimum too.
#
# **Readings.** Burgess et al. 2018, sections 4.2 and 4.3, and Figure 1.
