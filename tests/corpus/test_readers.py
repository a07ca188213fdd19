import gzip
import io
import json
import random
import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import ReaderOptions, load_corpus, spans
from toktk.corpus import batch as batch_module
from toktk.corpus.readers import COMPRESSIONS, READERS
from toktk.errors import CorpusError

NASTY = [
    "plain",
    "",
    "naïve café 東京 🏳️‍🌈 ế",
    "सुगम்ழ்",
    "a\rb\r",
    "\0",
    "nul\0inside",
    "x" * 3000,
    "\u2028 not a line end \x0b\x0c\x85",
    "'\"\\/ \t",
    "2024-01-31T00:00:00",
    "\ufeff not first",
]


def documents(spec, **options):
    corpus = load_corpus(str(spec), ReaderOptions(**options))
    return [text for text, _, _ in rows(corpus)]


def rows(corpus):
    found = []
    for batch in corpus.batches():
        assert batch.schema == batch_module.schema()
        assert batch.num_rows
        batch.validate(full=True)
        columns = [batch.column(i).to_pylist() for i in range(3)]
        found += zip(*columns, strict=True)
    return found


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def text_lines(text, line_ends="universal"):
    r"""Return lines with their ends: universal, as Python reads a file, or at ``\n`` alone."""
    if line_ends == "universal":
        return list(io.StringIO(text, newline=None))
    return re.findall(r"[^\n]*\n|[^\n]+", text)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", 7)
    monkeypatch.setattr("toktk.corpus.batch.BATCH_BYTES", 7)
    monkeypatch.setattr("toktk.corpus.columnar.BATCH_BYTES", 7)


# --- plain text


def check_documents(folder, text, block, expected, **options):
    path = write(folder / "x.txt", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.text.BATCH_BYTES", block)
        if text:
            assert documents(path, **options) == expected
        else:
            with pytest.raises(CorpusError, match="no documents"):
                documents(path, **options)


BLOCKS = st.sampled_from([1 << 24, 3, 7, 16])
LINE_ENDS = pytest.mark.parametrize("line_ends", [None, "universal", "keep"])


@LINE_ENDS
@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab\n\r é東🙂\0\u2028")), BLOCKS)
def test_lines_hold_their_line_end(tmp_path_factory, line_ends, text, block):
    expected = text_lines(text, line_ends or "universal")
    check_documents(tmp_path_factory.mktemp("t"), text, block, expected, line_ends=line_ends)


def oracle_paragraphs(lines):
    """Join lines into paragraphs: each with the blank lines after it."""
    paragraphs = [""]
    for line in lines:
        blank = line in ("\n", "\r\n")
        after_blank = re.search(r"(\A|\n)\r?\n\Z", paragraphs[-1])
        if not blank and after_blank:
            paragraphs.append("")
        paragraphs[-1] += line
    return paragraphs


@LINE_ENDS
@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab\n\n\n\r é")), BLOCKS)
def test_paragraphs_hold_the_blank_lines_after_them(tmp_path_factory, line_ends, text, block):
    expected = oracle_paragraphs(text_lines(text, line_ends or "universal"))
    options = {"sample_by": "paragraph", "line_ends": line_ends}
    check_documents(tmp_path_factory.mktemp("t"), text, block, expected, **options)


@LINE_ENDS
@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from("ab\n\r é")), BLOCKS)
def test_a_file_as_one_document(tmp_path_factory, line_ends, text, block):
    expected = ["".join(text_lines(text, line_ends or "keep"))]
    options = {"sample_by": "document", "line_ends": line_ends}
    check_documents(tmp_path_factory.mktemp("t"), text, block, expected, **options)


@LINE_ENDS
@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab\n\r é")), BLOCKS)
def test_aligned_lines_end_at_lf_and_leave_it_out(tmp_path_factory, line_ends, text, block):
    end = r"\n\Z" if line_ends == "keep" else r"\r?\n\Z"
    expected = [re.sub(end, "", line) for line in text_lines(text, "keep")]
    options = {"align_column": "line", "line_ends": line_ends}
    check_documents(tmp_path_factory.mktemp("t"), text, block, expected, **options)


