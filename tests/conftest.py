"""What all tests share: a cache of their own, and small nasty texts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Set before any kernel is imported, for that is when the folder of compiled code is chosen. numba does
# not tell checked code from unchecked, hence a folder for each way to run.
_KEPT = os.environ.get("TOKTK_TEST_HOME")
_HOME = Path(_KEPT) if _KEPT else Path(tempfile.mkdtemp(prefix="toktk-test-"))
_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
os.environ["TOKTK_HOME"] = str(_HOME / ("checked" if _CHECKED else "plain"))

# The first call of a kernel compiles it, which no deadline allows for.
settings.register_profile(
    "toktk", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
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
