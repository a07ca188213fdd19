"""Small corpora on disk, and a home of their own for runs over them."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from nasty import NASTY_TEXTS

_SYLLABLES = {
    "en": "the re and ing ca ter ban low shi pro ton est wi der of",
    "de": "der und schen ung ver lich keit über gen auf ßen stra ße haus",
    "ru": "при вет мос ква го род ние ста рый пос ле вы ход ком",
    "ja": "東 京 都 は 日 本 の 首 で す カ タ ナ 語",
}
SYLLABLES = {language: text.split() for language, text in _SYLLABLES.items()}
LINES = 120


def lines(language: str, n: int = LINES) -> list[str]:
    """Return `n` lines of made-up words, always the same."""
    chance = random.Random(language)
    gap = "" if language == "ja" else " "

    def word() -> str:
        return "".join(chance.choices(SYLLABLES[language], k=chance.randint(1, 3)))

    return [gap.join(word() for _ in range(chance.randint(4, 12))) + "." for _ in range(n)]


def write_parallel(path: Path, n: int = LINES) -> Path:
    """Write a JSON Lines file with the columns text, lang and id: four languages, line by line."""
    rows = [
        {"text": text, "lang": language, "id": str(i)}
        for language in SYLLABLES
        for i, text in enumerate(lines(language, n))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_news(path: Path) -> Path:
    """Write a Parquet file with the columns text and lang, whose words suffice for 50,000 tokens."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    chance = random.Random(1)
    letters = "abcdefghijklmnoprstuvwz"
    texts = [
        " ".join("".join(chance.choices(letters, k=8)) for _ in range(100)) for _ in range(200)
    ]
    texts += lines("en") + lines("de")
    groups = ["en", "de"] * (len(texts) // 2)
    parquet.write_table(pa.table({"text": texts, "lang": groups}), path)
    return path


def write_nasty(path: Path) -> Path:
    """Write a JSON Lines file of every kind of text that breaks tokenizers."""
    rows = [{"text": text, "lang": f"nasty {i % 3}"} for i, text in enumerate(NASTY_TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


PARALLEL = ("--group-column", "lang", "--align-column", "id")


def fresh_home(folder: Path) -> Path:
    """Make a home without cells that shares the kernels, patterns and charts of the session."""
    folder.mkdir()
    session = Path(os.environ["TOKTK_HOME"])
    (folder / "cells").mkdir()
    for name in ("kernels", "cells/patterns", "cells/assets"):
        (session / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(session / name)
    # Whose size was looked at just now: each of hundreds of homes would look at all that they share.
    (folder / "cells" / "looked").touch()
    return folder
