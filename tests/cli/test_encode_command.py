"""toktk encode: what it writes, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import fails, good
from public_samples import GPT2, LLAMA2, added, byte_level, byte_model, document, write
from small_corpora import PARALLEL, write_parallel

from toktk.corpus import ReaderOptions, load_corpus
from toktk.loading.load import load
from toktk.ranks.sealed import sealed, unsealed

END = "<|endoftext|>"
ADDED = [added(0, END, special=True)]


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A tokenizer that toktk's engine runs, with a special token."""
    model = byte_model()
    model["vocab"] = {END: 0, **{name: i + 1 for name, i in model["vocab"].items()}}
    value = document(model, pre_tokenizer=byte_level(), added_tokens=ADDED)
    return str(write(tmp_path / "tokenizer.json", value))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_parallel(tmp_path / "four.jsonl", 20)


def tokens_of(folder: Path) -> list[int]:
    paths = sorted(folder.glob("*.tokens.npy"))
    return [token for path in paths for token in np.load(path).tolist()]


def ids_of(source: str, text: Path) -> list[int]:
    tokenizer, corpus = load(source), load_corpus(str(text), ReaderOptions())
    texts = [each for batch in corpus.batches() for each in batch.column(0).to_pylist()]
    return [i for each in texts for i in (*tokenizer.encode(each), 0)]


def test_what_is_written_and_said(tmp_path: Path, source: str, text: Path) -> None:
    out = tmp_path / "out"
    result = good("encode", source, "-c", text, *PARALLEL[:2], "--eos", END, "-o", out)
    assert tokens_of(out) == ids_of(source, text)
    n_bytes = sum(int(np.load(path).sum()) for path in out.glob("*.bytes.npy"))
    row = result.stdout.splitlines()[2].split()
    n = len(tokens_of(out))
    assert row[:7] == ["1", "of", "1", "1", "80", str(n_bytes), str(n)]
    assert row[8] == "uint16"
    assert result.stderr.splitlines()[-1] == str(out)
    assert "no special token" not in result.stderr
    manifest = json.loads((out / "shards.json").read_bytes())
    tokenizer = load(source)
    assert manifest["eos"] == {"token": END, "id": 0}
    assert manifest["tokenizer"]["signature"] == tokenizer.signature
    assert manifest["text"]["options"] == [{"group_column": "lang"}]
    groups = json.loads((out / "00000-00000.groups.json").read_bytes())
    assert groups == ["en", "de", "ru", "ja"]


def test_json_and_status(tmp_path: Path, source: str, text: Path) -> None:
    out = tmp_path / "out"
    command = ("encode", source, "-c", text, "-o", out, "--world-size", 3, "--files", "parquet")
    result = good(*command, "--rank", 1, "-f", "json")
    told = json.loads(result.stdout)
    assert (told["ranks"], told["done"], told["missing"]) == (3, [1], [0, 2])
    assert "Not done: ranks 0, 2 of 3." in result.stderr
    assert "no special token stands between documents" in result.stderr
    assert pq.read_table(out / "00001-00000.parquet").num_rows == told["documents"]
    assert "rank 0" in fails("encode", "status", out, "--check")
    good(*command, "-q")
    status = good("encode", "status", out, "--check", "-f", "json")
    told = json.loads(status.stdout)
    assert (told["done"], told["documents"]) == ([0, 1, 2], 80)
    assert "All files are as their ranks have written them" in status.stderr
    assert good("encode", "status", out, "-q").stderr == ""
    (out / "00003-00000.parquet").touch()
    assert "00003-00000.parquet: files of no rank." in good("encode", "status", out).stderr
    assert "00003-00000.parquet" in fails("encode", "status", out, "--check")


def test_ranks_of_a_scheduler(
    tmp_path: Path, source: str, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    for number in (1, 2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number))
        result = good("encode", source, "-c", text, "--eos", END, "-o", out)
        assert f"this is rank {number - 1} of 2: SLURM_ARRAY_TASK_ID={number}" in result.stderr
    assert tokens_of(out) == ids_of(source, text)


