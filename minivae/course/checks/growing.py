"""Checks of chapter 10, a training that goes on."""

from collections.abc import Callable
from typing import Any

CHECKS: dict[str, Callable[[Any], None]] = {}
