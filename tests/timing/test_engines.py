"""The real engines in their child processes, on small tokenizers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from nasty import NASTY_TEXTS
from small_corpora import SYLLABLES, lines

from toktk.report.throughput import throughput_text
from toktk.timing.engines import engines_for
from toktk.timing.protocol import measure
from toktk.timing.worker import Session


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer as tokenizer.json and as .tiktoken."""
    from toktk.models.bpe import BpeModel
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer import Tokenizer

    folder = tmp_path_factory.mktemp("made")
    a, b, c = (int(i) for i in BpeModel((), np.empty((0, 3), np.int64)).byte_ids[list(b"abc")])
    merges = [(a, b, 256), (256, c, 257), (a, a, 258), (258, 258, 259)]  # ab, abc, aa, aaaa
    model = BpeModel((), np.array(merges, dtype=np.int64))
    Tokenizer("made", Pretokenizer.of("cl100k"), model).save(folder)
    return folder


@pytest.fixture(scope="module")
def documents():
    parts = [f"{line}\n{i} aabbc abc" for s in SYLLABLES for i, line in enumerate(lines(s))]
    raw = [part.encode() for part in parts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)], dtype=np.int64)


def test_from_end_to_end(folder, documents, monkeypatch):
    from toktk.loading.load import open_tokenizer

    monkeypatch.setattr("toktk.timing.slices.SMALLEST", 2000)
    own = ("tokenizers", "tiktoken")  # a process for each peer as well would take seconds
    monkeypatch.setattr("toktk.timing.engines._version", lambda name: name in own and "1")
    loaded = open_tokenizer(str(folder / "tokenizer.json"))
    found = measure(loaded, documents, repeats=1, growth=False)
    values = {(r.engine, r.what): r for r in found}
    for engine in ("tokenizers", "toktk"):
        for what in ("ids", "load", "cold", "warm", "memory"):
            assert values[engine, what].value > 0, (engine, what)
            assert values[engine, what].verified
    for busy in (False, True):
        shown = throughput_text([replace(timing, busy=busy) for timing in found], 120)
        assert len(re.findall(r"(?:tokenizers|toktk) \d\S* +\d\.\d\d ", shown)) == 2
        assert ("the machine was busy" in shown) == busy


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a peer leaves its file to the collector
def test_every_engine_runs_and_toktk_equals_the_library(folder, tmp_path):
    from toktk.loading.load import open_tokenizer
    from toktk.timing.slices import write_text

    text = write_text(tmp_path / "t.npz", [one.encode() for one in NASTY_TEXTS] + [b"aab cab"])
    for file in ("tokenizer.json", "made.tiktoken"):
        place = tmp_path / file.replace(".", "-")
        place.mkdir()
        found = {}
        for one in engines_for(open_tokenizer(str(folder / file)), place):
            session = Session()
            try:
                session.load(one.adapter, one.source, 1)
            except (ValueError, RuntimeError):  # a peer that does not know the pattern
                assert one.name in ("gigatoken", "quicktok")
                continue
            found[one.name] = session.digests(str(text))
        library = next(iter(found))
        assert found["toktk"] == found[library]
        assert {len(digests) for digests in found.values()} == {len(NASTY_TEXTS) + 1}
