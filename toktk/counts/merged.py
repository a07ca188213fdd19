"""Placeholder until part-count is merged."""

from typing import Any


class Counts:
    open: Any
