# %% [markdown]
# # Chapter 1 · Derive the ELBO, and train a VAE with it
#
# A **variational autoencoder** (VAE) describes a picture $x$ by a few numbers $z$, its **latents**. It consists of two networks.
#
# - The **encoder** reads a picture and returns a Gaussian distribution over z, the **posterior** $q(z \mid x)$, with mean μ and standard deviation σ.
# - The **decoder** reads a z and returns a distribution over pictures, $p(x \mid z)$. Its mean is the picture that it *draws*.
#
# Before any picture is seen, z has the **prior** $p(z)$, a standard normal distribution. This course reproduces Burgess et al. (2018), *Understanding disentangling in β-VAE*, called "the paper" from here on.

# %%
import copy
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from minivae import gaussian
from minivae.collapse import collapse_threshold
from minivae.course import figures
from minivae.course.cells import compare, table
from minivae.course.checks import check
from minivae.course.explorers import ElboExplorer
from minivae.datasets import Blobs
from minivae.objectives import bernoulli_floor, bernoulli_nll
from minivae.vae import VAE

blob = Blobs(sigma=7).render(torch.tensor([[38.0, 26.0]]))[0, 0]
figures.vae_diagram(blob)
plt.show()

# %% [markdown]
# *Figure 1.1. A β-VAE, from left to right: a picture x, the encoder, the posterior, a sample z of it made with noise ε, the decoder, and the picture that it draws. Orange: the two terms of the loss.*
#
# The loss has two terms. The **reconstruction** $-\log p(x \mid z)$ says how badly the decoder predicts the picture from a sample of z. The **KL divergence** $\mathrm{KL}(q \Vert p) = \mathbb E_q[\log (q/p)]$, a mean over z drawn from q, says how far the posterior is from the prior. It is never negative, and it is zero only if the two are equal. A **β-VAE** multiplies the KL by a number β, and β = 1 is the plain VAE. Logarithms are natural, so both terms are in **nats** (1 nat is 1.44 bits).
#
# **By the end you will have shown that**
#
# 1. $\log p(x)$, the log-likelihood of a picture, is the **ELBO** ("evidence lower bound") plus a gap that is never negative. At β = 1 the loss is minus the ELBO;
# 2. gradients reach the encoder through a sample $z = \mu + \sigma\varepsilon$, because it is differentiable in μ and σ. The older score-function gradient has the same mean and a larger variance;
# 3. a small VAE finds the one number that its pictures were made from, without being told it;
# 4. the encoder's q has a slightly lower ELBO than the best q of each picture (the **amortisation gap**). Nearly all of this gap is noise of the optimiser's last steps;
# 5. a mean over pixels in place of a sum multiplies β by the number of pixels. On our VAE this switches the latent off (its KL is 0), and a threshold that is known before training predicts it.
#
# **You need** calculus, Gaussian densities, a little PyTorch. **Time:** 45 minutes to read, 38 for exercises, 1 of CPU.
#
# ## A puzzle before we start
#
# - You improve q, and the ELBO rises by 0.3 nats. By how much does log p(x) rise?
# - A perfect autoencoder draws every grey picture exactly. Is its binary cross-entropy 0?
# - On pictures of 64 × 64 pixels, a colleague sums the KL over latents but uses `F.binary_cross_entropy(..., reduction="mean")` and "β = 1". What is the colleague's β?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $x$, $z$ | a picture (in sections 1 and 2 a number), its latent | – |
# | $p(z)$, $p(x \mid z)$ | prior $\mathcal N(0, 1)$, decoder | – |
# | $p(x)$ | marginal likelihood, or evidence: the density of x under the model | – |
# | $p(z \mid x)$ | true posterior: what Bayes' rule says about z once x is seen | – |
# | $q(z \mid x)$, $q$ | the Gaussian $\mathcal N(\mu, \sigma^2)$ that approximates the true posterior | – |
# | $\varepsilon$ | standard normal noise | – |
# | $\hat x$ | mean of $p(x \mid z)$: the picture that is drawn | – |
# | ELBO | $\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \Vert p(z))$ | nats |
# | gap | $\log p(x) - \mathrm{ELBO}$ | nats |
# | β | price of a nat of KL in the loss | nats per nat |
#
# ## 1. Where the bound comes from
#
# We want a decoder that makes our pictures likely, so $p(x) = \int p(x \mid z)\, p(z)\, dz$ should be large. This integral runs over all z. With a network as decoder it has no closed form, and with ten latents a grid has too many points.
#
# Bayes' rule gives another way. For *every* z, $p(x) = p(x \mid z)\, p(z) / p(z \mid x)$. Now bring in any density $q(z \mid x)$, one for each picture. Take the logarithm, and add and subtract $\log q$:
#
# $$ \log p(x) = \log p(x \mid z) - \log \frac{q(z \mid x)}{p(z)} + \log \frac{q(z \mid x)}{p(z \mid x)} . $$
#
# The left side does not depend on z, so an average over z drawn from q leaves it as it is. The right side becomes
#
# $$ \log p(x) = \underbrace{\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q \Vert p(z))}_{\text{ELBO}} + \underbrace{\mathrm{KL}(q \Vert p(z \mid x))}_{\text{gap}} . $$
#
# This is an identity. It gives a bound because the gap is a KL and no KL is negative, so $\log p(x) \ge \text{ELBO}$.
#
# <details><summary>Why a KL is never negative</summary>
#
# For every $t > 0$, $-\log t \ge 1 - t$, with equality only at $t = 1$. Put $t = p/q$ and average over q: $\mathbb E_q[\log (q/p)] \ge 1 - \mathbb E_q[p/q] \ge 1 - \int p = 0$. (The second step holds because $\mathbb E_q[p/q]$ integrates p only where $q > 0$.) The KL is zero only if $p = q$ wherever $q > 0$.
# </details>
#
# Each part of the ELBO can be computed: the decoder gives $\log p(x \mid z)$ at samples of q, and the KL between two Gaussians has a closed form. The gap needs the true posterior, which we do not have. But $\log p(x)$ does not depend on q, so **improving q cannot change log p(x)**: what the ELBO gains, the gap loses. Only a better decoder raises $\log p(x)$.
#
# For two Gaussians
#
# $$ \mathrm{KL}(\mathcal N(\mu_1, \sigma_1^2) \Vert \mathcal N(\mu_2, \sigma_2^2)) = \log\frac{\sigma_2}{\sigma_1} + \frac{\sigma_1^2 + (\mu_1 - \mu_2)^2}{2 \sigma_2^2} - \tfrac12, $$
#
# and against the prior this is $\tfrac12(\mu^2 + \sigma^2 - 1) - \log \sigma$.
#
# <details><summary>Where the formula comes from</summary>
#
# $\log \frac{q_1}{q_2} = \log \frac{\sigma_2}{\sigma_1} - \frac{(z - \mu_1)^2}{2\sigma_1^2} + \frac{(z - \mu_2)^2}{2\sigma_2^2}$. Average over $z \sim \mathcal N(\mu_1, \sigma_1^2)$: the second term gives $-\tfrac12$, and in the third $\mathbb E (z - \mu_2)^2 = \sigma_1^2 + (\mu_1 - \mu_2)^2$.
# </details>
#
# The library has both, as functions of log σ: `gaussian.kl_between` and `gaussian.kl_per_latent`.


