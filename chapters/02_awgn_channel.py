# %% [markdown]
# # Chapter 2 · Read the KL as the rate of a noisy channel
#
# A latent of a β-VAE is a number $z = \mu(x) + \sigma\varepsilon$: a signal μ that depends on the picture, plus Gaussian noise. Engineers call this a channel with **additive white Gaussian noise** (AWGN). Section 4.2 of the paper (Burgess et al. 2018) takes latents as such channels, and the KL as an upper bound on the information that they carry. We send messages through a latent and measure what a nat of KL buys. At the end we solve a linear β-VAE with pencil and paper. Its solution shows in small what chapters 4 to 6 find on pictures.
#
# **By the end you will have shown that**
#
# 1. the KL of a latent, averaged over the pictures, is the information that it carries plus a *slack* that you can compute;
# 2. at a given signal-to-noise ratio (SNR) the least KL of a latent is Shannon's $\tfrac12 \log(1 + \mathrm{SNR})$, and a signal whose mean is not zero pays for sending the mean;
# 3. the KL tells how many messages sent through a latent are misread;
# 4. several latents share a rate by *reverse water-filling*, and **a linear β-VAE does exactly this**. The solution says which components are encoded, at which capacity each turns on, how the active ones share it, when everything collapses, and what β means.
#
# **You need** Gaussian densities, eigenvalues, the ELBO ([chapter 1](01_elbo.ipynb)). **Time:** 44 minutes to read, 25 for exercises, 1 of CPU.
#
# ## A puzzle before we start
#
# - A latent has 2 nats of KL. Can it tell ten messages apart without mistakes? ($e^2$ is about 7.4.)
# - A **factor** is a number that pictures are made from, such as the centre of a strip. One model stores a factor that runs from −1 to 1, another the same factor running from 0 to 2. Do they pay the same KL?
# - A model encodes two independent factors, of variances 4 and 1, and may spend 1 nat. Which split leaves the least squared error: by halves, by the variances, or all on the first?
#
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $z = \mu(x) + \sigma \varepsilon$ | a latent: signal plus noise, $\varepsilon \sim \mathcal N(0,1)$ | – |
# | $\mathrm{KL}$ | $\mathrm{KL}(q(z \mid x) \Vert p(z))$; its mean over the pictures is the rate | nats |
# | $q(z)$ | mean posterior, $\mathbb E_x\, q(z \mid x)$ | – |
# | $I(x; z)$ | mutual information: what z tells of x | nats |
# | SNR | signal-to-noise ratio $\operatorname{Var} \mu / \sigma^2$ | – |
# | $f$, $m$, $v$ | a factor, its mean and variance | – |
# | $\lambda_i$ | variance of the data along its i-th principal component | – |
# | $s^2$ | variance of the decoder's noise, $p(x \mid z) = \mathcal N(Wz, s^2 I)$ | – |
# | $\eta = \beta s^2$ | the water level | – |
# | $\kappa$, $w$ | gain of a linear encoder and of a linear decoder | – |
# | $C$ | a capacity: the total rate that the latents may use | nats |
# | $D$ | squared error, summed over the components | – |

# %%
import math

import matplotlib.pyplot as plt
import torch

from minivae import channel, gaussian
from minivae.course import figures
from minivae.course.cells import compare, table
from minivae.course.checks import check
from minivae.course.explorers import ChannelExplorer, WaterLevelExplorer

torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. What the KL charges for
#
# For one picture, $\mathrm{KL} = \tfrac12(\mu^2 + \sigma^2 - 1) - \log \sigma$ ([chapter 1](01_elbo.ipynb)). It is zero if and only if μ = 0 and σ = 1. So a latent that says nothing can be free. There are two ways to raise the KL: **spread the means**, or **shrink the noise**. Spreading alone carries information (section 2 defines it). Shrinking alone does not, because with equal means z does not depend on the message.

# %%
rows = []
for mean, std in ((2.0, 1.0), (0.0, 0.1)):
    kl = gaussian.kl_per_latent(torch.tensor(mean), torch.tensor(std).log())
    told = channel.mutual_information(torch.tensor([-mean, mean]), std)
    row = {"two messages at": f"±{mean:.0f}", "σ": std, "KL (nats)": kl.item()}
    rows.append(row | {"information (nats)": abs(told.item())})
table(rows)

# %% [markdown]
# The second pair of messages is paid for and says nothing. What is said above, checked:

# %% tags=["checks"]
spread, shrink = torch.linspace(0, 3, 31), torch.linspace(0, -3, 31)
for_spread = gaussian.kl_per_latent(spread, torch.zeros(31))
for_noise = gaussian.kl_per_latent(torch.zeros(31), shrink)
assert for_spread[0] == for_noise[0] == 0
assert (for_spread.diff() > 0).all() and (for_noise.diff() > 0).all()
assert rows[0]["information (nats)"] > 0.5 and rows[1]["information (nats)"] < 1e-9

