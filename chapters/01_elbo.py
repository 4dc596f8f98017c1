# %% [markdown]
# # Chapter 1 · Derive the ELBO, watch its gap, and train a VAE that you wrote yourself
#
# Everything in this course is about two terms of one loss. This chapter derives them, checks them by a second route where there is one, and builds a VAE from nothing.
#
# **By the end you will have shown that**
#
# 1. $\log p(x) = \mathrm{ELBO} + \mathrm{KL}(q \Vert \text{true posterior})$, exactly: the gap is a KL, it is never negative, and it shrinks as q improves (to zero only if q can be the true posterior);
# 2. the reparametrised gradient and the score-function gradient have the same mean, and the second is noisier: a few times in variance here, thousands of times if a large constant is left in the loss (a baseline would take it out);
# 3. an encoder network pays for being one network for all pictures (the amortisation gap), and the less the longer it is trained;
# 4. "reconstruction error" means different things to different decoders, has a floor on grey pictures, and a careless mean over pixels multiplies β by 4096.
#
# **You need** calculus, Gaussian densities, a little PyTorch. **Time:** 50 minutes to read, under a minute of CPU time.

# %% [markdown]
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
# | $p(z \mid x)$, $q(z \mid x)$ | true posterior, and the Gaussian that stands in for it | – |
# | ELBO | $\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \Vert p(z))$ | nats |
# | gap | $\log p(x) - \mathrm{ELBO}$ | nats |
#
# **A word on Eq. 1 and 2 of Burgess et al. (2018), "the paper" throughout.** (θ are the decoder's weights, $\mathcal L$ is the ELBO.) As printed, Eq. 1 maximises $\mathbb E_q \log p(x \mid z)$, and Eq. 2 has $\log p(x \mid z)$ on the left and $p(z)$ in the KL (though its text says "true posterior"). What is meant is the marginal likelihood: Eq. 1 is $\max_\theta \mathbb E \log p_\theta(x)$ and Eq. 2 is
# $\log p_\theta(x) = \mathrm{KL}(q(z \mid x) \Vert p(z \mid x)) + \mathcal L$, with the true posterior in the KL. Eq. 3 is right once its left side is $\log p_\theta(x)$.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from minivae import figures, gaussian
from minivae.checks import check
from minivae.datasets import Blobs
from minivae.models import VAE
from minivae.objectives import bernoulli_floor, bernoulli_nll
from minivae.widgets import ElboExplorer

# %% [markdown]
# ## 1. Where the bound comes from
#
# We want a model whose $p(x) = \int p(x \mid z)\, p(z)\, dz$ is large on the data. The integral is out of reach for a network, so bring in any density q over z and write, for *every* z,
#
# $$ \log p(x) = \log \frac{p(x \mid z)\, p(z)}{p(z \mid x)} = \log p(x \mid z) - \log \frac{q(z)}{p(z)} + \log \frac{q(z)}{p(z \mid x)} . $$
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
    fit = -0.5 * ((x - w * mean) ** 2 + w**2 * std**2) / s**2 - 0.5 * math.log(2 * math.pi * s**2)
    return fit - (0.5 * (mean**2 + std**2 - 1) - math.log(std))


print("q                       ELBO     gap     sum   log p(x)")
for name, mean, std in (("bad (far off)", -1.0, 0.3), ("good", 0.9, 0.6), ("optimal", post_mean, post_std)):
    gap = gaussian.kl_between(*torch.tensor([mean, math.log(std), post_mean, math.log(post_std)]).double()).item()
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
    fit = -0.5 * ((observed - decoded) / 0.3) ** 2 - math.log(0.3) - 0.5 * math.log(2 * math.pi)
    return fit - 0.5 * z**2 - 0.5 * math.log(2 * math.pi)


log_p = torch.trapezoid(log_joint(grid).exp(), grid).log()


