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
# 4. several latents share a rate by *reverse water-filling*, and **a linear β-VAE does exactly this**: which components live, at which capacity each turns on, who shares equally, what β means, when everything collapses, and why a rotated code costs extra (and when it does not).
#
# **You need** Gaussian densities, eigenvalues, the ELBO (chapter 1). **Time:** 60 minutes to read, under a minute of CPU time.

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
# | $q(z)$ | $\mathbb E_x\, q(z \mid x)$, what comes out of the channel on average | – |
# | SNR | $\operatorname{Var} \mu / \sigma^2$ | – |
# | $\lambda_i$ | variance of the data along its i-th principal component | – |
# | $s^2$ | variance of the decoder's noise, $p(x \mid z) = \mathcal N(Wz, s^2 I)$ | – |
# | $\eta = \beta s^2$ | the water level | – |
# | $C$ | a capacity: the total rate that the latents may use | nats |
#
# One nat is $1/\ln 2 = 1.44$ bits.

# %%
import math

import matplotlib.pyplot as plt
import torch

from minivae import channel, figures, gaussian
from minivae.checks import check
from minivae.widgets import ChannelExplorer

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. What the KL charges for
#
# For one picture, $\mathrm{KL} = \tfrac12(\mu^2 + \sigma^2 - 1) - \log \sigma$. It is zero if and only if μ = 0 and σ = 1: both $\mu^2/2$ and $\tfrac12(\sigma^2 - 1) - \log \sigma$ are non-negative, and each is zero at one point only. A latent
# that says nothing is free; a latent that wants to be heard has two ways, and pays for both: **spread the means** (shout) or **shrink the noise** (speak clearly). Shouting works alone; speaking clearly does not: with all means equal, small noise is paid for and says nothing.

# %%
spread, shrink = torch.linspace(0, 3, 31), torch.linspace(0, -3, 31)
shouting = gaussian.kl_per_latent(spread, torch.zeros(31))
clearer = gaussian.kl_per_latent(torch.zeros(31), shrink)
assert shouting[0] == clearer[0] == 0
assert (shouting.diff() > 0).all() and (clearer.diff() > 0).all()
print(f"μ = 2, σ = 1: {gaussian.kl_per_latent(torch.tensor(2.0), torch.tensor(0.0)):.2f} nats")
print(f"μ = 0, σ = 1/10: {gaussian.kl_per_latent(torch.tensor(0.0), torch.tensor(0.1).log()):.2f} nats")

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
    z = torch.linspace(-40, 40, 80_001)
    log_q = torch.logsumexp(gaussian.log_density(z[:, None], means, math.log(std) + 0 * means), 1) - math.log(
        len(means)
    )
    log_p = gaussian.log_density(z, torch.tensor(0.0), torch.tensor(0.0))
    return torch.trapezoid(log_q.exp() * (log_q - log_p), z)


print(" spread     σ    E KL  = I(x;z) +  slack")
for reach, std in ((1.0, 1.0), (1.5, 0.5), (1.5, 0.1), (4.0, 1.0)):
    means = torch.linspace(-reach, reach, 8)
    kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
    information = channel.mutual_information(means, std)
    print(f"±{reach:.1f} {std:9.1f} {kl:7.3f} {information:9.3f} {slack(means, std):8.3f}")
    assert abs(kl - information - slack(means, std)) < 1e-6
    assert 0 < information < min(kl, math.log(8))

# %% [markdown]
# Read the third line: the posteriors are so narrow that the eight messages hardly ever get confused, the information is all but $\log 8 = 2.08$ nats, and still the KL is higher: the density of z is a comb of eight needles, nothing like the prior,
# and that costs. **A KL of 25 nats is not 25 nats of information.** Chapter 5 will need this.
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
# For a centred factor this is $\tfrac12 \log(1 + \mathrm{SNR})$: the capacity of the AWGN channel, found by minimising a VAE's loss. (It is also the information $I(f; z)$ if f is Gaussian; for any other f the information is smaller and the rest is slack.) If the mean is not zero, **the latent pays to send the mean**, which tells nothing.


