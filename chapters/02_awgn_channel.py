# %% [markdown]
# # Chapter 2 · Send messages through a latent, and find out what a nat of KL buys
#
# Section 4.2 of Burgess et al. (2018) says, in passing, that a latent of a β-VAE is a channel with additive white Gaussian noise, and that the KL term bounds what it can carry. This chapter
# takes the sentence seriously. It pays: by its end we can solve a whole (linear) β-VAE with pencil and paper, and the solution already shows most
# of what chapters 4 to 6 are about.
#
# **By the end you will have shown that**
#
# 1. the KL of a latent is zero only if it says nothing, and $\mathbb E\,\mathrm{KL} = I(x; z) + \mathrm{KL}(q(z)\Vert p(z))$: the KL bounds the information, and you can compute the slack;
# 2. at its best scale a centred latent's KL is Shannon's $\tfrac12 \log(1 + \mathrm{SNR})$, and an input whose mean is not zero pays for sending the mean;
# 3. messages sent through a latent come back right or wrong as that number says;
# 4. several latents share a rate by *reverse water-filling*, and **a linear β-VAE does exactly this**: which components are encoded, at which capacity each turns on, which share equally, what β means, when everything collapses, and why a rotated code costs extra (and when it does not).
#
# **You need** Gaussian densities, eigenvalues, the ELBO ([chapter 1](01_elbo.ipynb)). **Time:** 60 minutes to read, under a minute of CPU time.

# %% [markdown]
# ## A puzzle before we start
#
# - A latent has 2 nats of KL. Can it tell apart ten messages without mistakes? (e² is about 7.4.)
# - A model encodes two independent factors, of variances 4 and 1, and may spend 1 nat. How should it split it: by halves, by the variances, or all on the first?
# - One model stores a factor that runs from −1 to 1, another the same factor running from 0 to 2. Do they pay the same KL?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $z = \mu(x) + \sigma \varepsilon$ | a latent: signal plus noise, $\varepsilon \sim \mathcal N(0,1)$ | – |
# | $\mathrm{KL}$ | $\mathbb E_x\, \mathrm{KL}(q(z \mid x) \Vert p(z))$, the rate | nats |
# | $I(x; z)$ | mutual information: what z tells of x | nats |
# | $q(z)$ | $\mathbb E_x\, q(z \mid x)$, the mean posterior of all pictures: the density of the channel's output | – |
# | SNR | $\operatorname{Var} \mu / \sigma^2$ | – |
# | $\lambda_i$ | variance of the data along its i-th principal component | – |
# | $s^2$ | variance of the decoder's noise, $p(x \mid z) = \mathcal N(Wz, s^2 I)$ | – |
# | $\eta = \beta s^2$, $t_i = \lambda_i / \eta$ | the water level, and a component's variance in units of it | – |
# | $\kappa$, $w$ | gain of a linear encoder and of a linear decoder | – |
# | $\omega$ | angle by which a code is turned | degrees |
# | $C$ | a capacity: the total rate that the latents may use | nats |
#
# One nat is $1/\ln 2 = 1.44$ bits.

# %%
import math
from functools import partial

import matplotlib.pyplot as plt
import torch

from minivae import channel, gaussian
from minivae.course import figures
from minivae.course.checks import check
from minivae.course.explorers import (
    ChannelExplorer,
    TiltedEllipseExplorer,
    WaterLevelExplorer,
)

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. What the KL charges for
#
# For one picture, $\mathrm{KL} = \tfrac12(\mu^2 + \sigma^2 - 1) - \log \sigma$. It is zero if and only if μ = 0 and σ = 1: both $\mu^2/2$ and $\tfrac12(\sigma^2 - 1) - \log \sigma$ are non-negative, and each is zero at one point only. A latent
# that says nothing is free. A latent has two ways to say something, and pays for both: **spread the means** or **shrink the noise**. Spreading works alone. Shrinking does not: with all means equal, small noise is paid for and says nothing.

# %%
spread, shrink = torch.linspace(0, 3, 31), torch.linspace(0, -3, 31)
for_spread = gaussian.kl_per_latent(spread, torch.zeros(31))
for_noise = gaussian.kl_per_latent(torch.zeros(31), shrink)
assert for_spread[0] == for_noise[0] == 0
assert (for_spread.diff() > 0).all() and (for_noise.diff() > 0).all()
for mean, std in ((2.0, 1.0), (0.0, 0.1)):
    kl = gaussian.kl_per_latent(torch.tensor(mean), torch.tensor(std).log())
    print(f"μ = {mean:.0f}, σ = {std}: {kl:.2f} nats")
spread_alone = channel.mutual_information(torch.tensor([-2.0, 2.0]), 1.0)
noise_alone = channel.mutual_information(torch.tensor([0.0, 0.0]), 0.1)
print(f"two messages at ±2 with σ = 1 tell {spread_alone:.2f} nats")
print(f"two messages at 0 with σ = 1/10 tell {noise_alone.abs():.2f} nats")
assert spread_alone > 0.5 and abs(noise_alone) < 1e-9