# %% [markdown]
# ## 2. The KL bounds the information
#
# How much does z tell about x? Let $q(z) = \mathbb E_x\, q(z \mid x)$ be the density of z over all pictures. The **mutual information** $I(x; z)$ is the mean of $\log q(z \mid x) / q(z)$: how much more likely, in nats, z is for its own picture than on average. The KL is the mean of $\log q(z \mid x)/p(z)$. Insert $q(z)$ and split the logarithm:
#
# $$ \underbrace{\mathbb E \log \frac{q(z \mid x)}{p(z)}}_{\mathbb E\,\mathrm{KL}} = \underbrace{\mathbb E \log \frac{q(z \mid x)}{q(z)}}_{I(x; z)} + \underbrace{\mathbb E \log \frac{q(z)}{p(z)}}_{\mathrm{KL}(q(z) \Vert p(z)) \;\ge\; 0} . $$
#
# So $I(x; z) \le \mathbb E\,\mathrm{KL}$. The last term is the **slack**: nats that are paid for and tell nothing. It is zero if $q(z)$ is the prior.
#
# Take eight equally likely messages at evenly spaced means. We compute each term on its own, and round.


# %%
def slack(means, std):
    """KL(q(z) ‖ p(z)) by the trapezoid rule on a fine grid of z."""
    z = torch.linspace(-15, 15, 30_001)
    log_each = gaussian.log_density(z[:, None], means, math.log(std) + 0 * means)
    log_q = torch.logsumexp(log_each, 1) - math.log(len(means))
    log_p = gaussian.log_density(z, torch.tensor(0.0), torch.tensor(0.0))
    return torch.trapezoid(log_q.exp() * (log_q - log_p), z).item()


slack_rows = []
for reach, std in ((1.0, 1.0), (1.5, 0.5), (1.5, 0.1), (4.0, 1.0)):
    means = torch.linspace(-reach, reach, 8)
    kl = gaussian.kl_per_latent(means, torch.full((8,), math.log(std))).mean()
    row = {"means": f"±{reach}", "σ": std, "E KL": kl.item()}
    row["I(x; z)"] = channel.mutual_information(means, std).item()
    slack_rows.append(row | {"slack": slack(means, std)})
table(slack_rows)

# %%
figures.messages(spread=1.5, std=0.1)
plt.show()

# %% [markdown]
# *Figure 2.1. Eight messages with means up to ±1.5 and σ = 0.1, the third line of the table. Left: the eight posteriors, each an eighth of the whole (coloured areas), their sum q(z) (black line) and the prior (dashed grey line). Right: how often a message (row) is read as another (column), from 0 (white) to 1 (dark blue).*
#
# **What you should see.** The messages are hardly ever confused, so the information, 2.00 nats, is close to $\log 8 = 2.08$. The KL is higher by a slack of 0.29 nats. The slack has two causes: q(z) has eight separate peaks, and its outline is flat while the prior is round. With 400 messages on the same range the peaks merge, and the slack is about half as large. **So a KL of 25 nats, the most that the paper allows on dSprites, is not 25 nats of information** ([chapter 5](05_capacity_generator.ipynb)). What is said above, checked:

# %% tags=["checks"]
for row in slack_rows:
    assert abs(row["E KL"] - row["I(x; z)"] - row["slack"]) < 1e-6
    assert 0 < row["I(x; z)"] < min(row["E KL"], math.log(8))
comb = slack(torch.linspace(-1.5, 1.5, 8), 0.1)
box = slack(torch.linspace(-1.5, 1.5, 400), 0.1)
mistaken = 2 * (1 - 1 / 8) * torch.special.ndtr(torch.tensor(-1.5 / 7 / 0.1))
assert mistaken < 0.03 and abs(comb - 0.29) < 0.005 and 0.45 < box / comb < 0.52
assert slack_rows[2]["I(x; z)"] > math.log(8) - 0.1

# %% [markdown]
# ## 3. The best scale, and Shannon's formula
#
# Send a factor $f$ with mean $m$ and variance $v$ through the channel as $z = a f + \sigma \varepsilon$. How well the receiver can read f depends only on the ratio SNR $= a^2 v / \sigma^2$. So keep the ratio, and choose the scale that costs least. Since $\mathbb E \mu^2 = a^2 (v + m^2) = \sigma^2\, \mathrm{SNR}\,(1 + m^2/v)$,
#
# $$ \mathbb E\,\mathrm{KL} = \tfrac12\left( \sigma^2 A - 1 \right) - \tfrac12 \log \sigma^2, \qquad A = 1 + \mathrm{SNR}\left(1 + \frac{m^2}{v}\right). $$
#
# Its derivative with respect to $\sigma^2$, $\tfrac12 (A - 1/\sigma^2)$, is zero at $\sigma^2 = 1/A$. There
#
# $$ \boxed{\;\mathrm{KL} = \tfrac12 \log A = \tfrac12 \log\!\left(1 + \mathrm{SNR}\left(1 + \tfrac{m^2}{v}\right)\right)\;} $$
#
# For a centred factor (m = 0) this is $\tfrac12 \log(1 + \mathrm{SNR})$, the capacity that Shannon found for this channel. If the mean is not zero, **the latent pays to send the mean**, which tells nothing. To check the formula, we search the least KL on a grid of σ:


