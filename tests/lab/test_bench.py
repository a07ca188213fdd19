"""The bench as a library: figures of a slow oracle, from one reading of the text."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tokenizers
from nasty import NASTY_TEXTS
from small_corpora import lines, write_nasty, write_parallel

from toktk.cache import Store
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.errors import CorpusError, FormatError, MetricError, ToktkError
from toktk.evaluation.documents import CutDocuments
from toktk.evaluation.evaluation import evaluate
from toktk.kernels.hash import LEAST_LINE
from toktk.lab import counted
from toktk.lab import measure as module
from toktk.lab.bench import Bench
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter, Watcher
from toktk.lab.outcome import Outcome
from toktk.lab.overlap import overlap_lines
from toktk.lab.plan import BenchPlan, SweepPlan
from toktk.lab.recording import NO_PIECES
from toktk.lab.run import carry_out
from toktk.lab.sweep import Sweep
from toktk.loading.load import Loaded, load
from toktk.loading.sample import BYTES, DOCUMENTS, PER_GROUP, first_documents
from toktk.metrics.base import MetricOptions
from toktk.metrics.compression import lost
from toktk.metrics.vocabulary import unknown, utilization
from toktk.pieces.counting import Counted, count_corpus, count_sides
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.pieces.table import POOLED
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.report.records import Record
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.unigram import UnigramTrainer

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    options = ReaderOptions(group_column="lang", align_column="id")
    return load_corpus(str(write_parallel(tmp_path / "four.jsonl", 40)), options)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two tokenizers that cut alike and one that does not, as files."""
    folder = tmp_path_factory.mktemp("tokenizers")
    text = folder / "text.txt"
    text.write_text("\n".join(lines("en") + lines("ru")), encoding="utf-8")
    found = {}
    for cut, sizes in (("o200k", (300, 340)), ("gpt2", (320,))):
        data = TrainingData(load_corpus(str(text)))
        for made in BpeTrainer(cut).train(data, list(sizes)).tokenizers:
            made.save(folder / f"{cut}-{made.vocab_size}")
            found[f"{cut}-{made.vocab_size}"] = folder / f"{cut}-{made.vocab_size}"
    return found


@pytest.fixture
def specs(files: dict[str, Path]) -> list[str]:
    return [f"{label}={folder / 'tokenizer.json'}" for label, folder in files.items()]


@pytest.fixture
def plan(specs: list[str], corpus: Corpus) -> BenchPlan:
    return BenchPlan(tuple(specs), corpus)


def bench(plan: BenchPlan, meter: Meter | None = None) -> Outcome:
    experiment = Bench(plan, meter or Meter())
    experiment.prepare()
    return experiment.run()


def by_library(loaded: Loaded, documents: list[str]) -> Tokenizer:
    return dataclasses.replace(loaded.reference, why="for the test")


def figures(records: object, metric: str) -> dict[tuple[str, str], float | None]:
    return {(r.tokenizer, r.group): r.value for r in records if r.metric == metric}  # type: ignore[attr-defined]


def steps(meter: Meter) -> list[tuple[str, bool]]:
    return [(c.step, c.reused) for c in meter.costs if c.step in ("count", "measure")]


def oracle(path: Path, corpus: Corpus) -> dict[str, Counter[str]]:
    """Encode every document with the library, and count."""
    library = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    found: dict[str, Counter[str]] = {}
    for batch in corpus.batches():
        for text, group in zip(*(batch.column(i).to_pylist() for i in (0, 1)), strict=True):
            ids = library.encode(text, add_special_tokens=False).ids
            counts = found.setdefault(group, Counter())
            counts["tokens"] += len(ids)
            counts["bytes"] += len(text.encode())
            counts["words"] += len(text.split())
    return found


