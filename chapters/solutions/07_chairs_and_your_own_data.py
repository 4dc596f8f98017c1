# %% [markdown]
# # Solutions to chapter 7
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.checks import check

# %% [markdown]
# **7.1** The entropy of a Bernoulli at 0.9, times 600: white costs nothing.

# %%
H = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
print(f"{600 * H:.0f} nats")
assert check("7.1", 600 * H)

# %% tags=["nbval-ignore-output"]
assert not check("7.1", 4096 * H)  # white counted too
assert not check("7.1", 600 * H / math.log(2))  # bits
assert not check("7.1", -600 * math.log(0.9))  # as if the target were 1
assert not check("7.1", 0.0)  # as if an exact drawing were free
assert not check("7.1", 300 * H)  # half of the pixels

# %% [markdown]
# **7.2** The loss of a drawing is the entropy at the mean that it draws.


# %%
def entropy(p):
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum((-3, -2, -1))


def saved(images, classes):
    known = sum(entropy(images[classes == c].mean(0)) * (classes == c).sum() for c in classes.unique())
    return entropy(images.mean(0)) - known / len(images)


assert check("7.2", saved)

# %% tags=["nbval-ignore-output"]
assert not check("7.2", lambda images, classes: saved(images, classes) / len(classes.unique()))
assert not check(
    "7.2",
    lambda images, classes: (
        entropy(images.mean(0)) - torch.stack([entropy(images[classes == c].mean(0)) for c in classes.unique()]).mean()
    ),
)  # classes are not equally frequent
assert not check("7.2", lambda images, classes: entropy(images.mean(0)) - entropy(images).mean())  # that is the floor

# %% [markdown]
# **7.3** The later of where the column enters the outline and where the row meets the top.


# %%
def enter(s1, v, top, elevation):
    return max(s1, (v - top * math.cos(elevation)) / math.sin(elevation))


assert check("7.3", enter)

# %% tags=["nbval-ignore-output"]
assert not check("7.3", lambda s1, v, top, elevation: min(s1, (v - top * math.cos(elevation)) / math.sin(elevation)))
assert not check("7.3", lambda s1, v, top, elevation: max(s1, (v - top * math.sin(elevation)) / math.cos(elevation)))
assert not check("7.3", lambda s1, v, top, elevation: max(s1, (v - top) / math.sin(elevation)))
assert not check("7.3", lambda s1, v, top, elevation: s1)  # never the top