# %%
def cheapest(snr, m, v):
    """The least mean KL over a fine grid of σ, at a given SNR."""
    std = torch.logspace(-3, 0, 4001)
    a_squared = snr * std**2 / v
    mean_kl = 0.5 * (a_squared * (v + m**2) + std**2 - 1) - std.log()
    return mean_kl.min().item()


fee_rows = []
for snr, m, v in ((1.0, 0.0, 1.0), (15.0, 0.0, 1 / 3), (15.0, 1.0, 1 / 3)):
    formula = channel.awgn_capacity(snr * (1 + m**2 / v)).item()
    for_mean = formula - channel.awgn_capacity(snr).item()
    row = {"SNR": snr, "mean": m, "variance": v, "least KL": cheapest(snr, m, v)}
    fee_rows.append(row | {"formula": formula, "of it for the mean": for_mean})
table(fee_rows)

# %% [markdown]
# The last two lines answer the second puzzle. A factor that is uniform on [−1, 1] has the variance 1/3 and the mean 0; on [0, 2] its mean is 1. At an SNR of 15 the mean costs 0.67 nats. An encoder can learn to centre its means, and then pays nothing for them. The generator of [chapter 5](05_capacity_generator.ipynb) can only scale its factors, so it pays.
#
# Is all of the KL information? If f is Gaussian and m = 0, yes: then q(z) is Gaussian of variance $\sigma^2 (\mathrm{SNR} + 1) = 1$, the prior, and there is no slack. For any other f some of the KL is slack. What is said above, checked:

# %% tags=["checks"]
for row in fee_rows:
    assert abs(row["least KL"] - row["formula"]) < 1e-5
assert abs(fee_rows[2]["of it for the mean"] - 0.67) < 0.005
f = torch.linspace(-6, 6, 161)
normal = torch.softmax(-0.5 * f**2, 0)  # probabilities of a Gaussian f on a grid
of_gaussian = channel.mutual_information(15**0.5 * f, 1.0, normal)
of_uniform = channel.mutual_information(45**0.5 * torch.linspace(-1, 1, 161), 1.0)
assert abs(of_gaussian - channel.awgn_capacity(15.0)) < 1e-4
assert of_uniform < of_gaussian - 0.05
for snr, m, v in ((7.0, 2.0, 1 / 3), (0.2, 0.5, 3.0)):
    wanted = channel.awgn_capacity(snr * (1 + m**2 / v))
    assert abs(cheapest(snr, m, v) - wanted) < 1e-5

# %% [markdown]
# ## 4. Send something
#
# Put $K$ evenly spaced, equally likely messages on a centred latent at its best scale. Add the noise, and let the receiver choose the nearest message. An inner message is mistaken when the noise exceeds half the spacing $d$ on either side, an outer one on one side only. So
#
# $$ P(\text{wrong}) = 2(1 - 1/K)\,\Phi(-d/2\sigma), \qquad d/\sigma = \sqrt{12\,\mathrm{SNR}/(K^2 - 1)}, \qquad \mathrm{SNR} = e^{2\mathrm{KL}} - 1, $$
#
# where Φ is the normal distribution function. (K points a distance $d$ apart have the variance $d^2 (K^2 - 1)/12$, and SNR is this over $\sigma^2$. The last formula is section 3's.) Now guess the first puzzle:

# %%
my_share = None  # ten messages through 2 nats: how many per cent are read wrong?


# %%
def send(messages, levels, kl, generator):
    """What is read of integers 0 … levels−1 sent through a latent of this KL."""
    snr = math.expm1(2 * kl)
    std = (1 / (1 + snr)) ** 0.5  # the best scale
    points = torch.linspace(-1, 1, levels)
    points = points / points.std(unbiased=False) * (snr**0.5 * std)
    z = points[messages] + std * torch.randn(messages.shape, generator=generator)
    return (z[..., None] - points).abs().argmin(-1)


generator = torch.Generator().manual_seed(0)
sent_rows = []
for levels in (2, 4, 10):
    for kl in (1.0, 2.0, 3.0):
        messages = torch.randint(levels, (100_000,), generator=generator)
        read = send(messages, levels, kl, generator)
        wrong = (read != messages).double().mean().item()
        distance = math.sqrt(12 * math.expm1(2 * kl) / (levels**2 - 1))
        tail = torch.special.ndtr(torch.tensor(-distance / 2)).item()
        row = {"messages": levels, "log K": math.log(levels), "KL": kl}
        row["wrong, sent (%)"] = 100 * wrong
        sent_rows.append(row | {"formula (%)": 200 * (1 - 1 / levels) * tail})
