"""Small sound files of every kind that toktk reads: what fuzz.py damages."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

TEXT = """\
The quick brown fox jumps over the lazy dog. They're there; it's theirs, isn't it? 1234567 + 3.14
Größe, naïve café, façade. Der schnelle braune Fuchs springt über den faulen Hund.
Быстрая коричневая лиса прыгает через ленивую собаку. Гарантия, гарантии, гарантий.
素早い茶色の狐がのろまな犬を飛び越える。敏捷的棕色狐狸跳过了懒狗。こんにちは世界。
빠른 갈색 여우가 게으른 개를 뛰어넘는다. तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।
for (int i = 0; i < n; i++) {\tprintf("%d\\n", a[i]); }    return 0;  // 😀👍🏽 👨‍👩‍👧
the the the then there their other others another mother  aaaaaa aaaa ababab    spaces     and  more
"""
DOCUMENTS = (
    "the other mother's quick brown fox isn't there, 1234567 x 3.14  and  more\n",
    " leading, trailing ",
    "Größe  naïve\tcafé e\u0301 Å ﬁ ½ ﷺ\r\n\r\nBыстрая лиса\n\n",
    "素早い茶色の狐 ▁ a▁b ▁▁ 😀👍🏽\u200d🙂 aaaaaaa",
    "\0\x01<s></s><unk><|end|>[X]<0x41>##a @@",
    "",
)
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
R50K = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def lines() -> list[str]:
    """Return the lines of the text."""
    return TEXT.splitlines()


def tokenizer_jsons() -> dict[str, Any]:
    """Return documents of tokenizer.json, by name."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers
    from tokenizers import models as m
    from tokenizers import pre_tokenizers as p
    from tokenizers import trainers as t

    def trained(tokenizer: Tokenizer, trainer: Any) -> Any:
        tokenizer.train_from_iterator(lines(), trainer)
        return json.loads(tokenizer.to_str())

    def byte_trainer(size: int = 420) -> Any:
        return t.BpeTrainer(
            vocab_size=size, initial_alphabet=p.ByteLevel.alphabet(), show_progress=False
        )

    def byte_level(*before: Any, normalizer: Any = None, **options: Any) -> Any:
        tokenizer = Tokenizer(m.BPE(**options))
        last = p.ByteLevel(add_prefix_space=False, use_regex=not before)
        tokenizer.pre_tokenizer = p.Sequence([*before, last]) if before else last
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer

    found: dict[str, Any] = {}
    found["gpt2"] = trained(byte_level(), byte_trainer())
    split = p.Split(Regex(SPLIT), "isolated")
    found["llama3"] = trained(byte_level(split, ignore_merges=True), byte_trainer())
    nfc = byte_level(p.Digits(individual_digits=True), split, normalizer=normalizers.NFC())
    nfc.train_from_iterator(lines(), byte_trainer(330))
    nfc.add_special_tokens(["<|end|>"])
    found["digits"] = json.loads(nfc.to_str())
    cjk = p.Split(Regex("[\u4e00-\u9fff\u3040-\u30ff]+"), "isolated")
    deepseek = byte_level(p.Split(Regex(r"\p{N}{1,3}"), "isolated"), cjk, split)
    deepseek.train_from_iterator(lines(), byte_trainer())
    deepseek.add_tokens(
        [AddedToken(name, special=False, normalized=False) for name in ("[X]", "aa", "  ")]
    )
    found["deepseek"] = json.loads(deepseek.to_str())
    found["llama2"] = _llama2()
    metaspace = json.loads(json.dumps(found["llama2"]))
    metaspace["normalizer"] = None
    metaspace["pre_tokenizer"] = {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False,
    }  # fmt: skip
    found["metaspace"] = metaspace
    found["unigram"] = _unigram()
    wordpiece = Tokenizer(m.WordPiece(unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer()
    wordpiece.pre_tokenizer = p.BertPreTokenizer()
    found["wordpiece"] = trained(
        wordpiece, t.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False)
    )
    word_level = Tokenizer(m.WordLevel({"the": 0, "fox": 1, "[UNK]": 2}, unk_token="[UNK]"))
    word_level.pre_tokenizer = p.Whitespace()
    found["wordlevel"] = json.loads(word_level.to_str())
    return found


def _llama2() -> Any:
    """Return a SentencePiece-style BPE with byte fallback, as converters write it."""
    from tokenizers import Tokenizer, models, trainers

    trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
    tokenizer = Tokenizer(models.BPE())
    words = [f"▁{word}" for line in lines() for word in line.split(" ")]
    tokenizer.train_from_iterator(words, trainer)
    document = json.loads(tokenizer.to_str())
    first = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    names = first + sorted(document["model"]["vocab"], key=document["model"]["vocab"].get)
    document["model"] |= {
        "vocab": {name: i for i, name in enumerate(names)},
        "unk_token": "<unk>",
        "byte_fallback": True,
        "fuse_unk": True,
    }
    document["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    }
    flags = {"single_word": False, "lstrip": False, "rstrip": False}
    document["added_tokens"] = [
        {"id": i, "content": name, **flags, "normalized": False, "special": True}
        for i, name in enumerate(first[:3])
    ]
    return document


def _unigram() -> Any:
    words = sorted({f"▁{word}" for line in lines() for word in line.split(" ") if word})
    parts = sorted({word[a:b] for word in words for a in range(6) for b in range(a + 1, a + 5)})
    characters = sorted({c for word in words for c in word})
    vocab: dict[str, float] = {"<unk>": 0.0, "<s>": 0.0, "</s>": 0.0}
    vocab |= {f"<0x{b:02X}>": -20.0 - b / 64 for b in range(256)}
    for i, name in enumerate([*words, *parts, *characters]):
        vocab.setdefault(name, -2.0 - i % 97 / 8 - len(name) / 4)
    metaspace = {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True,
    }  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": metaspace, "post_processor": None,
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [list(x) for x in vocab.items()],
                  "byte_fallback": True},
    }  # fmt: skip


