import json
import shlex
import shutil

import pytest
from counting_work import NumberWork

from toktk.errors import CorpusError, StorageError, ToktkError
from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.ranks.sealed import sealed, unsealed
from toktk.ranks.work import run_rank


@pytest.fixture
def place(tmp_path):
    return Place.of(tmp_path / "out")


def run_all(place, size=3, **changes):
    for rank in range(size):
        run_rank(NumberWork(**changes), place, rank, size)
    return RankFolder(place, "numbers", "toktk number")


def written(place):
    return {name: place.read(name) for name in place.names()}


def test_a_rank_leaves_its_files_and_a_marker(place):
    marker = run_rank(NumberWork(), place, 1, 3)
    assert place.names() == ["done/00001.json", "numbers.json", "numbers/00001.txt"]
    assert unsealed(place.read("done/00001.json")) == marker
    assert marker["share"] == {"begin": 333, "end": 666, "of": 1000}
    assert marker["files"]["numbers/00001.txt"]["bytes"] == 1


def test_ranks_in_any_order_write_the_same(place, tmp_path):
    run_all(place)
    other = Place.of(tmp_path / "other")
    for rank in (2, 0, 1):
        run_rank(NumberWork(), other, rank, 3)
    assert written(other) == written(place)


def test_what_is_done_is_not_done_again(place):
    marker = run_rank(NumberWork(), place, 1, 3)
    assert run_rank(NumberWork(fails=(1,)), place, 1, 3) == marker
    with pytest.raises(CorpusError):
        run_rank(NumberWork(fails=(1,)), place, 1, 3, force=True)


def test_progress_adds_up(place):
    amounts = []
    for rank in range(7):
        run_rank(NumberWork(), place, rank, 7, amounts.append)
    assert sum(amounts) == 1000


def test_a_rank_that_fails_is_begun_and_missing(place):
    with pytest.raises(CorpusError):
        run_rank(NumberWork(fails=(1,)), place, 1, 3)
    folder = RankFolder(place, "numbers", "toktk number")
    state = folder.state()
    assert (sorted(state.begun), state.missing, state.done) == ([1], [0, 1, 2], {})
    assert set(state.begun[1]) == {"host", "pid", "time"}
    run_rank(NumberWork(), place, 1, 3)
    assert folder.state().begun == {}


def test_complete(place):
    folder = run_all(place)
    manifest, markers = folder.complete()
    assert manifest["what"] == "numbers"
    assert manifest["world_size"] == 3
    assert [marker["rank"] for marker in markers] == [0, 1, 2]
    ((name, about),) = markers[2]["files"].items()
    with folder.local(2, name, about) as path:
        assert path.read_text() == "2"


def test_missing_ranks_are_named_with_what_to_run(place):
    folder = run_all(place, 4)
    place.remove("done/00001.json")
    with pytest.raises(StorageError) as told:
        folder.complete()
    assert told.value.args[0] == "rank 1 of 4 is missing."
    assert "toktk number -c SPEC --rank 1 --world-size 4" in told.value.args[2]
    place.remove("done/00003.json")
    with pytest.raises(StorageError, match="ranks 1, 3 of 4 are missing"):
        folder.complete()


def test_a_rank_that_is_there_twice(place):
    folder = run_all(place)
    shutil.copy(place.folder / "done/00000.json", place.folder / "done/00002.json")
    with pytest.raises(StorageError, match="rank 0 is there twice") as told:
        folder.complete()
    assert "done/00002.json" in str(told.value)
    assert folder.state().missing == [2]
    run_rank(NumberWork(), place, 2, 3)  # it is not taken for done
    folder.complete()


def test_a_rank_too_many(place):
    folder = run_all(place)
    shutil.copy(place.folder / "done/00000.json", place.folder / "done/00003.json")
    with pytest.raises(StorageError, match="twice"):
        folder.complete()
    marker = unsealed(place.read("done/00000.json"))
    place.write("done/00003.json", sealed({**marker, "rank": 3}))
    with pytest.raises(StorageError, match="a rank too many: 3"):
        folder.complete()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"rank": 1', b"\xff\x00"])
def test_a_truncated_marker_is_named_and_its_rank_is_not_done(place, content):
    folder = run_all(place)
    place.write("done/00001.json", content)
    with pytest.raises(StorageError, match=r"00001\.json") as told:
        folder.complete()
    assert "--rank 1 " in str(told.value)
    assert folder.state().missing == [1]
    run_rank(NumberWork(), place, 1, 3)
    folder.complete()


@pytest.mark.parametrize("key", ["files", "share", "manifest", "toktk"])
def test_a_marker_that_was_edited_is_damaged_and_its_rank_is_not_done(place, key):
    folder = run_all(place)
    marker = json.loads(place.read("done/00001.json"))
    del marker[key]
    place.write("done/00001.json", json.dumps(marker).encode())
    with pytest.raises(StorageError, match=r"00001\.json is damaged"):
        folder.complete()
    assert folder.state().missing == [1]


