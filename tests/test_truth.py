"""benchmarks/truth.py: reading what others published, on files in their layout."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def truth():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("truth", BENCHMARKS / "truth.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["truth"] = module  # dataclasses look it up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def test_flores_is_joined_as_the_authors_did(truth, tmp_path) -> None:
    texts = {
        "eng_Latn": (b"One.\nTwo.\n", b"Three.\nFour.\n"),
        "deu_Latn": ("Eins.\r\nZwei\u2028drei.".encode(), b" Vier.\n\n"),
    }
    for language, parts in texts.items():
        for split, raw in zip(("dev", "devtest"), parts, strict=True):
            folder = tmp_path / "flores200_dataset" / split
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{language}.{split}").write_bytes(raw)
    source, target = tmp_path / "flores200_dataset", tmp_path / "flores"
    assert truth.prepare_flores(source, target) == ["deu_Latn", "eng_Latn"]
    for language in texts:
        lines = []
        for split in ("dev", "devtest"):
            with (source / split / f"{language}.{split}").open(encoding="utf-8") as file:
                lines += file.read().split("\n")
        assert (target / f"{language}.txt").read_bytes() == " ".join(lines).encode()


def test_flores_gives_one_aligned_document_a_language(truth, tmp_path) -> None:
    from toktk.corpus import ReaderOptions, load_corpus

    for split in ("dev", "devtest"):
        (tmp_path / "source" / split).mkdir(parents=True)
        for language in ("eng_Latn", "deu_Latn"):
            file = tmp_path / "source" / split / f"{language}.{split}"
            file.write_text(f"{split} 1\n{split} 2\n", encoding="utf-8")
    truth.prepare_flores(tmp_path / "source", tmp_path / "flores")
    corpus = load_corpus(str(tmp_path / "flores"), ReaderOptions(align_column="line"))
    rows = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert [(row["group"], row["text"], row["align"]) for row in rows] == [
        ("deu_Latn", "dev 1 dev 2  devtest 1 devtest 2 ", "1"),
        ("eng_Latn", "dev 1 dev 2  devtest 1 devtest 2 ", "1"),
    ]


def test_flores_bytes_are_those_of_the_published_table(truth, tmp_path, monkeypatch) -> None:
    for split in ("dev", "devtest"):
        (tmp_path / "source" / split).mkdir(parents=True)
        (tmp_path / "source" / split / f"deu_Latn.{split}").write_text("für\n", encoding="utf-8")
    lengths = tmp_path / "lengths.csv"
    n_bytes = len("für  für ".encode())
    lengths.write_text(f"Language,ByT5,UTF-32\nGerman,{n_bytes},9\n", encoding="utf-8")
    done = subprocess.CompletedProcess([], 0, '{"records": []}', "")
    monkeypatch.setattr(truth.subprocess, "run", lambda *args, **options: done)
    checks = truth.check_flores(tmp_path / "source", lengths, None, tmp_path / "flores", [])
    assert [check.is_equal for check in checks] == [True]


def test_flores_without_text_is_refused(truth, tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"no dev/<language>\.dev"):
        truth.prepare_flores(tmp_path, tmp_path / "flores")


def test_nanochat_texts_are_read_and_not_run(truth, tmp_path) -> None:
    file = tmp_path / "tok_eval.py"
    texts = "".join(
        f'{name}_text = r"""\n{name} \\n\n""".strip()\n' for name in truth.NANOCHAT_TEXTS
    )
    file.write_text(f"import nothing_of_that_name\n{texts}other = 1\n", encoding="utf-8")
    found = truth.nanochat_texts(file)
    assert found == {name: f"{name} \\n" for name in truth.NANOCHAT_TEXTS}
    file.write_text('news_text = "a"\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="korean_text"):
        truth.nanochat_texts(file)


def test_entropies_are_those_of_tokenization_scorer(truth) -> None:
    assert all(check.is_equal for check in truth.check_entropies())


def test_token_counts_are_added_up_whatever_tokens_hold(truth, tmp_path, monkeypatch) -> None:
    (tmp_path / "arm_1_8_token_counts.tsv").write_text(
        'the\t4\n\u2028\x85\t2\n\t\t1\n"\t1\n', encoding="utf-8", newline=""
    )
    monkeypatch.setattr(truth, "COUNTED", {"arm_1_8": (8, None, round(1.75 / 3, 4))})
    assert [check.is_equal for check in truth.check_counted(tmp_path)] == [True, True]
    monkeypatch.setattr(truth, "COUNTED", {"other_1_8": (8, None, None)})
    with pytest.raises(SystemExit, match="no other_1_8_token_counts"):
        truth.check_counted(tmp_path)
