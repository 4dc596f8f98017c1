"""A pretended CUDA device: tensors whose numbers are on the CPU, and that say they are on cuda:0.

Each operation is seen below autograd: does the host wait for it, does it mix devices, is it of float64, how many
kernels does it launch? A graph holds the operations that were recorded, with their tensors; a replay does them again on
the same memory. What depends on the real device, its rounding and its time, cannot be seen here.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

PLACE = torch.device("cuda:0")
WAITS = {
    "_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "bincount", "linalg_eigh",
    "repeat_interleave", "_linalg_check_errors",
}  # fmt: skip
VIEWS = {
    "view", "_unsafe_view", "t", "transpose", "permute", "select", "slice", "expand", "unsqueeze", "squeeze", "detach",
    "alias", "unbind", "split", "split_with_sizes", "as_strided", "diagonal", "_reshape_alias", "unfold", "empty",
    "empty_like", "empty_strided", "new_empty", "new_empty_strided", "set_", "lift_fresh", "_local_scalar_dense",
}  # fmt: skip
KERNELS = {
    "binary_cross_entropy_with_logits": 4, "sort": 4, "argsort": 4, "_linalg_solve_ex": 3, "linalg_solve_ex": 3,
    "constant_pad_nd": 2, "_foreach_norm": 2, "baddbmm": 2,  # a copy first
}  # fmt: skip


class OnCard(Tensor):
    """A tensor that says it is on the card; `numbers` holds what is in it."""

    numbers: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "OnCard":
        made = Tensor._make_wrapper_subclass(
            cls, numbers.size(), strides=numbers.stride(), storage_offset=numbers.storage_offset(), dtype=numbers.dtype,
            device=torch.device("meta"),
        )  # fmt: skip
        made.numbers = numbers
        return made

    def __init__(self, numbers: Tensor) -> None:
        pass

    device = property(lambda self: PLACE)
    is_cuda, is_meta = property(lambda self: True), property(lambda self: False)

    def tolist(self) -> list:
        return self.cpu().tolist()

    def __matmul__(self, other: Tensor) -> Tensor:
        # PyTorch's way for a row times a matrix changes a shape in place, which a wrapper cannot follow
        return torch.mv(other.t(), self) if self.dim() == 1 < other.dim() else torch.matmul(self, other)

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return Card.on.__torch_dispatch__(operation, types, args, kwargs)


class Generator(torch.Generator):
    """The CPU's generator, that says where it was asked for."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls)

    def __init__(self, device="cpu") -> None:
        self.place = PLACE if torch.device(device).type == "cuda" else torch.device("cpu")

    device = property(lambda self: self.place)


