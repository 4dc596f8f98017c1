# %% [markdown]
# # Solutions to chapter 3
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.checks import check

# %% [markdown]
# **3.1** The border is half-way, at 0.4, 0.3 or three quarters of a σ from either mean: $\Phi(-0.75)$.

# %%
assert check("3.1", 0.5 * math.erfc(0.75 / math.sqrt(2)))

# %% tags=["nbval-ignore-output"]
assert not check("3.1", 0.5 * math.erfc(1.5 / math.sqrt(2)))  # the whole distance for half of it
assert not check("3.1", math.erfc(0.75 / math.sqrt(2)))  # both tails: a missing ½
assert not check("3.1", 0.5 * math.erfc(0.3 / 0.4**2 / math.sqrt(2)))  # σ² for σ
assert not check("3.1", 1 - 0.5 * math.erfc(0.75 / math.sqrt(2)))  # how often it is right
assert not check("3.1", 50 * math.erfc(0.75 / math.sqrt(2)))  # per cent

# %% [markdown]
# **3.2**


# %%
def overlap(m1, s1, m2, s2):
    z = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    log_q1 = -0.5 * ((z - m1) / s1) ** 2 - math.log(s1)
    log_q2 = -0.5 * ((z - m2) / s2) ** 2 - math.log(s2)
    return torch.trapezoid(torch.exp(0.5 * (log_q1 + log_q2)), z) / math.sqrt(2 * math.pi)


assert check("3.2", overlap)

# %% tags=["nbval-ignore-output"]
assert not check("3.2", lambda m1, s1, m2, s2: overlap(m1, s1, m2, s2) ** 2)  # the square root forgotten
assert not check("3.2", lambda m1, s1, m2, s2: overlap(m1, s1**2, m2, s2**2))  # σ² for σ
assert not check("3.2", lambda m1, s1, m2, s2: math.exp(-((m1 - m2) ** 2) / (4 * (s1**2 + s2**2))))  # no prefactor
assert not check("3.2", lambda m1, s1, m2, s2: -math.log(overlap(m1, s1, m2, s2)))  # the distance, not the overlap

# %% [markdown]
# **3.3** Every pair appears twice in the sum, hence the ½.


# %%
def error(belief, distances):
    return 0.5 * belief @ distances @ belief


assert check("3.3", error)

# %% tags=["nbval-ignore-output"]
assert not check("3.3", lambda belief, distances: belief @ distances @ belief)  # missing ½
assert not check("3.3", lambda belief, distances: 0.5 * belief @ distances.sqrt() @ belief)  # distances not squared
assert not check("3.3", lambda belief, distances: distances.mean())  # mean for sum
assert not check("3.3", lambda belief, distances: -error(belief, distances))  # sign error
