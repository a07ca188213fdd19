"""Parts of pages that are made once."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from toktk.page import packing
from toktk.page.kept import kept
from toktk.page.packing import Unpackable, pack_family
from toktk.tokenizer import Tokenizer


@pytest.mark.usefixtures("home")
def test_what_was_made_comes_back() -> None:
    part = {"text": "é </script> \x00 \u2028 👩‍👩‍👧 \ud800", "numbers": [1, 2.5, None, True]}
    made: list[int] = []

    def make() -> dict[str, object]:
        made.append(1)
        return part

    for key in ("a", "a", "b"):
        assert kept([key, 1], make) == part
    assert len(made) == 2


@pytest.mark.usefixtures("home")
def test_nothing_is_kept_of_what_cannot_be_made() -> None:
    def refuse() -> dict[str, object]:
        raise Unpackable("no")

    for _ in range(2):
        with pytest.raises(Unpackable):
            kept("refused", refuse)


@pytest.mark.usefixtures("home")
def test_a_tokenizer_is_packed_once(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Tokenizer("other", tokenizer.pretokenizer, tokenizer.model.cut(600))
    first, second = pack_family({"one": tokenizer}), pack_family({"one": other})
    assert first["blob"] != second["blob"]
    monkeypatch.delattr(packing, "_packed")
    assert json.dumps(pack_family({"one": tokenizer})) == json.dumps(first)
    assert json.dumps(pack_family({"one": other})) == json.dumps(second)
    with pytest.raises(NameError):
        pack_family({"another label": other})


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "<>&é東🙂" * 50, "\0" * 1000])
def test_a_page_holds_base_85_with_a_comma(text: str) -> None:
    expected = base64.b85encode(zlib.compress(text.encode(), 9)).decode().replace("<", ",")
    assert packing.deflated(text) == expected


def test_the_size_of_a_pack_is_found_once(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = {"family": "f", **pack_family({"one": tokenizer})}
    size = packing.size_of_pack(pack, "f", {"one": tokenizer})
    assert size == packing.most_in_page(pack)
    monkeypatch.delattr(packing, "most_in_page")
    assert packing.size_of_pack(pack, "f", {"one": tokenizer}) == size