def elbo_and_gap(mean, std):
    """ELBO and KL(q ‖ p(z|x)) by quadrature; their sum is log p(x) by algebra, what can fail is the gap's sign."""
    mean, log_std = torch.as_tensor(mean, dtype=torch.float64), torch.as_tensor(std, dtype=torch.float64).log()
    log_q = gaussian.log_density(grid, mean, log_std)
    q = log_q.exp()
    elbo = torch.trapezoid(q * (log_joint(grid) - log_q), grid)
    gap = torch.trapezoid(q * (log_q - (log_joint(grid) - log_p)), grid)
    return elbo, gap


mean, log_std = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (-1.0, 0.0))
optimizer = torch.optim.Adam([mean, log_std], lr=0.05)
elbos, gaps = [], []
for _ in range(300):
    elbo, gap = elbo_and_gap(mean, log_std.exp())
    optimizer.zero_grad()
    (-elbo).backward()
    optimizer.step()
    elbos.append(elbo.item())
    gaps.append(gap.item())

print(
    f"log p(x) = {log_p:.4f};  first q: ELBO {elbos[0]:.2f}, gap {gaps[0]:.2f};  last q: ELBO {elbos[-1]:.4f}, gap {gaps[-1]:.4f}"
)
assert all(
    abs(e + g - log_p.item()) < 1e-8 for e, g in zip(elbos, gaps, strict=True)
)  # bookkeeping: the independent test of the identity is the linear model above
assert min(gaps) > 0  # never changes sign; and since no Gaussian is this posterior, it never closes altogether
assert gaps[-1] < 0.1 < gaps[0]

# %%
figures.elbo_gap(log_joint, mean=0.3, std=0.6)
plt.show()

# %% [markdown]
# *Figure 1.1. Left: the true posterior of the bent model (grey) and a Gaussian q (blue). Right: log p(x) in three steps. From 0 down by the expected log-likelihood, further down by the KL to the prior: that is the ELBO (dotted). The gap leads up to log p(x) (dashed), always to the same height.*
#
# The first puzzle: log p(x) does not rise at all. Only a better *decoder* can raise it.

# %% tags=["nbval-ignore-output"]
ElboExplorer(log_joint)

# %% [markdown]
# *Tasks.* (1) Find the q with the smallest gap. Is its σ that of the grey curve? (2) Make σ tiny: which of the two terms of the ELBO ruins it?
#
# <details><summary>What you should have found</summary>
#
# (1) Near mean 0.8, σ 0.34: a gap of 0.09 nats, and no smaller, since the grey curve has a long tail to the right and a Gaussian has none. Its σ is less than the grey curve's 0.41: KL(q ‖ p) punishes q for reaching where p is not. (2) The KL to the prior, which grows like $-\log σ$ without end; the expected log-likelihood improves and levels off. Make σ large instead, and it is the expected log-likelihood that ruins the ELBO.
# </details>

# %%
# the numbers of the answer: the best q on a grid, the width of the true posterior, and the fit as σ shrinks
tried = {
    (m, s): elbo_and_gap(m, s)[1].item()
    for m in torch.arange(0.5, 1.2, 0.05).tolist()
    for s in torch.arange(0.2, 0.6, 0.02).tolist()
}
(best_mean, best_std), least = min(tried.items(), key=lambda item: item[1])
posterior = (log_joint(grid) - log_p).exp()
posterior_mean = torch.trapezoid(posterior * grid, grid)
grey_std = torch.trapezoid(posterior * (grid - posterior_mean) ** 2, grid).sqrt()
print(f"best q: mean {best_mean:.1f}, σ {best_std:.2f}, gap {least:.2f} nats; σ of the grey curve {grey_std:.2f}")
assert abs(best_mean - 0.8) < 0.06 and abs(best_std - 0.34) < 0.03 and abs(least - 0.09) < 0.01
assert best_std < grey_std < 0.45
fits = torch.stack(
    [
        elbo_and_gap(0.3, s)[0] + gaussian.kl_per_latent(torch.tensor(0.3).double(), torch.tensor(s).double().log())
        for s in (0.6, 0.3, 0.1, 0.05)
    ]
)
assert (fits.diff() > 0).all() and fits.diff()[-1] < 0.1 * fits.diff()[0]  # it improves, and levels off