# %%
def kl_gaussians(mean_1, std_1, mean_2, std_2):
    """KL(N(mean_1, std_1²) ‖ N(mean_2, std_2²)) in nats."""
    spread = (std_1**2 + (mean_1 - mean_2) ** 2) / (2 * std_2**2)
    return math.log(std_2 / std_1) + spread - 0.5


by_library = gaussian.kl_per_latent(torch.tensor(0.9), torch.tensor(0.6).log())
print(f"KL of N(0.9, 0.6²) to the prior: {kl_gaussians(0.9, 0.6, 0, 1):.4f} nats")
print(f"by the library: {by_library:.4f} nats")

# %% [markdown]
# ### First check: a model where everything is known
#
# Let $x = w z + s\,\varepsilon$, where z and ε are standard normal. Then $p(x) = \mathcal N(0, w^2 + s^2)$. The true posterior is Gaussian too, with mean $w x/(w^2+s^2)$ and variance $s^2/(w^2+s^2)$. So ELBO, gap and $\log p(x)$ can each be computed on its own. Of the three q below, the last is the true posterior.
#
# <details><summary>Why the posterior has this mean and variance</summary>
#
# As a function of z, $\log p(z) + \log p(x \mid z) = -\tfrac12 z^2 - (x - wz)^2 / 2s^2 + \text{const}$. This is a parabola, so the posterior is Gaussian. The factor of $-\tfrac12 z^2$ is $1 + w^2/s^2$, which is one over the variance. The parabola is highest at $z = wx/(w^2 + s^2)$.
# </details>

# %%
w, s, x = 1.5, 0.8, 2.0
total = w**2 + s**2
log_evidence = -0.5 * x**2 / total - 0.5 * math.log(2 * math.pi * total)
true_mean, true_std = w * x / total, s / math.sqrt(total)


def elbo_linear(mean, std):
    """E_q log N(x; wz, s²) − KL(q ‖ N(0, 1)), in closed form."""
    error = (x - w * mean) ** 2 + w**2 * std**2
    log_likelihood = -0.5 * error / s**2 - 0.5 * math.log(2 * math.pi * s**2)
    return log_likelihood - kl_gaussians(mean, std, 0, 1)


