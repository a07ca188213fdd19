"""Loading by spec, the cache of what was parsed, and the self-check."""

import dataclasses
import json
import socket

import pytest
from public_samples import GPT2, LLAMA2, write

from toktk.errors import FormatError, ToktkError
from toktk.formats.hf_folder import SETTINGS
from toktk.loading.load import load, open_tokenizer
from toktk.models.model import model_from_arrays
from toktk.models.pairs import PairModel

LOWER = {**GPT2, "normalizer": {"type": "Lowercase"}}
DOCUMENTS = ["the cat", "größe 東京 12345", ""]
ALPHABET = {bytes([b]): b for b in range(256)}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give each test a cache of its own, with patterns and kernels compiled before; no network."""
    import os

    from toktk.pretokenizers.pretokenizer import Pretokenizer

    for pattern in ("gpt2", "spaces", "none", "cl100k"):
        Pretokenizer.of(pattern).compile()

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


def gaps(path):
    ranks(path)
    arguments = {"pat_str": r"[a-z]+|\d", "special_tokens": {}}
    path.with_name(f"{path.name}.json").write_text(json.dumps(arguments))


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


def file_at(path, make):
    path.parent.mkdir()
    make(path)
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
    path = file_at(tmp_path / name, make)
    for text in [str(path)] + [str(path.parent)] * (path.suffix != ".v1" and path.stem != "llama2"):
        loaded = open_tokenizer(f"x={text}")
        assert (loaded.label, loaded.spec, loaded.why) == ("x", text, "")
        assert loaded.library.startswith(f"{library} ")
        assert isinstance(loaded.native.model, PairModel)
        checked = loaded.checked(DOCUMENTS)
        assert (checked.engine, checked.why) == ("native", "")
        assert checked is loaded.native
    assert open_tokenizer(str(path)).digest == loaded.digest
    assert len(loaded.digest) == 64


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("gpt2/tokenizer.json", lambda path: write(path, GPT2), ""),
        ("lower/tokenizer.json", lambda path: write(path, LOWER), "normalizer Lowercase"),
        ("c/tekken.json", tekken, ""),
        ("d/cl100k_base.tiktoken", ranks, ""),
        ("gaps/mine.tiktoken", gaps, "the split pattern "),
        ("e/tokenizer.model", proto, ""),
    ],
)
def test_load_gives_a_tokenizer_that_knows_its_engine(tmp_path, name, make, why):
    path = file_at(tmp_path / name, make)
    loaded = open_tokenizer(str(path))
    tokenizer = load(str(path))
    assert tokenizer.name == loaded.label
    assert (tokenizer.why != "") == (why != "")
    assert tokenizer.why.startswith(why)
    assert tokenizer.engine == (loaded.library if why else "native")
    assert tokenizer.encode("the cat") == loaded.reference.encode("the cat")
    assert tokenizer.encode_to_numpy("the cat").tolist() == tokenizer.encode("the cat")
    assert tokenizer.decode(tokenizer.encode("cat")).strip() == "cat"


def test_load_reads_a_difference_in_the_documents_at_hand(tmp_path, monkeypatch):
    path = str(write(tmp_path / "g" / "tokenizer.json", GPT2))
    monkeypatch.setattr(
        "toktk.loading.load._difference", lambda *args: "ids differ" * (args[3][-1] == b"x")
    )
    assert load(path).engine == "native"
    tokenizer = load(path, ["x"])
    assert (tokenizer.engine, tokenizer.why) == (open_tokenizer(path).library, "ids differ")


@pytest.mark.parametrize(
    ("name", "contents", "field"),
    [
        ("tokenizer.json", json.dumps({**GPT2, "model": {**GPT2["model"], "vocab": 5}}), "model.vocab"),
        ("tekken.json", '{"config": {"pattern": 7}, "vocab": [{"token_bytes": ""}]}', "config.pattern"),
        ("cl100k_base.tiktoken", "YQ== 1\nYg== two\n", "line 2"),
        ("tokenizer.model", "\n\x06abc", "field 1"),
    ],
)  # fmt: skip
def test_a_broken_file_names_its_field(tmp_path, name, contents, field):
    path = tmp_path / name
    path.write_text(contents)
    with pytest.raises(FormatError) as error:
        load(str(path))
    assert str(path) in str(error.value)
    assert field in str(error.value)


def test_a_file_that_only_its_library_could_run_and_does_not(tmp_path):
    odd = {**LOWER, "model": {**GPT2["model"], "merges": [["no", "token"]]}}
    path = write(tmp_path / "odd" / "tokenizer.json", odd)
    with pytest.raises(FormatError, match=r"cannot load .*\n.*Lowercase(.|\n)*tokenizers \S+ says"):
        load(str(path))


def test_a_tokenizer_that_toktk_trained_loads_by_its_own_reader(tmp_path, tokenizer):
    tokenizer.save(tmp_path / "bpe-700")
    loaded = open_tokenizer(str(tmp_path / "bpe-700"))
    assert loaded.label == loaded.native.name == "bpe-700"
    assert loaded.native.model.kind == "bpe"
    assert loaded.native.signature == tokenizer.signature
    assert loaded.checked(DOCUMENTS).engine == "native"


def test_what_toktk_does_not_do_the_library_does(tmp_path):
    loaded = open_tokenizer(str(write(tmp_path / "lower" / "tokenizer.json", LOWER)))
    assert loaded.native is None
    checked = loaded.checked(DOCUMENTS)
    assert checked.engine == loaded.library
    assert checked.why == loaded.why == "normalizer Lowercase"
    assert checked.encode("ABC") == checked.encode("abc")
    assert open_tokenizer(str(tmp_path / "lower")).why == loaded.why  # as it was kept


def test_where_only_toktk_finds_fault_the_library_runs_it(tmp_path):
    odd = {**GPT2, "normalizer": {"type": None, "normalizers": []}}
    loaded = open_tokenizer(str(write(tmp_path / "odd" / "tokenizer.json", odd)))
    assert loaded.native is None
    assert "normalizer" in loaded.why
    assert loaded.checked(DOCUMENTS).engine == loaded.library


def test_a_file_that_is_no_tokenizer(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes")
    with pytest.raises(FormatError, match=r"cannot tell what .*notes.txt is"):
        open_tokenizer(str(path))
    with pytest.raises(FormatError, match=r"cannot read .*notes.txt"):
        open_tokenizer(f"spm:{path}")


def test_a_difference_is_shown_and_the_library_chosen(tmp_path, monkeypatch):
    loaded = open_tokenizer(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))
    pairs = loaded.native.model.pairs[:-40]
    model = PairModel.from_arrays({**loaded.native.model.to_arrays(), "pairs": pairs})
    other = dataclasses.replace(loaded.native, model=model)
    checked = dataclasses.replace(loaded, native=other).checked(DOCUMENTS)
    assert checked.engine == loaded.library
    assert checked.why.startswith("ids differ at '")
    assert f"by {loaded.library}" in checked.why
    assert loaded.checked(DOCUMENTS).engine == "native"


@pytest.mark.parametrize("kind", [ToktkError, ValueError])
def test_only_errors_on_purpose_choose_the_library(tmp_path, monkeypatch, kind):
    loaded = open_tokenizer(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))

    def fail(*_):
        raise kind("broken")

    monkeypatch.setattr(PairModel, "encode_pieces", fail)
    if kind is ValueError:
        with pytest.raises(ValueError, match="broken"):
            loaded.checked(DOCUMENTS)
    else:
        assert loaded.checked(DOCUMENTS).why == "toktk's engine fails: broken"


def test_documents_beyond_the_torture_text_count(tmp_path, monkeypatch):
    loaded = open_tokenizer(str(write(tmp_path / "g" / "tokenizer.json", GPT2)))
    seen = []
    monkeypatch.setattr("toktk.loading.load._difference", lambda *args: seen.append(args[3]) or "")
    loaded.checked(["one"])
    loaded.checked(["one"])
    loaded.checked(["two"])
    assert [texts[-1] for texts in seen] == [b"one", b"two"]
    loaded.checked(["two"], cache=False)
    assert len(seen) == 3
    with pytest.raises(FormatError, match="surrogate"):
        loaded.checked(["\ud800"])


def test_what_was_parsed_is_kept_by_contents(tmp_path, home, monkeypatch):
    first = open_tokenizer(str(write(tmp_path / "a" / "tokenizer.json", LLAMA2)))
    assert len(list((home / "cells" / "tokenizers").iterdir())) == 1
    write(tmp_path / "elsewhere" / "tokenizer.json", LLAMA2)
    monkeypatch.setattr("toktk.loading.load._parse", None)
    again = open_tokenizer(f"again={tmp_path / 'elsewhere'}")
    assert again.digest == first.digest
    assert again.native.name == again.label == "again"
    model = again.native.model
    assert vars(model)["signature"] == model_from_arrays(model.kind, model.to_arrays()).signature
    assert again.native.signature == first.native.signature
    assert again.native.pretokenizer == first.native.pretokenizer
    with pytest.raises(TypeError):
        open_tokenizer(str(tmp_path / "a"), cache=False)


def test_a_changed_file_is_another(tmp_path):
    path = write(tmp_path / "a" / "tokenizer.json", GPT2)
    first = open_tokenizer(str(path))
    write(path, LLAMA2)
    assert open_tokenizer(str(path)).digest != first.digest
    assert open_tokenizer(str(path)).native.signature != first.native.signature


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"", lambda raw: raw[:-5], lambda raw: raw[:9] + b"\xff" + raw[10:]],
)
def test_damaged_caches_are_written_anew(tmp_path, home, monkeypatch, damage):
    path = str(write(tmp_path / "a" / "tokenizer.json", GPT2))
    first = open_tokenizer(path)
    first.checked(DOCUMENTS)
    for kind in ("tokenizers", "verdicts"):
        files = list((home / "cells" / kind).glob("*/*"))
        assert len(files) >= 2
        for file in files:
            file.write_bytes(damage(file.read_bytes()))
    parsed_again = open_tokenizer(path)
    assert parsed_again.native.signature == first.native.signature
    assert parsed_again.checked(DOCUMENTS).engine == "native"
    monkeypatch.setattr("toktk.loading.load._parse", None)
    assert open_tokenizer(path).native.signature == first.native.signature


def test_new_code_forgets_what_old_code_parsed(tmp_path, monkeypatch):
    path = str(write(tmp_path / "a" / "tokenizer.json", GPT2))
    open_tokenizer(path)
    monkeypatch.setattr("toktk.loading.load._parse", None)
    open_tokenizer(path)
    monkeypatch.setattr("toktk.cache.code_digest", lambda package: "another")
    with pytest.raises(TypeError):
        open_tokenizer(path)


def test_a_tiktoken_file_with_its_pattern_beside(tmp_path):
    path = ranks(tmp_path / "mine.tiktoken")
    with pytest.raises(FormatError, match="without its pattern"):
        open_tokenizer(str(path))
    beside = tmp_path / "mine.tiktoken.json"
    beside.write_text(json.dumps({"pat_str": r"\S+|\s+", "special_tokens": {"<|end|>": 400}}))
    loaded = open_tokenizer(str(path))
    assert loaded.native.vocab_size == loaded.reference.vocab_size == 401
    assert loaded.checked(DOCUMENTS).engine == "native"
    beside.write_text(json.dumps({"pat_str": r"[\s\S]", "special_tokens": {}}))
    assert open_tokenizer(str(path)).digest != loaded.digest
    assert open_tokenizer(str(path)).native.count("the") == 3


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
            open_tokenizer(str(path))


def test_folders_without_one_tokenizer_are_errors(tmp_path):
    with pytest.raises(FormatError, match="no tokenizer in"):
        open_tokenizer(str(tmp_path))
    for name in ("a.model", "b.model"):
        (tmp_path / name).touch()
    with pytest.raises(FormatError, match=r"Found: a.model, b.model"):
        open_tokenizer(str(tmp_path))


def test_tiktoken_encodings_come_from_the_library(monkeypatch):
    import tiktoken

    made = tiktoken.Encoding(
        "gpt2",
        pat_str=r"\S+|\s+",
        mergeable_ranks={**ALPHABET, b"th": 256},
        special_tokens={"<e>": 257},
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: made)
    loaded = open_tokenizer("tiktoken:gpt2")
    assert loaded.library.startswith("tiktoken ")
    assert loaded.checked(DOCUMENTS).encode("this") == [256, 105, 115]

    def fail(name):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", fail)
    with pytest.raises(FormatError, match="no route to host") as error:
        open_tokenizer("tiktoken:o200k_base")
    assert "Without a network: download o200k_base.tiktoken elsewhere" in str(error.value)


def test_hub_repositories_give_the_first_known_file(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    path = proto(tmp_path / "tokenizer.model")
    asked = []

    def download(repository, name, revision, local_files_only):
        assert not local_files_only
        asked.append((repository, name, revision))
        if name != "tokenizer.model":
            raise EntryNotFoundError(name)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    loaded = open_tokenizer("hf:org/name@main")
    assert loaded.label == "name"
    assert loaded.native is not None
    names = ["tokenizer.json", "tekken.json", "tokenizer.model"]
    assert asked == [("org/name", name, "main") for name in names]

    def fail(*_, local_files_only, **__):
        assert local_files_only
        raise LocalEntryNotFoundError("offline")

    def unreachable(url):
        raise OSError("no such host")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(FormatError, match="Found: no connection to ") as error:
        open_tokenizer("hf:org/name")
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
    loaded = open_tokenizer(str(write(tmp_path / "l" / "tokenizer.json", LLAMA2)))
    assert loaded.native.vocab_size == loaded.reference.vocab_size
    assert loaded.native.model.special_tokens == loaded.reference.model.special_tokens
    assert loaded.native.model.tokens == loaded.reference.model.tokens


def test_hub_repositories_give_what_lies_beside(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    files = {"tokenizer.json": GPT2, "tokenizer_config.json": {"add_prefix_space": True}}
    for name, content in files.items():
        write(tmp_path / "sub" / name, content)
    asked = []

    def download(repository, name, revision, local_files_only):
        assert not local_files_only
        asked.append(name)
        if not (tmp_path / name).is_file():
            raise EntryNotFoundError(name)
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    loaded = open_tokenizer("hf:org/name/sub")
    assert asked == [f"sub/{name}" for name in ("tokenizer.json", *SETTINGS)]
    assert loaded.label == "name-sub"
    assert loaded.reference.model.document != (tmp_path / "sub" / "tokenizer.json").read_text()


def test_what_is_released_is_read_again_unless_it_has_changed(tmp_path, home):
    path = write(tmp_path / "tokenizer.json", GPT2)
    loaded = open_tokenizer(str(path))
    assert loaded.checked(DOCUMENTS).engine == "native"
    loaded.release()
    assert loaded.build().tokens == loaded.native.model.tokens
    other = open_tokenizer(str(path))
    other.release()
    write(path, LOWER)
    with pytest.raises(FormatError, match="it has changed"):
        other.build()


def test_the_library_gets_what_the_texts_need(tmp_path, monkeypatch):
    """And the whole where that gives other ids."""
    loaded = open_tokenizer(str(write(tmp_path / "tokenizer.json", GPT2)))
    sizes = []
    part = loaded.build_part

    def build_part(data, offsets):
        model = part(data, offsets)
        sizes.append(len(model.document))
        return model

    whole = len(loaded.build().document)
    used = dataclasses.replace(loaded, build_part=build_part, build=None)
    assert used.checked(DOCUMENTS, cache=False).engine == "native"
    assert 0 < sizes[0] < whole
    other = open_tokenizer(str(write(tmp_path / "other.json", LOWER)))
    wrong = dataclasses.replace(loaded, build_part=lambda *_: other.build())
    assert wrong.checked(DOCUMENTS, cache=False).engine == "native"