# %%
def cheapest(snr, m, v):
    """The least KL over a fine grid of σ, at a given SNR: no formula but Eq. 5's KL."""
    std = torch.logspace(-3, 0, 4001)
    a2 = snr * std**2 / v
    return (0.5 * (a2 * (v + m**2) + std**2 - 1) - std.log()).min()


for snr, m, v in ((1.0, 0.0, 1.0), (15.0, 0.0, 0.3), (15.0, 1.0, 1 / 3), (15.0, 2.0, 1 / 3)):
    formula = channel.awgn_capacity(snr * (1 + m**2 / v))
    print(
        f"SNR {snr:4.0f}, mean {m:.2f}, variance {v:.2f}: {cheapest(snr, m, v):.3f} nats, of which {formula - channel.awgn_capacity(snr):.3f} for the mean"
    )
    assert abs(cheapest(snr, m, v) - formula) < 1e-5

# %% [markdown]
# The third puzzle is answered: a factor on [0, 2] (mean 1, variance 1/3) costs 0.67 nats more than the same factor on [−1, 1], at an SNR of 15. A VAE's encoder can learn to centre its means and pays nothing; the generator of chapter 5 cannot, and it shows.
#
# ## 4. Send something
#
# Put $K$ evenly spaced, equally likely messages on a centred latent at its best scale, add the noise, and let the receiver take the nearest. An inner message is mistaken when the noise exceeds half the spacing $d$ on either side, an outer one on one side only:
# $P(\text{wrong}) = 2(1 - 1/K)\,\Phi(-d/2\sigma)$, with Φ the normal distribution function and $d/\sigma = \sqrt{12\,\mathrm{SNR}/(K^2 - 1)}$, SNR $= e^{2\mathrm{KL}} - 1$.


# %%
def send(messages, levels, kl, generator):
    """Send integers 0 … levels−1 through a latent of the given KL (nats) at its best scale; returns what is read."""
    snr = math.expm1(2 * kl)
    std = (1 / (1 + snr)) ** 0.5
    points = torch.linspace(-1, 1, levels)
    points = points / points.std(unbiased=False) * (snr**0.5 * std)  # E μ² + σ² = 1: the best scale
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
        print(f"{levels:3d} {math.log(levels):6.2f} {kl:4.0f} {wrong:12.1%} {formula:12.1%}")
        assert abs(wrong - formula) < 4 * math.sqrt(max(formula, 1e-4) / len(messages))

# %% [markdown]
# The first puzzle: no. Ten messages are 2.30 nats, more than the 2 there are, and almost one in five is mistaken. But even enough nats are not enough: two messages (0.69 nats) through 1 nat are still mistaken now and then. Capacity is a promise about long blocks of uses with clever coding; a latent is used *once* per picture, so it needs more nats than $\log K$ for $K$ safe messages, and, more
# to the point, it had better arrange its messages so that a mistake does little harm. That is chapter 3.
#
# Now a picture: every pixel, one of four grey levels, is one use of the latent.

# %%
y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
picture = ((1 - (x**2 + y**2).sqrt()).clamp(0, 0.999) * 4).long()  # a cone in four steps of grey
received = {kl: send(picture, 4, kl, torch.Generator().manual_seed(1))[0] for kl in (0.5, 1.0, 2.0, 3.0)}
figures.image_row(torch.stack([picture, *received.values()])[:, None] / 3, ["sent", *(f"{kl} nats" for kl in received)])
plt.show()
errors = [(read != picture).double().mean().item() for read in received.values()]
assert errors == sorted(errors, reverse=True) and errors[0] > 0.3 and errors[-1] < 0.01

# %% [markdown]
# *Figure 2.1. A picture in four grey levels sent through a latent scaled for equally likely levels (log 4 = 1.39 nats; the cone's levels are not equally likely and hold somewhat less). At 0.5 nats it drowns, at 1 it is noisy, with 2 or more it is all but perfect. Note that most mistakes are between neighbouring levels.*
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
    assert torch.allclose(rates, channel.reverse_water_filling(eigenvalues, rate=rate).rates, atol=1e-6)
    print(f"C = {rate:.1f} nats: " + "  ".join(f"{r:.2f}" for r in rates))