linear_rows = []
for mean, std in ((-1.0, 0.3), (0.9, 0.6), (true_mean, true_std)):
    elbo = elbo_linear(mean, std)
    gap = abs(kl_gaussians(mean, std, true_mean, true_std))  # 0, not −0
    row = {"mean of q": mean, "σ of q": std, "ELBO": elbo, "gap": gap}
    row |= {"sum": elbo + gap, "log p(x)": log_evidence}
    linear_rows.append(row)
table(linear_rows, digits=4)

# %% [markdown]
# The sum is the same for a bad q and for a good one, and it is $\log p(x)$. What is said above, checked:

# %% tags=["checks"]
assert abs(kl_gaussians(0.9, 0.6, 0, 1) - by_library) < 1e-6
numbers = -1.0, math.log(0.3), true_mean, math.log(true_std)
gap_by_library = gaussian.kl_between(*torch.tensor(numbers).double())
assert abs(gap_by_library - linear_rows[0]["gap"]) < 1e-6
for row in linear_rows:
    assert abs(row["sum"] - row["log p(x)"]) < 1e-6 and row["gap"] >= 0
assert linear_rows[2]["gap"] < 1e-9 < linear_rows[1]["gap"]

# %% [markdown]
# ### Second check: a model whose posterior is not Gaussian
#
# Now bend the decoder: $x = \tanh(1.5 z) + 0.2 z + 0.3\,\varepsilon$, and observe x = 0.9. The true posterior is no longer a Gaussian. But with one latent, a fine grid of z gives every average almost exactly.

# %%
observed = 0.9
grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64)


def log_joint(z):
    """log p(x, z) = log p(x | z) + log p(z) of the bent model at the observed x."""
    decoded = torch.tanh(1.5 * z) + 0.2 * z
    log_likelihood = -0.5 * ((observed - decoded) / 0.3) ** 2 - math.log(0.3)
    return log_likelihood - 0.5 * z**2 - math.log(2 * math.pi)


log_p = torch.trapezoid(log_joint(grid).exp(), grid).log()


def elbo_and_gap(mean, std):
    """ELBO and KL(q ‖ p(z|x)) of q = N(mean, std²), both as integrals over z."""
    log_q = gaussian.log_density(grid, mean, torch.log(std))
    log_posterior = log_joint(grid) - log_p
    elbo = torch.trapezoid(log_q.exp() * (log_joint(grid) - log_q), grid)
    gap = torch.trapezoid(log_q.exp() * (log_q - log_posterior), grid)
    return elbo, gap


# %% [markdown]
# Start with a bad q, and raise the ELBO by its gradient.

# %%
q_mean = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
q_log_std = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([q_mean, q_log_std], lr=0.05)
history = []
for step in range(300):
    elbo, gap = elbo_and_gap(q_mean, q_log_std.exp())
    optimizer.zero_grad()
    (-elbo).backward()
    optimizer.step()
    history.append({"step": step, "ELBO": elbo.item(), "gap": gap.item()})

table([history[i] for i in (0, 10, 30, 299)])
print(f"log p(x) = {log_p:.2f}")

# %% [markdown]
# The ELBO rises to within 0.1 nats of $\log p(x)$, and the gap falls by as much. What is said above, checked:

# %% tags=["checks"]
for row in history:
    # the sum is log p(x) by algebra: what can fail here is the sign
    assert row["gap"] > 0 and abs(row["ELBO"] + row["gap"] - log_p) < 1e-8
assert 0.05 < history[-1]["gap"] < 0.1 < history[0]["gap"]  # no Gaussian fits

# %%
figures.elbo_gap(log_joint, mean=0.3, std=0.6)
plt.show()

# %% [markdown]
# *Figure 1.2. Left: the true posterior of the bent model (grey area) and the Gaussian q with mean 0.3 and σ 0.6 (blue line). Right: three bars that lead to log p(x). The blue bar goes from 0 down by the expected log-likelihood, the green one further down by the KL to the prior, to the ELBO (dotted line). The orange bar is the gap, and leads up to log p(x) (dashed line).*
#
# **What you should see.** Whatever q you take, the orange bar ends at the dashed line. This answers the first puzzle: log p(x) does not rise at all. A q whose orange bar ends elsewhere would refute the identity. The optimiser above ended at a gap of 0.09 nats, not at 0, because no Gaussian has the shape of the grey area. Move q yourself:

# %% tags=["nbval-ignore-output"]
ElboExplorer(log_joint)

# %% [markdown]
# *Tasks.* (1) Find the q with the smallest gap. Is it wider or narrower than the grey curve? (2) Make σ tiny. Which of the two terms of the ELBO gets worse?
#
# <details><summary>What you should have found</summary>
#
# (1) Near mean 0.8 and σ 0.34, with a gap of 0.09 nats. No Gaussian has a smaller one, since the grey curve has a long tail to the right. This q is narrower than the grey curve, whose σ is 0.41: KL(q ‖ p) is large if q reaches to where p is small. (2) The KL to the prior. It grows like $-\log σ$ without end, while the expected log-likelihood improves and levels off. If you make σ large instead, the expected log-likelihood gets worse.
# </details>
#
# The answers, computed:

