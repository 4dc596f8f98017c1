# %% [markdown]
# # Solutions to chapter 5
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.channel import mutual_information
from minivae.course.checks import check

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
# σ for σ²
assert not check(
    "5.2", lambda z, codes, std, x: best_picture(z, codes, std**0.5, x)
)
# no ½
assert not check(
    "5.2", lambda z, codes, std, x: best_picture(z, codes, std / 2**0.5, x)
)


def not_normalised(z, codes, std, pictures):
    return torch.exp(-0.5 * ((z - codes) / std) ** 2) @ pictures


assert not check("5.2", not_normalised)

# %% [markdown]
# **5.3** One value at 0 and the others crowded near 1. The mean stays large, the variance is small, and since the values are hard to tell apart there is little information. A mean costs most where there is least to tell.

# %%
values = torch.cat([torch.zeros(1), torch.linspace(0.94, 1, 7)]).double()


def split_of_nats(values, rate=3.0):
    """Nats that the mean costs, and that the latent tells of a factor's value."""
    ratio = values.mean() ** 2 / values.var(correction=0)
    snr = math.expm1(2 * rate) / (1 + ratio)
    signal = (values - values.mean()) / values.std(correction=0) * snr**0.5
    return rate - 0.5 * math.log1p(snr), mutual_information(signal, 1.0)


for name, tried in {
    "even": torch.linspace(0, 1, 8).double(),
    "crowded": values,
}.items():
    fee, information = split_of_nats(tried)
    print(
        f"{name}: the mean costs {fee:.2f} nats, the latent tells {information:.2f}"
    )
assert check("5.3", values)

# %% tags=["nbval-ignore-output"]
assert not check("5.3", torch.linspace(0, 1, 8))  # even
assert not check("5.3", torch.linspace(0.5, 1, 8))  # 0 is not among them
assert not check("5.3", 1 - values)  # crowded near 0: the mean is small
assert not check("5.3", [0, 1, 1, 1, 1, 1, 1, 1])  # only two values differ
assert not check("5.3", [0, 0.9, 0.95, 1])  # too few