def test_commands_in_messages_can_be_copied(tmp_path):
    place = Place.of(tmp_path / "two words'")
    run_rank(NumberWork(), place, 0, 2)
    with pytest.raises(StorageError) as told:
        RankFolder(place, "numbers", "toktk number").complete()
    command = told.value.args[2].partition(": ")[2]
    assert shlex.split(command)[-2:] == ["-o", str(tmp_path / "two words'")]


@pytest.mark.parametrize("size", [b"100000000000", b"-4", b"null"])
def test_a_manifest_that_was_edited_is_damaged(place, size):
    folder = run_all(place)
    content = place.read("numbers.json")
    place.write("numbers.json", content.replace(b'"world_size": 3', b'"world_size": ' + size))
    for use in (folder.complete, folder.state, lambda: run_rank(NumberWork(), place, 1, 3)):
        with pytest.raises(StorageError, match=r"numbers\.json is damaged"):
            use()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_manifest(place, content):
    folder = run_all(place)
    place.write("numbers.json", content)
    for use in (folder.complete, folder.state, lambda: run_rank(NumberWork(), place, 1, 3)):
        with pytest.raises(StorageError, match=r"numbers\.json"):
            use()


def test_a_manifest_of_another_version(place):
    folder = run_all(place)
    place.write("numbers.json", sealed({"format": 99}))
    with pytest.raises(StorageError, match="format 99"):
        folder.complete()


def test_no_such_folder(place):
    with pytest.raises(StorageError, match="is no folder of toktk number"):
        RankFolder(place, "numbers", "toktk number").complete()


@pytest.mark.parametrize(
    ("there", "here", "size", "shown"),
    [
        ({"a": 1}, {"a": 2}, 3, "a is 1 there and 2 here"),
        ({"a": {"b": [1, {"c": "é"}]}}, {"a": {"b": [1, {"c": "e"}]}}, 3, 'a.b.1.c is "é" there'),
        ({"a": 1}, {"b": 1}, 3, "a is 1 there and absent here; b is absent there"),
        ({"a": 1}, {"a": 1}, 4, "world_size is 3 there and 4 here"),
    ],
)
def test_other_work_in_the_same_folder_is_refused(place, there, here, size, shown):
    run_rank(NumberWork(manifest=there), place, 0, 3)
    before = written(place)
    with pytest.raises(StorageError, match="holds other work") as told:
        run_rank(NumberWork(manifest=here), place, 1, size)
    assert shown in told.value.args[1]
    assert written(place) == before


def test_another_manifest_that_comes_at_the_same_time(place):
    class Overtaken(NumberWork):
        def run(self, rank, world_size, place, advance):
            place.write("numbers.json", sealed({"format": 1, "world_size": 3, "what": "letters"}))
            return super().run(rank, world_size, place, advance)

    with pytest.raises(StorageError, match='"letters" there and "numbers" here'):
        run_rank(Overtaken(), place, 1, 3)
    assert place.names("done") == []


def test_a_rank_of_another_manifest_is_named(place):
    folder = run_all(place)
    marker = unsealed(place.read("done/00001.json"))
    place.write("done/00001.json", sealed({**marker, "manifest": "0" * 64}))
    with pytest.raises(StorageError, match="rank 1 did other work"):
        folder.complete()
    assert folder.state().missing == [1]


@pytest.mark.parametrize("key", ["begin", "end"])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_shares_that_do_not_join(place, key, rank):
    folder = run_all(place)
    name = f"done/0000{rank}.json"
    marker = unsealed(place.read(name))
    marker["share"][key] += 1
    place.write(name, sealed(marker))
    with pytest.raises(StorageError, match=r"the share of rank \d does not join"):
        folder.complete()


def test_damaged_and_missing_files_are_named(place):
    folder = run_all(place)
    _, markers = folder.complete()
    ((name, about),) = markers[1]["files"].items()
    for content, why in ((b"7", "sha256"), (b"12", "2 bytes, not 1"), (None, "No such file")):
        if content is None:
            place.remove(name)
        else:
            place.write(name, content)
        with (
            pytest.raises(StorageError, match=r"00001\.txt is not what rank 1 has written") as told,
            folder.local(1, name, about),
        ):
            raise AssertionError
        assert why in told.value.args[1]
        assert "Delete" in told.value.args[2]
        assert "--rank 1 --world-size 3" in told.value.args[2]


def test_impossible_ranks(place):
    for rank, size in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ToktkError):
            run_rank(NumberWork(), place, rank, size)
    assert place.names() == []
