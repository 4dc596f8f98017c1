# %% [markdown]
# # Chapter 3 · Let posteriors overlap, and watch neighbours move together
#
# Section 4.2 of Burgess et al. (2018) makes one picture (Figure 1) carry an argument: a KL term makes posteriors overlap; where they overlap the decoder confuses pictures; so the cheapest code is one in which confused pictures look alike. This chapter puts numbers on every step.
#
# **By the end you will have shown that**
#
# 1. overlap has a price in likelihood and a saving in KL, and there is a best exchange curve;
# 2. under overlap the order in which pictures lie on a latent matters: for seven blobs on a line the cheapest of all 5040 orders is the data's own; on a ring it depends on the overlap; and, the control, with no overlap every order costs the same;
# 3. a torn code is a trap under weak pressure, and enough pressure opens the trap: β heals. How much is enough depends on the tear.
#
# **You need** chapters 1 and 2. **Time:** 40 minutes to read, under a minute of CPU time.
#
# ## A puzzle before we start
#
# - Two posteriors of width σ lie two σ apart. How often does the best decoder mistake one for the other?
# - Seven pictures of a blob, from left to right, shall lie on one latent. Does it matter in which order?
# - An encoder has put the right half of the pictures on the left and the left half on the right, each half in good order. Will training repair it?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $q(z \mid x_i) = \mathcal N(\mu_i, \sigma_i^2)$ | posterior of picture $i$, one of $N$ equally likely | – |
# | $p(i \mid z)$ | an optimal decoder's belief which picture it was | – |
# | $D_{ij}$ | $\lVert x_i - x_j \rVert^2 / 2 s^2$, what it costs to draw $x_j$ for $x_i$ (Gaussian decoder) | nats |
# | $M_{ij}$ | $\int q(z)\, p(i \mid z)\, p(j \mid z)\, dz$, how much $i$ and $j$ are confused | – |

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch

from minivae import channel, figures, gaussian
from minivae.checks import check
from minivae.datasets import Blobs
from minivae.optimal import confusions
from minivae.widgets import OverlapExplorer

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. Figure 1, with the star
#
# Two pictures, two posteriors. A sample (the star) was drawn from the second one, but it fell where the first is denser.

# %%
means, stds, star = torch.tensor([-0.6, 0.6]), torch.tensor([0.6, 0.6]), -0.35
figures.overlap(means, stds, star, names=["x₁", "x₂"])
plt.show()

belief = torch.softmax(gaussian.log_density(torch.tensor(star), means, stds.log()), 0)
print(f"at the star the decoder believes in x₁ with {belief[0]:.0%}, though x₂ was sent")
assert belief[0] > 0.5

# %% [markdown]
# *Figure 3.1. Top: the posteriors of two pictures and a sample of the second. Bottom: how an optimal decoder divides its belief at every z.*
#
# What should a decoder draw at the star? It does not know which picture was sent. For a Gaussian decoder (and for a Bernoulli one) the best drawing is the *mean* picture under its belief, $\hat x(z) = \sum_i p(i \mid z)\, x_i$, a blend. The expected error of the blend is the variance of the belief,
#
# $$ \sum_i p(i \mid z) \lVert x_i - \hat x \rVert^2 = \tfrac12 \sum_{ij} p(i \mid z)\, p(j \mid z) \lVert x_i - x_j \rVert^2 , $$
#
# and averaged over z, the likelihood cost of overlap is
#
# $$ \boxed{\; \text{cost} = \tfrac12 \sum_{ij} M_{ij} D_{ij} \;} \qquad M_{ij} = \int q(z)\, p(i \mid z)\, p(j \mid z)\, dz . $$
#
# The codes are in $M$ only, the pictures in $D$ only. Check it by drawing samples:

# %%
pictures = torch.tensor([[0.0, 1.0, 3.0], [2.0, 1.0, 0.0], [1.0, -1.0, 1.0]])
m, s = torch.tensor([-0.8, 0.1, 0.9]), torch.tensor([0.5, 0.3, 0.7])
sent = torch.randint(3, (200_000,), generator=torch.Generator().manual_seed(0))
z = m[sent] + s[sent] * torch.randn(200_000, generator=torch.Generator().manual_seed(1))
drawn = torch.softmax(gaussian.log_density(z[:, None], m, s.log()), 1) @ pictures
errors = (drawn - pictures[sent]).square().sum(1)
formula = 0.5 * (confusions(m, s) * torch.cdist(pictures, pictures).square()).sum()
print(f"squared error: {errors.mean():.2f} by sampling, {formula:.2f} by the formula")
assert abs(errors.mean() - formula) < 4 * errors.std() / math.sqrt(len(errors))