def own_jsons(folder: Path) -> dict[str, Any]:
    """Return documents of tokenizer.json as toktk writes them, by name."""
    import numpy as np

    from toktk.formats.sentencepiece import by_pieces, read_sentencepiece
    from toktk.models.bpe import BpeModel
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer import Tokenizer

    folder.mkdir(exist_ok=True)
    empty = BpeModel((), np.empty((0, 3), dtype=np.int64))
    a, b, e = (int(empty.byte_ids[ord(c)]) for c in "the")
    merges = np.array([[a, b, 256], [256, e, 257], [e, e, 258]], dtype=np.int64)
    # The special token has the first id.
    made = Tokenizer("own", Pretokenizer.of("o200k"), BpeModel(("<|end|>",), merges + 1))
    made.save(folder / "own")
    raw, path = sentencepiece_models()["unigram"], folder / "unigram.model"
    parts = by_pieces(raw, path, read_sentencepiece(raw, path))
    Tokenizer("unigram", *parts).save(folder / "own-unigram")
    return {
        name: json.loads((folder / name / "tokenizer.json").read_text(encoding="utf-8"))
        for name in ("own", "own-unigram")
    }


def ranks() -> list[tuple[bytes, int]]:
    """Return tokens and their ranks: all bytes and what the most frequent neighbors make."""
    made = [bytes([b]) for b in range(256)]
    for word in ("th", "the", " t", " the", "er", "her", "ther", " o", "aa", "aaaa", "  ", "    "):
        made.append(word.encode())
    made += ["é".encode(), "素".encode(), "素早".encode(), "😀".encode()]
    return [(token, rank) for rank, token in enumerate(dict.fromkeys(made))]


def tekken() -> Any:
    """Return a document of tekken.json."""
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for token, i in ranks()
    ]
    special = [{"rank": i, "token_str": f"<x{i}>", "is_control": True} for i in range(5)]
    config = {
        "pattern": SPLIT, "num_vocab_tokens": len(vocab), "default_vocab_size": len(vocab) + 8,
        "default_num_special_tokens": 8, "version": "v7",
    }  # fmt: skip
    return {"config": config, "vocab": vocab, "special_tokens": special}


def sentencepiece_models() -> dict[str, bytes]:
    """Return SentencePiece models, by name."""
    import sentencepiece as spm

    found = {}
    for name, kind, options in (
        ("bpe", "bpe", {"byte_fallback": True, "normalization_rule_name": "identity",
                        "remove_extra_whitespaces": False, "user_defined_symbols": ["[X]", "▁▁"]}),
        ("bpe-plain", "bpe", {"vocab_size": 170}),
        ("unigram", "unigram", {"byte_fallback": True, "normalization_rule_name": "identity",
                                "remove_extra_whitespaces": False, "add_dummy_prefix": False}),
        ("unigram-nmt", "unigram", {"vocab_size": 180}),
    ):  # fmt: skip
        out = io.BytesIO()
        settings = {"vocab_size": 430, "character_coverage": 0.98, "hard_vocab_limit": False}
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines() * 3), model_writer=out, model_type=kind,
            num_threads=1, minloglevel=4, **(settings | options),
        )  # fmt: skip
        found[name] = out.getvalue()
    return found


def corpora(folder: Path) -> dict[str, bytes]:
    """Return corpus files, by file name."""
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    texts = [*lines(), *DOCUMENTS]
    groups = [("en", "de", None)[i % 3] for i in range(len(texts))]
    rows = [
        {"text": text, "lang": group, "id": i // 3}
        for i, (text, group) in enumerate(zip(texts, groups, strict=True))
    ]
    plain = TEXT.encode() + "\n\n\ufeffmore\r\n\0nul \r\n".encode()
    jsonl = "".join(json.dumps(row, ensure_ascii=bool(i % 2)) + "\n" for i, row in enumerate(rows))
    table = pa.table(
        {
            "text": pa.array(texts),
            "lang": pa.array(groups).dictionary_encode(),
            "id": pa.array(range(len(texts))),
        }
    )
    found = {
        "plain.txt": plain,
        "rows.jsonl": jsonl.encode(),
        "plain.txt.gz": gzip.compress(plain, mtime=0),
        "rows.jsonl.gz": gzip.compress(jsonl.encode(), mtime=0),
    }
    pq.write_table(table, folder / "rows.parquet", row_group_size=5)
    pq.write_table(table, folder / "snappy.parquet", compression="snappy", use_dictionary=False)
    feather.write_feather(table, folder / "rows.arrow", compression="uncompressed")
    for name in ("rows.parquet", "snappy.parquet", "rows.arrow"):
        found[name] = (folder / name).read_bytes()
    return found