table(sent_rows, digits=1)
ten = sent_rows[7]["wrong, sent (%)"]
compare("ten messages through 2 nats, wrong", my_share, ten, "%", digits=0)

# %% [markdown]
# The answer to the first puzzle is no. Ten messages are $\log 10 = 2.3$ nats, and the latent has only 2. But a KL above $\log K$ does not suffice either: of two messages (0.7 nats) through 1 nat, a few in a thousand are misread. Shannon promises few mistakes only where long blocks of messages are coded together. A latent is used *once* for a picture, so $K$ safe messages need more than $\log K$ nats. With fewer nats, the messages should be arranged so that a mistake does little harm ([chapter 3](03_posterior_overlap.ipynb)).
#
# Now send a picture. Every pixel has one of four grey levels, and each is one use of the latent.

# %%
along = torch.linspace(-1, 1, 48)
radius = (along[:, None] ** 2 + along**2).sqrt()
picture = ((1 - radius).clamp(0, 0.999) * 4).long()  # a cone in four steps of grey
shown, titles = [picture], ["sent"]
for kl in (0.5, 1.0, 2.0, 3.0):
    shown.append(send(picture, 4, kl, torch.Generator().manual_seed(1)))
    titles.append(f"{kl} nats")
figures.image_row(torch.stack(shown)[:, None] / 3, titles)
plt.show()

# %% [markdown]
# *Figure 2.2. A cone in four grey levels (left), and what is received through a latent of 0.5, 1, 2 and 3 nats a pixel. This is the KL for equally likely levels; the cone itself costs about 0.1 nats more.*
#
# **What you should see.** The entropy (mean of $-\log$ probability) of four equally likely levels is $\log 4 = 1.39$ nats. The cone's is 1.08 nats. At 0.5 nats the steps are lost in noise, at 1 they show, and at 2 or more fewer than 1 % of the pixels are wrong. Most mistakes are between neighbouring levels. What is said above, checked:

# %% tags=["checks"]
for row in sent_rows:
    wrong, formula = row["wrong, sent (%)"] / 100, row["formula (%)"] / 100
    assert abs(wrong - formula) < 4 * math.sqrt(max(formula, 1e-4) / 100_000)
assert 15 < ten < 20 and sent_rows[0]["formula (%)"] > 0.2
wrongs = torch.stack([(read != picture).double().mean() for read in shown[1:]])
assert (wrongs.diff() <= 0).all() and wrongs[0] > 0.3 and wrongs[2] < 0.01
shares = picture.flatten().bincount() / picture.numel()
assert abs(-torch.xlogy(shares, shares).sum() - 1.08) < 0.005
for kl in (0.5, 1.0, 2.0, 3.0):  # what the cone costs on the same four means
    variance = math.exp(-2 * kl)
    levels = torch.linspace(-1, 1, 4)
    levels = levels / levels.std(unbiased=False) * math.sqrt(1 - variance)
    of_cone = (shares * gaussian.kl_per_latent(levels, torch.full((4,), -kl))).sum()
    assert 0.06 < of_cone - kl < 0.11
for read in shown[1:3]:
    missed = (read - picture).abs()
    assert (missed == 1).sum() > 0.7 * (missed > 0).sum()

# %% [markdown]
# Try it yourself:

# %% tags=["nbval-ignore-output"]
ChannelExplorer()

# %% [markdown]
# *Tasks.* (1) Find a setting with a KL of 2 nats in which the messages are confused least. (2) Make the slack larger than the information.
#
# <details><summary>What you should have found</summary>
#
# (1) A spread of 1.5 and σ between 0.13 and 0.14. Then 10 % are read wrong, and the slack is least too. This is the best scale of section 3: the means have variance 0.96, close to $1 - σ^2$. With less spread, the messages stand too close. With more, part of the KL pays for a q(z) that is wider than the prior. (2) Leave the prior's scale far behind (spread 4, any σ), or send nothing with little noise (spread 0: all KL is slack).
# </details>
#
# The answers, computed:

# %% tags=["checks"]
# at a KL of 2 nats, σ follows from the spread
slacks, wrong_shares, spreads = [], [], (0.5, 1.0, 1.3, 1.5, 1.7, 2.0, 2.5)
for reach in spreads:
    means = torch.linspace(-reach, reach, 8)
    low, high = 1e-3, 1.0
    for _ in range(60):
        std = math.sqrt(low * high)
        kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
        low, high = (std, high) if kl > 2 else (low, std)
    slacks.append((kl - channel.mutual_information(means, std)).item())
    tail = torch.special.ndtr(torch.tensor(-reach / 7 / std)).item()
    wrong_shares.append(2 * (1 - 1 / 8) * tail)
    if reach == 1.5:
        assert 0.13 < std < 0.14 and abs(wrong_shares[-1] - 0.10) < 0.01
        assert abs(means.var(unbiased=False) - 0.96) < 0.005
