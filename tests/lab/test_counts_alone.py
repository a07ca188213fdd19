"""Tokenizers that only count, in bench and compare: figures of tokens as any other's, nulls about ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from nasty import NASTY_TEXTS
from small_corpora import write_nasty, write_parallel

import toktk
from toktk import arrow
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.errors import FormatError, StorageError
from toktk.lab.again import experiment_of
from toktk.lab.bench import Bench
from toktk.lab.compare import compare
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.lab.outcome import Outcome
from toktk.lab.plan import BenchPlan
from toktk.lab.recording import NO_IDS, NO_PIECES
from toktk.lab.run import carry_out
from toktk.lab.timing import TimingPlan, timings_of
from toktk.page.build import write_page
from toktk.page.figures import Figures
from toktk.page.shown import shown_run
from toktk.pieces.table import POOLED
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

pytestmark = pytest.mark.usefixtures("home")

OF_IDS = ("utilization", "renyi_efficiency", "unknown", "lost")
OF_PIECES = ("pieces", "bytes_per_piece", "headroom", "single_token_words[piece]")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    options = ReaderOptions(group_column="lang", align_column="id")
    return load_corpus(str(write_parallel(tmp_path / "four.jsonl", 40)), options)


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small tokenizer."""
    folder = tmp_path_factory.mktemp("mine")
    text = write_parallel(folder / "text.jsonl")
    data = TrainingData(load_corpus(str(text)))
    (tokenizer,) = BpeTrainer("o200k").train(data, [320]).tokenizers
    tokenizer.save(folder / "mine")
    return folder / "mine"


def documents_of(corpus: Corpus) -> list[str]:
    return [d for batch in corpus.batches() for d in batch.column("text").to_pylist()]


def write_counts(
    path: Path, documents: list[str], count: Callable[[str], int], size: int | None = None
) -> Path:
    texts = [*dict.fromkeys(documents)]
    columns: dict[str, list[str] | list[int]] = {
        "sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
        "tokens": [count(text) for text in texts],
    }
    if size is not None:
        columns["vocab_size"] = [size] * len(texts)
    arrow.write_parquet(pa.table(columns), path)
    return path


@pytest.fixture
def twin(tmp_path: Path, corpus: Corpus, mine: Path) -> Path:
    """What `mine` counts, without anything else of it."""
    tokenizer = toktk.load(str(mine))
    return write_counts(tmp_path / "twin.parquet", documents_of(corpus), tokenizer.count)


def bench(corpus: Corpus, *specs: str, metrics: tuple[str, ...] = ()) -> Outcome:
    experiment = Bench(BenchPlan(specs, corpus, Measures(metrics)), Meter())
    experiment.prepare()
    return experiment.run()


def results_of(outcome: Outcome) -> Results:
    assert outcome.results is not None
    return outcome.results


def by_key(results: Results, label: str) -> dict[tuple[str, str], tuple[object, ...]]:
    return {
        (r.metric, r.group): (r.value, r.low, r.high, r.n_effective)
        for r in results
        if r.tokenizer == label
    }


def test_all_figures_of_tokens_are_those_of_the_tokenizer_itself(
    corpus: Corpus, mine: Path, twin: Path
) -> None:
    results = results_of(bench(corpus, str(mine), f"closed=counts:{twin}"))
    known, counted = by_key(results, "mine"), by_key(results, "closed")
    same = {key for key in known if key[0].partition("[")[0] not in (*OF_IDS, "single_token_words")}
    same -= {key for key in same if key[0] in OF_PIECES}
    assert {"tokens", "bytes_per_token", "tokens_per_line", "parity[en]"} <= {m for m, _ in same}
    assert {m.partition("[")[0] for m, _ in same} >= {"fertility", "gini"}
    for key in same:
        assert counted[key] == known[key], key
    assert counted["tokens_per_line", "en"][1] is not None  # with an interval


def test_what_is_about_ids_or_pieces_is_null_with_a_reason(corpus: Corpus, twin: Path) -> None:
    outcome = bench(corpus, f"closed=counts:{twin}")
    records = {(r.metric, r.group): r for r in results_of(outcome)}
    for name in OF_IDS:
        record = records[name, POOLED]
        assert (record.value, record.low, record.note) == (None, None, NO_IDS)
    for name in OF_PIECES:
        assert (records[name, POOLED].value, records[name, POOLED].note) == (None, NO_PIECES)
    assert {r.size for r in records.values()} == {None}
    assert {r.pretokenizer for r in records.values()} == {None}
    about = outcome.tokenizers["closed"]
    assert (about["engine"], about["size"], about["pretokenizer"]) == ("counts", None, None)
    assert outcome.token_counts == {}


@pytest.mark.parametrize("name", ["digit_alignment", "variant_tokens", "splittable_tokens"])
def test_a_metric_that_asks_the_tokenizer_is_null(
    corpus: Corpus, mine: Path, twin: Path, name: str
) -> None:
    outcome = bench(corpus, str(mine), f"closed=counts:{twin}", metrics=(name,))
    records = results_of(outcome)
    assert any(r.value is not None for r in records if r.tokenizer == "mine")
    closed = [(r.value, r.note) for r in records if r.tokenizer == "closed"]
    assert closed
    assert set(closed) == {(None, NO_IDS)}


