from __future__ import annotations

import json
import pickle
import unicodedata

import pytest
import regex
from hostile_names import HOSTILE_NAMES, WITHOUT_UTF8, hidden, names, read_visible
from hypothesis import given

from toktk.errors import CorpusError, ToktkError
from toktk.visible import json_text, quoted, visible, visible_name, without_surrogates

_LEGIBLE = (
    "bytes/token, C:\\new\\x",
    "Größe, naïve café; e\u0301 a\u0308\u0323",
    "Москва ΣΊΣΥΦΟΣ İstanbul 東京都 カタカナ 한국어 ᄒᆞᆫ글",
    "हिन्दी क्षत्रिय বাংলা தமிழ் ภาษาไทย ភាសា མསྐྱེད",
    "العربية لُغَةٌ می\u200cخواهم עִבְרִית",
    "क्\u200dष क्\u200cष",
    "😀 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 1️⃣ ✊🏽 👩🏽‍🚀 ❤️",
)


@pytest.mark.parametrize("text", _LEGIBLE)
def test_letters_of_all_scripts_and_emoji_stay(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("a\x85\x9b", r"a\x85\x9b"),
        ("a\u202eb", r"a\u202eb"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u200db\u200c", r"a\u200db\u200c"),  # letters that nothing joins
        ("\u200d😀", r"\u200d😀"),
        ("a\ufe0f1\ufe0f", r"a\ufe0f1\ufe0f"),
        ("\u0301a \u0301", r"\u0301a \u0301"),  # marks with nothing to stand on
        ("a\n\u0301", r"a\x0a\u0301"),
        ("a" + "\u0336" * 10, "a" + "\u0336" * 8 + r"\u0336\u0336"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("a\u00a0b\u3000", r"a\xa0b\u3000"),
        ("a\u115fb\u2800", r"a\u115fb\u2800"),
        ("\ue000\uffff", r"\ue000\uffff"),
    ],
)
def test_what_nobody_sees_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("name", ["", " ", "a ", " a", "'a'", "''"])
def test_blank_ends_are_quoted(name: str) -> None:
    assert visible_name(name) == quoted(name) == f"'{name}'"


def test_every_control_format_and_ignorable_character_is_escaped() -> None:
    planes = (*range(0x40000), *range(0xE0000, 0xE1000), *range(0xFFF00, 0x110000, 0xFF))
    characters = "".join(map(chr, planes))
    unseen = set(regex.findall(r"\p{Default_Ignorable_Code_Point}", characters))
    unseen |= {char for char in characters if unicodedata.category(char)[0] in "CZ"} - {" "}
    assert len(unseen) > 90_000
    # One in a hundred of those that are not assigned, and each of the others.
    few = [
        c for c in unseen if ord(c) % 97 == 0 or unicodedata.category(c) not in ("Cn", "Co", "Cs")
    ]
    assert [char for char in few if char in visible(f"a{char}b")] == []


@given(names)
def test_a_name_can_be_told_from_what_is_shown(name: str) -> None:
    shown = visible_name(name)
    assert hidden(shown) == []
    assert "\n" not in shown
    assert read_visible(shown) == name
    assert visible(visible(name)) == visible(name)


def test_different_names_of_the_list_look_different() -> None:
    all_names = (*HOSTILE_NAMES, *WITHOUT_UTF8)
    joined = {
        regex.sub(r"\p{Default_Ignorable_Code_Point}", "", visible_name(n)) for n in all_names
    }
    assert len(joined) == len(all_names)


@given(names)
def test_json_reads_back_and_hides_nothing(name: str) -> None:
    text = json_text({"name": [name, 1.5, None]}, indent=2)
    assert json.loads(text) == json.loads(json.dumps({"name": [name, 1.5, None]}))
    assert all(char.isprintable() or char == "\n" for char in text)


def test_json_keeps_letters() -> None:
    assert json_text("東京 é \x7f\u2028\ud800\U000e0041") == (
        '"東京 é \\u007f\\u2028\\ud800\\udb40\\udc41"'
    )


@given(names)
def test_without_surrogates_all_is_utf8(name: str) -> None:
    whole = without_surrogates(name)
    assert whole.encode().decode() == whole
    assert whole == name or any(0xD800 <= ord(char) <= 0xDFFF for char in name)


@given(names)
def test_an_error_shows_each_part_in_a_line(name: str) -> None:
    error = CorpusError(f"no text in {name}.", f"Found: {name}.")
    lines = str(error).split("\n")
    assert len(lines) == 2
    assert lines[1].startswith("  Found: ")
    assert hidden(str(error)) == []


def test_an_error_holds_its_parts_as_they_are() -> None:
    error = ToktkError("no \x1b.", "Found: a\nb.")
    assert error.args == ("no \x1b.", "Found: a\nb.")
    assert str(error) == "no \\x1b.\n  Found: a\\x0ab."
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (ToktkError, error.args)