# %% [markdown]
# ## 2. The exchange rate of overlap
#
# Two pictures at ±μ with width σ, always at the best scale $\mu^2 + \sigma^2 = 1$ (chapter 2). As they come together, measured in σ, the KL falls and confusion rises. The best guess is wrong with probability $\tfrac12(1 - \mathrm{TV}) = \Phi(-\mu/\sigma)$, where TV $= \tfrac12\int |q_1 - q_2|$ is the total variation. In the table, *overlap* is $\int\sqrt{q_1 q_2}$ (1 if equal, 0 if apart), *cost* is $M_{12} D$ with D = 1. From 4 σ on the KL exceeds even log 2 = 0.69, the most that two messages can tell.

# %%
print("distance/σ   overlap   wrong      KL   information   cost (of D = 1)")
kls, costs = [], []
for distance in (0.5, 1.0, 2.0, 4.0, 8.0):
    std = torch.tensor(1 / math.sqrt(1 + (distance / 2) ** 2))
    mu = distance / 2 * std
    pair = torch.stack([-mu, mu]), torch.stack([std, std])
    wrong = 0.5 * (1 - gaussian.total_variation(-mu, std.log(), mu, std.log()))
    assert abs(wrong - torch.special.ndtr(torch.tensor(-distance / 2))) < 1e-9
    kls.append(gaussian.kl_per_latent(mu, std.log()).item())
    costs.append(confusions(*pair)[0, 1].item())
    overlap = gaussian.bhattacharyya(-mu, std.log(), mu, std.log())
    information = channel.mutual_information(*pair)
    print(f"{distance:10.1f} {overlap:9.3f} {wrong:7.1%} {kls[-1]:7.3f} {information:13.3f} {costs[-1]:10.3f}")
assert kls == sorted(kls) and costs == sorted(costs, reverse=True)

# %% [markdown]
# The first puzzle: two σ apart, wrong in 16 % of all cases. Is this symmetric family the best exchange between KL and cost? Let an optimiser choose all four numbers (both means, both widths) for several prices β, and compare:


# %%
def loss_terms(means, log_stds, distances):
    """Likelihood cost and mean KL of a code, in nats."""
    return 0.5 * (confusions(means, log_stds.exp()) * distances).sum(), gaussian.kl_per_latent(means, log_stds).mean()


def descend(means, log_stds, distances, beta, steps=400, lr=0.02):
    """Gradient descent on cost + β·KL over all means and widths; returns the path of both, (steps, n) each."""
    means, log_stds = means.clone().requires_grad_(), log_stds.clone().requires_grad_()
    optimizer = torch.optim.Adam([means, log_stds], lr=lr)
    path = []
    for _ in range(steps):
        path.append((means.detach().clone(), log_stds.detach().clone()))
        cost, kl = loss_terms(means, log_stds, distances)
        optimizer.zero_grad()
        (cost + beta * kl).backward()
        optimizer.step()
    return torch.stack([m for m, _ in path]), torch.stack([s for _, s in path])


apart = torch.tensor([[0.0, 20.0], [20.0, 0.0]])  # D = 20 nats
ratios = torch.linspace(0.1, 10, 400)
family_std = 1 / (1 + (ratios / 2) ** 2).sqrt()
family = [
    loss_terms(torch.stack([-r / 2 * t, r / 2 * t]), torch.stack([t, t]).log(), apart)
    for r, t in zip(ratios, family_std, strict=True)
]
family_cost, family_kl = (torch.stack(v) for v in zip(*family, strict=True))
free_optima = []
for beta in (1.0, 3.0, 6.0):
    means, log_stds = descend(torch.tensor([-0.3, 0.5]), torch.tensor([-0.5, -1.0]), apart, beta, steps=800)
    cost, kl = loss_terms(means[-1], log_stds[-1], apart)
    best = (family_cost + beta * family_kl).min()
    print(f"β = {beta:.0f}: free optimum {cost + beta * kl:.3f} nats, best of the symmetric family {best:.3f}")
    assert abs(cost + beta * kl - best) < 0.01
    free_optima.append((beta, kl.item(), cost.item()))

figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
axis.plot(family_kl.numpy(), family_cost.numpy(), color=figures.BLUE)
for beta, kl, cost in free_optima:
    axis.plot(kl, cost, "o", color=figures.ORANGE)
    axis.annotate(f"β = {beta:.0f}", (kl, cost), (6, 4), textcoords="offset points", fontsize=9)
