"""A corpus as shards: by any number of ranks, gone on with after a kill, refused where it is another's."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from every_kind import EXACT, word_pieces
from nasty import NASTY_TEXTS

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.counts.documents import DocumentSum
from toktk.errors import CorpusError, FormatError, StorageError, ToktkError
from toktk.models.counts import CountsModel
from toktk.places import Place
from toktk.ranks.sealed import sealed, unsealed
from toktk.ranks.text import Text
from toktk.shards.encode import carry_out, encode_corpus, ranks_to_do
from toktk.shards.status import check_files, status_of
from toktk.shards.work import EncodeWork, about_tokenizer
from toktk.tokenizer import Tokenizer

END = "<|endoftext|>"


@pytest.fixture
def corpus(tmp_path):
    """JSON Lines with every nasty text, in three groups."""
    rows = [{"text": text, "lang": f"nasty {i % 3}"} for i, text in enumerate(NASTY_TEXTS * 3)]
    path = tmp_path / "nasty.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return load_corpus(str(path), ReaderOptions(group_column="lang"))


def expected(tokenizer, bos=(), eos=()):
    return [
        ([*bos, *tokenizer.encode(text), *eos], len(text.encode()), f"nasty {i % 3}")
        for i, text in enumerate(NASTY_TEXTS * 3)
    ]


def contents(folder):
    """Return the files of a folder by name, but for what says when and where a rank was begun."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("world_size", [1, 2, 7, 100])
def test_any_number_of_ranks(tmp_path, corpus, tokenizer, documents_in, world_size):
    status = encode_corpus(
        tokenizer, corpus, tmp_path / "out", eos=END, world_size=world_size, shard_tokens=900
    )
    end = tokenizer.model.special_tokens.index(END)
    rows = documents_in(tmp_path / "out")
    assert rows == expected(tokenizer, eos=[end])
    assert status.documents == len(rows)
    assert status.tokens == sum(len(tokens) for tokens, _, _ in rows)
    assert status.bytes == sum(n_bytes for _, n_bytes, _ in rows)
    assert (status.missing, status.world_size) == ([], world_size)
    fingerprint = DocumentSum()
    for batch in corpus.batches():
        fingerprint.add(batch)
    assert status.fingerprint == str(fingerprint)
    check_files(Place.of(tmp_path / "out"))


@pytest.mark.parametrize("kind", EXACT)
def test_every_engine(tmp_path, corpus, documents_in, kind):
    tokenizer = EXACT[kind]()
    encode_corpus(tokenizer, corpus, tmp_path / "out", world_size=2)
    assert documents_in(tmp_path / "out") == expected(tokenizer)


def test_threads_change_nothing(tmp_path, corpus, tokenizer):
    for jobs in (1, 3):
        encode_corpus(tokenizer, corpus, tmp_path / f"{jobs}", bos=END, jobs=jobs, world_size=2)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_many_threads_are_shared_by_processes(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path / "one", world_size=3)
    work = EncodeWork(Text.of(corpus), tokenizer, about_tokenizer(tokenizer))
    where, amounts = str(tmp_path / "many"), []
    ranks = ranks_to_do(work, Place.of(where), None, 3)
    carry_out(work, where, ranks, 3, 8, amounts.append, pytest.fail)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert sum(amounts) == corpus.size


@pytest.mark.parametrize("kind", EXACT)
def test_work_can_be_sent_to_other_processes(tmp_path, corpus, documents_in, kind):
    tokenizer = EXACT[kind]()
    work = EncodeWork(Text.of(corpus), tokenizer, about_tokenizer(tokenizer))
    sent = pickle.loads(pickle.dumps(work))
    assert sent.manifest == work.manifest
    carry_out(sent, str(tmp_path / "out"), [0], 1, 1, lambda amount: None, pytest.fail)
    assert documents_in(tmp_path / "out") == expected(tokenizer)


def test_each_process_looks_for_the_text_itself(tmp_path, corpus, tokenizer):
    path = str(tmp_path / "nasty.jsonl")
    reader = ReaderOptions(group_column="lang")
    work = EncodeWork(Text((path,), reader), tokenizer, about_tokenizer(tokenizer))
    manifest = work.manifest
    assert manifest["text"]["bytes"] == corpus.size
    sent = pickle.dumps(work)
    assert pickle.loads(sent).manifest == manifest
    with Path(path).open("a") as file:
        file.write('{"text": "more", "lang": "x"}\n')
    assert pickle.loads(sent).manifest["text"]["digest"] != manifest["text"]["digest"]


