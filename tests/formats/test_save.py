"""Files that other libraries load: the same ids there, and errors that name the field."""

from __future__ import annotations

import base64
import copy
import json

import pytest
import tiktoken
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from reading import UNREAD, read_file
from reference import encode_by_strings
from tokenizer_samples import PAIRS, TEXT, model_of

from toktk.corpus import load_corpus
from toktk.errors import FormatError
from toktk.formats.bpe_texts import differing_tokens
from toktk.formats.tiktoken import (
    agreement,
    load_tiktoken,
    mergeable_ranks,
)
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import leaves_gaps
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

TEXTS = [*TEXT.splitlines(keepends=True), TEXT]


@pytest.fixture(scope="session")
def folder(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "mine"
    tokenizer.save(folder)
    return folder


@pytest.fixture(scope="session")
def document(folder):
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))


def hugging_face(folder):
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


# What is written, and what other libraries make of it


def test_save_says_what_it_did(tokenizer, tmp_path):
    saved = tokenizer.save(tmp_path / "a" / "b")
    names = ["tokenizer.json", "bpe-700.tiktoken", "bpe-700.tiktoken.json", "tokenizer_config.json"]
    assert [path.name for path in saved.files] == names
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(names)
    assert saved.notes == ()
    assert saved.tiktoken is not None
    assert saved.tiktoken.proven
    assert json.loads(json.dumps(saved.describe()))["tiktoken"]["proven"] is True


def test_equal_tokenizers_give_equal_files(tokenizer, folder, tmp_path):
    for path in tokenizer.save(tmp_path).files:
        assert path.read_bytes() == (folder / path.name).read_bytes()


@pytest.mark.parametrize("pretokenizer", PATTERNS)
@pytest.mark.parametrize("special_tokens", [(), ("<|endoftext|>", "<pad>")])
def test_both_libraries_give_the_same_ids(
    train, tmp_path, nasty_texts, pretokenizer, special_tokens
):
    tokenizer = train(pretokenizer=pretokenizer, special_tokens=special_tokens)
    saved = tokenizer.save(tmp_path)
    theirs, tik = hugging_face(tmp_path), load_tiktoken(tmp_path)
    assert theirs.get_vocab_size() == tik.n_vocab == tokenizer.vocab_size
    assert saved.tiktoken is not None
    assert saved.tiktoken.proven
    for text in [*TEXTS, *nasty_texts]:
        ids = tokenizer.encode(text)
        assert theirs.encode(text, add_special_tokens=False).ids == ids
        assert tik.encode_ordinary(text) == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text
        assert tik.decode(ids) == text


@given(st.text(st.sampled_from("aehnrst é東 .,'\n\r\t\0 1😀\u0301ЖА한ति👍🏽"), max_size=40))
def test_any_text_gives_the_same_ids(tokenizer, folder, text):
    theirs = CACHE.setdefault("hf", hugging_face(folder))
    tik = CACHE.setdefault("tik", load_tiktoken(folder))
    ids = tokenizer.encode(text)
    assert theirs.encode(text).ids == ids
    assert tik.encode_ordinary(text) == ids


CACHE: dict[str, object] = {}


def test_special_tokens_there(tokenizer, folder):
    text = "the<|endoftext|>end<|填|>"
    ids = [*tokenizer.encode("the"), 0, *tokenizer.encode("end"), 1]
    theirs, tik = hugging_face(folder), load_tiktoken(folder)
    assert theirs.encode(text).ids == ids
    assert tik.encode(text, allowed_special="all") == ids
    # Taken for text, as toktk takes them.
    theirs.encode_special_tokens = True
    assert theirs.encode(text).ids == tik.encode_ordinary(text) == tokenizer.encode(text)
    assert theirs.decode([0, 1], skip_special_tokens=False) == tik.decode([0, 1])
    assert tik.eot_token == 0


@pytest.mark.parametrize("size", [258, 259, 300, 512, 699])
def test_a_cut_equals_their_model_truncated(tokenizer, document, tmp_path, size):
    truncated = copy.deepcopy(document)
    model = truncated["model"]
    model["vocab"] = {name: i for name, i in model["vocab"].items() if i < size}
    model["merges"] = model["merges"][: size - 258]
    theirs = tokenizers.Tokenizer.from_str(json.dumps(truncated))
    cut = Tokenizer("cut", tokenizer.pretokenizer, tokenizer.model.cut(size))
    cut.save(tmp_path)
    tik = load_tiktoken(tmp_path)
    for text in TEXTS:
        ids = cut.encode(text)
        assert theirs.encode(text).ids == ids
        assert tik.encode_ordinary(text) == ids


