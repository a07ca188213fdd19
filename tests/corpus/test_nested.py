import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toktk.corpus import ReaderOptions, load_corpus
from toktk.errors import CorpusError

HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\n東"}]
EMPTY = [{"role": "user", "content": None}, {"role": "user", "content": ""}]
CHATS = [
    {"messages": HELLO, "meta": {"lang": "de", "n": 2}},
    {"messages": [], "meta": {"lang": "en", "n": 1}},
    {"messages": None, "meta": {"lang": "en", "n": 1}},
    {"messages": EMPTY, "meta": None},
    {"messages": EMPTY[:1], "meta": {"lang": "en", "n": 3}},
]
TEXTS = ["Hi\nHello\n東", ""]
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])


def write(folder, name, rows=CHATS, lists=pa.list_):
    path = folder / name
    meta = pa.struct([("lang", pa.string()), ("n", pa.int64())])
    schema = pa.schema([("messages", lists(MESSAGE)), ("meta", meta)])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
    else:
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, schema) as file:
            file.write(pa.Table.from_pylist(rows, schema))
    return path


def read(path, **options):
    return [
        row
        for batch in load_corpus(str(path), ReaderOptions(**options)).batches()
        for row in zip(*(batch.column(i).to_pylist() for i in (0, 1, 3)), strict=True)
    ]


NAMES = ("x.jsonl", "x.json", "x.parquet", "x.arrow")


@pytest.mark.parametrize("block", [1 << 24, 64])
@pytest.mark.parametrize("name", NAMES)
def test_a_path_through_objects_and_lists(tmp_path, monkeypatch, name, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    monkeypatch.setattr("toktk.corpus.columnar.BATCH_BYTES", block)
    path = write(tmp_path, name)
    assert [text for text, *_ in read(path, text_column="messages.content")] == TEXTS
    found = read(path, text_column="messages.content", group_column="meta.lang")
    assert found == [(TEXTS[0], "de", 1), (TEXTS[1], "(none)", 1)]
    corpus = load_corpus(path, text_column="messages.content")
    assert sum(batch.num_rows for batch in corpus.batches()) == 2
    assert corpus.null_rows == 3
    assert read(path, text_column="meta.lang", weight_column="meta.n")[0] == ("de", "x", 2)


@pytest.mark.parametrize("lists", [pa.large_list, lambda inner: pa.list_(inner, 2)])
def test_other_lists(tmp_path, lists):
    rows = [CHATS[0], CHATS[2], CHATS[0]]
    path = write(tmp_path, "x.parquet", rows, lists)
    assert [text for text, *_ in read(path, text_column="messages.content")] == [TEXTS[0]] * 2


def test_lists_of_strings_and_of_lists(tmp_path):
    rows = [{"text": [["a", "b"], [], ["c"]]}, {"text": [[]]}, {"text": [["", ""]]}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    for name in ("x.jsonl", "x.parquet"):
        assert [text for text, *_ in read(tmp_path / name)] == ["a\nb\nc", "\n"]


def test_views_and_dictionaries_in_lists(tmp_path):
    words = pa.array(["a", None, "b", "a long one, which a view refers to"])
    for values in (
        words.cast(pa.string_view()),
        words.dictionary_encode(),
        words.cast(pa.binary()),
    ):
        column = pa.ListArray.from_arrays(pa.array([0, 3, 4], pa.int32()), values)
        with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as out:
            table = pa.record_batch({"text": column})
            with pa.ipc.new_file(out, table.schema) as file:
                file.write(table)
        assert [text for text, *_ in read(tmp_path / "x.arrow")] == ["a\nb", words[3].as_py()]


def test_a_name_with_a_dot_comes_first(tmp_path):
    rows = [{"a": {"b": "inner"}, "a.b": "outer", "a.b.c": "whole"}]
    (tmp_path / "x.jsonl").write_text(json.dumps(rows[0]))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    for name in ("x.jsonl", "x.parquet"):
        assert [text for text, *_ in read(tmp_path / name, text_column="a.b")] == ["outer"]


def test_contents_of_several_kinds(tmp_path):
    rows = [
        {"messages": [{"content": "a"}, {"content": ["b", "c"]}]},
        {"messages": {"content": "d"}},
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [text for text, *_ in read(tmp_path / "x.jsonl", text_column="messages.content")] == [
        "a\nb\nc",
        "d",
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_column": "messages.contnt"}, "content"),
        ({"text_column": "messages"}, "messages"),
        ({"text_column": "mesages.content"}, "no column 'mesages.content'"),
        ({"text_column": "messages.content.deeper"}, "messages.content"),
        ({"text_column": "messages.content", "group_column": "messages.role"}, "role"),
        ({"text_column": "meta.n"}, "meta.n"),
    ],
)
def test_paths_that_lead_nowhere(tmp_path, name, options, message):
    with pytest.raises(CorpusError, match=message):
        read(write(tmp_path, name), **options)


# --- bytes


@pytest.mark.parametrize(
    "kind",
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())],
)
def test_bytes_that_are_text(tmp_path, kind):
    values = ["naïve".encode(), None, b"", "東".encode(), b"a long one, which a view refers to"]
    column = pa.array(values, pa.binary())
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    table = pa.record_batch({"text": column})
    with (
        pa.OSFile(str(tmp_path / "x.arrow"), "wb") as out,
        pa.ipc.new_file(out, table.schema) as file,
    ):
        file.write(table)
    pq.write_table(pa.table({"text": values}), tmp_path / "x.parquet")
    for name in ("x.arrow", "x.parquet"):
        found = [text.encode() for text, *_ in read(tmp_path / name)]
        assert found == [value for value in values if value is not None]


