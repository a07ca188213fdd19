"""A run in a notebook."""

from __future__ import annotations

from pathlib import Path

from hostile_names import hidden

from toktk.lab.run import Run
from toktk.report.records import Record
from toktk.report.results import Results

RECORD = Record(
    tokenizer="bpe", family="bpe", inference="own", size=300, corpus="c", group="all",
    metric="bytes_per_token", value=2.5, unit="bytes/token", n=3, signature="s",
)  # fmt: skip


def test_a_run_names_its_folder_and_tokenizers_and_has_its_tables():
    run = Run(Path("runs/<b>\x1b"), {"tokenizers": {"bpe": {}, "\u202e&": {}}}, None)
    html = run._repr_html_()
    assert html == "<p><b>runs/&lt;b&gt;\\x1b</b> bpe, \\u202e&amp;</p>\n"
    assert hidden(html) == []
    results = Results((RECORD,))
    measured = Run(Path("runs/a"), {"tokenizers": {"bpe": {}}}, results)._repr_html_()
    assert measured == f"<p><b>runs/a</b> bpe</p>\n{results._repr_html_()}"
    assert "<table>" in measured
