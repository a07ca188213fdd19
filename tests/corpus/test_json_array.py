import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import ReaderOptions, load_corpus
from toktk.errors import CorpusError


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def texts(path, **options):
    corpus = load_corpus(str(path), ReaderOptions(**options))
    return [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.sampled_from('ab,[]{}"\\\n\té東')), min_size=1),
    st.sampled_from([None, 0, 2]),
    st.sampled_from([1 << 24, 16, 40]),
)
def test_the_items_are_rows(tmp_path_factory, values, indent, block):
    rows = [{"id": i, "text": text, "more": [{"text": "x"}]} for i, text in enumerate(values)]
    content = " \n" + json.dumps(rows, indent=indent, ensure_ascii=False) + "\n"
    path = write(tmp_path_factory.mktemp("t") / "x.json", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.text.BATCH_BYTES", block)
        assert texts(path) == values


def test_lines_are_rows_as_well(tmp_path):
    content = b'{"text": "a"}\n\n{"text": "b"}\n'
    assert texts(write(tmp_path / "x.json", content)) == ["a", "b"]
    assert texts(write(tmp_path / "x.json.gz", gzip.compress(content))) == ["a", "b"]
    assert texts(write(tmp_path / "y.json.gz", gzip.compress(b'[{"text":"a"},{"text":"b"}]'))) == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("block", [1 << 24, 16])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"}, {"text": "b"}', "has no end"),
        ('[{"text": "a"}, {"text": "b', "item 2, is not JSON"),
        ('[{"text": "a"}] [{"text": "b"}]', "no array of JSON at byte 16"),
        ('[{"text": "a"}]]', "no array of JSON at byte 15"),
        ('[{"text": "a"},, {"text": "b"}]', "no array of JSON at byte 15"),
        ('[{"text": "a"}, ]', "no array of JSON at byte 16"),
        ('[{"text": "a"}}', "no array of JSON at byte 14"),
        ('[{"text": "a"}, {"text": "b"} {"text": "c"}]', "item 2, is not JSON"),
        ('[{"text": "a"},\n["b"]]', "item 2, is not a JSON object"),
        ('[1, "b"]', "item 1, is not a JSON object"),
        ('[{"text": "a"},\n{"text": 1}]', "in .*, item 2,"),
        ("[]", "no documents"),
        ("", "no documents"),
    ],
)
def test_what_is_no_array(tmp_path, monkeypatch, content, message, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    with pytest.raises(CorpusError, match=message):
        texts(write(tmp_path / "x.json", content))


STRINGS = ["a", "", 'q"uo\\te', "two\nlines", "\u2028 é 東", ' "x": 1, ', "{}", "[1]"]


@pytest.mark.parametrize("block", [1 << 24, 25])
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_bare_strings_are_documents(tmp_path, monkeypatch, name, ascii_only, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    path = tmp_path / name
    if name == "x.json":
        raw = json.dumps(STRINGS, ensure_ascii=ascii_only, indent=1)
    else:
        raw = "".join(f" {json.dumps(text, ensure_ascii=ascii_only)}\r\n" for text in STRINGS)
    path.write_text(raw, encoding="utf-8", newline="")
    assert texts(path) == STRINGS
    with pytest.raises(CorpusError, match="1, is not a JSON object"):
        texts(path, text_column="body")


def test_strings_with_blank_lines_or_half_a_character(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('\n"a"\n\n"b"\n  \n"c"', encoding="utf-8")
    assert texts(path) == ["a", "b", "c"]
    path.write_text('"a"\n"\\ud800"\n', encoding="utf-8")
    with pytest.raises(CorpusError, match="line 2, holds half a character"):
        texts(path)
    assert texts(path, errors="replace") == ["a", "\ufffd"]


@pytest.mark.parametrize(
    "line", ['"a", "text": "b"', '"a"} {"text": "b"', '"a" "b"', "null", "1", '"', '{"text": "b"}']
)
def test_lines_that_are_no_string(tmp_path, line):
    path = tmp_path / "x.jsonl"
    path.write_text(f'"first"\n{line}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match="line 2, is not"):
        texts(path)
