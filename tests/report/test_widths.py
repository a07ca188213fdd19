"""Tables at the widths of terminals: golden pages, no digit cut, and nothing left out in silence.

``TOKTK_WRITE_GOLDEN=1 pytest tests/report/test_widths.py`` writes the pages anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from toktk.metrics.base import UNTRAINED
from toktk.report.records import Record
from toktk.report.results import Results
from toktk.sizes import size_label

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 100, 160)
SIZES = (8000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
TRAINERS = ("bpe", "unigram", "hf-bpe", "hf-unigram", "sp-bpe", "sp-unigram")
PUBLIC = ("o200k_base", "mine", "Qwen3-8B", "a-rather-long-label-of-a-model", "llama")
LINES = 58


WITHOUT = ("tokens", "bytes", "documents", "utilization", "lost")


def figures(i: int, size: int, groups: list[str]) -> Iterator[tuple[str, str, float, str, int]]:
    """Yield made-up figures of tokenizer `i` as (group, metric, value, unit, n), all different."""
    shrunk = (1 + i / 7) * (8000 / size) ** 0.21
    yield "all", "bytes_per_token", 4.321 / shrunk, "bytes/token", 1751
    yield "all", "tokens", round(1e6 * shrunk), "tokens", 1751
    yield "all", "documents", 1751, "documents", 1751
    yield "all", "headroom", 0.25 * shrunk, "share", 1751
    yield "all", "fertility[ws]|macro", 2.345 * shrunk, "tokens/word", 6
    yield "all", "utilization", 0.912 * shrunk / 2, "share", 1751
    yield "all", "single_token_words[piece]", 0.345 / shrunk, "share", 1751
    for g, group in enumerate(groups):
        yield group, "bytes_per_token", (3 + g / 9) / shrunk, "bytes/token", LINES
        yield group, "bytes", 1e6 if group == "python" else 1e5, "bytes", LINES
    languages = [group for group in groups if group != "python"]
    if len(languages) < 2:
        return
    yield "all", "tokens_per_line", 40 * shrunk, "tokens/line", LINES * len(languages)
    yield "all", "parity[en]|macro", 1.234 * shrunk, "ratio", len(languages) - 1
    yield "all", "parity[en]|max", 3.21 * shrunk, "ratio", len(languages) - 1
    yield "all", "gini[tokens_per_line]", 0.123 * shrunk, "share", len(languages)
    for g, group in enumerate(languages):
        yield group, "tokens_per_line", (25 + g) * shrunk, "tokens/line", LINES
        yield group, "parity[en]", 1 + g / 25, "ratio", LINES


def results(names: tuple[str, ...], sizes: tuple[int, ...], groups: list[str]) -> Results:
    trained = len(sizes) > 1
    records = []
    for i, name in enumerate(names):
        for size in sizes if trained else (32_000 + 9173 * i,):
            for group, metric, value, unit, n in figures(i, size, groups):
                note = UNTRAINED if trained and group == "am" else None
                records.append(
                    Record(
                        tokenizer=f"{name}-{size_label(size)}" if trained else name,
                        family=name,
                        trainer=name if trained else None,
                        inference="own",
                        pretokenizer="metaspace" if name.startswith("sp-") else "o200k",
                        size=size,
                        corpus="news.parquet (test)",
                        group=group,
                        metric=metric,
                        value=value,
                        low=None if metric in WITHOUT else 0.99 * value,
                        high=None if metric in WITHOUT else 1.02 * value,
                        unit=unit,
                        n=n,
                        note="am" if metric.endswith("|max") else note,
                        signature="signature",
                    )
                )
    engines = {name: ["tokenizers 0.22" if name == "llama" else "native", "why"] for name in names}
    return Results(tuple(records), {} if trained else {"engines": engines})


SEVEN = ["en", "de", "ja", "tr", "am", "a-language-of-a-long-name", "python"]
SIXTY = ["en", "am", "python", *(f"l{i}" for i in range(57))]
HUNDRED = ["en", "am", "python", *(f"l{i}" for i in range(97))]
SCRIPTS = {group: ("Latin", "Cyrillic", "Han")[i % 3] for i, group in enumerate(HUNDRED)}


def beside(one: Results, other: Results) -> Results:
    return Results((*one.records, *other.records), {**one.about, **other.about})


PAGES = {
    "a trainer, a group": results(TRAINERS[:1], SIZES, ["en"]),
    "a trainer, sixty groups": results(TRAINERS[:1], SIZES, SIXTY),
    "two trainers, seven groups": results(TRAINERS[:2], SIZES, SEVEN),
    "six trainers, seven groups": results(TRAINERS, SIZES, SEVEN),
    "six trainers, a group": results(TRAINERS, SIZES, ["en"]),
    "a bench, seven groups": results(PUBLIC, (0,), SEVEN),
    "a bench, a group": results(PUBLIC, (0,), ["en"]),
    "two trainers and two baselines, seven groups": beside(
        results(TRAINERS[:2], SIZES, SEVEN), results(PUBLIC[:2], (0,), SEVEN)
    ),
    "two trainers, a hundred groups": beside(
        results(TRAINERS[:2], SIZES, HUNDRED), Results((), {"scripts": SCRIPTS})
    ),
}


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_as_they_were(width: int) -> None:
    pages = [f"== {name}\n{page.page(width).text(width)}" for name, page in PAGES.items()]
    path = GOLDEN / f"{width}.txt"
    if os.environ.get("TOKTK_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(pages), encoding="utf-8", newline="\n")
    assert "\n".join(pages) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_number_is_cut_and_nothing_goes_unsaid(name: str, width: int) -> None:
    page = PAGES[name]
    text = page.page(width).text(width)
    assert max(map(cell_len, text.splitlines())) <= width
    whole = set(re.findall(r"[\d.,]+[%k]?", page.page(10_000).text(10_000)))
    tables = [line for line in text.splitlines() if not re.match(r"– |\S+ +\S+: |\s*\(", line)]
    of_page = set(re.findall(r"[\d.,]+[%k]?", "\n".join(tables)))
    assert of_page <= whole, of_page - whole
    for size in SIZES if "trainer" in name else ():
        # In the first table, and in that of languages or the line below it.
        assert re.search(rf"^ *{size_label(size)} ", text, re.MULTILINE)
        if "groups" in name:
            below = text[text.index("tokens per parallel line") :]
            assert re.search(rf"\b{size_label(size)}\b", below)