def test_a_document_that_was_not_counted_leaves_the_tokenizer_out(
    corpus: Corpus, mine: Path, tmp_path: Path
) -> None:
    documents = documents_of(corpus)
    write_counts(tmp_path / "less.parquet", documents[3:], len)
    outcome = bench(corpus, str(mine), f"closed=counts:{tmp_path / 'less.parquet'}")
    assert "3 of 160 different documents have no count" in outcome.failed["closed"]
    assert {r.tokenizer for r in results_of(outcome)} == {"mine"}
    with pytest.raises(FormatError, match="closed: 3 of 160 different documents"):
        bench(corpus, f"closed=counts:{tmp_path / 'less.parquet'}")


def test_nasty_documents_in_groups_with_empty_ones_and_copies(tmp_path: Path) -> None:
    path = write_nasty(tmp_path / "nasty.jsonl")
    path.write_text(path.read_text() + path.read_text(), encoding="utf-8")  # all of it twice
    corpus = load_corpus(str(path), ReaderOptions(group_column="lang"))
    counts = write_counts(tmp_path / "c.parquet", documents_of(corpus), lambda text: 3 * len(text))
    results = results_of(bench(corpus, f"closed=counts:{counts}"))
    tokens = {r.group: r.value for r in results if r.metric == "tokens"}
    for g in range(3):
        assert tokens[f"nasty {g}"] == 6 * sum(map(len, NASTY_TEXTS[g::3]))
    assert tokens[POOLED] == 6 * sum(map(len, NASTY_TEXTS))


def test_one_long_document_is_measured_in_blocks(tmp_path: Path, mine: Path) -> None:
    text = tmp_path / "book.txt"
    text.write_text("".join(f"the cat number {i} that ran\r\n\0" for i in range(9000)), newline="")
    corpus = load_corpus(str(text), ReaderOptions(sample_by="document"))
    counts = write_counts(tmp_path / "c.parquet", documents_of(corpus), toktk.load(str(mine)).count)
    results = results_of(bench(corpus, str(mine), f"closed=counts:{counts}"))
    values = {r.tokenizer: r.value for r in results if r.metric == "bytes_per_token"}
    assert values["closed"] == values["mine"]


def test_compared_by_document_like_any_other(corpus: Corpus, mine: Path, twin: Path) -> None:
    rows = compare(results_of(bench(corpus, str(mine), f"closed=counts:{twin}"))).rows
    assert {row.verdict for row in rows} == {"equivalent"}
    assert all(row.difference == 0 for row in rows)
    assert all(row.low is not None for row in rows)


def test_a_stored_run_with_its_page_repeated_and_without_speed(
    corpus: Corpus, mine: Path, twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = documents_of(corpus)
    sized = write_counts(tmp_path / "sized.parquet", documents, toktk.load(str(mine)).count, 320)
    monkeypatch.chdir(tmp_path)
    specs = str(mine), "closed=counts:twin.parquet", f"stated=counts:{sized.name}"
    run = carry_out(Bench(BenchPlan(specs, corpus), Meter()), tmp_path / "run")
    document = json.loads((run.path / "run.json").read_text())
    assert [t["size"] for t in document["tokenizers"].values()] == [320, None, 320]
    page = write_page(run, Meter()).read_text(encoding="utf-8")
    assert "not on this page, as nobody knows their size: closed" in page
    assert [*Figures(shown_run(run)).tokenizers] == ["mine", "stated"]
    monkeypatch.chdir(tmp_path.parent)  # specs are read from where the run was started
    again = experiment_of(run, Meter(), 1)
    assert isinstance(again, Bench)
    label, _, path = again.plan.specs[1].partition("=counts:")
    assert (label, Path(path).resolve()) == ("closed", tmp_path / "twin.parquet")


def test_a_page_of_counts_alone_is_refused(corpus: Corpus, twin: Path, tmp_path: Path) -> None:
    run = carry_out(Bench(BenchPlan((f"counts:{twin}",), corpus), Meter()), tmp_path / "run")
    with pytest.raises(StorageError, match="whose vocabulary size nobody knows"):
        write_page(run, Meter())


def test_it_is_not_timed(corpus: Corpus, twin: Path, tmp_path: Path) -> None:
    remarks: list[str] = []

    class Listening(Meter):
        def remark(self, text: str) -> None:
            remarks.append(text)

    experiment = Bench(BenchPlan((f"closed=counts:{twin}",), corpus), Listening())
    run = carry_out(experiment, tmp_path / "run")
    assert timings_of(experiment, run, TimingPlan()) == []
    assert "no speed of closed: its file has counts of tokens alone." in remarks


def test_from_python(corpus: Corpus, twin: Path) -> None:
    tokenizer = toktk.load(f"counts:{twin}")
    assert isinstance(tokenizer, Tokenizer)
    assert (tokenizer.name, tokenizer.engine, tokenizer.vocab_size) == ("twin", "counts", 0)
    results = toktk.evaluate([tokenizer], corpus)
    (tokens,) = (r.value for r in results if r.metric == "tokens" and r.group == POOLED)
    assert tokens == int(tokenizer.count_batch(documents_of(corpus)).sum())
    assert "twin" in repr(results)


def test_counts_of_another_file_are_another_tokenizer(corpus: Corpus, tmp_path: Path) -> None:
    """Figures are kept by the counts, not by the name of the file."""
    path = tmp_path / "c.parquet"
    values = []
    for times in (1, 2):
        write_counts(path, documents_of(corpus), lambda text, times=times: times * len(text))
        results = results_of(bench(corpus, f"counts:{path}", metrics=("tokens",)))
        values.append(next(r.value for r in results if r.group == POOLED))
    assert values[1] == 2 * values[0]
