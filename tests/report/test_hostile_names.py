"""Names that no output may let through raw: every format is read back by a parser that is not toktk's."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser

import pytest
from hostile_names import HOSTILE_NAMES, WITHOUT_UTF8, hidden, names, read_visible
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from toktk.cli.progress import Bar
from toktk.report import tabular
from toktk.report.records import COLUMNS, Record
from toktk.report.results import Results
from toktk.report.throughput import throughput_text
from toktk.timing.figures import Timing
from toktk.visible import visible_name, without_surrogates

TEXTS = ("tokenizer", "family", "corpus", "group", "metric", "note")


def of_groups(groups: Sequence[str], name: str = "name", trainer: str | None = None) -> Results:
    """Return figures of groups, one of which is the reference, with `name` for all other names."""
    reference = groups[0]
    metrics = ("tokens_per_line", "bytes_per_token", f"parity[{reference}]")
    figures = [(metric, group, None) for metric in metrics for group in groups]
    figures += [(f"parity[{reference}]|macro", "all", None), ("bytes_per_token", "all", None)]
    figures += [(f"parity[{reference}]|max", "all", groups[-1]), ("headroom", "all", name)]
    records = [
        Record(
            tokenizer=name,
            family=name,
            trainer=trainer,
            pretokenizer=name,
            size=300,
            corpus=name,
            group=group,
            metric=metric,
            value=None if metric == "headroom" else 1.5,
            unit="unit",
            note=note,
            signature="signature",
        )
        for metric, group, note in figures
    ]
    about = {
        "engines": {name: ["tokenizers 1.0", name]},
        "hashes": {name: name},
        "unreached": [{"family": name, "sizes": [64_000], "available": 9000}],
    }
    return Results(tuple(records), about)


def texts_of(results: Results) -> list[tuple[str, ...]]:
    return [tuple(getattr(record, column) or "" for column in TEXTS) for record in results]


def rows_of_csv(text: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(text, newline=""))


def rows_of_pandas(text: str) -> list[dict[str, str]]:
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(text.encode()), dtype=str, keep_default_na=False)
    return frame.to_dict("records")


def rows_of_arrow(text: str) -> list[dict[str, str]]:
    import pyarrow as pa
    import pyarrow.csv as pc

    parse = pc.ParseOptions(newlines_in_values=True)
    types = pc.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    table = pc.read_csv(io.BytesIO(text.encode()), parse_options=parse, convert_options=types)
    return table.to_pylist()


def rows_of_json(results: Results) -> list[dict[str, str]]:
    text = results.to_json()
    assert all(char.isprintable() or char == "\n" for char in text)
    return json.loads(text)["records"]


def rows_of_markdown(text: str) -> list[list[str]]:
    """Return the cells of the one table that a document is; everything in a cell is text."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text"}
            rows[-1].append("".join(child.content for child in token.children or ()))
        else:
            assert re.fullmatch("(table|thead|tbody|tr|th|td)_(open|close)", token.type)
    # As a browser: several spaces are one, but not those that do not break.
    return [[re.sub(" +", " ", cell).replace("\u00a0", " ") for cell in row] for row in rows]


_COMMANDS = {
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|",
    "textless": "<", "textgreater": ">", "textasciigrave": "`",
}  # fmt: skip
_LATEX = re.compile(
    r"\\(?P<end>\\ *(?=[*\[])?)|\\(?P<command>[a-z]+)\{\}|\\symbol\{(?P<point>\d+)\}"
    r"|\\(?P<char>[&%$#_{} ])|(?P<group>\{\})|(?P<next>&)|(?P<wrong>[\\%$#_^~{}|<>\"`])"
    r"|(?P<ligature>--|''|,,)|(?P<text> +|.)",
    re.DOTALL,
)