# %% tags=["checks"]
tried = {}
for m in torch.arange(0.5, 1.2, 0.05, dtype=torch.float64):
    for width in torch.arange(0.2, 0.6, 0.02, dtype=torch.float64):
        tried[m.item(), width.item()] = elbo_and_gap(m, width)[1].item()
best_mean, best_std = min(tried, key=tried.get)
posterior = (log_joint(grid) - log_p).exp()
posterior_mean = torch.trapezoid(posterior * grid, grid)
grey_std = torch.trapezoid(posterior * (grid - posterior_mean) ** 2, grid).sqrt()
skew = torch.trapezoid(posterior * ((grid - posterior_mean) / grey_std) ** 3, grid)
assert abs(best_mean - 0.8) < 0.06 and abs(best_std - 0.34) < 0.03
assert abs(tried[best_mean, best_std] - 0.09) < 0.01
assert best_std < grey_std and abs(grey_std - 0.41) < 0.01
assert skew > 0.5  # the long tail to the right


def two_terms(width):
    """Expected log-likelihood and KL to the prior of q = N(0.3, width²)."""
    mean, std = torch.tensor([0.3, width], dtype=torch.float64)
    kl = gaussian.kl_per_latent(mean, std.log())
    return elbo_and_gap(mean, std)[0] + kl, kl


fits, kls = torch.tensor([two_terms(width) for width in (0.6, 0.3, 0.1, 0.05)]).T
assert (fits.diff() > 0).all() and fits.diff()[-1] < 0.1 * fits.diff()[0]
assert abs(kls.diff()[-1] - math.log(2)) < 0.01  # σ halved: log 2 more
large_fit, large_kl = two_terms(3.0)
assert fits[0] - large_fit > 2 * (large_kl - kls[0]) > 0

# %% [markdown]
# ## 2. A gradient through a random sample
#
# For pictures no grid of z is possible. We draw z from q and average. So we need ∇, the gradient with respect to μ and σ, of an average over q: the ELBO is $\mathbb E_q[h]$ with $h = \log p(x \mid z) + \log p(z) - \log q(z \mid x)$.
#
# **Reparametrise.** The paper's Eq. 4 writes the sample as $z = \mu + \sigma \varepsilon$. The randomness is now in ε, which does not depend on q, and the gradient of h passes through z to μ and σ.
#
# **The score function.** An older way needs no gradient of the model. It uses $\nabla q = q\, \nabla \log q$, where $\nabla \log q$ is the **score**: $\nabla \int q h = \int (h\, \nabla q + q\, \nabla h) = \mathbb E_q[h\, \nabla \log q]$. (The part with $\nabla h = -\nabla \log q$ drops out: $\mathbb E_q[\nabla \log q] = \nabla \int q = 0$.) For a Gaussian, the derivative of $\log q$ with respect to μ is $(z - \mu)/\sigma^2 = \varepsilon/\sigma$.
#
# We compare both for μ, on the bent model and with the q of Figure 1.2, because there the grid gives the true gradient.

# %%
mean_q = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
std_q = torch.tensor(0.6, dtype=torch.float64)
(truth,) = torch.autograd.grad(elbo_and_gap(mean_q, std_q)[0], mean_q)

generator = torch.Generator().manual_seed(0)
noise = torch.randn(200_000, generator=generator, dtype=torch.float64)
# a copy of μ for each sample, so that each gets a gradient of its own
means = torch.full_like(noise, 0.3, requires_grad=True)
z = means + std_q * noise  # Eq. 4
h = log_joint(z) - gaussian.log_density(z, means, std_q.log())
(reparametrised,) = torch.autograd.grad(h.sum(), means)
h = h.detach()
estimates = {
    "reparametrised": reparametrised,
    "score function": h * noise / std_q,
    "score function of h − 500": (h - 500) * noise / std_q,
}
gradient_rows = []
for name, samples in estimates.items():
    error = samples.std().item() / math.sqrt(200_000)
    ratio = samples.var() / reparametrised.var()
    row = {"gradient": name, "mean": samples.mean().item(), "±": error}
    gradient_rows.append(row | {"variance, relative": f"{ratio:.0f}"})
table(gradient_rows)
print(f"true gradient: {truth:.2f}")

# %% [markdown]
# All three have the right mean, within a few standard errors (the column ±). The score function's variance is four times as large. The last line subtracts 500 nats from h, about the loss of a picture. This changes nothing on average, but the score multiplies the 500 by noise. So one first subtracts a constant, a **baseline**, from h (exercise 1.3). VAEs use the reparametrised gradient. What is said above, checked:

