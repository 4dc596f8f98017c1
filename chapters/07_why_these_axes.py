# %% [markdown]
# # Chapter 7 · Turn a code, and find out which axes the loss prefers
#
# [Chapter 4](04_blob_position.ipynb)'s β-VAE encodes the position of a blob in two latents, and on four seeds of five these are x and y. But two latents could hold the position along any two axes, for example the diagonals. So something must prefer x and y. It is the diagonal covariance of the posterior.
#
# **By the end you will have shown that**
#
# 1. in a linear model a turned code costs extra, because a diagonal posterior cannot tilt. A formula gives the price from the variances of the data, and it is zero if they are equal;
# 2. x and y of a blob have equal variances, and still the loss prefers them. The reason is that the square of positions has straight sides, and you can compute this without any network;
# 3. with one σ for both latents, or with a full covariance, every direction costs the same. On a square turned by 45° the loss prefers the diagonals. On a disc whose blobs the canvas does not cut off, it prefers nothing;
# 4. trained networks follow slowly, over thousands of steps: on four seeds of five for the square, and on two of three for the turned square.
#
# **You need** the gap of the ELBO ([chapter 1](01_elbo.ipynb)), the linear β-VAE ([chapter 2](02_awgn_channel.ipynb)), the best decoder of overlapping posteriors ([chapter 3](03_posterior_overlap.ipynb)) and the blobs ([chapter 4](04_blob_position.ipynb)).
# **Time:** 55 minutes to read, 63 for exercises, 2 of CPU.

# %% [markdown]
# ## A puzzle before we start
#
# - A linear VAE encodes two independent numbers, of variances 8 and 1, in two latents. You turn the code by 45°, and the decoder with it, so that it draws the same pictures. Does the loss change? And if the variances are 4 and 4?
# - A blob is round, and its x and y have the same variance. What is left in the loss that could tell x and y from the two diagonals?
# - Now the blob's centre lies in a diamond, which is the square turned by 45°. Which two directions will the latents take?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $\lambda_1, \lambda_2$ | variances of the data along two principal components | – |
# | $\eta = \beta s^2$ | water level: β times the variance of the decoder's noise ([chapter 2](02_awgn_channel.ipynb)) | – |
# | $t_i = \lambda_i / \eta$ | variance of a component in units of the water level | – |
# | $W$ | matrix of the linear decoder, $p(x \mid z) = \mathcal N(Wz, s^2 I)$ | – |
# | $\omega$, $R(\omega)$ | angle by which a code is turned, and the rotation by this angle | degrees |
# | $\Lambda$ | precision matrix of the true posterior $p(z \mid x)$, the inverse of its covariance | – |
# | $\sigma_i$ | standard deviation of the posterior of latent $i$ | – |
# | gap | $\mathrm{KL}(q(z \mid x) \Vert p(z \mid x))$, what the ELBO lacks of $\log p(x)$ | nats |
#
# Symbols are in [NOTATION.md](NOTATION.md).

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import MultivariateNormal, kl_divergence

from minivae import metrics
from minivae.collapse import collapse_threshold
from minivae.course import figures
from minivae.course.cells import compare, table
from minivae.course.checks import check
from minivae.course.explorers import TiltedEllipseExplorer
from minivae.datasets import Blobs
from minivae.engine.runs import Run

RUNS = "../data/runs"

# %% [markdown]
# ## 1. What changes when a code is turned
#
# Take the linear β-VAE of [chapter 2](02_awgn_channel.ipynb), with two latents. The data have the variances $\lambda_1$ and $\lambda_2$ along two components, which we take as the axes of x. The best code gives each component a latent of its own, and the best decoder is $W = \operatorname{diag}(\sqrt{\lambda_1 - \eta}, \sqrt{\lambda_2 - \eta})$. The two entries are its **gains**. Turn this code by an angle ω: $z$ becomes $R(\omega)\, z$. To draw the same pictures, the decoder must turn back first, so it becomes $W R(\omega)^\top$. What happens to the loss, as a mean over the data?
#
# Divide the loss by β. Up to a constant it is then the negative ELBO of a VAE whose decoder has the noise variance η, and a negative ELBO is $-\log p(x)$ plus the gap ([chapter 1](01_elbo.ipynb)):
#
# $$ \frac{\text{loss}}{\beta} = \frac{\text{squared error}}{2 \beta s^2} + \mathrm{KL} + \text{const} = -\log p(x) + \text{gap} + \text{const} . $$
#
# - **The pictures do not change.** With noise of variance η, $p(x)$ is a Gaussian with covariance $W W^\top + \eta I$, and $W R^\top R\, W^\top = W W^\top$.
# - **The prior does not change.** $\mathcal N(0, I)$ is round.
# - **The true posterior turns.** Its precision matrix is $\Lambda = I + W^\top W / \eta$. With the turned decoder it is $R \Lambda R^\top$. So the ellipse of the true posterior turns with the code, and is tilted against the axes of z.
# - **The model's posterior cannot follow.** Its covariance is diagonal, so its ellipse lies along the axes. The KL between the two is the gap.
#
# <details><summary>Where Λ comes from</summary>
#
# As a function of z, $-\log p(z) - \log p(x \mid z) = \tfrac12 z^\top z + \lVert x - Wz \rVert^2 / 2\eta + \text{const}$. This is a parabola in every direction, so the posterior is Gaussian. The matrix of second derivatives is $I + W^\top W/\eta$, and for a Gaussian this is the precision. ([Chapter 1](01_elbo.ipynb) does the same with one latent.)
#
# </details>