def test_the_same_command_does_nothing_again(tmp_path: Path, source: str, text: Path) -> None:
    out = tmp_path / "out"
    command = ("encode", source, "-c", text, "-o", out, "--world-size", 2)
    first = good(*command)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    again = good(*command)
    assert again.stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_the_tokenizer_may_lie_elsewhere(
    tmp_path: Path, source: str, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("-c", text, "-o", tmp_path / "out", "--world-size", 2)
    good("encode", source, *options, "--rank", 0)
    monkeypatch.chdir(tmp_path)
    assert good("encode", "tokenizer.json", *options, "-q").stdout.splitlines()[2][:6] == "2 of 2"


def test_other_options_of_reading_are_refused(tmp_path: Path, source: str, text: Path) -> None:
    command = ("encode", source, "-c", f"x={text}", "-o", tmp_path / "out", "--limit")
    good(*command, 5)
    assert "holds other work" in fails(*command, 6)
    assert "holds other work" in fails(*command, 5, "--seed", 1)
    good(*command, 5)


def test_a_manifest_that_lacks_something_is_no_fault_of_toktk(
    tmp_path: Path, source: str, text: Path
) -> None:
    out = tmp_path / "out"
    good("encode", source, "-c", text, "-o", out)
    manifest = unsealed((out / "shards.json").read_bytes())
    del manifest["dtype"]
    for content, says in (
        (json.dumps(manifest).encode(), "shards.json is damaged"),
        (sealed(manifest), "dtype is absent there"),
    ):
        (out / "shards.json").write_bytes(content)
        assert says in fails("encode", source, "-c", text, "-o", out)
    assert "Not done: rank 0 of 1." in good("encode", "status", out).stderr


def test_what_the_software_puts_around_texts_is_said(tmp_path: Path, text: Path) -> None:
    single = [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    processor = {
        "type": "TemplateProcessing", "single": single, "pair": single,
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }  # fmt: skip
    source = write(tmp_path / "tokenizer.json", LLAMA2 | {"post_processor": processor})
    (tmp_path / "tokenizer_config.json").write_text('{"add_eos_token": true, "eos_token": "</s>"}')
    command = ("encode", source, "-c", text, "-o")
    said = good(*command, tmp_path / "bare").stderr
    assert "puts <s>, </s> around every text" in said
    assert "no special token stands" not in said
    said = good(*command, tmp_path / "both", "--bos", "<s>", "--eos", "</s>").stderr
    assert "around every text" not in said


def test_a_library_that_encodes_is_named(tmp_path: Path, text: Path) -> None:
    value = GPT2 | {"normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}}
    source = str(write(tmp_path / "tokenizer.json", value))
    result = good("encode", source, "-c", text, "-o", tmp_path / "out")
    assert "gives the ids: " in result.stderr
    marker = json.loads((tmp_path / "out/done/00000.json").read_bytes())
    assert marker["engine"].startswith("tokenizers ")
    assert [i for i in ids_of(source, text) if i] == [i for i in tokens_of(tmp_path / "out") if i]


def test_mistakes(tmp_path: Path, source: str, text: Path) -> None:
    out = tmp_path / "out"
    command = ("encode", source, "-c", text, "-o", out)
    assert "-c SPEC" in fails("encode", source, "-o", out, code=2)
    assert "'--output'" in fails("encode", source, "-c", text, code=2)
    assert "did you mean '<|endoftext|>'" in fails(*command, "--eos", "<|endoftex|>")
    assert "--world-size" in fails(*command, "--rank", 1, code=2)
    assert "no rank 2 of 2" in fails(*command, "--rank", 2, "--world-size", 2, code=2)
    assert "'many'" in fails(*command, "--shard-tokens", "many", code=2)
    assert "a limit" in fails(*command, "--limit", 5, "--world-size", 2)
    assert "no shards.json" in fails("encode", "status", tmp_path)
    assert not out.exists()
    good(*command)
    assert "holds other work" in fails(*command, "--eos", END)
    other = write_parallel(tmp_path / "other.jsonl", 21)
    assert "holds other work" in fails("encode", source, "-c", other, "-o", out)


def test_what_reading_changes_is_said(tmp_path: Path, source: str) -> None:
    path = tmp_path / "text.jsonl"
    path.write_bytes(b'{"text": "a\xff"}\n{"text": null}\n{"text": "b"}\n' * 40)
    command = ("encode", source, "-c", path, "-o", tmp_path / "out", "--world-size", 3)
    result = good(*command, "--errors", "replace", "-f", "json")
    told = json.loads(result.stdout)
    assert (told["documents"], told["replaced"], told["null_rows"]) == (80, 40, 40)
    for said in (result.stderr, good("encode", "status", tmp_path / "out").stderr):
        assert "40 invalid sequences were read as U+FFFD." in said
        assert "40 rows without text were left out." in said


def test_weights_are_refused(tmp_path: Path, source: str) -> None:
    path = tmp_path / "words.jsonl"
    path.write_text('{"text": "a", "n": 2}\n')
    command = ("encode", source, "-c", path, "-o", tmp_path / "out", "--weight-column", "n")
    assert "Leave out --weight-column" in fails(*command)


def test_help_tells_of_status() -> None:
    assert " encode status  Say how far" in good("encode", "--help").stdout
    assert "--check" in good("encode", "status", "--help").stdout
