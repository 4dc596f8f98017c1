"""The training step and the loop, as one would write them by hand. Taught in chapter 4.

What a long training needs besides, such as saving, resuming, speed and several processes, is passed in as hooks:
`minivae.train` puts the parts together (`minivae.engine`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from minivae import gaussian
from minivae.objectives import bernoulli_nll

Take = Callable[[Any], Tensor]  # takes the step of a number


def training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, objective: Callable[..., Tensor],
    images: Tensor, noise: Tensor, step: int | Tensor, *,
    source: Tensor | None = None, state: Tensor | None = None, precision: str = "fp32",
    average: Callable[[Tensor], Tensor] = lambda values: values.mean(0),
) -> Tensor:  # fmt: skip
    """One step of gradient descent. Nothing here is random, and nothing waits for the device.

    Args:
        model, optimizer, objective: see `minivae.objectives` for what an objective is called with.
        images, noise: the targets (B, channels, size, size), in [0, 1], and standard normal numbers (B, latents).
        step: its number.
        source: what is encoded instead of the images: of a generator the classes of their factors (B, factors).
        state: of an objective that adapts itself; it is changed in place.
        precision: "bf16" for the layers' arithmetic; all else is float32.
        average: over the batch, of reconstruction (B,) and KL (B, latents).

    Returns loss, reconstruction and KL per latent, in nats: (2 + latents,). Source: Eq. 3 and appendix A.2; Kingma and
    Welling 2014 for z = μ + σ·ε.
    """
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        mean, log_std = model.encode(images if source is None else source)
        z = mean + log_std.exp() * noise
        logits = model.decode(z)
    reconstruction = average(bernoulli_nll(logits, images))
    kl = average(gaussian.kl_per_latent(mean, log_std))
    states = () if state is None else (state,)
    asked = {"z": z, "mean": mean, "log_std": log_std} if getattr(objective, "needs", "") == "posterior" else {}
    loss = objective(reconstruction, kl, step, *states, **asked)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if state is not None:
        objective.update(kl.detach(), step, state)
    return torch.hstack([loss, reconstruction, kl]).detach()


def batches(
    model: nn.Module, dataset: Any, optimizer: torch.optim.Optimizer, objective: Callable[..., Tensor],
    generator: torch.Generator, batch: int = 64, *, told: bool = False,
    rows: slice = slice(None), layout: torch.memory_format = torch.contiguous_format, **settings: Any,
) -> Take:  # fmt: skip
    """A function that draws a batch and its noise, and takes a `training_step`, whose arguments are not named here.

    `dataset.sample(batch, generator)` draws the images of a step, then the generator the noise. If `told`, the model is
    shown the classes of the factors, not the images. `rows` are the rows of the batch that this process uses, `layout`
    is that of the images in memory.
    """

    def take(step: int | Tensor) -> Tensor:
        images, factors = dataset.sample(batch, generator)
        noise = torch.randn(batch, model.decoder.latents, generator=generator, device=generator.device)
        images = images[rows].contiguous(memory_format=layout)
        source = factors[rows] if told else None
        return training_step(model, optimizer, objective, images, noise[rows], step, source=source, **settings)

    return take


def loop(
    take: Take, steps: Iterable[int],
    before: Sequence[Callable[[int], Any]] = (), after: Sequence[Callable[[int, Tensor], Any]] = (),
) -> None:  # fmt: skip
    """Take the steps of these numbers in turn with `take`, see `batches`; an error in a hook ends the training.

    Hooks in `before` get the number of the coming step, those in `after` that of the step and what `take` returned.
    """
    for step in steps:
        for hook in before:
            hook(step)
        row = take(step)
        for hook in after:
            hook(step, row)