@pytest.mark.parametrize("name", ["x.py", "X.CPP", "notes.md", "x.c.gz"])
def test_source_code_is_a_document_of_a_file(tmp_path, name):
    text = "int main() {\r\n\treturn 0;\n}\n"
    packed = gzip.compress(text.encode()) if name.endswith("gz") else text
    path = write(tmp_path / name, packed)
    assert documents(path) == [text]
    assert documents(path, line_ends="universal") == [text.replace("\r", "")]
    assert documents(path, sample_by="line") == text_lines(text)
    (part,) = load_corpus(path).describe()["parts"]
    assert (part["sample_by"], part["line_ends"]) == ("document", "keep")


@pytest.mark.usefixtures("small_blocks")
def test_a_document_is_the_whole_file(tmp_path):
    text = "one\n\ntwo\r\nthree 東京" * 20
    assert documents(write(tmp_path / "x.txt", text), sample_by="document") == [text]


def test_a_byte_order_mark_is_dropped_at_the_start_only(tmp_path):
    path = write(tmp_path / "x.txt", "\ufeffa\n\ufeffb")
    assert documents(path) == ["a\n", "\ufeffb"]


def test_empty_lines_are_documents(tmp_path):
    assert documents(write(tmp_path / "x.txt", "\n\na\n\n")) == ["\n", "\n", "a\n", "\n"]


@pytest.mark.usefixtures("small_blocks")
def test_line_numbers_align_a_folder_of_languages(tmp_path):
    write(tmp_path / "de.txt", "eins\nzwei\n\nvier\n")
    write(tmp_path / "en.txt", "one\ntwo\n\nfour\n")
    corpus = load_corpus(str(tmp_path), ReaderOptions(align_column="line"))
    assert rows(corpus) == [
        ("eins", "de", "1"),
        ("zwei", "de", "2"),
        ("", "de", "3"),
        ("vier", "de", "4"),
        ("one", "en", "1"),
        ("two", "en", "2"),
        ("", "en", "3"),
        ("four", "en", "4"),
    ]


@pytest.mark.parametrize("block", [1 << 24, 5])
@pytest.mark.parametrize("before", [0, 1, 23])
def test_invalid_utf8_is_an_error_that_names_the_byte(tmp_path, monkeypatch, before, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    start = "\ufeff" + "é\n" * before
    path = write(tmp_path / "x.txt", start.encode() + b"ok \xff\xfe no\nmore\n")
    with pytest.raises(CorpusError, match=rf"x\.txt at byte {len(start.encode()) + 3}\b"):
        documents(path)
    corpus = load_corpus(str(path), ReaderOptions(errors="replace"))
    assert rows(corpus)[before][0] == "ok \ufffd\ufffd no\n"
    assert corpus.replaced == 2
    assert corpus.describe()["replaced"] == 2


def test_the_offset_is_that_of_the_uncompressed_file(tmp_path):
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"a\n" * 50 + b"\xed\xa0\x80\n"))
    with pytest.raises(CorpusError, match="at byte 100"):
        documents(path)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.usefixtures("small_blocks")
def test_compressed_text(tmp_path, kind):
    suffix = {"gzip": "gz", "zstd": "zst"}[kind]
    text = "\n".join(NASTY)
    path = tmp_path / f"de.txt.{suffix}"
    with pa.output_stream(str(path), compression=kind) as file:
        file.write(text.encode())
    assert documents(path) == text_lines(text)
    assert rows(load_corpus(str(path)))[0][1] == "de"


