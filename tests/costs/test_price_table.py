"""Tables of prices in TOML, JSON and CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from toktk.costs.price_table import PriceTable
from toktk.errors import CostError

TOML = 'currency = "EUR"\n[prices]\n"bpe-*" = 0.5\n"bpe-8k" = {de = 2, "*" = 1}\n'
JSON = '{"currency": "EUR", "prices": {"bpe-*": 0.5, "bpe-8k": {"de": 2, "*": 1}}}'
CSV = "tokenizer,group,price,currency\nbpe-*,,0.5,EUR\nbpe-8k,de,2,EUR\nbpe-8k,*,1,EUR\n"


@pytest.mark.parametrize(("name", "text"), [("p.toml", TOML), ("p.JSON", JSON), ("p.csv", CSV)])
def test_a_table_in_each_format(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("\ufeff" + text if name == "p.csv" else text, encoding="utf-8")
    table = PriceTable.read(tmp_path / name)
    assert table.currency == "EUR"
    assert table.price("bpe-8k", "de") == 2  # its own name comes before a pattern
    assert table.price("bpe-8k", "en") == 1
    assert table.price("bpe-16k", "de") == 0.5
    assert table.price("unigram-8k", "de") is None
    table.check(["bpe-8k", "unigram-8k"], ["de", "en"])
    with pytest.raises(CostError, match=r"'de', and no such group"):
        table.check(["bpe-8k"], ["fr"])
    with pytest.raises(CostError, match=r"'bpe-8k', and no such tokenizer \(did you mean 'bpe-9k'"):
        table.check(["bpe-9k"], ["de"])


def test_a_name_that_reads_as_a_pattern_is_its_own() -> None:
    table = PriceTable.of({"prices": {"a[1]": 3.0}})
    assert table.price("a[1]", "x") == 3
    assert table.currency == ""
    table.check(["a[1]"], ["x"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.toml", "prices ="),
        ("p.toml", "currency = 5\n[prices]\na = 1"),
        ("p.toml", "[prices]\n"),
        ("p.toml", "[prices]\na = -1"),
        ("p.toml", "[prices]\na = nan"),
        ("p.toml", "[prices]\na = 'much'"),
        ("p.toml", "currency = 'a very long currency'\n[prices]\na = 1"),
        ("p.json", "{}"),
        ("p.json", "[1]"),
        ("p.csv", ""),
        ("p.csv", "label,price\na,1\n"),
        ("p.csv", "tokenizer,price\na,cheap\n"),
        ("p.csv", "tokenizer,price\na,1\na,2\n"),
        ("p.csv", "tokenizer,price,currency\na,1,EUR\nb,2,USD\n"),
        ("p.csv", 'tokenizer,price\n"a,1\n'),
        ("p.yaml", "a: 1"),
        ("p", "a"),
    ],
)
def test_what_is_no_table_is_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CostError) as caught:
        PriceTable.read(tmp_path / name)
    assert name in str(caught.value)
    assert len(caught.value.args) >= 2
    assert not caught.value.is_usage


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CostError, match="cannot read prices"):
        PriceTable.read(tmp_path / "none.toml")
    (tmp_path / "p.csv").write_bytes(b"tokenizer,price\n\xff,1\n")
    with pytest.raises(CostError, match="cannot read prices"):
        PriceTable.read(tmp_path / "p.csv")


def test_a_price_that_is_no_number_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("tokenizer,price\na,1\nb,cheap\n")
    with pytest.raises(CostError, match="'cheap' in line 3"):
        PriceTable.read(tmp_path / "p.csv")
