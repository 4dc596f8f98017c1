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
# **4.2** The picture is the same, in a quarter of the pixels. The loss is a sum over pixels, so every nat of information saves a quarter of what it saved, and β_c is a quarter too.

# %%
ours, theirs = (
    collapse_threshold(data.sample(2000, torch.Generator().manual_seed(0))[0])
    for data in (Blobs(7), Blobs(3.5, margin=4, size=32))
)
print(f"β_c {ours:.0f} and {theirs:.0f}")
assert check("4.2", 150 * theirs / ours)
assert check("4.2", 150 / 4)

# %% tags=["nbval-ignore-output"]
assert not check("4.2", 150)  # the number of pixels forgotten
assert not check("4.2", 75)  # one side only
assert not check("4.2", 600)  # the wrong way round
assert not check("4.2", 150 / 8)  # the blob's width counted too

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
# **4.4** A plane through the points; its slopes are the direction. The remainder folds a line's two directions into one.


# %%
def angle(positions, means):
    places, z = positions - positions.mean(0), means - means.mean()
    slopes = torch.linalg.lstsq(places, z[:, None]).solution[:, 0]
    degrees = torch.rad2deg(torch.atan2(slopes[1], slopes[0]))
    return 90 - torch.remainder(90 - degrees, 180)


assert check("4.4", angle)


# %% tags=["nbval-ignore-output"]
def by_correlations(positions, means):
    x, y = torch.corrcoef(torch.cat([positions, means[:, None]], 1).T)[2, :2]
    return 90 - torch.remainder(90 - torch.rad2deg(torch.atan2(y, x)), 180)


assert not check("4.4", by_correlations)
# x and y swapped
assert not check("4.4", lambda positions, means: angle(positions.flip(1), means))
# radians
assert not check(
    "4.4", lambda positions, means: torch.deg2rad(angle(positions, means))
)
assert not check("4.4", lambda positions, means: -angle(positions, means))  # sign


def unfolded(positions, means):
    places, z = positions - positions.mean(0), means - means.mean()
    slopes = torch.linalg.lstsq(places, z[:, None]).solution[:, 0]
    return torch.rad2deg(torch.atan2(slopes[1], slopes[0]))


assert not check("4.4", unfolded)  # 150° is the line of −30°
