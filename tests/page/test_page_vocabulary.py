"""What a text uses of a vocabulary, by length and by script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toktk.arrays import packed
from toktk.models.lookup import Tokens
from toktk.page import vocabulary
from toktk.page.vocabulary import NO_LETTERS, PARTIAL, vocabulary_use

_TOKENS = [
    b"<s>",
    b"a",
    b" the",
    "ный".encode(),
    "東京".encode(),
    b"123",
    b"\xe2\x82",
    b"",
    b"x" * 20,
]
TOKENS = Tokens(*packed(_TOKENS))


def test_tokens_are_used_or_never() -> None:
    use = vocabulary_use(TOKENS, ["<s>"], np.array([0, 3, 0, 1, 0, 0, 2, 0, 1]))
    assert (use["ids"], use["used"], use["never"]) == (7, 4, 3)
    assert use["lengths"] == [
        ["1", 1, 0],
        ["2", 1, 0],
        ["3", 0, 1],
        ["4", 0, 1],
        ["6", 1, 1],
        ["17+", 1, 0],
    ]
    assert sorted(use["scripts"]) == sorted(
        [["Latin", 2, 1], ["Cyrillic", 1, 0], ["Han", 0, 1], [NO_LETTERS, 0, 1], [PARTIAL, 1, 0]]
    )
    assert use["top"][0] == ["a", 1, 3]
    assert [example[1] for example in use["unused"]] == [2, 4, 5]


def test_a_vocabulary_without_tokens() -> None:
    use = vocabulary_use(Tokens(*packed([b"<s>", b""])), ["<s>"], np.zeros(2, dtype=np.int64))
    assert (use["ids"], use["scripts"], use["lengths"], use["top"]) == (0, [], [], [])


def test_what_does_not_depend_on_the_text_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    once, again = np.eye(2, len(_TOKENS), 4, dtype=np.int64)
    first = vocabulary_use(TOKENS, ["<s>"], once, "mine")
    monkeypatch.delattr(vocabulary, "scripts_of_tokens")
    assert vocabulary_use(TOKENS, ["<s>"], once, "mine") == first
    assert vocabulary_use(TOKENS, ["<s>"], again, "mine")["scripts"] != first["scripts"]
    with pytest.raises(NameError):
        vocabulary_use(TOKENS, ["<s>"], once, "another")
