# %% [markdown]
# # Solutions to chapter 8
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import math

import torch

from minivae.course.checks import check
from minivae.datasets import Sprites

# %% [markdown]
# **8.1** The common part cancels; the rest is 50/1000 of the learning rate a step.

# %%
print(f"{2 * 1000 / (0.0005 * 50):,.0f} steps")
assert check("8.1", 2 * 1000 / (0.0005 * (60 - 10)))

# %% tags=["nbval-ignore-output"]
assert not check("8.1", 2 / (0.0005 * 50))  # no γ
assert not check("8.1", 2 * 1000 / (0.0005 * 60))  # one factor only
assert not check("8.1", 1000 / (0.0005 * 50))  # apart by 1
assert not check("8.1", 2 * 1000 / 50)  # no learning rate

# %% [markdown]
# **8.2** With $\rho = m^2/v$, $t = e^R$: the SNR is $(t^2 - 1)/(1 + \rho)$, and $R' = R/2$ says $1 + \mathrm{SNR} = t$. So
# $t^2 - 1 = (1 + \rho)(t - 1)$, and after division by $t - 1$: $t = \rho$. The rate is $\log \rho$: 2.1 nats here, 3 nats for the published scale. (A mean
# with $\rho < 1$ never takes half.)

# %%
rate = math.log(8)
information = 0.5 * math.log1p(math.expm1(2 * rate) / (1 + 8))
print(f"rate {rate:.2f}, information {information:.2f}")
assert math.isclose(information, rate / 2)
assert check("8.2", rate)

# %% tags=["nbval-ignore-output"]
assert not check("8.2", 0.5 * math.log(1 + 8))  # the fee of a high rate
assert not check("8.2", math.log(1 + 8))  # twice that
assert not check("8.2", rate / 2)  # the information
assert not check("8.2", math.log2(8))  # bits

# %% [markdown]
# **8.3** Adam moves every $a_i$ by the same amount, so the rates are to each other as the $\mathbb E f_i^2$. Without the means these are the variances. The angle comes first, still more than with its mean; x and y have 2 per cent each.

# %%
values = Sprites().values
variances = torch.stack(
    [values[name].var(correction=0) for name in Sprites.factors[1:]]
)
shares = variances / variances.sum()
print([round(share, 3) for share in shares.tolist()])
assert check("8.3", shares)

# %% tags=["nbval-ignore-output"]
squares = torch.stack(
    [values[name].square().mean() for name in Sprites.factors[1:]]
)
assert not check("8.3", squares / squares.sum())  # with the means
assert not check("8.3", variances)  # do not add up to 1
assert not check("8.3", variances.sqrt() / variances.sqrt().sum())  # no square
assert not check("8.3", [0, 0, 0, 0.5, 0.5])  # position first
