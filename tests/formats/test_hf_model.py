"""The lists of a file as arrays: what Python's objects say, or nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from toktk.errors import FormatError
from toktk.formats import hf_read
from toktk.formats.fields import NotNative
from toktk.formats.hf_model import lists_of
from toktk.formats.hf_read import read_tokenizer_json
from toktk.models.bpe import byte_characters

PATH = Path("tokenizer.json")


def document(**changes):
    names = [*byte_characters(), "ab", "Ġa", "Ġab", "éé", "<|x|>", "<y>"]
    vocab = {name: i for i, name in enumerate(names)}
    added = [
        {"id": i, "content": name, "special": special}
        for i, name, special in ((260, "<|x|>", True), (261, "<y>", False), (262, "<new>", False))
    ]
    model = {"type": "BPE", "vocab": vocab, "merges": ["a b", "Ġ a", "Ġ ab", "é é"]}
    return {
        "added_tokens": added,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "model": model | changes,
    }


def parts(raw, monkeypatch, by_python):
    with monkeypatch.context() as patch:
        if by_python:
            patch.setattr(hf_read, "lists_of", lambda raw: None)
        try:
            pretokenizer, model = read_tokenizer_json(raw, PATH)
        except (FormatError, NotNative) as error:
            return type(error), str(error)
    return pretokenizer, {name: array.tolist() for name, array in model.to_arrays().items()}


@pytest.mark.parametrize("as_pairs", [False, True])
@pytest.mark.parametrize("ensure_ascii", [False, True])
@pytest.mark.parametrize("changes", [{}, {"type": None}, {"ignore_merges": True}])
def test_a_file_is_read_as_python_reads_it(as_pairs, ensure_ascii, changes, monkeypatch):
    whole = document(**changes)
    if as_pairs:
        whole["model"]["merges"] = [line.split() for line in whole["model"]["merges"]]
    raw = json.dumps(whole, ensure_ascii=ensure_ascii).encode()
    lists = lists_of(raw)
    assert lists is not None
    assert dict(lists.names) == whole["model"]["vocab"]
    assert "Ġab" in lists.names
    assert "nothing" not in lists.names
    assert parts(raw, monkeypatch, False) == parts(raw, monkeypatch, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab": {}},
        {"vocab": {"a": 0, "b": 0}},
        {"vocab": {"a": -1}},
        {"vocab": {"a": 1.0}},
        {"vocab": {"a": 10**8}},
        {"vocab": {"a": 10**30}},
        {"vocab": {"a" * 70_000: 0}},
        {"vocab": {"\ud800": 0}},
        {"vocab": []},
        {"merges": ["a b c"]},
        {"merges": ["a zz"]},
        {"merges": ["#version: 0.2", "a b"]},
        {"merges": [["a", "b"], "Ġ a"]},
        {"merges": [["a", 1]]},
        {"merges": None},
        {"type": "Unigram"},
        {"type": 5},
    ],
    ids=str,
)
def test_what_is_unusual_is_left_to_python(changes, monkeypatch):
    raw = json.dumps(document(**changes)).encode()
    assert lists_of(raw) is None
    assert parts(raw, monkeypatch, False) == parts(raw, monkeypatch, True)


def test_a_name_or_a_list_that_is_there_twice_is_left_to_python(monkeypatch):
    raw = json.dumps(document()).encode()
    for doubled in (
        raw.replace(b'"ab":', b'"ba": 300, "ba":', 1),
        raw.replace(b'"vocab":', b'"vocab": {}, "vocab":', 1),
        raw.replace(b'"vocab":', b'"\\u0076ocab": {}, "vocab":', 1),
        raw.replace(b'"model":', b'"model": {"vocab": {"a": 1}, "merges": []}, "model":', 1),
    ):
        assert lists_of(doubled) is None or b"u0076" in doubled
        assert parts(doubled, monkeypatch, False) == parts(doubled, monkeypatch, True)


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b'"\xc3\xa9\xc3\xa9":259', b'"\xff":259'),
        (b'"\xc3\xa9\xc3\xa9":259', b'"\xed\xa0\x80":259'),
        (b'"\xc3\xa9\xc3\xa9":259', b'"\xc3":259,"\xa9":300'),  # which joined are UTF-8
        (b'"a b"', b'"a \xff"'),
        (b'"type":"BPE"', b'"type":"BPE","dropped":"\xff"'),
        (b'"content":"<new>"', b'"content":"\xc3"'),
    ],
)
def test_what_is_no_utf8_is_left_to_python(sound, damaged):
    whole = document(merges=["a b"])
    raw = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    assert raw.count(sound) == 1
    assert lists_of(raw) is not None
    assert lists_of(raw.replace(sound, damaged)) is None
    with pytest.raises(FormatError):
        read_tokenizer_json(raw.replace(sound, damaged), PATH)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b'{"model": 1}', b"\xff", b'{"model": {"vocab": {"\xff": 0}}}']
)
def test_what_is_no_such_file(raw):
    assert lists_of(raw) is None


def test_ids_are_the_files_whatever_their_order():
    whole = document()
    vocab = whole["model"]["vocab"]
    whole["model"]["vocab"] = dict(sorted(vocab.items(), reverse=True))
    lists = lists_of(json.dumps(whole).encode())
    assert {name: lists.names[name] for name in vocab} == vocab
    expected = [[vocab["a"], vocab["b"], vocab["ab"]], [vocab["Ġ"], vocab["a"], vocab["Ġa"]]]
    assert lists.merges[:2].tolist() == expected
    assert np.array_equal(np.sort(lists.names.ids), np.arange(262))
