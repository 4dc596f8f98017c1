# %% [markdown]
# # Solutions to chapter 2
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch
from scipy.optimize import minimize

from minivae.course.cells import table
from minivae.course.checks import check

# %% [markdown]
# **2.1**


# %%
def kl(mean, std):
    return 0.5 * (mean**2 + std**2 - 1) - torch.log(std)


assert check("2.1", kl)

# %% tags=["nbval-ignore-output"]
assert not check("2.1", lambda m, s: 2 * kl(m, s))  # missing ½
# sign error
assert not check("2.1", lambda m, s: 0.5 * (m**2 + s**2 - 1) + torch.log(s))
assert not check("2.1", lambda m, s: kl(m, s**2))  # σ² for σ
assert not check("2.1", lambda m, s: kl(m, s).mean())  # mean
assert not check("2.1", lambda m, s: kl(m, s) / math.log(2))  # bits

# %% [markdown]
# **2.2** When the level has come down to $\lambda_k$, every earlier component carries $\tfrac12 \log(\lambda_i / \lambda_k)$.


# %%
def onset(variances, k):
    return 0.5 * torch.log(variances[:k] / variances[k]).sum()


assert check("2.2", onset)

# %% tags=["nbval-ignore-output"]
assert not check("2.2", lambda v, k: 2 * onset(v, k))  # missing ½
assert not check("2.2", lambda v, k: -onset(v, k))  # sign error
# only the first component
assert not check("2.2", lambda v, k: 0.5 * torch.log(v[0] / v[k]))
# mean for sum
assert not check("2.2", lambda v, k: 0.5 * torch.log(v[: k + 1] / v[k]).mean())

# %% [markdown]
# **2.3** The mean is 0.75, the variance of a uniform distribution of length ½ is $\tfrac14 / 12 = 1/48$.

# %%
m, v, snr = 0.75, 1 / 48, 2
assert check("2.3", 0.5 * math.log((1 + snr * (1 + m**2 / v)) / (1 + snr)))

# %% tags=["nbval-ignore-output"]
# the variance of [0, 1]
assert not check("2.3", 0.5 * math.log((1 + snr * (1 + m**2 * 12)) / (1 + snr)))
# bits
assert not check("2.3", 0.5 * math.log2((1 + snr * (1 + m**2 / v)) / (1 + snr)))
# the waste at another SNR
assert not check("2.3", 0.5 * math.log((1 + 10 * (1 + m**2 / v)) / (1 + 10)))
assert not check("2.3", 0.5 * math.log(1 + snr * (1 + m**2 / v)))  # the whole KL

# %% [markdown]
# **2.4** (open) Two steps. A better receiver does not take the nearest message but the most probable one, $p_k\, q(z \mid k)$ at its largest: it knows that black is common and white is rare. Better means: search the four means for the least share of wrong pixels, with σ set so that the KL is 1 nat.

# %%
along = torch.linspace(-1, 1, 48, dtype=torch.float64)
radius = (along[:, None] ** 2 + along**2).sqrt()
picture = ((1 - radius).clamp(0, 0.999) * 4).long()
shares = picture.flatten().bincount().double() / picture.numel()
z = torch.linspace(-12, 12, 4801, dtype=torch.float64)


def mean_kl(means, std):
    return (shares * (0.5 * (means**2 + std**2 - 1) - math.log(std))).sum().item()


def wrong_share(means, std, receiver):
    distance = (z[:, None] - means).abs() / std
    joint = shares * torch.exp(-0.5 * distance**2) / (std * math.sqrt(2 * math.pi))
    read = distance.argmin(1) if receiver == "nearest" else joint.argmax(1)
    right = torch.trapezoid(joint.gather(1, read[:, None])[:, 0], z)
    return 1 - right.item()


def std_for_one_nat(means):
    low, high = 1e-3, 1.0
    for _ in range(60):
        std = math.sqrt(low * high)
        low, high = (std, high) if mean_kl(means, std) > 1 else (low, std)
    return std


def to_be_least(means):
    means = torch.tensor(means)
    if mean_kl(means, 1.0) > 1:  # too far apart for 1 nat at any σ
        return 1.0
    return wrong_share(means, std_for_one_nat(means), "most probable")


even = torch.linspace(-1, 1, 4, dtype=torch.float64)
std = math.exp(-1.0)  # the best scale at 1 nat: σ² = 1/(1 + SNR) = e⁻²
even = even / even.std(unbiased=False) * math.sqrt(1 - std**2)
start = [-0.9, -0.3, 0.3, 0.9]
settings = {"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-9}
found = minimize(to_be_least, start, method="Nelder-Mead", options=settings)
best = torch.tensor(found.x)
best = -best * best[0].sign()  # black to the left: the mirror image is as good
rows = []
for name, means, sigma, receiver in (
    ("section 4", even, std, "nearest"),
    ("better receiver", even, std, "most probable"),
    ("better means", best, std_for_one_nat(best), "most probable"),
):
    row = {"": name, "KL": mean_kl(means, sigma)}
    rows.append(row | {"wrong (%)": 100 * wrong_share(means, sigma, receiver)})
table(rows, digits=1)
print("best means:", ", ".join(f"{mean:.1f}" for mean in best))

# %% [markdown]
# With the levels of section 4 the cone costs a little more than 1 nat, 1.09, because its levels are not equally likely and their mean is not zero: it pays for the mean. The better receiver alone saves two of eighteen wrong pixels in a hundred. Better means halve their number, at less KL. Black, the common level, comes nearer to the prior's mean, where it costs little. The rare levels lie far out, where they cost much, but they are rare.

# %% tags=["checks"]
assert abs(rows[0]["KL"] - 1.09) < 0.005 and abs(rows[2]["KL"] - 1) < 1e-6
wrongs = [row["wrong (%)"] for row in rows]
assert 17 < wrongs[0] < 18.5 and 15 < wrongs[1] < 16 and 9 < wrongs[2] < 9.6
assert (best.abs().max() > 1.5 * even.max()) and abs(best[0]) < abs(even[0])
