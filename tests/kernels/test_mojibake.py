import numpy as np
import pytest
import sample_texts
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.faults import MOJIBAKE, N_FAULTS
from toktk.kernels.mojibake import count_mojibake

PUNCTUATION = set("…‘’“”•–—‹›\xa0¡©ª«­®°²³´·¹º»¼½¾™†‡")
LETTERS = set("ŠŒŽšœžŸ")


def counts_of(texts):
    parts = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    groups = np.arange(len(parts))
    counts = np.zeros((len(parts), N_FAULTS, 2), np.int64)
    spots, own = np.zeros((N_FAULTS, 2), np.int64), np.zeros(N_FAULTS, np.int64)
    count_mojibake(data, offsets, groups, counts, spots, own)
    return counts[:, MOJIBAKE, 0].tolist()


def byte_of(char, encoding="cp1252"):
    """Return the byte from 0x80 to 0xBF that a character was read from, or None."""
    if encoding == "cp1252" and "\x80" <= char < "\xc0":
        return ord(char)
    try:
        (byte,) = char.encode(encoding)
    except (UnicodeEncodeError, ValueError):
        return None
    return byte if 0x80 <= byte < 0xC0 else None


def sequence_at(text, i):
    """Return characters and kind of the sequence at `i`: "", "weak", "firm" or "enough"."""
    lead = ord(text[i])
    if not 0xC2 <= lead <= 0xF4:
        return 0, ""
    n = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
    following = text[i + 1 : i + 1 + n]
    raw = [byte_of(c) for c in following]
    if len(raw) < n or None in raw:
        return 0, ""
    try:
        bytes([lead, *raw]).decode()
    except UnicodeDecodeError:
        return 0, ""
    firm = [c not in PUNCTUATION | LETTERS for c in following]
    if lead < 0xC6:
        before = text[i - 1] if i else ""
        small = before.isascii() and (before.islower() or before.isdigit())
        small = small or "ß" <= before <= "ÿ"
        enough = firm[0] or small or (following in LETTERS and lead < 0xC4)
    elif lead < 0xE0:
        enough = False
    else:
        enough = firm[0] if lead == 0xE2 else any(firm)
    return 1 + n, "enough" if enough else "firm" if any(firm) else "weak"


def slow_count(text):
    """Return how many sequences of mojibake a text has."""
    total = i = 0
    while i < len(text):
        kinds, begin = [], i
        # What stands before decides on the first of a run alone.
        while (
            i < len(text)
            and (found := sequence_at(text[i:] if kinds else text, 0 if kinds else i))[0]
        ):
            kinds.append(found[1])
            i += found[0]
        pairs = 0
        while i == begin + 2 * pairs and text[i : i + 1] in ("Р", "С") and text[i + 1 : i + 2]:
            if byte_of(text[i + 1], "cp1251") is None:
                break
            pairs += 1
            i += 2
        if "enough" in kinds or (len(kinds) >= 2 and "firm" in kinds) or len(kinds) >= 4:
            total += len(kinds)
        total += pairs if pairs >= 3 else 0
        if i == begin:
            is_gbk = text.startswith("锟斤拷", i)
            total += is_gbk
            i += 3 if is_gbk else 1
    return total


def misread(text, encoding):
    """Return the text as UTF-8 that was read in another encoding; bytes without a character as Latin-1."""
    return "".join(bytes([b]).decode(encoding, errors="ignore") or chr(b) for b in text.encode())


def test_known_mojibake():
    texts = {
        "cafÃ©": 1, "â€œquotedâ€\x9d": 2, "itâ€™s": 1, "Â£5": 1, "100Â°C": 1, "wÅ‚asny siÄ™": 2, "ï»¿": 1,
        "ï¿½": 1, "ðŸ˜€": 1, "Ð¿Ñ€Ð¸Ð²ÐµÑ‚": 6, "ä¸\xadæ–‡": 2, "à¤¹à¤¿": 2, "ÃƒÂ©": 2, "РїСЂРёРІРµС‚": 6,
        "锟斤拷锟斤拷": 2, "1,234.50 â‚¬": 1, "Ã\xa0 la carte, dÃ©jÃ\xa0": 2,
    }  # fmt: skip
    assert dict(zip(texts, counts_of(texts), strict=True)) == texts


def test_real_text_that_looks_like_it():
    texts = [
        "„Spaß“ und „Öl“", "CAFÉ\xa0» de « À\xa0»", "KŘÍŽ, PŘÍŽALA", "MAÇÃ”, IRMÃ…", "a letra “Â”", "qué¿",
        "café…»”", "Nestlé®, Nescafé™", "Å²", "é†”", "1ª, 2º, 3²", "ÖÄÜ… ß– Ñ’", "на Сірі РЕСУРСИ РФ, СССР",
        "РЁ СЁ", "naïve façade", "Ægir, Ðað, Þór", "×²", "ÀÉÈÙ", "col·lecció", "Â", "Ã", "â", "", "й́ё",
        "l’été “é” ‘à’",
    ]  # fmt: skip
    assert dict.fromkeys(texts, 0) == dict(zip(texts, counts_of(texts), strict=True))


MIXED = st.text("ÂÃÄÅÉÐÑßàâãäåéïðô€‚ƒ„…‰Šš‹Œœ™¤¥¦§©«°²µ¶¸»¿\xa0\x80\x9dРСЂЃё锟斤拷aZ5 ")


@given(st.lists(MIXED | st.text(), max_size=6))
def test_counts_equal_the_slow_count(texts):
    assert counts_of(texts) == [slow_count(text) for text in texts]


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xFFFF, codec="utf-8"), min_size=4))
def test_long_misread_text_is_found(text):
    for encoding in ("cp1252", "latin-1"):
        (n,) = counts_of([misread(text, encoding)])
        assert n == slow_count(misread(text, encoding))
        assert n > 0


def test_clean_text_of_many_languages_has_none_and_misread_text_has():
    languages = sample_texts.languages()
    for language, lines in languages.items():
        clean = [line for line in lines if "â‚¬" not in line]  # one of the help pages is damaged
        assert sum(counts_of(clean)) == 0, language
        text = " ".join(clean)
        (n,) = counts_of([misread(text, "cp1252")])
        assert n >= 0.55 * sum(not c.isascii() for c in text), language
    assert sum(counts_of(sample_texts.code())) == 0


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_cyrillic_that_was_read_as_windows_1251(language):
    lines = sample_texts.parallel()[language]
    assert min(counts_of([misread(line, "cp1251") for line in lines])) > 0


@given(st.binary(max_size=30))
def test_invalid_bytes_are_read_within_the_document(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    counts, spots = np.zeros((1, N_FAULTS, 2), np.int64), np.zeros((N_FAULTS, 2), np.int64)
    own = np.zeros(N_FAULTS, np.int64)
    count_mojibake(data, offsets, np.zeros(1, np.int64), counts, spots, own)
    assert not own.any()
