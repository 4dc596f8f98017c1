"""Checks of the chapters' exercises: `check("4.1", answer)` says if an answer is right, and if not, what it may be.

A verdict names the slip, never the value. `tests/test_checks.py` has right and wrong answers to every exercise.
"""

from typing import Any

from minivae.course.checks import (
    after,
    axes,
    blobs,
    capacity,
    chairs,
    channel,
    elbo,
    generator,
    growing,
    missed_split,
    moments,
    overlap,
    pictures,
)  # fmt: skip
from minivae.course.checks.base import NotYet, Verdict

_CHAPTERS = (
    elbo, channel, overlap, blobs, generator, capacity, axes, missed_split, moments, growing, chairs, pictures, after,
)  # fmt: skip
_CHECKS = {exercise: wanted for chapter in _CHAPTERS for exercise, wanted in chapter.CHECKS.items()}


def check(exercise: str, answer: Any) -> Verdict:
    """The verdict on an answer to an exercise; None means not tried yet.

    Args:
        exercise: its number, e.g. "4.1".
        answer: what the exercise asks for: a number, several numbers, or a function. Functions are called with copies,
            as tensors of PyTorch's default type, and as NumPy arrays if they raise on tensors.

    Raises:
        ValueError: if there is no such exercise.
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
