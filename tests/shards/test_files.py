"""Files of shards: cut between documents, whole or not there."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from toktk.arrays import offsets_of
from toktk.counts.documents import DocumentSum
from toktk.errors import CorpusError, StorageError
from toktk.places import Place
from toktk.shards import files
from toktk.shards.documents import EncodedDocuments
from toktk.shards.files import ShardWriter


def documents(lengths, groups=None, names=("a", "b", "c"), first=0):
    """Return documents of so many tokens, numbered from `first`."""
    offsets = offsets_of(lengths)
    return EncodedDocuments(
        np.arange(first, first + offsets[-1], dtype=np.uint16),
        offsets,
        np.array(lengths, dtype=np.int64) * 3,
        np.array(groups or [0] * len(lengths), dtype=np.int32),
        [*names],
        DocumentSum(),
    )


def written(folder, batches, shard_tokens=10, kind="npy", rank=7):
    with ShardWriter(Place.of(folder), rank, kind, np.dtype("<u2"), shard_tokens) as writer:
        for batch in batches:
            writer.add(batch)
        return writer.finish()


LENGTHS = [3, 0, 7, 0, 0, 1, 25, 0, 10, 9, 2]
CUT = [[3, 0, 7, 0, 0], [1], [25], [0, 10], [9], [2]]
"""What fits, in order, with no more than 10 tokens but where a document has more."""


def test_shards_end_between_documents(tmp_path, documents_in):
    marker = written(tmp_path, [documents(LENGTHS)])
    assert [shard["tokens"] for shard in marker["shards"]] == [sum(part) for part in CUT]
    assert [shard["documents"] for shard in marker["shards"]] == [len(part) for part in CUT]
    assert marker["shards"][2] == {
        "name": "00007-00002", "documents": 1, "tokens": 25, "bytes": 75,
    }  # fmt: skip
    rows = documents_in(tmp_path)
    assert [len(tokens) for tokens, _, _ in rows] == LENGTHS
    assert [token for tokens, _, _ in rows for token in tokens] == [*range(sum(LENGTHS))]


@pytest.mark.parametrize("kind", ["npy", "parquet"])
@pytest.mark.parametrize("at", range(len(LENGTHS) + 1))
def test_batches_change_nothing(tmp_path, at, kind):
    groups = [i * i % 3 for i in range(len(LENGTHS))]
    whole = written(tmp_path / "whole", [documents(LENGTHS, groups)], kind=kind)
    parts = [
        documents(LENGTHS[:at], groups[:at]),
        # The same groups by other numbers, and one that no document has.
        documents(
            LENGTHS[at:], [(2, 0, 3)[g] for g in groups[at:]], "bdac", first=sum(LENGTHS[:at])
        ),
    ]
    cut = written(tmp_path / "cut", parts, kind=kind)
    assert cut["shards"] == whole["shards"]
    if kind == "npy":
        assert cut["files"] == whole["files"]
    else:  # row groups follow batches
        for name in whole["files"]:
            ours, theirs = (pq.read_table(tmp_path / each / name) for each in ("whole", "cut"))
            assert ours.equals(theirs)


def test_groups_are_numbered_as_they_appear(tmp_path):
    written(tmp_path, [documents([1, 1, 1], [2, 0, 2]), documents([1, 1], [1, 0])], 100)
    assert json.loads((tmp_path / "00007-00000.groups.json").read_bytes()) == ["c", "a", "b"]
    assert np.load(tmp_path / "00007-00000.groups.npy").tolist() == [0, 1, 0, 2, 1]


def test_names_of_groups_can_be_anything(tmp_path):
    names = ["\x1b[31m\n", "日本", ""]
    written(tmp_path, [documents([1, 1, 1], [0, 1, 2], names)], 100)
    assert json.loads((tmp_path / "00007-00000.groups.json").read_bytes()) == names


def test_rows_of_parquet(tmp_path):
    batches = [documents([2, 0], [1, 0]), documents([3], [2], first=2)]
    (name,) = written(tmp_path, batches, 100, "parquet")["files"]
    assert name == "00007-00000.parquet"
    table = pq.read_table(tmp_path / name)
    assert str(table.schema.field("tokens").type) == "list<element: uint16 not null>"
    assert table.to_pydict() == {
        "tokens": [[0, 1], [], [2, 3, 4]], "bytes": [6, 0, 9], "group": ["b", "a", "c"],
    }  # fmt: skip


def test_a_document_too_long_for_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_MOST_OF_ROWS", 5)
    with pytest.raises(CorpusError, match=r"too long for a row of Parquet(.|\n)*--files npy"):
        written(tmp_path, [documents([6])], kind="parquet")
    assert [*tmp_path.iterdir()] == []


def test_no_document_no_file(tmp_path):
    assert written(tmp_path, []) == {"shards": [], "files": {}}
    assert written(tmp_path, [documents([])]) == {"shards": [], "files": {}}
    assert [*tmp_path.iterdir()] == []


def test_documents_without_a_token_are_documents(tmp_path, documents_in):
    written(tmp_path, [documents([0, 0])])
    assert documents_in(tmp_path) == [([], 0, "a")] * 2


@pytest.mark.parametrize("kind", ["npy", "parquet"])
def test_what_fails_leaves_whole_files_alone(tmp_path, kind):
    def failing():
        yield documents([10, 4])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        written(tmp_path, failing(), kind=kind)
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {"00007-00000"}


@pytest.mark.parametrize("address", [False, True])
def test_a_full_disk_is_an_error(tmp_path, monkeypatch, address):
    class Full(files.NpyFile):
        def append(self, numbers):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "NpyFile", Full)
    where = "memory://bucket/shards" if address else tmp_path / "out"
    with pytest.raises(StorageError, match="No space left on device"):
        written(where, [documents([1])])
    if not address:
        assert [*(tmp_path / "out").iterdir()] == []


def test_an_address(tmp_path, documents_in):
    import fsspec

    marker = written("memory://bucket/shards", [documents(LENGTHS)])
    place = Place.of("memory://bucket/shards")
    assert place.names() == sorted(marker["files"])
    for name in place.names():
        content = place.read(name)
        assert len(content) == marker["files"][name]["bytes"]
        (tmp_path / name).write_bytes(content)
    assert [len(tokens) for tokens, _, _ in documents_in(tmp_path)] == LENGTHS
    fsspec.filesystem("memory").store.clear()