def test_many_languages(tmp_path):
    """Trained on half of it, applied to all: equal ids, line by line and piece by piece."""
    corpus = load_corpus("starter:parallel")
    half, _ = corpus.split(test=0.5)
    trainer = BpeTrainer("o200k", special_tokens=["<|endoftext|>"])
    tokenizer = trainer.train(TrainingData(half), [8000]).tokenizers[0]
    saved = tokenizer.save(tmp_path)
    theirs, tik = hugging_face(tmp_path), load_tiktoken(tmp_path)
    texts = [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]
    languages = {name for batch in corpus.batches() for name in batch.column(1).to_pylist()}
    assert len(languages) >= 20
    ours = [tokenizer.encode(text) for text in texts]
    assert [found.ids for found in theirs.encode_batch(texts)] == ours
    assert [tik.encode_ordinary(text) for text in texts] == ours
    assert saved.tiktoken is not None
    assert saved.tiktoken.proven


# Where tiktoken's rule gives other ids


def test_tiktoken_differs_where_a_token_does_not_encode_to_itself(crafted, tmp_path):
    # "abc" comes from (ab, c) alone, but (b, c) is merged first: only tiktoken ever makes it.
    tokenizer = crafted([("b", "c"), ("a", "b"), ("ab", "c")])
    assert [tokenizer.model.tokens[i] for i in differing_tokens(tokenizer.model)] == [b"abc"]
    saved = tokenizer.save(tmp_path / "saved")
    assert saved.tiktoken is not None
    assert saved.describe()["tiktoken"] == {"proven": False, "tokens": 1, "repeated": 0}
    # Hugging Face tokenizers keeps to the listed pairs.
    assert hugging_face(tmp_path / "saved").encode("xabcx").ids == tokenizer.encode("xabcx")
    assert load_tiktoken(tmp_path / "saved").encode("xabcx") != tokenizer.encode("xabcx")


def test_a_repeated_spelling_is_never_called_proven(crafted, tmp_path):
    tokenizer = crafted([("a", "b"), ("b", "c"), ("ab", "c"), ("a", "bc")])
    assert differing_tokens(tokenizer.model) == []
    found = agreement(tokenizer.model)
    assert (found.proven, found.repeated) == (False, 1)
    tokenizer.save(tmp_path)
    again = read_file(tmp_path)
    assert again.signature == tokenizer.signature
    assert hugging_face(tmp_path).encode("abcbc").ids == tokenizer.encode("abcbc")


@given(PAIRS, st.lists(st.text("abc", min_size=1, max_size=14), min_size=1, max_size=20))
def test_what_is_proven_holds(choices, texts):
    model = model_of(choices)
    tokenizer = Tokenizer("any", Pretokenizer.of("none"), model)
    proven = agreement(tokenizer.model).proven
    ranks = mergeable_ranks(model)
    tik = tiktoken.Encoding("any", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={})
    tokens = [model.tokens[i].decode() for i in range(256, model.vocab_size)]
    for text in [*texts, *tokens]:
        theirs = tik.encode_ordinary(text)
        assert theirs == encode_by_strings(text.encode(), ranks)
        if proven:
            assert theirs == tokenizer.encode(text)
    for i in differing_tokens(model):
        token = model.tokens[i].decode()
        assert tik.encode_ordinary(token) == [i] != tokenizer.encode(token)


def test_what_merging_listed_pairs_never_makes_is_read_by_tiktokens_rule(crafted, tmp_path):
    """Of three bytes in a row the last two are merged first: no training would go on as here."""
    raw = TEXT.encode()
    triples = [raw[i : i + 3] for i in range(0, len(raw) - 3, 5)]
    pairs = [(x[1:2], x[2:]) for x in triples]
    pairs += [(x[:1], x[1:2]) for x in triples]
    pairs += [(x[:2], x[2:]) for x in triples]
    tokenizer = crafted(list(dict.fromkeys(pairs)), pattern="o200k")
    saved = tokenizer.save(tmp_path)
    assert saved.tiktoken is not None
    assert not saved.tiktoken.proven
    assert saved.tiktoken.tokens > 0
    tik, read = load_tiktoken(tmp_path), read_file(saved.files[1])
    theirs = [tik.encode_ordinary(text) for text in TEXTS]
    assert [read.encode(text) for text in TEXTS] == theirs
    assert [tokenizer.encode(text) for text in TEXTS] != theirs


