# %% [markdown]
# # Solutions to chapter 4
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import torch

from minivae.collapse import collapse_threshold
from minivae.course.checks import check
from minivae.datasets import Blobs

# %% [markdown]
# **4.1** The mean over pixels is the sum divided by 64 · 64. Dividing the whole loss by 4096 changes nothing but the scale, so the KL's
# weight is divided too.

# %%
assert check("4.1", 150 / 64**2)

# %% tags=["nbval-ignore-output"]
assert not check("4.1", 150 * 64**2)  # the wrong way round
assert not check("4.1", 150 / 64)  # one side only
assert not check("4.1", 150)

# %% [markdown]
# **4.2** With half the brightness every covariance falls to a quarter. The Bernoulli variances below it, $\bar p_j (1 - \bar p_j)$, fall to a half only where $\bar p_j$ is small; elsewhere $1 - \bar p_j$ grows, and they fall by less. So β_c falls to a little less than a half.

# %%
pictures, _ = Blobs(7).sample(2000, torch.Generator().manual_seed(0))
ours, theirs = collapse_threshold(pictures), collapse_threshold(pictures / 2)
print(f"β_c {ours:.0f} and {theirs:.0f}")
assert check("4.2", 150 * theirs / ours)

# %% tags=["nbval-ignore-output"]
assert not check("4.2", 150)  # the brightness does not matter
assert not check("4.2", 75)  # the Bernoulli variance halved
assert not check("4.2", 37.5)  # the covariance alone
assert not check("4.2", 150 * ours / theirs)  # the wrong way round

# %% [markdown]
# **4.3** Gain over cost, the common factor ½a² cancelled.


# %%
def gain(x, f):
    p, f = x.mean(0), f - f.mean()
    covariance = ((x - p) * f[:, None]).mean(0)
    return (covariance**2 / (p * (1 - p))).sum() / f.square().mean()


assert check("4.3", gain)

# %% tags=["nbval-ignore-output"]
assert not check("4.3", lambda x, f: gain(x, f) / 2)  # the ½ kept on one side
# f not centred
assert not check(
    "4.3",
    lambda x, f: gain(x, f) * (f - f.mean()).square().mean() / f.square().mean(),
)
assert not check("4.3", lambda x, f: -gain(x, f))  # sign
assert not check("4.3", lambda x, f: gain(x, f) * f.var().sqrt())  # σ for σ²
# mean over pixels for sum
assert not check("4.3", lambda x, f: gain(x, f) / x.shape[1])

# %% [markdown]
# **4.4** has no solution here: nobody has trained for so long.