def test_figures_are_what_encoding_every_document_gives(
    plan: BenchPlan, files: dict[str, Path]
) -> None:
    result = bench(plan)
    assert [t["engine"] for t in result.tokenizers.values()] == ["native"] * 3
    assert list(dict.fromkeys(r.tokenizer for r in result.results)) == list(files)
    tokens, ratios = figures(result.results, "tokens"), figures(result.results, "bytes_per_token")
    parity = figures(result.results, "parity[en]")
    words = figures(result.results, "fertility[ws]")
    for label, folder in files.items():
        expected = oracle(folder, plan.corpus)
        assert tokens[label, POOLED] == sum(c["tokens"] for c in expected.values())
        for group, counts in expected.items():
            assert tokens[label, group] == counts["tokens"]
            assert ratios[label, group] == counts["bytes"] / counts["tokens"]
            assert parity[label, group] == counts["tokens"] / expected["en"]["tokens"]
            if group != "ja":
                assert words[label, group] == counts["tokens"] / counts["words"]


def test_nasty_text(specs: list[str], files: dict[str, Path], tmp_path: Path) -> None:
    corpus = load_corpus(
        str(write_nasty(tmp_path / "nasty.jsonl")), ReaderOptions(group_column="lang")
    )
    tokens = figures(bench(BenchPlan(tuple(specs), corpus)).results, "tokens")
    for label, folder in files.items():
        for group, counts in oracle(folder, corpus).items():
            assert tokens[label, group] == counts["tokens"]


