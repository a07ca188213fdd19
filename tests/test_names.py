"""One rule for labels, on every system."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.names import LONGEST, alike, file_name, tidied, trouble_with


@pytest.mark.parametrize(
    "name", ["bpe-50k", "東京", "my tokenizer", "a.b", "[b]old", "e\u0301", "_"]
)
def test_ordinary_names_pass(name: str) -> None:
    assert trouble_with(name) == ""
    assert tidied(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".x", "a/b", "a\\b", "C:", "/etc", "\0", "a\nb", "\x1b[2J", "\x9b", "a\u2028",
        "\u202eabc", "\ud800", "con", "CON.txt", "nul .json", "LPT1", "a.", "a ", " a", " ",
        "x" * 201, "é" * 101, 5, None, ["a"],
    ],
)  # fmt: skip
def test_names_that_some_system_takes_otherwise_are_refused(name: object) -> None:
    assert trouble_with(name)


@given(st.text(st.characters(), max_size=300) | st.text("./\\ con:\0", max_size=9))
def test_every_text_can_be_made_a_name(text: str) -> None:
    for name in (tidied(text), tidied(file_name(text))):
        assert trouble_with(name) == ""
        assert len(name.encode()) <= LONGEST
        assert Path("folder", name).parent == Path("folder")
    assert tidied(tidied(text)) == tidied(text)


def test_alike_is_what_a_file_system_may_confuse() -> None:
    assert alike("BPE-\u00e9") == alike("bpe-e\u0301")
    assert alike("a") != alike("b")