class Card(TorchDispatchMode):
    """While it is active, "cuda" can be used. `waits`, `doubles` and `kernels` count operations by name."""

    on: "Card"

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.doubles, self.kernels = Counter(), Counter(), Counter()
        self.recording: Graph | None = None

    def forget(self) -> None:
        for counter in (self.waits, self.doubles, self.kernels):
            counter.clear()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), operation._schema.name.split("::")[1]
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here = [tensor for tensor in tensors if isinstance(tensor, OnCard)]
        asked = kwargs.get("device")
        lands = bool(here) if asked is None else torch.device(asked).type in ("cuda", "meta")
        if not (here or lands) or (name == "lift_fresh" and here):
            return args[0] if here else operation(*args, **kwargs)
        if lands and asked is not None:
            kwargs["device"] = torch.device("cpu")
        self._look(name, args, tensors, here, lands)
        plain, named = tree_map(lambda leaf: getattr(leaf, "numbers", leaf), (args, kwargs))
        written = self._written(operation, args, kwargs)
        if self.recording is not None:
            self.recording.keep([tensor.numbers for tensor in written])
        with _plain():
            out = operation(*plain, **named)
        outs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if any(leaf.dtype == torch.float64 for leaf in outs) and lands:
            self.doubles[name] += 1
        if name not in VIEWS:
            self.kernels[name] += _kernels(name, args, here)
            if self.recording is not None:
                self.recording.steps.append((operation, plain, named, [] if written else outs))
        if written:
            returned = [tensor for tensor in written][: len(operation._schema.returns)]
            return None if not returned else returned[0] if len(returned) == 1 else tuple(returned)
        return tree_map(lambda leaf: OnCard(leaf) if isinstance(leaf, Tensor) else leaf, out) if lands else out

    def _look(self, name: str, args: tuple, tensors: list[Tensor], here: list[Tensor], lands: bool) -> None:
        """Note what the host waits for; raise on what a card refuses."""
        there = [tensor for tensor in tensors if not isinstance(tensor, OnCard)]
        copies = name in ("_to_copy", "copy_") and (bool(there) or not lands)
        mask = name.startswith("index") and any(
            index.dtype in (torch.bool, torch.uint8) for index in tree_leaves(args[1]) if isinstance(index, Tensor)
        )
        sent = name.startswith("index") and bool(there)  # of the indices, to the card
        if name in WAITS or copies or mask or sent:
            self.waits[f"{name} with a mask" if mask else f"{name} between devices" if copies or sent else name] += 1
            if self.recording is not None:
                raise RuntimeError(f"{name} is not permitted when stream is capturing")
        elif any(tensor.dim() for tensor in there) and here:
            raise RuntimeError(f"Expected all tensors to be on the same device: {name}")

    @staticmethod
    def _written(operation, args: tuple, kwargs: dict) -> list[OnCard]:
        """The arguments on the card that an operation changes, in order."""
        given = {argument.name: value for argument, value in zip(operation._schema.arguments, args, strict=False)}
        changed = [a.name for a in operation._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
        return [
            leaf for name in changed for leaf in tree_leaves((given | kwargs).get(name)) if isinstance(leaf, OnCard)
        ]


@contextlib.contextmanager
def _plain() -> Iterator[None]:
    with _disable_current_modes(), torch._C._DisableTorchDispatch(), torch.no_grad():
        yield


def _kernels(name: str, args: tuple, here: list[Tensor]) -> int:
    """About as many as PyTorch launches for an operation."""
    if name == "convolution":
        return 1 + (args[2] is not None)  # the bias by itself
    if name == "convolution_backward":
        return sum(args[-1])
    if name.startswith("_foreach"):  # one for all, if they lie alike in memory
        lists = [arg for arg in args if isinstance(arg, (list, tuple)) and arg and isinstance(arg[0], Tensor)]
        alike = all(len({tensor.stride() for tensor in same}) == 1 for same in zip(*lists, strict=True))
        return 1 if alike else len(lists[0])
    return KERNELS.get(name, 1)


class Graph:
    """Recorded operations. What was changed while they were recorded is put back, for a recording does nothing."""

    def __init__(self) -> None:
        self.steps, self.before, self.generators, self.replays = [], {}, [], 0

    def register_generator_state(self, generator: Generator) -> None:
        self.generators.append(generator)

    def keep(self, changed: list[Tensor]) -> None:
        for tensor in changed:
            memory = tensor.untyped_storage()
            if memory.data_ptr() not in self.before:
                with _plain():
                    whole = torch.empty(0, dtype=torch.uint8).set_(memory, 0, (memory.nbytes(),))
                    self.before[memory.data_ptr()] = whole, whole.clone()

    def replay(self) -> None:
        self.replays += 1
        with _plain():
            for operation, args, kwargs, outs in self.steps:
                new = [leaf for leaf in tree_leaves(operation(*args, **kwargs)) if isinstance(leaf, Tensor)]
                for old, value in zip(outs, new, strict=False):
                    old.copy_(value)


@contextlib.contextmanager
def record(graph: Graph, stream: object = None) -> Iterator[None]:
    states = [generator.get_state() for generator in graph.generators]
    Card.on.recording = graph
    yield
    Card.on.recording = None
    with _plain():
        for whole, old in graph.before.values():
            whole.copy_(old)
    for generator, state in zip(graph.generators, states, strict=True):
        generator.set_state(state)


class Stream:
    device = PLACE

    def __init__(self, *_: object) -> None:
        pass

    def wait_stream(self, other: "Stream") -> None:
        pass


@contextlib.contextmanager
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """Make "cuda:0" the pretended device meanwhile."""
    for name, value in {
        "_lazy_init": lambda: None, "Stream": Stream, "CUDAGraph": Graph, "graph": record,
        "current_stream": lambda *_: Stream(), "stream": lambda _: contextlib.nullcontext(),
        "is_available": lambda: True, "mem_get_info": lambda *_: (2**36, 2**36), "is_bf16_supported": lambda **_: False,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "Generator", Generator)
    tensor, autocast = torch.tensor, torch.autocast
    monkeypatch.setattr(torch, "tensor", lambda values, device=None, **named: tensor(values, **named).to(device))
    monkeypatch.setattr(torch, "autocast", lambda kind, *_, **__: autocast("cpu", enabled=False))
    with Card() as active:
        Card.on = active
        yield active