def rows_of_latex(text: str) -> list[list[str]]:
    """Return the cells of a tabular, read as LaTeX reads characters, commands and row ends."""
    body = text[text.index("\\toprule\n") + 9 : text.index("\\bottomrule")]
    body = body.replace("\\midrule\n", "")
    rows, cells = [], [""]
    for token in _LATEX.finditer(body):
        kind = token.lastgroup
        assert kind not in ("wrong", "ligature"), (token[0], body)
        if kind == "end":
            # What the end of a row reads as its star or its optional argument, line breaks or not.
            assert not body[token.end() :].lstrip().startswith(("*", "["))
            rows.append([cell.removesuffix(" ").removeprefix(" ") for cell in cells])
            cells = [""]
        elif kind == "next":
            cells.append("")
        elif kind == "command":
            cells[-1] += _COMMANDS[token["command"]]
        elif kind == "point":
            cells[-1] += chr(int(token["point"]))
        elif kind == "char":
            cells[-1] += token["char"]
        elif kind == "text" and not (token[0] == "\n" and cells == [""]):
            cells[-1] += token[0][0]  # several spaces are one
    return rows


class TableReader(HTMLParser):
    """Reads the cells of tables; nothing but what toktk wrote may be a tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.text = ""
        self.within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("p", "b", "table", "tr", "th", "td", "pre")
        assert {name for name, _ in attrs} <= {"style"}
        self.within = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.within in ("td", "th"):
            self.rows[-1][-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment  # type: ignore[assignment]


def some_results() -> st.SearchStrategy[Results]:
    groups = st.lists(names, min_size=2, max_size=4, unique_by=without_surrogates)
    return st.builds(of_groups, groups, names, st.sampled_from([None, "bpe"]))


def check(results: Results) -> None:
    """Check all formats, each read by a parser of its own."""
    expected = texts_of(results)
    text = results.to_csv()
    for read in (rows_of_csv, rows_of_pandas, rows_of_arrow):
        rows: Sequence[dict[str, str]] = list(read(text))
        assert [tuple(row[column] for column in TEXTS) for row in rows] == expected, read
    rows = rows_of_json(results)
    assert [tuple(row[column] or "" for column in TEXTS) for row in rows] == expected
    frame = results.to_pandas()
    assert [tuple(row) for row in frame[list(TEXTS)].fillna("").to_numpy().tolist()] == expected
    formats: list[tuple[Callable[[str], list[list[str]]], str]] = [
        (rows_of_markdown, tabular.to_markdown(COLUMNS, results.rows())),
        (rows_of_latex, tabular.to_latex(COLUMNS, results.rows())),
    ]
    for parse, text in formats:
        assert hidden(text) == []
        head, *cells = parse(text)
        assert head == list(COLUMNS)
        shown = [tuple(row[COLUMNS.index(column)] for column in TEXTS) for row in cells]
        wanted = [
            tuple("" if getattr(r, c) is None else visible_name(getattr(r, c)) for c in TEXTS)
            for r in results
        ]
        assert shown == wanted
        assert [tuple(map(read_visible, row)) for row in shown] == expected


INLINE = {"text", "strong_open", "strong_close", "hardbreak", "softbreak"}


@settings(max_examples=25)
@given(some_results())
def test_pages_for_papers_hold_text_and_tables_alone(results: Results) -> None:
    wanted = {visible_name(r.group) for r in results if r.group != "all"}
    short = {name for name in wanted if len(name) < 12}
    page = results.to_markdown()
    assert hidden(page) == []
    cells = set()
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page):
        if token.type == "inline":
            assert {child.type for child in token.children or ()} <= INLINE, page
            cells.add("".join(c.content for c in token.children or ()).replace("\u00a0", " "))
        else:
            assert re.fullmatch("(table|thead|tbody|tr|th|td|paragraph)_(open|close)", token.type)
    assert short <= cells
    page = results.to_latex()
    assert hidden(page) == []
    tables = [part for part in page.split("\\begin{tabular}") if "\\toprule" in part]
    assert short <= {cell for table in tables for row in rows_of_latex(table) for cell in row}


@settings(max_examples=25)
@given(some_results())
def test_every_format_reads_back(results: Results) -> None:
    check(results)


def test_every_name_of_the_list_in_every_format() -> None:
    every = (of_groups([name, "other"], name) for name in (*HOSTILE_NAMES, *WITHOUT_UTF8))
    check(Results(tuple(record for results in every for record in results)))


def groups_in(text: str) -> list[str]:
    """Return the names in the table of groups, which is the last."""
    lines = text.split("\n")
    at = max(i for i, line in enumerate(lines) if line.startswith("group "))
    rows = lines[at + 2 : lines.index("", at)]
    return [re.sub(r"  +1\.5.*", "", row) for row in rows if row.strip() != "bytes per token"]


@settings(max_examples=25)
@given(some_results())
def test_the_terminal_gets_no_character_that_steers_it(results: Results) -> None:
    for color in (False, True):
        text = results.page(100).text(100, color)
        assert hidden(re.sub(r"\x1b\[[0-9;]*m", "", text) if color else text) == []
    assert hidden(repr(results)) == []


@pytest.mark.parametrize("trainer", [None, "bpe"])
def test_names_that_differ_look_different(trainer: str | None) -> None:
    groups = list(dict.fromkeys(map(without_surrogates, (*HOSTILE_NAMES, *WITHOUT_UTF8))))
    for some in (groups[:40], ["en", *groups[40:]]):
        shown = groups_in(of_groups(some, trainer=trainer).page(100).text(100))
        assert len(shown) == len(set(shown)) == len(some)
        whole = [name for name in shown if "…" not in name]
        assert set(map(read_visible, whole)) <= set(some)
        assert len(whole) >= len(some) - 8


@given(some_results())
def test_a_notebook_gets_text_and_no_tags(results: Results) -> None:
    reader = TableReader()
    page = results._repr_html_()
    reader.feed(page)
    reader.close()
    assert hidden(page) == []
    cells = {cell for row in reader.rows for cell in row}
    shown = {visible_name(record.group) for record in results}
    assert {name for name in shown if len(name) < 12} <= cells | {"all"}


@pytest.mark.parametrize("name", ["x]|macro", "x]|max]|macro", "", " a", "*]", "\x1b[31m", "[b]"])
def test_the_legend_names_the_whole_reference(name: str) -> None:
    text = of_groups([name, "am"], trainer="bpe").page(100).text(100)
    (legend,) = (line for line in text.split("\n") if line.startswith("parity  "))
    assert f" relative to {visible_name(name)}, mean and worst of " in legend
    assert "1.50" in text


@given(names)
def test_timings_show_names_and_notes(name: str) -> None:
    name = without_surrogates(name)
    timings = [
        Timing(name, "engine", "1.0", 1, what="warm", note=name, unit="MB/s", verified=False),
        Timing(name, "engine", "1.0", 1, what="load", value=1.0, unit="s", verified=True),
    ]
    assert hidden(throughput_text(timings, 100)) == []


def test_bars_and_remarks_show_names(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        for name in (*HOSTILE_NAMES, *WITHOUT_UTF8):
            bar.begin("train", name, 100, "tokens")
            (step,) = bar._open
            assert hidden(step.label) == []
            assert "\n" not in step.label
            bar.remark(f"{name} is left out")
            bar.end()
    shown = capsys.readouterr().err
    assert hidden(shown) == []
    assert shown.count("\n") == len(HOSTILE_NAMES) + len(WITHOUT_UTF8)


def test_a_chart_in_a_page_ends_no_script() -> None:
    name = "</script><script>alert(1)</script><!--"
    page = of_groups([name, "b"], name).plot("bytes_per_token", name).to_html()
    assert "alert(1)" in html.unescape(page)
    assert "<script>alert" not in page
    assert "<!--" not in page.partition("<body>")[2]


@settings(max_examples=10)
@given(some_results())
def test_parquet_keeps_names(tmp_path_factory: pytest.TempPathFactory, results: Results) -> None:
    path = tmp_path_factory.mktemp("names") / "results\udcff.parquet"
    results.write_parquet(path)
    assert Results.read_parquet(path).records == results.records


def test_two_groups_never_become_one() -> None:
    results = of_groups(["red", "\x1b[31mred", "re\x00d"])
    assert {row["group"] for row in rows_of_csv(results.to_csv())} == {
        "red",
        "\x1b[31mred",
        "re\x00d",
        "all",
    }
