"""The page of a sweep in a real browser: what it draws, what it answers to, what it asks for."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote, unquote

import pytest
from browsing import WIDTHS, Opened, opened

from toktk.report.charts import NEVER, USED

FOCUSED = "(({ id, className, tagName }) => id || className || tagName)(document.activeElement)"
CHARTS = ("curve", "languages", "gains", "trade", "ranks", "lengths", "scripts")


def close(a: Any, b: Any) -> bool:
    """Tell whether two rows are the same, numbers to six digits."""
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=2e-6, abs_tol=1e-9)
    return a == b


def alike(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare rows in their order; a row may have further fields that are null."""
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        for key in {*row, *other}:
            assert close(row.get(key), other.get(key)), (key, row, other)


def coded(rows: list[dict[str, Any]], seen: Opened) -> list[dict[str, Any]]:
    """Return rows with the codes of languages in place of their names."""
    names = seen.ask("() => toktk.data.groups.map((group, i) => [toktk.rows.label(i), group.name])")
    codes = dict(names)
    return [{**row, "row": codes.get(row["row"], row["row"])} for row in rows]


def test_all_charts_are_drawn(sweep: Opened) -> None:
    for chart in CHARTS:
        sweep.see(f"#{chart}")
        assert sweep.page.locator(f"#{chart} canvas").count() == 1, chart
        assert len(sweep.page.locator(f"#{chart}").get_attribute("aria-label")) > 10


def test_first_screen_answers(sweep: Opened) -> None:
    text = sweep.text("#short")
    for question in (
        "Which size?",
        "save?",
        "bpe or unigram?",
        "Which language costs most?",
        "How sure is this?",
    ):
        assert question in text


@pytest.mark.parametrize("size", [300, 340, 400])
def test_rows_are_those_of_python(browser: Any, sweep_page: Any, size: int) -> None:
    made = sweep_page.rows(size)
    with opened(browser, sweep_page.path, f"#size={size}") as seen:
        for chart in CHARTS:
            seen.see(f"#{chart}")
        alike(seen.rows("curve", "curve"), made.curve())
        alike(seen.rows("curve", "points"), made.points())
        alike(seen.rows("curve", "knees"), made.knees())
        alike(coded(seen.rows("languages"), seen), made.languages())
        alike(coded(seen.rows("gains"), seen), made.gains())
        alike(seen.rows("ranks"), made.ranks())
        alike(seen.rows("lengths"), made.lengths("bpe"))
        alike(seen.rows("scripts"), made.scripts("bpe"))
        costs = {n: float(2048 * made.figures.size(n)) for n in made.figures.tokenizers}
        points = made.trade_off(costs)
        alike(seen.rows("trade", "points"), points)
        alike(seen.rows("trade", "front"), made.front(points, x_is_cost=True))


def test_curve_of_each_group_is_that_of_python(browser: Any, sweep_page: Any) -> None:
    made = sweep_page.rows()
    with opened(browser, sweep_page.path) as seen:
        for group in made.figures.groups[1:]:
            seen.page.fill("#language", group)
            seen.settle()
            alike(seen.rows("curve", "curve"), made.curve(group))
            alike(seen.rows("curve", "points"), made.points(group))


def test_slider_moves_every_other_chart(sweep: Opened) -> None:
    for chart in CHARTS:
        sweep.see(f"#{chart}")
    watched = [
        ("curve", "at"),
        ("languages", "rows"),
        ("gains", "rows"),
        ("ranks", "rows"),
        ("lengths", "rows"),
    ]
    before = [sweep.rows(*each) for each in watched]
    table, note = sweep.text("#comparison"), sweep.text("#languages-note")
    sweep.page.evaluate("scrollTo(0, 0)")
    slider = sweep.page.locator("#size")
    slider.focus()
    slider.press("Home")
    sweep.settle()
    assert sweep.text("#size-shown") == "257"  # a special token and the bytes
    for chart in CHARTS:
        sweep.see(f"#{chart}")
    after = [sweep.rows(*each) for each in watched]
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert sweep.text("#languages-note") != note
    assert sweep.text("#comparison") != table
    assert "size=257" in sweep.hash()
    slider.press("PageUp")
    sweep.settle()
    assert sweep.text("#size-shown") == "300"
    assert sweep.page.locator("#size").get_attribute("aria-valuetext") == "300 ids"


