"""Spec strings: what they mean, and what is said of those that mean nothing."""

import pytest

from toktk.errors import FormatError
from toktk.loading.spec import ENCODINGS, Spec, names_tokenizer, parse_spec, placed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hf:gpt2", ("hf:gpt2", "gpt2", "hf", "gpt2", None)),
        ("hf:a-b/c.d", ("hf:a-b/c.d", "c.d", "hf", "a-b/c.d", None)),
        ("hf:a/b@v1.0", ("hf:a/b@v1.0", "b", "hf", "a/b", "v1.0")),
        ("hf:a/b@refs/pr/1", ("hf:a/b@refs/pr/1", "b", "hf", "a/b", "refs/pr/1")),
        ("x=hf:a/b", ("hf:a/b", "x", "hf", "a/b", None)),
        ("tiktoken:gpt2", ("tiktoken:gpt2", "gpt2", "tiktoken", "gpt2", None)),
        (
            "mine=tiktoken:o200k_base",
            ("tiktoken:o200k_base", "mine", "tiktoken", "o200k_base", None),
        ),
    ],
)
def test_names(text, wanted):
    assert parse_spec(text) == Spec(*wanted)


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("llama/tokenizer.json", "llama"),
        ("nemo/tekken.json", "nemo"),
        ("nemo/tekken_240911.json", "tekken_240911"),
        ("m/tokenizer.model", "m"),
        ("m/spm.model", "spm"),
        ("m/tokenizer.model.v3", "tokenizer.model.v3"),
        ("t/cl100k_base.tiktoken", "cl100k_base"),
        ("folder", "folder"),
        ("with.dots-1.5", "with.dots-1.5"),
        ("a=b/tokenizer.json", "a=b"),
        ("a:b/x.json", "x"),
        ("folder/.model", "model"),
        ("folder/a\x1bb.json", "a_b"),
        ("folder/con.json", "_con"),
    ],
)
def test_paths_and_their_labels(tmp_path, monkeypatch, file, label):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    if path.suffix in ("", ".5") and path.name != ".model":
        path.mkdir()
    else:
        path.touch()
    monkeypatch.chdir(tmp_path)
    for text in (file, f"./{file}", str(path)):
        spec = parse_spec(text)
        assert (spec.label, spec.source, spec.target) == (label, "path", text)
        assert parse_spec(f"x={text}").label == "x"
    if path.is_file():
        assert parse_spec(f"spm:{file}").source == "spm"


def test_the_current_folder_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tokenizer.json").touch()
    monkeypatch.chdir(tmp_path / "run")
    assert parse_spec(".").label == parse_spec("tokenizer.json").label == "run"


def test_an_unknown_name_says_what_was_tried():
    with pytest.raises(FormatError) as error:
        parse_spec("cl100k_bse")
    lines = str(error.value).split("\n  ")
    assert lines[0] == "unknown tokenizer 'cl100k_bse' (did you mean 'tiktoken:cl100k_base'?)."
    assert lines[1].startswith("Tried: file or folder (none there), encodings of tiktoken (gpt2, ")
    assert lines[2].startswith("Give a tokenizer.json, ")


@pytest.mark.parametrize(
    "text",
    ["", "=", "x=", "=x", "hf:", "hf:a b", "hf:a/b//c", "hf:a/b/../c", "hf:/b", "tiktoken:", "tiktoken:no",
     "spm:no.model", "no/such/tokenizer.json", "gpt:4", "a\0b", "x" * 5000, "~nobody-here/x",
     "label=hf:", "o200k_base "],
)  # fmt: skip
def test_what_is_no_tokenizer_is_an_error(text):
    with pytest.raises(FormatError):
        parse_spec(text)


def test_encodings_are_those_of_the_library():
    import tiktoken

    assert set(ENCODINGS) == set(tiktoken.list_encoding_names())


@pytest.mark.parametrize("label", ["..", ".", ".x", "a\x1b", "con", "x" * 201, "a?"])
def test_an_odd_label_is_refused(tmp_path, label):
    (tmp_path / "tokenizer.json").touch()
    with pytest.raises(FormatError, match="a tokenizer cannot be called"):
        parse_spec(f"{label}={tmp_path}")


def test_names_of_models_and_subfolders():
    assert parse_spec("tiktoken:gpt-4o") == Spec(
        "tiktoken:gpt-4o", "gpt-4o", "tiktoken", "o200k_base"
    )
    assert parse_spec("m=tiktoken:gpt-4-0314").target == "cl100k_base"
    spec = parse_spec("hf:org/name/text/tokenizer_2@v1")
    assert spec == Spec(
        "hf:org/name/text/tokenizer_2@v1", "name-tokenizer_2", "hf", "org/name", "v1", "text/tokenizer_2"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt-4", "'gpt-4' (did you mean 'tiktoken:gpt-4', which is cl100k_base?)."),
        ("GPT4", "'GPT4' (did you mean 'tiktoken:cl100k_base'?)."),
        ("cl100k_base", "'cl100k_base' (did you mean 'tiktoken:cl100k_base'?)."),
        ("tiktoken:gpt4o", "'tiktoken:gpt4o' (did you mean 'tiktoken:o200k_base'?)."),
        ("x=gpt-4", "unknown tokenizer 'x=gpt-4' (did you mean 'tiktoken:gpt-4'"),
        ("nothing-like-it", "unknown tokenizer 'nothing-like-it'."),
        ("Qwen/Qwen3-8B", "'Qwen/Qwen3-8B' (did you mean 'hf:Qwen/Qwen3-8B'?)."),
        ("openai/gpt-4o-mini", "(did you mean 'hf:openai/gpt-4o-mini'?)."),
        ("runs/bpe-50k", "'runs/bpe-50k' (did you mean 'runs/bpe-llama3-50k'?)."),
        ("y=spm:runs/a.modle", "no SentencePiece model 'y=spm:runs/a.modle'"),
        ("y=spm:runs/a.modle", "no such file (did you mean 'runs/a.model'?)"),
        ("z=hf:a b", "cannot understand 'z=hf:a b'"),
    ],
)  # fmt: skip
def test_what_was_meant_is_said(tmp_path, monkeypatch, text, said):
    (tmp_path / "runs" / "bpe-llama3-50k").mkdir(parents=True)
    (tmp_path / "runs" / "a.model").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError) as error:
        parse_spec(text)
    assert said in str(error.value)


def test_a_table_of_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt-9.parquet").touch()
    spec = parse_spec("counts:gpt-9.parquet")
    assert spec == Spec("counts:gpt-9.parquet", "gpt-9", "counts", "gpt-9.parquet")
    assert parse_spec("closed=counts:gpt-9.parquet").label == "closed"
    assert names_tokenizer("counts:gpt-9.parquet")
    assert not names_tokenizer("counts:gpt-8.parquet")
    assert not names_tokenizer("counts: one, two, three")
    with pytest.raises(FormatError, match="no table of counts") as refusal:
        parse_spec("counts:gpt-8.parquet")
    assert "did you mean 'gpt-9.parquet'?" in str(refusal.value)


def test_relative_paths_of_specs_are_placed(tmp_path):
    for name in ("a.parquet", "b.model", "c.json"):
        (tmp_path / name).touch()
    for text in ("counts:a.parquet", "x=counts:a.parquet", "spm:b.model", "y=spm:b.model"):
        head, colon, file = text.partition(":")
        assert placed(text, tmp_path) == f"{head}{colon}{tmp_path / file}"
    assert placed("c.json", tmp_path) == str(tmp_path / "c.json")
    assert placed("counts:absent.parquet", tmp_path) == "counts:absent.parquet"
