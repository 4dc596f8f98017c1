"""Checks of arguments that several modules share; each raises a ValueError that names argument and value."""

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless value is a whole number ≥ least (and no bool, which Python counts as one)."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_positive(name: str, value: Any, or_zero: bool = False) -> None:
    """Raise ValueError unless value is a finite number > 0 (≥ 0 with or_zero)."""
    if not is_number(value) or value < 0 or (value == 0 and not or_zero):
        raise ValueError(f"{name} must be a finite number {'≥' if or_zero else '>'} 0, got {value!r}")


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raise ValueError unless value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")


def check_all(name: str, values: Any, good: Any, what: str = "finite") -> None:
    """Raise ValueError with the first bad value unless good, bools of the shape of values, are all True."""
    if not good.all():
        raise ValueError(f"{name} must be {what}, got {values[~good][0].item():g}")


def is_number(value: Any) -> bool:
    """Whether value is a finite real number, and no bool."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
