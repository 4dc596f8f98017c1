# %% [markdown]
# # Solutions to chapter 6
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.bayes import SpriteChannels
from minivae.checks import check

# %% [markdown]
# **6.1** Not knowing r, the best is to draw its mean, ½: log 2 nats. Knowing it costs the mean entropy, ∫ H(r) dr = ½ nat. The difference, times 300.

# %%
print(f"{(math.log(2) - 0.5) * 300:.1f} nats")
assert check("6.1", (math.log(2) - 0.5) * 300)

# %% tags=["nbval-ignore-output"]
assert not check("6.1", math.log(2) * 300)  # the whole loss
assert not check("6.1", (math.log(2) - 0.5) * 100)  # one channel
assert not check("6.1", (1 - 0.5 / math.log(2)) * 300)  # bits

# %% [markdown]
# **6.2** Sort, subtract, divide, average.


# %%
def gap(information, entropy):
    best, second = information.topk(2, dim=1).values.T
    return ((best - second) / entropy).mean()


assert check("6.2", gap)

# %% tags=["nbval-ignore-output"]
assert not check("6.2", lambda information, entropy: (information.amax(1) / entropy).mean())  # no second
assert not check("6.2", lambda information, entropy: gap(information, torch.ones(3)))  # no entropy
assert not check("6.2", lambda information, entropy: gap(information.T, entropy[0]))  # latents for factors

# %% [markdown]
# **6.3** The area, or anything that rises with it.

# %%
area = SpriteChannels("centred").templates.double().sum((1, 2)).view(3, 6, 40)
assert check("6.3", area)
assert check("6.3", area.log())

# %% tags=["nbval-ignore-output"]
scale = torch.linspace(0.5, 1.0, 6).view(1, 6, 1)
assert not check("6.3", scale)
assert not check("6.3", scale**2)  # as if all shapes were squares
assert not check("6.3", torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1))  # shape

# %% [markdown]
# **6.4** The decomposition, without its middle.


# %%
def even(gradient):
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


assert check("6.4", even)

# %% tags=["nbval-ignore-output"]
assert not check("6.4", lambda gradient: gradient / gradient.norm())  # shorter, not evener
assert not check("6.4", torch.sign)  # Adam's first step
assert not check("6.4", lambda gradient: -even(gradient))  # the sign
