"""What of a folder is read, and what is said of the rest; splits; options that fit nothing."""

import gzip
import json
import os

import pyarrow as pa
import pytest

from toktk.corpus import ReaderOptions, load_corpus, train_and_test
from toktk.errors import CorpusError

posix = pytest.mark.skipif(os.name == "nt", reason="no such files")


def rows(corpus):
    found = []
    for batch in corpus.batches():
        found += zip(*(batch.column(i).to_pylist() for i in range(2)), strict=True)
    return [(text.rstrip("\n"), group) for text, group in found]


def texts(corpus):
    return [text for text, _ in rows(corpus)]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def arrow(path, *values):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"text": list(values)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)


# --- kinds


def test_every_file_that_is_not_read_is_counted(tmp_path):
    write(tmp_path / "a.jsonl", '{"text": "a"}\n')
    write(tmp_path / "b.json.gz", gzip.compress(b'{"text": "b"}\n{"text": "b2"}'))
    write(tmp_path / "c.json", '{"text": "' + "c" * 9000 + '"}')
    write(tmp_path / "sub" / "d.json", '{\n"text": "a description"}')
    write(tmp_path / "sub" / "e.json", '{"version": 1}\n')
    write(tmp_path / "sub" / "broken.json", "no JSON\n")
    for name in ("x.pdf", "y.pdf", "LICENSE", "model.bin.gz", ".hidden", ".git/config"):
        write(tmp_path / name, "x")
    corpus = load_corpus(tmp_path)
    assert texts(corpus) == ["a", "b", "b2", "c" * 9000]
    (remark,) = corpus.remarks
    assert remark == (
        f"not read of {tmp_path.name}: 3 .json without rows of 'text', 2 .pdf, 2 hidden, "
        "1 without extension, 1 .bin.gz."
    )
    assert corpus.describe()["remarks"] == [remark]
    train, test = corpus.split()
    assert all(side.remarks.count(remark) == 1 for side in (train, test))
    assert load_corpus(tmp_path / "a.jsonl").remarks == []


def test_a_folder_without_text_says_what_it_holds(tmp_path):
    write(tmp_path / "x.pdf", "x")
    with pytest.raises(CorpusError, match=r"no text in(?s:.*)1 \.pdf"):
        load_corpus(tmp_path)


@posix
def test_links_are_followed_and_those_that_lead_nowhere_are_named(tmp_path):
    write(tmp_path / "away" / "b.txt", "b")
    write(tmp_path / "in" / "a.txt", "a")
    (tmp_path / "in" / "de").symlink_to(tmp_path / "away", target_is_directory=True)
    (tmp_path / "in" / "loop").symlink_to("..", target_is_directory=True)
    (tmp_path / "in" / "gone.txt").symlink_to("nowhere.txt")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    corpus = load_corpus(tmp_path / "in")
    assert rows(corpus) == [("a", "a"), ("b", "de")]
    assert "1 link that leads nowhere" in corpus.remarks[0]
    assert f"Nothing is at {tmp_path / 'in' / 'gone.txt'}." in corpus.remarks[0]
    assert "1 pipe, socket or device" in corpus.remarks[0]
    (remark,) = load_corpus(f"{tmp_path}/in/*.txt").remarks
    assert "gone.txt" in remark


# --- what `datasets` saved


def saved(folder, *values, split=None, shards=1):
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    for i, name in enumerate(names):
        arrow(folder / name, *values[i::shards])
    state = {"_data_files": [{"filename": name} for name in names], "_split": split}
    write(folder / "state.json", json.dumps(state))
    write(folder / "dataset_info.json", '{"features": {}}')
    arrow(folder / "cache-0123456789abcdef.arrow", "left", "over")
    return folder


def test_a_saved_dataset_is_what_its_state_names(tmp_path):
    folder = saved(tmp_path / "news", "a", "b", "c", shards=2)
    corpus = load_corpus(folder)
    assert rows(corpus) == [("a", "news"), ("c", "news"), ("b", "news")]
    assert corpus.remarks == []
    assert rows(load_corpus(tmp_path)) == rows(corpus)  # by its folder, as any folder
    with pytest.raises(CorpusError, match="has no split 'test'"):
        load_corpus(folder, split="test")
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(CorpusError, match=r"not whole(?s:.*)data-00001"):
        load_corpus(folder)


@pytest.mark.parametrize("files", [[{"filename": []}], ["x"], [{}], ["f", "f"], [None]])
def test_a_state_that_names_no_files_or_one_twice(tmp_path, files):
    folder = saved(tmp_path / "x", "a")
    named = [{"filename": "data-00000-of-00001.arrow"} if file == "f" else file for file in files]
    write(folder / "state.json", json.dumps({"_data_files": named}))
    with pytest.raises(CorpusError, match="not whole"):
        load_corpus(folder)


def test_what_lies_beside_saved_splits_is_not_one_of_them(tmp_path):
    for name, text in (("train", "a"), ("test", "b")):
        saved(tmp_path / "d" / name, text, split=name)
    write(tmp_path / "d" / "dataset_dict.json", '{"splits": ["train"]}')
    corpus = load_corpus(tmp_path / "d")
    assert rows(corpus) == [("a", "d")]
    assert corpus.remarks == ["test in d is not read: dataset_dict.json does not name it."]