def test_a_click_on_the_curve_sets_the_size(sweep: Opened) -> None:
    sweep.see("#curve")
    before = sweep.text("#size-shown")
    box = sweep.page.locator("#curve canvas").bounding_box()
    sweep.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    sweep.settle()
    assert sweep.text("#size-shown") != before


@pytest.mark.parametrize(
    ("typed", "group"), [("de", "de"), ("German", "de"), ("russ", "ru"), ("JA", "ja"), ("xx", "")]
)
def test_search_finds_a_language(sweep: Opened, typed: str, group: str) -> None:
    sweep.page.fill("#language", typed)
    sweep.settle()
    assert sweep.ask("toktk.state.get('language')") == group
    assert (f"language={group}" in sweep.hash()) == bool(group)
    if group:
        assert sweep.text("#curve-note").startswith(f"tokens per line, {group} (")
        sweep.see("#languages")
        assert coded(sweep.rows("languages", "chosen"), sweep) == [{"row": group}]
    sweep.page.fill("#language", "")
    sweep.settle()
    assert sweep.text("#curve-note").startswith("tokens per line, all together")


def test_a_family_can_be_hidden(sweep: Opened) -> None:
    sweep.see("#curve")
    sweep.page.uncheck("#families input[value=unigram]")
    sweep.settle()
    assert {row["family"] for row in sweep.rows("curve", "curve")} == {"bpe"}
    assert "hidden=unigram" in sweep.hash()


def test_vocabulary_of_another_family(sweep: Opened, sweep_page: Any) -> None:
    sweep.see("#lengths")
    sweep.page.select_option("#vocabulary-of", "unigram")
    sweep.settle()
    rows = sweep.rows("lengths")
    assert {row["use"] for row in rows} == {USED, NEVER}
    use = sweep_page.contents.vocabulary["unigram-400"]
    assert sum(row["tokens"] for row in rows) == use["ids"] == 399
    assert f"{use['used']} of {use['ids']} tokens occur" in sweep.text("#vocabulary-note")


def test_text_is_tokenized_as_it_is_typed(sweep: Opened, sweep_page: Any) -> None:
    sweep.see("#tokens-section")
    text = "wider under der straße 東京 👩‍👩‍👧 \u0301x"
    sweep.page.fill("#text", text)
    sweep.page.wait_for_timeout(300)
    heads = sweep.page.locator("#columns .head strong").all_inner_texts()
    assert heads == ["bpe-400", "unigram-400"]
    for label, head in zip(
        heads, sweep.page.locator("#columns .head").all_inner_texts(), strict=True
    ):
        n = sweep_page.shown.tokenizers[label].count(text)
        assert f"{n:,} token" in head
    assert sweep.page.locator(".token.ring").count() > 0
    state = unquote(sweep.hash().replace("+", " "))
    assert f"text={text}" in state


def test_a_token_tells_its_merges(sweep: Opened, sweep_page: Any) -> None:
    sweep.see("#tokens-section")
    sweep.page.fill("#text", "under")
    sweep.page.wait_for_timeout(300)
    tokenizer = sweep_page.shown.tokenizers["bpe-400"]
    ids = tokenizer.encode("under")
    longest = max(range(len(ids)), key=lambda i: len(tokenizer.model.tokens[ids[i]]))
    sweep.page.locator("#columns .grid > div:not(.head) .token").nth(longest).click()
    text = sweep.text("#detail")
    token = tokenizer.model.tokens[ids[longest]]
    assert f"id {ids[longest]}" in text
    assert " ".join(f"{byte:02X}" for byte in token) in text
    left, right, _ = tokenizer.model.merges[ids[longest] - tokenizer.model.base_size]
    assert f"{left}" in text
    assert f"{right}" in text
    count = int(sweep_page.shown.token_counts["bpe-400"][ids[longest]])
    assert f"{count:,} times in the text that was measured" in text


