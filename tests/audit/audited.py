"""Small tokenizers with planted faults, and texts as an audit reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pair_samples import ranked
from public_samples import document, write

from toktk.audit.finding import Finding
from toktk.audit.subject import Subject, Text
from toktk.loading.load import Loaded, open_tokenizer
from toktk.models.bpe import byte_characters
from toktk.models.pairs import PairModel
from toktk.pieces.sample import Sample
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


def of_ranks(words: Iterable[bytes], pattern: str = "none", **special: int) -> Subject:
    """Return a subject that encodes as tiktoken does, with the 256 bytes and these words."""
    model = PairModel.from_ranks(ranked(words), special)
    return Subject(Tokenizer("planted", Pretokenizer.of(pattern), model))


def opened(path: Path | str) -> Loaded:
    return open_tokenizer(str(path), cache=False)


def of_file(path: Path | str) -> Subject:
    """Return the subject of a file, on whatever engine is right."""
    loaded = opened(path)
    return Subject(loaded.checked(cache=False), loaded)


def word_pieces(path: Path, words: Sequence[str], **steps: object) -> Subject:
    """Return a WordPiece tokenizer, whose unknown token and [CLS] are special."""
    names = ["[UNK]", "[CLS]", *words]
    model = {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {name: i for i, name in enumerate(names)},
    }  # fmt: skip
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False) | {"special": True}
    added = [
        {"id": i, "content": name, "normalized": bool(steps.get("normalized")), **flags}
        for i, name in enumerate(names[:2])
    ]
    normalizer = steps.get("normalizer")
    written = document(model, normalizer, {"type": "BertPreTokenizer"}, added)
    return of_file(write(path / "tokenizer.json", written | {"truncation": None}))


def byte_names(*missing: int) -> list[str]:
    """Return the names of bytes in a byte-level vocabulary, without some."""
    return [name for b, name in enumerate(byte_characters()) if b not in missing]


def sentencepiece(path: Path, text: Sequence[str], **options: object) -> Subject:
    """Return a small model that SentencePiece itself has trained."""
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(text), model_writer=written, minloglevel=2, **options
    )
    file = path / "small.model"
    file.write_bytes(written.getvalue())
    return of_file(f"spm:{file}")


def text_of(
    subject: Subject,
    corpus_of,
    documents: Sequence[str],
    groups: Sequence[str] | None = None,
    most: int = 0,
) -> Text:
    """Return documents as the audit of a corpus reads them."""
    names = groups or ["all text"] * len(documents)
    corpus = corpus_of([(d, g, 1) for d, g in zip(documents, names, strict=True)])
    sample = Sample()
    for batch in corpus.batches():
        sample.see(batch)
    return Text.of("tested", sample.finish(), subject, 1, most)


def only(findings: Sequence[Finding], check: str) -> Finding:
    """Return the one finding of a check."""
    (finding,) = [each for each in findings if each.check == check]
    return finding


def beside(path: Path, **files: object) -> Path:
    """Write JSON files beside a tokenizer, by name without its ending."""
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return path


def token_id(subject: Subject, token: bytes) -> int:
    """Return the id of the token that spells `token`, which is there once."""
    (i,) = np.flatnonzero(np.array([each == token for each in subject.tokens]))
    return int(i)
