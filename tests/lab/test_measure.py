"""Tokenizers measured together have the figures of each alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nasty import NASTY_TEXTS

import toktk
from toktk.corpus import Corpus
from toktk.lab import measure
from toktk.report.records import ALIKE

# Sections differ, and lines of one are alike: how much, each vocabulary says for itself.
SECTIONS = [f"{word * (i % 5 + 1)} {i // 25} " for i in range(300) for word in [f"w{i // 25}ords "]]
TEXT = Corpus.of(
    [*SECTIONS, *NASTY_TEXTS], groups=["sections"] * 300 + ["nasty"] * len(NASTY_TEXTS)
)


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, toktk.Tokenizer]:
    merged = toktk.train("bpe", TEXT, sizes=[258, 290, 330])
    other = toktk.train("bpe", TEXT, sizes=[300], pretokenizer="gpt2")
    pruned = toktk.train("unigram", TEXT, sizes=[290, 320])
    labels = ["c", "a", "b", "cut", "u1", "u2"]
    return dict(zip(labels, [*merged.values(), *other.values(), *pruned.values()], strict=True))


@pytest.mark.usefixtures("home")
def test_one_encoding_serves_what_it_can_and_changes_no_figure(
    tokenizers: dict[str, toktk.Tokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {label: toktk.evaluate({label: t}, TEXT) for label, t in tokenizers.items()}
    encoded: list[int] = []
    evaluate_models = measure.evaluate_models

    def counting(table: Any, models: Any, **options: Any) -> Any:
        encoded.append(len(models))
        return evaluate_models(table, models, **options)

    monkeypatch.setattr(measure, "evaluate_models", counting)
    together = toktk.evaluate(tokenizers, TEXT)

    assert sorted(encoded) == [2, 3]  # `cut` is measured already
    assert list(together) == [record for results in alone.values() for record in results]
    assert together.documents is not None
    for label, results in alone.items():
        assert results.documents is not None
        tokens = together.documents.tokens[label]
        assert np.array_equal(tokens, results.documents.tokens[label])
    notes = {
        r.note for r in together.where(group="sections") if r.note and r.note.startswith(ALIKE)
    }
    assert len(notes) > 1
