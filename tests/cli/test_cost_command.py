"""``toktk cost`` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import fails, good
from small_runs import benched, swept

from toktk.costs.models import PRESETS
from toktk.report.cost import COLUMNS

pytestmark = pytest.mark.usefixtures("home")

HEAVY = {"numba", "llvmlite", "datasets", "pandas", "tokenizers", "tiktoken", "sentencepiece"}
COMMAND = """
import sys
from toktk.cli import main
try:
    main(args={args!r}, prog_name="toktk")
except SystemExit as end:
    assert end.code == 0, end.code
print(*sorted(set(sys.modules)), sep="\\n", file=sys.stderr)
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("cost"), "--no-page", n=100)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, run: Path) -> Path:
    return benched(tmp_path_factory.mktemp("bench"), run, "--no-page")


def test_the_first_screen(run: Path) -> None:
    shown = good("cost", run).stdout
    first, head = shown.splitlines()[0], shown.splitlines()[2]
    assert (
        first == "FLOPs per byte of text, relative to bpe-340  on the held-out part of text.jsonl"
    )
    assert head.split() == ["size", "tokenizer", "token", *PRESETS]
    assert shown.count("*") > shown.count("~") > 1
    for line in ("bpe ", "unigram ", "flat", "pays", "verdict", "cost, not quality"):
        assert line in shown
    assert "compared for equal text, in bytes" in shown
    assert "340→400" in shown
    assert "of one model, as with --model 1b, laws of the size are asked as well." in shown
    assert "what laws say" not in shown


def test_a_model_in_detail(run: Path) -> None:
    shown = good("cost", run, "--model", "7b", "--serving-ratio", 2, "--context", "8k").stdout
    assert "what each costs 7b, relative to bpe-340" in shown
    for part in ("2 serve", "KV", "context", "logits", "8,000 tokens for each", "untied"):
        assert part in " ".join(shown.split())
    tied = good("cost", run, "--model", "7b", "--tied").stdout
    assert ", tied" in tied
    own = ("--width", 64, "--layers", 2, "--experts", 4, "--active-experts", 2, "--kv-heads", 1)
    shown = good("cost", run, *own, "--heads", 4, "--ffn", 100, "--window", 50, "--no-glu").stdout
    assert "d64 " in shown
    assert "windows of 50" in shown
    assert "4 heads, 1 of keys and values" in " ".join(shown.split())