def test_gzip_members_follow_one_another(tmp_path):
    path = write(tmp_path / "x.txt.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert documents(path) == ["a\n", "b\n"]


# --- tables


def columns(texts):
    return {
        "text": texts,
        "lang": [["de", "en", "zh"][i % 3] for i in range(len(texts))],
        "id": list(range(len(texts))),
    }


def write_table(path, table, **options):
    if path.suffix == ".parquet":
        pq.write_table(table, path, **options)
    elif path.suffix == ".arrow":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table, max_chunksize=5)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
            out.write_table(table, max_chunksize=5)
    return path


TABLES = ["x.parquet", "x.arrow", "x.feather"]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.usefixtures("small_blocks")
def test_tables(tmp_path, name, kind):
    table = pa.table(columns(NASTY)).set_column(0, "text", pa.array(NASTY).cast(kind))
    path = write_table(tmp_path / name, table)
    options = ReaderOptions(group_column="lang", align_column="id")
    expected = list(zip(NASTY, columns(NASTY)["lang"], map(str, range(len(NASTY))), strict=True))
    assert rows(load_corpus(str(path), options)) == expected
    assert rows(load_corpus(str(path)))[0] == (NASTY[0], "x", None)


@pytest.mark.parametrize("name", [*TABLES, "x.jsonl"])
def test_null_texts_are_skipped_and_counted(tmp_path, name):
    texts = ["a", None, "b", None]
    path = tmp_path / name
    if name.endswith("jsonl"):
        write(path, "".join(json.dumps({"text": t, "g": t}) + "\n" for t in texts))
    else:
        write_table(path, pa.table({"text": texts, "g": texts}))
    corpus = load_corpus(str(path), ReaderOptions(group_column="g"))
    for _ in range(2):  # each pass counts afresh
        assert rows(corpus) == [("a", "a", None), ("b", "b", None)]
        assert corpus.null_rows == corpus.describe()["null_rows"] == 2


def test_string_views_beside_null_texts(tmp_path):
    view = pa.string_view()
    table = pa.table({"text": pa.array(["a", None], view), "g": pa.array(["x", "y"], view)})
    path = write_table(tmp_path / "x.arrow", table)
    assert rows(load_corpus(path, group_column="g")) == [("a", "x", None)]


@pytest.mark.parametrize("view", [pa.string_view(), pa.binary_view()])
def test_views_in_a_dictionary_and_of_bytes(tmp_path, view):
    long = "longer than what a view holds itself"
    values = pa.array(["x", long, None], view)
    shared = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None, 1]), values)
    text = pa.array(["a", "b", None, "d", "e"], pa.string_view())
    expected = [("a", "x", "x"), ("b", long, long), ("d", "(none)", None), ("e", long, long)]
    for group in (shared, pa.array(shared.to_pylist(), view)):
        path = write_table(tmp_path / "x.arrow", pa.table({"text": text, "g": group}))
        assert rows(load_corpus(path, group_column="g", align_column="g")) == expected


@pytest.mark.parametrize("name", TABLES)
def test_two_columns_of_one_name(tmp_path, name):
    columns = [pa.array(["a"]), pa.array([1]), pa.array(["b"])]
    path = write_table(tmp_path / name, pa.Table.from_arrays(columns, ["text", "x", "x"]))
    assert documents(path) == ["a"]
    for more in ({"group_column": "x"}, {"align_column": "x"}, {"text_column": "x"}):
        with pytest.raises(CorpusError, match="has 2 columns 'x'"):
            documents(path, **more)


def test_a_null_group_and_a_number_as_group(tmp_path):
    table = pa.table({"text": ["a", "b"], "g": ["x", None], "n": [1, None]})
    path = write_table(tmp_path / "x.parquet", table)
    assert [g for _, g, _ in rows(load_corpus(str(path), ReaderOptions(group_column="g")))] == [
        "x",
        "(none)",
    ]
    options = ReaderOptions(group_column="n", align_column="g")
    assert rows(load_corpus(str(path), options)) == [("a", "1", "x"), ("b", "(none)", None)]


