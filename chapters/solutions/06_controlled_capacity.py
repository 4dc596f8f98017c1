# %% [markdown]
# # Solutions to chapter 6
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

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
assert not check(
    "6.2", lambda nats, entropy: (nats.amax(1) / entropy).mean()
)  # no 2nd
assert not check(
    "6.2", lambda nats, entropy: gap(nats, torch.ones(3))
)  # no entropy
# latents for factors
assert not check("6.2", lambda nats, entropy: gap(nats.T, entropy[0]))

# %% [markdown]
# **6.3** |k − C| grows by 1 a nat above C and falls by 1 below. Per batch the mean alone decides, so the push is γ, up or down. Per picture those above and those below work against each other.


# %%
def push(kl, C, gamma):
    per_batch = gamma * torch.sign(kl.mean() - C)
    per_picture = gamma * torch.sign(kl - C).mean()
    return torch.stack([per_batch, per_picture])


assert check("6.3", push)

# %% tags=["nbval-ignore-output"]
assert not check("6.3", lambda kl, C, gamma: push(kl, C, gamma).flip(0))
# the sum over the pictures
assert not check("6.3", lambda kl, C, gamma: gamma * torch.sign(kl - C).sum())
assert not check("6.3", lambda kl, C, gamma: gamma * (kl - C).abs())  # the penalty

# %% [markdown]
# If each of 64 KLs is above or below C by the toss of a coin, the mean of the 64 signs is 0, give or take 1/√64 = 1/8. So the push per picture is about 125 for γ = 1000, an eighth of the push per batch, which is always 1000:

# %%
kl = 5 + torch.randn(10_000, 64, generator=torch.Generator().manual_seed(0))
pushes = torch.stack([push(one, 5.0, 1000.0) for one in kl])
per_batch, per_picture = pushes.square().mean(0).sqrt().tolist()
print(f"typical push: {per_batch:.0f} per batch, {per_picture:.0f} per picture")
assert per_batch == 1000 and 122 < per_picture < 128
