"""Loading by spec, the cache of what was parsed, and the self-check."""

import json
import socket

import numpy as np
import pytest
from public_samples import (
    PREPEND,
    REPLACE,
    added,
    byte_level,
    byte_model,
    character_model,
    document,
    normalizers,
    write,
)

from toktk.errors import FormatError, ToktkError
from toktk.loading import parsed, verify
from toktk.loading.load import load
from toktk.loading.verify import check
from toktk.models.pairs import PairModel

GPT2 = document(byte_model(), pre_tokenizer=byte_level())
LLAMA2 = document(
    character_model(),
    normalizers(PREPEND, REPLACE),
    None,
    [added(0, "<unk>", True), added(1, "<s>", True), added(2, "</s>", True)],
)
LOWER = {**GPT2, "normalizer": {"type": "Lowercase"}}
DOCUMENTS = ["the cat", "größe 東京 12345", ""]
ALPHABET = {bytes([b]): b for b in range(256)}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give each test a cache of its own, with patterns and kernels compiled before; no network."""
    import os

    from toktk.pretokenizers.pretokenizer import Pretokenizer

    for pattern in ("gpt2", "spaces", "none", "cl100k"):
        Pretokenizer.of(pattern).transducer  # noqa: B018

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert os.environ["TOKTK_HOME"]
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ranks(path, tokens=(b"th", b"the", b" the")):
    import base64

    known = {**ALPHABET, **{token: 256 + i for i, token in enumerate(tokens)}}
    lines = [b"%s %d\n" % (base64.b64encode(token), i) for token, i in known.items()]
    path.write_bytes(b"".join(lines))
    return path


def tekken(path):
    import base64

    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": None}
        for i in range(256)
    ]
    config = {"pattern": r"\S+|\s+", "default_vocab_size": 276, "default_num_special_tokens": 20}
    path.write_text(json.dumps({"config": config, "vocab": vocab}))
    return path


def proto(path):
    import sentencepiece

    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the cat and the hat", "größe 東京"] * 9),
            model_writer=file, vocab_size=300, model_type="bpe", byte_fallback=True, minloglevel=2,
            normalization_rule_name="identity", remove_extra_whitespaces=False,
        )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("name", "make", "library"),
    [
        ("a/tokenizer.json", lambda path: write(path, GPT2), "tokenizers"),
        ("b/llama2.json", lambda path: write(path, LLAMA2), "tokenizers"),
        ("c/tekken.json", tekken, "tiktoken"),
        ("d/cl100k_base.tiktoken", ranks, "tiktoken"),
        ("e/tokenizer.model", proto, "sentencepiece"),
        ("f/tokenizer.model.v1", proto, "sentencepiece"),
    ],
)
def test_files_of_each_format_load_and_pass(tmp_path, name, make, library):
    path = tmp_path / name
    path.parent.mkdir()
    make(path)
    for text in [str(path)] + [str(path.parent)] * (path.suffix != ".v1" and path.stem != "llama2"):
        loaded = load(f"x={text}")
        assert (loaded.label, loaded.spec, loaded.why) == ("x", text, "")
        assert loaded.reference.library.startswith(f"{library} ")
        assert isinstance(loaded.native.model, PairModel)
        checked = check(loaded, DOCUMENTS)
        assert (checked.engine, checked.why) == ("native", "")
        assert checked.tokenizer is loaded.native
    assert load(str(path)).source == loaded.source
    assert len(loaded.source) == 64


def test_a_tokenizer_that_toktk_trained_loads_by_its_own_reader(tmp_path, tokenizer):
    tokenizer.save(tmp_path / "bpe-700")
    loaded = load(str(tmp_path / "bpe-700"))
    assert loaded.label == loaded.native.name == "bpe-700"
    assert loaded.native.model.kind == "bpe"
    assert loaded.native.signature == tokenizer.signature
    assert check(loaded, DOCUMENTS).engine == "native"


def test_what_toktk_does_not_do_the_library_does(tmp_path):
    loaded = load(str(write(tmp_path / "lower" / "tokenizer.json", LOWER)))
    assert loaded.native is None
    checked = check(loaded, DOCUMENTS)
    assert checked.engine == loaded.reference.library
    assert checked.why == loaded.why == "normalizer Lowercase"
    assert checked.tokenizer.encode("ABC").tolist() == checked.tokenizer.encode("abc").tolist()
    assert load(str(tmp_path / "lower")).why == loaded.why  # as it was kept


def test_where_only_toktk_finds_fault_the_library_runs_it(tmp_path):
    odd = {**GPT2, "normalizer": {"type": None, "normalizers": []}}
    loaded = load(str(write(tmp_path / "odd" / "tokenizer.json", odd)))
    assert loaded.native is None
    assert "normalizer" in loaded.why
    assert check(loaded, DOCUMENTS).engine == loaded.reference.library


def test_a_file_that_is_no_tokenizer(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes")
    with pytest.raises(FormatError, match=r"cannot tell what .*notes.txt is"):
        load(str(path))
    with pytest.raises(FormatError, match=r"cannot read .*notes.txt"):
        load(f"spm:{path}")


def test_a_difference_is_shown_and_the_library_chosen(tmp_path, monkeypatch):
    loaded = load(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))
    pairs = loaded.native.model.pairs[:-40]
    model = PairModel.from_arrays({**loaded.native.model.to_arrays(), "pairs": pairs})
    other = type(loaded.native)("g", loaded.native.pretokenizer, model)
    checked = check(type(loaded)(**{**vars(loaded), "native": other}), DOCUMENTS)
    assert checked.engine == loaded.reference.library
    assert checked.why.startswith("ids differ at '")
    assert f"by {loaded.reference.library}" in checked.why
    assert check(loaded, DOCUMENTS).engine == "native"


@pytest.mark.parametrize("kind", [ToktkError, ValueError])
def test_only_errors_on_purpose_choose_the_library(tmp_path, monkeypatch, kind):
    loaded = load(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))

    def fail(*_):
        raise kind("broken")

    monkeypatch.setattr(PairModel, "encode_pieces", fail)
    if kind is ValueError:
        with pytest.raises(ValueError, match="broken"):
            check(loaded, DOCUMENTS)
    else:
        assert check(loaded, DOCUMENTS).why == "toktk's engine fails: broken"


def test_documents_beyond_the_torture_text_count(tmp_path, monkeypatch):
    loaded = load(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))
    seen = []
    monkeypatch.setattr(verify, "_difference", lambda *args: seen.append(args[2]) or "")
    check(loaded, ["one"])
    check(loaded, ["one"])
    check(loaded, ["two"])
    assert [texts[-1] for texts in seen] == ["one", "two"]
    check(loaded, ["two"], cache=False)
    assert len(seen) == 3
    with pytest.raises(FormatError, match="surrogate"):
        check(loaded, ["\ud800"])


def test_what_was_parsed_is_kept_by_contents(tmp_path, home, monkeypatch):
    first = load(str(write(tmp_path / "a" / "tokenizer.json", LLAMA2)))
    (kept,) = (home / "tokenizers").iterdir()
    assert kept.name.startswith(first.source)
    write(tmp_path / "elsewhere" / "tokenizer.json", LLAMA2)
    monkeypatch.setattr("toktk.loading.load.read", None)
    again = load(f"again={tmp_path / 'elsewhere'}")
    assert again.source == first.source
    assert again.native.name == again.label == "again"
    assert again.native.signature == first.native.signature
    assert again.native.pretokenizer == first.native.pretokenizer
    with pytest.raises(TypeError):
        load(str(tmp_path / "a"), cache=False)


def test_a_changed_file_is_another(tmp_path):
    path = write(tmp_path / "a" / "tokenizer.json", GPT2)
    first = load(str(path))
    write(path, LLAMA2)
    assert load(str(path)).source != first.source
    assert load(str(path)).native.signature != first.native.signature


def as_if_packed_otherwise(raw):
    """Return a zip file of which the directory names a method that Python does not have."""
    at = raw.find(b"PK\x01\x02") + 10
    return raw[:at] + b"\x63\0" + raw[at + 2 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:-50],
        lambda raw: raw[:300] + b"\xff" + raw[301:],
        as_if_packed_otherwise,
    ],
)
def test_damaged_caches_are_written_anew(tmp_path, home, damage):
    path = str(write(tmp_path / "a" / "tokenizer.json", GPT2))
    first = load(path)
    check(first, DOCUMENTS)
    for folder in ("tokenizers", "verdicts"):
        (kept,) = (home / folder).iterdir()
        kept.write_bytes(damage(kept.read_bytes()))
    parsed_again = load(path)
    assert parsed_again.native.signature == first.native.signature
    assert check(parsed_again, DOCUMENTS).engine == "native"
    assert parsed.read_parsed(first.source, "a") is not None


def test_new_code_forgets_what_old_code_parsed(tmp_path, monkeypatch):
    source = load(str(write(tmp_path / "a" / "tokenizer.json", GPT2))).source
    assert parsed.read_parsed(source, "a") is not None
    monkeypatch.setattr(parsed, "code_version", lambda: "another")
    assert parsed.read_parsed(source, "a") is None


def test_a_tiktoken_file_with_its_pattern_beside(tmp_path):
    path = ranks(tmp_path / "mine.tiktoken")
    with pytest.raises(FormatError, match="without its pattern"):
        load(str(path))
    beside = tmp_path / "mine.tiktoken.json"
    beside.write_text(json.dumps({"pat_str": r"\S+|\s+", "special_tokens": {"<|end|>": 400}}))
    loaded = load(str(path))
    assert loaded.native.vocab_size == loaded.reference.tokenizer.vocab_size == 401
    assert check(loaded, DOCUMENTS).engine == "native"
    beside.write_text(json.dumps({"pat_str": r"[\s\S]", "special_tokens": {}}))
    assert load(str(path)).source != loaded.source
    assert load(str(path)).native.encode("the").size == 3


@pytest.mark.parametrize(
    "contents",
    [b"", b"{", b"{}", b"[]", b"\xff\xfe", b"no model", b'{"model": {}}', b'{"model": {"type": "BPE"}}',
     b'{"config": {}, "vocab": [{"token_bytes": ""}]}', b"YQ== 1\nYQ== 2\n", b'{"model": ' + b"[" * 99_999],
)  # fmt: skip
def test_damaged_files_are_errors(tmp_path, contents):
    for name in ("tokenizer.json", "tekken.json", "x.model", "cl100k_base.tiktoken"):
        path = tmp_path / name
        path.write_bytes(contents)
        with pytest.raises(FormatError):
            load(str(path))


def test_folders_without_one_tokenizer_are_errors(tmp_path):
    with pytest.raises(FormatError, match="no tokenizer in"):
        load(str(tmp_path))
    for name in ("a.model", "b.model"):
        (tmp_path / name).touch()
    with pytest.raises(FormatError, match=r"Found: a.model, b.model"):
        load(str(tmp_path))


def test_tiktoken_encodings_come_from_the_library(monkeypatch):
    import tiktoken

    made = tiktoken.Encoding(
        "gpt2",
        pat_str=r"\S+|\s+",
        mergeable_ranks={**ALPHABET, b"th": 256},
        special_tokens={"<e>": 257},
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: made)
    loaded = load("tiktoken:gpt2")
    assert loaded.reference.library.startswith("tiktoken ")
    assert check(loaded, DOCUMENTS).tokenizer.encode("this").tolist() == [256, 105, 115]

    def fail(name):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", fail)
    with pytest.raises(FormatError, match="no route to host") as error:
        load("tiktoken:o200k_base")
    assert "Without a network: download o200k_base.tiktoken elsewhere" in str(error.value)


def test_hub_repositories_give_the_first_known_file(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    path = proto(tmp_path / "tokenizer.model")
    asked = []

    def download(repository, name, revision):
        asked.append((repository, name, revision))
        if name != "tokenizer.model":
            raise EntryNotFoundError(name)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    loaded = load("hf:org/name@main")
    assert loaded.label == "name"
    assert loaded.native is not None
    names = ["tokenizer.json", "tekken.json", "tokenizer.model"]
    assert asked == [("org/name", name, "main") for name in names]

    def fail(*_, **__):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(FormatError, match="offline") as error:
        load("hf:org/name")
    assert "Without a network: download tokenizer.json" in str(error.value)


def test_importing_loads_no_library():
    import subprocess
    import sys

    code = (
        "import sys, toktk.loading.load; "
        "print({'tokenizers', 'tiktoken', 'sentencepiece', 'huggingface_hub', 'numba', 'pyarrow'} "
        "& set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"


def test_numbers_of_a_native_tokenizer(tmp_path):
    loaded = load(str(write(tmp_path / "l" / "tokenizer.json", LLAMA2)))
    assert loaded.native.vocab_size == loaded.reference.tokenizer.vocab_size
    assert np.array_equal(
        loaded.native.model.special_ids, loaded.reference.tokenizer.model.special_ids
    )
