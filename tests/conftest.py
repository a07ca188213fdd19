"""What all tests share: a cache of their own, and small nasty texts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Set before any kernel is imported, for that is when the folder of compiled code is chosen.
_KEPT = os.environ.get("TOKTK_TEST_HOME")
_HOME = Path(_KEPT or tempfile.mkdtemp(prefix="toktk-test-"))
os.environ["TOKTK_HOME"] = str(_HOME)

# The first call of a kernel compiles it, which no deadline allows for.
settings.register_profile(
    "toktk",
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("toktk")


def pytest_unconfigure() -> None:
    if not _KEPT:
        shutil.rmtree(_HOME, ignore_errors=True)


NASTY_TEXTS = [
    "",
    "a",
    "\0",
    "a\0b\0\0",
    "the cat the hat that chat's  Cat-HAT 123456 4,5.67e-8\n",
    "line one\r\nline two\r\n\r\n\tline three\n\n\n",
    "  two  three   \n \n  \u3000\u2003 end of it   ",
    "ends in white space \n\t ",
    "Größe, naïve café; e\u0301 a\u0308\u0323, z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍",
    "Москва и Київ, ΣΊΣΥΦΟΣ, Ǆ ǅ ǆ, İstanbul ı",
    "東京都は日本の首都です。カタカナ、我爱北京天安门，𠀀𠮷𪚥",
    "한국어 문장입니다 ᄒᆞᆫ글",
    "हिन्दी क्षत्रिय १२३ বাংলা தமிழ் తెలుగు",
    "ภาษาไทยไม่มีช่องว่าง ພາສາລາວ ភាសាខ្មែរ မြန်မာ བོད་སྐད་",
    "العربية لُغَةٌ ١٢٣ עִבְרִית",
    "emoji 😀😃👨‍👩‍👧‍👦🏳️‍🌈🇩🇪1️⃣✊🏽",
    "\x85\xa0\u1680\u2028\u2029\u202f\u205f\ufeff\u200b\u180e\x1c\x1f",
    "\ud7ff\ue000\ufffd\uffff\U00010000\U000e0001\U0010ffff",
    "a" * 3000,
    "ab" * 700 + "aab" * 300,
    " " * 1500,
    "\n" * 900 + "x",
    "don't DON'T we'LL 'tis 's''s 'ſ I'm",
]


@pytest.fixture(scope="session")
def nasty_texts() -> list[str]:
    return list(NASTY_TEXTS)


class Documents:
    """A part of a corpus, held in memory: (text, group, weight) or (text, group, weight, align)."""

    size, unit, replaced, null_rows, fingerprint = None, "rows", 0, 0, "0" * 64

    def __init__(self, documents, batch_rows=1000):
        self.documents, self.batch_rows = documents, batch_rows

    def batches(self, progress=None):
        import pyarrow as pa

        from toktk.corpus.batch import group_column, make_batch

        for at in range(0, len(self.documents), self.batch_rows):
            rows = self.documents[at : at + self.batch_rows]
            aligned = [row[3] if len(row) > 3 else None for row in rows]
            yield make_batch(
                pa.array([row[0] for row in rows], pa.large_string()),
                group_column(pa.array([row[1] for row in rows]), "here"),
                pa.array(aligned, pa.string()),
                pa.array([row[2] for row in rows], pa.int64()),
            )

    def describe(self):
        return {}


@pytest.fixture(scope="session")
def corpus_of():
    """Make a corpus of documents at hand: ``corpus_of(documents, batch_rows=1000)``."""
    from toktk.corpus import Corpus

    return lambda documents, batch_rows=1000: Corpus("tested", [Documents(documents, batch_rows)])


@pytest.fixture(scope="session")
def real_texts() -> dict[str, list[str]]:
    """Texts by group: the standard library's source, and help pages where they are at hand."""
    library = Path(os.__file__).parent
    found = sorted(library.glob("*.py"))[::2]
    texts = {"code": [p.read_text(encoding="utf-8") for p in found]}
    pages = Path(__file__).parents[2] / "shared" / "data" / "help-20lang.parquet"
    if pages.exists():
        import pyarrow.parquet as parquet

        table = parquet.read_table(pages, columns=["lang", "text"]).to_pydict()
        for language, text in zip(table["lang"], table["text"], strict=True):
            lines = texts.setdefault(language, [])
            if len(lines) < 400:
                lines.append(text)
    return texts
