"""Checks of chapter 9, factors or moments."""

from collections.abc import Callable
from typing import Any

CHECKS: dict[str, Callable[[Any], None]] = {}