assert spreads[slacks.index(min(slacks))] == 1.5
assert spreads[wrong_shares.index(min(wrong_shares))] == 1.5
for reach, std in ((4.0, 0.2), (4.0, 1.0), (0.0, 0.2)):
    means = torch.linspace(-reach, reach, 8)
    information = channel.mutual_information(means, std)
    kl = gaussian.kl_per_latent(means, torch.full((8,), std).log()).mean()
    assert kl > 2 * information

# %% [markdown]
# ## 5. Several channels: reverse water-filling
#
# The data have independent Gaussian components of mean zero and variances $\lambda_1 \ge \lambda_2 \ge \dots$. Each has a latent at its best scale. We may spend $C$ nats in all, and want the least squared error $D$. How should $C$ be divided?
#
# A component that gets $r$ nats has an SNR of $e^{2r} - 1$ (section 3). The best linear guess from such a latent leaves the error $\lambda/(1 + \mathrm{SNR}) = \lambda e^{-2r}$ (fold below). So the error falls by $2 \lambda e^{-2r}$ per nat. If this slope differed between two components, it would pay to move nats from one to the other. So at the best split it is the same for every component that gets nats. Call it $2\eta$. A component with $\lambda_i \le \eta$ gets nothing, since its slope is at most $2\lambda_i \le 2\eta$. Solve $\lambda_i e^{-2 r_i} = \eta$:
#
# $$ r_i = \tfrac12 \log \frac{\lambda_i}{\eta} \;\text{ if } \lambda_i > \eta, \text{ else } 0; \qquad \text{error}_i = \min(\lambda_i, \eta). $$
#
# <details><summary>The error of the best linear guess</summary>
#
# Guess $x$, of variance λ, from $z = a x + \sigma\varepsilon$ as $c z$. The error $\mathbb E (x - cz)^2 = \lambda - 2 c a \lambda + c^2 (a^2 \lambda + \sigma^2)$ is least at $c = a\lambda/(a^2\lambda + \sigma^2)$, and there it is $\lambda \sigma^2 / (a^2\lambda + \sigma^2) = \lambda/(1 + \mathrm{SNR})$.
# </details>
#
# Think of η as a **water level** in a bar chart of the variances. What stands above the level is sent, and what is below stays as error. The level follows from C, here by bisection. The library's `channel.reverse_water_filling` has a closed form. We fill the two components of the puzzle, then six of variances 8, 4, 4, 1.5, 0.6 and 0.2.

# %%
my_nats = None  # variances 4 and 1, 1 nat in all: how many nats for the first?


# %%
def water_fill(eigenvalues, rate):
    """Nats of each component at the best split of a rate."""
    low, high = 1e-12, eigenvalues.max().item()
    for _ in range(200):
        level = math.sqrt(low * high)
        used = (0.5 * (eigenvalues / level).log()).clamp(min=0).sum()
        low, high = (level, high) if used > rate else (low, level)
    return (0.5 * (eigenvalues / level).log()).clamp(min=0)


two = water_fill(torch.tensor([4.0, 1.0]), rate=1.0)
compare("variance 4", my_nats, two[0].item(), "nats")
print(f"variance 1: {two[1]:.2f} nats")

eigenvalues = torch.tensor([8.0, 4.0, 4.0, 1.5, 0.6, 0.2])
for rate in (0.2, 1.0, 3.0, 6.0):
    rates = water_fill(eigenvalues, rate)
    print(f"C = {rate} nats:", "  ".join(f"{nats:.2f}" for nats in rates))

# %% [markdown]
# The third puzzle: both get something, and the first gets $\tfrac12 \log 4 = 0.69$ nats more than the second. What is said above, checked, and that the library agrees:

# %% tags=["checks"]
for rate in (0.2, 1.0, 3.0, 6.0):
    by_library = channel.reverse_water_filling(eigenvalues, rate=rate).rates
    assert torch.allclose(water_fill(eigenvalues, rate), by_library, atol=1e-6)
assert torch.allclose(two, 0.5 + 0.5 * math.log(2) * torch.tensor([1.0, -1.0]))

