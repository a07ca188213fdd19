"""Metrics of code: tokenizers whose figures are known by hand, and a sample that every Python reads alike."""

from __future__ import annotations

import ast
import hashlib
import json

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from public_samples import LLAMA2

import toktk
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.metrics import METRICS, topics
from toktk.metrics.base import MetricOptions
from toktk.metrics.code import lexemes, styles
from toktk.metrics.code_sample import IDENTIFIERS, SAMPLE
from toktk.models.bpe import BpeModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

BYTES = Tokenizer("bytes", Pretokenizer.of("none"), BpeModel((), np.empty((0, 3), np.int64)))
SIGNS = "()[]{}:,.=+-*/<>@%"


def figures(name: str, tokenizer: Tokenizer) -> dict[str, float | None]:
    """Return the figures of a metric of code by what stands in brackets."""
    options = MetricOptions(tokenizer=tokenizer)
    of_metric = METRICS.load(name).compute(
        FakeEvaluation(["en"], [1]), tokenizer.vocab_size, options
    )
    return {figure.metric[len(name) + 1 : -1]: figure.value for figure in of_metric}


def test_the_sample_is_python_that_all_versions_read_alike() -> None:
    ast.parse(SAMPLE)
    assert SAMPLE.isascii()
    assert "\t" not in SAMPLE
    # A change of this digest changes figures; a version of Python must not.
    shown = [(lexeme.text, lexeme.is_sign, lexeme.line, lexeme.begin) for lexeme in lexemes()]
    digest = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
    assert (len(shown), digest[:16]) == (532, "f8b35c1aab19ae95")
    for lexeme in lexemes():
        assert SAMPLE[lexeme.begin : lexeme.end] == lexeme.text
        assert SAMPLE[: lexeme.begin].count("\n") == lexeme.line
        assert lexeme.is_sign == (set(lexeme.text) <= {*SIGNS, "!"})


def test_all_styles_are_the_same_program() -> None:
    program = ast.dump(ast.parse(SAMPLE))
    assert set(styles()) == {"tabs", "compact"}
    for text in styles().values():
        assert ast.dump(ast.parse(text)) == program
    assert "\n\t\tif self.readings and" in styles()["tabs"]
    assert "total+=self.readings[i][1]*(self.readings[i+1][0]-" in styles()["compact"]
    assert len(styles()["tabs"]) < len(SAMPLE)


def test_single_bytes() -> None:
    assert figures("indentation_tokens", BYTES) == {
        "4 spaces": 4.0, "8 spaces": 8.0, "12 spaces": 12.0, "16 spaces": 16.0, "tab": 1.0, "next level": 4.0,
    }  # fmt: skip
    assert figures("operator_fusion", BYTES) == {"python": 0.0}
    assert figures("lexical_boundaries", BYTES)["recall"] == 1.0
    lengths = {style: len(text) for style, text in styles().items()}
    assert figures("reformatting", BYTES) == {
        style: n / len(SAMPLE) for style, n in lengths.items()
    }


def test_one_level_as_a_token(crafted) -> None:
    tokenizer = crafted([(" ", " "), ("  ", "  ")])
    assert figures("indentation_tokens", tokenizer) == {
        "4 spaces": 1.0, "8 spaces": 2.0, "12 spaces": 3.0, "16 spaces": 4.0, "tab": 1.0, "next level": 1.0,
    }  # fmt: skip


def test_names_cut_at_every_letter_and_nowhere(crafted) -> None:
    # Single letters hit every boundary; of the other cuts, none is one.
    shares = figures("identifier_f1", BYTES)
    names = [name.split() for name in IDENTIFIERS.split(",")]
    right = sum(len(words) - 1 for words in names)
    letters = sum(map(len, (word for words in names for word in words)))
    # Cuts between the letters of a word are one less than its letters; those beside _ are all right.
    wrong_camel = letters - len(names) - right
    assert shares["camel"] == pytest.approx(2 * right / (2 * right + wrong_camel))
    assert shares["snake"] == pytest.approx(2 * right / (2 * right + letters - len(names) - right))
    first, second = names[0]
    whole = crafted([(first[:i], first[i]) for i in range(1, len(first))])
    assert figures("identifier_f1", whole)["snake"] > shares["snake"]
    assert second


def test_fused_signs(crafted) -> None:
    pairs = [(a.text, b.text) for a, b in zip(lexemes(), lexemes()[1:], strict=False)
             if a.is_sign and b.is_sign and a.end == b.begin]  # fmt: skip
    closing = pairs.count((")", ":"))
    assert 0 < closing < len(pairs)
    share = figures("operator_fusion", crafted([(")", ":")]))["python"]
    assert share == pytest.approx(closing / len(pairs))


def test_names_with_the_sign_before_them(crafted) -> None:
    # "self.": one token over a name and a sign, where Python has two.
    recall = figures("lexical_boundaries", crafted([("f", ".")]))["recall"]
    fused = SAMPLE.count("f.")
    assert recall == pytest.approx(1 - fused / (len(lexemes()) - 1))


def test_precision(crafted) -> None:
    places = {
        i for a, b in zip(lexemes(), lexemes()[1:], strict=False) for i in range(a.end, b.begin + 1)
    }
    precision = figures("lexical_boundaries", BYTES)["precision"]
    assert precision == pytest.approx(len(places) / (len(SAMPLE) - 1))


def test_a_tokenizer_that_changes_code_has_no_figures(tmp_path) -> None:
    # SentencePiece's way: an unknown character in names that it has.
    model = LLAMA2["model"] | {"byte_fallback": False}
    vocab = {name: i for name, i in model["vocab"].items() if name not in ("<", ">", "\n")}
    numbered = {name: i for i, name in enumerate(vocab)}
    merges = [pair for pair in model["merges"] if {*pair, "".join(pair)} <= set(numbered)]
    file = json.dumps(LLAMA2 | {"model": model | {"vocab": numbered, "merges": merges}})
    tokenizer = Tokenizer("lossy", Pretokenizer.of("none"), HfDocumentsModel(file))
    for name in topics()["code"]:
        if name != "identifier_f1":
            assert set(figures(name, tokenizer).values()) == {None}


@pytest.mark.parametrize("name", topics()["code"])
def test_a_library_gives_the_same_figures(name: str, tokenizer, tmp_path) -> None:
    tokenizer.save(tmp_path)
    library = HfDocumentsModel((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    by_library = Tokenizer("library", Pretokenizer.of("none"), library)
    assert figures(name, by_library) == figures(name, tokenizer)
    assert figures(name, toktk.load(str(tmp_path))) == figures(name, tokenizer)