def write_losses(run_labels: tuple[str, ...] = ("bpe-300", "bpe-340", "unigram-400")) -> Path:
    path = Path("losses.csv")
    lines = ["tokenizer,flops,bpb"]
    for i, label in enumerate(run_labels):
        lines += [f"{label},{f},{30 * f**-0.1 + 0.6 + i / 100}" for f in (1e18, 1e19, 1e20)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_laws_and_losses(run: Path) -> None:
    small = ("--width", 64, "--layers", 2, "--heads", 4, "--ffn", 100)
    shown = good("cost", run, *small, "--losses", write_losses(), "--serving-ratio", 6).stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert shown.index("which size costs least") < shown.index("what laws say of the size for d64")
    assert shown.index("what laws say") < shown.index("flop-equivalent bits per byte of these")
    rows = [line.split() for line in shown.splitlines()]
    firsts = [row[:2] for row in rows if row[:1] in (["bpe"], ["unigram"])][-2:]
    assert firsts == [["bpe", "measured"], ["unigram", "measured"]]
    assert [row[1:5] for row in rows if row[:1] == ["tao-1"]][:2] == [
        ["–", "–", "not", "asked"]
    ] * 2
    assert "rho 2: 6 bytes served for each trained on" in " ".join(shown.split())
    assert "tao-3        Tao et al. 2024, approach 3" in shown
    insisted = good("cost", run, *small, "--insist", "--compute", "1e21", "--parity", 2).stdout
    assert "extrapolated" in insisted
    assert "not asked" not in insisted
    assert "feBPB" not in insisted


def test_laws_and_losses_in_other_formats(run: Path) -> None:
    asked = ("--model", "1b", "--losses", write_losses(), "--compute", "1e19", "--parity", 1.5)
    rows = list(csv.DictReader(io.StringIO(good("cost", run, *asked, "-f", "csv").stdout)))
    by_metric = {(r["family"], r["tokenizer"], r["metric"]): r for r in rows}
    assert len(by_metric) == len(rows)
    febpb = by_metric["bpe", "bpe-340", "febpb[bpe-340]"]
    assert float(febpb["value"]) == pytest.approx(30 * 1e19**-0.1 + 0.61, abs=1e-5)
    law = by_metric["unigram", "", "law_size[limisiewicz]"]
    assert "parity:1.5" in law["signature"]
    document = json.loads(good("cost", run, *asked, "-f", "json").stdout)
    assert (document["compute"], document["parity"], document["insist"]) == (1e19, 1.5, False)
    assert len(document["laws"]) == 10
    assert {each["tokenizer"] for each in document["flop_equivalents"]} == {
        *("bpe-300", "bpe-340", "unigram-400"),
    }
    for format in ("md", "latex"):
        text = good("cost", run, *asked, "-f", format).stdout
        assert "what laws say of the size" in text
        assert "feBPB" in text


def test_nothing_is_computed_again_or_written(run: Path, home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    cached = {path for path in home.rglob("*") if path.is_file()}
    for model in ("125m", "70b"):
        good("cost", run, "--model", model)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert {path for path in home.rglob("*") if path.is_file()} == cached


def test_no_compiled_code_is_loaded(run: Path) -> None:
    for more in ([], ["--weights", "en=2,de=1"]):
        code = COMMAND.format(args=["cost", str(run), *more])
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
        )
        assert "verdict" in done.stdout
        assert not set(done.stderr.splitlines()) & HEAVY


def test_formats(run: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(good("cost", run, "-f", "csv").stdout)))
    assert tuple(rows[0]) == COLUMNS
    assert {row["model"] for row in rows} == {"", *PRESETS}
    document = json.loads(good("cost", run, "-f", "json", "--context", "none").stdout)
    assert (document["baseline"], document["context"]) == ("bpe-340", "none")
    assert len(document["records"]) == len(rows)
    assert len(document["choices"]) == 2 * len(PRESETS)
    assert "| --- |" in good("cost", run, "-f", "md").stdout
    assert "\\toprule" in good("cost", run, "-f", "latex").stdout
    for format in ("table", "json", "csv", "md", "latex"):
        file = tmp_path / f"cost.{format}"
        assert good("cost", run, "-f", format, "-o", file, "-q").stdout == ""
        assert "bpe-340" in file.read_text(encoding="utf-8")


def test_weights(run: Path) -> None:
    def relative(*more: object) -> dict[str, str]:
        rows = csv.DictReader(io.StringIO(good("cost", run, "-f", "csv", *more).stdout))
        return {r["tokenizer"]: r["value"] for r in rows if r["metric"].startswith("token_ratio")}

    assert relative("--weights", "en=2,de=1") == relative("--weights", "de=1", "--weights", "en=2")
    assert relative("--weights", "ja=1") != relative()
    assert "weighted en=" in good("cost", run, "--weights", "en=2,de=1").stdout


def test_a_bench(bench: Path) -> None:
    shown = good("cost", bench).stdout
    assert "relative to one " in shown
    assert "one" in shown
    assert "two" in shown
    Path("prices.toml").write_text(
        'currency = "EUR"\n[prices]\none = 0.5\n"t*" = 1', encoding="utf-8"
    )
    shown = good("cost", bench, "--model", "1b", "--prices", "prices.toml").stdout
    assert "price of text  EUR / 1M characters" in shown
    prices = shown[shown.index("price of text") :]
    assert all(f"\n{group} " in prices for group in ("all", "de", "en", "ja", "ru"))