# %% [markdown]
# ## 6. A linear β-VAE does exactly this
#
# Take the simplest β-VAE: a linear encoder $\mu = V^\top x$, a linear decoder $\mathcal N(Wz, s^2 I)$, and data of mean zero. The eigenvectors of their covariance are the *principal components*, with variances $\lambda_i$ (the eigenvalues). Let each latent encode one of them. (A latent that mixes components is never cheaper, as [chapter 7](07_why_these_axes.ipynb) shows.) With encoder gain κ, decoder gain w and noise σ, the loss of one component is
#
# $$ \ell = \frac{\lambda (1 - w \kappa)^2 + w^2 \sigma^2}{2 s^2} + \beta\left[ \tfrac12\left(\kappa^2 \lambda + \sigma^2 - 1\right) - \log \sigma \right] . $$
#
# Set its three derivatives to zero, and write $\eta = \beta s^2$. Either $w = 0$, an **inactive** latent, or
#
# $$ \boxed{\; w^2 = \lambda - \eta, \qquad \sigma^2 = \frac{\eta}{\lambda}, \qquad \mathrm{KL} = \tfrac12 \log \frac{\lambda}{\eta}, \qquad \text{error} = \eta \;} \qquad (\lambda > \eta). $$
#
# <details><summary>The loss, and its three derivatives</summary>
#
# *The loss:* the decoder draws $w(\kappa x + \sigma\varepsilon)$ for a component $x$, so its error is $x(1 - w\kappa) - w\sigma\varepsilon$. Since $x$ and ε are independent, the mean square is $\lambda(1 - w\kappa)^2 + w^2\sigma^2$. In the KL, $\mathbb E \mu^2 = \kappa^2\lambda$.
#
# *In σ:* $\;w^2 \sigma/s^2 + \beta \sigma = \beta/\sigma$, so $\sigma^2 = \eta / (w^2 + \eta)$.
#
# *In κ:* $\;w(1 - w\kappa) = \eta \kappa$, so $\kappa = w/(w^2 + \eta)$.
#
# *In w:* $\;\lambda \kappa (1 - w\kappa) = w \sigma^2$. Insert the two, with $1 - w\kappa = \eta/(w^2 + \eta)$: $\;\lambda w \eta / (w^2+\eta)^2 = w \eta/(w^2 + \eta)$. Either $w = 0$, or $w^2 + \eta = \lambda$.
#
# *KL:* $\kappa^2 \lambda = w^2/\lambda = 1 - \eta/\lambda$, so $\kappa^2 \lambda + \sigma^2 - 1 = 0$, and $-\log\sigma = \tfrac12 \log (\lambda/\eta)$ is left.
#
# *Error:* $\lambda (1 - w\kappa)^2 + w^2\sigma^2 = \lambda \eta^2/\lambda^2 + (\lambda - \eta)\eta/\lambda = \eta$.
#
# *The active solution is cheaper whenever it exists.* With $t = \lambda/\eta$, the inactive latent's loss is $\tfrac{\beta}{2} t$ and the active one's is $\tfrac{\beta}{2}(1 + \log t)$, and $\log t \le t - 1$.
# </details>
#
# **This is reverse water-filling with the water level $\beta s^2$.** We train one to test this. The data are the six components of section 5, mixed by a random rotation. `terms` takes the means over x and z exactly, without samples.


# %%
def terms(V, W, log_std, covariance):
    """Expected squared error, and KL per latent (latents,), of a linear VAE."""
    rest = torch.eye(len(covariance)) - W @ V.T
    error_of_mean = torch.trace(rest @ covariance @ rest.T)
    error_of_noise = (torch.exp(2 * log_std) * (W**2).sum(0)).sum()
    signal = ((covariance @ V) * V).sum(0)  # variance of μ
    kl = 0.5 * (signal + torch.exp(2 * log_std) - 1) - log_std
    return error_of_mean + error_of_noise, kl


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


# %%
my_active = None  # s² = 0.25, β = 10: how many of six latents will be active?

# %%
generator = torch.Generator().manual_seed(3)
rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
covariance = rotation @ torch.diag(eigenvalues) @ rotation.T
noise = 0.25  # s²
trained, nats_of = {}, {}
for beta in (1.0, 4.0, 10.0, 20.0, 40.0):
    trained[beta] = train_linear(covariance, 6, noise, beta)
    error, kl = terms(*trained[beta], covariance)
    nats_of[beta] = kl.abs().sort(descending=True).values
    theory = channel.linear_beta_vae(eigenvalues, noise, beta).kl
    print(f"β = {beta:2.0f}  trained:", " ".join(f"{k:.2f}" for k in nats_of[beta]))
    print("        theory: ", " ".join(f"{k:.2f}" for k in theory))
active = (nats_of[10.0] > 0.01).sum().item()
compare("active latents at β = 10", my_active, active, digits=0)

# %% [markdown]
# Training and theory agree (one seed). At β = 1 each column of W (what a latent draws) that is not zero lies along one principal component, as we assumed. Only the two components of equal variance may mix. What is said above, checked:

# %% tags=["checks"]
for beta, (V, W, log_std) in trained.items():
    error, _ = terms(V, W, log_std, covariance)
    theory = channel.linear_beta_vae(eigenvalues, noise, beta)
    assert torch.allclose(nats_of[beta], theory.kl, atol=0.01)
    assert abs(error - eigenvalues.clamp_max(beta * noise).sum()) < 0.05
    stds = log_std.exp().sort().values
    assert torch.allclose(stds, theory.stds.sort().values, atol=0.02)
