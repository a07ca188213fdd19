"""Parts of pages that take long to make and are the same from page to page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toktk.cache import Store
from toktk.visible import json_text


def kept(key: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `make` returns, JSON-able, or what it returned before for the same key.

    Tuples come back as lists.
    """

    def load(folder: Path) -> dict[str, Any]:
        part: dict[str, Any] = json.loads((folder / "part.json").read_bytes())
        return part

    def save(folder: Path) -> None:
        (folder / "part.json").write_text(json_text(part), encoding="utf-8")

    store = Store()
    part = store.read("assets", key, load)
    if part is None:
        part = make()
        store.write("assets", key, save)
    return part
