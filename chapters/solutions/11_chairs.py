# %% [markdown]
# # Solutions to chapter 11
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import matplotlib.pyplot as plt
import torch

from minivae.course import figures
from minivae.course.checks import check
from minivae.datasets import Chairs

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

# %% [markdown]
# With this rule one can draw. A ray leaves at the earlier of two depths, in the same way, and misses the box if it would leave before it enters. For all rays of a picture at once, and boxes that are not turned:


# %%
def entry(box, u, v, elevation):
    """Depth at which rays (rows, columns) enter a box; infinite where they miss."""
    middle, depth, half_width, half_depth, low, high = box
    inside = (u - middle).abs() < half_width
    s1 = torch.where(inside, depth - half_depth, math.inf)
    s2 = torch.where(inside, depth + half_depth, -math.inf)
    s3 = (v - high * cos(elevation)) / sin(elevation)
    s4 = (v - low * cos(elevation)) / sin(elevation)
    later = torch.maximum(s1[None, :], s3[:, None])
    earlier = torch.minimum(s2[None, :], s4[:, None])
    return torch.where(later < earlier, later, math.inf)


# %% [markdown]
# A chair with four legs and a solid back is six boxes. At each ray, the box that is entered first is the one that is seen. Here it is beside the library's, which adds light, and greys a pixel of which only a corner is hit:

# %%
# middle (u, s), half width, half depth, low, high; 0 is 0.95 above the floor
boxes = [(0, 0, 0.5, 0.5, -0.1, 0.02), (0, 0.45, 0.5, 0.05, 0.02, 0.82)]
for leg_u in (0.45, -0.45):
    for leg_s in (-0.45, 0.45):
        boxes.append((leg_u, leg_s, 0.05, 0.05, -0.95, -0.1))
u = 1.32 * (2 * torch.arange(64) + 1 - 64) / 64  # columns, left to right
v = -u  # rows, from the top down
depths = torch.stack([entry(box, u, v, math.radians(20)) for box in boxes])
nearest, which = depths.min(0)
greys = torch.tensor([0.85, 0.6, 0.45, 0.3, 0.3, 0.45])[which]
by_hand = torch.where(nearest < math.inf, greys, 1.0)
library = Chairs().render(torch.tensor([[0.0, 20.0, 0, 0, 1.0, 0.8, 1.0, 0]]))[0, 0]
figures.image_row(torch.stack([by_hand, library])[:, None], ["by hand", "Chairs"])
plt.show()
both, either = (by_hand < 1) & (library < 1), (by_hand < 1) | (library < 1)
share = both.sum() / either.sum()
print(f"of the pixels that either one covers, both cover {share:.0%}")
assert share > 0.9 and (both != either).float().mean() < 0.02

# %% [markdown]
# *Figure 11.9. A chair drawn by hand from six boxes, and the same chair drawn by the library.*
