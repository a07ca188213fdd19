"""Tokens as the page shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.page.vocabulary import NO_LETTERS, PARTIAL, _script, shown_token


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b" the", "·the"),
        (b"\n\n", "↵↵"),
        (b"\t", r"\x09"),
        (b"\xe2\x82", "<E2><82>"),
        (b" \xe2", "·<E2>"),
        ("\u0301x".encode(), "◌\u0301x"),
        ("\u202e".encode(), r"\u202e"),
        (b"\x00\x1b", r"\x00\x1b"),
        (b"", ""),
    ],
)
def test_shown(token: bytes, text: str) -> None:
    assert shown_token(token) == text


@given(st.binary(max_size=60))
def test_nothing_is_hidden(token: bytes) -> None:
    assert (
        shown_token(token)
        .replace("\u200d", "")
        .replace("\u200c", "")
        .replace("\ufe0f", "")
        .isprintable()
    )


@pytest.mark.parametrize(
    ("token", "script"),
    [
        (b" the", "Latin"), ("ный".encode(), "Cyrillic"), ("東京".encode(), "Han"), (b"123", NO_LETTERS),
        (b"\xe2\x82", PARTIAL), ("é".encode(), "Latin"), ("…".encode(), NO_LETTERS),
    ],
)  # fmt: skip
def test_script(token: bytes, script: str) -> None:
    assert _script(token) == script
