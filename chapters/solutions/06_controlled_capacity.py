# %% [markdown]
# # Solutions to chapter 6
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check
from minivae.ideal_decoder import SpriteChannels, distortion, sobol

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
# **6.3** Go downhill from an even split. It was not fair: 2 nats for three shapes are one too many, and the angle had none. Here the factors are ahead of the split chosen for the moments; the moments' own best has 63 (section 5).

# %%
channels = SpriteChannels("centred")
points = sobol(channels, 256)
a = torch.zeros(5, requires_grad=True)
optimizer = torch.optim.Adam([a], lr=0.1)
for _ in range(60):
    optimizer.zero_grad()
    distortion(channels, 11.1 * torch.softmax(a, 0), points).mean().backward()
    optimizer.step()
split = 11.1 * torch.softmax(a, 0).detach()
assert check("6.3", split)

# %% tags=["nbval-ignore-output"]
assert not check("6.3", [2.22] * 5)  # even
assert not check("6.3", [2.0, 2.3, 0.0, 3.4, 3.4])  # the chapter's
assert not check("6.3", split * 1.2)  # more nats than there are

# %% [markdown]
# **6.4** The decomposition, without its middle.


# %%
def even(gradient):
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


assert check("6.4", even)

# %% tags=["nbval-ignore-output"]
# shorter, not evener
assert not check("6.4", lambda gradient: gradient / gradient.norm())
assert not check("6.4", torch.sign)  # Adam's first step
assert not check("6.4", lambda gradient: -even(gradient))  # the sign

# %% [markdown]
# **6.6** Rates of 0, and the others scaled up. Without shape *and* orientation D rises by less than by the sum of the two: each is worth something mostly because the other is there, so a list of single ablations counts their common part twice.

# %%
points, whole = sobol(channels, 512), torch.tensor([1.3, 1.4, 2.6, 2.9, 2.9])


def D(rates):
    with torch.no_grad():
        return distortion(channels, rates, points).mean()


rises = []
for out in ([0], [2], [0, 2]):
    kept = whole.clone()
    kept[out] = 0
    rises.append((D(kept * whole.sum() / kept.sum()) - D(whole)).item())
shape, orientation, both = rises
print(
    f"without shape {shape:.0f}, without orientation {orientation:.0f}, "
    f"without both {both:.0f} nats"
)
assert check("6.6", rises)
assert rises[2] < 0.9 * (rises[0] + rises[1])

# %% tags=["nbval-ignore-output"]
unspent = [
    (D(whole * torch.tensor(on)) - D(whole)).item()
    for on in ((0, 1, 1, 1, 1), (1, 1, 0, 1, 1), (0, 1, 0, 1, 1))
]
assert not check("6.6", unspent)  # the freed nats are lost
# as if they added up
assert not check("6.6", [rises[0], rises[1], rises[0] + rises[1]])
assert not check("6.6", [-rise for rise in rises])  # sign
# D, not its rise
assert not check("6.6", [rise + D(whole).item() for rise in rises])
assert not check("6.6", rises[:2])  # the third is missing