# Patterns that cannot be exported


@pytest.mark.parametrize(
    ("pattern", "gaps"),
    [
        (r"\p{L}+", True),
        (r"\p{L}+|\P{L}", False),
        (r"a", True),
        (r"ab|[^a]", True),
        (r"ab|[^a]|a", False),
        (r"a(?!b)|[^a]", True),
        (r"a\z|[^a]", True),
        (r"\s+(?!\S)|\S+", True),
        (r"\s+(?!\S)|\S+|\s", False),
        *((pattern, False) for pattern in PATTERNS.values()),
    ],
)
def test_gaps_are_found(pattern, gaps):
    assert leaves_gaps(compile_pattern(pattern)) == gaps


def test_a_pattern_with_gaps_is_saved_without_tiktoken(train, tmp_path, nasty_texts):
    tokenizer = train(size=400, pretokenizer=r"\p{L}+|\p{N}{1,3}+")
    (tmp_path / "bpe-400.tiktoken").write_text("left from before")
    saved = tokenizer.save(tmp_path)
    assert [path.name for path in saved.files] == ["tokenizer.json", "tokenizer_config.json"]
    assert saved.tiktoken is None
    assert "does not match everywhere" in saved.notes[0]
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    theirs = hugging_face(tmp_path)
    for text in [*TEXTS, *nasty_texts]:
        assert theirs.encode(text).ids == tokenizer.encode(text)
    assert read_file(tmp_path).signature == tokenizer.signature


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(?<=a)b|[\s\S]", "does not compile"),
        (r"\p{L}*|\P{L}", "empty string"),
        (r"a??b?|\w+|\W", "empty string"),
    ],
)
def test_a_pattern_that_libraries_read_differently_is_refused(train, tmp_path, pattern, reason):
    tokenizer = train(size=300, pretokenizer=pattern)
    with pytest.raises(FormatError, match=reason):
        tokenizer.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_special_tokens_that_a_format_cannot_hold(crafted, tmp_path):
    with pytest.raises(FormatError, match="'ab' is also an ordinary token"):
        crafted([("a", "b")], ("ab",)).save(tmp_path)
    with pytest.raises(FormatError, match="surrogate"):
        crafted([("a", "b")], ("\ud800",)).save(tmp_path)


@pytest.mark.parametrize("name", ["hf:org/name@main", "../../up", "", "é 1", "..."])
def test_any_name_makes_a_file_in_the_folder(tokenizer, tmp_path, name):
    named = Tokenizer(name, tokenizer.pretokenizer, tokenizer.model)
    saved = named.save(tmp_path / "in")
    assert {path.parent for path in saved.files} == {tmp_path / "in"}
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert load_tiktoken(tmp_path / "in").name == name


# Reading back


@pytest.mark.parametrize("pretokenizer", [*PATTERNS, r"\p{L}++|\P{L}", r" ?\w+|\W$|\W"])
@pytest.mark.parametrize("special_tokens", [(), ("<s>", "</s>")])
def test_round_trip(train, tmp_path, pretokenizer, special_tokens):
    tokenizer = train(size=320, pretokenizer=pretokenizer, special_tokens=special_tokens)
    tokenizer.save(tmp_path / "mine")
    again = read_file(tmp_path / "mine")
    assert again.signature == tokenizer.signature
    assert again.model.tokens == tokenizer.model.tokens
    if pretokenizer in PATTERNS:
        assert again.pretokenizer == tokenizer.pretokenizer


@pytest.mark.parametrize("use_regex", [True, False])
def test_reads_what_hugging_face_trains(tmp_path, nasty_texts, use_regex):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    theirs.pre_tokenizer = byte_level(add_prefix_space=False, use_regex=use_regex)
    theirs.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>"],
        initial_alphabet=byte_level.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(TEXTS, trainer)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_file(tmp_path)
    assert ours.pretokenizer.name == ("gpt2" if use_regex else "none")
    assert ours.vocab_size == 400
    for text in [*TEXTS, *nasty_texts]:
        assert ours.encode(text) == theirs.encode(text).ids


