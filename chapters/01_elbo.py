# %% [markdown]
# # Chapter 1 · Derive the ELBO, watch its gap, and train a VAE that you wrote yourself
#
# A **variational autoencoder** (VAE) describes a picture $x$ by a few numbers $z$, its **latents**. It has two networks. The **encoder** reads a picture and gives a Gaussian over z, the **posterior** $q(z \mid x)$, with mean μ and standard deviation σ. The **decoder** reads a z and gives a distribution over pictures, $p(x \mid z)$. Before any picture is seen, z has the **prior** $p(z)$, a standard normal distribution.
#
# It is trained on a loss of two terms. The **reconstruction** $-\log p(x \mid z)$ says how badly the decoder predicts the picture from a sample of z. The **KL divergence** $\mathrm{KL}(q \Vert p) = \mathbb E_q[\log (q/p)]$ says how far the posterior is from the prior; it is never negative, and zero only if they are equal. A **β-VAE** multiplies the KL by a number β, and β = 1 is the plain VAE. Logarithms are natural, so both terms are in **nats** (1 nat is 1.44 bits).

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from minivae import gaussian
from minivae.collapse import collapse_threshold
from minivae.course import figures
from minivae.course.checks import check
from minivae.course.explorers import ElboExplorer
from minivae.datasets import Blobs
from minivae.objectives import bernoulli_floor, bernoulli_nll
from minivae.vae import VAE

figures.vae_diagram(Blobs(sigma=7).render(torch.tensor([[38.0, 26.0]]))[0, 0])
plt.show()

# %% [markdown]
# *Figure 1.1. A β-VAE. The loss (orange) compares the two ends, and adds β times the KL in the middle.*
#
# **By the end you will have shown that**
#
# 1. $\log p(x)$ is a lower bound (the ELBO, "evidence lower bound") plus a gap, exactly. The gap is $\mathrm{KL}(q(z \mid x) \Vert p(z \mid x))$, the distance of q from the true posterior. It shrinks as q improves, to zero only if q can be the true posterior;
# 2. the reparametrised gradient and the score-function gradient have the same mean, and the second has the larger variance: four times here, thousands of times if a large constant is left in the loss;
# 3. an encoder loses nats against the best q of each picture (the *amortisation gap*). One would blame the one network that serves all pictures; here nearly all of the gap comes from the last steps of the optimiser, and it goes away as the learning rate decays;
# 4. "reconstruction error" means different things to different decoders, and on grey pictures it has a *floor* (its value for a perfect reconstruction) above zero. A mean over pixels in place of a sum multiplies β by their number. On our small VAE that switches the latent off, and a threshold known before training says so.
#
# **You need** calculus, Gaussian densities, a little PyTorch. **Time:** 50 minutes to read, about a minute of CPU time.
#
# ## A puzzle before we start
#
# - You improve q and the ELBO rises by 0.3 nats. By how much does log p(x) rise?
# - The binary cross-entropy of a perfect autoencoder on grey pictures is 0. True?
# - On 64 × 64 pictures, a colleague's β-VAE sums the KL over latents, averages it over the batch, and uses `F.binary_cross_entropy(..., reduction="mean")` and "β = 1". What is its β?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $x$, $z$ | a picture (here also a single number), its latent | – |
# | $p(z) = \mathcal N(0, 1)$, $p(x \mid z)$, $p(x)$ | prior, decoder, marginal likelihood (evidence) | – |
# | $p(z \mid x)$, $q(z \mid x)$ | true posterior, and the Gaussian that stands in for it; $q$ for short | – |
# | ELBO | $\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \Vert p(z))$ | nats |
# | gap | $\log p(x) - \mathrm{ELBO}$ | nats |
# | β | price of a nat of KL in the loss | nats per nat |
#
# **A word on Eq. 1 and 2 of Burgess et al. (2018), "the paper" throughout.** (There φ and θ are the weights of encoder and decoder, $\mathcal L$ is the ELBO.) As printed, Eq. 1 maximises $\mathbb E_q \log p(x \mid z)$, and Eq. 2 has $\log p(x \mid z)$ on the left and $p(z)$ in the KL (though its text speaks of the divergence "between the true and the approximate posterior"). What is meant is the marginal likelihood: Eq. 1 is $\max_\theta \mathbb E \log p_\theta(x)$ and Eq. 2 is
# $\log p_\theta(x) = \mathrm{KL}(q(z \mid x) \Vert p(z \mid x)) + \mathcal L$, with the true posterior in the KL. Eq. 3 is right once its left side is $\log p_\theta(x)$.
#
# ## 1. Where the bound comes from
#
# We want a model whose $p(x) = \int p(x \mid z)\, p(z)\, dz$ is large on the data. The integral is out of reach for a network. So bring in any density $q(z \mid x)$, one for each picture, and write, for *every* z,
#
# $$ \log p(x) = \log \frac{p(x \mid z)\, p(z)}{p(z \mid x)} = \log p(x \mid z) - \log \frac{q(z \mid x)}{p(z)} + \log \frac{q(z \mid x)}{p(z \mid x)} . $$
#
# The left side does not depend on z. Average the right side over q:
#
# $$ \log p(x) = \underbrace{\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q \Vert p(z))}_{\text{ELBO}} + \underbrace{\mathrm{KL}(q \Vert p(z \mid x))}_{\text{gap} \;\ge\; 0} . $$
#
# An identity, not yet a bound. It is a bound because a KL is never negative: $-\log t \ge 1 - t$, so $\mathbb E_q[-\log (p/q)] \ge 1 - \int p = 0$. For Gaussians
#
# $$ \mathrm{KL}(\mathcal N(\mu_1, \sigma_1^2) \Vert \mathcal N(\mu_2, \sigma_2^2)) = \log\frac{\sigma_2}{\sigma_1} + \frac{\sigma_1^2 + (\mu_1 - \mu_2)^2}{2 \sigma_2^2} - \tfrac12, $$
#
# against the prior $\tfrac12(\mu^2 + \sigma^2 - 1) - \log \sigma$. And since log p(x) does not know q, *improving q cannot move it*: what the ELBO wins the gap loses.
#
# ### First check: a model where everything is known
#
# $z \sim \mathcal N(0, 1)$, $x = w z + s\,\varepsilon$. Then $p(x) = \mathcal N(0, w^2 + s^2)$ and the posterior is Gaussian, with variance $s^2/(w^2+s^2)$ and mean $w x/(w^2+s^2)$.

