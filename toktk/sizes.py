"""Vocabulary sizes as people write them."""

from __future__ import annotations


def size_label(size: int) -> str:
    """Return ``50k`` for 50000, ``1.5k`` for 1500, ``50257`` as it is."""
    return f"{size / 1000:g}k" if size % 100 == 0 and size >= 1000 else str(size)
