# %% [markdown]
# # Solutions to chapter 1
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch
from torch import nn

from minivae import gaussian
from minivae.collapse import collapse_threshold
from minivae.course.cells import table
from minivae.course.checks import check
from minivae.objectives import bernoulli_nll

# %% [markdown]
# **1.1**


# %%
def draw(mean, log_std, noise):
    return mean + log_std.exp() * noise


assert check("1.1", draw)

# %% tags=["nbval-ignore-output"]
# no exponential
assert not check("1.1", lambda mean, log_std, noise: mean + log_std * noise)
# log σ² for log σ
assert not check(
    "1.1", lambda mean, log_std, noise: mean + (0.5 * log_std).exp() * noise
)
# σ² for σ
assert not check(
    "1.1", lambda mean, log_std, noise: mean + (2 * log_std).exp() * noise
)
# sign error
assert not check("1.1", lambda mean, log_std, noise: mean - log_std.exp() * noise)

# %% [markdown]
# **1.2** The posterior is N(1, ½). The gap is $\mathrm{KL}(\mathcal N(1.2, \tfrac14) \Vert \mathcal N(1, \tfrac12)) = \tfrac12\left(\tfrac{1/4}{1/2} + \tfrac{0.2^2}{1/2} - 1 - \log \tfrac12\right) = \tfrac12 (\log 2 - 0.42) = 0.137$.

# %%
gap = 0.5 * (0.25 / 0.5 + 0.2**2 / 0.5 - 1 + math.log(2))
assert check("1.2", gap)

# %% tags=["nbval-ignore-output"]
# the KL the other way round
assert not check("1.2", 0.5 * (0.5 / 0.25 + 0.2**2 / 0.25 - 1 - math.log(2)))
assert not check("1.2", 2 * gap)  # missing ½
assert not check("1.2", gap / math.log(2))  # bits
assert not check("1.2", -gap)  # sign error
assert not check("1.2", 0.5 * math.log(2))  # the logarithm alone
# ½ missing in the logarithm
assert not check("1.2", 0.5 * (0.25 / 0.5 + 0.2**2 / 0.5 - 1) + math.log(2))
# variances squared
assert not check("1.2", 0.5 * (1 / 16 / 0.25 + 0.2**2 / 0.25 - 1 - math.log(1 / 4)))

# %% [markdown]
# **1.3** Since $\mathbb E\, \varepsilon = 0$, a constant b does not change the mean of $(h - b)\,\varepsilon$. Its variance is $\mathbb E (h-b)^2 \varepsilon^2$ minus a part without b: a parabola, lowest at $b = \mathbb E[h \varepsilon^2] / \mathbb E[\varepsilon^2]$. That is an average of h with the weights ε², so it is the mean of h only if h and ε² are uncorrelated.


# %%
def quieter(h, noise, std):
    b = (h * noise**2).mean() / (noise**2).mean()
    gradients = (h - b) * noise / std
    return gradients, (h * noise / std).var() / gradients.var()


assert check("1.3", quieter)

# %% [markdown]
# In section 2, with the constant of −500:

# %%
observed, m, s_q = 0.9, 0.3, 0.6
generator = torch.Generator().manual_seed(0)
noise = torch.randn(200_000, generator=generator, dtype=torch.float64)
z = m + s_q * noise
fit = -0.5 * ((observed - torch.tanh(1.5 * z) - 0.2 * z) / 0.3) ** 2 - 0.5 * z**2
# log p(x, z) − log q(z), up to constants that the baseline takes out
h = fit + 0.5 * noise**2 - 500
_, saved = quieter(h, noise, s_q)
mean_only = (h * noise).var() / ((h - h.mean()) * noise).var()
print(
    f"variance: {saved:.0e} times smaller, "
    f"with the mean of h as baseline {mean_only:.0e} times"
)
assert 3e3 < mean_only < 0.9 * saved < 6e3

# %% tags=["nbval-ignore-output"]
assert not check("1.3", lambda h, noise, std: (h * noise / std, 1.0))  # no baseline


def by_mean(h, noise, std):
    gradients = (h - h.mean()) * noise / std
    return gradients, (h * noise / std).var() / gradients.var()


assert not check("1.3", by_mean)  # not the best constant


def upside_down(h, noise, std):
    gradient, ratio = quieter(h, noise, std)
    return gradient, 1 / ratio


assert not check("1.3", upside_down)
# mean removed
assert not check(
    "1.3", lambda h, noise, std: (h * noise / std - (h * noise / std).mean(), 1.0)
)
# no noise, and no gradient
assert not check("1.3", lambda h, noise, std: (0 * h, 1.0))

# %% [markdown]
# **1.4** (open) Four widths, each trained at 0.85 and at 1.15 times its threshold, with the networks and the training of section 3. One seed each.


# %%
def strips(centres, width):
    pixels = torch.arange(16) + 0.5
    return torch.exp(-((pixels - centres) ** 2) / (2 * width**2))


def network(inputs, outputs):
    first, last = nn.Linear(inputs, 64), nn.Linear(64, 64)
    return nn.Sequential(first, nn.ReLU(), last, nn.ReLU(), nn.Linear(64, outputs))


def kl_after_training(width, beta, steps=1500, seed=0):
    torch.manual_seed(seed)
    encoder, decoder = network(16, 2), network(1, 16)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2e-3, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        images = strips(2 + 12 * torch.rand(64, 1, generator=generator), width)
        mean, log_std = encoder(images).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
        kl = gaussian.kl_per_latent(mean, log_std).mean()
        optimizer.zero_grad()
        (bernoulli_nll(decoder(z), images).mean() + beta * kl).backward()
        optimizer.step()
    return kl.item()


evenly = torch.linspace(2, 14, 4001)[:, None]
rows = []
for width in (0.5, 1.5, 3.0, 5.0):
    images = strips(evenly, width)
    threshold, brightness = collapse_threshold(images), images.mean(0)
    total = (images.var(0) / (brightness * (1 - brightness))).sum().item()
    row = {"width": width, "threshold": threshold, "total": total}
    row["first direction (%)"] = f"{100 * threshold / total:.0f}"
    row["KL at 0.85"] = kl_after_training(width, 0.85 * threshold)
    row["KL at 1.15"] = kl_after_training(width, 1.15 * threshold)
    rows.append(row)
table(rows, digits=1)

# %% [markdown]
# The threshold is right for all four: below it the latent is active, above it the KL is zero. It is highest for the bump of width 3. Two things make it. The column "total" is the sum over the pixels of their variance, in units of the Bernoulli variance $\bar p (1 - \bar p)$ of their mean brightness $\bar p$. It falls when the bumps are broad, because grey pixels vary less than black and white ones. The next column is the share of this total that lies along the first principal direction, which is what one faint latent can send. It grows with the width, because a broad bump moves many pixels together. The threshold is their product.

# %% tags=["checks"]
for row in rows:
    assert row["KL at 0.85"] > 0.05 and row["KL at 1.15"] < 0.01
totals = [row["total"] for row in rows]
shares = [row["threshold"] / row["total"] for row in rows]
assert totals[1] > totals[2] > totals[3] and shares == sorted(shares)
assert max(rows, key=lambda row: row["threshold"])["width"] == 3.0
