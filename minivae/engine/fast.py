"""What makes a training fast: precision, memory, pictures kept where they are used, and CUDA graphs."""

import ctypes
import functools
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minivae.datasets import Arrays, Chairs
from minivae.engine.pictures import Pictures
from minivae.training import Take


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes cuda, then mps, then cpu. Raises ValueError, with PyTorch's reason, if it
    cannot be used here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        # a card for which this PyTorch has no kernels lets itself be found, and fails at the first sum that is awaited
        (torch.ones(2, device=device) + 1).sum().tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here ({reason}): try auto, cpu, cuda or mps") from None
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """ "fp32" or "bf16"; "auto" takes bf16 where the device multiplies it in hardware. ValueError on another name."""
    if name not in ("auto", "fp32", "bf16"):
        raise ValueError(f"unknown precision {name!r}: choose auto, fp32 or bf16")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)  # PyTorch has no public names for these questions
    there = device.type == "cpu" and probe() and torch.backends.mkldnn.is_available()
    return "bf16" if there and torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"


def layout(device: torch.device) -> torch.memory_format:
    """How images and kernels lie in memory: channels last is fast for cuDNN and oneDNN, on MPS slow, or even wrong."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def bias_apart(model: nn.Module) -> None:
    """Let transposed convolutions add their bias on its own: on a CPU PyTorch's way to its gradient takes a sixth of a
    training step."""

    def forward(layer: nn.ConvTranspose2d, x: Tensor) -> Tensor:
        y = F.conv_transpose2d(x, layer.weight, None, layer.stride, layer.padding)
        return y.add_(layer.bias.to(y.dtype)[:, None, None])

    for layer in model.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.forward = functools.partial(forward, layer)


def keep_buffers(mmap: int = 2**30, trim: int = 2**31 - 1) -> None:
    """Tell glibc to keep freed buffers, which it would return to the kernel after each step: 25 % of the time."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, mmap)  # M_MMAP_THRESHOLD: bytes from which a buffer is mapped by itself, and returned
        libc.mallopt(-1, trim)  # M_TRIM_THRESHOLD: free bytes at the end of the heap that are kept


class Held:
    """Pictures (n, channels, size, size), uint8 or float, and what is known of each, on one device: batches of them are
    drawn without a wait, as their data set draws them."""

    def __init__(self, pictures: Tensor, known: Tensor) -> None:
        self.pictures, self.known = pictures, known

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.pick(torch.randint(len(self.pictures), (n,), generator=generator, device=generator.device))

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        pictures, known = self.pictures.index_select(0, index), self.known.index_select(0, index)
        return (pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures), known


class Remembered(Held):
    """Chairs of a finite set, each drawn when it is first asked for: to draw all of them takes a CPU minutes."""

    def __init__(self, chairs: Chairs) -> None:
        super().__init__(torch.zeros(chairs.number, 1, chairs.size, chairs.size, dtype=torch.uint8), chairs.chairs)
        self.there, self.render = torch.zeros(chairs.number, dtype=torch.bool), chairs.render

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        missing = index[~self.there[index]].unique()
        if len(missing):
            self.pictures[missing] = (255 * self.render(self.known[missing])).round().byte()
            self.there[missing] = True
        return super().pick(index)


def held(dataset: Any, place: torch.device) -> Any:
    """The data set in the form from which a training there draws fastest; itself, if that is it."""
    drawn = isinstance(dataset, Chairs) and dataset.number is not None
    keeps = drawn and place.type == "cpu"
    if place.type == "cuda" and (drawn or type(dataset) in (Arrays, Pictures)):
        values = (dataset.number if drawn else len(dataset)) * dataset.channels * dataset.size**2
        bytes_each = dataset.held[0].element_size() if isinstance(dataset, Arrays) else 1
        keeps = values * bytes_each <= torch.cuda.mem_get_info(place)[0] / 2  # the other half is the training's
    return _keep(dataset, place) if keeps else dataset


@functools.lru_cache(maxsize=1)  # a training that goes on, or the next seed's, finds them there
def _keep(dataset: Arrays | Chairs | Pictures, place: torch.device) -> Held:
    if place.type == "cpu":
        return Remembered(dataset)
    if not isinstance(dataset, Chairs):
        return Held(*(values.to(place) for values in dataset.held))
    known = dataset.chairs.to(place)
    return Held(torch.cat([(255 * dataset.render(some)).round().byte() for some in known.split(4096)]), known)


@contextmanager
def ieee() -> Iterator[None]:
    """Meanwhile CUDA's convolutions of fp32 are fp32, and not TF32, which keeps ten bits."""
    switch, name, off = torch.backends.cudnn, "allow_tf32", False
    if hasattr(switch, "conv"):  # newer versions have a switch for convolutions alone
        switch, name, off = switch.conv, "fp32_precision", "ieee"
    before = getattr(switch, name)
    setattr(switch, name, off)
    try:
        yield
    finally:
        setattr(switch, name, before)


def on(stream: torch.cuda.Stream | None, do: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose work goes to a stream, after what is now under way on the present one; None: as it is."""
    if stream is None:
        return do
    stream.wait_stream(torch.cuda.current_stream(stream.device))

    def there(*arguments: Any) -> Any:
        with torch.cuda.stream(stream):
            return do(*arguments)

    return there


class OnDevice:
    """A schedule whose present value lies on the device, where a graph reads it: `put` brings it there."""

    def __init__(self, schedule: Callable[[int], float], place: torch.device) -> None:
        self.schedule, self.value = schedule, torch.zeros((), device=place)

    def put(self, step: int) -> None:
        self.value.fill_(self.schedule(step))

    def __call__(self, step: int | Tensor) -> Tensor:
        return self.value


def graphed(
    take: Take, optimizer: torch.optim.Optimizer, generator: torch.Generator,
    put: Sequence[Callable[[int], None]] = (), warm_up: int = 3,
) -> Take:  # fmt: skip
    """The same step as a CUDA graph: one launch instead of hundreds. The first few are taken one operation at a time:
    every library has then chosen and allocated what it needs before the recording. Data and noise are made on the
    device; what a step reads besides, its number and what `put` brings, is put there before it."""
    at = torch.zeros((), device=generator.device)
    aside = torch.cuda.Stream(generator.device)
    taken, graph, row = 0, torch.cuda.CUDAGraph(), at

    def replay(step: int) -> Tensor:
        nonlocal taken, row
        for bring in (at.fill_, *put):
            bring(step)
        taken += 1
        if taken <= warm_up:
            here = torch.cuda.current_stream(generator.device)
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                row = take(at)
            here.wait_stream(aside)
            return row
        if taken == warm_up + 1:
            for group in optimizer.param_groups:
                group["capturable"] = True
            if hasattr(graph, "register_generator_state"):  # where it is gone PyTorch sees to it by itself
                graph.register_generator_state(generator)
            with torch.cuda.graph(graph, stream=aside):
                row = take(at)  # is recorded, not done
        graph.replay()
        return row

    return replay