def test_bytes_that_are_no_text(tmp_path):
    pq.write_table(pa.table({"text": [b"a", b"b\xff"]}), tmp_path / "x.parquet")
    with pytest.raises(CorpusError, match=r"invalid UTF-8 in .*, row 1, byte 1"):
        read(tmp_path / "x.parquet")
    assert [text for text, *_ in read(tmp_path / "x.parquet", errors="replace")] == ["a", "b\ufffd"]


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
@pytest.mark.parametrize("lists", [pa.list_, pa.large_list, lambda inner: pa.list_(inner, 2)])
@pytest.mark.parametrize("strings", [pa.string(), pa.large_string(), pa.binary()])
def test_invalid_utf8_inside_is_replaced_or_its_row_named(tmp_path, name, lists, strings):
    values = [b"fine", b"too", b"also \xc3\xa9", b"a\xffb\xfe"]
    bytes_type = pa.large_binary() if strings == pa.large_string() else pa.binary()
    content = pa.array(values, bytes_type).view(strings)
    structs = pa.StructArray.from_arrays([content], ["content"])
    kind = lists(structs.type)
    if pa.types.is_fixed_size_list(kind):
        column = pa.FixedSizeListArray.from_arrays(structs, 2)
    else:
        column = (pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray).from_arrays(
            pa.array([0, 2, 4], pa.int32() if pa.types.is_list(kind) else pa.int64()), structs
        )
    path, table = tmp_path / name, pa.table({"messages": column})
    if name.endswith("parquet"):
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as file:
            file.write(table)
    with pytest.raises(
        CorpusError, match=r"invalid UTF-8 in .*x\.\w+, row 1, byte 9\.\n.*ff 62 fe"
    ):
        read(path, text_column="messages.content")
    corpus = load_corpus(path, text_column="messages.content", errors="replace")
    found = [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]
    assert found == ["fine\ntoo", "also é\na\ufffdb\ufffd"]
    assert corpus.replaced == 2


def test_fields_of_every_kind_beside_the_text(tmp_path):
    values = ["a", None, "é"]
    beside = {
        "nothing": pa.nulls(3),
        "dictionary": pa.array(values).dictionary_encode(),
        "view": pa.array(values, pa.string_view()),
        "map": pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string())),
        "list": pa.array([["x"], None, []]),
        "struct": pa.array([{"a": "x"}, None, {"a": None}]),
        "time": pa.array([1, 2, None], pa.timestamp("s")),
    }
    structs = pa.StructArray.from_arrays([pa.array(values), *beside.values()], ["content", *beside])
    table = pa.table({"messages": pa.ListArray.from_arrays([0, 2, 3], structs)})
    path = tmp_path / "x.arrow"
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as file:
        file.write(table)
    assert [text for text, *_ in read(path, text_column="messages.content")] == ["a", "é"]
