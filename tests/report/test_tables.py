from __future__ import annotations

from collections.abc import Sequence

from toktk.lab.meter import Cost, costs_line
from toktk.report.records import Record
from toktk.report.results import Results
from toktk.report.table import Head, Row, Table
from toktk.report.tables import Page, results_page
from toktk.sizes import size_label


def record(
    size: int,
    metric: str,
    group: str,
    value: float | None,
    note: str | None = None,
    family: str = "bpe",
    trainer: str = "bpe",
    cut: str = "gpt2",
):
    return Record(
        tokenizer=f"{family}-{size_label(size)}",
        family=family,
        trainer=trainer,
        inference=(trainer == "bpe" and family.partition("-")[2]) or "own",
        pretokenizer=cut,
        size=size,
        corpus="text",
        group=group,
        metric=metric,
        value=value,
        unit="unit",
        n=7,
        note=note,
        signature="signature",
    )


def show(
    records: Sequence[Record], unreached: Sequence[dict[str, object]] = (), width: int = 80
) -> str:
    return Results(tuple(records), {"unreached": unreached}).page(width).text(width)


def test_gain_is_tokens_saved_per_thousand_ids() -> None:
    shown = show([record(s, "tokens", "all", v) for s, v in ((8000, 1000), (16_000, 960))])
    # 4 % fewer tokens for 8 thousand ids more.
    assert [line.split() for line in shown.splitlines()[3:6] if "k " in line] == [
        ["8k", "–"],
        ["16k", "0.50%"],
    ]


def test_the_worst_language_is_named_and_brackets_are_no_markup() -> None:
    shown = show(
        [
            record(8000, "parity[en]|macro", "all", 1.5),
            record(8000, "parity[en]|max", "all", 3.14, "[b]am"),
        ]
    )
    assert "3.1 [b]am" in shown
    assert "1.50" in shown


def test_null_is_a_dash_with_the_reason_once() -> None:
    shown = show([record(s, "headroom", "all", None, "no tokens") for s in (300, 400)])
    assert shown.count("– of ceiling: no tokens.") == 1
    assert "ceiling" not in shown.splitlines()[1]
    assert "nan" not in shown


def test_sizes_out_of_reach_are_rows() -> None:
    missing = {"family": "bpe", "sizes": [64_000], "available": 9000}
    shown = show([record(8000, "bytes_per_token", "all", 4.0)], [missing])
    assert "64k" in shown
    assert "– not reached: 64k; the text gives 9,000 tokens." in shown


def test_many_groups_are_folded_by_script() -> None:
    sizes = range(1000, 21_000, 1000)
    groups = [f"language {i:03}" for i in range(90)]
    scripts = {group: "Latin" if i % 3 else "Han" for i, group in enumerate(groups)}
    scripts[groups[-1]] = "Thai"
    records = [
        record(s, "tokens_per_line", g, 10.0 + i) for s in sizes for i, g in enumerate(groups)
    ]
    shown = results_page(records, {"scripts": scripts}, 100).text(100)
    assert max(map(len, shown.splitlines())) <= 100
    rows = [line.split() for line in shown.splitlines()]
    assert [row[:2] for row in rows if row[:1] == ["Han"]] == [["Han", "(30)"]]
    mean = sum(10.0 + i for i in range(89) if i % 3) / 59
    (latin,) = (row for row in rows if row[:1] == ["Latin"])
    assert latin[1:3] == ["(59)", f"{mean:.1f}"]
    (alone,) = (row for row in rows if row[:2] == ["language", "089"])
    assert alone[2] == "99.0"
    assert "language 001" not in shown
    assert "a script's row is the mean of its groups; -f csv shows each." in shown
    assert "20k" in shown


def test_groups_of_unknown_script_are_all_shown() -> None:
    groups = [f"language {i:03}" for i in range(90)]
    shown = show([record(300, "tokens_per_line", g, 10.0) for g in groups])
    assert all(group in shown for group in groups)


def test_groups_that_are_not_parallel_show_bytes_per_token() -> None:
    records = [
        record(300, "tokens_per_line", "am", 30.0),
        record(300, "tokens_per_line", "python", None, "not parallel text"),
        record(300, "bytes_per_token", "am", 1.25),
        record(300, "bytes_per_token", "python", 2.5),
        record(300, "parity[en]", "am", 5.0),
    ]
    lines = [" ".join(line.split()) for line in show(records).splitlines()]
    assert "am 30.0 5.00" in lines
    assert "python 2.500" in lines


def test_figures_that_lost_text_makes_better_are_marked() -> None:
    found = []
    for family, value, lost in (("a", 4.0, 0.05), ("b", 3.5, 0.0), ("c", 3.0, 1e-6)):
        for group, share in (("all", lost), ("de", 0.0), ("en", lost)):
            found.append(record(8000, "bytes_per_token", group, value, family=family))
            found.append(record(8000, "lost", group, share, family=family))
    shown = show(found)
    rows = [line.split() for line in shown.splitlines()]
    assert [row[-2:] for row in rows if row[-1:] and row[-1].endswith("%")] == [
        ["4.000*", "5.00%"],
        ["3.500", "0.00%"],
        ["3.000*", "<0.01%"],
    ]
    assert ["de", "4.000", "3.500", "3.000"] in rows
    assert ["en", "4.000*", "3.500", "3.000*"] in rows
    assert "no token stands for; * figures" in shown
    lossless = [r for r in found if r.family == "b"]
    assert "lost" not in show(lossless)