# %%
w, s, x = 1.5, 0.8, 2.0
total = w**2 + s**2
log_evidence = -0.5 * x**2 / total - 0.5 * math.log(2 * math.pi * total)
post_mean, post_std = w * x / total, s / math.sqrt(total)


def elbo_linear(mean, std):
    """E_q log N(x; wz, s²) − KL(q ‖ N(0, 1)), in closed form."""
    error = (x - w * mean) ** 2 + w**2 * std**2
    fit = -0.5 * error / s**2 - 0.5 * math.log(2 * math.pi * s**2)
    return fit - (0.5 * (mean**2 + std**2 - 1) - math.log(std))


trials = {
    "bad (far off)": (-1.0, 0.3),
    "good": (0.9, 0.6),
    "optimal": (post_mean, post_std),
}
print("q                       ELBO     gap     sum   log p(x)")
for name, (mean, std) in trials.items():
    numbers = mean, math.log(std), post_mean, math.log(post_std)
    gap = gaussian.kl_between(*torch.tensor(numbers).double()).item()
    elbo = elbo_linear(mean, std)
    print(f"{name:20} {elbo:8.4f} {gap:7.4f} {elbo + gap:7.4f} {log_evidence:8.4f}")
    assert abs(elbo + gap - log_evidence) < 1e-6 and gap >= 0

# %% [markdown]
# ### Second check: a model where nothing is Gaussian
#
# Let the decoder be bent: $x = \tanh(1.5 z) + 0.2 z + 0.3\,\varepsilon$. The posterior has no name, but with one latent everything is a one-dimensional integral, and a fine grid does it to ten digits.

# %%
observed = 0.9
grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64)


def log_joint(z):
    """log p(x, z) of the bent model at the observed x."""
    decoded = torch.tanh(1.5 * z) + 0.2 * z
    fit = -0.5 * ((observed - decoded) / 0.3) ** 2 - math.log(0.3)
    return fit - 0.5 * z**2 - math.log(2 * math.pi)


