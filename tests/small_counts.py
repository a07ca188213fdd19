"""Small texts to count by ranks, and the count of one in a folder."""

import json
import random

from nasty import NASTY_TEXTS

from toktk.corpus import ReaderOptions
from toktk.counts.merge import Merge
from toktk.counts.work import CountWork
from toktk.places import Place
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.text import Text
from toktk.ranks.work import run_rank

READER = ReaderOptions(group_column="lang", align_column="id", weight_column="n")


def write_text(folder, n=400, seed=0):
    """Write documents of some languages in two files: aligned in part, weighted, copies, nasty ones."""
    chosen = random.Random(seed)
    words = [
        "the",
        "naïve",
        "café",
        "東京",
        "שלום",
        "x1",
        "don't",
        "😀",
        "\u0301",
        "a\0b",
        "  ",
        "\r\n",
    ]
    rows = []
    for i in range(n):
        text = " ".join(chosen.choices(words, k=chosen.randrange(12)))
        lang, times = chosen.choice(["de", "東", "a/b c"]), chosen.choice([1, 1, 1, 7, 0])
        row = {"text": text, "lang": lang, "n": times}
        rows.append({**row, "id": f"line {i // 3}"} if i < n // 3 else row)
    rows += [{"text": text, "lang": "nasty", "n": 1} for text in NASTY_TEXTS]
    rows += [{"text": "x" * 3000, "lang": "de", "n": 2}, {"text": "", "lang": "empty", "n": 1}]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) + "\n" for i, row in enumerate(rows)]
    (folder / "a.jsonl").write_text("".join(lines[: n // 4]), encoding="utf-8")
    (folder / "b.jsonl").write_text("".join(lines[n // 4 :]), encoding="utf-8")
    return folder


def work_of(text, **changes):
    """Return the work of a text that `write_text` wrote."""
    settings = {"hold_out": 0.25, "partitions": 3, **changes}
    return CountWork(Text([str(text)], READER), Pretokenizer.of("gpt2"), **settings)


def count(work, folder, ranks, world_size=None):
    """Carry out ranks, and return the place."""
    place = Place.of(folder)
    for rank in ranks:
        run_rank(work, place, rank, world_size or len(ranks))
    return place


def merged(work, folder, ranks, **changes):
    """Carry out ranks, merge what they wrote, and return the files of the merge by name."""
    place = count(work, folder, ranks)
    assert Merge(place, **changes).run()
    return {name: place.read(name) for name in place.names("merged")}
