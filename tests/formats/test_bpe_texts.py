"""What sizes share of their files is what each has by itself."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from tokenizer_samples import PAIRS, TEXT, model_of

from toktk.errors import FormatError
from toktk.formats.bpe_texts import BpeTexts, differing_tokens, texts_kept, texts_of
from toktk.formats.tiktoken import agreement, mergeable_ranks
from toktk.models.bpe import BpeModel, byte_characters
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

NAMES = ("<s>", 'quo"te\\', "填 \u2028", "\u0007", "e\u0301", "👍🏽")


def trained(names: tuple[str, ...] = NAMES) -> BpeModel:
    from toktk.corpus import Corpus
    from toktk.trainers.base import TrainingData
    from toktk.trainers.bpe import BpeTrainer

    trainer = BpeTrainer("o200k", special_tokens=list(names))
    model = trainer.train(TrainingData(Corpus.of([TEXT])), [420]).tokenizers[-1].model
    assert isinstance(model, BpeModel)
    return model


def slow_names(model: BpeModel) -> list[str]:
    n, of = len(model.special_tokens), byte_characters()
    return [*model.special_tokens, *["".join(of[b] for b in t) for t in model.tokens[n:]]]


def files(model: BpeModel, folder: Path) -> dict[str, bytes]:
    saved = Tokenizer("any", Pretokenizer.of("o200k"), model).save(folder)
    return {file.name: file.read_bytes() for file in saved.files}


def test_files_of_every_size_hold_what_json_and_base64_make(tmp_path: Path) -> None:
    longest = trained()
    sizes = [longest.vocab_size, 420 - 7, 300, longest.base_size]
    alone = [files(longest.cut(size), tmp_path / f"alone{size}") for size in sizes]
    with texts_kept():
        texts = texts_of(longest)
        together = [files(longest.cut(size), tmp_path / f"kept{size}") for size in sizes]
        assert texts_of(longest.cut(300)) is texts

    assert together == alone
    assert texts_of(longest) is not texts
    for size, own in zip(sizes, alone, strict=True):
        model = longest.cut(size)
        names = slow_names(model)
        document = json.loads(own["tokenizer.json"])
        assert [*document["model"]["vocab"].items()] == [(name, i) for i, name in enumerate(names)]
        merges = [[names[a], names[b]] for a, b, _ in model.merges.tolist()]
        assert document["model"]["merges"] == merges
        assert own["tokenizer.json"].decode() == json.dumps(document, ensure_ascii=False)
        ranks = mergeable_ranks(model).items()
        lines = b"".join(b"%s %d\n" % (base64.b64encode(t), i) for t, i in ranks)
        assert own["any.tiktoken"] == lines
        assert json.loads(own["any.tiktoken.json"])["explicit_n_vocab"] == size


def test_a_name_that_only_larger_sizes_have_twice_is_refused_there_alone(tmp_path: Path) -> None:
    last = slow_names(trained())[-1]
    model = trained((*NAMES[:-1], last))
    smaller = model.cut(300)
    with texts_kept():
        texts_of(model)
        with pytest.raises(FormatError, match="is also an ordinary token"):
            files(model, tmp_path / "large")
        files(smaller, tmp_path / "small")
    assert (tmp_path / "small" / "any.tiktoken").read_bytes().count(b"\n") == 300 - len(NAMES)


def test_another_model_has_texts_of_its_own() -> None:
    model = trained()
    other = replace(model, merges=np.ascontiguousarray(model.merges[::-1]))
    with texts_kept():
        texts = texts_of(model)
        assert texts_of(other) is not texts


@given(PAIRS)
def test_what_differs_at_a_size_is_read_off_the_longest(choices: list[tuple[int, int]]) -> None:
    longest = model_of(choices)
    for size in range(longest.base_size, longest.vocab_size + 1):
        model = longest.cut(size)
        known = BpeTexts(longest).differing(model)
        assert known is None or known == differing_tokens(model)
        alone = agreement(model)
        with texts_kept():
            texts_of(longest)
            assert agreement(model) == alone