def test_reads_merges_as_strings(tokenizer, document, tmp_path):
    changed = copy.deepcopy(document)
    changed["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    assert read_file(tmp_path).signature == tokenizer.signature


SPLIT = ("pre_tokenizer", "pretokenizers", 0)
LEVEL = ("pre_tokenizer", "pretokenizers", 1)


def altered(document, path, value):
    changed = copy.deepcopy(document)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("pre_tokenizer",), None, "without a token for the byte"),
        (("pre_tokenizer",), {"type": "Metaspace"}, "without a token for the byte"),
        (("pre_tokenizer", "pretokenizers"), "x", "pre_tokenizer.pretokenizers"),
        ((*SPLIT, "behavior"), "Removed", "Split Removed"),
        ((*SPLIT, "pattern"), {"String": " "}, "Split at a string"),
        ((*SPLIT, "pattern"), {"Regex": "(?<=a)b"}, "Split: .*does not compile"),
        ((*SPLIT, "pattern"), {"Regex": "a*"}, "Split: .*empty string"),
        ((*SPLIT, "pattern"), {"Regex": "("}, "Split: cannot compile"),
        ((*SPLIT, "pattern"), {"Regex": "a$|a"}, "Split: libraries may read"),
        ((*LEVEL, "add_prefix_space"), True, "ByteLevel with add_prefix_space"),
        (("added_tokens",), {"a": 1}, "added_tokens"),
        (("added_tokens", 0), 7, r"added_tokens\[0\]"),
        (("added_tokens", 1, "id"), 700, "file says id 700"),
        (("added_tokens", 1, "content"), "<|endoftext|>", "listed twice"),
        (("added_tokens", 1, "content"), "\ud800", r"added_tokens\[1\].content"),
        (("model",), None, "model"),
        (("model", "type"), "WordLevel", "model WordLevel"),
        (("model", "type"), "WordPiece", "model.continuing_subword_prefix"),
        (("model", "type"), "Unigram", "model.vocab"),
        (("model", "dropout"), 0.1, "model.dropout"),
        (("model", "end_of_word_suffix"), "</w>", "model.end_of_word_suffix"),
        (("model", "vocab"), [], "model.vocab"),
        (("model", "vocab", "Ġ"), "3", "model.vocab"),
        (("model", "vocab", "Ġ"), True, "model.vocab"),
        (("model", "vocab", "Ġ"), -1, "model.vocab"),
        (("model", "vocab", "Ġ"), 10**30, "model.vocab"),
        (("model", "vocab", "Ġ"), 5, "model.vocab with an id given twice"),
        (("model", "merges"), None, "model.merges"),
        (("model", "merges", 0), ["a"], r"model.merges\[0\]"),
        (("model", "merges", 0), "a b c", r"model.merges\[0\]"),
        (("model", "merges", 0), ["a", 1], r"model.merges\[0\]"),
        (("model", "merges", 3), ["qq", "a"], r"model.merges\[3\]"),
        (("model", "merges", 3), ["<|endoftext|>", "a"], r"model.merges\[3\]"),
        (("model", "merges", 3), ["q", "q"], r"model.merges\[3\]"),
    ],
)
def test_what_is_not_read_is_named(document, tmp_path, path, value, reason):
    (tmp_path / "tokenizer.json").write_text(json.dumps(altered(document, path, value)))
    with pytest.raises(UNREAD, match=reason):
        read_file(tmp_path)


TEMPLATE = [{"Sequence": {"id": "A", "type_id": 0}}]
SHORT = {"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        (("normalizer",), {"type": "NFC"}, "bpe"),
        (("truncation",), SHORT, "bpe"),
        (
            ("post_processor",),
            {
                "type": "TemplateProcessing",
                "single": TEMPLATE,
                "pair": TEMPLATE,
                "special_tokens": {},
            },
            "bpe",
        ),
        (SPLIT, {"type": "Digits", "individual_digits": True}, "bpe"),
        ((*SPLIT, "invert"), True, "bpe"),
        ((*LEVEL, "use_regex"), True, "bpe"),
        (("added_tokens", 0, "special"), False, "pairs"),
        (("added_tokens", 0, "lstrip"), True, "bpe"),
        (("added_tokens",), [], "pairs"),
        (("model", "unk_token"), "<|endoftext|>", "bpe"),
        (("model", "byte_fallback"), True, "bpe"),
        (("model", "vocab", "qqqq"), 700, "pairs"),
        (("model", "vocab", "qqqq"), 701, "pairs"),
        (("model", "merges"), [], "pairs"),
    ],
)
def test_other_files_are_read_as_the_library_reads_them(
    document, tmp_path, nasty_texts, path, value, kind
):
    changed = altered(document, path, value)
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    assert_read_as_there(tmp_path, nasty_texts, kind)