def test_the_costs_of_a_step_are_added_up() -> None:
    costs = [
        Cost("count", "a", 1.0, 2.0, 5_000_000),
        Cost("count", "b", 0.5, 1.0, 7_000_000),
        Cost("train", "bpe", 0.0, 0.0, None, reused=True),
        Cost("measure", "bpe", 0.25, 0.25, None),
    ]
    expected = "count 1.5 s 7.0 MB · train reused · measure 0.2 s"
    assert costs_line([cost.describe() for cost in costs]) == expected
    costs += [Cost("train", "unigram", 2.0, 2.0, 9_000_000), Cost("train", "x-bpe", 0.5, 0.5, None)]
    assert "· train 2.5 s 9.0 MB (bpe reused, unigram 2.0 s, x-bpe 0.5 s) ·" in costs_line(
        [cost.describe() for cost in costs]
    )


SEVEN = ("bpe", "unigram", "hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram")


def test_families_stand_side_by_side_at_each_size_and_in_each_language() -> None:
    metrics = (
        "bytes_per_token", "tokens", "headroom", "fertility[ws]|macro", "parity[en]|macro",
        "parity[en]|max", "gini[tokens_per_line]", "utilization", "single_token_words[piece]",
    )  # fmt: skip
    records = []
    for i, name in enumerate(SEVEN):
        cut = "metaspace" if "sp-" in name else "o200k"
        family = {"family": name, "trainer": name, "cut": cut}
        for size in (50_000, 128_000):
            records += [record(size, m, "all", 0.5 + i, "am", **family) for m in metrics]
            records += [
                record(size, "tokens_per_line", g, 20.0 + i, **family) for g in ("en", "am")
            ]
    missing = {"family": "sp-bpe", "sizes": [200_000], "available": 150_000}
    shown = show(records, [missing], width=100)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("7 tokenizers side by side  on text")
    rows = [line.split() for line in lines]
    sizes = [row[0] for row in rows if row[1:3] in (["bpe", "o200k"], ["bpe", "metaspace"])]
    assert sizes == ["50k", "128k", "200k"]
    for i, name in enumerate(SEVEN):
        cut = "metaspace" if "sp-" in name else "o200k"
        found = [row for row in rows if [name, cut] in (row[:2], row[1:3])]
        assert len(found) == 3
        assert all(f"{0.5 + i:.3f}" in row for row in found[:2])
        assert "–" in found[2]
    assert "– sp-bpe not reached: 200k; the text gives 150,000 tokens." in shown
    assert "compare only within the same cut" in shown
    # Seven columns have room for one size: the largest that all reach.
    assert [row for row in rows if row[:1] == ["en"]] == [
        ["en", *(f"{20 + i}.0" for i in range(7))]
    ]
    assert "– no room for 50k; a wider screen or -f csv shows all." in shown


def test_two_families_show_several_sizes_of_each_language() -> None:
    sizes = [8000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000]
    records = [
        record(s, "tokens_per_line", g, s / 1000 + i, family=f, trainer="bpe")
        for i, f in enumerate(("bpe", "bpe-greedy"))
        for s in sizes
        for g in ("en", "am")
    ]
    shown = show(records, width=100)
    rows = [line.split() for line in shown.splitlines()]
    sizes_shown = "8.0 9.0 32.0 33.0 64.0 65.0 128.0 129.0"
    assert ["en", *sizes_shown.split()] in rows
    assert ["group", *["8k"] * 2, *["32k"] * 2, *["64k"] * 2, *["128k"] * 2] in rows
    assert "bpe-greedy" in shown
    assert "compare only" not in shown


def test_families_without_a_size_in_common_show_their_largest_each() -> None:
    records = [
        record(s, "bytes_per_token", g, s / 1000, family=f, trainer=f)
        for f, s in (("bpe", 8000), ("unigram", 16_000))
        for g in ("en", "am")
    ]
    rows = [line.split() for line in show(records).splitlines()]
    assert ["en", "8.000", "16.000"] in rows


def test_more_families_than_fit_get_a_table_of_their_own() -> None:
    names = [f"t{i}" for i in range(11)]
    records = [
        record(300, "bytes_per_token", g, 1.0, family=n, trainer=n) for n in names for g in "ab"
    ]
    shown = show(records, width=100)
    assert sum(line.startswith("a ") for line in shown.splitlines()) == 2


def test_a_wide_column_that_folds_leaves_a_narrow_one_its_room() -> None:
    heads = [Head("family", folds=True), Head("size"), Head("why", folds=True)]
    why = "6.98B parameters, 1e+23 FLOPs, 187,873 ids"
    table = Table("t", "", heads, [Row(("unigram", "187,873", why))])
    for width in (80, 40, 36, 30):
        shown = Page([table]).text(width)
        assert "…" not in shown
        assert "unigram" in shown
        assert " ".join(shown.split("unigram")[1].split()) == f"187,873 {why}"


def test_headings_in_one_line_have_no_hyphen_of_a_break_and_labels_keep_theirs() -> None:
    heads = [
        Head("embed-\ndings"),
        Head("rela- \ntive "),
        Head("bytes/\ntoken"),
        Head("unigram\n128k", whole="unigram-128k"),
    ]
    table = Table("", "", heads, [Row(("1", "2", "3", "4"))])
    for text in (table.markdown(), table.latex(), table.html()):
        assert all(
            name in text for name in ("embeddings", "relative", "bytes/token", "unigram-128k")
        )


def test_all_cells_of_a_row_begin_in_its_first_line() -> None:
    heads = [Head("name", right=False, folds=True), Head("cheap-\nest"), Head("size")]
    table = Table("", "", heads, [Row(("a long name " * 8, "12", "34"))])
    lines = Page([table]).text(40).splitlines()
    first = next(line for line in lines if "long" in line)
    assert ("12" in first, "34" in first) == (True, True)
    assert any(line.split() == ["name", "est", "size"] for line in lines)
