"""The page's own encoder gives the ids that toktk gives, for every kind of model that it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nasty import NASTY_TEXTS

import toktk
from toktk.models.fused_unigram import FusedUnigramModel
from toktk.models.inference import INFERENCE
from toktk.models.pairs import PairModel
from toktk.models.vocabulary import packed
from toktk.normalizers.normalizer import Normalizer
from toktk.page.packing import Unpackable, goes_together, pack_family
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

ROOT = Path(__file__).parents[2]
PARALLEL = ROOT / "corpora" / "parallel"
HELP = ROOT.parent / "shared" / "data" / "help-20lang.parquet"
LANGUAGES, LINES = 20, 25
SOURCE = ROOT / "toktk" / "page" / "encoder.js"

ENCODE = """async ([pack, texts, label]) => {
  const tokenizer = (await Encoder.load(pack)).tokenizer(label);
  return texts.map((text) => tokenizer.encode(text));
}"""
BYTES = """async ([pack, ids, label]) => {
  const tokenizer = (await Encoder.load(pack)).tokenizer(label);
  return ids.map((id) => [...tokenizer.bytes(id)]);
}"""

NASTY = [text for text in NASTY_TEXTS if len(text) < 3000]
MORE = [
    "", " ", "  a  b", "naïve café 東京", "a\r\n\r\nb", "\u0301", "e\u0301\u0301", "ＡＢＣ ﬁ ½", "한국어",
    "👩‍👩‍👧 🇩🇪 🏳️‍🌈", "\u2581a \u2581", "<s> </s>", "x" * 700, "\u202eabc\u202c", "12345 678",
    "don't DON'T I'll",
    "\u1e9e\u0130i̇", "\U0001fae8 \U00016d40",
]  # fmt: skip


@pytest.fixture(scope="session")
def encoding(browser: Any) -> Any:
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=SOURCE.read_text(encoding="utf-8") + "\nwindow.Encoder = Encoder;")
    yield page
    page.close()


def agree(encoding: Any, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
    pack = pack_family({tokenizer.name: tokenizer})
    ids = encoding.evaluate(ENCODE, [pack, list(texts), tokenizer.name])
    for text, own in zip(texts, ids, strict=True):
        assert own == tokenizer.encode(text), text[:200]
    names = {name.encode() for name in tokenizer.model.special_tokens}
    used = sorted({i for own in ids for i in own if tokenizer.model.tokens[i] not in names})
    for i, spelled in zip(
        used, encoding.evaluate(BYTES, [pack, used, tokenizer.name]), strict=True
    ):
        assert bytes(spelled) == tokenizer.model.tokens[i]


def starter_lines() -> list[str]:
    files = sorted(PARALLEL.glob("*.txt"))[:LANGUAGES]
    assert len(files) == LANGUAGES
    return [
        line for file in files for line in file.read_text(encoding="utf-8").splitlines()[:LINES]
    ]


def help_lines() -> list[str]:
    import pyarrow.parquet as parquet

    by_language: dict[str, list[str]] = {}
    for row in parquet.read_table(HELP).to_pylist():
        own = by_language.setdefault(row["lang"], [])
        if len(own) < LINES and len(row["text"]) > 20:
            own.append(row["text"])
    return [line for own in by_language.values() for line in own]


@pytest.fixture(scope="session")
def trained() -> dict[str, Tokenizer]:
    lines = starter_lines()
    corpus = toktk.Corpus.of(lines)
    tokenizers = {}
    for trainer in ("bpe", "unigram"):
        for cut in ("o200k", "gpt2"):
            made = toktk.train(
                trainer, corpus, sizes=[900, 3000], pretokenizer=cut, special_tokens=["<s>"]
            )
            tokenizers |= {f"{trainer}-{cut}-{size}": t for size, t in made.items()}
    return tokenizers


TRAINED = [
    f"{t}-{c}-{n}" for t in ("bpe", "unigram") for c in ("o200k", "gpt2") for n in (900, 3000)
]


@pytest.mark.parametrize("name", TRAINED)
def test_500_lines_of_20_languages(encoding: Any, trained: dict[str, Tokenizer], name: str) -> None:
    lines = starter_lines()
    assert len(lines) == 500
    agree(encoding, trained[name], lines)


@pytest.mark.skipif(not HELP.is_file(), reason="needs a parallel corpus beside the checkout")
@pytest.mark.parametrize("name", ["bpe-o200k-3000", "unigram-o200k-3000"])
def test_500_help_lines(encoding: Any, trained: dict[str, Tokenizer], name: str) -> None:
    lines = help_lines()
    assert len(lines) == 500
    agree(encoding, trained[name], lines)


@pytest.mark.parametrize("name", TRAINED)
def test_nasty_texts(encoding: Any, trained: dict[str, Tokenizer], name: str) -> None:
    agree(encoding, trained[name], [*NASTY, *MORE])


@pytest.mark.parametrize("trainer", ["bpe", "unigram"])
def test_sizes_of_one_pack(encoding: Any, trained: dict[str, Tokenizer], trainer: str) -> None:
    sizes = {str(n): trained[f"{trainer}-o200k-{n}"] for n in (900, 3000)}
    assert goes_together([*sizes.values()])
    pack = pack_family(sizes)
    texts = [*starter_lines()[::10], *NASTY, *MORE]
    for label, tokenizer in sizes.items():
        ids = encoding.evaluate(ENCODE, [pack, texts, label])
        assert ids == [tokenizer.encode(text) for text in texts]
        spelled = encoding.evaluate(BYTES, [pack, [*range(1, 900)], label])
        assert [bytes(each) for each in spelled] == tokenizer.model.tokens[1:900]


def test_what_does_not_go_together(trained: dict[str, Tokenizer]) -> None:
    assert not goes_together([trained["bpe-o200k-900"], trained["bpe-gpt2-3000"]])
    assert not goes_together([trained["bpe-o200k-3000"], trained["bpe-o200k-900"]])  # by size
    assert not goes_together([trained["bpe-o200k-900"], trained["unigram-o200k-3000"]])


@pytest.mark.parametrize("inference", ["greedy", "fewest"])
def test_other_inference(encoding: Any, trained: dict[str, Tokenizer], inference: str) -> None:
    tokenizer = trained["unigram-o200k-900"]
    model = INFERENCE.load(inference).run(tokenizer.model, None)
    agree(
        encoding, Tokenizer("other", tokenizer.pretokenizer, model), [*starter_lines()[::10], *MORE]
    )


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("prefix", ["never", "always", "unless_space"])
def test_normalizers(encoding: Any, trained: dict[str, Tokenizer], form: Any, prefix: Any) -> None:
    tokenizer = trained["bpe-o200k-900"]
    cut = Pretokenizer(
        "changed", tokenizer.pretokenizer.pattern, normalizer=Normalizer(form, marks=True, prefix=prefix),
        library=tokenizer.pretokenizer.library,
    )  # fmt: skip
    agree(
        encoding,
        Tokenizer("changed", cut, tokenizer.model),
        [*starter_lines()[::10], *NASTY, *MORE],
    )


def test_added_strings_and_earlier_cuts(encoding: Any, trained: dict[str, Tokenizer]) -> None:
    tokenizer = trained["bpe-o200k-900"]
    cut = Pretokenizer(
        "more", tokenizer.pretokenizer.pattern, before=(r"\d", "[\r\n]"), added=("ab", "abc", "<s>", "é"),
        normalizer=Normalizer(prefix="always"), library=tokenizer.pretokenizer.library,
    )  # fmt: skip
    texts = ["abcab", "aab", "<s>12 é<s>", " x\r\ny", "zéab1234", *MORE]
    agree(encoding, Tokenizer("more", cut, tokenizer.model), texts)


def test_symbols(encoding: Any) -> None:
    corpus = toktk.Corpus.of(starter_lines())
    for trainer in ("bpe", "unigram"):
        made = toktk.train(trainer, corpus, sizes=[600], symbols=["<mask>", "der"])
        agree(encoding, made[600], ["a<mask>der Wunder", "<mask><mask>", "wieder", *MORE])


@pytest.mark.parametrize("trainer", ["hf-bpe", "hf-unigram", "sp-bpe", "sp-unigram"])
def test_what_other_libraries_train(encoding: Any, trainer: str, tmp_path: Path) -> None:
    made = toktk.train(trainer, toktk.Corpus.of(starter_lines()), sizes=[2000])
    saved = made[2000].save(tmp_path)
    tokenizer = toktk.load(str(saved.files[0]))
    agree(encoding, tokenizer, [*starter_lines()[::5], *NASTY, *MORE])


@pytest.mark.parametrize("cut", ["gpt2", "o200k-digits-r3"])
def test_pairs_of_ranks_and_whole_tokens(encoding: Any, cut: str) -> None:
    ranks = {bytes([b]): b for b in range(256)}
    ranks |= {
        t: 256 + i
        for i, t in enumerate([b"ab", b"bc", b"abc", b"abcd", "é".encode(), b"xyz", b"12", b"123"])
    }
    model = PairModel.from_ranks(ranks, {"<end>": 264})
    texts = ["abc", "abcd", "xabc", "é", "xyz", "xyzz", "1234 12312", "123" * 200, "٣12123", *MORE]
    agree(encoding, Tokenizer("ranks", Pretokenizer.of(cut), model), texts)


def test_characters_with_byte_fallback(encoding: Any) -> None:
    tokens = [
        b"<unk>",
        *(bytes([b]) for b in range(256)),
        b"a",
        b"b",
        "é".encode(),
        b" ",
        b"ab",
        b" a",
    ]
    byte_ids = np.arange(256) + 1
    mergeable = np.zeros(len(tokens), dtype=np.bool_)
    mergeable[257:] = True
    scores = np.where(mergeable, -np.arange(len(tokens), dtype=np.float64), 0.0)
    model = PairModel.from_scores(tokens, scores, mergeable, {"<unk>": 0}, byte_ids)
    cut = Pretokenizer("whole", r"(?s:.+)", normalizer=Normalizer(marks=True, prefix="always"))
    agree(encoding, Tokenizer("characters", cut, model), ["ab a é東", "aab", *MORE])


@pytest.mark.parametrize("spells", [False, True])
def test_unknown_characters_are_joined(encoding: Any, spells: bool) -> None:
    words = {"<unk>": 0.0, "a": -1.0, "b": -2.0, "ab": -2.5, " ": -3.0, "é": -4.0, "東京": -5.0}
    tokens = [word.encode() for word in words] + [f"<0x{b:02X}>".encode() for b in range(256)]
    scores = np.array([*words.values(), *[-9.0] * 256])
    data, offsets = packed(tokens)
    matched = np.zeros(len(tokens), dtype=np.bool_)
    matched[: len(words)] = True
    byte_ids = np.arange(256) + len(words)
    model = FusedUnigramModel(
        ("<unk>",), np.array([0]), data, offsets, scores, matched, byte_ids, 0, spells
    )  # fmt: skip
    texts = ["ab", "xyz", "a東b", "東京都ab", "<unk>", "<unk>x", "é<unk>", "xéy z", *NASTY, *MORE]
    agree(encoding, Tokenizer("fused", Pretokenizer.of("gpt2"), model), texts)


def test_what_a_library_runs_is_left_out(trained: dict[str, Tokenizer]) -> None:
    tokenizer = trained["bpe-gpt2-900"]
    other = Tokenizer(
        "other", tokenizer.pretokenizer, tokenizer.model, engine="tokenizers 0.0", why="it differs"
    )
    with pytest.raises(Unpackable, match=r"tokenizers 0\.0 runs it"):
        pack_family({"other": other})


def test_a_pattern_that_only_the_regex_library_runs_is_left_out(
    trained: dict[str, Tokenizer],
) -> None:
    cut = Pretokenizer("looking", r"(?<=a)b|\w+")
    assert cut.compile() is None
    with pytest.raises(Unpackable, match="regex"):
        pack_family({"looking": Tokenizer("looking", cut, trained["bpe-gpt2-900"].model)})