# %% [markdown]
# ## 2. The KL bounds the information
#
# How much does z tell about x? Mutual information is the mean of $\log q(z \mid x) / q(z)$. The KL is the mean of $\log q(z \mid x)/p(z)$. Insert $q(z)$:
#
# $$ \underbrace{\mathbb E \log \frac{q(z \mid x)}{p(z)}}_{\mathbb E\,\mathrm{KL}} = \underbrace{\mathbb E \log \frac{q(z \mid x)}{q(z)}}_{I(x; z)} + \underbrace{\mathbb E \log \frac{q(z)}{p(z)}}_{\mathrm{KL}(q(z) \Vert p(z)) \;\ge\; 0} . $$
#
# So $I(x; z) \le \mathbb E\,\mathrm{KL}$, with equality when the channel's output is distributed as the prior. The last term is the **slack**: nats that are paid for and tell nothing.
# Take eight equally likely messages at evenly spaced means and compute all three, each on its own (information and slack by quadrature, the KL in closed form):


# %%
def slack(means, std):
    """KL(q(z) ‖ p(z)) by the trapezoid rule on a fine grid of z."""
    z = torch.linspace(-15, 15, 30_001)
    log_each = gaussian.log_density(z[:, None], means, math.log(std) + 0 * means)
    log_q = torch.logsumexp(log_each, 1) - math.log(len(means))
    log_p = gaussian.log_density(z, torch.tensor(0.0), torch.tensor(0.0))
    return torch.trapezoid(log_q.exp() * (log_q - log_p), z)


print(" spread     σ    E KL  = I(x;z) +  slack")
for reach, std in ((1.0, 1.0), (1.5, 0.5), (1.5, 0.1), (4.0, 1.0)):
    means = torch.linspace(-reach, reach, 8)
    kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
    information = channel.mutual_information(means, std)
    wasted = slack(means, std)
    print(f"±{reach:.1f} {std:9.1f} {kl:7.3f} {information:9.3f} {wasted:8.3f}")
    assert abs(kl - information - wasted) < 1e-6
    assert 0 < information < min(kl, math.log(8))

comb = slack(torch.linspace(-1.5, 1.5, 8), 0.1)
box = slack(torch.linspace(-1.5, 1.5, 400), 0.1)
mistaken = 2 * (1 - 1 / 8) * torch.special.ndtr(torch.tensor(-1.5 / 7 / 0.1))
print(f"third line: {mistaken:.1%} of the messages are mistaken (section 4)")
print(f"slack of 400 messages in place of its 8: {box:.3f}")
assert mistaken < 0.03 and 0.45 < box / comb < 0.52

# %% [markdown]
# Read the third line. The posteriors are so narrow that fewer than 3 % of the messages are mistaken, and the information is close to $\log 8 = 2.08$ nats. Still the KL is higher, by a slack of 0.29 nats. The slack has two causes. The density q(z) is a comb of eight needles, and the outline of the comb is a flat box where the prior is round. Put 400 messages on the same range: the comb is gone, the box remains, and with it half of the slack. **A KL of 25 nats is not 25 nats of information.** [Chapter 5](05_capacity_generator.ipynb) will need this.
#
# ## 3. The best scale, and Shannon's formula
#
# Let a factor $f$ with mean $m$ and variance $v$ go into the channel as $z = a f + \sigma \varepsilon$. How well $f$ can be read from z depends on the ratio SNR $= a^2 v / \sigma^2$ only. So keep the ratio and choose the scale that costs least. With
# $\mathbb E \mu^2 = a^2 (v + m^2) = \sigma^2\, \mathrm{SNR}\,(1 + m^2/v)$,
#
# $$ \mathbb E\,\mathrm{KL} = \tfrac12\left( \sigma^2 A - 1 \right) - \tfrac12 \log \sigma^2, \qquad A = 1 + \mathrm{SNR}\left(1 + \frac{m^2}{v}\right), $$
#
# which is least at $\sigma^2 = 1/A$, where it is
#
# $$ \boxed{\;\mathrm{KL} = \tfrac12 \log A = \tfrac12 \log\!\left(1 + \mathrm{SNR}\left(1 + \tfrac{m^2}{v}\right)\right)\;} $$
#
# For a centred factor this is $\tfrac12 \log(1 + \mathrm{SNR})$: the capacity of the AWGN channel, found by minimising a VAE's loss. (If f is Gaussian, it is also the information $I(f; z)$. For any other f of this variance the information is smaller, and the rest is slack. The cell shows a uniform f.) If the mean is not zero, **the latent pays to send the mean**, which tells nothing.


# %%
def cheapest(snr, m, v):
    """The least KL over a fine grid of σ, at a given SNR, from Eq. 5's KL alone."""
    std = torch.logspace(-3, 0, 4001)
    a2 = snr * std**2 / v
    return (0.5 * (a2 * (v + m**2) + std**2 - 1) - std.log()).min()


print("SNR  mean  variance   KL    of which for the mean (nats)")
cases = ((1.0, 0.0, 1.0), (15.0, 0.0, 0.3), (15.0, 1.0, 1 / 3), (15.0, 2.0, 1 / 3))
for snr, m, v in cases:
    formula = channel.awgn_capacity(snr * (1 + m**2 / v))
    found, for_mean = cheapest(snr, m, v), formula - channel.awgn_capacity(snr)
    print(f"{snr:3.0f} {m:5.2f} {v:7.2f} {found:8.3f} {for_mean:8.3f}")
    assert abs(found - formula) < 1e-5