def test_a_choice_of_rows_is_refused(tmp_path):
    folder = saved(tmp_path / "x", "a")
    state = json.loads((folder / "state.json").read_text())
    write(folder / "state.json", json.dumps(state | {"_indices_data_files": [{"filename": "i"}]}))
    with pytest.raises(CorpusError, match="flatten_indices"):
        load_corpus(folder)


def test_of_saved_splits_one_is_read(tmp_path):
    for name, text in (("train", "a"), ("test", "b"), ("dev", "c")):
        saved(tmp_path / "d" / name, text, split=name)
    write(tmp_path / "d" / "dataset_dict.json", '{"splits": ["train", "test", "dev"]}')
    corpus = load_corpus(tmp_path / "d")
    assert rows(corpus) == [("a", "d")]
    assert corpus.remarks == ["of d the split train is read; --split chooses another: test, dev."]
    assert rows(load_corpus(tmp_path / "d", split="dev")) == [("c", "d")]
    assert rows(load_corpus(tmp_path)) == [("a", "d")]
    with pytest.raises(CorpusError, match=r"no split 'tets' \(did you mean 'test'\?\)"):
        load_corpus(tmp_path / "d", split="tets")
    write(tmp_path / "d" / "dataset_dict.json", '{"splits": ["test", "dev"]}')
    with pytest.raises(CorpusError, match=r"no split 'train'(?s:.*)--split"):
        load_corpus(tmp_path / "d")


def test_of_the_cache_one_split_is_read(tmp_path):
    folder = tmp_path / "org___news" / "default" / "0.0.0" / "0123"
    write(folder / "dataset_info.json", '{"splits": {"train": {}, "test": {}}}')
    arrow(folder / "news-train-00000-of-00002.arrow", "a")
    arrow(folder / "news-train-00001-of-00002.arrow", "b")
    arrow(folder / "news-test.arrow", "c")
    arrow(folder / "cache-news-train.arrow", "left over")
    assert rows(load_corpus(folder)) == [("a", "0123"), ("b", "0123")]
    corpus = load_corpus(tmp_path / "org___news")
    assert rows(corpus) == [("a", "default"), ("b", "default")]
    assert "the split train is read" in corpus.remarks[0]
    assert texts(load_corpus(folder, split="test")) == ["c"]


@pytest.mark.parametrize("name", ["state.json", "dataset_dict.json", "dataset_info.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"splits": 7, "_data_files": 7}', "[" * 9999])
def test_other_files_of_such_names(tmp_path, name, content):
    write(tmp_path / "a.txt", "a")
    write(tmp_path / name, content)
    assert texts(load_corpus(tmp_path)) == ["a"]


def test_datasets_reads_the_same(tmp_path):
    datasets = pytest.importorskip("datasets")
    values = [f"text {i}" for i in range(20)]
    whole = datasets.Dataset.from_dict({"text": values})
    whole.save_to_disk(str(tmp_path / "one"), num_shards=3)
    assert texts(load_corpus(tmp_path / "one")) == values
    whole.train_test_split(0.3, seed=1).save_to_disk(str(tmp_path / "two"))
    for split in ("train", "test"):
        expected = datasets.load_from_disk(str(tmp_path / "two"))[split]["text"]
        assert texts(load_corpus(tmp_path / "two", split=split)) == [*expected]


# --- splits by name


def test_files_named_after_splits(tmp_path):
    write(tmp_path / "data" / "train-00000-of-00001.txt", "a")
    write(tmp_path / "data" / "validation-00000-of-00001.txt", "b")
    write(tmp_path / "test" / "x.txt", "c")
    write(tmp_path / "contest.txt", "d")
    corpus = load_corpus(tmp_path)
    assert sorted(texts(corpus)) == ["a", "b", "c", "d"]
    (remark,) = corpus.remarks
    assert "train (1), validation (1), test (1)" in remark
    for split, expected in (("train", "a"), ("dev", "b"), ("validation", "b"), ("test", "c")):
        assert texts(load_corpus(tmp_path, split=split)) == [expected]
    with pytest.raises(CorpusError, match="has no split 'holdout'"):
        load_corpus(tmp_path, split="holdout")
    assert load_corpus(tmp_path / "test").remarks == []


# --- options that fit nothing


@pytest.mark.parametrize("option", ["text_column", "group_column"])
def test_plain_text_has_no_columns(tmp_path, option):
    text = write(tmp_path / "x.txt", "a")
    lines = write(tmp_path / "y.jsonl", '{"text": "b", "body": "c"}')
    name = option.replace("_", "-")
    for spec in (text, [text, text], "starter:parallel", tmp_path / "*.txt"):
        with pytest.raises(CorpusError, match=rf"--{name} 'body' does not fit .*\n.*no columns"):
            load_corpus(spec, **{option: "body"})
    # Of several texts one has them, be it one to measure on.
    assert len(rows(load_corpus(tmp_path, **{option: "body"}))) == 2
    options = ReaderOptions(**{option: "body"})
    train_and_test([text], [lines], options)
    with pytest.raises(CorpusError, match="does not fit"):
        train_and_test([text], [text], options)


def test_a_split_of_what_has_none(tmp_path):
    text = write(tmp_path / "x.txt", "a")
    for spec in (text, f"{tmp_path}/*.txt", "starter:parallel"):
        with pytest.raises(CorpusError, match=r"--split 'test' does not fit"):
            load_corpus(spec, split="test")