two = channel.reverse_water_filling(torch.tensor([4.0, 1.0]), rate=1.0).rates
print(f"the second puzzle: {two[0]:.2f} and {two[1]:.2f} nats")
assert torch.allclose(two, torch.tensor([0.5 * (1 + math.log(2)), 0.5 * (1 - math.log(2))]))

# %% [markdown]
# ## 6. A linear β-VAE does exactly this
#
# Take the simplest β-VAE there is: linear encoder $\mu = V^\top x$, linear decoder $\mathcal N(Wz, s^2 I)$, data of mean zero with principal variances $\lambda_i$. Suppose latent $i$ looks after component $i$ alone (the end of this section says why nothing is cheaper), with encoder gain $v$, decoder gain $w$ and noise σ. Its loss is
#
# $$ \ell = \frac{\lambda (1 - w v)^2 + w^2 \sigma^2}{2 s^2} + \beta\left[ \tfrac12\left(v^2 \lambda + \sigma^2 - 1\right) - \log \sigma \right] . $$
#
# *In σ:* $\;w^2 \sigma/s^2 + \beta \sigma = \beta/\sigma$, so $\sigma^2 = \eta / (w^2 + \eta)$ with $\eta = \beta s^2$.
# *In v:* $\;w(1 - wv) = \eta v$, so $v = w/(w^2 + \eta)$.
# *In w:* $\;\lambda v (1 - wv) = w \sigma^2$. Insert: $1 - wv = \eta/(w^2 + \eta)$, so $\lambda w \eta / (w^2+\eta)^2 = w \eta/(w^2 + \eta)$: either $w = 0$, the dead latent, or
#
# $$ \boxed{\; w^2 = \lambda - \eta, \qquad \sigma^2 = \frac{\eta}{\lambda}, \qquad \mathrm{KL} = \tfrac12 \log \frac{\lambda}{\eta}, \qquad \text{error} = \eta \;} \qquad (\lambda > \eta = \beta s^2). $$
#
# (For the error: $\lambda \eta^2/\lambda^2 + (\lambda - \eta)\eta/\lambda = \eta$. Alive is cheaper whenever it exists: with $t = \lambda/\eta$, the dead loss is $\tfrac{\beta}{2} t$ and the living one $\tfrac{\beta}{2}(1 + \log t)$, and $\log t \le t - 1$.) **This is reverse water-filling, with the water level $\beta s^2$.** Nobody told the β-VAE about Shannon. Train one to see. The expectations over x and z are exact, so what is left is the optimiser:


# %%
def terms(V, W, log_std, covariance):
    """Squared error and KL per latent of a linear VAE, exact expectations: a scalar and (latents,)."""
    rest = torch.eye(len(covariance)) - W @ V.T
    error = torch.trace(rest @ covariance @ rest.T) + (torch.exp(2 * log_std) * (W**2).sum(0)).sum()
    signal = ((covariance @ V) * V).sum(0)
    return error, 0.5 * (signal + torch.exp(2 * log_std) - 1) - log_std


def train_linear(covariance, latents, noise, beta, steps=3000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    V, W = (0.3 * torch.randn(len(covariance), latents, generator=generator) for _ in range(2))
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


rotation = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))[0]
covariance = rotation @ torch.diag(eigenvalues) @ rotation.T  # data whose principal axes are not the coordinate axes
noise = 0.25
trained = {}
for beta in (1.0, 4.0, 10.0, 20.0, 40.0):
    V, W, log_std = trained[beta] = train_linear(covariance, 6, noise, beta)
    error, kl = terms(V, W, log_std, covariance)
    theory = channel.linear_beta_vae(eigenvalues, noise, beta)
    found = kl.clamp(min=0).sort(descending=True).values
    print(
        f"β = {beta:2.0f}  KL trained "
        + " ".join(f"{k:.2f}" for k in found)
        + "   theory "
        + " ".join(f"{k:.2f}" for k in theory.kl)
    )
    assert torch.allclose(found, theory.kl, atol=0.01)
    assert abs(error - eigenvalues.clamp_max(beta * noise).sum()) < 0.05
    assert torch.allclose(log_std.exp().sort().values, theory.stds.sort().values, atol=0.02)