# how much of the KL is information, at an SNR of 15 (f centred, of variance 1)
f = torch.linspace(-6, 6, 161)
normal = torch.softmax(-0.5 * f**2, 0)  # probabilities of a Gaussian f on a grid
of_gaussian = channel.mutual_information(15**0.5 * f, 1.0, normal)
of_uniform = channel.mutual_information(45**0.5 * torch.linspace(-1, 1, 161), 1.0)
capacity = channel.awgn_capacity(15.0)
print(f"KL {capacity:.3f} nats: a Gaussian f tells {of_gaussian:.3f}, ", end="")
print(f"a uniform f {of_uniform:.3f}")
assert abs(of_gaussian - capacity) < 1e-4
assert of_uniform < of_gaussian - 0.05

# %% [markdown]
# The third puzzle is answered: a factor on [0, 2] (mean 1, variance 1/3) costs 0.67 nats more than the same factor on [−1, 1], at an SNR of 15. A VAE's encoder can learn to centre its means and pays nothing; the generator of [chapter 5](05_capacity_generator.ipynb) cannot, and it shows.
#
# ## 4. Send something
#
# Put $K$ evenly spaced, equally likely messages on a centred latent at its best scale, add the noise, and let the receiver take the nearest. An inner message is mistaken when the noise exceeds half the spacing $d$ on either side, an outer one on one side only:
# $P(\text{wrong}) = 2(1 - 1/K)\,\Phi(-d/2\sigma)$, with Φ the normal distribution function and $d/\sigma = \sqrt{12\,\mathrm{SNR}/(K^2 - 1)}$, SNR $= e^{2\mathrm{KL}} - 1$.


# %%
def send(messages, levels, kl, generator):
    """What is read of integers 0 … levels−1 sent through a latent of this KL."""
    snr = math.expm1(2 * kl)
    std = (1 / (1 + snr)) ** 0.5
    points = torch.linspace(-1, 1, levels)
    points = points / points.std(unbiased=False) * (snr**0.5 * std)  # best scale
    z = points[messages] + std * torch.randn(messages.shape, generator=generator)
    return (z[..., None] - points).abs().argmin(-1), (points[1] - points[0]) / std


generator = torch.Generator().manual_seed(0)
print("  K  log K   KL   wrong (sent)  wrong (formula)")
for levels in (2, 4, 10):
    for kl in (1.0, 2.0, 3.0):
        messages = torch.randint(levels, (100_000,), generator=generator)
        read, d = send(messages, levels, kl, generator)
        wrong = (read != messages).double().mean().item()
        formula = (2 * (1 - 1 / levels) * torch.special.ndtr(-d / 2)).item()
        nats = math.log(levels)
        print(f"{levels:3d} {nats:6.2f} {kl:4.0f} {wrong:12.1%} {formula:12.1%}")
        sampling_error = math.sqrt(max(formula, 1e-4) / len(messages))
        assert abs(wrong - formula) < 4 * sampling_error

# %% [markdown]
# The first puzzle: no. Ten messages are 2.30 nats, more than the 2 there are, and almost one in five is mistaken. But even enough nats are not enough: two messages (0.69 nats) through 1 nat are still mistaken now and then. Capacity is a promise about long blocks of uses with clever coding; a latent is used *once* per picture, so it needs more nats than $\log K$ for $K$ safe messages, and, more
# to the point, it had better arrange its messages so that a mistake does little harm. That is [chapter 3](03_posterior_overlap.ipynb).
#
# Now a picture: every pixel, one of four grey levels, is one use of the latent.

# %%
along = torch.linspace(-1, 1, 48)
radius = (along[:, None] ** 2 + along**2).sqrt()
picture = ((1 - radius).clamp(0, 0.999) * 4).long()  # a cone in four steps of grey
received = {}
for kl in (0.5, 1.0, 2.0, 3.0):
    received[kl], _ = send(picture, 4, kl, torch.Generator().manual_seed(1))
shown = torch.stack([picture, *received.values()])[:, None] / 3
figures.image_row(shown, ["sent", *(f"{kl} nats" for kl in received)])
plt.show()

wrong = torch.stack([(r != picture).double().mean() for r in received.values()])
assert (wrong.diff() <= 0).all() and wrong[0] > 0.3 and wrong[2] < 0.01
shares = picture.flatten().bincount() / picture.numel()
assert -torch.xlogy(shares, shares).sum() < math.log(4) - 0.05
for read in list(received.values())[:2]:
    missed = (read - picture).abs()
    assert (missed == 1).sum() > 0.7 * (missed > 0).sum()

