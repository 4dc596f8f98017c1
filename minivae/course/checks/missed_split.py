"""Checks of chapter 8, the best split that trainings miss."""

from collections.abc import Callable
from typing import Any

CHECKS: dict[str, Callable[[Any], None]] = {}
