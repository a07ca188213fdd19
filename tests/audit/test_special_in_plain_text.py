"""Special tokens that plain text becomes, by name and by what looks like a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import of_file, of_ranks, only, sentencepiece, word_pieces
from public_samples import LLAMA2, added, byte_level, byte_model, document, write

from toktk.audit.special import near_spellings, special, special_in
from toktk.corpus import Corpus
from toktk.lab.counted import CountedCorpora
from toktk.lab.meter import Meter


def test_names_that_hugging_face_finds(tmp_path: Path):
    subject = of_file(write(tmp_path / "tokenizer.json", LLAMA2 | {"truncation": None}))
    findings = special(subject)
    found = only(findings, "special-injected")
    assert (found.severity, found.ids, found.of) == ("warning", (0, 1, 2), 3)
    assert found.examples == ("<unk>", "<s>", "</s>")
    assert "encode_special_tokens" in found.advice
    assert only(findings, "special-near").severity == "ok"


def test_other_texts_that_become_a_special_token(tmp_path: Path):
    normalizer = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}
    words = ["a", "b", "<", ">", "e", "n", "d", "<end>"]
    subject = word_pieces(tmp_path, words, normalizer=normalizer, normalized=True)
    found = only(special(subject), "special-near")
    assert (found.severity, found.ids) == (
        "error",
        (1,),
    )  # not [UNK], which the strange becomes anyway
    assert "［ＣＬＳ］" in found.examples
    assert "[cls]" in found.examples


def test_an_exact_name_is_found_and_no_other(tmp_path: Path):
    subject = word_pieces(tmp_path, ["a", "b"])
    findings = special(subject)
    assert only(findings, "special-injected").ids == (1,)
    assert only(findings, "special-near").severity == "ok"


def test_sentencepiece_finds_no_control_symbols(tmp_path: Path):
    text = ["the cat the hat", "<s> that chat </s>"] * 20
    options = {"vocab_size": 40, "model_type": "bpe", "hard_vocab_limit": False}
    found = only(special(sentencepiece(tmp_path, text, **options)), "special-injected")
    assert (found.severity, found.of) == ("ok", 2)


def test_what_tiktoken_does_is_a_rule(tmp_path: Path):
    from rank_samples import write as write_ranks

    path = write_ranks(tmp_path / "r50k_base.tiktoken", {bytes([b]): b for b in range(256)})
    found = only(special(of_file(path)), "special-injected")
    assert found.severity == "ok"
    assert "encode() refuses text" in found.message


def test_without_a_file_nothing_is_known():
    assert only(special(of_ranks([], **{"<s>": 300})), "special-injected").message.startswith(
        "not checked"
    )
    assert only(special(of_ranks([])), "special-injected").severity == "ok"


@pytest.mark.parametrize(
    "name", ["<|im_start|>", "</s>", "[CLS]", "<0x0A>", "x", "é", "<>", "|", "a_b"]
)
def test_near_spellings_hold_no_name(name: str):
    spellings = near_spellings(name)
    assert len(set(spellings)) == len(spellings) > 0
    assert not any(name in spelling for spelling in spellings)


def test_names_in_a_text(tmp_path: Path):
    special_token = added(900, "<|end|>", True)
    written = document(byte_model(), pre_tokenizer=byte_level(), added_tokens=[special_token])
    subject = of_file(write(tmp_path / "tokenizer.json", written | {"truncation": None}))
    counted = CountedCorpora(Meter())
    text = Corpus.of(["a <|end|> b<|end|>", "no"], name="dirty")
    (found,) = special_in(subject, text, counted)
    assert (found.severity, found.count, found.examples) == ("warning", 2, ("<|end|>",))
    assert found.message.startswith("dirty: ")
    (clean,) = special_in(subject, Corpus.of(["no"], name="clean"), CountedCorpora(Meter()))
    assert (clean.severity, clean.count) == ("ok", 0)
