"""One training divided over several processes: `torchrun --nproc-per-node N -m minivae train NAME`.

Every process draws the whole batch and all its noise from the same seed and takes its share of the rows, so that N
processes do what one does, to rounding. The capacity term is not linear in the batch, γ·|KL − C|: means are taken over
all processes before the objective sees them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def processes(device: str = "auto") -> Iterator[bool]:
    """Join the processes that torchrun started, if it did; whether this is the one that writes and speaks. They talk
    through NCCL if `device` asks for GPUs and there is one for each, else through Gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield True
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    each = device in ("auto", "cuda") and torch.cuda.device_count() >= here
    if each:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if each else "gloo")
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


def alone() -> bool:
    """Whether this process trains by itself."""
    return not dist.is_initialized() or dist.get_world_size() == 1


def writes() -> bool:
    """Whether this process is the one that writes and shows progress."""
    return alone() or dist.get_rank() == 0


def rows(batch: int) -> slice:
    """The rows of a batch that this process takes; all unless there are others, and then evenly, or ValueError."""
    if alone():
        return slice(None)
    rank, world = dist.get_rank(), dist.get_world_size()
    if batch % world:
        raise ValueError(f"a batch of {batch} cannot be divided over {world} processes: choose a divisor")
    return slice(rank * batch // world, (rank + 1) * batch // world)


def average(values: Tensor) -> Tensor:
    """The mean over the rows of all processes, whose gradient is that of the own rows' mean. As `share_gradients`
    averages gradients, the whole batch's loss gets its exact gradient, whatever function of the mean it is:
    (1/N)·Σ_r L′(mean)·∂mean_r = L′(mean)·∂mean."""
    own = values.mean(0)
    if alone():
        return own
    total = own.detach().clone()
    dist.all_reduce(total)
    return own + (total / dist.get_world_size() - own.detach())


def share_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Let the optimizer average the gradients over all processes before each of its steps."""
    if alone():
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def share(*_: Any) -> None:
        flat = torch.cat([p.grad.flatten() for p in parameters])
        dist.all_reduce(flat)
        means = (flat / dist.get_world_size()).split([p.numel() for p in parameters])
        for p, mean in zip(parameters, means, strict=True):
            p.grad.copy_(mean.view_as(p))

    optimizer.register_step_pre_hook(share)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up in any process, so that all stop at the same step."""
    if alone():
        return flag
    raised = torch.tensor(float(flag), device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised)


def agree(model: nn.Module) -> None:
    """Give every process the weights of the first, where they were changed outside of the gradient's reach."""
    if not alone():
        for parameter in model.parameters():
            dist.broadcast(parameter.data, 0)
