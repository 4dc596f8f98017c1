"""One training divided over several processes: `torchrun --nproc-per-node N -m minivae train NAME`.

Every process draws the whole batch and all its noise from the same seed and takes its share of the rows, so that N
processes do what one does, to rounding. The capacity term is not linear in the batch, γ·|KL − C|: means are taken over
all processes before the objective sees them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from minivae.models import VAE, FactorGenerator


@dataclass(frozen=True)
class Share:
    """Which part of every batch this process takes.

    Args:
        rank: number of the process, from 0.
        world: number of processes.
        batch: rows of a whole batch.

    Raises:
        ValueError: if the batch cannot be divided evenly.
    """

    rank: int = 0
    world: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if self.batch % self.world:
            raise ValueError(f"a batch of {self.batch} cannot be divided over {self.world} processes: choose a divisor")

    @property
    def rows(self) -> slice:
        """The rows of this process."""
        each = self.batch // self.world
        return slice(self.rank * each, (self.rank + 1) * each)


def share(batch: int) -> Share:
    """The share of this process: everything, unless a group of processes was started.

    Raises:
        ValueError: if the batch cannot be divided evenly.
    """
    if not dist.is_initialized():
        return Share(batch=batch)
    return Share(dist.get_rank(), dist.get_world_size(), batch)


@contextmanager
def processes(device: str = "auto") -> Iterator[bool]:
    """Join the processes that torchrun started, if it did; whether this is the one that writes and speaks.

    If they train on GPUs and there is one for each process they talk through NCCL, else through Gloo.

    Args:
        device: that `training.train` is asked for.

    Raises:
        RuntimeError: if the others cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield True
        return
    local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    each = device in ("auto", "cuda") and gpus >= int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    if each:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if each else "gloo")
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


class Divided(nn.Module):
    """The forward pass of one process's rows, with the noise that these rows have in the whole batch.

    Args:
        model: shared by all processes.
        share: this process's.
    """

    def __init__(self, model: VAE | FactorGenerator, share: Share) -> None:
        super().__init__()
        self.model, self.share = model, share

    def forward(self, source: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """As the model's: logits, mean and log_std of this process's rows of images or classes."""
        mean, log_std = self.model.encode(source)
        shape = self.share.batch, mean.shape[1]
        noise = torch.randn(shape, generator=generator, device=mean.device, dtype=mean.dtype)[self.share.rows]
        return self.model.decode(mean + log_std.exp() * noise), mean, log_std


def divide(model: VAE | FactorGenerator, share: Share) -> nn.Module:
    """The model itself if this process is alone, else its rows' forward pass in `DistributedDataParallel`, which
    averages the gradients."""
    if share.world == 1:
        return model
    devices = [next(model.parameters()).device] if next(model.parameters()).is_cuda else None
    return nn.parallel.DistributedDataParallel(Divided(model, share), device_ids=devices)


def mean(value: Tensor) -> Tensor:
    """The mean of a value over all processes, whose gradient is the own value's.

    As `DistributedDataParallel` averages gradients, the whole batch's loss gets its exact gradient, whatever function
    of the mean it is: (1/N)·Σ_r L′(mean)·∂value_r = L′(mean)·∂mean.
    """
    if not dist.is_initialized():
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return value + (total / dist.get_world_size() - value.detach())


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up in any process, so that all stop at the same step."""
    if not dist.is_initialized():
        return flag
    raised = torch.tensor(float(flag), device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised)


def agree(model: nn.Module) -> None:
    """Give every process the weights of the first, where they were changed outside of the gradient's reach."""
    if dist.is_initialized():
        for parameter in model.parameters():
            dist.broadcast(parameter.data, 0)
