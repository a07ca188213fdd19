"""Special tokens that stand in the text: counted, said, and measured as Hugging Face tokenizers has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from small_corpora import lines

from toktk.corpus import Corpus, load_corpus
from toktk.lab.bench import Bench
from toktk.lab.plan import BenchPlan, SweepPlan
from toktk.lab.run import Run, carry_out
from toktk.lab.special import special_lines
from toktk.lab.sweep import Sweep

TEXTS = [f"{a}<sep>{b} <sep> the<|x|>re" for a, b in zip(lines("en"), lines("ru"), strict=True)]


def sweep(folder: Path, special: tuple[str, ...], texts: list[str], **plan: object) -> Run:
    text = folder / "text.jsonl"
    text.write_text("".join(json.dumps({"text": one}) + "\n" for one in texts), encoding="utf-8")
    corpus = load_corpus(text)
    parameters = {"special_tokens": special}
    made = SweepPlan(corpus, corpus, (300, 330), ("bpe",), parameters=parameters, **plan)
    return carry_out(Sweep(made), folder / "run")


def by_library(run: Run, texts: list[str], as_text: bool) -> int:
    file = run.path / "tokenizers" / "bpe-330" / "tokenizer.json"
    library = tokenizers.Tokenizer.from_file(str(file))
    library.encode_special_tokens = as_text
    return sum(len(one.ids) for one in library.encode_batch(texts, add_special_tokens=False))


@pytest.mark.parametrize("special", [("<sep>", "<|x|>"), ("the", "<sep>"), ("<s>", "er")])
def test_occurrences_and_tokens_are_the_librarys(tmp_path: Path, special: tuple[str, ...]) -> None:
    run = sweep(tmp_path, special, [*TEXTS, "no"])
    (found,) = run.document["special_tokens"].values()
    wanted = {name: sum(text.count(name) for text in TEXTS) for name in special}
    wanted = {name: n for name, n in wanted.items() if n}
    assert found["occurrences"] == wanted
    assert found["n"] == sum(wanted.values())
    holding = [text for text in TEXTS if any(name in text for name in special)]
    assert found["as_text"] == by_library(run, holding, as_text=True)
    assert found["found"] == by_library(run, holding, as_text=False)
    (line,) = special_lines(run.document["special_tokens"])
    assert line.startswith("bpe-330: special tokens stand in the text: ")
    name, n = next(iter(found["occurrences"].items()))
    assert f"{name} ({n})" in line
    less = 1 - found["found"] / found["as_text"]
    assert f"{abs(less):.1%} {'fewer' if less > 0 else 'more'} tokens for these documents." in line

    spec = str(run.path / "tokenizers" / "bpe-330")
    bench = carry_out(Bench(BenchPlan((spec,), texts_of(run))), tmp_path / "bench")
    (again,) = bench.document["special_tokens"].values()
    assert again == found


def texts_of(run: Run) -> Corpus:
    return load_corpus(run.path.parent / "text.jsonl")


def test_weights_count_and_documents_with_symbols_alone_do_not(tmp_path: Path) -> None:
    texts, weights = ["a<sep>b <tool>", "<tool> c", "plain"], [5, 7, 9]
    corpus = Corpus.of([*texts, *lines("en")], weights=[*weights, *[1] * len(lines("en"))])
    parameters = {"special_tokens": ("<sep>",), "symbols": ("<tool>",)}
    plan = SweepPlan(corpus, corpus, (300,), ("bpe",), parameters=parameters)
    run = carry_out(Sweep(plan), tmp_path / "run")
    (found,) = run.document["special_tokens"].values()
    assert (found["occurrences"], found["names"], found["n"]) == ({"<sep>": 5}, 1, 5)
    library = tokenizers.Tokenizer.from_file(
        str(run.path / "tokenizers" / "bpe-300" / "tokenizer.json")
    )
    for what, as_text in (("as_text", True), ("found", False)):
        library.encode_special_tokens = as_text
        assert found[what] == 5 * len(library.encode(texts[0], add_special_tokens=False).ids)


def test_tokens_with_a_role_are_special_tokens_too(tmp_path: Path) -> None:
    run = sweep(
        tmp_path,
        ("<sep>",),
        [f"{a}</s>{b}" for a, b in zip(lines("en", 50), lines("ru", 50), strict=True)],
        roles={"eos": "</s>"},
    )
    (found,) = run.document["special_tokens"].values()
    assert found["occurrences"] == {"</s>": 50}


def test_nothing_is_said_where_none_stands_in_the_text(tmp_path: Path) -> None:
    run = sweep(tmp_path, ("<eos>",), TEXTS)
    assert "special_tokens" not in run.document


def test_a_share_that_rounds_to_nothing_is_about_as_many() -> None:
    about = {"occurrences": {"<s>": 40}, "names": 1, "n": 40, "as_text": 10_000, "found": 9_999}
    (line,) = special_lines({"a": about})
    assert line.endswith(" and needs about as many tokens for these documents.")
    (line,) = special_lines({"a": about | {"found": 9_000}})
    assert line.endswith(" and needs 10.0% fewer tokens for these documents.")