@pytest.mark.parametrize("name", TABLES)
def test_invalid_utf8_in_a_table_names_the_row(tmp_path, name):
    raw = pa.array([b"fine", None, b"a\xffb", b"\xe6\x9d\xb1"], pa.binary())
    text = pa.StringArray.from_buffers(4, *raw.buffers()[1:], raw.buffers()[0], raw.null_count)
    path = write_table(tmp_path / name, pa.table({"text": text}))
    with pytest.raises(CorpusError, match="row 2, byte 1"):
        documents(path)
    corpus = load_corpus(str(path), ReaderOptions(errors="replace"))
    assert [text for text, *_ in rows(corpus)] == ["fine", "a\ufffdb", "東"]
    assert corpus.replaced == 1


@pytest.mark.parametrize("name", [*TABLES, "x.jsonl"])
@pytest.mark.parametrize("option", ["text_column", "group_column", "align_column"])
def test_a_wrong_column_names_those_found(tmp_path, name, option):
    path = tmp_path / name
    if name.endswith("jsonl"):
        write(path, '{"text": "a", "language": "b"}\n')
    else:
        write_table(path, pa.table({"text": ["a"], "language": ["b"]}))
    with pytest.raises(CorpusError, match=r"'langage' \(did you mean 'language'\?\)(?s:.*)text, l"):
        documents(path, **{option: "langage"})


@pytest.mark.parametrize("name", [*TABLES, "x.jsonl"])
def test_a_text_column_must_hold_text(tmp_path, name):
    path = tmp_path / name
    if name.endswith("jsonl"):
        write(path, '{"text": "a"}\n{"text": 7}\n')
    else:
        write_table(path, pa.table({"text": [7]}))
    with pytest.raises(CorpusError, match="text"):
        documents(path)


def test_a_list_cannot_be_a_group(tmp_path):
    path = write_table(tmp_path / "x.parquet", pa.table({"text": ["a"], "g": [["b"]]}))
    with pytest.raises(CorpusError, match="group"):
        documents(path, group_column="g")


# --- JSON Lines


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), min_size=1), st.booleans(), st.sampled_from([1 << 24, 16]))
def test_json_text_is_exact(tmp_path_factory, texts, ascii_only, block):
    dump = "\n".join(json.dumps({"n": 1, "text": t}, ensure_ascii=ascii_only) for t in texts)
    path = write(tmp_path_factory.mktemp("t") / "x.jsonl", dump)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.text.BATCH_BYTES", block)
        assert documents(path) == texts


def test_nasty_json(tmp_path):
    lines = [json.dumps({"text": text, "lang": "de", "id": i}) for i, text in enumerate(NASTY)]
    path = write(tmp_path / "x.jsonl", "\ufeff\n" + "\r\n\n".join(lines))
    options = ReaderOptions(group_column="lang", align_column="id")
    expected = [(text, "de", str(i)) for i, text in enumerate(NASTY)]
    assert rows(load_corpus(str(path), options)) == expected


def test_what_arrow_refuses_json_may_read(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"text": "a", "n": 1e999}\n{"text": "b", "text": "c"}\n')
    assert documents(path) == ["a", "c"]
    write(path, '{"text": "a", "g": 1}\n{"text": "b", "g": "x"}\n{"text": "c"}\n')
    assert [g for _, g, _ in rows(load_corpus(str(path), ReaderOptions(group_column="g")))] == [
        "1",
        "x",
        "(none)",
    ]


def test_the_first_rows_may_lack_columns(tmp_path):
    lines = ['{"id": 1}', '{"text": null, "g": null}', '{"text": "a"}', '{"text": "b", "g": 7}']
    path = write(tmp_path / "x.jsonl", "\n".join(lines))
    corpus = load_corpus(path, group_column="g")
    assert rows(corpus) == [("a", "(none)", None), ("b", "7", None)]
    assert corpus.null_rows == 2
    with pytest.raises(CorpusError, match=r"up to line 4, has no column 't'(?s:.*)id, text, g"):
        documents(path, text_column="t")