log_p = torch.trapezoid(log_joint(grid).exp(), grid).log()


def elbo_and_gap(mean, std):
    """ELBO and KL(q ‖ p(z|x)), both by quadrature."""
    mean = torch.as_tensor(mean, dtype=torch.float64)
    log_std = torch.as_tensor(std, dtype=torch.float64).log()
    log_q = gaussian.log_density(grid, mean, log_std)
    q = log_q.exp()
    elbo = torch.trapezoid(q * (log_joint(grid) - log_q), grid)
    gap = torch.trapezoid(q * (log_q - (log_joint(grid) - log_p)), grid)
    return elbo, gap


mean = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
log_std = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([mean, log_std], lr=0.05)
elbos, gaps = [], []
for _ in range(300):
    elbo, gap = elbo_and_gap(mean, log_std.exp())
    optimizer.zero_grad()
    (-elbo).backward()
    optimizer.step()
    elbos.append(elbo.item())
    gaps.append(gap.item())

print(f"log p(x) = {log_p:.4f}")
print(f"first q: ELBO {elbos[0]:.2f}, gap {gaps[0]:.2f}")
print(f"last q: ELBO {elbos[-1]:.4f}, gap {gaps[-1]:.4f}")
for elbo, gap in zip(elbos, gaps, strict=True):
    # the sum is log p(x) by algebra: what can fail here is the sign
    assert gap > 0 and abs(elbo + gap - log_p) < 1e-8
assert 0.05 < gaps[-1] < 0.1 < gaps[0]  # some gap stays: no Gaussian fits

# %%
figures.elbo_gap(log_joint, mean=0.3, std=0.6)
plt.show()

# %% [markdown]
# *Figure 1.2. Left: the true posterior of the bent model (grey) and a Gaussian q (blue). Right: log p(x) in three steps. From 0 down by the expected log-likelihood, further down by the KL to the prior: that is the ELBO (dotted). The gap leads up to log p(x) (dashed), always to the same height.*
#
# The first puzzle: log p(x) does not rise at all. Only a better *decoder* can raise it.

# %% tags=["nbval-ignore-output"]
ElboExplorer(log_joint)

# %% [markdown]
# *Tasks.* (1) Find the q with the smallest gap. Is its σ that of the grey curve? (2) Make σ tiny: which of the two terms of the ELBO ruins it?
#
# <details><summary>What you should have found</summary>
#
# (1) Near mean 0.8, σ 0.34: a gap of 0.09 nats, and no smaller, since the grey curve has a long tail to the right and a Gaussian has none. Its σ is less than the grey curve's 0.41: KL(q ‖ p) punishes q for reaching where p is not. (2) The KL to the prior, which grows like $-\log σ$ without end, while the expected log-likelihood improves and levels off. Make σ large instead, and the expected log-likelihood ruins the ELBO.
# </details>

# %%
# what is said above, checked
tried = {}
for m in torch.arange(0.5, 1.2, 0.05).tolist():
    for s in torch.arange(0.2, 0.6, 0.02).tolist():
        tried[m, s] = elbo_and_gap(m, s)[1].item()
best_mean, best_std = min(tried, key=tried.get)
least = tried[best_mean, best_std]
posterior = (log_joint(grid) - log_p).exp()
posterior_mean = torch.trapezoid(posterior * grid, grid)
grey_std = torch.trapezoid(posterior * (grid - posterior_mean) ** 2, grid).sqrt()
skew = torch.trapezoid(posterior * ((grid - posterior_mean) / grey_std) ** 3, grid)
print(f"best q: mean {best_mean:.1f}, σ {best_std:.2f}, gap {least:.2f} nats")
print(f"grey curve: σ {grey_std:.2f}, skewness {skew:.1f}")
assert abs(best_mean - 0.8) < 0.06 and abs(best_std - 0.34) < 0.03
assert abs(least - 0.09) < 0.01 and best_std < grey_std < 0.45
assert skew > 0.5  # the long tail to the right