axis.set(xlabel="KL (nats)", ylabel="likelihood cost (nats)", ylim=(0, 5.2))
plt.show()

# %% [markdown]
# *Figure 3.2. The symmetric family's exchange of KL against likelihood for two pictures 20 nats apart (line); at all three prices a free descent from a lopsided start ends on it (dots). At the minimum of cost + β·KL the slope is −β.*
#
# ## 3. Locality: who should lie next to whom
#
# Seven pictures of chapter 4's blob, moved to the right by 3 pixels each time. Their distances $D_{ij}$ are measured on the pixels, in units in which neighbours are 1 nat apart (that fixes the decoder's $s$). Codes at evenly spaced means with equal widths, so that every order has the same KL; neighbours one σ apart. There are 7! = 5040 orders. $M$ depends on the places only, so the cost of an order π is $\tfrac12 \sum_{ij} M_{ij} D_{\pi(i)\pi(j)}$, and all orders can be tried.


# %%
def costs_of_orders(spacing, distances):
    """Cost of every order of n pictures on evenly spaced places, the identity first: (n!,)."""
    n = len(distances)
    M = confusions(spacing * (torch.arange(n) - (n - 1) / 2), torch.ones(n))  # only spacing/σ matters
    orders = torch.tensor(list(itertools.permutations(range(n))))
    return 0.5 * (M * distances[orders[:, :, None], orders[:, None, :]]).sum((1, 2)), orders


def blob_distances(sigma, step):
    """Pictures of a blob that moves by `step` pixels, and their D in units of the nearest neighbours'."""
    x = 32 + step * torch.arange(-3.0, 4)
    images = Blobs(sigma).render(torch.stack([x, torch.full_like(x, 32)], 1))
    squared = torch.cdist(images.flatten(1), images.flatten(1)).square()
    return images, squared / squared[0, 1]


pictures, line = blob_distances(sigma=7, step=3)
figures.image_row(pictures, [f"{d:.1f} nats" for d in line[0].tolist()])
plt.show()

overlapping, orders = costs_of_orders(1.0, line)
separate, _ = costs_of_orders(14.0, line)
print(
    f"one σ apart: the natural order costs {overlapping[0]:.2f} nats, the best {overlapping.min():.2f}, the worst {overlapping.max():.2f}"
)
print(f"fourteen σ apart: from {separate.min():.6f} to {separate.max():.6f} nats")
for spacing in (0.1, 0.3, 1.0, 3.0):
    costs, _ = costs_of_orders(spacing, line)
    best = orders[torch.isclose(costs, costs.min(), rtol=1e-9)].tolist()
    assert best == [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]]  # the natural order and its mirror image, alone
assert separate.max() < 1e-6  # the control: no overlap, no preference

far, _ = costs_of_orders(1.0, blob_distances(sigma=4, step=6)[1])  # blobs that soon have nothing in common
assert torch.isclose(far[0], far.min())
far_mixed, orders = costs_of_orders(0.3, blob_distances(sigma=4, step=6)[1])
cheapest = orders[far_mixed.argmin()].tolist()
print(f"narrow blobs, 0.3 σ apart: {cheapest} costs {far_mixed.min():.4f} nats, the natural order {far_mixed[0]:.4f}")
assert cheapest == [1, 0, 2, 3, 4, 6, 5] and far_mixed.min() < far_mixed[0] - 1e-4

figures.orders({"one σ apart": overlapping, "fourteen σ apart (control)": separate})
plt.show()

# %% [markdown]
# *Figure 3.3. Top: the seven pictures, with their distance from the first in nats. Bottom: the cost of all 5040 orders. Left, under overlap, the natural order is the cheapest of all. Right, with no overlap, all orders cost the same: nothing.*
#
# This is the paper's locality argument, exhaustively, and for these blobs it holds at any overlap (from 0.1 to 3 σ, asserted). It has a limit. $D$ grows like the square of the shift only at first and levels off once two blobs have nothing in common. For narrow blobs it does so after two steps: one σ apart the natural order still wins, but at 0.3 σ, where nearly everything is confused with everything, swapping the outermost pictures at each end is slightly cheaper (the last lines of the cell). And the control says what it rests on: **with narrow posteriors nothing in the loss asks neighbours to be neighbours.**
#
# ### A ring and a grid
#
# Pictures on a *ring* (seven points on a circle stand in for a shape that turns; from here on D is simply the squared distance) cannot lie on a line without a cut. Where is it cheapest to cut? Try all orders again. And pictures on a 4 × 4 *grid* (x and y) with two latents: 16! orders are too many, so exchange pairs as long as that helps, from 20 random starts. With two latents, $M$ is the product of the two latents' $M$.

