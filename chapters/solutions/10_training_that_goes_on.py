# %% [markdown]
# # Solutions to chapter 10
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **10.1** The error is clipped to 1 nat, so every step takes 0.004 off log β. From log 100 to log 1 is log 100.

# %%
answer = math.log(100) / 0.004
print(f"{answer:.0f} steps")
assert check("10.1", answer)

# %% tags=["nbval-ignore-output"]
assert not check("10.1", 99 / 0.004)  # β, not log β
assert not check("10.1", 2 / 0.004)  # log to base 10
assert not check("10.1", 0.004 / math.log(100))

# %% [markdown]
# **10.2** The decomposition, without its middle.


# %%
def even(gradient):
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vt


assert check("10.2", even)

# %% tags=["nbval-ignore-output"]
# shorter, not evener
assert not check("10.2", lambda gradient: gradient / gradient.norm())
assert not check("10.2", torch.sign)  # Adam's first step
assert not check("10.2", lambda gradient: -even(gradient))  # the sign

# %% [markdown]
# **10.3** With the covariance $S$ of the features, the covariances of $w = \text{guess} - a V$ with the rows of $V$ = `old` are $V S\,\text{guess} - V S V^\top a$. Set them to 0 and solve for $a$. Then the standard deviation of the mean is $\sqrt{w^\top S\, w}$.


# %%
def opening(features, old, guess):
    covariance = features.T.cov()
    shared = old @ covariance
    w = guess - torch.linalg.solve(shared @ old.T, shared @ guess) @ old
    return 2 * w / (w @ covariance @ w).sqrt()


assert check("10.3", opening)


# %% tags=["nbval-ignore-output"]
def orthogonal_weights(features, old, guess):
    w = guess - torch.linalg.solve(old @ old.T, old @ guess) @ old
    return 2 * w / (features @ w).std()


assert not check("10.3", orthogonal_weights)  # weights, not means
assert not check("10.3", lambda f, old, guess: 2 * guess / (f @ guess).std())
assert not check("10.3", lambda f, old, guess: opening(f, old, guess) / 2)