def two_terms(std):
    """Expected log-likelihood and KL to the prior of q = N(0.3, std²)."""
    log_std = torch.tensor(std).double().log()
    kl = gaussian.kl_per_latent(torch.tensor(0.3).double(), log_std)
    return elbo_and_gap(0.3, std)[0] + kl, kl


fits, kls = torch.tensor([two_terms(std) for std in (0.6, 0.3, 0.1, 0.05)]).T
assert (fits.diff() > 0).all() and fits.diff()[-1] < 0.1 * fits.diff()[0]
assert abs(kls.diff()[-1] - math.log(2)) < 0.01  # σ halved: log 2 more
large_fit, large_kl = two_terms(3.0)
assert fits[0] - large_fit > 2 * (large_kl - kls[0]) > 0

# %% [markdown]
# ## 2. Two ways to a gradient
#
# The ELBO is an average over q, and q is what we want to change. Eq. 4 moves the randomness out of the way: $z = \mu + \sigma \varepsilon$, and the gradient passes through z. The older way needs no gradient of the model at all: $\nabla \mathbb E_q[h] = \mathbb E_q[h\, \nabla \log q]$, the score function, because $\nabla q = q \nabla \log q$. (Here $h = \log p(x, z) - \log q(z \mid x)$ depends on q too, but $\mathbb E_q[\nabla \log q] = \nabla \int q = 0$, so that part drops out.) Compare them where the truth is known, by quadrature.

# %%
m = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
s_q = torch.tensor(0.6, dtype=torch.float64)
(truth,) = torch.autograd.grad(elbo_and_gap(m, s_q)[0], m)

generator = torch.Generator().manual_seed(0)
noise = torch.randn(200_000, generator=generator, dtype=torch.float64)
many = m.detach().expand(200_000).clone().requires_grad_()
z = many + s_q * noise  # Eq. 4
h = log_joint(z) - gaussian.log_density(z, many, s_q.log())
(reparametrised,) = torch.autograd.grad(h.sum(), many)
score = (h * noise / s_q).detach()  # ∇ log q = (z − μ)/σ² = ε/σ

estimates = {"reparametrised": reparametrised, "score function": score}
for name, samples in estimates.items():
    error = samples.std() / math.sqrt(len(samples))
    print(f"{name}: mean {samples.mean():.2f} ± {error:.2f}, truth {truth:.2f}")
    assert abs(samples.mean() - truth) < 4 * error
ratio = (score.var() / reparametrised.var()).item()
print(f"the score function's variance is {ratio:.0f} times as large")
assert 3 < ratio < 5

# %% [markdown]
# With one latent the ratio is modest. It grows with everything that h sums over and z does not influence: 4096 pixels make h thousands of nats large, and the score multiplies all of it by noise. Add a constant of −500 nats to log p, the size of a picture's loss:

# %%
shifted = (h - 500).detach()
big = shifted * noise / s_q
mended = (shifted - shifted.mean()) * noise / s_q
big_ratio, mended_ratio = (v.var() / reparametrised.var() for v in (big, mended))
print(f"with a loss of 500 nats the ratio of variances is {big_ratio:.0e}")
print(f"with the mean loss subtracted it is {mended_ratio:.0f}")
assert big_ratio > 1e3 and 1.5 < mended_ratio < 5

# %% [markdown]
# A *baseline*, a constant subtracted from h, takes such a constant out again and leaves the mean as it is. Part of the difference stays, because h also varies from sample to sample.
#
# ## 3. A VAE from nothing
#
# The smallest data set with one hidden factor: a soft bump on a strip of 16 pixels, and the factor is its centre. Encoder, decoder and loss in two dozen lines:


# %%
def strips(centres):
    """Strips (n, 16), each with a bump of width 1.5 pixels at its centre (n, 1)."""
    return torch.exp(-((torch.arange(16) + 0.5 - centres) ** 2) / (2 * 1.5**2))


def random_centres(n, generator):
    return 2 + 12 * torch.rand(n, 1, generator=generator)


