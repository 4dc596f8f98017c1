# %% [markdown]
# # Solutions to chapter 2
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check

# %% [markdown]
# **2.1**


# %%
def kl(mean, std):
    return 0.5 * (mean**2 + std**2 - 1) - torch.log(std)


assert check("2.1", kl)

# %% tags=["nbval-ignore-output"]
assert not check("2.1", lambda m, s: 2 * kl(m, s))  # missing ½
# sign error
assert not check("2.1", lambda m, s: 0.5 * (m**2 + s**2 - 1) + torch.log(s))
assert not check("2.1", lambda m, s: kl(m, s**2))  # σ² for σ
assert not check("2.1", lambda m, s: kl(m, s).mean())  # mean
assert not check("2.1", lambda m, s: kl(m, s) / math.log(2))  # bits

# %% [markdown]
# **2.2** $\tfrac12 \log_2 4 = 1$ bit.

# %%
assert check("2.2", 0.5 * math.log2(1 + 3))

# %% tags=["nbval-ignore-output"]
assert not check("2.2", 0.5 * math.log(4))  # nats
assert not check("2.2", math.log2(4))  # missing ½
assert not check("2.2", 0.5 * math.log2(3))  # the 1 forgotten

# %% [markdown]
# **2.3** When the level has come down to $\lambda_k$, every earlier component carries $\tfrac12 \log(\lambda_i / \lambda_k)$.


# %%
def onset(variances, k):
    return 0.5 * torch.log(variances[:k] / variances[k]).sum()


assert check("2.3", onset)

# %% tags=["nbval-ignore-output"]
assert not check("2.3", lambda v, k: 2 * onset(v, k))  # missing ½
assert not check("2.3", lambda v, k: -onset(v, k))  # sign error
# only the first component
assert not check("2.3", lambda v, k: 0.5 * torch.log(v[0] / v[k]))
# mean for sum
assert not check("2.3", lambda v, k: 0.5 * torch.log(v[: k + 1] / v[k]).mean())

# %% [markdown]
# **2.4** The mean is 0.75, the variance of a uniform distribution of length ½ is $\tfrac14 / 12 = 1/48$.

# %%
m, v, snr = 0.75, 1 / 48, 2
assert check("2.4", 0.5 * math.log((1 + snr * (1 + m**2 / v)) / (1 + snr)))

# %% tags=["nbval-ignore-output"]
# the variance of [0, 1]
assert not check("2.4", 0.5 * math.log((1 + snr * (1 + m**2 * 12)) / (1 + snr)))
# bits
assert not check("2.4", 0.5 * math.log2((1 + snr * (1 + m**2 / v)) / (1 + snr)))
# the waste at another SNR
assert not check("2.4", 0.5 * math.log((1 + 10 * (1 + m**2 / v)) / (1 + 10)))
assert not check("2.4", 0.5 * math.log(1 + snr * (1 + m**2 / v)))  # the whole KL

# %% [markdown]
# **2.5** Write the loss of a decoder, and let an optimiser find the two gains. The best linear encoder and diagonal posterior are those of section 6. At 45° the price falls by about half, and it is still zero only for equal variances.


# %%
def loss(W, variances, level):
    """Loss / β of a decoder W (2, 2), its linear encoder and posterior the best."""
    precision = torch.eye(2, dtype=W.dtype) + W.T @ W / level
    encoder = torch.linalg.solve(precision, W.T / level)
    rest = torch.eye(2, dtype=W.dtype) - W @ encoder
    V, var = torch.linalg.solve(precision, W.T / level).T, 1 / precision.diagonal()
    error = (rest @ torch.diag(variances) @ rest.T).trace()
    error = error + (var * (W**2).sum(0)).sum()
    kl = 0.5 * ((V**2 * variances[:, None]).sum() + var.sum() - 2 - var.log().sum())
    return error / (2 * level) + kl


def price(variances, level, degrees):
    variances, t = torch.as_tensor(variances).double(), math.radians(degrees)
    cos, sin = math.cos(t), math.sin(t)
    turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    unturned = (variances - level).sqrt()
    gains = unturned.clone().requires_grad_()
    optimizer = torch.optim.Adam([gains], lr=0.05)
    for _ in range(800):
        optimizer.zero_grad()
        loss(torch.diag(gains) @ turn, variances, level).backward()
        optimizer.step()
    turned = loss(torch.diag(gains.detach()) @ turn, variances, level)
    return turned - loss(torch.diag(unturned), variances, level)


assert check("2.5", price)
for variances in ([8.0, 1.0], [8.0, 4.0], [4.0, 4.0]):
    a, b = variances[0] / 0.5, variances[1] / 0.5
    new = price(variances, 0.5, 45).item()
    old = 0.5 * math.log(1 + (a - b) ** 2 / (4 * a * b))
    print(
        f"variances {variances[0]:.0f} and {variances[1]:.0f}, at 45°: "
        f"{old:.3f} with the old gains, {abs(new):.3f} readjusted"
    )
    assert abs(new) < 1e-6 if a == b else 0.45 * old < new < 0.6 * old

# %% tags=["nbval-ignore-output"]


def with_old_gains(variances, level, degrees):
    (a, b), t = variances / level, math.radians(degrees)
    return 0.5 * torch.log(1 + (a - b) ** 2 * math.sin(2 * t) ** 2 / (4 * a * b))


assert not check("2.5", with_old_gains)
assert not check("2.5", lambda v, level, t: price(v, level, math.degrees(t)))
assert not check("2.5", lambda v, level, degrees: 2 * price(v, level, degrees))
assert not check("2.5", lambda variances, level, degrees: 0.0)  # not free
