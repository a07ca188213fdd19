"""What lies in the folder of a tokenizer: settings for transformers, and a model card whose code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import fails, good, run
from small_corpora import PARALLEL, lines, write_parallel

import toktk
from toktk.report.results import Results

pytestmark = pytest.mark.usefixtures("home")

TEXTS = ["the café wird 12,345 東京\n\n  of it", "", " 0x3c </", "Größe."]


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl")), *PARALLEL]


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def card_of(folder: Path, label: str) -> str:
    return (folder / "tokenizers" / label / "README.md").read_text(encoding="utf-8")


def rows_of(card: str) -> list[list[str]]:
    """Return the cells of the lines of all tables."""
    listed = [line.strip("|").split(" | ") for line in card.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in listed]


def test_train_trains_all_that_it_is_given(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ["train", *corpus, "-t", "bpe", "-t", "unigram", "-t", "bpe", "-s", "300,320"]
    result = good(*command, "-o", folder, "-f", "json")
    labels = ["bpe-300", "bpe-320", "unigram-300", "unigram-320"]
    assert [row["tokenizer"] for row in json.loads(result.stdout)] == labels
    for label in labels:
        assert toktk.load(str(folder / "tokenizers" / label)).vocab_size == int(label[-3:])
    cuts = ["-p", "gpt2", "-p", "o200k", "-s", "300", "-o", tmp_path / "cuts"]
    rows = json.loads(good("train", *corpus, *cuts, "-f", "json").stdout)
    assert [row["tokenizer"] for row in rows] == ["bpe-gpt2-300", "bpe-o200k-300"]
    # What one of them cannot do is said, and the other is there.
    some = run(
        "train", *corpus, "-t", "bpe", "-t", "hf-wordpiece", "-s", "300", "-o", tmp_path / "a"
    )
    assert some.exit_code == 1
    assert "without figures: hf-wordpiece" in some.stderr
    assert toktk.load(str(tmp_path / "a" / "tokenizers" / "bpe-300")).vocab_size == 300


def test_tokens_with_a_role_are_special_and_named_in_the_settings(
    corpus: list[str], tmp_path: Path
) -> None:
    roles = ["--pad", "<pad>", "--eos", "</s>", "--bos", "<s>", "--unk", "</s>"]
    given = ["--special", "<a>", "--special", "<s>", "--symbol", "<pad>", *roles]
    for verb, name in (("train", "one"), ("sweep", "two")):
        good(verb, *corpus, "-t", "bpe", "-s", "320", *given, "-o", tmp_path / name)
        folder = tmp_path / name / "tokenizers" / "bpe-320"
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        named = {key: token for key, token in settings.items() if key.endswith("_token")}
        assert named == {
            "unk_token": "</s>",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
        }
        written = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        # Those that were given keep their ids; one that was not follows, and symbols are last.
        added = [(token["id"], token["content"]) for token in written["added_tokens"]]
        assert added == list(enumerate(["<a>", "<s>", "</s>", "<pad>"]))
        loaded = toktk.load(str(folder))
        assert (loaded.vocab_size, loaded.engine, loaded.why) == (320, "native", "")
    assert document(tmp_path / "one")["options"]["roles"]["eos"] == "</s>"
    other = run("train", *corpus, "-s", "320", *given[:-2], "-o", tmp_path / "one")
    assert "holds another run" in other.stderr  # for its files differ
    assert "not empty" in fails(
        "train", *corpus, "-s", "320", "--eos", "", "-o", tmp_path / "x", code=2
    )
    sizes = ["-t", "sp-bpe", "-s", "600", "-o", tmp_path / "sp"]
    good("train", *corpus, *sizes, "--eos", "</s>")
    kept = document(tmp_path / "sp")["tokenizers"]["sp-bpe-600"]["files"]
    assert kept == ["sp-bpe-600.model", "README.md"]  # transformers reads no such file


def test_equal_runs_write_equal_files(corpus: list[str], tmp_path: Path) -> None:
    command = ["sweep", *corpus, "-t", "bpe", "-t", "unigram", "-s", "300,320", "--eos", "<e>"]
    good(*command, "-o", tmp_path / "one", "--jobs", "1")
    good(*command, "-o", tmp_path / "two", "--jobs", "2", "--force")
    first, second = (document(tmp_path / name)["files"] for name in ("one", "two"))
    assert {name: first[name] for name in first if name.startswith("tokenizers/")} == {
        name: second[name] for name in second if name.startswith("tokenizers/")
    }
    for label in ("bpe-300", "unigram-320"):
        for name in ("README.md", "tokenizer_config.json"):
            assert f"tokenizers/{label}/{name}" in first


def test_a_card_is_a_file_of_the_run(corpus: list[str], tmp_path: Path) -> None:
    command = ["train", *corpus, "-s", "300", "-o", tmp_path / "run"]
    good(*command)
    card = tmp_path / "run" / "tokenizers" / "bpe-300" / "README.md"
    text = card.read_text(encoding="utf-8")
    assert "nothing was computed" in good(*command).stderr
    card.write_text("mine", encoding="utf-8")
    assert "nothing was computed" not in good(*command).stderr
    assert card.read_text(encoding="utf-8") == text


def test_what_a_card_says(corpus: list[str], tmp_path: Path) -> None:
    special = ["--special", "<s>", "--eos", "</s>", "--min-frequency", "2", "--normalize", "nfc"]
    trainers = ["-t", "bpe", "-t", "sp-bpe", "-O", "sp-bpe.max_token_chars=9"]
    good("sweep", *corpus, "-s", "300", "-t", "bpe", *special, "-o", tmp_path / "run")
    found, card = document(tmp_path / "run"), card_of(tmp_path / "run", "bpe-300")
    rows = rows_of(card)
    assert card.startswith(
        f"# bpe-300\n\nA tokenizer of 300 tokens, trained by toktk {toktk.__version__}.\n"
    )
    for row in (
        ["trainer", "bpe"],
        ["cut", "o200k"],
        ["min frequency", "2"],
        ["normal form", "NFC"],
        ["seed", "0"],
        ["signature", found["tokenizers"]["bpe-300"]["signature"]],
        ["0", "&lt;s&gt;", "special"],
        ["1", "&lt;/s&gt;", "special, eos"],
        ["text", "four.jsonl (train)"],
        ["fingerprint", found["training"]["fingerprint"]],
        ["size of its files", f"{found['training']['size']:,} bytes"],
        ["taken of them", found["training"]["selection"]],
        ["fingerprint", found["evaluation"]["fingerprint"]],
    ):
        assert row in rows
    results = Results.read_parquet(tmp_path / "run" / "results.parquet")
    figures = {(r.group, r.metric): r.value for r in results}
    (whole,) = [row for row in rows if row[0] == "bytes_per_token"]
    assert whole[1] == f"{figures['all', 'bytes_per_token']:.6g}"
    head = rows.index(["group", "bytes_per_token", "tokens_per_line", "parity[en]"])
    german = next(row for row in rows[head:] if row[0] == "de")
    assert german[1:] == [f"{figures['de', metric]:.6g}" for metric in rows[head][1:]]
    good("train", *corpus, "-s", "600", *trainers, "-o", tmp_path / "two")
    bpe, sp = (card_of(tmp_path / "two", label) for label in ("bpe-600", "sp-bpe-600"))
    assert ["max token chars", "9"] in rows_of(sp)
    assert ["max token chars", "9"] not in rows_of(bpe)
    assert re.search(r"^\| versions \| sentencepiece \d", sp, re.M)
    assert "## Figures" not in bpe  # nothing was measured
    heads = ("Hugging Face tokenizers", "transformers, 4 and 5", "tiktoken", "SentencePiece")
    for text, readers in ((bpe, heads[:3]), (sp, heads[3:])):
        assert tuple(head for head in heads if f"\n{head}:\n" in text) == readers


def test_what_a_card_says_of_several_texts(tmp_path: Path) -> None:
    for language in ("de", "en"):
        (tmp_path / f"{language}.txt").write_text("\n".join(lines(language)), encoding="utf-8")
    texts = [part for language in ("de", "en") for part in ("-c", tmp_path / f"{language}.txt")]
    good("train", *texts, "--limit", "50", "-s", "300", "-o", tmp_path / "run")
    rows = rows_of(card_of(tmp_path / "run", "bpe-300"))
    assert ["text", "de.txt + en.txt"] in rows
    assert [row[1] for row in rows if row[0] == "taken of them"] == [
        "de.txt: a sample of 50 from all groups alike, seed 0",
        "en.txt: a sample of 50 from all groups alike, seed 0",
    ]
    for language in ("de", "en"):
        assert [language, str((tmp_path / f"{language}.txt").stat().st_size)] in rows


def test_the_code_of_a_card_runs(
    corpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = ["-t", "bpe", "-t", "unigram", "-t", "sp-bpe", "--special", "<s>"]
    good("train", *corpus, *trainers, "-s", "600", "-o", tmp_path / "run")
    ran = set()
    for folder in sorted((tmp_path / "run" / "tokenizers").iterdir()):
        monkeypatch.chdir(folder)
        ours = toktk.load(".")
        card = (folder / "README.md").read_text(encoding="utf-8")
        for code in re.findall(r"^```python\n(.*?)^```", card, re.M | re.S):
            if "transformers" in code:  # which the tests do without
                continue
            names: dict[str, Any] = {}
            exec(code, names)
            if "encoding" in names:
                size, encode = names["encoding"].n_vocab, names["encoding"].encode_ordinary
            elif "processor" in names:
                size, encode = names["processor"].vocab_size(), names["processor"].encode
            else:
                library = names["tokenizer"]
                size = library.get_vocab_size()
                encode = lambda text, library=library: library.encode(text).ids  # noqa: E731
            assert size == 600
            assert [encode(text) for text in TEXTS] == [ours.encode(text) for text in TEXTS]
            ran.add((folder.name, *sorted(names.keys() & {"encoding", "processor", "tokenizer"})))
    assert ran == {
        ("bpe-600", "encoding"),
        ("bpe-600", "tokenizer"),
        ("unigram-600", "tokenizer"),
        ("sp-bpe-600", "processor"),
    }


def test_a_card_holds_foreign_names_in_cells_and_no_path(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for language, name in (("en", "a _b_ `c`.txt"), ("de", "[x](y) $z$.txt")):
        (texts / name).write_text("\n".join(lines(language)) + "\n", encoding="utf-8")
    for i, spec in enumerate((texts, texts / "*.txt", texts / "a _b_ `c`.txt")):
        run_folder = tmp_path / f"run {i}"
        special = ["--special", "<a | b>", "--special", "\u202e*x*"]
        good("train", "-c", spec, *special, "-s", "300", "-o", run_folder)
        card = card_of(run_folder, "bpe-300")
        assert str(tmp_path) not in card
        assert tmp_path.name not in card
        assert ["0", r"&lt;a \| b&gt;", "special"] in rows_of(card)
        assert ["1", r"\\u202e\*x\*", "special"] in rows_of(card)
        assert r"a \_b\_ \`c\`" in card
        assert "\u202e" not in card
        widths = [line.replace("\\|", "").count("|") for line in card.splitlines() if "|" in line]
        assert set(widths) <= {3, 4}