def mlp(*sizes):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train_strip_vae(
    steps=1500, seed=0, beta=1.0, mean_over_pixels=False, decay=False, watch=None
):  # fmt: skip
    torch.manual_seed(seed)
    encoder, decoder = mlp(16, 64, 64, 2), mlp(1, 64, 64, 16)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2e-3, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(1, steps + 1):
        x = strips(random_centres(64, generator))
        mean, log_std = encoder(x).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        nll = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="none")
        nll = nll.mean() if mean_over_pixels else nll.sum(1).mean()
        kl = gaussian.kl_per_latent(mean, log_std).sum(1).mean()
        if decay:  # from 2e-3 to 0 along a cosine
            learning_rate = 1e-3 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.zero_grad()
        (nll + beta * kl).backward()
        optimizer.step()
        if watch:
            watch(step, encoder, decoder)
    return encoder.requires_grad_(False), decoder.requires_grad_(False)


encoder, decoder = train_strip_vae()
centres = random_centres(256, torch.Generator().manual_seed(9)).sort(0).values
test = strips(centres)
mean, log_std = encoder(test).chunk(2, dim=1)
print(f"KL {gaussian.kl_per_latent(mean, log_std).mean():.1f} nats")
excess = bernoulli_nll(decoder(mean), test) - bernoulli_floor(test)
print(f"a reconstruction is {excess.mean():.1f} nats above the best possible one")
blind = torch.logit(test.mean(0)).expand_as(test)  # the mean strip for every strip
without_code = bernoulli_nll(blind, test) - bernoulli_floor(test)
print(f"the mean strip, drawn for all, is {without_code.mean():.1f} nats above it")
assert excess.mean() < 0.1 * without_code.mean()

# %%
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.7), layout="constrained")
panels = {"strips": test, "reconstructions": decoder(mean).sigmoid()}
for axis, (title, shown) in zip(axes, panels.items(), strict=False):
    axis.imshow(shown[::8].T, cmap="gray", vmin=0, vmax=1, aspect="auto")
    axis.set(title=title, xlabel="32 strips, by centre", ylabel="pixel")
    axis.set_yticks([0, 5, 10, 15])
place, middle, std = centres[:, 0], mean[:, 0], log_std[:, 0].exp()
edges = middle - std, middle + std
axes[2].fill_between(place, *edges, color=figures.BLUE, alpha=0.3)
axes[2].plot(place, middle, color=figures.BLUE)
axes[2].set(title="latent", xlabel="true centre (pixels)", ylabel="mean ± σ of z")
plt.show()
steps_of_mean = middle.diff()
assert (steps_of_mean > 0).all() or (steps_of_mean < 0).all()

# %% [markdown]
# *Figure 1.3. Strips (one a column), what the decoder makes of their posterior means, and the posterior of z against the true centre.*
#
# The model was never given the centres. Its latent is the centre all the same, up to direction and stretch: the posterior mean rises or falls with it throughout (asserted, one seed).
#
# ### The amortisation gap
#
# There is one latent, so log p(x) of this trained model is an integral that we can compute. This tells three numbers apart for a picture: the ELBO with the encoder's q, the ELBO with the *best* Gaussian q for that picture, and log p(x). The first difference is the **amortisation gap**, what we lose because q is read off a network and not sought for each picture. The second is the **Gaussian gap**, what we lose because q is Gaussian. (The strips are grey, so $e^{-\text{loss}}$ is not normalised over x, section 4. For a fixed picture that does no harm: the identity holds for any non-negative function in place of $p(x \mid z)$.)
#
# Is the amortisation gap a limit of the network, or is the training not finished? Two trials over five seeds can tell. Train three times as long at the same learning rate. Or train no longer, and let the learning rate fall to zero. A single step of Adam moves the gap up and down, so the gaps of the first trial are means over five late steps.

# %% tags=["nbval-ignore-output"]
points = torch.linspace(-6, 6, 601, dtype=torch.float64)
spacing = 12 / 600
log_prior = gaussian.log_density(points, points.new_zeros(()), points.new_zeros(()))


