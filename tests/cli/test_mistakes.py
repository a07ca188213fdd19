"""Typical mistakes: what is said of each, and how the command ends. No test here asks a network."""

from __future__ import annotations

from pathlib import Path

import command_line
import pytest
from command_line import good, run

import toktk
from toktk.errors import FormatError, PluginError, StorageError, ToktkError, closest, usage
from toktk.loading import spec as spec_module

pytestmark = pytest.mark.usefixtures("home")

WORDS = ("the cat", "sat on", "the mat", "and then", "it left")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder of text that is read in no time."""
    (tmp_path / "folder").mkdir()
    for name in "ab":
        lines = (f"{WORDS[i % 5]} {WORDS[i * i % 4]} {name}{i}\n" for i in range(200))
        (tmp_path / "folder" / f"{name}.txt").write_text("".join(lines))
    return "folder"


def fails(*args: object, code: int) -> str:
    return command_line.fails(*args, code=code)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("-t", "BPE", "unknown trainer 'BPE' (did you mean 'bpe'?)."),
        ("-t", "sp_bpe", "did you mean 'sp-bpe'?"),
        ("-t", "nothing-like-it", "unknown trainer 'nothing-like-it'.\n  Known: bpe, unigram"),
        ("-p", "gpt4", "unknown pretokenizer 'gpt4' (did you mean 'cl100k'?)."),
        ("-p", "gpt-4o", "did you mean 'o200k'?"),
        ("-p", "Llama-3", "did you mean 'llama3'?"),
        ("-p", "gpt4", "Known: gpt2 (GPT-2, GPT-3), cl100k (GPT-3.5, GPT-4), o200k (GPT-4o"),
        ("-m", "standart", "unknown metric 'standart' (did you mean 'standard'?)."),
        ("-m", "nombers", "Topics: standard, words, "),
        ("-m", "paritty", "unknown metric 'paritty' (did you mean 'parity'?)."),
        ("--pair-score", "Ratio", "unknown pair score 'Ratio' (did you mean 'ratio'?)."),
        ("--inference", "gready", "unknown inference 'gready' (did you mean 'greedy'?)."),
        ("-O", "bpee.min_frequency=2", "cannot set options of 'bpee' (did you mean 'bpe'?)."),
        ("-O", "bpe.min_freq=2", "Found: no such option (did you mean 'min_frequency'?)."),
        ("--max-token-length", "9" * 30, "max_token_length must be 1 to"),
        ("--special", "", "not empty"),
        ("--pattern", "(", "cannot compile the pattern"),
        ("--encoding", "latin-99", "latin-99"),
    ],
)
def test_a_name_or_value_that_does_not_exist_is_wrong_usage(
    folder: str, option: str, name: str, said: str
) -> None:
    trainer = () if option == "-t" else ("-t", "bpe")
    assert said in fails("sweep", "-c", folder, "-s", 300, *trainer, option, name, code=2)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-c", "hf:wikitext"], "Write hf:<org>/<name>, then"),
        (["-c", "a=folder:0.3", "-c", "folder"], "some texts have a weight and others have none"),
        (["-c", ""], "a corpus has no name"),
        (["-c", "folder", "--text-column", "body"], "it has no columns"),
        (["-c", "folder", "-t", "sp-bpe", "-p", "gpt2"], "takes no pretokenizer"),
        (["-c", "hf:a/b", "--sample-by", "line"], "each row of it is a document"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    folder: str, args: list[str], said: str
) -> None:
    assert said in fails("sweep", *args, "-s", 300, code=2)


def test_what_files_hold_or_lack_is_no_wrong_usage(folder: str) -> None:
    assert "unknown corpus" in fails("sweep", "-c", "no/such.txt", "-s", 300, code=1)
    assert "unknown tokenizer" in fails("bench", "no/such.json", "-c", folder, code=1)
    args = ("-c", folder, "-t", "bpe", "-s", 300)
    assert "no alignment" in fails("sweep", *args, "--reference", "english", code=1)


def test_usage_marks_what_the_user_wrote_alone() -> None:
    for error, is_usage in (
        (FormatError("a"), True),
        (ToktkError("a"), True),
        (PluginError("a"), False),
        (StorageError("a"), False),
    ):
        with pytest.raises(ToktkError) as raised, usage():
            raise error
        assert raised.value.is_usage is is_usage
    assert not ToktkError("another").is_usage


def test_names_are_near_without_case_and_signs() -> None:
    assert closest("FERTILITY", ["parity", "fertility[ws]"]) == "fertility[ws]"
    assert closest("gpt4", ["gpt2"], {"gpt-4": "cl100k"}) == "cl100k"
    assert closest("gpt2", ["gpt2"], {"gpt-2": "cl100k"}) == "gpt2"
    assert closest("***", ["a"]) is None


# -- words in the wrong place ---------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["sweep", "train"])
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["folder", "-s", "8k"], "nothing takes 'folder'. Give text with -c, each with its own: -c folder"),
        (["-c", "folder", "-s", "8k", "16k"], "Give sizes with commas, without spaces: -s 8k,16k."),
        (["-c", "folder/a.txt", "folder/b.txt", "-s", "8k"], "quote a glob, or the shell expands it: -c '"),
        (["-s", "8k", "a", "b", "c", "d"], "nothing takes 'a', 'b', 'c', …."),
    ],
)  # fmt: skip
def test_words_that_no_option_takes(folder: str, verb: str, args: list[str], said: str) -> None:
    assert said in " ".join(fails(verb, *args, code=2).split())
    assert "STRAY" not in good(verb, "--help").stdout.upper()


# -- corpora and tokenizers -----------------------------------------------------------------------


def test_a_dataset_of_the_hub_is_named_as_a_tokenizer_there_is(folder: str) -> None:
    message = fails("sweep", "-c", "Salesforce/wikitext", "-s", 300, code=1)
    assert "Did you mean hf:Salesforce/wikitext" in message
    for prefix in ("hf", "hub"):
        corpus = toktk.load_corpus(f"{prefix}:Salesforce/wikitext/wikitext-2-v1:test")
        assert corpus.name == "Salesforce/wikitext/wikitext-2-v1:test"
        assert corpus.sources[0].where == "hf:Salesforce/wikitext/wikitext-2-v1:test"


def test_a_model_is_no_tokenizer_and_says_which_encoding_it_has(folder: str) -> None:
    message = fails("bench", "gpt-4", "-c", folder, code=1)
    assert "(did you mean 'tiktoken:gpt-4', which is cl100k_base?)" in message
    assert "encodings of tiktoken (gpt2, r50k_base" in message
    assert message.count("unknown tokenizer") == 1
    message = fails("bench", "Qwen/Qwen3-8B", "-c", folder, code=1)
    assert "(did you mean 'hf:Qwen/Qwen3-8B'?)" in message


def test_a_run_says_which_tokenizers_it_holds(folder: str) -> None:
    good("sweep", "-c", folder, "-t", "bpe", "-s", "280,300", "-o", "runs/news", "-q")
    message = fails("bench", "runs/news", "-c", folder, code=1)
    assert "runs/news is a run, and no tokenizer." in message
    first = Path("runs/news/tokenizers/bpe-280")
    assert f"Found: it holds 2: {first}, {first.with_name('bpe-300')}." in message
    assert f"Give one of them, such as {first}." in message
    message = fails("bench", first.with_name("bpe-30"), "-c", folder, code=1)
    assert f"did you mean '{first.with_name('bpe-300')}'?" in message
    (Path.cwd() / "file").touch()
    message = fails("convert", first, "-o", "file/tokenizer.json", code=1)
    assert "TOKTK_HOME" not in message
    assert "with -o" in message
    message = fails("convert", first, "-o", "tokenizer.bin", code=2)
    assert "cannot tell the format" in message


def refuse(url: str) -> None:
    raise OSError("[Errno -2] Name or service not known")


def test_a_hub_without_a_network_is_asked_once(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    asked: list[str] = []
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(
        huggingface_hub, "get_hf_file_metadata", lambda url: (asked.append(url), refuse(url))
    )
    result = run("bench", "hf:meta-llama/Llama-3.1-8B", "-c", folder)
    assert result.exit_code == 1
    assert len(asked) == 1
    assert result.stderr.splitlines()[0] == (
        "Error: Llama-3.1-8B: cannot download hf:meta-llama/Llama-3.1-8B."
    )
    assert f"Found: no connection to {constants.ENDPOINT}, and no copy" in result.stderr
    assert "Without a network: download tokenizer.json" in result.stderr


def test_an_encoding_without_a_network_names_its_files(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests
    import tiktoken

    def get_encoding(name: str) -> None:
        url = f"https://example.invalid/{name}.tiktoken"
        raise requests.ConnectionError("retries", request=requests.Request("GET", url).prepare())

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)
    message = fails("bench", "tiktoken:gpt2", "-c", folder, code=1)
    assert "Found: no connection to example.invalid." in message
    assert "download encoder.json and vocab.bpe elsewhere, copy both here" in message
    with pytest.raises(FormatError, match=r"download cl100k_base\.tiktoken elsewhere"):
        spec_module.find_encoding(spec_module.parse_spec("tiktoken:gpt-4"))


# -- what text allows -----------------------------------------------------------------------------


def test_too_little_text_names_the_option_of_the_command_line(folder: str) -> None:
    sweep = ("sweep", "-c", folder, "-s", "8k", "-t", "bpe")
    message = fails(*sweep, code=1)
    assert "before no pair is left to merge." in message
    assert "Ask for a smaller size, or give more text." in message
    message = fails(*sweep, "--min-frequency", 3, code=1)
    assert "before no pair that occurs 3 times is left to merge." in message
    assert "Ask for a smaller size, lower --min-frequency, or give more text." in message
    assert not Path("runs").exists()


def test_text_that_is_no_utf8_says_how_to_read_it() -> None:
    Path("bad.txt").write_bytes(b"good\n\xff\xfe bad\n" * 30)
    assert "--errors replace" in fails("sweep", "-c", "bad.txt", "-s", 300, code=1)


def test_a_score_that_needs_a_floor_says_so(folder: str) -> None:
    sweep = ("sweep", "-c", folder, "-t", "bpe", "-s", "280", "--pair-score")
    warning = "bpe: without --min-frequency the pair score ratio merges"
    assert good(*sweep, "ratio").stderr.count(warning) == 1
    assert warning not in good(*sweep, "ratio", "--min-frequency", 2).stderr
    assert warning not in good(*sweep, "count").stderr


def test_the_stem_of_a_metric_is_enough(folder: str) -> None:
    rows = [
        good("sweep", "-c", folder, "-t", "bpe", "-s", "280", "-m", name, "-f", "csv").stdout
        for name in ("fertility", "fertility[ws]")
    ]
    assert rows[0] == rows[1]
    assert "fertility[ws]" in rows[0]