def test_a_row_longer_than_arrows_block(tmp_path):
    long = "x" * (3 << 20)
    path = write(tmp_path / "x.jsonl", json.dumps({"text": long}) + '\n{"text": "b"}\n')
    assert documents(path) == [long, "b"]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[1]",
        "7",
        '"text"',
        '{"text": [1]}',
        '{"text": "a"} x',
        '{"text": "a"}{"text": "b"}',
        '{"text": "\\ud800"}',
    ],
)
@pytest.mark.usefixtures("small_blocks")
def test_bad_json_names_its_line(tmp_path, bad):
    path = write(tmp_path / "x.jsonl", '{"text": "a"}\n\n{"text": "b"}\n' + bad + "\n")
    with pytest.raises(CorpusError, match=r"x\.jsonl, line 4,"):
        documents(path)


def test_lone_surrogates_are_replaced_if_asked(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"text": "a\\ud83d\\ude00\\ude00\\ud83d!"}\n')
    corpus = load_corpus(str(path), ReaderOptions(errors="replace"))
    assert rows(corpus)[0][0] == "a😀\ufffd\ufffd!"
    assert corpus.replaced == 2


def test_lone_surrogates_in_a_group(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"text": "a", "g": "\\ud83d"}\n')
    with pytest.raises(CorpusError, match="line 1, holds half a character"):
        rows(load_corpus(str(path), ReaderOptions(group_column="g")))
    options = ReaderOptions(group_column="g", errors="replace")
    assert rows(load_corpus(str(path), options)) == [("a", "\ufffd", None)]


def test_invalid_utf8_in_json(tmp_path):
    path = write(tmp_path / "x.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n')
    with pytest.raises(CorpusError, match="at byte 24"):
        documents(path)
    assert documents(path, errors="replace") == ["a", "\ufffd"]


@pytest.mark.parametrize("null", ["null", " null\t"])
@pytest.mark.parametrize("other", ['"b"', r'"\ud800"'])  # by Arrow, and by Python's json
def test_a_null_instead_of_an_object(tmp_path, null, other):
    lines = f'{{"text": "a"}}\n{null}\n{{"text": {other}}}\n'
    path = write(tmp_path / "x.jsonl", lines)
    with pytest.raises(CorpusError, match="line 2, is not a JSON object"):
        documents(path, errors="replace")
    path = write(tmp_path / "x.jsonl", lines.replace(null, '{"text": null}'))
    assert len(documents(path, errors="replace")) == 2


line = st.one_of(
    st.builds(json.dumps, st.fixed_dictionaries({"text": st.text() | st.none()})),
    st.builds(
        json.dumps,
        st.fixed_dictionaries(
            {"text": st.text(st.characters(codec="utf-8")), "g": st.text("ab") | st.integers(0, 9)}
        ),
        ensure_ascii=st.just(False),
    ),
    st.sampled_from(
        ["", " ", "{}", '{"text": "a", "text": "b"}', '{"n": [1, {"a": 1e999}]}', "null"]
    ),
    st.sampled_from(['{"text": "a"}{"text": "b"}', "[1]", '{"text": 1}', '{"text": "\\ud800"}']),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(line, min_size=1, max_size=6))
def test_the_fast_parser_says_what_the_slow_one_says(tmp_path_factory, lines):
    path = write(
        tmp_path_factory.mktemp("t") / "x.jsonl", '{"text": "", "g": "z"}\n' + "\n".join(lines)
    )

    def outcome():
        try:
            return rows(load_corpus(path, group_column="g"))
        except CorpusError as error:
            return str(error)

    both = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.jsonl._parse_fast", lambda *_: None)
        assert outcome() == both


# --- which function reads which file


def content(suffix):
    """Return a file of this kind that holds the texts "a" and "東"."""
    table = pa.table({"text": ["a", "東"]})
    sink = pa.BufferOutputStream()
    if suffix == ".txt":
        sink.write("a\n東\n".encode())
    elif suffix == ".parquet":
        pq.write_table(table, sink)
    elif suffix in (".arrow", ".feather"):
        with pa.ipc.new_file(sink, table.schema) as out:
            out.write_table(table)
    elif suffix in (".csv", ".tsv"):
        sink.write("text\na\n東\n".encode())
    else:
        sink.write('{"text": "a"}\n{"text": "東"}\n'.encode())
    return sink.getvalue().to_pybytes()


def held(suffix):
    """Return the documents of that file."""
    return ["a\n", "東\n"] if suffix == ".txt" else ["a", "東"]


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("change", [str, str.upper])
def test_every_extension_is_read(tmp_path, suffix, change):
    path = write(tmp_path / f"news.2024{change(suffix)}", content(suffix))
    assert rows(load_corpus(path)) == [(text, "news.2024", None) for text in held(suffix)]


@pytest.mark.parametrize(
    "end", sorted(COMPRESSIONS.keys() - {".xz"})
)  # which PyArrow does not write
@pytest.mark.parametrize("suffix", READERS)
def test_text_and_lines_may_be_compressed(tmp_path, suffix, end):
    path = tmp_path / f"news{suffix}{end}"
    with pa.output_stream(str(path), compression=COMPRESSIONS[end]) as file:
        file.write(content(suffix))
    if not READERS[suffix].packed:
        assert rows(load_corpus(path)) == [(text, "news", None) for text in held(suffix)]
    else:
        with pytest.raises(CorpusError, match=f"name it news{suffix}"):
            load_corpus(path)


@pytest.mark.parametrize("name", ["x", "x.c", ".txt"])
def test_anything_else_is_plain_text(tmp_path, name):
    path = write(tmp_path / name, '{"text": "a"}\n')
    assert documents(path) == ['{"text": "a"}\n']


# --- files that are not what they seem


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather", "x.txt.gz", "x.jsonl.zst"])
@pytest.mark.parametrize("content", [b"", b"garbage, not the format at all" * 4])
def test_corrupt_files(tmp_path, name, content):
    path = write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=r"x\."):
        documents(path)


