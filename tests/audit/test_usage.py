"""Ids that a text never uses: counts against sets, intervals, halves, another text."""

from __future__ import annotations

import numpy as np
import pytest
from audited import of_ranks, only, text_of, token_id, word_pieces
from hypothesis import given
from hypothesis import strategies as st

from toktk.audit.usage import never_used, usage, used_in

WORDS = [b"ab", b"cd", b"xy", b"zz"]


def test_never_used_and_of_one_document(corpus_of):
    subject = of_ranks(WORDS)
    documents = [f"ab {i}" for i in range(30)] + ["cd cd cd by it"]
    text = text_of(subject, corpus_of, documents)
    findings = usage(subject, text)
    never = only(findings, "never-used")
    used = {token for d in documents for token in subject.tokenizer.encode(d)}
    assert never.ids == tuple(sorted(set(subject.ordinary.tolist()) - used))
    assert (never.severity, never.of) == ("info", 260)
    assert never.message.startswith("on this text, 31 different documents")
    assert "95% on as much text like it" in never.message
    alone = only(findings, "one-document")
    assert token_id(subject, b"cd") in alone.ids
    assert token_id(subject, b"ab") not in alone.ids
    assert alone.examples[0] == "cd"


def test_a_text_that_uses_all(tmp_path, corpus_of):
    subject = word_pieces(tmp_path, ["a", "b"])
    found = only(usage(subject, text_of(subject, corpus_of, ["a b"])), "never-used")
    assert (found.severity, found.count, found.of) == ("ok", 0, 2)


def test_the_interval_holds_the_figure_and_grows_with_rare_ids(corpus_of):
    subject = of_ranks([])
    common = text_of(subject, corpus_of, [f"abc {i % 10} {i}" for i in range(200)])
    n_ids = len(subject.tokens)
    steady = never_used(common, subject.ordinary, n_ids)
    assert steady.value == 256 - len(set("".join(f"abc {i % 10} {i}" for i in range(200))))
    assert steady.low == steady.high == steady.value  # no block has an id that another lacks
    pairs = [f"{a}{b}" for a in "abcdefghijk" for b in "lmnopqrstuv"]
    subject = of_ranks([pair.encode() for pair in pairs], pattern=r"\p{L}+|.")
    rare = text_of(subject, corpus_of, [f"{pair} {i}" for i, pair in enumerate(pairs[:100])])
    varied = never_used(rare, subject.ordinary, len(subject.tokens))
    assert varied.low is not None
    assert varied.high is not None
    assert varied.low < varied.value < varied.high


def test_few_documents_and_parts_have_no_interval(corpus_of):
    subject = of_ranks([])
    n_ids = len(subject.tokens)
    few = never_used(text_of(subject, corpus_of, ["a", "b"]), subject.ordinary, n_ids)
    assert (few.low, few.why) == (None, "few")
    documents = [f"text {i}" for i in range(100)]
    part = text_of(subject, corpus_of, documents, most=200)
    assert not part.is_all
    assert part.n_all == 100
    assert never_used(part, subject.ordinary, n_ids).why == "part"
    assert "of 100 different documents" in part.described
    found = only(usage(subject, text_of(subject, corpus_of, ["a", "b"])), "one-document")
    assert found.message == "not checked: 2 documents, fewer than 20."


def test_another_text_and_halves(corpus_of):
    subject = of_ranks(WORDS)
    first = text_of(subject, corpus_of, [f"ab {i}" for i in range(40)])
    second = text_of(subject, corpus_of, ["xy xy"])
    unused = only(usage(subject, first), "never-used")
    assert unused.count is not None
    message = only(usage(subject, first, second), "never-used").message
    assert "Of these, 1 (0.4%) are used in " in message
    assert message.endswith(f", and {unused.count - 1} in neither.")
    assert "that one half of its documents does not use" in unused.message
    single = text_of(subject, corpus_of, ["ab"])
    assert "no halves" in only(usage(subject, single), "never-used").message


@given(
    texts=st.lists(
        st.text("abcxyz é", min_size=1, max_size=6), min_size=1, max_size=12, unique=True
    )
)
def test_used_ids_are_those_of_the_documents(texts, corpus_of):
    subject = of_ranks(WORDS)
    text = text_of(subject, corpus_of, texts)
    wanted = {i for each in texts for i in subject.tokenizer.encode(each)}
    assert set(np.flatnonzero(used_in(text, len(subject.tokens))).tolist()) == wanted
    middle = len(texts) // 2
    halves = used_in(text, 300, slice(0, middle)) | used_in(text, 300, slice(middle, None))
    assert set(np.flatnonzero(halves).tolist()) == wanted


def test_languages_of_a_line_are_one_unit(corpus_of):
    from toktk.audit.subject import Text
    from toktk.pieces.sample import Sample

    subject = of_ranks([])
    rows = [
        (f"{language} {i}", language, 1, str(i)) for language in ("de", "en") for i in range(40)
    ]
    sample = Sample()
    for batch in corpus_of(rows).batches():
        sample.see(batch)
    text = Text.of("parallel", sample.finish(), subject, 1)
    interval = never_used(text, subject.ordinary, len(subject.tokens))
    assert interval.n == 40
    assert interval.n_effective == pytest.approx(40, rel=0.05)
    assert text.described.startswith("80 different documents")