# %% tags=["checks"]
for samples in estimates.values():
    assert abs(samples.mean() - truth) < 4 * samples.std() / math.sqrt(len(samples))
variances = [samples.var().item() for samples in estimates.values()]
assert 3 < variances[1] / variances[0] < 5 and variances[2] > 1e3 * variances[0]
with_baseline = (h - 500 - (h - 500).mean()) * noise / std_q
assert 1.5 < with_baseline.var() / variances[0] < 5

# %% [markdown]
# ## 3. A VAE from nothing
#
# **The data.** Each picture is a strip of 16 pixels with a soft bump. Its one hidden number is the bump's centre, drawn uniformly between 2 and 14.


# %%
def strips(centres):
    """Strips (n, 16), each with a bump of width 1.5 pixels at its centre (n, 1)."""
    pixels = torch.arange(16) + 0.5
    return torch.exp(-((pixels - centres) ** 2) / (2 * 1.5**2))


def random_centres(n, generator):
    return 2 + 12 * torch.rand(n, 1, generator=generator)


# %% [markdown]
# **The model.** The encoder returns μ and log σ of one latent. The decoder returns 16 *logits*, one a pixel: the sigmoid of a logit is the brightness $\hat x$ that it draws.


# %%
def network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, outputs),
    )


class StripVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = network(16, 2)
        self.decoder = network(1, 16)

    def posterior(self, images):
        mean, log_std = self.encoder(images).chunk(2, dim=1)
        return mean, log_std


# %% [markdown]
# **The training.** Every step draws 64 new strips, encodes them, samples z (Eq. 4), decodes, and goes down the gradient of reconstruction + β · KL. The reconstruction is that of a **Bernoulli decoder**, the paper's choice. It makes pixel j white with probability $\hat x_j$, else black. So $-\log p(x \mid z) = -\sum_j \left[x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j)\right]$, a binary cross-entropy, summed over the pixels j (`bernoulli_nll`). The last three arguments serve the experiments below.


# %%
def train_strip_vae(
    steps=1500, seed=0, beta=1.0, mean_over_pixels=False, decay=False, copies=None
):  # fmt: skip
    torch.manual_seed(seed)
    vae = StripVAE()
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(1, steps + 1):
        images = strips(random_centres(64, generator))
        mean, log_std = vae.posterior(images)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        reconstruction = bernoulli_nll(vae.decoder(z), images).mean()
        if mean_over_pixels:
            reconstruction = reconstruction / 16
        kl = gaussian.kl_per_latent(mean, log_std).sum(1).mean()
        if decay:  # the learning rate falls from 2e-3 to 0 along a cosine
            learning_rate = 1e-3 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.zero_grad()
        (reconstruction + beta * kl).backward()
        optimizer.step()
        if copies is not None and step % 100 == 0:
            copies.append(copy.deepcopy(vae))
    return vae.requires_grad_(False)


vae = train_strip_vae()

# %% [markdown]
# Does the model find the centre? Encode 256 strips with centres from 2 to 14, and decode their posterior means.

# %%
centres = torch.linspace(2, 14, 256)[:, None]
test = strips(centres)
mean, log_std = vae.posterior(test)
drawn = vae.decoder(mean).sigmoid()
figures.strip_codes(test, drawn, centres[:, 0], mean[:, 0], log_std[:, 0].exp())
plt.show()
print(f"KL {gaussian.kl_per_latent(mean, log_std).mean():.1f} nats")

# %% [markdown]
# *Figure 1.3. A trained VAE on 256 strips in the order of their centres (one seed). Left: the strips, one a column. Middle: what the decoder draws from their posterior means. Right: the posterior of the latent, its mean (blue line) and one σ to either side (pale band), against the true centre, which the model never sees.*
#
# **What you should see.** The reconstructions follow the bump. They are blurred, because neighbouring strips share values of z. The mean of the latent rises (or falls) with the centre throughout, because strips differ in nothing else. A mean that turned back would refute this, because two centres would share a mean. The KL is 1.7 nats on average. What is said above, checked:

# %% tags=["checks"]
logits = vae.decoder(mean)
nll = F.binary_cross_entropy_with_logits(logits, test, reduction="none").sum(1)
assert torch.allclose(nll, bernoulli_nll(logits, test))
changes = mean[:, 0].diff()
assert (changes > 0).all() or (changes < 0).all()
assert drawn.amax(1).mean() < test.amax(1).mean() - 0.03  # blurred
assert abs(gaussian.kl_per_latent(mean, log_std).mean() - 1.7) < 0.1
excess = bernoulli_nll(logits, test) - bernoulli_floor(test)
blind = torch.logit(test.mean(0)).expand_as(test)  # the mean strip for every strip
without_code = bernoulli_nll(blind, test) - bernoulli_floor(test)
assert excess.mean() < 0.1 * without_code.mean()

