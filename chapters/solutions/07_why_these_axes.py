# %% [markdown]
# # Solutions to chapter 7
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **7.1** Put $t_1 = 12$, $t_2 = 2$ and $\sin^2 90° = 1$ into the boxed formula of section 2. The water level cancels: with another η the price would be the same.

# %%
answer = 0.5 * math.log(1 + (12 - 2) ** 2 / (4 * 12 * 2))
print(f"{answer:.2f} nats")
assert check("7.1", answer)

# %% tags=["nbval-ignore-output"]
assert not check("7.1", 0.5 * math.log(1 + 10 / 96))  # not squared
assert not check("7.1", 0.5 * math.log(1 + 100 / 24))  # the 4 forgotten
assert not check("7.1", 2 * answer)  # the ½ forgotten
# the price with readjusted gains
assert not check("7.1", math.log((12**0.5 + 2**0.5) ** 2 / (4 * 24**0.5)))

# %% [markdown]
# **7.2** Invert the covariance, and take the formula. The best $\sigma_i^2$ is $1/\Lambda_{ii}$, the variance of $z_i$ when all other latents are *known*. It is smaller than its variance when they are not.


# %%
def misfit(covariance):
    precision = torch.linalg.inv(covariance)
    return 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))


assert check("7.2", misfit)


# %% tags=["nbval-ignore-output"]
def with_marginals(covariance):
    """The gap if σᵢ² were the variances on the diagonal of the covariance."""
    precision, var = torch.linalg.inv(covariance), covariance.diagonal()
    kl = (precision.diagonal() * var - 1 - var.log()).sum() - torch.logdet(
        precision
    )
    return 0.5 * kl


assert not check("7.2", with_marginals)
assert not check("7.2", lambda covariance: misfit(torch.linalg.inv(covariance)))
assert not check("7.2", lambda covariance: 2 * misfit(covariance))
assert not check("7.2", lambda covariance: -misfit(covariance))

# %% [markdown]
# **7.3** A plane through the points; its slopes are the direction. The remainder folds a line's two directions into one.


# %%
def angle(positions, means):
    places, z = positions - positions.mean(0), means - means.mean()
    slopes = torch.linalg.lstsq(places, z[:, None]).solution[:, 0]
    degrees = torch.rad2deg(torch.atan2(slopes[1], slopes[0]))
    return 90 - torch.remainder(90 - degrees, 180)


assert check("7.3", angle)


# %% tags=["nbval-ignore-output"]
def by_correlations(positions, means):
    x, y = torch.corrcoef(torch.cat([positions, means[:, None]], 1).T)[2, :2]
    return 90 - torch.remainder(90 - torch.rad2deg(torch.atan2(y, x)), 180)


assert not check("7.3", by_correlations)
# x and y swapped
assert not check("7.3", lambda positions, means: angle(positions.flip(1), means))
# radians
assert not check(
    "7.3", lambda positions, means: torch.deg2rad(angle(positions, means))
)
assert not check("7.3", lambda positions, means: -angle(positions, means))  # sign


def unfolded(positions, means):
    places, z = positions - positions.mean(0), means - means.mean()
    slopes = torch.linalg.lstsq(places, z[:, None]).solution[:, 0]
    return torch.rad2deg(torch.atan2(slopes[1], slopes[0]))


assert not check("7.3", unfolded)  # 150° is the line of −30°

# %% [markdown]
# **7.4** Write the loss of a decoder, and let an optimiser find the two gains. At 45° readjusting saves about half of the price with the gains kept. At 10° it saves less.


# %%
def loss(W, variances, level):
    """Loss / β of a decoder W (2, 2), up to a constant, with the best posterior."""
    eye = torch.eye(2, dtype=W.dtype)
    of_x, precision = W @ W.T + level * eye, eye + W.T @ W / level
    surprise = torch.logdet(of_x)
    surprise = surprise + torch.trace(
        torch.linalg.solve(of_x, torch.diag(variances))
    )
    missed = precision.diagonal().log().sum() - torch.logdet(precision)
    return 0.5 * (surprise + missed)


def price(variances, level, degrees):
    variances, t = torch.as_tensor(variances).double(), math.radians(degrees)
    cos, sin = math.cos(t), math.sin(t)
    back = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    unturned = (variances - level).sqrt()
    gains = unturned.clone().requires_grad_()
    optimizer = torch.optim.Adam([gains], lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        loss(torch.diag(gains) @ back, variances, level).backward()
        optimizer.step()
    turned = loss(torch.diag(gains.detach()) @ back, variances, level)
    return turned - loss(torch.diag(unturned), variances, level)


def with_old_gains(variances, level, degrees):
    (a, b), t = torch.as_tensor(variances) / level, math.radians(degrees)
    return 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * t) ** 2 / (4 * a * b))


assert check("7.4", price)
for degrees in (10, 45):
    old = with_old_gains([8.0, 1.0], 0.5, degrees).item()
    new = price([8.0, 1.0], 0.5, degrees).item()
    print(f"variances 8 and 1, {degrees}°: readjusting saves {1 - new / old:.0%}")
assert abs(price([4.0, 4.0], 0.5, 45)) < 1e-6

# %% tags=["nbval-ignore-output"]
assert not check("7.4", with_old_gains)
assert not check("7.4", lambda v, level, t: price(v, level, math.degrees(t)))
assert not check("7.4", lambda v, level, degrees: 2 * price(v, level, degrees))
assert not check("7.4", lambda variances, level, degrees: 0.0)  # not free