def amortisation_and_gaussian_gap(encoder, decoder, images):
    """Both gaps in nats, means over pictures (n, 16); integrals over z are sums."""
    n = len(images)
    with torch.no_grad():
        logits = decoder(points.float()[:, None]).double().repeat_interleave(n, 0)
        nll = bernoulli_nll(logits, images.double().repeat(len(points), 1))
        log_joint = log_prior[:, None] - nll.view(-1, n)  # points, pictures
        by_encoder = [v[:, 0].double() for v in encoder(images).chunk(2, dim=1)]

    def elbo(mean, log_std):
        log_q = gaussian.log_density(points[:, None], mean, log_std)
        return (log_q.exp() * (log_joint - log_q)).sum(0) * spacing

    best = [v.clone().requires_grad_() for v in by_encoder]
    optimizer = torch.optim.LBFGS(best, max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -elbo(*best).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    evidence = torch.logsumexp(log_joint, 0) + math.log(spacing)
    amortisation = elbo(*by_encoder) - elbo(*best).detach()
    assert (amortisation < 1e-6).all() and (evidence > elbo(*best) - 1e-6).all()
    return -amortisation.mean().item(), (evidence - elbo(*best)).mean().item()


some = test[::8]
long_runs = {"1,100 to 1,500": [], "4,100 to 4,500": []}
for seed in range(5):
    late = {step: [] for step in (*range(1100, 1501, 100), *range(4100, 4501, 100))}

    def look(step, encoder, decoder, late=late):
        if step in late:
            gap, _ = amortisation_and_gaussian_gap(encoder, decoder, some)
            late[step] = gap

    train_strip_vae(steps=4500, seed=seed, watch=look)
    for name, start in zip(long_runs, (1100, 4100), strict=True):
        gaps = [late[step] for step in range(start, start + 401, 100)]
        long_runs[name].append(sum(gaps) / 5)

# %% tags=["nbval-ignore-output"]
decayed = [
    amortisation_and_gaussian_gap(*train_strip_vae(seed=seed, decay=True), some)
    for seed in range(5)
]  # fmt: skip
gaussian_gaps = [gap for _, gap in decayed]
print("amortisation gap in nats            seed 0     1     2     3     4")
rows = {f"steps {name}": gaps for name, gaps in long_runs.items()}
rows["1,500 steps, rate to zero"] = [gap for gap, _ in decayed]
rows["(Gaussian gap of the last)"] = gaussian_gaps
for name, gaps in rows.items():
    print(f"{name:36}" + " ".join(f"{gap:5.3f}" for gap in gaps))
early, late, quiet, _ = (torch.tensor(gaps) for gaps in rows.values())
assert 0.01 < early.mean() < 0.05 and 0.01 < late.mean() < 0.06
assert late.mean() > 0.5 * early.mean()
assert (quiet < 0.2 * early).all() and quiet.mean() < 0.1 * early.mean()
assert all(0.01 < gap < 0.02 for gap in gaussian_gaps)

# %% [markdown]
# Three times as many steps do not lower the gap: its mean over the seeds is 0.02 to 0.03 nats before and after. A learning rate that falls to zero takes nine tenths of it away on average, and at least four fifths on each of the five seeds. So nearly all of this gap is the jitter of the last steps, and little of it is owed to the network's size or to a training that is too short. What is left, about 0.001 nats, is far below the Gaussian gap. (A harder data set would ask more of the encoder.)
#
# ## 4. What "reconstruction error" means
#
# **Gaussian decoder**, variance $s^2$: $-\log p(x \mid z) = \lVert x - \hat x \rVert^2 / 2 s^2 + \text{const}$. Whoever uses the plain squared error has $s^2 = \tfrac12$, and any other weight on it is a β in disguise: only $\beta s^2$ matters for the optimum ([chapter 2](02_awgn_channel.ipynb)).
#
# **Bernoulli decoder**: $-\log p(x \mid z) = -\sum_j \left[x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j)\right]$. The paper's choice. On grey pixels it is not the likelihood of anything, but it works, with one trap: its least value, at $\hat x = x$, is the entropy $\sum_j H_b(x_j)$ with $H_b(p) = -p \log p - (1-p) \log(1-p)$, **not zero** (the second puzzle). Subtract the floor before comparing. Below, `Blobs(sigma=6)` is one soft spot of width 6 pixels on 64 × 64.

# %%
images, _ = Blobs(sigma=6).sample(100, torch.Generator().manual_seed(0))
perfect = bernoulli_nll(torch.logit(images, eps=1e-7), images).mean()
floor = bernoulli_floor(images).mean()
print(f"a perfect reconstruction of a blob costs {perfect:.0f} nats")
print(f"the floor is {floor:.0f} nats")
assert abs(perfect - floor) < 0.5 and floor > 300
assert bernoulli_floor(images.round()).max() == 0  # black and white: no floor

guess = images.clamp(0.02, 0.98)
assert (bernoulli_nll(torch.logit(guess), images) > bernoulli_floor(images)).all()
decoded = torch.distributions.Normal(guess, math.sqrt(0.5))  # s² = ½
squared_error = (images - guess).square().sum((1, 2, 3))
constant = -decoded.log_prob(images).sum((1, 2, 3)) - squared_error
assert torch.allclose(constant, constant[0], atol=0.01)  # the plain squared error

# %% [markdown]
# ### A mean over pixels multiplies β by 4096
#
# If the reconstruction is averaged over the 64 × 64 pixels and the KL stays a sum, the loss is $\frac{1}{4096}\left(\text{sum} + 4096\,\mathrm{KL}\right)$. Adam divides a factor in front out of its steps. So "β = 1" is β = 4096 (the third puzzle). Nothing warns of this mistake. On the network of the paper's appendix, by its gradient:

# %%
vae = VAE(generator=torch.Generator().manual_seed(0))


def gradient(reduce, beta):
    logits, mean, log_std = vae(images[:16], torch.Generator().manual_seed(1))
    nll = F.binary_cross_entropy_with_logits(logits, images[:16], reduction="none")
    kl = gaussian.kl_per_latent(mean, log_std).sum(1).mean()
    loss = reduce(nll.flatten(1)) + beta * kl
    parts = torch.autograd.grad(loss, vae.parameters())
    return torch.cat([part.flatten() for part in parts])


careless = gradient(lambda nll: nll.mean(), beta=1)
meant = gradient(lambda nll: nll.sum(1).mean(), beta=4096)
tolerance = {"rtol": 1e-3, "atol": 1e-3 * meant.abs().max()}
assert torch.allclose(4096 * careless, meant, **tolerance)
ratio = 4096 * careless.norm() / meant.norm()
print(f"4096 × careless gradient / gradient meant: {ratio:.3f}")
wrong_price = gradient(lambda nll: nll.sum(1).mean(), beta=2048)
assert not torch.allclose(4096 * careless, wrong_price, **tolerance)  # it can fail

# %% [markdown]
# The strips show what this does to a training. They have 16 pixels, so the mean over pixels is β = 16. Is that too much? [Chapter 4](04_blob_position.ipynb) derives a threshold $\beta_c$ from the data alone: above it, a Bernoulli VAE gains nothing by sending a first faint signal through its latent, and below it gains. Compute it before any training, then train at several β:

# %%
threshold = collapse_threshold(strips(torch.linspace(2, 14, 4001)[:, None]))


def mean_kl(encoder, _):
    mean, log_std = encoder(test).chunk(2, dim=1)
    return gaussian.kl_per_latent(mean, log_std).mean().item()


print(f"predicted threshold: β = {threshold:.2f}")
for beta in (1.0, 2.0, 3.0, 5.5, 8.0, 16.0):
    kl = mean_kl(*train_strip_vae(beta=beta))
    print(f"β = {beta:4.1f}: KL {kl:.1f} nats")
    assert (kl > 0.1) == (beta < threshold)
    assert kl > 0.1 or kl < 0.01
careless_kl = mean_kl(*train_strip_vae(mean_over_pixels=True))
print(f"mean over pixels, “β = 1”: KL {careless_kl:.1f} nats")
assert careless_kl < 0.01

# Adam does not care about the factor in front: after 50 steps the same decoder
_, with_mean = train_strip_vae(50, mean_over_pixels=True)
_, with_sum = train_strip_vae(50, beta=16.0)
assert torch.allclose(with_mean(mean), with_sum(mean), atol=1e-2)
assert not torch.allclose(with_mean(mean), train_strip_vae(25)[1](mean), atol=1e-2)

# %% [markdown]
# The careless model says nothing about the strip: its latent is *inactive*, a KL of zero (*posterior collapse*), and no warning was given. At β = 3, below the threshold, the same network sends nats, and at 5.5, above it, none (one seed).
#
# ## 5. From the ELBO to β
#
# Eq. 5 is Eq. 3 with a price: $\mathcal L = \mathbb E_q[\log p(x \mid z)] - \beta\, \mathrm{KL}$. For β > 1 it lies $(\beta - 1)\,\mathrm{KL}$ below the ELBO, so it is still a bound on log p(x), only a looser one. What it buys is the subject of the course: [chapter 2](02_awgn_channel.ipynb) reads the KL as a
# channel's rate, [chapter 3](03_posterior_overlap.ipynb) as overlap, [chapter 4](04_blob_position.ipynb) sees what β = 150 does to a blob.
#
# ## 6. The paper and this chapter, side by side
#
# | paper | here |
# |---|---|
# | Eq. 1 and 2 with $\log p(x \mid z)$ for $\log p(x)$ | the marginal $\log p(x)$; the identity checked against a closed-form KL, the bound at every step of an optimisation |
# | Eq. 3, a lower bound | the gap is KL(q ‖ true posterior), watched shrinking; of a trained VAE, split into amortisation and Gaussian gap |
# | Eq. 4, the reparametrisation | same mean as the score function, variance ratio measured |
# | reductions not stated | sums over pixels and latents, means over the batch; anything else changes β, here beyond the threshold of collapse |
#
# ## 7. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/01_elbo](solutions/01_elbo.ipynb).
#
# **1.1** (medium, 10 min) $z \sim \mathcal N(0,1)$, $x = z + \varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$, and we observe $x = 2$. For $q = \mathcal N(1.2, 0.25)$ (that is a variance), how large is the gap, in nats? *Hint: what is the true posterior?*

# %%
answer = None
check("1.1", answer)

# %% [markdown]
# **1.2** (medium, 10 min) Write `floor(images)`, the floor of the Bernoulli loss for images (n, …) in [0, 1], in nats: (n,). Black and white pixels must not give NaN. *Hint: `torch.xlogy(p, p)` is 0 at p = 0.*

# %%
answer = None  # def answer(images): ...
check("1.2", answer)

# %% [markdown]
# **1.3** (easy, 3 min) Write `draw(mean, log_std, noise)`, the reparametrised sample of Eq. 4.

# %%
answer = None  # def answer(mean, log_std, noise): ...
check("1.3", answer)

# %% [markdown]
# **1.4** (medium, 5 min) A model of 28 × 28 grey pictures uses the plain squared error, *summed* over pixels, plus the KL times 1. You want the same optimum from a Gaussian decoder with $s^2 = 0.1$ and its honest log-likelihood. Which β must you set? *Hint: compare βs² (section 4). The number of pixels is a distraction.*

# %%
answer = None
check("1.4", answer)

# %% [markdown]
# **1.5** (hard, 25 min) Write `quieter(h, noise, std)`: the score-function gradients of section 2 with a baseline. `h` (n,) are values of h at $z = \mu + \sigma \varepsilon$, `noise` (n,) their ε, `std` is σ. Subtract from h the constant b that leaves the least variance. Return two things: the n gradients, and how many times smaller their variance is than without a baseline. How much do you save in section 2, with the constant of −500? *Hint: the variance of $(h - b)\,\varepsilon$ is a parabola in b. Its lowest point is not always the mean of h.*

# %%
answer = None  # def answer(h, noise, std): ...
check("1.5", answer)

# %% [markdown]
# ## Summary
#
# - $\log p(x)$ = ELBO + gap, an identity. q can only move nats from the gap to the ELBO.
# - Reparametrise: same gradient on average, less noise (how much less depends on the model and the baseline).
# - The amortisation gap of a small VAE is mostly the jitter of its last steps: let the learning rate fall before you measure it.
# - Bernoulli loss on grey pictures has a floor. Sums over pixels, or β is not what you think.
#
# **Readings.** Kingma and Welling 2014 (VAE); Rezende et al. 2014; Cremer et al. 2018, *Inference suboptimality in variational autoencoders*; Burgess et al. 2018, sections 2 and 3.