# %% [markdown]
# ### How good is the encoder?
#
# With one latent, a grid of z again gives the exact values. For each strip we compare three numbers: the ELBO with the encoder's q, the ELBO with the *best* Gaussian q for this strip, and $\log p(x)$. The **amortisation gap** is the second minus the first: one network serves all strips, so its q is not the best for each. The **Gaussian gap** is the third minus the second: the true posterior is not Gaussian.
#
# <details><summary>Is log p(x) a log-likelihood for grey strips?</summary>
#
# A Bernoulli decoder gives probabilities to black and white pixels only, so for grey pixels $e^{-\text{loss}}$ does not add up to 1 over all x. For one fixed picture that does no harm: the identity of section 1 holds for any non-negative function in place of $p(x \mid z)$.
# </details>
#
# The next cell seeks the best q of each strip by L-BFGS, a quasi-Newton optimiser that calls `closure` for the loss and its gradient. With logits $\ell$ the reconstruction is $\sum_j [\log(1 + e^{\ell_j}) - x_j \ell_j]$.

# %%
points = torch.linspace(-6, 6, 601)[:, None]  # the grid of z, 0.02 apart


def elbos(log_joint_of_strips, mean, log_std):
    """ELBO (n,) of n strips with q = N(mean, σ²) of each, as sums over the grid."""
    log_q = gaussian.log_density(points, mean, log_std)
    return (log_q.exp() * (log_joint_of_strips - log_q)).sum(0) * 0.02


