"""Limits of address space, below which libraries end the process; `test_interrupt.py` sets real ones."""

from __future__ import annotations

import pytest

from toktk.address_space import check_address_space, check_room_to_draw
from toktk.errors import MemoryLimitError
from toktk.page import drawings

resource = pytest.importorskip("resource")


@pytest.fixture
def limited(monkeypatch):
    """Set a limit that `resource` tells of."""

    def set_limit(limit: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, resource.RLIM_INFINITY))

    return set_limit


def test_no_limit(limited):
    limited(resource.RLIM_INFINITY)
    check_address_space()
    check_room_to_draw()


def test_each_core_needs_room(limited, monkeypatch):
    limited(4_000_000_000)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    check_address_space()
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    with pytest.raises(MemoryLimitError, match=r"may need 12\.6 GB .*\n.*a limit of 4\.0 GB"):
        check_address_space()


def test_charts_are_not_drawn_where_their_engine_would_end_the_process(limited):
    limited(50_000_000_000)
    check_address_space()
    engine = drawings.Engine()
    with pytest.raises(MemoryLimitError, match="--no-page"):
        engine.ask("bundle")