def test_text_of_a_pipe_is_sent_as_it_is(tokenizer):
    read, write = os.pipe()
    os.write(write, b"a line\nanother\n")
    os.close(write)
    work = EncodeWork(
        Text((f"/dev/fd/{read}",), ReaderOptions()), tokenizer, about_tokenizer(tokenizer)
    )
    assert work.corpus.size == 15
    sent = pickle.dumps(work)
    os.close(read)
    assert pickle.loads(sent).manifest == work.manifest


def test_one_rank_after_the_other_in_any_order(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path / "all", world_size=3)
    for rank in (2, 0, 1):
        status = encode_corpus(tokenizer, corpus, tmp_path / "each", rank=rank, world_size=3)
    assert status.missing == []
    assert contents(tmp_path / "each") == contents(tmp_path / "all")


KILLED = """
import os, pickle, signal, sys
from toktk.shards.encode import encode_corpus

with open(sys.argv[1], "rb") as file:
    tokenizer, corpus = pickle.load(file)
left = int(sys.argv[3])

def progress(amount):
    global left
    left -= amount
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

encode_corpus(tokenizer, corpus, sys.argv[2], world_size=4, shard_tokens=500, progress=progress)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_goes_on(tmp_path, corpus, tokenizer):
    options = {"world_size": 4, "shard_tokens": 500}
    encode_corpus(tokenizer, corpus, tmp_path / "whole", **options)
    (tmp_path / "input").write_bytes(pickle.dumps((tokenizer, corpus)))
    out, killed = tmp_path / "out", 0
    for size in (corpus.size // 3, corpus.size // 3):
        arguments = [str(tmp_path / "input"), str(out), str(size)]
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
        killed += done.returncode == -9
    assert killed == 2
    before = status_of(Place.of(out))
    assert 0 < len(before.done) < 4
    assert before.missing[0] in before.begun
    times = {rank: (out / f"done/{rank:05d}.json").stat().st_mtime_ns for rank in before.done}
    names = [name for marker in before.done.values() for name in marker["files"]]
    times |= {name: (out / name).stat().st_mtime_ns for name in names}
    encode_corpus(tokenizer, corpus, out, **options)
    for name, time in times.items():
        path = out / (name if isinstance(name, str) else f"done/{name:05d}.json")
        assert path.stat().st_mtime_ns == time  # what was finished is not written again
    assert contents(out) == contents(tmp_path / "whole")


def test_another_tokenizer_or_option_is_refused(tmp_path, corpus, tokenizer, crafted):
    encode_corpus(tokenizer, corpus, tmp_path / "out", eos=END, world_size=2)
    before = contents(tmp_path / "out")
    for other, options in (
        (crafted([]), {}),
        (tokenizer, {}),
        (tokenizer, {"eos": END, "bos": END}),
        (tokenizer, {"eos": END, "files": "parquet"}),
        (tokenizer, {"eos": END, "world_size": 3}),
        (tokenizer, {"eos": END, "shard_tokens": 5}),
    ):
        with pytest.raises(StorageError, match="holds other work"):
            encode_corpus(other, corpus, tmp_path / "out", **options)
    with pytest.raises(StorageError, match="holds other work"):
        encode_corpus(tokenizer, Corpus.of(["else"]), tmp_path / "out", eos=END)
    assert contents(tmp_path / "out") == before


def test_another_choice_or_reading_of_a_text_is_refused(tmp_path, corpus, tokenizer):
    few = corpus.limit(5)
    encode_corpus(tokenizer, few, tmp_path / "few")
    encode_corpus(tokenizer, few, tmp_path / "few")
    for other in (corpus, corpus.limit(6), corpus.limit(5, seed=1), corpus.split()[0]):
        with pytest.raises(StorageError, match=r"text\.selections"):
            encode_corpus(tokenizer, other, tmp_path / "few")
    paths = [tmp_path / f"{name}.txt" for name in "ab"]
    for path in paths:
        path.write_bytes(b"a line\n\nanother\n")
    lines = load_corpus(paths)
    encode_corpus(tokenizer, lines, tmp_path / "lines")
    with pytest.raises(StorageError, match=r"text\.options"):
        encode_corpus(tokenizer, load_corpus(paths, sample_by="paragraph"), tmp_path / "lines")
    named = [load_corpus(f"{name}={paths[0]}") for name in "xy"]
    encode_corpus(tokenizer, named[0], tmp_path / "named")
    with pytest.raises(StorageError, match=r"text\.name"):
        encode_corpus(tokenizer, named[1], tmp_path / "named")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"files": "csv"}, "unknown files"),
        ({"shard_tokens": 0}, "cannot hold 0"),
        ({"rank": 3, "world_size": 3}, "no rank 3 of 3"),
        ({"rank": 0}, "of how many ranks"),
        ({"world_size": 10**6}, "1,000,000 ranks"),
    ],
)
def test_options_that_are_wrong(tmp_path, corpus, tokenizer, options, says):
    with pytest.raises(ToktkError, match=says) as told:
        encode_corpus(tokenizer, corpus, tmp_path / "out", **options)
    assert told.value.is_usage
    assert not (tmp_path / "out").exists()


def test_special_tokens_that_are_none(tmp_path, corpus, tokenizer):
    with pytest.raises(FormatError, match=r"did you mean '<\|endoftext\|>'") as told:
        encode_corpus(tokenizer, corpus, tmp_path / "out", eos="<|endofxt|>")
    assert "'<|endoftext|>', '<|填|>'" in str(told.value)
    with pytest.raises(FormatError, match=r"no special token '\\x1b'"):
        encode_corpus(tokenizer, corpus, tmp_path / "out", bos="\x1b")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_without_special_tokens(tmp_path, corpus, crafted):
    with pytest.raises(FormatError, match="no special token at all"):
        encode_corpus(crafted([]), corpus, tmp_path / "out", eos=END)


def test_counts_of_tokens_encode_nothing(tmp_path, corpus, crafted):
    counts = Tokenizer("counts", crafted([]).pretokenizer, CountsModel({}))
    with pytest.raises(FormatError, match="only its counts"):
        encode_corpus(counts, corpus, tmp_path / "out")


def test_symbols_stand_between_documents_as_well(tmp_path, corpus, documents_in):
    tokenizer = EXACT["symbols"]()
    encode_corpus(tokenizer, corpus, tmp_path / "out", eos="<|x|>", bos="<s>")
    assert documents_in(tmp_path / "out") == expected(tokenizer, [0], [1])


def test_special_tokens_of_a_library(tmp_path, corpus, documents_in):
    tokenizer = word_pieces("a", "b", pre_tokenizer={"type": "Whitespace"})
    encode_corpus(tokenizer, corpus, tmp_path / "out", bos="[CLS]", eos="[PAD]")
    assert documents_in(tmp_path / "out") == expected(tokenizer, [2], [0])


def test_a_choice_of_documents_is_encoded_by_one_rank(tmp_path, corpus, tokenizer, documents_in):
    few = corpus.limit(5)
    with pytest.raises(CorpusError, match="a limit"):
        encode_corpus(tokenizer, few, tmp_path / "two", world_size=2)
    encode_corpus(tokenizer, few, tmp_path / "one")
    assert len(documents_in(tmp_path / "one")) == 5


def test_text_that_cannot_be_read_leaves_the_ranks_before(tmp_path, tokenizer):
    path = tmp_path / "text.txt"
    path.write_bytes(b"a line\n" * 50 + b"\xff\n")
    with pytest.raises(CorpusError, match="invalid UTF-8"):
        encode_corpus(tokenizer, load_corpus(str(path)), tmp_path / "out", world_size=3)
    assert status_of(Place.of(tmp_path / "out")).missing == [2]


@pytest.mark.parametrize("files", ["npy", "parquet"])
def test_damage_is_named(tmp_path, corpus, tokenizer, files):
    out = tmp_path / "out"
    place = Place.of(out)
    encode_corpus(tokenizer, corpus, out, world_size=2, files=files)
    check_files(place)
    path = out / f"00001-00000.{'tokens.npy' if files == 'npy' else 'parquet'}"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-9] ^= 1
    for content, says in ((bytes(damaged), "sha256"), (whole[:-1], "bytes, not")):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=rf"{path.name}(.|\n)*{says}"):
            check_files(place)
    path.unlink()
    with pytest.raises(StorageError, match=path.name):
        check_files(place)
    path.write_bytes(whole)
    marker = out / "done/00000.json"
    marker.unlink()
    with pytest.raises(StorageError, match="rank 0 of 2 is missing"):
        check_files(place)
    encode_corpus(tokenizer, corpus, out, files=files)  # of two ranks, as the folder says
    check_files(place)


def test_a_marker_that_somebody_has_edited_is_none(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path, world_size=2)
    place, marker = Place.of(tmp_path), tmp_path / "done/00001.json"
    marker.write_text(json.dumps(json.loads(marker.read_bytes()) | {"tokens": None}))
    assert status_of(place).missing == [1]
    with pytest.raises(StorageError, match=r"done/00001\.json is damaged"):
        check_files(place)
    encode_corpus(tokenizer, corpus, tmp_path)
    check_files(place)


def test_files_that_no_rank_has_written_are_told(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path, world_size=2)
    place = Place.of(tmp_path)
    left = "00001-00009.tokens.npy"  # by a run with smaller shards
    (tmp_path / left).write_bytes((tmp_path / "00001-00000.tokens.npy").read_bytes())
    (tmp_path / "notes.npy").touch()
    assert status_of(place).strays == [left]
    with pytest.raises(StorageError, match=rf"no rank has written(.|\n)*{left}"):
        check_files(place)
    (tmp_path / "done/00000.json").unlink()
    assert status_of(place).strays == []  # another process may be writing
    (tmp_path / left).unlink()
    assert encode_corpus(tokenizer, corpus, tmp_path).strays == []
    check_files(place)


def test_numbers_of_a_shard_are_held_against_its_files(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path, shard_tokens=900)
    marker = tmp_path / "done/00000.json"
    about = unsealed(marker.read_bytes())
    first, second = about["shards"][:2]
    first["tokens"], second["tokens"] = (
        first["tokens"] + 1,
        second["tokens"] - 1,
    )  # the sum is right
    marker.write_bytes(sealed(about))
    with pytest.raises(StorageError, match="where the files of 00000-00000 have"):
        check_files(Place.of(tmp_path))


def test_parts_of_a_text_that_do_not_join_are_refused(tmp_path, corpus, tokenizer):
    encode_corpus(tokenizer, corpus, tmp_path, world_size=3)
    size = corpus.size
    shares = [json.loads(path.read_bytes())["share"] for path in sorted(tmp_path.glob("done/*"))]
    assert [share["begin"] for share in shares] == [0, size // 3, size * 2 // 3]
    assert [share["end"] for share in shares] == [size // 3, size * 2 // 3, size]
    assert [share["of"] for share in shares] == [size] * 3
    marker = tmp_path / "done/00001.json"
    about = unsealed(marker.read_bytes())
    about["share"]["end"] -= 1
    marker.write_bytes(sealed(about))
    with pytest.raises(StorageError, match="the share of rank 2 does not join"):
        check_files(Place.of(tmp_path))


def test_what_is_no_folder_of_shards(tmp_path):
    with pytest.raises(StorageError, match=r"no shards\.json"):
        status_of(Place.of(tmp_path))


def test_an_address(tmp_path, corpus, tokenizer):
    import fsspec

    status = encode_corpus(tokenizer, corpus, "memory://bucket/shards", world_size=2)
    encode_corpus(tokenizer, corpus, tmp_path / "out", world_size=2)
    place = Place.of("memory://bucket/shards")
    assert {name: place.read(name) for name in place.names()} == contents(tmp_path / "out")
    assert status.where == "memory://bucket/shards"
    fsspec.filesystem("memory").store.clear()


def test_ids_of_a_wide_vocabulary_take_four_bytes(tmp_path, corpus, tokenizer):
    class Wide:
        special_tokens, signature, kind, vocab_size = (), "wide", "wide", 70_000

        def encode_pieces(self, data, offsets):
            n = offsets.size - 1
            return np.full(n, 69_999, np.uint32), np.arange(1, n + 1)

    wide = replace(tokenizer, model=Wide())
    status = encode_corpus(wide, corpus, tmp_path / "out")
    assert status.manifest["dtype"] == "uint32"
    assert np.load(tmp_path / "out/00000-00000.tokens.npy").max() == 69_999