def both_gaps(vae, images):
    """Amortisation gap and Gaussian gap of every strip: (n,), (n,)."""
    with torch.no_grad():
        logits = vae.decoder(points).double()
        log_likelihood = logits @ images.T.double()
        log_likelihood -= F.softplus(logits).sum(1, keepdim=True)  # log(1 + e^ℓ)
        joint = log_likelihood - 0.5 * points**2 - 0.5 * math.log(2 * math.pi)
        encoded = [number[:, 0].double() for number in vae.posterior(images)]
    best = [number.clone().requires_grad_() for number in encoded]
    optimizer = torch.optim.LBFGS(best, max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -elbos(joint, *best).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    evidence = torch.logsumexp(joint, 0) + math.log(0.02)
    best_elbo = elbos(joint, *best).detach()
    return best_elbo - elbos(joint, *encoded), evidence - best_elbo


# %% [markdown]
# Is the amortisation gap a limit of the network, or is the training not finished? We test both on five seeds. The first experiment trains three times as long, 4,500 steps. (The gap fluctuates from step to step, so we average over five models from the last 500 steps.) The second keeps 1,500 steps, but lets the learning rate fall to zero.

# %%
my_factor = None  # the gap after 1,500 steps, over the gap after 4,500

# %% tags=["nbval-ignore-output"]
some = test[::8]
gap_rows = []
for seed in range(5):
    copies = []  # the model after 100, 200, … steps
    train_strip_vae(steps=4500, seed=seed, copies=copies)
    by_1500 = [both_gaps(model, some)[0].mean().item() for model in copies[10:15]]
    by_4500 = [both_gaps(model, some)[0].mean().item() for model in copies[40:45]]
    quiet = train_strip_vae(seed=seed, decay=True)
    amortisation, of_gaussian = both_gaps(quiet, some)
    row = {"seed": seed, "1,500 steps": sum(by_1500) / 5, "4,500": sum(by_4500) / 5}
    row["1,500, rate to zero"] = amortisation.mean().item()
    row["Gaussian gap"] = of_gaussian.mean().item()
    gap_rows.append(row)
print("amortisation gap in nats, and the Gaussian gap of the last training")
table(gap_rows, digits=3)

# %% tags=["nbval-ignore-output"]
early = sum(row["1,500 steps"] for row in gap_rows) / 5
late = sum(row["4,500"] for row in gap_rows) / 5
decayed = sum(row["1,500, rate to zero"] for row in gap_rows) / 5
compare("gap at 1,500 steps, over that at 4,500", my_factor, early / late, digits=1)
print(f"gap at 1,500 steps, over that with the rate to zero: {early / decayed:.0f}")

# %% [markdown]
# Three times as many steps do not lower the gap: its mean over the five seeds is a few hundredths of a nat both times. (A ratio below 1 says that it rose.) A learning rate that falls to zero divides the gap by more than ten on average, and by more than five on each seed. So nearly all of this gap is noise of the optimiser's last steps, and not a limit of the network. What remains, about 0.001 nats, is far below the Gaussian gap. What is said above, checked:

# %% tags=["checks"]
assert 0.01 < early < 0.05 and 0.01 < late < 0.06
assert decayed < 0.1 * early and decayed < 0.003 and late > 0.5 * early
for row in gap_rows:
    assert 0 < row["1,500, rate to zero"] < 0.2 * row["1,500 steps"]
    assert 0.01 < row["Gaussian gap"] < 0.02
assert (amortisation > -1e-6).all() and (of_gaussian > -1e-6).all()

# %% [markdown]
# ## 4. What "reconstruction error" means
#
# **A Gaussian decoder** of variance $s^2$ has $-\log p(x \mid z) = \lVert x - \hat x \rVert^2 / 2 s^2 + \text{const}$. The plain squared error therefore means $s^2 = \tfrac12$. Any other weight on it acts as a β: times $2 s^2$ the loss is $\lVert x - \hat x \rVert^2 + 2 \beta s^2\, \mathrm{KL}$ and a constant, so only the product $\beta s^2$ matters.
#
# **A Bernoulli decoder** defines no density over grey pictures, but its loss is still least at $\hat x = x$. There it is the entropy $\sum_j H_b(x_j)$ with $H_b(p) = -p \log p - (1-p) \log(1-p)$. This **floor** is not zero, so the second puzzle's answer is no. Subtract the floor before you compare losses. One blob, a soft spot of width 6 on 64 × 64 pixels, has a floor of hundreds of nats:

# %%
images, _ = Blobs(sigma=6).sample(100, torch.Generator().manual_seed(0))
perfect = bernoulli_nll(torch.logit(images, eps=1e-7), images).mean()
print(f"a perfect reconstruction of a blob costs {perfect:.0f} nats")
print(f"the floor is {bernoulli_floor(images).mean():.0f} nats")

# %% [markdown]
# What is said above, checked:

# %% tags=["checks"]
floor = bernoulli_floor(images)
assert abs(perfect - floor.mean()) < 0.5 and floor.mean() > 300
assert bernoulli_floor(images.round()).max() == 0  # black and white: no floor
other = images.clamp(0.02, 0.98)
assert (bernoulli_nll(torch.logit(other), images) > floor).all()
decoded = torch.distributions.Normal(other, math.sqrt(0.5))  # s² = ½
squared_error = (images - other).square().sum((1, 2, 3))
constant = -decoded.log_prob(images).sum((1, 2, 3)) - squared_error
assert torch.allclose(constant, constant[0], atol=0.01)  # the plain squared error

# %% [markdown]
# ### A mean over pixels multiplies β by their number
#
# Suppose the reconstruction is averaged over N pixels and the KL stays a sum. Then the loss is $\frac1N\left(\text{sum over pixels} + N\,\mathrm{KL}\right)$. A factor in front of the whole loss does not change Adam's steps, because Adam divides every gradient by its usual size. So "β = 1" means β = N. On 64 × 64 pixels that is 4096, which answers the third puzzle.
#
# On our strips of 16 pixels the mistake is β = 16. [Chapter 4](04_blob_position.ipynb) derives a threshold $\beta_c$ from the data alone. Only below it does a faint signal in the latent save more reconstruction than its KL costs.

# %%
evenly = torch.linspace(2, 14, 4001)[:, None]
print(f"predicted threshold: β = {collapse_threshold(strips(evenly)):.2f}")

# %%
my_last_beta = None  # the largest of 1, 2, 3, 5.5, 8, 16 that keeps the latent on


# %%
def mean_kl(vae):
    return gaussian.kl_per_latent(*vae.posterior(test)).mean().item()


kl_rows = []
for beta in (1.0, 2.0, 3.0, 5.5, 8.0, 16.0):
    kl_rows.append({"β": beta, "KL (nats)": mean_kl(train_strip_vae(beta=beta))})
table(kl_rows, digits=1)
careless = mean_kl(train_strip_vae(mean_over_pixels=True))
print(f'mean over pixels, "β = 1": KL {careless:.1f} nats')
last = max(row["β"] for row in kl_rows if row["KL (nats)"] > 0.01)
compare("largest β with an active latent", my_last_beta, last, digits=1)

# %% [markdown]
# The trainings agree: at β = 3 the latent sends nats, and at 5.5 it sends none (one seed). A latent with a KL of zero (below 0.01 nats) is **inactive**, and the model has *collapsed*. The careless model has collapsed too, without a warning. What is said above, checked, and the factor of 4096 on the network of the paper's appendix:

# %% tags=["checks"]
threshold = collapse_threshold(strips(evenly))
for row in kl_rows:
    kl = row["KL (nats)"]
    assert (kl > 0.01) == (row["β"] < threshold) and (kl > 0.1 or kl < 0.01)
assert careless < 0.01 and 3 < threshold < 5.5
# Adam does not care about the factor in front: after 50 steps the same decoder
with_mean = train_strip_vae(50, mean_over_pixels=True).decoder(mean)
with_sum = train_strip_vae(50, beta=16.0).decoder(mean)
assert torch.allclose(with_mean, with_sum, atol=1e-2)
assert not torch.allclose(with_mean, train_strip_vae(25).decoder(mean), atol=1e-2)

paper_vae = VAE(generator=torch.Generator().manual_seed(0))


def gradient(reduce, beta):
    generator = torch.Generator().manual_seed(1)
    logits, means, log_stds = paper_vae(images[:16], generator)
    nll = F.binary_cross_entropy_with_logits(logits, images[:16], reduction="none")
    kl = gaussian.kl_per_latent(means, log_stds).sum(1).mean()
    loss = reduce(nll.flatten(1)) + beta * kl
    parts = torch.autograd.grad(loss, paper_vae.parameters())
    return torch.cat([part.flatten() for part in parts])


by_mean = 4096 * gradient(lambda nll: nll.mean(), beta=1)
meant = gradient(lambda nll: nll.sum(1).mean(), beta=4096)
tolerance = {"rtol": 1e-3, "atol": 1e-3 * meant.abs().max()}
assert torch.allclose(by_mean, meant, **tolerance)
wrong_price = gradient(lambda nll: nll.sum(1).mean(), beta=2048)
assert not torch.allclose(by_mean, wrong_price, **tolerance)  # it can fail

# %% [markdown]
# ## 5. The paper and this chapter, side by side
#
# The paper has no figure on this. Its section 2 states the equations. As printed, Eq. 1 to 3 have $\log p(x \mid z)$ in place of the marginal likelihood $\log p(x)$. Eq. 2 prints the KL between q and the prior, but the text says "between the true and the approximate posterior". (There φ and θ are the weights of encoder and decoder, and $\mathcal L$ is the ELBO.)
#
# | paper | here |
# |---|---|
# | Eq. 1, what is maximised | $\max_\theta \mathbb E \log p_\theta(x)$ |
# | Eq. 2, the identity | $\log p_\theta(x) = \mathrm{KL}(q(z \mid x) \Vert p(z \mid x)) + \mathcal L$, checked on a Gaussian and on a bent model |
# | Eq. 3, the bound | right with $\log p_\theta(x)$ on its left side |
# | Eq. 4, the reparametrisation | on the bent model the same mean as the score function, a quarter of its variance |
# | Eq. 5, $\mathcal L = \mathbb E_q[\log p(x \mid z)] - \beta\, \mathrm{KL}$ | for β > 1 it lies $(\beta - 1)\,\mathrm{KL}$ below the ELBO, so it is a looser bound on log p(x) |
# | sums or means: not stated | sums over pixels and latents, means over the batch; a mean over pixels collapses our strips (one seed) |
#
# ## 6. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns. Solutions are in
# [solutions/01_elbo](solutions/01_elbo.ipynb).
#
# **1.1** (warm-up, 3 min) Write `draw(mean, log_std, noise)`, the reparametrised sample of Eq. 4.

# %%
answer = None  # def answer(mean, log_std, noise): ...
check("1.1", answer)

# %% [markdown]
# **1.2** (10 min) $z \sim \mathcal N(0,1)$, $x = z + \varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$, and we observe $x = 2$. For $q = \mathcal N(1.2, 0.25)$ (that is a variance), how large is the gap, in nats? *Hint: what is the true posterior?*

# %%
answer = None
check("1.2", answer)

# %% [markdown]
# **1.3** (25 min) Write `quieter(h, noise, std)`: the score-function gradients of section 2 with a baseline. `h` (n,) are values of h at $z = \mu + \sigma \varepsilon$, `noise` (n,) their ε, `std` is σ. Subtract from h the constant b that leaves the least variance. Return two things: the n gradients, and how many times smaller their variance is than without a baseline. *Hint: the variance of $(h - b)\,\varepsilon$ is a parabola in b. Its lowest point is not always the mean of h.*

# %%
answer = None  # def answer(h, noise, std): ...
check("1.3", answer)

# %% [markdown]
# **1.4** (open, 30 min) How well does the threshold predict? Make the bump narrower or broader than 1.5 pixels, compute $\beta_c$, and train a little below and a little above it. For which widths is the threshold high, and can you say why? No check; the solutions show four widths.
#
# ## Summary
#
# - $\log p(x)$ = ELBO + gap, an identity. Improving q moves nats from the gap to the ELBO.
# - A reparametrised sample passes the gradient on to the encoder, with less noise than the score function.
# - A small VAE finds the hidden number of its pictures. Let the learning rate fall before you measure its amortisation gap.
# - The Bernoulli loss on grey pictures has a floor. Sum over pixels, or β is not what you think.
#
# **Readings.** Kingma and Welling 2014 (VAE); Rezende et al. 2014; Cremer et al. 2018, *Inference suboptimality in variational autoencoders*; Burgess et al. 2018, sections 2 and 3.
