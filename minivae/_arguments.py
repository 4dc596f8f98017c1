"""Checks of single arguments that several modules share; each raises a ValueError that names argument and value."""

import math
from numbers import Integral, Real
from typing import Any


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless value is a whole number ≥ least (and no bool, which Python counts as one)."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_positive(name: str, value: Any) -> None:
    """Raise ValueError unless value is a finite number > 0."""
    if not is_number(value) or not value > 0:
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}")


def is_number(value: Any) -> bool:
    """Whether value is a finite real number, and no bool."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