# %% [markdown]
# ## 2. Two ways to a gradient
#
# The ELBO is an average over q, and q is what we want to change. Eq. 4 moves the randomness out of the way: $z = \mu + \sigma \varepsilon$, and the gradient passes through z. The older way needs no gradient of the model at all: $\nabla \mathbb E_q[h] = \mathbb E_q[h\, \nabla \log q]$, the score function, because $\nabla q = q \nabla \log q$. (Here $h = \log p(x, z) - \log q(z)$ depends on q too, but $\mathbb E_q[\nabla \log q] = \nabla \int q = 0$, so that part drops out.) Compare them where the truth is known, by quadrature.

# %%
m, s_q = torch.tensor(0.3, dtype=torch.float64, requires_grad=True), torch.tensor(0.6, dtype=torch.float64)
(truth,) = torch.autograd.grad(elbo_and_gap(m, s_q)[0], m)

noise = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
many = m.detach().expand(200_000).clone().requires_grad_()
z = many + s_q * noise  # Eq. 4
h = log_joint(z) - gaussian.log_density(z, many, s_q.log())
(reparametrised,) = torch.autograd.grad(h.sum(), many)
score = (h * noise / s_q).detach()  # ∇ log q = (z − μ)/σ² = ε/σ

for name, samples in (("reparametrised", reparametrised), ("score function", score)):
    error = samples.std() / math.sqrt(len(samples))
    print(f"{name}: mean {samples.mean():.2f} ± {error:.2f}, truth {truth:.2f}")
    assert abs(samples.mean() - truth) < 4 * error
ratio = (score.var() / reparametrised.var()).item()
print(f"the score function's variance is {ratio:.0f} times as large in this one-dimensional model")
assert ratio > 2

# %% [markdown]
# With one latent the ratio is modest. It grows with everything that h sums over and z does not influence: 4096 pixels make h thousands of nats large, and the score multiplies all of it by noise. Add a constant of −500 nats to log p, as a picture's loss would:

# %%
big = ((h - 500) * noise / s_q).detach()
print(f"with a loss of 500 nats the ratio of variances is {big.var() / reparametrised.var():.0e}")
assert big.var() / reparametrised.var() > 1e3

# %% [markdown]
# (A baseline, a constant subtracted from h, repairs this particular constant; it cannot repair what varies from sample to sample.)
#
# ## 3. A VAE from nothing
#
# The smallest data set with one hidden factor: a soft bump on a strip of 16 pixels, somewhere. Encoder, decoder and loss in a dozen lines:


# %%
def strips(n, generator):
    centre = 2 + 12 * torch.rand(n, 1, generator=generator)
    return torch.exp(-((torch.arange(16) + 0.5 - centre) ** 2) / (2 * 1.5**2))


def mlp(*sizes):
    layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def train_strip_vae(reduce, steps=1500, seed=0):
    torch.manual_seed(seed)
    encoder, decoder = mlp(16, 64, 64, 2), mlp(1, 64, 64, 16)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = strips(64, generator)
        mean, log_std = encoder(x).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        nll = reduce(F.binary_cross_entropy_with_logits(decoder(z), x, reduction="none"))
        kl = gaussian.kl_per_latent(mean, log_std).sum(1).mean()
        optimizer.zero_grad()
        (nll + kl).backward()
        optimizer.step()
    return encoder.requires_grad_(False), decoder.requires_grad_(False)


encoder, decoder = train_strip_vae(lambda nll: nll.sum(1).mean())  # sum over pixels, mean over the batch
test = strips(256, torch.Generator().manual_seed(9))
mean, log_std = encoder(test).chunk(2, dim=1)
print(f"KL {gaussian.kl_per_latent(mean, log_std).mean():.2f} nats")
excess = bernoulli_nll(decoder(mean), test) - bernoulli_floor(test)
print(f"a reconstruction is {excess.mean():.1f} nats above the best possible one")
blind = torch.logit(test.mean(0)).expand_as(test)
assert excess.mean() < 0.5 * (bernoulli_nll(blind, test) - bernoulli_floor(test)).mean()