# %% [markdown]
# *Figure 2.1. A picture in four grey levels sent through a latent scaled for equally likely levels (log 4 = 1.39 nats; the cone's levels are not equally likely and hold somewhat less). At 0.5 nats it drowns, at 1 it is noisy, with 2 or more fewer than 1 % of its pixels are wrong. Most mistakes are between neighbouring levels.*
#
# ## 5. Several channels: reverse water-filling
#
# A source has independent Gaussian components of variances $\lambda_1 \ge \lambda_2 \ge \dots$; we may spend $C$ nats in all and want the least squared error. A component that gets $r$ nats is left with the error $\lambda e^{-2r}$ (section 3: $r$ nats are an SNR of $e^{2r} - 1$, and the best linear guess from such a latent has the error $\lambda/(1 + \mathrm{SNR})$). The last nat must buy
# the same everywhere it is spent, $2 \lambda_i e^{-2 r_i} = 2\eta$, and components with $\lambda_i \le \eta$ get nothing, since even their first nat buys less:
#
# $$ r_i = \tfrac12 \log \frac{\lambda_i}{\eta} \;\text{ if } \lambda_i > \eta, \text{ else } 0; \qquad \text{error}_i = \min(\lambda_i, \eta). $$
#
# Pour water upside down: everything above the level η is removed, what is below stays as error. In code, with the level by bisection; the library has it in closed form.


# %%
def water_fill(eigenvalues, rate):
    low, high = 1e-12, eigenvalues.max().item()
    for _ in range(200):
        level = math.sqrt(low * high)
        used = (0.5 * (eigenvalues / level).log()).clamp(min=0).sum()
        low, high = (level, high) if used > rate else (low, level)
    return (0.5 * (eigenvalues / level).log()).clamp(min=0)


eigenvalues = torch.tensor([8.0, 4.0, 4.0, 1.5, 0.6, 0.2])
for rate in (0.2, 1.0, 3.0, 6.0):
    rates = water_fill(eigenvalues, rate)
    closed_form = channel.reverse_water_filling(eigenvalues, rate=rate)
    assert torch.allclose(rates, closed_form.rates, atol=1e-6)
    print(f"C = {rate:.1f} nats: " + "  ".join(f"{r:.2f}" for r in rates))

two = channel.reverse_water_filling(torch.tensor([4.0, 1.0]), rate=1.0).rates
print(f"the second puzzle: {two[0]:.2f} and {two[1]:.2f} nats")
assert torch.allclose(two, 0.5 + 0.5 * math.log(2) * torch.tensor([1.0, -1.0]))

# %% [markdown]
# ## 6. A linear β-VAE does exactly this
#
# Take the simplest β-VAE there is: linear encoder $\mu = V^\top x$, linear decoder $\mathcal N(Wz, s^2 I)$, data of mean zero with principal variances $\lambda_i$. Suppose latent $i$ looks after component $i$ alone (the end of this section says why nothing is cheaper), with encoder gain $\kappa$, decoder gain $w$ and noise σ. Its loss is
#
# $$ \ell = \frac{\lambda (1 - w \kappa)^2 + w^2 \sigma^2}{2 s^2} + \beta\left[ \tfrac12\left(\kappa^2 \lambda + \sigma^2 - 1\right) - \log \sigma \right] . $$
#
# *In σ:* $\;w^2 \sigma/s^2 + \beta \sigma = \beta/\sigma$, so $\sigma^2 = \eta / (w^2 + \eta)$ with $\eta = \beta s^2$.
# *In κ:* $\;w(1 - w\kappa) = \eta \kappa$, so $\kappa = w/(w^2 + \eta)$.
# *In w:* $\;\lambda \kappa (1 - w\kappa) = w \sigma^2$. Insert: $1 - w\kappa = \eta/(w^2 + \eta)$, so $\lambda w \eta / (w^2+\eta)^2 = w \eta/(w^2 + \eta)$: either $w = 0$, an *inactive* latent, or
#
# $$ \boxed{\; w^2 = \lambda - \eta, \qquad \sigma^2 = \frac{\eta}{\lambda}, \qquad \mathrm{KL} = \tfrac12 \log \frac{\lambda}{\eta}, \qquad \text{error} = \eta \;} \qquad (\lambda > \eta = \beta s^2). $$
#
# (For the error: $\lambda \eta^2/\lambda^2 + (\lambda - \eta)\eta/\lambda = \eta$. The active solution is cheaper whenever it exists: with $t = \lambda/\eta$, the inactive latent's loss is $\tfrac{\beta}{2} t$ and the active one's $\tfrac{\beta}{2}(1 + \log t)$, and $\log t \le t - 1$.) **This is reverse water-filling, with the water level $\beta s^2$.** Train one to see. The expectations over x and z are exact, so only the optimiser can go wrong:


# %%
def terms(V, W, log_std, covariance):
    """Expected squared error and KL per latent (latents,) of a linear VAE."""
    rest = torch.eye(len(covariance)) - W @ V.T
    error = torch.trace(rest @ covariance @ rest.T)
    error = error + (torch.exp(2 * log_std) * (W**2).sum(0)).sum()
    signal = ((covariance @ V) * V).sum(0)
    return error, 0.5 * (signal + torch.exp(2 * log_std) - 1) - log_std