# %% [markdown]
# ### Read the solution
#
# **The collapse threshold.** A latent is dead exactly if $\lambda_i \le \beta s^2$; the whole model is dead for $\beta \ge \lambda_1/s^2$. At β = 40 above, η = 10 exceeds all variances, and the trained model says nothing. Chapter 4 finds the same for Bernoulli decoders and blobs.
#
# **Components turn on in order.** As β falls (or $C$ rises) the k-th starts when η reaches $\lambda_k$; by then the earlier ones carry
#
# $$ C_k = \tfrac12 \sum_{i<k} \log \frac{\lambda_i}{\lambda_k}. $$
#
# **Shared equally.** Between two turn-ons every living latent has $\tfrac12 \log(\lambda_i/\eta)$: as η falls they all grow *by the same amount*; their totals are equal too if their variances are. The paper's "C always shared equally among x and y" is this.
#
# **β is a slope.** Reconstruction in nats is $D/2s^2$. ($D$ is the total squared error, $n$ the number of living latents.) Along the optimum, $dC = -\tfrac{n}{2}\, d\eta/\eta$ and $dD = n\, d\eta$, so $-\,d(\text{reconstruction})/dC = \eta/s^2 = \beta$: β is the price at which the model stops buying.

# %%
turn_on = [0.5 * (eigenvalues[:k] / eigenvalues[k]).log().sum().item() for k in range(len(eigenvalues))]
print("turn-on capacities: " + ", ".join(f"{C:.2f}" for C in turn_on) + " nats")
for k, C in enumerate(turn_on):
    if C > 0:
        assert channel.reverse_water_filling(eigenvalues, rate=C - 0.01).rates[k] == 0
    assert channel.reverse_water_filling(eigenvalues, rate=C + 0.01).rates[k] > 0

step = 1e-4
for beta in (2.0, 10.0):
    C = channel.linear_beta_vae(eigenvalues, noise, beta).kl.sum().item()
    more, less = (channel.reverse_water_filling(eigenvalues, rate=C + h) for h in (step, -step))
    slope = (less.distortions.sum() - more.distortions.sum()) / (2 * noise) / (2 * step)
    print(f"β = {beta:.0f}: the slope of the rate–distortion curve is −{slope:.2f}")
    assert abs(slope / beta - 1) < 1e-3
    alive = more.rates > 0
    gained = (more.rates - less.rates)[alive]
    assert torch.allclose(gained, 2 * step / alive.sum(), rtol=1e-3)  # shared equally

# the same three facts in trained models: alive just below λ₁/s² and dead just above, β as a slope, equal increments
threshold = (eigenvalues[0] / noise).item()
for beta in (0.95 * threshold, 1.05 * threshold):
    kl = terms(*train_linear(covariance, 6, noise, beta), covariance)[1].max().item()
    print(f"trained at {beta / threshold:.2f} of the threshold: largest KL {abs(kl):.3f} nats")
    assert (kl > 0.01) == (beta < threshold)

(error_a, kl_a), (error_b, kl_b) = (terms(*train_linear(covariance, 6, noise, beta), covariance) for beta in (4.2, 3.8))
slope = (error_a - error_b) / (2 * noise) / (kl_b.sum() - kl_a.sum())
increments = (kl_b.sort(descending=True).values - kl_a.sort(descending=True).values)[:4]
print(
    f"trained at β = 4.2 and 3.8: slope −{slope:.1f}, increments of the four living latents "
    + ", ".join(f"{v:.2f}" for v in increments)
)
assert abs(slope - 4.0) < 0.1 and increments.std() < 0.1 * increments.mean()

