"""A text in signs, in a terminal, and in HTML: nothing hidden, nothing lost, nothing that steers."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hostile_names import HOSTILE_NAMES, hidden
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from segmented import cut, several

from toktk.segmentation.page import fragment, page
from toktk.segmentation.signs import cells, clusters, isolated, signs
from toktk.segmentation.terminal import drawn, laid_out
from toktk.segmentation.view import View

PARTS = st.one_of(
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=6),
    st.sampled_from([text[:40].encode() for text in (*NASTY_TEXTS, *HOSTILE_NAMES)]),
)
ISOLATES = "\u2068\u2069"
SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("spelled", "wanted"),
    [
        (b" the", "·the"),
        (b"\t\n", "→↵"),
        (b"\r\n", r"\x0d↵"),
        ("東".encode()[:2], "<E6><9D>"),
        (b"caf\xc3", "caf<C3>"),
        ("\u0301x \u0301".encode(), "◌\u0301x·◌\u0301"),
        ("◌ि".encode(), "◌ि"),
        ("ि".encode(), "◌ि"),
        ("👩\u200d👩".encode(), "👩\u200d👩"),
        ("👩\u200d".encode(), r"👩\u200d"),
        (b"\x1b[31m\x07\0", r"\x1b[31m\x07\x00"),
        ("\u202eabc\u2028".encode(), r"\u202eabc\u2028"),
        (b"\xed\xa0\x80", "<ED><A0><80>"),
        (b"", ""),
    ],
)
def test_signs(spelled, wanted):
    assert signs(spelled) == wanted


@given(PARTS)
def test_signs_hide_nothing(spelled):
    assert hidden(signs(spelled)) == []
    assert "\n" not in signs(spelled)
    assert signs(spelled, breaks=True).replace("\n", "") == signs(spelled)
    assert signs(spelled, breaks=True).count("\n") == spelled.count(b"\n")


@given(PARTS)
def test_clusters_are_the_text_and_begin_with_no_mark(spelled):
    text = signs(spelled)
    parts = [*clusters(text)]
    assert "".join(part for part, _ in parts) == text
    assert cells(text) == sum(size for _, size in parts)
    assert not any(unicodedata.category(part[0])[0] == "M" for part, _ in parts if part)


def test_cells():
    assert [cells(text) for text in ("", "ab", "東京", "e\u0301", "◌ि", "👩\u200d👩", "❤️")] == [
        0, 2, 4, 1, cells("◌") + cells("ि"), 4, 2,
    ]  # fmt: skip


def test_only_what_is_written_from_right_to_left_is_isolated():
    assert isolated("abc") == "abc"
    assert isolated("東·é") == "東·é"
    assert isolated("·שלום") == "\u2068·שלום\u2069"


def test_lines():
    tokens = [("a", False), ("bc", True), ("·東京", False), ("↵\n", False), ("↵\n·x", True)]
    assert laid_out(tokens, 80, False) == ["a│⟨bc⟩│·東京│↵│", "⟨↵", "·x⟩"]
    assert laid_out(tokens, 7, False) == ["a│⟨bc⟩│", "·東京│", "↵│", "⟨↵", "·x⟩"]
    assert laid_out([("abcdefgh", False), ("ij", False)], 5, False) == ["abcde", "fgh│", "ij"]
    assert laid_out([("東京都", False)], 3, False) == ["東", "京", "都"]
    assert laid_out([], 80, False) == laid_out([], 80, True) == []
    blue, orange = "\x1b[38;5;16;48;5;117m", "\x1b[38;5;16;48;5;222m"
    assert laid_out(tokens[:3], 80, True) == [
        f"{blue}a\x1b[0m{orange}\x1b[4mbc\x1b[0m{blue}·東京\x1b[0m"
    ]


@given(st.lists(st.tuples(PARTS, st.booleans()), max_size=8), st.integers(1, 30), st.booleans())
def test_no_line_is_too_wide_and_all_is_there(tokens, width, color):
    shown = [(signs(spelled, breaks=True), differs) for spelled, differs in tokens]
    lines = laid_out(shown, width, color)
    plain = [SGR.sub("", line) for line in lines]
    for line in plain:
        widest = max((size for _, size in clusters(line)), default=0)
        assert cells(line) <= max(width, widest)
    bare = "".join(plain).translate(dict.fromkeys(map(ord, ISOLATES)))
    if color:
        assert bare == "".join(text for text, _ in shown).replace("\n", "")
        assert all(line.count("\x1b[0m") == len(re.findall("38;5;16", line)) for line in lines)
    assert [
        c for c in "".join(plain) if not c.isprintable() and c not in f"{ISOLATES}\u200c\u200d"
    ] == []


@given(several(), st.booleans())
def test_a_terminal_is_sent_nothing_but_colors(segmentations, color):
    text = drawn(segmentations, 40, color, ids=True)
    assert set(hidden(SGR.sub("", text))) <= set(ISOLATES)
    assert color or "\x1b" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_two_tokenizers_in_a_terminal():
    text = drawn([cut("12", " né"), cut("1", "2", " né", name="two")], 80, ids=True)
    assert text == (
        "one  1,000 ids, cut none, native\n"
        "2 tokens, 6 bytes, 5 characters: 3.00 bytes per token, 1.00 tokens per word\n"
        "⟨12⟩│·né\n"
        "id  bytes        text\n"
        " 0  31 32        ⟨12⟩\n"
        " 1  20 6E C3 A9  ·né\n"
        "\n"
        "two  1,000 ids, cut none, native\n"
        "3 tokens, 6 bytes, 5 characters: 2.00 bytes per token, 1.50 tokens per word\n"
        "⟨1⟩│⟨2⟩│·né\n"
        "id  bytes        text\n"
        " 0  31           ⟨1⟩\n"
        " 1  32           ⟨2⟩\n"
        " 2  20 6E C3 A9  ·né\n"
        "\n"
        "Tokens: one 2, two 3.\n"
        "They differ at 1 place, given in bytes of the text:\n"
        "  0–2  12   one\n"
        "       1│2  two\n"
        "\n"
        "· space, ⟨ ⟩ some other tokenizer lacks it\n"
    )


def test_long_texts_are_cut_and_it_is_said():
    many = [cut(*["ab"] * 50), cut(*"ab" * 50, name="two")]
    text = drawn(many, 80, most=10)
    assert text.count("drawn are the first 10 of") == 2
    assert "and 42 more" in text
    assert text.count("│") < 60
    assert "drawn are" not in drawn(many, 80, most=None)
    assert fragment(many, 10).count("drawn are the first 10 of") == 2


class Read(HTMLParser):
    """Reads tags, attributes and the text in each bdi."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.titles: list[str] = []
        self.tokens: list[str] = []
        self.rings = 0
        self._inside = False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "bdi":
            self._inside = True
            self.tokens.append("")
            values = dict(attrs)
            self.titles.append(values["title"])
            self.rings += values.get("class") == "ring"

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "bdi"

    def handle_data(self, data):
        if self._inside:
            self.tokens[-1] += data


