"""The protocol, with engines that do what they are told."""

from __future__ import annotations

import contextlib
import itertools
import random

import numpy as np
import pytest

from toktk.timing.engines import Engine
from toktk.timing.pathological import KINDS, pathological, text
from toktk.timing.process import EngineError, EngineProcess
from toktk.timing.protocol import Contest
from toktk.timing.slices import SMALLEST, cut_slices, draw, read_text, write_text
from toktk.timing.worker import Session


def fake(name, kind="Bytes", **source):
    return Engine(name, "1.0", f"fake_engines:{kind}", source)


class InProcess(EngineProcess):
    """A process that is none; notes what it was asked."""

    def __init__(self, engine, jobs, log):
        super().__init__(engine, jobs)
        self.session, self.name, self.log = None, engine.name, log
        self.breaks = engine.source.get("breaks", "nowhere")

    def _start(self):
        self.session = Session()

    def ask(self, what, limit=1.0, **arguments):
        self.log.append((self.name, what, arguments.get("text")))
        if what == "encode" and self.breaks in arguments["text"]:
            raise EngineError("stopped after 120 s")
        try:
            return getattr(self.session, what)(**arguments)
        except ValueError as error:
            raise EngineError(str(error)) from error

    def close(self):
        if self.session is not None:
            self.log.append((self.name, "close", None))
        self.session = None


@pytest.fixture
def log(monkeypatch, request):
    """What engines in this process are asked, in place of processes."""
    monkeypatch.syspath_prepend(str(request.path.parent))
    log = []
    start = lambda engine, jobs: InProcess(engine, jobs, log)  # noqa: E731
    monkeypatch.setattr("toktk.timing.protocol.EngineProcess", start)
    return log


@pytest.fixture
def texts(tmp_path):
    """Ten short slices."""
    return [write_text(tmp_path / f"{i}.npz", [b"text %d" % i, b"", b"more"]) for i in range(10)]


def contest(engines, texts, log, **options):
    return Contest("t", engines, texts, repeats=3, **options)


def test_each_slice_is_timed_once_by_each_engine_in_turning_order(texts, log):
    found = contest([fake("lib"), fake("a"), fake("b")], texts, log).run()
    timed = [(name, path) for name, what, path in log if what == "encode"]
    assert len(timed) == len(set(timed)) == 30
    by_slice = {}
    for name, path in timed:
        by_slice.setdefault(path, []).append(name)
    assert len(by_slice) == 10
    orders = ["".join(names) for names in by_slice.values()]
    assert orders[:3] == ["libab", "ablib", "bliba"]  # cold
    assert orders[3] == "libab"  # warming up
    assert orders[4:7] == ["libab", "ablib", "bliba"]
    first = next(i for i, (_, what, _) in enumerate(log) if what == "encode")
    assert {name for name, what, _ in log[:first] if what == "digests"} == {"lib", "a", "b"}
    assert not [name for name, what, _ in log[first:] if what == "digests"]
    values = {(r.engine, r.what): r for r in found}
    assert {what for _, what in values} == {
        *("ids", "load", "cold", "warm", "memory", "cold_ratio", "warm_ratio")
    }
    assert values["a", "warm"].n == 6
    assert values["a", "cold"].n == values["a", "load"].n == 3
    assert ("lib", "warm_ratio") not in values
    assert all(r.verified and r.value is not None for r in found)


def test_cold_engines_are_fresh_and_all_are_closed(texts, log):
    contest([fake("lib"), fake("a")], texts, log).run()
    mine = [what for name, what, _ in log if name == "a"]
    assert mine[:13] == ["load", *["digests"] * 10, "close", "load"]
    assert mine[13:20] == ["encode", "close", "load", "encode", "close", "load", "encode"]
    assert mine[20:] == [*["encode"] * 7, "memory", "close"]


def test_a_wrong_engine_is_shown_and_never_timed(texts, log):
    found = contest([fake("lib"), fake("wrong", wrong="text 4")], texts, log).run()
    assert not [1 for name, what, _ in log if name == "wrong" and what == "encode"]
    (record,) = [r for r in found if r.engine == "wrong"]
    assert (record.what, record.value, record.n, record.verified) == ("ids", 29, 30, False)
    assert "first difference at token 5 of a document: [999], lib has [52]" in record.note


