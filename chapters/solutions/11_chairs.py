# %% [markdown]
# # Solutions to chapter 11
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **11.1** The entropy of a Bernoulli at 0.9, times 600: white costs nothing.

# %%
H = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
print(f"{600 * H:.0f} nats")
assert check("11.1", 600 * H)

# %% tags=["nbval-ignore-output"]
assert not check("11.1", 4096 * H)  # white counted too
assert not check("11.1", 600 * H / math.log(2))  # bits
assert not check("11.1", -600 * math.log(0.9))  # as if the target were 1
assert not check("11.1", 0.0)  # as if an exact drawing were free
assert not check("11.1", 300 * H)  # half of the pixels

# %% [markdown]
# **11.2** The loss of a drawing is the entropy at the mean that it draws.


# %%
def entropy(p):
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum((-3, -2, -1))


def saved(images, classes):
    groups = [images[classes == c] for c in classes.unique()]
    known = sum(entropy(group.mean(0)) * len(group) for group in groups)
    return entropy(images.mean(0)) - known / len(images)


assert check("11.2", saved)

# %% tags=["nbval-ignore-output"]
assert not check("11.2", lambda x, of: saved(x, of) / len(of.unique()))


def as_if_equally_frequent(images, classes):
    groups = [images[classes == c] for c in classes.unique()]
    known = torch.stack([entropy(group.mean(0)) for group in groups])
    return entropy(images.mean(0)) - known.mean()


assert not check("11.2", as_if_equally_frequent)
# that is the floor
assert not check("11.2", lambda x, classes: entropy(x.mean(0)) - entropy(x).mean())

# %% [markdown]
# **11.3** The later of where the column enters the outline and where the row meets the top.


# %%
def enter(s1, v, top, elevation):
    return max(s1, (v - top * math.cos(elevation)) / math.sin(elevation))


assert check("11.3", enter)

# %% tags=["nbval-ignore-output"]
cos, sin = math.cos, math.sin
assert not check("11.3", lambda s1, v, top, e: min(s1, (v - top * cos(e)) / sin(e)))
assert not check("11.3", lambda s1, v, top, e: max(s1, (v - top * sin(e)) / cos(e)))
assert not check("11.3", lambda s1, v, top, e: max(s1, (v - top) / sin(e)))
assert not check("11.3", lambda s1, v, top, elevation: s1)  # never the top
