"""``toktk bench --ids``: a row for each id, those that occur most first, and what the first of them cover."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from nasty import NASTY_TEXTS
from public_samples import GPT2, LLAMA2, added, document, write

from toktk.lab.token_counts import read_token_counts
from toktk.loading.load import load
from toktk.metrics.vocabulary import COVERED
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("home")

GROUPS = ("x", "count", "id", "\x1b[31mred", "all in", "日本 'x\"; DROP", "De", "de")


@pytest.fixture
def corpus(tmp_path: Path) -> list[tuple[str, str]]:
    texts = [*NASTY_TEXTS, "the cat the hat", "a\0a\0"]
    rows = [(text, GROUPS[i % len(GROUPS)]) for i, text in enumerate(texts)]
    rows.append(("", "empty"))
    content = [json.dumps({"text": text, "lang": group}) for text, group in rows]
    (tmp_path / "nasty.jsonl").write_text("\n".join(content), encoding="utf-8")
    return rows


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, str]:
    """Byte-level BPE with a NUL token, one that puts a space in front, and one that a library runs."""
    words = {"[UNK]": 0, "the": 1, "cat": 2, "##s": 3, "a": 7}
    model = {"type": "WordPiece", "vocab": words, "unk_token": "[UNK]"}
    model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    word_pieces = document(
        model, pre_tokenizer={"type": "BertPreTokenizer"}, added_tokens=[added(0, "[UNK]", True)]
    )
    documents = {"bytes": GPT2, "space": LLAMA2, "wörter": word_pieces}
    return {
        label: str(write(tmp_path / label / "tokenizer.json", of))
        for label, of in documents.items()
    }


def bench(tmp_path: Path, specs: dict[str, str], *more: object) -> Any:
    tokenizers = [f"{label}={path}" for label, path in specs.items()]
    text = ["-c", tmp_path / "nasty.jsonl", "--group-column", "lang", "-o", tmp_path / "run"]
    return command_line.good("bench", *tokenizers, *text, "--no-throughput", "--no-page", *more)


def counted(tokenizer: Tokenizer, rows: list[tuple[str, str]]) -> dict[int, Counter[str]]:
    counts: dict[int, Counter[str]] = {}
    for text, group in rows:
        for i in tokenizer.encode(text):
            counts.setdefault(i, Counter())[group] += 1
    return counts


def test_the_file_holds_every_id(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    path = tmp_path / "ids.parquet"
    result = bench(tmp_path, specs, "--ids", path)
    assert str(path) in result.stderr
    table = parquet.read_table(path)
    assert table.column_names == ["tokenizer", "id", "bytes", "special", "count", "groups"]
    assert table.schema.field("bytes").type == pa.binary()
    assert table.schema.field("groups").type == pa.map_(pa.string(), pa.int64())
    rows = table.to_pylist()
    assert list(dict.fromkeys(row["tokenizer"] for row in rows)) == [*specs]
    figures = Results.read_parquet(tmp_path / "run" / "results.parquet")
    sizes = {r.tokenizer: r.size or 0 for r in figures}
    pooled = read_token_counts(tmp_path / "run" / "token-counts.parquet", sizes)
    for label, spec in specs.items():
        tokenizer = load(spec)
        own = [row for row in rows if row["tokenizer"] == label]
        counts = counted(tokenizer, corpus)
        tokens = tokenizer.model.tokens
        assert sorted(row["id"] for row in own) == [i for i, t in enumerate(tokens) if t]
        assert [(-row["count"], row["id"]) for row in own] == sorted(
            (-row["count"], row["id"]) for row in own
        )
        for row in own:
            assert row["bytes"] == tokens[row["id"]]
            assert dict(row["groups"]) == dict(counts.get(row["id"], {}))
            assert row["count"] == sum(dict(row["groups"]).values()) == pooled[label][row["id"]]
            assert row["special"] == (
                row["bytes"].decode(errors="replace") in tokenizer.model.special_tokens
            )
        # What the metric says of each group.
        for group in (*GROUPS, "empty"):
            (value,) = {
                r.value
                for r in figures
                if (r.tokenizer, r.group, r.metric) == (label, group, "tokens")
            } or {None}
            of_group = sum(dict(row["groups"]).get(group, 0) for row in own)
            assert value in (None, of_group)
    nul = [row for row in rows if row["tokenizer"] == "bytes" and row["bytes"] == b"\0"]
    assert nul[0]["count"] > 0
    special = [row for row in rows if row["special"] and row["bytes"] != b"[UNK]"]
    assert {row["bytes"] for row in special} == {b"<unk>", b"<s>", b"</s>"}
    assert {row["count"] for row in special} == {0}


def test_tokens_of_each_group_are_the_sums(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    bench(tmp_path, specs, "--ids", tmp_path / "ids.parquet", "-m", "tokens")
    figures = Results.read_parquet(tmp_path / "run" / "results.parquet")
    rows = parquet.read_table(tmp_path / "ids.parquet").to_pylist()
    checked = 0
    for record in figures:
        if record.metric != "tokens":
            continue
        own = [row for row in rows if row["tokenizer"] == record.tokenizer]
        of_all = sum(row["count"] for row in own)
        of_group = sum(dict(row["groups"]).get(record.group, 0) for row in own)
        assert record.value == (of_all if record.group == "all" else of_group)
        checked += 1
    assert checked == len(specs) * (len(GROUPS) + 2)


def test_a_finished_run_writes_the_same_file(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    bench(tmp_path, specs)
    assert "complete; nothing was computed" in bench(tmp_path, specs, "--ids", first).stderr
    bench(tmp_path, specs, "--ids", second, "--jobs", "3")
    assert first.read_bytes() == second.read_bytes()
    second.write_bytes(b"of before")
    bench(tmp_path, specs, "--ids", second, "--force")
    assert first.read_bytes() == second.read_bytes()


def test_coverage_is_shown_and_among_the_records(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    names = [chr(0x4E00 + i) for i in range(1500)]
    big = {"type": "WordLevel", "vocab": {name: i for i, name in enumerate(["[UNK]", *names])}}
    value = document({**big, "unk_token": "[UNK]"}, pre_tokenizer={"type": "WhitespaceSplit"})
    text = " ".join(name for i, name in enumerate(names) for _ in range(1 + i % 7))
    (tmp_path / "nasty.jsonl").write_text(json.dumps({"text": text, "lang": "zh"}), "utf-8")
    specs = {"big": str(write(tmp_path / "big" / "tokenizer.json", value)), **specs}
    ids = ["--ids", tmp_path / "ids.parquet"]
    shown = bench(tmp_path, specs, *ids).stdout
    assert "tokens that the most frequent ids cover" in shown
    counts = sorted((1 + i % 7 for i in range(1500)), reverse=True)
    share = sum(counts[:1024]) / sum(counts)
    assert f"{int(1000 * share) / 10:.1f}%" in shown
    records = json.loads(bench(tmp_path, specs, *ids, "-f", "json").stdout)["records"]
    covered = {
        (r["tokenizer"], r["metric"]): r for r in records if r["metric"].startswith("coverage[")
    }
    assert len(covered) == len(specs) * len(COVERED)
    known = {key: r["value"] for key, r in covered.items() if r["value"] is not None}
    assert known == {("big", "coverage[1024]"): pytest.approx(share)}
    assert {(r["group"], r["unit"]) for r in covered.values()} == {("all", "share")}
    # The metric is the same figure, and is not there twice.
    more = ["-m", "coverage", "-f", "json", "--force"]
    asked = json.loads(bench(tmp_path, specs, *ids, *more).stdout)["records"]
    again = [r for r in asked if r["metric"].startswith("coverage[")]
    assert len(again) == len(covered)
    for record in again:
        same = covered[record["tokenizer"], record["metric"]]
        for name in ("value", "note", "signature", "pretokenizer", "size", "unit"):
            assert record[name] == same[name]
    assert "cover" in bench(tmp_path, specs, *ids, "-f", "md", "--force").stdout
    assert "cover" not in bench(tmp_path, specs, "-f", "md").stdout


def test_a_folder_is_no_file(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    command_line.fails("bench", *specs.values(), "--ids", tmp_path, code=2)


def test_ids_are_parquet_and_called_so(
    tmp_path: Path, corpus: list[tuple[str, str]], specs: dict[str, str]
) -> None:
    file = tmp_path / "ids.csv"
    message = command_line.fails("bench", *specs.values(), "-c", "x", "--ids", file, code=2)
    assert "--ids writes Parquet" in message
    assert not file.exists()


def test_the_share_of_unused_ids_depends_on_the_length_of_the_text(tmp_path: Path) -> None:
    """Trap 11: twice the text leaves fewer ids unused, so figures of two texts are not compared."""
    spec = str(write(tmp_path / "t" / "tokenizer.json", GPT2))
    used = []
    for name, texts in (("short", NASTY_TEXTS[:8]), ("long", NASTY_TEXTS)):
        lines = [json.dumps({"text": text}) for text in texts]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        output = ["-c", tmp_path / f"{name}.jsonl", "-o", tmp_path / name, "--no-page"]
        ids = ["--ids", tmp_path / f"{name}.parquet"]
        command_line.good("bench", f"t={spec}", *output, *ids, "--no-throughput")
        counts = np.array(parquet.read_table(tmp_path / f"{name}.parquet")["count"].to_pylist())
        used.append((counts > 0).mean())
        figures = Results.read_parquet(tmp_path / name / "results.parquet")
        (value,) = [r.value for r in figures if r.metric == "utilization"]
        assert value == pytest.approx(used[-1])
    assert used[0] < used[1]
    runs = tmp_path / "short", tmp_path / "long"
    message = command_line.fails("compare", *runs, "-m", "utilization", code=2)
    assert "cannot be compared" in message
    assert "corpus" in command_line.fails("compare", *runs)