# %%
turn = 2 * math.pi * torch.arange(7.0) / 7
circle = torch.stack([turn.cos(), turn.sin()], 1)
ring = torch.cdist(circle, circle).square()
for spacing in (1.0, 0.3):
    on_line, orders = costs_of_orders(spacing, ring)
    best = orders[on_line.argmin()].tolist()
    steps = [min((b - a) % 7, (a - b) % 7) for a, b in itertools.pairwise(best)]
    print(
        f"{spacing} σ apart: unrolled {on_line[0]:.3f} nats, cheapest {on_line.min():.3f} with steps of {steps} round the ring, worst {on_line.max():.3f}"
    )
    assert steps == ([1] * 6 if spacing == 1.0 else [1, 2, 3, 3, 2, 1])  # unrolled, or down both sides at once

side = torch.arange(4.0)
grid = torch.cartesian_prod(side, side)
on_grid = torch.cdist(grid, grid).square()
M1 = confusions(side - 1.5, torch.ones(4))
M = torch.kron(M1, M1)


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
found = torch.stack([exchange(torch.randperm(16, generator=generator)) for _ in range(20)])
tidy = 0.5 * (M * on_grid).sum()
print(
    f"grid: laid out as it is {tidy:.4f} nats; best of 20 searches {found.min():.4f}, reached {int((found < tidy + 1e-9).sum())} times"
)
assert found.min() > tidy - 1e-9  # no search found anything cheaper than the grid itself
assert found.min() < tidy + 1e-9  # and the grid was found

# %% [markdown]
# The second puzzle: the order matters, if and only if they overlap. For the seven blobs on a line the cheapest order is the data's own (all 5040 tried); for the grid no search found a cheaper one. The ring has to choose, and its choice depends on the overlap. One σ apart, only near neighbours are confused: cut the ring anywhere and unroll it, every step 1; one pair of neighbours is torn to the two ends, but nobody
# confuses the ends. At 0.3 σ everybody is confused with everybody, the ends too, and the cheapest order flattens the ring: it walks down both of its sides at once, a little cheaper than unrolling. That is the ring's shadow on a line. Remember it when an orientation has to fit into one latent (chapter 6).
#
# ## 4. Fragments, and what heals them
#
# So far pictures could be exchanged at will. A network cannot do that: it moves codes little by little. Take 12 pictures on a line, and start with a *torn* code: the right half on the left, the left half on the right, each half in good order. Only one pair of neighbours is separated. (A second code is torn off the middle, after the eighth picture.) Minimise cost + β·KL over all means and widths by gradient descent, at weak and at strong pressure.