# %%
def turned(gains, degrees):
    """A linear decoder with these gains, its code turned by an angle."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    return torch.diag(gains) @ rotation.T


def precision(W, level):
    """Λ, the precision matrix of the true posterior."""
    return torch.eye(W.shape[1], dtype=W.dtype) + W.T @ W / level


level = 0.5  # η
variances = torch.tensor([8.0, 1.0], dtype=torch.float64)
best_gains = (variances - level).sqrt()
for degrees in (0, 45):
    W = turned(best_gains, degrees)
    of_x = W @ W.T + level * torch.eye(2, dtype=W.dtype)
    of_z = torch.linalg.inv(precision(W, level))
    print(f"turned by {degrees}°")
    print("   covariance of p(x):    ", (of_x.round(decimals=2) + 0.0).tolist())
    print("   of the true posterior: ", (of_z.round(decimals=2) + 0.0).tolist())

# %% [markdown]
# The covariance of $p(x)$ is the same at both angles. At 45° that of the true posterior has entries off its diagonal.
#
# ## 2. Compute the price of turning, with the gains kept
#
# Which diagonal Gaussian fits a tilted one best? Give it the same mean. Then their KL is
#
# $$ \tfrac12 \sum_i \left( \Lambda_{ii} \sigma_i^2 - 1 - \log \sigma_i^2 \right) - \tfrac12 \log \det \Lambda , $$
#
# which is least at $\sigma_i^2 = 1 / \Lambda_{ii}$. There it is
#
# $$ \text{gap} = \tfrac12 \log \frac{\prod_i \Lambda_{ii}}{\det \Lambda} . $$
#
# <details><summary>The KL of two Gaussians in several dimensions</summary>
#
# Both have the mean μ. $q$ has the variances $\sigma_i^2$ and $p$ the precision Λ. Then $\log q - \log p = -\sum_i \log \sigma_i - \tfrac12 \log\det\Lambda - \tfrac12 \sum_i (z_i - \mu_i)^2/\sigma_i^2 + \tfrac12 (z - \mu)^\top \Lambda (z - \mu)$. Average over q, where $\mathbb E (z_i - \mu_i)(z_j - \mu_j)$ is $\sigma_i^2$ if $i = j$ and 0 otherwise. The third term becomes $-\tfrac12$ for every latent, and the fourth $\tfrac12 \sum_i \Lambda_{ii}\sigma_i^2$.
#
# </details>
#
# In our model $I + W^\top W/\eta$ has the diagonal entries $1 + (\lambda_i - \eta)/\eta = t_i$ before it is turned. After the turn the diagonal entries are $t_1 \cos^2\omega + t_2 \sin^2\omega$ and $t_1 \sin^2\omega + t_2 \cos^2\omega$, and the determinant is still $t_1 t_2$. Multiply the two entries, and divide by $t_1 t_2$:
#
# $$ \boxed{\;\text{extra loss}/\beta = \tfrac12 \log\left(1 + \frac{(t_1 - t_2)^2 \sin^2 2\omega}{4\, t_1 t_2}\right)\;} $$
#
# <details><summary>The product</summary>
#
# It is $t_1 t_2 (\cos^4\omega + \sin^4\omega) + (t_1^2 + t_2^2) \cos^2\omega \sin^2\omega$. Because $\cos^4\omega + \sin^4\omega = 1 - 2\cos^2\omega\sin^2\omega$, this is $t_1 t_2 + (t_1 - t_2)^2 \cos^2\omega \sin^2\omega$. And $\cos\omega \sin\omega = \tfrac12 \sin 2\omega$.
#
# </details>


# %%
def gap(precision):
    """What the best diagonal Gaussian misses, in nats."""
    diagonal = precision.diagonal().log().sum()
    return 0.5 * (diagonal - torch.logdet(precision))


rows = []
for pair in ((8.0, 1.0), (8.0, 4.0), (4.0, 4.0)):
    kept_gains = (torch.tensor(pair, dtype=torch.float64) - level).sqrt()
    row = {"variances": f"{pair[0]:.0f} and {pair[1]:.0f}"}
    for degrees in (0, 15, 30, 45):
        nats = gap(precision(turned(kept_gains, degrees), level)).item()
        row[f"{degrees}°"] = abs(nats)
    rows.append(row)
table(rows, digits=3)

# %%
figures.tilted_fits((0, 15, 45), level / variances)
plt.show()

# %% [markdown]
# *Figure 7.1. The true posterior of the variances 8 and 1 (grey), turned by 0, 15 and 45°, with the diagonal Gaussian that fits it best (blue outline) and the prior (dotted). All are one standard deviation wide.*
#
# **What you should see.** The price is zero at 0° and largest at 45°. This answers the first puzzle: with the variances 8 and 1 (and η = 0.5) the loss over β rises by 0.46 nats at 45°, and with 4 and 4 not at all. The fit crosses the axes exactly where the ellipse does, because $\sigma_i^2 = 1/\Lambda_{ii}$. So on a tilted ellipse it leaves out the long ends: $\mathrm{KL}(q \Vert p)$ punishes q for lying where p is small.
#
# So a diagonal posterior aligns latents with components *of different variance*. This makes exact, for a linear model, what the paper's section 4.3 supposes: "the diagonal covariance of the posterior distribution restricts the model".
#
# What is said above, checked:

# %% tags=["checks"]
for row, pair in zip(rows, ((8.0, 1.0), (8.0, 4.0), (4.0, 4.0)), strict=True):
    t1, t2 = pair[0] / level, pair[1] / level
    for degrees in (0, 15, 30, 45):
        squared_sine = math.sin(2 * math.radians(degrees)) ** 2
        formula = 0.5 * math.log1p((t1 - t2) ** 2 * squared_sine / (4 * t1 * t2))
        assert abs(row[f"{degrees}°"] - formula) < 1e-9
assert abs(rows[0]["45°"] - 0.46) < 0.005 and rows[2]["45°"] < 1e-9
assert of_z[0, 1] < -0.2  # of section 1, at 45°: it leans as in Figure 7.1


def by_encoder(W, variances):
    """Loss / β from squared error and KL of the best encoder: a second route."""
    V = torch.linalg.solve(precision(W, level), W.T / level).T
    var = 1 / precision(W, level).diagonal()
    rest = torch.eye(2, dtype=W.dtype) - W @ V.T
    error = torch.trace(rest @ torch.diag(variances) @ rest.T)
    error = error + (var * W.square().sum(0)).sum()
    signal = (V.square() * variances[:, None]).sum(0)
    kl = 0.5 * (signal + var - 1 - var.log())
    return error / (2 * level) + kl.sum()


aligned = by_encoder(turned(best_gains, 0), variances)
for degrees in (15, 30, 45):
    extra = by_encoder(turned(best_gains, degrees), variances) - aligned
    assert abs(extra - rows[0][f"{degrees}°"]) < 1e-9

# %% [markdown]
# ## 3. Compute the price with the gains readjusted
#
# A training would not keep the gains of a turned decoder. It would accept a larger $-\log p(x)$ for a smaller gap. So compute the least loss over the gains at every angle. At 45° there is a formula for it:
#
# $$ \text{extra loss}/\beta = \log \frac{(\sqrt{t_1} + \sqrt{t_2})^2}{4 \sqrt{t_1 t_2}} . $$
#
# <details><summary>The steps</summary>
#
# Let the model give the two components the variances A and B, in units of η. Then $-\log p(x)$ is, on average over the data and up to a constant, $\tfrac12(\log AB + t_1/A + t_2/B)$. At 45° both diagonal entries of Λ are $(A + B)/2$, and its determinant is $AB$, so the gap is $\tfrac12 \log\left((A + B)^2/4AB\right)$. In the sum $\log AB$ cancels:
#
# $$ \tfrac12\left(\frac{t_1}{A} + \frac{t_2}{B}\right) + \log \frac{A + B}{2} . $$
#
# The derivatives vanish where $t_1/A^2 = t_2/B^2 = 2/(A+B)$. So $A : B = \sqrt{t_1} : \sqrt{t_2}$ and $A + B = \tfrac12(\sqrt{t_1} + \sqrt{t_2})^2$, where the first term is 1. Unturned, the loss is $1 + \tfrac12 \log t_1 t_2$. The difference is the formula.
#
# </details>
#
# At other angles an optimiser finds the gains. `best_loss` is the equation of section 1, $-\log p(x)$ plus the gap.


# %%
def best_loss(W, variances, level):
    """Loss / β of a linear decoder, up to a constant, with the best posterior."""
    of_x = W @ W.T + level * torch.eye(len(W), dtype=W.dtype)
    misfit = torch.trace(torch.linalg.solve(of_x, torch.diag(variances)))
    return 0.5 * (torch.logdet(of_x) + misfit) + gap(precision(W, level))


def descend(start, loss):
    """Where L-BFGS ends, from a start."""
    free = start.clone().requires_grad_()
    settings = {"max_iter": 1000, "tolerance_grad": 1e-9}
    settings["line_search_fn"] = "strong_wolfe"
    optimizer = torch.optim.LBFGS([free], **settings)

    def closure():
        optimizer.zero_grad()
        value = loss(free)
        value.backward()
        return value

    optimizer.step(closure)
    return free.detach()


def readjust(gains, degrees, variances, level):
    """The gains with the least loss at this angle."""
    return descend(gains, lambda g: best_loss(turned(g, degrees), variances, level))


angles = list(range(0, 91, 5))
prices = {}
for pair in ((8.0, 1.0), (8.0, 4.0)):
    these = torch.tensor(pair, dtype=torch.float64)
    start = (these - level).sqrt()
    least = best_loss(torch.diag(start), these, level)
    kept, readjusted = [], []
    for degrees in angles:
        new = readjust(start, degrees, these, level)
        of_kept = best_loss(turned(start, degrees), these, level)
        of_new = best_loss(turned(new, degrees), these, level)
        kept.append((of_kept - least).item())
        readjusted.append((of_new - least).item())
    prices[f"{pair[0]:.0f} and {pair[1]:.0f}"] = kept, readjusted
figures.turning_prices(angles, prices)
plt.show()

# %% [markdown]
# *Figure 7.2. What a turned code costs. Blue circles: variances 8 and 1. Orange squares: 8 and 4. Solid: gains kept. Dashed, open marks: gains readjusted.*
#
# **What you should see.** Readjusting saves about half of the price at 45°. The price is zero only at 0° and at 90°, where the two latents have changed places.
#
# A **saddle** is a point where the slope is zero but the loss falls in some direction. The decoder with the best gains at 45° is a saddle of the loss over all four entries of W, so a training near it moves on. The unturned decoder is the best of all: no W gives the data a larger mean $\log p(x)$ (Tipping and Bishop 1999), and it has no gap.
#
# What is said above, checked:

# %% tags=["checks"]
for pair, (kept, readjusted) in zip(((8, 1), (8, 4)), prices.values(), strict=True):
    t1, t2 = pair[0] / level, pair[1] / level
    formula = math.log((t1**0.5 + t2**0.5) ** 2 / (4 * (t1 * t2) ** 0.5))
    assert abs(readjusted[9] - formula) < 1e-6
    assert 0.45 < readjusted[9] / kept[9] < 0.6
    assert (np.diff(readjusted)[:9] > -1e-9).all()  # it rises up to 45°
    assert all(b < a + 1e-9 for a, b in zip(kept, readjusted, strict=True))
    assert abs(readjusted[0]) < 1e-9 and abs(readjusted[-1]) < 1e-6
    these = torch.tensor(pair, dtype=torch.float64)
    start = (these - level).sqrt()
    least = best_loss(torch.diag(start), these, level)
    new = readjust(start, 45, these, level)

    def loss_of(W):
        return best_loss(W, these, level)  # noqa: B023

    saddle = turned(new, 45)
    assert torch.autograd.functional.jacobian(loss_of, saddle).norm() < 1e-3
    hessian = torch.autograd.functional.hessian(loss_of, saddle).reshape(4, 4)
    assert torch.linalg.eigvalsh(hessian)[0] < -0.01
    # no decoder is better than the unturned one: neither near it nor anywhere
    generator = torch.Generator().manual_seed(0)
    for _ in range(500):
        noise = torch.randn(2, 2, generator=generator, dtype=torch.float64)
        assert loss_of(torch.diag(start) + 0.01 * noise) > least
        assert loss_of(3 * noise) > least
for degrees in (15, 45):  # equal variances: free at every angle, gains or no gains
    these = torch.tensor([4.0, 4.0], dtype=torch.float64)
    start = (these - level).sqrt()
    least = best_loss(torch.diag(start), these, level)
    new = readjust(start, degrees, these, level)
    assert abs(best_loss(turned(new, degrees), these, level) - least) < 1e-9

# %% [markdown]
# ### Free all entries of the decoder
#
# Take the six components of [chapter 2](02_awgn_channel.ipynb), with the variances 8, 4, 4, 1.5, 0.6 and 0.2, and a water level of 0.25. Five variances are above it. The second and third are equal: our control. All 36 entries of W begin at random, from three seeds. A component's *share* of a column of W is its squared entry over the column's squared length. A column is *straight* if one component has more than 0.99 of it. How many of the five active ones will be?

# %%
my_columns = None  # of the five active columns, how many? put your number here

# %% tags=["nbval-ignore-output"]
six = torch.tensor([8.0, 4.0, 4.0, 1.5, 0.6, 0.2], dtype=torch.float64)
rows = []
for seed in range(3):
    generator = torch.Generator().manual_seed(seed)
    start = 0.3 * torch.randn(6, 6, generator=generator, dtype=torch.float64)
    W = descend(start, lambda W: best_loss(W, six, 0.25))
    columns = W[:, W.norm(dim=0) > 0.1]  # of the active latents
    share = columns.square() / columns.square().sum(0)
    straight = int((share.amax(0) > 0.99).sum())
    order = share.argmax(0).argsort()
    largest = [f"{value:.2f}" for value in share.amax(0)[order].tolist()]
    row = {"seed": seed, "active": columns.shape[1], "straight": straight}
    rows.append({**row, "largest share of a component": " ".join(largest)})
table(rows)
compare(
    "columns along one component, seed 0", my_columns, rows[0]["straight"], digits=0
)

# %% [markdown]
# **What you should see.** On three seeds of three, three columns are straight: they lie along the components of variance 8, 1.5 and 0.6. The other two mix the equal pair by an angle that depends on the start, because no angle is cheaper.
#
# **What would falsify it.** A mixed column among the three, or an equal pair that comes out straight on every seed.

# %% tags=["checks"]
for row in rows:
    assert row["active"] == 5 and row["straight"] == 3
equal = share[1] + share[2]  # the pair's common part in every column, last seed
assert (torch.stack([share[0], equal, *share[3:]]).amax(0) > 0.99).all()

# %% [markdown]
# ## 4. Drag the ellipse
#
# Run the cell. Left: the tilted true posterior and its best diagonal (axis-aligned) fit. Middle: the same after the gains have readjusted. Right: both prices at every angle. The sliders set the variances of the true posterior, $1/t_1$ and $1/t_2$. The stored picture is the left panel.

# %% tags=["nbval-ignore-output"]
TiltedEllipseExplorer()

# %% [markdown]
# Tasks: (1) Leave the variances at 0.08 and 0.6. At which angle does a diagonal posterior cost most, and how much? (2) Can you make every angle free?
#
# <details><summary>What you should have found</summary>
#
# (1) At 45°. It costs 0.44 nats, and 0.24 after the gains have readjusted. (2) Yes: with two equal variances the ellipse is a circle.
#
# </details>

# %% tags=["checks"]
t1, t2 = 1 / 0.08, 1 / 0.6
assert abs(0.5 * math.log1p((t1 - t2) ** 2 / (4 * t1 * t2)) - 0.44) < 0.005
after = math.log((t1**0.5 + t2**0.5) ** 2 / (4 * (t1 * t2) ** 0.5))
assert abs(after - 0.24) < 0.005

# %% [markdown]
# ## 5. Find what aligns the blob, whose variances are equal
#
# The x and y of a blob have equal variances. The linear model says that turning them is free. But networks turned to x and y. What did the linear model leave out?
#
# It has *one* posterior covariance for all pictures. A network has one for every picture. Think of a blob near the right side of the square. Beyond the side there are no blobs, so its posterior may be wide *across* the side (along x) with little risk of confusion. *Along* the side it has neighbours in both directions, so there it should be narrower. Its best shape is an ellipse, wider along x than along y. A diagonal covariance can take that shape only if the latents are x and y.
#
# So x and y are alike on average, but not at every place. (If the experiment bears it out, this answers the second puzzle.) The hypothesis fails if a diagonal posterior prefers no angle, or another one. There are two controls: one σ for both latents, so that every posterior is a circle, and a full covariance, so that it is an ellipse of any tilt. A turned circle is a circle, and a turned tilted ellipse is a tilted ellipse. So either code can turn at no cost: all angles must have the same loss.
#
# ### Ask the loss, without a network
#
# A network might have preferences of its own, so leave it out. Give each of 169 positions of the blob its own Gaussian posterior, with free mean and widths. Use the optimal decoder of [chapter 3](03_posterior_overlap.ipynb). At each z it draws the mean picture under its belief, and its reconstruction is the entropy of what it draws.
#
# <details><summary>Why the entropy?</summary>
#
# At one z the decoder draws $p = \mathbb E[x \mid z]$. The loss of a pixel is $-x \log p - (1 - x) \log(1 - p)$. It is linear in x, so its mean under the belief is $-p \log p - (1 - p) \log(1 - p)$: the entropy of $p$.
#
# </details>
#
# The reconstruction is the mean of this entropy under q(z), a sum over a grid of z. The KL has a closed form:

# %%
spacing = 0.3
line = spacing * torch.arange(-20, 21, dtype=torch.float64)
z_grid = torch.cartesian_prod(line, line)  # two latents from −6 to 6
prior = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())


def exact_terms(posterior, pictures):
    """Reconstruction under the best decoder, and KL, in nats."""
    log_q = posterior.log_prob(z_grid[:, None])  # (places of z, pictures)
    drawn = (torch.softmax(log_q, 1) @ pictures).clamp(1e-6, 1 - 1e-6)
    entropy = F.binary_cross_entropy(drawn, drawn, reduction="none").sum(1)
    nll = (log_q.exp().mean(1) * entropy).sum() * spacing**2
    return nll, kl_divergence(posterior, prior).mean()


# %% [markdown]
# Three families of posteriors, the diagonal one and the two controls. Each covariance is a lower triangular matrix (`scale_tril`) times its transpose, so every choice of entries is allowed:


# %%
def gaussians(means, shape, family):
    """Posteriors of means (n, 2) and shapes (n, 3): two log widths and a tilt."""
    first, second, tilt = shape.unbind(1)
    if family == "one σ":
        second = first
    if family != "full":
        tilt = torch.zeros_like(tilt)
    entries = [first.exp(), torch.zeros_like(tilt), tilt, second.exp()]
    triangles = torch.stack(entries, 1).view(-1, 2, 2)
    return MultivariateNormal(means, scale_tril=triangles, validate_args=False)


# %% [markdown]
# Start the codes turned by some angle, and let L-BFGS descend to a minimum. The pictures are [chapter 4](04_blob_position.ipynb)'s, drawn on 16 × 16 pixels in place of 64 × 64. A sixteenth of the pixels has a sixteenth of the reconstruction, so β is divided by 16 too, and the final loss is multiplied by 16. β is 100, because at 150 the effect is smaller (section 6).


# %%
def settle(data, positions, beta, degrees, family="diagonal"):
    """Let codes settle, started `degrees` off: loss, the first axis's angle, codes.

    The pictures are a quarter as wide; the loss is in nats of the full size.
    """
    pictures = data.render(positions).flatten(1)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    centred = (positions - positions.mean(0)) / positions.std()
    means = (0.8 * centred @ rotation).requires_grad_()
    shape = torch.tensor([-0.6, -0.6, 0.0]).double().repeat(len(means), 1)
    shape.requires_grad_()
    settings = {"max_iter": 300, "history_size": 20, "tolerance_grad": 1e-5}
    settings["line_search_fn"] = "strong_wolfe"
    optimizer = torch.optim.LBFGS([means, shape], **settings)

    def closure():
        optimizer.zero_grad()
        nll, kl = exact_terms(gaussians(means, shape, family), pictures)
        loss = nll + beta / 16 * kl
        loss.backward()
        return loss

    optimizer.step(closure)
    slope = torch.linalg.lstsq(centred, means.detach()).solution[:, 0]
    angle = math.degrees(math.atan2(slope[1], slope[0]))
    codes = gaussians(means.detach(), shape.detach(), family)
    return 16 * closure().item(), angle, codes


# %% [markdown]
# The loss will be about 800 nats. How much more will 45° cost than 0°, with a diagonal posterior?

# %%
my_price = None  # nats; put your number here

# %%
square = Blobs(7 / 4, margin=8 / 4, size=16)
side = 2 + 12 * (torch.arange(13, dtype=torch.float64) + 0.5) / 13
places = {"square": torch.cartesian_prod(side, side)}

settled, rows = {}, []
starts = {"one σ": (0, 20, 45), "full": (0, 20, 45), "diagonal": (0, 20, 44, 45)}
for family in starts:
    for degrees in starts[family]:
        loss, angle, codes = settle(square, places["square"], 100, degrees, family)
        settled[family, degrees] = {"loss": loss, "angle": angle, "codes": codes}
        row = {"posterior": family, "start": f"{degrees}°"}
        rows.append({**row, "end": f"{abs(angle):.0f}°", "loss": loss})
table(rows, digits=1)
price = settled["diagonal", 45]["loss"] - settled["diagonal", 0]["loss"]
compare("45° costs more than 0° by", my_price, price, "nats", digits=1)

# %%
some = torch.arange(169).view(13, 13)[::3, ::3].flatten()  # every third place
panels = {}
for family, degrees in (("diagonal", 0), ("diagonal", 45), ("full", 45)):
    codes = settled[family, degrees]["codes"]
    title = f"{family}, {degrees}°: {settled[family, degrees]['loss']:.1f} nats"
    panels[title] = codes.loc[some], codes.scale_tril[some]
figures.settled_codes(panels)
plt.show()

# %% [markdown]
# *Figure 7.3. The settled posteriors (blue, one standard deviation wide) of 25 of the positions, and their means (orange dots), in the plane of the two latents. A turned code shows the square of positions turned. Left: diagonal, along x and y. Middle: diagonal, turned by 45°. Right: full covariance, turned by 45°.*
#
# **What you should see.** With one σ, or with a full covariance, all three starts end with the same loss, and within about a degree of the angle where they began. With a diagonal covariance the starts at 0°, 20° and 44° all end at 0°, and 45° costs 1.3 nats more. The right panel shows why: near the sides of the turned square the best ellipses are tilted, and a diagonal posterior (middle) cannot tilt. On the left it need not: at 0° a full covariance is better by only 0.02 nats.
#
# So a diagonal covariance aligns the latents with the straight sides of the square. Near a side the best widths along x and y differ, and there a turned code pays the price of section 2.
#
# Exactly 45° is a saddle like that of section 3. The preference is weak, 1.3 nats of more than 800.
#
# What is said above, checked:

# %% tags=["checks"]
losses = {key: found["loss"] for key, found in settled.items()}
ends = {key: found["angle"] for key, found in settled.items()}
for family, scatter in (("one σ", 0.002), ("full", 0.005)):
    of_family = [losses[family, degrees] for degrees in (0, 20, 45)]
    assert max(of_family) - min(of_family) < scatter  # no angle costs more
    assert all(abs(ends[family, start] - start) < 1.5 for start in (0, 20, 45))
for degrees in (0, 20, 44):
    assert abs(ends["diagonal", degrees]) < 0.5
    assert abs(losses["diagonal", degrees] - losses["diagonal", 0]) < 0.002
assert ends["diagonal", 45] > 44.9 and 1.2 < price < 1.35
assert 0 < losses["diagonal", 0] - losses["full", 0] < 0.04
assert 800 < losses["diagonal", 0] < 830
std = settled["diagonal", 0]["codes"].stddev.view(13, 13, 2)
across, along = std[0, 6]  # at the middle of a side
assert across > 1.8 * along and abs(std[6, 6, 0] - std[6, 6, 1]) < 0.01

# %% [markdown]
# ## 6. Change the set of positions and predict the axes
#
# If the sides turn the code, then a **diamond**, the square turned by 45°, must turn it to 45°. A **disc** has no straight sides and must leave it where it is.
#
# The disc needs one more control, because the canvas is a square too. It cuts off part of a blob near its edge, and the disc is nearer to the edge along x and y than along the diagonals. So take the same disc and blob also on a larger canvas, which cuts off nothing. The *inner disc* is for the networks of section 7. Its blob is narrower and farther from the edge. Its collapse threshold is lower too, so β is 55, about the same share of the threshold as for the disc.
#
# The table says where a code ends that starts at 20°, and how much more 45° costs than 0°.

# %%
places["diamond"] = 8 + (places["square"] - 8) @ torch.tensor(
    [[0.5, 0.5], [-0.5, 0.5]], dtype=torch.float64
)  # turned and shrunk, to fit into the square
rings = []
for k in range(5):  # rings of equal area per place, the same after 45°
    count, radius = 8 * (2 * k + 1), math.sqrt(k * k + k + 0.5) / 5
    turns = torch.arange(count, dtype=torch.float64) / count * 2 * math.pi
    rings.append(radius * torch.stack([turns.cos(), turns.sin()], 1))
disc = torch.cat(rings)  # of radius 1

cases = {
    "square": (square, places["square"], 100),
    "square, β = 150": (square, places["square"], 150),
    "diamond": (square, places["diamond"], 100),
    "diamond, β = 150": (square, places["diamond"], 150),
    "disc": (square, 8 + 6 * disc, 100),
    "disc, larger canvas": (Blobs(7 / 4, margin=6, size=24), 12 + 6 * disc, 100),
    "inner disc, β = 55": (Blobs(5 / 4, margin=4, size=16), 8 + 4 * disc, 55),
}
ends_at, widths, cost, rows = {}, {}, {}, []
for name, (blobs, positions, beta) in cases.items():
    _, ends_at[name], codes = settle(blobs, positions, beta, 20)
    widths[name] = codes.stddev.mean().item()
    turned_loss = settle(blobs, positions, beta, 45)[0]
    cost[name] = turned_loss - settle(blobs, positions, beta, 0)[0]
    row = {"positions": name, "20° ends at": f"{abs(ends_at[name]):.0f}°"}
    rows.append({**row, "45° costs more by": round(cost[name], 1) + 0.0})
table(rows, digits=1)

# %% [markdown]
# **What you should see.** The square turns the code to 0°. The diamond turns it to 45°, which is *cheaper* there (the third puzzle). A diamond's positions vary less, so its collapse threshold is lower. At β = 150 its posteriors are wider, and only 0.2 nats are left.
#
# The disc turns the code to x and y as well, for a fifth of a nat. On the larger canvas no blob is cut off, 45° costs no more than 0°, and the code stays at 20°. So the disc's preference came from the edge of the canvas. On the inner disc, too, the loss has no preference.
#
# What is said above, checked:

# %% tags=["checks"]
for name in ("square", "square, β = 150", "disc"):
    assert abs(ends_at[name]) < 0.5
assert min(ends_at["diamond"], ends_at["diamond, β = 150"]) > 44.5
assert 0.9 < cost["square, β = 150"] < 1.1 and -1.05 < cost["diamond"] < -0.85
assert -0.3 < cost["diamond, β = 150"] < -0.15 and 0.15 < cost["disc"] < 0.3
assert widths["diamond, β = 150"] > 1.1 * widths["diamond"]
for name in ("disc, larger canvas", "inner disc, β = 55"):
    assert abs(ends_at[name] - 20) < 0.5 and abs(cost[name]) < 0.002

full_size = {
    "square": Blobs(7, 8),
    "diamond": Blobs(7, 8, "diamond"),
    "disc": Blobs(7, 8, "disc"),
    "inner disc": Blobs(5, 16, "disc"),
}
threshold = {}
for name, dataset in full_size.items():
    pictures, _ = dataset.sample(1000, torch.Generator().manual_seed(0))
    threshold[name] = collapse_threshold(pictures)
assert threshold["diamond"] < 0.95 * threshold["square"]
assert threshold["inner disc"] < threshold["disc"]
assert abs(100 / threshold["disc"] - 55 / threshold["inner disc"]) < 0.06

# the canvas cuts more light off at the disc's sides than at its diagonals
reach = 24 / 2**0.5
around = 32 + torch.tensor([[0.0, 0.0], [24.0, 0.0], [reach, reach]])
light = full_size["disc"].render(around).sum((1, 2, 3))
at_side, at_diagonal = light[1] / light[0], light[2] / light[0]
assert at_side < 0.95 * at_diagonal

# %% [markdown]
# ## 7. Test it on trained networks
#
# A preference so weak should act *slowly*, long after both latents have become active. The recorded trainings of [chapter 4](04_blob_position.ipynb) have snapshots. At each, fit a plane to the means of a latent over all positions. The direction in which it rises is the latent's axis. How far is the worse axis from x and y?


# %%
def off(angle):
    """Distance of an axis from the nearer of x and y, in degrees: 0 to 45."""
    return abs((angle + 45) % 90 - 45)


def active_axes(run, step=None):
    """Directions of the active latents in degrees: 0 is along x, 90 along y."""
    active = torch.from_numpy(run.mean_kl()) > metrics.ACTIVE
    directions = metrics.axis_angles(run.model(step), run.experiment.dataset)
    return directions[active].tolist()


first = Run.load(f"{RUNS}/blobs-beta150-seed0.h5")
late = Run.load(f"{RUNS}/blobs-beta150-long-seed1.h5")
rows = []
for run, steps in ((first, (500, 2_000, 10_000)), (late, (2_000, 10_000, 30_000))):
    for step in steps:
        worse = max(off(angle) for angle in active_axes(run, step))
        rows.append({"seed": run.seed, "step": step, "degrees off": f"{worse:.0f}"})
table(rows)

# %% [markdown]
# **What you should see.** At step 500 seed 0 already has two active latents, but they are 24° off. They turn over thousands of steps. Seed 1 at step 2,000 lies almost exactly on the diagonals, where section 5 found a saddle. At 10,000 steps it has turned by only 8°; at 30,000 it is aligned.
#
# Now the other sets of positions. β is 150 on the square, 100 on the diamond and the disc, and 55 on the inner disc. The table has the mean over a run's two axes. On how many of three seeds will the diamond's axes be within 8° of the diagonals?

# %%
my_diamonds = None  # of three seeds; put your number here

# %%
names = {"square": ("beta150", 5), "diamond": ("diamond", 3)}
names |= {"disc": ("disc", 2), "inner disc": ("inner-disc", 5)}
directions, domains, distances, rows = {}, {}, {}, []
for title, (name, seeds) in names.items():
    runs = [Run.load(f"{RUNS}/blobs-{name}-seed{seed}.h5") for seed in range(seeds)]
    domains[title] = runs[0].experiment.dataset
    directions[title] = [active_axes(run) for run in runs]
    distances[title] = [
        np.mean([off(a) for a in pair]) for pair in directions[title]
    ]
    listed = ", ".join(f"{degrees:.0f}°" for degrees in distances[title])
    rows.append({"positions": title, "from x or y, by seed": listed})
table(rows)
diagonal = sum(degrees > 37 for degrees in distances["diamond"])
compare("diamonds on the diagonals", my_diamonds, diagonal, "of 3", digits=0)

# %%
figures.compass(directions, domains)
plt.show()

# %% [markdown]
# *Figure 7.4. The directions in which the means of the two active latents rise, drawn across the set of positions (grey), a colour and a dash pattern for every seed.*
#
# **What you should see.** The square's axes are x and y on four seeds of five; the fifth is the late seed 1. The diamond's are the diagonals on two seeds of three. The third stands at 26° after 10,000 steps; we did not train it longer. On the disc (two seeds) the axes lie close to x and y, as section 6 predicts for a canvas that cuts blobs off.
#
# **Is it the loss, or the network?** On the inner disc the loss has no preference. Still four seeds of five ended within 11° of x and y. If all angles were equally likely, four or more would do so in 1.4 % of cases, but we chose the 11° after looking. So networks may prefer x and y by themselves (exercise 7.5), and the disc's two seeds prove nothing. The diamond is the test: its loss prefers the diagonals, which such a network would not.
#
# **What would falsify it.** A long training on the diamond whose axes stay along x and y. For the mechanism: a full covariance that lowers the loss at 0° as much as at 45°, or a code on the larger canvas that turns.
#
# What is said above, checked. On the square's four aligned seeds the networks' posteriors, too, are wider across a side than along it:

# %% tags=["checks"]
seen = {}
for run, steps in ((first, (500, 2_000, 10_000)), (late, (2_000, 10_000, 30_000))):
    for step in steps:
        seen[run.seed, step] = max(off(angle) for angle in active_axes(run, step))
assert abs(seen[0, 500] - 24) < 1 and seen[0, 2_000] > 10 and seen[0, 10_000] < 6
assert seen[1, 2_000] > 43 and abs(seen[1, 2_000] - seen[1, 10_000] - 8) < 1
assert seen[1, 30_000] < 10

for pairs in directions.values():
    assert all(len(pair) == 2 for pair in pairs)
assert (
    sum(degrees < 10 for degrees in distances["square"]) == 4
)  # the fifth: seed 1
assert distances["square"][1] > 10
assert diagonal == 2 and abs(min(distances["diamond"]) - 26) < 1
assert max(distances["inner disc"]) > 25 and np.ptp(distances["inner disc"]) > 15
assert sum(degrees < 11 for degrees in distances["inner disc"]) == 4
chance = 11 / 45  # of one seed, if its angle is uniform from 0 to 45°
assert abs(5 * chance**4 * (1 - chance) + chance**5 - 0.014) < 0.0005
assert max(distances["disc"]) < 10

sides = torch.tensor([[8.0, 32.0], [56.0, 32.0], [32.0, 8.0], [32.0, 56.0]])
for seed in (0, 2, 3, 4):
    run = Run.load(f"{RUNS}/blobs-beta150-seed{seed}.h5")
    model, data = run.model(), run.experiment.dataset
    latents = metrics.correlations(model, data).abs().argmax(0)  # of x, of y
    with torch.no_grad():
        sigma = model.encode(data.render(sides))[1].exp()[:, latents]
    across, along = sigma[range(4), [0, 0, 1, 1]], sigma[range(4), [1, 1, 0, 0]]
    assert across.min() > 1.2 * along.max()

# %% [markdown]
# ## 8. The paper and this chapter, side by side

# %%
same = 0.0
for family in ("one σ", "full"):
    of_45, of_0 = (settled[family, degrees]["loss"] for degrees in (45, 0))
    same = max(same, abs(of_45 - of_0))
near, far = sorted(distances["square"]), sorted(distances["diamond"])
print("what aligns x and y")
print("   paper: the diagonal posterior, for factors that contribute differently")
print(f"   here: 45° costs {price:.1f} nats, ", end="")
print(f"{same:.1f} with one σ or a full covariance")
print("axes of trained networks")
print("   paper: x and y, by eye")
print(f"   here: {near[0]:.0f} to {near[3]:.0f}° from x and y on 4 squares of 5,")
print(f"         {far[1]:.0f} and {far[2]:.0f}° on 2 diamonds of 3")

# %% [markdown]
# ## 9. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns. Solutions are in
# [solutions/07_why_these_axes](solutions/07_why_these_axes.ipynb).
#
# **7.1** (easy, 3 min) Two components have the variances 12 and 2, the water level is 1. What does turning the code by 45° cost with the gains kept, in nats of loss/β? *Hint: section 2.*

# %%
answer = None
check("7.1", answer)

# %% [markdown]
# **7.2** (medium, 10 min) Write `misfit(covariance)`: what the best diagonal Gaussian misses of a Gaussian posterior of this covariance matrix (n, n), in nats. *Hint: section 2 has it in the precision matrix. Mind that the diagonal of an inverse is not the inverse of the diagonal.*

# %%
answer = None  # def answer(covariance): ...
check("7.2", answer)

# %% [markdown]
# **7.3** (medium, 20 min) Write `angle(positions, means)`: the direction in degrees, in (−90, 90], along which one latent's mean rises fastest; `positions` (n, 2) with columns x, y, `means` (n,). 0 is along x, 90 along y. *Hint: fit a plane by least squares. On a tilted set of positions x and y are correlated, so two separate correlations will not do.*

# %%
answer = None  # def answer(positions, means): ...
check("7.3", answer)

# %% [markdown]
# **7.4** (hard, 30 min) The formula of section 3 holds at 45° only. Write `price(variances, level, degrees)` for any angle ω: the least loss/β of a decoder $\operatorname{diag}(g_1, g_2)\, R(\omega)^\top$ over both gains, minus that of the best decoder. `variances` (2,) are $\lambda_1, \lambda_2$, `level` is η. Of the price with the gains kept, where does readjusting save the larger share, at 10° or at 45°? *Hint: `best_loss` gives the loss of any decoder; two gains are few enough for `scipy.optimize.minimize`, or for a fine grid.*

# %%
answer = None  # def answer(variances, level, degrees): ...
check("7.4", answer)

# %% [markdown]
# **7.5** (open, an hour of computing) Do networks prefer x and y by themselves, because the filters of their convolutions lie along rows and columns? Train `blobs-inner-disc` with ten more seeds (6 minutes each). Test whether the distances from x and y are uniform between 0 and 45°.

# %% [markdown]
# ## Summary
#
# - A turned code draws the same pictures and has the same prior. Only the gap changes, because a diagonal posterior cannot tilt.
# - In a linear model the price of turning depends on how different the variances are. Between equal ones it is zero.
# - On the blob's square the loss still prefers x and y, because near a straight side the best posterior is wider across the side than along it. At β = 100, 45° costs 1.3 nats with a diagonal covariance (1.0 at β = 150), and nothing with one σ or a full covariance.
# - Trained networks follow slowly: after 10,000 steps on four seeds of five for the square, and on two of three for the diamond. The square's fifth, which began near the saddle, is aligned after 30,000 steps.
#
# **Readings.** Burgess et al. 2018, section 4.3. Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*. Lucas et al. 2019, *Don't blame the ELBO!*, for the linear theory. Tipping and Bishop 1999, *Probabilistic principal component analysis*. Locatello et al. 2019, for why data without structure cannot be disentangled.
