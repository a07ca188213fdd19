"""Tokens by script."""

from __future__ import annotations

import pytest

from toktk.page.vocabulary import NO_LETTERS, PARTIAL, _script


@pytest.mark.parametrize(
    ("token", "script"),
    [
        (b" the", "Latin"), ("ный".encode(), "Cyrillic"), ("東京".encode(), "Han"), (b"123", NO_LETTERS),
        (b"\xe2\x82", PARTIAL), ("é".encode(), "Latin"), ("…".encode(), NO_LETTERS),
    ],
)  # fmt: skip
def test_script(token: bytes, script: str) -> None:
    assert _script(token) == script