# %% [markdown]
# ### The amortisation gap
#
# One latent: log p(x) of this trained model is an integral we can do. So three numbers can be told apart for a picture: the ELBO with the encoder's q, the ELBO with the *best* Gaussian q for that picture, and log p(x). The first difference is the price of having one
# network for all pictures, as far as it is trained (amortisation), the second that of q being Gaussian. (The strips are grey, so $e^{-\text{loss}}$ is not normalised over x, section 4. For a fixed picture that does no harm: the identity holds for any non-negative function in place of $p(x \mid z)$.)

# %% tags=["nbval-ignore-output"]
points = torch.linspace(-6, 6, 1201, dtype=torch.float64)
log_prior = gaussian.log_density(points, points.new_zeros(()), points.new_zeros(()))[:, None]


def gaps(encoder, decoder, images):
    """Mean amortisation gap and Gaussian gap over the pictures (n, 16), by the trapezoid rule on the points."""
    n, decoder = len(images), decoder.double()
    log_px_given_z = -bernoulli_nll(
        decoder(points[:, None]).repeat_interleave(n, 0), images.double().repeat(len(points), 1)
    ).view(-1, n)

    def elbo(mean, log_std):
        log_q = gaussian.log_density(points[:, None], mean, log_std)
        return (log_q.exp() * (log_px_given_z + log_prior - log_q)).sum(0) * 0.01

    evidence = torch.logsumexp(log_px_given_z + log_prior, 0) + math.log(0.01)
    by_encoder = [v[:, 0].double() for v in encoder(images).chunk(2, dim=1)]
    free = [v.clone().requires_grad_() for v in by_encoder]
    optimizer = torch.optim.Adam(free, lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        (-elbo(*free).sum()).backward()
        optimizer.step()
    best = elbo(*free).detach()
    assert (best >= elbo(*by_encoder) - 1e-6).all() and (evidence >= best - 1e-6).all()
    return (best - elbo(*by_encoder)).mean().item(), (evidence - best).mean().item()


longer = train_strip_vae(lambda nll: nll.sum(1).mean(), steps=6000)
amortisation, gaussian_gap = zip(gaps(encoder, decoder, test[:32]), gaps(*longer, test[:32]), strict=True)
for steps, a, g in zip((1500, 6000), amortisation, gaussian_gap, strict=True):
    print(f"{steps} steps: amortisation gap {a:.3f} nats, Gaussian gap {g:.3f} nats")
assert amortisation[0] > 0 and amortisation[1] < 0.5 * amortisation[0]

# %% [markdown]
# So most of the encoder's price after 1,500 steps was unfinished training: four times as many take most of it away.
#
# ## 4. What "reconstruction error" means
#
# **Gaussian decoder**, variance $s^2$: $-\log p(x \mid z) = \lVert x - \hat x \rVert^2 / 2 s^2 + \text{const}$. Whoever uses the plain squared error has $s^2 = \tfrac12$, and any other weight on it is a β in disguise: only $\beta s^2$ matters for the optimum (chapter 2).
#
# **Bernoulli decoder**: $-\log p(x \mid z) = -\sum_j \left[x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j)\right]$. The paper's choice. On grey pixels it is not the likelihood of anything, but it works, with one trap: its least value, at $\hat x = x$, is the entropy $\sum_j H_b(x_j)$ with $H_b(p) = -p \log p - (1-p) \log(1-p)$, **not zero** (the second puzzle). Subtract the floor before comparing. Below, `Blobs(sigma=6)` is one soft spot of width 6 pixels on 64 × 64.

# %%
images, _ = Blobs(sigma=6).sample(100, torch.Generator().manual_seed(0))
perfect = bernoulli_nll(torch.logit(images, eps=1e-7), images).mean()
floor = bernoulli_floor(images).mean()
print(f"loss of a perfect reconstruction of a blob of width 6: {perfect:.0f} nats; its floor: {floor:.0f} nats")
assert abs(perfect - floor) < 0.5 and floor > 300
assert bernoulli_floor(images.round()).max() == 0  # black and white: no floor

guess = images.clamp(0.02, 0.98)
gaussian_nll = -torch.distributions.Normal(guess, math.sqrt(0.5)).log_prob(images).sum((1, 2, 3))
squared = ((images - guess) ** 2).sum((1, 2, 3))
assert torch.allclose(gaussian_nll - squared, (gaussian_nll - squared)[0], atol=0.01)  # s² = ½: the plain squared error

# %% [markdown]
# ### A mean over pixels multiplies β by 4096
#
# If the reconstruction is averaged over the 64 × 64 pixels and the KL stays a sum, the loss is $\frac{1}{4096}\left(\text{sum} + 4096\,\mathrm{KL}\right)$. Adam does not care about the factor in front. So "β = 1" is β = 4096 (the third puzzle). It is an easy mistake to make, and nothing warns of it. On the network of the paper's appendix, by its gradient:

# %%
vae = VAE(generator=torch.Generator().manual_seed(0))


def gradient(reduce, beta):
    logits, mean, log_std = vae(images[:16], torch.Generator().manual_seed(1))
    nll = F.binary_cross_entropy_with_logits(logits, images[:16], reduction="none").flatten(1)
    loss = reduce(nll) + beta * gaussian.kl_per_latent(mean, log_std).sum(1).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, vae.parameters())])