def damaged(kind, data, ends):
    """Return an Arrow file's only column of which the last offset is past all data."""
    width = np.int64 if kind in ("large_string", "large_binary") else np.int32
    offsets = np.array([0, *ends], width)
    marked, raw = np.array([0, *ends[:-1], 77_777_777], width).tobytes(), offsets.tobytes()
    buffers = [None, pa.py_buffer(raw), pa.py_buffer(data)]
    values = pa.Array.from_buffers(getattr(pa, kind)(), len(ends), buffers)
    return values, raw, marked


@pytest.mark.parametrize("kind", ["string", "large_string"])
@pytest.mark.parametrize("column", ["text", "group", "dictionary"])
def test_offsets_that_lead_out_of_the_data(tmp_path, kind, column):
    values, raw, marked = damaged(kind, b"abcde", [1, 3, 3, 5])
    sound = pa.array(["a", None, "b", "c"])
    if column == "dictionary":
        values = pa.DictionaryArray.from_arrays(pa.array([0, 3, None, 2]), values)
    table = pa.table(
        {"text": sound, "group": sound} | {column.replace("dictionary", "group"): values}
    )
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as file:
        file.write_table(table)
    whole = (tmp_path / "x.arrow").read_bytes()
    assert whole.count(raw) == 1
    options = ReaderOptions(group_column="group")
    assert len(rows(load_corpus(str(tmp_path / "x.arrow"), options))) in (3, 4)
    write(tmp_path / "y.arrow", whole.replace(raw, marked))
    name = "text" if column == "text" else "group"
    with pytest.raises(CorpusError, match=rf"column '{name}' of .*y\.arrow is damaged"):
        rows(load_corpus(str(tmp_path / "y.arrow"), options))


def test_indices_that_lead_out_of_the_dictionary(tmp_path):
    indices = pa.array([0, 1, 9], pa.int32())
    values = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b"]), safe=False)
    table = pa.table({"text": values})
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as file:
        file.write_table(table)
    with pytest.raises(CorpusError, match=r"column 'text' of .*x\.arrow is damaged"):
        documents(tmp_path / "x.arrow")


