"""What the checks share: reading an answer, the slips that all exercises share, and the verdict.

An answer may come in any form that holds the right numbers: a number, a list, a NumPy array, a tensor of any type, or a
function that returns one of these. `tensor` and `call` are the only places that know about forms.
"""

import inspect
import math
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer; true if it is right."""

    right: bool
    text: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


class NotYet(Exception):
    """What is wrong with an answer, in one line."""


def tensor(value: Any) -> Tensor:
    """Numbers in any form as float64; TypeError, ValueError or RuntimeError if not real, or rows differ in length."""
    if isinstance(value, list | tuple):
        return torch.stack([tensor(v) for v in value]) if value else torch.zeros(0, dtype=torch.float64)
    if value is None:
        raise TypeError("None")  # NumPy would take it for NaN
    if value.is_complex() if isinstance(value, Tensor) else np.iscomplexobj(value):
        raise TypeError("complex numbers")
    if isinstance(value, Tensor):
        return value.detach().cpu().double()
    return torch.from_numpy(np.array(value, dtype=float))


def numbers(value: Any, shape: tuple[int, ...] | None = ()) -> Tensor:
    """A value as float64 of a shape, or as a vector of any length if None; axes of length 1 do not matter."""
    want = "one number is asked for" if shape == () else f"numbers of shape {shape or '(n,)'} are asked for"
    try:
        got = tensor(value)
    except (TypeError, ValueError, RuntimeError):
        shown = "a function: hand in what it returns" if callable(value) else repr(value)
        raise NotYet(f"{want}, got {shown if len(shown) < 60 else type(value).__name__}") from None
    if shape is None:
        return got.flatten()
    if [n for n in got.shape if n != 1] != [n for n in shape if n != 1]:
        raise NotYet(f"{want}, got shape {tuple(got.shape)}")
    return got.reshape(shape)


def call(answer: Any, takes: str, *arguments: Any) -> Any:
    """What a learner's function returns; its arguments, named in `takes`, are copies, so that it may change them."""
    if not callable(answer):
        raise NotYet(f"a function of {takes} is asked for (answer = your_function, not called), got {answer!r:.60}")
    try:
        inspect.signature(answer).bind(*arguments)
    except TypeError:
        raise NotYet(f"your function must take {len(arguments)} arguments: {takes}") from None
    except ValueError:
        pass  # some built-in functions have no signature
    dtype, error = torch.get_default_dtype(), None  # what tensors have that the learner makes
    given = [torch.tensor(v, dtype=dtype) if isinstance(v, float) else v for v in arguments]
    given = [v.to(dtype) if torch.is_tensor(v) and v.is_floating_point() else v for v in given]
    arrays = [(v.numpy().copy() if v.ndim else v.item()) if torch.is_tensor(v) else v for v in given]
    for form in ([v.clone() if torch.is_tensor(v) else v for v in given], arrays):
        try:
            result = answer(*form)
        except Exception as problem:  # the learner's own code may fail in any way; that is an answer too
            error = error or problem
            continue
        if result is None:
            raise NotYet("your function returned None: is its `return` missing?")
        return result
    said = (str(error).splitlines() or [""])[0][:200]
    lines = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_NOT_THE_LEARNERS)]
    where = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
    raise NotYet(f"your answer raised {type(error).__name__}: {said}{where}")


_NOT_THE_LEARNERS = (str(Path(__file__).parent), *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib")))

_OF_RESULTS: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
    "": {
        "twice too much: is a ½ missing, or is something counted twice?": lambda r: 2 * r,
        "half of what it should be: is there a ½ too many?": lambda r: r / 2,
        "the sign is wrong": lambda r: -r,
        "upside down: one over what it should be": lambda r: 1 / r,
    },
    "nats": {
        "these are bits (log₂); nats are asked for (log)": lambda r: r / math.log(2),
        "nats were taken for bits: no factor log 2": lambda r: r * math.log(2),
    },
    "bits": {"these are nats (log); bits are asked for (log₂)": lambda r: r * math.log(2)},
    "probability": {"a number from 0 to 1 is asked for, not per cent": lambda r: 100 * r},
}
_OF_ARGUMENTS: dict[str, tuple[tuple[str, ...], Callable[[Tensor], Tensor]]] = {
    "σ² stands where σ should": (("std", "s1", "s2"), torch.square),
    "σ stands where σ² should": (("std", "s1", "s2"), torch.sqrt),
    "what is given is σ, not log σ": (("std", "s1", "s2"), torch.exp),
    "the angle is in degrees: convert it for sin and cos": (("degrees",), torch.rad2deg),
    "the angle is in radians already": (("elevation",), torch.deg2rad),
}