def test_text_is_counted_once_for_all_that_cut_alike(
    plan: BenchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = []

    def cut_documents(documents: SampledDocuments, pretokenizer: Pretokenizer) -> CutDocuments:
        cut.append(pretokenizer.name)
        return CutDocuments.of(documents, pretokenizer)

    monkeypatch.setattr(counted, "CutDocuments", SimpleNamespace(of=cut_documents))
    monkeypatch.delattr(counted, "count_sides")  # the sample has all of the text
    meter = Meter()
    bench(plan, meter)
    assert cut == ["o200k", "gpt2"]
    assert [step for step, _ in steps(meter)] == ["count", *["measure"] * 3]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_text_that_is_not_all_sampled_gives_the_same_figures(
    plan: BenchPlan, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    whole = bench(plan)
    cut = []

    def count(sides: list[Counted], **options: object) -> object:
        cut.extend([cut.name for cut in side.pretokenizers] for side in sides)
        return count_sides(sides, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(counted, "count_sides", count)
    monkeypatch.setattr(counted, "AT_ONCE", 1000)
    meter = Meter()
    found = bench(dataclasses.replace(plan, force=True, jobs=jobs), meter)
    assert cut == [["o200k", "gpt2"]]
    assert [step for step, _ in steps(meter)] == ["count", *["measure"] * 3]
    assert found.results == whole.results
    for label, counts in whole.token_counts.items():
        assert np.array_equal(found.token_counts[label], counts)


def test_a_text_whose_documents_are_stored_is_not_read_again(
    plan: BenchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bench(plan)
    bench(dataclasses.replace(plan, specs=plan.specs[:1], force=True))  # knows its own pieces
    for kind in ("figures", "pieces"):
        shutil.rmtree(Store().root / "cells" / kind)
    monkeypatch.delattr(counted, "count_sides")
    meter = Meter()
    assert bench(plan, meter).results == whole.results
    assert steps(meter) == [("measure", False)] * 3


def test_a_second_bench_reads_the_store(plan: BenchPlan) -> None:
    first, second, third = Meter(), Meter(), Meter()
    one = bench(plan, first)
    two = bench(plan, second)
    assert steps(second) == [("measure", True)] * 3
    assert one.results == two.results
    assert one.described == two.described
    forced = bench(dataclasses.replace(plan, force=True), third)
    assert not any(reused for _, reused in steps(third))
    assert forced.results == one.results


def test_one_more_tokenizer_costs_its_own_pieces_only(plan: BenchPlan) -> None:
    bench(dataclasses.replace(plan, specs=plan.specs[::2]))
    meter = Meter()
    found = bench(plan, meter)
    assert sorted(steps(meter)) == [
        ("count", True), ("measure", False), ("measure", True), ("measure", True),
    ]  # fmt: skip
    assert found.results == bench(plan).results


def test_a_sweep_and_a_bench_share_piece_tables(plan: BenchPlan) -> None:
    train, test = plan.corpus.split(0.2)
    Sweep(SweepPlan(train, test, (300,), ("bpe",))).run()
    meter = Meter()
    bench(dataclasses.replace(plan, corpus=test, specs=plan.specs[:2]), meter)
    assert [one for one in steps(meter) if one[0] == "count"] == [("count", True)]


def test_a_library_gives_the_same_but_for_pieces(
    plan: BenchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = bench(plan)
    library_name = native.tokenizers["gpt2-320"]["library"]
    monkeypatch.setattr(Loaded, "checked", by_library)
    library = bench(plan)
    assert {t["engine"] for t in library.tokenizers.values()} == {library_name}
    pieces = {"pieces", "bytes_per_piece", "headroom", "single_token_words[piece]"}
    for one, other in zip(native.results, library.results, strict=True):
        assert (one.tokenizer, one.group, one.metric) == (
            other.tokenizer,
            other.group,
            other.metric,
        )
        if one.metric in pieces:
            assert (other.value, other.note) == (None, NO_PIECES)
        else:
            assert one.value == other.value, one
        assert other.pretokenizer is None
    described = library.tokenizers["gpt2-320"]
    assert described["why"] == "for the test"
    assert described["pretokenizer"] is None
    json.dumps([library.described, library.tokenizers])


def test_what_is_finished_survives_an_interruption(
    plan: BenchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def measure(*args: object, **options: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return evaluate(*args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(module, "evaluate_models", measure)
        with pytest.raises(KeyboardInterrupt):
            bench(plan)
    meter = Meter()
    bench(plan, meter)
    assert steps(meter).count(("measure", True)) == 1


def test_threads_metrics_and_reference(plan: BenchPlan) -> None:
    expected = bench(plan).results
    assert bench(dataclasses.replace(plan, jobs=3, force=True)).results == expected
    asked = bench(dataclasses.replace(plan, measures=Measures(("parity",), "de"))).results
    assert {r.metric for r in asked} == {"parity[de]", "parity[de]|macro", "parity[de]|max"}


def test_labels_are_unique(specs: list[str], corpus: Corpus) -> None:
    twice = [specs[0], specs[1].replace("o200k-340=", "o200k-300=")]
    with pytest.raises(FormatError, match="2 tokenizers are called 'o200k-300'") as raised:
        bench(BenchPlan(tuple(twice), corpus))
    assert "o200k-300-2=" in str(raised.value)


def test_what_is_wrong_is_said_before_anything_is_counted(
    plan: BenchPlan, specs: list[str], tmp_path: Path
) -> None:
    missing = str(tmp_path / "no-such-file.json")
    with pytest.raises(ToktkError, match="no-such-file"):
        bench(dataclasses.replace(plan, specs=(missing,)))
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    with pytest.raises(ToktkError, match=r"^mine: .*damaged\.json is not valid JSON"):
        bench(dataclasses.replace(plan, specs=(f"mine={damaged}",)))
    one_document(tmp_path, "text that is not read")
    gone = load_corpus(str(tmp_path / "x.jsonl"))
    (tmp_path / "x.jsonl").unlink()
    for jobs in (1, 2):
        with pytest.raises(ToktkError, match=r"no tokenizer can be measured"):
            bench(BenchPlan((missing, f"mine={damaged}"), gone, jobs=jobs))
    for wrong in ({"measures": Measures(("fertilty",))}, {"specs": ()}):
        with pytest.raises(ToktkError):
            bench(dataclasses.replace(plan, **wrong))  # type: ignore[arg-type]


def test_text_that_cannot_be_measured_on(specs: list[str], tmp_path: Path) -> None:
    tokenizers_ = tuple(specs[:1])
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(CorpusError, match="no documents"):
        bench(BenchPlan(tokenizers_, load_corpus(str(empty))))
    plain = tmp_path / "plain.txt"
    plain.write_text("no line is aligned\n")
    with pytest.raises(MetricError, match="parallel"):
        bench(BenchPlan(tokenizers_, load_corpus(str(plain)), measures=Measures(("parity",))))
    with pytest.raises(MetricError, match="parallel"):
        bench(BenchPlan(tokenizers_, load_corpus(str(plain)), measures=Measures(reference="en")))
    blank = tmp_path / "blank.jsonl"
    blank.write_text('{"text": ""}\n')
    found = bench(BenchPlan(tokenizers_, load_corpus(str(blank)))).results
    assert figures(found, "tokens")["o200k-300", POOLED] == 0
    assert figures(found, "bytes_per_token")["o200k-300", POOLED] is None


class _Words:
    """A model for tests: letters a, b, c; all else is unknown. Id 2 is a hole, 5 is special."""

    kind = "test"
    vocab_size = 6
    unknown_id = 0
    tokens = (b"?", b"a", b"", b"b", b"c", b"<s>")

    def encode_pieces(self, data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        known = {ord("a"): 1, ord("b"): 3, ord("c"): 4}
        return np.array([known.get(b, 0) for b in data.tolist()], dtype=np.uint32), offsets[1:]


def test_holes_are_no_ids_and_lost_text_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"text": "ab aab", "lang": "x"},
        {"text": "a?a!", "lang": "y"},
        {"text": "", "lang": "z"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = count_corpus(
        load_corpus(str(path), ReaderOptions(group_column="lang")), Pretokenizer.of("gpt2")
    )
    (evaluation,) = evaluate(table, [_Words()])  # type: ignore[arg-type]
    (used,) = utilization.compute(evaluation, 6, MetricOptions())
    assert used.value == 3 / 5  # ?, a, b of ?, a, b, c, <s>
    for metric in (unknown, lost):
        shares = {f.group: f.value for f in metric.compute(evaluation, 6, MetricOptions())}
        assert shares == {"x": 1 / 6, "y": 2 / 4, "z": None, POOLED: 3 / 10}


def one_document(folder: Path, text: str) -> None:
    (folder / "x.jsonl").write_text(json.dumps({"text": text}), encoding="utf-8")


def test_text_that_a_published_vocabulary_loses(tmp_path: Path) -> None:
    vocab = {"<unk>": 0, "a": 1, "b": 2, "<s>": 4}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, [], unk_token="<unk>"))
    made.add_special_tokens(["<s>"])
    made.save(str(tmp_path / "tokenizer.json"))
    one_document(tmp_path, "abба")
    found = bench(
        BenchPlan((f"x={tmp_path / 'tokenizer.json'}",), load_corpus(str(tmp_path / "x.jsonl")))
    )
    assert found.tokenizers["x"]["engine"].startswith("tokenizers ")
    assert figures(found.results, "unknown")["x", POOLED] == 2 / 4
    assert figures(found.results, "lost")["x", POOLED] == 4 / 6
    assert figures(found.results, "utilization")["x", POOLED] == 3 / 4  # id 3 is a hole


def of_letters(folder: Path, letters: str) -> str:
    """Write a tokenizer.json of characters, without a token for others; return its spec."""
    vocab = {letter: i for i, letter in enumerate(letters)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, []))
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return f"{folder.name}={folder}"


def test_lost_text_is_told_whatever_was_asked_for(tmp_path: Path) -> None:
    one_document(tmp_path, "abab")
    specs = (of_letters(tmp_path / "some", "a"), of_letters(tmp_path / "each", "ab"))
    corpus = load_corpus(str(tmp_path / "x.jsonl"))
    found = bench(BenchPlan(specs, corpus, Measures(("bytes_per_token",)))).results
    assert found is not None
    assert figures(found, "lost")["some", POOLED] == 2 / 4
    assert {r.metric for r in found if r.tokenizer == "each"} == {"bytes_per_token"}
    shown = found.page(100).text(100)
    assert "2.000*" in shown
    assert "1.000 " in shown


def test_a_tokenizer_that_loses_all_or_fails_takes_no_figures_away(tmp_path: Path) -> None:
    one_document(tmp_path, "abab")
    failing = tmp_path / "failing"
    failing.mkdir()
    made = tokenizers.Tokenizer(tokenizers.models.Unigram([("a", -1.0)]))
    made.save(str(failing / "tokenizer.json"))
    good, nothing = of_letters(tmp_path / "good", "ab"), of_letters(tmp_path / "nothing", "xyz")
    corpus = load_corpus(str(tmp_path / "x.jsonl"))
    found = bench(BenchPlan((nothing, f"fails={failing}", good), corpus))
    assert [*found.tokenizers] == ["good"]
    assert "loses all of this text" in found.failed["nothing"]
    assert "0 tokens for 4 bytes" in found.failed["nothing"]
    for label, folder in (("nothing", tmp_path / "nothing"), ("fails", failing)):
        assert f"It is the tokenizer {label}, given as {folder}." in found.failed[label]
    with pytest.raises(FormatError, match="fails, given as"):
        bench(BenchPlan((f"fails={failing}",), corpus))
    with pytest.raises(FormatError, match="It is the tokenizer failing"):
        module.evaluate([load(str(failing))], corpus)


def test_dropout_draws_no_figures(tmp_path: Path) -> None:
    one_document(tmp_path, "ab" * 100)
    folder = tmp_path / "drop"
    folder.mkdir()
    vocab = {"a": 0, "b": 1, "ab": 2}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, [("a", "b")], dropout=0.5))
    made.save(str(folder / "tokenizer.json"))
    found = bench(BenchPlan((str(folder),), load_corpus(str(tmp_path / "x.jsonl"))))
    assert figures(found.results, "tokens")["drop", POOLED] == 100
    page = " ".join(str(found.results).split())
    assert "model.dropout 0.5, for training: figures are made without it" in page


def test_the_sample_takes_groups_in_turn(corpus: Corpus, tmp_path: Path) -> None:
    sample = first_documents(corpus, Store())
    assert len(sample) == 4 * PER_GROUP
    of_group = [set(lines(language, PER_GROUP)) for language in ("en", "de", "ru", "ja")]
    assert all(sample[i] in of_group[i % 4] for i in range(len(sample)))
    assert first_documents(corpus, Store()) == sample
    many = tmp_path / "many.jsonl"
    rows = [
        {"text": f"{i} {NASTY_TEXTS[i % len(NASTY_TEXTS)]}", "lang": str(i % 30)}
        for i in range(900)
    ]
    many.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sample = first_documents(
        load_corpus(str(many), ReaderOptions(group_column="lang")), Store(force=True)
    )
    assert len(sample) <= DOCUMENTS
    assert sum(len(text.encode()) for text in sample) <= BYTES
    book = tmp_path / "book.jsonl"
    book.write_text(json.dumps({"text": "é" * 300_000}) + "\n")
    (cut,) = first_documents(load_corpus(str(book)), Store())
    assert 0 < len(cut.encode()) <= BYTES


def test_records_say_what_they_depend_on(plan: BenchPlan) -> None:
    result = bench(plan)
    record: Record = next(r for r in result.results if r.tokenizer == "gpt2-320")
    assert (record.trainer, record.pretokenizer, record.size) == (None, "gpt2", 320)
    signature = result.tokenizers["gpt2-320"]["signature"][:8]
    assert f"|tok:{signature}|" in record.signature
    signature = Bench(plan).prepare()
    assert Bench(plan).prepare() == signature
    fewer = dataclasses.replace(plan, specs=plan.specs[:2])
    assert Bench(fewer).prepare() != signature


class Remarks(Watcher):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def remark(self, text: str) -> None:
        self.texts.append(text)


def test_figures_of_few_documents_are_said_to_be_rough(tmp_path: Path, specs: list[str]) -> None:
    tmp_path /= "texts"
    tmp_path.mkdir()
    (tmp_path / "de.txt").write_text("Zeile\n" * 99)
    (tmp_path / "en.txt").write_text("line\n" * 100)
    (tmp_path / "fr.txt").write_text("ligne\n" * 7)
    one = tmp_path.parent / "one.md"
    one.write_text("a text\n")
    said = {
        tmp_path: f"{tmp_path.name}: figures of fewer than 100 documents are rough: fr (7), de (99).",
        one: "one.md is one document: its figures are of that one alone.",
        tmp_path / "en.txt": "",
    }
    for path, line in said.items():
        options = ReaderOptions(sample_by="document" if path == one else None)
        for _ in range(2):  # computed, then stored
            watcher = Remarks()
            plan = BenchPlan((specs[0],), load_corpus(path, options))
            bench = Bench(plan, Meter(watcher))
            bench.prepare()
            outcome = bench.run()
            assert [text for text in watcher.texts if "document" in text] == [line] * bool(line)
            about = outcome.described["evaluation"]
            assert about.get("remarks", []) == [line] * bool(line)
            assert about["documents"] == {tmp_path: 206, one: 1}.get(path, 100)


def _overlap(tokenizer: Path, corpus: Corpus) -> tuple[dict, list[str]]:  # type: ignore[type-arg]
    experiment = Bench(BenchPlan((f"mine={tokenizer}",), corpus))
    experiment.prepare()
    found = experiment.run().described.get("overlap", {})
    return found, overlap_lines(found)


def test_what_a_tokenizer_was_trained_on_is_recognized_in_whatever_container(
    tmp_path: Path,
) -> None:
    texts = [
        line for line in lines("en", 400) + lines("ru", 400) if len(line.encode()) >= LEAST_LINE
    ]
    trained, others = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    rows = [
        json.dumps({"text": "\r\n".join(trained[i : i + 9])}) for i in range(0, len(trained), 9)
    ]
    (tmp_path / "trained.jsonl").write_text("\n".join(rows), encoding="utf-8")
    sweep = Sweep(SweepPlan(load_corpus(tmp_path / "trained.jsonl"), None, (300,), ("bpe",)))
    run = carry_out(sweep, tmp_path / "run")
    assert (run.path / "training-lines.bin").stat().st_size == 4 * (1 + len(set(trained)))
    mine = run.path / "tokenizers" / "bpe-300"

    def measured(part: list[str]) -> Corpus:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"text": part}), tmp_path / "measured.parquet")
        return load_corpus(tmp_path / "measured.parquet")

    found, said = _overlap(mine, measured(trained[::-1]))
    assert found == {"mine": {"share": 1.0, "estimated": False}}
    assert said == ["mine was trained on 100 % of this text: its figures are too good."]
    assert _overlap(mine, measured(trained[::3]))[0]["mine"]["share"] == 1
    part = trained[:20] + others[:60]
    size = len("".join(trained[:20]).encode()) / len("".join(part).encode())
    found, said = _overlap(mine, measured(part))
    assert found["mine"]["share"] == round(size, 4)
    tokenizer = load(str(mine))
    tokens = sum(len(tokenizer.encode(text)) for text in others[:60])
    figure = len("".join(others[:60]).encode()) / tokens
    assert found["mine"]["unseen"] == {"documents": 60, "bytes_per_token": figure}
    assert said[1:] == [
        f"bytes per token on the 60 documents that were not trained on: mine {figure:.3f}."
    ]
    assert _overlap(mine, measured(others)) == ({}, [])
    assert _overlap(mine, measured([text[:15] for text in trained])) == ({}, [])  # short lines
    # A copy elsewhere, or a damaged run, is a tokenizer of which nothing is known.
    shutil.copytree(mine, tmp_path / "copy")
    assert _overlap(tmp_path / "copy", measured(trained)) == ({}, [])
    (run.path / "training-lines.bin").write_bytes(b"abc")
    assert _overlap(mine, measured(trained)) == ({}, [])


def test_groups_that_the_training_text_lacked_are_named(tmp_path: Path) -> None:
    def text(*groups: str) -> Corpus:
        rows = [{"text": line, "lang": lang} for lang in groups for line in lines(lang, 40)]
        path = tmp_path / f"{'-'.join(groups)}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return load_corpus(path, ReaderOptions(group_column="lang"))

    run = carry_out(Sweep(SweepPlan(text("en", "ru"), None, (300,), ("bpe",))), tmp_path / "run")
    assert run.document["training"]["groups"] == ["en", "ru"]
    mine = run.path / "tokenizers" / "bpe-300"
    assert "its 2 groups | en, ru" in (mine / "README.md").read_text(encoding="utf-8")
    said = {
        ("en", "de", "ja"): ["de, ja"],
        ("ru",): [],
        ("de", "ja"): [],  # nothing in common: the names tell nothing
    }
    for groups, lacked in said.items():
        for _ in range(2):  # computed, then found
            remarks: list[str] = []
            meter = Meter()
            meter.watcher.remark = remarks.append  # type: ignore[method-assign]
            bench = Bench(BenchPlan((f"mine={mine}",), text(*groups)), meter)
            carry_out(bench, tmp_path / "-".join(groups))
            assert [remark for remark in remarks if "no text of" in remark] == [
                f"mine was trained on no text of {names}: its means over groups count that too."
                for names in lacked
            ]


def test_what_a_sweep_measures_on_is_compared_with_what_it_trains_on(
    corpus: Corpus, tmp_path: Path
) -> None:
    text = tmp_path / "part.txt"
    texts = [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]
    long = [text for text in texts if len(text.encode()) >= LEAST_LINE]
    text.write_text("\n".join(long[::2]), encoding="utf-8")
    remarks: list[str] = []
    for attempt in range(2):  # the second finds the run complete, and says the same
        meter = Meter()
        meter.watcher.remark = remarks.append  # type: ignore[method-assign]
        plan = SweepPlan(corpus, load_corpus(text), (300, 340), ("bpe",), jobs=3)
        run = carry_out(Sweep(plan, meter), tmp_path / "run")
        assert run.reused == bool(attempt)
        assert run.document["overlap"]["bpe-300"] == {"share": 1.0, "estimated": False}
    wanted = "bpe-300, bpe-340 were trained on 100 % of this text: their figures are too good."
    assert remarks.count(wanted) == 2
    words = Corpus.of([f"{i} short words" for i in range(300)], name="words")  # which no line tells
    same = carry_out(Sweep(SweepPlan(words, words, (260,), ("bpe",))), tmp_path / "words")
    assert same.document["overlap"] == {"bpe-260": {"share": 1.0, "estimated": False}}


def test_a_model_beside_its_tokenizer_json_has_no_figures_about_pieces(tmp_path: Path) -> None:
    texts = [*lines("en"), *lines("de"), "<0x00>"]
    (tmp_path / "text.txt").write_text("\n".join(texts), encoding="utf-8")
    data = TrainingData(load_corpus(str(tmp_path / "text.txt")))
    (made,) = UnigramTrainer("metaspace", character_coverage=1.0).train(data, [320]).tokenizers
    files = {path.suffix: path for path in made.save(tmp_path).files if "config" not in path.name}
    specs = (f"json={files['.json']}", f"model={files['.model']}")
    results = bench(BenchPlan(specs, Corpus.of(texts, name="texts"))).results
    by_key = {(r.tokenizer, r.metric): r for r in results.where(group="all")}
    same = {"tokens", "bytes_per_token", "utilization", "fertility[ws]"}
    pieces = {"headroom", "single_token_words[piece]"}
    for metric in same:
        assert by_key["json", metric].value == by_key["model", metric].value, metric
    for metric in pieces:
        assert by_key["json", metric].value is not None
        assert (by_key["model", metric].value, by_key["model", metric].note) == (None, NO_PIECES)
    shown = results.page(120).text(120)
    (row,) = (line for line in shown.splitlines() if line.startswith("model "))
    assert "–" in row
    assert "0.0%" not in row
    assert "compare only within the same cut" in " ".join(shown.split())


def test_a_topic_stands_for_its_metrics() -> None:
    measures = Measures(("standard", "words", "ngram", "lost"))
    assert measures.given == ("standard", "words", "ngram", "lost")
    assert set(measures.metrics) == {*Measures().definitions, "pcw[piece]", "ngram_bpb"}
    assert measures.named == {"lost"}  # the others are left out where the text cannot carry them
    assert measures.shown == ["lost", "pcw[piece]", "ngram_bpb"]
    assert Measures(("pcw",)).metrics == ("pcw[piece]",)
    assert not Measures().metrics