capacities = torch.linspace(0, 8, 161)
shares = torch.stack([channel.reverse_water_filling(eigenvalues, rate=C.item()).rates for C in capacities])
left = torch.stack([channel.reverse_water_filling(eigenvalues, rate=C.item()).distortions.sum() for C in capacities])
figures.turn_ons(capacities, shares, left, eigenvalues, trained={
    float(terms(*trained[beta], covariance)[1].sum()): terms(*trained[beta], covariance)[1].sort(descending=True).values
    for beta in (1.0, 4.0, 10.0, 20.0)
})  # fmt: skip
plt.show()

# %% [markdown]
# *Figure 2.2. Left: the rate of each component against the total capacity C (lines: theory; dots: the trained models). The second and third have equal variance and run on one line. Right: the squared error that is left.*
#
# **What you should see.** Six components, five turn-ons, parallel lines in between. Leave out the first, put "x and y" for the two equal ones and "scale" for a later one, and you have the top left panel of the paper's Figure 3.
#
# ### Why a rotated code costs extra, and when it does not
#
# We assumed that each latent looks after one principal component. A linear model could as well use a rotated pair, $W R$ with a rotation R by θ; a full posterior covariance would not mind. But the posterior is *diagonal*: in rotated axes the best posterior is
# tilted, and a diagonal one cannot follow. Turn the optimal decoder and keep its gains. (Letting them readjust can lower the price, but never below zero. The loss divided by β is, up to a constant, $-\log p(x)$ of a model with decoder variance η plus the gap of its posterior; every turned decoder $WR$ gives the same $p(x)$, $W$ as above maximises it over all decoders (probabilistic PCA), and the unturned one has no gap. So no other decoder has a lower loss.) Divided by β, the loss is that of a VAE with decoder variance η, whose true posterior has the precision matrix $\Lambda = I + W^\top W/\eta$; the best diagonal Gaussian has $1/\sigma_i^2 = \Lambda_{ii}$, and its KL to the true one is $\tfrac12 \log(\prod_i \Lambda_{ii} / \det \Lambda)$. With $a = \lambda_1/\eta$ and $b = \lambda_2/\eta$ the rotated precision matrix is
# $\begin{pmatrix} a \cos^2\theta + b \sin^2\theta & \cdot \\ \cdot & a \sin^2\theta + b\cos^2\theta\end{pmatrix}$ with determinant $ab$, and so
#
# $$ \text{extra loss}/\beta = \tfrac12 \log \frac{(a \cos^2\theta + b \sin^2\theta)(a \sin^2\theta + b \cos^2\theta)}{ab} = \tfrac12 \log\left(1 + \frac{(a - b)^2 \sin^2 2\theta}{4ab}\right) . $$
#
# Zero at θ = 0, largest at 45°, **and zero at every angle if a = b**. So latents align with components *that make different contributions*. That is the hypothesis of the paper's section 4.3, as a formula. It also says that for two *equal* factors, x and y, this argument aligns nothing. Chapter 4 finds what does.


# %%
def best_loss(W, variances, level):
    """Loss / β of a decoder W (2, 2), with the best linear encoder and diagonal posterior for it."""
    precision = torch.eye(2) + W.T @ W / level
    V = torch.linalg.solve(precision, W.T / level).T  # the posterior mean, as for a full posterior
    log_std = -0.5 * torch.diag(precision).log()
    error, kl = terms(V, W, log_std, torch.diag(variances))
    return error / (2 * level) + kl.sum()


def rotated_loss(variances, level, degrees):
    """`best_loss` of the optimal decoder turned by an angle."""
    t = math.radians(degrees)
    R = torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
    return best_loss(torch.diag((variances - level).sqrt()) @ R, variances, level)