def test_one_that_cannot_load_takes_nothing_away(texts, log):
    found = contest([fake("lib"), fake("no", "Refusing")], texts, log).run()
    (record,) = [r for r in found if r.engine == "no"]
    assert (record.what, record.value, record.note) == ("ids", None, "no such pattern")
    assert [r.value for r in found if r.engine == "lib" and r.what == "warm"] != [None]


@pytest.mark.parametrize(("at", "what"), [("1.npz", "cold"), ("3.npz", "warm"), ("6.npz", "warm")])
def test_one_that_breaks_later_leaves_a_note(texts, log, at, what):
    found = contest([fake("lib"), fake("a", breaks=at), fake("b")], texts, log).run()
    assert [(r.what, r.note) for r in found if r.engine == "a" and not r.verified] == [
        (what, "stopped after 120 s")
    ]
    assert {r.n for r in found if r.what == "warm" and r.engine != "a"} == {6}
    assert not [r for r in found if r.engine == "a" and r.unit == "ratio"]


def test_without_the_reference_nothing_is_timed(texts, log):
    found = contest([fake("lib", "Refusing"), fake("a")], texts, log).run()
    assert [(r.engine, r.value) for r in found] == [("lib", None), ("a", None)]
    assert found[1].note == "not compared: lib failed"


def test_too_little_text_is_said(texts, log):
    found = contest([fake("lib")], texts[:2], log).run()
    speeds = {r.what: r for r in found if r.unit == "MB/s"}
    assert speeds["cold"].value is speeds["warm"].value is None
    assert speeds["warm"].note.startswith("too little text to time: 1.4 MB")
    assert next(r for r in found if r.what == "load").value > 0


def test_a_process_reports_and_its_end_is_told(texts, log):
    with contextlib.closing(EngineProcess(fake("lib"), 1)) as process:
        assert not process.running
        with pytest.raises(EngineError, match="not running"):
            process.ask("memory")
        assert process.load()["call"] == "nothing"
        assert process.running
        assert process.encode(texts[0])["bytes"] == 10
        assert process.ask("ids", text=str(texts[0]), document=2) == list(b"more")
        assert process.ask("memory") >= 0
    assert not process.running
    for source, why in (
        ({"break": 1}, "RuntimeError: the engine broke"),
        ({"die": 1}, "exit code 7"),
        ({"sleep": 30}, r"^stopped after 2 s$"),
    ):
        process = EngineProcess(fake("lib", **source), 1)
        with contextlib.closing(process), pytest.raises(EngineError, match=why):
            process.load(2 if "sleep" in source else 60)


# Slices -------------------------------------------------------------------------------------------


def buffers(documents):
    data = np.frombuffer(b"".join(documents), dtype=np.uint8)
    return data, np.cumsum([0, *map(len, documents)], dtype=np.int64)


def test_slices_share_no_document_and_cover_the_text():
    chance = random.Random(1)
    distinct = [b"%d " % i * chance.randint(0, 300) for i in range(3000)]
    slices = cut_slices(*buffers(distinct + distinct[:500]), wanted=6)
    used = [document for one in slices for document in one]
    assert len(set(used)) == len(used)
    assert set(used) <= set(distinct)
    assert len(slices) in (5, 6)
    assert all(sum(map(len, one)) >= SMALLEST for one in slices)
    assert sum(map(len, distinct)) - sum(map(len, used)) < 2 * len(b"".join(slices[0]))
    assert slices == cut_slices(*buffers(distinct + distinct[:500]), wanted=6)
    assert slices != cut_slices(*buffers(distinct + distinct[:500]), wanted=6, seed=1)


@pytest.mark.parametrize("unit", ["ab\n", "語"])
def test_a_long_document_is_cut_between_lines_or_characters(unit):
    long = (unit * 400_000).encode()
    long = b"".join(b"%d " % i + long[3 * i : 3 * i + 3] for i in range(100_000))
    parts = [part for one in cut_slices(*buffers([long]), wanted=1) for part in one]
    assert len(parts) > 1
    assert b"".join(parts) in long
    assert all(part.decode() for part in parts)


def test_too_short_a_text_gives_no_slice():
    assert cut_slices(*buffers([b"few", b"words"]), wanted=5) == []
    assert cut_slices(*buffers([]), wanted=5) == []


