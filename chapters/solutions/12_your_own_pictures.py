# %% [markdown]
# # Solutions to chapter 12
#
# Each solution passes its check; the wrong answers below it, the plausible ones, must not.

# %%
import torch

from minivae.course.checks import check

# %% [markdown]
# **12.1** With $N$ values, a mean of the reconstruction plus β times the KL is $1/N$ of the sum plus $N \beta$ times the KL. A factor before the whole loss changes no minimum. So our β is $N$ times the other.

# %%
values = 3 * 64 * 64
print(f"β = {0.002 * values:.1f}")
assert check("12.1", 0.002 * values)

# %% tags=["nbval-ignore-output"]
assert not check("12.1", 0.002 * 64 * 64)  # one value a pixel
assert not check("12.1", 0.002 / values)  # the other way round
assert not check("12.1", 0.002)  # as if a mean were a sum

# %% [markdown]
# **12.2** All correlations at once, from standardised codes; then the largest absolute value of each row.


# %%
def found_again(first, second):
    first = (first - first.mean(0)) / first.std(0)
    second = (second - second.mean(0)) / second.std(0)
    correlation = first.T @ second / (len(first) - 1)
    return correlation.abs().max(1).values


assert check("12.2", found_again)

# %% tags=["nbval-ignore-output"]
assert not check("12.2", lambda a, b: found_again(b, a))  # of the second


def signed(first, second):
    both = torch.cat([first, second], 1).T.corrcoef()
    return both[: first.shape[1], first.shape[1] :].max(1).values


assert not check("12.2", signed)
assert not check("12.2", lambda a, b: found_again(a, b) ** 2)  # that is R²

# %% [markdown]
# **12.3** Excess gained over KL given up.

# %%
excess = torch.tensor([30.0, 42, 62, 70])
kl = torch.tensor([20.0, 15, 13, 9])
worth = excess.diff() / -kl.diff()
print("nats per nat:", [round(value, 1) for value in worth.tolist()])
assert check("12.3", worth)

# %% [markdown]
# Let a model with a higher β have excess $D_2$ and KL $R_2$, one with a lower β have $D_1$ and $R_1$. If each is the best for its β, then $D_1 + \beta_1 R_1 \le D_2 + \beta_1 R_2$ and $D_2 + \beta_2 R_2 \le D_1 + \beta_2 R_1$. Together:
#
# $$ \beta_1 \;\le\; \frac{D_2 - D_1}{R_1 - R_2} \;\le\; \beta_2 . $$
#
# 2.4 lies between 1 and 4, and 10 between 4 and 16. But 2 does not lie between 16 and 64. So not every training has found the best model. The one with β = 16 has not: at β = 16 the *last* model has a loss of 70 + 16 · 9 = 214, and its own is 62 + 16 · 13 = 270.

# %%
loss_at_16 = excess + 16 * kl
print("loss of the four models at β = 16:", loss_at_16.tolist())
assert loss_at_16.argmin() == 3

# %% tags=["nbval-ignore-output"]
assert not check("12.3", 1 / worth)  # nats of KL per nat
assert not check("12.3", -worth)
assert not check("12.3", [4, 16, 64])  # the prices that were asked, not paid
assert not check("12.3", excess[1:] / kl[1:])  # no differences
