"""``toktk bench`` from end to end, as a user runs it."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from pathlib import Path

import command_line
import pytest
from click.testing import Result
from small_corpora import PARALLEL, lines, write_nasty, write_parallel

from toktk.corpus import load_corpus
from toktk.loading.load import Loaded
from toktk.report.records import Record
from toktk.report.results import Results
from toktk.timing.figures import Timing
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer


def bench(*args: object) -> tuple[object, ...]:
    return ("bench", *args, *([] if "--throughput" in args else ["--no-throughput"]))


def run(*args: object) -> Result:
    return command_line.run(*bench(*args))


def good(*args: object) -> Result:
    return command_line.good(*bench(*args))


def fails(*args: object, code: int = 1) -> str:
    return command_line.fails(*bench(*args), code=code)


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("benched")
    (folder / "text.txt").write_text("\n".join(lines("en") + lines("de")), encoding="utf-8")
    data = TrainingData(load_corpus(str(folder / "text.txt")))
    for made in BpeTrainer("o200k").train(data, [300, 400]).tokenizers:
        made.save(folder / f"bpe-{made.vocab_size}")
    return [f"bpe-{n}={folder / f'bpe-{n}' / 'tokenizer.json'}" for n in (300, 400)]


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl", 40)), *PARALLEL]


def test_topics_have_tables_of_their_own(files: list[str], corpus: list[str]) -> None:
    shown = good(*files, *corpus, "-m", "numbers", "-m", "code").stdout.splitlines()
    assert max(map(len, shown)) <= 100
    titles = [shown.index(title) for title in ("numbers", "code")]
    assert titles == sorted(titles)
    assert (
        shown[titles[0] + 1].split()
        == shown[titles[1] + 1].split()
        == ["figure", "bpe-300", "bpe-400"]
    )
    records = json.loads(good(*files, *corpus, "-m", "numbers", "-f", "json").stdout)["records"]
    of_topic = [r for r in records if r["metric"] == "digit_alignment[thousands,4-8]"]
    assert [(r["tokenizer"], r["group"], r["unit"]) for r in of_topic] == [
        ("bpe-300", "all", "share"),
        ("bpe-400", "all", "share"),
    ]
    # Nothing of a topic is measured unless it is asked for.
    records = json.loads(good(*files, *corpus, "-f", "json").stdout)["records"]
    assert not any(r["metric"].startswith(("digit_", "identifier_")) for r in records)


def test_a_bench_shows_tables_and_writes_a_run(
    files: list[str], corpus: list[str], tmp_path: Path
) -> None:
    result = good(*files, *corpus, "-o", tmp_path / "run")
    shown = result.stdout.splitlines()
    assert max(map(len, shown)) <= 100
    assert "\x1b" not in result.stdout
    assert shown[0] == "2 tokenizers  on four.jsonl (160 documents, 4 groups)"
    for size in (300, 400):
        assert re.search(
            rf"^bpe-{size} +{size} +native +o200k +\d+\.\d +\d\.\d\d\d ", result.stdout, re.M
        )
    for language in ("de", "en", "ja", "ru"):
        assert sum(line.startswith(f"{language} ") for line in shown) == 1
    assert result.stderr.splitlines()[-1] == str(tmp_path / "run")
    document = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert document["verb"] == "bench"
    assert document["evaluation"]["name"] == "four.jsonl"
    of_one = document["tokenizers"]["bpe-300"]
    assert of_one["engine"] == "native"
    assert len(of_one["source"]) == 64
    assert of_one["library"].startswith("tokenizers ")
    assert document["environment"]["packages"]["tokenizers"]
    stored = Results.read_parquet(tmp_path / "run" / "results.parquet")
    assert {record.tokenizer for record in stored} == {"bpe-300", "bpe-400"}


def test_a_run_is_found_again(files: list[str], corpus: list[str], tmp_path: Path) -> None:
    first = good(*files, *corpus)
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"bench-four\.jsonl-[0-9a-f]{8}", folder.name)
    again = good(*files, *corpus)
    assert again.stdout == first.stdout
    assert "nothing was computed" in again.stderr
    assert good(*files, *corpus, "-q").stderr == ""
    assert "holds another run" in fails(files[0], *corpus, "-o", folder)
    forced = good(files[0], *corpus, "-o", folder, "--force")
    assert "bpe-400" not in forced.stdout


def test_every_format_has_the_same_figures(files: list[str], corpus: list[str]) -> None:
    found = json.loads(good(*files, *corpus, "-q", "-f", "json").stdout)
    assert found["schema"] == 3
    rows = list(csv.DictReader(io.StringIO(good(*files, *corpus, "-q", "-f", "csv").stdout)))
    assert len(rows) == len(found["records"])
    for row, record in zip(rows, found["records"], strict=True):
        assert row["tokenizer"] == record["tokenizer"]
        assert (float(row["value"]) if row["value"] else None) == record["value"]
    metrics = {record["metric"] for record in found["records"]}
    assert {
        "tokens",
        "bytes",
        "chars",
        "documents",
        "pieces",
        "parity[en]",
        "unknown",
        "lost",
    } <= metrics
    shown = good(*files, *corpus, "-q", "-f", "md").stdout
    assert shown.startswith("**2 tokenizers** on four.jsonl")
    assert "\n| tokenizer | size |" in shown
    assert "\\toprule" in good(*files, *corpus, "-q", "-f", "latex").stdout


def test_timings_are_shown_kept_and_not_taken_twice(
    files: list[str], corpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, dict[str, object]]] = []

    def measure(loaded: Loaded, documents: object, **options: object) -> list[Timing]:
        assert callable(options.pop("progress"))
        taken.append((loaded.label, options))
        timing = functools.partial(
            Timing,
            tokenizer=loaded.label,
            engine="toktk",
            version="1.0",
            threads=int(str(options["jobs"])),
            unit="MB/s",
            verified=True,
        )
        return [
            timing(what="warm", value=123.0, low=120.0, high=125.0, n=9),
            timing(what="cold", note="too little text"),
        ]

    monkeypatch.setattr("toktk.lab.timing.measure", measure)
    first = good(*files, *corpus, "--throughput", "--threads", 2, "-o", "run")
    assert taken == [
        (label, {"jobs": 2, "seed": 0, "growth": False}) for label in ("bpe-300", "bpe-400")
    ]
    assert "throughput, 2 threads" in first.stdout
    too_little = (
        r"no speed of four\.jsonl: too little text to time: 0\.\d MB .*; 1\.4 MB are needed\."
    )
    assert len(re.findall(too_little, first.stderr)) == 1
    assert "123 [120–125]" in first.stdout
    assert "bpe-300, toktk: too little text" in first.stdout
    again = good(*files, *corpus, "--throughput", "--threads", 2, "-o", "run")
    assert again.stdout == first.stdout
    assert len(taken) == 2
    shown = json.loads(
        good(*files, *corpus, "--throughput", "--threads", 2, "-o", "run", "-f", "json").stdout
    )
    of_speed = [r for r in shown["records"] if r["metric"] == "warm[toktk 1.0, 2 threads]"]
    assert [(r["tokenizer"], r["value"], r["low"], r["high"]) for r in of_speed] == [
        ("bpe-300", 123.0, 120.0, 125.0),
        ("bpe-400", 123.0, 120.0, 125.0),
    ]
    stored = Results.read_parquet(Path("run/results.parquet"))
    assert stored.to_arrow().to_pylist() == shown["records"]
    assert {record.size for record in stored} == {300, 400}
    assert first.stdout.startswith(stored.page(100).text(100))  # timings are no columns of it
    page = good(*files, *corpus, "--throughput", "--threads", 2, "-o", "run", "-f", "md").stdout
    assert "**throughput, 2 threads**" in page
    assert "123 \\[120–125\\]" in page or "123 [120–125]" in page
    assert len(taken) == 2
    good(*files, *corpus, "--throughput", "--pathological", "-o", "run")
    assert len(taken) == 4
    assert "throughput" not in good(*files, *corpus, "-o", "run").stdout


def test_metrics_and_reference(files: list[str], corpus: list[str]) -> None:
    found = good(*files, *corpus, "-q", "-f", "csv", "-m", "parity", "--reference", "ru").stdout
    assert "parity[ru]|max" in found
    assert "fertility" not in found
    assert "no reference group 'rv'" in fails(*files, *corpus, "--reference", "rv")


def test_text_without_groups(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("the ban was low\n\0 and so on\n", encoding="utf-8")
    result = good(*files, "-c", tmp_path / "one.txt")
    assert "parity" not in result.stdout
    good(*files, "-c", write_nasty(tmp_path / "nasty.jsonl"), "--group-column", "lang")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", (), "no documents"),
        ('{"text": "a"}\n', ("--group-column", "lang"), "lang"),
        ('{"text": "a\\ud800"}\n', (), "surrogate"),
        ('{"words": "a"}\n', (), "text"),
        ('{"text": "a"}\n', ("-m", "parity"), "parallel"),
        ('{"text": "a"}\n', ("-m", "paritty"), "parity"),
        ('{"text": "a", "lang": "all"}\n', ("--group-column", "lang"), "'all'"),
    ],
)
def test_text_that_cannot_be_measured_on(
    files: list[str], tmp_path: Path, text: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "bad.jsonl").write_text(text, encoding="utf-8")
    code = 2 if "paritty" in options else 1
    assert message in fails(*files, "-c", tmp_path / "bad.jsonl", *options, code=code)


def test_specs_that_are_wrong(files: list[str], corpus: list[str], tmp_path: Path) -> None:
    assert "no-such" in fails(tmp_path / "no-such.json", *corpus)
    assert "2 tokenizers are called 'bpe-300'" in fails(files[0], files[0], *corpus, code=2)
    assert not (tmp_path / "runs").exists()
    assert "Missing argument" in fails(*corpus, code=2)


def test_one_broken_tokenizer_of_ten_takes_no_other_away(
    files: list[str], corpus: list[str], tmp_path: Path
) -> None:
    folder = files[0].partition("=")[2]
    broken = tmp_path / "broken" / "tokenizer.json"
    broken.parent.mkdir()
    document = json.loads(Path(folder).read_text(encoding="utf-8"))
    document["model"]["merges"][3] = ["nothing", "like this"]
    broken.write_text(json.dumps(document), encoding="utf-8")
    nine = [f"t{i}={folder}" for i in range(9)]
    result = run(*nine[:4], f"tenth={broken}", *nine[4:], *corpus, "-o", "run")
    assert result.exit_code == 1
    rows = re.findall(r"^(t\d) +300 +native", result.stdout, re.M)
    assert rows == [f"t{i}" for i in range(9)]
    assert "tenth" not in result.stdout
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("  tenth: "))
    assert "model.merges[3]" in line
    assert "Error: without figures: tenth." in result.stderr
    stored = Results.read_parquet(tmp_path / "run" / "results.parquet")
    assert len({record.tokenizer for record in stored}) == 9
    document = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert list(document["failed"]) == ["tenth"]


def record(label: str, metric: str, group: str, value: float | None, size: int = 50_257) -> Record:
    return Record(
        tokenizer=label,
        family=label,
        pretokenizer="o200k",
        size=size,
        corpus="text",
        group=group,
        metric=metric,
        value=value,
        unit="unit",
        n=7,
        signature="s",
    )


LABELS = [
    "gpt2", "mistral_instruct_tokenizer_240216", "Qwen/Qwen3-8B", "o200k_base", "[b]old", "llama3_1",
    "a-very-long-name-that-somebody-gave", "東京東京東京東京東京東京", "x", "deepseek_v3", "gemma3",
    "yi",
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:1], LABELS[:7]])
def test_tables_fit_the_screen(width: int, labels: list[str]) -> None:
    metrics = {
        "bytes_per_token": 3.21, "fertility[ws]|macro": 2.5, "parity[en]|macro": 1.52,
        "parity[en]|max": 3.1, "gini[tokens_per_line]": 0.3, "utilization": 0.123,
        "single_token_words[piece]": 0.5, "lost": 0.01,
    }  # fmt: skip
    found = []
    for i, label in enumerate(labels):
        found += [record(label, metric, "all", value) for metric, value in metrics.items()]
        found += [record(label, "tokens_per_line", g, 1000 + i) for g in ("en", "de", "pt-br")]
    why = f"{'it does this and that. ' * 20}And that is all"
    engines = {label: ["native", ""] for label in labels}
    engines[labels[0]] = ["sentencepiece 0.2.1", why]
    about = {"engines": engines, "hashes": dict.fromkeys(labels, "1a2b3c4d")}
    shown = Results(tuple(found), about).page(width).text(width)
    assert f"{labels[-1]} 1a2b3c4d" in " ".join(shown.split())
    rows = shown.split("tokens per parallel line")[0]
    for number in ("3.210", "2.50", "1.52", "0.300", "12.3%", "50.0%", "1.00%", "50,257"):
        assert rows.count(number) == len(labels), shown
    for i in range(len(labels)):
        assert shown.count(f" {1000 + i:,}") >= 3, shown
    assert f"{labels[0]} on sentencepiece 0.2.1: {why}." in " ".join(shown.split())
    if len(labels) > 4:
        assert "[b]old" in shown