def train_linear(covariance, latents, noise, beta, steps=3000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = len(covariance), latents
    V, W = (0.3 * torch.randn(shape, generator=generator) for _ in range(2))
    log_std = torch.zeros(latents)
    parameters = [p.requires_grad_() for p in (V, W, log_std)]
    optimizer = torch.optim.Adam(parameters, lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-5)
    for _ in range(steps):
        error, kl = terms(V, W, log_std, covariance)
        loss = error / (2 * noise) + beta * kl.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return [p.detach() for p in parameters]


generator = torch.Generator().manual_seed(3)
rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
covariance = rotation @ torch.diag(eigenvalues) @ rotation.T
noise = 0.25
trained = {}
for beta in (1.0, 4.0, 10.0, 20.0, 40.0):
    V, W, log_std = trained[beta] = train_linear(covariance, 6, noise, beta)
    error, kl = terms(V, W, log_std, covariance)
    theory = channel.linear_beta_vae(eigenvalues, noise, beta)
    found = kl.clamp(min=0).sort(descending=True).values
    rows = {f"β = {beta:2.0f}  trained": found, "        theory": theory.kl}
    for name, nats in rows.items():
        print(f"{name:16}" + " ".join(f"{k:.2f}" for k in nats))
    assert torch.allclose(found, theory.kl, atol=0.01)
    assert abs(error - eigenvalues.clamp_max(beta * noise).sum()) < 0.05
    stds = log_std.exp().sort().values
    assert torch.allclose(stds, theory.stds.sort().values, atol=0.02)

# %% [markdown]
# ### Read the solution
#
# **The collapse threshold.** A latent is inactive exactly if $\lambda_i \le \beta s^2$, and all are for $\beta \ge \lambda_1/s^2$. At β = 40 above, η = 10 exceeds all variances, and the trained model says nothing. [Chapter 4](04_blob_position.ipynb) finds the same for Bernoulli decoders and blobs.
#
# **Components turn on in order.** As β falls (or $C$ rises) the k-th starts when η reaches $\lambda_k$; by then the earlier ones carry
#
# $$ C_k = \tfrac12 \sum_{i<k} \log \frac{\lambda_i}{\lambda_k}. $$
#
# **Shared equally.** Between two turn-ons every active latent has $\tfrac12 \log(\lambda_i/\eta)$. As η falls, all grow *by the same amount*, and their totals are equal too if their variances are. The paper (section 4.3) sees "C always shared equally among X and Y".
#
# **β is a slope.** Reconstruction in nats is $D/2s^2$. ($D$ is the total squared error, $n$ the number of active latents.) Along the optimum, $dC = -\tfrac{n}{2}\, d\eta/\eta$ and $dD = n\, d\eta$, so $-\,d(\text{reconstruction})/dC = \eta/s^2 = \beta$: β is the price at which the model stops buying.

# %%
turn_on = []
for k in range(len(eigenvalues)):
    C = 0.5 * (eigenvalues[:k] / eigenvalues[k]).log().sum().item()
    turn_on.append(C)
    below = channel.reverse_water_filling(eigenvalues, rate=max(C - 0.01, 0.0))
    above = channel.reverse_water_filling(eigenvalues, rate=C + 0.01)
    assert below.rates[k] < 1e-9 < above.rates[k]
print("turn-on capacities: " + ", ".join(f"{C:.2f}" for C in turn_on) + " nats")

step = 1e-4
for beta in (2.0, 10.0):
    C = channel.linear_beta_vae(eigenvalues, noise, beta).kl.sum().item()
    more = channel.reverse_water_filling(eigenvalues, rate=C + step)
    less = channel.reverse_water_filling(eigenvalues, rate=C - step)
    fall = (less.distortions.sum() - more.distortions.sum()) / (2 * noise)
    slope = fall / (2 * step)
    print(f"β = {beta:.0f}: the slope of the rate–distortion curve is −{slope:.2f}")
    assert abs(slope / beta - 1) < 1e-3
    active = more.rates > 0
    gained = (more.rates - less.rates)[active]
    assert torch.allclose(gained, 2 * step / active.sum(), rtol=1e-3)  # equally

# the same three facts in trained models: the threshold, β as a slope, equal steps
threshold = (eigenvalues[0] / noise).item()
for beta in (0.95 * threshold, 1.05 * threshold):
    _, kl = terms(*train_linear(covariance, 6, noise, beta), covariance)
    largest = abs(kl.max().item())
    print(f"trained at {beta / threshold:.2f} of the threshold: {largest:.3f} nats")
    assert (largest > 0.01) == (beta < threshold)

error_a, kl_a = terms(*train_linear(covariance, 6, noise, 4.2), covariance)
error_b, kl_b = terms(*train_linear(covariance, 6, noise, 3.8), covariance)
slope = (error_a - error_b) / (2 * noise) / (kl_b.sum() - kl_a.sum())
kl_a, kl_b = (kl.sort(descending=True).values[:4] for kl in (kl_a, kl_b))
increments = kl_b - kl_a
print(f"trained at β = 4.2 and 3.8: slope −{slope:.1f}")
print("increments of the latents " + ", ".join(f"{v:.2f}" for v in increments))
assert abs(slope - 4.0) < 0.1 and increments.std() < 0.1 * increments.mean()

capacities = torch.linspace(0, 8, 161)
shares, left = [], []
for C in capacities.tolist():
    best = channel.reverse_water_filling(eigenvalues, rate=C)
    shares.append(best.rates)
    left.append(best.distortions.sum())
dots = {}
for beta in (1.0, 4.0, 10.0, 20.0):
    _, kl = terms(*trained[beta], covariance)
    dots[kl.sum().item()] = kl.sort(descending=True).values
shares, left = torch.stack(shares), torch.stack(left)
figures.turn_ons(capacities, shares, left, eigenvalues, trained=dots)
plt.show()

# %% [markdown]
# *Figure 2.2. Left: the rate of each component against the total capacity C (lines: theory; dots: the trained models). The second and third have equal variance and run on one line. Right: the squared error that is left.*
#
# **What you should see.** Six components, five turn-ons, parallel lines in between. Leave out the first, put "x and y" for the two equal ones and "scale" for a later one, and you have the top left panel of the paper's Figure 3.
#
# ### Why a rotated code costs extra, and when it does not
#
# We assumed that each latent looks after one principal component. A linear model can also mix two components: take the decoder $W R$, with a rotation R by an angle ω. It gives the same $p(x)$, and a posterior with a full covariance would do as well as before. But the posterior is *diagonal*. In turned axes the best posterior is tilted, and a diagonal one cannot follow.
#
# What does that cost? Divided by β, the loss is, up to a constant, $-\log p(x)$ of a VAE with decoder variance η plus the gap of its posterior ([chapter 1](01_elbo.ipynb)). The true posterior has the precision matrix $\Lambda = I + W^\top W/\eta$, the best diagonal Gaussian has $1/\sigma_i^2 = \Lambda_{ii}$, and the gap is $\tfrac12 \log(\prod_i \Lambda_{ii} / \det \Lambda)$.
#
# **With the gains kept.** Turn the optimal decoder. With $t_i = \lambda_i/\eta$ its precision matrix is
# $\begin{pmatrix} t_1 \cos^2\omega + t_2 \sin^2\omega & \cdot \\ \cdot & t_1 \sin^2\omega + t_2\cos^2\omega\end{pmatrix}$ with determinant $t_1 t_2$, and $p(x)$ has not changed, so
#
# $$ \text{extra loss}/\beta = \tfrac12 \log\left(1 + \frac{(t_1 - t_2)^2 \sin^2 2\omega}{4\, t_1 t_2}\right) . $$
#
# **With the gains readjusted.** A training would not keep the gains of a turned decoder. Let A and B be the variances that the model gives to the two components, in units of η. At 45° the loss is $\tfrac12(\log AB + t_1/A + t_2/B)$ for $-\log p(x)$ plus $\tfrac12 \log\left((A + B)^2/4AB\right)$ for the gap, and $\log AB$ cancels. It is least where $t_1/A^2 = t_2/B^2 = 2/(A+B)$, that is at $A + B = \tfrac12(\sqrt{t_1} + \sqrt{t_2})^2$, and there
#
# $$ \text{extra loss}/\beta = \log \frac{(\sqrt{t_1} + \sqrt{t_2})^2}{4 \sqrt{t_1 t_2}} . $$
#
# This is about half of the price with the gains kept. The readjusted decoder is a saddle of the loss over all decoders (asserted below), so a training that meets it does not stay. The aligned decoder has the least loss of all: it maximises $p(x)$, as in probabilistic PCA, and it has no gap.
#
# Both prices are zero at ω = 0, largest at 45°, **and zero at every angle if $t_1 = t_2$**. So latents align with components *that make different contributions*. That is the hypothesis of the paper's section 4.3, as a formula. It also says that two *equal* components, such as x and y, are not aligned in a linear model, where $t_1$ and $t_2$ are the same for every picture. [Chapter 4](04_blob_position.ipynb) finds pictures for which they are not, and there the same pressure aligns x and y.


# %%
def best_loss(W, variances, level):
    """Loss / β of a decoder W (2, 2) at the best encoder and diagonal posterior."""
    precision = torch.eye(2) + W.T @ W / level
    V = torch.linalg.solve(precision, W.T / level).T  # mean of the true posterior
    log_std = -0.5 * torch.diag(precision).log()
    error, kl = terms(V, W, log_std, torch.diag(variances))
    return error / (2 * level) + kl.sum()


def turned(gains, degrees):
    """Decoder with these gains, its code turned by an angle."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.diag(gains) @ torch.tensor([[c, -s], [s, c]])


def readjust(gains, degrees, variances, level):
    """The gains with the least loss at this angle, by descent on `best_loss`."""
    gains = gains.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [gains], max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        loss = best_loss(turned(gains, degrees), variances, level)
        loss.backward()
        return loss

    optimizer.step(closure)
    return gains.detach()


level = 0.5
print("variances   turned   gains kept   readjusted   (nats more, loss / β)")
for pair in ((8.0, 1.0), (8.0, 4.0), (4.0, 4.0)):
    variances = torch.tensor(pair)
    t1, t2 = variances / level
    gains = (variances - level).sqrt()
    aligned = best_loss(torch.diag(gains), variances, level)
    before = -1e-9
    for degrees in (0.0, 15.0, 30.0, 45.0):
        kept = best_loss(turned(gains, degrees), variances, level) - aligned
        new = readjust(gains, degrees, variances, level)
        free = best_loss(turned(new, degrees), variances, level) - aligned
        name = f"{pair[0]:.0f} and {pair[1]:.0f} {degrees:8.0f}°"
        print(f"{name} {abs(kept):12.3f} {abs(free):12.3f}")
        squared_sine = math.sin(2 * math.radians(degrees)) ** 2
        formula = 0.5 * torch.log1p((t1 - t2) ** 2 * squared_sine / (4 * t1 * t2))
        assert abs(kept - formula) < 1e-9 and free < kept + 1e-9
        assert free > before or t1 == t2  # it rises up to 45°
        before = free
    formula = torch.log((t1.sqrt() + t2.sqrt()) ** 2 / (4 * (t1 * t2).sqrt()))
    assert abs(free - formula) < 1e-6  # at 45°, by the descent
    if t1 == t2:
        assert abs(kept) < 1e-9 and abs(free) < 1e-9
        continue
    assert 0.45 < free / kept < 0.6  # about half
    # in all four entries of W: a stationary point, and no minimum
    W = turned(new, 45.0)
    loss_of = partial(best_loss, variances=variances, level=level)
    assert torch.autograd.functional.jacobian(loss_of, W).norm() < 1e-3
    hessian = torch.autograd.functional.hessian(loss_of, W).reshape(4, 4)
    assert torch.linalg.eigvalsh(hessian)[0] < -0.01

# no decoder beats the aligned one: not 500 random ones, not 500 near it
variances, generator = torch.tensor([8.0, 1.0]), torch.Generator().manual_seed(0)
optimal_W = torch.diag((variances - level).sqrt())
aligned = best_loss(optimal_W, variances, level)
for _ in range(500):
    near = optimal_W + 0.01 * torch.randn(2, 2, generator=generator)
    anywhere = 3.0 * torch.randn(2, 2, generator=generator)
    assert best_loss(near, variances, level) > aligned
    assert best_loss(anywhere, variances, level) > aligned

# and the trained models chose their axes so: active columns of W are principal
# directions, up to the pair of equal variance (components 1 and 2), free to turn
W = rotation.T @ trained[1.0][1]
columns = W[:, W.norm(dim=0) > 0.1]
share = columns.square() / columns.square().sum(0)
share = torch.stack([share[0], share[1] + share[2], *share[3:]])
print("squared length in one principal direction: ", end="")
print(", ".join(f"{v:.2f}" for v in share.amax(0)))
assert share.shape[1] == 5 and (share.amax(0) > 0.99).all()

# %% [markdown]
# ## 7. Drag the sliders
#
# **The water level** of section 6. Each bar is the variance of a component, on a logarithmic scale. What stands above the level η is sent, and what lies below stays as error. β, the capacity and the squared error are three handles of one point. Tasks: (1) Raise β slowly. At which values does a component become inactive? (2) Set the capacity to 3 nats. How many nats of reconstruction does one more nat buy there?
#
# <details><summary>What you should have found</summary>
#
# (1) At β = λ/s²: 0.8, 2.4, 6, 16 (two at once) and 32. (2) 3.3: the slope of the tangent is −β.
# </details>

# %% tags=["nbval-ignore-output"]
WaterLevelExplorer(eigenvalues.tolist(), noise)

# %% [markdown]
# **The tilted ellipse** behind the price of a rotated code (section 6). Tasks: (1) At which angle does a diagonal posterior cost most? (2) Can you make every angle free?
#
# <details><summary>What you should have found</summary>
#
# (1) At 45°: with the variances 0.08 and 0.6 it costs 0.44 nats, and 0.24 after the gains have readjusted. (2) Yes: with two equal variances the ellipse is a circle.
# </details>

# %% tags=["nbval-ignore-output"]
TiltedEllipseExplorer()

# %%
# the numbers of the two answers
onsets = eigenvalues / noise
assert torch.allclose(onsets, torch.tensor([32, 16, 16, 6, 2.4, 0.8]))
at_three = channel.reverse_water_filling(eigenvalues, rate=3.0)
assert abs(at_three.level / noise - 3.3) < 0.05
t1, t2 = 1 / 0.08, 1 / 0.6  # a latent's posterior variance is η/λ
kept = 0.5 * math.log1p((t1 - t2) ** 2 / (4 * t1 * t2))
free = math.log((t1**0.5 + t2**0.5) ** 2 / (4 * (t1 * t2) ** 0.5))
assert abs(kept - 0.44) < 0.005 and abs(free - 0.24) < 0.005

# %% [markdown]
# **Eight messages on one latent.** Tasks: (1) find a setting with a KL of 2 nats in which the messages are confused least; (2) make the slack larger than the information.
#
# <details><summary>What you should have found</summary>
#
# (1) A spread of 1.5 and σ between 0.13 and 0.14: 10 % read wrong, and the slack is at its least too. That is the best scale of section 3: the means have variance 0.96, close to $1 - σ^2$. With less spread, the same 2 nats buy less noise, but the messages stand too close; with more, part of the nats pays for a q(z) wider than the prior. (2) Two ways: leave the prior's scale far behind (spread 4, any σ), or send nothing with little noise (spread 0: all KL is slack).
# </details>

# %%
# the numbers of the answer: at a KL of 2 nats, σ follows from the spread
slacks, wrongs = [], []
spreads = (0.5, 1.0, 1.3, 1.5, 1.7, 2.0, 2.5)
for spread in spreads:
    means = torch.linspace(-spread, spread, 8)
    low, high = 1e-3, 1.0
    for _ in range(60):
        std = math.sqrt(low * high)
        kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
        low, high = (std, high) if kl > 2 else (low, std)
    slacks.append((kl - channel.mutual_information(means, std)).item())
    tail = torch.special.ndtr(torch.tensor(-spread / 7 / std)).item()
    wrongs.append(2 * (1 - 1 / 8) * tail)
    if spread == 1.5:
        print(f"spread 1.5: σ = {std:.2f}, {wrongs[-1]:.0%} read wrong, ", end="")
        variance = means.var(unbiased=False)
        print(f"slack {slacks[-1]:.2f}, variance of the means {variance:.2f}")
assert spreads[slacks.index(min(slacks))] == 1.5
assert spreads[wrongs.index(min(wrongs))] == 1.5
for spread, std in ((4.0, 0.2), (4.0, 1.0), (0.0, 0.2)):
    means = torch.linspace(-spread, spread, 8)
    information = channel.mutual_information(means, std)
    kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
    assert kl > 2 * information

# %%
figures.messages(spread=1.5, std=0.3)
plt.show()

# %% [markdown]
# *Figure 2.3. Left: the eight posteriors, each an eighth of the whole (coloured), their sum q(z) (black) and the prior (dashed). Right: how often a message (row) is read as another (column), from 0 (white) to 1 (dark blue).*

# %% tags=["nbval-ignore-output"]
ChannelExplorer()

# %% [markdown]
# ## 8. The paper and this chapter, side by side
#
# | the paper says (section 4) | here |
# |---|---|
# | a latent is an AWGN channel whose capacity the KL bounds | the KL *is* the capacity at the best scale; identity with slack computed |
# | KL is zero for μ = 0, σ = 1, rises by dispersing means or shrinking variances | shown |
# | a diagonal posterior makes latents align with components of different contribution | exact price of turning, with the gains kept and readjusted; zero for equal ones |
# | C shared equally between x and y | equal increments, for components of any variance, between turn-ons |
# | factors join at distinct capacities | $C_k = \tfrac12 \sum_{i<k} \log(\lambda_i/\lambda_k)$ |
#
# ## 9. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/02_awgn_channel](solutions/02_awgn_channel.ipynb).
#
# **2.1** (easy, 5 min) Write `kl(mean, std)`, nats, from μ and σ (not log σ).

# %%
answer = None  # def answer(mean, std): ...
check("2.1", answer)

# %% [markdown]
# **2.2** (easy, 2 min) What is the capacity, in bits, of a latent with SNR 3?

# %%
answer = None
check("2.2", answer)

# %% [markdown]
# **2.3** (medium, 10 min) Write `onset(variances, k)`: the total rate in nats at which component k (counted from 0, variances in descending order) turns on.

# %%
answer = None  # def answer(variances, k): ...
check("2.3", answer)

# %% [markdown]
# **2.4** (medium, 10 min) A factor is uniform on [0.5, 1] (roughly dSprites' scale, taken as continuous). How many nats does its latent waste on the mean at SNR 2, if it cannot centre it? *Hint: a uniform on [a, b] has variance (b − a)²/12; the waste is section 3's formula minus the same with m = 0.*

# %%
answer = None
check("2.4", answer)

# %% [markdown]
# **2.5** (hard, 30 min) The formula of section 6 for readjusted gains holds at 45° only. Write `price(variances, level, degrees)` for any angle ω: the least loss/β of a decoder $\operatorname{diag}(g_1, g_2)\, R(\omega)$ over both gains, minus that of the optimal decoder. `variances` (2,) are $\lambda_1, \lambda_2$, `level` is η. Of the price with the gains kept, where does readjusting save the larger share, at 10° or at 45°? *Hint: `best_loss` of section 6 gives the loss of any decoder; two gains are few enough for `scipy.optimize.minimize`, or for a fine grid.*

# %%
answer = None  # def answer(variances, level, degrees): ...
check("2.5", answer)

# %% [markdown]
# ## Summary
#
# - KL = information + slack; at the best scale of a centred Gaussian signal the slack is zero and the KL is the AWGN capacity.
# - A linear β-VAE performs reverse water-filling with the level $\beta s^2$. Collapse, order of onset, equal shares and the meaning of β follow.
# - In a linear model a diagonal posterior charges for rotation, but only between components of different variance. ([Chapter 4](04_blob_position.ipynb) has pictures where it charges for equal ones.)
#
# **Readings.** Burgess et al. 2018, section 4. Cover and Thomas, *Elements of Information Theory*, chapters 9 and 10. Lucas et al. 2019, *Don't blame the ELBO!*; Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*. Alemi et al. 2018, *Fixing a broken ELBO*.
