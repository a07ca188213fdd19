"""``.model`` of SentencePiece whose model is BPE: Llama 2's, Mistral's, and those of many others.

SentencePiece has no pretokenizer: it merges across a whole text. Where no token holds a space after
another character, nothing merges there, and the text can be cut at each such place.
User-defined symbols are found first, after the space in front was added, and never merge: they cut the
text, and each is a whole token.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats import wire
from toktk.formats.fallback import byte_names
from toktk.formats.fields import short
from toktk.formats.files import read_bytes
from toktk.models.pairs import PairModel
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers.patterns import resolve
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

_SPACE_AFTER = re.compile("[^ ] ")


def read_sentencepiece_bpe(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a BPE model with byte fallback whose text is normalized by no table.

    The pretokenizer is ``spaces``, or ``none`` if a token holds a space after another character.

    Args:
        path: the file.
        name: by default that of the file, without its last ending.

    Raises:
        FormatError: the file is missing, damaged, or of another kind; the error names the field.
    """
    path = Path(path)
    reader = _Reader(path)
    top = reader.message(read_bytes(path), "the file")
    trainer = reader.part(top, proto.TRAINER, "trainer_spec")
    reader.check_kind(trainer, 2)
    reader.check_trainer(trainer)
    normalizer = reader.normalizer(top)
    reader.check_spaces(normalizer)
    field = "normalizer_spec.add_dummy_prefix"
    prefix = reader.last(normalizer, proto.DUMMY_PREFIX, 1, field)
    reader.read_pieces(top.get(proto.PIECE, []))
    model = reader.model()
    texts = [reader.tokens[i].decode() for i in reader.merged + reader.symbols]
    pattern = "none" if any(map(_SPACE_AFTER.search, texts)) else "spaces"
    pretokenizer = Pretokenizer(
        *resolve(pattern),
        before=tuple(filter(None, [_alternatives([reader.tokens[i] for i in reader.symbols])])),
        normalizer=Normalizer(marks=True, prefix="always" if prefix else "never"),
    )
    return Tokenizer(name or path.stem, pretokenizer, model)


class _Reader(proto.ProtoFields):
    """Reads pieces.

    Attributes:
        tokens: the bytes of each id, none for special tokens.
        scores: by id.
        merged, symbols: ids of normal pieces, and of user-defined symbols.
        special_tokens: {name: id}.
        byte_at: {byte: id}.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.tokens: list[bytes] = []
        self.scores: list[float] = []
        self.merged: list[int] = []
        self.symbols: list[int] = []
        self.special_tokens: dict[str, int] = {}
        self.byte_at: dict[int, int] = {}

    def read_pieces(self, pieces: list[wire.Value]) -> None:
        known = {name: byte for byte, name in enumerate(byte_names())}
        names: set[str] = set()
        for i, raw in enumerate(pieces):
            field = f"pieces[{i}]"
            name, score, kind = self.piece(raw, field)
            if name in names:
                raise self.error(f"{field}.piece", f"{short(name)} once more", "different names")
            names.add(name)
            self.scores.append(score)
            self.tokens.append(self._token(i, name, kind, known))
        missing = [name for byte, name in enumerate(byte_names()) if byte not in self.byte_at]
        if missing:
            raise self.error("pieces", f"no piece {missing[0]}", "one for each byte")

    def _token(self, i: int, name: str, kind: int, known: dict[str, int]) -> bytes:
        """Return the bytes of a piece, and enter its id where its kind belongs."""
        field = f"pieces[{i}]"
        if kind == proto.BYTE:
            if name not in known:
                raise self.error(f"{field}.piece", short(name), "<0x00> to <0xFF>")
            self.byte_at[known[name]] = i
            return bytes([known[name]])
        if kind in (proto.UNKNOWN, proto.CONTROL):
            # The library looks a character up among special tokens first.
            if len(name) == 1:
                found = f"the special token {short(name)}"
                raise self.error(f"{field}.piece", found, "special tokens of two characters")
            self.special_tokens[name] = i
            return b""
        if kind not in (proto.NORMAL, proto.USER_DEFINED):
            # What an unused piece is split into again depends on the rest of the text.
            found = proto.TYPES.get(kind, str(kind))
            raise self.error(f"{field}.type", found, "NORMAL, USER_DEFINED, BYTE and special ones")
        if " " in name:
            raise self.error(f"{field}.piece", short(name), "spaces written as U+2581")
        (self.merged if kind == proto.NORMAL else self.symbols).append(i)
        return name.replace(proto.SPACE, " ").encode()

    def model(self) -> PairModel:
        made = np.zeros(len(self.tokens), dtype=np.bool_)
        made[self.merged] = True
        whole = np.zeros(len(self.tokens), dtype=np.bool_)
        whole[self.symbols] = True
        byte_ids = np.array([self.byte_at[byte] for byte in range(256)], dtype=np.int64)
        scores = np.array(self.scores, dtype=np.float32)
        try:
            return PairModel.from_scores(
                self.tokens, scores, made, self.special_tokens, byte_ids, whole
            )
        except FormatError as error:
            wanted = "pieces that mean the same to toktk"
            raise self.error("pieces", str(error), wanted) from error


def _alternatives(symbols: list[bytes]) -> str:
    """Return a pattern that finds the longest of `symbols` at each place; empty without any."""
    texts = sorted([symbol.decode() for symbol in symbols], key=len, reverse=True)
    return "|".join([re.sub(r"[\\.^$*+?{}\[\]|()]", r"\\\g<0>", text) for text in texts])
