"""Checks of chapter 7, why these axes."""

from collections.abc import Callable
from typing import Any

CHECKS: dict[str, Callable[[Any], None]] = {}
