"""What tokens spell, and which bytes no token stands for, against slow versions on strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import packed
from toktk.kernels.spelling import UNDECIDED, count_lost, find_spelled, mark_characters

SURFACES = ["", "a", "b", "ab", " ", " a", "é", "é東", "東a", "\xff", "😀"]
UNKNOWN = SURFACES.index("")
FORMS = {
    "a": "a",
    "A": "a",
    "b": "b",
    "é": "é",
    "東": "東",
    "ß": "ab",
    " ": "",
    "-": "",
    "😀": "😀",
}
CUTS = " 東"

texts = st.text("".join(FORMS) + "x", max_size=8)
tokens = st.lists(st.integers(0, len(SURFACES) - 1), max_size=8)


def segmented(text):
    """Return tokens that spell the text greedily; unknown words where they do not."""
    ids, i = [], 0
    while i < len(text):
        i, found = max((i + len(s), t) for t, s in enumerate(SURFACES) if text.startswith(s, i))
        if found == UNKNOWN:
            return [UNKNOWN]
        ids.append(found)
    return ids


def arrays(texts, tokens):
    data, offsets = packed([text.encode() for text in texts])
    ids = np.array([i for document in tokens for i in document], dtype=np.uint32)
    ends = np.cumsum([len(document) for document in tokens], dtype=np.int64)
    return data, offsets, ids, ends, *packed([surface.encode() for surface in SURFACES])


def spelled(ids):
    return "".join(SURFACES[i] for i in ids)


@given(st.lists(st.tuples(texts, tokens | texts.map(segmented)), min_size=1, max_size=4))
def test_find_spelled(documents):
    documents += [(text.lstrip(" "), segmented(text)) for text, _ in documents]
    texts, tokens = zip(*documents, strict=True)
    lost = np.full(len(texts), 7)
    find_spelled(*arrays(texts, tokens), lost)
    expected = [0 if spelled(ids) in (t, f" {t}") else UNDECIDED for t, ids in documents]
    assert lost.tolist() == expected


@given(st.lists(texts, max_size=4))
def test_mark_characters(texts):
    data, _ = packed([text.encode() for text in texts])
    marks = np.full(0x110000, -1, dtype=np.int32)
    mark_characters(data, marks)
    assert set(map(chr, np.flatnonzero(marks == 0))) == set("".join(texts))
    mark_characters(np.array([0xFF, 0xFF, 0xFF, 0xFF, 0xF0], dtype=np.uint8), marks[:1])


def words_of(text):
    """Return the words of a text, each with where its characters lie."""
    words, joined = [], False
    for at, character in enumerate(text):
        if character in CUTS:
            words += [[at]] if FORMS[character] else []
            joined = False
        elif joined:
            words[-1].append(at)
        elif FORMS[character]:
            words.append([at])
            joined = True
    return words


@given(st.lists(st.tuples(texts, st.sets(st.integers(0, 8))), min_size=1, max_size=4))
def test_count_lost(documents):
    tokens, expected = [], []
    for text, unknown in documents:
        known = set(text) <= FORMS.keys()
        ids, standing = [], set()
        for n, word in enumerate(words_of(text) if known else ()):
            form = "".join(FORMS[text[at]] for at in word)
            parts = segmented(form)
            if n in unknown or UNKNOWN in parts:
                ids.append(UNKNOWN)
                continue
            ids += parts
            ends = np.cumsum([len(SURFACES[i]) for i in parts])
            place = 0
            for at in word:  # a character that becomes nothing stands inside a token only
                standing |= {at} if FORMS[text[at]] or place not in {0, *ends} else set()
                place += len(FORMS[text[at]])
        tokens.append(ids)
        lost = "".join(c for at, c in enumerate(text) if at not in standing)
        expected.append(len(lost.encode()) if known else UNDECIDED)
    index = np.full(0x110000, -1, dtype=np.int32)
    index[list(map(ord, FORMS))] = np.arange(len(FORMS))
    forms, starts = packed([form.encode() for form in FORMS.values()])
    characters = index, forms, starts, np.array([c in CUTS for c in FORMS], dtype=np.uint8)
    texts = [text for text, _ in documents]
    lost = np.full(len(texts), UNDECIDED)
    count_lost(*arrays(texts, tokens), characters, UNKNOWN, lost)
    assert lost.tolist() == expected
    # One token too many, or of other text, decides nothing; what is decided stays.
    for wrong in (SURFACES.index("b"), SURFACES.index("\xff")):
        lost[:] = [UNDECIDED, *[5] * (len(texts) - 1)]
        count_lost(*arrays(texts, [[*tokens[0], wrong], *tokens[1:]]), characters, UNKNOWN, lost)
        assert lost.tolist() == [UNDECIDED, *[5] * (len(texts) - 1)]
