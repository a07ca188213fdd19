import sys
import unicodedata

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from toktk import cache
from toktk.normalizers import normalizer
from toktk.normalizers.normalizer import (
    DOUBTFUL,
    END,
    STABLE,
    Normalizer,
    plain_characters,
    stability,
)

FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
# Characters that combine, decompose or move: whatever is not stable in some form.
YOUNG = sorted(plain_characters())
RESTLESS = [chr(c) for c in range(END) if any(stability(form)[c] for form in FORMS)] + YOUNG
MARKS = "\u0301\u0316\u0334\u0345\u0327"
restless = st.text(
    st.sampled_from(RESTLESS)
    | st.sampled_from(YOUNG)
    | st.sampled_from("ae가각क👍\U00011930" + MARKS),
    max_size=12,
)


def normalized(form, text):
    import numpy as np

    data = np.frombuffer(text.encode(), np.uint8)
    changed, offsets = Normalizer(form).apply(data, np.array([0, data.size]))
    assert offsets.tolist() == [0, changed.size]
    return bytes(changed).decode()


def by_library(form, text):
    return getattr(tokenizers.normalizers, form)().normalize_str(text)


@pytest.mark.parametrize("form", FORMS)
@given(text=restless)
def test_texts_that_change(form, text):
    assert normalized(form, text) == by_library(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_each_character_alone_and_after_a_letter(form):
    around = "\n{0}\na{0}{0}b\na\u0334{0}\u0345\u0301\u0334{0}c"
    text = "".join(map(around.format, RESTLESS))
    assert normalized(form, text) == by_library(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_every_character(form):
    every = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
    assert normalized(form, every) == by_library(form, every)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text", ["a\u07fd\u0301", "ka\u0898\u0316", "\U00011935\U00011930", "\u32ff", "\u0344\u0898"]
)
def test_characters_that_the_library_does_not_know(form, text):
    assert normalized(form, text) == by_library(form, text)


def test_nothing_changes_above_the_tables():
    rest = "".join(map(chr, range(END, sys.maxunicode + 1)))
    assert not any(map(unicodedata.combining, rest))
    for form in FORMS:
        assert unicodedata.normalize(form, rest) == rest


def test_examples():
    values = stability("NFC")
    found = [int(values[ord(c)]) for c in "a東é\u0301\u064b\u0958"]
    assert found == [STABLE, STABLE, STABLE, DOUBTFUL, 27, DOUBTFUL]
    assert stability("NFD")[ord("é")] == DOUBTFUL


@pytest.mark.parametrize("damage", [None, np.zeros(5, np.uint8), np.zeros(END, np.int64)])
def test_what_is_kept_is_what_was_found(tmp_path, monkeypatch, damage):
    expected = stability("NFC").tolist()
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    assert stability.__wrapped__("NFC").tolist() == expected
    (kept,) = tmp_path.glob("cells/patterns/*/stability.npy")
    if damage is not None:
        np.save(kept, damage)
        cache._seal(kept.parent, None)
    else:
        monkeypatch.delattr(normalizer, "_stability")
    again = stability.__wrapped__("NFC")
    assert again.tolist() == expected
    assert not again.flags.writeable
