"""What transformers reads beside a tokenizer.json: the file, and with TOKTK_TEST_TRANSFORMERS the library.

That variable names one Python or several, by paths as in PATH, which have transformers:
``TOKTK_TEST_TRANSFORMERS=tf4/bin/python:tf5/bin/python pytest tests/formats/test_hf_config.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from nasty import NASTY_TEXTS
from small_corpora import SYLLABLES, lines
from tokenizer_samples import TEXT

import toktk
from toktk.errors import FormatError
from toktk.formats.files import prepared
from toktk.tokenizer import Tokenizer

PYTHONS = [p for p in os.environ.get("TOKTK_TEST_TRANSFORMERS", "").split(os.pathsep) if p]
TEXTS = ["the cat ", *NASTY_TEXTS, *TEXT.splitlines(keepends=True), "Spaces  stay , all of them ."]
TRAINED = {  # trainer, pretokenizer, special tokens and symbols, roles
    "bpe": ("bpe", "o200k", ("</s>", "<pad>", "жж <end>"), (), {"eos": "</s>", "pad": "<pad>"}),
    "symbols": ("bpe", "gpt2", ("<pad>",), ("<|end|>",), {"eos": "<|end|>", "pad": "<pad>"}),
    "unigram": ("unigram", "o200k", ("<s>",), (), {"bos": "<s>", "eos": "<s>", "pad": "<s>"}),
    "characters": (
        "unigram",
        "metaspace",
        ("<unk>", "</s>"),
        (),
        {"unk": "<unk>", "eos": "</s>", "pad": "</s>"},
    ),
    "hf-bpe": ("hf-bpe", "llama3", ("</s>",), (), {"eos": "</s>", "pad": "</s>"}),
    "hf-wordpiece": ("hf-wordpiece", "o200k", ("</s>",), (), {"eos": "</s>", "pad": "</s>"}),
}


def trained(kind: str) -> Tokenizer:
    trainer, cut, special, symbols, _ = TRAINED[kind]
    corpus = toktk.Corpus.of([TEXT * 3, *map("\n".join, map(lines, SYLLABLES))])
    given = {"symbols": symbols} if symbols else {}
    tokenizers = toktk.train(
        trainer, corpus, [620], pretokenizer=cut, special_tokens=special, **given
    )
    return tokenizers[620]


@pytest.mark.parametrize("kind", ["bpe", "symbols", "characters"])
def test_the_settings_beside_a_tokenizer(kind: str, home: Path, tmp_path: Path) -> None:
    tokenizer, roles = trained(kind), TRAINED[kind][-1]
    saved = tokenizer.save(tmp_path / "one", **roles)
    path = tmp_path / "one" / "tokenizer_config.json"
    assert path in saved.files
    settings = json.loads(path.read_text(encoding="utf-8"))
    assert settings == {
        # In transformers 5 this is another name of TokenizersBackend; of others 4 runs none.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **{f"{role}_token": token for role, token in roles.items()},
    }
    tokenizer.save(tmp_path / "two", **dict(reversed(roles.items())))
    assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    # toktk reads the folder as if the file were not there.
    document = tmp_path / "one" / "tokenizer.json"
    raw = document.read_bytes()
    assert prepared(raw, document, "tokenizer.json") == (raw, ())
    again = toktk.load(str(tmp_path / "one"))
    assert (again.engine, again.why) == ("native", "")
    assert [again.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]


def test_only_special_tokens_have_roles(train, tmp_path: Path) -> None:
    tokenizer = train(special_tokens=("</s>",))
    with pytest.raises(FormatError, match="'the' cannot be the eos token"):
        tokenizer.save(tmp_path, eos="the")
    with pytest.raises(FormatError, match="cannot have the role 'end'"):
        tokenizer.save(tmp_path, end="</s>")
    assert not list(tmp_path.iterdir())
    tokenizer.save(tmp_path, eos="</s>")
    tokenizer.save(tmp_path)
    assert "</s>" not in (tmp_path / "tokenizer_config.json").read_text(encoding="utf-8")


@pytest.mark.skipif(not PYTHONS, reason="TOKTK_TEST_TRANSFORMERS names no Python")
def test_transformers_gives_the_same_ids(home: Path, tmp_path: Path) -> None:
    tokenizers = {kind: trained(kind) for kind in TRAINED}
    for kind, tokenizer in tokenizers.items():
        tokenizer.save(tmp_path / kind, **TRAINED[kind][-1])
    # In text the library takes special tokens and the strings of a symbol for themselves.
    texts = [text for text in TEXTS if not any(name in text for name in ("<s>", "</s>", "<unk>"))]
    listed = tmp_path / "texts.json"
    listed.write_text(json.dumps(texts), encoding="utf-8")
    script = Path(__file__).with_name("run_transformers.py")
    for python in PYTHONS:
        command = [python, str(script), str(listed), *(str(tmp_path / kind) for kind in TRAINED)]
        done = subprocess.run(command, capture_output=True, check=True, timeout=300)
        about = json.loads(done.stdout)
        for kind, tokenizer in tokenizers.items():
            theirs, roles = about["folders"][str(tmp_path / kind)], TRAINED[kind][-1]
            where = (about["version"], kind)
            assert theirs["size"] == tokenizer.vocab_size, where
            ids = [tokenizer.encode(text) for text in texts]
            assert theirs["ids"] == ids, where
            assert theirs["texts"] == [tokenizer.decode(i) for i in ids], where
            assert theirs["roles"] == {**dict.fromkeys(("unk", "bos", "eos", "pad")), **roles}, (
                where
            )
            names = [*TRAINED[kind][2], *TRAINED[kind][3]]
            numbers = {role: names.index(name) for role, name in roles.items()}
            assert {r: theirs["role ids"][r] for r in roles} == numbers, where
            assert theirs["ended"] == [*ids[0], numbers["eos"]], where
            short, long = theirs["batch"]["input_ids"]
            missing = len(long) - len(ids[0])
            assert missing > 0, where
            assert short == [*ids[0], *[numbers["pad"]] * missing], where
            mask = [1] * len(ids[0]) + [0] * missing
            assert theirs["batch"]["attention_mask"] == [mask, [1] * len(long)], where
            assert theirs["batch"].keys() == {"input_ids", "attention_mask"}, where