def test_tokenizers_of_other_sizes(sweep: Opened, sweep_page: Any) -> None:
    sweep.see("#tokens-section")
    sweep.page.select_option("#tokenizers select >> nth=0", "bpe-300")
    sweep.page.select_option("#tokenizers select >> nth=2", "unigram-340")
    sweep.page.wait_for_timeout(300)
    text = sweep.ask("document.getElementById('text').value")
    heads = sweep.page.locator("#columns .head strong").all_inner_texts()
    assert heads == ["bpe-300", "unigram-400", "unigram-340"]
    for label, head in zip(
        heads, sweep.page.locator("#columns .head").all_inner_texts(), strict=True
    ):
        assert f"{sweep_page.shown.tokenizers[label].count(text)} tokens" in head
    assert "tokenizers=bpe-300%2Cunigram-400%2Cunigram-340" in sweep.hash()


def test_a_view_is_restored_from_its_hash(browser: Any, sweep_page: Any) -> None:
    text = "東京 & <b>under</b> 50%"
    state = (
        f"#size=340&language=ja&hidden=unigram&text={quote(text)}&tokenizers=bpe-300%2Cunigram-340"
        "&vocabulary=unigram&verdict=worse&filter=ja&sizes=all&metric=bytes_per_token&sort=3-down&width=512&theme=dark"
    )
    with opened(browser, sweep_page.path, state) as seen:
        assert seen.text("#size-shown") == "340"
        assert seen.page.input_value("#language") == "ja"
        assert not seen.page.is_checked("#families input[value=unigram]")
        assert seen.ask("document.documentElement.dataset.theme") == "dark"
        assert seen.page.input_value("#width") == "512"
        seen.see("#tokens-section")
        seen.page.wait_for_timeout(300)
        assert seen.page.input_value("#text") == text
        assert seen.page.locator("#columns .head strong").all_inner_texts() == [
            "bpe-300",
            "unigram-340",
        ]
        assert [seen.page.input_value(f"#{name}") for name in ("verdict", "filter", "sizes", "metric")] == [
            "worse", "ja", "all", "bytes_per_token",
        ]  # fmt: skip
        assert (
            seen.page.locator("#comparison th[aria-sort=descending]").inner_text() == "difference"
        )
        # A change of the address alone changes the view too.
        seen.ask("() => { location.hash = '#size=300&language=de'; }")
        seen.settle()
        assert seen.text("#size-shown") == "300"
        assert seen.page.input_value("#language") == "de"


def column(seen: Opened, number: int) -> list[str]:
    return seen.page.locator(f"#comparison tbody td:nth-child({number})").all_inner_texts()


def test_the_table_sorts_and_filters(sweep: Opened) -> None:
    sweep.see("#comparison-section")
    sweep.page.select_option("#sizes", "all")
    everything = column(sweep, 1)
    sweep.page.click("#comparison th:nth-child(4) button")
    numbers = [
        float(cell.removesuffix(" %").replace("−", "-")) for cell in column(sweep, 4) if cell
    ]
    assert numbers == sorted(numbers)
    sweep.page.click("#comparison th:nth-child(4) button")
    assert [
        float(c.removesuffix(" %").replace("−", "-")) for c in column(sweep, 4) if c
    ] == numbers[::-1]
    sweep.page.fill("#filter", "german")
    assert set(column(sweep, 1)) == {"de"}
    sweep.page.fill("#filter", "")
    assert sorted(column(sweep, 1)) == sorted(everything)
    verdict = column(sweep, 6)[0]
    sweep.page.select_option("#verdict", verdict)
    assert set(column(sweep, 6)) == {verdict}
    assert f"verdict={verdict}" in sweep.hash()