for variances in (torch.tensor([8.0, 1.0]), torch.tensor([8.0, 4.0]), torch.tensor([4.0, 4.0])):
    level = 0.5
    a, b = variances / level
    for degrees in (0.0, 15.0, 45.0):
        extra = rotated_loss(variances, level, degrees) - rotated_loss(variances, level, 0)
        formula = 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * math.radians(degrees)) ** 2 / (4 * a * b))
        print(
            f"variances {variances[0]:.0f} and {variances[1]:.0f}, turned by {degrees:2.0f}°: {extra + 0:.3f} nats more"
        )
        assert abs(extra - formula) < 1e-9
assert abs(extra) < 1e-9  # the last pair was equal: turning it is free

# no decoder beats the unturned one: not 500 random ones, not 500 near it
variances, generator = torch.tensor([8.0, 1.0]), torch.Generator().manual_seed(0)
best, optimal_W = rotated_loss(variances, level, 0), torch.diag((variances - level).sqrt())
others = [scale * torch.randn(2, 2, generator=generator) for scale in (0.01, 3.0) for _ in range(500)]
others = [optimal_W + W if i < 500 else W for i, W in enumerate(others)]
assert min(best_loss(W, variances, level) for W in others) > best

# and the trained models chose their axes so: every living column of W is a principal direction, up to the pair of equal
# variance (components 1 and 2), which is free to turn
W = rotation.T @ trained[1.0][1]
living = W[:, W.norm(dim=0) > 0.1]
share = living.square() / living.square().sum(0)
share = torch.stack([share[0], share[1] + share[2], *share[3:]])
print(
    "share of each living column's squared length in its principal direction: "
    + ", ".join(f"{v:.2f}" for v in share.amax(0))
)
assert share.shape[1] == 5 and (share.amax(0) > 0.99).all()

# %% [markdown]
# ## 7. Drag the sliders
#
# Eight messages on one latent. Tasks: (1) find a setting with a KL of 2 nats in which the messages are confused least; (2) make the slack larger than the information.
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
    wrongs.append(2 * (1 - 1 / 8) * torch.special.ndtr(torch.tensor(-spread / 7 / std)).item())
    if spread == 1.5:
        print(
            f"spread 1.5: σ = {std:.2f}, {wrongs[-1]:.0%} read wrong, slack {slacks[-1]:.2f}, variance of the means {means.var(unbiased=False):.2f}"
        )
assert spreads[slacks.index(min(slacks))] == spreads[wrongs.index(min(wrongs))] == 1.5
for spread, std in ((4.0, 0.2), (4.0, 1.0), (0.0, 0.2)):
    means = torch.linspace(-spread, spread, 8)
    information = channel.mutual_information(means, std)
    assert gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean() > 2 * information

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
# | a diagonal posterior makes latents align with components of different contribution | exact penalty of turning the optimal decoder; zero for equal ones |
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
# **2.5** (hard, 30 min) The formula for a rotated code keeps the gains of the unturned decoder. Let them readjust: write `price(variances, level, degrees)`, the least loss/β of a decoder $\operatorname{diag}(g_1, g_2)\, R(\theta)$ over both gains, minus that of the optimal decoder. `variances` (2,) are $\lambda_1, \lambda_2$, `level` is η. By what share does the price fall at 45°? *Hint: `best_loss` of section 6 gives the loss of any decoder; two gains are few enough for `scipy.optimize.minimize`, or for a fine grid.*

# %%
answer = None  # def answer(variances, level, degrees): ...
check("2.5", answer)

# %% [markdown]
# ## Summary
#
# - KL = information + slack; at the best scale of a centred Gaussian signal the slack is zero and the KL is the AWGN capacity.
# - A linear β-VAE performs reverse water-filling with the level $\beta s^2$. Collapse, order of onset, equal shares and the meaning of β follow.
# - A diagonal posterior charges for rotation, but only between components of different variance.
#
# **Readings.** Burgess et al. 2018, section 4. Cover and Thomas, *Elements of Information Theory*, chapters 9 and 10. Lucas et al. 2019, *Don't blame the ELBO!*; Rolínek et al. 2019, *Variational autoencoders pursue PCA directions (by accident)*. Alemi et al. 2018, *Fixing a broken ELBO*.
