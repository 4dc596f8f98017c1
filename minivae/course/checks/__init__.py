"""Checks of the chapters' exercises: `check("4.1", answer)` says if an answer is right, and if not, what it may be.

A verdict names the slip, never the value. `tests/test_checks.py` has right and wrong answers to every exercise.
"""

from importlib import import_module
from typing import Any

from minivae.course.checks.base import NotYet, Verdict

_CHECKS: dict[str, Any] = {}
for _chapter in (
    "elbo", "channel", "overlap", "blobs", "generator", "capacity", "axes", "missed_split", "moments", "growing",
    "chairs", "pictures", "after",
):  # fmt: skip
    _CHECKS |= import_module(f"{__name__}.{_chapter}").CHECKS


def check(exercise: str, answer: Any) -> Verdict:
    """The verdict on an answer to an exercise such as "4.1": a number, several numbers, or a function; None: not tried.

    Functions are called with copies, as tensors of PyTorch's default type, and as NumPy arrays if they raise on
    tensors. Raises ValueError if there is no such exercise.
    """
    if exercise not in _CHECKS:
        raise ValueError(f"no exercise {exercise!r}: there are {', '.join(_CHECKS)}")
    if answer is None:
        return Verdict(False, f"Exercise {exercise}: not tried yet.")
    try:
        _CHECKS[exercise](answer)
    except NotYet as problem:
        return Verdict(False, f"Exercise {exercise}: not yet: {problem}")
    return Verdict(True, f"Exercise {exercise}: right.")
