# %% [markdown]
# # Solutions to chapter 1
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **1.1** The posterior is N(1, ½). The gap is $\mathrm{KL}(\mathcal N(1.2, \tfrac14) \Vert \mathcal N(1, \tfrac12)) = \tfrac12\left(\tfrac{1/4}{1/2} + \tfrac{0.2^2}{1/2} - 1 - \log \tfrac12\right) = \tfrac12 (\log 2 - 0.42) = 0.137$.

# %%
gap = 0.5 * (0.25 / 0.5 + 0.2**2 / 0.5 - 1 + math.log(2))
assert check("1.1", gap)

# %% tags=["nbval-ignore-output"]
# the KL the other way round
assert not check("1.1", 0.5 * (0.5 / 0.25 + 0.2**2 / 0.25 - 1 - math.log(2)))
assert not check("1.1", 2 * gap)  # missing ½
assert not check("1.1", gap / math.log(2))  # bits
assert not check("1.1", -gap)  # sign error
assert not check("1.1", 0.5 * math.log(2))  # the logarithm alone
# ½ missing in the logarithm
assert not check("1.1", 0.5 * (0.25 / 0.5 + 0.2**2 / 0.5 - 1) + math.log(2))
# variances squared
assert not check("1.1", 0.5 * (1 / 16 / 0.25 + 0.2**2 / 0.25 - 1 - math.log(1 / 4)))

# %% [markdown]
# **1.2**


# %%
def floor(images):
    nats = torch.xlogy(images, images) + torch.xlogy(1 - images, 1 - images)
    return -nats.flatten(1).sum(1)


assert check("1.2", floor)

# %% tags=["nbval-ignore-output"]
# NaN
assert not check(
    "1.2", lambda x: -(x * x.log() + (1 - x) * (1 - x).log()).flatten(1).sum(1)
)
assert not check("1.2", lambda x: floor(x) / 4)  # mean for sum
assert not check("1.2", lambda x: -floor(x))  # sign error
assert not check("1.2", lambda x: floor(x) / math.log(2))  # bits
assert not check("1.2", lambda x: floor(x).mean())  # one number for all

# %% [markdown]
# **1.3**


# %%
def draw(mean, log_std, noise):
    return mean + log_std.exp() * noise


assert check("1.3", draw)

# %% tags=["nbval-ignore-output"]
# no exponential
assert not check("1.3", lambda mean, log_std, noise: mean + log_std * noise)
# log σ² for log σ
assert not check(
    "1.3", lambda mean, log_std, noise: mean + (0.5 * log_std).exp() * noise
)
# σ² for σ
assert not check(
    "1.3", lambda mean, log_std, noise: mean + (2 * log_std).exp() * noise
)
# sign error
assert not check("1.3", lambda mean, log_std, noise: mean - log_std.exp() * noise)

# %% [markdown]
# **1.4** $\lVert x - \hat x\rVert^2/(2 \cdot 0.1) = 5 \lVert x - \hat x\rVert^2$: everything is five times larger, so β is 5. The size of the picture does not matter.

# %%
assert check("1.4", 5)

# %% tags=["nbval-ignore-output"]
assert not check("1.4", 10)  # the ½ forgotten
assert not check("1.4", 0.2)  # upside down
assert not check("1.4", 5 / 28**2)  # mean for sum
assert not check("1.4", 1)

# %% [markdown]
# **1.5** Since $\mathbb E\, \varepsilon = 0$, a constant b does not change the mean of $(h - b)\,\varepsilon$. Its variance is $\mathbb E (h-b)^2 \varepsilon^2$ minus a part without b: a parabola, lowest at $b = \mathbb E[h \varepsilon^2] / \mathbb E[\varepsilon^2]$. That is an average of h with the weights ε², so it is the mean of h only if h and ε² are uncorrelated.


# %%
def quieter(h, noise, std):
    b = (h * noise**2).mean() / (noise**2).mean()
    gradients = (h - b) * noise / std
    return gradients, (h * noise / std).var() / gradients.var()


assert check("1.5", quieter)

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
assert not check("1.5", lambda h, noise, std: (h * noise / std, 1.0))  # no baseline


def by_mean(h, noise, std):
    gradients = (h - h.mean()) * noise / std
    return gradients, (h * noise / std).var() / gradients.var()


assert not check("1.5", by_mean)  # not the best constant


def upside_down(h, noise, std):
    gradient, ratio = quieter(h, noise, std)
    return gradient, 1 / ratio


assert not check("1.5", upside_down)
# mean removed
assert not check(
    "1.5", lambda h, noise, std: (h * noise / std - (h * noise / std).mean(), 1.0)
)
# no noise, and no gradient
assert not check("1.5", lambda h, noise, std: (0 * h, 1.0))