def test_the_table_is_that_of_compare(sweep: Opened, sweep_page: Any) -> None:
    sweep.page.select_option("#sizes", "all")
    shown = {
        tuple(row.locator("td").all_inner_texts()[i] for i in (0, 1, 2, 5))
        for row in sweep.page.locator("#comparison tbody tr").all()
    }
    rows = [r for r in sweep_page.contents.comparisons if r.metric == "tokens_per_line"]
    assert shown == {
        (r.group, r.candidate, r.baseline, r.verdict.replace("none", "no interval")) for r in rows
    }


@pytest.mark.parametrize("format", ["csv", "markdown", "latex"])
def test_the_table_is_copied(browser: Any, sweep_page: Any, format: str) -> None:
    with opened(
        browser, sweep_page.path, permissions=["clipboard-read", "clipboard-write"]
    ) as seen:
        seen.see("#comparison-section")
        seen.page.click(f"[data-copy={format}]")
        seen.page.wait_for_function("document.getElementById('copied').textContent === 'Copied.'")
        text = seen.ask("navigator.clipboard.readText()")
    lines = text.strip().splitlines()
    if format == "csv":
        assert lines[0] == "language,tokenizer,against,difference,95 %,verdict,least seen"
    elif format == "markdown":
        assert lines[1] == "| --- | --- | --- | ---: | ---: | --- | ---: |"
    else:
        assert lines[:2] == [r"\begin{tabular}{lllrrlr}", r"\toprule"]
        assert all(line.endswith("\\\\") for line in lines if "&" in line)
    assert sum("unigram-400" in line for line in lines) == 5  # all together, and four languages


def test_the_keyboard_reaches_everything(sweep: Opened) -> None:
    sweep.see("#tokens-section")
    sweep.page.evaluate("scrollTo(0, 0)")
    reached = set()
    for _ in range(60):
        sweep.page.keyboard.press("Tab")
        reached.add(sweep.ask(FOCUSED))
    wanted = {
        "theme",
        "size",
        "language",
        "width",
        "vocabulary-of",
        "text",
        "filter",
        "verdict",
        "metric",
        "sizes",
        "table-frame",
    }
    assert wanted <= reached
    sweep.page.locator("#columns .token").first.focus()
    sweep.page.keyboard.press("ArrowRight")
    sweep.page.keyboard.press("Enter")
    assert sweep.page.locator(".token.chosen").count() == 1
    assert sweep.ask("document.activeElement.classList.contains('chosen')")
    assert "id " in sweep.text("#detail")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, sweep_page: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, sweep_page.path, width=width, color_scheme=scheme) as seen:
        for chart in (*CHARTS, "tokens-section"):
            seen.see(f"#{chart}")
        seen.page.locator("#columns .token").first.click()
        found = axe.run(seen.page).response["violations"]
        assert [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found
                if v["impact"] in ("serious", "critical")] == []  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(browser: Any, sweep_page: Any, width: int) -> None:
    with opened(browser, sweep_page.path, width=width) as seen:
        for chart in (*CHARTS, "tokens-section"):
            seen.see(f"#{chart}")
        assert seen.ask("document.documentElement.scrollWidth") <= width


def test_colors_follow_the_system_and_the_button(browser: Any, sweep_page: Any) -> None:
    with opened(browser, sweep_page.path, color_scheme="dark") as seen:
        assert seen.ask("document.documentElement.dataset.theme") == "dark"
        seen.page.click("#theme")
        assert seen.ask("document.documentElement.dataset.theme") == "light"
        seen.settle()
        assert "theme=light" in seen.hash()


def test_json_of_the_page_is_whole(sweep: Opened, sweep_page: Any) -> None:
    groups = sweep.ask("toktk.data.groups")
    assert [group["name"] for group in groups] == sweep_page.contents.figures.groups
    assert json.dumps(sweep.ask("toktk.data.comparisons")).count("unigram-300") > 0
