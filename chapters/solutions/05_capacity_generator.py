# %% [markdown]
# # Solutions to chapter 5
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.checks import check

# %% [markdown]
# **5.1** Mean 1, variance ⅔, so m²/v = 1.5. Half of what 1, 2, 3 pay: closer to zero is cheaper.

# %%
print(f"{0.5 * math.log(1 + 1.5):.2f} nats")
assert check("5.1", 0.5 * math.log(1 + 1.5))

# %% tags=["nbval-ignore-output"]
assert not check("5.1", 0.5 * math.log(1 + 6))  # 1, 2, 3
assert not check("5.1", 0.5 * math.log(1 + 1))  # variance 1, of a sample of three
assert not check("5.1", math.log(2.5))  # no ½
assert not check("5.1", 0.5 * math.log(2.5) / math.log(2))  # bits

# %% [markdown]
# **5.2** The belief is a softmax of the exponents, and the picture its mean.


# %%
def best_picture(z, codes, std, pictures):
    return torch.softmax(-0.5 * ((z - codes) / std) ** 2, 0) @ pictures


assert check("5.2", best_picture)


# %% tags=["nbval-ignore-output"]
def likeliest(z, codes, std, pictures):
    return pictures[(z - codes).abs().argmin()]


assert not check("5.2", likeliest)
assert not check("5.2", lambda z, codes, std, pictures: pictures.mean(0))  # deaf
assert not check("5.2", lambda z, codes, std, pictures: best_picture(z, codes, std**0.5, pictures))  # σ for σ²
assert not check("5.2", lambda z, codes, std, pictures: best_picture(z, codes, std / 2**0.5, pictures))  # no ½
assert not check("5.2", lambda z, codes, std, pictures: torch.exp(-0.5 * ((z - codes) / std) ** 2) @ pictures)

# %% [markdown]
# **5.3** The common part cancels. Two thirds of the whole training, for a difference of 30 nats in what the noise costs.

# %%
print(f"{1000 / (0.0005 * 30):,.0f} steps")
assert check("5.3", 1000 / (0.0005 * (40 - 10)))

# %% tags=["nbval-ignore-output"]
assert not check("5.3", 1 / (0.0005 * 30))  # no γ
assert not check("5.3", 1000 / (0.0005 * 40))  # one factor only
assert not check("5.3", 1000 / 30)  # no learning rate

# %% [markdown]
# **5.4** Solve the fee formula for the SNR; the information of a Gaussian signal is ½ log(1 + SNR).


# %%
def told(rate, m, v):
    snr = math.expm1(2 * rate) / (1 + m**2 / v)
    return 0.5 * math.log1p(snr)


print(f"scale, of 2 nats: {told(2.0, 0.75, 0.029):.2f}; of 0.1 nats: {told(0.1, 0.75, 0.029):.3f}")
assert check("5.4", told)

# %% tags=["nbval-ignore-output"]
assert not check("5.4", lambda rate, m, v: rate - 0.5 * math.log1p(m**2 / v))  # the fee of a high rate
assert not check("5.4", lambda rate, m, v: rate)  # no fee
assert not check("5.4", lambda rate, m, v: rate - told(rate, m, v))  # the fee itself
assert not check("5.4", lambda rate, m, v: math.expm1(2 * rate) / (1 + m**2 / v))  # the SNR
