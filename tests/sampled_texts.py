"""A sample of texts at hand, as metrics are given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toktk.corpus import Corpus
from toktk.pieces.sample import Sample
from toktk.pieces.text_sample import TextSample


def sample_of(by_group: Mapping[str, Sequence[str]]) -> TextSample:
    """Sample documents, {group: texts}."""
    rows = [(text, group) for group, texts in by_group.items() for text in texts]
    sample = Sample()
    corpus = Corpus.of([text for text, _ in rows], groups=[group for _, group in rows])
    for batch in corpus.batches():
        sample.see(batch)
    return TextSample(sample.finish())