# %%
N = 12
places = torch.linspace(-1, 1, N)
distances = (places[:, None] - places).square() / (2 * 0.1**2)
whole = torch.linspace(-1.5, 1.5, N)
torn = torch.cat([whole[N // 2 :], whole[: N // 2]])
narrow = torch.full((N,), math.log(0.1))


def tears(means):
    """Number of pairs of data neighbours that are not neighbours on the latent."""
    rank = means.argsort().argsort()
    return int((rank.diff().abs() > 1).sum())


off_middle = torch.cat([whole[8:], whole[:8]])
assert tears(whole) == 0 and tears(torn) == tears(off_middle) == 1
paths = {}
print("  β   torn in the middle     torn after the eighth   whole")
for beta in (1.0, 2.0, 8.0, 16.0):
    end = {}
    for name, start in (("torn", torn), ("off middle", off_middle), ("whole", whole)):
        means, log_stds = paths[beta, name] = descend(start, narrow, distances, beta, steps=900)
        cost, kl = loss_terms(means[-1], log_stds[-1], distances)
        end[name] = tears(means[-1]), (cost + beta * kl).item()
    print(f"{beta:4.0f}   " + "   ".join(f"{n} tears, loss {loss:6.2f}" for n, loss in end.values()))
    assert end["whole"][0] == 0
    assert end["torn"][0] == (1 if beta <= 2 else 0)  # weak pressure keeps the tear, strong pressure heals it
    assert end["off middle"][0] == (1 if beta <= 8 else 0)  # this one needs more of it
    for name in ("torn", "off middle"):
        extra = end[name][1] - end["whole"][1]
        assert extra > 0.05 if end[name][0] else abs(extra) < 0.02

for beta in (8.0, 16.0):  # each half turns round where it is: no picture changes sides on the way
    way = paths[beta, "torn"][0]
    assert (way[:, : N // 2] > 0).all() and (way[:, N // 2 :] < 0).all()
dead = descend(torn, narrow, distances, beta=64.0, steps=900)
assert loss_terms(dead[0][-1], dead[1][-1], distances)[1] < 0.01  # far more pressure: the latent dies

# %% [markdown]
# The third puzzle: not at β = 1 and 2; at 8 and 16 yes, if the tear is in the middle. Under weak pressure the torn code stays torn, though the whole one is cheaper: descent sits in a **local minimum** (zero gradient, positive curvature in every direction, asserted below). At β = 8 and 16 the same start meets no such minimum: each half turns round where it is, until its inner end meets the other's. (The healed code runs the other way, which costs the same.) Torn after the eighth picture, 8 is still a trap and 16 is none. So how much pressure is needed depends on the tear; and far more pressure kills the latent, and then there is nothing left to order. Follow the road that β = 8 takes from the torn code (minimised at β = 2), go on from its end at β = 2, and look at the β = 2 loss all along. Its top is an upper bound on the barrier; part of it is there only because the whole code is at first tuned for β = 8.

# %%
stuck = paths[2.0, "torn"][0][-1], paths[2.0, "torn"][1][-1]
free = [v.clone().requires_grad_() for v in stuck]
cost, kl = loss_terms(*free, distances)
assert torch.cat(torch.autograd.grad(cost + 2.0 * kl, free)).norm() < 1e-3  # a stationary point


def loss_of(parameters):
    cost, kl = loss_terms(parameters[:N], parameters[N:], distances)
    return cost + 2.0 * kl


curvatures = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss_of, torch.cat(stuck)))
assert curvatures.min() > 0.05  # and a minimum: the loss rises in every direction

healed = descend(*stuck, distances, beta=8.0, steps=900)
settled = descend(healed[0][-1], healed[1][-1], distances, beta=2.0, steps=500)
road = torch.cat([healed[0], settled[0]]), torch.cat([healed[1], settled[1]])
along = [torch.stack([sum(t * f for t, f in zip(loss_terms(m, s, distances), (1, beta), strict=True))
                      for m, s in zip(road[0][::10], road[1][::10], strict=True)]) for beta in (2.0, 8.0)]  # fmt: skip
weak, strong = along
print(
    f"at β = 2 the road climbs {weak.max() - weak[0]:.1f} nats and ends {weak[0] - weak[-1]:.2f} nats below its start"
)
assert weak.max() > weak[0] + 0.3 and weak[-1] < weak[0] - 0.1 and tears(settled[0][-1]) == 0
falling = strong[: len(healed[0]) // 10]
assert (falling.diff() < 0.05).all()  # at β = 8 the first part of the road goes downhill (Adam may stumble a little)

figures.healing(
    {"stuck at β = 2": stuck[0], "after β = 8": healed[0][-1], "and β = 2 again": settled[0][-1]},
    {"loss at β = 2": weak, "loss at β = 8": strong[: len(falling)]},
    every=10,
)
plt.show()

# %% [markdown]
# *Figure 3.4. Left to right: the mean of z of each picture, torn at β = 2, healed by β = 8, and still whole when β returns to 2. Right: the loss along this road (every tenth step). At β = 2 it leads over a hill, at β = 8 it falls (up to stumbles of the optimiser below 0.05 nats).*
#
# **What you should see.** The hill at β = 2 and the slope at β = 8. This is the bridge to chapter 4: a VAE's code is torn early, when the network is crude, and at β = 1 nothing mends it. It also suggests a cure that the paper does not mention for this purpose: high pressure *first*, low pressure later. Capacity that grows from zero (chapter 6) is just that.
#
# **What would falsify it.** The code torn in the middle healing at β = 1 or 2, or a tear that heals at one pressure and is a trap again at a higher one, as long as the latent lives.
#
# ## 5. Drag the posteriors
#
# Tasks: (1) find the code of least KL with fewer than 10 % mistakes. (2) Give one of them a σ of 2: what does the decoder believe far out?
#
# <details><summary>What you should have found</summary>
#
# (1) What counts is the distance in units of σ: 2.9 σ between neighbours is enough. The KL is least if the three fill the prior: at means −1.1, 0, 1.1 and σ = 0.38 it is 0.94 nats (0.89 if the middle one is narrower than the outer two), below log 3 = 1.10, because one mistake in ten is allowed. (2) It believes in the wide one, on *both* sides, even beyond the others: far out the widest Gaussian is the densest. A posterior of its own width can claim regions that its mean is nowhere near.
# </details>

# %%
# the numbers of the answer
for means, stds, nats in (((-1.1, 0.0, 1.1), (0.38, 0.38, 0.38), 0.94), ((-1.06, 0.0, 1.06), (0.52, 0.24, 0.52), 0.89)):
    means, stds = torch.tensor(means), torch.tensor(stds)
    kl = gaussian.kl_per_latent(means, stds.log()).mean()
    wrong = 1 - figures.right_guesses(means, stds)
    print(f"KL {kl:.2f} nats, {wrong:.1%} mistakes")
    assert wrong < 0.1 and abs(kl - nats) < 0.005 and kl < math.log(3)
far_out = torch.softmax(
    gaussian.log_density(torch.tensor([[-4.0], [4.0]]), means, torch.tensor([2.0, 0.5, 0.5]).log()), 1
)
assert (far_out[:, 0] > 0.99).all()  # the wide one, on both sides

# %% tags=["nbval-ignore-output"]
OverlapExplorer()

# %% [markdown]
# ## 6. The paper and this chapter, side by side
#
# | the paper says (section 4.2) | here |
# |---|---|
# | overlapping posteriors lower the KL and cost likelihood | an exact exchange curve, cost = ½ Σ M D |
# | a sample of one posterior may be likelier under another (the star) | drawn, with the decoder's belief |
# | the smallest cost has nearby points in data space close in latent space | the best of all 5040 orders for blobs on a line; on a ring it depends on how strong the overlap is |
# | – | control: no overlap, no preference |
# | weak pressure leaves fragments | a local minimum at β = 1 and 2, gone at 8 or 16, depending on the tear; the barrier bounded from above by one road |
#
# ## 7. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/03_posterior_overlap](solutions/03_posterior_overlap.ipynb).
#
# **3.1** (easy, 3 min) Two posteriors of width σ = 0.4 at 0.1 and 0.7. How often is the best guess wrong (a probability)?

# %%
answer = None
check("3.1", answer)

# %% [markdown]
# **3.2** (medium, 10 min) Write `overlap(m1, s1, m2, s2)`, the Bhattacharyya coefficient $\int \sqrt{q_1 q_2}$ of two Gaussians with standard deviations s1 and s2 (numbers). *Hint: a numerical integral will do.*

# %%
answer = None  # def answer(m1, s1, m2, s2): ...
check("3.2", answer)

# %% [markdown]
# **3.3** (medium, 10 min) Write `error(belief, distances)`: the expected squared error of the best blend, from the belief (n,) and the squared distances (n, n) alone. *Hint: the identity of section 1.*

# %%
answer = None  # def answer(belief, distances): ...
check("3.3", answer)

# %% [markdown]
# **3.4** (hard, 40 min, some of it waiting) Tear the code of section 4 after the first, the second, …, the sixth picture (the later tears are mirror images). For each, find the least whole β at which `descend`, with 900 steps from the torn code, leaves no tear. Hand in the six numbers in this order. Which tears persist longest, and what do some of them turn into just below their least β? *Hint: up to β = 20 a tear that has healed at one β is healed at all greater ones, so bisect. Count the tears, since their number can rise before it falls to zero.*

# %%
answer = None
check("3.4", answer)

# %% [markdown]
# **3.5** (hard, 30 min) Nine pictures of a blob of width 7 on a 3 × 3 grid: picture i is centred at `x = 26 + 6 * (i % 3)`, `y = 26 + 6 * (i // 3)`. They have to lie on *one* latent, at even distances of one σ. Hand in an order, the nine numbers from 0 to 8, that costs less than all others (its mirror images cost the same). Rows, a snake and a spiral are all beaten. *Hint: section 3 has the cost of an order and the search by exchanges. 9! orders can also be tried, in portions.*

# %%
answer = None
check("3.5", answer)

# %% [markdown]
# ## Summary
#
# - An optimal decoder blends; overlap costs ½ Σ M D, so it is cheap exactly where confused pictures look alike.
# - Locality needs overlap. No overlap, no locality.
# - Tears are local minima under weak pressure. Enough pressure removes them.
#
# **Readings.** Burgess et al. 2018, section 4.2 and Figure 1.