W = rotation.T @ trained[1.0][1]
columns = W[:, W.norm(dim=0) > 0.1]
share = columns.square() / columns.square().sum(0)
share = torch.stack([share[0], share[1] + share[2], *share[3:]])
assert share.shape[1] == 5 and (share.amax(0) > 0.99).all()

# %% [markdown]
# ### Read the solution
#
# **The collapse threshold.** A latent is inactive exactly if $\lambda_i \le \beta s^2$, and all latents are if $\beta \ge \lambda_1/s^2$. At β = 40 above, η = 10 exceeds all variances, and the trained model says nothing. [Chapter 4](04_blob_position.ipynb) finds such a threshold for Bernoulli decoders and blobs.
#
# **Components turn on in order.** As β falls (or $C$ rises), the k-th component turns on when η reaches $\lambda_k$. The earlier ones then carry, in all,
#
# $$ C_k = \tfrac12 \sum_{i<k} \log \frac{\lambda_i}{\lambda_k}. $$
#
# **Equal increments.** Every active latent has $\tfrac12 \log(\lambda_i/\eta)$. So as η falls, all of them grow *by the same amount*. If two variances are equal, their rates are equal too. The paper (section 4.3) sees "C always shared equally among X and Y".

# %%
capacities = torch.linspace(0, 8, 161)
best_rates, best_errors = [], []
for C in capacities.tolist():
    best = channel.reverse_water_filling(eigenvalues, rate=C)
    best_rates.append(best.rates)
    best_errors.append(best.distortions.sum())
dots = {nats_of[b].sum().item(): nats_of[b] for b in (1.0, 4.0, 10.0, 20.0)}
figures.turn_ons(capacities, torch.stack(best_rates), eigenvalues, trained=dots)
plt.show()

turn_on = []
for k in range(6):
    turn_on.append(0.5 * (eigenvalues[:k] / eigenvalues[k]).log().sum().item())
print("C at the turn-ons:", ", ".join(f"{C:.2f}" for C in turn_on), "nats")

# %% [markdown]
# *Figure 2.3. The rate of each component against the total capacity C. Lines: theory, with one line for the two components of variance 4. Black dots: the models trained at β = 20, 10, 4 and 1, from left to right (at 0 where inactive).*
#
# **What you should see.** The components turn on one after another, and then their lines are parallel. A dot off its line, or two active lines that are not parallel, would refute the solution. Leave out the first component, and write "x and y" for the two equal ones and "scale" for a later one: the top left panel of the paper's Figure 3 looks like this.
#
# **β is a slope.** The reconstruction term is $D/2s^2$ nats. Let $n$ latents be active. A small change of the level changes the total rate by $dC = -\tfrac{n}{2}\, d\eta/\eta$ and the error by $dD = n\, d\eta$. So
#
# $$ -\,\frac{d(D/2s^2)}{dC} = \frac{\eta}{s^2} = \beta . $$
#
# So β says where the model stops: one more nat of KL would save less than β nats of reconstruction.

# %%
points = {}
for beta in (1.0, 4.0, 10.0):
    error, kl = terms(*trained[beta], covariance)
    points[beta] = kl.sum().item(), error.item() / (2 * noise)
figures.tangents(capacities, torch.stack(best_errors) / (2 * noise), points)
plt.show()

# %% [markdown]
# *Figure 2.4. The least reconstruction loss at every capacity (black curve). Three models trained at β = 1, 4 and 10 (points), each with a line of slope −β through it.*
#
# **What you should see.** Each line touches the curve at its model. A line that crossed the curve would refute that β is the slope. What is said above, checked, also on models trained beside the threshold and near β = 4:

# %% tags=["checks"]
for k, C in enumerate(turn_on):
    below = channel.reverse_water_filling(eigenvalues, rate=max(C - 0.01, 0.0))
    above = channel.reverse_water_filling(eigenvalues, rate=C + 0.01)
    assert below.rates[k] < 1e-9 < above.rates[k]

step = 1e-4
for beta in (2.0, 10.0):
    C = channel.linear_beta_vae(eigenvalues, noise, beta).kl.sum().item()
    more = channel.reverse_water_filling(eigenvalues, rate=C + step)
    less = channel.reverse_water_filling(eigenvalues, rate=C - step)
    fall = (less.distortions.sum() - more.distortions.sum()) / (2 * noise)
    assert abs(fall / (2 * step) / beta - 1) < 1e-3
    active = more.rates > 0
    gained = (more.rates - less.rates)[active]
    assert torch.allclose(gained, 2 * step / active.sum(), rtol=1e-3)  # equally
curve = torch.stack(best_errors) / (2 * noise)
for beta, (rate, loss) in points.items():  # the line touches the curve from below
    above_line = curve - (loss - beta * (capacities - rate))
    assert above_line.min() > -0.05 and above_line.min() < 0.1

