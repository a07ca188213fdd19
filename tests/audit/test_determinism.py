"""Determinism: engines that always give the same ids, and one that does not."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
from audited import of_file, of_ranks, only, word_pieces

from toktk.audit.determinism import determinism
from toktk.audit.subject import Subject
from toktk.models.bpe import BpeModel


def test_the_same_ids_in_all_ways(tmp_path: Path, tokenizer):
    tokenizer.save(tmp_path)
    subject = of_file(tmp_path)
    (found,) = determinism(subject, None, 2)
    assert (found.severity, found.count) == ("ok", 0)
    assert "in 2 threads, one document at a time and in another process" in found.message


def test_a_tokenizer_that_a_library_runs(tmp_path: Path):
    found = determinism(word_pieces(tmp_path, ["a", "##b"]), None)
    assert [each.severity for each in found] == ["ok"]


class Random(BpeModel):
    """Gives other ids at each call, as dropout does."""

    calls = itertools.count()

    def encode_pieces(self, data, offsets):
        ids, ends = super().encode_pieces(data, offsets)
        if ids.size:
            ids = (ids + next(self.calls)) % np.uint32(256)
        return ids.astype(np.uint32), ends


def test_ids_that_change_are_an_error():
    model = Random((), np.empty((0, 3), dtype=np.int64))
    subject = of_ranks([])
    subject = Subject(replace(subject.tokenizer, model=model))
    findings = determinism(subject, None)
    found = findings[-1]
    assert found.severity == "error"
    assert found.count is not None
    assert found.count > 0
    assert only(findings[:1], "determinism").message.startswith("not checked in another process")