def test_documents_are_drawn_evenly_and_not_too_many(corpus_of, monkeypatch):
    monkeypatch.setattr("toktk.timing.slices.SAMPLE", 2000)
    texts = [f"{i:06d} é" for i in range(5000)] + ["é" * 3000]
    corpus = corpus_of([(one, "g", 1) for one in texts], batch_rows=300)
    data, offsets = draw(corpus.batches())
    assert 1900 < data.size <= 4000
    documents = [data[a:b].tobytes().decode() for a, b in itertools.pairwise(offsets.tolist())]
    assert len(set(documents)) == len(documents)
    assert {one for one in documents if "0" in one} <= set(texts)
    from_each = np.bincount([int(one[:6]) // 1250 for one in documents if "0" in one], minlength=4)
    assert from_each.min() > len(documents) / 8
    few = draw(corpus_of([("a", "g", 1), ("", "g", 1), ("é" * 3000, "g", 1)]).batches())
    assert sorted(np.diff(few[1]).tolist()) == [0, 1, 500]


def test_written_text_is_read_back(tmp_path):
    data, offsets = read_text(write_text(tmp_path / "x.npz", [b"a", b"", b"bc"]))
    assert (data.tobytes(), offsets.tolist()) == (b"abc", [0, 1, 1, 3])


# Pathological texts -------------------------------------------------------------------------------


class Clockwork(EngineProcess):
    """Takes as long as it is told, without waiting."""

    def __init__(self, engine, jobs):
        super().__init__(engine, jobs)
        self.source = engine.source

    def load(self, limit=0):
        return {}

    def ask(self, what, limit, **arguments):
        n = int(read_text(arguments["text"])[1][-1])
        if n > self.source.get("dies", n):
            raise EngineError(f"stopped after {limit:g} s")
        digest = "wrong" if n > self.source.get("wrong", n) else str(n)
        seconds = self.source["a"] * n ** self.source["b"]
        return {"bytes": n, "seconds": seconds, "cpu": seconds, "digest": digest}


@pytest.fixture
def exponents(monkeypatch, tmp_path):
    monkeypatch.setattr("toktk.timing.pathological.EngineProcess", Clockwork)

    def run(engines):
        found = pathological("t", engines, tmp_path, 1)
        return {(r.engine, r.what.partition(":")[2], r.unit): r for r in found}

    return run


def test_exponents_are_those_of_the_clock(exponents):
    found = exponents([fake("lib", a=1e-12, b=2), fake("toktk", a=1e-9, b=1)])
    for kind in KINDS:
        slow, fast = found["lib", kind, "exponent"], found["toktk", kind, "exponent"]
        assert slow.value == pytest.approx(2, abs=1e-6)
        assert fast.value == pytest.approx(1, abs=1e-6)
        assert slow.n == fast.n == 5
        assert found["toktk", kind, "MB/s"].value == pytest.approx(1000, rel=1e-3)
        assert slow.verified
        assert fast.verified
        assert not slow.note


def test_what_blows_up_is_stopped_and_said(exponents):
    found = exponents([fake("lib", a=1e-9, b=2), fake("toktk", a=1e-9, b=1)])
    slow = found["lib", "letter", "exponent"]
    assert slow.note == "stopped after 4.3 s at 65,536 bytes"
    assert slow.value == pytest.approx(2)
    assert not found["toktk", "letter", "exponent"].verified  # beyond that, nobody knows
    found = exponents([fake("lib", a=1e-9, b=1, dies=10_000)])
    dead = found["lib", "letter", "exponent"]
    assert (dead.value, dead.note) == (None, "stopped after 4 s at 16,384 bytes")


def test_other_ids_are_not_timed(exponents):
    found = exponents([fake("lib", a=1e-9, b=1), fake("toktk", a=1e-9, b=1, wrong=9000)])
    assert ("toktk", "letter", "MB/s") not in found
    record = found["toktk", "letter", "exponent"]
    assert (record.value, record.note) == (None, "ids differ at 16,384 bytes")


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_utf8_of_the_length_asked_for(kind):
    for n in (4096, 8192):
        variants = [text(kind, n, v) for v in range(3)]
        assert len(set(variants)) == 3
        assert all(n - 8 <= len(one) <= n and one.decode() for one in variants)
