"""Checks of chapter 12, your own pictures."""

from collections.abc import Callable
from typing import Any

CHECKS: dict[str, Callable[[Any], None]] = {}
