# %% [markdown]
# # Solutions to chapter 2
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.checks import check

# %% [markdown]
# **2.1**


# %%
def kl(mean, std):
    return 0.5 * (mean**2 + std**2 - 1) - torch.log(std)


assert check("2.1", kl)

# %% tags=["nbval-ignore-output"]
assert not check("2.1", lambda m, s: 2 * kl(m, s))  # missing ½
assert not check("2.1", lambda m, s: 0.5 * (m**2 + s**2 - 1) + torch.log(s))  # sign error
assert not check("2.1", lambda m, s: kl(m, s**2))  # σ² for σ
assert not check("2.1", lambda m, s: kl(m, s).mean())  # mean
assert not check("2.1", lambda m, s: kl(m, s) / math.log(2))  # bits

# %% [markdown]
# **2.2** $\tfrac12 \log_2 16 = 2$ bits.

# %%
assert check("2.2", 0.5 * math.log2(1 + 15))

# %% tags=["nbval-ignore-output"]
assert not check("2.2", 0.5 * math.log(16))  # nats
assert not check("2.2", math.log2(16))  # missing ½
assert not check("2.2", 0.5 * math.log2(15))  # the 1 forgotten

# %% [markdown]
# **2.3** When the level has come down to $\lambda_k$, every earlier component carries $\tfrac12 \log(\lambda_i / \lambda_k)$.


# %%
def onset(variances, k):
    return 0.5 * torch.log(variances[:k] / variances[k]).sum()


assert check("2.3", onset)

# %% tags=["nbval-ignore-output"]
assert not check("2.3", lambda v, k: 2 * onset(v, k))  # missing ½
assert not check("2.3", lambda v, k: -onset(v, k))  # sign error
assert not check("2.3", lambda v, k: 0.5 * torch.log(v[0] / v[k]))  # only the first component
assert not check("2.3", lambda v, k: 0.5 * torch.log(v[: k + 1] / v[k]).mean())  # mean for sum

# %% [markdown]
# **2.4** The mean is 0.75, the variance of a uniform distribution of length ½ is $\tfrac14 / 12 = 1/48$.

# %%
m, v, snr = 0.75, 1 / 48, 2
assert check("2.4", 0.5 * math.log((1 + snr * (1 + m**2 / v)) / (1 + snr)))

# %% tags=["nbval-ignore-output"]
assert not check("2.4", 0.5 * math.log((1 + snr * (1 + m**2 * 12)) / (1 + snr)))  # the variance of [0, 1]
assert not check("2.4", 0.5 * math.log2((1 + snr * (1 + m**2 / v)) / (1 + snr)))  # bits
assert not check("2.4", 0.5 * math.log((1 + 10 * (1 + m**2 / v)) / (1 + 10)))  # the waste at another SNR
assert not check("2.4", 0.5 * math.log(1 + snr * (1 + m**2 / v)))  # the whole KL