TAGS = {"div", "style", "p", "b", "small", "br", "bdi", "table", "tr", "td"}


def read(text: str) -> Read:
    reader = Read()
    reader.feed(text)
    reader.close()
    return reader


@given(st.lists(PARTS, max_size=6))
def test_html_holds_every_token_as_text(parts):
    one = cut(*parts, name="<b>\u202e")
    text = fragment([one])
    assert hidden(text) == []
    reader = read(text)
    assert reader.tags <= TAGS
    assert reader.attributes <= {"class", "title"}
    assert reader.tokens == [signs(part) for part in parts]
    assert reader.titles == [
        f"id {t.id}\nbytes {t.spelled.hex(' ').upper()}\nat {t.start:,}–{t.end:,} of the text"
        for t in one.tokens()
    ]


def test_a_page_stands_alone():
    hostile = "<script>alert(1)</script>\"'&\0\x1b\u202e"
    pair = [cut(*hostile), cut(hostile, name="two")]
    text = page(pair, None, ids=True)
    assert hidden(text) == []
    reader = read(text)
    assert reader.tags == {*TAGS, "html", "head", "meta", "title", "body", "ruby", "rt"}
    assert reader.attributes == {"lang", "charset", "name", "content", "class", "title"}
    assert not re.search(r"https?:|url\(|@import|src=", text)
    assert "prefers-color-scheme: dark" in text
    assert reader.rings > len(hostile)
    assert "<small>in a ring some other tokenizer lacks it</small>" in text
    assert reader.tokens[0] == "<0"  # with its id above it
    assert read(page([pair[0]], None)).rings == 0


def test_json():
    first = cut("a", b"\xe2\x82", b"\xac", nowhere=[0])
    second = cut("a€", name="two\x1b")
    text = View((first, second)).to_json()
    assert hidden(text) == []
    value = json.loads(text)
    assert {k: v for k, v in value.items() if k != "tokenizers"} == {
        "schema": 1, "text": "a€", "bytes": 4, "characters": 2, "words": 1,
    }  # fmt: skip
    one, two = value["tokenizers"]
    assert one["tokens"] == [
        {"id": 0, "bytes": "61", "text": "a", "start": None, "end": None, "agreed": None},
        {"id": 1, "bytes": "e282", "text": None, "start": 1, "end": 3, "agreed": False},
        {"id": 2, "bytes": "ac", "text": None, "start": 3, "end": 4, "agreed": False},
    ]
    assert (two["tokenizer"], two["size"], two["n"], two["engine"]) == (
        "two\x1b",
        1000,
        1,
        "native",
    )
    assert two["tokens"][0]["agreed"] is None
    assert json.loads(View((cut(),)).to_json())["tokenizers"][0]["tokens"] == []


def test_a_tokenizer_and_a_view_draw_themselves(tokenizer):
    html = tokenizer._repr_html_()
    reader = read(html)
    assert reader.tags <= TAGS
    assert "".join(reader.tokens).startswith("The·naïve·café")
    assert f"<b>{tokenizer.name}</b> 700 ids" in html
    view = tokenizer.show("a cat", tokenizer)
    assert repr(view).startswith(f"{tokenizer.name}  700 ids")
    assert "Their tokens are the same" in repr(view)
    assert view._repr_html_().count("<bdi") == 2 * tokenizer.count("a cat")
