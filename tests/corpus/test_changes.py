"""Text that another process changes between its fingerprint and a reading is never counted as the old one."""

import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toktk.cache import Store
from toktk.corpus import load_corpus
from toktk.corpus.unchanged import State, open_file
from toktk.errors import CorpusError
from toktk.loading.sample import first_documents
from toktk.pieces.counting import count_corpus
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.timing.slices import draw
from toktk.trainers.base import TrainingData

OLD, NEW = ["old text"] * 50, ["new text"] * 50
KINDS = [
    "x.txt",
    "x.txt.gz",
    "x.txt.zst",
    "x.jsonl",
    "x.jsonl.gz",
    "x.parquet",
    "x.arrow",
    "x.feather",
]


def write(path, texts):
    name = path.name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"text": texts}), path)
    elif name.endswith(("arrow", "feather")):
        table = pa.table({"text": texts})
        new = pa.ipc.new_file if name.endswith("arrow") else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as out:
            out.write_table(table, max_chunksize=10)
    else:
        lines = texts if ".txt" in name else [json.dumps({"text": text}) for text in texts]
        raw = "".join(f"{line}\n" for line in lines).encode()
        if name.endswith("zst"):
            with pa.output_stream(str(path), compression="zstd") as file:
                file.write(raw)
        else:
            path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    return path


def replaced(path):
    write(path.with_name(f"other-{path.name}"), NEW).replace(path)


def appended(path):
    with path.open("ab") as file:
        file.write(b"\n")


def in_place(path):
    raw = path.read_bytes()
    with path.open("r+b") as file:
        file.write(raw[::-1])
    assert path.stat().st_size == len(raw)


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def backdated(path):
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    in_place(path)
    os.utime(path, ns=times)
    assert path.stat().st_mtime_ns == times[1]


posix = pytest.mark.skipif(os.name == "nt", reason="no time that only the system sets")
CHANGES = [replaced, appended, in_place, truncated, pytest.param(backdated, marks=posix)]


def texts(corpus):
    """Return the documents, without the line feed that ends a line."""
    documents = [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]
    return [text.removesuffix("\n") for text in documents]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_after_the_fingerprint(tmp_path, name, change):
    path = write(tmp_path / name, OLD)
    corpus = load_corpus(path)
    corpus.hash_contents()
    assert texts(corpus) == OLD
    change(path)
    with pytest.raises(CorpusError, match=rf"{name} changed while(?s:.*)Found: (?s:.*)Run again"):
        texts(corpus)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_while_it_is_read(tmp_path, monkeypatch, name, change):
    for module in ("text", "batch", "columnar"):
        monkeypatch.setattr(f"toktk.corpus.{module}.BATCH_BYTES", 16)
    path = write(tmp_path / name, OLD)
    corpus = load_corpus(path)
    corpus.hash_contents()
    batches = corpus.batches()
    end = "\n" if ".txt" in name else ""
    assert set(next(batches).column(0).to_pylist()) == {f"old text{end}"}
    change(path)
    seen = []
    with pytest.raises(CorpusError, match=f"{name} changed"):
        seen += [text for batch in batches for text in batch.column(0).to_pylist()]
    assert set(seen) <= {"old text"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_while_it_is_hashed(tmp_path, monkeypatch, change):
    path = write(tmp_path / "x.txt", OLD)
    corpus = load_corpus(path)
    settle = State.settle
    monkeypatch.setattr(State, "settle", lambda state: (settle(state), change(path)))
    with pytest.raises(CorpusError, match=r"x\.txt changed"):
        corpus.hash_contents()


READINGS = {
    "counting": lambda corpus: count_corpus(corpus, Pretokenizer.of("gpt2"), jobs=2),
    "a trainer": lambda corpus: list(TrainingData(corpus).texts()),
    "timing": lambda corpus: draw(corpus.batches()),
    "the documents to check": lambda corpus: first_documents(corpus, Store()),
    "the first lines": lambda corpus: texts(corpus.limit(3)),
    "a sample": lambda corpus: texts(corpus.limit(3, seed=1)),
    "a side of a split": lambda corpus: texts(corpus.split()[0]),
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.usefixtures("home")
def test_every_reading_sees_the_change(tmp_path, reading):
    path = write(tmp_path / "x.txt", OLD)
    corpus = load_corpus(path)
    corpus.hash_contents()
    in_place(path)
    with pytest.raises(CorpusError, match=r"x\.txt changed"):
        READINGS[reading](corpus)


def test_one_file_of_a_folder(tmp_path):
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, OLD)
    corpus = load_corpus(tmp_path)
    corpus.hash_contents()
    write(tmp_path / "c.txt", NEW)  # it came too late to be a part
    assert texts(corpus) == 2 * OLD
    (tmp_path / "b.txt").unlink()
    with pytest.raises(CorpusError, match=r"b\.txt"):
        texts(corpus)


def test_a_touch_that_writes_nothing_new_to_an_old_file_is_a_change_too(tmp_path):
    path = write(tmp_path / "x.txt", OLD)
    os.utime(path, (10**9, 10**9))
    corpus = load_corpus(path)
    corpus.hash_contents()
    os.utime(path)
    with pytest.raises(CorpusError, match="last touched"):
        texts(corpus)


def test_a_file_just_written_is_let_settle(tmp_path, monkeypatch):
    now, slept = [10**18 + 5], []
    monkeypatch.setattr("toktk.corpus.unchanged.time.time_ns", lambda: now[0])
    monkeypatch.setattr("toktk.corpus.unchanged.time.sleep", slept.append)
    State(1, 10**18 + 1, 0).settle()
    assert slept == [pytest.approx(0.02)]
    State(1, 10**18, 0).settle()  # a file system that keeps whole seconds
    assert slept[1:] == [pytest.approx(2)]
    now[0] += 2 * 10**9
    State(1, 10**18 + 1, 10**18).settle()
    State(1, 2 * 10**18, -(10**30)).settle()  # not for a time far ahead
    assert len(slept) == 2


@pytest.mark.parametrize("moment", [0, -(10**18), 10**25])
def test_any_time_can_be_shown(moment):
    assert "7 bytes, last touched" in str(State(7, moment, moment))


def test_a_file_is_read_from_its_start(tmp_path):
    path = write(tmp_path / "x.txt", OLD)
    with open_file(path) as file:
        assert file.tell() == 0
        assert State.of(file).size == path.stat().st_size