careless = gradient(lambda nll: nll.mean(), beta=1)
meant = gradient(lambda nll: nll.sum(1).mean(), beta=4096)
assert torch.allclose(4096 * careless, meant, rtol=1e-3, atol=1e-3 * meant.abs().max())
print(
    f"length of 4096 × the careless gradient, over that of the one meant: {4096 * careless.norm() / meant.norm():.3f}"
)
wrong_price = gradient(lambda nll: nll.sum(1).mean(), beta=2048)
assert not torch.allclose(4096 * careless, wrong_price, rtol=1e-3, atol=1e-3 * meant.abs().max())  # the test can fail

# %% [markdown]
# And by training, on the strips (16 pixels, so β = 16 instead of 1), where it costs a second:

# %%
careful_kl = gaussian.kl_per_latent(*encoder(test).chunk(2, dim=1)).sum(1).mean().item()
encoder_mean, _ = train_strip_vae(lambda nll: nll.mean())
careless_kl = gaussian.kl_per_latent(*encoder_mean(test).chunk(2, dim=1)).sum(1).mean().item()
print(f"KL with the sum over pixels {careful_kl:.1f} nats, with the mean {careless_kl:.1f} nats")
assert careless_kl < 0.4 * careful_kl

# %% [markdown]
# The careless model says next to nothing about the strip: the latent has died (*posterior collapse*), with the same code, the same "β", and no warning.
#
# ## 5. From the ELBO to β
#
# Eq. 5 is Eq. 3 with a price: $\mathcal L = \mathbb E_q[\log p(x \mid z)] - \beta\, \mathrm{KL}$. For β > 1 it lies $(\beta - 1)\,\mathrm{KL}$ below the ELBO, so it is still a bound on log p(x), only a looser one. What it buys is the subject of the course: chapter 2 reads the KL as a
# channel's rate, chapter 3 as overlap, chapter 4 sees what β = 150 does to a blob.
#
# ## 6. The paper and this chapter, side by side
#
# | paper | here |
# |---|---|
# | Eq. 1 and 2 with $\log p(x \mid z)$ for $\log p(x)$ | the marginal $\log p(x)$; the identity checked against a closed-form KL, the bound at every step of an optimisation |
# | Eq. 3, a lower bound | the gap is KL(q ‖ true posterior), watched shrinking |
# | Eq. 4, the reparametrisation "trick" | same mean as the score function, variance ratio measured |
# | reductions not stated | sums over pixels and latents, means over the batch; anything else changes β |
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
# - Bernoulli loss on grey pictures has a floor. Sums over pixels, or β is not what you think.
#
# **Readings.** Kingma and Welling 2014 (VAE); Rezende et al. 2014; Cremer et al. 2018, *Inference suboptimality in variational autoencoders*; Burgess et al. 2018, sections 2 and 3.
