# %% [markdown]
# # Solutions to chapter 13
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **13.1** The information is at most the entropy of the pictures, $\log 737{,}280$, because a code cannot tell more than which picture it was. What is left of 25 nats is slack.

# %%
most = math.log(737_280)
print(f"information: at most {most:.2f} nats, slack: at least {25 - most:.2f} nats")
assert check("13.1", 25 - most)

# %% tags=["nbval-ignore-output"]
assert not check("13.1", most)  # that is the information
assert not check("13.1", 25 - math.log2(737_280))  # bits
assert not check("13.1", (25 - most) / 10)  # for each latent

# %% [markdown]
# **13.2** A difference of entropies. A Gaussian of one number has the entropy $\tfrac12 \log \sigma^2$, one of n numbers half the logarithm of the determinant, both up to constants that cancel. It is the gap of [chapter 7](../07_why_these_axes.ipynb) with the covariance in place of the precision. There the diagonal Gaussian is the first argument of the KL, here the second. In two dimensions the two numbers are the same; in three they are not.


# %%
def total_correlation(covariance):
    return 0.5 * (covariance.diagonal().log().sum() - torch.logdet(covariance))


assert check("13.2", total_correlation)

# %% tags=["nbval-ignore-output"]
assert not check("13.2", lambda s: 2 * total_correlation(s))  # no ½
assert not check("13.2", lambda s: -0.5 * torch.logdet(s))  # variances of 1
assert not check("13.2", lambda s: total_correlation(torch.linalg.inv(s)))

# %% [markdown]
# **13.3** Turn first, then take the cosine. It is 0 at every angle if the two columns are orthogonal and have the same length: then the matrix of their products, $J^\top J$, is a multiple of the unit matrix, and a rotation does not change it.


# %%
def cosine_turned(directions, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[c, -s], [s, c]], dtype=directions.dtype)
    return torch.cosine_similarity(*(directions @ turn).T, dim=0)


assert check("13.3", cosine_turned)
square = torch.eye(5)[:, :2]
assert all(abs(cosine_turned(square, degrees)) < 1e-6 for degrees in (10, 45, 70))

# %% tags=["nbval-ignore-output"]
assert not check("13.3", lambda j, a: cosine_turned(j, -a))  # turned the other way
assert not check("13.3", lambda j, a: cosine_turned(j, math.degrees(a)))
assert not check("13.3", lambda j, a: cosine_turned(j, 0))  # not turned