def test_a_config(run: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 100,
    }
    Path("config.json").write_text(json.dumps(config), encoding="utf-8")
    assert "what each costs mine," in good("cost", run, "--model", "mine=config.json").stdout
    Path("config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    message = fails("cost", run, "--model", "config.json")
    assert "Found: no num_hidden_layers" in message
    assert "--width and --layers" in message


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["--model", "1bb"], 2, "did you mean '1b'?"),
        (["--model", "none/config.json"], 1, "cannot read the model"),
        (["--model", "7b", "--model", "7B"], 2, "two models are called '7b'"),
        (["--width", "64"], 2, "give --layers"),
        (["--heads", "4"], 2, "give --width"),
        (["--width", "0", "--layers", "1"], 2, "0 is not in the range"),
        (["--width", "64", "--layers", "1", "--heads", "5"], 2, "does not fall into 5 heads"),
        (["--context", "0"], 2, "is no context"),
        (["--context", "-8k"], 2, "is no context"),
        (["--serving-ratio", "-1"], 2, "--serving-ratio"),
        (["--serving-ratio", "nan"], 2, "ratio"),
        (["--baseline", "bpe-341"], 1, "did you mean"),
        (["--baseline", "5M"], 1, "Found: bpe-300"),
        (["--weights", "english"], 2, "write en=2,de=1"),
        (["--weights", "en=1,en=2"], 2, "two weights of 'en'"),
        (["--weights", "en=-1"], 2, "0 or more"),
        (["--weights", "fr=1"], 1, "no group is called 'fr'"),
        (["--prices", "none.toml"], 1, "cannot read prices"),
        (["--prices", "prices.csv"], 1, "'gpt', and no such tokenizer"),
        (["--compute", "1e21"], 2, "compute: laws and losses are asked for one model"),
        (["--model", "1b", "--model", "7b", "--losses", "losses.csv"], 2, "for one model"),
        (["--insist"], 2, "such as --model 1b"),
        (["--parity", "2"], 2, "such as --model 1b"),
        (["--model", "1b", "--compute", "0"], 2, "needs compute above 0"),
        (["--model", "1b", "--compute", "nan"], 2, "needs compute above 0"),
        (["--model", "1b", "--compute", "many"], 2, "--compute"),
        (["--model", "1b", "--parity", "-1"], 2, "needs parity above 0"),
        (["--model", "1b", "--losses", "none.csv"], 1, "cannot read the losses"),
        (["--model", "1b", "--losses", "losses.csv"], 1, "'bpe-341', which the run lacks"),
        (["--model", "1b", "--losses", "own.csv"], 1, "no losses are of 'bpe-340'"),
        (["--prices", "languages.csv"], 1, "'fr', and no such group"),
    ],
)
def test_bad_input(run: Path, options: list[str], code: int, part: str) -> None:
    Path("prices.csv").write_text("tokenizer,price\ngpt,1\n", encoding="utf-8")
    Path("languages.csv").write_text("tokenizer,group,price\n*,fr,1\n", encoding="utf-8")
    write_losses(("bpe-300",)).rename("own.csv")
    write_losses(("bpe-341",))
    assert part in fails("cost", run, *options, code=code)


def test_what_is_no_run(run: Path, tmp_path: Path) -> None:
    assert "holds no run" in fails("cost", tmp_path)
    assert "holds no run" in fails("cost", "nowhere")
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("documents.parquet"))
    shown = good("cost", copy).stdout
    assert "no counts of documents are kept" in shown
    assert "pays " in shown  # what it needs, without a verdict
    (copy / "results.parquet").write_bytes(b"PAR1")
    assert "cannot read results" in fails("cost", copy)
    document = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    (copy / "run.json").write_text(json.dumps({**document, "schema": 1}), encoding="utf-8")
    assert "this toktk does not read" in fails("cost", copy)
    (copy / "run.json").write_text(json.dumps({**document, "evaluation": None}), encoding="utf-8")
    assert "did not measure" in fails("cost", copy)