def assert_read_as_there(folder, nasty_texts, kind):
    ours, theirs = read_file(folder), hugging_face(folder)
    assert ours.model.kind == kind
    theirs.encode_special_tokens = True
    theirs.no_truncation()
    for text in [*TEXTS, *nasty_texts]:
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_merges_out_of_order_or_repeated(document, tmp_path, nasty_texts):
    merges = document["model"]["merges"]
    for changed in (merges[::-1], [*merges, merges[0]], merges[1:], merges[:-1]):
        other = {**document, "model": {**document["model"], "merges": changed}}
        (tmp_path / "tokenizer.json").write_text(json.dumps(other))
        assert_read_as_there(tmp_path, nasty_texts, "pairs")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 200_000, b'{"model": NaN}', b"\0"]
)
def test_broken_files_are_format_errors(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(UNREAD):
        read_file(tmp_path)


def test_missing_files_are_format_errors(tmp_path):
    for read in (read_file, load_tiktoken):
        with pytest.raises(FormatError):
            read(tmp_path)
        with pytest.raises(FormatError, match="nowhere"):
            read(tmp_path / "nowhere")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@given(st.data())
def test_no_change_ends_in_a_traceback(document, tmp_path_factory, data):
    changed = copy.deepcopy(document)
    holder = changed
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys[:20]))
        if not isinstance(holder[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
            holder[key] = data.draw(VALUES)
            break
        holder = holder[key]
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_text(json.dumps(changed))
    try:
        found = read_file(path)
    except UNREAD:
        return
    assert found.decode(found.encode("the brown fox")) == "the brown fox"


def test_tiktokens_own_reader_reads_the_ranks(tokenizer, folder, monkeypatch):
    from tiktoken.load import load_tiktoken_bpe

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    path = folder / "bpe-700.tiktoken"
    ranks = load_tiktoken_bpe(str(path))
    assert ranks == mergeable_ranks(tokenizer.model)
    arguments = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    encoding = tiktoken.Encoding(mergeable_ranks=ranks, **arguments)
    assert encoding.encode_ordinary(TEXT) == tokenizer.encode(TEXT)


@pytest.mark.parametrize(
    ("line", "new"),
    [
        (5, b"!!! 7"),
        (5, b"YQ=="),
        (5, b"YQ== x"),
        (5, b"YQ== -3"),
        (5, b"YQ== 1 2"),
        (5, b""),
        (5, b"\xff\xff 7"),
        (300, b"YQ== 302"),
        (300, base64.b64encode(b"zzzzzz") + b" 99999"),
        (300, base64.b64encode(b"zzzzzz") + b" 5"),
        (5, base64.b64encode(b"zzzzzz") + b" 7"),
    ],
)
def test_damaged_ranks_are_format_errors(folder, tmp_path, line, new):
    lines = (folder / "bpe-700.tiktoken").read_bytes().splitlines()
    lines[line] = new
    path = tmp_path / "bpe-700.tiktoken"
    path.write_bytes(b"\n".join(lines))
    (tmp_path / "bpe-700.tiktoken.json").write_bytes(
        (folder / "bpe-700.tiktoken.json").read_bytes()
    )
    with pytest.raises(FormatError, match=r"bpe-700\.tiktoken"):
        load_tiktoken(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 3),
        ("pat_str", None),
        ("pat_str", "("),
        ("special_tokens", []),
        ("special_tokens", {"a": "0"}),
        ("special_tokens", {}),
        ("special_tokens", {"a": 0, "b": 300}),
        ("explicit_n_vocab", 699),
        ("explicit_n_vocab", 10**12),
        (None, []),
        (None, "{"),
    ],
)
def test_damaged_arguments_are_format_errors(folder, tmp_path, key, value):
    arguments = json.loads((folder / "bpe-700.tiktoken.json").read_text(encoding="utf-8"))
    (tmp_path / "x.tiktoken").write_bytes((folder / "bpe-700.tiktoken").read_bytes())
    if key is None:
        arguments = value
    else:
        arguments[key] = value
    text = value if value == "{" else json.dumps(arguments)
    (tmp_path / "x.tiktoken.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError):
        load_tiktoken(tmp_path)


def test_a_folder_with_two_encodings_is_not_guessed_at(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    Tokenizer("other", tokenizer.pretokenizer, tokenizer.model).save(tmp_path)
    with pytest.raises(FormatError, match=r"bpe-700.tiktoken, other.tiktoken"):
        load_tiktoken(tmp_path)
    assert load_tiktoken(tmp_path / "other.tiktoken").n_vocab == 700
