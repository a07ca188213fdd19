"""Hostile names and texts are text in the page: nothing of them runs, steers or hides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browsing import Opened, opened
from hostile_names import HOSTILE_NAMES
from made_pages import MadePage, made_page
from small_corpora import PARALLEL, SYLLABLES, lines
from small_runs import toktk

from toktk.page.shown import Shown
from toktk.visible import visible_name

MARKUP = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    '"\'><img src=x onerror="window.hacked = 3">',
    "<svg/onload=window.hacked=4>",
    "{{SCRIPT}} {{DATA}}",
    "javascript:window.hacked=5",
    "${window.hacked = 6}",
    "&lt;b&gt; &amp; \\u003c",
    "]]> --> <!--",
)
TEXTS = (
    *MARKUP,
    *HOSTILE_NAMES[:18],
    "\0\x01\x7f\x80\x9b",
    "a" * 3000,
    "\u202e\u2066\u2069 \u200b\u00ad",
)
JOINERS = re.compile("[\u200c\u200d\ufe0f]")
LABELS = {
    "first": "<script>window.hacked = 7</script>{{SCRIPT}}",
    "second": "</title>'\"\x1b[1m\u202e",
}
HOSTILE = [*MARKUP[:6], *HOSTILE_NAMES[:12]]


@pytest.fixture(scope="module")
def hostile_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> MadePage:
    """The page of a bench in which groups, labels and the corpus have hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    languages = [*SYLLABLES]
    rows = [
        {"text": text, "lang": group, "id": str(i)}
        for k, group in enumerate(HOSTILE)
        for i, text in enumerate(lines(languages[k % 4], 30))
    ]
    corpus = folder / "<b onclick=x>&'.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    toktk("train", "-c", corpus, *PARALLEL, "-t", "bpe", "-t", "unigram", "-s", "300",
              "-o", folder / "trained", "-q")  # fmt: skip
    made = folder / "trained" / "tokenizers"
    toktk("bench", f"first={made / 'bpe-300'}", f"second={made / 'unigram-300'}", "-c", corpus, *PARALLEL,
              "--reference", HOSTILE[0], "--no-throughput", "-o", folder / "run", "-q")  # fmt: skip
    return made_page(folder / "run", renamed)


def renamed(shown: Shown) -> Shown:
    """Return a run with labels that no command line takes, but another's file may hold."""
    documents = shown.results.documents
    records = tuple(
        replace(record, tokenizer=LABELS[record.tokenizer], family=LABELS[record.family])
        for record in shown.results
    )

    def by_label(values: Mapping[str, Any]) -> dict[str, Any]:
        return {LABELS[label]: value for label, value in values.items()}

    return replace(
        shown,
        results=replace(
            shown.results,
            records=records,
            documents=replace(documents, tokens=by_label(documents.tokens)),
        ),
        facts=by_label(shown.facts),
        token_counts=by_label(shown.token_counts),
        tokenizers=by_label(shown.tokenizers),
    )


@pytest.fixture
def hostile(browser: Any, hostile_page: MadePage) -> Iterator[Opened]:
    with opened(browser, hostile_page.path) as seen:
        for section in (
            "curve",
            "languages",
            "trade",
            "ranks",
            "lengths",
            "scripts",
            "tokens-section",
        ):
            seen.see(f"#{section}")
        yield seen


def is_unharmed(seen: Opened) -> None:
    assert seen.ask("window.hacked") is None
    assert seen.page.locator("img, iframe, object, embed, b, svg").count() == 0
    assert seen.page.locator("script").count() == 4  # colors, data, Vega, and the page's own


def test_names_are_text(hostile: Opened) -> None:
    is_unharmed(hostile)
    names = hostile.ask("toktk.data.groups.map((group) => group.name)")
    assert names == ["all", *sorted(map(visible_name, HOSTILE), key=names.index)]
    assert all(name.isprintable() for name in names)
    shown = hostile.page.locator("#comparison tbody td:first-child").all_inner_texts()
    assert {visible_name(name) for name in HOSTILE[1:]} <= set(shown)
    assert "<script>window.hacked = 7</script>{{SCRIPT}}" in hostile.page.locator("h1").inner_text()


def test_a_hostile_group_is_found_and_chosen(hostile: Opened) -> None:
    name = visible_name(HOSTILE[1])
    hostile.page.fill("#language", name)
    hostile.settle()
    assert hostile.ask("toktk.state.get('language')") == name
    hostile.see("#curve")
    is_unharmed(hostile)


def test_texts_are_text(hostile: Opened, hostile_page: MadePage) -> None:
    for text in TEXTS:  # one after the other: a page takes over a second to open
        hostile.ask("(text) => { const t = document.getElementById('text'); t.value = text;"
                    " t.dispatchEvent(new Event('input')); }", text)  # fmt: skip
        hostile.page.wait_for_timeout(150)
        chips = hostile.page.locator("#columns .token").all_inner_texts()
        value = hostile.ask("document.getElementById('text').value")
        counts = [t.count(value) for t in hostile_page.shown.tokenizers.values()]
        assert len(chips) == sum(counts), repr(text)
        assert all(
            chip.replace("\u200d", "").replace("\u200c", "").replace("\ufe0f", "").isprintable()
            for chip in chips
        ), repr(text)
        is_unharmed(hostile)


def test_a_hostile_address(browser: Any, hostile_page: MadePage) -> None:
    state = "&".join(
        f"{key}={quote(MARKUP[i % len(MARKUP)])}"
        for i, key in enumerate(
            ("size", "language", "hidden", "text", "tokenizers", "vocabulary", "metric", "verdict",
             "filter", "sizes", "sort", "width", "theme", "unknown")
        )
    )  # fmt: skip
    with opened(browser, hostile_page.path, f"#{state}") as seen:
        for section in ("curve", "languages", "trade", "tokens-section", "comparison-section"):
            seen.see(f"#{section}")
        is_unharmed(seen)


def test_a_line_of_ten_megabytes(hostile: Opened, hostile_page: MadePage) -> None:
    """More than the page takes is cut off, and what is left is encoded as toktk does."""
    hostile.ask("() => { const t = document.getElementById('text'); t.value = 'under '.repeat(1700000);"
                " t.dispatchEvent(new Event('input')); }")  # fmt: skip
    hostile.page.wait_for_timeout(500)
    hostile.page.wait_for_function("document.querySelectorAll('#columns .token').length > 1000")
    kept = ("under " * 1700000)[:10_000]
    heads = hostile.page.locator("#columns .head").all_inner_texts()
    for tokenizer, head in zip(hostile_page.shown.tokenizers.values(), heads, strict=True):
        assert f"{tokenizer.count(kept):,} tokens" in head
    assert "first 10,000 characters" in hostile.text("#spread")
    is_unharmed(hostile)


def test_the_file_itself_holds_no_markup_of_names(hostile_page: MadePage) -> None:
    page = Path(hostile_page.path).read_text(encoding="utf-8")
    assert "hacked = 7</script>" not in page
    assert page.count("<script") == page.count("</script>") == 4
    assert "\x1b" not in page
    assert "\u202e" not in page