threshold = (eigenvalues[0] / noise).item()
for beta in (0.95 * threshold, 1.05 * threshold):
    _, kl = terms(*train_linear(covariance, 6, noise, beta), covariance)
    assert (abs(kl.max().item()) > 0.01) == (beta < threshold)
error_a, kl_a = terms(*train_linear(covariance, 6, noise, 4.2), covariance)
error_b, kl_b = terms(*train_linear(covariance, 6, noise, 3.8), covariance)
slope = (error_a - error_b) / (2 * noise) / (kl_b.sum() - kl_a.sum())
kl_a, kl_b = (kl.sort(descending=True).values[:4] for kl in (kl_a, kl_b))
increments = kl_b - kl_a
assert abs(slope - 4.0) < 0.1 and increments.std() < 0.1 * increments.mean()

# %% [markdown]
# Now move the water level. Left, each bar is the variance of a component, on a logarithmic scale. Right, the same point on the curve of Figure 2.4, with its tangent. Set β, the capacity or the squared error: the other two follow.

# %% tags=["nbval-ignore-output"]
WaterLevelExplorer(eigenvalues.tolist(), noise)

# %% [markdown]
# *Tasks.* (1) Raise β slowly. At which values does a component become inactive? (2) Set the capacity to 3 nats. What does a little more KL save there, in nats per nat?
#
# <details><summary>What you should have found</summary>
#
# (1) At β = λ/s²: 0.8, 2.4, 6, 16 (two at once) and 32. (2) 3.3 nats of reconstruction per nat of KL: the slope of the tangent is −β. A whole nat more saves less than 3.3, because the curve gets flatter.
# </details>
#
# The answers, computed:

# %% tags=["checks"]
onsets = eigenvalues / noise
assert torch.allclose(onsets, torch.tensor([32, 16, 16, 6, 2.4, 0.8]))
at_three = channel.reverse_water_filling(eigenvalues, rate=3.0)
assert abs(at_three.level / noise - 3.3) < 0.05

# %% [markdown]
# ## 7. The paper and this chapter, side by side
#
# | the paper says (section 4) | here |
# |---|---|
# | a latent is an AWGN channel, and the KL bounds the information | the KL is information plus slack; at the best scale of a centred factor it is the capacity |
# | KL is zero for μ = 0, σ = 1, rises by dispersing means or shrinking variances | shown; shrinking alone carries nothing |
# | C shared equally between x and y | equal increments, for components of any variance, between turn-ons |
# | factors join at distinct capacities | $C_k = \tfrac12 \sum_{i<k} \log(\lambda_i/\lambda_k)$ |
# | a diagonal posterior makes latents align with components of different contribution | [chapter 7](07_why_these_axes.ipynb) |
#
# Trained models are one seed each. Our data are Gaussian and our networks linear, those of the paper are not.
#
# ## 8. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns. Solutions are in
# [solutions/02_awgn_channel](solutions/02_awgn_channel.ipynb).
#
# **2.1** (warm-up, 5 min) Write `kl(mean, std)`, nats, from μ and σ (not log σ).

# %%
answer = None  # def answer(mean, std): ...
check("2.1", answer)

# %% [markdown]
# **2.2** (10 min) Write `onset(variances, k)`: the total rate in nats at which component k (counted from 0, variances in descending order) turns on.

# %%
answer = None  # def answer(variances, k): ...
check("2.2", answer)

# %% [markdown]
# **2.3** (10 min) A factor is uniform on [0.5, 1] (roughly the size of the paper's sprites, taken as continuous). How many nats does its latent waste on the mean at SNR 2, if it cannot centre it? *Hint: a uniform on [a, b] has variance (b − a)²/12; the waste is section 3's formula minus the same with m = 0.*

# %%
answer = None
check("2.3", answer)

# %% [markdown]
# **2.4** (open, 30 min) Section 4 sends the cone with evenly spaced means, and the receiver takes the nearest. Its "1 nat" costs 1.09 on the cone. Spend 1 nat a pixel, averaged over the cone, and get fewer pixels wrong. Use that its grey levels are not equally likely: move the four means, change σ, or improve the receiver. There is no check; the solutions show one way.
#
# ## Summary
#
# - Mean KL = information + slack. At the best scale of a centred Gaussian signal the slack is zero, and the KL is the capacity of the AWGN channel.
# - A mean that is not zero costs nats and tells nothing.
# - A linear β-VAE performs reverse water-filling with the level $\beta s^2$. Collapse, order of onset and equal shares follow, and β is the slope of the rate–distortion curve.
#
# **Readings.** Burgess et al. 2018, section 4. Cover and Thomas, *Elements of Information Theory*, chapters 9 and 10. Lucas et al. 2019, *Don't blame the ELBO!* Alemi et al. 2018, *Fixing a broken ELBO*.