def test_truncated_files(tmp_path):
    random.seed(1)
    text = "".join(random.choices("abcdefgh\n", k=200_000)).encode()
    path = write(tmp_path / "x.txt.gz", gzip.compress(text)[:-5000])
    with pytest.raises(CorpusError, match=r"cannot read .*x\.txt\.gz"):
        documents(path)
    table = write_table(tmp_path / "x.parquet", pa.table(columns(NASTY)))
    write(table, table.read_bytes()[:-20])
    with pytest.raises(CorpusError, match=r"cannot read .*x\.parquet"):
        documents(table)


def test_a_file_that_vanishes(tmp_path):
    path = write(tmp_path / "x.txt", "a\n")
    corpus = load_corpus(str(path))
    path.unlink()
    with pytest.raises(CorpusError, match="cannot read"):
        rows(corpus)
    with pytest.raises(CorpusError, match="cannot read"):
        _ = corpus.fingerprint


def test_refused_combinations(tmp_path):
    text = write(tmp_path / "x.txt", "a\n")
    lines = write(tmp_path / "x.jsonl", '{"text": "a"}\n')
    with pytest.raises(CorpusError, match="by line"):
        documents(lines, sample_by="line")
    with pytest.raises(CorpusError, match="no column 'id'"):
        documents(text, align_column="id")
    with pytest.raises(CorpusError, match="align"):
        documents(text, align_column="line", sample_by="paragraph")
    with pytest.raises(CorpusError, match=r"line ends of (?s:.*)--line-ends"):
        documents(lines, line_ends="keep")
    with pytest.raises(CorpusError, match="did you mean 'universal'"):
        ReaderOptions(line_ends="univers")
    with pytest.raises(CorpusError, match="compressed inside"):
        documents(write(tmp_path / "x.parquet.gz", b""))
    with pytest.raises(CorpusError, match="did you mean 'paragraph'"):
        ReaderOptions(sample_by="paragraf")
    with pytest.raises(CorpusError, match="errors"):
        ReaderOptions(errors="ignore")
    with pytest.raises(CorpusError, match="limit"):
        ReaderOptions(limit=0)


# --- batches


@pytest.mark.parametrize("name", ["x.txt", "x.jsonl", *TABLES])
@pytest.mark.usefixtures("small_blocks")
def test_batches_are_small_and_progress_adds_up(tmp_path, name):
    path = tmp_path / name
    texts = [text.replace("\n", "") for text in NASTY]
    if name == "x.txt":
        write(path, "\n".join(texts))
    elif name == "x.jsonl":
        write(path, "\n".join(json.dumps({"text": text}) for text in texts))
    else:
        write_table(path, pa.table({"text": texts}))
    corpus, consumed = load_corpus(str(path)), []
    for batch in corpus.batches(consumed.append):
        _, offsets = spans(batch.column(0))
        assert batch.num_rows == 1 or offsets[-1] - offsets[0] <= 7
        assert batch.column("weight").to_pylist() == [1] * batch.num_rows
    assert sum(consumed) == corpus.size == path.stat().st_size
    assert all(step > 0 for step in consumed)


def test_spans_of_a_slice():
    array = pa.array(["ab", "", "東", "d"], pa.large_string()).slice(1, 2)
    data, offsets = spans(array)
    assert [bytes(data[a:b]) for a, b in pairwise(offsets)] == [
        b"",
        "東".encode(),
    ]
    data, offsets = spans(pa.array([], pa.large_string()))
    assert offsets.tolist() == [0]
    assert data.dtype == np.uint8


def test_an_error_in_the_reading_loop_is_not_the_files(tmp_path):
    path = write(tmp_path / "x.txt", "a\n")

    def progress(_):
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="terminal"):
        list(load_corpus(str(path)).batches(progress))