@dataclass(frozen=True)
class Asks:
    """A check of a value, or of a function by its values.

    Args:
        right: the answer or, if there are cases or it has to be computed, a function that returns it.
        cases: arguments to try a function with; none if a value is asked for.
        unit: "nats", "bits", "probability" or "", for the shared slips.
        within: tolerance, as a share of the largest number of a case; two significant digits if None.
        hint: said where no slip is recognised.
        slips: what to say, and of which wrong value or function; these go before the shared ones.
    """

    right: Any
    cases: Sequence[tuple[Any, ...]] = ()
    unit: str = ""
    within: float | None = None
    hint: str = ""
    slips: dict[str, Any] = field(default_factory=dict)

    def __call__(self, answer: Any) -> None:
        """Raise NotYet, and say which slip it is, unless the answer is right."""
        takes = ", ".join(inspect.signature(self.right).parameters) if self.cases else ""
        rights = self._values(self.right)
        results = [call(answer, takes, *case) for case in self.cases] if self.cases else [answer]
        got = [numbers(result, tuple(right.shape)) for result, right in zip(results, rights, strict=True)]
        share = self.within or (2e-3 if self.cases else None)
        if all(_close(g, r, share or _two_digits(g, r)) for g, r in zip(got, rights, strict=True)):
            return

        def is_(wanted: list[Tensor], within: float = share or 0.02) -> bool:
            return all(g.shape == w.shape and _close(g, w, within) for g, w in zip(got, wanted, strict=True))

        for problem, wrong in (self.slips | self._of_arguments(takes.split(", "))).items():
            if is_(self._values(wrong)):
                raise NotYet(problem)
        if not all(g.isfinite().all() for g in got):
            raise NotYet("NaN or infinity came out: a log 0, or 0/0? (torch.xlogy knows that 0 · log 0 is 0)")
        for problem, slip in (_OF_RESULTS[""] | _OF_RESULTS[self.unit]).items():
            if is_([slip(r) for r in rights]):
                raise NotYet(problem)
        times = [((g * r).sum() / r.square().sum()).item() for g, r in zip(got, rights, strict=True)]
        if self.cases and is_([t * r for t, r in zip(times, rights, strict=True)]):
            if min(times) > 0.01 and all(abs(1 / t - round(1 / t)) < 0.01 for t in times):
                raise NotYet("this is a mean; a sum is asked for")
            if min(times) > 0.9 and all(abs(t - round(t)) < 0.01 for t in times):
                raise NotYet("this is a sum; a mean is asked for")
        if is_(rights, 0.06):
            digits = "three digits are" if self.cases else "each number is" if self.within else "two digits are"
            raise NotYet(f"close, but {digits} asked for")
        raise NotYet(self.hint)

    def _values(self, of: Any) -> list[Tensor]:
        return [tensor(of(*case) if callable(of) else of) for case in self.cases or ((),)]

    def _of_arguments(self, names: list[str]) -> dict[str, Any]:
        """The right function of arguments that a usual slip has changed."""

        def after(which: tuple[str, ...], change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
            return lambda *case: self.right(
                *(change(torch.as_tensor(v)) if name in which else v for name, v in zip(names, case, strict=True))
            )

        return {problem: after(*slip) for problem, slip in _OF_ARGUMENTS.items() if set(slip[0]) & set(names)}


def _close(got: Tensor, wanted: Tensor, within: Tensor | float) -> bool:
    """Whether all numbers agree, to a share of the largest one."""
    tolerance = within * wanted.nan_to_num().abs().amax() + 1e-9
    return bool((((got - wanted).abs() <= tolerance) | (got == wanted) | (got.isnan() & wanted.isnan())).all())


def _two_digits(got: Tensor, right: Tensor) -> Tensor:
    """Half a unit of the second significant digit, as a share of the largest number."""
    unit = 10.0 ** (torch.minimum(got.abs(), right.abs()).amax().log10().floor() - 1)
    return 0.501 * unit / right.abs().amax()


def cases(*arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Arguments to try a function with: lists become float64 tensors, the rest stays as it is."""
    return [tuple(tensor(v) if isinstance(v, list) else v for v in one) for one in arguments]


def randn(*shape: int) -> Tensor:
    """Standard-normal float64 numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
